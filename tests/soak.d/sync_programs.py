"""Programs whose players are threads: psycopg2, psycopg 3, PostgreSQL's own tools, and one that speaks bytes and vanishes."""

import contextlib
import io
import os
import socket
import ssl
import struct
import subprocess
import time

import pgwire
import psycopg
import psycopg2
from players import Wrong, ThreadPlayer, check
from world import ACCOUNTS, APP_DB, APP_USER, BALANCE, PG_BIN

NAPS = 30
ZONES = ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/Lima"]


def lines_of(dice, count):
    return [(n, f"{dice.getrandbits(60):x} {'z' * (n % 90)}") for n in range(count)]


class Libpq(ThreadPlayer):
    """What psycopg2 and psycopg 3 have in common."""

    connection = None

    def leave(self):
        c, self.connection = self.connection, None
        if c is not None:
            c.close()

    def turn(self):
        if self.connection is None:
            self.doing = "connect"
            self.connection = self.connect(self.world.login(self.dice, self.name))
            self.counts["connects"] += 1
            self.state = {}
        self.do(self.ways)()
        self.right()
        if self.dice.random() < 0.04:
            self.doing = "leave"
            self.leave()

    def transfer(self):
        a, b = sorted(self.dice.sample(range(1, ACCOUNTS + 1), 2))
        self.begin()
        self.ask("update accounts set balance = balance - 1 where id = %s returning id", a)
        self.ask("update accounts set balance = balance + 1 where id = %s returning id", b)
        self.commit()
        got = self.ask("select sum(balance)::int from accounts")
        check(got == ACCOUNTS * BALANCE, "the sum of all accounts", got)

    def marker(self):
        want = f"{self.name}/{self.dice.getrandbits(40)}"
        got = self.ask("select %s::text", want)
        check(got == want, "somebody else's row", got, want)

    def settings(self):
        zone, mine = self.dice.choice(ZONES), f"m{self.dice.getrandbits(30)}"
        self.ask("select set_config('TimeZone', %s, false)", zone)
        self.ask("select set_config('soak.mine', %s, false)", mine)
        self.state = {"TimeZone": zone, "soak.mine": mine}

    def remembered(self):
        for name, want in self.state.items():
            got = self.ask("select current_setting(%s)", name)
            check(got == want, "a setting of the session", name, got, want)

    def own_table(self):
        """A temporary one, over several transactions."""
        n = self.dice.randrange(1, 500)
        self.run("create temp table soak_temp (n int)")
        self.run(f"insert into soak_temp select generate_series(1, {n})")
        check(self.ask("select count(*)::int from soak_temp") == n, "rows of the temporary table")
        self.run("drop table soak_temp")

    def mistakes(self):
        for sql, state in (("select 1 / 0", "22012"), ("select * from no_such_table", "42P01"), ("selec", "42601")):
            self.fails(sql, state)
        self.marker()

    def cancelled(self):
        self.fails(f"select pg_sleep({NAPS})", "57014", cancel=True)


class Psycopg2(Libpq):
    ways = ["transfer"] * 4 + ["marker"] * 6 + ["settings", "remembered", "own_table", "mistakes", "cancelled", "copy", "copy", "large"]

    def connect(self, how):
        c = psycopg2.connect(**how)
        c.autocommit = True
        return c

    def run(self, sql, *args):
        with self.connection.cursor() as cur:
            cur.execute(sql, args)

    def ask(self, sql, *args):
        with self.connection.cursor() as cur:
            cur.execute(sql, args)
            return cur.fetchone()[0]

    def begin(self):
        self.run("begin")

    def commit(self):
        self.run("commit")

    def fails(self, sql, state, cancel=False):
        try:
            with self.stage.cancelling(self.connection) if cancel else contextlib.nullcontext():
                self.run(sql)
        except psycopg2.Error as e:
            if e.pgcode != state:
                raise
        else:
            raise Wrong(f"no {state}: {sql}")

    def copy(self):
        rows = lines_of(self.dice, self.dice.randrange(10, 3000))
        text = "".join(f"{self.name}\t{n}\t{line}\n" for n, line in rows)
        with self.connection.cursor() as cur:
            cur.execute("begin; delete from lines where player = %s", [self.name])
            cur.copy_expert("copy lines from stdin", io.StringIO(text))
            out = io.StringIO()
            cur.copy_expert(f"copy (select * from lines where player = '{self.name}' order by n) to stdout", out)
            cur.execute("rollback")
        check(out.getvalue() == text, "COPY out is not what came in", len(out.getvalue()), len(text))

    def large(self):
        count, tail = self.dice.randrange(1000, 20000), "y" * 200
        with self.connection.cursor() as cur:
            cur.execute("select i, %s || i from generate_series(1, %s) i", [tail, count])
            got = cur.fetchall()
        check(got == [(i, f"{tail}{i}") for i in range(1, count + 1)], "a large result")


