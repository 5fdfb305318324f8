#!/usr/bin/python3
"""Hostile and broken servers: clients get a PostgreSQL error with the right SQLSTATE or a close, and nothing of such a
connection is ever used again."""

import itertools
import struct
import threading
import time

import harness
import pgwire
import pytest

HUGE = [0, 1, 3, 1 << 31, (1 << 32) - 1]


@pytest.fixture(scope="module")
def rogue():
    """A server whose behaviour the test chooses (rogue.handler); gilmok has one connection to it at most."""
    server = harness.Server()
    gilmok = harness.Gilmok(
        server.port, cluster=["connect_timeout = 300ms"], database=["pool_size = 1", "queue_timeout = 3s", "catalog_refresh = 1d"]
    )
    yield server, gilmok
    gilmok.close()
    server.close()


def behave(rogue, handler):
    """From now on servers act like this; connections of before are ended."""
    server, gilmok = rogue
    server.handler = handler
    server.drop_all()
    time.sleep(0.02)  # until the old connection's end is noticed and login_retry is over
    return server, gilmok


def recovers(rogue):
    """With an honest server again, the same pool answers rightly."""
    server, gilmok = behave(rogue, None)
    client = gilmok.login()
    mark = f"clean {time.monotonic_ns()}"
    assert client.ask(mark) == mark
    assert not server.faults, server.faults
    client.end()


def login_fails(rogue, handler, sqlstate="08001", login=True, seconds=2.0):
    """Nobody can be served. A client whose parameters are new hears it at login, one that was in before at its query."""
    server, gilmok = behave(rogue, None)
    before = gilmok.login()
    before.ask("x")
    behave(rogue, handler)
    start = time.monotonic()
    got = before.query("a question")
    assert [e.sqlstate for e in got.errors] == [sqlstate] and got.status == "I", got.errors
    fields = got.errors[0].fields
    assert fields["S"] == "ERROR" and fields["V"] == "ERROR" and fields["M"]
    fresh = gilmok.client(params={"options": f"-c fresh={time.monotonic_ns()}"})
    time.sleep(0.02)
    fresh.authenticate()
    got = fresh.collect()
    assert got.errors and got.errors[0].sqlstate == sqlstate and got.errors[0].severity == "FATAL"
    assert time.monotonic() - start < seconds
    before.end(), fresh.end()
    recovers(rogue)


def after_startup(*sent):
    """A server that reads the startup packet and then sends these bytes, whatever it is told meanwhile."""

    def run(wire):
        wire.read_first()
        for part in sent:
            wire.send(part)
        wire.timeout = 2
        wire.read_to_end()

    return run


def scram_with(iterations=4096, extra="", edit_first=lambda b: b, edit_final=lambda b: b, skip_final=False):
    def run(wire):
        wire.read_first()
        scram = pgwire.ScramServer("app-password", min(iterations, 4096), extra)
        wire.send(pgwire.auth(10, b"SCRAM-SHA-256\0\0"))
        first = scram.first(wire.read()[1]).replace(b"i=4096", b"i=%d" % iterations)
        scram.server_first = edit_first(first).decode("latin-1")
        wire.send(pgwire.auth(11, edit_first(first)))
        final = scram.final(wire.read()[1])
        if not skip_final:
            wire.send(pgwire.auth(12, edit_final(final or b"v=AAAA")))
        wire.send(harness.GREETING)
        wire.timeout = 2
        wire.read_to_end()

    return run


# ---- during the login ----


