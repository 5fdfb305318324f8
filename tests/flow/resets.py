#!/usr/bin/python3
"""What a session started with is what RESET, SET TO DEFAULT and DISCARD ALL go back to, on connections that started otherwise.
The same bytes to the server itself and through gilmok bring the same messages back."""

import pytest

import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, PRIMARY_PORT
from pgwire import FLUSH, SYNC, bind, close, describe, execute, parse, query


def pipeline(sql, values=(), name=""):
    return (b"" if name else parse(sql)) + bind(values, name=name) + execute()


def play(port, steps, params):
    """The messages that come back for each step, those of other clients' moves left out."""
    c = pgwire.Client(port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, params=params, timeout=10).login()
    told = sorted((n, v) for n, v in c.parameters.items())
    got = [told]
    for step in steps:
        c.send(step)
        ends = sum(kind in "QSF" for kind, _ in split(step))
        replies = []
        while ends:
            replies.append(c.read())
            ends -= replies[-1][0] == "Z"
        got.append(replies)
    c.end()
    return got


def split(data):
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "big") + 1
        yield chr(data[at]), data[at + 5 : at + size]
        at += size


def compare(gilmok, steps, params):
    alone, shared = play(PRIMARY_PORT, steps, params), play(gilmok.port, steps, params)
    for i, (a, b) in enumerate(zip(alone, shared)):
        assert a == b, f"step {i}: {steps[i - 1] if i else 'login'}"


def scripts_for(name, value):
    """Resets of this setting in every way, after SET of it."""
    put_sql = f"set {name} = {value}"
    show, put = query(f"show {name}"), query(put_sql)
    undo = {"reset": f"reset {name}", "upper": f"RESET {name.upper()} ;", "default": f"set {name} to default",
            "session": f"set session {name} = default", "all": "reset all", "discard": "discard all"}
    for key, sql in undo.items():
        yield key, [put, show, query(sql), show, query(sql), show]
        yield key + " by pipeline", [put, show, pipeline(sql) + SYNC, show, parse(sql, "s") + SYNC, put, pipeline(sql, name="s") + SYNC, show]
        yield key + " with more behind", [put, query(sql) + show + put + show + query(sql) + show]
        if key == "discard":
            yield "discard in a transaction", [put, query("begin"), query(sql), query("rollback"), show]
            continue
        yield key + " in a transaction", [put, query("begin"), query(sql), show, query("rollback"), show, query("begin"), query(sql), query("commit"), show]
        yield key + " in a savepoint", [query("begin"), put, query("savepoint a"), query(sql), show, query("rollback to a"), show, query("commit"), show]
        yield key + " in a failed transaction", [put, query("begin"), query("select 1/0"), query(sql), query("rollback"), show]
        yield key + " in a pipeline", [put, pipeline(f"show {name}") + pipeline(sql) + pipeline(f"show {name}") + SYNC, show]
        yield key + " in a pipeline that fails", [put, pipeline(sql) + pipeline("select 1/0") + SYNC, show]
        yield key + " behind a failure", [put, pipeline("select 1/0") + pipeline(sql) + SYNC, show]
        yield key + " at the end", [put, query(f"select 1; select 2, 3; {sql}"), show, put, query(f"select 1;;{sql}; -- c") * 2 + show, put, query(f"values (1); /* ; */ {sql} -- c")]
        yield key + " at the end in a transaction", [put, query("begin"), query(f"select 1; {sql}"), show, query("rollback"), show, query(f"begin; {sql}"), show, query("commit"), show]
        yield key + " at the end and failures", [put, query(f"select 1; select 1/0; {sql}"), show, query(f"select 1; {sql} x"), show, query(f"rollback; {sql}")]
        yield key + " twice", [put, query(f"{sql}; {sql}"), show, query(f"select 1; {sql}; select 2"), show, put, query(f"begin; commit; {sql}; select 1"), show]
        yield key + " with a flush", [put, parse(sql) + bind() + describe("P") + FLUSH + execute() + FLUSH + SYNC, show]
        yield key + " ends the unnamed", [put, parse("select 1") + SYNC, query(sql), pipeline("", name="") + SYNC, bind() + execute() + SYNC]
        yield key + " by a portal", [put, query("begin"), parse(sql) + bind(portal="p") + SYNC, show, execute("p") + close("P", "p") + SYNC, show, query("commit"), show]
        yield key + " in the middle", [put, query(f"{sql} -- c\n; show {name}; set {name} = {value}; /* ; */ {sql} /* c */;; show {name}"), show]
        yield key + " in the middle and failures", [put, query(f"select 'é'; {sql}; select nope"), show, query(f"{sql}; select 1 x y"), show,
                                                    query(f"{sql}; show {name}; select 1/0; {sql}"), show, query(f"select nope; {sql}; show {name}"), show]
        yield key + " in the middle of transactions", [put, query(f"begin; {sql}; show {name}"), show, query(f"{sql}; rollback; show {name}; {sql}"), show,
                                                       query(f"begin; {sql}; commit; {put_sql}; show {name}"), show]
        yield key + " in the middle, with transactions that have failed", [put, query("begin"), query("select 1/0"), query(f"{sql}; select 1"),
                                                                           query(f"rollback; {sql}; show {name}"), show]
        yield key + " in the middle of a pipeline", [put, pipeline(f"show {name}") + query(f"{sql}; show {name}") + SYNC, show,
                                                     (query(f"{sql}; show {name}") + put) * 3 + show]
        if name != "search_path" and key != "all":  # to set it takes a snapshot
            yield key + " before the characteristics", [put, query("begin"), query(sql), query("set transaction isolation level serializable"), query("commit"),
                                                        query(f"begin; {sql}; set transaction isolation level serializable; show {name}; commit"), show]
    yield "local in the middle", [put, query(f"set local {name} to default; show {name}"), show, query(f"begin; set local {name} to default; show {name}; commit; show {name}"), show]
    yield "local", [put, query("begin"), query(f"set local {name} to default"), show, query("commit"), show]
    yield "wrong", [put, query(f"reset {name} x"), show, query("reset no_such_setting"), show]


