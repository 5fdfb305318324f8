#!/usr/bin/python3
"""What gilmok knows of MySQL's and MariaDB's functions and variables (routing/functions_my.txt, variables_my.txt) is so at this server."""

import importlib.util
import os
import re

import pymysql
import pytest

from mysqltools import Maria, rows, value

ROUTING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "routing")
NO_SUCH_FUNCTION, SYNTAX = 1305, 1064
# Parts of the grammar, which have no parentheses of their own, or others.
GRAMMAR = {"cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number", "json_table",
           "member_of", "date_add", "date_sub", "adddate", "subdate", "percentile_cont", "percentile_disc", "median", "position", "rownum", "insert", "sleep",
           "benchmark", "get_lock"}  # fmt: skip


@pytest.fixture(scope="module")
def maria():
    m = Maria()
    yield m
    m.close()


def tool(name):
    """A module of the build's, as functions_my.py."""
    os.sys.path.insert(0, ROUTING)
    spec = importlib.util.spec_from_file_location(name, f"{ROUTING}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def version_of(maria):
    with maria.direct() as c:
        major, minor, patch = map(int, re.match(r"(\d+)\.(\d+)\.(\d+)", value(c, "select version()")).groups())
    return major * 10000 + minor * 100 + patch


def functions(maria):
    """Those that this server should have, by the list."""
    made, version = tool("functions_my"), version_of(maria)
    for name, head in made.name_table.read(f"{ROUTING}/functions_my.txt", made.Heads()).items():
        spans = dict(zip(head.split()[1::2], head.split()[2::2])) or made.OLDEST
        since, _, until = spans.get("mysql" if maria.is_mysql else "mariadb", "999999").partition("-")
        if int(since) <= version < int(until or 999999):
            yield name


def is_its_own(c, name):
    """A function that is not there is answered with 1305, whatever stands between its parentheses."""
    answers = set()
    for arguments in ("", "1", "1, 1", "1, 1, 1", "1, 1, 1, 1"):
        try:
            rows(c, f"do {name}({arguments})")
            return True
        except pymysql.err.Error as e:
            answers.add(e.args[0])
    return answers - {SYNTAX, NO_SUCH_FUNCTION} or answers == {SYNTAX}


def test_functions_are_the_servers_own(maria):
    with maria.direct() as c:
        assert [name for name in functions(maria) if name not in GRAMMAR and not is_its_own(c, name)] == []


def test_default_brings_variables_back_to_what_a_session_begins_with(maria):
    """But for those of which gilmok says something else (variable_my_has_odd_default), and the character sets of a login."""
    names = tool("variables_my").name_table.read_pairs(f"{ROUTING}/variables_my.txt", ("isolation", "next", "insert_id", "plain"))
    odd = {"timestamp", "character_set_client", "character_set_connection", "character_set_results", "collation_connection"}
    odd |= {"foreign_key_checks", "unique_checks"} if maria.is_mysql else set()
    wrong, tried = [], 0
    with maria.superuser() as c:
        for name, kind in names:
            try:
                begun = value(c, f"select @@session.{name}")
                rows(c, f"set session {name} = default")
            except pymysql.err.Error:
                continue  # it has no such variable, or not of sessions
            tried += 1
            if kind == "plain" and name not in odd and value(c, f"select @@session.{name}") != begun:
                wrong.append(name)
    assert wrong == [] and tried > 70
