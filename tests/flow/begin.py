#!/usr/bin/python3
"""BEGIN is held back: until a statement needs one, a transaction has no server connection; that statement decides which server gets it."""

import os
import re
import socket
import subprocess
import time

import pgwire
import psycopg
import pytest

from failover import wait_for_roles
from flowtools import value
from harness import wait_for
from split import APP_DB, at, client, cluster, node_of, ready, started  # noqa: F401
from psycopg.pq import TransactionStatus as Status

PLAIN = f"[database plain]\nserver_database = {APP_DB}\nbegin = held\npool_size = 1\nqueue_timeout = 700ms\n"
SHORT = f"[database short]\nserver_database = {APP_DB}\nbegin = held\npool_size = 1\nqueue_timeout = 200ms\n"
EAGER = f"[database eager]\nserver_database = {APP_DB}\nread_write_split = on\nread_functions = here\nbegin = eager\n"

STANDBYS = "".join(f"[database {name}]\nserver_database = {APP_DB}\nrole = {role}\nbegin = held\n" for name, role in (("copies", "replica"), ("either", "prefer-replica")))


@pytest.fixture(scope="module")
def gilmok(cluster):  # noqa: F811
    g = cluster.gilmok(tail=f"[database split]\nserver_database = {APP_DB}\nread_write_split = on\nread_consistency = eventual\n"
                            f"read_functions = here, locks\npool_size = 4\n" + PLAIN + SHORT + EAGER + STANDBYS)  # fmt: skip
    wait_for_roles(g, a="primary", b="replica", c="replica")
    yield g
    g.close()


def leased(g, database):
    return sum(int(row["sv_active"]) for row in g.show("POOLS") if row["database"] == database)


def status(c):
    return c.pgconn.transaction_status


def run(c, sql):
    """One Query as it stands; the tag or the sqlstate."""
    result = c.pgconn.exec_(sql.encode())
    state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    return state.decode() if state else result.command_status.decode()


def extended(c, sql):
    """The same as Parse, Bind, Describe, Execute, Sync."""
    result = c.pgconn.exec_params(sql.encode(), None)
    state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    return state.decode() if state else result.command_status.decode()


def test_a_transaction_without_statements_needs_no_server(cluster, gilmok):  # noqa: F811
    with client(cluster, gilmok, dbname="plain") as holder, client(cluster, gilmok, dbname="plain") as c:
        for say in run, extended:
            holder.execute("begin; select 1")  # it has the only connection now
            assert leased(gilmok, "plain") == 1
            assert say(c, "BEGIN") == "BEGIN" and status(c) == Status.INTRANS
            assert say(c, "set transaction isolation level repeatable read, read only") == "SET" and status(c) == Status.INTRANS
            assert say(c, "COMMIT") == "COMMIT" and status(c) == Status.IDLE
            assert say(c, "start transaction read write;") == "START TRANSACTION" and status(c) == Status.INTRANS
            assert say(c, "rollback") == "ROLLBACK" and status(c) == Status.IDLE
            assert leased(gilmok, "plain") == 1
            holder.execute("commit")


@pytest.mark.parametrize("say", [run, extended])
def test_what_was_asked_for_is_what_it_gets(cluster, gilmok, say):  # noqa: F811
    with client(cluster, gilmok, dbname="plain") as c:
        say(c, "begin isolation level serializable, deferrable")
        say(c, "set transaction read only")
        shown_modes = [value(c, f"show transaction_{what}") for what in ("isolation", "read_only", "deferrable")]
        assert shown_modes == ["serializable", "on", "on"] and status(c) == Status.INTRANS
        assert say(c, "insert into kept values (5000, 'x')") == "25006" and status(c) == Status.INERROR
        assert say(c, "select 1") == "25P02"
        assert say(c, "commit") == "ROLLBACK" and status(c) == Status.IDLE
        assert value(c, "show transaction_isolation") == "read committed"


def test_what_it_writes_is_there_or_is_not(cluster, gilmok):  # noqa: F811
    with client(cluster, gilmok) as c:
        for end, count in (("rollback", 0), ("commit", 1)):
            run(c, "begin")
            run(c, "savepoint one")
            run(c, "insert into kept values (5001, 'x')")
            run(c, "rollback to one")
            run(c, "insert into kept values (5002, 'x')")
            assert run(c, end) == end.upper()
            assert cluster.run("a", "select count(*) from kept where id in (5001, 5002)", APP_DB)[0][0] == count
        c.execute("delete from kept where id = 5002")


