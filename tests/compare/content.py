#!/usr/bin/python3
"""What scripts contain: the table of kinds with their weights, a generator for the statements of each, and the ways in which
statements are sent. Script number N is always the same, for the same kinds and the same server."""

import random

import settings
from steps import MOVER, Script, Step

NAMES = ("a", "b", "c")
SLEEP = "select pg_sleep(6)"  # longer than a reply is waited for
CHANNELS = ("news", "Odd channel", "other")
ROLES = ("compare_reader", '"compare ""odd"""', "none", "app", "compare_stranger")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Writer:
    """The statements of one script: what its clients play with, so that they meet each other's leavings."""

    def __init__(self, dice, seed, clients, server_settings):
        self.dice, self.seed, self.clients = dice, seed, clients
        pick = dice.sample
        self.reported = pick(sorted(settings.REPORTED), 2)
        self.unreported = pick(sorted(settings.UNREPORTED), 1) + pick(sorted(server_settings), 2)
        self.values = {"search_path": settings.SEARCH_PATHS, **settings.REPORTED, **settings.UNREPORTED, **settings.CUSTOM}
        self.values.update({n: v for n, v in server_settings.items() if n not in self.values})
        self.paths = pick(settings.SEARCH_PATHS, 3)
        self.me = 0
        self.locks = [seed % 1000000 * 10 + i for i in range(2)]  # shared: only tried
        self.texts = None

    def one(self, *choices):
        return self.dice.choice(choices)

    # ---- plain statements ----

    def plain(self):
        c = self.me
        return self.one(
            "select 1", "select 1, 'two', null::int", "select * from words where id < 3 order by id", f"select * from t{c} order by id",
            f"insert into t{c} values ({self.dice.randrange(1, 9)}, 'new') returning *", f"update t{c} set n = n + 1 where id = 2 returning n",
            f"delete from t{c} where id > 4", "select count(*) from words", "select id from words order by id desc limit 2",
            f"select sum(n) from t{c}", "", ";", "-- nothing", "select 'x'::mood", "select 'ok'::mood, 'sad'::mood",
            "select generate_series(1, 3)", "values (1, 'a'), (2, 'b')", "table here", f"truncate t{c}", "select where false", "select",
            "explain (costs off) select * from words where id = 3", "do $$ begin raise notice 'hello'; end $$",
            f"lock table t{c} in access exclusive mode", "select null::text", "select true, 1.5::float8, '{1,2}'::int[]",
        )  # fmt: skip

    def wrong(self):
        c = self.me
        return self.one("select 1/0", "selec 1", "select * from no_such", "select no_such()", f"insert into t{c} values (1, 'again')", "select 'x'::int",
                        "select 1 / (3 - x) from generate_series(1, 5) x", "do $$ begin raise exception 'mine' using hint = 'h', detail = 'd'; end $$",
                        "select 1; selec 2", "select $1", "create table public.words (x int)", "drop table no_such", "select 1 +", "abort and")  # fmt: skip

    def transaction(self):
        return self.one("begin", "begin", "begin", "commit", "commit", "rollback", "commit and chain", "rollback and chain", "start transaction read only",
                        "begin isolation level serializable", "abort", "end", "begin isolation level repeatable read, read only, deferrable",
                        "set transaction read only", "set transaction isolation level repeatable read", "prepare transaction 'never'")  # fmt: skip

    def savepoint(self):
        return self.one("savepoint one", "savepoint one", "savepoint two", "rollback to one", "rollback to savepoint two", "release one", "release two")

    # ---- settings ----

    def value(self, name):
        return self.dice.choice(self.values[name])

    def setting(self, names):
        """SET of one of these and its kin."""
        name = self.dice.choice(names)
        v = quoted(self.value(name))
        shown = name if self.dice.random() < 0.8 else name.upper()
        if name == "client_encoding" and self.dice.random() < 0.2:
            return self.one(f"set names {v}", "set names default", "set names")
        return self.one(f"set {shown} = {v}", f"set {shown} to {v}", f"set session {shown} = {v}", f"reset {shown}", f"set {shown} to default",
                        f"select set_config({quoted(name)}, {v}, false)", f"SET /* c */ {shown}\n=\t{v}",
                        f"update pg_settings set setting = {v} where name = {quoted(name)}" if "." not in name else f"set {shown} = {v}")  # fmt: skip

    def ask_setting(self, names):
        name = self.dice.choice(names)
        probes = settings.PROBES.get(name)
        if probes and self.dice.random() < 0.4:
            return self.dice.choice(probes)
        return self.one(f"show {name}", f"select current_setting({quoted(name)})", f"select current_setting({quoted(name)}, true)",
                        f"select setting from pg_settings where name = {quoted(name)}")

    def set_or_ask(self, names):
        return self.setting(names) if self.dice.random() < 0.5 else self.ask_setting(names)

    def reported_one(self):
        return self.set_or_ask(self.reported)

    def unreported_one(self):
        return self.set_or_ask(self.unreported)

    def by_function(self):
        """set_config() wherever an expression may stand; what is never evaluated must not count."""
        name, other = self.dice.choice([*self.reported, *self.unreported, "app.who", "search_path"]), self.dice.choice(self.unreported)
        n, v, o, u = quoted(name), quoted(self.value(name)), quoted(other), quoted(self.value(other))
        local = self.one("true", "false", "false", "null", "1 = 1")
        return self.one(f"select set_config({n}, {v}, {local}) where false", f"select set_config({n}, {v}, {local}), set_config({o}, {u}, false)",
                        f"with c as (select set_config({n}, {v}, {local}) as x) select x from c", f"select set_config({n}, null, {local})",
                        f"with c as (select set_config({n}, {v}, false) as x) select 1", f"select case when true then 'no' else set_config({n}, {v}, false) end",
                        f"select pg_catalog.set_config(setting_name => {n}, new_value => {v}, is_local => {local})", f"copy (select set_config({n}, {v}, {local})) to stdout",
                        f"explain (analyze, costs off, timing off, summary off) select set_config({n}, {v}, false)", f"explain (costs off) select set_config({n}, {v}, false)",
                        f"insert into t{self.me} values (90, set_config({n}, {v}, {local})) returning v", f"select set_config({n}, {v}, {local}), 1/0",
                        f"values (set_config({n}, {v}, {local}))", f"select set_config(name, {v}, false) from pg_settings where name = lower({n})",
                        f"declare sc cursor for select set_config({n}, {v}, false)", "fetch 1 from sc", f"select set_config({n}, x, false) from (values ({v}), ({v})) v (x)",
                        self.ask_setting([name]), self.ask_setting([name]), self.ask_setting([other]))  # fmt: skip

    def custom(self):
        return self.set_or_ask(["app.who", "app.who", "app.tenant"])

    def fresh(self):
        """Settings that no connection knows before somebody sets them."""
        name = f"fresh.s{self.seed}"
        return self.one(f"set {name} = 'x'", f"show {name}", f"select current_setting('{name}', true)", f"select current_setting('{name}', true) is null",
                        f"reset {name}", f"select set_config('{name}', 'y', true)")  # fmt: skip

    def local(self):
        name = self.dice.choice([*self.reported, *self.unreported, "app.who"])
        v = quoted(self.value(name))
        return self.one(f"set local {name} = {v}", f"select set_config({quoted(name)}, {v}, true)", f"set local {name} to default", self.ask_setting([name]))

    def reset_all(self):
        return self.one("reset all", self.ask_setting([*self.reported, *self.unreported, "app.who", "search_path"]))

    def search_path(self):
        p = self.dice.choice(self.paths)
        return self.one(f"set search_path = {p}", f"set search_path = {p}", f"set local search_path = {p}", f"set schema {quoted(p.split(',')[0])}",
                        f"select set_config('search_path', {quoted(p)}, false)", "table here", "table here", "table here", "show search_path",
                        "reset search_path", "select current_schemas(false)", "select current_schema", "select 'here'::regclass::text",
                        "set search_path to default")  # fmt: skip

    def role(self):
        r = self.dice.choice(ROLES)
        return self.one(f"set role {r}", f"set role {r}", f"set local role {r}", "reset role", "select current_user, session_user", "select current_user",
                        "show role", "select current_setting('role')", f"select * from t{self.me} order by id limit 1",
                        "select set_config('role', 'compare_reader', false)", "select set_config('role', 'none', true)")  # fmt: skip

    def authorization(self):
        r = self.one("app", "compare_reader", "compare_stranger", "default", '"compare ""odd"""', "compare_boss")
        return self.one(f"set session authorization {r}", f"set local session authorization {r}", "reset session authorization",
                        "select current_user, session_user", "show session_authorization", "show is_superuser", "set role compare_reader", "show role",
                        "select set_config('session_authorization', 'app', false)", f"set session authorization {r}", "set session_replication_role = 'replica'", "show session_replication_role",
                        "set log_min_duration_statement = 90000", "show log_min_duration_statement", "reset log_min_duration_statement")  # fmt: skip

    def time_zone(self):
        return self.one("set time zone interval '+02:30' hour to minute", "set time zone -3", "set time zone local", "set time zone 'Asia/Tokyo'",
                        "set time zone 5.5", "set timezone to interval '-01:00' hour to minute", "show time zone", "show timezone",
                        "select timestamptz '2026-02-01 00:00:00+00'", "set local time zone interval '1' hour", "set time zone default",
                        "set time zone interval '1 day' hour to minute", "select date '2026-02-01'")  # fmt: skip

    def characteristics(self):
        return self.one("set session characteristics as transaction read only", "set session characteristics as transaction read write",
                        "set session characteristics as transaction isolation level serializable, read only, not deferrable", "show transaction_read_only",
                        "show transaction_isolation", "show default_transaction_isolation", "show default_transaction_deferrable",
                        "set transaction read only", "set transaction_read_only = on", "set transaction_isolation = 'serializable'",
                        "set default_transaction_isolation = 'repeatable read'", "reset default_transaction_isolation",
                        f"insert into t{self.me} values (77, 'w')", "set default_transaction_read_only = on",
                        "begin", "commit", "set session characteristics as transaction isolation level repeatable read")  # fmt: skip

    # ---- what cannot be set again elsewhere ----

    def prepare(self):
        n = self.one("q", "q", "r", '"Q q"')
        return self.one(f"prepare {n} as select 1 as one", f"prepare {n} (int) as select $1 + 1", f"prepare {n} as table here", f"execute {n}",
                        f"execute {n} (41)", f"execute {n}", f"deallocate {n}", f"deallocate prepare {n}", "deallocate all", "execute a", "deallocate a",
                        f"prepare {n} (text) as select $1, current_setting('work_mem')", f"prepare {n} as insert into t{self.me} values (50, 'p')",
                        f"explain (costs off) execute {n}", f"create temp table from_{self.me} as execute {n}",
                        f"prepare {n} as select date '01/02/2026'")  # fmt: skip

    def temp(self):
        n = self.one("here", "tmp_a", "tmp_a")
        return self.one(f"create temp table {n} as select 'temporary of {self.me}' as place", f"create temp table {n} (place text) on commit drop",
                        f"create temporary table if not exists {n} (place text)", f"create table pg_temp.{n} (place text)",
                        f"select 'into' as place into temp {n}", f"create temp view {n} as select 'view' as place", f"drop table {n}", f"drop view {n}",
                        f"table {n}", f"table {n}", f"insert into {n} values ('more')", f"insert into {n} select 'more'", f"truncate {n}",
                        f"create temp table {n} (place text) on commit delete rows", f"create temp sequence tmp_s{self.me}",
                        f"select to_regclass('pg_temp.{n}') is null", f"alter table {n} add column extra int default 5",
                        "create or replace function pg_temp.f() returns int language sql as 'select 9'; select pg_temp.f()",
                        "create temp table if not exists tmp_a as select 1 as place", f"declare k cursor for table {n}")  # fmt: skip

    def advisory(self):
        mine, shared = self.locks[0] * 10 + 5 + self.me, self.dice.choice(self.locks)
        return self.one(f"select pg_advisory_lock({mine})", f"select pg_try_advisory_lock({shared})", f"select pg_try_advisory_lock({shared})",
                        f"select pg_advisory_unlock({shared})", f"select pg_advisory_unlock({mine})", "select pg_advisory_unlock_all()",
                        f"select pg_try_advisory_lock_shared({shared})", f"select pg_advisory_unlock_shared({shared})",
                        f"select pg_try_advisory_xact_lock({shared})", f"select pg_advisory_xact_lock({mine})",
                        f"select pg_try_advisory_lock({self.seed % 1000000}, {self.dice.randrange(2)})",
                        f"select pg_try_advisory_lock({shared}), 1/0")  # fmt: skip

    def listen(self):
        n = self.one(*CHANNELS)
        q = f'"{n}"'
        return self.one(f"listen {q}", f"listen {q}", f"notify {q}, 'from {self.me}'", f"select pg_notify({quoted(n)}, 'p{self.me}')", f"unlisten {q}",
                        "unlisten *", "select pg_listening_channels()", f"notify {q}")  # fmt: skip

    def held(self):
        n = self.one("h", "h", '"H h"')
        return self.one(f"declare {n} cursor with hold for select id, word from words order by id", f"declare {n} scroll cursor with hold for table words",
                        f"fetch 2 from {n}", f"fetch {n}", f"move 3 in {n}", f"close {n}", "close all", f"fetch all in {n}",
                        f"declare {n} cursor for select id from words order by id", f"fetch backward 1 from {n}",
                        "select name, is_holdable from pg_cursors order by 1",
                        f"declare {n} cursor with hold for select 1 / (id - 3) from words order by id")  # fmt: skip

    def discard(self):
        return self.one("discard all", "discard all", "discard temp", "discard plans", "discard sequences", "discard temporary")

    def sequence(self):
        s = self.one(f"s{self.me}", f"s{self.me}", "s0")
        return self.one(f"select nextval('{s}')", f"select nextval('{s}')", f"select currval('{s}')", "select lastval()", f"select setval('{s}', 40)",
                        f"select setval('{s}', 50, false)", f"select last_value, is_called from {s}",
                        f"select hid_next('s{self.me}')")  # fmt: skip

    def hidden(self):
        c, v = self.me, quoted(self.one("1111kB", "2222kB", "3MB"))
        return self.one(f"select hid_set('work_mem', {v})", "select hid_set('datestyle', 'German')",
                        f"select hid_set_local('work_mem', {v})", f"select hid_caught({v})", f"select hid_with({v})", "select hid_with_local()",
                        f"call hid_commits({v})", "select hid_default()", "show work_mem", "show work_mem", "show datestyle",
                        f"do $$ begin perform set_config('work_mem', {v}, false); end $$", f"do $$ begin set work_mem = {v}; end $$",
                        f"select hid_set('work_mem', {v}), 1/0", f"select id, hid_set('work_mem', {v}) from words where id < 3",
                        "select hid_set('search_path', 'odd')", "table here", f"select 1 where hid_set('work_mem', {v}) = 2",
                        f"explain (analyze, costs off, timing off, summary off) select hid_set('work_mem', {v})",
                        f"copy (select hid_set('work_mem', {v})) to stdout")  # fmt: skip

    def unseen(self):
        """Effects of code that the statement does not name, or of settings that only functions know."""
        c = self.me
        return self.one(f"insert into hid_trigger values ({c})", "select * from hid_view", f"select hid_set('app.who', 'hid {c}')", "show app.who",
                        "show work_mem", "show work_mem", f"select hid_set('app.tenant', '{c}')", "select current_setting('app.tenant')")  # fmt: skip

    def hidden_pin(self):
        mine = self.locks[0] * 10 + 5 + self.me
        return self.one("select hid_temp('here')", "select hid_temp('tmp_h')", "table tmp_h", "table here", f"select hid_lock({mine})",
                        f"select hid_unlock({mine})", "select hid_listen('news')", "select pg_listening_channels()", "select hid_prepare('hid_q')", "execute hid_q",
                        "select hid_cursor('h')", "fetch 2 from h",
                        "do $$ begin create temp table tmp_h as select 'do' as x; end $$", "drop table if exists tmp_h",
                        "select to_regclass('pg_temp.tmp_h') is null", f"do $$ begin perform pg_advisory_lock({mine}); end $$")  # fmt: skip

    def lent(self):
        """What SQL has prepared, executed by functions. Without constants: under other settings they do not find those."""
        n = self.one("fq", "fq", "fr", '"F q"')
        run, call = (quoted(f"execute {n}{args}") for args in ("", "(2)"))
        return self.one(f"prepare {n} as select 1 as one", f"prepare {n} (int) as select $1 + 1", f"prepare {n} as select word from words where id = $1",
                        f"select hid_run({run})", f"select hid_try({call})", f"select hid_try({run}), hid_try({call})", f"deallocate {n}", f"execute {n}",
                        f"execute {n}(3)", f"do $$ begin perform hid_try({call}); end $$", f"declare fc cursor for select hid_try({run})", "fetch fc",
                        f"prepare runs as select hid_try({call})", "execute runs")  # fmt: skip

    def function_set(self):
        c = self.me
        return self.one(f"create or replace function f_{c}() returns text language sql set work_mem = '999kB' as $$ select current_setting('work_mem') $$",
                        f"select f_{c}()", f"select f_{c}()", "show work_mem", f"drop function f_{c}()", f"alter function f_{c}() set work_mem = '555kB'",
                        f"alter function f_{c}() reset all",
                        f"create or replace function f_{c}() returns text language sql as $$ select set_config('work_mem', '888kB', true) $$")  # fmt: skip

    def seed_of_random(self):
        return self.one("select setseed(0.5)", "set seed = 0.25", "select setseed(0.1), random()", "select setseed(0.5); select random()")

    def ddl(self):
        c = self.me
        return self.one(f"select * from u{c} order by 1", f"select * from u{c} order by 1", f"alter table u{c} add column c{self.dice.randrange(3)} int",
                        f"alter table u{c} drop column if exists c{self.dice.randrange(3)}", f"alter table u{c} alter column a type bigint",
                        f"alter table u{c} alter column b type varchar(20)", f"alter table u{c} rename column a to aa", f"drop table if exists d{c}",
                        f"create table d{c} (x int, y mood)", f"create table d{c} as select * from u{c}", f"select * from d{c}",
                        f"create index on u{c} (b)", f"create view v{c} as select * from t{c}", f"drop view v{c}", f"create schema x{c}",
                        f"drop schema if exists x{c} cascade", f"insert into u{c} values (9, 'nine')", f"comment on table u{c} is 'c'")  # fmt: skip

    def catalogs(self):
        return self.one("select name, statement, from_sql, parameter_types from pg_prepared_statements order by 1",
                        "select name, statement, is_holdable from pg_cursors order by 1", "select pg_listening_channels()",
                        "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
                        "select count(*) from pg_class where relpersistence = 't' and relnamespace = pg_my_temp_schema()",
                        "select name, setting from pg_settings where source = 'session' and name !~ '^(transaction_|application_name)' order by 1",
                        "select application_name, usename from pg_stat_activity where pid = pg_backend_pid()",
                        f"select source, reset_val from pg_settings where name = {quoted(self.dice.choice(self.reported))}",
                        "select count(*) from pg_prepared_statements")  # fmt: skip


