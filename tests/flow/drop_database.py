#!/usr/bin/python3
"""Databases are dropped, renamed and copied through gilmok although it keeps idle connections to them."""

import psycopg
import pytest

from flowtools import APP_PASSWORD, APP_USER, connect, superuser, value

ANY = "[database *]\ncluster = main\npool_mode = {mode}\npool_size = 8\nmin_pool_size = {least}\n"
NAMES = ["passing", "passing_copy", "passing_renamed"]


def drop_all():
    with superuser() as su:
        for name in NAMES:
            su.execute(f"drop database if exists {name} with (force)")


@pytest.fixture(autouse=True)
def owner():
    drop_all()
    with superuser() as su:
        su.execute(f"alter role {APP_USER} createdb")
        su.execute(f"create database passing owner {APP_USER}")
    yield
    drop_all()
    with superuser() as su:
        su.execute(f"alter role {APP_USER} nocreatedb")


def sessions_at(name):
    with superuser() as su:
        return value(su, "select count(*) from pg_stat_activity where datname = %s", [name])


def use(gilmok, name, clients=3, stay=True):
    """So many idle server connections are left behind; where the database was dropped a moment ago they may close at once."""
    open_ones = [connect(gilmok, dbname=name) for _ in range(clients)]
    for c in open_ones:
        c.execute("begin")
    for c in open_ones:
        c.execute("commit")
        c.close()
    assert sessions_at(name) or not stay


@pytest.fixture(params=["transaction", "session"])
def gilmok(request, start):
    return start(main=["workers = 3"], tail=ANY.format(mode=request.param, least=0))


STATEMENTS = {
    "drop": ("drop database passing", "passing"),
    "rename": ("/* later */ alter database passing rename to passing_renamed", "passing_renamed"),
    "copy": ("create database passing_copy template passing", "passing_copy"),
}


@pytest.mark.parametrize("what", list(STATEMENTS))
@pytest.mark.parametrize("prepared", [False, True])
def test_idle_connections_make_way(gilmok, what, prepared):
    sql, name = STATEMENTS[what]
    with connect(gilmok) as c:
        use(gilmok, "passing")
        c.execute(sql, prepare=prepared)
        assert value(c, "select count(*) from pg_database where datname = %s", [name]) == (what != "drop")


def test_a_statement_that_was_prepared_long_ago(gilmok):
    """Only Bind and Execute are sent each time."""
    with connect(gilmok) as c:
        for _ in range(3):
            c.execute("drop database passing", prepare=True)
            c.execute(f"create database passing owner {APP_USER}", prepare=True)
            use(gilmok, "passing", stay=False)
            c.execute("create database passing_copy template passing", prepare=True)
            use(gilmok, "passing_copy", stay=False)
            c.execute("drop database passing_copy", prepare=True)


def test_who_has_listened_is_gone(start):
    """The connection that listens for all clients stays for a while when the last one has left."""
    gilmok = start(main=["workers = 2"], tail=ANY.format(mode="transaction", least=0) + "listen = shared\n")
    with connect(gilmok) as c:
        with connect(gilmok, dbname="passing") as d:
            d.execute("listen here")
        c.execute("drop database passing")


def test_the_own_database_is_copied(gilmok):
    use(gilmok, "passing")
    with connect(gilmok, dbname="passing") as c:
        c.execute("create table here (x int)")
        c.execute("create database passing_copy template passing")
    with connect(gilmok, dbname="passing_copy") as c:
        assert value(c, "select count(*) from here") == 0


def test_who_leaves_only_now_is_waited_for(gilmok):
    with connect(gilmok) as c:
        for _ in range(5):
            other = connect(gilmok, dbname="passing")
            other.execute("select 1")
            other.close()
            c.execute("drop database passing")
            c.execute("create database passing")


def test_a_client_that_is_logged_in_is_in_the_way(gilmok):
    """As on a direct connection, as long as the server knows of anybody."""
    with connect(gilmok) as c, connect(gilmok, dbname="passing") as other:
        other.execute("select 1")
        with pytest.raises(psycopg.errors.ObjectInUse):
            c.execute("drop database passing")
        assert value(other, "select 1") == 1


def test_a_minimum_of_connections_is_not_kept_meanwhile(start):
    gilmok = start(main=["workers = 2"], tail=ANY.format(mode="transaction", least=6))
    with connect(gilmok) as c:
        use(gilmok, "passing")
        c.execute("drop database passing")


def test_another_database_under_the_same_name_has_other_functions(start):
    """What the first one's functions leave says nothing about the second one's."""
    gilmok = start(tail=ANY.format(mode="transaction", least=0) + "server_round_robin = on\n")
    with connect(gilmok) as c:
        with connect(gilmok, dbname="passing") as d:
            d.execute("create function tz() returns text language sql as $$ select 'nothing' $$")
            assert value(d, "select tz()") == "nothing"
        c.execute("drop database passing")
        c.execute(f"create database passing owner {APP_USER}")
    with superuser("passing") as su:  # not seen by gilmok
        su.execute("create function tz() returns text language sql as $$ select set_config('work_mem', '77kB', false) $$")
    with connect(gilmok, dbname="passing", password=APP_PASSWORD) as d, connect(gilmok, dbname="passing") as e:
        for _ in range(3):
            assert value(d, "select tz()") == "77kB"
            assert value(e, "show work_mem") != "77kB" and value(d, "show work_mem") == "77kB"
