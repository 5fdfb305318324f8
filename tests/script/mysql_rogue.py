#!/usr/bin/python3
"""Hostile and broken MySQL servers: clients get an error or a close, never another answer than theirs, and no server gets to see a
password."""

import socket
import time

import harness
import mytoy
import mywire
import pytest
from mytoy import err, greeting, must_end, must_refuse, ok, row
from mywire import QUERY, packet

CANNOT, FULL, NO_DATABASE = 1105, 1040, 1049
PASSWORD = b"app-password"


@pytest.fixture(scope="module")
def server():
    """Whose behaviour the test chooses (server.handler)."""
    toy = mytoy.Server()
    yield toy
    toy.close()


@pytest.fixture(scope="module")
def rogue(server):
    """Every client has a server connection of its own, which is new."""
    g = mytoy.Gilmok(server.port, database=["pool_size = 5", "session_reuse = off", "queue_timeout = 2s"])
    yield g
    g.close()


@pytest.fixture(scope="module")
def kept():
    """A server and the gilmok before it, which keeps its connections: one at a time."""
    toy = mytoy.Server()
    g = mytoy.Gilmok(toy.port, database=["pool_size = 1", "queue_timeout = 2s"])
    yield toy, g
    g.close()
    toy.close()


@pytest.fixture(autouse=True)
def bystander(server, rogue):
    server.handler = None
    with mytoy.Bystander(rogue):
        yield
    assert rogue.is_alive()


def serves(server, gilmok):
    """With an honest server again, the same pool answers rightly."""
    server.handler = None
    time.sleep(0.02)  # until login_retry is over
    with gilmok.enter() as c:
        mark = f"clean {time.monotonic_ns()}"
        assert c.welcome[:1] == mytoy.OK, c.welcome
        assert c.ask(mark) == mark
        c.end()


class Ear:
    """What a server hears, so that the test can look for passwords in it."""

    def __init__(self, wire):
        self.wire, self.heard = wire, b""

    def read(self):
        head = self.wire.take(4)
        body = self.wire.take(int.from_bytes(head[:3], "little"))
        self.heard += head + body
        return body

    def rest(self):
        self.wire.timeout = 2
        self.heard += self.wire.read_to_end()


def login_fails(server, gilmok, handler, *numbers):
    """A client that would need this server is told so in time, and the server has heard nothing that it should not."""
    ears = []

    def run(wire):
        ears.append(Ear(wire))
        handler(ears[-1])

    server.handler = run
    began = time.monotonic()
    c = gilmok.connect()
    c.send(mytoy.login(c))
    text = must_refuse(c, handler, *(numbers or (CANNOT,)), seconds=3)
    assert time.monotonic() - began < 3
    assert PASSWORD.decode() not in text
    assert ears and not any(PASSWORD in e.heard for e in ears)
    serves(server, gilmok)
    return text


# ---- greetings ----

NO_TRACKING = mytoy.CAPS & ~mywire.SESSION_TRACK
GREETINGS = {
    "nothing": b"",
    "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "PostgreSQL": b"N",
    "zeroes": b"\0" * 200,
    "empty packet": packet(b""),
    "protocol 9": greeting(protocol=9),
    "protocol 11": greeting(protocol=11),
    "huge": b"\xff\xff\xff\0\x0a" + b"8" * 5000,
    "64 KiB": b"\0\0\1\0\x0a" + b"8" * 65535,
    "version without an end": packet(b"\x0a" + b"8" * 300),
    "version of 60000 bytes": greeting(version=b"8" * 60000) + b"x",
    "no caps": greeting(caps=0),
    "too old": greeting(caps=NO_TRACKING),
    "OK": ok(0),
    "switch": packet(b"\xfe" + b"mysql_native_password\0" + mytoy.NONCE + b"\0"),
    "more": packet(b"\1\3"),
    "half an error": packet(b"\xff\x10"),
    "two": greeting() + greeting(),
    "with an OK behind": greeting() + ok(2),
    "with a request behind": greeting() + packet(b"\xfemysql_clear_password\0", 2),
    "short nonce": greeting(nonce=b"123456789"),
    "long nonce": greeting(nonce=b"x" * 40),
}


