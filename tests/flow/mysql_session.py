#!/usr/bin/python3
"""MySQL clients with pool_mode = session: logins, what is left behind, waiting, times, the console."""

import contextlib
import hashlib
import os
import threading
import time

import psycopg
import pymysql
import pytest

from harness import wait_for
from mysqltools import remake, rows, value
from mywire import COMPRESS, KINDS, PING, QUERY, USUAL, ZSTD, Client, error, packet


@pytest.fixture(scope="module")
def gilmok(maria):
    with maria.started(database=["pool_size = 10"]) as g:
        yield g


def test_a_client_logs_in_and_asks(gilmok):
    with gilmok.connect() as c:
        assert value(c, "select 1 + 1") == 2
        assert value(c, "select database()") == "shop"
        assert rows(c, "select 'a' union select 'b'") == (("a",), ("b",))


def refused(g, **more):
    with pytest.raises(pymysql.err.OperationalError) as e:
        g.connect(**more).close()
    return e.value.args


# ---- logging in ----------------------------------------------------------------------------------------------------------------------


def test_who_cannot_log_in_is_told_why(maria, gilmok):
    denied = "Access denied for user '{}'@'127.0.0.1' (using password: {})"
    assert refused(gilmok, password="wrong") == (1045, denied.format(maria.user, "YES"))
    assert refused(gilmok, password="") == (1045, denied.format(maria.user, "NO"))
    assert refused(gilmok, user="nobody") == (1045, denied.format("nobody", "YES"))
    assert refused(gilmok, database="nothing")[0] == 1049
    with gilmok.connect() as c:
        assert value(c, "select 1") == 1


def test_what_the_server_refuses_is_told(maria):
    with maria.started(tail="[database gone]\ncluster = main\npool_mode = session\n", users={"stranger": "x"}) as g:
        assert refused(g, database="gone")[0] in (1044, 1049)
        number, text = refused(g, user="stranger", password="x")
        # Of somebody who is nobody MySQL asks for whatever there is, so that it does not show.
        assert number == 1105 and ("Access denied for user 'stranger'" in text or (maria.is_mysql and "asks for the authentication plugin" in text))


def test_who_names_no_schema_is_of_the_only_database_and_has_none(maria, gilmok):
    with gilmok.connect(database=None) as c:
        assert value(c, "select database()") is None
    with gilmok.connect() as c:
        assert value(c, "select database()") == "shop"
    with maria.started(tail="[database other]\ncluster = main\npool_mode = session\nserver_database = shop\n") as g:
        assert refused(g, database=None)[0] == 1046
        with g.connect(database="other") as c:
            assert value(c, "select database()") == "shop"


def test_clients_of_the_other_protocol_are_sent_away(maria, gilmok):
    with pytest.raises(psycopg.OperationalError, match='database "shop" is for MySQL clients'):
        psycopg.connect(host="127.0.0.1", port=gilmok.port, user=maria.user, password=maria.password, dbname="shop")
    pg = "[cluster pg]\n[node pg/a]\nhost = 127.0.0.1\nport = 1\n[database rows]\ncluster = pg\n"
    with maria.started(tail=pg) as g:
        number, text = refused(g, database="rows")
        assert number == 1049 and 'database "rows" is for PostgreSQL clients' in text


@pytest.mark.parametrize("cluster", [[], ["server_tls = require"]])
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_password_that_the_server_has_forgotten_is_shown_to_it_again(maria, cluster, mode):
    """caching_sha2_password, at a login and where a session begins anew: by the server's key, or inside TLS."""
    if not maria.is_mysql:
        pytest.skip("MariaDB 10.11 has no caching_sha2_password")
    with maria.superuser() as root, maria.started(mode=mode, cluster=cluster, database=["pool_size = 1", "session_reuse = on"]) as g:
        for leaves in ("set @a = 1", "select get_lock('forgotten', 0)"):
            for _ in range(2):
                rows(root, "flush privileges")
                with g.connect() as c:
                    first = value(c, "select connection_id()")
                    rows(c, leaves)
                rows(root, "flush privileges")
                with g.connect() as c:
                    assert value(c, "select connection_id()") == first and value(c, "select @a") is None
                g.console("RECONNECT shop")
    maria.direct().close()  # and remembers it


@pytest.mark.parametrize("plugin, asked", [("caching_sha2_password", "caching_sha2_password"), ("dialog", "mysql_native_password"), ("", None),
                                           ("mysql_native_password", None)])  # fmt: skip
