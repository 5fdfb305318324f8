#!/usr/bin/python3
"""Hostile proofs in logins of MySQL's protocol: wrong, cut, of another length, out of order, for every kind of stored secret."""

import os
import shutil
import struct
import tempfile

import pytest

import certs
import harness
import mytoy
import mywire
from mytoy import is_empty_again, login, may_not_log_in, must_end, must_refuse
from mywire import CHANGE_USER, error, packet

DENIED, OUT_OF_ORDER, NEEDS_TLS = 1045, 1043, 3159
ED25519 = "ed25519:ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"  # of "secret"
# the same, of caching_sha2_password
SHA2 = ("0x244124303041242514042F4C0A4F5D6D7A376F281E73486D5242615951786771494655634B6C58355639724E70374D443579534B39325858383355444571"
        "5636796947794F44")  # fmt: skip
SERVER = ["server_user = app", "server_password_file = app.txt"]
FILES = {"app.txt": "app-password\n"}


@pytest.fixture(scope="module")
def server():
    toy = mytoy.Server()
    yield toy
    toy.close()


@pytest.fixture(scope="module")
def keys(server):
    """Most of its users have keys of ed25519."""
    users = {f"ed{i}": ED25519 for i in range(8)}
    g = mytoy.Gilmok(server.port, main=["login_timeout = 2s"], database=SERVER, files=FILES, users=users)
    yield g
    g.close()


