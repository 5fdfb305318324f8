#!/usr/bin/python3
"""aiomysql, with its pool."""

import asyncio
import ssl
import warnings

import aiomysql
import pymysql

from look import CA, DATABASE, EMOJI, FOLDER, HOST, PASSWORD, PORT, USER, error, feature, main, see

warnings.simplefilter("ignore")


def options(**more):
    return {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "db": DATABASE, "autocommit": True, "charset": "utf8mb4",
            **({"ssl": ssl.create_default_context(cafile=CA)} if CA else {}), **more}  # fmt: skip


async def rows(c, sql, args=None):
    async with c.cursor() as cursor:
        await cursor.execute(sql, args)
        return await cursor.fetchall()


@feature
async def login():
    async with aiomysql.connect(**options()) as c:
        see(await rows(c, "select 1, current_user(), database(), @@character_set_client"))
    for wrong in ({"password": "wrong"}, {"user": "nobody"}):
        with error():
            await aiomysql.connect(**options(**wrong))


@feature
async def types():
    async with aiomysql.connect(**options()) as c:
        for row in await rows(c, "select * from d_types order by id"):
            see(row)


@feature
async def unicode():
    async with aiomysql.connect(**options()) as c:
        await rows(c, "insert into d_texts (t) values (%s)", (EMOJI,))
        see(await rows(c, "select t, length(t), t = %s from d_texts", (EMOJI,)))


@feature
async def results():
    async with aiomysql.connect(**options(client_flag=1 << 16)) as c, c.cursor() as cursor:
        for sql in ("select 1; select 'two', 2; do 1; select 3", "call d_two()"):
            await cursor.execute(sql)
            see(await cursor.fetchall())
            while await cursor.nextset():
                see(cursor.rowcount, cursor.description and await cursor.fetchall())
        await cursor.callproc("d_out", (21, 0, "x"))
        see(await cursor.fetchall(), await cursor.nextset())


@feature
async def keys():
    async with aiomysql.connect(**options()) as c, c.cursor() as cursor:
        for sql in ("insert into d_keys (v) values (1), (2)", "update d_keys set v = 7", "update d_keys set v = 7", "delete from d_keys"):
            await cursor.execute(sql)
            see(sql, cursor.rowcount, cursor.lastrowid)


@feature
async def transactions():
    async with aiomysql.connect(**options(autocommit=False)) as c, aiomysql.connect(**options()) as other:
        await c.begin()
        await rows(c, "insert into d_money values (1, 10)")
        see(await rows(other, "select * from d_money"))
        await c.rollback()
        await rows(c, "insert into d_money values (1, 11)")
        await c.commit()
        see(await rows(other, "select * from d_money"))


@feature
async def errors():
    async with aiomysql.connect(**options()) as c:
        for sql in ("selec", "select * from nowhere", "insert into d_money values (1, -1)", "signal sqlstate '45000' set mysql_errno = 30001", ""):
            with error():
                see(await rows(c, sql))
        see(await rows(c, "select 1"))


@feature
async def large():
    async with aiomysql.connect(**options()) as c:
        data = bytes(range(256)) * 4096
        await rows(c, "insert into d_large values (1, %s), (2, %s)", (data, data * 17))
        see(await rows(c, "select * from d_large"))


@feature
async def stream():
    async with aiomysql.connect(**options()) as c:
        async with c.cursor(aiomysql.SSCursor) as cursor:
            await cursor.execute("select seq, repeat('x', 500) from seq_1_to_5000")
            see(await cursor.fetchone(), len(await cursor.fetchmany(100)), len(await cursor.fetchall()))
        see(await rows(c, "select 1"))


@feature
async def ping():
    async with aiomysql.connect(**options()) as c:
        await c.ping()
        await c.select_db("information_schema")
        see(await rows(c, "select database()"))


@feature
async def pool():
    async with aiomysql.create_pool(minsize=1, maxsize=3, **options()) as connections:

        async def borrow(i):
            async with connections.acquire() as c:
                await rows(c, "set @a = %s", (i,))
                await asyncio.sleep(0.01)
                return (await rows(c, "select @a"))[0][0]

        see(await asyncio.gather(*(borrow(i) for i in range(12))))


@feature
async def infile():
    async with aiomysql.connect(**options(local_infile=True)) as c:
        with error():
            await rows(c, f"load data local infile '{FOLDER}/rows.txt' into table d_loaded")
        see(await rows(c, "select * from d_loaded"))


main(f"aiomysql {aiomysql.__version__}, PyMySQL {pymysql.__version__}")