def test_a_discard_whose_group_fails_later(narrow):
    """It is not undone with the group, as everything else is."""
    params = {"TimeZone": "Asia/Tokyo", "work_mem": "5MB", "application_name": "own"}
    c = pgwire.Client(narrow.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, params=params).login()
    c.query("set timezone = 'Europe/Oslo'"), c.query("set work_mem = '9MB'"), c.query("set application_name = 'other'")
    c.send(pipeline("discard all") + pipeline("select 1/0") + SYNC)
    assert [e.sqlstate for e in c.collect().errors] == ["22012"]
    assert [c.ask(f"show {n}") for n in params] == list(params.values())
    c.end()


def cases(params):
    return [pytest.param(steps, params, id=f"{name} {key}") for name, value in CLIENTS[params] for key, steps in scripts_for(name, value)]


# startup parameters: the settings that are played with, and what they are set to
CLIENTS = {
    (("application_name", "own name"),): [("application_name", "'other'")],
    (("TimeZone", "Asia/Tokyo"), ("DateStyle", "iso, dmy"), ("client_encoding", "LATIN1"), ("extra_float_digits", "2"), ("application_name", "driver")):
        [("timezone", "'Europe/Oslo'"), ("extra_float_digits", "0"), ("datestyle", "'German'"), ("application_name", "'other'")],
    (("options", "-c work_mem=5MB --search-path=pg_catalog -c app.who=it\\'s\\ me"),):
        [("work_mem", "'1111kB'"), ("search_path", "public"), ("app.who", "'me'")],
    (): [("application_name", "'other'"), ("work_mem", "'1111kB'")],
}


@pytest.mark.parametrize("steps, params", [c for p in CLIENTS for c in cases(p)])
def test_resets(narrow, steps, params):
    compare(narrow, steps, dict(params))
