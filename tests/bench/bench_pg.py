"""The PostgreSQL benchmark: cells x targets in alternating rounds; medians, intervals, ratios, bars.

The figure that counts is the proxy's CPU per query: client, proxy and server share the cores, so throughput says
mostly how much of them was left over."""
import argparse
import glob
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time

import pgclient
import proxies
import throttle
from verdicts import difference_of, print_verdicts, ratio_of

ENV = os.environ
PGBENCH = os.path.join(ENV["PG_BIN"], "pgbench")
SCALE = 10
BULK_ROWS, BULK_WIDTH = 200000, 1000
PEER = "pgbouncer"


def pgbench(target, *options, tls=False):
    env = dict(ENV, PGPASSWORD=proxies.PASSWORD, PGSSLMODE="require" if tls else "disable")
    command = [PGBENCH, "-n", "-h", "127.0.0.1", "-p", str(target.port), "-U", proxies.USER, *options, target.database]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=proxies.DIR, timeout=180)
    if done.returncode != 0:
        raise RuntimeError(f"{target.name}: {done.stderr[-400:]}")
    return done.stdout


def number(pattern, text):
    return float(re.search(pattern, text).group(1))


def percentile_99_ms(prefix):
    latencies = []
    for path in glob.glob(os.path.join(proxies.DIR, prefix + ".*")):
        with open(path, encoding="ascii") as f:
            latencies += [int(line.split()[2]) for line in f]
        os.unlink(path)
    latencies.sort()
    return latencies[int(len(latencies) * 0.99)] / 1000.0 if latencies else 0.0


FEW_TEXTS = "\\set aid random(1, 200)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"


def few_texts():
    """pgbench -S with texts that have been seen before; its own are a million, of which nearly all are new to a cache."""
    return ["-f", proxies.write("few_texts.sql", FEW_TEXTS)]


def select_cell(mode, clients, tls=False, script=None):
    def run(target, seconds):
        count = 0
        what = script() if script else ["-S"]
        while not count:  # pgbench's clock runs while its clients log in: on a stumbling machine nothing may be left of a short run
            before = target.cpu_us()
            out = pgbench(target, *what, "-M", mode, "-c", str(clients), "-j", "1", "-T", str(seconds),
                          "-l", "--sampling-rate=0.05", "--log-prefix=p99", tls=tls)
            cpu = target.cpu_us() - before
            count = number(r"actually processed: (\d+)", out)
        return {"cpu_us": cpu / count, "tps": number(r"tps = ([\d.]+)", out), "p99_ms": percentile_99_ms("p99")}
    return run


WORKER_SHARE = 0.12  # of a core: two of them leave most of two cores to four threads of pgbench and the server


def cores_cell(target, seconds):
    """As if cores were free: a worker is what runs out first. p99 is that of the throttling."""
    with throttle.Throttled(target, WORKER_SHARE):
        count = 0
        while not count:
            before = target.cpu_us()
            out = pgbench(target, "-S", "-M", "simple", "-c", "64", "-j", "4", "-T", str(seconds))
            cpu = target.cpu_us() - before
            count = number(r"actually processed: (\d+)", out)
    return {"cpu_us": cpu / count, "tps": number(r"tps = ([\d.]+)", out)}


def login_cell(tls=False):
    def run(target, seconds):
        before = target.cpu_us()
        out = pgbench(target, "-S", "-C", "-c", "8", "-j", "1", "-T", str(seconds), tls=tls)
        count = number(r"actually processed: (\d+)", out)
        return {"cpu_us": (target.cpu_us() - before) / count, "tps": number(r"tps = ([\d.]+)", out)}
    return run


def connect(target):
    return pgclient.Client(target.port, proxies.USER, proxies.PASSWORD, target.database)


def bulk_cell(target, _seconds):
    client = connect(target)
    before, start = target.cpu_us(), time.monotonic()
    total = sum(client.query("select * from bulk") for _ in range(3))
    took = time.monotonic() - start
    cpu = target.cpu_us() - before
    client.close()
    return {"cpu_s_per_gb": cpu / 1e6 / (total / 1e9), "mb_s": total / 1e6 / took}


CELLS = {f"{mode}-{clients}": select_cell(mode, clients) for mode in ("simple", "extended") for clients in (1, 8, 64)}
CELLS["prepared-64"] = select_cell("prepared", 64)
CELLS["seen-64"] = select_cell("simple", 64, script=few_texts)
CELLS["login"] = login_cell()
CELLS["bulk"] = bulk_cell
CELLS["workers-64"] = select_cell("simple", 64)
if throttle.can_throttle():
    CELLS["workers-cores-64"] = cores_cell
