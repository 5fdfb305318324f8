#!/usr/bin/python3
"""What interleavings contain: ways to change a setting, and what else a session can hold. Interleaving number N is always the same,
for the same server and the same version of this file.

A change is a list of steps, each of which a client sends at once; other clients' steps may come between them. Kinds of steps:

    the name of a setting   it is what the step changes
    temp                    it may use temporary objects: a connection remembers that for ever
    rest                    it may leave, or take away, what keeps a server connection for its client
    stays                   it keeps its client's connection until the client leaves
    ask                     the client's answers depend on what it has left: sequences, prepared statements
    observe                 what its client finds is observed, quick, or `whole`, or `full` (observe.py), beside its items
    leave                   the client goes, and another one comes in its place"""

import random

from steps import Script, Step

APP, BOSS = "app", "compare_boss"
CUSTOM = {"app.who": ["alice", "o'brien", "back\\slash", "\\' or 1 --", "$$", "x'); select 1; --", "7", "ein \u00fc"], "app.tenant": ["7", "8", "a b"]}
IDENTITY = ["role", "session_authorization"]
OF_TRANSACTION = ("transaction_isolation", "transaction_read_only", "transaction_deferrable")
SESSION = ("user", "superuser")  # contexts of settings that a session may change
NOT_AFTER_TEMP = "temp_buffers"  # cannot be set where temporary objects were used, and keeps its client's connection
KEEPS = (NOT_AFTER_TEMP, "app.who")  # the latter with a value that is not plain ASCII
REST_SHARE = 0.3  # of all changes, those of what is no setting


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Writer:
    """The changes of one interleaving's clients."""

    def __init__(self, dice, seed, user, targets, values, usual):
        self.dice, self.seed, self.user, self.targets, self.values, self.usual = dice, seed, user, targets, values, usual
        self.me, self.parsed = 0, {}

    def one(self, *choices):
        return self.dice.choice(choices)

    # ---- ways of sending ----

    def sent(self, sql):
        """The items of one statement."""
        roll = self.dice.random()
        if roll < 0.6:
            return [("Q", sql)]
        if roll < 0.85:
            return [("P", "", sql), ("B", "", "", []), ("E", "", 0), ("S",)]
        return [("C", "S", "once"), ("P", "once", sql), ("B", "", "once", []), ("E", "", 0), ("S",)]

    def steps(self, *texts, kinds=()):
        return [Step(self.me, self.sent(t), kinds) for t in texts]

    # ---- settings ----

    def value(self, name):
        first = self.dice.choice(self.values[name])
        return quoted(first if first != self.usual.get(name) else self.dice.choice(self.values[name]))

    def set_text(self, name, value, is_local=False):
        """A statement that sets; `value` is quoted. Lists are said as lists by SET, and as one text by set_config."""
        if name == "search_path" and not is_local and self.dice.random() < 0.5:
            return f"set search_path = {value[1:-1] or quoted('')}"
        if is_local:
            return self.one(f"set local {name} = {value}", f"select set_config({quoted(name)}, {value}, true)")
        updates = [f"update pg_settings set setting = {value} where name = {quoted(name)}"] if "." not in name else []
        return self.one(f"set {name} = {value}", f"set session {name.upper()} to {value}", f"select set_config({quoted(name)}, {value}, false)",
                        f"select pg_catalog.set_config({quoted(name)}, {value}, 'off')", *updates)  # fmt: skip

    def plain(self, name):
        return self.steps(self.set_text(name, self.value(name)))

    def undone(self, name):
        return self.steps(self.one(f"reset {name}", f"set {name} to default", f"set session {name} = default"))

    def local(self, name):
        sql = self.set_text(name, self.value(name), True)
        if self.dice.random() < 0.2:
            return self.steps(sql)
        return self.steps("begin", sql, *self.ends())

    def ends(self):
        return [self.one("commit", "commit", "rollback", "end", "abort")]

    def in_transaction(self, name):
        return self.steps("begin", self.set_text(name, self.value(name)), *self.ends())

    def in_savepoints(self, name):
        a, b = (self.set_text(name, self.value(name), self.dice.random() < 0.2) for _ in range(2))
        middle = self.one([a, "savepoint one", b, "rollback to one"], ["savepoint one", a, "release one", b], ["savepoint one", a, "rollback to one"],
                          [a, "savepoint one", f"reset {name}", "select 1/0", "rollback to one"], [a, "savepoint one", b, "release one"],
                          [a, "commit and chain", b], [a, "rollback and chain", b], [a, "rollback and chain"])  # fmt: skip
        return self.steps("begin", *middle, *self.ends())

    def in_one_query(self, name):
        a, b = (self.set_text(name, self.value(name)) for _ in range(2))
        sql = self.one(f"{a}; select 1/0", f"begin; {a}; commit; begin; {b}; rollback", f"{a}; {b}", f"begin; {a}; rollback; select 1", f"{a}; reset {name}",
                       f"begin; {a}; commit; select 1/0", f"begin; savepoint s; {a}; rollback to s; {b}; commit", f"set local {name} = {self.value(name)}; {a}",
                       f"{a}; set local {name} = {self.value(name)}")  # fmt: skip
        return [Step(self.me, [("Q", sql)])]

    def in_pipeline(self, name):
        """One group of the extended protocol, and two of them sent at once."""
        a, b = (self.set_text(name, self.value(name)) for _ in range(2))
        run = lambda sql: [("P", "", sql), ("B", "", "", []), ("E", "", 0)]  # noqa: E731
        items = self.one([*run(a), *run("select 1/0"), ("S",)], [*run(a), *run(b), ("S",)], [*run(a), ("S",), *run(f"reset {name}"), ("S",)],
                         [*run(a), ("S",), *run("select 1/0"), ("S",)], [("Q", a), ("Q", b)], [("Q", "begin"), ("Q", a), ("Q", "rollback"), ("Q", b)])  # fmt: skip
        return [Step(self.me, items)]

    def failing(self, name):
        a = self.set_text(name, self.value(name))
        return self.steps(*self.one(["begin", a, "select 1/0", "commit"], ["begin", a, "select 1/0", "rollback"], [f"set {name} = 'no such value'"], [f"select 1 from ({a}) x"]))

    def by_value(self, name):
        """The value comes as a parameter."""
        sql = f"select set_config({quoted(name)}, $1, {self.one('false', 'false', 'true')})"
        return [Step(self.me, [("P", "", sql), ("B", "", "", [self.dice.choice(self.values[name])]), ("E", "", 0), ("S",)])]

    def by_code(self, name):
        v, n = self.value(name), quoted(name)
        hidden = [f"do $$ begin perform set_config({n}, {v}, false); end $$", f"do $$ begin set {name} = {v}; end $$", f"do $$ begin set local {name} = {v}; end $$",
                  f"select hid_set({n}, {v})", f"select hid_set_local({n}, {v})", f"select hid_set({n}, {v}), 1/0", f"do $$ begin reset {name}; end $$",
                  f"do $$ begin begin perform set_config({n}, {v}, false); perform 1/0; exception when others then null; end; end $$"]  # fmt: skip
        named = [f"explain (analyze, costs off, timing off, summary off) select set_config({n}, {v}, false)", f"select set_config({n}, v, false) from (values ({v}), ({v})) x (v)",
                 f"with c as (select set_config({n}, {v}, false) as x) select x from c", f"copy (select set_config({n}, {v}, false)) to stdout",
                 f"select set_config({n}, {v}, false) where false"]  # fmt: skip
        sql = self.one(*hidden, *named)
        return self.steps(sql.replace("$$", "$code$") if "$$" in v else sql)

    def computed(self, name):
        n, v = quoted(name), self.value(name)
        if self.dice.random() < 0.5:
            return [Step(self.me, self.sent(f"select set_config(lower({n}), {v}, false)"), ("stays",))]
        sql = self.one("select set_config($1, $2, false)", "select hid_set($1, $2)", "select pg_catalog.set_config($1::text, $2, false)")
        return [Step(self.me, [("P", "", sql), ("B", "", "", [name, v[1:-1]]), ("E", "", 0), ("S",)])]

    SETTING_WAYS = ((plain, 10), (undone, 5), (local, 4), (in_transaction, 5), (in_savepoints, 5), (in_one_query, 4), (in_pipeline, 4), (failing, 2), (by_value, 2),
                    (by_code, 6), (computed, 1))  # fmt: skip

    def setting(self):
        name = self.dice.choice(self.targets)
        if name in OF_TRANSACTION:
            found = self.steps("begin", f"set {name} = {self.value(name)}", *self.ends())
        else:
            found = self.dice.choices([w for w, _ in self.SETTING_WAYS], [n for _, n in self.SETTING_WAYS])[0](self, name)
        kinds = {name, "rest"} if name in KEEPS else {name}
        return [Step(s.client, s.items, s.kinds | kinds) for s in found]

    # ---- settings with a grammar of their own, and all at once ----

    def special(self):
        sql = self.one("set time zone interval '+02:30' hour to minute", "set time zone -3", "set time zone local", "set names 'LATIN1'", "set names default",
                       "set schema 'odd'", "set session characteristics as transaction isolation level serializable, read only",
                       "set session characteristics as transaction read write", "set time zone default", "set xml option document", "set session characteristics as transaction isolation level repeatable read",
                       "select hid_caught('3MB')", "select hid_with('2MB')", "select hid_with_local()", "select hid_default()",
                       "insert into public.hid_trigger values (1)", "insert into public.hid_trigger values (1); select 1/0")  # fmt: skip
        if self.dice.random() < 0.1:
            return self.steps("call hid_commits('2MB')")
        if self.dice.random() < 0.05:
            return self.steps("select * from public.hid_view", kinds=("stays",))
        return self.steps(sql) if self.dice.random() < 0.7 else self.steps("begin", sql, *self.ends())

    def all_at_once(self):
        return self.steps(self.one("reset all", "discard all", "discard all", "begin; reset all; rollback"), kinds=("rest",))

    def role(self):
        roles = ("compare_reader", '"compare ""odd"""', "none", APP, "compare_stranger")
        r = self.dice.choice(roles)
        texts = [f"set role {r}", f"set role {r}", "reset role", f"set local role {r}", f"select set_config('role', {quoted(r.replace(chr(34), ''))}, false)"]
        if self.user == BOSS:
            a = self.one(APP, "compare_reader", "default", '"compare ""odd"""', BOSS)
            texts += [f"set session authorization {a}", f"set session authorization {a}", "reset session authorization", f"set local session authorization {a}"]
        sql = self.dice.choice(texts)
        kinds = ("rest",) if self.user == BOSS else ()  # a superuser who is none any more keeps its connection
        return self.steps(sql, kinds=kinds) if self.dice.random() < 0.6 else self.steps("begin", sql, *self.ends(), kinds=kinds)

    def path(self):
        return self.steps(self.set_text("search_path", self.value("search_path")))

    # ---- what keeps a connection ----

    def rest(self, *pairs):
        """One that leaves something, or takes it away, or both with others' steps between them."""
        make, take = self.one(*pairs)
        texts = self.one([make], [take], [make, take], ["begin", make, self.one("commit", "rollback")], [make, "discard all"], [make, take])
        return [Step(s.client, s.items, s.kinds | {"rest"}) for s in self.steps(*texts)]

    def temporary(self):
        n = self.one("tmp_a", "here")
        found = self.rest((f"create temp table {n} as select {self.me} as x", f"drop table {n}"), (f"select 1 as x into temp {n}", f"drop table {n}"),
                         (f"create temp view {n} as select 1 as x", f"drop view {n}"), ("create temp sequence tmp_s", "drop sequence tmp_s"),
                         (f"create temp table {n} (x int) on commit drop", "discard temp"), (f"create table pg_temp.{n} (x int)", "discard temporary"),
                         (f"select hid_temp('{n}')", f"drop table {n}"), ("create function pg_temp.f() returns int language sql as 'select 9'", "drop function pg_temp.f()"))  # fmt: skip
        return [Step(s.client, s.items, s.kinds | {"temp"}) for s in found]

    def locks(self):
        key = self.seed % 10000000 * 10 + self.me
        return self.rest((f"select pg_advisory_lock({key})", f"select pg_advisory_unlock({key})"), (f"select pg_try_advisory_lock({key})", "select pg_advisory_unlock_all()"),
                         (f"select pg_advisory_lock_shared({key})", f"select pg_advisory_unlock_shared({key})"),
                         (f"select pg_advisory_lock({key % 1000000}, {self.me})", f"select pg_advisory_unlock({key % 1000000}, {self.me})"),
                         (f"select pg_advisory_xact_lock({key})", "select 1"), (f"select hid_lock({key})", f"select hid_unlock({key})"),
                         (f"do $$ begin perform pg_advisory_lock({key}); end $$", f"select pg_advisory_unlock({key})"))  # fmt: skip

    def channels(self):
        n = self.one("news", '"Odd channel"')
        return self.rest((f"listen {n}", f"unlisten {n}"), (f"listen {n}", "unlisten *"), ("select hid_listen('news')", "unlisten news"),
                         ("do $$ begin listen other; end $$", "unlisten other"))  # fmt: skip

    def held(self):
        n = self.one("h", '"H h"')
        return self.rest((f"declare {n} cursor with hold for select id from words order by id", f"close {n}"),
                         (f"declare {n} scroll cursor with hold for table words", "close all"), ("select hid_cursor('h')", "close h"),
                         (f"begin; declare {n} cursor with hold for values ({self.me}); commit", f"fetch {n}"))  # fmt: skip

    def prepared(self):
        n = self.one("q", '"Q q"')
        return self.rest((f"prepare {n} as select 'of {self.me}'", f"execute {n}"), (f"prepare {n} (int) as select $1 + {self.me}", f"deallocate {n}"),
                         ("select hid_prepare('of code')", "deallocate all"), (f"prepare {n} as table words", f"deallocate prepare {n}"))  # fmt: skip

    def sequence(self):
        s = f"s{self.me % 3}"
        ask = self.one("select lastval()", f"select currval('{s}')")
        texts = self.one([f"begin; select nextval('{s}')", "select lastval()", f"select currval('{s}')", "commit"], [f"select nextval('{s}')"], [f"select nextval('{s}')", ask],
                         [ask], [f"select hid_next('{s}')"], [f"select setval('{s}', 40)", ask], [f"select nextval('{s}')", "discard sequences", ask])  # fmt: skip
        return [Step(self.me, [("Q", t)], ("ask",)) for t in texts]

    def statement(self):
        """Statements of the protocol: prepared now, used by `observe` for as long as the client is there."""
        n = self.one("p1", "p2")
        self.parsed.setdefault(self.me, set()).add(n)
        head = [("C", "S", n)] if self.dice.random() < 0.6 else []
        sql = self.one(f"select 'statement {self.dice.randrange(1000)} of {self.me}'", "select current_setting('work_mem')", "select date '01/02/2026'", "table here")
        return [Step(self.me, [*head, ("P", n, sql), ("S",)], ("ask",))]

    OTHERS = ((special, 4), (all_at_once, 5), (role, 8), (path, 4), (temporary, 6), (locks, 5), (channels, 4), (held, 4), (prepared, 5), (sequence, 4), (statement, 7))

    def change(self):
        if self.dice.random() >= REST_SHARE:
            return self.setting()
        others = [o for o in self.OTHERS if NOT_AFTER_TEMP not in self.targets or o[0] != Writer.temporary]
        return self.dice.choices([w for w, _ in others], [n for _, n in others])[0](self)


