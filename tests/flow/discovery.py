#!/usr/bin/python3
"""Nodes that nobody has written into the file."""

import contextlib
import socket
import threading
import time

import psycopg
import pytest

from failover import Cluster, shown, wait_for_roles
from flowtools import APP_DB, value
from harness import free_port, wait_for
from nodes import DATABASES, client, load, order, sources


class Relay:
    """TCP from one loopback address to a server's, as if it came from another one."""

    def __init__(self, host, port, to, source="127.0.0.1"):
        self.to, self.source, self.open = to, source, []
        self.listener = socket.create_server((host, port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.socket()
                self.open += [near, far]
                far.bind((self.source, 0))
                try:
                    far.connect(("127.0.0.1", self.to))
                except OSError:
                    near.close()
                    continue
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)

    def close(self):
        for s in (self.listener, *self.open):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()


class Spread:
    """A cluster whose standbys seem to be on machines of their own: b at 127.0.0.2, c at 127.0.0.3, on the same port."""

    ADDRESSES = {"b": "127.0.0.2", "c": "127.0.0.3"}

    def __init__(self):
        self.cluster = c = Cluster()
        self.port, self.relays = free_port(), []
        c.run("a", "create role streamer login replication password 'streams'")
        c.run("a", "create function here() returns int language plpgsql stable as 'begin return inet_server_port(); end'", APP_DB)
        with open(f"{c.data('a')}/pg_hba.conf", "a", encoding="utf-8") as f:
            f.write("host replication streamer 127.0.0.0/8 scram-sha-256\n")
        c.run("a", "select pg_reload_conf()")
        for node, address in self.ADDRESSES.items():
            self.relays.append(Relay(address, self.port, c.port(node)))
            self.stream(node, address)

    def stream(self, node, address):
        up = Relay("127.0.0.1", free_port(), self.cluster.port("a"), source=address)
        self.relays.append(up)
        port = up.listener.getsockname()[1]
        self.cluster.run(node, f"alter system set primary_conninfo = 'host=127.0.0.1 port={port} user=streamer password=streams'")
        self.cluster.run(node, "select pg_reload_conf()")

    def listed(self):
        return {a for (a,) in self.cluster.run("a", "select host(client_addr) from pg_stat_replication where state = 'streaming'")}

    def close(self):
        for r in self.relays:
            r.close()
        self.cluster.close()


@pytest.fixture(scope="module")
def spread():
    s = Spread()
    wait_for(lambda: s.listed() == set(s.ADDRESSES.values()), 15, "the standbys")
    yield s
    s.close()


@pytest.fixture
def start(spread):
    gilmoks = []

    def begin(nodes="a", cluster=(), **more):
        words = ["discover_standbys = on", f"discover_port = {spread.port}", "discover_keep = 300ms", *cluster]
        g = spread.cluster.gilmok(nodes, cluster=words, tail=DATABASES, **more)
        gilmoks.append(g)
        return g

    yield begin
    for g in gilmoks:
        g.close()


B, C = "127.0.0.2", "127.0.0.3"


class Names:
    """A name server: every name ends in `test` and has `addresses` for `ttl` seconds, or the answer is an error (`code`)."""

    def __init__(self, addresses, ttl=1):
        self.addresses, self.ttl, self.code, self.is_silent, self.asked = addresses, ttl, 0, False, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                data, who = self.socket.recvfrom(4096)
                if not self.is_silent:
                    self.socket.sendto(self.answer(data), who)

    def answer(self, data):
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]])
            at += 1 + data[at]
        kind = int.from_bytes(data[at + 1 : at + 3], "big")
        self.asked.append((time.monotonic(), kind))
        code = self.code if labels[-1] == b"test" else 3
        found = [socket.inet_aton(a) for a in self.addresses] if kind == 1 and not code else []
        head = data[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + len(found).to_bytes(2, "big") + b"\0\0\0\0"
        records = b"".join(b"\xc0\x0c\0\1\0\1" + self.ttl.to_bytes(4, "big") + b"\0\4" + a for a in found)
        return head + data[12 : at + 5] + records

    def close(self):
        self.socket.close()


@pytest.fixture
def names():
    n = Names([B, C])
    yield n
    n.close()


def by_name(spread, host="replicas.test", name="replicas", more=""):
    return f"[node main/{name}]\nhost = {host}\nport = {spread.port}\ndiscover_addresses = on\n{more}"


@pytest.fixture
def named(spread, names):
    """A gilmok that finds the standbys by name."""
    gilmoks = []

    def begin(more="", keep="300ms", tail=DATABASES, **others):
        g = spread.cluster.gilmok(
            "a", main=[f"dns_servers = 127.0.0.1:{names.port}, 127.0.0.1:{names.port}", *others.pop("main", [])],
            cluster=[f"discover_keep = {keep}"], tail=by_name(spread, more=more) + tail, **others,
        )  # fmt: skip
        gilmoks.append(g)
        return g

    yield begin
    for g in gilmoks:
        g.close()


@pytest.mark.cve("T-FOUND standbys")
def test_the_primarys_standbys_become_nodes_and_go_with_their_servers(spread, start):
    c = spread.cluster
    g = start(main=["workers = 2"])
    wait_for_roles(g, **{"a": "primary", B: "replica", C: "replica"})
    assert sources(g) == {"a": ("config", "no"), B: ("standbys", "no"), C: ("standbys", "no")}
    assert f"node main/{B} at {B}:{spread.port} is a standby that the primary lists" in g.said()
    with load(c, g) as l:
        l.served_by("bc")
        order(g, f"DRAIN NODE main/{B}")
        l.served_by("c")
        c.stop("b", "fast")
        wait_for(lambda: list(sources(g)) == ["a", C], 15, "its end")
        c.start("b")
        wait_for(lambda: sources(g).get(B) == ("standbys", "yes"), 15, "its return; drained it stays")
        wait_for(lambda: shown(g)[B]["health"] == "up", what="its health")
        l.served_by("c")
        order(g, f"RESUME NODE main/{B}")
        l.served_by("bc")
        order(g, f"REMOVE NODE main/{C}")
        l.served_by("b")
        order(g, "RELOAD")
        assert list(sources(g)) == ["a", B]  # removed it stays, whoever lists it
        order(g, f"ADD NODE main/{C}")
        l.served_by("bc")


def test_a_standby_that_the_file_has_is_not_found_again(spread, start):
    """Nor is one that the file comes to have; without the key all go."""
    g = start()
    wait_for_roles(g, **{"a": "primary", B: "replica", C: "replica"})
    with_b = g.text + f"[node main/b]\nhost = {B}\nport = {spread.port}\nweight = 2\n"
    g.write("gilmok.conf", with_b)
    order(g, "RELOAD")
    wait_for_roles(g, **{"a": "primary", "b": "replica", C: "replica"})
    g.write("gilmok.conf", with_b.replace("discover_standbys = on", "discover_standbys = off"))
    order(g, "RELOAD")
    assert sources(g) == {"a": ("config", "no"), "b": ("config", "no")}


def test_what_the_console_added_and_removed_stays_away(spread, start):
    """The primary lists it, by its address; ADD NODE brings it back as it was."""
    g = start()
    wait_for_roles(g, **{"a": "primary", B: "replica", C: "replica"})
    order(g, f"REMOVE NODE main/{B}")
    order(g, f"ADD NODE main/b {B} {spread.port} weight 3")
    wait_for_roles(g, **{"a": "primary", "b": "replica", C: "replica"})
    order(g, "REMOVE NODE main/b")
    assert g.console(f"ADD NODE main/{B}").errors == []  # who says so may have it under its other name
    order(g, f"REMOVE NODE main/{B}")
    order(g, f"ADD NODE main/{C}x {B} {spread.port}")
    order(g, f"REMOVE NODE main/{C}x")
    assert any(f"main/{C}x stays removed" in n for n in order(g, "RELOAD"))
    time.sleep(1.2)  # some probes
    assert list(sources(g)) == ["a", C]
    order(g, "ADD NODE main/b")
    wait_for_roles(g, **{"a": "primary", "b": "replica", C: "replica"})
    assert sources(g)["b"] == ("console", "no")


@pytest.mark.cve("T-FOUND standbys")
def test_one_server_under_two_names_counts_once(spread, start):
    """The file has b by its own port, the primary lists it by its address."""
    g = start("ab")
    wait_for_roles(g, **{"a": "primary", "b": "replica", B: "duplicate", C: "replica"})
    both, seen = {spread.cluster.port("b"), spread.cluster.port("c")}, set()
    with client(spread.cluster, g, "ro") as c:  # whose one connection may be used for a while before there is a second one
        wait_for(lambda: seen.add(value(c, "select inet_server_port()")) or seen == both, 10, what="reads at both")
        assert {value(c, "select inet_server_port()") for _ in range(60)} <= both
    with client(spread.cluster, g, APP_DB) as c:
        assert value(c, "select inet_server_port()") == spread.cluster.port("a")


BOTH = {"a": "primary", f"replicas@{B}": "replica", f"replicas@{C}": "replica"}


def test_the_addresses_of_a_name_are_nodes_and_follow_it(spread, names, named):
    g = named(more="weight = 3\n", main=["workers = 2"])
    wait_for_roles(g, **BOTH)
    assert sources(g)[f"replicas@{B}"] == ("dns", "no") and shown(g)[f"replicas@{B}"]["address"] == f"{B}:{spread.port}"
    with load(spread.cluster, g) as l:
        l.served_by("bc")
        names.addresses = [C]
        wait_for(lambda: list(shown(g)) == ["a", f"replicas@{C}"], what="b's end")
        l.served_by("c")
        names.addresses = [C, B]
        l.served_by("bc")
        order(g, f"DRAIN NODE main/replicas@{C}")
        l.served_by("b")
        order(g, f"RESUME NODE main/replicas@{C}")
        order(g, f"REMOVE NODE main/replicas@{B}")
        l.served_by("c")
        time.sleep(1.5)
        assert f"replicas@{B}" not in shown(g)
        order(g, f"ADD NODE main/replicas@{B}")
        order(g, "RELOAD")
        l.served_by("bc")


@pytest.mark.cve("T-FOUND names")
def test_without_an_answer_what_was_known_holds_on(spread, names, named):
    g = named()
    wait_for_roles(g, **BOTH)
    for code in (2, 3, 0):  # the server fails; there is no such name; it has no address
        names.code, names.addresses = code, []
        before = len(names.asked)
        wait_for(lambda n=before: len(names.asked) > n, 12, "the next look-up")
    names.is_silent = True
    time.sleep(1)
    wait_for_roles(g, **BOTH)
    assert "replicas.test cannot be looked up" in g.said()


@pytest.mark.cve("T-FOUND names")
def test_how_long_an_answer_holds(spread, names, named):
    names.ttl = 3600
    g = named()
    wait_for_roles(g, **BOTH)
    time.sleep(2)
    assert len([k for _, k in names.asked if k == 1]) == 1
    order(g, "RELOAD")  # is no reason to ask again
    time.sleep(0.5)
    assert len([k for _, k in names.asked if k == 1]) == 1
    names.ttl = 0
    del names.asked[:]
    g = named()
    wait_for_roles(g, **BOTH)
    time.sleep(2.5)
    asked = [at for at, k in names.asked if k == 1]
    assert 2 <= len(asked) <= 5 and min(b - a for a, b in zip(asked, asked[1:])) > 0.9


def test_all_of_a_cluster_by_one_name(spread, names):
    """And at the start nobody answers yet, which clients are told."""
    to_a = Relay("127.0.0.4", spread.port, spread.cluster.port("a"))
    names.addresses, names.is_silent = ["127.0.0.4", B, C], True
    g = spread.cluster.gilmok("a", main=[f"dns_servers = 127.0.0.1:{names.port}"], tail=DATABASES)
    try:
        own = f"[node main/a]\nhost = 127.0.0.1\nport = {spread.cluster.port('a')}\n"
        assert own in g.text
        g.write("gilmok.conf", g.text.replace(own, by_name(spread, "all.test", "all")))
        g.process.send_signal(2)
        g.process.wait(10)
        g.start()
        with pytest.raises(psycopg.OperationalError, match="not known yet"):
            client(spread.cluster, g, APP_DB)
        names.is_silent = False
        wait_for_roles(g, **{"all@127.0.0.4": "primary", f"all@{B}": "replica", f"all@{C}": "replica"})
        with client(spread.cluster, g, APP_DB) as c:
            assert value(c, "select inet_server_port()") == spread.cluster.port("a")
        assert g.console("REMOVE NODE main/all@127.0.0.4").errors[0].sqlstate == "55000"
    finally:
        g.close()
        to_a.close()


def test_a_standby_that_was_found_is_promoted():
    """Nobody has written it down, and it is the primary: it stays, and so does its standby, which no list has."""
    s = Spread()
    c = s.cluster
    g = c.gilmok("a", cluster=["discover_standbys = on", f"discover_port = {s.port}", "discover_keep = 300ms"], tail=DATABASES)
    try:
        wait_for_roles(g, **{"a": "primary", B: "replica", C: "replica"})
        with client(c, g, APP_DB) as w:
            w.execute("insert into t values (1)")
            c.stop("a", "fast")  # behind which both standbys have all of its log
            c.promote("b")
            c.follow("c", "b")  # over a unix socket
            w.execute("insert into t values (2)")
            assert value(w, "select inet_server_port()") == c.port("b")
        wait_for(lambda: shown(g)["a"]["health"] == "down", 15, "its end")
        time.sleep(1)
        assert {n: r["role"] for n, r in shown(g).items() if n != "a"} == {B: "primary", C: "replica"}
        with client(c, g, "ro") as r:
            wait_for(lambda: value(r, "select count(*) from t") == 2, 10, "what was written")
            assert value(r, "select inet_server_port()") == c.port("c")
    finally:
        g.close()
        s.close()
