#!/usr/bin/python3
"""How clients prove who they are: each method with each kind of secret, over TCP and over unix sockets; and what a stranger learns."""

import os
import pwd
import struct
import time

import pgwire
import pytest

SECRETS = {
    "plain": "plain-password",
    "hashed": pgwire.md5_verifier("hashed", "hashed-password"),
    "scrammed": pgwire.scram_verifier("scrammed-password"),
}
ACCOUNT = ["server_user = app", "server_password = app-password", "unknown_effects = trust"]

# Method -> kind of secret -> what the client is asked for; nothing else may ever happen.
MATRIX = {
    "scram-sha-256": {"plain": "scram", "scrammed": "scram"},
    "md5": {"plain": "md5", "hashed": "md5", "scrammed": "scram"},
    "password": {"plain": "password", "hashed": "password", "scrammed": "password"},
    "trust": {"plain": "ok", "scrammed": "ok"},
}


def start_with(start, toy, *lines, kinds=SECRETS):
    """A gilmok with a unix socket, and users with these kinds of secret."""
    users = {name: SECRETS[name] for name in kinds}
    return start(toy, main=list(lines), database=ACCOUNT, users=users, socket=True)


def door(g, way):
    return g.socket_path if way == "socket" else g.port


def client(g, way, user, password=None, **more):
    return pgwire.Client(door(g, way), user=user, password=f"{user}-password" if password is None else password, **more)


def refusal(c):
    """How a login ends that must not succeed: (method, error)."""
    try:
        c.authenticate()
        got = c.collect()
        return c.method, got.errors[0] if got.errors else "logged in"
    except pgwire.PgError as e:
        return c.method, e
    finally:
        c.end()


@pytest.mark.parametrize("method", list(MATRIX))
@pytest.mark.parametrize("way", ["tcp", "socket"])
@pytest.mark.cve("T-AUTHMATRIX CVE-2025-46801")
def test_each_method_with_each_kind_of_secret(start, toy, method, way):
    if (method, way) == ("password", "tcp"):
        pytest.skip("refused by the configuration without TLS")
    key = "client_auth" if way == "tcp" else "client_auth_socket"
    g = start_with(start, toy, f"{key} = {method}", kinds=MATRIX[method])
    for user, asked in MATRIX[method].items():
        c = client(g, way, user).login()
        assert c.method == asked and c.ask("in") == "in"
        c.end()
        if asked == "ok":
            continue
        for wrong in ("wrong", f"{user}-passwor", f"{user}-password ", "", SECRETS[user]):
            if wrong == f"{user}-password" or (asked, user, wrong) == ("md5", "hashed", SECRETS[user]):
                continue  # right, or as good as right: who has the hash has the password, that is md5
            got = refusal(client(g, way, user, wrong))
            assert got[0] == asked and got[1].sqlstate == "28P01", (user, wrong, got)


@pytest.mark.cve("T-AUTHMATRIX CVE-2025-46801")
def test_one_configuration_for_both(start, toy):
    g = start_with(start, toy, "client_auth = md5", "client_auth_socket = scram-sha-256")
    for way, asked in (("tcp", "md5"), ("socket", "scram")):
        c = client(g, way, "plain").login()
        assert c.method == asked
        c.end()
    assert refusal(client(g, "socket", "hashed"))[1].sqlstate == "28P01", "its hash proves nothing by SCRAM"


@pytest.mark.cve("T-NOUSER CVE-2015-6817")
def test_peer(start, toy):
    """The system user at the other end, and nobody else."""
    g = start_with(start, toy, "client_auth_socket = peer", kinds=["plain"])
    me = pwd.getpwuid(os.geteuid()).pw_name
    c = client(g, "socket", me, "").login()
    assert c.method == "ok" and c.ask("in") == "in"
    c.end()
    for other in ("plain", me + "x", me[:-1] or "x", me.upper(), "nobody" if me != "nobody" else "daemon"):
        method, error = refusal(client(g, "socket", other))
        assert (method, error.sqlstate) == (None, "28000"), other
    assert client(g, "tcp", "plain").login().method == "scram"
    assert refusal(client(g, "tcp", me, "x"))[1].sqlstate == "28P01", "over TCP nobody knows who it is"


# ---- what is malformed ----

ODD_PASSWORDS = {
    "no terminator": (b"secret", "08P01"),
    "nothing": (b"", "08P01"),
    "more behind it": (b"plain-password\0x", "08P01"),
    "two strings": (b"plain-password\0plain-password\0", "08P01"),
    "empty": (b"\0", "28P01"),
    "too long": (b"x" * 2049 + b"\0", "28P01"),
    "as long as can be": (b"x" * 2048 + b"\0", "28P01"),
    "all that fits": (b"x" * 9995 + b"\0", "28P01"),
    "a SASL message": (b"SCRAM-SHA-256\0\0\0\0\x08n,,n=,r=", "08P01"),
}


@pytest.mark.parametrize("method", ["md5", "password"])
@pytest.mark.cve("T-LEN CVE-2026-6664")
def test_odd_password_messages(start, toy, method):
    g = start_with(start, toy, f"client_auth_socket = {method}")
    for what, (body, sqlstate) in ODD_PASSWORDS.items():
        for user in ("plain", "ghost"):
            c = client(g, "socket", user)
            c.send_startup()
            assert c.expect("R")[:4] == struct.pack(">I", {"md5": 5, "password": 3}[method])
            c.send(pgwire.message("p", body))
            assert c.collect().errors[0].sqlstate == sqlstate, what
            c.end()
    for length in (0, 3, 10001, 1 << 31, (1 << 32) - 1):
        c = client(g, "socket", "plain")
        c.send_startup()
        c.expect("R")
        c.send(pgwire.message("p", b"", length=length))
        assert c.collect().errors[0].sqlstate == "08P01"
        c.end()
    client(g, "socket", "plain").login().end()


