#!/usr/bin/python3
"""A long mixed load with trouble; tests/soak runs it, README.md tells what happens in it and what must hold."""

import collections
import multiprocessing
import os
import queue
import random
import signal
import sys
import time

import players
import world as worlds
from async_programs import Asyncpg, PsycopgAsync
from sync_programs import Psycopg2, Psycopg3, Rude, Tools
from world import APP_DB, DATABASES, HBA, REST, USERS

import pgwire
from flowtools import superuser

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
SEED = os.environ.get("SOAK_SEED", "1")
WARM_UP = min(300.0, SECONDS / 3)
STILL_EVERY = min(60.0, SECONDS / 8)
SAMPLE_EVERY = 5
MIB = 1024  # of the kilobytes in /proc
REST_S = 15  # in this time after the last client, server connections are at their rest

PROGRAMS = {
    "psycopg2": (Psycopg2, 3),
    "psycopg 3": (Psycopg3, 3),
    "psycopg 3 async": (PsycopgAsync, 3),
    "asyncpg": (Asyncpg, 3),
    "psql, pgbench": (Tools, 2),
    "rude": (Rude, 2),
}


def play(program, world, still, over, results):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kind, count = PROGRAMS[program]
    players.Stage(program, world, still, over, results, SEED).play(kind, count)


# ---- what gilmok is using ----


def descriptors_of(pid):
    """All, and how many of them are sockets."""
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return len(names), sum(n.startswith("socket:") for n in names)


class Sample:
    """`private`: memory that is written and gilmok's alone; kilobytes."""

    def __init__(self, pid):
        self.at = time.monotonic()
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            sizes = {line.split()[0]: int(line.split()[1]) for line in f if line.split()[-1] == "kB"}
        self.private, self.rss = sizes["Private_Dirty:"], sizes["Rss:"]
        self.descriptors, self.sockets = descriptors_of(pid)
        self.threads = len(os.listdir(f"/proc/{pid}/task"))
        self.kinds, self.servers = {}, 0


def memory_by_kind(gilmok):
    return {r["name"]: int(r["memtotal"]) for r in gilmok.show("MEM")}


def slope(samples):
    """Least squares, kilobytes a minute."""
    if len(samples) < 2:
        return 0.0
    xs = [s.at / 60 for s in samples]
    ys = [s.private for s in samples]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


# ---- trouble ----


class Trouble:
    """What operators and accidents do: each has its own beat."""

    def __init__(self, world):
        self.world, self.gilmok, self.dice = world, world.gilmok, random.Random(f"{SEED} trouble")
        self.counts = collections.Counter()
        self.beats = [[3, self.reload], [11, self.kill_backends], [13, self.kill_client], [17, self.pause], [23, self.reconnect],
                      [29, self.bad_reload], [41, self.kill_database], [61, self.restart]]  # fmt: skip
        now = time.monotonic()
        self.due = [now + every for every, _ in self.beats]

    def tick(self):
        for i, (every, act) in enumerate(self.beats):
            if time.monotonic() >= self.due[i]:
                act()
                self.counts[act.__name__] += 1
                self.due[i] = time.monotonic() + every

    def console(self, sql, timeout=5.0):
        c = self.gilmok.login(user="boss", password=self.gilmok.users["boss"], database="gilmok", timeout=timeout)
        try:
            return c.query(sql)
        finally:
            c.end()

    def ask_reload(self):
        if self.dice.random() < 0.5:
            self.gilmok.process.send_signal(signal.SIGHUP)
            time.sleep(0.2)
        else:
            got = self.console("RELOAD")
            assert got.tags == ["RELOAD"], got.errors

    def reload(self):
        text = self.gilmok.text
        what = self.dice.randrange(5)
        if what == 0:
            text = text.replace("stats_period = 10s", f"stats_period = {self.dice.randrange(5, 20)}s")
        elif what == 1:
            text = text.replace(f"pool_size = {worlds.POOL_SIZE}\n", f"pool_size = {self.dice.randrange(4, 9)}\n")
        elif what == 2:
            ghosts = [f"host  all  /^ghost{self.dice.randrange(99)}(a|b)+$  10.{i}.0.0/16  md5\n" for i in range(40)]
            more = "".join(ghosts[: self.dice.randrange(40)])
            self.gilmok.write("hba.conf", HBA.format(more=more))
        elif what == 3:
            text += f"[database added{self.dice.randrange(9)}]\ncluster = main\nserver_database = {APP_DB}\n"
        self.gilmok.write("gilmok.conf", text)
        self.ask_reload()

    def bad_reload(self):
        self.gilmok.write("hba.conf", HBA.format(more="host all +role all md5\nhost all /([ all md5\n"))
        got = self.console("RELOAD")
        assert got.errors, "a wrong hba_file was taken"
        self.world.reset_files()

    def kill_backends(self):
        with superuser() as su:
            ours = "select pid from pg_stat_activity where usename = any(%s) order by random() limit 3"
            su.execute(f"select pg_terminate_backend(pid) from ({ours}) a", [[*USERS, worlds.ASKER]])

    def kill_client(self):
        clients = self.gilmok.show("CLIENTS")
        others = [c["id"] for c in clients if c["database"] in DATABASES]
        if others:
            self.console(f"KILL_CLIENT {self.dice.choice(others)}")

    def pause(self):
        name = self.dice.choice([APP_DB, "secure", "shared"])
        try:
            self.console(f"PAUSE {name}", timeout=6)
        except (pgwire.Closed, OSError):
            self.counts["pause left early"] += 1
        time.sleep(0.3)
        got = self.console(f"RESUME {name}")
        assert not got.errors, got.errors

    def reconnect(self):
        self.console(f"RECONNECT {self.dice.choice([*DATABASES, ''])}")

    def kill_database(self):
        name = self.dice.choice(DATABASES)
        got = self.console(f"KILL {name}", timeout=20)
        assert not got.errors, got.errors
        got = self.console(f"RESUME {name}")
        assert not got.errors, got.errors

    def restart(self):
        self.world.restart_server("immediate" if self.counts["restart"] % 2 else "fast")