class Psycopg3(Libpq):
    ways = (
        ["transfer"] * 4 + ["marker"] * 4 + ["prepared"] * 6 + ["pipeline"] * 4 + ["settings", "remembered", "own_table", "mistakes"]
        + ["cancelled", "binary_copy", "server_cursor", "broken_pipeline", "heard", "heard"]
    )  # fmt: skip

    def connect(self, how):
        c = psycopg.connect(**how, autocommit=True, prepare_threshold=self.dice.choice([0, 1, 5, None]))
        c.prepared_max = 12
        return c

    def run(self, sql, *args):
        self.connection.execute(sql, args)

    def ask(self, sql, *args):
        return self.connection.execute(sql, args).fetchone()[0]

    def begin(self):
        self.run("begin")

    def commit(self):
        self.run("commit")

    def fails(self, sql, state, cancel=False):
        try:
            with self.stage.cancelling(self.connection) if cancel else contextlib.nullcontext():
                self.run(sql)
        except psycopg.Error as e:
            if e.sqlstate != state:
                raise
        else:
            raise Wrong(f"no {state}: {sql}")

    def statement(self):
        """One of a set that moves on with time: new texts come, old ones are never used again."""
        k = int(time.time() * 3) + self.dice.randrange(40)
        return k, f"select {k} + %s::int, '{k}'"

    def prepared(self):
        for _ in range(5):
            k, sql = self.statement()
            n = self.dice.randrange(1000)
            got = self.connection.execute(sql, [n], prepare=True).fetchone()
            check(got == (k + n, str(k)), "a prepared statement's row", got, k, n)

    def pipeline(self):
        wanted = [(*self.statement(), self.dice.randrange(1000)) for _ in range(20)]
        with self.connection.pipeline():
            cursors = [self.connection.execute(sql, [n]) for _, sql, n in wanted]
        for (k, _, n), cur in zip(wanted, cursors):
            got = cur.fetchone()
            check(got == (k + n, str(k)), "a pipeline's row", got, k, n)

    def broken_pipeline(self):
        try:
            with self.connection.pipeline():
                for sql in ("select 1", "select 1 / 0", "select 2"):
                    self.connection.execute(sql)
        except psycopg.errors.DivisionByZero:
            pass
        self.marker()
        self.leave()  # psycopg 3.1 then believes in statements that it has never prepared

    def binary_copy(self):
        rows = [(self.name, n, line) for n, line in lines_of(self.dice, self.dice.randrange(10, 1000))]
        with self.connection.transaction(force_rollback=True), self.connection.cursor() as cur:
            cur.execute("delete from lines where player = %s", [self.name])
            with cur.copy("copy lines from stdin (format binary)") as copy:
                copy.set_types(["text", "int4", "text"])
                for row in rows:
                    copy.write_row(row)
            mine = "select * from lines where player = %s order by n"
            with cur.copy(f"copy ({mine}) to stdout (format binary)", [self.name]) as copy:
                copy.set_types(["text", "int4", "text"])
                got = list(copy.rows())
        check(got == rows, "binary COPY out is not what came in", len(got), len(rows))

    def server_cursor(self):
        with self.connection.transaction(), self.connection.cursor("walk") as cur:
            cur.itersize = 50
            got = [r[0] for r in cur.execute("select generate_series(1, 400)")]
        check(got == list(range(1, 401)), "a cursor's rows")

    def heard(self):
        channel, said, got = f"soak_{self.number}", str(self.dice.getrandbits(40)), []
        c = self.connection
        c.add_notify_handler(hear := got.append)
        self.run(f"listen {channel}")
        self.ask("select 1 from pg_notify(%s, %s)", channel, said)
        end = time.monotonic() + 20
        while not any(n.payload == said for n in got):
            check(time.monotonic() < end, "a notification did not come", said, got)
            self.run("select 1")
            time.sleep(0.01)
        self.run("unlisten *")
        c.remove_notify_handler(hear)


