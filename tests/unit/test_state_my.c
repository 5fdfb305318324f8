/* What MySQL clients have set, and the way from what one has set to what the next one has. */
#include "proxy/pool/state_my.h"

#include <stdio.h>

#include "tests/unit/check_main.h"

/* "\xfb" stands for NULL. */
static struct start_my *start_of(const char *mode, const char *charset, const char *results, const char *collation) {
    const char *const fields[] = {mode, charset, results, collation, "latin1", "latin1", "latin1_swedish_ci", "10.11.19-MariaDB"};
    uint8_t row[512];
    size_t len = 0;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        size_t n = strlen(fields[i]);
        if (strcmp(fields[i], "\xfb") == 0) {
            row[len++] = 0xfb;
            continue;
        }
        row[len++] = (uint8_t)n;
        memcpy(row + len, fields[i], n);
        len += n;
    }
    return start_my_read(bytes_of(row, len));
}

static struct start_my *usual(void) {
    return start_of("STRICT_TRANS_TABLES", "utf8mb4", "utf8mb4", "utf8mb4_general_ci");
}

/* "x=5", "@a=5", "@a='s'" (a string), "names='latin1'". */
static bool set(struct state_my **s, const char *text) {
    const char *sign = strchr(text, '=');
    struct effect_my_setting setting = {.kind = SETTING_MY_VARIABLE, .value = bytes_str(sign + 1), .is_string = sign[1] == '\''};
    setting.name = bytes_of(text, (size_t)(sign - text));
    if (text[0] == '@') {
        setting.kind = SETTING_MY_USER;
        setting.name = bytes_of(text + 1, (size_t)(sign - text) - 1);
    } else if (bytes_is(setting.name, "names")) {
        setting.kind = SETTING_MY_NAMES;
        setting.name = bytes_of("", 0);
    }
    return state_my_set(s, &setting);
}

static struct state_my *made(const char *const *texts) {
    struct state_my *s = NULL;
    for (; *texts; texts++) ck_assert_msg(set(&s, *texts), "%s", *texts);
    return s;
}
#define MADE(...) made((const char *const[]){__VA_ARGS__, NULL})

/* The statements, each behind a `|`. */
static const char *way(const struct state_my *from, const struct state_my *to) {
    static char text[4096];
    static uint8_t storage[4096];
    struct start_my *start = usual();
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    unsigned count = state_my_put_way(&w, from, to, start), found = 0;
    size_t len = 0;
    struct bytes all = writer_bytes(&w);
    ck_assert(!w.failed);
    while (all.len) {
        size_t n = (size_t)all.ptr[0] | (size_t)all.ptr[1] << 8;
        ck_assert_uint_eq(all.ptr[3], 0);
        ck_assert_uint_eq(all.ptr[4], 3);
        len += (size_t)snprintf(text + len, sizeof text - len, "|%.*s", (int)n - 1, (const char *)all.ptr + 5);
        all = bytes_of(all.ptr + 4 + n, all.len - 4 - n);
        found++;
    }
    text[len] = '\0';
    ck_assert_uint_eq(count, found);
    start_my_unref(start);
    return text;
}

START_TEST(from_nothing_and_back) {
    struct state_my *s = MADE("sql_mode='ANSI'", "@a=5", "autocommit=0", "@b='x'");
    ck_assert_str_eq(way(NULL, NULL), "");
    ck_assert_str_eq(way(s, s), "");
    struct state_my *unchecked = MADE("foreign_key_checks=0", "unique_checks=0");
    ck_assert_str_eq(way(unchecked, NULL), "|SET SESSION foreign_key_checks=@@GLOBAL.foreign_key_checks, "
                                           "SESSION unique_checks=@@GLOBAL.unique_checks");
    state_my_unref(unchecked);
    ck_assert_str_eq(way(NULL, s), "|SET SESSION autocommit=0, SESSION sql_mode='ANSI'|SET @`a`=5, @`b`='x'");
    ck_assert_str_eq(way(s, NULL), "|SET SESSION autocommit=DEFAULT, SESSION sql_mode=DEFAULT"
                                   "|SET @`a`=_binary'', @`a`=NULL, @`b`=_binary'', @`b`=NULL");
    state_my_unref(s);
}
END_TEST

