#!/usr/bin/python3
"""What MariaDB's clients agree on beside MySQL's protocol: extended metadata, and EXECUTE in bulk; packet by packet as past gilmok."""

import struct

import pytest

from mysql_packets import told
from mysqltools import Maria, rows, value
from mywire import BULK, BULK_EXECUTE, EXTENDED_METADATA, FIELD_LIST, KINDS, QUERY, STMT_EXECUTE, STMT_PREPARE, Client, error

BOTH = BULK | EXTENDED_METADATA
LONG, STRING = b"\x03\0", b"\xfe\0"  # types of parameters
HAS_TYPES = 128


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    if m.is_mysql:
        m.close()
        pytest.skip("capabilities that MySQL has not")
    with m.superuser() as c:
        rows(c, "create or replace table kinds (u uuid, j json, i inet6, p point, t text, n int)")
        rows(c, "create or replace table bulk_t (id int primary key auto_increment, a int, b varchar(20))")
    yield m
    m.close()


@pytest.fixture(scope="module", params=["session", "transaction"])
def gilmok(maria, request):
    with maria.started(mode=request.param, database=["pool_size = 3", "server_round_robin = on"]) as g:
        yield g


def enter(port, maria, mariadb=BOTH, kind="new", **more):
    return Client(port, maria.user, maria.password, "shop", caps=KINDS[kind], mariadb=mariadb, timeout=10, **more)


def offered(c):
    """MariaDB's extended capabilities of a greeting, and whether it says that the server is MySQL."""
    at = c.greeting.index(b"\0", 1) + 1
    return struct.unpack_from("<I", c.greeting, at + 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 6)[0], c.greeting[at + 13] & 1


@pytest.mark.parametrize("kind", ["new", "old"])
@pytest.mark.parametrize("mariadb", [0, BULK, EXTENDED_METADATA, BOTH])
def test_definitions_are_as_past_gilmok(maria, gilmok, kind, mariadb):
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with enter(port, maria, mariadb, kind) as c:
            got = [c.command(QUERY + b"select * from kinds"), c.command(FIELD_LIST + b"kinds\0"),
                   c.command(STMT_PREPARE + b"select u, j, ? from kinds")]  # fmt: skip
            got[2][0] = got[2][0][:5] + got[2][0][9:]  # without the number of the statement
            answers.append([[told(c, p) for p in packets] for packets in got])
    assert answers[0] == answers[1]
    assert (b"uuid" in b"".join(answers[1][0])) == bool(mariadb & EXTENDED_METADATA)


def bulk(number, values, types=True):
    """Rows of an int and a string, either of which may be None."""
    body = BULK_EXECUTE + number + struct.pack("<H", HAS_TYPES if types else 0) + (LONG + STRING if types else b"")
    for a, b in values:
        body += b"\1" if a is None else b"\0" + struct.pack("<i", a)
        body += b"\1" if b is None else b"\0" + bytes([len(b)]) + b
    return body


ROWS = [(1, b"one"), (2, None), (None, b"three")]


def test_rows_in_bulk(maria, gilmok):
    """The types are sent once; and on another connection they are put in again."""
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with maria.direct() as d:
            rows(d, "truncate bulk_t")
        with enter(port, maria) as c, enter(port, maria) as other:
            number = c.command(STMT_PREPARE + b"insert into bulk_t (a, b) values (?, ?)")[0][5:9]
            got = [c.command(bulk(number, ROWS))]
            for _ in range(4):
                other.command(QUERY + b"select 1")
                got.append(c.command(bulk(number, ROWS, types=False)))
                got.append(c.command(QUERY + b"select last_insert_id(), row_count()"))
            got.append(c.command(STMT_EXECUTE + number + b"\0\1\0\0\0" + b"\0\0" + struct.pack("<i", 7) + b"\3abc"))
            answers.append(got)
        with maria.direct() as d:
            answers[-1].append(rows(d, "select a, b from bulk_t order by id"))
    assert answers[0] == answers[1]
    assert answers[1][-1][:3] == ((1, "one"), (2, None), (None, "three")) and len(answers[1][-1]) == 16


def test_bulk_without_types_is_refused_as_by_the_server(maria, gilmok):
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with enter(port, maria) as c:
            number = c.command(STMT_PREPARE + b"insert into bulk_t (a, b) values (?, ?)")[0][5:9]
            unknown = error(c.command(bulk(b"\x77\0\0\0", ROWS))[0][4:])[0]
            without = error(c.command(bulk(number, ROWS, types=False))[0][4:])[0]
            answers.append([unknown, without, c.command(QUERY + b"select 7")[2][4:]])
    assert answers[0] == answers[1]


def test_many_rows_in_bulk(maria, gilmok):
    """More than what gilmok keeps of a command."""
    with maria.direct() as d:
        rows(d, "truncate bulk_t")
    with enter(gilmok.mysql_port, maria) as c:
        number = c.command(STMT_PREPARE + b"insert into bulk_t (a, b) values (?, ?)")[0][5:9]
        for _ in range(3):
            assert c.command(bulk(number, [(i, b"row %d" % i) for i in range(20_000)]))[0][4:5] == b"\0"
    with maria.direct() as d:
        assert value(d, "select count(*) from bulk_t") == 60_000


def test_what_is_offered_goes_by_the_version(maria):
    for version, expected in (("5.5.5-10.11.0-MariaDB", (BOTH, 0)), ("5.5.5-10.4.0-MariaDB", (0, 1)), ("8.0.40", (0, 1)),
                              ("11.4.2-MariaDB-log", (BOTH, 0))):  # fmt: skip
        with maria.started(main=[f"mysql_server_version = {version}"]) as g, enter(g.mysql_port, maria) as c:
            assert offered(c) == expected
            assert c.command(QUERY + b"select 7")[2][4:] == b"\x017"
            assert (b"uuid" in b"".join(c.command(QUERY + b"select u from kinds"))) == bool(expected[0])