class Tools(ThreadPlayer):
    """pgbench and psql, run as anybody runs them."""

    SCRIPT = (
        "\\set n random(1, 1000000000)\nselect :n as back \\gset\n\\if :back <> :n\nselect 'wrong answer'::int;\n\\endif\n"
        "begin;\nselect :n + 1 as more \\gset\nend;\n\\if :more <> :n + 1\nselect 'wrong answer'::int;\n\\endif\n"
    )

    def leave(self):
        pass

    def turn(self):
        self.do(["pgbench", "pgbench", "psql", "psql_copy"])()

    def start(self, program, *args, stdin=None):
        how = self.world.login(self.dice, self.name)
        names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD",
                 "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}  # fmt: skip
        env = {names[k]: str(v) for k, v in how.items() if k in names}
        env.update(PATH=os.environ["PATH"], LC_ALL="C.UTF-8")
        command = [os.path.join(PG_BIN, program), *args]
        return subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, timeout=50, check=False)

    def failed(self, done):
        if "wrong answer" in done.stderr:
            raise Wrong(done.stderr)
        raise psycopg.OperationalError(done.stderr)

    def pgbench(self):
        mode = self.dice.choice(["simple", "extended", "prepared"])
        path = os.path.join(self.world.dir, f"bench-{os.getpid()}-{self.number}.sql")
        with open(path, "w", encoding="ascii") as f:
            f.write(self.SCRIPT)
        often = ["-C"] if self.dice.random() < 0.3 else []
        done = self.start("pgbench", "-n", "-M", mode, "-f", path, "-c", "3", "-T", "3", *often)
        if done.returncode != 0 or "aborted" in done.stderr:
            self.failed(done)
        processed = [line for line in done.stdout.splitlines() if "actually processed" in line]
        self.right(2 * int(processed[0].split()[-1].split("/")[0]))

    def psql(self):
        n = self.dice.getrandbits(40)
        script = f"select {n};\nbegin;\nselect {n} + 7;\ncommit;\nselect repeat('x', 5);\n"
        done = self.start("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", stdin=script)
        if done.returncode != 0:
            self.failed(done)
        check(done.stdout == f"{n}\n{n + 7}\nxxxxx\n", "what psql printed", done.stdout, done.stderr)
        self.right(3)

    def psql_copy(self):
        rows = lines_of(self.dice, 200)
        text = "".join(f"{self.name}\t{n}\t{line}\n" for n, line in rows)
        script = f"begin;\ndelete from lines where player = '{self.name}';\n\\copy lines from stdin\n{text}\\.\n"
        script += f"\\copy (select * from lines where player = '{self.name}' order by n) to stdout\nrollback;\n"
        done = self.start("psql", "-Xq", "-v", "ON_ERROR_STOP=1", stdin=script)
        if done.returncode != 0:
            self.failed(done)
        check(done.stdout == text, "COPY of psql", len(done.stdout), len(text))
        self.right()


