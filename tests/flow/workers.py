#!/usr/bin/python3
"""Several workers are one gilmok: limits, fairness, cancels, prepared statements and the console hold over all of them."""

import collections
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import psycopg
import pytest

import harness
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, connect, in_threads, superuser, value
from pgwire import SYNC, bind, execute, parse, query

WORKERS = 4


def raw(g, **more):
    return pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, **{"database": APP_DB, **more}).login()


@pytest.fixture
def wide(start):
    """Four workers, a pool of sixteen: four shares of four."""
    return start(pool_size=16, main=[f"workers = {WORKERS}"])


@pytest.fixture
def tight(start):
    """Four workers, a pool of one: all clients end up at one of them."""
    return start(pool_size=1, main=[f"workers = {WORKERS}"])


def column(g, show, name):
    got = g.console(show)
    return got.names.index(name), got.rows


def workers_of(g, show="SHOW CLIENTS", database=APP_DB):
    at, rows = column(g, show, "worker")
    return collections.Counter(r[at] for r in rows if database in r)


def test_clients_and_connections_are_spread(wide):
    clients = [connect(wide) for _ in range(40)]
    in_threads(40, lambda i: [value(clients[i], "select 1 from pg_sleep(0.02)") for _ in range(3)])
    at = workers_of(wide)
    assert len(at) == WORKERS and min(at.values()) >= 6, at
    servers = workers_of(wide, "SHOW SERVERS")
    assert sum(servers.values()) <= 16 and len(servers) == WORKERS and max(servers.values()) <= 4
    for c in clients:
        c.close()


def test_a_small_pool_has_one_home(tight):
    clients = [connect(tight) for _ in range(12)]
    in_threads(12, lambda i: [value(clients[i], "select %s::int", (i,)) == i for _ in range(20)])
    assert len(workers_of(tight)) == 1 and len(workers_of(tight, "SHOW SERVERS")) == 1
    for c in clients:
        c.close()


def test_the_console_adds_up(wide):
    clients = [connect(wide) for _ in range(8)]
    for c in clients:
        for _ in range(5):
            value(c, "select 1")
    got = wide.console("SHOW POOLS")
    rows = [dict(zip(got.names, r)) for r in got.rows if r[0] == APP_DB]
    assert len(rows) == 1, "a pool is one line, however many workers hold it"
    assert rows[0]["cl_active"] == "8" and rows[0]["pool_size"] == "16"
    got = wide.console("SHOW STATS")
    rows = [dict(zip(got.names, r)) for r in got.rows if r[0] == APP_DB]
    assert len(rows) == 1 and int(rows[0]["total_query_count"]) >= 40
    for c in clients:
        c.close()


def test_connections_never_exceed_the_pool_over_all_workers(start):
    g = start(pool_size=9, main=["workers = 2"])
    most = []

    def watch():
        with superuser() as su:
            while not over:
                sql = "select count(*) from pg_stat_activity where application_name = 'flow workers'"
                most.append(value(su, sql))
                time.sleep(0.005)

    over = []
    watcher = threading.Thread(target=watch)
    watcher.start()
    clients = [connect(g, application_name="flow workers") for _ in range(30)]
    in_threads(30, lambda i: [value(clients[i], "select 1 from pg_sleep(0.01)") for _ in range(8)])
    over.append(True)
    watcher.join()
    assert 5 <= max(most) <= 9
    for c in clients:
        c.close()


def homes(g):
    """Worker of each client of the pool, by its application_name's place in line: ids are given in order."""
    got = g.console("SHOW CLIENTS")
    rows = sorted((r for r in got.rows if APP_DB in r), key=lambda r: int(r[got.names.index("id")]))
    return [r[got.names.index("worker")] for r in rows]


def take_a_share(g, worker="0"):
    """Clients that hold all four connections of one worker, in a pool of eight on two of them."""
    here, there = [], []
    while len(here) < 4:
        assert len(there) < 8
        c = connect(g, autocommit=False)
        value(c, "select 1")  # while it waited for that it may have been moved; in a transaction it stays where it is
        (here if homes(g)[-1] == worker else there).append(c)
    for c in there:
        c.close()
    return here


def test_who_waits_goes_where_it_is_served(start):
    """All connections of one share are taken; its other clients are served by the other share, and stay there."""
    g = start(pool_size=8, main=["workers = 2", "rebalance = 20ms"])
    clients = [connect(g) for _ in range(8)]
    holders = take_a_share(g)
    assert sorted(homes(g)[:8]) == ["0"] * 4 + ["1"] * 4
    begin = time.monotonic()
    for c in clients:
        value(c, "select 2")
    assert time.monotonic() - begin < 2
    assert homes(g)[:8] == ["1"] * 8
    for c in clients + holders:
        c.close()


