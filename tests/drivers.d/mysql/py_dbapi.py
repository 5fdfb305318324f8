#!/usr/bin/python3
"""PyMySQL or mysqlclient, whose module is the argument: py_dbapi.py pymysql | MySQLdb."""

import contextlib
import importlib
import sys
import threading
import warnings

from look import CA, DATABASE, EMOJI, FOLDER, HOST, OTHER_CA, PASSWORD, PORT, USER, error, feature, main, see, told

MODULE = sys.argv[1]
driver = importlib.import_module(MODULE)
cursors = importlib.import_module(f"{MODULE}.cursors")
flags = importlib.import_module(f"{MODULE}.constants.CLIENT")
IS_PURE = MODULE == "pymysql"
warnings.simplefilter("ignore")


def connect(**more):
    options = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "database": DATABASE, "autocommit": True, "charset": "utf8mb4",
               "connect_timeout": 10, **({"ssl": {"ca": CA}} if CA else {}), **more}  # fmt: skip
    return contextlib.closing(driver.connect(**{k: v for k, v in options.items() if v is not None}))


def rows(c, sql, args=None):
    with c.cursor() as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


@feature
def login():
    with connect() as c:
        see(rows(c, "select 1, current_user(), database(), @@character_set_client, @@collation_connection"))
    with connect(database=None) as c:
        see(rows(c, "select database()"))
    for wrong in ({"password": "wrong"}, {"password": ""}, {"user": "nobody"}):
        with error(), connect(**wrong):
            pass
    with connect(charset="latin1") as c:
        see(rows(c, "select @@character_set_client, 'ü'"))
    with connect(init_command="set @a = 5") as c:
        see(rows(c, "select @a"))


@feature
def tls():
    if not CA:
        return see("-")
    with connect() as c:
        see("encrypted yes" if rows(c, "select 1") else "")
    with error("in clear"), connect(ssl=None):
        pass
    if IS_PURE:
        try:
            with connect(ssl={"ca": OTHER_CA}):
                see("stranger taken")
        except driver.MySQLError as e:
            see("stranger refused", type(e).__name__)


@feature
def types():
    with connect() as c, c.cursor() as cursor:
        cursor.execute("select * from d_types order by id")
        for row in cursor.fetchall():
            see(row)
        see([d[:2] for d in cursor.description])
        cursor.execute("select 1, -1, 1.5, 1e0, null, '', 'x', x'00ff', true, date'2020-02-02', now() is null where 1")
        see(cursor.fetchall(), cursor.description)


@feature
def unicode():
    with connect() as c:
        rows(c, "insert into d_texts (t) values (%s)", (EMOJI,))
        see(rows(c, f"select t, length(t), t = %s, %s as `{'漢字'}` from d_texts", (EMOJI, EMOJI)))
        c.ping()
    with connect(charset="latin1") as c:
        see(rows(c, "select 'äöü', length('äöü'), t from d_texts"))


@feature
def prepared():
    with connect() as c:
        rows(c, "prepare p from 'select ?, ? + 1'")
        rows(c, "set @a = 'x', @b = 41")
        see(rows(c, "execute p using @a, @b"))
        rows(c, "deallocate prepare p")
        with error():
            rows(c, "execute p")


@feature
def results():
    with connect(client_flag=flags.MULTI_STATEMENTS) as c, c.cursor() as cursor:
        for sql in ("select 1; select 'two', 2; do 1; select 3", "call d_two()", "select 1; selec"):
            with error("after " + sql[:6]):
                cursor.execute(sql)
                see(cursor.fetchall())
                while cursor.nextset():
                    see(cursor.rowcount, cursor.description and cursor.fetchall())
        cursor.callproc("d_two")
        see(cursor.fetchall(), cursor.nextset(), cursor.fetchall(), cursor.nextset())
    with connect() as c, c.cursor() as cursor:
        cursor.callproc("d_out", (21, 0, "x"))
        see(cursor.fetchall(), cursor.nextset())
        cursor.execute("select @_d_out_1, @_d_out_2")
        see(cursor.fetchall())
    if IS_PURE:
        with error(), connect() as c:
            rows(c, "select 1; select 2")


@feature
def keys():
    for found in (0, flags.FOUND_ROWS):
        with connect(client_flag=found) as c, c.cursor() as cursor:
            cursor.execute("insert into d_keys (v) values (1), (2)")
            see("key", cursor.rowcount, cursor.lastrowid, c.insert_id(), rows(c, "select last_insert_id()"))
            for sql in ("update d_keys set v = 7", "update d_keys set v = 7", "delete from d_keys", "insert into d_keys (id) values (1 << 40)"):
                cursor.execute(sql)
                see(sql, cursor.rowcount, cursor.lastrowid)
            see(rows(c, "select row_count(), found_rows()"))
            cursor.executemany("insert into d_keys (v) values (%s)", [(i,) for i in range(50)])
            see(cursor.rowcount, cursor.lastrowid)
            cursor.execute("truncate d_keys")


@feature
def transactions():
    with connect(autocommit=False) as c, connect() as other:
        rows(c, "insert into d_money values (1, 10)")
        see(rows(other, "select * from d_money"))
        c.rollback()
        see(rows(c, "select * from d_money"))
        rows(c, "insert into d_money values (1, 10)")
        c.commit()
        see(rows(other, "select * from d_money"))
        c.begin() if IS_PURE else rows(c, "begin")
        rows(c, "savepoint a")
        rows(c, "update d_money set v = 11")
        rows(c, "rollback to a")
        rows(other, "set innodb_lock_wait_timeout = 1")
        rows(c, "update d_money set v = 12")
        with error("locked"):
            rows(other, "update d_money set v = 13")
        c.commit()
        c.autocommit(True)
        see(rows(c, "select *, @@autocommit, @@tx_isolation from d_money"))
        rows(c, "set session transaction isolation level serializable")
        rows(c, "start transaction read only")
        with error("read only"):
            rows(c, "update d_money set v = 13")
        c.rollback()


