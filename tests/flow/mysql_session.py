#!/usr/bin/python3
"""MySQL clients with pool_mode = session: what they do and see is as past gilmok."""

import contextlib
import hashlib
import os
import re
import socket
import struct
import threading
import time

import psycopg
import pymysql
import pytest

from harness import wait_for
from mysqltools import Maria, rows, value
from mywire import (
    CHANGE_USER, COMPRESS, DEPRECATE_EOF, FIELD_LIST, FOUND_ROWS, INIT_DB, MULTI_RESULTS, MULTI_STATEMENTS, PACKET_MAX, PING, PLUGIN_AUTH,
    PLUGIN_AUTH_LENENC, PS_MULTI_RESULTS, QUERY, RESET_CONNECTION, SESSION_TRACK, SET_OPTION, STMT_CLOSE, STMT_EXECUTE, STMT_FETCH,
    STMT_LONG_DATA, STMT_PREPARE, STMT_RESET, USUAL, Client, Closed, error, native, packet,
)  # fmt: skip


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    with m.superuser(database=None) as c:
        rows(c, "set global max_allowed_packet = 64 << 20")
    yield m
    m.close()


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
        assert number == 1105 and "Access denied for user 'stranger'" in text


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


def test_who_compresses_without_having_been_offered_it_is_told(maria, gilmok):
    """Those who look at the greeting do not ask; the others would wait for compressed answers, as with a server that agrees."""
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop", caps=USUAL | COMPRESS) as c:
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
        expected = [rows(c, sql) for sql in SHOWN]
    with maria.started(database=["pool_size = 1", f"session_reuse = {reuse}"]) as g:
        with g.connect() as c:
            first = value(c, "select connection_id()")
            rows(c, leaves)
        with g.connect() as c:
            assert (value(c, "select connection_id()") == first) == (reuse == "on")
            assert [rows(c, sql) for sql in SHOWN] == expected
            with pytest.raises(pymysql.err.MySQLError):
                rows(c, "execute p")
            rows(c, "insert into kept values (1)")


def test_clients_that_differ_in_their_login_have_connections_of_their_own(maria, gilmok):
    for caps, changed in ((KINDS["new"], 0), (KINDS["found rows"], 1), (KINDS["new"], 0)):
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop", caps=caps) as c:
            c.command(QUERY + b"create or replace temporary table t (v int)")
            c.command(QUERY + b"insert into t values (1)")
            assert c.command(QUERY + b"update t set v = 1")[0][5] == changed
    for collation, name in ((45, b"utf8mb4_general_ci"), (8, b"latin1_swedish_ci"), (63, b"binary"), (45, b"utf8mb4_general_ci")):
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop", collation=collation) as c:
            assert c.command(QUERY + b"select @@collation_connection")[2][5:] == name


def test_a_transaction_of_a_client_that_leaves_is_rolled_back(maria, gilmok):
    with maria.direct() as c:
        rows(c, "create or replace table undone (id int)")
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


# ---- KILL ------------------------------------------------------------------------------------------------------------------------------


class Sleeper(threading.Thread):
    """Sleeps on the server until it is interrupted, or for ten seconds."""

    def __init__(self, connection):
        super().__init__()
        self.connection, self.got = connection, None

    def run(self):
        try:
            self.got = value(self.connection, "select sleep(10)")
        except pymysql.err.MySQLError as e:
            self.got = e.args[0]


