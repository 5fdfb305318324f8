/* Texts that were seen before, and how many are remembered. */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/session/effect_cache.h"
#include "tests/unit/check_main.h"

static struct effect_cache *cache;
static struct arena arena;
static struct sql_options options;
static int names, asked;
static unsigned known; /* what functions leave */
static uint64_t version;

static void fresh(void) {
    cache = effect_cache_new();
    arena_init(&arena, 8 << 20);
    options = sql_options_default(SQL_POSTGRES);
    names = asked = 0;
    known = EFFECT_NO_SUCH;
    version = 1;
}

static void release(void) {
    effect_cache_free(cache);
    arena_release(&arena);
}

static void on_setting(void *ctx, struct bytes name) {
    (void)ctx, (void)name;
    names++;
}

static unsigned of_function(void *ctx, struct bytes name, const struct effect_argument *first) {
    (void)ctx, (void)name, (void)first;
    asked++;
    return known;
}

static unsigned of_relation(void *ctx, struct bytes name, bool is_written) {
    (void)ctx, (void)name, (void)is_written;
    return 0;
}

static const struct effect_names meanings = {.of_function = of_function, .of_relation = of_relation, .on_setting = on_setting};

static unsigned of(const char *text) {
    return effect_cache_of(cache, bytes_str(text), &options, version, &arena, &meanings, NULL).effects;
}

START_TEST(what_is_remembered_is_what_was_read) {
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(of("SELECT 1"), 0);
        ck_assert_uint_eq(of("SET work_mem = 1"), EFFECT_LEAVES | EFFECT_MOVES);
        ck_assert_uint_eq(of("SELECT f(1)"), EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES);
    }
}
END_TEST

START_TEST(names_are_told_each_time) {
    for (int i = 1; i <= 3; i++) {
        ck_assert_uint_eq(of("SET LOCAL a.b = 1"), EFFECT_MOVES);
        ck_assert_int_eq(names, i);
    }
}
END_TEST

START_TEST(other_options_are_another_question) {
    static const char text[] = "SELECT 'a\\' || 'b'";
    ck_assert_uint_eq(of(text), EFFECT_LEAVES | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_CHANNELS); /* with backslashes that escape it has no end */
    options.encoding = SQL_ENCODING_UNSAFE;
    ck_assert_uint_eq(of("SELECT '\xc3\xa9'"), EFFECT_LEAVES | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_CHANNELS);
    options = sql_options_default(SQL_POSTGRES);
    ck_assert_uint_eq(of("SELECT '\xc3\xa9'"), 0);
}
END_TEST

START_TEST(names_that_mean_something_else_are_another_question) {
    ck_assert_uint_eq(of("SELECT f()"), EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES);
    known = 0;
    ck_assert_uint_eq(of("SELECT f()"), EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES); /* nobody has said that anything changed */
    version = 2;
    ck_assert_uint_eq(of("SELECT f()"), 0);
    version = 1;
    known = EFFECT_STAYS;
    ck_assert_uint_eq(of("SELECT f()"), EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES); /* each version has its place */
}
END_TEST

START_TEST(whole_numbers_make_no_other_text) {
    static const char *const same[] = {"SELECT f(1), 2+3 FROM t LIMIT 10", "SELECT f(12345678901), 0+1 FROM t LIMIT 9", "SELECT f(0), 0+0 FROM t LIMIT 0"};
    for (size_t i = 0; i < COUNT_OF(same); i++) (void)of(same[i]);
    ck_assert_int_eq(asked, 1);
}
END_TEST

START_TEST(other_digits_do) {
    static const char *const others[] = {
        "SELECT f(1)", "SELECT f1(1)", "SELECT f2(1)", "SELECT f(1.5)", "SELECT f(1.6)", "SELECT f(.5)", "SELECT f(1e5)", "SELECT f(0x1F)",
        "SELECT f(5x1F)", "SELECT f(1_000)", "SELECT f($1)", "SELECT f($2)", "SELECT f('1')", "SELECT f('2')", "SELECT \"f 1\"()",
        "SELECT \"f 2\"()", "SELECT f($$ 1 $$)", "SELECT f($$ 2 $$)", "SELECT f($a$ 1 $a$)", "SELECT f(E'\\1 2')", "SELECT f(1) -- '",
        "SELECT f(2) -- '", "SELECT \xc3\xa9 1 (f(1))", "SELECT f(a1)", "SELECT f(1a)", "SELECT f(2a)",
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        int before = asked;
        unsigned effects = of(others[i]);
        struct effect_reading fresh_one = effect_cache_of(NULL, bytes_str(others[i]), &options, version, &arena, &meanings, NULL);
        ck_assert_uint_eq(effects, fresh_one.effects);
        ck_assert_msg(asked % 2 == before % 2, "%s was taken for another text", others[i]); /* read twice as often, or not at all */
    }
}
END_TEST

