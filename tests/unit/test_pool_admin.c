/*
 * test_pool_admin.c - what is said about databases; sums over periods.
 */
#include "proxy/pool/gate.h"
#include "proxy/pool/pool_stats.h"
#include "tests/unit/check_main.h"

static struct gate_book book;

static void begin(void) {
    gate_book_init(&book);
}

static void end(void) {
    gate_book_release(&book);
}

START_TEST(a_name_of_its_own_and_all_together) {
    struct bytes shop = bytes_str("shop"), all = bytes_of(NULL, 0), other = bytes_str("other");
    ck_assert_uint_eq(gate_book_of(&book, shop), 0);
    ck_assert(gate_book_set(&book, shop, GATE_PAUSED));
    ck_assert(gate_book_set(&book, all, GATE_PAUSED | GATE_SUSPENDED));
    ck_assert_uint_eq(gate_book_own(&book, shop), GATE_PAUSED);
    ck_assert_uint_eq(gate_book_of(&book, shop), GATE_PAUSED | GATE_SUSPENDED);
    ck_assert_uint_eq(gate_book_of(&book, other), GATE_PAUSED | GATE_SUSPENDED);
    gate_book_clear(&book, all, GATE_PAUSED | GATE_SUSPENDED);
    ck_assert_uint_eq(gate_book_of(&book, shop), GATE_PAUSED);
    ck_assert_uint_eq(gate_book_of(&book, other), 0);
}
END_TEST

START_TEST(flags_do_not_touch_each_other) {
    struct bytes shop = bytes_str("shop");
    ck_assert(gate_book_set(&book, shop, GATE_PAUSED));
    ck_assert(gate_book_set(&book, shop, GATE_DISABLED));
    gate_book_clear(&book, shop, GATE_PAUSED);
    ck_assert_uint_eq(gate_book_own(&book, shop), GATE_DISABLED);
    gate_book_clear(&book, bytes_str("never named"), GATE_PAUSED);
    gate_book_clear(&book, shop, GATE_DISABLED);
    ck_assert_uint_eq(gate_book_of(&book, shop), 0);
}
END_TEST

START_TEST(a_period_is_what_was_added_in_it) {
    struct pool_stats now = {0}, mark = {0}, period = {0}, sum = {0};
    now.queries = 7;
    now.logins = 1;
    pool_stats_mark(&now, &mark, &period);
    ck_assert_uint_eq(period.queries, 7);
    now.queries = 10;
    pool_stats_mark(&now, &mark, &period);
    ck_assert_uint_eq(period.queries, 3);
    ck_assert_uint_eq(period.logins, 0);
    pool_stats_add(&sum, &now);
    pool_stats_add(&sum, &period);
    ck_assert_uint_eq(sum.queries, 13);
    ck_assert_uint_eq(sum.logins, 1);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("gates and periods");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, a_name_of_its_own_and_all_together);
    tcase_add_test(t, flags_do_not_touch_each_other);
    tcase_add_test(t, a_period_is_what_was_added_in_it);
    return check_main_of("pool admin", t);
}