@pytest.mark.parametrize("name", list(GREETINGS))
@pytest.mark.cve("T-EVILBE CVE-2026-6665", "T-MYHS ProxySQL GHSA-24vm")
def test_greetings_that_are_none(server, rogue, name):
    def run(ear):
        ear.wire.send(GREETINGS[name])
        ear.rest()

    login_fails(server, rogue, run)


@pytest.mark.cve("T-CUT CVE-2026-90678", "T-MYHS ProxySQL GHSA-24vm")
def test_a_greeting_that_is_cut_at_every_byte(server, rogue):
    whole = greeting()
    for cut in range(len(whole)):
        login_fails(server, rogue, lambda ear, cut=cut: ear.wire.send(whole[:cut]))


@pytest.mark.parametrize("number, expected", [(1040, FULL), (1203, FULL), (1049, NO_DATABASE), (1129, CANNOT), (1130, CANNOT)])
def test_errors_in_place_of_a_greeting(server, rogue, number, expected):
    assert "as I say" in login_fails(server, rogue, lambda ear: ear.wire.send(err(number, b"as I say", 0)), expected)


# ---- logins ----


def switch(plugin, nonce=mytoy.NONCE + b"\0", seq=2):
    return packet(b"\xfe" + plugin + b"\0" + nonce, seq)


NATIVE = b"mysql_native_password"
SHA2 = b"caching_sha2_password"
LOGIN_ANSWERS = {
    "clear": switch(b"mysql_clear_password"),
    "dialog": switch(b"dialog", b"\4Password: "),
    "old": packet(b"\xfe", 2),
    "old by name": switch(b"mysql_old_password"),
    "sha256 without a nonce": switch(b"sha256_password", b""),
    "sha256 with a long nonce": switch(b"sha256_password", b"x" * 32),
    "ed25519 without a nonce": switch(b"client_ed25519", b""),
    "ed25519 with a short nonce": switch(b"client_ed25519", b"x" * 31),
    "ed25519 with a nonce of native": switch(b"client_ed25519"),
    "ed25519 with a long nonce": switch(b"client_ed25519", b"x" * 33),
    "ed25519 with a far longer one": switch(b"client_ed25519", b"x" * 5000),
    "no plugin": switch(b""),
    "long plugin": switch(b"p" * 5000),
    "plugin without an end": packet(b"\xfe" + b"p" * 50, 2),
    "native without a nonce": switch(NATIVE, b""),
    "native with half a nonce": switch(NATIVE, b"x" * 10),
    "sha2 with a long nonce": switch(SHA2, b"x" * 5000),
    "twice": switch(NATIVE) + switch(NATIVE, seq=4),
    "more of native": packet(b"\1\4", 2),
    "more of nothing": packet(b"\1", 2),
    "more of a key": packet(b"\1" + b"-----BEGIN PUBLIC KEY-----\n" * 10, 2),
    "empty": packet(b"", 2),
    "count": packet(b"\3", 2),
    "file": packet(b"\xfb/etc/passwd", 2),
    "half an OK": packet(b"\0\0\0", 2),
    "half an error": packet(b"\xff\x15", 2),
    "huge": b"\xff\xff\xff\2\0" + b"x" * 5000,
    "OK with bytes behind": ok(2) + b"x",
    "OK with an OK behind": ok(2) + ok(1),
    "OK with an answer behind": ok(2) + row(b"poison"),
}


@pytest.mark.parametrize("name", list(LOGIN_ANSWERS))
@pytest.mark.cve("T-EVILBE CVE-2026-6665", "T-STUFF CVE-2021-23214", "T-MYHS ProxySQL GHSA-24vm")
def test_answers_to_a_login(server, rogue, name):
    def run(ear):
        ear.wire.send(greeting())
        ear.read()
        ear.wire.send(LOGIN_ANSWERS[name])
        ear.rest()

    login_fails(server, rogue, run)


