#!/usr/bin/python3
"""Secrets of every kind are planted, traffic of every kind is run, and then nothing that gilmok shows has one of them: no line of
its log at any level, no SHOW, no word of `gilmok check`, nothing below /proc, no core file."""

import base64
import os
import secrets
import shutil
import signal
import ssl
import struct
import subprocess
import time

import harness
import pgwire
import pytest

SHOWS = (
    "HELP", "POOLS", "POOLS VERBOSE", "CLIENTS", "SERVERS", "SOCKETS", "ACTIVE_SOCKETS", "DATABASES", "USERS", "STATS", "STATS_TOTALS",
    "STATS_AVERAGES", "TOTALS", "CONFIG", "VERSION", "MEM", "LISTS", "PREPARED", "STATE", "PEERS",
)  # fmt: skip


class Planted:
    """Secrets, each with the ways it could be written; what they are for is only for the message of a failed test."""

    def __init__(self):
        self.ways = {}

    def add(self, what, raw):
        text = raw if isinstance(raw, bytes) else raw.encode()
        forms = {text, base64.b64encode(text).rstrip(b"="), text.hex().encode(), text.hex().upper().encode()}
        self.ways.setdefault(what, set()).update(f for f in forms if len(f) >= 6)
        return raw

    def word(self, what):
        return self.add(what, "canary" + secrets.token_hex(12))

    def must_not_be_in(self, data, where):
        if isinstance(data, str):
            data = data.encode("utf-8", "replace")
        found = [what for what, ways in self.ways.items() if any(w in data for w in ways)]
        assert not found, f"{where} has {found}"


def plant_verifiers(planted, user):
    """The keys of a SCRAM verifier, and the md5 of another one."""
    text = pgwire.scram_verifier(planted.word(f"password of {user}"))
    for key in text.split("$")[2].split(":"):
        planted.add(f"key of {user}'s verifier", base64.b64decode(key))
    return text


