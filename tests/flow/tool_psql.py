#!/usr/bin/python3
"""psql scripts in transaction mode: what they print and what they leave is what they print and leave directly."""

import pytest

import toolrun
from toolrun import OWNER, Beside

SCRIPTS = {
    "variables": """
        \\set name 'O''Brien'
        \\set table item
        create table :table (id serial primary key, name text, at date);
        insert into :"table" (name, at) values (:'name', '2026-02-03'), ('other', '2025-12-31') returning *;
        select max(id) as last, 'item' as what, null as nothing from item \\gset found_
        \\echo :found_last :found_what :{?found_nothing}
        select * from :found_what where id = :found_last;
        select 'a' || :'name' as line \\gset
        \\if :{?line}
          select :'line';
        \\else
          select 1 / 0;
        \\endif
        \\echo :AUTOCOMMIT :ROW_COUNT :SQLSTATE :SERVER_VERSION_NUM :USER
        """,
    "gexec": """
        select format('create table made_%s (n int)', i), format('insert into made_%s values (%s)', i, i) from generate_series(1, 4) i \\gexec
        begin;
        select format('alter table made_%s add note text default %L', i, 'it''s ' || i) from generate_series(1, 4) i \\gexec
        commit;
        select string_agg(format('select * from made_%s', i), ' union all ') as all from generate_series(1, 4) i \\gexec
        """,
    "crosstabview, gdesc, gx": """
        create table sale as select 'y' || i % 3 as year, 'q' || i % 4 as quarter, sum(i) as sum from generate_series(1, 50) i group by 1, 2;
        select year, quarter, sum from sale order by 1, 2 \\crosstabview year quarter sum
        select year, sum::numeric(10, 2) as total, now() as at from sale \\gdesc
        select 1 as one, E'two\\nlines' as two \\gx
        \\pset format unaligned
        table sale order by 1, 2;
        \\x
        select * from sale order by 1, 2 limit 2;
        """,
    "copy": """
        create table copied (id int, name text);
        \\copy copied from program 'seq 1 3 | sed "s/$/\\tname/"'
        \\copy copied (id) from stdin
        10
        11
        \\.
        copy copied from stdin with (format csv);
        20,"a ""b"" c"
        21,
        \\.
        \\copy (select * from copied order by id) to stdout with (format csv, header)
        copy copied to stdout;
        \\copy copied from stdin
        not a number\tx
        \\.
        \\copy copied to program 'sort | md5sum'
        begin;
        \\copy copied from program 'seq 100 102 | sed "s/$/\\tx/"'
        rollback;
        select count(*) from copied;
        """,
    "errors inside": """
        create table kept (n int primary key);
        begin; insert into kept values (1); insert into kept values (1);
        select * from kept;
        commit;
        select * from kept;
        \\set ON_ERROR_ROLLBACK on
        begin; insert into kept values (2); insert into kept values (2); insert into kept values (3); commit;
        select * from kept;
        select 1 / 0 as "zero" \\; select 2;
        \\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE
        select 1; selec 2; select 3;
        """,
    "settings": """
        \\set ON_ERROR_STOP on
        set search_path to pg_catalog;
        show search_path;
        set timezone to 'Asia/Tokyo'; set datestyle to 'German'; set work_mem to '3MB'; set app.who to 'me';
        select '2026-01-02 03:04:05+00'::timestamptz, current_setting('work_mem'), current_setting('app.who');
        \\dt public.*
        begin; set local statement_timeout to '5s'; show statement_timeout; commit;
        show statement_timeout;
        \\encoding latin1
        select chr(233) = E'\\u00e9', current_setting('client_encoding');
        \\encoding
        \\unset name
        reset all;
        show search_path; show work_mem; show timezone;
        discard all;
        select current_setting('app.who', true) is null or current_setting('app.who', true) = '';
        """,
    "prepared, temporary, cursors": """
        prepare twice (int) as select $1 * 2 as twice;
        execute twice(21);
        create temp table scratch as select generate_series(1, 10) as n;
        select sum(n) from scratch;
        begin; declare c cursor with hold for select n from scratch order by n; fetch 3 from c; commit;
        fetch 2 from c;
        close c;
        deallocate twice;
        drop table scratch;
        execute twice(1);
        select * from scratch;
        \\set FETCH_COUNT 3
        select i, i * i as square from generate_series(1, 8) i;
        select $1::text || $2 as bound \\bind 'a' 'b' \\g
        """,
    "describing": """
        create schema wares;
        create table wares.item (id int primary key, name text not null default 'x', check (id > 0));
        create view wares.shown as select name from wares.item;
        create function wares.one() returns int language sql as 'select 1';
        create index on wares.item (name);
        create type wares.colour as enum ('red', 'green');
        comment on table wares.item is 'what we sell';
        \\d wares.item
        \\d+ wares.item
        \\d+ wares.shown
        \\dt+ wares.*
        \\di wares.*
        \\df+ wares.one
        \\sf wares.one
        \\sv wares.shown
        \\dT+ wares.*
        \\dn+ wares
        \\ddp
        \\dp wares.*
        \\dd wares.*
        \\dRp
        \\dx
        \\dL
        \\drds
        \\dconfig work_mem
        \\du
        \\d nowhere.nothing
        """,
    "watch and pipes": """
        create table watched (n int);
        insert into watched values (1) returning n;
        with more as (insert into watched select max(n) + 1 from watched having max(n) < 4 returning n)
          select 12 / (4 - max(n)) as left from more \\watch 0.05
        select * from watched \\g | tr 1 I
        \\o /dev/null
        select 'not seen';
        \\o
        select n as "Numbers" from watched order by 1 \\g (format=csv tuples_only=on)
        """,
    "locks and notices": """
        select pg_try_advisory_lock(815), pg_try_advisory_lock(815);
        select count(*) from pg_locks where locktype = 'advisory' and objid = 815;
        do $$ begin raise notice 'n %', current_setting('application_name'); raise warning 'w'; end $$;
        select pg_advisory_unlock(815), pg_advisory_unlock(815), pg_advisory_unlock(815);
        set client_min_messages to warning;
        do $$ begin raise notice 'not seen'; raise warning 'seen'; end $$;
        drop table if exists nothing_here;
        listen something;
        select pg_listening_channels();
        unlisten *;
        """,
    "large objects": """
        \\! printf 'twelve bytes' >large_object.txt
        \\set QUIET on
        \\lo_import large_object.txt 'a comment'
        select convert_from(lo_get(:LASTOID), 'utf8') as content \\gset
        \\echo :content
        \\lo_export :LASTOID large_object.out
        \\! cat large_object.out; echo
        select lomowner = current_user::regrole, obj_description(oid, 'pg_largeobject') from pg_largeobject_metadata;
        \\lo_unlink :LASTOID
        select count(*) from pg_largeobject_metadata;
        """,
}


