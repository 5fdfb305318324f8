#!/usr/bin/python3
"""The console: who may do what, what SHOW shows, what PAUSE and its kin do; with one worker and with several."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
import time

import asyncpg
import psycopg
import psycopg2
import pytest

import flowtools
import harness
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, connect, in_threads, superuser, value

BOSS = {"user": "boss", "password": "boss-password"}


@pytest.fixture(params=[1, 3])
def begin(start, request):
    """start() with one worker, and once more with three. gilmok asks nothing of its own: a client's connection is free at once."""

    def run(main=(), database=(), **more):
        return start(main=[f"workers = {request.param}", *main], database=["unknown_effects = trust", *database], **{"pool_size": 12, **more})

    return run


def boss(g, **more):
    return g.login(**{**BOSS, "database": "gilmok", **more})


def in_background(work):
    """Starts work(); the list that is returned holds its result, or its exception, once it has ended."""
    result = []

    def run():
        try:
            result.append(work())
        except Exception as e:
            result.append(e)

    threading.Thread(target=run, daemon=True).start()
    return result


def server_count(name):
    with superuser() as su:
        return value(su, "select count(*) from pg_stat_activity where application_name = %s", (name,))


# ---- who may do what ----

SHOWS = (
    "HELP POOLS CLIENTS SERVERS SOCKETS ACTIVE_SOCKETS DATABASES USERS STATS STATS_TOTALS STATS_AVERAGES TOTALS CONFIG VERSION "
    "MEM LISTS PREPARED STATE PEERS NODES CLUSTERS ROUTES"
).split()
COMMANDS = [
    "PAUSE", f"PAUSE {APP_DB}", "RESUME", f"RESUME {APP_DB}", "SUSPEND", "RESUME", f"DISABLE {APP_DB}", f"ENABLE {APP_DB}",
    f"KILL {APP_DB}", f"RESUME {APP_DB}", "KILL", "RESUME", "KILL_CLIENT 1", "RECONNECT", f"RECONNECT {APP_DB}", "WAIT_CLOSE",
    f"WAIT_CLOSE {APP_DB}", "RELOAD", "SHUTDOWN WAIT_FOR_CLIENTS", "SHUTDOWN WAIT_FOR_SERVERS", "SHUTDOWN",
]  # fmt: skip
# The harness's cluster has one node, and nobody who watches it.
NODE_COMMANDS = {
    "ADD NODE main/z 127.0.0.1": "55000", "DRAIN NODE main/a": "55000", "RESUME NODE main/a": "55000", "REMOVE NODE main/a": "55000",
}  # fmt: skip


def extended(c, sql):
    c.send(pgwire.parse(sql) + pgwire.bind() + pgwire.describe("P") + pgwire.execute() + pgwire.SYNC)
    return c.collect()


@pytest.mark.parametrize("database", ["gilmok", "pgbouncer"])
@pytest.mark.cve("T-ADM CVE-2026-6667")
def test_every_command_by_everybody(start, database):
    """Every command that SHOW HELP names, by an admin, by a user of stats_users, by others and by nobody; both ways to ask."""
    g = start()
    for user, password in ((APP_USER, APP_PASSWORD), ("other", "other-password")):
        c = pgwire.Client(g.port, user=user, password=password, database=database)
        c.authenticate()
        assert c.collect().errors[0].sqlstate == "42501"
    for user, password in (("boss", ""), ("stats", "wrong"), ("nobody", "boss-password"), ("gilmok", ""), ("pgbouncer", "")):
        with pytest.raises(pgwire.PgError) as e:
            pgwire.Client(g.port, user=user, password=password, database=database).login()
        assert e.value.sqlstate == "28P01"
    known = {row[0].split(" [")[0].removesuffix(" db").removesuffix(" id").removesuffix(" cluster/name") for row in g.console("SHOW HELP").rows}
    tried = {f"SHOW {s}" for s in SHOWS} | {" ".join(c.split()[:2]) if "WAIT_FOR" in c else c.split()[0] for c in COMMANDS}
    tried |= {" ".join(c.split()[:2]) for c in NODE_COMMANDS}
    assert known - {"SHOW POOLS VERBOSE", "SHOW HBA"} == tried
    stats = g.login(user="stats", password="stats-password", database=database)
    admin = boss(g, database=database)
    for ask in (pgwire.Client.query, extended):
        for show in SHOWS:
            for c in (stats, admin):
                got = ask(c, f"SHOW {show}")
                assert got.tags == ["SHOW"] and got.names and not got.errors and got.status == "I", show
        assert ask(admin, "SHOW HBA").tags == ["SHOW"]
        for command in [*COMMANDS, *NODE_COMMANDS, "SHOW FDS", "SHOW HBA"]:
            got = ask(stats, command)
            assert [e.sqlstate for e in got.errors] == ["42501"] and got.status == "I" and not got.tags, command
    for command in COMMANDS[:-3]:
        if command == "KILL_CLIENT 1":
            command = f"KILL_CLIENT {[r['id'] for r in g.show('CLIENTS', user='stats')][0]}"
        got = admin.query(command)
        assert got.tags == [command.split()[0]] and not got.errors, (command, got.errors)
    for command, sqlstate in NODE_COMMANDS.items():
        assert [e.sqlstate for e in admin.query(command).errors] == [sqlstate], command
    assert admin.query("SHOW FDS").errors[0].sqlstate == "0A000"
    with connect(g) as c:
        assert value(c, "select 1") == 1


