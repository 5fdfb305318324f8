#!/usr/bin/python3
"""The server's settings that anybody may set, with values to try: what `pg_settings` of the server says, and some odd ones by hand."""

# Read by hand below, or not to be played with: they end the session, write to the client's screen at any moment, bring values of
# the socket, or make answers depend on how busy the machine is.
LEFT_OUT = {
    "DateStyle", "IntervalStyle", "TimeZone", "application_name", "client_encoding", "client_min_messages", "search_path",
    "standard_conforming_strings", "transaction_deferrable", "transaction_isolation", "transaction_read_only", "exit_on_error",
    "tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout", "force_parallel_mode",
    "debug_parallel_query", "trace_notify", "trace_sort", "restrict_nonsystem_relation_kind", "local_preload_libraries",
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout",
    "client_connection_check_interval", "timezone_abbreviations", "jit", "jit_above_cost", "jit_inline_above_cost",
    "jit_optimize_above_cost", "default_table_access_method", "default_tablespace", "temp_tablespaces", "wal_sender_timeout",
    "debug_print_parse", "debug_print_plan", "debug_print_rewritten", "lc_monetary", "lc_numeric", "lc_time",
    "default_text_search_config", "work_mem",
    "default_transaction_deferrable",  # a serializable one would wait for others
    "temp_buffers",  # refused where any client of the connection has used temporary objects (docs/compatibility.md)
}  # fmt: skip

REPORTED = {
    "DateStyle": ["ISO, DMY", "ISO, MDY", "German", "SQL, DMY", "Postgres, YMD", "nonsense"],
    "IntervalStyle": ["postgres", "iso_8601", "sql_standard", "postgres_verbose"],
    "TimeZone": ["UTC", "Asia/Tokyo", "Europe/Berlin", "<+03>-03", "nowhere/land", "PST8PDT"],
    "client_encoding": ["UTF8", "LATIN1", "SQL_ASCII", "utf-8", "KLINGON"],
    "standard_conforming_strings": ["on", "off"],
    "application_name": ["one", "it's", "back\\slash", "", "a \"quoted\" one"],
    "default_transaction_read_only": ["on", "off"],
}
UNREPORTED = {
    "work_mem": ["1234kB", "2MB", "64", "3 MB", "-1"],
    "statement_timeout": ["0", "1min", "50000"],
    "lock_timeout": ["1min", "0"],
    "idle_in_transaction_session_timeout": ["10min", "0"],
    "lc_monetary": ["C", "POSIX", "xx_YY"],
    "default_text_search_config": ["simple", "english", "pg_catalog.german"],
    "client_min_messages": ["warning", "notice", "error"],
    "default_tablespace": ["pg_default", "", "no such"],
    "extra_float_digits": ["0", "3", "-5", "4"],
    "bytea_output": ["escape", "hex"],
    "timezone_abbreviations": ["Default", "India"],
    "restrict_nonsystem_relation_kind": ["view", ""],
}
CUSTOM = {
    "app.who": ["alice", "o'brien", "back\\slash", "\\' or 1 --", "", "ein \u00fc", "two\nlines", "$$", "x'); select 1; --"],
    "app.tenant": ["7", "8"],
}
SEARCH_PATHS = [
    "public", "odd", "odd, public", "\"Odd \"\"one\"\"\"", "\"two words\", odd", "pg_catalog, odd", "\"$user\", odd", "no_such, odd", "''",
    "pg_temp, public", "ODD", "\"ODD\", public", "odd, pg_temp", "'odd'", "'odd, public'", "\"it's\", odd", "\"back\\slash\", odd",
]  # fmt: skip
# Statements that show what a setting does, beside its value.
PROBES = {
    "DateStyle": ["select date '01/02/2026'", "select timestamp '2026-02-01 03:04:05'"],
    "IntervalStyle": ["select interval '1 day 2 hours -3 minutes'"],
    "TimeZone": ["select timestamptz '2026-02-01 00:00:00+00'"],
    "client_encoding": ["select 'stra\u00dfe'", "select convert_from('\\xc3bc', 'utf8')"],
    "standard_conforming_strings": ["select 'a\\\\b'", "select 'it\\'s'"],
    "default_transaction_read_only": ["delete from words where false", "show transaction_read_only"],
    "extra_float_digits": ["select 1::float8 / 3"],
    "bytea_output": ["select '\\x4142'::bytea"],
    "lc_monetary": ["select 12.5::numeric::money"],
    "default_text_search_config": ["select to_tsvector('the houses')"],
    "client_min_messages": ["do $$ begin raise notice 'heard'; end $$"],
    "quote_all_identifiers": ["select quote_ident('x')", "select pg_get_expr('null', 0)"],
    "array_nulls": ["select '{1,null}'::text[]"],
    "transform_null_equals": ["select 1 where null = null"],
    "row_security": ["select * from words limit 1"],
}


