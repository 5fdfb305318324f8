#!/usr/bin/python3
"""Programs of MySQL's drivers, each directly, through gilmok, and through gilmok in TLS (README.md).

    mysql.py [--mode MODE] [--matrix FILE] [--missing KIND]... [--verbose] KIND...

Needs a sandbox of MariaDB in the environment, and what `tests/drivers mysql` has built in $DRIVERS_DIR."""

import argparse
import contextlib
import datetime
import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "flow"), os.path.join(HERE, "..", "..", "script")]

import harness  # noqa: E402
import mysqltools  # noqa: E402
from certs import Authority  # noqa: E402

BUILT = os.environ.get("DRIVERS_DIR", "")
PYTHON = "/usr/bin/python3"
JAVA = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{BUILT}/mysql-java:{BUILT}/mysql-java/lib/*", "Looks"]
PHP = ["php", "-d", "mysqli.allow_local_infile=1"]
# In the order of the matrix.
COMMANDS = {
    "pymysql": [PYTHON, f"{HERE}/py_dbapi.py", "pymysql"],
    "mysqlclient": [PYTHON, f"{HERE}/py_dbapi.py", "MySQLdb"],
    "aiomysql": [PYTHON, f"{HERE}/py_aiomysql.py"],
    "cli": ["bash", f"{HERE}/cli.sh"],
    "mysql2": ["node", f"{BUILT}/mysql-node/node_mysql2.mjs"],
    "mariadb": ["node", f"{BUILT}/mysql-node/node_mariadb.mjs"],
    "go": [f"{BUILT}/mysql-go/looks"],
    "mariadb-j": [*JAVA, "mariadb"],
    "mysql-j": [*JAVA, "mysql"],
    "mysqli": [*PHP, f"{HERE}/php_mysqli.php"],
    "pdo": [*PHP, f"{HERE}/php_pdo.php"],
    "dbd-mysql": ["perl", f"{HERE}/perl_dbd.pl", "mysql"],
    "dbd-mariadb": ["perl", f"{HERE}/perl_dbd.pl", "MariaDB"],
    "ruby": ["ruby", f"{HERE}/ruby_mysql2.rb"],
    "odbc": [PYTHON, f"{HERE}/py_odbc.py"],
    "sqlalchemy": [PYTHON, f"{HERE}/py_sqlalchemy.py"],
    "django": [PYTHON, f"{HERE}/py_django.py"],
}
FEATURES = [
    "login", "tls", "types", "metadata", "unicode", "prepared", "results", "keys", "transactions", "errors", "large", "stream", "cursor", "schema", "reset",
    "ping", "pool", "timeout", "kill", "attributes", "compress", "dump", "migrate", "killed", "change_user", "cancel", "infile",
]  # fmt: skip
# What docs/compatibility.md says of these is another answer than the server's: where it differs, it holds one of these.
REFUSED = {"login": ("utf8mb4_unicode_ci",)}
# ... in transaction mode: CONNECTION_ID() is that of a moment, and who has no connection is not found by KILL.
IN_TRANSACTION = {"kill": ("ended nothing", 'ended "1"', "killer"), "killed": ("error nothing",), "pool": ("1927", "1317"), "cancel": ("1094",)}
SECONDS = 120

TABLES = """
create or replace table d_types (id int primary key, i1 tinyint, i2 smallint unsigned, i3 mediumint, i8 bigint, u8 bigint unsigned, f float,
  d double, n decimal(30,10), y year, b1 bit(1), b9 bit(33), da date, ti time(3), dt datetime(6), ts timestamp(6) null, c char(5),
  v varchar(300), t text, bi binary(4), vb varbinary(300), bl blob, e enum('a','b','ü'), s set('x','y','z'), js json, g point,
  zf int(8) unsigned zerofill, u uuid, ip inet6) character set utf8mb4
insert into d_types values (1, -128, 65535, -8388608, -9223372036854775808, 18446744073709551615, 1.5, 2.25e200, -12345678901234567890.0123456789,
  2026, 1, b'100000000000000000000000000000001', '1000-01-01', '-838:59:58.999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.000001',
  'abc', repeat('v', 251), 'text', x'00ff', x'0001feff', x'00', 'ü', 'x,z', '{"a": [1, null]}', point(1, 2), 42,
  '123e4567-e89b-12d3-a456-426655440000', '::1')
insert into d_types (id) values (2)
insert into d_types (id, v, t, vb, bl, s, i8, u8, ti, n) values (3, '', repeat('t', 65535), '', repeat('b', 65535), '', 0, 0, '00:00:00', 0)
create or replace table d_texts (id int auto_increment primary key, t text) character set utf8mb4
create or replace table d_keys (id bigint auto_increment primary key, v int, name varchar(20) unique)
create or replace table d_money (id int primary key, v int not null check (v >= 0)) engine = innodb
create or replace table d_large (id int primary key, data longblob)
create or replace table d_loaded (a int, b varchar(20))
create or replace procedure d_two() begin select 1 as a; select 'two' as b, 3 as c union select 'more', 4; end
create or replace procedure d_out(in a int, out b int, inout c varchar(20)) begin set b = a * 2; set c = concat(c, '!'); select a as given; end
"""
REST = ["table d_types", "table d_texts", "table d_keys", "table d_money", "table d_large", "table d_loaded", "procedure d_two", "procedure d_out"]


@contextlib.contextmanager
def certificates():
    user = harness.unprivileged()[0]
    folder = tempfile.mkdtemp(prefix="gilmok-drivers-", dir="/var/tmp")
    try:
        os.chmod(folder, 0o755)
        ca = Authority(folder, "drivers-ca")
        yield {"ca": ca.crt, "other": Authority(folder, "stranger").crt, "pair": ca.issue("127.0.0.1", user.pw_uid if user else None)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def like_mariadb(c, maria):
    """What the programs take for granted: MD5(), and sequences."""
    with contextlib.suppress(mysqltools.pymysql.err.Error):  # it is there, or need not be
        mysqltools.rows(c, "install component 'file://component_classic_hashing'")
    mysqltools.rows(c, f"use {maria.db}")
    for top in (9, 20, 90, 200, 2000, 5000, 20000, 100000):
        mysqltools.make_sequence(c, top)


@contextlib.contextmanager
def fresh_tables(maria):
    with maria.direct() as c:
        for sql in re.split(r"\n(?=\S)", TABLES.strip()):
            if maria.is_mysql:
                sql = sql.replace("u uuid, ip inet6", "u char(36), ip varchar(40)")
            if sql.startswith("create"):
                mysqltools.remake(c, sql.removeprefix("create or replace "))
            else:
                mysqltools.rows(c, sql)
        yield
        for what in REST:
            mysqltools.rows(c, f"drop {what}")


def play(maria, kind, port, certs, in_tls=False):
    """(the driver's version, {feature: lines that it printed}) of one run."""
    folder = tempfile.mkdtemp(prefix="gilmok-driver-", dir="/var/tmp")
    with fresh_tables(maria):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        env.update(
            MY_HOST="127.0.0.1", MY_PORT=str(port), MY_USER=maria.user, MY_PASSWORD=maria.password, MY_DATABASE=maria.db, MY_FOLDER=folder,
            MY_CA=certs["ca"] if in_tls else "", MY_OTHER_CA=certs["other"] if in_tls else "", PYTHONDONTWRITEBYTECODE="1", NODE_NO_WARNINGS="1", LC_ALL="C.UTF-8",
        )  # fmt: skip
        with open(f"{folder}/rows.txt", "w", encoding="ascii") as f:
            f.write("1\tone\n2\ttwo\n")
        process = subprocess.Popen(
            COMMANDS[kind], env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="backslashreplace", start_new_session=True,
        )  # fmt: skip
        try:
            out, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            out += f"\nended after {SECONDS} s\n"
        finally:
            shutil.rmtree(folder)
    return read(out.replace(f":{port}", ":PORT").replace(folder, "FOLDER"))


def read(out):
    version, found, lines, is_over = "", {}, [], False
    for line in out.splitlines():
        word, _, rest = line.partition(" ")
        if word == "version" and not version:
            version = rest
        elif word == "begin" and rest in FEATURES:
            lines = found[rest] = []
        elif line == "end":
            is_over = True
        else:
            lines.append(line)
    if not is_over:
        lines.append("the program broke off")
        found.setdefault("login", lines)
    return version, found


def difference(direct, through):
    lines = [line for line in difflib.unified_diff(direct, through, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))]
    return " / ".join(line[:200] for line in lines[:8])


def judge(feature, direct, through, refused):
    """A word for the matrix, and what there is to say."""
    if feature == "tls":
        wanted, text = "encrypted yes" in through and not any("stranger taken" in line for line in through), " / ".join(through)
        return ("ok", "") if wanted else ("**no**", text)
    if direct == through:
        return ("-", "fails directly, too: " + " / ".join(direct)[:300]) if any(line.startswith("raised ") for line in direct) else ("ok", "")
    said = difference(direct, through)[:600]
    if any(text in "\n".join(through) for text in refused.get(feature, ())):
        return "differs", said
    return "**no**", said


class Neighbours:
    """Clients of the same pool, each with settings of its own, which it checks: so that connections go round."""

    SEE = "select @neighbour, @@time_zone, @@sql_mode, @@character_set_client, database()"
    COUNT = 4

    def __init__(self, g):
        self.gilmok, self.wrong, self.is_over = g, [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(self.COUNT)]
        for t in self.threads:
            t.start()

    def run(self, i):
        try:
            with self.gilmok.connect() as c:
                mysqltools.rows(c, f"set @neighbour = {i}, time_zone = '+0{i}:00', sql_mode = '{('', 'ansi_quotes')[i % 2]}'")
                mysqltools.rows(c, f"set names {('latin1', 'utf8mb4')[i % 2]}")
                expected = (i, f"+0{i}:00", ("", "ANSI_QUOTES")[i % 2], ("latin1", "utf8mb4")[i % 2], "shop")
                while not self.is_over.wait(0.002):
                    mysqltools.rows(c, "begin")
                    seen = mysqltools.rows(c, self.SEE)[0]
                    mysqltools.rows(c, "commit")
                    if seen != expected:
                        self.wrong.append(f"{seen} instead of {expected}")
        except Exception as e:
            self.wrong.append(repr(e))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for t in self.threads:
            t.join(20)


class Runner:
    def __init__(self, maria, certs, verbose, mode):
        self.maria, self.certs, self.verbose, self.mode = maria, certs, verbose, mode
        self.versions, self.cells, self.counts = {}, {}, {"passed": 0, "failed": 0, "skipped": 0}
        with maria.direct() as c:  # what a driver hears in the greeting is in what it does and says
            self.greeting = f"mysql_server_version = {c.get_server_info()}"

    def kind(self, kind):
        begun = time.monotonic()
        self.versions[kind], direct = play(self.maria, kind, self.maria.port, self.certs)
        pair = [f"client_tls_cert_file = {self.certs['pair'][0]}", f"client_tls_key_file = {self.certs['pair'][1]}"]
        through = {}
        for route, main in (("gilmok", []), ("in TLS", ["client_tls = require", *pair])):
            through[route] = self.through(kind, main)
        if self.verbose:
            print("\n".join(f"    {feature}: {line[:300]}" for feature in direct for line in direct[feature]))
        for feature in FEATURES:
            if feature in direct:
                self.feature(kind, feature, direct[feature], {k: v.get(feature, ["not reached"]) for k, v in through.items() if feature != "tls" or k != "gilmok"})
        print(f"{kind}: {self.versions[kind]}, {time.monotonic() - begun:.0f} s", flush=True)

    def through(self, kind, main):
        database = ["pool_size = 40"] if self.mode == "session" else ["pool_size = 12", "server_round_robin = on"]
        # A neighbour that is not in TLS has no way in where that is required.
        main = [line.replace("require", "allow") for line in main] if self.mode == "transaction" else main
        with self.maria.started(main=[self.greeting, *main], mode=self.mode, database=database) as g:
            if self.mode == "session":
                return play(self.maria, kind, g.mysql_port, self.certs, bool(main))[1]
            with Neighbours(g) as others:
                found = play(self.maria, kind, g.mysql_port, self.certs, bool(main))[1]
            found.setdefault("login", []).extend(f"a neighbour saw {text}" for text in others.wrong[:3])
            return found

    def feature(self, kind, feature, direct, through):
        if direct == ["-"] and feature != "tls":
            return
        refused = {**REFUSED, **(IN_TRANSACTION if self.mode == "transaction" else {})}
        verdicts = {route: judge(feature, direct, lines, refused) for route, lines in through.items()}
        worst = next((w for w in ("**no**", "refused", "differs", "-") if any(v[0] == w for v in verdicts.values())), "ok")
        self.cells[kind, feature] = worst
        self.counts[{"**no**": "failed", "-": "skipped"}.get(worst, "passed")] += 1
        texts = {text: route for route, (_, text) in reversed(verdicts.items()) if text}
        print(f"{kind} {feature}: {worst.strip('*')}" + "".join(f"; {route}: {text}" for text, route in texts.items()), flush=True)

    def matrix(self):
        head = ["driver", "version", *FEATURES]
        lines = [" | ".join(head), "|".join(["---"] * len(head))]
        for kind, version in self.versions.items():
            name, _, number = version.partition(" ")
            lines.append(" | ".join([name.replace("_", " "), number, *(self.cells.get((kind, f), "-") for f in FEATURES)]))
        return "".join(f"| {line} |\n" if " | " in line else f"|{line}|\n" for line in lines)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--mode", choices=("session", "transaction"), default="session")
    args.add_argument("--matrix")
    args.add_argument("--missing", action="append", default=[])
    args.add_argument("--verbose", action="store_true", help="what the programs print when they run directly")
    args.add_argument("kinds", nargs="*", choices=list(COMMANDS))
    args = args.parse_args()
    with contextlib.closing(mysqltools.Maria()) as maria, certificates() as certs:
        with maria.superuser(database=None) as c:
            mysqltools.rows(c, "set global max_allowed_packet = 64 << 20")
            if maria.is_mysql:
                like_mariadb(c, maria)
        runner = Runner(maria, certs, args.verbose, args.mode)
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