@pytest.mark.cve("T-ADM CVE-2026-6667")
def test_permissions_go_with_a_reload(start):
    g = start()
    stats, admin = g.login(user="stats", password="stats-password", database="gilmok"), boss(g)
    g.write("gilmok.conf", g.text.replace("admin_users = boss\nstats_users = stats", "admin_users = other\nstats_users = boss"))
    assert admin.query("RELOAD").tags == ["RELOAD"]
    assert stats.query("SHOW POOLS").errors[0].sqlstate == "42501"
    assert admin.query("RELOAD").errors[0].sqlstate == "42501"
    assert admin.query("SHOW POOLS").tags == ["SHOW"]


def test_a_database_of_that_name_comes_first(start):
    g = start(tail=f"[database pgbouncer]\ncluster = main\nserver_database = {APP_DB}\n")
    with connect(g, dbname="pgbouncer") as c:
        assert value(c, "select current_database()") == APP_DB


# ---- what SHOW shows ----

# The columns of PgBouncer 1.26, in its order.
PGBOUNCER = {
    "POOLS": "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel "
    "sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts",
    "DATABASES": "name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime pool_mode "
    "load_balance_hosts max_connections current_connections max_client_connections current_client_connections paused disabled",
    "USERS": "name pool_size reserve_pool_size pool_mode max_user_connections current_connections max_user_client_connections "
    "current_client_connections",
    "CLIENTS": "type user database replication state addr port local_addr local_port connect_time request_time wait wait_us "
    "close_needed ptr link remote_pid tls application_name prepared_statements id",
    "STATS": "database total_server_assignment_count total_xact_count total_query_count total_received total_sent "
    "total_xact_time total_query_time total_wait_time total_client_parse_count total_server_parse_count total_bind_count "
    "total_client_login_count avg_server_assignment_count avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time "
    "avg_query_time avg_wait_time avg_client_parse_count avg_server_parse_count avg_bind_count avg_client_login_count",
    "LISTS": "list items",
    "CONFIG": "key value default changeable",
    "MEM": "name size used free memtotal",
    "TOTALS": "name value",
    "VERSION": "version",
}
PGBOUNCER["SERVERS"] = PGBOUNCER["SOCKETS"] = PGBOUNCER["ACTIVE_SOCKETS"] = PGBOUNCER["CLIENTS"]


@pytest.mark.parametrize("what", list(PGBOUNCER))
def test_columns_are_pgbouncers(gilmok, what):
    names = PGBOUNCER[what].split()
    got = gilmok.console(f"SHOW {what}").names
    assert got[: len(names)] == names and len(set(got)) == len(got)


def test_numbers_are_numbers(gilmok):
    with psycopg.connect(host="127.0.0.1", port=gilmok.port, dbname="pgbouncer", autocommit=True, **BOSS) as c:
        got = c.execute("SHOW LISTS").fetchall()
    assert dict(got)["databases"] == 2 and all(isinstance(n, int) for _, n in got)


def test_a_pool_is_one_line(begin):
    """Over all workers and all sets of startup parameters; VERBOSE tells apart those that cannot share connections."""
    g = begin()
    clients = [connect(g, options=f"-c temp_buffers={12 + i % 2}MB") for i in range(6)]
    for c in clients:
        value(c, "select 1")
    clients[0].execute("begin")
    pool = g.show("POOLS", database=APP_DB)
    assert len(pool) == 1 and (pool[0]["user"], pool[0]["cl_active"], pool[0]["pool_size"]) == (APP_USER, "6", "12")
    assert pool[0]["sv_active"] == "1" and pool[0]["pool_mode"] == "transaction" and pool[0]["paused"] == "0"
    parts = g.show("POOLS VERBOSE", database=APP_DB)
    assert {p["startup_parameters"] for p in parts} >= {"options=-c temp_buffers=12MB", "options=-c temp_buffers=13MB"} or len(parts) >= 2
    assert sum(int(p["cl_active"]) for p in parts) == 6
    for c in clients:
        c.close()