def asleep(maria, thread):
    with maria.superuser() as root:
        wait_for(lambda: rows(root, f"select 1 from information_schema.processlist where id = {thread} and info like '%sleep%'"), what="sleep")


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("text", ["kill query {}", "KILL {}", " /* x */ kill hard connection\t{} ", "kill soft query {};", "COM"])
def test_kill_means_the_client_with_that_id(maria, text, workers):
    with maria.started(main=[f"workers = {workers}"], database=["pool_size = 12"]) as g, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(g.connect()) for _ in range(6)]
        threads = [value(c, "select connection_id()") for c in clients]
        sleepers = [Sleeper(c) for c in clients[:3]]
        for i, s in enumerate(sleepers):
            s.start()
            asleep(maria, threads[i])
        began = time.monotonic()
        if text == "COM":
            clients[5].kill(clients[1].thread_id())
        else:
            rows(clients[5], text.format(clients[1].thread_id()))
        sleepers[1].join(10)
        only_query = "query" in text
        assert time.monotonic() - began < 5 and sleepers[1].got in ((1317, 1) if only_query else (2006, 2013, 1317, 1105, 1927)), sleepers[1].got
        assert sleepers[0].is_alive() and sleepers[2].is_alive()
        if only_query:
            assert value(clients[1], "select connection_id()") == threads[1]
        for i in (0, 2):
            rows(clients[4], f"kill {clients[i].thread_id()}")
            sleepers[i].join(10)
        assert value(clients[5], "select connection_id()") == threads[5]


def test_kill_takes_ids_that_were_read_as_signed_numbers(maria, gilmok):
    """As MariaDB Connector/J says them."""
    with gilmok.connect() as c, gilmok.connect() as other:
        sleeper = Sleeper(c)
        thread = value(c, "select connection_id()")
        sleeper.start()
        asleep(maria, thread)
        rows(other, f"kill query {c.thread_id() - (1 << 32)}")
        sleeper.join(10)
        assert sleeper.got in (1317, 1) and value(c, "select connection_id()") == thread
        for number in (-1, -(1 << 31), -(1 << 32), -9999999999):
            with pytest.raises(pymysql.err.MySQLError) as e:
                rows(other, f"kill query {number}")
            assert e.value.args[0] in (1094, 1064), e.value.args
        assert value(other, "select 1") == 1


def test_kill_of_somebody_who_is_not_there(maria, gilmok):
    with gilmok.connect() as c:
        gone = gilmok.connect()
        gone.close()
        for thread in (gone.thread_id(), (1 << 32) - 1):
            with pytest.raises(pymysql.err.OperationalError) as e:
                rows(c, f"kill query {thread}")
            assert e.value.args == (1094, f"Unknown thread id: {thread}")
        with pytest.raises(pymysql.err.OperationalError) as e:
            rows(c, "kill query 1 + 1")
        assert e.value.args[0] == 1094  # the server's
        assert value(c, "select 1") == 1


def test_kill_of_another_users_client_is_judged_by_the_server(maria):
    shared = f"[database shared]\ncluster = main\npool_mode = session\nserver_database = shop\nserver_user = {maria.user}\n"
    with maria.started(tail=shared + "server_password_file = server.txt\n", users={"other": "x"}, files={"server.txt": maria.password + "\n"}) as g:
        with g.connect(database="shared") as mine, g.connect(database="shared", user="other", password="x") as theirs:
            with pytest.raises(pymysql.err.OperationalError) as e:
                rows(theirs, f"kill {mine.thread_id()}")
            assert e.value.args == (1095, f"You are not owner of thread {mine.thread_id()}")
            assert value(mine, "select 1") == value(theirs, "select 1") == 1
    with maria.superuser() as root:
        rows(root, "create or replace user other@'127.0.0.1' identified by 'x'")
        rows(root, "grant all on shop.* to other@'127.0.0.1'")
    with maria.started(users={"other": "x"}) as g, g.connect() as mine, g.connect(user="other", password="x") as theirs:
        with pytest.raises(pymysql.err.OperationalError) as e:
            rows(theirs, f"kill {mine.thread_id()}")
        assert e.value.args[0] == 1095 and value(mine, "select 1") == 1


def test_kill_means_nobody_at_another_server(maria, gilmok):
    other = Maria()
    try:
        tail = f"[cluster second]\nprotocol = mysql\n[node second/a]\nhost = 127.0.0.1\nport = {other.port}\n"
        tail += "[database there]\ncluster = second\npool_mode = session\nserver_database = shop\n"
        tail += f"server_user = {other.user}\nserver_password_file = there.txt\n"
        with maria.started(tail=tail, files={"there.txt": other.password + "\n"}) as g:
            with g.connect() as here, g.connect(database="there") as there:
                with pytest.raises(pymysql.err.OperationalError) as e:
                    rows(here, f"kill {there.thread_id()}")
                assert e.value.args[0] == 1094 and value(there, "select 1") == 1
    finally:
        other.close()