def test_what_only_a_server_can_answer_goes_there(cluster, gilmok):  # noqa: F811
    with client(cluster, gilmok, dbname="plain") as c:
        notices = []
        c.add_notice_handler(lambda d: notices.append(d.sqlstate))
        run(c, "begin")
        assert run(c, "begin") == "BEGIN" and notices == ["25001"] and status(c) == Status.INTRANS
        run(c, "commit")
        run(c, "begin")
        assert run(c, "set local work_mem = 'much'") == "22023" and status(c) == Status.INERROR
        assert run(c, "rollback") == "ROLLBACK"
        run(c, "begin")
        assert run(c, "begin isolation level none") == "42601" and status(c) == Status.INERROR
        assert run(c, "end") == "ROLLBACK"
        run(c, "begin")
        assert run(c, "commit and chain") == "COMMIT" and status(c) == Status.INTRANS
        assert run(c, "rollback") == "ROLLBACK"
        assert run(c, "commit") == "COMMIT" and notices[-1] == "25P01" and status(c) == Status.IDLE
        with c.pipeline():
            c.execute("begin")
            c.execute("insert into kept values (5003, 'x')")
            c.execute("rollback")
        assert status(c) == Status.IDLE and value(c, "select count(*) from kept where id = 5003") == 0


@pytest.mark.parametrize("begin", [["begin read only"], ["begin", "set transaction read only"],
                                   ["start transaction isolation level repeatable read", "set local transaction read only"]])  # fmt: skip
@pytest.mark.parametrize("say", [run, extended])
def test_what_only_reads_is_a_replicas(cluster, gilmok, begin, say):  # noqa: F811
    with ready(cluster, gilmok) as c:
        for _ in range(5):
            for text in begin:
                say(c, text)
            first = at(cluster, c)
            assert first in "bc" and {at(cluster, c) for _ in range(5)} == {first}
            assert value(c, "show transaction_read_only") == "on"
            assert say(c, "commit") == "COMMIT"


@pytest.mark.parametrize("begin", [["begin"], ["begin read write"], ["begin read only", "set transaction read write"],
                                   ["begin read only", "set transaction isolation level serializable"],
                                   ["begin isolation level serializable, read only"]])  # fmt: skip
def test_what_may_write_is_the_primarys(cluster, gilmok, begin):  # noqa: F811
    with ready(cluster, gilmok) as c:
        for text in begin:
            run(c, text)
        assert {at(cluster, c) for _ in range(5)} == {"a"}
        assert run(c, "commit") == "COMMIT" and at(cluster, c) in "bc"


def test_a_replica_that_refuses_its_first_statement_has_done_nothing(cluster, gilmok):  # noqa: F811
    cluster.run("a", "create or replace function locks(i int) returns int language plpgsql as "
                "$$ begin perform 1 from kept where id = i for share; return here(); end $$", APP_DB)  # fmt: skip
    with ready(cluster, gilmok) as c:
        c.execute("create table another (); drop table another")  # gilmok looks what has changed
        wait_for(lambda: value(c, "explain (route) select locks(1)", prepare=False).startswith("replica") and at(cluster, c) in "bc", what="facts")
        for i, say in enumerate((run, extended)):
            retried = said_again(gilmok)
            for k in range(20):
                say(c, "begin isolation level repeatable read")
                say(c, "set transaction read only")
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):  # the primary's own, as from the beginning
                    c.execute(f"select locks(1) as n{i}x{k}")
                assert status(c) == Status.INERROR
                assert say(c, "rollback") == "ROLLBACK" and status(c) == Status.IDLE
                time.sleep(0.2)  # what was looked at is looked at again; and the log is written meanwhile
                if said_again(gilmok) > retried:
                    break
            assert said_again(gilmok) > retried, gilmok.said()[-2000:]
    cluster.run("a", "drop function locks", APP_DB)


def said_again(g):
    return sum("runs again" in line for line in g.said().splitlines())


def test_no_connection_is_a_failed_transaction(cluster, gilmok):  # noqa: F811
    with client(cluster, gilmok, dbname="plain") as holder, client(cluster, gilmok, dbname="plain") as c:
        holder.execute("begin; select 1")
        for say in run, extended:
            assert say(c, "begin") == "BEGIN"
            assert say(c, "insert into kept values (5004, 'x')") == "53300" and status(c) == Status.INERROR
            assert say(c, "select 1") == "25P02" and status(c) == Status.INERROR
            assert say(c, "set transaction read only") == "25P02" and say(c, "begin") == "25P02"
            assert say(c, "commit") == "ROLLBACK" and status(c) == Status.IDLE
        holder.execute("commit")
        assert value(c, "select count(*) from kept where id = 5004") == 0


