#!/usr/bin/python3
"""MySQL clients that compress: every packet is as it is past gilmok, however it is packed."""

import hashlib
import os
import random
import shutil
import signal
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
    CHANGE_USER, COMPRESS, KINDS, LOCAL_FILES, PACKET_MAX, PING, QUERY, STMT_CLOSE, STMT_LONG_DATA, STMT_PREPARE, ZSTD, Client, Closed,
    error, native, packet, sha2,
)  # fmt: skip

HOW = {"zlib": COMPRESS, "zstd": ZSTD}
ONE = b"\x011"  # the row of SELECT 1


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    with m.superuser() as c:
        rows(c, "set global max_allowed_packet = 128 << 20, global local_infile = 1")
        rows(c, "drop table if exists t, w, f, kept")  # whoever was here before
        rows(c, "create or replace table loaded (id int, name text)")
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
    options = os.environ.get("ASAN_OPTIONS", "")
    os.environ["ASAN_OPTIONS"] = f"{options}:quarantine_size_mb=1"  # what was freed is not held against gilmok
    main = ["workers = 2", "client_tls = allow", f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}"]
    with maria.started(main=main, database=["pool_size = 16"], mode=request.param) as g:
        os.environ["ASAN_OPTIONS"] = options
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
PLAYED = [s for s in SCRIPTS if s != "no cursors"]  # that one asks about warnings too late in transaction mode
WAYS = [(script, way) for script in PLAYED for way in ("zlib", "zstd", "zlib in pieces") if script not in LONG or way != "zstd"]
WAYS += [(script, way) for script in ("rows", "long rows") for way in ("zstd in pieces", "zlib with TLS", "zstd with TLS")]


@pytest.mark.parametrize("script, way", WAYS)
def test_every_packet_is_as_past_gilmok(maria, gilmok, script, way):
    how, *more = way.split(" ", 1)
    options = {"in pieces": {"unit": 997 if script not in LONG else 99991}, "with TLS": {"tls": True}}[more[0]] if more else {}
    with Client(plain_port(maria, gilmok), timeout=20, **words(maria)) as c:
        expected = list(play(c, SCRIPTS[script], maria.is_mysql))
    with client(maria, gilmok, how, timeout=20, **options) as c:
        got = list(play(c, SCRIPTS[script], maria.is_mysql))
    for i, (a, b) in enumerate(zip(expected, got)):
        assert a == b, (i, SCRIPTS[script][i][:80], brief(a, b))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_client(maria, gilmok, kind):
    with Client(plain_port(maria, gilmok), caps=KINDS[kind], **words(maria)) as c:
        expected = list(play(c, SCRIPTS["rows"], maria.is_mysql))
    with client(maria, gilmok, caps=KINDS[kind]) as c:
        assert list(play(c, SCRIPTS["rows"], maria.is_mysql)) == expected


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


