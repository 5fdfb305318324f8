#!/usr/bin/python3
"""The PROXY protocol: from listed sources a header must come first and is believed for names alone; from others it is nonsense."""

import os
import pwd
import re
import socket
import struct
import time

import harness
import pgwire
import pytest

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
STARTUP = pgwire.startup({"user": "app", "database": "shop"})
STRANGER = "127.0.0.2"  # an address of loopback that no test lists


def v2(command=1, family=0x11, addresses=None, tlvs=b"", length=None):
    if addresses is None:
        addresses = socket.inet_aton("203.0.113.7") + socket.inet_aton("10.0.0.1") + struct.pack(">HH", 40000, 5432)
    body = addresses + tlvs
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(body) if length is None else length) + body


V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "::1") + struct.pack(">HH", 40000, 5432)
TLV = b"\x04\0\x05hello"
HEADERS = {
    "v1": (b"PROXY TCP4 203.0.113.7 10.0.0.1 40000 5432\r\n", "203.0.113.7:40000"),
    "v1 v6": (b"PROXY TCP6 2001:db8::7 ::1 40000 5432\r\n", "[2001:db8::7]:40000"),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1 unknown with addresses": (b"PROXY UNKNOWN 127.0.0.1 127.0.0.1 1 2\r\n", None),
    "v2": (v2(), "203.0.113.7:40000"),
    "v2 v6": (v2(family=0x21, addresses=V6), "[2001:db8::7]:40000"),
    "v2 tlvs": (v2(tlvs=TLV * 3), "203.0.113.7:40000"),
    "v2 unix": (v2(family=0x31, addresses=b"/tmp/a".ljust(108, b"\0") + b"/tmp/b".ljust(108, b"\0")), "unix"),
    "v2 local": (v2(command=0), None),
    "v2 unspecified": (v2(family=0, addresses=b""), None),
    "v2 as long as can be": (v2(tlvs=b"\x04" + struct.pack(">H", 2048 - 28 - 3) + b"x" * (2048 - 28 - 3)), "203.0.113.7:40000"),
}
NO_HEADERS = {
    "startup packet": STARTUP,
    "SSLRequest": pgwire.SSL_REQUEST,
    "GSSENCRequest": pgwire.GSS_REQUEST,
    "cancel": struct.pack(">IIII", 16, 80877102, 1, 2),
    "TLS": b"\x16\x03\x01\x02\0\x01\0",
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "header behind a byte": b"\0" + HEADERS["v1"][0] + STARTUP,
    "header behind SSLRequest": pgwire.SSL_REQUEST + HEADERS["v1"][0] + STARTUP,
    "other case": HEADERS["v1"][0].lower() + STARTUP,
    "v1 without addresses": b"PROXY TCP4\r\n" + STARTUP,
    "v1 with another protocol": b"PROXY UDP4 203.0.113.7 10.0.0.1 40000 5432\r\n" + STARTUP,
    "v1 with a bad address": b"PROXY TCP4 203.0.113.777 10.0.0.1 40000 5432\r\n" + STARTUP,
    "v1 with a bad port": b"PROXY TCP4 203.0.113.7 10.0.0.1 400000 5432\r\n" + STARTUP,
    "v1 with a NUL": b"PROXY TCP4 203.0.113.7\0 10.0.0.1 40000 5432\r\n" + STARTUP,
    "v1 with a bare LF": b"PROXY TCP4 203.0.113.7 10.0.0.1 40000 5432\n" + STARTUP,
    "v1 without an end": b"PROXY TCP4 " + b"1" * 200,
    "v2 version 3": v2().replace(b"\x21\x11", b"\x31\x11", 1) + STARTUP,
    "v2 command 2": v2(command=2) + STARTUP,
    "v2 family": v2(family=0x41) + STARTUP,
    "v2 shorter than its addresses": v2(length=11) + STARTUP,
    "v2 of 64 KiB": v2(length=65535) + b"x" * 4000,
    "v2 longer than the limit": v2(length=2048 - 16 + 1),
    "v2 tlv that spills": v2(tlvs=b"\x04\xff\xffhello") + STARTUP,
    "v2 tlv cut short": v2(tlvs=b"\x04\0") + STARTUP,
}


@pytest.fixture(scope="module")
def listed(server):
    g = harness.Gilmok(server.port, main=["proxy_protocol_from = 127.0.0.1", "login_timeout = 400ms", "max_login_conn = 2000"])
    yield g
    g.close()


