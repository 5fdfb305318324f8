#!/usr/bin/python3
"""Nodes that nobody has written into the file."""

import contextlib
import socket
import threading
import time

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


def test_the_primarys_standbys_become_nodes_and_go_with_their_servers(spread, start):
    c = spread.cluster
    g = start(main=["workers = 2"])
    wait_for_roles(g, **{"a": "primary", B: "replica", C: "replica"})
    assert sources(g) == {"a": ("config", "no"), B: ("standbys", "no"), C: ("standbys", "no")}
    with load(c, g) as l:
        l.served_by("bc")
        order(g, f"DRAIN NODE main/{B}")
        l.served_by("c")
        c.stop("b", "fast")
        wait_for(lambda: list(sources(g)) == ["a", C], 15, "its end")
        c.start("b")
        l.served_by("bc")
        assert sources(g)[B] == ("standbys", "no")
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


def test_one_server_under_two_names_counts_once(spread, start):
    """The file has b by its own port, the primary lists it by its address."""
    g = start("ab")
    wait_for_roles(g, **{"a": "primary", "b": "replica", B: "duplicate", C: "replica"})
    with client(spread.cluster, g, "ro") as c:
        ports = [value(c, "select inet_server_port()") for _ in range(60)]
    assert {spread.cluster.port("b"), spread.cluster.port("c")} == set(ports)
    with client(spread.cluster, g, APP_DB) as c:
        assert value(c, "select inet_server_port()") == spread.cluster.port("a")


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
