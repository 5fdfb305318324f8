#!/usr/bin/python3
"""Every login method with every kind of stored secret and every server: it works, or `gilmok check` refuses it.

The table below is proxy/access/login_fit.h's, told again for five servers: one that asks for SCRAM (with the verifier that gilmok
has, where it has one), for md5, for the password in clear, for nothing, and one where server_user logs in for everybody.

    W  works                C  refused by `gilmok check`
    L  the login ends with an error that says why: only the server knows what it asks for
"""

import os
import pwd
import subprocess

import certs
import directory
import harness
import pgwire
import pytest

SERVERS = ["scram-sha-256", "md5", "password", "nothing", "account"]
SECRETS = ["nothing", "plain", "scram", "md5", "native"]
TABLE = {
    "scram-sha-256": ["CCCCC", "WWWWW", "WLLWW", "CCCCC", "CCCCC"],
    "md5":           ["CCCCC", "WWWWW", "WLLWW", "CWLCW", "CCCCC"],
    "password":      ["CCCCC", "WWWWW", "WLLWW", "CWLCW", "CCCCW"],
    "cert":          ["CCCCW", "WWWWW", "CCCCW", "CWLCC", "CCCCW"],
    "peer":          ["CCCCW", "WWWWW", "CCCCW", "CWLCC", "CCCCW"],
    "trust":         ["LLLWW", "WWWWW", "CCCCW", "CWLCC", "CCCCW"],
    "ldap":          ["CCCCW", "WWWWW", "CCCCW", "CWLCC", "CCCCW"],
    "pam":           ["CCCCW", "WWWWW", "CCCCW", "CWLCC", "CCCCW"],
    "reject":        ["CCCCC", "CCCCC", "CCCCC", "CCCCC", "CCCCC"],
}  # fmt: skip
RULES = {
    "scram-sha-256": "host all all 127.0.0.1/32 scram-sha-256",
    "md5": "host all all 127.0.0.1/32 md5",
    "password": "local all all password",
    "cert": "hostssl all all 127.0.0.1/32 cert map=any",
    "peer": "local all all peer map=any",
    "trust": "host all all 127.0.0.1/32 trust",
    "ldap": 'local all all ldap ldapserver=127.0.0.1 ldapport={port} ldapprefix=uid= ldapsuffix=",ou=people,dc=example"',
    "pam": "local all all pam pamservice=anybody",
    "reject": "host all all all reject",
}
SALT = b"toy server salt."  # of pgwire.ScramServer: verifier and server are the same


def secret_of(kind, user):
    password = f"{user}-password"
    if kind == "native":
        return pgwire.native_hash(password)
    return {"plain": password, "scram": pgwire.scram_verifier(password, salt=SALT), "md5": pgwire.md5_verifier(user, password)}[kind]


class Asker:
    """A server that asks for `method` and knows everybody's password."""

    def __init__(self, method):
        self.method = method
        self.server = harness.Server(handler=self.run)

    def run(self, wire):
        params = wire.read_first()[4:].split(b"\0")
        user = dict(zip(params[::2], params[1::2]))[b"user"].decode()
        password = f"{user}-password"
        if self.method == "scram-sha-256" or self.method == "account":
            scram = pgwire.ScramServer(password)
            wire.send(pgwire.auth(10, b"SCRAM-SHA-256\0\0"))
            wire.send(pgwire.auth(11, scram.first(wire.read()[1])))
            final = scram.final(wire.read()[1])
            self.check(wire, final is not None)
            wire.send(pgwire.auth(12, final))
        elif self.method != "nothing":
            wire.send(pgwire.auth(5, b"salt") if self.method == "md5" else pgwire.auth(3))
            right = pgwire.md5_response(user, password, b"salt") if self.method == "md5" else password
            self.check(wire, wire.read()[1] == pgwire.cstr(right))
        toy = harness.Toy(wire, self.server)
        toy.greet = lambda: wire.send(harness.GREETING)
        toy.run()

    @staticmethod
    def check(wire, is_right):
        if not is_right:
            wire.send(pgwire.error({"S": "FATAL", "C": "28P01", "M": "wrong password"}))
            raise pgwire.Closed()


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """An authority, gilmok's certificate and a client's; the client's name does not matter, the map allows any."""
    folder = tmp_path_factory.mktemp("matrix")
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, 0o755)
    owner = harness.unprivileged()[0]
    ca = certs.Authority(str(folder), "matrix-ca")
    (folder / "anybody").write_text("auth required pam_permit.so\naccount required pam_permit.so\n")
    return ca, ca.issue("door", owner.pw_uid if owner else None), ca.issue("somebody", None)


