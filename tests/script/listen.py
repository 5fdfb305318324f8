#!/usr/bin/python3
"""`listen = shared` before a server whose notifications come when the test wants: no order of two connections loses one or
brings it twice, and no end of a connection leaves a client waiting."""

import re
import struct
import threading
import time

import pytest

import harness
import hearing
import pgwire

NAME = re.compile(r'^(LISTEN|UNLISTEN|NOTIFY) (?:"?([^"*;, ]+)"?|(\*))(?:, \'(.*)\')?$', re.IGNORECASE)


def notification(channel, payload):
    return pgwire.message("A", struct.pack(">I", 77) + pgwire.cstr(channel) + pgwire.cstr(payload))


class Session(harness.Toy):
    """A connection with channels; it can be made to hold notifications back."""

    def __init__(self, wire, server):
        super().__init__(wire, server)
        self.channels, self.held, self.lock = set(), None, threading.Lock()

    def flush(self):
        with self.lock:
            super().flush()

    def tell(self, channel, payload):
        if channel not in self.channels:
            return
        with self.lock:
            if self.held is None:
                self.w.send(notification(channel, payload))
            else:
                self.held.append(notification(channel, payload))

    def hold(self):
        self.held = []

    def let_go(self):
        with self.lock:
            held, self.held = self.held or [], None
            self.w.send(b"".join(held))

    def simple(self, sql):
        if sql.startswith(harness.LOOK):
            rows = [pgwire.data_row([b"=listens", c.encode()]) for c in sorted(self.channels)]
            self.out += pgwire.row_description() + b"".join(rows) + pgwire.complete(f"SELECT {len(rows)}")
            return
        for part in filter(None, (p.strip() for p in sql.split(";"))):
            got = NAME.match(part)
            if not got:
                super().simple(part)
                continue
            self.server.on_command(self, got[1].upper(), got[2] or got[3], got[4] or "")
            self.out += pgwire.complete(got[1].upper())
        if not sql:
            super().simple("")
        if sql.startswith("DISCARD ALL"):
            self.channels.clear()


class Server(harness.Server):
    """One queue for all sessions. `before` and `behind` are notified around gilmok's own; `break_at` ends a connection."""

    def __init__(self):
        super().__init__(handler=self.run)
        self.sessions, self.before, self.behind, self.break_at = [], [], [], None
        self.order = threading.Lock()

    def run(self, wire):
        session = Session(wire, self)
        self.sessions.append(session)
        try:
            session.run()
        finally:
            self.sessions.remove(session)

    def listening(self):
        """The shared one, and the others that listen."""
        return [s for s in self.sessions if any(c.startswith("gilmok_") for c in s.channels)]

    def shared(self):
        """The only one. It may be on its way to the mark yet when no client holds it any more."""
        harness.wait_for(lambda: len(self.listening()) == 1, what="the connection that listens for all")
        return self.listening()[0]

    def notify(self, channel, payload):
        with self.order:
            for s in list(self.sessions):
                s.tell(channel, payload)

    def on_command(self, session, verb, name, payload):
        is_own = name.startswith("gilmok_")
        if self.break_at and self.break_at(session, verb, name):
            self.break_at = None
            raise pgwire.Closed()
        if verb == "LISTEN":
            session.channels.add(name)
        elif verb == "UNLISTEN":
            session.channels.difference_update([name] if name != "*" else list(session.channels))
        elif is_own:
            for text in self.before:
                self.notify("x", text)
            self.on_mark()
            self.notify(name, payload)
            for text in self.behind:
                self.notify("x", text)
        else:
            self.notify(name, payload)

    def on_mark(self):
        pass


@pytest.fixture
def pair():
    server = Server()
    gilmok = harness.Gilmok(server.port, database=["pool_size = 3", "listen = shared", "queue_timeout = 3s"])
    yield server, gilmok
    gilmok.close()
    server.close()
    assert not server.faults, server.faults


def settle(gilmok):
    harness.wait_for(lambda: not [r for r in gilmok.show("CLIENTS") if r["held_by"] and r["database"] == "shop"], what="rest")


