#!/usr/bin/python3
"""Counts and lengths inside of messages, which say more or less than is there: from clients and from servers. A message is as
long as it says and no byte longer, whatever stands in it; nobody else notices."""

import struct
import time

import harness
import pgwire
import pytest

COUNTS = [0, 1, 2, 3, (1 << 15) - 1, 1 << 15, (1 << 16) - 1]
LENGTHS = [0, 1, 3, 4, 5, 1 << 15, (1 << 16) - 1, (1 << 24) - 1, (1 << 31) - 1, 1 << 31, (1 << 31) + 1] + [(1 << 32) - i for i in (4, 3, 2, 1)]
NULL = (1 << 32) - 1  # as the length of a column
FROM_CLIENTS = set("QPBDECSHXFdcf")


class Strict(harness.Toy):
    """It keeps what it gets, message by message."""

    def take(self, kind, body):
        if not harness.is_own(kind, body):
            self.server.got.append((kind, body))
        assert kind in FROM_CLIENTS, kind
        if kind == "F":
            self.out += pgwire.message("V", struct.pack(">I", 0xFFFFFFFF)) + pgwire.ready(self.status)
            self.flush()
        else:
            super().take(kind, body)


def strict_pair(**more):
    server = harness.Server(handler=lambda w: Strict(w, server).run())
    server.got = []
    return server, harness.Gilmok(server.port, database=["pool_size = 1"], **more)


@pytest.fixture(scope="module")
def pair():
    server, gilmok = strict_pair()
    yield server, gilmok
    gilmok.close()
    server.close()


# ---- from clients ----

NAMES = pgwire.cstr("") + pgwire.cstr("s")
ONE = struct.pack(">HI", 1, 3) + b"abc"  # one value
BINDS = {
    "formats of values": (COUNTS, lambda n: struct.pack(">H", n) + ONE + b"\0\0"),
    "number of values": (COUNTS, lambda n: struct.pack(">HH", 0, n) + ONE[2:] + b"\0\0"),
    "length of a value": (LENGTHS, lambda n: struct.pack(">HHI", 0, 1, n) + b"abc\0\0"),
    "length of the last of many": (LENGTHS, lambda n: struct.pack(">HH", 0, 9) + ONE[2:] * 8 + struct.pack(">I", n) + b"abc\0\0"),
    "formats of columns": (COUNTS, lambda n: struct.pack(">H", 0) + ONE + struct.pack(">H", n)),
}
OTHERS = {
    "types of Parse": (COUNTS, lambda n: pgwire.message("P", b"t\0x\0" + struct.pack(">H", n) + b"\0\0\0\x17")),
    "formats of a function's arguments": (COUNTS, lambda n: pgwire.message("F", struct.pack(">IH", 1, n) + ONE + b"\0\0")),
    "number of a function's arguments": (COUNTS, lambda n: pgwire.message("F", struct.pack(">IHH", 1, 0, n) + ONE[2:] + b"\0\0")),
    "length of a function's argument": (LENGTHS, lambda n: pgwire.message("F", struct.pack(">IHHI", 1, 0, 1, n) + b"abc\0\0")),
    "rows of Execute": (LENGTHS, lambda n: pgwire.message("E", b"\0" + struct.pack(">I", n))),
}


def until_quiet(client):
    """The error codes up to ReadyForQuery or the end."""
    codes = []
    while True:
        try:
            got = client.collect()
        except pgwire.Closed:
            return codes
        codes += [e.sqlstate for e in got.errors]
        if got.status or (got.errors and got.errors[-1].severity == "FATAL"):
            return codes


