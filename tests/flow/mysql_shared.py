#!/usr/bin/python3
"""MySQL clients that share server connections: each finds its own session on whichever it gets, and nothing of anybody else's."""

import threading
import time

import pymysql
import pytest
from mysqltools import Maria, remake, value

from mywire import INIT_DB, KINDS, QUERY, RESET_CONNECTION, SET_OPTION, STMT_EXECUTE, STMT_PREPARE, Client, error


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    yield m
    m.close()


@pytest.fixture(scope="module")
def gilmok(maria):
    with maria.started(mode="transaction", database=["pool_size = 2"]) as g:
        yield g


@pytest.fixture
def clients(gilmok):
    made = [gilmok.connect() for _ in range(5)]
    yield made
    for c in made:
        c.close()


def ask(c, sql):
    with c.cursor() as k:
        k.execute(sql)
        return k.fetchall()


def held(g):
    """Why clients keep their connections."""
    return sorted(row["held_by"] for row in g.show("CLIENTS", database="shop") if row["held_by"])


def settles(g, expected):
    end = time.monotonic() + 5
    while held(g) != expected and time.monotonic() < end:
        time.sleep(0.02)
    assert held(g) == expected


def test_many_clients_go_through_few_connections(clients, gilmok):
    used = {value(c, "select connection_id()") for _ in range(3) for c in clients}
    assert len(used) <= 2
    assert held(gilmok) == []


SETTINGS = [
    ("set sql_mode = 'ansi_quotes'", "@@sql_mode", "ANSI_QUOTES"),
    ("set sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT')", "'a' || 'b'", "ab"),
    ("set names latin1", "concat(@@character_set_client, @@collation_connection)", "latin1latin1_swedish_ci"),
    ("set character_set_results = null", "@@character_set_results", None),
    ("set time_zone = '+05:00'", "@@time_zone", "+05:00"),
    ("set timestamp = 1000000000", "unix_timestamp()", 1000000000),
    ("set session transaction isolation level serializable", "@@tx_isolation", "SERIALIZABLE"),
    ("set @a = 5", "@a", 5),
    ("set @a = 'it''s', @b = -1.5", "concat(@a, @b)", "it's-1.5"),
    ("set group_concat_max_len = 17", "@@group_concat_max_len", 17),
    ("use information_schema", "database()", "information_schema"),
    ("set foreign_key_checks = 0", "@@foreign_key_checks", 0),
    ("set unique_checks = off", "@@unique_checks", 0),
]


@pytest.mark.parametrize("text, expression, expected", SETTINGS)
def test_settings_go_along(maria, clients, gilmok, text, expression, expected):
    expression = maria.in_its_words(expression)
    before = value(clients[1], f"select {expression}")
    ask(clients[0], text)
    for _ in range(3):
        for c in clients[1:]:
            assert value(c, f"select {expression}") == before or "timestamp" in expression
        assert value(clients[0], f"select {expression}") == expected
    settles(gilmok, [])


def test_a_user_variable_that_is_null_again_keeps_its_type(maria, gilmok):
    """For its client, wherever it goes on; others do not find it."""
    texts = [b"set @n = 5, @s = 'x', @d = 1.5, @x = null", b"select @n, @s, @d, @x", b"set @n = null, @s = null", b"set @s = null, @d = null"]
    asks = b"select @n, @s, @d, charset(@n), charset(@s)"
    found = []
    for port in (maria.port, gilmok.mysql_port):
        one, two = (Client(port, maria.user, maria.password, "shop") for _ in range(2))
        answers = []
        for text in texts:
            answers += [one.command(QUERY + text), two.command(QUERY + b"select 1"), one.command(QUERY + asks), two.command(QUERY + b"select 2")]
            told = two.command(QUERY + asks)[1:]
            answers.append([p[-12:-10] + p[-6:] if b"def" in p else p for p in told])  # their length is another matter
        found.append(answers)
        one.close()
        two.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["foreign_key_checks", "unique_checks"])
