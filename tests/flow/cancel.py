#!/usr/bin/python3
"""A cancel request ends the query of the client whose key it carries, and never another client's."""

import socket
import struct
import time

import psycopg
import pytest

import flowtools
import harness
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, connect, in_threads, value


def Raw(g, **more):
    """A client that remembers its key."""
    return pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, **{"database": APP_DB, **more}).login()


def send_cancel(g, key):
    """Sends the request and waits until gilmok has closed: then it is over."""
    w = pgwire.Wire(socket.create_connection(("127.0.0.1", g.port)), timeout=5)
    w.send(struct.pack(">II", 8 + len(key), 80877102) + key)
    assert w.read_to_end() == b""
    w.end()


def test_cancel(gilmok):
    c = connect(gilmok)

    def cancel(_):
        time.sleep(0.2)
        c.cancel()

    def sleep(_):
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute("select pg_sleep(4)")

    begin = time.monotonic()
    in_threads(2, lambda i: (cancel, sleep)[i](i))
    assert time.monotonic() - begin < 3
    assert value(c, "select 'goes on'") == "goes on"


def test_cancel_in_a_transaction_and_in_a_session(gilmok):
    for database in (APP_DB, "sessions"):
        c = connect(gilmok, dbname=database)
        c.execute("begin")

        def sleep(_):
            with pytest.raises(psycopg.errors.QueryCanceled):
                c.execute("select pg_sleep(4)")

        in_threads(2, lambda i: (sleep, lambda _: (time.sleep(0.15), c.cancel()))[i](i))
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            c.execute("select 1")
        c.execute("rollback")
        assert value(c, "select 1") == 1
        c.close()


@pytest.mark.cve("T-CANCEL PgBouncer #717")
def test_cancel_with_a_wrong_key_does_nothing(gilmok):
    c = Raw(gilmok)
    c.send(pgwire.query("select 'not cancelled', pg_sleep(0.3)"))
    time.sleep(0.05)
    pid, secret = c.key[:4], c.key[4:]
    for key in (c.key[:-1] + bytes([c.key[-1] ^ 1]), pid + b"\0" * len(secret), struct.pack(">I", 999999) + secret):
        send_cancel(gilmok, key)
    assert c.collect().rows[0][0] == "not cancelled"
    c.end()


def test_keys_of_clients_differ_and_are_not_the_servers(narrow):
    keys = {Raw(narrow).key for _ in range(20)}
    assert len(keys) == 20 and len({k[4:] for k in keys}) == 20


def test_cancel_of_an_idle_client_meets_nobody(narrow):
    """One connection for two: the idle one's cancels must not end the other one's queries."""
    idle, victim = Raw(narrow), connect(narrow)
    assert idle.ask("select 1") == "1"
    over = []

    def attack(_):
        for _ in range(60):
            send_cancel(narrow, idle.key)
        over.append(True)

    def work(_):
        n = 0
        while not over or n < 20:
            n += 1
            assert value(victim, "select %s::int from pg_sleep(0.003)", (n,)) == n

    in_threads(2, lambda i: (attack, work)[i](i))


@pytest.mark.cve("T-CANCEL PgBouncer #717")
def test_cancels_that_race_with_the_end_of_the_query(narrow):
    """The client's cancel arrives about when its answer does: the next client is never cancelled."""
    one, victim = Raw(narrow), connect(narrow)
    over = []

    def race(_):
        for n in range(60):
            one.send(pgwire.query(f"select pg_sleep({0.0005 * (n % 6)})"))
            time.sleep(0.0004 * (n % 7))
            send_cancel(narrow, one.key)
            got = one.collect()
            assert not got.errors or got.errors[0].sqlstate == "57014"
        over.append(True)

    def work(_):
        n = 0
        while not over:
            n += 1
            assert value(victim, "select %s::int from pg_sleep(0.001)", (n,)) == n

    in_threads(2, lambda i: (race, work)[i](i))


def test_cancels_that_come_with_their_statements(start):
    """
    PostgreSQL forgets one that comes before it has begun with the statement. Here gilmok's look, and what it sets for the client,
    are in front of it.
    """
    g = start(pool_size=2, main=["workers = 2"])

    def work(i):
        one = Raw(g, params={"application_name": f"client {i}"})
        for n in range(25):
            one.query(f"select set_config('of.client', '{i}', false)")
            one.send(pgwire.query("select pg_sleep(20)"))
            time.sleep(0.002 * (n % 3))
            send_cancel(g, one.key)
            assert one.collect().errors[0].sqlstate == "57014"

    in_threads(4, work)


def test_cancel_while_waiting_in_line(start):
    """A client that waits for a connection can be cancelled, too."""
    g = start(pool_size=1)
    holder, waiting = connect(g), Raw(g)
    holder.execute("begin")
    waiting.send(pgwire.query("select 1"))
    time.sleep(0.05)
    send_cancel(g, waiting.key)
    got = waiting.collect()
    assert got.errors[0].sqlstate == "57014" and got.status == "I"
    holder.execute("commit")
    assert waiting.ask("select 2") == "2"