def same_as(cluster, node, c, texts):  # noqa: F811
    """Each text has the answer that the server gives itself, and leaves the transaction in the same state."""
    with cluster.connect(node, APP_DB) as direct:
        for text in texts:
            assert (text, run(c, text), status(c)) == (text, run(direct, text), status(direct))


def test_a_standby_refuses_a_begin_itself(cluster, gilmok):  # noqa: F811
    texts = []
    for modes in ("read write", "isolation level serializable", "isolation level serializable, read only", "read only"):
        texts += [f"begin {modes}", "select 1", "rollback", f"start transaction {modes}", "rollback"]
        texts += ["begin", f"set transaction {modes}", "select 1", "rollback"]
    for database in "copies", "either":
        with client(cluster, gilmok, dbname=database) as c:
            same_as(cluster, "b", c, texts)


def test_a_standby_that_nobody_watches_refuses_a_begin_itself(cluster):  # noqa: F811
    g = cluster.gilmok(nodes="b", monitor=False, tail=PLAIN)
    try:
        with client(cluster, g, dbname="plain") as c:
            same_as(cluster, "b", c, ["begin read write", "rollback", "begin", "set transaction isolation level serializable", "rollback", "begin read only", "commit"])
    finally:
        g.close()


def failed(cluster, port, database, fail):  # noqa: F811
    """A client with three statements by name, in a transaction that has failed."""
    c = pgwire.Client(port, "app", cluster.env["APP_PASSWORD"], database).login()
    for name, sql in (("back", "rollback"), ("done", "commit"), ("one", "select 1")):
        c.send(pgwire.parse(sql, name) + pgwire.SYNC)
        c.collect()
    c.query("begin isolation level repeatable read")
    fail(c)
    return c


def answers(c, messages):
    """Until as many ReadyForQuery are here as are owed: types, with tags, states and SQLSTATEs."""
    c.send(messages + pgwire.query("rollback; show transaction_isolation"))
    heard = []
    while heard[-2:] != ["C SHOW", "Z I"]:
        kind, body = c.read()
        detail = pgwire.PgError(body).sqlstate if kind in "EN" else body.strip(b"\0").decode() if kind in "CZ" else pgwire.row_values(body) if kind == "D" else ""
        heard.append(f"{kind} {detail}".strip())
    return heard


RUN = pgwire.execute() + pgwire.SYNC
IN_FAILED = {
    "comment": pgwire.query("rollback /* that is it */") + pgwire.query("select 1"),
    "comment first": pgwire.query("/* gilmok: primary */ commit"),
    "more behind": pgwire.query("rollback; select 1") + pgwire.query("select 2"),
    "more in front": pgwire.query("select 1; rollback"),
    "chain": pgwire.query("rollback and chain") + pgwire.query("show transaction_isolation"),
    "commit and chain": pgwire.query("commit and chain") + pgwire.query("select 1"),
    "prepare": pgwire.query("prepare transaction 'x'") + pgwire.query("select 1"),
    "savepoint": pgwire.query("rollback to s"),
    "empty": pgwire.query("") + pgwire.query(" ; -- nothing"),
    "empty, parsed": pgwire.parse("") + pgwire.describe("S") + pgwire.bind() + RUN,
    "statement": pgwire.query("select 1") + pgwire.query("explain (costs off) select 1"),
    "parsed": pgwire.parse("select 1") + pgwire.describe("S") + pgwire.bind() + RUN + pgwire.parse("rollback") + pgwire.bind() + RUN,
    "flush": pgwire.FLUSH + pgwire.parse("select 1") + pgwire.FLUSH + pgwire.bind() + RUN + pgwire.SYNC,
    "flush within": pgwire.parse("rollback") + pgwire.FLUSH + pgwire.bind() + pgwire.FLUSH + RUN,
    "new name": pgwire.parse("rollback", "new") + pgwire.describe("S", "new") + pgwire.bind(name="new") + RUN + pgwire.query("select 1"),
    "name": pgwire.bind(name="back") + RUN + pgwire.query("select 1"),
    "described name": pgwire.describe("S", "done") + pgwire.SYNC + pgwire.bind(name="done") + pgwire.describe("P") + RUN,
    "closed name": pgwire.bind(name="back") + pgwire.execute() + pgwire.close("S", "back") + pgwire.SYNC + pgwire.bind(name="back") + RUN,
    "named portal": pgwire.bind(name="back", portal="p") + pgwire.execute("p") + pgwire.SYNC,
    "named statement": pgwire.bind(name="one") + RUN + pgwire.describe("S", "one") + pgwire.SYNC + pgwire.bind(name="one") + RUN,
    "close": pgwire.close("S", "one") + pgwire.close("S", "nobody") + pgwire.SYNC + pgwire.bind(name="one") + RUN,
    "no such name": pgwire.bind(name="nobody") + RUN,
    "no such portal": RUN,
    "route": pgwire.query("explain (route) select 1") + pgwire.parse("explain (route) select 1") + pgwire.bind() + RUN,
    "function": pgwire.message("F", b"\0\0\0\x01" + 6 * b"\0"),
}


