#!/usr/bin/python3
"""Differences that docs/compatibility.md says there may be: what of an answer does not count then. The script goes on behind them."""

import re
import struct

import mywire

SESSION_STATE_CHANGED = 0x4000
BLOBS = (b"\xfa", b"\xfb", b"\xfd")  # types of strings: MySQL's of such a variable, MariaDB's, of one that was never set
USUAL, OTHER = (b"\x0c\x2d\0", b"\x0c\xff\0"), b"\x0c\x2e\0"  # collations of utf8mb4: MariaDB's usual one, MySQL's; another one


def without_changes(p):
    """An OK without what it tells of the session's changes."""
    if len(p) < 11:
        return p  # an EOF that is all of the answer
    at = mywire.lenenc(p, mywire.lenenc(p, 5)[1])[1]
    status, warnings = struct.unpack_from("<HH", p, at)
    return b"\0\0\0" + p[3:at] + struct.pack("<HH", status & ~SESSION_STATE_CHANGED, warnings)


def status_of_eof(_, command, role, p):
    """The EOF behind definitions has the status in front of the statement and no warnings; none says that the state has changed."""
    if role == "end of definitions" or (role == "end" and command[0] == "prepare"):
        return p[:5] + bytes([0, 0, p[7] & mywire.CURSOR_EXISTS, 0])
    is_eof = role == "end" and len(p) == 9  # in its place, newer clients have an OK, which is longer
    return p[:8] + bytes([p[8] & ~(SESSION_STATE_CHANGED >> 8)]) if is_eof else p


def schema_of_login(_, command, role, p):
    """The OK of a login, or of COM_CHANGE_USER, which gilmok itself says, does not tell the schema."""
    return without_changes(p) if command[0] in ("login", "user") and role == "ok" else p


def changes_in_front_of_eof(caps, _, role, p):
    """What statements that end with an EOF have changed, clients with SESSION_TRACK are not told with the next OK."""
    return without_changes(p) if role == "ok" and caps & mywire.SESSION_TRACK and not caps & mywire.DEPRECATE_EOF else p


def no_such_database(_, command, role, p):
    """COM_CHANGE_USER to a database that there is not: gilmok says with 1049 what the server says with 1044."""
    return b"" if command[0] == "user" and role == "err" and p[2:4] in (b"\x14\4", b"\x19\4") else p


def unset_variable(_, command, role, p):
    """A user variable that was never set has another length and character set where another client's was undone."""
    if role == "row" and "charset(@a)" in str(command):
        return p[3:].replace(b"\6binary", b"\7utf8mb4")
    name = re.search(rb"\0.(@\w+)\0\x0c", p, re.S) if role == "definition" else None
    return p[: name.end()] if name and p[name.end() + 6 : name.end() + 7] in BLOBS else p


def changes_of(p):
    """Of an OK that tells some: where they begin, and each as (type, data)."""
    at = mywire.lenenc(p, mywire.lenenc(p, 5)[1])[1]
    if not struct.unpack_from("<H", p, at)[0] & SESSION_STATE_CHANGED:
        return at, []
    info, start = mywire.lenenc(p, at + 4)
    total, begin = mywire.lenenc(p, start + info)
    found, where = [], begin
    while where < begin + total:
        length, data = mywire.lenenc(p, where + 1)
        found.append((p[where], p[data : data + length]))
        where = data + length
    return at, found


def put_back(_, command, role, p):
    """What SET STATEMENT has put back the server tells with a later statement, or not at all: gilmok has heard it."""
    if role not in ("ok", "end") or len(p) < 11 or p[4] not in (0, 0xFE):
        return p
    at, found = changes_of(p)
    others = [c for c in found if c[0] or not c[1][1:].startswith((b"time_zone", b"sql_mode"))]
    return without_changes(p)[:at] + struct.pack("<H", struct.unpack_from("<H", p, at)[0] & ~SESSION_STATE_CHANGED) + repr(others).encode()


def collation_database(_, command, role, p):
    """@@collation_database behind COM_RESET_CONNECTION is the schema's; at MariaDB it is the server's."""
    return b"" if role == "row" and b"\x12collation_database" in p.lower() else p


def collation_of_definitions(_, command, role, p):
    """Definitions name the usual collation of the client's character set where its login has named another one, and others have said SET NAMES."""
    return p.replace(OTHER, USUAL[0]).replace(USUAL[1], USUAL[0]) if role == "definition" else p


def deprecated(_, command, role, p):
    """MySQL warns of FOUND_ROWS(), which is deprecated; where gilmok has put in the number, it does not."""
    asks = "found_rows()" in str(command).lower()
    if asks and role == "end of definitions":
        return p[:5] + b"\0\0" + p[7:]
    if not asks or role != "end" or len(p) < 9:
        return p
    return p[:5] + b"\0\0" + p[7:] if len(p) == 9 else p[:9] + b"\0\0" + p[11:]


def untyped(_, command, role, p):
    """MySQL tells who executes without having told any types 1835 or 1210, by what its values look like; gilmok 1210."""
    return b"" if command[0] == "again" and role == "err" and p[2:4] in (b"\x2b\7", b"\xba\4") else p


def option(_, command, role, p):
    """COM_SET_OPTION tells how many warnings the statement before had (MySQL)."""
    return p[:5] + b"\0\0" + p[7:] if command[0] == "option" and len(p) == 9 else p


def text_of_errors(_, command, role, p):
    """In the text of an error, FOUND_ROWS() and ROW_COUNT() are the numbers that were put there."""
    return p[:13] if role == "err" and (b"CAST('" in p or b"found_rows()" in p or b"row_count()" in p) else p


def is_refusal(got):
    """What the last answer has left is not known any more: gilmok says so (1235). Or others keep all connections (1040)."""
    words = (b"not known any more", b"no server connection became free")
    return len(got) > 0 and got[-1][0] == "err" and any(w in got[-1][1] for w in words)


ALL = (status_of_eof, schema_of_login, no_such_database, changes_in_front_of_eof, unset_variable, put_back, collation_database,
       collation_of_definitions, text_of_errors, deprecated, option, untyped)


def several(caps, command, role, p):
    """Two or more of these at once."""
    for each in ALL:
        p = each(caps, command, role, p)
    return p


def explains(caps, command, expected, got):
    """Which of them makes two answers equal, in a sentence; None: none does."""
    if any(b"FOUND_ROWS() is deprecated" in p for _, p in expected):
        return deprecated.__doc__
    for each in (*ALL, several):
        if [(r, each(caps, command, r, p)) for r, p in expected] == [(r, each(caps, command, r, p)) for r, p in got]:
            return each.__doc__
    return None
