#!/usr/bin/python3
"""Startup parameters belong to the client: they reach the server, survive RESET and DISCARD ALL, and are never met by
clients that did not ask for them."""

import psycopg
import pytest

import flowtools
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, PRIMARY_PORT, connect, in_threads, superuser, value

PARAMETERS = {
    "DateStyle": ("German", "German, DMY"),
    "TimeZone": ("Asia/Tokyo", "Asia/Tokyo"),
    "client_encoding": ("LATIN1", "LATIN1"),
    "search_path": ("pg_catalog", "pg_catalog"),
    "work_mem": ("1234kB", "1234kB"),
    "options": ("-c extra_float_digits=0 -c geqo=off", None),
}


def raw(gilmok, **params):
    return pgwire.Client(gilmok.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, params=params).login()


@pytest.mark.parametrize("name", [n for n in PARAMETERS if n != "options"])
def test_startup_parameter_is_kept(narrow, name):
    given, shown = PARAMETERS[name]
    with_it, without = raw(narrow, **{name: given}), raw(narrow)
    plain = without.ask(f"show {name}")
    assert plain != shown
    for undo in (f"reset {name}", "discard all", "reset all", "select 1", f"set {name} = default"):
        assert with_it.ask(f"show {name}") == shown
        assert with_it.query(undo).errors == []
        assert with_it.ask(f"show {name}") == shown, undo
        assert without.ask(f"show {name}") == plain
    with_it.end(), without.end()


@pytest.mark.parametrize("params", [
    {"options": "-c application_name=one"},
    {"options": "-c geqo=off --Application-Name=no\\ more -capplication_name=a\\ name -c work_mem=2MB"},
    {"options": "-c application_name=one", "application_name": "another"},
    {"options": "-c application_name=one", "application_name": ""},
])  # fmt: skip
def test_an_application_name_in_options(start, params):
    narrow = start(pool_size=1)
    clients = [pgwire.Client(p, user=APP_USER, password=APP_PASSWORD, database=APP_DB, params=params).login() for p in (PRIMARY_PORT, narrow.port)]
    for sql in ("select 1", "reset application_name", "set application_name = x", "discard all"):
        direct, through = ((c.query(sql).tags, c.ask("show application_name")) for c in clients)
        assert direct == through
    assert clients[0].parameters["application_name"] == clients[1].parameters["application_name"]
    for c in clients:
        c.end()


def test_options(narrow):
    c = raw(narrow, options=PARAMETERS["options"][0])
    other = raw(narrow)
    for _ in range(2):
        assert (c.ask("show extra_float_digits"), c.ask("show geqo")) == ("0", "off")
        assert (other.ask("show extra_float_digits"), other.ask("show geqo")) == ("1", "on")
        c.query("discard all")
    c.end(), other.end()


def test_greeting_names_the_clients_own_values(narrow):
    c = raw(narrow, DateStyle="German", TimeZone="Asia/Tokyo", application_name="greeted")
    assert c.parameters["DateStyle"] == "German, DMY" and c.parameters["TimeZone"] == "Asia/Tokyo"
    assert c.parameters["application_name"] == "greeted" and c.parameters["server_version"].startswith("15.")
    assert raw(narrow).parameters["DateStyle"] == "ISO, MDY"


def test_application_name_of_each_client(narrow):
    names = [f"flow app {i}" for i in range(5)] + ["it's \\ odd", ""]
    clients = [connect(narrow, application_name=n) if n else connect(narrow) for n in names]
    asked = "select application_name from pg_stat_activity where pid = pg_backend_pid()"
    for _ in range(2):
        for name, c in zip(names, clients):
            assert value(c, asked) == name
    with clients[0].transaction(), superuser() as su:
        value(clients[0], "select 1")
        assert value(su, "select count(*) from pg_stat_activity where application_name = %s", (names[0],)) == 1
    clients[1].execute("set application_name = 'renamed'")
    assert value(clients[2], asked) == names[2]
    assert value(clients[1], asked) == "renamed"
    for c in clients:
        c.close()


def test_client_encoding_of_each_client(narrow):
    with connect(narrow, client_encoding="latin1") as latin, connect(narrow, client_encoding="utf8") as utf8:
        for _ in range(3):
            assert value(latin, "select 'ü' || %s", ("ß",)) == "üß"
            assert value(utf8, "select 'ü' || %s || '€'", ("ß",)) == "üß€"