@pytest.fixture(scope="module")
def hashes(server):
    """Most of its users have hashes of caching_sha2_password; TLS for clients."""
    folder = tempfile.mkdtemp(prefix="mysql-tls-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    user = harness.unprivileged()[0]
    try:
        pair = certs.Authority(folder, "ca").issue("door", user.pw_uid if user else None)
        main = ["login_timeout = 2s", "client_tls = allow", f"client_tls_cert_file = {pair[0]}", f"client_tls_key_file = {pair[1]}"]
        g = mytoy.Gilmok(server.port, main=main, database=SERVER, files=FILES, users={f"sha{i}": SHA2 for i in range(8)})
        yield g
        g.close()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def bystander(keys):
    with mytoy.Bystander(keys):
        yield
    assert keys.is_alive()


def asked(gilmok, user, plugin=b"mysql_native_password", **more):
    """A client that was asked for another proof, with what it was asked for."""
    c = gilmok.connect()
    c.send(login(c, user=user, plugin=plugin, **more))
    question = c.read()
    assert question[:1] == b"\xfe", question
    return c, question[1:]


@pytest.mark.parametrize("user", ["ed0", "nobody"])
def test_signatures_of_every_length(keys, user):
    for size in (*range(0, 68), 127, 128, 255, 1000, 60000):
        c, _ = asked(keys, user)
        c.send(packet(os.urandom(size), c.seq))
        must_refuse(c, size, DENIED)
    c, _ = asked(keys, user)
    c.send(b"\0\0\1" + bytes([c.seq]) + b"x" * 65536)
    must_refuse(c, "64 KiB", OUT_OF_ORDER)


def test_an_answer_that_is_cut_at_every_byte(keys):
    for cut in range(69):
        c, _ = asked(keys, "ed0")
        c.send(packet(b"x" * 64, c.seq)[:cut])
        c.close()
    is_empty_again(keys)


def test_forged_signatures(keys):
    """What holds for keys of small order, or of no length, holds for none that is in the file."""
    one = b"\1" + b"\0" * 31
    order = (2**252 + 27742317777372353535851937790883648493).to_bytes(32, "little")
    for forged in (b"\0" * 64, one + b"\0" * 32, one + order, b"\xff" * 64, one * 2, b"\0" * 32 + order):
        c, _ = asked(keys, "ed0")
        c.send(packet(forged, c.seq))
        must_refuse(c, forged, DENIED)


def test_questions_differ(keys):
    """Nothing that was signed once is good again, within one login or the next."""
    nonces = set()
    for user in ("ed0", "ed0", "nobody", "nobody"):
        c, question = asked(keys, user)
        plugin, _, nonce = question.partition(b"\0")
        assert plugin == b"client_ed25519" and len(nonce) == 32
        nonces.add(nonce)
        c.close()
    assert len(nonces) == 4


def test_bytes_behind_a_signature(keys):
    for stuffed in (packet(b"\3planted"), b"\0", b"\1\0\0\0"):
        c, _ = asked(keys, "ed0")
        c.send(packet(b"x" * 64, c.seq) + stuffed)
        may_not_log_in(c, stuffed)


@pytest.mark.cve("T-ENUM PgBouncer 1.15")
def test_unknown_users_hear_what_wrong_passwords_hear(keys):
    heard = set()
    for user in ("ed0", "ed1", "nobody", "somebody else"):
        for plugin in (b"mysql_native_password", b"caching_sha2_password", b"client_ed25519", b"dialog"):
            c, question = asked(keys, user, plugin)
            c.send(packet(b"x" * 64, c.seq))
            number, state, text = error(c.read())
            heard.add((question.split(b"\0")[0], len(question), number, state, text.replace(user, "USER")))
            c.close()
    assert len(heard) == 1


def test_another_user_with_a_key(keys):
    for answer in (b"", b"x" * 64, b"x" * 63, b"x" * 65):
        with keys.enter() as c:
            c.send(packet(CHANGE_USER + b"ed0\0\0shop\0" + struct.pack("<H", 45) + b"mysql_native_password\0"))
            assert c.read()[:16] == b"\xfeclient_ed25519\0"
            c.send(packet(answer, c.seq))
            must_refuse(c, answer, DENIED)


# ---- whole passwords ----


def inside(gilmok, user, plugin=b"caching_sha2_password"):
    """A client in TLS that was asked for another proof."""
    c = gilmok.connect()
    c.secure()
    c.send(login(c, user=user, plugin=plugin, seq=2))
    return c, c.read()


def asked_whole(gilmok, user, scramble=b"x" * 32):
    """... and for its whole password."""
    c, question = inside(gilmok, user)
    assert question[:23] == b"\xfecaching_sha2_password\0"
    c.send(packet(scramble, c.seq))
    assert c.read() == b"\1\4"
    return c


def test_a_whole_password_lets_in(hashes):
    """With a NUL or without; after that a scramble does, also outside of TLS."""
    for sent in (b"secret\0", b"secret"):
        c = asked_whole(hashes, "sha7")
        c.send(packet(sent, c.seq))
        assert c.read()[:1] == mytoy.OK and c.ask("in") == "in"
        c.end()
    for password, number in (("secret", 0), ("wrong", NEEDS_TLS)):
        with mytoy.Client(hashes.mysql_port, "sha7", password, "shop", plugin=b"caching_sha2_password") as c:
            assert c.welcome[:1] == mytoy.OK if not number else error(c.welcome)[0] == number
    with mytoy.Client(hashes.mysql_port, "sha6", "secret", "shop", plugin=b"caching_sha2_password") as c:
        assert error(c.welcome)[0] == NEEDS_TLS  # of another user nobody has told it


WHOLE = {
    "nothing": b"", "NUL": b"\0", "two": b"\0\0", "cut": b"secre\0", "longer": b"secrets\0", "NUL inside": b"sec\0ret\0", "twice": b"secret\0secret\0",
    "256": b"x" * 256 + b"\0", "257": b"x" * 257 + b"\0", "5000": b"x" * 5000, "60000": b"x" * 60000, "key, please": b"\2", "key of old": b"\1",
    "the hash": SHA2.encode() + b"\0",
}  # fmt: skip


@pytest.mark.parametrize("name", list(WHOLE))
@pytest.mark.parametrize("user", ["sha0", "nobody"])
def test_whole_passwords_that_are_wrong(hashes, user, name):
    c = asked_whole(hashes, user)
    c.send(packet(WHOLE[name], c.seq))
    must_refuse(c, name, DENIED)
    c, question = inside(hashes, user, b"sha256_password")
    assert question[:17] == b"\xfesha256_password\0"
    c.send(packet(WHOLE[name], c.seq))
    must_refuse(c, name, DENIED)


def test_scrambles_of_every_length(hashes):
    for user in ("sha0", "nobody"):
        for size in (*range(2, 36), 1000):
            asked_whole(hashes, user, os.urandom(size)).close()
        for nothing in (b"", b"\0"):
            c, _ = inside(hashes, user)
            c.send(packet(nothing, c.seq))
            must_refuse(c, nothing, DENIED)


def test_nobody_is_asked_for_a_password_that_others_could_read(hashes):
    for user in ("sha0", "nobody"):
        for plugin in (b"caching_sha2_password", b"sha256_password", b"mysql_native_password", b"dialog"):
            c, question = asked(hashes, user, plugin)
            assert question[:22] == b"caching_sha2_password\0"
            c.send(packet(b"x" * 32, c.seq))
            must_refuse(c, plugin, NEEDS_TLS)


def test_leaving_while_the_password_waits_for_its_turn(hashes):
    for cut in range(12):
        c = asked_whole(hashes, "sha0")
        c.send(packet(b"secret\0", c.seq)[:cut])
        c.close()
    waiting = []
    for _ in range(30):
        c = asked_whole(hashes, "nobody")
        c.send(packet(b"wrong\0", c.seq))
        waiting.append(c)
    for c in waiting:
        c.close()
    harness.wait_for(lambda: hashes.count() == 0, what="the end of all")
    with hashes.enter() as c:
        assert c.ask("in") == "in"


def test_bytes_behind_a_whole_password(hashes):
    for stuffed in (packet(b"\3planted"), b"\0", packet(b"secret\0", 7)):
        c = asked_whole(hashes, "sha0")
        c.send(packet(b"secret\0", c.seq) + stuffed)
        may_not_log_in(c, stuffed)


def test_a_flood_of_whole_passwords_leaves_time_for_others(hashes):
    with mytoy.Bystander(hashes):
        flood = []
        for _ in range(60):
            c = asked_whole(hashes, "nobody")
            c.send(packet(b"wrong\0", c.seq))
            flood.append(c)
        for c in flood:
            must_end(c, "flood", seconds=6)


def test_another_user_with_a_hash(hashes):
    for user in ("sha1", "nobody"):
        with hashes.enter() as c:
            c.send(packet(CHANGE_USER + user.encode() + b"\0\0shop\0" + struct.pack("<H", 45) + b"mysql_native_password\0"))
            assert c.read()[:23] == b"\xfecaching_sha2_password\0"
            c.send(packet(b"x" * 32, c.seq))
            must_refuse(c, user, NEEDS_TLS)
    for sent, is_right in ((b"secret\0", True), (b"wrong\0", False)):
        c = hashes.connect()
        c.secure()
        c.send(login(c, seq=2))
        assert c.read()[:1] == mytoy.OK
        c.send(packet(CHANGE_USER + b"sha2\0\0shop\0" + struct.pack("<H", 45) + b"mysql_native_password\0"))
        nonce = c.read()[23:43]
        c.send(packet(mywire.sha2("not yet known", nonce), c.seq))
        assert c.read() == b"\1\4"
        c.send(packet(sent, c.seq))
        if is_right:
            assert c.read()[:1] == mytoy.OK and c.ask("in") == "in"
            c.end()
        else:
            must_refuse(c, sent, DENIED)
