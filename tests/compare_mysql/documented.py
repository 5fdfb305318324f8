#!/usr/bin/python3
"""Differences that docs/compatibility.md says there may be: what of an answer does not count then. The script goes on behind them."""

import re
import struct

import mywire
import packets

SESSION_STATE_CHANGED = 0x4000
BLOBS = (b"\xfa", b"\xfb", b"\xfd")  # types of strings: MySQL's of such a variable, MariaDB's, of one that was never set


def without_changes(p):
    """An OK without what it tells of the session's changes."""
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


def unset_variable(answer):
    """A user variable that was never set has another length and character set where another client's was undone, or only prepared."""
    starts = [i for i, (role, _) in enumerate(answer) if role == "count"] or [0]
    results = [answer[a:b] for a, b in zip([0, *starts[1:]], [*starts[1:], len(answer)])]
    return [p for r in results for p in unset_in_result(r)]


def unset_in_result(answer):
    names = [packets.values_of(p[:-13])[4].lower() for role, p in answer if role == "definition"]
    rows = [row_of(p, len(names)) for role, p in answer if role == "row"]
    if not any(n.startswith((b"@", b"charset(@")) for n in names):
        return answer
    is_prepared = any(role == "prepared" for role, _ in answer)
    unset = {n for at, n in enumerate(names) if (rows or is_prepared) and n.startswith(b"@") and all(r[at] is None for r in rows)}
    unset |= {n[: -len(b" is null")] for at, n in enumerate(names) if n.endswith(b" is null") and all(r[at] == b"1" for r in rows)}
    out, at = [], 0
    for role, p in answer:
        if role == "definition":
            is_blob = names[at] in unset and p[-6:-5] in BLOBS
            is_made_of_it = any(b"(" + n + b")" in names[at] for n in unset)
            p, at = p[4:-13] if is_blob or is_made_of_it else p, at + 1
        elif role == "row":
            p = repr([b"" if n[:8] == b"charset(" and n[8:-1] in unset else v for n, v in zip(names, row_of(p, len(names)))])
        out.append((role, p))
    return out