/* Eight bytes are looked at together: a digit or a quote may stand anywhere among them. */
START_TEST(numbers_and_strings_are_seen_wherever_they_stand) {
    static const struct {
        const char *format; /* of the blanks in front, and a digit */
        int readings;       /* of two with different digits */
    } texts[] = {
        {"%*sSELECT f(%d)", 1}, {"%*sSELECT f(%d) AS a", 1}, {"%*sSELECT f('%d')", 2}, {"%*sSELECT f($%d)", 2},
        {"%*sSELECT f() AS a%d", 2}, {"%*sSELECT \"%d\", f()", 2}, {"%*sSELECT 1 # 2, f(%d %% 7 & 1)", 1},
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        for (int blanks = 0; blanks < 20; blanks++) {
            int before = asked;
            for (int digit = 3; digit <= 4; digit++) {
                char text[80];
                snprintf(text, sizeof text, texts[i].format, blanks, "", digit);
                (void)of(text);
                (void)of(text);
            }
            ck_assert_msg(asked - before == texts[i].readings, "%s after %d blanks: read %d times", texts[i].format, blanks,
                          asked - before);
        }
    }
}
END_TEST

/* Who asks without reading hears what was read, or nothing. */
START_TEST(found_is_what_was_read) {
    struct bytes text = bytes_str("SELECT f(1)");
    ck_assert_ptr_null(effect_cache_find(cache, text, &options, version, false));
    unsigned effects = of("SELECT f(2)");
    const struct effect_reading *r = effect_cache_find(cache, text, &options, version, false);
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(r->effects, effects);
    ck_assert_ptr_null(effect_cache_find(cache, text, &options, version, true)); /* nobody has asked where it may go */
    ck_assert_ptr_null(effect_cache_find(cache, text, &options, version + 1, false));
    ck_assert_ptr_null(effect_cache_find(NULL, text, &options, version, false));
    options.modes ^= SQL_STANDARD_STRINGS;
    ck_assert_ptr_null(effect_cache_find(cache, text, &options, version, false));
}
END_TEST

START_TEST(texts_are_bounded) {
    size_t size = EFFECT_CACHE_TEXT_MAX;
    char *text = malloc(size + 2);
    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < 3 * (EFFECT_CACHE_BYTES_MAX / EFFECT_CACHE_TEXT_MAX); i++) {
        memset(text, ' ', size);
        text[size] = 0;
        text[snprintf(text, size, "SELECT %d", i)] = ' ';
        ck_assert_uint_eq(of(text), 0);
    }
    free(text);
}
END_TEST

START_TEST(without_a_cache_texts_are_read) {
    effect_cache_free(cache);
    cache = NULL;
    ck_assert_uint_eq(of("LISTEN a"), EFFECT_LEAVES | EFFECT_CHANNELS);
}
END_TEST

/* Whoever may classify hears the same of a text that is remembered. */
START_TEST(where_a_text_goes_is_remembered_with_the_reason) {
    const struct classify_options routing = {.takes_hints = true};
    for (int i = 0; i < 3; i++) {
        struct effect_reading r = effect_cache_of(cache, bytes_str("SELECT 1 FROM t FOR UPDATE"), &options, version, &arena, &meanings,
                                                  &routing);
        ck_assert(r.is_placed);
        ck_assert_int_eq(r.place, CLASSIFY_PRIMARY);
        ck_assert_int_eq(r.why, CLASSIFY_LOCKS_ROWS);
        ck_assert_int_eq(r.hint, 0);
        r = effect_cache_of(cache, bytes_str("/* gilmok: primary consistency=global */ SELECT 1"), &options, version, &arena, &meanings,
                            &routing);
        ck_assert_int_eq(r.place, CLASSIFY_PRIMARY);
        ck_assert_int_eq(r.why, CLASSIFY_HINT_PRIMARY);
        ck_assert_int_eq(hint_unpack(r.hint).route, HINT_PRIMARY);
        ck_assert_int_eq(hint_unpack(r.hint).consistency, HINT_GLOBAL);
        r = effect_cache_of(cache, bytes_str("/* gilmok: replica */ SELECT 1"), &options, version, &arena, &meanings, &routing);
        ck_assert_int_eq(r.place, CLASSIFY_REPLICA);
        ck_assert_int_eq(hint_unpack(r.hint).route, HINT_REPLICA);
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("effect_cache");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, what_is_remembered_is_what_was_read);
    tcase_add_test(tc, names_are_told_each_time);
    tcase_add_test(tc, other_options_are_another_question);
    tcase_add_test(tc, names_that_mean_something_else_are_another_question);
    tcase_add_test(tc, whole_numbers_make_no_other_text);
    tcase_add_test(tc, other_digits_do);
    tcase_add_test(tc, numbers_and_strings_are_seen_wherever_they_stand);
    tcase_add_test(tc, found_is_what_was_read);
    tcase_add_test(tc, texts_are_bounded);
    tcase_add_test(tc, without_a_cache_texts_are_read);
    tcase_add_test(tc, where_a_text_goes_is_remembered_with_the_reason);
    return check_main_of("effect_cache", tc);
}
