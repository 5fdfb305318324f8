"""Programs whose players are tasks: psycopg 3's asynchronous side, and asyncpg."""

import asyncio
import ssl
import time

import asyncpg
import psycopg
from players import TaskPlayer, Wrong, check
from world import ACCOUNTS, BALANCE


class AsyncPlayer(TaskPlayer):
    connection = None

    async def turn(self):
        if self.connection is None:
            self.doing = "connect"
            self.connection = await self.connect(self.world.login(self.dice, self.name))
            self.counts["connects"] += 1
        await self.do(self.ways)()
        self.right()
        if self.dice.random() < 0.03:
            self.doing = "leave"
            await self.leave()

    async def leave(self):
        c, self.connection = self.connection, None
        if c is not None:
            await self.close(c)

    async def abandon(self):
        c, self.connection = self.connection, None
        if c is not None:
            self.kill(c)

    def statement(self):
        k = int(time.time() * 2) + self.dice.randrange(60)
        return k, self.dice.randrange(1000)


class PsycopgAsync(AsyncPlayer):
    ways = ["marker"] * 4 + ["prepared"] * 4 + ["pipeline"] * 4 + ["transfer"] * 3 + ["cancelled", "row_by_row", "left_behind"]

    async def connect(self, how):
        c = await psycopg.AsyncConnection.connect(**how, autocommit=True, prepare_threshold=self.dice.choice([0, 2, None]))
        c.prepared_max = 8
        return c

    async def close(self, c):
        await c.close()

    def kill(self, c):
        c.pgconn.finish()

    async def ask(self, sql, *args, **more):
        cur = await self.connection.execute(sql, args, **more)
        return (await cur.fetchone())[0]

    async def marker(self):
        want = f"{self.name}/{self.dice.getrandbits(40)}"
        check(await self.ask("select %s::text", want) == want, "somebody else's row", want)

    async def prepared(self):
        for _ in range(4):
            k, n = self.statement()
            check(await self.ask(f"select {k} - %s::int", n, prepare=True) == k - n, "a prepared statement's row", k, n)

    async def pipeline(self):
        wanted = [self.statement() for _ in range(30)]
        async with self.connection.pipeline() as p:
            cursors = []
            for i, (k, n) in enumerate(wanted):
                cursors.append(await self.connection.execute(f"select {k} - %s::int", [n]))
                if i % 10 == 9:
                    await p.sync()
        got = [(await cur.fetchone())[0] for cur in cursors]
        check(got == [k - n for k, n in wanted], "a pipeline's rows", got, wanted)

    async def transfer(self):
        a, b = sorted(self.dice.sample(range(1, ACCOUNTS + 1), 2))
        async with self.connection.transaction():
            await self.ask("update accounts set balance = balance - 2 where id = %s returning 1", a)
            await self.ask("update accounts set balance = balance + 2 where id = %s returning 1", b)
        check(await self.ask("select sum(balance)::int from accounts") == ACCOUNTS * BALANCE, "the sum of all accounts")

    async def cancelled(self):
        try:
            asked = asyncio.create_task(self.ask("select pg_sleep(30)"))
            while not (await asyncio.wait([asked], timeout=0.2))[0]:
                await asyncio.to_thread(self.connection.cancel)
            await asked
        except psycopg.errors.QueryCanceled:
            return
        raise Wrong("a query that was cancelled went on")

    async def row_by_row(self):
        async with self.connection.cursor() as cur:
            n = 0
            async for row in cur.stream("select i, repeat('q', 500) from generate_series(1, 2000) i"):
                n += 1
                check(row == (n, "q" * 500), "a streamed row", row[0], n)
        check(n == 2000, "streamed rows", n)
        await self.marker()  # libpq 15 is still in single-row mode when a pipeline comes next

    async def left_behind(self):
        """A transaction that its client never ends."""
        await self.connection.execute("begin")
        await self.ask("select count(*) from accounts")
        await self.leave()


