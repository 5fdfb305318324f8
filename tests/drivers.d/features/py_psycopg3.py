#!/usr/bin/python3
"""psycopg 3, synchronous: statements prepared by itself, binary values, pipelines, COPY in binary, server-side cursors."""

import datetime
import decimal
import threading
import time
import uuid

import psycopg
import psycopg.types.json
from psycopg.types.range import Range

from check import CA, DATABASE, DEAD_PORT, OTHER_CA, PASSWORD, PORT, TWO_PHASES, USER, Missing, equal, fails, feature, main, moved


def connect(**more):
    return psycopg.connect(**{"host": "127.0.0.1", "connect_timeout": 10, "autocommit": True, **more})


def rows(c, sql, args=None, **more):
    return c.execute(sql, args, **more).fetchall()


@feature
def login():
    with connect(application_name="features of psycopg") as c:
        equal(rows(c, "select current_user::text, current_setting('application_name')"), [(USER, "features of psycopg")])
    with fails("password authentication failed"):
        connect(password="wrong")
    with fails("nowhere_at_all"):
        connect(dbname="nowhere_at_all")


@feature
def tls():
    with connect(host="localhost", sslmode="verify-full", sslrootcert=CA) as c:
        equal((c.pgconn.ssl_in_use, rows(c, "select 1")), (True, [(1,)]))
    with fails("certificate verify failed"):
        connect(host="localhost", sslmode="verify-full", sslrootcert=OTHER_CA)
    with fails("does not match host name"):
        connect(host="127.0.0.1", sslmode="verify-full", sslrootcert=CA)


@feature
def hosts():
    url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{DEAD_PORT},127.0.0.1:{PORT}/{DATABASE}?target_session_attrs="
    for wanted in ("any", "read-write", "primary", "prefer-standby"):
        with psycopg.connect(url + wanted) as c:
            equal((rows(c, "select 5"), c.info.port), ([(5,)], int(PORT)))
    with fails("server is not in hot standby mode"):
        psycopg.connect(url + "standby")


@feature
def settings():
    some = [connect(options=f"-c search_path=s{i} -c app.mine={i}", client_encoding="LATIN1" if i == 0 else "UTF8") for i in range(5)]
    for i, c in enumerate(some):
        c.execute(f"set timezone to 'Etc/GMT+{i}'")
    pids = set()
    for n in range(5):
        holder = some[n]  # somebody else has to do without this one's server connection
        holder.execute("begin; select 1")
        for i, c in enumerate(some):
            equal(rows(c, "select current_setting('search_path'), current_setting('app.mine'), 'ä'")[0], (f"s{i}", str(i), "ä"))
            equal((c.info.timezone.key, c.info.encoding), (f"Etc/GMT+{i}", "iso8859-1" if i == 0 else "utf-8"))
            equal(rows(c, "select '2024-01-01 00:00:00Z'::timestamptz")[0][0].utcoffset(), datetime.timedelta(hours=-i))
            pids.add((i, rows(c, "select pg_backend_pid()")[0]))
        holder.execute("commit")
    moved(pids)


WHEN = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.timezone.utc)
VALUES = [1, 2**40, 1.5, decimal.Decimal("12345.6789"), True, "ä€𝄞'\\", b"\x00\xff'", WHEN, WHEN.date(), uuid.UUID(int=77), [1, None, 3],
          ["a,b", '"'], datetime.timedelta(days=1, hours=2), Range(1, 5, "[)"), None]  # fmt: skip
CASTS = ["", "", "", "", "", "", "", "", "", "", "", "::text[]", "", "::int4range", ""]


def there_and_back(c, mark, binary):
    for _ in range(7):  # from the sixth time on prepared
        equal(list(rows(c, f"select {', '.join(mark + cast for cast in CASTS)}", VALUES, binary=binary)[0]), VALUES)
    got = rows(c, f"select {mark}::jsonb", (psycopg.types.json.Jsonb({"a": [1, "ü"]}),), binary=binary)
    equal(got, [({"a": [1, "ü"]},)])


@feature
def types():
    with connect() as c:
        there_and_back(c, "%t", False)


@feature
def binary():
    with connect() as c:
        there_and_back(c, "%b", True)


@feature
def large():
    with connect() as c:
        for _ in range(7):
            equal(rows(c, "select length(%s), repeat('y', 1000000)", ("x" * 1_000_000,)), [(1_000_000, "y" * 1_000_000)])