def row_of(p, count):
    """Values of a row in text; of one in binary form, None where it is NULL and all of the row elsewhere."""
    if p[4:5] != b"\0":
        return packets.values_of(p)
    return [None if p[5 + (i + 2) // 8] >> (i + 2) % 8 & 1 else p for i in range(count)]


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
    """SHOW VARIABLES behind COM_RESET_CONNECTION tells @@collation_database of the schema; at MariaDB it is the server's."""
    is_shown = role == "row" and SHOWN_DATABASE.search(p)
    is_prepared = command[0] == "prepare" and role == "definition" and DATABASE_COLUMN.search(p)
    return p[4 : is_prepared.end()] if is_prepared else b"" if is_shown else p


def collation_of_definitions(_, command, role, p):
    """Definitions name the usual collation of the client's character set where its login has named another one, and others have said SET NAMES."""
    # The lowest byte of the flags: whether it compares by bytes.
    return FIXED.sub(lambda m: m[1] + bytes([m[2][0] & 0x7F]), p) if role == "definition" else p


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


def kept_warnings(_, command, role, p):
    """SHOW WARNINGS that gilmok answers itself is in the character set that was in force when they were made."""
    return p[4:-12] + p[-6:] if role == "definition" and str(command[1]).lower() == "show warnings" else p


def text_of_errors(_, command, role, p):
    """In the text of an error, FOUND_ROWS() and ROW_COUNT() are the numbers that were put there."""
    is_asked = re.search(r"(found_rows|row_count)\(", str(command), re.I)
    return p[:13] if role == "err" and is_asked and NEAR.search(p) else p


def schema_of_execute(_, command, role, p):
    """What an EXECUTE that has failed has gone back to the server tells with the next change: gilmok has asked for changes of all kinds."""
    if role not in ("ok", "end") or len(p) < 11 or p[4] not in (0, 0xFE) or SAYS_SCHEMA.search(str(command)):
        return p
    at, found = changes_of(p)
    others = [c for c in found if c[0] != SCHEMA_CHANGED]
    status = struct.unpack_from("<H", p, at)[0] & (0xFFFF if others else ~SESSION_STATE_CHANGED)
    return without_changes(p)[:at] + struct.pack("<H", status) + repr(others).encode()


def row_of_parameters(_, command, role, p):
    """A routine's parameters are of row 0 or 1 of the statement in front of the CALL, which gilmok itself may have answered."""
    return p[:-1] if role == "err" and OF_PARAMETER.search(p) else p


def not_locked(_, command, role, p):
    """What gilmok prepares anew under LOCK TABLES fails for a table that is not locked, before anything else of an EXECUTE does."""
    return b"" if role == "err" and command[0] in OWN_WORDS and struct.unpack_from("<H", p, 2)[0] in (1100, 1210) else p


def language(_, command, role, p):
    """What gilmok itself says is said in English, whatever lc_messages is."""
    return p[:8] if role == "err" and struct.unpack_from("<H", p, 2)[0] in OWN_ERRORS and command[0] in OWN_WORDS else p


REFUSALS = {
    b"not known any more": "What the last answer has left is not known any more: gilmok says so (1235).",
    b"prepared under another sql_mode": "A statement cannot be prepared as it was, where its client is kept: gilmok says so (1235).",
    b"the current schema was dropped": "COM_RESET_CONNECTION of who has dropped its schema: gilmok refuses it (1235).",
    b"no server connection became free": "Others keep all connections: gilmok says so (1040).",
}


# What they make of a packet is a packet still, and others may look at it.
STATUS_ALONE = (status_of_eof, changes_in_front_of_eof)


def refusal(got):
    """The script ends there: which of them it is, in a sentence; None: none."""
    is_error = len(got) > 0 and got[-1][0] == "err"
    return next((told for words, told in REFUSALS.items() if is_error and words in got[-1][1]), None)


SHOWN_DATABASE = re.compile(rb"\x12collation_database|\x16character_set_database", re.I)
DATABASE_COLUMN = re.compile(rb"@@(session\.)?(collation|character_set)_database\0\x0c", re.I)
NEAR = re.compile(rb" near '|CAST\('|found_rows\(\)|row_count\(\)", re.I)
OF_PARAMETER = re.compile(rb"for column ``\.``\.`\w+` at row [01]$")
FIXED = re.compile(rb"\x0c[\x2d\x2e\xff]\0(.{4}.)(.)", re.S)
SCHEMA_CHANGED = 1
SAYS_SCHEMA = re.compile(r"\buse\b|'schema'|\bdatabase\b|\bcall\b|'user'|'reset'", re.I)
OWN_ERRORS = {1210, 1243, 1421, 1835}
OWN_WORDS = {"execute", "again", "fetch", "restart"}
ALL = (status_of_eof, schema_of_login, no_such_database, changes_in_front_of_eof, put_back, collation_database,
       collation_of_definitions, text_of_errors, schema_of_execute, row_of_parameters, not_locked, language, deprecated, option,
       untyped, kept_warnings)


def explains(caps, command, expected, got):
    """Which of them make two answers equal, as sentences: one, or two together; nothing: none do."""
    if any(b"FOUND_ROWS() is deprecated" in p for _, p in expected):
        return [deprecated.__doc__]
    if command[0] in ("query", "execute", "again", "prepare") and unset_variable(expected) == unset_variable(got):
        return [unset_variable.__doc__]

    def seen_by(each, answer):
        return [(role, each(caps, command, role, p)) for role, p in answer]

    for each in ALL:
        if seen_by(each, expected) == seen_by(each, got):
            return [each.__doc__]
    for first in STATUS_ALONE:
        for each in ALL:
            if seen_by(each, seen_by(first, expected)) == seen_by(each, seen_by(first, got)):
                return [first.__doc__, each.__doc__]
    return []
