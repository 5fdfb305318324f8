#!/usr/bin/python3
"""SQLAlchemy over psycopg2 and asyncpg: its statement cache, insertmanyvalues, stream_results, pools, the ORM's units of work."""

import asyncio
import datetime
import decimal
import uuid

import asyncpg
import psycopg2
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID, insert
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session, declarative_base
from sqlalchemy.pool import NullPool

from check import CA, DATABASE, DEAD_PORT, OTHER_CA, PASSWORD, PORT, TWO_PHASES, USER, Missing, equal, fails, feature, main, moved

Base = declarative_base()


class Item(Base):
    __tablename__ = "feature_items"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String)
    v = sa.Column(sa.Numeric)


class Key(Base):
    __tablename__ = "feature_keys"
    id = sa.Column(sa.Integer, primary_key=True)


ITEMS = Item.__table__
WHERE = f"{USER}:{PASSWORD}@127.0.0.1:{PORT}/{DATABASE}"


def engine(where=WHERE, **more):
    return sa.create_engine(f"postgresql+psycopg2://{where}", **more)


def async_engine(where=WHERE, **more):
    return create_async_engine(f"postgresql+asyncpg://{where}", **more)


@feature
def login():
    with engine(connect_args={"application_name": "features of SQLAlchemy"}).connect() as c:
        equal(tuple(c.execute(sa.text("select current_user::text, current_setting('application_name')")).one()), (USER, "features of SQLAlchemy"))
    with fails("password authentication failed"):
        engine(f"{USER}:wrong@127.0.0.1:{PORT}/{DATABASE}").connect()


@feature
def tls():
    where = f"{USER}:{PASSWORD}@localhost:{PORT}/{DATABASE}?sslmode=verify-full&sslrootcert="
    with engine(where + CA).connect() as c:
        equal((c.connection.dbapi_connection.info.ssl_in_use, c.scalar(sa.text("select 1"))), (True, 1))
    with fails("certificate verify failed"):
        engine(where + OTHER_CA).connect()


@feature
def hosts():
    e = engine(f"{USER}:{PASSWORD}@/{DATABASE}?host=127.0.0.1:{DEAD_PORT}&host=127.0.0.1:{PORT}&target_session_attrs=read-write")
    with e.connect() as c:
        equal(c.scalar(sa.text("select 5")), 5)


@feature
def settings():
    some = [engine(connect_args={"options": f"-c search_path=s{i},public"}, isolation_level="AUTOCOMMIT").connect() for i in range(5)]
    pids = set()
    for n in range(5):
        some[n].execute(sa.text("begin; select 1"))
        for i, c in enumerate(some):
            got = c.execute(sa.text("select current_setting('search_path'), current_setting('transaction_isolation'), pg_backend_pid()")).one()
            equal(tuple(got)[:2], (f"s{i},public", "read committed"))
            pids.add((i, got[2]))
        some[n].execute(sa.text("commit"))
    moved(pids)


@feature
async def types():
    when = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.timezone.utc)
    some = {sa.Integer(): 1, sa.BigInteger(): 2**40, sa.Float(53): 1.5, sa.Numeric(): decimal.Decimal("12345.6789"), sa.Boolean(): True,
            sa.Text(): "ä€𝄞'\\", sa.LargeBinary(): b"\x00\xff'", sa.DateTime(timezone=True): when, sa.Date(): when.date(),
            UUID(as_uuid=True): uuid.UUID(int=77), ARRAY(sa.Integer): [1, None, 3], JSONB(): {"a": [1, "ü"]},
            sa.Interval(): datetime.timedelta(days=1, hours=2), sa.String(): None}  # fmt: skip
    sql = sa.select(*(sa.cast(sa.bindparam(None, v, kind), kind) for kind, v in some.items()))
    with engine().connect() as c:
        for _ in range(3):
            equal(tuple(c.execute(sql).one()), tuple(some.values()))
    e = async_engine()
    async with e.connect() as c:
        for _ in range(3):
            equal(tuple((await c.execute(sql)).one()), tuple(some.values()))
    await e.dispose()


@feature
async def prepared():
    """asyncpg's statements under SQLAlchemy's own cache of texts."""
    pids, e = set(), async_engine(pool_size=8)

    async def client(i):
        async with e.execution_options(isolation_level="AUTOCOMMIT").connect() as c:
            for n in range(1, 9):
                got = (await c.execute(sa.select(ITEMS.c.name, sa.literal(i), sa.func.pg_backend_pid()).where(ITEMS.c.id == n))).one()
                equal(tuple(got)[:2], (f"item {n}", i))
                pids.add((i, got[2]))

    await asyncio.gather(*(client(i) for i in range(8)))
    await e.dispose()
    moved(pids)


