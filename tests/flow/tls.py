#!/usr/bin/python3
"""TLS towards clients and towards servers: who gets it, who is refused, and that nothing slips by in clear."""

import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings

import psycopg
import pytest

import harness
import pgwire
from certs import Authority
from flowtools import APP_DB, APP_PASSWORD, APP_USER, PRIMARY_PORT, connect, in_threads, superuser, value


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, os.stat(path).st_mode | 0o055)
    return Authority(str(folder), "flow-ca")


def gilmok_owner():
    user = harness.unprivileged()[0]
    return user.pw_uid if user else None


@pytest.fixture(scope="module")
def door(ca):
    """Our certificate, as lines of [gilmok]."""
    crt, key = ca.issue("door", gilmok_owner())
    return [f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}"]


def trusting(ca, alpn=("postgresql",)):
    context = ssl.create_default_context(cafile=ca.crt)
    context.check_hostname = True
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def ask_for_tls(sock):
    sock.sendall(pgwire.SSL_REQUEST)
    assert sock.recv(1) == b"S"


def wrapped(ca, direct=False, context=None, session=None):
    def wrap(sock):
        if not direct:
            ask_for_tls(sock)
        return (context or trusting(ca)).wrap_socket(sock, server_hostname="localhost", session=session)

    return wrap


def raw(g, **more):
    return pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, **{"database": APP_DB, **more})


# ---- clients ----


@pytest.mark.parametrize("workers", [1, 3])
def test_drivers_with_tls(start, ca, door, workers):
    g = start(main=["client_tls = allow", f"workers = {workers}", *door], pool_size=12)
    for mode in ("disable", "prefer", "require", "verify-ca", "verify-full"):
        with connect(g, sslmode=mode, sslrootcert=ca.crt, host="localhost", hostaddr="127.0.0.1") as c:
            assert c.pgconn.ssl_in_use == (mode != "disable")
            assert value(c, "select count(*) from generate_series(1, 20000)") == 20000
            rows = c.execute("select i, repeat('x', 500) from generate_series(1, 3000) i").fetchall()
            assert len(rows) == 3000 and rows[-1] == (3000, "x" * 500)
            assert len(value(c, "select %s", ("y" * 3000000,))) == 3000000


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_require(start, ca, door):
    g = start(main=["client_tls = require", *door], socket=True)
    with pytest.raises(psycopg.OperationalError, match="TLS"):
        connect(g, sslmode="disable")
    with connect(g, sslmode="require") as c:
        assert value(c, "select 1") == 1
    with connect(g, host=g.dir, port=g.port) as c:
        assert value(c, "select 'a socket needs none'")


def test_no_tls_where_there_is_none(start):
    g = start()
    with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
        connect(g, sslmode="require")
    with connect(g, sslmode="prefer") as c:
        assert value(c, "select 1") == 1
    w = pgwire.Wire(socket.create_connection(("127.0.0.1", g.port)), timeout=3)
    w.send(b"\x16\x03\x01\x00\x05hello")
    assert w.read_to_end() == b""


@pytest.mark.parametrize("direct", [False, True], ids=["after SSLRequest", "from the first byte"])
@pytest.mark.cve("BAR 38 TLS")
def test_versions_and_resumption(start, ca, door, direct):
    g = start(main=["client_tls = require", "workers = 3", *door], pool_size=12)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context, session, resumed = trusting(ca), None, 0
        context.minimum_version = context.maximum_version = version
        for _ in range(6):
            c = raw(g, wrap=wrapped(ca, direct, context, session)).login()
            assert c.sock.selected_alpn_protocol() == "postgresql"
            assert c.ask("select 'secret'") == "secret"
            session, resumed = c.sock.session, resumed + c.sock.session_reused
            c.end()
        assert resumed == 5, "a ticket is good at every worker"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.cve("BAR 38 TLS")
