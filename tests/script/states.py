#!/usr/bin/python3
"""All 256 message types in every state of a connection, from clients and from servers, against the tables of docs: what is not in
them ends the connection, and nobody else notices.

The tables below are those of proxy/wire/pg_states.c, told again: a row's first word is taken, its second one (from clients)
ignored; of servers the second is what ends a reply."""

import struct
import time

import harness
import pgwire
import pytest

CLIENT = {
    "sasl initial":   ("p", ""),
    "sasl response":  ("p", ""),
    "md5":            ("p", ""),
    "password":       ("p", ""),
    "idle":           ("QPBDECFSX", "dcfH"),
    "busy":           ("QPBDECFSXdcfH", ""),
    "copy":           ("QPBDECFSXdcfH", ""),
    "refused":        ("QFSX", "PBDECdcfH"),
    "console":        ("QPBDECFSX", "dcfH"),
    "console failed": ("SX", "QPBDECFdcfH"),
}  # fmt: skip

ALWAYS = "ENSA"
SERVER = {
    "login":            ("REN", ""),
    "greeting":         ("SKEN", "Z"),
    "rest":             (ALWAYS, ""),
    "Query":            (ALWAYS + "TDGHWdcCI", "Z"),
    "FunctionCall":     (ALWAYS + "V", "Z"),
    "Sync":             (ALWAYS, "Z"),
    "Parse":            (ALWAYS, "1"),
    "Bind":             (ALWAYS, "2"),
    "Close":            (ALWAYS, "3"),
    "Describe":         (ALWAYS + "t", ""),
    "Describe columns": (ALWAYS, "Tn"),
    "Execute":          (ALWAYS + "DGHWdc", "CIs"),
}  # fmt: skip


def types():
    return [bytes([n]) for n in range(256)]


def is_in(kind, row):
    return kind in row.encode("ascii")


# ---- from clients ----

BODIES = {
    b"Q": b"select 1\0", b"P": b"\0select 1\0\0\0", b"B": b"\0\0\0\0\0\0\0\0", b"D": b"P\0", b"E": b"\0\0\0\0\0", b"C": b"P\0",
    b"F": struct.pack(">IHHH", 1, 0, 0, 0), b"d": b"data", b"f": b"why\0",
}  # fmt: skip


def frame(kind, bodies=BODIES):
    """A message of that type, well-formed if there is such a type."""
    body = bodies.get(kind, b"" if kind in b"SHXc" else b"abcd")
    return kind + struct.pack(">I", 4 + len(body)) + body


@pytest.fixture(scope="module")
def halls():
    """A gilmok for each way in; and one whose server is gone."""
    toy, gone = harness.Server(), harness.Server()
    trust = ["client_auth = trust"]
    gilmoks = {
        "trust": harness.Gilmok(toy.port, main=trust, database=["pool_size = 2", "unknown_effects = trust"]),
        "gone": harness.Gilmok(gone.port, main=trust, database=["unknown_effects = trust"], cluster=["connect_timeout = 200ms"]),
        "scram": harness.Gilmok(toy.port),
        "md5": harness.Gilmok(toy.port, main=["client_auth = md5"]),
        "password": harness.Gilmok(toy.port, main=["client_auth_socket = password"], socket=True),
    }
    gilmoks["gone"].login().end()  # it knows what to greet with
    gone.close()
    gone.drop_all()
    yield gilmoks
    for g in gilmoks.values():
        g.close()
    toy.close()


def asked(g, path=None):
    c = pgwire.Client(path or g.port)
    c.send_startup()
    c.expect("R")
    return c


def client_in(state, halls):
    """A client in that state."""
    if state == "sasl initial":
        return asked(halls["scram"])
    if state == "sasl response":
        c = asked(halls["scram"])
        c.send(pgwire.ScramClient("app-password").initial())
        c.expect("R")
        return c
    if state == "md5":
        return asked(halls["md5"])
    if state == "password":
        return asked(halls["password"], halls["password"].socket_path)
    if state.startswith("console"):
        c = halls["trust"].login(user="boss", database="gilmok")
        if state == "console failed":
            c.send(pgwire.parse("SHOW NOTHING AT ALL") + pgwire.bind() + pgwire.execute() + pgwire.FLUSH)
            while c.read()[0] != "E":
                pass
        return c
    if state == "refused":
        c = halls["gone"].login()
        c.send(pgwire.parse("select 1"))
        assert c.expect_error().sqlstate.startswith("08")
        return c
    c = halls["trust"].login()
    if state == "busy":
        c.send(pgwire.parse("select 1") + pgwire.FLUSH)
        assert c.read()[0] == "1"
    if state == "copy":
        c.send(pgwire.query("COPYIN"))
        assert c.read()[0] == "G"
    return c