def test_wrong_parameter_is_the_clients_own_trouble(narrow):
    with connect(narrow) as good:
        assert value(good, "select 1") == 1
        for name, bad, sqlstate in (("TimeZone", "Mars/Olympus", "22023"), ("nonsense_parameter", "1", "42704")):
            c = pgwire.Client(narrow.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, params={name: bad})
            c.authenticate()
            got = c.collect()
            assert got.errors[0].sqlstate == sqlstate and got.errors[0].severity == "FATAL"
        assert value(good, "select 2") == 2


def test_too_many_different_parameters(start):
    g = start(database=["max_variants = 2"])
    one, two = connect(g, options="-c temp_buffers=1MB"), connect(g, options="-c temp_buffers=2MB")
    with pytest.raises(psycopg.OperationalError, match="different sets of startup parameters"):
        connect(g, options="-c temp_buffers=3MB")
    one.close()
    with connect(g, options="-c temp_buffers=3MB") as three:
        assert value(three, "show temp_buffers") == "3MB"
    assert value(two, "show temp_buffers") == "2MB"
    two.close()


def variants(gilmok):
    return [p["startup_parameters"] for p in gilmok.show("POOLS VERBOSE", database=APP_DB)]


DRIVERS = (
    {"client_encoding": "UTF8", "DateStyle": "ISO", "TimeZone": "Europe/Oslo", "extra_float_digits": "2"},  # as pgjdbc
    {"client_encoding": "'utf-8'", "application_name": "asyncpg"},  # as asyncpg
    {"options": "-c statement_timeout=50s -c search_path=pg_catalog", "application_name": "psql"},  # as libpq's programs
    {"options": "--work_mem=4096", "lock_timeout": "1min"},
    {},
)
ASKED = ("client_encoding", "datestyle", "timezone", "extra_float_digits", "statement_timeout", "search_path", "work_mem", "lock_timeout")


def shown_by(client):
    return [client.ask(f"show {name}") for name in ASKED]


def test_drivers_share_connections(narrow):
    """One server connection for clients of all of them, each with the values that it would find alone."""
    alone = [pgwire.Client(flowtools.PRIMARY_PORT, user=APP_USER, password=APP_PASSWORD, database=APP_DB, params=p).login() for p in DRIVERS]
    clients = [raw(narrow, **p) for p in DRIVERS]
    expected = [shown_by(c) for c in alone]
    assert len({tuple(e) for e in expected}) == len(DRIVERS) - 1
    for _ in range(2):
        pids = {c.ask("select pg_backend_pid()") for c in clients}
        assert [shown_by(c) for c in clients] == expected
        assert len(pids) == 1
    for c, direct in zip(clients, alone):
        assert {n: v for n, v in c.parameters.items() if n != "application_name"} == \
            {n: v for n, v in direct.parameters.items() if n != "application_name"}
        for undo in ("discard all", "set work_mem = '9MB'; set timezone = 'Asia/Seoul'", "reset all"):
            c.query(undo)
    assert [shown_by(c) for c in clients] == expected
    assert variants(narrow) == [""]
    for c in (*alone, *clients):
        c.end()


def test_a_hidden_reset_is_put_right(narrow):
    """A function resets what the client's startup parameters have set: when its transaction is over they are in force again."""
    with connect(narrow, options="-c work_mem=5MB", autocommit=True) as c, connect(narrow) as other:
        for reset in ("do $$ begin reset work_mem; end $$", "do $$ begin reset all; end $$", "do $$ begin perform set_config('work_mem', null, false); end $$"):
            c.execute(reset)
            assert value(c, "show work_mem") == "5MB"
            assert value(other, "show work_mem") == "4MB"
            assert value(c, "show work_mem") == "5MB"


@pytest.mark.parametrize("keeps", [
    ["select pg_advisory_lock(77)"], ["select setseed(0.5)"], ["listen news", "set work_mem = '7MB'"], ["create temp table t (x int)", "set role app"],
    ["select setseed(0.5)", "select pg_advisory_lock(77)"]], ids=" ".join)  # fmt: skip
