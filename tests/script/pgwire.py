#!/usr/bin/python3
"""The PostgreSQL protocol in bytes, both sides: messages, SCRAM, a client. Knows nothing of gilmok."""

import base64
import functools
import hashlib
import hmac
import os
import socket
import struct
import time

SSL_REQUEST = struct.pack(">II", 8, 80877103)
GSS_REQUEST = struct.pack(">II", 8, 80877104)


class Closed(Exception):
    """The other side closed the connection (`reset` tells how)."""

    def __init__(self, reset=False):
        super().__init__("reset" if reset else "closed")
        self.reset = reset


def cstr(text):
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def message(kind, body=b"", length=None):
    """One message; `length` lies about the declared length."""
    return kind.encode() + struct.pack(">I", len(body) + 4 if length is None else length) + body


def startup(params, version=0x30000, length=None):
    items = params.items() if isinstance(params, dict) else params
    body = struct.pack(">I", version) + b"".join(cstr(k) + cstr(v) for k, v in items) + b"\0"
    return struct.pack(">I", len(body) + 4 if length is None else length) + body


def query(sql):
    return message("Q", cstr(sql))


def parse(sql, name=""):
    return message("P", cstr(name) + cstr(sql) + struct.pack(">H", 0))


def bind(values=(), name="", portal=""):
    body = cstr(portal) + cstr(name) + struct.pack(">HH", 0, len(values))
    body += b"".join(struct.pack(">i", -1) if v is None else struct.pack(">I", len(v)) + v for v in values)
    return message("B", body + struct.pack(">H", 0))


def describe(kind, name=""):
    return message("D", kind.encode() + cstr(name))


def close(kind, name=""):
    return message("C", kind.encode() + cstr(name))


def execute(portal="", rows=0):
    return message("E", cstr(portal) + struct.pack(">I", rows))


SYNC = message("S")
FLUSH = message("H")
TERMINATE = message("X")


def row_description(names=("value",)):
    body = struct.pack(">H", len(names))
    return message("T", body + b"".join(cstr(n) + struct.pack(">IHIHIH", 0, 0, 25, 0xFFFF, 0xFFFFFFFF, 0) for n in names))


def data_row(values):
    body = struct.pack(">H", len(values)) + b"".join(struct.pack(">I", len(v)) + v for v in values)
    return message("D", body)


def complete(tag):
    return message("C", cstr(tag))


def ready(status="I"):
    return message("Z", status.encode())


def error(fields):
    """ErrorResponse of (code, text) pairs or of a dict."""
    items = fields.items() if isinstance(fields, dict) else fields
    return message("E", b"".join(k.encode() + cstr(v) for k, v in items) + b"\0")


def auth(code, rest=b""):
    return message("R", struct.pack(">I", code) + rest)


def parameter(name, value):
    return message("S", cstr(name) + cstr(value))


def error_fields(body):
    return {f[:1].decode("latin-1"): f[1:].decode("utf-8", "replace") for f in body.split(b"\0") if f}


class PgError(Exception):
    def __init__(self, body):
        self.fields = error_fields(body)
        self.sqlstate = self.fields.get("C", "")
        self.severity = self.fields.get("S", "")
        super().__init__(f"{self.severity} {self.sqlstate} {self.fields.get('M', '')}")


class Wire:
    """A socket that is read message by message, with a deadline for every read."""

    def __init__(self, sock, timeout=5.0):
        self.sock = sock
        self.timeout = timeout
        self.buffer = bytearray()
        self.is_ended = False  # the other side is gone, and its server has noticed

    def send(self, data):
        self.sock.settimeout(self.timeout)
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed(reset=True) from None

    def fill(self):
        self.sock.settimeout(self.timeout)
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            raise Closed(reset=True) from None
        if not data:
            raise Closed()
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def read(self):
        """The next message: (type, body)."""
        head = self.take(5)
        return chr(head[0]), self.take(struct.unpack(">I", head[1:])[0] - 4)

    def read_first(self):
        """A packet without a type: its body."""
        return self.take(struct.unpack(">I", self.take(4))[0] - 4)

    def read_to_end(self):
        """Every byte until the other side closes. A socket.timeout says that it does not."""
        end = time.monotonic() + self.timeout
        while True:
            if time.monotonic() > end:
                raise socket.timeout("still sends")
            try:
                self.fill()
            except Closed:
                data = bytes(self.buffer)
                self.buffer.clear()
                return data

    def end(self, reset=False):
        """Closes; `reset` sends RST instead of FIN."""
        try:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
        except OSError:
            pass


