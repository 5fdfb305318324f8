/* Texts that were seen before, and how many are remembered. */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/session/effect_cache.h"
#include "tests/unit/check_main.h"

static struct effect_cache *cache;
static struct arena arena;
static struct sql_options options;
static int names;
static unsigned known; /* what functions leave */
static uint64_t version;

static void fresh(void) {
    cache = effect_cache_new();
    arena_init(&arena, 8 << 20);
    options = sql_options_default(SQL_POSTGRES);
    names = 0;
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
    return known;
}

static unsigned of_relation(void *ctx, struct bytes name, bool is_written) {
    (void)ctx, (void)name, (void)is_written;
    return 0;
}

static const struct effect_names meanings = {.of_function = of_function, .of_relation = of_relation, .on_setting = on_setting};

static unsigned of(const char *text) {
    return effect_cache_of(cache, bytes_str(text), &options, version, &arena, &meanings).effects;
}

START_TEST(what_is_remembered_is_what_was_read) {
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(of("SELECT 1"), 0);
        ck_assert_uint_eq(of("SET work_mem = 1"), EFFECT_LEAVES | EFFECT_MOVES);
        ck_assert_uint_eq(of("SELECT f(1)"), EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES);
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
    ck_assert_uint_eq(of("SELECT f()"), EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES);
    known = 0;
    ck_assert_uint_eq(of("SELECT f()"), EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES); /* nobody has said that anything changed */
    version = 2;
    ck_assert_uint_eq(of("SELECT f()"), 0);
    version = 1;
    known = EFFECT_STAYS;
    ck_assert_uint_eq(of("SELECT f()"), EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES); /* each version has its place */
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

int main(void) {
    TCase *tc = tcase_create("effect_cache");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, what_is_remembered_is_what_was_read);
    tcase_add_test(tc, names_are_told_each_time);
    tcase_add_test(tc, other_options_are_another_question);
    tcase_add_test(tc, names_that_mean_something_else_are_another_question);
    tcase_add_test(tc, texts_are_bounded);
    tcase_add_test(tc, without_a_cache_texts_are_read);
    return check_main_of("effect_cache", tc);
}
