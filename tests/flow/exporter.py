#!/usr/bin/python3
"""Debian's prometheus-pgbouncer-exporter, unchanged, against gilmok: every metric that it knows has a value."""

import os
import re
import subprocess
import urllib.request

import pytest

import flowtools
import harness
from flowtools import APP_DB, APP_USER, connect, value

EXPORTER = "/usr/bin/prometheus-pgbouncer-exporter"
SAMPLE = re.compile(r"^(pgbouncer_\w+)(?:\{([^}]*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Exporter:
    def __init__(self, g, user):
        self.port = harness.free_port()
        self.log = os.path.join(g.dir, "exporter.log")
        env = {"PATH": "/usr/bin:/bin", "PGPASSWORD": g.users[user], "PYTHONDONTWRITEBYTECODE": "1"}
        options = {"host": "127.0.0.1", "port": self.port, "pgbouncer-host": "127.0.0.1", "pgbouncer-port": g.port, "pgbouncer-user": user}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*g.prefix, EXPORTER, *(f"--{k}={v}" for k, v in options.items())],
                cwd="/", env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        harness.wait_for(self.answers, seconds=15, what="the exporter")

    def answers(self):
        assert self.process.poll() is None, self.said()
        try:
            return self.scrape()
        except OSError:
            return None

    def scrape(self):
        """{(metric, labels): value}"""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            assert answer.status == 200
            samples = {}
            for line in answer.read().decode().splitlines():
                found = SAMPLE.match(line)
                if found:
                    key = (found[1], *sorted(LABEL.findall(found[2] or "")))
                    assert key not in samples, f"{key} stands twice"
                    samples[key] = float(found[3])
            return samples

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def close(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(params=[1, 3])
def scraped(request):
    """Two databases; it tells them apart by their names on the server."""
    if not os.path.exists(EXPORTER):
        pytest.skip("prometheus-pgbouncer-exporter is not installed")
    g = harness.Gilmok(
        flowtools.PRIMARY_PORT, main=[f"workers = {request.param}"], database=["pool_size = 12"],
        tail="[database second]\ncluster = main\nserver_database = postgres\n", users={APP_USER: flowtools.APP_PASSWORD},
    )  # fmt: skip
    try:
        exporter = Exporter(g, "stats")
        yield g, exporter
        exporter.close()
    finally:
        g.close()


def test_every_metric_has_a_value(scraped):
    g, exporter = scraped
    clients = [connect(g, options=f"-c geqo_threshold={12 + i % 2}") for i in range(6)]
    for c in clients:
        for _ in range(5):
            value(c, "select 1")
    clients[0].execute("begin")
    got = exporter.scrape()
    shop, pool = ("database", APP_DB), (("database", APP_DB), ("user", APP_USER))
    assert got["pgbouncer_requests_total", shop] == 31
    assert got["pgbouncer_received_bytes_total", shop] > 100 and got["pgbouncer_sent_bytes_total", shop] > 100
    assert got["pgbouncer_query_microseconds_total", shop] > 0
    assert got["pgbouncer_active_clients", *pool] == 6 and got["pgbouncer_waiting_clients", *pool] == 0
    assert got["pgbouncer_pool_size", shop] == 12 and got["pgbouncer_reserve_pool", shop] == 0
    assert got["pgbouncer_pool_size", ("database", "postgres")] == 20
    assert got["pgbouncer_databases",] == 2 and got["pgbouncer_pools",] == 1
    assert got["pgbouncer_used_clients",] == 7 and 1 <= got["pgbouncer_used_servers",] <= 6
    for name in ("users", "free_clients", "login_clients", "free_servers", "dns_names", "dns_zones", "dns_queries", "dns_pending"):
        assert got[f"pgbouncer_{name}",] >= 0
    for c in clients:
        value(c, "select 1")
    assert exporter.scrape()["pgbouncer_requests_total", shop] >= 37
    assert "Traceback" not in exporter.said() and "Error" not in exporter.said()
    for c in clients:
        c.close()


def test_it_goes_on_when_databases_are_paused(scraped):
    g, exporter = scraped
    with connect(g) as c:
        value(c, "select 1")
        assert g.console("PAUSE").tags == ["PAUSE"]
        assert exporter.scrape()["pgbouncer_used_servers",] == 0
        assert g.console("RESUME").tags == ["RESUME"]
        value(c, "select 1")
    assert "Traceback" not in exporter.said()