def split(data):
    """The messages in `data`: (type, body) pairs; raises on a cut one."""
    found, at = [], 0
    while at < len(data):
        length = struct.unpack(">I", data[at + 1 : at + 5])[0]
        assert length >= 4 and at + 1 + length <= len(data), f"cut or malformed: {data[at:]!r}"
        found.append((chr(data[at]), data[at + 5 : at + 1 + length]))
        at += 1 + length
    return found


# ---- passwords ----


def md5_verifier(user, password):
    return "md5" + hashlib.md5(f"{password}{user}".encode()).hexdigest()


def native_hash(password):
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def md5_response(user, password, salt):
    verifier = password if len(password) == 35 and password.startswith("md5") else md5_verifier(user, password)
    return "md5" + hashlib.md5(verifier[3:].encode() + salt).hexdigest()


def scram_verifier(password, iterations=4096, salt=b"script test salt"):
    """As pg_authid keeps it."""
    key = salted(password, salt, iterations)
    stored = hashlib.sha256(_hmac(key, b"Client Key")).digest()
    parts = [base64.b64encode(p).decode() for p in (salt, stored, _hmac(key, b"Server Key"))]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


# ---- SCRAM-SHA-256 ----


def _hmac(key, text):
    return hmac.digest(key, text, "sha256")


@functools.lru_cache(maxsize=64)
def salted(password, salt, iterations):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def _xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def _attributes(text):
    return dict(part.split("=", 1) for part in text.split(","))


class ScramClient:
    def __init__(self, password):
        self.password = password
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.first_bare = f"n=,r={self.nonce}"

    def initial(self):
        first = b"n,," + self.first_bare.encode()
        return message("p", cstr("SCRAM-SHA-256") + struct.pack(">I", len(first)) + first)

    def response(self, server_first):
        at = _attributes(server_first)
        assert at["r"].startswith(self.nonce)
        key = salted(self.password, base64.b64decode(at["s"]), int(at["i"]))
        client_key = _hmac(key, b"Client Key")
        without_proof = "c=biws,r=" + at["r"]
        text = f"{self.first_bare},{server_first},{without_proof}".encode()
        proof = _xor(client_key, _hmac(hashlib.sha256(client_key).digest(), text))
        self.expected = _hmac(_hmac(key, b"Server Key"), text)
        return message("p", f"{without_proof},p={base64.b64encode(proof).decode()}".encode())

    def verify(self, server_final):
        assert base64.b64decode(_attributes(server_final)["v"]) == self.expected, "the server could not prove itself"


class ScramServer:
    """The server's side; salt and iterations may be chosen, `extra` lengthens the nonce."""

    def __init__(self, password, iterations=4096, extra=""):
        self.password, self.iterations, self.extra = password, iterations, extra
        self.salt = b"toy server salt."

    def first(self, body):
        first = body[body.index(b"\0") + 5 :].decode()
        self.first_bare = first[3:]
        self.nonce = _attributes(self.first_bare)["r"] + base64.b64encode(os.urandom(18)).decode() + self.extra
        self.server_first = f"r={self.nonce},s={base64.b64encode(self.salt).decode()},i={self.iterations}"
        return self.server_first.encode()

    def final(self, body):
        """server-final, or None when the proof is wrong."""
        client_final = body.decode()
        without_proof, proof = client_final.rsplit(",p=", 1)
        key = salted(self.password, self.salt, self.iterations)
        text = f"{self.first_bare},{self.server_first},{without_proof}".encode()
        stored = hashlib.sha256(_hmac(key, b"Client Key")).digest()
        client_key = _xor(base64.b64decode(proof), _hmac(stored, text))
        if hashlib.sha256(client_key).digest() != stored:
            return None
        return b"v=" + base64.b64encode(_hmac(_hmac(key, b"Server Key"), text))


