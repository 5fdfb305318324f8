/*
 * Owns what is known; decides nothing.
 */
#include "proxy/topology/topology.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"

const char *node_role_name(enum node_role role) {
    switch (role) {
    case NODE_ROLE_UNKNOWN: return "unknown";
    case NODE_PRIMARY: return "primary";
    case NODE_REPLICA: return "replica";
    case NODE_STRAY: return "stray";
    case NODE_FOREIGN: return "foreign";
    case NODE_DUPLICATE: return "duplicate";
    case NODE_SUBSCRIBER: return "subscriber";
    }
    return "?";
}

const char *topology_address(char out[TOPOLOGY_ADDRESS_MAX], const char *host, uint16_t port) {
    snprintf(out, TOPOLOGY_ADDRESS_MAX, strchr(host, ':') ? "[%.250s]:%u" : "%.250s:%u", host, (unsigned)port);
    return out;
}

void topology_init(struct topology *t) {
    *t = (struct topology){.watcher = NULL};
    pthread_mutex_init(&t->lock, NULL);
    list_init(&t->clusters);
    list_init(&t->gauges);
}

static struct topology_cluster *cluster_at(struct list *n) {
    return CONTAINER_OF(n, struct topology_cluster, node);
}

void topology_cluster_free(struct topology_cluster *c) {
    if (c) mem_free(c->nodes);
    mem_free(c);
}

static struct topology_cluster *copy_of(const struct topology_cluster *c) {
    struct topology_cluster *copy = mem_alloc(sizeof *copy);
    if (!copy) return NULL;
    *copy = *c;
    list_init(&copy->node);
    copy->nodes = mem_alloc(c->node_count * sizeof copy->nodes[0]);
    if (copy->nodes) {
        memcpy(copy->nodes, c->nodes, c->node_count * sizeof copy->nodes[0]);
        return copy;
    }
    mem_free(copy);
    return NULL;
}

void topology_release(struct topology *t) {
    struct list *n;
    while ((n = list_take_first(&t->clusters))) topology_cluster_free(cluster_at(n));
    while ((n = list_take_first(&t->gauges))) mem_free(CONTAINER_OF(n, struct topology_gauge, node));
    pthread_mutex_destroy(&t->lock);
}

static struct topology_cluster *find(struct topology *t, const char *name) {
    LIST_EACH(n, &t->clusters)
        if (strcmp(cluster_at(n)->name, name) == 0) return cluster_at(n);
    return NULL;
}

struct topology_cluster *topology_read(struct topology *t, const char *cluster) {
    pthread_mutex_lock(&t->lock);
    const struct topology_cluster *c = find(t, cluster);
    struct topology_cluster *copy = c ? copy_of(c) : NULL;
    pthread_mutex_unlock(&t->lock);
    return copy;
}

bool topology_publish(struct topology *t, const struct topology_cluster *c, bool is_new_primary) {
    struct topology_cluster *copy = copy_of(c);
    if (!copy) return false;
    pthread_mutex_lock(&t->lock);
    struct topology_cluster *before = find(t, c->name);
    if (before) list_remove(&before->node);
    list_push_back(&t->clusters, &copy->node);
    if (is_new_primary) atomic_fetch_add_explicit(&t->version, 1, memory_order_release);
    pthread_mutex_unlock(&t->lock);
    topology_cluster_free(before);
    return true;
}

void topology_remove(struct topology *t, const char *cluster) {
    pthread_mutex_lock(&t->lock);
    struct topology_cluster *c = find(t, cluster);
    if (c) list_remove(&c->node);
    pthread_mutex_unlock(&t->lock);
    topology_cluster_free(c);
}

bool topology_primary(struct topology *t, const char *cluster, struct topology_place *primary, bool *is_contested,
                      struct err *why) {
    pthread_mutex_lock(&t->lock);
    const struct topology_cluster *c = find(t, cluster);
    bool is_known = c && c->primary >= 0;
    *is_contested = c && c->is_contested;
    if (is_known) memcpy(primary->name, c->nodes[c->primary].name, sizeof primary->name);
    if (is_known) memcpy(primary->address, c->nodes[c->primary].address, sizeof primary->address);
    else err_set(why, ERR_CANNOT_CONNECT_NOW, "cluster \"%.60s\" has no primary now", cluster);
    if (!is_known) err_detail(why, "%.250s.", c && c->reason[0] ? c->reason : "Its nodes were not probed yet");
    if (!is_known) err_hint(why, "SHOW NODES on the console tells what each node says of itself.");
    pthread_mutex_unlock(&t->lock);
    return is_known;
}

