"""How many instructions a query costs in user space: exact where clocks are noisy.

gilmok runs under valgrind, which writes down what each thread has done; the worker's count of two runs that differ in nothing but
how many queries they send, divided by the difference. So logging in is not in it, nor what other threads do by the clock."""
import glob
import os
import re
import shutil
import subprocess

import bench_pg
import proxies

CLIENTS, FEW, MANY = 4, 250, 1250  # queries of each client
MODES = ("simple", "extended", "prepared")
PATIENCE = 60
OWN_TMP = ["/usr/bin/env", f"TMPDIR={proxies.DIR}"]  # both talk there; the servers' user may have no other place to write


def dump(target):
    """Everything that was counted since the last time: instructions of each thread, by the name of the file that says more."""
    prefix = os.path.join(proxies.DIR, f"{target.name}.out")
    before = set(glob.glob(prefix + "*"))
    command = [*OWN_TMP, "callgrind_control", "-d", str(target.pid)]
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={os.environ['SERVER_USER']}", f"--regid={os.environ['SERVER_USER']}", "--init-groups", *command]
    subprocess.run(command, check=True, capture_output=True, cwd=proxies.DIR, timeout=PATIENCE)
    counts = {}
    for path in set(glob.glob(prefix + "*")) - before:
        with open(path, encoding="utf-8", errors="replace") as f:
            found = re.search(r"^(?:totals|summary): (\d+)", f.read(), re.MULTILINE)
        counts[path] = int(found.group(1)) if found else 0
    return counts


def worker_count(target, mode, queries, seed, keep=None):
    """Of the thread that has done most: with one worker it is that one."""
    dump(target)
    bench_pg.pgbench(target, "-S", "-M", mode, "-c", str(CLIENTS), "-j", "1", "-t", str(queries), f"--random-seed={seed}")
    path, count = max(dump(target).items(), key=lambda item: item[1])
    if keep:
        shutil.copy(path, keep)
    return count


def measure(database, wait_until_ready):
    """Instructions per query, by mode, of a fresh gilmok."""
    name = f"callgrind-{database}"
    out = os.path.join(proxies.DIR, name + ".out")
    wrapper = [*OWN_TMP, "valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
    target = proxies.fresh_gilmok(name, wrapper=wrapper, patience=PATIENCE)
    if not target:
        return {}
    target.database = database
    counts = {}
    try:
        wait_until_ready(target)
        for number, mode in enumerate(MODES):
            worker_count(target, mode, FEW, 100 + number)  # whatever is made once
            few = worker_count(target, mode, FEW, 200 + number)
            keep = os.environ.get("CALLGRIND_KEEP") and f"{os.environ['CALLGRIND_KEEP']}.{database}.{mode}"
            many = worker_count(target, mode, MANY, 300 + number, keep)
            counts[mode] = (many - few) / (CLIENTS * (MANY - FEW))
    finally:
        target.stop()
    return counts
