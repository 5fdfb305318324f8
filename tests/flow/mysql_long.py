#!/usr/bin/python3
"""Texts that are longer than what gilmok keeps of a client's input, in transaction mode: they are read like any others."""

import threading
import time

import pytest

from mysqltools import Maria, rows, value
from mywire import PACKET_MAX, QUERY, Client, error, packet

BULK = b"insert into bulk (v) values "


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    with m.superuser() as c:
        rows(c, "set global max_allowed_packet = 64 << 20")
        rows(c, "create or replace table bulk (id int primary key auto_increment, v text)")
    yield m
    m.close()


@pytest.fixture(scope="module")
def gilmok(maria):
    with maria.started(mode="transaction", database=["pool_size = 2", "queue_timeout = 1s"]) as g:
        yield g


def enter(g, maria, **more):
    return Client(g.mysql_port, maria.user, maria.password, "shop", timeout=20, **more)


def held(g):
    return sorted(row["held_by"] for row in g.show("CLIENTS", database="shop") if row["held_by"])


def nobody_is_held(g):
    """Behind what is kept for the moment in which its answer may be asked about."""
    end = time.monotonic() + 5
    while held(g) and time.monotonic() < end:
        time.sleep(0.02)
    return not held(g)


def bulk(count, last=b"('the last')", line=b"('a row')"):
    return QUERY + BULK + (line + b",") * count + last


def is_ok(packets):
    return len(packets) == 1 and packets[0][4:5] == b"\0"


@pytest.mark.parametrize("count", [100, 10_000, 300_000])
def test_bulk_inserts_keep_nobody(maria, gilmok, count):
    with maria.direct() as d, enter(gilmok, maria) as c:
        rows(d, "truncate bulk")
        assert is_ok(c.command(bulk(count)))
        assert nobody_is_held(gilmok)
        assert value(d, "select count(*) from bulk") == count + 1


def test_what_they_leave_is_seen(maria, gilmok):
    pad = b"/*" + b"x" * 100_000 + b"*/"
    for text, reason in ((b"set @a = 5", ""), (b"create temporary table long_ago (a int)", "temporary"), (b"do get_lock('long', 1)", "lock")):
        with enter(gilmok, maria) as c:
            c.command(QUERY + pad + text)
            assert [reason in h for h in held(gilmok)] == [True] * bool(reason), (text, held(gilmok))
            if text.startswith(b"set"):
                with enter(gilmok, maria) as other:
                    for _ in range(3):
                        assert c.command(QUERY + b"select @a")[2][4:] == b"\x015"
                        assert other.command(QUERY + b"select @a")[2][4:] == b"\xfb"


def test_what_they_ask_is_told(maria, gilmok):
    """On whatever connection: LAST_INSERT_ID() and ROW_COUNT() in more than 64 KB of text."""
    with maria.direct() as d, enter(gilmok, maria) as a, enter(gilmok, maria) as b:
        rows(d, "truncate bulk")
        for _ in range(6):
            a.command(QUERY + b"insert into bulk (v) values ('parent')")
            own = a.command(QUERY + b"select last_insert_id()")[2][5:]
            b.command(bulk(2, b"('b')"))
            rest = (b"(last_insert_id())," * 6000)[:-1]
            assert is_ok(a.command(QUERY + BULK + rest))
            b.command(bulk(1, b"('b')"))
            assert a.command(QUERY + b"select row_count(), /*" + b"x" * 100_000 + b"*/ 1")[3][4:] == b"\x046000\x011"
            assert value(d, f"select count(*) from bulk where v = '{own.decode()}'") == 6000
            rows(d, "delete from bulk where v = %s", (own.decode(),))
    assert nobody_is_held(gilmok)


