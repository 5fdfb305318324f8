#!/usr/bin/python3
"""The console's protocol, message by message: prepared statements, portals, row limits, formats, errors; and hostile bytes."""

import re
import struct
import time
from pathlib import Path

import pytest

import harness
import pgwire
from pgwire import SYNC, close, cstr, describe, execute, message, parse, query

VERSION = "SHOW VERSION"

# Every verb as the program's own tables have it: (words, argument, who may use it).
TABLES = sorted((Path(__file__).resolve().parents[2] / "proxy" / "admin").glob("*.c"))
ROW = re.compile(r'^    \{"([A-Z_ ]+)", (NULL|"[^"]*"), CONSOLE_([A-Z]+)', re.M)
VERBS = [row for path in TABLES for row in ROW.findall(path.read_text(encoding="utf-8"))]


@pytest.fixture
def console(gilmok):
    c = gilmok.login(user="boss", password="boss-password", database="gilmok")
    yield c
    c.end()


def bind(name="", portal="", formats=(), values=0):
    body = cstr(portal) + cstr(name) + struct.pack(">HH", 0, values) + struct.pack(">I", 0xFFFFFFFF) * values
    return message("B", body + struct.pack(f">H{len(formats)}H", len(formats), *formats))


def types(c, data):
    c.send(data)
    got = c.collect()
    return "".join(got.types), [e.sqlstate for e in got.errors], got


# What is sent, what comes back, the errors' SQLSTATEs.
SCRIPTS = {
    "one round": (parse(VERSION) + bind() + describe("P") + execute() + SYNC, "12TDCZ", []),
    "described as a statement": (parse(VERSION, "s") + describe("S", "s") + SYNC, "1tTZ", []),
    "a command": (parse("RECONNECT") + describe("S") + bind() + describe("P") + execute() + SYNC, "1tn2nCZ", []),
    "nothing": (parse(" ; ") + describe("S") + bind() + execute() + SYNC, "1tn2IZ", []),
    "execute without describe": (parse(VERSION) + bind() + execute() + SYNC, "12DCZ", []),
    "one statement, two portals": (
        parse(VERSION, "a") + bind("a", "p") + bind("a", "q") + execute("p") + execute("q") + SYNC, "122DCDCZ", []
    ),
    "unnamed replaced": (parse(VERSION) + parse("SHOW STATE") + bind() + execute() + SYNC, "112DDDCZ", []),
    "row by row": (
        parse("SHOW STATE") + bind() + execute("", 1) + execute("", 1) + execute("", 5) + SYNC, "12DsDsDCZ", []
    ),
    "exactly as many rows": (parse("SHOW STATE") + bind() + execute("", 3) + SYNC, "12DDDCZ", []),
    "run again": (parse(VERSION) + bind() + execute() + execute() + SYNC, "12DCEZ", ["55000"]),
    "closed and used": (parse(VERSION, "s2") + close("S", "s2") + bind("s2") + SYNC, "13EZ", ["26000"]),
    "close of nothing": (close("S", "none") + close("P", "none") + SYNC, "33Z", []),
    "name taken": (parse(VERSION, "t") + parse(VERSION, "t") + SYNC, "1EZ", ["42P05"]),
    "portal taken": (parse(VERSION) + bind("", "p") + bind("", "p") + SYNC, "12EZ", ["42P03"]),
    "portals end at the sync": (parse(VERSION) + bind("", "p") + SYNC, "12Z", []),
    "unknown statement": (bind("none") + execute() + SYNC, "EZ", ["26000"]),
    "unknown portal": (execute("none") + SYNC, "EZ", ["34000"]),
    "describe unknown": (describe("S", "none") + parse(VERSION) + SYNC, "EZ", ["26000"]),
    "unknown command": (parse("SHOW NOTHING") + bind() + describe("P") + execute() + SYNC, "EZ", ["42601"]),
    "after an error nothing is done": (parse("x") + query("RELOAD") + parse(VERSION) + message("H") + SYNC, "EZ", ["42601"]),
    "parameter": (parse("KILL_CLIENT $1") + SYNC, "EZ", ["0A000"]),
    "parameter type": (message("P", cstr("") + cstr(VERSION) + struct.pack(">HI", 1, 23)) + SYNC, "EZ", ["0A000"]),
    "value": (parse(VERSION) + bind(values=1) + SYNC, "1EZ", ["08P01"]),
    "too many formats": (parse(VERSION) + bind(formats=(0, 0)) + SYNC, "1EZ", ["08P01"]),
    "no such format": (parse(VERSION) + bind(formats=(2,)) + SYNC, "1EZ", ["08P01"]),
    "text as binary": (parse(VERSION) + bind(formats=(1,)) + execute() + SYNC, "12DCZ", []),
    "an error when it runs": (parse("RESUME") + bind() + execute() + parse(VERSION) + SYNC, "12EZ", ["55000"]),
    "flush": (parse(VERSION) + message("H") + bind() + message("H") + execute() + message("H") + SYNC, "12DCZ", []),
    "a query between": (parse(VERSION, "k") + query("SHOW STATE") + bind("k") + execute() + SYNC, "1TDDDCZ", []),
    "function call": (message("F", struct.pack(">IHHH", 1, 0, 0, 0)), "EZ", ["0A000"]),
    "copy data": (message("d", b"x") + message("c") + query(VERSION), "TDCZ", []),
    "sync alone": (SYNC, "Z", []),
}


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_messages(console, name):
    sent, expected, errors = SCRIPTS[name]
    got, states, _ = types(console, sent)
    assert (got, states) == (expected, errors)
    assert console.query(VERSION).tags == ["SHOW"] or name == "a query between"


