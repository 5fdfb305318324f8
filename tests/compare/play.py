#!/usr/bin/python3
"""Plays a script on direct connections and through gilmok at the same time, and compares what comes back.

A step is sent to both sides at once and ends when both have answered; then comes the next. Whose step would have to wait for a
connection of the pool, because other clients hold them all, is left out: that depends on the direct side's answers alone."""

import os
import re
import select
import socket
import struct
import time

import pgwire
from content import MAY_PIN
from steps import MOVER

WAIT_S = 12.0  # for each reply; more than gilmok's queue_timeout
NOTIFICATIONS_S = 0.3
LEAVING_S = 1.0  # so long a client that has left may hold its locks: until its connection is cleaned, or closed
SLEEPING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
LOCKS = "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"
FIRST_OID = 16384
CANCEL_REQUEST = 80877102
TEMP_SCHEMA = re.compile(r"pg_temp_[0-9]+")
SCHEMAS = re.compile(rb"\{(?:[^{},]+,)*pg_temp_[0-9]+(?:,[^{},]+)*\}")  # current_schemas()
OWN_ERRORS = (b"26000",)


class Player(pgwire.Client):
    """A client that reads what a step's items owe it, whatever fails among them."""

    def start(self):
        self.login()
        self.status, self.is_open, self.skips, self.notifications = "I", False, False, []
        return self

    def next_messages(self):
        """All whole messages that are in, at least one: (type, body) pairs."""
        found, at = [], 0
        while True:
            buffer, end = self.buffer, len(self.buffer)
            while end - at >= 5:
                stop = at + 1 + int.from_bytes(buffer[at + 1 : at + 5], "big")
                if stop > end:
                    break
                found.append((chr(buffer[at]), bytes(buffer[at + 5 : stop])))
                at = stop
            if found:
                del buffer[:at]
                return found
            self.fill()

    def replies(self, items, owed):
        """The messages that answer a step. ("closed", b"") and ("nothing", b"") stand for an end and for silence."""
        got, at, count = [], 0, len(owed)
        if self.skips:
            at = owed.index("Z") if "Z" in owed else count
        while at < count:
            try:
                messages = self.next_messages()
            except pgwire.Closed:
                return [*got, ("closed", b"")]
            except TimeoutError:
                return [*got, ("nothing", b"")]
            for message in messages:
                kind, body = message
                if kind == "A":
                    self.notifications.append(body[4:])
                    continue
                got.append(message)
                token = owed[at] if at < count else ""
                if kind == "Z":
                    self.status, self.skips = body.decode(), False
                    while at < count and owed[at] not in "QZ":
                        at += 1
                    at += 1
                elif token == "Q" or token == "":
                    pass
                elif kind == "E":
                    self.skips = True
                    while at < count and owed[at] != "Z":
                        at += 1
                elif token == "DS":
                    at += kind in "Tn"
                elif token == "DP":
                    at += kind in "Tn"
                elif token == "E":
                    at += kind in "CsI"
                elif kind == token:
                    at += 1
        ends = [i[0] for i in items if i[0] in "QSFPBEDC"]
        if ends:
            self.is_open = ends[-1] not in "QSF"
        return got

    def holds(self):
        return self.is_open or self.status != "I"

    def has_answered(self):
        """A group has ended, or the connection; notices alone do not count."""
        if not select.select([self.sock], [], [], 0)[0]:
            return False
        waiting = self.sock.recv(1 << 16, socket.MSG_PEEK)
        return not waiting or b"Z\0\0\0\5" in waiting

    def cancel(self):
        """A CancelRequest for what it runs; returns when whoever takes it has closed the connection."""
        with socket.create_connection(self.sock.getpeername(), timeout=WAIT_S) as s:
            s.sendall(struct.pack(">II", 8 + len(self.key), CANCEL_REQUEST) + self.key)
            s.recv(1)


