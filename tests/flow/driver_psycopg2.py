#!/usr/bin/python3
"""psycopg2, the older driver: simple protocol only."""

import pytest

from flowtools import address, in_threads

psycopg2 = pytest.importorskip("psycopg2")


def open_one(gilmok, autocommit=True):
    c = psycopg2.connect(**address(gilmok))
    c.autocommit = autocommit
    return c


def test_queries_and_transactions(gilmok, table):
    c = open_one(gilmok, autocommit=False)
    cur = c.cursor()
    cur.execute("select name from flow_items where id = %s", (7,))
    assert cur.fetchone() == ("item 7",)
    cur.execute("update flow_items set name = 'changed' where id = 7")
    c.rollback()
    cur.execute("select name from flow_items where id = 7")
    assert cur.fetchone() == ("item 7",)
    with pytest.raises(psycopg2.errors.UndefinedTable):
        cur.execute("select * from no_such_table")
    c.rollback()
    c.close()


def test_copy(gilmok, table):
    import io

    c = open_one(gilmok, autocommit=False)
    cur = c.cursor()
    cur.copy_expert("copy flow_items from stdin", io.StringIO("7000\tcopied\n7001\tcopied\n"))
    out = io.StringIO()
    cur.copy_expert("copy (select * from flow_items where id >= 7000 order by 1) to stdout", out)
    assert out.getvalue() == "7000\tcopied\n7001\tcopied\n"
    c.rollback()
    c.close()


def test_concurrency(gilmok):
    def work(i):
        c = open_one(gilmok)
        cur = c.cursor()
        for n in range(20):
            cur.execute("select %s", (f"{i} {n}",))
            assert cur.fetchone() == (f"{i} {n}",)
        c.close()

    in_threads(12, work)


def test_set_session_characteristics(gilmok):
    c = open_one(gilmok, autocommit=False)
    c.set_session(isolation_level="SERIALIZABLE")
    cur = c.cursor()
    cur.execute("show transaction_isolation")
    assert cur.fetchone() == ("serializable",)
    c.rollback()
    c.close()
