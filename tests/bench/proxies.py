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
    def __init__(self, name, port, pid=None, process=None):
        self.name, self.port, self.pid, self.process = name, port, pid, process

    def cpu_us(self):
        """CPU time of all threads in microseconds. The kernel scales utime+stime to this sum; this is not rounded to ticks."""
        if not self.pid:
            return 0.0
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
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


def start(name, port, command):
    def drop():
        if os.geteuid() == 0:
            user = pwd.getpwnam(ENV["SERVER_USER"])
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)

    with open(os.path.join(DIR, name + ".log"), "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=drop, cwd=DIR)
    for _ in range(100):
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


def fresh_gilmok(name, *more):
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
    return start(name, port, [ENV["GILMOK_BIN"], "serve", "-c", config])


def start_all(wanted):
    """Every target that can be had and is wanted, `direct` first."""
    os.makedirs(DIR, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(DIR, ENV["SERVER_USER"])
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
