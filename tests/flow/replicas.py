#!/usr/bin/python3
"""Databases that are served by replicas: which nodes, how evenly, and what clients notice when a node goes, comes back, falls behind
or is promoted."""

import collections
import os
import signal
import threading
import time

import psycopg
import pytest

from failover import Cluster, shown, wait_for_roles
from flowtools import APP_DB, APP_PASSWORD, PRIMARY_PORT, value
from harness import wait_for

DATABASES = "".join(
    f"[database {name}]\nserver_database = {APP_DB}\nrole = {role}\npool_size = 12\nqueue_timeout = 20s\n"
    for name, role in (("ro", "replica"), ("prefer", "prefer-replica"), ("every", "any"))
)
KINDS = "".join(
    f"[database {name}]\nserver_database = {APP_DB}\npool_size = 12\nqueue_timeout = 20s\n{line}\n"
    for name, line in (("turns", "role = replica\nbalance = round-robin"), ("soon", "role = replica\nbalance = latency"), ("slowly", "role = replica\nslow_start = 40s"),
                       ("at_once", "role = replica\nslow_start = 0"), ("part", "role = any\nprimary_share = 20"))
)  # fmt: skip
LAGGING = f"[database fresh]\nserver_database = {APP_DB}\nrole = replica\nmax_replica_lag = 400ms\n"


@pytest.fixture(scope="module")
def cluster():
    c = Cluster()
    yield c
    c.close()


@pytest.fixture
def started(cluster):
    gilmoks = []

    def start(**more):
        g = cluster.gilmok(**{"tail": DATABASES + KINDS + LAGGING, **more})
        gilmoks.append(g)
        wait_for_roles(g, **{"a": "primary", "b": "replica", "c": "replica"})
        return g

    yield start
    for g in gilmoks:
        g.close()


def client(cluster, g, database="ro"):
    return psycopg.connect(
        host="127.0.0.1", port=g.port, user="app", password=cluster.env["APP_PASSWORD"], dbname=database, autocommit=True, connect_timeout=20
    )  # fmt: skip


def names(cluster, ports):
    by_port = {cluster.port(n): n for n in "abc"}
    return collections.Counter(by_port[p] for p in ports)


def ask(cluster, g, database="ro", threads=6, each=20, sql="select inet_server_port(), pg_sleep(0.02)"):
    """Which nodes answer how many of the statements of so many clients."""
    ports, failures = [], []

    def run():
        try:
            with client(cluster, g, database) as c:
                for _ in range(each):
                    ports.append(c.execute(sql).fetchone()[0])
        except psycopg.Error as e:
            failures.append(e)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for t in workers:
        t.start()
    for t in workers:
        t.join(60)
    assert not failures, failures
    return names(cluster, ports)


@pytest.mark.parametrize("workers", [1, 2])
def test_reads_are_spread_over_the_replicas_and_writes_go_to_the_primary(cluster, started, workers):
    g = started(main=[f"workers = {workers}"])
    got = ask(cluster, g)
    assert set(got) == {"b", "c"} and min(got.values()) > 120 * 0.3, got
    with client(cluster, g, "shop") as c:
        assert value(c, "select pg_is_in_recovery()") is False
    with client(cluster, g) as c, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        c.execute("insert into t values (1)")
    got = ask(cluster, g, "every")
    assert set(got) == {"a", "b", "c"} and min(got.values()) > 120 * 0.15, got


def test_one_client_after_the_other_meets_them_all(cluster, started):
    g = started()
    with client(cluster, g) as c:
        got = names(cluster, [value(c, "select inet_server_port()") for _ in range(60)])
    assert set(got) == {"b", "c"} and min(got.values()) > 10, got


def test_weights(cluster, started):
    g = started()
    text = g.text.replace(f"port = {cluster.port('b')}\n", f"port = {cluster.port('b')}\nweight = 4\n")
    g.write("gilmok.conf", text)
    assert not g.console("RELOAD").errors
    got = ask(cluster, g, threads=10)
    assert got["b"] > 2 * got["c"] > 0, got
    g.write("gilmok.conf", text.replace("weight = 4", "weight = 0"))
    assert not g.console("RELOAD").errors
    assert set(ask(cluster, g)) == {"c"}


