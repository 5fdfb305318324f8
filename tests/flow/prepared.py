#!/usr/bin/python3
"""Named prepared statements in transaction mode: as on a connection of one's own, whichever connection one gets."""

import os
import random
import time

import psycopg
import pytest

import harness
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, PRIMARY_PORT, connect, in_threads, superuser, unread, value
from pgwire import FLUSH, SYNC, bind, close, describe, execute, parse, query


def raw(port, **more):
    return pgwire.Client(port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, **more).login()


def run(c, messages):
    c.send(messages + SYNC)
    return c.collect()


def use(c, name, values=()):
    return run(c, bind(values, name=name) + execute())


@pytest.fixture
def few(start):
    """Pools of two."""
    return start(pool_size=2)


def busy(gilmok, count):
    """Clients that hold `count` server connections in a transaction, so that others get what is left."""
    held = [connect(gilmok, autocommit=False) for _ in range(count)]
    for c in held:
        c.execute("select 1")
    return held


def test_more_clients_than_connections(few):
    """Each client's own statement under the same name, over two connections."""
    clients = [raw(few.port) for _ in range(12)]
    for i, c in enumerate(clients):
        assert run(c, parse(f"select {i}, $1::int", "s")).errors == []
    for _ in range(5):
        for i, c in random.sample(list(enumerate(clients)), len(clients)):
            assert use(c, "s", [b"7"]).rows == [[str(i), "7"]]
    for c in clients:
        c.end()


def test_the_same_statement_is_prepared_once_on_each_connection(few):
    clients = [raw(few.port) for _ in range(6)]
    for c in clients:
        run(c, parse("select 'shared'", "s"))
    for _ in range(3):
        for c in clients:
            assert use(c, "s").rows == [["shared"]]
    with connect(few, prepare_threshold=None) as c:
        assert value(c, unread("select count(*) from pg_prepared_statements")) <= 2  # one, and at most one spare that is about to go
    for c in clients:
        c.end()


def test_a_statement_follows_its_client_to_another_connection(few):
    c = raw(few.port)
    run(c, parse("select pg_backend_pid()", "s"))
    first = use(c, "s").rows[0][0]
    holder = connect(few, autocommit=False)
    pids = {first}
    for _ in range(20):
        with connect(few, autocommit=False) as other:
            other.execute("select 1")  # takes the connection that was used last
            pids.add(use(c, "s").rows[0][0])
        pids.add(use(c, "s").rows[0][0])  # the one that the other has just given back
    assert len(pids) == 2, "the client never moved"
    holder.close()
    c.end()


def test_describe_on_another_connection(few):
    c = raw(few.port)
    types = run(c, parse("select $1::int as a, 'x'::text as b", "s") + describe("S", "s")).types
    assert types == ["1", "t", "T", "Z"]
    with connect(few, autocommit=False) as other:
        other.execute("select 1")
        assert run(c, describe("S", "s")).types == ["t", "T", "Z"]
        assert run(c, describe("S", "s") + bind([b"1"], name="s") + describe("P") + execute()).types == ["t", "T", "2", "T", "D", "C", "Z"]
    c.end()


PIPELINES = {
    "parse and use": parse("select 1", "a") + bind(name="a") + execute(),
    "two of them": parse("select 1", "a") + parse("select 2", "b") + bind(name="b") + execute() + bind(name="a") + execute(),
    "close and parse anew": parse("select 1", "a") + close("S", "a") + parse("select 2", "a") + bind(name="a") + execute(),
    "closed is gone": parse("select 1", "a") + close("S", "a") + bind(name="a") + execute(),
    "twice the same name": parse("select 1", "a") + parse("select 2", "a") + bind(name="a") + execute(),
    "error in the parse": parse("selec", "a") + bind(name="a") + execute(),
    "error before the parse": parse("select 1/0") + bind() + execute() + parse("select 1", "a") + bind(name="a") + execute(),
    "error behind the parse": parse("select 1", "a") + bind(name="a", portal="p") + parse("selec", "b") + execute("p"),
    "unknown name": bind(name="nobody") + execute(),
    "unknown name behind a result": parse("select 1", "a") + bind(name="a") + execute() + bind(name="nobody") + execute(),
    "describe of an unknown one": parse("select 1") + bind() + execute() + describe("S", "nobody") + execute(),
    "flushed": parse("select 1", "a") + FLUSH + describe("S", "a") + FLUSH + bind(name="a") + execute() + FLUSH,
    "no rows": parse("create temp table zzz (x int)", "a") + describe("S", "a"),
    "empty": parse("", "a") + describe("S", "a") + bind(name="a") + execute(),
    "parameters": parse("select $1::int + $2", "a") + describe("S", "a") + bind([b"1", b"2"], name="a") + execute(),
    "too many values": parse("select 1", "a") + bind([b"1"], name="a") + execute(),
    "unsound": pgwire.message("P", b"a\0select 1\0\0\1"),
    "a long text": parse("select '" + "x" * 20000 + "'", "a") + bind(name="a") + execute(),
    "a longer text": parse("select '" + "x" * 60000 + "'", "a") + bind(name="a") + execute(),
    "a large value": parse("select length($1::text)", "a") + bind([b"x" * 200000], name="a") + execute(),
    "a transaction": parse("begin", "b") + bind(name="b") + execute() + parse("select 1", "a") + bind(name="a") + execute()
        + parse("rollback", "r") + bind(name="r") + execute(),
}  # fmt: skip
AFTER = {
    "the name": bind(name="a") + execute() + SYNC,
    "parsed again": parse("select 'again'", "a") + bind(name="a") + execute() + SYNC,
    "closed and parsed again": close("S", "a") + parse("select 'again'", "a") + bind(name="a") + execute() + SYNC,
    "deallocate": query("deallocate a") + bind(name="a") + execute() + SYNC,
    "deallocate quoted": query(' DEALLOCATE prepare "a" ; ') + bind(name="a") + execute() + SYNC,
    "deallocate another": query("deallocate b") + bind(name="a") + execute() + SYNC,
    "deallocate all": query("deallocate all") + bind(name="a") + execute() + SYNC,
    "discard all": query("discard all") + bind(name="a") + execute() + SYNC,
    "all in a pipeline": parse("deallocate all") + bind() + execute() + parse("select 'new'", "a") + bind(name="a") + execute() + SYNC,
    "in a transaction": query("begin") + bind(name="a") + execute() + SYNC + query("commit"),
    "in a failed transaction": query("begin") + query("select 1/0") + bind(name="a") + execute() + SYNC + query("deallocate a") + query("rollback"),
    "after a query without sync": parse("select 5") + query("select 6") + bind(name="a") + execute() + SYNC,
}  # fmt: skip


