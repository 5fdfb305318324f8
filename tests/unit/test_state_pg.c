/* What a look at a session has found, and how it is made again elsewhere. */
#include "proxy/pool/state_pg.h"
#include "proxy/wire/pg_encode.h"
#include "tests/unit/check_main.h"

static struct state_pg a, b;
static struct params_pg reported, start;
static struct writer rows, sql, channels;

static void fresh(void) {
    writer_init(&rows, 1 << 16);
    writer_init(&sql, 1 << 16);
    writer_init(&channels, 1 << 16);
    ck_assert(params_pg_set(&start, bytes_str("session_authorization"), bytes_str("app")));
    ck_assert(params_pg_set(&start, bytes_str("TimeZone"), bytes_str("UTC")));
    ck_assert(params_pg_copy(&reported, &start));
}

static void release(void) {
    state_pg_release(&a);
    state_pg_release(&b);
    params_pg_release(&reported);
    params_pg_release(&start);
    writer_release(&rows);
    writer_release(&sql);
    writer_release(&channels);
}

static void set(struct state_pg *st, const char *name, const char *value) {
    ck_assert(state_pg_set(st, bytes_str(name), bytes_str(value)));
}

static void row(const char *name, const char *value) {
    size_t at = pg_begin(&rows, 'D');
    writer_be16(&rows, 2);
    writer_be32(&rows, (uint32_t)strlen(name));
    writer_str(&rows, name);
    writer_be32(&rows, value ? (uint32_t)strlen(value) : UINT32_MAX);
    if (value) writer_str(&rows, value);
    pg_end(&rows, at);
}

static unsigned read_rows(void) {
    unsigned rest;
    ck_assert(state_pg_read(&a, &rest, &channels, NULL, writer_bytes(&rows), &reported, &start));
    return rest;
}

static const char *change(void) {
    writer_reset(&sql);
    state_pg_put_change(&sql, &a, &b);
    writer_u8(&sql, 0);
    return (const char *)sql.data;
}

START_TEST(nothing_is_nothing) {
    row("role", "none");
    ck_assert_uint_eq(read_rows(), 0);
    ck_assert(state_pg_equal(&a, &b));
    ck_assert_str_eq(change(), "");
}
END_TEST

START_TEST(settings_are_found_and_made) {
    row("work_mem", "7168");
    row("app.user", NULL); /* asked for, and not there */
    row("app.tenant", "it's");
    row("TimeZone", "CET"); /* reported: not looked for */
    row("transaction_isolation", "serializable");
    row("role", "none");
    ck_assert_uint_eq(read_rows(), 0);
    ck_assert_uint_eq(a.count, 2);
    ck_assert_str_eq(change(), "RESET work_mem;RESET app.tenant;");
    ck_assert(state_pg_copy(&b, &a));
    ck_assert(state_pg_equal(&a, &b));
    state_pg_release(&a);
    ck_assert_str_eq(change(), "SELECT pg_catalog.set_config('work_mem','7168',false),pg_catalog.set_config('app.tenant','it''s',false);");
}
END_TEST

START_TEST(only_what_differs_is_changed) {
    set(&a, "work_mem", "1");
    set(&a, "enable_sort", "off");
    set(&b, "enable_sort", "off");
    set(&b, "geqo", "on");
    ck_assert_str_eq(change(), "RESET work_mem;SELECT pg_catalog.set_config('geqo','on',false);");
}
END_TEST

START_TEST(order_does_not_matter) {
    set(&a, "x", "1");
    set(&a, "y", "2");
    set(&b, "y", "2");
    set(&b, "x", "1");
    ck_assert(state_pg_equal(&a, &b));
    state_pg_release(&b);
    set(&b, "x", "2");
    set(&b, "y", "1");
    ck_assert(!state_pg_equal(&a, &b));
}
END_TEST

START_TEST(what_is_off_is_set_first) {
    set(&a, "log_statement_stats", "on");
    set(&b, "log_planner_stats", "on");
    set(&b, "log_statement_stats", "off");
    ck_assert_str_eq(change(), "SELECT pg_catalog.set_config('log_statement_stats','off',false),"
                               "pg_catalog.set_config('log_planner_stats','on',false);");
}
END_TEST

START_TEST(who_one_is_goes_first_and_comes_last) {
    set(&a, "work_mem", "1");
    set(&a, "role", "r1");
    set(&a, "session_authorization", "s1");
    set(&b, "role", "r2");
    set(&b, "geqo", "off");
    set(&b, "session_authorization", "s2");
    ck_assert_str_eq(change(), "RESET SESSION AUTHORIZATION;RESET ROLE;RESET work_mem;SELECT pg_catalog.set_config('geqo','off',false);"
                               "SELECT pg_catalog.set_config('session_authorization','s2',false);"
                               "SELECT pg_catalog.set_config('role','r2',false);");
}
END_TEST

