/* What a database tells of its functions and relations: rows, and what is judged of bodies, definitions and policies. */
#include <stdio.h>
#include <stdlib.h>

#include "routing/known_pg.h"
#include "tests/unit/check_main.h"

static struct known_pg *f;
static struct sql_options sql;

static void fresh(void) {
    f = known_pg_new();
    sql = sql_options_default(SQL_POSTGRES);
    ck_assert_ptr_nonnull(f);
}

static void release(void) {
    known_pg_free(f);
}

static bool take(const char *kind, const char *schema, const char *name, const char *rest) {
    const struct bytes row[KNOWN_PG_COLUMNS] = {bytes_str(kind), bytes_str(schema), bytes_str(name), bytes_str(rest)};
    return known_pg_take(f, row);
}

static void judge_with(const char *reads, const char *writes) {
    const struct classify_options options = {.sql = &sql, .read_functions = bytes_str(reads), .write_functions = bytes_str(writes)};
    ck_assert(known_pg_judge(f, &options));
}

static void judge(void) {
    judge_with("", "");
}

static struct classify_function function(const char *schema, const char *name) {
    const struct classify_facts *facts = known_pg_facts(f);
    return facts->of_function(facts->ctx, bytes_str(schema), bytes_str(name));
}

static struct classify_relation relation(const char *schema, const char *name) {
    const struct classify_facts *facts = known_pg_facts(f);
    return facts->of_relation(facts->ctx, bytes_str(schema), bytes_str(name));
}

#define STEADY CLASSIFY_FUNCTION_STEADY
#define UNSAFE CLASSIFY_FUNCTION_UNSAFE

/* A function that is marked stable, with that body; what it turns out to be. */
static enum classify_function_kind of_body(const char *body) {
    static int count;
    char name[32];
    snprintf(name, sizeof name, "body%d", count++);
    ck_assert(take("function", "public", name, "steady") && take("body", "public", name, body));
    judge();
    return function("public", name).kind;
}

