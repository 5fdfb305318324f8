#!/usr/bin/python3
"""Nothing that one client leaves on a server connection is met by the next: the pools here have one connection."""

import threading
import time

import psycopg
import pytest

import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, connect, in_threads, superuser, value


def raw(gilmok, **more):
    return pgwire.Client(gilmok.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, **more).login()


@pytest.fixture
def pair(narrow):
    one, other = connect(narrow), connect(narrow)
    yield one, other
    one.close(), other.close()


LEFT_BEHIND = {
    "set": ("set work_mem = '1234kB'", "show work_mem", "4MB"),
    "set in a transaction": ("begin; set work_mem = '1234kB'; commit", "show work_mem", "4MB"),
    "set local": ("begin; set local work_mem = '1234kB'; commit", "show work_mem", "4MB"),
    "set role": ("set role none", "select current_user", APP_USER),
    "search_path": ("set search_path = pg_catalog", "show search_path", '"$user", public'),
    "temporary table": ("create temp table left_over (x int)", "select to_regclass('left_over')::text", None),
    "prepare in a do block": ("do $$ begin execute 'prepare left_over as select 1'; end $$", "select count(*) from pg_prepared_statements", 0),
    "listen": ("listen left_over", "select count(*) from pg_listening_channels()", 0),
    "held cursor": ("begin; declare left_over cursor with hold for select 1; commit", "select count(*) from pg_cursors", 0),
    "do block": ("do $$ begin perform set_config('work_mem', '1234kB', false); end $$", "show work_mem", "4MB"),
    "advisory lock in a do block": (
        "do $$ begin perform pg_advisory_lock(4711); end $$",
        "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
        0,
    ),
    "session authorization": (f"set session authorization {APP_USER}", "select session_user", APP_USER),
    "transaction defaults": ("set session characteristics as transaction read only", "show transaction_read_only", "off"),
    "explain analyze": ("explain analyze create temp table left_over as select 1", "select to_regclass('left_over')::text", None),
    "several at once": ("set extra_float_digits = 0; select 1", "show extra_float_digits", "1"),
    "reported parameter by set_config": ("select set_config('DateStyle', 'German', false)", "show DateStyle", "ISO, MDY"),
}
BY_SELECT = {
    "create table as": ("create temp table left_over as select 'secret' as x", "select to_regclass('left_over')::text", None),
    "select into": ("select 'secret' as x into temp left_over", "select to_regclass('left_over')::text", None),
    "set_config": ("select set_config('work_mem', '1234kB', false)", "show work_mem", "4MB"),
    "update pg_settings": ("update pg_settings set setting = '1234' where name = 'work_mem'", "show work_mem", "4MB"),
    "advisory lock": (
        "select pg_advisory_lock(4711)",
        "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
        0,
    ),
}
LEFT_BEHIND.update(BY_SELECT)
# What cannot be made again on another connection: the client keeps the one that it has.
KEEPS = {"temporary table", "prepare in a do block", "listen", "held cursor", "advisory lock in a do block", "explain analyze", "create table as",
         "select into", "advisory lock"}
LEAVES_NOTHING = {"set local", "set role", "session authorization"}


def ask_in_line(other, ask, give_way):
    """What `other` is answered, who must wait until the one before it gives way."""
    answer = []
    thread = threading.Thread(target=lambda: answer.append(value(other, ask)))
    thread.start()
    time.sleep(0.2)
    assert answer == []
    give_way()
    thread.join(10)
    return answer[0]


@pytest.mark.parametrize("name", list(LEFT_BEHIND))
@pytest.mark.cve("T-MARK PgBouncer #141")
def test_state_does_not_reach_the_next_client(pair, name):
    """And its owner still has it, however many others have used the connection meanwhile."""
    one, other = pair
    leave, ask, clean = LEFT_BEHIND[name]
    one.execute(leave)
    if name in KEEPS:
        assert value(one, ask) != clean
        assert ask_in_line(other, ask, one.close) == clean
        return
    own = value(one, ask)
    assert (own == clean) == (name in LEAVES_NOTHING)
    for _ in range(2):
        assert value(other, ask) == clean
        assert value(one, ask) == own