def from_server(rows):
    """name -> values, of the rows (name, vartype, min, max, values) of pg_settings."""
    found = {}
    for name, kind, low, high, words in rows:
        if name in LEFT_OUT:
            continue
        if kind == "bool":
            found[name] = ["on", "off", "0", "yes"]
        elif kind == "enum":
            found[name] = [w for w in words if not w.startswith("debug")] + ["nonsense"]
        elif kind == "integer":
            low, high = int(low), int(high)
            found[name] = sorted({str(min(max(v, low), min(high, 1000000))) for v in (low, low + 1, 100, 2000)}) + [str(high + 1)]
        elif kind == "real":
            found[name] = sorted({low, "0.5", "1", "1.25"}) if float(low) <= 0.5 and float(high) >= 1.25 else [low, high]
    return found


# ---- for who compares settings, not bytes (tests/states): all that a session may set, with values that the server takes ----

BY_HAND = {
    **{name: [v for v in values if v not in ("nonsense", "nowhere/land", "KLINGON", "-1", "xx_YY", "no such", "4")]
       for name, values in {**REPORTED, **UNREPORTED}.items()},
    "search_path": [p.replace("'", "") for p in SEARCH_PATHS if p not in ("'odd, public'", "\"it's\", odd")],
    "client_min_messages": ["warning", "notice", "error", "log", "debug1"],
    "log_min_messages": ["error", "panic", "warning"],
    "log_min_error_statement": ["error", "panic", "warning"],
    "backtrace_functions": ["one", "one,two", ""],
    "default_table_access_method": ["heap", "other_heap"],
    "default_tablespace": ["pg_default", ""],
    "temp_tablespaces": ["pg_default", "", "pg_default, pg_default"],
    "dynamic_library_path": ["$libdir", "$libdir:/nowhere"],
    "extension_destdir": ["/nowhere", ""],
    "lc_messages": ["C", "POSIX", "C.UTF-8"],
    "lc_monetary": ["C", "POSIX"],
    "lc_numeric": ["C", "POSIX"],
    "lc_time": ["C", "POSIX"],
    "local_preload_libraries": ["", "some_library", "one, \"Two words\""],
    "session_preload_libraries": ["plpgsql", "", "plpgsql, \"Two words\""],
    "restrict_nonsystem_relation_kind": ["view", "", "view, foreign-table"],
    "wal_consistency_checking": ["heap", "", "heap, btree"],
    "plpgsql.extra_errors": ["none", "shadowed_variables", "all"],
    "plpgsql.extra_warnings": ["none", "shadowed_variables", "all"],
    "max_stack_depth": ["100kB", "1MB", "2000"],
    "tcp_keepalives_idle": ["100", "2000", "32000"],
    "tcp_keepalives_interval": ["100", "2000", "32000"],
    "tcp_keepalives_count": ["3", "100"],
    "tcp_user_timeout": ["20s", "1min"],
    "client_connection_check_interval": ["0", "10s"],
    "idle_session_timeout": ["10min", "1h"],
    "transaction_timeout": ["10min", "1h"],
    "wal_sender_timeout": ["10min", "1h"],
    "deadlock_timeout": ["2s", "500"],
    "commit_delay": ["1", "2", "10"],
    "jit_above_cost": ["-1", "200000"],
    "jit_inline_above_cost": ["-1", "600000"],
    "jit_optimize_above_cost": ["-1", "600000"],
    "jit_dump_bitcode": ["on", "off"],
    "post_auth_delay": ["0"],
    "transaction_isolation": ["serializable", "repeatable read", "read committed"],
    "transaction_read_only": ["on", "off"],
    "transaction_deferrable": ["on", "off"],
}  # fmt: skip


def values_within(kind, low, high, words):
    """Values that the server's own table of settings allows."""
    if kind == "bool":
        return ["on", "off"]
    if kind == "enum":
        return [w for w in words if not w.startswith("debug") or w == "debug1"]
    if kind == "integer":
        low, high = int(low), int(high)
        return sorted({str(min(max(v, low), high)) for v in (low, low + 1, 100, 2000, 77777)})
    low, high = float(low), float(high)
    return sorted({str(v) for v in (low, 0.5, 1.0, 1.25, 2.0, 3.5) if low <= v <= high})


def all_of_server(rows):
    """name -> (context, values), of the rows (name, context, vartype, min, max, words); of those nobody may set, nothing."""
    found = {}
    for name, context, kind, low, high, words in rows:
        if name in BY_HAND:
            found[name] = (context, BY_HAND[name])
        elif kind == "string":
            found[name] = (context, [])
        else:
            found[name] = (context, values_within(kind, low, high, words))
    return found
