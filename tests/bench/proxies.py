"""Starts one proxy of each kind before the same server, and reads what the kernel knows of it."""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

ENV = os.environ
USER, PASSWORD, DATABASE = ENV["APP_USER"], ENV["APP_PASSWORD"], ENV["APP_DB"]
PRIMARY_PORT = int(ENV["PRIMARY_PORT"])
DIR = os.path.join(ENV["SANDBOX_DIR"], "peers")
PEERS = ENV["PEERS_DIR"]
POOL = 16


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write(name, text):
    path = os.path.join(DIR, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    if os.geteuid() == 0:
        shutil.chown(path, ENV["SERVER_USER"])
    os.chmod(path, 0o600)
    return path


class Target:
    def __init__(self, name, port, pid=None, process=None, database=DATABASE):
        self.name, self.port, self.pid, self.process, self.database = name, port, pid, process, database

    def pids(self):
        """Its process, and those that it has started."""
        found = [self.pid] if self.pid else []
        for pid in found:
            for path in glob.glob(f"/proc/{pid}/task/*/children"):
                with open(path, encoding="ascii") as f:
                    found += [int(child) for child in f.read().split()]
        return found

    def cpu_us(self):
        """CPU time of all threads in microseconds. The kernel scales utime+stime to this sum; this is not rounded to ticks."""
        total = 0
        for pid in self.pids():
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                with open(path, encoding="ascii") as f:
                    total += int(f.read().split()[0])
        return total / 1000.0

    def rss_kb(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()


def start(name, port, command, patience=5):
    def drop():
        if os.geteuid() == 0:
            user = pwd.getpwnam(ENV["SERVER_USER"])
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)

    with open(os.path.join(DIR, name + ".log"), "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=drop, cwd=DIR)
    for _ in range(patience * 20):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return Target(name, port, process.pid, process)
        except OSError:
            time.sleep(0.05)
    process.kill()
    print(f"{name} did not start; see {DIR}/{name}.log")
    return None


def stored_verifier():
    """The server's own verifier of the user: with it PgBouncer derives no keys per login, as its manual advises."""
    command = [os.path.join(ENV["PG_BIN"], "psql"), "-X", "-A", "-t", "-h", ENV["SUPERUSER_SOCKET_DIR"], "-p", str(PRIMARY_PORT),
               "-U", ENV["SUPERUSER_USER"], "-d", "postgres", "-c",
               f"select rolpassword from pg_authid where rolname = '{USER}'"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def certificate():
    """One that nobody verifies, for cells with TLS: (certificate, key)."""
    crt, key = os.path.join(DIR, "bench.crt"), os.path.join(DIR, "bench.key")
    if not os.path.exists(crt):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=bench", "-keyout", key, "-out", crt], check=True, capture_output=True)  # fmt: skip
        if os.geteuid() == 0:
            shutil.chown(key, ENV["SERVER_USER"])
            shutil.chown(crt, ENV["SERVER_USER"])
        os.chmod(key, 0o600)
    return crt, key


def pgbouncer(name, command):
    port = free_port()
    crt, key = certificate()
    users = write(name + ".users", f'"{USER}" "{stored_verifier()}"\n')
    config = write(name + ".ini", f"""[databases]
{DATABASE} = host=127.0.0.1 port={PRIMARY_PORT} dbname={DATABASE}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {POOL}
{"max_prepared_statements = 200" if name != "pgbouncer" else ""}
max_client_conn = 20000
ignore_startup_parameters = extra_float_digits
client_tls_sslmode = allow
client_tls_cert_file = {crt}
client_tls_key_file = {key}
log_connections = 0
log_disconnections = 0
""")
    return start(name, port, command + [config])


def haproxy(binary, libraries):
    port = free_port()
    config = write("haproxy.cfg", f"""global
    nbthread 1
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen pg
    bind 127.0.0.1:{port}
    server primary 127.0.0.1:{PRIMARY_PORT}
""")
    return start("haproxy", port, ["/usr/bin/env", f"LD_LIBRARY_PATH={libraries}", binary, "-db", "-f", config])


def pgpool(binary, libraries, children):
    """It balances the reads of each statement over the replicas. As many processes as clients: each has one at a time."""
    port, pcp = free_port(), free_port()
    with open(os.path.join(ENV["SANDBOX_DIR"], "monitor.txt"), encoding="utf-8") as f:
        monitor_password = f.readline().strip()
    hba = write("pgpool.hba", "host all all 127.0.0.1/32 scram-sha-256\n")
    passwords = write("pgpool.passwords", f"{USER}:TEXT{PASSWORD}\n")
    nodes = "".join(f"""backend_hostname{i} = '127.0.0.1'
backend_port{i} = {ENV[name + "_PORT"]}
backend_weight{i} = {weight}
backend_flag{i} = 'DISALLOW_TO_FAILOVER'
""" for i, (name, weight) in enumerate((("PRIMARY", 0), ("REPLICA1", 1), ("REPLICA2", 1))))
    config = write("pgpool.conf", f"""backend_clustering_mode = 'streaming_replication'
listen_addresses = '127.0.0.1'
port = {port}
socket_dir = '{DIR}'
pcp_listen_addresses = '127.0.0.1'
pcp_port = {pcp}
pcp_socket_dir = '{DIR}'
wd_ipc_socket_dir = '{DIR}'
pid_file_name = '{DIR}/pgpool.pid'
logdir = '{DIR}'
{nodes}enable_pool_hba = on
pool_passwd = '{passwords}'
num_init_children = {children}
max_pool = 1
child_life_time = 0
connection_cache = on
load_balance_mode = on
statement_level_load_balance = on
sr_check_user = 'gilmok_monitor'
sr_check_password = '{monitor_password}'
sr_check_database = 'postgres'
search_primary_node_timeout = 10s
""")
    pcp_users = write("pgpool.pcp", "")
    return start("pgpool", port, ["/usr/bin/env", f"LD_LIBRARY_PATH={libraries}", binary, "-n", "-D", "-f", config, "-a", hba,
                                  "-F", pcp_users])  # fmt: skip


def fresh_gilmok(name, *more, wrapper=(), patience=5):
    """Another gilmok with the same configuration and more lines of [gilmok], whose memory nobody has used yet."""
    port = free_port()
    lines = []
    with open(ENV["GILMOK_CONF"], encoding="utf-8") as f:
        for line in f:
            key = line.split("=")[0].strip()
            if key in ("pid_file", "log_file"):
                continue
            lines.append(f"listen = 127.0.0.1:{port}\n" if key == "listen" else line)
            if key == "listen":
                lines += [f"{line}\n" for line in more]
    config = write(name + ".conf", "".join(lines))
    return start(name, port, [*wrapper, ENV["GILMOK_BIN"], "serve", "-c", config], patience)


def make_dir():
    os.makedirs(DIR, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(DIR, ENV["SERVER_USER"])


def start_split(wanted):
    """Databases of one gilmok (tests/bench/run has written them down) and pgpool-II."""
    make_dir()
    port, pid = int(ENV["GILMOK_PORT"]), int(ENV["GILMOK_PID"])
    found = [Target(name, port, pid, database=name) for name in ("pooled", "replicas", "split") if name in wanted]
    peer = os.path.join(PEERS, "pgpool")
    if os.path.exists(f"{peer}/.done") and "pgpool" in wanted:
        found.append(pgpool(f"{peer}/usr/sbin/pgpool", f"{peer}/usr/lib/x86_64-linux-gnu:{peer}/usr/lib", 72))
    return [t for t in found if t]


def start_mysql(wanted):
    """`direct` first: what the others are compared with is made there."""
    make_dir()
    found = [Target("direct", PRIMARY_PORT), Target("gilmok", int(ENV["GILMOK_MYSQL_PORT"]), int(ENV["GILMOK_PID"]))]
    ha = os.path.join(PEERS, "haproxy")
    if os.path.exists(f"{ha}/.done") and "haproxy" in wanted:
        found.append(haproxy(f"{ha}/usr/sbin/haproxy", f"{ha}/usr/lib/x86_64-linux-gnu"))
    return [t for t in found if t and t.name in ("direct", *wanted)]


def start_all(wanted):
    """Every target that can be had and is wanted, `direct` first."""
    make_dir()
    found = [Target("direct", PRIMARY_PORT), Target("gilmok", int(ENV["GILMOK_PORT"]), int(ENV["GILMOK_PID"]))]
    crt, key = certificate()
    if "gilmok-2" in wanted:
        found.append(fresh_gilmok("gilmok-2", "workers = 2"))
    if "gilmok-tls" in wanted:
        found.append(fresh_gilmok("gilmok-tls", "client_tls = allow", f"client_tls_cert_file = {crt}", f"client_tls_key_file = {key}"))
    lib = "usr/lib/x86_64-linux-gnu"
    old, new, ha = (os.path.join(PEERS, n) for n in ("pgbouncer", "pgbouncer-new", "haproxy"))
    if os.path.exists(f"{old}/.done") and "pgbouncer" in wanted:
        found.append(pgbouncer("pgbouncer", ["/usr/bin/env", f"LD_LIBRARY_PATH={old}/{lib}", f"{old}/usr/sbin/pgbouncer"]))
    if os.path.exists(f"{new}/.done") and "pgbouncer-new" in wanted:
        loader = glob.glob(f"{new}/{lib}/ld-linux*.so.2")
        if loader:
            found.append(pgbouncer("pgbouncer-new", [loader[0], "--library-path", f"{new}/{lib}", f"{new}/usr/sbin/pgbouncer"]))
    if os.path.exists(f"{ha}/.done") and "haproxy" in wanted:
        found.append(haproxy(f"{ha}/usr/sbin/haproxy", f"{ha}/{lib}"))
    return [t for t in found if t and t.name in wanted]