def test_databases_and_users(begin):
    caps = ["min_pool_size = 1", "reserve_pool_size = 3", "max_server_conn = 40"]
    g = begin(database=caps, tail=f"[user {APP_USER}]\npool_size = 5\nmax_client_conn = 50\nmax_server_conn = 30\n")
    with connect(g) as c:
        value(c, "select 1")
        shop = g.show("DATABASES", name=APP_DB)[0]
        assert (shop["host"], shop["port"], shop["database"]) == ("127.0.0.1", str(flowtools.PRIMARY_PORT), APP_DB)
        assert (shop["current_client_connections"], shop["current_connections"], shop["pool_size"]) == ("1", "1", "12")
        assert (shop["min_pool_size"], shop["reserve_pool_size"], shop["reserve_pool"], shop["max_connections"]) == ("1", "3", "3", "40")
        assert shop["force_user"] is None and shop["cluster"] == "main"
        assert [d["name"] for d in g.show("DATABASES")] == sorted([APP_DB, "sessions"])
        user = g.show("USERS", name=APP_USER)[0]
        assert (user["pool_size"], user["max_user_client_connections"], user["current_client_connections"]) == ("5", "50", "1")
        assert user["max_user_connections"] == "30"
        assert g.show("USERS", name="stats")[0]["pool_size"] is None
        lists = {r["list"]: int(r["items"]) for r in g.show("LISTS")}
        assert (lists["databases"], lists["pools"], lists["used_servers"], lists["used_clients"]) == (2, 1, 1, 2)


def test_statistics(begin):
    g = begin(main=["stats_period = 1s"])
    time.sleep(1.2)
    clients = [connect(g) for _ in range(4)]
    for c in clients:
        for _ in range(5):
            value(c, "select pg_sleep(0.01)::text")
        with c.transaction():
            value(c, "select 1")
            value(c, "select 2")
    got = g.show("STATS", database=APP_DB)[0]
    count = {k: int(v) for k, v in got.items() if k != "database"}
    assert count["total_query_count"] == count["total_requests"] == 4 * 9
    assert count["total_xact_count"] == 4 * 6 <= count["total_server_assignment_count"]
    assert count["total_client_login_count"] == 4 and count["total_received"] > 500 and count["total_sent"] > 500
    assert count["total_xact_time"] >= count["total_query_time"] >= 4 * 5 * 10000
    totals = {r["name"]: int(r["value"]) for r in g.show("TOTALS")}
    assert totals["total_query_count"] == 36 and g.show("STATS_TOTALS", database=APP_DB)[0]["query_count"] == "36"
    averages = harness.wait_for(lambda: [a for a in g.show("STATS_AVERAGES", database=APP_DB) if int(a["query_count"])], what="a period")
    assert 1 <= int(averages[0]["query_count"]) <= 45  # a second; the period may have been a little shorter
    assert int(averages[0]["xact_time"]) >= int(averages[0]["query_time"])
    harness.wait_for(lambda: g.show("STATS_AVERAGES", database=APP_DB)[0]["query_count"] == "0", what="a quiet period")
    assert g.show("STATS_TOTALS", database=APP_DB)[0]["query_count"] == "36"
    for c in clients:
        c.close()


def test_transactions_are_counted_in_session_mode(start):
    g = start()
    with connect(g, dbname="sessions") as c:
        for _ in range(3):
            value(c, "select 1")
        with c.transaction():
            value(c, "select 1")
        got = g.show("STATS", database="sessions")[0]
        assert (got["total_xact_count"], got["total_server_assignment_count"]) == ("4", "1")


def test_prepared_statements(begin):
    g = begin()
    clients = [pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB).login() for _ in range(4)]
    long = "select 'ä" + "ö" * 300 + "'"
    for c in clients:
        c.send(pgwire.parse("select 42", "mine") + pgwire.parse(long, "long") + pgwire.bind(name="mine") + pgwire.execute() + pgwire.SYNC)
        assert c.collect().errors == []
    got = {r["text"]: r for r in g.show("PREPARED")}
    assert got["select 42"]["clients"] == "4" and 1 <= int(got["select 42"]["servers"]) <= 4
    assert got["select 42"]["name"].startswith("gilmok_")
    cut = [t for t in got if t.startswith("select 'ä")][0]
    assert long.startswith(cut) and 150 < len(cut.encode()) <= 200 and got[cut]["text_len"] == str(len(long.encode()))
    assert [r["prepared_statements"] for r in g.show("CLIENTS", database=APP_DB)] == ["2"] * 4
    stats = g.show("STATS", database=APP_DB)[0]
    assert (stats["total_client_parse_count"], stats["total_bind_count"]) == ("8", "4")
    for c in clients:
        c.end()


def test_memory(gilmok):
    with connect(gilmok) as c:
        value(c, "select 1")
        kinds = {r["name"]: r for r in gilmok.show("MEM")}
        assert {"chunks_small", "chunks_large", "streams", "clients", "servers", "statements"} <= set(kinds)
        assert int(kinds["clients"]["used"]) == 2
        for k in kinds.values():
            if k["name"] != "statements":
                assert int(k["memtotal"]) == int(k["size"]) * (int(k["used"]) + int(k["free"]))