def test_a_slow_one_needs_no_connection(maria, gilmok):
    slow = [enter(gilmok, maria) for _ in range(5)]
    text = packet(bulk(20_000))
    for c in slow:
        c.send(text[:150_000])
    with enter(gilmok, maria) as c:
        assert c.command(QUERY + b"select 7")[2][4:] == b"\x017"
    for c in slow:
        c.send(text[150_000:] + packet(QUERY + b"select 7"))
    for c in slow:
        assert list(c.answer(QUERY))[0][4:5] == b"\0"
        assert list(c.answer(QUERY))[2][4:] == b"\x017"
        c.close()


def test_they_wait_in_line_like_others(maria, gilmok):
    """For a connection; and who waits in vain is told so, and goes on."""
    with enter(gilmok, maria) as c, enter(gilmok, maria) as d, enter(gilmok, maria) as e:
        for k in (d, e):
            k.command(QUERY + b"begin")
            k.command(QUERY + b"select 1 from bulk")
        c.send(packet(bulk(10_000)) + packet(QUERY + b"select 7"))
        time.sleep(0.3)
        d.command(QUERY + b"rollback")
        assert list(c.answer(QUERY))[0][4:5] == b"\0"
        assert list(c.answer(QUERY))[2][4:] == b"\x017"
        d.command(QUERY + b"begin")
        d.command(QUERY + b"select 1 from bulk")
        c.send(packet(bulk(10_000)) + packet(QUERY + b"select 8"))
        assert error(list(c.answer(QUERY))[0][4:])[0] == 1040
        e.command(QUERY + b"rollback")
        assert list(c.answer(QUERY))[2][4:] == b"\x018"
        d.command(QUERY + b"rollback")


def test_who_leaves_in_the_middle_leaves_nothing(maria, gilmok):
    text = packet(bulk(20_000))
    for cut in (70_000, 100_000, len(text) - 1):
        for _ in range(6):
            with enter(gilmok, maria) as c:
                c.send(text[:cut])
    with enter(gilmok, maria) as c:
        assert is_ok(c.command(bulk(20_000)))
    assert nobody_is_held(gilmok)


def test_so_many_bytes_at_a_time(maria, gilmok):
    """Who has no room is sent as it comes, and is kept, since nobody has read it; the room is there again afterwards."""
    head = (PACKET_MAX - 1).to_bytes(3, "little") + b"\0" + QUERY + b"select 1 /*" + b"x" * 100_000
    slow = [enter(gilmok, maria) for _ in range(4)]
    for c in slow[:4]:
        c.send(head)
    time.sleep(0.2)
    with enter(gilmok, maria) as c:
        assert is_ok(c.command(bulk(20_000)))
        assert len(held(gilmok)) == 1 and "unread" in held(gilmok)[0]
    for c in slow:
        c.close()
    time.sleep(0.2)
    with enter(gilmok, maria) as c:
        assert is_ok(c.command(bulk(20_000)))
        assert nobody_is_held(gilmok)


def test_those_of_several_packets_keep_their_client(maria, gilmok):
    with enter(gilmok, maria) as c:
        assert c.command(QUERY + b"select 7 /*" + b"x" * (17 << 20) + b"*/")[2][4:] == b"\x017"
        assert "unread" in held(gilmok)[0]


def test_they_are_refused_like_others(maria, gilmok):
    with enter(gilmok, maria) as c:
        assert error(c.command(QUERY + b"select lastval(s) /*" + b"x" * 100_000 + b"*/")[0][4:])[0] == 1235
        assert c.command(QUERY + b"select 7")[2][4:] == b"\x017"


def test_many_at_a_time(maria, gilmok):
    wrong = []

    def run(number):
        with enter(gilmok, maria) as c:
            for i in range(10):
                text = b"select %d, %d /*" % (number, i) + b"y" * (65_000 + 37 * i * number) + b"*/"
                if c.command(QUERY + text)[3][4:] != b"".join(bytes([len(x)]) + x for x in (b"%d" % number, b"%d" % i)):
                    wrong.append((number, i))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and nobody_is_held(gilmok)