GIVES_WAY = {
    "temporary table": ("create temp table left_over (x int)", "drop table left_over"),
    "until the commit": ("begin; create temp table left_over (x int) on commit drop", "commit"),
    "prepare in a do block": ("do $$ begin execute 'prepare left_over as select 1'; end $$", "deallocate left_over"),
    "listen": ("listen left_over", "unlisten left_over"),
    "held cursor": ("begin; declare left_over cursor with hold for select 1; commit", "close left_over"),
    "advisory lock": ("select pg_advisory_lock(4711)", "select pg_advisory_unlock(4711)"),
    "discard": ("select pg_advisory_lock(4711)", "discard all"),
}


@pytest.mark.parametrize("name", list(GIVES_WAY))
def test_a_connection_is_kept_for_as_long_as_something_is_there(pair, name):
    one, other = pair
    leave, take = GIVES_WAY[name]
    one.execute(leave)
    assert ask_in_line(other, "select 'served'", lambda: one.execute(take)) == "served"
    assert value(one, "select 'still fine'") == "still fine"


def test_settings_with_a_dot_follow_their_client(pair):
    one, other = pair
    for statement in ("set app.tenant = 'it''s one'", "select set_config('app.tenant', 'it''s one', false)"):
        one.execute(statement)
        other.execute("set app.tenant = 'two'")
        assert value(one, "show app.tenant") == "it's one"
        assert value(other, "show app.tenant") == "two"
        one.execute("reset app.tenant")
        assert value(other, "show app.tenant") == "two"
        assert value(one, "show app.tenant") == ""


def test_what_a_transaction_takes_back_does_not_follow(pair):
    one, other = pair
    one.execute("set work_mem = '1MB'")
    one.execute("begin; set work_mem = '2MB'; savepoint a; set work_mem = '3MB'; rollback to a; rollback")
    assert value(other, "show work_mem") == "4MB"
    assert value(one, "show work_mem") == "1MB"
    one.execute("reset all")
    assert value(other, "show work_mem") == "4MB"
    assert value(one, "show work_mem") == "4MB"


ODD_VALUES = ["J\u00f6rg", "two\nlines", "tab\there", "back\\\\slash\u00fc", "\\\\x4a\u00fc", "it''s \u2603", "\x7f"]


@pytest.mark.parametrize("text", ODD_VALUES)
@pytest.mark.parametrize("strings", ["on", "off"])
@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
@pytest.mark.cve("T-LEX CVE-2025-1094")
def test_values_of_any_bytes_follow_their_client(pair, text, strings, encoding):
    one, other = pair
    one.execute(f"set standard_conforming_strings = {strings}")
    one.execute(f"set app.tenant = E'{text}'")
    plain = text.replace("\\\\", "\\").replace("''", "'")
    other.execute(f"set client_encoding = {encoding}")
    assert not value(other, "select current_setting('app.tenant', true)")
    assert value(one, "show app.tenant") == plain
    other.execute("set app.tenant = 'two'")
    assert value(one, "show app.tenant") == plain
    assert value(other, "show app.tenant") == "two"


# The server takes any plan for an expensive one then, gilmok's own look included.
NO_SCANS = "set enable_seqscan = off; set enable_indexscan = off; set enable_bitmapscan = off"


def test_a_look_is_not_compiled_because_of_its_client(pair):
    one, _ = pair
    if not value(one, "select pg_jit_available()"):
        pytest.skip("the server has no compiler")
    one.execute(NO_SCANS)
    value(one, "select 1")  # the look that finds them out
    began = time.monotonic()
    for _ in range(20):
        one.execute("set work_mem = '5MB'")
    assert time.monotonic() - began < 4, "0.4 to 2 seconds each"


def test_what_a_look_does_without_is_still_its_clients(pair):
    one, other = pair
    one.execute(NO_SCANS)
    value(one, "select 1")
    for jit in "off", "on":
        one.execute(f"set jit = {jit}")
        assert (value(other, "show jit"), value(one, "show jit")) == ("on", jit)
        assert value(one, "select source from pg_settings where name = 'jit'") == "session"
    one.execute("reset jit")
    value(other, "select 1")
    assert value(one, "select source from pg_settings where name = 'jit'") == "default"
    assert value(one, "select count(*) from pg_settings where source = 'session' and name ~ '^enable_|jit'") == 3


