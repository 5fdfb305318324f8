#!/usr/bin/python3
"""What gilmok asks the server itself: a client's search_path, role and objects have no influence on it, and it needs no right
that is not in docs/operations.md."""

import os
import time

import psycopg
import pytest

import flowtools
import harness
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, connect, superuser, value

# ---- names that mean something else in a client's search_path ----

FUNCTIONS = (
    "set_config current_setting pg_show_all_settings pg_my_temp_schema pg_lock_status pg_listening_channels pg_cursor pg_backend_pid "
    "pg_prepared_statement concat concat_ws encode replace repeat chr starts_with lower upper hashtext length regexp_matches regexp_replace "
    "has_language_privilege nullif coalesce count sum string_agg textcat texteq textne nameeq namene oideq int4eq chareq booleq"
).split()
OPERATORS = {"=": "boolean", "<>": "boolean", "~": "boolean", "~~": "boolean", "<": "boolean", ">=": "boolean", "||": "text"}
TYPES = ["text", "name", "oid", "integer", "bigint", '"char"', "boolean", "regclass"]
HAS_RUN = "a function of the schema evil has run"

# Each says in the server's log that it has run, which even a read-only transaction lets it do, and tells a lie.
MAKE = f"""
drop schema if exists evil cascade;
create schema evil;
grant usage on schema evil to public;
do $do$
declare f record; o text; t text; lie text; at int := 0;
begin
  for f in select distinct on (p.oid) p.oid, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid) as args,
      pg_catalog.pg_get_function_result(p.oid) as result
      from pg_catalog.pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace and p.proname = any('{{{",".join(FUNCTIONS)}}}') loop
    begin
      execute pg_catalog.format('create function evil.%I(%s) returns %s language plpgsql as $f$ begin raise log ''{HAS_RUN}''; %s end $f$',
        f.proname, f.args, f.result, case when f.result like 'SETOF%' or f.result like 'TABLE%' then 'return;' else 'return null;' end);
    exception when others then null;
    end;
  end loop;
  foreach o in array '{{{",".join(f'"{o}"' for o in OPERATORS)}}}'::text[] loop
    foreach t in array '{{{",".join(TYPES).replace('"', chr(92) + '"')}}}'::text[] loop
      at := at + 1;
      lie := case when o = '||' then 'text' else 'boolean' end;
      execute pg_catalog.format('create function evil.o%s(%s, %s) returns %s language plpgsql as $f$ begin raise log ''{HAS_RUN}''; '
        'return %s; end $f$', at, t, t, lie, case when o = '||' then '''lie''' else 'true' end);
      execute pg_catalog.format('create operator evil.%s (leftarg = %s, rightarg = %s, function = evil.o%s)', o, t, t, at);
    end loop;
  end loop;
  foreach t in array '{{pg_proc,pg_class,pg_depend,pg_language,pg_trigger,pg_rewrite,pg_settings,pg_locks}}'::text[] loop
    execute pg_catalog.format('create table evil.%I (oid oid, proname name)', t);
  end loop;
end $do$;
grant select on all tables in schema evil to public;
"""
PATH = "evil, pg_catalog"
# What a call names; what no call names, but another function; and that.
CODE = [
    "flow_leaves(n text, v text) returns void language plpgsql as $$ begin perform pg_catalog.set_config(n, v, false); end $$",
    "flow_executes(n text) returns void language plpgsql as $$ begin execute pg_catalog.concat('set app.', n, ' = one'); end $$",
    "flow_names() returns void language plpgsql as $$ begin perform pg_catalog.set_config('app.made_up', '1', false); end $$",
]


@pytest.fixture(scope="module")
def evil():
    with superuser() as su:
        for statement in [MAKE]:
            su.execute(statement)
        assert value(su, "select count(*) from pg_proc where pronamespace = 'evil'::regnamespace") > 70
        for function in CODE:
            su.execute(f"create or replace function public.{function}")
        yield su
        su.execute("drop schema evil cascade")
        for function in CODE:
            su.execute(f"drop function public.{function.split('(')[0]}")


def times_run():
    with open(os.environ["PRIMARY_LOG"], "rb") as f:
        return f.read().count(HAS_RUN.encode())


def raw(g, **more):
    return pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, **{"database": APP_DB, **more})


def ok(client, *texts):
    for sql in texts:
        got = client.query(sql)
        assert not got.errors, (sql, got.errors)


