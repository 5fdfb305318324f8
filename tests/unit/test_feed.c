/*
 * test_feed.c - has a subscriber had its tables brought ever since they were copied, and is the stream its own?
 */
#include "proxy/topology/feed.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check_main.h"

static struct feed_record *two_tables(void) {
    static struct feed_record r;
    memset(&r, 0, sizeof r);
    ck_assert(feed_add_table(&r, bytes_str("public"), bytes_str("orders")));
    ck_assert(feed_add_table(&r, bytes_str("public"), bytes_str("items")));
    return &r;
}

static const char *lost(const struct feed_record *r) {
    const struct feed_table *t = feed_lost(r);
    return t ? t->name : "";
}

/* Both answered, and nothing was wrong. */
static struct feed_record *known(void) {
    struct feed_record *r = two_tables();
    ck_assert(feed_take_copied(r, "100 200"));
    ck_assert_ptr_null(feed_take_subscriber(r, 1, 5000, 900));
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 21 22 23 24 2 2 2 1 1 0"));
    ck_assert_ptr_null(feed_take_sender(r, 4711, 950, 800));
    ck_assert_str_eq(lost(r), "");
    return r;
}

START_TEST(answers_of_another_form_are_none) {
    static const char *const copied[] = {"", "1", "1 2 3", "1 x", "1  2", "-1 2"};
    static const char *const tables[] = {"", "1 2 3 4 5 6 7 8 9 10", "1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9",
                                         "1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10 11",
                                         "1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 x"};
    struct feed_record *r = two_tables();
    for (size_t i = 0; i < COUNT_OF(copied); i++) ck_assert_msg(!feed_take_copied(r, copied[i]), "%s", copied[i]);
    for (size_t i = 0; i < COUNT_OF(tables); i++) ck_assert_msg(!feed_take_tables(r, 1, tables[i]), "%s", tables[i]);
    ck_assert_str_eq(lost(r), "");
}
END_TEST

START_TEST(more_tables_than_there_may_be_or_longer_names) {
    static struct feed_record r;
    char name[2 * CONFIG_TABLE_NAME_MAX + 2];
    memset(name, 'x', sizeof name);
    ck_assert(!feed_add_table(&r, bytes_str("s"), bytes_of(name, sizeof name)));
    ck_assert(feed_add_table(&r, bytes_of(name, CONFIG_TABLE_NAME_MAX), bytes_of(name, CONFIG_TABLE_NAME_MAX)));
    while (r.count < CONFIG_TABLES_MAX) ck_assert(feed_add_table(&r, bytes_str("s"), bytes_str("t")));
    ck_assert(!feed_add_table(&r, bytes_str("s"), bytes_str("t")));
}
END_TEST

START_TEST(a_table_that_was_not_brought_must_be_copied_anew) {
    struct feed_record *r = known();
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 21 22 23 0 2 2 2 1 1 0"));
    ck_assert_str_eq(lost(r), "public.items");
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 21 22 23 24 2 2 2 1 1 0"));
    ck_assert(feed_take_copied(r, "100 200"));
    ck_assert_str_eq(lost(r), "public.items");
    ck_assert(feed_take_copied(r, "100 0"));
    ck_assert_str_eq(lost(r), "public.items");
    ck_assert(feed_take_copied(r, "100 300"));
    ck_assert_str_eq(lost(r), "");
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 31 32 33 34 2 2 2 1 1 0")); /* as of the new copy */
    ck_assert_str_eq(lost(r), "");
}
END_TEST

START_TEST(a_subscription_that_stops_bringing_one) {
    struct feed_record *r = known();
    ck_assert(feed_take_copied(r, "0 200"));
    ck_assert_str_eq(lost(r), "public.orders");
    ck_assert(feed_take_copied(r, "100 200")); /* it says so again: nothing was copied */
    ck_assert_str_eq(lost(r), "public.orders");
    ck_assert(feed_take_copied(r, "101 200"));
    ck_assert_str_eq(lost(r), "");
}
END_TEST

