#!/usr/bin/python3
"""What gilmok says of the way of statements: SHOW ROUTES counts it, with the reason."""

import asyncio
import collections
import threading
import time

import asyncpg
import psycopg
import pytest

from flowtools import APP_DB, value
from harness import wait_for
from pgwire import bind, close, describe, execute, message, parse, query
from split import SPLIT, at, client, cluster, ready, started  # noqa: F401

FLUSH, SYNC = message("H"), message("S")


def routes(g, database="split"):
    """(route, reason) -> exchanges"""
    return {(r["route"], r["reason"]): int(r["exchanges"]) for r in g.show("ROUTES", database=database)}


class Counted:
    """What has been counted since it was begun, without what is 0."""

    def __init__(self, g):
        self.g, self.before = g, routes(g)

    def __call__(self):
        now = routes(self.g)
        return {key: n - self.before.get(key, 0) for key, n in now.items() if n != self.before.get(key, 0)}


def test_reads_and_texts_that_stay(cluster, started):  # noqa: F811
    g = started(main=["workers = 2"])
    with ready(cluster, g, prepare_threshold=None) as c, ready(cluster, g, prepare_threshold=0) as other:
        counted = Counted(g)
        for _ in range(5):
            c.execute("select here()")
            c.execute("select here() from kept where id = %s", (1,))
            other.execute("select here() from kept where id = %s", (1,))
        assert counted() == {("replica", "reads"): 16}, "one of them prepares a statement"
        counted = Counted(g)
        c.execute("update kept set word = word where id = 1")
        c.execute("select 1 from kept where id = 1 for update")
        c.execute("select pg_is_in_recovery()")
        c.execute("select nextval('numbers')")
        for _ in range(3):
            c.execute("insert into kept values (%s, 'x') on conflict do nothing", (1,))
        assert counted() == {
            ("primary", "writes"): 4,
            ("primary", "locks_rows"): 1,
            ("primary", "function_node"): 1,
            ("primary", "function_writes"): 1,
        }


def test_what_keeps_a_session(cluster, started):  # noqa: F811
    g = started()
    with ready(cluster, g, prepare_threshold=None) as c:
        counted = Counted(g)
        with c.transaction():
            c.execute("select here()")
            c.execute("select here()")
        assert counted() == {("primary", "transaction"): 3}
        for make, end, word in (
            ("create temp table mine (i int)", "drop table mine", "temporary_objects"),
            ("select pg_advisory_lock(7)", "select pg_advisory_unlock(7)", "advisory_locks"),
            ("declare held cursor with hold for select 1", "close held", "cursor_with_hold"),
        ):
            c.execute(make)
            wait_for(lambda: g.show("CLIENTS", database="split")[0]["held_by"] not in ("probe", "request"))
            counted = Counted(g)
            for _ in range(4):
                c.execute("select here()")
            got = counted()
            assert got.pop(("primary", word), 0) >= 3 and got.pop(("primary", "probe"), 0) <= 1 and not got, (word, got)
            c.execute(end)
            wait_for(lambda: at(cluster, c) in "bc", what="replicas again")


def test_exchanges_that_nobody_could_judge(cluster, started):  # noqa: F811
    g = started()
    with ready(cluster, g):
        c = g.login(user="app", password=cluster.env["APP_PASSWORD"], database="split")
        counted = Counted(g)
        c.send(query("update kept set word = word where id = 1") + query("select here()") * 3)
        for _ in range(4):
            assert not c.collect().errors
        assert counted() == {("primary", "writes"): 1, ("primary", "pipelined"): 3}
        counted = Counted(g)
        c.send(query("begin") + query("select here()") * 2 + query("commit"))
        for _ in range(4):
            assert not c.collect().errors
        assert counted() == {("primary", "transaction"): 3}
        counted = Counted(g)
        for end, word in ((FLUSH, "other_message"), (b"", "not_in_hand")):
            counted = Counted(g)
            c.send(parse("select here()") + bind() + execute() + end)
            if not end:
                wait_for(lambda: g.show("CLIENTS", database="split", phase="active"), what="what is in hand to be sent")
            c.send(SYNC)
            assert not c.collect().errors
            assert counted() == {("primary", word): 1}
        c.end()


