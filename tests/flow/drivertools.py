#!/usr/bin/python3
"""Programs of queries and DDL, run by several clients of a driver at once and the same by each on a connection of its own.

A driver is an object with `name`, `warm` (how often a query is repeated before the driver prepares it),
open(port) -> a client with query(sql, *args), begin(), commit(), rollback(), has_failed(), heal() (prepare anew what is outdated, as its users do), close().
A query's parameters are $1, $2 ...; query() gives (column names, rows of text or None), or raises Failed.
"""

import random
import re
import threading
import time

import flowtools

CHANGED = "cached plan must not change result type"


class Failed(Exception):
    def __init__(self, sqlstate, message):
        self.sqlstate, self.message = sqlstate or "driver", message
        super().__init__(f"{self.sqlstate} {message}")


def text(value):
    return None if value is None else str(value)


# ---- programs ----
#
# Steps: a text is DDL by another connection; Q is done by every client; T is a transaction that one client after the other
# runs to its end, with Q, DDL and "begin"-like steps in it. {t} is the program's own table, {c} the client's number.


class Q:
    """A query, `times` times; "warm": as often as the driver needs to prepare it, and twice more."""

    def __init__(self, sql, *args, times=2):
        self.sql, self.args, self.times = sql, args, times


class T:
    def __init__(self, *steps, end="rollback"):
        self.steps, self.end = steps, end


def warm(sql, *args):
    return Q(sql, *args, times="warm")


ALL = ("select * from {t} where id <= $1 order by id", 3)
NAMED = ("select id, name from {t} where id <= $1 order by id", 3)
VALUE = ("select v from {t} where id = $1", 2)
NUMBER = ("select v + $1 as sum from {t} where id = 2", 5)
RETURNED = ("update {t} set name = name where id = $1 returning *", 1)

