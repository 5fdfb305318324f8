#!/usr/bin/python3
"""The machine has no more of something: descriptors, or room on the disk. Who is in notices nothing, and it passes by itself."""

import os
import socket
import time

import harness
import pytest


def cpu_seconds(g):
    """Of the process, all threads."""
    with open(f"/proc/{g.process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(g):
    return len(os.listdir(f"/proc/{g.process.pid}/fd"))


LIMIT = 48


@pytest.fixture
def tight(start, toy):
    """A gilmok that may have few descriptors."""
    return start(
        toy,
        main=["client_auth = trust"],
        database=["pool_size = 2", "unknown_effects = trust"],
        under=["prlimit", f"--nofile={LIMIT}:{LIMIT}"],
    )


def crowd_before(g):
    """More connections than it can take; it has said so."""
    crowd = [socket.create_connection(("127.0.0.1", g.port), timeout=5) for _ in range(LIMIT + 20)]
    harness.wait_for(lambda: descriptors(g) >= LIMIT - 2, what="every descriptor in use")
    return crowd


def test_no_more_descriptors(tight):
    """Clients wait in the system's queue; who is in goes on; gilmok does not spin; then they come in."""
    g = tight
    inside = [g.login() for _ in range(4)]
    for c in inside:
        assert c.ask("select 1") == "select 1"
    crowd = crowd_before(g)
    began, spent = time.monotonic(), cpu_seconds(g)
    slowest = asked = 0
    while time.monotonic() - began < 2:
        for c in inside:
            at = time.monotonic()
            assert c.ask("select 1") == "select 1"
            slowest = max(slowest, time.monotonic() - at)
            asked += 1
        time.sleep(0.05)
    busy = time.monotonic() - began
    assert slowest < 0.5, slowest
    began, spent = time.monotonic(), cpu_seconds(g)
    time.sleep(1.5)
    share = (cpu_seconds(g) - spent) / (time.monotonic() - began)
    assert share < 0.1, f"{share:.2f} of a processor while it can accept nobody, after {asked} questions in {busy:.1f} s"
    for sock in crowd:
        sock.close()
    freed = time.monotonic()
    late = g.login()
    assert time.monotonic() - freed < 1.2 and late.ask("select 1") == "select 1"
    lines = [line for line in g.said().splitlines() if "open files" in line.lower()]
    assert 1 <= len(lines) < 20, "it is said now and then, not each time"
    for c in (*inside, late):
        c.end()


def test_a_log_on_a_full_disk_stops_nobody(start, toy):
    g = start(toy, main=["log_file = /dev/full", "log_level = debug"], database=["unknown_effects = trust"])
    with harness.Bystander(g):
        for _ in range(50):
            g.login().end()
    g.write("gilmok.conf", g.text.replace("/dev/full", f"{g.dir}/log"))
    assert not g.console("RELOAD").errors
    g.login().end()
    harness.wait_for(lambda: os.path.getsize(f"{g.dir}/log") > 0, what="the log where there is room")


@pytest.mark.parametrize("path", ["/proc/gilmok.log", "/nowhere/gilmok.log"])
def test_a_log_that_cannot_be_written_leaves_it_where_it_was(start, toy, path):
    g = start(toy, main=[f"log_file = {path}"])
    assert g.login().ask("in") == "in"
    assert f"cannot open log_file {path}" in g.said()
