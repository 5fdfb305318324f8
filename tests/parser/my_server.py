"""my_server.py - a MariaDB or MySQL server of one's own, on a unix socket, in a folder that goes with it.

MariaDB is Debian's mariadb-server-core, nothing else: its system tables are made from the SQL that comes with it. MySQL is in no
stable release; `corpus_my mysql` unpacks it with the libraries it needs, and it runs from there. Run by root the server belongs to
another user. It stops when the `with` block ends.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

DATABASE = "test"  # the current one of every question: without one many statements are refused before they are read
START_SECONDS = 60
USERS = ("mysql", "postgres", "nobody")  # the first that is there, when root asks


class ServerFailed(Exception):
    pass


class _Server:
    def __init__(self, state):
        self.folder = tempfile.mkdtemp(prefix="my-", dir=state)
        self.data = os.path.join(self.folder, "data")
        self.socket = os.path.join(self.folder, "s")
        self.process = None
        self.user = None
        if os.geteuid() == 0:
            entries = {entry.pw_name: entry for entry in pwd.getpwall()}
            self.user = next(entries[name] for name in USERS if name in entries)

    def __enter__(self):
        try:
            os.chmod(self.folder, 0o755)
            self.make_folder(self.folder)
            self.make_data()
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

    def make_folder(self, path):
        os.makedirs(path, exist_ok=True)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def popen(self, *options, **more):
        who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        command = [*self.command(), "--no-defaults", f"--datadir={self.data}", f"--tmpdir={self.folder}", *self.OPTIONS, *options]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **who, **more)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-10:])

    def _start(self):
        self.process = self.popen(f"--socket={self.socket}", f"--pid-file={self.folder}/pid", "--skip-networking",
                                  *self.START_OPTIONS, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while not os.path.exists(self.socket):
            if self.process.poll() is not None or time.monotonic() > until:
                raise ServerFailed(f"the server does not start:\n{self.log()}")
            time.sleep(0.05)

    @classmethod
    def version(cls):
        """(10, 11, 19)"""
        said = subprocess.run([*cls.command(), "--no-defaults", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
        return tuple(int(part) for part in re.search(r"Ver ([0-9]+)\.([0-9]+)\.([0-9]+)", said).groups())


class Mariadb(_Server):
    NAME, CORPUS, EXCEPTIONS = "MariaDB", "my.corpus", "exceptions_my.txt"
    WHENCE = "Debian: mariadb-server-core"
    OPTIONS = ("--log-warnings=0",)
    START_OPTIONS = ("--skip-grant-tables",)
    _SHARE = "/usr/share/mysql"
    _TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql", "fill_help_tables.sql")

    @staticmethod
    def command():
        """How it is called, or None where it is not there."""
        found = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        return [found] if found else None

    def make_data(self):
        self.make_folder(self.data)
        self.make_folder(self.data + "/mysql")
        bootstrap = self.popen("--bootstrap", stdin=subprocess.PIPE)
        try:
            with bootstrap.stdin as sql:
                sql.write(b"CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n")
                for name in self._TABLES:
                    with open(os.path.join(self._SHARE, name), "rb") as tables:
                        shutil.copyfileobj(tables, sql)
                sql.write(b"\nCREATE DATABASE %s;\n" % DATABASE.encode())
        except BrokenPipeError:
            pass  # its log tells why
        if bootstrap.wait() != 0:
            raise ServerFailed(f"the system tables cannot be made:\n{self.log()}")


class Mysql(_Server):
    NAME, CORPUS, EXCEPTIONS = "MySQL", "mysql.corpus", "exceptions_mysql.txt"
    WHENCE = "tests/parser/corpus_my mysql fetches it"
    _ROOT = os.path.join(os.environ.get("GILMOK_STATE") or f"/var/tmp/gilmok-{os.getuid()}", "mysql", "root", "usr")
    _LIBRARIES = _ROOT + "/lib/x86_64-linux-gnu"
    OPTIONS = (f"--basedir={_ROOT}", f"--lc-messages-dir={_ROOT}/share/mysql", f"--character-sets-dir={_ROOT}/share/mysql/charsets",
               f"--plugin-dir={_ROOT}/lib/mysql/plugin", "--secure-file-priv=", "--log-error-verbosity=1", "--mysqlx=0")
    START_OPTIONS = ("--performance-schema=OFF",)

    @classmethod
    def command(cls):
        """How it is called (by the loader that belongs to its libraries), or None where it is not there."""
        loader, program = cls._LIBRARIES + "/ld-linux-x86-64.so.2", cls._ROOT + "/sbin/mysqld"
        if not os.access(loader, os.X_OK) or not os.path.exists(program):
            return None
        return [loader, "--library-path", cls._LIBRARIES, "--argv0", program, program]

    def make_data(self):
        if self.popen("--initialize-insecure").wait() != 0:
            raise ServerFailed(f"the system tables cannot be made:\n{self.log()}")
        first = os.path.join(self.folder, "first.sql")
        with open(first, "w", encoding="ascii") as sql:
            sql.write(f"CREATE DATABASE {DATABASE};\n")
        self.START_OPTIONS += (f"--init-file={first}",)


SERVERS = {"mariadb": Mariadb, "mysql": Mysql}