@pytest.mark.parametrize("method", ["md5", "password"])
@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_every_message_type_where_a_password_is_due(start, toy, method):
    g = start_with(start, toy, f"client_auth_socket = {method}")
    for kind in range(256):
        c = client(g, "socket", "plain")
        c.send_startup()
        c.expect("R")
        c.send(bytes([kind]) + b"\0\0\0\x08abcd")
        assert c.collect().errors[0].sqlstate == "08P01", kind
        c.end()


def test_messages_behind_the_password_wait_for_the_greeting(start, toy):
    g = start_with(start, toy, "client_auth_socket = password")
    c = client(g, "socket", "scrammed")
    c.send_startup()
    c.expect("R")
    c.send(pgwire.message("p", b"scrammed-password\0") + pgwire.query("select 'early bird'"))
    assert c.expect("R") == b"\0\0\0\0" and c.collect().status == "I"
    assert c.collect().rows == [["select 'early bird'"]]
    c = client(g, "socket", "scrammed")
    c.send_startup()
    c.expect("R")
    c.send(pgwire.message("p", b"wrong\0") + pgwire.query("never") + pgwire.message("p", b"scrammed-password\0"))
    assert c.collect().errors[0].sqlstate == "28P01"
    assert "Q" not in toy.seen or toy.seen.count("Q") == 1


@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_a_second_startup_packet_does_not_change_the_user(start, toy):
    for method in ("md5", "password"):
        g = start_with(start, toy, f"client_auth_socket = {method}")
        c = client(g, "socket", "plain")
        c.send_startup()
        c.expect("R")
        c.send(pgwire.startup({"user": "boss", "database": "gilmok"}))
        assert c.collect().errors[0].sqlstate == "08P01"


# ---- what a stranger learns ----


@pytest.mark.parametrize("method, kinds, asked", [
    ("md5", ["plain", "hashed"], "md5"), ("md5", ["plain", "scrammed"], "md5"), ("password", SECRETS, "password"),
])  # fmt: skip
@pytest.mark.cve("T-NOUSER CVE-2015-6817")
def test_an_unknown_user_is_asked_what_most_are_asked(start, toy, method, kinds, asked):
    """The four users of the harness have plain passwords."""
    g = start_with(start, toy, f"client_auth_socket = {method}", kinds=kinds)
    known = refusal(client(g, "socket", "plain", "wrong"))
    assert known[0] == asked
    for ghost in ("ghost", "ghost2", "plain2", "hashed2"):
        got = refusal(client(g, "socket", ghost, "wrong"))
        assert got[0] == asked and str(got[1]) == str(known[1]).replace('"plain"', f'"{ghost}"')
    assert refusal(client(g, "socket", "ghost", "wrong", database="nowhere"))[1].sqlstate == "28P01"


@pytest.mark.cve("T-NOUSER CVE-2015-6817")
def test_an_unknown_user_among_verifiers_is_asked_for_scram(start, toy):
    many = {f"s{i}": SECRETS["scrammed"] for i in range(6)}
    g = start(toy, main=["client_auth_socket = md5"], database=ACCOUNT, users=many, socket=True)
    for user in ("ghost", "s1"):
        method, error = refusal(client(g, "socket", user, "wrong"))
        assert method == "scram" and error.sqlstate == "28P01"


# ---- a flood ----


@pytest.mark.cve("T-SCRAMI CVE-2026-6669")
def test_a_flood_of_wrong_passwords_stops_nobody(start, toy):
    """Each costs a PBKDF2 of 100 000 iterations, the most that a verifier may have: others are served in between."""
    heavy = pgwire.scram_verifier("x", iterations=100000)
    g = start(toy, main=["client_auth_socket = password"], database=ACCOUNT, users={"heavy": heavy, "plain": "plain-password"}, socket=True)
    honest = g.login()
    wires = []
    for _ in range(60):
        c = client(g, "socket", "heavy", "wrong")
        c.send_startup()
        c.expect("R")
        wires.append(c)
    for c in wires:
        c.send(pgwire.message("p", b"wrong\0"))
    times = []
    for i in range(20):
        began = time.monotonic()
        assert honest.ask(f"row {i}") == f"row {i}"
        times.append(time.monotonic() - began)
    assert max(times) < 1, times
    for c in wires[:30]:
        c.end()  # who leaves the line is not waited for
    assert honest.ask("after") == "after"
    for c in wires:
        c.end()


def test_passwords_in_line_do_not_outlive_gilmok(start, toy):
    """It stops while some wait."""
    g = start_with(start, toy, "client_auth_socket = password")
    wires = []
    for _ in range(20):
        c = client(g, "socket", "scrammed")
        c.send_startup()
        c.expect("R")
        c.send(pgwire.message("p", b"wrong\0"))
        wires.append(c)
    g.process.send_signal(2)
    g.process.wait(10)
    for c in wires:
        c.end()


def test_a_reload_changes_the_method(start, toy):
    g = start_with(start, toy, "client_auth_socket = md5")
    waiting = client(g, "socket", "plain")
    waiting.send_startup()
    salt = waiting.expect("R")[4:]
    g.write("gilmok.conf", g.text.replace("client_auth_socket = md5", "client_auth_socket = password"))
    assert g.console("RELOAD").tags == ["RELOAD"]
    waiting.send(pgwire.message("p", pgwire.cstr(pgwire.md5_response("plain", "plain-password", salt))))
    assert waiting.expect("R") == b"\0\0\0\0"
    assert client(g, "socket", "plain").login().method == "password"
