#!/usr/bin/python3
"""SQLAlchemy over PyMySQL and mysqlclient: its types, pool with pre-ping, reflection, streaming."""

import sqlalchemy as sa
from sqlalchemy import orm

from look import CA, DATABASE, EMOJI, HOST, PASSWORD, PORT, USER, error, feature, main, see

DIALECTS = ("pymysql", "mysqldb")
Base = orm.declarative_base()


class Item(Base):
    __tablename__ = "alchemy_items"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.Unicode(100))
    data = sa.Column(sa.JSON)
    parent_id = sa.Column(sa.ForeignKey("alchemy_items.id"))
    parent = orm.relationship("Item", remote_side=[id])


def engine(dialect, **more):
    url = sa.engine.URL.create(f"mysql+{dialect}", USER, PASSWORD, HOST, PORT, DATABASE, {"charset": "utf8mb4"})
    return sa.create_engine(url, future=True, connect_args={"ssl": {"ca": CA}} if CA else {}, **more)


@feature
def login():
    for dialect in DIALECTS:
        e = engine(dialect)
        with e.connect() as c:
            see(c.execute(sa.text("select 1, current_user()")).all(), e.dialect.server_version_info, e.dialect.is_mariadb)


@feature
def types():
    for dialect in DIALECTS:
        table = sa.Table("d_money", sa.MetaData(), autoload_with=(e := engine(dialect)))
        see(table.columns.items(), sorted(str(c.sqltext) for c in table.constraints if isinstance(c, sa.CheckConstraint)))
        with e.connect() as c:
            see(c.execute(sa.text("select * from d_types order by id")).all())


@feature
def unicode():
    for dialect in DIALECTS:
        e = engine(dialect)
        Base.metadata.create_all(e)
        with orm.Session(e) as s:
            first = Item(name=EMOJI, data={"ü": [1, None]})
            s.add_all([first, Item(name="child", parent=first)])
            s.commit()
            see([(i.name, i.data, i.parent and i.parent.name) for i in s.scalars(sa.select(Item).order_by(Item.id))])
            see(s.execute(sa.update(Item).values(name="x")).rowcount, s.execute(sa.update(Item).values(name="x")).rowcount)
            s.rollback()
        Base.metadata.drop_all(e)


@feature
def transactions():
    for dialect in DIALECTS:
        e = engine(dialect, isolation_level="SERIALIZABLE")
        with e.connect() as c:
            see(c.get_isolation_level(), c.execute(sa.text("insert into d_money values (1, 10)")).rowcount)
            with c.begin_nested() as point:
                c.execute(sa.text("update d_money set v = 11"))
                point.rollback()
            see(c.execute(sa.text("select * from d_money")).all())
            c.rollback()
        with e.connect() as c:
            xa = c.begin_twophase("alchemy")
            c.execute(sa.text("insert into d_money values (2, 10)"))
            xa.prepare()
            xa.rollback()
            see(c.execute(sa.text("select * from d_money")).all())


@feature
def errors():
    for dialect in DIALECTS:
        with engine(dialect).connect() as c, error():
            c.execute(sa.text("insert into d_money values (1, -1)"))


@feature
def stream():
    for dialect in DIALECTS:
        with engine(dialect).connect().execution_options(yield_per=100) as c:
            see(sum(row[0] for row in c.execute(sa.text("select seq from seq_1_to_5000"))))


@feature
def pool():
    for dialect in DIALECTS:
        e = engine(dialect, pool_size=1, max_overflow=0, pool_pre_ping=True)
        with e.connect() as c:
            thread = c.execute(sa.text("select connection_id()")).scalar()
        with engine(dialect).connect() as other:
            other.execute(sa.text(f"kill {thread}"))
        with e.connect() as c:  # the ping finds out that it is dead
            see(c.execute(sa.text("select 1")).scalar())


@feature
def schema():
    for dialect in DIALECTS:
        found = sa.inspect(engine(dialect))
        see(sorted(found.get_table_names()), found.get_indexes("d_keys"), found.get_pk_constraint("d_keys"), found.get_check_constraints("d_money"))


main(f"SQLAlchemy {sa.__version__}")
