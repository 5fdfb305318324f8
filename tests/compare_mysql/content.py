#!/usr/bin/python3
"""What scripts contain: the table of kinds with their weights, a generator for the commands of each, and the ways in which texts are
sent. Script number N is always the same, for the same kinds."""

import random

from mywire import KINDS as CLIENT_KINDS, PLUGIN_AUTH
from programs import Programs
from steps import LATER, Script, Step

VARIABLES = ("a", "b", "c", "d")
ZONES = ("'+00:00'", "'+02:00'", "'SYSTEM'", "default", "'nowhere'", "concat('+0', 3, ':00')")
MODES = ("''", "'ANSI_QUOTES'", "'PIPES_AS_CONCAT'", "'STRICT_TRANS_TABLES'", "'NO_BACKSLASH_ESCAPES'", "default", "'ANSI'", "'nonsense'",
         "concat(@@sql_mode, ',NO_ZERO_DATE')", "concat(@@sql_mode, ',ANSI_QUOTES')", "'TRADITIONAL'", "@a", "'NO_AUTO_VALUE_ON_ZERO'", "2", "@@global.sql_mode")  # fmt: skip
CHARSETS = ("utf8mb4", "latin1", "utf8mb3", "binary", "cp1250", "no_such", "ascii")
COLLATIONS = ("utf8mb4_unicode_ci", "utf8mb4_bin", "latin1_german1_ci", "latin1_swedish_ci")
LIMITS = (("group_concat_max_len", ("4", "5", "1024", "default", "2+4", "'x'")), ("sql_select_limit", ("1", "2", "default", "18446744073709551615", "@a")),
          ("max_statement_time", ("0", "10", "default")), ("auto_increment_increment", ("1", "5", "default")), ("auto_increment_offset", ("1", "2", "default")),
          ("div_precision_increment", ("4", "1", "default")), ("lc_time_names", ("'de_DE'", "default", "'en_US'")), ("foreign_key_checks", ("0", "1", "default")),
          ("unique_checks", ("0", "1")), ("sql_safe_updates", ("0", "1")), ("sql_big_selects", ("0", "1")), ("sql_auto_is_null", ("0", "1")), ("sql_notes", ("0", "1")),
          ("sql_warnings", ("0", "1")), ("max_error_count", ("1", "64", "default")), ("default_week_format", ("1", "0")), ("insert_id", ("40", "41")),
          ("last_insert_id", ("5", "6", "17+1")), ("identity", ("9",)), ("max_sort_length", ("64", "default")), ("completion_type", ("0", "'CHAIN'", "default")),
          ("wait_timeout", ("100", "default")), ("tx_read_only", ("0", "1")), ("query_cache_type", ("default",)), ("big_tables", ("0", "1")),
          ("innodb_strict_mode", ("0", "1")), ("lock_wait_timeout", ("3", "default")), ("no_such_variable", ("1",)), ("low_priority_updates", ("1", "0")),
          ("character_set_filesystem", ("latin1", "default")), ("optimizer_switch", ("'index_merge=off'", "default")), ("pseudo_slave_mode", ("0",)),
          ("collation_database", ("latin1_bin", "default")), ("character_set_server", ("latin1", "default")), ("default_storage_engine", ("MyISAM", "default")),
          ("sql_quote_show_create", ("0", "1")), ("max_user_connections", ("1",)), ("net_read_timeout", ("20", "default")),
          ("lc_messages", ("'de_DE'", "'fr_FR'", "default")), ("check_constraint_checks", ("0", "1")), ("sql_if_exists", ("0", "1")), ("old_mode", ("'UTF8_IS_UTF8MB3'", "''", "default")), ("max_recursive_iterations", ("2", "default")),
          ("explicit_defaults_for_timestamp", ("0", "1")), ("idle_transaction_timeout", ("100", "default")), ("join_buffer_size", ("1000", "default")), ("system_versioning_asof", ("default",)),
          ("sql_log_off", ("1",)), ("profiling", ("0",)), ("transaction_isolation", ("'SERIALIZABLE'",)), ("max_join_size", ("1", "default")), ("sql_buffer_result", ("0", "1")), ("interactive_timeout", ("99", "default")))  # fmt: skip
TRACKING = (("session_track_schema", ("0", "1", "off", "default")), ("session_track_state_change", ("0", "1", "on")),
            ("session_track_transaction_info", ("'OFF'", "'STATE'", "'CHARACTERISTICS'", "default")),
            ("session_track_system_variables", ("''", "'*'", "'time_zone,sql_mode'", "default", "'no_such'")))  # fmt: skip


