#!/usr/bin/python3
"""Code that no statement names (triggers, defaults, views, policies ...) leaves nothing for the next client; and code that is seen
to leave nothing costs nothing. Pools of one connection."""

import struct
import threading
import time

import pgwire
import pytest

from flowtools import APP_DB, APP_PASSWORD, APP_USER, connect, superuser, unread, value
from harness import wait_for

SETUP = """
drop schema if exists hidden cascade; create schema hidden; set search_path = hidden;
create function dirty() returns int language plpgsql as $$ begin set work_mem = '1234kB'; return 1; end $$;
create function dirty_trigger() returns trigger language plpgsql as $$ begin perform hidden.dirty(); return new; end $$;
create function clean(a int) returns int language plpgsql as
  $$ declare b int := 1; begin if a > b then b := case when a > 2 then a else b end; end if; return b; end $$;
create function clean_sql(a int) returns int language sql as $$ select hidden.clean(a) + 1 $$;
create function clean_atomic(a int) returns int language sql begin atomic; select hidden.clean_sql(a); end;
create function local() returns void language plpgsql as $$ begin perform set_config('work_mem', '1234kB', true); end $$;
create function dynamic() returns void language plpgsql as $$ begin execute 'set work_mem = ''1234kB'''; end $$;
create function by_sql() returns int language sql as $$ select hidden.dirty() $$;
create function tenant(who text) returns text language plpgsql as $$ begin return set_config('app.tenant', who, false); end $$;
create function set_ctx(k text, v text) returns void language plpgsql as $$ begin perform set_config(k, v, false); end $$;
create function set_ctx_sql(text, text) returns text language sql as $$ select set_config($1, $2, false) $$;
create function set_ctx_atomic(k text, v varchar) returns text language sql begin atomic; select set_config(k, v, false); end;
create function set_ctx_changed(k text, v text) returns void language plpgsql as
  $$ begin k := 'app.' || k; perform set_config(k, v, false); end $$;
create function set_app(k text, v text) returns void language plpgsql as $$ begin perform set_config('app.' || k, v, false); end $$;
create function passes_on(key text, v text) returns void language plpgsql as $$ begin perform hidden.set_ctx(key, v); end $$;
create function gives(v text) returns void language plpgsql as $$ begin perform hidden.set_ctx('app.given', v); end $$;
create procedure proc() language plpgsql as $$ begin perform hidden.dirty(); end $$;
create table plain (a int); insert into plain values (1), (2), (3);
create table triggered (a int); create trigger t before insert on triggered for each row execute function dirty_trigger();
create table defaulted (a int, b int default dirty());
create table checked (a int check (dirty() = 1));
create table parent (a int primary key); insert into parent values (1);
create table child (a int references parent on delete cascade, b int); insert into child values (1);
create trigger t after delete on child for each row execute function dirty_trigger();
create table parted (a int) partition by list (a); create table part partition of parted for values in (1);
create trigger t after insert on part for each row execute function dirty_trigger();
create view seen as select hidden.dirty() as a; create view seen_again as select * from seen;
create table ruled (a int); create rule r as on insert to ruled do also select hidden.dirty();
create table guarded (a int); insert into guarded values (1); alter table guarded enable row level security;
create policy p on guarded using (dirty() = 1);
create table indexed (a int); insert into indexed values (1);
create function same(a int) returns int language plpgsql immutable as $$ begin perform hidden.dirty(); return a; end $$;
create index on indexed (same(a));
create type pair as (a int, b int);
create function pair_lt(x pair, y pair) returns bool language plpgsql as $$ begin perform hidden.dirty(); return true; end $$;
grant usage on schema hidden to app; grant all on all tables in schema hidden to app;
"""
OPERATOR = "create operator hidden.<<< (function = hidden.pair_lt, leftarg = hidden.pair, rightarg = hidden.pair)"

