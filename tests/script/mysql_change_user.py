#!/usr/bin/python3
"""Hostile MySQL clients that become another user, or seem to: nobody is anybody without the proof, and nobody else notices."""

import harness
import mytoy
import mywire
import pytest
from mytoy import frame, is_empty_again, may_not_log_in, must_end, must_refuse, send_quietly
from mywire import QUERY, packet

HANDSHAKE, DENIED, NO_DATABASE, OUT_OF_ORDER, MALFORMED = 1043, 1045, 1049, 1156, 1835


@pytest.fixture(scope="module")
def server():
    toy = mytoy.Server()
    yield toy
    toy.close()


@pytest.fixture(scope="module")
def gilmok(server):
    g = mytoy.Gilmok(server.port, main=["login_timeout = 2s"], database=["pool_size = 4"])
    yield g
    g.close()


@pytest.fixture(autouse=True)
def bystander(gilmok):
    with mytoy.Bystander(gilmok):
        yield
    assert gilmok.is_alive()


def change(client, user="app", db="shop", answer=b"", plugin=b"mysql_native_password"):
    head = mywire.CHANGE_USER + user.encode() + b"\0" + bytes([len(answer)]) + answer
    return packet(head + db.encode() + b"\0\x2d\0" + plugin + b"\0")


def asked(client, **more):
    """It has asked, and was asked for its answer: the nonce."""
    client.send(change(client, **more))
    got = client.read()
    assert got.startswith(b"\xfemysql_native_password\0"), got
    return got[-21:-1]


@pytest.mark.cve("T-CUT CVE-2026-90678", "T-MYHS ProxySQL GHSA-24vm")
def test_a_change_of_user_that_is_cut_at_every_byte(gilmok):
    whole = change(None)
    for cut in range(len(whole) + 1):
        c = gilmok.enter()
        c.send(whole[:cut])
        c.close()
    for cut in range(25):
        c = gilmok.enter()
        nonce = asked(c)
        c.send(packet(mywire.native("app-password", nonce), 2)[:cut])
        c.close()
    is_empty_again(gilmok)


@pytest.mark.cve("T-CT CVE-2012-2122", "T-STATE CVE-2026-107350")
def test_proofs_of_a_change_of_user(gilmok, server):
    """Whoever one was before: without the proof nobody is anybody, and no command is run."""
    for proof in (b"", bytes(20), b"\0", "wrong", "other-password", QUERY + b"planted"):
        c = gilmok.enter()
        nonce = asked(c)
        c.send(packet(mywire.native(proof, nonce) if isinstance(proof, str) else proof, 2))
        must_refuse(c, proof, DENIED)
    for user in ("other", "nobody"):
        c = gilmok.enter()
        nonce = asked(c, user=user)
        c.send(packet(mywire.native("app-password", nonce), 2))
        assert f"'{user}'" in must_refuse(c, user, DENIED)
    for sent in (packet(QUERY + b"planted"), packet(mywire.native("app-password", b"x" * 20), 1), frame(b"x", 1 << 20, 2)):
        c = gilmok.enter()
        asked(c)
        c.send(sent)
        must_refuse(c, sent, HANDSHAKE, OUT_OF_ORDER)
    assert not any(b"planted" in s for s in server.seen)
    is_empty_again(gilmok)


@pytest.mark.cve("T-STUFF CVE-2021-23214", "T-STATE CVE-2026-107350")
def test_bytes_around_a_change_of_user(gilmok, server):
    """Commands behind it are not run before the proof, nor those behind the proof in front of its answer."""
    planted = packet(QUERY + b"planted")
    c = gilmok.enter()
    c.send(change(c) + planted)
    assert c.read()[:1] == b"\xfe"
    must_refuse(c, "a command behind it", HANDSHAKE)
    c = gilmok.enter()
    nonce = asked(c)
    c.send(packet(mywire.native("app-password", nonce), 2) + planted)
    may_not_log_in(c, "a command behind the proof")
    assert not any(b"planted" in s for s in server.seen)
    c = gilmok.enter()
    c.send(packet(QUERY + b"SLEEP 0.1") + change(c, user="other"))
    assert [p[4:] for p in c.answer(QUERY)][2] == mytoy.string(b"SLEEP 0.1")
    c.send(packet(mywire.native("other-password", c.read()[-21:-1]), 2))
    assert c.read()[:1] == mytoy.OK
    assert c.ask("as another") == "as another"
    assert [r["user"] for r in gilmok.show("CLIENTS", database="shop")] == ["other", "other"]
    c.end()
    is_empty_again(gilmok)


