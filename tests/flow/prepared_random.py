#!/usr/bin/python3
"""Random exchanges about prepared statements of two clients in turn, on connections of their own and through gilmok, where
somebody else moves them from one server connection to another between them: the same replies.

GILMOK_RANDOM_SCRIPTS says how many scripts (300), GILMOK_RANDOM_SEED where they begin."""

import os
import random

import pytest

import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, PRIMARY_PORT
from pgwire import FLUSH, SYNC, bind, close, describe, execute, parse, query

SCRIPTS = int(os.environ.get("GILMOK_RANDOM_SCRIPTS", "300"))
SEED = int(os.environ.get("GILMOK_RANDOM_SEED", "1"))
NAMES = ["", "", "a", "b"]
MONTH = "select extract(month from date '01/02/2026')::int"
TEXTS = ["select 1", "select 'two'", "select $1::text", MONTH, MONTH, "select 7, 'x'::text", "select current_setting('datestyle')", "selec",
         "select 1/0", "begin", "commit", "rollback", "set datestyle = 'ISO, DMY'", "set datestyle = 'ISO, MDY'",
         "set local datestyle = 'ISO, YMD'", "deallocate all", "", "execute a", "execute b", "prepare a as " + MONTH, "prepare b as select 8",
         "deallocate b", "discard all"]  # fmt: skip
QUERIES = ["select 1", MONTH, "begin", "begin", "commit", "commit", "rollback", "select 1/0", "set datestyle = 'ISO, DMY'",
           "set datestyle = 'ISO, MDY'", "set local datestyle = 'ISO, YMD'", "deallocate all", "deallocate a", "deallocate b",
           "show datestyle", "select 3; select 4", "prepare a as select 9", "prepare b as " + MONTH, "execute a", "execute b", "execute b",
           "deallocate a; prepare a as select 10; execute a", "prepare b as select 11; select 1/0", "begin; execute b", "discard all"]  # fmt: skip


def group(dice):
    """(what it is, its bytes): a simple query, or messages up to a Sync."""
    if dice.random() < 0.3:
        text = dice.choice(QUERIES)
        return [f"query {text}"], query(text)
    words, out = [], b""
    for _ in range(dice.randrange(1, 5)):
        name, kind = dice.choice(NAMES), dice.choice("PPPPBBBBBBBBDDCCOXF")
        text = dice.choice(TEXTS)
        if kind == "P":
            words.append(f"parse {name!r} {text}")
            out += parse(text, name)
        elif kind == "B":
            words.append(f"use {name!r}")
            values = [b"v"] if dice.random() < 0.2 else []
            out += bind(values, name=name) + (describe("P") if dice.random() < 0.3 else b"") + execute()
        elif kind == "D":
            words.append(f"describe {name!r}")
            out += describe("S", name)
        elif kind == "C":
            words.append(f"close {name!r}")
            out += close("S", name)
        elif kind == "O":
            words.append(f"portal of {name!r}")
            out += bind(name=name, portal="p") + execute("p", rows=1)
        elif kind == "X":
            words.append("portal again")
            out += execute("p")
        else:
            words.append("flush")
            out += FLUSH
    return words + ["sync"], out + SYNC


def exchange(dice):
    groups = [group(dice) for _ in range(dice.choice((1, 1, 1, 2, 3)))]
    return [w for g in groups for w in g[0]], b"".join(g[1] for g in groups), len(groups)


class Script:
    """Turns: (client 0 or 1, whether it is moved before, words, bytes, groups)."""

    def __init__(self, seed):
        dice = random.Random(seed)
        self.turns = [(dice.randrange(2), dice.random() < 0.5, *exchange(dice)) for _ in range(dice.randrange(4, 20))]

    def __str__(self):
        return "\n".join(f"  {n}: client {who}{', moved' if moved else ''}: {words}" for n, (who, moved, words, _, _) in enumerate(self.turns))


def raw(port):
    return pgwire.Client(port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, timeout=10).login()


def ask(c, data, groups):
    """The replies."""
    c.send(data)
    got = []
    while groups:
        kind, body = c.read()
        if kind == "Z":
            groups -= 1
        if kind == "E":
            fields = pgwire.error_fields(body)
            body = fields["C"].encode()
        if kind not in "SN":
            got.append((kind, body))
    return got


class Mover:
    """Somebody who holds one of three connections, or none; by statements that leave the unnamed one alone."""

    def __init__(self, port):
        self.c, self.holds = raw(port), False
        ask(self.c, parse("begin", "begin") + parse("commit", "commit") + SYNC, 1)

    def turn(self):
        ask(self.c, bind(name="commit" if self.holds else "begin") + execute() + SYNC, 1)
        self.holds = not self.holds


# What may differ: refused where nobody knows the settings; an unnamed statement that is known on one connection only; in a failed
# transaction, a statement that is not on the connection. DISCARD ALL in the middle of a group in which gilmok has asked for settings.
MAY_BE = {("E", b"0A000"), ("E", b"26000"), ("E", b"25P02"), ("E", b"25001")}


# Of two errors the server may find the other one first: a name that is taken, a failed transaction.
OTHER_ERRORS = {("E", b"42P05"), ("E", b"25P02")}


def differs(expected, got):
    """None, or the first difference that is not allowed. After one that is, the rest means nothing."""
    for i, (a, b) in enumerate(zip(expected, got)):
        if a != b and not (a[0] == "E" and b in OTHER_ERRORS):
            # Of an EXECUTE: of what it named when it was parsed, or names now.
            is_other_description = {a[0], b[0]} == {"n", "T"} or (a == ("E", b"26000") and b[0] == "n")
            return None if b in MAY_BE or is_other_description else (i, a, b)
    return None if len(expected) == len(got) else ("length", len(expected), len(got))


def run_script(script, direct_port, port):
    """(what was wrong or None, was it compared to its end)"""
    alone, shared, mover = [raw(direct_port), raw(direct_port)], [raw(port), raw(port)], Mover(port)
    try:
        for n, (who, moved, words, data, groups) in enumerate(script.turns):
            if moved:
                mover.turn()
            try:
                expected = ask(alone[who], data, groups)
            except pgwire.Closed:  # the server gives up at an EXECUTE of a ROLLBACK whose portal it ends
                return None, False
            got = ask(shared[who], data, groups)
            wrong = differs(expected, got)
            if wrong:
                return f"turn {n} of client {who}, {words}: {wrong}\n  wanted {expected}\n  got    {got}", True
            if expected != got:
                return None, False
        return None, True
    finally:
        for each in (*alone, *shared, mover.c):
            each.end()


@pytest.mark.parametrize("how", [{}, {"main": ["workers = 2"], "pool_size": 8}, {"database": ["max_prepared_statements = 1"]}], ids=["three", "workers", "one kept"])
def test_random_scripts(start, how):
    g = start(**{"pool_size": 3, **how})
    finished = 0
    for seed in range(SEED, SEED + SCRIPTS):
        script = Script(seed)
        wrong, is_whole = run_script(script, PRIMARY_PORT, g.port)
        assert not wrong, f"seed {seed}: {wrong}\n{script}"
        finished += is_whole
    print(f"RANDOM {finished} of {SCRIPTS} scripts compared to their end")
    assert finished > 0.7 * SCRIPTS
