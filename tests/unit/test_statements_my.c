/*
 * test_statements_my.c - what is prepared on a MySQL connection: found by its text, and which one gives way.
 */
#include "base/fault.h"
#include "proxy/pool/statements_my.h"
#include "tests/unit/check_main.h"

static struct statements_my s;
static uint32_t closes;

static void setup(void) {
    statements_my_init(&s);
    closes = 77;
}

static void teardown(void) {
    statements_my_release(&s);
    ck_assert_uint_eq(s.count, 0);
}

static struct statement_my *add(const char *text, uint32_t id, uint32_t max) {
    struct statement_my *st = statements_my_add(&s, bytes_str(text), id, 2, 3, max, &closes);
    ck_assert_ptr_nonnull(st);
    return st;
}

static struct statement_my *find(const char *text) {
    return statements_my_find(&s, bytes_str(text));
}

START_TEST(found_by_the_text) {
    ck_assert_ptr_null(find("select ?"));
    char text[] = "select ?";
    struct statement_my *st = add(text, 5, 10);
    ck_assert_uint_eq(closes, 0);
    text[0] = 'S'; /* it has a copy */
    ck_assert_ptr_eq(find("select ?"), st);
    ck_assert_ptr_null(find("Select ?"));
    ck_assert_ptr_null(find("select"));
    ck_assert_ptr_null(find("select ? "));
    ck_assert_uint_eq(st->id, 5);
    ck_assert_uint_eq(st->parameters, 2);
    ck_assert_uint_eq(st->columns, 3);
    ck_assert_ptr_null(st->types);
    ck_assert(bytes_is(bytes_of(st->text, st->text_len), "select ?"));
    ck_assert_uint_eq(s.count, 1);
}
END_TEST

START_TEST(texts_may_hold_any_byte_or_none) {
    struct statement_my *nul = statements_my_add(&s, bytes_of("a\0b", 3), 1, 0, 0, 10, &closes);
    struct statement_my *none = statements_my_add(&s, bytes_of(NULL, 0), 2, 0, 0, 10, &closes);
    ck_assert_ptr_eq(statements_my_find(&s, bytes_of("a\0b", 3)), nul);
    ck_assert_ptr_null(statements_my_find(&s, bytes_of("a\0c", 3)));
    ck_assert_ptr_null(find("a"));
    ck_assert_ptr_eq(find(""), none);
}
END_TEST

START_TEST(the_same_text_again_closes_the_former) {
    struct statement_my *old = add("a", 1, 10);
    ck_assert(statements_my_keep_types(old, (const uint8_t *)"\1\2\3\4"));
    add("b", 2, 10);
    struct statement_my *st = add("a", 3, 10);
    ck_assert_uint_eq(closes, 1);
    ck_assert_ptr_eq(find("a"), st);
    ck_assert_ptr_null(st->types); /* the server knows none of the new one */
    ck_assert_uint_eq(s.count, 2);
    st = statements_my_add(&s, bytes_of(st->text, st->text_len), 4, 0, 0, 2, &closes);
    ck_assert_uint_eq(closes, 3);
    ck_assert_ptr_eq(find("a"), st);
    ck_assert_ptr_nonnull(find("b"));
}
END_TEST

START_TEST(another_text_is_another_name) {
    struct statement_my *old = add("a", 1, 2);
    add("b", 2, 2);
    old->is_kept = true;
    ck_assert(statements_my_keep_types(old, (const uint8_t *)"\1\2\3\4"));
    struct statement_my *st = statements_my_rename(&s, old, bytes_str("A"));
    ck_assert_ptr_null(find("a"));
    ck_assert_ptr_eq(find("A"), st);
    ck_assert_uint_eq(st->id, 1);
    ck_assert_uint_eq(st->parameters, 2);
    ck_assert_uint_eq(st->columns, 3);
    ck_assert(st->is_kept);
    ck_assert_mem_eq(st->types, "\1\2\3\4", 4);
    ck_assert_uint_eq(s.count, 2);
    add("c", 3, 2);
    ck_assert_uint_eq(closes, 2);
}
END_TEST

START_TEST(the_least_recently_used_gives_way) {
    add("a", 1, 3), add("b", 2, 3), add("c", 3, 3);
    ck_assert_uint_eq(closes, 0);
    ck_assert_ptr_nonnull(find("a"));
    add("d", 4, 3);
    ck_assert_uint_eq(closes, 2);
    ck_assert_ptr_null(find("b"));
    add("b", 5, 3);
    ck_assert_uint_eq(closes, 3);
    ck_assert_ptr_nonnull(find("d"));
    ck_assert_ptr_nonnull(find("d")); /* the latest stays the latest */
    add("e", 6, 3);
    ck_assert_uint_eq(closes, 1);
    ck_assert_uint_eq(s.count, 3);
}
END_TEST

START_TEST(the_new_one_stays_even_with_no_room) {
    for (uint32_t id = 1; id <= 4; id++) {
        char text[] = {(char)('a' + id), 0};
        struct statement_my *st = add(text, id, id % 2); /* 0 and 1 are the same */
        ck_assert_uint_eq(closes, id - 1);
        ck_assert_ptr_eq(find(text), st);
        ck_assert_uint_eq(s.count, 1);
    }
}
END_TEST

