/* What texts may leave behind. */
#include <stdio.h>

#include "routing/effect.h"
#include "routing/function_pg.h"
#include "routing/reset_pg.h"
#include "tests/unit/check_main.h"

enum { L = EFFECT_LEAVES, T = EFFECT_TAKES, S = EFFECT_STAYS, U = EFFECT_UNKNOWN | EFFECT_EXECUTES, N = EFFECT_NEXTVAL, C = EFFECT_CURRVAL,
       R = EFFECT_RESETS, M = EFFECT_MOVES, K = EFFECT_CATALOG, H = EFFECT_CHANNELS, P = EFFECT_SAVEPOINT, D = EFFECT_DISCARD,
       Q = EFFECT_STATEMENTS, E = EFFECT_NAMED };

static char names[256];

static void on_setting(void *ctx, struct bytes name) {
    (void)ctx;
    size_t len = strlen(names);
    snprintf(names + len, sizeof names - len, "%s%.*s", len ? " " : "", (int)name.len, (const char *)name.ptr);
}

/* known_clean() and known_pins() are functions; writing `audited` runs one that leaves something, so does reading `odd_view`. */
static unsigned of_function(void *ctx, struct bytes name, const struct effect_argument *first) {
    (void)ctx, (void)first;
    if (bytes_is(name, "set_ctx")) return L | M | E;
    return bytes_is(name, "known_clean") ? 0 : bytes_is(name, "known_pins") ? S : bytes_is(name, "upper") ? C : EFFECT_NO_SUCH;
}

static unsigned of_relation(void *ctx, struct bytes name, bool is_written) {
    (void)ctx;
    return bytes_is(name, "audited") && is_written ? S : bytes_is(name, "odd_view") && !is_written ? C : 0;
}

static const struct effect_names known = {
    .of_function = of_function, .of_relation = of_relation, .on_setting = on_setting, .has_parameter = true};

static unsigned effects_with(const char *text, uint32_t modes) {
    struct arena arena;
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    options.modes = modes;
    names[0] = '\0';
    arena_init(&arena, 1 << 20);
    unsigned effects = effect_of(bytes_str(text), &options, &arena, &known);
    arena_release(&arena);
    return effects;
}

