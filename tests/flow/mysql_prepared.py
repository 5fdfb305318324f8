#!/usr/bin/python3
"""Statements that MySQL clients have prepared by protocol, where they share server connections: packet by packet as past gilmok."""

import struct
import time

import pytest
from mysqltools import Maria, remake, rows, value

from mywire import (DEPRECATE_EOF, INIT_DB, KINDS, PING, QUERY, RESET_CONNECTION, STMT_CLOSE, STMT_EXECUTE, STMT_FETCH, STMT_LONG_DATA, STMT_PREPARE,
                    STMT_RESET, Client, error)  # fmt: skip

INT, TEXT = b"\3\0", b"\xfd\0"
METADATA_CHANGED = 0x400
LAST = b"\xff\xff\xff\xff"  # MariaDB's number for what was prepared last


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    with m.direct() as c:
        remake(c, "table prep (id int auto_increment primary key, a varchar(20), b int)")
        rows(c, "insert into prep (a, b) values ('one', 1), ('two', 2), ('three', 3), ('four', 4), ('five', 5)")
    yield m
    m.close()


@pytest.fixture(scope="module")
def gilmok(maria):
    with maria.started(mode="transaction", database=["pool_size = 2", "max_prepared_statements = 5"]) as g:
        yield g


def prepare(c, text):
    return c.command(STMT_PREPARE + text)


def number(answer):
    return answer[0][5:9]


def int_of(value):
    return struct.pack("<i", value)