class Rude(ThreadPlayer):
    """Clients that vanish in the middle of something, with a reset; strangers, and those who know no better."""

    ways = ["half_packet", "half_tls", "half_scram", "half_message", "half_copy", "half_result", "half_pipeline", "half_transaction",
            "wrong_password", "stranger", "false_cancel", "nonsense"]  # fmt: skip
    wire = None

    def leave(self):
        w, self.wire = self.wire, None
        if w is not None:
            w.end(reset=True)

    def turn(self):
        self.do(self.ways)()
        self.leave()
        time.sleep(0.02)

    def open(self, is_logged_in=True, **more):
        user = more.pop("user", APP_USER)
        how = {"user": user, "password": self.world.passwords.get(user, "x"), "database": APP_DB, "timeout": 45, **more}
        self.wire = pgwire.Client(self.world.gilmok.port, **how)
        if is_logged_in:
            self.wire.login()
        return self.wire

    def half_packet(self):
        packet = pgwire.startup({"user": APP_USER, "database": APP_DB})
        self.open(False).send(packet[: self.dice.randrange(len(packet))])

    def half_tls(self):
        sock = socket.create_connection(("127.0.0.1", self.world.gilmok.port), timeout=20)
        try:
            sock.sendall(pgwire.SSL_REQUEST)
            if sock.recv(1) == b"S" and self.dice.random() < 0.7:
                context = ssl.create_default_context(cafile=self.world.ca.crt)
                context.wrap_socket(sock, server_hostname="127.0.0.1", do_handshake_on_connect=False).detach()
                sock.close()
                return
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            sock.close()

    def half_scram(self):
        c = self.open(False)
        c.send_startup()
        c.expect("R")
        c.send(pgwire.ScramClient("x").initial())
        if self.dice.random() < 0.5:
            c.expect("R")

    def half_message(self):
        c = self.open()
        whole = pgwire.query("select repeat('x', 100000)" + " " * self.dice.choice([10, 50000, 200000]))
        c.send(whole[: self.dice.randrange(1, len(whole))])

    def half_copy(self):
        c = self.open()
        c.send(pgwire.query("begin; copy lines from stdin"))
        while c.read()[0] not in "GZ":  # the server may have gone meanwhile
            pass
        c.send(pgwire.message("d", b"x\t1\tline\n" * 1000) * self.dice.randrange(1, 20) + b"d\0\0")

    def half_result(self):
        c = self.open()
        c.send(pgwire.query("select repeat('x', 1000) from generate_series(1, 30000)"))
        c.read()
        c.read()

    def half_pipeline(self):
        c = self.open()
        one = pgwire.parse("select $1::int", "s") + pgwire.bind([b"1"], name="s") + pgwire.execute()
        c.send(one + pgwire.message("H", b"") if self.dice.random() < 0.5 else one + pgwire.SYNC + one)
        time.sleep(self.dice.choice([0, 0.01]))

    def half_transaction(self):
        c = self.open()
        c.query("begin; update accounts set balance = balance + 1 where id = 1")
        time.sleep(self.dice.choice([0, 0.02]))

    def refused(self, state, **more):
        try:
            self.open(**more)
        except pgwire.PgError as e:
            if e.sqlstate != state:
                raise
            self.right()
        else:
            raise Wrong(f"let in: {more}")

    def wrong_password(self):
        self.refused("28P01", password="wrong")

    def stranger(self):
        self.refused("28000", user=f"stranger{self.dice.getrandbits(30)}")

    def false_cancel(self):
        w = self.wire = pgwire.Wire(socket.create_connection(("127.0.0.1", self.world.gilmok.port)), timeout=20)
        w.send(struct.pack(">III", 16, 80877102, self.dice.getrandbits(16)) + self.dice.randbytes(4))
        check(w.read_to_end() == b"", "an answer to a cancel request")

    def nonsense(self):
        c = self.open()
        c.send(b"\xff" + self.dice.randbytes(200))
        try:
            c.read_to_end()
        except pgwire.Closed:
            pass

