/* What bodies of functions may leave behind. */
#include <stdio.h>

#include "routing/body_pg.h"
#include "tests/unit/check_main.h"

enum { L = EFFECT_LEAVES, S = EFFECT_STAYS, M = EFFECT_MOVES, U = EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES,
       N = EFFECT_NEXTVAL, C = EFFECT_CURRVAL, E = EFFECT_NAMED, R = EFFECT_RESETS };

static char names[256];

static void on_setting(void *ctx, struct bytes name) {
    (void)ctx;
    size_t len = strlen(names);
    snprintf(names + len, sizeof names - len, "%s%.*s", len ? " " : "", (int)name.len, (const char *)name.ptr);
}

static unsigned of_function(void *ctx, struct bytes name, const struct effect_argument *first) {
    (void)ctx, (void)first;
    if (bytes_is(name, "set_ctx")) return L | E;
    return bytes_is(name, "clean") || bytes_is(name, "Clean") ? 0 : bytes_is(name, "pins") ? S : EFFECT_NO_SUCH;
}

static unsigned of_relation(void *ctx, struct bytes name, bool is_written) {
    (void)ctx, (void)is_written;
    return bytes_is(name, "audited") ? C : 0;
}

static const struct effect_names known = {.of_function = of_function, .of_relation = of_relation, .on_setting = on_setting};

static const struct {
    const char *body;
    unsigned effects;
} bodies[] = {
    {"begin return 1; end", 0},
    {"", 0},
    {"declare a int := 1; b varchar(10) not null default lower('X'); begin a := a + 1; b = 'x'; return a; end;", 0},
    {"<<outer>> declare r record; begin for r in select * from t loop exit outer when r.a > 1; end loop outer; end", 0},
    {"begin if a then b := 1; elsif c then b := 2; else b := case when d then e else f end; end if; end", 0},
    {"begin case a when 1 then b := 1; else c.d := 2; e[1] := 3; end case; end", 0},
    {"begin select case when a then b else c end into x from t; return x; end", 0},
    {"begin perform clean(1); raise notice 'set %', x; return query select clean(a) from t; end", 0},
    {"begin null; exception when others then get stacked diagnostics x = message_text; raise; end", 0},
    {"begin while a loop continue when b; end loop; foreach x in array y loop null; end loop; end", 0},
    {"declare c cursor for select 1; begin open c; fetch c into x; move c; close c; end", 0},
    {"begin notify a; lock table t; truncate t; assert a; commit; rollback; end", 0},
    {"begin insert into t values (1) on conflict do update set a = 1; end", N},
    {"begin update t set a = 1; delete from t; end", N},
    {"begin set local work_mem = 1; end", M},
    {"begin perform set_config('a.b', f(x, (y)), true); end", M},
    {"begin perform \"Clean\"(); end", 0},
    {"declare set int; begin set := 1; end", 0},
    {"begin perform pins(); end", S},
    {"begin perform x.pins(); end", S},
    {"begin return a + pins(); end", S},
    {"declare a int default pins(); begin end", S},
    {"begin call pins(); end", S},
    {"begin insert into audited values (1); end", C | N},
    {"begin return query select * from s.audited; end", C},
    {"begin set work_mem = 1; end", L | M},
    {"begin if a then set session x = 1; end if; end", L | M},
    {"begin perform set_config('work_mem', '1', false); end", L | M},
    {"begin perform set_config(a, '1', false); end", L | S | M},
    {"begin perform set_config('a.' || b, '1', false); end", L | S | M},
    {"begin perform set_config('work_mem'::text, '1', false); end", L | M},
    {"begin perform set_config('work_mem'::name, '1', false); end", L | S | M},
    {"begin perform set_config(E'work_mem', '1', false); end", L | M},
    {"begin perform set_config(E'work\\x5fmem', '1', false); end", L | S | M},
    {"begin perform set_config('work_mem', '1', not true); end", L | M},
    {"begin perform set_config('work_mem', '1', a or true); end", L | M},
    {"begin perform set_config('work_mem', '1', is_local => true); end", M},
    {"begin perform set_config('work_mem', (f(1, true)), x[1, true]); end", L | M},
    {"begin perform set_config('work_mem', true", L | M}, /* which is no body */
    {"begin perform set_ctx('work_mem', x); end", L},
    {"begin perform set_ctx(x, 'work_mem'); end", L | S},
    {"begin update pg_settings set setting = 1; end", L | N | M},
    {"begin perform pg_advisory_lock(1); end", L | M},
    {"begin return currval('s'); end", C},
    {"begin return nextval('s'); end", N},
    {"begin perform setseed(1); end", S},
    {"begin case a when 1 then b := 1; end case; if c then set d = 1; end if; end", L | M},
    {"begin a := case b when 1 then 2 end; if c then set d = 1; end if; end", L | M},
    {"begin loop exit; end loop; set d = 1; end", L | M},
    {"begin if case when a then b else c end then set d = 1; end if; end", L | M},
    {"begin execute 'x'; end", U},
    {"begin return (select count(*) from pg_prepared_statements); end", EFFECT_LISTS},
    {"begin return (select count(*) from pg_prepared_statement()); end", EFFECT_LISTS},
    {"begin return query execute a; end", U},
    {"begin for r in execute a loop end loop; end", U},
    {"begin create temp table t (a int); end", U},
    {"begin reset all; end", U},
    {"begin if a then listen x; end if; end", U},
    {"begin discard all; end", U},
    {"begin do_something; end", U},
    {"begin perform 'a", U}, /* cannot be read */
    {"begin perform \"a\"\"b\"(); end", U},
};