LOGIN_ANSWERS = {
    "cleartext": pgwire.auth(3),
    "md5": pgwire.auth(5, b"salt"),
    "kerberos": pgwire.auth(2),
    "gss": pgwire.auth(7),
    "sspi": pgwire.auth(9),
    "unknown method": pgwire.auth(4711),
    "no mechanism": pgwire.auth(10, b"\0"),
    "unterminated mechanisms": pgwire.auth(10, b"SCRAM-SHA-256"),
    "other mechanisms": pgwire.auth(10, b"SCRAM-SHA-256-PLUS\0OAUTHBEARER\0\0"),
    "continue first": pgwire.auth(11, b"r=x,s=AAAA,i=4096"),
    "final first": pgwire.auth(12, b"v=AAAA"),
    "scram twice": pgwire.auth(10, b"SCRAM-SHA-256\0\0") * 2,
    "ready first": pgwire.ready(),
    "parameter first": pgwire.parameter("a", "b"),
    "key first": pgwire.message("K", b"\0" * 8),
    "row first": pgwire.data_row([b"x"]),
    "query": pgwire.query("select 1"),
    "ok twice": pgwire.auth(0) + pgwire.auth(0),
    "ok with scram begun": pgwire.auth(10, b"SCRAM-SHA-256\0\0") + harness.GREETING,
    "ready in a transaction": pgwire.auth(0) + pgwire.ready("T"),
    "ready with nonsense": pgwire.auth(0) + pgwire.ready("?"),
    "ready too long": pgwire.auth(0) + pgwire.message("Z", b"II"),
    "ready empty": pgwire.auth(0) + pgwire.message("Z"),
    "key too short": pgwire.auth(0) + pgwire.message("K", b"\0" * 7),
    "key too long": pgwire.auth(0) + pgwire.message("K", b"\0" * 261),
    "parameter without end": pgwire.auth(0) + pgwire.message("S", b"name"),
    "parameter with a tail": pgwire.auth(0) + pgwire.message("S", b"a\0b\0c"),
    "too many parameters": pgwire.auth(0) + b"".join(pgwire.parameter(f"p{i}", "x") for i in range(200)) + pgwire.ready(),
    "auth too short": pgwire.message("R", b"\0\0"),
    "auth empty": pgwire.message("R"),
    "http": b"HTTP/1.1 400 Bad Request\r\nServer: other\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "mysql": b"\x4a\0\0\0\x0a8.0.34\0" + b"\x08\0\0\0abcdefgh\0" + b"\xff" * 40,
    "zeros": b"\0" * 10000,
    "ones": b"\xff" * 10000,
    "N": b"N",
    "a mebibyte": pgwire.message("R", b"\0\0\0\x0a" + b"x" * (1 << 20)),
    "long notice": pgwire.message("N", b"M" + b"x" * 20000 + b"\0\0"),
}


@pytest.mark.parametrize("name", list(LOGIN_ANSWERS))
@pytest.mark.cve("T-EVILBE CVE-2026-6665")
def test_nonsense_instead_of_a_login(rogue, name):
    login_fails(rogue, after_startup(LOGIN_ANSWERS[name]))


@pytest.mark.parametrize("kind", ["R", "S", "K", "Z", "E", "N"])
@pytest.mark.cve("T-LEN CVE-2026-6664")
def test_impossible_lengths_during_login(rogue, kind):
    for length in HUGE + [1 << 20]:
        behave(rogue, after_startup(pgwire.auth(0) if kind != "R" else b"", pgwire.message(kind, b"", length=length)))
        client = rogue[1].client(params={"options": f"-c n={time.monotonic_ns()}"})
        client.authenticate()
        got = client.collect()
        assert got.errors[0].sqlstate == "08001", (kind, length)
        client.end()
    recovers(rogue)


@pytest.mark.cve("T-TERM ProxySQL 2.7.4")
def test_close_at_every_byte_of_the_greeting(rogue):
    server, gilmok = rogue
    for cut in range(0, len(harness.GREETING), 7):
        behave(rogue, lambda wire, cut=cut: (wire.read_first(), wire.send(harness.GREETING[:cut])))
        client = gilmok.client(params={"options": f"-c n={cut}"}) if cut % 2 else gilmok.client()
        client.authenticate()
        got = client.collect()
        if got.errors:
            assert got.errors[0].sqlstate == "08001"
        else:  # known parameters: the login needs no server, the query does
            assert client.query("x").errors[0].sqlstate == "08001"
        client.end()
    recovers(rogue)