START_TEST(a_smaller_maximum_is_reached_one_by_one) {
    add("a", 1, 5), add("b", 2, 5), add("c", 3, 5), add("d", 4, 5);
    ck_assert_uint_eq(statements_my_shed(&s, 4), 0);
    ck_assert_ptr_nonnull(find("a"));
    add("e", 5, 2); /* one for one */
    ck_assert_uint_eq(closes, 2);
    ck_assert_uint_eq(s.count, 4);
    ck_assert_uint_eq(statements_my_shed(&s, 2), 3);
    ck_assert_uint_eq(statements_my_shed(&s, 2), 4);
    ck_assert_uint_eq(statements_my_shed(&s, 2), 0);
    ck_assert_uint_eq(statements_my_shed(&s, 0), 1);
    ck_assert_uint_eq(statements_my_shed(&s, 0), 0);
    ck_assert_ptr_nonnull(find("e"));
    statements_my_remove(&s, find("e"));
    ck_assert_uint_eq(statements_my_shed(&s, 0), 0);
}
END_TEST

START_TEST(what_is_removed_is_not_found) {
    struct statement_my *a = add("a", 1, 3), *b = add("b", 2, 3);
    ck_assert(statements_my_keep_types(a, (const uint8_t *)"\1\2\3\4"));
    ck_assert_ptr_eq(find("a"), a);
    statements_my_remove(&s, a);
    ck_assert_ptr_null(find("a"));
    ck_assert_ptr_eq(find("b"), b);
    ck_assert_uint_eq(s.count, 1);
    add("a", 3, 3), add("c", 4, 3);
    ck_assert_uint_eq(closes, 0);
}
END_TEST

START_TEST(types_are_those_of_the_latest) {
    struct statement_my *st = add("a", 1, 3);
    ck_assert(statements_my_keep_types(st, (const uint8_t *)"\1\2\3\4"));
    ck_assert_mem_eq(st->types, "\1\2\3\4", 4);
    ck_assert(statements_my_keep_types(st, (const uint8_t *)"\5\6\7\x8"));
    ck_assert(statements_my_keep_types(st, st->types));
    ck_assert_mem_eq(find("a")->types, "\5\6\7\x8", 4);
}
END_TEST

START_TEST(without_parameters_there_are_no_types) {
    struct statement_my *st = statements_my_add(&s, bytes_str("a"), 1, 0, 1, 3, &closes);
    ck_assert(statements_my_keep_types(st, NULL));
    ck_assert_ptr_null(st->types);
}
END_TEST

START_TEST(as_many_parameters_as_there_may_be) {
    static uint8_t types[2 * UINT16_MAX];
    types[sizeof types - 1] = 9;
    struct statement_my *st = statements_my_add(&s, bytes_str("a"), UINT32_MAX, UINT16_MAX, UINT16_MAX, UINT32_MAX, &closes);
    ck_assert(statements_my_keep_types(st, types));
    ck_assert_mem_eq(st->types, types, sizeof types);
}
END_TEST

START_TEST(released_it_is_empty_and_may_be_used_again) {
    add("a", 1, 3);
    statements_my_release(&s);
    statements_my_release(&s);
    ck_assert_ptr_null(find("a"));
    ck_assert_uint_eq(s.count, 0);
    add("a", 2, 1);
    ck_assert_uint_eq(closes, 0);
    struct statements_my never = {0};
    statements_my_release(&never);
}
END_TEST

#ifdef GILMOK_FAULT
/* Also where the map must grow (at 13), the text is there already, or one would have to give way. */
START_TEST(without_memory_nothing_changes) {
    for (uint32_t id = 1; id <= 30; id++) {
        char text[] = {(char)('a' + id % 20), 0};
        const struct statement_my *before = find(text);
        for (uint64_t n = 0;; n++) {
            uint32_t count = s.count;
            fault_arm(FAULT_ALLOC, n);
            struct statement_my *st = statements_my_add(&s, bytes_str(text), id, 2, 0, 15, &closes);
            bool fired = fault_fired(FAULT_ALLOC);
            fault_disarm();
            ck_assert_int_eq(st != NULL, !fired);
            if (st) break;
            ck_assert_uint_eq(closes, 0);
            ck_assert_uint_eq(s.count, count);
            ck_assert_ptr_eq(find(text), before);
        }
    }
}
END_TEST

START_TEST(without_memory_no_types_are_known) {
    struct statement_my *st = add("a", 1, 3);
    fault_arm(FAULT_ALLOC, 0);
    ck_assert(!statements_my_keep_types(st, (const uint8_t *)"\1\2\3\4"));
    ck_assert_ptr_null(st->types);
    ck_assert(statements_my_keep_types(st, (const uint8_t *)"\1\2\3\4"));
    ck_assert_mem_eq(st->types, "\1\2\3\4", 4);
    fault_disarm();
}
END_TEST
#endif

int main(void) {
    TCase *t = tcase_create("statements");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, found_by_the_text);
    tcase_add_test(t, texts_may_hold_any_byte_or_none);
    tcase_add_test(t, the_same_text_again_closes_the_former);
    tcase_add_test(t, another_text_is_another_name);
    tcase_add_test(t, the_least_recently_used_gives_way);
    tcase_add_test(t, the_new_one_stays_even_with_no_room);
    tcase_add_test(t, a_smaller_maximum_is_reached_one_by_one);
    tcase_add_test(t, what_is_removed_is_not_found);
    tcase_add_test(t, types_are_those_of_the_latest);
    tcase_add_test(t, without_parameters_there_are_no_types);
    tcase_add_test(t, as_many_parameters_as_there_may_be);
    tcase_add_test(t, released_it_is_empty_and_may_be_used_again);
#ifdef GILMOK_FAULT
    tcase_add_test(t, without_memory_nothing_changes);
    tcase_add_test(t, without_memory_no_types_are_known);
#endif
    return check_main_of("statements", t);
}
