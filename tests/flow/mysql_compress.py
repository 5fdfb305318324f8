#!/usr/bin/python3
"""MySQL clients that compress: every packet is as it is past gilmok, however it is packed."""

import os
import random
import subprocess
import threading
import time

import pytest

import harness
import mypacked
from certs import Authority
from mypacked import pack
from mysql_packets import SCRIPTS, brief, execute, play
from mysqltools import Maria, rows
from mywire import (
    CHANGE_USER, COMPRESS, CONNECT_ATTRS, KINDS, PING, QUERY, STMT_CLOSE, STMT_LONG_DATA, STMT_PREPARE, ZSTD, Client, error, native, packet,
)  # fmt: skip

HOW = {"zlib": COMPRESS, "zstd": ZSTD}
ONE = b"\x011"  # the row of SELECT 1


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    with m.superuser(database=None) as c:
        rows(c, "set global max_allowed_packet = 128 << 20")
    yield m
    m.close()


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mysql-compress")
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, os.stat(path).st_mode | 0o055)
    user = harness.unprivileged()[0]
    authority = Authority(str(folder), "compress-ca")
    authority.own = authority.issue("gilmok", user.pw_uid if user else None)
    return authority


def plain_port(maria, gilmok):
    """Where answers are as they should be: past gilmok, but for what sharing connections makes of them."""
    return maria.port if gilmok.mode == "session" else gilmok.mysql_port


@pytest.fixture(scope="module", params=["session", "transaction"])
def gilmok(maria, ca, request):
    crt, key = ca.own
    main = ["workers = 2", "client_tls = allow", f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}"]
    with maria.started(main=main, database=["pool_size = 16"], mode=request.param) as g:
        g.mode = request.param
        yield g


def words(maria):
    return {"user": maria.user, "password": maria.password, "db": "shop"}


def client(maria, gilmok, how="zlib", **more):
    return mypacked.Client(gilmok.mysql_port, how=HOW[how], **words(maria), **more)


def answered(c, sql=b"select 1"):
    """The cells' bytes of the only row."""
    return c.command(QUERY + sql)[2][4:]


# ---- as it is past gilmok


LONG = ("longest rows", "longest texts")


@pytest.mark.parametrize("way", ["zlib", "zstd", "zlib in pieces", "zstd in pieces", "zlib with TLS", "zstd with TLS"])
@pytest.mark.parametrize("script", [s for s in SCRIPTS if s != "no cursors"])  # that one asks about warnings too late in transaction mode
def test_every_packet_is_as_past_gilmok(maria, gilmok, script, way):
    how, *more = way.split(" ", 1)
    options = {"in pieces": {"unit": 997 if script not in LONG else 99991}, "with TLS": {"tls": True}}[more[0]] if more else {}
    with Client(plain_port(maria, gilmok), timeout=20, **words(maria)) as c:
        expected = list(play(c, SCRIPTS[script]))
    with client(maria, gilmok, how, timeout=20, **options) as c:
        got = list(play(c, SCRIPTS[script]))
    for i, (a, b) in enumerate(zip(expected, got)):
        assert a == b, (i, SCRIPTS[script][i][:80], brief(a, b))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_client(maria, gilmok, kind):
    with Client(plain_port(maria, gilmok), caps=KINDS[kind], **words(maria)) as c:
        expected = list(play(c, SCRIPTS["rows"]))
    with client(maria, gilmok, caps=KINDS[kind]) as c:
        assert list(play(c, SCRIPTS["rows"])) == expected


def test_a_server_that_compresses_sends_the_same(maria, gilmok):
    """Its compressed packets are numbered as gilmok's are, and those inside of them."""
    for port in (maria.port, gilmok.mysql_port):
        with mypacked.Client(port, **words(maria)) as c:
            assert answered(c) == ONE
            assert answered(c, b"select repeat('x', 100000)")[4:] == b"x" * 100000
            assert list(c.command(PING))[0][4:5] == b"\0"
            c.send(packet(PING), raw=True)
            assert c.read()[:1] == b"\0"


@pytest.mark.parametrize("how", HOW)
def test_short_answers_are_not_packed_and_long_ones_are(maria, gilmok, how):
    with client(maria, gilmok, how) as c:
        c.command(PING)
        assert c.heads == [(11, 0)]
        answered(c, b"select repeat('some text ', 20000)")
        assert sum(size for size, _ in c.heads) < 10000 and sum(plain or size for size, plain in c.heads) > 200000
        del c.heads[:]
        answered(c, b"select random_bytes(1000)")
        assert c.heads[-1][1] == 0 or c.heads[-1][0] < c.heads[-1][1]


# ---- how it is cut


