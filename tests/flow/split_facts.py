#!/usr/bin/python3
"""What gilmok reads of a database for routing, where it splits reads from writes: when, and what makes it be read again. The server's
log says what it was asked."""

import time

import pytest

from failover import Cluster, wait_for_roles
from flowtools import APP_DB, value
from harness import wait_for

FACTS = "SELECT 'function', n.nspname"
CHECK = "SELECT 'digest'"
SPLIT = f"[database split]\nserver_database = {APP_DB}\npool_size = 8\nread_write_split = on\n"


class Watched(Cluster):
    """The server writes down what it is asked."""

    def __init__(self):
        super().__init__()
        self.run("a", "alter role app set log_statement = 'all'; grant create on schema public to app", APP_DB)

    def client(self, g, **more):
        return super().client(g, dbname="split", **more)

    def asked(self, what):
        with open(self.env["PRIMARY_LOG"], encoding="utf-8", errors="replace") as f:
            return [line for line in f if "statement: BEGIN ISOLATION LEVEL" in line and what in line]

    def count(self, what):
        return len(self.asked(what))


@pytest.fixture(scope="module")
def cluster():
    c = Watched()
    yield c
    c.close()


def route(c):
    """Where a read would go; it is also a statement that frees a connection."""
    c.execute("select pg_is_in_recovery()")
    return value(c, "explain (route) select 1").partition("\t")[0]


@pytest.fixture
def start(cluster):
    gilmoks = []

    def run(refresh="1h", more="", **options):
        g = cluster.gilmok(tail=f"{SPLIT}catalog_refresh = {refresh}\n{more}", **options)
        gilmoks.append(g)
        wait_for_roles(g, a="primary", b="replica", c="replica")
        return g

    yield run
    for g in gilmoks:
        g.close()


def test_they_are_read_once_and_after_a_change_again(cluster, start):
    g = start()
    before = cluster.count(FACTS)
    with cluster.client(g) as one, cluster.client(g) as other:
        for c in (one, other) * 3:
            assert value(c, "select 1") == 1
        wait_for(lambda: cluster.count(FACTS) == before + 1, what="the first reading")
        one.execute("create temp table mine (a int)")
        one.execute("analyze t")
        other.execute("select 1")
        time.sleep(0.2)
        assert cluster.count(FACTS) == before + 1
        one.execute("create function once() returns int language sql as 'select 1'")
        other.execute("select 1")
        wait_for(lambda: cluster.count(FACTS) == before + 2, what="the second reading")
        one.execute("drop function once()")
        other.execute("select 1")
        wait_for(lambda: cluster.count(FACTS) == before + 3, what="the third reading")


def test_each_worker_reads_them_again(cluster, start):
    g = start(main=["workers = 2"])
    before = cluster.count(FACTS)
    clients = [cluster.client(g) for _ in range(8)]

    def all_ask():
        for c in clients:
            assert value(c, "select 1") == 1

    all_ask()
    assert {row["worker"] for row in g.show("CLIENTS", database="split")} == {"0", "1"}
    wait_for(lambda: cluster.count(FACTS) == before + 2, what="a reading by each worker")
    clients[0].execute("create view once as select 1 as a")
    all_ask()
    wait_for(lambda: cluster.count(FACTS) == before + 4, what="another one by each")
    clients[0].execute("drop view once")
    for c in clients:
        c.close()


def test_a_change_past_gilmok_counts_after_catalog_refresh(cluster, start):
    g = start(refresh="1s")
    with cluster.client(g) as c:
        value(c, "select 1")
        before = cluster.count(FACTS)
        for _ in range(8):
            time.sleep(0.2)
            value(c, "select 1")
        assert cluster.count(FACTS) == before
        cluster.run("a", "alter table t set unlogged", APP_DB)
        try:
            wait_for(lambda: value(c, "select 1") and cluster.count(FACTS) == before + 1, what="a reading after the refresh")
        finally:
            cluster.run("a", "alter table t set logged", APP_DB)


def test_a_reload_that_switches_it_on_has_them_read(cluster, start):
    g = start(more="unknown_effects = probe\n")
    g.write("gilmok.conf", g.text.replace("read_write_split = on", "read_write_split = off"))
    assert not g.console("RELOAD").errors
    before = cluster.count(FACTS)
    with cluster.client(g) as c:
        value(c, "select 1")
        time.sleep(0.2)
        assert cluster.count(FACTS) == before
        g.write("gilmok.conf", g.text)
        assert not g.console("RELOAD").errors
        wait_for(lambda: value(c, "select 1") and cluster.count(FACTS) == before + 1, what="the facts")
        g.write("gilmok.conf", g.text + "read_functions = once\n")
        assert not g.console("RELOAD").errors
        wait_for(lambda: value(c, "select 1") and cluster.count(FACTS) == before + 2, what="the facts, with another list")


