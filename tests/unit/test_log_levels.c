/*
 * test_log_levels.c - lists of levels: spelling, mistakes, and which lines they let through.
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/log.h"
#include "tests/unit/check_main.h"

static struct log_levels levels;
static struct err err;

static void parse(const char *text) {
    err = (struct err){0};
    ck_assert_msg(log_levels_parse(text, &levels, &err), "%s: %s", text, err.message);
    ck_assert(!err_is_set(&err));
}

static void apply(const char *text) {
    parse(text);
    log_levels_apply(&levels);
}

START_TEST(lists_and_back) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"info", "info"},
        {" error\t", "error"},
        {"info, pool=debug, net=warn", "info, pool=debug, net=warn"},
        {"pool = debug ,warn", "warn, pool=debug"},
        {"net=error", "info, net=error"},
        {"debug,a23456789012345=debug", "debug, a23456789012345=debug"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[LOG_LEVELS_TEXT];
        parse(cases[i].in);
        log_levels_text(&levels, text, sizeof text);
        ck_assert_str_eq(text, cases[i].out);
        log_levels_text(&levels, text, 4); /* cut, not overrun */
        ck_assert_uint_eq(strlen(text), 3);
    }
}
END_TEST

START_TEST(mistakes_are_named) {
    static const struct {
        const char *text, *message, *hint;
    } cases[] = {
        {"", "holds an empty level", "one comma"},
        {"info,", "holds an empty level", "one comma"},
        {"info,,pool=debug", "holds an empty level", "one comma"},
        {"loud", "holds an unknown level: loud", "debug, info, warn, error"},
        {"Info", "an unknown level", "debug, info, warn, error"},
        {"pool=loud", "an unknown level: pool=loud", "debug, info, warn, error"},
        {"pool=", "an unknown level: pool=", "debug, info, warn, error"},
        {"pool==debug", "an unknown level", "debug, info, warn, error"},
        {"=debug", "what is not an area: =debug", "pool=debug"},
        {"a234567890123456=debug", "what is not an area", "pool=debug"},
        {"info, warn", "two levels for all areas: warn", "area=level"},
        {"pool=info, pool=debug", "an area twice: pool", "Remove"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        err = (struct err){0};
        ck_assert_msg(!log_levels_parse(cases[i].text, &levels, &err), "%s", cases[i].text);
        ck_assert_msg(strstr(err.message, cases[i].message), "%s: %s", cases[i].text, err.message);
        ck_assert_msg(strstr(err.hint, cases[i].hint), "%s: %s", cases[i].text, err.hint);
    }
}
END_TEST

START_TEST(a_list_has_an_end) {
    char text[400] = "warn", back[LOG_LEVELS_TEXT];
    size_t len = 4;
    for (int i = 0; i < LOG_AREAS_MAX; i++) len += (size_t)snprintf(text + len, sizeof text - len, ", area%011d=error", i);
    parse(text);
    ck_assert_int_eq(levels.count, LOG_AREAS_MAX);
    log_levels_text(&levels, back, sizeof back); /* the longest there is */
    ck_assert_str_eq(back, text);
    snprintf(text + len, sizeof text - len, ", one=info");
    ck_assert(!log_levels_parse(text, &levels, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "more than 16 areas: one=info"));
}
END_TEST

START_TEST(areas_have_their_own_level) {
    apply("info, pool=debug, net=error");
    ck_assert(log_is_on(LOG_DEBUG, "pool") && log_is_on(LOG_ERROR, "pool"));
    ck_assert(!log_is_on(LOG_WARN, "net") && log_is_on(LOG_ERROR, "net"));
    ck_assert(!log_is_on(LOG_DEBUG, "session") && log_is_on(LOG_INFO, "session"));
    ck_assert(!log_is_on(LOG_DEBUG, "poo") && !log_is_on(LOG_DEBUG, "pools") && !log_is_on(LOG_DEBUG, ""));
    apply("error, session=warn"); /* a new list is the whole truth */
    ck_assert(!log_is_on(LOG_WARN, "pool") && log_is_on(LOG_ERROR, "net"));
    ck_assert(log_is_on(LOG_WARN, "session") && !log_is_on(LOG_INFO, "session"));
    ck_assert(log_set_area_level("pool", LOG_DEBUG));
    ck_assert(log_is_on(LOG_DEBUG, "pool") && log_is_on(LOG_WARN, "session") && !log_is_on(LOG_WARN, "net"));
    ck_assert(log_set_area_level("pool", LOG_ERROR));
    ck_assert(!log_is_on(LOG_WARN, "pool"));
    log_setup(-1, LOG_WARN, LOG_TEXT);
    ck_assert(log_is_on(LOG_WARN, "pool") && !log_is_on(LOG_INFO, "session"));
}
END_TEST

START_TEST(lines_that_nobody_wants_cost_one_load) {
    apply("info, pool=warn");
    ck_assert_int_eq(atomic_load(&log_levels_floor), LOG_INFO);
    apply("info, pool=debug");
    ck_assert_int_eq(atomic_load(&log_levels_floor), LOG_DEBUG);
    apply("info");
    ck_assert_int_eq(atomic_load(&log_levels_floor), LOG_INFO);
}
END_TEST

START_TEST(the_table_of_areas_has_an_end) {
    int named = 0;
    for (int i = 0; i < 200; i++) {
        char area[LOG_AREA_MAX + 1];
        snprintf(area, sizeof area, "a%d", i);
        if (!log_set_area_level(area, LOG_DEBUG)) break;
        named++;
    }
    ck_assert_int_ge(named, LOG_AREAS_MAX);
    ck_assert_int_lt(named, 200);
    ck_assert(log_set_area_level("a0", LOG_ERROR) && !log_is_on(LOG_WARN, "a0")); /* those that are in can be changed */
    ck_assert(log_is_on(LOG_DEBUG, "a1") && !log_is_on(LOG_DEBUG, "other"));
    ck_assert(!log_set_area_level("a2345678901234567", LOG_DEBUG));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("log levels");
    tcase_add_test(t, lists_and_back);
    tcase_add_test(t, mistakes_are_named);
    tcase_add_test(t, a_list_has_an_end);
    tcase_add_test(t, areas_have_their_own_level);
    tcase_add_test(t, lines_that_nobody_wants_cost_one_load);
    tcase_add_test(t, the_table_of_areas_has_an_end);
    return check_main_of("log levels", t);
}
