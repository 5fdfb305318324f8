#!/usr/bin/python3
"""MariaDB Connector/ODBC, by pyodbc."""

import glob

import pyodbc

from look import CA, DATABASE, EMOJI, FOLDER, HOST, PASSWORD, PORT, USER, error, feature, main, see

DRIVER = glob.glob("/usr/lib/*/odbc/libmaodbc.so")[0]
pyodbc.pooling = False


def connect(autocommit=True, **more):
    words = {"DRIVER": DRIVER, "SERVER": HOST, "PORT": PORT, "UID": USER, "PWD": PASSWORD, "DATABASE": DATABASE, "CHARSET": "utf8mb4",
             **({"SSLCA": CA, "SSLVERIFY": 1} if CA else {}), **more}  # fmt: skip
    return pyodbc.connect(";".join(f"{k}={v}" for k, v in words.items()), autocommit=autocommit)


def rows(c, sql, *args):
    cursor = c.execute(sql, *args)
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else cursor.rowcount


@feature
def login():
    see(rows(connect(), "select 1, current_user(), database(), @@character_set_client"))
    with error():
        connect(PWD="wrong")
    with error():
        connect(UID="nobody")
    see(rows(connect(INITSTMT="set @a = 7"), "select @a"))


@feature
def types():
    c = connect()
    names = [name for name, in rows(c, "select column_name from information_schema.columns where table_name = 'd_types' order by ordinal_position")]
    for name in names:
        with error(name):
            see(rows(c, f"select {name} from d_types where id <> ? order by id", 9), rows(c, f"select {name} from d_types order by id"))


@feature
def unicode():
    c = connect()
    see(rows(c, "insert into d_texts (t) values (?)", EMOJI), rows(c, "select t, length(t), t = ? from d_texts", EMOJI))


@feature
def prepared():
    c = connect()
    with c.cursor() as cursor:
        for i in range(3):
            cursor.execute("select ? + 1, ?", i, "x")
            see(cursor.fetchall())
        cursor.fast_executemany = True
        cursor.executemany("insert into d_keys (v) values (?)", [(i,) for i in range(100)])
    see(rows(c, "select count(*), sum(v) from d_keys"))
    with error():
        rows(c, "select * from nowhere where a = ?", 1)
    with error():
        rows(c, "insert into d_money values (?, ?)", 1, -1)


@feature
def results():
    c = connect(OPTION=67108864)
    for sql in ("select 1; select 'two', 2; do 1; select 3", "call d_two()", "{call d_two()}", "select 1; selec"):
        with error(), c.cursor() as cursor:
            cursor.execute(sql)
            while True:
                see(cursor.description and [tuple(row) for row in cursor.fetchall()])
                if not cursor.nextset():
                    break


@feature
def keys():
    for option in (0, 2):
        c = connect(OPTION=option)
        for sql in ("insert into d_keys (v) values (1), (2)", "update d_keys set v = 7", "update d_keys set v = 7", "select last_insert_id()", "delete from d_keys", "truncate d_keys"):
            see(sql, rows(c, sql))


@feature
def transactions():
    c, other = connect(autocommit=False), connect()
    rows(c, "insert into d_money values (1, 10)")
    see(rows(other, "select * from d_money"))
    c.rollback()
    rows(c, "insert into d_money values (1, 11)")
    c.commit()
    see(rows(other, "select * from d_money"))


@feature
def errors():
    c = connect()
    for sql in ("selec", "select * from nowhere", "insert into d_money values (1, -1)", "signal sqlstate '45000' set mysql_errno = 30001"):
        with error():
            see(rows(c, sql))
    see(rows(c, "select 1/0"))


@feature
def large():
    c, data = connect(), bytes(range(256)) * 4096
    see(rows(c, "insert into d_large values (1, ?), (2, ?)", data, data * 17), rows(c, "select * from d_large order by id"))


@feature
def stream():
    with connect(OPTION=1048576).cursor() as cursor:
        cursor.execute("select seq, repeat('x', 500) from seq_1_to_20000")
        see(sum(row[0] for row in cursor))


@feature
def cursor():
    with connect(FORWARDONLY=1).cursor() as cursor:
        cursor.execute("select seq, repeat('x', 500) from seq_1_to_2000 where seq > ?", 3)
        see(cursor.fetchone()[0], len(cursor.fetchmany(100)), sum(row[0] for row in cursor))


@feature
def schema():
    with connect().cursor() as cursor:
        see([tuple(row) for row in cursor.tables(table="d_%")], [tuple(row) for row in cursor.columns(table="d_money")], [tuple(row) for row in cursor.statistics("d_keys")])


@feature
def timeout():
    c = connect()
    rows(c, "set max_statement_time = 0.5")
    with error():
        rows(c, "select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7")


@feature
def infile():
    c = connect()
    with error():
        rows(c, f"load data local infile '{FOLDER}/rows.txt' into table d_loaded")
    see(rows(c, "select * from d_loaded"))


main(f"MariaDB_Connector/ODBC {connect().getinfo(pyodbc.SQL_DRIVER_VER)}, pyodbc {pyodbc.version}")