def test_default_of_what_mysql_keeps_as_its_opposite_is_its_clients_alone(maria, clients, name):
    """There it turns them off, whatever the global value is."""
    with maria.direct() as d:
        ask(d, f"set {name} = default")
        expected = value(d, f"select @@{name}")
    ask(clients[0], f"set {name} = default")
    for _ in range(3):
        assert {value(c, f"select @@{name}") for c in clients[1:]} == {1}
        assert value(clients[0], f"select @@{name}") == expected


def test_what_a_text_means_follows_its_clients_sql_mode(clients):
    """In quotes of one kind one client has a name, the other a string."""
    ask(clients[0], "set sql_mode = 'ansi_quotes'")
    for _ in range(3):
        assert value(clients[1], 'select "get_lock"') == "get_lock"
        assert value(clients[0], 'select "a" from (select 7 as a) t') == 7


STAYS = [
    ("create temporary table temp_t (id int)", "temporary objects", "select count(*) from temp_t"),
    ("select get_lock('flow', 1)", "advisory locks", "select is_used_lock('flow') = connection_id()"),
    ("prepare p from 'select 1'", "sql prepare", "execute p"),
    ("set @x := (select 5)", "user variables", "select @x = 5"),
    ("set profiling = 1", "settings", "select @@profiling = 1"),
    ("set transaction isolation level serializable", "next transaction", "select 1"),
]


@pytest.mark.parametrize("text, reason, question", STAYS)
def test_what_cannot_go_along_keeps_its_client_there(gilmok, text, reason, question):
    c, others = gilmok.connect(), [gilmok.connect() for _ in range(3)]
    ask(c, text)
    settles(gilmok, [reason])
    mine = value(c, "select connection_id()")
    assert mine not in {value(o, "select connection_id()") for o in others}
    ask(c, question)
    c.close()
    settles(gilmok, [])
    for o in others:
        o.close()


def test_code_that_nobody_reads_keeps_its_client_by_what_it_changes(maria, gilmok, clients):
    with maria.superuser(database=maria.db) as d:
        remake(d, "table hidden (id int)")
        remake(d, "trigger hidden_t before insert on hidden for each row set @seen = new.id")
    ask(clients[0], "insert into hidden values (7)")
    settles(gilmok, ["session state"])
    assert value(clients[0], "select @seen") == 7
    assert {value(c, "select @seen") for c in clients[1:]} == {None}


def test_a_text_that_is_refused_keeps_nobody(clients, gilmok):
    for text in ("selec 1", "set nothing_of_the_kind = 1", "set sql_mode = 'nonsense'", "set names nothing"):
        with pytest.raises(pymysql.err.MySQLError):
            ask(clients[0], text)
        settles(gilmok, [])


def test_of_texts_that_fail_nobody_knows_how_far_they_came(clients, gilmok):
    with Client(gilmok.mysql_port, gilmok.maria.user, gilmok.maria.password, "shop") as c:
        c.command(QUERY + b"set @far = '" + b"x" * 70000 + b"'; set global sql_mode = ''")
        settles(gilmok, ["settings"])
        assert {value(other, "select @far") for other in clients} == {None}
        assert c.command(QUERY + b"select length(@far)")[2][5:] == b"70000"


def test_a_transaction_keeps_its_connection_to_its_end(clients, gilmok):
    ask(clients[0], "begin")
    settles(gilmok, ["transaction"])
    mine = value(clients[0], "select connection_id()")
    assert mine not in {value(c, "select connection_id()") for c in clients[1:]}
    ask(clients[0], "rollback")
    settles(gilmok, [])


def test_without_autocommit_a_failure_leaves_a_transaction(maria, clients, gilmok):
    with maria.direct() as d:
        remake(d, "table ac (id int primary key)")
        ask(d, "insert into ac values (1)")
    ask(clients[0], "set autocommit = 0")
    settles(gilmok, [])
    with pytest.raises(pymysql.err.IntegrityError):
        ask(clients[0], "insert into ac values (1)")
    settles(gilmok, ["transaction"])
    ask(clients[0], "rollback")
    settles(gilmok, [])
    assert value(clients[1], "select @@autocommit") == 1 and value(clients[0], "select @@autocommit") == 0


