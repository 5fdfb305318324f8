"""sysbench's OLTP scripts directly, through HAProxy (TCP mode, one thread) and through gilmok (one worker), in alternating rounds.

gilmok has 16 server connections for all (pool_mode = transaction), or with BENCH_MYSQL_MODE=session one for each client, as HAProxy.
What counts is the proxy's CPU time for a query; HAProxy looks at nothing, and is the floor."""
import argparse
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time

import proxies
from verdicts import print_verdicts, ratio_of

ENV = os.environ
SCRIPTS = {"point": "oltp_point_select", "read": "oltp_read_only", "write": "oltp_read_write"}
TABLES, ROWS = 4, 100000


def sysbench(target, script, *words, pinned=False):
    command = ["sysbench", script, "--db-driver=mysql", "--mysql-host=127.0.0.1", f"--mysql-port={target.port}", f"--mysql-user={proxies.USER}",
               f"--mysql-password={proxies.PASSWORD}", f"--mysql-db={proxies.DATABASE}", f"--tables={TABLES}", f"--table-size={ROWS}", *words]
    pin = ["taskset", "-c", "0"] if pinned else []
    done = subprocess.run([*pin, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{target.name}: {done.stdout[-2000:]}{done.stderr}")
    return done.stdout


def run_cell(target, script, mode, threads, seconds):
    before = target.cpu_us() if target.pid else 0
    out = sysbench(target, SCRIPTS[script], f"--threads={threads}", f"--time={seconds}", f"--db-ps-mode={mode}", "run", pinned=threads == 1)
    queries = int(re.search(r"queries:\s+(\d+)", out).group(1))
    cpu = (target.cpu_us() - before) / queries if target.pid else None
    return {"cpu_us": cpu, "qps": queries / seconds, "p95_ms": float(re.search(r"95th percentile:\s+([\d.]+)", out).group(1))}


def cell(script, mode, threads):
    return lambda target, seconds: run_cell(target, script, mode, threads, seconds)


CELLS = {f"{s}-{'prepared' if m == 'auto' else 'text'}-{n}": cell(s, m, n)
         for s in SCRIPTS for m in ("disable", "auto") for n in (1, 8, 64)}  # fmt: skip


def median(results, figure):
    values = [r[figure] for r in results if r[figure] is not None]
    return statistics.median(values) if values else None


def print_cell(name, by_target):
    print(f"\n{name}")
    for target, results in by_target.items():
        cpu = median(results, "cpu_us")
        shown = f"{cpu:7.2f}" if cpu is not None else "      -"
        print(f"  {target:8} CPU {shown} us/query   {median(results, 'qps'):9.0f} queries/s   p95 {median(results, 'p95_ms'):7.2f} ms")


def idle_bytes(target, count=1000):
    """What a client costs that has asked something and waits: the growth of resident memory, user space alone."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "script"))
    import mywire  # pylint: disable=import-outside-toplevel

    def clients(n):
        made = [mywire.Client(target.port, proxies.USER, proxies.PASSWORD, proxies.DATABASE, timeout=30) for _ in range(n)]
        for c in made:
            c.command(mywire.QUERY + b"select 1")
        return made

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    first = clients(200)  # what grows once
    before = target.rss_kb()
    more = clients(count)
    time.sleep(1)
    grown = (target.rss_kb() - before) * 1024 / count
    for c in first + more:
        c.close()
    return grown


def print_bars(results, idle):
    ratios = {name: ratio_of(results, name, "cpu_us", "gilmok", "haproxy") for name in results}
    known = [r for r in ratios.values() if r]
    bars = [("CPU per query, gilmok / haproxy, median over cells", statistics.median(known) if known else None, "<=", 1.15)]
    bars += [(f"{name}: CPU per query, gilmok / haproxy", ratio, "<=", 1.3) for name, ratio in ratios.items()]
    if idle is not None:
        bars.append(("an idle client, bytes", idle, "<=", 2560))
    return print_verdicts(bars)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CELLS))
    parser.add_argument("--targets", default="direct,gilmok,haproxy")
    parser.add_argument("--json")
    args = parser.parse_args()
    targets = proxies.start_mysql(args.targets.split(","))
    results, chance = {}, random.Random(1)
    cells = [c for c in CELLS if c in args.only.split(",")]
    try:
        sysbench(targets[0], "oltp_read_write", "prepare")
        for number in range(args.rounds):
            for name in cells:
                for target in chance.sample(targets, len(targets)):
                    results.setdefault(name, {}).setdefault(target.name, []).append(CELLS[name](target, args.seconds))
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
        for name, by_target in results.items():
            print_cell(name, by_target)
        shared = [t for t in targets if t.name == "gilmok" and ENV.get("BENCH_MYSQL_MODE") != "session"]
        missed = print_bars(results, idle_bytes(shared[0]) if shared else None)
    finally:
        for target in targets:
            target.stop()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(results, f)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
