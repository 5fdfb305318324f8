#!/usr/bin/python3
"""What the flow tests share: ways into the sandbox's servers, and gilmoks of a test's own before the same primary."""

import os
import subprocess
import threading

import psycopg

import harness

APP_DB, APP_USER = os.environ.get("APP_DB", "shop"), os.environ.get("APP_USER", "app")
APP_PASSWORD = os.environ.get("APP_PASSWORD", "")
PRIMARY_PORT = int(os.environ.get("PRIMARY_PORT", "0"))
PG_BIN = os.environ.get("PG_BIN", "")


def gilmok_before_primary(pool_size=4, main=(), database=(), tail="", **more):
    """[database shop] in transaction mode, [database sessions] in session mode; both are the sandbox's `shop`."""
    sessions = f"[database sessions]\ncluster = main\nserver_database = {APP_DB}\npool_mode = session\npool_size = {pool_size}\n"
    users = {APP_USER: APP_PASSWORD, **more.pop("users", {})}
    return harness.Gilmok(
        PRIMARY_PORT, main=main, database=[f"pool_size = {pool_size}", *database], tail=sessions + tail, users=users, **more
    )


def address(gilmok, **more):
    return {"host": "127.0.0.1", "port": gilmok.port, "user": APP_USER, "password": APP_PASSWORD, "dbname": APP_DB, **more}


def connect(gilmok, **more):
    """psycopg 3, every statement its own transaction."""
    options = {"autocommit": True, "connect_timeout": 10, **more}
    return psycopg.connect(**{**address(gilmok), **options})


def superuser(dbname=APP_DB):
    """Past gilmok."""
    return psycopg.connect(
        host=os.environ["SUPERUSER_SOCKET_DIR"], port=PRIMARY_PORT, user=os.environ["SUPERUSER_USER"], dbname=dbname,
        autocommit=True,
    )  # fmt: skip


def unread(sql):
    """Too long for gilmok to look into: it sees the server connection as it is."""
    return f"/* {200000 * 'x'} */ {sql}"


def value(connection, sql, *args, **more):
    return connection.execute(sql, *args, **more).fetchone()[0]


def environment(gilmok, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG") or k == "PG_BIN"}
    ours = {"PGHOST": "127.0.0.1", "PGPORT": str(gilmok.port), "PGUSER": APP_USER, "PGDATABASE": APP_DB}
    return {**env, **ours, "PGPASSWORD": APP_PASSWORD, **more}


def run(gilmok, program, *args, stdin=None, timeout=30, **more):
    """A program of PostgreSQL's, directed at gilmok."""
    return subprocess.run(
        [os.path.join(PG_BIN, program), *args], input=stdin, env=environment(gilmok, **more), capture_output=True,
        text=True, timeout=timeout, check=False,
    )  # fmt: skip


def in_threads(count, work, seconds=30):
    """Runs work(0) .. work(count - 1) at the same time, each in so many seconds; the first exception is raised again."""
    failures, results = [], [None] * count

    def one(i):
        try:
            results[i] = work(i)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(seconds)
        assert not t.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]
    return results
