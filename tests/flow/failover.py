#!/usr/bin/python3
"""Clusters of several nodes: gilmok knows which is the primary, follows when another one is promoted, and goes nowhere when nobody
can say which it is. A primary and two standbys of the tests' own, made anew for each test that changes who is who."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import psycopg
import pytest

import harness
from flowtools import APP_DB, PRIMARY_PORT, value
from harness import wait_for

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MONITOR_PASSWORD = "the-monitor's-own"
FAST = ["probe_interval = 100ms", "probe_timeout = 500ms", "probe_rise = 1", "probe_fall = 2", "failover_wait = 15s"]
NAMES = {"a": "PRIMARY", "b": "REPLICA1", "c": "REPLICA2"}


class Cluster:
    """Nodes a (the primary), b and c (its standbys)."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="gilmok-cluster-", dir="/var/tmp")
        self.sandbox("up", "pg-replicas", self.dir)
        out = subprocess.run(["bash", "-c", f"set -a; . {self.dir}/env; env -0"], capture_output=True, check=True, text=True).stdout
        self.env = dict(line.split("=", 1) for line in out.split("\0") if "=" in line)
        self.run("a", "create table t (id int primary key); grant all on t to app", APP_DB)
        self.run("a", f"create role watcher login password '{MONITOR_PASSWORD.replace(chr(39), 2 * chr(39))}' in role pg_monitor")
        for node in "bc":
            wait_for(lambda n=node: self.run(n, "select 1 from pg_roles where rolname = 'watcher'"), what="the standbys")

    def sandbox(self, *words):
        env = {**os.environ, "SANDBOX_NO_GILMOK": "1"}
        subprocess.run([f"{TREE}/deploy/sandbox", *words], env=env, check=True, capture_output=True, timeout=120)

    def port(self, node):
        return int(self.env[f"{NAMES[node]}_PORT"])

    def connect(self, node, dbname="postgres"):
        return psycopg.connect(
            host=self.env["SUPERUSER_SOCKET_DIR"], port=self.port(node), user="postgres", dbname=dbname, autocommit=True, connect_timeout=5
        )  # fmt: skip

    def run(self, node, sql, dbname="postgres"):
        with self.connect(node, dbname) as c:
            cursor = c.execute(sql)
            return cursor.fetchall() if cursor.description else None

    def data(self, node):
        return self.env[f"{NAMES[node]}_DATA"]

    def control(self, node, *words):
        prefix = ["runuser", "-u", self.env["SERVER_USER"], "--"] if os.geteuid() == 0 else []
        log = self.env[f"{NAMES[node]}_LOG"]
        subprocess.run(
            [*prefix, self.env["PG_BIN"] + "/pg_ctl", "-D", self.data(node), "-w", "-s", *words, *(["-l", log] if "start" in words else [])],
            cwd="/", check=True, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self, node, how="immediate"):
        self.control(node, "stop", "-m", how)

    def start(self, node):
        self.control(node, "start")

    def promote(self, node):
        assert self.run(node, "select pg_promote()") == [(True,)]

    def follow(self, node, upstream):
        """It streams from another node from now on."""
        where = f"host={self.env['SUPERUSER_SOCKET_DIR']} port={self.port(upstream)} user=postgres"
        self.run(node, f"alter system set primary_conninfo = '{where}'")
        self.run(node, "select pg_reload_conf()")

    def signal(self, node, which):
        """All processes of a server: its main process and the children."""
        with open(f"{self.data(node)}/postmaster.pid", encoding="utf-8") as f:
            main = int(f.readline())
        with open(f"/proc/{main}/task/{main}/children", encoding="utf-8") as f:
            children = [int(pid) for pid in f.read().split()]
        for pid in [main, *children]:
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, which)

    def gilmok(self, nodes="abc", main=(), cluster=(), monitor=True, tail=""):
        text = "".join(f"[node main/{n}]\nhost = 127.0.0.1\nport = {self.port(n)}\n" for n in nodes[1:])
        watched = ["monitor_user = watcher", "monitor_password_file = watcher.txt", *FAST]
        return harness.Gilmok(
            self.port(nodes[0]), main=main, cluster=[*(watched if monitor else []), *cluster], tail=text + tail,
            database=["pool_size = 4", "queue_timeout = 20s"], users={"app": self.env["APP_PASSWORD"]},
            files={"watcher.txt": MONITOR_PASSWORD + "\n"},
        )  # fmt: skip

    def patient(self, g, **more):
        """Its times are those by default from now on, but for these."""
        text = "".join(line for line in g.text.splitlines(True) if line.rstrip() not in FAST)
        assert text != g.text
        text = text.replace("monitor_user =", "".join(f"{k} = {v}\n" for k, v in more.items()) + "monitor_user =", 1)
        g.write("gilmok.conf", text)
        assert not g.console("RELOAD").errors
        return text

    def client(self, g, dbname=APP_DB, **more):
        return psycopg.connect(
            host="127.0.0.1", port=g.port, user="app", password=self.env["APP_PASSWORD"], dbname=dbname, autocommit=True, connect_timeout=20,
            **more,
        )  # fmt: skip

    def close(self):
        self.sandbox("down", self.dir)
        subprocess.run(["rm", "-rf", self.dir], check=True)


