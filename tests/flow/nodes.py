#!/usr/bin/python3
"""ADD NODE, DRAIN NODE, RESUME NODE, REMOVE NODE: nodes come and go at the console, and no client notices."""

import contextlib
import os
import signal
import socket
import threading
import time

import psycopg
import pytest

import pgwire
from failover import Cluster, shown, wait_for_roles
from flowtools import APP_DB, value
from harness import wait_for

DATABASES = (
    f"[database ro]\nserver_database = {APP_DB}\nrole = replica\npool_size = 12\nqueue_timeout = 20s\n"
    f"[database split]\nserver_database = {APP_DB}\nread_write_split = on\nread_functions = here\npool_size = 12\nqueue_timeout = 20s\n"
)


@pytest.fixture(scope="module")
def cluster():
    c = Cluster()
    c.run("a", "create function here() returns int language plpgsql stable as 'begin return inet_server_port(); end'", APP_DB)
    c.run("a", "create role all_is_there")
    for node in "bc":
        wait_for(lambda n=node: c.run(n, "select 1 from pg_roles where rolname = 'all_is_there'"), what="the standbys")
    yield c
    c.close()


@pytest.fixture
def started(cluster):
    gilmoks = []

    def start(nodes="ab", **more):
        g = cluster.gilmok(nodes, **{"tail": DATABASES, **more})
        gilmoks.append(g)
        wait_for_roles(g, **{n: "primary" if n == "a" else "replica" for n in nodes})
        return g

    yield start
    for g in gilmoks:
        g.close()


def ordering(g, is_over, what=("DRAIN NODE main/c", "RESUME NODE main/c")):
    """Orders without end, each soon behind the one before."""
    while not is_over.wait(0.2):
        for words in what:
            order(g, words)


def client(cluster, g, database):
    return psycopg.connect(
        host="127.0.0.1", port=g.port, user="app", password=cluster.env["APP_PASSWORD"], dbname=database, autocommit=True, connect_timeout=20
    )  # fmt: skip


class Load:
    """Clients of all kinds, each statement noted with its node; what fails is kept."""

    def __init__(self, cluster, g):
        self.cluster, self.g = cluster, g
        self.stop, self.failures, self.asked, self.written = threading.Event(), [], [], 0
        kinds = [self.reads, self.reads, self.transactions, self.splits, self.splits, self.writes]
        self.threads = [threading.Thread(target=self.run, args=(kind,)) for kind in kinds]
        for t in self.threads:
            t.start()

    def run(self, kind):
        try:
            kind()
        except (psycopg.Error, AssertionError) as e:
            self.failures.append(e)

    def note(self, port):
        self.asked.append((time.monotonic(), port))

    def reads(self):
        with client(self.cluster, self.g, "ro") as c:
            while not self.stop.is_set():
                self.note(value(c, "select inet_server_port(), pg_sleep(0.003)"))

    def transactions(self):
        """One node serves all of a transaction, whatever happens meanwhile."""
        with client(self.cluster, self.g, "ro") as c:
            while not self.stop.is_set():
                with c.transaction():
                    ports = {value(c, "select inet_server_port(), pg_sleep(0.005)") for _ in range(5)}
                assert len(ports) == 1

    def splits(self):
        with client(self.cluster, self.g, "split") as c:
            while not self.stop.is_set():
                self.note(value(c, "select here(), pg_sleep(0.003)"))

    def writes(self):
        with client(self.cluster, self.g, "split") as c:
            while not self.stop.is_set():
                self.written += 1
                c.execute("insert into t values (%s)", (self.written,))
                assert value(c, "select count(*) from t where id = %s", (self.written,)) == 1

    def served_by(self, nodes):
        """From now on all of these answer, and no other one but the primary, to which the split may go for a moment."""
        expected = {self.cluster.port(n) for n in nodes}
        primary = self.cluster.port("a")
        since = time.monotonic() + 0.2
        wait_for(lambda: {p for at, p in self.asked if at > since} - {primary} == expected, 15, f"{nodes} alone")

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(30)
        assert not self.failures, self.failures


