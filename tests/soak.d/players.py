"""
How a program of the soak lives: players that take one turn after the other, hold still when they are told to, and count what went
wrong as it had to. A wrong answer, and an error that nothing explains, ends the soak.
"""

import asyncio
import collections
import contextlib
import logging
import os
import random
import re
import threading
import time
import traceback

DEAF_S = 12
SLOW_S = 10  # slower than that is told
STILL_S = 50  # a player that does not come to rest in this time hangs

# What restarts, killed processes, KILL_CLIENT, PAUSE and cancels explain, whenever it comes.
EXPLAINED = {"57P01", "57P02", "57P03", "57014", "08001", "08003", "08006", "53300", "58000"}
CLOSED = re.compile(
    "closed the connection|refused the connection|reset the connection|connection is closed|connection already closed|"
    "closed unexpectedly|Connection reset|Broken pipe|"
    "connection was closed|the connection is lost|could not receive data|could not send data|EOF detected|"
    "connection has been closed|"
    "server terminated|connection pointer is NULL|underlying connection|unexpected eof|SSL SYSCALL error|"
    "no connection to the server|"
    "SSL connection is closed|before secure connection|sending query failed|Connection timed out|cursor already closed"
)
AT_LOGIN = re.compile(
    "shutting down|starting up|the database system is|cannot connect to server|cannot be asked|Connection refused|"
    "administrator command|terminat|not yet accepting|"
    "connection to (the )?server was|no server connection|timeout expired|was lost|server conn|recovery mode|not accepting"
)


# For looking into something: ways that nobody goes, such as "asyncpg.heard, psycopg2.copy".
WITHOUT = [w.strip() for w in os.environ.get("SOAK_WITHOUT", "").split(",")]


class Wrong(Exception):
    """An answer that nothing explains."""


def check(is_right, what, *more):
    if not is_right:
        raise Wrong(f"{what}: {more}")


def classify(e):
    """The word to count an error by, or None when nothing explains it."""
    state = getattr(e, "sqlstate", None) or getattr(e, "pgcode", None)
    text = " ".join(str(e).split())
    if state:
        return state if state in EXPLAINED else None
    if isinstance(e, (asyncio.TimeoutError, TimeoutError, AssertionError)):
        return None
    if AT_LOGIN.search(text):
        return "at login"
    if "another operation (2) is in progress" in text:
        return "inside of a group"  # asyncpg hears of it after its Flush, when it has not sent its Sync yet
    if isinstance(e, OSError) or CLOSED.search(text) or type(e).__name__ in ("Closed", "ConnectionDoesNotExistError"):
        return "closed"
    # What a driver says while it clears up after an error is explained by that one.
    before = e.__cause__ or e.__context__
    return classify(before) if before is not None and not isinstance(before, Wrong) else None


class Player:
    """One client. Kinds of them have turn(), which does something and checks it, and leave(), which disconnects."""

    def __init__(self, stage, number):
        self.stage, self.number, self.world = stage, number, stage.world
        self.name = f"{stage.program} {number}"
        self.dice = random.Random(f"{stage.seed} {self.name}")
        self.counts = collections.Counter()
        self.doing, self.is_resting, self.since = "", False, time.monotonic()

    def do(self, names):
        """One of its ways by chance; a name may stand there more than once."""
        self.doing = self.dice.choice([n for n in names if f"{self.stage.program}.{n}" not in WITHOUT])
        self.counts[self.doing] += 1
        return getattr(self, self.doing)

    def judge(self, e):
        word = None if isinstance(e, Wrong) else classify(e)
        if word is None:
            self.stage.wrong(f"{self.name}, {self.doing}: {''.join(traceback.format_exception(e))[-2500:]}")
        else:
            self.counts[f"error {word}"] += 1

    def right(self, count=1):
        self.counts["answers"] += count


class ThreadPlayer(Player):
    def play(self):
        while not self.stage.is_over():
            try:
                if self.stage.is_still():
                    self.doing = "leave"
                    self.leave()
                    self.is_resting = True
                    while self.stage.is_still() and not self.stage.is_over():
                        time.sleep(0.05)
                    self.is_resting = False
                else:
                    self.turn()
            except Exception as e:
                self.judge(e)
                self.drop()
                time.sleep(0.05)
        self.drop()
        self.is_resting = True

    def drop(self):
        try:
            self.leave()
        except Exception:
            pass


