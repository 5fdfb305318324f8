#!/usr/bin/python3
"""The table of the flow suite's fixtures."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "flow"), os.path.join(HERE, "..", "script")]

import pytest  # noqa: E402

import flowtools  # noqa: E402


@pytest.fixture(scope="session")
def table():
    with flowtools.superuser() as su:
        su.execute("drop table if exists flow_items; create table flow_items as select 1 as id, 'item 1' as name")
        su.execute(f"alter table flow_items owner to {flowtools.APP_USER}")
    return "flow_items"
