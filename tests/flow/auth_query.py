#!/usr/bin/python3
"""Users whom only the server knows: asked for on a connection of gilmok's own, remembered for a while, never believed for long."""

import os
import secrets
import threading
import time

import psycopg
import pytest

import harness
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, connect, gilmok_before_primary, superuser, value

ASKER = "gilmok_asker"


@pytest.fixture(scope="module")
def roles():
    """The role that asks, without any right but to call one function; and users with every kind of secret."""
    password = {name: secrets.token_hex(8) for name in (ASKER, "aq_scram", "aq_md5", "aq_expired", "aq_later", "aq_nologin", "aq_moved")}
    with superuser(APP_DB) as su:
        drop(su, password)
        for name, secret in password.items():
            how = {"aq_expired": "valid until '2001-01-01'", "aq_later": "valid until '2101-01-01'", "aq_nologin": "nologin"}.get(name, "")
            su.execute(f"set password_encryption = '{'md5' if name == 'aq_md5' else 'scram-sha-256'}'")
            su.execute(f"create role {name} {'' if 'nologin' in how else 'login'} password '{secret}' {how}")
        su.execute("create role aq_none login")
        su.execute("create schema gilmok_auth")
        su.execute(
            "create function gilmok_auth.get_auth(who text, out name text, out secret text, out may boolean) language sql security definer "
            "set search_path = '' as $$ select rolname::text, rolpassword, rolcanlogin and (rolvaliduntil is null or "
            "rolvaliduntil operator(pg_catalog.>) pg_catalog.now()) from pg_catalog.pg_authid where rolname operator(pg_catalog.=) who::name $$"
        )
        su.execute("revoke all on function gilmok_auth.get_auth from public")
        su.execute(f"grant usage on schema gilmok_auth to {ASKER}")
        su.execute(f"grant execute on function gilmok_auth.get_auth to {ASKER}")
    yield password
    with superuser(APP_DB) as su:
        drop(su, password)


def drop(su, names):
    su.execute("drop schema if exists gilmok_auth cascade")
    for name in [*names, "aq_none"]:
        if value(su, "select exists (select 1 from pg_roles where rolname = %s)", [name]):
            su.execute(f"drop owned by {name}")
            su.execute(f"drop role {name}")


def cluster_lines(query="SELECT * FROM gilmok_auth.get_auth($1)", *more):
    return [f"auth_user = {ASKER}", "auth_password_file = asker.txt", f"auth_database = {APP_DB}", f"auth_query = {query}", *more]


@pytest.fixture
def asking(start, roles):
    """asking(lines of [cluster], ...): a gilmok that asks the server for users."""

    def run(*lines, **more):
        return start(cluster=list(lines) or cluster_lines(), files={"asker.txt": roles[ASKER] + "\n"}, **more)

    return run


def refused(g, **more):
    with pytest.raises(psycopg.OperationalError) as e:
        connect(g, **more).close()
    return str(e.value)


@pytest.mark.cve("T-EXPIRE CVE-2025-2291", "T-NOUSER CVE-2015-6817")
def test_users_log_in_and_go_on_by_their_own_proof(asking, roles):
    g = asking()
    for name in ("aq_scram", "aq_later"):
        with connect(g, user=name, password=roles[name]) as c:
            assert value(c, "select current_user") == name
    for name in ("aq_scram", "aq_expired", "aq_nologin", "aq_none", "aq_nobody"):
        secret = "wrong" if name == "aq_scram" else roles.get(name, "x")
        assert f'password authentication failed for user "{name}"' in refused(g, user=name, password=secret)


def test_the_usual_query_needs_no_function(start, roles):
    """A superuser, or whoever may read pg_authid."""
    with superuser(APP_DB) as su:
        su.execute(f"grant select on pg_catalog.pg_authid to {ASKER}")
    try:
        g = start(cluster=[f"auth_user = {ASKER}", "auth_password_file = asker.txt", f"auth_database = {APP_DB}"], files={"asker.txt": roles[ASKER] + "\n"})
        with connect(g, user="aq_scram", password=roles["aq_scram"]) as c:
            assert value(c, "select current_user") == "aq_scram"
        for name in ("aq_expired", "aq_nologin", "aq_none"):
            assert "password authentication failed" in refused(g, user=name, password=roles.get(name, "x"))
    finally:
        with superuser(APP_DB) as su:
            su.execute(f"revoke select on pg_catalog.pg_authid from {ASKER}")