def test_a_hidden_reset_is_put_right_where_the_client_is_kept(start, keeps):
    """Likewise, of one that something else keeps on its server connection."""
    c = raw(start(pool_size=2), options="-c work_mem=5MB -c lock_timeout=1min")
    for sql in keeps:
        assert c.query(sql).errors == []
    before = [c.ask("select pg_backend_pid()"), c.ask("select current_user")]
    for reset in ("do $$ begin reset work_mem; end $$", "do $$ begin reset all; end $$", "do $$ begin perform set_config('work_mem', null, false); end $$"):
        c.query("begin")
        c.query(reset)
        assert c.ask("show work_mem") == "4MB"
        c.query("commit")
        assert (c.ask("show work_mem"), c.ask("show lock_timeout")) == ("5MB", "1min")
    assert [c.ask("select pg_backend_pid()"), c.ask("select current_user")] == before
    c.query("reset work_mem"), c.query("set lock_timeout = '2min'")
    assert (c.ask("show work_mem"), c.ask("show lock_timeout")) == ("5MB", "2min")
    c.end()


def test_a_call_that_resets_goes_back_to_the_clients_own_value(narrow):
    """The value that may be NULL becomes one that is not: for names that are said, for names that are computed, and for Bind."""
    run = pgwire.execute() + pgwire.SYNC
    c = raw(narrow, work_mem="5MB", timezone="Asia/Tokyo")
    for begin in ("begin", "select 1"):
        c.query(begin)
        c.query("set work_mem = '9MB'; set timezone = 'UTC'")
        got = c.query("select set_config('work_mem', null, false), set_config('Time' || 'Zone', nullif('a', 'a'), false); show work_mem")
        assert (got.errors, got.rows) == ([], [["5MB", "Asia/Tokyo"], ["5MB"]])
        c.send(pgwire.parse("select set_config($1, $2, false)", begin) + pgwire.bind([b"work_mem", b"9MB"], name=begin) + run)
        assert c.collect().rows == [["9MB"]]
        c.send(pgwire.bind([b"WORK_mem", None], name=begin) + run)
        assert c.collect().rows == [["5MB"]]
        c.send(pgwire.bind([b"enable_sort", None], name=begin) + run)
        assert c.collect().rows == [["on"]]
        c.query("commit")
    assert (c.ask("show work_mem"), c.ask("show timezone")) == ("5MB", "Asia/Tokyo")
    c.end()
    other = raw(narrow)
    assert other.ask("show work_mem") == "4MB"
    other.end()


def test_what_is_kept_is_not_changed(narrow):
    """An expression that a table or a view keeps is the client's own, and another client's default."""
    c, other = raw(narrow, work_mem="5MB"), raw(narrow)
    c.query("drop table if exists keeps_resets")
    c.query("create table keeps_resets (x text default set_config('work_mem', null, true))")
    other.query("insert into keeps_resets default values")
    assert other.ask("select x from keeps_resets") == "4MB"
    c.query("drop table keeps_resets")
    c.end(), other.end()


def test_positions_in_a_call_that_was_changed(narrow):
    c = raw(narrow, work_mem="5MB")
    texts = ("select 'ü', set_config('work_mem', null, true), nosuch", "select set_config('work_mem', nosuch, true)")
    for sql in texts:
        for how in (pgwire.query(sql), pgwire.parse(sql) + pgwire.SYNC, pgwire.parse(sql, "named") + pgwire.SYNC):
            c.send(how)
            assert [(e.sqlstate, e.fields["P"]) for e in c.collect().errors] == [("42703", str(sql.index("nosuch") + 1))]
    c.end()


def test_a_reset_deep_inside_of_an_expression(start):
    """Nothing can be done: such a client gets connections that were started with its parameters, or is refused where it is bound."""
    g = start(pool_size=2)
    deep = "set_config('work_mem', (select null), false)"
    c = raw(g, work_mem="5MB")
    c.query("set work_mem = '9MB'")
    c.query("set timezone = 'Asia/Tokyo'")
    got = c.query(f"select 1; select {deep}; show work_mem")
    assert (got.errors, got.rows[-1]) == ([], ["5MB"])
    assert (c.ask("show work_mem"), c.ask("show timezone")) == ("5MB", "Asia/Tokyo")
    assert sorted(variants(g)) == ["", "work_mem=5MB"]
    c.end()
    c = raw(g, work_mem="6MB")
    c.query("begin")
    got = c.query(f"set local work_mem = '9MB'; select {deep}; show work_mem")
    assert [e.sqlstate for e in got.errors] == ["0A000"]
    c.query("rollback")
    assert c.ask("show work_mem") == "6MB"
    c.send(pgwire.parse(f"select {deep}") + pgwire.bind() + pgwire.execute() + pgwire.SYNC)
    assert c.collect().errors == []
    assert c.ask("show work_mem") == "6MB"
    assert "work_mem=6MB" in variants(g)
    c.end()