static unsigned effects_of(const char *text) {
    return effects_with(text, sql_options_default(SQL_POSTGRES).modes);
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
    {"BEGIN; SAVEPOINT a; ROLLBACK TO a; COMMIT", M | P},
    {"START TRANSACTION ISOLATION LEVEL SERIALIZABLE; SAVEPOINT a; RELEASE a", P},
    {"COMMIT", M},
    {"ROLLBACK AND CHAIN", M},
    {"PREPARE TRANSACTION 'x'", M},
    {"MOVE c", M},
    {"SET TRANSACTION READ ONLY", 0},
    {"SET CONSTRAINTS ALL DEFERRED", 0},
    {"SET LOCAL work_mem = '1MB'", M},
    {"SHOW ALL", 0},
    {"DECLARE c CURSOR FOR SELECT 1; FETCH c; MOVE c", M},
    {"LOCK TABLE t; TRUNCATE t; VACUUM t; ANALYZE t; NOTIFY n, 'x'", 0},
    {"ALTER TABLE t ADD a int; CREATE INDEX ON t (a); GRANT SELECT ON t TO u", L | K},
    {"ALTER ROLE r SET work_mem = 1; CREATE DATABASE d; ALTER SEQUENCE s RESTART", 0},
    {"EXPLAIN ANALYZE SELECT 1", 0},
    {"CLOSE c", T},
    {"UNLISTEN *", T | H},
    {"DEALLOCATE p", T | Q},
    {"DROP TABLE t", T | K},
    {"DROP ROLE r", T},
    {"SELECT pg_advisory_unlock(1)", T},
    {"SET work_mem = '1MB'", L | M},
    {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", L | M},
    {"SET ROLE a", L | M},
    {"SET SESSION AUTHORIZATION a", L | M},
    {"SET TIME ZONE 'UTC'", M}, /* the server reports it */
    {"SET DateStyle = german; SET \"application_name\" TO 'x'; SET SESSION client_encoding = 'latin1'; SET NAMES 'utf8'", M},
    {"SET standard_conforming_strings = off", M},
    {"SET INTERVALSTYLE = iso_8601", M},
    {"SET timezone TO DEFAULT", L | R | M},
    {"RESET timezone", L | R | M},
    {"SET x.timezone = 'UTC'", L | M},
    {"SET search_path = a; SET TIME ZONE 'UTC'", L | M},
    {"SET TimeZone = 'UTC'; SELECT pg_advisory_lock(1)", L | M},
    {"RESET ALL", L | R | M},
    {"RESET work_mem", L | R | M},
    {"SET a.b TO DEFAULT", L | R | M},
    {"SET LOCAL work_mem TO DEFAULT", R | M},
    {"SET TIME ZONE LOCAL", L | R | M},
    {"SET TIME ZONE interval '1' hour", M},
    {"SET NAMES", L | R | M},
    {"DISCARD PLANS", L | M},
    {"SELECT set_config('work_mem', $1, true)", R | M}, /* it may be NULL */
    {"SELECT set_config('work_mem', NULL, false)", L | R | M},
    {"DISCARD ALL", L | R | M | D},
    {"CREATE TEMP TABLE t (a int)", L},
    {"CREATE TABLE t (a int)", L | K}, /* the first schema of the path may be pg_temp */
    {"CREATE VIEW v AS SELECT 1", L | K},
    {"CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", L | K},
    {"SELECT 1 INTO t", L},
    {"CREATE TABLE t AS SELECT 1", L | K},
    {"LISTEN a", L | H},
    {"PREPARE p AS SELECT 1", Q},
    {"PREPARE p AS SELECT f()", Q},
    {"EXECUTE p", Q},
    {"EXECUTE p(set_config('a', 'b', false))", Q | L | M},
    {"EXPLAIN ANALYZE EXECUTE p", Q},
    {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", L},
    {"SELECT pg_advisory_lock(1)", L | M}, /* a function that leaves something is not asked what */
    {"SELECT * FROM t WHERE pg_try_advisory_lock_shared(a)", L | M},
    {"SELECT pg_advisory_xact_lock(1)", 0},
    {"SELECT set_config('work_mem', '1MB', false)", L | M},
    {"SELECT set_config('work_mem', '1MB', $1)", L | M},
    {"SELECT set_config('work_mem', '1MB', true)", M},
    {"SELECT set_config($1, '1MB', true)", M},
    {"SELECT set_config($1, '1MB', false)", L | M | E}, /* its Bind says what to look for */
    {"SELECT set_config($1::text, '1MB', false)", L | M | E},
    {"SELECT set_config(CAST($1 AS text), '1MB', false)", L | M | E},
    {"SELECT set_config($1::name, '1MB', false)", L | S | M}, /* it may become another one */
    {"SELECT set_config($1::varchar(3), '1MB', false)", L | S | M},
    {"SELECT set_config($1::text[], '1MB', false)", L | S | M},
    {"SELECT set_config($2, '1MB', false)", L | S | M}, /* nobody knows what to look for */
    {"SELECT set_config('a.' || $1, '1MB', false)", L | S | M},
    {"SELECT set_config(a, '1MB', false) FROM t", L | S | M},
    {"SELECT set_config(name, 'a', false) FROM pg_settings WHERE name = 'b'", L | M | EFFECT_LISTED}, /* one that a look finds */
    {"SELECT pg_catalog.set_config(name, 'a', false) AS x FROM pg_catalog.pg_settings", L | M | EFFECT_LISTED},
    {"SELECT set_config(name, 'a', true) FROM pg_settings", M},
    {"SELECT set_config(name, setting, false) FROM pg_settings", L | M | R | EFFECT_LISTED},
    {"SELECT set_config(name || 'a', 'a', false) FROM pg_settings", L | S | M},
    {"SELECT set_config(p.name, 'a', false) FROM pg_settings p", L | S | M},
    {"SELECT set_config(category, 'a', false) FROM pg_settings", L | S | M},
    {"SELECT set_config(name, 'a', false) FROM t", L | S | M},
    {"SELECT set_config(name, 'a', false) FROM pg_settings, t", L | S | M},
    {"SELECT 1, set_config(name, 'a', false) FROM pg_settings", L | S | M},
    {"SELECT (SELECT set_config(name, 'a', false) FROM t) FROM pg_settings", L | S | M},
    {"WITH pg_settings AS (SELECT 'a.b' AS name) SELECT set_config(name, 'a', false) FROM pg_settings", L | S | M},
    {"SELECT set_config(name, 'a', false) FROM (SELECT 'a.b' AS name) AS pg_settings", L | S | M},
    {"PREPARE a AS SELECT set_config($1, '1MB', false)", Q}, /* this one is EXECUTE's */
    {"DO $$ BEGIN PERFORM set_config($1, '1', false); END $$", L | S | M | K},
    {"SELECT set_config('work_mem'::text, '1MB', false)", L | M},
    {"SELECT set_ctx('work_mem', a), x.set_ctx('', 1)", L | M},
    {"SELECT set_ctx($1, $2)", L | M | E},
    {"SELECT set_ctx(a, 'b.c')", L | S | M},
    {"SELECT set_ctx(k => 'b.c')", L | S | M}, /* whether that is the first one is not known here */
    {"SELECT set_ctx()", L | S | M},
    {"CALL set_ctx('b.c', 1)", L | M},
    {"CALL set_ctx($1)", L | M | E},
    {"SELECT set_config(is_local => false, setting_name => 'work_mem', new_value => '1MB')", L | M},
    {"SELECT set_config('work_mem', is_local := true, new_value := 'false')", M},
    {"SELECT set_config(new_value => 'work_mem', is_local => false, setting_name => $1)", L | M | E},
    {"SELECT set_config('work_mem', '1MB', is_it => true)", L | M}, /* there is no such argument: the server refuses it */
    {"SELECT set_config(E'work_mem', '1MB', false)", L | M},
    {"SELECT set_config(E'work\\x5fmem', '1MB', false)", L | S | M},
    {"UPDATE pg_settings SET setting = 'x'", L | N | M},
    {"UPDATE pg_settings SET setting = $1", L | N | R | M},
    {"SELECT query_to_xml('SET a.b = 1', true, true, '')", L | M},
    {"LOAD 'x'", S},
    {"SELECT setseed(0.5)", S},
    {"SELECT nextval('s')", N},
    {"SELECT currval('s'), lastval()", C},
    {"SELECT f(1)", U | N | M},
    {"TABLE pg_prepared_statements", EFFECT_LISTS},
    {"SELECT * FROM pg_catalog.pg_prepared_statement() AS p", EFFECT_LISTS},
    {"SELECT s.lower('x')", U | N | M},
    {"SELECT \"Lower\"('x')", U | N | M},
    {"SELECT 1 FROM t ORDER BY f(a)", U | N | M},
    {"WITH a AS (INSERT INTO t SELECT f(1)) SELECT 1", U | N | M},
    {"CALL p()", U | N | M},
    {"DO 'x'", U | N | M | K},
    {"DO $a$ BEGIN PERFORM known_clean(); END $a$", 0},
    {"DO LANGUAGE plpgsql 'BEGIN PERFORM known_pins(); END'", S},
    {"DO LANGUAGE plperl 'x'", U | N | M | K},
    {"DO $a$ BEGIN EXECUTE 'CREATE VIEW v AS SELECT 1'; END $a$", U | N | M | K},
    {"SELECT known_clean(), x.known_clean()", 0},
    {"SELECT known_pins()", S},
    {"SELECT upper(a)", C}, /* a namesake of one of PostgreSQL's own */
    {"CALL known_pins()", S},
    {"INSERT INTO s.audited VALUES (1)", S | N},
    {"UPDATE audited SET a = 1", S | N},
    {"DELETE FROM audited", S | N},
    {"COPY audited FROM STDIN", S | N},
    {"COPY audited TO STDOUT", 0},
    {"TRUNCATE t, audited", S},
    {"SELECT * FROM audited", 0},
    {"MERGE INTO audited USING t ON true WHEN MATCHED THEN DELETE", S | N},
    {"WITH a AS (DELETE FROM audited RETURNING *) SELECT * FROM a", S | N},
    {"SELECT * FROM t JOIN s.odd_view ON true", C},
    {"SELECT (SELECT max(a) FROM odd_view)", C},
    {"REFRESH MATERIALIZED VIEW odd_view", C},
    {"TABLE odd_view", C},
    {"FROB", L | N | M | H}, /* not analysable */
    {"SELECT 1; FROB; SELECT 2", L | N | M | H},
    {"SELECT 'a", L | N | M | H},
};

START_TEST(texts_have_effects) {
    ck_assert_msg(effects_of(texts[_i].text) == texts[_i].effects, "%s: %#x instead of %#x", texts[_i].text, effects_of(texts[_i].text),
                  texts[_i].effects);
}
END_TEST

/* standard_conforming_strings may be another one by the time that the server reads it. */
START_TEST(a_backslash_before_a_quote_means_both) {
    ck_assert_uint_eq(effects_of("SELECT '\\', set_config(--'\n'work_mem','1MB', '\\'='' ) as \"'--\""), L | M);
    ck_assert_uint_eq(effects_of("SELECT '\\'; SET work_mem = 1 --'"), L | M);
    ck_assert_uint_eq(effects_of("SELECT '\\d+', E'\\n'"), 0);
}
END_TEST

static bool is_watched(void *ctx, struct bytes name) {
    (void)ctx;
    return bytes_is(name, "work_mem");
}

/* Each reset as its number, '!' when it is local, its name or '*', and '/' with what stands behind it. "inside": nothing can. */
static const struct {
    const char *text;
    const char *found;
    bool is_inside;
} resets[] = {
    {"RESET ALL", "0*/", false},
    {"/* c */ DISCARD ALL;", "0*/;", false},
    {"RESET Work_Mem", "0work_mem/", false},
    {"SET LOCAL app.who TO DEFAULT", "0!app.who/", false},
    {"SET TIME ZONE DEFAULT", "0timezone/", false},
    {"RESET TIME ZONE", "0timezone/", false},
    {"SET NAMES DEFAULT", "0client_encoding/", false},
    {"RESET ROLE", "0role/", false},
    {"DISCARD TEMP", "", false},
    {"SET work_mem = 1", "", false},
    {";SELECT 1;; RESET ALL -- x", "1*/ -- x", false},
    {"SELECT 1; SET LOCAL work_mem TO DEFAULT;", "1!work_mem/;", false},
    {"RESET work_mem /* a */ ; RESET ALL", "0work_mem/ /* a */ ; RESET ALL 1*/", false},
    {"SELECT 1; DISCARD ALL", "", false},
    {"DISCARD ALL; SELECT 1", "", false},
    {"RESET ALL; DISCARD ALL", "0*/; DISCARD ALL", false},
    {"FROB; RESET ALL", "", true},
    {"FROB; RESET enable_sort", "", false},
    {"RESET work_mem; FROB", "", true},
    {"SELECT set_config('work_mem', $1, true)", "<work_mem:$1>", false},
    {"RESET enable_sort; SELECT set_config('work_mem', $1, true)",
     "0enable_sort/; SELECT set_config('work_mem', $1, true)<work_mem:$1>", false},
    {"SELECT set_config('app.user', $1, true)", "", false},
    {"SELECT set_config($1, $2, true)", "<:$2>", false},
    {"SELECT set_config('work_mem', (NULL), true), pg_catalog.set_config(lower(a), b || c::text, d) FROM t", "<work_mem:NULL><:b || c::text>",
     false},
    {"INSERT INTO t VALUES (1) RETURNING set_config('work_mem', x, a)", "<work_mem:x>", false},
    {"SELECT set_config('work_mem', coalesce($1, 'x'), true), set_config('work_mem', coalesce(a, CAST('x' AS pg_catalog.text)), true)", "",
     false},
    {"SELECT set_config('work_mem', coalesce('x', $1), true)", "<work_mem:coalesce('x', $1)>", false},
    {"SELECT set_config('work_mem', (SELECT 'x'), true)", "", true},
    {"SELECT set_config('work_mem', unnest(a), true)", "", true},
    {"SELECT set_config('work_mem', set_config('work_mem', NULL, true), true)", "", true},
    {"SELECT set_config('work_mem', s.lower(a), true)", "", true},
    {"SELECT set_config('work_mem', max(a) OVER (), true)", "", true},
    {"SELECT set_config(f(), NULL, true)", "", true},
    {"SELECT set_config('work_mem')", "", true},
    {"CREATE TABLE t (x text DEFAULT set_config('work_mem', NULL, true))", "", true},
    {"SELECT set_config('work_mem', $1, true); FROB", "", true},
    {"PREPARE a AS SELECT set_config('work_mem', NULL, true)", "", false}, /* it runs later */
    {"UPDATE pg_settings SET setting = $1", "", true},
};

static void print_resets(char *out, size_t size, const struct resets_pg *r, const char *text) {
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < r->count; i++) {
        const struct reset_pg *item = &r->items[i];
        at += (size_t)snprintf(out + at, size - at, "%s%u%s%s/%s", i ? " " : "", item->number, item->is_local ? "!" : "",
                               item->kind == RESET_PG_ALL ? "*" : item->name, text + item->end);
    }
    for (uint32_t i = 0; i < r->call_count; i++) {
        const struct reset_call_pg *call = &r->calls[i];
        at += (size_t)snprintf(out + at, size - at, "<%s:%.*s>", call->setting, (int)(call->value_end - call->value), text + call->value);
    }
}

START_TEST(resets_are_found) {
    struct arena arena;
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct resets_pg r;
    char found[256];
    arena_init(&arena, 1 << 20);
    resets_pg_find(&r, bytes_str(resets[_i].text), &options, &arena, is_watched, NULL);
    print_resets(found, sizeof found, &r, resets[_i].text);
    ck_assert_str_eq(found, resets[_i].found);
    ck_assert_msg(r.is_inside == resets[_i].is_inside, "%s", resets[_i].text);
    resets_pg_find(&r, bytes_str(resets[_i].text), &options, &arena, NULL, NULL);
    ck_assert(!r.is_inside);
    arena_release(&arena);
}
END_TEST

START_TEST(more_resets_than_can_be_followed) {
    struct arena arena;
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct resets_pg r;
    char text[1024] = "";
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < RESETS_PG_MAX; i++) strcat(text, "RESET work_mem;");
    resets_pg_find(&r, bytes_str(text), &options, &arena, is_watched, NULL);
    ck_assert(!r.is_inside && r.count == RESETS_PG_MAX && r.statements == RESETS_PG_MAX);
    strcat(text, "RESET enable_sort;");
    resets_pg_find(&r, bytes_str(text), &options, &arena, is_watched, NULL);
    ck_assert(!r.is_inside);
    strcat(text, "RESET work_mem");
    resets_pg_find(&r, bytes_str(text), &options, &arena, is_watched, NULL);
    ck_assert(r.is_inside);
    arena_release(&arena);
}
END_TEST

