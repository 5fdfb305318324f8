#!/usr/bin/python3
"""Caps on server connections hold over pools, users and workers, and starve nobody; minimum, reserve and warm-up."""

import threading
import time

import psycopg
import pytest

import flowtools
import harness
from flowtools import APP_DB, APP_USER, PRIMARY_PORT, connect, in_threads, superuser, value

SECOND = f"[database second]\ncluster = main\nserver_database = {APP_DB}\npool_size = 10\n"


@pytest.fixture(scope="module", autouse=True)
def bob():
    with superuser() as su:
        su.execute("drop role if exists caps_bob")
        su.execute("create role caps_bob login password 'bob-password'")
    yield
    with superuser() as su:
        su.execute("drop role caps_bob")


def as_bob(g, **more):
    return connect(g, user="caps_bob", password="bob-password", **more)


class Watch:
    """The most connections that the server saw at once."""

    def __init__(self, where="true"):
        self.sql = f"select count(*) from pg_stat_activity where usename in ('{APP_USER}', 'caps_bob') and {where}"
        self.most, self.over = 0, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with superuser() as su:
            su.autocommit = True
            while not self.over:
                self.most = max(self.most, value(su, self.sql))
                time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


CAPS = {
    "gilmok": {"main": ["max_server_conn = 5"]},
    "node": {"node": "max_server_conn = 5"},
    "database": {"database": ["max_server_conn = 5"]},
    "user": {"tail": f"[user {APP_USER}]\nmax_server_conn = 5\n"},
}


# Of the three pools those that share the cap.
SHARING = {"gilmok": (0, 1, 2), "node": (0, 1, 2), "database": (0, 2), "user": (0, 1)}


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("cap", list(CAPS))
def test_a_cap_holds_under_load(start, cap, workers):
    """Three pools and 24 clients that want more; those under the cap share it evenly, and so do the clients of each."""
    lines = dict(CAPS[cap])
    node = lines.pop("node", None)
    g = start(
        pool_size=10,
        main=[f"workers = {workers}", *lines.pop("main", [])],
        tail=SECOND + lines.pop("tail", ""),
        users={"caps_bob": "bob-password"},
        **lines,
    )
    if node:
        g.write("gilmok.conf", g.text.replace("[node main/a]", f"[node main/a]\n{node}"))
        assert g.console("RELOAD").tags == ["RELOAD"]
    where = {"gilmok": "true", "node": "true", "database": f"application_name = 'caps {APP_DB}'", "user": f"usename = '{APP_USER}'"}[cap]

    def join(i):
        database = (APP_DB, "second", APP_DB)[i % 3]
        open_one = as_bob if i % 3 == 2 else connect
        return open_one(g, dbname=database, application_name=f"caps {database}")

    with Watch(where) as watch:
        clients = in_threads(24, join)
        end = time.monotonic() + 1.5

        def work(i):
            n = 0
            while time.monotonic() < end:
                value(clients[i], "select 1 from pg_sleep(0.003)")
                n += 1
            return n

        counts = in_threads(24, work)
    assert watch.most <= 7  # a connection that was closed for another one may still be ending on the server
    shares = [counts[k::3] for k in SHARING[cap]]
    even = sum(map(sum, shares)) / len(shares)
    assert all(0.65 * even < sum(share) < 1.35 * even for share in shares), counts
    assert min(map(min, shares)) > 0.5 * even / 8, counts
    for c in clients:
        c.close()


