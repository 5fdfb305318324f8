/*
 * Owns the probes and what follows from their answers. What follows is decided in health.c, elect.c and lag.c.
 */
#include "proxy/topology/monitor_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"

enum {
    FIRST_PROBES_MS = 100, /* between probes of a node that is not known yet, and of all while there is no primary */
    HURRIES_MS = 100,      /* not more often: whoever cannot connect tries again and again */
};

static struct watched_cluster *cluster_at(struct list *n) {
    return CONTAINER_OF(n, struct watched_cluster, node);
}

static uint64_t now_us(const struct watched_cluster *c) {
    return c->monitor->loop->now_us;
}

/* ---- who streams from whom ---- */

static bool is_called(const struct watched_node *n, const char *host) {
    char text[ADDR_TEXT_MAX];
    if (strcmp(host, config_node_place(n->config)) == 0) return true;
    if (!n->at || !n->at->is_known) return false;
    bool is_here = addr_is_loopback(&n->at->addr) && (host[0] == '/' || strcmp(host, "localhost") == 0);
    return is_here || strcmp(host, addr_host_text(&n->at->addr, text)) == 0;
}

static bool lists(const struct node_facts *upstream, const char *standby, const char **sync_state) {
    for (uint32_t i = 0; i < upstream->standby_count; i++) {
        if (strcmp(upstream->standbys[i].name, standby) != 0) continue;
        *sync_state = upstream->standbys[i].sync_state;
        return true;
    }
    return false;
}

static bool streams_from(const struct node_facts *upstream, const char *address) {
    for (uint32_t i = 0; i < upstream->standby_count; i++)
        if (strcmp(upstream->standbys[i].address, address) == 0) return true;
    return false;
}

/* The node that lists a standby of that name, or from that address: the only one. */
static int who_lists(const struct watched_cluster *c, const struct watched_node *n, bool by_address) {
    char text[ADDR_TEXT_MAX] = "";
    int found = ELECT_NOBODY;
    if (by_address && n->at && n->at->is_known) (void)addr_host_text(&n->at->addr, text);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct watched_node *other = c->nodes[i];
        const struct topology_node *t = other->told;
        const char *sync_state;
        char theirs[ADDR_TEXT_MAX];
        if (other == n || other->subscribes) continue; /* a subscriber's standbys are none of the cluster's */
        bool is_there_too = text[0] && other->at && other->at->is_known && strcmp(addr_host_text(&other->at->addr, theirs),
                                                                                  text) == 0;
        if (by_address && is_there_too) return ELECT_NOBODY;
        if (!t->has_facts || t->health != NODE_UP) continue;
        bool is_listed = by_address ? text[0] && streams_from(&t->facts, text) : n->told->facts.name[0] &&
                                                                                     lists(&t->facts, n->told->facts.name,
                                                                                           &sync_state);
        if (!is_listed) continue;
        if (found >= 0) return ELECT_NOBODY;
        found = (int)i;
    }
    return found;
}

/*
 * By the address that it streams from; where the nodes are called otherwise here than there, by the name that it has upstream, or
 * by its own address.
 */
static int upstream_of(const struct watched_cluster *c, const struct watched_node *n) {
    const struct node_facts *f = &n->told->facts;
    if (!n->told->has_facts || !f->upstream_host[0]) return ELECT_NOBODY;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct watched_node *other = c->nodes[i];
        bool may_be_it = other != n && !other->subscribes && other->config->port == f->upstream_port;
        if (may_be_it && is_called(other, f->upstream_host)) return (int)i;
    }
    int found = who_lists(c, n, false);
    return found >= 0 ? found : who_lists(c, n, true);
}

/* ---- the picture ---- */

