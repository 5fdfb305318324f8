#!/usr/bin/python3
"""MySQL clients that mean somebody: KILL by the thread id of a greeting, and COM_CHANGE_USER."""

import contextlib
import struct
import threading
import time

import pymysql
import pytest

from harness import wait_for
from mysqltools import Maria, remake, rows, value
from mywire import CHANGE_USER, KINDS, PING, QUERY, Client, Closed, error, native, packet


@pytest.fixture(scope="module")
def gilmok(maria):
    with maria.started(database=["pool_size = 10"]) as g:
        yield g


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
    if maria.is_mysql:
        if text == "COM":
            pytest.skip("MySQL 9 has no COM_PROCESS_KILL")
        text = text.replace("hard ", "").replace("soft ", "")
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
        remake(root, "user other@'127.0.0.1' identified by 'x'")
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
        remake(root, "user other@'127.0.0.1' identified by 'x'")
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
        remake(direct, "table slipped (id int)")
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
