#!/usr/bin/python3
"""Servers that are asked for MySQL users (auth_query) and answer anything: nobody gets in by it, and nobody else notices."""

import threading
import time

import pytest

import harness
import mytoy
import mywire
import pgwire
from mytoy import definition, err, login, must_refuse, ok, string
from mywire import QUERY, packet

DENIED, CANNOT = 1045, 1105
STARTED = (b"", b"utf8mb4", b"utf8mb4", b"utf8mb4_general_ci", b"utf8mb4", b"utf8mb4", b"utf8mb4_general_ci", b"8.0.99-toy")
HASH = pgwire.native_hash("app-password").encode()


def result(*rows, columns=None):
    """A whole answer."""
    columns = columns or len(rows[0])
    parts = [bytes([columns]), *[definition()] * columns, *[b"".join(b"\xfb" if v is None else string(v) for v in r) for r in rows],
             b"\xfe\0\0\2\0\0\0"]  # fmt: skip
    return b"".join(packet(p, 1 + i) for i, p in enumerate(parts))


def account(user=b"app", host=b"%", plugin=b"mysql_native_password", stored=HASH, locked=b"N", expired=b"N"):
    return (user, host, plugin, stored, locked, expired)


class Accounts(mytoy.Toy):
    """Serves whoever knows a password; what it is asked about users it answers as the test has it."""

    def query(self, text, seq):
        if text.startswith(b"SET SESSION session_track"):
            self.w.send(ok(seq))
        elif text.startswith(b"SELECT @@sql_mode"):
            self.w.send(result(STARTED))
        elif b"_utf8mb4 X'" in text:
            self.server.asked.append(text)
            answer = self.server.answer
            self.w.send(answer(text) if callable(answer) else answer)
            if self.server.then_close:
                raise pgwire.Closed()
        else:
            super().query(text, seq)


@pytest.fixture(scope="module")
def server():
    toy = mytoy.Server(users={"asker": "asker-password"})
    toy.handler = lambda wire: Accounts(wire, toy).run()
    yield toy
    toy.close()


@pytest.fixture(autouse=True)
def fresh(server):
    server.asked, server.answer, server.then_close = [], result(account()), False


def started(server, cache="0", **more):
    cluster = ["auth_user = asker", "auth_password_file = asker.txt", f"auth_cache = {cache}"]
    return mytoy.Gilmok(server.port, cluster=cluster, files={"asker.txt": "asker-password\n"}, only_users={"other": "other-password"},
                        database=["pool_size = 4"], **more)  # fmt: skip


@pytest.fixture(scope="module")
def gilmok(server):
    g = started(server)
    yield g
    g.close()


@pytest.fixture(autouse=True)
def bystander(fresh, gilmok):
    with mytoy.Bystander(gilmok):
        yield
    assert gilmok.is_alive()


def enter(gilmok, user="app", password="app-password", seconds=None):
    """The last word of a login."""
    c = mytoy.Client(gilmok.mysql_port, user, password, "shop", timeout=seconds or harness.REPLY_S)
    welcome = c.welcome
    c.end()
    return welcome


def test_a_right_answer_lets_in(server, gilmok):
    assert enter(gilmok)[:1] == mytoy.OK
    assert server.asked == [b"SELECT User, Host, plugin, authentication_string, account_locked, password_expired FROM mysql.user WHERE User = "
                            b"_utf8mb4 X'617070'"]  # fmt: skip
    assert mywire.error(enter(gilmok, password="wrong"))[0] == DENIED


@pytest.mark.parametrize("user", ["x' or '1'='1", "a\\", "a\"b", "%", "\u00e4", "$1", "u" * 63])
def test_names_are_never_text(server, gilmok, user):
    server.answer = result(account(), columns=6)
    assert mywire.error(enter(gilmok, user=user))[0] == CANNOT  # of another user
    assert server.asked[0].endswith(b"WHERE User = _utf8mb4 X'" + user.encode().hex().encode() + b"'")


