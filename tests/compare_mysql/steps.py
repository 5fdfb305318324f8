#!/usr/bin/python3
"""What a script is made of, the bytes of its commands, and how it is written down and read again.

A step is one command of one client, a tuple that begins with a word. A step that is `together` is sent, and its answer is read when
the next step's has been sent, too: that is another client's.

    ("query", sql)                       COM_QUERY
    ("schema", name) ("fields", table, pattern) ("ping",) ("statistics",) ("reset",) ("option", number)
    ("user", name, password, schema)     COM_CHANGE_USER
    ("prepare", name, sql)               COM_STMT_PREPARE; the server's number for it is known by this name from then on
    ("execute", name, cursor, types)     COM_STMT_EXECUTE; `types`: pairs (type, value), of types TYPES, or None for NULL
    ("again", name, cursor, types)       the same without telling the types once more
    ("long", name, number, text) ("fetch", name, rows) ("restart", name) ("close", name)
    ("leave",)                           the client leaves, and another one logs in in its place

In texts and names {a} and {b} are the side's two schemas, and {login} the name by which clients log in to the first."""

import ast
import struct

from mywire import FIELD_LIST, INIT_DB, PING, QUERY, RESET_CONNECTION, SET_OPTION, STATISTICS, STMT_CLOSE, STMT_EXECUTE, STMT_FETCH
from mywire import STMT_LONG_DATA, STMT_PREPARE, STMT_RESET

UNKNOWN = struct.pack("<I", 77777)  # no statement's number
LAST = struct.pack("<I", 0xFFFFFFFF)  # MariaDB's for the statement that was prepared last
TYPES = {"tiny": 1, "int": 3, "double": 5, "null": 6, "bigint": 8, "text": 253, "blob": 252}
PACKING = {"tiny": "<b", "int": "<i", "double": "<d", "bigint": "<q"}


def _value(kind, value):
    if kind in PACKING:
        return struct.pack(PACKING[kind], value)
    return bytes([len(value.encode())]) + value.encode() if kind != "null" else b""


def _execute(number, cursor, values, tells_types):
    body = STMT_EXECUTE + number + bytes([cursor]) + struct.pack("<I", 1)
    if not values:
        return body
    bits = sum(1 << i for i, v in enumerate(values) if v is None)
    body += bits.to_bytes((len(values) + 7) // 8, "little") + bytes([tells_types])
    if tells_types:
        body += b"".join(struct.pack("<H", TYPES[v[0]] if v else TYPES["null"]) for v in values)
    return body + b"".join(_value(*v) for v in values if v and v[1] != LATER)


LATER = "(long data)"  # the value of a parameter that has come by COM_STMT_LONG_DATA


def encoded(command, names, numbers):
    """The payload of a command; `names`: what stands for {a} and its kin; `numbers`: of this client's statements."""

    def named(text):
        for word, name in names.items():
            text = text.replace("{" + word + "}", name)
        return text.encode()

    word, *rest = command
    number = (LAST if rest[0] == "last" else numbers.get(rest[0], UNKNOWN)) if rest else UNKNOWN
    match word:
        case "query":
            return QUERY + named(rest[0])
        case "schema":
            return INIT_DB + named(rest[0])
        case "fields":
            return FIELD_LIST + named(rest[0]) + b"\0" + rest[1].encode()
        case "ping" | "statistics" | "reset":
            return {"ping": PING, "statistics": STATISTICS, "reset": RESET_CONNECTION}[word]
        case "option":
            return SET_OPTION + struct.pack("<H", rest[0])
        case "prepare":
            return STMT_PREPARE + named(rest[1])
        case "execute" | "again":
            return _execute(number, rest[1], rest[2], word == "execute")
        case "long":
            return STMT_LONG_DATA + number + struct.pack("<H", rest[1]) + rest[2].encode()
        case "fetch":
            return STMT_FETCH + number + struct.pack("<I", rest[1])
        case "restart":
            return STMT_RESET + number
        case "close":
            return STMT_CLOSE + number
    raise ValueError(command)


class Step:
    __slots__ = ("client", "command", "kinds", "together")

    def __init__(self, client, command, kinds=(), together=False):
        self.client, self.command, self.kinds, self.together = client, command, frozenset(kinds), together

    def __str__(self):
        return f"{self.client}{'&' if self.together else ''} {' '.join(sorted(self.kinds)) or '-'} {self.command!r}"


class Script:
    """clients: pairs of a kind of mywire.KINDS and a collation. pool: the size of gilmok's pool."""

    def __init__(self, pool, clients, steps, seed=None):
        self.pool, self.clients, self.steps, self.seed = pool, clients, steps, seed

    def kinds(self):
        return frozenset().union(*(s.kinds for s in self.steps))

    def with_steps(self, steps):
        return Script(self.pool, self.clients, steps, self.seed)

    def __str__(self):
        return "\n".join([f"pool {self.pool}", *(f"client {c!r}" for c in self.clients), *map(str, self.steps)])


def joined(scripts):
    """One script of several: the clients of each leave before the next one's come."""
    last = scripts[-1]
    clients = [next(s.clients[i] for s in reversed(scripts) if i < len(s.clients)) for i in range(max(len(s.clients) for s in scripts))]
    steps = []
    for s in scripts:
        if steps:
            steps += [Step(i, ("leave",), ("leave",)) for i in range(len(clients))]
        steps += s.steps
    return Script(last.pool, clients, steps, last.seed)


def read_script(text):
    """The script that str() wrote down."""
    pool, clients, steps = 2, [], []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "pool":
            pool = int(rest)
        elif word == "client":
            clients.append(ast.literal_eval(rest))
        elif word:
            kinds, command = rest[: rest.index("(")].split(), ast.literal_eval(rest[rest.index("(") :])
            steps.append(Step(int(word.rstrip("&")), command, [k for k in kinds if k != "-"], word.endswith("&")))
    return Script(pool, clients, steps)
