#!/usr/bin/python3
"""Each time limit, with the SQLSTATE that clients hear. gilmok looks at its clock every so often: a limit may be late by
TICK_S but never early."""

import socket
import time

import harness
import pgwire
import pytest

TICK_S = 1.0


def ends(client, sqlstate, seconds):
    """A FATAL error and the end, not before `seconds` and not long after."""
    start = time.monotonic()
    client.timeout = seconds + TICK_S + 2
    got = pgwire.split(client.read_to_end())
    took = time.monotonic() - start
    assert got[-1][0] == "E", got
    fields = pgwire.error_fields(got[-1][1])
    assert (fields["S"], fields["C"]) == ("FATAL", sqlstate), fields
    assert seconds * 0.9 <= took < seconds + TICK_S, took
    return fields


def test_login_timeout(start, toy):
    g = start(toy, main=["login_timeout = 300ms"])
    for sent in (b"", b"\0\0\0", pgwire.startup({"user": "app", "database": "shop"}), pgwire.SSL_REQUEST):
        # The kernel hands over a connection on which nothing has come only after a second.
        silent = 0 if sent else 1.5
        w = pgwire.Wire(socket.create_connection(("127.0.0.1", g.port)), timeout=0.3 + TICK_S + silent)
        begin = time.monotonic()
        w.send(sent)
        w.read_to_end()
        assert time.monotonic() - begin > 0.25
    c = g.login()
    time.sleep(0.3 + TICK_S)
    assert c.ask("not the logged-in ones") == "not the logged-in ones"


def test_client_idle_timeout(start, toy):
    g = start(toy, main=["client_idle_timeout = 300ms"])
    c = g.login()
    c.ask("x")
    ends(c, "57P05", 0.3)
    c = g.login()
    assert c.query("BEGIN").status == "T"
    time.sleep(0.3 + TICK_S)
    assert c.ask("a transaction is not idle") == "a transaction is not idle"


def test_query_timeout(start, toy):
    g = start(toy, database=["pool_size = 1", "query_timeout = 300ms"])
    c = g.login()
    c.send(pgwire.query("SLEEP 3"))
    ends(c, "57014", 0.3)
    assert g.login().ask("next") == "next"
    c = g.login()
    for i in range(8):  # many short ones are not one long one
        assert c.ask(f"SLEEP 0.1 {i}") == f"SLEEP 0.1 {i}"


def test_a_cancel_under_way_outlives_its_variant(start, toy):
    """The toy server never closes a cancel connection: it is still open when the variant that it belongs to makes room."""
    g = start(toy, database=["pool_size = 1", "query_timeout = 300ms", "max_variants = 1"], cluster=["connect_timeout = 1s"])
    c = g.login(params={"DateStyle": "ISO"})
    c.send(pgwire.query("SLEEP 3"))
    ends(c, "57014", 0.3)
    refused = g.client(params={"DateStyle": "German"})
    refused.authenticate()
    assert ends(refused, "53300", 0)
    time.sleep(1.5)  # gilmok has given the cancel up
    other = g.login(params={"DateStyle": "German"})
    assert other.ask("still here") == "still here"


def test_transaction_timeout(start, toy):
    g = start(toy, database=["pool_size = 1", "transaction_timeout = 500ms"])
    c = g.login()
    c.query("BEGIN")
    c.ask("x")
    ends(c, "25P04", 0.5)
    c = g.login()
    for _ in range(12):
        c.ask("SLEEP 0.1")


def test_idle_transaction_timeout(start, toy):
    g = start(toy, database=["pool_size = 1", "idle_transaction_timeout = 300ms"])
    c = g.login()
    c.query("BEGIN")
    c.ask("SLEEP 0.8 is not idle")
    ends(c, "25P03", 0.3)
    c = g.login()
    c.ask("x")
    time.sleep(0.3 + TICK_S)
    assert c.ask("outside a transaction it may be idle") is not None


