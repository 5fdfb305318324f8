#!/usr/bin/python3
"""PREPARE, EXECUTE and DEALLOCATE in transaction mode: as on a connection of one's own, together with the protocol's statements."""

import pytest

import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, PRIMARY_PORT, superuser, unread
from harness import wait_for
from pgwire import FLUSH, SYNC, bind, close, describe, execute, parse, query

ONE = parse("select 'one ' || $1::text", "one") + SYNC
RUN = bind() + execute() + SYNC
# Steps: what is sent at once. Between them the client loses its connection, if it has none of its own.
SCRIPTS = {
    "prepare and execute": [query("prepare q as select 1 as x"), query("execute q"), query("EXECUTE Q"), query('execute "Q"')],
    "types": [query("prepare q (int, text) as select $1 + 1, $2 || '!'"), query("execute q(41, 'a')"), query("execute q('x', 1)"),
              query("execute q(1)"), bind([b"1", b"2"], name="q") + execute() + SYNC],
    "open types": [query("prepare q as select $1 + 1, $2 = 'x'"), query("execute q(41, 'x')"), describe("S", "q") + SYNC],
    "of the protocol": [ONE, query("execute one('by sql')"), query("explain (costs off) execute one('x')"),
                        query("create temp table made(x) as execute one('y'); select x || '' from made; drop table made"), query("execute one")],
    "by the protocol": [query("prepare q(int) as select $1 * 2"), describe("S", "q") + bind([b"21"], name="q") + execute() + SYNC,
                        parse("select 3", "q") + SYNC, close("S", "q") + SYNC, query("execute q(1)")],
    "taken": [query("prepare q as select 1"), query("prepare q as select 2"), query("prepare q as selec"), query("prepare q as select nope"),
              query("execute q"), ONE, query("prepare one as select 1"), query("execute one('still')")],
    "deallocate": [query("prepare q as select 1"), ONE, query("deallocate q"), query("execute q"), query("deallocate prepare one"),
                   query("execute one('x')"), query("deallocate q"), bind([b"x"], name="one") + SYNC],
    "deallocate all": [query("prepare q as select 1"), ONE, query("deallocate all"), query("execute q"), query("execute one('x')"),
                       query("prepare q as select 2"), query("execute q")],
    "in one text": [query("prepare q as select 1; execute q; deallocate q; prepare q as select 2; execute q; deallocate q; execute q"),
                    query("execute q"), query("prepare q as select 3; prepare q as select 4"), query("execute q"),
                    query("deallocate all; prepare q as select 5; deallocate q"), query("execute q"),
                    query("deallocate all; execute q; select 1"), query("prepare r as select 6; deallocate all; execute r")],
    "an error in the text": [query("prepare q as select 1; select 1/0; deallocate q"), query("execute q"),
                             query("deallocate q; select 1/0"), query("execute q"), query("select 1/0; prepare r as select 1"), query("execute r")],
    "positions": [ONE, query("prepare q as select nope"), query("/* äö */ prepare \"q ü\" as select 1; execute \"q ü\"; prepare q as select 'é', nope"),
                  query("execute one('a', nope)"), query("execute one(nope); select 1"), query("explain execute one(1, nope)"),
                  query("execute one('x'::int)"), query("deallocate one; execute one(nope)"), query("prepare q (nope) as select 1")],
    "names as they are written": [query('prepare "Q q" as select 1'), query('execute "Q q"'), query('execute"Q q"'), query('deallocate/**/"Q q"'),
                                  query('prepare "a""b"as select 7'), query('execute U&"a\\0022b"'), query("prepare prepare as select 8"),
                                  query("execute prepare"), query("deallocate prepare prepare")],
    "a failed transaction": [query("begin"), query("prepare q (int) as select $1, 'x'"), query("select 1/0"), query("execute q(1)"),
                             query("prepare r as select 1"), query("deallocate q"), query("rollback"), query("execute q(2)"), query("execute r")],
    "prepared in a text that fails": [query("begin; prepare q (int) as select $1; select 1/0"), query("execute q(1)"), query("rollback"),
                                      query("execute q(1)"), describe("S", "q") + SYNC],
    "a transaction": [ONE, query("begin isolation level serializable; execute one('x')"), query("deallocate one"), query("commit"),
                      query("execute one('x')")],
    "perhaps prepared": [query("create temp table c (x int primary key deferrable initially deferred)"),
                         query("insert into c values (1), (1); prepare q as select 1"), query("execute q"), query("prepare q as select 2"),
                         query("execute q"), query("drop table c")],
    "a pipeline": [query("prepare q as select 1") + query("execute q") + query("prepare q as select 2") + query("deallocate q") + query("execute q"),
                   query("prepare q as selec") + query("execute q") + query("prepare q as select 3") + query("execute q")],
    "a pipeline of both": [parse("select 4", "a") + query("execute a") + close("S", "a") + query("execute a"),
                           query("prepare a as select 5") + bind(name="a") + execute() + SYNC + parse("select 6", "a") + SYNC,
                           query("deallocate a") + parse("select 7", "a") + bind(name="a") + execute() + SYNC, query("execute a")],
    "behind an error": [ONE, parse("select 1/0") + bind() + execute() + parse("deallocate one") + bind() + execute() + SYNC,
                        query("execute one('there')"), parse("selec") + query("deallocate one") + SYNC, query("execute one('there')")],
    "behind what drops them": [query("prepare q as select 1"), query("deallocate all") + query("deallocate q"), query("prepare q as select 1"),
                               query("deallocate all") + query("execute q"), ONE, query("discard all") + query("execute one('x')"), ONE,
                               query("discard all") + parse("execute one('x')") + RUN, query("prepare q as select 1"),
                               query("deallocate all") + query("prepare q as select 2") + query("execute q")],
    "behind what may drop them": [query("prepare q as select 1"), query("select 1/0; deallocate all") + query("deallocate q"),
                                  query("prepare q as select 1"), parse("deallocate all", "d") + SYNC,
                                  bind(name="d") + execute() + parse("execute q") + RUN, query("prepare q as select 2"), parse("deallocate all", "d") + SYNC,
                                  bind(name="d") + execute() + parse("prepare q as select 3") + RUN, query("execute q"),
                                  parse("discard all") + RUN + query("execute q"), query("prepare q as select 4"),
                                  parse("selec") + parse("deallocate all") + RUN + query("execute q"), query("deallocate q") + query("execute q")],
    "within one text": [query("prepare q as select 1; deallocate q"), query("execute q"), query("prepare q as select 1; execute q; deallocate q"),
                        query("deallocate q"), query("prepare q as select 1; deallocate q; execute q"), query("prepare q as select 2; deallocate q; deallocate q"),
                        query("prepare q as select 3"), query("deallocate q; prepare q (int) as select $1; execute q(4); deallocate q; prepare q as select 5"),
                        query("execute q"), query("begin; deallocate q; prepare q as select 6; rollback"), query("execute q"),
                        query("deallocate q; prepare q as selec; deallocate q"), query("deallocate q; prepare q as select nope; deallocate q"), query("execute q"),
                        query("prepare q as select 7; prepare r as select 8; deallocate q; execute r; deallocate r; select 9"), query("execute r")],
    "warnings": [query("set standard_conforming_strings = off"), ONE, parse("select 'it\\'s'", "one") + SYNC, query("prepare one as select 'it\\'s'"),
                 query("prepare q as select 'it\\'s'"), query("execute q"), parse("select 1 as " + 80 * "x", "q") + SYNC,
                 parse("execute one('it\\'s')") + RUN, query("reset standard_conforming_strings; deallocate all")],
    "extended": [parse("prepare q(int) as select $1 + 1") + RUN, parse("execute q(1)") + RUN,
                 parse("execute q(2)") + describe("S") + bind() + describe("P") + execute() + SYNC, RUN, parse("deallocate q") + RUN,
                 parse("execute q(3)") + RUN, parse("deallocate q") + RUN],
    "extended, kept": [query("prepare q as select 1"), parse("execute q", "e") + SYNC, bind(name="e") + execute() + SYNC,
                       describe("S", "e") + SYNC, query("deallocate q; prepare q as select 2"), bind(name="e") + execute() + SYNC,
                       query("deallocate q"), bind(name="e") + execute() + SYNC, bind([b"1"], name="e") + SYNC],
    "extended, again": [parse("prepare q as select 1", "p") + SYNC, bind(name="p") + execute() + SYNC, bind(name="p") + execute() + SYNC,
                        query("execute q"), parse("deallocate q", "d") + bind(name="d") + execute() + bind(name="d") + execute() + SYNC,
                        bind(name="p") + execute() + SYNC, query("execute q")],
    "extended, one group": [parse("prepare q as select 1") + bind() + execute() + parse("execute q") + bind() + execute()
                            + bind(name="q") + execute() + parse("deallocate q") + bind() + execute() + parse("execute q") + RUN],
    "extended, errors": [parse("prepare q as select nope") + RUN, parse("execute nope") + RUN, parse("execute  one(1, 2)") + RUN, ONE,
                         parse("execute  one(1, nope)") + RUN, parse("prepare one as select 1") + RUN, parse("execute one('x')") + RUN],
    "portals": [query("prepare q as select generate_series(1, 3)"), query("begin"),
                parse("execute q") + bind(portal="p") + execute("p", 2) + SYNC, execute("p", 2) + SYNC, query("commit"), query("execute q")],
    "portals that change": [query("prepare q as select 1"), query("begin"), parse("deallocate q") + bind(portal="p") + SYNC,
                            parse("select 2") + bind() + execute() + SYNC, execute("p") + SYNC, query("execute q"), query("rollback"), query("execute q")],
    "portals whose names change": [query("prepare q as select 1"),
                                   parse("deallocate q", "d") + bind(name="d", portal="x") + bind(name="d", portal="y") + execute("x") + execute("y") + SYNC,
                                   query("execute q"), parse("prepare q as select 2", "p") + SYNC,
                                   bind(name="p", portal="x") + bind(name="p", portal="y") + execute("x") + execute("y") + SYNC, query("execute q"),
                                   parse("execute q") + bind(portal="x") + bind(name="d") + execute() + execute("x") + SYNC, query("execute q"),
                                   query("prepare q as select 3"), query("begin"), parse("execute q") + bind(portal="x") + SYNC,
                                   query("select 4"), execute("x") + SYNC, query("rollback"), query("deallocate all")],
    "behind a Close that is skipped": [parse("prepare q as select 1") + execute("nope") + close("S") + SYNC + bind() + execute() + SYNC, query("execute q"),
                                       parse("select 2", "q") + SYNC],
    "behind a look of gilmok's": [execute("nope") + SYNC + query("deallocate q; prepare q as select 1; execute q") + query("begin"), query("deallocate q"),
                                  query("rollback")],
    "behind a rollback": [query("prepare q as select 1"), query("begin"), query("select 1/0"),
                          parse("rollback") + bind() + execute() + parse("execute q") + RUN, query("begin"), query("select 1/0"),
                          parse("rollback") + bind() + execute() + parse("deallocate q") + RUN, query("execute q")],
    "flush": [parse("prepare q as select 1") + bind() + execute() + FLUSH + SYNC, parse("execute q") + FLUSH + bind() + FLUSH + execute() + FLUSH + SYNC],
    "settings": [query("set datestyle = 'ISO, DMY'"), query("prepare q as select date '01/02/2026'"), query("set datestyle = 'ISO, MDY'"), query("execute q"),
                 query("set datestyle = 'ISO, DMY'; prepare r as select date '01/02/2026'"), query("set datestyle = 'ISO, MDY'; execute r"),
                 query("deallocate all; reset datestyle")],
    "what it leaves": [query("prepare q as select set_config('work_mem', '777kB', false)"), query("execute q"), query("show work_mem"), query("reset work_mem")],
    "names of gilmok": [query("execute gilmok_0123456789abcdef_0"), query("deallocate gilmok_0123456789abcdef_0"), query("prepare gilmok_void_0 as select 1"),
                        query("execute gilmok_void_0"), query("deallocate gilmok_void_0"), query("execute gilmok_void_0"), query("execute gilmok_text")],
    "not prepared": [query("prepare q as vacuum"), query("execute q"), query("prepare q as select $1"), query("execute q(1)"), query("prepare as select 1"), query("prepare q as select 1; select 'open"), query("execute q"),
                     query("prepare transaction 'never'"), query("")],
    "copy": [query("create temp table c (x int); prepare q as insert into c values (2); copy c from stdin; execute q; select x + 0 from c; drop table c")
             + pgwire.message("d", b"1\n") + pgwire.message("c")],
    "discard all": [query("prepare q as select 1"), ONE, query("discard all"), query("execute q"), bind([b"x"], name="one") + SYNC],
}  # fmt: skip


