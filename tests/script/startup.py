#!/usr/bin/python3
"""Startup parameters of several drivers on one server connection, with a fake server that keeps count of what it is asked."""

import struct

import harness
import pgwire
import pytest

DRIVERS = (
    {"client_encoding": "UTF8", "DateStyle": "iso", "TimeZone": "Asia/Tokyo", "extra_float_digits": "2"},
    {"client_encoding": "utf-8", "search_path": "of_the_second"},
    {"options": "-c work_mem=5MB --app.tenant=it\\'s\\ me", "application_name": "third"},
)
CANONICAL = {"iso": "ISO, MDY", "utf-8": "UTF8", "UTF8": "UTF8"}
REPORTED = {"client_encoding": "UTF8", "DateStyle": "SQL, MDY", "TimeZone": "UTC", "application_name": "", "server_version": "16.0"}
DEFAULTS = {**REPORTED, "extra_float_digits": "1", "search_path": "public", "work_mem": "4MB", "app.tenant": ""}


def options_of(text):
    """-c a=b and --a=b, with backslashes."""
    words = text.replace("\\ ", "\0").replace("\\", "").split(" ")
    return dict(w.replace("\0", " ").removeprefix("--").split("=", 1) for w in words if w != "-c")


class Server(harness.Toy):
    """It reports, sets, and resets; every connection's startup packet and statements are kept in server.logins."""

    def greet(self):
        words = self.w.read_first()[4:].split(b"\0")
        pairs = [w.decode() for w in words[: len(words) // 2 * 2]]
        given = dict(zip(pairs[::2], pairs[1::2]))
        params = {k: v for k, v in given.items() if k not in ("user", "database", "", "options", "replication")}
        params.update(options_of(given.get("options", "")) if given.get("options") else {})
        self.asked = []
        self.server.logins.append((params, self.asked))
        self.w.send(pgwire.auth(0))
        if self.server.is_mute:
            self.server.is_mute = False
            self.w.read()
        unknown = set(params) - set(DEFAULTS)
        if unknown or "nonsense" in params.values():
            self.w.send(pgwire.error({"S": "FATAL", "C": "22023", "M": f"invalid value for parameter: {sorted(params)}"}))
            raise pgwire.Closed()
        self.given = {k: CANONICAL.get(v, v) for k, v in params.items()}
        self.start = {**DEFAULTS, **self.given}
        self.now = dict(self.start)
        self.told = {k: self.now[k] for k in REPORTED}
        self.w.send(b"".join(pgwire.parameter(k, v) for k, v in self.told.items()))
        self.w.send(pgwire.message("K", struct.pack(">II", 7, 8)) + pgwire.ready())

    def rows(self, pairs):
        self.out += pgwire.row_description(("name", "setting"))
        self.out += b"".join(pgwire.data_row([n.encode(), v.encode()]) for n, v in pairs) + pgwire.complete("SELECT 1")

    def carry_out(self, sql):
        """SET, RESET, set_config()."""
        self.asked.append(sql)
        parts = [part.strip() for part in sql.split(";")]
        for part in parts:
            self.carry_out_one(part)
        self.out += b"".join(pgwire.complete(part.split()[0]) for part in parts if part)

    def carry_out_one(self, sql):
        if "set_config(" in sql:
            for call in sql.split("set_config(")[1:]:
                name, value = call.split("'")[1], call[call.index(",") + 1 :].lstrip(" E").split("'")[1:]
                self.now[name] = "'".join(value[: value.index(",false)") if ",false)" in value else -1]).replace("''", "'")
        elif sql == "RESET ALL" or sql == "DISCARD ALL":
            self.now = dict(self.start)
        elif sql.startswith("RESET "):
            self.now.update({k: v for k, v in self.start.items() if k.lower() == sql[6:].lower()})
        elif sql.startswith("SET "):
            name, value = sql[4:].split("=", 1)
            self.now[name.strip().strip('"')] = value.strip().removeprefix("E").strip("'")

    def tell(self):
        for name, value in self.told.items():
            if self.now[name] != value:
                self.out += pgwire.parameter(name, self.now[name])
                self.told[name] = self.now[name]

    def take(self, kind, body):
        if kind in "QS":
            if kind == "Q":
                self.simple(body[:-1].decode())
            self.tell()
            self.out += pgwire.ready(self.status)
        else:
            self.extended(kind, body)

    def simple(self, sql):
        if "s.source OPERATOR(pg_catalog.=) 'client'" in sql:
            self.asked.append("the question")
            self.out += self.server.said_before_the_answer
            self.rows(self.given.items())
        elif sql.startswith(harness.CATALOG):
            self.out += harness.no_code()
        elif sql.startswith(harness.LOOK):
            self.rows([("role", "none"), *((k, v) for k, v in self.now.items() if k not in REPORTED and v != self.start[k])])
        elif sql.startswith("SHOW "):
            self.row(self.now[sql[5:]])
        else:
            self.carry_out(sql)

    def extended(self, kind, body):
        if kind == "E":
            sql = self.portals[body.split(b"\0")[0]]
            self.carry_out(sql)
        else:
            super().extended(kind, body)


@pytest.fixture
def server():
    s = harness.Server(handler=lambda w: Server(w, s).run())
    s.logins, s.is_mute, s.said_before_the_answer = [], False, b""
    yield s
    s.close()


@pytest.fixture
def gilmok(server):
    g = harness.Gilmok(server.port, database=["pool_size = 1"], cluster=["connect_timeout = 2s"])
    yield g
    g.close()


def shown(client):
    return {name: client.ask(f"SHOW {name}") for name in DEFAULTS}


def expected(driver):
    given = {**driver, **options_of(driver.get("options", ""))} if "options" in driver else dict(driver)
    given.pop("options", None)
    return {**DEFAULTS, **{k: CANONICAL.get(v, v) for k, v in given.items()}}


def test_three_drivers_on_one_connection(gilmok, server):
    clients = [gilmok.login(params=d) for d in DRIVERS]
    for _ in range(2):
        for client, driver in zip(clients, DRIVERS):
            assert shown(client) == expected(driver)
            assert {n: client.parameters[n] for n in REPORTED} == {n: expected(driver)[n] for n in REPORTED}
    assert [p for p, _ in server.logins].count({}) == 1, "one connection without parameters"
    assert len(server.logins) == 1 + len(DRIVERS), "and one to judge each set of them"
    assert [p["startup_parameters"] for p in gilmok.show("POOLS VERBOSE", database="shop")] == [""]


def test_the_next_login_needs_no_server(gilmok, server):
    for driver in DRIVERS:
        gilmok.login(params=driver).end()
    before = len(server.logins), [len(asked) for _, asked in server.logins]
    for driver in DRIVERS * 2:
        client = gilmok.login(params=driver)
        assert {n: client.parameters[n] for n in REPORTED} == {n: expected(driver)[n] for n in REPORTED}
        client.end()
    assert before == (len(server.logins), [len(asked) for _, asked in server.logins])


def test_a_bad_value_fails_in_the_login(gilmok):
    for _ in range(2):
        client = gilmok.client(params={"work_mem": "nonsense"})
        client.authenticate()
        got = client.collect()
        assert [(e.severity, e.sqlstate) for e in got.errors] == [("FATAL", "22023")]
    assert gilmok.login(params=DRIVERS[0]).ask("SHOW TimeZone") == "Asia/Tokyo"
    assert [p["startup_parameters"] for p in gilmok.show("POOLS VERBOSE", database="shop")] == [""]


@pytest.mark.parametrize("reset", ["RESET ALL", "RESET timezone", "DISCARD ALL"])
def test_a_reset_and_what_follows_leave_in_one_send(gilmok, server, reset):
    client = gilmok.login(params=DRIVERS[0])
    client.query("SET TimeZone = 'Europe/Oslo'")
    client.send(pgwire.query(reset))
    got = [client.read() for _ in range(3)]
    assert [k for k, _ in got] == ["C", "S", "Z"] and got[1][1] == b"TimeZone\0Asia/Tokyo\0"
    assert shown(client) == expected(DRIVERS[0])


def test_a_server_that_says_nothing(gilmok, server):
    """Whoever waits for its judgement is told after connect_timeout."""
    server.is_mute = True
    client = gilmok.client(params=DRIVERS[0])
    client.authenticate()
    assert [e.sqlstate for e in client.collect().errors] == ["08001"]


def test_a_notification_while_a_login_waits_reaches_nobody(gilmok, server):
    """A trigger on login may LISTEN. Who has not been greeted yet must hear of it nothing: many drivers give up then."""
    server.said_before_the_answer = pgwire.message("A", struct.pack(">I", 7) + b"news\0payload\0")
    client = gilmok.client(params=DRIVERS[0])
    client.authenticate()
    kinds = []
    while "Z" not in kinds:
        kinds.append(client.read()[0])
    assert set(kinds) == {"R", "S", "K", "Z"}
    assert shown(client) == expected(DRIVERS[0])


def test_who_waits_for_a_reset_has_no_other_clients_connection_closed(server):
    """In session mode, with the pool full: one waits for a connection that is being reset for it, slowly; a client with other
    parameters logs in meanwhile, on a connection that was opened for it."""
    begins, goes_on = harness.threading.Event(), harness.threading.Event()

    class Slow(Server):
        def simple(self, sql):
            if sql == "DISCARD ALL":
                begins.set()
                goes_on.wait(5)
            super().simple(sql)

    server.handler = lambda w: Slow(w, server).run()
    gilmok = harness.Gilmok(server.port, database=["pool_mode = session", "pool_size = 3"], cluster=["connect_timeout = 2s"])
    stays, leaves = gilmok.login(), gilmok.login()
    leaves.end()
    assert begins.wait(5)
    waits = gilmok.client()
    waits.authenticate()
    harness.time.sleep(0.3)  # for longer than who comes next
    other = gilmok.login(params={"search_path": "elsewhere"})
    assert other.ask("SHOW search_path") == "elsewhere"
    assert len(server.logins) == 3
    goes_on.set()
    assert waits.collect().status == "I"
    for c in (stays, waits, other):
        c.end()
    gilmok.close()


def test_a_place_is_not_given_to_who_waits_for_the_catalog(server):
    """All places are taken, one by who reads the catalog, slowly, one by who waits for that. A client that need not wait claims a
    place: it gets the one that is closed for it."""
    begins, goes_on = harness.threading.Event(), harness.threading.Event()

    class Slow(Server):
        def simple(self, sql):
            if sql.startswith(harness.CATALOG):
                begins.set()
                goes_on.wait(5)
            super().simple(sql)

    server.handler = lambda w: Slow(w, server).run()
    gilmok = harness.Gilmok(server.port, main=["max_server_conn = 2"], database=["pool_size = 3"], cluster=["connect_timeout = 2s"])
    reads, waits = gilmok.client(), gilmok.client(params=DRIVERS[0])
    reads.authenticate()
    assert begins.wait(5)
    waits.authenticate()
    harness.wait_for(lambda: len(server.logins) == 2, what="two connections")
    claims = gilmok.login(params={"replication": "database"})
    assert len(server.logins) == 3
    claims.end()  # and the place may go back to who waits
    goes_on.set()
    assert waits.collect().status == "I"
    for c in (reads, waits):
        c.end()
    gilmok.close()


def test_a_claim_is_as_old_as_who_can_use_it(server):
    """All places are taken. Of one database the first in line waits for a reset that takes long, and a later one needs a place; of
    another database somebody came between them: the one place that becomes free is not handed to and fro."""
    begins, goes_on = harness.threading.Event(), harness.threading.Event()

    class Slow(Server):
        def simple(self, sql):
            if sql == "DISCARD ALL" and not begins.is_set():
                begins.set()
                goes_on.wait(5)
            super().simple(sql)

    server.handler = lambda w: Slow(w, server).run()
    settings = ["pool_mode = session", "pool_size = 3"]
    gilmok = harness.Gilmok(server.port, main=["max_server_conn = 2"], database=settings, cluster=["connect_timeout = 2s"],
                            tail="[database news]\n" + "\n".join(settings))  # fmt: skip
    first, other = gilmok.login(), gilmok.login(database="news")
    first.end()
    assert begins.wait(5)
    waiting = [gilmok.client(), gilmok.client(database="news"), gilmok.client(params=DRIVERS[0])]
    for client in waiting:
        client.authenticate()
        harness.time.sleep(0.2)  # more than the patience that those who came later are shown
    other.end()
    assert waiting[1].collect().status == "I"
    harness.time.sleep(0.2)
    assert len(server.logins) < 6
    goes_on.set()
    assert waiting[0].collect().status == "I"
    gilmok.close()
