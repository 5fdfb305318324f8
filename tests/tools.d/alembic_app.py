#!/usr/bin/python3
"""Alembic's revisions up and down, one transaction for all or one for each, with a part outside of any, and what it finds out by
comparing models with the database. A program for tools.py: prints what it sees; its database is that of PGHOST and
so on, its folder the current one."""

import os
import sys

import sqlalchemy as sa

ENV = """
import os
import sqlalchemy as sa
from alembic import context
from alembic_app import metadata_of, url

opts = dict(target_metadata=metadata_of(os.environ.get("MODELS", "2")), compare_type=True, compare_server_default=True,
            transaction_per_migration="EACH" in os.environ)
if context.is_offline_mode():
    context.configure(url=url(), literal_binds=True, **opts)
    with context.begin_transaction():
        context.run_migrations()
else:
    with sa.create_engine(url(), poolclass=sa.pool.NullPool).connect() as connection:
        if "LOCK" in os.environ:
            connection.execute(sa.text("set lock_timeout to '20s'"))
            connection.execute(sa.text("select pg_advisory_lock(99)"))
        context.configure(connection=connection, **opts)
        with context.begin_transaction():
            context.run_migrations()
        if "LOCK" in os.environ:
            connection.execute(sa.text("select pg_advisory_unlock(99)"))
"""
REVISIONS = {
    "001": """
    op.execute("set local search_path to public")
    op.create_table("item", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("name", sa.String(40), nullable=False),
                    sa.Column("colour", sa.Enum("red", "green", name="colour"), server_default="red"))
    op.bulk_insert(sa.table("item", sa.column("name", sa.String)), [{"name": f"item {i}"} for i in range(50)])
    if "LOCK" in os.environ: op.execute("select pg_sleep(1)")
    """,
    "002": """
    op.add_column("item", sa.Column("size", sa.Numeric(8, 2)))
    op.get_bind().execute(sa.text("update item set size = id / 4.0"))
    for row in op.get_bind().execute(sa.text("select id, name from item where id < 3 order by id")):
        op.get_bind().execute(sa.text("update item set name = :n where id = :i").bindparams(n=row[1] + "!", i=row[0]))
    op.alter_column("item", "size", nullable=False, server_default="0")
    with op.batch_alter_table("item") as batch:
        batch.create_check_constraint("size_is_positive", "size >= 0")
    """,
    "003": """
    with op.get_context().autocommit_block():
        op.execute("create index concurrently item_name on item (name)")
        op.execute("alter type colour add value 'blue'")
    op.execute("insert into item (name, colour) values ('new', 'blue')")
    op.create_table("note", sa.Column("item_id", sa.BigInteger, sa.ForeignKey("item.id", ondelete="CASCADE")),
                    sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now()))
    """,
}
BACK = {
    "001": "op.drop_table('item'); op.execute('drop type colour')", "003": "op.drop_table('note'); op.drop_index('item_name')",
    "002": "op.drop_constraint('size_is_positive', 'item'); op.drop_column('item', 'size')",
}  # fmt: skip


def url():
    e = os.environ
    return f"postgresql+psycopg2://{e['PGUSER']}:{e['PGPASSWORD']}@{e['PGHOST']}:{e['PGPORT']}/{e['PGDATABASE']}"


def metadata_of(models):
    """What the models say: not quite what the revisions make."""
    m = sa.MetaData()
    sa.Table(
        "item", m, sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("name", sa.Text, nullable=False, index=True),
        sa.Column("colour", sa.Enum("red", "green", name="colour"), server_default="green"), sa.Column("more", sa.JSON),
    )  # fmt: skip
    sa.Table("other", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("item_id", sa.ForeignKey("item.id")))
    return m


def set_up():
    from alembic.config import Config

    os.makedirs("env/versions", exist_ok=True)
    head = "import os\nimport sqlalchemy as sa\nfrom alembic import op\n"
    for (name, text), before in zip(REVISIONS.items(), [None, *REVISIONS]):
        with open(f"env/versions/{name}.py", "w", encoding="utf-8") as f:
            f.write(f"{head}revision, down_revision = '{name}', {before!r}\ndef upgrade():{text}\ndef downgrade():\n    {BACK[name]}\n")
    with open("env/env.py", "w", encoding="utf-8") as f:
        f.write(ENV)
    with open("env/script.py.mako", "w", encoding="utf-8") as f:
        f.write("# ${message}\nrevision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}\ndef upgrade():\n    ${upgrades if upgrades else 'pass'}\n")
    config = Config(stdout=sys.stdout)
    config.set_main_option("script_location", "env")
    return config


def show(engine):
    with engine.connect() as c:
        inspected = sa.inspect(c)
        for table in sorted(inspected.get_table_names()):
            print(table, [(x["name"], str(x["type"]), x["nullable"], x["default"]) for x in inspected.get_columns(table)])
            print(inspected.get_indexes(table), inspected.get_foreign_keys(table), inspected.get_check_constraints(table))
            print(c.execute(sa.text(f"select md5(string_agg(t::text, '' order by t::text)) from {table} t where '{table}' <> 'note'")).fetchall())


def main(how):
    import alembic.command

    config, engine = set_up(), sa.create_engine(url(), pool_pre_ping=True)
    if how == "together":
        os.environ["LOCK"] = "1"
        alembic.command.upgrade(config, "002")
        return
    alembic.command.upgrade(config, "002")
    show(engine)
    alembic.command.downgrade(config, "base")
    os.environ["EACH"] = "1"
    alembic.command.upgrade(config, "head")
    show(engine)
    alembic.command.current(config, verbose=False)
    alembic.command.revision(config, "found", autogenerate=True, rev_id="004")
    with open("env/versions/004_found.py", encoding="utf-8") as f:
        print(f.read())
    os.remove("env/versions/004_found.py")
    alembic.command.downgrade(config, "-1")
    alembic.command.upgrade(config, "002:003", sql=True)
    alembic.command.stamp(config, "001")
    try:
        alembic.command.upgrade(config, "head")
    except sa.exc.ProgrammingError as e:
        print(str(e).splitlines()[0])
    alembic.command.current(config)
    show(engine)


if __name__ == "__main__":
    main(sys.argv[1])