static enum node_role role_of(const struct watched_cluster *c, int i, const struct elect_node *n) {
    if (!c->nodes[i]->told->has_facts) return NODE_ROLE_UNKNOWN;
    if (config_node_subscribes(c->nodes[i]->config)) return NODE_SUBSCRIBER;
    if (c->nodes[i]->is_duplicate) return NODE_DUPLICATE;
    if (c->election.system_id && n->system_id != c->election.system_id) return NODE_FOREIGN;
    if (i == c->election.primary) return NODE_PRIMARY;
    return n->is_in_recovery ? NODE_REPLICA : NODE_STRAY;
}

static void measure(struct watched_cluster *c, struct watched_node *n, int upstream) {
    struct topology_node *t = n->told;
    const char *sync_state = "";
    t->lag_ms = -1;
    t->lag_bytes = 0;
    if (t->role == NODE_SUBSCRIBER && t->health == NODE_UP && !monitor_feed_lag(n, &t->lag_ms, &t->lag_bytes)) t->lag_ms = -1;
    if (t->role == NODE_REPLICA && t->health == NODE_UP) {
        t->lag_ms = lag_ms(&c->history, t->facts.lsn, now_us(c));
        t->lag_bytes = lag_bytes(&c->history, t->facts.lsn);
    }
    if (t->role == NODE_REPLICA && upstream >= 0) (void)lists(&c->nodes[upstream]->told->facts, t->facts.name, &sync_state);
    snprintf(t->sync_state, sizeof t->sync_state, "%s", sync_state);
}

static void tell_change(struct watched_cluster *c) {
    struct topology_cluster *p = &c->picture;
    if (p->primary >= 0) log_line(LOG_INFO, "topology", p->name, "node %s is the primary: %s", p->nodes[p->primary].name,
                                  p->reason);
    else log_line(LOG_WARN, "topology", p->name, "there is no primary: %s", p->reason);
}

static bool is_same_server(const struct topology_node *a, const struct topology_node *b) {
    return a->facts.started_us && a->facts.started_us == b->facts.started_us && a->facts.system_id == b->facts.system_id;
}

/*
 * One server under two addresses counts once, or there would be two that can be written to. The first of them counts, unless the
 * other one is the primary that is known.
 */
static void find_duplicates(const struct watched_cluster *c, struct elect_node *nodes) {
    for (uint32_t i = 0; i < c->count; i++) c->nodes[i]->is_duplicate = false;
    for (uint32_t i = 0; i < c->count; i++) {
        for (uint32_t k = i + 1; k < c->count; k++) {
            bool are_up = nodes[i].is_up && nodes[k].is_up;
            if (!are_up || !is_same_server(c->nodes[i]->told, c->nodes[k]->told)) continue;
            uint32_t other = c->election.known == (int)k ? i : k;
            c->nodes[other]->is_duplicate = true;
            nodes[other].is_up = false;
            for (uint32_t m = 0; m < c->count; m++) /* who streams from the one streams from the other */
                if (nodes[m].upstream == (int)other) nodes[m].upstream = (int)(i + k - other);
        }
    }
}

static void look_at(const struct watched_cluster *c, struct elect_node *nodes) {
    for (uint32_t i = 0; i < c->count; i++) {
        const struct topology_node *t = c->nodes[i]->told;
        bool is_apart = config_node_subscribes(c->nodes[i]->config);
        nodes[i] = (struct elect_node){
            .name = t->name,
            .is_apart = is_apart,
            .was_probed = t->health != NODE_UNKNOWN,
            .is_up = t->health == NODE_UP && t->has_facts && !is_apart,
            .is_in_recovery = t->facts.is_in_recovery,
            .system_id = t->facts.system_id,
            .timeline = t->facts.timeline,
            .upstream = upstream_of(c, c->nodes[i]),
        };
    }
    find_duplicates(c, nodes);
}

/*
 * A cluster of one node is not decided about: whatever the node says of itself, clients were told to go there. When others join, it
 * is the primary until now.
 */