START_TEST(only_what_differs_is_said) {
    struct state_my *a = MADE("x=1", "y=2", "z=3"), *b = MADE("z=3", "y=5", "w=1");
    ck_assert_str_eq(way(a, b), "|SET SESSION x=DEFAULT, SESSION w=1, SESSION y=5");
    state_my_unref(a);
    state_my_unref(b);
}
END_TEST

START_TEST(the_order_of_setting_does_not_count) {
    struct state_my *a = MADE("x=1", "@u=1", "names='latin1'"), *b = MADE("names='latin1'", "x=2", "x=1", "@u=7", "@u=1");
    ck_assert(state_my_is_same(a, b));
    ck_assert(!state_my_is_same(a, NULL));
    state_my_unref(a);
    state_my_unref(b);
}
END_TEST

START_TEST(defaults_are_nothing_but_of_character_sets) {
    struct state_my *s = MADE("x=1");
    ck_assert(set(&s, "x=DEFAULT") && set(&s, "@v=NULL") && set(&s, "@v=NULL"));
    ck_assert_ptr_null(s);
    ck_assert(set(&s, "names=DEFAULT"));
    ck_assert_str_eq(way(NULL, s), "|SET NAMES DEFAULT");
    state_my_unref(s);
}
END_TEST

START_TEST(a_user_variable_without_its_value_has_a_type) {
    struct state_my *s = MADE("@a=5", "@b='a long one'", "@a=NULL", "@b=NULL", "@b=NULL"), *other = MADE("@a=NULL");
    const char *expected = "|SET @`a`=5, @`a`=NULL, @`b`='', @`b`=NULL";
    ck_assert_ptr_null(other);
    ck_assert_str_eq(way(NULL, s), expected);
    ck_assert(!set(&s, "names='latin1'"));
    ck_assert(set(&s, "@a=NULL"));
    ck_assert_str_eq(way(NULL, s), expected);
    ck_assert(set(&s, "@b=1") && set(&s, "@a='x'"));
    ck_assert_str_eq(way(NULL, s), "|SET @`a`='x', @`b`=1");
    state_my_unref(s);
}
END_TEST

START_TEST(character_sets_are_one_matter) {
    struct state_my *names = MADE("character_set_results=NULL", "names='latin1'"), *results = MADE("character_set_results=NULL");
    struct state_my *both = MADE("names='latin1'", "character_set_connection='utf8'", "collation_connection='utf8_bin'");
    ck_assert_str_eq(way(NULL, names), "|SET NAMES 'latin1'");
    ck_assert_str_eq(way(results, names), "|SET NAMES 'latin1'");
    ck_assert_str_eq(way(names, results), "|SET SESSION character_set_client='utf8mb4', SESSION character_set_results='utf8mb4', "
                                          "SESSION collation_connection='utf8mb4_general_ci', SESSION character_set_results=NULL");
    ck_assert_str_eq(way(names, both), "|SET NAMES 'latin1', SESSION collation_connection='utf8_bin'");
    ck_assert_str_eq(way(both, NULL), "|SET SESSION character_set_client='utf8mb4', SESSION character_set_results='utf8mb4', "
                                      "SESSION collation_connection='utf8mb4_general_ci'");
    state_my_unref(names);
    state_my_unref(results);
    state_my_unref(both);
}
END_TEST

START_TEST(strings_keep_the_character_set_that_they_have) {
    struct state_my *s = MADE("names='latin1'", "@a='x'"), *number = MADE("@a=1");
    ck_assert(!set(&s, "names='utf8'") && !set(&s, "character_set_client='utf8'"));
    ck_assert(set(&s, "names='latin1'"));
    ck_assert(set(&s, "@a=1") && set(&s, "names='utf8'"));
    ck_assert(set(&number, "names='utf8'"));
    ck_assert(state_my_is_same(s, number));
    state_my_unref(s);
    state_my_unref(number);
}
END_TEST

