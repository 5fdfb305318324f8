#!/usr/bin/python3
"""A tool run twice: directly in one database, and through gilmok in another one like it, in transaction mode, while other
clients take the same server connections and leave their own settings. What the tool says and does must be the same."""

import os
import random
import re
import subprocess
import threading

import psycopg

import flowtools
import harness

DIRECT, THROUGH = "tool_direct", "tool_gilmok"
OWNER, PASSWORD = flowtools.APP_USER, flowtools.APP_PASSWORD
SUPERUSER, SUPERUSER_PASSWORD = os.environ.get("SUPERUSER_USER", "postgres"), os.environ.get("SUPERUSER_PASSWORD", "")


def gilmok_for_tools(pool_size=3, databases=(THROUGH,)):
    """The databases under their own names, connections handed out in turn."""
    sections = "".join(
        f"[database {name}]\ncluster = main\npool_mode = transaction\npool_size = {pool_size}\nserver_round_robin = on\n" for name in databases
    )
    return harness.Gilmok(flowtools.PRIMARY_PORT, tail=sections, users={OWNER: PASSWORD, SUPERUSER: SUPERUSER_PASSWORD})


def empty_database(name):
    with flowtools.superuser("postgres") as su:
        su.execute(f"drop database if exists {name} with (force)")
        su.execute(f"create database {name} owner {OWNER} template template0")


