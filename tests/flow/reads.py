#!/usr/bin/python3
"""What `gilmok route` calls a read: a real standby answers it as the primary does. And the lists behind it, beside a server's own."""

import glob
import os
import re
import subprocess
import sys
import time

import psycopg
import pytest

import harness
from answers import answers, is_clean, shape
from flowtools import PRIMARY_PORT, superuser

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ROUTING = os.path.join(TREE, "routing")
GOLDEN = os.path.join(TREE, "tests", "golden")
DATABASE = "reads"
CONF = f"""
[gilmok]
listen = 127.0.0.1:6999
client_auth = trust

[cluster main]

[node main/one]
host = {os.environ.get("SUPERUSER_SOCKET_DIR", "/tmp")}
port = {PRIMARY_PORT}

[database {DATABASE}]
cluster = main
"""
COLUMNS = "a int, b int, c int, d text, e text, id int default 1, x int, y int, n int, s text default 's'"
TABLES = "t u v w job jobs a b c d e f x orders accounts".split()
MAKE = f"""
set client_min_messages = warning;
create type mood as enum ('a', 'happy');
create sequence counter;
{"".join(f"create table {name} ({COLUMNS}); insert into {name} values (1, 2, 3, 'x', 'y'), (2, 3, 4, 'X', 'Y');" for name in TABLES)}
create unlogged table unlogged (a int);
create view v1 as select a, lower(d) as d from t;
create view v_next as select nextval('counter') from t;
create view v_of_view as select * from v_next;
create view v_locks as select * from pg_locks;
create view v_unlogged as select * from unlogged;
create materialized view m as select nextval('counter');
create table parted (a int) partition by range (a);
create table p1 partition of parted for values from (1) to (10);
create unlogged table p2 partition of parted for values from (10) to (20);
create function vol() returns int language plpgsql as 'begin return 1; end';
create function seen() returns int language sql as 'select count(*)::int from t';
create function unseen() returns bigint language sql as $$ select nextval('counter') $$;
create function stab() returns int stable language sql as 'select 1';
create function stab_next() returns bigint stable language sql as $$ select nextval('counter') $$;
create function stab_lock() returns void stable language plpgsql as $$ begin perform pg_advisory_xact_lock(1); end $$;
create function stab_node() returns bool stable language plpgsql as $$ begin return pg_is_in_recovery(); end $$;
create function stab_default(p bigint default nextval('counter')) returns bigint stable language sql as 'select p';
create function stab_exec() returns int stable language plpgsql as $$ begin execute 'select 1'; return 1; end $$;
create function stab_pl(p int) returns int stable language plpgsql as $$
declare r int; begin if p in (1, 2) then select count(*) into r from t where a = p; return r; end if; return coalesce(p, 0); end $$;
create function kept(p int) returns int immutable return p + 1;
create function kept_next() returns bigint stable begin atomic select nextval('counter'); end;
create function circle(p int) returns int stable language sql as 'select 1';
create or replace function circle(p int) returns int stable language sql as 'select case when p > 0 then circle(p - 1) else 0 end';
create aggregate agg_ok(int) (sfunc = int4pl, stype = int);
create function second(int, int) returns int language plpgsql as 'begin return $2; end';
create aggregate agg_vol(int) (sfunc = second, stype = int);
create table tenants (a int, who text default 'me'); alter table tenants enable row level security;
create policy p on tenants using (who = current_setting('app.tenant'));
create table policed (a int); alter table policed enable row level security; create policy p on policed using (a = vol());
create function now(int) returns int language plpgsql as 'begin return 1; end';
create function shout(t) returns text language plpgsql as 'begin return $1.d; end';
create function loud() returns text stable language plpgsql as $$ begin return (select r.shout from t as r limit 1); end $$;
create function murmur(t) returns text language sql as 'select $1.d';
create extension tablefunc;
create schema other; create unlogged table other.w (a int);
create procedure writer() language sql as 'select 1';
create domain small as int check (value < 100);
analyze;
"""
# What the catalog says of these, and what of the others keeps them on the primary.
STEADY = [
    "SELECT * FROM v1 ORDER BY a", "SELECT * FROM m", "SELECT * FROM p1", "SELECT stab(), stab_pl(1), kept(1), circle(3), seen()",
    "SELECT t.murmur, murmur(t) FROM t",
    "SELECT agg_ok(a) FROM t", "SELECT * FROM tenants", "SELECT pg_catalog.now() > '2020-01-01'", "SELECT * FROM public.w",
    "SELECT a::small, 'happy'::mood FROM t", "EXPLAIN (COSTS off) SELECT vol() FROM t", "SELECT count(*) FROM information_schema.tables",
    "SELECT information_schema._pg_datetime_precision(1114, 3)", "COPY (SELECT kept(a) FROM t) TO STDOUT",
]  # fmt: skip
UNSAFE = {
    "SELECT * FROM unlogged": "unlogged", "SELECT * FROM v_next": "nextval", "SELECT * FROM v_of_view": "public.v_next",
    "SELECT * FROM v_locks": "pg_locks", "SELECT * FROM v_unlogged": "public.unlogged", "SELECT * FROM parted": "unlogged",
    "SELECT vol()": "volatile", "SELECT unseen()": "nextval", "SELECT stab_next()": "nextval", "SELECT stab_lock()": "pg_advisory_xact_lock",
    "SELECT stab_node()": "pg_is_in_recovery", "SELECT stab_exec()": "body", "SELECT stab_default()": "nextval", "SELECT kept_next()": "nextval",
    "SELECT agg_vol(a) FROM t": "public.second", "SELECT * FROM policed": "public.vol", "SELECT now(), now(1)": "besides the server's own",
    "SELECT t.shout FROM t": "function shout", "SELECT * FROM w": "unlogged", "SELECT last_value FROM counter": "ahead",
    "EXPLAIN SELECT * FROM unlogged": "unlogged", "CALL writer()": "function writer",
    "SELECT loud()": "function shout",
    "SELECT * FROM crosstab('values (1, 2, 3)') AS x(a int, b int)": "volatile",
    "SELECT * FROM public.crosstab('values (1, 2, 3)') AS x(a int, b int)": "volatile",
}  # fmt: skip

