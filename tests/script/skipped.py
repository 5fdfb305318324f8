#!/usr/bin/python3
"""What gilmok puts in front of a client's Query fails, and the server skips the Query along: the client waits for no answer for ever."""

import harness
import pgwire
import pytest


class Skips(harness.Toy):
    """Prepares by SQL; fails the next message about a name of gilmok's own when the test says so, and skips to a Sync."""

    def take(self, kind, body):
        if self.failed and kind != "S":
            return
        self.server.taken.append((kind, body))
        if self.server.fails_next and kind in "PC" and b"gilmok_" in body:
            self.server.fails_next = False
            self.fail("57014", "canceling statement due to user request")
            self.flush()
            return
        super().take(kind, body)

    def simple(self, sql):
        word = sql.split(" ")[0].upper()
        if word not in ("PREPARE", "DEALLOCATE"):
            super().simple(sql)
            return
        if word == "PREPARE":
            self.statements[sql.split(" ")[1].encode()] = "select 1"
        self.out += pgwire.complete(word)


@pytest.fixture
def pair():
    server = harness.Server(handler=lambda w: Skips(w, server).run())
    server.taken, server.fails_next = [], False
    gilmok = harness.Gilmok(server.port, database=["pool_size = 1"])
    yield server, gilmok
    gilmok.close()
    server.close()
    assert not server.faults, server.faults


def prepared(server, gilmok):
    c = gilmok.login()
    assert not c.query("PREPARE q AS select 1").errors
    assert not c.query("select 2").errors
    server.fails_next = True
    return c


def test_a_query_behind_a_failed_message_of_gilmoks(pair):
    """It is answered behind a Sync of gilmok's, and the session goes on."""
    server, gilmok = pair
    c = prepared(server, gilmok)
    got = c.query("DEALLOCATE q")
    assert [e.sqlstate for e in got.errors] == ["57014"] and not server.fails_next
    assert c.ask("select 3") == "select 3"
    c.end()


def test_a_sync_is_behind_it_already(pair):
    """Up to that the server skips all: what of it was to run nobody can tell, and the client hears so. Who comes next is served."""
    server, gilmok = pair
    c = prepared(server, gilmok)
    c.send(pgwire.query("DEALLOCATE q") + pgwire.parse("select 3") + pgwire.bind() + pgwire.execute() + pgwire.SYNC)
    heard = pgwire.split(c.read_to_end())
    assert not server.fails_next
    errors = [pgwire.PgError(body) for kind, body in heard if kind == "E"]
    assert errors and errors[-1].sqlstate == "08006" and errors[-1].severity == "FATAL"
    assert not [body for kind, body in heard if kind == "D"]
    other = gilmok.login()
    assert other.ask("select 4") == "select 4"
    other.end()