class Writer(Programs):
    """The commands of one script: what its clients play with, so that they meet each other's leavings."""

    def __init__(self, dice, clients):
        self.dice, self.me = dice, 0
        self.is_plain = [not CLIENT_KINDS[kind] & PLUGIN_AUTH for kind, _ in clients]
        self.limits = dice.sample(LIMITS, 3)
        self.modes = dice.sample(MODES, 4)
        self.prepared = {}  # (client, name): kinds of its parameters

    def one(self, *choices):
        return self.dice.choice(choices)

    def number(self, *choices):
        return self.dice.choice(choices or (1, 2, 3, 5, 10, 20, 30, 40, 0, -1))

    # ---- plain statements ----

    def plain(self):
        i = self.me
        return self.one(
            "select 1", "select 1, 'two', null", f"select * from t{i} order by id", f"select * from u{i} order by id", "select * from words order by id",
            f"select id, s from t{i} where v > {self.number()}", "do 1", "", "-- nothing", "select count(*) from words", f"select sum(v), max(id) from t{i}",
            "select id from words where id > 1 order by id desc limit 2", "select 'it''s', \"q\"", "select 1 union select 2 order by 1", "values (1, 'a'), (2, 'b')",
            f"select * from t{i} join words using (id) order by id", "select 1 as `a b`, 2.50, 1e0, cast('2020-01-02' as date)", f"select * from {{b}}.t{i} order by id",
            f"explain select * from t{i} where id = 1", f"select * from t{i} where id = 2 for update", f"select * from u{i} where id = 1 lock in share mode",
            "select group_concat(w order by id) from words", "select 7 / 3, 1 || 0, 'a' 'b'", f"show columns from t{i}", f"show tables like 't{i}'",
            f"select count(*) from t{i}, words", "table words", "with c as (select 1 x) select x from c", "select x'41', b'1', _latin1'a'", "/* c */ select /*+ no */ 2 # end",
        )  # fmt: skip

    def write(self):
        i, v = self.me, self.dice.randrange(1, 9) * 10
        return self.one(
            f"insert into t{i} (v) values ({v})", f"insert into t{i} (v, s) values ({v}, 'a'), ({v + 1}, 'b')", f"insert into t{i} values ({v + 3}, {v + 2}, 'id')",
            f"insert ignore into t{i} (v) values ({v}), ({v + 5})", f"insert into t{i} (v) values ({v}) on duplicate key update s = 'dup'",
            f"insert into t{i} (v) values ({v}) on duplicate key update id = last_insert_id(id), v = v + 100", f"insert into u{i} (id, n) values ({self.number(1, 2, 7, 8)}, 5)",
            f"insert ignore into u{i} values (9, null, 'x', 'c')", f"update t{i} set s = 'up' where id <= {self.number()}", f"update t{i} set s = s",
            f"delete from t{i} where v = {v}", f"delete from u{i} where id > 2", f"replace into t{i} (id, v) values (1, {v})", f"update u{i} set n = n + 1",
            f"insert into t{i} (v) select id * 7 from words", f"insert into t{i} (id, v) values (null, {v}), (0, {v + 1})", f"insert into g{i} (v) values ({v})",
            f"insert into t{i} (v) values ({v}) returning id, v", f"delete from t{i} where id = 2 returning s", f"insert into t{i} (v, s) values ({v}, 'a string too long for it')",
            f"insert into {{b}}.t{i} (v) values ({v})", f"update t{i} set v = v / 0 where id = 1", f"insert into u{i} set id = {v}, n = 3, e = 'b'", f"insert into t{i} () values ()",
        )  # fmt: skip

    def key(self):
        i, v = self.me, self.dice.randrange(1, 9) * 10
        return self.one("select last_insert_id()", "select last_insert_id()", f"insert into t{i} (v) values ({v})", f"select last_insert_id({v})", "select @@identity, @@last_insert_id",
                        f"insert into g{i} (v) values (last_insert_id())", f"insert into u{i} (id, n) values (last_insert_id() + 50, last_insert_id())", "select f_last()",
                        f"update t{i} set id = last_insert_id(id + 1) where v = {v}", f"select * from t{i} where id = last_insert_id()", f"set insert_id = {v + 7}",
                        f"select * from t{i} where id is null", f"insert into t{i} (v) values ({v}), ({v + 1}), ({v + 2})", f"set last_insert_id = {v}", "set @a = last_insert_id()")  # fmt: skip

    def counts(self):
        i = self.me
        return self.one("select row_count()", "select found_rows()", "select row_count(), found_rows()", "select sql_calc_found_rows * from words order by id limit 1",
                        "select * from words limit 2", f"update t{i} set s = 'c' where id < 3", f"insert into g{i} (v) select id from words", "select found_rows()", "select row_count()",
                        "set @b = row_count()", "do found_rows()", f"select sql_calc_found_rows id from t{i} limit 0", "set @c = found_rows()", "select 1 where 0")  # fmt: skip

    def warnings(self):
        i = self.me
        return self.one("show warnings", "show warnings", "show errors", "show count(*) warnings", "show count(*) errors", "select @@warning_count", "select @@error_count",
                        "select 1 / 0", "select cast('x' as int)", f"insert ignore into t{i} (v) values ('y')", f"drop table if exists no_such{i}", "select f_warn('z')",
                        f"update ignore t{i} set v = 'w' where id = 1", "do 1 / 0, cast('q' as int)", "show warnings limit 1", "select @@warning_count, @@error_count",
                        "get diagnostics @a = number", "get diagnostics condition 1 @b = message_text", "set @c = @@warning_count", "signal sqlstate '01000' set message_text = 'w'",
                        f"create table if not exists t{i} (x int)", "select no_such_column", "set @d = @@error_count")  # fmt: skip

    def wrong(self):
        i = self.me
        return self.one("selec 1", "select * from no_such", f"insert into t{i} (id) values (1)", "select no_such()", "select 1 +", f"insert into t{i} (v) values ('bad')", "call no_such()",
                        f"insert into u{i} (id) values (77)", f"insert into t{i} (v) values (1 / 0)", "select (select 1 union select 2)", "signal sqlstate '45000' set message_text = 'mine'",
                        "use no_such_schema", "create table words (x int)", "drop table no_such", "set no_such = 1", "select * from words where", "rollback to no_such", "execute no_such",
                        f"alter table t{i} drop column no_such", "select 'unfinished", "set time_zone = 'x'", "set names 'x'", "call p_signal()", "call p_fails()",
                        "select * from mysql.global_priv", "kill 0", "select exp(9999)", f"insert into u{i} values (80, 1, 123456.7, 'a')", "set global sql_mode = ''")  # fmt: skip

    def transaction(self):
        i, v = self.me, self.dice.randrange(100, 900)
        return self.one("begin", "start transaction", "begin", "commit", "commit", "rollback", "rollback", "start transaction read only", "start transaction with consistent snapshot",
                        "commit and chain", "rollback and chain", "commit work", f"insert into t{i} (v) values ({v})", "start transaction read write", "select @@in_transaction",
                        "begin work", "begin not atomic set @a = 5; end", "xa recover", "commit no release")  # fmt: skip

    def savepoint(self):
        i, v = self.me, self.dice.randrange(100, 900)
        return self.one("savepoint one", "savepoint one", "savepoint two", "rollback to one", "rollback to savepoint two", "release savepoint one", "begin", f"insert into t{i} (v) values ({v})", f"select v from t{i} order by v",
                        "rollback work to savepoint ONE", "release savepoint two", "commit", "rollback", "set autocommit = 0", "savepoint `odd name`", "rollback to `odd name`", f"update t{i} set v = {v} where id = 1", f"insert into t{i} (v) values (10)")  # fmt: skip

    def autocommit(self):
        i, v = self.me, self.dice.randrange(100, 900)
        return self.one("set autocommit = 0", "set autocommit = 0", "set autocommit = 1", "set @@autocommit = off", "set session autocommit = default", "select @@autocommit",
                        f"insert into t{i} (v) values ({v})", "commit", "rollback", "select * from words limit 1", f"create or replace table n{i} (x int)", "begin", "set autocommit = 1, @a = 1",
                        "call p_auto(0)", "call p_auto(1)", "set autocommit = (select 0)", "select @@in_transaction", f"truncate g{i}")  # fmt: skip

    def characteristics(self):
        level = self.one("read committed", "read uncommitted", "serializable", "repeatable read")
        return self.one(f"set transaction isolation level {level}", f"set session transaction isolation level {level}", "set transaction read only", "set session transaction read write",
                        "set session transaction read only", "select @@tx_isolation, @@tx_read_only", f"set tx_isolation = '{level.replace(' ', '-')}'", "begin", "commit", "select @@session.tx_isolation",
                        f"set @@tx_isolation = '{level.replace(' ', '-')}'", "set tx_isolation = default", f"insert into t{self.me} (v) values (500)", "set @@tx_read_only = 0",
                        f"set transaction read only, isolation level {level}", f"set transaction isolation level {level}, read write", "start transaction read write", "start transaction read only", "rollback", "commit and chain", "set autocommit = 0",
                        f"set @@session.tx_isolation = '{level.replace(' ', '-')}'", "select count(*) from words", f"set statement tx_isolation = 'SERIALIZABLE' for select @@tx_isolation", "set @@session.tx_read_only = 1", "set session tx_read_only = default")  # fmt: skip

    # ---- settings ----

    def sql_mode(self):
        m = self.dice.choice(self.modes)
        return self.one(f"set sql_mode = {m}", f"set session sql_mode = {m}", f"set @@sql_mode := {m}", f"set @@session.sql_mode = {m}, @b = 2", f"set @old = @@sql_mode, sql_mode = {m}",
                        "set sql_mode = @old", "select @@sql_mode", "select \"words\", 1 || 0, 'a\\'b'", f"insert into u{self.me} (id, n, d) values (60, 'x', 5)", "select @@sql_mode = ''",
                        "set @a = @@sql_mode", "select 'a\\\\'", "select cast(1 as unsigned) - 2", f"insert into t{self.me} (id, v) values (0, 900)", "set statement sql_mode = 'ANSI' for select @@sql_mode")  # fmt: skip

    def names(self):
        c, k = self.dice.choice(CHARSETS), self.dice.choice(COLLATIONS)
        return self.one(f"set names {c}", f"set names '{c}'", f"set names {k.split('_', maxsplit=1)[0]} collate {k}", "set names default", f"set character set {c}", f"set character_set_results = {c}",
                        "set character_set_results = null", f"set character_set_client = {c}", f"set character_set_connection = {c}", f"set collation_connection = {k}", "select 'é', hex('é')",
                        "select @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection", "select collation('x'), charset('x')", "select w from words where id = 3",
                        "set @a = 'ü'", "select @a, charset(@a), hex(@a)", "call p_names()", f"select s from t{self.me} where s = 'ß'", "show variables like 'character_set_c%'")  # fmt: skip

    def zone(self):
        z = self.dice.choice(ZONES)
        return self.one(f"set time_zone = {z}", f"set session time_zone = {z}", f"set @@time_zone = {z}, @c = 3", "select @@time_zone", "select from_unixtime(0)", "call p_zone('+05:00')",
                        "set statement time_zone = '+09:00' for select from_unixtime(0)")  # fmt: skip

    def clock(self):
        return self.one("set timestamp = 1000000", "set timestamp = 86400.5", "set timestamp = default", "set timestamp = 0", "select @@timestamp < 900000000", "select year(now()) < 2000",
                        "set @@timestamp = 2 * 86400", "set rand_seed1 = 5, rand_seed2 = 6; select rand(), rand()", "select floor(rand(3) * 100)")  # fmt: skip

    def limit(self, names=None):
        name, values = self.dice.choice(names or self.limits)
        v = self.dice.choice(values)
        return self.one(f"set {name} = {v}", f"set session {name} = {v}", f"set @@{name} = {v}", f"set @@session.{name} := {v}", f"set local {name} = {v}, @d = 4", f"select @@{name}",
                        f"select @@session.{name}", f"show variables like '{name}'", "select group_concat(w order by id) from words", "select id from words order by id", "select 7 / 3",
                        f"insert into t{self.me} (v) values (600 + floor(0))", f"set {name} = @@{name}", f"set @a = @@{name}", f"set statement {name} = {v} for select @@{name}")  # fmt: skip

    def tracking(self):
        return self.one(self.limit(TRACKING), self.limit(TRACKING), self.zone(), self.transaction(), "use {b}", "use {a}", "set @a = 9", "set sql_mode = ''", "set autocommit = 1")

    def variable(self):
        n, m = self.dice.sample(VARIABLES, 2)
        return self.one(f"set @{n} = {self.number()}", f"set @{n} = 'text', @{m} = 2.5", f"set @{n} = null", f"set @{n} = @{m}", f"set @{n} = concat('x', @{m})", f"select @{n} := 5", f"select @{n} := @{n} + 1",
                        f"select @{n}, @{m}", f"select @{n}, @{m}", f"select w from words where id = @{n}", f"set @{n} = (select max(id) from words)", f"set @{n} = x'414243'", f"set @{n} = 1e3, @{m} = 12.340",
                        f"set @`odd name` = 1, @'{n}' = 2", "select @`odd name`", f"select @{n.upper()}", f"set @{n} = _latin1'a' collate latin1_bin", f"set @{n} = true, @{m} = 1, @{n} = -1", "set @a = @a = 1",
                        f"select id, @{n} := id from words order by id", f"set @{n} = now(6) is not null", f"set @{n} = cast('2020-02-03' as date)", f"set @{n} = f_get()", f"set @{n} := repeat('long', 300)",
                        f"set @{n} = null", f"set @{n} = null, @{m} = 1", f"select @{n}, charset(@{n}), @{n} is null", f"select coercibility(@{n}), @{m} + 1")  # fmt: skip

    def into(self):
        n = self.dice.choice(VARIABLES)
        return self.one(f"select max(id) into @{n} from words", f"select id, w into @a, @b from words where id = {self.number(1, 2, 9)}", f"select id from words into @{n}", f"select @{n}", f"select 1 into @{n}",
                        "call p_out(1, @a, @b)", f"select w from words limit 1 into @{n}", "select @a, @b", "fetch c into @a")  # fmt: skip

    # ---- what belongs to a session ----

    def schema(self):
        return self.one("use {a}", "use {b}", "use {b}", "select database()", ("schema", "{a}"), ("schema", "{b}"), ("schema", "no_such"), "select schema(), count(*) from words", f"select * from t{self.me} order by id",
                        "select database()", "use `{a}`", "use no_such")  # fmt: skip

    def temp(self):
        i = self.me
        return self.one("create temporary table tmp (x int primary key auto_increment, y int)", "create temporary table if not exists tmp (x int)", "create or replace temporary table tmp as select id x, w from words",
                        "insert into tmp (y) values (5)", "select * from tmp order by 1", "drop temporary table tmp", "drop table if exists tmp", f"create temporary table t{i} (id int, v int, s int)", f"select * from t{i} order by id",
                        f"drop temporary table t{i}", "show tables like 'tmp'", "alter table tmp add z int", "call p_temp()", "select * from hidden_tmp", "truncate tmp", f"create temporary table {{b}}.tmp like t{i}")  # fmt: skip

    def lock(self):
        x = self.one("x", "x", "y")
        return self.one(f"select get_lock('{{a}}.{x}', 0)", f"select get_lock('{{a}}.{x}', 0)", f"select release_lock('{{a}}.{x}')", f"select is_free_lock('{{a}}.{x}')", f"select is_used_lock('{{a}}.{x}') = connection_id()",
                        "select release_all_locks()", f"do get_lock('{{a}}.{x}', 0)", f"select f_lock('{{a}}.{x}')", f"do release_lock('{{a}}.{x}')", f"set @a = get_lock('{{a}}.{x}', 0)")  # fmt: skip

    def tables(self):
        i = self.me
        return self.one(f"lock tables t{i} write", f"lock tables t{i} read, words read", "unlock tables", "unlock tables", f"select * from t{i} order by id", "select count(*) from words", f"insert into t{i} (v) values (700)",
                        "begin", "commit", f"lock table u{i} write, t{i} as x read", f"update u{i} set n = 1", f"lock tables {{b}}.t{i} read")  # fmt: skip

    def handler(self):
        i = self.me
        return self.one(f"handler t{i} open as h", "handler h read first", "handler h read next", "handler h read `primary` = (2)", "handler h close", "handler h read first limit 2", f"handler t{i} open", f"handler t{i} close")

    def prepare(self):
        n, i = self.one("s1", "s1", "s2"), self.me
        return self.one(f"prepare {n} from 'select 1, 2'", f"prepare {n} from 'select ? + 1, ?'", f"prepare s1 from 'select * from t{i} order by id'", f"prepare s1 from 'insert into t{i} (v) values (last_insert_id() + 200)'", f"execute {n}",
                        f"execute {n}", f"execute {n} using @a", f"execute {n} using @a, @b", f"deallocate prepare {n}", f"drop prepare {n}", "set @a = 1, @b = 'x'", f"prepare {n} from @c", "set @c = 'select 42'",
                        f"prepare {n} from 'selec'", "execute immediate 'select 5'", "execute immediate 'set @a = 6'", f"prepare {n} from 'set @d = 8'", f"prepare {n} from 'select database(), count(*) from words'",
                        f"prepare {n} from 'set sql_mode = \"\"'", "execute s2 using 1, 2", "prepare s2 from 'set time_zone = ?'", "prepare s1 from 'use {b}'", "execute immediate @c", "prepare s2 from 'commit'")  # fmt: skip

    def routine(self):
        return self.one("call p_rows()", "call p_nothing()", f"call p_set({self.number()})", "select @pv, @pw", "select f_set(7)", "select f_get(), @fv", f"insert into g{self.me} (v) values (4), (6)", "select @trg, @times", "call p_out(3, @a, @b)",
                        "select @a, @b", "call p_begin()", "call p_commit()", "call p_fails()", "call p_caught()", "call p_signal()", "select f_set(id) from words order by id", "call {a}.p_rows()", "do f_set(9)", "call p_text('set @c = 77')",
                        "set @a = f_set(11)", "call p_zone('+04:00')", "call p_text('select 1')", "select f_last()")  # fmt: skip

    def unseen(self):
        x = self.one("x", "y")
        return self.one(f"call p_text('do get_lock(''{{a}}.{x}'', 0)')", "call p_temp()", "call p_text('create temporary table tmp (x int)')", "call p_text('set sql_mode = ''ANSI''')", f"call p_text('set names latin1')", "select * from tmp",
                        "call p_text('set session transaction isolation level read committed')", "call p_text('set group_concat_max_len = 5')", f"call p_text('handler t{self.me} open as h')", "call p_text('prepare s1 from ''select 3''')",
                        "call p_text('use {b}')", f"select f_lock('{{a}}.{x}')", "call p_names()", "call p_auto(0)", "call p_text('begin')", "call p_text('set @@sql_select_limit = 1')")  # fmt: skip

    def ddl(self):
        i = self.me
        return self.one(f"create table n{i} (id int auto_increment primary key, x int)", f"drop table if exists n{i}", f"alter table t{i} add k int default 3", f"alter table t{i} drop column k", f"truncate table t{i}", f"select * from t{i} order by id",
                        f"insert into n{i} (x) values (1)", f"select * from n{i}", f"rename table n{i} to m{i}", f"alter table t{i} auto_increment = 100", f"create or replace table n{i} as select * from words", f"alter table u{i} modify n bigint",
                        f"create or replace view v{i} as select id, v from t{i}", f"select * from v{i} order by id", f"create index k on u{i} (n)", f"drop index k on u{i}", f"analyze table u{i}", f"drop view if exists v{i}")  # fmt: skip

    def reads(self):
        return self.one("select @@sql_mode", "select @@autocommit", "select database()", "select @a, @b, @c, @d", "select @@character_set_client, @@collation_connection", "select @@time_zone, @@tx_isolation", "select last_insert_id(), row_count()",
                        "select user(), current_user()", "show variables like 'sql_mode'", "select @@in_transaction", "select found_rows()", "select @@session.sql_select_limit, @@local.group_concat_max_len", "select @fv, @pv, @trg",
                        "select current_role()", "show session variables like 'collation%'", "select @@warning_count", "select version() is not null, @@version_comment is not null")  # fmt: skip

    # ---- commands ----

    def command(self):
        i = self.me
        return self.one(("ping",), ("statistics",), ("fields", f"t{i}", ""), ("fields", "words", "w%"), ("fields", "no_such", ""), ("ping",), ("fields", "tmp", "%"))

    def option(self):
        return self.one(("option", 0), ("option", 1), ("option", 1), ("option", 9), "select 1; select 2", "select 3")

    def reset(self):
        return ("reset",)

    def user(self):
        """A server that refuses it takes a second for that. Clients without PLUGIN_AUTH are refused by gilmok (docs/compatibility.md)."""
        if self.is_plain[self.me]:
            return ("reset",)
        if self.dice.random() < 0.04:
            return self.one(("user", "app", "wrong", "{login}"), ("user", "app", "right", "no_such"), ("user", "nobody", "right", "{login}"))
        return ("user", "app", "right", "{login}")

    def leave(self):
        return ("leave",)

    # ---- prepared statements of the protocol ----

    BINARY = (
        ("select 1, 'two', 2.5", ()), ("select ?, ? + 1", ("text", "int")), ("select * from words where id > ? order by id", ("int",)), ("insert into t{i} (v, s) values (?, ?)", ("int", "text")),
        ("insert into t{i} (v) values (last_insert_id() + ?)", ("int",)), ("select last_insert_id(), row_count(), found_rows()", ()), ("update t{i} set s = ? where id = ?", ("text", "int")), ("set @a = ?", ("bigint",)),
        ("select @a, @b, @@sql_mode, database()", ()), ("delete from t{i} where id = ?", ("bigint",)), ("call p_rows()", ()), ("call p_out(?, @a, @b)", ("int",)), ("select * from t{i} order by id", ()), ("select count(*) from words", ()),
        ("set sql_mode = ?", ("text",)), ("begin", ()), ("commit", ()), ("use {b}", ()), ("set time_zone = ?", ("text",)), ("selec ?", ("int",)), ("select ? / ?", ("double", "double")), ("select length(?), ?", ("blob", "int")),
        ("show warnings", ()), ("do get_lock('{a}.x', 0)", ()), ("create temporary table tmp (x int)", ()), ("set autocommit = ?", ("tiny",)), ("select * from no_such", ()), ("select sql_calc_found_rows id from words limit 1", ()),
        ("call p_out(?, ?, ?)", ("int", "int", "int")), ("call p_fails()", ()), ("set transaction isolation level read committed", ()), ("savepoint one", ()), ("rollback to one", ()), ("rollback", ()), ("start transaction read only", ()),
        ("select * from tmp", ()), ("select @a := ?", ("text",)), ("select get_lock('{a}.y', ?)", ("tiny",)), ("select row_count(), ?", ("int",)), ("select found_rows()", ()), ("replace into t{i} (id, v) values (?, ?)", ("int", "int")),
        ("drop table if exists n{i}", ()), ("create table if not exists n{i} (x int)", ()), ("select id, repeat(w, ?) from words order by id", ("int",)), ("select * from words limit ?", ("int",)), ("set @@session.time_zone = ?", ("text",)),
        ("insert into t{i} (v) values (?) returning id, v", ("int",)), ("select * from t{i} where id = ? for update", ("int",)), ("set names ?", ("text",)), ("set character_set_results = ?", ("text",)), ("select @@in_transaction, @@autocommit", ()),
        ("show variables like ?", ("text",)), ("select id from t{i} where s in (?, ?) order by id", ("text", "text")), ("set @a = null", ()), ("truncate g{i}", ()), ("explain select * from t{i} where id = ?", ("int",)), ("select f_set(?)", ("int",)),
        ("insert into t{i} (v) values (?), (?)", ("int", "int")), ("set names latin1", ()), ("select cast(? as datetime)", ("text",)), ("call p_set(?)", ("int",)), ("set @b = concat(?, @a)", ("text",)), ("select 'é', ?", ("text",)),
    )  # fmt: skip

    def value(self, kind):
        if self.dice.random() < 0.12:
            return None
        if kind in ("text", "blob"):
            return (kind, self.one("", "x", "words", "ü", "ANSI_QUOTES", "+01:00", "2020-01-02 03:04:05", "10"))
        return (kind, float(self.number()) if kind == "double" else self.number(0, 1, 2, 3, 5, 41, 90, -1))

    def own_names(self):
        return [n for c, n in self.prepared if c == self.me]

    def prepared_new(self):
        name = self.one("p1", "p2", "p3")
        sql, kinds = self.dice.choice(self.BINARY)
        self.prepared[self.me, name] = kinds
        return ("prepare", name, sql.replace("{i}", str(self.me)))

    def binary(self):
        """One command about a prepared statement; `long` and `cursor` have others."""
        names = self.own_names()
        if not names or self.dice.random() < 0.3:
            return self.prepared_new()
        name = self.dice.choice(names)
        kinds = self.prepared[self.me, name]
        word = self.one("execute", "execute", "execute", "again", "again", "restart", "close", "last", "nothing")
        if word == "nothing":
            return ("execute", "p9", 0, ())
        if word in ("restart", "close"):
            if word == "close":
                del self.prepared[self.me, name]
            return (word, name)
        return ("execute" if word == "last" else word, "last" if word == "last" and self.dice.random() < 0.5 else name, 0, tuple(self.value(k) for k in kinds))

    def cursor(self):
        names = self.own_names()
        if not names or self.dice.random() < 0.15:
            return self.prepared_new()
        name = self.dice.choice(names)
        word = self.one("execute", "execute", "fetch", "fetch", "fetch", "restart")
        if word == "execute":
            return ("execute", name, 1, tuple(self.value(k) for k in self.prepared[self.me, name]))
        return ("fetch", name, self.one(1, 2, 100)) if word == "fetch" else (word, name)

    def long(self):
        name = self.dice.choice(self.own_names() or ["p1"])
        kinds = self.prepared.get((self.me, name), ())
        if "text" not in kinds and "blob" not in kinds:
            self.prepared[self.me, name] = ("blob", "int")
            return ("prepare", name, "select length(?), ?")
        at = next(i for i, k in enumerate(kinds) if k in ("text", "blob"))
        if self.dice.random() < 0.5:
            return ("long", name, at, self.one("abc", "x" * 200, "", "ü"))
        return ("execute", name, 0, tuple((k, LATER) if i == at and self.dice.random() < 0.7 else self.value(k) for i, k in enumerate(kinds)))