class Asyncpg(AsyncPlayer):
    ways = ["marker"] * 4 + ["prepared"] * 4 + ["transfer"] * 3 + ["cancelled", "copied", "walked", "heard", "many", "mistake"]

    async def connect(self, how):
        context = False
        if how["sslmode"] != "disable":
            context = ssl.create_default_context(cafile=how["sslrootcert"])
            if "sslcert" in how:
                context.load_cert_chain(how["sslcert"], how["sslkey"])
        return await asyncpg.connect(
            host=how["host"], port=how["port"], user=how["user"], password=how["password"], database=how["dbname"], ssl=context,
            timeout=40, server_settings={"application_name": self.name}, statement_cache_size=self.dice.choice([0, 5, 100]),
        )  # fmt: skip

    def kill(self, c):
        c.terminate()

    async def close(self, c):
        if self.dice.random() < 0.2:
            c.terminate()
        else:
            await c.close(timeout=10)

    async def marker(self):
        want = f"{self.name}/{self.dice.getrandbits(40)}"
        check(await self.connection.fetchval("select $1::text", want) == want, "somebody else's row", want)

    async def prepared(self):
        for _ in range(4):
            k, n = self.statement()
            got = await self.connection.fetchval(f"select {k} * $1::bigint", n)
            check(got == k * n, "a prepared statement's row", got, k, n)

    async def transfer(self):
        a, b = sorted(self.dice.sample(range(1, ACCOUNTS + 1), 2))
        async with self.connection.transaction():
            await self.connection.execute("update accounts set balance = balance - 3 where id = $1", a)
            await self.connection.execute("update accounts set balance = balance + 3 where id = $1", b)
        check(await self.connection.fetchval("select sum(balance) from accounts") == ACCOUNTS * BALANCE, "the sum of all accounts")

    async def cancelled(self):
        begin = time.monotonic()
        try:
            await self.connection.execute("select pg_sleep(30)", timeout=0.2)
        except (asyncio.TimeoutError, asyncpg.QueryCanceledError):
            check(time.monotonic() - begin < 25, "a query that was cancelled went on")
            return
        raise Wrong("a query that was cancelled went on")

    async def copy_in(self, rows):
        """asyncpg 0.27 waits for ever when its connection ends while it waits to write."""
        try:
            await asyncio.wait_for(self.connection.copy_records_to_table("lines", records=rows), 20)
        except asyncio.TimeoutError:
            if self.connection.is_closed():
                raise ConnectionResetError("connection was closed") from None
            raise Wrong("a COPY did not come to its end") from None

    async def copied(self):
        rows = [(self.name, n, "w" * (n % 70)) for n in range(self.dice.randrange(10, 2000))]
        tr = self.connection.transaction()
        await tr.start()
        await self.connection.execute("delete from lines where player = $1", self.name)
        await self.copy_in(rows)
        got = await self.connection.fetch("select * from lines where player = $1 order by n", self.name)
        await tr.rollback()
        check([tuple(r) for r in got] == rows, "COPY in", len(got), len(rows))

    async def walked(self):
        async with self.connection.transaction():
            got = [r[0] async for r in self.connection.cursor("select generate_series(1, 300)", prefetch=40)]
        check(got == list(range(1, 301)), "a cursor's rows")

    async def heard(self):
        channel, said = f"soak_async_{self.number}", str(self.dice.getrandbits(40))
        got = asyncio.get_running_loop().create_future()

        def listener(connection, pid, name, payload):
            if payload == said and not got.done():
                got.set_result(True)

        def ended(connection):
            if not got.done():
                got.set_exception(ConnectionResetError("connection was closed"))

        c = self.connection
        c.add_termination_listener(ended)
        await c.add_listener(channel, listener)
        await c.execute("select pg_notify($1, $2)", channel, said)
        try:
            await asyncio.wait_for(got, 20)
        except asyncio.TimeoutError:
            raise Wrong("a notification did not come") from None
        c.remove_termination_listener(ended)
        await c.remove_listener(channel, listener)

    async def many(self):
        got = await self.connection.fetch("select i, md5(i::text) from generate_series(1, 5000) i")
        check([r[0] for r in got] == list(range(1, 5001)), "many rows")

    async def mistake(self):
        try:
            await self.connection.fetchval("select 1 / $1::int", 0)
        except asyncpg.DivisionByZeroError:
            return
        raise Wrong("one divided by zero")
