#!/usr/bin/python3
"""Hostile MySQL clients: every case ends with an error or a close within the bound, and nobody else notices."""

import itertools
import shutil
import socket
import ssl
import struct
import tempfile
import time

import certs
import harness
import mytoy
import mywire
import pytest
from mytoy import frame, is_empty_again, login, may_not_log_in, must_end, must_refuse, send_quietly
from mywire import QUERY, SSL, packet

HANDSHAKE, DENIED, OUT_OF_ORDER, UNKNOWN_COMMAND, NOT_YET = 1043, 1045, 1156, 1047, 1235


@pytest.fixture(scope="module")
def server():
    toy = mytoy.Server()
    yield toy
    toy.close()


@pytest.fixture(scope="module")
def gilmok(server):
    g = mytoy.Gilmok(server.port, main=["login_timeout = 2s"], database=["pool_size = 4"])
    yield g
    g.close()


@pytest.fixture(autouse=True)
def bystander(gilmok):
    with mytoy.Bystander(gilmok):
        yield
    assert gilmok.is_alive()


# ---- before the login is over ----


@pytest.mark.cve("T-FIRST CVE-2026-48773", "T-CUT CVE-2026-90678", "T-MYHS ProxySQL GHSA-24vm")
def test_a_login_that_is_cut_at_every_byte(gilmok):
    whole = login(gilmok.connect())
    for cut in range(len(whole) + 1):
        c = gilmok.connect()
        c.send(login(c)[:cut])
        c.close()
    is_empty_again(gilmok)


def test_a_login_that_comes_byte_by_byte(gilmok):
    c = gilmok.connect()
    c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in login(c):
        c.send(bytes([byte]))
    assert c.read()[:1] == mytoy.OK
    assert c.ask("in") == "in"
    c.end()


@pytest.mark.cve("T-LEN CVE-2026-6664", "T-FIRST CVE-2026-48773")
def test_length_of_the_login_packet(gilmok):
    """Shorter than it is: what is left stands behind it. Longer: too long by its header, or it does not come in time."""
    for size in (0, 1, 4, 31, 32, 33, 40, 60):
        c = gilmok.connect()
        c.send(frame(login(c)[4:], size))
        may_not_log_in(c, size)
    for size in (65536, 1 << 20, (1 << 24) - 1):
        c = gilmok.connect()
        c.send(frame(login(c)[4:], size))
        must_refuse(c, size, HANDSHAKE)
    for more in (1, 1000):
        c = gilmok.connect()
        whole = login(c)[4:]
        c.send(frame(whole, len(whole) + more))
        assert not any(p[:1] == mytoy.OK for p in must_end(c, more, seconds=4))


@pytest.mark.cve("T-FIRST CVE-2026-48773")
@pytest.mark.parametrize("size", [1 << 20, (1 << 24) - 1])
def test_a_first_packet_that_is_far_too_long_and_comes(gilmok, size):
    c = gilmok.connect()
    send_quietly(c, frame(b"x" * size, size))
    may_not_log_in(c, size)


def lies():
    """Bodies of logins whose inner lengths are not true."""
    head = struct.pack("<IIB23x", mywire.USUAL | mywire.CONNECT_WITH_DB | mywire.CONNECT_ATTRS, 1 << 30, 45)
    user, answer = b"app\0", b"\x14" + b"a" * 20
    yield "user without an end", head + b"app"
    yield "user too long", head + b"u" * 257 + b"\0" + answer
    yield "no answer", head + user
    for n in (21, 250, 251, 252, 253, 254, 255):
        yield f"answer of {n}", head + user + bytes([n]) + b"a" * 20
    for n in (4097, 1 << 16, 1 << 31, 1 << 32, (1 << 64) - 1):
        yield f"answer of {n}", head + user + b"\xfe" + n.to_bytes(8, "little") + b"a" * 20
    yield "schema too long", head + user + answer + b"s" * 257 + b"\0"
    yield "plugin too long", head + user + answer + b"shop\0" + b"p" * 257 + b"\0"
    for n in (b"\xfc\xff\xff", b"\xfd\xff\xff\xff", b"\xfe" + b"\xff" * 8, b"\xfb", b"\xff"):
        yield f"attributes of {n}", head + user + answer + b"shop\0mysql_native_password\0" + n + b"x"
    yield "control characters", head + b"a\np\0" + answer + b"shop\0mysql_native_password\0\0"
    yield "no user", head + b"\0" + answer + b"shop\0mysql_native_password\0\0"
    yield "capabilities of 3.23", struct.pack("<HI", 0, 0) + user
    yield "no 4.1", struct.pack("<IIB23x", mywire.USUAL & ~mywire.PROTOCOL_41, 1 << 30, 45) + user + answer