def execute(c, number, values=(), types=None, flags=0):
    """`values` as they go over the wire; `types` None: they were told before."""
    head = STMT_EXECUTE + number + bytes([flags]) + b"\1\0\0\0"
    if values:
        head += b"\0" * ((len(values) + 7) // 8) + (b"\1" + b"".join(types) if types else b"\0")
    return c.command(head + b"".join(values))


def unnumbered(answer):
    """Statements have other numbers past gilmok."""
    return [p if i or p[4] else p[:5] + p[9:] for i, p in enumerate(answer)]


class Both:
    """The same client past gilmok and through it."""

    def __init__(self, maria, gilmok, kind="new"):
        self.sides = [Client(port, maria.user, maria.password, "shop", caps=KINDS[kind]) for port in (maria.port, gilmok.mysql_port)]
        self.numbers = [{}, {}]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for c in self.sides:
            c.close()

    def same(self, ask):
        direct, shared = (ask(c, n) for c, n in zip(self.sides, self.numbers))
        assert direct == shared
        return direct

    def prepare(self, name, text):
        def ask(c, numbers):
            answer = prepare(c, text)
            numbers[name] = number(answer)
            return unnumbered(answer)

        return self.same(ask)

    def execute(self, name, values=(), types=None, flags=0):
        return self.same(lambda c, n: execute(c, n[name], values, types, flags))

    def execute_alone(self, name, values=(), types=None):
        """What it answers is each side's own."""
        return [execute(c, n[name], values, types) for c, n in zip(self.sides, self.numbers)]

    def command(self, body, name=None, rest=b""):
        return self.same(lambda c, n: c.command(body + (n[name] if name else b"") + rest))

    def query(self, text):
        return self.command(QUERY + text)


@pytest.fixture
def others(gilmok):
    """Clients that use every connection of the pool, each time they are asked."""
    made = [gilmok.connect() for _ in range(3)]

    def use_all():
        held = made[:2]
        for c in held:
            rows(c, "begin")
        for i, c in enumerate(made[:2]):
            rows(c, f"select {i} from prep where b = {i}")
        for c in held:
            rows(c, "rollback")

    yield use_all
    for c in made:
        c.close()


@pytest.mark.parametrize("kind", sorted(k for k in KINDS if KINDS[k] & DEPRECATE_EOF))  # the EOF behind definitions is another matter
def test_they_go_along(maria, gilmok, others, kind):
    with Both(maria, gilmok, kind) as both:
        both.prepare("q", b"select id, a, ? + 1 from prep where b >= ? order by id")
        both.prepare("none", b"select 1 where 0")
        both.prepare("w", b"update prep set b = b where id = ?")
        for _ in range(3):
            both.execute("q", (int_of(5), int_of(3)), (INT, INT))
            others()
            both.execute("none")
            both.execute("w", (int_of(2),), (INT,))
            others()


def test_types_are_told_once_and_hold(maria, gilmok, others):
    """Also where another client has executed the same text with other types meanwhile."""
    text = b"select ?, hex(?)"
    with Both(maria, gilmok) as one, Both(maria, gilmok) as two:
        for both in (one, two):
            both.prepare("q", text)
        one.execute("q", (int_of(1), int_of(-2)), (INT, INT))
        two.execute("q", (b"\2ab", b"\1c"), (TEXT, TEXT))
        for _ in range(3):
            one.execute("q", (int_of(7), int_of(8)))
            two.execute("q", (b"\3xyz", b"\0"))
            others()


SETTLED = [
    ("set div_precision_increment = 9", b"select 1 / 3"), ("set group_concat_max_len = 5", b"select group_concat(seq) from seq_1_to_10"),
    ("set lc_time_names = 'de_DE'", b"select dayname('2026-01-01')"), ("set default_week_format = 3", b"select week('2020-12-30')"),
    ("set @v = 'abc'", b"select @v"), ("set @v = 1.5", b"select @v"), ("set @v = 5", b"select @v"),
]  # fmt: skip


@pytest.mark.parametrize("setting, text", SETTLED)
def test_what_is_settled_for_one_is_not_for_another(maria, gilmok, others, setting, text):
    """MySQL settles types as it prepares a statement, and what some settings say."""
    with Both(maria, gilmok) as plain, Both(maria, gilmok) as own, Both(maria, gilmok) as late:
        own.query(setting.encode())
        for both in (own, plain, late):
            for c, numbers in zip(both.sides, both.numbers):  # of a variable that was never set definitions are others (docs/compatibility.md)
                numbers["q"] = number(prepare(c, text))
        late.query(setting.encode())
        for _ in range(3):
            for both in (plain, own, late):
                both.same(lambda c, numbers: execute(c, numbers["q"])[-2:])
            others()


def test_what_is_wrong_is_told_as_the_server_does(maria, gilmok):
    with Both(maria, gilmok) as both:
        both.prepare("q", b"select ?")
        both.execute("q", (int_of(1),))  # types that were never told
        both.same(lambda c, n: c.command(STMT_EXECUTE + n["q"] + b"\0\1\0\0\0\1\0"))  # NULL needs none
        both.same(lambda c, n: execute(c, n["q"]))  # nothing at all where there is a parameter
        both.same(lambda c, n: execute(c, LAST))  # that one is read with more care
        both.same(lambda c, n: execute(c, LAST, (int_of(1),)))
        for rest in (b"\0\1\0\0", b"\0\1\0\0\0\0", b"\0\1\0\0\0\0\2\3\0", b"\0\1\0\0\0\0\1\3"):
            both.command(STMT_EXECUTE, "q", rest)
            both.same(lambda c, n, rest=rest: c.command(STMT_EXECUTE + LAST + rest))
        both.prepare("bad", b"selec")
        both.prepare("gone", b"select * from nowhere")
        both.command(STMT_EXECUTE, rest=b"\x63\xff\xff\x0f\0\1\0\0\0")
        both.command(STMT_RESET, rest=b"\x63\xff\xff\x0f")
        both.execute("q", (int_of(1),), (INT,))
        both.command(STMT_CLOSE, "q")
        both.command(PING)


def test_a_table_that_has_changed_since(maria, gilmok, others):
    """The definitions are those of now, and a table that is gone is missed. That they have changed a new connection does not know."""

    def as_now(c, numbers):
        return [p[:-3] + bytes([p[-3] & ~(METADATA_CHANGED >> 8)]) + p[-2:] if p[4] == 0xFE else p for p in execute(c, numbers["q"])]

    with Both(maria, gilmok) as both, maria.direct() as d:
        remake(d, "table changing (a int)")
        both.prepare("q", b"select * from changing")
        both.same(as_now)
        rows(d, "alter table changing add b varchar(9) default 'new'")
        both.same(as_now)
        others()
        rows(d, "alter table changing add c int")
        rows(d, "insert into changing values (1, 'x', 3)")
        both.same(as_now)
        rows(d, "drop table changing")
        both.same(as_now)
        others()
        both.same(as_now)


def held(g):
    return sorted(row["held_by"] for row in g.show("CLIENTS", database="shop") if row["held_by"])


def settles(g, expected):
    end = time.monotonic() + 5
    while held(g) != expected and time.monotonic() < end:
        time.sleep(0.02)
    assert held(g) == expected


def test_long_data_keeps_the_client_until_it_is_executed(maria, gilmok, others):
    with Both(maria, gilmok) as both:
        both.prepare("q", b"select length(?), ?")
        others()
        both.command(STMT_LONG_DATA, "q", b"\0\0" + b"x" * 70000)
        both.command(STMT_LONG_DATA, "q", b"\0\0y")
        settles(gilmok, ["prepared statement"])
        both.execute("q", (b"", int_of(4)), (TEXT, INT))
        settles(gilmok, [])
        both.command(STMT_LONG_DATA, "q", b"\0\0zz")
        both.command(STMT_RESET, "q")
        settles(gilmok, [])
        both.execute("q", (b"\1a", int_of(4)), (TEXT, INT))


def test_a_cursor_keeps_the_client_until_its_end(maria, gilmok, others):
    with Both(maria, gilmok) as both:
        both.prepare("q", b"select seq from seq_1_to_5")
        others()
        both.execute("q", flags=1)
        settles(gilmok, ["cursor with hold"])
        both.command(STMT_FETCH, "q", b"\2\0\0\0")
        both.command(STMT_FETCH, "q", b"\x09\0\0\0")
        settles(gilmok, [])
        both.execute("q", flags=1)
        both.command(STMT_RESET, "q")
        settles(gilmok, [])
        both.execute("q", flags=1)
        both.command(STMT_CLOSE, "q")
        settles(gilmok, [])
        both.command(PING)


def test_a_cursor_outlives_an_execute_whose_parameters_are_wrong(maria, gilmok, others):
    with Both(maria, gilmok) as both:
        both.prepare("q", b"select seq from seq_1_to_5 where seq > length(?)")
        both.execute("q", (b"\1x",), (TEXT,), flags=1)
        both.execute("q", (b"",), (TEXT,))  # its value is missing
        settles(gilmok, ["cursor with hold"])
        both.command(STMT_FETCH, "q", b"\2\0\0\0")
        both.execute("q", (b"\1x",), (TEXT,))  # which ends it
        settles(gilmok, [])
        both.same(lambda c, n: error(c.command(STMT_FETCH + n["q"] + b"\2\0\0\0")[0][4:])[0])


def test_rows_of_a_cursor_are_not_made_up(maria, gilmok, others):
    """They are found when it is opened: elsewhere nobody knows how many."""
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with Client(port, maria.user, maria.password, "shop") as c:
            n = number(prepare(c, b"select id from prep where id < 3"))
            execute(c, n, flags=1)
            c.command(STMT_RESET + n)
            others()
            answers.append(c.command(QUERY + b"select found_rows()"))
    assert answers[0][2][-1:] == b"2" and error(answers[1][0][4:])[0] == 1235


def test_what_they_set_and_ask_is_as_in_texts(maria, gilmok, others):
    with Both(maria, gilmok) as both:
        both.prepare("mode", b"set sql_mode = 'ansi_quotes'")
        both.prepare("see", b"select @@sql_mode, @v")
        both.prepare("v", b"set @v = 12")
        both.prepare("ins", b"insert into prep (a, b) values (?, 77)")
        both.prepare("id", b"select last_insert_id() > 0")
        both.prepare("count", b"select row_count(), found_rows()")
        both.prepare("rows", b"select row_count()")
        both.prepare("all", b"select * from prep where b < 3")
        for _ in range(2):
            for name in ("mode", "v"):
                both.execute(name)
                others()
            both.same(lambda c, n: execute(c, n["see"])[-2 if maria.is_mysql else 0 :])  # as above
            assert all(a[0][4] == 0 for a in both.execute_alone("ins", (b"\1x",), (TEXT,)))
            time.sleep(0.3)
            others()
            both.execute("id")
            others()
            both.execute("all")
            others()
            both.execute("count")
            both.query(b"update prep set a = 'one' where b = 1")
            others()
            both.execute("rows")
    settles(gilmok, [])


def test_one_that_takes_locks_keeps_its_client(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        n = number(prepare(c, b"select get_lock('prep', 0)"))
        settles(gilmok, [])
        execute(c, n)
        settles(gilmok, ["advisory locks"])
    settles(gilmok, [])


def test_to_prepare_it_elsewhere_ends_no_transaction(maria, gilmok, others):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c, maria.direct() as d:
        remake(d, "table ends (id int)")
        n = number(prepare(c, b"select count(*) from ends"))
        others()
        for text in (b"set autocommit = 0", b"insert into ends values (1)"):
            c.command(QUERY + text)
        with gilmok.connect() as busy:
            rows(busy, "select 1")
        execute(c, n)
        c.command(QUERY + b"rollback")
        assert rows(d, "select * from ends") == ()


def test_the_sql_mode_of_one_statement_is_not_told_behind_it(maria, gilmok):
    with maria.direct() as d:
        rows(d, "create or replace procedure one_mode() set @in_one = 1")
    with Both(maria, gilmok) as both:
        both.prepare("q", b"select 1")
        both.query(b"set statement sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES' for select @@sql_mode")
        both.command(STMT_RESET, "q")
        both.query(b"set sql_mode = 'ANSI_QUOTES'")
        both.query(b"set statement sql_mode = '' for select @@sql_mode")
        both.command(STMT_RESET, "q")
    with Both(maria, gilmok, "old, tracking") as both:
        both.prepare("q", b"call one_mode()")
        both.query(b"create temporary table kept_there (a int)")
        for c in both.sides:  # the EOF behind its definitions is another matter
            c.command(QUERY + b"set statement sql_mode = 'ANSI' for select @@sql_mode")
        both.execute("q", flags=1)
        both.command(PING)


def test_to_reset_one_tells_that_a_transaction_has_ended(maria, gilmok, others):
    with Both(maria, gilmok) as both, maria.direct() as d:
        rows(d, "create or replace table reset_gone (a int, b int)")
        both.prepare("q", b"select a from prep where b = ?")
        both.prepare("gone", b"select a from reset_gone where b = ?")
        others()
        rows(d, "drop table reset_gone")
        both.query(b"start transaction")
        both.command(STMT_RESET, "q")
        both.command(STMT_RESET, "gone")
        both.query(b"start transaction read only")
        both.command(STMT_RESET, "q")
        both.query(b"create table nowhere.t (a int)")  # which ends it, and an error does not tell
        both.command(STMT_RESET, "q")
        both.command(PING)
    settles(gilmok, [])


def test_what_cannot_be_read_as_it_was_prepared_is_refused(maria, gilmok):
    """Not read otherwise."""
    with Both(maria, gilmok) as both:
        both.prepare("q", "select 'é', ?".encode())
        both.prepare("same", b"select 'e', ?")
        both.query(b"set names latin1")
        both.execute("q", (b"\1a",), (TEXT,), flags=1)
        both.command(STMT_RESET, "q")
        both.query(b"set @x = (select 1)")
        both.execute("q", (b"\1a",), (TEXT,), flags=1)
        both.command(STMT_RESET, "q")
        both.query(b"set net_read_timeout = @@net_read_timeout")
        both.execute("q", (b"\1a",), (TEXT,))
        both.command(STMT_LONG_DATA, "q", b"\0\0abc")
        answers = both.execute_alone("q", (b"",), (TEXT,))
        assert answers[0][0][4] == 2 and error(answers[1][0][4:])[:2] == (1235, "42000")
        both.prepare("q", "select 'é', ?".encode("latin1"))
        both.execute("q", (b"\1a",), (TEXT,), flags=1)
        both.command(STMT_RESET, "q")


def test_two_with_the_same_text_have_a_cursor_each(maria, gilmok):
    with Both(maria, gilmok) as both:
        for name in ("a", "b"):
            both.prepare(name, b"select id from prep where id >= ? order by id")
        both.execute("a", (int_of(1),), (INT,), flags=1)
        both.execute("b", (int_of(3),), (INT,), flags=1)
        both.prepare("c", b"select id from prep where id >= ? order by id")
        both.command(STMT_FETCH, "a", b"\2\0\0\0")
        both.command(STMT_FETCH, "b", b"\2\0\0\0")
        both.command(STMT_FETCH, "a", b"\2\0\0\0")
    settles(gilmok, [])


@pytest.mark.parametrize("rest", [b"\0\1\0\0\0", b"\0\1\0\0\0\0\0\1a"])
def test_an_execute_whose_parameters_are_wrong_forgets_long_data(maria, gilmok, others, rest):
    with Both(maria, gilmok) as both:
        both.prepare("q", b"select length(?), ?")
        both.command(STMT_LONG_DATA, "q", b"\0\0abc")
        both.command(STMT_EXECUTE, "q", rest)
        settles(gilmok, [])
        both.execute("q", (b"", int_of(4)), (TEXT, INT))
        both.execute("q", (b"\1a", int_of(4)), (TEXT, INT))


def test_long_data_are_nobody_elses(maria, gilmok):
    """Who has sent them has left."""
    text = b"select ?"
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as b:
        mine = number(prepare(b, text))
        execute(b, mine, (b"\1B",), (TEXT,))
        for _ in range(4):
            with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as a:
                n = number(prepare(a, text))
                a.command(STMT_LONG_DATA + n + b"\0\0A-SECRET")
                a.command(PING)
            answer = execute(b, mine, (b"\1B",), (TEXT,))
            assert answer[2][-2:] == b"\1B", answer


def test_long_data_for_what_is_gone_are_not_answered(maria, gilmok, others):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c, maria.direct() as d:
        remake(d, "table gone (a text)")
        n = number(prepare(c, b"insert into gone values (?)"))
        rows(d, "drop table gone")
        c.command(QUERY + b"begin")
        with gilmok.connect() as other:
            rows(other, "select 1")
        for _ in range(3):
            others_n = number(prepare(c, b"select 1"))
            c.command(STMT_CLOSE + others_n)
            c.command(STMT_LONG_DATA + n + b"\0\0x")
            assert c.command(QUERY + b"select 5")[2][-1:] == b"5"
        assert execute(c, n, (b"",), (TEXT,))[0][4] == 0xFF
        assert c.command(QUERY + b"select 6")[2][-1:] == b"6"


def test_few_are_kept_on_a_connection(maria, gilmok, others):
    with Both(maria, gilmok) as both:
        for i in range(12):
            both.prepare(i, b"select %d, ?" % i)
        for _ in range(2):
            for i in range(12):
                both.execute(i, (int_of(i),), (INT,))
            others()
    with maria.superuser() as root:
        assert int(rows(root, "show global status like 'prepared_stmt_count'")[0][1]) <= 2 * 5


def test_a_session_that_begins_anew_has_none(maria, gilmok):
    with Both(maria, gilmok) as both:
        both.prepare("q", b"select 1")
        both.command(RESET_CONNECTION)
        assert [error(a[0][4:])[0] for a in both.execute_alone("q")] == [1243, 1243]
        both.prepare("again", b"select 2")
        both.execute("again")


def test_numbers_are_each_clients_own(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as one, gilmok.connect() as other:
        first, second = number(prepare(one, b"select 1")), number(prepare(one, b"select 2"))
        assert (first, second) == (b"\1\0\0\0", b"\2\0\0\0")
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as two:
            assert number(prepare(two, b"select 3")) == first
            assert execute(two, second)[0][4] == 0xFF
            assert execute(one, first)[2] != execute(two, first)[2]
        assert value(other, "select 1") == 1


def test_they_are_those_of_the_schema_in_which_they_are_executed(maria, gilmok):
    """As past gilmok: of the one in which they were prepared, and prepared anew there."""
    with maria.superuser() as root:
        remake(root, "database elsewhere")
        remake(root, "table elsewhere.prep as select 9 as id, 'else' as a, 9 as b")
        rows(root, f"grant all on elsewhere.* to {maria.user}@'127.0.0.1'")
    with Both(maria, gilmok) as both:
        both.prepare("q", b"select count(*) from prep where id = 9 and a = 'else'")
        both.execute("q")
        both.command(INIT_DB + b"elsewhere")
        both.execute("q")
        both.prepare("there", b"select count(*) from prep where id = 9 and a = 'else'")
        both.execute("there")
        both.command(INIT_DB + b"shop")
        both.execute("there")
        both.execute("q")


def test_wrong_arguments_come_before_anything_else(maria, gilmok, others):
    """What the connection does not have yet is not prepared for them: in a transaction that may not write that would fail."""
    with Both(maria, gilmok) as both:
        both.prepare("q", b"delete from prep where id = ?")
        others()
        both.command(QUERY, rest=b"start transaction read only")
        both.execute("q", (int_of(1),))
        both.command(QUERY, rest=b"rollback")


@pytest.mark.parametrize("long", [False, True])
def test_who_has_dropped_its_schema_cannot_have_it_prepared_there(maria, gilmok, others, long):
    """The connection could not be without a schema again; the session goes on."""
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c, maria.superuser() as root:
        n = number(prepare(c, b"select length(?)"))
        others()
        rows(root, f"grant all on gone_schema.* to {maria.user}@'127.0.0.1'")
        for text in (b"create database gone_schema", b"use gone_schema", b"drop database gone_schema"):
            assert c.command(QUERY + text)[-1][4:5] == b"\0"
        if long:
            c.command(STMT_LONG_DATA + n + b"\0\0xyz")
        assert error(execute(c, n, (b"\1x",), (TEXT,))[0][4:])[0] == 1235
        assert c.command(QUERY + b"select 7")[2][4:] == b"\x017"
