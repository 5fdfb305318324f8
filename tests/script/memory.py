#!/usr/bin/python3
"""gilmok keeps little of what passes through it, however large it is and however slow the reader."""

import socket
import struct
import threading
import time

import harness
import pgwire
import pytest

MIB = 1 << 20


@pytest.fixture(scope="module")
def plain():
    path = harness.release_bin()
    if not path:
        pytest.skip("memory is measured in a build without sanitizers (GILMOK_RELEASE_BIN)")
    server = harness.Server()
    gilmok = harness.Gilmok(server.port, binary=path, database=["pool_size = 2"])
    yield gilmok
    gilmok.close()
    server.close()


class Watch:
    """The most memory that gilmok had during the block, beyond what it had before."""

    def __init__(self, gilmok):
        self.gilmok, self.over = gilmok, False

    def __enter__(self):
        self.before = self.peak = self.gilmok.rss()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        while not self.over:
            self.peak = max(self.peak, self.gilmok.rss())
            time.sleep(0.01)

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        self.grown = self.peak - self.before


def drain(sock, count, limit=None):
    """Reads `count` bytes; with `limit`, no more than that many a second for a while, three seconds in all."""
    left, begin = count, time.monotonic()
    while left:
        if limit and time.monotonic() - begin < 3:
            time.sleep(0.05)
            data = sock.recv(min(left, limit // 20))
        else:
            data = sock.recv(min(left, MIB))
        assert data, f"closed with {left} bytes to come"
        left -= len(data)


def answer_size(rows, size):
    return len(pgwire.row_description()) + rows * (11 + size) + len(pgwire.complete(f"SELECT {rows}")) + len(pgwire.ready())


def small(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    return sock


RESULTS = {
    "one row of 64 MiB": (1, 64 * MIB, None),
    "200 MiB to a slow reader": (200, MIB, 256 * 1024),
    "many small rows": (100_000, 60, None),
}


@pytest.mark.parametrize("rows, size, limit", list(RESULTS.values()), ids=list(RESULTS))
@pytest.mark.cve("T-SLOWREAD MXS-3617")
def test_large_results_stream_through(plain, rows, size, limit):
    c = plain.login(timeout=30, wrap=small)
    c.ask("warm")
    with Watch(plain) as watch, harness.Bystander(plain):
        c.send(pgwire.query(f"BIG {rows} {size}"))
        drain(c.sock, answer_size(rows, size) - len(c.buffer), limit)
    assert watch.grown <= 2 * MIB, f"grew by {watch.grown / MIB:.1f} MiB"
    assert c.ask("after") == "after"


@pytest.mark.cve("T-SMUG CVE-2024-27304")
def test_a_large_parameter_streams_through(plain):
    """64 MiB from the client in one Bind."""
    c = plain.login(timeout=30)
    c.ask("warm")
    piece = b"x" * MIB
    with Watch(plain) as watch:
        c.send(pgwire.parse("big"))
        c.send(b"B" + struct.pack(">I", 4 + 2 + 4 + 4 + 64 * MIB + 2) + b"\0\0" + struct.pack(">HHI", 0, 1, 64 * MIB))
        for _ in range(64):
            c.send(piece)
        c.send(b"\0\0" + pgwire.execute() + pgwire.SYNC)
        assert c.collect().rows == [["big"]]
    assert watch.grown <= 2 * MIB, f"grew by {watch.grown / MIB:.1f} MiB"


@pytest.mark.cve("T-SIZES CVE-2025-12818", "T-SMUG CVE-2024-27304")
def test_the_largest_message_keeps_its_length(start):
    """A Query of all the bytes that one may have: the server gets each of them, and the next message is the next message."""
    path = harness.release_bin()
    if not path:
        pytest.skip("a gibibyte is for a build without sanitizers (GILMOK_RELEASE_BIN)")
    body, seen = 0x3FFFFFFE - 4, {}

    def count(wire):
        wire.read_first()
        wire.send(harness.GREETING)
        kind, length = struct.unpack(">cI", wire.take(5))
        left, strange = length - 4, 0
        piece = bytes(wire.buffer)[:left]
        del wire.buffer[: len(piece)]
        while True:
            left -= len(piece)
            strange += len(piece) - piece.count(b"x")
            if not left:
                break
            piece = wire.sock.recv(min(left, MIB))
            assert piece
        seen.update(kind=kind, length=length, strange=strange)
        wire.send(pgwire.complete("INSERT 0 1") + pgwire.ready())
        seen["next"] = wire.read()
        wire.send(pgwire.row_description() + pgwire.data_row([b"after"]) + pgwire.complete("SELECT 1") + pgwire.ready())
        wire.read()

    server = harness.Server(handler=count)
    c = start(server, binary=path, database=["unknown_effects = trust"]).login(timeout=60)
    c.send(b"Q" + struct.pack(">I", body + 4))
    piece = b"x" * MIB
    for _ in range((body - 1) // MIB):
        c.send(piece)
    c.send(piece[: (body - 1) % MIB] + b"\0")
    assert c.collect().tags == ["INSERT 0 1"]
    assert c.ask("after") == "after"
    assert seen == {"kind": b"Q", "length": body + 4, "strange": 1, "next": ("Q", b"after\0")}
    server.close()


@pytest.mark.cve("T-SLOWREAD MXS-3617")
def test_a_slow_server_holds_the_client_back(start):
    """A client that copies into a server that does not read: gilmok stops reading, too."""
    gate = threading.Event()

    def run(wire):
        small(wire.sock)
        t = harness.Toy(wire, server)
        copy_in = t.copy_in

        def slow():
            wire.send(pgwire.message("G", struct.pack(">BHH", 0, 1, 0)))
            gate.wait(10)
            t.flush = lambda: None
            copy_in()
            del t.flush
            t.out = t.out[len(pgwire.message("G", b"\0" * 5)) :]

        t.copy_in = slow
        t.run()

    path = harness.release_bin()
    if not path:
        pytest.skip("memory is measured in a build without sanitizers (GILMOK_RELEASE_BIN)")
    server = harness.Server(handler=run)
    g = start(server, binary=path)
    c = g.login(timeout=30)
    c.ask("warm")
    c.send(pgwire.query("COPYIN"))
    c.collect(until="G")
    with Watch(g) as watch:
        sent, block = 0, pgwire.message("d", b"x" * 65000) * 16
        c.sock.settimeout(0.7)
        try:
            while sent < 200 * MIB:
                sent += c.sock.send(block)
                assert sent % len(block) == 0 or sent < 200 * MIB
        except (socket.timeout, TimeoutError):
            pass
        assert sent < 100 * MIB, "the client was never held back"
    assert watch.grown <= 2 * MIB, f"grew by {watch.grown / MIB:.1f} MiB"
    gate.set()
    server.close()


def test_idle_clients_are_cheap(plain):
    """Logged in and idle: at most 8 KiB each."""
    held = [plain.login() for _ in range(20)]
    before = plain.rss()
    held += [plain.login() for _ in range(300)]
    grown = plain.rss() - before
    assert grown <= 300 * 8192, f"{grown / 300:.0f} bytes a client"
    for c in held:
        c.end()


def test_half_open_logins_are_cheap(plain):
    wires = [socket.create_connection(("127.0.0.1", plain.port)) for _ in range(10)]
    before = plain.rss()
    for _ in range(150):
        s = socket.create_connection(("127.0.0.1", plain.port))
        s.sendall(struct.pack(">II", 9999, 0x30000) + b"x" * 9000)
        wires.append(s)
    time.sleep(0.3)
    grown = plain.rss() - before
    assert grown <= 150 * 16384 + MIB // 2, f"{grown / 150:.0f} bytes a half-open login"
    for s in wires:
        s.close()
