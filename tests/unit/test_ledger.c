/*
 * test_ledger.c - the ring of owed replies, without any protocol: order, groups, growth, limits.
 */
#include "base/fault.h"
#include "proxy/pool/ledger.h"
#include "tests/unit/check_main.h"

enum { STEP = 1, END = 2, OTHER_END = 3 };

static struct ledger l;

static void fresh(void) {
    ledger_init(&l);
}

static void release(void) {
    ledger_release(&l);
}

static void push(uint8_t kind) {
    ck_assert(ledger_push(&l, kind, REPLY_FORWARD, kind != STEP));
}

static uint32_t groups_counted_by_hand(void) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < l.count; i++) n += ledger_at(&l, i)->ends_group;
    return n;
}

START_TEST(a_new_ledger_is_quiet) {
    ck_assert(ledger_is_quiet(&l));
    ck_assert(!ledger_is_full(&l));
    ck_assert_ptr_null(ledger_head(&l));
    ck_assert_int_eq(l.txn, TXN_NONE);
}
END_TEST

START_TEST(entries_come_out_in_order) {
    ck_assert(ledger_push(&l, STEP, REPLY_SWALLOW, false));
    ck_assert(ledger_push(&l, END, REPLY_FORWARD, true));
    ck_assert_uint_eq(ledger_head(&l)->kind, STEP);
    ck_assert_uint_eq(ledger_head(&l)->fate, REPLY_SWALLOW);
    ledger_pop(&l);
    ck_assert_uint_eq(ledger_head(&l)->kind, END);
    ck_assert_uint_eq(ledger_head(&l)->fate, REPLY_FORWARD);
    ledger_pop(&l);
    ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(nothing_owed_is_not_enough_to_be_quiet) {
    push(STEP);
    ledger_pop(&l);
    ck_assert_uint_eq(l.count, 0);
    ck_assert(!ledger_is_quiet(&l));
    push(END);
    ledger_pop(&l);
    ck_assert(ledger_is_quiet(&l));
    l.is_message_open = true;
    ck_assert(!ledger_is_quiet(&l));
    l.is_message_open = false;
    l.is_client_turn = true;
    ck_assert(!ledger_is_quiet(&l));
}
END_TEST

/* The ring turns while it grows: order must survive a head that is anywhere. */
START_TEST(it_grows_to_its_limit_and_keeps_the_order) {
    for (uint32_t turn = 0; turn < LEDGER_INLINE / 2; turn++) {
        push(END);
        ledger_pop(&l);
    }
    for (uint32_t i = 0; i < LEDGER_MAX; i++) {
        ck_assert(!ledger_is_full(&l));
        ck_assert(ledger_push(&l, (uint8_t)(i % 251), REPLY_FORWARD, false));
    }
    ck_assert(ledger_is_full(&l));
    ck_assert_uint_eq(l.count, LEDGER_MAX);
    for (uint32_t i = 0; i < LEDGER_MAX; i++) {
        ck_assert_uint_eq(ledger_head(&l)->kind, i % 251);
        ledger_pop(&l);
        ck_assert(!ledger_is_full(&l));
    }
    ck_assert_uint_eq(l.count, 0);
}
END_TEST

/* Full is a request to stop, not a wall: what gilmok itself must send still fits; but there is an end. */
START_TEST(beyond_the_limit_there_is_room_but_not_without_end) {
    uint32_t n = 0;
    while (n < LEDGER_MAX * 4 && ledger_push(&l, STEP, REPLY_FORWARD, false)) n++;
    ck_assert_uint_gt(n, LEDGER_MAX);
    ck_assert_uint_lt(n, LEDGER_MAX * 4);
    ck_assert_uint_eq(l.count, n);
}
END_TEST

START_TEST(many_groups_are_full_too) {
    for (uint32_t i = 0; i < LEDGER_GROUPS_MAX; i++) {
        ck_assert(!ledger_is_full(&l));
        push(STEP);
        push(END);
    }
    ck_assert(ledger_is_full(&l));
    ledger_pop(&l);
    ck_assert(ledger_is_full(&l));
    ledger_pop(&l);
    ck_assert(!ledger_is_full(&l));
}
END_TEST

START_TEST(removal_in_the_middle_closes_the_gap) {
    for (uint32_t start = 0; start < LEDGER_INLINE; start += 5) { /* wherever the head is */
        ledger_release(&l);
        for (uint32_t i = 0; i < start; i++) {
            push(END);
            ledger_pop(&l);
        }
        for (uint8_t kind = 10; kind < 10 + LEDGER_INLINE; kind++)
            ck_assert(ledger_push(&l, kind, REPLY_FORWARD, kind % 2 == 0));
        ledger_remove(&l, 5); /* 15 */
        ledger_remove(&l, 5); /* 16 */
        ledger_remove(&l, l.count - 1); /* the last */
        ledger_remove(&l, 0); /* the first */
        ck_assert_uint_eq(l.count, LEDGER_INLINE - 4);
        ck_assert_uint_eq(l.groups, groups_counted_by_hand());
        uint8_t expected = 11;
        for (uint32_t i = 0; i < l.count; i++) {
            ck_assert_uint_eq(ledger_at(&l, i)->kind, expected);
            expected = (uint8_t)(expected == 14 ? 17 : expected + 1);
        }
    }
}
END_TEST

START_TEST(an_error_voids_to_the_next_end_of_its_kind) {
    push(STEP);
    push(OTHER_END);
    push(STEP);
    push(END);
    push(STEP);
    push(END);
    ledger_void_until(&l, END);
    ck_assert_uint_eq(l.count, 3);
    ck_assert_uint_eq(ledger_head(&l)->kind, END);
    ck_assert_uint_eq(l.groups, groups_counted_by_hand());
    ck_assert(!l.is_skipping);
}
END_TEST

START_TEST(without_such_an_end_what_follows_is_skipped) {
    push(STEP);
    l.next_tag = 7;
    push(OTHER_END);
    ledger_void_until(&l, END);
    ck_assert(l.has_voided_end);
    ck_assert_uint_eq(l.voided_tag, 7); /* who waits for it waits for ever, unless somebody sees to it */
    ck_assert_uint_eq(l.count, 0);
    ck_assert_uint_eq(l.groups, 0);
    ck_assert(!ledger_is_quiet(&l));
    push(STEP);
    push(OTHER_END);
    ck_assert_uint_eq(l.count, 0);
    ck_assert(!ledger_is_quiet(&l));
    push(END);
    ck_assert_uint_eq(l.count, 1);
    ledger_pop(&l);
    ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(an_error_ends_the_clients_turn) {
    push(STEP);
    push(END);
    l.is_client_turn = true;
    l.phase = 1;
    ledger_void_until(&l, END);
    ck_assert(!l.has_voided_end);
    ck_assert(!l.is_client_turn);
    ck_assert_uint_eq(l.phase, 0);
}
END_TEST

START_TEST(release_makes_it_new) {
    for (uint32_t i = 0; i < LEDGER_INLINE * 4; i++) push(i % 3 ? STEP : END);
    l.txn = TXN_FAILED;
    ledger_release(&l);
    ck_assert(ledger_is_quiet(&l));
    ck_assert_uint_eq(l.groups, 0);
    ck_assert_int_eq(l.txn, TXN_NONE);
}
END_TEST

START_TEST(transaction_states_have_names) {
    ck_assert_str_eq(txn_state_name(TXN_NONE), "none");
    ck_assert_str_eq(txn_state_name(TXN_OPEN), "open");
    ck_assert_str_eq(txn_state_name(TXN_FAILED), "failed");
}
END_TEST

#ifdef GILMOK_FAULT
START_TEST(without_memory_a_push_fails_and_nothing_is_lost) {
    for (uint32_t i = 0; i < LEDGER_INLINE; i++) push(END);
    fault_arm(FAULT_ALLOC, 0);
    ck_assert(!ledger_push(&l, STEP, REPLY_FORWARD, false));
    fault_disarm();
    ck_assert_uint_eq(l.count, LEDGER_INLINE);
    ck_assert_uint_eq(l.groups, LEDGER_INLINE);
}
END_TEST
#endif

int main(void) {
    TCase *tc = tcase_create("ledger");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, a_new_ledger_is_quiet);
    tcase_add_test(tc, entries_come_out_in_order);
    tcase_add_test(tc, nothing_owed_is_not_enough_to_be_quiet);
    tcase_add_test(tc, it_grows_to_its_limit_and_keeps_the_order);
    tcase_add_test(tc, beyond_the_limit_there_is_room_but_not_without_end);
    tcase_add_test(tc, many_groups_are_full_too);
    tcase_add_test(tc, removal_in_the_middle_closes_the_gap);
    tcase_add_test(tc, an_error_voids_to_the_next_end_of_its_kind);
    tcase_add_test(tc, without_such_an_end_what_follows_is_skipped);
    tcase_add_test(tc, an_error_ends_the_clients_turn);
    tcase_add_test(tc, release_makes_it_new);
    tcase_add_test(tc, transaction_states_have_names);
#ifdef GILMOK_FAULT
    tcase_add_test(tc, without_memory_a_push_fails_and_nothing_is_lost);
#endif
    return check_main_of("ledger", tc);
}