@pytest.mark.cve("T-LEN CVE-2026-6664", "T-TERM ProxySQL 2.7.4", "T-MYHS ProxySQL GHSA-24vm")
@pytest.mark.parametrize("body", [pytest.param(b, id=n) for n, b in lies()])
def test_lengths_inside_of_a_login(gilmok, body):
    c = gilmok.connect()
    c.send(packet(body, 1))
    must_refuse(c, body, HANDSHAKE, DENIED)


def test_numbers_of_the_login_packet(gilmok):
    for seq in [n for n in range(256) if n != 1]:
        c = gilmok.connect()
        c.send(login(c, seq=seq))
        assert "order" in must_refuse(c, seq, HANDSHAKE)
    c = gilmok.connect()
    c.send(login(c, plugin=b"caching_sha2_password"))
    assert c.read()[:1] == b"\xfe"
    c.send(packet(mywire.native("app-password", c.nonce), 1))
    assert "order" in must_refuse(c, "answer to another plugin", HANDSHAKE)


@pytest.mark.cve("T-STUFF CVE-2021-23214")
def test_bytes_behind_the_login(gilmok, server):
    """Not taken for commands: neither behind the login, nor behind the answer to another plugin, nor behind a wrong password."""
    planted = packet(QUERY + b"planted")
    for password, stuffed in itertools.product(("app-password", "wrong"), (planted, b"\0", b"\1\0\0\0")):
        c = gilmok.connect()
        c.send(login(c, password=password) + stuffed)
        may_not_log_in(c, (password, stuffed))
        c = gilmok.connect()
        c.send(login(c, plugin=b"dialog"))
        assert c.read()[:1] == b"\xfe"
        c.send(packet(mywire.native(password, c.nonce), 3) + stuffed)
        may_not_log_in(c, (password, stuffed))
    assert not any(b"planted" in s for s in server.seen)


@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_commands_before_the_proof(gilmok, server):
    """Whatever a command says: it is no login, and no answer."""
    for body in (QUERY + b"planted", mywire.PING, mywire.CHANGE_USER + b"app\0\0shop\0", mywire.QUIT):
        for seq in (0, 1):
            c = gilmok.connect()
            c.send(packet(body, seq))
            must_refuse(c, (body, seq), HANDSHAKE)
        c = gilmok.connect()
        c.send(login(c, plugin=b"dialog"))
        assert c.read()[:1] == b"\xfe"
        c.send(packet(body, 3))
        must_refuse(c, body, DENIED)
    assert not any(b"planted" in s for s in server.seen)


@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_a_second_login_does_not_change_who_logs_in(gilmok):
    c = gilmok.connect()
    c.send(login(c, plugin=b"dialog"))
    assert c.read()[:1] == b"\xfe"
    c.send(login(c, user="other", password="other-password", seq=3))
    assert "'app'" in must_refuse(c, "a second login", DENIED)


