/* Whether texts are reads: limits, memory, and texts that are parsed already. What is a read: tests/golden/route. */
#include <stdio.h>

#include "routing/classify.h"
#include "routing/read_pg.h"
#include "tests/unit/check_main.h"

static struct sql_options sql;

static struct classify_result ask(struct bytes text, struct arena *arena, bool keeps_reasons) {
    const struct classify_options options = {.sql = &sql, .keeps_reasons = keeps_reasons};
    struct classify_result result;
    sql = sql_options_default(SQL_POSTGRES);
    classify_text(text, &options, arena, &result);
    return result;
}

/* WITH c0 AS (SELECT 1), c1 AS ... TABLE c0 */
static struct classify_result ask_ctes(int count) {
    struct writer w;
    struct arena arena;
    writer_init(&w, 1 << 20);
    arena_init(&arena, 1 << 24);
    writer_str(&w, "WITH ");
    for (int i = 0; i < count; i++) writer_fmt(&w, "%sc%d AS (SELECT 1)", i ? ", " : "", i);
    writer_str(&w, " SELECT * FROM c0, pg_locks");
    struct classify_result result = ask(writer_bytes(&w), &arena, false);
    ck_assert(!w.failed);
    writer_release(&w);
    arena_release(&arena);
    return result;
}

START_TEST(names_of_with_are_looked_through_up_to_a_limit) {
    ck_assert_int_eq(ask_ctes(CLASSIFY_CTES_MAX).decisive.why, CLASSIFY_TABLE_NODE);
    ck_assert_int_eq(ask_ctes(CLASSIFY_CTES_MAX + 1).decisive.why, CLASSIFY_MANY_CTES);
    ck_assert_int_eq(ask_ctes(CLASSIFY_CTES_MAX + 1).place, CLASSIFY_PRIMARY);
}
END_TEST

