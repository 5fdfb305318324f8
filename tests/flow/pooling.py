#!/usr/bin/python3
"""How clients share server connections, and when they keep one."""

import time

import psycopg
import pytest

import flowtools
import harness
import pgwire
from flowtools import connect, in_threads, superuser, value

PID = "select pg_backend_pid()"


def test_twenty_clients_on_four_connections(gilmok):
    clients = [connect(gilmok) for _ in range(20)]
    pids = in_threads(20, lambda i: {value(clients[i], "select pg_backend_pid() from pg_sleep(0.01)") for _ in range(5)})
    assert 2 <= len(set().union(*pids)) <= 4
    for c in clients:
        c.close()


def connections_open(g, count):
    """Clients that are busy at the same time have opened so many."""
    clients = [connect(g) for _ in range(count)]
    harness.wait_for(
        lambda: len(set(in_threads(count, lambda i: value(clients[i], "select pg_backend_pid() from pg_sleep(0.2)")))) == count
    )
    for c in clients:
        c.close()


def pid(c):
    """Never prepared: a connection that is told to prepare is not idle at once."""
    return value(c, PID, prepare=False)


@pytest.mark.parametrize("reuse", ["on", "off"])
def test_a_connection_of_session_mode_is_for_one_client_where_that_is_wanted(start, reuse):
    """By name the one database is in session mode; the other shares all the same."""
    g = start(pool_size=1, tail=f"session_reuse = {reuse}\n", database=["session_reuse = off"])
    pids = []
    for _ in range(3):
        with connect(g, dbname="sessions") as c:
            pids.append(pid(c))
            assert pid(c) == pids[-1]
    assert len(set(pids)) == (1 if reuse == "on" else 3)
    with connect(g) as one, connect(g) as other:
        assert pid(one) == pid(other) == pid(one)


def test_round_robin_hands_out_all_connections_in_turn(start):
    g = start(pool_size=4, database=["server_round_robin = yes", "unknown_effects = trust"])
    connections_open(g, 4)
    with connect(g) as c:
        pids = [pid(c) for _ in range(12)]
    assert len(set(pids[:4])) == 4 and pids == pids[:4] * 3


def test_round_robin_changes_the_connection_of_two_clients_that_alternate(start):
    """Two connections and two clients by turns: in turn alone each would have its own again and again."""
    g = start(pool_size=2, database=["server_round_robin = yes", "unknown_effects = trust"])
    connections_open(g, 2)
    with connect(g) as one, connect(g) as other:
        pids = [(pid(one), pid(other)) for _ in range(8)]
    for client in zip(*pids):
        assert all(a != b for a, b in zip(client, client[1:]))


def test_round_robin_with_one_connection(start):
    g = start(pool_size=1, database=["server_round_robin = yes"])
    with connect(g) as c, connect(g) as other:
        assert len({pid(c) for _ in range(4)} | {pid(other)}) == 1


def test_round_robin_follows_a_reload(start):
    g = start(pool_size=4, database=["unknown_effects = trust"])
    connections_open(g, 4)
    with connect(g) as c:
        assert len({pid(c) for _ in range(8)}) == 1
        g.write("gilmok.conf", g.text.replace("pool_size", "server_round_robin = yes\npool_size", 1))
        assert g.console("RELOAD").tags == ["RELOAD"]
        assert len({pid(c) for _ in range(8)}) == 4


def test_a_transaction_keeps_its_connection(gilmok):
    def work(i):
        with connect(gilmok) as c:
            for _ in range(5):
                with c.transaction():
                    pids = {value(c, PID) for _ in range(4)}
                    assert len(pids) == 1

    in_threads(10, work)


def test_transactions_are_apart(gilmok, table):
    """What one client has not committed, no other sees, though they share connections."""
    one, other = connect(gilmok), connect(gilmok)
    with one.transaction(force_rollback=True):
        one.execute("insert into flow_items values (1000, 'uncommitted')")
        assert value(one, "select count(*) from flow_items where id = 1000") == 1
        assert value(other, "select count(*) from flow_items where id = 1000") == 0
    assert value(one, "select count(*) from flow_items where id = 1000") == 0


