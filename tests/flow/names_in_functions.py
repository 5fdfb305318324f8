#!/usr/bin/python3
"""A client's functions execute what it has prepared by SQL, by its names, on whichever connection; nobody else's find them."""

import pytest

import pgwire
from flowtools import APP_DB, APP_USER, PRIMARY_PORT, superuser, unread
from harness import wait_for
from pgwire import FLUSH, SYNC, bind, close, describe, execute, parse, query
from sql_prepared import compare, raw, take_turns

RUN = bind() + execute() + SYNC
SETUP = """
drop schema if exists named cascade; create schema named;
create function named.runs(what text) returns text language plpgsql as
  $$ declare r text; begin execute what into r; return r; end $$;
create function named.tries(what text) returns text language plpgsql as
  $$ begin return named.runs(what); exception when others then return sqlstate; end $$;
create procedure named.calls(what text) language plpgsql as $$ begin commit; raise notice '%', named.runs(what); end $$;
create function named.says(what text) returns void language plpgsql as $$ begin execute what; end $$;
create function named.trigger() returns trigger language plpgsql as $$ begin new.b := named.tries(new.a); return new; end $$;
create table named.watched (a text, b text); create trigger t before insert on named.watched for each row execute function named.trigger();
create view named.seen as select named.tries('execute q') as a;
create table named.gone (x int); create type named.mood as enum ('sad', 'happy');
create domain named."odd name" as int;
"""
GRANT = f"grant all on schema named to {APP_USER}; grant all on all tables in schema named to {APP_USER}; alter table named.gone owner to {APP_USER}; create view named.again as select 1; alter view named.again owner to {APP_USER}"

