#!/usr/bin/python3
"""Drivers with statement caches, in transaction mode and in pools smaller than they are many, while the tables change under
their statements: each client sees what it would see on a connection of its own."""

import asyncio
import os
import re

import psycopg
import pytest

import drivertools
import flowtools
import pgwire
from drivertools import PROGRAMS, Clients, Failed, compare, lines, text
from pgwire import SYNC, bind, describe, execute, parse

asyncpg = pytest.importorskip("asyncpg")
sqlalchemy = pytest.importorskip("sqlalchemy")

CLIENTS = 3


class Psycopg:

    def __init__(self, threshold):
        self.name, self.threshold = f"psycopg-{threshold}", threshold
        self.warm = threshold

    def open(self, port):
        return PsycopgClient(port, self.threshold)


class PsycopgClient:
    def __init__(self, port, threshold):
        self.c = psycopg.connect(
            host="127.0.0.1", port=port, user=flowtools.APP_USER, password=flowtools.APP_PASSWORD, dbname=flowtools.APP_DB,
            autocommit=True, prepare_threshold=threshold, connect_timeout=15,
        )  # fmt: skip

    def query(self, sql, *args):
        return self.run(re.sub(r"\$\d", "%s", sql), args or None)

    def run(self, sql, args=None, **more):
        try:
            cur = self.c.execute(sql, args, **more)
            if cur.description is None:
                return [], []
            return [d.name for d in cur.description], [[text(v) for v in row] for row in cur.fetchall()]
        except psycopg.Error as e:
            raise Failed(e.sqlstate, str(e).partition("\n")[0]) from None

    def begin(self):
        self.run("begin")

    def commit(self):
        self.run("commit")

    def rollback(self):
        self.run("rollback")

    def has_failed(self):
        return self.c.info.transaction_status == psycopg.pq.TransactionStatus.INERROR

    def heal(self):
        """psycopg forgets its statements after a ROLLBACK."""
        self.run("begin")
        self.run("rollback")

    def close(self):
        self.c.close()


class Asyncpg:
    name, warm = "asyncpg", 1

    def open(self, port):
        return AsyncpgClient(port)


class AsyncpgClient:
    def __init__(self, port):
        self.loop = asyncio.new_event_loop()
        self.c = self.wait(asyncpg.connect(
            host="127.0.0.1", port=port, user=flowtools.APP_USER, password=flowtools.APP_PASSWORD, database=flowtools.APP_DB,
            timeout=15, command_timeout=15,
        ))  # fmt: skip
        self.transaction = None

    def wait(self, work):
        return self.loop.run_until_complete(work)

    def query(self, sql, *args):
        try:
            rows = self.wait(self.c.fetch(sql, *args))
        except asyncpg.PostgresError as e:
            raise Failed(e.sqlstate, f"{type(e).__name__} {e}") from None
        except asyncpg.InterfaceError as e:
            raise Failed("driver", f"{type(e).__name__} {e}") from None
        return list(rows[0].keys()) if rows else [], [[text(v) for v in row.values()] for row in rows]

    def begin(self):
        self.transaction = self.c.transaction()
        self.wait(self.transaction.start())

    def commit(self):
        self.end("commit")

    def rollback(self):
        self.end("rollback")

    def end(self, how):
        try:
            self.wait(getattr(self.transaction, how)())
        except asyncpg.PostgresError as e:
            raise Failed(e.sqlstate, str(e)) from None

    def has_failed(self):
        return False

    def heal(self):
        pass

    def close(self):
        self.wait(self.c.close())
        self.loop.close()


class SqlAlchemy:
    """Each query outside of a transaction takes a connection from the engine's pool and gives it back."""

    warm = 1

    def __init__(self, below):
        self.name, self.below = f"sqlalchemy-{below}", below

    def open(self, port):
        return (AsyncEngineClient if self.below == "asyncpg" else EngineClient)(self.below, port)


def url(below, port):
    return sqlalchemy.engine.URL.create(
        f"postgresql+{below}", flowtools.APP_USER, flowtools.APP_PASSWORD, "127.0.0.1", port, flowtools.APP_DB
    )


def sqlalchemy_text(sql):
    return sqlalchemy.text(re.sub(r"\$(\d)", r":p\1", sql.replace("::", r"\:\:")))


def parameters(args):
    return {f"p{i}": a for i, a in enumerate(args, 1)}