@contextlib.contextmanager
def load(cluster, g):
    cluster.run("a", "truncate t", APP_DB)
    l = Load(cluster, g)
    try:
        yield l
    finally:
        l.end()
    assert len(l.asked) > 200 and l.written > 20
    assert cluster.run("a", "select count(*) from t", APP_DB) == [(l.written,)]


def order(g, sql):
    """The notices."""
    with psycopg.connect(host="127.0.0.1", port=g.port, dbname="gilmok", user="boss", password=g.users["boss"], autocommit=True) as c:
        said = []
        c.add_notice_handler(lambda d: said.append(d.message_primary))
        assert c.execute(sql).statusmessage == sql.split()[0].upper()
        return said


def connections(cluster, node, user):
    return cluster.run(node, f"select count(*) from pg_stat_activity where usename = '{user}'")[0][0]


def sources(g):
    return {name: (row["source"], row["drained"]) for name, row in shown(g).items()}


@pytest.mark.parametrize("workers", [1, 3])
def test_nodes_join_drain_and_leave_under_load(cluster, started, workers):
    g = started(main=[f"workers = {workers}"])
    with load(cluster, g) as l:
        l.served_by("b")
        assert "added: [node main/c]" in order(g, f"ADD NODE main/c 127.0.0.1 {cluster.port('c')} weight 2")
        l.served_by("bc")
        assert sources(g) == {"a": ("config", "no"), "b": ("config", "no"), "c": ("console", "no")}
        order(g, "drain node main/b")
        order(g, "WAIT_CLOSE")
        wait_for(lambda: connections(cluster, "b", "app") == 0, what="an end of the connections to b")
        l.served_by("c")
        assert sources(g)["b"] == ("config", "yes") and shown(g)["b"]["health"] == "up"
        assert connections(cluster, "b", "watcher") > 0  # it is still looked at
        order(g, "RESUME NODE main/b")
        l.served_by("bc")
        assert "removed: [node main/c]" in order(g, "REMOVE NODE main/c")
        order(g, "WAIT_CLOSE")
        wait_for(lambda: connections(cluster, "c", "app") + connections(cluster, "c", "watcher") == 0, what="an end of all at c")
        l.served_by("b")
        order(g, f"ADD NODE main/c 127.0.0.1 {cluster.port('c')}")
        l.served_by("bc")
        order(g, "REMOVE NODE main/b")
        l.served_by("c")
        assert sources(g) == {"a": ("config", "no"), "c": ("console", "no")}
        assert any("main/b stays removed" in n for n in order(g, "RELOAD"))
        assert any("main/c stays added" in n or "stays added" in n for n in order(g, "RELOAD"))
        l.served_by("c")
        order(g, "ADD NODE main/b")
        l.served_by("bc")
        assert sources(g)["b"] == ("config", "no")


def test_a_standby_joins_a_primary_that_was_alone(cluster, started):
    """And leaves it again: nobody is without a primary for a moment."""
    g = started("a")
    with load_of_writes(cluster, g) as failures:
        for _ in range(3):
            order(g, f"ADD NODE main/b 127.0.0.1 {cluster.port('b')}")
            wait_for_roles(g, a="primary", b="replica")
            order(g, "REMOVE NODE main/b")
            assert list(shown(g)) == ["a"]
            time.sleep(0.1)
        assert not failures
    assert shown(g, "CLUSTERS")["main"]["changes"] == "1"


@contextlib.contextmanager
def load_of_writes(cluster, g):
    cluster.run("a", "truncate t", APP_DB)
    stop, failures, written = threading.Event(), [], [0] * 4

    def run(i):
        try:
            with client(cluster, g, APP_DB) as c:
                while not stop.is_set():
                    with c.transaction():
                        c.execute("insert into t values (%s)", (written[i] * 4 + i,))
                        c.execute("select pg_sleep(0.002)")
                    written[i] += 1
        except psycopg.Error as e:
            failures.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    try:
        yield failures
    finally:
        stop.set()
        for t in threads:
            t.join(30)
    assert not failures, failures
    assert cluster.run("a", "select count(*) from t", APP_DB) == [(sum(written),)] and min(written) > 10