PROGRAMS = {
    "add column": [warm(*ALL), warm(*NAMED), "alter table {t} add extra int default 9", Q(*ALL, times=3), Q(*NAMED)],
    "drop column": [
        warm(*ALL), warm(*NAMED), "alter table {t} drop name", Q(*ALL), Q(*NAMED),
        "alter table {t} add name text default 'new'", Q(*NAMED), Q(*ALL),
    ],
    "there and back": [
        warm(*ALL), "alter table {t} add extra int", Q(*ALL), "alter table {t} drop extra", Q(*ALL),
        "alter table {t} add extra text", Q(*ALL), "alter table {t} drop extra", Q(*ALL),
    ],
    "there and back unseen": [warm(*ALL), "alter table {t} add extra int", "alter table {t} drop extra", Q(*ALL)],
    "int becomes text": [
        warm(*VALUE), warm(*ALL), "alter table {t} alter v type text", Q(*VALUE), Q(*ALL),
        "alter table {t} alter v type int using v::int", Q(*VALUE), Q(*ALL),
    ],
    "int becomes bigint": [warm(*VALUE), warm(*NUMBER), "alter table {t} alter v type bigint", Q(*VALUE), Q(*NUMBER)],
    "int becomes numeric": [warm(*VALUE), "alter table {t} alter v type numeric(6, 2)", Q(*VALUE), "alter table {t} alter v type numeric(9, 3)", Q(*VALUE)],
    "varchar grows": [
        "alter table {t} alter name type varchar(10)", warm(*NAMED), "alter table {t} alter name type varchar(40)", Q(*NAMED),
    ],
    "made anew alike": [
        warm(*ALL), warm(*NAMED), "drop table {t}; create table {t} (id int, name text, v int); insert into {t} values (1, 'other', -1)",
        Q(*ALL), Q(*NAMED),
    ],
    "made anew otherwise": [
        warm(*ALL), warm(*NAMED), "drop table {t}; create table {t} (id int, v text, name text); insert into {t} values (1, 'x', 'y')",
        Q(*ALL), Q(*NAMED), Q(*VALUE),
    ],
    "gone for a while": [
        warm(*ALL), warm(*NAMED), "alter table {t} rename to {t}_elsewhere", Q(*ALL), Q(*NAMED),
        "alter table {t}_elsewhere rename to {t}", Q(*ALL), Q(*NAMED),
    ],
    "exchanged": [
        warm(*NAMED), warm(*ALL), "create table {t}_2 (id int, name text, v int); insert into {t}_2 values (1, 'second', 22)",
        "begin; alter table {t} rename to {t}_old; alter table {t}_2 rename to {t}; commit", Q(*NAMED), Q(*ALL),
    ],
    "renamed column": [warm(*ALL), warm(*NAMED), "alter table {t} rename name to title", Q(*ALL), Q(*NAMED), "alter table {t} rename title to name", Q(*NAMED)],
    "indexes and what changes nothing": [
        warm(*ALL), warm(*RETURNED), "create index {t}_i on {t} (id)", Q(*ALL), "analyze {t}", Q(*ALL), "drop index {t}_i",
        "alter table {t} alter name set default 'x', alter id set not null, set (fillfactor = 90)", Q(*ALL), Q(*RETURNED),
        "truncate {t}", Q(*ALL),
    ],
    "returning": [warm(*RETURNED), "alter table {t} add extra int default 4", Q(*RETURNED, times=3)],
    "insert": [
        warm("insert into {t} values ($1, $2)", 7, "seven"), "alter table {t} alter name type varchar(30)",
        Q("insert into {t} values ($1, $2)", 8, "eight"), "alter table {t} add extra int", Q("insert into {t} values ($1, $2)", 9, "nine"),
        "alter table {t} drop name", Q("insert into {t} values ($1, $2)", 10, "ten"), Q("select id, count(*) from {t} group by id order by id"),
    ],
    "view": [
        "create view {t}_v as select id, name from {t}", warm("select * from {t}_v where id = $1", 2),
        "create or replace view {t}_v as select id, name, v from {t}", Q("select * from {t}_v where id = $1", 2),
        "drop view {t}_v; create view {t}_v as select id, v as name from {t}", Q("select * from {t}_v where id = $1", 2),
    ],
    "function": [
        "create function {t}_f(int) returns table (n int) language sql as 'select $1 + 1'", warm("select * from {t}_f($1)", 4),
        "create or replace function {t}_f(int) returns table (n int) language sql as 'select $1 + 2'", Q("select * from {t}_f($1)", 4),
        "drop function {t}_f(int); create function {t}_f(int) returns table (n text) language sql as 'select ''was '' || $1'",
        Q("select * from {t}_f($1)", 4),
    ],
    "enum made anew": [
        "create type {t}_e as enum ('a', 'b'); alter table {t} add e {t}_e default 'a'", warm("select id, e from {t} where id = $1", 1),
        "alter type {t}_e add value 'c'", Q("select id, e from {t} where id = $1", 1),
        "alter table {t} drop e; drop type {t}_e; create type {t}_e as enum ('x', 'y'); alter table {t} add e {t}_e default 'y'",
        Q("select id, e from {t} where id = $1", 1),
    ],
    "row type": [warm("select {t}::text as r, id from {t} where id = $1", 1), "alter table {t} add extra int", Q("select {t}::text as r, id from {t} where id = $1", 1)],
    "rights": [
        warm(*ALL), "alter table {t} owner to postgres", Q(*ALL), "grant select on {t} to {user}", Q(*ALL), "alter table {t} owner to {user}", Q(*ALL),
    ],
    "in a transaction": [
        warm(*ALL), warm(*NAMED), T(Q("select 1 as one", times=1), "alter table {t} add e{c} int", Q(*ALL, times=2)), Q(*NAMED), Q(*ALL, times=3),
    ],
    "in a transaction that commits": [
        warm(*ALL), warm(*NAMED), "alter table {t} add extra int default 1",
        T(Q(*NAMED), Q("update {t} set v = v + 1 where id = $1", 1, times=1), Q(*NAMED), end="commit"), Q(*VALUE), Q(*ALL),
    ],
    "savepoints": [
        warm(*ALL), warm(*NAMED), "alter table {t} add extra int",
        T(Q(*NAMED), Q("savepoint sp", times=1), Q(*ALL, times=1), Q("rollback to savepoint sp", times=1), Q(*NAMED), end="commit"), Q(*ALL),
    ],
    "search_path of a transaction": [
        "create schema {t}_s; create table {t}_s.{t} (id int, name text, v int); insert into {t}_s.{t} values (1, 'elsewhere', 0);"
        "grant all on schema {t}_s to {user}; grant all on all tables in schema {t}_s to {user}",
        warm(*NAMED), T(Q("set local search_path to {t}_s", times=1), Q(*NAMED), end="commit"), Q(*NAMED),
        "alter table {t}_s.{t} alter name type varchar(20)", T(Q("set local search_path to {t}_s", times=1), Q(*NAMED)), Q(*NAMED),
    ],
    # A parameter keeps the type that it was given when the statement was prepared, whatever its column becomes.
    "parameter of a column that grows": [warm("select name from {t} where v = $1", 20), "alter table {t} alter v type bigint", Q("select name from {t} where v = $1", 20)],
    "parameter of an insert": [
        warm("insert into {t} (id, v) values (4, $1)", 40), "alter table {t} alter v type bigint", Q("insert into {t} (id, v) values (4, $1)", 40),
        "alter table {t} alter v type text", Q("insert into {t} (id, v) values (4, $1)", 40), Q("select v, count(*) from {t} group by v order by v"),
    ],
}  # fmt: skip