SCRAM_LIES = {
    "long nonce": scram_with(extra="x" * 7000),
    "nonce of 300": scram_with(extra="x" * 300),
    "iterations 2^31-1": scram_with(iterations=2**31 - 1),
    "iterations 2^32": scram_with(iterations=2**32),
    "iterations 100001": scram_with(iterations=100001),
    "iterations 0": scram_with(iterations=0),
    "iterations negative": scram_with(iterations=-1),
    "another nonce": scram_with(edit_first=lambda b: b"r=AAAA" + b[6:]),
    "only our nonce": scram_with(edit_first=lambda b: b[:26] + b[b.index(b",s=") :]),
    "no salt": scram_with(edit_first=lambda b: b.split(b",s=")[0] + b",i=4096"),
    "empty salt": scram_with(edit_first=lambda b: b.split(b",s=")[0] + b",s=,i=4096"),
    "salt not base64": scram_with(edit_first=lambda b: b.split(b",s=")[0] + b",s=????,i=4096"),
    "long salt": scram_with(edit_first=lambda b: b.split(b",s=")[0] + b",s=" + b"A" * 1200 + b",i=4096"),
    "extension": scram_with(edit_first=lambda b: b"m=must," + b),
    "wrong signature": scram_with(edit_final=lambda b: b"v=" + b"A" * 43 + b"="),
    "short signature": scram_with(edit_final=lambda b: b"v=AAAA"),
    "empty signature": scram_with(edit_final=lambda b: b"v="),
    "error instead of a signature": scram_with(edit_final=lambda b: b"e=other-error"),
    "no signature at all": scram_with(skip_final=True),
}


@pytest.mark.parametrize("name", list(SCRAM_LIES))
@pytest.mark.cve("T-EVILBE CVE-2026-6665", "T-SCRAMI CVE-2026-6669")
def test_lies_in_scram(rogue, name):
    login_fails(rogue, SCRAM_LIES[name])


@pytest.mark.cve("T-SCRAMI CVE-2026-6669")
def test_iterations_do_not_stop_the_loop(rogue, start):
    """A server that wants 2^31-1 rounds of hashing is refused; clients of another server do not wait meanwhile."""
    server = harness.Server()
    evil = harness.Server(handler=scram_with(iterations=2**31 - 1))
    tail = f"[cluster evil]\n[node evil/a]\nport = {evil.port}\n[database bad]\ncluster = evil\n"
    gilmok = start(server, tail=tail)
    with harness.Bystander(gilmok):
        client = gilmok.client(database="bad")
        client.authenticate()
        assert client.collect().errors[0].sqlstate == "08001"
    server.close(), evil.close()


FIELDS = [("S", "FATAL"), ("V", "FATAL"), ("C", "57P03"), ("M", "starting up"), ("D", "detail"), ("H", "hint")]


@pytest.mark.cve("T-ERRFIELDS CVE-2026-6666")
def test_errors_with_every_subset_of_fields_during_login(rogue):
    server, gilmok = rogue
    for size in range(len(FIELDS) + 1):
        for fields in itertools.combinations(FIELDS, size):
            behave(rogue, after_startup(pgwire.error(fields)))
            client = gilmok.client(params={"options": f"-c n={time.monotonic_ns()}"})
            client.authenticate()
            got = client.collect()
            assert got.errors[0].sqlstate == ("57P03" if ("C", "57P03") in fields else "08001"), fields
            client.end()
    recovers(rogue)


ODD_ERRORS = {
    "empty": pgwire.message("E"),
    "only a terminator": pgwire.message("E", b"\0"),
    "no terminator": pgwire.message("E", b"SFATAL\0"),
    "cut text": pgwire.message("E", b"Mhello"),
    "short code": pgwire.error([("C", "5"), ("M", "x")]),
    "long code": pgwire.error([("C", "5" * 100), ("M", "x")]),
    "code twice": pgwire.error([("C", "28P01"), ("C", "28000"), ("M", "x")]),
    "control characters": pgwire.error([("C", "28P01"), ("M", "a\x1b[31mb\r\nc")]),
    "long text": pgwire.error([("C", "28P01"), ("M", "m" * 8000)]),
    "not utf-8": pgwire.message("E", b"C28P01\0M\xff\xfe\xfd\0\0"),
    "unknown fields": pgwire.error([("!", "x"), ("z", "y"), ("C", "28P01"), ("M", "x")]),
}


@pytest.mark.parametrize("name", list(ODD_ERRORS))
@pytest.mark.cve("T-ERRFIELDS CVE-2026-6666", "T-BUFFERS CVE-2026-6477")
def test_odd_errors_during_login(rogue, name):
    login_fails(rogue, after_startup(ODD_ERRORS[name]))