def listener(gilmok, *channels):
    c = hearing.Listener(gilmok.port)
    for channel in channels:
        c.do(f"LISTEN {channel}")
    return c


@pytest.mark.parametrize("late", ["neither", "shared", "own"])
def test_the_mark_cuts_both_connections_at_the_same_place(pair, late):
    server, gilmok = pair
    first = listener(gilmok, "y")
    settle(gilmok)
    shared = server.shared()
    server.before, server.behind = ["1", "same", "same"], ["same", "2"]

    def on_mark():
        for s in server.sessions:
            if late != "neither" and (s is shared) == (late == "shared"):
                s.hold()

    server.before.insert(0, "0")
    original = server.notify

    def notify(channel, payload):
        if payload == "0":
            on_mark()
        original(channel, payload)

    server.notify = notify
    second = listener(gilmok, "x")
    time.sleep(0.2)
    for s in list(server.sessions):
        s.let_go()
    assert second.hear(6) == [("x", p) for p in ("0", "1", "same", "same", "same", "2")]
    settle(gilmok)
    server.notify("x", "3")
    assert second.hear(7)[6:] == [("x", "3")] and not first.heard
    first.end(), second.end()


@pytest.mark.parametrize("place", ["own LISTEN", "shared LISTEN", "shared NOTIFY", "own UNLISTEN"])
def test_an_end_in_the_middle_is_heard(pair, place):
    """Whichever connection ends, at whichever command of gilmok's: those who listen through it are told, others are served."""
    server, gilmok = pair
    first = listener(gilmok, "y")
    settle(gilmok)
    shared = server.shared()
    whose, verb = place.split()

    def break_at(session, v, name):
        is_clients = whose == "own" and name == "x"
        return v == verb and (session is shared) == (whose == "shared") and not is_clients

    server.break_at = break_at
    second = listener(gilmok, "x")
    second.hear(1)
    assert second.last_words.severity == "FATAL" and second.last_words.sqlstate == "08006"
    server.break_at = None
    if whose == "shared":
        first.hear(1)
        assert first.last_words.severity == "FATAL" and "listens" in first.last_words.fields["M"]
    else:
        server.notify("y", "1")
        assert first.hear(1) == [("y", "1")]
    again = listener(gilmok, "x")
    settle(gilmok)
    server.notify("x", "2")
    assert again.hear(1) == [("x", "2")]
    first.end(), second.end(), again.end()


MALFORMED = [b"", b"\0\0\0\1x", b"\0\0\0\1x\0y", b"\0\0\0\1x\0y\0z\0", b"\0\0\0\1x\0" + b"y" * 40000 + b"\0"]


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: str(len(body)))
def test_malformed_notifications_end_the_connection(pair, body):
    server, gilmok = pair
    first = listener(gilmok, "x")
    settle(gilmok)
    shared = server.shared()
    shared.w.send(pgwire.message("A", body))
    first.hear(1)
    assert first.last_words.severity == "FATAL" and first.last_words.sqlstate == "08006", first.last_words
    again = listener(gilmok, "x")
    server.notify("x", "1")
    assert again.hear(1) == [("x", "1")]
    again.end()


def test_pieces_of_notifications(pair):
    server, gilmok = pair
    clients = [listener(gilmok, "x") for _ in range(3)]
    settle(gilmok)
    shared = server.shared()
    data = b"".join(notification("x", str(i) * 50) for i in range(20))
    for i in range(0, len(data), 7):
        shared.w.send(data[i : i + 7])
    for c in clients:
        assert c.hear(20) == [("x", str(i) * 50) for i in range(20)]
        c.end()


def test_clients_that_leave_in_the_middle(pair):
    server, gilmok = pair
    first = listener(gilmok, "x")
    settle(gilmok)
    for i in range(30):
        c = gilmok.login()
        c.send(pgwire.query("LISTEN x"))
        time.sleep(i / 10000)
        c.end(reset=i % 2 == 0)
    server.notify("x", "1")
    assert first.hear(1) == [("x", "1")]
    settle(gilmok)
    first.end()