def test_who_locks_a_table_for_long_keeps_nobody_waiting(cluster, start):
    """To print a view's definition the server locks its tables: what cannot be read stays unknown, and statements go on."""
    cluster.run("a", "create table if not exists busy (a int); create or replace view of_busy as select * from busy", APP_DB)
    with cluster.connect("a", APP_DB) as su:
        su.execute("begin; lock table busy")
        g = start()
        warned = lambda: "everything stays on the primary" in open(g.log, encoding="utf-8").read()  # noqa: E731
        with cluster.client(g) as c:
            assert value(c, "select 1") == 1
            assert not warned(), "it was waited for"
            wait_for(warned, what="the warning")
            assert value(c, "select 2") == 2
        su.execute("rollback")
    cluster.run("a", "drop view of_busy; drop table busy", APP_DB)


# Each changes what is read, and nothing that was looked at before need be new: undone by what stands behind it.
CHANGES = {
    "function": ("alter function d.f(int) volatile", "alter function d.f(int) stable"),
    "rename": ("alter function d.f(int) rename to g", "alter function d.g(int) rename to f"),
    "view": ("create or replace view d.v as select 2 as a", "create or replace view d.v as select 1 as a"),
    "unlogged": ("alter table d.t set unlogged", "alter table d.t set logged"),
    "table": ("alter table d.t rename to u", "alter table d.u rename to t"),
    "moved": ("alter table d.k set schema public", "alter table public.k set schema d"),
    "schema": ("alter schema d rename to e", "alter schema e rename to d"),
    "sequence": ("alter sequence d.s rename to s2", "alter sequence d.s2 rename to s"),
    "policy": ("create policy p on d.t using (true)", "drop policy p on d.t"),
    "child": ("alter table d.k inherit d.t", "alter table d.k no inherit d.t"),
    "cast": ("create cast (d.pair as int) with function d.of_pair(d.pair)", "drop cast (d.pair as int)"),
    "operator": ("create operator d.@@@ (function = d.f, rightarg = int)", "drop operator d.@@@ (none, int)"),
    "class": (
        "create operator class d.ops for type int4 using hash as function 1 d.f(int4)",
        "drop operator family d.ops using hash",
    ),
    "domain": ("alter domain d.positive add constraint c check (value > 0)", "alter domain d.positive drop constraint c"),
    "foreign": ("create foreign table d.far (a int) server nowhere", "drop foreign table d.far"),
}
SETUP = """
drop schema if exists d cascade; create schema d;
create function d.f(int) returns int language plpgsql stable as 'begin return $1; end';
create view d.v as select 1 as a; create table d.t (a int); create table d.k (a int); create sequence d.s;
create type d.pair as (a int, b int); create domain d.positive as int;
create function d.of_pair(d.pair) returns int language plpgsql immutable as 'begin return 1; end';
create foreign data wrapper w; create server nowhere foreign data wrapper w;
"""
NO_CHANGES = ["analyze d.t", "vacuum d.t", "insert into d.t values (1)", "create index on d.t (a)", "create temp table x (a int)",
              "grant select on d.t to app", "comment on table d.t is 'x'", "create role somebody", "drop role somebody"]  # fmt: skip


def test_what_the_check_notices(cluster, start):
    """The query by which gilmok finds out whether anything has changed, as the server has logged it."""
    g = start(refresh="1s")
    with cluster.client(g) as c:
        wait_for(lambda: value(c, "select 1") and any(FACTS not in q and "pg_aggregate" not in q for q in cluster.asked(CHECK)), what="a check")
    text = next(q for q in cluster.asked(CHECK) if FACTS not in q and "pg_aggregate" not in q).split("statement: ", 1)[1]
    query = text[text.index("SELECT 'digest'") : text.rindex("COMMIT")].rstrip("; \n")
    with cluster.connect("a", APP_DB) as su:
        for statement in filter(str.strip, SETUP.split(";\n")):
            su.execute(statement)

        def digest():
            return su.execute(query).fetchone()[1]

        try:
            for name, (do, undo) in CHANGES.items():
                before = digest()
                su.execute(do)
                assert digest() != before, name
                su.execute(undo)
            for text in NO_CHANGES:
                before = digest()
                su.execute(text)
                assert digest() == before, text
        finally:
            su.execute("drop schema if exists e cascade; drop schema if exists d cascade; drop foreign data wrapper w cascade")


def test_what_is_dropped_while_it_is_read(cluster, start):
    """The server says an error then, of a view that its snapshot shows and that is gone: half a minute is not waited for that."""
    g = start(more="read_consistency = eventual\n")
    with cluster.client(g, prepare_threshold=None) as c, cluster.client(g) as dropper:
        c.execute("create view goes as select 1 as a")
        wait_for(lambda: route(c) == "replica", 20, "reads on replicas")
        dropper.execute("begin")
        dropper.execute("drop view goes")
        before = cluster.count(FACTS)
        c.execute("create view stays as select 1 as a")
        wait_for(lambda: cluster.count(FACTS) > before, what="a reading, which waits for the view's lock")
        dropper.execute("commit")
        wait_for(lambda: route(c) == "replica", what="reads on replicas, after another reading")
        c.execute("drop view stays")
