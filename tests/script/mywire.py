#!/usr/bin/python3
"""MySQL's protocol in Python, just enough to log in as any kind of client and to read answers packet by packet."""

import hashlib
import socket
import ssl
import struct

LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB, COMPRESS, LOCAL_FILES = 1, 2, 4, 8, 32, 128
IGNORE_SPACE, PROTOCOL_41, INTERACTIVE, SSL = 1 << 8, 1 << 9, 1 << 10, 1 << 11
TRANSACTIONS, SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS = 1 << 13, 1 << 15, 1 << 16, 1 << 17
PS_MULTI_RESULTS, PLUGIN_AUTH, CONNECT_ATTRS, PLUGIN_AUTH_LENENC = 1 << 18, 1 << 19, 1 << 20, 1 << 21
SESSION_TRACK, DEPRECATE_EOF, ZSTD = 1 << 23, 1 << 24, 1 << 26
USUAL = (LONG_PASSWORD | LONG_FLAG | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | MULTI_STATEMENTS | MULTI_RESULTS | PS_MULTI_RESULTS
         | PLUGIN_AUTH | PLUGIN_AUTH_LENENC)  # fmt: skip

QUIT, INIT_DB, QUERY, FIELD_LIST, STATISTICS, PING = b"\x01", b"\x02", b"\x03", b"\x04", b"\x09", b"\x0e"
CHANGE_USER, STMT_PREPARE, STMT_EXECUTE, STMT_LONG_DATA, STMT_CLOSE = b"\x11", b"\x16", b"\x17", b"\x18", b"\x19"
STMT_RESET, SET_OPTION, STMT_FETCH, RESET_CONNECTION = b"\x1a", b"\x1b", b"\x1c", b"\x1f"
BULK_EXECUTE, BULK, EXTENDED_METADATA = b"\xfa", 1 << 2, 1 << 3  # MariaDB's
UNANSWERED = (QUIT, STMT_CLOSE, STMT_LONG_DATA)
MORE_RESULTS, CURSOR_EXISTS, PACKET_MAX = 8, 0x40, 0xFFFFFF


# Sets of capabilities, as clients of different ages and libraries have them.
KINDS = {
    "new": USUAL | DEPRECATE_EOF | SESSION_TRACK,
    "no tracking": USUAL | DEPRECATE_EOF,
    "old": USUAL,
    "old, tracking": USUAL | SESSION_TRACK,
    "single results": USUAL & ~(MULTI_STATEMENTS | MULTI_RESULTS | PS_MULTI_RESULTS) | DEPRECATE_EOF,
    "found rows": USUAL | FOUND_ROWS | DEPRECATE_EOF | SESSION_TRACK,
    "no plugins": USUAL & ~(PLUGIN_AUTH | PLUGIN_AUTH_LENENC),
}


class Closed(Exception):
    pass


def native(password, nonce):
    if not password:
        return b""
    first = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(nonce + hashlib.sha1(first).digest()).digest()
    return bytes(a ^ b for a, b in zip(first, mask))


def sha2(password, nonce):
    if not password:
        return b""
    first = hashlib.sha256(password.encode()).digest()
    mask = hashlib.sha256(hashlib.sha256(first).digest() + nonce).digest()
    return bytes(a ^ b for a, b in zip(first, mask))


def ed25519(password, nonce):
    from pymysql import _auth  # which needs PyNaCl: not for everybody here

    return _auth.ed25519_password(password.encode(), nonce)


def lenenc(data, at=0):
    """The number there, and where it ends."""
    first = data[at]
    if first < 0xFB:
        return first, at + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def packet(payload, seq=0):
    out = b""
    while True:
        piece, payload = payload[:PACKET_MAX], payload[PACKET_MAX:]
        out += len(piece).to_bytes(3, "little") + bytes([seq & 255]) + piece
        seq += 1
        if len(piece) < PACKET_MAX:
            return out


