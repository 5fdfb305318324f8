#!/usr/bin/python3
"""asyncpg: the extended protocol in binary, a statement cache of its own, portals as cursors, binary COPY, a pool that resets."""

import asyncio
import datetime
import decimal
import ssl
import uuid

import asyncpg

from check import CA, DATABASE, DEAD_PORT, OTHER_CA, PASSWORD, PORT, USER, equal, fails, feature, main, moved


async def connect(**more):
    return await asyncpg.connect(**{"host": "127.0.0.1", "timeout": 10, "ssl": "disable", **more})


class Some:
    """Clients for as long as the block lasts."""

    def __init__(self, count, **more):
        self.count, self.more = count, more

    async def __aenter__(self):
        self.clients = [await connect(**self.more) for _ in range(self.count)]
        return self.clients if self.count > 1 else self.clients[0]

    async def __aexit__(self, *_):
        for c in self.clients:
            await c.close()


def plain(rows):
    return [tuple(r) for r in rows]


def trusting(ca):
    return ssl.create_default_context(cafile=ca)


@feature
async def login():
    async with Some(1, server_settings={"application_name": "features of asyncpg"}) as c:
        equal(plain(await c.fetch("select current_user::text, current_setting('application_name')")), [(USER, "features of asyncpg")])
    with fails("28P01"):
        await connect(password="wrong")
    with fails("3D000"):
        await connect(database="nowhere_at_all")


@feature
async def tls():
    async with Some(1, host="localhost", ssl=trusting(CA)) as c:
        equal((c._transport.get_extra_info("ssl_object").version()[:3], await c.fetchval("select 1")), ("TLS", 1))
    async with Some(1, dsn=f"postgresql://localhost:{PORT}/{DATABASE}?sslmode=verify-full&sslrootcert={CA}", ssl=None, host=None) as c:
        equal(await c.fetchval("select 1"), 1)
    with fails("certificate verify failed"):
        await connect(host="localhost", ssl=trusting(OTHER_CA))
    with fails("certificate"):
        await connect(host="127.0.0.1", ssl=trusting(CA))


@feature
async def hosts():
    async with Some(1, dsn=f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{DEAD_PORT},127.0.0.1:{PORT}/{DATABASE}", host=None) as c:
        equal((await c.fetchval("select 5"), str(c._addr[1])), (5, PORT))


@feature
async def settings():
    some = [await connect(server_settings={"search_path": f"s{i}", "app.mine": str(i)}) for i in range(5)]
    for i, c in enumerate(some):
        await c.execute(f"set timezone to 'Etc/GMT+{i}'")
    pids = set()
    for n in range(5):
        holder = some[n]  # somebody else has to do without this one's server connection
        await holder.execute("begin; select 1")
        for i, c in enumerate(some):
            got = await c.fetchrow("select current_setting('search_path'), current_setting('app.mine'), pg_backend_pid()")
            equal(tuple(got)[:2], (f"s{i}", str(i)))
            equal((c.get_settings().TimeZone, await c.fetchval("show timezone")), (f"Etc/GMT+{i}", f"Etc/GMT+{i}"))
            pids.add((i, got[2]))
        await holder.execute("commit")
    for c in some:
        await c.close()
    moved(pids)


@feature
async def binary():
    when = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.timezone.utc)
    some = [("int", 1), ("bigint", 2**40), ("float8", 1.5), ("numeric", decimal.Decimal("12345.6789")), ("bool", True), ("text", "ä€𝄞'\\"),
            ("bytea", b"\x00\xff'"), ("timestamptz", when), ("date", when.date()), ("uuid", uuid.UUID(int=77)), ("int[]", [1, None, 3]),
            ("text[]", ["a,b", '"']), ("interval", datetime.timedelta(days=1, hours=2)), ("int4range", asyncpg.Range(1, 5)),
            ("jsonb", '{"a": [1, "ü"]}'), ("point", asyncpg.Point(1, 2)), ("text", None)]  # fmt: skip
    async with Some(5, server_settings={"jit": "off"}) as clients:  # its questions about types would be compiled, a second each
        for _ in range(4):
            for c in clients:
                sql = "select " + ", ".join(f"${i}::{kind}" for i, (kind, _) in enumerate(some, 1))
                equal(tuple(await c.fetchrow(sql, *(v for _, v in some))), tuple(v for _, v in some))
                equal(await c.fetchval("select array_agg((id, name)) from feature_items where id < $1", 3), [(1, "item 1"), (2, "item 2")])
                equal(await c.fetchval("select i from feature_items i where id = $1", 4), (4, "item 4", 6))
        await clients[0].set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=lambda v: ("decoded", v))
        equal(await clients[0].fetchval("select '[1]'::jsonb"), ("decoded", "[1]"))