@pytest.mark.parametrize("name", ["one round", "row by row", "an error when it runs", "after an error nothing is done"])
def test_byte_by_byte(console, name):
    sent, expected, errors = SCRIPTS[name]
    for i in range(len(sent)):
        console.send(sent[i : i + 1])
        if i % 7 == 0:
            time.sleep(0.001)
    got = console.collect()
    assert ("".join(got.types), [e.sqlstate for e in got.errors]) == (expected, errors)


def test_all_at_once(console):
    """Many rounds in one piece, answered in order although each statement goes its way through the workers."""
    count = 200
    console.send((parse("SHOW STATE") + bind() + execute("", 2) + SYNC + query(VERSION)) * count)
    for _ in range(count):
        assert "".join(console.collect().types) == "12DDsZ" and "".join(console.collect().types) == "TDCZ"


def test_numbers_in_binary(console):
    """int8 where the client asks for binary, digits where it does not; NULL stays NULL."""
    console.send(parse("SHOW LISTS") + bind(formats=(1,)) + describe("P") + execute() + SYNC)
    body = {}
    while True:
        kind, data = console.read()
        if kind == "T":
            columns = pgwire.column_names(data)
            assert columns == ["list", "items"] and data.endswith(struct.pack(">IHIH", 20, 8, 0xFFFFFFFF, 1))
        if kind == "D":
            size = struct.unpack(">I", data[2:6])[0]
            length, value = struct.unpack(">Iq", data[6 + size :])
            assert length == 8
            body[data[6 : 6 + size].decode()] = value
        if kind == "Z":
            break
    assert body["databases"] == 1 and body["used_clients"] >= 1
    console.send(parse("SHOW USERS") + bind(formats=(0, 1, 0, 0, 0, 0, 0, 0)) + execute() + SYNC)
    got = console.collect()
    assert not got.errors and {r[1] for r in got.rows} == {None}


@pytest.mark.cve("T-ADM Cure53 2018")
def test_limits(console):
    for i in range(64):
        console.send(parse(VERSION, f"s{i}") + bind(f"s{i}", f"p{i}"))
    got, states, _ = types(console, bind("s0", "one too many") + SYNC)
    assert got == "12" * 64 + "EZ" and states == ["54000"]
    for i in range(64, 1000):
        console.send(parse(VERSION, f"s{i}"))
    got, states, _ = types(console, parse(VERSION, "one too many") + SYNC)
    assert got == "1" * 936 + "EZ" and states == ["54000"]


@pytest.mark.parametrize(
    "bytes",
    [
        message("P", b"no end"),
        message("P", cstr("") + cstr(VERSION)),
        message("B", b""),
        message("E", b"x"),
        message("E", cstr("") + b"\0\0"),
        message("D", b"X" + cstr("")),
        message("C", b""),
        message("Q", b"SHOW VERSION"),
        message("Q", b"x" * 20000),
        message("?"),
    ],
)
@pytest.mark.cve("T-ADM Cure53 2018")
def test_malformed(console, bytes):
    console.send(parse(VERSION) + SYNC + bytes)
    assert console.collect().types == ["1", "Z"]
    got = console.collect() if bytes[:1] != b"B" else None
    if got:
        assert got.errors[0].sqlstate == "08P01" and got.errors[0].severity == "FATAL"
    else:  # the names can be missing in an honest client's Bind: an error, and the session lives
        console.send(SYNC)
        assert console.collect().errors[0].sqlstate == "08P01"


def test_quoted_names(console):
    for sql in ('PAUSE "shop"', "resume\tshop ;;", 'DISABLE  "shop";', "enable shop -- again", 'PAUSE "sh""op"'):
        got = console.query(sql)
        assert got.tags == [sql.split()[0].upper()] or (got.errors[0].sqlstate == "3D000" and '""' in sql), sql


def test_who_leaves_in_the_middle(gilmok):
    for sent in (parse(VERSION) + bind(), parse("SHOW STATE") + bind() + execute("", 1), query("PAUSE")[:-1]):
        c = gilmok.login(user="boss", password="boss-password", database="gilmok")
        c.send(sent)
        c.end(reset=True)
    assert gilmok.console(VERSION).tags == ["SHOW"]