START_TEST(what_changes_at_the_primary) {
    static const struct {
        const char *items;
        bool is_lost;
    } cases[] = {
        {"21 22 23 24 2 2 2 1 1 0", false},
        {"21 99 23 24 2 2 2 1 1 0", false}, /* VACUUM FULL */
        {"21 22 99 24 2 2 2 1 1 0", false}, /* SET STATISTICS */
        {"21 22 99 24 3 3 3 0 1 0", false}, /* a column more, and the subscriber does not have it yet */
        {"21 22 99 24 3 3 3 1 1 0", false}, /* ... it has */
        {"21 22 99 24 3 3 3 1 0 0", true},  /* ... and something else in it */
        {"21 22 99 24 3 2 2 1 1 0", false}, /* one that came and went */
        {"21 22 99 24 3 2 3 1 1 0", true},  /* one that went and came */
        {"21 22 99 24 2 1 1 1 1 0", false}, /* one that went, on both sides */
        {"21 98 99 24 2 2 2 1 1 0", true},  /* ALTER COLUMN ... TYPE ... USING */
        {"21 98 99 24 3 3 3 0 0 0", true},  /* a default that is computed */
        {"99 22 23 24 2 2 2 1 1 0", true},  /* another table of its name */
        {"21 22 23 99 2 2 2 1 1 0", true},  /* it has left the publication, and come back */
        {"21 22 23 24 2 2 2 0 1 1", true},  /* what comes gets more there */
        {"0 0 23 24 0 0 0 1 1 0", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct feed_record *r = known();
        char now[128];
        snprintf(now, sizeof now, "11 12 13 14 2 2 2 1 1 0 %s", cases[i].items);
        ck_assert(feed_take_tables(r, 7, now));
        ck_assert_msg((feed_lost(r) != NULL) == cases[i].is_lost, "%s", cases[i].items);
    }
}
END_TEST

START_TEST(another_timeline_of_either_side) {
    struct feed_record *r = known();
    ck_assert(feed_take_tables(r, 8, "11 12 13 14 2 2 2 1 1 0 21 22 23 24 2 2 2 1 1 0"));
    ck_assert_str_eq(lost(r), "public.orders");
    ck_assert(feed_take_copied(r, "101 200"));
    ck_assert_str_eq(lost(r), "public.items");
    ck_assert(feed_take_copied(r, "101 201"));
    ck_assert_str_eq(lost(r), "");
    ck_assert(!feed_take_subscriber(r, 2, 6000, 950)); /* of the new copies nothing else is known */
    ck_assert_str_eq(lost(r), "");
    ck_assert(!feed_take_subscriber(r, 3, 6000, 950));
    ck_assert_str_eq(lost(r), "public.orders");
}
END_TEST

START_TEST(a_copy_of_another_timeline_is_as_good_as_any) {
    struct feed_record *r = known();
    feed_lose_all(r, "the slot is gone");
    ck_assert_str_eq(lost(r), "public.orders");
    ck_assert(feed_take_copied(r, "500 600"));
    ck_assert(!feed_take_subscriber(r, 1, 100, 950)); /* built anew from nothing */
    ck_assert(feed_take_tables(r, 9, "11 12 13 14 2 2 2 1 1 0 21 22 23 24 2 2 2 1 1 0"));
    ck_assert_str_eq(lost(r), "");
}
END_TEST

START_TEST(an_earlier_copy_is_from_a_backup) {
    struct feed_record *r = known();
    ck_assert(feed_take_copied(r, "90 200"));
    ck_assert_str_eq(lost(r), "public.orders");
    ck_assert(feed_take_copied(r, "100 200"));
    ck_assert_str_eq(lost(r), "public.orders");
    ck_assert(feed_take_copied(r, "101 200"));
    ck_assert_str_eq(lost(r), "");
}
END_TEST

START_TEST(columns_that_differ_for_a_while) {
    struct feed_record *r = known();
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 21 22 99 24 3 3 3 0 0 0"));
    ck_assert_str_eq(lost(r), "");
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 21 22 99 24 3 3 3 1 1 0"));
    ck_assert_str_eq(lost(r), "");
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 21 22 99 24 4 4 4 0 1 0"));
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 21 22 99 24 4 4 4 1 0 0"));
    ck_assert_str_eq(lost(r), "public.items");
}
END_TEST

START_TEST(a_subscriber_that_comes_from_a_backup) {
    struct feed_record *r = known();
    ck_assert(!feed_take_subscriber(r, 1, 5000, 950));
    ck_assert_str_eq(lost(r), "");
    ck_assert(!feed_take_subscriber(r, 1, 4999, 950));
    ck_assert_str_eq(lost(r), "public.orders");
}
END_TEST

START_TEST(what_was_lost_stays_so_over_a_reload) {
    struct feed_record *r = known();
    static struct feed_record next;
    memset(&next, 0, sizeof next);
    ck_assert(feed_take_tables(r, 7, "11 12 13 14 2 2 2 1 1 0 21 22 23 0 2 2 2 1 1 0"));
    ck_assert(feed_add_table(&next, bytes_str("public"), bytes_str("items")));
    ck_assert(feed_add_table(&next, bytes_str("public"), bytes_str("more")));
    feed_inherit(&next, r);
    ck_assert(feed_take_copied(&next, "200 300"));
    ck_assert_str_eq(lost(&next), "public.items");
    ck_assert(feed_take_copied(&next, "201 300"));
    ck_assert_str_eq(lost(&next), "");
    ck_assert_uint_eq(next.count, 2);
    ck_assert(!next.is_proven);
}
END_TEST

START_TEST(a_sender_is_proven_by_what_has_been_received) {
    struct feed_record *r = known();
    ck_assert(!r->is_proven);
    ck_assert_ptr_null(feed_take_subscriber(r, 1, 5000, 950));
    ck_assert(r->is_proven);
    ck_assert_ptr_null(feed_take_sender(r, 4711, 1000, 940));
    ck_assert(r->is_proven);
    ck_assert_ptr_null(feed_take_sender(r, 4712, 1000, 940)); /* another process: it may be another server's */
    ck_assert(!r->is_proven);
    ck_assert_ptr_null(feed_take_subscriber(r, 1, 5000, 940));
    ck_assert(r->is_proven);
}
END_TEST

START_TEST(a_slot_that_another_server_uses) {
    struct feed_record *r = known();
    ck_assert_ptr_null(feed_take_sender(r, 4711, 950, 901));
    ck_assert_ptr_nonnull(feed_take_subscriber(r, 1, 5000, 900));
    ck_assert(!r->is_proven);
}
END_TEST

START_TEST(a_subscription_to_another_server) {
    struct feed_record *r = known();
    ck_assert_ptr_nonnull(feed_take_sender(r, 4712, 899, 800));
    r = known();
    ck_assert_ptr_null(feed_take_subscriber(r, 1, 5000, 960));
    ck_assert_ptr_null(feed_take_sender(r, 4711, 955, 800)); /* it tells a moment later than it sends */
    ck_assert(r->is_proven);
    ck_assert_ptr_nonnull(feed_take_sender(r, 4711, 955, 800));
    ck_assert(!r->is_proven);
}
END_TEST

START_TEST(another_primary) {
    struct feed_record *r = known();
    ck_assert_ptr_null(feed_take_subscriber(r, 1, 5000, 950));
    feed_forget_sender(r);
    ck_assert(!r->is_proven);
    ck_assert_ptr_null(feed_take_subscriber(r, 1, 5000, 950));
    ck_assert(!r->is_proven);
}
END_TEST

START_TEST(a_beat_counts_when_it_would_be_there_after_a_crash) {
    struct feed_beats b = {.safe = 0};
    feed_take_beat(&b, 10, 500, 500);
    ck_assert_uint_eq(b.safe, 10);
    feed_take_beat(&b, 20, 600, 550);
    ck_assert_uint_eq(b.safe, 10);
    feed_take_beat(&b, 30, 700, 599); /* the earlier one is waited for, not this one */
    ck_assert_uint_eq(b.safe, 10);
    feed_take_beat(&b, 40, 800, 600);
    ck_assert_uint_eq(b.safe, 20);
    feed_take_beat(&b, 40, 900, 800); /* as of the answer before */
    ck_assert_uint_eq(b.safe, 40);
    feed_take_beat(&b, 50, 900, 900);
    ck_assert_uint_eq(b.safe, 50);
}
END_TEST

START_TEST(a_beat_that_goes_back) {
    struct feed_beats b = {.safe = 0};
    feed_take_beat(&b, 50, 900, 900);
    feed_take_beat(&b, 40, 100, 100);
    ck_assert_uint_eq(b.safe, 40);
    feed_take_beat(&b, 60, 200, 100);
    feed_take_beat(&b, 45, 210, 100); /* the one that was seen is gone */
    ck_assert_uint_eq(b.safe, 40);
    feed_take_beat(&b, 45, 220, 220);
    ck_assert_uint_eq(b.safe, 45);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("feed");
    tcase_add_test(t, answers_of_another_form_are_none);
    tcase_add_test(t, more_tables_than_there_may_be_or_longer_names);
    tcase_add_test(t, a_table_that_was_not_brought_must_be_copied_anew);
    tcase_add_test(t, a_subscription_that_stops_bringing_one);
    tcase_add_test(t, what_changes_at_the_primary);
    tcase_add_test(t, another_timeline_of_either_side);
    tcase_add_test(t, a_copy_of_another_timeline_is_as_good_as_any);
    tcase_add_test(t, an_earlier_copy_is_from_a_backup);
    tcase_add_test(t, columns_that_differ_for_a_while);
    tcase_add_test(t, a_subscriber_that_comes_from_a_backup);
    tcase_add_test(t, what_was_lost_stays_so_over_a_reload);
    tcase_add_test(t, a_sender_is_proven_by_what_has_been_received);
    tcase_add_test(t, a_slot_that_another_server_uses);
    tcase_add_test(t, a_subscription_to_another_server);
    tcase_add_test(t, another_primary);
    tcase_add_test(t, a_beat_counts_when_it_would_be_there_after_a_crash);
    tcase_add_test(t, a_beat_that_goes_back);
    return check_main_of("feed", t);
}
