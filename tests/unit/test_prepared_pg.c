/*
 * test_prepared_pg.c - prepared statements: texts kept once, descriptions as numbers, what one connection holds.
 */
#include "base/writer.h"
#include "proxy/pool/description_pg.h"
#include "proxy/pool/prepared_pg.h"
#include "proxy/wire/pg_proto.h"
#include "tests/unit/check_main.h"

static struct map home;
static struct prepared_set_pg set;

static void setup(void) {
    map_init(&home);
    prepared_pg_init(&set);
}

static void teardown(void) {
    prepared_pg_release(&set);
    ck_assert_uint_eq(home.count, 0); /* nobody holds a statement any more */
    map_release(&home);
}

static struct statement_pg *intern(const char *text) {
    struct statement_pg *st = statement_pg_intern(&home, bytes_of(text, strlen(text) + 1), NULL);
    ck_assert_ptr_nonnull(st);
    return st;
}

/* One that is parsed and described; only the set holds its statement. */
static struct prepared_pg *settle(const char *text, uint64_t description) {
    struct statement_pg *st = intern(text);
    struct prepared_pg *p = prepared_pg_new(&set, st);
    statement_pg_unref(st);
    prepared_pg_settle(&set, p, description);
    return p;
}

START_TEST(equal_sources_are_one_statement) {
    struct statement_pg *a = intern("select 1"), *b = intern("select 1"), *c = intern("select 2");
    ck_assert_ptr_eq(a, b);
    ck_assert_ptr_ne(a, c);
    ck_assert_str_ne(a->name, c->name);
    struct statement_pg *d = statement_pg_intern(&home, a->source, &(struct settings_pg){7, bytes_of("DateStyle\0ISO, DMY", 19)});
    ck_assert_ptr_ne(a, d); /* other settings: it may mean something else */
    ck_assert_uint_eq(d->settings.digest, 7);
    ck_assert(bytes_equal(d->settings.values, bytes_of("DateStyle\0ISO, DMY", 19)));
    ck_assert(bytes_equal(a->source, d->source));
    ck_assert_uint_eq(home.count, 3);
    statement_pg_unref(a), statement_pg_unref(b), statement_pg_unref(c), statement_pg_unref(d);
}
END_TEST

START_TEST(names_are_never_used_twice) {
    char first[PREPARED_PG_NAME_MAX];
    struct prepared_pg *p = settle("select 1", 1);
    memcpy(first, p->name, sizeof first);
    ck_assert(bytes_starts_with(bytes_str(first), STATEMENT_PG_PREFIX));
    prepared_pg_drop(&set, p);
    ck_assert_str_ne(settle("select 1", 1)->name, first);
}
END_TEST

START_TEST(found_by_statement_and_description) {
    struct prepared_pg *one = settle("select 1", 1), *two = settle("select 1", 2);
    ck_assert_ptr_eq(prepared_pg_find(&set, one->statement, 1), one);
    ck_assert_ptr_eq(prepared_pg_find(&set, one->statement, 2), two);
    ck_assert_ptr_null(prepared_pg_find(&set, one->statement, 3));
    ck_assert_ptr_null(prepared_pg_surplus(&set, 2));
}
END_TEST

START_TEST(a_second_of_the_same_description_is_surplus) {
    struct prepared_pg *one = settle("select 1", 1), *again = settle("select 1", 1);
    ck_assert_ptr_eq(prepared_pg_find(&set, one->statement, 1), one);
    ck_assert_ptr_eq(prepared_pg_surplus(&set, 100), again);
    prepared_pg_drop(&set, again);
    ck_assert_ptr_null(prepared_pg_surplus(&set, 100));
    ck_assert_ptr_eq(prepared_pg_find(&set, one->statement, 1), one);
}
END_TEST

START_TEST(the_least_recently_used_goes_first) {
    struct prepared_pg *a = settle("a", 1), *b = settle("b", 1), *c = settle("c", 1);
    (void)prepared_pg_find(&set, a->statement, 1);
    ck_assert_ptr_eq(prepared_pg_surplus(&set, 2), b);
    prepared_pg_drop(&set, b);
    ck_assert_ptr_null(prepared_pg_surplus(&set, 2));
    ck_assert_ptr_eq(prepared_pg_surplus(&set, 1), c);
}
END_TEST

/* What is still on its way must not be closed under its client. */
START_TEST(unsettled_ones_are_never_surplus) {
    struct statement_pg *st = intern("select 1");
    struct prepared_pg *p = prepared_pg_new(&set, st);
    statement_pg_unref(st);
    ck_assert_ptr_null(prepared_pg_surplus(&set, 0));
    prepared_pg_clear(&set);
    ck_assert_uint_eq(set.count, 1);
    prepared_pg_give_up(&set, p);
    ck_assert_ptr_eq(prepared_pg_surplus(&set, 100), p);
}
END_TEST