@pytest.mark.cve("T-CT CVE-2012-2122")
def test_proofs_of_others_and_of_other_lengths(gilmok):
    c = gilmok.connect()
    login(c)
    right = mywire.native("app-password", c.nonce)
    c.close()
    answers = [right, b"", b"\0", bytes(20), bytes(19), bytes(21), bytes(255)]  # `right` is of another nonce
    for answer in answers:
        c = gilmok.connect()
        c.send(login(c, answer=answer, caps=c.caps & ~mywire.PLUGIN_AUTH_LENENC))
        must_refuse(c, answer, DENIED)
    for bit in range(160):
        c = gilmok.connect()
        login(c)
        answer = bytearray(mywire.native("app-password", c.nonce))
        answer[bit // 8] ^= 1 << bit % 8
        c.send(login(c, answer=bytes(answer)))
        must_refuse(c, bit, DENIED)


# ---- TLS ----

REQUEST = struct.pack("<IIB23x", mywire.USUAL | SSL, 1 << 30, 45)


@pytest.fixture(scope="module")
def secured(server):
    folder = tempfile.mkdtemp(prefix="mysql-tls-", dir="/var/tmp")
    try:
        user, _ = harness.unprivileged()
        if user:
            shutil.chown(folder, user.pw_uid)
        pair = certs.Authority(folder, "ca").issue("door", user.pw_uid if user else None)
        main = ["client_tls = allow", f"client_tls_cert_file = {pair[0]}", f"client_tls_key_file = {pair[1]}"]
        g = mytoy.Gilmok(server.port, main=main, database=["pool_size = 4"])
        yield g
        g.close()
    finally:
        shutil.rmtree(folder)


class Tls:
    """TLS in memory: what stands in a segment with what is the test's choice."""

    def __init__(self, client):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.client, self.inside, self.outside = client, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inside, self.outside)

    def hello(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return self.outside.read()

    def feed(self):
        data = self.client.sock.recv(1 << 16)
        if not data:
            raise mywire.Closed(b"")
        self.inside.write(data)

    def shake_hands(self):
        while True:
            try:
                self.tls.do_handshake()
                self.client.send(self.outside.read())
                return
            except ssl.SSLWantReadError:
                self.client.send(self.outside.read())
                self.feed()

    def send(self, data):
        self.tls.write(data)
        self.client.send(self.outside.read())

    def read(self):
        """The payload of one packet."""
        data = b""
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:3], "little"):
            try:
                piece = self.tls.read(1 << 16)
                if not piece:
                    raise mywire.Closed(data)
                data += piece
            except ssl.SSLWantReadError:
                self.feed()
        return data[4:]


def test_a_request_for_tls_with_the_hello_in_the_same_segment(secured):
    c = secured.connect()
    tls = Tls(c)
    c.send(packet(REQUEST, 1) + tls.hello())
    tls.shake_hands()
    tls.send(login(c, seq=2))
    assert tls.read()[:1] == mytoy.OK
    tls.send(packet(QUERY + b"inside"))
    assert tls.read()[:1] == b"\1"
    c.close()


def test_requests_for_tls_where_there_is_none(gilmok):
    c = gilmok.connect()
    c.send(packet(REQUEST, 1))
    assert "TLS" in must_refuse(c, "no TLS", HANDSHAKE)


@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_requests_for_tls_inside_of_tls(secured):
    c = secured.connect()
    tls = Tls(c)
    c.send(packet(REQUEST, 1) + tls.hello())
    tls.shake_hands()
    tls.send(packet(REQUEST, 2))
    assert mywire.error(tls.read())[0] == HANDSHAKE
    c.close()


@pytest.mark.cve("T-STUFF CVE-2021-23214")
def test_bytes_stuffed_behind_a_request_for_tls(secured, server):
    """They are no hello: the connection ends, and none of them is read as a login or as a command."""
    c = secured.connect()
    for stuffed in (packet(REQUEST, 2), login(c, seq=2), login(c, seq=2) + packet(QUERY + b"planted"), packet(QUERY + b"planted")):
        c = secured.connect()
        c.send(packet(REQUEST, 1) + stuffed)
        c.sock.settimeout(harness.REPLY_S)
        got = b""
        try:
            while data := c.sock.recv(1 << 16):
                got += data
        except ConnectionResetError:
            pass
        assert len(got) <= 7, got  # at most an alert of TLS
        c.close()
    c = secured.connect()
    tls = Tls(c)
    c.send(packet(REQUEST, 1) + tls.hello()[:50])
    time.sleep(0.05)
    c.send(login(c, seq=2) * 20)
    c.sock.settimeout(harness.REPLY_S)
    try:
        assert len(c.sock.recv(1 << 16)) <= 7
    except ConnectionResetError:
        pass
    c.close()
    assert not any(b"planted" in s for s in server.seen)
    with secured.enter() as c:
        assert c.ask("clean") == "clean"