def test_md5_secrets_let_in_where_the_database_has_an_account(asking, roles):
    account = [f"server_user = {ASKER}", "server_password_file = asker.txt"]
    g = asking(main=["client_auth = md5"], database=account)
    with connect(g, user="aq_md5", password=roles["aq_md5"]) as c:
        assert value(c, "select current_user") == ASKER
    assert "password authentication failed" in refused(g, user="aq_md5", password="wrong")


def test_clear_passwords_too(asking, roles):
    g = asking(main=["client_auth_socket = password"], socket=True)
    c = pgwire.Client(g.socket_path, user="aq_scram", password=roles["aq_scram"], database=APP_DB).login()
    assert c.ask("select current_user") == "aq_scram"
    c.end()


def test_an_answer_is_remembered_and_a_wrong_password_asks_again(asking, roles):
    g = asking()
    name = "aq_moved"
    connect(g, user=name, password=roles[name]).close()
    with superuser(APP_DB) as su:
        su.execute(f"alter role {name} password 'another-one'")
    try:
        # What is remembered is the old secret: it lets in, but the server does not take its proof any more.
        time.sleep(1.1)
        refused(g, user=name, password="another-one")  # this one was held against the old one, and makes it doubtful
        with connect(g, user=name, password="another-one") as c:
            assert value(c, "select current_user") == name
        assert "password authentication failed" in refused(g, user=name, password=roles[name])
    finally:
        with superuser(APP_DB) as su:
            su.execute(f"alter role {name} password '{roles[name]}'")


@pytest.mark.cve("T-EXPIRE CVE-2025-2291")
def test_without_a_cache_what_the_server_says_counts_at_once(asking, roles):
    g = asking(*cluster_lines(), "auth_cache = 0")
    connect(g, user="aq_scram", password=roles["aq_scram"]).close()
    with superuser(APP_DB) as su:
        su.execute("alter role aq_scram nologin")
        try:
            assert "password authentication failed" in refused(g, user="aq_scram", password=roles["aq_scram"])
        finally:
            su.execute("alter role aq_scram login")
    connect(g, user="aq_scram", password=roles["aq_scram"]).close()


@pytest.mark.cve("T-SP CVE-2025-12819")
def test_the_connection_is_nobody_elses(asking, roles):
    """Neither what a client brings nor what a schema holds reaches it; no client can name it; its search_path is empty."""
    with superuser(APP_DB) as su:
        su.execute("create schema aq_trap")
        su.execute("grant usage on schema aq_trap to public")
        su.execute("create table aq_trap.spoken (who text, path text)")
        su.execute("grant insert on aq_trap.spoken to public")
        su.execute(
            "create function aq_trap.now() returns timestamptz language sql as "
            "$$ insert into aq_trap.spoken values (current_user, current_setting('search_path')); select null::timestamptz $$"
        )
        su.execute(f"alter role {ASKER} set search_path = aq_trap, public")
        try:
            g = asking(tail="[database *]\ncluster = main\n")
            c = connect(g, user="aq_scram", password=roles["aq_scram"], options="-c search_path=aq_trap,public")
            assert value(c, "show search_path") == "aq_trap,public"
            assert value(su, "select count(*) from aq_trap.spoken") == 0
            path = "select count(*) from pg_stat_activity where usename = %s"
            assert value(su, path, [ASKER]) >= 1
            c.close()
            for name in ("auth_query of main",):
                for user, password in (("aq_scram", roles["aq_scram"]), (ASKER, roles[ASKER]), (APP_USER, APP_PASSWORD)):
                    assert "are gilmok's own" in refused(g, user=user, password=password, dbname=name)
        finally:
            su.execute(f"alter role {ASKER} reset search_path")
            su.execute("drop schema aq_trap cascade")


