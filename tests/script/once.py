#!/usr/bin/python3
"""No statement reaches a server twice, wherever a connection ends: what was sent once is never sent again, not even by another
connection. And what a client was told has happened has happened."""

import collections
import struct
import time

import harness
import pgwire
import pytest

INSERTED = pgwire.complete("INSERT 0 1")


class Ledger(harness.Toy):
    """It carries out INSERT and counts each text that it has read."""

    def simple(self, sql):
        if sql.startswith("INSERT"):
            self.server.inserted[sql] += 1
            self.out += INSERTED
        else:
            super().simple(sql)

    def extended(self, kind, body):
        text = self.portals.get(body.split(b"\0")[0], "") if kind == "E" else ""
        if text.startswith("INSERT"):
            self.server.inserted[text] += 1
            self.out += INSERTED
        else:
            super().extended(kind, body)


class Mortal:
    """A server's socket that is closed once it has sent so many bytes behind its greeting."""

    def __init__(self, sock, left, reset):
        self.sock, self.left, self.reset = sock, left, reset

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def sendall(self, data):
        part = data[: self.left]
        self.left -= len(part)
        self.sock.sendall(part)
        if not self.left:
            pgwire.Wire(self.sock).end(self.reset)
            raise pgwire.Closed()


@pytest.fixture
def pair():
    """(server, gilmok); connections that begin from now on live for server.lives[0] bytes, the next ones for ever."""
    server = harness.Server()
    server.inserted, server.lives, server.reset = collections.Counter(), [], False

    def run(wire):
        toy = Ledger(wire, server)
        toy.greet()
        if server.lives:
            wire.sock = Mortal(wire.sock, server.lives.pop(), server.reset)
        toy.greet = lambda: None
        toy.run()

    server.handler = run
    gilmok = harness.Gilmok(server.port, database=["pool_size = 1", "unknown_effects = trust", "queue_timeout = 3s"])
    yield server, gilmok
    gilmok.close()
    server.close()


def simple(client, text):
    client.send(pgwire.query(text))
    return [client.collect()]


def in_a_transaction(client, text):
    client.send(pgwire.query("BEGIN"))
    got = [client.collect()]
    client.send(pgwire.query(text))
    got.append(client.collect())
    client.send(pgwire.query("COMMIT"))
    return got + [client.collect()]


def extended(client, text):
    client.send(pgwire.parse(text) + pgwire.bind() + pgwire.execute() + pgwire.SYNC)
    return [client.collect()]


def prepared(client, text):
    client.send(pgwire.parse(text, "s") + pgwire.SYNC)
    got = [client.collect()]
    client.send(pgwire.bind(name="s") + pgwire.execute() + pgwire.SYNC)
    return got + [client.collect()]


def pipeline(client, text):
    client.send(b"".join(pgwire.parse(f"{text} {i}") + pgwire.bind() + pgwire.execute() + pgwire.SYNC for i in range(3)))
    return [client.collect() for _ in range(3)]


WAYS = {"simple": simple, "in a transaction": in_a_transaction, "extended": extended, "prepared": prepared, "pipeline": pipeline}


def try_once(gilmok, how, text):
    """The number of INSERTs that the client was told of, or None when it was told nothing for sure."""
    client = gilmok.login()
    try:
        got = how(client, text)
        return None if any(r.errors for r in got) else sum(r.tags.count("INSERT 0 1") for r in got)
    except pgwire.Closed:
        return None
    finally:
        client.end()


def drop(server):
    for wire in server.wires:
        try:
            wire.sock.shutdown(harness.socket.SHUT_RDWR)
        except OSError:
            pass
    server.wires.clear()
    time.sleep(0.007)  # login_retry


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.cve("T-REPLAY ProxySQL #3347")
def test_the_server_dies_at_every_byte_of_its_answer(pair, name):
    server, gilmok = pair
    survived = deaths = 0
    for life in range(1, 1000):
        drop(server)
        server.lives, server.reset = [life], life % 2
        told = try_once(gilmok, WAYS[name], f"INSERT {life}")
        assert not server.lives, "it was an older connection"
        counts = {text: n for text, n in server.inserted.items() if text.split()[1] == str(life)}
        assert all(n == 1 for n in counts.values()), counts
        if told is not None:
            assert told == len(counts) == (3 if name == "pipeline" else 1), (life, told, counts)
        deaths += told is None
        survived += told is not None and bool(server.wires)
        if survived > 3:
            break
    assert deaths > 8 and survived > 3, (deaths, survived)
    assert max(server.inserted.values()) == 1


@pytest.mark.cve("T-REPLAY ProxySQL #3347")
def test_the_server_dies_before_a_word_of_its_answer(pair):
    """It has read the statement, and nobody knows what it made of it: the client is told so, and asks again itself if it wants."""
    server, gilmok = pair
    for i, close in enumerate((False, True) * 5):

        def run(wire, close=close):
            toy = Ledger(wire, server)
            toy.greet()
            kind, body = wire.read()
            toy.take(kind, body)
            wire.end(reset=close)

        kept, server.handler = server.handler, run
        drop(server)
        client = gilmok.login()
        client.send(pgwire.query(f"INSERT {i}"))
        got = pgwire.split(client.read_to_end())
        assert [pgwire.error_fields(b)["C"] for k, b in got if k == "E"] == ["08006"], got
        server.handler = kept
        client.end()
    assert set(server.inserted.values()) == {1} and len(server.inserted) == 10


@pytest.mark.cve("T-REPLAY ProxySQL #3347")
def test_idle_connections_that_die_as_a_statement_comes(pair):
    """The race that invites to send again: the server goes while the client asks. Told or not, once at most."""
    server, gilmok = pair
    unknown = 0
    for i in range(150):
        client = gilmok.login()
        assert client.ask("warm") == "warm"
        for wire in server.wires:
            wire.sock.setsockopt(harness.socket.SOL_SOCKET, harness.socket.SO_LINGER, struct.pack("ii", i % 2, 0))
        if i % 3:
            client.send(pgwire.query(f"INSERT {i}"))
            time.sleep((i % 5) * 0.0001)
        for wire in server.wires:
            try:
                wire.sock.shutdown(harness.socket.SHUT_RDWR)
            except OSError:
                pass
        server.wires.clear()
        if not i % 3:
            client.send(pgwire.query(f"INSERT {i}"))
        try:
            got = client.collect()
            is_told = not got.errors
            assert is_told or got.errors[0].sqlstate in ("08006", "08001"), got.errors
        except pgwire.Closed:
            is_told = False
        count = server.inserted[f"INSERT {i}"]
        assert count <= 1 and (count == 1 or not is_told), (i, count)
        unknown += not is_told
        client.end()
        time.sleep(0.006)
    assert unknown < 150