@pytest.mark.parametrize("field", [k for k, _ in FIELDS])
@pytest.mark.cve("T-ERRFIELDS CVE-2026-6666")
def test_errors_with_a_field_twice_during_login(rogue, field):
    """Nobody is crashed by it; of two codes one counts."""
    twice = FIELDS + [(field, "53300" if field == "C" else "again")]
    login_fails(rogue, after_startup(pgwire.error(twice)), "53300" if field == "C" else "57P03")


@pytest.mark.parametrize("own", [harness.LOOK, harness.CATALOG, "DISCARD ALL"], ids=["session", "catalog", "reset"])
@pytest.mark.cve("T-ERRFIELDS CVE-2026-6666")
def test_odd_errors_to_gilmoks_own_commands(own):
    """With whatever fields, or none: who asked nothing hears nothing of them, and is served."""
    errors = []

    class Odd(harness.Toy):
        def simple(self, sql):
            if errors and sql.startswith(own):
                self.out += errors.pop()
            else:
                super().simple(sql)

    server = harness.Server(handler=lambda w: Odd(w, server).run())
    gilmok = harness.Gilmok(server.port, tail="[database *]\npool_size = 1\nqueue_timeout = 3s")
    subsets = [s for n in range(5) for s in itertools.combinations([("S", "ERROR"), ("V", "ERROR"), ("C", "22012"), ("M", "odd")], n)]
    try:
        for i, odd in enumerate([*ODD_ERRORS.values(), *map(pgwire.error, subsets)]):
            errors[:] = [odd]
            client = gilmok.login(database=f"d{i}")
            assert client.ask("select unheard_of()") == "select unheard_of()"
            if own == "DISCARD ALL":
                client.query("LOAD 'x'")
            client.end()
            other = gilmok.login(database=f"d{i}")
            assert other.ask("next") == "next"
            other.end()
            assert not errors, f"gilmok has not asked {own}"
    finally:
        gilmok.close()
        server.close()


PASSED_ON = ["3D000", "53300", "57P03"]


@pytest.mark.parametrize("sqlstate, expected", [(s, s) for s in PASSED_ON] + [(s, "08001") for s in ("28P01", "28000", "XX000")])
def test_which_login_errors_clients_see(rogue, sqlstate, expected):
    login_fails(rogue, after_startup(pgwire.error([("S", "FATAL"), ("C", sqlstate), ("M", "because")])), expected)


def test_silence_ends_with_connect_timeout(rogue):
    login_fails(rogue, after_startup(), seconds=2.5)


def test_close_at_once(rogue):
    login_fails(rogue, lambda wire: None)


def test_close_after_the_startup_packet(rogue):
    login_fails(rogue, lambda wire: wire.read_first())


def test_nobody_listens(start):
    server = harness.Server()
    gilmok = start(server)
    server.close()
    client = gilmok.client()
    client.authenticate()
    got = client.collect()
    assert got.errors[0].sqlstate == "08001"


# ---- after the login ----


def answers_with(*sent, then_close=False):
    """A server that logs in properly and answers the first message with these bytes."""

    def run(wire):
        wire.read_first()
        wire.send(harness.GREETING)
        wire.read()
        for part in sent:
            wire.send(part)
        if then_close:
            return
        wire.timeout = 2
        wire.read_to_end()

    return run


@pytest.mark.cve("T-CUT CVE-2026-90678")
def test_answer_before_the_question_is_out(rogue):
    """The server answers a query of which it has seen the head only; the client goes away in the middle of it. What is
    left of the query must not be completed by the next client."""

    def run(wire):
        toy = harness.Toy(wire, rogue[0])
        toy.greet()
        wire.take(5)
        wire.send(pgwire.error({"S": "ERROR", "V": "ERROR", "C": "42601", "M": "I know already"}) + pgwire.ready())
        wire.timeout = 2
        wire.read_to_end()

    server, gilmok = behave(rogue, run)
    client = gilmok.login()
    client.send(pgwire.message("Q", b"half of a quest", length=100_000))
    assert client.collect().errors[0].sqlstate == "42601"
    server.handler = None
    client.end()
    other = gilmok.login()
    assert other.ask("whole") == "whole"
    recovers(rogue)