START_TEST(the_session_authorization_is_reported) {
    row("role", "r1");
    ck_assert(params_pg_set(&reported, bytes_str("session_authorization"), bytes_str("other")));
    ck_assert_uint_eq(read_rows(), 0);
    ck_assert_uint_eq(a.count, 2);
}
END_TEST

START_TEST(what_cannot_move_is_told) {
    row("=temp", "");
    row("=prepared", "");
    ck_assert_uint_eq(read_rows(), STATE_PG_TEMP | STATE_PG_PREPARED);
    writer_reset(&rows);
    row("=locks", "");
    row("=listens", "");
    row("=cursors", "");
    ck_assert_uint_eq(read_rows(), STATE_PG_LOCKS | STATE_PG_LISTENS | STATE_PG_CURSORS);
}
END_TEST

START_TEST(statements_are_told_by_name) {
    struct writer prepared;
    unsigned rest;
    writer_init(&prepared, 100);
    row("=prepared", "q");
    row("=prepared", "");
    row("=prepared", "R r");
    ck_assert(state_pg_read(&a, &rest, NULL, &prepared, writer_bytes(&rows), &reported, &start));
    ck_assert_uint_eq(rest, STATE_PG_PREPARED);
    ck_assert_uint_eq(prepared.len, sizeof "q\0R r");
    ck_assert_mem_eq(prepared.data, "q\0R r", prepared.len);
    writer_release(&prepared);
    writer_init(&prepared, 4); /* not all of them are known: nothing is */
    ck_assert(!state_pg_read(&b, &rest, NULL, &prepared, writer_bytes(&rows), &reported, &start));
    writer_release(&prepared);
}
END_TEST

START_TEST(channels_are_told_by_name) {
    row("=listens", "a");
    row("=listens", "B \"c");
    ck_assert_uint_eq(read_rows(), STATE_PG_LISTENS);
    ck_assert_uint_eq(channels.len, sizeof "a\0B \"c");
    ck_assert_mem_eq(channels.data, "a\0B \"c", channels.len);
    ck_assert(state_pg_put_look(&sql, bytes_of(NULL, 0), bytes_of(NULL, 0), true, &b));
    writer_u8(&sql, 0);
    ck_assert_ptr_nonnull(strstr((const char *)sql.data, "(SELECT '=listens', c FROM pg_catalog.pg_listening_channels() AS c LIMIT 501)"));
    ck_assert_ptr_null(strstr((const char *)sql.data, "EXISTS (SELECT FROM pg_catalog.pg_listening_channels"));
}
END_TEST

START_TEST(what_cannot_be_said_is_fixed) {
    row("a b.c", "x");
    ck_assert_uint_eq(read_rows(), STATE_PG_FIXED);
    writer_reset(&rows);
    row("a.b;DROP TABLE t", "x");
    ck_assert_uint_eq(read_rows(), STATE_PG_FIXED);
    writer_reset(&rows);
    row("temp_buffers", "100");
    ck_assert_uint_eq(read_rows(), STATE_PG_FIXED);
    ck_assert_uint_eq(a.count, 0);
}
END_TEST

START_TEST(values_that_are_not_ascii_move_as_bytes) {
    row("=hex:app.user", "4ac3b672670a27"); /* J\xc3\xb6rg, a newline, a quote */
    ck_assert_uint_eq(read_rows(), 0);
    ck_assert_uint_eq(a.count, 1);
    ck_assert_str_eq(a.items[0].name, "app.user");
    ck_assert_str_eq(a.items[0].value, "J\xc3\xb6rg\n'");
    ck_assert(state_pg_copy(&b, &a));
    state_pg_release(&a);
    ck_assert_str_eq(change(), "SELECT pg_catalog.set_config('app.user',pg_catalog.convert_from(pg_catalog.decode("
                               "'4ac3b672670a27','hex'),pg_catalog.getdatabaseencoding()),false) IS NULL;");
}
END_TEST

START_TEST(bytes_that_are_none_are_no_answer) {
    static const char *const wrong[] = {"4", "4g", "4A", "00"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        unsigned rest;
        writer_reset(&rows);
        row("=hex:app.user", wrong[i]);
        ck_assert_msg(!state_pg_read(&a, &rest, &channels, NULL, writer_bytes(&rows), &reported, &start), "%s", wrong[i]);
    }
}
END_TEST

START_TEST(rows_of_another_kind_are_no_answer) {
    unsigned rest;
    row("work_mem", "1");
    for (size_t len = 1; len < rows.len; len++)
        ck_assert_msg(!state_pg_read(&a, &rest, NULL, NULL, bytes_of(rows.data, len), &reported, &start), "%zu bytes", len);
    rows.data[6] = 3; /* columns */
    ck_assert(!state_pg_read(&a, &rest, &channels, NULL, writer_bytes(&rows), &reported, &start));
}
END_TEST

