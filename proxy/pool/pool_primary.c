/*
 * Which node a pool's connections go to, where a cluster has several: its primary (proxy/topology). While there is none, nobody is
 * leased a connection, and who waits does so for failover_wait.
 */
#include <stdio.h>

#include "base/fault.h"
#include "proxy/pool/pool_impl.h"
#include "proxy/topology/topology.h"

static const struct config_node *first_of(const struct config_cluster *cluster) {
    return CONTAINER_OF(list_first(&cluster->nodes), struct config_node, node);
}

/* Without a primary it is the one of before: its connections stay, unused, for it may come back. */
const struct config_node *pool_choose_node(struct pool *p, const struct config_cluster *cluster) {
    char name[TOPOLOGY_NAME_MAX];
    const struct config_node *node = NULL;
    bool was_leaderless = p->is_leaderless;
    p->is_elective = config_is_elective(cluster) && p->set->topology;
    p->is_leaderless = false;
    if (!p->is_elective) return first_of(cluster);
    bool is_known = topology_primary(p->set->topology, cluster->name, name, &p->no_primary);
    if (is_known) node = config_find_node(cluster, name);
    if (is_known && !node)
        err_set(&p->no_primary, ERR_CANNOT_CONNECT_NOW, "the primary of cluster \"%.60s\" is not looked for yet", cluster->name);
    p->is_leaderless = !node;
    if (p->is_leaderless && !was_leaderless) p->leaderless_since_us = pool_now_us(p);
    if (!node) node = config_find_node(cluster, p->server.node);
    return node ? node : first_of(cluster);
}

/* In the middle of something at a node that is the primary no more: what it writes there would be lost. */
static void cut_leases(struct pool *p, const char *from) {
    struct err err;
    err_set(&err, ERR_CONNECTION_FAILURE, "node %.60s is not the primary any more: the connection to it was closed", from);
    err_hint(&err, "A transaction that was not committed is rolled back; begin it again.");
    LIST_EACH(n, &p->variants) {
        LIST_EACH(i, &CONTAINER_OF(n, struct variant, node)->busy) backend_abort(pool_backend_at(i), &err);
    }
}

static void follow(struct pool *p, const struct config *c) {
    char before[sizeof p->server.node];
    bool was_leaderless = p->is_leaderless;
    memcpy(before, p->server.node, sizeof before);
    if (!pool_reconfigure(p, c)) return;
    if (strcmp(before, p->server.node) != 0) {
        p->failed_us = 0;
        cut_leases(p, before);
    }
    if (was_leaderless != p->is_leaderless) pool_publish(p);
}

void pool_set_follow(struct pool_set *set, const struct config *c) {
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (p->is_elective) follow(p, c);
    }
}

void pool_suspect(const struct pool *p) {
    if (p->is_elective) topology_suspect(p->set->topology);
}

bool pool_awaits_primary(const struct pool *p) {
    return p->is_elective && (p->is_leaderless || (p->failed_us && p->ready == 0));
}

void pool_expire_for_primary(struct variant *v) {
    struct pool *p = v->pool;
    struct lessee *l;
    while ((l = pool_first_waiter(v)) && pool_awaits_primary(p)) {
        if (pool_now_us(p) - l->waiting_since_us < (uint64_t)p->limits.failover_wait_ms * 1000) return;
        struct err err = p->is_leaderless ? p->no_primary : p->failure;
        pool_refuse(l, &err);
    }
}