# ---- after the login ----


def test_numbers_of_commands(gilmok, server):
    for seq in (1, 2, 127, 255):
        c = gilmok.enter()
        c.send(packet(QUERY + b"planted", seq))
        must_refuse(c, seq, OUT_OF_ORDER)
    c = gilmok.enter()
    c.send(frame(QUERY + b"x" * ((1 << 24) - 2), (1 << 24) - 1, 0) + packet(b"more", 2))
    must_refuse(c, "a continuation", OUT_OF_ORDER, seconds=5)
    assert not any(b"planted" in s for s in server.seen)
    is_empty_again(gilmok)


def test_empty_commands(gilmok):
    c = gilmok.enter()
    c.send(packet(b""))
    must_refuse(c, "empty", OUT_OF_ORDER, UNKNOWN_COMMAND, 1835)


def test_unknown_commands(gilmok):
    c = gilmok.enter()
    for byte in (0, 0x0B, 0x0F, 0x10, 0x14, *range(0x20, 0xFA), *range(0xFB, 0x100)):
        assert mywire.error(c.command(bytes([byte]) + b"x")[0][4:])[0] == UNKNOWN_COMMAND, byte
    assert c.ask("alive") == "alive"
    c.end()


def test_refusals_wait_for_their_turn(gilmok):
    """An answer is under way: what is refused is told behind it, not into it."""
    for command, number in ((b"\x20", UNKNOWN_COMMAND), (b"\x08", NOT_YET)):
        c = gilmok.enter()
        c.send(packet(QUERY + b"SLEEP 0.1") + packet(command) + packet(QUERY + b"behind"))
        assert [p[4:] for p in c.answer(QUERY)][2] == mytoy.string(b"SLEEP 0.1")
        refusal = c.read_packet()
        assert refusal[3] == 1 and mywire.error(refusal[4:])[0] == number
        assert [p[4:] for p in c.answer(QUERY)][2] == mytoy.string(b"behind")
        c.end()
    c = gilmok.enter()
    c.send(packet(QUERY + b"SLEEP 0.1") + packet(mywire.PING, 5))
    assert len(list(c.answer(QUERY))) == 4
    must_refuse(c, "out of order behind a query", OUT_OF_ORDER)


def test_a_refused_command_that_is_long(gilmok):
    for size, lives in ((1000, True), (32 << 10, True), ((32 << 10) + 1, False), ((1 << 24) - 1, False)):
        c = gilmok.enter()
        send_quietly(c, frame(b"\x20" + b"x" * (min(size, 100000) - 1), size, 0))
        if lives:
            assert mywire.error(c.read())[0] == UNKNOWN_COMMAND
            assert c.ask("alive") == "alive"
            c.end()
        else:
            must_refuse(c, size, UNKNOWN_COMMAND)
    is_empty_again(gilmok)


@pytest.mark.cve("T-CUT CVE-2026-90678", "T-LEN CVE-2026-6664")
def test_a_command_of_16_mebibytes_that_stalls(gilmok):
    """It may take its time; when its client leaves, its server connection is nobody else's."""
    for there in (1, 5, 5000, 1 << 20):
        c = gilmok.enter()
        c.send(frame((QUERY + b"INSERT half" * 100000)[:there], (1 << 24) - 1, 0))
        time.sleep(0.05)
        assert gilmok.count() == 2
        c.close()
        is_empty_again(gilmok)


@pytest.mark.cve("T-SMUG CVE-2024-27304")
def test_a_command_of_several_packets_keeps_its_length(gilmok, server):
    """Its continuation is no command, whatever it begins with."""
    c = gilmok.enter(timeout=60)
    before = len(server.seen)
    c.send(packet(QUERY + b"long " + b"x" * (2 * mywire.PACKET_MAX - 6) + b"\3DROP"))
    assert b"long xxx" in [p[4:] for p in c.answer(QUERY)][2]
    assert [s[:6] for s in server.seen[before:] if not s.startswith(b"\3bystander")] == [b"\3long "]
    c.end()