@pytest.mark.parametrize("before", [b"", pgwire.parse("select 1") + pgwire.bind() + pgwire.execute()], ids=["first", "behind another"])
def test_what_stands_behind_a_discard_is_read_only_like_the_client(start, before):
    """The server commits a DISCARD ALL at once; what follows in its group begins as the session began, or not at all."""
    with superuser() as su:
        su.execute("drop table if exists kept_from_writes; create table kept_from_writes (x int); grant all on kept_from_writes to public")
    c = raw(start(pool_size=2), default_transaction_read_only="on")
    run = pgwire.bind() + pgwire.execute()
    c.send(before + pgwire.parse("discard all") + run + pgwire.parse("insert into kept_from_writes values (1)") + run + pgwire.SYNC)
    assert [e.sqlstate for e in c.collect().errors] == ["25001" if before else "25006"]
    assert c.ask("show default_transaction_read_only") == "on" and c.ask("select count(*) from kept_from_writes") == "0"
    c.end()


def test_two_discards_in_one_pipeline(narrow):
    """What gilmok sets behind the first is committed with it, so that the second is the first statement of its transaction, too."""
    c = raw(narrow, TimeZone="Asia/Tokyo", application_name="driver")
    run = pgwire.bind() + pgwire.execute()
    discard = pgwire.parse("discard all") + run
    show = pgwire.parse("select current_setting('timezone'), current_setting('application_name')") + run
    c.query("set timezone = 'Europe/Oslo'; set application_name = 'other'")
    c.send(discard + show + pgwire.SYNC + discard + discard + pgwire.bind() + pgwire.execute() + show + pgwire.SYNC)
    first, second = c.collect(), c.collect()
    assert (first.errors, first.rows) == ([], [["Asia/Tokyo", "driver"]])
    assert (second.errors, second.rows) == ([], [["Asia/Tokyo", "driver"]])
    c.end()


def test_more_resets_than_can_be_followed(narrow):
    c = raw(narrow, work_mem="5MB")
    assert c.query("reset work_mem; show work_mem;" + "select 1;" * 100).rows[0] == ["5MB"]
    assert c.query("select 1;" * 62 + "reset work_mem; show work_mem").rows[-1] == ["5MB"]
    c.query("begin")
    for sql in ("select 1;" * 63 + "reset work_mem; select 1", "reset work_mem;" * 17):
        assert [e.sqlstate for e in c.query(sql).errors] == ["0A000"]
        c.query("rollback; begin")
    c.query("rollback")
    assert c.ask("show work_mem") == "5MB"
    c.end()


def test_odd_values_are_gone_back_to(narrow):
    """Whatever the server has to be told to set them."""
    odd = "it's \\ \"é\""
    with connect(narrow, options="-c app.odd=" + odd.replace("\\", "\\\\").replace(" ", "\\ ")) as c:
        assert value(c, "show app.odd") == odd
        for reset in ("reset app.odd", "reset all", "reset all; select 1"):
            c.execute("set app.odd = 'x'")
            c.execute(reset)
            assert value(c, "show app.odd") == odd


def test_variants_share_one_pool(start):
    """Three kinds of clients at once on two connections: all are served, each with its own settings."""
    g = start(pool_size=2)

    def work(i):
        mem = f"{i % 3 + 1}MB"
        with connect(g, options=f"-c work_mem={mem}") as c:
            for _ in range(5):
                assert value(c, "show work_mem") == mem

    in_threads(9, work)
    assert len(g.console("SHOW SERVERS").rows) <= 2


def test_application_name_survives_a_reset_inside_a_transaction(narrow):
    with connect(narrow, application_name="its own") as c:
        for reset in ("reset all", "reset application_name"):
            c.execute("begin")
            c.execute(reset)
            c.execute("select 1")
            c.execute("commit")
            assert value(c, "show application_name") == "its own"
        c.execute("begin")
        c.execute("reset all")
        c.execute("set application_name = 'chosen'")
        c.execute("commit")
        assert value(c, "show application_name") == "chosen"


