/*
 * test_silence.c - how long a node has owed answers without a word.
 */
#include "proxy/pool/silence.h"
#include "tests/unit/check_main.h"

START_TEST(who_owes_nothing_may_be_silent) {
    struct silence s = {.since_us = 0};
    for (uint64_t now = 1000; now < 100000; now += 1000) ck_assert_uint_eq(silence_look(&s, false, 0, now), 0);
}
END_TEST

START_TEST(it_counts_from_the_first_look_at_the_debt) {
    struct silence s = {.since_us = 0};
    ck_assert_uint_eq(silence_look(&s, true, 500, 90000), 0); /* it was idle for long before */
    ck_assert_uint_eq(silence_look(&s, true, 500, 95000), 5000);
    ck_assert_uint_eq(silence_look(&s, true, 500, 97000), 7000);
    ck_assert_uint_eq(silence_look(&s, false, 500, 98000), 0);
    ck_assert_uint_eq(silence_look(&s, true, 500, 99000), 0);
}
END_TEST

START_TEST(any_word_begins_it_anew) {
    struct silence s = {.since_us = 0};
    ck_assert_uint_eq(silence_look(&s, true, 0, 1000), 0);
    ck_assert_uint_eq(silence_look(&s, true, 0, 2000), 1000);
    ck_assert_uint_eq(silence_look(&s, true, 1500, 3000), 0);
    ck_assert_uint_eq(silence_look(&s, true, 1500, 4000), 1000);
    ck_assert_uint_eq(silence_look(&s, true, 4100, 4000), 0); /* by the clock of another thread */
}
END_TEST

int main(void) {
    TCase *t = tcase_create("silence");
    tcase_add_test(t, who_owes_nothing_may_be_silent);
    tcase_add_test(t, it_counts_from_the_first_look_at_the_debt);
    tcase_add_test(t, any_word_begins_it_anew);
    return check_main_of("silence", t);
}