def raw(port):
    return pgwire.Client(port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, timeout=5).login()


def answers(c, step):
    """All that comes for a step, up to the ReadyForQuery of an empty query behind it."""
    got = []
    c.send(step + query("/* end */"))
    while not (len(got) > 1 and got[-1][0] == "Z" and got[-2][0] == "I"):
        kind, body = c.read()
        if kind == "E":
            fields = pgwire.error_fields(body)
            own = fields["C"] == "26000" and "R" not in fields  # gilmok's own words about a statement that nobody has
            body = {k: v for k, v in fields.items() if k != "s" and k not in ("FLR" if own else "")}
        if kind not in "S":
            got.append((kind, body))
    return got


def same(a, b):
    """Where gilmok says itself that there is no statement, the server's source file is not told."""
    if a == b:
        return True
    if a[0] == b[0] == "E" and "unnamed" in b[1]["M"]:
        return a[1]["C"] == b[1]["C"]
    if a[0] == b[0] == "E" and "R" not in a[1]:
        return a[1] == {k: v for k, v in b[1].items() if k not in "FLR"}
    return False


def take_turns(port):
    """Two others use the connections, so that the next one gets another."""
    for _ in range(2):
        c = raw(port)
        c.query("select 'in between'")
        c.end()


def compare(port, script, after=None):
    """Step by step; `after` each one another client of the pool, logged in before, is passed to it."""
    c, direct, other = raw(port), raw(PRIMARY_PORT), raw(port)
    for n, step in enumerate(script):
        expected, got = answers(direct, step), answers(c, step)
        assert len(got) == len(expected) and all(map(same, got, expected)), (n, got, expected)
        take_turns(port)
        if after:
            after(other)
    c.end(), direct.end(), other.end()


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_like_direct(turning, name):
    compare(turning.port, SCRIPTS[name])


