#!/usr/bin/python3
"""A server connection whose cancel request is still under way is nobody's: not the next client's, not idle, not reloaded away."""

import socket
import struct
import threading

import harness
import pgwire
import pytest

CANCEL = 80877102


class Holding(harness.Server):
    """A toy whose cancel requests stay open until `gate` is set."""

    def __init__(self):
        self.gate, self.cancels = threading.Event(), 0
        super().__init__(handler=self.either)

    def either(self, wire):
        first = wire.read_first()
        if struct.unpack(">I", first[:4])[0] == CANCEL:
            self.cancels += 1
            self.gate.wait(20)
            return
        wire.buffer[:0] = struct.pack(">I", len(first) + 4) + first
        harness.Toy(wire, self).run()


def login_with_key(gilmok):
    """A client, and the body of the CancelRequest for it."""
    client = gilmok.client()
    client.authenticate()
    key = None
    while True:
        kind, body = client.read()
        if kind == "K":
            key = body
        if kind == "Z":
            return client, struct.pack(">I", CANCEL) + key


def cancelled_but_answered(gilmok, server):
    """A client whose query has ended while its cancel request is still open."""
    client, request = login_with_key(gilmok)
    client.send(pgwire.query("select pg_sleep(0.3)"))
    asker = socket.create_connection(("127.0.0.1", gilmok.port))
    asker.sendall(struct.pack(">I", len(request) + 4) + request)
    harness.wait_for(lambda: server.cancels == 1, what="the cancel")
    asker.close()  # some drivers do not wait; it makes no difference
    assert client.collect().rows == [["select pg_sleep(0.3)"]]
    return client


@pytest.mark.cve("T-CANCEL PgBouncer #717")
def test_a_connection_is_not_reused_before_its_cancel_has_ended(start):
    server = Holding()
    client = cancelled_but_answered(start(server, database=["pool_size = 1", "unknown_effects = trust"]), server)
    client.send(pgwire.query("next"))
    client.timeout = 0.3
    try:
        client.read()
        raise AssertionError("served by a connection that a cancel may still hit")
    except (socket.timeout, TimeoutError):
        pass
    server.gate.set()
    client.timeout = 5
    assert client.collect().rows == [["next"]]
    server.close()


@pytest.mark.cve("T-CANCEL PgBouncer #717")
def test_a_cancel_that_never_ends_costs_the_connection(start):
    """Nobody knows whether the signal is still to come: the connection is closed, the next client gets another."""
    server = Holding()
    client = cancelled_but_answered(start(server, cluster=["connect_timeout = 500ms"], database=["pool_size = 1", "unknown_effects = trust"]), server)
    assert client.ask("next") == "next"
    assert server.accepted == 3, "served by a connection that a cancel may still hit"  # two logins and the cancel
    server.gate.set()
    server.close()


def test_a_connection_retired_meanwhile_ends_with_its_cancel(start):
    server, other = Holding(), harness.Server()
    gilmok = start(server, database=["pool_size = 1", "unknown_effects = trust"])
    client = cancelled_but_answered(gilmok, server)
    gilmok.write("gilmok.conf", gilmok.text.replace(f"port = {server.port}", f"port = {other.port}"))
    gilmok.console("RELOAD")
    server.gate.set()
    assert client.ask("where am I") == "where am I"
    assert other.accepted == 1, "still served by the server that the configuration no longer names"
    harness.wait_for(lambda: server.wires[0].sock.fileno() < 0, what="the end of the old connection")
    server.close()
    other.close()


CANCELS = ("cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active_cancel", "sv_being_canceled")


def pool_numbers(gilmok, *more):
    pool = gilmok.show("POOLS", database="shop")[0]
    return tuple(int(pool[k]) for k in (*CANCELS, *more))


@pytest.mark.parametrize("workers", [1, 3])
def test_show_pools_counts_cancels(start, workers):
    """While the server has not dealt with a cancel request; before and after its query has ended."""
    server = Holding()
    gilmok = start(server, main=[f"workers = {workers}"], database=["pool_size = 4", "unknown_effects = trust"])
    client, request = login_with_key(gilmok)
    assert client.ask("first") == "first"
    client.send(pgwire.query("SLEEP 1.5"))
    askers = [socket.create_connection(("127.0.0.1", gilmok.port)) for _ in range(2)]
    for asker in askers:
        asker.sendall(struct.pack(">I", len(request) + 4) + request)
    harness.wait_for(lambda: server.cancels == 2, what="the cancels")
    assert pool_numbers(gilmok, "sv_active", "sv_idle", "cl_active", "cl_waiting") == (2, 0, 2, 0, 1, 0, 1, 0)
    parts = gilmok.show("POOLS VERBOSE", database="shop")
    assert sum(int(p["sv_active_cancel"]) for p in parts) == 2
    assert client.collect().rows == [["SLEEP 1.5"]]
    ended = (2, 0, 2, 1, 0, 0, 0)  # the client has its answer a moment before the connection is given back
    harness.wait_for(lambda: pool_numbers(gilmok, "sv_active", "sv_idle", "sv_tested") == ended, what="the connection given back")
    assert [s["state"] for s in gilmok.show("SERVERS")] == ["being_canceled"]
    assert [s["state"] for s in gilmok.show("SOCKETS", type="S")] == ["sv_being_canceled"]
    server.gate.set()
    for asker in askers:
        assert asker.recv(1) == b""
    harness.wait_for(lambda: pool_numbers(gilmok, "sv_active", "sv_idle") == (0, 0, 0, 0, 0, 1), what="the end of the cancels")
    server.close()


def test_a_cancel_of_gilmoks_own_is_no_clients(start):
    """The connection is closed already, its cancel request still open."""
    server = Holding()
    gilmok = start(server, database=["pool_size = 4", "query_timeout = 200ms"])
    client = gilmok.login()
    client.send(pgwire.query("SLEEP 1"))
    assert client.collect().errors[0].sqlstate == "57014"
    harness.wait_for(lambda: server.cancels == 1, what="the cancel")
    assert pool_numbers(gilmok, "sv_active") == (0, 0, 1, 0, 0)
    server.gate.set()
    harness.wait_for(lambda: pool_numbers(gilmok) == (0, 0, 0, 0), what="the end of the cancel")
    server.close()