/* One that stays unsettled for a transaction must not drive out what has just been made beside it. */
START_TEST(unsettled_ones_do_not_count) {
    struct statement_pg *st = intern("select 1");
    ck_assert_ptr_nonnull(prepared_pg_new(&set, st));
    statement_pg_unref(st);
    struct prepared_pg *a = settle("a", 1);
    ck_assert_ptr_null(prepared_pg_surplus(&set, 1));
    (void)settle("b", 1);
    ck_assert_ptr_eq(prepared_pg_surplus(&set, 1), a);
}
END_TEST

START_TEST(a_set_is_released_whole) {
    settle("a", 1), settle("a", 1), settle("b", 1);
    struct statement_pg *st = intern("c");
    ck_assert_ptr_nonnull(prepared_pg_new(&set, st));
    statement_pg_unref(st); /* teardown looks whether all went */
}
END_TEST

/* ---- descriptions ---- */

struct column {
    const char *name;
    uint32_t table;
    uint16_t number;
    uint32_t type;
    uint16_t size;
    uint32_t modifier;
    uint16_t format;
};

static uint64_t digest_of(const struct column *columns, int count, uint32_t parameter, size_t piece) {
    uint8_t storage[512];
    struct writer w;
    struct description_pg d;
    description_pg_init(&d);
    description_pg_begin(&d);
    description_pg_message(&d, PG_B_PARAMETER_DESCRIPTION);
    writer_init_fixed(&w, storage, sizeof storage);
    writer_be16(&w, 1);
    writer_be32(&w, parameter);
    description_pg_feed(&d, writer_bytes(&w));
    writer_reset(&w);
    writer_be16(&w, (uint16_t)count);
    for (int i = 0; i < count; i++) {
        writer_cstr(&w, bytes_str(columns[i].name));
        writer_be32(&w, columns[i].table);
        writer_be16(&w, columns[i].number);
        writer_be32(&w, columns[i].type);
        writer_be16(&w, columns[i].size);
        writer_be32(&w, columns[i].modifier);
        writer_be16(&w, columns[i].format);
    }
    ck_assert(!w.failed);
    description_pg_message(&d, PG_B_ROW_DESCRIPTION);
    for (size_t at = 0; at < w.len; at += piece)
        description_pg_feed(&d, bytes_of(w.data + at, w.len - at < piece ? w.len - at : piece));
    const uint8_t types[] = {0, 1, 0, 0, 0, (uint8_t)parameter};
    ck_assert(bytes_equal(writer_bytes(&d.parameters), bytes_of(types, sizeof types))); /* kept for the next Parse */
    description_pg_release(&d);
    return d.digest;
}

static const struct column usual[] = {{"id", 1000, 1, 23, 4, UINT32_MAX, 0}, {"name", 1000, 2, 25, UINT16_MAX, UINT32_MAX, 0}};

START_TEST(descriptions_do_not_depend_on_pieces) {
    uint64_t whole = digest_of(usual, 2, 23, 512);
    for (size_t piece = 1; piece < 60; piece++) ck_assert_uint_eq(digest_of(usual, 2, 23, piece), whole);
}
END_TEST

START_TEST(what_counts_in_a_description) {
    uint64_t as_usual = digest_of(usual, 2, 23, 512);
    ck_assert_uint_ne(digest_of(usual, 1, 23, 512), as_usual);
    ck_assert_uint_ne(digest_of(usual, 2, 20, 512), as_usual);
    for (int field = 0; field < 7; field++) {
        struct column other[2] = {usual[0], usual[1]};
        if (field == 0) other[1].name = "nam";
        if (field == 1) other[1].type = 1043;
        if (field == 2) other[1].size = 8;
        if (field == 3) other[1].modifier = 20;
        if (field == 4) other[1].table = 2000; /* a table made anew */
        if (field == 5) other[1].number = 3;
        if (field == 6) other[1].format = 1;
        bool counts = field < 4;
        ck_assert_int_eq(digest_of(other, 2, 23, 512) != as_usual, counts);
    }
}
END_TEST

int main(void) {
    TCase *t = tcase_create("prepared");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, equal_sources_are_one_statement);
    tcase_add_test(t, names_are_never_used_twice);
    tcase_add_test(t, found_by_statement_and_description);
    tcase_add_test(t, a_second_of_the_same_description_is_surplus);
    tcase_add_test(t, the_least_recently_used_goes_first);
    tcase_add_test(t, unsettled_ones_are_never_surplus);
    tcase_add_test(t, unsettled_ones_do_not_count);
    tcase_add_test(t, a_set_is_released_whole);
    tcase_add_test(t, descriptions_do_not_depend_on_pieces);
    tcase_add_test(t, what_counts_in_a_description);
    return check_main_of("prepared", t);
}