sys.dont_write_bytecode = True
sys.path.append(ROUTING)


# ---- servers ----


def standby(dbname=DATABASE):
    return psycopg.connect(host=os.environ["SUPERUSER_SOCKET_DIR"], port=int(os.environ["REPLICA1_PORT"]), dbname=dbname,
                           user=os.environ["SUPERUSER_USER"], autocommit=True)  # fmt: skip


def catch_up(primary, replica, seconds=20):
    lsn = primary.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
    end = time.monotonic() + seconds
    while not replica.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [lsn]).fetchone()[0]:
        assert time.monotonic() < end, "the standby does not catch up"
        time.sleep(0.02)


@pytest.fixture(scope="module", name="both")
def fixture_both():
    """A primary and its standby, connected to a database of the tests' own."""
    if "REPLICA1_PORT" not in os.environ:
        pytest.skip("the sandbox has no replicas: deploy/sandbox up pg-replicas")
    with superuser() as first:
        first.execute(f"drop database if exists {DATABASE} with (force)")
        first.execute(f"create database {DATABASE}")
    primary = superuser(DATABASE)
    primary.execute(MAKE)
    replica = None
    end = time.monotonic() + 20
    while not replica:
        try:
            replica = standby()
        except psycopg.OperationalError:
            assert time.monotonic() < end, "the standby does not have the database"
            time.sleep(0.05)
    for server in (primary, replica):
        server.execute("set statement_timeout = '2s'; set lc_messages = 'C'")
    yield primary, replica
    primary.close()
    replica.close()
    with superuser() as first:
        first.execute(f"drop database if exists {DATABASE} with (force)")


@pytest.fixture(name="servers")
def fixture_servers(both):
    """Both, the standby caught up with what other tests have done."""
    catch_up(*both)
    return both


@pytest.fixture(name="conf")
def fixture_conf(tmp_path):
    path = tmp_path / "gilmok.conf"
    path.write_text(CONF)
    return str(path)


# ---- texts ----


def golden_texts():
    """Those of the golden files, of route and of the parser for PostgreSQL."""
    texts = []
    for path in sorted(glob.glob(os.path.join(GOLDEN, "route", "*.txt"))):
        for line in open(path, encoding="utf-8"):
            if " => " in line and not line.startswith("@"):
                texts.append(line.split(" => ")[0].rstrip())
    for path in sorted(glob.glob(os.path.join(GOLDEN, "parser", "pg_*.txt"))):
        for block in re.split(r"\n(?:=>[^\n]*\n)+", open(path, encoding="utf-8").read()):
            lines = [line for line in block.split("\n") if line and not line.startswith(("#", "@ ", "== "))]
            texts.append("\n".join(lines))
    return list(dict.fromkeys(texts))


OFFLINE = ("--offline", "--server-version", "15")
ONLINE = ("-U", os.environ.get("SUPERUSER_USER", ""))


