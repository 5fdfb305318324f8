/* Long texts without most of the constants in them. */
#include <stdlib.h>

#include "routing/effect_my.h"
#include "routing/values_my.h"
#include "tests/unit/check_main.h"

static struct arena arena;

static struct bytes shortened(struct bytes text, uint32_t modes) {
    struct sql_options options = sql_options_default(SQL_MYSQL);
    options.flavour = SQL_FLAVOUR_MARIADB;
    options.modes |= modes;
    return values_my_shorten(text, &options, &arena);
}

#define R "(1, 'a,b'), "
#define ROWS R R R R R R R R
#define IDS "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24"

static const struct {
    const char *text, *expected; /* NULL: it stays as it is */
} texts[] = {
    {"insert into t values " ROWS "(1, 'x')", "insert into t values (1, 'a,b'), (1, 'x')"},
    {"insert into t values " ROWS "(2, @x)", "insert into t values (1, 'a,b'), (2, @x)"},
    {"insert into t values " ROWS "(2, f()), " ROWS "(2, g())", "insert into t values (1, 'a,b'), (2, f()), (2, g())"},
    {"insert into t values " ROWS ROWS "(1, '2') on duplicate key update a = @b := values(a)",
     "insert into t values (1, 'a,b'), (1, '2') on duplicate key update a = @b := values(a)"},
    {"replace t(a, b) value " ROWS "(1, '2'); set @a = 5", "replace t(a, b) value (1, 'a,b'), (1, '2'); set @a = 5"},
    {"select * from t where a in (" IDS ") and get_lock('x', 1)", "select * from t where a in (1) and get_lock('x', 1)"},
    {"select * from t where a in (" IDS ", @a) or b not in (" IDS ")", "select * from t where a in (1, @a) or b not in (1)"},
    {"select f(" IDS "," IDS ")", NULL},
    {"select 1", NULL},
    {"insert into t values " ROWS "(1, 'not closed)", NULL},
    {"", NULL},
    {")))(((,,,", NULL},
};

START_TEST(constants_are_left_out) {
    struct bytes text = bytes_str(texts[_i].text), got = shortened(text, 0);
    if (texts[_i].expected) ck_assert_msg(bytes_is(got, texts[_i].expected), "%.*s", (int)got.len, (const char *)got.ptr);
    else ck_assert_ptr_eq(got.ptr, text.ptr);
}
END_TEST

/* What ends a string depends on these. */
START_TEST(strings_are_read_as_the_session_reads_them) {
    struct bytes text = bytes_str("insert into t values ('a\\'), (', f(), '\\')" ROWS "(1, '2')");
    ck_assert_ptr_eq(shortened(text, 0).ptr, text.ptr);
    text = bytes_str("insert into t values ('a\\'), ('b\\'), ('b\\'), ('b\\'), ('b\\'), ('b\\'), ('b\\'), (f())");
    ck_assert(bytes_is(shortened(text, SQL_NO_BACKSLASH_ESCAPES), "insert into t values ('a\\'), (f())"));
}
END_TEST

START_TEST(texts_whose_bytes_may_be_parts_of_characters_stay) {
    struct sql_options options = sql_options_default(SQL_MYSQL);
    struct bytes text = bytes_str("insert into t values " ROWS "(1, 'x')");
    options.encoding = SQL_ENCODING_UNSAFE;
    ck_assert_ptr_eq(values_my_shorten(text, &options, &arena).ptr, text.ptr);
}
END_TEST

START_TEST(memory_that_ends_is_no_error) {
    struct sql_options options = sql_options_default(SQL_MYSQL);
    struct bytes text = bytes_str("insert into t values " ROWS "(1, 'x')");
    struct arena small;
    arena_init(&small, 16);
    ck_assert_ptr_eq(values_my_shorten(text, &options, &small).ptr, text.ptr);
    ck_assert(!small.failed);
    arena_release(&small);
}
END_TEST

/* A megabyte and more of rows leaves what a row leaves. */
START_TEST(long_texts_are_judged) {
    static const struct {
        const char *end;
        unsigned effects;
    } ends[] = {
        {"(1, 'x')", 0}, {"(1, @a := 5)", EFFECT_MY_USER_VARS}, {"(last_insert_id(), 'x')", EFFECT_MY_ASKS_INSERT_ID},
        {"(1, 'x'); create temporary table x (a int)", EFFECT_MY_TEMP}, {"(1, 'x'); sel", EFFECT_MY_UNREAD},
    };
    const unsigned of_interest = EFFECT_MY_STAYS | EFFECT_MY_ASKS_INSERT_ID;
    const struct effect_my_ears deaf = {.on_setting = NULL};
    struct sql_options options = sql_options_default(SQL_MYSQL);
    size_t rows = 200000, head = strlen("insert into t values "), size = head + rows * (sizeof R - 1) + 100;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    memcpy(text, "insert into t values ", head);
    for (size_t i = 0; i < rows; i++) memcpy(text + head + i * (sizeof R - 1), R, sizeof R - 1);
    options.flavour = SQL_FLAVOUR_MARIADB;
    options.version = 101119;
    strcpy(text + head + rows * (sizeof R - 1), ends[_i].end);
    ck_assert_uint_eq(effect_my_of(bytes_str(text), &options, &arena, &deaf) & of_interest, ends[_i].effects);
    free(text);
}
END_TEST

static void setup(void) {
    arena_init(&arena, 8 << 20);
}

static void teardown(void) {
    arena_release(&arena);
}

int main(void) {
    TCase *c = tcase_create("values_my");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, constants_are_left_out, 0, (int)(sizeof texts / sizeof *texts));
    tcase_add_test(c, strings_are_read_as_the_session_reads_them);
    tcase_add_test(c, texts_whose_bytes_may_be_parts_of_characters_stay);
    tcase_add_test(c, memory_that_ends_is_no_error);
    tcase_add_loop_test(c, long_texts_are_judged, 0, 5);
    return check_main_of("values_my", c);
}
