/*
 * Names that stand for several nodes (`discover_addresses`): each is looked up again when its answer's time is over, and each of
 * its addresses is a node, NAME@ADDRESS. What comes and goes is told in the same way as standbys (monitor_discover.c).
 *
 * A look-up that fails changes nothing, nor does an answer without addresses: what was known last holds on. An address that is
 * missing from answers stays for discover_keep: some name servers give a part of a long list each time.
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/topology/resolver.h"
#include "proxy/topology/monitor_impl.h"

enum {
    SOONEST_MS = 1000,    /* whatever the answer says */
    LATEST_MS = 300000,
    AFTER_FAILURES_MS = 32000, /* twice as long after each */
};

struct found_address {
    char text[RESOLVER_TEXT_MAX];
    uint64_t seen_us; /* in an answer */
};

/* By its cluster, name, host and port the same over configurations. */
struct watched_name {
    struct list node; /* in monitor.names */
    struct monitor *monitor;
    char cluster[CONFIG_NODE_NAME_SIZE], name[CONFIG_NODE_NAME_SIZE], host[CONFIG_NODE_HOST_SIZE];
    uint16_t port;
    uint32_t keep_ms;
    bool is_wanted; /* by the configuration that is being looked at */
    uint32_t failures; /* in a row */
    struct resolver resolver;
    struct timer next;
    uint32_t count;
    struct found_address found[RESOLVER_ADDRESSES_MAX];
};

static struct watched_name *name_at(struct list *n) {
    return CONTAINER_OF(n, struct watched_name, node);
}

/* ---- what follows from an answer ---- */

static void note(struct watched_name *w, const char address[RESOLVER_TEXT_MAX], uint64_t now_us) {
    uint32_t i = 0;
    while (i < w->count && strcmp(w->found[i].text, address) != 0) i++;
    if (i == RESOLVER_ADDRESSES_MAX) return;
    if (i == w->count) w->count++;
    memcpy(w->found[i].text, address, RESOLVER_TEXT_MAX);
    w->found[i].seen_us = now_us;
}

static void forget_missing(struct watched_name *w, uint64_t now_us) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->count; i++)
        if (now_us - w->found[i].seen_us <= (uint64_t)w->keep_ms * 1000) w->found[kept++] = w->found[i];
    w->count = kept;
}

static bool is_found(const struct watched_name *w, const char *address) {
    for (uint32_t i = 0; i < w->count; i++)
        if (strcmp(w->found[i].text, address) == 0) return true;
    return false;
}

static struct node_order order_of(const struct watched_name *w, enum node_verb verb, const char *address) {
    struct node_order o = {.verb = verb, .source = NODE_FROM_DNS, .port = w->port};
    snprintf(o.cluster, sizeof o.cluster, "%s", w->cluster);
    snprintf(o.of, sizeof o.of, "%s", w->name);
    snprintf(o.host, sizeof o.host, "%s", address);
    snprintf(o.name, sizeof o.name, "%.*s@%s", (int)CONFIG_FOUND_NAME_MAX, w->name, address);
    return o;
}

/* One of its nodes in force. */
static bool is_its(const struct watched_name *w, const struct config_node *n) {
    size_t len = strlen(w->name);
    return n->source == NODE_FROM_DNS && strncmp(n->name, w->name, len) == 0 && n->name[len] == '@';
}

/* Is one of the cluster's, by whatever name. */
static bool is_known(const struct watched_cluster *c, const char *address, uint16_t port) {
    char text[ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < c->count; i++) {
        const struct watched_node *n = c->nodes[i];
        bool is_there = n->at && n->at->is_known && strcmp(addr_host_text(&n->at->addr, text), address) == 0;
        if (is_there && n->config->port == port) return true;
    }
    return false;
}

static uint32_t compare(const struct watched_name *w, const struct watched_cluster *c, struct node_order *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->count; i++)
        if (!is_known(c, w->found[i].text, w->port)) out[count++] = order_of(w, NODE_ADD, w->found[i].text);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct config_node *n = c->nodes[i]->config;
        bool is_primary = (int)i == c->election.known; /* the last one, at least: whoever comes after it is measured by it */
        if (is_its(w, n) && !is_found(w, n->address) && !is_primary) out[count++] = order_of(w, NODE_REMOVE, n->address);
    }
    return count;
}