def test_without_replicas_and_while_the_catalog_is_read(cluster, started):  # noqa: F811
    g = started()
    with ready(cluster, g, prepare_threshold=None) as c, client(cluster, g) as other:
        counted = Counted(g)
        for _ in range(10):
            other.execute("create or replace function nothing_much() returns int stable language sql as 'select 1'")
            c.execute("select here()")
        assert counted().get(("primary", "catalog_unknown"), 0) > 0, routes(g)
        wait_for(lambda: at(cluster, c) in "bc", what="replicas again")
        for node in "bc":
            cluster.stop(node, "fast")
        try:
            wait_for(lambda: at(cluster, c) == "a", what="the loss of the replicas to be noticed")
            counted = Counted(g)
            for _ in range(5):
                c.execute("select here()")
            c.execute("update kept set word = word where id = 1")
            assert counted() == {("primary", "no_replica"): 5, ("primary", "writes"): 1}
        finally:
            for node in "bc":
                cluster.start(node)


def test_only_databases_with_a_split_are_counted(cluster, started):  # noqa: F811
    g = started()
    with client(cluster, g, dbname=APP_DB) as c:
        c.execute("select 1")
    assert {r["database"] for r in g.show("ROUTES")} <= {"split"}


# ---- EXPLAIN (ROUTE)


def route(c, sql, *args, **more):
    """The answer word, and the reasons."""
    rows = c.execute("EXPLAIN (ROUTE) " + sql, *args, **more).fetchall()
    assert len(rows) == 1 and len(rows[0]) == 1, rows
    word, _, reasons = rows[0][0].partition("\t")
    assert "\n" not in reasons and "\t" not in reasons
    return word, reasons


def test_explain_says_what_happens(cluster, started):  # noqa: F811
    """Whatever it says of a statement, that is where it goes."""
    g = started()
    texts = (
        "select here()",
        "select here() from kept where id = 1",
        "select here() from kept where id = 1 for share",
        "select here(), pg_is_in_recovery()",
        "select here(), nextval('numbers')",
        "update kept set word = word where id = 1 returning here()",
        "with k as (select 1) select here() from k",
        "select here(), current_setting('work_mem')",
    )
    with ready(cluster, g, prepare_threshold=None) as c:
        before = Counted(g)
        said = [route(c, sql)[0] for sql in texts]
        assert before() == {}, "it is no exchange"
        went = ["replica" if at(cluster, c, sql) in "bc" else "primary" for sql in texts]
        assert said == went and set(said) == {"replica", "primary"}
        assert route(c, "select here() from kept")[1] == (
            "SELECT at 0: reads; function here at 7: one of read_functions; table kept at 19: an ordinary table")  # fmt: skip
        word, reasons = route(c, "select * from kept, pg_locks for update")
        assert word == "primary" and reasons.startswith("table pg_locks at 20: speaks of the server that it is read on; FOR UPDATE at")
        assert route(c, "create temp table t (i int)")[0] == "session"
        assert route(c, "this is no sql")[0] == "primary" and route(c, "select nobody_knows()")[0] == "primary"
        assert c.execute("explain/* so */(route) select 1").description[0].name == "route"
        assert c.execute("EXPLAIN (ROUTE) select 1").statusmessage == "EXPLAIN"


def test_explain_says_what_holds_the_session(cluster, started):  # noqa: F811
    g = started()
    with ready(cluster, g, prepare_threshold=None) as c:
        with c.transaction():
            assert route(c, "select here()")[0] == "primary"
            assert route(c, "select here()")[1].startswith("a transaction is open")
            assert c.info.transaction_status.name == "INTRANS"
            c.execute("insert into kept values (8000, 'x')")
            assert route(c, "insert into kept values (1)")[0] == "primary"
            c.execute("delete from kept where id = 8000")
        assert c.info.transaction_status.name == "IDLE"
        c.execute("create temp table mine (i int)")
        word, reasons = route(c, "select here()")
        assert word == "session" and reasons.startswith("the client has temporary objects; "), reasons
        c.execute("drop table mine")
        wait_for(lambda: route(c, "select here()")[0] == "replica", what="what the names stand for to be known again")
        c.execute("begin")
        with pytest.raises(psycopg.errors.DivisionByZero):
            c.execute("select 1/0")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            route(c, "select here()")
        c.execute("rollback")
        assert route(c, "select here()")[0] == "replica"