START_TEST(names_of_nested_with_count_together) {
    char text[1 << 16];
    size_t len = 0;
    for (int depth = 0; depth < 2; depth++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%sWITH ", depth ? "SELECT * FROM (" : "");
        for (int i = 0; i <= CLASSIFY_CTES_MAX / 2; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%sa%d AS (SELECT 1)", i ? ", " : "", i);
        len += (size_t)snprintf(text + len, sizeof text - len, " ");
    }
    len += (size_t)snprintf(text + len, sizeof text - len, "SELECT 1) AS x");
    struct arena arena;
    arena_init(&arena, 1 << 24);
    struct classify_result result = ask(bytes_of(text, len), &arena, false);
    ck_assert_int_eq(result.decisive.why, CLASSIFY_MANY_CTES);
    arena_release(&arena);
}
END_TEST

/* However little memory there is, a write never looks like a read, and in the end there is enough. */
START_TEST(without_memory_nothing_is_a_read) {
    static const char write[] = "SELECT a FROM t; SELECT b, f(c) FROM u WHERE d = nextval('s'); SELECT 1";
    static const char read[] = "SELECT a, count(*) FROM t, u WHERE b = lower(c) GROUP BY a; SELECT 2";
    int reads = 0, writes_seen = 0;
    for (size_t max = 0; max < 16384; max += 16) {
        struct arena arena;
        arena_init(&arena, max);
        struct classify_result result = ask(bytes_str(write), &arena, true);
        ck_assert_int_ne(result.place, CLASSIFY_REPLICA);
        writes_seen += result.decisive.why == CLASSIFY_FUNCTION_NO_SERVER;
        arena_reset(&arena);
        result = ask(bytes_str(read), &arena, true);
        ck_assert(result.place == CLASSIFY_REPLICA || result.decisive.why == CLASSIFY_OUT_OF_MEMORY ||
                  result.decisive.why == CLASSIFY_NOT_READ);
        reads += result.place == CLASSIFY_REPLICA;
        arena_release(&arena);
    }
    ck_assert_int_gt(reads, 0);
    ck_assert_int_lt(reads, 1024);
    ck_assert_int_gt(writes_seen, 0);
}
END_TEST

START_TEST(without_reasons_nothing_is_allocated) {
    static const char text[] = "SELECT a, count(*) FROM t, s.u WHERE b = lower(c) AND d IN (SELECT 1) FOR UPDATE";
    const struct classify_options options = {.sql = &sql};
    struct sql_statement s;
    struct classify c;
    struct arena arena;
    sql = sql_options_default(SQL_POSTGRES);
    arena_init(&arena, 1 << 20);
    sql_parse_one(bytes_str(text), &sql, &arena, &s);
    size_t used = arena.used;
    classify_begin(&c, bytes_str(text), &options, NULL);
    classify_statement(&c, &s);
    ck_assert_int_eq(c.result.place, CLASSIFY_PRIMARY);
    ck_assert_int_eq(c.result.decisive.why, CLASSIFY_LOCKS_ROWS);
    ck_assert_uint_eq(arena.used, used);
    ck_assert_ptr_null(c.result.reasons);
    arena_release(&arena);
}
END_TEST

START_TEST(reasons_beyond_the_limit_are_counted) {
    struct writer w;
    struct arena arena;
    writer_init(&w, 1 << 20);
    arena_init(&arena, 1 << 24);
    writer_str(&w, "SELECT 1 FROM t0");
    for (int i = 1; i <= CLASSIFY_REASONS_MAX; i++) writer_fmt(&w, ", t%d", i);
    struct classify_result result = ask(writer_bytes(&w), &arena, true);
    ck_assert_uint_eq(result.left_out, 2); /* with the one about SELECT */
    ck_assert_int_eq(result.place, CLASSIFY_REPLICA);
    writer_release(&w);
    arena_release(&arena);
}
END_TEST

/* As deep as the parser goes. */
START_TEST(deep_texts_have_an_answer) {
    struct writer w;
    struct arena arena;
    writer_init(&w, 1 << 20);
    arena_init(&arena, 1 << 26);
    for (int i = 0; i < PARSE_DEPTH_MAX / 2; i++) writer_str(&w, "SELECT (");
    writer_str(&w, "SELECT nextval('s')");
    for (int i = 0; i < PARSE_DEPTH_MAX / 2; i++) writer_u8(&w, ')');
    ck_assert_int_eq(ask(writer_bytes(&w), &arena, false).place, CLASSIFY_PRIMARY);
    writer_reset(&w);
    arena_reset(&arena);
    writer_str(&w, "SELECT 1");
    for (int i = 0; i < PARSE_HEIGHT_MAX / 2; i++) writer_str(&w, " + 1");
    ck_assert_int_eq(ask(writer_bytes(&w), &arena, false).place, CLASSIFY_REPLICA);
    writer_str(&w, " + nextval('s')");
    ck_assert_int_eq(ask(writer_bytes(&w), &arena, false).decisive.why, CLASSIFY_FUNCTION_WRITES);
    writer_release(&w);
    arena_release(&arena);
}
END_TEST

START_TEST(every_reason_has_words) {
    for (int why = 0; why < CLASSIFY_WHY_COUNT; why++) {
        const char *text = classify_why_text((enum classify_why)why);
        ck_assert_msg(text[0] && !strstr(text, "; "), "%d: %s", why, text);
        ck_assert_int_le(classify_why_place((enum classify_why)why), CLASSIFY_REFUSED);
    }
}
END_TEST

START_TEST(tables_of_names) {
    ck_assert_int_eq(read_pg_function(bytes_str("nextval")), READ_WRITES);
    ck_assert_int_eq(read_pg_function(bytes_str("lower")), READ_STEADY);
    ck_assert_int_eq(read_pg_function(bytes_str("LOWER")), READ_UNKNOWN);
    ck_assert_int_eq(read_pg_function(bytes_str("")), READ_UNKNOWN);
    ck_assert_int_eq(read_pg_function(bytes_str("pg_isolation_test_session_is_blocked")), READ_NODE);
    ck_assert_int_eq(read_pg_relation(bytes_str("pg_class")), READ_STEADY);
    ck_assert_int_eq(read_pg_relation(bytes_str("pg_sequences")), READ_AHEAD);
    ck_assert(read_pg_is_setting_everywhere(bytes_str("TimeZone")) && read_pg_is_setting_everywhere(bytes_str("a.b")));
    ck_assert(!read_pg_is_setting_everywhere(bytes_str("work_mem")) && !read_pg_is_setting_everywhere(bytes_str("")));
    ck_assert(read_pg_is_type(bytes_str("double precision")) && !read_pg_is_type(bytes_str("double")));
    ck_assert(read_pg_is_operator(bytes_str("@>")) && read_pg_is_operator(bytes_str("#")) && !read_pg_is_operator(bytes_str("@@@@")));
}
END_TEST

int main(void) {
    TCase *all = tcase_create("classify");
    tcase_add_test(all, names_of_with_are_looked_through_up_to_a_limit);
    tcase_add_test(all, names_of_nested_with_count_together);
    tcase_add_test(all, without_memory_nothing_is_a_read);
    tcase_add_test(all, without_reasons_nothing_is_allocated);
    tcase_add_test(all, reasons_beyond_the_limit_are_counted);
    tcase_add_test(all, deep_texts_have_an_answer);
    tcase_add_test(all, every_reason_has_words);
    tcase_add_test(all, tables_of_names);
    return check_main_of("classify", all);
}