WAYS = {
    "search_path": {"search_path": PATH},
    "options": {"options": "-c search_path=evil,pg_catalog"},
    "SET": {},
    "of the role": {},
}


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.cve("T-SP CVE-2025-12819")
def test_a_clients_search_path_is_its_own(evil, start, way):
    """Looks, resets, settings that follow, statements, temporary objects, channels and the reading of the catalog: not one name
    of theirs is looked up where a client says; and none of it stays with the next client."""
    if way == "of the role":
        evil.execute(f"alter role {APP_USER} set search_path = {PATH}")
    try:
        before = times_run()
        g = start(pool_size=1, database=["queue_timeout = 5s", "catalog_refresh = 1s"])
        one = raw(g, params=WAYS[way]).login()
        if way == "SET":
            ok(one, f"SET search_path = {PATH}")
        assert one.ask("SHOW search_path").replace(" ", "") == "evil,pg_catalog"
        run_evil = times_run() - before
        with superuser() as su:  # the schema does what it should: it is found, and says so
            su.execute(f"set search_path = {PATH}")
            su.execute("select 'a'::text = 'b'::text, lower('A')")
        assert times_run() - before - run_evil >= 2, "evil's functions are not found"
        before += 2
        ok(one, "SET app.tenant = 'one'", "SET work_mem = '5MB'", "SET enable_seqscan = off", "SET statement_timeout = '9s'")
        ok(one, "SELECT public.flow_leaves('app.hidden', 'one')", "SELECT public.flow_executes('made_up')", "PREPARE p (int4) AS SELECT 1", "EXECUTE p (2)", "LISTEN flow_evil")
        ok(one, "UNLISTEN *", "CREATE TEMPORARY TABLE flow_evil_temp (a int4)", "DROP TABLE flow_evil_temp", "RESET work_mem", "DEALLOCATE p")
        other = raw(g, params={"search_path": "pg_catalog"}).login()
        for name in ("app.tenant", "app.hidden", "app.made_up"):
            assert other.query(f"SELECT current_setting('{name}', true)").rows in ([[None]], [[""]]), name
        assert other.ask("SHOW enable_seqscan") == "on" and other.ask("SHOW search_path") == "pg_catalog"
        time.sleep(1.1)  # catalog_refresh
        assert [one.ask(f"SHOW app.{name}") for name in ("tenant", "hidden", "made_up")] == ["one"] * 3
        assert one.ask("SHOW enable_seqscan") == "off" and one.ask("SHOW search_path").replace(" ", "") == "evil,pg_catalog"
        ok(one, "DISCARD ALL")
        one.end()
        assert other.ask("SELECT 'after'") == "after"
        other.end()
        time.sleep(0.1)
        assert times_run() == before, "a query of gilmok's own has run a function of the client's schema"
        assert "could not be read" not in g.said()
    finally:
        evil.execute(f"alter role {APP_USER} reset search_path")


@pytest.mark.cve("T-SP CVE-2025-12819")
def test_a_role_of_the_startup_packet_is_the_clients_alone(evil, start):
    """role, session_authorization and what options say besides: gilmok's own questions do not go by them, nor does the next client."""
    evil.execute("drop role if exists flow_lesser")
    evil.execute(f"create role flow_lesser nologin; grant flow_lesser to {APP_USER}")
    try:
        g = start(pool_size=2, database=["queue_timeout = 5s"])
        params = [{"role": "flow_lesser"}, {"options": "-c role=flow_lesser -c search_path=evil,pg_catalog"},
                  {"options": "-c session_authorization=postgres"}, {"session_authorization": "postgres"}]  # fmt: skip
        before = times_run()
        for given in params:
            c = raw(g, params=given)
            c.authenticate()
            got = c.collect()
            if not got.errors:
                assert c.ask("SELECT current_user::pg_catalog.text" if "options" not in given else "SHOW role") == "flow_lesser"
                ok(c, "SELECT public.flow_leaves('app.hidden', 'one')")
            else:
                assert "postgres" in str(given), got.errors
            c.end()
            plain = raw(g).login()
            assert plain.ask("SELECT concat(session_user, ' ', current_user)") == f"{APP_USER} {APP_USER}"
            assert plain.query("SELECT current_setting('app.hidden', true)").rows in ([[None]], [[""]])
            plain.end()
        assert times_run() == before
    finally:
        evil.execute("drop role flow_lesser")


# ---- rights ----

# What docs/operations.md says that gilmok's account at the server needs; everybody has it unless it was taken away.
OWN_FUNCTIONS = [
    "pg_show_all_settings()", "pg_lock_status()", "pg_listening_channels()", "pg_cursor()", "pg_prepared_statement()",
    "pg_my_temp_schema()", "current_setting(text)", "current_setting(text, boolean)", "set_config(text, text, boolean)",
]  # fmt: skip


