#!/usr/bin/python3
"""Plays an interleaving: each client alone on a connection of its own, and all of them through gilmok, at the same time.

Who would have to wait for a connection of the pool, because others hold them all, waits here; then the next step that can be
played is. Who holds one is known from the direct side: a transaction is open, or something is there that keeps a connection."""

import re

import observe
import pgwire
import play

# What may differ, as docs/compatibility.md says: currval() and lastval() in a later transaction; that there once was a temporary object.
LATER = ("E", pgwire.cstr("C55000"))
GONE, CLOSED = ("E", pgwire.cstr("C08006")), ("closed", b"")  # the server has ended the session: gilmok says so
NO_RESET = ("E", pgwire.cstr("C0A000"))  # of startup parameters, in front of other statements, where the client is held
CHANGED = ("E", pgwire.cstr("C0A000"))  # a prepared statement that would return something else now
NO_SCHEMA, NO_FUNCTION = ("E", pgwire.cstr("C3F000")), ("E", pgwire.cstr("C42883"))


# What may change a search path.
MOVES_PATH = re.compile(r"search_path|schema|role|authorization|temp|discard|reset|set_config|hid_", re.IGNORECASE)


class Seat:
    """One client on both sides; the connections are made by its first step."""

    def __init__(self, startup):
        self.startup, self.alone, self.shared = startup, None, None
        self.at_start = {n for n in startup if n not in ("user", "options")}
        self.at_start.update(re.findall(r"-c ([\w.]+)=", startup.get("options", "")))
        self.at_start = {n.lower() for n in self.at_start} | self.at_start
        self.keeps = self.stays = self.has_made_temp = self.has_moved_path = False

    def holds(self):
        return self.alone is not None and (self.alone.holds() or self.keeps or self.stays)

    def is_less_than_at_start(self):
        """A superuser who is none any more."""
        return self.alone.at_login["is_superuser"] == "on" != self.alone.parameters["is_superuser"]


class Wrong(play.Difference):
    """A difference between states; `names` are those of what differs."""

    def __init__(self, number, step, expected, got, at, found=()):
        super().__init__(number, step, expected, got, at)
        self.found = found

    def __str__(self):
        if not self.found:
            return super().__str__()
        lines = [f"step {self.number}: {self.step}"]
        return "\n".join(lines + [f"  {name}: {a!r} directly, {b!r} through gilmok" for name, a, b in self.found[:8]])

    def sign(self):
        return f"observed {self.found[0][0]}" if self.found else super().sign()