class Canon:
    """Replies without what must differ, on one side. Object ids above the server's own, in the order in which they come: tables made by a script have others on each
    side. Unless `with_own_errors`, of errors about prepared statements' names, which gilmok says itself, only the code counts."""

    def __init__(self, with_own_errors):
        self.seen, self.with_own_errors = {}, with_own_errors

    def of(self, oid):
        return oid if oid < FIRST_OID else self.seen.setdefault(oid, FIRST_OID + len(self.seen))

    def canonical(self, message):
        kind, body = message
        if kind == "T":
            out, at = bytearray(body), 2
            for _ in range(int.from_bytes(body[:2], "big")):
                at = body.index(b"\0", at) + 1
                for place in (at, at + 6):
                    oid = int.from_bytes(body[place : place + 4], "big")
                    if oid >= FIRST_OID:
                        out[place : place + 4] = struct.pack(">I", self.of(oid))
                at += 18
            return kind, bytes(out)
        if kind == "t":
            oids = struct.unpack(f">{(len(body) - 2) // 4}I", body[2:])
            return kind, body[:2] + b"".join(struct.pack(">I", self.of(o)) for o in oids)
        if kind == "D" and SCHEMAS.search(body):
            body = without_temp_schema(body)
        if kind in "DEN" and b"pg_temp_" in body:
            values = pgwire.row_values(body) if kind == "D" else sorted(pgwire.error_fields(body).items())
            return kind, TEMP_SCHEMA.sub("pg_temp_N", repr(values)).encode()
        if kind == "D":
            return kind, body
        if kind == "E" and not self.with_own_errors:
            code = next((c for c in OWN_ERRORS if b"C" + c + b"\0" in body), None)
            return ("E", b"C" + code + b"\0") if code else message
        return message


def without_temp_schema(body):
    """A row without it in a list of schemas, be it in front or behind; the list is a value of its own."""
    out, at = body[:2], 2
    while at < len(body):
        size = struct.unpack_from(">i", body, at)[0]
        value = body[at + 4 : at + 4 + max(size, 0)]
        if SCHEMAS.fullmatch(value):
            value = b"{" + b",".join(x for x in value[1:-1].split(b",") if not x.startswith(b"pg_temp_")) + b"}"
        out += struct.pack(">i", size if size < 0 else len(value)) + value
        at += 4 + max(size, 0)
    return out


def without_place(message, other):
    """The server's error without its place in the server's source, when the other side's has none: gilmok itself says it."""
    is_own = message[0] == other[0] == "E" and b"\0R" in other[1] and b"\0L" not in other[1]
    return ("E", re.sub(rb"\0[FL][^\0]*(?=\0)", b"", message[1])) if is_own else message


class Direct:
    """Connections of the clients' own. They are used again by another script, cleaned as DISCARD ALL does it."""

    def __init__(self, port, passwords, database):
        self.port, self.passwords, self.database, self.free = port, passwords, database, {}

    def take(self, startup):
        key = tuple(sorted(startup.items()))
        if self.free.get(key):
            return self.free[key].pop()
        params = {k: v for k, v in startup.items() if k != "user"}
        user = startup["user"]
        return Player(self.port, user, self.passwords[user], self.database, params, timeout=WAIT_S).start()

    def give(self, player, startup, is_reusable=True):
        try:
            if not is_reusable:
                raise pgwire.Closed()
            player.send(pgwire.SYNC + pgwire.query("rollback") + pgwire.query("discard all"))
            got = player.replies([("S",)], ["Z", "Q", "Q"])
            if got[-2:] != [("C", b"DISCARD ALL\0"), ("Z", b"I")]:
                raise pgwire.Closed()
            player.status, player.is_open, player.skips, player.notifications = "I", False, False, []
            self.free.setdefault(tuple(sorted(startup.items())), []).append(player)
        except (pgwire.Closed, OSError):
            player.end()

    def close(self):
        for players in self.free.values():
            for each in players:
                each.end()
        self.free = {}


class Shared:
    """Connections through gilmok, a new one for each client of each script."""

    def __init__(self, gilmok, passwords):
        self.gilmok, self.passwords = gilmok, passwords

    def take(self, startup, database):
        params = {k: v for k, v in startup.items() if k != "user"}
        user = startup["user"]
        return Player(self.gilmok.port, user, self.passwords[user], database, params, timeout=WAIT_S).start()

    @staticmethod
    def give(player):
        try:
            player.send(pgwire.TERMINATE)
        except (pgwire.Closed, OSError):
            pass
        player.end()

    def fresh_pool(self, database):
        """The next client of this database meets connections that nobody has used."""
        self.gilmok.console(f"RECONNECT {database}")
        self.gilmok.console(f"WAIT_CLOSE {database}")


class Itself(Direct):
    """In gilmok's place, connections of the clients' own once more: what differs then is wrong in these tests."""

    def take(self, startup, database=None):
        return super().take(startup)

    @staticmethod
    def give(player):
        Shared.give(player)

    def fresh_pool(self, database):
        pass


