#!/usr/bin/python3
"""Hostile MySQL clients that compress: each ends with an error or a close within the bound, holds nothing, and nobody else notices."""

import os
import random
import time
import zlib

import harness
import mypacked
import mytoy
import pytest
from mypacked import pack, packed, zstd_pack
from mytoy import is_empty_again, must_end, send_quietly
from mywire import COMPRESS, KINDS, PACKET_MAX, QUERY, ZSTD, packet

HOW = {"zlib": COMPRESS, "zstd": ZSTD}
OUT_OF_ORDER, NOT_UNPACKED = 1156, 1157
QUESTION = packet(QUERY + b"select a text that is long enough to be packed, and is")


@pytest.fixture(scope="module")
def server():
    toy = mytoy.Server()
    yield toy
    toy.close()


@pytest.fixture(scope="module")
def gilmok(server):
    options = os.environ.get("ASAN_OPTIONS", "")
    os.environ["ASAN_OPTIONS"] = f"{options}:quarantine_size_mb=1"  # what was freed is not held against gilmok
    g = mytoy.Gilmok(server.port, main=["login_timeout = 2s"], database=["pool_size = 60"])
    os.environ["ASAN_OPTIONS"] = options
    yield g
    g.close()


@pytest.fixture(autouse=True)
def bystander(gilmok):
    with mytoy.Bystander(gilmok):
        yield
    assert gilmok.is_alive()


def enter(gilmok, how="zlib", **more):
    return mypacked.Client(gilmok.mysql_port, "app", gilmok.users["app"], "shop", how=HOW[how], caps=KINDS["new"], **more)


def ask(c, text=b"again"):
    return c.command(QUERY + text)[2][5:]


def must_refuse(c, what, number):
    c.number = None
    got = must_end(c, what)
    assert len(got) == 1 and mypacked.mywire.error(got[0])[0] == number, (what, got)


@pytest.fixture(params=HOW)
def how(request):
    return request.param


def squeeze(data, how):
    return zlib.compress(data) if how == "zlib" else zstd_pack(data)


# ---- lengths


@pytest.mark.cve("T-BOMB mysql2 GHSA-rgwj")
def test_lengths_that_are_not_true(gilmok, how):
    body = squeeze(QUESTION, how)
    for claimed in (1, 4, 5, len(QUESTION) - 1, len(QUESTION) + 1, len(QUESTION) + 1000, 1 << 20, 0xFFFFFF):
        c = enter(gilmok, how)
        c.send_bytes(packed(body, 0, claimed))
        must_refuse(c, f"{len(QUESTION)} bytes that claim to be {claimed}", NOT_UNPACKED)
    for more in (b"x", body, bytes(1000)):
        c = enter(gilmok, how)
        c.send_bytes(packed(body + more, 0, len(QUESTION)))
        must_refuse(c, f"{len(more)} bytes behind what is packed", NOT_UNPACKED)
    for less in range(1, len(body), 3):
        c = enter(gilmok, how)
        c.send_bytes(packed(body[:-less], 0, len(QUESTION)))
        must_refuse(c, f"a packet that lacks {less} bytes", NOT_UNPACKED)
    is_empty_again(gilmok)


def test_packets_of_nothing(gilmok, how):
    for data in (packed(b"", 0), packed(b"", 0, 5), packed(squeeze(b"", how), 0, 1), packed(squeeze(b"", how), 0, 0xFFFFFF)):
        c = enter(gilmok, how)
        c.send_bytes(data)
        must_refuse(c, f"{data!r}", NOT_UNPACKED)
    is_empty_again(gilmok)


def test_packets_cut_at_every_byte(gilmok, how):
    whole = pack(QUESTION, 0, HOW[how])
    for cut in range(len(whole) + 1):
        c = enter(gilmok, how)
        send_quietly_bytes(c, whole[:cut])
        c.close()
    is_empty_again(gilmok)


def send_quietly_bytes(c, data):
    c.is_packed = False
    send_quietly(c, data)
    c.is_packed = True


def test_garbage(gilmok, how):
    dice = random.Random(11)
    for i in range(60):
        c = enter(gilmok, how)
        body = dice.randbytes(dice.randint(1, 300))
        c.send_bytes(packed(body, 0, dice.choice([1, 100, 5000, 0xFFFFFF])))
        must_refuse(c, f"garbage {i}", NOT_UNPACKED)
    body = squeeze(QUESTION, how)
    for at in range(min(len(body), 12)):
        c = enter(gilmok, how)
        c.send_bytes(packed(body[:at] + bytes([body[at] ^ 0x5A]) + body[at + 1 :], 0, len(QUESTION)))
        c.sock.settimeout(0.1)
        try:  # another text, an error, or what waits for more
            c.read()
        except (TimeoutError, mypacked.Closed, AssertionError):
            pass
        c.close()
    is_empty_again(gilmok)


def test_the_plain_protocol_behind_a_compressed_login(gilmok, how):
    """Its header is too short for one: what it says is the number and length of something else."""
    c = enter(gilmok, how)
    c.send_bytes(QUESTION)
    c.number = None
    must_end(c, "a plain packet")
    is_empty_again(gilmok)


