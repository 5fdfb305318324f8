#!/usr/bin/python3
"""asyncpg: extended protocol only, binary, with and without its statement cache."""

import asyncio

import pytest

import flowtools

asyncpg = pytest.importorskip("asyncpg")


def address(gilmok, **more):
    return {
        "host": "127.0.0.1", "port": gilmok.port, "user": flowtools.APP_USER, "password": flowtools.APP_PASSWORD,
        "database": flowtools.APP_DB, "timeout": 15, "command_timeout": 15, **more,
    }  # fmt: skip


def run(work):
    return asyncio.run(asyncio.wait_for(work, 25))


CACHE = pytest.mark.parametrize("cache", [0, 100], ids=["no cache", "cache"])


@CACHE
def test_queries(gilmok, cache):
    async def work():
        c = await asyncpg.connect(**address(gilmok, statement_cache_size=cache))
        for i in range(5):
            assert await c.fetchval("select $1::int + $2::int", i, 2) == i + 2
        rows = await c.fetch("select i, i::text as t from generate_series(1, 2000) i")
        assert len(rows) == 2000 and rows[9]["t"] == "10"
        assert await c.execute("select 1") == "SELECT 1"
        assert await c.fetchval("select array[1, 2, null]::int[]") == [1, 2, None]
        with pytest.raises(asyncpg.DivisionByZeroError):
            await c.fetchval("select 1 / $1::int", 0)
        assert await c.fetchval("select 'after'") == "after"
        await c.close()

    run(work())


@CACHE
def test_transactions(gilmok, table, cache):
    async def work():
        c = await asyncpg.connect(**address(gilmok, statement_cache_size=cache))
        async with c.transaction():
            pids = {await c.fetchval("select pg_backend_pid()") for _ in range(4)}
            assert len(pids) == 1
            await c.execute("insert into flow_items values ($1, $2)", 3000, "asyncpg")
            with pytest.raises(asyncpg.UndefinedTableError):
                async with c.transaction():
                    await c.execute("select * from no_such_table")
            assert await c.fetchval("select count(*) from flow_items where id = 3000") == 1
            await c.execute("delete from flow_items where id = 3000")
        async with c.transaction():
            found = [r["i"] async for r in c.cursor("select i from generate_series(1, 300) i", prefetch=50)]
            assert found == list(range(1, 301))
        await c.close()

    run(work())


def test_copy(gilmok, table):
    async def work():
        import io

        c = await asyncpg.connect(**address(gilmok))
        async with c.transaction():
            assert await c.copy_records_to_table("flow_items", records=[(4000 + i, f"r{i}") for i in range(5000)]) == "COPY 5000"
            out = io.BytesIO()
            await c.copy_from_query("select name from flow_items where id = 4001", output=out)
            assert out.getvalue() == b"r1\n"
            await c.execute("delete from flow_items where id >= 4000")
        await c.close()

    run(work())


def test_thirty_clients_on_four_connections(gilmok):
    """Without a cache: thirty at once, and each gets its own rows."""

    async def client(i, pids):
        c = await asyncpg.connect(**address(gilmok, statement_cache_size=0))
        for n in range(10):
            row = await c.fetchrow("select $1::text as mark, pg_backend_pid() as pid", f"{i} {n}")
            assert row["mark"] == f"{i} {n}"
            pids.add(row["pid"])
            if n % 4 == 0:
                async with c.transaction():
                    assert await c.fetchval("select $1::text", f"in {i} {n}") == f"in {i} {n}"
            if n % 4 == 1:
                assert await c.fetchval(f"select '{i} {n}'") == f"{i} {n}"
        await c.close()

    async def work():
        pids = set()
        await asyncio.gather(*(client(i, pids) for i in range(30)))
        assert len(pids) <= 4

    run(work())


def test_thirty_clients_with_a_cache(gilmok):
    """Clients with cached statements keep their connection until they leave; the others wait for it, and nobody runs a
    foreign statement though all use the same names."""

    async def client(i):
        c = await asyncpg.connect(**address(gilmok, statement_cache_size=100))
        for n in range(6):
            assert await c.fetchval(f"select $1::text || ' of {i}-{n % 2}'", f"{n}") == f"{n} of {i}-{n % 2}"
        await c.close()

    async def work():
        await asyncio.gather(*(client(i) for i in range(30)))

    run(work())


def test_a_pool_of_asyncpg(gilmok):
    async def work():
        async with asyncpg.create_pool(**address(gilmok, statement_cache_size=0), min_size=8, max_size=8) as pool:

            async def ask(i):
                async with pool.acquire() as c:
                    return await c.fetchval("select $1::int", i)

            assert await asyncio.gather(*(ask(i) for i in range(100))) == list(range(100))

    run(work())


def test_executemany_and_prepared(gilmok, table):
    async def work():
        c = await asyncpg.connect(**address(gilmok))
        async with c.transaction():
            await c.executemany("insert into flow_items values ($1, $2)", [(6000 + i, str(i)) for i in range(300)])
            assert await c.fetchval("select count(*) from flow_items where id >= 6000") == 300
            await c.execute("delete from flow_items where id >= 6000")
        s = await c.prepare("select $1::int * 2")
        assert [await s.fetchval(i) for i in range(5)] == [0, 2, 4, 6, 8]
        await c.close()

    run(work())


def test_session_pool_with_listen(gilmok):
    async def work():
        c = await asyncpg.connect(**address(gilmok, database="sessions"))
        other = await asyncpg.connect(**address(gilmok))
        heard = asyncio.Queue()
        await c.add_listener("flow_async", lambda *a: heard.put_nowait(a[3]))
        await other.execute("select pg_notify('flow_async', 'hello')")
        assert await asyncio.wait_for(heard.get(), 5) == "hello"
        await c.close(), await other.close()

    run(work())
