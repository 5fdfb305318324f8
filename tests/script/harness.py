#!/usr/bin/python3
"""gilmok as a child process, a toy PostgreSQL server to put behind it, and what tests ask about both."""

import os
import pwd
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pgwire

BIN = os.environ.get("GILMOK_BIN", "")
# A hostile or broken peer must be dealt with in this time. A release answers in far less.
REPLY_S = int(os.environ.get("GILMOK_TEST_REPLY_MS", "500")) / 1000
SANITIZER = re.compile(r"(ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer has encountered)")


def release_bin():
    """A build without sanitizers, for questions about memory; None when there is none."""
    named = os.environ.get("GILMOK_RELEASE_BIN")
    beside = [os.path.join(os.path.dirname(BIN), "..", "..", name, "proxy", "gilmok") for name in ("release-tests", "release")]
    for path in [named] if named else [BIN] + beside:
        if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(BIN) - 600:
            continue
        with open(path, "rb") as f:
            if b"__asan_init" not in f.read():
                return path
    return None


def unprivileged():
    """The user that gilmok runs as: the caller, or for root somebody without rights. (user id, command prefix)"""
    if os.geteuid() != 0:
        return None, []
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry, ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--inh-caps=-all", "--"]
    raise RuntimeError("root needs a user postgres or nobody to run gilmok as")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds=5.0, what="the condition"):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        time.sleep(0.01)
    return value


def at_once(count, work, seconds=120.0):
    """work(0) .. work(count - 1) at the same time; the first exception is raised again."""
    failures = []

    def one(i):
        try:
            work(i)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(count)]
    for t in threads:
        t.start()
    end = time.monotonic() + seconds
    for t in threads:
        t.join(max(end - time.monotonic(), 0))
    if failures:
        raise failures[0]
    assert not any(t.is_alive() for t in threads), "a thread hangs"


