#!/usr/bin/python3
"""What a script is made of, its bytes, which replies are owed for it, and how it is written down and read again.

A step is what one client sends at once: a list of items, tuples that begin with a letter.

    ("Q", sql)                        Query
    ("P", name, sql)                  Parse
    ("B", portal, name, values)       Bind; values are texts or None; ("B", portal, name, values, 1) asks for binary results
    ("D", "S" or "P", name)           Describe
    ("E", portal, rows)               Execute
    ("C", "S" or "P", name)           Close
    ("S",) ("H",)                     Sync, Flush
    ("d", text) ("c",) ("f", text)    COPY: data, done, failed
    ("F", oid, arguments)             FunctionCall
    ("X",)                            the client leaves, and another one logs in in its place; alone in its step
    ("M",)                            not a client: somebody takes a connection of the pool, or gives it back"""

import ast
import struct

import pgwire

MOVER = -1  # the client number of steps ("M",)


def _bind(portal, name, values, binary=0):
    body = pgwire.cstr(portal) + pgwire.cstr(name) + struct.pack(">HH", 0, len(values))
    for v in values:
        body += struct.pack(">i", -1) if v is None else struct.pack(">I", len(v.encode())) + v.encode()
    return pgwire.message("B", body + (struct.pack(">HH", 1, 1) if binary else struct.pack(">H", 0)))


def _call(oid, arguments):
    body = struct.pack(">IHH", oid, 0, len(arguments))
    body += b"".join(struct.pack(">I", len(a.encode())) + a.encode() for a in arguments)
    return pgwire.message("F", body + struct.pack(">H", 0))


ENCODERS = {
    "Q": pgwire.query,
    "P": lambda name, sql: pgwire.parse(sql, name),
    "B": _bind,
    "D": pgwire.describe,
    "E": pgwire.execute,
    "C": pgwire.close,
    "S": lambda: pgwire.SYNC,
    "H": lambda: pgwire.FLUSH,
    "d": lambda text: pgwire.message("d", text.encode()),
    "c": lambda: pgwire.message("c"),
    "f": lambda text: pgwire.message("f", pgwire.cstr(text)),
    "F": _call,
}
# What answers an item, as Player.replies() reads it: Q up to ReadyForQuery, Z it. COPY data, Flush and CopyDone have no answer of their own.
OWED = {"Q": "Q", "F": "Q", "P": "1", "B": "2", "C": "3", "E": "E", "S": "Z"}


class Step:
    __slots__ = ("client", "items", "kinds")

    def __init__(self, client, items, kinds=()):
        self.client, self.items, self.kinds = client, items, frozenset(kinds)

    def data(self):
        return b"".join(ENCODERS[i[0]](*i[1:]) for i in self.items)

    def owed(self):
        return ["DS" if i[:2] == ("D", "S") else "DP" if i[0] == "D" else OWED[i[0]] for i in self.items if i[0] in OWED or i[0] == "D"]

    def __str__(self):
        return f"{self.client} {' '.join(sorted(self.kinds)) or '-'} {self.items!r}"


class Script:
    """clients: the startup parameters of each, the item `user` among them. pool: the size of gilmok's pool."""

    def __init__(self, pool, clients, steps, seed=None):
        self.pool, self.clients, self.steps, self.seed = pool, clients, steps, seed
        self.changes_tables = self.leaves_traces = True
        self.needs_sequences = "sequence" in self.kinds()

    def database(self):
        """Its name at gilmok: with pins for those who ask sequences later for what they said."""
        return f"sequences{self.pool}" if self.needs_sequences else f"pool{self.pool}"

    def kinds(self):
        return frozenset().union(*(s.kinds for s in self.steps))

    def with_steps(self, steps):
        return Script(self.pool, self.clients, steps, self.seed)

    def __str__(self):
        return "\n".join([f"pool {self.pool}", *(f"client {c!r}" for c in self.clients), *map(str, self.steps)])


def joined(scripts):
    """One script of several: the clients of each leave before the next one's come. Startup parameters are those of the last."""
    last = scripts[-1]
    clients = [next(s.clients[i] for s in reversed(scripts) if i < len(s.clients)) for i in range(max(len(s.clients) for s in scripts))]
    steps = []
    for s in scripts:
        if steps:
            steps += [Step(i, [("X",)], ("leave",)) for i in range(len(clients))]
        steps += s.steps
    return Script(last.pool, clients, steps, last.seed)


def read_script(text):
    """The script that str() wrote down."""
    pool, clients, steps = 1, [], []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "pool":
            pool = int(rest)
        elif word == "client":
            clients.append(ast.literal_eval(rest))
        elif word:
            kinds, items = rest[: rest.index("[")].split(), ast.literal_eval(rest[rest.index("[") :])
            steps.append(Step(int(word), items, [k for k in kinds if k != "-"]))
    return Script(pool, clients, steps)
