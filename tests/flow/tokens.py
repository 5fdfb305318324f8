#!/usr/bin/python3
"""A consistency token carries what one client has written to another one, over another gilmok: that one's reads find it."""

import contextlib
import re
import time

import psycopg
import pytest

from failover import wait_for_roles
from flowtools import value
from harness import wait_for
from split import APP_DB, SPLIT, at, client, cluster, node_of, ready  # noqa: F401

TOKEN = re.compile(r"^[0-9A-F]{8}/[0-9A-F]{1,8}/[0-9A-F]{1,8}/[0-9A-F]{1,16}$")
AT_ONCE = SPLIT.replace("eventual", "session")
SESSION = AT_ONCE + "consistency_timeout = 3s\n"


@pytest.fixture(scope="module")
def two(cluster):  # noqa: F811
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(contextlib.closing(cluster.gilmok(tail=SESSION))) for _ in range(2)]
        for g in both:
            wait_for_roles(g, a="primary", b="replica", c="replica")
        yield both


@pytest.fixture
def late(cluster):  # noqa: F811
    """The replicas replay a quarter of a second late."""
    for node in "bc":
        cluster.run(node, "alter system set recovery_min_apply_delay = '250ms'")
        cluster.run(node, "select pg_reload_conf()")
    yield
    for node in "bc":
        cluster.run(node, "alter system reset recovery_min_apply_delay")
        cluster.run(node, "select pg_reload_conf()")


def place(token):
    timeline, high, low, _ = token.split("/")
    return int(timeline, 16), (int(high, 16) << 32) + int(low, 16)


def test_it_is_shown_in_every_way(cluster, two):  # noqa: F811
    show = "show gilmok.consistency_token"
    with ready(cluster, two[0]) as c, ready(cluster, two[0]) as other:
        last = (0, 0)
        for ask in (
            lambda: value(c, show), lambda: value(c, "SHOW Gilmok.Consistency_Token ;"), lambda: c.execute(show, prepare=True).fetchone()[0],
            lambda: c.execute(show, prepare=True).fetchone()[0], lambda: c.pgconn.exec_(show.encode()).get_value(0, 0).decode(),
            lambda: value(c, show, prepare=False, binary=True), lambda: value(other, show), lambda: value(c, 'show "gilmok"."Consistency_token"'),
        ):  # fmt: skip
            c.execute("update kept set word = 'word 1' where id = 1")
            token = ask()
            assert TOKEN.match(token) and place(token) > last
            last = place(token)
        assert c.pgconn.exec_(show.encode()).command_status == b"SHOW"
        with c.transaction():
            c.execute("update kept set word = 'word 1' where id = 1")
            assert place(value(c, show)) > last
        c.execute("begin read only")
        assert at(cluster, c) in "bc"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            c.execute(show)
        c.execute("rollback")
        c.execute("begin; savepoint s")
        with pytest.raises(psycopg.errors.DivisionByZero):
            c.execute("select 1/0")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            c.execute(show)
        c.execute("rollback")
        assert at(cluster, c) in "bc" and value(c, "select current_setting('gilmok.consistency_token')") == ""


def test_what_stands_behind_it_runs_as_ever(cluster, two):  # noqa: F811
    with ready(cluster, two[0]) as c:
        c.execute("update kept set word = 'word 1' where id = 1")
        cursor = c.execute("show gilmok.consistency_token; select 1; select nextval('numbers')")
        token = cursor.fetchone()[0]
        assert TOKEN.match(token) and cursor.nextset() and cursor.fetchone() == (1,) and cursor.nextset() and not cursor.rownumber
        with pytest.raises(psycopg.errors.UndefinedColumn) as e:
            c.execute("show gilmok.consistency_token; select nope")
        assert e.value.diag.statement_position == "39"
        with pytest.raises(psycopg.errors.SyntaxError) as e:
            c.execute("show gilmok.consistency_token; selec 1")
        assert e.value.diag.statement_position == "32"
        c.execute("show gilmok.consistency_token; begin; savepoint s")
        assert place(value(c, "show gilmok.consistency_token")) >= place(token)
        c.execute("rollback")
        c.execute("prepare q as select 7")
        cursor = c.execute("show gilmok.consistency_token; execute q")
        assert cursor.nextset() and cursor.fetchone() == (7,)
        assert value(c, "select current_setting('gilmok.consistency_token')") == ""