def test_a_name_that_cannot_be_said_again_keeps_the_connection(pair):
    one, other = pair
    one.execute("set app.\"ten\u00e4nt\" = 'x'")
    assert ask_in_line(other, "select 'served'", one.close) == "served"


def test_temp_buffers_keep_the_connection(start):
    """Once temporary objects have been used on a connection, the server refuses to set it there."""
    two = start(pool_size=2, database=["queue_timeout = 5s", "server_round_robin = on"])
    with connect(two) as one, connect(two) as other:
        one.execute("begin")
        other.execute("create temp table left_over as select 1")
        one.execute("set temp_buffers = 200")
        one.execute("commit")
        other.execute("drop table left_over")
        for _ in range(3):
            assert value(other, "show temp_buffers") == "8MB"
            assert value(one, "show temp_buffers") == "1600kB"
        one.execute("reset temp_buffers")
        assert value(one, "show temp_buffers") == "8MB"


def test_a_statement_that_does_not_exist_is_not_held_against_its_client(narrow):
    one, other = raw(narrow), raw(narrow)
    one.query("begin")
    one.send(pgwire.bind(name="missing") + pgwire.execute() + pgwire.SYNC)
    assert one.collect().errors[0].sqlstate == "26000"
    one.query("rollback and chain")
    one.query("set work_mem = '1MB'")
    one.query("commit")
    assert other.ask("show work_mem") == "4MB"
    assert one.ask("show work_mem") == "1MB"
    one.end(), other.end()


# A call of set_config() under one of the values of standard_conforming_strings, a part of a string under the other.
CALL_WHEN = {
    "on": "select '\\', set_config(--'\n'work_mem','1234kB', '\\'='' ) as \"'--\"",
    "off": "select '\\'', set_config(--'\n'work_mem','1234kB', '\\''='' ) as \"'--\"",
}


@pytest.mark.parametrize("together", (False, True))
@pytest.mark.parametrize("prepared, used", (("on", "off"), ("off", "on")))
@pytest.mark.cve("T-LEX CVE-2025-1094")
def test_a_text_is_read_as_the_server_has_read_it(narrow, prepared, used, together):
    """A prepared statement means what it meant when it was prepared."""
    one, other = raw(narrow), raw(narrow)
    parse = pgwire.parse(CALL_WHEN[prepared], "q") + pgwire.SYNC
    run = pgwire.bind(name="q") + pgwire.execute() + pgwire.SYNC
    groups = [pgwire.query(f"set standard_conforming_strings = {prepared}"), parse, pgwire.query(f"set standard_conforming_strings = {used}"), run]
    if together:
        one.send(b"".join(groups))
        assert not any(one.collect().errors for _ in groups)
    else:
        for group in groups:
            one.send(group)
            assert not one.collect().errors
    assert other.ask("show work_mem") == "4MB"
    assert one.ask("show work_mem") == "1234kB"
    one.end(), other.end()


LONG_SET = "set work_mem = '1MB' -- " + "x" * 400_000  # more than is ever in hand at once: its tag tells that it left something


@pytest.mark.cve("T-COMMENTS MXS-4548")
def test_a_text_that_is_not_read_keeps_the_connection(pair):
    one, other = pair
    one.execute(LONG_SET)
    assert value(one, "show work_mem") == "1MB"
    assert ask_in_line(other, "show work_mem", one.close) == "4MB"


def test_a_text_that_was_not_read_is_not_held_against_the_next_client(narrow):
    with connect(narrow) as one:
        one.execute("begin")
        one.execute(LONG_SET)
        one.close()
    with connect(narrow) as other, connect(narrow) as third:
        assert value(other, "show work_mem") == "4MB"
        assert value(third, "select 'served'") == "served"


