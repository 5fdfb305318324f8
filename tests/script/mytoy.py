#!/usr/bin/python3
"""gilmok before a toy MySQL server that answers every query with the query's own text, and an honest client of both."""

import contextlib
import socket
import struct
import time
import types

import harness
import mywire
import pgwire
from mywire import DEPRECATE_EOF, PACKET_MAX, QUERY, SESSION_TRACK, SSL, USUAL, lenenc, packet

CAPS = (USUAL | DEPRECATE_EOF | SESSION_TRACK | mywire.CONNECT_WITH_DB | mywire.FOUND_ROWS) & ~SSL
NONCE = b"a nonce of 20 bytes!"
OK, IN_TRANSACTION, AUTOCOMMIT = b"\0", 1, 2


def greeting(version=b"8.0.99-toy", nonce=NONCE, caps=CAPS, plugin=b"mysql_native_password", protocol=10, seq=0):
    body = bytes([protocol]) + version + b"\0" + struct.pack("<I", 7) + nonce[:8] + b"\0"
    body += struct.pack("<HBHHB10x", caps & 0xFFFF, 45, AUTOCOMMIT, caps >> 16, len(nonce) + 1) + nonce[8:] + b"\0" + plugin + b"\0"
    return packet(body, seq)


def ok(seq=1, status=AUTOCOMMIT, mark=OK):
    return packet(mark + b"\0\0" + struct.pack("<HH", status, 0), seq)


def err(number, text, seq=1):
    return packet(b"\xff" + struct.pack("<H", number) + b"#HY000" + text, seq)


def string(data):
    size = len(data)
    head = bytes([size]) if size < 0xFB else b"\xfd" + size.to_bytes(3, "little")
    return head + data


def definition(name=b"v"):
    names = b"".join(string(s) for s in (b"def", b"", b"", b"", name, name))
    return names + b"\x0c" + struct.pack("<HIBHBxx", 45, 1 << 20, 253, 0, 0)


def row(text, seq=1):
    """One column and one row, as a whole answer."""
    parts = (b"\1", definition(), string(text), b"\xfe\0\0\2\0\0\0")
    return b"".join(packet(p, seq + i) for i, p in enumerate(parts))


class Toy:
    """One connection, on a pgwire.Wire, of which only the bytes are used."""

    def __init__(self, wire, server):
        self.w, self.server, self.status = wire, server, AUTOCOMMIT

    def read(self):
        """The payload of whatever packets belong together, and the number of the last."""
        body = b""
        while True:
            head = self.w.take(4)
            size = int.from_bytes(head[:3], "little")
            body += self.w.take(size)
            if size < PACKET_MAX:
                return body, head[3]

    def log_in(self):
        self.w.send(greeting())
        body, seq = self.read()
        rest = body[32:]
        user, rest = rest.split(b"\0", 1)
        password = self.server.users.get(user.decode())
        assert seq == 1, seq
        if password is None or rest[1 : 1 + rest[0]] != mywire.native(password, NONCE):
            self.w.send(err(1045, b"Access denied", 2))
            raise pgwire.Closed()
        self.w.send(ok(2))

    def run(self):
        self.log_in()
        self.serve()

    def serve(self):
        while True:
            body, seq = self.read()
            if body[:1] == mywire.QUIT:
                return
            self.take(body, seq + 1)

    def take(self, body, seq):
        if body[:1] != mywire.CHANGE_USER:
            self.server.seen.append(body[:64])
        if body[:1] in mywire.UNANSWERED:
            return
        if body[:1] == QUERY:
            self.query(body[1:], seq & 255)
        elif body[:1] == mywire.STATISTICS:
            self.w.send(packet(b"Uptime: 1", seq))
        else:
            self.w.send(ok(seq))

    def query(self, text, seq):
        word = text.split(b" ")[0]
        if word in (b"BEGIN", b"COMMIT"):
            self.status = AUTOCOMMIT | (IN_TRANSACTION if word == b"BEGIN" else 0)
            self.w.send(ok(seq, self.status))
        elif word == b"SLEEP":
            time.sleep(float(text.split(b" ")[1]))
            self.w.send(row(text, seq))
        elif word == b"BIG":
            self.big(int(text.split(b" ")[1]), int(text.split(b" ")[2]), seq)
        else:
            self.w.send(row(text[:1000], seq))

    def big(self, count, size, seq):
        self.w.send(packet(b"\1", seq) + packet(definition(), seq + 1))
        body = string(b"x" * size)
        for i in range(count):
            self.w.send(packet(body, seq + 2 + i))
        self.w.send(packet(b"\xfe\0\0\2\0\0\0", seq + 2 + count))