def test_explain_while_names_are_lent(cluster, started):  # noqa: F811
    """What the client has prepared by SQL stays on its connection under its own names while it is held for another reason."""
    g = started()
    with ready(cluster, g):
        c = g.login(user="app", password=cluster.env["APP_PASSWORD"], database="split")
        for sql in ("create temp table mine (i int)", "prepare s as select 1", "do 'begin execute ''execute s''; end'"):
            assert not c.query(sql).errors
        for ask in (query("EXPLAIN (ROUTE) select 1"), parse("EXPLAIN (ROUTE) select 1") + bind() + execute() + SYNC):
            c.send(ask)
            assert c.collect().rows[0][0].startswith("session\tthe client has temporary objects")
        assert c.query("execute s").rows == [["1"]]
        c.end()


def test_explain_beside_other_statements(cluster, started):  # noqa: F811
    g = started()
    with ready(cluster, g):
        c = g.login(user="app", password=cluster.env["APP_PASSWORD"], database="split")
        ask = query("EXPLAIN (ROUTE) select here()")
        c.send(query("select pg_sleep(0.2), pg_is_in_recovery()") + ask + query("begin") + ask + ask[:9])
        assert c.collect().rows == [["", "f"]]
        assert c.collect().rows[0][0].startswith("replica\t")
        assert c.collect().status == "T"
        got = c.collect()
        assert got.rows[0][0].startswith("primary\ta transaction is open") and got.status == "T" and got.types == ["T", "D", "C", "Z"]
        c.send(ask[9:] + query("rollback"))
        assert c.collect().status == "T" and c.collect().status == "I"
        for wrong in ("EXPLAIN (ROUTE, ANALYZE) select 1", "EXPLAIN (ROUTE) select 1; select 2", "EXPLAIN (ROUTE)"):
            got = c.query(wrong)
            assert got.errors[0].sqlstate == "42601" and got.status == "I", wrong
        c.end()


def test_explain_with_the_extended_protocol(cluster, started):  # noqa: F811
    g = started()
    with ready(cluster, g, prepare_threshold=None) as c:
        for binary in (False, True):
            cur = c.cursor(binary=binary)
            got = cur.execute("EXPLAIN (ROUTE) select here() from kept where id = %s", (7,)).fetchone()[0]
            assert got.startswith("replica\t"), got
        with c.transaction():
            assert route(c, "select here() from kept where id = %s", (7,))[0] == "primary"
            assert c.info.transaction_status.name == "INTRANS"
        assert route(c, "update kept set word = %s", ("x",))[0] == "primary"
        raw = g.login(user="app", password=cluster.env["APP_PASSWORD"], database="split")
        text = "EXPLAIN (ROUTE) select here()"
        whole = parse(text) + describe("S") + bind() + describe("P") + execute() + close("P") + SYNC
        for cut in (len(whole), 3, 40, len(whole) - 1):
            raw.send(whole[:cut])
            raw.send(whole[cut:] + query("select 1"))
            assert raw.collect().types == ["1", "t", "T", "2", "T", "D", "C", "3", "Z"]
            assert raw.collect().rows == [["1"]]
        for ask in (parse(text) + FLUSH + bind() + execute() + SYNC, parse(text) + describe("S") + FLUSH + bind() + execute() + SYNC,
                    parse("select 1") + bind() + execute() + parse(text) + bind() + describe("P") + execute() + SYNC):  # fmt: skip
            raw.send(ask)
            got = raw.collect()
            assert not got.errors and got.rows[-1][0].startswith("replica\t") and got.status == "I"
            assert len(got.rows) == 1 or got.rows[0] == ["1"]
        raw.send(parse(text) + FLUSH + bind() + execute() + FLUSH + SYNC)
        assert raw.collect().errors[0].sqlstate == "42601", "not up to the Sync"
        typed = message("P", b"\0" + text.encode() + b" where $1\0\0\x01\0\0\0\x10")
        raw.send(typed + describe("S") + bind((b"t",)) + execute() + SYNC)
        kinds = [raw.read() for _ in range(7)]
        assert kinds[1] == ("t", b"\0\x01\0\0\0\x10") and "".join(kind for kind, _ in kinds) == "1tT2DCZ"
        for broken in (message("Q", text.encode() + b"\0x"), message("P", b"\0" + text.encode() + b"\0\0\x01") + bind() + execute() + SYNC):
            raw.send(broken)
            got = raw.collect()
            assert got.errors[0].sqlstate == "08P01", "the server finds a message wrong, not gilmok"
        raw.send(whole)
        assert raw.collect().rows[0][0].startswith("replica\t")
        raw.send(bind() + execute() + SYNC)
        assert raw.collect().errors[0].sqlstate == "26000", "the unnamed statement was no other"
        raw.end()