def test_what_has_been_cleaned_is_to_spare(start):
    """Clients of one share leave their transactions all at once: when their connections are clean, those who wait at the other may come."""
    g = start(pool_size=8, main=["workers = 2", "rebalance = 20ms"])
    clients = [connect(g) for _ in range(8)]
    leaving, holders = take_a_share(g, "1"), take_a_share(g)
    os.kill(g.process.pid, signal.SIGSTOP)
    for c in leaving:
        c.close()
    os.kill(g.process.pid, signal.SIGCONT)
    begin = time.monotonic()
    for c in clients:
        value(c, "select 2")
    assert time.monotonic() - begin < 2
    for c in clients + holders:
        c.close()


def test_settings_and_statements_go_along(start):
    """A client that is moved takes its prepared statements, its settings and its unnamed statement with it."""
    g = start(pool_size=8, main=["workers = 2", "rebalance = 20s"])
    clients = [raw(g, params={"application_name": f"mover {i}"}) for i in range(12)]
    for i, c in enumerate(clients):
        assert c.query(f"set timezone = 'Etc/GMT+{i}'").errors == []
        c.send(parse(f"select {i}, $1::int, current_setting('TimeZone')", "s") + parse(f"select 'unnamed {i}'") + bind() + execute() + SYNC)
        assert c.collect().errors == []
    holders = take_a_share(g)
    before = homes(g)[:12]
    assert len(set(before)) == 2
    g.write("gilmok.conf", g.text.replace("rebalance = 20s", "rebalance = 10ms"))
    assert not g.console("RELOAD").errors
    for _ in range(3):
        for i, c in enumerate(clients):
            c.send(bind([b"7"], name="s") + execute() + bind() + execute() + SYNC)
        for i, c in enumerate(clients):
            got = c.collect()
            assert got.errors == [] and got.rows == [[str(i), "7", f"Etc/GMT+{i}"], [f"unnamed {i}"]]
    for i, c in enumerate(clients):
        assert c.ask("show application_name") == f"mover {i}"
    assert homes(g)[:12].count("1") > before.count("1")
    for c in clients:
        c.end()
    for h in holders:
        h.close()


@pytest.mark.parametrize("size", [1, 4, 8])
def test_fairness(start, size):
    """More clients than connections, each with one short query after the other: nobody gets much less than the others."""
    g = start(pool_size=size, main=[f"workers = {WORKERS}"])
    clients = [connect(g) for _ in range(24)]
    end = time.monotonic() + 2.5
    longest = [0.0] * len(clients)

    def work(i):
        n = 0
        while time.monotonic() < end:
            begin = time.monotonic()
            value(clients[i], "select 1 from pg_sleep(0.004)")
            longest[i] = max(longest[i], time.monotonic() - begin)
            n += 1
        return n

    counts = in_threads(24, work)
    mean = sum(counts) / len(counts)
    assert min(counts) > mean / 2 and max(counts) < mean * 2, sorted(counts)
    for c in clients:
        c.close()


def send_cancel(g, key):
    w = pgwire.Wire(socket.create_connection(("127.0.0.1", g.port)), timeout=5)
    w.send(struct.pack(">II", 8 + len(key), 80877102) + key)
    assert w.read_to_end() == b""
    w.end()


@pytest.mark.parametrize("version", [0x30000, 0x30002])
def test_a_cancel_finds_its_worker(wide, version):
    clients = [raw(wide, version=version) for _ in range(8)]
    for c in clients:
        c.send(query("select 'done', pg_sleep(3)"))
    time.sleep(0.1)
    for c in clients[::2]:
        send_cancel(wide, c.key)
        assert c.collect().errors[0].sqlstate == "57014"
    wrong = clients[1].key[:-1] + bytes([clients[1].key[-1] ^ 1])
    send_cancel(wide, wrong)
    for c in clients[1::2]:
        assert c.collect().errors == []
        c.end()


def test_cancels_of_clients_that_wait_and_move(tight):
    holder, waiting = connect(tight), [raw(tight) for _ in range(4)]
    holder.execute("begin")
    value(holder, "select 1")
    for c in waiting:
        c.send(query("select 1"))
    time.sleep(0.1)
    for c in waiting:
        send_cancel(tight, c.key)
        assert c.collect().errors[0].sqlstate == "57014"
    holder.execute("commit")
    for c in waiting:
        assert c.ask("select 2") == "2"
        c.end()


def test_limits_count_over_all_workers(start):
    g = start(main=[f"workers = {WORKERS}", "max_client_conn = 6"], pool_size=16)
    clients = [connect(g) for _ in range(6)]
    with pytest.raises(psycopg.OperationalError, match="too many clients"):
        connect(g)
    clients.pop().close()
    harness.wait_for(lambda: sum(workers_of_or_none(g).values()) <= 5)
    clients.append(connect(g))
    for c in clients:
        c.close()


