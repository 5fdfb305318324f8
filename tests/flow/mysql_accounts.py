#!/usr/bin/python3
"""MySQL users whom only the server knows (auth_query): its account tables, hosts, locks, expiry; what is remembered of answers."""

import contextlib
import time

import pymysql
import pytest

from mysqltools import rows, value
from mywire import CHANGE_USER, Client, error, native, packet

ASKER, ASKER_PASSWORD = "gilmok_asker", "asks-for-accounts"
ACCOUNTS = {
    "aq_native@'%'": "identified by 'native secret'",
    "aq_locked@'%'": "identified by 'locked secret' account lock",
    "aq_expired@'%'": "identified by 'expired secret' password expire",
    "aq_none@'%'": "",
    "aq_far@'192.0.2.1'": "identified by 'far secret'",
    "aq_host@'%'": "identified by 'anywhere'",
    "aq_host@'127.0.0.1'": "identified by 'from here'",
    "aq_host@'192.0.2.%'": "identified by 'from there'",
    "`aq'\"\\`@'%'": "identified by 'odd secret'",
    f"{ASKER}@'%'": f"identified by '{ASKER_PASSWORD}'",
}


@pytest.fixture(scope="module")
def accounts(maria):
    with maria.superuser() as c:
        for name, how in ACCOUNTS.items():
            rows(c, f"drop user if exists {name}")
            rows(c, f"create user {name} {how}")
            if ASKER not in name:
                rows(c, f"grant all on *.* to {name}")
        rows(c, f"grant select on mysql.global_priv to {ASKER}@'%'")
    yield maria
    with maria.superuser() as c:
        for name in ACCOUNTS:
            rows(c, f"drop user {name}")


def cluster_lines(*more, user=ASKER):
    return [f"auth_user = {user}", "auth_password_file = asker.txt", *more]


def asking(maria, *lines, files=None, user=ASKER, **more):
    return maria.started(cluster=cluster_lines(*lines, user=user), files={"asker.txt": ASKER_PASSWORD + "\n", **(files or {})}, **more)


def number_of(g, user, password, **more):
    """The error of a login; 0: it gets in."""
    try:
        g.connect(user=user, password=password, **more).close()
    except pymysql.err.OperationalError as e:
        return e.args[0]
    return 0


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_users_log_in_and_go_on_by_their_own_proof(accounts, mode):
    with asking(accounts, mode=mode, main=["workers = 2"]) as g:
        for _ in range(4):
            with g.connect(user="aq_native", password="native secret") as c:
                assert value(c, "select current_user()") == "aq_native@%"
            assert number_of(g, "aq_native", "wrong") == 1045
        with g.connect(user="aq'\"\\", password="odd secret") as c:
            assert value(c, "select current_user()") == "aq'\"\\@%"
        with g.connect() as c:  # of the user file
            assert value(c, "select 1") == 1


@pytest.mark.cve("T-NOUSER CVE-2015-6817")
def test_no_answer_lets_nobody_in(accounts):
    with asking(accounts) as g:
        for user, password in (("nobody", "x"), ("nobody", ""), ("aq_none", ""), ("aq_none", "x"), ("aq_far", "far secret"), ("x' or '1'='1", "x"),
                               ("%", "native secret"), (ASKER + "x", ASKER_PASSWORD)):  # fmt: skip
            assert number_of(g, user, password) == 1045, user
        assert g.is_alive()


def test_the_account_is_that_of_where_the_client_comes_from(accounts):
    with asking(accounts) as g:
        with g.connect(user="aq_host", password="from here") as c:
            assert value(c, "select current_user()") == "aq_host@127.0.0.1"
        for other in ("anywhere", "from there"):
            assert number_of(g, "aq_host", other) == 1045


def test_locked_accounts_and_expired_passwords_are_told_to_who_knows_the_password(accounts):
    for version, locked in (("8.0.40", 3118), ("5.5.5-10.11.99-MariaDB", 4151)):
        with asking(accounts, main=[f"mysql_server_version = {version}"]) as g:
            assert number_of(g, "aq_locked", "locked secret") == locked
            assert number_of(g, "aq_locked", "wrong") == 1045
            assert number_of(g, "aq_expired", "expired secret") == 1862
            assert number_of(g, "aq_expired", "wrong") == 1045