# ---- the soak ----


class Soak:
    def __init__(self, world):
        self.world, self.gilmok = world, world.gilmok
        self.pid = self.gilmok.process.pid
        self.still, self.over, self.results = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
        self.processes = []
        self.counts = {name: collections.Counter() for name in PROGRAMS}
        self.resting, self.wrong, self.slow = set(), [], []
        self.samples, self.quiet = [], []
        self.begun = time.monotonic()

    def age(self):
        return time.monotonic() - self.begun

    def start(self):
        for name in PROGRAMS:
            p = multiprocessing.Process(target=play, args=(name, self.world, self.still, self.over, self.results), daemon=True)
            p.start()
            self.processes.append(p)

    def fail(self, text):
        self.wrong.append(text)

    def drain(self, seconds=0.0):
        end = time.monotonic() + seconds
        while True:
            try:
                kind, program, what = self.results.get(timeout=max(0.001, end - time.monotonic()))
            except queue.Empty:
                return
            if kind == "wrong":
                self.fail(what if self.wrong else f"{what}\n{self.who_is_there()}")
            elif kind == "count":
                self.counts[program].update(what)
            else:
                self.resting.add(program)
                self.slow.extend(what)

    def who_is_there(self):
        """Clients and server connections, for whoever has to find out why."""
        if not self.gilmok.is_alive():
            return "gilmok has ended"
        rows = [r for what in ("CLIENTS", "SERVERS") for r in self.gilmok.show(what)]
        return "\n".join(" ".join(f"{k}={v}" for k, v in r.items() if v not in ("", "0", None)) for r in rows)

    def sample(self):
        if not self.gilmok.is_alive():
            self.fail("gilmok has ended")
        elif not self.samples or time.monotonic() - self.samples[-1].at >= SAMPLE_EVERY:
            self.samples.append(Sample(self.pid))

    def is_at_rest(self):
        """Nobody but the console, and of server connections those that stay."""
        if any(c["database"] in DATABASES for c in self.gilmok.show("CLIENTS")):
            return False
        rest = collections.Counter((s["database"], s["user"]) for s in self.gilmok.show("SERVERS"))
        return all(count <= REST.get(database, 0) for (database, _), count in rest.items())

    def hold_still(self):
        self.resting.clear()
        self.still.set()
        end = time.monotonic() + players.STILL_S + 5
        while len(self.resting) < len(PROGRAMS) and time.monotonic() < end and not self.wrong:
            self.drain(0.1)
        if len(self.resting) < len(PROGRAMS) and not self.wrong:
            self.fail(f"not heard of: {', '.join(set(PROGRAMS) - self.resting)}")
        end = time.monotonic() + REST_S
        while not self.wrong and not self.is_at_rest():
            if time.monotonic() > end:
                self.fail(f"{REST_S} s after the last client\n{self.who_is_there()}")
            time.sleep(0.2)
        time.sleep(2)
        if not self.wrong:
            s = Sample(self.pid)
            s.servers = len(self.gilmok.show("SERVERS"))
            s.kinds = memory_by_kind(self.gilmok)
            self.quiet.append(s)
            self.print_quiet(s)

    def print_quiet(self, s):
        total = sum((c for c in self.counts.values()), collections.Counter())
        warm = "" if s.at - self.begun >= WARM_UP else " (warm-up)"
        cells = [s.private, s.rss, s.descriptors, s.servers, s.threads, sum(s.kinds.values()) // 1024, total["answers"], total["connects"]]
        print(f"| {(s.at - self.begun) / 60:.1f}{warm} | {' | '.join(map(str, cells))} |", flush=True)

    def run(self):
        names = ["minute", "private dirty", "resident", "descriptors", "servers", "threads", "SHOW MEM", "answers", "connects"]
        print(f"At quiet points; memory in KB.\n\n| {' | '.join(names)} |\n|---|{'---:|' * (len(names) - 1)}", flush=True)
        self.start()
        trouble = Trouble(self.world)
        next_still = time.monotonic() + STILL_EVERY
        while self.age() < SECONDS and not self.wrong:
            self.drain(0.1)
            self.sample()
            trouble.tick()
            if time.monotonic() > next_still and not self.wrong:
                self.hold_still()
                self.still.clear()
                next_still = time.monotonic() + STILL_EVERY
        if not self.wrong:
            self.hold_still()  # and from here on nobody comes back
        self.over.set()
        self.drain(2)
        for p in self.processes:
            p.join(10)
            if p.is_alive():
                p.kill()
        self.drain(0.2)
        self.trouble = trouble.counts

    # ---- judgement ----

    def judge(self):
        steady = [s for s in self.quiet if s.at - self.begun >= WARM_UP]
        print(f"\nTrouble: {', '.join(f'{n} {c}' for n, c in sorted(self.trouble.items()))}.")
        print(f"Slow to come to rest: {', '.join(self.slow) or 'nobody'}.")
        for name, counts in self.counts.items():
            errors = ", ".join(f"{k[6:]} {c}" for k, c in sorted(counts.items()) if k.startswith("error "))
            print(f"{name}: {counts['answers']} answers, {counts['connects']} connects; errors: {errors or 'none'}.")
        if self.wrong:
            print(f"\nWRONG: {self.wrong[0]}")
            print(f"the soak ended after {self.age():.0f} s: {len(self.wrong)} wrong")
            return 1
        if len(steady) < 3:
            print("too short: less than three quiet points after the warm-up")
            return 1
        minutes = (steady[-1].at - steady[0].at) / 60
        rise, growth = slope(steady), steady[-1].private - steady[0].private
        descriptors = [s.descriptors - s.sockets for s in steady]
        peak = max(self.samples, key=lambda s: s.private)
        grown = {k: v - steady[0].kinds.get(k, 0) for k, v in steady[-1].kinds.items() if v != steady[0].kinds.get(k, 0)}
        print(f"Kinds of SHOW MEM that differ, last less first quiet point, bytes: {grown or 'none'}.")
        print(f"Peak: {peak.private} KB, {max(s.descriptors for s in self.samples)} descriptors.")
        is_flat = growth <= MIB and rise * minutes <= MIB and len(set(descriptors)) == len({s.threads for s in steady}) == 1
        total = sum((c for c in self.counts.values()), collections.Counter())
        print(
            f"{'passed' if is_flat else 'FAILED'}: {self.age() / 60:.0f} minutes, {total['answers']} answers; over {minutes:.0f} minutes "
            f"after the warm-up memory {growth:+d} KB (last less first), {rise:+.1f} KB a minute (least squares, {rise * minutes:+.0f} "
            f"KB in all); descriptors but sockets {min(descriptors)} to {max(descriptors)}"
        )
        return 0 if is_flat else 1


def main():
    world = worlds.World()
    soak = Soak(world)
    try:
        soak.run()
        status = soak.judge()
    finally:
        soak.over.set()
        for p in soak.processes:
            if p.is_alive():
                p.kill()
        with open(os.environ.get("SOAK_LOG", os.devnull), "w", encoding="utf-8") as f:
            f.write(world.gilmok.said())
        world.gilmok.close()
        world.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
