/*
 * Adds and subtracts; pure.
 */
#include "proxy/pool/pool_stats.h"

enum { STATS_COUNT = sizeof(struct pool_stats) / sizeof(uint64_t) };

static_assert(sizeof(struct pool_stats) == STATS_COUNT * sizeof(uint64_t), "nothing but numbers of one type");

static uint64_t *numbers(struct pool_stats *s) {
    return (uint64_t *)s;
}

void pool_stats_add(struct pool_stats *sum, const struct pool_stats *more) {
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < STATS_COUNT; i++) numbers(sum)[i] += from[i];
}

void pool_stats_mark(const struct pool_stats *now, struct pool_stats *at_mark, struct pool_stats *period) {
    const uint64_t *from = (const uint64_t *)now;
    for (size_t i = 0; i < STATS_COUNT; i++) numbers(period)[i] = from[i] - numbers(at_mark)[i];
    *at_mark = *now;
}