void topology_each_node(struct topology *t, const char *cluster, void (*each)(void *ctx, const struct topology_node *n),
                        void *ctx) {
    pthread_mutex_lock(&t->lock);
    const struct topology_cluster *c = find(t, cluster);
    for (uint32_t i = 0; c && i < c->node_count; i++) each(ctx, &c->nodes[i]);
    pthread_mutex_unlock(&t->lock);
}

void topology_suspect(struct topology *t) {
    void (*on_suspect)(struct topology *t) = atomic_load_explicit(&t->on_suspect, memory_order_acquire);
    if (on_suspect && !atomic_exchange_explicit(&t->has_suspects, true, memory_order_acq_rel)) on_suspect(t);
}

bool topology_doubt(struct topology *t, struct topology_gauge *g, uint64_t now_us) {
    uint64_t before_us = atomic_load_explicit(&g->doubted_us, memory_order_relaxed);
    if (before_us > atomic_load_explicit(&g->answered_us, memory_order_relaxed)) return false;
    bool is_first = atomic_compare_exchange_strong(&g->doubted_us, &before_us, now_us);
    topology_suspect(t);
    return is_first;
}

/* In between nobody knows: no reader takes a position for one of another history. */
void topology_set_place(struct topology_gauge *g, const struct log_place *at) {
    bool is_same = atomic_load_explicit(&g->system_id, memory_order_relaxed) == at->system_id &&
                   atomic_load_explicit(&g->timeline, memory_order_relaxed) == at->timeline;
    if (!is_same) {
        atomic_store_explicit(&g->replayed, 0, memory_order_release);
        atomic_store_explicit(&g->system_id, at->system_id, memory_order_release);
        atomic_store_explicit(&g->timeline, at->timeline, memory_order_release);
    }
    atomic_store_explicit(&g->replayed, at->lsn, memory_order_release);
}

static bool is_on(const struct topology_gauge *g, const struct log_place *p) {
    return atomic_load_explicit(&g->timeline, memory_order_acquire) == p->timeline &&
           atomic_load_explicit(&g->system_id, memory_order_acquire) == p->system_id;
}

/* The history is read in front of the position and behind it: it may change meanwhile, and never back. */
bool topology_has_place(const struct topology_gauge *g, const struct log_place *p) {
    return is_on(g, p) && atomic_load_explicit(&g->replayed, memory_order_acquire) >= p->lsn && is_on(g, p);
}

static struct topology_gauge *find_gauge(struct topology *t, const char *cluster, const char *node,
                                         const char *address) {
    LIST_EACH(n, &t->gauges) {
        struct topology_gauge *g = CONTAINER_OF(n, struct topology_gauge, node);
        if (strcmp(g->name, node) == 0 && strcmp(g->cluster, cluster) == 0 && strcmp(g->address, address) == 0) return g;
    }
    return NULL;
}

struct topology_gauge *topology_gauge(struct topology *t, const char *cluster, const char *node, const char *address) {
    pthread_mutex_lock(&t->lock);
    struct topology_gauge *g = find_gauge(t, cluster, node, address);
    if (!g) {
        g = mem_alloc(sizeof *g);
        if (g) {
            g->topology = t;
            g->id = ++t->last_gauge_id;
            snprintf(g->cluster, sizeof g->cluster, "%s", cluster);
            snprintf(g->name, sizeof g->name, "%s", node);
            snprintf(g->address, sizeof g->address, "%s", address);
            list_init(&g->node);
            list_push_back(&t->gauges, &g->node);
        }
    }
    if (g) g->refs++;
    pthread_mutex_unlock(&t->lock);
    return g;
}

void topology_gauge_unref(struct topology_gauge *g) {
    if (!g) return;
    struct topology *t = g->topology;
    pthread_mutex_lock(&t->lock);
    bool is_last = --g->refs == 0;
    if (is_last) list_remove(&g->node);
    pthread_mutex_unlock(&t->lock);
    if (is_last) mem_free(g);
}

void topology_want_freshness(struct topology *t, uint64_t now_us) {
    uint64_t before_us = atomic_load_explicit(&t->wanted_us, memory_order_relaxed);
    if (now_us < before_us + TOPOLOGY_WANTED_US) return;
    atomic_store_explicit(&t->wanted_us, now_us, memory_order_relaxed);
    void (*on_freshness)(struct topology *t) = atomic_load_explicit(&t->on_freshness, memory_order_acquire);
    if (on_freshness && !atomic_exchange_explicit(&t->wants_freshness, true, memory_order_acq_rel)) on_freshness(t);
}