def test_a_client_that_never_reads(gilmok):
    c = gilmok.enter()
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.send(packet(QUERY + b"BIG 2000 50000"))
    other = gilmok.enter()
    for i in range(50):
        assert other.ask(f"beside {i}") == f"beside {i}"
    other.end()
    c.close()
    is_empty_again(gilmok)


# ---- KILL, which gilmok reads ----


def test_a_kill_in_pieces(gilmok, server):
    target, c = gilmok.enter(), gilmok.enter()
    c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    number = target.thread
    for body in (QUERY + b"  kill query %d" % number, b"\x0c" + struct.pack("<I", number), QUERY + b" " * 300, QUERY + b"kil"):
        before = len(server.seen)
        for byte in packet(body):
            c.send(bytes([byte]))
            time.sleep(0.0005)
        list(c.answer(QUERY))
        told = [s for s in server.seen[before:] if not s.startswith(b"\3bystander")]
        assert told in ([b"\3  kill query 7"], [b"\x0c\7\0\0\0"], [body[:64]]), told
    assert target.ask("alive") == "alive"
    target.end(), c.end()
    is_empty_again(gilmok)


@pytest.mark.cve("T-LEN CVE-2026-6664")
@pytest.mark.parametrize("size", [1, 3, 6, 600, 100_000, (1 << 24) - 1])
def test_a_kill_of_an_odd_length(gilmok, size):
    """It has an error or the server's answer, and no more of it is kept than of any other command."""
    c = gilmok.enter()
    c.sock.settimeout(2)
    send_quietly(c, frame(b"\x0c" + b"\xff" * (size - 1), size, 0) + (frame(b"", 0, 1) if size == (1 << 24) - 1 else b""))
    assert c.read()[:1] in (b"\0", b"\xff")
    c.close()
    is_empty_again(gilmok)


def test_kills_whose_clients_leave(gilmok):
    for pause, who in itertools.product((0, 0.005), ("killer", "target", "both")):
        target, c = gilmok.enter(), gilmok.enter()
        c.send(packet(QUERY + b"kill %d" % target.thread) * 20)
        time.sleep(pause)
        if who != "killer":
            target.close()
        if who != "target":
            c.close()
        time.sleep(0.02)
        target.close(), c.close()
    is_empty_again(gilmok)


LEAVES = {
    "at once": b"",
    "in a header": b"\x05\0",
    "behind a header": b"\x05\0\0\0",
    "in a command": frame(QUERY + b"hal", 100, 0),
    "before its answer": packet(QUERY + b"SLEEP 0.1"),
    "with a goodbye before its answer": packet(QUERY + b"SLEEP 0.1") + packet(mywire.QUIT),
    "in rows": packet(QUERY + b"BIG 1000 50000"),
    "in a transaction": packet(QUERY + b"BEGIN"),
    "in long data": frame(mywire.STMT_LONG_DATA + b"\1\0\0\0\0\0x", 100000, 0),
    "behind long data": packet(mywire.STMT_LONG_DATA + b"\1\0\0\0\0\0x"),
    "in a refused command": frame(b"\x20xxx", 1000, 0),
    "with commands in line": packet(QUERY + b"SLEEP 0.05") + packet(QUERY + b"planted") * 50,
    "behind an option": packet(mywire.SET_OPTION + b"\1\0"),
}


@pytest.mark.parametrize("name", list(LEAVES))
@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.cve("T-CUT CVE-2026-90678", "T-MARK PgBouncer #141")
def test_clients_that_leave_in_any_state(gilmok, name, resets):
    for pause in (0, 0.02):
        c = gilmok.enter()
        c.send(LEAVES[name])
        time.sleep(pause)
        if resets:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    is_empty_again(gilmok)


def test_a_stranger_learns_nothing_of_who_exists(gilmok):
    said = []
    for user in ("app", "nobody"):
        c = gilmok.connect()
        c.send(login(c, user=user, password="wrong"))
        said.append(must_refuse(c, user, DENIED).replace(user, "?"))
        c = gilmok.connect()
        c.send(login(c, user=user, password="wrong", db="nothing"))
        said.append(must_refuse(c, user, DENIED).replace(user, "?"))
    assert len(set(said)) == 1, said