def transcript(port, pipeline, after, in_pieces):
    c = raw(port, timeout=2)
    end = query("select 'the end of it'")
    data = pipeline + SYNC + after + SYNC + end
    size = 7 if in_pieces else len(data)
    for at in range(0, len(data), size):
        c.send(data[at : at + size])
    got = []
    while not (got and got[-1][0] == "Z" and len(got) > 2 and b"the end of it" in got[-3][1]):
        kind, body = c.read()
        if kind == "E":
            fields = pgwire.error_fields(body)
            body = (fields["C"] + " " + fields["M"]).encode()
        if kind != "S":
            got.append((kind, body))
    c.end()
    return got


@pytest.mark.parametrize("after", list(AFTER))
@pytest.mark.parametrize("name", list(PIPELINES))
def test_like_direct(narrow, name, after):
    expected = transcript(PRIMARY_PORT, PIPELINES[name], AFTER[after], False)
    assert transcript(narrow.port, PIPELINES[name], AFTER[after], len(PIPELINES[name]) < 1000) == expected


# ---- the unnamed statement, by clients that come back to it ----


def test_the_unnamed_statement_follows_its_client(few):
    """Parsed once, used again and again while others take the connection that it was parsed on."""
    c = raw(few.port)
    run(c, parse("select pg_backend_pid(), $1::int"))
    pids = {use(c, "", [b"1"]).rows[0][0]}
    for i in range(20):
        with connect(few, autocommit=False) as other:
            other.execute("select 1")
            got = use(c, "", [str(i).encode()])
            assert not got.errors and got.rows[0][1] == str(i)
            pids.add(got.rows[0][0])
            assert run(c, describe("S")).types == ["t", "T", "Z"]
        pids.add(use(c, "", [b"1"]).rows[0][0])  # the connection that the other one has just given back
    assert len(pids) == 2, "the client never moved"
    c.end()


@pytest.mark.parametrize("killer, survives", [
    (query("select 2"), False),
    (query(""), False),
    (parse("select 'other'") + SYNC, "other"),
    (parse("selec") + SYNC, False),
    (close("S") + SYNC, False),
    (close("P") + SYNC, True),
    (parse("select 3", "named") + bind(name="named") + execute() + SYNC, True),
    (bind([b"x"]) + execute() + SYNC, True),
    (SYNC, True),
    (FLUSH + SYNC, True),
])  # fmt: skip
@pytest.mark.parametrize("moves", [False, True], ids=["same connection", "another connection"])
def test_what_ends_the_unnamed_statement(few, killer, survives, moves):
    """As on the server: a Query, a Parse (even one that fails) or a Close of it."""
    expected = ["first"] if survives is True else [survives] if survives else []

    def what_is_left(port):
        c = raw(port)
        run(c, parse("select 'first'"))
        use(c, "")
        c.send(killer)
        while c.collect().status != "I":
            pass
        held = busy(few, 1) if moves else []  # the connection that the client used last
        got = use(c, "")
        for h in held:
            h.close()
        c.end()
        return [r[0] for r in got.rows], [e.sqlstate for e in got.errors]

    direct = what_is_left(PRIMARY_PORT)
    assert direct == (expected, [] if expected else ["26000"])
    assert what_is_left(few.port) == direct


@pytest.mark.parametrize("skipped", [parse("select 'skipped'"), close("S"), query("select 'skipped'")])
def test_what_would_have_ended_it_was_skipped(few, skipped):
    """The server still has the old one; gilmok knows only the connection, and elsewhere may say that there is none."""
    c = raw(few.port)
    run(c, parse("select 'first'"))
    use(c, "")
    run(c, bind(name="nobody") + execute() + skipped)
    for _ in range(2):
        assert use(c, "").rows == [["first"]]
    held = busy(few, 1)
    got = use(c, "")
    assert got.rows in ([["first"]], []) and [e.sqlstate for e in got.errors] in ([], ["26000"])
    for h in held:
        h.close()
    c.end()


