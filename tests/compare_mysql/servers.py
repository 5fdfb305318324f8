#!/usr/bin/python3
"""What random scripts need of the server: schemas alike for both sides, and a gilmok with pools of several sizes before one of them.

The environment holds a sandbox's `env` (deploy/README.md), or a server of its own is started; GILMOK_BIN is the program."""

import functools
import os
import re

import mysqltools

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.getpid() % 100000  # in the names of schemas, so that runs do not meet
BEGINNING = len("cm12345d")
CLIENTS_MAX = 4
POOLS = range(1, CLIENTS_MAX + 2)
WAIT_S = 12.0  # for each answer; more than gilmok's queue_timeout
CHANGES_TABLE = re.compile(r"\b(?:create|alter|rename|drop|truncate)\b[^;]*\b(?:[tugnmvq]|\{a\}x|own)(\d)\b", re.I)
WRITES = re.compile(r"\b(insert|replace|update|delete)\b", re.I)
TABLE = re.compile(r"\b([tug])(\d)\b")
# Statistics that come when they come would make other plans, and by that other flags of columns, on one side.
GLOBALS = ("log_bin_trust_function_creators = 1", "innodb_lock_wait_timeout = 8", "lock_wait_timeout = 8", "innodb_stats_auto_recalc = 0")


class Side:
    """Where scripts are played. Names of both sides have the same lengths, so that lengths of packets agree."""

    def __init__(self, letter, process):
        self.schema, self.other = f"cm{RUN:05d}{letter}{process}", f"cm{RUN:05d}{letter}{process}b"
        self.neutral = f"cm{RUN:05d}d".encode()
        self.login = {pool: self.schema for pool in POOLS}

    def names(self, pool):
        """What {a} and its kin stand for in scripts."""
        return {"a": self.schema, "b": self.other, "login": self.login[pool]}

    def to_neutral(self):
        """Pairs: how the names begin, and begin in what both sides are compared by. Errors quote texts that they cut off."""
        return [(n[:BEGINNING].encode(), self.neutral) for n in sorted({self.schema, *self.login.values()})]


def sides(process):
    """(direct, shared): the shared one's schema has names of gilmok's own, one for each size of its pool."""
    direct, shared = Side("d", process), Side("s", process)
    shared.login = {pool: f"cm{RUN:05d}{'?pqrstu'[pool]}{process}" for pool in POOLS}
    return direct, shared


@functools.cache
def text_of(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return re.sub(r"^-- .*\n", "", f.read(), flags=re.M)


def texts(name, **names):
    text = text_of(name)
    for word, value in names.items():
        text = text.replace("{" + word + "}", str(value))
    return [t.strip() for t in text.split("\n\n") if t.strip()]


def refill(side, letter, i):
    """Statements that bring one table of client i back to what tables.sql makes of it; `letter` b: t of the other schema."""
    table = f"{side.other}.t{i}" if letter == "b" else f"{side.schema}.{letter}{i}"
    start = f"insert into {table} values"
    texts_of_i = texts("tables.sql", a=side.schema, b=side.other, i=i)
    return [f"truncate {table}" if letter != "u" else f"delete from {table}", *(t for t in texts_of_i if t.startswith(start))]


def changed_by(script):
    """(clients, some of whose tables it may have made other tables of; pairs (letter, client): tables it may have written to)."""
    remade, refilled, meets_other = set(), set(), any("{b}" in str(s.command) for s in script.steps)
    for step in script.steps:
        text = str(step.command)
        remade |= {int(i) for i in CHANGES_TABLE.findall(text)}
        if WRITES.search(text):
            found = {(letter, int(i)) for letter, i in TABLE.findall(text)}
            refilled |= found | ({("b", i) for letter, i in found if letter == "t"} if meets_other else set())
    return remade, refilled


def run_all(connection, statements):
    for sql in statements:
        if sql.startswith("create or replace "):
            mysqltools.remake(connection, sql.removeprefix("create or replace "))
        else:
            mysqltools.rows(connection, sql)


def prepare(maria):
    """Once for all processes: a user who may do everything in all the schemas; what earlier runs have left is dropped."""
    with maria.superuser(database=None) as root:
        run_all(root, [f"set global {each}" for each in GLOBALS])
        run_all(root, [f"grant all on `cm%`.* to {maria.user}@'{host}'" for host in ("127.0.0.1", "localhost")])
        for (name,) in mysqltools.rows(root, "show databases like 'cm_______%'"):
            if re.fullmatch(r"cm\d{5}[ds]\d+(b|x\d)?", name):
                pid = int(name[2:7])
                if pid == RUN or not os.path.exists(f"/proc/{pid}"):
                    run_all(root, [f"drop database {name}"])


def make_schemas(maria, side):
    with maria.superuser(database=None) as root:
        run_all(root, map(maria.in_its_words, texts("setup.sql", a=side.schema, b=side.other)))


def drop_schemas(maria, side):
    with maria.superuser(database=None) as root:
        run_all(root, [f"drop database if exists {name}" for name in (side.schema, side.other)])


def start_gilmok(maria, side, mode, more=()):
    keys = [f"pool_mode = {mode}", "queue_timeout = 8s", "server_round_robin = on", *more]
    tail = "\n".join(
        "\n".join([f"[database {side.login[n]}]", "cluster = main", f"server_database = {side.schema}", f"pool_size = {n}", *keys, ""])
        for n in POOLS
    )
    return mysqltools.Gilmok(maria, main=["workers = 1"], tail=tail)