ODD = [
    b"", b"app", b"app\0", b"app\0\xff", b"app\0\x14x", b"a" * 257 + b"\0\0shop\0", b"\0\0shop\0", b"a\np\0\0shop\0",
    b"app\0\0" + b"s" * 257 + b"\0", b"app\0\0shop\0\x2d", b"app\0\0shop\0\x2d\0" + b"p" * 257 + b"\0",
]  # fmt: skip


@pytest.mark.cve("T-LEN CVE-2026-6664", "T-MYHS ProxySQL GHSA-24vm")
@pytest.mark.parametrize("body", ODD)
def test_changes_of_user_that_cannot_be_read(gilmok, body):
    c = gilmok.enter()
    c.send(packet(mywire.CHANGE_USER + body))
    got = c.read()
    if got[:1] == b"\xfe":  # what is missing behind the schema is not asked for
        c.send(packet(b"", 2))
        must_refuse(c, body, DENIED)
    else:
        assert mywire.error(got)[0] in (DENIED, MALFORMED, NO_DATABASE)
        must_end(c, body)
    is_empty_again(gilmok)


@pytest.mark.parametrize("size", [(32 << 10) + 1, 100_000, (1 << 24) - 1])
def test_changes_of_user_that_are_too_long(gilmok, size):
    c = gilmok.enter()
    send_quietly(c, frame(mywire.CHANGE_USER + b"x" * (min(size, 1 << 20) - 1), size, 0))
    may_not_log_in(c, size)
    is_empty_again(gilmok)


def test_a_change_of_user_that_is_not_ended(gilmok):
    """It holds no server connection; and it does not go on for ever."""
    c = gilmok.enter()
    asked(c)
    harness.wait_for(lambda: len(gilmok.show("SERVERS", database="shop", state="active")) <= 1, what="the end of its lease")
    must_end(c, "half a change of user", seconds=4)
    is_empty_again(gilmok)


def test_users_that_change_again_and_again(gilmok):
    c = gilmok.enter()
    for i in range(100):
        user = ("app", "other")[i % 2]
        nonce = asked(c, user=user)
        c.send(packet(mywire.native(gilmok.users[user], nonce), 2))
        assert c.read()[:1] == mytoy.OK
        if i % 3 == 0:
            assert c.ask(f"as {user}") == f"as {user}"
    c.end()
    is_empty_again(gilmok)


FIRST = {
    "kill of nobody": (QUERY + b"kill 4294967290", 1094),
    "kill of nobody by number": (b"\x0c\xfa\xff\xff\xff", 1094),
    "kill of the server's": (QUERY + b"kill 5", None),
    "itself": (QUERY + b"kill query 4294967295", 1094),
    "unknown": (b"\x20", 1047),
    "refused": (b"\x08", 1235),
    "long data": (mywire.STMT_LONG_DATA + b"\1\0\0\0\0\0x", None),
    "option": (mywire.SET_OPTION + b"\1\0", None),
    "another change": (None, None),
}


@pytest.mark.parametrize("name", list(FIRST))
@pytest.mark.parametrize("times", [1, 3])
def test_what_comes_first_behind_a_change_of_user(gilmok, name, times):
    """It has no server connection then, until it needs one."""
    body, number = FIRST[name]
    c = gilmok.enter()
    for user in ("other", "app"):
        nonce = asked(c, user=user)
        c.send(packet(mywire.native(gilmok.users[user], nonce), 2))
        assert c.read()[:1] == mytoy.OK
        for _ in range(times if body else 0):
            got = c.command(body)
            assert number is None or mywire.error(got[0][4:])[0] == number, got
        assert c.ask(f"as {user}") == f"as {user}"
    c.end()
    is_empty_again(gilmok)


def test_who_leaves_while_its_next_connection_is_waited_for(gilmok):
    """All connections are others'. Nobody gets what is left of its request."""
    c = gilmok.enter()
    for body in (QUERY + b"planted", QUERY + b"kill 4294967290", b"\x20", mywire.PING):
        nonce = asked(c, user="other")
        c.send(packet(mywire.native("other-password", nonce), 2))
        assert c.read()[:1] == mytoy.OK
        others = [gilmok.enter(user="other") for _ in range(3)]  # and the bystander
        c.send(packet(body))
        if body != b"\x20":
            harness.wait_for(lambda: gilmok.show("CLIENTS", database="shop", state="waiting"), what="waiting")
        if body == b"\x20":
            assert mywire.error(c.read())[0] == 1047
        c.close()
        assert [o.ask("mine") for o in others] == ["mine"] * 3
        for o in others:
            o.end()
        is_empty_again(gilmok)
        c = gilmok.enter()
    c.end()