SERVER_NAME = "select application_name from pg_stat_activity where pid = pg_backend_pid()"


def asked(c, sql):
    """A query's only value, or none; what the client is told on the way is kept."""
    got = c.query(sql)
    assert not got.errors
    c.parameters.update(got.parameters)
    return got.rows[0][0] if got.rows else None


def told(c):
    """What the client was told last."""
    asked(c, "select 1")
    return c.parameters["application_name"]


def with_address(c, name):
    suffix = " - %s:%d" % c.sock.getsockname()
    return name.encode()[: 63 - len(suffix)].decode() + suffix


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_the_clients_address_in_the_servers_application_name(start, mode):
    """The server shows it; the client is told its own name; what is long loses its end, not the address."""
    g = start(pool_size=1 if mode == "transaction" else 8, database=["application_name_add_host = on", f"pool_mode = {mode}"])
    long = "a name of more than sixty-three bytes, which no server would show as a whole"
    clients = [(raw(g, application_name=n) if n else raw(g), n) for n in ("one", "two's \\ own", "", long)]
    for _ in range(2):
        for c, name in clients:
            assert c.parameters["application_name"] == name[:63]
            assert asked(c, SERVER_NAME) == with_address(c, name or "app")
            assert told(c) == name[:63]
    for c, _ in clients:
        c.end()


def test_an_address_is_nobodys_wish(start):
    """SET, RESET, transactions and reading it back: the client's own name stays its own, and the address is there once."""
    g = start(pool_size=1, database=["application_name_add_host = on"])
    c, other = raw(g, application_name="mine"), raw(g, application_name="another's")
    steps = [
        (["set application_name = 'second'"], "second"),
        (["begin", "set application_name = 'undone'", "rollback"], "second"),
        (["begin", "set local application_name = 'undone'", "commit"], "second"),
        (["begin", "set application_name = 'kept'", "select 1", "commit"], "kept"),
        (["select set_config('application_name', current_setting('application_name'), false)"], "kept"),
        (["set application_name = 'third'; select pg_sleep(0)"], "third"),
        (["reset application_name"], "mine"),
        (["set application_name = 'fourth'"], "fourth"),
        (["discard all"], "mine"),
        (["set application_name = 'fifth'"], "fifth"),
        (["begin", "reset all", "commit"], "mine"),
        (["set application_name = ''"], ""),
        (["begin", "set application_name = 'undone'", "rollback"], ""),
        (["set application_name = 'ends with - 1.2.3.4:5'"], "ends with - 1.2.3.4:5"),
    ]
    for statements, name in steps:
        for sql in statements:
            asked(c, sql)
        assert other.ask(SERVER_NAME) == with_address(other, "another's")
        assert asked(c, SERVER_NAME) == with_address(c, name or "app"), statements
        assert told(c) == name, statements
        assert asked(c, SERVER_NAME) == with_address(c, name or "app"), statements
    c.end(), other.end()


def test_addresses_come_and_go_with_a_reload(start):
    g = start(pool_size=1)
    c = raw(g, application_name="mine")
    session = pgwire.Client(g.port, user=APP_USER, password=APP_PASSWORD, database="sessions", params={"application_name": "long"}).login()
    assert asked(c, SERVER_NAME) == "mine"
    plain = g.text
    for line, on in (("application_name_add_host = on", True), ("", False), ("application_name_add_host = on", True)):
        c.query("begin")
        g.write("gilmok.conf", plain.replace("[database shop]", f"[database shop]\n{line}").replace("[database sessions]", f"[database sessions]\n{line}"))
        assert g.console("RELOAD").tags == ["RELOAD"]
        c.query("commit")
        for client, name in ((c, "mine"), (session, "long")):
            assert asked(client, SERVER_NAME) == (with_address(client, name) if on else name)
            assert told(client) == name
    c.end(), session.end()