def of_result(result):
    if not result.returns_rows:
        return [], []
    return list(result.keys()), [[text(v) for v in row] for row in result.fetchall()]


def sqlalchemy_failure(e):
    origin = e.orig
    return Failed(getattr(origin, "pgcode", None) or getattr(origin, "sqlstate", None), str(origin).partition("\n")[0])


class EngineClient:
    def __init__(self, below, port):
        self.engine = sqlalchemy.create_engine(url(below, port), pool_size=1, max_overflow=0, pool_pre_ping=True)
        self.inside = None
        self.query("select 1")

    def query(self, sql, *args):
        try:
            if self.inside:
                return of_result(self.inside.execute(sqlalchemy_text(sql), parameters(args)))
            with self.engine.begin() as c:
                return of_result(c.execute(sqlalchemy_text(sql), parameters(args)))
        except sqlalchemy.exc.DBAPIError as e:
            raise sqlalchemy_failure(e) from None

    def begin(self):
        self.inside = self.engine.connect()
        self.transaction = self.inside.begin()

    def commit(self):
        self.end("commit")

    def rollback(self):
        self.end("rollback")

    def end(self, how):
        inside, self.inside = self.inside, None
        try:
            getattr(self.transaction, how)()
        except sqlalchemy.exc.DBAPIError as e:
            raise sqlalchemy_failure(e) from None
        finally:
            inside.close()

    def has_failed(self):
        return False

    def heal(self):
        pass

    def close(self):
        self.engine.dispose()


class AsyncEngineClient(EngineClient):
    """The same over asyncpg, whose statements SQLAlchemy keeps in a cache of its own."""

    def __init__(self, below, port):
        from sqlalchemy.ext.asyncio import create_async_engine

        self.loop = asyncio.new_event_loop()
        self.engine = create_async_engine(url(below, port), pool_size=1, max_overflow=0, pool_pre_ping=True)
        self.inside = None
        self.query("select 1")

    def wait(self, work):
        return self.loop.run_until_complete(work)

    def query(self, sql, *args):
        async def alone():
            async with self.engine.begin() as c:
                return of_result(await c.execute(sqlalchemy_text(sql), parameters(args)))

        async def in_transaction():
            return of_result(await self.inside.execute(sqlalchemy_text(sql), parameters(args)))

        try:
            return self.wait(in_transaction() if self.inside else alone())
        except sqlalchemy.exc.DBAPIError as e:
            raise sqlalchemy_failure(e) from None

    def begin(self):
        async def work():
            self.inside = await self.engine.connect()
            self.transaction = await self.inside.begin()

        self.wait(work())

    def end(self, how):
        inside, self.inside = self.inside, None
        try:
            self.wait(getattr(self.transaction, how)())
        except sqlalchemy.exc.DBAPIError as e:
            raise sqlalchemy_failure(e) from None
        finally:
            self.wait(inside.close())

    def close(self):
        self.wait(self.engine.dispose())
        self.loop.close()


DRIVERS = {d.name: d for d in (Psycopg(0), Psycopg(5), Asyncpg(), SqlAlchemy("psycopg2"), SqlAlchemy("asyncpg"))}
SELDOM = {"psycopg-5": 3, "sqlalchemy-psycopg2": 9, "sqlalchemy-asyncpg": 3}
GILMOKS = {"two": {"pool_size": 2}, "four of three workers": {"pool_size": 4, "main": ["workers = 3"]}}


@pytest.fixture(scope="module")
def gilmoks():
    with flowtools.superuser() as su:  # asyncpg's question about types is compiled otherwise, for half a second
        su.execute(f"alter role {flowtools.APP_USER} set jit_above_cost = -1")
    started = {name: flowtools.gilmok_before_primary(**how) for name, how in GILMOKS.items()}
    yield started
    for g in started.values():
        g.close()


@pytest.fixture(scope="module")
def clients(gilmoks):
    """clients(driver, where): logged in once, for all programs."""
    known = {}

    def get(driver, where):
        if (driver, where) not in known:
            g = gilmoks.get(where)
            known[driver, where] = Clients(DRIVERS[driver], g.port if g else flowtools.PRIMARY_PORT, CLIENTS, g is not None)
        return known[driver, where]

    yield get
    for c in known.values():
        c.close()


# An ordinary run takes its turn with the pools; tests/drivers tries everything.
EVERYTHING = bool(os.environ.get("GILMOK_DRIVERS_ALL"))
PAIRS = [(p, d) for i, p in enumerate(PROGRAMS) for d in DRIVERS if EVERYTHING or i % SELDOM.get(d, 1) == 0]