def test_weights_count_for_one_client_alone(cluster, started):
    g = started()
    g.write("gilmok.conf", g.text.replace(f"port = {cluster.port('b')}\n", f"port = {cluster.port('b')}\nweight = 4\n"))
    assert not g.console("RELOAD").errors
    for database in ("ro", "turns"):
        with client(cluster, g, database) as c:
            wait_for(lambda c=c: {value(c, "select inet_server_port()") for _ in range(20)} == {cluster.port(n) for n in "bc"}, what="both")
            got = names(cluster, [value(c, "select inet_server_port()") for _ in range(300)])
        assert 8 * got["c"] > got["b"] > 2 * got["c"], (database, got)


def test_round_robin_takes_turns(cluster, started):
    g = started()
    with client(cluster, g, "turns") as c:
        wait_for(lambda: {value(c, "select inet_server_port()") for _ in range(2)} == {cluster.port(n) for n in "bc"}, what="both")
        got = [value(c, "select inet_server_port()") for _ in range(100)]
    twice = sum(one == other for one, other in zip(got, got[1:], strict=False))
    assert twice <= 3, got  # when a connection is made, or used by gilmok itself


def test_by_latency_the_node_that_answers_soon_gets_most(cluster, started):
    g = started()
    slow_at_b = f"select inet_server_port(), pg_sleep(case inet_server_port() when {cluster.port('b')} then 0.05 else 0.005 end)"
    assert ask(cluster, g, "soon", threads=4, sql=slow_at_b)["c"] > 80 * 0.75
    got = ask(cluster, g, "soon", threads=1, each=60, sql=slow_at_b)
    assert got["c"] > 50, got
    got = ask(cluster, g, "turns", threads=1, each=60, sql=slow_at_b)
    assert got["b"] > 20, got


def test_a_replica_that_is_back_gets_more_and_more(cluster, started):
    g = started()
    cluster.stop("b", "fast")
    wait_for(lambda: shown(g)["b"]["health"] == "down", what="its end")
    ask(cluster, g, "slowly", each=2), ask(cluster, g, "at_once", each=2)
    time.sleep(max(0, 3.2 - int(shown(g)["c"]["health_seconds"])))  # nodes that come up together are equals
    cluster.start("b")
    wait_for(lambda: set(ask(cluster, g, "at_once", threads=1)) == {"b", "c"}, 15, "its return")
    got = {d: ask(cluster, g, d, threads=1, each=100, sql="select inet_server_port()") for d in ("slowly", "at_once")}
    assert got["slowly"]["b"] < 40 and 30 < got["at_once"]["b"] < 70, got
    wait_for(lambda: ask(cluster, g, "slowly", threads=1, each=50, sql="select inet_server_port()")["b"] > 0, what="a first share")


def zoned(cluster, g, **more):
    """gilmok is where c is, and b elsewhere. `more`: lines of a node."""
    text = g.text.replace("[gilmok]\n", "[gilmok]\nzone = south\n", 1)
    assert text != g.text
    for node, zone in (("b", "north"), ("c", "south")):
        text = text.replace(f"port = {cluster.port(node)}\n", f"port = {cluster.port(node)}\nzone = {zone}\n{more.get(node, '')}")
    g.write("gilmok.conf", text)
    assert not g.console("RELOAD").errors


def test_nodes_in_the_same_zone_go_first(cluster, started):
    g = started()
    assert set(ask(cluster, g, each=5)) == {"b", "c"}  # connections to both are there
    zoned(cluster, g)
    wait_for(lambda: set(ask(cluster, g, each=5)) == {"c"}, what="the near one alone")
    for database in ("turns", "soon", "every"):
        wait_for(lambda d=database: set(ask(cluster, g, d, each=5)) == {"c"}, what=f"the near one alone in {database}")
    cluster.stop("c", "fast")
    try:
        wait_for(lambda: shown(g)["c"]["health"] == "down", what="its end")
        assert set(ask(cluster, g)) == {"b"}
        assert set(ask(cluster, g, "every")) == {"a", "b"}
    finally:
        cluster.start("c")
    wait_for(lambda: set(ask(cluster, g, each=5)) == {"c"}, 15, "the near one again")