@pytest.mark.cve("T-NOUSER CVE-2015-6817")
def test_no_answer_lets_nobody_in(asking, roles):
    """The query fails, is slow, or says too much: an error for everybody whom the user file does not know, and for nobody else."""
    for query, said in (
        ("SELECT no_such_function($1)", "no_such_function"),
        ("SELECT $1::text", "less than two columns"),
        ("SELECT rolname, null FROM pg_catalog.pg_roles WHERE $1::text <> ''", "another user"),
        ("SELECT $1::text, null UNION ALL SELECT $1::text, null", "more than one row"),
        ("SELECT $1::text, pg_sleep(20)::text", "took longer"),
    ):
        g = asking(*cluster_lines(query), "connect_timeout = 1s")
        told = refused(g, user="aq_scram", password=roles["aq_scram"]), refused(g, user="aq_nobody", password="x")
        assert all("the server cannot be asked" in t for t in told), (query, told)
        harness.wait_for(lambda g=g, said=said: said in g.said(), what=said)
        assert connect(g).close() is None, "who is in the user file needs no server to be asked"


def test_a_secret_that_nobody_can_read_is_none(asking, roles):
    g = asking(*cluster_lines("SELECT $1::text, 'in clear'"))
    assert "password authentication failed" in refused(g, user="aq_scram", password="in clear")
    harness.wait_for(lambda: "neither a SCRAM verifier" in g.said(), what="a word to the operator")
    assert "in clear" not in g.said()


def test_administrators_are_not_the_servers_to_name(asking, roles):
    """Who may stop gilmok stands in its own user file, whatever a wildcard database would be asked."""
    g = asking(tail="[database *]\ncluster = main\n")
    g.write("gilmok.conf", g.text.replace("stats_users = stats", "stats_users = stats, aq_scram"))
    assert not g.console("RELOAD").errors
    for database in ("gilmok", "pgbouncer"):
        assert "password authentication failed" in refused(g, user="aq_scram", password=roles["aq_scram"], dbname=database)


def test_who_was_there_before_does_not_become_the_one_who_asks(start, roles):
    """A name that is gilmok's own is so before there is an auth_user, too."""
    g = start(tail="[database *]\ncluster = main\n")
    assert "are gilmok's own" in refused(g, dbname="auth_query of main")


def test_many_at_once_ask_once_each(asking, roles):
    g = asking()
    failures = []

    def one(i):
        try:
            with connect(g, user="aq_scram", password=roles["aq_scram"]) as c:
                assert value(c, "select current_user") == "aq_scram"
        except Exception as e:  # noqa: BLE001
            failures.append(e)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert not failures, failures[:2]
    with superuser(APP_DB) as su:
        count = "select count(*) from pg_stat_activity where usename = %s"
        harness.wait_for(lambda: value(su, count, [ASKER]) <= 2, what="two connections at most")  # others' are still closing


def test_who_leaves_while_the_server_is_asked(asking, roles):
    g = asking(*cluster_lines("SELECT $1::text, pg_sleep(0.3)::text"), "connect_timeout = 1s")
    for _ in range(20):
        c = pgwire.Client(g.port, user="aq_scram", password="x", database=APP_DB)
        c.send_startup()
        c.end()
    time.sleep(0.5)
    assert connect(g).close() is None


def test_a_reload_forgets_and_asks_as_it_says_now(asking, roles):
    g = asking()
    connect(g, user="aq_scram", password=roles["aq_scram"]).close()
    g.write("gilmok.conf", g.text.replace("gilmok_auth.get_auth($1)", "gilmok_auth.gone($1)"))
    assert not g.console("RELOAD").errors
    assert "the server cannot be asked" in refused(g, user="aq_scram", password=roles["aq_scram"])
    g.write("gilmok.conf", g.text)
    assert not g.console("RELOAD").errors
    time.sleep(0.05)
    connect(g, user="aq_scram", password=roles["aq_scram"]).close()
    assert os.path.exists(g.conf)
    assert harness.SANITIZER.search(g.said()) is None
