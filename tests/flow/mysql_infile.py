#!/usr/bin/python3
"""LOAD DATA LOCAL through gilmok: the files that clients name, and no others."""

import struct
import subprocess

import pytest

from mysqltools import Maria, rows, value
from mywire import DEPRECATE_EOF, KINDS, LOCAL_FILES, PACKET_MAX, PING, QUERY, STMT_PREPARE, Closed, Client, error, lenenc, packet


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    with m.superuser() as c:
        rows(c, "set global local_infile = 1, global max_allowed_packet = 64 << 20")
        rows(c, "create or replace table loaded (id int, name varchar(100))")
    yield m
    m.close()


@pytest.fixture(scope="module", params=["session", "transaction"])
def gilmok(maria, request):
    with maria.started(mode=request.param, database=["pool_size = 3"]) as g:
        yield g


def enter(g, maria, kind="new"):
    return Client(g.mysql_port, maria.user, maria.password, "shop", caps=KINDS[kind] | LOCAL_FILES, timeout=20)


def begin(c, sql):
    c.send(packet(QUERY + sql))
    return c.read()


def send_file(c, *pieces):
    """Each as a packet, or several where it is too long; then the end."""
    for piece in (*pieces, b""):
        c.send(packet(piece, c.seq))
        c.seq = (c.seq + len(piece) // PACKET_MAX + 1) & 255


def loaded(c):
    """How many rows the OK speaks of."""
    answer = c.read()
    assert answer[:1] == b"\0", answer
    return lenenc(answer, 1)[0]


def emptied(maria):
    with maria.direct() as c:
        rows(c, "truncate loaded")


def told(maria, sql="select count(*), sum(id) from loaded"):
    with maria.direct() as c:
        return rows(c, sql)[0]


LOAD = b"load data local infile '/a file' into table loaded"


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_file_goes_through(maria, gilmok, kind):
    emptied(maria)
    with enter(gilmok, maria, kind) as c:
        assert begin(c, LOAD) == b"\xfb/a file"
        send_file(c, b"1\tone\n2\tt", b"wo\n3\tthree\n")
        assert loaded(c) == 3
        assert begin(c, LOAD) == b"\xfb/a file"
        send_file(c)
        assert loaded(c) == 0
        assert c.command(QUERY + b"select 7")[2 if c.caps & DEPRECATE_EOF else 3][4:] == b"\x017"
    assert told(maria) == (3, 6)


@pytest.mark.parametrize("kind", ["new", "old"])
def test_files_between_other_results(maria, gilmok, kind):
    """Clients of old get packets that the server has not sent: numbers differ on the two sides."""
    emptied(maria)
    with enter(gilmok, maria, kind) as c:
        c.send(packet(QUERY + b"select 1; " + LOAD + b"; select 2; load data local infile 'b' into table loaded; select 3"))
        seen = []
        while True:
            first = c.read()
            if first[:1] == b"\xfb":
                send_file(c, b"%d\tx\n" % (len(seen) + 1))
                seen.append(first[1:])
                continue
            if first[:1] == b"\0":
                continue
            packets = [c.read() for _ in range(3 if c.caps & DEPRECATE_EOF else 4)]
            seen.append(packets[-2])
            if not struct.unpack_from("<H", packets[-1], 3)[0] & 8:
                break
        assert seen == [b"\x011", b"/a file", b"\x012", b"b", b"\x013"]
        assert c.command(PING)[0][4:5] == b"\0"
    assert told(maria)[0] == 2


def test_a_large_file(maria, gilmok):
    """In pieces of a few kilobytes, and in such of 16 MiB and more."""
    emptied(maria)
    line = b"1\t" + b"x" * 97 + b"\n"
    with enter(gilmok, maria) as c:
        for pieces in ([line * 160] * 600, [line * 170_000], [b"5\t" + b"y" * (PACKET_MAX - 3) + b"\n"]):
            begin(c, LOAD.replace(b"into", b"ignore into"))
            send_file(c, *pieces)
            assert loaded(c) == sum(p.count(b"\n") for p in pieces)
    assert told(maria, "select count(*) from loaded") == (96_000 + 170_000 + 1,)


def test_what_the_server_refuses_is_told_and_the_session_lives(maria, gilmok):
    with enter(gilmok, maria) as c:
        assert error(begin(c, b"load data local infile 'a' into table nowhere"))[0] == 1146
        assert begin(c, LOAD.replace(b"loaded", b"loaded (id, nowhere)"))[:1] == b"\xff"
        assert c.command(QUERY + b"select 7")[2][4:] == b"\x017"


def test_a_transaction_around_it(maria, gilmok):
    emptied(maria)
    with enter(gilmok, maria) as c, enter(gilmok, maria) as other:
        c.command(QUERY + b"begin")
        begin(c, LOAD)
        other.command(QUERY + b"select 1")
        send_file(c, b"1\tone\n")
        assert loaded(c) == 1 and told(maria)[0] == 0
        other.command(QUERY + b"select 1")
        c.command(QUERY + b"rollback")
    assert told(maria)[0] == 0


def test_who_does_not_want_files_is_refused_by_the_server(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        assert error(begin(c, LOAD))[0] in (1148, 4166)
        assert c.command(PING)[0][4:5] == b"\0"


def test_it_cannot_be_prepared(maria, gilmok):
    with enter(gilmok, maria) as c:
        assert error(c.command(STMT_PREPARE + LOAD)[0][4:])[0] == 1295
        assert c.command(PING)[0][4:5] == b"\0"


def test_a_file_that_stands_in_no_text_is_not_asked_for(maria, gilmok):
    """EXECUTE is no text that names it: so the server asks for what the client has not named."""
    with enter(gilmok, maria) as c:
        c.command(QUERY + b"prepare s from '" + LOAD.replace(b"'", b"''") + b"'")
        answer = begin(c, b"execute s")
        assert answer[:1] == b"\xff" and b"a file of the client's" in answer
        with pytest.raises((Closed, ConnectionError)):
            c.read()
    with gilmok.connect() as c:
        assert value(c, "select 7") == 7


def test_a_client_that_leaves_in_the_middle(maria, gilmok):
    emptied(maria)
    for _ in range(5):
        with enter(gilmok, maria) as c:
            begin(c, LOAD)
            c.send(packet(b"1\tone\n", c.seq) + b"\x09\0\0")
    with enter(gilmok, maria) as c:
        begin(c, LOAD)
        send_file(c, b"2\ttwo\n")
        assert loaded(c) == 1
    assert told(maria)[1] in (2, *range(3, 8))


def test_packets_out_of_order_end_it(maria, gilmok):
    with enter(gilmok, maria) as c:
        begin(c, LOAD)
        c.send(packet(b"1\tone\n", 0))
        assert error(c.read())[0] == 1156
    with gilmok.connect() as c:
        assert value(c, "select 7") == 7


def test_what_is_sent_ahead_is_no_file(maria, gilmok):
    with enter(gilmok, maria) as c:
        c.send(packet(QUERY + LOAD) + packet(QUERY + b"select 1"))
        assert c.read() == b"\xfb/a file"
        assert error(c.read())[0] == 1156


def test_the_clients_of_the_servers(maria, gilmok, tmp_path):
    emptied(maria)
    path = tmp_path / "it's a file.txt"
    path.write_text("".join(f"{i}\tname {i}\n" for i in range(1000)))
    name = str(path).replace("'", "\\'")
    done = subprocess.run(
        ["mariadb", "--no-defaults", "--local-infile=1", "-h", "127.0.0.1", "-P", str(gilmok.mysql_port), "-u", maria.user, "shop", "-e",
         f"load data local infile '{name}' into table loaded; select 1"],
        env={"MYSQL_PWD": maria.password, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    options = ["--compress"], ["--quick"]
    for option in options:
        done = subprocess.run(
            ["mariadb", "--no-defaults", *option, "--local-infile=1", "-h", "127.0.0.1", "-P", str(gilmok.mysql_port), "-u", maria.user, "shop",
             "-e", f"load data local infile '{name}' into table loaded; load data local infile '{name}' into table loaded; select 1"],
            env={"MYSQL_PWD": maria.password, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    with gilmok.connect(local_infile=True) as c, c.cursor() as k:
        k.execute(f"load data local infile '{name}' into table loaded")
        c.commit()
    assert told(maria) == (6000, 6 * sum(range(1000)))


def test_it_can_be_turned_off(maria):
    with maria.started(main=["mysql_local_infile = off"]) as g, enter(g, maria) as c:
        assert not struct.unpack_from("<H", c.greeting, c.greeting.index(b"\0", 1) + 14)[0] & LOCAL_FILES
        assert error(begin(c, LOAD))[0] in (1148, 4166)
