#!/usr/bin/python3
"""Rules in a file: the first line that fits a connection as it is decides how its client logs in, and nothing is tried after it."""

import os
import re
import signal
import socket
import struct

import certs
import harness
import pgwire
import pytest

TRUSTS = ["unknown_effects = trust"]


@pytest.fixture
def ruled(start, toy):
    """ruled(rules, *lines, ...): a gilmok with these rules, on TCP and on a unix socket."""

    def run(rules, *lines, ident=None, **more):
        files = {"hba.conf": rules, **({"ident.conf": ident} if ident else {})}
        main = ["hba_file = hba.conf", *(["ident_file = ident.conf"] if ident else []), *lines]
        return start(toy, main=main, files=files, socket=True, database=TRUSTS, **more)

    return run


def asked(c):
    """What a client is asked for: a method, or the error that it hears instead."""
    try:
        c.authenticate()
        return c.method
    except pgwire.PgError as e:
        return c.method or e
    finally:
        c.end()


def rejected(c):
    got = asked(c)
    assert isinstance(got, pgwire.PgError) and got.sqlstate == "28000" and got.severity == "FATAL", got
    return str(got)


def client(g, way="tcp", user="app", **more):
    return pgwire.Client(g.socket_path if way == "socket" else g.port, user=user, password=f"{user}-password", **more)


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_the_first_line_that_fits_counts(ruled):
    g = ruled(
        "local  shop          app              scram-sha-256\n"
        "local  all           other            password\n"
        "host   shop,gilmok   all   127.0.0.1/32  md5\n"
        "host   /^shop_[0-9]$ app   127.0.0.1/32  scram-sha-256\n"
        "host   all           app   127.0.0.0/8   reject\n"
        "host   all           all   127.0.0.1/32  scram-sha-256\n"
    )
    assert asked(client(g, "socket")) == "scram"
    assert asked(client(g, "socket", user="other")) == "password"
    assert "no line of hba_file" in rejected(client(g, "socket", user="boss"))
    assert "no line of hba_file" in rejected(client(g, "socket", database="shop_1"))
    assert asked(client(g)) == "md5"
    assert asked(client(g, user="boss", database="gilmok")) == "md5"
    assert asked(client(g, database="shop_1")) == "scram"
    told = rejected(client(g, database="shop_12"))
    assert "hba_file rejects" in told and 'user "app", database "shop_12"' in told and "no TLS" in told
    assert asked(client(g, user="other", database="shop_12")) == "scram"
    assert re.search(r"line 5 of hba_file rejects", g.said()), "the log tells which line"
    assert client(g).login().ask("in") == "in"


def test_the_console_shows_them(ruled):
    g = ruled(
        "local all,\"all\" \"a b\",/^x peer map=ops\n"
        "host replication,sameuser all 10.0.0.0 255.0.0.0 md5\n"
        "host all all ::1/128 reject\nhost all all all scram-sha-256\n",
        ident="ops root all\n",
    )
    rows = [tuple(r.values())[:-1] for r in g.show("HBA")]
    assert rows == [
        ("1", "local", 'all,"all"', '"a b",/^x', "", "peer", "map=ops"),
        ("2", "host", "replication,sameuser", "all", "10.0.0.0/8", "md5", ""),
        ("3", "host", "all", "all", "::1/128", "reject", ""),
        ("4", "host", "all", "all", "all", "scram-sha-256", ""),
    ]
    assert all(r["file_name"].endswith("/hba.conf") for r in g.show("HBA"))
    assert g.console("SHOW HBA", user="stats").errors[0].sqlstate == "42501"


def test_without_a_file_there_are_two_rules(start, toy):
    g = start(toy, main=["client_auth = md5", "client_auth_socket = peer"], socket=True)
    rows = [tuple(r.values()) for r in g.show("HBA")]
    assert rows == [
        ("0", "local", "all,replication", "all", "", "peer", "", "client_auth"),
        ("0", "host", "all,replication", "all", "all", "md5", "", "client_auth"),
    ]


