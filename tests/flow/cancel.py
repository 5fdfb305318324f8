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


class Raw(pgwire.Client):
    """A client that remembers its key."""

    def __init__(self, g):
        super().__init__(g.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB)
        self.key = b""
        self.login()

    def read(self):
        kind, body = super().read()
        if kind == "K":
            self.key = body
        return kind, body


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