@feature
def errors():
    with connect() as c:
        rows(c, "replace into d_money values (1, 10)")
        rows(c, "insert into d_keys (name) values ('a')")
        for sql in ("selec", "select * from nowhere", "select nothing", "insert into d_money values (1, 1)", "insert into d_money values (2, -1)",
                    "insert into d_money values (3, null)", "insert into d_keys (name) values ('a')", "insert into d_money values ('x', 1)",
                    "signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001", "select if(seq < 5, seq, (select 1 union select 2)) from seq_1_to_9",
                    "use nowhere", "kill 0", "select 1/0, cast('x' as int)", ""):  # fmt: skip
            with error(sql[:9]):
                see(rows(c, sql))
        see(rows(c, "select 1/0, cast('x' as int)"), rows(c, "show warnings"), rows(c, "select @@warning_count"))


@feature
def large():
    megabyte = bytes(range(256)) * 4096
    with connect() as c:
        for i, data in enumerate((megabyte, megabyte * 18, b"", b"x" * ((1 << 24) - 60))):
            rows(c, "insert into d_large values (%s, %s)", (i, data))
        for i, size in rows(c, "select id, length(data) from d_large order by id"):
            see(i, size, rows(c, "select data, md5(data) from d_large where id = %s", (i,)))
        see(rows(c, "select repeat('x', 1 << 20), seq from seq_1_to_5"))
        see(rows(c, f"select {', '.join(str(i) for i in range(4000))}"))


@feature
def stream():
    with connect() as c:
        with c.cursor(cursors.SSCursor) as cursor:
            cursor.execute("select seq, repeat('x', 500) from seq_1_to_20000")
            see(cursor.fetchone(), len(cursor.fetchmany(100)), sum(row[0] for row in cursor))
        with c.cursor(cursors.SSDictCursor) as cursor:
            cursor.execute("select seq as a from seq_1_to_20000")
            see(cursor.fetchone())
        see(rows(c, "select 1"))


@feature
def schema():
    with connect() as c:
        c.select_db("information_schema")
        see(rows(c, "select database()"))
        with error():
            c.select_db("nowhere")
        see(rows(c, "select database()"))


@feature
def ping():
    with connect() as c:
        see(c.ping())
        rows(c, "set @a = 1")
        see(c.ping(), rows(c, "select @a"), c.stat().split(":")[0] if not IS_PURE else "")
    if IS_PURE:
        c.ping(reconnect=True)
        see(rows(c, "select @a"))
        c.close()


@feature
def timeout():
    with connect(read_timeout=1) as c:
        try:
            rows(c, "select sleep(3)")
        except driver.MySQLError as e:
            see("too late" if e.args[0] in (2013, 2026) else e.args)  # in TLS it is the library that says so
    with error(), connect() as c:
        rows(c, "set max_statement_time = 0.5")
        rows(c, "select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7")
    with connect() as c:
        see(rows(c, "select 1"))


def ended(how):
    """What a query is told that another connection ends, and what the other one is told."""
    with connect() as c, connect() as other:
        statement, answers = how(c), []
        timer = threading.Timer(0.7, lambda: answers.append(killed(other, statement)))
        timer.start()
        with error("ended"):
            see(rows(c, "select sleep(3)"))
        timer.join()
        see("killer", *answers)
        with error("later"):
            see(rows(c, "select 1"))


def killed(c, statement):
    try:
        return rows(c, statement)
    except driver.MySQLError as e:
        return told(e)


@feature
def kill():
    ended(lambda c: f"kill query {rows(c, 'select connection_id()')[0][0]}")


@feature
def killed_():
    with connect() as c, connect() as other:
        rows(other, f"kill {rows(c, 'select connection_id()')[0][0]}")
        for _ in range(2):
            with error():
                see(rows(c, "select 1"))
    with connect() as c, connect() as other:
        other.kill(c.thread_id())
        for _ in range(2):
            with error("by command"):
                see(rows(c, "select 1"))


@feature
def cancel():
    ended(lambda c: f"kill query {c.thread_id()}")


@feature
def attributes():
    if not IS_PURE:
        return see("-")
    with connect(program_name="looks ü") as c:
        see(rows(c, "select 1"))


@feature
def compress():
    if IS_PURE:
        return see("-")
    with connect(compress=1) as c:
        see(rows(c, "select repeat('x', 100000)"), rows(c, "select 1"))


@feature
def change_user():
    if IS_PURE:
        return see("-")
    with connect() as c:
        rows(c, "set @a = 1")
        with error():
            c.change_user(USER, PASSWORD, DATABASE)
        see(rows(c, "select 1"))


@feature
def infile():
    with connect(local_infile=1) as c:
        with error():
            rows(c, f"load data local infile '{FOLDER}/rows.txt' into table d_loaded")
        see(rows(c, "select * from d_loaded"))
    with error(), connect() as c:
        rows(c, f"load data local infile '{FOLDER}/rows.txt' into table d_loaded")


main(f"PyMySQL {driver.__version__}" if IS_PURE else f"mysqlclient {driver.__version__}")
