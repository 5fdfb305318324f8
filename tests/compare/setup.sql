-- What every database of the comparison holds, and how it is put back between scripts. Run once by the superuser in the template;
-- the databases are copies, so that they agree down to the object ids.

create schema odd;
create schema "Odd ""one""";
create schema "two words";
-- Views of constants, so that nobody writes to them.
create view public.here as select 'public' as place;
create view odd.here as select 'odd' as place;
create view "Odd ""one""".here as select 'odd one' as place;
create view "two words".here as select 'two words' as place;
create table words as select i as id, 'word ' || i as word from generate_series(1, 20) i;
create type mood as enum ('sad', 'ok', 'happy');

create unlogged table t0 (id int primary key, v text, n numeric);
create unlogged table t1 (like t0 including all);
create unlogged table t2 (like t0 including all);
create unlogged table u0 (a int, b text);
create unlogged table u1 (a int, b text);
create unlogged table u2 (a int, b text);
create sequence s0;
create sequence s1;
create sequence s2;

-- Functions whose effects a statement's text and its command tag do not show.
create function hid_set(name text, value text) returns int language plpgsql stable as
    $$ begin perform set_config(name, value, false); return 1; end $$;
create function hid_set_local(name text, value text) returns int language plpgsql as
    $$ begin perform set_config(name, value, true); return 1; end $$;
create function hid_temp(name text) returns int language plpgsql as
    $$ begin execute format('create temp table %I as select 41 as x', name); return 1; end $$;
create function hid_lock(key bigint) returns int language plpgsql stable as
    $$ begin perform pg_advisory_lock(key); return 1; end $$;
create function hid_unlock(key bigint) returns boolean language sql stable as $$ select pg_advisory_unlock(key) $$;
create function hid_listen(channel text) returns int language plpgsql as
    $$ begin execute format('listen %I', channel); return 1; end $$;
create function hid_prepare(name text) returns int language plpgsql as
    $$ begin execute format('prepare %I as select 42 as hidden', name); return 1; end $$;
create function hid_run(what text) returns text language plpgsql as $$ declare r text; begin execute what into r; return r; end $$;
create function hid_try(what text) returns text language plpgsql as
    $$ begin return hid_run(what); exception when others then return sqlstate; end $$;
create function hid_cursor(name text) returns int language plpgsql as
    $$ begin execute format('declare %I cursor with hold for select id from words order by id', name); return 1; end $$;
create function hid_next(name text) returns bigint language sql as $$ select nextval(name::regclass) $$;
create function hid_caught(value text) returns int language plpgsql as
    $$ begin
        begin
            perform set_config('work_mem', value, false);
            perform 1 / 0;
        exception when division_by_zero then null;
        end;
        return 1;
    end $$;
create function hid_with(value text) returns text language plpgsql set work_mem = '777kB' as
    $$ begin perform set_config('work_mem', value, false); return current_setting('work_mem'); end $$;
create function hid_with_local() returns text language plpgsql set datestyle = 'German' as
    $$ begin return date '2026-02-01'; end $$;
create procedure hid_commits(value text) language plpgsql as
    $$ begin perform set_config('work_mem', value, false); commit; perform set_config('work_mem', '333kB', true); end $$;
create function hid_default() returns int language plpgsql as $$ begin set work_mem = '4444kB'; return 1; end $$;
create table hid_trigger (x int);
create function hid_on_insert() returns trigger language plpgsql as
    $$ begin perform set_config('work_mem', '1010kB', false); return new; end $$;
create trigger hid_trigger before insert on hid_trigger for each row execute function hid_on_insert();
create view hid_view as select hid_set('work_mem', '2020kB') as done;

grant usage, create on schema public, odd, "Odd ""one""", "two words" to public;
grant all on all tables in schema public, odd, "Odd ""one""", "two words" to public;
grant all on all sequences in schema public to public;
alter table u0 owner to app;
alter table u1 owner to app;
alter table u2 owner to app;

-- Everything that scripts can change, as it was. What is not of this list (tables that scripts make) is dropped.
create table compare_kept as select oid as id from pg_class where relnamespace in (select oid from pg_namespace where nspname !~ '^pg_');
create table compare_kept_functions as select oid as id from pg_proc;
create function compare_reset(with_ddl boolean) returns void language plpgsql set client_min_messages = error as $$
declare
    each record;
    i int;
begin
    if with_ddl then
        for each in select oid::regclass as name, relkind from pg_class where oid > 16383 and relkind in ('r', 'v', 'S', 'm')
            and relnamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
            and oid not in (select id from compare_kept) and relname !~ '^compare_' loop
            begin
                execute format('drop %s if exists %s cascade',
                    case each.relkind when 'v' then 'view' when 'S' then 'sequence' when 'm' then 'materialized view' else 'table' end, each.name);
            exception when others then null;
            end;
        end loop;
        for each in select oid::regprocedure as name from pg_proc where oid > 16383 and prokind = 'f' and proname !~ '^compare_'
            and pronamespace in (select oid from pg_namespace where nspname !~ '^pg_')
            and oid not in (select id from compare_kept_functions) loop
            execute format('drop function if exists %s cascade', each.name);
        end loop;
    end if;
    -- Fixed texts: their plans are kept.
    delete from public.t0;
    delete from public.t1;
    delete from public.t2;
    delete from public.hid_trigger;
    insert into public.t0 select k, 'row ' || k, k * 1.5 from generate_series(1, 5) k;
    insert into public.t1 select k, 'row ' || k, k * 1.5 from generate_series(1, 5) k;
    insert into public.t2 select k, 'row ' || k, k * 1.5 from generate_series(1, 5) k;
    perform setval('public.s0', 1, false), setval('public.s1', 1, false), setval('public.s2', 1, false);
    if with_ddl then
        for i in 0..2 loop
            -- Making a table anew is slow: only when it has changed.
            continue when (select string_agg(attname || atttypid || atttypmod, ' ' order by attnum) = 'a23-1 b25-1' and
                    not bool_or(c.relhasindex or obj_description(c.oid) is not null)
                from pg_class c, pg_attribute where attrelid = c.oid and attnum > 0 and c.relname = 'u' || i
                    and relnamespace = 'public'::regnamespace);
            execute format('drop table if exists public.u%s cascade; create unlogged table public.u%s (a int, b text);
                alter table public.u%s owner to app; grant all on public.u%s to public', i, i, i, i);
        end loop;
        delete from public.u0;
        delete from public.u1;
        delete from public.u2;
        insert into public.u0 select k, 'b' || k from generate_series(1, 4) k;
        insert into public.u1 select k, 'b' || k from generate_series(1, 4) k;
        insert into public.u2 select k, 'b' || k from generate_series(1, 4) k;
    end if;
end $$;

select compare_reset(true);