class Stage:
    def __init__(self, superuser, direct, shared, databases, questions):
        self.direct, self.shared, self.questions = direct, shared, questions
        self.keepers = [pgwire.Client(superuser[0], superuser[1], "", d, timeout=15.0).login() for d in databases]
        self.steps = self.observations = 0
        self.changed, self.shown = {}, {}  # settings: successful changes of each; times it was seen with another value than at first
        self.at_start = {}
        self.skipped = 0

    def reset(self):
        """Sequences go on from the same place on both sides."""
        ask = pgwire.query("select setval('public.s0', 1, false), setval('public.s1', 1, false), setval('public.s2', 1, false)")
        try:
            for k in self.keepers:
                k.send(ask)
            for k in self.keepers:
                k.collect()
        except (pgwire.Closed, OSError) as e:
            raise play.ServerGone(f"the server itself does not answer any more: {e!r}") from e

    # ---- coming and going ----

    def enter(self, script, n, step, seat):
        """None, or what was wrong with the login."""
        try:
            seat.alone = self.direct.take(seat.startup)
        except pgwire.PgError as e:
            return self.refused(script, n, step, seat, e)
        at_login = seat.alone.__dict__.setdefault("at_login", dict(seat.alone.parameters))
        seat.alone.parameters = dict(at_login)  # of one that is used again, too
        try:
            seat.shared = self.shared.take(seat.startup, script.database())
        except (pgwire.PgError, pgwire.Closed, TimeoutError) as e:
            return Wrong(n, f"login {seat.startup}", [("R", b"")], [("E", repr(e).encode())], 0)
        return play.compare_logins(seat.startup, seat.alone, seat.shared)

    def refused(self, script, n, step, seat, error):
        """The server does not take this client: nor does gilmok."""
        try:
            self.shared.give(self.shared.take(seat.startup, script.database()))
        except (pgwire.PgError, pgwire.Closed):
            raise Unplayable(f"login {seat.startup}: {error}") from None
        return Wrong(n, f"login {seat.startup}", [("E", repr(error).encode())], [("R", b"")], 0)

    def leave(self, seat):
        if seat.alone:
            self.direct.give(seat.alone, seat.startup, set(seat.startup) <= {"user", "application_name"})
        if seat.shared:
            self.shared.give(seat.shared)
        seat.alone = seat.shared = None
        seat.keeps = seat.stays = seat.has_made_temp = seat.has_moved_path = False

    # ---- playing ----

    def play(self, script):
        """None, or the first difference."""
        if any("ask" in s.kinds for s in script.steps):
            self.reset()
        seats = [Seat(startup) for startup in script.clients]
        try:
            return self.play_steps(script, seats)
        finally:
            for seat in seats:
                self.leave(seat)

    def play_steps(self, script, seats):
        left = list(enumerate(script.steps))
        while left:
            holders, blocked = sum(s.holds() for s in seats), set()
            for place, (n, step) in enumerate(left):
                who = step.client
                if who not in blocked and (seats[who].holds() or holders < script.pool):
                    break
                blocked.add(who)
            else:
                return None  # the rest waits for ever: only a script that was made smaller does that
            del left[place]
            wrong = self.step(script, n, step, seats[who])
            if wrong:
                return wrong
        return None

    def step(self, script, n, step, seat):
        if "leave" in step.kinds:
            self.leave(seat)
            return None
        if not seat.alone:
            wrong = self.enter(script, n, step, seat)
            if wrong:
                return wrong
        if "observe" in step.kinds:
            return self.observe(n, step, seat)
        return self.change(n, step, seat)

    @staticmethod
    def both(seat, data, items, owed):
        """The answers of both sides, as lists of messages."""
        seat.alone.send(data)
        try:
            seat.shared.send(data)
        except pgwire.Closed:
            pass
        expected = seat.alone.replies(items, owed)
        if expected[-1:] == [("nothing", b"")]:
            raise TimeoutError(f"direct: {items}; so far {expected}")
        got = seat.shared.replies(items, owed)
        for player, messages in ((seat.alone, expected), (seat.shared, got)):
            for kind, body in messages:
                if kind == "S":
                    name, value = body[:-1].split(b"\0")
                    player.parameters[name.decode()] = value.decode()
        expected, got = ([observe.canonical(m) for m in ms if m[0] not in "SN"] for ms in (expected, got))
        if expected[-1:] == [CLOSED] and got[-2:] == [GONE, CLOSED]:
            del got[-2]
        return expected, got

    def change(self, n, step, seat):
        was = seat.alone.status
        expected, got = self.both(seat, step.data(), step.items, step.owed())
        self.steps += 1
        if NO_RESET in got and NO_RESET not in expected and seat.at_start and self.may_reset(step):
            raise Unplayable(f"{step}: a reset that gilmok refuses")
        if any(f"begin reset {name}" in repr(step.items).lower() and self.stays_reset(seat, name) for name in seat.at_start):
            raise Unplayable(f"{step}: code that resets a startup parameter")
        if expected != got and not self.is_allowed(step, was, expected, got):
            return Wrong(n, step, expected, got, play.first_difference(expected, got))
        if expected[-1] == CLOSED:
            self.leave(seat)
            return None
        if got[-1] == CLOSED:
            raise Unplayable(f"{step}: an error that is allowed ends the session")
        if "stays" in step.kinds:
            seat.stays = True
        seat.has_made_temp |= "temp" in step.kinds
        seat.has_moved_path |= bool(MOVES_PATH.search(repr(step.items)))
        if not any(m[0] == "E" for m in expected):
            for name in step.kinds:
                self.changed[name] = self.changed.get(name, 0) + 1
        if "rest" in step.kinds and seat.alone.status == "I":
            seat.alone.send(self.questions.holds)
            seat.keeps = any(m[0] == "D" and m[1][-1:] == b"t" for m in seat.alone.replies([("Q",)], ["Q"])) or seat.is_less_than_at_start()
        return None

    @staticmethod
    def stays_reset(seat, name):
        """When code has reset what this startup parameter says, the server's own value is in force, as docs/compatibility.md says."""
        return seat.alone.status != "I" or "." in name or name.lower() in map(str.lower, seat.alone.at_login)

    @staticmethod
    def may_reset(step):
        """docs/compatibility.md says which of these are refused: those that have something behind the reset."""
        sql = repr(step.items).lower()
        return any(word in sql for word in ("reset", "discard", "default", "set_config"))

    @staticmethod
    def is_allowed(step, was, expected, got):
        if "ask" in step.kinds and LATER in got and was == "I":
            return "val(" in repr(step.items)
        alike = [[m if m != NO_SCHEMA else NO_FUNCTION for m in messages] for messages in (expected, got)]
        return "temp" in step.kinds and alike[0] == alike[1]

    def observe(self, n, step, seat):
        if seat.alone.status == "E":
            return None
        asks = self.questions
        question = asks.full if "full" in step.kinds else asks.whole if "whole" in step.kinds else asks.quick
        items = [("Q",), *step.items]
        expected, got = self.both(seat, question + step.data(), items, ["Q", *step.owed()])
        self.observations += 1
        if seat.has_made_temp and (CHANGED in got) != (CHANGED in expected):
            raise Unplayable(f"{step}: a prepared statement reads what a temporary object has hidden since")
        if expected != got:
            at = play.first_difference(expected, got)
            if seat.has_moved_path and self.are_dates_alone(expected, got):
                raise Unplayable(f"{step}: the server has read a date's text anew, since the search path is another one")
            rows = [m[at][1] if at < len(m) and m[at][0] == "D" else None for m in (expected, got)]
            found = self.questions.differing(*rows, seat.at_start) if all(rows) and at == 1 else None
            if found == [] and expected[2:] == got[2:]:
                return None
            return Wrong(n, step, expected, got, at, found or ())
        told = [(k, v, seat.shared.parameters.get(k)) for k, v in seat.alone.parameters.items() if v != seat.shared.parameters.get(k)]
        if told:
            return Wrong(n, step, expected, got, 0, [(f"(told) {k}", a, b) for k, a, b in told])
        self.note_shown(seat, expected)
        if expected[-1] == CLOSED:
            self.leave(seat)
        return None

    @staticmethod
    def are_dates_alone(expected, got):
        """What differs is the reading of a date, 01/02/2026, in prepared statements."""
        pairs = [(a, b) for a, b in zip(expected, got) if a != b]
        return len(expected) == len(got) and all(a[0] == b[0] == "D" and b"2026" in a[1] and sorted(a[1]) == sorted(b[1]) for a, b in pairs)

    def note_shown(self, seat, messages):
        now = self.questions.settings(next(m[1] for m in messages if m[0] == "D"))
        first = self.at_start.setdefault(seat.startup["user"], now)
        if first == now:
            return
        for at, (before, value) in enumerate(zip(first, now)):
            if before != value:
                name = self.questions.listed[at]
                self.shown[name] = self.shown.get(name, 0) + 1

    def close(self):
        self.direct.close()
        for k in self.keepers:
            k.end()


class Unplayable(Exception):
    """The server itself does not take a client of this interleaving; or gilmok refuses what it must, and the states part."""
