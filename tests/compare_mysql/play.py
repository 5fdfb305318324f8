#!/usr/bin/python3
"""Plays a script on direct connections and through gilmok at the same time, and compares what comes back.

A step is sent to both sides at once and ends when both have answered; then comes the next. Whose step would have to wait for a
connection of the pool, because other clients hold them all, is left out: that depends on the direct side's answers alone."""

import collections
import socket
import struct
import time

import documented
import ending
import holders
import mywire
import packets
import servers
import steps
from content import CLEANS

LEAVING_S = 1.0  # so long what a client has held may outlive it: until its connection is cleaned, or closed
# The first command of every session, also of one that has begun anew, which is not compared: FOUND_ROWS() of one that has read nothing
# yet is what another session has left, at MariaDB itself.
OPENING = ("query", "select 1")
NOTHING, CLOSED = ("nothing", b"\0" * 8), ("closed", b"\0" * 8)  # in place of packets


class Player(mywire.Client):
    """One client of one side, with the server's numbers for its statements."""

    def __init__(self, side, port, pool, kind, collation, maria):
        self.side, self.pool, self.password, self.collation, self.maria = side, pool, maria.password, collation, maria
        if maria.is_mysql and not mywire.KINDS[kind] & mywire.PLUGIN_AUTH:
            kind = "old"  # it would not be let in
        self.names, self.numbers, self.owed, self.was_refused = side.names(pool), {}, None, False
        super().__init__(port, maria.user, maria.password, self.names["login"], caps=mywire.KINDS[kind], collation=collation,
                         timeout=servers.WAIT_S)  # fmt: skip
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self, command):
        """Sends it. The answer is read by finish()."""
        self.owed = command
        if command[0] == "user":
            self.start_change(*command[1:])
        else:
            command = tuple(self.maria.in_its_words(word) if isinstance(word, str) else word for word in command)
            self.send(mywire.packet(steps.encoded(command, self.names, self.numbers)))

    def start_change(self, user, password, schema):
        self.new_password = self.password if password == "right" else password
        answer = mywire.native(self.new_password, self.nonce)
        body = mywire.CHANGE_USER + user.encode() + b"\0" + bytes([len(answer)]) + answer
        body += schema.format(**self.names).encode() + b"\0" + struct.pack("<H", self.collation)
        self.send(mywire.packet(body + (b"mysql_native_password\0" if self.caps & mywire.PLUGIN_AUTH else b"")))

    def finish(self):
        """Canonical packets of the answer."""
        command, self.owed = self.owed, None
        got = []
        try:
            if command[0] == "user":
                got = self.finish_change()
            elif command[0] not in ("close", "long"):
                for p in self.answer(steps.encoded(command, self.names, self.numbers)[:1]):
                    got.append(p)
        except mywire.Closed:
            return [*self.told(command, got), CLOSED]
        except TimeoutError:
            return [*self.told(command, got), NOTHING]
        if command[0] == "prepare" and got[0][4] == 0:
            self.numbers[command[1]] = got[0][5:9]
        elif command[0] == "close":
            self.numbers.pop(command[1], None)
        elif command[0] == "reset" or (command[0] == "user" and got[-1][4] == 0):
            self.numbers = {}
        self.was_refused = command[0] == "user" and got[-1][4] == 0xFF
        return self.told(command, got)

    def finish_change(self):
        """Who is asked for the proof once more, and who is not, is the server's own business: only the last packet counts."""
        p = self.read_packet()
        if p[4:5] == b"\xfe":
            self.nonce = p[-21:-1]
            proof = mywire.sha2 if b"caching_sha2_password" in p else mywire.native
            self.send(mywire.packet(proof(self.new_password, self.nonce), self.seq))
            p = self.read_packet()
        if p[4:] == b"\1\4":  # a proof that is not remembered: nobody's, in these scripts
            self.send(mywire.packet(b"\2", self.seq))
            self.read_packet()
            self.send(mywire.packet(bytes(256), self.seq))
            p = self.read_packet()
        if p[4:] == b"\1\3":
            p = self.read_packet()
        return [p[:3] + b"\0" + p[4:]]

    def told(self, command, got):
        return packets.canonical(self, command[0], got, self.side.to_neutral())

    def leave(self):
        try:
            self.send(mywire.packet(mywire.QUIT))
        except OSError:
            pass
        self.close()