def test_older_versions_are_refused(start, ca, door, version):
    """By gilmok: the client would do it, and is told by an alert."""
    g = start(main=["client_tls = allow", *door])
    context = trusting(ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match="alert"):
        raw(g, wrap=wrapped(ca, context=context))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_console_shows_how_clients_are_secured(start, ca, door, version):
    """In SHOW CLIENTS and SHOW SOCKETS, as the client itself sees it; empty without TLS, and before the handshake has ended."""
    g = start(main=["client_tls = allow", "workers = 2", *door], pool_size=8, socket=True)
    context = trusting(ca)
    context.minimum_version = context.maximum_version = version
    inside = raw(g, wrap=wrapped(ca, context=context), params={"application_name": "inside"}).login()
    plain = raw(g, params={"application_name": "plain"}).login()
    local = pgwire.Client(g.socket_path, user=APP_USER, password=APP_PASSWORD, database=APP_DB, params={"application_name": "local"}).login()
    half = socket.create_connection(("127.0.0.1", g.port))
    ask_for_tls(half)
    cipher = inside.sock.cipher()
    expected = {"inside": f"{inside.sock.version()}/{cipher[0]}", "plain": "", "local": "", "": ""}
    for what in ("CLIENTS", "SOCKETS"):
        rows = {r["application_name"]: r["tls"] for r in g.show(what, type="C") if r["database"] != "gilmok"}
        assert rows == expected
    console = pgwire.Client(g.port, user="boss", password="boss-password", database="gilmok", wrap=wrapped(ca)).login()
    got = console.query("SHOW CLIENTS")
    mine = [dict(zip(got.names, r)) for r in got.rows]
    assert [r["tls"] for r in mine if r["database"] == "gilmok"] == ["/".join((console.sock.version(), console.sock.cipher()[0]))]
    for c in (inside, plain, local, console):
        c.end()
    half.close()


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_direct_tls_needs_alpn(start, ca, door):
    g = start(main=["client_tls = allow", *door])
    for alpn in ((), ("http/1.1",)):
        with pytest.raises((ssl.SSLError, pgwire.Closed, ConnectionError)):
            raw(g, wrap=wrapped(ca, True, trusting(ca, alpn))).login()
    raw(g, wrap=wrapped(ca, False, trusting(ca, ()))).login().end()  # after a request it may be left out


@pytest.mark.cve("T-STUFF CVE-2021-23214")
def test_bytes_stuffed_behind_the_request(start, ca, door):
    """What came in clear is never taken for what came inside TLS."""
    g = start(main=["client_tls = allow", *door])
    stuffed = pgwire.startup({"user": APP_USER, "database": APP_DB})
    for tail in (b"x", stuffed, pgwire.SSL_REQUEST):
        w = pgwire.Wire(socket.create_connection(("127.0.0.1", g.port)), timeout=3)
        w.send(pgwire.SSL_REQUEST + tail)
        assert w.read_to_end() in (b"", b"S")
        w.end()
    raw(g, wrap=wrapped(ca)).login().end()


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_requests_inside_tls(start, ca, door):
    g = start(main=["client_tls = allow", *door])
    for request in (pgwire.SSL_REQUEST, b"\x16\x03\x01\x02\x00\x01"):
        c = raw(g, wrap=wrapped(ca))
        c.send(request)
        answer = c.read_to_end()
        assert b"FATAL" in answer or answer == b""
    c = raw(g, wrap=wrapped(ca))
    c.send(pgwire.GSS_REQUEST)
    assert c.take(1) == b"N"
    c.login()
    assert c.ask("select 1") == "1"
    c.end()


@pytest.mark.cve("T-CANCELTLS CVE-2020-25694")
def test_cancel_requests_inside_tls_and_in_clear(start, ca, door):
    g = start(main=["client_tls = require", "workers = 2", *door], pool_size=8)
    c = raw(g, wrap=wrapped(ca)).login()
    for wrap in (wrapped(ca), wrapped(ca, True), None):
        c.send(pgwire.query("select pg_sleep(3)"))
        time.sleep(0.1)
        sock = socket.create_connection(("127.0.0.1", g.port))
        w = pgwire.Wire(wrap(sock) if wrap else sock, timeout=5)
        w.send(struct.pack(">II", 8 + len(c.key), 80877102) + c.key)
        assert w.read_to_end() == b""
        assert c.collect().errors[0].sqlstate == "57014"
    c.end()


def test_client_certificates(start, ca, door, tmp_path):
    os.chmod(tmp_path, 0o755)
    stranger = Authority(str(tmp_path), "stranger")
    crt, key = ca.issue("client", None)
    other = stranger.issue("client", None)
    for needed in ("optional", "required"):
        g = start(main=["client_tls = require", f"client_tls_ca_file = {ca.crt}", f"client_tls_cert = {needed}", *door])
        with connect(g, sslmode="require", sslcert=crt, sslkey=key) as c:
            assert value(c, "select 1") == 1
        with pytest.raises(psycopg.OperationalError):
            connect(g, sslmode="require", sslcert=other[0], sslkey=other[1])
        if needed == "required":
            with pytest.raises(psycopg.OperationalError):
                connect(g, sslmode="require", sslcert="/none", sslkey="/none")
        else:
            connect(g, sslmode="require", sslcert="/none", sslkey="/none").close()