DOLLARS = "prepare q as select '$gilmok0$ $$ it''s \"odd\" $gilmok0_$' || $tag$ $gilmok1 $tag$ || E'\\\\' as \"$gilmok2$\" -- the end"
# Steps: what is sent at once. Between them the client loses its connection, if it has none of its own.
SCRIPTS = {
    "simple": [query("prepare q as select 1"), query("select named.runs('execute q')"), query("select named.runs('execute q')"), query("execute q")],
    "types": [query("prepare q (int, text, named.mood, int[], \"char\") as select concat_ws(' ', $1 + 1, $2, $3, $4, $5)"),
              query("select named.runs($$execute q(1, 'two', 'sad', '{3,4}', 'x')$$)"), query("select named.tries('execute q(1, 2, 3)')")],
    "odd types": [query('prepare q (named."odd name", numeric(4, 1)) as select $1 + $2'), query("select named.runs('execute q(1, 2.25)')")],
    "open types": [query("prepare q as select $1 || 'x', $2 + 1"), query("select named.runs('execute q(1, 2)')")],
    "several": [query("prepare a as select 1; prepare b as select 2; prepare \"C c\" as select 3; prepare \"d\"\"e\" as select 4"),
                query("select named.runs('execute a'), named.runs('execute b'), named.runs('execute \"C c\"'), named.runs('execute \"d\"\"e\"')")],
    "quotes": [query(DOLLARS), query("execute q"), query("select named.runs('execute q')"),
               query("deallocate q; prepare q as select 1 as \"$gilmok0$\", 'a$'"), query("select named.runs('execute q')"),
               query("prepare \"$gilmok0$; drop table named.gone; --\" as select 6"),
               query("select named.runs('execute \"$gilmok0$; drop table named.gone; --\"')"), query("table named.gone")],
    "other strings": [query("set standard_conforming_strings = off"), query("prepare q as select E'it\\'s' || 'x'"), query("select named.runs('execute q')"),
                      query("reset standard_conforming_strings; deallocate all")],
    "encodings": [query("set client_encoding = 'latin1'"), query(b"prepare q as select '\xe4\xf6' || length('\xe4')".decode("latin1")),
                  query("select length(named.runs('execute q'))"), query("reset client_encoding; deallocate all")],
    "extended": [query("prepare q as select 1"), parse("select named.runs('execute q')") + RUN, parse("select named.runs($1)") + bind([b"execute q"]) + execute() + SYNC,
                 parse("select named.runs($1)", "f") + SYNC, bind([b"execute q"], name="f") + execute() + SYNC,
                 describe("S", "f") + bind([b"execute q"], name="f") + execute() + bind([b"execute q"], name="f") + execute() + SYNC],
    "not in a transaction": [query("prepare q as select 1"), parse("call named.calls('execute q')") + RUN, parse("call named.calls('execute q')", "c") + SYNC,
                             bind(name="c") + execute() + SYNC, parse("create or replace view named.again as select 1") + RUN, parse("vacuum named.gone") + RUN,
                             query("create temp table t (x int); select named.runs('execute q')"), query("select 1/0"), parse("vacuum t") + RUN,
                             parse("reindex table concurrently named.gone") + RUN, query("drop table t"), parse("reindex table concurrently named.gone") + RUN],
    "by the protocol": [parse("prepare q as select 1") + RUN, query("select named.runs('execute q')"), close("S", "q") + SYNC, query("select named.tries('execute q')")],
    "do, call, trigger, view": [query("prepare q as select 1"), query("do $$ begin raise notice '%', named.runs('execute q'); end $$"),
                                query("call named.calls('execute q')"), query("insert into named.watched values ('execute q') returning *"),
                                query("table named.seen"), query("copy named.watched (a) from stdin") + pgwire.message("d", b"execute q\n") + pgwire.message("c"),
                                query("table named.watched"), query("truncate named.watched"), query("explain (analyze, costs off, timing off, summary off) table named.seen")],
    "do in a pipeline": [query("prepare q as select 1"), parse("do $$ begin raise notice '%', named.runs('execute q'); end $$") + RUN,
                         parse("select named.runs('execute q')") + RUN[:-5] + parse("do $$ begin raise notice '%', named.runs('execute q'); end $$") + RUN],
    "an error in front": [query("prepare q as select 1; prepare r as select 2"), parse("select named.tries('execute q')") + bind([b"one too many"]) +
                          parse("do $$ begin perform named.tries('execute r'); end $$") + RUN, SYNC,
                          parse("select named.tries('execute q')") + parse("do $$ begin perform named.tries('execute r'); end $$") + bind([b"x"]) + execute() + SYNC, SYNC],
    "by what it executes": [query("prepare q as select 1; prepare f as select named.runs('execute q')"), query("execute f"), parse("execute f") + RUN,
                            query("select named.runs('execute f')"), bind(name="f") + execute() + SYNC],
    "a transaction": [query("begin"), query("prepare q(int) as select $1"), query("select named.runs('execute q(1)')"), query("prepare r as select 2"),
                      query("select named.runs('execute q(3)'), named.runs('execute r')"), query("deallocate q"), query("select named.tries('execute q(4)')"),
                      query("execute q(1)"), query("rollback"), query("select named.runs('execute r')"), query("select named.tries('execute q(4)')")],
    "a transaction, kept": [query("prepare q as select 1"), query("begin isolation level serializable"), query("select named.runs('execute q')"),
                            query("select named.runs('execute q')"), parse("select named.runs('execute q')") + RUN, query("savepoint s"),
                            query("select 1/0"), query("select named.runs('execute q')"), query("rollback to s"), query("select named.runs('execute q')"), query("commit")],
    "behind the end of one that failed": [
        query("prepare q as select 1"), query("begin; select 1/0"), parse("abort") + RUN[:-5] + parse("select named.runs('execute q')") + RUN,
        query("begin; select 1/0"), parse("abort") + FLUSH, bind() + bind() + execute() + parse("select named.runs('execute q')") + RUN,
        query("begin; select 1/0"), parse("abort") + bind() + parse("select named.runs('execute q')") + RUN, query("rollback"),
        query("begin; savepoint s; select 1/0"), parse("rollback to s") + RUN[:-5] + parse("select named.runs('execute q')") + RUN, query("commit"),
        query("begin; select 1/0"), parse("commit and chain") + RUN[:-5] + parse("select named.runs('execute q')") + RUN, query("rollback"),
        parse("select named.runs('execute q')", "f") + SYNC, query("begin; select 1/0"), parse("abort") + RUN[:-5] + bind(name="f") + execute() + SYNC],
    "it is gone": [query("prepare q as select 1"), query("begin"), query("select named.runs('execute q')"), query("deallocate q"), query("execute q"), query("rollback"),
                   query("prepare q as select 1"), query("begin"), query("select named.runs('execute q')"), query("deallocate q; execute q"), query("rollback"),
                   query("prepare q as select 2"), query("begin"), query("select named.runs('execute q')"), query("deallocate q"), query("deallocate q"), query("rollback"),
                   query("prepare q as select 3"), query("begin"), query("select named.runs('execute q')"), parse("deallocate q") + bind() + execute() + parse("execute q") + RUN,
                   query("rollback"), query("select named.tries('execute q')")],
    "within one text": [query("prepare q as select 1; prepare r as select 2"), query("deallocate r; select named.tries('execute r'), named.tries('execute q')"),
                        query("deallocate all; select named.tries('execute q')"), query("prepare q as select 3"), query("execute q; select named.runs('execute q')")],
    "a pipeline": [query("prepare q as select 1") + query("select named.runs('execute q')") + query("deallocate q") + query("select named.tries('execute q')"),
                   query("prepare q as select 2") + query("begin") + query("select named.runs('execute q')") + query("commit"),
                   parse("deallocate q") + bind() + execute() + parse("select named.tries('execute q')") + RUN],
    "a cursor": [query("prepare q as select 1"), query("begin; declare c cursor for select named.tries('execute q') from generate_series(1, 3)"),
                 query("fetch c"), query("prepare r as select 2"), query("fetch c"), query("savepoint s"), query("select 1/0"), query("rollback to s"), query("fetch c"), query("commit")],
    "settings": [query("set datestyle = 'ISO, DMY'"), query("prepare q as select extract(month from date '01/02/2026')"), query("select named.runs('execute q')"),
                 query("reset datestyle"), query("execute q"), query("deallocate all")],
    "one is left out": [query("set datestyle = 'ISO, DMY'"), query("prepare q as select date '01/02/2026'"), query("reset datestyle"), query("prepare r as select 2"),
                        parse("select named.runs('execute r')", "f") + SYNC, bind(name="f") + execute() + SYNC, describe("S", "f") + bind(name="f") + execute() + SYNC,
                        query("execute r; select named.runs('execute r')"), parse("select named.runs('execute r')") + SYNC, RUN, query("deallocate all")],
    "discard": [query("prepare q as select 1"), query("select named.runs('execute q')"), query("discard all"), query("select named.tries('execute q')"),
                query("prepare q as select 2"), query("select named.runs('execute q')"), query("deallocate all"), query("select named.tries('execute q')")],
    "taken": [query("prepare q as select 1"), query("select named.tries('prepare q as select 2')"), query("execute q")],
    "a function puts another in its place": [query("prepare q as select 1"), query("select named.says('deallocate q; prepare q as select 2')"), query("execute q"),
                                             query("select named.runs('execute q')"), query("deallocate q"), query("execute q"), query("discard all")],
    "a pinned client": [query("create temp table t (x int)"), query("prepare q as select 1"), query("select named.runs('execute q')"), query("deallocate q"),
                        query("execute q"), query("select named.tries('execute q')"), query("prepare q as select 2"), query("select named.runs('execute q')"),
                        query("drop table t"), query("select named.runs('execute q')"), query("execute q")],
    "unreadable": [query("prepare q as select 1"), query("select named.runs('execute q'); selec"), query("execute q")],
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def schema():
    with superuser() as su:
        for sql in (SETUP, GRANT):
            su.execute(sql)
    yield
    with superuser() as su:
        su.execute("drop schema named cascade")


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_like_direct(turning, name):
    def nobody_elses(other):
        for each in ("q", "r"):
            assert other.ask(f"select named.tries('execute {each}')") == "26000"

    compare(turning.port, SCRIPTS[name], nobody_elses)


@pytest.mark.parametrize("ends", ["commit", "goes", "is cut"])
def test_nobody_else_finds_them(start, ends):
    """On the one connection that there is, whichever way the client has left it; in a function, or in a text that gilmok cannot read."""
    g = start(pool_size=1)
    one, other = raw(g.port), raw(g.port)
    one.query("prepare q as select 'secret'")
    one.query("begin")
    assert one.query("select named.runs('execute q')").rows == [["secret"]]
    if ends == "commit":
        one.query("commit")
    elif ends == "goes":
        one.end()
    else:
        one.sock.close()
    assert other.ask("select named.tries('execute q')") == "26000"
    assert [e.sqlstate for e in other.query(unread("execute q")).errors] == ["26000"]
    left = "select count(*) from pg_prepared_statements where statement like '%secret%' and not starts_with(name, 'gilmok_')"
    assert other.ask(unread(left)) == "0"
    other.query("prepare q as select 'mine'")
    assert other.ask("select named.runs('execute q')") == "mine"
    if ends == "commit":
        assert one.query("select named.runs('execute q')").rows == [["secret"]]
        one.end()
    other.end()


def test_the_same_name_twice(turning):
    clients = [raw(turning.port) for _ in range(6)]
    for i, c in enumerate(clients):
        c.query(f"prepare q as select {i}")
    for _ in range(4):
        for c in clients:
            c.send(query("select named.runs('execute q')"))
        assert [c.collect().rows for c in clients] == [[[str(i)]] for i in range(len(clients))]
    for c in clients[:3]:
        c.query("begin")
    for i, c in enumerate(clients[:3]):
        assert c.query("select named.runs('execute q')").rows == [[str(i)]]
        c.query("commit")
    wait_for(lambda: all(not r["held_by"] for r in turning.show("CLIENTS", database=APP_DB)))
    for c in clients:
        c.end()


def test_what_cannot_be_prepared_hurts_nobody(turning):
    """Its table is gone: its name is not there, but those beside it are, and the transaction goes on."""
    c = raw(turning.port)
    c.query("create table named.lost (x int)")
    c.query("prepare q as select count(*) from named.lost; prepare r as select 2")
    c.query("drop table named.lost")
    take_turns(turning.port)
    for begin, end in (("select 1", "select 1"), ("begin", "commit")):
        c.query(begin)
        assert c.query("select named.tries('execute r'), named.tries('execute q')").rows == [["2", "26000"]]
        assert not c.query(end).errors
    c.query("create table named.lost (x int)")
    assert c.query("select named.tries('execute q')").rows == [["0"]]
    c.query("drop table named.lost")
    c.end()


def test_locks(turning):
    """What is lent locks nothing, and does not wait for those who do."""
    c, other = raw(turning.port), raw(PRIMARY_PORT)
    c.query("prepare q as select count(*) from named.watched; prepare r as select 2")
    c.query("begin")
    assert c.query("select named.runs('execute r')").rows == [["2"]]
    assert not other.query("begin; lock table named.watched in access exclusive mode nowait").errors
    c.query("commit")
    for begin, end in (("select 1", "select 1"), ("begin", "commit")):
        c.query(begin)
        assert c.query("select named.runs('execute r')").rows == [["2"]]
        c.query(end)
    assert c.ask("show lock_timeout") == "0"
    other.query("commit")
    assert c.query("select named.runs('execute q')").rows == [["0"]]
    c.end(), other.end()


def test_who_may_not_run_a_do(start):
    """Nobody can lend it anything, and it is none the worse for that."""
    with superuser() as su:
        su.execute("revoke usage on language plpgsql from public")
    try:
        c = raw(start(pool_size=1).port)
        c.query("prepare q as select 1")
        for begin, end in (("select 1", "select 1"), ("begin", "commit")):
            c.query(begin)
            assert c.ask("select named.tries('execute q')") == "26000"
            assert not c.query(end).errors
        c.end()
    finally:
        with superuser() as su:
            su.execute("grant usage on language plpgsql to public")


def test_who_prepares_by_the_protocol_pays_nothing(start):
    g = start(pool_size=1)
    c = raw(g.port)
    c.send(parse("select 1", "q") + SYNC)
    c.collect()
    assert c.ask("select named.tries('execute q')") == "26000"
    assert c.ask(unread("select count(*) from pg_prepared_statements where statement like '%gilmok */%'")) == "0"
    c.end()


def test_many(turning):
    c = raw(turning.port)
    for i in range(300):
        c.query(f"prepare q{i} as select {i} + {'1 + ' * 50} 0")
    for i in (0, 150, 299):
        got = c.query(f"select named.runs('execute q{i}')")
        assert got.rows == [[str(i + 50)]], (got.errors, turning.said()[-2000:])
    c.end()
