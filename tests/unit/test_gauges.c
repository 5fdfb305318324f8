/*
 * test_gauges.c - what is told of a node is there for as long as somebody looks, and no longer; and who comes in its place is another.
 */
#include <stdio.h>

#include "proxy/topology/topology.h"
#include "tests/unit/check_main.h"

static struct topology topology;

static void setup(void) {
    topology_init(&topology);
}

static void teardown(void) {
    topology_release(&topology);
}

static struct topology_gauge *gauge(const char *name, const char *address) {
    struct topology_gauge *g = topology_gauge(&topology, "main", name, address);
    ck_assert_ptr_nonnull(g);
    return g;
}

static uint32_t count(void) {
    uint32_t count = 0;
    LIST_EACH(n, &topology.gauges) count++;
    return count;
}

START_TEST(one_for_all_that_look) {
    struct topology_gauge *a = gauge("a", "10.0.0.1:5432"), *b = gauge("b", "10.0.0.2:5432"), *elsewhere = gauge("a", "10.0.0.3:5432");
    ck_assert(a == gauge("a", "10.0.0.1:5432") && a != b && a != elsewhere && count() == 3);
    ck_assert(a->id && b->id && a->id != b->id && a->id != elsewhere->id && b->id != elsewhere->id);
    a->fresh_us = 7;
    topology_gauge_unref(a);
    ck_assert(count() == 3 && gauge("a", "10.0.0.1:5432")->fresh_us == 7);
    topology_gauge_unref(NULL);
}
END_TEST

START_TEST(gone_with_the_last_one) {
    struct topology_gauge *a = gauge("a", "10.0.0.1:5432");
    uint64_t id = a->id;
    a->fresh_us = 7;
    topology_gauge_unref(a);
    ck_assert_uint_eq(count(), 0);
    a = gauge("a", "10.0.0.1:5432");
    ck_assert(a->fresh_us == 0 && a->id != id);
    topology_gauge_unref(a);
}
END_TEST

/* As a name server tells new ones each minute. */
START_TEST(a_thousand_addresses_leave_nothing) {
    char address[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(address, sizeof address, "10.0.%d.%d:5432", i / 250, i % 250);
        topology_gauge_unref(gauge("a", address));
    }
    ck_assert_uint_eq(count(), 0);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("gauges");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, one_for_all_that_look);
    tcase_add_test(t, gone_with_the_last_one);
    tcase_add_test(t, a_thousand_addresses_leave_nothing);
    return check_main_of("gauges", t);
}
