/* Words by which operators tell reasons apart. */
#include <ctype.h>

#include "proxy/pool/route_stats.h"
#include "tests/unit/check_main.h"

/* Of a text that may go to a replica nothing is counted but that it did, or why it did not. */
static bool is_counted(int reason) {
    return reason < ROUTE_TEXT || classify_why_place((enum classify_why)(reason - ROUTE_TEXT)) != CLASSIFY_REPLICA;
}

START_TEST(each_reason_has_a_word_of_its_own) {
    char words[ROUTE_REASON_COUNT][ROUTE_WORD_MAX];
    for (int i = 0; i < ROUTE_REASON_COUNT; i++) {
        ck_assert_ptr_eq(route_reason_word((enum route_reason)i, words[i]), words[i]);
        ck_assert_uint_gt(strlen(words[i]), 0);
        ck_assert_uint_lt(strlen(words[i]), ROUTE_WORD_MAX - 1); /* not cut */
        for (const char *c = words[i]; *c; c++) ck_assert_msg(islower((unsigned char)*c) || *c == '_', "%s", words[i]);
        ck_assert_uint_gt(strlen(route_reason_text((enum route_reason)i)), 0);
        for (int k = 0; is_counted(i) && k < i; k++) ck_assert_str_ne(words[k], words[i]);
    }
}
END_TEST

START_TEST(reasons_of_texts_stand_behind_the_sessions) {
    char word[ROUTE_WORD_MAX];
    ck_assert_str_eq(route_reason_word(ROUTE_LEAVES, word), "leaves_something");
    ck_assert_str_eq(route_reason_word(route_reason_of_text(CLASSIFY_NOTHING), word), "nothing");
    ck_assert_str_eq(route_reason_word(route_reason_of_text(CLASSIFY_LOCKS_ROWS), word), "locks_rows");
    ck_assert_str_eq(route_reason_text(route_reason_of_text(CLASSIFY_LOCKS_ROWS)), classify_why_text(CLASSIFY_LOCKS_ROWS));
    ck_assert_int_eq(route_reason_of_text((enum classify_why)(CLASSIFY_WHY_COUNT - 1)), ROUTE_REASON_COUNT - 1);
}
END_TEST

START_TEST(each_worker_adds_its_own) {
    struct route_stats sum = {0}, one = {0};
    for (size_t i = 0; i < ROUTE_REASON_COUNT; i++) one.exchanges[i] = i * 1000;
    route_stats_add(&sum, &one);
    route_stats_add(&sum, &one);
    for (size_t i = 0; i < ROUTE_REASON_COUNT; i++) ck_assert_uint_eq(sum.exchanges[i], i * 2000);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("route_stats");
    tcase_add_test(tc, each_reason_has_a_word_of_its_own);
    tcase_add_test(tc, reasons_of_texts_stand_behind_the_sessions);
    tcase_add_test(tc, each_worker_adds_its_own);
    return check_main_of("route_stats", tc);
}
