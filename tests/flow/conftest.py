#!/usr/bin/python3
"""Fixtures of the flow suite: gilmoks of the tests' own before the sandbox's primary."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "script")]

import flowtools  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "cve(*rows): proves these rows of docs/threat-model.md")


def pytest_collection_modifyitems(items):
    if "SANDBOX_DIR" in os.environ:
        return
    for item in items:
        item.add_marker(pytest.mark.skip(reason="no sandbox: source its env file first"))


@pytest.fixture(scope="module")
def gilmok():
    """Pools of four."""
    g = flowtools.gilmok_before_primary()
    yield g
    g.close()


@pytest.fixture(scope="module")
def narrow():
    """Pools of one: whatever a client leaves behind, the next one meets."""
    g = flowtools.gilmok_before_primary(pool_size=1, database=["queue_timeout = 5s"])
    yield g
    g.close()


@pytest.fixture(scope="module")
def turning():
    """Pools of three, whose connections are handed out in turn."""
    g = flowtools.gilmok_before_primary(pool_size=3, database=["server_round_robin = on"])
    yield g
    g.close()


@pytest.fixture
def start():
    """start(...): a gilmok of the test's own, ended with it."""
    started = []

    def run(**more):
        started.append(flowtools.gilmok_before_primary(**more))
        return started[-1]

    yield run
    for g in started:
        g.close()


@pytest.fixture(scope="session")
def maria():
    """A MariaDB server (mysqltools.py)."""
    import mysqltools  # only here: who runs other tests need not have PyMySQL

    server = mysqltools.Maria()
    yield server
    server.close()


@pytest.fixture(scope="session")
def table():
    """A table `flow_items` (id int, name text) with the rows 1..100."""
    with flowtools.superuser() as su:
        su.execute("drop table if exists flow_items")
        su.execute("create table flow_items as select i as id, 'item ' || i as name from generate_series(1, 100) i")
        su.execute(f"alter table flow_items owner to {flowtools.APP_USER}")
    return "flow_items"
