#!/usr/bin/python3
"""The tools of the kinds in TOOLS_HAVE (README.md): each program runs directly and through gilmok, must print the same and leave the
same; and two of it at once, through gilmok as directly."""

import os
import pty
import re
import select
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "flow"), os.path.join(HERE, "..", "script")]

import flowtools  # noqa: E402
import toolrun  # noqa: E402
from toolrun import Beside  # noqa: E402

HAVE = os.environ.get("TOOLS_HAVE", "").split()
BUILT = os.environ.get("TOOLS_DIR", "")
JAVA = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{BUILT}/java/lib/*:{BUILT}/java", "Migrate"]
PRISMA = ["node", f"{BUILT}/prisma/prisma_app.mjs"]
PYTHON = "/usr/bin/python3"
# tool: (its kind, program, its runs one after the other, what must show in what they print)
PROGRAMS = {
    "django": ("python", [PYTHON, f"{HERE}/django_app.py"], ["first", "second"], ["committed", "Asia/Tokyo", "Installed 303 object(s)"]),
    "alembic": ("python", [PYTHON, f"{HERE}/alembic_app.py"], ["all"], ["item_name", "op.create_table('other'", "already exists"]),
    "rails": ("rails", ["ruby", f"{HERE}/rails_app.rb"], ["all"], ["index_items_on_name_and_size", "cached plan must not change", "[0, 30, 60, 90"]),
    "flyway": ("java", [*JAVA, "flyway"], ["all"], ["division by zero", "SUPERSEDED", "done"]),
    "flyway, lock of the session": ("java", [*JAVA, "flyway-session"], ["all"], ["division by zero", "3 index SUCCESS", "done"]),
    "liquibase": ("java", [*JAVA, "liquibase"], ["all"], ["division by zero", "drop index item_colour", "true false", "done"]),
    "prisma": ("prisma", PRISMA, ["all"], ["WHEN_b_second", "P3009", "Drift", "P2002", "P2034", "done"]),
}
TOGETHER = ["alembic", "rails", "flyway", "flyway, lock of the session", "liquibase"]


@pytest.fixture(scope="module")
def gilmok():
    """It serves other databases than the tool's too, and its user may make them: Prisma tries migrations in one of its own."""
    g = toolrun.gilmok_for_tools(databases=(toolrun.THROUGH, "*"))
    with flowtools.superuser() as su:
        su.execute(f"alter role {toolrun.OWNER} createdb")
        yield g
        su.execute(f"alter role {toolrun.OWNER} nocreatedb")
    g.close()


def start(place, folder, tool, how):
    """In a folder of its own, which an earlier run may have used."""
    kind, command, _, _ = PROGRAMS[tool]
    if kind not in HAVE:
        pytest.skip("not asked for, or not to be had here")
    folder.mkdir(exist_ok=True)
    return place.start(*command, how, cwd=folder, PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1")


@pytest.mark.parametrize("tool", PROGRAMS)
def test_prints_and_leaves_the_same(gilmok, tool, tmp_path):
    ways = toolrun.places(gilmok)
    seen = ""
    for how in PROGRAMS[tool][2]:
        running = [start(place, tmp_path / place.database, tool, how) for place in ways]
        with Beside(ways[1]):
            said = [place.finish(process, timeout=600) for place, process in zip(ways, running)]
        toolrun.same(*said)
        assert said[0][0] == 0, said[0][1][-3000:] + said[0][2][-3000:]
        seen += said[0][1]
    for part in PROGRAMS[tool][3]:
        assert part in seen, seen[-6000:]


def two_at_once(ways, folder, tool):
    said = []
    for place in ways:
        if tool == "liquibase":  # makes its table of locks without a lock
            place.finish(start(place, folder / f"{place.database}-0", tool, "prepare"))
        running = [start(place, folder / f"{place.database}-{i}", tool, "together") for i in range(2)]
        with Beside(ways[1]):
            said.append(sorted(place.finish(process, timeout=300) for process in running))
    return said


@pytest.mark.parametrize("tool", TOGETHER)
def test_two_at_once(gilmok, tool, tmp_path):
    """By its lock one waits for the other or is refused; what both leave is what one leaves. On a busy machine one may come too
    late to meet the other, and see something else."""
    for attempt in range(3):
        ways = toolrun.places(gilmok)
        folder = tmp_path / str(attempt)
        folder.mkdir()
        said = two_at_once(ways, folder, tool)
        if said[0] == said[1]:
            break
    toolrun.same(*said)
    assert said[1][0][0] == 0, said


# ---- pgcli: a terminal, or nothing ----


def typed(place, folder, lines):
    """What is on the screen at the end, without what moves the cursor."""
    pid, terminal = pty.fork()
    if pid == 0:
        env = place.environment(HOME=str(folder), TERM="dumb", LESS="-FX", PAGER="cat", PYTHONDONTWRITEBYTECODE="1", COLUMNS="200", LINES="400")
        os.execvpe("pgcli", ["pgcli", "--warn", "off", "--less-chatty", "--prompt", "PROMPT> "], env)
    screen = b""

    def read(until, seconds=60):
        nonlocal screen
        end, seen = time.monotonic() + seconds, b""
        while until not in seen:
            assert time.monotonic() < end, screen[-3000:]
            if select.select([terminal], [], [], 1)[0]:
                try:
                    seen += os.read(terminal, 65536)
                except OSError:
                    break
        screen += seen

    read(b"PROMPT> ")
    for line in lines:
        os.write(terminal, line.encode() + b"\r")
        read(b"Time: ")
    os.write(terminal, b"\\q\r")
    read(b"never", 20)
    os.waitpid(pid, 0)
    return screen.decode(errors="replace")


QUESTIONS = [
    "create table item (id int primary key, name text);", "insert into item select i, 'item ' || i from generate_series(1, 5) i;", "select * from item order by id;",
    "set search_path to pg_catalog;", "show search_path;", "set search_path to public;", "begin;", "update item set name = 'x';", "rollback;",
    "select count(*) from item where name = 'x';", "select 1 / 0;", "create temp table mine as select 7 as seven;", "select * from mine;",
]  # fmt: skip


def test_pgcli(gilmok, tmp_path):
    if "python" not in HAVE:
        pytest.skip("not asked for, or not to be had here")
    screens = []
    for place in toolrun.places(gilmok):
        screen = typed(place, tmp_path, QUESTIONS)
        screen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", place.plain(screen))
        screens.append([line.rstrip() for line in screen.splitlines() if line.startswith(("|", "SELECT", "INSERT", "UPDATE", "CREATE", "division"))])
    assert screens[0] == screens[1], toolrun.difference("\n".join(screens[0]), "\n".join(screens[1]))
    assert "| 5  | item 5 |" in screens[1] and "| 7     |" in screens[1] and "division by zero" in screens[1], screens[1]