def test_few_are_kept(start):
    """More in one text than the connection keeps."""
    g = start(pool_size=1, database=["max_prepared_statements = 1"])
    compare(g.port, [query("prepare a as select 1; prepare b as select 2; prepare c as select 3"), query("execute a; execute b; execute c"),
                     query("execute c"), query("execute a"), query("deallocate b; execute b")])  # fmt: skip
    c = raw(g.port) # in a transaction, beside one that is not known well enough yet
    for step in (parse("select 7", "p") + SYNC, query("prepare q as select 8") + query("begin"), bind(name="p") + execute() + SYNC):
        got = answers(c, step)
    assert [kind for kind, _ in got] == ["2", "D", "C", "Z", "I", "Z"]
    c.end()


def test_the_connection_is_free(turning):
    c = raw(turning.port)
    c.query("prepare q as select pg_backend_pid()")
    pids = set()
    for _ in range(12):
        pids.add(c.query("execute q").rows[0][0])
        wait_for(lambda: all(not r["held_by"] for r in turning.show("CLIENTS", database=APP_DB)))
        take_turns(turning.port)
    assert len(pids) > 1
    c.end()


def test_names_are_each_clients_own(turning):
    clients = [raw(turning.port) for _ in range(8)]
    for i, c in enumerate(clients):
        c.query(f"prepare q as select {i}")
    for _ in range(3):
        for i, c in enumerate(clients):
            assert c.query("execute q").rows == [[str(i)]]
    clients[0].query("deallocate q")
    assert [e.sqlstate for e in clients[0].query("execute q").errors] == ["26000"]
    assert clients[1].query("execute q").rows == [["1"]]
    for c in clients:
        c.end()


