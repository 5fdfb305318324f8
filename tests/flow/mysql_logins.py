#!/usr/bin/python3
"""Logins of MySQL's protocol by more than native passwords: to servers, of clients, and by what servers store."""

import contextlib
import os
import subprocess

import pymysql
import pytest

import mysqltools
from mysqltools import rows, value
from mywire import CHANGE_USER, PING, USUAL, Client, ed25519, error, packet

PLUGINS = "/usr/lib/mysql/plugin"


@pytest.fixture(scope="module")
def signing(maria):
    """The server, with an account `signer` that proves its password by ed25519, and the key that is stored of it."""
    if not os.path.exists(f"{PLUGINS}/auth_ed25519.so"):
        pytest.skip("this server has no plugin ed25519")
    with maria.superuser() as c:
        rows(c, "install soname 'auth_ed25519'")
        rows(c, "create user signer@'%' identified via ed25519 using password('a signed secret')")
        rows(c, "grant all on *.* to signer@'%'")
        key = value(c, "select json_value(priv, '$.authentication_string') from mysql.global_priv where user = 'signer'")
    yield maria, key
    with maria.superuser() as c:
        rows(c, "drop user signer@'%'")
        rows(c, "uninstall soname 'auth_ed25519'")


def is_refused(g, *numbers, **more):
    with pytest.raises(pymysql.err.OperationalError) as e:
        g.connect(**more)
    return e.value.args[0] in (numbers or (1045,))


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_servers_that_ask_for_a_signature(signing, mode):
    """At the beginning, and where a session begins anew."""
    maria, _ = signing
    with maria.started(users={"signer": "a signed secret"}, database=["pool_size = 1", "session_reuse = on"], mode=mode) as g:
        ids = set()
        for _ in range(3):
            with g.connect(user="signer", password="a signed secret") as c:
                assert value(c, "select current_user()") == "signer@%"
                rows(c, "set @left = 1")
                ids.add(value(c, "select connection_id()"))
        assert len(ids) == 1
    with maria.started(users={"signer": "another secret"}) as g:
        with pytest.raises(pymysql.err.OperationalError, match="Access denied for user 'signer'"):
            g.connect(user="signer", password="another secret")


def test_a_stored_key_lets_users_in(signing):
    maria, key = signing
    server = [f"server_user = {maria.user}", "server_password_file = my.txt"]
    with maria.started(database=server, users={"ed": f"ed25519:{key}"}, files={"my.txt": maria.password + "\n"}) as g:
        for plugin in (b"client_ed25519", b"mysql_native_password", b"caching_sha2_password", b"dialog", b""):
            with Client(g.mysql_port, "ed", "a signed secret", "shop", plugin=plugin) as c:
                assert c.asked == b"client_ed25519" and c.welcome[:1] == b"\0" and len(c.command(PING)) == 1
        with g.connect(user="ed", password="a signed secret") as c:
            assert value(c, "select 1") == 1
        for wrong in ("", "wrong", key, f"ed25519:{key}"):
            assert is_refused(g, user="ed", password=wrong)
        with Client(g.mysql_port, "ed", "a signed secret", "shop", caps=USUAL & ~(1 << 19)) as c:
            assert error(c.welcome)[0] == 1251


def test_a_client_that_signs_by_itself(signing):
    maria, _ = signing
    with maria.started() as g:
        for password, is_right in ((maria.password, True), ("wrong", False)):
            with Client(g.mysql_port, maria.user, password, "shop", plugin=b"client_ed25519") as c:
                assert c.asked == b"client_ed25519"
                assert c.welcome[:1] == b"\0" if is_right else error(c.welcome)[:2] == (1045, "28000")
        command = ["mariadb", "--no-defaults", "--default-auth=client_ed25519", "-h127.0.0.1", f"-P{g.mysql_port}", f"-u{maria.user}", "-Nse",
                   "select 'signed'", "shop"]  # fmt: skip
        for password, expected in ((maria.password, "signed\n"), ("wrong", "")):
            done = subprocess.run(command, env={**os.environ, "MYSQL_PWD": password}, capture_output=True, text=True, timeout=30, check=False)
            assert done.stdout == expected, done.stderr


def test_another_user_who_signs(signing):
    """COM_CHANGE_USER: each question has a nonce of its own."""
    maria, key = signing
    server = [f"server_user = {maria.user}", "server_password_file = my.txt"]
    with maria.started(database=server, users={"ed": f"ed25519:{key}"}, files={"my.txt": maria.password + "\n"}) as g:
        with Client(g.mysql_port, maria.user, maria.password, "shop") as c:
            nonces = set()
            for password, is_right in (("a signed secret", True), ("a signed secret", True), ("wrong", False)):
                c.send(packet(CHANGE_USER + b"ed\0\0shop\0\x2d\0mysql_native_password\0"))
                asked = c.read()
                assert asked[:16] == b"\xfeclient_ed25519\0" and len(asked) == 16 + 32
                nonces.add(asked[16:])
                c.send(packet(ed25519(password, asked[16:]), c.seq))
                assert c.read()[:1] == (b"\0" if is_right else b"\xff")
            assert len(nonces) == 3


def test_unknown_users_cannot_be_told_from_wrong_passwords(signing):
    """Where most have keys they are asked for signatures, and refused in the same words."""
    maria, key = signing
    server = [f"server_user = {maria.user}", "server_password_file = my.txt"]
    users = {f"ed{i}": f"ed25519:{key}" for i in range(20)}
    with maria.started(database=server, users=users, files={"my.txt": maria.password + "\n"}) as g:
        seen = set()
        for user in ("ed0", "nobody"):
            with contextlib.closing(Client(g.mysql_port, user, "wrong", "shop")) as c:
                seen.add((c.asked, *error(c.welcome)[:2], error(c.welcome)[2].replace(user, "USER")))
        assert len(seen) == 1