ROW = pgwire.row_description() + pgwire.data_row([b"poison"])
BROKEN_ANSWERS = {
    "parse complete": pgwire.message("1"),
    "bind complete": pgwire.message("2"),
    "close complete": pgwire.message("3"),
    "portal suspended": pgwire.message("s"),
    "no data": pgwire.message("n"),
    "parameter description": pgwire.message("t", b"\0\0"),
    "function response": pgwire.message("V", b"\xff\xff\xff\xff"),
    "authentication": pgwire.auth(0),
    "cleartext request": pgwire.auth(3),
    "key": pgwire.message("K", b"\0" * 8),
    "negotiate": pgwire.message("v", b"\0" * 8),
    "unknown type": pgwire.message("@", b"x"),
    "type zero": pgwire.message("\0", b"x"),
    "ready with nonsense": ROW + pgwire.complete("SELECT 1") + pgwire.ready("?"),
    "ready too long": pgwire.message("Z", b"IIIII"),
    "ready empty": pgwire.message("Z"),
    "tag without end": pgwire.message("C", b"SELECT 1"),
    "tag too long": pgwire.message("C", b"S" * 100 + b"\0"),
    "tag with a tail": pgwire.message("C", b"SELECT 1\0x"),
    "parameter malformed": pgwire.message("S", b"name"),
    "parameter too long": pgwire.message("S", b"name\0" + b"x" * 20000 + b"\0"),
}


@pytest.mark.parametrize("name", list(BROKEN_ANSWERS))
@pytest.mark.cve("T-EVILBE CVE-2026-6665", "T-RESYNC CVE-2015-0244")
def test_answers_that_cannot_be(rogue, name):
    _, gilmok = behave(rogue, answers_with(BROKEN_ANSWERS[name]))
    client = gilmok.login()
    client.send(pgwire.query("a question"))
    got = pgwire.split(client.read_to_end())
    assert got[-1][0] == "E" and pgwire.error_fields(got[-1][1])["C"] == "08006", got
    assert not [m for m in got if m[0] == "Z"]
    recovers(rogue)


@pytest.mark.parametrize("kind", ["D", "T", "C", "Z", "E", "N", "S", "A", "G", "H", "d", "c", "I"])
@pytest.mark.cve("T-LEN CVE-2026-6664", "T-RESYNC CVE-2015-0244")
def test_impossible_lengths_after_login(rogue, kind):
    for length in HUGE:
        _, gilmok = behave(rogue, answers_with(pgwire.message(kind, b"", length=length)))
        client = gilmok.login()
        client.send(pgwire.query("a question"))
        got = pgwire.split(client.read_to_end())
        assert got[-1][0] == "E" and pgwire.error_fields(got[-1][1])["C"] == "08006", (length, got)
        client.end()
    recovers(rogue)


@pytest.mark.cve("T-MARK PgBouncer #141")
def test_rows_nobody_asked_for_are_not_given_to_the_next_client(rogue):
    """The server sends an answer twice: the second one must not become the next client's."""

    def run(wire):
        wire.read_first()
        wire.send(harness.GREETING)
        while True:
            kind, body = wire.read()
            if kind == "X":
                return
            answer = pgwire.row_description() + pgwire.data_row([body[:-1]]) + pgwire.complete("SELECT 1") + pgwire.ready()
            wire.send(answer + answer)

    _, gilmok = behave(rogue, run)
    one, other = gilmok.login(), gilmok.login()
    for i in range(10):
        time.sleep(0.02)
        for c, mark in ((one, f"one {i}"), (other, f"other {i}")):
            try:
                got = c.query(mark)
            except pgwire.Closed:
                return
            assert got.rows in ([[mark]], []), got.rows
            assert not got.rows or got.rows == [[mark]]
            if got.errors and got.errors[0].severity == "FATAL":
                return
    recovers(rogue)


@pytest.mark.cve("T-MARK PgBouncer #141")
def test_ready_twice_ends_the_connection(rogue):
    server, gilmok = behave(rogue, answers_with(ROW + pgwire.complete("SELECT 1") + pgwire.ready() + pgwire.ready()))
    before = server.accepted
    client = gilmok.login()
    assert client.query("x").rows == [["poison"]]
    behave(rogue, None)
    assert client.ask("y") == "y"
    assert server.accepted > before