START_TEST(bodies_have_effects) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    unsigned effects = body_pg_effects(bytes_str(bodies[_i].body), &options, &known);
    ck_assert_msg(effects == bodies[_i].effects, "%s: %#x instead of %#x", bodies[_i].body, effects, bodies[_i].effects);
}
END_TEST

/* f(k, v): whether the name that it sets is what its caller says. */
static const struct {
    const char *body;
    unsigned effects;
} of_callers[] = {
    {"begin perform set_config(k, v, false); end", L | M | E},
    {"begin perform pg_catalog.set_config(k::text, v, false); return; end", L | M | E},
    {"begin return set_config(\"k\", v, false); end", L | M | E},
    {"declare x text; begin x := set_config(K, v, false); end", L | M | E},
    {"begin if v is null then return; end if; select set_config(k, v, false); end", L | M | E},
    {"begin perform set_config($1, v, false) from t; end", L | M | E},
    {"begin perform set_config(k, v, true); end", M},
    {"begin perform lower(k); perform set_config(k, v, false); end", L | M | E},
    {"begin perform set_ctx(k, v); end", L | E},
    {"begin perform set_config(k, v, false) from t; end", L | S | M}, /* t may have a column k */
    {"begin if set_config(k, v, false) is null then return; end if; end", L | S | M},
    {"begin perform g(a := set_config(k, v, false)); end", L | S | M},
    {"begin perform set_config(\"K\", v, false); end", L | S | M},
    {"begin perform set_config(v, k, false); end", L | S | M},
    {"begin perform set_config($2, v, false); end", L | S | M},
    {"begin k := 'a.' || k; perform set_config(k, v, false); end", L | S | M},
    {"begin $1 := 'a.b'; perform set_config(k, v, false); end", L | S | M},
    {"begin select a into k from t; perform set_config(k, v, false); end", L | S | M},
    {"begin for k in select a from t loop perform set_config(k, v, false); end loop; end", L | S | M},
    {"declare k text := 'a.b'; begin perform set_config(k, v, false); end", L | S | M},
    {"declare l alias for $1; begin l := 'a.b'; perform set_config(k, v, false); end", L | S | M},
    {"begin call p(k); perform set_config(k, v, false); end", L | S | M},
    {"begin get diagnostics k = row_count; perform set_config(k, v, false); end", L | S | M},
    {"begin perform set_config(k || 'x', v, false); end", L | S | M},
    {"begin perform set_config(upper(k), v, false); end", L | S | M},
};

START_TEST(parameters_are_what_the_caller_says) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct effect_names names_of_f = known;
    names_of_f.has_parameter = true;
    names_of_f.parameter = bytes_str("k");
    unsigned effects = body_pg_effects(bytes_str(of_callers[_i].body), &options, &names_of_f);
    ck_assert_msg(effects == of_callers[_i].effects, "%s: %#x instead of %#x", of_callers[_i].body, effects, of_callers[_i].effects);
}
END_TEST

START_TEST(strings_are_plain_under_either_setting) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    options.modes &= ~(uint32_t)SQL_STANDARD_STRINGS;
    names[0] = '\0';
    ck_assert_uint_eq(body_pg_effects(bytes_str("begin perform set_config('app.who', 'x', false); end"), &options, &known), L | M);
    ck_assert_str_eq(names, "app.who");
    ck_assert_uint_eq(body_pg_effects(bytes_str("begin perform set_config('work_mem', 'back\\slash', false); end"), &options, &known), L | M);
}
END_TEST