@pytest.mark.parametrize("what", IN_FAILED)
def test_a_failed_transaction_answers_as_a_server_does(cluster, gilmok, what):  # noqa: F811
    with client(cluster, gilmok, dbname="short") as holder:

        def no_connection(c):
            holder.execute("begin; select 1")
            assert [e.sqlstate for e in c.query("select 1").errors] == ["53300"]
            holder.execute("rollback")

        direct = failed(cluster, cluster.port("a"), APP_DB, lambda c: c.query("select 1/0"))
        through = failed(cluster, gilmok.port, "short", no_connection)
        assert answers(through, IN_FAILED[what]) == answers(direct, IN_FAILED[what])
        through.end()
        direct.end()


@pytest.mark.parametrize("behind", ["do $$ begin execute 'execute p'; end $$", "select name from pg_prepared_statements"])
def test_what_it_has_prepared_is_there_before_it(cluster, gilmok, behind):  # noqa: F811
    """And leaves no trace in it: the isolation level can be set yet."""
    heard = []
    for port, database in ((cluster.port("a"), APP_DB), (gilmok.port, "plain")):
        c = pgwire.Client(port, "app", cluster.env["APP_PASSWORD"], database).login()
        c.query("prepare p as select 1")
        c.query("begin")
        heard.append(answers(c, pgwire.query(f"set transaction isolation level serializable; {behind}") + begun("select 1")))
        c.end()
    assert heard[0] == heard[1]


def begun(sql="begin"):
    return pgwire.parse(sql) + pgwire.bind() + RUN


UNNAMED = {
    "begin": begun() + pgwire.bind() + RUN + pgwire.describe("S") + pgwire.SYNC + pgwire.query("select 1") + pgwire.bind() + RUN,
    "commit": begun() + begun("commit") + pgwire.bind() + RUN + pgwire.bind() + pgwire.describe("P") + RUN,
    "set": begun() + begun("set transaction read only") + pgwire.bind() + RUN + pgwire.query("show transaction_read_only"),
    "closed": pgwire.parse("begin") + pgwire.bind() + pgwire.execute() + pgwire.close("S") + pgwire.SYNC + pgwire.bind() + RUN,
    "query": begun() + pgwire.query("commit") + pgwire.bind() + RUN,
    "others": pgwire.parse("select 1") + pgwire.SYNC + begun() + begun("rollback") + pgwire.parse("select 2") + pgwire.SYNC + pgwire.bind() + RUN,
}


@pytest.mark.parametrize("what", UNNAMED)
def test_the_unnamed_statement_is_there_behind_it(cluster, gilmok, what):  # noqa: F811
    direct = pgwire.Client(cluster.port("a"), "app", cluster.env["APP_PASSWORD"], APP_DB).login()
    through = pgwire.Client(gilmok.port, "app", cluster.env["APP_PASSWORD"], "short").login()
    assert answers(through, UNNAMED[what]) == answers(direct, UNNAMED[what])
    through.end()
    direct.end()


def test_a_failed_transaction_can_be_left_without_a_connection(cluster, gilmok):  # noqa: F811
    with client(cluster, gilmok, dbname="short") as holder:
        for end in ("rollback", "commit -- it", "/* why */ rollback"), (pgwire.bind(name="back") + RUN, pgwire.bind(name="done") + pgwire.describe("P") + RUN):
            for text in end:
                c = failed(cluster, gilmok.port, "short", lambda c: (holder.execute("begin; select 1"), c.query("select 1")))
                c.send(pgwire.query(text) if isinstance(text, str) else text)
                got = c.collect()
                assert (got.errors, got.tags, got.status) == ([], ["ROLLBACK"], "I"), text
                holder.execute("rollback")
                c.end()