# kind: (weight as a script's theme, weight of a statement within such a script, generator, on in CI). What is off cannot be the same:
# README.md says why.
STATEMENTS = {
    "plain": (100, 8, Writer.plain, True),
    "wrong": (40, 2, Writer.wrong, True),
    "transaction": (60, 7, Writer.transaction, True),
    "savepoint": (20, 4, Writer.savepoint, True),
    "reported": (25, 8, Writer.reported_one, True),
    "unreported": (25, 8, Writer.unreported_one, True),
    "by_function": (12, 8, Writer.by_function, True),
    "custom": (20, 8, Writer.custom, True),
    "fresh": (0, 6, Writer.fresh, False),
    "local": (20, 6, Writer.local, True),
    "reset_all": (10, 3, Writer.reset_all, True),
    "search_path": (20, 8, Writer.search_path, True),
    "role": (15, 8, Writer.role, True),
    "authorization": (10, 8, Writer.authorization, True),
    "time_zone": (10, 6, Writer.time_zone, True),
    "characteristics": (10, 6, Writer.characteristics, True),
    "prepare": (15, 8, Writer.prepare, True),
    "temp": (15, 8, Writer.temp, True),
    "advisory": (12, 8, Writer.advisory, True),
    "listen": (12, 8, Writer.listen, True),
    "held": (12, 8, Writer.held, True),
    "discard": (12, 3, Writer.discard, True),
    "sequence": (10, 6, Writer.sequence, True),
    "hidden": (12, 8, Writer.hidden, True),
    "unseen": (4, 8, Writer.unseen, True),
    "hidden_pin": (10, 8, Writer.hidden_pin, True),
    "lent": (12, 8, Writer.lent, True),
    "function_set": (8, 6, Writer.function_set, True),
    "seed": (4, 4, Writer.seed_of_random, True),
    "ddl": (20, 8, Writer.ddl, True),
    "catalogs": (4, 4, Writer.catalogs, False),
}
SETTINGS = {"reported", "by_function", "unreported", "custom", "fresh", "local", "reset_all", "search_path", "role", "authorization", "time_zone", "characteristics", "discard"}