START_TEST(settings_with_a_dot_are_told) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    static const char body[] = "begin set app.who = 'x'; set \"X\".y.z to 1; perform set_config('app.what', 'x', false); end";
    names[0] = '\0';
    body_pg_effects(bytes_str(body), &options, &known);
    ck_assert_str_eq(names, "app.who X.y.z app.what");
}
END_TEST

static unsigned of_sql_with(const char *body, const struct effect_names *of_names) {
    struct arena arena;
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    arena_init(&arena, 1 << 20);
    unsigned effects = body_pg_sql_effects(bytes_str(body), &options, &arena, of_names);
    arena_release(&arena);
    return effects;
}

static unsigned of_sql(const char *body) {
    return of_sql_with(body, &known);
}

START_TEST(sql_in_all_its_forms) {
    ck_assert_uint_eq(of_sql("select 1; select clean(2)"), 0);
    ck_assert_uint_eq(of_sql("select pins()"), S);
    ck_assert_uint_eq(of_sql("set work_mem = 1"), L | M);
    ck_assert_uint_eq(of_sql("RETURN public.clean(2)"), 0);
    ck_assert_uint_eq(of_sql("RETURN (a + public.pins())"), S);
    ck_assert_uint_eq(of_sql("BEGIN ATOMIC\n SELECT public.clean(1) AS f;\n INSERT INTO t (a)\n   VALUES (1);\nEND"), N);
    ck_assert_uint_eq(of_sql("BEGIN ATOMIC\n SELECT public.pins() AS f;\nEND"), S);
    ck_assert_uint_eq(of_sql("BEGIN ATOMIC SELECT 1"), U);
}
END_TEST

START_TEST(parameters_in_sql) {
    struct effect_names of_f = known;
    ck_assert_uint_eq(of_sql("select set_config($1, $2, false)"), L | S | M | R);
    of_f.has_parameter = true;
    ck_assert_uint_eq(of_sql_with("select set_config($1, $2, false) from t", &of_f), L | M | E | R);
    ck_assert_uint_eq(of_sql_with("select set_config($2, $1, false)", &of_f), L | S | M | R);
    ck_assert_uint_eq(of_sql_with("select set_config(k, v, false)", &of_f), L | S | M | R);
    of_f.parameter = bytes_str("k");
    ck_assert_uint_eq(of_sql_with("select set_config(k, v, false)", &of_f), L | M | E | R);
    ck_assert_uint_eq(of_sql_with("select 1;\nSelect pg_catalog.set_config(K, v, false) ; ", &of_f), L | M | E | R);
    ck_assert_uint_eq(of_sql_with("RETURN set_config(k, v, false)", &of_f), L | M | E | R);
    ck_assert_uint_eq(of_sql_with("BEGIN ATOMIC\n SELECT set_config((k)::text, v, false) AS set_config;\nEND", &of_f), L | M | E | R);
    ck_assert_uint_eq(of_sql_with("select set_config(k, v, false) from t", &of_f), L | S | M | R); /* t may have a column k */
    ck_assert_uint_eq(of_sql_with("select 1 from t where (select set_config(k, v, false)) = ''", &of_f), L | S | M | R);
    ck_assert_uint_eq(of_sql_with("select a, set_config(k, v, false)", &of_f), L | S | M | R);
    ck_assert_uint_eq(of_sql_with("select set_config(\"K\", v, false)", &of_f), L | S | M | R);
}
END_TEST

/* Whatever a body is cut off at, reading it ends. */
START_TEST(cut_off_anywhere) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct bytes body = bytes_str(bodies[i].body);
        for (size_t len = 0; len < body.len; len++) (void)body_pg_effects(bytes_of(body.ptr, len), &options, &known);
    }
    struct effect_names names_of_f = known;
    names_of_f.has_parameter = true;
    names_of_f.parameter = bytes_str("k");
    for (size_t i = 0; i < COUNT_OF(of_callers); i++) {
        struct bytes body = bytes_str(of_callers[i].body);
        for (size_t len = 0; len < body.len; len++) (void)body_pg_effects(bytes_of(body.ptr, len), &options, &names_of_f);
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("body_pg");
    tcase_add_loop_test(tc, bodies_have_effects, 0, COUNT_OF(bodies));
    tcase_add_loop_test(tc, parameters_are_what_the_caller_says, 0, COUNT_OF(of_callers));
    tcase_add_test(tc, strings_are_plain_under_either_setting);
    tcase_add_test(tc, settings_with_a_dot_are_told);
    tcase_add_test(tc, sql_in_all_its_forms);
    tcase_add_test(tc, parameters_in_sql);
    tcase_add_test(tc, cut_off_anywhere);
    return check_main_of("body_pg", tc);
}
