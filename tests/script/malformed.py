#!/usr/bin/python3
"""Hostile clients: every case ends with an error or a close within the bound, and nobody else notices."""

import os
import random
import select
import socket
import struct
import time

import harness
import pgwire
import pytest

LENGTHS = [0, 1, 3, 4, 5, 1 << 15, (1 << 16) - 1, (1 << 24) - 1, (1 << 31) - 1, 1 << 31, (1 << 31) + 1] + [(1 << 32) - i for i in (4, 3, 2, 1)]
LARGE_MAX = 0x3FFFFFFE + 1  # what PostgreSQL accepts for Query, Parse, Bind: a declared length up to this
SMALL_MAX = 10000


def connect(gilmok):
    sock = socket.create_connection(("127.0.0.1", gilmok.port), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return pgwire.Wire(sock, timeout=harness.REPLY_S)


def send_quietly(wire, data):
    try:
        wire.send(data)
    except pgwire.Closed:
        pass


def must_end(wire, what):
    """The connection ends in time; whatever came before is whole messages. Returns them."""
    try:
        data = wire.read_to_end()
    except (socket.timeout, TimeoutError):
        raise AssertionError(f"{what}: still open after {wire.timeout} s, received {bytes(wire.buffer)!r}") from None
    finally:
        wire.end()
    return pgwire.split(data.lstrip(b"N"))  # N: the answers to encryption requests


def must_refuse(wire, what):
    """Ends, and not before a FATAL error said why; no sign of a login."""
    got = must_end(wire, what)
    assert got and got[-1][0] == "E", f"{what}: {got}"
    assert pgwire.error_fields(got[-1][1])["S"] == "FATAL", what
    assert ("R", struct.pack(">I", 0)) not in got, f"{what}: logged in"
    return pgwire.error_fields(got[-1][1])


def may_not_log_in(wire, what):
    """Ends, with or without a word, and nobody was logged in."""
    got = must_end(wire, what)
    assert ("R", struct.pack(">I", 0)) not in got, f"{what}: logged in"
    return got


# ---- connections in each state before the login is over ----


def at_first(gilmok):
    return connect(gilmok)


def at_sasl_initial(gilmok):
    w = connect(gilmok)
    w.send(pgwire.startup({"user": "app", "database": "shop"}))
    assert w.read()[0] == "R"
    return w


def at_sasl_response(gilmok):
    w = at_sasl_initial(gilmok)
    scram = pgwire.ScramClient("app-password")
    w.send(scram.initial())
    assert w.read()[0] == "R"
    return w


def at_proof_sent(gilmok):
    """Logged in, nothing sent yet."""
    w = gilmok.login()
    w.timeout = harness.REPLY_S
    return w


PRE_AUTH = {"first": at_first, "sasl_initial": at_sasl_initial, "sasl_response": at_sasl_response}


# ---- lengths ----


@pytest.mark.parametrize("length", LENGTHS, ids=hex)
@pytest.mark.cve("T-LEN CVE-2026-6664", "T-GROW CVE-2026-6668")
def test_length_of_the_startup_packet(gilmok, length):
    with harness.Bystander(gilmok):
        for code in (0x30000, 80877103, 80877104, 80877102):
            w = connect(gilmok)
            send_quietly(w, struct.pack(">II", length, code) + b"user\0app\0\0")
            if 18 < length <= SMALL_MAX:  # there may be more to come: only the login timeout ends this one
                w.end()
                continue
            got = must_end(w, f"startup length {length}, code {code}")
            assert not [m for m in got if m[0] != "E"], got


@pytest.mark.parametrize("state", ["sasl_initial", "sasl_response"])
@pytest.mark.cve("T-LEN CVE-2026-6664")
def test_length_of_sasl_messages(gilmok, state):
    with harness.Bystander(gilmok):
        for length in LENGTHS:
            w = PRE_AUTH[state](gilmok)
            send_quietly(w, pgwire.message("p", b"SCRAM-SHA-256\0" + b"\0\0\0\x01n", length=length))
            if 4 + 20 <= length <= SMALL_MAX:
                w.end()
                continue
            must_refuse(w, f"{state} length {length}")


@pytest.mark.cve("T-LEN CVE-2026-6664")
def test_length_of_the_sasl_response_field(gilmok):
    """The length inside SASLInitialResponse, against what the message really holds."""
    first = b"n,,n=,r=0123456789abcdefghijklmn"
    with harness.Bystander(gilmok):
        for length in LENGTHS + [len(first) - 1, len(first) + 1]:
            w = at_sasl_initial(gilmok)
            w.send(pgwire.message("p", b"SCRAM-SHA-256\0" + struct.pack(">I", length) + first))
            assert must_refuse(w, f"response length {length}")["C"] == "08P01"


@pytest.mark.parametrize("kind", ["Q", "P", "B", "D", "C", "E", "S", "H", "X", "d", "c", "f", "F"])
@pytest.mark.cve("T-LEN CVE-2026-6664", "T-SMUG CVE-2024-27304", "T-RESYNC CVE-2015-0244")
def test_length_of_messages_after_login(gilmok, kind):
    large = kind in "QPBdF"
    with harness.Bystander(gilmok):
        for length in LENGTHS:
            w = at_proof_sent(gilmok)
            send_quietly(w, pgwire.message(kind, b"", length=length))
            if length < 4 or length > (LARGE_MAX if large else SMALL_MAX):
                assert must_refuse(w, f"{kind} length {length}")["C"] == "08P01"
            else:  # a legal length of which most never comes: the client goes away instead
                w.end(reset=True)
    assert gilmok.is_alive()


@pytest.mark.parametrize("limit, sent", [("SSL", b"\0\0\0\x09\x04\xd2\x16\x2f\0"), ("GSS", b"\0\0\0\x09\x04\xd2\x16\x30\0")])
@pytest.mark.cve("T-LEN CVE-2026-6664")
def test_encryption_request_of_a_wrong_length(gilmok, limit, sent):
    w = connect(gilmok)
    w.send(sent)
    assert must_refuse(w, limit)["C"] == "08P01"


# ---- the first packet ----


@pytest.mark.parametrize("at", [1, 3, 4, 5, 8, 9, 100, 9999, 10000, 10001, 65536])
@pytest.mark.cve("T-FIRST CVE-2026-48773")
def test_first_packet_of_a_mebibyte_in_two_pieces(gilmok, at):
    packet = struct.pack(">II", 1 << 20, 0x30000) + b"user\0app\0" + b"x" * ((1 << 20) - 17)
    w = connect(gilmok)
    send_quietly(w, packet[:at])
    time.sleep(0.01)
    send_quietly(w, packet[at:])
    may_not_log_in(w, f"1 MiB, split at {at}")


@pytest.mark.cve("T-FIRST CVE-2026-48773")
def test_login_split_at_every_byte(gilmok):
    packet = pgwire.startup({"user": "app", "database": "shop"})
    for at in range(1, len(packet)):
        w = connect(gilmok)
        w.send(packet[:at])
        time.sleep(0.001)
        w.send(packet[at:])
        assert w.read() == ("R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0"), f"split at {at}"
        w.end()


@pytest.mark.cve("T-GROW CVE-2026-6668")
def test_declared_lengths_cost_no_memory(gilmok, start, toy):
    """A thousand connections that declare 1 GiB each."""
    path = harness.release_bin()
    if not path:
        pytest.skip("needs a build without sanitizers")
    g = start(toy, binary=path, main=["max_login_conn = 2000"])
    g.login().end()
    before = g.rss()
    wires = [g.login() for _ in range(100)]
    for w in wires:
        w.send(pgwire.message("Q", b"select", length=0x3FFFFFFE))
    time.sleep(0.2)
    grown = g.rss() - before
    assert grown < 100 * 64 * 1024, f"{grown} bytes for 100 clients"


@pytest.mark.cve("T-NEG CVE-2026-6479")
def test_a_thousand_encryption_requests(gilmok):
    """At most one of each kind is answered: no loop, no recursion."""
    w = connect(gilmok)
    with harness.Bystander(gilmok):
        for i in range(1000):
            try:
                w.send(pgwire.SSL_REQUEST if i % 2 == 0 else pgwire.GSS_REQUEST)
                if i < 2:
                    assert w.take(1) == b"N"
            except pgwire.Closed:
                assert i > 2
                break
        may_not_log_in(w, "1000 requests")


@pytest.mark.cve("T-NEG CVE-2026-6479")
def test_each_encryption_request_once_and_then_a_login(gilmok):
    w = gilmok.client()
    w.send(pgwire.SSL_REQUEST)
    assert w.take(1) == b"N"
    w.send(pgwire.GSS_REQUEST)
    assert w.take(1) == b"N"
    w.login()
    assert w.ask("after N") == "after N"


@pytest.mark.parametrize("request_packet", [pgwire.SSL_REQUEST, pgwire.GSS_REQUEST], ids=["ssl", "gss"])
@pytest.mark.cve("T-STUFF CVE-2021-23214")
def test_bytes_stuffed_behind_an_encryption_request(gilmok, request_packet):
    for extra in (b"\0", b"\x16\x03\x01", pgwire.startup({"user": "app"}), pgwire.SSL_REQUEST, b"x" * 20000):
        w = connect(gilmok)
        w.send(request_packet + extra)
        got = may_not_log_in(w, repr(extra[:20]))
        assert not [m for m in got if m[0] == "R"], "a stuffed startup packet was answered"


# ---- states ----


@pytest.mark.parametrize("state", list(PRE_AUTH))
@pytest.mark.cve("T-STATE CVE-2026-107350", "T-STATE CVE-2015-4054")
def test_every_message_type_before_the_login_is_over(gilmok, state):
    """256 types; the one that is due carries nonsense."""
    with harness.Bystander(gilmok):
        for first in range(0, 256, 64):
            batch = []
            for kind in range(first, first + 64):
                w = PRE_AUTH[state](gilmok)
                send_quietly(w, bytes([kind]) + b"\0\0\0\x08abcd")
                batch.append((kind, w))
            for kind, w in batch:
                if state == "first" and kind == 0:
                    w.end()  # 0x00000000 is no length at all: covered by the lengths of the startup packet
                    continue
                may_not_log_in(w, f"type {kind:#x} in {state}")
    assert gilmok.is_alive()


@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_every_illegal_message_type_after_the_login(gilmok):
    legal = set(b"BCDEFHPQSXdcf")
    with harness.Bystander(gilmok):
        for kind in sorted(set(range(256)) - legal):
            w = at_proof_sent(gilmok)
            send_quietly(w, bytes([kind]) + b"\0\0\0\x08abcd")
            assert must_refuse(w, f"type {kind:#x} after login")["C"] == "08P01"


FIRST_PACKETS = {
    "app": pgwire.startup({"user": "app", "database": "shop"}),
    "boss": pgwire.startup({"user": "boss", "database": "gilmok"}),
    "unknown user": pgwire.startup({"user": "nobody-at-all", "database": "shop"}),
    "unknown database": pgwire.startup({"user": "app", "database": "nowhere"}),
    "ssl": pgwire.SSL_REQUEST,
    "gss": pgwire.GSS_REQUEST,
    "cancel": struct.pack(">IIII", 16, 80877102, 1, 2),
    "version 2": struct.pack(">II", 8, 0x20000),
    "no user": pgwire.startup({"database": "shop"}),
}


@pytest.mark.parametrize("one", list(FIRST_PACKETS))
@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_every_pair_of_first_packets(gilmok, one):
    """A second startup packet never changes who is logging in; only N answers allow another packet at all."""
    for two, second in FIRST_PACKETS.items():
        for is_apart in (False, True):
            w = connect(gilmok)
            send_quietly(w, FIRST_PACKETS[one] + (b"" if is_apart else second))
            if is_apart:
                try:
                    w.fill()
                except (pgwire.Closed, socket.timeout):
                    pass
                send_quietly(w, second)
            if one in ("ssl", "gss") and is_apart and two not in (one, "cancel", "version 2", "no user"):
                w.end()  # the regular course: N, then something else
                continue
            w.buffer.clear()
            may_not_log_in(w, f"{one}, then {two}")


@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_second_startup_packet_during_scram_does_not_change_the_user(gilmok):
    for state in (at_sasl_initial, at_sasl_response):
        w = state(gilmok)
        w.send(FIRST_PACKETS["boss"])
        assert must_refuse(w, "startup during SCRAM")["C"] == "08P01"


def test_messages_behind_the_proof_wait_for_the_greeting(gilmok):
    """A query in the same segment as the proof is legal: it is answered after the greeting, not before."""
    c = gilmok.client()
    c.send_startup()
    c.expect("R")
    scram = pgwire.ScramClient(c.password)
    c.send(scram.initial())
    c.send(scram.response(c.expect("R")[4:].decode()) + pgwire.query("early bird"))
    scram.verify(c.expect("R")[4:].decode())
    assert c.expect("R") == b"\0\0\0\0"
    assert c.collect().status == "I"
    assert c.collect().rows == [["early bird"]]


@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_query_before_the_proof_is_not_run(gilmok, server):
    time.sleep(0.2)  # gilmok has looked at what the last test's client left
    seen = len(server.seen)
    w = at_sasl_initial(gilmok)
    w.send(pgwire.query("no"))
    must_refuse(w, "query before the proof")
    assert "Q" not in server.seen[seen:]


# ---- startup parameters ----


def refused_startup(gilmok, params):
    w = connect(gilmok)
    w.send(pgwire.startup(params))
    return must_refuse(w, repr(params)[:60])


@pytest.mark.cve("T-NUL CVE-2026-47778")
def test_empty_and_overlong_names(gilmok):
    assert refused_startup(gilmok, {"user": ""})["C"] == "28000"
    assert refused_startup(gilmok, {"user": "u" * 64, "database": "shop"})["C"] == "28000"
    assert refused_startup(gilmok, {"user": "app", "database": "d" * 64})["C"] == "28000"
    assert refused_startup(gilmok, {"user": "app\n", "database": "shop"})["C"] == "28000"
    assert refused_startup(gilmok, [("", "x"), ("user", "app")])["C"] == "08P01"


def test_more_than_64_parameters(gilmok):
    many = [("user", "app"), ("database", "shop")] + [(f"p{i}", "1") for i in range(62)]
    w = connect(gilmok)
    w.send(pgwire.startup(many))
    assert w.read()[0] == "R"
    w.end()
    assert refused_startup(gilmok, many + [("p62", "1")])["C"] == "08P01"


@pytest.mark.cve("T-TERM ProxySQL 2.7.4")
def test_packet_without_terminator_or_with_more_behind_it(gilmok):
    for body in (b"user\0app", b"user\0app\0", b"user\0app\0\0x", b"user", b"\0\0", b""):
        w = connect(gilmok)
        w.send(struct.pack(">II", len(body) + 8, 0x30000) + body)
        assert must_refuse(w, repr(body))["C"] in ("08P01", "28000")


ODD_OPTIONS = [
    "-c=", "-c =", "-c =x", "-c", "-c -c", "-c  ", "-", "--", "--=", "--=x", "--x", "-c a", "\\", "-c \\", "-c a=\\", "-c\t\n=\v", "=" * 500,
    "-c=" * 500, "-c = " * 500, "--= " * 500,
]  # fmt: skip


@pytest.mark.parametrize("options", ODD_OPTIONS, ids=lambda o: repr(o[:6]))
@pytest.mark.cve("T-OPT CVE-2026-107349")
def test_odd_options(gilmok, options):
    """They are the server's to judge; the login goes on to SCRAM at once and nothing spins."""
    with harness.Bystander(gilmok):
        w = connect(gilmok)
        w.send(pgwire.startup({"user": "app", "database": "shop", "options": options}))
        assert w.read()[0] == "R"
        w.end()
        c = gilmok.client(params={"options": options})
        began = time.monotonic()
        c.authenticate()
        got = c.collect()
        assert got.status == "I" or got.errors[0].sqlstate in ("53300", "08001"), got.errors
        assert time.monotonic() - began < harness.REPLY_S
        c.end()


def test_newer_minor_versions_and_options_are_negotiated(gilmok):
    w = connect(gilmok)
    w.send(pgwire.startup({"user": "app", "database": "shop", "_pq_.thing": "1"}, version=0x30002))
    kind, body = w.read()
    assert (kind, body) == ("v", struct.pack(">II", 0x30002, 1) + b"_pq_.thing\0")
    assert w.read()[0] == "R"
    w.end()


@pytest.mark.parametrize("version", [0, 1, 0x20000, 0x40000, 0x2FFFF, 0xFFFFFFFF, 0x4D200000])
def test_unknown_protocol_versions(gilmok, version):
    w = connect(gilmok)
    w.send(pgwire.startup({"user": "app"}, version=version))
    assert must_refuse(w, hex(version))["C"] in ("0A000", "08P01")


# ---- what a stranger can learn ----


def failed_login(gilmok, user, password, database="shop"):
    """The shapes of what the server says, with nonces and salts cut out: (type, length, text)."""
    c = gilmok.client(user=user, password=password, database=database)
    shapes = []
    c.send_startup()
    kind, body = c.read()
    shapes.append((kind, body))
    scram = pgwire.ScramClient(password)
    c.send(scram.initial())
    kind, body = c.read()
    parts = body[4:].decode().split(",")
    shapes.append((kind, len(body), [p[:2] for p in parts], [len(p) for p in parts], parts[2]))
    c.send(scram.response(body[4:].decode()))
    for kind, body in pgwire.split(c.read_to_end()):
        shapes.append((kind, body.replace(user.encode(), b"USER")))
    return shapes


@pytest.mark.cve("T-ENUM PgBouncer 1.15")
def test_unknown_user_looks_like_a_wrong_password(gilmok):
    known = failed_login(gilmok, "app", "wrong")
    assert known[-1][0] == "E" and b"28P01" in known[-1][1] and len(known) == 3
    assert failed_login(gilmok, "ghost", "wrong") == known
    assert failed_login(gilmok, "ghost", "wrong", database="nowhere") == known
    assert failed_login(gilmok, "app", "wrong", database="nowhere") == known
    assert failed_login(gilmok, "ghost", "wrong", database="gilmok") == known


def salt_of(gilmok, user):
    w = connect(gilmok)
    w.send(pgwire.startup({"user": user, "database": "shop"}))
    w.read()
    w.send(pgwire.ScramClient("x").initial())
    body = w.read()[1]
    w.end()
    return body.split(b",s=")[1]


@pytest.mark.cve("T-ENUM PgBouncer 1.15")
def test_salts_do_not_tell_unknown_users(gilmok):
    assert salt_of(gilmok, "ghost") == salt_of(gilmok, "ghost")
    assert salt_of(gilmok, "ghost") != salt_of(gilmok, "ghost2")
    assert salt_of(gilmok, "app") == salt_of(gilmok, "app")


@pytest.mark.cve("T-ENUM PgBouncer 1.15")
def test_unknown_database_is_named_only_after_the_proof(gilmok):
    c = gilmok.client(database="nowhere")
    c.authenticate()
    got = c.collect()
    assert got.errors[0].sqlstate == "3D000" and "nowhere" in str(got.errors[0])


@pytest.mark.cve("T-CT CVE-2012-2122")
def test_a_proof_of_one_bit_difference_is_refused(gilmok):
    rng = random.Random(7)
    for _ in range(40):
        c = gilmok.client()
        c.send_startup()
        c.expect("R")
        scram = pgwire.ScramClient(c.password)
        c.send(scram.initial())
        whole = bytearray(scram.response(c.expect("R")[4:].decode()))
        at = rng.randrange(len(whole) - 44, len(whole) - 2)  # the last base64 letter has unused bits
        whole[at] = ord("A") if whole[at] != ord("A") else ord("B")
        c.send(bytes(whole))
        with pytest.raises(pgwire.PgError) as e:
            c.expect("R")
        assert e.value.sqlstate == "28P01"
        c.end()


@pytest.mark.parametrize(
    "first",
    [
        b"", b"n", b"n,,", b"n,,n=", b"n,,n=,r=", b"y,,r=abc", b"p=tls-unique,,n=,r=abcdefgh", b"n,a=boss,n=,r=abcdefgh",
        b"n,,m=x,n=,r=abcdefgh", b"n,,n=,r=" + b"x" * 300, b"n,,n=,r=" + b"x" * 5000, b"n,,n=,r=ab\0cd", b"n,,n=,r=\xff\xfe",
        b"x,,n=,r=abcdefgh", b",,,,,,,,", b"n,,n=,r=a,b,c,d",
    ],
    ids=lambda b: repr(b[:24]),
)  # fmt: skip
def test_malformed_client_first(gilmok, first):
    w = at_sasl_initial(gilmok)
    w.send(pgwire.message("p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(first)) + first))
    try:
        kind, _ = w.read()
    except pgwire.Closed:
        return
    if kind == "R":  # a legal first message after all: then the proof must be missing
        w.send(pgwire.message("p", b"c=biws,r=x,p=AAAA"))
        kind, body = w.read()
    assert kind == "E"
    may_not_log_in(w, repr(first))


ODD_FINALS = [
    b"", b"c=biws", b"c=biws,r=x", b"c=biws,r=x,p=", b"c=,r=,p=", b"p=AAAA", b"c=biws,r=x,p=" + b"A" * 9000, b"\0" * 50,
    b"," * 900,
]  # fmt: skip


@pytest.mark.parametrize("final", ODD_FINALS, ids=lambda b: repr(b[:16]))
def test_malformed_client_final(gilmok, final):
    w = at_sasl_response(gilmok)
    w.send(pgwire.message("p", final))
    assert must_refuse(w, repr(final[:20]))["C"] in ("08P01", "28P01")


@pytest.mark.parametrize("mechanism", [b"", b"PLAIN", b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-1", b"x" * 5000])
@pytest.mark.cve("T-CB CVE-2025-49146")
def test_other_mechanisms(gilmok, mechanism):
    w = at_sasl_initial(gilmok)
    w.send(pgwire.message("p", mechanism + b"\0" + struct.pack(">I", 3) + b"n,,"))
    must_refuse(w, repr(mechanism[:20]))


# ---- noise and numbers ----


@pytest.mark.cve("T-RESYNC CVE-2015-0244")
def test_random_bytes(gilmok):
    rng = random.Random(1)
    with harness.Bystander(gilmok):
        for _ in range(150):
            w = [at_first, at_sasl_initial, at_sasl_response, at_proof_sent][rng.randrange(4)](gilmok)
            send_quietly(w, rng.randbytes(rng.randrange(1, 3000)))
            w.end(reset=rng.random() < 0.5)
    assert gilmok.is_alive()


def test_slow_logins_do_not_lock_others_out(start, toy):
    """More half-open logins than max_login_conn allows: the oldest make room."""
    g = start(toy, main=["max_login_conn = 20"])
    half_open = [connect(g) for _ in range(60)]
    for w in half_open:
        send_quietly(w, b"\0")
    assert g.login().ask("still served") == "still served"
    gone = [w for w in half_open if select.select([w.sock], [], [], 0)[0]]
    assert len(gone) >= 39
    for w in half_open:
        w.end()


def test_connections_that_come_and_go_leave_no_descriptors(gilmok):
    count = lambda: len(os.listdir(f"/proc/{gilmok.process.pid}/fd"))  # noqa: E731
    try:
        before = count()
    except PermissionError:
        pytest.skip("the process does not let itself be looked into")
    for _ in range(300):
        connect(gilmok).end(reset=True)
    harness.wait_for(lambda: count() <= before + 5, what="descriptors closed")


@pytest.mark.cve("T-GROW CVE-2026-6668")
def test_reading_and_refusing_costs_no_memory(start, toy):
    path = harness.release_bin()
    if not path:
        pytest.skip("needs a build without sanitizers")
    g = start(toy, binary=path)

    def round_of_attacks():
        for length in LENGTHS:
            for _ in range(20):
                w = connect(g)
                send_quietly(w, struct.pack(">II", length, 0x30000) + b"user\0app\0\0")
                w.end()

    round_of_attacks()
    before = g.rss()
    for _ in range(4):
        round_of_attacks()
    assert g.rss() - before < 1 << 20
