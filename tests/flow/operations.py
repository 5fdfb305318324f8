#!/usr/bin/python3
"""What operators do: console, reload, shutdown, restarts of the server, wrong configurations."""

import os
import signal
import socket
import subprocess
import tempfile
import time

import psycopg
import pytest

import flowtools
import harness
import pgwire
from flowtools import APP_DB, APP_USER, connect, in_threads, superuser, value

# ---- the console ----


def test_everything_that_show_help_names_works(gilmok):
    verbs = gilmok.console("SHOW HELP").rows
    assert {"SHOW POOLS", "SHOW CLIENTS", "SHOW SERVERS", "SHOW STATS", "SHOW VERSION", "RELOAD"} <= {v[0] for v in verbs}
    for verb, needs, meaning in verbs:
        assert needs in ("admin", "stats") and meaning
        if verb.startswith("SHOW"):
            got = gilmok.console(f"  {verb.lower()} ;")
            assert got.tags == ["SHOW"] and not got.errors, verb
            assert all(len(r) == len(got.names) for r in got.rows), verb


def test_what_the_console_does_not_know(gilmok):
    c = gilmok.login(user="boss", password="boss-password", database="gilmok")
    for sql in ("select 2", "SHOW NOTHING", "x" * 5000, "show pools; show clients", "SHOW POOLS now", "PAUSE one two", 'PAUSE "open', "DISABLE"):
        got = c.query(sql)
        assert got.errors[0].sqlstate == "42601" and "SHOW HELP" in got.errors[0].fields["H"] and got.status == "I", sql
    for empty in (" ; ", "-- ping", ""):
        assert c.query(empty).types == ["I", "Z"]
    assert c.query("show version").rows[0][0].startswith("gilmok ")


def test_show_clients_tells_who_holds_what(gilmok):
    c = connect(gilmok)
    with c.transaction():
        value(c, "select 1")
        held = [r for r in gilmok.show("CLIENTS") if r["held_by"]]
        assert len(held) == 1 and (held[0]["user"], held[0]["database"], held[0]["held_by"]) == (APP_USER, APP_DB, "transaction")
        assert (held[0]["state"], held[0]["phase"]) == ("active", "held")
        server = gilmok.show("SERVERS", id=held[0]["server_id"])[0]
        assert server["link"] == held[0]["ptr"] and server["ptr"] == held[0]["link"] and server["state"] == "active"
        assert server["remote_pid"] == held[0]["server_pid"] == str(value(c, "select pg_backend_pid()"))
        assert held[0]["id"] == str(c.info.backend_pid)
    harness.wait_for(lambda: gilmok.show("CLIENTS", id=held[0]["id"])[0]["server_pid"] is None, what="a client that holds none")
    c.close()


# ---- reload ----


def test_reload_by_signal_and_by_console(start):
    g = start()
    c = connect(g)
    for number, reload in enumerate((lambda: g.process.send_signal(signal.SIGHUP), lambda: g.console("RELOAD"))):
        name = f"added{number}"
        g.text += f"[database {name}]\ncluster = main\nserver_database = {APP_DB}\n"
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            connect(g, dbname=name)
        g.write("gilmok.conf", g.text)
        reload()
        harness.wait_for(lambda: f"reloaded {g.conf}" in g.said() and can_connect(g, name), what="the new database")
        assert value(c, "select 1") == 1


def can_connect(g, dbname):
    try:
        connect(g, dbname=dbname).close()
        return True
    except psycopg.OperationalError:
        return False


def test_reload_of_a_broken_file_changes_nothing(start):
    g = start()
    c = connect(g)
    g.write("gilmok.conf", g.text + "[database broken]\ncluster = nowhere\npool_size = many\n")
    got = g.console("RELOAD")
    assert got.errors and "gilmok.conf" in str(got.errors[0]) and "Nothing was changed" in got.errors[0].fields["H"]
    g.process.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: g.said().count("reload refused") == 2, what="the log's line")
    assert value(c, "select 1") == 1
    with connect(g) as new:
        assert value(new, "select 2") == 2


def test_reload_changes_passwords_and_pool_sizes(start):
    g = start(pool_size=1)
    before = connect(g)
    g.write("gilmok.conf", g.text.replace("pool_size = 1", "pool_size = 3"))
    g.write("users.txt", f'"{APP_USER}" "{flowtools.APP_PASSWORD}"\n"boss" "new-password"\n"stats" "x"\n')
    assert g.console("RELOAD").tags == ["RELOAD"]
    with pytest.raises(pgwire.PgError):
        g.console("SHOW VERSION")
    pids = in_threads(3, lambda i: value(connect(g), "select pg_backend_pid() from pg_sleep(0.2)"))
    assert len(set(pids)) == 3
    assert value(before, "select 1") == 1


