#!/usr/bin/python3
"""Whose files gilmok reads, whose its own are, as whom it runs and who may speak to it, as far as nothing else is asked for."""

import os
import re
import shutil
import stat
import subprocess

import harness
import pgwire
import pytest

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


def run(g, command, conf="gilmok.conf", prefix=None):
    """(exit status, what it says)"""
    words = [*(g.prefix if prefix is None else prefix), g.binary, command, "-c", os.path.join(g.dir, conf)]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, timeout=10, check=False)
    return done.returncode, done.stdout + done.stderr


def uid_of(name):
    import pwd

    return pwd.getpwnam(name).pw_uid


# ---- the files that it reads ----


@pytest.fixture(scope="module")
def keeper(server):
    """A gilmok with a user file and a password file; further configurations are checked beside it."""
    account = ["server_user = app", "server_password_file = password.txt"]

    class Keeper(harness.Gilmok):
        def write(self, name, text):
            super().write(name, text)
            if name == "users.txt":
                super().write("password.txt", "app-password\n")

    g = Keeper(server.port, database=account)
    yield g
    g.close()


@pytest.mark.parametrize("name", ["users.txt", "password.txt"])
@pytest.mark.cve("BAR 40 files")
def test_secret_files_that_others_can_use_stop_the_start(keeper, name):
    """Any bit for the group or for others; gilmok says what to run."""
    path = os.path.join(keeper.dir, name)
    try:
        for bit in (0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o077):
            os.chmod(path, 0o600 | bit)
            for command in ("check", "serve"):
                status, said = run(keeper, command)
                assert status == 1 and "holds secrets" in said and f"chmod 600 {path}" in said, (oct(bit), command, said)
            got = keeper.console("RELOAD")
            assert "holds secrets" in str(got.errors[0]), "a reload took it"
    finally:
        os.chmod(path, 0o600)
    for mode in (0o400, 0o600):
        os.chmod(path, mode)
        assert run(keeper, "check")[0] == 0
    assert keeper.console("RELOAD").tags == ["RELOAD"]


@NEEDS_ROOT
@pytest.mark.parametrize("name", ["users.txt", "password.txt"])
@pytest.mark.cve("BAR 40 files")
def test_secret_files_of_somebody_else_stop_the_start(keeper, name):
    path = os.path.join(keeper.dir, name)
    try:
        os.chown(path, uid_of("daemon"), -1)
        for command in ("check", "serve"):
            status, said = run(keeper, command, prefix=[])  # root can read it, and yet
            assert status == 1 and "belongs to another user" in said and "chown" in said, said
            assert run(keeper, command)[0] == 1
    finally:
        os.chown(path, keeper.user.pw_uid if keeper.user else -1, -1)
    assert run(keeper, "check")[0] == 0


@pytest.mark.parametrize("what", ["folder", "pipe", "link", "nothing"])
@pytest.mark.cve("BAR 40 files")
def test_secret_files_that_are_no_files(keeper, what):
    """What a link leads to is judged, and nothing is waited for."""
    path = os.path.join(keeper.dir, "odd")
    if what == "folder":
        os.mkdir(path, 0o700)
    elif what == "pipe":
        os.mkfifo(path, 0o600)
    elif what == "link":
        os.symlink("/etc/passwd", path)
    if what in ("folder", "pipe") and keeper.user:
        os.chown(path, keeper.user.pw_uid, -1)
    keeper.write("odd.conf", keeper.text.replace("password.txt", "odd"))
    try:
        status, said = run(keeper, "check", "odd.conf")
        assert status == 1 and path in said
        assert {"link": "holds secrets", "nothing": "cannot be read"}.get(what, "not a regular file") in said, said
    finally:
        if what != "nothing":
            (os.rmdir if what == "folder" else os.unlink)(path)