def test_an_error_leaves_the_transaction_aborted_until_rollback(gilmok):
    c = connect(gilmok, autocommit=False)
    with pytest.raises(psycopg.errors.DivisionByZero):
        c.execute("select 1/0")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        c.execute("select 1")
    c.rollback()
    assert value(c, "select 1") == 1
    c.execute("savepoint a")
    with pytest.raises(psycopg.errors.UndefinedTable):
        c.execute("select * from no_such_table")
    c.execute("rollback to a")
    assert value(c, "select 2") == 2
    c.commit()


def test_client_that_leaves_a_transaction_open_harms_nobody(narrow, table):
    c = connect(narrow)
    c.execute("begin")
    c.execute("update flow_items set name = 'half done' where id = 1")
    c.close()
    with connect(narrow) as other:
        assert value(other, "select name from flow_items where id = 1") == "item 1"
        other.execute("update flow_items set name = name where id = 1")  # no lock is left


def test_client_that_vanishes_in_a_query_harms_nobody(narrow):
    c = pgwire.Client(narrow.port, user=flowtools.APP_USER, password=flowtools.APP_PASSWORD, database=flowtools.APP_DB).login()
    c.send(pgwire.query("select 'foreign', pg_sleep(0.3)"))
    time.sleep(0.05)
    c.end(reset=True)
    with connect(narrow) as other:
        assert value(other, "select 'mine'") == "mine"


def test_session_pooling_keeps_everything(gilmok):
    with connect(gilmok, dbname="sessions") as c:
        pid = value(c, PID)
        c.execute("set work_mem = '1234kB'")
        c.execute("create temp table mine (x int)")
        c.execute("prepare p as select 42")
        c.execute("select pg_advisory_lock(77)")
        for _ in range(3):
            assert value(c, PID) == pid
            assert value(c, "show work_mem") == "1234kB"
            assert value(c, "execute p") == 42
            assert value(c, "select count(*) from mine") == 0
    for _ in range(8):  # the next clients meet the same connection, cleaned
        with connect(gilmok, dbname="sessions") as c:
            assert value(c, "show work_mem") == "4MB"
            assert value(c, "select to_regclass('mine')") is None
            assert value(c, "select count(*) from pg_prepared_statements where name = 'p'") == 0
            assert value(c, "select pg_try_advisory_lock(77)") is True


def test_session_pooling_listens(gilmok):
    with connect(gilmok, dbname="sessions") as c, connect(gilmok) as other:
        c.execute("listen flow_channel")
        other.execute("notify flow_channel, 'hello'")
        other.execute("select pg_notify('flow_channel', 'again')")
        heard = []
        for n in c.notifies():
            heard.append(n.payload)
            if len(heard) == 2:
                break
        assert heard == ["hello", "again"]


def test_session_pool_of_one_makes_the_second_client_wait(narrow):
    first = connect(narrow, dbname="sessions")
    assert value(first, "select 1") == 1

    def wait(_):
        begin = time.monotonic()
        with connect(narrow, dbname="sessions") as c:
            assert value(c, "select 2") == 2
        return time.monotonic() - begin

    def leave(_):
        time.sleep(0.4)
        first.close()

    took = in_threads(2, lambda i: (wait, leave)[i](i))[0]
    assert took > 0.3


def test_queue_timeout_tells_the_client(start):
    g = start(pool_size=1, database=["queue_timeout = 200ms"])
    holder, waiting = connect(g), connect(g)
    with holder.transaction():
        value(holder, "select 1")
        with pytest.raises(psycopg.Error) as e:
            waiting.execute("select 1")
        assert e.value.sqlstate == "53300" and "queue_timeout" in str(e.value)
    assert value(waiting, "select 1") == 1


