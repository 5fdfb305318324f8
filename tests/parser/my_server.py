"""my_server.py - a MariaDB server of one's own, on a unix socket, in a folder that goes with it.

It needs Debian's mariadb-server-core and nothing else: the system tables are made from the SQL that comes with it. Run by root
the server belongs to another user, as MariaDB should not be root's. It stops when the `with` block ends.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

SHARE = "/usr/share/mysql"
TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql", "fill_help_tables.sql")
DATABASE = "test"  # the current one of every question: without one many statements are refused before they are read
START_SECONDS = 30
USERS = ("mysql", "postgres", "nobody")  # the first that is there, when root asks


def program():
    """The server's program, or None where it is not installed."""
    return shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class ServerFailed(Exception):
    pass


class Server:
    def __init__(self, state):
        self.folder = tempfile.mkdtemp(prefix="my-", dir=state)
        self.socket = os.path.join(self.folder, "s")
        self.process = None
        self.user = None
        if os.geteuid() == 0:
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            self.user = next(names[name] for name in USERS if name in names)

    def __enter__(self):
        try:
            self._make_data()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _popen(self, *options, **more):
        who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        command = [program(), "--no-defaults", f"--datadir={self.folder}/data", f"--tmpdir={self.folder}", "--log-warnings=0", *options]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **who, **more)

    def _log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-10:])

    def _make_data(self):
        os.makedirs(os.path.join(self.folder, "data", "mysql"))
        os.chmod(self.folder, 0o755)
        if self.user:
            for path in (self.folder, self.folder + "/data", self.folder + "/data/mysql"):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        bootstrap = self._popen("--bootstrap", stdin=subprocess.PIPE)
        with bootstrap.stdin as sql:
            sql.write(b"CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n")
            for name in TABLES:
                with open(os.path.join(SHARE, name), "rb") as tables:
                    shutil.copyfileobj(tables, sql)
            sql.write(b"\nCREATE DATABASE %s;\n" % DATABASE.encode())
        if bootstrap.wait() != 0:
            raise ServerFailed(f"the system tables cannot be made:\n{self._log()}")

    def _start(self):
        self.process = self._popen(f"--socket={self.socket}", "--skip-networking", "--skip-grant-tables", stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while not os.path.exists(self.socket):
            if self.process.poll() is not None or time.monotonic() > until:
                raise ServerFailed(f"the server does not start:\n{self._log()}")
            time.sleep(0.05)
