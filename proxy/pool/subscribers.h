/*
 * subscribers.h - which servers have copies of which tables of a database, by the configuration. Of one worker.
 *
 * Lists that say the same are one object, which lives as long as the pools: who has the pointer has what it meant. Numbers in it
 * are the bits of struct classify_result's `copies`.
 */
#ifndef GILMOK_PROXY_POOL_SUBSCRIBERS_H
#define GILMOK_PROXY_POOL_SUBSCRIBERS_H

#include "base/list.h"
#include "proxy/config.h"

struct subscriber {
    const char *name;   /* the node's; owned */
    const char *tables; /* "schema.table, ..."; owned */
    uint64_t copy_id;   /* config_copy_id() */
};

struct subscribers {
    struct list node; /* in pool_set.subscribers */
    uint32_t count;
    struct subscriber all[CONFIG_SUBSCRIBERS_MAX];
};

struct pool_set;

/* Those of a cluster that have tables of this database. NULL: there are none, or memory is out. */
const struct subscribers *subscribers_of(struct pool_set *set, const struct config_cluster *cluster, const char *database);
void subscribers_release(struct pool_set *set);

#endif
