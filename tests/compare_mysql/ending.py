#!/usr/bin/python3
"""What is asked at the end of a script: of each session all that it can see of itself, and then what all of them have left in tables."""

# Variables that no two connections agree about, or that others change.
OTHERS = ("pseudo_thread_id", "timestamp", "rand_seed1", "rand_seed2", "in_transaction", "last_gtid", "proxy_user", "external_user", "statement_id",
          "last_insert_id", "identity", "warning_count", "error_count",  # asked for in FIRST
          "collation_database", "character_set_database")  # COM_RESET_CONNECTION makes them the server's
NOT_OURS = " and ".join(f"variable_name not like '{p}'" for p in ("%gtid%", "wsrep%", "innodb%", "pseudo%", "aria%", "myisam%", "session_track%"))
VARIABLES = (
    f"select variable_name, variable_value from information_schema.session_variables where {NOT_OURS} "
    f"and variable_name not in ({', '.join(repr(v) for v in OTHERS)}) limit 2000"  # whatever sql_select_limit says
)
USER_VARIABLES = ("a", "b", "c", "d", "fv", "pv", "pw", "trg", "times")
# Each is about the last statement, and is one itself for the next question.
FIRST = (
    ("query", "select row_count(), found_rows(), last_insert_id(), @@identity, @@insert_id"),
    ("query", "select @@warning_count, @@error_count"),
    ("query", "show warnings"),
    ("query", "select last_insert_id()"),
)
SECOND = (
    ("query", "select @@in_transaction, @@autocommit, database(), @@sql_mode"),
    ("query", f"select {', '.join('@' + v for v in USER_VARIABLES)}"),
    ("query", VARIABLES),
    ("query", "select 'é', charset('x'), collation('x'), charset(@a), coercibility(@a), @a is null"),
    ("query", "select 'a' 'b', \"words\", 1 || 0"),
    ("query", "select @@timestamp < 1000000000, is_used_lock('{a}.x') = connection_id(), is_used_lock('{a}.y') = connection_id()"),
    ("query", "select * from tmp order by 1"),
    ("query", "select * from hidden_tmp"),
    ("query", "execute s1"),
    ("query", "execute s2 using @a"),
    ("query", "handler h read first"),
    ("execute", "p1", 0, ()),
    ("query", "select * from words; select 1"),
)
END_S = (("query", "commit"), ("query", "rollback"))


def questions(seed):
    """What counts of the last statement comes first, or it would be lost; then the rest; then an end to its transaction."""
    return (FIRST[seed % len(FIRST)], *SECOND, END_S[seed % 2])


def contents(clients):
    """Texts for somebody who sees all of it."""
    for i in range(clients):
        for table in (f"{{a}}.t{i}", f"{{a}}.u{i}", f"{{a}}.g{i}", f"{{b}}.t{i}", f"{{a}}.n{i}"):
            yield f"select * from {table} order by 1, 2"
    yield "select schema_name, default_collation_name from information_schema.schemata where schema_name like '{a}x_' order by 1"
    yield ("select table_schema, table_name, auto_increment from information_schema.tables where table_schema in ('{a}', '{b}') "
           "order by 1, 2")  # fmt: skip