def test_anothers_statement_is_out_of_reach(start):
    g = start(pool_size=1)
    one, other = raw(g.port), raw(g.port)
    one.query("prepare q as select 'secret'")
    one.query("execute q")
    name = other.query(unread("select name from pg_prepared_statements where statement like '%secret%'")).rows[0][0]
    for sql in (f"execute {name}", f'execute "{name}"', f"deallocate {name}", f"explain execute {name}"):
        assert [e.fields["M"] for e in other.query(sql).errors] == [f'prepared statement "{name}" does not exist']
        other.send(parse(sql) + bind() + execute() + SYNC)
        assert [e.fields["M"] for e in other.collect().errors] == [f'prepared statement "{name}" does not exist']
    assert one.query("execute q").rows == [["secret"]]
    one.end(), other.end()


def test_what_turns_up_while_a_message_waits(start):
    """The EXECUTE waits for the DEALLOCATE before it; then it is of nobody knows what, and what another's nextval() has left must
    go first: another thing to wait for."""
    g = start(pool_size=1)
    one, other = raw(g.port), raw(g.port)
    assert one.query("execute nothing").errors
    pipeline = parse("execute b") + bind(name="b") + execute() + bind() + execute() + SYNC
    for c in (other, raw(PRIMARY_PORT)):
        answers(c, parse("deallocate b", "b") + SYNC + query("begin"))
        got = answers(c, pipeline)
        assert [kind for kind, _ in got[:6]] == ["1", "2", "C", "2", "E", "Z"] and got[4][1]["C"] == "26000"
        c.end()
    one.end()


