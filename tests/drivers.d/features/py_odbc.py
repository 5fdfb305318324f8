#!/usr/bin/python3
"""psqlODBC by pyodbc: its own parsing of parameters, statements prepared on the server or not, cursors declared or fetched whole,
a savepoint around each statement."""

import datetime
import decimal
import threading
import time
import uuid

import pyodbc

from check import CA, DATABASE, OTHER_CA, PASSWORD, PORT, USER, equal, fails, feature, main, moved

pyodbc.pooling = False


def connect(more="", autocommit=True, host="127.0.0.1", port=PORT, password=PASSWORD):
    return pyodbc.connect(
        f"Driver=PostgreSQL Unicode;Servername={host};Port={port};Database={DATABASE};UID={USER};PWD={password};{more}",
        autocommit=autocommit, timeout=10,
    )  # fmt: skip


def rows(c, sql, *args):
    return [tuple(r) for r in c.execute(sql, *args).fetchall()]


@feature
def login():
    c = connect()
    equal(rows(c, "select current_user::text, 5"), [(USER, 5)])
    c.close()
    with fails("password authentication failed"):
        connect(password="wrong")


@feature
def tls():
    # The driver hands what stands in pqopt to libpq as it is.
    c = connect(f"sslmode=verify-full;pqopt={{sslrootcert={CA}}}", host="localhost")
    equal(rows(c, "select 1, current_user::text"), [(1, USER)])
    c.close()
    with fails("certificate verify failed"):
        connect(f"sslmode=verify-full;pqopt={{sslrootcert={OTHER_CA}}}", host="localhost")
    with fails("does not match host name"):
        connect(f"sslmode=verify-full;pqopt={{sslrootcert={CA}}}")


@feature
def hosts():
    # Its own field for the port has no room for two long numbers.
    c = connect("pqopt={target_session_attrs=read-write}", host="127.0.0.1,127.0.0.1", port=f"1,{PORT}")
    equal(rows(c, "select 5"), [(5,)])
    c.close()


@feature
def settings():
    some = [connect(f"ConnSettings=set search_path to s{i}%3B set app.mine to '{i}'") for i in range(5)]
    for i, c in enumerate(some):
        c.execute(f"set timezone to 'Etc/GMT+{i}'")
    pids = set()
    for n in range(5):
        some[n].autocommit = False  # somebody else has to do without this one's server connection
        rows(some[n], "select 1")
        for i, c in enumerate(some):
            got = rows(c, "select current_setting('search_path'), current_setting('app.mine'), current_setting('timezone'), pg_backend_pid()")[0]
            equal(got[:3], (f"s{i}", str(i), f"Etc/GMT+{i}"))
            pids.add((i, got[3]))
        some[n].commit()
        some[n].autocommit = True
    for c in some:
        c.close()
    moved(pids)


VALUES = [1, 2**40, 1.5, decimal.Decimal("12345.6789"), "ä€'\\?", b"\x00\xff'", datetime.datetime(2024, 2, 29, 12, 30, 15, 123456),
          datetime.date(2024, 2, 29), str(uuid.UUID(int=77)), None]  # fmt: skip
SQL = "select ?::int, ?::bigint, ?::float8, ?::numeric, ?::text, ?::bytea, ?::timestamp, ?::date, ?::uuid, ?::text"


@feature
def types():
    for more in ("UseServerSidePrepare=1", "UseServerSidePrepare=0", "UseServerSidePrepare=1;ByteaAsLongVarBinary=1;Protocol=7.4-2"):
        c = connect(more)
        for _ in range(3):
            got = list(rows(c, SQL, *VALUES)[0])
            got[8] = got[8].lower()
            equal(got, VALUES)
        c.close()


@feature
def large():
    c = connect("MaxLongVarcharSize=4000000")
    equal(rows(c, "select length(?), repeat('y', 3000000)", "x" * 3_000_000), [(3_000_000, "y" * 3_000_000)])
    c.close()


@feature
def prepared():
    some, pids = [connect("UseServerSidePrepare=1") for _ in range(5)], set()
    curs = [c.cursor() for c in some]
    for n in range(1, 9):
        some[n % 5].autocommit = False
        rows(some[n % 5], "select 1")
        for i, cur in enumerate(curs):  # the same text again is the same statement
            got = tuple(cur.execute(f"select name, {i}, pg_backend_pid() from feature_items where id = ?", n).fetchone())
            equal(got[:2], (f"item {n}", i))
            pids.add((i, got[2]))
        some[n % 5].commit()
        some[n % 5].autocommit = True
    for c in some:
        c.close()
    moved(pids)