@pytest.mark.parametrize("program, driver", PAIRS)
def test_as_alone(clients, driver, program):
    turn = list(PROGRAMS).index(program)
    table = re.sub(r"\W", "_", f"ddl_{driver}_{turn}")
    direct = clients(driver, "direct").run(program, table)
    for where in GILMOKS if EVERYTHING else [list(GILMOKS)[turn % 2]]:
        found = compare(direct, clients(driver, where).run(program, table))
        assert not found, f"{where}:\n{lines(found)}"


@pytest.mark.parametrize("where", ["direct", *GILMOKS] if EVERYTHING else ["two"])
@pytest.mark.parametrize("driver", list(DRIVERS))
def test_race(gilmoks, driver, where):
    port = gilmoks[where].port if where in gilmoks else flowtools.PRIMARY_PORT
    tally, wrong = drivertools.race(DRIVERS[driver], port, clients=8 if EVERYTHING else 5, seconds=2 if EVERYTHING else 0.5)
    print("RACE", driver, where, tally)
    assert not wrong, "\n".join(wrong[:8])
    assert tally["rows"] > 20


# ---- faults, by bytes ----


@pytest.fixture
def outdated(start):
    """A table of the clients' user, and a gilmok whose second connection has prepared nothing yet."""
    with flowtools.superuser() as su:
        su.execute("drop table if exists outdated; create table outdated as select 1 as a, 'x'::text as b")
        su.execute(f"alter table outdated owner to {flowtools.APP_USER}")
        yield su, start(pool_size=2)
        su.execute("drop table outdated")


def raw(port):
    return pgwire.Client(port, user=flowtools.APP_USER, password=flowtools.APP_PASSWORD, database=flowtools.APP_DB).login()


def after_ddl(port, su, sql, ddl, values, moves):
    """What a statement says that was prepared and described before `ddl`; used then on a connection that does not know it."""
    c, other = raw(port), raw(port)
    c.send(parse(sql, "s") + describe("S", "s") + SYNC)
    c.collect()
    su.execute(ddl)
    if moves:
        other.query("begin")  # takes the connection that was used last
    c.send(bind(values, name="s") + execute() + SYNC)
    got = c.collect()
    other.end(), c.end()
    return got


def test_the_error_names_the_servers_function(outdated):
    """asyncpg (InvalidCachedStatementError) and pgjdbc (willHealOnRetry) go by the field R of 0A000, not by its text."""
    su, gilmok = outdated

    def fields(port, moves, column):
        ddl = f"alter table outdated add {column} int"
        error = after_ddl(port, su, "select * from outdated", ddl, [], moves).errors[0].fields
        return {k: error.get(k) for k in "SVCMR"}

    direct = fields(flowtools.PRIMARY_PORT, False, "c")
    assert direct["R"] == "RevalidateCachedQuery"
    assert fields(gilmok.port, False, "d") == direct
    assert fields(gilmok.port, True, "e") == direct


@pytest.mark.parametrize("sql", ["insert into outdated (a) values ($1)", "select b from outdated where a = $1"])
def test_a_parameter_keeps_its_type(outdated, sql):
    """The server chose int4 for $1 when it parsed the statement, and stays with it whatever becomes of the column."""
    su, gilmok = outdated

    def outcome(port, moves):
        su.execute("alter table outdated alter a type int")
        got = after_ddl(port, su, sql, "alter table outdated alter a type bigint", [b"1"], moves)
        return got.tags, [str(e) for e in got.errors]

    direct = outcome(flowtools.PRIMARY_PORT, False)
    assert direct[1] == []
    assert outcome(gilmok.port, False)[1] == []
    assert outcome(gilmok.port, True)[1] == []


def test_a_failed_preparation_gives_the_connection_back(start):
    """How pgx (describe_exec) and lib/pq ask about a statement; theirs is an error, and then they are idle for long."""
    gilmok = start(pool_size=1)
    one, other = raw(gilmok.port), raw(gilmok.port)
    one.send(parse("select no_such_column from pg_class where relname = $1") + describe("S") + SYNC)
    got = one.collect()
    assert got.types == ["E", "Z"] and got.status == "I" and got.errors[0].sqlstate == "42703"
    other.timeout = 2
    try:
        assert other.ask("select 'mine'") == "mine"
    finally:
        one.end(), other.end()