@pytest.mark.parametrize("said", [b"\1\5", b"\1\3\3", b"\1", b"\1\2", b"\1x", b"\xfe" + SHA2 + b"\0" + b"y" * 21])
def test_odd_steps_of_caching_sha2(server, rogue, said):
    def run(ear):
        ear.wire.send(greeting(plugin=SHA2))
        ear.read()
        ear.wire.send(packet(said, 2))
        ear.read()
        ear.wire.send(packet(said, 4))
        ear.rest()

    login_fails(server, rogue, run)


@pytest.mark.parametrize("said", [b"\1", b"\1\4", b"\1-----BEGIN PUBLIC KEY-----\n", b"\1" + b"k" * 5000, b"\xfe" + SHA2 + b"\0" + b"y" * 21])
def test_what_is_sent_for_a_key_of_sha256_is_none(server, rogue, said):
    def run(ear):
        ear.wire.send(greeting())
        ear.read()
        ear.wire.send(switch(b"sha256_password"))
        assert ear.read() == b"\1"  # it asks for the key
        ear.wire.send(packet(said, 4))
        ear.rest()

    login_fails(server, rogue, run)


def test_more_is_asked_of_who_has_signed(server, rogue):
    def run(ear):
        ear.wire.send(greeting())
        ear.read()
        ear.wire.send(switch(b"client_ed25519", b"x" * 32))
        assert len(ear.read()) == 64
        ear.wire.send(packet(b"\1\4", 4))
        ear.rest()

    login_fails(server, rogue, run)


def test_a_plugin_is_changed_twice(server, rogue):
    def run(ear):
        ear.wire.send(greeting(plugin=SHA2))
        ear.read()
        ear.wire.send(switch(NATIVE))
        ear.read()
        ear.wire.send(switch(SHA2, seq=4))
        ear.rest()

    assert "twice" in login_fails(server, rogue, run)


def test_a_wrong_password_is_told_and_not_shown(server, rogue):
    def run(ear):
        ear.wire.send(greeting())
        ear.read()
        ear.wire.send(err(1045, b"Access denied for user 'app'", 2))

    assert "Access denied for user 'app'" in login_fails(server, rogue, run)


# ---- answers ----


class Anything:
    """All that a Toy wants of its server."""

    users = {"app": "app-password", "other": "other-password"}
    seen = []


def answers_with(*sent, then_close=False):
    """A server that logs in properly and answers the first command with these bytes."""

    def run(wire):
        toy = mytoy.Toy(wire, Anything)
        toy.log_in()
        toy.read()
        for part in sent:
            wire.send(part)
        if not then_close:
            wire.timeout = 2
            wire.read_to_end()

    return run


BROKEN = {
    "file": packet(b"\xfb/etc/passwd", 1),
    "file, elsewhere": packet(b"\1", 1) + packet(mytoy.definition(), 2) + packet(b"", 3),
    "number 0": ok(0),
    "number 2": ok(2),
    "number of a row": packet(b"\1", 1) + packet(mytoy.definition(), 2) + packet(b"\1x", 4),
    "empty packet": packet(b"", 1),
    "no columns": packet(b"\xfc\0\0", 1),
    "2^63 columns": packet(b"\xfe" + b"\0" * 7 + b"\x80", 1),
    "70000 columns": packet(b"\xfd\x70\x11\1", 1),
    "half a count": packet(b"\xfd\1", 1),
    "count with a tail": packet(b"\1\1", 1),
    "half an OK": packet(b"\0\0", 1),
    "OK with a tail": packet(b"\0\0\0\2\0\0\0\1xy", 1),
    "OK of 1 MiB": b"\0\0\x10\1" + b"\0" * 70000,
    "changes that go beyond": packet(b"\0\0\0\2\x40\0\0\0\xfe" + b"\xff" * 8, 1),
    "half an error": packet(b"\xff\1", 1),
    "error of 16 MiB": b"\xff\xff\xff\1\xff" + b"x" * 70000,
    "EOF of old": packet(b"\1", 1) + packet(mytoy.definition(), 2) + packet(b"\xfe\0\0\2\0", 3),
    "greeting": greeting(seq=1),
}