def test_settings_that_a_role_may_not_see(start):
    """A superuser sets something that others may not read, and becomes one of them."""
    with superuser() as su:
        su.execute("create role flow_lord superuser login password 'of the tests'")
    lord = {"user": "flow_lord", "password": "of the tests"}
    g = start(pool_size=1, database=["queue_timeout = 5s"], users={lord["user"]: lord["password"]})
    one, other = connect(g, **lord), connect(g, **lord)
    usual = value(one, "show dynamic_library_path")
    one.execute("set dynamic_library_path = '/nowhere'")
    assert value(other, "show dynamic_library_path") == usual
    one.execute(f"set role {APP_USER}")
    assert ask_in_line(other, "show dynamic_library_path", lambda: one.execute("reset role")) == usual
    assert value(one, "show dynamic_library_path") == "/nowhere"
    one.execute(f"begin; set dynamic_library_path = '/elsewhere'; set role {APP_USER}; commit")
    assert ask_in_line(other, "show dynamic_library_path", one.close) == usual
    other.close()
    with superuser() as su:
        su.execute("drop role flow_lord")


def test_sequences_are_nobody_elses(pair):
    """currval and lastval: the client's own value in its transaction, else an error; never another client's."""
    one, other = pair
    one.execute("create sequence if not exists counted; create table if not exists counting (id int default nextval('counted'), x int)")
    for _ in range(2):  # the first time that anybody asks is special
        for c in (one, other):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                value(c, "select lastval()")
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                value(c, "select currval('counted')")
            other.execute("insert into counting (x) values (1)")
    for c in (one, other):
        c.execute("begin")
        made = value(c, "insert into counting (x) values (2) returning id")
        assert value(c, "select currval('counted')") == made == value(c, "select lastval()")
        c.execute("commit")
    one.execute("drop table counting; drop sequence counted")


def test_settings_that_one_may_set_and_not_see(start):
    with superuser() as su:
        if su.info.server_version < 150000:
            pytest.skip("nobody can be granted to set a parameter")
        su.execute(f"grant set on parameter dynamic_library_path to {APP_USER}")
    g = start(pool_size=1, database=["queue_timeout = 5s"])
    one, other = connect(g), connect(g)
    one.execute("set dynamic_library_path = '/nowhere'")
    shown = []
    thread = threading.Thread(target=lambda: shown.append(value(other, "select pg_backend_pid()")))
    thread.start()
    time.sleep(0.2)
    assert shown == []  # no look could tell: it keeps the connection, which is reset when it leaves
    one.close()
    thread.join(10)
    with superuser() as su:
        su.execute(f"grant pg_read_all_settings to {APP_USER}")
        assert value(other, "show dynamic_library_path") == value(su, "show dynamic_library_path")
        su.execute(f"revoke pg_read_all_settings from {APP_USER}; revoke set on parameter dynamic_library_path from {APP_USER}")
    other.close()


def test_the_first_of_all_to_ask_for_currval(start):
    """Others have moved sequences on the connection before; nobody has ever asked."""
    g = start(pool_size=1)
    one, other = connect(g), connect(g)
    one.execute("create sequence first_s; create table first_t (id int default nextval('first_s'), x int)")
    other.execute("insert into first_t (x) values (1)")
    one.execute("begin")
    made = value(one, "insert into first_t (x) values (2) returning id")
    assert value(one, "select currval('first_s')") == made == value(one, "select lastval()")
    one.execute("commit; drop table first_t; drop sequence first_s")
    one.close(), other.close()


def test_the_first_to_ask_for_currval_behind_a_failed_transaction(start):
    """The ROLLBACK is on its way in the same group: what others have moved is not there behind it."""
    g = start(pool_size=1)
    other, one = connect(g), raw(g)
    other.execute("create sequence second_s; select nextval('second_s')")
    one.query("begin"), one.query("select 1/0")
    one.send(b"".join(pgwire.parse(sql) + pgwire.bind() + pgwire.execute() for sql in ("rollback", "select currval('second_s')")) + pgwire.SYNC)
    answer = one.collect()
    assert answer.rows == [] and [e.sqlstate for e in answer.errors] == ["55000"]
    other.execute("drop sequence second_s")
    other.close(), one.end()