HIDDEN = {
    "trigger": "insert into hidden.triggered values (1)",
    "default": "insert into hidden.defaulted (a) values (1)",
    "check": "insert into hidden.checked values (1)",
    "cascade": "delete from hidden.parent",
    "partition": "insert into hidden.parted values (1)",
    "view": "select * from hidden.seen",
    "view of a view": "select * from hidden.seen_again",
    "rule": "insert into hidden.ruled values (1)",
    "policy": "select * from hidden.guarded",
    "index": "insert into hidden.indexed values (2)",
    "function": "select hidden.dirty()",
    "function of a function": "select hidden.by_sql()",
    "dynamic": "select hidden.dynamic()",
    "procedure": "call hidden.proc()",
    "do": "do $$ begin perform hidden.dirty(); end $$",
}
CLEAN = {
    "select": "select * from hidden.plain",
    "insert": "insert into hidden.plain values (4)",
    "plpgsql": "select hidden.clean(a) from hidden.plain",
    "sql": "select hidden.clean_sql(3)",
    "atomic": "select hidden.clean_atomic(3)",
    "local": "select hidden.local()",
    "do": "do $$ begin perform hidden.clean(1); end $$",
}


@pytest.fixture(scope="module")
def code():
    with superuser() as su:
        su.execute(SETUP)
    yield
    with superuser() as su:
        su.execute("drop schema hidden cascade")


def last_query(pid):
    with superuser() as su:
        return value(su, "select query from pg_stat_activity where pid = %s", (pid,))


def learn(connection):
    """Until the database's code is known: the first statements that name something are looked after."""
    for _ in range(50):
        value(connection, "select count(*) from hidden.plain")
        pid = value(connection, "select pg_backend_pid()")
        time.sleep(0.02)
        value(connection, "select count(*) from hidden.plain")
        time.sleep(0.05)
        if "count(*)" in last_query(pid):
            return pid
    raise AssertionError("the code of the database is never known")


@pytest.fixture
def pair(narrow, code):
    one, other = connect(narrow, autocommit=True), connect(narrow, autocommit=True)
    learn(one)
    yield one, other
    one.close(), other.close()


def test_a_look_that_is_cancelled_is_taken_again(start):
    """A cancel request may come late, and hit gilmok's own query instead of the client's: the connection is not kept for that."""
    g = start(pool_size=1, database=["queue_timeout = 5s", "unknown_effects = probe"])
    with superuser() as su, connect(g) as c, connect(g) as other:
        pid = value(c, "select pg_backend_pid()")
        su.execute("begin; lock table pg_catalog.pg_depend in access exclusive mode")
        c.execute("select set_config('work_mem', '5MB', false)")
        since = "select coalesce(max(waitstart)::text, '') from pg_locks where pid = %s and not granted"
        before = wait_for(lambda: value(su, since, [pid]), what="the look")
        su.execute("select pg_cancel_backend(%s)", [pid])
        wait_for(lambda: value(su, since, [pid]) != before, what="the end of the look")
        su.execute("commit")
        assert value(other, "show work_mem") != "5MB" and value(c, "show work_mem") == "5MB"


@pytest.mark.parametrize("name", list(HIDDEN))
def test_what_hidden_code_sets_follows_its_client(pair, name):
    one, other = pair
    one.execute(HIDDEN[name])
    assert value(other, "show work_mem") == "4MB"
    assert value(one, "show work_mem") == "1234kB"
    assert value(other, "show work_mem") == "4MB"


@pytest.mark.parametrize("name", list(CLEAN))
def test_code_that_leaves_nothing_is_not_looked_after(pair, name):
    one, _ = pair
    pid = value(one, "select pg_backend_pid()")
    one.execute(CLEAN[name])
    time.sleep(0.05)
    assert last_query(pid) == CLEAN[name]


def test_an_operator_is_code_too(start, code):
    with superuser() as su:
        su.execute(OPERATOR)
    try:
        g = start(pool_size=1)
        with connect(g, autocommit=True) as one, connect(g, autocommit=True) as other:
            one.execute("select row(1, 2)::hidden.pair operator(hidden.<<<) row(1, 2)::hidden.pair")
            for _ in range(3):
                assert value(other, "show work_mem") == "4MB"
            assert value(one, "show work_mem") == "1234kB"
            one.execute("reset work_mem")
            one.execute("select row(1, 2)::hidden.pair operator(hidden.<<<) row(1, 2)::hidden.pair")
            assert value(other, "show work_mem") == "4MB"
    finally:
        with superuser() as su:
            su.execute("drop operator hidden.<<< (hidden.pair, hidden.pair)")