PROXY = b"PROXY TCP4 203.0.113.7 10.0.0.1 40000 5432\r\n"


@pytest.mark.parametrize("is_direct", [False, True], ids=["after SSLRequest", "from the first byte"])
@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_a_proxy_header_comes_before_tls(start, ca, door, is_direct):
    """Through a proxy on this machine: the client is somewhere else all the same, and needs TLS even on the socket."""
    g = start(main=["client_tls = require", "proxy_protocol_from = 127.0.0.1, unix", *door], socket=True)

    def through(sock):
        sock.sendall(PROXY)
        return wrapped(ca, is_direct)(sock)

    def inside(sock):
        sock = wrapped(ca, is_direct)(sock)
        sock.sendall(PROXY)
        return sock

    for way in (g.port, g.socket_path):
        c = pgwire.Client(way, user=APP_USER, password=APP_PASSWORD, database=APP_DB, wrap=through).login()
        assert c.ask("select 1") == "1"
        c.end()
        c = pgwire.Client(way, user=APP_USER, password=APP_PASSWORD, database=APP_DB, wrap=lambda s: (s.sendall(PROXY), s)[1])
        with pytest.raises(pgwire.PgError, match="with TLS only"):
            c.authenticate()
    with pytest.raises((pgwire.Closed, pgwire.PgError, OSError, AssertionError)):
        raw(g, wrap=inside).login()


@pytest.mark.cve("T-NUL CVE-2026-47778")
def test_login_by_certificate(start, ca, door, tmp_path):
    """The certificate's common name is the user, exactly; the password of the user file opens the server."""
    os.chmod(tmp_path, 0o755)
    certificates = {name: ca.issue(f"login-{i}", None, subject=f"/CN={name}") for i, name in enumerate((APP_USER, "somebody"))}
    certificates["two names"] = ca.issue("login-two", None, subject=f"/CN={APP_USER}/CN=somebody")
    certificates["other case"] = ca.issue("login-case", None, subject=f"/CN={APP_USER.upper()}")
    certificates["longer"] = ca.issue("login-longer", None, subject=f"/CN={APP_USER}x")
    certificates["not in the name"] = ca.issue("login-ou", None, alt=f"DNS:{APP_USER}", subject=f"/OU={APP_USER}")
    stranger = Authority(str(tmp_path), "stranger").issue("login-stranger", None, subject=f"/CN={APP_USER}")
    g = start(main=["client_auth = cert", "client_tls = allow", f"client_tls_ca_file = {ca.crt}", "workers = 2", *door])
    crt, key = certificates[APP_USER]
    for _ in range(3):
        with connect(g, sslmode="require", sslcert=crt, sslkey=key, password="not asked for") as c:
            assert value(c, "select current_user") == APP_USER
    with pytest.raises(psycopg.OperationalError, match=f'certificate authentication failed for user "{APP_USER}"'):
        connect(g, sslmode="require", sslcert=certificates["somebody"][0], sslkey=certificates["somebody"][1])
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        connect(g, user="somebody", sslmode="require", sslcert=crt, sslkey=key)
    for bad in ("two names", "other case", "longer", "not in the name"):
        with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
            connect(g, sslmode="require", sslcert=certificates[bad][0], sslkey=certificates[bad][1])
    for how in ({"sslmode": "disable"}, {"sslmode": "require", "sslcert": "/none", "sslkey": "/none"}):
        with pytest.raises(psycopg.OperationalError, match="requires a valid client certificate"):
            connect(g, **how)
    with pytest.raises(psycopg.OperationalError):
        connect(g, sslmode="require", sslcert=stranger[0], sslkey=stranger[1])