@pytest.mark.parametrize("workers", [1, 3])
def test_explain_of_a_prepared_statement(cluster, started, workers):  # noqa: F811
    g = started(main=[f"workers = {workers}"])
    reads, writes = "EXPLAIN (ROUTE) select here() from kept where id = $1", " explain(route) update kept set word = 'x' where id = 1"
    with ready(cluster, g):
        c = g.login(user="app", password=cluster.env["APP_PASSWORD"], database="split")
        for steps in (
            [parse(reads, "r") + SYNC], [parse(reads, "r") + describe("S", "r") + SYNC],
            [parse(reads, "r") + bind((b"7",), "r") + describe("P") + execute() + SYNC],
            [parse(reads, "r") + describe("S", "r") + FLUSH, bind((b"7",), "r") + execute() + SYNC],
            [parse(reads, "r") + describe("S", "r") + bind((b"7",), "r") + execute(), SYNC],
        ):  # fmt: skip
            for step in steps:
                c.send(step)
                time.sleep(0.02 * (len(steps) > 1))
            got = c.collect()
            assert not got.errors and got.status == "I" and got.types[0] == "1" and got.types[-1] == "Z"
            assert got.rows == [] or got.rows[0][0].startswith("replica\t")
            counted = Counted(g)
            for whole in (bind((b"7",), "r") + describe("P") + execute() + SYNC, bind((b"8",), "r") + execute() + close("P") + SYNC):
                c.send(whole + query("select 1"))
                got = c.collect()
                assert got.rows[0][0].startswith("replica\tSELECT at 0: reads; "), got.rows
                assert got.types == (["2", "T", "D", "C", "Z"] if len(got.types) == 5 and got.types[1] == "T" else ["2", "D", "C", "3", "Z"])
                assert c.collect().rows == [["1"]]
            assert sum(counted().values()) == 2, "it is no exchange"
            c.send(parse(writes, "w") + SYNC + bind((), "w") + execute() + SYNC)
            assert not c.collect().errors and c.collect().rows[0][0].startswith("primary\t")
            assert not c.query("begin; select 1").errors
            c.send(bind((b"7",), "r") + execute() + SYNC)
            got = c.collect()
            assert got.rows[0][0].startswith("primary\ta transaction is open") and got.status == "T"
            assert c.query("select 1/0").errors
            c.send(bind((b"7",), "r") + execute() + SYNC)
            assert c.collect().errors[0].sqlstate == "25P02"
            assert c.query("rollback").status == "I"
            c.send(close("S", "r") + close("S", "w") + SYNC + bind((b"7",), "r") + execute() + SYNC)
            assert not c.collect().errors and c.collect().errors[0].sqlstate == "26000"
        c.send(parse("EXPLAIN (ROUTE) select nope", "n") + bind((), "n") + execute() + SYNC)
        assert c.collect().errors[0].sqlstate == "42703" and c.query("select 1").rows == [["1"]]
        c.send(parse(reads, "r") + SYNC + bind((b"7",), "r") + execute() + bind((b"7",), "r") + execute() + SYNC)
        assert not c.collect().errors and c.collect().errors[0].sqlstate == "42601", "not alone before the Sync"
        c.send(parse(reads, "s") + parse(reads, "s") + bind((b"7",), "r") + execute() + SYNC)
        assert c.collect().errors[0].sqlstate == "42P05" and c.query("select 1").rows == [["1"]]
        c.end()
    with ready(cluster, g, prepare_threshold=0) as c:
        for _ in range(8):
            assert route(c, "select here() from kept where id = %s", (7,))[0] == "replica"
            assert route(c, "select here() from kept where id = 7", binary=True)[0] == "replica"