START_TEST(names_are_asked_for) {
    static const char words[] = "app.user\0it's.x";
    ck_assert(state_pg_put_look(&sql, bytes_of((const uint8_t *)words, sizeof words), bytes_of(NULL, 0), false, &b));
    writer_u8(&sql, 0);
    ck_assert_ptr_nonnull(strstr((const char *)sql.data, "UNION ALL SELECT'app.user', pg_catalog.current_setting('app.user', true)"));
    ck_assert_ptr_nonnull(strstr((const char *)sql.data, "current_setting('it''s.x', true)"));
    static const char odd[] = "app.\xc3\xa9";
    ck_assert(!state_pg_put_look(&sql, bytes_of((const uint8_t *)odd, sizeof odd), bytes_of(NULL, 0), false, &b));
}
END_TEST

static const char *look(void) {
    writer_reset(&sql);
    ck_assert(state_pg_put_look(&sql, bytes_of(NULL, 0), bytes_of(NULL, 0), false, &a));
    writer_u8(&sql, 0);
    return (const char *)sql.data;
}

START_TEST(what_plans_the_query_does_not_have_it_compiled) {
    set(&a, "work_mem", "1");
    set(&a, "jit", "on");
    ck_assert_ptr_null(strstr(look(), "jit"));
    set(&a, "enable_seqscan", "off");
    const char *text = look(), *off = strstr(text, "SET LOCAL jit TO off; SELECT CASE");
    ck_assert_ptr_nonnull(off);
    ck_assert_ptr_nonnull(strstr(text, "AND s.name OPERATOR(pg_catalog.=) 'jit'; "));
    ck_assert_ptr_nonnull(strstr(off, "AND NOT s.name OPERATOR(pg_catalog.=) 'jit' UNION ALL"));
    state_pg_release(&a);
    set(&a, "jit_above_cost", "0");
    ck_assert_ptr_nonnull(strstr(look(), "SET LOCAL jit TO off; "));
}
END_TEST

static void says(const char *name, const char *value, unsigned how, const char *expected) {
    sql.len = 0;
    state_pg_put_setting(&sql, name, value, how);
    writer_u8(&sql, 0);
    ck_assert_str_eq((const char *)sql.data, expected);
}

/* A SELECT would take a snapshot; SET writes the words of a list down in its own way. */
START_TEST(a_setting_is_said_by_set_where_that_says_the_same) {
    says("work_mem", "4MB", 0, "SET \"work_mem\" = '4MB'");
    says("app.who", "it's", STATE_PG_LOCAL, "SET LOCAL \"app\".\"who\" = 'it''s'");
    says("search_path", "odd, public", 0, "SET \"search_path\" = 'odd','public'");
    says("search_path", "\"$user\", public", 0, "SET \"search_path\" = '$user','public'");
    says("search_path", "public", STATE_PG_QUOTES_ALL, "SELECT pg_catalog.set_config('search_path','public',false)");
    static const char *const otherwise[] = {"odd,public", "", "\"odd\"", "odd, ", "odd ", "Odd", "odd,  b", "\"", "\"a b", "\"a\"\"b\"",
                                            "\"a b\"c", "select", "\"a b\",c", ", a", "\"\""};
    for (size_t i = 0; i < COUNT_OF(otherwise); i++) {
        sql.len = 0;
        state_pg_put_setting(&sql, "search_path", otherwise[i], STATE_PG_LOCAL);
        ck_assert(bytes_starts_with(writer_bytes(&sql), "SELECT pg_catalog.set_config('search_path',"));
        ck_assert(memmem(sql.data, sql.len, "SET LOCAL", 9) == NULL);
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("state_pg");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, nothing_is_nothing);
    tcase_add_test(tc, settings_are_found_and_made);
    tcase_add_test(tc, only_what_differs_is_changed);
    tcase_add_test(tc, order_does_not_matter);
    tcase_add_test(tc, what_is_off_is_set_first);
    tcase_add_test(tc, who_one_is_goes_first_and_comes_last);
    tcase_add_test(tc, the_session_authorization_is_reported);
    tcase_add_test(tc, what_cannot_move_is_told);
    tcase_add_test(tc, statements_are_told_by_name);
    tcase_add_test(tc, channels_are_told_by_name);
    tcase_add_test(tc, what_cannot_be_said_is_fixed);
    tcase_add_test(tc, values_that_are_not_ascii_move_as_bytes);
    tcase_add_test(tc, bytes_that_are_none_are_no_answer);
    tcase_add_test(tc, rows_of_another_kind_are_no_answer);
    tcase_add_test(tc, names_are_asked_for);
    tcase_add_test(tc, a_setting_is_said_by_set_where_that_says_the_same);
    tcase_add_test(tc, what_plans_the_query_does_not_have_it_compiled);
    return check_main_of("state_pg", tc);
}
