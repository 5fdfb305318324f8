#!/usr/bin/python3
"""The packets of an answer: what each is, what of it may differ between two connections, and how it is shown."""

import re
import struct

import mywire

NUMBERED = re.compile(rb"(statement|handler) \(\d+\)")  # errors name a statement by the server's number
UNKNOWN_AT_DEFINITIONS = 0x38  # no index, no good index, more results: in an EOF packet in front of the rows (docs/compatibility.md)


def roles(client, command, packets):
    """What each packet is: ok, err, prepared, count, definition, end of definitions, row, end, text."""
    out, definitions, state = [], 0, "first"
    has_eof = not client.caps & mywire.DEPRECATE_EOF
    if command in ("fetch", "fields"):
        state = "row" if command == "fetch" else "fields"
    for p in packets:
        if p[4:5] == b"\xff":
            out.append("err")
            state = "first"
        elif command == "statistics":
            out.append("text")
        elif command == "prepare":
            out.append("prepared" if not out else "end" if has_eof and client.is_end(p) else "definition")
        elif state == "first":
            is_ok = p[4:5] in (b"\0", b"\xfe")
            out.append("ok" if is_ok else "count")
            if not is_ok:
                definitions, state = mywire.lenenc(p, 4)[0], "definition"
        elif state == "definition":
            out.append("definition")
            definitions -= 1
            if not definitions:
                state = "end of definitions" if has_eof else "row"
        elif state == "end of definitions":
            out.append(state)
            state = "first" if client.status(p) & mywire.CURSOR_EXISTS else "row"
        elif client.is_end(p):
            out.append("end")
            state = "first"
        else:
            out.append("row" if state == "row" else "definition")
    return out


def canonical(client, command, packets, names):
    """Pairs (role, packet), without what two direct connections would not agree on. `names`: (one, its neutral form) of a side's names."""
    out = []
    for role, p in zip(roles(client, command, packets), packets):
        for one, neutral in names:
            p = p.replace(one, neutral)
        if role == "prepared":
            p = p[:5] + p[9:]
        elif role == "err":
            p = NUMBERED.sub(rb"\1 ()", p[3:])
        elif role == "row" and NUMBERED.search(p):  # of SHOW WARNINGS, and not for sure one of texts
            p = bytes([0, 0, 0, p[3], 0]) + NUMBERED.sub(rb"\1 ()", repr(values_of(p)).encode() if p[4:5] != b"\0" else p[5:])
        elif role == "end of definitions":
            p = p[:7] + bytes([p[7] & ~UNKNOWN_AT_DEFINITIONS]) + p[8:]
        elif role == "text":
            p = b""
        out.append((role, p))
    return out


def code(role, p):
    """The number of an error; "" of anything else. Of a canonical packet: without its length."""
    return str(struct.unpack_from("<H", p, 2)[0]) if role == "err" else ""


def values_of(p):
    out, at = [], 4
    while at < len(p):
        if p[at] == 0xFB:
            out.append(None)
            at += 1
        else:
            size, at = mywire.lenenc(p, at)
            out.append(p[at : at + size])
            at += size
    return out


def shown(role, p):
    if role == "err":
        return f"err {code(role, p)} {p[4:].decode(errors='replace')}"
    if role == "ok" and len(p) > 9:
        changed, at = mywire.lenenc(p, 5)
        number, at = mywire.lenenc(p, at)
        status, warnings = struct.unpack_from("<HH", p, at)
        return f"ok rows {changed}, id {number}, status {status:#06x}, warnings {warnings}, {p[at + 4:]!r} [{p[3]}]"
    if role == "row" and p[4:5] != b"\0":
        try:
            return f"row {values_of(p)}"
        except (IndexError, KeyError):
            pass
    if role == "definition":
        try:
            return f"definition {values_of(p[:-13])} {p[-12:].hex()}"
        except (IndexError, KeyError):
            pass
    return f"{role} {p[:200]!r}"


def first_difference(expected, got):
    for i, (a, b) in enumerate(zip(expected, got)):
        if a != b:
            return i
    return None if len(expected) == len(got) else min(len(expected), len(got))