def test_who_is_ended_while_idle_finds_the_connection_closed(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c, maria.superuser() as root:
        rows(root, f"kill {int(c.command(QUERY + b'select connection_id()')[2][5:])}")
        with pytest.raises((Closed, ConnectionError)) as e:
            c.read_packet()
        assert not e.value.args[0]
    with maria.started(main=["client_idle_timeout = 200ms"]) as g, Client(g.mysql_port, maria.user, maria.password, "shop") as c:
        last = c.read_packet()  # what gilmok itself has to say is the answer to what it asks next
        assert last[3] == 1 and error(last[4:])[0] == 1053


def test_a_client_may_end_itself(maria, gilmok):
    with gilmok.connect() as c:
        with pytest.raises(pymysql.err.MySQLError):
            rows(c, f"kill {c.thread_id()}")
            rows(c, "select 1")
    with gilmok.connect() as c:
        assert value(c, "select 1") == 1


# ---- COM_CHANGE_USER -------------------------------------------------------------------------------------------------------------------


def change_user(c, user, password, db, plugin=b"mysql_native_password", collation=45, nonce=None):
    """What comes of it: the payload of the last packet."""
    asked = CHANGE_USER + user.encode() + b"\0\x14" + b"x" * 20 + db.encode() + b"\0" + struct.pack("<H", collation) + plugin + b"\0"
    c.send(packet(asked))
    answer = c.read()
    if answer[:1] == b"\xfe":
        at = answer.index(b"\0") + 1
        c.send(packet(native(password, nonce or answer[at : at + 20]), c.seq))
        answer = c.read()
    return answer


def test_the_proof_may_be_about_the_nonce_of_the_greeting(maria, gilmok):
    """libmariadb, and MySQL's own library, look at no other one then."""
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        for _ in range(2):
            assert change_user(c, maria.user, maria.password, "shop", nonce=c.nonce)[:1] == b"\0"
            assert c.command(QUERY + b"select 1")[2][5:] == b"1"


@pytest.mark.parametrize("workers", [1, 3])
def test_a_client_may_become_another_user(maria, workers):
    with maria.superuser() as root:
        rows(root, "create or replace user other@'127.0.0.1' identified by 'x'")
        rows(root, "grant all on shop.* to other@'127.0.0.1'")
    tail = "[database more]\ncluster = main\npool_mode = session\nserver_database = shop\npool_size = 3\n"
    with maria.started(main=[f"workers = {workers}"], users={"other": "x"}, tail=tail) as g, contextlib.ExitStack() as stack:
        ask = QUERY + b"select concat_ws('|', current_user(), database(), @@collation_connection, @a, connection_id())"
        for _ in range(6):
            c = stack.enter_context(Client(g.mysql_port, maria.user, maria.password, "shop"))
            c.command(QUERY + b"set @a = 'left'")
            before = c.command(ask)[2][5:].split(b"|")
            assert before[:4] == [maria.user.encode() + b"@127.0.0.1", b"shop", b"utf8mb4_general_ci", b"left"]
            assert change_user(c, "other", "x", "more", collation=8)[:1] == b"\0"
            after = c.command(ask)[2][5:].split(b"|")
            assert after[:3] == [b"other@127.0.0.1", b"shop", b"latin1_swedish_ci"] and len(after) == 4 and after[3] != before[4]
            assert change_user(c, maria.user, maria.password, "shop")[:1] == b"\0"
            assert change_user(c, maria.user, maria.password, "shop")[:1] == b"\0"
            assert c.command(ask)[2][5:].startswith(maria.user.encode() + b"@127.0.0.1|shop|utf8mb4_general_ci|")
            if _ > 2:
                c.close()


def test_who_cannot_become_another_user_is_sent_away(maria, gilmok):
    for user, password, db, number in (("nobody", "x", "shop", 1045), (maria.user, "wrong", "shop", 1045), (maria.user, maria.password, "none", 1049)):
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
            assert error(change_user(c, user, password, db))[0] == number
            with pytest.raises((Closed, ConnectionError)):
                c.command(PING)
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop", caps=KINDS["no plugins"]) as c:
        assert error(c.command(CHANGE_USER + b"app\0\0shop\0")[0][4:])[0] == 1235
        assert len(c.command(PING)) == 1


def test_commands_behind_a_proof_that_is_missing_are_not_carried_out(maria, gilmok):
    with maria.direct() as direct:
        rows(direct, "create or replace table slipped (id int)")
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
            c.send(packet(CHANGE_USER + b"app\0\0shop\0\x2d\0mysql_native_password\0") + packet(QUERY + b"insert into slipped values (1)"))
            assert c.read()[:1] == b"\xfe"
            with pytest.raises((Closed, ConnectionError, AssertionError)):
                assert c.read()[:1] != b"\xff"
                c.read()
        time.sleep(0.3)
        assert rows(direct, "select * from slipped") == ()


def test_who_waits_in_vain_for_a_connection_may_ask_again(maria):
    tail = "[database one]\ncluster = main\npool_mode = session\nserver_database = shop\npool_size = 1\nqueue_timeout = 300ms\n"
    with maria.started(tail=tail) as g, Client(g.mysql_port, maria.user, maria.password, "shop") as c:
        with g.connect(database="one"):
            assert change_user(c, maria.user, maria.password, "one")[:1] == b"\0"
            for _ in range(2):
                assert error(c.command(QUERY + b"select 1")[0][4:])[0] == 1040
        assert c.command(QUERY + b"select 2")[2][5:] == b"2"


def test_what_gilmok_does_not_pass_on_is_refused_and_the_session_lives(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        for command in (b"\x12\4\0\0\0", b"\x1e", b"\x15", b"\x07\1", b"\x08", b"\x0d"):
            assert error(c.command(command)[0][4:])[0] == 1235
        assert c.command(QUERY + b"select 1")[2][4:] == b"\x011"
        assert error(c.command(QUERY + b"load data local infile '/etc/passwd' into table kept")[0][4:])[0] in (1148, 4166)
        assert c.command(QUERY + b"select 1")[2][4:] == b"\x011"


def test_commands_that_are_sent_at_once_are_answered_in_order(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        c.send(b"".join(packet(QUERY + b"select %d" % i) for i in range(200)))
        assert [list(c.answer(QUERY))[2][5:] for _ in range(200)] == [b"%d" % i for i in range(200)]


def test_what_is_refused_waits_for_the_answer_in_front_of_it(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        c.send(packet(QUERY + b"select sleep(0.2), 7") + packet(b"\x08") + packet(b"\x7f") + packet(PING))
        assert list(c.answer(QUERY))[3][4:] == b"\x010\x017"
        assert error(c.read())[0] == 1235 and error(c.read())[0] == 1047 and len(list(c.answer(PING))) == 1


class Dribble(threading.Thread):
    """A way to a server on which its answers come in pieces of a few bytes."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.target, self.listener = port, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.carry, args=(client, server, 1 << 20), daemon=True).start()
            threading.Thread(target=self.carry, args=(server, client, 7), daemon=True).start()

    @staticmethod
    def carry(a, b, size):
        try:
            while data := a.recv(1 << 16):
                for at in range(0, len(data), size):
                    b.sendall(data[at : at + size])
                    if size < 100:
                        time.sleep(0.0003)
        except OSError:
            pass
        a.close()
        b.close()

    def close(self):
        self.listener.close()


@pytest.mark.parametrize("script", ["prepared", "several", "cursors", "fields", "procedures", "errors"])
def test_answers_may_come_in_pieces(maria, script):
    way = Dribble(maria.port)
    try:
        with maria.started() as g:
            g.write("gilmok.conf", g.text.replace(f"port = {maria.port}", f"port = {way.port}"))
            assert not g.console("RELOAD").errors
            words = {"user": maria.user, "password": maria.password, "db": "shop", "caps": KINDS["old"]}
            with Client(maria.port, **words) as c:
                expected = list(play(c, SCRIPTS[script]))
            with Client(g.mysql_port, **words) as c:
                assert list(play(c, SCRIPTS[script])) == expected
    finally:
        way.close()


def test_bytes_may_come_one_by_one(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for sql in (b"select 'one by one'", b"selec"):
            for byte in packet(QUERY + sql):
                c.send(bytes([byte]))
                time.sleep(0.001)
            assert len(list(c.answer(QUERY))) in (4, 1)


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


@pytest.mark.parametrize("workers", [2])
def test_clients_are_spread_over_workers(maria, workers):
    with maria.started(main=[f"workers = {workers}"], database=["pool_size = 20"]) as g, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(g.connect()) for _ in range(16)]
        assert len({value(c, "select connection_id()") for c in clients}) == 16
        assert {row["worker"] for row in g.show("CLIENTS") if row["database"] == "shop"} == {"0", "1"}


# ---- packet by packet ----------------------------------------------------------------------------------------------------------------

KINDS = {
    "new": USUAL | DEPRECATE_EOF | SESSION_TRACK,
    "no tracking": USUAL | DEPRECATE_EOF,
    "old": USUAL,
    "old, tracking": USUAL | SESSION_TRACK,
    "single results": USUAL & ~(MULTI_STATEMENTS | MULTI_RESULTS | PS_MULTI_RESULTS) | DEPRECATE_EOF,
    "found rows": USUAL | FOUND_ROWS | DEPRECATE_EOF | SESSION_TRACK,
    "no plugins": USUAL & ~(PLUGIN_AUTH | PLUGIN_AUTH_LENENC),
}


def execute(cursor=0, types=b"", values=b""):
    """Of the statement that was prepared last; MariaDB knows it by this number."""
    more = b"\0" + b"\1" + types + values if types else b""
    return STMT_EXECUTE + b"\xff\xff\xff\xff" + bytes([cursor]) + b"\1\0\0\0" + more


SCRIPTS = {
    "rows": [QUERY + b"select 1, 'two', null", QUERY + b"select * from seq_1_to_1000", QUERY + b"select 1 where 0"],
    "nothing": [PING, QUERY + b"do 1", QUERY + b"", QUERY + b"-- nothing"],
    "errors": [QUERY + b"select nothing from nowhere", QUERY + b"selec", INIT_DB + b"nowhere", QUERY + b"select 1"],
    "errors in rows": [QUERY + b"select if(seq < 5, seq, (select 1 union select 2)) from seq_1_to_10", QUERY + b"select 1"],
    "writes": [QUERY + b"create or replace table t (id int primary key auto_increment, v int)", QUERY + b"insert into t (v) values (1), (2)",
               QUERY + b"update t set v = 2", QUERY + b"update t set v = v", QUERY + b"select last_insert_id(), row_count()",
               QUERY + b"insert into t (v) values ('x')", QUERY + b"show warnings", QUERY + b"drop table t"],
    "transactions": [QUERY + b"begin", QUERY + b"select 1", QUERY + b"commit", QUERY + b"set autocommit = 0", QUERY + b"select 1",
                     QUERY + b"rollback", QUERY + b"start transaction read only", QUERY + b"rollback"],
    "settings": [QUERY + b"set names latin1", QUERY + b"set @a = 1, sql_mode = 'ansi_quotes'", QUERY + b'select @a as "a b"',
                 QUERY + b"set time_zone = '+01:00'", QUERY + b"use information_schema", QUERY + b"select database()", INIT_DB + b"shop",
                 RESET_CONNECTION, QUERY + b"select @a, database(), @@sql_mode"],
    "several": [QUERY + b"select 1; select 2; do 1; select 3", QUERY + b"select 1; selec", QUERY + b"do 1; do 2", SET_OPTION + b"\1\0",
                QUERY + b"select 1; select 2", SET_OPTION + b"\0\0", QUERY + b"select 1; select 2"],
    "procedures": [QUERY + b"create or replace procedure p() begin select 1; select 'two', 3; end", QUERY + b"call p()",
                   QUERY + b"create or replace procedure q() begin declare c int; set c = 1; end", QUERY + b"call q()",
                   STMT_PREPARE + b"call p()", execute(), QUERY + b"drop procedure p", QUERY + b"drop procedure q"],
    "prepared": [STMT_PREPARE + b"select ?, ? + 1", execute(0, b"\3\0\3\0", b"\1\0\0\0\2\0\0\0"), execute(0, b"\3\0\3\0", b"\1\0\0\0\2\0\0\0"),
                 STMT_RESET + b"\xff\xff\xff\xff", STMT_PREPARE + b"do ?", STMT_PREPARE + b"do 1", execute(), STMT_PREPARE + b"selec ?",
                 STMT_PREPARE + b"select 1", execute(), QUERY + b"select 1"],
    "closed": [STMT_PREPARE + b"select 1", STMT_CLOSE + b"<0>", STMT_PREPARE + b"select 2", execute(), STMT_CLOSE + b"\x63\0\0\0", PING],
    "long data": [STMT_PREPARE + b"select length(?)", STMT_LONG_DATA + b"<0>\0\0" + b"x" * 5000, STMT_LONG_DATA + b"<0>\0\0y",
                  STMT_EXECUTE + b"<0>\0\1\0\0\0\0\1\xfc\0"],
    "cursors": [STMT_PREPARE + b"select * from seq_1_to_5", execute(1), STMT_FETCH + b"<0>\2\0\0\0", STMT_FETCH + b"<0>\9\0\0\0",
                STMT_FETCH + b"<0>\1\0\0\0", STMT_PREPARE + b"select 1 where 0", STMT_EXECUTE + b"<1>\1\1\0\0\0", PING],
    "fields": [QUERY + b"create or replace table f (a int default 7, b varchar(9))", FIELD_LIST + b"f\0", FIELD_LIST + b"f\0b%",
               FIELD_LIST + b"nowhere\0", QUERY + b"drop table f"],
    "long rows": [QUERY + b"select repeat('x', 70000), 1", QUERY + b"select repeat('y', seq * 997) from seq_1_to_100"],
    "longest rows": [QUERY + b"select repeat('x', 16777215 - 4)", QUERY + b"select repeat('x', 16777215 - 5)", QUERY + b"select repeat('z', 17000000), 1",
                     QUERY + b"select 1"],
    "longest texts": [QUERY + b"select length('" + b"x" * 70000 + b"')", QUERY + b"select length('" + b"x" * 17000000 + b"')",
                      QUERY + b"do '" + b"x" * (PACKET_MAX - 6) + b"'", PING],
    "unknown": [b"\x00", b"\x0b", b"\x0f", b"\x7f", QUERY + b"select 1"],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_packet_is_as_past_gilmok(maria, gilmok, script, kind):
    words = {"user": maria.user, "password": maria.password, "db": "shop", "caps": KINDS[kind]}
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with Client(port, **words) as c:
            assert c.welcome[:1] == b"\0"
            answers.append(list(play(c, SCRIPTS[script])))
    for i, (expected, got) in enumerate(zip(*answers)):
        same = len(expected) == len(got) and all(a == b for a, b in zip(expected, got))
        assert same, (i, SCRIPTS[script][i][:80], brief(expected, got))


def play(client, script):
    """The answers; but for the numbers of statements, which are the server's own, and go into the script as `<0>`, `<1>`."""
    ids = []
    for body in script:
        for i, number in enumerate(ids):
            body = body.replace(b"<%d>" % i, number)
        packets = client.command(body)
        if body[:1] == STMT_PREPARE and packets[0][4] == 0:
            ids.append(packets[0][5:9])
            packets[0] = packets[0][:5] + packets[0][9:]
        yield [told(client, p) for p in packets]


def told(client, p):
    """But for what no proxy knows between definitions and rows: whether an index will be used, and another result will come."""
    if re.search(rb"statement \(\d+\)", p):
        return re.sub(rb"\(\d+\)", b"()", p[3:])
    is_eof = not client.caps & DEPRECATE_EOF and len(p) == 9 and p[4] == 0xFE
    return p[:7] + bytes([p[7] & ~0x38]) + p[8:] if is_eof else p


def brief(expected, got):
    return len(expected), len(got), [(a[:60], b[:60]) for a, b in zip(expected, got) if a != b][:3]