@pytest.mark.parametrize("way", ["set", "set_config", "login"])
def test_who_has_it_finds_what_was_written(cluster, two, late, way):  # noqa: F811
    stale = 0
    with ready(cluster, two[0]) as writer, ready(cluster, two[1]) as reader:
        for i in range(4):
            time.sleep(0.3)
            writer.execute("update kept set word = %s where id = 2", (f"{way} {i}",))
            token = value(writer, "show gilmok.consistency_token")
            stale += value(reader, "select word from kept where id = 2") != f"{way} {i}"
            if way == "set":
                reader.execute(f"set gilmok.consistency_token = '{token}'")
            elif way == "set_config":
                reader.execute("select set_config('gilmok.consistency_token', %s, false)", (token,))
            else:
                reader.close()
                reader = client(cluster, two[1], options=f"-c gilmok.consistency_token={token}")
            wait = time.monotonic()
            node = None
            while node is None:
                node, word = reader.execute("select here(), word from kept where id = 2").fetchone()
                assert word == f"{way} {i}", (node, i)
                node = None if node == cluster.port("a") and time.monotonic() - wait < 3 else node
            assert node != cluster.port("a")
        reader.close()
    assert stale, "nothing was late: this says nothing"


@contextlib.contextmanager
def paused(cluster):  # noqa: F811
    """The replicas replay nothing more."""
    for node in "bc":
        cluster.run(node, "select pg_wal_replay_pause()")
    for node in "bc":
        wait_for(lambda n=node: cluster.run(n, "select pg_get_wal_replay_pause_state() = 'paused'") == [(True,)], what="a replay that pauses")
    try:
        yield
    finally:
        for node in "bc":
            cluster.run(node, "select pg_wal_replay_resume()")


def test_a_replica_that_has_replayed_up_to_there_will_do(cluster):  # noqa: F811
    """Whatever was written since. Where nobody can say whether it has, the primary answers."""
    def word(c):
        node, found = c.execute("select here(), word from kept where id = 3").fetchone()
        return node_of(cluster, node), found

    def found_with(g, token, times=10):
        with ready(cluster, g, prepare_threshold=None) as c:
            c.execute(f"set gilmok.consistency_token = '{token}'")
            wait_for(lambda: not g.show("CLIENTS", database="split", held_by="probe"), what="the end of the look at what it has set")
            return {word(c) for _ in range(times)}

    with contextlib.ExitStack() as stack:
        here, there = (stack.enter_context(contextlib.closing(cluster.gilmok(tail=AT_ONCE))) for _ in range(2))
        for g in here, there:
            wait_for_roles(g, a="primary", b="replica", c="replica")
        for _ in range(6):  # on each worker; what was written before that used its split first, nobody has noted
            stack.enter_context(ready(cluster, there))
        writer = stack.enter_context(client(cluster, here, prepare_threshold=None))
        writer.execute("update kept set word = 'before' where id = 3")
        token = value(writer, "show gilmok.consistency_token")
        timeline, high, low, system = token.split("/")
        for node in "bc":
            wait_for(lambda n=node: cluster.run(n, f"select pg_last_wal_replay_lsn() >= '{high}/{low}'") == [(True,)], what="the replay")
        with paused(cluster):
            writer.execute("update kept set word = 'behind' where id = 3")
            newer = value(writer, "show gilmok.consistency_token")
            found = found_with(there, token, 60)
            assert found <= {("a", "behind"), ("b", "before"), ("c", "before")}, found
            assert found - {("a", "behind")}, "no replica has served it"
            assert found_with(there, newer, 30) == {("a", "behind")}
            other = f"{int(system, 16) ^ 1:X}"
            for doubtful in f"{timeline}/{high}/{low}", f"{timeline}/{high}/{low}/{other}", f"00000009/{high}/{low}/{system}", "mine":
                assert found_with(there, doubtful) == {("a", "behind")}, doubtful
            with ready(cluster, there, prepare_threshold=None) as c:
                for known in token, newer, token:
                    c.execute(f"set gilmok.consistency_token = '{known}'")
                    c.execute("reset gilmok.consistency_token")
                wait_for(lambda: not there.show("CLIENTS", database="split", held_by="probe"), what="the end of the look")
                assert {word(c) for _ in range(10)} == {("a", "behind")}, "it has said what it must find"
        with ready(cluster, there, prepare_threshold=None) as c:
            c.execute(f"set gilmok.consistency_token = '{newer}'")
            wait_for(lambda: word(c)[0] in "bc", what="replicas that have it")
            assert word(c)[1] == "behind"
