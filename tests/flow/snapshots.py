#!/usr/bin/python3
"""Exported snapshots: an import goes to the node that has exported, so that pg_dump takes its tables in parallel from replicas, too."""

import contextlib
import os
import subprocess
import threading

import psycopg
import pytest

from failover import Cluster, wait_for_roles
from flowtools import APP_DB, value
from harness import wait_for

DATABASES = "".join(
    f"[database {name}]\nserver_database = {APP_DB}\nqueue_timeout = 20s\npool_size = {size}\n{line}\n"
    for name, size, line in (("ro", 12, "role = replica"), ("small", 4, "role = replica"), ("every", 12, "role = any\nbalance = round-robin"),
                             ("split", 12, "read_write_split = on"))
)  # fmt: skip
READS = "isolation level repeatable read, read only"
INVALID = (psycopg.errors.InvalidParameterValue, psycopg.errors.ObjectNotInPrerequisiteState)  # it is gone; who has made it is gone


@pytest.fixture(scope="module")
def cluster():
    c = Cluster()
    c.run("a", "create table here (id int); create table there (id int); grant all on here, there to app", APP_DB)
    for node in "bc":
        wait_for(lambda n=node: c.run(n, "select to_regclass('there') is not null", APP_DB) == [(True,)], what="the tables")
    yield c
    c.close()


@pytest.fixture(scope="module", params=[1, 3])
def g(cluster, request):
    with contextlib.closing(cluster.gilmok(main=[f"workers = {request.param}"], tail=DATABASES)) as started:
        wait_for_roles(started, a="primary", b="replica", c="replica")
        yield started


def client(cluster, g, database="ro", **more):
    return psycopg.connect(
        host="127.0.0.1", port=g.port, user="app", password=cluster.env["APP_PASSWORD"], dbname=database, autocommit=True,
        connect_timeout=20, prepare_threshold=None, **more,
    )  # fmt: skip


def node_of(cluster, c):
    return {cluster.port(n): n for n in "abc"}[value(c, "select inet_server_port()")]


@contextlib.contextmanager
def exported(cluster, g, database="ro"):
    """A transaction that has exported a snapshot, and its name. What it does not see is written, and replayed everywhere."""
    with client(cluster, g, database) as c:
        c.execute("begin")
        c.execute(f"set transaction {READS}")
        name = value(c, "select pg_catalog.pg_export_snapshot()")
        seen = value(c, "select count(*) from here")
        cluster.run("a", "insert into here values (1)", APP_DB)
        total = cluster.run("a", "select count(*) from here", APP_DB)
        for node in "bc":
            wait_for(lambda n=node: cluster.run(n, "select count(*) from here", APP_DB) == total, what="the replay")
        yield c, name, seen
        c.execute("rollback")


def imports(cluster, c, name):
    """At which node, and what is seen."""
    c.execute("begin")
    c.execute(f"set transaction {READS}")
    try:
        c.execute(f"set transaction snapshot '{name}'")
        return node_of(cluster, c), value(c, "select count(*) from here")
    finally:
        c.execute("rollback")


@pytest.mark.parametrize("database", ["ro", "every"])
def test_an_import_goes_where_it_was_exported(cluster, g, database):
    for _ in range(4):
        with exported(cluster, g, database) as (c, name, seen), contextlib.ExitStack() as stack:
            node = node_of(cluster, c)
            others = [stack.enter_context(client(cluster, g, database)) for _ in range(4)]
            for other in others:
                node_of(cluster, other)
            for other in others * 3:
                assert imports(cluster, other, name) == (node, seen)


def test_in_whichever_way_it_is_asked_for(cluster, g):
    with exported(cluster, g) as (c, name, seen), client(cluster, g) as other:
        node = node_of(cluster, c)
        for begin in f"begin {READS}", f"start transaction {READS}":
            for _ in range(5):
                other.execute(begin)
                other.execute(f"set transaction snapshot '{name}'", binary=True)  # not as a simple query
                assert (node_of(cluster, other), value(other, "select count(*) from here")) == (node, seen)
                other.execute("rollback")
        for _ in range(5):
            other.execute(f"begin {READS}; SET TRANSACTION SNAPSHOT '{name}'")
            assert (node_of(cluster, other), value(other, "select count(*) from here")) == (node, seen)
            other.execute("rollback")
    with client(cluster, g) as c, client(cluster, g) as other:
        c.execute(f"begin {READS}")
        name = c.execute("select 1 as one, PG_EXPORT_SNAPSHOT()", prepare=True).fetchone()[1]
        node = node_of(cluster, c)
        assert {imports(cluster, other, name)[0] for _ in range(8)} == {node}
        second = c.execute("select 1 as one, PG_EXPORT_SNAPSHOT()", prepare=True).fetchone()[1]
        assert second != name and {imports(cluster, other, second)[0] for _ in range(8)} == {node}
        c.execute("rollback")