@pytest.mark.cve("T-MARK PgBouncer #141")
def test_unasked_messages_on_an_idle_connection(rogue):
    """A row, a ready, an error while nobody asks: the connection goes; notices and parameters are harmless."""
    for sent, is_kept in (
        (pgwire.data_row([b"poison"]), False),
        (pgwire.ready(), False),
        (pgwire.complete("SELECT 1"), False),
        (pgwire.message("E", b"SFATAL\0C57P01\0Mgo\0\0"), None),
        (pgwire.message("N", b"SNOTICE\0C00000\0Mhi\0\0"), True),
        (pgwire.parameter("TimeZone", "UTC"), True),
    ):
        gate = threading.Event()

        def run(wire, sent=sent, gate=gate):
            toy = harness.Toy(wire, rogue[0])
            toy.greet()
            kind, body = wire.read()
            toy.take(kind, body)
            toy.flush()
            gate.wait(5)
            wire.send(sent)
            toy.greet = lambda: None
            toy.run()

        server, gilmok = behave(rogue, run)
        accepted = server.accepted
        client, other = gilmok.login(), gilmok.login()
        assert client.ask("select 1") == "select 1"  # after which gilmok asks nothing of its own
        server.handler = None
        gate.set()
        time.sleep(0.03)
        for c in (client, other):
            got = c.query("second")
            assert got.rows == [["second"]], (sent, got.errors)
        if is_kept is not None:
            assert (server.accepted == accepted + 1) == is_kept, sent
        client.end(), other.end()


HALVES = {
    "notification": pgwire.message("A", b"\0\0\0\1news\0payload\0"),
    "long notice": pgwire.message("N", b"SNOTICE\0VNOTICE\0C00000\0M" + b"x" * 20000 + b"\0\0"),
}


@pytest.mark.parametrize("name", list(HALVES))
def test_half_a_message_that_nobody_asked_for(rogue, name):
    """It begins on an idle connection, and a client gets that connection before the other half has come: the client must not."""
    server, gilmok = behave(rogue, None)
    client = gilmok.login()
    client.ask("x")
    harness.wait_for(lambda: not [r for r in gilmok.show("CLIENTS") if r["held_by"] and r["database"] == "shop"], what="rest")
    wire, message = server.wires[-1], HALVES[name]
    wire.send(message[:9])
    time.sleep(0.05)
    client.send(pgwire.query("SLEEP 0.3 s"))
    time.sleep(0.1)
    wire.send(message[9:])
    got = client.collect()
    assert got.rows == [["SLEEP 0.3 s"]] and not got.errors, got.errors
    client.end()
    recovers(rogue)


@pytest.mark.cve("T-MARK PgBouncer #141")
def test_a_row_of_another_query_for_the_catalog(rogue):
    """What answers gilmok's own reading of the catalog with a row of something else is not asked anything else."""
    answer = harness.no_code
    server = harness.Server()
    gilmok = harness.Gilmok(server.port, database=["pool_size = 1"])
    try:
        harness.no_code = lambda: pgwire.data_row([b"poison"]) + pgwire.complete("SELECT 1")
        client = gilmok.login()
        assert client.ask("select unheard_of()") == "select unheard_of()"
        harness.wait_for(lambda: "could not be read" in open(gilmok.log).read(), what="the end of the reading")
        assert client.ask("second") == "second"
        assert server.accepted == 2
        client.end()
    finally:
        harness.no_code = answer
        gilmok.close()
        server.close()


def test_a_catalog_that_takes_long_to_read():
    """Longer than a check may take: a database of a hundred thousand tables. Its first client waits, and nothing is given up."""
    answer = harness.no_code
    server = harness.Server()
    gilmok = harness.Gilmok(server.port, cluster=["connect_timeout = 300ms"], database=["pool_size = 1", "queue_timeout = 10s"])
    try:
        harness.no_code = lambda: time.sleep(1.5) or answer()
        client = gilmok.login()
        assert client.ask("first") == "first"
        assert server.accepted == 1 and "could not be read" not in open(gilmok.log).read()
        client.end()
    finally:
        harness.no_code = answer
        gilmok.close()
        server.close()