def test_what_cannot_be_prepared_keeps_no_connection(start):
    g = start(pool_size=1, database=["queue_timeout = 2s"])
    one, other = raw(g.port), raw(g.port)
    one.query("create table flow_gone (x int); prepare q as select * from flow_gone")
    other.query("discard all")
    other.query("drop table flow_gone")
    for _ in range(2):
        assert [e.sqlstate for e in one.query("execute q").errors] == ["42P01"]
        assert not other.query("select 1").errors
    one.query("begin")
    assert [e.sqlstate for e in one.query("execute q").errors] == ["42P01"]
    assert [e.sqlstate for e in one.query("execute q").errors] == ["25P02"]
    one.query("rollback")
    assert not other.query("select 1").errors
    one.end(), other.end()


def test_it_runs_where_it_was_prepared(start):
    """Not on the next connection, which lacks it again."""
    g = start(pool_size=3, database=["server_round_robin = on"])
    clients = [raw(g.port) for _ in range(3)]
    clients[0].query("prepare q as select 1")
    for sql in ("begin", "commit"):
        for c in clients:
            c.send(query(sql))
        for c in clients:
            assert not c.collect().errors
    clients[1].query("discard all")  # on one of them or another
    for _ in range(6):
        before = g.show("STATS", database=APP_DB)[0]
        assert clients[0].query("execute q").rows == [["1"]]
        after = g.show("STATS", database=APP_DB)[0]
        assert int(after["total_server_assignment_count"]) - int(before["total_server_assignment_count"]) == 1
    for c in clients:
        c.end()