static void tell(const struct watched_name *w) {
    struct node_order orders[RESOLVER_ADDRESSES_MAX + CONFIG_NODES_MAX];
    struct watched_cluster *c = monitor_find(w->monitor, w->cluster);
    uint32_t count = c ? compare(w, c, orders) : 0;
    if (count) w->monitor->on_orders(w->monitor, orders, count);
}

/* ---- looking up ---- */

static uint64_t next_ms(const struct watched_name *w) {
    uint64_t ttl_ms = (uint64_t)w->resolver.ttl_s * 1000;
    if (!w->resolver.has_answer) return w->failures < 6 ? (uint64_t)SOONEST_MS << (w->failures - 1) : AFTER_FAILURES_MS;
    return ttl_ms < SOONEST_MS ? SOONEST_MS : ttl_ms > LATEST_MS ? LATEST_MS : ttl_ms;
}

static void on_done(struct resolver *r) {
    struct watched_name *w = CONTAINER_OF(r, struct watched_name, resolver);
    uint64_t now_us = w->monitor->loop->now_us;
    w->failures = r->has_answer ? 0 : w->failures + 1;
    timer_set(&w->next, next_ms(w));
    if (!r->has_answer) {
        if (w->failures == 1)
            log_line(LOG_WARN, "topology", w->cluster, "%s cannot be looked up: %s; %s", w->host, r->err.message,
                     w->count ? "its nodes stay" : "it has no nodes yet");
        return;
    }
    for (uint32_t i = 0; i < r->count; i++) note(w, r->addresses[i], now_us);
    forget_missing(w, now_us);
    tell(w);
}

static void on_next(struct timer *t) {
    struct watched_name *w = CONTAINER_OF(t, struct watched_name, next);
    if (!w->resolver.channel) resolver_start(&w->resolver, w->host, w->monitor->dns_servers);
}

/* ---- the configuration ---- */

static void free_name(struct watched_name *w) {
    list_remove(&w->node);
    timer_release(&w->next);
    resolver_release(&w->resolver);
    mem_free(w);
}

static struct watched_name *new_name(struct monitor *m, const char *cluster, const struct config_node *n) {
    struct watched_name *w = mem_alloc(sizeof *w);
    if (!w) return NULL;
    w->monitor = m;
    list_init(&w->node);
    snprintf(w->cluster, sizeof w->cluster, "%s", cluster);
    snprintf(w->name, sizeof w->name, "%s", n->name);
    snprintf(w->host, sizeof w->host, "%s", n->host);
    w->port = n->port;
    bool has_resolver = resolver_init(&w->resolver, m->loop, on_done);
    if (has_resolver && timer_init(&w->next, m->loop, on_next)) {
        list_push_back(&m->names, &w->node);
        timer_set(&w->next, 0);
        return w;
    }
    if (has_resolver) resolver_release(&w->resolver);
    mem_free(w);
    return NULL;
}

static struct watched_name *find_name(struct monitor *m, const char *cluster, const struct config_node *n) {
    LIST_EACH(i, &m->names) {
        struct watched_name *w = name_at(i);
        bool is_of_it = strcmp(w->name, n->name) == 0 && strcmp(w->cluster, cluster) == 0;
        if (is_of_it && w->port == n->port && strcmp(w->host, n->host) == 0) return w;
    }
    return NULL;
}

static void want(struct monitor *m, const struct config_cluster *cluster, const struct config_node *n) {
    struct watched_name *w = find_name(m, cluster->name, n);
    if (!w) w = new_name(m, cluster->name, n);
    if (!w) {
        log_line(LOG_ERROR, "topology", cluster->name, "out of memory: %s is not looked up", n->host);
        return;
    }
    w->is_wanted = true;
    w->keep_ms = cluster->discover_keep_ms;
}

/* In the file's: where its addresses are known the node itself is not in the configuration. */
void monitor_names_adopt(struct monitor *m, const struct config *c) {
    const struct config *file = config_root(c);
    m->dns_servers = c->dns_servers;
    LIST_EACH(n, &m->names) name_at(n)->is_wanted = false;
    LIST_EACH(n, &file->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        LIST_EACH(i, &cluster->nodes) {
            const struct config_node *node = CONTAINER_OF(i, struct config_node, node);
            if (node->discover_addresses) want(m, cluster, node);
        }
    }
    LIST_EACH(n, &m->names)
        if (!name_at(n)->is_wanted) free_name(name_at(n));
}

void monitor_names_release(struct monitor *m) {
    LIST_EACH(n, &m->names) free_name(name_at(n));
}
