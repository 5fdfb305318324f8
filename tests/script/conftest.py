#!/usr/bin/python3
"""Fixtures of the script suite: one toy server and one gilmok before it for each test file."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "cve(*rows): proves these rows of docs/threat-model.md")


def pytest_collection_modifyitems(items):
    if harness.BIN:
        return
    for item in items:
        item.add_marker(pytest.mark.skip(reason="GILMOK_BIN names no program"))


@pytest.fixture(scope="module")
def server():
    toy = harness.Server()
    yield toy
    toy.close()


@pytest.fixture(scope="module")
def gilmok(server):
    g = harness.Gilmok(server.port, database=["pool_size = 4"])
    yield g
    g.close()


@pytest.fixture
def start():
    """start(server, ...): a gilmok of the test's own, ended with it."""
    started = []

    def run(toy, **more):
        started.append(harness.Gilmok(toy.port, **more))
        return started[-1]

    yield run
    for g in started:
        g.close()


@pytest.fixture
def toy():
    """A toy server of the test's own."""
    t = harness.Server()
    yield t
    t.close()
