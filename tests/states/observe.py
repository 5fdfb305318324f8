#!/usr/bin/python3
"""What a client can see of its session, as one statement that changes nothing, and how two answers differ.

The statement names only what gilmok knows to leave nothing, so that asking makes nobody look. The names of the settings stand in a
table: as an array in the text the server would spend most of its time on reading them."""

import re

import pgwire

TEMP_SCHEMA = re.compile(r"pg_temp_[0-9]+")
# It stays among the schemas when what was in it is gone: docs/compatibility.md.
AMONG_SCHEMAS = re.compile(r"(?<=\{)pg_temp_[0-9]+,|,pg_temp_[0-9]+(?=[,}])")
TABLE = "public.state_names"
# What keeps a server connection for its client, beside being no superuser any more (stage.py).
HOLDS = """exists (select from pg_catalog.pg_depend where refclassid = 2615 and refobjid = pg_my_temp_schema())
 or exists (select from pg_lock_status() l where l.locktype = 'advisory' and l.pid = pg_backend_pid())
 or exists (select from pg_listening_channels()) or exists (select from pg_cursor() c where c.is_holdable)
 or exists (select from pg_prepared_statement() p where p.from_sql)
 or current_setting('temp_buffers') <> '{temp_buffers}'
 or length(current_setting('app.who', true)) <> octet_length(current_setting('app.who', true))"""
REST = {
    "current_user": "current_user",
    "session_user": "session_user",
    "current_schemas": "current_schemas(true)",
    "channels": "(select string_agg(c, ', ' order by c) from pg_listening_channels() c)",
    "cursors": "(select string_agg(concat_ws(' ', c.name, c.statement, c.is_scrollable), ', ' order by c.name) from pg_cursor() c where c.is_holdable)",
    "locks": """(select string_agg(concat_ws(' ', l.classid, l.objid, l.objsubid, l.mode), ', ' order by l.classid, l.objid, l.mode)
        from pg_lock_status() l where l.locktype = 'advisory' and l.pid = pg_backend_pid())""",
    "temporary": """(select string_agg(pg_describe_object(classid, objid, objsubid), ', ' order by classid, objid) from pg_catalog.pg_depend
        where refclassid = 2615 and refobjid = pg_my_temp_schema() and classid <> 1247)""",
}
QUICK = 3  # so many of them are asked for each time
# With what RESET would bring, behind a tab; that of application_name is the connection's own.
ALL = """(select string_agg(s.name || '=' || coalesce(s.setting, '-') || E'\\t' || case s.name when 'application_name' then '' else coalesce(s.reset_val, '-') end, E'\\n')
    from pg_show_all_settings() s)"""


class Questions:
    """The statements, for settings of these names, which everybody may read: quick, whole, and with all of pg_settings. Each says
    what the one before it says, and more."""

    def __init__(self, names, custom, temp_buffers, with_channels=True):
        listed = ",".join([*names, *custom, "role", "session_authorization", "is_superuser"])
        settings = f"(select string_agg(coalesce(current_setting(n, true), '(none)'), E'\\n') from {TABLE})"
        rest = [sql if with_channels or name != "channels" else "''" for name, sql in REST.items()]
        self.quick = pgwire.query(f"select {settings}, {', '.join(rest[:QUICK])}")
        self.whole = pgwire.query(f"select {settings}, {', '.join(rest)}")
        self.full = pgwire.query(f"select {settings}, {', '.join(rest)}, {ALL}")
        self.holds = pgwire.query(f"select {HOLDS.format(temp_buffers=temp_buffers)}")
        self.listed = listed.split(",")

    def prepare(self, client):
        """The table, in this client's database: on one page or two, which are read one row behind the other."""
        names = ", ".join(f"('{n}')" for n in self.listed)
        for sql in (f"create table {TABLE} (n) with (parallel_workers = 0) as select n::text from (values {names}) v (n)",
                    f"grant select on {TABLE} to public", f"vacuum analyze {TABLE}"):  # fmt: skip
            for error in client.query(sql).errors:
                raise error

    def parts(self, body):
        """name -> what an answer says of it."""
        values = pgwire.row_values(body)
        found = dict(zip(self.listed, (values[0] or "").split("\n")))
        found.update((f"({n})", v) for n, v in zip(REST, values[1:]))
        if len(values) > len(REST) + 1:
            found.update(("pg_settings " + line.split("=", 1)[0], line) for line in values[-1].split("\n"))
        return found

    def differing(self, a, b, at_start):
        """The parts that differ, as (name, one, other); of two answers to the same question. pg_settings may tell another
        value for RESET of those `at_start`, which the client's startup packet has set."""
        a, b = self.parts(a), self.parts(b)
        for name in at_start:
            for parts in (a, b):
                line = parts.pop(f"pg_settings {name}", None)
                parts[f"pg_settings {name}"] = line and line.split("\t")[0]
        return [(n, a.get(n), b.get(n)) for n in {**a, **b} if a.get(n) != b.get(n) and not self.are_quotes_alone(n, a.get(n), b.get(n))]

    @staticmethod
    def are_quotes_alone(name, a, b):
        """It is written down as quote_all_identifiers was when it was set, here or there."""
        return "default_text_search_config" in name and (a or "").replace('"', "") == (b or "").replace('"', "")

    @staticmethod
    def settings(body):
        """The values of the settings `listed`, as bytes."""
        return body[6 : 6 + int.from_bytes(body[2:6], "big")].split(b"\n")


def without_number(value):
    """A column of a DataRow, without what differs in names of the schema for temporary objects."""
    if value is None:
        return b"\xff" * 4
    text = TEMP_SCHEMA.sub("pg_temp_N", AMONG_SCHEMAS.sub("", value)).encode()
    return len(text).to_bytes(4, "big") + text


def canonical(message):
    """A message of a step without what must differ: which temporary schema, numbers of tables, whose words an error has."""
    kind, body = message
    if kind == "E":
        return kind, pgwire.cstr("C" + pgwire.error_fields(body).get("C", ""))
    if kind in "Tt":
        return kind, b"\0\0"
    if kind == "D" and b"pg_temp_" in body:
        return kind, body[:2] + b"".join(without_number(v) for v in pgwire.row_values(body))
    return message