START_TEST(tables_have_copies) {
    const char *const rows[][3] = {{"public", "t", "table"}, {"public", "u", "table"}, {"app", "u", "table"}, {"public", "v", "view"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) ck_assert(take("relation", rows[i][0], rows[i][1], rows[i][2]));
    judge();
    known_pg_note_copy(f, bytes_str("public"), bytes_str("t"), 0);
    known_pg_note_copy(f, bytes_str("public"), bytes_str("t"), 7);
    known_pg_note_copy(f, bytes_str("public"), bytes_str("u"), 0);
    known_pg_note_copy(f, bytes_str("public"), bytes_str("v"), 0);
    known_pg_note_copy(f, bytes_str("public"), bytes_str("none"), 0);
    ck_assert_uint_eq(relation("public", "t").copies, 0x81);
    ck_assert_uint_eq(relation("", "t").copies, 0x81);
    ck_assert_uint_eq(relation("public", "u").copies, 1);
    ck_assert_uint_eq(relation("", "u").copies, 0); /* which of the two? */
    ck_assert_uint_eq(relation("app", "u").copies, 0);
    ck_assert_uint_eq(relation("public", "v").copies, 0);
    ck_assert_uint_eq(relation("public", "none").copies, 0);
}
END_TEST

static uint8_t copies_of(const char *text) {
    const struct classify_options options = {.sql = &sql, .facts = known_pg_facts(f)};
    struct classify_result result;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    classify_text(bytes_str(text), &options, &arena, &result);
    arena_release(&arena);
    ck_assert_msg(!result.copies || result.place == CLASSIFY_REPLICA, "%s", text);
    return result.copies;
}

START_TEST(what_copies_may_answer) {
    static const char *const all[] = {"SELECT * FROM t", "TABLE t", "SELECT 1 FROM public.t WHERE a = $1 ORDER BY b DESC LIMIT 3",
        "SELECT count(*), sum(a) OVER (PARTITION BY b) FROM t AS x JOIN t AS y USING (c)", "SELECT a::int FROM t UNION SELECT 2",
        "WITH v AS (SELECT * FROM t) SELECT * FROM v", "SELECT 1; SELECT pg_catalog.lower(a) FROM t", "SELECT now() FROM t",
        "SELECT EXTRACT(year FROM a), a AT TIME ZONE 'UTC', '\\\\' || a FROM t", "SELECT a OPERATOR(pg_catalog.+) 1 FROM t"};
    static const char *const none[] = {"", "SELECT 1", "VALUES (1)", "SELECT * FROM t, u", "SELECT * FROM t, app.u", "SELECT * FROM v",
        "SELECT * FROM t, none", "SELECT * FROM t, pg_class", "SELECT * FROM t, pg_catalog.pg_class", "SELECT ctid FROM t",
        "SELECT (t).xmin FROM t", "SELECT t.tableoid FROM t", "SELECT t.pg_column_size FROM t", "SELECT f(a) FROM t",
        "SELECT public.lower(a) FROM t", "SELECT to_regclass(a) FROM t", "SELECT a::regclass FROM t", "SELECT a::public.int FROM t",
        "SELECT a COLLATE x FROM t", "SELECT a @@ b FROM t", "SELECT a OPERATOR(public.+) 1 FROM t", "SELECT a <#> b FROM t",
        "SELECT * FROM t TABLESAMPLE system (1)", "SELECT * FROM t FOR SHARE", "EXPLAIN SELECT * FROM t", "COPY t TO STDOUT",
        "SELECT * FROM t; SHOW search_path", "BEGIN READ ONLY; SELECT * FROM t", "SELECT * FROM t; SELECT version()",
        "SELECT current_setting('TimeZone') FROM t", "SELECT current_user FROM t", "SELECT current_schema FROM t",
        "DECLARE c CURSOR FOR SELECT * FROM t", "SELECT * INTO x FROM t", "INSERT INTO t SELECT * FROM t", "SELECT * FROM t; nonsense"};
    const char *const rows[][3] = {{"public", "t", "table"}, {"app", "u", "table"}, {"public", "u", "table"}, {"public", "v", "view"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) ck_assert(take("relation", rows[i][0], rows[i][1], rows[i][2]));
    judge();
    known_pg_note_copy(f, bytes_str("public"), bytes_str("t"), 2);
    known_pg_note_copy(f, bytes_str("public"), bytes_str("u"), 2);
    for (size_t i = 0; i < COUNT_OF(all); i++) ck_assert_msg(copies_of(all[i]) == 4, "%s", all[i]);
    for (size_t i = 0; i < COUNT_OF(none); i++) ck_assert_msg(copies_of(none[i]) == 0, "%s", none[i]);
}
END_TEST

START_TEST(rows_are_functions_and_relations) {
    ck_assert(take("function", "public", "f", "steady"));
    ck_assert(take("function", "app", "f", "volatile"));
    ck_assert(take("relation", "public", "t", "table"));
    ck_assert(take("relation", "app", "t", "unlogged"));
    ck_assert(take("relation", "public", "odd", "of a new kind"));
    ck_assert(!take("something", "public", "else", ""));
    judge();
    ck_assert_int_eq(function("public", "f").kind, STEADY);
    ck_assert_int_eq(function("app", "f").kind, CLASSIFY_FUNCTION_VOLATILE);
    ck_assert_int_eq(function("", "f").kind, CLASSIFY_FUNCTION_VOLATILE);
    ck_assert_int_eq(function("other", "f").kind, CLASSIFY_FUNCTION_NONE);
    ck_assert_int_eq(function("", "g").kind, CLASSIFY_FUNCTION_NONE);
    ck_assert_int_eq(relation("public", "t").kind, CLASSIFY_RELATION_TABLE);
    ck_assert_int_eq(relation("", "t").kind, CLASSIFY_RELATION_UNLOGGED);
    ck_assert_int_eq(relation("", "f").kind, CLASSIFY_RELATION_NONE);
    ck_assert_int_eq(relation("", "odd").kind, CLASSIFY_RELATION_UNKNOWN);
}
END_TEST

START_TEST(the_worst_row_of_a_relation_counts) {
    ck_assert(take("relation", "public", "p", "table") && take("relation", "public", "p", "foreign") && take("relation", "public", "p", "table"));
    ck_assert_int_eq(relation("public", "p").kind, CLASSIFY_RELATION_FOREIGN);
}
END_TEST

START_TEST(functions_of_the_servers_own_are_known_already) {
    ck_assert(take("function", "pg_catalog", "nextval", "steady") && take("function", "pg_catalog", "any_value", "steady"));
    ck_assert_int_eq(function("pg_catalog", "nextval").kind, CLASSIFY_FUNCTION_NONE);
    ck_assert_int_eq(function("pg_catalog", "any_value").kind, STEADY);
}
END_TEST

START_TEST(bodies_in_sql) {
    ck_assert(take("relation", "public", "t", "table") && take("relation", "public", "u", "unlogged"));
    ck_assert_int_eq(of_body("sql SELECT a FROM public.t WHERE b = $1"), STEADY);
    ck_assert_int_eq(of_body("sql SELECT 1; SELECT lower('A')"), STEADY);
    ck_assert_int_eq(of_body("sql SELECT nextval('s')"), UNSAFE);
    ck_assert_int_eq(of_body("sql SELECT 1; SELECT pg_advisory_lock(1); SELECT 2"), UNSAFE);
    ck_assert_int_eq(of_body("sql SELECT * FROM u"), UNSAFE);
    ck_assert_int_eq(of_body("sql SELECT * FROM missing"), UNSAFE);
    ck_assert_int_eq(of_body("sql SELECT pg_is_in_recovery()"), UNSAFE);
    ck_assert_int_eq(of_body("sql INSERT INTO t VALUES (1)"), UNSAFE);
    ck_assert_int_eq(of_body("sql what is this"), UNSAFE);
    ck_assert_int_eq(of_body("sql RETURN (x + 1)"), STEADY);
    ck_assert_int_eq(of_body("sql RETURN nextval('s')"), UNSAFE);
    ck_assert_int_eq(of_body("sql BEGIN ATOMIC\n SELECT 1;\n SELECT 2;\nEND"), STEADY);
    ck_assert_int_eq(of_body("sql BEGIN ATOMIC\n SELECT 1;\n SELECT nextval('s');\nEND"), UNSAFE);
    ck_assert_int_eq(of_body("sql BEGIN ATOMIC\n SELECT 1;"), UNSAFE);
    ck_assert_int_eq(of_body("sql "), UNSAFE);
    ck_assert_int_eq(of_body("sql"), UNSAFE);
}
END_TEST

START_TEST(bodies_in_plpgsql) {
    ck_assert(take("relation", "public", "t", "table") && take("relation", "public", "u", "unlogged") &&
              take("relation", "public", "s", "sequence"));
    ck_assert(take("function", "public", "vol", "volatile") && take("function", "public", "ok", "steady"));
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN 1; END"), STEADY);
    ck_assert_int_eq(of_body("plpgsql DECLARE r int; BEGIN SELECT count(*) INTO r FROM t WHERE a IN (1, 2); RETURN ok(r); END"), STEADY);
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN current_setting('app.tenant', true); END"), STEADY);
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN current_setting('work_mem'); END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN current_setting(x); END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN PERFORM pg_advisory_lock(1); END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN pg_is_in_recovery(); END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN nextval('s'); END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN vol(); END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN EXECUTE 'SELECT 1'; END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN PERFORM 1 FROM u; END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN PERFORM 1 FROM pg_locks; END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN PERFORM last_value FROM s; END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN DELETE FROM t; END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN 'not closed"), UNSAFE);
    ck_assert(take("row", "", "vol", ""));
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN r.vol; END"), UNSAFE);
    ck_assert_int_eq(of_body("plpgsql BEGIN RETURN r.ok; END"), STEADY);
}
END_TEST

START_TEST(definitions_and_policies) {
    ck_assert(take("relation", "public", "t", "table") && take("relation", "public", "v", "view") && take("relation", "public", "w", "view"));
    ck_assert(take("code", "public", "v", "sql SELECT nextval('s') FROM public.t"));
    ck_assert(take("code", "public", "w", "sql SELECT lower(a) FROM public.t"));
    ck_assert(take("relation", "public", "r", "table") && take("code", "public", "r", "sql SELECT (a = 1)") &&
              take("code", "public", "r", "sql SELECT pg_backend_pid() = b"));
    judge();
    ck_assert_int_eq(relation("", "v").kind, CLASSIFY_RELATION_UNSAFE);
    ck_assert(bytes_is(relation("", "v").because, "function nextval at 7: writes"));
    ck_assert_int_eq(relation("", "w").kind, CLASSIFY_RELATION_VIEW);
    ck_assert_int_eq(relation("", "r").kind, CLASSIFY_RELATION_UNSAFE);
}
END_TEST

/* What is unsafe makes unsafe who uses it, in whatever order the rows come, and through circles. */
START_TEST(what_is_unsafe_spreads) {
    ck_assert(take("relation", "public", "a", "view") && take("code", "public", "a", "sql SELECT * FROM public.b"));
    ck_assert(take("relation", "public", "b", "view") && take("code", "public", "b", "sql SELECT public.g(1)"));
    ck_assert(take("function", "public", "g", "steady") && take("body", "public", "g", "sql SELECT public.h($1)"));
    ck_assert(take("function", "public", "h", "steady") && take("body", "public", "h", "sql SELECT public.g($1 - 1), public.bad()"));
    ck_assert(take("function", "public", "bad", "steady") && take("body", "public", "bad", "plpgsql BEGIN PERFORM setval('s', 1); END"));
    ck_assert(take("function", "public", "x", "steady") && take("body", "public", "x", "sql SELECT public.y($1)"));
    ck_assert(take("function", "public", "y", "steady") && take("body", "public", "y", "sql SELECT public.x($1), public.y($1)"));
    judge();
    ck_assert_int_eq(relation("", "a").kind, CLASSIFY_RELATION_UNSAFE);
    ck_assert_int_eq(relation("", "b").kind, CLASSIFY_RELATION_UNSAFE);
    ck_assert_int_eq(function("", "g").kind, UNSAFE);
    ck_assert_int_eq(function("", "h").kind, UNSAFE);
    ck_assert_int_eq(function("", "bad").kind, UNSAFE);
    ck_assert_int_eq(function("", "x").kind, STEADY);
    ck_assert_int_eq(function("", "y").kind, STEADY);
}
END_TEST

/* Each calls the next one, and the last one writes; those that come last in the rows were asked for first. */
START_TEST(what_is_unsafe_spreads_along_chains) {
    enum { LENGTH = 3000 };
    char name[16], body[64];
    for (int i = 0; i < 2 * LENGTH; i++) {
        snprintf(name, sizeof name, "f%d", i);
        snprintf(body, sizeof body, "sql SELECT public.f%d()", i + 1);
        ck_assert(take("function", "public", name, "steady") && take("body", "public", name, body));
    }
    ck_assert(take("function", "public", "f6000", "steady"));
    judge();
    ck_assert_int_eq(function("public", "f0").kind, STEADY);
    snprintf(name, sizeof name, "f%d", LENGTH);
    ck_assert(take("function", "public", name, "volatile"));
    judge();
    for (int i = 0; i < 2 * LENGTH; i++) {
        snprintf(name, sizeof name, "f%d", i);
        enum classify_function_kind right = i < LENGTH ? UNSAFE : i > LENGTH ? STEADY : CLASSIFY_FUNCTION_VOLATILE;
        ck_assert_int_eq(function("public", name).kind, right);
    }
}
END_TEST

/* Nobody waits until all of it is read: what has code is then not safe. */
START_TEST(too_much_code_is_unsafe) {
    enum { LEN = 1 << 20, COUNT = KNOWN_PG_JUDGED_MAX / LEN + 2 };
    char *text = malloc(LEN + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, ' ', LEN);
    memcpy(text, "sql SELECT 1", 12);
    text[LEN] = '\0';
    ck_assert(take("function", "public", "small", "steady") && take("body", "public", "small", "sql SELECT 1"));
    ck_assert(take("relation", "public", "t", "table"));
    judge();
    ck_assert_int_eq(function("public", "small").kind, STEADY);
    for (int i = 0; i < COUNT; i++) ck_assert(take("body", "public", "large", text));
    ck_assert(take("function", "public", "large", "steady"));
    ck_assert(take("function", "public", "last", "steady") && take("body", "public", "last", "sql SELECT 2"));
    judge();
    ck_assert_int_eq(function("public", "last").kind, UNSAFE);
    ck_assert_int_eq(function("public", "small").kind, UNSAFE);
    ck_assert_int_eq(relation("public", "t").kind, CLASSIFY_RELATION_TABLE);
    free(text);
}
END_TEST

START_TEST(lists_of_the_configuration_count_inside_too) {
    ck_assert(take("function", "public", "counted", "volatile") && take("function", "public", "quiet", "steady"));
    ck_assert(take("relation", "public", "v", "view") && take("code", "public", "v", "sql SELECT public.counted()"));
    ck_assert(take("relation", "public", "w", "view") && take("code", "public", "w", "sql SELECT public.quiet()"));
    judge_with("public.counted", "quiet");
    ck_assert_int_eq(relation("", "v").kind, CLASSIFY_RELATION_VIEW);
    ck_assert_int_eq(relation("", "w").kind, CLASSIFY_RELATION_UNSAFE);
}
END_TEST

START_TEST(code_behind_operators) {
    ck_assert(take("function", "public", "plus", "volatile") && take("function", "public", "minus", "steady"));
    ck_assert(take("everywhere", "", "", "sql SELECT public.minus()"));
    judge();
    ck_assert(known_pg_facts(f)->is_everything_safe);
    ck_assert(take("everywhere", "", "", "sql SELECT public.minus(), public.plus()"));
    judge();
    ck_assert(!known_pg_facts(f)->is_everything_safe);
    ck_assert(take("row", "", "shout", "") && take("function", "public", "shout", "volatile"));
    ck_assert(take("row", "", "murmur", "") && take("function", "public", "murmur", "steady"));
    ck_assert(known_pg_facts(f)->is_unsafe_column(known_pg_facts(f)->ctx, bytes_str("shout")));
    ck_assert(!known_pg_facts(f)->is_unsafe_column(known_pg_facts(f)->ctx, bytes_str("murmur")));
    ck_assert(!known_pg_facts(f)->is_unsafe_column(known_pg_facts(f)->ctx, bytes_str("whisper")));
}
END_TEST

START_TEST(queries_fit_their_limit) {
    for (uint32_t version = 120000; version <= 190000; version += 10000) {
        struct writer w;
        writer_init(&w, KNOWN_PG_QUERY_MAX);
        known_pg_put_query(&w, version);
        ck_assert(!w.failed && w.len > 1000);
        writer_release(&w);
    }
}
END_TEST

int main(void) {
    TCase *all = tcase_create("known_pg");
    tcase_add_checked_fixture(all, fresh, release);
    tcase_add_test(all, tables_have_copies);
    tcase_add_test(all, what_copies_may_answer);
    tcase_add_test(all, rows_are_functions_and_relations);
    tcase_add_test(all, the_worst_row_of_a_relation_counts);
    tcase_add_test(all, functions_of_the_servers_own_are_known_already);
    tcase_add_test(all, bodies_in_sql);
    tcase_add_test(all, bodies_in_plpgsql);
    tcase_add_test(all, definitions_and_policies);
    tcase_add_test(all, what_is_unsafe_spreads);
    tcase_add_test(all, what_is_unsafe_spreads_along_chains);
    tcase_add_test(all, too_much_code_is_unsafe);
    tcase_add_test(all, lists_of_the_configuration_count_inside_too);
    tcase_add_test(all, code_behind_operators);
    tcase_add_test(all, queries_fit_their_limit);
    return check_main_of("known_pg", all);
}