def test_the_unnamed_statement_survives_settings_of_gilmoks_own(start):
    """Clients whose settings must be put in force on the connection, which costs the server's unnamed statement."""
    g = start(pool_size=1)
    a, b = raw(g.port), raw(g.port)
    a.query("set datestyle = 'German'")
    b.query("set timezone = 'Asia/Tokyo'")
    values = {}
    for c in (a, b):
        run(c, parse("select current_setting('datestyle') || current_setting('timezone')"))
        values[c] = use(c, "").rows[0][0]
    assert values[a].startswith("German") and "Tokyo" in values[b]
    for _ in range(3):
        for c in (a, b):
            assert use(c, "").rows == [[values[c]]]
    a.end(), b.end()


def test_a_refused_parse_leaves_no_older_unnamed_statement(start):
    """Sent in one go: a Parse that no connection could be had for, and the use of what it should have prepared."""
    g = start(pool_size=1, database=["queue_timeout = 200ms"])
    c = raw(g.port)
    run(c, parse("select 'older'"))
    held = busy(g, 1)
    c.send(parse("select 'newer'") + SYNC)
    assert [e.sqlstate for e in c.collect().errors] == ["53300"]
    for h in held:
        h.close()
    got = use(c, "")
    assert got.rows == [] and [e.sqlstate for e in got.errors] == ["26000"]
    c.end()


@pytest.mark.parametrize("in_one_send", [False, True])
@pytest.mark.parametrize("error", [describe("S", "nobody"), describe("S"), parse("selec", "x"), bind(name="nobody")])
def test_a_skipped_parse_does_not_bring_somebody_elses_statement(start, error, in_one_send):
    """After an error the server skips the Parse: what it still has without a name is another client's."""
    g = start(pool_size=1)
    other, c = raw(g.port), raw(g.port)
    run(other, parse("select 'somebody else''s'"))
    data = error + parse("select 'mine'") + SYNC, bind() + execute() + SYNC
    if in_one_send:
        c.send(data[0] + data[1])
    for part in data:
        if not in_one_send:
            c.send(part)
        got = c.collect()
        assert got.rows == [] and len(got.errors) == 1
    assert got.errors[0].sqlstate == "26000"
    assert run(c, parse("select 'mine'") + bind() + execute()).rows == [["mine"]]
    other.end(), c.end()


@pytest.fixture
def left_behind(few):
    """A client whose unnamed statement `older` is on a connection that somebody else has; its next message goes to another one."""
    c, other = raw(few.port), raw(few.port)
    run(other, parse("begin", "begin") + parse("commit", "commit"))  # named: the connection keeps its unnamed statement
    run(c, parse("select 'older'"))
    use(other, "begin")
    yield c, lambda: use(other, "commit")
    c.end(), other.end()


@pytest.mark.parametrize("described", [False, True])
def test_an_older_unnamed_statement_elsewhere_is_not_the_clients_any_more(left_behind, described):
    c, give_back = left_behind
    run(c, parse("select 'newer'") + (describe("S") if described else b""))
    give_back()
    assert use(c, "").rows == [["newer"]]


@pytest.mark.parametrize("end", ["select 1", "close", "failing parse"])
def test_an_unnamed_statement_elsewhere_ends_with_the_clients(left_behind, end):
    c, give_back = left_behind
    run(c, {"select 1": query("select 1")[:0], "close": close("S"), "failing parse": parse("selec")}[end])
    if end == "select 1":
        c.query(end)
    give_back()
    got = use(c, "")
    assert got.rows == [] and [e.sqlstate for e in got.errors] == ["26000"]


def test_an_unnamed_statement_is_not_compared_with_an_older_ones_description(few):
    """The older one was too long to be kept, and described; the newer one was not."""
    c = raw(few.port)
    run(c, parse(f"select 'older', length('{'x' * 9000}')") + describe("S"))
    run(c, parse("select 7"))
    held = busy(few, 1)
    got = use(c, "")
    assert got.errors == [] and got.rows == [["7"]]
    for h in held:
        h.close()
    c.end()


def test_large_unnamed_statements(few):
    for size in (1000, 7000, 9000, 40000, 200000):
        c = raw(few.port)
        run(c, parse(f"select length('{'x' * size}')"))
        for _ in range(4):
            held = busy(few, 1)
            got = use(c, "")
            assert got.rows == [[str(size)]] or (size > 8000 and got.errors[0].sqlstate == "26000")
            for h in held:
                h.close()
        c.end()


@pytest.fixture
def shape():
    """A table whose columns change."""
    with superuser() as su:
        su.execute("drop table if exists shape; create table shape as select 1 as a, 'x'::text as b")
        su.execute(f"alter table shape owner to {APP_USER}")
        yield su
        su.execute("drop table shape")