def test_reload_under_load_loses_nothing(start):
    g = start()
    over = []

    def work(i):
        if i == 0:
            for n in range(20):
                g.write("gilmok.conf", g.text if n % 2 else g.text + "[nonsense\n")
                g.process.send_signal(signal.SIGHUP)
                time.sleep(0.03)
            over.append(True)
            return
        with connect(g) as c:
            n = 0
            while not over:
                n += 1
                assert value(c, "select %s::text", (f"{i} {n}",)) == f"{i} {n}"

    in_threads(7, work)


# ---- the end ----


def test_sigterm_lets_transactions_end(start):
    g = start()
    idle, busy = connect(g), connect(g)
    value(idle, "select 1")
    busy.execute("begin")
    value(busy, "select 1")
    g.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert g.is_alive() and not g.listens()
    assert value(busy, "select 'still in my transaction'") == "still in my transaction"
    with pytest.raises(psycopg.OperationalError) as e:
        idle.execute("select 1")
    assert e.value.sqlstate == "57P01" or "shutting down" in str(e.value)
    busy.execute("commit")
    assert g.process.wait(5) == 0
    with pytest.raises(psycopg.OperationalError):
        busy.execute("select 1")


def test_sigterm_with_idle_clients_ends_at_once(start):
    g = start()
    clients = [connect(g) for _ in range(5)]
    g.process.send_signal(signal.SIGTERM)
    assert g.process.wait(3) == 0 and clients


def test_drain_timeout(start):
    g = start(main=["drain_timeout = 500ms"])
    busy = connect(g)
    busy.execute("begin")
    g.process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    assert g.process.wait(5) == 0
    assert 0.4 < time.monotonic() - begin < 2.5


@pytest.mark.parametrize("how", ["signal", "console"])
def test_stop_at_once(start, how):
    g = start()
    busy = connect(g)
    busy.execute("begin")
    if how == "signal":
        g.process.send_signal(signal.SIGINT)
    else:
        got = g.console("SHUTDOWN")
        assert got.tags == ["SHUTDOWN"]
    assert g.process.wait(3) == 0
    with pytest.raises(psycopg.OperationalError):
        busy.execute("select 1")
    with superuser() as su:
        harness.wait_for(lambda: value(su, "select count(*) from pg_stat_activity where state like 'idle in%%'") == 0)


def test_shutdown_waits_for_servers(start):
    g = start()
    busy = connect(g)
    busy.execute("begin")
    assert g.console("SHUTDOWN WAIT_FOR_SERVERS").tags == ["SHUTDOWN"]
    time.sleep(0.2)
    assert g.is_alive() and not g.listens()
    busy.execute("commit")
    assert g.process.wait(5) == 0


def test_shutdown_waits_for_clients(start):
    """Who is there may go on for as long as he likes; the console does not count, and still answers."""
    g = start(main=["workers = 2"])
    clients = [connect(g) for _ in range(4)]
    boss = g.login(user="boss", password="boss-password", database="gilmok")
    assert boss.query("SHUTDOWN WAIT_FOR_CLIENTS").tags == ["SHUTDOWN"]
    harness.wait_for(lambda: not g.listens())
    time.sleep(0.3)
    for c in clients:
        assert value(c, "select 1") == 1
    assert boss.query("SHOW CLIENTS").tags == ["SHOW"]
    for c in clients[1:]:
        c.close()
    time.sleep(0.3)
    assert value(clients[0], "select 2") == 2
    clients[0].close()
    assert g.process.wait(5) == 0


# ---- the server restarts ----


