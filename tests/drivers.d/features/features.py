#!/usr/bin/python3
"""Programs of drivers that use their features, each directly and through gilmok in transaction mode (README.md).

    features.py [--matrix FILE] [--missing KIND]... KIND...

Needs a sandbox in the environment, and what `tests/drivers features` has built in $DRIVERS_DIR."""

import argparse
import contextlib
import datetime
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "flow"), os.path.join(HERE, "..", "..", "script")]

import flowtools  # noqa: E402
import harness  # noqa: E402
import toolrun  # noqa: E402
from certs import Authority  # noqa: E402

BUILT = os.environ.get("DRIVERS_DIR", "")
PYTHON = "/usr/bin/python3"
# In the order of the matrix.
COMMANDS = {
    "psycopg2": [PYTHON, f"{HERE}/py_psycopg2.py"],
    "psycopg3": [PYTHON, f"{HERE}/py_psycopg3.py"],
    "psycopg3-async": [PYTHON, f"{HERE}/py_psycopg3_async.py"],
    "asyncpg": [PYTHON, f"{HERE}/py_asyncpg.py"],
    "sqlalchemy": [PYTHON, f"{HERE}/py_sqlalchemy.py"],
    "ruby": ["ruby", f"{HERE}/ruby_pg.rb"],
    "php": ["php", f"{HERE}/php_pdo.php"],
    "perl": ["perl", f"{HERE}/perl_dbd.pl"],
    "pqxx": [f"{BUILT}/features-pqxx/pqxx"],
    "odbc": [PYTHON, f"{HERE}/py_odbc.py"],
    "node": ["node", f"{BUILT}/features-node/node_pg.mjs"],
    "postgresjs": ["node", f"{BUILT}/features-node/node_postgres.mjs"],
    "jdbc": ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"/usr/share/java/postgresql.jar:{BUILT}/features-jdbc", "Features"],
    "pgx": [f"{BUILT}/features-go/features", "pgx"],
    "pq": [f"{BUILT}/features-go/features", "pq"],
    "tokio": [f"{BUILT}/features-rust/target/debug/features", "tokio"],
    "sqlx": [f"{BUILT}/features-rust/target/debug/features", "sqlx"],
}
FEATURES = [
    "login", "tls", "hosts", "settings", "types", "binary", "large", "prepared", "cursor", "hold", "batch", "copyin", "copyout", "listen",
    "cancel", "transactions", "twophase", "keys", "errors", "lobs", "pool",
]  # fmt: skip
# The ways through gilmok: few connections, handed out in turn. A client that listens keeps its own, or shares one.
GILMOKS = {
    "pinned": {"pool_size": 3, "database": ["server_round_robin = on"]},
    "shared": {"pool_size": 4, "main": ["workers = 2"], "database": ["server_round_robin = on", "listen = shared"]},
    "sequences": {"pool_size": 3, "database": ["session_sequences = pin"]},
}
# What a way is for; the others are for all.
ONLY = {"sequences": ["keys"]}
SECONDS = 90


def dead_port():
    """A port where nobody answers, for as long as the socket lives."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s


def has_two_phases():
    with flowtools.superuser() as su:
        return su.execute("select current_setting('max_prepared_transactions')::int > 0").fetchone()[0]


@contextlib.contextmanager
def certificates():
    """A folder with what clients trust and what they do not, and the server's certificate, for the name localhost alone."""
    user = harness.unprivileged()[0]
    owner = user.pw_uid if user else None
    folder = tempfile.mkdtemp(prefix="gilmok-features-", dir="/var/tmp")
    try:
        os.chmod(folder, 0o755)
        ca = Authority(folder, "features-ca")
        yield {"ca": ca.crt, "other": Authority(folder, "stranger").crt, "pair": ca.issue("localhost", owner, alt="DNS:localhost")}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def server_with_tls(pair):
    """The sandbox's own server, for the time of the direct runs."""
    names = {"ssl": "on", "ssl_cert_file": pair[0], "ssl_key_file": pair[1]}
    with flowtools.superuser() as su:
        for name, value in names.items():
            su.execute(f"alter system set {name} = '{value}'")
        su.execute("select pg_reload_conf()")
        try:
            yield
        finally:
            for name in names:
                su.execute(f"alter system reset {name}")
            su.execute("select pg_reload_conf()")


@contextlib.contextmanager
def fresh_tables():
    with flowtools.superuser() as su:
        su.execute("drop table if exists feature_items, feature_keys")
        su.execute("create table feature_items (id int primary key, name text not null, v numeric(10, 2) check (v >= 0))")
        su.execute("insert into feature_items select i, 'item ' || i, i * 1.5 from generate_series(1, 100) i")
        su.execute("create table feature_keys (id serial primary key)")
        su.execute(f"alter table feature_items owner to {flowtools.APP_USER}; alter table feature_keys owner to {flowtools.APP_USER}")
        yield
        su.execute("drop table feature_items, feature_keys")


@contextlib.contextmanager
def gilmok(name, pair):
    how = GILMOKS[name]
    tls = ["client_tls = allow", f"client_tls_cert_file = {pair[0]}", f"client_tls_key_file = {pair[1]}"]
    with contextlib.closing(flowtools.gilmok_before_primary(**{**how, "main": [*how.get("main", ()), *tls]})) as g:
        yield g