def test_prelude(console):
    for sql, tag in (
        ("SET client_encoding = 'UTF8'", "SET"), ("set application_name='a b'", "SET"), ("SET extra_float_digits = 3", "SET"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET"), ("SELECT 1", "SELECT"), ("DEALLOCATE ALL", "DEALLOCATE"),
        ("DISCARD ALL", "DISCARD"), ("SHOW TRANSACTION ISOLATION LEVEL", "SHOW"), ("show client_encoding", "SHOW"),
    ):  # fmt: skip
        got = console.query(sql)
        assert got.tags == [tag], sql
    for sql in ("BEGIN", "BEGIN TRANSACTION READ ONLY", "COMMIT", "ROLLBACK", "SET pool_size = 3"):
        assert console.query(sql).errors[0].sqlstate == "0A000", sql


# ---- who may do what ----


def spoken(words, argument):
    """A statement of the verb: without what it may do without, with what it needs."""
    needed = {"db": "shop", "id": "1", "cluster/name": "main/none"}.get((argument.strip('"').split() or [""])[0], "")
    return f"{words} {needed}".strip()


def ways_of(sql):
    """The same by a Query and by the extended protocol, in other letters and with spaces and comments before it."""
    for text in (sql, f" \n{sql.lower()} ;", f"-- a comment\n{sql};"):
        yield query(text)
        yield parse(text) + bind() + describe("P") + execute() + SYNC


@pytest.mark.cve("T-ADM CVE-2026-6667")
def test_every_verb_needs_what_its_kind_needs():
    assert len(VERBS) > 35 and len({v[0] for v in VERBS}) == len(VERBS)
    harmless = ("SHOW", "SET", "RESET", "DISCARD", "DEALLOCATE")
    for words, _, needs in VERBS:
        assert needs == "ADMIN" or (needs == "STATS" and words.split()[0] in harmless), words


def state_of(g):
    """What a verb could have changed."""
    pools = [(d["name"], d["paused"], d["disabled"]) for d in g.show("DATABASES")]
    return pools, g.show("STATE"), sorted(c["id"] for c in g.show("CLIENTS", database="shop")), sorted(s["ptr"] for s in g.show("SERVERS"))


@pytest.mark.cve("T-COMMENTS MXS-4548", "T-ADM CVE-2026-6667")
def test_every_verb_by_everybody(start, toy):
    """{nobody, a user, stats_users, admin_users} x every verb of the tables, by each way to say it."""
    g = start(toy)
    app = g.login()
    assert app.ask("in") == "in"
    time.sleep(0.05)  # gilmok has looked at what that has left
    before = state_of(g)
    stats = g.login(user="stats", password="stats-password", database="gilmok")
    for words, argument, needs in VERBS:
        sql = spoken(words, argument)
        for sent in ways_of(sql):
            nobody = g.client(user="boss", database="gilmok")  # who has not proved it yet
            nobody.timeout = harness.REPLY_S
            nobody.send_startup()
            nobody.expect("R")
            nobody.send(sent)
            got = pgwire.split(nobody.read_to_end())
            assert [k for k, _ in got] == ["E"] and pgwire.error_fields(got[0][1])["C"] == "08P01", words
            nobody.end()
            stats.send(sent)
            got = stats.collect()
            if needs == "ADMIN":
                assert [e.sqlstate for e in got.errors] == ["42501"] and not got.tags and not got.rows, words
            else:
                assert "42501" not in [e.sqlstate for e in got.errors], words
            assert got.status == "I"
        user = g.client(database="gilmok")
        user.authenticate()
        assert user.collect().errors[0].sqlstate == "42501"
        user.end()
    assert state_of(g) == before and app.ask("still in") == "still in"
    boss = g.login(user="boss", password="boss-password", database="gilmok")
    for words, argument, _ in sorted(VERBS, key=lambda v: v[0].startswith("SHUTDOWN")):
        if words in ("SHUTDOWN", "SHUTDOWN WAIT_FOR_SERVERS"):
            continue  # the end of the session; tests/flow/operations.py has them
        boss.send(query(spoken(words, argument)))
        codes = [e.sqlstate for e in boss.collect().errors]
        assert "42501" not in codes and "42601" not in codes, (words, codes)
    assert g.process.wait(10) == 0, "the last one was SHUTDOWN WAIT_FOR_CLIENTS, and all had been killed"


@pytest.mark.cve("T-ADM CVE-2026-6667")
def test_a_verb_is_no_other_databases(gilmok):
    """Outside of the console it is a text for the server."""
    for user in ("app", "boss"):
        c = gilmok.login(user=user, password=gilmok.users[user])
        for words, argument, _ in VERBS:
            if words.split()[0] in ("SHOW", "PAUSE", "RELOAD", "KILL", "SHUTDOWN"):
                assert c.ask(spoken(words, argument)) == spoken(words, argument)
        c.end()
    assert gilmok.is_alive()