@pytest.mark.parametrize("cache", [100, 0])
def test_explain_by_a_driver_with_a_cache_of_statements(cluster, started, cache):  # noqa: F811
    g = started()

    async def ask():
        words = {"host": "127.0.0.1", "port": g.port, "user": "app", "password": cluster.env["APP_PASSWORD"], "database": "split"}
        c = await asyncpg.connect(**words, statement_cache_size=cache)
        said = [await c.fetchval("EXPLAIN (ROUTE) select here() from kept where id = $1", i) for i in range(4)]
        said.append(await c.fetchval("EXPLAIN (ROUTE) select here()"))
        await c.close()
        return said

    with ready(cluster, g):
        assert [line.partition("\t")[0] for line in asyncio.run(ask())] == ["replica"] * 5


@pytest.mark.parametrize("name", ["", "asked"])
def test_explain_in_pieces_waits_for_a_connection_like_any_other(cluster, started, name):  # noqa: F811
    """What gilmok does not answer is the server's: it waits in line, and not for itself."""
    g = started(f"[database narrow]\nserver_database = {APP_DB}\nread_write_split = on\nbegin = eager\npool_size = 1\n")
    with client(cluster, g, dbname="narrow") as holder:
        holder.execute("select 1")
        c = g.login(user="app", password=cluster.env["APP_PASSWORD"], database="narrow")
        if name:
            c.send(parse("EXPLAIN (ROUTE) select here() from kept where id = $1", name) + SYNC)
            assert not c.collect().errors
        holder.execute("begin")
        holder.execute("create temporary table mine ()")
        if name:
            c.send(bind((b"1",), name) + describe("P") + FLUSH)
        else:
            c.send(parse("EXPLAIN (ROUTE) select here() from kept where id = $1") + describe("S") + FLUSH)
        wait_for(lambda: any(row["state"] == "waiting" for row in g.show("CLIENTS", database="narrow")), what="a client in line")
        holder.execute("rollback")
        c.send((b"" if name else bind((b"1",))) + execute() + SYNC)
        reply = c.collect()
        assert [e.sqlstate for e in reply.errors] == (["42601"] if name else []) and len(reply.rows) == (not name)
        c.end()


def test_explain_ends_the_unnamed_statement(cluster, started):  # noqa: F811
    """As any Query does, and any Parse without a name; one that is too long to be kept holds the connection no longer."""
    g = started()
    with ready(cluster, g):
        c = g.login(user="app", password=cluster.env["APP_PASSWORD"], database="split")
        number = str(int.from_bytes(c.key[:4], "big"))
        text = "EXPLAIN (ROUTE) select here()"

        def held():
            return g.show("CLIENTS", id=number)[0]["held_by"]

        for ask in (query(text), parse(text) + bind() + execute() + SYNC):
            for length in (10, 20000):
                c.send(parse("select 1 -- " + "x" * length) + SYNC)
                c.collect()
                assert held() == ("unnamed statement" if length > 10000 else "")
                c.send(ask)
                assert c.collect().rows
                assert held() == ""
                c.send(bind() + execute() + SYNC)
                assert c.collect().errors[0].sqlstate == "26000"
        c.end()


def test_explain_where_nothing_is_split(cluster, started):  # noqa: F811
    g = started(f"[database copies]\nserver_database = {APP_DB}\nrole = replica\n")
    with client(cluster, g, dbname=APP_DB) as c:
        word, reasons = route(c, "select 1")
        assert word == "primary" and reasons.startswith("read_write_split is off")
    with client(cluster, g, dbname="copies") as c:
        assert route(c, "select 1") == ("replica", "all of this database goes where role = replica says")


# ---- hints


def test_hints_keep_reads_on_the_primary_and_make_none(cluster, started):  # noqa: F811
    g = started()
    hinted = "/* gilmok: primary */ select here()"
    with ready(cluster, g, prepare_threshold=None) as c:
        counted = Counted(g)
        for _ in range(5):
            assert at(cluster, c, hinted) == "a"
            assert at(cluster, c, "select /* gilmok: replica */ here()") in "bc"
        assert at(cluster, c, "select here() /* gilmok: primary */ from kept where id = %s", (1,)) == "a"
        assert at(cluster, c, "/* gilmok: replica */ update kept set word = word where id = 1 returning here()") == "a"
        assert at(cluster, c, "/* gilmok: replica */ select here(), nextval('numbers')") == "a"
        assert counted() == {("primary", "hint_primary"): 6, ("replica", "reads"): 5, ("primary", "writes"): 1,
                             ("primary", "function_writes"): 1}  # fmt: skip
        assert route(c, hinted) == ("primary", "hint primary at 11: the text asks for it; SELECT at 22: reads; "
                                               "function here at 29: one of read_functions")  # fmt: skip
        word, reasons = route(c, "/* gilmok: fast */ select here()")
        assert word == "replica" and reasons.endswith("; hint fast at 11: not known, and ignored")
    with ready(cluster, g, prepare_threshold=0) as c:
        for _ in range(3):
            assert at(cluster, c, hinted) == "a" and at(cluster, c) in "bc"