def fatal_end(c):
    """What a connection was ended with, which it must be at once."""
    got = pgwire.split(c.read_to_end())
    errors = [pgwire.error_fields(body) for kind, body in got if kind == "E"]
    return errors[-1] if errors and errors[-1]["S"] == "FATAL" else None


def ready_after(c, message):
    """What comes until the group that `message` ends is over: types of messages."""
    c.send(message)
    return c.collect().types


@pytest.mark.cve("T-STATE CVE-2026-107350")
@pytest.mark.parametrize("state", list(CLIENT))
def test_every_type_from_a_client(halls, state):
    taken, ignored = CLIENT[state]
    seen = {"fatal": 0, "ignored": 0, "taken": 0}
    for kind in types():
        c = client_in(state, halls)
        try:
            c.send(frame(kind))
            if not is_in(kind, taken + ignored):
                end = fatal_end(c)
                assert end and end["C"] == "08P01", (state, kind, end)
                seen["fatal"] += 1
            elif is_in(kind, ignored):
                # Nothing of it is answered: not even the error that it would be.
                want = ["Z"] if state != "idle" and state != "console" else ["T", "D", "C", "Z"]
                follow = pgwire.SYNC if want == ["Z"] else pgwire.query("SHOW VERSION" if state == "console" else "select 2")
                assert [t for t in ready_after(c, follow) if t not in "N"] == want, (state, kind)
                seen["ignored"] += 1
            else:
                seen["taken"] += take_on(c, state, kind)
        finally:
            c.end()
    assert seen["ignored"] == len(ignored) and seen["taken"] == len(taken), seen
    assert seen["fatal"] == 256 - len(taken) - len(ignored)


def take_on(c, state, kind):
    """A message that is taken has an effect of its own; then the connection goes on."""
    if kind == b"X":
        assert c.read_to_end() == b""
        return 1
    if kind == b"p":  # its body says nothing right: an answer to the message, not to its type
        end = fatal_end(c)
        assert end and end["C"] in ("08P01", "28P01") and "expected a password" not in end["M"]
        return 1
    if state == "copy" and kind in b"dSH":  # the server goes on reading data
        c.send(pgwire.message("c"))
    elif state == "copy" and kind not in b"cf":
        pass  # the toy complains, and ends the COPY
    elif kind not in b"QFS" or (state == "busy" and kind in b"QF"):
        c.send(pgwire.SYNC)
    result = c.collect()
    assert result.status and not any(e.severity == "FATAL" for e in result.errors), (state, kind, result.errors)
    return 1


# ---- from servers ----

FIELDS = b"SERROR\0VERROR\0CXX000\0Mprobe\0\0"
REPLIES = {
    b"R": struct.pack(">I", 0), b"S": b"application_name\0\0", b"K": struct.pack(">II", 7, 9), b"Z": b"I", b"E": FIELDS, b"N": FIELDS,
    b"A": struct.pack(">I", 7) + b"channel\0\0", b"T": b"\0\0", b"t": b"\0\0", b"D": b"\0\0", b"C": b"SELECT 0\0", b"G": b"\0\0\0",
    b"H": b"\0\0\0", b"W": b"\0\0\0", b"d": b"x\n", b"c": b"", b"I": b"", b"n": b"", b"s": b"", b"1": b"", b"2": b"", b"3": b"",
    b"V": b"\xff\xff\xff\xff", b"v": struct.pack(">II", 0x30000, 0),
}  # fmt: skip
ASKED = {"Query": "Q", "FunctionCall": "F", "Sync": "S", "Parse": "P", "Bind": "B", "Close": "C", "Describe": "D", "Execute": "E"}


class Prober(harness.Toy):
    """Puts one message of the type server.probe before what it answers in the state server.state, once."""

    def armed(self, state):
        if self.server.state != state or self.server.probe is None:
            return None
        probe, self.server.probe = self.server.probe, None
        return probe

    def greet(self):
        self.w.read_first()
        probe = self.armed("login")
        if probe:
            self.w.send(frame(probe, REPLIES))
        greeting = harness.GREETING[9:]
        if probe != b"R":
            self.w.send(pgwire.auth(0))
        probe = self.armed("greeting")
        if probe:
            self.w.send(frame(probe, REPLIES))
        if probe != b"Z":
            self.w.send(greeting)

    def take(self, kind, body):
        if harness.is_own(kind, body) or self.failed:
            super().take(kind, body)
            return
        for state, its in ASKED.items():
            if its == kind and (probe := self.armed(state)):
                self.answer(state, probe, kind, body)
                return
        if kind == "D" and body[:1] == b"S":
            if probe := self.armed("Describe columns"):
                self.out += pgwire.message("t", b"\0\0")
                self.answer("Describe columns", probe, kind, body)
                return
            self.out += pgwire.message("t", b"\0\0") + pgwire.row_description()
        else:
            super().take(kind, body)

    def answer(self, state, probe, kind, body):
        """The probe, and what makes a whole reply of it, whether gilmok believes it or not."""
        self.out += frame(probe, REPLIES)
        if probe == b"E":
            self.failed = kind not in "QSF"
            if not self.failed:
                self.out += pgwire.ready()
        elif is_in(probe, SERVER[state][1]) or (state == "Execute" and probe in b"GW"):  # a COPY begins: the client's turn
            self.flush()
        elif state == "Describe" and probe == b"t" or state == "Describe columns":
            self.out += pgwire.row_description()
        else:
            Prober.take(self, kind, body)


