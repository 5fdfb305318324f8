#!/usr/bin/python3
"""A node that is no standby but a subscriber of logical replication, with copies of some tables: what is read there, and what never."""

import collections
import contextlib
import fcntl
import os
import pathlib
import secrets
import socket
import subprocess
import threading
import time

import psycopg
import pytest

from failover import Cluster, shown, wait_for_roles
from flowtools import APP_DB, value
from harness import wait_for

FEEDER_PASSWORD = secrets.token_hex(8)
TABLES = "create table orders (id int primary key, word text); create table items (id int primary key, word text)"
SPLIT = f"[database split]\nserver_database = {APP_DB}\nread_write_split = on\npool_size = 6\nqueue_timeout = 20s\n"


def take_port(first, owner):
    """The first free one, and reserved as a sandbox's own (deploy/lib.sh)."""
    where = os.path.join(os.environ.get("GILMOK_STATE") or f"/var/tmp/gilmok-{os.getuid()}", "ports")
    with open(f"{where}/lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for port in range(first, 65536):
            path = f"{where}/{port}"
            holder = pathlib.Path(path).read_text(encoding="utf-8").strip() if os.path.exists(path) else ""
            is_held = holder and os.path.exists(f"{holder}/socket_dir" if holder.startswith("/") else f"/proc/{holder}")
            with socket.socket() as s:
                if not is_held and s.connect_ex(("127.0.0.1", port)) != 0:
                    pathlib.Path(path).write_text(owner, encoding="utf-8")
                    return str(port)
    raise OSError("no free port")


class Fed(Cluster):
    """Nodes a (the primary), b and c (its standbys), and s, which subscribes to orders and items."""

    def __init__(self):
        os.environ["SANDBOX_PG_CONF_EXTRA"] = "wal_level = logical"
        try:
            super().__init__()
        finally:
            del os.environ["SANDBOX_PG_CONF_EXTRA"]
        self.env |= {"SUBSCRIBER_PORT": take_port(self.port("c") + 1, self.dir), "SUBSCRIBER_DATA": f"{self.dir}/subscriber", "SUBSCRIBER_LOG": f"{self.dir}/log/subscriber.log"}
        self.run("a", "alter system set synchronous_commit = on")  # else the log leaves the primary five times a second
        self.run("a", "select pg_reload_conf()")
        self.run("a", f"create role feeder login replication password '{FEEDER_PASSWORD}'")
        self.make_server()
        self.start("s")
        for sql in (
            f"create role app login password '{self.env['APP_PASSWORD']}'",
            f"create role watcher login password '{self.password_of_watcher()}' in role pg_monitor",
            f"create database {APP_DB}",
        ):
            self.run("s", sql)
        for node in "as":
            self.run(node, TABLES, APP_DB)
            self.run(node, "grant all on orders, items to app", APP_DB)
            self.run(node, "create table beats (gilmok bigint primary key, beat bigint not null, at timestamptz not null)", APP_DB)
            self.run(node, "grant select, insert, update, delete on beats to watcher", APP_DB)
        self.run("a", "create table others (id int primary key, word text); grant all on others to app", APP_DB)
        self.run("a", "create view orders_seen as select * from orders; grant all on orders_seen to app", APP_DB)
        self.run("a", "insert into orders select i, 'order ' || i from generate_series(1, 50) i", APP_DB)
        self.run("a", "grant select on orders, items, beats to feeder; create publication feed for table orders, items, beats", APP_DB)
        self.subscribe()

    def password_of_watcher(self):
        return "the-monitor's-own".replace("'", "''")

    def port(self, node):
        return int(self.env["SUBSCRIBER_PORT"]) if node == "s" else super().port(node)

    def data(self, node):
        return self.env["SUBSCRIBER_DATA"] if node == "s" else super().data(node)

    def control(self, node, *words):
        if node != "s":
            return super().control(node, *words)
        log = ["-l", self.env["SUBSCRIBER_LOG"]] if "start" in words else []
        return self.as_server(self.env["PG_BIN"] + "/pg_ctl", "-D", self.data("s"), "-w", "-s", *words, *log)

    def as_server(self, *words, stdin=None):
        prefix = ["runuser", "-u", self.env["SERVER_USER"], "--"] if os.geteuid() == 0 else []
        subprocess.run([*prefix, *words], cwd="/", check=True, timeout=60, input=stdin, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       **({} if stdin else {"stdin": subprocess.DEVNULL}))  # fmt: skip

    def make_server(self):
        self.as_server(self.env["PG_BIN"] + "/initdb", "-D", self.data("s"), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        for name in ("pg_hba.conf", "pg_ident.conf"):
            self.as_server("cp", f"{self.data('a')}/{name}", f"{self.data('s')}/{name}")
        conf = f"listen_addresses = '127.0.0.1'\nunix_socket_directories = '{self.env['SUPERUSER_SOCKET_DIR']}'\nport = {self.port('s')}\nfsync = off\nwal_level = logical\nwal_retrieve_retry_interval = 100ms\n"
        self.as_server("tee", "-a", f"{self.data('s')}/postgresql.conf", stdin=conf)

    def connection_of(self, node, database):
        return f"host=127.0.0.1 port={self.port(node)} user=feeder password={FEEDER_PASSWORD} dbname={database}"

    def subscribe(self, more=""):
        self.run("s", f"create subscription sub connection '{self.connection_of('a', APP_DB)}' publication feed {more}", APP_DB)

    def copy_anew(self):
        for sql in ("alter subscription sub disable", "drop subscription sub", "truncate orders, items, beats"):
            self.run("s", sql, APP_DB)
        self.subscribe()

    def node(self, tables="public.orders, public.items", proof="subscription = sub"):
        return f"[node main/s]\nhost = 127.0.0.1\nport = {self.port('s')}\nfeed = logical\ntables = {tables}\n{proof}\ndatabase = {APP_DB}\n"

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop("s")
        super().close()


@pytest.fixture(scope="module")
def cluster():
    c = Fed()
    yield c
    c.close()


@pytest.fixture
def start(cluster):
    gilmoks = []

    def run(tables="public.orders, public.items", nodes="ab", split="", proof="subscription = sub", **more):
        g = cluster.gilmok(nodes=nodes, tail=SPLIT + split + cluster.node(tables, proof), **more)
        gilmoks.append(g)
        wait_for_roles(g, **{"a": "primary", **dict.fromkeys(nodes[1:], "replica"), "s": "subscriber"})
        return g

    yield run
    for g in gilmoks:
        g.close()


def trouble(g):
    return shown(g)["s"]["trouble"] or ""


def wait_for_copy(g):
    try:
        wait_for(lambda: not trouble(g) and shown(g)["s"]["lag_ms"] is not None, 10, "the copy")
    except AssertionError as e:
        raise AssertionError(f"{e}: {shown(g)['s']}") from None


CATALOG = "set allow_system_table_mods = on"


def test_it_is_shown_and_no_part_of_the_decision(cluster, start):
    g = start()
    wait_for_copy(g)
    s = shown(g)["s"]
    assert s["role"] == "subscriber" and s["health"] == "up" and int(s["lag_ms"]) < 5000, s
    assert s["system_identifier"] != shown(g)["a"]["system_identifier"]
    assert shown(g, "CLUSTERS")["main"]["primary"] == "a"


@pytest.mark.parametrize(
    "there, undo, said",
    [
        ("alter subscription sub disable", "alter subscription sub enable", "disabled"),
        ("alter table items add column more int", "alter table items drop column more", "public.items has other columns"),
        ("create schema x; create table x.items (a int)", "drop schema x cascade", "another relation called items"),
        ("create function lower(text) returns text language sql as 'select null'", "drop function public.lower(text)", "functions with names"),
        ("create function word(items, text default 'en') returns text language sql stable as 'select null'", "drop function word(items, text)", "or of rows"),
        ("create function any_word(anyelement) returns text language sql stable as 'select null'", "drop function any_word(anyelement)", "or of rows"),
        # As CREATE SUBSCRIPTION ... WITH (copy_data = false) leaves it, and as a later copy would; and as if two brought it.
        (f"{CATALOG}; update pg_subscription_rel set srsublsn = null where srrelid = 'items'::regclass",
         f"{CATALOG}; update pg_subscription_rel set srsublsn = (select received_lsn + 1000 from pg_stat_subscription where relid is null) where srrelid = 'items'::regclass", "was not copied by its subscription"),
        (f"{CATALOG}; insert into pg_subscription_rel select 1, srrelid, 'r', '0/1' from pg_subscription_rel where srrelid = 'items'::regclass",
         f"{CATALOG}; delete from pg_subscription_rel where srsubid = 1", "another subscription brings public.items, too"),
        # Of a type of the database's own, as an extension brings them: the primary has none of it.
        ("create type mood as enum ('good'); create function lower(mood) returns text language sql as 'select null'",
         "drop function lower(mood); drop type mood", "functions with names of the server's own are others"),
        ("create function regexp_count(mood text, more text, even text) returns text language sql as 'select null'",
         "drop function regexp_count(text, text, text)", "functions with names"),
        ("create function change() returns trigger language plpgsql as 'begin return null; end'; create trigger change before insert on items"
         " for each row execute function change(); alter table items enable always trigger change",
         "drop trigger change on items; drop function change()", "a trigger of public.items fires"),
        ("alter role watcher set datestyle = 'german'", "alter role watcher reset datestyle", "settings of monitor_user's role"),
        ("alter table orders enable row level security", "alter table orders disable row level security", "row security"),
        (f"alter database {APP_DB} set datestyle = 'german'", f"alter database {APP_DB} reset datestyle", "settings"),
    ],
)
def test_what_makes_it_no_copy_is_told(cluster, start, there, undo, said):
    g = start()
    wait_for_copy(g)
    cluster.run("s", there, APP_DB)
    try:
        wait_for(lambda: said in trouble(g), 10, f"{said}; it says {trouble(g)}")
        assert shown(g)["s"]["lag_ms"] is None
    finally:
        cluster.run("s", undo, APP_DB)
    wait_for_copy(g)


@pytest.mark.parametrize(
    "there, undo, said",
    [
        ("alter publication feed drop table items", "alter publication feed add table items", "do not bring all of public.items"),
        ("alter publication feed set (publish = 'insert')", "alter publication feed set (publish = 'insert, update, delete, truncate')", "do not bring all"),
        ("alter publication feed set table orders where (id > 3), items, beats", "alter publication feed set table orders, items, beats", "all of public.orders"),
    ],
)
def test_what_was_not_brought_for_a_while_must_be_copied_anew(cluster, start, there, undo, said):
    g = start()
    wait_for_copy(g)
    cluster.run("a", there, APP_DB)
    try:
        wait_for(lambda: said in trouble(g), 10, f"{said}; it says {trouble(g)}")
    finally:
        cluster.run("a", undo, APP_DB)
    try:
        wait_for(lambda: "must be copied anew: its publications" in trouble(g), 10, f"the loss; it says {trouble(g)}")
        assert not g.console("RELOAD").errors
        wait_for(lambda: "must be copied anew: its publications" in trouble(g), 10, f"the loss, still; it says {trouble(g)}")
    finally:
        cluster.copy_anew()
    wait_for_copy(g)


def test_columns_that_differ(cluster, start):
    g = start()
    wait_for_copy(g)
    cluster.run("a", "alter table items add column more int", APP_DB)
    try:
        wait_for(lambda: "other columns" in trouble(g), 10, f"the difference; it says {trouble(g)}")
    finally:
        cluster.run("a", "alter table items drop column more", APP_DB)
    wait_for_copy(g)


ADD = "alter table orders add column more int"
GONE = "alter table orders drop column more"


@pytest.mark.parametrize(
    "steps, undo, said",
    [
        # A default that is computed for each row that is there.
        ((("as", "alter table items add column more uuid default gen_random_uuid()"),), "alter table items drop column more", "all of its rows were written anew"),
        ((("a", "alter table items alter word type text using upper(word)"),), None, "all of its rows were written anew"),
        ((("s", f"{ADD} default 5"), ("a", f"{ADD} default 6")), GONE, "another default than at the primary"),
        ((("s", ADD), ("a", f"{ADD} default 6")), GONE, "another default than at the primary"),
        ((("s", f"{ADD} default 6"), ("a", ADD)), GONE, "another default than at the primary"),
        ((("s", f"{ADD}; alter table orders alter more set default 7"), (None, "other columns"), ("a", ADD)), GONE, "a column more for a while, with a default"),
        ((("a", "alter table items drop column word, add column word text"),), None, "a column was dropped at the primary"),
    ],
)
def test_what_rows_have_missed(cluster, start, steps, undo, said):
    """Logical replication brings what is done to rows, and nothing of what is done to tables."""
    g = start()
    wait_for_copy(g)
    try:
        for nodes, sql in steps:
            if nodes is None:
                wait_for(lambda words=sql: words in trouble(g), 10, "the difference")
                continue
            for node in nodes:
                cluster.run(node, sql, APP_DB)
        wait_for(lambda: "must be copied anew" in trouble(g) and said in trouble(g), 10, f"{said}; it says {trouble(g)}")
    finally:
        for node in "as" if undo else "":
            cluster.run(node, undo, APP_DB)
        cluster.copy_anew()
    wait_for_copy(g)


@pytest.mark.parametrize(
    "ddl", [("alter table items add column more int",), ("alter table items add column more int default 5",), ("vacuum full items", "alter table items alter word set statistics 7")]
)
def test_what_rows_have_not_missed(cluster, start, ddl):
    g = start()
    wait_for_copy(g)
    for sql in ddl:
        for node in "sa":
            cluster.run(node, sql, APP_DB)
        time.sleep(0.5)
    wait_for_copy(g)
    if "more" in ddl[0]:
        for node in "as":
            cluster.run(node, "alter table items drop column more", APP_DB)
        wait_for_copy(g)


def test_rows_that_are_found_by_their_values(cluster, start):
    g = start()
    wait_for_copy(g)
    cluster.run("a", "alter table items replica identity full", APP_DB)
    try:
        wait_for(lambda: "public.items has REPLICA IDENTITY FULL" in trouble(g), 10, "the trouble")
    finally:
        cluster.run("a", "alter table items replica identity default", APP_DB)
    wait_for_copy(g)


def test_a_slot_that_another_server_uses(cluster, start):
    """The subscriber has its rows from elsewhere, and somebody else streams by the name of its slot."""
    g = start()
    wait_for_copy(g)
    cluster.run("s", "create database elsewhere")
    cluster.run("s", f"create role feeder login replication superuser password '{FEEDER_PASSWORD}'")
    cluster.run("s", f"{TABLES}; create publication feed for table orders, items", "elsewhere")
    cluster.run("s", "select pg_create_logical_replication_slot('sub', 'pgoutput')", "elsewhere")
    to = cluster.connection_of("s", "elsewhere")
    cluster.run("s", f"alter subscription sub connection '{to}'", APP_DB)
    wait_for(lambda: "streams nothing" in trouble(g) or "receives nothing" in trouble(g), 10, f"the end of the stream; it says {trouble(g)}")
    words = [cluster.env["PG_BIN"] + "/pg_recvlogical", "-d", cluster.connection_of("a", APP_DB), "-S", "sub", "--start", "-f", "/dev/null"]
    more = ["-o", "proto_version=1", "-o", "publication_names=feed", "-F", "1", "-s", "1"]
    receiver = subprocess.Popen([*words, *more], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: "another server uses its slot" in trouble(g), 20, f"the doubt; it says {trouble(g)}")
    finally:
        receiver.terminate()
        receiver.wait(10)
        cluster.run("s", f"alter subscription sub connection '{cluster.connection_of('a', APP_DB)}'", APP_DB)
        wait_for(lambda: cluster.run("s", "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active", "elsewhere"),
                 what="the end of the other stream")  # fmt: skip
        cluster.run("s", "drop database elsewhere")
        cluster.run("s", "drop role feeder")
    wait_for_copy(g)


def test_a_table_that_the_subscription_does_not_bring(cluster, start):
    g = start(tables="public.orders, public.others")
    wait_for(lambda: "there is no table public.others" in trouble(g), 10, "the trouble")


# ---- reads ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def marked(cluster):
    """A row that only the subscriber has: who reads it is there. And the server's log says what it was asked."""
    cluster.run("s", "insert into orders values (-1, 'here') on conflict do nothing", APP_DB)
    cluster.run("s", "alter role app set log_statement = 'all'")
    yield
    cluster.run("s", "delete from orders where id = -1", APP_DB)


def client(cluster, g, **more):
    return cluster.client(g, dbname="split", **more)


HERE = "select count(*) from orders where id = -1"


def is_at_subscriber(c, sql=HERE, *args, **more):
    return value(c, sql, *args, **more) == 1


def ready(cluster, g, **more):
    """What names stand for has been read, and the subscriber is known to be a copy."""
    wait_for_copy(g)
    c = client(cluster, g, **more)
    wait_for(lambda: is_at_subscriber(c), what="reads at the subscriber")
    return c


def was_asked(cluster, word):
    with open(cluster.env["SUBSCRIBER_LOG"], encoding="utf-8", errors="replace") as f:
        return [line for line in f if word in line and ("statement:" in line or "execute" in line)]


def routes(g):
    return {row["reason"]: int(row["exchanges"]) for row in g.show("ROUTES", database="split")}


@pytest.mark.parametrize("workers", [1, 2])
def test_reads_of_its_tables_go_there_too(cluster, start, marked, workers):
    g = start(main=[f"workers = {workers}"])
    with ready(cluster, g) as c:
        at = collections.Counter(is_at_subscriber(c) for _ in range(60))
        assert 10 < at[True] < 50, at
        assert value(c, "select count(*) from orders o join items i on true where o.id > 0") == 0
        c.execute("insert into orders values (777, 'x')")
        c.execute("delete from orders where id = 777")


def test_without_standbys_all_of_them_do(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c:
        assert all(is_at_subscriber(c) for _ in range(30))
        assert all(is_at_subscriber(c, "select count(*) from public.orders where id = %s", (-1,), prepare=True) for _ in range(10))
        c.prepare_threshold = 2
        assert all(is_at_subscriber(c, "select count(*) from orders where id = %s and true", (-1,)) for _ in range(10))
    assert routes(g).get("retried", 0) == 0


COPIED = (
    "select id, upper(word) from orders where id = 1 order by 1",
    "select o.id, count(*) filter (where o.word like 'o%') over (partition by o.id) from orders o left join items i using (id) where id = 1",
    "with few as (select * from orders where id < 3) select few.id from few union all select 7 from items",
    "table items",
    "select o.*, (select count(*) from items i) from orders o where row(o.*) is not null",
    "select case when exists (select from items) then now() else now() end, extract(year from current_date), id::bigint from orders where id = 1",
    "select (select max(id) from items), array[id], word::varchar(3), date '2020-01-01' from orders where id = any(array[1, 2])",
)
NOT_COPIED = (
    "select * from others",
    "select 1 from orders, others",
    "select * from orders_seen",
    "select 1",
    "select version() from orders",
    "select current_setting('server_version') from orders",
    "select inet_server_port() from orders",
    "select pg_relation_size('orders'), 1 from orders",
    "select ctid, id from orders",
    "select tableoid from orders",
    "select 'orders'::regclass from orders",
    "select o.xmin from orders o",
    "select count(*) from orders, pg_class",
    "select count(*) from orders, information_schema.tables",
    "select count(*) from orders tablesample system (50)",
    "select to_tsvector(word) from orders",
    "select word @@ 'x' from orders",
    'select word collate "C" from orders',
    "select id from orders for update",
    "select nextval('numbers') from orders limit 1",
    "explain select * from orders",
    "select twice(id) from orders",
    "copy (select * from orders) to stdout",
    "select current_schema from orders",
    "select o from orders o",
    "select orders from orders",
    "select array_agg(o) from orders o",
    "select coalesce(o.*, o.*) from orders o",
)


def test_what_else_is_read_never_goes_there(cluster, start, marked):
    cluster.run("a", "create sequence if not exists numbers; grant all on numbers to app", APP_DB)
    cluster.run("a", "create or replace function twice(int) returns int language sql immutable as 'select 2 * $1'", APP_DB)
    g = start(nodes="a")
    with ready(cluster, g) as c:
        for number, sql in enumerate((*NOT_COPIED, *COPIED)):
            word = secrets.token_hex(6)
            for _ in range(2):
                wait_for(lambda: is_at_subscriber(c), what="the subscriber, as fresh as this client needs it")
                if sql.startswith("copy"):
                    with c.cursor().copy(f"{sql} /* {word} */") as rows:
                        list(rows)
                else:
                    c.execute(f"{sql} /* {word} */")
            assert bool(was_asked(cluster, word)) is (number >= len(NOT_COPIED)), sql
        with c.transaction():
            assert not is_at_subscriber(c)
        c.execute("begin read only")
        assert not is_at_subscriber(c)
        c.execute("commit")
        c.execute("set search_path = pg_temp, public")
        wait_for(lambda: is_at_subscriber(c), what="the subscriber")
    assert routes(g).get("retried", 0) == 0


def test_a_parameter_that_names_something_is_read_where_it_was_meant(cluster, start, marked):
    """Of a type such as regclass, or an array of it: its text has another number at the subscriber."""
    g = start(nodes="a")
    with ready(cluster, g) as c:
        for oid, may_go in ((23, True), (1007, True), (28, False), (2205, False), (2210, False), (1008, False), (4192, False), (16384, False)):
            wait_for(lambda: is_at_subscriber(c), what="the subscriber")
            r = c.pgconn.exec_params(HERE.encode() + b" and ($1 is null or true)", [None], param_types=[oid])
            if oid < 16384:  # else there is no such type
                assert r.get_value(0, 0) == (b"1" if may_go else b"0"), oid
            else:
                assert r.error_message


def test_nothing_is_written_there_by_what_passes_for_a_read(cluster, start, marked):
    """Whatever the proof has overlooked: here a function of the server's own that is another one at the subscriber."""
    own = "pg_catalog.lpad(text, integer)"
    [(was,)] = cluster.run("s", f"select pg_get_functiondef('{own}'::regprocedure)", APP_DB)
    cluster.run("s", "create table notes (word text)", APP_DB)
    try:
        g = start(nodes="a")
        with ready(cluster, g) as c:
            assert c.info.parameter_status("default_transaction_read_only") == "off"
            body = "begin insert into public.notes values ($1); return 'written'; end"
            cluster.run("s", f"create or replace function {own} returns text language plpgsql security definer as '{body.replace(chr(39), chr(39) * 2)}'", APP_DB)
            assert value(c, "select lpad(word, 8) from orders where id = 3") == " order 3"
            assert c.info.parameter_status("default_transaction_read_only") == "off"
            assert routes(g)["retried"] == 1
            assert cluster.run("s", "select * from notes", APP_DB) == []
            wait_for(lambda: is_at_subscriber(c), what="the subscriber")
            c.execute("set default_transaction_read_only = on")
            assert not any(is_at_subscriber(c) for _ in range(20))
            assert value(c, "show default_transaction_read_only") == "on"
            c.execute("reset default_transaction_read_only")
            wait_for(lambda: is_at_subscriber(c), what="the subscriber")
            c.execute("insert into items values (5, 'x')")
            c.execute("delete from items")
    finally:
        cluster.run("s", was, APP_DB)
        cluster.run("s", "drop table notes", APP_DB)


def test_a_name_that_may_mean_another_table(cluster, start, marked):
    cluster.run("a", "create schema other; create table other.orders (id int); grant usage on schema other to app", APP_DB)
    try:
        g = start(nodes="a")
        wait_for_copy(g)
        with client(cluster, g) as c:
            wait_for(lambda: is_at_subscriber(c, "select count(*) from public.orders where id = -1"), what="reads at the subscriber")
            assert not any(is_at_subscriber(c) for _ in range(10))
    finally:
        cluster.run("a", "drop schema other cascade", APP_DB)


def test_every_client_finds_what_it_has_written(cluster, start, marked):
    g = start()
    with ready(cluster, g) as c:
        for i in range(200, 300):
            c.execute("insert into items values (%s, 'x')", (i,))
            for _ in range(3):
                assert value(c, "select count(*) from items where id = %s", (i,)) == 1
        c.execute("truncate items")
        assert value(c, "select count(*) from items") == 0
        wait_for(lambda: is_at_subscriber(c), what="reads at the subscriber again")


def test_with_a_subscriber_that_is_held_back(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c, client(cluster, g) as other:
        with cluster.connect("s", APP_DB) as s, s.transaction():
            s.execute("lock table items in share mode")  # reads may, what the subscription brings may not
            c.execute("insert into items values (1, 'x')")
            for _ in range(20):
                assert value(c, "select count(*) from items where id = 1") == 1
                assert not is_at_subscriber(c)
            assert is_at_subscriber(other)  # it has written nothing
            other.execute("set gilmok.read_consistency = 'global'")
            assert value(other, "select count(*) from items where id = 1") == 1
        wait_for(lambda: is_at_subscriber(c), what="the subscriber, when it has it all")
        assert value(c, "select count(*) from items where id = 1") == 1
        c.execute("delete from items")


def test_a_subscription_that_is_disabled(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c:
        cluster.run("s", "alter subscription sub disable", APP_DB)
        try:
            c.execute("insert into items values (2, 'x')")
            for _ in range(20):
                assert value(c, "select count(*) from items where id = 2") == 1
            c.execute("set gilmok.read_consistency = 'eventual'")
            wait_for(lambda: not is_at_subscriber(c), what="the end of reads there")
        finally:
            cluster.run("s", "alter subscription sub enable", APP_DB)
        wait_for(lambda: is_at_subscriber(c), 20, "the subscriber")
        c.execute("delete from items")


def test_columns_that_come(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c:
        cluster.run("a", "alter table orders owner to app", APP_DB)
        for _ in range(3):
            c.execute("alter table orders add column more int default 5")
            assert c.execute("select * from orders where id = 1").fetchall() == [(1, "order 1", 5)]
            assert not is_at_subscriber(c)
            c.execute("alter table orders drop column more")
            assert c.execute("select * from orders where id = 1").fetchall() == [(1, "order 1")]
            wait_for(lambda: is_at_subscriber(c), what="the subscriber")


def test_what_it_refuses_runs_at_the_primary(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c:
        cluster.run("s", "revoke all on items from app", APP_DB)
        try:
            word = secrets.token_hex(6)
            assert c.execute(f"select * from items /* {word} */").fetchall() == []
            assert c.execute(f"select * from items /* {word} */").fetchall() == []
            assert len(was_asked(cluster, word)) == 1
            assert is_at_subscriber(c)
        finally:
            cluster.run("s", "grant all on items to app", APP_DB)
    assert routes(g)["retried"] == 1


def test_a_table_that_is_being_copied(cluster, start, marked):
    rows = 1000
    for node in "as":
        cluster.run(node, "create table fresh (id int primary key); grant all on fresh to app", APP_DB)
    cluster.run("a", f"grant select on fresh to feeder; insert into fresh select generate_series(1, {rows}); alter publication feed add table fresh", APP_DB)
    g = start(tables="public.orders, public.items, public.fresh", nodes="a")
    try:
        with client(cluster, g) as c:
            assert value(c, "select count(*) from fresh") == rows
            with cluster.connect("s", APP_DB) as s, s.transaction():
                s.execute("lock table fresh in share mode")
                with cluster.connect("s", APP_DB) as t:
                    t.execute("alter subscription sub refresh publication")
                wait_for(lambda: "still being copied" in trouble(g), 10, "the copying")
                for _ in range(20):
                    assert value(c, "select count(*) from fresh") == rows
                    assert not is_at_subscriber(c)
            while not is_at_subscriber(c):
                assert value(c, "select count(*) from fresh") == rows
            assert value(c, "select count(*) from fresh") == rows
    finally:
        cluster.run("a", "alter publication feed drop table fresh", APP_DB)
        cluster.run("s", "alter subscription sub refresh publication", APP_DB)
        for node in "as":
            cluster.run(node, "drop table fresh", APP_DB)


def test_another_list_by_a_reload(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c:
        text = g.text
        g.write("gilmok.conf", text.replace("tables = public.orders, public.items", "tables = public.items"))
        assert not g.console("RELOAD").errors
        assert not any(is_at_subscriber(c) for _ in range(20))
        g.write("gilmok.conf", text)
        assert not g.console("RELOAD").errors
        wait_for(lambda: is_at_subscriber(c), 10, "the subscriber")
        g.write("gilmok.conf", text.replace(cluster.node(), ""))
        assert not g.console("RELOAD").errors
        assert not any(is_at_subscriber(c) for _ in range(20))


def test_a_server_that_ends(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c:
        cluster.stop("s", "immediate")
        try:
            assert not any(is_at_subscriber(c) for _ in range(20))
        finally:
            cluster.start("s")
        wait_for(lambda: is_at_subscriber(c), 20, "the subscriber")


def test_drain_and_resume(cluster, start, marked):
    g = start()
    with ready(cluster, g) as c:
        assert not g.console("DRAIN NODE main/s").errors
        assert not any(is_at_subscriber(c) for _ in range(20))
        assert not g.console("RESUME NODE main/s").errors
        wait_for(lambda: is_at_subscriber(c), what="the subscriber")


def test_explain_tells_of_it(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c:
        said = "node s has a copy of all its tables"
        assert said in value(c, "explain (route) select * from orders")
        assert said not in value(c, "explain (route) select * from orders, others")
        c.execute("begin read only")
        assert said not in value(c, "explain (route) select * from orders")
        c.execute("commit")


def test_it_serves_no_other_databases(cluster, start, marked):
    roles = "".join(f"[database {r}]\nserver_database = {APP_DB}\nrole = {r}\npool_size = 4\n" for r in ("replica", "prefer-replica", "any"))
    g = start(split=roles)
    ready(cluster, g).close()
    for dbname in ("replica", "prefer-replica", "any", APP_DB):
        with cluster.client(g, dbname=dbname) as c:
            assert cluster.port("s") not in {value(c, "select inet_server_port()") for _ in range(20)}
            assert not any(is_at_subscriber(c) for _ in range(20))


def test_pipelined_reads_of_both_kinds(cluster, start, marked):
    g = start(nodes="a")
    with ready(cluster, g) as c:
        for _ in range(5):
            with c.pipeline():
                answers = [c.execute(sql) for sql in ("select word from orders where id = 1", "select count(*) from others", HERE, "select 7", "select id from orders where id = 2")]
                got = [a.fetchone()[0] for a in answers]
            assert got[:2] == ["order 1", 0] and got[3:] == [7, 2] and got[2] in (0, 1), got


def test_logins_that_it_refuses(cluster, start, marked):
    cluster.run("s", "alter role app nologin")
    try:
        g = start(nodes="a")
        wait_for_copy(g)
        with client(cluster, g) as c:
            wait_for(lambda: value(c, "explain (route) select * from orders").startswith("replica"), what="what names stand for")
            for _ in range(20):
                assert value(c, "select count(*) from orders where id > 0") == 50
    finally:
        cluster.run("s", "alter role app login")


def test_changes_under_load(cluster, start, marked):
    g = start()
    text, failures, done = g.text, [], threading.Event()
    ready(cluster, g).close()

    def read():
        try:
            with client(cluster, g) as c:
                while not done.is_set():
                    assert value(c, "select count(*) from orders o left join items i using (id) where id > 0") == 50
        except (psycopg.Error, AssertionError) as e:
            failures.append(e)

    readers = [threading.Thread(target=read) for _ in range(6)]
    for t in readers:
        t.start()
    try:
        for tables in ("public.items", "public.orders", "public.orders, public.items") * 2:
            g.write("gilmok.conf", text.replace("tables = public.orders, public.items", f"tables = {tables}"))
            assert not g.console("RELOAD").errors
            assert not g.console("DRAIN NODE main/s").errors
            assert not g.console("RESUME NODE main/s").errors
            time.sleep(0.1)
    finally:
        done.set()
        for t in readers:
            t.join(20)
    assert not failures, failures


# ---- where something else brings the tables --------------------------------------------------------------------------------------

BEATS = "heartbeat = public.beats"


def test_with_a_heartbeat_every_client_finds_what_it_has_written(cluster, start, marked):
    g = start(nodes="a", proof=BEATS)
    with ready(cluster, g) as c:
        for i in range(60):
            c.execute("insert into items values (%s, 'x')", (i,))
            for _ in range(3):
                assert value(c, "select count(*) from items where id = %s", (i,)) == 1
            if i % 10 == 0:
                wait_for(lambda: is_at_subscriber(c), what="the subscriber, as fresh as this client needs it")
        c.execute("truncate items")
        assert value(c, "select count(*) from items") == 0
        assert len(cluster.run("a", "select * from beats", APP_DB)) >= 1
        assert int(shown(g)["s"]["lag_ms"]) < 5000


def test_a_heartbeat_that_does_not_come(cluster, start, marked):
    g = start(nodes="a", proof=BEATS)
    with ready(cluster, g) as c, client(cluster, g) as other:
        with cluster.connect("s", APP_DB) as s, s.transaction():
            s.execute("lock table items in share mode")
            c.execute("insert into items values (1, 'x')")
            for _ in range(20):
                assert value(c, "select count(*) from items where id = 1") == 1
                assert not is_at_subscriber(c)
            assert is_at_subscriber(other)
            wait_for(lambda: int(shown(g)["s"]["lag_ms"]) > 1500, what="the lag")
        wait_for(lambda: is_at_subscriber(c), what="the subscriber, when it has it all")
        assert value(c, "select count(*) from items where id = 1") == 1
        c.execute("delete from items")


def test_a_heartbeat_without_its_table_or_without_rights(cluster, start, marked):
    g = start(nodes="a", proof="heartbeat = public.nothing")
    wait_for(lambda: '"public.nothing" does not exist' in trouble(g), 10, "the trouble")
    cluster.run("a", "revoke update on beats from watcher", APP_DB)
    try:
        g = start(nodes="a", proof=BEATS)
        wait_for(lambda: "permission denied for table beats" in trouble(g), 10, "the trouble")
        with client(cluster, g) as c:
            assert not any(is_at_subscriber(c) for _ in range(10))
    finally:
        cluster.run("a", "grant update on beats to watcher", APP_DB)


def test_beats_of_gilmoks_that_are_gone_are_swept_away(cluster, start, marked):
    cluster.run("a", "insert into beats values (7, 7, now() - interval '2 days'), (8, 8, now() - interval '2 hours')", APP_DB)
    g = start(nodes="a", proof=BEATS)
    wait_for_copy(g)
    assert cluster.run("a", "select gilmok from beats where gilmok < 10", APP_DB) == [(8,)]


# ---- tests that end something ------------------------------------------------------------------------------------------------------


def test_zz_a_standby_that_is_promoted(cluster, start, marked):
    """The new primary has no slot of the subscription: nothing is read at the subscriber until it subscribes anew."""
    g = start()
    with ready(cluster, g) as c:
        c.execute("insert into items values (3, 'x')")
        wait_for(lambda: cluster.run("b", "select count(*) from items where id = 3", APP_DB) == [(1,)], what="the standby")
        cluster.stop("a")
        cluster.promote("b")
        wait_for(lambda: shown(g, "CLUSTERS")["main"]["primary"] == "b", 20, "the promotion")
        with client(cluster, g) as d:
            d.execute("insert into items values (4, 'x')")
            for _ in range(20):
                assert value(d, "select count(*) from items where id in (3, 4)") == 2
            assert not any(is_at_subscriber(d) for _ in range(20))
        wait_for(lambda: "receives nothing" in trouble(g), 10, "the trouble")
        cluster.run("s", "alter subscription sub disable", APP_DB)
        cluster.run("s", "alter subscription sub set (slot_name = none)", APP_DB)
        cluster.run("s", "drop subscription sub", APP_DB)
        wait_for(lambda: "no subscription sub" in trouble(g), 10, "the trouble")