class Server(harness.Toy):
    """It asks for the password in the way that its database is named for."""

    def greet(self):
        self.startup = self.w.read_first()
        way = self.startup.split(b"database\0")[1].split(b"\0")[0].decode()
        password = self.server.passwords[self.startup.split(b"user\0")[1].split(b"\0")[0].decode()]
        if way in ("by_clear", "refused"):
            self.w.send(pgwire.auth(3))
            assert self.w.read() == ("p", pgwire.cstr(password))
        elif way == "by_md5":
            self.w.send(pgwire.auth(5, b"salt"))
            self.w.read()
        elif way == "by_scram":
            scram = pgwire.ScramServer(password)
            self.w.send(pgwire.auth(10, b"SCRAM-SHA-256\0\0"))
            self.w.send(pgwire.auth(11, scram.first(self.w.read()[1])))
            self.w.send(pgwire.auth(12, scram.final(self.w.read()[1])))
        if way == "refused":
            self.w.send(pgwire.error({"S": "FATAL", "C": "28P01", "M": "no"}))
            raise pgwire.Closed()
        self.w.send(harness.GREETING)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(certificate, key), or None where there is no openssl to make them."""
    if not shutil.which("openssl"):
        return None
    folder = tmp_path_factory.mktemp("planted")
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, 0o755)
    crt, key = str(folder / "door.crt"), str(folder / "door.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=door", "-keyout", key, "-out", crt], check=True, capture_output=True)  # fmt: skip
    os.chmod(key, 0o600)
    user = harness.unprivileged()[0]
    if user:
        os.chown(key, user.pw_uid, -1)
    return crt, key


def start_planted(planted, form, certificate, **more):
    server = harness.Server(handler=lambda w: Server(w, server).run())
    users = {
        "plain": planted.word("password of plain"), "hashed": "", "scrammed": plant_verifiers(planted, "scrammed"),
        "boss": planted.word("password of boss"), "app": planted.word("password of app"), "stats": planted.word("password of stats"),
        "other": planted.word("password of other"),
    }  # fmt: skip
    users["hashed"] = planted.add("md5 verifier", pgwire.md5_verifier("hashed", planted.word("password of hashed")))
    planted.add("md5 verifier", users["hashed"][3:])
    in_file, in_conf = planted.word("server_password_file"), planted.word("server_password")
    server.passwords = {"in_file": in_file, "in_conf": in_conf}
    main = ["log_level = debug", f"log_format = {form}", "client_auth = md5", "client_auth_socket = password"]
    if certificate:
        with open(certificate[1], encoding="ascii") as f:
            for line in f.read().split("\n")[1:-2]:
                planted.add("private key", line)
        main += ["client_tls = allow", f"client_tls_cert_file = {certificate[0]}", f"client_tls_key_file = {certificate[1]}"]
    account = f"server_user = in_conf\nserver_password = {in_conf}\n"
    tail = "".join(f"[database {name}]\ncluster = main\n{account}" for name in ("by_clear", "by_md5", "by_scram", "refused"))
    tail += "[database from_file]\nserver_database = by_scram\nserver_user = in_file\nserver_password_file = password.txt\n"

    class Gilmok(harness.Gilmok):
        def write(self, name, text):
            super().write(name, text)
            if name == "users.txt":
                super().write("password.txt", in_file + "\n")

    g = Gilmok(server.port, main=main, cluster=["server_auth = password"], database=[account], tail=tail, users=users, socket=True, **more)
    g.passwords = {"scrammed": [w for w in planted.ways["password of scrammed"] if w.startswith(b"canary")][0].decode(),
                   "hashed": [w for w in planted.ways["password of hashed"] if w.startswith(b"canary")][0].decode()}  # fmt: skip
    return server, g


def refused(c):
    with pytest.raises((pgwire.PgError, pgwire.Closed)):
        c.login()
    c.end()


def logins(planted, g, certificate):
    """Each method, right and wrong, of people who exist and others; over TCP, TLS and the socket."""
    wrong = planted.word("a wrong password")
    ways = [("shop", g.port, None), ("shop", g.socket_path, None)]
    if certificate:
        context = ssl.create_default_context(cafile=certificate[0])
        context.check_hostname = False

        def wrap(sock):
            sock.sendall(pgwire.SSL_REQUEST)
            assert sock.recv(1) == b"S"
            return context.wrap_socket(sock)

        ways.append(("shop", g.port, wrap))
    for database, door, wrap in ways:
        for user in ("plain", "hashed", "scrammed", "app"):
            password = g.passwords.get(user, g.users[user])
            c = pgwire.Client(door, user=user, password=password, database=database, wrap=wrap).login()
            assert c.ask("in") == "in"
            c.end()
            refused(pgwire.Client(door, user=user, password=wrong, database=database, wrap=wrap))
        refused(pgwire.Client(door, user="ghost", password=wrong, database=database, wrap=wrap))
        refused(pgwire.Client(door, user="app", password=g.users["app"], database="nowhere", wrap=wrap))
    for database in ("by_clear", "by_md5", "by_scram", "from_file"):
        c = g.login(user="app", password=g.users["app"], database=database)
        assert c.ask("in") == "in"
        c.end()
    refused_by_server = g.client(user="app", password=g.users["app"], database="refused")
    refused_by_server.authenticate()
    assert refused_by_server.collect().errors[0].sqlstate == "08001"


def statements(planted, unlogged, g):
    """Values and texts are the clients' own: not one of them is logged. SHOW PREPARED shows texts, SHOW POOLS VERBOSE startup
    parameters, and neither any value."""
    c = g.login(user="app", password=g.users["app"])
    value, text = planted.word("value of a Bind"), planted.word("text of a statement")
    for sql in (f"select '{text}'", f"SET x = '{text}'", f"ALTER ROLE app PASSWORD '{text}'", "FAIL 22012", f"BEGIN; select '{text}'"):
        c.query(sql)
    c.query("ROLLBACK")
    c.send(pgwire.parse("select $1") + pgwire.bind([value.encode()]) + pgwire.execute() + pgwire.SYNC)
    c.collect()
    c.send(pgwire.parse(f"select '{unlogged.word('prepared text')}', $1", "named") + pgwire.bind([value.encode()], name="named") + pgwire.execute() + pgwire.SYNC)
    c.collect()
    c.send(pgwire.query("COPYIN"))
    c.collect(until="G")
    c.send(pgwire.message("d", value.encode() + b"\n") + pgwire.message("f", pgwire.cstr(value)))
    c.collect()
    odd = g.login(user="app", password=g.users["app"], params={"options": f"-c some.secret={unlogged.word('startup parameter')}"})
    odd.query("x")
    odd.end()
    w = g.client()
    w.send(pgwire.startup({"user": "app", "database": "shop"}) + value.encode())  # nonsense
    w.end()
    c.send(pgwire.message("@", value.encode()))
    pgwire.split(c.read_to_end())
    return c


def cancels(planted, g):
    c = g.login(user="app", password=g.users["app"])
    planted.add("cancel key", str(struct.unpack(">I", c.key[4:8])[0]))
    planted.add("cancel key", c.key[4:])
    for key in (c.key, c.key[:4] + b"\0\0\0\0"):
        w = g.client()
        w.send(struct.pack(">II", 8 + len(key), 80877102) + key)
        w.end()
    c.end()


def administration(planted, g):
    """Everything that SHOW shows, to whoever may see it; files that are right and files that are not."""
    for user in ("boss", "stats"):
        for show in SHOWS:
            got = g.console(f"SHOW {show}", user=user)
            assert got.names and not got.errors, show
            planted.must_not_be_in(repr((got.names, got.rows)), f"SHOW {show} of {user}")
    for edit in (
        lambda t: t.replace("server_password =", "server_pasword ="),
        lambda t: t.replace("server_password = ", 'server_password = "'),
        lambda t: t.replace("server_user = in_conf\n", ""),
        lambda t: t + "[database more]\nserver_password = " + planted.word("a password that has no user") + "\n",
        lambda t: t.replace("server_user = in_conf", "server_user = somebody_else"),
        lambda t: t,
    ):
        g.write("gilmok.conf", edit(g.text))
        got = g.console("RELOAD")
        planted.must_not_be_in(repr([e.fields for e in got.errors]), "the error of RELOAD")
        done = subprocess.run([*g.prefix, g.binary, "check", "-c", g.conf], cwd="/", capture_output=True, timeout=10, check=False)
        planted.must_not_be_in(done.stdout + done.stderr, "gilmok check")
    users = "".join(f'"{n}" "{p}"\n' for n, p in g.users.items())
    for text in (users.replace('" "', '" '), users + '"twice" "' + planted.word("a second password") + '" x\n', users[:-2], users):
        g.write("users.txt", text)
        done = subprocess.run([*g.prefix, g.binary, "check", "-c", g.conf], cwd="/", capture_output=True, timeout=10, check=False)
        planted.must_not_be_in(done.stdout + done.stderr, "gilmok check of a wrong user file")
        planted.must_not_be_in(repr([e.fields for e in g.console("RELOAD").errors]), "the error of RELOAD")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.cve("T-CANARY CVE-2023-22332")
def test_nothing_shows_a_secret(certificate, form):
    planted, unlogged = Planted(), Planted()
    server, g = start_planted(planted, form, certificate)
    try:
        logins(planted, g, certificate)
        statements(planted, unlogged, g)
        cancels(planted, g)
        administration(planted, g)
        folder = f"/proc/{g.process.pid}"
        for name in ("cmdline", "environ", "comm", "status", "maps", "limits"):
            try:
                with open(f"{folder}/{name}", "rb") as f:
                    planted.must_not_be_in(f.read(), name)
            except PermissionError:
                pass  # gilmok lets nobody but root look
        time.sleep(0.1)  # the log is written by a thread of its own
        assert len(planted.ways) >= 18 and len(g.said()) > 5000
        planted.must_not_be_in(g.said(), "the log")
        unlogged.must_not_be_in(g.said(), "the log")
    finally:
        g.close()
        server.close()
    with pytest.raises(AssertionError, match="value of a Bind"):
        planted.must_not_be_in(sorted(planted.ways["value of a Bind"])[0], "what has one")


# ---- memory, once it is nobody's any more ----


def in_a_folder(folder, program, *args):
    """A program that may leave a core file in the folder: the command."""
    path = os.path.join(folder, "run")
    with open(path, "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\ncd "{folder}"\nulimit -c unlimited\nexec "{program}" {" ".join(args)} "$@"\n')
    os.chmod(path, 0o755)
    return path


def aborted(pid):
    """Whether it left a core file behind."""
    os.kill(pid, signal.SIGABRT)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT, status
    return os.WCOREDUMP(status)


@pytest.mark.cve("T-CANARY CVE-2023-22332")
def test_a_crash_leaves_no_core_file(toy, tmp_path, monkeypatch):
    """Neither may another process of its user look into gilmok: that would be as good."""
    user, prefix = harness.unprivileged()
    for path in (tmp_path, *tmp_path.parents[:3]):
        os.chmod(path, 0o755)
    os.chmod(tmp_path, 0o777)
    sleeper = subprocess.Popen([*prefix, in_a_folder(str(tmp_path), "/bin/sleep", "10")])
    harness.wait_for(lambda: os.path.basename(os.readlink(f"/proc/{sleeper.pid}/exe")) not in ("setpriv", "sh", "dash", "python3"))
    leaves_cores = aborted(sleeper.pid)
    sleeper.returncode = 0
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":disable_coredump=0")
    g = harness.Gilmok(toy.port, binary=in_a_folder(str(tmp_path), harness.BIN))
    try:
        assert g.login().ask("x") == "x"
        if user:
            assert os.stat(f"/proc/{g.process.pid}/environ").st_uid == 0 != user.pw_uid, "its user may look into it"
        else:
            with pytest.raises(PermissionError), open(f"/proc/{g.process.pid}/environ", "rb"):
                pass
        assert not aborted(g.process.pid), "it left a core file"
        g.process.returncode = 0
        if not leaves_cores:
            pytest.skip("no program leaves a core file on this machine")
    finally:
        g.close()