# Ways to send statements: (weight, on in CI).
WAYS = {
    "simple": (30, True),
    "multi": (12, True),
    "unnamed": (20, True),
    "named": (14, True),
    "portal": (6, True),
    "flush": (6, True),
    "copy": (6, True),
    "call": (2, True),
    "cancel": (2, True),
    "leave": (4, True),
    "startup": (8, True),
    "mover": (8, True),
}
KINDS = {**{k: v[3] for k, v in STATEMENTS.items()}, **{k: v[1] for k, v in WAYS.items()}}
DEFAULT = frozenset(k for k, on in KINDS.items() if on)
# Steps of these kinds may pin their client: it is taken to hold a connection from then on.
MAY_PIN = frozenset(("temp", "advisory", "listen", "held", "prepare", "sequence", "hidden", "unseen", "hidden_pin", "lent", "seed",
                     "by_function", "role", "authorization", "pins"))
# What a session remembers even after DISCARD ALL: that it has had temporary tables; a setting's name.
LEAVES_TRACES = frozenset(("fresh", "temp", "hidden_pin", "prepare"))
CHANGES_TABLES = frozenset(("ddl", "function_set"))

STARTUPS = [
    {"application_name": "compare"}, {"options": "-c work_mem=5MB"}, {"TimeZone": "Asia/Tokyo"}, {"DateStyle": "German"},
    {"options": "-c search_path=odd,\\ public -c app.who=start"}, {"client_encoding": "LATIN1"}, {"extra_float_digits": "3"},
    {"search_path": '"two words"'}, {"options": "-c app.who=it\\'s\\ me"}, {"default_transaction_isolation": "serializable"},
    {"options": "-c role=compare_reader"}, {"options": "-c default_transaction_read_only=on"}, {"temp_buffers": "2MB"},
    {"client_encoding": "UTF8", "DateStyle": "ISO", "TimeZone": "Europe/Oslo", "extra_float_digits": "3", "application_name": "driver"},
    {"client_encoding": "'utf-8'", "options": "--work-mem=3MB -cgeqo=off", "IntervalStyle": "iso_8601"},
    {"DateStyle": "sql, dmy", "options": "-c standard_conforming_strings=off -c app.tenant=t1", "statement_timeout": "60s"},
]  # fmt: skip