def test_config(start):
    g = start(database=["server_user = app", "server_password = a-canary"], main=["max_client_conn = 77"])
    keys = {r["key"]: r for r in g.show("CONFIG", user="stats")}
    assert keys["max_client_conn"]["value"] == "77" and keys["max_client_conn"]["default"] == "1000"
    assert keys["max_client_conn"]["changeable"] == "yes" and keys["listen"]["changeable"] == "no"
    assert keys[f"[database {APP_DB}] pool_size"]["value"] == "4"
    assert keys[f"[database {APP_DB}] server_password"]["value"] == "***" and "a-canary" not in str(keys)


def test_clients_of_all_kinds(begin):
    g = begin()
    idle, held = connect(g, application_name="the idle one"), connect(g)
    held.execute("begin")
    rows = {r["application_name"]: r for r in g.show("CLIENTS", database=APP_DB)}
    assert rows["the idle one"]["state"] == "idle" and rows["the idle one"]["link"] == ""
    assert rows["the idle one"]["connect_time"].endswith(" UTC") and rows["the idle one"]["addr"] == "127.0.0.1"
    assert rows[""]["held_by"] == "transaction"
    console = g.show("CLIENTS", database="gilmok")
    assert len(console) == 1 and console[0]["state"] == "active"
    active = ["cl_active", "cl_active", "sv_active"]  # soon: somebody may still be reading what the database's names stand for
    harness.wait_for(lambda: sorted(s["state"] for s in g.show("ACTIVE_SOCKETS")) == active, what=f"the sockets {active}")
    assert len(g.show("SOCKETS")) >= 4
    ids = [s["id"] for s in g.show("SERVERS")]
    assert len(set(ids)) == len(ids)
    idle.close()
    held.close()


HOLDERS = {
    "message": pgwire.query("select '" + "x" * 100000 + "'")[:50000],
    "copy": pgwire.query("copy held_by_copy from stdin"),
    "portal": pgwire.parse("select generate_series(1, 9)") + pgwire.bind() + pgwire.execute(rows=3) + pgwire.FLUSH,
    "transaction": pgwire.query("begin"),
    "unnamed statement": pgwire.parse("select length('" + "x" * 9000 + "')") + pgwire.SYNC,
    "prepared statement": pgwire.parse("select length('" + "x" * 100000 + "')", "s") + pgwire.SYNC,
    "request": pgwire.query("select pg_sleep(2)"),
}


@pytest.mark.parametrize("reason", HOLDERS)
def test_why_a_client_keeps_its_connection(start, reason):
    g = start()
    with superuser() as su:
        su.execute("create table if not exists held_by_copy (a text); grant all on held_by_copy to public")
    c = pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB).login()
    c.send(HOLDERS[reason])
    harness.wait_for(lambda: [r["held_by"] for r in g.show("CLIENTS", database=APP_DB)] == [reason], what=f"held_by {reason}")
    c.end(reset=True)


def test_both_ends_of_connections(start):
    """addr and port, local_addr and local_port: what the client's socket, the server and we call the same connection.
    remote_pid is who is on the other side, where that can be known."""
    g = start(socket=True, pool_size=1, database=["unknown_effects = trust"])
    with connect(g, application_name="tcp") as c, connect(g, host=g.dir, port=g.port, application_name="socket") as other:
        theirs = pgwire.socket.socket(fileno=os.dup(c.pgconn.socket)).getsockname()
        rows = {r["application_name"]: r for r in g.show("CLIENTS", database=APP_DB)}
        assert ends(rows["tcp"]) == ("127.0.0.1", str(theirs[1]), "127.0.0.1", str(g.port))
        assert ends(rows["socket"]) == ("unix", "0", "unix", "0")
        assert (rows["tcp"]["remote_pid"], rows["socket"]["remote_pid"]) == ("0", str(os.getpid()))
        port = value(c, "select client_port from pg_stat_activity where pid = pg_backend_pid()")
        server = ("127.0.0.1", str(flowtools.PRIMARY_PORT), "127.0.0.1", str(port))
        assert [ends(r) for r in g.show("SERVERS")] == [server]
        sockets = {r["type"] + r["application_name"]: ends(r) for r in g.show("SOCKETS")}
        assert sockets["S"] == server and sockets["Ctcp"] == ends(rows["tcp"])
        assert value(other, "select 1") == 1


def ends(row):
    return tuple(row[k] for k in ("addr", "port", "local_addr", "local_port"))


def test_a_server_on_a_socket_has_no_port(start):
    g = start()
    g.write("gilmok.conf", g.text.replace("host = 127.0.0.1", f"host = {os.environ['SUPERUSER_SOCKET_DIR']}"))
    assert g.console("RELOAD").tags == ["RELOAD"]
    with connect(g) as c:
        assert value(c, "select client_port from pg_stat_activity where pid = pg_backend_pid()") == -1
        assert [ends(r) for r in g.show("SERVERS")] == [("unix", "0", "unix", "0")]


# ---- PAUSE, RESUME ----