CELLS["tls-simple-64"] = select_cell("simple", 64, tls=True)
CELLS["tls-extended-64"] = select_cell("extended", 64, tls=True)
CELLS["tls-login"] = login_cell(tls=True)
SPECIAL = {"gilmok-2", "gilmok-tls"}


def takes_part(cell, target):
    """Which targets a cell compares."""
    if cell.startswith("workers"):
        return target.name in ("gilmok", "gilmok-2")
    if cell.startswith("tls"):
        return target.name in ("gilmok-tls", PEER, "pgbouncer-new")
    if cell.startswith("prepared") and target.name == PEER:
        return False  # this old one knows no prepared statements in transaction mode
    return target.name not in SPECIAL


def measure_syscalls(target, mode):
    """Counted by perf over a whole run, divided by the run's own transactions. The 64 logins are in it: below 0.02 per query."""
    perf = subprocess.Popen(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", ",".join(map(str, target.pids()))],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    out = pgbench(target, "-S", "-M", mode, "-c", "64", "-j", "1", "-T", "5")
    perf.send_signal(2)
    count = perf.communicate()[1].strip().split(",")[0]
    return float(count) / number(r"actually processed: (\d+)", out) if count.isdigit() else None


def measure_all_syscalls(targets, is_measured):
    found = {}
    print("\nsystem calls per query, 64 clients")
    for target in targets:
        for mode in ("simple", "extended", "prepared"):
            if target.pid and is_measured(mode, target):
                count = found[(target.name, mode)] = measure_syscalls(target, mode)
                print(f"  {mode:9} {target.name:14} " + (f"{count:.2f}" if count else "perf cannot count"))
    return found


def idle_memory(target):
    """Kilobytes of resident memory that one idle, logged-in client adds."""
    connect(target).close()
    time.sleep(0.3)
    base, clients, result = target.rss_kb(), [], {}
    for goal in (1000, 5000, 10000):
        while len(clients) < goal:
            clients.append(connect(target))
        time.sleep(0.5)
        result[goal] = (target.rss_kb() - base) / goal
    for client in clients:
        client.close()
    time.sleep(0.5)
    return result


def growth_while(target, work):
    """How much resident memory grows at most while `work` (a generator) goes on, in KB."""
    time.sleep(0.3)
    base, most = target.rss_kb(), 0
    for _ in work:
        most = max(most, target.rss_kb() - base)
    return most


def slow_reader(target, seconds=60):
    client = connect(target)
    client.sock.setsockopt(1, 8, 4096)  # a small receive buffer: the proxy must feel the slowness
    client.send_query("select repeat('x', 1000000) from generate_series(1, 1074)")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.sock.recv(1024)
        yield
        time.sleep(1)
    client.sock.close()


def huge_row(target):
    client = connect(target)
    client.send_query(f"select repeat('x', {256 << 20})")
    yield
    client.drain()
    yield
    client.close()


def huge_parameter(target):
    client = connect(target)
    yield
    client.query_with_parameter("select length($1::text)", 256 << 20)
    yield
    client.close()


def memory_report(target):
    print(f"\nmemory of {target.name} (KB of resident memory)")
    idle = idle_memory(target)
    print("  idle client: " + ", ".join(f"{kb:.2f} KB each at {n}" for n, kb in idle.items()))
    report = {"idle_kb": idle}
    if target.name == "gilmok":
        for work in (slow_reader, huge_row, huge_parameter):
            fresh = proxies.fresh_gilmok(work.__name__)
            connect(fresh).close()
            report[work.__name__ + "_kb"] = growth_while(fresh, work(fresh))
            print(f"  {work.__name__}: grew by at most {report[work.__name__ + '_kb']} KB")
            fresh.stop()
    return report


def prepare():
    direct = proxies.Target("direct", proxies.PRIMARY_PORT)
    pgbench(direct, "-i", "-q", "-s", str(SCALE))
    client = connect(direct)
    client.query("create table if not exists bulk (line text)")
    client.query(f"insert into bulk select repeat('x', {BULK_WIDTH}) from generate_series(1, {BULK_ROWS})")
    client.query("vacuum freeze analyze")
    client.close()


def interval(values):
    """Median and the two values that enclose the middle half."""
    ordered = sorted(values)
    n = len(ordered)
    return statistics.median(ordered), ordered[n // 4], ordered[(3 * n - 1) // 4]


def print_cell(name, results, targets, peer_name=PEER):
    print(f"\n{name}")
    figures = list(next(iter(results.values()))[0])
    for figure in figures:
        peer = [r[figure] for r in results.get(peer_name, [])]
        for target in targets:
            if target.name not in results:
                continue
            values = [r[figure] for r in results[target.name]]
            if target.name == "direct" and figure.startswith("cpu"):
                continue
            middle, low, high = interval(values)
            ratio = ""
            if peer and target.name != peer_name:
                pairs = [v / p for v, p in zip(values, peer) if p]
                ratio = f"  {statistics.median(pairs):.3f} x {peer_name}" if pairs else ""
            print(f"  {figure:13} {target.name:14} {middle:10.2f}  [{low:.2f} .. {high:.2f}]{ratio}")


def print_bars(results, syscalls, memory):
    bars = []
    for mode in ("simple", "extended"):
        cell = f"{mode}-64"
        bars += [(f"{cell}: CPU per query / {PEER}", ratio_of(results, cell, "cpu_us", "gilmok", PEER), "<=", 0.95),
                 (f"{cell}: tps / {PEER}", ratio_of(results, cell, "tps", "gilmok", PEER), ">=", 1.0),
                 (f"{cell}: p99 / {PEER}", ratio_of(results, cell, "p99_ms", "gilmok", PEER), "<=", 1.0),
                 (f"{cell}: system calls per query", syscalls.get(("gilmok", mode)), "<=", 4.2)]
    bars += [("prepared-64: CPU per query / haproxy", ratio_of(results, "prepared-64", "cpu_us", "gilmok", "haproxy"), "<=", 1.2),
             ("prepared-64: system calls per query", syscalls.get(("gilmok", "prepared")), "<=", 4.2)]
    bars += [("a text seen first, more CPU us than one seen before",
              difference_of(results, "cpu_us", "simple-64", "seen-64", "gilmok"), "<=", 2.0)]
    bars += [(f"login: CPU per connection / {PEER}", ratio_of(results, "login", "cpu_us", "gilmok", PEER), "<=", 1.0),
             ("bulk: CPU per GB / haproxy", ratio_of(results, "bulk", "cpu_s_per_gb", "gilmok", "haproxy"), "<=", 1.2)]
    bars += [("two workers: CPU per query / one", ratio_of(results, "workers-64", "cpu_us", "gilmok-2", "gilmok"), "<=", 1.2),
             ("two workers, cores free: CPU per query / one", ratio_of(results, "workers-cores-64", "cpu_us", "gilmok-2", "gilmok"), "<=", 1.2),
             ("two workers, cores free: tps / one", ratio_of(results, "workers-cores-64", "tps", "gilmok-2", "gilmok"), ">=", 1.4)]
    for cell in ("tls-simple-64", "tls-extended-64", "tls-login"):
        bars.append((f"{cell}: CPU / {PEER}", ratio_of(results, cell, "cpu_us", "gilmok-tls", PEER), "<=", 1.0))
    mine = memory.get("gilmok", {})
    bars += [("idle client at 1,000, KB", mine.get("idle_kb", {}).get(1000), "<=", 1.5),
             ("idle client at 5,000, KB", mine.get("idle_kb", {}).get(5000), "<=", 1.5),
             ("idle client at 10,000, KB", mine.get("idle_kb", {}).get(10000), "<=", 1.5),
             ("1 GiB to a slow reader, growth in KB", mine.get("slow_reader_kb"), "<=", 1024),
             ("256 MiB row, growth in KB", mine.get("huge_row_kb"), "<=", 1024),
             ("256 MiB parameter, growth in KB", mine.get("huge_parameter_kb"), "<=", 1024)]
    return print_verdicts(bars)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default=",".join(list(CELLS) + ["syscalls", "memory"]))
    parser.add_argument("--targets", default="direct,gilmok,gilmok-2,gilmok-tls,pgbouncer,pgbouncer-new,haproxy")
    parser.add_argument("--json")
    args = parser.parse_args()
    wanted = args.only.split(",")
    targets = proxies.start_all(args.targets.split(","))
    results, syscalls, memory = {}, {}, {}
    try:
        prepare()
        cells = [c for c in CELLS if c in wanted]
        chance = random.Random(1)  # the order is not always the same: what one target leaves behind must not meet the same next one
        for number_of_round in range(args.rounds if cells else 0):
            for cell in cells:
                for target in chance.sample(targets, len(targets)):
                    if not takes_part(cell, target):
                        continue
                    results.setdefault(cell, {}).setdefault(target.name, []).append(CELLS[cell](target, args.seconds))
            print(f"round {number_of_round + 1} of {args.rounds}", file=sys.stderr, flush=True)
        for cell in cells:
            print_cell(cell, results[cell], targets)
        if "syscalls" in wanted:
            syscalls = measure_all_syscalls(targets, takes_part)
        if "memory" in wanted:
            for target in targets:
                if target.pid and target.name != "haproxy" and target.name not in SPECIAL:
                    memory[target.name] = memory_report(target)
        missed = print_bars(results, syscalls, memory)
    finally:
        for target in targets:
            target.stop()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"cells": results, "syscalls": {" ".join(k): v for k, v in syscalls.items()}, "memory": memory}, f)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
