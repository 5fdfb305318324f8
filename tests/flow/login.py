#!/usr/bin/python3
"""Who gets in, and what the others hear."""

import os
import pwd
import time

import psycopg
import pytest

import flowtools
import harness
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, connect, value


class Sandbox:
    """The gilmok that the sandbox itself has started."""

    port = int(os.environ.get("GILMOK_PORT", "0"))


def test_scram_login_over_tcp_and_socket():
    for host in ("127.0.0.1", os.environ["GILMOK_SOCKET_DIR"]):
        with connect(Sandbox, host=host) as c:
            assert value(c, "select current_user || '@' || current_database()") == f"{APP_USER}@{APP_DB}"
            assert c.info.server_version == 150000 + c.info.server_version % 10000


@pytest.mark.parametrize("user, password", [(APP_USER, "wrong"), (APP_USER, ""), ("ghost", "x"), ("ghost", APP_PASSWORD)])
def test_wrong_password_and_unknown_user_sound_alike(gilmok, user, password):
    with pytest.raises(psycopg.OperationalError) as e:
        connect(gilmok, user=user, password=password or "-")
    assert f'password authentication failed for user "{user}"' in str(e.value)


def test_unknown_database(start):
    g = start()
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        connect(g, dbname="nowhere")


def test_database_that_only_the_server_lacks(start):
    """gilmok is configured for it, the server does not have it: the server's own word."""
    g = start(tail="[database phantom]\ncluster = main\n")
    c = pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, database="phantom")
    c.authenticate()
    got = c.collect()
    assert got.errors[0].sqlstate == "3D000" and "phantom" in str(got.errors[0])


def test_password_that_the_server_does_not_accept(start):
    g = start(users={APP_USER: "not the server's"})
    c = pgwire.Client(g.port, user=APP_USER, password="not the server's", database=APP_DB)
    c.authenticate()
    assert c.collect().errors[0].sqlstate == "08001"


def test_verifier_for_clients_and_service_account_for_the_server(start):
    """A user known by a SCRAM verifier only logs in; the server sees `server_user`."""
    with flowtools.superuser() as su:
        verifier = value(su, "select rolpassword from pg_authid where rolname = %s", (APP_USER,))
    account = [f"server_user = {APP_USER}", f"server_password = {APP_PASSWORD}"]
    g = harness.Gilmok(flowtools.PRIMARY_PORT, database=account, users={"carol": verifier})
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(g, user="carol", password="guess")
    with connect(g, user="carol") as c:
        assert value(c, "select current_user") == APP_USER
    g.close()