class Difference:
    """Where the answers to a script part."""

    def __init__(self, number, step, expected, got):
        self.number, self.step, self.expected, self.got = number, step, expected, got
        self.at = packets.first_difference(expected, got)

    def __str__(self):
        lines = [f"step {self.number}: {self.step}"]
        start = max(0, self.at - 1)
        for name, answer in (("direct", self.expected), ("gilmok", self.got)):
            lines.append(f"  {name}:" + (" ..." if start else ""))
            lines += [f"    {'>' if i == self.at else ' '} {packets.shown(*answer[i])}" for i in range(start, min(len(answer), self.at + 4))]
        return "\n".join(lines)

    def sign(self):
        """What kind of difference it is, in short."""
        pairs = [answer[self.at] if self.at < len(answer) else ("nothing more", b"") for answer in (self.expected, self.got)]
        word = self.step.command[0] if isinstance(self.step, steps.Step) else str(self.step).split(maxsplit=1)[0]
        return f"{word}: " + "/".join(role + packets.code(role, p) for role, p in pairs)


class Enough(Exception):
    """What comes behind a documented difference cannot be the same."""


class DirectFails(Exception):
    """The direct side itself does not play the script to its end."""


class Table:
    """The two sides of one process: schemas alike, a connection to each for what is done between scripts, gilmok before one."""

    def __init__(self, maria, gilmok, process, is_session_mode):
        """gilmok: None for the server beside itself."""
        self.is_session_mode, self.documented = is_session_mode, collections.Counter()
        self.maria, self.gilmok, self.sides, self.commands = maria, gilmok, servers.sides(process), 0
        self.ports = [maria.port, gilmok.mysql_port if gilmok else maria.port]
        if not gilmok:
            self.sides[1].login = {pool: self.sides[1].schema for pool in servers.POOLS}
        for side in self.sides:
            servers.make_schemas(maria, side)
        self.keepers = [maria.direct(database=None) for _ in self.sides]
        self.console = holders.Console(gilmok) if gilmok else None
        self.remade, self.refilled = set(range(servers.CLIENTS_MAX)), set()

    def pool_of(self, script):
        """In session mode each client needs a connection of its own."""
        return len(script.clients) + 1 if self.is_session_mode else script.pool

    def reset(self):
        """The tables as the scripts expect them, on both sides: made anew where a script may have changed what they are."""
        for keeper, side in zip(self.keepers, self.sides):
            for i in self.remade:
                servers.run_all(keeper, servers.texts("tables.sql", a=side.schema, b=side.other, i=i))
            for letter, i in self.refilled:
                if i not in self.remade:
                    servers.run_all(keeper, servers.refill(side, letter, i))
        self.remade, self.refilled = set(), set()

    def fresh_pool(self, script):
        """The next client meets connections that nobody has used."""
        if self.gilmok:
            name = self.sides[1].login[self.pool_of(script)]
            self.gilmok.console(f"RECONNECT {name}")
            self.gilmok.console(f"WAIT_CLOSE {name}")

    def enter(self, script, who, side):
        kind, collation = script.clients[who]
        player = Player(self.sides[side], self.ports[side], self.pool_of(script), kind, collation, self.maria)
        if player.welcome[:1] != b"\0":
            raise mywire.Closed(player.welcome)
        self.open(player)
        return player

    def compare_logins(self, who, script, a, b):
        command = ("login", *script.clients[who])
        return self.compared(a.caps, -1, steps.Step(who, command), *(p.told(command, [bytes(4) + p.welcome]) for p in (a, b)))

    @staticmethod
    def open(*players):
        for each in players:
            each.start(OPENING)
            each.finish()

    def play(self, script):
        """None, or the first difference."""
        self.reset()
        self.remade = set(range(servers.CLIENTS_MAX))
        players = [[], []]
        try:
            for who in range(len(script.clients)):
                for side in (0, 1):
                    try:
                        players[side].append(self.enter(script, who, side))
                    except (mywire.Closed, OSError) as e:
                        if side == 0:
                            raise DirectFails(repr(e)) from e
                        return Difference(-1, f"login {script.clients[who]}", [("login", b"")], [("login", repr(e).encode())])
                wrong = self.compare_logins(who, script, *(p[who] for p in players))
                if wrong:
                    return wrong
            wrong = self.play_steps(script, *players) or self.compare_contents(script)
            if not wrong:
                self.remade, self.refilled = servers.changed_by(script)
            return wrong
        except Enough:
            return None
        finally:
            for each in players[0] + players[1]:
                each.leave()

    def play_steps(self, script, alone, shared):
        has_option = [False] * len(alone)
        waiting = None
        for n, step in enumerate(script.steps):
            who = step.client
            if waiting is not None and waiting[1].client == who:
                wrong = self.finish(*waiting, alone, shared)
                waiting = None
                if wrong:
                    return wrong
            if not self.has_connection(script, who, shared, waiting):
                continue
            if step.command[0] == "user" and has_option[who]:
                continue  # COM_SET_OPTION does not outlive it at gilmok, and does at the server
            if step.command == ("leave",):
                wrong = self.leave(script, n, step, alone, shared)
                has_option[who] = False
            else:
                alone[who].start(step.command)
                try:
                    shared[who].start(step.command)
                except OSError:
                    pass  # what it says by closing is read below
                self.commands += 1
                has_option[who] |= step.command[0] == "option"
                if step.together and waiting is None:
                    waiting = (n, step)
                    continue
                wrong = self.finish(n, step, alone, shared)
                if not wrong and alone[who].was_refused:  # as another user: gilmok ends it
                    wrong = self.leave(script, n, step, alone, shared)
                elif not wrong and step.command[0] in CLEANS:
                    self.open(alone[who], shared[who])
            if waiting is not None:
                wrong = self.finish(*waiting, alone, shared) or wrong
                waiting = None
            if wrong:
                return wrong
        if waiting is not None:
            wrong = self.finish(*waiting, alone, shared)
            if wrong:
                return wrong
        return self.compare_sessions(script, alone, shared)

    def has_connection(self, script, who, shared, waiting):
        """One of the pool is this client's, or may become so."""
        size = self.pool_of(script)
        if size >= len(shared) or not self.console:
            return True
        busy = {waiting[1].client} if waiting else set()
        sure = holders.holders(self.console, shared)
        return who in sure or len((sure | busy) - {who}) < size

    def finish(self, n, step, alone, shared):
        expected = alone[step.client].finish()
        if expected[-1:] in ([NOTHING], [CLOSED]):
            raise DirectFails(f"step {n}: {step}: {expected[-1][0]}")
        try:
            got = shared[step.client].finish()
        except OSError:
            got = [CLOSED]
        return self.compared(alone[step.client].caps, n, step, expected, got)

    def compared(self, caps, n, step, expected, got):
        if expected == got:
            return None
        refused = documented.refusal(got)
        if refused:
            self.documented[refused] += 1
            raise Enough
        known = documented.explains(caps, step.command, expected, got)
        self.documented.update(known)
        return None if known else Difference(n, step, expected, got)

    def leave(self, script, n, step, alone, shared):
        who = step.client
        for side, players in enumerate((alone, shared)):
            players[who].leave()
            if side == 0:
                self.wait_until_gone(players[who])
            try:
                players[who] = self.enter(script, who, side)
            except (mywire.Closed, OSError) as e:
                if side == 0:
                    raise DirectFails(repr(e)) from e
                return Difference(n, step, [("login", b"")], [("login", repr(e).encode())])
        self.wait_for_locks(script)
        return None

    def wait_until_gone(self, player):
        end = time.monotonic() + LEAVING_S
        ask = f"select count(*) from information_schema.processlist where id = {player.thread}"
        while servers.mysqltools.value(self.keepers[0], ask) and time.monotonic() < end:
            time.sleep(0.002)

    def wait_for_locks(self, script):
        """Until what has left on the direct side has left on the other, too."""
        if not any("_lock(" in str(step.command) for step in script.steps):
            return
        end = time.monotonic() + LEAVING_S
        while time.monotonic() < end:
            free = [[servers.mysqltools.value(k, f"select is_free_lock('{s.schema}.{x}')") for x in ("x", "y")]
                    for k, s in zip(self.keepers, self.sides)]  # fmt: skip
            if free[0] == free[1]:
                return
            time.sleep(0.002)

    def compare_sessions(self, script, alone, shared):
        """What each session can see of itself. Afterwards none holds anything."""
        sure = holders.holders(self.console, shared) if self.console else ()
        order = sorted(range(len(alone)), key=lambda c: c not in sure)
        for who in order:
            for command in ending.questions(script.seed or 0):
                step = steps.Step(who, command, ("ending",))
                alone[who].start(command)
                try:
                    shared[who].start(command)
                except OSError:
                    pass
                self.commands += 1
                wrong = self.finish(len(script.steps), step, alone, shared)
                if wrong:
                    return wrong
            alone[who].leave()
            shared[who].leave()
            if who != order[-1]:
                self.wait_until_gone(alone[who])
                self.wait_for_locks(script)
        return None

    def compare_contents(self, script):
        """What the clients have left in the tables."""
        for sql in ending.contents(len(script.clients)):
            got = []
            for keeper, side in zip(self.keepers, self.sides):
                text = sql.replace("{a}", side.schema).replace("{b}", side.other)
                try:
                    got.append([("row", b"\0\0\0\0" + repr(servers.mysqltools.rows(keeper, text)).replace(side.schema, "{a}").encode())])
                except servers.mysqltools.pymysql.err.Error as e:
                    got.append([("row", b"\0\0\0\0" + repr(e.args[0]).encode())])
            if got[0] != got[1]:
                return Difference(len(script.steps), f"contents {sql}", *got)
        return None

    def close(self):
        if self.console:
            self.console.close()
        for keeper in self.keepers:
            keeper.close()
        for side in self.sides:
            servers.drop_schemas(self.maria, side)