@pytest.mark.parametrize("name", list(BROKEN))
@pytest.mark.cve("T-EVILBE CVE-2026-6665", "T-INFILE GHSA-73pr", "T-LEN CVE-2026-6664")
def test_answers_that_cannot_be(server, rogue, name):
    server.handler = answers_with(BROKEN[name])
    c = rogue.enter(timeout=2)
    c.send(packet(QUERY + b"a question"))
    got = must_end(c, name, seconds=2)
    assert got and mywire.error(got[-1])[0] == CANNOT, got
    assert not any(p[:1] == b"\xfb" for p in got)
    serves(server, rogue)


FILE_CAPS = mytoy.CAPS | mywire.LOCAL_FILES
NAMING = b"load data local infile '/tmp/mine' into table t"
EXECUTE_1 = mywire.STMT_EXECUTE + b"\1\0\0\0\0\1\0\0\0"


@pytest.mark.parametrize("asked, said", [
    (QUERY + NAMING, b"\xfb/etc/passwd"), (QUERY + NAMING, b"\xfb/tmp/min"), (QUERY + NAMING, b"\xfb/tmp/mine\0"), (QUERY + NAMING, b"\xfb"),
    (QUERY + b"select 'local infile ''/etc/passwd''';", b"\xfb/etc/passwd"), (QUERY + b"a question", b"\xfb/tmp/mine"),
    (mywire.PING, b"\xfb/tmp/mine"), (mywire.INIT_DB + NAMING, b"\xfb/tmp/mine"), (EXECUTE_1, b"\xfb/tmp/mine"),
])  # fmt: skip
@pytest.mark.cve("T-INFILE GHSA-73pr")
def test_files_that_the_client_has_not_named(server, rogue, asked, said):
    server.handler = answers_with(packet(said, 1))
    with rogue.enter(timeout=2, caps=FILE_CAPS) as c:
        c.send(packet(asked))
        got = must_end(c, said, seconds=2)
        assert got and mywire.error(got[-1])[0] == CANNOT and not any(p[:1] == b"\xfb" for p in got)
    serves(server, rogue)


@pytest.mark.cve("T-INFILE GHSA-73pr")
def test_files_of_an_earlier_command(server, rogue):
    def run(wire):
        toy = mytoy.Toy(wire, Anything)
        toy.log_in()
        for answer in (packet(b"\xff\x28\x04#42000No", 1), packet(b"\xfb/tmp/mine", 1)):
            toy.read()
            wire.send(answer)
        wire.timeout = 2
        wire.read_to_end()

    server.handler = run
    with rogue.enter(timeout=2, caps=FILE_CAPS) as c:
        assert mywire.error(c.command(QUERY + NAMING)[0][4:])[0] == 1064
        c.send(packet(QUERY + b"another"))
        got = must_end(c, "named before", seconds=2)
        assert got and mywire.error(got[-1])[0] == CANNOT and not any(p[:1] == b"\xfb" for p in got)
    serves(server, rogue)


@pytest.mark.parametrize("then", [ok(2), ok(3), packet(b"\xfb/tmp/mine", 2), packet(b"\xff\x28\x04#42000No", 2)])
def test_a_server_that_speaks_while_the_file_comes(server, rogue, then):
    server.handler = answers_with(packet(b"\xfb/tmp/mine", 1), then)
    with rogue.enter(timeout=2, caps=FILE_CAPS) as c:
        c.send(packet(QUERY + NAMING))
        got = must_end(c, then, seconds=4)
        assert got[0] == b"\xfb/tmp/mine" and mywire.error(got[-1])[0] == CANNOT and len(got) == 2
    serves(server, rogue)


def test_definitions_that_never_end(server, rogue):
    """As many as a server may announce; what comes then is read as rows. The client leaves, and that is all."""

    def run(wire):
        toy = mytoy.Toy(wire, Anything)
        toy.log_in()
        toy.read()
        wire.send(packet(b"\xfc\xff\xff", 1))
        seq = 2
        while True:
            wire.send(b"".join(packet(mytoy.definition(), seq + i) for i in range(256)))

    server.handler = run
    c = rogue.enter()
    c.send(packet(QUERY + b"a question"))
    for _ in range(70000):
        c.read_packet()
    wire = server.wires[-1]
    c.close()
    harness.wait_for(lambda: wire.is_ended, what="the end of the connection")
    serves(server, rogue)


