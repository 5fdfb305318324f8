#!/usr/bin/python3
"""psycopg 3 in all its ways of talking."""

import psycopg
import pytest

from flowtools import connect, in_threads, value


def test_parameters_on_the_server_side(gilmok):
    with connect(gilmok) as c:
        row = c.execute("select %s::int + 1, %s::text, %s::numeric, %b::bytea", (41, "it's", "1.50", b"\0\xff")).fetchone()
        assert row[0] == 42 and row[1] == "it's" and str(row[2]) == "1.50" and row[3] == b"\0\xff"
        assert value(c, "select %s::int", (None,)) is None


def test_client_side_cursor_is_the_simple_protocol(gilmok):
    with connect(gilmok, cursor_factory=psycopg.ClientCursor) as c:
        assert value(c, "select %s", ("simple 'quoted'",)) == "simple 'quoted'"
        cur = c.execute("select 1; select 2; select 3")
        found = [cur.fetchone()[0]]
        while cur.nextset():
            found.append(cur.fetchone()[0])
        assert found == [1, 2, 3]


def test_binary_results(gilmok):
    with connect(gilmok) as c:
        assert c.execute("select 1234567890123, 'x'::text, true", binary=True).fetchone() == (1234567890123, "x", True)


def test_large_results_and_many_rows(gilmok):
    with connect(gilmok) as c:
        assert len(value(c, "select repeat('x', 5000000)")) == 5_000_000
        rows = c.execute("select i, 'row ' || i from generate_series(1, 50000) i").fetchall()
        assert len(rows) == 50000 and rows[-1] == (50000, "row 50000") and sum(r[0] for r in rows) == 50000 * 50001 // 2


def test_large_parameter(gilmok):
    with connect(gilmok) as c:
        text = "y" * 5_000_000
        assert value(c, "select length(%s), %s = %s", (text, text, text)) == 5_000_000


def test_pipeline_mode(gilmok, table):
    with connect(gilmok) as c:
        with c.pipeline():
            cursors = [c.execute("select name from flow_items where id = %s", (i,)) for i in range(1, 101)]
            assert [k.fetchone()[0] for k in cursors] == [f"item {i}" for i in range(1, 101)]
        assert value(c, "select 'after the pipeline'") == "after the pipeline"


def test_pipeline_with_an_error_in_the_middle(gilmok):
    with connect(gilmok) as c:
        with pytest.raises(psycopg.errors.DivisionByZero):
            with c.pipeline() as p:
                c.execute("select 1")
                c.execute("select 1/0")
                c.execute("select 3")
                p.sync()
        assert value(c, "select 4") == 4


def test_pipelines_of_many_clients(gilmok):
    def work(i):
        with connect(gilmok) as c:
            for n in range(3):
                with c.pipeline():
                    cursors = [c.execute("select %s::text", (f"{i} {n} {k}",)) for k in range(20)]
                    assert [x.fetchone()[0] for x in cursors] == [f"{i} {n} {k}" for k in range(20)]

    in_threads(12, work)


def test_executemany(gilmok, table):
    with connect(gilmok, autocommit=False) as c:
        c.cursor().executemany("insert into flow_items values (%s, %s)", [(2000 + i, f"many {i}") for i in range(200)])
        assert value(c, "select count(*) from flow_items where id >= 2000") == 200
        c.rollback()
        assert value(c, "select count(*) from flow_items where id >= 2000") == 0


def test_copy_out(gilmok, table):
    with connect(gilmok) as c:
        with c.cursor().copy("copy (select * from flow_items where id <= 100 order by id) to stdout") as copy:
            rows = list(copy.rows())
        assert rows[0] == ("1", "item 1") and len(rows) == 100
        assert value(c, "select 1") == 1


def test_copy_in(gilmok, table):
    with connect(gilmok, autocommit=False) as c:
        with c.cursor().copy("copy flow_items from stdin") as copy:
            for i in range(20000):
                copy.write_row((5000 + i, f"copied {i}"))
        assert value(c, "select count(*), max(name) from flow_items where id >= 5000") == 20000
        c.rollback()


def test_copy_in_that_the_client_gives_up(gilmok, table):
    with connect(gilmok) as c:
        with pytest.raises(psycopg.errors.QueryCanceled, match="changed my mind"):
            with c.cursor().copy("copy flow_items from stdin") as copy:
                copy.write_row((9000, "x"))
                raise RuntimeError("changed my mind")
        assert value(c, "select count(*) from flow_items where id = 9000") == 0


def test_copy_in_that_the_server_refuses(gilmok, table):
    with connect(gilmok) as c:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            with c.cursor().copy("copy flow_items from stdin") as copy:
                for _ in range(3000):
                    copy.write("not a number\tx\n")
        assert value(c, "select 1") == 1


def test_copies_of_many_clients_at_once(gilmok):
    def work(i):
        with connect(gilmok) as c:
            for n in range(3):
                with c.cursor().copy(f"copy (select '{i} {n}' from generate_series(1, 500)) to stdout") as copy:
                    assert {r for r in copy.rows()} == {(f"{i} {n}",)}

    in_threads(10, work)


def test_statements_prepared_at_once_under_concurrency(gilmok):
    """Every client calls its first statement _pg3_0: each must run its own."""

    def work(i):
        with connect(gilmok, prepare_threshold=0) as c:
            for n in range(10):
                assert c.execute(f"select '{i}-{n % 3}', %s::text", (f"{n}",)).fetchone() == (f"{i}-{n % 3}", f"{n}")

    in_threads(12, work)


def test_deallocate_gives_the_connection_back(narrow):
    """A client keeps its connection while it has prepared statements, and no longer."""
    with connect(narrow, prepare_threshold=0) as one, connect(narrow) as other:
        assert value(one, "select %s::int", (1,)) == 1
        one.execute("deallocate all", prepare=False)
        one.execute("select 1", prepare=False)
        assert value(other, "select 2") == 2


def test_server_cursor_in_a_transaction(gilmok):
    with connect(gilmok) as c, c.transaction():
        with c.cursor(name="flow_cursor") as cur:
            cur.itersize = 100
            cur.execute("select * from generate_series(1, 1000)")
            assert cur.fetchmany(5) == [(i,) for i in range(1, 6)]
            assert sum(r[0] for r in cur) == sum(range(6, 1001))


def test_notices(gilmok):
    with connect(gilmok) as c:
        heard = []
        c.add_notice_handler(lambda d: heard.append((d.severity, d.message_primary)))
        c.execute("do $$ begin raise notice 'from the server'; raise warning 'twice'; end $$")
        assert heard == [("NOTICE", "from the server"), ("WARNING", "twice")]


def test_errors_carry_their_fields(gilmok):
    with connect(gilmok) as c:
        with pytest.raises(psycopg.errors.UndefinedColumn) as e:
            c.execute("select nothing_like_it from pg_class")
        assert e.value.diag.statement_position == "8" and e.value.diag.severity == "ERROR"
        assert value(c, "select 1") == 1


def test_two_phase_commit_is_the_servers_business(gilmok):
    """Whatever the server says about it (it is off by default), the client hears and goes on."""
    with connect(gilmok) as c:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            c.execute("begin")
            c.execute("prepare transaction 'flow'")
        c.execute("rollback")
        assert value(c, "select 1") == 1