@pytest.mark.parametrize("name", ["", f" {APP_DB}"])
def test_pause_waits_for_transactions(begin, name):
    """It answers when the last server connection has closed; who asks meanwhile waits, and goes on with RESUME."""
    g = begin(database=["queue_timeout = 500ms"])
    busy = [connect(g, application_name="paused") for _ in range(5)]
    for c in busy[:3]:
        c.execute("begin")
        value(c, "select 1")
    for c in busy[3:]:
        value(c, "select 1")
    paused = in_background(lambda: g.console("PAUSE" + name).tags)
    time.sleep(0.3)
    late = [in_background(lambda c=c: value(c, "select 'waited'")) for c in busy[3:]]
    new = in_background(lambda: value(connect(g), "select 'new'"))
    for c in busy[:3]:
        assert value(c, "select 'still in it'") == "still in it"
    assert not paused and g.show("DATABASES", name=APP_DB)[0]["paused"] == "1"
    for c in busy[:3]:
        c.execute("commit")
    harness.wait_for(lambda: paused == [["PAUSE"]], what="PAUSE's answer")
    assert server_count("paused") == 0 and g.show("SERVERS", database=APP_DB) == []
    time.sleep(0.6)  # longer than queue_timeout
    pool = g.show("POOLS", database=APP_DB)[0]
    assert not new and late == [[], []] and pool["cl_waiting"] == "3" and pool["paused"] == "1"
    if name:
        with connect(g, dbname="sessions") as other:
            assert value(other, "select 1") == 1
    assert g.console("RESUME" + name).tags == ["RESUME"]
    harness.wait_for(lambda: new == ["new"] and late == [["waited"], ["waited"]], what="the waiting ones")
    assert g.console("RESUME" + name).errors[0].sqlstate == "55000"
    for c in busy:
        c.close()


def test_resume_undoes_what_has_the_same_name(start):
    g = start()
    for sql in (f"PAUSE {APP_DB}", "PAUSE", "RESUME"):
        assert g.console(sql).tags, sql
    assert [d["paused"] for d in g.show("DATABASES", name=APP_DB)] == ["1"]
    assert [d["paused"] for d in g.show("DATABASES", name="sessions")] == ["0"]
    assert g.console(f'RESUME "{APP_DB}"').tags == ["RESUME"]
    with connect(g) as c:
        assert value(c, "select 1") == 1
    for sql in ("PAUSE nosuch", "DISABLE nosuch", "PAUSE gilmok", "RECONNECT nosuch", "WAIT_CLOSE nosuch", "KILL nosuch"):
        assert g.console(sql).errors[0].sqlstate == "3D000", sql


def test_queue_timeout_begins_anew_at_resume(start):
    g = start(pool_size=1, database=["queue_timeout = 700ms"])
    clients = [connect(g) for _ in range(2)]
    value(clients[0], "select 1")
    assert g.console("PAUSE").tags == ["PAUSE"]
    waits = [in_background(lambda c=c: value(c, "select 1 from pg_sleep(0.3)")) for c in clients]
    time.sleep(1)
    assert g.console("RESUME").tags == ["RESUME"]
    harness.wait_for(lambda: all(waits), what="both")
    assert waits == [[1], [1]]
    for c in clients:
        c.close()


def test_pause_with_a_minimum_and_a_cap(begin):
    """What is to be kept open is not while the database is paused, and the place goes to others."""
    g = begin(database=["min_pool_size = 3"], main=["max_server_conn = 3"])
    with connect(g) as c, connect(g, dbname="sessions") as other:
        value(c, "select 1")
        value(other, "select 1")
        assert g.console(f"PAUSE {APP_DB}").tags == ["PAUSE"]
        late = [in_background(lambda c=c: value(c, "select 2"))]
        time.sleep(0.3)
        assert g.show("SERVERS", database=APP_DB) == []
        more = [connect(g, dbname="sessions") for _ in range(2)]
        assert [value(m, "select 1") for m in more] == [1, 1] and late == [[]]
        for m in more:
            m.close()
        assert g.console(f"RESUME {APP_DB}").tags == ["RESUME"]
        harness.wait_for(lambda: late == [[2]], what="the waiting one")


def test_a_paused_database_after_a_restart_of_the_server(begin):
    """What PAUSE is for: no client notices that the server was away."""
    g = begin(main=["drain_timeout = 1s"])
    clients, over = [connect(g) for _ in range(6)], []

    def work(i):
        n = 0
        while not over:
            assert value(clients[i], "select %s::int", (n,)) == n
            n += 1
        return n

    results = in_background(lambda: in_threads(6, work))
    time.sleep(0.2)
    assert g.console("PAUSE").tags == ["PAUSE"]
    restart_primary()
    assert g.console("RESUME").tags == ["RESUME"]
    time.sleep(0.3)
    over.append(True)
    harness.wait_for(lambda: results, what="the clients")
    assert min(results[0]) > 1, results
    for c in clients:
        c.close()


