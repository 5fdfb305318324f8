/*
 * test_choose.c - which node gets the next read: counted over many choices.
 */
#include "proxy/pool/choose.h"
#include "tests/unit/check_main.h"

enum { MANY = 10000, NODES = 4, SECOND_US = 1000000, NOW_US = 1000 * SECOND_US };

static uint64_t random_state;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void setup(void) {
    random_state = 88172645463325252u;
}

static const struct choose_rules at_once = {.now_us = NOW_US};

/* Each answer comes when `busy` more have been asked for: so many are outstanding at any time. */
static void play(struct choose_node *nodes, int count, const struct choose_rules *r, int busy, int *got) {
    struct choose_node *list[NODES];
    int under_way[64];
    for (int i = 0; i < count; i++) {
        list[i] = &nodes[i];
        got[i] = 0;
    }
    for (int k = 0; k < MANY; k++) {
        if (k >= busy && busy) nodes[under_way[k % busy]].outstanding--;
        int i = choose_node(list, count, r, next_random());
        ck_assert_int_ge(i, 0);
        ck_assert_int_lt(i, count);
        got[i]++;
        if (busy) nodes[i].outstanding++;
        if (busy) under_way[k % busy] = i;
    }
}

/* Of MANY, in per cent. */
static void expect(int got, int percent, int tolerance) {
    ck_assert_int_ge(got * 100 / MANY, percent - tolerance);
    ck_assert_int_le(got * 100 / MANY, percent + tolerance);
}

static const enum read_balance all_kinds[] = {BALANCE_LEAST_OUTSTANDING, BALANCE_ROUND_ROBIN, BALANCE_LATENCY};

START_TEST(one_node_gets_everything) {
    for (int kind = 0; kind < 3; kind++) {
        struct choose_node n = {.weight = 0};
        struct choose_rules r = {.balance = all_kinds[kind], .now_us = NOW_US};
        int got[1];
        play(&n, 1, &r, 3, got);
        ck_assert_int_eq(got[0], MANY);
    }
}
END_TEST

START_TEST(equal_nodes_get_the_same_idle_or_busy) {
    for (int kind = 0; kind < 3; kind++) {
        for (int busy = 0; busy <= 30; busy += 15) {
            struct choose_node n[3] = {{.weight = 1000}, {.weight = 1000}, {.weight = 1000}};
            struct choose_rules r = {.balance = all_kinds[kind], .now_us = NOW_US};
            int got[3];
            play(n, 3, &r, busy, got);
            for (int i = 0; i < 3; i++) expect(got[i], 33, 3);
        }
    }
}
END_TEST

START_TEST(weights_count_idle_or_busy) {
    for (int busy = 0; busy <= 40; busy += 20) {
        struct choose_node n[2] = {{.weight = 4000}, {.weight = 1000}};
        struct choose_node m[2] = {{.weight = 4000}, {.weight = 1000}};
        struct choose_rules turns = {.balance = BALANCE_ROUND_ROBIN, .now_us = NOW_US};
        int got[2];
        play(n, 2, &at_once, busy, got);
        expect(got[0], 80, 4);
        play(m, 2, &turns, busy, got);
        expect(got[0], 80, 1);
    }
}
END_TEST

START_TEST(a_node_that_is_stuck_gets_little) {
    struct choose_node n[3] = {{.weight = 1000, .outstanding = 20}, {.weight = 1000}, {.weight = 1000}};
    int got[3];
    play(n, 3, &at_once, 6, got);
    expect(got[0], 0, 0);
    struct choose_node two[2] = {{.weight = 1000, .outstanding = 20}, {.weight = 1000}};
    play(two, 2, &at_once, 6, got);
    expect(got[0], 0, 0);
}
END_TEST

START_TEST(turns_are_spread_evenly) {
    struct choose_node n[3] = {{.weight = 2000}, {.weight = 1000}, {.weight = 1000}}, *list[] = {&n[0], &n[1], &n[2]};
    struct choose_rules r = {.balance = BALANCE_ROUND_ROBIN, .now_us = NOW_US};
    for (int k = 0; k < 100; k++) {
        int seen[3] = {0, 0, 0}, last = -1;
        for (int i = 0; i < 4; i++) {
            int at = choose_node(list, 3, &r, 0);
            ck_assert(i == 0 || at != last); /* the heavy one not twice in a row */
            seen[last = at]++;
        }
        ck_assert(seen[0] == 2 && seen[1] == 1 && seen[2] == 1);
    }
}
END_TEST

START_TEST(a_node_that_is_back_gets_a_share_that_grows) {
    struct choose_rules r = {.slow_start_ms = 30000, .now_us = NOW_US};
    struct choose_node n = {.weight = 2000, .back_us = NOW_US};
    ck_assert_uint_eq(choose_share(&n, &r), 2 * CHOOSE_SHARE_ONE * CHOOSE_FIRST_PERCENT / 100);
    uint64_t before = choose_share(&n, &r);
    for (int s = 1; s <= 30; s++) {
        r.now_us = NOW_US + (uint64_t)s * SECOND_US;
        ck_assert_uint_gt(choose_share(&n, &r), before);
        before = choose_share(&n, &r);
    }
    ck_assert_uint_eq(before, 2 * CHOOSE_SHARE_ONE);
    r.now_us += 1000 * (uint64_t)SECOND_US;
    ck_assert_uint_eq(choose_share(&n, &r), before);
    n.back_us = r.now_us + 1; /* another thread's clock is ahead */
    ck_assert_uint_eq(choose_share(&n, &r), before / 10);
}
END_TEST