def test_many_imports_at_once_wait_for_connections_there(cluster, g):
    """In a pool that is full of idle connections to the other node."""
    with contextlib.ExitStack() as stack:
        for c in [stack.enter_context(client(cluster, g, "small")) for _ in range(8)]:
            node_of(cluster, c)
        c, name, seen = stack.enter_context(exported(cluster, g, "small"))
        node, got = node_of(cluster, c), []

        def one():
            with client(cluster, g, "small") as other:
                got.extend(imports(cluster, other, name) for _ in range(5))

        threads = [threading.Thread(target=one) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(30)
        assert got == [(node, seen)] * 30


def test_what_has_ended_is_no_snapshot(cluster, g):
    with client(cluster, g) as other:
        with exported(cluster, g) as (c, name, _):
            with pytest.raises(psycopg.errors.DivisionByZero):
                c.execute("select 1/0")
            with pytest.raises(INVALID):
                imports(cluster, other, name)
        for unknown in name, "00000003-0000FFFF-1", "nothing", "it''s":
            with pytest.raises(INVALID):
                imports(cluster, other, unknown)
        assert node_of(cluster, other) in "bc"


def test_with_a_split_it_is_the_primary(cluster, g):
    with client(cluster, g, "split") as c, client(cluster, g, "split") as other:
        c.execute("begin")
        c.execute(f"set transaction {READS}")
        name = value(c, "select pg_export_snapshot()")
        assert node_of(cluster, c) == "a"
        seen = value(c, "select count(*) from here")
        cluster.run("a", "insert into here values (2)", APP_DB)
        for _ in range(5):
            assert imports(cluster, other, name) == ("a", seen)
        other.execute(f"begin {READS}; set transaction snapshot '{name}'")
        assert (node_of(cluster, other), value(other, "select count(*) from here")) == ("a", seen)
        other.execute("rollback")
        c.execute("rollback")


@pytest.mark.parametrize("database", ["ro", "small", "split"])
def test_pg_dump_in_parallel(cluster, g, database, tmp_path):
    """Who writes in two tables at once is found in both or in none."""
    over = threading.Event()
    tools = {**os.environ, "PGPASSWORD": cluster.env["APP_PASSWORD"]}

    def write():
        with cluster.connect("a", APP_DB) as c:
            number = value(c, "select coalesce(max(id), 0) from there")
            while not over.wait(0.001):
                number += 1
                with c.transaction():
                    c.execute("insert into here values (%s)", (number,))
                    c.execute("insert into there values (%s)", (number,))

    cluster.run("a", "truncate here, there", APP_DB)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for i in range(3):
            out = tmp_path / str(i)
            dump = ["pg_dump", "-h", "127.0.0.1", "-p", str(g.port), "-U", "app", "-d", database, "-Fd", "-j3", "-Z0", "-t", "here", "-t", "there"]
            subprocess.run([f"{cluster.env['PG_BIN']}/{dump[0]}", *dump[1:], "-f", out], env=tools, check=True, timeout=60)
            here, there = (sorted(read_numbers(out / name)) for name in sorted(n for n in os.listdir(out) if n != "toc.dat"))
            assert here == there and (here or i == 0)
    finally:
        over.set()
        writer.join(20)


def read_numbers(path):
    with open(path, encoding="ascii") as f:
        return [int(line) for line in f if line.strip().isdigit()]


def test_a_node_that_is_gone_is_said(cluster, g):
    with contextlib.closing(client(cluster, g)) as other, contextlib.closing(client(cluster, g)) as c:
        c.execute(f"begin {READS}")
        name = value(c, "select pg_export_snapshot()")
        node = node_of(cluster, c)
        cluster.stop(node, "immediate")
        try:
            with pytest.raises((psycopg.OperationalError, *INVALID)):
                imports(cluster, other, name)
            with client(cluster, g) as c:
                assert node_of(cluster, c) in "bc".replace(node, "")
        finally:
            cluster.start(node)
    wait_for_roles(g, a="primary", b="replica", c="replica")