@pytest.mark.cve("T-FOUND orders")
def test_what_is_refused(cluster, started):
    g = started("abc")
    here = f"127.0.0.1 {cluster.port('b')}"
    for sql, sqlstate, words in (
        ("DRAIN NODE main/a", "55000", "is the primary now"),
        ("REMOVE NODE main/a", "55000", "is the primary now"),
        ("REMOVE NODE main/z", "42704", "no node z"),
        ("DRAIN NODE other/a", "42704", "no cluster other"),
        ("RESUME NODE main/b", "55000", "not drained"),
        ("ADD NODE main/b", "42710", "exists already"),
        (f"ADD NODE main/b {here}", "42710", "exists already"),
        (f"ADD NODE main/d {here}", "42710", "node main/b is the same server"),
        (f"ADD NODE main/d 127.1 {cluster.port('b')}", "42710", "node main/b is the same server"),  # in other words
        ("ADD NODE main/d", "42704", "nothing is known"),
        ("ADD NODE d 127.0.0.1", "42601", "by its cluster and its name"),
        ("ADD NODE main/d 127.0.0.1 70000", "42601", "not a port"),
        ("ADD NODE main/d 127.0.0.1 weight", "42601", "weight is a number"),
        ("ADD NODE main/d 127.0.0.1 height 3", "42601", "height"),
        ("DRAIN NODE main/b now", "42601", "nothing more"),
        ("DRAIN NODE", "42601", "does not know"),
    ):
        got = g.console(sql).errors
        assert got and got[0].sqlstate == sqlstate and words in str(got[0]), (sql, got)
    assert g.console("DRAIN NODE main/b", user="stats").errors[0].sqlstate == "42501"
    assert sources(g) == {n: ("config", "no") for n in "abc"}
    order(g, "DRAIN NODE main/b")
    order(g, "DRAIN NODE main/c")
    g.write("gilmok.conf", g.text.replace("failover_wait = 15s", "failover_wait = 300ms"))
    assert [n for n in order(g, "RELOAD") if "drained" in n] == [
        f"node main/{n} stays drained, until RESUME NODE or a restart" for n in "bc"
    ]  # fmt: skip
    with pytest.raises(psycopg.OperationalError, match="b is drained"), client(cluster, g, "ro") as c:
        c.execute("select 1")
    with client(cluster, g, "split") as c:
        assert value(c, "select here()") == cluster.port("a")


def test_the_file_has_the_last_word_on_its_nodes(cluster, started):
    """A node that was added is in the file now; one that was removed is not any more."""
    g = started("ab")
    order(g, f"ADD NODE main/c 127.0.0.1 {cluster.port('c')} weight 3")
    order(g, "REMOVE NODE main/b")
    with_c = g.text + f"[node main/c]\nhost = 127.0.0.1\nport = {cluster.port('c')}\n"
    g.write("gilmok.conf", with_c.replace(f"[node main/b]\nhost = 127.0.0.1\nport = {cluster.port('b')}\n", ""))
    assert any("as the file says now" in n for n in order(g, "RELOAD"))
    assert sources(g) == {"a": ("config", "no"), "c": ("config", "no")}
    g.write("gilmok.conf", with_c)
    order(g, "RELOAD")
    wait_for_roles(g, a="primary", b="replica", c="replica")


@pytest.mark.cve("T-FOUND orders")
def test_who_has_added_what_is_told(cluster, started):
    """To who orders it, and in the log: where the node is, and whose order it was."""
    g = started("ab")
    place = f"127.0.0.1:{cluster.port('c')}"
    added = f"node main/c at {place}, ordered by boss, is there, until REMOVE NODE or a restart: write it into the file, too"
    assert added in order(g, f"ADD NODE main/c 127.0.0.1 {cluster.port('c')}") and added in g.said()
    order(g, "REMOVE NODE main/c")
    assert "node main/c, ordered by boss, is gone, until ADD NODE or a restart" in g.said()