def test_a_client_is_asked_for_its_own_plugin_or_natively(maria, plugin, asked):
    hashed = "*" + hashlib.sha1(hashlib.sha1(b"y").digest()).hexdigest()
    with maria.started(users={"hash": hashed}, database=[f"server_user = {maria.user}", "server_password_file = my.txt"],
                       files={"my.txt": maria.password + "\n"}) as g:  # fmt: skip
        for user, password, is_right in ((maria.user, maria.password, True), (maria.user, "wrong", False), (maria.user, "", False),
                                         ("nobody", "x", False), ("hash", "y", True), ("hash", "x", False)):  # fmt: skip
            with Client(g.mysql_port, user, password, "shop", plugin=plugin.encode()) as c:
                expected = "mysql_native_password" if asked and user == "hash" else asked
                assert c.asked == (expected.encode() if expected else None), user
                if is_right:
                    assert c.welcome[:1] == b"\0" and len(c.command(PING)) == 1
                else:
                    assert error(c.welcome)[:2] == (1045, "28000")


@pytest.mark.parametrize(
    "offered, wanted", [("off", COMPRESS), ("off", ZSTD), ("zstd", COMPRESS), ("zlib", ZSTD), ("zstd", COMPRESS | ZSTD)]
)
def test_who_compresses_without_having_been_offered_it_is_told(maria, offered, wanted):
    """Those who look at the greeting do not ask; the others would wait for compressed answers, as with a server that agrees."""
    with maria.started(main=[f"mysql_compression = {offered}"]) as g:
        c = Client(g.mysql_port, maria.user, maria.password, "shop", caps=USUAL | wanted)
        number, state, text = error(c.welcome)
        assert (number, state) == (1235, "42000") and "compression" in text


def test_a_client_hears_who_serves_it(maria):
    with maria.started(main=["mysql_server_version = 5.5.5-10.11.99-MariaDB"]) as g, g.connect() as c:
        assert c.get_server_info() == "5.5.5-10.11.99-MariaDB"
        assert c.thread_id() >= 1 << 31  # no server's thread: a KILL of it ends nobody else's session


# ---- sessions --------------------------------------------------------------------------------------------------------------------------

LEAVINGS = [
    "set @a = 'left'", "set timestamp = 1", "set sql_mode = 'ansi_quotes'", "set names latin1", "set time_zone = '+05:00'", "set autocommit = 0",
    "create temporary table temp (id int)", "use information_schema", "set session transaction isolation level serializable", "select get_lock('mine', 1)",
    "prepare p from 'select 1'", "lock tables kept write", "begin", "set last_insert_id = 77", "set session wait_timeout = 3",
    "set profiling = 1", "set sql_select_limit = 1", "set role none", "handler kept open",
]  # fmt: skip
SHOWN = [
    "select @a, @@sql_mode, @@character_set_client, @@collation_connection, @@time_zone, @@autocommit, database(), @@tx_isolation",
    "select last_insert_id(), @@wait_timeout, @@profiling, @@sql_select_limit, current_role(), is_free_lock('mine'), @@in_transaction",
    "select unix_timestamp() > 1000000", "select table_name from information_schema.tables where table_schema = 'shop' and table_name = 'temp'",
]  # fmt: skip


@pytest.mark.parametrize("reuse", ["on", "off"])
@pytest.mark.parametrize("leaves", LEAVINGS)
def test_nothing_is_left_for_the_next_client(maria, leaves, reuse):
    with maria.direct() as c:
        rows(c, "create table if not exists kept (id int)")
        shown = [maria.in_its_words(sql) for sql in SHOWN]
        expected = [rows(c, sql) for sql in shown]
    with maria.started(database=["pool_size = 1", f"session_reuse = {reuse}"]) as g:
        with g.connect() as c:
            first = value(c, "select connection_id()")
            rows(c, leaves)
        with g.connect() as c:
            assert (value(c, "select connection_id()") == first) == (reuse == "on")
            assert [rows(c, sql) for sql in shown] == expected
            with pytest.raises(pymysql.err.MySQLError):
                rows(c, "execute p")
            rows(c, "insert into kept values (1)")