@feature
async def large():
    async with Some(1) as c:
        for _ in range(3):
            equal(await c.fetchrow("select length($1), repeat('y', 3000000)", "x" * 3_000_000), (3_000_000, "y" * 3_000_000))


@feature
async def prepared():
    pids = set()

    async def client(i):
        async with Some(1, statement_cache_size=3) as c:
            kept = await c.prepare(f"select {i}, name from feature_items where id = $1")
            for n in range(1, 9):
                for k in range(4):  # one more than are kept
                    got = await c.fetchrow(f"select name, {i}, {k}, pg_backend_pid() from feature_items where id = $1", n)
                    equal(tuple(got)[:3], (f"item {n}", i, k))
                    pids.add((i, got[3]))
                equal(tuple(await kept.fetchrow(n)), (i, f"item {n}"))
            await c.reload_schema_state()
            equal(await c.fetchval("select $1::int", 5), 5)

    await asyncio.gather(*(client(i) for i in range(8)))
    moved(pids)


@feature
async def cursor():
    async def client(i):
        async with Some(1) as c, c.transaction():
            got = []
            async for (v,) in c.cursor("select $1::int + n from generate_series(1, 1000) n", i * 10000, prefetch=70):
                got.append(v)
                if len(got) % 300 == 0:
                    equal(await c.fetchval("select 7"), 7)
            equal(got, [i * 10000 + n for n in range(1, 1001)])
            cur = await c.cursor("select n from generate_series(1, 100) n")
            equal(plain(await cur.fetch(3)), [(1,), (2,), (3,)])
            equal((await cur.forward(10), await cur.fetchrow()), (10, (14,)))

    await asyncio.gather(*(client(i) for i in range(6)))


@feature
async def batch():
    async with Some(2) as (c, other):
        await c.executemany("insert into feature_items (id, name) values ($1, $2)", [(1000 + i, f"b{i}") for i in range(3000)])
        equal(await other.fetchval("select count(*) from feature_items where id >= 1000"), 3000)
        with fails("23505"):
            await c.executemany("insert into feature_items (id, name) values ($1, $2)", [(5000, "x"), (1, "taken"), (5001, "y")])
        equal(await other.fetchval("select count(*) from feature_items where id >= 5000"), 0)  # all or nothing
        equal(await c.execute("delete from feature_items where id >= $1", 1000), "DELETE 3000")


@feature
async def copyin():
    async with Some(1) as c:
        rows = [(i, f"copied {i}", None) for i in range(2000, 7000)]
        equal(await c.copy_records_to_table("feature_items", records=rows), "COPY 5000")
        equal(await c.fetchrow("select count(*), min(name) from feature_items where id >= 2000"), (5000, "copied 2000"))

        async def text():
            yield b"no number\tx\t1\n"

        with fails("22P02"):
            await c.copy_to_table("feature_items", source=text())
        await c.execute("delete from feature_items where id >= 2000")


@feature
async def copyout():
    async with Some(2) as (c, other):
        parts = []

        async def take(data):
            parts.append(data)

        await c.copy_from_query("select n, 'row ' || n from generate_series(1, $1::int) n", 20000, output=take, format="csv")
        equal(b"".join(parts).decode(), "".join(f"{n},row {n}\n" for n in range(1, 20001)))
        equal(await other.copy_from_table("feature_items", output=take), "COPY 100")


