#!/usr/bin/python3
"""What the drivers of Python can do, feature by feature: the programs of tests/drivers.d/features, beside other clients. Those of
other languages, and what each does directly, belong to tests/drivers."""

import os
import sys

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "drivers.d", "features"))

import features  # noqa: E402

# Each the one way or the other, and how many features it has at least.
DRIVERS = {"psycopg2": ("pinned", 18), "psycopg3": ("shared", 17), "psycopg3-async": ("pinned", 11), "asyncpg": ("shared", 16)}


@pytest.fixture(scope="module")
def certs():
    with features.certificates() as c:
        yield c


@pytest.mark.parametrize("kind", list(DRIVERS))
def test_features(certs, kind):
    route, count = DRIVERS[kind]
    with features.gilmok(route, certs["pair"]) as g, features.neighbours(g.port):
        _, found = features.play(kind, g.port, route, certs)
    assert not {name: wrong for name, wrong in found.items() if wrong}
    assert len(found) >= count