@pytest.mark.parametrize("name", list(BINDS))
@pytest.mark.cve("T-LEN CVE-2026-6664", "T-CONSUMED CVE-2021-40346", "T-SMUG CVE-2024-27304")
def test_numbers_inside_of_a_bind(pair, name):
    """It is the server's to judge, and it gets each byte of it and then the next message; only names are changed."""
    server, gilmok = pair
    other = gilmok.login()
    for number in BINDS[name][0]:
        for names in (NAMES, pgwire.cstr("portal") + pgwire.cstr("s")):
            rest = BINDS[name][1](number)
            client = gilmok.login()
            client.send(pgwire.parse("text", "s") + pgwire.SYNC)
            assert client.collect().types == ["1", "Z"]
            del server.got[:]
            client.send(pgwire.message("B", names + rest) + pgwire.execute(names.split(b"\0")[0].decode()) + pgwire.SYNC)
            codes = until_quiet(client)
            sent = [body for kind, body in server.got if kind == "B"]
            if sent:
                assert len(sent) == 1 and sent[0].endswith(b"\0" + rest) and len(sent[0].split(b"\0", 2)[2]) == len(rest), (number, sent)
            else:
                assert codes, f"{number}: neither sent nor refused"
            client.end()
            assert other.ask(f"mark {number}") == f"mark {number}"
    assert not server.faults, server.faults
    other.end()


@pytest.mark.parametrize("name", list(OTHERS))
@pytest.mark.cve("T-LEN CVE-2026-6664")
def test_numbers_inside_of_other_messages(pair, name):
    server, gilmok = pair
    other = gilmok.login()
    for number in OTHERS[name][0]:
        message = OTHERS[name][1](number)
        client = gilmok.login()
        del server.got[:]
        client.send((pgwire.parse("text") + pgwire.bind() if message[:1] == b"E" else b"") + message + pgwire.SYNC)
        codes = until_quiet(client)
        sent = [body for kind, body in server.got if kind.encode() == message[:1]]
        assert codes or (sent and len(sent[-1]) >= len(message) - 5), (number, sent)
        client.end()
        assert other.ask(f"mark {number}") == f"mark {number}"
    assert not server.faults, server.faults
    other.end()


@pytest.mark.parametrize("name", list(BINDS))
@pytest.mark.cve("T-LEN CVE-2026-6664")
def test_numbers_inside_of_a_bind_at_the_console(gilmok, name):
    """Here gilmok is the server: an error of the protocol, and the session goes on or ends."""
    with harness.Bystander(gilmok):
        for number in BINDS[name][0]:
            c = gilmok.login(user="boss", password="boss-password", database="gilmok")
            c.send(pgwire.parse("SHOW VERSION", "s") + pgwire.message("B", NAMES + BINDS[name][1](number)) + pgwire.execute() + pgwire.SYNC)
            assert set(until_quiet(c)) == {"08P01"}, number
            c.end()
    assert gilmok.console("SHOW VERSION").rows


@pytest.mark.cve("T-CONSUMED CVE-2021-40346")
def test_bytes_behind_the_last_field_at_the_console(gilmok):
    """Messages are read to their ends: what stands behind is not passed over."""
    version = b"SHOW VERSION\0"
    for sent in (
        pgwire.message("P", b"\0" + version + b"\0\0" + b"x"),
        pgwire.message("P", b"\0" + version + b"\0\1" + b"\0\0\0\x17\0"),
        pgwire.message("P", b"\0" + version + b"\0\1" + b"\0\0\0"),
        pgwire.message("Q", version + b"x"),
        pgwire.message("Q", version * 2),
        pgwire.message("Q", b"SHOW\0VERSION\0"),
        pgwire.message("E", b"\0\0\0\0\0x"),
        pgwire.message("D", b"S\0x"),
        pgwire.message("C", b"S\0x"),
    ):
        c = gilmok.login(user="boss", password="boss-password", database="gilmok")
        c.send(sent + pgwire.SYNC)
        assert until_quiet(c) == ["08P01"], sent
        c.end()


@pytest.mark.cve("T-LEN CVE-2026-6664")
def test_lengths_of_cancel_requests(gilmok):
    """A key has 4 to 256 bytes; the request says how long it is, and says the truth."""
    with harness.Bystander(gilmok):
        for length in LENGTHS + [8, 11, 12, 15, 16, 17, 268, 269, 270]:
            c = gilmok.client()
            c.timeout = harness.REPLY_S
            data = struct.pack(">III", length, 80877102, 1) + b"k" * 300
            try:
                c.send(data[: max(length, 12)] if length < 300 else data)
                if not 300 < length <= 10000:
                    got = pgwire.split(c.read_to_end())
                    assert {kind for kind, _ in got} <= {"E"}, (length, got)
            except pgwire.Closed:
                pass
            c.end()