@pytest.fixture(scope="module")
def ways():
    """(directly, through gilmok)."""
    g = toolrun.gilmok_for_tools()
    direct, through = toolrun.places(g)
    with Beside(through):
        yield direct, through
    g.close()


def emptied(place):
    with place.connect() as c:
        c.execute(f"drop owned by {OWNER} cascade")
        c.execute("select lo_unlink(oid) from pg_largeobject_metadata")


def without_margin(script):
    return "\n".join(line.removeprefix("        ") for line in script.splitlines()) + "\n"


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script(ways, script, tmp_path):
    said = []
    for place in ways:
        emptied(place)
        said.append(place.run("psql", "-X", "-a", stdin=without_margin(script), cwd=tmp_path))
    assert said[0] == said[1], toolrun.difference(*said)


OPTIONS = [[], ["-1"], ["-v", "ON_ERROR_STOP=1"], ["-1", "-v", "ON_ERROR_STOP=1"], ["-1", "-v", "ON_ERROR_ROLLBACK=on"], ["-s"]]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("fails", [False, True])
def test_a_script_from_files(ways, options, fails, tmp_path):
    """Where a script stops, and what it leaves then."""
    (tmp_path / "one.sql").write_text("create table one (n int);\ninsert into one values (1);\n\\ir two.sql\nselect * from one;\n")
    wrong = "select 1 / 0;\n" * fails
    (tmp_path / "two.sql").write_text(f"set work_mem = '2MB';\ninsert into one values (2);\n{wrong}show work_mem;\n")
    said = []
    for place in ways:
        emptied(place)
        ran = place.run("psql", "-X", *options, "-f", tmp_path / "one.sql", "-c", "insert into one values (3)", stdin="\n" * 20)
        said.append((ran, place.run("psql", "-XAtc", "table one")))
    assert said[0] == said[1], toolrun.difference(*said)


def test_two_scripts_take_turns_by_an_advisory_lock(ways):
    """The usual way to run a migration once: the second one waits, and finds that there is nothing to do."""
    script = """
        \\set ON_ERROR_STOP on
        select pg_advisory_lock(1234) is null as held;
        select to_regclass('made_once') is null as is_mine \\gset
        \\if :is_mine
          select pg_sleep(0.3);
          create table made_once (n int);
          insert into made_once values (1);
          \\echo made
        \\else
          \\echo there
        \\endif
        select pg_advisory_unlock(1234);
        select count(*) from made_once;
        """
    for place in ways:
        emptied(place)
        both = [place.start("psql", "-XAtq") for _ in range(2)]
        for process in both:
            process.stdin.write(without_margin(script))
            process.stdin.flush()
        said = sorted(place.finish(process) for process in both)
        assert said == [(0, "f\n" + "\nmade\nt\n1\n", ""), (0, "f\nthere\nt\n1\n", "")], said