@pytest.mark.cve("T-ENUM PgBouncer 1.15")
def test_unknown_users_hear_what_others_hear(ruled):
    """A rule goes by the name; whether somebody has it shows nowhere."""
    g = ruled("host all /^a 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 reject\n")
    assert asked(client(g, user="aghost")) == asked(client(g)) == "scram"
    one, two = rejected(client(g, user="other")), rejected(client(g, user="ghost"))
    assert re.sub(r"other|ghost|:\d+", "", one) == re.sub(r"other|ghost|:\d+", "", two)


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_physical_replication_is_in_no_database(ruled):
    g = ruled("host all all 127.0.0.1/32 scram-sha-256\nhost replication other 127.0.0.1/32 md5\n")
    for value in ("true", "on", "1", "TRUE", "t", "Yes", "oN"):
        assert asked(client(g, user="other", params={"replication": value})) == "md5"
        assert "no line of hba_file" in rejected(client(g, params={"replication": value}))
    for value in ("database", "false", "0", "FALSE", "F", "of", "No"):
        assert asked(client(g, user="other", params={"replication": value})) == "scram"
    for value in ("", "o", "2", "Database", "truely", "tru e", " true"):
        error = asked(client(g, user="other", params={"replication": value}))
        assert error.sqlstate == "22023" and "replication" in str(error), value


def raw_startup(g, *params):
    """With parameters that come twice."""
    body = struct.pack(">I", 0x30000) + b"".join(pgwire.cstr(k) + pgwire.cstr(v) for k, v in params) + b"\0"
    w = client(g)
    w.send(struct.pack(">I", 4 + len(body)) + body)
    kind, body = w.read()
    w.end()
    return "asked" if kind == "R" else pgwire.error_fields(body)["C"]


def test_what_is_said_twice_gets_past_no_rule(ruled):
    """The server would take the last of them, and of replication partly all."""
    g = ruled("host replication app 127.0.0.1/32 scram-sha-256\nhost shop app 127.0.0.1/32 scram-sha-256\nhost all all all reject\n")
    who = (("user", "app"), ("database", "shop"))
    assert raw_startup(g, *who) == raw_startup(g, *who, ("replication", "true")) == "asked"
    for more in (("replication", "true"), ("replication", "false")), (("replication", "true"), ("replication", "database")):
        assert raw_startup(g, *who, *more) == "22023"
    assert raw_startup(g, *who, ("user", "boss")) == raw_startup(g, *who, ("database", "gilmok")) == "08P01"


def test_the_console_is_no_place_to_replicate_from(ruled):
    g = ruled("host gilmok all 127.0.0.1/32 reject\nhost replication all 127.0.0.1/32 scram-sha-256\n")
    c = client(g, user="boss", database="gilmok", params={"replication": "true"})
    c.authenticate()
    assert c.collect().errors[0].sqlstate == "0A000"


