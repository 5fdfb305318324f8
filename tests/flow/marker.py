#!/usr/bin/python3
"""Whose row is this? Every row carries its client and query; pools of one to four, one to four workers, random
pipelines, cancels, timeouts, and clients and servers that die at random bytes. Not one row, and not one cancel, may reach
another client.

An ordinary run takes some ten thousand replies; `tests/marker` runs a million."""

import multiprocessing
import os
import random
import socket
import struct
import time

import psycopg
import pytest

import harness
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, superuser
from pgwire import FLUSH, SYNC, bind, describe, execute, parse, query

REPLIES = int(os.environ.get("GILMOK_MARKER_REPLIES", "16000"))
CANCELS = int(os.environ.get("GILMOK_MARKER_CANCELS", "400"))
SEED = int(os.environ.get("GILMOK_MARKER_SEED", "0")) or None
CLIENTS_A_PROCESS = 6


class Foreign(Exception):
    """The one thing that must not happen."""


class Budget:
    """A socket that dies once so many bytes have been sent."""

    def __init__(self, sock, left):
        self.sock, self.left = sock, left

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def sendall(self, data):
        part = data[: self.left]
        self.left -= len(part)
        self.sock.sendall(part)
        if not self.left:
            pgwire.Wire(self.sock).end(reset=random.random() < 0.5)
            raise pgwire.Closed()


class Worker:
    """One client: sends exchanges whose rows it can tell from all others, and reads what comes back."""

    def __init__(self, port, name, chance):
        self.port, self.name, self.chance = port, name, chance
        self.number = self.replies = self.cancelled = 0
        self.client = self.named = None

    def connect(self):
        lifetime = self.chance.choice((None, None, self.chance.randrange(400, 6000)))
        wrap = (lambda sock: Budget(sock, lifetime)) if lifetime else None
        self.client = pgwire.Client(self.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, timeout=20, wrap=wrap,
                                    version=self.chance.choice((0x30000, 0x30002)))  # fmt: skip
        self.client.login()
        self.named = set()

    def marker(self):
        self.number += 1
        return f"{self.name}/{self.number}"

    def statement(self, marker):
        """SQL that returns the marker in one or several rows."""
        return self.chance.choice((
            f"select '{marker}'",
            f"select '{marker}' from generate_series(1, {self.chance.randrange(1, 6)})",
            f"select '{marker}', repeat('x', {self.chance.choice((10, 3000, 40000))})",
            f"select '{marker}' from pg_sleep({self.chance.choice((0, 0.001, 0.003))})",
        ))  # fmt: skip

    def exchange(self):
        """(bytes, markers in the order of their replies, groups)"""
        kind = self.chance.randrange(8)
        marks = [self.marker() for _ in range(self.chance.randrange(1, 5))]
        if kind == 0:
            return query("; ".join(self.statement(m) for m in marks)), marks, 1
        if kind == 1:
            return b"".join(query(self.statement(m)) for m in marks), marks, len(marks)
        if kind == 2:
            body = b"".join(parse(self.statement(m)) + bind() + describe("P") + execute() for m in marks)
            return body + SYNC, marks, 1
        if kind == 3:
            return b"".join(parse(self.statement(m)) + bind() + execute() + FLUSH + SYNC for m in marks), marks, len(marks)
        if kind == 4:
            name = f"s{self.chance.randrange(8)}"
            head = b"" if name in self.named else parse("select $1::text", name)
            self.named.add(name)
            return head + b"".join(bind([m.encode()], name=name) + execute() for m in marks) + SYNC, marks, 1
        if kind == 5:
            inside = b"".join(query(self.statement(m)) for m in marks)
            return query("begin") + inside + query("commit"), marks, len(marks) + 2
        if kind == 6:
            return self.unnamed_in_turns(marks)
        broken = parse(self.statement(marks[0])) + bind() + execute() + parse("selec") + bind() + execute()
        return broken + SYNC + query(self.statement(marks[0])), [marks[0], marks[0]], 2

    def unnamed_in_turns(self, marks):
        """Parses one after the other, each in an exchange of its own and perhaps on a connection of its own: only the last one counts."""
        for m in marks:
            self.client.send(parse(self.statement(m)) + (describe("S") if self.chance.random() < 0.5 else b"") + SYNC)
            got = self.client.collect()
            self.replies += 1
            if got.errors and got.errors[-1].severity == "FATAL":
                raise pgwire.Closed()
        return bind() + execute() + SYNC, marks[-1:], 1

    def check(self, rows, marks):
        allowed = iter(marks)
        now = None
        for row in rows:
            while row[0] != now:
                now = next(allowed, None)
                if now is None:
                    raise Foreign(f"{self.name} got {row[0][:60]!r}, and waited for {marks}")
            if len(row) > 1 and set(row[1]) - {"x"}:
                raise Foreign(f"{self.name} got another row's tail")

    def step(self):
        data, marks, groups = self.exchange()
        asked = self.chance.random() < 0.03
        self.client.send(data)
        if asked:
            self.cancel()
        rows, errors = [], []
        for _ in range(groups):
            got = self.client.collect()
            rows += got.rows
            errors += got.errors
            self.replies += 1
            if got.errors and got.errors[-1].severity == "FATAL":
                self.check(rows, marks)
                raise pgwire.Closed()
        self.check(rows, marks)
        for e in errors:
            if e.sqlstate == "57014" and not asked and "query_timeout" not in str(e):
                raise Foreign(f"{self.name} was cancelled by somebody else")
            if e.sqlstate in ("26000", "42P05"):
                self.named.clear()
        if asked:  # a cancel may come late: it is over when its connection is closed, and nothing was in flight then
            self.client.send(query("rollback"))
            self.client.collect()

    def cancel(self):
        w = pgwire.Wire(socket.create_connection(("127.0.0.1", self.port)), timeout=20)
        w.send(struct.pack(">II", 8 + len(self.client.key), 80877102) + self.client.key)
        try:
            w.read_to_end()
        except pgwire.Closed:
            pass
        w.end()
        self.cancelled += 1