START_TEST(names_with_a_dot_are_told) {
    effects_of("SET a.b = 1; SET LOCAL A.C = 1; RESET \"x\".y; SET work_mem = 1");
    ck_assert_str_eq(names, "a.b a.c x.y");
    effects_of("SELECT set_ctx('app.user', 'x'), s.set_ctx('a.b'::text, 'x'), set_ctx('work_mem', 'c.d'), known_clean('e.f')");
    ck_assert_str_eq(names, "app.user a.b");
    effects_of("SELECT set_config('app.user', 'x', true), set_config('work_mem', 'x', true)");
    ck_assert_str_eq(names, "app.user");
    effects_of("CREATE FUNCTION f() RETURNS int LANGUAGE sql SET p.q = 1 AS 'x'");
    ck_assert_str_eq(names, "p.q");
}
END_TEST

START_TEST(strings_may_have_escapes) {
    static const char plain[] = "SELECT set_config('app.user', '1MB', false)", escaped[] = "SELECT set_config('app\\.user', '1MB', false)";
    ck_assert_uint_eq(effects_with(plain, SQL_STANDARD_STRINGS), L | M);
    ck_assert_uint_eq(effects_with(plain, 0), L | M);
    ck_assert_str_eq(names, "app.user");
    ck_assert_uint_eq(effects_with(escaped, SQL_STANDARD_STRINGS), L | S | M);
    ck_assert_uint_eq(effects_with(escaped, 0), L | S | M);
    ck_assert_str_eq(names, "app\\.user"); /* as it would be without escapes: no setting has such a name */
    ck_assert_uint_eq(effects_with("SELECT set_config(E'app.user', '', false), set_config('', '', false), set_config(E'', '', false)", 0), L | M);
    ck_assert_str_eq(names, "app.user");
}
END_TEST

START_TEST(memory_that_ends_is_no_knowledge) {
    struct arena arena;
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    arena_init(&arena, 256);
    ck_assert_uint_eq(effect_of(bytes_str("SELECT 1"), &options, &arena, &known), L | N | M | H);
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
    tcase_add_test(tc, a_backslash_before_a_quote_means_both);
    tcase_add_loop_test(tc, resets_are_found, 0, COUNT_OF(resets));
    tcase_add_test(tc, more_resets_than_can_be_followed);
    tcase_add_test(tc, names_with_a_dot_are_told);
    tcase_add_test(tc, strings_may_have_escapes);
    tcase_add_test(tc, memory_that_ends_is_no_knowledge);
    tcase_add_test(tc, functions_are_known_by_name);
    return check_main_of("effect", tc);
}