def test_a_read_asks_for_its_node(cluster, started):  # noqa: F811
    g = started(tail=SPLIT.replace("pool_size = 12", "pool_size = 4"), main=["workers = 1"])
    with ready(cluster, g, prepare_threshold=None) as c:
        for node in "bcbbcc":  # the first read there opens a connection, if there is none
            assert {at(cluster, c, f"/* gilmok: node={node} */ select here()") for _ in range(20)} == {node}
        counted = Counted(g)
        assert at(cluster, c, "/* gilmok: node=a */ select here()") == "a"
        assert at(cluster, c, "/* gilmok: node=x */ select here()") == "a"
        assert at(cluster, c, "/* gilmok: node=b, primary */ select here()") == "a"
        assert at(cluster, c, "/* gilmok: node=b */ update kept set word = word where id = 1 returning here()") == "a"
        assert counted() == {("primary", "node_hint"): 2, ("primary", "hint_primary"): 1, ("primary", "writes"): 1}
        assert route(c, "/* gilmok: node=x */ select here()")[0] == "primary"
        assert route(c, "/* gilmok: node=b */ select here()") == (
            "replica", "SELECT at 21: reads; function here at 28: one of read_functions; hint node=b at 11: the text asks for it")  # fmt: skip
        c.execute("begin read only /* gilmok: node=c */")
        assert {at(cluster, c) for _ in range(5)} == {"c"}
        c.execute("commit")
    with ready(cluster, g, prepare_threshold=0) as c:
        for node in "bcb":
            assert {at(cluster, c, f"/* gilmok: node={node} */ select here() from kept where id = %s", (i,)) for i in range(1, 9)} == {node}


def test_who_asks_for_a_node_does_not_hold_up_others(cluster, started):  # noqa: F811
    g = started(tail=SPLIT.replace("pool_size = 12", "pool_size = 4"), main=["workers = 1"])
    failures, counts = [], collections.Counter()
    is_over = threading.Event()

    def read(sql, nodes):
        try:
            with ready(cluster, g, prepare_threshold=None) as c:
                while not is_over.is_set():
                    where = at(cluster, c, sql)
                    counts[nodes, where] += 1
        except Exception as e:
            failures.append(e)

    kinds = [("/* gilmok: node=b */ select here() from pg_sleep(0.003)", "b"), ("/* gilmok: node=c */ select here()", "c"), ("select here()", "bc")]
    threads = [threading.Thread(target=read, args=kind) for kind in kinds * 4]
    for t in threads:
        t.start()
    time.sleep(2)
    cluster.stop("b", "immediate")
    time.sleep(1)
    cluster.start("b")
    time.sleep(1)
    is_over.set()
    for t in threads:
        t.join(30)
    assert not failures, failures[:3]
    for nodes in ("b", "c", "bc"):
        there, elsewhere = (sum(n for (of, at), n in counts.items() if of == nodes and (at in nodes) == want) for want in (True, False))
        assert there > 100, counts
        assert nodes == "b" or elsewhere < there / 5, counts


