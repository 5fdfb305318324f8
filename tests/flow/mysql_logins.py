#!/usr/bin/python3
"""Logins of MySQL's protocol by more than native passwords: to servers, of clients, and by what servers store."""

import contextlib
import hashlib
import os
import subprocess
import tempfile

import pymysql
import pytest

import harness
from certs import Authority
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


# ---- hashes in the user file, and no other password ----

# of "a hashed secret", as a MySQL 9.7 has stored it
SHA2 = (
    "0x24412430303524185A136E420F670A4E26026E1B2E03642773084074387959593470502F4E324255474B52765966653752"
    "6A4979697877354771364E357161674D4176436137"
)
SHA256 = (
    "0x243524515C1F581F0B5B553455225F263F306E5C38764E244B38554C674D7968712F6B7A68714175456544493748584D4D"
    "3652435072774E306A6458512E6A31693731"
)
OF_SECRET = (
    "0x244124303041242514042F4C0A4F5D6D7A376F281E73486D5242615951786771494655634B6C58355639724E70374D4435"
    "79534B393258583833554445715636796947794F44"
)  # of "secret"


def native_hash(password):
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


@pytest.fixture(scope="module")
def hashed(maria):
    """The server, with an account `hashed` that has mysql_native_password, as all in MariaDB have."""
    with maria.superuser() as c:
        rows(c, "create user hashed@'%' identified by 'a hashed secret'")
        rows(c, "grant all on *.* to hashed@'%'")
    yield maria
    with maria.superuser() as c:
        rows(c, "drop user hashed@'%'")


@pytest.fixture(scope="module")
def client_tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logins-tls")
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, os.stat(path).st_mode | 0o055)
    user = harness.unprivileged()[0]
    crt, key = Authority(str(folder), "logins-ca").issue("door", user.pw_uid if user else None)
    return ["client_tls = allow", f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}"]


INSIDE = {"check_hostname": False, "verify_mode": False}


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_who_proves_a_native_hash_gets_to_the_server(hashed, mode):
    """By that proof, on connections that begin anew, on a second worker, and after a reload."""
    with hashed.started(users={"hashed": native_hash("a hashed secret")}, mode=mode, main=["workers = 2"], database=["session_reuse = on"]) as g:
        assert is_refused(g, user="hashed", password="wrong")
        for _ in range(2):
            for _ in range(6):
                with g.connect(user="hashed", password="a hashed secret") as c, g.connect(user="hashed", password="a hashed secret") as d:
                    assert value(c, "select current_user()") == value(d, "select current_user()") == "hashed@%"
                    rows(c, "set @left = 1")
            assert not g.console("RELOAD").errors
        assert is_refused(g, user="hashed", password="wrong")


def test_a_native_hash_is_no_use_where_a_server_asks_for_more(signing):
    maria, _ = signing
    with maria.started(users={"signer": native_hash("a signed secret")}) as g:
        with pytest.raises(pymysql.err.OperationalError, match="it asks for client_ed25519, and all that is known of the password"):
            g.connect(user="signer", password="a signed secret")


@pytest.mark.parametrize("stored", [SHA2, SHA256])
def test_hashes_of_sha2_let_users_in_by_the_whole_password(hashed, client_tls, stored):
    """Which is asked for inside TLS, or on a unix socket; then a scramble does. It is good for the server, too."""
    me = {"user": "hashed", "password": "a hashed secret"}
    with hashed.started(main=client_tls, users={"hashed": stored}) as g:
        with Client(g.mysql_port, "hashed", "a hashed secret", "shop", plugin=b"caching_sha2_password") as c:
            assert error(c.welcome)[0] == 3159
        assert is_refused(g, **{**me, "password": "wrong"}, ssl=INSIDE)
        with g.connect(**me, ssl=INSIDE) as c:
            assert value(c, "select current_user()") == "hashed@%"
        for plugin in (b"caching_sha2_password", b"mysql_native_password", b"sha256_password"):
            with Client(g.mysql_port, "hashed", "a hashed secret", "shop", plugin=plugin) as c:
                assert c.asked == b"caching_sha2_password" and c.welcome[:1] == b"\0" and len(c.command(PING)) == 1
        assert is_refused(g, **{**me, "password": "wrong"}, ssl=INSIDE)
        assert "a hashed secret" not in g.said()


def test_a_new_hash_in_the_file_makes_the_old_password_wrong(hashed, client_tls):
    me = {"user": "hashed", "password": "a hashed secret"}
    with hashed.started(main=client_tls, users={"hashed": SHA2}) as g:
        g.connect(**me, ssl=INSIDE).close()
        users = {**g.users, "hashed": OF_SECRET}
        g.write("users.txt", "".join(f'"{n}" "{p}"\n' for n, p in users.items()))
        assert not g.console("RELOAD").errors
        assert is_refused(g, **me, ssl=INSIDE)
        with Client(g.mysql_port, "hashed", "a hashed secret", "shop", plugin=b"caching_sha2_password") as c:
            assert error(c.welcome)[0] == 3159


def test_the_whole_password_on_a_unix_socket(hashed):
    with tempfile.TemporaryDirectory(prefix="logins-", dir="/var/tmp") as folder:
        user = harness.unprivileged()[0]
        os.chmod(folder, 0o755)
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        with hashed.started(users={"hashed": SHA2}, is_started=False) as g:
            path = f"{folder}/my.sock"
            g.write("gilmok.conf", g.text.replace(f"127.0.0.1:{g.mysql_port}", f"127.0.0.1:{g.mysql_port}, unix:{path}"))
            g.start()
            for password, is_right in (("wrong", False), ("a hashed secret", True), ("a hashed secret", True)):
                command = ["mariadb", "--no-defaults", "-S", path, "-uhashed", "-Nse", "select current_user()", "shop"]
                done = subprocess.run(command, env={**os.environ, "MYSQL_PWD": password}, capture_output=True, text=True, timeout=30, check=False)
                assert done.stdout == ("hashed@%\n" if is_right else ""), done.stderr