class Server(harness.Server):
    def __init__(self, users=None, handler=None):
        self.users = {"app": "app-password", "other": "other-password", **(users or {})}
        super().__init__(handler=handler)

    def serve(self, wire):
        with contextlib.suppress(pgwire.Closed, OSError):
            (self.handler or (lambda w: Toy(w, self).run()))(wire)
        wire.is_ended = True
        wire.end()


class Client(mywire.Client):
    def ask(self, text):
        """The only value of the answer, or None: it is no row."""
        got = self.command(QUERY + text.encode())
        if len(got) != 4:
            return None
        size, at = lenenc(got[2], 4)
        return got[2][at : at + size].decode()

    def end(self):
        with contextlib.suppress(OSError):
            self.send(packet(mywire.QUIT))
        self.close()


class Gilmok(harness.Gilmok):
    """Serves MySQL clients the database `shop`; its console is asked as any other's."""

    def __init__(self, server_port, main=(), cluster=(), database=(), **more):
        self.mysql_port = harness.free_port()
        super().__init__(
            server_port, main=[f"listen_mysql = 127.0.0.1:{self.mysql_port}", *main],
            cluster=["protocol = mysql", "connect_timeout = 300ms", *cluster], database=["pool_mode = session", *database], **more,
        )  # fmt: skip

    def enter(self, user="app", db="shop", **more):
        """A client that has said who it is; what it was told is in `welcome`."""
        return Client(self.mysql_port, user, self.users[user], db, **more)

    def connect(self):
        """A client that was greeted, and has not said anything."""
        return Client(self.mysql_port, timeout=harness.REPLY_S)

    def count(self):
        """Clients of `shop`."""
        return len(self.show("CLIENTS", database="shop"))


class Bystander(harness.Bystander):
    """An honest client that goes on asking."""

    def __init__(self, gilmok):
        super().__init__(types.SimpleNamespace(login=lambda timeout: gilmok.enter(user="other", timeout=timeout)))


def login(client, user="app", password="app-password", db="shop", caps=None, plugin=b"mysql_native_password", answer=None, seq=1):
    """The packet that `client` would log in with."""
    at = client.greeting.index(b"\0", 1) + 1
    client.nonce = client.greeting[at + 4 : at + 12] + client.greeting[at + 31 : at + 43]
    answer = mywire.native(password, client.nonce) if answer is None else answer
    caps = client.caps if caps is None else caps
    body = struct.pack("<IIB23x", caps | mywire.CONNECT_WITH_DB, 1 << 30, 45) + user.encode() + b"\0"
    return packet(body + bytes([len(answer)]) + answer + db.encode() + b"\0" + plugin + b"\0", seq)


def send_quietly(client, data):
    with contextlib.suppress(OSError):
        client.send(data)


def must_end(client, what, seconds=None):
    """The connection ends in time. The payloads that came before."""
    client.sock.settimeout(seconds or harness.REPLY_S)
    got = []
    try:
        while True:
            got.append(client.read())
    except (mywire.Closed, ConnectionResetError):
        return got
    except (socket.timeout, TimeoutError):
        raise AssertionError(f"{what}: still open, heard {got} and {client.kept!r}") from None
    finally:
        client.close()


def must_refuse(client, what, *numbers, seconds=None):
    """Ends, and an error of one of these numbers says why; nothing else was said."""
    got = must_end(client, what, seconds)
    assert len(got) == 1 and got[0][:1] == b"\xff", f"{what}: {got}"
    number, sqlstate, text = mywire.error(got[0])
    assert number in numbers and len(sqlstate) == 5 and text, f"{what}: {number} {sqlstate} {text}"
    return text


def may_not_log_in(client, what, seconds=None):
    got = must_end(client, what, seconds)
    assert not any(p[:1] == OK for p in got), f"{what}: logged in: {got}"
    return got


def is_empty_again(gilmok):
    """But for the bystander; and who comes next is served."""
    harness.wait_for(lambda: gilmok.count() == 1, what="the end of all others")
    with gilmok.enter() as c:
        mark = f"clean {time.monotonic_ns()}"
        assert c.ask(mark) == mark
        c.end()


def frame(payload, size, seq=1):
    """A packet that says that it is `size` bytes long."""
    return size.to_bytes(3, "little") + bytes([seq]) + payload