def play(kind, port, route, certs, only=()):
    """(the driver's version, {feature: "" or what is wrong}): what the program says when it is sent to this port."""
    with fresh_tables(), dead_port() as dead:
        env = flowtools.environment(type("G", (), {"port": port}))
        env.update(
            FEATURES_ROUTE=route, FEATURES_DEAD_PORT=str(dead.getsockname()[1]), FEATURES_CA=certs["ca"], FEATURES_OTHER_CA=certs["other"],
            FEATURES_SEQUENCES="1" if route in ("direct", "sequences") else "", FEATURES_TWO_PHASES="1" if has_two_phases() else "", PYTHONDONTWRITEBYTECODE="1",
        )  # fmt: skip
        process = subprocess.Popen(
            [*COMMANDS[kind], *only], env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            err = f"ended after {SECONDS} s; {err}"
    return read(out, err)


def read(out, err):
    version, found, begun, ended = "", {}, None, False
    for line in out.splitlines():
        word, _, rest = line.partition(" ")
        if word == "version":
            version = rest
        elif word == "begin":
            begun = rest
        elif word == "end":
            ended = True
        elif word in FEATURES:
            found[word] = "" if rest == "ok" else None if rest == "-" else rest.removeprefix("failed ")
    if not ended:
        found[begun or "login"] = "the program broke off: " + " ".join((err or out)[-500:].split())
    return version, {k: v for k, v in found.items() if v is not None}


def short(text):
    return re.sub(r"\s+", " ", text)[:300]


@contextlib.contextmanager
def neighbours(port):
    """Three clients with settings of their own, and two without any, who take the connections that the program's clients had last:
    those with the same settings are given first."""
    place, over, wrong = toolrun.Place(flowtools.APP_DB, port), threading.Event(), []

    def take(number):
        dice = random.Random(number)
        try:
            with place.connect() as c:
                while not over.wait(dice.random() * 0.01):
                    with c.transaction():
                        c.execute("select pg_sleep(%s)", (dice.random() * 0.02,))
        except Exception as e:
            wrong.append(f"{type(e).__name__} {e}")

    threads = [threading.Thread(target=take, args=(i,), daemon=True) for i in range(2)]
    with toolrun.Beside(place, count=3):
        for t in threads:
            t.start()
        try:
            yield
        finally:
            over.set()
        for t in threads:
            t.join(60)
            assert not t.is_alive(), "a neighbour hangs"
    assert not wrong, wrong


class Runner:
    def __init__(self, certs):
        self.certs, self.versions, self.cells, self.counts = certs, {}, {}, {"passed": 0, "failed": 0, "skipped": 0}

    def count(self, kind, feature, cell, text=""):
        self.cells[kind, feature] = cell
        self.counts[{"ok": "passed", "**no**": "failed"}.get(cell, "skipped")] += 1
        if text:
            print(f"{kind}: {feature} {text}", flush=True)

    def directly(self, kind):
        version, found = play(kind, flowtools.PRIMARY_PORT, "direct", self.certs)
        self.versions[kind] = version
        return found

    def kind(self, kind):
        begun = time.monotonic()
        direct = self.directly(kind)
        through = {}
        for name in GILMOKS:
            if not set(ONLY.get(name, FEATURES)) & set(direct):
                continue
            try:
                with gilmok(name, self.certs["pair"]) as g, neighbours(g.port):
                    _, through[name] = play(kind, g.port, name, self.certs, ONLY.get(name, ()))
            except AssertionError as e:  # gilmok's end, or what the neighbours saw
                self.count(kind, "neighbours", "**no**", f"failed: {name}: {short(str(e))}")
        for feature in FEATURES:
            if feature not in direct:
                if any(through[name].get(feature) for name in through):
                    self.count(kind, feature, "**no**", f"failed: {short(str(through))}")
            elif direct[feature]:
                self.count(kind, feature, "-", f"skipped, fails directly: {short(direct[feature])}")
            else:
                wrong = {name: found.get(feature, "not reached") for name, found in through.items() if feature in ONLY.get(name, FEATURES)}
                wrong = [f"{name}: {short(text)}" for name, text in wrong.items() if text]
                self.count(kind, feature, "**no**" if wrong else "ok", f"failed: {'; '.join(wrong)}" if wrong else "")
        mine = [self.cells.get((kind, f), "-") for f in FEATURES]
        print(f"{kind}: {self.versions[kind]}: {mine.count('ok')} of {len(mine) - mine.count('-')} features, {time.monotonic() - begun:.0f} s", flush=True)

    def matrix(self):
        head = ["driver", "version", *FEATURES]
        lines = [" | ".join(head), "|".join(["---"] * len(head))]
        for kind, version in self.versions.items():
            name, _, number = version.partition(" ")
            lines.append(" | ".join([name.replace("_", " "), number, *(self.cells.get((kind, f), "-") for f in FEATURES)]))
        return "".join(f"| {line} |\n" if " | " in line else f"|{line}|\n" for line in lines)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--matrix")
    args.add_argument("--missing", action="append", default=[])
    args.add_argument("kinds", nargs="*", choices=list(COMMANDS))
    args = args.parse_args()
    with certificates() as certs, server_with_tls(certs["pair"]):
        runner = Runner(certs)
        for kind in args.kinds:
            runner.kind(kind)
    for kind in args.missing:
        print(f"{kind}: left out, it could not be had here")
        runner.counts["skipped"] += 1
    if args.matrix:
        with open(args.matrix, "w", encoding="utf-8") as f:
            f.write(f"Of {datetime.date.today()}:\n\n{runner.matrix()}")
    print(", ".join(f"{n} {word}" for word, n in runner.counts.items()))
    return 1 if runner.counts["failed"] or not runner.counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