def test_numbers_that_were_generated_are_each_clients_own(maria, clients, gilmok):
    with maria.direct() as d:
        remake(d, "table gen (id int auto_increment primary key, a int)")
    for c in clients:
        ask(c, "insert into gen (a) values (1)")
    for i, c in enumerate(clients):
        assert value(c, "select last_insert_id()") == i + 1
    ask(clients[0], "insert into gen values (1000, 1)")
    settles(gilmok, [])
    for i, c in enumerate(clients):
        ask(c, "insert into gen (a) values (last_insert_id())")
        assert value(clients[4 - i], "select max(a) from gen") >= i + 1


def test_counts_are_each_clients_own(maria, clients, gilmok):
    with maria.direct() as d:
        remake(d, "table counted (id int)")
        ask(d, "insert into counted values (1), (2), (3), (4), (5)")
    for i, c in enumerate(clients):
        ask(c, f"select sql_calc_found_rows id from counted where id <= {i + 1} limit 1")
    for i, c in enumerate(clients):
        assert value(c, "select found_rows()") == i + 1
    for i, c in enumerate(clients):
        ask(c, f"update counted set id = id + 10 where id % 10 <= {i + 1}")
    settles(gilmok, [])
    for i, c in enumerate(clients):
        assert ask(c, "select row_count(), 'x' as y, 1 + row_count()") == ((i + 1, "x", i + 2),)


@pytest.mark.parametrize("text", ["update updated set id = id + 1", "do 1"])
def test_rows_that_an_update_has_found_are_not_made_up(maria, clients, gilmok, text):
    """MySQL's FOUND_ROWS() tells these. Elsewhere nobody knows them."""
    with maria.direct() as d:
        remake(d, "table updated (id int)")
        ask(d, "insert into updated values (1), (2), (3)")
    for c in clients:
        ask(c, "select id from updated limit 1")
        ask(c, text)
    settles(gilmok, [])
    for c in clients:
        if maria.is_mysql:
            with pytest.raises(pymysql.err.MySQLError, match="not known any more"):
                value(c, "select found_rows()")
        else:
            assert value(c, "select found_rows()") == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_warnings_are_kept(maria, gilmok, kind):
    """At once, and when the connection has long been somebody else's: packet by packet as past gilmok."""
    maria.skip_who_is_not_let_in(kind)
    answers = []
    for port, waits in ((maria.port, 0), (gilmok.mysql_port, 0), (gilmok.mysql_port, 0.4)):
        with Client(port, maria.user, maria.password, "shop", caps=KINDS[kind]) as c, gilmok.connect() as other:
            c.command(QUERY + b"set sql_mode = ''")
            c.command(QUERY + b"drop table if exists warned")
            c.command(QUERY + b"create table warned (a tinyint)")
            c.command(QUERY + b"insert into warned values (1000), (-1000)")
            time.sleep(waits)
            if waits:
                settles(gilmok, [])
                assert ask(other, "show warnings") == ()
            answers.append([c.command(QUERY + text) for text in (b"show warnings", b"SHOW  WARNINGS;", b"select 1", b"select row_count()")])
    assert answers[0] == answers[1] == answers[2]


def test_errors_of_tables_with_generated_keys_are_kept(maria, gilmok):
    """Of these gilmok asks for the warnings, and for the numbers."""
    answers = []
    for port, waits in ((maria.port, 0), (gilmok.mysql_port, 0), (gilmok.mysql_port, 0.4)):
        with Client(port, maria.user, maria.password, "shop") as c, gilmok.connect() as other:
            for text in (b"drop table if exists failed", b"create table failed (id int auto_increment primary key, a tinyint unique)",
                         b"insert into failed (a) values (1)", b"select last_insert_id()", b"insert into failed (a) values (1)"):  # fmt: skip
                c.command(QUERY + text)
            time.sleep(waits)
            if waits:
                settles(gilmok, [])
                assert ask(other, "show warnings") == ()
            answers.append([c.command(QUERY + text) for text in (b"show warnings", b"select last_insert_id(), row_count()")])
    assert b"Duplicate entry" in b"".join(answers[0][0])
    assert answers[0] == answers[1] == answers[2]