def test_sequences_may_keep_the_connection(start):
    g = start(pool_size=1, database=["session_sequences = pin"])
    one, other = connect(g), connect(g)
    one.execute("create sequence pinned")
    for n in (1, 2):
        assert value(one, "select nextval('pinned')") == n
        assert value(one, "select currval('pinned')") == n == value(one, "select lastval()")
    one.execute("drop sequence pinned; set work_mem = '1MB'")
    assert ask_in_line(other, "show work_mem", one.close) == "4MB"
    other.close()


@pytest.mark.parametrize("before", ["select 1 / (x - 2) from generate_series(1, 3) x", "describe only"])
def test_rows_of_an_earlier_statement_do_not_excuse_a_table(narrow, before):
    """CREATE TABLE AS is told from SELECT by its lack of rows: those of a statement before it must not count."""
    c = raw(narrow)
    if before == "describe only":
        c.send(pgwire.parse("select 1 as x") + pgwire.describe("S") + pgwire.message("S"))
        c.collect()
    else:
        c.query(before)
    c.query("create temp table left_over as select 'secret' as x")
    with connect(narrow) as other:
        assert ask_in_line(other, "select to_regclass('left_over')::text", c.end) is None


def portal_of_a_table():
    """A named portal that will make a temporary table, bound before anything else is described."""
    return pgwire.parse("create temp table left_over as select 'secret' as x") + pgwire.bind(portal="table")


SOMETHING_ELSE = pgwire.parse("select 1") + pgwire.bind()
OTHERS_DESCRIBED = {
    "another portal": SOMETHING_ELSE + portal_of_a_table() + pgwire.describe("P"),
    "another statement": portal_of_a_table() + pgwire.parse("select 1") + pgwire.describe("S"),
    "a portal that was suspended": pgwire.parse("select generate_series(1, 3)") + pgwire.bind() + portal_of_a_table()
        + pgwire.execute(rows=1),
}  # fmt: skip


@pytest.mark.parametrize("before", list(OTHERS_DESCRIBED.values()), ids=list(OTHERS_DESCRIBED))
def test_a_description_of_something_else_does_not_excuse_a_table(narrow, before):
    c = raw(narrow)
    c.send(before + pgwire.execute("table") + pgwire.SYNC)
    assert c.collect().tags[-1:] == ["SELECT 1"]
    c.end()  # one that has parsed and not bound would keep its connection
    with connect(narrow) as other:
        assert value(other, "select to_regclass('left_over')::text") is None


def test_state_left_by_a_client_that_disconnects(narrow):
    for leave, ask, clean in LEFT_BEHIND.values():
        c = connect(narrow)
        c.execute(leave)
        c.close()
        with connect(narrow) as other:
            assert value(other, ask) == clean


def test_unnamed_statement_of_another_client_is_never_run(narrow):
    one, other = raw(narrow), raw(narrow)
    one.send(pgwire.parse("select 'secret of one'") + pgwire.SYNC)
    assert one.collect().types == ["1", "Z"]
    one.send(pgwire.bind() + pgwire.execute() + pgwire.SYNC)
    assert one.collect().rows == [["secret of one"]]
    for probe in (pgwire.bind() + pgwire.execute(), pgwire.describe("S")):
        other.send(probe + pgwire.SYNC)
        got = other.collect()
        assert got.rows == [] and got.errors[0].sqlstate == "26000"
    assert other.ask("select 'still fine'") == "still fine"


def test_unnamed_statement_of_a_client_that_left(narrow):
    one = raw(narrow)
    one.send(pgwire.parse("select 'secret of one'") + pgwire.SYNC)
    one.collect()
    one.end()
    other = raw(narrow)
    other.send(pgwire.bind() + pgwire.execute() + pgwire.SYNC)
    got = other.collect()
    assert got.rows == [] and got.errors[0].sqlstate == "26000"


