#!/usr/bin/python3
"""pg_prepared_statements shows a client its own statements, as on a connection of its own, whatever else is prepared there."""

import pytest

import pgwire
from flowtools import connect, superuser, value
from pgwire import FLUSH, SYNC, bind, close, describe, execute, parse, query
from sql_prepared import compare, raw, take_turns

RUN = bind() + execute() + SYNC
SETUP = """
drop schema if exists listed cascade; create schema listed; create table listed.gone (x int);
create function listed.names() returns text language sql as $$ select string_agg(name, ' ' order by name) from pg_prepared_statements $$;
create function listed.counts() returns bigint language plpgsql as $$ begin return (select count(*) from pg_prepared_statement()); end $$;
create view listed.seen as select name from pg_prepared_statements order by name;
create function listed.runs(what text) returns text language plpgsql as $$ declare r text; begin execute what into r; return r; end $$;
grant all on schema listed to app; grant all on all tables in schema listed to app; alter table listed.gone owner to app;
"""
LIST = "select name, statement, parameter_types, from_sql from pg_prepared_statements order by name"
SHOW = query(LIST)
NAMES = query("select name from pg_prepared_statements order by name")
PREPARE = [query("prepare q as select 1 as a;"), query("/* why */ PREPARE  r (int, text)\nAS select $1, $2 -- so"), query('prepare "S s" as select $1 + 1 as x')]
SCRIPTS = {
    "nothing": [SHOW, query("select count(*) from pg_prepared_statement()")],
    "by sql": [*PREPARE, SHOW, query("deallocate q"), SHOW, query("execute r(1, 'x')"), SHOW, query("deallocate all"), SHOW],
    "by the protocol": [parse("select $1::int", "a") + SYNC, parse("select $1 || 'x'", "b") + SYNC, SHOW, bind([b"1"], name="a") + execute() + SYNC, SHOW,
                        close("S", "a") + SYNC, SHOW, bind([b"1"], name="b") + execute() + SYNC],
    "by one of them": [parse(LIST, "list") + describe("S", "list") + SYNC, bind(name="list") + execute() + SYNC, *PREPARE, query("begin"), bind(name="list") + execute() + SYNC,
                       bind(name="list") + execute() + SYNC, query("commit"), bind(name="list") + execute() + SYNC],
    "both": [*PREPARE, parse("select 1", "a") + SYNC, SHOW, query("execute a; execute q"), SHOW],
    "extended": [*PREPARE, parse("select 7", "a") + SYNC, parse(LIST) + bind() + describe("P") + execute() + SYNC, parse(LIST) + FLUSH + bind() + execute() + SYNC,
                 parse("prepare t as select 8") + RUN, parse(LIST) + RUN],
    "in a transaction": [*PREPARE, parse("select $1::int", "a") + SYNC, query("begin isolation level repeatable read"), SHOW, query("deallocate q"), NAMES,
                         query("execute q"), query("rollback"), SHOW, query("begin"), parse(LIST) + RUN, bind([b"1"], name="a") + execute() + SYNC, query("execute r(1, 2)"), query("commit"), SHOW],
    "a failed one": [*PREPARE, query("begin"), query("select 1/0"), SHOW, query("rollback"), SHOW],
    "behind the end of one": [*PREPARE, query("begin"), query("select 1/0"), parse("abort") + bind() + execute() + parse(LIST) + RUN, SHOW],
    "taken": [*PREPARE, query("prepare q as select 2"), SHOW],
    "functions": [*PREPARE, query("table listed.seen"), query("select listed.names(), listed.counts()"), query("select listed.runs('execute q')"), SHOW,
                  query("select listed.runs('execute q'), listed.names()")],
    "what functions prepare": [query("do $$ begin execute 'prepare mine as select 5'; end $$"), *PREPARE, NAMES, query("execute mine"), NAMES, query("discard all"), SHOW],
    "a pinned client": [query("create temp table t (x int)"), *PREPARE, SHOW, query("deallocate q"), SHOW, query("select listed.runs('execute r(1, 2)')"), SHOW, query("drop table t"), SHOW],
    "a pipeline": [PREPARE[0] + SHOW + query("deallocate q") + SHOW, parse("select 1", "a") + SYNC + SHOW + close("S", "a") + SYNC + SHOW],
    "settings": [query("set datestyle = 'ISO, DMY'"), query("prepare q as select date '01/02/2026'"), query("reset datestyle"), SHOW, query("execute q"), query("deallocate all")],
    "a table that is gone": [query("prepare q as select count(*) from listed.gone"), *PREPARE[1:], SHOW],
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def schema():
    with superuser() as su:
        su.execute(SETUP)
    yield
    with superuser() as su:
        su.execute("drop schema listed cascade")


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_like_direct(turning, name):
    def has_none(other):
        assert other.query(LIST).rows == []

    compare(turning.port, SCRIPTS[name], has_none)


def test_in_the_order_in_which_they_were_made(start):
    g = start(pool_size=1)
    c = connect(g, prepare_threshold=0)
    for i in (3, 1, 2):
        c.execute(f"select {i}")
    assert value(c, "select array_agg(statement order by prepare_time) from pg_prepared_statements", prepare=False) == [f"select {i}" for i in (3, 1, 2)]
    c.close()


def test_an_unnamed_statement_that_reads_it(turning):
    """Where it is used later, on another connection, it stands there itself."""
    c = raw(turning.port)
    c.query("prepare q as select 1")
    c.send(parse("select name from pg_prepared_statements order by 1 desc") + SYNC)
    c.collect()
    for _ in range(4):
        take_turns(turning.port)
        c.send(RUN)
        rows = [r[0] for r in c.collect().rows]
        assert rows[0] == "q" and all(r.startswith("gilmok_") for r in rows[1:]) and len(rows) < 3
    c.end()


def test_many(start):
    """Up to a thousand."""
    c = raw(start(pool_size=1).port)
    for i in range(0, 1500, 100):
        c.send(b"".join(parse(f"select {k}", f"n{k}") for k in range(i, i + 100)) + SYNC)
        assert not c.collect().errors
    assert c.ask("select count(*) from pg_prepared_statements") == "1000"
    c.end()


def test_the_others_go_on(start):
    """What is closed for one is prepared again for those who use it."""
    g = start(pool_size=1)
    clients = [raw(g.port) for _ in range(3)]
    for i, c in enumerate(clients):
        c.send(parse(f"select {i}", "a") + SYNC + query(f"prepare q as select 'q{i}'"))
        assert not c.collect().errors and not c.collect().errors
    for _ in range(3):
        for i, c in enumerate(clients):
            assert [r[0] for r in c.query("select name from pg_prepared_statements order by 1").rows] == ["a", "q"]
            c.send(bind(name="a") + execute() + SYNC)
            assert c.collect().rows == [[str(i)]]
            assert c.query("execute q").rows == [[f"q{i}"]]
    for c in clients:
        c.end()
