#!/usr/bin/python3
"""pg_dump and pg_restore in transaction mode: a dump through gilmok is the one made directly, byte for byte, while others write;
what is restored through gilmok is what was dumped."""

import os
import threading

import pytest

import flowtools
import toolrun
from toolrun import DIRECT, THROUGH, Beside, Place

HERE = os.path.dirname(os.path.abspath(__file__))
JOBS = 3


@pytest.fixture(scope="module")
def gilmok():
    """As many connections as a parallel dump needs at a time, and one for all others."""
    g = toolrun.gilmok_for_tools(pool_size=JOBS + 2)
    yield g
    g.close()


@pytest.fixture(scope="module")
def source(gilmok):
    """(the way past gilmok, the way through it) to one full database."""
    toolrun.empty_database(THROUGH)
    through = Place(THROUGH, gilmok.port)
    through.must("psql", "-Xqo", "/dev/null", "-f", f"{HERE}/tool_schema.sql")
    return Place(THROUGH, flowtools.PRIMARY_PORT), through


class Writer:
    """Somebody writes through gilmok all the time; `snapshot` is one moment of the database."""

    def __init__(self, place):
        self.place, self.over, self.written = place, threading.Event(), 0
        self.thread = threading.Thread(target=self.write, daemon=True)

    def __enter__(self):
        self.keeper = flowtools.superuser(THROUGH)
        self.thread.start()
        self.keeper.execute("begin isolation level repeatable read")
        self.snapshot = flowtools.value(self.keeper, "select pg_export_snapshot()")
        return self

    def write(self):
        with self.place.connect() as c:
            while not self.over.wait(0.005):
                c.execute("insert into wares.log (what) values ('more')")
                c.execute("update wares.item set many = many + 1, name = name || 'x' where id = %s", (self.written % 1500 + 1,))
                self.written += 1

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(30)
        self.keeper.close()
        assert not self.thread.is_alive() and self.written > 3


PLAIN = {
    "all of it": [], "schema only, clean": ["--schema-only", "--clean", "--if-exists", "--create"],
    "inserts": ["--data-only", "--inserts", "--rows-per-insert=50", "--column-inserts", "--exclude-table-data=wares.part*", "--disable-triggers"],
    "a role, one table": [
        "--role", toolrun.OWNER, "-t", "wares.item", "--lock-wait-timeout=3s", "--quote-all-identifiers", "--extra-float-digits=-3", "-E", "LATIN9",
        "--enable-row-security",
    ],
}  # fmt: skip


@pytest.mark.parametrize("options", PLAIN.values(), ids=PLAIN)
def test_pg_dump(source, options):
    past, through = source
    with Beside(through), Writer(through) as writer:
        got = through.run("pg_dump", *options, f"--snapshot={writer.snapshot}")
        expected = past.run("pg_dump", *options, f"--snapshot={writer.snapshot}")
    assert got == expected, toolrun.difference(expected, got)
    assert got[0] == 0 and len(got[1]) > 4000


def contents(folder):
    """A dump in a folder: what each of its files holds. The table of contents has the time in it, so it is read as text."""
    files = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            files[name] = f.read()
    del files["toc.dat"]
    return files


def test_pg_dump_in_parallel(source, tmp_path):
    past, through = source
    with Beside(through), Writer(through) as writer:
        for place, folder in (past, "direct"), (through, "gilmok"):
            place.must("pg_dump", "-Fd", f"-j{JOBS}", "-Z0", f"--snapshot={writer.snapshot}", "-f", tmp_path / folder)
    assert contents(tmp_path / "direct") == contents(tmp_path / "gilmok")
    as_sql = [past.must("pg_restore", "-f", "-", tmp_path / folder) for folder in ("direct", "gilmok")]
    assert as_sql[0] == as_sql[1], toolrun.difference(*as_sql)
    assert len(contents(tmp_path / "gilmok")) >= 10


def test_the_snapshots_of_a_parallel_dump_are_one(source, tmp_path):
    """Without a snapshot from outside: who writes in two tables at once is found in both or in none."""
    past, through = source
    over = threading.Event()

    def transfer():
        with through.connect() as c:
            while not over.wait(0.001):
                with c.transaction():
                    c.execute("insert into wares.log (what) values ('pair')")
                    c.execute("insert into wares.base values ('pair')")

    thread = threading.Thread(target=transfer, daemon=True)
    thread.start()
    try:
        with Beside(through):
            through.must("pg_dump", "-Fd", f"-j{JOBS}", "-Z0", "-f", tmp_path / "pairs")
    finally:
        over.set()
        thread.join(30)
    sql = past.must("pg_restore", "-f", "-", "-a", "-t", "log", "-t", "base", tmp_path / "pairs")
    assert sql.count("\tpair\n") == sql.count("pair\t\\N\n") > 0


RESTORES = {
    "one connection": ["custom"], "one transaction": ["custom", "--single-transaction", "--no-owner"],
    "in parallel, folder": ["folder", f"-j{JOBS}", "--no-tablespaces"],
}  # fmt: skip


@pytest.fixture(scope="module")
def archives(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    source[0].must("pg_dump", "-Fc", "-f", folder / "custom")
    source[0].must("pg_dump", "-Fd", "-f", folder / "folder")
    return folder, toolrun.dump(THROUGH)


@pytest.mark.parametrize("options", RESTORES.values(), ids=RESTORES)
def test_pg_restore(gilmok, archives, options):
    folder, original = archives
    through = Place(THROUGH, gilmok.port)
    archive, *options = options
    toolrun.empty_database(THROUGH)
    with Beside(through):
        status, out, err = through.run("pg_restore", "-d", THROUGH, "--exit-on-error", *options, folder / archive)
    assert (status, out, err) == (0, "", ""), err
    restored = toolrun.dump(THROUGH)
    assert restored == original, toolrun.difference(original, restored)


def test_pg_restore_over_what_is_there_fails_as_directly(gilmok, archives):
    for name in (DIRECT, THROUGH):
        toolrun.empty_database(name)
    said = []
    for place in Place(DIRECT, flowtools.PRIMARY_PORT), Place(THROUGH, gilmok.port):
        with Beside(Place(THROUGH, gilmok.port)):
            schema = ["pg_restore", "-d", place.database, "--schema-only", archives[0] / "custom"]
            place.must(*schema)
            again = place.run(*schema)
            clean = place.run(*schema, "--clean", "--if-exists")
            said.append((again, clean))
    assert said[0] == said[1], toolrun.difference(*said)
    assert said[0][0][0] == 1 and "already exists" in said[0][0][2] and "cannot drop inherited" in said[0][1][2]
    left, right = toolrun.dump(DIRECT), toolrun.dump(THROUGH)
    assert left == right, toolrun.difference(left, right)


def test_a_dump_played_by_psql(gilmok, archives):
    """As the superuser, who becomes the owner of each object with SET SESSION AUTHORIZATION."""
    folder, original = archives
    through = Place(THROUGH, gilmok.port)
    boss = {"PGUSER": toolrun.SUPERUSER, "PGPASSWORD": toolrun.SUPERUSER_PASSWORD}
    script = through.must("pg_restore", "-f", "-", "--use-set-session-authorization", folder / "custom")
    toolrun.empty_database(THROUGH)
    with Beside(through):
        through.must("psql", "-Xqo", "/dev/null", "-v", "ON_ERROR_STOP=1", stdin=script, **boss)
    assert toolrun.dump(THROUGH) == original