@feature
def prepared():
    """Everybody's first statement is _pg3_0; each runs its own."""
    some, pids = [connect(prepare_threshold=2) for _ in range(5)], set()
    for c in some:
        c.prepared_max = 3
    for n in range(1, 9):
        holder = some[n % 5]
        holder.execute("begin; select 1")
        for i, c in enumerate(some):
            for k in range(4):  # one more than are kept: some are deallocated
                got = rows(c, f"select name, {i}, {k}, pg_backend_pid() from feature_items where id = %s", (n,))[0]
                equal(got[:3], (f"item {n}", i, k))
                pids.add((i, got[3]))
        holder.execute("commit")
    moved(pids)


@feature
def cursor():
    some = [connect(autocommit=False) for _ in range(2)]
    curs = [c.cursor(name="mine", scrollable=True) for c in some]
    for i, cur in enumerate(curs):
        cur.itersize = 70
        cur.execute("select %s + n from generate_series(1, 1000) n", (i * 10000,), binary=bool(i))
    for i, cur in enumerate(curs):
        equal(cur.fetchmany(5), [(i * 10000 + n,) for n in range(1, 6)])
        equal(rows(some[i], "select 7"), [(7,)])
    for i, cur in enumerate(curs):
        equal([v for (v,) in cur], [i * 10000 + n for n in range(6, 1001)])
        cur.scroll(2, mode="absolute")
        equal(cur.fetchone(), (i * 10000 + 3,))
    for c in some:
        c.commit()
        c.close()


@feature
def hold():
    some = [connect(autocommit=False) for _ in range(2)]
    curs = [c.cursor(name="kept", withhold=True) for c in some]
    for i, (c, cur) in enumerate(zip(some, curs)):
        cur.execute("select %s + n from generate_series(1, 100) n", (i * 1000,))
        c.commit()
    for i, (c, cur) in enumerate(zip(some, curs)):
        equal(cur.fetchmany(3), [(i * 1000 + n,) for n in (1, 2, 3)])
        c.commit()
        equal(len(cur.fetchall()), 97)
        cur.close()
        c.commit()
        c.close()


@feature
def batch():
    """Pipelines."""
    c, pids = connect(), set()
    for _ in range(3):
        with c.pipeline() as p:
            curs = [c.execute("select %s::int, pg_backend_pid()", (i,)) for i in range(50)]
            p.sync()
            equal(curs[7].fetchone()[0], 7)
            with c.transaction():
                c.execute("insert into feature_items (id, name) values (900, 'pipeline')")
                curs.append(c.execute("select 50, pg_backend_pid()"))
        got = [cur.fetchone() for cur in curs if cur is not curs[7]]
        equal([r[0] for r in got], [i for i in range(51) if i != 7])
        pids.update(r[1] for r in got)
        try:
            with c.pipeline():
                c.execute("delete from feature_items where id = 900")
                c.execute("select 1 / %s", (0,))
                c.execute("select 'never'")
        except psycopg.errors.DivisionByZero:
            pass
        equal(rows(c, "delete from feature_items where id = 900 returning id"), [(900,)])
    with c.cursor() as cur:
        cur.executemany("insert into feature_items (id, name) values (%s, %s) returning id", [(1000 + i, "m") for i in range(300)], returning=True)
        got = []
        while True:
            got.append(cur.fetchone()[0])
            if not cur.nextset():
                break
    equal(got, list(range(1000, 1300)))
    with fails("23505"), c.transaction():
        c.cursor().executemany("insert into feature_items (id, name) values (%s, %s)", [(2000, "x"), (1, "taken"), (2001, "y")])
    c.execute("delete from feature_items where id between 1000 and 1999")
    equal(rows(c, "select count(*) from feature_items"), [(100,)])
    c.close()