def test_unnamed_statement_of_another_client_is_never_run_for_one_that_was_skipped(narrow):
    one, other = raw(narrow), raw(narrow)
    use = pgwire.bind() + pgwire.execute() + pgwire.SYNC
    between = {"nothing": b"", "a named one": pgwire.parse("select 1", "c"), "a close": pgwire.close("S", "x")}
    for what, more in between.items():
        one.send(pgwire.parse("select 'secret of one'") + pgwire.SYNC)
        one.collect()
        other.send(pgwire.parse("selec", "b") + pgwire.parse("select 'own'") + pgwire.SYNC + more + use)
        assert [e.sqlstate for e in other.collect().errors] == ["42601"]
        got = other.collect()
        assert got.rows == [] and [e.sqlstate for e in got.errors] == ["26000"], what
        other.query("deallocate all")
        one.send(use)
        assert one.collect().rows == [["secret of one"]]
    one.end(), other.end()


@pytest.mark.cve("T-PS ProxySQL #6197")
def test_named_statement_of_another_client_is_never_run(narrow):
    one, other = raw(narrow), raw(narrow)
    one.send(pgwire.parse("select 'secret of one'", "s1") + pgwire.SYNC)
    one.collect()
    one.end()
    other.send(pgwire.bind(name="s1") + pgwire.execute() + pgwire.SYNC)
    got = other.collect()
    assert got.rows == [] and got.errors[0].sqlstate == "26000"


def test_unnamed_statement_stays_usable_between_requests(narrow):
    """Parse, Sync, a pause, then Bind: what JDBC and asyncpg do. The connection is kept meanwhile."""
    one, other = raw(narrow), connect(narrow)
    one.send(pgwire.parse("select 'later'") + pgwire.describe("S") + pgwire.SYNC)
    one.collect()

    def ask_other(_):
        return value(other, "select 'other'")

    def go_on(_):
        time.sleep(0.2)
        one.send(pgwire.bind() + pgwire.execute() + pgwire.SYNC)
        return one.collect().rows

    assert in_threads(2, lambda i: (ask_other, go_on)[i](i)) == ["other", [["later"]]]


def test_portals_end_with_their_transaction(narrow):
    one, other = raw(narrow), raw(narrow)
    one.send(pgwire.query("begin"))
    one.collect()
    one.send(pgwire.parse("select generate_series(1, 10)") + pgwire.bind(portal="p") + pgwire.execute("p", 3) + pgwire.SYNC)
    assert [r[0] for r in one.collect().rows] == ["1", "2", "3"]
    one.send(pgwire.execute("p", 3) + pgwire.SYNC)
    assert [r[0] for r in one.collect().rows] == ["4", "5", "6"]
    one.send(pgwire.query("commit"))
    one.collect()
    other.send(pgwire.execute("p", 3) + pgwire.SYNC)
    assert other.collect().errors[0].sqlstate == "34000"


def test_client_is_told_when_parameters_differ_on_its_next_connection(narrow):
    """A SET ends with its transaction's lease; the client hears the value that is true again, never believes a lie."""
    c = raw(narrow)
    assert c.parameters["DateStyle"] == "ISO, MDY"
    got = c.query("set DateStyle = 'German'")
    assert got.parameters["DateStyle"] == "German, DMY"
    raw(narrow).ask("select 1")
    got = c.query("show DateStyle")
    told = got.parameters.get("DateStyle", "German, DMY")
    assert got.rows == [[told]]


def test_markers_under_load(gilmok):
    """Forty clients with random work on four connections: every answer carries the asker's own mark."""

    def work(i):
        c = raw(gilmok, timeout=20)
        for n in range(25):
            mark = f"client {i} query {n}"
            if n % 5 == 0:
                assert c.ask(f"select '{mark}'") == mark
            elif n % 5 == 1:
                c.send(pgwire.parse("select $1::text") + pgwire.bind([mark.encode()]) + pgwire.execute() + pgwire.SYNC)
                assert c.collect().rows == [[mark]]
            elif n % 5 == 2:
                got = c.query(f"begin; select '{mark}'; commit")
                assert got.rows == [[mark]] and got.status == "I"
            elif n % 5 == 3:
                assert mark in str(c.query(f"select '{mark}'::int").errors[0])
            else:
                c.send(b"".join(pgwire.query(f"select '{mark} {k}'") for k in range(5)))
                for k in range(5):
                    assert c.collect().rows == [[f"{mark} {k}"]]
        c.end()

    in_threads(40, work)