@pytest.fixture
def cluster():
    c = Cluster()
    yield c
    c.close()


@pytest.fixture(scope="module")
def steady():
    """For tests that leave everybody what they are."""
    c = Cluster()
    yield c
    c.close()


def shown(g, what="NODES"):
    """Rows by the name of the node or cluster."""
    return {row["node" if what == "NODES" else "cluster"]: row for row in g.show(what)}


def roles(g):
    return {name: row["role"] for name, row in shown(g).items()}


def wait_for_roles(g, **expected):
    wait_for(lambda: roles(g) == expected, 10, f"{expected}; it is {roles(g)}")


def port_of(client):
    return value(client, "select inet_server_port()")


def test_roles_health_and_lag(steady):
    g = steady.gilmok()
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
        nodes = shown(g)
        assert [n["health"] for n in nodes.values()] == ["up"] * 3
        assert len({n["system_identifier"] for n in nodes.values()}) == 1 and nodes["a"]["timeline"] == "1"
        assert nodes["b"]["upstream"].endswith(f":{steady.port('a')}") and nodes["b"]["sync_state"] == "async"
        assert nodes["a"]["version"] == value(steady.connect("a"), "show server_version").split(" ")[0]
        main = shown(g, "CLUSTERS")["main"]
        assert (main["primary"], main["nodes"], main["nodes_up"]) == ("a", "3", "3")
        with steady.client(g) as c:
            assert port_of(c) == steady.port("a")
    finally:
        g.close()


def test_lag_is_that_of_the_standby_and_none_on_an_idle_primary(steady):
    g = steady.gilmok()
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
        steady.run("b", "select pg_wal_replay_pause()")
        steady.run("a", "create table if not exists lag (id int); insert into lag select generate_series(1, 1000)")
        wait_for(lambda: int(shown(g)["b"]["lag_ms"]) > 800, what="lag")
        nodes = shown(g)
        assert int(nodes["b"]["lag_bytes"]) > 10000 and nodes["b"]["replay_paused"] == "yes"
        assert (nodes["c"]["lag_ms"], nodes["c"]["lag_bytes"]) == ("0", "0")
        steady.run("b", "select pg_wal_replay_resume()")
        wait_for(lambda: shown(g)["b"]["lag_bytes"] == "0", what="an end of the lag")
        time.sleep(1)
        nodes = shown(g)
        assert nodes["b"]["lag_ms"] == "0" and int(nodes["b"]["replay_age_ms"]) > 900
    finally:
        g.close()


def test_a_node_of_another_cluster_is_left_alone(steady):
    other = f"[node main/z]\nhost = 127.0.0.1\nport = {PRIMARY_PORT}\n"
    with psycopg.connect(host=os.environ["SUPERUSER_SOCKET_DIR"], port=PRIMARY_PORT, user="postgres", dbname="postgres", autocommit=True) as su:
        su.execute("drop role if exists watcher")
        su.execute("create role watcher login password %s in role pg_monitor" % ("'" + MONITOR_PASSWORD.replace("'", "''") + "'"))
        g = steady.gilmok(tail=other)
        try:
            wait_for_roles(g, a="primary", b="replica", c="replica", z="foreign")
            with steady.client(g) as c:
                assert port_of(c) == steady.port("a")
        finally:
            g.close()
            wait_for(lambda: not value(su, "select count(*) from pg_stat_activity where usename = 'watcher'"), what="the monitor's end")
            su.execute("drop role watcher")


