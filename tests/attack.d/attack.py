#!/usr/bin/python3
"""What an honest client notices of attacks; tests/attack runs it, README.md tells what each attack does."""

import multiprocessing
import os
import select
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "script")]

import harness  # noqa: E402
import pgwire  # noqa: E402

SECONDS = float(os.environ.get("ATTACK_SECONDS", "10"))
RATE = 200  # questions a second
BAR = 3.0
USER, PASSWORD, DATABASE = (os.environ.get(k, "") for k in ("APP_USER", "APP_PASSWORD", "APP_DB"))


def client(port, **more):
    return pgwire.Client(port, **{"user": USER, "password": PASSWORD, "database": DATABASE, "timeout": 30, **more})


# ---- the honest client ----


def honest(port, seconds, results):
    """Times of questions and of logins, in milliseconds."""
    c = client(port).login()
    c.query("select 1")
    asked, logins = [], []
    begin = time.monotonic()
    last_login = begin
    for i in range(int(seconds * RATE)):
        due = begin + i / RATE
        time.sleep(max(0, due - time.monotonic()))
        at = time.monotonic()
        assert c.ask("select 1") == "1"
        asked.append(1000 * (time.monotonic() - at))
        if at - last_login > 0.5:
            last_login = time.monotonic()
            client(port).login().end()
            logins.append(1000 * (time.monotonic() - last_login))
    c.end()
    results.put((asked, logins))


def watch(port, seconds):
    results = multiprocessing.Queue()
    p = multiprocessing.Process(target=honest, args=(port, seconds, results), daemon=True)
    p.start()
    try:
        got = results.get(timeout=seconds + 60)
    finally:
        p.join(10)
        if p.is_alive():
            p.kill()
    return got


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


# ---- attacks: each runs in a process of its own until it is ended ----


def loris(port, count=5000):
    packet = pgwire.startup({"user": USER, "database": DATABASE, "padding": "x" * 500})
    socks = {}
    at, room = 0, count  # at first as fast as it goes, then five hundred new ones a second
    while True:
        for _ in range(min(room, count - len(socks))):
            try:
                s = socket.create_connection(("127.0.0.1", port), timeout=5)
            except OSError:
                break
            s.setblocking(False)
            socks[s.fileno()] = (s, 1)
        poll = select.poll()
        for fd in socks:
            poll.register(fd, select.POLLIN | select.POLLHUP)
        for fd, _ in poll.poll(0):
            socks.pop(fd)[0].close()  # it was shown the door, and comes again
        for fd in list(socks)[at : at + count // 50]:
            s, sent = socks[fd]
            try:
                s.send(packet[sent : sent + 1])
                socks[fd] = (s, sent + 1)
            except OSError:
                socks.pop(fd)[0].close()
        at, room = 0 if at >= len(socks) else at + count // 50, 100
        time.sleep(0.2)


def paced(rate, work):
    begin, n = time.monotonic(), 0
    while True:
        n += 1
        time.sleep(max(0, begin + n / rate - time.monotonic()))
        try:
            work(n)
        except (pgwire.Closed, pgwire.PgError, OSError, AssertionError):
            pass


def logins(port):
    def one(_):
        c = client(port).login()
        c.ask("select 2")
        c.end()

    paced(300, one)


def wrong(port):
    def one(n):
        client(port, **({"password": "wrong"} if n % 2 else {"user": f"ghost{n}"})).login()

    paced(300, one)


def stream(port):
    while True:
        c = client(port, timeout=60).login()
        c.send(pgwire.query("select repeat('x', 1048576) from generate_series(1, 1024)"))
        left = 1 << 30
        while left > 0:
            left -= len(c.sock.recv(1 << 20)) or left
        c.end()


def upload(port):
    piece = b"d" + struct.pack(">I", 4 + (1 << 20)) + (b"x" * 1023 + b"\n") * 1024
    while True:
        c = client(port, timeout=60).login()
        c.query("create temp table if not exists upload (line text)")
        c.send(pgwire.query("begin; truncate upload; copy upload from stdin"))
        while c.read()[0] != "G":
            pass
        for _ in range(1024):
            c.send(piece)
        c.send(pgwire.message("f", b"enough\0") + pgwire.query("rollback"))
        time.sleep(0.5)
        c.end()


def huge(port):
    def one(n):
        c = client(port).login() if n % 2 else client(port)
        head = b"" if n % 2 == 0 else b"Q"
        c.send(head + struct.pack(">I", 0xFFFFFFFF if n % 4 < 2 else 40 + n % 9) + b"x" * 65536)
        c.read_to_end()

    paced(10, one)


def requests(port):
    def one(_):
        while True:
            try:
                s = socket.create_connection(("127.0.0.1", port), timeout=5)
                s.sendall((pgwire.SSL_REQUEST + pgwire.GSS_REQUEST) * 8)
                while s.recv(1 << 16):
                    pass
            except OSError:
                pass

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(10)]
    for t in threads:
        t.start()
    threads[0].join()


def iterations(port):
    def one(_):
        c = client(port, database="rogue")
        c.authenticate()
        c.collect()

    paced(50, one)