static bool decide(struct watched_cluster *c, const struct elect_node *nodes) {
    if (config_is_elective(c->config)) return elect_step(&c->election, nodes, (int)c->count);
    int was = c->election.primary;
    c->election.primary = 0;
    if (nodes[0].is_up) c->election.system_id = nodes[0].system_id;
    if (nodes[0].is_up && !nodes[0].is_in_recovery) {
        c->election.known = 0;
        c->election.timeline = nodes[0].timeline;
    }
    snprintf(c->election.reason, sizeof c->election.reason, "the cluster has one node");
    return was != 0;
}

/* After every answer. */
static void consider(struct watched_cluster *c) {
    struct elect_node nodes[ELECT_NODES_MAX];
    struct topology_cluster *p = &c->picture;
    look_at(c, nodes);
    bool is_other = decide(c, nodes);
    bool is_news = is_other || (c->election.primary < 0 && strcmp(p->reason, c->election.reason) != 0);
    p->primary = c->election.primary;
    snprintf(p->reason, sizeof p->reason, "%s", c->election.reason);
    if (is_other) {
        p->changes++;
        p->primary_since_us = now_us(c);
        lag_forget(&c->history);
        freshness_forget(&c->freshness);
        for (uint32_t i = 0; i < c->count; i++) monitor_feed_forget(c->nodes[i]);
    }
    p->is_contested = p->primary < 0 && c->election.is_contested;
    if (is_news) tell_change(c);
    if (p->primary >= 0 && nodes[p->primary].is_up)
        lag_note(&c->history, p->nodes[p->primary].facts_us, p->nodes[p->primary].facts.lsn);
    for (uint32_t i = 0; i < c->count; i++) c->nodes[i]->told->role = role_of(c, (int)i, &nodes[i]);
    for (uint32_t i = 0; i < c->count; i++) measure(c, c->nodes[i], nodes[i].upstream);
    for (uint32_t i = 0; i < c->count; i++) monitor_fresh_take(c->nodes[i]);
    monitor_fresh_tell(c);
    bool is_told = topology_publish(c->monitor->topology, p, is_news || c->owes_news);
    if (!is_told) log_line(LOG_ERROR, "topology", p->name, "out of memory");
    else if (is_news || c->owes_news) c->monitor->on_change(c->monitor);
    c->owes_news = !is_told && (is_news || c->owes_news);
}

/* ---- probes ---- */

static void tell_health(const struct watched_node *n, bool is_reached) {
    const struct topology_node *t = n->told;
    const char *cluster = n->cluster->picture.name;
    if (n->health.state == NODE_DOWN) log_line(LOG_WARN, "topology", cluster, "node %s is down: %s", t->name, t->trouble);
    else if (!is_reached) log_line(LOG_WARN, "topology", cluster, "node %s is up, but does not answer: %s", t->name, t->trouble);
    else log_line(LOG_INFO, "topology", cluster, "node %s is up: %s, timeline %u, PostgreSQL %u.%u", t->name,
                  t->facts.is_in_recovery ? "a standby" : "it can be written to", t->facts.timeline, t->facts.version / 10000,
                  t->facts.version % 10000);
}

/* What was known of a node does not change because it has not been asked. */
static void take_facts(struct topology_node *t, const struct probe_pg *p) {
    t->facts = p->facts;
    t->facts_us = p->asked_us;
    t->has_facts = true;
    t->trouble[0] = '\0';
}

static void take_trouble(struct watched_node *n, const struct probe_pg *p) {
    struct topology_node *t = n->told;
    bool is_news = strcmp(t->trouble, p->err.message) != 0;
    t->failures++;
    snprintf(t->trouble, sizeof t->trouble, "%s", p->err.message);
    if (is_news && p->result == PROBE_REFUSED)
        log_line(LOG_WARN, "topology", n->cluster->picture.name, "node %s does not let the monitor look: %s", t->name, t->trouble);
}

