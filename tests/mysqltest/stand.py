#!/usr/bin/python3
"""A stand for MariaDB's own tests: a server, if need be a gilmok before it, and mysql-test-run, which plays one test at a time.

A stand owns its folder. Its server is on loopback, and begins anew from the template whenever a test has left something behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "script"))

import harness  # noqa: E402

SUITE = "/usr/share/mysql/mysql-test"
START_S, TEST_S = 60, 120
SCALE = float(os.environ.get("GILMOK_TEST_TIME_FACTOR", "1"))
VERDICT = re.compile(r"^main\.\S+ .*\[ (pass|fail|skipped) \]", re.M)
SAID_AT_SKIP = re.compile(r"^main\.\S+ .*\[ skipped \]\s*(.*)$", re.M)

# What the recorded results assume, of the suite's own include/default_mysqld.cnf, and little memory and waiting.
SETTINGS = """[mariadbd]
bind-address = 127.0.0.1
character-set-server = latin1
default-storage-engine = myisam
use_stat_tables = preferably
histogram_type = json_hb
local-infile = 1
log-bin-trust-function-creators = 1
sort_buffer_size = 256K
key_buffer_size = 1M
max_heap_table_size = 1M
performance_schema = OFF
innodb_buffer_pool_size = 16M
innodb_log_file_size = 10M
innodb_flush_log_at_trx_commit = 0
innodb_doublewrite = 0
"""

# Tests say which warnings of the server they expect; nobody reads its log here, but the procedure has to be there.
FIRST_SQL = """create database if not exists test;
create database mtr;
create procedure mtr.add_suppression(pattern text) begin end;
"""

# What of a server a test must leave as it was. A variable that counts or tells the time is none that somebody has set.
VOLATILE = "gtid|timestamp|server_uid|last_|pseudo_|error_count|warning_count|identity|insert_id|rand_seed|in_transaction"
LEFT_SQL = f"""select variable_name, global_value from information_schema.system_variables
    where global_value is not null and variable_name not rlike '{VOLATILE}' order by 1;
select schema_name, default_character_set_name, default_collation_name from information_schema.schemata order by 1;
select table_schema, table_name from information_schema.tables where table_schema in ('test', 'mtr') order by 1, 2;
select routine_schema, routine_name from information_schema.routines where routine_schema <> 'sys' order by 1, 2;
select event_schema, event_name from information_schema.events order by 1, 2;
checksum table mysql.global_priv, mysql.db, mysql.tables_priv, mysql.columns_priv, mysql.procs_priv, mysql.proxies_priv,
    mysql.roles_mapping, mysql.func, mysql.plugin, mysql.servers, mysql.help_topic, mysql.help_category, mysql.help_keyword,
    mysql.help_relation, mysql.time_zone, mysql.time_zone_name, mysql.time_zone_leap_second, mysql.table_stats,
    mysql.column_stats, mysql.index_stats;
"""


class Failed(Exception):
    """A server or a gilmok that does not start."""


def as_user(user):
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def make_folder(path, user):
    os.makedirs(path)
    os.chmod(path, 0o755)
    if user:
        os.chown(path, user.pw_uid, user.pw_gid)


def end(process):
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(START_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """A MariaDB in `folder`, which keeps its log there."""

    def __init__(self, folder, user):
        self.folder, self.user, self.process = folder, user, None
        self.data, self.socket, self.conf = f"{folder}/data", f"{folder}/s", f"{folder}/server.cnf"
        self.port = harness.free_port()
        self.env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"}
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(SETTINGS + f"datadir = {self.data}\nsocket = {self.socket}\nport = {self.port}\npid-file = {folder}/pid\n"
                    f"tmpdir = {folder}\nlog-error = {folder}/server.log\n")  # fmt: skip

    def make(self):
        """Its first data."""
        done = subprocess.run(
            ["mariadb-install-db", f"--defaults-file={self.conf}", "--auth-root-authentication-method=normal", "--skip-test-db"],
            env=self.env, capture_output=True, text=True, cwd="/", check=False, **as_user(self.user),
        )  # fmt: skip
        if done.returncode != 0:
            raise Failed(f"mariadb-install-db: {done.stdout}{done.stderr}")
        self.start()
        self.ask(FIRST_SQL)
        self.stop()

    def start(self):
        self.process = subprocess.Popen(
            ["mariadbd", f"--defaults-file={self.conf}"], env=self.env, cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_user(self.user),
        )  # fmt: skip
        until = time.monotonic() + START_S * SCALE
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise Failed(f"the server does not start: see {self.folder}/server.log")
            time.sleep(0.05)

    def is_ready(self):
        return os.path.exists(self.socket) and self.run_client("do 1").returncode == 0

    def stop(self):
        end(self.process)
        self.process = None

    def run_client(self, sql):
        return subprocess.run(["mariadb", "--no-defaults", "-N", "-B", "-uroot", "-S", self.socket], input=sql, capture_output=True,
                              text=True, errors="replace", check=False)  # fmt: skip

    def ask(self, sql):
        done = self.run_client(sql)
        if done.returncode != 0:
            raise Failed(f"the server does not answer: {done.stderr}")
        return done.stdout

    def traces(self):
        """What a test could leave behind, as text."""
        schemas = [entry for entry in os.scandir(self.data) if entry.is_dir() and entry.name not in ("mysql", "sys", "performance_schema")]
        return self.ask(LEFT_SQL) + "\n".join(sorted([*os.listdir(self.data), *(name for s in schemas for name in os.listdir(s))]))


class Gilmok:
    """One before `server`, which lets everybody in: who may not, the server says."""

    def __init__(self, folder, user, server, database):
        self.folder, self.server, self.user, self.process = folder, server, user, None
        self.port, self.console = harness.free_port(), harness.free_port()
        self.binary = f"{folder}/gilmok"
        shutil.copy(harness.BIN, self.binary)
        keys = "\n".join(["cluster = main", *database])
        self.write("gilmok.conf", f"""[gilmok]