@pytest.mark.parametrize("run", [query("execute q('own.who')"), parse("execute q('own.who')") + RUN], ids=["simple", "extended"])
def test_a_setting_that_execute_names(start, run):
    g = start(pool_size=1, database=["queue_timeout = 2s"])
    one, other = raw(g.port), raw(g.port)
    one.ask("select 1 from now()")
    assert not one.query("prepare q(text) as select set_config($1, 'mine', false)").errors
    one.send(run)
    assert not one.collect().errors
    assert one.ask("select current_setting('own.who', true)") == "mine"
    got = other.query("select current_setting('own.who', true)")
    assert got.errors or got.rows in ([[None]], [[""]])
    assert one.ask("select current_setting('own.who', true)") == "mine"
    one.end()
    assert other.ask("select current_setting('own.who', true)") in (None, "")


def test_a_table_that_changes(turning):
    """After DDL: the error that a connection of one's own gives, wherever it is used next."""
    with superuser() as su:
        c, direct = raw(turning.port), raw(PRIMARY_PORT)
        for change, back in (("alter table changing add y int", "alter table changing drop y"), ("drop table changing", "create table changing (x int)")):
            su.execute("drop table if exists changing; create table changing (x int); grant all on changing to public")
            for k in (c, direct):
                assert k.query("deallocate all; prepare q as select * from changing").errors == []
            for sql in (change, back):
                su.execute(sql + "; grant all on changing to public" if sql.startswith("create") else sql)
                take_turns(turning.port)
                for step in ("execute q", "begin", "execute q", "select 1", "rollback"):
                    got, expected = ([(e.sqlstate, e.fields["M"]) for e in k.query(step).errors] for k in (c, direct))
                    assert got == expected, (sql, step)
        su.execute("drop table if exists changing")
    c.end(), direct.end()


def test_a_portal_whose_name_stands_for_something_else(turning):
    """Directly it runs what the name stands for now; here it is refused, not taken for what it was."""
    c = raw(turning.port)
    c.query("prepare q as select 'old'")
    c.query("begin")
    c.send(parse("execute q") + bind(portal="x") + SYNC)
    assert c.collect().errors == []
    c.query("deallocate q; prepare q as select 'new'")
    c.send(execute("x") + SYNC)
    r = c.collect()
    assert [e.sqlstate for e in r.errors] == ["0A000"] and r.rows == []
    c.query("rollback")
    assert c.query("execute q").rows == [["new"]]
    c.end()


def test_what_is_executed_names_others_itself(start):
    """Its text is the server's already: the names in it are not the client's there, and nothing may be made under them."""
    g = start(pool_size=1)
    c, other = raw(g.port), raw(g.port)
    c.query("prepare q as select 1")
    c.send(parse("prepare made as select 'by one'", "p") + parse("execute q", "e") + parse("execute e", "again") + parse("deallocate q", "d") + SYNC)
    c.collect()
    for sql in ("execute p", "execute e", "execute again", "execute d", "explain execute e", "select 1; execute p"):
        assert [e.sqlstate for e in c.query(sql).errors] == ["0A000"]
        c.send(parse(sql.split("; ")[-1]) + bind() + execute() + SYNC)
        assert [e.sqlstate for e in c.collect().errors] == ["0A000"]
        assert [e.sqlstate for e in other.query("execute made").errors] == ["26000"]
    c.query("begin; select 1/0")
    assert [e.sqlstate for e in c.query("execute p").errors] == ["25P02"]
    c.query("rollback")
    assert c.query("execute q").rows == [["1"]]
    c.end(), other.end()


def test_who_leaves_before_it_is_known(start):
    g = start(pool_size=1)
    for step in (query("begin") + query("prepare q as select 1"), query("prepare q as select 1"), parse("prepare q as select 1") + bind() + execute() + FLUSH,
                 query("begin") + parse("prepare q as select 1") + bind(portal="p") + SYNC):  # fmt: skip
        for is_reset in (True, False):
            c = raw(g.port)
            c.send(step)
            c.end(reset=is_reset)
    c = raw(g.port)
    assert c.query("prepare q as select 2; execute q").rows == [["2"]]
    c.end()