# ---- a client ----


class Result:
    def __init__(self):
        self.rows, self.tags, self.errors, self.types, self.parameters = [], [], [], [], {}
        self.names = []  # of the columns of the last result
        self.status = ""


def row_values(body):
    count, at, values = struct.unpack(">H", body[:2])[0], 2, []
    for _ in range(count):
        size = struct.unpack(">i", body[at : at + 4])[0]
        at += 4
        values.append(None if size < 0 else body[at : at + size].decode("utf-8", "replace"))
        at += max(size, 0)
    return values


def column_names(body):
    count, at, names = struct.unpack(">H", body[:2])[0], 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        names.append(body[at:end].decode("utf-8", "replace"))
        at = end + 1 + 18
    return names


class Client(Wire):
    def __init__(self, port, user="app", password="app-password", database="shop", params=(), timeout=5.0, wrap=None, version=0x30000):
        if isinstance(port, str):  # the path of a unix socket
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(port)
        else:
            sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(wrap(sock) if wrap else sock, timeout)
        self.user, self.password, self.database, self.params = user, password, database, dict(params)
        self.parameters = {}
        self.method = None  # what it was asked for: ok, password, md5, scram
        self.version, self.negotiated = version, None
        self.key = b""  # process id and secret, as a cancel request brings them

    def send_startup(self):
        self.send(startup({"user": self.user, "database": self.database, **self.params}, version=self.version))

    def expect(self, kind):
        got, body = self.read()
        if got == "E":
            raise PgError(body)
        assert got == kind, f"expected {kind}, got {got} {body!r}"
        return body

    def expect_error(self):
        """The next error; what comes before it is passed over."""
        while True:
            kind, body = self.read()
            if kind == "E":
                return PgError(body)

    def authenticate(self):
        """From the startup packet to what comes before AuthenticationOk."""
        self.send_startup()
        kind, body = self.read()
        if kind == "v":
            version, count = struct.unpack(">II", body[:8])
            self.negotiated = (version, [o.decode() for o in body[8:].split(b"\0")[:-1]])
            assert len(self.negotiated[1]) == count
            kind, body = self.read()
        if kind == "E":
            raise PgError(body)
        assert kind == "R", f"expected a request, got {kind} {body!r}"
        self.method = {0: "ok", 3: "password", 5: "md5", 10: "scram"}[struct.unpack(">I", body[:4])[0]]
        if self.method == "ok":
            self.buffer[:0] = message(kind, body)
        elif self.method == "password":
            self.send(message("p", cstr(self.password)))
        elif self.method == "md5":
            self.send(message("p", cstr(md5_response(self.user, self.password, body[4:]))))
        else:
            self.prove_by_scram()

    def prove_by_scram(self):
        scram = ScramClient(self.password)
        self.send(scram.initial())
        self.send(scram.response(self.expect("R")[4:].decode()))
        scram.verify(self.expect("R")[4:].decode())

    def login(self):
        self.authenticate()
        assert self.expect("R") == struct.pack(">I", 0)
        result = self.collect()
        self.parameters = result.parameters
        assert result.status == "I"
        return self

    def collect(self, until="Z"):
        """Reads until ReadyForQuery (or a message of the type `until`), gathering rows, tags and errors."""
        result = Result()
        while True:
            kind, body = self.read()
            result.types.append(kind)
            if kind == "D":
                result.rows.append(row_values(body))
            elif kind == "T":
                result.names = column_names(body)
            elif kind == "C":
                result.tags.append(body[:-1].decode())
            elif kind == "E":
                result.errors.append(PgError(body))
                if result.errors[-1].severity == "FATAL":
                    return result
            elif kind == "K":
                self.key = body
            elif kind == "S":
                name, value = body[:-1].split(b"\0")
                result.parameters[name.decode()] = value.decode()
            elif kind == "Z":
                result.status = body.decode()
            if kind in (until, "Z"):
                return result

    def query(self, sql):
        self.send(query(sql))
        return self.collect()

    def ask(self, sql):
        """The single value of a query; raises what the server said."""
        result = self.query(sql)
        if result.errors:
            raise result.errors[0]
        return result.rows[0][0]