def test_a_node_that_is_full_is_not_waited_for(cluster, started):  # noqa: F811
    """Many ask for a node that may have one connection only, and that one is busy: the primary answers them, and others notice nothing."""
    place = f"[node main/b]\nhost = 127.0.0.1\nport = {cluster.port('b')}\n"
    other = f"[node main/c]\nhost = 127.0.0.1\nport = {cluster.port('c')}\n"
    g = cluster.gilmok("a", main=["workers = 1"], tail=SPLIT.replace("pool_size = 12", "pool_size = 80") + place + "max_server_conn = 1\n" + other)
    hinted, is_over, asked, failures = "/* gilmok: node=b */ select here()", threading.Event(), collections.Counter(), []

    def ask():
        try:
            with client(cluster, g) as c:
                while not is_over.is_set():
                    asked[at(cluster, c, hinted)] += 1
        except Exception as e:
            failures.append(e)

    try:
        with ready(cluster, g) as one, ready(cluster, g) as plain:
            wait_for(lambda: at(cluster, one, hinted) == "b", what="a read at b")
            wait_for(lambda: at(cluster, plain, "/* gilmok: node=c */ select here()") == "c", what="a read at c")
            threads = [threading.Thread(target=one.execute, args=(hinted + ", pg_sleep(3)",))]
            threads += [threading.Thread(target=ask) for _ in range(70)]
            for t in threads:
                t.start()
            time.sleep(0.5)
            served, until = 0, time.monotonic() + 2  # while b is busy for sure
            while time.monotonic() < until:
                assert at(cluster, plain) == "c"
                served += 1
            per_asker = sum(asked.values()) / 70
            assert served > 4 * per_asker, (served, per_asker)  # who waits behind them is served as often as each of them
            is_over.set()
            for t in threads:
                t.join(30)
    finally:
        is_over.set()
        g.close()
    assert not failures, failures[:3]
    assert asked["a"] > 40, asked


def test_a_session_keeps_its_reads_on_the_primary(cluster, started):  # noqa: F811
    g = started()
    with ready(cluster, g, prepare_threshold=None) as c:
        c.execute("set gilmok.route = 'primary'")
        wait_for(lambda: not g.show("CLIENTS", database="split")[0]["held_by"], what="the end of the look at what it has set")
        counted = Counted(g)
        for _ in range(5):
            assert at(cluster, c) == "a"
        assert at(cluster, c, "/* gilmok: replica */ select here()") in "bc"
        assert at(cluster, c, "/* gilmok: replica */ update kept set word = word where id = 1 returning here()") == "a"
        assert counted() == {("primary", "gilmok_route"): 5, ("replica", "reads"): 1, ("primary", "writes"): 1}
        assert route(c, "select here()")[0] == "primary" and "gilmok.route" in route(c, "select here()")[1]
        for back in ("set gilmok.route = 'auto'", "reset gilmok.route", "set gilmok.route = 'replica'", "set gilmok.route = 'primery'"):
            c.execute("set gilmok.route = 'primary'")
            c.execute(back)
            wait_for(lambda: at(cluster, c) in "bc", what=f"replicas after {back}")
    for _ in range(2):  # the first client with a startup parameter has it asked for, the second finds that known
        with client(cluster, g, options="-c gilmok.route=primary", prepare_threshold=None) as c:
            for _ in range(5):
                assert at(cluster, c) == "a"
            assert at(cluster, c, "/* gilmok: replica */ select here()") in "bc"


def test_what_a_replica_has_refused_is_not_tried_again(cluster, started):  # noqa: F811
    make = "create or replace function locks(i int) returns int language plpgsql as '{} return 1; end'"
    cluster.run("a", make.format("begin perform 1 from kept where id = i for share;"), APP_DB)
    g = started(tail=SPLIT.replace("= here", "= here, locks"))

    def known(c, text):
        wait_for(lambda: value(c, f"explain (route) {text}", prepare=False).startswith("replica\t") and at(cluster, c) in "bc", what="what is known of it")

    with ready(cluster, g) as c:
        known(c, "select locks(1)")
        for more in {}, {"prepare": True}:
            counted = Counted(g)
            for i in range(1, 6):
                assert c.execute("select locks(id) from kept where id = %s", (i,), **more).fetchone()[0] == 1
            again = {("primary", "retried"): 1, ("primary", "refused_before"): 4}
            assert counted() == ({("primary", "refused_before"): 6} if more else again)  # to prepare is one, too
        counted = Counted(g)
        assert [c.pgconn.exec_(b"select locks(%d)" % i).get_value(0, 0) for i in range(3)] == [b"1"] * 3
        assert counted() == {("primary", "retried"): 1, ("primary", "refused_before"): 2}
        assert value(c, "explain (route) select locks(7)").startswith("primary\ta replica has refused such a text")
        cluster.run("a", make.format("begin "), APP_DB)  # it takes none any more
        c.execute("create table another (i int)")  # gilmok looks what has changed
        known(c, "select locks(7)")
        counted = Counted(g)
        assert value(c, "select locks(7)") == 1 and counted() == {("replica", "reads"): 1}
        c.execute("drop table another")
    cluster.run("a", "drop function locks(int)", APP_DB)