def test_a_setting_that_only_a_function_names(pair):
    one, other = pair
    one.execute("select hidden.tenant('one')")
    assert value(other, "select current_setting('app.tenant', true)") in (None, "")
    other.execute("select hidden.tenant('other')")
    assert value(one, "select current_setting('app.tenant', true)") == "one"
    assert value(other, "select current_setting('app.tenant', true)") == "other"


@pytest.mark.parametrize("sql", ["select hidden.tenant('one')", "select hidden.set_ctx('app.tenant', 'one')"])
def test_code_that_was_known_before_it_may_have_changed(pair, narrow, sql):
    """In the same moment as DDL, and in the same exchange."""
    other = pair[1]
    c = raw(narrow.port)
    for _ in range(10):
        for n in range(3):
            c.send(pgwire.query("create table hidden_ddl (a int)") + pgwire.query("drop table hidden_ddl") + pgwire.query(sql))
            for _ in range(3):
                assert not c.collect().errors
            assert value(other, "select current_setting('app.tenant', true)") in (None, "")
        assert c.ask("select current_setting('app.tenant', true)") == "one"
        c.query("reset app.tenant")
    c.end()


@pytest.mark.parametrize("sql", ["select hidden.tenant('one')", "select hidden.set_ctx('app.tenant', 'one')"])
def test_the_first_statement_of_all_leaves_nothing_either(start, code, sql):
    """Nothing is known of the database when gilmok begins."""
    g = start(pool_size=1)
    with connect(g) as one, connect(g) as other:
        one.execute(sql)
        for _ in range(2):
            assert value(other, "select current_setting('app.tenant', true)") in (None, "")
            assert value(one, "select current_setting('app.tenant', true)") == "one"


NAMED = {
    "in the call": ("app.called", "select hidden.set_ctx('app.called', '{0}')"),
    "of an SQL function": ("app.sql", "select hidden.set_ctx_sql('app.sql', '{0}')"),
    "of a function that is kept as a tree": ("app.atomic", "select hidden.set_ctx_atomic('app.atomic', '{0}')"),
    "through another function": ("app.passed", "select hidden.passes_on('app.passed', '{0}')"),
    "by another function": ("app.given", "select hidden.gives('{0}')"),
    "without a dot": ("work_mem", "select hidden.set_ctx('work_mem', '{0}MB')"),
    "by a parameter": ("app.bound", "select hidden.set_ctx(%s, %s)"),
    "by a parameter of set_config": ("app.config", "select set_config(%s, %s, false)"),
    "by a parameter with a type": ("app.typed", "select hidden.set_ctx(%s::text, %s)"),
}
COMPUTED = {
    "in the call": "select hidden.set_ctx(lower('APP.COMPUTED'), '{0}')",
    "in the function": "select hidden.set_ctx_changed('computed', '{0}')",
    "of two parts": "select hidden.set_app('computed', '{0}')",
    "in a query": "select hidden.set_ctx(k, '{0}') from (values ('app.computed')) x (k)",
}


@pytest.mark.parametrize("name", list(NAMED))
def test_a_setting_that_the_caller_names_follows_its_client(pair, name):
    setting, sql = NAMED[name]
    for n, c in enumerate(pair, 7):
        c.execute(*((sql, (setting, str(n))) if "%s" in sql else (sql.format(n),)))
        c.execute("select 1")
    for n, c in enumerate(pair, 7):
        assert value(c, f"select current_setting('{setting}')") == (str(n) if "." in setting else f"{n}MB")


@pytest.mark.parametrize("way", ["simple", "extended"])
def test_a_setting_that_execute_names_keeps_the_connection(narrow, pair, way):
    c = raw(narrow.port)
    c.send(pgwire.parse("select set_config($1, $2, false)", "named") + pgwire.SYNC)
    assert c.collect().errors == []
    sql = "execute named('app.executed', '1')"
    c.send(pgwire.query(sql) if way == "simple" else pgwire.parse(sql) + pgwire.bind() + pgwire.execute() + pgwire.SYNC)
    assert c.collect().errors == []
    answer = []
    thread = threading.Thread(target=lambda: answer.append(value(pair[1], "select current_setting('app.executed', true)")))
    thread.start()
    assert c.ask("select current_setting('app.executed', true)") == "1"
    c.end()
    thread.join(10)
    assert answer[0] in (None, "")


