#!/usr/bin/python3
"""Hostile proofs in logins of MySQL's protocol: wrong, cut, of another length, out of order, for every kind of stored secret."""

import os
import struct

import pytest

import mytoy
from mytoy import is_empty_again, login, may_not_log_in, must_refuse
from mywire import CHANGE_USER, error, packet

DENIED, OUT_OF_ORDER = 1045, 1043
ED25519 = "ed25519:ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"  # of "secret"
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