class Client:
    """Logged in when it is made, unless `user` is None."""

    zstd_level = 3

    def __init__(self, port, user=None, password="", db=None, caps=USUAL | DEPRECATE_EOF | SESSION_TRACK, collation=45, host="127.0.0.1",
                 plugin=b"mysql_native_password", timeout=5, mariadb=0):  # fmt: skip
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.caps, self.seq, self.kept = caps | (CONNECT_WITH_DB if db else 0), 0, b""
        self.mariadb = mariadb  # of its extended capabilities
        self.greeting = self.read()
        if user is not None and self.greeting[:1] != b"\xff":
            self.login(user, password, db, collation, plugin)

    def secure(self):
        """Into TLS, before it logs in; whoever the other side is."""
        self.caps |= SSL
        self.send(packet(struct.pack("<IIB23x", self.caps, 1 << 30, 45), self.seq))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)
        self.seq += 1

    def login(self, user, password, db, collation, plugin):
        at = self.greeting.index(b"\0", 1) + 1
        self.thread = struct.unpack_from("<I", self.greeting, at)[0]
        self.nonce = self.greeting[at + 4 : at + 12] + self.greeting[at + 31 : at + 43]
        answer = native(password, self.nonce)
        caps = self.caps & ~LONG_PASSWORD if self.mariadb else self.caps
        body = struct.pack("<IIB19xI", caps, 1 << 30, collation, self.mariadb) + user.encode() + b"\0"
        body += bytes([len(answer)]) + answer + (db.encode() + b"\0" if db else b"")
        body += plugin + b"\0" if self.caps & PLUGIN_AUTH else b""
        body += bytes([self.zstd_level]) if self.caps & ZSTD else b""
        self.send(packet(body, self.seq))
        self.welcome = self.read()
        self.asked = None
        if self.welcome[:1] == b"\xfe":
            at = self.welcome.index(b"\0") + 1
            self.asked = self.welcome[1 : at - 1]
            scramble = {b"caching_sha2_password": sha2, b"client_ed25519": ed25519}.get(self.asked, native)
            self.send(packet(scramble(password, self.welcome[at:] if scramble is ed25519 else self.welcome[at : at + 20]), self.seq))
            self.welcome = self.read()
        if self.asked == b"caching_sha2_password" and self.welcome == b"\x01\x03":
            self.welcome = self.read()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.sendall(data)

    def take(self, count):
        while len(self.kept) < count:
            data = self.sock.recv(1 << 20)
            if not data:
                raise Closed(self.kept)
            self.kept += data
        out, self.kept = self.kept[:count], self.kept[count:]
        return out

    def read_packet(self):
        """As it came, with its header."""
        head = self.take(4)
        self.seq = (head[3] + 1) & 255
        return head + self.take(int.from_bytes(head[:3], "little"))

    def read(self):
        return self.read_packet()[4:]

    # ---- answers

    def command(self, body):
        """The packets of the answer, with their headers."""
        self.send(packet(body))
        return [] if body[:1] in UNANSWERED else list(self.answer(body[:1]))

    def answer(self, command):
        if command == STATISTICS:
            yield self.read_packet()
        elif command == STMT_PREPARE:
            yield from self.prepared()
        elif command in (STMT_FETCH, FIELD_LIST):
            yield from self.rows()
        else:
            yield from self.results()

    def prepared(self):
        first = self.read_packet()
        yield first
        if first[4] == 0:
            columns, parameters = struct.unpack_from("<HH", first, 9)
            for count in (parameters, columns):
                for _ in range(count + (0 if self.caps & DEPRECATE_EOF or not count else 1)):
                    yield self.read_packet()

    def is_end(self, p):
        return p[4:5] == b"\xff" or (p[4:5] == b"\xfe" and len(p) - 4 < (PACKET_MAX if self.caps & DEPRECATE_EOF else 9))

    def status(self, p):
        if p[4] == 0xFF:
            return 0
        if not self.caps & DEPRECATE_EOF and p[4] == 0xFE:
            return struct.unpack_from("<H", p, 7)[0]
        at = lenenc(p, lenenc(p, 5)[1])[1]
        return struct.unpack_from("<H", p, at)[0]

    def rows(self):
        was_full = False
        while True:
            p = self.read_packet()
            yield p
            if not was_full and self.is_end(p):
                return p
            was_full = len(p) - 4 == PACKET_MAX

    def results(self):
        while True:
            last = first = self.read_packet()
            yield first
            if first[4] not in (0, 0xFF, 0xFE):
                for _ in range(lenenc(first, 4)[0]):
                    yield self.read_packet()
                if not self.caps & DEPRECATE_EOF:
                    last = self.read_packet()
                    yield last
                is_error = last[4] == 0xFF and not self.caps & DEPRECATE_EOF  # of a cursor that cannot be opened
                if not is_error and (self.caps & DEPRECATE_EOF or not self.status(last) & CURSOR_EXISTS):
                    last = yield from self.rows()
            if last[4] == 0xFF or not self.status(last) & MORE_RESULTS:
                return


def error(payload):
    """(number, SQLSTATE, text) of an ERR packet's payload."""
    assert payload[:1] == b"\xff", payload
    return struct.unpack_from("<H", payload, 1)[0], payload[4:9].decode(), payload[9:].decode()