def test_clients_that_differ_in_their_login_have_connections_of_their_own(maria, gilmok):
    for caps, changed in ((KINDS["new"], 0), (KINDS["found rows"], 1), (KINDS["new"], 0)):
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop", caps=caps) as c:
            c.command(QUERY + b"drop temporary table if exists t")
            c.command(QUERY + b"create temporary table t (v int)")
            c.command(QUERY + b"insert into t values (1)")
            assert c.command(QUERY + b"update t set v = 1")[0][5] == changed
    for collation, name in ((45, b"utf8mb4_general_ci"), (8, b"latin1_swedish_ci"), (63, b"binary"), (45, b"utf8mb4_general_ci")):
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop", collation=collation) as c:
            assert c.command(QUERY + b"select @@collation_connection")[2][5:] == name


def test_a_transaction_of_a_client_that_leaves_is_rolled_back(maria, gilmok):
    with maria.direct() as c:
        remake(c, "table undone (id int)")
    with gilmok.connect(autocommit=False) as c:
        rows(c, "insert into undone values (1)")
    with maria.direct() as c:
        assert rows(c, "select * from undone") == ()


def test_who_leaves_in_the_middle_of_rows_hurts_nobody(maria):
    with maria.started(database=["pool_size = 2"]) as g:
        for _ in range(5):
            c = Client(g.mysql_port, maria.user, maria.password, "shop")
            c.send(packet(QUERY + b"select repeat('x', 60000) from seq_1_to_10000"))
            c.take(100000)
            c.close()
        for _ in range(4):
            with g.connect() as other:
                assert value(other, "select 1") == 1


def test_who_finds_no_connection_waits_and_is_told(maria):
    with maria.started(database=["pool_size = 1", "queue_timeout = 500ms"]) as g, g.connect():
        began = time.monotonic()
        number, text = refused(g)
        assert number == 1040 and "queue_timeout" in text and 0.4 < time.monotonic() - began < 5
        late = threading.Thread(target=lambda: g.connect().close())
        late.start()
    late.join(10)
    assert not late.is_alive()


def test_a_connection_that_was_idle_is_asked_before_it_is_used(maria):
    lines = ["pool_size = 1", "session_reuse = on", "server_check_delay = 0"]
    with maria.started(database=lines) as g, maria.superuser() as root:
        for i in range(3):
            with g.connect() as c:
                thread = value(c, "select connection_id()")
            if i == 1:
                rows(root, f"kill {thread}")


def test_the_pool_waits_while_it_is_paused(maria):
    with maria.started(database=["pool_size = 2"]) as g:
        assert not g.console("PAUSE shop").errors
        late = threading.Thread(target=lambda: g.connect().close())
        late.start()
        time.sleep(0.3)
        assert late.is_alive()
        assert not g.console("RESUME shop").errors
        late.join(10)
        assert not late.is_alive()
        with g.connect() as c:
            assert not g.console("RECONNECT shop").errors
            assert value(c, "select 1") == 1
            client = next(row for row in g.show("CLIENTS") if row["database"] == "shop")
            g.console(f"KILL_CLIENT {client['id']}")
            with pytest.raises(pymysql.err.MySQLError):
                value(c, "select 1")
        assert not g.console("DISABLE shop").errors
        assert refused(g)[0] == 1105


def test_a_server_that_ends_the_connection_ends_the_session(maria, gilmok):
    with gilmok.connect() as c, maria.superuser() as root:
        rows(root, f"kill {value(c, 'select connection_id()')}")
        with pytest.raises(pymysql.err.MySQLError):
            for _ in range(3):
                rows(c, "select 1")
    with gilmok.connect() as c:
        assert value(c, "select 1") == 1


def test_a_collation_that_the_server_refuses_is_its_clients_trouble_alone(maria):
    with maria.started(database=["pool_size = 4"]) as g:
        for _ in range(2):
            with Client(g.mysql_port, maria.user, maria.password, "shop", collation=35) as c:  # ucs2
                assert error(c.welcome)[0] == 1231
            with g.connect() as c:
                assert value(c, "select 1") == 1