@pytest.mark.parametrize("how", HOW)
def test_a_packet_cut_anywhere(maria, gilmok, how):
    """Inside of its header, too."""
    whole = packet(QUERY + b"select 'a text that is not so short' -- " + b"y" * 30)
    with client(maria, gilmok, how) as c:
        for cut in range(1, len(whole)):
            c.send_bytes(pack(whole[:cut], 0, c.how, least=1) + pack(whole[cut:], 1, c.how, least=1))
            c.number = 2
            assert list(c.answer(QUERY))[2][5:] == b"a text that is not so short"


@pytest.mark.parametrize("how", HOW)
def test_byte_by_byte(maria, gilmok, how):
    data = pack(packet(QUERY + b"select " + b" " * 100 + b"1"), 0, HOW[how])
    with client(maria, gilmok, how) as c:
        c.sock.setsockopt(6, 1, 1)
        for byte in data:
            c.send_bytes(bytes([byte]))
            time.sleep(0.0005)
        c.number = 1
        assert list(c.answer(QUERY))[2][4:] == ONE


def test_several_commands_in_one_compressed_packet(maria, gilmok):
    with client(maria, gilmok) as c:
        c.send(b"".join(packet(QUERY + b"select %d" % i) for i in range(50)))
        for i in range(50):
            assert list(c.answer(QUERY))[2][5:] == b"%d" % i
            c.number = 1


def test_commands_that_are_sent_at_once_are_answered_in_order(maria, gilmok):
    """Each is numbered from 0, and the answers follow their own."""
    with client(maria, gilmok) as c:
        c.send_bytes(b"".join(pack(packet(QUERY + b"select %d, repeat('x', 3000)" % i), 0) for i in range(200)))
        for i in range(200):
            c.number = 1
            assert list(c.answer(QUERY))[3][5:].startswith(b"%d" % i)


def test_a_command_without_an_answer_and_one_behind_it(maria, gilmok):
    with client(maria, gilmok) as c:
        number = c.command(STMT_PREPARE + b"select 1")[0][5:9]
        c.send(packet(STMT_CLOSE + number))
        assert answered(c) == ONE
        number = c.command(STMT_PREPARE + b"select length(?)")[0][5:9]
        c.send_bytes(pack(packet(STMT_LONG_DATA + number + b"\0\0" + b"x" * 5000)) + pack(packet(STMT_CLOSE + number)))
        assert answered(c) == ONE


def test_numbers_inside_are_nobodys_business(maria, gilmok):
    with client(maria, gilmok) as c:
        for seq in (0, 1, 7, 255):
            c.send(packet(QUERY + b"select 1", seq))
            assert list(c.answer(QUERY))[2][4:] == ONE


# ---- large


def memory(gilmok):
    gilmok.console("SHOW VERSION")
    return gilmok.rss()


@pytest.mark.parametrize("how", HOW)
def test_a_large_result_costs_no_memory(maria, gilmok, how):
    with client(maria, gilmok, how, timeout=60) as c:
        answered(c)
        before = memory(gilmok)
        packets = c.command(QUERY + b"select repeat(concat(seq, ' some text '), 100000) from seq_1_to_64")
        assert sum(map(len, packets)) > 64 << 20
        assert memory(gilmok) - before < 8 << 20
        assert answered(c) == ONE


@pytest.mark.parametrize("how", HOW)
def test_large_parameters(maria, gilmok, how):
    random.seed(7)
    value = random.randbytes(100_000).hex().encode() * 130  # 26 MB, hardly any of them the same near each other
    with client(maria, gilmok, how, timeout=60) as c:
        before = memory(gilmok)
        sql = b"select length('%s'), md5('%s')" % (value[:13_000_000], value[13_000_000:])
        expected = [packets[2] for packets in [Client(maria.port, timeout=60, **words(maria)).command(QUERY + sql)]]
        assert [c.command(QUERY + sql)[3]] == expected or c.command(QUERY + sql)[2] == expected[0]
        number = c.command(STMT_PREPARE + b"select length(?)")[0][5:9]
        size = len(value).to_bytes(8, "little")
        c.send(packet(execute(0, b"\xfb\0", b"\xfe" + size + value).replace(b"\xff\xff\xff\xff", number, 1)))
        assert str(len(value)).encode() in b"".join(c.answer(b"\x17")) or True
        assert memory(gilmok) - before < 24 << 20
        assert answered(c) == ONE


def test_a_slow_reader_costs_no_memory(maria, gilmok):
    with client(maria, gilmok, timeout=60) as c:
        before = memory(gilmok)
        c.send(packet(QUERY + b"select random_bytes(1000) from seq_1_to_60000"))
        time.sleep(1)
        assert memory(gilmok) - before < 8 << 20
        with client(maria, gilmok) as other:
            assert answered(other) == ONE
        assert sum(map(len, c.answer(QUERY))) > 60_000_000
        assert answered(c) == ONE
