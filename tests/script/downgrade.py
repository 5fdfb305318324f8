#!/usr/bin/python3
"""What a server may ask for before it hears a password: never more than server_auth allows, never twice, never in clear far away."""

import struct

import harness
import pgwire
import pytest

SALT = b"\x01\x00\xffz"
METHODS = ["scram-sha-256", "md5", "password"]


class Asker:
    """A server that asks for `method` (all of its pieces) and knows the password; remembers what it was sent."""

    def __init__(self, method, user="app", password="app-password", again=None):
        self.method, self.user, self.password, self.again, self.heard = method, user, password, again, []
        self.server = harness.Server(handler=self.run)

    def run(self, wire):
        wire.read_first()
        self.prove(wire, self.method)
        if self.again:
            self.prove(wire, self.again)
        toy = harness.Toy(wire, self.server)
        toy.greet = lambda: wire.send(harness.GREETING)
        toy.run()

    def prove(self, wire, method):
        if method == "scram-sha-256":
            scram = pgwire.ScramServer(self.password)
            wire.send(pgwire.auth(10, b"SCRAM-SHA-256\0\0"))
            wire.send(pgwire.auth(11, scram.first(self.hear(wire))))
            wire.send(pgwire.auth(12, scram.final(self.hear(wire))))
            return
        wire.send(pgwire.auth(5, SALT) if method == "md5" else pgwire.auth(3))
        right = pgwire.md5_response(self.user, self.password, SALT) if method == "md5" else self.password
        if self.hear(wire) != pgwire.cstr(right):
            wire.send(pgwire.error({"S": "FATAL", "C": "28P01", "M": "wrong password"}))
            raise pgwire.Closed()

    def hear(self, wire):
        kind, body = wire.read()
        self.heard.append(body)
        assert kind == "p"
        return body


@pytest.fixture
def ask(start):
    """ask(method, ...): what the client hears: None when all is well, or the error."""
    askers = []

    def run(method, *cluster, again=None, asker=None, **more):
        asker = asker or Asker(method, again=again)
        askers.append(asker)
        g = start(asker.server, cluster=list(cluster), **more)
        client = g.client(**({"user": "hashed", "password": "hashed-password"} if "hashed" in g.users else {}))
        try:
            client.authenticate()
            got = client.collect()
            if got.errors:
                assert asker.password not in g.said()
                return asker, got.errors[0]
            assert client.ask("in") == "in"
            return asker, None
        finally:
            client.end()

    yield run
    for a in askers:
        a.server.close()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("allowed", METHODS)
@pytest.mark.cve("T-DOWN rogue server")
def test_what_server_auth_allows(ask, method, allowed):
    asker, error = ask(method, f"server_auth = {allowed}")
    if METHODS.index(method) <= METHODS.index(allowed):
        assert error is None
    else:
        assert error.sqlstate == "08001" and "server_auth" in str(error)
        assert asker.heard == [], "it has heard something"


@pytest.mark.cve("T-DOWN rogue server")
def test_scram_is_all_that_is_allowed_unless_said(ask):
    for method in METHODS[1:]:
        asker, error = ask(method)
        assert error.sqlstate == "08001" and asker.heard == []


@pytest.mark.parametrize("first", METHODS)
@pytest.mark.parametrize("second", METHODS)
@pytest.mark.cve("T-DOWN rogue server")
def test_nobody_proves_twice(ask, first, second):
    """A second request, after a good proof: it would be a way to a weaker one."""
    asker, error = ask(first, "server_auth = password", again=second)
    assert error.sqlstate == "08001" and len(asker.heard) == (2 if first == "scram-sha-256" else 1)


@pytest.mark.cve("T-DOWN rogue server")
def test_an_md5_verifier_answers_md5_alone(ask):
    users = {"hashed": pgwire.md5_verifier("hashed", "hashed-password")}
    for method in METHODS:
        asker = Asker(method, "hashed", "hashed-password")
        asker, error = ask(method, "server_auth = password", asker=asker, users=users, main=["client_auth = md5"])
        assert (error is None) == (method == "md5")
        if error:
            assert "md5 verifier only" in str(error) and asker.heard == []


def test_a_verifier_for_server_user(ask):
    lines = ["server_user = account", "server_password = " + pgwire.md5_verifier("account", "hidden")]
    assert ask("md5", "server_auth = md5", asker=Asker("md5", "account", "hidden"), database=lines)[1] is None


@pytest.mark.parametrize("salt", [b"", b"abc", b"abcde"])
def test_salts_of_a_wrong_length(start, salt):
    def run(wire):
        wire.read_first()
        wire.send(pgwire.message("R", struct.pack(">I", 5) + salt))
        heard.append(wire.read())

    heard = []
    server = harness.Server(handler=run)
    c = start(server, cluster=["server_auth = md5"]).client()
    c.authenticate()
    assert c.collect().errors[0].sqlstate == "08001" and heard == []
    server.close()


@pytest.mark.cve("T-DOWN rogue server")
def test_ok_before_the_password_is_asked_for_is_no_proof_of_scram(ask):
    """A good SCRAM exchange that ends without the server's signature, although weaker methods are allowed."""
    class Forgetful(Asker):
        def prove(self, wire, method):
            scram = pgwire.ScramServer(self.password)
            wire.send(pgwire.auth(10, b"SCRAM-SHA-256\0\0"))
            wire.send(pgwire.auth(11, scram.first(self.hear(wire))))
            self.hear(wire)

    assert ask("scram-sha-256", "server_auth = password", asker=Forgetful("scram-sha-256"))[1].sqlstate == "08001"