class Place:
    """Where a tool is sent: a database and the way to it. A second way to the same database is Place(name, PRIMARY_PORT)."""

    def __init__(self, database, port):
        self.database, self.port = database, port

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG") or k == "PG_BIN"}
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": OWNER, "PGPASSWORD": PASSWORD, "PGDATABASE": self.database}
        return {**env, **where, "PGCONNECT_TIMEOUT": "20", **more}

    def url(self, scheme="postgresql"):
        return f"{scheme}://{OWNER}:{PASSWORD}@127.0.0.1:{self.port}/{self.database}"

    def start(self, *command, cwd=None, **more):
        return subprocess.Popen(
            [program(command[0]), *map(str, command[1:])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", errors="surrogateescape", cwd=cwd, env=self.environment(**more),
        )  # fmt: skip

    def finish(self, process, stdin=None, timeout=90):
        """(status, what it said on both channels), without what may differ from place to place."""
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{process.args} in {self.database} hangs: {out[-2000:]} {err[-2000:]}") from None
        return process.returncode, self.plain(out), self.plain(err)

    def run(self, *command, stdin=None, timeout=90, **more):
        return self.finish(self.start(*command, **more), stdin, timeout)

    def must(self, *command, **more):
        status, out, err = self.run(*command, **more)
        assert status == 0, f"{command} in {self.database}: {status}\n{out[-3000:]}\n{err[-3000:]}"
        return out

    def plain(self, text):
        text = re.sub(rf'(port "?|:){self.port}\b', r"\1PORT", text.replace(self.database, "tool_DATABASE"))
        text = re.sub(r"^\\((un)?restrict) \w+$", r"\\\1 KEY", text, flags=re.M)  # a random one in each dump
        text = re.sub(r"^\w{3} \w{3} +\d+ [\d:]{8} \d{4} \(every", "WHEN (every", text, flags=re.M)  # \watch
        text = re.sub(r"(Key \(\w+, \w+\)=\(\w+), \d+\)", r"\1, OID)", text)
        return re.sub(r"\b\d+\.\d+ ?(ms|s)\b", "TIME", text)

    def connect(self, **more):
        options = {"autocommit": True, "connect_timeout": 20, **more}
        return psycopg.connect(host="127.0.0.1", port=self.port, user=OWNER, password=PASSWORD, dbname=self.database, **options)


def program(name):
    path = os.path.join(flowtools.PG_BIN, name)
    return path if os.path.exists(path) else name


def places(gilmok):
    """Two empty databases."""
    for name in (DIRECT, THROUGH):
        empty_database(name)
    return Place(DIRECT, flowtools.PRIMARY_PORT), Place(THROUGH, gilmok.port)


def dump(database):
    """What is in a database, by pg_dump past gilmok."""
    return Place(database, flowtools.PRIMARY_PORT).must("pg_dump")


def timeless(text):
    """A dump without moments and without what is random in each run: when and how long, numbers of runs."""
    text = re.sub(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "WHEN", text)
    text = re.sub(r"(\tWHEN\t)\d+(\t[tf])$", r"\1TOOK\2", text, flags=re.M)  # Flyway
    text = re.sub(r"\t\d{10}$", "\tRUN", text, flags=re.M)  # Liquibase
    text = re.sub(r"\b20\d{12}_", "WHEN_", text)  # Prisma
    return re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", text)


def same(direct, through):
    """Both did the same, and left the same."""
    assert direct == through, difference(direct, through)
    join = "\n".join  # rows that were updated are in no order
    left, right = (join(sorted(timeless(dump(name)).splitlines())) for name in (DIRECT, THROUGH))
    assert left == right, difference(left, right)


def difference(left, right):
    left, right = str(left).replace("\\n", "\n").splitlines(), str(right).replace("\\n", "\n").splitlines()
    at = next((i for i, (a, b) in enumerate(zip(left, right)) if a != b), min(len(left), len(right)))
    join = "\n".join
    return f"line {at}, directly:\n{join(left[max(at - 3, 0) : at + 12])}\nthrough gilmok:\n{join(right[max(at - 3, 0) : at + 12])}"


class Beside:
    """Other clients of the same pool, for as long as the `with` lasts. Each has settings of its own, and looks that they are
    there; none leaves anything in the database."""

    def __init__(self, place, count=4):
        self.place, self.count, self.wrong, self.rounds = place, count, [], 0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.client, args=(i,), daemon=True) for i in range(count)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        for t in self.threads:
            t.join(60)
            assert not t.is_alive(), "a client beside the tool hangs"
        if kind is None:
            assert not self.wrong, self.wrong[:5]
            assert self.rounds > 0

    def client(self, number):
        try:
            with self.place.connect(application_name=f"beside {number}") as c:
                self.live(c, number, random.Random(number))
        except Exception as e:
            self.wrong.append(f"client {number}: {type(e).__name__} {e}")

    def live(self, c, number, dice):
        mine = {
            "search_path": ["pg_catalog", "nowhere", '"$user", public'], "timezone": ["Asia/Tokyo", "America/Lima", "UTC"],
            "standard_conforming_strings": ["off", "on"], "synchronize_seqscans": ["off", "on"], "row_security": ["off", "on"],
            "work_mem": ["1MB", "5MB"],
            "client_min_messages": ["error", "notice"], "extra_float_digits": ["0", "3"], "lock_timeout": ["0", "7s"],
            "bytea_output": ["escape", "hex"], "datestyle": ["German, DMY", "ISO, MDY"], "app.who": [f"client {number}", "nobody"],
        }  # fmt: skip
        now = {}
        while not self.over.is_set():
            self.rounds += 1
            name = dice.choice(list(mine))
            now[name] = dice.choice(mine[name])
            c.execute(f"select set_config('{name}', %s, false)", (now[name],))
            for _ in range(dice.randint(1, 4)):
                name = dice.choice(list(now))
                with c.transaction():
                    got = c.execute("select current_setting(%s), pg_sleep(%s)", (name, dice.random() * 0.02)).fetchone()[0]
                if got != now[name]:
                    self.wrong.append(f"client {number}: {name} is {got}, not {now[name]}")
            if dice.random() < 0.1:
                with c.transaction():
                    c.execute("create temp table beside_t on commit drop as select 1 as n")
                    c.execute("select pg_advisory_xact_lock_shared(4711)")
            self.over.wait(dice.random() * 0.02)