@pytest.fixture
def least():
    """(superuser, role): a role that may do nothing at all but use gilmok's list in the database flow_least."""
    with superuser() as su:
        su.execute("drop database if exists flow_least")
        su.execute("drop role if exists flow_least")
        su.execute("create role flow_least login noinherit nosuperuser nocreatedb nocreaterole password 'least-password'")
        su.execute("create database flow_least")
        su.execute("revoke all on database flow_least from public")
        su.execute("grant connect on database flow_least to flow_least")
    with superuser("flow_least") as su:
        su.execute("revoke all on schema public from public")
        for function in OWN_FUNCTIONS:
            su.execute(f"revoke execute on function pg_catalog.{function} from public")
            su.execute(f"grant execute on function pg_catalog.{function} to flow_least")
        su.execute("create schema app")
        su.execute("create table app.items as select i from generate_series(1, 10) i")
        su.execute("create function app.sets() returns void language plpgsql as $$ begin perform set_config('app.x', 'mine', false); end $$")
        su.execute("grant usage on schema app to flow_least; grant select on app.items to flow_least")
        yield su
    with superuser() as su:
        su.execute("drop database flow_least with (force)")
        su.execute("drop role flow_least")


@pytest.mark.cve("BAR 41 rights")
def test_an_account_without_any_right_is_enough(least, start):
    """Pooling, settings that follow, looks, the catalog, prepared statements, cancels: with the documented list and nothing else."""
    account = "server_user = flow_least\nserver_password = least-password\npool_size = 2\nqueue_timeout = 5s\nlisten = shared\n"
    g = start(tail=f"[database flow_least]\ncluster = main\n{account}", users={"flow_least": "least-password"})
    one, other = (connect(g, dbname="flow_least") for _ in range(2))
    rights = "select rolsuper or rolinherit or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls from pg_roles where rolname = current_user"
    assert value(one, "select session_user::text") == "flow_least" and value(one, rights) is False
    assert value(one, "select count(*) from pg_auth_members where member = 'flow_least'::regrole") == 0
    for c, mine in ((one, "1"), (other, "2")):
        c.execute(f"set app.tenant = '{mine}'")
        c.execute("set statement_timeout = '9s'")
    one.execute("select app.sets()")
    one.execute("prepare p as select count(*) from app.items")
    assert value(one, "execute p") == 10
    for c, mine in ((one, "1"), (other, "2")):
        assert value(c, "show app.tenant") == mine
        assert value(c, "select i from app.items where i = %s", (3,), prepare=True) == 3
    assert value(one, "show app.x") == "mine" and value(other, "select current_setting('app.x', true)") in (None, "")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        one.execute("create table app.more (a int)")
    one.close(), other.close()
    ear = pgwire.Client(g.port, user="flow_least", password="least-password", database="flow_least").login()
    ok(ear, "LISTEN flow_least")
    ear.send(pgwire.query("NOTIFY flow_least, 'heard'"))
    while (message := ear.read())[0] != "A":
        pass
    assert message[1].endswith(b"flow_least\0heard\0")
    ear.end()
    assert "could not be read" not in g.said() and "permission denied" not in g.said(), g.said()


@pytest.mark.cve("T-EXPIRE CVE-2025-2291")
def test_a_role_that_the_server_lets_in_no_more(start):
    """Expired, or not allowed to log in: gilmok has its password, and yet opens no connection for it."""
    with superuser() as su:
        su.execute("drop role if exists flow_expired")
        su.execute("create role flow_expired login password 'old password' valid until '2001-01-01'")
        g = start(users={"flow_expired": "old password"}, database=["server_lifetime = 1s"])

        def heard():
            c = pgwire.Client(g.port, user="flow_expired", password="old password", database=APP_DB)
            c.authenticate()
            got = c.collect()
            c.end()
            return got.errors[0].sqlstate if got.errors else None

        assert heard() == "08001"
        su.execute("alter role flow_expired valid until 'infinity'")
        harness.wait_for(lambda: heard() is None, what="a login")
        su.execute("alter role flow_expired nologin")
        su.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'flow_expired'")
        harness.wait_for(lambda: heard() == "08001" or query_fails(g), what="a refusal")
        su.execute("drop role flow_expired")


def query_fails(g):
    c = pgwire.Client(g.port, user="flow_expired", password="old password", database=APP_DB)
    try:
        got = c.login().query("select 1")
        return [e.sqlstate for e in got.errors] == ["08001"]
    except (pgwire.PgError, pgwire.Closed):
        return True
    finally:
        c.end()