def restart_primary():
    _, prefix = harness.unprivileged()
    command = [*prefix, os.path.join(flowtools.PG_BIN, "pg_ctl"), "-D", os.environ["PRIMARY_DATA"], "-l", os.environ["PRIMARY_LOG"]]
    subprocess.run(
        [*command, "-m", "fast", "-s", "-w", "restart"], cwd="/", check=True, timeout=30, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def test_leaving_and_cancelling_while_pause_waits(begin):
    g = begin()
    busy = connect(g)
    busy.execute("begin")
    waiting = boss(g)
    waiting.send(pgwire.query("PAUSE"))
    time.sleep(0.2)
    w = pgwire.Wire(pgwire.socket.create_connection(("127.0.0.1", g.port)), timeout=5)
    w.send(pgwire.struct.pack(">II", 8 + len(waiting.key), 80877102) + waiting.key)
    got = waiting.collect()
    assert got.errors[0].sqlstate == "57014" and got.status == "I"
    assert g.show("STATE", key="paused")[0]["value"] == "yes"
    waiting.send(pgwire.query("PAUSE"))
    time.sleep(0.1)
    waiting.end(reset=True)
    assert g.console("RESUME").tags == ["RESUME"]
    assert value(busy, "select 1") == 1
    busy.close()


def test_resume_ends_a_pause_that_waits(begin):
    g = begin()
    busy = connect(g)
    busy.execute("begin")
    paused = in_background(lambda: g.console("PAUSE").errors)
    time.sleep(0.2)
    assert g.console("RESUME").tags == ["RESUME"]
    harness.wait_for(lambda: paused, what="the answer")
    assert paused[0][0].sqlstate == "55000"
    busy.close()


def test_stop_while_commands_wait(begin):
    g = begin()
    busy = connect(g)
    busy.execute("begin")
    waiting = [boss(g) for _ in range(4)]
    for c, sql in zip(waiting, ("PAUSE", f"PAUSE {APP_DB}", "RECONNECT", "WAIT_CLOSE")):
        c.send(pgwire.query(sql))
    time.sleep(0.2)
    g.process.send_signal(signal.SIGINT)
    assert g.process.wait(5) == 0


# ---- SUSPEND ----


def test_suspend_reads_nothing(begin):
    g = begin()
    idle, held = connect(g), connect(g)
    held.execute("begin")
    pid = value(idle, "select pg_backend_pid()")
    assert g.console("SUSPEND").tags == ["SUSPEND"] and g.show("STATE", key="suspended")[0]["value"] == "yes"
    late = [in_background(lambda: value(idle, "select pg_backend_pid()")), in_background(lambda: value(held, "select 'held'"))]
    time.sleep(0.4)
    assert late == [[], []]
    assert g.console("RESUME").tags == ["RESUME"]
    harness.wait_for(lambda: all(late), what="both")
    assert late[1] == ["held"] and len(g.show("SERVERS")) >= 1 and pid
    idle.close()
    held.close()


def test_suspend_in_the_middle_of_results(begin):
    """Results and pipelines that are under way stop, and come to their end after RESUME with nothing lost."""
    g = begin()
    clients, over = [connect(g) for _ in range(4)], []

    def work(i):
        n = 0
        while not over:
            rows = clients[i].execute("select i, repeat('x', 500) from generate_series(1, 4000) i").fetchall()
            assert [r[0] for r in rows] == list(range(1, 4001))
            n += 1
        return n

    results = in_background(lambda: in_threads(4, work))
    for _ in range(4):
        time.sleep(0.15)
        assert g.console("SUSPEND").tags == ["SUSPEND"]
        queries = g.show("STATS", database=APP_DB)[0]["total_sent"]
        time.sleep(0.15)
        assert g.show("STATS", database=APP_DB)[0]["total_sent"] == queries
        assert g.console("RESUME").tags == ["RESUME"]
    over.append(True)
    harness.wait_for(lambda: results, seconds=15, what="the clients")
    assert isinstance(results[0], list) and min(results[0]) > 0, results
    for c in clients:
        c.close()


# ---- DISABLE, RECONNECT, WAIT_CLOSE, KILL ----


def test_disable_refuses_new_clients(begin):
    g = begin()
    old = connect(g)
    assert g.console(f"DISABLE {APP_DB}").tags == ["DISABLE"]
    assert g.show("DATABASES", name=APP_DB)[0]["disabled"] == "1"
    for _ in range(4):
        with pytest.raises(psycopg.OperationalError, match=f'database "{APP_DB}" is disabled'):
            connect(g)
    assert value(old, "select 1") == 1
    with connect(g, dbname="sessions") as other:
        assert value(other, "select 1") == 1
    assert g.console(f"ENABLE {APP_DB}").tags == ["ENABLE"]
    with connect(g) as new:
        assert value(new, "select 1") == 1
    old.close()


def test_reconnect_and_wait_close(begin):
    g = begin()
    clients = [connect(g) for _ in range(4)]
    before = set(in_threads(4, lambda i: value(clients[i], "select pg_backend_pid() from pg_sleep(0.1)")))
    clients[0].execute("begin")
    held = value(clients[0], "select pg_backend_pid()")
    assert g.console(f"RECONNECT {APP_DB}").tags == ["RECONNECT"]
    after = set(in_threads(3, lambda i: value(clients[i + 1], "select pg_backend_pid() from pg_sleep(0.1)")))
    assert not after & before
    waited = in_background(lambda: g.console(f"WAIT_CLOSE {APP_DB}").tags)
    time.sleep(0.2)
    assert not waited and [s["close_needed"] for s in g.show("SERVERS") if s["remote_pid"] == str(held)] == ["1"]
    assert g.console("WAIT_CLOSE sessions").tags == ["WAIT_CLOSE"]
    clients[0].execute("commit")
    harness.wait_for(lambda: waited == [["WAIT_CLOSE"]], what="WAIT_CLOSE's answer")
    assert value(clients[0], "select pg_backend_pid()") != held
    for c in clients:
        c.close()


def test_kill_ends_everybody(begin):
    g = begin()
    clients = [connect(g, application_name="to be killed") for _ in range(6)]
    other = connect(g, dbname="sessions")
    clients[0].execute("begin")
    running = in_background(lambda: value(clients[1], "select 1 from pg_sleep(20)"))
    time.sleep(0.2)
    started = time.monotonic()
    assert g.console(f"KILL {APP_DB}").tags == ["KILL"]
    assert time.monotonic() - started < 3 and g.show("CLIENTS", database=APP_DB) == []
    for c in clients[:1] + clients[2:]:
        with pytest.raises(psycopg.OperationalError, match="administrator command"):
            value(c, "select 1")
    harness.wait_for(lambda: running, what="the running one")
    assert isinstance(running[0], psycopg.OperationalError)
    harness.wait_for(lambda: server_count("to be killed") == 0, what="the server's end of it")
    assert value(other, "select 1") == 1
    new = in_background(lambda: value(connect(g), "select 'new'"))
    time.sleep(0.2)
    assert not new and g.console(f"RESUME {APP_DB}").tags == ["RESUME"]
    harness.wait_for(lambda: new == ["new"], what="the new client")
    other.close()


def test_kill_does_not_wait_for_those_who_come_back(begin):
    g = begin()
    is_over = threading.Event()

    def come_again():
        while not is_over.is_set():
            with contextlib.suppress(pgwire.PgError, pgwire.Closed, OSError, IndexError):
                c = g.login(user=APP_USER, password=APP_PASSWORD, database=APP_DB, timeout=3)
                c.query("select 1")
                c.end()

    threads = [threading.Thread(target=come_again) for _ in range(16)]
    for t in threads:
        t.start()
    try:
        time.sleep(0.5)
        started = time.monotonic()
        assert g.console(f"KILL {APP_DB}").tags == ["KILL"]
        assert time.monotonic() - started < 2
        assert g.console(f"RESUME {APP_DB}").tags == ["RESUME"]
    finally:
        is_over.set()
        for t in threads:
            t.join(20)


def test_kill_client(begin):
    g = begin()
    clients = [connect(g) for _ in range(5)]
    running = in_background(lambda: value(clients[2], "select 1 from pg_sleep(20)"))
    harness.wait_for(lambda: g.show("CLIENTS", phase="active", held_by="request"), what="the running client")
    victim = g.show("CLIENTS", held_by="request")[0]["id"]
    assert g.console(f"KILL_CLIENT {victim}").tags == ["KILL_CLIENT"]
    harness.wait_for(lambda: running, what="its end")
    assert isinstance(running[0], psycopg.OperationalError)
    for i in (0, 1, 3, 4):
        assert value(clients[i], "select %s::int", (i,)) == i
    assert g.console(f"KILL_CLIENT {victim}").errors[0].sqlstate == "42704"
    for wrong in ("x", "-1", "0", "1x"):
        assert g.console(f"KILL_CLIENT {wrong}").errors[0].sqlstate == "42601", wrong
    admin, other = boss(g), boss(g)
    ids = [r["id"] for r in g.show("CLIENTS", database="gilmok")]
    own = [admin.query(f"KILL_CLIENT {i}") for i in ids]
    assert sorted(r.errors[0].sqlstate if r.errors else "killed" for r in own) in (["0A000", "42704", "killed"], ["0A000", "killed", "killed"])
    with pytest.raises((pgwire.Closed, pgwire.PgError, IndexError)):
        other.ask("SHOW VERSION")
        other.ask("SHOW VERSION")
    for c in clients:
        c.close()


# ---- RELOAD ----


def notices(g, sql):
    with psycopg.connect(host="127.0.0.1", port=g.port, dbname="gilmok", autocommit=True, **BOSS) as c:
        said = []
        c.add_notice_handler(lambda d: said.append(d.message_primary))
        c.execute(sql)
        return said


def test_reload_says_what_changes(start):
    g = start(main=["workers = 2"], database=["server_user = app", f"server_password = {APP_PASSWORD}"])
    assert notices(g, "RELOAD") == []
    text = g.text.replace("workers = 2", "workers = 3").replace("pool_size = 4", "pool_size = 3", 1)
    text = text.replace("[database sessions]", "[database others]").replace(APP_PASSWORD, "a-canary")
    g.write("gilmok.conf", text + f"[user {APP_USER}]\npool_size = 2\n")
    g.write("users.txt", f'"{APP_USER}" "{APP_PASSWORD}"\n"boss" "boss-password"\n"stats" "another-canary"\n"new" "x"\n')
    said = notices(g, "RELOAD")
    assert set(said) == {
        "needs a restart: [gilmok] workers 2 -> 3",
        f"changed: [database {APP_DB}] pool_size 4 -> 3",
        f"changed: [database {APP_DB}] server_password",
        "added: [database others]",
        "removed: [database sessions]",
        f"added: [user {APP_USER}]",
        "changed: users: 1 added, 1 removed, 1 with another secret",
    }
    harness.wait_for(lambda: all(line in g.said() for line in said), what="the log")
    assert "canary" not in g.said()
    assert notices(g, "RELOAD") == ["needs a restart: [gilmok] workers 2 -> 3"]
    g.write("gilmok.conf", text + f"[user {APP_USER}]\npool_size = none\n")
    got = g.console("RELOAD")
    assert got.errors and "N" not in got.types


# ---- drivers, by simple and by extended queries ----

ALL = [f"SHOW {s}" for s in SHOWS]


def test_psycopg3(gilmok):
    with psycopg.connect(host="127.0.0.1", port=gilmok.port, dbname="gilmok", autocommit=True, **BOSS) as c:
        for prepare in (False, True):
            for sql in ALL:
                got = c.execute(sql, prepare=prepare)
                assert got.description and got.fetchall() is not None
        for _ in range(12):  # prepares by itself after a while
            assert c.execute("SHOW VERSION").fetchone()[0].startswith("gilmok ")
        with c.cursor(binary=True) as cursor:
            assert dict(cursor.execute("SHOW LISTS").fetchall())["databases"] == 2
        assert c.execute("SELECT 1").fetchone() == (1,)
        c.execute("SET application_name = 'x y'")
        assert c.execute("RECONNECT").statusmessage == "RECONNECT"
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="parameters"):
            c.execute("KILL_CLIENT %s", (1,))
        with pytest.raises(psycopg.errors.SyntaxError):
            c.execute("SHOW NOTHING", prepare=True)
        assert c.execute("SHOW VERSION", prepare=True).fetchone()
    with psycopg.connect(host="127.0.0.1", port=gilmok.port, dbname="gilmok", **BOSS) as c:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="no transactions"):
            c.execute("SHOW VERSION")


