/*
 * balance.h - waiting clients go to another worker's share of their pool, when that one
 * would serve them sooner.
 *
 * Within a share the order is first come, first served. Across shares: a client that has
 * waited for `patience_us` goes to a share that has a connection to spare and nobody
 * waiting; or to one that has just served somebody who had begun to wait later than it
 * by more than the patience. So nobody waits much longer than the newest served.
 */
#ifndef GILMOK_PROXY_POOL_BALANCE_H
#define GILMOK_PROXY_POOL_BALANCE_H

#include "proxy/pool/pool.h"

/* To be called every now and then while somebody waits. True: somebody still does. */
bool balance_pools(struct pool_set *set, uint64_t patience_us);

#endif
