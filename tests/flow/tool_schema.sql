-- A database with some of everything that pg_dump writes down. Run by tool_dump.py, with psql, as the databases' owner.
\set ON_ERROR_STOP on
create schema wares;
create schema "Odd ""names""";
comment on schema wares is 'it''s ours \ theirs';
create type wares.colour as enum ('red', 'green', 'so''so');
create type wares.size as (width int, height numeric(8, 2));
create type wares.span as range (subtype = int, multirange_type_name = wares.spans);
create domain wares.positive as int check (value > 0) default 1;
create sequence wares.numbers as bigint start 100 increment 7 cache 5 cycle maxvalue 100000;
create collation wares.plain (locale = 'C');

create table wares.item (
    id int generated always as identity primary key,
    name text collate "C" not null default 'it''s', colour wares.colour default 'red', size wares.size, many wares.positive,
    tags text[], at timestamptz default '2026-01-02 03:04:05+00', day date, amount numeric(12, 3), ratio float8, bits bytea, doc jsonb,
    twice int generated always as (many * 2) stored, valid daterange, exclude using gist (valid with &&) where (id < 0)
);
insert into wares.item (name, colour, size, many, tags, at, day, amount, ratio, bits, doc, valid)
select 'item ' || i || E' \\ \t " '' ' || chr(8364), (array['red', 'green', 'so''so']::wares.colour[])[i % 3 + 1], row (i, i / 4.0)::wares.size,
    i, array[i::text, null, '{"'], timestamptz '2026-01-01' + i * interval '1 hour', date '2026-03-25' + i % 400, i / 7.0, sqrt(i) / 1e5,
    decode(md5(i::text), 'hex'), jsonb_build_object('n', i, 'list', array[i, i + 1]), daterange(date '2026-01-01' + i % 50, null)
from generate_series(1, 1500) i;

create table wares.part (id int references wares.item on delete cascade deferrable initially deferred, n int, primary key (id, n)) partition by range (n);
create table wares.part_low partition of wares.part for values from (minvalue) to (100);
create table wares.part_high partition of wares.part for values from (100) to (maxvalue) partition by hash (id);
create table wares.part_high_0 partition of wares.part_high for values with (modulus 2, remainder 0);
create table wares.part_high_1 partition of wares.part_high for values with (modulus 2, remainder 1);
create table wares.part_rest partition of wares.part default;
insert into wares.part select i, i % 300 from generate_series(1, 1500) i;
create table wares.base (kind text, note text);
create table "Odd ""names"""."Table; drop" (
    "Column ""x""" int unique nulls not distinct, "select" text check ("select" <> '')
) inherits (wares.base) with (fillfactor = 70, autovacuum_enabled = off);
insert into "Odd ""names"""."Table; drop" select 'kind ' || i, E'line\nline\r\\.', i, 'x' from generate_series(1, 500) i;
create unlogged table wares.unlogged as select i, repeat('long ', 2000) as text from generate_series(1, 50) i;
create table wares.log (at timestamptz not null default clock_timestamp(), what text);
alter table wares.log replica identity full;

create index on wares.item (lower(name) text_pattern_ops, many desc nulls last) include (day) where many > 10;
create index on wares.item using gin (doc jsonb_path_ops);
create index on only wares.part (n);
create statistics wares.together (ndistinct, dependencies) on many, day from wares.item;
alter table wares.item alter name set statistics 200, alter doc set storage external, cluster on item_pkey;

create view wares.shown with (security_barrier) as select id, name, many from wares.item where many > 5 with local check option;
create materialized view wares.summed as select colour, sum(many) as many from wares.item group by colour;
create unique index on wares.summed (colour);
create function wares.add(a int, b int default 2) returns int language sql immutable strict parallel safe cost 3 return a + b;
create function wares.noted() returns trigger language plpgsql set search_path to wares, pg_temp set timezone to 'Asia/Tokyo' as
$f$ begin insert into log (what) values (tg_op || ' ' || tg_table_name); return null; end $f$;
create procedure wares.clear(inout n int) language plpgsql as $p$ begin delete from wares.log; n := 0; end $p$;
create aggregate wares.total (int) (sfunc = int4pl, stype = int, initcond = '0');
create operator wares.=+= (leftarg = int, rightarg = int, function = wares.add);
create cast (wares.size as text) with inout as assignment;
create trigger noted after insert or update of name or delete on wares.item for each statement execute function wares.noted();
alter table wares.item disable trigger noted;
create rule kept as on delete to wares.base do instead nothing;
alter table wares.base enable row level security;
create policy own on wares.base for select to public using (kind = current_user);
create text search configuration wares.words (copy = pg_catalog.english);
comment on column wares.item.name is E'two\nlines';
comment on function wares.add(int, int) is 'adds';
grant select (id, name), update (name) on wares.item to public;
grant usage on schema wares to public;
alter default privileges in schema wares grant select on tables to public;
revoke all on function wares.add(int, int) from public;
select lo_from_bytea(4200, 'a large object'), lo_from_bytea(4201, decode(repeat('00ff', 3000), 'hex'));
comment on large object 4200 is 'large';
select setval('wares.numbers', 142);
refresh materialized view wares.summed;
