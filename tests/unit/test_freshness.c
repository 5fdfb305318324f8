/*
 * test_freshness.c - up to when a standby is known to have everything.
 */
#include "proxy/topology/freshness.h"
#include "tests/unit/check_main.h"

enum { MIDDLE = 1000 /* of a page: no header is near */ };

START_TEST(nothing_is_known_without_samples) {
    struct freshness f = {.count = 0};
    ck_assert_uint_eq(freshness_at(&f, UINT64_MAX), 0);
}
END_TEST

START_TEST(a_standby_is_fresh_as_of_the_latest_sample_that_it_has_reached) {
    struct freshness f = {.count = 0};
    for (uint64_t i = 1; i <= 5; i++) freshness_note(&f, 100 * i, 8192 * i + MIDDLE);
    ck_assert_uint_eq(freshness_at(&f, 8192 * 3 + MIDDLE), 300);
    ck_assert_uint_eq(freshness_at(&f, 8192 * 3 + MIDDLE - 1), 200);
    ck_assert_uint_eq(freshness_at(&f, 8192 * 9), 500);
    ck_assert_uint_eq(freshness_at(&f, 8192 + MIDDLE - 1), 0);
}
END_TEST

START_TEST(an_idle_primary_keeps_its_standbys_fresh) {
    struct freshness f = {.count = 0};
    for (uint64_t i = 1; i <= 1000; i++) freshness_note(&f, 10 * i, MIDDLE);
    ck_assert_uint_eq(freshness_at(&f, MIDDLE), 10000);
    ck_assert_uint_eq(f.count, 1);
}
END_TEST

START_TEST(a_page_that_has_just_begun_has_nothing_to_be_replayed) {
    struct freshness f = {.count = 0};
    freshness_note(&f, 1, 5 * 8192 + 24);
    ck_assert_uint_eq(freshness_at(&f, 5 * 8192), 1);
    ck_assert_uint_eq(freshness_at(&f, 5 * 8192 - 1), 0);
    freshness_note(&f, 2, 6 * 8192 + 40);
    ck_assert_uint_eq(freshness_at(&f, 6 * 8192), 2);
    freshness_note(&f, 3, 6 * 8192 + 41);
    ck_assert_uint_eq(freshness_at(&f, 6 * 8192 + 40), 2);
}
END_TEST

START_TEST(answers_that_come_late_change_nothing) {
    struct freshness f = {.count = 0};
    freshness_note(&f, 200, 8192 + MIDDLE);
    freshness_note(&f, 100, 8192 * 2 + MIDDLE); /* asked before, and answered behind it */
    ck_assert_uint_eq(freshness_at(&f, 8192 + MIDDLE), 200);
    freshness_note(&f, 150, 8192 + MIDDLE);
    ck_assert_uint_eq(freshness_at(&f, 8192 + MIDDLE), 200);
}
END_TEST

START_TEST(a_log_that_ends_earlier_is_another_history) {
    struct freshness f = {.count = 0};
    freshness_note(&f, 100, 8192 * 9 + MIDDLE);
    freshness_note(&f, 200, 8192 * 3 + MIDDLE);
    ck_assert_uint_eq(freshness_at(&f, 8192 * 3 + MIDDLE), 200);
    ck_assert_uint_eq(freshness_at(&f, 8192 * 2), 0);
    freshness_forget(&f);
    ck_assert_uint_eq(freshness_at(&f, UINT64_MAX), 0);
}
END_TEST

/* Somebody wants to know for an hour, two hundred times a second: what is told of a standby is never far off, for its age. */
START_TEST(the_older_the_fewer_samples_are_kept) {
    struct freshness f = {.count = 0};
    uint64_t last = 720000;
    for (uint64_t i = 1; i <= last; i++) freshness_note(&f, i, 8192 * i + MIDDLE);
    ck_assert_uint_eq(freshness_at(&f, 8192 * last + MIDDLE), last);
    for (uint64_t behind = 1; behind < last; behind += behind / 3 + 1) {
        uint64_t is = last - behind, told = freshness_at(&f, 8192 * is + MIDDLE);
        ck_assert_msg(told && told <= is && is - told <= behind / 8 + 2, "%u behind: told %u for %u", (unsigned)behind,
                      (unsigned)told, (unsigned)is);
    }
}
END_TEST

/* Whatever is asked in whatever order: a standby is never called fresh as of a moment when the primary was further than it. */
START_TEST(never_fresher_than_it_is) {
    struct freshness f = {.count = 0};
    uint64_t seed = 42, lsn = 8192, at_us[400], end[400];
    for (int i = 0; i < 400; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        lsn += (seed >> 33) % 3 ? (seed >> 40) % 9000 : 0;
        at_us[i] = 1000 + 10 * (uint64_t)i;
        end[i] = lsn;
        freshness_note(&f, at_us[i], lsn);
        uint64_t replayed = lsn - (seed >> 20) % 20000;
        uint64_t fresh_us = freshness_at(&f, replayed);
        for (int k = 0; k <= i; k++)
            if (at_us[k] <= fresh_us && end[k] % 8192 > 40) ck_assert_uint_le(end[k], replayed);
    }
}
END_TEST

int main(void) {
    TCase *t = tcase_create("freshness");
    tcase_add_test(t, nothing_is_known_without_samples);
    tcase_add_test(t, a_standby_is_fresh_as_of_the_latest_sample_that_it_has_reached);
    tcase_add_test(t, an_idle_primary_keeps_its_standbys_fresh);
    tcase_add_test(t, a_page_that_has_just_begun_has_nothing_to_be_replayed);
    tcase_add_test(t, answers_that_come_late_change_nothing);
    tcase_add_test(t, a_log_that_ends_earlier_is_another_history);
    tcase_add_test(t, the_older_the_fewer_samples_are_kept);
    tcase_add_test(t, never_fresher_than_it_is);
    return check_main_of("freshness", t);
}