STATEMENTS = {
    "plain": 4, "write": 6, "key": 4, "counts": 3, "warnings": 4, "wrong": 3, "transaction": 4, "savepoint": 2, "autocommit": 2, "characteristics": 2,
    "sql_mode": 3, "names": 3, "zone": 2, "clock": 1, "limit": 3, "tracking": 1, "variable": 4, "into": 2, "schema": 2, "temp": 1, "lock": 1, "tables": 1,
    "handler": 1, "prepare": 3, "routine": 2, "unseen": 1, "ddl": 1, "reads": 4, "driver": 4, "dump": 2,
    "implicit": 4, "database": 2, "xa": 1, "large": 1, "command": 1, "option": 1, "reset": 1, "user": 1, "leave": 1,
    "binary": 4, "cursor": 1, "long": 1,
}  # fmt: skip
WAYS = {"simple": 12, "multi": 3, "once": 3, "together": 2}
KINDS = {**STATEMENTS, **WAYS}
DEFAULT = frozenset(KINDS)
SESSION_MODE = {"tracking"}  # what gilmok itself uses where connections are shared
CLEANS = ("reset", "user")
# What others must not meet while it runs: nothing of it waits, but two at once have no order.
ALONE = frozenset({"lock", "leave", "user", "unseen", "driver"})
PREPARED_MAX = 60000  # gilmok prepares no longer texts where connections are shared
TOGETHER = frozenset({"schema", "command", "cursor", "long"})  # of commands that are no texts