def test_a_reload_may_make_a_database_one_of_the_other_protocol(maria):
    """Nobody gets a connection that speaks the other one."""
    pg = {k: os.environ[k] for k in ("PRIMARY_PORT", "APP_USER", "APP_PASSWORD")}
    server_user = [f"server_user = {maria.user}", "server_password_file = my.txt"]
    users, files = {pg["APP_USER"]: pg["APP_PASSWORD"]}, {"my.txt": maria.password + "\n"}
    with maria.started(database=["pool_size = 4", *server_user], users=users, files=files) as g:
        as_mysql = as_pg = g.text
        for old, new in (("protocol = mysql", "protocol = postgresql"), (f"port = {maria.port}", f"port = {pg['PRIMARY_PORT']}"),
                         ("\n".join(server_user), "")):  # fmt: skip
            assert old in as_pg
            as_pg = as_pg.replace(old, new)
        words = {"host": "127.0.0.1", "port": g.port, "user": pg["APP_USER"], "password": pg["APP_PASSWORD"], "dbname": "shop"}
        me = {"user": words["user"], "password": words["password"]}
        same_place = g.text.replace("protocol = mysql\n", "")
        for _ in range(2):
            with g.connect(**me) as stays:
                with g.connect(**me) as c:
                    assert value(c, "select 1") == value(stays, "select 1") == 1
                for text in (same_place, as_pg):
                    g.write("gilmok.conf", text)
                    assert not g.console("RELOAD").errors
                    assert refused(g, **me)[0] == 1049
                    if text is same_place:
                        with pytest.raises(psycopg.OperationalError):
                            psycopg.connect(**words)
                with psycopg.connect(**words) as other:
                    assert other.execute("select 2").fetchone() == (2,)
                assert value(stays, "select 3") == 3
            g.write("gilmok.conf", as_mysql)
            assert not g.console("RELOAD").errors
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(**words)
            with g.connect(**me) as c:
                assert value(c, "select 4") == 4


def test_the_console_shows_mysql_clients_and_servers(maria):
    with maria.started() as g, g.connect() as c:
        thread = value(c, "select connection_id()")
        client = [row for row in g.show("CLIENTS") if row["database"] == "shop"]
        server = g.show("SERVERS", database="shop")
        assert [row["state"] for row in client] == ["active"] and client[0]["user"] == maria.user
        assert [int(row["remote_pid"]) for row in server] == [thread]
        assert g.show("POOLS", database="shop")
        g.show("PREPARED")


def test_a_session_that_is_idle_for_too_long_ends(maria):
    with maria.started(main=["client_idle_timeout = 300ms"]) as g, g.connect() as c:
        assert value(c, "select 1") == 1
        time.sleep(1)
        with pytest.raises(pymysql.err.MySQLError) as e:
            value(c, "select 1")
        assert "client_idle_timeout" in str(e.value) or e.value.args[0] in (2006, 2013)


def test_a_query_that_takes_too_long_ends(maria):
    with maria.started(database=["query_timeout = 500ms"]) as g, g.connect() as c:
        with pytest.raises(pymysql.err.MySQLError) as e:
            value(c, "select sleep(5)")
        assert e.value.args[0] == 1053 and "query_timeout" in e.value.args[1]


def running(maria, mark):
    with maria.superuser() as c:
        return value(c, "select count(*) from information_schema.processlist where info like %s and id <> connection_id()", (f"%{mark}%",))


def stops(maria, mark):
    end = time.monotonic() + 3
    while running(maria, mark) and time.monotonic() < end:
        time.sleep(0.05)
    return not running(maria, mark)


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_what_takes_too_long_is_stopped_at_the_server_too(maria, mode):
    """A server goes on for as long as it has nothing to send, and keeps its locks; by query_timeout, and by KILL_CLIENT."""
    with maria.started(mode=mode, database=["query_timeout = 700ms", "pool_size = 1"]) as g:
        with g.connect() as c, pytest.raises(pymysql.err.MySQLError):
            value(c, "select /* too long */ sleep(20)")
        assert stops(maria, "too long")
        c = g.connect()
        asked = threading.Thread(target=lambda: refused_query(c, "select /* killed by the console */ sleep(20)"))
        asked.start()
        wait_for(lambda: running(maria, "killed by the console"), what="the statement to begin")
        g.console(f"KILL_CLIENT {next(row for row in g.show('CLIENTS') if row['database'] == 'shop')['id']}")
        asked.join(5)
        assert not asked.is_alive() and stops(maria, "killed by the console")
        with g.connect() as d:
            assert value(d, "select 7") == 7


def refused_query(c, sql):
    with contextlib.suppress(pymysql.err.MySQLError):
        value(c, sql)


@pytest.mark.parametrize("workers", [2])
def test_clients_are_spread_over_workers(maria, workers):
    with maria.started(main=[f"workers = {workers}"], database=["pool_size = 20"]) as g, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(g.connect()) for _ in range(16)]
        assert len({value(c, "select connection_id()") for c in clients}) == 16
        assert {row["worker"] for row in g.show("CLIENTS") if row["database"] == "shop"} == {"0", "1"}
