"""What sending reads to replicas costs: pooling alone, pooling before replicas, the split, and pgpool-II; then the instructions.

`pooled`, `replicas` and `split` are databases of one gilmok with the same server database behind them. All texts of the cells but
`mix` only read; `split` and pgpool-II send them to the two replicas, as `replicas` does without looking at them. A timing is
disturbed by whatever else the machine does; the instructions that callgrind counts are not, and they decide."""
import argparse
import json
import os
import random
import subprocess
import sys
import time

import bench_pg
import callgrind
import proxies
from verdicts import print_verdicts, ratio_of

ENV = os.environ
PEER = "pgpool"
MODES = ("simple", "extended", "prepared")
READ = "\\set aid random(1, 100000 * :scale)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
WRITE = ("\\set aid random(1, 100000 * :scale)\n\\set delta random(-5000, 5000)\n"
         "UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;\n")  # fmt: skip


def mix():
    """Nine reads to one write, each a transaction of its own."""
    return ["-f", proxies.write("read.sql", READ) + "@9", "-f", proxies.write("write.sql", WRITE) + "@1", "-s", str(bench_pg.SCALE)]


CELLS = {f"{mode}-64": bench_pg.select_cell(mode, 64) for mode in MODES}
CELLS["seen-64"] = bench_pg.select_cell("simple", 64, script=bench_pg.few_texts)
CELLS["mix-64"] = bench_pg.select_cell("simple", 64, script=mix)
CELLS["mix-prepared-64"] = bench_pg.select_cell("prepared", 64, script=mix)


def takes_part(cell, target):
    return not (cell.startswith("mix") and target.name == "replicas")  # they take no writes


# ---- is it what it says? -------------------------------------------------------------------------------------------------