class Gilmok:
    """One gilmok with the database `shop` on the toy server `port`. Lines are added by section."""

    def __init__(self, server_port, main=(), cluster=(), database=(), tail="", users=None, binary=None, socket=False, only_users=None,
                 files=None, is_started=True, under=()):  # fmt: skip
        """
        `only_users`: these and no others, no administrators; empty: no user file. `files`: more of them, by name. `under`: a
        command that runs gilmok.
        """
        self.binary = binary or BIN
        self.user, self.prefix = unprivileged()
        self.prefix = [*self.prefix, *under]
        self.dir = tempfile.mkdtemp(prefix="gilmok-script-", dir="/var/tmp")
        self.port = free_port()
        self.log = os.path.join(self.dir, "stderr")
        self.conf = os.path.join(self.dir, "gilmok.conf")
        self.users = {"app": "app-password", "other": "other-password", "boss": "boss-password", "stats": "stats-password"}
        self.users.update(users or {})
        if only_users is not None:
            self.users = only_users
        self.write("users.txt", "".join(f'"{n}" "{p}"\n' for n, p in self.users.items()))
        for name, text in (files or {}).items():
            self.write(name, text)
        join = "\n".join
        self.socket_path = f"{self.dir}/.s.PGSQL.{self.port}" if socket else None
        more = f", unix:{self.socket_path}" if socket else ""
        workers = os.environ.get("GILMOK_TEST_WORKERS")
        if workers and not any(line.startswith("workers") for line in main):
            main = [f"workers = {workers}", *main]
        known = "user_file = users.txt\nadmin_users = boss\nstats_users = stats\n"
        if only_users is not None:
            known = "user_file = users.txt\n" if only_users else ""
        self.text = (
            f"[gilmok]\nlisten = 127.0.0.1:{self.port}{more}\n{known}"
            f"{join(main)}\n[cluster main]\nlogin_retry = 5ms\n{join(cluster)}\n"
            f"[node main/a]\nhost = 127.0.0.1\nport = {server_port}\n[database shop]\ncluster = main\n{join(database)}\n{tail}\n"
        )
        self.write("gilmok.conf", self.text)
        os.chmod(self.dir, 0o755)
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        self.process = None
        if not is_started:
            return
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, self.binary, "serve", "-c", self.conf], cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(lambda: self.process.poll() is not None or self.listens(), what="listening")
        assert self.process.poll() is None, self.said()

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            if self.socket_path:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(self.socket_path)
            return True
        except (ConnectionRefusedError, FileNotFoundError):
            return False

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def is_alive(self):
        return self.process.poll() is None

    def rss(self):
        """Resident bytes that are gilmok's own (not of files)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"RssAnon:\s+(\d+) kB", f.read()).group(1)) * 1024

    def client(self, **more):
        return pgwire.Client(self.port, **more)

    def login(self, **more):
        return self.client(**more).login()

    def console(self, sql, user="boss"):
        c = self.login(user=user, password=self.users[user], database="gilmok")
        try:
            return c.query(sql)
        finally:
            c.end()

    def show(self, what, user="boss", **where):
        """The rows of SHOW `what` as dicts, those that have the values of `where`."""
        got = self.console(f"SHOW {what}", user=user)
        if got.errors:
            raise got.errors[0]
        rows = [dict(zip(got.names, r)) for r in got.rows]
        return [r for r in rows if all(r[k] == v for k, v in where.items())]

    def forget(self):
        """One that was not started."""
        shutil.rmtree(self.dir, ignore_errors=True)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(2)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        said = self.said()
        code = self.process.returncode
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not SANITIZER.search(said), said[-6000:]
        shown = [name for name, secret in self.users.items() if len(secret) >= 8 and secret in said]
        assert not shown, f"the secrets of {shown} are in the log"
        assert code == 0, f"gilmok ended with {code}: {said[-3000:]}"


# ---- the toy server ----

PARAMETERS = {
    "server_version": "15.0 (toy)", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
    "TimeZone": "UTC", "integer_datetimes": "on", "standard_conforming_strings": "on", "application_name": "",
}  # fmt: skip
GREETING = (
    pgwire.auth(0)
    + b"".join(pgwire.parameter(k, v) for k, v in PARAMETERS.items())
    + pgwire.message("K", struct.pack(">II", 7, 9))
    + pgwire.ready()
)


class Toy:
    """One connection to a server that answers every query with the query's own text, so that a foreign row shows."""

    def __init__(self, wire, server):
        self.w, self.server = wire, server
        self.status, self.failed = "I", False
        self.statements, self.portals = {}, {}
        self.out = b""

    def run(self):
        self.greet()
        while True:
            kind, body = self.w.read()
            if not is_own(kind, body):
                self.server.seen.append(kind)
            if kind == "X":
                return
            self.take(kind, body)
            if kind in "QFSH" or len(self.out) > 1 << 16:
                self.flush()

    def flush(self):
        out, self.out = self.out, b""
        self.w.send(out)

    def greet(self):
        self.startup = self.w.read_first()
        if self.server.password:
            scram = pgwire.ScramServer(self.server.password)
            self.w.send(pgwire.auth(10, b"SCRAM-SHA-256\0\0"))
            self.w.send(pgwire.auth(11, scram.first(self.w.read()[1])))
            final = scram.final(self.w.read()[1])
            if final is None:
                self.w.send(pgwire.error({"S": "FATAL", "C": "28P01", "M": "wrong password"}))
                raise pgwire.Closed()
            self.w.send(pgwire.auth(12, final))
        self.w.send(GREETING)

    def take(self, kind, body):
        if kind == "Q":
            self.simple(body[:-1].decode("utf-8", "replace"))
            self.failed = False  # only an extended query's error makes the server wait for a Sync
            self.out += pgwire.ready(self.status)
        elif kind == "F":
            self.out += pgwire.message("V", b"\xff\xff\xff\xff") + pgwire.ready(self.status)
        elif kind == "S":
            self.failed = False
            self.out += pgwire.ready(self.status)
        elif kind in "dcfH" or self.failed:
            pass
        else:
            self.extended(kind, body)

    def fail(self, sqlstate, text):
        self.failed = True
        if self.status == "T":
            self.status = "E"
        self.out += pgwire.error({"S": "ERROR", "V": "ERROR", "C": sqlstate, "M": text})

    def simple(self, sql):
        word = sql.split(" ")[0]
        if sql == "":
            self.out += pgwire.message("I")
        elif sql.startswith(CATALOG):
            self.out += no_code()
        elif sql.startswith(FACTS):
            self.out += pgwire.complete("COMMIT")
        elif word in ("BEGIN", "COMMIT", "ROLLBACK"):
            self.status = "T" if word == "BEGIN" else "I"
            self.out += pgwire.complete(word)
        elif sql.startswith(LOOK):
            self.out += nothing_left()
        elif word == "FAIL":
            self.fail(sql.split(" ")[1], "as you wish")
        elif word == "SLEEP":
            time.sleep(float(sql.split(" ")[1]))
            self.row(sql)
        elif sql.startswith("select pg_sleep("):
            time.sleep(float(sql.split("(")[1].rstrip(")")))
            self.row(sql)
        elif word == "SET":
            value = sql.split("'")[1] if "'" in sql else ""
            if "application_name" in sql:
                self.out += pgwire.parameter("application_name", value)
            self.out += pgwire.complete("SET")
        elif word == "DISCARD":
            self.statements.clear()
            self.out += pgwire.complete(sql)
        elif word == "COPYIN":
            self.copy_in()
        elif word == "COPYOUT":
            self.out += pgwire.message("H", struct.pack(">BHH", 0, 1, 0))
            self.out += pgwire.message("d", (sql + "\n").encode()) * 3 + pgwire.message("c") + pgwire.complete("COPY 3")
        elif word == "BIG":
            self.big(int(sql.split(" ")[1]), int(sql.split(" ")[2]))
        else:
            self.row(sql)

    def row(self, text):
        self.out += pgwire.row_description() + pgwire.data_row([text.encode()]) + pgwire.complete("SELECT 1")

    def big(self, count, size):
        """`count` rows of `size` bytes each, never more than a piece of one in memory."""
        self.out += pgwire.row_description()
        self.flush()
        piece = b"x" * min(size, 1 << 20)
        for _ in range(count):
            self.w.send(b"D" + struct.pack(">IHI", 10 + size, 1, size))
            for _ in range(size // len(piece)):
                self.w.send(piece)
            self.w.send(piece[: size % len(piece)])
        self.out += pgwire.complete(f"SELECT {count}")

    def copy_in(self):
        self.out += pgwire.message("G", struct.pack(">BHH", 0, 1, 0))
        self.flush()
        count = 0
        while True:
            kind, _ = self.w.read()
            if kind == "d":
                count += 1
            elif kind == "c":
                self.out += pgwire.complete(f"COPY {count}")
                return
            elif kind == "f":
                self.fail("57014", "COPY failed")
                return
            elif kind not in "SH":
                self.server.faults.append(f"{kind} during COPY")
                self.fail("08P01", "unexpected message during COPY")
                return

    def extended(self, kind, body):
        names = body.split(b"\0")
        if len(names) < (3 if kind in "PB" else 2):
            self.fail("08P01", "malformed message")
        elif kind == "P":
            self.statements[names[0]] = names[1].decode()
            self.out += pgwire.message("1")
        elif kind == "B":
            if names[1] not in self.statements:
                self.fail("26000", "statement does not exist")
                return
            self.portals[names[0]] = self.statements[names[1]]
            self.out += pgwire.message("2")
        elif kind == "D":
            known = self.statements if body[:1] == b"S" else self.portals
            if names[0][1:] not in known:
                self.fail("26000" if body[:1] == b"S" else "34000", "does not exist")
                return
            self.out += (pgwire.message("t", b"\0\0") if body[:1] == b"S" else b"") + pgwire.row_description()
        elif kind == "E":
            text = self.portals.get(names[0])
            if text is None:
                self.fail("34000", "portal does not exist")
            else:
                self.out += pgwire.data_row([text.encode()]) + pgwire.complete("SELECT 1")
        elif kind == "C":
            if body[:1] == b"S":
                self.statements.pop(names[0][1:], None)
            self.out += pgwire.message("3")
        else:
            self.server.faults.append(f"message {kind!r}")
            self.fail("08P01", f"toy does not know {kind!r}")


# gilmok looks at what a statement has left in the session: what is said here is not SQL, so it looks after all of it.
LOOK = "SELECT CASE WHEN l.setting "


# And it reads what code the database has: none. Where it splits reads from writes it asks what they do, behind that.
CATALOG = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SET LOCAL search_path"
FACTS = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SET LOCAL client_encoding"


def is_own(kind, body):
    return kind == "Q" and body.startswith((LOOK.encode(), CATALOG.encode(), FACTS.encode()))


def no_code():
    return pgwire.data_row([b"digest", b"0", b"", b""]) + pgwire.complete("SELECT 1")


def nothing_left():
    return pgwire.row_description() + pgwire.data_row([b"role", b"none"]) + pgwire.complete("SELECT 1")


class Server:
    """Listens; each connection runs `handler(wire)` in a thread of its own, by default a Toy."""

    def __init__(self, password=None, handler=None):
        self.password, self.handler = password, handler
        self.accepted, self.seen, self.faults, self.wires = 0, [], [], []
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            wire = pgwire.Wire(sock, timeout=60)
            self.wires.append(wire)
            threading.Thread(target=self.serve, args=(wire,), daemon=True).start()

    def serve(self, wire):
        try:
            (self.handler or (lambda w: Toy(w, self).run()))(wire)
        except (pgwire.Closed, OSError):
            pass
        wire.is_ended = True
        wire.end()

    def drop_all(self):
        """Ends every connection there is, once gilmok has looked at what its client has left."""
        time.sleep(0.03)
        self.drop_all_now()

    def drop_all_now(self):
        for wire in self.wires:
            try:
                wire.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.wires.clear()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept(), which would keep the port open
        except OSError:
            pass
        self.sock.close()
        self.drop_all()


class Bystander:
    """A client that goes on querying while others misbehave; tells how long its answers took."""

    def __init__(self, gilmok):
        self.client = gilmok.login(timeout=20)
        self.times, self.trouble, self.is_over = [], None, False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        number = 0
        try:
            while not self.is_over or number < 5:
                number += 1
                start = time.monotonic()
                text = f"bystander {number}"
                got = self.client.ask(text)
                assert got == text, f"foreign row: {got!r}"
                self.times.append(time.monotonic() - start)
                time.sleep(0.002)
        except Exception as e:  # told by the main thread
            self.trouble = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *failure):
        self.is_over = True
        self.thread.join(20)
        self.client.end()
        if failure[0] is None:
            assert self.trouble is None, f"the bystander met {self.trouble!r}"
            worst = sorted(self.times)[int(len(self.times) * 0.99)]
            assert worst < REPLY_S, f"the bystander's answers took {worst:.3f} s"