def route(conf, texts, *options):
    """{text: (first word, reasons)}"""
    command = [harness.BIN, "route", "-c", conf, "-d", DATABASE, *options]
    text = "".join(text + "\0" for text in texts)
    done = subprocess.run([*command, "--null"], input=text.encode(), stdout=subprocess.PIPE, timeout=120, check=True)
    return {text: tuple(line.split("\t", 1)) for text, line in zip(texts, done.stdout.decode().split("\n"))}


@pytest.mark.parametrize("asked", [OFFLINE, ONLINE], ids=["offline", "online"])
def test_golden_reads_are_answered_alike(servers, conf, asked):
    """Every text that is called a read: the same rows in whatever order, or the same SQLSTATE, on primary and standby."""
    primary, replica = servers
    called = route(conf, [text for text in golden_texts() if text and "\\x" not in text], *asked)
    reads = [text for text, (word, _) in called.items() if word == "replica"]
    clean, moving, different = 0, 0, []
    for text in reads:
        here, again = answers(primary, text), answers(primary, text)
        there = answers(replica, text)
        clean += is_clean(here)
        if here != again or "samples rows" in called[text][1] or "volatile, but" in called[text][1]:
            moving += 1
            here, there = shape(here), shape(there)
        if "samples rows" in called[text][1]:
            here, there = is_clean(here), is_clean(there)
        if here != there:
            different.append((text, called[text][1], here, there))
    print(f"{len(called)} texts, {len(reads)} of them reads, {clean} of these run, {moving} with other rows each time")
    assert not different, different
    assert len(reads) > 150 and clean > 140 and moving < 40


def test_what_the_catalog_vouches_for(servers, conf):
    primary, replica = servers
    for text, (word, reasons) in route(conf, STEADY, *ONLINE).items():
        assert word == "replica", (text, reasons)
        assert is_clean(answers(primary, text)) and answers(primary, text) == answers(replica, text), text


def test_what_the_catalog_does_not_vouch_for(servers, conf):
    assert is_clean([answer for text in UNSAFE for answer in answers(servers[0], text)])
    called = route(conf, list(UNSAFE), *ONLINE)
    wrong = {text: line for text, line in called.items() if line[0] != "primary" or UNSAFE[text] not in line[1]}
    assert not wrong


def test_operators_of_volatile_code_keep_everything(servers, conf):
    servers[0].execute("create function plus(text, text) returns text language plpgsql as 'begin return $1; end'")
    servers[0].execute("create operator <+> (leftarg = text, rightarg = text, function = plus)")
    word, reasons = route(conf, ["SELECT a FROM t"], *ONLINE)["SELECT a FROM t"]
    servers[0].execute("drop function plus cascade")
    assert word == "primary" and "function public.plus at 7: volatile" in reasons
    assert route(conf, ["SELECT a FROM t"], *ONLINE)["SELECT a FROM t"][0] == "replica"


def test_of_several_nodes_the_primary_is_asked(servers, tmp_path):
    """A standby could not tell what was made a moment ago."""
    conf = tmp_path / "several.conf"
    node = f"[node main/two]\nhost = {os.environ['SUPERUSER_SOCKET_DIR']}\nport = {os.environ['REPLICA1_PORT']}\n\n"
    monitor = f"[cluster main]\nmonitor_user = {os.environ['SUPERUSER_USER']}\nmonitor_database = {DATABASE}"
    conf.write_text(CONF.replace("[node main/one]", node + "[node main/one]").replace("[cluster main]", monitor))
    servers[1].execute("select pg_wal_replay_pause()")
    try:
        servers[0].execute("create table brand_new (a int)")
        called = route(str(conf), ["SELECT * FROM brand_new"])
    finally:
        servers[1].execute("select pg_wal_replay_resume()")
    assert called["SELECT * FROM brand_new"][0] == "replica", called


def test_a_server_that_cannot_be_asked(conf):
    done = subprocess.run([harness.BIN, "route", "-c", conf, "-d", DATABASE, "-U", "nobody there", "SELECT 1"], capture_output=True,
                          timeout=60, check=False)  # fmt: skip
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.decode().startswith("gilmok route: the server cannot be asked (--offline does without): ")


# ---- the lists ----


def lists():
    import reads_pg  # pylint: disable=import-outside-toplevel

    return reads_pg.read(os.path.join(ROUTING, "reads_pg.txt"))


def functions(server, where):
    rows = server.execute("select distinct proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace and oid < 16384"
                          f" and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) and {where}").fetchall()  # fmt: skip
    return {row[0] for row in rows}


def test_every_volatile_function_is_listed(servers):
    missing = functions(servers[0], "provolatile = 'v'") - set(lists()["functions"])
    assert not missing, f"volatile, and not in routing/reads_pg.txt: {' '.join(sorted(missing))}"