@pytest.fixture(scope="module")
def ldap():
    """It knows everybody's password."""
    d = directory.Directory({s: f"{s}-password" for s in SECRETS}, {})
    yield d
    d.close()


def lines_for(method, asked, paper):
    """Of [gilmok], [cluster] and [database]."""
    ca, door, _ = paper
    main = ["hba_file = hba.conf", "ident_file = ident.conf", f"pam_directory = {os.path.dirname(ca.crt)}"]
    if method == "cert":
        main += ["client_tls = allow", f"client_tls_cert_file = {door[0]}", f"client_tls_key_file = {door[1]}", f"client_tls_ca_file = {ca.crt}"]
    cluster = [f"server_auth = {asked}"] if asked in ("scram-sha-256", "md5", "password") else []
    database = ["unknown_effects = trust"]
    if asked == "account":
        database += ["server_user = account", "server_password = account-password"]
    return main, cluster, database


def files_for(method, directory):
    me = pwd.getpwuid(os.geteuid()).pw_name
    return {"hba.conf": RULES[method].format(port=directory.port) + "\n", "ident.conf": f"any {me} all\nany somebody all\n"}


def checked(method, secret, asked, paper, ldap):
    """What `gilmok check` says to one user with that secret: None when it is right."""
    main, cluster, database = lines_for(method, asked, paper)
    users = {"alone": secret_of(secret, "alone")} if secret != "nothing" else {}
    g = harness.Gilmok(1, main=main, cluster=cluster, database=database, only_users=users, files=files_for(method, ldap), socket=True,
                       is_started=False)  # fmt: skip
    try:
        got = subprocess.run([*g.prefix, g.binary, "check", "-c", g.conf], capture_output=True, text=True, timeout=20)
        assert not harness.SANITIZER.search(got.stderr), got.stderr
        assert got.returncode in (0, 1)
        return got.stdout if got.returncode else None
    finally:
        g.forget()


def refusal(client):
    """How its login ends, with or without a proof in between."""
    try:
        client.authenticate()
        return client.collect().errors[0]
    except pgwire.PgError as e:
        return e


@pytest.mark.cve("T-AUTHMATRIX CVE-2025-46801")
@pytest.mark.parametrize("method", list(TABLE))
def test_what_check_refuses(method, paper, ldap):
    for secret, cells in zip(SECRETS, TABLE[method]):
        for asked, cell in zip(SERVERS, cells):
            said = checked(method, secret, asked, paper, ldap)
            is_refused = said is not None
            if method == "reject":  # a rule for nobody is right as it stands
                assert not is_refused or "reject" not in said
                continue
            assert is_refused == (cell == "C"), f"{method}, {secret}, {asked}: {said}"
            assert not is_refused or ": error: " in said


@pytest.mark.cve("T-AUTHMATRIX CVE-2025-46801")
@pytest.mark.parametrize("asked", SERVERS)
@pytest.mark.parametrize("method", [m for m in TABLE if m != "reject"])
def test_what_works(method, asked, paper, ldap):
    cells = {secret: row[SERVERS.index(asked)] for secret, row in zip(SECRETS, TABLE[method])}
    users = {s: secret_of(s, s) for s in SECRETS[1:] if cells[s] != "C"}
    if all(cell == "C" for cell in cells.values()):
        pytest.skip("all of it is refused by `gilmok check`")
    main, cluster, database = lines_for(method, asked, paper)
    asker = Asker(asked)
    g = harness.Gilmok(asker.server.port, main=main, cluster=cluster, database=database, only_users=users, files=files_for(method, ldap),
                       socket=True)  # fmt: skip
    try:
        for secret, cell in cells.items():
            if cell == "C":
                continue
            c = pgwire.Client(
                g.socket_path if method in ("password", "peer", "ldap", "pam") else g.port,
                user=secret,
                password=f"{secret}-password",
                wrap=certs.wrap_client(paper[0], paper[2]) if method == "cert" else None,
            )
            if cell == "W":
                assert c.login().ask("in") == "in", (method, secret, asked)
            else:
                error = refusal(c)
                assert error.sqlstate == "08001" and "it asks for" in str(error), (method, secret, asked, error)
            c.end()
    finally:
        g.close()
        asker.server.close()


def test_rejected_is_everybody(start, toy):
    g = start(toy, main=["hba_file = hba.conf"], files={"hba.conf": RULES["reject"] + "\n"})
    for user in ("app", "nobody-there"):
        with pytest.raises(pgwire.PgError) as e:
            g.client(user=user).authenticate()
        assert e.value.sqlstate == "28000" and "hba_file rejects" in str(e.value)
