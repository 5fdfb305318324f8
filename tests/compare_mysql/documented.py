#!/usr/bin/python3
"""Differences that docs/compatibility.md says there may be: what of an answer does not count then. The script goes on behind them."""

import struct

import mywire

SESSION_STATE_CHANGED = 0x4000


def status_of_eof(command, role, p):
    """The EOF behind definitions has the status in front of the statement, and none of them says that the session's state has changed."""
    if role == "end of definitions" or (role == "end" and command[0] == "prepare"):
        return p[:7] + bytes([p[7] & mywire.CURSOR_EXISTS, 0]) + p[9:]
    is_eof = role == "end" and len(p) == 9  # in its place, newer clients have an OK, which is longer
    return p[:8] + bytes([p[8] & ~(SESSION_STATE_CHANGED >> 8)]) if is_eof else p


def schema_of_change_user(command, role, p):
    """The OK of COM_CHANGE_USER, which gilmok itself says, tells no changes of the session."""
    if command[0] != "user" or role != "ok":
        return p
    at = mywire.lenenc(p, mywire.lenenc(p, 5)[1])[1]
    status, warnings = struct.unpack_from("<HH", p, at)
    return b"\0\0\0" + p[3:at] + struct.pack("<HH", status & ~SESSION_STATE_CHANGED, warnings)


def no_such_database(command, role, p):
    """COM_CHANGE_USER to a database that there is not: gilmok says in its own words, and with 1049, what the server says with 1044."""
    return b"" if command[0] == "user" and role == "err" and p[2:4] in (b"\x14\4", b"\x19\4") else p


ALL = (no_such_database, status_of_eof, schema_of_change_user)


def explains(command, expected, got):
    """Which of them makes two answers equal, in a sentence; None: none does."""
    for each in ALL:
        if [(r, each(command, r, p)) for r, p in expected] == [(r, each(command, r, p)) for r, p in got]:
            return each.__doc__
    return None