/*
 * A server that lives but refuses the monitor (its password was changed, say) is as it was: a mistake of that kind must not take
 * the primary away. One that was never seen is none to rely on.
 */
static void take_result(struct watched_node *n, const struct probe_pg *p) {
    const struct config_cluster *c = n->cluster->config;
    struct topology_node *t = n->told;
    bool is_answered = p->result == PROBE_ANSWERED;
    bool is_hurried = n->health.state == NODE_UP && now_us(n->cluster) - n->failed_us < (uint64_t)c->probe_interval_ms * 500;
    t->probes++;
    if (is_answered) take_facts(t, p);
    else take_trouble(n, p);
    if (p->result == PROBE_REFUSED && n->health.state == NODE_UP) return;
    if (!is_answered && is_hurried) return; /* it is the same failure: probes in a hurry make no node go down sooner */
    if (!is_answered) n->failed_us = now_us(n->cluster);
    if (!health_note(&n->health, is_answered, c->probe_rise, c->probe_fall)) return;
    t->health = n->health.state;
    t->health_since_us = now_us(n->cluster);
    tell_health(n, is_answered);
}

static void on_done(struct probe_pg *p) {
    struct watched_node *n = CONTAINER_OF(p, struct watched_node, probe);
    uint32_t interval_ms = n->cluster->config->probe_interval_ms;
    monitor_heard(n, p->result);
    take_result(n, p);
    consider(n->cluster);
    if (p->result == PROBE_ANSWERED) monitor_discover(n);
    monitor_feed_ask(n);
    bool is_urgent = n->health.state == NODE_UNKNOWN || (n->health.state == NODE_UP && n->cluster->election.primary < 0);
    timer_set(&n->next, is_urgent && interval_ms > FIRST_PROBES_MS ? FIRST_PROBES_MS : interval_ms);
}

static void probe(struct watched_node *n) {
    if (n->probe.is_under_way) return;
    if (n->at && n->at->is_known) {
        probe_pg_start(&n->probe, n->cluster->config, n->config, &n->at->addr);
        return;
    }
    n->probe.result = PROBE_FAILED;
    if (n->at) n->probe.err = n->at->err;
    else err_set(&n->probe.err, ERR_OUT_OF_MEMORY, "out of memory");
    on_done(&n->probe);
}

static void on_next(struct timer *t) {
    probe(CONTAINER_OF(t, struct watched_node, next));
}

void monitor_hurry(struct monitor *m) {
    if (m->loop->now_us - m->hurried_us < HURRIES_MS * 1000) return;
    m->hurried_us = m->loop->now_us;
    LIST_EACH(n, &m->clusters) {
        struct watched_cluster *c = cluster_at(n);
        for (uint32_t i = 0; i < c->count; i++) timer_set(&c->nodes[i]->next, 0);
    }
}

/* ---- the configuration ---- */

static bool is_watched(const struct config_cluster *c) {
    return c->monitor_user != NULL;
}

bool monitor_is_needed(const struct config *c) {
    LIST_EACH(n, &c->clusters)
        if (is_watched(CONTAINER_OF(n, struct config_cluster, node))) return true;
    return false;
}

static void free_node(struct watched_node *n) {
    topology_gauge_unref(n->gauge);
    monitor_feed_release(n);
    if (n->has_timers) {
        probe_pg_release(&n->probe);
        monitor_fresh_release(n);
        timer_release(&n->next);
    }
    mem_free(n);
}

static void free_cluster(struct watched_cluster *c) {
    for (uint32_t i = 0; i < c->count; i++)
        if (c->nodes[i]) free_node(c->nodes[i]);
    list_remove(&c->node);
    mem_free(c->nodes);
    mem_free(c->picture.nodes);
    mem_free(c);
}

