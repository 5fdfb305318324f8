"""The few bytes of PostgreSQL's protocol that the benchmark's own client needs: SCRAM login with the slow key
derivation done once, simple queries whose results are thrown away, one huge parameter."""
import base64
import hashlib
import hmac
import os
import socket
import struct

_salted = {}


def _message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


class Client:
    def __init__(self, port, user, password, database):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        body = struct.pack("!I", 0x30000)
        for name, value in (("user", user), ("database", database)):
            body += name.encode() + b"\0" + value.encode() + b"\0"
        body += b"\0"
        self.sock.sendall(struct.pack("!I", len(body) + 4) + body)
        self._log_in(password)

    def _read_message(self):
        while len(self.buffer) < 5 or len(self.buffer) < struct.unpack("!I", self.buffer[1:5])[0] + 1:
            piece = self.sock.recv(65536)
            if not piece:
                raise ConnectionError("closed during login")
            self.buffer += piece
        size = struct.unpack("!I", self.buffer[1:5])[0] + 1
        message, self.buffer = self.buffer[:size], self.buffer[size:]
        if message[:1] == b"E":
            raise ConnectionError(message[5:].replace(b"\0", b" ").decode(errors="replace"))
        return message[:1], message[5:]

    def _log_in(self, password):
        nonce = base64.b64encode(os.urandom(18)).decode()
        first_bare = f"n=,r={nonce}"
        server_first = ""
        while True:
            kind, body = self._read_message()
            code = struct.unpack("!I", body[:4])[0] if kind == b"R" else -1
            if code == 10:
                first = ("n,," + first_bare).encode()
                self.sock.sendall(_message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first))
            elif code == 11:
                server_first = body[4:].decode()
                self.sock.sendall(_message(b"p", self._final(password, first_bare, server_first)))
            elif kind == b"Z":
                return

    @staticmethod
    def _final(password, first_bare, server_first):
        parts = dict(p.split("=", 1) for p in server_first.split(","))
        key = (password, parts["s"], parts["i"])
        if key not in _salted:
            salt = base64.b64decode(parts["s"])
            _salted[key] = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, int(parts["i"]))
        without_proof = f"c=biws,r={parts['r']}"
        auth = ",".join((first_bare, server_first, without_proof)).encode()
        client_key = hmac.digest(_salted[key], b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), auth, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return (without_proof + ",p=" + base64.b64encode(proof).decode()).encode()

    def send_query(self, sql):
        self.sock.sendall(_message(b"Q", sql.encode() + b"\0"))

    def drain(self):
        """Reads and discards until ReadyForQuery stands at the very end of what has arrived; returns the bytes read."""
        view = memoryview(bytearray(1 << 20))
        total, tail = 0, b""
        while True:
            n = self.sock.recv_into(view)
            if n == 0:
                raise ConnectionError("closed in a result")
            total += n
            tail = (tail + bytes(view[max(0, n - 6):n]))[-6:]
            if tail == b"Z\0\0\0\5I":
                return total

    def query(self, sql):
        self.send_query(sql)
        return self.drain()

    def query_with_parameter(self, sql, size):
        """One parameter of `size` bytes, sent in pieces so that this process stays small."""
        self.sock.sendall(_message(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!H", 0)))
        head = b"\0\0" + struct.pack("!HH", 0, 1) + struct.pack("!I", size)
        tail = struct.pack("!H", 0)
        self.sock.sendall(b"B" + struct.pack("!I", 4 + len(head) + size + len(tail)) + head)
        piece = b"x" * (1 << 20)
        for _ in range(size // len(piece)):
            self.sock.sendall(piece)
        self.sock.sendall(tail + _message(b"E", b"\0" + struct.pack("!I", 0)) + _message(b"S", b""))
        return self.drain()

    def close(self):
        try:
            self.sock.sendall(_message(b"X", b""))
        except OSError:
            pass
        self.sock.close()