BEHIND_WARNINGS = [
    (QUERY, b"set autocommit = 0"),
    (QUERY, b"alter database shop collate utf8mb4_general_ci"),
    (QUERY, b"show create database shop"),
    (QUERY, b"xa rollback 'none'"),
    (QUERY, b"create table if not exists behind (a int)"),
    (STMT_PREPARE, b"select table_name from information_schema.tables where table_schema = 'shop' and table_name = ?"),
    (STMT_PREPARE, b"select ?"),
    (STMT_PREPARE, b"set @a = 1"),
    (STMT_PREPARE, b"do (select count(*) from information_schema.tables)"),
]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("body", [b"".join(b) for b in BEHIND_WARNINGS])
@pytest.mark.parametrize("kind", ["new", "old"])
def test_what_leaves_warnings_and_what_clears_them(maria, gilmok, kind, body, waits):
    answers = []
    ask(maria.direct(), "create table if not exists behind (a int)")
    for port in (maria.port, gilmok.mysql_port):
        with Client(port, maria.user, maria.password, "shop", caps=KINDS[kind]) as c:
            c.command(QUERY + b"select 1 / 0, cast('x' as int)")
            if waits:
                settles(gilmok, [])
            c.command(body)
            answers.append(c.command(QUERY + b"show warnings"))
    assert answers[0] == answers[1]


def test_counted_warnings_are_a_row(maria, gilmok):
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with Client(port, maria.user, maria.password, "shop") as c:
            c.command(QUERY + b"select 1 union select 2")
            answers.append([c.command(QUERY + t) for t in (b"show count(*) warnings", b"select found_rows()", b"select found_rows()")])
    assert answers[0] == answers[1]


def test_diagnostics_leave_the_row_count(maria, gilmok):
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with Client(port, maria.user, maria.password, "shop") as c:
            c.command(QUERY + b"commit")
            answers.append([c.command(QUERY + t) for t in (b"get diagnostics @a = number", b"select row_count()", b"select row_count(), @a")])
            c.command(QUERY + b"do 1")
            answers[-1] += [c.command(QUERY + t) for t in (b"get diagnostics condition 1 @a = message_text", b"select row_count()")]
            c.command(QUERY + b"do 1")
    assert answers[0] == answers[1]


def test_who_prepares_finds_no_warnings_of_others(maria, gilmok):
    for _ in range(4):
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
            c.command(STMT_PREPARE + b"selec ?")
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
            c.command(QUERY + b"begin")
            c.command(STMT_PREPARE + b"commit")
            assert len(c.command(QUERY + b"show warnings")) == 5  # no row


def test_warnings_that_are_nowhere_any_more_are_not_made_up(maria, gilmok):
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        c.command(QUERY + b"selec")
        assert c.command(QUERY + b"select @@error_count")[2][5:6] == b"1"
        c.command(QUERY + b"selec")
        settles(gilmok, [])
        c.command(SET_OPTION + b"\1\0")  # which leaves them
        number, state, text = error(c.command(QUERY + b"select @@error_count")[0][4:])
        assert (number, state) == (1235, "42000") and "not known any more" in text


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_session_that_begins_anew_has_nothing_left(maria, gilmok, kind):
    maria.skip_who_is_not_let_in(kind)
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with Client(port, maria.user, maria.password, "shop", caps=KINDS[kind]) as c:
            for text in (b"set @a := (select 1), sql_mode = ''", b"create temporary table anew (id int)", b"use information_schema", b"begin"):
                c.command(QUERY + text)
            again = [c.command(RESET_CONNECTION)]
            answers.append(again + [c.command(QUERY + b"select @a, @@sql_mode, database(), @@character_set_client")])
    assert answers[0] == answers[1]
    settles(gilmok, [])