def fresh_table(su, t):
    su.execute(f"drop schema if exists {t}_s cascade; drop table if exists {t}, {t}_2, {t}_old, {t}_elsewhere cascade")
    su.execute(f"drop function if exists {t}_f(int); drop type if exists {t}_e cascade")
    su.execute(f"create table {t} (id int, name text, v int)")
    su.execute(f"insert into {t} select i, 'row ' || i, i * 10 from generate_series(1, 3) i")
    su.execute(f"alter table {t} owner to {flowtools.APP_USER}")


class Neighbour:
    """One more client, of the same driver (gilmok prefers connections whose settings are the client's). It holds the
    connection that would be given next, now and then, so that the others move between connections."""

    def __init__(self, client, dice):
        self.client, self.dice, self.holds = client, dice, False

    def shuffle(self, chance=0.4):
        if self.dice.random() >= chance:
            return
        if self.holds:
            self.client.rollback()
        else:
            self.client.begin()
            self.client.query("select 1")
        self.holds = not self.holds

    def release(self):
        if self.holds:
            self.shuffle(1)

    def close(self):
        self.client.close()


class Clients:
    """Some clients of a driver at one port, for many programs; `transcript` is what each of them saw."""

    def __init__(self, driver, port, count, has_neighbour, seed=1):
        self.driver, self.port, self.dice = driver, port, random.Random(seed)
        self.clients = [driver.open(port) for _ in range(count)]
        self.neighbour = Neighbour(driver.open(port), self.dice) if has_neighbour else None

    def close(self):
        for c in self.clients:
            c.close()
        if self.neighbour:
            self.neighbour.close()

    def run(self, name, table):
        """What each client saw: a list of (query, outcome) for each of them."""
        with flowtools.superuser() as su:
            fresh_table(su, table)
            self.su, self.table, self.order = su, table, random.Random(name)  # the same order alone and through gilmok
            self.seen = [[] for _ in self.clients]
            for step in PROGRAMS[name]:
                self.step(step)
            if self.neighbour:
                self.neighbour.release()
            return self.seen

    def fill(self, sql, client="all"):
        return sql.replace("{t}", self.table).replace("{user}", flowtools.APP_USER).replace("{c}", str(client))

    def ddl(self, sql, client="all"):
        sql = self.fill(sql, client)
        self.su.execute(sql)
        if "create" in sql and "schema" not in sql:  # what is made anew belongs to the clients' user, too
            for kind, made in re.findall(r"create (table|view|type) (\w+)", sql):
                self.su.execute(f"alter {kind} {made} owner to {flowtools.APP_USER}")

    def step(self, step):
        if isinstance(step, str):
            self.ddl(step)
            return
        order = list(range(len(self.clients)))
        self.order.shuffle(order)
        for i in order:
            if isinstance(step, T):
                self.shuffle()
                self.transaction(i, step)
            else:
                self.queries(i, step, self.shuffle)

    def shuffle(self):
        if self.neighbour:
            self.neighbour.shuffle()

    def transaction(self, i, step):
        self.clients[i].begin()
        for inner in step.steps:
            if isinstance(inner, str):
                self.ddl(inner, i)
            else:
                self.queries(i, inner, lambda: None)
        self.outcome(i, step.end, getattr(self.clients[i], step.end))

    def queries(self, i, step, between):
        # The first two share their statements, the others have some of their own.
        sql = self.fill(step.sql, i) + (f" /* {i} */" if i > 1 else "")
        for _ in range(self.driver.warm + 2 if step.times == "warm" else step.times):
            between()
            self.outcome(i, sql, lambda: self.clients[i].query(sql, *step.args))

    def outcome(self, i, what, work):
        try:
            got = work()
        except Failed as e:
            got = str(e)
        self.seen[i].append((what, got))