static struct watched_node *new_node(struct watched_cluster *c) {
    struct watched_node *n = mem_alloc(sizeof *n);
    if (!n) return NULL;
    n->cluster = c;
    bool has_probe = probe_pg_init(&n->probe, PROBE_FACTS, c->monitor->loop, on_done);
    bool has_glance = has_probe && monitor_fresh_init(n);
    n->has_timers = has_glance && timer_init(&n->next, c->monitor->loop, on_next);
    if (n->has_timers) return n;
    if (has_glance) monitor_fresh_release(n);
    if (has_probe) probe_pg_release(&n->probe);
    mem_free(n);
    return NULL;
}

/* The node of that name, if it is still in the same place. */
static int find_same(const struct watched_cluster *c, const struct config_node *node) {
    char address[TOPOLOGY_ADDRESS_MAX];
    (void)topology_address(address, config_node_place(node), node->port);
    for (uint32_t i = 0; c && i < c->count; i++) {
        if (!c->nodes[i]) continue; /* it has been found */
        const struct topology_node *t = c->nodes[i]->told;
        bool is_same = strcmp(t->name, node->name) == 0 && strcmp(t->address, address) == 0;
        if (is_same && c->nodes[i]->subscribes == config_node_subscribes(node)) return (int)i;
    }
    return ELECT_NOBODY;
}

/* As it is, with what is under way: the file behind both configurations is the same. */
static void take_over(struct watched_cluster *c, struct watched_node *n, const struct config_node *node,
                      const struct addr_book *book) {
    struct topology_node *t = &c->picture.nodes[c->count];
    n->cluster = c;
    n->config = node;
    n->at = addr_book_find(book, node);
    const struct addr *addr = n->at && n->at->is_known ? &n->at->addr : NULL;
    probe_pg_follow(&n->probe, c->config, node, addr);
    probe_pg_follow(&n->glance, c->config, node, addr);
    *t = *n->told;
    n->told = t;
    c->nodes[c->count++] = n;
}

/* From the old cluster's node, if there was one. False: memory is out. */
static bool add_node(struct watched_cluster *c, struct watched_cluster *old, int was, const struct config_node *node,
                     const struct addr_book *book) {
    if (was >= 0 && c->monitor->is_same_file && !old->nodes[was]->subscribes) {
        take_over(c, old->nodes[was], node, book);
        old->nodes[was] = NULL;
        return true;
    }
    struct watched_node *n = new_node(c);
    struct topology_node *t = &c->picture.nodes[c->count];
    if (!n) return false;
    n->config = node;
    n->subscribes = config_node_subscribes(node);
    n->at = addr_book_find(book, node);
    n->told = t;
    uint64_t copy_id = n->subscribes ? config_copy_id(node) : 0;
    if (n->subscribes && !monitor_feed_init(n)) {
        free_node(n);
        return false;
    }
    if (was >= 0) {
        *t = *old->nodes[was]->told;
        n->health = old->nodes[was]->health;
        n->gauge = old->nodes[was]->gauge;
        old->nodes[was]->gauge = NULL;
        n->listed_us = old->nodes[was]->listed_us;
        t->is_copy = false; /* of these tables? */
        monitor_feed_inherit(n, old->nodes[was]);
    } else {
        *t = (struct topology_node){.lag_ms = -1, .health_since_us = now_us(c)};
        n->listed_us = now_us(c);
        snprintf(t->name, sizeof t->name, "%s", node->name);
        (void)topology_address(t->address, config_node_place(node), node->port);
    }
    t->copy_id = copy_id;
    c->nodes[c->count++] = n;
    return true;
}

static uint32_t count_nodes(const struct config_cluster *cluster) {
    uint32_t count = 0;
    LIST_EACH(n, &cluster->nodes) count++;
    return count;
}

