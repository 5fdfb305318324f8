#!/usr/bin/python3
"""psycopg2: the simple protocol over libpq, with everything that it adds."""

import datetime
import decimal
import io
import select
import threading
import time
import uuid

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool

from check import CA, DATABASE, DEAD_PORT, OTHER_CA, PASSWORD, PORT, TWO_PHASES, USER, Missing, equal, fails, feature, main, moved


def connect(autocommit=True, **more):
    c = psycopg2.connect(**{"host": "127.0.0.1", "connect_timeout": 10, **more})
    c.autocommit = autocommit
    return c


def rows(c, sql, args=None):
    with c.cursor() as cur:
        cur.execute(sql, args)
        return cur.fetchall() if cur.description else None


@feature
def login():
    c = connect(application_name="features of psycopg2")
    equal(rows(c, "select current_user::text, current_setting('application_name')"), [(USER, "features of psycopg2")])
    c.close()
    with fails("password authentication failed"):
        connect(password="wrong")


@feature
def tls():
    c = connect(host="localhost", sslmode="verify-full", sslrootcert=CA)
    equal((c.info.ssl_in_use, rows(c, "select 1")), (True, [(1,)]))
    c.close()
    with fails("certificate verify failed"):
        connect(host="localhost", sslmode="verify-full", sslrootcert=OTHER_CA)
    with fails("does not match host name"):
        connect(host="127.0.0.1", sslmode="verify-full", sslrootcert=CA)


@feature
def hosts():
    dsn = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{DEAD_PORT},127.0.0.1:{PORT}/{DATABASE}?target_session_attrs="
    for wanted in ("any", "read-write", "primary", "prefer-standby"):
        c = psycopg2.connect(dsn + wanted)
        equal((rows(c, "select 5"), c.info.port), ([(5,)], int(PORT)))
        c.close()
    for refused in ("standby", "read-only"):
        with fails("server is not in hot standby mode" if refused == "standby" else "session is not read-only"):
            psycopg2.connect(dsn + refused)


@feature
def settings():
    some = [connect(options=f"-c search_path=s{i} -c app.mine={i}", client_encoding="LATIN1" if i == 0 else "UTF8") for i in range(5)]
    for i, c in enumerate(some):
        rows(c, f"set timezone to 'Etc/GMT+{i}'; set work_mem to '{i + 1}MB'")
    pids = set()
    for n in range(5):
        holder = some[n]  # somebody else has to do without this one's server connection
        rows(holder, "begin; select 1")
        for i, c in enumerate(some):
            got = rows(c, "select current_setting('search_path'), current_setting('app.mine'), current_setting('timezone'), "
                          "current_setting('work_mem'), 'ä', pg_backend_pid()")[0]  # fmt: skip
            equal(got[:5], (f"s{i}", str(i), f"Etc/GMT+{i}", f"{i + 1}MB", "ä"))
            equal(c.encoding, "LATIN1" if i == 0 else "UTF8")
            pids.add((i, got[5]))
        rows(holder, "commit")
    moved(pids)


@feature
def types():
    c = connect()
    psycopg2.extras.register_uuid(conn_or_curs=c)
    when = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.timezone.utc)
    some = [1, 2**40, 1.5, decimal.Decimal("12345.6789"), True, "ä€𝄞'\\", b"\x00\xff'", when, when.date(), uuid.UUID(int=77), [1, None, 3],
            ["a,b", '"'], None]  # fmt: skip
    got = rows(c, f"select {', '.join(['%s'] * len(some))}", some)[0]
    equal([bytes(v) if isinstance(v, memoryview) else v for v in got], some)
    equal(rows(c, "select %s, '[1,5)'::int4range, '1 day 2 hours'::interval", (psycopg2.extras.Json({"a": [1, "ü"]}),))[0][1:],
          (psycopg2.extras.NumericRange(1, 5), datetime.timedelta(days=1, hours=2)))  # fmt: skip
    equal(rows(c, "select %s::jsonb", (psycopg2.extras.Json({"a": [1, "ü"]}),)), [({"a": [1, "ü"]},)])


@feature
def large():
    c = connect()
    equal(rows(c, "select length(%s)", ("x" * 3_000_000,)), [(3_000_000,)])
    equal(rows(c, "select repeat('y', 3000000)"), [("y" * 3_000_000,)])