@pytest.mark.parametrize("moves", [False, True], ids=["same connection", "another connection"])
def test_who_prepared_before_ddl_is_told(few, shape, moves):
    """As on a direct connection: 0A000, until it prepares again; who prepares after it gets the new columns."""
    old = raw(few.port)
    run(old, parse("select * from shape", "s"))
    assert use(old, "s").rows == [["1", "x"]]
    shape.execute("alter table shape add column c int default 3")
    held = busy(few, 1) if moves else []
    new = raw(few.port)
    run(new, parse("select * from shape", "s"))
    for _ in range(2):
        assert use(new, "s").rows == [["1", "x", "3"]]
        got = use(old, "s")
        assert got.rows == [] and got.errors[0].sqlstate == "0A000"
        assert "cached plan must not change result type" in str(got.errors[0])
    run(old, close("S", "s") + parse("select * from shape", "s"))
    assert use(old, "s").rows == [["1", "x", "3"]]
    for c in held:
        c.close()
    old.end(), new.end()


@pytest.mark.parametrize("moves", [False, True], ids=["same connection", "another connection"])
def test_who_described_the_unnamed_statement_before_ddl_is_told(few, shape, moves):
    c = raw(few.port)
    run(c, parse("select * from shape") + describe("S"))
    assert use(c, "").rows == [["1", "x"]]
    shape.execute("alter table shape add column c int default 3")
    held = busy(few, 1) if moves else []
    got = use(c, "")
    assert got.rows == [] and got.errors[0].sqlstate == "0A000"
    for h in held:
        h.close()
    c.end()


def test_a_changed_statement_ends_its_transaction(few, shape):
    """The error stands where the server's would: what went before it in the group is rolled back."""
    old = raw(few.port)
    run(old, parse("select * from shape", "s"))
    first = use(old, "s")
    assert first.rows
    shape.execute("alter table shape add column c int default 3")
    held = busy(few, 1)
    for c in held:  # now the connection that the client has not used yet is free
        c.rollback()
    with connect(few, autocommit=False) as other:
        other.execute("select 1")
        got = run(old, parse("insert into shape values (2, 'y', 4)") + bind() + execute() + bind(name="s") + execute())
        assert got.errors and got.errors[0].sqlstate == "0A000" and got.status == "I"
    assert shape.execute("select count(*) from shape").fetchone()[0] == 1
    old.end()
    for c in held:
        c.close()


def test_ddl_that_changes_nothing_for_a_statement(few, shape):
    old = raw(few.port)
    run(old, parse("select a, b from shape", "s"))
    shape.execute("create index on shape (a); alter table shape add column c int")
    held = busy(few, 1)
    assert use(old, "s").rows == [["1", "x"]]
    shape.execute("drop table shape; create table shape as select 2 as a, 'y'::text as b")
    shape.execute(f"alter table shape owner to {APP_USER}")
    assert use(old, "s").rows == [["2", "y"]]
    for c in held:
        c.close()
    assert use(old, "s").rows == [["2", "y"]]
    old.end()


def test_a_table_that_is_gone(few, shape):
    old = raw(few.port)
    run(old, parse("select * from shape", "s"))
    shape.execute("alter table shape rename to elsewhere")
    held = busy(few, 1)
    for _ in range(2):
        got = use(old, "s")
        assert got.errors[0].sqlstate == "42P01" and got.status == "I"
    shape.execute("alter table elsewhere rename to shape")
    assert use(old, "s").rows == [["1", "x"]]
    old.end()
    for c in held:
        c.close()


def test_the_limit_of_a_connection(start):
    """More statements than a connection may keep: each works, and the connection holds no more than it may."""
    g = start(pool_size=1, database=["max_prepared_statements = 10"])
    c = raw(g.port)
    for i in range(50):
        assert run(c, parse(f"select {i}", f"s{i}")).errors == []
    for _ in range(2):
        for i in random.sample(range(50), 50):
            assert use(c, f"s{i}").rows == [[str(i)]]
    got = run(c, b"".join(bind(name=f"s{i}") + execute() for i in range(50)))
    assert [r[0] for r in got.rows] == [str(i) for i in range(50)]
    assert int(c.ask(unread("select count(*) from pg_prepared_statements"))) <= 11
    c.end()


@pytest.mark.parametrize("limit, length, is_kept", [("32kB", 30000, True), ("32kB", 34000, False), ("4kB", 5000, False), ("60kB", 60000, True)])
def test_inspect_limit(start, limit, length, is_kept):
    """A longer Parse works all the same, on the one connection that its client then keeps."""
    g = start(main=[f"inspect_limit = {limit}"])
    c = raw(g.port)

    def held_by():
        end, reason = time.monotonic() + 2, "probe"
        while reason == "probe" and time.monotonic() < end:  # gilmok may look at what is left, first
            reason = g.show("CLIENTS", database=APP_DB)[0]["held_by"]
        return reason

    assert run(c, parse(f"select length('{'x' * length}')", "s")).errors == []
    assert held_by() == ("" if is_kept else "prepared statement")
    for _ in range(3):
        assert use(c, "s").rows == [[str(length)]]
    c.query("deallocate all")
    assert held_by() == ""
    c.end()


