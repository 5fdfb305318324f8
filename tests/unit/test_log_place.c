/*
 * test_log_place.c - what workers are told of how far a standby is.
 */
#include "proxy/topology/topology.h"
#include "tests/unit/check_main.h"

static const struct log_place at = {.system_id = 7, .timeline = 2, .lsn = 5000};

static bool has(const struct topology_gauge *g, uint64_t system_id, uint32_t timeline, uint64_t lsn) {
    return topology_has_place(g, &(struct log_place){.system_id = system_id, .timeline = timeline, .lsn = lsn});
}

START_TEST(nobody_knows_at_first) {
    struct topology_gauge g = {.told_us = 0};
    ck_assert(!has(&g, 7, 2, 1));
}
END_TEST

START_TEST(up_to_its_position_on_its_own_history) {
    struct topology_gauge g = {.told_us = 0};
    topology_set_place(&g, &at);
    ck_assert(has(&g, 7, 2, 1) && has(&g, 7, 2, 5000));
    ck_assert(!has(&g, 7, 2, 5001));
    ck_assert(!has(&g, 8, 2, 1) && !has(&g, 7, 1, 1) && !has(&g, 7, 3, 1));
}
END_TEST

START_TEST(it_goes_on_and_becomes_unknown) {
    struct topology_gauge g = {.told_us = 0};
    topology_set_place(&g, &at);
    topology_set_place(&g, &(struct log_place){.system_id = 7, .timeline = 2, .lsn = 6000});
    ck_assert(has(&g, 7, 2, 6000));
    topology_set_place(&g, &(struct log_place){.system_id = 7, .timeline = 3, .lsn = 5500});
    ck_assert(!has(&g, 7, 2, 1) && has(&g, 7, 3, 5500));
    topology_set_place(&g, &(struct log_place){.system_id = 7, .timeline = 3, .lsn = 0});
    ck_assert(!has(&g, 7, 3, 1));
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("log_place");
    tcase_add_test(tc, nobody_knows_at_first);
    tcase_add_test(tc, up_to_its_position_on_its_own_history);
    tcase_add_test(tc, it_goes_on_and_becomes_unknown);
    return check_main_of("log_place", tc);
}
