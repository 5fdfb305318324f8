#!/usr/bin/python3
"""psycopg 3 under asyncio: what its other half of the code does by itself."""

import asyncio

import psycopg

from check import CA, DATABASE, DEAD_PORT, OTHER_CA, PASSWORD, PORT, USER, Missing, equal, fails, feature, main, moved


async def connect(**more):
    return await psycopg.AsyncConnection.connect(**{"host": "127.0.0.1", "connect_timeout": 10, "autocommit": True, **more})


async def rows(c, sql, args=None, **more):
    return await (await c.execute(sql, args, **more)).fetchall()


@feature
async def login():
    async with await connect(application_name="features of psycopg") as c:
        equal(await rows(c, "select current_user::text, current_setting('application_name')"), [(USER, "features of psycopg")])
    with fails("password authentication failed"):
        await connect(password="wrong")


@feature
async def tls():
    async with await connect(host="localhost", sslmode="verify-full", sslrootcert=CA) as c:
        equal((c.pgconn.ssl_in_use, await rows(c, "select 1")), (True, [(1,)]))
    with fails("certificate verify failed"):
        await connect(host="localhost", sslmode="verify-full", sslrootcert=OTHER_CA)


@feature
async def hosts():
    url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{DEAD_PORT},127.0.0.1:{PORT}/{DATABASE}?target_session_attrs="
    for wanted in ("any", "read-write", "primary"):
        async with await psycopg.AsyncConnection.connect(url + wanted) as c:
            equal((await rows(c, "select 5"), c.info.port), ([(5,)], int(PORT)))
    with fails("server is not in hot standby mode"):
        await psycopg.AsyncConnection.connect(url + "standby")


@feature
async def prepared():
    async def client(i):
        async with await connect(prepare_threshold=1) as c:
            pids = set()
            for n in range(1, 9):
                for k in range(4):
                    got = (await rows(c, f"select name, {i}, {k}, pg_backend_pid() from feature_items where id = %s", (n,)))[0]
                    equal(got[:3], (f"item {n}", i, k))
                    pids.add((i, got[3]))
            return pids

    everybodys = await asyncio.gather(*(client(i) for i in range(8)))
    moved(set().union(*everybodys))


@feature
async def cursor():
    async def client(i):
        async with await connect(autocommit=False) as c, c.cursor(name="mine", scrollable=True) as cur:
            cur.itersize = 70
            await cur.execute("select %s + n from generate_series(1, 1000) n", (i * 10000,), binary=bool(i % 2))
            equal(await cur.fetchmany(5), [(i * 10000 + n,) for n in range(1, 6)])
            equal(await rows(c, "select 7"), [(7,)])
            equal([v async for (v,) in cur], [i * 10000 + n for n in range(6, 1001)])
            await cur.scroll(2, mode="absolute")
            equal(await cur.fetchone(), (i * 10000 + 3,))

    await asyncio.gather(*(client(i) for i in range(6)))


@feature
async def batch():
    async def client(i):
        async with await connect() as c:
            for n in range(5):
                async with c.pipeline() as p:
                    curs = [await c.execute("select %s::int, %s::text", (i * 1000 + k, f"{i} {n}")) for k in range(40)]
                    await p.sync()
                    curs += [await c.execute("select %s::int, %s::text", (i * 1000 + k, f"{i} {n}")) for k in range(40, 80)]
                equal([await cur.fetchone() for cur in curs], [(i * 1000 + k, f"{i} {n}") for k in range(80)])
                try:
                    async with c.pipeline():
                        await c.execute("select 1 / %s", (0,))
                        await c.execute("select 'never'")
                    raise AssertionError("no error")
                except psycopg.errors.DivisionByZero:
                    pass
                async with c.pipeline(), c.transaction():
                    await c.execute("insert into feature_items (id, name) values (%s, 'x')", (1000 + i,))
                    await c.execute("delete from feature_items where id = %s", (1000 + i,))

    await asyncio.gather(*(client(i) for i in range(6)))


@feature
async def copyin():
    async with await connect() as c, c.cursor() as cur:
        async with cur.copy("copy feature_items from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "numeric"])
            for i in range(2000, 4000):
                await copy.write_row((i, f"copied {i}", None))
        equal(await rows(c, "select count(*), min(name) from feature_items where id >= 2000"), [(2000, "copied 2000")])
        await c.execute("delete from feature_items where id >= 2000")
        with fails("22P02"):
            async with cur.copy("copy feature_items from stdin") as copy:
                await copy.write("no number\tx\t1\n")


@feature
async def copyout():
    async def client(i):
        async with await connect() as c, c.cursor() as cur:
            async with cur.copy(f"copy (select {i}, n from generate_series(1, 5000) n) to stdout (format binary)") as copy:
                copy.set_types(["int4", "int4"])
                equal([r async for r in copy.rows()], [(i, n) for n in range(1, 5001)])

    await asyncio.gather(*(client(i) for i in range(6)))


@feature
async def listen():
    async with await connect() as c, await connect() as other:
        await c.execute("listen feature_channel")

        async def notify():
            await asyncio.sleep(0.1)
            for i in range(3):
                await other.execute("select pg_notify('feature_channel', %s)", (f"payload {i} ü",))

        task, got = asyncio.create_task(notify()), []
        async for n in c.notifies():
            got.append((n.channel, n.payload))
            if len(got) == 3:
                break
        await task
        equal(got, [("feature_channel", f"payload {i} ü") for i in range(3)])
        await c.execute("unlisten *")
        equal(await rows(c, "select 2"), [(2,)])


@feature
async def cancel():
    async with await connect() as c, await connect() as other:
        for _ in range(2):
            asleep = asyncio.create_task(c.execute("select pg_sleep(20)"))
            await asyncio.sleep(0.2)
            c.cancel()
            with fails("57014"):
                await asyncio.wait_for(asleep, 10)
            equal((await rows(c, "select 3"), await rows(other, "select 4")), ([(3,)], [(4,)]))


@feature
async def transactions():
    async with await connect(autocommit=False) as c:
        await c.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
        await c.set_read_only(True)
        equal(await rows(c, "select current_setting('transaction_isolation'), current_setting('transaction_read_only')"), [("serializable", "on")])
        await c.rollback()
        await c.set_read_only(False)
        async with c.transaction():
            with fails("22012"):
                async with c.transaction():
                    await c.execute("delete from feature_items")
                    await c.execute("select 1 / 0")
            equal(await rows(c, "select count(*) from feature_items"), [(100,)])


@feature
async def pool():
    try:
        from psycopg_pool import AsyncConnectionPool
    except ImportError:
        raise Missing from None
    async with AsyncConnectionPool("host=127.0.0.1", min_size=2, max_size=8, timeout=20) as p:

        async def borrow(i):
            for n in range(10):
                async with p.connection() as c:
                    equal(await rows(c, "select %s, %s", (i, n)), [(i, n)])

        await asyncio.gather(*(borrow(i) for i in range(20)))


main(f"psycopg_(async) {psycopg.__version__}")