# ---- from servers ----


def lying_look(number, at):
    """The two columns of what gilmok asks about a session, with a length that is none."""
    parts = [struct.pack(">I", 4) + b"role", struct.pack(">I", 4) + b"none"]
    count = 2
    if at == "count":
        count = number & 0xFFFF
    else:
        parts[at] = struct.pack(">I", number) + parts[at][4:]
    return pgwire.row_description(("name", "setting")) + pgwire.message("D", struct.pack(">H", count) + b"".join(parts)) + pgwire.complete("SELECT 1")


def lying_catalog(number, at):
    """The four columns of what gilmok reads of a database's catalog."""
    parts = [struct.pack(">I", 6) + b"digest", struct.pack(">I", 1) + b"0", struct.pack(">I", 0), struct.pack(">I", 0)]
    count = 4
    if at == "count":
        count = number & 0xFFFF
    else:
        parts[at * 3] = struct.pack(">I", number) + parts[at * 3][4:]
    return pgwire.message("D", struct.pack(">H", count) + b"".join(parts)) + pgwire.complete("SELECT 1")


@pytest.mark.parametrize("at", ["count", 0, 1], ids=str)
@pytest.mark.parametrize("what", [lying_look, lying_catalog], ids=["session", "catalog"])
@pytest.mark.cve("T-LEN CVE-2026-6664", "T-CONSUMED CVE-2021-40346")
def test_lengths_in_rows_that_gilmok_reads_itself(what, at):
    """The client has its answer, and the next one too. Who lies about the catalog is asked nothing more; about a session, once more."""
    lies, looks = [], []
    true = {(lying_look, "count"): [2], (lying_catalog, 1): [0, NULL]}.get((what, at), [4] if what is lying_look else [])

    class Liar(harness.Toy):
        def simple(self, sql):
            looks.extend([sql] * sql.startswith(harness.LOOK))
            if lies and sql.startswith(harness.LOOK if what is lying_look else harness.CATALOG):
                self.out += what(lies.pop(), at)
            else:
                super().simple(sql)

    server = harness.Server(handler=lambda w: Liar(w, server).run())
    gilmok = harness.Gilmok(server.port, tail="[database *]\npool_size = 1\nqueue_timeout = 3s")
    try:
        for number in COUNTS if at == "count" else LENGTHS:
            database = f"d{number}"  # each with a catalog of its own
            lies[:] = [number]
            looks.clear()
            before = server.accepted
            client = gilmok.login(database=database)
            text = f"something of {number}" if what is lying_look else "select unheard_of()"
            assert client.ask(text) == text
            harness.wait_for(lambda: not lies, what="gilmok's own question")
            if what is lying_look and number not in true:
                harness.wait_for(lambda: len(looks) > 1, what="the question once more")
            client.end()
            other = gilmok.login(database=database)
            assert other.ask(f"next {number}") == f"next {number}"
            if what is lying_catalog:
                assert server.accepted - before == (1 if number in true else 2), f"{number}: it is asked on"
            other.end()
        assert gilmok.is_alive()
    finally:
        gilmok.close()
        server.close()


@pytest.mark.cve("T-EVILBE CVE-2026-6665")
def test_numbers_in_descriptions(start):
    """What a statement is described with passes as it is, or ends the connection: it is never read beyond its end."""

    class Describer(harness.Toy):
        def extended(self, kind, body):
            if kind == "D" and body[:1] == b"S":
                self.out += pgwire.message("t", self.server.types) + pgwire.message("T", self.server.columns)
            else:
                super().extended(kind, body)

    server = harness.Server(handler=lambda w: Describer(w, server).run())
    gilmok = start(server, database=["pool_size = 1"])
    column = b"value\0" + struct.pack(">IHIHIH", 0, 0, 25, 0xFFFF, 0xFFFFFFFF, 0)
    for number in COUNTS:
        for server.types, server.columns in (
            (struct.pack(">H", number) + b"\0\0\0\x17", struct.pack(">H", 1) + column),
            (b"\0\0", struct.pack(">H", number) + column),
            (b"", b""),
            (b"\0", b"\0" + column[:9]),
        ):
            client = gilmok.login()
            client.send(pgwire.parse("select x", f"s{number}") + pgwire.describe("S", f"s{number}") + pgwire.SYNC)
            got, end = [], time.monotonic() + 5
            while time.monotonic() < end:
                try:
                    got.append(client.read())
                except pgwire.Closed:
                    break
                if got[-1][0] in "ZE":
                    break
            assert got[-1][0] in "ZE", got
            for kind, expected in (("t", server.types), ("T", server.columns)):
                assert [body for k, body in got if k == kind] in ([], [expected]), (number, got)
            client.end()
            other = gilmok.login()
            assert other.ask("next") == "next"
            other.end()