def test_every_listed_function_is_there(servers):
    """But for dblink's, those of other versions, and what a minor release has brought that this server need not be."""
    later = {"binary_upgrade_set_next_attribute_versions"}
    if servers[0].info.server_version // 10000 != 15:
        pytest.skip("the list is that of version 15")
    unknown = {name for name in lists()["functions"] if not name.startswith("dblink")} - functions(servers[0], "true")
    assert unknown - later == {"pg_start_backup", "pg_stop_backup"}


def test_every_relation_of_the_servers_own_is_listed(servers):
    rows = servers[0].execute("select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')")
    missing = {row[0] for row in rows} - set(lists()["relations"])
    assert not missing, f"not in routing/reads_pg.txt: {' '.join(sorted(missing))}"


def test_types_and_operators_are_the_servers_own(servers):
    words = {"bigint", "boolean", "char", "character", "dec", "decimal", "double precision", "float", "int", "integer", "real", "smallint"}
    types = {row[0] for row in servers[0].execute("select typname from pg_type where typnamespace = 'pg_catalog'::regnamespace")}
    assert not set(lists()["types"]) - types - words
    operators = {row[0] for row in servers[0].execute("select oprname from pg_operator where oprnamespace = 'pg_catalog'::regnamespace")}
    assert set(lists()["operators"]) - {"!="} == operators


def test_settings_that_follow_the_client_are_settings(servers):
    for name in lists()["settings"]:
        for server in servers:
            server.execute(f"show {name}")


def test_steady_relations_are_the_same_on_a_standby(servers):
    """Meanwhile autovacuum may change a catalog: what differs is looked at again."""
    names = {name for name, kind in lists()["relations"].items() if kind == "steady" and name != "pg_largeobject"}
    for _ in range(3):
        catch_up(*servers)
        names = {name for name in names if len({repr(answers(server, f"select * from pg_catalog.{name}")) for server in servers}) > 1}
    assert not names


def test_definitions_of_the_servers_own_views_are_reads(servers, conf):
    """Those of views that are called safe, and no others. information_schema.tables asks for the session's temporary schema, too: a
    client that has one keeps its connection, and is not asked about here."""
    rows = servers[0].execute("select relnamespace::regnamespace::text, relname, pg_get_viewdef(oid) from pg_class where relkind = 'v'"
                              " and relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)")  # fmt: skip
    views = {definition: (schema, name) for schema, name, definition in rows}
    rows = servers[0].execute("select distinct proname from pg_proc where pronamespace = 'information_schema'::regnamespace")
    own = {row[0] for row in rows}
    safe = {name for name, kind in lists()["relations"].items() if kind == "steady"}
    called = route(conf, list(views), *OFFLINE, "--read-functions", ",".join(f"information_schema.{name},{name}" for name in own))
    wrong = [(views[text], reasons) for text, (word, reasons) in called.items()
             if (word == "replica") != (views[text][0] == "information_schema" or views[text][1] in safe)]  # fmt: skip
    assert [view for view, _ in wrong] == [("information_schema", "tables")] and len(views) > 120, wrong


def test_steady_functions_without_arguments_are_the_same_on_a_standby(servers):
    """Those that are called safe because nothing is known against them."""
    primary, replica = servers
    unsafe = {name for name, kind in lists()["functions"].items() if kind != "fresh"}
    names = functions(primary, "pronargs = pronargdefaults and prokind = 'f' and prorettype <> 'internal'::regtype") - unsafe
    different, ran = [], 0
    for name in sorted(names):
        text = f"select * from pg_catalog.{name}()" if name != "current_setting" else "select 1"
        here, again, there = answers(primary, text), answers(primary, text), answers(replica, text)
        ran += is_clean(here)
        if (here == again and here != there) or shape(here) != shape(there):
            different.append((name, here, there))
    assert not different, different
    assert ran > 10


def test_what_a_standby_refuses_is_no_read(servers):
    """Functions that the standby refuses to run where the primary does: none of them is called safe."""
    primary, replica = servers
    safe = functions(primary, "pronargs = pronargdefaults and prokind = 'f' and provolatile = 'v'") & {
        name for name, kind in lists()["functions"].items() if kind == "fresh"}  # fmt: skip
    for name in sorted(safe):
        assert shape(answers(primary, f"select pg_catalog.{name}()")) == shape(answers(replica, f"select pg_catalog.{name}()")), name
    refused = {"nextval('counter')": "25006", "txid_current()": "55000", "pg_notify('a', 'b')": "25006", "lo_create(0)": "25006"}
    for call in refused:
        assert is_clean(answers(primary, f"select {call}")) and not is_clean(answers(replica, f"select {call}")), call