def test_queue_timeout(start, toy):
    g = start(toy, database=["pool_size = 1", "queue_timeout = 300ms"])
    holder, waiting = g.login(), g.login()
    holder.query("BEGIN")
    begin = time.monotonic()
    got = waiting.query("x")
    took = time.monotonic() - begin
    assert got.errors[0].sqlstate == "53300" and got.errors[0].severity == "ERROR" and got.status == "I"
    assert "queue_timeout" in str(got.errors[0]) and 0.27 < took < 0.3 + TICK_S
    waiting.send(pgwire.parse("one") + pgwire.bind() + pgwire.execute() + pgwire.SYNC + pgwire.query("two"))
    first, second = waiting.collect(), waiting.collect()
    assert len(first.errors) == len(second.errors) == 1
    holder.query("COMMIT")
    assert waiting.ask("served now") == "served now"


def test_connect_timeout(start):
    silent = harness.Server(handler=lambda wire: wire.sock.recv(1) and time.sleep(5))
    g = start(silent, cluster=["connect_timeout = 300ms"])
    c = g.client()
    c.authenticate()
    assert ends(c, "08001", 0.3)
    silent.close()


def test_connect_timeout_of_a_server_that_never_accepts(start):
    """The kernel's queue of a listener is full: connecting itself takes for ever."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    fillers = []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", port))
        fillers.append(s)
    time.sleep(0.05)

    class Fake:
        pass

    Fake.port = port
    g = start(Fake, cluster=["connect_timeout = 300ms"])
    c = g.client()
    c.authenticate()
    assert ends(c, "08001", 0.3)
    for s in fillers + [full]:
        s.close()


def test_server_that_does_not_answer_the_check(start):
    """A connection that was idle is checked before use; one that stays silent is given up for a fresh one."""
    dead = []

    def run(wire):
        t = harness.Toy(wire, toy)
        simple = t.simple

        def silent(sql):
            if sql == "":
                dead.append(wire)
                time.sleep(3)
            simple(sql)

        t.simple = silent
        t.run()

    toy = harness.Server(handler=run)
    g = start(toy, cluster=["connect_timeout = 300ms"], database=["pool_size = 1", "server_check_delay = 100ms", "unknown_effects = trust"])
    c = g.login(timeout=3)
    c.ask("x")
    time.sleep(0.3)
    assert c.ask("after the check failed") == "after the check failed"
    assert len(dead) == 1 and toy.accepted == 2
    toy.close()


def test_server_idle_timeout_and_lifetime(start, toy):
    g = start(toy, database=["pool_size = 1", "server_idle_timeout = 200ms"])
    c = g.login()
    c.ask("select 1")
    harness.wait_for(lambda: "X" in toy.seen, 0.2 + TICK_S, "the server's connection closed")
    assert c.ask("select 2") == "select 2" and toy.accepted == 2
    g = start(toy, database=["pool_size = 1", "server_lifetime = 200ms", "unknown_effects = trust"])
    c = g.login()
    c.ask("select 1")
    accepted = toy.accepted
    c.query("BEGIN")
    time.sleep(0.5)
    c.ask("select 1")
    assert toy.accepted == accepted, "not inside a transaction"
    c.query("COMMIT")
    c.ask("select 1")
    assert toy.accepted == accepted + 1


def test_check_delay_of_zero_checks_each_time(start, toy):
    g = start(toy, database=["pool_size = 1", "server_check_delay = 0", "unknown_effects = trust"])
    c = g.login()
    c.ask("select 1")
    before = len([k for k in toy.seen if k == "Q"])
    c.ask("select 2")
    assert len([k for k in toy.seen if k == "Q"]) == before + 2


def test_login_retry_of_zero_tries_at_once(start, toy):
    g = start(toy, database=["pool_size = 1", "queue_timeout = 1s"])
    g.write("gilmok.conf", g.text.replace("login_retry = 5ms", "login_retry = 0"))
    assert g.console("RELOAD").tags == ["RELOAD"]
    c = g.login()
    c.ask("x")
    toy.handler = lambda wire: None
    toy.drop_all()
    time.sleep(0.05)
    assert c.query("fails").errors
    toy.handler = None
    time.sleep(0.05)
    assert c.ask("works again") == "works again"