START_TEST(slow_start_counts_in_every_kind) {
    for (int kind = 0; kind < 3; kind++) {
        for (int busy = 0; busy <= 20; busy += 20) {
            struct choose_node n[2] = {{.weight = 1000}, {.weight = 1000, .back_us = NOW_US}};
            struct choose_rules r = {.balance = all_kinds[kind], .slow_start_ms = 10000, .now_us = NOW_US};
            int got[2];
            play(n, 2, &r, busy, got);
            ck_assert_int_lt(got[1], MANY * 13 / 100);
            ck_assert_int_ge(got[1], kind == BALANCE_LATENCY && !busy ? 0 : MANY * 3 / 100);
        }
    }
}
END_TEST

START_TEST(a_weight_for_a_part_of_all) {
    for (uint32_t percent = 1; percent < 100; percent += 7) {
        struct choose_node n[3] = {{.weight = 1000}, {.weight = 3000}, {.weight = choose_weight_for(percent, 4000)}};
        struct choose_rules turns = {.balance = BALANCE_ROUND_ROBIN, .now_us = NOW_US};
        int got[3];
        play(n, 3, &at_once, 0, got);
        expect(got[2], (int)percent, 2);
        play(n, 3, &turns, 20, got);
        expect(got[2], (int)percent, 1);
    }
    ck_assert_uint_eq(choose_weight_for(0, 64000), 1);
    ck_assert_uint_eq(choose_weight_for(99, UINT32_MAX), CHOOSE_WEIGHT_MAX);
}
END_TEST

START_TEST(near_ones_go_first_while_they_have_room) {
    for (int kind = 0; kind < 3; kind++) {
        struct choose_node n[4] = {{.weight = 9000}, {.weight = 1000, .is_near = true, .has_room = true}, {.weight = 9000},
                                   {.weight = 1000, .is_near = true, .has_room = true}};
        struct choose_rules r = {.balance = all_kinds[kind], .now_us = NOW_US};
        int got[4];
        play(n, 4, &r, 9, got);
        ck_assert_int_eq(got[0] + got[2], 0);
        expect(got[1], 50, 3);
        n[1].has_room = false;
        play(n, 4, &r, 0, got);
        ck_assert_int_eq(got[3], MANY);
        n[3].has_room = false;
        play(n, 4, &r, 0, got);
        ck_assert_int_gt(got[0] + got[2], MANY / 2);
    }
}
END_TEST

START_TEST(latency_prefers_who_answers_soon) {
    struct choose_rules r = {.balance = BALANCE_LATENCY, .now_us = NOW_US};
    struct choose_node n[2] = {{.weight = 1000}, {.weight = 1000}};
    int got[2];
    for (int i = 0; i < 20; i++) {
        choose_note_latency(&n[0], 10000, NOW_US);
        choose_note_latency(&n[1], 1000, NOW_US);
    }
    play(n, 2, &r, 5, got);
    ck_assert_int_eq(got[1], MANY); /* five on the fast one are done before one on the slow */
    n[1].outstanding = 30;
    play(n, 2, &r, 0, got);
    ck_assert_int_eq(got[0], MANY);
}
END_TEST

START_TEST(what_is_known_of_latency_fades) {
    struct choose_rules r = {.balance = BALANCE_LATENCY, .now_us = NOW_US};
    struct choose_node n[2] = {{.weight = 1000}, {.weight = 1000}};
    int got[2];
    choose_note_latency(&n[0], 8000, NOW_US);
    choose_note_latency(&n[1], 1000, NOW_US);
    play(n, 2, &r, 0, got);
    ck_assert_int_eq(got[0], 0);
    r.now_us += 4 * (uint64_t)CHOOSE_FADES_MS * 1000;
    choose_note_latency(&n[1], 1000, r.now_us);
    play(n, 2, &r, 0, got);
    ck_assert_int_eq(got[0], MANY); /* it is tried again ... */
    choose_note_latency(&n[0], 8000, r.now_us);
    play(n, 2, &r, 0, got);
    ck_assert_int_eq(got[0], 0); /* ... and once is enough */
}
END_TEST

START_TEST(absurd_numbers_do_no_harm) {
    struct choose_node n[2] = {{.weight = 1000000, .outstanding = UINT32_MAX}, {.weight = 1000000, .outstanding = UINT32_MAX - 1}};
    struct choose_rules r = {.balance = BALANCE_LATENCY, .now_us = 1};
    int got[2];
    choose_note_latency(&n[0], UINT64_MAX, 1000);
    choose_note_latency(&n[0], UINT64_MAX, 1);
    choose_note_latency(&n[1], 0, 1);
    ck_assert_uint_eq(n[0].latency_us, CHOOSE_LATENCY_MAX_US);
    ck_assert_uint_eq(n[1].latency_us, 0);
    play(n, 2, &r, 0, got);
    play(n, 2, &at_once, 0, got);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("choose");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, one_node_gets_everything);
    tcase_add_test(t, equal_nodes_get_the_same_idle_or_busy);
    tcase_add_test(t, weights_count_idle_or_busy);
    tcase_add_test(t, a_node_that_is_stuck_gets_little);
    tcase_add_test(t, turns_are_spread_evenly);
    tcase_add_test(t, a_node_that_is_back_gets_a_share_that_grows);
    tcase_add_test(t, slow_start_counts_in_every_kind);
    tcase_add_test(t, a_weight_for_a_part_of_all);
    tcase_add_test(t, near_ones_go_first_while_they_have_room);
    tcase_add_test(t, latency_prefers_who_answers_soon);
    tcase_add_test(t, what_is_known_of_latency_fades);
    tcase_add_test(t, absurd_numbers_do_no_harm);
    return check_main_of("choose", t);
}