@pytest.mark.cve("T-PS ProxySQL #6197")
def test_many_statements_on_few_connections(start):
    """Pipelines over far more statements than connections keep: what is queued never loses its statement.
    GILMOK_PREPARED_STATEMENTS says how many there are (100,000 take a few minutes)."""
    total, clients, batch = int(os.environ.get("GILMOK_PREPARED_STATEMENTS", "1600")), 16, 40
    g = start(pool_size=2, database=["max_prepared_statements = 100"])
    each = total // clients

    def work(number):
        dice, c = random.Random(number), raw(g.port)
        names = [f"s{i}" for i in range(each)]
        for at in range(0, each, batch):
            got = run(c, b"".join(parse(f"select '{number} {n}', $1::text", n) for n in names[at : at + batch]))
            assert got.errors == [], got.errors
        for _ in range(each // batch):
            some = dice.choices(names, k=batch)
            got = run(c, b"".join(bind([n.encode()], name=n) + execute() for n in some))
            assert got.errors == [], got.errors
            assert got.rows == [[f"{number} {n}", n] for n in some]
        for n in dice.sample(names, each // 10):
            assert run(c, close("S", n) + parse("select 'anew'", n) + bind(name=n) + execute()).rows == [["anew"]]
        assert int(c.ask(unread("select count(*) from pg_prepared_statements"))) <= 101
        c.end()

    in_threads(clients, work, seconds=600)


def test_parsed_under_other_settings(few):
    """A date literal keeps the month that it had when it was parsed."""
    c, other = raw(few.port), raw(few.port)
    text = "select extract(month from date '01/02/2026')::int"
    run(other, parse(text, "s"))
    assert use(other, "s").rows == [["1"]]
    c.send(query("begin") + query("set local datestyle = 'DMY'"))
    c.collect(), c.collect()
    run(c, parse(text, "s"))
    assert use(c, "s").rows == [["2"]]
    c.query("commit")
    for _ in range(3):
        assert use(c, "s").rows == [["2"]]
        assert use(other, "s").rows == [["1"]]
    c.end(), other.end()


# ---- constants mean what they meant ----

MONTH = "select extract(month from date '01/02/2026')::int"


@pytest.fixture
def elsewhere(few):
    """A client whose statement `s` was prepared under ISO, MDY, and who now has DMY; another client has the connection that knows it."""
    c, other = raw(few.port), connect(few, autocommit=False)
    run(c, parse(MONTH, "s"))
    other.execute("select 1")
    c.query("set datestyle = 'ISO, DMY'")
    yield c
    other.close(), c.end()


def test_a_constant_keeps_its_meaning_under_other_settings(elsewhere):
    c = elsewhere
    assert use(c, "s").rows == [["1"]]
    assert c.ask("show datestyle") == "ISO, DMY"
    run(c, parse(MONTH, "t"))
    assert use(c, "t").rows == [["2"]]
    assert use(c, "s").rows == [["1"]]


@pytest.mark.parametrize("setting", ["timezone = 'Asia/Tokyo'", "intervalstyle = 'sql_standard'", "client_encoding = 'LATIN1'",
                                     "standard_conforming_strings = off"])  # fmt: skip
def test_every_reported_setting_can_be_put_around_a_parse(few, setting):
    c, text = raw(few.port), r"select timestamptz '2026-01-02 00:00+00'::text || interval '-1 2:00'::text || 'a\\b' || chr(228)"
    run(c, parse(text, "s"))
    before = use(c, "s").rows
    with connect(few, autocommit=False) as other:
        other.execute("select 1")
        c.query(f"set {setting}")
        now = c.ask(f"show {setting.split()[0]}")
        moved = use(c, "s")
        assert moved.errors == []
        assert c.ask(f"show {setting.split()[0]}") == now
    direct = raw(PRIMARY_PORT)
    run(direct, parse(text, "s"))
    assert use(direct, "s").rows == before
    direct.query(f"set {setting}")
    assert moved.rows == use(direct, "s").rows
    direct.end(), c.end()


@pytest.fixture
def boss():
    """A superuser of the tests' own, by name and password."""
    with superuser() as su:
        su.execute("create role flow_boss superuser login password 'of the tests'")
    yield {"user": "flow_boss", "password": "of the tests"}
    with superuser() as su:
        su.execute("drop role flow_boss")


def test_constants_do_not_depend_on_who_one_is(start, boss):
    """Prepared under its own authorization, used under another one, on a connection that lacks it."""
    g = start(pool_size=2, users={boss["user"]: boss["password"]})
    c, other = pgwire.Client(g.port, database=APP_DB, **boss).login(), connect(g, autocommit=False, **boss)
    run(c, parse(MONTH, "s"))
    other.execute("select 1")
    c.query("begin"), c.query(f"set session authorization {APP_USER}")
    got = use(c, "s")
    assert got.errors == [] and got.rows == [["1"]]
    assert c.ask("select session_user") == APP_USER
    c.query("rollback")
    assert use(c, "s").rows == [["1"]]
    other.close(), c.end()


def test_constants_under_another_authorization_and_other_settings(start, boss):
    """Whether the server would read them again depends on the schemas of the path: that is refused."""
    g = start(pool_size=2, users={boss["user"]: boss["password"]})
    c, other = pgwire.Client(g.port, database=APP_DB, **boss).login(), connect(g, autocommit=False, **boss)
    run(c, parse(MONTH, "s"))
    other.execute("select 1")
    c.query("begin"), c.query("set local datestyle = 'ISO, DMY'"), c.query(f"set session authorization {APP_USER}")
    assert use(c, "s").errors[0].sqlstate == "0A000"
    c.query("rollback")
    assert use(c, "s").rows == [["1"]]
    other.close(), c.end()


def test_settings_around_a_parse_inside_a_transaction(elsewhere):
    c = elsewhere
    c.query("begin")
    c.query("set local datestyle = 'German, YMD'")
    assert use(c, "s").rows == [["1"]]
    assert c.ask("show datestyle") == "German, YMD"
    c.query("commit")
    assert c.ask("show datestyle") == "ISO, DMY"


def test_settings_around_a_parse_inside_a_pipeline(elsewhere):
    c = elsewhere
    run(c, parse("begin", "b") + parse("commit", "e"))
    got = run(c, bind(name="b") + execute() + bind(name="s") + execute() + bind(name="e") + execute())
    assert got.errors == [] and got.rows == [["1"]] and got.status == "I", got.errors
    assert c.ask("show datestyle") == "ISO, DMY"


def test_settings_that_are_not_reported_yet_are_asked_for(elsewhere):
    """A SET in front of it in the same pipeline is reported too late."""
    c = elsewhere
    show = parse("show datestyle") + bind() + execute()
    c.send(parse("set datestyle = 'German'") + bind() + execute() + FLUSH)  # gilmok cannot know what will follow
    c.collect(until="C")
    got = run(c, bind(name="s") + execute() + show)
    assert got.rows == [["1"], ["German, DMY"]] and got.status == "I"
    assert c.ask("show datestyle") == "German, DMY"


def test_settings_that_a_rollback_has_changed_are_asked_for(elsewhere):
    c = elsewhere
    c.query("begin"), c.query("set local datestyle = 'German, YMD'")
    got = run(c, parse("rollback") + bind() + execute() + bind(name="s") + execute() + parse("show datestyle") + bind() + execute())
    assert got.rows == [["1"], ["ISO, DMY"]] and got.errors == [] and got.status == "I"


def test_a_name_whose_new_meaning_is_skipped(few):
    """In one send: a group in which it is given anew behind an error, and a group that uses it."""
    c = raw(few.port)
    first = parse("select 'old'", "s") + parse("select 1/0", "e") + bind(name="e") + execute()
    c.send(first + close("S", "s") + parse("select 'new'", "s") + SYNC + bind(name="s") + execute() + SYNC)
    assert [e.sqlstate for e in c.collect().errors] == ["22012"]
    assert c.collect().rows == [["old"]]
    c.send(close("S", "s") + parse("select 'new'", "s") + SYNC + bind(name="s") + execute() + SYNC)
    assert c.collect().errors == [] and c.collect().rows == [["new"]]
    c.end()


# ---- in a transaction that has failed ----

ABORTED = [
    ("select $1::int", bind([b"7"], name="s") + execute()),
    ("select $1::int", bind(name="s") + execute()),
    ("select $1::int", describe("S", "s")),
    ("insert into nowhere values ($1)", bind([b"7"], name="s") + execute()),
    ("do 'begin end'", describe("S", "s") + bind(name="s") + execute()),
    ("do 'begin end'", bind([b"one too many"], name="s") + execute()),
    ("rollback", describe("S", "s") + bind(name="s") + execute()),
    ("commit", bind(name="s") + execute()),
    ("", describe("S", "s") + bind(name="s") + execute()),
]


@pytest.mark.parametrize("text, messages", ABORTED)
def test_in_a_failed_transaction_as_if_it_were_there(few, text, messages):
    with superuser() as su:
        su.execute("create table if not exists nowhere (a int); grant all on nowhere to public")
    got = []
    for port in (PRIMARY_PORT, few.port):
        c = raw(port)
        assert run(c, parse(text, "s")).errors == []
        mover = connect(few, autocommit=False)  # takes the connection that has it
        mover.execute("select 1")
        c.query("begin"), c.query("select 1/0")
        c.send(messages + SYNC)
        answer = c.collect()
        got.append(([e.fields for e in answer.errors], answer.types, answer.status))
        mover.close(), c.end()
    for alone, shared in zip(got[0][0], got[1][0]):
        if "F" not in shared:  # an error of gilmok's own has no place in the server's source
            del alone["F"], alone["L"]
    assert got[0] == got[1]


# ---- what a group needs is there before it begins ----


@pytest.fixture
def needy(few):
    """Uses what it is given in a group, on a connection that has nothing of the client's."""
    c, mover = raw(few.port), connect(few, autocommit=False)

    def prepare_and_use(statements, group, meanwhile=None):
        assert run(c, b"".join(parse(text, name) for name, text in statements.items())).errors == []
        mover.execute("select 1")
        if meanwhile:
            meanwhile()
        return run(c, group)

    yield prepare_and_use
    mover.close(), c.end()


def test_a_fetch_is_not_described_anew(few):
    """Prepared when there was no such cursor: the server does not look again."""
    c, mover = raw(few.port), connect(few, autocommit=False)
    run(c, parse("fetch all from some_cursor", "f"))
    mover.execute("select 1")
    c.query("begin; declare some_cursor cursor for select 'row'")
    assert use(c, "f").rows == [["row"]]
    mover.close(), c.end()


def test_no_snapshot_is_taken_before_set_transaction(needy):
    isolation = {"a": "select $1::text", "i": "set transaction isolation level repeatable read", "b": "begin"}
    got = needy(isolation, bind(name="b") + execute() + describe("S", "a") + bind(name="i") + execute())
    assert got.errors == [] and got.status == "T"


def test_a_table_that_changes_in_the_group(needy):
    """The server's own error, as on a connection where the statement was prepared before."""
    with superuser() as su:
        su.execute("drop table if exists changing; create table changing (a int); grant all on changing to public; alter table changing owner to app")
    statements = {"c": "alter table changing add b int", "s": "select * from changing"}
    got = needy(statements, bind(name="c") + execute() + bind(name="s") + execute())
    assert [(e.sqlstate, e.fields["F"], e.fields["R"]) for e in got.errors] == [("0A000", "plancache.c", "RevalidateCachedQuery")]


def test_a_statement_that_cannot_be_prepared_any_more_fails_in_its_place(needy):
    with superuser() as su:
        su.execute("drop table if exists leaving; create table leaving (a int); grant all on leaving to public")
        statements = {"one": "select 1", "s": "select * from leaving", "two": "select 2"}
        use_all = bind(name="one") + execute() + bind(name="s") + execute() + bind(name="two") + execute()
        got = needy(statements, use_all, lambda: su.execute("drop table leaving"))
        assert got.rows == [["1"]] and [e.sqlstate for e in got.errors] == ["42P01"] and got.status == "I"


def test_several_groups_in_one_send(needy):
    statements = {"one": "select 1", "two": "select 'two'", "b": "begin", "e": "commit"}
    group = bind(name="one") + execute() + SYNC + bind(name="b") + execute() + bind(name="two") + execute() + SYNC
    group += bind(name="two") + execute() + bind(name="e") + execute() + bind(name="one") + execute()
    got = needy(statements, group)
    assert got.rows == [["1"]] and got.errors == []


SETTERS = [
    "set datestyle = 'ISO, DMY'",
    "select set_config('datestyle', 'ISO, DMY', false)",
    "do $$ begin set datestyle = 'ISO, DMY'; end $$",
]


@pytest.mark.parametrize("setter", SETTERS)
@pytest.mark.parametrize("name", ["", "s"])
def test_parsed_behind_a_set_of_its_own_pipeline(few, setter, name):
    """What it means is known, on any connection: nothing is pinned."""
    c, other = raw(few.port), connect(few, autocommit=False)
    got = run(c, parse(setter) + bind() + execute() + parse(MONTH, name))
    assert got.errors == []
    if name:  # a Query would end the unnamed one
        c.query("set datestyle = 'ISO, MDY'")
    with connect(few) as third:
        assert value(third, "select 'nobody is kept waiting'")
    other.execute("select 1")
    for _ in range(2):
        assert use(c, name).rows == [["2"]]
    other.close(), c.end()


def test_what_the_server_skipped_leaves_the_unnamed_statement_alone(few):
    c, other = raw(few.port), connect(few, autocommit=False)
    for skipped in (parse("select 'two'"), parse("select 'two'") + parse("select 'three'"), close("S", "")):
        got = run(c, parse("select 'one'") + bind() + execute() + bind(name="no such") + skipped)
        assert got.rows == [["one"]] and [e.sqlstate for e in got.errors] == ["26000"]
        other.execute("select 1")
        assert use(c, "").rows == [["one"]]
        other.rollback()
    got = run(c, parse("selec") + bind() + execute())
    assert [e.sqlstate for e in got.errors] == ["42601"]
    assert [e.sqlstate for e in use(c, "").errors] == ["26000"], "an error in a Parse drops the one before"
    other.close(), c.end()


def test_a_set_that_is_under_way_is_waited_for(few):
    """In one send: SET, and the use of a statement that must be prepared behind it."""
    c, other = raw(few.port), connect(few, autocommit=False)
    run(c, parse(MONTH, "s"))
    other.execute("select 1")
    c.send(query("set datestyle = 'ISO, DMY'") + bind(name="s") + execute() + SYNC)
    assert c.collect().errors == []
    assert c.collect().rows == [["1"]]
    assert c.ask("show datestyle") == "ISO, DMY"
    other.close(), c.end()


def test_a_parse_behind_a_set_in_one_send_means_what_it_says(few):
    """Others have prepared the same text before, under the settings that were in force when the message was sent."""
    c, other = raw(few.port), raw(few.port)
    run(other, parse(MONTH, "s"))
    for name in ("s", ""):
        c.send(query("set datestyle = 'ISO, DMY'") + parse(MONTH, name) + SYNC)
        assert c.collect().errors == [] and c.collect().errors == []
        for _ in range(3):
            assert use(other, "s").rows == [["1"]]
            assert use(c, name).rows == [["2"]]
        c.query("set datestyle = 'ISO, MDY'")
    c.end(), other.end()


def test_a_parse_that_fails_between_settings(few):
    """Its error stands in the place of the Bind, and the settings are as they were."""
    c = raw(few.port)
    with superuser() as su:
        su.execute("drop table if exists between_settings; create table between_settings (d date); grant all on between_settings to public")
        run(c, parse("select d from between_settings where d > '01/02/2026'", "s"))
        with connect(few, autocommit=False) as other:
            other.execute("select 1")
            c.query("set datestyle = 'ISO, DMY'")
            su.execute("drop table between_settings")
            got = run(c, parse("select 7") + bind() + execute() + bind(name="s") + execute())
            assert got.rows == [["7"]] and [e.sqlstate for e in got.errors] == ["42P01"] and got.status == "I"
            assert c.ask("show datestyle") == "ISO, DMY"
            assert run(c, parse("select 8") + bind() + execute()).rows == [["8"]]
    c.end()


def test_statements_dropped_behind_our_back(start):
    """A function that deallocates: its caller gets an error once, nobody after it does."""
    g = start(pool_size=1)
    with superuser() as su:
        su.execute("create or replace function drop_them() returns int language plpgsql as $$ begin execute 'deallocate all'; return 1; end $$")
    c, other = raw(g.port), raw(g.port)
    for k in (c, other):
        run(k, parse("select 'mine'", "s"))
        assert use(k, "s").rows == [["mine"]]
    c.query("select drop_them()")
    codes = [[e.sqlstate for e in use(k, "s").errors] for k in (c, other, c, other)]
    assert codes == [["26000"], [], [], []]
    c.end(), other.end()


def test_a_name_that_is_taken(few):
    """The server reads the text before it looks at the name, and says all of it in the client's words."""
    c, direct = raw(few.port), raw(PRIMARY_PORT)
    for text in ("select 1", "select 1 +", "select no_such_function()", "select 'x'::int", "select 1; select 2", ""):
        for before in (b"", query("begin"), query("begin") + parse("select 1/0") + bind() + execute() + SYNC):
            got, expected = ([], [])
            for k, into in ((c, got), (direct, expected)):
                k.send(before + parse("select 7", "s") + SYNC)
                for _ in range(before.count(b"begin") + before.count(SYNC) + 1):
                    k.collect()
                r = run(k, parse(text, "s") + bind() + execute())
                into += [[(e.sqlstate, e.fields) for e in r.errors], r.status]
                k.query("rollback")
                into.append(use(k, "s").rows)
                run(k, close("S", "s"))
            assert got == expected, (text, before)
    c.end(), direct.end()


def test_errors_speak_the_clients_names(few):
    """In pipelines, too, and of names that are gone or have never come to be."""
    c, direct = raw(few.port), raw(PRIMARY_PORT)
    scripts = (
        parse("select $1::int", "s") + SYNC + bind(name="s") + SYNC,
        parse("select $1::int", "s") + parse("select $1::int", "t") + bind(name="t") + SYNC + bind(name="s") + SYNC,
        parse("selec", "s") + SYNC + bind(name="s") + SYNC + describe("S", "s") + SYNC,
        parse("select 1", "s") + SYNC + query("deallocate all") + bind(name="s") + SYNC,
        parse("select $1::int") + SYNC + bind() + SYNC,
    )
    for script in scripts:
        got, expected = [], []
        for k, into in ((c, got), (direct, expected)):
            k.send(script)
            for _ in range(script.count(SYNC) + script.count(b"deallocate")):
                into += [e.fields["M"] for e in k.collect().errors]
            k.query("deallocate all")
        assert got == expected and got, script
    c.end(), direct.end()


def test_drivers_that_prepare(few):
    """psycopg prepares after five uses, and deallocates by SQL beyond its limit."""

    def work(i):
        with connect(few, prepare_threshold=1) as c:
            c.prepared_max = 3
            for k in range(60):
                n = k % 7
                assert c.execute(f"select {n} + %s", [i]).fetchone()[0] == n + i

    in_threads(8, work)


def test_a_client_that_leaves_in_the_middle(few):
    for cut in (parse("select 1", "s"), parse("select 1", "s") + bind(name="s") + execute() + FLUSH, parse("selec", "s") + FLUSH):
        c = raw(few.port)
        c.send(cut)
        c.end(reset=True)
    with connect(few) as c:
        assert value(c, "select 'fine'") == "fine"


def test_pgbench(few):
    from flowtools import run as program

    assert program(few, "pgbench", "-i", "-q", "-s", "1").returncode == 0
    done = program(few, "pgbench", "-n", "-S", "-M", "prepared", "-c", "16", "-j", "2", "-t", "200")
    assert done.returncode == 0 and "actually processed: 3200/3200" in done.stdout, done.stderr
    assert "failed transactions: 0" in done.stdout


def test_error_class(few):
    with connect(few) as c, pytest.raises(psycopg.errors.UndefinedTable):
        c.execute("select * from no_such_table", prepare=True)


def test_a_describe_tells_the_parameters_before_it_fails(start):
    """On a connection that lacks the statement, and cannot prepare it any more, as on the client's own."""
    answers = []
    g = start(pool_size=1)
    for port in (PRIMARY_PORT, g.port):
        c = pgwire.Client(port, user=APP_USER, password=APP_PASSWORD, database=APP_DB).login()
        c.query("create table gone (id int); insert into gone values (1)")
        c.send(pgwire.parse("select id from gone where id = $1", "s") + pgwire.SYNC)
        c.collect()
        with superuser() as su:
            su.execute("drop table gone")
            if port != PRIMARY_PORT:
                ended = value(su, "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = %s", (APP_USER,))
                assert ended
                harness.wait_for(lambda: not g.show("SERVERS", database=APP_DB), what="the end, and that gilmok knows of it")
        c.send(pgwire.describe("S", "s") + pgwire.SYNC)
        got = c.collect()
        answers.append((got.types, [e.sqlstate for e in got.errors]))
        c.end()
    assert answers[0] == answers[1] == (["t", "E", "Z"], ["42P01"])