def from_address(g, ip):
    """A client whose own address is `ip`."""
    sock = socket.socket()
    sock.bind((ip, 0))
    sock.connect(("127.0.0.1", g.port))
    w = pgwire.Wire(sock)
    w.send(pgwire.startup({"user": "app", "database": "shop"}))
    kind, body = w.read()
    w.end()
    return struct.unpack(">I", body[:4])[0] if kind == "R" else pgwire.error_fields(body)["C"]


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_addresses(ruled):
    g = ruled(
        "host all all 127.0.0.2/32 reject\n"
        "host all all 127.0.0.0 255.255.255.252 md5\n"
        "host all all 127.1.0.0/16 scram-sha-256\n"
    )
    for ip, want in (("127.0.0.1", 5), ("127.0.0.2", "28000"), ("127.0.0.3", 5), ("127.0.0.4", "28000"), ("127.1.2.3", 10), ("127.2.0.0", "28000")):
        assert from_address(g, ip) == want, ip


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_a_proxy_tells_the_address_and_makes_nobody_local(ruled):
    g = ruled(
        "host all all 10.0.0.0/8 md5\nhost all all 127.0.0.0/8 trust\nlocal all all trust\nhost all all ::/0 md5\nhost all all all reject\n",
        "proxy_protocol_from = 127.0.0.1, unix",
    )

    def through(header, path=None):
        w = pgwire.Client(path or g.port)
        w.send(header)
        got = asked(w)
        return got if isinstance(got, str) else (got.sqlstate, str(got))

    tcp = b"PROXY TCP4 %s 192.0.2.1 4000 5432\r\n"
    for path in (None, g.socket_path):
        assert through(tcp % b"10.1.2.3", path) == "md5"
        assert through(tcp % b"11.1.2.3", path)[0] == "28000"
        code, told = through(tcp % b"127.0.0.1", path)  # as the header claims
        assert code == "28000" and "on this machine" in told
        assert through(b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 5432\r\n", path) == "md5"
    assert through(b"PROXY UNKNOWN\r\n", g.socket_path)[0] == "28000", "it is no address, and on no socket of its own"


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hba")
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, 0o755)
    owner = harness.unprivileged()[0]
    ca = certs.Authority(str(folder), "hba-ca")
    return ca, ca.issue("door", owner.pw_uid if owner else None)


def tls_lines(paper, more=("client_tls = allow",)):
    ca, (crt, key) = paper
    return [*more, f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}", f"client_tls_ca_file = {ca.crt}"]


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_rules_see_the_connection_after_its_handshake(ruled, paper):
    g = ruled("hostnossl all all 127.0.0.1/32 reject\nhostssl all all 127.0.0.1/32 scram-sha-256\n", *tls_lines(paper))
    assert "no TLS" in rejected(client(g))
    assert client(g, wrap=certs.wrap_client(paper[0])).login().ask("in") == "in"
    # A request that got its N, or was never made, is no TLS.
    w = client(g)
    w.send(pgwire.GSS_REQUEST)
    assert w.take(1) == b"N"
    assert "no TLS" in rejected(w)


@pytest.mark.cve("T-HBA CVE-2026-14681")
def test_certificates_as_a_rule_asks(ruled, paper):
    ca = paper[0]
    own, other = ca.issue("app", None), ca.issue("mallory", None)
    long = ca.issue("long", None, subject="/O=Shop/CN=someone")
    g = ruled(
        "hostssl shop    app    127.0.0.1/32 scram-sha-256 clientcert=verify-full\n"
        "hostssl mapped  all    127.0.0.1/32 cert map=people\n"
        "hostssl bydn    all    127.0.0.1/32 cert map=people clientname=DN\n"
        "hostssl all     all    127.0.0.1/32 md5 clientcert=verify-ca\n",
        *tls_lines(paper),
        tail="[database *]\ncluster = main\nunknown_effects = trust",
        ident='people mallory other\npeople "/^CN=(some)one,O=Shop$" \\1body\n',
    )

    def with_pair(pair, **more):
        return client(g, wrap=certs.wrap_client(ca, pair), **more)

    assert with_pair(own).login().ask("in") == "in"
    assert "certificate authentication failed" in rejected(with_pair(other))
    assert "valid client certificate" in rejected(with_pair(None))
    wrong = with_pair(own)
    wrong.password = "wrong"
    with pytest.raises(pgwire.PgError) as e:
        wrong.authenticate()
    assert e.value.sqlstate == "28P01", "the certificate is needed besides the password, not instead"
    assert asked(with_pair(other, user="other", database="mapped")) == "ok"
    assert "certificate authentication failed" in rejected(with_pair(own, user="app", database="mapped"))
    assert asked(with_pair(long, user="somebody", database="bydn")) == "ok"
    assert "certificate authentication failed" in rejected(with_pair(other, user="other", database="bydn"))
    assert asked(with_pair(long, user="app", database="any")) == "md5", "any name, but a certificate"
    assert "valid client certificate" in rejected(with_pair(None, user="app", database="any"))