def test_the_address_is_the_one_that_a_proxy_names(start):
    g = start(main=["proxy_protocol_from = 127.0.0.1, unix"], database=["application_name_add_host = on"], socket=True, tail="")
    for header, shows in ((b"PROXY TCP4 203.0.113.7 10.0.0.1 40000 5432\r\n", "203.0.113.7:40000"),
                          (b"PROXY TCP6 2001:db8::7 ::1 40000 5432\r\n", "[2001:db8::7]:40000"), (b"PROXY UNKNOWN\r\n", None)):  # fmt: skip
        for way in (g.port, g.socket_path):
            c = pgwire.Client(way, user=APP_USER, password=APP_PASSWORD, database=APP_DB, params={"application_name": "far"},
                              wrap=lambda s, h=header: (s.sendall(h), s)[1]).login()  # fmt: skip
            expected = shows or ("unix" if way == g.socket_path else "%s:%d" % c.sock.getsockname())
            assert asked(c, SERVER_NAME) == f"far - {expected}"
            c.end()


def shown(c, name="timezone"):
    return value(c, f"show {name}")


def test_what_a_client_has_set_follows_it(narrow):
    """By SET outside of a transaction, and by one that was committed; for reported settings."""
    with connect(narrow) as one, connect(narrow) as other:
        usual = shown(other)
        one.execute("set timezone = 'Asia/Tokyo'")
        other.execute("begin; set datestyle = 'German'; commit")
        for _ in range(3):
            assert (shown(one), shown(other)) == ("Asia/Tokyo", usual)
            assert (shown(one, "datestyle"), shown(other, "datestyle")) == ("ISO, MDY", "German, DMY")
        assert one.info.parameter_status("TimeZone") == "Asia/Tokyo"
        assert other.info.parameter_status("DateStyle") == "German, DMY"
        one.execute("reset timezone")
        other.execute("discard all")
        for _ in range(2):
            assert (shown(one), shown(other, "datestyle")) == (usual, "ISO, MDY")


def test_what_a_transaction_has_set_ends_with_it(narrow):
    with connect(narrow) as one, connect(narrow) as other:
        usual = shown(other)
        one.execute("set timezone = 'Asia/Tokyo'")
        for undone in ("begin; set local timezone = 'Asia/Seoul'; commit", "begin; set timezone = 'Asia/Seoul'; rollback"):
            one.execute(undone)
            assert (shown(other), shown(one)) == (usual, "Asia/Tokyo")
        one.execute("begin")
        one.execute("set local timezone = 'Asia/Seoul'")
        assert shown(one) == "Asia/Seoul"
        one.execute("rollback")
        assert (shown(other), shown(one)) == (usual, "Asia/Tokyo")


def test_reset_goes_back_to_the_startup_parameter(narrow):
    with connect(narrow, options="-c timezone=Europe/Oslo") as one, connect(narrow) as other:
        one.execute("set timezone = 'Asia/Tokyo'")
        assert shown(other) != "Asia/Tokyo" and shown(one) == "Asia/Tokyo"
        one.execute("reset all")
        assert shown(other) != "Europe/Oslo" and shown(one) == "Europe/Oslo"


def test_an_odd_value(narrow):
    with connect(narrow) as one, connect(narrow) as other:
        one.execute("set time zone interval '+05:30' hour to minute")
        expected = shown(one)
        assert shown(other) != expected and shown(one) == expected
        one.execute("set client_encoding = 'latin1'")
        assert shown(other, "client_encoding") == "UTF8" and shown(one, "client_encoding") == "LATIN1"


def test_statements_of_a_client_with_its_own_settings(start):
    """They are parsed under these settings on every connection, do not meet other clients', and hold nobody."""
    g = start(pool_size=2)
    text = "select extract(month from date '01/02/2026')::int"
    with connect(g, prepare_threshold=0) as one, connect(g, prepare_threshold=0) as other:
        one.execute("set datestyle = 'ISO, DMY'")
        for _ in range(4):
            with connect(g, autocommit=False) as holder:
                holder.execute("select 1")
                assert (value(one, text), value(other, text)) == (2, 1)
            assert (value(other, text), value(one, text)) == (1, 2)
        assert all(row["held_by"] == "" for row in g.show("CLIENTS"))


def test_settings_stay_in_session_mode(narrow):
    """The client's own connection: nobody sets anything back between its requests."""
    with connect(narrow, dbname="sessions") as c:
        c.execute("set timezone = 'Asia/Tokyo'")
        c.execute("set work_mem = '1234kB'")
        for _ in range(3):
            assert (shown(c), shown(c, "work_mem")) == ("Asia/Tokyo", "1234kB")
        assert c.info.parameter_status("TimeZone") == "Asia/Tokyo"