@feature
def prepared():
    """By SQL, as users of psycopg2 do it."""
    some, pids = [connect() for _ in range(5)], set()
    for i, c in enumerate(some):
        rows(c, f"prepare mine (int) as select name, {i}, pg_backend_pid() from feature_items where id = $1")
    for n in range(1, 7):
        holder = some[n % 5]
        rows(holder, "begin; select 1")
        for i, c in enumerate(some):
            got = rows(c, "execute mine (%s)", (n,))[0]
            equal(got[:2], (f"item {n}", i))
            pids.add((i, got[2]))
        rows(holder, "commit")
    moved(pids)


@feature
def cursor():
    some = [connect(autocommit=False) for _ in range(2)]
    curs = [c.cursor("mine", scrollable=True) for c in some]
    for i, cur in enumerate(curs):
        cur.itersize = 70
        cur.execute("select %s + n from generate_series(1, 1000) n", (i * 10000,))
    for i, cur in enumerate(curs):
        equal(cur.fetchmany(5), [(i * 10000 + n,) for n in range(1, 6)])
        equal(rows(some[i], "select 7"), [(7,)])
    for i, cur in enumerate(curs):
        equal([v for (v,) in cur], [i * 10000 + n for n in range(6, 1001)])
        cur.scroll(2, mode="absolute")
        equal(cur.fetchone(), (i * 10000 + 3,))
    for c in some:
        c.commit()


@feature
def hold():
    some = [connect(autocommit=False) for _ in range(2)]
    curs = [c.cursor("kept", withhold=True) for c in some]
    for i, (c, cur) in enumerate(zip(some, curs)):
        cur.execute("select %s + n from generate_series(1, 100) n", (i * 1000,))
        c.commit()
    for i, (c, cur) in enumerate(zip(some, curs)):
        equal(cur.fetchmany(3), [(i * 1000 + n,) for n in (1, 2, 3)])
        c.commit()
        equal(len(cur.fetchall()), 97)
        cur.close()
        c.commit()


@feature
def batch():
    c = connect(autocommit=False)
    with c.cursor() as cur:
        psycopg2.extras.execute_values(cur, "insert into feature_items (id, name) values %s", [(1000 + i, f"b{i}") for i in range(500)], page_size=70)
        psycopg2.extras.execute_batch(cur, "update feature_items set v = %s where id = %s", [(i, 1000 + i) for i in range(500)])
        equal(psycopg2.extras.execute_values(cur, "delete from feature_items where (id, name) in (%s) returning id",
              [(1001, "b1"), (1002, "b2")], fetch=True), [(1001,), (1002,)])  # fmt: skip
    equal(rows(c, "select count(*), sum(v) from feature_items where id >= 1000"), [(498, sum(range(500)) - 3)])
    c.rollback()
    equal(rows(c, "select count(*) from feature_items"), [(100,)])
    c.rollback()


@feature
def copyin():
    c = connect()
    with c.cursor() as cur:
        cur.copy_from(io.StringIO("".join(f"{i}\tcopied {i}\t\\N\n" for i in range(2000, 7000))), "feature_items")
        equal(cur.rowcount, 5000)
        with fails("22P02"):
            cur.copy_expert("copy feature_items from stdin", io.StringIO("no number\tx\t1\n"))
    equal(rows(c, "select count(*), min(name) from feature_items where id >= 2000"), [(5000, "copied 2000")])
    rows(c, "delete from feature_items where id >= 2000")


@feature
def copyout():
    c, out = connect(), io.StringIO()
    with c.cursor() as cur:
        cur.copy_expert("copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout with csv", out)
    equal(out.getvalue(), "".join(f"{n},row {n}\n" for n in range(1, 20001)))


def heard(c, count, seconds=10.0):
    end = time.monotonic() + seconds
    while len(c.notifies) < count and time.monotonic() < end:
        select.select([c], [], [], 0.05)
        c.poll()
    got = [(n.channel, n.payload) for n in c.notifies]
    c.notifies.clear()
    return got


@feature
def listen():
    c, deaf, other = connect(), connect(), connect()
    rows(c, "listen feature_channel")
    for i in range(3):
        rows(other, "select pg_notify('feature_channel', %s)", (f"payload {i} ü",))
        equal(rows(deaf, "select 1"), [(1,)])
    equal(heard(c, 3), [("feature_channel", f"payload {i} ü") for i in range(3)])
    rows(c, "notify feature_channel, 'own'")
    equal(heard(c, 1), [("feature_channel", "own")])
    rows(c, "unlisten *")
    rows(other, "notify feature_channel, 'late'")
    equal((heard(c, 1, 0.3), heard(deaf, 1, 0.1), rows(c, "select 2")), ([], [], [(2,)]))