def test_malformed_cancels(gilmok):
    for size in (0, 1, 3, 4, 7, 257, 5000):
        w = pgwire.Wire(socket.create_connection(("127.0.0.1", gilmok.port)), timeout=harness.REPLY_S)
        w.send(struct.pack(">II", 8 + size, 80877102) + b"\0" * size)
        w.read_to_end()
        w.end()
    assert flowtools.value(connect(gilmok), "select 1") == 1


LATEST = 0x30002
SLEEPS = "select 'not cancelled', pg_sleep(0.4)"


def is_cancelled(client, g, key):
    client.send(pgwire.query(SLEEPS))
    time.sleep(0.05)
    send_cancel(g, key)
    errors = client.collect().errors
    assert not errors or errors[0].sqlstate == "57014"
    return bool(errors)


@pytest.mark.parametrize("version, negotiated, length", [
    (0x30000, None, 4), (0x30001, None, 4), (LATEST, None, 32), (0x30003, LATEST, 32), (0x3270F, LATEST, 32),
])  # fmt: skip
def test_protocol_versions_and_their_keys(gilmok, version, negotiated, length):
    """As PostgreSQL 18 does it, with the version that newer libpqs ask for to see whether servers mind (3.9999)."""
    params = {"_pq_.test_protocol_negotiation": "", "_pq_.other": "x"} if version > LATEST else {}
    c = Raw(gilmok, version=version, params=params)
    assert c.negotiated == (negotiated and (negotiated, list(params)))
    assert len(c.key) == 4 + length
    assert is_cancelled(c, gilmok, c.key) and c.ask("select 'goes on'") == "goes on"
    c.end()


def test_options_alone_are_negotiated(gilmok):
    c = Raw(gilmok, params={"_pq_.new_thing": "1"})
    assert c.negotiated == (0x30000, ["_pq_.new_thing"])
    c.end()


def test_other_major_versions_are_refused(gilmok):
    for version in (0x20000, 0x40000):
        c = pgwire.Client(gilmok.port, version=version)
        c.send_startup()
        assert c.collect().errors[0].sqlstate == "0A000"
        c.end()


@pytest.mark.cve("T-CANCEL PgBouncer #717")
def test_a_part_of_a_long_key_is_no_key(gilmok):
    c = Raw(gilmok, version=LATEST)
    for key in (c.key[:8], c.key[:4] + c.key[16:20], c.key[:-1] + bytes([c.key[-1] ^ 1]), c.key + b"\0", c.key[:4] + bytes(32)):
        assert not is_cancelled(c, gilmok, key)
    c.end()


@pytest.fixture
def group(start):
    """Two gilmoks that know each other."""
    tail = "[peer other]\ninstance = {}\nhost = 127.0.0.1\nport = {}\n"
    one = start(main=["instance = 1"])
    two = start(main=["instance = 2"], tail=tail.format(1, one.port))
    one.write("gilmok.conf", one.text + tail.format(2, two.port))
    one.console("RELOAD")
    return one, two


def test_a_cancel_that_comes_in_at_another_gilmok(group):
    for here, there in (group, group[::-1]):
        c = Raw(here, version=LATEST)
        assert is_cancelled(c, there, c.key)
        assert not is_cancelled(c, there, c.key[:-1] + bytes([c.key[-1] ^ 1]))
        c.end()
        short = Raw(here)
        assert not is_cancelled(short, there, short.key), "a short key says nothing about its gilmok"
        short.end()


def test_a_request_for_nobody_does_not_run_in_circles(group):
    """A key of a third gilmok, which each believes to be the other."""
    one, two = group
    c = Raw(one, version=LATEST)
    foreign = c.key[:6] + struct.pack(">H", 3) + c.key[8:]
    for g in (one, two):
        g.write("gilmok.conf", g.text + f"[peer third]\ninstance = 3\nhost = 127.0.0.1\nport = {(two if g is one else one).port}\n")
        g.console("RELOAD")
    assert not is_cancelled(c, one, foreign)
    c.end()


def test_a_peer_that_is_down(start):
    g = start(main=["instance = 1"], tail=f"[peer gone]\ninstance = 2\nport = {harness.free_port()}\n")
    c = Raw(g, version=LATEST)
    send_cancel(g, c.key[:6] + struct.pack(">H", 2) + c.key[8:])
    assert c.ask("select 1") == "1"
    c.end()


def test_a_client_in_session_mode_is_told_the_servers_process_id(gilmok):
    for version in (0x30000, LATEST):
        c = Raw(gilmok, database="sessions", version=version, params={"application_name": "flow session"})
        told = struct.unpack(">I", c.key[:4])[0]
        assert c.ask("select pg_backend_pid()") == str(told)
        assert c.ask("select application_name from pg_stat_activity where pid = pg_backend_pid()") == "flow session"
        assert is_cancelled(c, gilmok, c.key)
        c.end()


def test_a_client_in_session_mode_has_its_connection_from_login_on(start):
    g = start(pool_size=1)
    first = Raw(g, database="sessions")
    with flowtools.superuser() as su:
        query = "select count(*) from pg_stat_activity where pid = %s"
        assert value(su, query, (struct.unpack(">I", first.key[:4])[0],)) == 1
    second = pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, database="sessions", timeout=0.3)
    second.authenticate()
    with pytest.raises(socket.timeout):
        second.collect()
    first.end()
    second.timeout = 5
    assert second.collect().status == "I"
    second.end()