def test_what_has_no_room_in_the_zone_goes_elsewhere(cluster, started):
    g = started()
    zoned(cluster, g, c="max_server_conn = 2\n")
    got = ask(cluster, g, threads=8)
    assert got["b"] > 20 and got["c"] > 20, got
    assert set(ask(cluster, g, threads=1)) == {"c"}


@pytest.mark.parametrize("role", ["any", "prefer-replica"])
def test_the_primary_may_have_a_part_in_the_reads(cluster, started, role):
    g = started()
    g.write("gilmok.conf", g.text.replace("role = any\nprimary_share", f"role = {role}\nprimary_share"))
    assert not g.console("RELOAD").errors
    wait_for(lambda: set(ask(cluster, g, "part", each=10)) == {"a", "b", "c"}, what="all three")
    got = ask(cluster, g, "part", threads=8, each=50)
    assert 400 * 0.1 < got["a"] < 400 * 0.3, got


def test_a_cap_of_a_node_holds(cluster, started):
    g = started()
    g.write("gilmok.conf", g.text.replace(f"port = {cluster.port('b')}\n", f"port = {cluster.port('b')}\nmax_server_conn = 1\n"))
    assert not g.console("RELOAD").errors
    got = ask(cluster, g, threads=8)
    assert set(got) == {"b", "c"} and got["c"] > got["b"], got
    counts = collections.Counter(s["addr"] + ":" + s["port"] for s in g.show("SERVERS", database="ro"))
    assert counts[f"127.0.0.1:{cluster.port('b')}"] == 1 < counts[f"127.0.0.1:{cluster.port('c')}"]


def test_a_replica_that_is_too_far_behind_gets_nothing(cluster, started):
    g = started()
    stop = threading.Event()

    def write():
        with cluster.connect("a", APP_DB) as su:
            su.execute("create table if not exists written (id int)")
            while not stop.is_set():
                su.execute("insert into written values (1)")
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert set(ask(cluster, g, "fresh")) == {"b", "c"}
        cluster.run("b", "select pg_wal_replay_pause()")
        wait_for(lambda: int(shown(g)["b"]["lag_ms"]) > 600, what="lag")
        assert set(ask(cluster, g, "fresh")) == {"c"}
        assert set(ask(cluster, g)) == {"b", "c"}  # which has no limit
        cluster.run("b", "select pg_wal_replay_resume()")
        wait_for(lambda: int(shown(g)["b"]["lag_ms"]) < 300, what="the end of the lag")
        wait_for(lambda: set(ask(cluster, g, "fresh", each=5)) == {"b", "c"}, what="both")
    finally:
        cluster.run("b", "select pg_wal_replay_resume()")
        stop.set()
        writer.join(20)


def test_a_replica_that_hangs_is_left(cluster, started):
    g = started()
    clients = [client(cluster, g) for _ in range(6)]
    ask(cluster, g)
    cluster.signal("b", signal.SIGSTOP)
    try:
        since, failed = time.monotonic(), 0

        def run(c):
            nonlocal failed
            try:
                c.execute("select inet_server_port()")
            except psycopg.OperationalError as e:
                assert "node b is down" in str(e)
                failed += 1

        threads = [threading.Thread(target=run, args=(c,)) for c in clients]
        for t in threads:
            t.start()
        for t in threads:
            t.join(20)
        assert time.monotonic() - since < 3 and failed < len(clients)
        assert set(ask(cluster, g)) == {"c"}
    finally:
        cluster.signal("b", signal.SIGCONT)
    wait_for(lambda: set(ask(cluster, g, each=5)) == {"b", "c"}, 15, "both")


