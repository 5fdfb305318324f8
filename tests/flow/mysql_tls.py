#!/usr/bin/python3
"""TLS of MySQL's protocol, on both sides of gilmok, and what a user file may hold."""

import hashlib
import os

import pymysql
import pytest

import harness
import mysqltools
from certs import Authority
from mysqltools import rows, value
from mywire import SSL, USUAL, Client, error


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mysql-tls")
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, os.stat(path).st_mode | 0o055)
    return Authority(str(folder), "mysql-ca")


def owner():
    """Whom servers and gilmoks run as."""
    user = harness.unprivileged()[0]
    return user.pw_uid if user else None


@pytest.fixture(scope="module")
def secured(ca):
    """A MariaDB server of its own that offers TLS, with a certificate of the authority's."""
    crt, key = ca.issue("mariadb", owner())
    os.environ["SANDBOX_MY_CONF_EXTRA"] = f"ssl_cert = {crt}\nssl_key = {key}\nssl_ca = {ca.crt}"
    layout = os.environ.pop("LAYOUT", "")
    try:
        m = mysqltools.Maria()
    finally:
        del os.environ["SANDBOX_MY_CONF_EXTRA"]
        os.environ["LAYOUT"] = layout
    yield m
    m.close()


def cipher(connection):
    return rows(connection, "show session status like 'ssl_cipher'")[0][1]


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_connections_to_servers_are_encrypted(secured, ca, mode):
    tls = [f"server_tls = {mode}"] + ([] if mode == "require" else [f"server_tls_ca_file = {ca.crt}"])
    with secured.started(cluster=tls, database=["pool_size = 1", "session_reuse = on"]) as g:
        for _ in range(2):
            with g.connect() as c:
                assert cipher(c)
    with secured.started() as g, g.connect() as c:
        assert not cipher(c)


def test_what_takes_too_long_is_stopped_inside_tls(secured, ca):
    mark = "/* too long inside */"
    tls = ["server_tls = verify-full", f"server_tls_ca_file = {ca.crt}"]
    with secured.started(cluster=tls, database=["query_timeout = 500ms"]) as g, g.connect() as c:
        with pytest.raises(pymysql.err.MySQLError):
            value(c, f"select {mark} sleep(20)")
        with secured.superuser() as root:
            running = f"select count(*) from information_schema.processlist where info like '%{mark}%' and id <> connection_id()"
            harness.wait_for(lambda: not value(root, running), seconds=3, what="the end of the statement")


def test_a_server_that_is_somebody_else_gets_no_login(secured, maria, tmp_path):
    os.chmod(tmp_path, 0o755)
    stranger = Authority(str(tmp_path), "stranger")
    with secured.started(cluster=["server_tls = verify-full", f"server_tls_ca_file = {stranger.crt}"]) as g:
        with pytest.raises(pymysql.err.OperationalError, match="certificate"):
            g.connect()
    if not maria.is_mysql and not maria.direct().get_server_info().startswith("11"):  # offers TLS by itself from there on
        with maria.started(cluster=["server_tls = require"]) as g:
            with pytest.raises(pymysql.err.OperationalError, match="offers no TLS, and server_tls asks for it"):
                g.connect()


@pytest.fixture(scope="module")
def client_tls(ca):
    crt, key = ca.issue("door", owner())
    return [f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}"]


def test_clients_may_or_must_come_inside_tls(maria, ca, client_tls):
    for mode in ("allow", "require"):
        with maria.started(main=[f"client_tls = {mode}", *client_tls]) as g:
            with g.connect(ssl={"ca": ca.crt}) as c:
                assert value(c, "select 'inside'") == "inside"
                assert rows(c, "select repeat('x', 70000) from seq_1_to_100") == (("x" * 70000,),) * 100
                if mode == "allow":
                    assert "TLS" in g.show("CLIENTS", database="shop")[0]["tls"]
            with pytest.raises(pymysql.err.OperationalError) as e:
                g.connect(ssl={"ca": ca.crt}, password="wrong")
            assert e.value.args[0] == 1045
            if mode == "allow":
                with g.connect() as c:
                    assert value(c, "select 'in clear'") == "in clear"
            else:
                with pytest.raises(pymysql.err.OperationalError) as e:
                    g.connect()
                assert e.value.args[0] == 3159
    with maria.started() as g, Client(g.mysql_port) as c:
        at = c.greeting.index(b"\0", 1) + 14
        assert not int.from_bytes(c.greeting[at : at + 2], "little") & SSL


def test_hashes_of_native_passwords_let_users_in(maria):
    """They are good for no server: server_user is."""
    hashed = "*" + hashlib.sha1(hashlib.sha1(b"a secret").digest()).hexdigest().upper()
    server = [f"server_user = {maria.user}", "server_password_file = my.txt"]
    with maria.started(database=server, users={"hash": hashed}, files={"my.txt": maria.password + "\n"}) as g:
        with g.connect(user="hash", password="a secret") as c:
            assert value(c, "select current_user()").startswith(maria.user + "@")
        for wrong in ("", "wrong", hashed):
            with pytest.raises(pymysql.err.OperationalError) as e:
                g.connect(user="hash", password=wrong)
            assert e.value.args[0] == 1045


def test_rules_hold_for_mysql_clients(maria):
    rules = "host shop {} 127.0.0.1/32 {}\nhost all all all reject\n"
    for user, method, number in ((maria.user, "scram-sha-256", 0), ("nobody", "scram-sha-256", 1045),
                                 (maria.user, "reject", 1045), (maria.user, "trust", 0)):  # fmt: skip
        with maria.started(main=["hba_file = rules.txt"], files={"rules.txt": rules.format(user, method)}) as g:
            with Client(g.mysql_port, maria.user, "" if method == "trust" else maria.password, "shop", caps=USUAL) as c:
                assert c.welcome[:1] == b"\0" if not number else error(c.welcome)[0] == number, (user, method, c.welcome)