static bool add_nodes(struct watched_cluster *c, struct watched_cluster *old, const struct addr_book *book) {
    int was[ELECT_NODES_MAX];
    uint32_t count = count_nodes(c->config);
    c->nodes = mem_alloc(count * sizeof c->nodes[0]);
    c->picture.nodes = mem_alloc(count * sizeof c->picture.nodes[0]);
    if (!c->nodes || !c->picture.nodes) return false;
    LIST_EACH(n, &c->config->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        was[c->count] = find_same(old, node);
        if (!add_node(c, old, was[c->count], node, book)) return false;
    }
    c->picture.node_count = count;
    elect_renumber(&c->election, was, (int)count);
    return true;
}

/* What is known of the cluster of that name, `old`, goes over to it. */
static struct watched_cluster *new_cluster(struct monitor *m, const struct config_cluster *config, struct watched_cluster *old,
                                           const struct addr_book *book) {
    struct watched_cluster *c = mem_alloc(sizeof *c);
    if (!c) return NULL;
    c->monitor = m;
    c->config = config;
    list_init(&c->node);
    election_init(&c->election);
    if (old) {
        c->election = old->election;
        c->history = old->history;
        c->freshness = old->freshness;
        c->picture = old->picture;
    }
    c->picture.nodes = NULL;
    c->picture.node_count = 0;
    snprintf(c->picture.name, sizeof c->picture.name, "%s", config->name);
    if (!old) c->picture.primary = ELECT_NOBODY;
    if (!old) c->picture.primary_since_us = m->loop->now_us;
    if (add_nodes(c, old, book)) return c;
    free_cluster(c);
    return NULL;
}

static struct watched_cluster *find_cluster(struct list *clusters, const char *name) {
    LIST_EACH(n, clusters)
        if (strcmp(cluster_at(n)->picture.name, name) == 0) return cluster_at(n);
    return NULL;
}

static void adopt_cluster(struct monitor *m, const struct config_cluster *config, struct list *old, const struct addr_book *book) {
    struct watched_cluster *before = find_cluster(old, config->name);
    struct watched_cluster *c = new_cluster(m, config, before, book);
    if (before) free_cluster(before);
    if (!c) {
        log_line(LOG_ERROR, "topology", config->name, "out of memory: the nodes are not watched");
        topology_remove(m->topology, config->name);
        return;
    }
    list_push_back(&m->clusters, &c->node);
    consider(c);
    for (uint32_t i = 0; i < c->count; i++) timer_set(&c->nodes[i]->next, 0);
}

void monitor_init(struct monitor *m, struct loop *loop, struct topology *t, void (*on_change)(struct monitor *m),
                  void (*on_orders)(struct monitor *m, const struct node_order *orders, uint32_t count)) {
    *m = (struct monitor){.loop = loop, .topology = t, .on_change = on_change, .on_orders = on_orders};
    uint64_t number = 0;
    if (!clock_random(loop->clock, &number, sizeof number)) number = loop->now_us;
    snprintf(m->key, sizeof m->key, "%" PRIu64, number >> 1);
    list_init(&m->clusters);
    list_init(&m->names);
}

struct watched_cluster *monitor_find(struct monitor *m, const char *cluster) {
    return find_cluster(&m->clusters, cluster);
}

void monitor_adopt(struct monitor *m, const struct config *c, const struct addr_book *book) {
    struct list old, *n;
    list_init(&old);
    m->is_same_file = m->file == config_root(c);
    m->file = config_root(c);
    while ((n = list_take_first(&m->clusters))) list_push_back(&old, n);
    LIST_EACH(k, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(k, struct config_cluster, node);
        if (is_watched(cluster)) adopt_cluster(m, cluster, &old, book);
    }
    while ((n = list_first(&old))) {
        topology_remove(m->topology, cluster_at(n)->picture.name);
        free_cluster(cluster_at(n));
    }
    monitor_names_adopt(m, c);
}

void monitor_release(struct monitor *m) {
    struct list *n;
    monitor_names_release(m);
    while ((n = list_first(&m->clusters))) free_cluster(cluster_at(n));
    monitor_fresh_end(m);
}
