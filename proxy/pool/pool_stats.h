/*
 * pool_stats.h - what a pool has done: since the start, and in the last whole period.
 *
 * Counted by the worker that holds the share, without a lock. Times are sums of
 * microseconds. The members are all of one type, so that they can be added as an array.
 */
#ifndef GILMOK_PROXY_POOL_POOL_STATS_H
#define GILMOK_PROXY_POOL_POOL_STATS_H

#include "base/build.h"

struct pool_stats {
    uint64_t assignments;   /* leases that began */
    uint64_t transactions;  /* groups that left none open */
    uint64_t queries;       /* groups: a Query, or everything up to a Sync */
    uint64_t received;      /* bytes from clients */
    uint64_t sent;          /* bytes to clients */
    uint64_t transaction_us; /* from its first message to its end */
    uint64_t query_us;
    uint64_t wait_us;        /* waiting for a connection */
    uint64_t client_parses;  /* named statements that clients prepared */
    uint64_t server_parses;  /* those that were prepared on a server connection */
    uint64_t binds;          /* of named statements */
    uint64_t logins;
};

void pool_stats_add(struct pool_stats *sum, const struct pool_stats *more);
/* The period under way is over, and the next one begins. */
void pool_stats_mark(const struct pool_stats *now, struct pool_stats *at_mark, struct pool_stats *period);

#endif