def test_what_is_remembered_and_what_is_not(accounts):
    """A password that was changed counts with the next try, a lock with the next question."""
    with accounts.superuser() as su, asking(accounts, "auth_cache = 1h") as g:
        try:
            assert number_of(g, "aq_native", "native secret") == 0
            rows(su, "alter user aq_native@'%' identified by 'another secret'")
            time.sleep(1.1)
            assert number_of(g, "aq_native", "another secret") == 1045  # by what is remembered, which is doubted from now on
            assert number_of(g, "aq_native", "another secret") == 0
            assert number_of(g, "aq_native", "native secret") == 1045
        finally:
            rows(su, "alter user aq_native@'%' identified by 'native secret'")
    with accounts.superuser() as su, asking(accounts, "auth_cache = 0") as g:
        try:
            assert number_of(g, "aq_native", "native secret") == 0
            rows(su, "alter user aq_native@'%' account lock")
            assert number_of(g, "aq_native", "native secret") in (3118, 4151)
        finally:
            rows(su, "alter user aq_native@'%' account unlock")


@pytest.mark.parametrize("query, number", [
    ("select user, host, plugin, authentication_string from gilmok_auth.accounts where user = $1", 0),
    ("select user, host, plugin, authentication_string, 'N', 'N', 'more' from gilmok_auth.accounts where user = $1 and $1 = user", 0),
    ("select user, host, plugin, authentication_string, 1 from gilmok_auth.accounts where user = $1", 4151),
    ("select user, host, plugin, authentication_string, null, 'Y' from gilmok_auth.accounts where user = $1", 1862),
    ("select user, '192.0.2.1', plugin, authentication_string from gilmok_auth.accounts where user = $1", 1045),
    ("select user, host, 'unix_socket', authentication_string from gilmok_auth.accounts where user = $1", 1045),
    ("select user, host, plugin from gilmok_auth.accounts where user = $1", 1105),
    ("select 'app', host, plugin, authentication_string from gilmok_auth.accounts where user = $1", 1105),
    ("select user, host, plugin, authentication_string from gilmok_auth.accounts where $1 = $1", 1105),
    ("select user, host, plugin, repeat('x', 20000) from gilmok_auth.accounts where user = $1", 1105),
    ("select a.user, a.host, a.plugin, '' from gilmok_auth.accounts a join seq_1_to_33 where user = $1", 1105),
    ("set @a = $1", 1105), ("select nonsense from $1", 1105),
])  # fmt: skip
def test_questions_of_the_operators_own(accounts, query, number):
    """By an account that may read nothing but a view."""
    with accounts.superuser() as su:
        rows(su, "create database if not exists gilmok_auth")
        rows(su, "create or replace sql security definer view gilmok_auth.accounts as select user, host, plugin, authentication_string from mysql.user")
        rows(su, f"revoke select on mysql.global_priv from {ASKER}@'%'")
        rows(su, f"grant select on gilmok_auth.accounts to {ASKER}@'%'")
        try:
            with asking(accounts, f"auth_query = {query}", main=["mysql_server_version = 5.5.5-10.11.99-MariaDB"]) as g:
                assert number_of(g, "aq_native", "native secret") == number
                assert number_of(g, accounts.user, accounts.password) == 0
                assert "native secret" not in g.said()
        finally:
            rows(su, f"grant select on mysql.global_priv to {ASKER}@'%'")
            rows(su, "drop database gilmok_auth")


def test_while_the_server_cannot_be_asked(accounts):
    """Those whom only it knows hear so; those of the user file notice nothing."""
    with asking(accounts, user="nobody_asks") as g:
        assert number_of(g, "aq_native", "native secret") == 1105
        assert number_of(g, accounts.user, accounts.password) == 0
        assert "cannot log in, whom only a server knows" in g.said()


def test_another_user_whom_only_the_server_knows(accounts):
    with asking(accounts) as g, Client(g.mysql_port, accounts.user, accounts.password, "shop") as c:
        for password, is_right in (("native secret", True), ("native secret", True), ("wrong", False)):
            c.send(packet(CHANGE_USER + b"aq_native\0\0shop\0\x2d\0mysql_native_password\0"))
            asked = c.read()
            assert asked[:23] == b"\xfemysql_native_password\0"
            c.send(packet(native(password, asked[23:43]), c.seq))
            assert c.read()[:1] == (b"\0" if is_right else b"\xff")


def test_unknown_users_cannot_be_told_from_wrong_passwords(accounts):
    with asking(accounts) as g:
        assert number_of(g, "aq_native", "native secret") == 0
        seen = set()
        for user in ("aq_native", "nobody", "aq_none", "aq_far", "aq_locked"):
            for plugin in (b"caching_sha2_password", b"mysql_native_password", b"client_ed25519"):
                with contextlib.closing(Client(g.mysql_port, user, "wrong", "shop", plugin=plugin)) as c:
                    seen.add((c.asked, *error(c.welcome)[:2], error(c.welcome)[2].replace(user, "USER")))
        assert len(seen) == 1