def test_a_resumed_session_still_has_its_certificate(start, ca, door):
    crt, key = ca.issue("resumer", None, subject=f"/CN={APP_USER}")
    g = start(main=["client_auth = cert", "client_tls = require", f"client_tls_ca_file = {ca.crt}", *door])
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context, session, resumed = trusting(ca), None, []
        context.load_cert_chain(crt, key)
        context.minimum_version = context.maximum_version = version
        for _ in range(3):
            c = raw(g, wrap=wrapped(ca, False, context, session)).login()
            assert c.method == "ok" and c.ask("select 1") == "1"
            resumed.append(c.sock.session_reused)
            session = c.sock.session
            c.end()
        assert resumed == [False, True, True]


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_passwords_in_clear_only_inside_tls(start, ca, door):
    g = start(main=["client_auth = password", "client_tls = allow", "workers = 2", *door], socket=True)
    with connect(g, sslmode="require") as c:
        assert value(c, "select 1") == 1
    with connect(g, host=g.dir, port=g.port) as c:
        assert value(c, "select 1") == 1
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(g, sslmode="require", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="inside TLS only"):
        connect(g, sslmode="disable")
    c = raw(g)
    with pytest.raises(pgwire.PgError, match="inside TLS only"):
        c.authenticate()
    assert c.method is None, "it was asked for its password"


def test_a_renewed_certificate_comes_with_a_reload(start, ca, door):
    g = start(main=["client_tls = allow", *door], pool_size=1)
    old = raw(g, wrap=wrapped(ca)).login()
    crt, key = ca.issue("renewed", gilmok_owner())
    g.write("gilmok.conf", g.text.replace("door.crt", "renewed.crt").replace("door.key", "renewed.key"))
    assert g.console("RELOAD").tags == ["RELOAD"]
    new = raw(g, wrap=wrapped(ca)).login()
    assert ("commonName", "renewed") in [x for rdn in new.sock.getpeercert()["subject"] for x in rdn]
    assert old.ask("select 'the old one goes on'") and new.ask("select 1") == "1"
    old.end(), new.end()
    g.write("gilmok.conf", g.text.replace("door.crt", "nowhere.crt"))
    got = g.console("RELOAD")
    assert "nowhere.crt" in str(got.errors[0])
    raw(g, wrap=wrapped(ca)).login().end()


@pytest.mark.cve("BAR 40 files")
def test_wrong_files_are_found_by_check_and_stop_the_start(start, ca, door, tmp_path):
    g = start(main=["client_tls = allow", *door])
    open_key = f"{ca.folder}/open.key"
    with open(re.search(r"= (.*door\.key)", "\n".join(door)).group(1), "rb") as f, open(open_key, "wb") as to:
        to.write(f.read())
    os.chmod(open_key, 0o644)
    for bad, word in (("/nowhere.key", "nowhere.key"), (open_key, "others"), (ca.crt, "private key")):
        g.write("gilmok.conf", re.sub(r"client_tls_key_file = .*", f"client_tls_key_file = {bad}", g.text))
        for command in ("check", "serve"):
            done = subprocess.run([*g.prefix, g.binary, command, "-c", g.conf], capture_output=True, text=True, timeout=10, check=False)
            assert done.returncode == 1 and word in done.stdout + done.stderr, (command, bad, done.stdout, done.stderr)


def test_idle_tls_clients_cost_little(start, ca, door):
    """At most 30 KB each."""
    if not harness.release_bin():
        pytest.skip("no release build beside the one with sanitizers")
    g = start(main=["client_tls = require", *door], binary=harness.release_bin())
    count = 200
    clients = [raw(g, wrap=wrapped(ca)).login() for _ in range(20)]
    before = g.rss()
    clients += [raw(g, wrap=wrapped(ca)).login() for _ in range(count)]
    used = (g.rss() - before) / count
    assert used < 30 << 10, f"{used / 1024:.1f} KB a client"
    for c in clients:
        c.end()


# ---- servers ----


@pytest.fixture(scope="module")
def secured(ca):
    """The sandbox's primary, with TLS and a certificate for 127.0.0.1 and localhost."""
    with superuser() as su:
        su.autocommit = True
        data = value(su, "show data_directory")
        crt, key = ca.issue("primary", os.stat(data).st_uid)
        for name, setting in (("ssl_cert_file", crt), ("ssl_key_file", key), ("ssl", "on")):
            su.execute(f"alter system set {name} = '{setting}'")
        su.execute("select pg_reload_conf()")
    yield ca
    with superuser() as su:
        su.autocommit = True
        su.execute("alter system reset all")
        su.execute("select pg_reload_conf()")