def called_by_number(name, *arguments):
    with superuser() as su:
        oid = value(su, f"select '{name}'::regprocedure::oid")
    body = struct.pack(">IHH", oid, 0, len(arguments)) + b"".join(struct.pack(">i", len(a)) + a for a in arguments)
    return pgwire.message("F", body + struct.pack(">H", 0))


@pytest.mark.parametrize("name", ["set_config(text,text,bool)", "hidden.set_ctx(text,text)"])
def test_a_setting_that_a_call_by_number_sets_keeps_the_connection(narrow, pair, name):
    c = raw(narrow.port)
    c.send(called_by_number(name, b"app.numbered", b"1", *([b"f"] if "bool" in name else [])))
    assert c.collect().errors == []
    answer = []
    thread = threading.Thread(target=lambda: answer.append(value(pair[1], "select current_setting('app.numbered', true)")))
    thread.start()
    assert c.ask("select current_setting('app.numbered', true)") == "1"
    c.end()
    thread.join(10)
    assert answer[0] in (None, "")


@pytest.mark.parametrize("name", list(COMPUTED))
def test_a_setting_with_a_computed_name_keeps_the_connection(narrow, code, name):
    with connect(narrow, autocommit=True) as one, connect(narrow, autocommit=True) as other:
        learn(one)
        one.execute(COMPUTED[name].format(1))
        answer = []
        thread = threading.Thread(target=lambda: answer.append(value(other, "select current_setting('app.computed', true)")))
        thread.start()
        assert value(one, "select current_setting('app.computed')") == "1"
        time.sleep(0.2)
        assert answer == []
        one.close()
        thread.join(10)
        assert answer[0] in (None, "")


def raw(port):
    return pgwire.Client(port, user=APP_USER, password=APP_PASSWORD, database=APP_DB).login()


def in_one_exchange(port, sql):
    c = raw(port)
    assert not c.query(sql).errors
    c.end()


def prepared_before(port, sql):
    """Its Parse has been answered when it is carried out."""
    c = raw(port)
    for message in (pgwire.parse(sql), pgwire.bind() + pgwire.execute()):
        c.send(message + pgwire.SYNC)
        assert not c.collect().errors
    c.end()


@pytest.mark.parametrize("change", [in_one_exchange, prepared_before])
def test_code_that_changes_through_gilmok_counts_at_once(pair, narrow, change):
    one, other = pair
    with superuser() as su:
        su.execute(f"grant create on schema hidden to {APP_USER}")
    try:
        one.execute("create function hidden.turns() returns int language sql as 'select 1'")
        learn(one)
        change(
            narrow.port,
            "create or replace function hidden.turns() returns int language plpgsql as $$ begin set work_mem = '1234kB'; return 1; end $$",
        )
        one.execute("select hidden.turns()")
        assert value(other, "show work_mem") == "4MB"
        assert value(one, "show work_mem") == "1234kB"
    finally:
        one.execute("drop function if exists hidden.turns()")
        with superuser() as su:
            su.execute(f"revoke create on schema hidden from {APP_USER}")


@pytest.mark.parametrize("seconds", [0.05, 0.6], ids=["a moment", "longer"])
def test_code_that_a_client_changes_while_it_leaves(start, code, seconds):
    """The code is read anew after the change, although nobody is there any more to hear that it is made."""
    g = start(pool_size=3)
    with superuser() as su:
        su.execute(f"grant create on schema hidden to {APP_USER}")
    one, other, third = (connect(g, autocommit=True) for _ in range(3))
    try:
        one.execute("create function hidden.turns() returns int language sql as 'select 1'")
        learn(one)
        c = raw(g.port)
        c.send(pgwire.query(
            f"select pg_sleep({seconds}); create or replace function hidden.turns() returns int language plpgsql as "
            "$$ begin set work_mem = '1234kB'; return 1; end $$"
        ))  # fmt: skip
        time.sleep(0.02)
        c.sock.close()
        end = time.monotonic() + seconds + 0.3
        while time.monotonic() < end:  # the code is read meanwhile, as it was
            one.execute("select hidden.turns()")
            time.sleep(0.01)
        for _ in range(5):
            one.execute("select hidden.turns()")
            assert value(other, "show work_mem") == value(third, "show work_mem") == "4MB"
        assert value(one, "show work_mem") == "1234kB"
    finally:
        one.execute("drop function if exists hidden.turns()")
        for c in (one, other, third):
            c.close()
        with superuser() as su:
            su.execute(f"revoke create on schema hidden from {APP_USER}")