@feature
async def cursor():
    """stream_results: a named cursor, or a portal."""
    sql = sa.text("select n from generate_series(1, 3000) n")
    with engine().connect() as one, engine().connect() as two:
        results = [c.execution_options(stream_results=True, yield_per=70).execute(sql) for c in (one, two)]
        for r in results:
            equal([v for (v,) in r.fetchmany(3)], [1, 2, 3])
        for r in results:
            equal([v for part in r.scalars().partitions(100) for v in part], list(range(4, 3001)))
    e = async_engine()
    async with e.connect() as c:
        equal([v async for (v,) in await c.stream(sql)], list(range(1, 3001)))
    await e.dispose()


@feature
async def batch():
    e = engine(executemany_mode="values_plus_batch")
    with e.begin() as c:
        c.execute(insert(ITEMS), [{"id": 1000 + i, "name": f"b{i}"} for i in range(3000)])
        c.execute(sa.update(ITEMS).where(ITEMS.c.id == sa.bindparam("which")), [{"which": 1000 + i, "v": i} for i in range(300)])
        equal(c.execute(sa.text("select count(*), sum(v) from feature_items where id >= 1000")).one(), (3000, sum(range(300))))
        c.execute(insert(ITEMS).values(id=1, name="taken").on_conflict_do_update(index_elements=["id"], set_={"name": "item 1"}))
        equal(c.execute(sa.delete(ITEMS).where(ITEMS.c.id >= 1000)).rowcount, 3000)
    e = async_engine()
    async with e.begin() as c:
        await c.execute(sa.insert(ITEMS), [{"id": 1000 + i, "name": f"b{i}"} for i in range(300)])
        equal((await c.execute(sa.delete(ITEMS).where(ITEMS.c.id >= 1000))).rowcount, 300)
    await e.dispose()


@feature
def copyout():
    raw = engine().raw_connection()
    with raw.cursor() as cur, open("/dev/null", "w", encoding="utf-8") as out:
        cur.copy_expert("copy (select n from generate_series(1, 20000) n) to stdout", out)
        equal(cur.rowcount, 20000)
    raw.close()


@feature
def transactions():
    e = engine(isolation_level="REPEATABLE READ")
    with Session(e) as one, Session(engine()) as two:
        first = one.get(Item, 1)
        equal(first.name, "item 1")
        two.get(Item, 1).name = "changed"
        two.commit()
        with fails("could not serialize"), one.begin_nested():
            first.name = "mine"
            one.flush()
        equal(one.scalar(sa.select(Item.name).where(Item.id == 1)), "item 1")
        with one.begin_nested() as nested:
            one.add(Item(id=500, name="nested"))
            one.flush()
            nested.rollback()
        one.commit()
        two.get(Item, 1).name = "item 1"
        two.commit()
        equal(one.scalar(sa.select(sa.func.count()).select_from(ITEMS)), 100)
    with e.connect().execution_options(isolation_level="SERIALIZABLE", postgresql_readonly=True, postgresql_deferrable=True) as c:
        equal(tuple(c.execute(sa.text("select current_setting('transaction_isolation'), current_setting('transaction_read_only')")).one()),
              ("serializable", "on"))  # fmt: skip


@feature
def keys():
    with Session(engine()) as s:
        some = [Key() for _ in range(20)]
        s.add_all(some)
        s.flush()
        equal(sorted(k.id for k in some), sorted(s.scalars(sa.select(Key.id))))


@feature
def twophase():
    if not TWO_PHASES:
        raise Missing
    e = engine()
    with e.connect() as c:
        t = c.begin_twophase("feature_sa")
        c.execute(sa.update(ITEMS).where(ITEMS.c.id == 7).values(v=7))
        t.prepare()
        t.commit()
    with e.connect() as c:
        equal(c.scalar(sa.select(ITEMS.c.v).where(ITEMS.c.id == 7)), 7)
        equal(c.recover_twophase(), [])


@feature
async def errors():
    with engine().connect() as c:
        with fails("feature_items_pkey"):
            c.execute(sa.insert(ITEMS).values(id=1, name="taken"))
        c.rollback() if hasattr(c, "rollback") else None
        equal(c.scalar(sa.text("select 8")), 8)
    e = async_engine()
    async with e.connect() as c:
        with fails("feature_items_pkey"):
            await c.execute(sa.insert(ITEMS).values(id=1, name="taken"))
        await c.rollback()
        equal(await c.scalar(sa.text("select 8")), 8)
    await e.dispose()


@feature
async def pool():
    """Pre-ping and the reset at return; and no pool at all."""
    for e in (async_engine(pool_size=8, pool_pre_ping=True), async_engine(poolclass=NullPool)):

        async def borrow(i):
            for n in range(3):
                async with e.connect() as c:  # noqa: B023
                    equal(tuple((await c.execute(sa.text("select cast(:i as int), cast(:n as int)"), {"i": i, "n": n})).one()), (i, n))

        await asyncio.gather(*(borrow(i) for i in range(12)))
        await e.dispose()


main(f"SQLAlchemy {sa.__version__}, psycopg2 {psycopg2.__version__.split()[0]}, asyncpg {asyncpg.__version__}")