class Generator:
    def __init__(self, kinds):
        self.kinds = kinds
        self.statements = {k: w for k, w in STATEMENTS.items() if k in kinds} or STATEMENTS
        self.ways = {k: w for k, w in WAYS.items() if k in kinds} or {"simple": 1}

    def script(self, seed):
        dice = random.Random(f"mysql {seed}")
        count = dice.choice((2, 2, 2, 3, 3, 4))
        clients = [(dice.choice(("new", "new", *CLIENT_KINDS)), dice.choice((45, 45, 45, 33, 8, 46))) for _ in range(count)]
        writer = Writer(dice, clients)
        themes = dice.sample(sorted(self.statements), min(3, len(self.statements)))
        steps = []
        for _ in range(dice.randrange(8, 70)):
            writer.me = dice.randrange(count)
            kind = dice.choice(themes) if dice.random() < 0.6 else self.chosen(dice, self.statements)
            steps += self.sent(dice, writer, kind)
        pool = count + 1 if dice.random() < 0.5 else dice.choice((1, 2, 2))
        return Script(pool, clients, steps, seed)

    @staticmethod
    def chosen(dice, table):
        return dice.choices(list(table), list(table.values()))[0]

    def sent(self, dice, writer, kind):
        """The steps of one command of this kind, as one of the ways sends it."""
        command = getattr(writer, kind)()
        if not isinstance(command, str):
            is_together = kind in TOGETHER and dice.random() < 0.1
            return [Step(writer.me, command, {kind}, is_together)]
        way, kinds = self.chosen(dice, self.ways), {kind}
        if way == "multi":
            parts = [command]
            for _ in range(dice.choice((1, 1, 2))):
                other = self.chosen(dice, self.statements)
                more = getattr(writer, other)()
                if isinstance(more, str):
                    parts.insert(dice.randrange(len(parts) + 1), more)
                    kinds.add(other)
            return [Step(writer.me, ("query", "; ".join(parts)), kinds)]
        if way == "once" and len(command) < PREPARED_MAX:
            more = [Step(writer.me, (word, "q", *rest), {*kinds, "once"}) for word, *rest in (("prepare", command), ("execute", 0, ()), ("close",))]
            return more[: dice.choice((2, 3, 3))]
        is_together = way == "together" and kind not in ALONE
        return [Step(writer.me, ("query", command), kinds, is_together)]