def connect(g, source=None, timeout=5):
    sock = socket.create_connection(("127.0.0.1", g.port), timeout=timeout, source_address=(source, 0) if source else None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return pgwire.Wire(sock, timeout=timeout)


def header_first(header):
    def wrap(sock):
        sock.sendall(header)
        return sock

    return wrap


def direct(g, **more):
    """A client that no proxy passes on: it comes from an address that is not listed."""
    c = pgwire.Client.__new__(pgwire.Client)
    kept = socket.create_connection
    socket.create_connection = lambda address, **k: kept(address, source_address=(STRANGER, 0), **k)
    try:
        c.__init__(g.port, **more)
    finally:
        socket.create_connection = kept
    return c


def addresses(g):
    """As "address:port", an IPv6 address in brackets."""
    c = direct(g, user="boss", password="boss-password", database="gilmok").login()
    got = c.query("SHOW CLIENTS")
    c.end()
    rows = [dict(zip(got.names, row)) for row in got.rows]
    return [r["addr"] if r["addr"] == "unix" else ("[{addr}]:{port}" if ":" in r["addr"] else "{addr}:{port}").format(**r) for r in rows]


def asks_for_scram(w):
    kind, body = w.read()
    return kind == "R" and body[:4] == struct.pack(">I", 10)


@pytest.mark.parametrize("name", list(HEADERS))
@pytest.mark.cve("T-PP CVE-2026-48772")
def test_who_it_is(listed, name):
    header, address = HEADERS[name]
    c = listed.client(wrap=header_first(header)).login()
    assert c.ask("through") == "through"
    shown = addresses(listed)
    if address:
        assert address in shown
    else:
        assert "127.0.0.1:%d" % c.sock.getsockname()[1] in shown
    c.end()


@pytest.mark.parametrize("name", ["v1", "v2", "v2 tlvs", "v1 unknown", "v2 local"])
def test_split_at_every_byte(listed, name):
    header = HEADERS[name][0]
    for at in range(1, len(header) + 3):
        w = connect(listed)
        w.send((header + STARTUP)[:at])
        time.sleep(0.002)
        w.send((header + STARTUP)[at:])
        assert asks_for_scram(w), f"split at {at}"
        w.end()


@pytest.mark.parametrize("name", ["v1", "v2 v6"])
def test_byte_by_byte(listed, name):
    w = connect(listed)
    for byte in HEADERS[name][0] + STARTUP:
        w.send(bytes([byte]))
    assert asks_for_scram(w)
    w.end()


@pytest.mark.parametrize("name", list(HEADERS))
@pytest.mark.cve("T-TERM ProxySQL 2.7.4")
def test_every_truncation(listed, name):
    """What is not whole is waited for until login_timeout; an end in the middle of it harms nobody."""
    header = HEADERS[name][0]
    step = max(1, len(header) // 30)
    waiting = []
    with harness.Bystander(listed_bystander(listed)):
        for at in list(range(0, len(header), step)) + [len(header) - 1]:
            w = connect(listed)
            w.send(header[:at])
            w.end(reset=at % 2 == 0)
            if at:  # the kernel keeps a connection on which nothing was sent
                w = connect(listed)
                w.send(header[:at])
                waiting.append((at, w))
        for at, w in waiting:
            assert w.read_to_end() == b"", f"cut at {at}"
            w.end()
    assert listed.is_alive()


def listed_bystander(g):
    class Through:
        @staticmethod
        def login(**more):
            return g.client(wrap=header_first(HEADERS["v2"][0]), **more).login()

    return Through


@pytest.mark.parametrize("name", list(NO_HEADERS))
@pytest.mark.cve("T-PP CVE-2026-48772")
def test_what_is_no_header_ends_the_connection(listed, name):
    w = connect(listed, timeout=0.3)  # before login_timeout
    try:
        w.send(NO_HEADERS[name])
        assert w.read_to_end() == b"", "nothing is said to it"
    except pgwire.Closed:
        pass
    w.end()


@pytest.mark.cve("T-PP CVE-2026-48772")
def test_every_length_of_an_extension(listed):
    """It ends where the header ends, or it is none: not a byte of what follows is ever taken for a part of it, or the reverse."""
    for room in (0, 1, 5, 300):
        for length in sorted({0, 1, 2, room - 1, room, room + 1, room + 3, room + len(STARTUP), 255, 256, 32768, 65535} - {-1}):
            w = connect(listed, timeout=0.3)
            w.send(v2(tlvs=b"\x04" + struct.pack(">H", length) + b"\x04" * room) + STARTUP)
            # A shorter one is followed by others, of which the bytes do not make whole ones.
            if length == room:
                assert asks_for_scram(w), length
            else:
                try:
                    assert w.read_to_end() == b"", (room, length)
                except pgwire.Closed:
                    pass
            w.end()


@pytest.mark.cve("T-PP CVE-2026-48772")
def test_a_second_header_is_a_malformed_packet(listed):
    for first, second in (("v1", "v1"), ("v1", "v2"), ("v2", "v1"), ("v2", "v2")):
        for pause in (0, 0.01):
            w = connect(listed)
            w.send(HEADERS[first][0])
            time.sleep(pause)
            w.send(HEADERS[second][0] + STARTUP)
            got = pgwire.split(w.read_to_end())
            assert [m[0] for m in got] == ["E"] and pgwire.error_fields(got[0][1])["C"] == "08P01"


def test_a_header_behind_an_encryption_request(listed):
    w = connect(listed)
    w.send(HEADERS["v1"][0] + pgwire.SSL_REQUEST)
    assert w.take(1) == b"N"
    w.send(HEADERS["v2"][0] + STARTUP)
    got = pgwire.split(w.read_to_end())
    assert pgwire.error_fields(got[0][1])["C"] == "08P01"
    w = connect(listed)
    w.send(HEADERS["v1"][0] + pgwire.SSL_REQUEST)
    assert w.take(1) == b"N"
    w.send(STARTUP)
    assert asks_for_scram(w)
    w.end()


@pytest.mark.cve("T-STUFF CVE-2021-23214")
def test_bytes_behind_header_and_request_are_still_refused(listed):
    for request in (pgwire.SSL_REQUEST, pgwire.GSS_REQUEST):
        w = connect(listed)
        w.send(HEADERS["v2"][0] + request + STARTUP)
        assert w.read_to_end() in (b"", b"N")


def test_cancel_requests_through_a_proxy(listed):
    c = listed.client(wrap=header_first(HEADERS["v1"][0])).login()
    w = connect(listed)
    w.send(HEADERS["v2"][0] + struct.pack(">II", 8 + len(c.key), 80877102) + c.key)
    assert w.read_to_end() == b""
    assert c.ask("still here") == "still here"
    c.end()


@pytest.mark.parametrize("name", list(HEADERS))
@pytest.mark.cve("T-PP CVE-2026-48772")
def test_from_an_unlisted_source_a_header_is_a_malformed_packet(listed, name):
    w = connect(listed, source=STRANGER)
    w.send(HEADERS[name][0] + STARTUP)
    got = pgwire.split(w.read_to_end())
    assert [m[0] for m in got] == ["E"] and pgwire.error_fields(got[0][1])["C"] == "08P01"
    assert not re.search(r"203\.0\.113\.7.*" + STRANGER, listed.said())


def test_nobody_is_asked_for_a_header_unless_listed(listed, server):
    direct(listed).login().end()
    g = harness.Gilmok(server.port, main=["proxy_protocol_from = 10.0.0.0/8, ::1, unix"], socket=True)
    g.login().end()
    with pytest.raises(pgwire.Closed):
        pgwire.Client(g.socket_path).login()
    pgwire.Client(g.socket_path, wrap=header_first(HEADERS["v1"][0])).login().end()
    g.close()


@pytest.mark.cve("T-PP CVE-2026-48772")
def test_a_proxy_on_a_socket_lends_nobody_the_socket(server):
    """Who comes through it logs in as over TCP: not by the system user of the proxy, and not without TLS where that is needed."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    account = ["server_user = app", "server_password = app-password"]
    g = harness.Gilmok(server.port, main=["proxy_protocol_from = unix", "client_auth_socket = peer"], database=account, socket=True)
    for header in ("v1", "v1 unknown", "v2 unix", "v2 local"):
        c = pgwire.Client(g.socket_path, user=me, wrap=header_first(HEADERS[header][0]))
        with pytest.raises(pgwire.PgError, match="28P01"):
            c.authenticate()
        assert c.method == "scram"
        c.end()
    g.close()


def test_a_reload_lists_and_unlists(server):
    g = harness.Gilmok(server.port)
    g.login().end()
    g.write("gilmok.conf", g.text.replace("admin_users", "proxy_protocol_from = 127.0.0.1\nadmin_users"))
    g.process.send_signal(1)
    harness.wait_for(lambda: "reloaded" in g.said(), what="the reload")
    with pytest.raises(pgwire.Closed):
        g.login()
    g.client(wrap=header_first(HEADERS["v2"][0])).login().end()
    harness.wait_for(lambda: "sent no PROXY header" in g.said(), what="the line in the log, which another thread writes")
    g.close()


def test_workers_know_it_too(server):
    g = harness.Gilmok(server.port, main=["proxy_protocol_from = 127.0.0.1", "workers = 3"], database=["pool_size = 12"])
    clients = [g.client(wrap=header_first(b"PROXY TCP4 203.0.113.%d 10.0.0.1 40000 5432\r\n" % i)).login() for i in range(9)]
    shown = addresses(g)
    assert all(f"203.0.113.{i}:40000" in shown for i in range(9))
    for i, c in enumerate(clients):
        assert c.ask(f"row {i}") == f"row {i}"
        c.end()
    g.close()