TURNS = ("create or replace function hidden.turns() returns int language plpgsql as "
         "$$ begin set work_mem = '1234kB'; return 1; end $$")  # fmt: skip
TRIGGER = "create trigger t before insert on hidden.later for each row execute function hidden.dirty_trigger()"


@pytest.fixture
def changeable(start, code):
    """Three clients of three connections; the first knows the code, which the second may change."""
    g = start(pool_size=3)
    with superuser() as su:
        su.execute(f"grant create on schema hidden to {APP_USER}")
    clients = [connect(g, autocommit=True) for _ in range(4)]
    clients[0].execute("create function hidden.turns() returns int language sql as 'select 1'; create table hidden.later (a int)")
    learn(clients[0])
    yield clients
    clients[1].rollback()
    clients[1].execute("drop function if exists hidden.turns(); drop table if exists hidden.later")
    for c in clients:
        c.close()
    with superuser() as su:
        su.execute(f"revoke create on schema hidden from {APP_USER}")


def nobody_else_has_it(clients):
    for c in clients[1:]:
        assert value(c, "show work_mem") == "4MB"
    assert value(clients[0], "show work_mem") == "1234kB"


def called_meanwhile(client, sql):
    thread = threading.Thread(target=client.execute, args=[sql])
    thread.start()
    time.sleep(0.15)
    return thread


def test_code_that_changes_while_a_statement_is_on_its_way_to_it(changeable):
    """It was read before the change, and calls what there is after it."""
    one, other = changeable[:2]
    thread = called_meanwhile(one, "do $$ begin perform pg_sleep(0.4); perform hidden.turns(); end $$")
    other.execute(TURNS)
    thread.join()
    nobody_else_has_it(changeable)


@pytest.mark.parametrize("change", ["one_by_one", "prepared"])
def test_code_that_a_transaction_changes_while_a_statement_waits_for_it(changeable, change):
    """It is read when the code was read anew, and has not changed yet; the lock keeps it until the change is made."""
    one, other = changeable[:2]
    other.execute("begin")
    other.execute(TRIGGER)
    if change == "prepared":
        other.execute("select 1", prepare=True)
    time.sleep(0.05)
    for _ in range(3):
        value(one, "select hidden.clean(1)")
        time.sleep(0.05)
    thread = called_meanwhile(one, "insert into hidden.later values (1)")
    if change == "prepared":
        other.execute("commit", prepare=True)
    else:
        other.execute("commit")
    thread.join()
    nobody_else_has_it(changeable)


def test_statements_are_looked_after_while_code_changes_but_not_for_long(changeable):
    """A change that takes its time is not a reason to look after everybody. Whoever makes it may keep its connection."""
    one, other = changeable[:2]
    other.execute(unread("select 1"), prepare=True)
    thread = called_meanwhile(other, f"select pg_sleep(8); {TURNS}")

    def is_looked_after():
        pid = value(one, "select pg_backend_pid() + 0 * hidden.clean(1)")
        time.sleep(0.1)
        return "hidden.clean" not in last_query(pid)

    assert is_looked_after()
    wait_for(lambda: not is_looked_after(), 7, what="an end of looking")
    assert thread.is_alive()
    thread.join()
    wait_for(lambda: not is_looked_after(), what="the new code to be read")
    one.execute("select hidden.turns()")
    nobody_else_has_it(changeable)


def test_code_that_changes_elsewhere_counts_after_catalog_refresh(start, code):
    g = start(pool_size=1, database=["catalog_refresh = 1s"])
    with connect(g, autocommit=True) as one, connect(g, autocommit=True) as other:
        learn(one)
        with superuser() as su:
            su.execute("create table hidden.later (a int); grant all on hidden.later to public;"
                       "create trigger t before insert on hidden.later for each row execute function hidden.dirty_trigger()")
        time.sleep(1.2)
        one.execute("insert into hidden.later values (1)")
        assert value(other, "show work_mem") == "4MB"
        assert value(one, "show work_mem") == "1234kB"
        with superuser() as su:
            su.execute("drop table hidden.later")


