/* Which texts ask gilmok where they would go. */
#include <stdio.h>

#include "routing/explain_pg.h"
#include "tests/unit/check_main.h"

/* NULL: it does not ask; else what it asks about. */
static const char *of(const char *text) {
    static char out[256];
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct bytes found;
    if (!explain_pg_asks_route(bytes_str(text), &options, &found)) return NULL;
    ck_assert(explain_pg_may_start(bytes_str(text)));
    ck_assert_ptr_eq(found.ptr + found.len, (const uint8_t *)text + strlen(text));
    snprintf(out, sizeof out, "%.*s", (int)found.len, (const char *)found.ptr);
    return out;
}

START_TEST(what_is_asked_about) {
    ck_assert_str_eq(of("EXPLAIN (ROUTE) SELECT 1"), "SELECT 1");
    ck_assert_str_eq(of("explain(Route)select 1;"), "select 1;");
    ck_assert_str_eq(of(" \t\n;-- so\n/* or /* so */ */ eXplain /**/ ( -- it\nroute ) \n DELETE FROM t ; ; "), "DELETE FROM t ; ; ");
    ck_assert_str_eq(of("EXPLAIN (ROUTE) EXPLAIN (ROUTE) SELECT 1"), "EXPLAIN (ROUTE) SELECT 1");
    ck_assert_str_eq(of("EXPLAIN (ROUTE) /* kept */ SELECT ';' || $$;$$ \"a;\" -- ;"), "/* kept */ SELECT ';' || $$;$$ \"a;\" -- ;");
    ck_assert_str_eq(of("EXPLAIN (ROUTE) no sql at all"), "no sql at all");
    ck_assert_str_eq(of("EXPLAIN (ROUTE) SELECT 'no end"), "SELECT 'no end");
}
END_TEST

START_TEST(what_is_the_servers) {
    static const char *const texts[] = {
        "", ";", "SELECT 1", "EXPLAIN", "EXPLAIN SELECT 1", "EXPLAIN (", "EXPLAIN (ROUTE", "EXPLAIN ROUTE SELECT 1",
        "EXPLAIN (ROUTE)", "EXPLAIN (ROUTE) -- nothing", "EXPLAIN (ROUTE);", "EXPLAIN (ROUTE) ; SELECT 1",
        "EXPLAIN (ROUTE, ANALYZE) SELECT 1", "EXPLAIN (ANALYZE, ROUTE) SELECT 1", "EXPLAIN (ROUTE true) SELECT 1",
        "EXPLAIN (ROUTES) SELECT 1", "EXPLAIN (\"route\") SELECT 1", "EXPLAIN ('ROUTE') SELECT 1", "EXPLAIN (SELECT route) SELECT 1",
        "EXPLAIN (ROUTE) SELECT 1; DELETE FROM t", "SELECT 1; EXPLAIN (ROUTE) SELECT 1", "'EXPLAIN' (ROUTE) SELECT 1",
        "/* EXPLAIN (ROUTE) */ SELECT 1", "-- EXPLAIN (ROUTE) SELECT 1", "/* EXPLAIN (ROUTE) SELECT 1", "EXPLAIN ((ROUTE)) SELECT 1",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) ck_assert_msg(!of(texts[i]), "%s", texts[i]);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("explain_pg");
    tcase_add_test(tc, what_is_asked_about);
    tcase_add_test(tc, what_is_the_servers);
    return check_main_of("explain_pg", tc);
}