def test_reload_brings_new_rules_and_keeps_who_is_in(ruled):
    g = ruled("host all all 127.0.0.1/32 scram-sha-256\n")
    c = client(g).login()
    half = client(g)  # it has been asked already: its rule may go
    half.send_startup()
    scram_asked = half.expect("R")
    g.write("hba.conf", "host gilmok all 127.0.0.1/32 md5\nhost all all 127.0.0.1/32 reject\n")
    g.process.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: isinstance(asked(client(g)), pgwire.PgError), what="the new rules")
    assert c.ask("still in") == "still in"
    assert struct.unpack(">I", scram_asked[:4])[0] == 10
    half.prove_by_scram()
    assert half.expect("R") == struct.pack(">I", 0)
    g.write("hba.conf", "host all all 127.0.0.1/32 magic\n")
    g.process.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: "magic is not a login method" in g.said(), what="the complaint")
    assert isinstance(asked(client(g)), pgwire.PgError), "a file that is wrong changes nothing"
    assert asked(client(g, user="boss", database="gilmok")) == "md5"


# ---- a client's own proof, towards the server ----

SALT = b"toy server salt."


class Prover:
    """A server with `password`; counts the logins that it has let in."""

    def __init__(self, password):
        self.password, self.count = password, 0
        self.server = harness.Server(handler=self.run)

    def run(self, wire):
        wire.read_first()
        scram = pgwire.ScramServer(self.password)
        wire.send(pgwire.auth(10, b"SCRAM-SHA-256\0\0"))
        wire.send(pgwire.auth(11, scram.first(wire.read()[1])))
        final = scram.final(wire.read()[1])
        if final is None:
            wire.send(pgwire.error({"S": "FATAL", "C": "28P01", "M": "wrong password"}))
            raise pgwire.Closed()
        self.count += 1
        wire.send(pgwire.auth(12, final))
        toy = harness.Toy(wire, self.server)
        toy.greet = lambda: wire.send(harness.GREETING)
        toy.run()


@pytest.fixture
def prover():
    p = Prover("secret-of-sam")
    yield p
    p.server.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_clients_proof_opens_connections_on_every_worker(start, prover, workers):
    """More of them than that client's own, after it has gone, and after a reload."""
    users = {"sam": pgwire.scram_verifier("secret-of-sam", salt=SALT)}
    g = start(prover.server, main=[f"workers = {workers}"], database=[*TRUSTS, "pool_size = 12"], users=users)
    sam = {"user": "sam", "password": "secret-of-sam"}
    g.login(**sam).end()
    clients = [g.login(**sam) for _ in range(8)]
    for c in clients:
        c.query("BEGIN")
    assert prover.count >= 8
    assert not g.console("RELOAD").errors
    for c in clients:
        c.query("COMMIT")
    prover.server.drop_all()
    before = prover.count
    for c in clients:
        c.end()
    again = [g.login(**sam) for _ in range(3)]
    for c in again:
        assert c.ask("back") == "back"
    assert prover.count > before
    with pytest.raises(pgwire.PgError) as e:
        g.login(user="sam", password="wrong")
    assert e.value.sqlstate == "28P01"
    assert g.login(**sam).ask("in") == "in", "a wrong password spoils no key"


def test_a_verifier_that_differs_is_named(start, prover):
    users = {"sam": pgwire.scram_verifier("secret-of-sam", salt=b"another salt....")}
    g = start(prover.server, database=TRUSTS, users=users)
    c = g.client(user="sam", password="secret-of-sam")
    c.authenticate()
    error = c.collect().errors[0]
    assert error.sqlstate == "08001" and "has another salt" in str(error)
    assert prover.count == 0
