#!/usr/bin/python3
"""The drivers behind agents (README.md): the programs and the race of tests/flow/drivertools.py, and each driver's usual
day: logins and pools, large values, COPY, cursors, what is not for transaction mode."""

import itertools
import os
import re
import subprocess
import sys
import threading

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "flow"), os.path.join(HERE, "..", "script")]

import drivertools  # noqa: E402
import flowtools  # noqa: E402
from drivertools import PROGRAMS, Clients, Failed, compare, lines  # noqa: E402

BUILT = os.environ["DRIVERS_DIR"]
HAVE = os.environ["DRIVERS_HAVE"].split()
COMMANDS = {
    "node": ["node", f"{BUILT}/node/agent.js"],
    "jdbc": ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"/usr/share/java/postgresql.jar:{BUILT}/jdbc", "Agent"],
    "go": [f"{BUILT}/go/agent"],
}


def escape(value):
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def unescape(value):
    if value == "\\N":
        return None
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n"}.get(m.group(1), m.group(1)), value)


def argument(value):
    return f"i:{value}" if isinstance(value, int) else "s:" + escape(value)


class Agent:
    """A program that speaks for a driver; any number of clients in it, each with one question at a time."""

    def __init__(self, kind, port):
        env = flowtools.environment(type("G", (), {"port": port}))
        self.process = subprocess.Popen(COMMANDS[kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, encoding="utf-8")
        self.numbers, self.waiting, self.lock = itertools.count(), {}, threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            number, *fields = line.rstrip("\n").split("\t")
            slot = self.waiting[number]
            slot["reply"] = fields
            slot["event"].set()

    def ask(self, number, *fields):
        slot = {"event": threading.Event()}
        with self.lock:
            self.waiting[str(number)] = slot
            self.process.stdin.write("\t".join([str(number), *fields]) + "\n")
            self.process.stdin.flush()
        assert slot["event"].wait(40), f"no answer to {fields[:2]}"
        kind, *rest = slot["reply"]
        if kind == "error":
            raise Failed(rest[0], unescape(rest[1]).partition("\n")[0])
        assert kind == "ok", slot["reply"]
        columns = int(rest[0])
        values = [unescape(v) for v in rest[1 + columns :]]
        return rest[1 : 1 + columns], [values[i : i + columns] for i in range(0, len(values), columns)] if columns else []

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Driver:
    """One mode of one driver. Agents live as long as the run, one for each port."""

    agents = {}

    def __init__(self, kind, mode, warm=1):
        self.kind, self.mode, self.warm = kind, mode, warm
        self.name = f"{kind}: {mode}"
        self.reads_routine = kind == "jdbc"

    def agent(self, port):
        if (self.kind, port) not in self.agents:
            self.agents[self.kind, port] = Agent(self.kind, port)
        return self.agents[self.kind, port]

    def open(self, port):
        return AgentClient(self.agent(port), self.mode)


class AgentClient:
    def __init__(self, agent, mode):
        self.agent, self.number, self.failed = agent, next(agent.numbers), False
        self.ask("open", mode)

    def ask(self, *fields):
        return self.agent.ask(self.number, *fields)

    def query(self, sql, *args):
        try:
            return self.ask("query", escape(sql), *map(argument, args))
        except Failed:
            self.failed = True
            raise

    def begin(self):
        self.failed = False
        self.ask("begin")

    def commit(self):
        self.ask("commit")

    def rollback(self):
        self.ask("rollback")

    def has_failed(self):
        return self.failed

    def heal(self):
        self.ask("heal")

    def close(self):
        self.ask("close")


DRIVERS = [
    Driver("node", "named"),
    Driver("node", "unnamed"),
    Driver("node", "pool"),
    Driver("jdbc", "prepareThreshold=1"),
    Driver("jdbc", "kept&prepareThreshold=1"),
    Driver("jdbc", "kept", warm=5),
    Driver("jdbc", "prepareThreshold=1&binaryTransfer=false"),
    Driver("jdbc", "kept&prepareThreshold=-1"),
    Driver("jdbc", "preferQueryMode=simple"),
    Driver("jdbc", "preferQueryMode=extendedForPrepared", warm=5),
    Driver("jdbc", "preferQueryMode=extendedCacheEverything&prepareThreshold=1"),
    Driver("jdbc", "kept&prepareThreshold=1&autosave=conservative"),
    Driver("jdbc", "kept&prepareThreshold=1&autosave=always"),
    Driver("go", "pgx-cache_statement"),
    # pgx-cache_describe is left out: in pgx 5.5.5 it gets stuck under DDL on a direct connection already.
    Driver("go", "pgx-describe_exec"),
    Driver("go", "pgx-exec"),
    Driver("go", "pgx-simple_protocol"),
    Driver("go", "pq-prepared"),
    Driver("go", "pq-unnamed"),
    Driver("go", "pq-binary"),
]
DRIVERS = {d.name: d for d in DRIVERS if d.kind in HAVE}
GILMOKS = {"two": {"pool_size": 2}, "four of three workers": {"pool_size": 4, "main": ["workers = 3"]}}
EACH = pytest.mark.parametrize("driver", list(DRIVERS))


@pytest.fixture(scope="module")
def gilmoks():
    started = {name: flowtools.gilmok_before_primary(**how) for name, how in GILMOKS.items()}
    yield started
    for agent in Driver.agents.values():
        agent.close()
    for g in started.values():
        g.close()


@pytest.fixture(scope="module")
def clients(gilmoks):
    known = {}

    def get(driver, where):
        if (driver, where) not in known:
            known[driver, where] = Clients(DRIVERS[driver], port_of(gilmoks, where), 4, where != "direct")
        return known[driver, where]

    yield get
    for c in known.values():
        c.close()


def port_of(gilmoks, where):
    return gilmoks[where].port if where in gilmoks else flowtools.PRIMARY_PORT


@EACH
@pytest.mark.parametrize("program", list(PROGRAMS))
def test_as_alone(clients, driver, program):
    table = f"ddl_{list(DRIVERS).index(driver)}_{list(PROGRAMS).index(program)}"
    direct = clients(driver, "direct").run(program, table)
    for where in GILMOKS:
        found = compare(direct, clients(driver, where).run(program, table))
        assert not found, f"{where}:\n{lines(found)}"


@EACH
@pytest.mark.parametrize("where", ["direct", *GILMOKS])
def test_race(gilmoks, driver, where):
    tally, wrong = drivertools.race(DRIVERS[driver], port_of(gilmoks, where), seconds=float(os.environ.get("DRIVERS_SECONDS", "2")))
    print("RACE", driver, where, tally)
    assert not wrong, "\n".join(wrong[:8])
    assert tally["rows"] > 50


# ---- a driver's usual day ----


@pytest.fixture(params=["direct", "two"])
def client(request, gilmoks, driver):
    c = DRIVERS[driver].open(port_of(gilmoks, request.param))
    yield c
    c.close()


@EACH
def test_many_logins(gilmoks, driver):
    for _ in range(3):
        many = [DRIVERS[driver].open(gilmoks["two"].port) for _ in range(12)]
        for i, c in enumerate(many):
            assert c.query("select $1 || 'x' as v", str(i))[1] == [[f"{i}x"]]
            c.ask("valid")
        for c in many:
            c.close()


POOLS = {"node": "", "jdbc": "", "pgx": "pgx", "pq": "pq"}


@pytest.mark.parametrize("which", [p for p in POOLS if (p if p in COMMANDS else "go") in HAVE])
@pytest.mark.parametrize("where", ["direct", *GILMOKS])
def test_a_pool_of_its_own(gilmoks, which, where):
    agent = Driver("go" if which in ("pgx", "pq") else which, "").agent(port_of(gilmoks, where))
    for _ in range(2):
        assert agent.ask(next(agent.numbers), "pool", "10", "300", POOLS[which])[1] == [["300"]]


@EACH
def test_large_values_and_results(driver, client):
    size = 3_000_000
    assert client.ask("query", "select length($1) as n", f"x:{size}")[1] == [[str(size)]]
    assert client.query("select repeat('y', $1) as v", size)[1] == [["y" * size]]
    for _ in range(7):  # prepared and, where the driver has it, binary
        rows = client.query("select i, 'row ' || i as t, null::int as nothing from generate_series(1, $1) i", 20000)[1]
        assert len(rows) == 20000 and rows[-1] == ["20000", "row 20000", None]


@EACH
def test_values_of_many_types(driver, client):
    sql = "select $1::int as i, 12345678901::bigint as b, 1.5::float8 as f, true as t, 'ä€'::text as s, null::text as n, 7::smallint as k"
    for _ in range(7):
        names, rows = client.query(sql, 5)
        assert names == list("ibftsnk") and rows == [["5", "12345678901", "1.5", "true", "ä€", None, "7"]]


@EACH
def test_copy(driver, client, table):
    if driver in ("node: pool", "go: pgx-simple_protocol"):
        pytest.skip("as in its other modes")
    kind = "lib/pq" if driver.startswith("go: pq") else ""
    client.ask("copyin", "copy flow_items (id, name) from stdin", escape("".join(f"{i}\tcopied {i}\n" for i in range(8000, 9000))))
    assert client.query("select count(*) as n from flow_items where id >= $1", 8000)[1] == [["1000"]]
    if not kind:
        out = client.ask("copyout", "copy (select id from flow_items where id in (8000, 8999) order by 1) to stdout")
        assert out[1] == [["8000\n8999\n"]]
    with pytest.raises(Failed) as e:
        client.ask("copyin", "copy flow_items (id, name) from stdin", escape("no number\tx\n"))
    assert e.value.sqlstate == "22P02"
    client.query("delete from flow_items where id >= $1", 8000)


@EACH
def test_cursors(driver, client):
    if not driver.startswith(("jdbc", "node: named")):
        pytest.skip("has none of its own")
    for _ in range(3):
        client.begin()
        got = client.ask("cursor", "select i from generate_series(1, 1000) i", "70")[1]
        assert [int(v) for (v,) in got] == list(range(1, 1001))
        assert client.query("select $1 + 1 as v", 4)[1] == [["5"]]
        client.commit()


@EACH
def test_errors_and_what_comes_after(driver, client):
    for _ in range(7):
        with pytest.raises(Failed) as e:
            client.query("select 1 / $1 as v", 0)
        assert e.value.sqlstate == "22012"
        assert client.query("select $1 + 1 as v", 1)[1] == [["2"]]
    client.begin()
    with pytest.raises(Failed):
        client.query("select 1 / $1 as v", 0)
    client.rollback()
    assert client.query("select $1 + 1 as v", 1)[1] == [["2"]]


@EACH
def test_listen_is_not_for_transaction_mode(gilmoks, driver):
    """It works to the end of its exchange; nothing is broken, and nobody else is told."""
    c, other = (DRIVERS[driver].open(gilmoks["two"].port) for _ in range(2))
    for _ in range(7):
        assert c.query("select $1 + 1 as v", 1)[1] == [["2"]]
    c.query("listen driver_channel")
    assert other.query("select count(*) as n from pg_listening_channels()")[1] == [["0"]]
    assert c.query("select $1 + 1 as v", 1)[1] == [["2"]]
    other.query("select pg_notify('driver_channel', 'x')")
    c.query("unlisten *")
    assert c.query("select $1 + 1 as v", 1)[1] == [["2"]]
    c.close(), other.close()
