/*
 * Up to when each standby has everything (freshness.h), for the gauges that workers read. Known from every probe; while somebody
 * wants to know it better, the nodes are asked for their positions alone, many times a second, over connections of their own: what
 * they answer, or do not, says nothing about their health.
 */
#include "base/log.h"
#include "proxy/topology/monitor_impl.h"

enum {
    GLANCES_MS = 5,    /* between two looks at a node's position */
    WANTED_MS = 100,   /* for so long after somebody has wanted to know */
};

/* ---- telling --------------------------------------------------------------------------------------------------------- */

static const struct topology_node *primary_of(const struct watched_cluster *c) {
    return c->picture.primary < 0 ? NULL : &c->picture.nodes[c->picture.primary];
}

/* A standby on the same history as its primary: to that its position means something. */
static bool follows(const struct watched_cluster *c, const struct watched_node *n) {
    const struct topology_node *t = n->told, *primary = primary_of(c);
    return primary && t->health == NODE_UP && t->role == NODE_REPLICA && t->facts.timeline == primary->facts.timeline;
}

static uint64_t fresh_us(const struct watched_cluster *c, const struct watched_node *n) {
    const struct topology_node *t = n->told;
    if (primary_of(c) && t->health == NODE_UP && t->role == NODE_SUBSCRIBER) return monitor_feed_fresh_us(n);
    return follows(c, n) ? freshness_at(&c->freshness, n->replayed) : 0;
}

/* For who was told a place by somebody else, and not a time. */
static void tell_place(const struct watched_cluster *c, const struct watched_node *n) {
    const struct node_facts *f = &n->told->facts;
    topology_set_place(n->gauge, &(struct log_place){f->system_id, follows(c, n) ? n->replayed : 0, f->timeline});
}

void monitor_fresh_tell(struct watched_cluster *c) {
    for (uint32_t i = 0; i < c->count; i++) {
        struct watched_node *n = c->nodes[i];
        if (!n->gauge) n->gauge = topology_gauge(c->monitor->topology, c->picture.name, n->told->name, n->told->address);
        if (!n->gauge) continue;
        atomic_store_explicit(&n->gauge->fresh_us, fresh_us(c, n), memory_order_release);
        tell_place(c, n);
        atomic_store_explicit(&n->gauge->told_us, n->subscribes ? monitor_feed_told_us(n) : n->replayed_us, memory_order_release);
    }
}

void monitor_heard(struct watched_node *n, enum probe_result result) {
    if (result == PROBE_FAILED || !n->gauge) return;
    atomic_store_explicit(&n->gauge->answered_us, n->cluster->monitor->loop->now_us, memory_order_relaxed);
}

static bool is_primary(const struct watched_node *n) {
    return n->told == primary_of(n->cluster);
}

void monitor_fresh_take(struct watched_node *n) {
    const struct topology_node *t = n->told;
    if (!t->has_facts || t->health != NODE_UP || n->subscribes) return;
    if (is_primary(n) && !t->facts.is_in_recovery) freshness_note(&n->cluster->freshness, t->facts_us, t->facts.inserted);
    else if (t->facts_us > n->replayed_us) n->replayed = t->facts.lsn;
    n->replayed_us = t->facts_us > n->replayed_us ? t->facts_us : n->replayed_us;
}

/* ---- asking ---------------------------------------------------------------------------------------------------------- */

static void on_glance(struct probe_pg *p) {
    struct watched_node *n = CONTAINER_OF(p, struct watched_node, glance);
    monitor_heard(n, p->result);
    n->glance_failed_us = p->result == PROBE_ANSWERED ? 0 : n->cluster->monitor->loop->now_us;
    if (p->result != PROBE_ANSWERED) return;
    if (is_primary(n) && !p->position.is_in_recovery) freshness_note(&n->cluster->freshness, p->asked_us, p->position.lsn);
    if (!is_primary(n) && p->position.is_in_recovery && p->asked_us > n->replayed_us) {
        n->replayed = p->position.lsn;
        n->replayed_us = p->asked_us;
    }
    monitor_fresh_tell(n->cluster);
}

bool monitor_fresh_init(struct watched_node *n) {
    return probe_pg_init(&n->glance, PROBE_POSITION, n->cluster->monitor->loop, on_glance);
}

void monitor_fresh_release(struct watched_node *n) {
    probe_pg_release(&n->glance);
}

static void look_at(struct watched_node *n) {
    if (n->subscribes) monitor_feed_look(n);
    uint64_t pause_us = (uint64_t)n->cluster->config->probe_interval_ms * 1000;
    bool is_of_use = n->told->health == NODE_UP && (is_primary(n) || n->told->role == NODE_REPLICA);
    if (n->glance_failed_us && n->cluster->monitor->loop->now_us - n->glance_failed_us < pause_us) return;
    if (is_of_use && !n->glance.is_under_way && n->at && n->at->is_known)
        probe_pg_start(&n->glance, n->cluster->config, n->config, &n->at->addr);
}

static void on_look(struct timer *t) {
    struct monitor *m = CONTAINER_OF(t, struct monitor, look);
    LIST_EACH(k, &m->clusters) {
        struct watched_cluster *c = CONTAINER_OF(k, struct watched_cluster, node);
        for (uint32_t i = 0; c->count > 1 && i < c->count; i++) look_at(c->nodes[i]);
    }
    m->is_looking = m->loop->now_us < m->wanted_us + WANTED_MS * 1000;
    if (m->is_looking) timer_set(&m->look, GLANCES_MS);
}

void monitor_freshen(struct monitor *m) {
    m->wanted_us = m->loop->now_us;
    if (!m->has_look) m->has_look = timer_init(&m->look, m->loop, on_look);
    if (m->has_look && !m->is_looking) on_look(&m->look);
}

void monitor_fresh_end(struct monitor *m) {
    if (m->has_look) timer_release(&m->look);
}