def restart_primary():
    _, prefix = harness.unprivileged()
    data, log = os.environ["PRIMARY_DATA"], os.environ["PRIMARY_LOG"]
    command = [*prefix, os.path.join(flowtools.PG_BIN, "pg_ctl"), "-D", data, "-l", log, "-m", "fast", "-s", "-w", "restart"]
    subprocess.run(command, cwd="/", check=True, timeout=30, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def test_server_restart_under_clients(start):
    """In the middle of a restart clients get an error that says so, never a wrong answer; after it all goes on."""
    g = start()
    codes, right, over = set(), [0] * 8, []

    def work(i):
        if i == 0:
            time.sleep(0.2)
            restart_primary()
            time.sleep(0.4)
            over.append(True)
            return
        c, n = connect(g), 0
        while not over:
            n += 1
            try:
                if c.closed:
                    c = connect(g)
                assert value(c, "select %s::text", (f"{i} {n}",)) == f"{i} {n}"
                right[i] += 1
            except psycopg.OperationalError as e:
                codes.add(e.sqlstate or ("57P01" if "administrator command" in str(e) else str(e)))
                time.sleep(0.01)
        c.close()

    in_threads(8, work)
    known = {"57P01", "08006", "08001", "57P03"}
    words = ("refused the connection", "cannot connect", "closed the connection")
    odd = {c for c in codes if c not in known and not any(w in c for w in words)}
    assert not odd, odd
    assert all(n > 0 for n in right[1:])
    with connect(g) as c:
        assert value(c, "select 'after the restart'") == "after the restart"


def test_idle_clients_survive_a_server_restart(start):
    g = start()
    clients = [connect(g) for _ in range(6)]
    for c in clients:
        value(c, "select 1")
    restart_primary()
    harness.wait_for(lambda: can_connect(g, APP_DB), what="the server being back")
    time.sleep(0.1)
    for i, c in enumerate(clients):
        assert value(c, "select %s::int", (i,)) == i


def test_server_that_ends_one_connection(start):
    g = start(pool_size=1)
    c = connect(g)
    c.execute("begin")
    with superuser() as su:
        su.execute("select pg_terminate_backend(%s)", (value(c, "select pg_backend_pid()"),))
    time.sleep(0.1)
    with pytest.raises(psycopg.OperationalError, match="administrator command"):
        c.execute("select 1")
    with connect(g) as other:
        assert value(other, "select 1") == 1


# ---- wrong configurations ----

WRONG = {
    "pool_size = many": "pool_size",
    "pool_mode = sometimes": "pool_mode",
    "queue_timeout = 5": "queue_timeout",
    "nonsense = 1": "nonsense",
    "cluster = nowhere": "nowhere",
    "server_password_file = /nowhere/at/all": "/nowhere/at/all",
}


@pytest.mark.parametrize("line", list(WRONG))
def test_check_and_serve_refuse_a_wrong_configuration(gilmok, line):
    text = gilmok.text.replace("[database sessions]\ncluster = main\n", f"[database sessions]\n{line}\n")
    gilmok.write("wrong.conf", text)
    path = os.path.join(gilmok.dir, "wrong.conf")
    where = f"wrong.conf:{text[: text.index(line)].count(chr(10)) + 1}"
    for command in ("check", "serve"):
        got = subprocess.run(
            [*gilmok.prefix, gilmok.binary, command, "-c", path], cwd="/", capture_output=True, text=True, timeout=10, check=False
        )
        assert got.returncode == 1 and WRONG[line] in got.stdout + got.stderr and where in got.stdout + got.stderr, got


def test_check_accepts_the_sandbox():
    _, prefix = harness.unprivileged()
    command = [*prefix, os.environ["GILMOK_BIN"], "check", "-c", os.environ["GILMOK_CONF"]]
    got = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=10, check=False)
    assert got.returncode == 0, got


@pytest.mark.cve("BAR 40 files")
def test_users_file_that_others_may_read_is_refused(gilmok):
    gilmok.write("loose.txt", '"a" "b"\n')
    os.chmod(os.path.join(gilmok.dir, "loose.txt"), 0o644)
    gilmok.write("loose.conf", gilmok.text.replace("users.txt", "loose.txt"))
    got = subprocess.run(
        [*gilmok.prefix, gilmok.binary, "check", "-c", os.path.join(gilmok.dir, "loose.conf")],
        cwd="/", capture_output=True, text=True, timeout=10, check=False,
    )  # fmt: skip
    assert got.returncode == 1 and "chmod" in got.stdout + got.stderr


def test_address_in_use(gilmok):
    got = subprocess.run(
        [*gilmok.prefix, gilmok.binary, "serve", "-c", gilmok.conf], cwd="/", capture_output=True, text=True, timeout=10, check=False
    )
    assert got.returncode == 1 and "in use" in got.stderr


@pytest.mark.cve("T-CANARY CVE-2023-22332")
def test_passwords_are_not_logged_or_shown(gilmok):
    for password in ("boss-password", flowtools.APP_PASSWORD):
        assert password not in gilmok.said()
    for verb in ("SHOW POOLS", "SHOW CLIENTS", "SHOW SERVERS", "SHOW STATS"):
        assert flowtools.APP_PASSWORD not in str(gilmok.console(verb).rows)


# ---- descriptors ----


@pytest.fixture
def few_descriptors():
    """A program: gilmok with room for 40 descriptors."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "gilmok")
        with open(path, "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\nulimit -n 40\nexec "{harness.BIN}" "$@"\n')
        os.chmod(path, 0o755)
        yield path


@pytest.mark.parametrize("workers", [1, 2])
def test_clients_are_accepted_again_after_descriptors_ran_out(start, few_descriptors, workers):
    g = start(main=[f"workers = {workers}"], binary=few_descriptors)
    with connect(g) as first:
        assert value(first, "select 1") == 1
        crowd = [socket.create_connection(("127.0.0.1", g.port)) for _ in range(60)]
        for s in crowd:
            s.sendall(b"\0")  # a TCP client is handed over once it has sent something
        harness.wait_for(lambda: "cannot accept clients for now" in g.said(), what="a word about it in the log")
        assert value(first, "select 2") == 2  # who is in is served
        for s in crowd:
            s.close()
        for _ in range(8):  # each worker's listener
            with connect(g) as c:
                assert value(c, "select 3") == 3