def test_orders_behind_a_shutdown_are_refused(cluster, started):
    """Those that are in the mail by then: they are told so, and nothing is begun any more."""
    g = started("ab", main=["workers = 2"])
    asks = [pgwire.Client(g.port, user="boss", password=g.users["boss"], database="gilmok").login() for _ in range(12)]
    os.kill(g.process.pid, signal.SIGSTOP)
    for i, c in enumerate(asks):
        c.send(pgwire.query(f"ADD NODE main/n{i} 127.0.0.1 {cluster.port('c') + i}" if i else "SHUTDOWN"))
    os.kill(g.process.pid, signal.SIGCONT)
    said = [error_of(c) for c in asks]
    assert g.process.wait(10) == 0
    before, after = g.said().split("gilmok stops")
    assert "added:" not in after
    assert said[0] == "57P01" and said.count("") == before.count("added:") and said.count("57P01") > 1, said


def error_of(client):
    """The SQLSTATE that it hears; "closed" when it hears nothing, "" when all is well."""
    try:
        errors = client.collect().errors
    except pgwire.Closed:
        return "closed"
    return errors[0].sqlstate if errors else ""


def test_a_reload_that_fails_leaves_the_nodes(cluster, started):
    """And an order about a node does not read what somebody is writing into the file."""
    g = started("ab")
    g.write("gilmok.conf", g.text + "nonsense\n")
    order(g, f"ADD NODE main/c 127.0.0.1 {cluster.port('c')}")
    assert g.console("RELOAD").errors
    wait_for_roles(g, a="primary", b="replica", c="replica")
    order(g, "REMOVE NODE main/c")
    assert list(sources(g)) == ["a", "b"]


@pytest.mark.cve("T-FOUND standbys")
def test_a_server_of_another_cluster_gets_nothing(cluster, started):
    g = started("ab")
    other = Cluster()
    try:
        order(g, f"ADD NODE main/z 127.0.0.1 {other.port('a')}")
        wait_for_roles(g, a="primary", b="replica", z="foreign")
        with client(cluster, g, "ro") as c:
            assert {value(c, "select inet_server_port()") for _ in range(20)} == {cluster.port("b")}
        with client(cluster, g, APP_DB) as c:
            assert value(c, "select inet_server_port()") == cluster.port("a")
    finally:
        other.close()


def test_a_drained_node_is_promoted_and_the_dead_primary_removed():
    c = Cluster()
    g = c.gilmok(tail=DATABASES + f"[database prefer]\nserver_database = {APP_DB}\nrole = prefer-replica\n")
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
        order(g, "DRAIN NODE main/b")
        c.stop("a")
        wait_for(lambda: shown(g)["a"]["health"] == "down", what="its end")
        wait_for(lambda: shown(g, "CLUSTERS")["main"]["primary"] in ("", None), what="no primary")
        order(g, "REMOVE NODE main/a")
        c.promote("b")
        c.follow("c", "b")
        wait_for_roles(g, b="primary", c="replica")  # whoever promoted it has decided so
        with client(c, g, APP_DB) as w:
            w.execute("insert into t values (1)")
        assert g.console("REMOVE NODE main/b").errors[0].sqlstate == "55000"
        c.stop("c")
        wait_for(lambda: shown(g)["c"]["health"] == "down", 10, what="its end")
        with client(c, g, "prefer") as r:  # it is all that there is
            assert value(r, "select inet_server_port()") == c.port("b")
    finally:
        g.close()
        c.close()


def test_orders_do_not_keep_the_monitor_from_seeing(cluster, started):
    """Whoever orders all the time, a silent node is found to be down, and a node that does not answer yet holds up no decision."""
    g = started("abc")
    is_over = threading.Event()
    orders = threading.Thread(target=ordering, args=(g, is_over))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        orders.start()
        try:
            order(g, f"ADD NODE main/x 127.0.0.1 {silent.getsockname()[1]}")
            cluster.signal("b", signal.SIGSTOP)
            wait_for(lambda: shown(g)["b"]["health"] == "down" == shown(g)["x"]["health"], 6, what="the silent ones are down")
        finally:
            cluster.signal("b", signal.SIGCONT)
            is_over.set()
            orders.join(30)
    wait_for(lambda: shown(g)["b"]["health"] == "up", what="b")