class Difference:
    """Where the answers to a script part."""

    def __init__(self, number, step, expected, got, at):
        self.number, self.step, self.expected, self.got, self.at = number, step, expected, got, at

    def __str__(self):
        lines = [f"step {self.number}: {self.step}"]
        for name, messages in (("direct", self.expected), ("gilmok", self.got)):
            shown = messages[max(0, self.at - 1) : self.at + 4]
            lines.append(f"  {name}:" + (" ..." if self.at > 1 else ""))
            lines += [f"    {'>' if i + max(0, self.at - 1) == self.at else ' '} {shown_message(m)}" for i, m in enumerate(shown)]
        a, b = (pgwire.error_fields(m[self.at][1]) if self.at < len(m) and m[self.at][0] in "EN" else {} for m in (self.expected, self.got))
        if a and b:
            lines += [f"  field {k}: {a.get(k)!r}, {b.get(k)!r}" for k in sorted({*a, *b}) if a.get(k) != b.get(k)]
        return "\n".join(lines)

    def sign(self):
        """What kind of difference it is, in short."""
        parts = []
        for messages in (self.expected, self.got):
            m = messages[self.at] if self.at < len(messages) else ("end", b"")
            parts.append(m[0] + (pgwire.error_fields(m[1]).get("C", "") if m[0] in "EN" else ""))
        return "/".join(parts)


def shown_message(message):
    kind, body = message
    if kind in ("E", "N"):
        f = pgwire.error_fields(body)
        more = " ".join(f"{k}={v}" for k, v in f.items() if k not in "SVCMFLR")
        return f"{kind} {f.get('S')} {f.get('C')} {f.get('M')} {more} [{f.get('R')}]"
    if kind == "D":
        try:
            return f"D {pgwire.row_values(body)}"
        except (struct.error, IndexError, ValueError):
            pass
    if kind == "T":
        return f"T {pgwire.column_names(body)} {body.hex() if len(body) < 200 else ''}"
    return f"{kind} {body[:300]!r}"


def first_difference(expected, got):
    for i, (a, b) in enumerate(zip(expected, got)):
        if a != b:
            return i
    return None if len(expected) == len(got) else min(len(expected), len(got))


