"""What stands still in a soak: the server with its users and tables, gilmok's files, and the ways to log in."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "script"), os.path.join(HERE, "..", "flow")]

import certs  # noqa: E402
import flowtools  # noqa: E402
import harness  # noqa: E402
from flowtools import APP_DB, APP_PASSWORD, APP_USER, PG_BIN, superuser, value  # noqa: E402

ACCOUNTS, BALANCE = 64, 1000
POOL_SIZE = 6
WORKERS = 2
# How many server connections of a user and a database stay when nobody is there: min_pool_size, and for lookups two of a worker.
REST = {APP_DB: 1, "auth_query of main": 2 * WORKERS, "auth_query of secure": 2 * WORKERS}
DATABASES = [APP_DB, "secure", "sessions", "shared"]
VERIFIER, ASKED, CERTIFIED, ASKER = "soak_verifier", "soak_asked", "soak_certified", "soak_asker"
USERS = [APP_USER, VERIFIER, ASKED, CERTIFIED]

HBA = """# TYPE   DATABASE  USER            ADDRESS       METHOD         OPTIONS
host      gilmok    boss            127.0.0.1/32  scram-sha-256
hostssl   all       soak_certified  127.0.0.1/32  cert           map=soak
host      all       @soak_users     127.0.0.1/32  scram-sha-256
host      "shop",secure,sessions,shared  /^soak_a.*d$  127.0.0.1/32  scram-sha-256
{more}host      all       all             all           reject
"""


class World:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="gilmok-soak-", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        self.passwords = {APP_USER: APP_PASSWORD, **{u: secrets.token_hex(12) for u in (VERIFIER, ASKED, CERTIFIED, ASKER)}}
        self.ca = certs.Authority(self.dir, "soak-ca")
        self.make_server()
        self.gilmok = self.make_gilmok()

    # ---- the server ----

    def make_server(self):
        with superuser() as su:
            data = value(su, "show data_directory")
            crt, key = self.ca.issue("primary", os.stat(data).st_uid)
            for name, setting in (("ssl_cert_file", crt), ("ssl_key_file", key), ("ssl", "on"), ("restart_after_crash", "on")):
                su.execute(f"alter system set {name} = '{setting}'")
            su.execute("select pg_reload_conf()")
            for user in (VERIFIER, ASKED, CERTIFIED, ASKER):
                su.execute(f"create role {user} login password '{self.passwords[user]}'")
            self.verifier = value(su, "select rolpassword from pg_authid where rolname = %s", [VERIFIER])
            su.execute(f"grant select on pg_catalog.pg_authid to {ASKER}")
            su.execute("create table accounts (id int primary key, balance int not null)")
            su.execute(f"insert into accounts select i, {BALANCE} from generate_series(1, {ACCOUNTS}) i")
            su.execute("create table lines (player text, n int, line text)")
            su.execute("create index on lines (player)")
            su.execute("grant all on accounts, lines to public")

    @staticmethod
    def restart_server(mode):
        _, prefix = harness.unprivileged()
        data, log = os.environ["PRIMARY_DATA"], os.environ["PRIMARY_LOG"]
        command = [*prefix, os.path.join(PG_BIN, "pg_ctl"), "-D", data, "-l", log, "-m", mode, "-t", "60", "-s", "-w", "restart"]
        subprocess.run(command, cwd="/", check=True, timeout=90, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    # ---- gilmok ----

    def make_gilmok(self):
        owner, _ = harness.unprivileged()
        crt, key = self.ca.issue("gilmok", owner.pw_uid if owner else None)
        self.pair = self.ca.issue("client", None, subject="/CN=soak of certified")
        asking = [f"auth_user = {ASKER}", "auth_password_file = asker.txt", f"auth_database = {APP_DB}", "auth_cache = 5s"]
        common = [f"pool_size = {POOL_SIZE}", "server_idle_timeout = 2s", "queue_timeout = 20s"]
        lines = "\n".join
        secure = ["[cluster secure]", *asking, "server_tls = verify-full", f"server_tls_ca_file = {self.ca.crt}", "login_retry = 50ms"]
        node = ["[node secure/a]", "host = 127.0.0.1", f"port = {flowtools.PRIMARY_PORT}"]
        tail = [*secure, *node]
        for name, *more in (("secure", "cluster = secure"), ("sessions", "cluster = main", "pool_mode = session"),
                            ("shared", "cluster = main", "listen = shared")):  # fmt: skip
            tail += [f"[database {name}]", f"server_database = {APP_DB}", *more, *common]
        return harness.Gilmok(
            flowtools.PRIMARY_PORT,
            main=[f"workers = {WORKERS}", "max_client_conn = 500", "hba_file = hba.conf", "ident_file = ident.conf", "client_tls = allow",
                  f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}", f"client_tls_ca_file = {self.ca.crt}",
                  "stats_period = 10s"],
            cluster=asking,
            database=[*common, f"min_pool_size = {REST[APP_DB]}"],
            tail=lines(tail),
            users={APP_USER: APP_PASSWORD, VERIFIER: self.verifier, CERTIFIED: self.passwords[CERTIFIED]},
            files={
                "asker.txt": self.passwords[ASKER] + "\n",
                "hba.conf": HBA.format(more=""),
                "soak_users": f"{APP_USER}\n{VERIFIER}\n",
                "ident.conf": 'soak  "/^soak of (.*)$"  "soak_\\1"\n',
            },
        )  # fmt: skip

    def reset_files(self):
        self.gilmok.write("gilmok.conf", self.gilmok.text)
        self.gilmok.write("hba.conf", HBA.format(more=""))

    def login(self, dice, name):
        """Keywords of libpq for one of the ways in."""
        user = dice.choice(USERS)
        tls = user == CERTIFIED or dice.random() < 0.4
        how = {
            "host": "127.0.0.1",
            "port": self.gilmok.port,
            "dbname": dice.choice(DATABASES),
            "user": user,
            "password": self.passwords[user],
            "sslmode": "verify-ca" if tls else "disable",
            "connect_timeout": "40",
            "application_name": name,
        }
        if tls:
            how["sslrootcert"] = self.ca.crt
        if user == CERTIFIED:
            how["sslcert"], how["sslkey"] = self.pair
        return how

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