def rogue_server():
    def run(wire):
        wire.read_first()
        wire.send(pgwire.auth(10, b"SCRAM-SHA-256\0\0"))
        first = wire.read()[1]
        nonce = first[first.index(b"r=") + 2 :].decode() + "more"
        wire.send(pgwire.auth(11, f"r={nonce},s=c2FsdHNhbHQ=,i=2147483648".encode()))
        wire.read()

    return harness.Server(handler=run)


ATTACKS = {
    "loris": (loris, ["max_login_conn = 6000", "login_timeout = 60s"]),
    "loris-default": (loris, []),
    "logins": (logins, []),
    "wrong": (wrong, []),
    "stream": (stream, []),
    "upload": (upload, []),
    "huge": (huge, []),
    "requests": (requests, []),
    "iterations": (iterations, []),
}


class Peer:
    """PgBouncer before the same server, with as many server connections; room for all who attack."""

    def __init__(self, command):
        user, prefix = harness.unprivileged()
        self.dir = tempfile.mkdtemp(prefix="gilmok-peer-", dir="/var/tmp")
        self.port = harness.free_port()
        with open(f"{self.dir}/users.txt", "w", encoding="utf-8") as f:
            f.write(f'"{USER}" "{PASSWORD}"\n')
        with open(f"{self.dir}/peer.ini", "w", encoding="utf-8") as f:
            f.write(
                f"[databases]\n* = host=127.0.0.1 port={os.environ['PRIMARY_PORT']}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {self.dir}/users.txt\n"
                "pool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 10000\nlogfile = /dev/null\n"
            )
        if user:
            for path in (self.dir, f"{self.dir}/users.txt", f"{self.dir}/peer.ini"):
                os.chown(path, user.pw_uid, user.pw_gid)
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([*prefix, *command, f"{self.dir}/peer.ini"], cwd="/", stdin=quiet, stdout=quiet, stderr=quiet)
        harness.wait_for(self.listens, what="the peer listening")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except ConnectionRefusedError:
            return False

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


PEER = shlex.split(os.environ.get("ATTACK_PEER", ""))
# What it says nothing about: its rogue server would be another one, and it holds as many half-open logins as it is told.
NOT_FOR_PEER = {"iterations"}


# Those that are as much work for the server as for gilmok: what the same does to the honest client when it goes past gilmok.
ALSO_PAST = {"stream", "upload"}


def attacked(name):
    """The honest client alone, during the attack, alone again, and during the same attack on the server past gilmok, if any."""
    attack, main = ATTACKS[name]
    rogue = rogue_server()
    tail = f"[cluster rogue]\nlogin_retry = 5ms\n[node rogue/a]\nport = {rogue.port}\n[database rogue]\ncluster = rogue\nserver_user = x\nserver_password = y\n"
    g = harness.Gilmok(
        int(os.environ["PRIMARY_PORT"]),
        main=main,
        database=["pool_size = 20"],
        tail=tail,
        users={USER: PASSWORD},
    )

    def meanwhile(port, honest_port):
        process = multiprocessing.Process(target=lambda: (os.nice(10), attack(port)), daemon=True)
        process.start()
        try:
            time.sleep(2)
            return watch(honest_port, SECONDS)
        finally:
            process.kill()
            process.join(10)
            time.sleep(1)

    try:
        before = watch(g.port, SECONDS)
        during = meanwhile(g.port, g.port)
        after = watch(g.port, SECONDS / 2)
        past = meanwhile(int(os.environ["PRIMARY_PORT"]), g.port) if name in ALSO_PAST else ((), ())
    finally:
        g.close()
        rogue.close()
    peer = Peer(PEER) if PEER and name not in NOT_FOR_PEER else None
    try:
        beside = (watch(peer.port, SECONDS), meanwhile(peer.port, peer.port)) if peer else None
    finally:
        if peer:
            peer.close()
    return before, during, after, past, beside


def compared(before, during):
    p99, p99_during = percentile(before[0], 0.99), percentile(during[0], 0.99)
    return p99, p99_during, p99_during / p99


def main(names):
    if names == ["list"]:
        print("\n".join(ATTACKS))
        return 0
    unknown = [n for n in names if n not in ATTACKS]
    if unknown:
        print(f"no such attack: {', '.join(unknown)}; tests/attack list", file=sys.stderr)
        return 2
    failed = 0
    print("| attack | p50 alone, ms | p99 alone | p99 meanwhile | ratio | p99 afterwards | slowest | logins p50 alone, meanwhile | p99 past gilmok | PgBouncer: p99 alone, meanwhile, ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in names or ATTACKS:
        (asked, logged), (asked2, logged2), (asked3, _), (past, _), beside = attacked(name)
        p99, p99_during = percentile(asked, 0.99), percentile(asked2, 0.99)
        ratio = p99_during / p99
        failed += p99_during > BAR * max(p99, percentile(past, 0.99) if past else 0)
        print(
            f"| {name} | {percentile(asked, 0.5):.2f} | {p99:.2f} | {p99_during:.2f} | {ratio:.2f} | {percentile(asked3, 0.99):.2f} | "
            f"{max(asked2):.1f} | {percentile(logged, 0.5):.1f}, {percentile(logged2, 0.5):.1f} | "
            + (f"{percentile(past, 0.99):.2f} |" if past else "- |")
            + (" {:.2f}, {:.2f}, {:.2f} |".format(*compared(*beside)) if beside else " - |"),
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
