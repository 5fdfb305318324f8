#!/usr/bin/python3
"""What the flow tests of MySQL share: a MariaDB server, ways into it, and gilmoks of a test's own before it.

With GILMOK_MYSQLD it is a server of MySQL's (deploy/mysqld.sh); `is_mysql` tells, for what the two do not share."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile

import pymysql
import pytest

import harness
from mywire import KINDS, PLUGIN_AUTH

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Gilmok(harness.Gilmok):
    """One with the database `shop` in a cluster that speaks MySQL; its console is asked as any other's. Lines are added by section."""

    def __init__(self, maria, main=(), cluster=(), database=(), tail="", users=None, mode="session", **more):
        self.maria = maria
        self.mysql_port = harness.free_port()
        super().__init__(
            maria.port, main=[f"listen_mysql = 127.0.0.1:{self.mysql_port}", *main], cluster=["protocol = mysql", *cluster],
            database=[f"pool_mode = {mode}", *database], tail=tail, users={maria.user: maria.password, **(users or {})}, **more,
        )  # fmt: skip

    def listens(self):
        try:
            with contextlib.closing(harness.socket.create_connection(("127.0.0.1", self.mysql_port), timeout=1)):
                return super().listens()
        except ConnectionRefusedError:
            return False

    def connect(self, **more):
        """As Maria.direct(), but through gilmok."""
        return self.maria.direct(**{"host": "127.0.0.1", "port": self.mysql_port, **more})


MYSQL_WORDS = (
    ("tx_isolation", "transaction_isolation"), ("tx_read_only", "transaction_read_only"), ("@@in_transaction", "null"), (" as int)", " as signed)"),
    ("information_schema.session_variables", "performance_schema.session_variables"), ("create or replace table", "create table if not exists"),
    ("create or replace temporary table", "create temporary table if not exists"),
    ("execute immediate x", "begin set @text = x; prepare made from @text; execute made; deallocate prepare made; end"),
)  # fmt: skip


class Maria:
    """A MariaDB server with the database `db`, in which `user` may do everything: the sandbox's, or one of its own."""

    def __init__(self):
        self.own_dir = None
        env = os.environ
        if not env.get("LAYOUT", "").startswith("mysql"):
            env = self.start_own()
        self.host, self.port, self.socket = env["PRIMARY_HOST"], int(env["PRIMARY_PORT"]), env["PRIMARY_SOCKET"]
        self.user, self.password, self.db = env["APP_USER"], env["APP_PASSWORD"], env["APP_DB"]
        self.root_password = env["SUPERUSER_PASSWORD"]
        with self.direct() as c:  # where proofs are remembered, the first one of a user takes more than mywire.Client knows
            self.is_mysql = "MariaDB" not in value(c, "select version()")
            if self.is_mysql:
                for top in SEQUENCES:
                    make_sequence(c, top)

    def start_own(self):
        """Beside the sandbox of the run, which ends what its tests leave behind."""
        self.own_dir = tempfile.mkdtemp(prefix="maria-", dir=os.path.dirname(os.environ.get("SANDBOX_DIR", "/var/tmp/-")))
        try:
            self.sandbox("up", "mysql", self.own_dir)
        except BaseException:
            shutil.rmtree(self.own_dir, ignore_errors=True)
            raise
        out = subprocess.run(["bash", "-c", 'set -a; . "$1/env"; env -0', "-", self.own_dir], capture_output=True, check=True, text=True)
        return dict(line.split("=", 1) for line in out.stdout.split("\0") if "=" in line)

    def sandbox(self, *words):
        env = {**os.environ, "SANDBOX_NO_GILMOK": "1"}
        done = subprocess.run([f"{TREE}/deploy/sandbox", *words], env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def close(self):
        if self.own_dir:
            self.sandbox("down", self.own_dir)
            shutil.rmtree(self.own_dir)

    def direct(self, **more):
        """Past gilmok, as `user`; every statement its own transaction. `database=None`: in none."""
        options = {
            "host": self.host, "port": self.port, "user": self.user, "password": self.password, "database": self.db,
            "autocommit": True, "connect_timeout": 10, "read_timeout": 30,
        }  # fmt: skip
        return pymysql.connect(**{**options, **more})

    def in_its_words(self, sql):
        """With the server's own names of what the tests call as MariaDB does."""
        for maria, mysql in MYSQL_WORDS if self.is_mysql else ():
            sql = sql.replace(maria, mysql)
        return sql

    def skip_who_is_not_let_in(self, kind):
        if self.is_mysql and not KINDS[kind] & PLUGIN_AUTH:
            pytest.skip("MySQL lets nobody in who knows no caching_sha2_password")

    def superuser(self, **more):
        return self.direct(**{"unix_socket": self.socket, "user": "root", "password": self.root_password, **more})

    @contextlib.contextmanager
    def started(self, **more):
        """A gilmok before it, ended with the block."""
        g = Gilmok(self, **more)
        try:
            yield g
        finally:
            g.close()


SEQUENCES = (5, 10, 100, 1000, 10000)


def make_sequence(connection, top):  # up to 100,000
    """A table like those that MariaDB has of themselves."""
    rows(connection, f"create table if not exists seq_1_to_{top} (seq bigint unsigned not null primary key)")
    digits = " cross join ".join(f"({' union '.join(f'select {i} as d' for i in range(10))}) d{place}" for place in range(5))
    number = " + ".join(f"d{place}.d * {10**place}" for place in range(5))
    rows(connection, f"insert ignore into seq_1_to_{top} select 1 + {number} from {digits} where {number} < {top}")


def remake(connection, what):
    """`table t (id int)`: made, in place of another one of that name; MySQL has no CREATE OR REPLACE."""
    kind, name = re.match(r"(\w+) ([^\s(]+)", what).groups()
    rows(connection, f"drop {kind} if exists {name}")
    rows(connection, f"create {what}")


def rows(connection, sql, args=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


def value(connection, sql, args=None):
    return rows(connection, sql, args)[0][0]