# ---- messages that never end ----

LARGE_MAX = 0x3FFFFFFE  # what PostgreSQL takes as the length of a Query, Parse or Bind
HEADS = {
    "Q": b"select 'half", "P": b"s\0select 'half", "B": b"\0s\0" + struct.pack(">HHI", 0, 1, 100000), "F": struct.pack(">IHH", 1, 0, 1),
    "d": b"half a row",
}  # fmt: skip


@pytest.mark.parametrize("kind", list(HEADS))
@pytest.mark.cve("T-CUT CVE-2026-90678")
def test_a_message_that_its_client_does_not_finish(pair, kind):
    """Announced as large as can be, and then the client is gone. Whatever a server has of it is never completed by somebody else."""
    server, gilmok = pair
    other = gilmok.login()
    for declared in (200_000, LARGE_MAX):
        for size in (0, 1, len(HEADS[kind]), 9_000, 70_000, 150_000):
            for reset in (False, True):
                client = gilmok.login()
                client.send(pgwire.parse("text", "s") + pgwire.SYNC)
                assert client.collect().types == ["1", "Z"]
                if kind == "d":
                    client.send(pgwire.query("COPYIN"))
                    assert client.collect(until="G").types == ["G"]
                del server.got[:]
                client.send(pgwire.message(kind, (HEADS[kind] + b"x" * size)[:size], length=declared))
                time.sleep(0.002)
                client.end(reset)
                mark = f"mark {kind} {size}"
                assert other.ask(mark) == mark
                assert (kind, [b for k, b in server.got if k == kind and b != pgwire.cstr(mark)]) == (kind, [])
    assert not server.faults, server.faults
    other.end()


@pytest.mark.cve("T-SMUG CVE-2024-27304")
def test_a_message_that_grows_beyond_what_a_server_takes(start):
    """A Bind as long as can be, for a statement whose name is longer on the server: what leaves has a length that is true and legal,
    or nothing leaves."""
    lengths, seen = [], set()

    def run(wire):
        toy = harness.Toy(wire, server)
        toy.greet()
        while True:
            head = wire.take(5)
            length = struct.unpack(">I", head[1:])[0]
            if length > 1 << 20:
                lengths.append(length)
                wire.read_to_end()
            toy.take(chr(head[0]), wire.take(length - 4))
            toy.flush()

    server = harness.Server(handler=run)
    g = start(server, database=["unknown_effects = trust", "pool_size = 1"])
    for name in ("s", "a name as long as a name of a statement can well be, and longer than one of gilmok's"):
        for declared in (LARGE_MAX, LARGE_MAX - 1, LARGE_MAX - 40):
            c = g.login()
            c.send(pgwire.parse("text", name) + pgwire.SYNC)
            assert c.collect().types == ["1", "Z"]
            del lengths[:]
            head = pgwire.cstr("") + pgwire.cstr(name) + struct.pack(">HHI", 0, 1, declared - 4 - 2 - len(name) - 8 - 2)
            c.send(pgwire.message("B", head + b"x" * 70_000, length=declared))
            time.sleep(0.05)
            if lengths:
                assert lengths[0] <= LARGE_MAX, hex(lengths[0])
            else:
                assert c.collect().errors[0].sqlstate == "08P01"
            seen.add(bool(lengths))
            c.end()
    assert seen == {True, False}
    assert g.login().ask("next") == "next"
    server.close()