@pytest.fixture(scope="module")
def probed():
    server = harness.Server(handler=lambda w: Prober(w, server).run())
    server.state = server.probe = None
    g = harness.Gilmok(server.port, main=["client_auth = trust"], database=["pool_size = 1", "unknown_effects = trust", "min_pool_size = 0"])
    yield server, g
    g.close()
    server.close()


EXTENDED = pgwire.parse("select 4") + pgwire.describe("S") + pgwire.bind() + pgwire.execute() + pgwire.close("P") + pgwire.SYNC


def exchange(c, state, kind):
    """What the client sees of it: the result, or the FATAL error that ended it."""
    if state == "Query":
        return c.query("select 4")
    if state == "FunctionCall":
        c.send(frame(b"F"))
    else:
        c.send(EXTENDED)
    is_copy = state == "Execute" and kind in b"GW"
    return c.collect(until=kind.decode("latin-1") if is_copy else "Z")


@pytest.mark.cve("T-STATE CVE-2026-107350")
@pytest.mark.parametrize("state", [s for s in SERVER if s not in ("login", "greeting", "rest")])
def test_every_type_from_a_server(probed, state):
    server, g = probed
    taken, last = SERVER[state]
    c = g.login()
    for kind in types():
        assert c.ask("select 1") == "select 1"
        server.state, server.probe = state, kind
        try:
            result = exchange(c, state, kind)
            lost = [e for e in result.errors if e.sqlstate.startswith("08")]
            is_over = any(e.severity == "FATAL" for e in result.errors)
        except pgwire.Closed:
            lost, is_over = ["closed"], True
        assert server.probe is None, (state, kind, "the server was never asked")
        assert bool(lost) != is_in(kind, taken + last), (state, kind, lost)
        if is_over:
            c.end()
            c = g.login()
        elif state == "Execute" and kind in b"GW":  # in the middle of it
            c.end()
            c = g.login()
    assert c.ask("select 2") == "select 2"
    c.end()


@pytest.mark.cve("T-STATE CVE-2026-107350")
@pytest.mark.parametrize("state", ["login", "greeting"])
def test_every_type_from_a_server_that_greets(probed, state):
    server, g = probed
    taken, last = SERVER[state]
    g.login().end()  # it knows what to greet with
    for kind in types():
        server.state, server.probe = None, None
        server.drop_all_now()
        time.sleep(0.01)  # login_retry
        c = g.login()
        server.state, server.probe = state, kind
        result = c.query("select 3")
        assert server.probe is None
        errors = [str(e) for e in result.errors]
        if kind == b"E":
            assert errors and "probe" in errors[0], (state, errors)
        elif is_in(kind, taken + last):
            assert not errors and result.rows == [["select 3"]], (state, kind, errors)
        else:
            assert errors and "unexpected message" in errors[0], (state, kind, errors)
        c.end()
    server.state = server.probe = None


@pytest.mark.cve("T-STATE CVE-2026-107350")
def test_every_type_from_a_server_at_rest(probed):
    server, g = probed
    server.state = server.probe = None
    time.sleep(0.02)  # login_retry
    for kind in types():
        c = g.login()
        assert c.ask("select 1") == "select 1"
        wire = server.wires[-1]
        wire.send(frame(kind, REPLIES))
        is_taken = is_in(kind, SERVER["rest"][0])
        if kind == b"E":  # a goodbye: nobody is given the connection any more
            time.sleep(0.02)
            accepted = server.accepted
            assert c.ask("select 2") == "select 2" and server.accepted == accepted + 1
        elif is_taken:
            accepted = server.accepted
            assert c.ask("select 2") == "select 2" and server.accepted == accepted, kind
        else:
            harness.wait_for(lambda w=wire: w.is_ended, what=f"the end of a server connection that said {kind!r}")
            assert c.ask("select 2") == "select 2"
        c.end()
