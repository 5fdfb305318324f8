/*
 * Standbys that the primary lists become nodes (`discover_standbys`), and go again when they are neither listed nor of use. What is
 * found goes through the same door as what is ordered at the console: it is a node when the next configuration has it, and is
 * probed and judged as any other before something is sent there.
 *
 * The list tells a standby's address and not its port.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "proxy/topology/monitor_impl.h"

enum { AGAIN_US = 10000000 /* what was told and has not come into force is told again */ };

static uint64_t now_us(const struct watched_cluster *c) {
    return c->monitor->loop->now_us;
}

/* The list is what a server says: of an address alone becomes a node's name. */
static bool is_address(const char *text) {
    uint8_t storage[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, storage) == 1 || inet_pton(AF_INET6, text, storage) == 1;
}

/* From the primary's own machine, where the primary is on another one, it says nothing. */
static bool is_of_use(const struct watched_node *primary, const struct standby_facts *s) {
    bool is_loopback = strncmp(s->address, "127.", 4) == 0 || strcmp(s->address, "::1") == 0;
    if (!is_address(s->address) || !s->has_replayed) return false;
    return !is_loopback || (primary->at && primary->at->is_known && addr_is_loopback(&primary->at->addr));
}

/* A server has one address here, and two on one machine are for the file to tell apart. */
static struct watched_node *node_at(const struct watched_cluster *c, const char *address) {
    char text[ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < c->count; i++) {
        struct watched_node *n = c->nodes[i];
        if (config_node_subscribes(n->config)) continue;
        if (strcmp(config_node_place(n->config), address) == 0) return n;
        if (n->at && n->at->is_known && strcmp(addr_host_text(&n->at->addr, text), address) == 0) return n;
    }
    return NULL;
}

static struct node_order order_of(const struct watched_cluster *c, enum node_verb verb, const char *name) {
    struct node_order o = {.verb = verb, .source = NODE_FROM_STANDBYS, .weight = 1};
    snprintf(o.cluster, sizeof o.cluster, "%s", c->picture.name);
    snprintf(o.name, sizeof o.name, "%s", name);
    return o;
}

static uint32_t find(const struct watched_cluster *c, const struct watched_node *primary, struct node_order *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < primary->told->facts.standby_count; i++) {
        const struct standby_facts *s = &primary->told->facts.standbys[i];
        struct watched_node *n = node_at(c, s->address);
        if (n) n->listed_us = now_us(c);
        if (n || !is_of_use(primary, s)) continue;
        struct node_order *o = &out[count++];
        *o = order_of(c, NODE_ADD, s->address);
        snprintf(o->host, sizeof o->host, "%s", s->address);
        o->port = c->config->discover_port ? (uint16_t)c->config->discover_port : primary->config->port;
    }
    return count;
}

/* A standby that works is of use, whoever lists it: it may stream from another standby, or the primary has just changed. */
static bool is_lost(const struct watched_node *n) {
    const struct watched_cluster *c = n->cluster;
    bool is_working = n->told->health == NODE_UP && n->told->role == NODE_REPLICA;
    if (n->config->source != NODE_FROM_STANDBYS || is_working) return false;
    return now_us(c) - n->listed_us > (uint64_t)c->config->discover_keep_ms * 1000;
}

static uint32_t lose(const struct watched_cluster *c, const struct watched_node *primary, struct node_order *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->nodes[i] != primary && is_lost(c->nodes[i])) out[count++] = order_of(c, NODE_REMOVE, c->nodes[i]->config->name);
    return count;
}

void monitor_discover(struct watched_node *n) {
    struct watched_cluster *c = n->cluster;
    struct node_order orders[FACTS_STANDBYS_MAX + CONFIG_NODES_MAX];
    bool is_primary = c->picture.primary >= 0 && n == c->nodes[c->picture.primary];
    if (!c->config->discover_standbys || !is_primary) return;
    uint32_t count = find(c, n, orders);
    count += lose(c, n, &orders[count]);
    if (!count || (c->ordered_us && now_us(c) - c->ordered_us < AGAIN_US)) return;
    c->ordered_us = now_us(c);
    c->monitor->on_orders(c->monitor, orders, count);
}