class Readers:
    """Clients that read without end: when each statement began, how long it took, where it was answered."""

    def __init__(self, connections, sql):
        self.done, self.failures, self.stop = [], [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(c, sql)) for c in connections]
        for t in self.threads:
            t.start()

    def run(self, c, sql):
        try:
            while not self.stop.is_set():
                began = time.monotonic()
                port = c.execute(sql).fetchone()[0]
                self.done.append((began, time.monotonic() - began, port))
        except psycopg.Error as e:
            self.failures.append(e)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(30)


def test_new_reads_leave_a_hung_replica_by_default_settings(cluster, started):
    g = started()
    cluster.patient(g)
    connections = [client(cluster, g) for _ in range(10)]
    readers = Readers(connections[:6], "select inet_server_port() from pg_sleep(0.005)")
    try:
        wait_for(lambda: {p for _, _, p in readers.done[-50:]} == {cluster.port("b"), cluster.port("c")}, what="reads on both")
        cluster.signal("b", signal.SIGSTOP)
        hung = time.monotonic()
        wait_for(lambda: (shown(g)["b"]["trouble"] or "").startswith("owes answers"), 1.8, what="the trouble in SHOW NODES")
        time.sleep(max(0, hung + 1.8 - time.monotonic()))
        late = Readers(connections[6:], "select inet_server_port() from pg_sleep(0.005)")
        time.sleep(1.5)
        late.end()
        assert not late.failures and len(late.done) > 50
        assert max(took for _, took, _ in late.done) < 1 and {p for _, _, p in late.done} == {cluster.port("c")}
        assert shown(g)["b"]["health"] == "up"  # probes have not failed often enough yet
        assert any("has said nothing" in line for line in g.said().splitlines())
    finally:
        cluster.signal("b", signal.SIGCONT)
        readers.end()
    assert not readers.failures  # who was there already has its answer late
    assert not [1 for began, _, port in readers.done if began > hung + 1.8 and began < hung + 3 and port == cluster.port("b")]
    wait_for(lambda: set(ask(cluster, g, each=5)) == {"b", "c"}, what="both")
    assert not shown(g)["b"]["trouble"]
    for c in connections:
        c.close()


def test_a_replica_with_long_statements_alone_stays(cluster, started):
    """It owes answers and says nothing, but to the monitor."""
    g = started()
    cluster.patient(g, probe_interval="30s")
    with client(cluster, g) as c, client(cluster, g) as d:
        slow = Readers([c, d], "select inet_server_port() from pg_sleep(2.5)")
        time.sleep(0.2)
        slow.end()
        assert not slow.failures and len(slow.done) == 2
    assert any("has said nothing" in line for line in g.said().splitlines())
    wait_for(lambda: set(ask(cluster, g, each=5)) == {"b", "c"}, what="both")


def test_replicas_go_and_come_back(cluster, started):
    g = started()
    ask(cluster, g)
    cluster.stop("b", "fast")
    try:
        wait_for(lambda: shown(g)["b"]["health"] == "down", what="its end")
        assert set(ask(cluster, g)) == {"c"}
        cluster.stop("c", "fast")
        wait_for(lambda: shown(g)["c"]["health"] == "down", what="the other's end")
        assert set(ask(cluster, g, "prefer")) == {"a"}
        g.write("gilmok.conf", g.text.replace("failover_wait = 15s", "failover_wait = 500ms"))
        assert not g.console("RELOAD").errors
        with pytest.raises(psycopg.OperationalError) as e:
            client(cluster, g).execute("select 1")
        for words in ("can serve as replica", "a is the primary", "b is down", "c is down"):
            assert words in str(e.value)
        g.write("gilmok.conf", g.text)
        assert not g.console("RELOAD").errors
        waiting = []
        thread = threading.Thread(target=lambda: waiting.append(ask(cluster, g, threads=2, each=1)))
        thread.start()
        time.sleep(0.5)
        assert not waiting
    finally:
        cluster.start("b")
        cluster.start("c")
    thread.join(20)
    assert sum(waiting[0].values()) == 2
    wait_for(lambda: set(ask(cluster, g, each=5)) == {"b", "c"}, 15, "both")
    wait_for(lambda: set(ask(cluster, g, "prefer", each=5)) == {"b", "c"}, 15, "both")


