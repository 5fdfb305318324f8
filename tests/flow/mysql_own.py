#!/usr/bin/python3
"""What MySQL's own server has and MariaDB's has not, with GILMOK_MYSQLD."""

import contextlib
import time

import pymysql
import pytest

from mysqltools import Maria, remake, rows, value
from mywire import KINDS, QUERY, Client, lenenc

QUERY_ATTRIBUTES, TRACK_GTIDS = 1 << 27, 3


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    try:
        if not m.is_mysql:
            pytest.skip("the server is MariaDB's: GILMOK_MYSQLD names no other")
        with m.superuser() as root:
            remake(root, "table own (id int auto_increment primary key, a int)")
            remake(root, "procedure two() begin select 1; select 2, 3; set @left = 4; end")
            remake(root, "role clerk")
            rows(root, f"grant clerk to {m.user}@'127.0.0.1'")
            rows(root, f"grant resource_group_user on *.* to {m.user}@'127.0.0.1'")
            with contextlib.suppress(pymysql.err.Error):  # a server may not be allowed to have any
                rows(root, "create resource group slow type = user")
        yield m
    finally:
        m.close()


@pytest.fixture(scope="module")
def gilmok(maria):
    with maria.started(mode="transaction", database=["pool_size = 3"]) as g:
        yield g


def changes(client, p):
    """{type: data} of what an OK tells."""
    at = lenenc(p, lenenc(p, 5)[1])[1] + 4
    if at >= len(p):
        return {}
    info, at = lenenc(p, at)
    total, at = lenenc(p, at + info) if at + info < len(p) else (0, len(p))
    end, found = at + total, {}
    while at < end:
        size, data = lenenc(p, at + 1)
        found[p[at]] = p[data : data + size]
        at = data + size
    return found


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_gtids_are_told(maria, mode):
    with maria.started(mode=mode, database=["pool_size = 2"]) as g, maria.direct() as d:
        with Client(g.mysql_port, maria.user, maria.password, "shop", caps=KINDS["new"]) as c:
            assert TRACK_GTIDS not in changes(c, c.command(QUERY + b"insert into own (a) values (1)")[0])
            c.command(QUERY + b"set session_track_gtids = own_gtid")
            told = changes(c, c.command(QUERY + b"insert into own (a) values (2)")[0])
            gtid = told[TRACK_GTIDS][2:].decode()
            assert value(d, "select gtid_subset(%s, @@global.gtid_executed)", (gtid,)) == 1
            assert c.command(QUERY + f"select wait_for_executed_gtid_set('{gtid}', 1)".encode())[2][5:] == b"0"
        with Client(g.mysql_port, maria.user, maria.password, "shop", caps=KINDS["new"]) as c:
            assert TRACK_GTIDS not in changes(c, c.command(QUERY + b"insert into own (a) values (3)")[0])


def test_query_attributes_are_not_offered(maria, gilmok):
    """Clients that look at the greeting, as all of MySQL's do, send none then."""

    def offered(port):
        with Client(port) as c:
            at = c.greeting.index(b"\0", 1) + 14
            return int.from_bytes(c.greeting[at : at + 2] + c.greeting[at + 5 : at + 7], "little")

    assert offered(maria.port) & QUERY_ATTRIBUTES and not offered(gilmok.mysql_port) & QUERY_ATTRIBUTES


def held(g):
    return [row["held_by"] for row in g.show("CLIENTS", database="shop") if row["held_by"]]


FATES = [
    ("set resource group slow", "settings"), ("set role clerk", "settings"), ("set default role clerk to current_user()", None),
    ("select /*+ set_var(sort_buffer_size = 300000) */ 1", "session state"), ("select /*+ max_execution_time(1000) */ 1", None),
    ("call two()", "routine"), ("select 1 into @x", "user variables"), ("table own limit 1 into @x, @y", "user variables"),
    ("explain format = json into @plan select 1", "user variables"), ("explain analyze select * from own", None), ("table own", None),
    ("values row(1, 'a'), row(2, 'b')", None), ("with recursive c (n) as (select 1 union all select n + 1 from c where n < 5) select * from c", None),
    ("with c as (select 1) update own, c set a = 1 where false", None), ("insert into own (a) values (5) as n on duplicate key update a = n.a", None),
    ("select * from own for share of own skip locked", None), ("set session_track_gtids = all_gtids", "settings"), ("select sha2('a', 256)", None),
    ("set session_track_state_change = off", "settings"), ("set optimizer_switch = 'mrr=on'", "settings"),
    ("set block_encryption_mode = 'aes-256-cbc'", None), ("select statement_digest_text('select 1'), uuid_to_bin(uuid())", None),
]  # fmt: skip


@pytest.mark.parametrize("text, reason", FATES)
def test_what_becomes_of_a_client(gilmok, text, reason):
    with gilmok.connect() as c:
        with contextlib.suppress(pymysql.err.Error):
            rows(c, text)
        end = time.monotonic() + 5
        while held(gilmok) != ([reason] if reason else []) and time.monotonic() < end:
            time.sleep(0.02)
        assert held(gilmok) == ([reason] if reason else [])
    end = time.monotonic() + 5
    while held(gilmok) and time.monotonic() < end:
        time.sleep(0.02)


def test_nothing_of_it_is_left_for_others(maria, gilmok):
    """Whatever the connection was used for."""
    see = ("select current_role(), @@session.session_track_gtids, @@session.optimizer_switch = @@global.optimizer_switch, @x, @plan, @left, "
           "@@sort_buffer_size = @@global.sort_buffer_size, @@block_encryption_mode, @@session_track_state_change")  # fmt: skip
    with maria.direct() as d:
        expected = rows(d, see)[0][:-1]
    for text, _ in FATES:
        with gilmok.connect() as c, contextlib.suppress(pymysql.err.Error):
            rows(c, text)
    for _ in range(6):
        with gilmok.connect() as c:
            assert rows(c, see)[0][:-1] == expected