def hardly_alike(size):
    """Text of that many bytes that does get shorter, but not by much."""
    return random.Random(7).randbytes(size // 2).hex().encode()


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
    """Of more than one plain packet, and of more than one compressed one."""
    value = hardly_alike(18_000_000)
    digest = hashlib.md5(value).hexdigest().encode()
    with client(maria, gilmok, how, level=1 if how == "zlib" else 5, timeout=60) as c:
        answered(c)
        before = memory(gilmok)
        assert answered(c, b"select md5('" + value + b"')")[1:] == digest
        number = c.command(STMT_PREPARE + b"select md5(?)")[0][5:9]
        body = execute(0, b"\xfb\0", b"\xfe" + len(value).to_bytes(8, "little") + value)
        row = c.command(body.replace(b"\xff\xff\xff\xff", number, 1))[2]
        assert row.endswith(digest)
        pieces = [value[at : at + 1_000_000] for at in range(0, len(value), 1_000_000)]
        for piece in pieces:
            c.send(packet(STMT_LONG_DATA + number + b"\0\0" + piece))
        assert c.command(execute(0, b"\xfb\0").replace(b"\xff\xff\xff\xff", number, 1))[2].endswith(digest)
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


def test_a_slow_server_costs_no_memory(maria, gilmok):
    """It takes nothing for a while: neither does gilmok."""
    value = hardly_alike(20_000_000)
    with client(maria, gilmok, level=1, timeout=60) as c, maria.superuser() as root:
        before = memory(gilmok)
        pid = rows(root, "select @@pid_file")[0][0]
        with open(pid, encoding="ascii") as f:
            server = int(f.read())
        sending = threading.Thread(target=c.send, args=(packet(QUERY + b"select length('" + value + b"')"),))
        os.kill(server, signal.SIGSTOP)
        try:
            sending.start()
            time.sleep(1)
            grown = memory(gilmok) - before
        finally:
            os.kill(server, signal.SIGCONT)
        sending.join()
        assert list(c.answer(QUERY))[2][5:] == b"20000000"
        assert grown < 8 << 20


def test_the_console_tells(maria, gilmok):
    with client(maria, gilmok, "zlib"), client(maria, gilmok, "zstd"), Client(gilmok.mysql_port, **words(maria)):
        assert {"zlib", "zstd", ""} == {row["compression"] for row in gilmok.show("CLIENTS", database="shop")}


# ---- the files that they send


def send_file(c, *pieces):
    """Their compressed packets are numbered on, each piece one; then the end."""
    for piece in (*pieces, b""):
        c.send(packet(piece, c.seq), c.number)
        c.seq = (c.seq + len(piece) // PACKET_MAX + 1) & 255


@pytest.mark.parametrize("how", HOW)
def test_load_data_local(maria, gilmok, how):
    lines = [b"%d\t%s\n" % (i, b"some text " * 20) for i in range(20000)]
    load = packet(QUERY + b"load data local infile 'a file' into table loaded")
    with client(maria, gilmok, how, caps=KINDS["new"] | LOCAL_FILES, timeout=30) as c:
        for pieces in ([], [b"1\tx\n"], [b"1\tx\n", b"2\ty\n"], [b"".join(lines[at : at + 20]) for at in range(0, 20000, 20)]):
            c.command(QUERY + b"truncate loaded")
            c.send(load)
            assert c.read() == b"\xfba file"
            send_file(c, *pieces)
            assert c.read()[:1] == b"\0"
            assert answered(c, b"select count(*) from loaded")[1:] == b"%d" % sum(p.count(b"\n") for p in pieces)
        c.command(QUERY + b"truncate loaded")
        c.send(load)
        c.read()
        whole = b"".join(packet(b"%d\tx\n" % i, i) for i in range(5)) + packet(b"", 5)
        c.send(whole, c.number)  # all of it in one compressed packet
        assert c.read()[:1] == b"\0" and answered(c, b"select count(*) from loaded") == b"\x015"
        c.send(load)
        c.read()
        c.send(packet(b"1\tx\n", c.seq), 0)  # numbered as a command would be
        assert error(c.read())[0] == 1156


# ---- who they are, and where


@pytest.mark.parametrize("how", HOW)
def test_another_user(maria, gilmok, how):
    """The conversation of COM_CHANGE_USER is compressed, and numbered through."""
    with client(maria, gilmok, how) as c:
        for plugin in (b"mysql_native_password", b"caching_sha2_password", b"mysql_native_password"):
            c.send(packet(CHANGE_USER + maria.user.encode() + b"\0\0shop\0\x2d\0" + plugin + b"\0"))
            asked = c.read()
            assert asked[:1] == b"\xfe"
            at = asked.index(b"\0") + 1
            scramble = sha2 if b"sha2" in asked[:at] else native
            c.send(packet(scramble(maria.password, asked[at : at + 20]), c.seq), c.number)
            last = c.read()
            assert (c.read() if last == b"\x01\x03" else last)[:1] == b"\0"
            assert answered(c) == ONE
        c.send(packet(CHANGE_USER + b"nobody\0\0shop\0\x2d\0mysql_native_password\0"))
        c.read()
        c.send(packet(native("wrong", b"x" * 20), c.seq), c.number)
        assert error(c.read())[0] == 1045


def test_clients_move_between_workers(maria, gilmok):
    """After their login, when their pool is at home elsewhere."""
    clients = [client(maria, gilmok, ("zlib", "zstd")[i % 2], tls=i % 3 == 0) for i in range(12)]
    for i, c in enumerate(clients):
        assert answered(c, b"select repeat('%d', 3000)" % i)[3:] == str(i).encode() * 3000
    assert {row["worker"] for row in gilmok.show("CLIENTS", database="shop")} == {"0", "1"}
    for c in clients:
        c.close()


def test_waiting_clients_move_with_what_they_have_sent(maria):
    with maria.started(main=["workers = 4"], database=["pool_size = 4"], mode="transaction") as g:
        clients = [client(maria, g, ("zlib", "zstd")[i % 2], timeout=20) for i in range(24)]
        for _ in range(4):
            for i, c in enumerate(clients):
                c.send(packet(QUERY + b"select sleep(0.05), '%d', '%s'" % (i, b"long enough to be packed " * 4)))
            for i, c in enumerate(clients):
                assert list(c.answer(QUERY))[4].startswith(b"\x01" + b"0" + bytes([len(str(i))]) + b"%d" % i, 4)
        for c in clients:
            c.close()


def test_errors_of_gilmoks_own_carry_the_right_number(maria):
    with maria.started(main=["client_idle_timeout = 300ms"], database=["pool_size = 2", "query_timeout = 300ms"]) as g:
        with client(maria, g) as c:
            assert answered(c) == ONE
            c.number = 1  # of the answer to what it would ask next
            assert error(c.read())[0] == 1053
        with client(maria, g) as c:
            c.send(packet(QUERY + b"select sleep(5)"))
            assert error(c.read())[0] == 1053
        with client(maria, g) as c:
            assert error(c.command(b"\x08")[0][4:])[0] == 1235
            assert error(c.command(b"\x12" + b"x" * 5000)[0][4:])[0] == 1235
            assert answered(c) == ONE
            c.send(b"\1\0\0\0\1")
            with pytest.raises(Closed):
                c.read()


# ---- clients as they are


@pytest.mark.parametrize("tls", [False, True])
def test_the_mariadb_client(maria, gilmok, tls):
    out = []
    for port in (maria.port, gilmok.mysql_port):
        words = ["mariadb", "--no-defaults", "--compress", "-h127.0.0.1", f"-P{port}", f"-u{maria.user}", f"-p{maria.password}", "shop"]
        words += ["--ssl"] if tls and port != maria.port else ["--skip-ssl"]
        sql = "select 1; select repeat('x', 300000); select seq, repeat('y', seq) from seq_1_to_500; show session status like 'compression'"
        done = subprocess.run([*words, "-e", sql], capture_output=True, check=True, timeout=60)
        out.append(done.stdout)
    assert out[0].replace(b"Compression\tON", b"Compression\tOFF") == out[1]


@pytest.mark.skipif(not shutil.which("php"), reason="no PHP")
@pytest.mark.parametrize("flag", ["MYSQLI_CLIENT_COMPRESS", "0"])
def test_php(maria, gilmok, flag):
    code = (
        "$c = mysqli_init(); mysqli_real_connect($c, '127.0.0.1', getenv('U'), getenv('P'), 'shop', %d, null, %s);"
        "foreach (['select 1', \"select repeat('x', 200000)\"] as $q) echo md5($c->query($q)->fetch_row()[0]), ' ';"
        "$s = $c->prepare('select length(?)'); $x = str_repeat('abc', 300000); $s->bind_param('s', $x); $s->execute();"
        "echo $s->get_result()->fetch_row()[0];"
    )
    env = {**os.environ, "U": maria.user, "P": maria.password}
    words = ["php", "-n", "-d", "extension=mysqlnd", "-d", "extension=mysqli", "-r", code % (gilmok.mysql_port, flag)]
    done = subprocess.run(words, env=env, capture_output=True, check=False, timeout=60)
    expected = [hashlib.md5(x).hexdigest().encode() for x in (b"1", b"x" * 200000)]
    assert done.stdout.split() == [*expected, b"900000"], done.stderr


def test_a_copy_of_a_database(maria, gilmok):
    """mariadb-dump and mariadb, both compressed."""
    login = [f"-P{gilmok.mysql_port}", "-h127.0.0.1", f"-u{maria.user}", f"-p{maria.password}", "--compress", "--skip-ssl"]
    with maria.direct() as c:
        rows(c, "create or replace table dumped (id int primary key, v text)")
        rows(c, "insert into dumped select seq, repeat(concat(seq, ' '), 50) from seq_1_to_90")
        before = rows(c, "checksum table dumped")
        dump = subprocess.run(["mariadb-dump", "--no-defaults", *login, "shop", "dumped"], capture_output=True, check=True, timeout=60)
        rows(c, "drop table dumped")
        subprocess.run(["mariadb", "--no-defaults", *login, "shop"], input=dump.stdout, check=True, timeout=60)
        assert rows(c, "checksum table dumped") == before
        rows(c, "drop table dumped")