def test_replicas_join_and_leave_under_load(cluster, started):
    """By reload, without one failed statement."""
    g = started()
    without = g.text.replace(f"[node main/c]\nhost = 127.0.0.1\nport = {cluster.port('c')}\n", "")
    assert without != g.text
    stop, failures, asked = threading.Event(), [], []

    def run():
        try:
            with client(cluster, g) as c:
                while not stop.is_set():
                    asked.append((time.monotonic(), c.execute("select inet_server_port(), pg_sleep(0.005)").fetchone()[0]))
        except psycopg.Error as e:
            failures.append(e)

    threads = [threading.Thread(target=run) for _ in range(5)]
    for t in threads:
        t.start()
    try:
        for text in (without, g.text, without, g.text):
            g.write("gilmok.conf", text)
            assert not g.console("RELOAD").errors
            expected = {cluster.port("b")} if text is without else {cluster.port("b"), cluster.port("c")}
            time.sleep(0.3)
            since = time.monotonic()
            wait_for(lambda s=since, e=expected: {p for at, p in asked if at > s + 0.1} == e, what=f"{expected}")
    finally:
        stop.set()
        for t in threads:
            t.join(20)
    assert not failures and len(asked) > 200


def test_a_promoted_replica_reads_no_more_for_others():
    c = Cluster()
    g = c.gilmok(tail=DATABASES)
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
        assert set(ask(c, g)) == {"b", "c"}
        c.stop("a")
        c.promote("b")
        c.follow("c", "b")
        wait_for(lambda: shown(g)["b"]["role"] == "primary", 10, "the new primary")
        wait_for(lambda: set(ask(c, g, each=5)) == {"c"}, what="the replica that is left")
        with client(c, g, "shop") as w:
            w.execute("insert into t values (7)")
        assert set(ask(c, g, "every", each=5)) == {"b", "c"}
    finally:
        g.close()
        c.close()


def test_a_node_that_is_elsewhere_is_judged_anew(cluster):
    """Its new place is another cluster's server. What was known of the old one must send nobody there."""
    su = dict(host=os.environ["SUPERUSER_SOCKET_DIR"], port=PRIMARY_PORT, user="postgres", dbname="postgres", autocommit=True)
    g = cluster.gilmok("ab", tail=DATABASES)
    wait_for_roles(g, a="primary", b="replica")
    right, place = g.text, "[node main/b]\nhost = 127.0.0.1\nport = "
    wrong = right.replace(f"{place}{cluster.port('b')}", f"{place}{PRIMARY_PORT}")
    assert wrong != right
    seen, is_over = collections.Counter(), threading.Event()

    def read():
        while not is_over.is_set():
            try:
                with client(cluster, g) as c:
                    while not is_over.is_set():
                        seen[value(c, "select inet_server_port()")] += 1
            except psycopg.Error:  # nobody can serve it for a moment
                time.sleep(0.01)

    def reload(text):
        g.write("gilmok.conf", text)
        assert not g.console("RELOAD").errors

    with psycopg.connect(**su) as other:
        other.execute("alter role app password '%s'" % cluster.env["APP_PASSWORD"])
        threads = [threading.Thread(target=read) for _ in range(2)]
        for t in threads:
            t.start()
        try:
            for _ in range(8):
                before = sum(seen.values())
                wait_for(lambda before=before: sum(seen.values()) > before + 20, what="reads")
                reload(wrong)
                time.sleep(0.3)
                reload(right)
                wait_for_roles(g, a="primary", b="replica")
        finally:
            is_over.set()
            for t in threads:
                t.join(30)
            other.execute("alter role app password '%s'" % APP_PASSWORD)
            g.close()
    assert set(seen) == {cluster.port("b")}, seen
