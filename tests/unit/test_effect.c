/* What texts may leave behind. */
#include <stdio.h>

#include "routing/effect.h"
#include "routing/function_pg.h"
#include "tests/unit/check_main.h"

enum { L = EFFECT_LEAVES, T = EFFECT_TAKES, S = EFFECT_STAYS, U = EFFECT_UNKNOWN, N = EFFECT_NEXTVAL, C = EFFECT_CURRVAL,
       P = EFFECT_STATEMENTS };

static char names[256];

static void on_name(void *ctx, struct bytes name) {
    (void)ctx;
    size_t len = strlen(names);
    snprintf(names + len, sizeof names - len, "%s%.*s", len ? " " : "", (int)name.len, (const char *)name.ptr);
}

static unsigned effects_of(const char *text) {
    struct arena arena;
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    names[0] = '\0';
    arena_init(&arena, 1 << 20);
    unsigned effects = effect_of(bytes_str(text), &options, &arena, on_name, NULL);
    arena_release(&arena);
    return effects;
}

static const struct {
    const char *text;
    unsigned effects;
} texts[] = {
    {"", 0},
    {"SELECT 1; SELECT 2", 0},
    {"SELECT lower(a), count(*), pg_catalog.now(), coalesce(a, b), extract(year FROM c), current_user FROM t WHERE d = $1", 0},
    {"SELECT * FROM generate_series(1, 2) AS g, LATERAL unnest(a) WHERE EXISTS (SELECT max(b) FROM u)", 0},
    {"INSERT INTO t VALUES (1)", N},
    {"UPDATE t SET a = 1", N},
    {"DELETE FROM t", N}, /* triggers */
    {"COPY t FROM STDIN", N},
    {"COPY t TO STDOUT", 0},
    {"BEGIN; SAVEPOINT a; ROLLBACK TO a; COMMIT", 0},
    {"START TRANSACTION ISOLATION LEVEL SERIALIZABLE", 0},
    {"SET TRANSACTION READ ONLY", 0},
    {"SET CONSTRAINTS ALL DEFERRED", 0},
    {"SET LOCAL work_mem = '1MB'", 0},
    {"SHOW ALL", 0},
    {"DECLARE c CURSOR FOR SELECT 1; FETCH c; MOVE c", 0},
    {"LOCK TABLE t; TRUNCATE t; VACUUM t; ANALYZE t; NOTIFY n, 'x'", 0},
    {"ALTER TABLE t ADD a int; CREATE INDEX ON t (a); GRANT SELECT ON t TO u", 0},
    {"EXPLAIN ANALYZE SELECT 1", 0},
    {"CLOSE c", T},
    {"UNLISTEN *", T},
    {"DEALLOCATE p", T | P},
    {"DROP TABLE t", T},
    {"SELECT pg_advisory_unlock(1)", T},
    {"SET work_mem = '1MB'", L},
    {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", L},
    {"SET ROLE a", L},
    {"SET SESSION AUTHORIZATION a", L},
    {"SET TIME ZONE 'UTC'", L},
    {"RESET ALL", L},
    {"DISCARD ALL", L},
    {"CREATE TEMP TABLE t (a int)", L},
    {"CREATE TABLE t (a int)", L}, /* the first schema of the path may be pg_temp */
    {"CREATE VIEW v AS SELECT 1", L},
    {"SELECT 1 INTO t", L},
    {"CREATE TABLE t AS SELECT 1", L},
    {"LISTEN a", L},
    {"PREPARE p AS SELECT 1", P},
    {"PREPARE p AS SELECT f()", P},
    {"EXECUTE p", P},
    {"EXECUTE p(f())", P | U | N},
    {"EXPLAIN ANALYZE EXECUTE p", P},
    {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", L},
    {"SELECT pg_advisory_lock(1)", L},
    {"SELECT * FROM t WHERE pg_try_advisory_lock_shared(a)", L},
    {"SELECT pg_advisory_xact_lock(1)", 0},
    {"SELECT set_config('work_mem', '1MB', false)", L},
    {"SELECT set_config('work_mem', '1MB', $1)", L},
    {"SELECT set_config('work_mem', '1MB', true)", 0},
    {"SELECT set_config($1, '1MB', true)", 0},
    {"SELECT set_config($1, '1MB', false)", L | S}, /* nobody knows what to look for */
    {"UPDATE pg_settings SET setting = 'x'", L | N},
    {"SELECT query_to_xml('SET a.b = 1', true, true, '')", L},
    {"LOAD 'x'", S},
    {"SELECT setseed(0.5)", S},
    {"SELECT nextval('s')", N},
    {"SELECT currval('s'), lastval()", C},
    {"SELECT f(1)", U | N},
    {"SELECT s.lower('x')", U | N},
    {"SELECT \"Lower\"('x')", U | N},
    {"SELECT 1 FROM t ORDER BY f(a)", U | N},
    {"WITH a AS (INSERT INTO t SELECT f(1)) SELECT 1", U | N},
    {"CALL p()", U | N},
    {"DO 'x'", U | N},
    {"FROB", L | N}, /* not analysable */
    {"SELECT 1; FROB; SELECT 2", L | N},
    {"SELECT 'a", L | N},
};

START_TEST(texts_have_effects) {
    ck_assert_msg(effects_of(texts[_i].text) == texts[_i].effects, "%s: %#x instead of %#x", texts[_i].text, effects_of(texts[_i].text),
                  texts[_i].effects);
}
END_TEST

START_TEST(names_with_a_dot_are_told) {
    effects_of("SET a.b = 1; SET LOCAL A.C = 1; RESET \"x\".y; SET work_mem = 1");
    ck_assert_str_eq(names, "a.b a.c x.y");
    effects_of("SELECT set_config('app.user', 'x', true), set_config('work_mem', 'x', true)");
    ck_assert_str_eq(names, "app.user");
    effects_of("CREATE FUNCTION f() RETURNS int LANGUAGE sql SET p.q = 1 AS 'x'");
    ck_assert_str_eq(names, "p.q");
}
END_TEST

START_TEST(memory_that_ends_is_no_knowledge) {
    struct arena arena;
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    arena_init(&arena, 256);
    ck_assert_uint_eq(effect_of(bytes_str("SELECT 1"), &options, &arena, on_name, NULL), L | N);
    arena_release(&arena);
}
END_TEST

START_TEST(functions_are_known_by_name) {
    ck_assert_int_eq(function_pg_find(bytes_str("lower")), FUNCTION_CLEAN);
    ck_assert_int_eq(function_pg_find(bytes_str("set_config")), FUNCTION_SET_CONFIG);
    ck_assert_int_eq(function_pg_find(bytes_str("Lower")), FUNCTION_UNKNOWN);
    ck_assert_int_eq(function_pg_find(bytes_str("lowe")), FUNCTION_UNKNOWN);
    ck_assert_int_eq(function_pg_find(bytes_str("")), FUNCTION_UNKNOWN);
    ck_assert_int_eq(function_pg_find(bytes_str("a_name_that_is_longer_than_sixty_three_bytes_and_so_is_no_name_at_all")), FUNCTION_UNKNOWN);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("effect");
    tcase_add_loop_test(tc, texts_have_effects, 0, COUNT_OF(texts));
    tcase_add_test(tc, names_with_a_dot_are_told);
    tcase_add_test(tc, memory_that_ends_is_no_knowledge);
    tcase_add_test(tc, functions_are_known_by_name);
    return check_main_of("effect", tc);
}