@feature
def copyin():
    with connect() as c, c.cursor() as cur:
        with cur.copy("copy feature_items from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "numeric"])
            for i in range(2000, 7000):
                copy.write_row((i, f"copied {i}", None))
        equal(cur.rowcount, 5000)
        with fails("22P02"), cur.copy("copy feature_items from stdin") as copy:
            copy.write("no number\tx\t1\n")
        with fails("changed my mind"), cur.copy("copy feature_items from stdin") as copy:
            copy.write_row((9000, "x", 1))
            raise RuntimeError("changed my mind")
        equal(rows(c, "select count(*), min(name) from feature_items where id >= 2000"), [(5000, "copied 2000")])
        c.execute("delete from feature_items where id >= 2000")


@feature
def copyout():
    with connect() as c, c.cursor() as cur:
        with cur.copy("copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout (format binary)") as copy:
            copy.set_types(["int4", "text"])
            equal(list(copy.rows()), [(n, f"row {n}") for n in range(1, 20001)])
        equal(rows(c, "select 1"), [(1,)])


@feature
def listen():
    c, deaf, other = connect(), connect(), connect()
    c.execute("listen feature_channel")
    threading.Timer(0.1, lambda: [other.execute("select pg_notify('feature_channel', %s)", (f"payload {i} ü",)) for i in range(3)]).start()
    got = []
    for n in c.notifies():
        got.append((n.channel, n.payload))
        if len(got) == 3:
            break
    equal(got, [("feature_channel", f"payload {i} ü") for i in range(3)])
    for one in (c, deaf, other):
        one.add_notify_handler(lambda n: got.append(n.payload))
    c.execute("notify feature_channel, 'own'")
    for _ in range(100):
        if len(got) == 4:
            break
        time.sleep(0.02)
        c.execute("select 1")
    equal(got[3:], ["own"])
    c.execute("unlisten *")
    other.execute("notify feature_channel, 'late'")
    for one in (c, deaf, other):
        equal(rows(one, "select 2, pg_sleep(0.1)"), [(2, "")])
    equal(got[4:], [])
    for one in (c, deaf, other):
        one.close()


@feature
def cancel():
    c, other = connect(), connect()
    for _ in range(3):
        threading.Timer(0.2, c.cancel).start()
        begun = time.monotonic()
        with fails("57014"):
            c.execute("select pg_sleep(20)")
        equal((time.monotonic() - begun < 10, rows(c, "select 3"), rows(other, "select 4")), (True, [(3,)], [(4,)]))


@feature
def transactions():
    c, other = connect(autocommit=False), connect()
    c.isolation_level, c.read_only, c.deferrable = psycopg.IsolationLevel.SERIALIZABLE, True, True
    equal(rows(c, "select current_setting('transaction_isolation'), current_setting('transaction_read_only')"), [("serializable", "on")])
    with fails("25006"):
        c.execute("delete from feature_items")
    c.rollback()
    c.isolation_level, c.read_only, c.deferrable = psycopg.IsolationLevel.REPEATABLE_READ, False, None
    equal(rows(c, "select name from feature_items where id = 1"), [("item 1",)])
    other.execute("update feature_items set name = 'changed' where id = 1")
    equal(rows(c, "select name from feature_items where id = 1"), [("item 1",)])
    with fails("40001"), c.transaction():
        c.execute("update feature_items set name = 'mine' where id = 1")
    equal(rows(c, "select name from feature_items where id = 1"), [("item 1",)])
    with c.transaction(force_rollback=True):
        c.execute("delete from feature_items where id = 2")
    c.commit()
    other.execute("update feature_items set name = 'item 1' where id = 1")
    equal(rows(c, "select count(*) from feature_items where name in ('item 1', 'item 2')"), [(2,)])
    c.close()


@feature
def twophase():
    if not TWO_PHASES:
        raise Missing
    c, other = connect(autocommit=False), connect(autocommit=False)
    xid = c.xid(7, "feature", "psycopg")
    c.tpc_begin(xid)
    c.execute("update feature_items set v = 7 where id = 7")
    c.tpc_prepare()
    equal([x.gtrid for x in other.tpc_recover()], ["feature"])
    c.close()
    other.tpc_commit(xid)
    equal(rows(other, "update feature_items set v = 10.5 where id = 7 returning id"), [(7,)])
    other.commit()
    equal(other.tpc_recover(), [])


@feature
def errors():
    with connect() as c:
        for _ in range(7):
            try:
                c.execute("insert into feature_items values (%s, 'x', 0)", (1,))
            except psycopg.errors.UniqueViolation as e:
                equal((e.diag.constraint_name, e.diag.table_name, e.diag.message_detail),
                      ("feature_items_pkey", "feature_items", "Key (id)=(1) already exists."))  # fmt: skip
        with fails("23514"):
            c.execute("insert into feature_items values (500, 'x', -1)")
        with fails("42703"):
            c.execute("select nothing_like_it, %s", (1,))
        heard = []
        c.add_notice_handler(lambda d: heard.append((d.severity, d.message_primary)))
        c.execute("do $$ begin raise notice 'heard'; raise warning 'twice'; end $$")
        equal((heard, rows(c, "select 8")), ([("NOTICE", "heard"), ("WARNING", "twice")], [(8,)]))


@feature
def pool():
    try:
        from psycopg_pool import ConnectionPool
    except ImportError:
        raise Missing from None
    right = []
    with ConnectionPool("host=127.0.0.1", min_size=2, max_size=8, timeout=20) as p:

        def borrow(i):
            for n in range(10):
                with p.connection() as c:
                    right.append(rows(c, "select %s, %s", (i, n)) == [(i, n)])

        threads = [threading.Thread(target=borrow, args=(i,)) for i in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(20)
        p.check()
    equal(right, [True] * 120)


main(f"psycopg {psycopg.__version__}")