@feature
def cursor():
    some = [connect("UseDeclareFetch=1;Fetch=70", autocommit=False) for _ in range(2)]
    curs = [c.cursor() for c in some]
    for i, cur in enumerate(curs):
        cur.execute("select ?::int + n from generate_series(1, 1000) n", i * 10000)
    for i, cur in enumerate(curs):
        equal([tuple(r) for r in cur.fetchmany(5)], [(i * 10000 + n,) for n in range(1, 6)])
        equal(rows(some[i], "select 7"), [(7,)])
    for i, cur in enumerate(curs):
        equal([v for (v,) in cur], [i * 10000 + n for n in range(6, 1001)])
    for c in some:
        c.commit()
        c.close()


@feature
def hold():
    """Outside a transaction the driver declares its cursors WITH HOLD."""
    some = [connect("UseDeclareFetch=1;Fetch=20") for _ in range(2)]
    curs = [c.cursor() for c in some]
    for i, cur in enumerate(curs):
        cur.execute("select ?::int + n from generate_series(1, 200) n", i * 1000)
    for i, cur in enumerate(curs):
        equal(tuple(cur.fetchone()), (i * 1000 + 1,))
        equal(rows(some[i], "select 7"), [(7,)])
    for i, cur in enumerate(curs):
        equal([v for (v,) in cur], [i * 1000 + n for n in range(2, 201)])
    for c in some:
        c.close()


@feature
def batch():
    c = connect(autocommit=False)
    cur = c.cursor()
    for fast in (False, True):
        cur.fast_executemany = fast
        cur.executemany("insert into feature_items (id, name) values (?, ?)", [(1000 + i, f"b{i}") for i in range(300)])
        equal(rows(c, "select count(*) from feature_items where id >= 1000"), [(300,)])
        with fails("23505"):
            cur.executemany("insert into feature_items (id, name) values (?, ?)", [(2000, "x"), (1, "taken")])
        c.rollback()
    cur.execute("select 1; select 2; select 3")
    got = [cur.fetchone()[0]]
    while cur.nextset():
        got.append(cur.fetchone()[0])
    equal(got, [1, 2, 3])
    c.close()


@feature
def cancel():
    c, other = connect(), connect()
    for _ in range(2):
        cur = c.cursor()
        threading.Timer(0.3, cur.cancel).start()
        begun = time.monotonic()
        with fails("canceling statement"):
            cur.execute("select pg_sleep(20)")
        equal((time.monotonic() - begun < 10, rows(c, "select 3"), rows(other, "select 4")), (True, [(3,)], [(4,)]))
    c.close(), other.close()


@feature
def transactions():
    for more in ("Protocol=7.4-0", "Protocol=7.4-1", "Protocol=7.4-2"):  # what an error rolls back: nothing, all, the statement
        c, other = connect(more, autocommit=False), connect()
        c.set_attr(pyodbc.SQL_ATTR_TXN_ISOLATION, pyodbc.SQL_TXN_REPEATABLE_READ)
        equal(rows(c, "select name from feature_items where id = 1"), [("item 1",)])
        other.execute("update feature_items set name = 'changed' where id = 1")
        with fails("40001"):
            c.execute("update feature_items set name = 'mine' where id = 1")
        if more.endswith("2"):
            equal(rows(c, "select name from feature_items where id = 1"), [("item 1",)])
        c.rollback()
        other.execute("update feature_items set name = 'item 1' where id = 1")
        equal(rows(c, "select name, current_setting('transaction_isolation') from feature_items where id = 1"), [("item 1", "repeatable read")])
        c.close(), other.close()


@feature
def errors():
    c = connect()
    for _ in range(3):
        with fails("feature_items_pkey"):
            c.execute("insert into feature_items values (?, 'x', 0)", 1)
        with fails("42703"):
            c.execute("select nothing_like_it, ?::int", 1)
        with fails("22012"):
            c.execute("select 1 / ?::int", 0)
        equal(rows(c, "select ?::int", 8), [(8,)])
    equal([r.column_name for r in c.cursor().columns("feature_items")], ["id", "name", "v"])
    equal([r.column_name for r in c.cursor().primaryKeys("feature_items")], ["id"])
    c.close()


version = connect().getinfo(pyodbc.SQL_DRIVER_VER)
main(f"psqlODBC {'.'.join(str(int(p)) for p in version.split('.'))}, pyodbc {pyodbc.version}")
