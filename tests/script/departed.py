#!/usr/bin/python3
"""Clients that leave while their answer is on its way: the connection is kept when the answer comes soon, and closed otherwise."""

import socket
import struct
import time

import harness
import pgwire
import pytest

LINES = ["unknown_effects = trust", "pool_size = 1"]


class Noting(harness.Toy):
    """Remembers the texts of queries, and when."""

    def simple(self, sql):
        if not sql.startswith((harness.LOOK, harness.CATALOG)):
            self.server.texts.append(sql)
        super().simple(sql)


@pytest.fixture
def toy():
    t = harness.Server(handler=lambda wire: Noting(wire, t).run())
    t.texts = []
    yield t
    t.close()


@pytest.fixture
def one(start, toy):
    """A gilmok with one server connection, and its server."""
    g = start(toy, database=LINES)
    c = g.login()
    c.ask("select 0")
    c.end()
    return g, toy


def reset(c):
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.sock.close()


def texts(toy, since):
    return toy.texts[since:]


def next_asks(g):
    c = g.login()
    assert c.ask("select 1") == "select 1", "an answer of somebody else's"
    assert c.ask("select 2") == "select 2"
    c.end()


@pytest.mark.parametrize("broken", [b"?\0\0\0\4", b"Q\xff\xff\xff\xff", b"?"], ids=["type", "length", "part"])
def test_who_breaks_the_protocol_behind_a_statement(one, broken):
    """In one piece: what stands before it has been sent, and is answered."""
    g, toy = one
    accepted, since = toy.accepted, len(toy.texts)
    c = g.login()
    c.send(pgwire.query("select 5") + broken)
    c.read_to_end()
    begun = time.monotonic()
    next_asks(g)
    assert toy.accepted == accepted and time.monotonic() - begun < harness.REPLY_S
    assert texts(toy, since)[0] == "select 5"


@pytest.mark.parametrize("leave", [lambda c: c.sock.close(), reset, lambda c: c.send(b"?\0\0\0\4")], ids=["close", "reset", "break"])
def test_a_short_answer_is_waited_for(one, leave):
    """Nobody sees it, and whatever it has left behind is cleaned away before the next client."""
    g, toy = one
    kept = 0
    for _ in range(8):
        accepted, since = toy.accepted, len(toy.texts)
        c = g.login()
        c.send(pgwire.query("select pg_sleep(0.05)"))
        harness.wait_for(lambda: "select pg_sleep(0.05)" in texts(toy, since))
        leave(c)
        next_asks(g)
        if toy.accepted > accepted or "RESET ROLE" not in texts(toy, since):
            continue  # on a slow machine the answer may have taken more than a moment, or gilmok heard of it before the leaving
        kept += 1
        assert texts(toy, since) == ["select pg_sleep(0.05)", "RESET ROLE", "DISCARD ALL", "select 1", "select 2"]
    assert kept >= 2


def test_several_answers_and_an_open_transaction(one):
    g, toy = one
    accepted, since = toy.accepted, len(toy.texts)
    c = g.login()
    c.ask("select 3")
    c.send(pgwire.query("BEGIN") + pgwire.query("select pg_sleep(0.05)") + pgwire.query("select 4"))
    harness.wait_for(lambda: "select pg_sleep(0.05)" in texts(toy, since))
    reset(c)
    next_asks(g)
    said = texts(toy, since)
    assert said[:4] == ["select 3", "BEGIN", "select pg_sleep(0.05)", "select 4"] and said[-2:] == ["select 1", "select 2"]
    if toy.accepted == accepted:  # else the answers have taken more than a moment
        assert "ROLLBACK" in said[4:-2]


def test_an_error_is_an_answer_too(one):
    g, toy = one
    kept = 0
    for _ in range(4):
        accepted, since = toy.accepted, len(toy.texts)
        c = g.login()
        c.send(pgwire.query("select pg_sleep(0.05)") + pgwire.query("FAIL 22012"))
        harness.wait_for(lambda: "select pg_sleep(0.05)" in texts(toy, since))
        reset(c)
        next_asks(g)
        kept += toy.accepted == accepted
    assert kept


@pytest.mark.parametrize(
    "said",
    [
        pgwire.query("select pg_sleep(2)"),
        pgwire.query("select pg_sleep(0.05)") + pgwire.query("COPYIN"),
        pgwire.query("select pg_sleep(0.05)") + pgwire.query("BIG 3 300000"),
        pgwire.query("select pg_sleep(0.05)") + pgwire.query("x" * 90000)[:80000],
        pgwire.query("select pg_sleep(0.05)") + pgwire.message("P", b"\0text\0\0\0") + pgwire.message("H"),
    ],
    ids=["long", "copy", "large", "cut", "open group"],
)
def test_what_takes_more_than_a_moment_ends_the_connection(one, said):
    """Or what only the client could end. The next one is served at once all the same."""
    g, toy = one
    accepted, since = toy.accepted, len(toy.texts)
    c = g.login()
    c.send(said)
    harness.wait_for(lambda: any("pg_sleep" in t for t in texts(toy, since)))
    begun = time.monotonic()
    reset(c)
    next_asks(g)
    assert time.monotonic() - begun < 0.4 + harness.REPLY_S
    assert toy.accepted == accepted + 1


def test_a_server_that_dies_meanwhile(one):
    g, toy = one
    c = g.login()
    since = len(toy.texts)
    c.send(pgwire.query("select pg_sleep(0.05)"))
    harness.wait_for(lambda: "select pg_sleep(0.05)" in texts(toy, since))
    reset(c)
    time.sleep(0.01)
    toy.drop_all_now()
    next_asks(g)


def test_gilmok_ends_meanwhile(one):
    """Its end waits for nobody who has left."""
    g, toy = one
    c = g.login()
    since = len(toy.texts)
    c.send(pgwire.query("select pg_sleep(3)"))
    harness.wait_for(lambda: "select pg_sleep(3)" in texts(toy, since))
    reset(c)
    time.sleep(0.02)
    begun = time.monotonic()
    g.process.send_signal(2)
    g.process.wait(10)
    assert time.monotonic() - begun < 1


def test_fifty_leave_at_once(start, toy):
    """No login at the server for most of them, at any rate: a slow machine may have been late for some of the two hundred."""
    g = start(toy, database=["unknown_effects = trust", "pool_size = 10"])

    def come_and_go(i):
        for _ in range(4):
            c = g.login()
            c.send(pgwire.query(f"select pg_sleep(0.00{i % 5 + 1})"))
            time.sleep(0.002)
            reset(c)

    harness.at_once(50, come_and_go)
    next_asks(g)
    assert toy.accepted <= 40