START_TEST(there_is_an_end_to_it) {
    struct state_my *s = NULL;
    char text[1100];
    memset(text, '1', sizeof text);
    int i;
    for (i = 0; i < 100; i++) {
        int n = sprintf(text, "@v%02d=", i);
        text[n] = '1';
        text[1000] = '\0';
        struct state_my *before = s;
        if (set(&s, text)) continue;
        ck_assert_ptr_eq(s, before);
        break;
    }
    ck_assert_int_eq(i, STATE_MY_BYTES_MAX / 1002);
    state_my_unref(s);
}
END_TEST

START_TEST(on_a_connection_that_has_begun_otherwise) {
    struct start_my *here = usual(), *there = start_of("ANSI", "latin1", "\xfb", "latin1_swedish_ci");
    struct state_my *s = MADE("x=1"), *own = MADE("sql_mode=''", "names='utf8'"), *half = MADE("character_set_results=NULL");
    ck_assert(state_my_rebase(&s, here, there));
    struct state_my *expected = MADE("x=1", "sql_mode='STRICT_TRANS_TABLES'", "character_set_client='utf8mb4'",
                                     "character_set_results='utf8mb4'", "collation_connection='utf8mb4_general_ci'");
    ck_assert(state_my_is_same(s, expected));
    ck_assert(state_my_rebase(&own, here, there));
    ck_assert_uint_eq(state_my_value(own, "sql_mode").len, 2);
    ck_assert(state_my_rebase(&half, here, there));
    struct state_my *whole = MADE("sql_mode='STRICT_TRANS_TABLES'", "character_set_client='utf8mb4'", "character_set_results=NULL",
                                  "collation_connection='utf8mb4_general_ci'");
    ck_assert(state_my_is_same(half, whole));
    state_my_unref(whole);
    state_my_unref(s);
    state_my_unref(expected);
    state_my_unref(own);
    state_my_unref(half);
    start_my_unref(here);
    start_my_unref(there);
}
END_TEST

START_TEST(read_as_another_one) {
    struct state_my *base = MADE("names='utf8'", "a=1", "sql_mode='ANSI'", "z=2", "@u='x'"), *other = MADE("names='latin1'", "b=1");
    struct state_my *mixed, *expected = MADE("names='latin1'", "a=1", "z=2", "@u='x'"), *back, *none;
    ck_assert(state_my_read_as(base, other, STATE_MY_READING, &mixed));
    ck_assert(state_my_is_same(mixed, expected));
    ck_assert(state_my_read_as(mixed, base, STATE_MY_READING, &back));
    ck_assert(state_my_is_same(back, base));
    ck_assert(state_my_read_as(NULL, NULL, STATE_MY_READING, &none));
    ck_assert_ptr_null(none);
    state_my_unref(base);
    state_my_unref(other);
    state_my_unref(mixed);
    state_my_unref(expected);
    state_my_unref(back);
}
END_TEST

/* Of MySQL's, all that may be settled when a statement is prepared. */
START_TEST(settled_as_another_one) {
    struct state_my *base = MADE("a=1", "autocommit=0", "timestamp=5", "@u='x'"), *other = MADE("names='latin1'", "b=1", "autocommit=1", "@v=5");
    struct state_my *settings, *users, *expected = MADE("names='latin1'", "autocommit=0", "b=1", "timestamp=5", "@u='x'");
    ck_assert(state_my_read_as(base, other, STATE_MY_SETTLED, &settings));
    ck_assert(state_my_is_same(settings, expected));
    state_my_unref(expected);
    expected = MADE("names='latin1'", "autocommit=0", "b=1", "timestamp=5", "@v=5");
    ck_assert(state_my_read_as(base, other, STATE_MY_SETTLED_USERS, &users));
    ck_assert(state_my_is_same(users, expected));
    state_my_unref(base);
    state_my_unref(other);
    state_my_unref(settings);
    state_my_unref(users);
    state_my_unref(expected);
}
END_TEST

static bool is_read_alike(struct state_my *a, struct state_my *b, enum state_my_reach reach) {
    struct writer one, two;
    writer_init(&one, 1000);
    writer_init(&two, 1000);
    state_my_put_reading(&one, a, reach);
    state_my_put_reading(&two, b, reach);
    bool is_same = bytes_equal(writer_bytes(&one), writer_bytes(&two));
    writer_release(&one);
    writer_release(&two);
    state_my_unref(a);
    state_my_unref(b);
    return is_same;
}