def compare(direct, through):
    """The first place, of each client, where it saw something else than it would alone: (client, query, alone, through)."""
    found = []
    for client, (a, b) in enumerate(zip(direct, through)):
        for (what, x), (_, y) in zip(a, b):
            if x != y:
                found.append((client, what, x, y))
                break
    return found


def lines(found):
    return "\n".join(f"client {c}, {what}: alone {x}, through gilmok {y}" for c, what, x, y in found)


# ---- the race: no order at all ----

# The errors that a statement may meet whose table changes under it, on a connection of one's own.
ALLOWED = {"42703", "42P01", "40P01"}


def is_allowed(e):
    return e.sqlstate in ALLOWED or (e.sqlstate == "0A000" and CHANGED in e.message) or is_client_side(e)


def is_client_side(e):
    """What asyncpg makes of 0A000 in a transaction, and of a parameter whose type has changed."""
    return "cached statement plan is invalid" in e.message


SHAPES = [
    "alter table race add c int default 3",
    "alter table race drop c",
    "alter table race alter v type text",
    "alter table race alter v type int using v::int",
    "alter table race alter v type bigint",
    "alter table race alter v type int",
    "create index race_i on race (id)",
    "drop index race_i",
    "begin; drop table race; create table race (b text, id int, v int, a int); insert into race select 'b' || i, i, i * 7, i * 10"
    " from generate_series(1, 5) i; alter table race owner to {user}; commit",
    "begin; drop table race; create table race (id int, a int, b text, v int); insert into race select i, i * 10, 'b' || i, i * 7"
    " from generate_series(1, 5) i; alter table race owner to {user}; commit",
]
QUESTIONS = [
    "select * from race where id = $1",
    "select id, v from race where id = $1",
    "select v, b, a, id from race where id = $1",
    "select id, c from race where id = $1",
    "update race set a = a where id = $1 returning *",
    "select id, a from race where id = $1",
]


def is_right(i, columns, rows):
    expected = {"id": str(i), "a": str(i * 10), "b": f"b{i}", "c": "3", "v": str(i * 7)}
    return len(rows) == 1 and len(rows[0]) == len(columns) and all(expected[c] == x for c, x in zip(columns, rows[0]))


def race(driver, port, clients=8, seconds=2.0, heal=None):
    """Clients ask while the table changes. (outcome class -> how often, what was wrong)"""
    with flowtools.superuser() as su:
        su.execute("drop table if exists race; create table race (id int, a int, b text, v int)")
        su.execute("insert into race select i, i * 10, 'b' || i, i * 7 from generate_series(1, 5) i")
        su.execute(f"alter table race owner to {flowtools.APP_USER}")
    tally, wrong, over = {}, [], threading.Event()
    lock = threading.Lock()

    def note(outcome):
        with lock:
            tally[outcome] = tally.get(outcome, 0) + 1

    def ask(c, dice, i):
        sql = dice.choice(QUESTIONS)
        try:
            columns, rows = c.query(sql, i)
        except Failed as e:
            note(e.sqlstate)
            if not is_allowed(e):
                wrong.append(f"{sql}: {e}")
            return False
        if not is_right(i, columns, rows):
            wrong.append(f"{sql}: {i} gave {columns} {rows}")
        note("rows")
        return True

    def client(number):
        dice = random.Random(number)
        c = driver.open(port)
        for _ in range(10**6):
            if over.is_set():
                break
            if dice.random() < 0.15:
                c.begin()
                for _ in range(3):
                    if not ask(c, dice, dice.randint(1, 5)):
                        break
                getattr(c, dice.choice(["commit", "rollback"]) if not c.has_failed() else "rollback")()
            elif not ask(c, dice, dice.randint(1, 5)):
                c.heal()
        # When all is quiet again, who prepares anew gets rows.
        c.heal()
        columns, rows = c.query("select id, a, v from race where id = $1", 3)
        if not is_right(3, columns, rows):
            wrong.append(f"at the end: {columns} {rows}")
        c.close()

    def change():
        with flowtools.superuser() as su:
            dice, at, end = random.Random(7), 0, time.monotonic() + seconds
            while time.monotonic() < end or (tally.get("rows", 0) < 60 and time.monotonic() < end + 15):  # a slow start is no finding
                su.execute(SHAPES[at % len(SHAPES)].replace("{user}", flowtools.APP_USER))
                at += 1
                time.sleep(dice.random() * 0.02)
        over.set()

    flowtools.in_threads(clients + 1, lambda i: change() if i == clients else client(i))
    return tally, wrong