class TaskPlayer(Player):
    async def watched_turn(self):
        """
        Drivers of this kind may wait for ever on a connection that was ended under them in the middle of a cancel. Whom gilmok does
        not know any more gives up; whoever waits while gilmok knows him will be told of as busy.
        """
        turn = asyncio.create_task(self.turn())
        while not (await asyncio.wait([turn], timeout=DEAF_S))[0]:
            if not await asyncio.to_thread(self.stage.is_known, self.name):
                turn.cancel()
                await asyncio.wait([turn], timeout=5)
                self.counts["error unheard by the driver"] += 1
                await self.abandon()
                return
        await turn

    async def play(self):
        while not self.stage.is_over():
            try:
                if self.stage.is_still():
                    self.doing = "leave"
                    await self.leave()
                    self.is_resting = True
                    while self.stage.is_still() and not self.stage.is_over():
                        await asyncio.sleep(0.05)
                    self.is_resting = False
                else:
                    await self.watched_turn()
            except Exception as e:
                self.judge(e)
                await self.drop()
                await asyncio.sleep(0.05)
        await self.drop()
        self.is_resting = True

    async def drop(self):
        try:
            await self.leave()
        except Exception:
            pass


class Stage:
    """One program: a process of its own with its players."""

    def __init__(self, program, world, still, over, results, seed):
        self.program, self.world, self.still, self.over, self.results, self.seed = program, world, still, over, results, seed
        self.players = []

    def is_still(self):
        return self.still.is_set()

    def is_over(self):
        return self.over.is_set()

    def is_known(self, name):
        return any(c["application_name"] == name for c in self.world.gilmok.show("CLIENTS"))

    def wrong(self, text):
        self.results.put(("wrong", self.program, text))

    @contextlib.contextmanager
    def cancelling(self, connection):
        """From a thread of its own, until what it is for has ended: the first may come before the query."""
        ended = threading.Event()

        def cancel():
            pause = 0.1
            while not ended.wait(pause):
                try:
                    connection.cancel()
                except Exception:
                    return
                pause = 2

        t = threading.Thread(target=cancel, daemon=True)
        t.start()
        try:
            yield
        finally:
            ended.set()
            t.join(45)

    def tell(self):
        total = collections.Counter()
        for p in self.players:
            taken, p.counts = p.counts, collections.Counter()
            total.update(taken)
        self.results.put(("count", self.program, total))

    def watch(self):
        """Tells when all players rest, who does not, and at the end what was counted."""
        while not self.is_over():
            if self.is_still():
                begin, slow = time.monotonic(), []
                while not all(p.is_resting for p in self.players) and time.monotonic() < begin + STILL_S:
                    if not slow and time.monotonic() > begin + SLOW_S:
                        slow = [f"{p.name} ({p.doing})" for p in self.players if not p.is_resting]
                    time.sleep(0.02)
                busy = [f"{p.name} ({p.doing})" for p in self.players if not p.is_resting]
                if busy:
                    self.wrong(f"after {STILL_S} s still busy: {', '.join(busy)}")
                self.tell()
                self.results.put(("rests", self.program, slow))
                while self.is_still() and not self.is_over():
                    time.sleep(0.05)
            time.sleep(0.02)

    def play(self, kind, count):
        logging.getLogger().addHandler(logging.NullHandler())  # drivers complain of what is counted anyway
        self.players = [kind(self, i) for i in range(count)]
        watcher = threading.Thread(target=self.watch, daemon=True)
        watcher.start()
        if issubclass(kind, TaskPlayer):

            async def everybody():
                await asyncio.gather(*(p.play() for p in self.players))

            asyncio.run(everybody())
        else:
            threads = [threading.Thread(target=p.play, daemon=True) for p in self.players]
            for t in threads:
                t.start()
            self.over.wait()
            for t in threads:
                t.join(STILL_S)
        watcher.join(5)
        self.tell()