def test_user_section_overrides_the_pool(start):
    g = start(pool_size=5, tail=f"[user {flowtools.APP_USER}]\npool_size = 1\npool_mode = session\n")
    with connect(g) as c:
        c.execute("set work_mem = '1234kB'")
        assert value(c, "show work_mem") == "1234kB"
        got = g.show("POOLS", database=flowtools.APP_DB)[0]
        assert (got["pool_mode"], got["pool_size"]) == ("session", "1")


def test_users_do_not_share_connections(start):
    with superuser() as su:
        su.execute("drop role if exists flow_bob")
        su.execute("create role flow_bob login password 'bob-password'")
    g = start(pool_size=1, users={"flow_bob": "bob-password"})
    with connect(g) as c, connect(g, user="flow_bob", password="bob-password") as bob:
        for _ in range(3):
            assert value(c, "select current_user") == flowtools.APP_USER
            assert value(bob, "select current_user") == "flow_bob"


def test_server_connections_never_exceed_pool_size(start):
    g = start(pool_size=3)
    in_threads(15, lambda i: [value(c, "select 1 from pg_sleep(0.005)") for c in [connect(g)] for _ in range(4)])
    counts = [r for r in g.console("SHOW SERVERS").rows]
    assert 1 <= len(counts) <= 3


def test_query_timeout_ends_the_query_for_the_client(start):
    g = start(database=["query_timeout = 300ms"])
    c = connect(g)
    begin = time.monotonic()
    with pytest.raises(psycopg.OperationalError) as e:
        c.execute("select pg_sleep(20)")
    assert time.monotonic() - begin < 2
    assert e.value.sqlstate == "57014" or "query_timeout" in str(e.value)


def sleepers(su):
    return value(su, "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(21%'")


def test_query_timeout_ends_the_query_on_the_server(start):
    g = start(database=["query_timeout = 300ms"])
    c = connect(g)
    with superuser() as su:
        try:
            with pytest.raises(psycopg.OperationalError):
                c.execute("select pg_sleep(21)")
            time.sleep(0.5)
            assert sleepers(su) == 0
        finally:
            su.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep(21%'")


def test_stats_count_what_happened(start):
    g = start()
    with connect(g) as c:
        for _ in range(5):
            value(c, "select 1")
    row = g.show("STATS", database=flowtools.APP_DB)[0]
    assert int(row["total_xact_count"]) >= 5 and int(row["total_query_count"]) >= 5
    assert harness.wait_for(lambda: g.show("POOLS", database=flowtools.APP_DB)[0]["sv_idle"] == "1")


def test_statement_pooling_allows_no_transaction_block(start):
    g = start(pool_size=1, database=["pool_mode = statement"])
    with connect(g) as c, connect(g) as other:
        for _ in range(3):
            assert value(c, "select 1") == 1 and value(other, "select 2") == 2
        with pytest.raises(psycopg.Error):
            c.execute("begin")
            c.execute("select 1")
        assert value(other, "select pg_current_xact_id_if_assigned()") is None
        assert value(other, "select 3") == 3
    c = pgwire.Client(g.port, user=flowtools.APP_USER, password=flowtools.APP_PASSWORD, database=flowtools.APP_DB).login()
    c.send(pgwire.query("begin"))
    got = c.read_to_end()
    assert b"pool_mode = statement" in got


def test_transaction_timeout_is_of_a_transaction(start):
    """In session mode too: silence between two of them does not count."""
    g = start()
    g.write("gilmok.conf", g.text.replace("pool_mode = session\n", "pool_mode = session\ntransaction_timeout = 400ms\n"))
    assert g.console("RELOAD").tags == ["RELOAD"]
    with connect(g, dbname="sessions") as c:
        for _ in range(3):
            assert value(c, "select 1") == 1
            time.sleep(0.5)
        c.execute("begin")
        value(c, "select 1")
        with pytest.raises(psycopg.OperationalError):
            time.sleep(0.7)
            value(c, "select 1")