def psql(target, sql):
    env = dict(ENV, PGPASSWORD=proxies.PASSWORD, PGSSLMODE="disable")
    command = [os.path.join(ENV["PG_BIN"], "psql"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
               "-p", str(target.port), "-U", proxies.USER, "-d", target.database, "-c", sql]  # fmt: skip
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()


def wait_for(is_so, what, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError(f"waited for {what}")
        time.sleep(0.1)


def wait_for_reads(target):
    """Those of a split stay on the primary until it knows who is who, and what the names of the database stand for."""
    ports = {ENV[name + "_PORT"] for name in (["PRIMARY"] if target.database == "pooled" else ["REPLICA1", "REPLICA2"])}

    def is_there():
        try:
            return psql(target, "select here()") in ports
        except subprocess.CalledProcessError:
            return False

    wait_for(is_there, f"reads of {target.name} where they belong")


def served(port):
    """Transactions of the database so far, by one server."""
    command = [os.path.join(ENV["PG_BIN"], "psql"), "-X", "-A", "-t", "-h", ENV["SUPERUSER_SOCKET_DIR"], "-p", port,
               "-U", ENV["SUPERUSER_USER"], "-d", "postgres", "-c",
               f"select xact_commit from pg_stat_database where datname = '{proxies.DATABASE}'"]  # fmt: skip
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def shares(target, cell):
    """Which part of a cell's statements replicas have answered. Servers count when a connection ends, or has nothing to do."""
    ports = [ENV[name + "_PORT"] for name in ("PRIMARY", "REPLICA1", "REPLICA2")]
    time.sleep(1.5)
    before = [served(port) for port in ports]
    CELLS[cell](target, 2)
    time.sleep(1.5)
    primary, *replicas = (served(port) - old for port, old in zip(ports, before))
    return sum(replicas) / max(1, primary + sum(replicas))


def prepare():
    direct = proxies.Target("direct", proxies.PRIMARY_PORT)
    bench_pg.pgbench(direct, "-i", "-q", "-s", str(bench_pg.SCALE))
    psql(direct, "create function here() returns int language plpgsql stable as 'begin return inet_server_port(); end'")
    psql(direct, "vacuum freeze analyze")
    for name in ("REPLICA1", "REPLICA2"):
        there = proxies.Target(name, int(ENV[name + "_PORT"]))
        end = psql(direct, "select pg_current_wal_lsn()")
        wait_for(lambda: psql(there, f"select pg_last_wal_replay_lsn() >= '{end}'") == "t", f"{name} to have it all")  # noqa: B023


# ---- the report ----------------------------------------------------------------------------------------------------------


def print_ratio(results, cell, figure, name, other):
    ratio = ratio_of(results, cell, figure, name, other)
    if ratio:
        print(f"  {cell:16} {name} / {other:9} {figure:8} {ratio:.3f}")


def print_ratios(results):
    print("\nratios (medians of pairs)")
    for cell in results:
        for figure in ("cpu_us", "tps", "p99_ms"):
            print_ratio(results, cell, figure, "split", "pooled")
            print_ratio(results, cell, figure, "split", "replicas")
            print_ratio(results, cell, figure, PEER, "split")


def print_bars(results, syscalls, instructions, at_replicas):
    bars = []
    for mode in MODES:
        mine = instructions.get(mode, {})
        for other in ("pooled", "replicas"):
            ratio = mine["split"] / mine[other] if "split" in mine and other in mine else None
            bars.append((f"{mode}: split / {other}, instructions per query", ratio, "<=", 1.1))
    for mode in MODES:
        for other in ("pooled", "replicas"):
            bars.append((f"{mode}-64: split / {other}, CPU per query", ratio_of(results, f"{mode}-64", "cpu_us", "split", other),
                         "<=", 1.1))  # fmt: skip
    for mode, bar in (("simple", 2.5), ("extended", 6.0)):
        bars.append((f"{mode}-64: {PEER} / split, CPU per query", ratio_of(results, f"{mode}-64", "cpu_us", PEER, "split"),
                     ">=", bar))  # fmt: skip
    for mode in MODES:
        bars.append((f"{mode}-64: split, system calls per query", syscalls.get(("split", mode)), "<=", 4.2))
        bars.append((f"{mode}-64: split, part at replicas", at_replicas.get(("split", f"{mode}-64")), ">=", 0.95))
    return print_verdicts(bars)


def run_cells(cells, targets, rounds, seconds):
    results = {}
    chance = random.Random(1)
    for number_of_round in range(rounds if cells else 0):
        for cell in cells:
            for target in chance.sample(targets, len(targets)):
                if takes_part(cell, target):
                    results.setdefault(cell, {}).setdefault(target.name, []).append(CELLS[cell](target, seconds))
        print(f"round {number_of_round + 1} of {rounds}", file=sys.stderr, flush=True)
    return results


def measure_shares(cells, targets):
    print("\npart of the statements that replicas have answered")
    found = {}
    for cell in cells:
        for target in targets:
            if target.name in ("split", PEER):
                found[(target.name, cell)] = shares(target, cell)
                print(f"  {cell:16} {target.name:10} {found[(target.name, cell)]:.3f}")
    return found


def measure_instructions(names):
    """By mode and database."""
    found = {}
    print("\ninstructions of the worker per query (callgrind, four clients, difference of 4,000 queries)")
    for name in names:
        for mode, count in callgrind.measure(name, wait_for_reads).items():
            found.setdefault(mode, {})[name] = count
    for mode, mine in found.items():
        print(f"  {mode:9} " + "  ".join(f"{name} {count:,.0f}" for name, count in mine.items()))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default=",".join([*CELLS, "shares", "syscalls", "instructions"]))
    parser.add_argument("--targets", default="pooled,replicas,split,pgpool")
    parser.add_argument("--json")
    args = parser.parse_args()
    wanted = args.only.split(",")
    cells = [c for c in CELLS if c in wanted]
    proxies.make_dir()
    prepare()
    targets = proxies.start_split(args.targets.split(","))
    results, syscalls, instructions, at_replicas = {}, {}, {}, {}
    try:
        for target in targets:
            if target.name != PEER:
                wait_for_reads(target)
        results = run_cells(cells, targets, args.rounds, args.seconds)
        for cell in results:
            bench_pg.print_cell(cell, results[cell], targets, PEER)
        print_ratios(results)
        if "shares" in wanted:
            at_replicas = measure_shares(cells or CELLS, targets)
        if "syscalls" in wanted:
            syscalls = bench_pg.measure_all_syscalls(targets, takes_part)
        if "instructions" in wanted:
            instructions = measure_instructions([t.name for t in targets if t.name != PEER])
        missed = print_bars(results, syscalls, instructions, at_replicas)
    finally:
        for target in targets:
            target.stop()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"cells": results, "syscalls": {" ".join(k): v for k, v in syscalls.items()}, "instructions": instructions,
                       "at_replicas": {" ".join(k): v for k, v in at_replicas.items()}}, f)  # fmt: skip
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