def test_the_console_tells_it_from_an_idle_client(cluster, gilmok):  # noqa: F811
    def shown(c):
        (row,) = gilmok.show("CLIENTS", database="short", application_name="begun")
        assert row["state"] == "idle" and row["link"] == ""
        return row["phase"]

    with client(cluster, gilmok, dbname="short") as holder, client(cluster, gilmok, dbname="short", application_name="begun") as c:
        assert shown(c) == "idle"
        run(c, "begin")
        assert shown(c) == "begun"
        holder.execute("begin; select 1")
        run(c, "select 1")
        assert shown(c) == "failed"
        run(c, "rollback")
        assert shown(c) == "idle"


def test_eager_is_at_once(cluster, gilmok):  # noqa: F811
    with client(cluster, gilmok, dbname="eager") as c:
        wait_for(lambda: at(cluster, c) in "bc", what="reads on replicas")
        run(c, "begin")
        assert leased(gilmok, "eager") == 1
        run(c, "set transaction read only")
        assert at(cluster, c) == "a"
        run(c, "commit")


def test_settings_come_before_it_and_a_drop_behind_it(cluster, gilmok):  # noqa: F811
    with ready(cluster, gilmok) as c:
        c.execute("set timezone = 'Asia/Seoul'")
        run(c, "begin read only")
        assert value(c, "select current_setting('timezone')") == "Asia/Seoul"
        run(c, "commit")
        run(c, "begin")
        run(c, "set timezone = 'Asia/Tokyo'")
        run(c, "rollback")
        assert value(c, "select current_setting('timezone')") == "Asia/Seoul"


def test_who_is_idle_in_it_for_too_long_is_ended(cluster, started):  # noqa: F811
    g = started("begin = held\nidle_transaction_timeout = 400ms\n[database patient]\n"
                f"server_database = {APP_DB}\nbegin = held\ntransaction_timeout = 1s\n")  # fmt: skip
    for settings, database, word in (([], "split", "idle_transaction_timeout"), ([], "patient", "transaction_timeout"),
                                     (["set idle_in_transaction_session_timeout = '300ms'"], "patient", "idle-in-transaction timeout")):  # fmt: skip
        with client(cluster, g, dbname=database) as c:
            for sql in settings:
                c.execute(sql)
            run(c, "begin")
            began, said = time.monotonic(), ""
            while not said and not readable(c.pgconn.socket):
                if database == "patient" and not settings:  # it is never idle for long, and may hear the end as an answer
                    said = c.pgconn.exec_(b"set transaction read only").error_message.decode()
                time.sleep(0.05)
                assert time.monotonic() - began < 5
            assert time.monotonic() - began < 2.5
            if not said:
                with pytest.raises(psycopg.OperationalError) as e:
                    c.execute("select 1")
                said = str(e.value)
            assert word in said


def readable(fd):
    s = socket.socket(fileno=fd)
    try:
        s.setblocking(False)
        s.recv(1, socket.MSG_PEEK)
        return True
    except BlockingIOError:
        return False
    finally:
        s.detach()


def test_notifications_wait_for_its_end(cluster, started):  # noqa: F811
    g = started("listen = shared\n")
    with ready(cluster, g) as c, client(cluster, g) as other:
        c.execute("listen word")
        time.sleep(0.3)
        run(c, "begin")
        other.execute("notify word, 'now'")
        time.sleep(0.3)
        assert not readable(c.pgconn.socket)
        run(c, "commit")
        wait_for(lambda: c.pgconn.consume_input() or (heard := c.pgconn.notifies()) and heard.extra == b"now", what="the notification")


def test_explain_says_where_it_would_go(cluster, gilmok):  # noqa: F811
    with ready(cluster, gilmok) as c:
        run(c, "begin")
        assert value(c, "explain (route) select 1").startswith("primary\ta transaction is open")
        run(c, "set transaction read only")
        assert value(c, "explain (route) select 1").startswith("replica\t")
        assert status(c) == Status.INTRANS
        run(c, "rollback")


def test_pg_dump_is_as_ever(cluster, gilmok, tmp_path):  # noqa: F811
    def dump(port, dbname, *words):
        address = ["-h", "127.0.0.1", "-p", str(port), "-U", "app", dbname]
        done = subprocess.run(["pg_dump", *address, *words], env={**os.environ, "PGPASSWORD": cluster.env["APP_PASSWORD"]}, capture_output=True)
        assert done.returncode == 0, done.stderr
        return re.sub(rb"\n.{0,3}(un)?restrict [^\n]*", b"", done.stdout)

    with ready(cluster, gilmok):
        assert dump(gilmok.port, "split") == dump(cluster.port("a"), APP_DB)
    dump(gilmok.port, "split", "-j3", "-Fd", "-f", str(tmp_path / "all"))
    assert len(list((tmp_path / "all").iterdir())) > 2