@pytest.mark.cve("BAR 40 files")
def test_a_password_in_an_open_configuration_is_warned_of(keeper):
    keeper.write("open.conf", keeper.text.replace("server_password_file = password.txt", "server_password = app-password"))
    path = os.path.join(keeper.dir, "open.conf")
    assert "warning" not in run(keeper, "check", "open.conf")[1]
    os.chmod(path, 0o644)
    status, said = run(keeper, "check", "open.conf")
    assert status == 0 and "warning: server_password stands in a file that everybody can read" in said and f"chmod o-rwx {path}" in said


# ---- its own files ----


def without_umask(folder):
    path = os.path.join(folder, "gilmok")
    with open(path, "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\numask 0\nexec "{harness.BIN}" "$@"\n')
    os.chmod(path, 0o755)
    return path


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.cve("BAR 40 files")
def test_files_that_gilmok_makes_are_its_own(toy, tmp_path):
    """The log and the pid file, with any umask. The socket is for everybody: who comes through it still has to log in."""
    for path in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(path, 0o755)

    class Writing(harness.Gilmok):
        def write(self, name, text):
            super().write(name, text.replace("admin_users", f"log_file = {self.dir}/log\npid_file = {self.dir}/pid\nadmin_users"))

    g = Writing(toy.port, binary=without_umask(str(tmp_path)), socket=True)
    try:
        assert g.login().ask("x") == "x"
        owner = g.user.pw_uid if g.user else os.geteuid()
        for name in ("log", "pid"):
            path = os.path.join(g.dir, name)
            assert mode_of(path) == 0o600 and os.stat(path).st_uid == owner, name
        with open(os.path.join(g.dir, "pid"), encoding="ascii") as f:
            assert f.read() == f"{g.process.pid}\n"
        assert mode_of(g.socket_path) == 0o777
        os.rename(f"{g.dir}/log", f"{g.dir}/log.1")
        assert g.console("RELOAD").tags == ["RELOAD"]
        harness.wait_for(lambda: os.path.exists(f"{g.dir}/log"), what="the new log")
        assert mode_of(f"{g.dir}/log") == 0o600
        left = set(os.listdir(g.dir)) - {"gilmok.conf", "users.txt", "stderr"}
        assert left == {"log", "log.1", "pid", os.path.basename(g.socket_path)}, left
        g.process.send_signal(2)
        assert g.process.wait(10) == 0
        assert not os.path.exists(f"{g.dir}/pid") and not os.path.exists(g.socket_path)
    finally:
        g.close()


# ---- as whom it runs ----


class Root(harness.Gilmok):
    """A gilmok that root starts, and that becomes `user` itself."""

    def __init__(self, *args, **more):
        kept, harness.unprivileged = harness.unprivileged, lambda: (kept()[0], [])
        try:
            super().__init__(*args, **more)
        finally:
            harness.unprivileged = kept


@NEEDS_ROOT
@pytest.mark.cve("BAR 41 rights")
def test_root_is_refused(keeper):
    text = keeper.text.replace(f":{keeper.port}", f":{harness.free_port()}").replace(".txt", "-of-root.txt")
    for name in ("users", "password"):
        shutil.copy(f"{keeper.dir}/{name}.txt", f"{keeper.dir}/{name}-of-root.txt")
        os.chmod(f"{keeper.dir}/{name}-of-root.txt", 0o600)
    for line, word in (("", "does not run as root"), ("user = root\n", "is root"), ("user = nobody-at-all\n", "no system user")):
        keeper.write("root.conf", text.replace("admin_users", f"{line}admin_users"))
        status, said = run(keeper, "serve", "root.conf", prefix=[])
        assert status == 1 and word in said and (line or "user = NAME" in said), said


@NEEDS_ROOT
@pytest.mark.cve("BAR 41 rights")
def test_root_becomes_the_user(toy):
    """For good, with no group and no capability left; its log is the user's, so that a reload opens it again."""
    name = harness.unprivileged()[0].pw_name
    folder = harness.tempfile.mkdtemp(prefix="gilmok-root-", dir="/var/tmp")
    os.chown(folder, uid_of(name), -1)
    g = Root(toy.port, main=[f"user = {name}", f"log_file = {folder}/log", f"pid_file = {folder}/pid", "workers = 2"])
    try:
        assert g.login().ask("x") == "x"
        for task in os.listdir(f"/proc/{g.process.pid}/task"):
            with open(f"/proc/{g.process.pid}/task/{task}/status", encoding="ascii") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            assert set(status["Uid"].split()) == {str(uid_of(name))} and set(status["Gid"].split()) != {"0"}
            assert status["Groups"].strip() == "" and int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert os.stat(f"/proc/{g.process.pid}/environ").st_uid == 0, "its user may look into it"
        assert mode_of(f"{folder}/log") == 0o600 and os.stat(f"{folder}/log").st_uid == uid_of(name)
        assert g.console("RELOAD").tags == ["RELOAD"]
        harness.wait_for(lambda: "reloaded" in open(f"{folder}/log", encoding="utf-8").read(), what="the log of the reload")
        assert "stays where it is" not in open(f"{folder}/log", encoding="utf-8").read() + g.said()
    finally:
        g.close()
        shutil.rmtree(folder)


# ---- who may speak to it ----


def listening(pid):
    """The addresses that a process listens on: `host:port`, both in hexadecimal, and paths of sockets."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}")))
        except FileNotFoundError:
            pass
    found = set()
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/net/{kind}", encoding="ascii") as f:
            rows = [line.split() for line in f][1:]
        found.update(row[1] for row in rows if row[9] in inodes and (row[3] == "0A" or kind.startswith("udp")))
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as f:
        found.update(line.split()[7] for line in f if line.split()[6] in inodes and len(line.split()) > 7)
    return found


@NEEDS_ROOT
@pytest.mark.cve("T-ADM Cure53 2018", "BAR 36 console")
def test_nothing_listens_but_what_the_configuration_names(start, toy):
    """No port for statistics, no debugging socket, no door for other workers."""
    g = start(toy, socket=True, main=["workers = 3"])
    c = g.login()
    assert c.ask("x") == "x"
    assert listening(g.process.pid) == {f"0100007F:{g.port:04X}", g.socket_path}
    c.end()


@pytest.mark.cve("T-ADM Cure53 2018", "BAR 36 console")
def test_the_console_is_nobodys_unless_somebody_is_named(start, toy):
    class Bare(harness.Gilmok):
        def write(self, name, text):
            super().write(name, text.replace("admin_users = boss\nstats_users = stats\n", ""))

    g = Bare(toy.port)
    try:
        for user in ("boss", "stats", "app"):
            for database in ("gilmok", "pgbouncer"):
                c = g.client(user=user, password=g.users[user], database=database)
                c.authenticate()
                assert [e.sqlstate for e in c.collect().errors] == ["42501"], user
                c.end()
        assert g.login().ask("and its databases are there") == "and its databases are there"
    finally:
        g.close()


@pytest.mark.parametrize("line", ["client_auth = trust", "client_auth = password"])
@pytest.mark.parametrize("listen", ["0.0.0.0", "[::]"])
@pytest.mark.cve("T-AUTHMATRIX CVE-2025-46801", "BAR 37 logins")
def test_weak_logins_are_not_for_the_network(keeper, line, listen):
    conf = re.sub(r"listen = 127.0.0.1", f"listen = {listen}", keeper.text).replace("admin_users", f"{line}\nadmin_users")
    keeper.write("wide.conf", conf)
    for command in ("check", "serve"):
        status, said = run(keeper, command, "wide.conf")
        assert status == 1 and line in said, said


@pytest.mark.cve("BAR 37 logins")
def test_clients_are_asked_for_scram_unless_something_else_is_said(start, toy):
    g = start(toy, socket=True)
    for door in (g.port, g.socket_path):
        for user in ("app", "ghost"):
            c = pgwire.Client(door, user=user)
            c.send_startup()
            assert c.expect("R") == b"\0\0\0\x0aSCRAM-SHA-256\0\0"
            c.end()