def test_without_a_primary_statements_wait_and_are_told_why(steady):
    g = steady.gilmok("bc")
    try:
        wait_for(lambda: shown(g, "CLUSTERS")["main"]["reason"] == "no node can be written to", what="the reason")
        assert g.console("SHOW NODES").rows
        g.write("gilmok.conf", g.text.replace("failover_wait = 15s", "failover_wait = 700ms"))
        assert not g.console("RELOAD").errors
        since = time.monotonic()
        with pytest.raises(psycopg.OperationalError) as caught:
            steady.client(g).execute("select 1")
        assert 0.6 < time.monotonic() - since < 5
        assert "no primary" in str(caught.value) and "no node can be written to" in str(caught.value)
    finally:
        g.close()


def test_one_node_is_served_whatever_it_is(steady):
    for monitor, health in ((True, "up"), (False, "unwatched")):
        g = steady.gilmok("b", monitor=monitor)
        try:
            with steady.client(g) as c:
                assert value(c, "select pg_is_in_recovery()") is True
            wait_for(lambda h=health: shown(g)["a"]["health"] == h, what=health)  # that is the first one's name
        finally:
            g.close()


def test_nodes_join_and_leave_by_reload(steady):
    g = steady.gilmok("ab")
    try:
        with steady.client(g) as c:
            pid = value(c, "select pg_backend_pid()")
            g.write("gilmok.conf", g.text + f"[node main/c]\nhost = 127.0.0.1\nport = {steady.port('c')}\n")
            assert not g.console("RELOAD").errors
            wait_for_roles(g, a="primary", b="replica", c="replica")
            g.write("gilmok.conf", g.text)
            assert not g.console("RELOAD").errors
            wait_for_roles(g, a="primary", b="replica")
            assert value(c, "select pg_backend_pid()") == pid
        assert shown(g, "CLUSTERS")["main"]["changes"] in ("1", "2")
    finally:
        g.close()


def test_a_monitor_that_is_refused_takes_no_primary_away(cluster):
    g = cluster.gilmok()
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
        cluster.run("a", "alter role watcher password 'another'")
        cluster.run("a", "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'watcher'")
        wait_for(lambda: "password" in (shown(g)["a"]["trouble"] or ""), what="trouble")
        time.sleep(0.5)
        node = shown(g)["a"]
        assert (node["role"], node["health"]) == ("primary", "up") and int(node["failures"]) > 2
        with cluster.client(g) as c:
            assert port_of(c) == cluster.port("a")
        assert "does not let the monitor look" in g.said()
    finally:
        g.close()


def test_what_a_server_says_is_told_at_once(steady):
    """Only a primary that is away is worth waiting for another one."""
    g = steady.gilmok(tail="[database none]\nserver_database = no_such_database\n")
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
        since = time.monotonic()
        with pytest.raises(psycopg.OperationalError) as caught:
            psycopg.connect(host="127.0.0.1", port=g.port, user="app", password=steady.env["APP_PASSWORD"], dbname="none").execute("select 1")
        assert "no_such_database" in str(caught.value) and time.monotonic() - since < 3
    finally:
        g.close()


def test_the_environment_says_nothing_to_the_monitor(steady, monkeypatch):
    for name, text in (("PGHOSTADDR", "127.9.9.9"), ("PGSERVICE", "none"), ("PGTZ", "Nowhere"), ("PGPASSWORD", "wrong"), ("PGSSLMODE", "require")):
        monkeypatch.setenv(name, text)
    g = steady.gilmok()
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
    finally:
        g.close()