@feature
async def listen():
    async with Some(3) as (c, deaf, other):
        heard, got = asyncio.Event(), []

        def take(_connection, _pid, channel, payload):
            got.append((channel, payload))
            heard.set() if len(got) == 3 else None

        await c.add_listener("feature_channel", take)
        for i in range(3):
            await other.execute("select pg_notify('feature_channel', $1)", f"payload {i} ü")
            equal(await deaf.fetchval("select 1"), 1)
        await asyncio.wait_for(heard.wait(), 10)
        equal(got, [("feature_channel", f"payload {i} ü") for i in range(3)])
        await c.remove_listener("feature_channel", take)
        await other.execute("notify feature_channel, 'late'")
        equal((await c.fetchval("select pg_sleep(0.2)::text || 'x'"), len(got)), ("x", 3))


@feature
async def cancel():
    async with Some(2) as (c, other):
        for _ in range(2):
            try:
                await c.fetch("select pg_sleep(20)", timeout=0.3)
                raise AssertionError("not ended")
            except asyncio.TimeoutError:
                pass
            equal((await c.fetchval("select 3"), await other.fetchval("select 4")), (3, 4))
        asleep = asyncio.create_task(c.fetch("select pg_sleep(20)"))
        await asyncio.sleep(0.2)
        asleep.cancel()
        try:
            await asleep
        except asyncio.CancelledError:
            pass
        equal(await c.fetchval("select 5"), 5)


@feature
async def transactions():
    async with Some(2) as (c, other):
        async with c.transaction(isolation="serializable", readonly=True, deferrable=True):
            equal(tuple(await c.fetchrow("select current_setting('transaction_isolation'), current_setting('transaction_read_only')")),
                  ("serializable", "on"))  # fmt: skip
        async with c.transaction(isolation="repeatable_read"):
            equal(await c.fetchval("select name from feature_items where id = 1"), "item 1")
            await other.execute("update feature_items set name = 'changed' where id = 1")
            with fails("40001"):
                async with c.transaction():
                    await c.execute("update feature_items set name = 'mine' where id = $1", 1)
            equal(await c.fetchval("select name from feature_items where id = 1"), "item 1")
        equal(await other.execute("update feature_items set name = 'item 1' where id = 1"), "UPDATE 1")


@feature
async def errors():
    async with Some(1) as c:
        for _ in range(3):
            try:
                await c.execute("insert into feature_items values ($1, 'x', 0)", 1)
                raise AssertionError("no error")
            except asyncpg.UniqueViolationError as e:
                equal((e.constraint_name, e.table_name, e.detail), ("feature_items_pkey", "feature_items", "Key (id)=(1) already exists."))
            with fails("22012"):
                await c.fetchval("select 1 / $1::int", 0)
            with fails("42703"):
                await c.fetchval("select nothing_like_it, $1::int", 0)
        got = []
        c.add_log_listener(lambda _c, m: got.append((m.severity, m.message)))
        await c.execute("do $$ begin raise notice 'heard'; raise warning 'twice'; end $$")
        equal((await c.fetchval("select 8"), got), (8, [("NOTICE", "heard"), ("WARNING", "twice")]))


@feature
async def pool():
    async with asyncpg.create_pool(host="127.0.0.1", min_size=2, max_size=8, ssl="disable", max_queries=50) as p:

        async def borrow(i):
            for n in range(10):
                async with p.acquire(timeout=20) as c:
                    equal(await c.fetchval("show work_mem"), "4MB")
                    equal(tuple(await c.fetchrow("select $1::int, $2::int", i, n)), (i, n))
                    await c.execute("set work_mem to '9MB'")

        await asyncio.gather(*(borrow(i) for i in range(20)))


main(f"asyncpg {asyncpg.__version__}")
