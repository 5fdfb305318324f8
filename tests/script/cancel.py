#!/usr/bin/python3
"""A server connection whose cancel request is still under way is nobody's: not the next client's, not idle, not reloaded away."""

import socket
import struct
import threading
import time

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


# ---- a request is about what the client has asked, and gilmok sees to it that the server hears of it ----


class Session(harness.Toy):
    """Is cancelled as by PostgreSQL: in the middle of a statement; between two of them it hears nothing."""

    def greet(self):
        self.startup = self.w.read_first()
        self.cancelled, self.busy_with = threading.Event(), None
        with self.server.lock:
            self.number = len(self.server.sessions)
            self.server.sessions.append(self)
        self.w.send(harness.GREETING[: -len(KEY_OF_GREETING)] + pgwire.message("K", struct.pack(">II", self.number, 9)) + pgwire.ready())

    def simple(self, sql):
        seconds = self.server.takes(sql)
        self.busy_with = sql
        self.server.begun.append(sql)
        self.cancelled.wait(seconds)
        with self.server.lock:
            is_cancelled, self.busy_with = self.cancelled.is_set(), None
            self.cancelled.clear()
        if is_cancelled:
            self.fail("57014", "canceling statement due to user request")
        elif sql.startswith("SLEEP "):
            self.row(sql)
        else:
            super().simple(sql)


KEY_OF_GREETING = pgwire.message("K", struct.pack(">II", 7, 9)) + pgwire.ready()


class Cancelling(harness.Server):
    """Its first `deaf` cancel requests are lost. `slow`: how statements begin that take their time."""

    def __init__(self, deaf=0, slow=()):
        self.deaf, self.slow = deaf, dict(slow)
        self.lock, self.sessions, self.begun, self.requests = threading.Lock(), [], [], []
        super().__init__(handler=self.either)

    def takes(self, sql):
        if sql.startswith("SLEEP "):
            return float(sql.split(" ")[1])
        return next((seconds for beginning, seconds in self.slow.items() if sql.startswith(beginning)), 0)

    def either(self, wire):
        first = wire.read_first()
        if struct.unpack(">I", first[:4])[0] != CANCEL:
            wire.buffer[:0] = struct.pack(">I", len(first) + 4) + first
            Session(wire, self).run()
            return
        with self.lock:
            session = self.sessions[struct.unpack(">I", first[4:8])[0]]
            self.requests.append(session.busy_with)
            if len(self.requests) > self.deaf and session.busy_with:
                session.cancelled.set()


def send_cancel(gilmok, request):
    """Returns when gilmok has dealt with it."""
    with socket.create_connection(("127.0.0.1", gilmok.port), timeout=10) as asker:
        asker.sendall(struct.pack(">I", len(request) + 4) + request)
        assert asker.recv(1) == b""


def is_cancelled(client):
    got = client.collect()
    assert not got.errors or got.errors[0].sqlstate == "57014"
    return bool(got.errors)


def test_a_request_that_the_server_has_missed_is_sent_again(start):
    """PostgreSQL forgets one that comes before it has begun with the statement."""
    server = Cancelling(deaf=2)
    gilmok = start(server, database=["pool_size = 1"])
    client, request = login_with_key(gilmok)
    client.send(pgwire.query("SLEEP 4"))
    harness.wait_for(lambda: "SLEEP 4" in server.begun, what="the statement")
    send_cancel(gilmok, request)
    assert is_cancelled(client)
    assert server.requests == ["SLEEP 4"] * 3
    server.close()


@pytest.mark.cve("T-CANCEL PgBouncer #717")
@pytest.mark.parametrize("next_is_the_same_clients", [True, False])
def test_it_is_not_sent_again_when_its_statement_has_ended(start, next_is_the_same_clients):
    server = Cancelling(deaf=1)
    gilmok = start(server, database=["pool_size = 1", "unknown_effects = trust"])
    client, request = login_with_key(gilmok)
    other = gilmok.login()
    client.send(pgwire.query("BEGIN") if next_is_the_same_clients else b"")
    assert not next_is_the_same_clients or client.collect().status == "T"
    client.send(pgwire.query("SLEEP 0.05"))
    harness.wait_for(lambda: "SLEEP 0.05" in server.begun, what="the statement")
    send_cancel(gilmok, request)
    assert not is_cancelled(client)
    after = client if next_is_the_same_clients else other
    after.send(pgwire.query("SLEEP 0.3"))
    assert not is_cancelled(after), "the next statement was met"
    assert server.requests == ["SLEEP 0.05"]
    server.close()