def test_probes_verify_no_more_than_server_tls_asks_for(cluster):
    """A certificate that nobody knows is right for `require`, and wrong for verify-full."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=elsewhere", "-keyout", f"{cluster.dir}/k.pem",
         "-out", f"{cluster.dir}/c.pem"], check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    for node in "abc":
        for name, file in (("k.pem", "server.key"), ("c.pem", "server.crt")):
            subprocess.run(["install", "-m", "600", f"{cluster.dir}/{name}", f"{cluster.data(node)}/{file}"], check=True)
            if os.geteuid() == 0:
                shutil.chown(f"{cluster.data(node)}/{file}", cluster.env["SERVER_USER"])
        with open(f"{cluster.data(node)}/postgresql.auto.conf", "a", encoding="utf-8") as f:
            f.write("ssl = on\n")
        cluster.run(node, "select pg_reload_conf()")
    g = cluster.gilmok(cluster=["server_tls = require"])
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
        with cluster.client(g) as c:
            assert value(c, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert {row[0] for row in cluster.run("a", "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'watcher'")} == {True}
        text = g.text.replace("probe_timeout = 500ms", "probe_timeout = 5s")  # the list of authorities is long
        g.write("gilmok.conf", text.replace("server_tls = require", "server_tls = verify-full"))
        assert not g.console("RELOAD").errors
        wait_for(lambda: "certificate" in (shown(g)["a"]["trouble"] or ""), 20, "a refusal")
    finally:
        g.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_failover_is_followed(cluster, workers):
    """The primary crashes, a standby is promoted: clients wait, and go on there."""
    g = cluster.gilmok(main=[f"workers = {workers}"])
    try:
        clients = [cluster.client(g) for _ in range(6)]
        busy = cluster.client(g)
        assert {port_of(c) for c in clients} == {cluster.port("a")}
        busy.execute("begin")
        busy.execute("insert into t values (-1)")
        cluster.stop("a")
        wait_for(lambda: shown(g)["a"]["health"] == "down", what="the primary's end")
        answers = []

        def write(i):
            clients[i].execute(f"insert into t values ({i})")
            answers.append(port_of(clients[i]))

        threads = [threading.Thread(target=write, args=(i,)) for i in range(len(clients))]
        for t in threads:
            t.start()
        time.sleep(0.5)
        assert answers == []
        cluster.promote("b")
        promoted = time.monotonic()
        for t in threads:
            t.join(20)
        assert answers == [cluster.port("b")] * len(clients) and time.monotonic() - promoted < 3
        assert cluster.run("b", "select count(*), min(id) from t", APP_DB) == [(len(clients), 0)]
        with pytest.raises(psycopg.OperationalError):
            busy.execute("insert into t values (-2)")
        assert roles(g)["b"] == "primary"
        main = shown(g, "CLUSTERS")["main"]
        assert main["primary"] == "b" and main["timeline"] == "2" and "does not answer" in g.said()
        for c in clients:
            c.close()
    finally:
        g.close()


def test_the_old_primary_comes_back_to_its_standby(cluster):
    """Nobody has told c of the new primary: it streams from the old one again. That must not make it the primary."""
    g = cluster.gilmok()
    try:
        with cluster.client(g) as c:
            c.execute("insert into t values (1)")
            cluster.run("a", "checkpoint")
            cluster.stop("a")
            wait_for(lambda: shown(g)["a"]["health"] == "down", what="the primary's end")
            cluster.promote("b")
            c.execute("insert into t values (2)")
            cluster.start("a")
            wait_for_roles(g, a="stray", b="primary", c="replica")
            wait_for(lambda: (shown(g)["c"]["upstream"] or "").endswith(str(cluster.port("a"))), 15, "the standby's connection")
            for i in range(3, 6):
                c.execute(f"insert into t values ({i})")
                time.sleep(0.1)
            assert port_of(c) == cluster.port("b") and roles(g)["a"] == "stray"
        assert cluster.run("a", "select count(*) from t", APP_DB) == [(1,)]
    finally:
        g.close()


def test_a_stray_promotion_takes_nothing(cluster):
    g = cluster.gilmok()
    try:
        with cluster.client(g) as c:
            wait_for_roles(g, a="primary", b="replica", c="replica")
            pid = value(c, "select pg_backend_pid()")
            cluster.promote("c")
            wait_for_roles(g, a="primary", b="replica", c="stray")
            time.sleep(0.5)
            assert value(c, "select pg_backend_pid()") == pid and roles(g)["a"] == "primary"
            assert "node c can be written to as well" in shown(g, "CLUSTERS")["main"]["reason"]
            cluster.stop("a", "fast")  # nor does a restart give it the writes
            wait_for(lambda: shown(g)["a"]["health"] == "down", what="the primary's end")
            time.sleep(0.5)
            assert shown(g, "CLUSTERS")["main"]["primary"] is None
            cluster.start("a")
            assert port_of(c) == cluster.port("a")
            wait_for_roles(g, a="primary", b="replica", c="stray")
    finally:
        g.close()


def test_two_that_can_be_written_to_are_refused(cluster):
    """With two nodes there is no standby left to tell. Nothing is written until one of them is stopped."""
    g = cluster.gilmok("ab")
    try:
        with cluster.client(g) as c:
            assert port_of(c) == cluster.port("a")
            busy = cluster.client(g)
            busy.execute("begin")
            busy.execute("insert into t values (1)")
            cluster.promote("b")
            wait_for(lambda: shown(g, "CLUSTERS")["main"]["primary"] is None, what="doubt")
            with pytest.raises(psycopg.OperationalError):  # what is under way may be at the wrong one
                busy.execute("commit")
            reason = shown(g, "CLUSTERS")["main"]["reason"]
            assert "a (timeline 1) and b (timeline 2) can both be written to" in reason
            threading.Timer(0.7, cluster.stop, ["b"]).start()
            assert port_of(c) == cluster.port("a")
    finally:
        g.close()


def test_leases_of_a_node_that_leaves_the_configuration_are_cut(cluster):
    """The old primary goes on, and is taken out of the file: sessions that are on it end, as gilmok goes to the new one."""
    g = cluster.gilmok()
    try:
        wait_for_roles(g, a="primary", b="replica", c="replica")
        busy = cluster.client(g)
        busy.execute("begin")
        busy.execute("insert into t values (1)")
        cluster.promote("b")
        cluster.follow("c", "b")
        text = g.text.replace("[node main/a]", "[node main/b]", 1).replace(f"port = {cluster.port('a')}", f"port = {cluster.port('b')}")
        text = text.replace(f"[node main/b]\nhost = 127.0.0.1\nport = {cluster.port('b')}\n", "", 1)
        assert text.count("[node") == 2 and "[node main/a]" not in text
        g.write("gilmok.conf", text)
        assert not g.console("RELOAD").errors
        with cluster.client(g) as c:
            assert port_of(c) == cluster.port("b")
        with pytest.raises(psycopg.OperationalError):
            busy.execute("commit")
        assert cluster.run("a", "select count(*) from t", APP_DB) == [(0,)]
    finally:
        g.close()


def test_a_primary_that_hangs(cluster):
    g = cluster.gilmok()
    try:
        with cluster.client(g) as c:
            wait_for_roles(g, a="primary", b="replica", c="replica")
            c.execute("insert into t values (1)")
            cluster.signal("a", signal.SIGSTOP)
            try:
                wait_for(lambda: shown(g)["a"]["health"] == "down", what="the primary's end")
                assert "no answer within probe_timeout" in shown(g)["a"]["trouble"]
                cluster.promote("b")
                assert port_of(c) == cluster.port("b")
            finally:
                cluster.signal("a", signal.SIGCONT)
            wait_for_roles(g, a="stray", b="primary", c="replica")
            assert port_of(c) == cluster.port("b")
    finally:
        g.close()


def test_a_switchover_loses_no_write(cluster):
    """The primary is stopped in order, and the standby that has all of it is promoted; clients write on and on."""
    g = cluster.gilmok(main=["workers = 2"])
    done, stop, lost = [], threading.Event(), []

    def write(worker):
        c, i = cluster.client(g), 0
        while not stop.is_set():
            i += 1
            number = worker * 1000000 + i
            try:
                c.execute(f"insert into t values ({number})")
                done.append(number)
            except psycopg.OperationalError:  # sent, and not answered
                lost.append(number)
                c.close()
                c = cluster.client(g)
        c.close()

    try:
        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        wait_for(lambda: len(done) > 100, what="writes")
        cluster.stop("a", "fast")
        cluster.promote("b")
        cluster.follow("c", "b")
        count = len(done)
        wait_for(lambda: len(done) > count + 100, 10, "writes on the new primary")
        stop.set()
        for t in threads:
            t.join(20)
        written = {row[0] for row in cluster.run("b", "select id from t", APP_DB)}
        assert set(done) <= written and written <= set(done) | set(lost)
        assert len(lost) <= len(threads)
        wait_for(lambda: cluster.run("c", "select count(*) from t", APP_DB) == [(len(written),)], 10, "the other standby")
    finally:
        stop.set()
        g.close()