# ---- numbers


def test_numbers_that_do_not_follow(gilmok, how):
    for numbers in ([1], [255], [0, 0], [0, 2], [0, 1, 1], [0, 1, 0]):
        size = len(QUESTION) // len(numbers) + 1
        pieces = [QUESTION[i * size : (i + 1) * size] for i in range(len(numbers))]
        c = enter(gilmok, how)
        c.send_bytes(b"".join(pack(p, n, HOW[how], least=1) for p, n in zip(pieces, numbers)))
        must_refuse(c, f"numbers {numbers}", OUT_OF_ORDER)
    c = enter(gilmok, how)
    assert ask(c) == b"again"
    c.send_bytes(pack(QUESTION, c.number, HOW[how]))
    must_refuse(c, "a command that is numbered as an answer", OUT_OF_ORDER)
    is_empty_again(gilmok)


# ---- bombs


def bomb(how, size=PACKET_MAX):
    """A compressed packet of that size that is the beginning of a command, or all of it, as short as can be."""
    return squeeze((size - 4).to_bytes(3, "little") + b"\0" + QUERY + bytes(size - 5), how), size


@pytest.mark.cve("T-BOMB mysql2 GHSA-rgwj")
def test_one_bomb_holds_nothing(gilmok, how):
    """What is so long is passed on as fast as the server takes it, and no faster."""
    body, size = bomb(how)
    assert len(body) < size / 900
    with enter(gilmok, how, timeout=20) as c:
        ask(c)
        before = gilmok.rss()
        c.send_bytes(packed(body, 0, size))
        c.number = 1
        list(c.answer(QUERY))
        assert gilmok.rss() - before < 8 << 20
        assert ask(c) == b"again"
    is_empty_again(gilmok)


@pytest.mark.cve("T-BOMB mysql2 GHSA-rgwj")
def test_bombs_one_behind_the_other(gilmok, how):
    body, size = bomb(how)
    c = enter(gilmok, how, timeout=20)
    before, heard = gilmok.rss(), 0
    for heard in range(20):
        c.send_bytes(packed(body, 0, size))
        c.number = 1
        got = list(c.answer(QUERY))
        if got[0][4] == 0xFF:
            assert mypacked.mywire.error(got[0][4:])[0] == NOT_UNPACKED
            break
    assert 3 <= heard <= 8
    must_end(c, "too many bombs")
    assert gilmok.rss() - before < 8 << 20
    is_empty_again(gilmok)


@pytest.mark.cve("T-BOMB mysql2 GHSA-rgwj")
def test_a_bomb_that_no_server_gets(gilmok, how):
    """A command that is refused is not unpacked to its end."""
    body = squeeze((PACKET_MAX - 4).to_bytes(3, "little") + b"\0\x08" + bytes(PACKET_MAX - 5), how)
    c = enter(gilmok, how)
    c.send_bytes(packed(body, 0, PACKET_MAX))
    c.number = None
    got = must_end(c, "a bomb in a command that is refused")
    assert mypacked.mywire.error(got[0])[0] == 1235
    is_empty_again(gilmok)


@pytest.mark.cve("T-BOMB mysql2 GHSA-rgwj")
def test_the_beginning_of_a_bomb_each(gilmok, how):
    """Clients that stop inside of large packets hold what may be held by all of them together."""
    body, size = bomb(how)
    before = gilmok.rss()
    clients = [enter(gilmok, how) for _ in range(40)]
    for c in clients:
        send_quietly_bytes(c, packed(body[: len(body) // 64], 0, size, len(body)))
    time.sleep(0.5)
    held = gilmok.rss() - before
    for c in clients:
        c.close()
    assert held < 40 * (600 << 10) + (64 << 20)
    is_empty_again(gilmok)


def test_only_headers(gilmok, how):
    """Of packets of 16 MiB, by many clients: nothing is there for them yet."""
    before = gilmok.rss()
    clients = [enter(gilmok, how) for _ in range(40)]
    mid = gilmok.rss()
    for c in clients:
        send_quietly_bytes(c, packed(b"", 0, PACKET_MAX, 1 << 20))
    time.sleep(0.2)
    assert gilmok.rss() - mid < 1 << 20, (before, mid, gilmok.rss())
    for c in clients:
        c.close()
    is_empty_again(gilmok)


@pytest.mark.cve("T-BOMB mysql2 GHSA-rgwj")
def test_others_have_their_turn(gilmok, how):
    """While bombs go off somebody else's question is answered as ever."""
    body, size = bomb(how)
    c = enter(gilmok, how, timeout=20)
    with gilmok.enter() as other:
        for _ in range(3):
            c.send_bytes(packed(body, 0, size))
            for i in range(20):
                since = time.monotonic()
                assert other.ask(f"turn {i}") == f"turn {i}"
                assert time.monotonic() - since < harness.REPLY_S
            c.number = 1
            list(c.answer(QUERY))
        other.end()
    c.close()
    is_empty_again(gilmok)