START_TEST(what_decides_what_a_statement_is) {
    ck_assert(is_read_alike(MADE("a=1", "@u='x'"), NULL, STATE_MY_READING));
    ck_assert(!is_read_alike(MADE("sql_mode='ANSI'"), NULL, STATE_MY_READING));
    ck_assert(!is_read_alike(MADE("names='latin1'"), NULL, STATE_MY_READING));
    ck_assert(!is_read_alike(MADE("a=1"), MADE("a=2"), STATE_MY_SETTLED));
    ck_assert(is_read_alike(MADE("autocommit=1", "timestamp=1", "@u=1"), MADE("autocommit=0"), STATE_MY_SETTLED));
    ck_assert(is_read_alike(MADE("@u=1"), MADE("@u=123456789012345678"), STATE_MY_SETTLED_USERS));
    ck_assert(is_read_alike(MADE("@u='1'"), MADE("@u='a'"), STATE_MY_SETTLED_USERS));
    ck_assert(!is_read_alike(MADE("@u='1'"), MADE("@u=1"), STATE_MY_SETTLED_USERS));
    ck_assert(!is_read_alike(MADE("@u=1"), MADE("@u=1.5"), STATE_MY_SETTLED_USERS));
    ck_assert(!is_read_alike(MADE("@u=1"), MADE("@u=18446744073709551615"), STATE_MY_SETTLED_USERS));
    ck_assert(!is_read_alike(MADE("@u=1"), NULL, STATE_MY_SETTLED_USERS));
}
END_TEST

START_TEST(as_after_a_reset) {
    struct start_my *start = usual();
    struct state_my *s = MADE("x=1", "@a='x'"), *expected = MADE("character_set_client='latin1'", "character_set_results='latin1'",
                                                                "collation_connection='latin1_swedish_ci'");
    ck_assert(state_my_reset(&s, start));
    ck_assert(state_my_is_same(s, expected));
    state_my_unref(s);
    state_my_unref(expected);
    start_my_unref(start);
}
END_TEST

START_TEST(beginnings_are_checked) {
    struct start_my *a = usual(), *b = usual(), *c = start_of("ANSI", "utf8mb4", "utf8mb4", "utf8mb4_general_ci");
    ck_assert(start_my_is_same(a, b) && !start_my_is_same(a, c));
    ck_assert_ptr_eq(start_my_own(a), a);
    start_my_ref(a);
    b->refs++;
    struct start_my *own = start_my_own(b);
    ck_assert(own != b && start_my_is_same(own, b));
    ck_assert_ptr_null(start_of("it's", "utf8", "utf8", "utf8_bin"));
    ck_assert_ptr_null(start_of("x", "\xfb", "utf8", "utf8_bin"));
    ck_assert_ptr_null(start_my_read(bytes_of("\1a", 2)));
    start_my_unref(a);
    start_my_unref(a);
    start_my_unref(b);
    start_my_unref(own);
    start_my_unref(c);
}
END_TEST

int main(void) {
    TCase *c = tcase_create("state_my");
    tcase_add_test(c, from_nothing_and_back);
    tcase_add_test(c, only_what_differs_is_said);
    tcase_add_test(c, the_order_of_setting_does_not_count);
    tcase_add_test(c, defaults_are_nothing_but_of_character_sets);
    tcase_add_test(c, a_user_variable_without_its_value_has_a_type);
    tcase_add_test(c, character_sets_are_one_matter);
    tcase_add_test(c, strings_keep_the_character_set_that_they_have);
    tcase_add_test(c, there_is_an_end_to_it);
    tcase_add_test(c, on_a_connection_that_has_begun_otherwise);
    tcase_add_test(c, read_as_another_one);
    tcase_add_test(c, settled_as_another_one);
    tcase_add_test(c, what_decides_what_a_statement_is);
    tcase_add_test(c, as_after_a_reset);
    tcase_add_test(c, beginnings_are_checked);
    return check_main_of("state_my", c);
}