class Tap:
    """Between gilmok and the server: passes bytes on and remembers how each connection begins and what follows."""

    def __init__(self, port=PRIMARY_PORT, answer=None):
        self.server_port, self.answer, self.seen = port, answer, []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        sent = bytearray()
        self.seen.append(sent)
        if self.answer is not None:
            sent += client.recv(100)
            client.sendall(self.answer)
            sent += client.recv(100) if self.answer else b""
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self.server_port))
        threading.Thread(target=self.copy, args=(server, client, bytearray()), daemon=True).start()
        self.copy(client, server, sent)

    def copy(self, source, to, seen):
        try:
            while data := source.recv(1 << 16):
                seen += data
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.sock.close()


def is_tls_only(sent):
    """SSLRequest, then records of TLS and nothing else."""
    if sent[:8] != pgwire.SSL_REQUEST:
        return False
    at = 8
    while at < len(sent):
        if sent[at] not in (0x14, 0x15, 0x16, 0x17) or sent[at + 1] != 3:
            return False
        at += 5 + struct.unpack(">H", sent[at + 3 : at + 5])[0]
    return at == len(sent)


@pytest.fixture
def tap():
    t = Tap()
    yield t
    t.close()


def through(start, tap, *cluster, **more):
    import flowtools

    kept = flowtools.PRIMARY_PORT
    flowtools.PRIMARY_PORT = tap.port
    try:
        return start(cluster=list(cluster), **more)
    finally:
        flowtools.PRIMARY_PORT = kept


ON_TLS = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.cve("T-CANCELTLS CVE-2020-25694")
def test_server_connections_and_cancels_are_secured(start, secured, tap, mode):
    ca_line = [] if mode == "require" else [f"server_tls_ca_file = {secured.crt}"]
    g = through(start, tap, f"server_tls = {mode}", *ca_line)
    with connect(g) as c:
        assert value(c, ON_TLS) is True
        assert len(value(c, "select repeat('x', 1000000)")) == 1000000

        def sleep(_):
            with pytest.raises(psycopg.errors.QueryCanceled):
                c.execute("select pg_sleep(4)")

        in_threads(2, lambda i: (sleep, lambda _: (time.sleep(0.2), c.cancel()))[i](i))
    assert len(tap.seen) >= 2 and all(is_tls_only(bytes(s)) for s in tap.seen), "something left in clear"


HOW = "select version || '/' || cipher from pg_stat_ssl where pid = pg_backend_pid()"


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_the_console_shows_how_servers_are_secured(start, secured, version):
    """As the server itself sees it, whatever the client does."""
    with superuser() as su:
        su.execute(f"alter system set ssl_max_protocol_version = '{version}'")
        su.execute("select pg_reload_conf()")
        time.sleep(0.3)
        try:
            g = start(cluster=["server_tls = require"])
            with connect(g) as c, connect(start()) as _:
                how = value(c, HOW)
                assert how.startswith(version + "/")
                assert [r["tls"] for r in g.show("SERVERS")] == [how]
                assert [r["tls"] for r in g.show("SOCKETS", type="S")] == [how]
                assert [r["tls"] for r in g.show("CLIENTS", database=APP_DB)] == [""]
        finally:
            su.execute("alter system reset ssl_max_protocol_version")
            su.execute("select pg_reload_conf()")


def test_the_console_shows_a_server_in_clear(start, secured):
    g = start()
    with connect(g) as c:
        assert value(c, ON_TLS) is False
        assert [r["tls"] for r in g.show("SERVERS")] == [""]