def work(port, first, count, goal, seed, report):
    """One process: several clients take turns."""
    chance = random.Random(seed)
    random.seed(seed)
    workers = [Worker(port, f"{first + i}", chance) for i in range(count)]
    trouble = None
    try:
        while sum(w.replies for w in workers) < goal:
            w = chance.choice(workers)
            try:
                if not w.client:
                    w.connect()
                w.step()
                if chance.random() < 0.005:
                    w.client.end(reset=chance.random() < 0.5)
                    w.client = None
            except (pgwire.Closed, pgwire.PgError, ConnectionError, BrokenPipeError):
                w.client = None  # killed, timed out, or dead by its own hand
    except Foreign as e:
        trouble = str(e)
    except BaseException as e:  # a stuck client is a finding too
        trouble = f"{type(e).__name__}: {e}"
    report.put((sum(w.replies for w in workers), sum(w.cancelled for w in workers), trouble))


def kill_servers(goal_s, stop):
    end = time.monotonic() + goal_s
    with superuser() as su:
        su.autocommit = True
        while time.monotonic() < end and not stop.is_set():
            su.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s order by random() limit 1", (APP_USER,))
            time.sleep(0.15)


@pytest.mark.parametrize("pool_size, workers", [(1, 1), (2, 2), (4, 4), (3, 2), (16, 4)])
@pytest.mark.cve("T-MARK PgBouncer #141")
def test_no_foreign_row(start, pool_size, workers):
    seed = SEED or random.randrange(1 << 30)
    g = start(pool_size=pool_size, main=[f"workers = {workers}"], database=["query_timeout = 5s", "idle_transaction_timeout = 5s"])
    goal = REPLIES // 5 // 2
    report, stop = multiprocessing.Queue(), multiprocessing.Event()
    killer = multiprocessing.Process(target=kill_servers, args=(3600, stop), daemon=True)
    processes = [
        multiprocessing.Process(target=work, args=(g.port, k * 100, CLIENTS_A_PROCESS, goal, seed + k, report), daemon=True)
        for k in range(2)
    ]
    killer.start()
    for p in processes:
        p.start()
    results = [report.get(timeout=60 + REPLIES / 100) for _ in processes]
    stop.set()
    for p in [*processes, killer]:
        p.join(20)
    replies, cancels = sum(r[0] for r in results), sum(r[1] for r in results)
    print(f"MARKER pool {pool_size} workers {workers} seed {seed}: {replies} replies, {cancels} cancels")
    assert [r[2] for r in results if r[2]] == [], f"seed {seed}"
    assert replies >= 2 * goal and g.is_alive()
    c = g.login(user=APP_USER, password=APP_PASSWORD, database=APP_DB)
    assert c.ask("select 'alive'") == "alive"
    c.end()


def attack(port, key, count):
    for _ in range(count):
        w = pgwire.Wire(socket.create_connection(("127.0.0.1", port)), timeout=20)
        w.send(struct.pack(">II", 8 + len(key), 80877102) + key)
        try:
            w.read_to_end()
        except pgwire.Closed:
            pass
        w.end()


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.cve("T-CANCEL PgBouncer #717")
def test_no_foreign_cancel(start, workers):
    """An attacker's query ends about when its cancel arrives; the victim shares its only server connection."""
    g = start(pool_size=1, main=[f"workers = {workers}"])
    attacker = pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, timeout=20, version=0x30002).login()
    pairs = CANCELS // 2
    over = multiprocessing.Event()

    def victim(report):
        n = 0
        with psycopg.connect(host="127.0.0.1", port=g.port, user=APP_USER, password=APP_PASSWORD, dbname=APP_DB, autocommit=True) as c:
            while not over.is_set():
                n += 1
                try:
                    got = c.execute("select %s::int from pg_sleep(0.0005)", (n,)).fetchone()[0]
                except psycopg.errors.QueryCanceled:
                    report.put("a foreign cancel")
                    return
                if got != n:
                    report.put("a foreign row")
                    return
        report.put(None)

    report = multiprocessing.Queue()
    process = multiprocessing.Process(target=victim, args=(report,), daemon=True)
    process.start()
    hits = 0
    for n in range(pairs):
        attacker.send(query(f"select pg_sleep({0.0004 * (n % 5)})"))
        time.sleep(0.0003 * (n % 6))
        attack(g.port, attacker.key, 1)
        hits += bool(attacker.collect().errors)
    over.set()
    trouble = report.get(timeout=30)
    process.join(10)
    print(f"MARKER cancels workers {workers}: {pairs} racing pairs, {hits} of them hit their own query")
    assert trouble is None
    attacker.end()
