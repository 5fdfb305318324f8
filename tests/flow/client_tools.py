#!/usr/bin/python3
"""psql, pgbench and pg_dump, as people run them."""

import pytest

from flowtools import run


def psql(gilmok, *args, **more):
    return run(gilmok, "psql", "-X", "-v", "ON_ERROR_STOP=1", *args, **more)


def test_psql_query_and_version(gilmok):
    got = psql(gilmok, "-Atc", "select 1, 'two'")
    assert got.stdout == "1|two\n" and got.returncode == 0 and got.stderr == ""


def test_psql_several_statements(gilmok):
    got = psql(gilmok, "-At", stdin="select 1; select 2;\nbegin;\nselect 3;\ncommit;\n\\conninfo\n")
    assert got.stdout.startswith("1\n2\nBEGIN\n3\nCOMMIT\n") and "You are connected" in got.stdout
    assert psql(gilmok, "-At", "-c", "select 1; select 2; select 3").stdout.split() == ["1", "2", "3"]


def test_psql_describe(gilmok, table):
    got = psql(gilmok, "-c", "\\d flow_items")
    assert "Table \"public.flow_items\"" in got.stdout and "name" in got.stdout
    assert psql(gilmok, "-c", "\\dt", "-c", "\\l", "-c", "\\du", "-c", "\\dn+", "-c", "\\df").returncode == 0


def test_psql_shows_where_an_error_is(gilmok):
    got = psql(gilmok, "-c", "select 1 frm nothing here")
    assert got.returncode == 1 and 'syntax error at or near "nothing"' in got.stderr
    assert got.stderr.splitlines()[-1].index("^") == "LINE 1: select 1 frm nothing here".index("nothing")


def test_psql_copy(gilmok, table, tmp_path):
    (tmp_path / "in").write_text("8001\tone\n8002\ttwo\n")
    got = psql(
        gilmok, "-At", "-c", "begin", "-c", f"\\copy flow_items from '{tmp_path}/in'",
        "-c", "\\copy (select name from flow_items where id > 8000 order by id) to stdout", "-c", "rollback",
    )  # fmt: skip
    assert got.stdout == "BEGIN\nCOPY 2\none\ntwo\nROLLBACK\n", got.stdout + got.stderr


def test_psql_on_the_console(gilmok):
    got = run(gilmok, "psql", "-X", "-At", "-c", "show pools", "gilmok", PGUSER="boss", PGPASSWORD="boss-password")
    assert got.returncode == 0 and "shop|" in got.stdout
    assert run(gilmok, "psql", "-X", "-c", "reload", "gilmok", PGUSER="boss", PGPASSWORD="boss-password").stdout == "RELOAD\n"


@pytest.fixture(scope="module")
def bench(gilmok):
    got = run(gilmok, "pgbench", "-i", "-q", "-s", "1")
    assert got.returncode == 0, got.stderr


@pytest.mark.parametrize("mode, clients", [("simple", 12), ("extended", 12), ("prepared", 4)])
def test_pgbench(gilmok, bench, mode, clients):
    got = run(gilmok, "pgbench", "-n", "-M", mode, "-c", str(clients), "-j", "2", "-t", "40")
    assert got.returncode == 0, got.stderr
    assert f"number of transactions actually processed: {40 * clients}/{40 * clients}" in got.stdout
    assert "number of failed transactions: 0 (0.000%)" in got.stdout


def test_pgbench_with_a_connection_for_each_transaction(gilmok, bench):
    got = run(gilmok, "pgbench", "-n", "-S", "-C", "-c", "8", "-j", "2", "-t", "20")
    assert got.returncode == 0 and "actually processed: 160/160" in got.stdout, got.stderr


def test_pgbench_pipeline(gilmok, bench, tmp_path):
    script = tmp_path / "pipeline.sql"
    script.write_text("\\startpipeline\n" + "select 1;\n" * 20 + "\\endpipeline\n")
    got = run(gilmok, "pgbench", "-n", "-M", "extended", "-f", str(script), "-c", "8", "-t", "20")
    assert got.returncode == 0 and "actually processed: 160/160" in got.stdout, got.stderr


def test_pg_dump_in_a_session_pool(gilmok, table):
    got = run(gilmok, "pg_dump", "-t", "flow_items", PGDATABASE="sessions")
    assert got.returncode == 0 and "COPY public.flow_items" in got.stdout and "42\titem 42" in got.stdout, got.stderr