def test_an_operator_class_that_is_made_elsewhere(start, code):
    """Nothing else is new with it: it puts a function that was there before behind what every statement may run."""
    with superuser() as su:
        su.execute("create function hidden.cmp(a int, b int) returns int language plpgsql immutable as"
                   " $$ begin perform hidden.dirty(); return case when a < b then -1 when a > b then 1 else 0 end; end $$;"
                   "create table hidden.sorted (a int); insert into hidden.sorted values (1), (2); grant all on hidden.sorted to public")
    g = start(pool_size=1, database=["catalog_refresh = 1s"])
    with connect(g, autocommit=True) as one, connect(g, autocommit=True) as other, superuser() as su:
        learn(one)
        su.execute("create operator class hidden.dirty_ops for type int4 using btree as operator 1 <, operator 2 <=, operator 3 =,"
                   " operator 4 >=, operator 5 >, function 1 hidden.cmp(int4, int4);"
                   "create index on hidden.sorted using btree (a hidden.dirty_ops)")
        try:
            time.sleep(0.7)
            value(one, "select hidden.clean(1)")  # what is known is checked behind it
            time.sleep(0.1)
            one.execute("insert into hidden.sorted values (3)")
            assert value(other, "show work_mem") == "4MB"
            assert value(one, "show work_mem") == "1234kB"
        finally:
            su.execute("drop table hidden.sorted; drop operator class hidden.dirty_ops using btree; drop operator family if exists"
                       " hidden.dirty_ops using btree; drop function hidden.cmp")


def test_a_database_that_cannot_be_read_is_looked_after(start, code):
    """Its catalogs are refused to the user: nothing is known, so everything is looked for; and nobody is kept waiting."""
    with superuser() as su:
        su.execute("revoke select on pg_proc from public")
    try:
        g = start(pool_size=1)
        with connect(g, autocommit=True) as one, connect(g, autocommit=True) as other:
            for _ in range(3):
                one.execute("insert into hidden.triggered values (1)")
                assert value(other, "show work_mem") == "4MB"
                assert value(one, "show work_mem") == "1234kB"
                one.execute("reset work_mem")
        assert "could not be read" in g.said()
    finally:
        with superuser() as su:
            su.execute("grant select on pg_proc to public")


def test_trust_reads_nothing(start, code):
    g = start(pool_size=1, database=["unknown_effects = trust"])
    with connect(g, autocommit=True) as one:
        pid = value(one, "select pg_backend_pid()")
        one.execute("select hidden.clean(1) from hidden.plain")
        time.sleep(0.05)
        assert last_query(pid) == "select hidden.clean(1) from hidden.plain"


def test_many_clients_while_the_code_changes(start, code):
    """DDL comes and goes while others call what it changes: nobody ever meets a setting of another client."""
    g = start(pool_size=3, database=["server_round_robin = on"])
    wrong, stop = [], threading.Event()

    def caller():
        with connect(g, autocommit=True) as c:
            while not stop.is_set():
                c.execute("insert into hidden.triggered values (1)")
                if value(c, "show work_mem") != "1234kB":
                    wrong.append("lost")
                c.execute("reset work_mem")

    def watcher():
        with connect(g, autocommit=True) as c:
            while not stop.is_set():
                if value(c, "show work_mem") != "4MB":
                    wrong.append("met")

    threads = [threading.Thread(target=work) for work in (caller, caller, watcher, watcher)]
    for thread in threads:
        thread.start()
    with superuser() as su:
        su.execute(f"grant create on schema hidden to {APP_USER}")
    with connect(g, autocommit=True) as c:
        for i in range(20):
            c.execute(f"create or replace function hidden.comes() returns int language sql as 'select {i}'")
            time.sleep(0.05)
        c.execute("drop function hidden.comes()")
    stop.set()
    for thread in threads:
        thread.join(20)
    with superuser() as su:
        su.execute(f"revoke create on schema hidden from {APP_USER}")
    assert not wrong