def test_fatal_error_is_passed_on_once(rogue):
    """The server's own goodbye is what the client hears, with nothing of gilmok's behind it."""
    goodbye = pgwire.error([("S", "FATAL"), ("V", "FATAL"), ("C", "57P01"), ("M", "terminating connection")])
    _, gilmok = behave(rogue, answers_with(goodbye, then_close=True))
    client = gilmok.login()
    client.send(pgwire.query("x"))
    got = pgwire.split(client.read_to_end())
    assert [pgwire.error_fields(b)["C"] for t, b in got if t == "E"] == ["57P01"]
    recovers(rogue)


PARTS = [pgwire.row_description(), pgwire.data_row([b"half a row"]), pgwire.complete("SELECT 1"), pgwire.ready()]
ANSWER = b"".join(PARTS)
BOUNDARIES = {sum(map(len, PARTS[:n])) for n in range(4)}


@pytest.mark.cve("T-REPLAY ProxySQL #3347")
def test_close_at_every_byte_of_an_answer(rogue):
    """The client gets whole messages and 08006, or a close when a message was under way. Never a second answer."""
    for cut in range(len(ANSWER) - 1):
        _, gilmok = behave(rogue, answers_with(ANSWER[:cut], then_close=True))
        client = gilmok.login()
        client.send(pgwire.query("x"))
        data = client.read_to_end()
        if ANSWER[:cut].startswith(data):
            assert len(data) not in BOUNDARIES, f"cut at {cut}: a close without a word"
        else:
            *before, last = pgwire.split(data)
            assert len(b"".join(pgwire.message(t, b) for t, b in before)) in BOUNDARIES, (cut, data)
            assert last[0] == "E" and pgwire.error_fields(last[1])["C"] == "08006", (cut, data)
        client.end()
    recovers(rogue)


@pytest.mark.cve("T-ERRFIELDS CVE-2026-6666")
def test_errors_with_every_subset_of_fields_pass_unchanged(rogue):
    fields = [("S", "ERROR"), ("V", "ERROR"), ("C", "22012"), ("M", "text"), ("D", "d"), ("P", "7")]
    subsets = [s for n in range(len(fields) + 1) for s in itertools.combinations(fields, n)]
    errors = [pgwire.error(s) for s in subsets]

    def run(wire):
        wire.read_first()
        wire.send(harness.GREETING)
        for e in errors:
            wire.read()
            wire.send(e + pgwire.ready())
        wire.read_to_end()

    _, gilmok = behave(rogue, run)
    client = gilmok.login()
    for e in errors:
        client.send(pgwire.query("select 1"))
        assert client.take(len(e)) == e
        assert client.read() == ("Z", b"I")
    client.end()
    recovers(rogue)


def test_server_that_dies_while_nobody_asks_is_replaced_silently(rogue):
    server, gilmok = behave(rogue, None)
    client = gilmok.login()
    for i in range(5):
        assert client.ask(f"before {i}") == f"before {i}"
        server.drop_all()
        time.sleep(0.03)
        assert client.ask(f"after {i}") == f"after {i}"


def test_server_that_goes_in_a_transaction(rogue):
    server, gilmok = behave(rogue, None)
    client = gilmok.login()
    assert client.query("BEGIN").status == "T"
    server.drop_all()
    got = pgwire.split(client.read_to_end())
    assert pgwire.error_fields(got[-1][1])["C"] == "08006"
    recovers(rogue)


@pytest.mark.parametrize("status", ["T", "E"])
def test_own_commands_that_fail_do_not_return_the_connection(rogue, status):
    """A server that refuses gilmok's clean-up gets no second client on that connection."""

    def run(wire):
        toy = harness.Toy(wire, rogue[0])
        simple = toy.simple

        def twisted(sql):
            if sql == "DISCARD ALL":
                toy.fail("XX000", "no")
                toy.status = status
            else:
                simple(sql)

        toy.simple = twisted
        toy.run()

    server, gilmok = behave(rogue, run)
    one = gilmok.login()
    one.query("LOAD 'x'")
    accepted = server.accepted
    one.end()
    assert gilmok.login().ask("next") == "next"
    assert server.accepted == accepted + 1
    recovers(rogue)