@pytest.mark.cve("T-MARK PgBouncer #141", "T-EVILBE CVE-2026-6665")
@pytest.mark.parametrize("pause", [0, 0.05])
def test_packets_behind_the_end_of_an_answer(server, rogue, pause):
    """They become nobody's answer, whether they come whole or in pieces."""
    for poison in (row(b"poison"), ok(1), ok(0), err(1, b"gone"), packet(b"", 1), packet(b"\1", 1)):
        for cut in (1, 3, 4, 5, 6, len(poison)):

            def run(wire, poison=poison, cut=cut):
                toy = mytoy.Toy(wire, Anything)
                toy.log_in()
                toy.read()
                wire.send(row(b"first") + poison[:cut])
                toy.read()
                wire.send(poison[cut:])
                toy.serve()

            server.handler = run
            c = rogue.enter(timeout=2)
            assert c.ask("first") == "first"
            time.sleep(pause)
            try:
                got = c.command(QUERY + b"second")
                assert got[0][4:5] == b"\xff" and b"poison" not in got[0], (poison, cut, got)
            except (mywire.Closed, OSError):
                pass
            c.close()
    serves(server, rogue)


@pytest.mark.cve("T-MARK PgBouncer #141")
def test_what_comes_while_nobody_asks(kept):
    """On a connection that waits for its next client: it is closed, and that client gets another one."""
    server, keeper = kept
    for poison in (row(b"poison"), ok(1), ok(0), packet(b"", 0), b"\1", b"\7\0\0\1", ok(1)[:6], err(1053, b"shutdown", 0), b"\xff"):
        server.handler = None
        with keeper.enter() as c:
            assert c.ask("first") == "first"
            c.end()
        harness.wait_for(lambda: keeper.show("SERVERS", database="shop", state="idle"), what="an idle connection")
        server.wires[-1].send(poison)
        time.sleep(0.03)
        with keeper.enter() as c:
            assert c.ask("second") == "second", poison
            assert c.ask("third") == "third", poison
            c.end()


ANSWER = row(b"half a row")
BOUNDARIES = [0, 5, len(packet(b"\1") + packet(mytoy.definition())), len(ANSWER) - 11]


@pytest.mark.cve("T-CUT CVE-2026-90678", "T-REPLAY ProxySQL #3347")
def test_a_server_that_dies_at_every_byte_of_an_answer(server, rogue):
    """Whole packets and an error with the next number, or a close inside of one. Never a second answer."""
    for cut in range(len(ANSWER) - 1):
        server.handler = answers_with(ANSWER[:cut], then_close=True)
        c = rogue.enter(timeout=2)
        c.send(packet(QUERY + b"a question"))
        said = b""
        while data := c.sock.recv(1 << 16):
            said += data
        if ANSWER[:cut].startswith(said):
            assert len(said) not in BOUNDARIES, f"cut at {cut}: a close without a word"
        else:
            number = max(i for i, at in enumerate(BOUNDARIES) if at <= cut)
            assert said[: BOUNDARIES[number]] == ANSWER[: BOUNDARIES[number]], (cut, said)
            last = said[BOUNDARIES[number] :]
            assert last[3] == number + 1 and mywire.error(last[4:])[0] == CANNOT, (cut, said)
        c.close()
    serves(server, rogue)


PREPARED = b"".join(packet(p, i + 1) for i, p in enumerate([b"\0\1\0\0\0\2\0\2\0\0\0\0", *[mytoy.definition()] * 4]))
KINDS = {"new": mywire.USUAL | mywire.DEPRECATE_EOF, "old": mywire.USUAL}
PIECES = {
    "rows": (QUERY, row(b"in pieces")),
    "prepared": (mywire.STMT_PREPARE, PREPARED),
    "statistics": (mywire.STATISTICS, packet(b"Uptime: 1  Threads: 2", 1)),
    "OK": (QUERY, packet(b"\0\1\2\2\x40\0\0\4info\7\1\5\4shop", 1)),
    "error": (QUERY, err(1064, b"no")),
}


