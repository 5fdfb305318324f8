"""Free cores on a machine that has none: each worker thread gets a small part of a core, so that it is what runs out.

Two cores carry clients, servers and proxy; a second worker can show what it adds only while something is left over.
Needs root and the cpu controller of control groups (version 1, which can divide the threads of a process)."""
import glob
import os

ROOT = "/sys/fs/cgroup/cpu"
PERIOD_US = 10000  # short: what waits while a worker may not run is little


def worker_threads(pid):
    threads = []
    for path in glob.glob(f"/proc/{pid}/task/*/comm"):
        with open(path, encoding="ascii") as f:
            if f.read().startswith("worker"):
                threads.append(int(path.split("/")[4]))
    return threads


class Throttled:
    """While it is entered, every worker of the target has `share` of a core."""

    def __init__(self, target, share):
        self.target, self.share, self.groups = target, share, []

    def __enter__(self):
        for i, thread in enumerate(worker_threads(self.target.pid)):
            group = os.path.join(ROOT, f"gilmok-bench-{os.getpid()}-{i}")
            os.mkdir(group)
            self.groups.append(group)
            self.write(group, "cpu.cfs_period_us", PERIOD_US)
            self.write(group, "cpu.cfs_quota_us", int(PERIOD_US * self.share))
            self.write(group, "tasks", thread)
        return self

    def __exit__(self, *_):
        for group in self.groups:
            for thread in open(os.path.join(group, "tasks"), encoding="ascii").read().split():
                self.write(ROOT, "tasks", thread)
            os.rmdir(group)

    @staticmethod
    def write(group, name, value):
        with open(os.path.join(group, name), "w", encoding="ascii") as f:
            f.write(str(value))


def can_throttle():
    return os.path.exists(os.path.join(ROOT, "tasks")) and os.access(ROOT, os.W_OK)
