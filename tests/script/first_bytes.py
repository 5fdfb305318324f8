#!/usr/bin/python3
"""What a stranger can send before anybody knows who it is: packets in any pieces, requests without end, odd names, guesses."""

import os
import re
import socket
import struct
import threading
import time

import harness
import pgwire
import pytest

MIB = 1 << 20


def connect(gilmok, path=None):
    if path:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
    else:
        sock = socket.create_connection(("127.0.0.1", gilmok.port), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return pgwire.Wire(sock, timeout=harness.REPLY_S)


def send_quietly(wire, data):
    try:
        wire.send(data)
    except pgwire.Closed:
        pass


def ends(wire, what):
    """The whole messages that came before the end, which comes in time, and none of which is a login."""
    try:
        got = pgwire.split(wire.read_to_end().lstrip(b"N"))
    except (socket.timeout, TimeoutError):
        raise AssertionError(f"{what}: still open") from None
    finally:
        wire.end()
    assert ("R", struct.pack(">I", 0)) not in got, f"{what}: logged in"
    return got


def sqlstates(got):
    return [pgwire.error_fields(body)["C"] for kind, body in got if kind == "E"]


# ---- pieces ----

PLACES = sorted({*range(1, 41), *(n + d for n in (4096, 8192, 10000, 16384, 65536) for d in (-1, 0, 1)), MIB - 1})


@pytest.mark.parametrize("declared", [MIB, 10001, 10000, 4096])
@pytest.mark.cve("T-FIRST CVE-2026-48773")
def test_a_first_packet_of_a_mebibyte_in_two_pieces(gilmok, declared):
    """Whatever length it says, wherever it is split."""
    packet = struct.pack(">II", declared, 0x30000) + b"user\0app\0"
    packet += b"x" * (MIB - len(packet))
    with harness.Bystander(gilmok):
        for at in PLACES:
            w = connect(gilmok)
            send_quietly(w, packet[:at])
            time.sleep(0.001)
            send_quietly(w, packet[at:])
            ends(w, f"{declared} declared, split at {at}")


class Splitting:
    """A socket whose message number `number` leaves in two pieces, the second after what the server has to say until then."""

    def __init__(self, sock, number, at):
        self.sock, self.left, self.at = sock, number, at

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def sendall(self, data):
        self.left -= 1
        if self.left != -1:
            self.sock.sendall(data)
            return
        self.sock.sendall(data[: self.at])
        time.sleep(0.001)
        self.sock.sendall(data[self.at :])


@pytest.mark.cve("T-FIRST CVE-2026-48773")
def test_every_message_of_a_login_split_at_every_byte(gilmok):
    scram = pgwire.ScramClient("app-password")
    final = len("c=biws,r=") + 24 + 24 + len(",p=") + 44 + 5
    for number, size in enumerate((len(pgwire.startup({"user": "app", "database": "shop"})), len(scram.initial()), final)):
        for at in range(1, size):
            c = gilmok.client(wrap=lambda sock, number=number, at=at: Splitting(sock, number, at)).login()
            c.end()
    assert gilmok.login().ask("whole") == "whole"


# ---- encryption requests without end ----


@pytest.mark.parametrize("requests", [(pgwire.SSL_REQUEST,), (pgwire.GSS_REQUEST,), (pgwire.SSL_REQUEST, pgwire.GSS_REQUEST)])
@pytest.mark.cve("T-NEG CVE-2026-6479")
def test_a_million_encryption_requests(gilmok, requests):
    """In one piece they are refused as stuffed bytes; one after the other at the second of a kind."""
    with harness.Bystander(gilmok):
        w = connect(gilmok)
        send_quietly(w, b"".join(requests) * (1_000_000 // len(requests)))
        assert ends(w, "in one piece") == []
        w = connect(gilmok)
        for request in requests:
            w.send(request)
            assert w.take(1) == b"N"
        w.send(requests[0])
        assert sqlstates(ends(w, "one by one")) == ["08P01"]


# ---- out of turn ----

SCRAM_FIRST = pgwire.ScramClient("x").initial()
PASSWORDS = {
    "clear text": pgwire.message("p", b"boss-password\0"),
    "md5": pgwire.message("p", b"md5" + b"0" * 32 + b"\0"),
    "client first": SCRAM_FIRST,
    "client final": pgwire.message("p", b"c=biws,r=x,p=AAAA"),
    "nothing": pgwire.message("p"),
    "a thousand": pgwire.message("p", b"x\0") * 1000,
}


@pytest.mark.parametrize("name", list(PASSWORDS))
@pytest.mark.cve("T-STATE CVE-2015-4054")
def test_a_password_before_the_startup_packet(gilmok, name):
    with harness.Bystander(gilmok):
        for before in (b"", pgwire.SSL_REQUEST, pgwire.GSS_REQUEST):
            w = connect(gilmok)
            if before:
                w.send(before)
                assert w.take(1) == b"N"
            send_quietly(w, PASSWORDS[name])
            assert set(sqlstates(ends(w, name))) <= {"08P01"}
            w = connect(gilmok)
            send_quietly(w, PASSWORDS[name] + pgwire.startup({"user": "boss", "database": "gilmok"}))
            assert "R" not in [kind for kind, _ in ends(w, f"{name}, then a startup packet")]
    assert gilmok.is_alive()


def at_scram_first(gilmok):
    c = gilmok.client()
    c.send_startup()
    c.expect("R")
    return c


def at_scram_final(gilmok):
    c = at_scram_first(gilmok)
    c.send(pgwire.ScramClient("app-password").initial())
    c.expect("R")
    return c


def in_a_transaction(gilmok):
    c = gilmok.login()
    c.query("BEGIN")
    return c


def in_a_copy(gilmok):
    c = gilmok.login()
    c.send(pgwire.query("COPYIN"))
    assert c.collect(until="G").types == ["G"]
    return c


def in_a_pipeline(gilmok):
    c = gilmok.login()
    c.send(pgwire.parse("x") + pgwire.FLUSH)
    assert c.read()[0] == "1"
    return c


STATES = {
    "client first is due": at_scram_first, "the proof is due": at_scram_final, "logged in": lambda g: g.login(),
    "in a transaction": in_a_transaction, "in a COPY": in_a_copy, "in a pipeline": in_a_pipeline,
}  # fmt: skip


@pytest.mark.parametrize("state", list(STATES))
@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_a_second_startup_packet_in_each_state(gilmok, state):
    """Who a client is was said once. Nothing that it sends later makes it somebody else, or another database's."""
    for packet in (pgwire.startup({"user": "boss", "database": "gilmok"}), pgwire.startup({"user": "app", "database": "shop"}),
                   pgwire.SSL_REQUEST, pgwire.GSS_REQUEST, struct.pack(">IIII", 16, 80877102, 1, 2)):  # fmt: skip
        c = STATES[state](gilmok)
        c.timeout = harness.REPLY_S
        send_quietly(c, packet)
        got = ends(c, state)
        assert got[-1][0] == "E" and sqlstates(got)[-1] == "08P01", got
    assert gilmok.login().ask("nobody else's") == "nobody else's"


# ---- names ----


def refusal(gilmok, params):
    w = connect(gilmok)
    w.send(pgwire.startup(params))
    return sqlstates(ends(w, repr(params)))


@pytest.mark.parametrize("what", ["user", "database"])
@pytest.mark.cve("T-NUL CVE-2026-47778", "T-NAMES CVE-2023-29194")
def test_a_control_byte_in_a_name(gilmok, what):
    for byte in (*range(1, 32), 127):
        for name in (bytes([byte]), b"app" + bytes([byte]), bytes([byte]) + b"app", b"a" + bytes([byte]) + b"pp"):
            assert refusal(gilmok, {"user": "app", "database": "shop", what: name}) == ["28000"], name


@pytest.mark.cve("T-NUL CVE-2026-47778")
def test_a_nul_in_a_name_ends_it_and_begins_another_parameter(gilmok):
    """The rest is never taken for a part of the name: `app NUL boss` is neither."""
    for user in (b"app\0boss", b"boss\0app", b"app\0", b"\0boss"):
        w = connect(gilmok)
        w.send(pgwire.startup([("user", user), ("database", "gilmok")]))
        assert sqlstates(ends(w, repr(user)))[0] in ("08P01", "28000")


@pytest.mark.cve("T-OOM CVE-2012-4575", "T-NAMES CVE-2023-29194")
def test_names_that_are_paths_or_patterns_name_nothing(gilmok):
    """A database is looked up as it is written: no file is opened, no pattern matched, no letter's case changed."""
    for name in ("../gilmok", "/etc/passwd", "sh%", "SHOP", "shop ", " shop", "*", "shop/../shop", "$HOME", "shop;gilmok", "'shop'"):
        c = gilmok.client(database=name)
        c.authenticate()
        assert [e.sqlstate for e in c.collect().errors] == ["3D000"], name
        c.end()
    for name in ("../app", "APP", "app ", "*", "%", "a%p"):
        with pytest.raises(pgwire.PgError) as e:
            gilmok.client(user=name).login()
        assert e.value.sqlstate == "28P01", name


LINE = {
    "text": re.compile(r"\d{4}-\d\d-\d\dT? ?\d\d:\d\d:\d\d.* (debug|info|warn|error) "),
    "json": re.compile(r'\{"ts":"[^"]*","level":"(debug|info|warn|error)","area":"\w+",.*"message":".*"\}$'),
}


@pytest.mark.parametrize("form", list(LINE))
@pytest.mark.cve("T-NAMES CVE-2023-29194")
def test_nobody_forges_a_line_of_the_log(start, form):
    """Names, parameters and a server's error texts stand in it with their control characters written out."""
    forged = "x\n2026-01-01 00:00:00.000 error serve forged\r\n\x1b[31m{\"time\":\"2026\"}\u0085\u2028"

    def run(wire):
        wire.read_first()
        wire.send(pgwire.error({"S": "FATAL", "C": "28P01", "M": forged, "D": forged, "H": forged}))

    server = harness.Server(handler=run)
    g = start(server, main=[f"log_format = {form}", "log_level = debug"])
    for params in ({"user": forged[:60], "database": "shop"}, {"user": "app", "database": forged[:60]}):
        refusal(g, params)
    for more in ({"params": {"application_name": forged}}, {"params": {"options": f"-c a={forged}"}}, {"user": "\xff\xfe ghost"}):
        c = g.client(**more)
        try:
            c.authenticate()
            c.collect()
        except pgwire.PgError:
            pass
        c.end()
    w = connect(g)
    send_quietly(w, forged.encode())
    w.end()
    harness.wait_for(lambda: "forged" in g.said(), what="the server's words in the log")
    with open(g.log, "rb") as f:
        lines = f.read().decode("utf-8").split("\n")[:-1]
    assert len(lines) > 3
    for line in lines:
        assert LINE[form].match(line), line
        assert not re.search("[\x00-\x1f\x7f-\x9f]", line), line
    server.close()


# ---- guesses ----


def guess_md5(path):
    c = pgwire.Client(path, user="boss", database="gilmok")
    c.send_startup()
    c.expect("R")
    c.send(pgwire.message("p", b"md5" + os.urandom(16).hex().encode() + b"\0"))
    return c


def guess_scram(path):
    c = pgwire.Client(path, user="boss", database="gilmok")
    c.send_startup()
    c.expect("R")
    scram = pgwire.ScramClient("x")
    c.send(scram.initial())
    nonce = c.expect("R")[4:].split(b",")[0]
    c.send(pgwire.message("p", b"c=biws," + nonce + b",p=" + pgwire.base64.b64encode(os.urandom(32))))
    return c


@pytest.mark.parametrize("guess, count", [(guess_md5, 7000), (guess_scram, 3000)], ids=["md5", "scram-sha-256"])
@pytest.mark.cve("T-CT CVE-2012-2122")
def test_ten_thousand_random_proofs_are_refused(start, toy, guess, count):
    method = "md5" if guess is guess_md5 else "scram-sha-256"
    g = start(toy, main=[f"client_auth_socket = {method}"], socket=True)
    left, lock, refused = list(range(count)), threading.Lock(), []

    def work(_):
        while True:
            with lock:
                if not left:
                    return
                left.pop()
            c = guess(g.socket_path)
            kind, body = c.read()
            assert kind == "E" and pgwire.error_fields(body)["C"] == "28P01", (kind, body)
            c.end()
            refused.append(True)

    harness.at_once(4, work)
    assert len(refused) == count
    assert pgwire.Client(g.socket_path, user="boss", password="boss-password", database="gilmok").login().query("SHOW VERSION").rows


# ---- what a stranger does not hear ----


@pytest.mark.cve("T-SP CVE-2025-12819", "T-ENUM PgBouncer 1.15")
def test_nobody_hears_of_the_server_before_the_proof(start):
    """The server is down, or refuses: who has proved nothing hears only that the password is wrong."""

    def run(wire):
        wire.read_first()
        wire.send(pgwire.error({"S": "FATAL", "C": "57P03", "M": "the name of a host inside", "D": "inside"}))

    server = harness.Server(handler=run)
    g = start(server)
    heard = set()
    for user, password, database in (("app", "wrong", "shop"), ("ghost", "x", "shop"), ("app", "wrong", "nowhere"), ("ghost", "x", "gilmok")):
        w = g.client(user=user, password=password, database=database)
        with pytest.raises(pgwire.PgError) as e:
            w.login()
        heard.add(str(e.value).replace(user, "USER") + str(sorted(set(e.value.fields) - {"M"})))
        w.end()
    assert len(heard) == 1 and "inside" not in str(heard) and "28P01" in str(heard)
    assert server.accepted == 0, "a stranger made gilmok connect to the server"
    c = g.client()
    c.authenticate()
    assert c.collect().errors[0].sqlstate == "57P03"
    server.close()


SECRETS = {"plain": "plain-password", "hashed": pgwire.md5_verifier("hashed", "x"), "scrammed": pgwire.scram_verifier("y")}


@pytest.mark.parametrize("method", ["scram-sha-256", "md5", "password", "peer"])
@pytest.mark.cve("T-NOUSER CVE-2015-6817")
def test_an_unknown_user_is_nobody(start, toy, method):
    """Not the account that gilmok uses at the server, not the console's users, not the first of the file."""
    account = ["server_user = service", "server_password = service-password"]
    users = {name: s for name, s in SECRETS.items() if name != "hashed" or method in ("md5", "password")}
    g = start(toy, main=[f"client_auth_socket = {method}"], database=account, users=users, socket=True)
    for user in ("service", "ghost", "gilmok", "pgbouncer", "postgres", "root2", '"plain"', "boss,app"):
        for password in ("service-password", "", "plain-password", SECRETS["hashed"], SECRETS["scrammed"]):
            for database in ("shop", "gilmok"):
                c = pgwire.Client(g.socket_path, user=user, password=password, database=database)
                with pytest.raises(pgwire.PgError) as e:
                    c.login()
                assert e.value.sqlstate == ("28000" if method == "peer" else "28P01"), (user, password)
                c.end()
    assert toy.accepted == 0