@pytest.mark.parametrize("late", [0, 1], ids=["both from the start", "one after the other"])
@pytest.mark.parametrize("workers", [1, 4])
def test_two_pools_share_a_cap_evenly(start, workers, late):
    """Also when one has taken every place before the other comes: half of the queries each, and nobody waits for long."""
    g = start(pool_size=10, main=[f"workers = {workers}", "max_server_conn = 4"], tail=SECOND)
    clients = in_threads(24, lambda i: connect(g, dbname=(APP_DB, "second")[i % 2]))
    begin = time.monotonic() + late
    end = begin + 2.5

    def work(i):
        times = []
        if i % 2:
            time.sleep(late)
        while (asked := time.monotonic()) < end:
            value(clients[i], "select 1 from pg_sleep(0.03)")
            if asked >= begin:
                times.append(time.monotonic() - asked)
        return times

    times = in_threads(24, work)
    first, second = (sum(map(len, times[k::2])) for k in (0, 1))
    everybody = sorted(sum(times, []))
    median, longest = everybody[len(everybody) // 2], everybody[-1]
    assert 0.35 < first / (first + second) < 0.65, (first, second)
    assert longest < 4 * median, (median, longest)
    for c in clients:
        c.close()


def test_an_idle_connection_makes_room(start):
    """The cap is full of another pool's idle connections: they are closed for who needs one, at once."""
    g = start(pool_size=4, main=["max_server_conn = 4", "workers = 2"], tail=SECOND)
    holders = [connect(g, autocommit=False) for _ in range(4)]
    for c in holders:
        value(c, "select 1")
    for c in holders:
        c.close()
    harness.wait_for(lambda: len(g.console("SHOW SERVERS").rows) == 4)
    with connect(g, dbname="second") as c:
        begin = time.monotonic()
        assert value(c, "select 1") == 1
        assert time.monotonic() - begin < 1


def test_a_full_cap_times_out_in_the_queue(start):
    g = start(pool_size=4, main=["max_server_conn = 1"], database=["queue_timeout = 300ms"], tail=SECOND)
    with connect(g, autocommit=False) as holder, connect(g, autocommit=True) as other:
        value(holder, "select 1")
        with pytest.raises(psycopg.Error) as e:
            value(other, "select 2")
        assert e.value.sqlstate == "53300"
        holder.commit()
        assert value(other, "select 3") == 3


def test_caps_change_with_a_reload(start):
    g = start(pool_size=8, tail=SECOND)
    held = [connect(g, autocommit=False) for _ in range(6)]
    for c in held:
        value(c, "select 1")
    g.write("gilmok.conf", g.text.replace("[gilmok]", "[gilmok]\nmax_server_conn = 3"))
    assert g.console("RELOAD").tags == ["RELOAD"]
    for c in held:
        c.commit()
    with connect(g, dbname="second") as c:
        assert value(c, "select 1") == 1
    clients = [connect(g, dbname=(APP_DB, "second")[i % 2]) for i in range(8)]
    in_threads(8, lambda i: [value(clients[i], "select 1 from pg_sleep(0.002)") for _ in range(20)])
    for c in held:
        c.close()
    harness.wait_for(lambda: len(g.console("SHOW SERVERS").rows) <= 6)
    g.write("gilmok.conf", g.text)
    assert g.console("RELOAD").tags == ["RELOAD"]
    more = [connect(g, autocommit=False) for _ in range(8)]
    for c in more:
        value(c, "select 1")
    for c in more + clients:
        c.close()


def test_the_servers_death_gives_its_places_back(start):
    g = start(pool_size=4, main=["max_server_conn = 2", "workers = 2"], tail=SECOND)
    for _ in range(5):
        with connect(g) as a, connect(g, dbname="second") as b:
            assert value(a, "select 1") == 1 and value(b, "select 1") == 1
            with superuser() as su:
                su.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (APP_USER,))
            time.sleep(0.05)
    with connect(g) as a, connect(g, dbname="second") as b:
        assert value(a, "select 1") == 1 and value(b, "select 1") == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_minimum(start, workers):
    """Once the pool is in use the minimum is there, and is not closed for being idle."""
    g = start(pool_size=8, main=[f"workers = {workers}"], database=["min_pool_size = 4", "server_idle_timeout = 300ms"])
    assert g.console("SHOW SERVERS").rows == []
    with connect(g) as c:
        value(c, "select 1")
        harness.wait_for(lambda: len(g.console("SHOW SERVERS").rows) >= 4 // workers)
    with connect(g) as c:
        value(c, "select 1")
    clients = [connect(g) for _ in range(4)]
    in_threads(4, lambda i: value(clients[i], "select 1 from pg_sleep(0.1)"))
    harness.wait_for(lambda: len(g.console("SHOW SERVERS").rows) >= 4)
    time.sleep(0.8)
    assert len(g.console("SHOW SERVERS").rows) == 4
    for c in clients:
        c.close()


def test_warm_up(start):
    g = start(pool_size=8, main=["workers = 2"], database=["min_pool_size = 4", f"warm_up = {APP_USER}"])
    harness.wait_for(lambda: [r["state"] for r in g.show("SERVERS")] == ["idle"] * 4)
    with connect(g) as c:
        assert value(c, "select 1") == 1
    assert len(g.console("SHOW SERVERS").rows) == 4


def test_reserve(start):
    """Two connections are taken for long; the reserve serves the others after its timeout, and goes again."""
    g = start(pool_size=2, database=["reserve_pool_size = 1", "reserve_pool_timeout = 300ms"])
    held = [connect(g, autocommit=False) for _ in range(2)]
    for c in held:
        value(c, "select 1")
    with connect(g) as c:
        begin = time.monotonic()
        assert value(c, "select 2") == 2
        assert 0.2 < time.monotonic() - begin < 2
    assert len(g.console("SHOW SERVERS").rows) <= 3
    for c in held:
        c.close()
    harness.wait_for(lambda: len(g.console("SHOW SERVERS").rows) <= 2)


def test_caps_do_not_need_a_server_that_is_there(start):
    """Places are not lost to connections that could not be made."""
    g = harness.Gilmok(harness.free_port(), main=["max_server_conn = 1"], database=["queue_timeout = 2s"], users={APP_USER: flowtools.APP_PASSWORD})
    try:
        for _ in range(5):
            with pytest.raises(psycopg.OperationalError):
                connect(g)
        g.write("gilmok.conf", g.text.replace("[node main/a]\nhost = 127.0.0.1\nport = ", f"[node main/a]\nhost = 127.0.0.1\nport = {PRIMARY_PORT} ;"))
        assert g.console("RELOAD").tags == ["RELOAD"]
        with connect(g) as c:
            assert value(c, "select 1") == 1
    finally:
        g.close()