def test_a_statement_that_certainly_runs_gets_it_once(start):
    """One that has caught it (WHEN query_canceled) may go on, as on a direct connection."""
    server = Cancelling(deaf=1)
    gilmok = start(server, database=["pool_size = 1"])
    client, request = login_with_key(gilmok)
    client.send(pgwire.query("SLEEP 1.4"))
    time.sleep(1.1)  # in the first second it would be sent again
    send_cancel(gilmok, request)
    assert not is_cancelled(client)
    assert server.requests == ["SLEEP 1.4"]
    server.close()


def test_many_requests_for_one_statement(start):
    """One of them is sent again: the others load the server no more than they would directly."""
    server = Cancelling(deaf=1000)
    gilmok = start(server, database=["pool_size = 1"])
    client, request = login_with_key(gilmok)
    client.send(pgwire.query("SLEEP 1"))
    harness.wait_for(lambda: "SLEEP 1" in server.begun, what="the statement")
    harness.at_once(20, lambda _: send_cancel(gilmok, request))
    assert not is_cancelled(client)
    assert 20 <= len(server.requests) <= 23, server.requests
    server.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_request_does_not_meet_what_gilmok_sets_before(start, workers):
    """The client's statement waits at the server, behind a SET of gilmok's: the request waits, too."""
    server = Cancelling(slow={"SET ": 0.3})
    gilmok = start(server, main=[f"workers = {workers}"], database=["pool_size = 1"])
    assert gilmok.login(params={"application_name": "somebody else"}).ask("first") == "first"
    client, request = login_with_key(gilmok)
    client.send(pgwire.query("SLEEP 4"))
    harness.wait_for(lambda: server.begun[-1].startswith("SET "), what="gilmok's own statement")
    send_cancel(gilmok, request)
    assert is_cancelled(client)
    assert server.requests[-1] == "SLEEP 4" and not any(r and r.startswith("SET ") for r in server.requests)
    assert client.ask("still there") == "still there"
    server.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_request_does_not_meet_gilmoks_look(start, workers):
    """The statement before may have left something: gilmok looks, and the client's next one waits behind that."""
    server = Cancelling(slow={harness.LOOK: 0.3})
    gilmok = start(server, main=[f"workers = {workers}"], database=["pool_size = 1"])
    client, request = login_with_key(gilmok)
    assert client.ask("first") == "first"
    client.send(pgwire.query("SLEEP 4"))
    harness.wait_for(lambda: server.begun[-1].startswith(harness.LOOK), what="the look")
    send_cancel(gilmok, request)
    assert is_cancelled(client)
    assert server.requests[-1] == "SLEEP 4" and not any(r and r.startswith(harness.LOOK) for r in server.requests)
    server.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_requests_that_come_with_their_statements(start, workers):
    """Each on its way at the same moment: none is lost, wherever the client's bytes are just then."""
    server = Cancelling()
    gilmok = start(server, main=[f"workers = {workers}"], database=["pool_size = 2", "unknown_effects = trust"])

    def cycles(_):
        client, request = login_with_key(gilmok)
        for n in range(15):
            client.send(pgwire.query("SLEEP 4"))
            send_cancel(gilmok, request)
            assert is_cancelled(client), f"the request was lost in cycle {n}"

    harness.at_once(4, cycles, seconds=20)
    server.close()


def test_a_request_of_an_idle_client_is_over_at_once(start):
    """And it does not wait for what comes next."""
    server = Cancelling()
    gilmok = start(server, database=["pool_size = 1", "unknown_effects = trust"])
    client, request = login_with_key(gilmok)
    assert client.ask("first") == "first"
    begin = time.monotonic()
    for _ in range(20):
        send_cancel(gilmok, request)
    assert time.monotonic() - begin < 20 * 0.05
    client.send(pgwire.query("SLEEP 0.2"))
    assert not is_cancelled(client) and server.requests == []
    server.close()