@pytest.mark.parametrize("text", [b"set character set latin2", b"set @c = @@character_set_database", b"set @c = (select @@collation_database)"])
def test_the_default_collation_of_a_session_that_begins_anew_is_the_servers(maria, gilmok, clients, text):
    """At MariaDB; that of the schema it is again behind USE."""
    ask(clients[0], "alter database shop collate utf8mb4_bin")
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with Client(port, maria.user, maria.password, "shop") as c:
            c.command(RESET_CONNECTION)
            prepared = c.command(STMT_PREPARE + text)
            c.command(STMT_EXECUTE + prepared[0][5:9] + b"\0\1\0\0\0")
            answer = [c.command(QUERY + b"select @@collation_connection, @c"), c.command(RESET_CONNECTION)]
            answer += [c.command(QUERY + text), c.command(RESET_CONNECTION), c.command(QUERY + text)]
            answer.append(c.command(QUERY + b"select @@collation_connection, @c, @@collation_database"))
            answer += [c.command(INIT_DB + b"shop"), c.command(QUERY + b"select @@collation_database")]
            answer += [c.command(RESET_CONNECTION), c.command(INIT_DB + b"shop"), c.command(QUERY + b"select @@collation_database")]
            answers.append(answer)
    assert answers[0] == answers[1]
    settles(gilmok, [])
    assert {value(c, "select @@collation_database") for c in clients} == {"utf8mb4_bin"}
    ask(clients[0], "alter database shop collate utf8mb4_general_ci")


def test_who_has_dropped_its_schema_names_one_before_it_begins_anew(maria, gilmok):
    """No other connection could be given none."""
    root = maria.superuser(database=None)
    ask(root, f"grant all on lost.* to {maria.user}@'127.0.0.1'")
    with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
        for text in (b"create or replace database lost", b"use lost", b"drop database lost"):
            assert c.command(QUERY + text)[0][4] == 0
        number, _, text = error(c.command(RESET_CONNECTION)[0][4:])
        assert number == 1235 and "dropped" in text
        assert error(c.command(QUERY + b"create table t (a int)")[0][4:])[0] == 1046
        assert [c.command(b)[0][4] for b in (INIT_DB + b"shop", RESET_CONNECTION, QUERY + b"do 1")] == [0, 0, 0]
    settles(gilmok, [])


def test_a_schema_that_is_gone_is_not_written_past(maria, gilmok, clients):
    """Another client's schema must not take its place."""
    root = maria.superuser(database=None)
    remake(root, "database passing")
    ask(root, "create table passing.t (id int)")
    ask(root, f"grant all on passing.* to {maria.user}@'127.0.0.1'")
    remake(root, "table shop.t (id int)")
    ask(clients[0], "use passing")
    ask(clients[0], "insert into t values (1)")
    ask(clients[1], "select 1")
    ask(root, "drop database passing")
    with pytest.raises(pymysql.err.MySQLError, match="1049|Unknown database"):
        ask(clients[0], "insert into t values (2)")
    assert value(root, "select count(*) from shop.t") == 0
    root.close()


def test_a_connection_that_is_lost_while_it_is_kept_for_a_moment(maria, clients, gilmok):
    with maria.superuser(database=maria.db) as root:
        remake(root, "table lost (id int auto_increment primary key)")
        ask(clients[0], "insert into lost values (null)")
        for (thread,) in ask(root, f"select id from information_schema.processlist where user = '{maria.user}'"):
            ask(root, f"kill {thread}")
    time.sleep(0.3)
    with gilmok.connect() as c:
        assert value(c, "select 1") == 1 and gilmok.is_alive()


def test_what_is_refused_holds_nothing(maria, gilmok):
    if maria.is_mysql:
        pytest.skip("MySQL has no sequences, and no @@last_gtid")
    for text in (b"/* behind a comment */ select lastval(s)", b"select @@last_gtid", b"do lastval(s)"):
        with Client(gilmok.mysql_port, maria.user, maria.password, "shop") as c:
            assert error(c.command(QUERY + text)[0][4:])[0] == 1235
            settles(gilmok, [])
            assert c.command(RESET_CONNECTION)[0][4] == 0
            assert len(c.command(QUERY + b"select 1")) == 4


