#!/usr/bin/python3
"""What random scripts need of the servers: databases alike for both sides, users, a gilmok with pools of one to three connections.

The environment holds a sandbox's `env` (deploy/README.md); GILMOK_BIN is the program."""

import os
import subprocess
import tempfile
import time

import harness
import pgwire
import play

HERE = os.path.dirname(os.path.abspath(__file__))
BOSS = "compare_boss"  # a superuser
RUN = os.getpid()  # in the names of databases, so that runs do not meet


def superuser(database):
    return pgwire.Client(*play.superuser_address(), "", database, timeout=60).login()


def run_all(client, *statements):
    for sql in statements:
        got = client.query(sql)
        if got.errors:
            raise got.errors[0]
    return got


def databases_of(process):
    return [f"compare_{RUN}_{side}_{process}" for side in ("direct", "shared")]


def drop_databases(su):
    """Those of runs that have ended, and this one's."""
    for (name,) in su.query("select datname from pg_database where datname ~ '^compare_[0-9]+_' order by 1").rows:
        pid = int(name.split("_")[1])
        if pid == RUN or not os.path.exists(f"/proc/{pid}"):
            run_all(su, f"drop database if exists {name} with (force)")


def prepare_servers(processes):
    """The template, and two databases for each process. Returns the passwords of the users."""
    su = superuser("postgres")
    app, password = os.environ["APP_USER"], os.environ["APP_PASSWORD"]
    assert app == "app", "the scripts name it"
    drop_databases(su)
    template, databases = f"compare_{RUN}_template", [name for k in range(processes) for name in databases_of(k)]
    for role in ("compare_reader", '"compare ""odd"""', "compare_stranger", BOSS):
        got = su.query(f"create role {role}")
        assert not got.errors or got.errors[0].sqlstate == "42710", got.errors[0]
    run_all(su, f'grant compare_reader, "compare ""odd""" to {app}', f"alter role {BOSS} superuser login password '{password}'",
            f"create database {template}")  # fmt: skip
    inside = superuser(template)
    with open(os.path.join(HERE, "setup.sql"), encoding="utf-8") as f:
        run_all(inside, f.read())
    inside.end()
    deadline = time.monotonic() + 10
    for name in databases:
        while su.query(f"create database {name} template {template}").errors:
            assert time.monotonic() < deadline, "the template is in use"
            time.sleep(0.05)
        run_all(su, f"alter database {name} set app.who = ''", f"alter database {name} set app.tenant = ''",
                f"grant create on database {name} to public")  # fmt: skip
    su.end()
    return {app: password, BOSS: password}


def server_settings():
    """Those that anybody may set: rows for settings.from_server()."""
    su = superuser("postgres")
    got = su.query("select name, vartype, min_val, max_val, enumvals::text[] from pg_settings where context = 'user' order by name")
    su.end()
    return [(n, k, low, high, words_of(w)) for n, k, low, high, w in got.rows]


def words_of(array):
    """The elements of an array of words, as the server prints it."""
    return (array or "{}").strip("{}").replace('"', "").split(",")


def is_key_known(line):
    """Does this gilmok accept the line in a section [database]?"""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as d:
        with open(os.path.join(d, "users.txt"), "w", encoding="utf-8") as f:
            f.write('"a" "b"\n')
        os.chmod(f.name, 0o600)
        conf = os.path.join(d, "gilmok.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("[gilmok]\nlisten = 127.0.0.1:6432\nuser_file = users.txt\n[cluster main]\n[node main/a]\nhost = 127.0.0.1\n"
                    f"[database shop]\ncluster = main\n{line}\n")  # fmt: skip
        return subprocess.run([os.environ["GILMOK_BIN"], "check", "-c", conf], capture_output=True, check=False).returncode == 0


def start_gilmok(passwords, shared_database, more=()):
    """`more`: lines for each database. One that hears for all clients has a connection of its own beside the pool's."""
    keys = ["queue_timeout = 8s", "pool_mode = transaction", *more, *(k for k in ("server_round_robin = on",) if is_key_known(k))]
    pins = [k for k in ("session_sequences = pin",) if is_key_known(k)]
    spare = "listen = shared" in more
    sections = [(f"{name}{n}", n + spare, lines) for n in (1, 2, 3) for name, lines in (("pool", []), ("sequences", pins))]
    tail = "".join(
        "\n".join([f"[database {name}]", "cluster = main", f"server_database = {shared_database}", f"pool_size = {n}", *keys, *lines, ""])
        for name, n, lines in sections
    )
    return harness.Gilmok(int(os.environ["PRIMARY_PORT"]), main=["workers = 1"], tail=tail, users=passwords)
