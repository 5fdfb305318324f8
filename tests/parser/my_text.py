"""my_text.py - of a text in MySQL's dialect, without parsing it: where its statement begins and ends, and its verb."""

import re

# Comments that a server may execute (/*! and /*M!) are part of a statement; whether one is depends on its version.
EXECUTABLE = re.compile(rb"/\*M?!")
_COMMENT = rb"/\*(?!M?!).*?\*/|\#[^\n]*|--(?=[\s\x00-\x1f\x7f]|\Z)[^\n]*"
_STRINGS = rb"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`(?:[^`]|``)*`"
_TOKEN = re.compile(rb"(?P<space>\s+|" + _COMMENT + rb")|" + _STRINGS + rb"|[A-Za-z0-9_$\x80-\xff]+|.", re.S)
_WORD = re.compile(rb"[A-Za-z_]+")
_BLANKS = b" \t\r\n\f\v"

_OBJECTS = frozenset(b"""AGGREGATE DATABASE EVENT FUNCTION INDEX LOGFILE PACKAGE PREPARE PROCEDURE ROLE SCHEMA SEQUENCE SERVER TABLE
TABLES TABLESPACE TRIGGER USER VIEW""".split())
_WITH_OBJECT = frozenset((b"CREATE", b"ALTER", b"DROP"))
# Words after which the next one belongs to the verb: any, or only one of these.
_WITH_NEXT = frozenset((b"BACKUP", b"LOAD", b"LOCK", b"SHOW", b"START", b"STOP", b"XA"))
_WITH_ONE_OF = {
    b"BEGIN": (b"NOT",), b"EXECUTE": (b"IMMEDIATE",), b"GET": (b"DIAGNOSTICS",),
    b"SET": (b"DEFAULT", b"NAMES", b"PASSWORD", b"ROLE", b"STATEMENT", b"TRANSACTION"),
}


def has_line_comment(text):
    """May its end be one? Then nothing can be written behind it in the same line."""
    return b"#" in text or b"--" in text


def trim(text):
    """[start, end] of its one statement: without white space and comments at its ends, and without the `;` at its end."""
    if b"/*" not in text and not has_line_comment(text):
        end = len(text.rstrip(_BLANKS + b";"))
        return [len(text) - len(text.lstrip(_BLANKS)), end]
    first, last = None, 0
    for token in _TOKEN.finditer(text):
        if token["space"] is None:
            if first is None:
                first = token.start()
            if token.group() != b";":
                last = token.end()
    return [first or 0, last]


def after_blanks(text, at):
    """Where what stands at `at` begins: behind white space and comments."""
    while (token := _TOKEN.match(text, at)) and token["space"] is not None:
        at = token.end()
    return at


def verb(text):
    """Its first word, and what it is about where one word does not tell: CREATE TABLE, SET NAMES, SHOW STATUS."""
    words = [w.group().upper() for w in _words(text, 12)]
    if not words:
        return "(none)"
    first, rest = words[0], words[1:]
    if first in _WITH_OBJECT:
        rest = [w for w in rest if w in _OBJECTS][:1]
    elif first in _WITH_ONE_OF:
        rest = [w for w in rest[:1] if w in _WITH_ONE_OF[first]]
    elif first == b"SHOW" and rest[:1] == [b"CREATE"]:
        rest = rest[:2]
    else:
        rest = rest[:1] if first in _WITH_NEXT else []
    return b" ".join([first, *rest]).decode()


def _words(text, count):
    for token in _TOKEN.finditer(text):
        if token["space"] is None and count and (word := _WORD.fullmatch(token.group())):
            count -= 1
            yield word
        elif not count:
            return