NOT_AT_START = OF_TRANSACTION + ("local_preload_libraries", "session_preload_libraries")  # the server looks for the libraries then


class Generator:
    """Interleavings. `found`: settings.all_of_server() of the server; `usual`: the values of a session that has set nothing;
    `readable`: names of those that everybody may read."""

    def __init__(self, found, usual, readable):
        self.usual, self.hidden = usual, set(found) - set(readable)
        self.values = {**{n: v for n, (c, v) in found.items() if c in SESSION}, **CUSTOM}
        self.at_start = {n: (c, v) for n, (c, v) in found.items() if n not in NOT_AT_START and len(v) > 1}
        self.left_out = {}
        for name, (context, values) in found.items():
            if len(values) < 2:
                self.left_out[name] = "no two values of it are known here" if name not in WHY else WHY[name]
        self.values = {n: v for n, v in self.values.items() if n not in self.left_out}
        self.needs_boss = {n for n, (c, _) in found.items() if c.startswith("superuser")}
        self.all = sorted({*self.values, *self.at_start})  # each is the first target of every so manieth interleaving

    def script(self, seed):
        dice = random.Random(f"state {seed}")
        first = self.all[seed % len(self.all)]
        is_boss = first in self.needs_boss or dice.random() < 0.3
        user = BOSS if is_boss else APP
        mine = [n for n in self.values if is_boss or n not in self.needs_boss]
        targets = [n for n in [first, first, *dice.sample(mine, dice.choice((0, 1, 1, 2)))] if n in self.values]
        count, pool = dice.choice((2, 2, 2, 3, 3, 4)), dice.choice((1, 1, 2))
        targets = targets or dice.sample(mine, 1)
        w = Writer(dice, seed, user, targets, self.values, self.usual)
        clients = [{"user": user} for _ in range(count)]
        if NOT_AFTER_TEMP in targets:  # on connections that never see a temporary object, on either side
            pool, clients = 3, [{"user": user, "application_name": "no temporary objects"} for _ in range(count)]
        elif first not in self.values or dice.random() < 0.05:
            for c in clients:
                if dice.random() < 0.6:
                    c.update(self.startup(dice, first))
        lines = []
        for w.me in range(count):
            lines.append([step for _ in range(dice.choice((1, 1, 2, 2, 3, 4))) for step in w.change()])
        steps = self.merged(dice, lines, w)
        order = list(range(count))
        dice.shuffle(order)
        for who in order:
            if first in self.hidden or dice.random() < 0.05:
                how = {"full"}
            else:
                how = {"whole"} if self.has_rest(lines) or dice.random() < 0.2 else set()
            steps += [self.observe(who, w, how), Step(who, [("X",)], ("leave",))]
        return Script(pool, clients, steps, seed)

    def startup(self, dice, name):
        """What a client says at its login: settings of its own, by name or in `options`."""
        if name not in self.at_start:
            name = "work_mem"
        value = dice.choice(self.at_start[name][1])
        if dice.random() < 0.4:
            return {name: value}
        escaped = value.replace("\\", "\\\\").replace(" ", "\\ ")
        return {"options": f"-c {name}={escaped}"}

    @staticmethod
    def has_rest(lines):
        return any("rest" in step.kinds for line in lines for step in line)

    @staticmethod
    def observe(who, w, kinds=frozenset()):
        items = [i for n in sorted(w.parsed.get(who, ())) for i in (("B", "", n, []), ("E", "", 0), ("S",))]
        return Step(who, items, {"observe", *kinds})

    def merged(self, dice, lines, w):
        """The clients' lines in one, in random order; now and then somebody is observed, and now and then somebody leaves."""
        left = [list(line) for line in lines]
        steps, who, rest = [], 0, self.has_rest(left)
        while any(left):
            if not left[who] or dice.random() < 0.5:
                who = dice.choice([i for i, line in enumerate(left) if line])
            steps.append(left[who].pop(0))
            if dice.random() < 0.25:
                steps.append(self.observe(dice.choice((who, dice.randrange(len(lines)))), w, {"whole"} if rest and dice.random() < 0.3 else set()))
            if not left[who] and dice.random() < 0.1:
                steps.append(Step(who, [("X",)], ("leave",)))
        return steps


WHY = {
    "debug_discard_caches": "has one value in a server that is built without assertions",
    "post_auth_delay": "only holds up logins",
}