listen = 127.0.0.1:{self.console}
listen_mysql = 127.0.0.1:{self.port}
mysql_server_version = 5.5.5-{server.ask("select version()").strip()}
client_auth = trust
workers = 1
[cluster main]
protocol = mysql
login_retry = 5ms
[node main/server]
host = 127.0.0.1
port = {server.port}
[database test]
{keys}
[database *]
{keys}
""")  # fmt: skip

    def write(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def start(self):
        with open(f"{self.folder}/gilmok.log", "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve", "-c", f"{self.folder}/gilmok.conf"], cwd="/", stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, **as_user(self.user))  # fmt: skip
        until = time.monotonic() + START_S * SCALE
        while not self.listens():
            if self.process.poll() is not None or time.monotonic() > until:
                raise Failed(f"gilmok does not start: {self.said()[-2000:]}")
            time.sleep(0.02)

    def listens(self):
        try:
            harness.socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except ConnectionRefusedError:
            return False

    def said(self):
        with open(f"{self.folder}/gilmok.log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        """Tells what is wrong with how it ended, or None."""
        if self.process is None:
            return None
        status = self.process.poll()
        if status is None:
            self.process.send_signal(signal.SIGINT)
            try:
                status = self.process.wait(START_S)
            except subprocess.TimeoutExpired:
                end(self.process)
                status = "no answer to SIGINT"
        self.process = None
        return None if status == 0 else f"gilmok ended with {status}"


class Stand:
    def __init__(self, folder, template, options=(), database=None):
        """`database`: lines for gilmok's sections of that name; without them there is no gilmok."""
        self.user, _ = harness.unprivileged()
        make_folder(folder, self.user)
        self.folder, self.template, self.options = folder, template, options
        self.server, self.gilmok = Server(folder, self.user), None
        self.complaints, self.is_fresh, self.clean, self.is_over, self.playing = [], False, None, False, None
        try:
            self.begin_anew()
            if database is not None:
                self.gilmok = Gilmok(folder, self.user, self.server, database)
                self.gilmok.start()
        except BaseException:
            self.stop()
            raise
        self.port = self.gilmok.port if self.gilmok else self.server.port

    def begin_anew(self):
        if self.is_over:
            raise Failed("it was ended")
        self.stop()
        shutil.rmtree(self.server.data, ignore_errors=True)
        subprocess.run(["cp", "-a", self.template, self.server.data], check=True)
        self.server.start()
        self.clean = self.server.traces()
        if self.gilmok:
            self.gilmok.start()

    def stop(self):
        wrong = self.gilmok.stop() if self.gilmok else None
        if wrong:
            self.complaints.append(wrong)
        self.server.stop()

    def break_off(self):
        """From another thread: the test that is played ends, and no other begins."""
        self.is_over = True
        playing = self.playing
        if playing and playing.poll() is None:
            os.killpg(playing.pid, signal.SIGKILL)

    def play(self, name):
        """(pass, fail, skipped or hang; what was said; seconds), of a test on a server that is as new."""
        if not self.is_clean():
            self.begin_anew()
        began = time.monotonic()
        command = ["perl", "./mysql-test-run.pl", "--extern", "host=127.0.0.1", "--extern", f"port={self.port}", "--extern", "protocol=tcp",
                   "--extern", "user=root", f"--vardir={self.folder}/var", "--force", "--nowarnings", *self.options, f"main.{name}"]  # fmt: skip
        process = subprocess.Popen(command, cwd=SUITE, env=self.server.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True, **as_user(self.user))  # fmt: skip
        self.playing = process
        try:
            said, _ = process.communicate(timeout=TEST_S * SCALE)
            found = VERDICT.search(said)
            verdict = found[1] if found else "fail"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, verdict = process.communicate()[0], "hang"
        with open(f"{self.folder}/{name}.out", "w", encoding="utf-8", errors="replace") as f:
            f.write(said)
        self.is_fresh = verdict == "pass"
        return verdict, said, time.monotonic() - began

    def is_clean(self):
        """Does the server look as it did when it was new? Who failed may have left what is not seen."""
        if self.clean is None:
            return False
        if self.gilmok and self.gilmok.process and self.gilmok.process.poll() is not None:
            return False
        try:
            return self.is_fresh and self.server.traces() == self.clean
        except Failed:
            return False