class Generator:
    """Scripts of these kinds. `server_settings`: settings.from_server()."""

    def __init__(self, kinds, server_settings):
        self.kinds, self.server_settings = frozenset(kinds), server_settings

    def script(self, seed):
        dice = random.Random(f"{seed}")
        count = dice.choice((1, 2, 2, 2, 3))
        w = Writer(dice, seed, count, self.server_settings)
        themes = self.themes(dice)
        clients = [self.startup(dice, themes) for _ in range(count)]
        pool = dice.choice((1, 1, 2, 3))
        steps, names = [], [{} for _ in range(count)]
        who, length = 0, dice.randrange(4, 26)
        while len(steps) < length:
            if dice.random() < 0.4:
                who = dice.randrange(count)
            w.me = who
            if pool > 1 and "mover" in self.kinds and dice.random() < 0.15:
                steps.append(Step(MOVER, [("M",)], ("mover",)))
            steps += self.steps(dice, w, who, themes, names[who])
        script = Script(pool, clients, steps, seed)
        script.needs_sequences = "sequence" in script.kinds()
        script.leaves_traces = bool(script.kinds() & LEAVES_TRACES)
        script.changes_tables = bool(script.kinds() & CHANGES_TABLES)
        return script

    def themes(self, dice):
        """The kinds of statements of this script: (names, weights)."""
        on = [k for k in STATEMENTS if k in self.kinds]
        names = [k for k in on if k in ("plain", "wrong", "transaction", "savepoint") and dice.random() < STATEMENTS[k][0] / 100]
        special = [k for k in on if k not in ("plain", "wrong", "transaction", "savepoint")]
        for _ in range(dice.choice((0, 1, 1, 1, 2, 2, 3))):
            weights = [STATEMENTS[k][0] or 3 for k in special]
            if special:
                names.append(dice.choices(special, weights)[0])
        names = sorted(set(names)) or on[:1]
        return names, [STATEMENTS[k][1] for k in names]

    def startup(self, dice, themes):
        # Who owns everything could drop what no script may.
        user = "compare_boss" if "authorization" in themes[0] and "temp" not in themes[0] and dice.random() < 0.7 else "app"
        if "startup" in self.kinds and dice.random() < 0.3:
            return {"user": user, **dice.choice(STARTUPS)}
        return {"user": user}

    @staticmethod
    def statement(dice, w, themes):
        kind = dice.choices(*themes)[0]
        return kind, STATEMENTS[kind][2](w)

    def steps(self, dice, w, who, themes, names):
        ways = [k for k in WAYS if k in self.kinds and k not in ("startup", "mover")]
        # Who holds a connection for good keeps the others from playing: such clients leave more often.
        often = 4 if MAY_PIN & set(themes[0]) else 1
        way = dice.choices(ways, [WAYS[k][0] * (often if k == "leave" else 1) for k in ways])[0]
        return getattr(self, way)(dice, w, who, themes, names)

    def simple(self, dice, w, who, themes, names):
        kind, sql = self.statement(dice, w, themes)
        return [Step(who, [("Q", sql)], {kind, "simple"})]

    def multi(self, dice, w, who, themes, names):
        many = [self.statement(dice, w, themes) for _ in range(dice.randrange(2, 5))]
        if any("hid_" in sql for _, sql in many):  # in one text with these, functions do not find the names
            many = [(kind, sql) for kind, sql in many if kind != "lent" or not sql.startswith(("prepare", "deallocate"))]
        return [Step(who, [("Q", "; ".join(s for _, s in many))], {"multi", *(k for k, _ in many)})]

    def unnamed(self, dice, w, who, themes, names):
        items, kinds = [], {"unnamed"}
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            if dice.random() < 0.1:
                items += [("P", "", "select $1::text, $2::int"), ("B", "", "", ["v", self.one_of(dice, "4", "x", None)]), ("E", "", 0)]
                continue
            kind, sql = self.statement(dice, w, themes)
            kinds.add(kind)
            items.append(("P", "", sql))
            if dice.random() < 0.2:
                items.append(("D", "S", ""))
            items.append(("B", "", "", [], 1) if dice.random() < 0.1 else ("B", "", "", []))
            if dice.random() < 0.6:
                items.append(("D", "P", ""))
            items.append(("E", "", 0))
            if dice.random() < 0.1:
                items.append(("S",))
        return [Step(who, [*items, ("S",)], kinds)]

    @staticmethod
    def one_of(dice, *choices):
        return dice.choice(choices)

    def named(self, dice, w, who, themes, names):
        """Statements that live on: parsed now, used whenever."""
        items, kinds = [], {"named"}
        for _ in range(dice.randrange(1, 5)):
            name, what = dice.choice(("", *NAMES)), dice.choice("PPBBBBDC")
            if name not in names and what != "C":
                what = "P"
            if what == "P":
                kind, sql = self.statement(dice, w, themes)
                if dice.random() < 0.15:
                    kind, sql = "plain", "select $1::text"
                if kind == "prepare" and name == "a":
                    name = "b"  # scripts execute `a` by SQL: of one that names others itself that is refused
                if names.get(name) and name and dice.random() < 0.7:
                    items.append(("C", "S", name))
                kinds.add(kind)
                names[name] = (kind, "$1" in sql)
                items.append(("P", name, sql))
            elif what == "B":
                kinds.add(names[name][0])
                items += [("B", "", name, ["value"] if names[name][1] else [])]
                if dice.random() < 0.4:
                    items.append(("D", "P", ""))
                items.append(("E", "", 0))
            elif what == "D":
                items.append(("D", "S", name))
            else:
                items.append(("C", "S", name))
                names.pop(name, None)
            if dice.random() < 0.15:
                items.append(("S",))
        if kinds & SETTINGS and any(i[0] == "P" for i in items):
            kinds.add("pins")
        return [Step(who, [*items, ("S",)], kinds)]

    def portal(self, dice, w, who, themes, names):
        """A portal that is read in parts, in a transaction or in one group."""
        kind, sql = self.statement(dice, w, themes)
        # Never the unnamed one: PostgreSQL 15 may crash when it is executed after a failed Query of the same transaction.
        portal = "p"
        head = [("P", "", sql if dice.random() < 0.3 else "select id, word from words order by id"), ("B", portal, "", [])]
        fetch = [("E", portal, dice.randrange(1, 4))]
        kinds = {"portal", kind}
        if dice.random() < 0.4:
            return [Step(who, head + fetch * dice.randrange(1, 4) + [("C", "P", portal)] * dice.randrange(2) + [("S",)], kinds)]
        steps = [Step(who, [("Q", "begin")], {"portal", "transaction"}), Step(who, head + fetch + [("S",)], kinds)]
        for _ in range(dice.randrange(0, 3)):
            if dice.random() < 0.3:
                k, s = self.statement(dice, w, themes)
                steps.append(Step(who, [("Q", s)], {k, "simple"}))
            steps.append(Step(who, [*fetch, ("S",)], {"portal"}))
        return [*steps, Step(who, [("Q", self.one_of(dice, "commit", "rollback"))], {"portal", "transaction"})]

    def flush(self, dice, w, who, themes, names):
        """A group that is sent in several steps."""
        whole = self.unnamed(dice, w, who, themes, names)[0]
        items, steps, part = whole.items, [], []
        for item in items[:-1]:
            part.append(item)
            if dice.random() < 0.4:
                steps.append(Step(who, [*part, ("H",)], whole.kinds | {"flush"}))
                part = []
        return [*steps, Step(who, [*part, ("S",)], whole.kinds | {"flush"})]

    def copy(self, dice, w, who, themes, names):
        data = dice.choice((["60\tx\t1\n", "61\ty\t2\n"], ["60\tx\t1\n", "nonsense\n"], [], ["1\tagain\t1\n"], ["62\t\\N\t\\N\n", "\\.\n"]))
        end = ("f", "given up") if dice.random() < 0.2 else ("c",)
        kinds = {"copy"}
        if dice.random() < 0.4:
            sql = self.one_of(dice, "copy words to stdout", f"copy (select * from t{who} order by id) to stdout with csv header",
                              "copy (select 1 / (3 - id) from words order by id) to stdout", "copy no_such to stdout")  # fmt: skip
            if dice.random() < 0.5:
                return [Step(who, [("Q", sql)], kinds)]
            return [Step(who, [("P", "copy", sql), ("B", "copy", "copy", []), ("E", "copy", 0), ("C", "S", "copy"), ("S",)], kinds)]
        sql = self.one_of(dice, f"copy t{who} from stdin", f"copy t{who} (id, v, n) from stdin", "copy no_such from stdin", f"copy t{who} from stdin with (format csv)")
        rows = [("d", d) for d in data]
        roll = dice.random()
        if roll < 0.4:
            return [Step(who, [("Q", sql), *rows, end], kinds)]
        if roll < 0.6:
            kind, other = self.statement(dice, w, themes)
            return [Step(who, [("Q", f"select 1; {sql}; {other}"), *rows, end], kinds | {kind, "multi"})]
        return [Step(who, [("P", "copy", sql), ("B", "copy", "copy", []), ("E", "copy", 0), *rows, end, ("S",)], kinds),
                Step(who, [("C", "P", "copy"), ("C", "S", "copy"), ("S",)], kinds)]  # fmt: skip

    def call(self, dice, w, who, themes, names):
        return [Step(who, [dice.choice((("F", 1397, ["-5"]), ("F", 154, ["1", "0"]), ("F", 4294967, [])))], {"call"})]

    def cancel(self, dice, w, who, themes, names):
        """Cancelled while it sleeps, as play.py sees to. Nothing that runs may follow: PostgreSQL sends its signal twice."""
        kind, sql = self.statement(dice, w, themes)
        kinds, roll = {"cancel", kind}, dice.random()
        if roll < 0.3:
            return [Step(who, [("Q", SLEEP)], {"cancel"})]
        if roll < 0.6:
            return [Step(who, [("Q", self.one_of(dice, f"{sql}; {SLEEP}; select 2", f"begin; {SLEEP}", f"select 1; {SLEEP}; {sql}"))], kinds | {"multi"})]
        sleep = [("C", "S", "sleep"), ("P", "sleep", SLEEP), ("B", "", "sleep", []), ("E", "", 0)]  # nobody else uses that name
        other = [("P", "", sql), ("B", "", "", []), ("E", "", 0)]
        if roll < 0.8:
            return [Step(who, [*other, *sleep, ("S",)], kinds)]
        return [Step(who, [*sleep, *other, ("S",)], kinds)]

    def leave(self, dice, w, who, themes, names):
        names.clear()
        return [Step(who, [("X",)], {"leave"})]
