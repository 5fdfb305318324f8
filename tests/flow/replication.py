#!/usr/bin/python3
"""Replication connections get a server connection of their own that nobody shares."""

import os

import pytest

import flowtools
import pgwire
from flowtools import APP_DB, connect, superuser, value

USER = {"flow_repl": "repl-password"}


@pytest.fixture(scope="module")
def replicating():
    with superuser() as su:
        su.execute("drop role if exists flow_repl")
        su.execute("create role flow_repl login replication password 'repl-password'")
    g = flowtools.gilmok_before_primary(pool_size=2, users=USER, tail="[database replication]\ncluster = main\n")
    yield g
    g.close()


def raw(g, replication, user="flow_repl", password="repl-password"):
    return pgwire.Client(g.port, user=user, password=password, database=APP_DB, params={"replication": replication})


def test_identify_system(replicating):
    for kind in ("true", "database"):
        c = raw(replicating, kind).login()
        assert len(c.query("IDENTIFY_SYSTEM").rows[0]) == 4
        c.end()


def test_user_without_the_right(replicating):
    c = raw(replicating, "true", user=flowtools.APP_USER, password=flowtools.APP_PASSWORD)
    c.authenticate()
    got = c.collect()
    assert got.errors[0].severity == "FATAL" and got.errors[0].sqlstate in ("42501", "08001", "28000")


def test_plain_clients_never_meet_a_replication_connection(replicating):
    c = raw(replicating, "true").login()
    c.query("IDENTIFY_SYSTEM")
    c.end()
    for _ in range(3):
        with connect(replicating, user="flow_repl", password="repl-password") as plain:
            assert value(plain, "select current_user") == "flow_repl"
            assert value(plain, "select backend_type from pg_stat_activity where pid = pg_backend_pid()") == "client backend"


def test_pg_basebackup(replicating, tmp_path):
    got = flowtools.run(
        replicating, "pg_basebackup", "-D", str(tmp_path / "copy"), "-X", "stream", "-c", "fast", "--no-sync",
        PGUSER="flow_repl", PGPASSWORD="repl-password",
    )  # fmt: skip
    assert got.returncode == 0, got.stderr
    assert os.path.exists(tmp_path / "copy" / "PG_VERSION") and os.path.exists(tmp_path / "copy" / "backup_manifest")
    check = flowtools.run(replicating, "pg_verifybackup", str(tmp_path / "copy"))
    assert check.returncode == 0, check.stderr