class Table:
    """The two sides of one process: databases alike, a superuser's connection to each, gilmok before one of them."""

    def __init__(self, superuser, direct, shared, databases, with_own_errors):
        self.with_own_errors = with_own_errors
        self.direct, self.shared, self.pipelines = direct, shared, 0
        self.keepers = [pgwire.Client(superuser[0], superuser[1], "", d, timeout=15.0).login() for d in databases]
        self.needs_ddl_reset, self.movers = True, {}

    def reset(self):
        """The tables as the scripts expect them, in both databases."""
        ask = pgwire.query(f"select compare_reset({self.needs_ddl_reset})")
        try:
            for k in self.keepers:
                k.send(ask)
            for k in self.keepers:
                got = k.collect()
                if got.errors:
                    raise got.errors[0]
        except (pgwire.Closed, OSError) as e:
            raise ServerGone(f"the server itself does not answer any more: {e!r}") from e
        self.needs_ddl_reset = True

    def play(self, script):
        """None, or the first difference. Raises pgwire.Closed or TimeoutError when the direct side itself cannot play the script."""
        self.reset()
        self.needs_ddl_reset = script.changes_tables
        alone, shared, mover = [], [], None
        reusable = not script.leaves_traces
        try:
            for startup in script.clients:
                alone.append(self.direct.take(startup))
                shared.append(None)
                try:
                    shared[-1] = self.shared.take(startup, script.database())
                except (pgwire.PgError, pgwire.Closed, TimeoutError) as e:
                    return Difference(-1, f"login {startup}", [("R", b"")], [("E", repr(e).encode())], 0)
                wrong = compare_logins(startup, alone[-1], shared[-1])
                if wrong:
                    return wrong
            mover = self.mover(script)
            return self.play_steps(script, alone, shared, mover)
        finally:
            for player, startup in zip(alone, script.clients):
                self.direct.give(player, startup, reusable)
            for player in shared:
                if player:
                    self.shared.give(player)
            if mover:
                mover.turn(False)

    def wait_for_locks(self):
        end = time.monotonic() + LEAVING_S
        while self.keepers[0].ask(LOCKS) != self.keepers[1].ask(LOCKS) and time.monotonic() < end:
            time.sleep(0.002)

    def cancel_when_asleep(self, players):
        """Both are cancelled when both sleep; not when one has something to say instead."""
        end = time.monotonic() + WAIT_S
        while not all(k.ask(SLEEPING) != "0" for k in self.keepers):
            if any(p.has_answered() for p in players) or time.monotonic() > end:
                return
            time.sleep(0.002)
        for p in players:
            p.cancel()

    def mover(self, script):
        if not any(s.client == MOVER for s in script.steps):
            return Mover(None)
        name = script.database()
        if name not in self.movers:
            self.movers[name] = self.shared.take({"user": "app"}, name)
        return Mover(self.movers[name])

    def play_steps(self, script, alone, shared, mover):
        pinned, for_good = [False] * len(alone), [False] * len(alone)
        canon = [Canon(self.with_own_errors) for _ in range(2)]
        step_leaves_locks = script.kinds() & {"advisory", "hidden_pin"}
        for n, step in enumerate(script.steps):
            who = step.client
            holders = [c for c in range(len(alone)) if alone[c].holds() or pinned[c]]
            if who == MOVER:
                mover.turn(len(holders) + 1 < script.pool)
                continue
            others = len(holders) - (who in holders) + mover.holds
            if others >= script.pool and who not in holders:
                if not mover.holds:
                    continue
                mover.turn(False)
                if others - 1 >= script.pool:
                    continue
            if step.items == [("X",)]:
                if alone[who].holds():
                    pass  # it leaves in the middle of something: that is what it is for
                self.direct.give(alone[who], script.clients[who], not script.leaves_traces)
                self.shared.give(shared[who])
                pinned[who] = for_good[who] = False
                if step_leaves_locks:
                    self.wait_for_locks()
                alone[who] = self.direct.take(script.clients[who])
                try:
                    shared[who] = self.shared.take(script.clients[who], script.database())
                except (pgwire.PgError, pgwire.Closed, TimeoutError) as e:
                    return Difference(n, step, [("R", b"")], [("E", repr(e).encode())], 0)
                wrong = compare_logins(script.clients[who], alone[who], shared[who])
                if wrong:
                    return wrong
                continue
            data, owed = step.data(), step.owed()
            a, b = alone[who], shared[who]
            a.send(data)
            b_closed = False
            try:
                b.send(data)
            except pgwire.Closed:
                b_closed = True
            if "cancel" in step.kinds and not b_closed:
                self.cancel_when_asleep((a, b))
            expected = a.replies(step.items, owed)
            if expected[-1:] == [("nothing", b"")]:
                raise TimeoutError(f"direct, step {n}: {step}; so far {expected}")
            got = [("closed", b"")] if b_closed else b.replies(step.items, owed)
            self.pipelines += 1
            expected, got = [canon[0].canonical(m) for m in expected], [canon[1].canonical(m) for m in got]
            expected = [without_place(*pair) for pair in zip(expected, got)] + expected[len(got) :]
            if expected != got:
                return Difference(n, step, expected, got, first_difference(expected, got))
            if expected[-1:] == [("closed", b"")]:
                return None
            if step.kinds & MAY_PIN or script.needs_sequences:
                pinned[who] = True
            elif ("C", b"DISCARD ALL\0") in expected and not a.holds():
                pinned[who] = for_good[who]
            for_good[who] |= "seed" in step.kinds  # which DISCARD ALL does not undo
        return self.compare_notifications(script, alone, shared)

    @staticmethod
    def compare_notifications(script, alone, shared):
        if "listen" not in script.kinds():
            return None
        for who, (a, b) in enumerate(zip(alone, shared)):
            if a.holds():
                continue
            a.send(pgwire.query("select 1"))
            a.replies([("Q",)], ["Q"])
            end = time.monotonic() + NOTIFICATIONS_S
            while a.notifications != b.notifications and time.monotonic() < end:
                for p in (a, b):
                    p.send(pgwire.query("select 1"))
                    p.replies([("Q",)], ["Q"])
                time.sleep(0.01)
            if sorted(a.notifications) != sorted(b.notifications):
                got = [[("A", n) for n in p.notifications] for p in (a, b)]
                at = first_difference(*got)
                return Difference(len(script.steps), f"notifications of client {who}", *got, at)
        return None

    def close(self):
        self.direct.close()
        for each in self.movers.values():
            self.shared.give(each)
        for k in self.keepers:
            k.end()


def compare_logins(startup, a, b):
    skip = ("application_name",) if "application_name" not in startup else ()
    names = [n for n in {*a.parameters, *b.parameters} if n not in skip and a.parameters.get(n) != b.parameters.get(n)]
    if not names:
        return None
    name = sorted(names)[0]
    got = [[("S", f"{name} {p.parameters.get(name)}".encode())] for p in (a, b)]
    return Difference(-1, f"login {startup}", *got, 0)


class ServerGone(Exception):
    """Not even the superuser gets an answer: nothing more can be compared."""


class Mover:
    """Somebody who holds one connection of the pool, or none, so that the clients are moved."""

    def __init__(self, player):
        self.player, self.holds = player, False

    def turn(self, may_take):
        if self.player and (self.holds or may_take):
            self.player.query("commit" if self.holds else "begin")
            self.holds = not self.holds


def superuser_address(environ=os.environ):
    return f"{environ['SUPERUSER_SOCKET_DIR']}/.s.PGSQL.{environ['PRIMARY_PORT']}", environ["SUPERUSER_USER"]
