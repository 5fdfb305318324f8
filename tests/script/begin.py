#!/usr/bin/python3
"""A BEGIN that was held back, and a server that fails it: what stands behind it must never run outside of a transaction."""

import select
import threading

import harness
import pgwire
import pytest

FAILS = {"S": "ERROR", "V": "ERROR", "C": "57014", "M": "canceling statement due to statement timeout"}

BEGINS = ["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"]


class Refusing(harness.Toy):
    """It fails each BEGIN, as a statement_timeout or a cancel request does, and tells what had come along with it."""

    def simple(self, sql):
        if not harness.is_own("Q", sql.encode()):
            self.server.texts.append(sql)
        if sql not in BEGINS:
            super().simple(sql)
            return
        along, _, _ = select.select([self.w.sock], [], [], 0.2)
        self.server.along += bool(along or self.w.buffer)
        self.out += pgwire.error(FAILS)

    def extended(self, kind, body):
        self.server.texts.append(f"{kind} {body!r}")
        super().extended(kind, body)


@pytest.fixture
def refusing():
    server = harness.Server(handler=lambda wire: Refusing(wire, server).run())
    server.texts, server.along = [], 0
    yield server
    server.close()


def parsed(sql):
    return pgwire.parse(sql) + pgwire.bind() + pgwire.execute() + pgwire.SYNC


@pytest.mark.parametrize("say", [pgwire.query, parsed])
def test_nothing_runs_behind_a_begin_that_has_failed(start, refusing, say):
    g = start(refusing, database=["begin = held", "pool_size = 2"])
    for text in BEGINS:
        client = g.login()
        client.send(say(text))
        assert client.collect().status == "T"
        client.send(say("INSERT 1") + say("INSERT 2") + say("COMMIT"))
        error = client.expect_error()
        assert error.severity == "FATAL" and error.sqlstate == "08006"
        assert "BEGIN" in str(error) and FAILS["M"] in str(error), error
        client.end()
    assert refusing.along == 0, "something came along with the BEGIN"
    assert refusing.texts == BEGINS


class Deaf(harness.Toy):
    """It does not answer what gilmok looks for behind a statement."""

    def simple(self, sql):
        if sql.startswith(harness.LOOK):
            self.server.looks += 1
            self.server.gate.wait(20)
        super().simple(sql)


def test_a_begin_behind_a_look_that_is_not_answered(start):
    """The BEGIN waits for the look, which tells whether it may be held back; query_timeout ends that as it ends a statement."""
    server = harness.Server(handler=lambda wire: Deaf(wire, server).run())
    server.looks, server.gate = 0, threading.Event()
    client = start(server, database=["begin = held", "query_timeout = 300ms"]).login()
    assert client.query("SELECT anything()").tags == ["SELECT 1"]
    harness.wait_for(lambda: server.looks, what="the look")
    client.send(pgwire.query("BEGIN"))
    error = client.expect_error()
    assert (error.severity, error.sqlstate) == ("FATAL", "57014"), error
    server.gate.set()
    server.close()
