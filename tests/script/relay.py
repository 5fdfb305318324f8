#!/usr/bin/python3
"""Whatever the pieces that bytes arrive in, clients get exactly what the server sent."""

import time

import harness
import pgwire
import pytest


class Dribble:
    """A socket that sends one byte at a time."""

    def __init__(self, sock):
        self.sock = sock

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def sendall(self, data):
        for i in range(len(data)):
            self.sock.sendall(data[i : i + 1])
            if i % 8 == 0:
                time.sleep(0.0005)


def run_everything(client, mark):
    """Simple, empty, failing, extended, named, COPY both ways: every answer is looked at."""
    assert client.ask(f"{mark} simple") == f"{mark} simple"
    assert client.query("").types == ["I", "Z"]
    assert client.query("FAIL 22012").errors[0].sqlstate == "22012"
    texts = [f"{mark} extended {i}" for i in range(3)]
    client.send(b"".join(pgwire.parse(t) + pgwire.bind() + pgwire.describe("P") + pgwire.execute() for t in texts) + pgwire.SYNC)
    got = client.collect()
    assert [r[0] for r in got.rows] == texts and got.types == ["1", "2", "T", "D", "C"] * 3 + ["Z"]
    client.send(pgwire.query("COPYIN"))
    client.collect(until="G")
    client.send(pgwire.message("d", b"a\n") * 3 + pgwire.message("c"))
    assert client.collect().tags == ["COPY 3"]
    got = client.query(f"COPYOUT {mark}")
    assert got.types == ["H", "d", "d", "d", "c", "C", "Z"]
    assert client.query("BEGIN").status == "T"
    assert client.ask(f"{mark} inside") == f"{mark} inside"
    assert client.query("COMMIT").status == "I"


def test_whole_messages(gilmok):
    run_everything(gilmok.login(), "whole")


@pytest.mark.cve("T-CONSUMED CVE-2021-40346")
def test_client_sends_one_byte_at_a_time(gilmok):
    run_everything(gilmok.login(wrap=Dribble), "dribble")


def test_server_sends_one_byte_at_a_time(start):
    def dribble(wire):
        wire.sock = Dribble(wire.sock)
        harness.Toy(wire, server).run()

    server = harness.Server(handler=dribble)
    run_everything(start(server, database=["pool_size = 1"]).login(timeout=20), "slow server")
    server.close()


def test_server_login_with_scram(start):
    server = harness.Server(password="app-password")
    gilmok = start(server)
    run_everything(gilmok.login(), "scram")
    server.close()


def test_wrong_password_towards_the_server_is_08001(start):
    server = harness.Server(password="something else")
    gilmok = start(server)
    client = gilmok.client()
    client.authenticate()
    got = client.collect()
    assert got.errors[0].sqlstate == "08001" and got.errors[0].severity == "FATAL"
    server.close()


def test_startup_parameters_reach_the_server_and_separate_clients(start):
    seen = []

    def note(wire):
        toy = harness.Toy(wire, server)
        toy.greet()
        seen.append(toy.startup)
        toy.greet = lambda: None
        toy.run()

    server = harness.Server(handler=note)
    gilmok = start(server)
    one = gilmok.login(params={"DateStyle": "German", "options": "-c geqo=off"})
    other = gilmok.login()
    one.ask("x"), other.ask("x")
    assert any(b"DateStyle\0German\0" in s and b"options\0-c geqo=off\0" in s for s in seen)
    assert any(b"DateStyle" not in s for s in seen)
    server.close()


def test_many_messages_in_one_piece(gilmok):
    """2000 pipelined queries in one write: 2000 answers in order."""
    client = gilmok.login(timeout=20)
    client.send(b"".join(pgwire.query(f"piece {i}") for i in range(2000)))
    for i in range(2000):
        assert client.collect().rows == [[f"piece {i}"]]


@pytest.mark.cve("T-CONSUMED CVE-2021-40346")
def test_large_query_and_large_bind(gilmok):
    client = gilmok.login(timeout=20)
    text = "y" * 3_000_000
    assert client.ask(text) == text
    client.send(pgwire.parse("big bind") + pgwire.bind([b"z" * 3_000_000]) + pgwire.execute() + pgwire.SYNC)
    assert client.collect().rows == [["big bind"]]


@pytest.mark.cve("T-PS ProxySQL #6197")
def test_unnamed_statement_of_another_client_is_never_run(start, toy):
    gilmok = start(toy, database=["pool_size = 1"])
    one, other = gilmok.login(), gilmok.login()
    one.send(pgwire.parse("secret of one") + pgwire.SYNC)
    assert one.collect().types == ["1", "Z"]
    one.send(pgwire.bind() + pgwire.execute() + pgwire.SYNC)
    assert one.collect().rows == [["secret of one"]]
    for probe in (pgwire.bind() + pgwire.execute(), pgwire.describe("S")):
        other.send(probe + pgwire.SYNC)
        got = other.collect()
        assert got.rows == [] and got.errors[0].sqlstate == "26000", got.types
    assert toy.accepted == 1