class Gate(Tap):
    """Lets connections through as long as it is open; those that come later wait for that."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.held = 0
        super().__init__()

    def serve(self, client):
        if not self.gate.is_set():
            self.held += 1
            self.gate.wait(20)
        super().serve(client)


def test_a_cancel_that_has_no_connection_yet(start, secured):
    """It waits for its own TLS: SHOW POOLS counts it as not passed on."""
    gate = Gate()
    g = through(start, gate, "server_tls = require")
    c = raw(g).login()
    assert c.ask("select 1") == "1"
    gate.gate.clear()
    c.send(pgwire.query("select pg_sleep(10)"))
    harness.wait_for(lambda: g.show("POOLS", database=APP_DB)[0]["sv_active"] == "1", what="the query")
    w = pgwire.Wire(socket.create_connection(("127.0.0.1", g.port)), timeout=5)
    w.send(struct.pack(">II", 8 + len(c.key), 80877102) + c.key)
    harness.wait_for(lambda: gate.held == 1, what="the cancel")
    pool = g.show("POOLS", database=APP_DB)[0]
    got = [pool[k] for k in ("cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active", "sv_active_cancel", "sv_being_canceled")]
    assert got == ["0", "1", "1", "1", "0"]
    gate.gate.set()
    assert w.read_to_end() == b"" and c.collect().errors[0].sqlstate == "57014"
    pool = g.show("POOLS", database=APP_DB)[0]
    assert [pool[k] for k in pool if "cancel" in k] == ["0"] * 4
    c.end()
    gate.close()


def test_loopback_is_in_clear_unless_asked(start, secured):
    with connect(start()) as c:
        assert value(c, ON_TLS) is False


def refused(g):
    c = raw(g)
    c.authenticate()
    return c.collect().errors[0]


@pytest.mark.cve("T-STRIP CVE-2015-3152", "BAR 38 TLS")
def test_certificates_that_do_not_do(start, secured, tmp_path):
    os.chmod(tmp_path, 0o755)
    stranger = Authority(str(tmp_path), "stranger")
    for mode in ("verify-ca", "verify-full"):
        error = refused(start(cluster=[f"server_tls = {mode}", f"server_tls_ca_file = {stranger.crt}"]))
        assert error.sqlstate == "08001" and "certificate" in str(error)
    with superuser() as su:  # a certificate for another host
        su.autocommit = True
        crt, key = secured.issue("elsewhere", os.stat(value(su, "show data_directory")).st_uid, alt="DNS:elsewhere.example")
        kept = value(su, "show ssl_cert_file"), value(su, "show ssl_key_file")
        try:
            su.execute(f"alter system set ssl_cert_file = '{crt}'")
            su.execute(f"alter system set ssl_key_file = '{key}'")
            su.execute("select pg_reload_conf()")
            time.sleep(0.3)
            lines = [f"server_tls_ca_file = {secured.crt}"]
            assert "certificate" in str(refused(start(cluster=["server_tls = verify-full", *lines])))
            with connect(start(cluster=["server_tls = verify-ca", *lines])) as c:
                assert value(c, ON_TLS) is True
        finally:
            su.execute(f"alter system set ssl_cert_file = '{kept[0]}'")
            su.execute(f"alter system set ssl_key_file = '{kept[1]}'")
            su.execute("select pg_reload_conf()")


@pytest.mark.parametrize("answer", [b"N", b"E" + struct.pack(">I", 30) + b"Msecret error of a stranger\0\0", b"Sxxxx", b"", b"\0"])
@pytest.mark.cve("T-STUFF CVE-2021-23214", "T-ERRNEG CVE-2024-10977", "T-STRIP CVE-2015-3152")
def test_servers_that_answer_otherwise(start, answer):
    """No TLS, an error text that nobody vouches for, bytes stuffed behind the yes: the connection ends, and nothing is shown."""
    tap = Tap(answer=answer)
    g = through(start, tap, "server_tls = require")
    error = refused(g)
    assert error.sqlstate == "08001" and "stranger" not in str(error) and "stranger" not in g.said()
    assert all(bytes(s) == pgwire.SSL_REQUEST for s in tap.seen), "it went on in clear"
    tap.close()


# ---- channel binding: a login belongs to its TLS connection ----


class Middle:
    """Somebody in between, with a certificate of its own: TLS on both sides, messages passed on. `strip`: no offer of binding."""

    def __init__(self, port, crt, key, strip=False):
        self.port_behind, self.strip = port, strip
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(crt, key)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            asked = client.recv(8)
            if asked != pgwire.SSL_REQUEST:
                client.close()
                return
            client.sendall(b"S")
            front = self.context.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.port_behind))
            ask_for_tls(server)
            back = ssl._create_unverified_context().wrap_socket(server)
            self.pass_on(front, back)
        except OSError:
            pass

    def pass_on(self, front, back):
        """In turns: a login is a conversation, and nothing longer is asked here."""
        front.settimeout(0.02), back.settimeout(0.02)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for source, to in ((front, back), (back, front)):
                try:
                    data = source.recv(1 << 16)
                except (TimeoutError, ssl.SSLWantReadError):
                    continue
                if not data:
                    front.close(), back.close()
                    return
                to.sendall(self.edited(data) if source is back else data)

    def edited(self, data):
        offer = b"SCRAM-SHA-256-PLUS\0"
        if not self.strip or offer not in data:
            return data
        rest = data.replace(offer, b"")
        return rest[:1] + struct.pack(">I", struct.unpack(">I", rest[1:5])[0] - len(offer)) + rest[5:]

    def close(self):
        self.sock.close()


@pytest.fixture
def middle(ca):
    """middle(port, ...): one that ends with the test."""
    made = []
    crt, key = ca.issue("middle", None)

    def run(port, **more):
        made.append(Middle(port, crt, key, **more))
        return made[-1]

    yield run
    for m in made:
        m.close()


@pytest.mark.cve("T-CB CVE-2025-49146")
def test_clients_may_insist_on_channel_binding(start, ca, door):
    g = start(main=["client_tls = allow", *door])
    with connect(g, sslmode="verify-full", sslrootcert=ca.crt, channel_binding="require") as c:
        assert value(c, "select 1") == 1
    with connect(g, sslmode="require", channel_binding="disable") as c:
        assert value(c, "select 1") == 1
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        connect(g, sslmode="disable", channel_binding="require")


@pytest.mark.cve("T-CB CVE-2025-49146")
def test_a_login_is_worth_nothing_in_another_connection(start, ca, door, middle):
    g = start(main=["client_tls = require", *door])
    m = middle(g.port)
    with connect(g, port=m.port, sslmode="require", channel_binding="disable") as c:  # the way is open
        assert value(c, "select 1") == 1
    with pytest.raises(psycopg.OperationalError, match="SCRAM channel binding check failed"):
        connect(g, port=m.port, sslmode="require")
    with pytest.raises(psycopg.OperationalError, match="SCRAM channel binding negotiation error"):
        connect(g, port=middle(g.port, strip=True).port, sslmode="require")


@pytest.mark.cve("T-CB CVE-2025-49146")
def test_a_certificate_without_one_hash_offers_no_binding(start, ca, middle):
    crt, key = ca.issue("edwards", gilmok_owner(), new_key=("ed25519",))
    g = start(main=["client_tls = allow", f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}"])
    with connect(g, sslmode="require", channel_binding="prefer") as c:
        assert value(c, "select 1") == 1


@pytest.mark.cve("T-CB CVE-2025-49146")
def test_servers_must_bind_where_that_is_asked_for(start, secured, middle):
    with connect(start(cluster=["server_tls = require", "server_channel_binding = require"])) as c:
        assert value(c, ON_TLS) is True
    # Whoever is in between has no way to use what it hears, verified or not.
    for how in ("prefer", "require"):
        g = through(start, middle(PRIMARY_PORT), "server_tls = require", f"server_channel_binding = {how}")
        with pytest.raises(psycopg.OperationalError, match="refused the connection"):
            connect(g)
    g = through(start, middle(PRIMARY_PORT, strip=True), "server_tls = require", "server_channel_binding = require")
    with pytest.raises(psycopg.OperationalError, match="offers no channel binding"):
        connect(g)
    g = through(start, middle(PRIMARY_PORT), "server_tls = require", "server_channel_binding = disable")
    with connect(g) as c:
        assert value(c, "select 1") == 1


@pytest.mark.cve("T-CB CVE-2025-49146")
@pytest.mark.parametrize("asked", ["md5", "password", "ok"])
def test_nothing_else_will_do_where_servers_must_bind(start, ca, asked):
    """Judged by what was negotiated: a server that asks for less, or for nothing, is refused whatever server_auth allows."""
    crt, key = ca.issue("lax", None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    heard = []

    def run(wire):
        assert wire.take(8) == pgwire.SSL_REQUEST
        wire.send(b"S")
        wire.sock = context.wrap_socket(wire.sock, server_side=True)
        wire.read_first()
        wire.send({"md5": pgwire.auth(5, b"salt"), "password": pgwire.auth(3), "ok": harness.GREETING}[asked])
        heard.append(wire.read())

    server = harness.Server(handler=run)
    g = harness.Gilmok(server.port, cluster=["server_tls = require", "server_auth = password", "server_channel_binding = require"])
    try:
        c = g.client()
        c.authenticate()
        assert "offers no channel binding" in str(c.collect().errors[0])
        assert not heard, "nothing of a password has left"
    finally:
        g.close()
        server.close()