@feature
def cancel():
    c, other = connect(), connect()
    threading.Timer(0.3, c.cancel).start()
    begun = time.monotonic()
    with fails("57014"):
        rows(c, "select pg_sleep(20)")
    equal((time.monotonic() - begun < 10, rows(c, "select 3"), rows(other, "select 4")), (True, [(3,)], [(4,)]))


@feature
def transactions():
    c, other = connect(autocommit=False), connect()
    c.set_session(isolation_level="SERIALIZABLE", deferrable=True, readonly=True)
    equal(rows(c, "select current_setting('transaction_isolation'), current_setting('transaction_read_only')"), [("serializable", "on")])
    with fails("25006"):
        rows(c, "delete from feature_items")
    c.rollback()
    c.set_session(isolation_level="REPEATABLE READ", deferrable="default", readonly=False)
    before = rows(c, "select name from feature_items where id = 1")
    rows(other, "update feature_items set name = 'changed' where id = 1")
    equal(rows(c, "select name from feature_items where id = 1"), before)
    rows(c, "savepoint one")
    with fails("40001"):
        rows(c, "update feature_items set name = 'mine' where id = 1")
    rows(c, "rollback to savepoint one")
    c.commit()
    rows(other, "update feature_items set name = 'item 1' where id = 1")
    equal((rows(c, "select name from feature_items where id = 1"), c.info.transaction_status),
          ([("item 1",)], psycopg2.extensions.TRANSACTION_STATUS_INTRANS))  # fmt: skip
    c.rollback()


@feature
def twophase():
    if not TWO_PHASES:
        raise Missing
    c, other = connect(autocommit=False), connect(autocommit=False)
    xid = c.xid(7, "feature", "psycopg2")
    c.tpc_begin(xid)
    rows(c, "update feature_items set v = 7 where id = 7")
    c.tpc_prepare()
    equal([x.gtrid for x in other.tpc_recover()], ["feature"])
    c.reset()
    other.tpc_commit(xid)
    equal(rows(c, "select v from feature_items where id = 7"), [(7,)])
    c.rollback()
    c.tpc_begin(xid)
    rows(c, "update feature_items set v = 10.5 where id = 7")
    c.tpc_commit()
    equal(other.tpc_recover(), [])


@feature
def errors():
    c = connect()
    try:
        rows(c, "insert into feature_items values (1, 'x', 0)")
    except psycopg2.errors.UniqueViolation as e:
        equal((e.diag.constraint_name, e.diag.table_name, e.diag.message_detail),
              ("feature_items_pkey", "feature_items", "Key (id)=(1) already exists."))  # fmt: skip
    with fails("23514"):
        rows(c, "insert into feature_items values (500, 'x', -1)")
    try:
        rows(c, "select nothing_like_it")
    except psycopg2.errors.UndefinedColumn as e:
        equal(e.diag.statement_position, "8")
    rows(c, "do $$ begin raise notice 'heard'; end $$")
    equal((c.notices, rows(c, "select 8")), (["NOTICE:  heard\n"], [(8,)]))


@feature
def lobs():
    """The protocol's function calls."""
    c = connect(autocommit=False)
    lob = c.lobject(mode="wb")
    lob.write(b"\x00\x01" * 300_000)
    equal((lob.seek(10), lob.tell()), (10, 10))
    lob.write(b"there")
    oid = lob.oid
    c.commit()
    lob = c.lobject(oid, "rwb")
    lob.seek(8)
    equal(lob.read(8), b"\x00\x01there\x01")
    lob.truncate(12)
    equal(lob.seek(0, 2), 12)
    lob.close()
    c.commit()
    c.lobject(oid, "n").unlink()
    c.commit()
    with fails("does not exist"):
        c.lobject(oid, "rb")
    c.rollback()


@feature
def pool():
    p = psycopg2.pool.ThreadedConnectionPool(1, 8)
    right = []

    def borrow(i):
        for n in range(10):
            c = p.getconn(key=i)
            right.append(rows(c, "select %s, %s", (i, n)) == [(i, n)])
            p.putconn(c, key=i)

    threads = [threading.Thread(target=borrow, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    p.closeall()
    equal(right, [True] * 80)


main(f"psycopg2 {psycopg2.__version__.split()[0]}")