ANSWERS = {
    "another user": (result(account(user=b"other")), CANNOT),
    "no user": (result(account(user=None)), CANNOT),
    "no rows": (result(columns=6), DENIED),
    "three columns": (result(account()[:3]), CANNOT),
    "no password": (result(account(stored=b"")), DENIED),
    "null": (result(account(stored=None, plugin=None, host=None)), DENIED),
    "plain": (result(account(stored=b"app-password")), DENIED),
    "another plugin": (result(account(plugin=b"auth_socket")), DENIED),
    "somewhere else": (result(account(host=b"192.0.2.1")), DENIED),
    "locked": (result(account(locked=b"Y")), 4151),
    "expired": (result(account(expired=b"Y")), 1862),
    "locked somehow": (result(account(locked=b"?")), 4151),
    "33 accounts": (result(*[account()] * 33), CANNOT),
    "an error": (err(1146, b"no such table"), CANNOT),
    "OK": (ok(1), CANNOT),
    "too long": (result(account(stored=b"x" * 20000)), CANNOT),
    "many": (result(*[account(host=b"h" * 200)] * 1000), CANNOT),
    "wrong length": (packet(b"\6", 1) + b"".join(packet(definition(), 2 + i) for i in range(6)) + packet(b"\xfc\xff\xff", 8)
                     + packet(b"\xfe\0\0\2\0\0\0", 9), CANNOT),
    "a file": (packet(b"\xfb/etc/passwd", 1), CANNOT),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ANSWERS))
def test_answers(server, gilmok, name):
    server.answer, number = ANSWERS[name]
    got = enter(gilmok)
    assert mywire.error(got)[0] == number, got
    server.answer = result(account())
    assert enter(gilmok)[:1] == mytoy.OK


def test_an_answer_that_is_cut_at_every_byte(server, gilmok):
    whole, server.then_close = result(account()), True
    for cut in range(0, len(whole), 3):
        server.answer = whole[:cut]
        assert mywire.error(enter(gilmok))[0] == CANNOT
        time.sleep(0.006)  # login_retry
    server.then_close, server.answer = False, whole
    assert enter(gilmok)[:1] == mytoy.OK


def test_an_answer_that_does_not_come(server, gilmok):
    """It is given up after connect_timeout; those who leave before that take nothing with them."""
    server.answer = lambda _: result(account())[:50]
    began = time.monotonic()
    assert mywire.error(enter(gilmok))[0] == CANNOT
    assert time.monotonic() - began < 2
    for _ in range(5):
        c = gilmok.connect()
        c.send(login(c))
        c.close()
    server.answer = result(account())
    harness.wait_for(lambda: enter(gilmok)[:1] == mytoy.OK, what="a login")


def test_bytes_while_the_server_is_asked(server, gilmok):
    server.answer = lambda _: time.sleep(0.1) or result(account())
    for stuffed in (packet(b"x" * 20, 3), b"\0" * 4):
        c = gilmok.connect()
        c.send(login(c))
        time.sleep(0.03)
        c.send(stuffed)
        mytoy.may_not_log_in(c, stuffed)


def test_one_question_for_many(server):
    """Who comes while the server is asked waits for the same answer; it is remembered for auth_cache."""
    g = started(server, cache="1h", main=["workers = 1"])
    try:
        server.answer = lambda _: time.sleep(0.1) or result(account())
        got = []
        threads = [threading.Thread(target=lambda: got.append(enter(g)[:1])) for _ in range(10)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert got == [mytoy.OK] * 10 and len(server.asked) == 1
        assert enter(g)[:1] == mytoy.OK and len(server.asked) == 1
    finally:
        g.close()


def test_databases_of_postgresql_ask_nobody_here(server, gilmok):
    """And users of the user file neither."""
    assert enter(gilmok, "other", "other-password")[:1] == mytoy.OK
    c = gilmok.connect()
    c.send(login(c, db="nowhere"))
    must_refuse(c, "no such database", DENIED)
    assert not server.asked