def test_psycopg3_pipeline(gilmok):
    with psycopg.connect(host="127.0.0.1", port=gilmok.port, dbname="gilmok", autocommit=True, **BOSS) as c:
        with c.pipeline():
            cursors = [c.execute(sql) for sql in ALL]
        for cursor, sql in zip(cursors, ALL):
            assert cursor.description, sql
        cursors[1].fetchall()


def test_psycopg2(gilmok):
    c = psycopg2.connect(host="127.0.0.1", port=gilmok.port, dbname="pgbouncer", **BOSS)
    c.set_session(autocommit=True)
    with c.cursor() as cursor:
        for sql in ALL:
            cursor.execute(sql)
            assert cursor.description
            cursor.fetchall()
        cursor.execute("SHOW LISTS")
        assert dict(cursor.fetchall())["databases"] == 2
    c.close()


def test_asyncpg(gilmok):
    async def work():
        c = await asyncpg.connect(host="127.0.0.1", port=gilmok.port, database="gilmok", **BOSS)
        for sql in ALL:
            await c.fetch(sql)
        assert (await c.fetchval("SHOW VERSION")).startswith("gilmok ")
        assert dict(await c.fetch("SHOW LISTS"))["databases"] == 2
        assert (await c.fetchrow("SHOW HELP"))["verb"] == "SHOW HELP"
        assert await c.execute("RECONNECT") == "RECONNECT"
        statement = await c.prepare("SHOW DATABASES")
        assert [a.type.name for a in statement.get_attributes()[:3]] == ["text", "text", "int8"]
        for _ in range(3):
            assert len(await statement.fetch()) == 2
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await c.fetch("SHOW NOTHING")
        await c.close()

    asyncio.run(work())


def test_psql(gilmok):
    got = flowtools.run(gilmok, "psql", "-X", "-At", "-c", "show lists", PGUSER="boss", PGPASSWORD="boss-password", PGDATABASE="pgbouncer")
    assert got.returncode == 0 and "databases|2" in got.stdout