def test_md5_for_clients(start):
    """libpq is asked for md5, and for SCRAM where nothing else is known."""
    with flowtools.superuser() as su:
        verifier = value(su, "select rolpassword from pg_authid where rolname = %s", (APP_USER,))
    account = [f"server_user = {APP_USER}", f"server_password = {APP_PASSWORD}"]
    users = {"hashed": pgwire.md5_verifier("hashed", "old secret"), "carol": verifier}
    g = harness.Gilmok(flowtools.PRIMARY_PORT, main=["client_auth = md5"], database=account, users=users)
    for user, password, asked in (("hashed", "old secret", "md5"), ("carol", APP_PASSWORD, "scram"), ("other", "other-password", "md5")):
        c = pgwire.Client(g.port, user=user, password=password, database=APP_DB).login()
        assert c.method == asked
        c.end()
        with connect(g, user=user, password=password) as c:
            assert value(c, "select current_user") == APP_USER
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(g, user=user, password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(g, user="ghost", password="x")
    g.close()


@pytest.fixture
def old_server():
    """The primary asks two users by old methods: `by_md5` and `by_clear`, both with the password `old secret`."""
    with flowtools.superuser() as su:
        path = value(su, "show hba_file")
        with open(path, encoding="utf-8") as f:
            kept = f.read()
        with open(path, "r+", encoding="utf-8") as f:
            f.write("host all by_md5 127.0.0.1/32 md5\nhost all by_clear 127.0.0.1/32 password\n" + kept)
        su.execute("set password_encryption = 'md5'")
        for user in ("by_md5", "by_clear"):
            su.execute(f"drop role if exists {user}")
            su.execute(f"create role {user} login password 'old secret'")
        su.execute("select pg_reload_conf()")
        harness.wait_for(lambda: value(su, "select count(*) from pg_hba_file_rules where 'by_md5' = any(user_name)"), what="the rules")
        time.sleep(0.2)
        yield
        with open(path, "w", encoding="utf-8") as f:
            f.write(kept)
        su.execute("select pg_reload_conf()")
        su.execute("drop role by_md5")
        su.execute("drop role by_clear")


def test_servers_that_ask_for_md5_and_for_clear_text(start, old_server):
    users = {"by_md5": "old secret", "by_clear": "old secret"}
    for allowed, ok in (("scram-sha-256", []), ("md5", ["by_md5"]), ("password", ["by_md5", "by_clear"])):
        g = start(cluster=[f"server_auth = {allowed}"], users=users)
        for user in users:
            if user in ok:
                with connect(g, user=user, password="old secret") as c:
                    assert value(c, "select current_user") == user
            else:
                with pytest.raises(psycopg.OperationalError, match="server_auth"):
                    connect(g, user=user, password="old secret")
        with connect(g) as c:
            assert value(c, "select current_user") == APP_USER


def test_one_md5_verifier_for_both_sides(start, old_server):
    """As pg_authid keeps it, and never the password."""
    with flowtools.superuser() as su:
        verifier = value(su, "select rolpassword from pg_authid where rolname = 'by_md5'")
    g = start(main=["client_auth = md5"], cluster=["server_auth = md5"], users={"by_md5": verifier})
    with connect(g, user="by_md5", password="old secret") as c:
        assert value(c, "select current_user") == "by_md5"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(g, user="by_md5", password="wrong")


def test_peer_on_the_socket(start):
    """The system user is the user; the console, too."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    g = start(main=["client_auth_socket = peer"], socket=True, users={me: "unused"})
    g.write("gilmok.conf", g.text.replace("admin_users = boss", f"admin_users = boss, {me}"))
    assert g.console("RELOAD").tags == ["RELOAD"]
    with psycopg.connect(host=g.dir, port=g.port, user=me, dbname="gilmok", autocommit=True) as c:
        assert c.pgconn.exec_(b"SHOW VERSION").ntuples == 1
    with pytest.raises(psycopg.OperationalError, match="peer authentication failed"):
        connect(g, host=g.dir, port=g.port)
    with connect(g) as c:
        assert value(c, "select 'by password over TCP'")


def test_sslmode(gilmok):
    for mode in ("disable", "allow", "prefer"):
        with connect(gilmok, sslmode=mode) as c:
            assert value(c, "select 1") == 1
    with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
        connect(gilmok, sslmode="require")


def test_star_database_passes_names_on(start):
    g = start(tail="[database *]\ncluster = main\n")
    with flowtools.superuser("postgres") as su:
        su.execute("drop database if exists flow_other")
        su.execute("create database flow_other")
    with connect(g, dbname="flow_other") as c:
        assert value(c, "select current_database()") == "flow_other"


def test_too_many_clients(start):
    g = start(main=["max_client_conn = 3"])
    held = [connect(g) for _ in range(3)]
    with pytest.raises(psycopg.OperationalError, match="too many clients"):
        connect(g)
    held.pop().close()
    harness.wait_for(lambda: can_connect(g), what="a place for one more client")


def can_connect(g, **more):
    try:
        connect(g, **more).close()
        return True
    except psycopg.OperationalError:
        return False


def test_too_many_clients_of_one_user(start):
    g = start(tail=f"[user {APP_USER}]\nmax_client_conn = 2\n")
    held = [connect(g) for _ in range(2)]
    with pytest.raises(psycopg.OperationalError, match="too many connections for user"):
        connect(g)
    assert g.console("SHOW VERSION").rows
    held.pop().close()
    harness.wait_for(lambda: can_connect(g), what="a place for one more client of the user")
