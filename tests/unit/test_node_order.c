/*
 * test_node_order.c - the words of ADD NODE and its kin.
 */
#include <stdio.h>

#include "proxy/admin/node_order.h"
#include "tests/unit/check_main.h"

static struct node_order o;
static struct err err;

static bool parse(enum node_verb verb, const char *sql) {
    struct words w;
    words_split(&w, bytes_str(sql));
    ck_assert(!w.is_cut);
    err = (struct err){0};
    bool ok = node_order_parse(&o, verb, &w, 2, &err);
    ck_assert(ok != err_is_set(&err));
    return ok;
}

static void check_place(const char *sql, const char *host, unsigned port, unsigned weight, unsigned cap) {
    ck_assert_msg(parse(NODE_ADD, sql), "%s: %s", sql, err.message);
    ck_assert_str_eq(o.cluster, "main");
    ck_assert_str_eq(o.name, "b");
    ck_assert_str_eq(o.host, host);
    ck_assert_uint_eq(o.port, port);
    ck_assert_uint_eq(o.weight, weight);
    ck_assert_uint_eq(o.max_server_conn, cap);
}

START_TEST(places) {
    check_place("ADD NODE main/b 10.0.0.7", "10.0.0.7", 5432, 1, 0);
    check_place("ADD NODE main/b 10.0.0.7 5433;", "10.0.0.7", 5433, 1, 0);
    check_place("ADD NODE \"main/b\" db7.internal 65535 weight 0", "db7.internal", 65535, 0, 0);
    check_place("ADD NODE main/b ::1 5432 max_server_conn 40 weight 1000", "::1", 5432, 1000, 40);
    check_place("ADD NODE main/b /run/postgresql Weight=2 MAX_SERVER_CONN = 1000000", "/run/postgresql", 5432, 2, 1000000);
    check_place("ADD NODE main/b h weight= 7", "h", 5432, 7, 0);
    check_place("ADD NODE main/b h zone seoul-a weight 2", "h", 5432, 2, 0);
    ck_assert_str_eq(o.zone, "seoul-a");
    check_place("ADD NODE main/b h 5433 weight = 2 max_server_conn = 9 zone = busan", "h", 5433, 2, 9); /* all of it */
    ck_assert_str_eq(o.zone, "busan");
    char longest[254], sql[300];
    memset(longest, 'h', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0'; /* as long as a name can be */
    snprintf(sql, sizeof sql, "ADD NODE main/b %s", longest);
    check_place(sql, longest, 5432, 1, 0);
    ck_assert(parse(NODE_ADD, "ADD NODE main/b"));
    ck_assert_str_eq(o.host, "");
}
END_TEST

START_TEST(names) {
    ck_assert(parse(NODE_DRAIN, "DRAIN NODE a/b"));
    ck_assert(parse(NODE_REMOVE, "REMOVE NODE a234567890123456789012/b23456789012345678901"));
    static const char *const wrong[] = {"b", "/b", "main/", "main/b/c", "\"main/b c\"", "\"main/b\nc\"", "\"main/b]\"",
                                        "main/b2345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "DRAIN NODE %s", wrong[i]);
        ck_assert_msg(!parse(NODE_DRAIN, sql), "%s", wrong[i]);
        ck_assert_str_eq(err.sqlstate, ERR_SYNTAX);
    }
    ck_assert(parse(NODE_DRAIN, "DRAIN NODE main/b23456789012345678901234567890123456789012345678901234567890123"));
    ck_assert(parse(NODE_ADD, "ADD NODE a234567890123456789012/b23456789012345678901 h")); /* as long as in the file */
    ck_assert(!parse(NODE_ADD, "ADD NODE a2345678901234567890123/b23456789012345678901 h"));
    ck_assert(!parse(NODE_DRAIN, "DRAIN NODE"));
    ck_assert(!parse(NODE_RESUME, "RESUME NODE main/b 10.0.0.7"));
}
END_TEST

START_TEST(what_is_wrong) {
    static const char *const wrong[] = {"\"\"", "\"a b\"", "h 0", "h 65536", "h 54x", "h 99999999999999999999", "h weight", "h weight =",
                                        "h weight 1001", "h weight -1", "h weight 1x", "h max_server_conn 1000001", "h weights 1",
                                        "h weight 1 2", "h = 1", "h 5432 5433", "h zone", "h zone \"a b\""};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "ADD NODE main/b %s", wrong[i]);
        ck_assert_msg(!parse(NODE_ADD, sql), "%s", wrong[i]);
        ck_assert_str_eq(err.sqlstate, ERR_SYNTAX);
    }
}
END_TEST

int main(void) {
    TCase *t = tcase_create("node_order");
    tcase_add_test(t, places);
    tcase_add_test(t, names);
    tcase_add_test(t, what_is_wrong);
    return check_main_of("node_order", t);
}