@pytest.mark.parametrize("name", list(PIECES))
@pytest.mark.parametrize("kind", list(KINDS))
def test_answers_in_pieces(server, rogue, name, kind):
    """However they are cut, clients get the same packets."""
    command, whole = PIECES[name]
    expected = None
    for cut in [0, *range(1, len(whole))]:

        def run(wire, cut=cut):
            toy = mytoy.Toy(wire, Anything)
            toy.log_in()
            toy.read()
            wire.send(whole[:cut])
            time.sleep(0.003)
            wire.send(whole[cut:])
            toy.serve()

        server.handler = run
        with rogue.enter(caps=KINDS[kind], timeout=2) as c:
            got = c.command(command + b"x")
            expected = expected or got
            assert got == expected, cut
            assert [p[3] for p in got] == list(range(1, len(got) + 1))
            assert c.ask("behind") == "behind" if kind == "new" else c.command(QUERY + b"behind")
            c.end()


@pytest.mark.cve("T-REPLAY ProxySQL #3347")
def test_a_server_that_dies_between_commands(server, rogue):
    c = rogue.enter(timeout=2)
    assert c.ask("first") == "first"
    server.wires[-1].sock.shutdown(socket.SHUT_RDWR)
    got = must_end(c, "a dead server", seconds=1)
    assert not got or mywire.error(got[-1])[0] == CANNOT
    serves(server, rogue)


def test_an_answer_before_the_question_is_out(server, rogue):
    """The client goes away in the middle of what it asks; what is left of that must not be completed by the next one."""

    def run(wire):
        toy = mytoy.Toy(wire, Anything)
        toy.log_in()
        wire.take(5)
        wire.send(err(1153, b"I know already"))
        wire.timeout = 2
        wire.read_to_end()

    server.handler = run
    c = rogue.enter(timeout=2)
    c.send((100000).to_bytes(3, "little") + b"\0" + QUERY + b"half of a quest")
    assert mywire.error(c.read())[0] == 1153
    c.close()
    serves(server, rogue)


# ---- the session begins anew ----

ANEW = {
    "error": err(1045, b"no"),
    "empty": packet(b"", 1),
    "count": packet(b"\1", 1),
    "file": packet(b"\xfb/etc/passwd", 1),
    "clear": switch(b"mysql_clear_password", seq=1),
    "twice": switch(NATIVE, seq=1) + switch(NATIVE, seq=3),
    "half an OK": packet(b"\0", 1),
    "OK with an answer behind": ok(1) + row(b"poison"),
    "OK with half a packet behind": ok(1) + b"\7\0",
    "huge": b"\xff\xff\xff\1\0",
    "greeting": greeting(seq=1),
    "close": None,
}


@pytest.mark.parametrize("name", list(ANEW))
@pytest.mark.cve("T-MARK PgBouncer #141", "T-EVILBE CVE-2026-6665")
def test_a_session_that_does_not_begin_anew(kept, name):
    """No second client gets that connection."""
    server, keeper = kept
    heard = []

    def run(wire):
        toy = mytoy.Toy(wire, Anything)
        toy.log_in()
        toy.take(toy.read()[0], 1)
        body, _ = toy.read()
        heard.append(body)
        if ANEW[name] is None:
            return
        wire.send(ANEW[name])
        wire.timeout = 2
        heard.append(wire.read_to_end())

    server.drop_all()
    harness.wait_for(lambda: not keeper.show("SERVERS", database="shop"), what="the end of older connections")
    server.handler = run
    with keeper.enter() as c:
        assert c.ask("first") == "first"
        c.end()
    harness.wait_for(lambda: heard, what="COM_CHANGE_USER")
    assert heard[0][:1] == mywire.CHANGE_USER
    server.handler = None
    serves(server, keeper)
    assert PASSWORD not in b"".join(heard)