@pytest.fixture
def triggered(maria):
    """Each row that is written sets a variable, and makes a temporary table."""
    with maria.superuser(database=maria.db) as d:
        remake(d, "table triggered (id int primary key, a int)")
        ask(d, "insert into triggered values (1, 1)")
        remake(d, "trigger triggered_t before insert on triggered for each row set @left_behind = new.id")
    return "triggered"


@pytest.mark.parametrize("waits", [0, 0.3])
def test_what_a_trigger_has_left_in_front_of_an_error_is_nobodys(clients, gilmok, triggered, waits):
    with pytest.raises(pymysql.err.IntegrityError):
        ask(clients[0], f"insert into {triggered} values (1, 2)")
    time.sleep(waits)
    assert {value(c, "select @left_behind") for _ in range(2) for c in clients[1:]} == {None}


@pytest.mark.parametrize("text", ["insert into {} values (1, 2) on duplicate key update id = last_insert_id(id)", "set @other = 1; insert into {} values (2, 2)"])
def test_what_a_trigger_changes_no_text_explains(maria, gilmok, triggered, text):
    with gilmok.connect(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS) as c:
        with c.cursor() as k:
            k.execute(text.format(triggered))
            while k.nextset():
                pass
        settles(gilmok, ["session state"])
    settles(gilmok, [])


def test_everybody_gets_a_turn(maria, gilmok):
    """Although each answer has a number that may be asked for."""
    with maria.direct() as d:
        remake(d, "table turns (id int auto_increment primary key)")
    counts, ends = [0] * 4, time.monotonic() + 1.5

    def insert(i):
        with gilmok.connect() as c:
            while time.monotonic() < ends:
                ask(c, "insert into turns values (null)")
                counts[i] += 1

    threads = [threading.Thread(target=insert, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert min(counts) * 4 > max(counts), counts


def test_a_deadlock_that_was_only_signalled_leaves_its_transaction(maria, gilmok, clients):
    with maria.direct() as d:
        remake(d, "table signalled (id int)")
    with gilmok.connect() as c:
        ask(c, "begin")
        ask(c, "insert into signalled values (1)")
        with pytest.raises(pymysql.err.MySQLError, match="1213"):
            ask(c, "signal sqlstate '40001' set mysql_errno = 1213")
    for c in clients:
        assert ask(c, "select * from signalled") == ()


@pytest.mark.parametrize("text", ["set insert_id = 777", "set rand_seed1 = 1", "set optimizer_switch = 'mrr=on'", "set sql_big_selects = 1"])
def test_what_no_list_of_settings_can_carry_keeps_its_client(gilmok, text):
    with gilmok.connect() as c:
        ask(c, "begin")
        ask(c, text)
        ask(c, "commit")
        settles(gilmok, ["settings"])
    settles(gilmok, [])


def test_who_asks_the_server_to_end_the_session_is_ended(gilmok):
    with gilmok.connect() as c:
        ask(c, "begin")
        ask(c, "commit release")
        with pytest.raises(pymysql.err.MySQLError):
            ask(c, "select 1")
            ask(c, "select 1")
        c._force_close()  # pylint: disable=protected-access


def test_a_reload_may_turn_sharing_on_and_off(maria):
    with maria.started(database=["pool_size = 2"]) as g, g.connect() as stays:
        ask(stays, "set @a = 5")
        for mode in ("transaction", "session", "transaction"):
            g.text = g.text.replace("pool_mode = session", f"pool_mode = {mode}").replace("pool_mode = transaction", f"pool_mode = {mode}")
            g.write("gilmok.conf", g.text)
            g.console("RELOAD")
            with g.connect() as c:
                ask(c, "set @a = 6")
                assert value(c, "select @a") == 6 and value(stays, "select @a") == 5


def test_rows_of_a_show_in_front_of_another_statement_are_not_forgotten(maria, gilmok):
    answers = []
    for port in (maria.port, gilmok.mysql_port):
        with Client(port, maria.user, maria.password, "shop") as c:
            for text in (b"start transaction read only", b"select 1", b"show variables like 'lower_case_t%'; rollback and chain", b"rollback"):
                c.command(QUERY + text)
            settles(gilmok, [])
            answers.append(c.command(QUERY + b"select found_rows()"))
    assert answers[0] == answers[1]