def workers_of_or_none(g):
    try:
        return workers_of(g)
    except (pgwire.PgError, pgwire.Closed, AssertionError):
        return collections.Counter({"?": 99})


def test_a_users_limit_counts_over_all_workers(start):
    g = start(main=[f"workers = {WORKERS}"], pool_size=16, tail=f"[user {APP_USER}]\nmax_client_conn = 5\n")
    clients = [connect(g) for _ in range(5)]
    with pytest.raises(psycopg.OperationalError, match="too many connections for user"):
        connect(g)
    clients.pop().close()
    harness.wait_for(lambda: sum(workers_of(g).values()) == 4)
    clients.append(connect(g))
    for c in clients:
        c.close()


def test_session_mode_over_workers(start):
    """Logins that wait go where a connection becomes free."""
    g = start(main=[f"workers = {WORKERS}"], pool_size=8)
    first = [raw(g, database="sessions") for _ in range(8)]
    pids = {c.ask("select pg_backend_pid()") for c in first}
    assert len(pids) == 8

    def late(i):
        c = raw(g, database="sessions", timeout=10)
        assert c.ask("select pg_backend_pid()") == str(struct.unpack(">I", c.key[:4])[0])
        c.end()
        return True

    threads = [threading.Thread(target=late, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    time.sleep(0.2)
    first.pop().end()  # one share has room; everybody passes through it
    for t in threads:
        t.join(15)
        assert not t.is_alive()
    for c in first:
        c.end()


def test_reload_reaches_every_worker(start):
    g = start(main=[f"workers = {WORKERS}"], pool_size=8)
    clients = [connect(g) for _ in range(8)]
    g.write("gilmok.conf", g.text.replace("pool_size = 8", "pool_size = 3"))
    assert g.console("RELOAD").tags == ["RELOAD"]
    in_threads(8, lambda i: [value(clients[i], "select 1 from pg_sleep(0.005)") for _ in range(20)])
    harness.wait_for(lambda: sum(workers_of(g, "SHOW SERVERS").values()) <= 3, what="the smaller pool")
    got = g.console("SHOW POOLS")
    assert [r[got.names.index("pool_size")] for r in got.rows if r[0] == APP_DB] == ["3"]
    for c in clients:
        c.close()


def test_a_second_gilmok_does_not_get_the_port(wide):
    second = subprocess.run([*wide.prefix, wide.binary, "serve", "-c", wide.conf], capture_output=True, text=True, timeout=10, check=False)
    assert second.returncode == 1 and "cannot listen" in second.stderr


def test_unix_sockets(start):
    g = start(main=[f"workers = {WORKERS}"], pool_size=8, socket=True)
    clients = [connect(g, host=g.dir, port=g.port) for _ in range(12)]
    in_threads(12, lambda i: value(clients[i], "select 1 from pg_sleep(0.01)"))
    assert len(workers_of(g)) == 2  # the shares of a pool of eight
    for c in clients:
        c.close()


def test_drain_waits_for_transactions_on_every_worker(start):
    g = start(main=[f"workers = {WORKERS}"], pool_size=16)
    busy = [connect(g, autocommit=False) for _ in range(8)]
    idle = [connect(g) for _ in range(8)]
    for c in busy:
        value(c, "select 1")
    g.process.terminate()
    harness.wait_for(lambda: "draining" in g.said())
    time.sleep(0.3)
    assert g.is_alive()
    for c in busy:
        assert value(c, "select 2") == 2
        c.commit()
    assert g.process.wait(5) == 0
    for c in idle:
        with pytest.raises(psycopg.OperationalError):
            c.execute("select 1")


def test_servers_that_die_and_clients_that_leave(wide):
    """Connections are killed and clients reset while everybody works; the others go on, and nothing is left behind."""
    over = []

    def kill(_):
        with superuser() as su:
            su.autocommit = True
            for _ in range(25):
                su.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s order by random() limit 2", (APP_USER,))
                time.sleep(0.04)
        over.append(True)

    def work(i):
        n = 0
        while not over:
            try:
                c = raw(wide)
                for _ in range(12):
                    n += 1
                    marker = f"{i}/{n}"
                    got = c.query(f"select '{marker}' from pg_sleep(0.001)")
                    assert got.errors or got.rows == [[marker]], "somebody else's row"
                c.end(reset=n % 3 == 0)
            except (pgwire.Closed, pgwire.PgError, OSError):
                pass

    in_threads(13, lambda i: kill(i) if i == 0 else work(i))
    harness.wait_for(lambda: not workers_of(wide), what="no clients")
    with connect(wide) as c:
        assert value(c, "select 1") == 1
