/*
 * SHOW NODES, SHOW CLUSTERS: the servers as the monitor sees them, and whom clients are sent to, with the reason.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proxy/admin/console.h"

enum { TEXT_MAX = 320 };

static uint64_t seconds_since(const struct console_call *call, uint64_t since_us) {
    return since_us && call->worker->loop->now_us > since_us ? console_age_us(call, since_us) / 1000000 : 0;
}

/* As the server writes it; NULL where it is not known. */
static const char *lsn_text(uint64_t lsn, char out[TEXT_MAX]) {
    if (!lsn) return NULL;
    snprintf(out, TEXT_MAX, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return out;
}

static void row_fact(struct row *r, bool is_known, uint64_t number) {
    if (is_known) row_number(r, number);
    else row_text(r, NULL);
}

static const char *version_text(uint32_t version, char out[TEXT_MAX]) {
    snprintf(out, TEXT_MAX, "%u.%u", version / 10000, version % 10000);
    return out;
}

static const char *upstream_text(const struct node_facts *f, char out[TEXT_MAX]) {
    if (!f->upstream_host[0]) return NULL;
    snprintf(out, TEXT_MAX, strchr(f->upstream_host, ':') ? "[%s]:%u" : "%s:%u", f->upstream_host, f->upstream_port);
    return out;
}

static const char *number_text(uint64_t number, char out[TEXT_MAX]) {
    snprintf(out, TEXT_MAX, "%" PRIu64, number);
    return out;
}

#define NODE_COLUMNS                                                                                                     \
    "cluster node address role health #health_seconds #timeline lsn received_lsn #lag_bytes #lag_ms #replay_age_ms "     \
    "replay_paused sync_state upstream version read_only system_identifier #probes #failures trouble source drained"

static void put_facts(struct row *r, const struct topology_node *n) {
    const struct node_facts *f = &n->facts;
    bool is_replica = n->role == NODE_REPLICA || n->role == NODE_SUBSCRIBER;
    char text[TEXT_MAX];
    row_fact(r, n->has_facts, f->timeline);
    row_text(r, lsn_text(f->lsn, text));
    row_text(r, lsn_text(f->received, text));
    row_fact(r, is_replica && n->lag_ms >= 0, n->lag_bytes);
    row_fact(r, is_replica && n->lag_ms >= 0, (uint64_t)n->lag_ms);
    row_fact(r, f->is_in_recovery && f->replay_age_ms >= 0, (uint64_t)f->replay_age_ms);
    row_text(r, f->is_in_recovery ? (f->is_paused ? "yes" : "no") : NULL);
    row_text(r, n->sync_state[0] ? n->sync_state : NULL);
    row_text(r, upstream_text(f, text));
    row_text(r, n->has_facts ? version_text(f->version, text) : NULL);
    row_text(r, n->has_facts ? (f->is_read_only ? "yes" : "no") : NULL);
    row_text(r, n->has_facts ? number_text(f->system_id, text) : NULL);
}

/* Of the monitor; else of the workers, who are sooner. NULL: nothing is wrong. */
static const char *trouble_of(struct console_call *call, const struct config_cluster *cluster, const struct topology_node *n) {
    struct topology_gauge *g = topology_gauge(&call->control->hub.topology, cluster->name, n->name, n->address);
    bool is_doubted = g && topology_is_doubted(g);
    topology_gauge_unref(g);
    if (n->trouble[0] || n->feed_trouble[0]) return n->trouble[0] ? n->trouble : n->feed_trouble;
    return is_doubted ? "owes answers, and says nothing: no new reads" : NULL;
}

static void put_node(struct console_call *call, const struct config_cluster *cluster, const struct config_node *node,
                     const struct topology_node *n, bool is_watched) {
    struct row r = console_row(call);
    row_text(&r, cluster->name);
    row_text(&r, n->name);
    row_text(&r, n->address);
    row_text(&r, is_watched ? node_role_name(n->role) : NULL);
    row_text(&r, is_watched ? node_health_name(n->health) : "unwatched");
    row_fact(&r, is_watched, seconds_since(call, n->health_since_us));
    put_facts(&r, n);
    row_fact(&r, is_watched, n->probes);
    row_fact(&r, is_watched, n->failures);
    row_text(&r, is_watched ? trouble_of(call, cluster, n) : NULL);
    row_text(&r, node_source_name(node->source));
    row_text(&r, node->is_drained ? "yes" : "no");
    row_end(&r);
}

/* Of the configuration alone. */
static struct topology_node blank(const struct config_node *node, uint64_t now_us) {
    struct topology_node t = {.lag_ms = -1, .health_since_us = now_us};
    snprintf(t.name, sizeof t.name, "%s", node->name);
    topology_address(t.address, config_node_place(node), node->port);
    return t;
}

/* As the monitor has it; it may not know yet which nodes have just come. */
static struct topology_node find_watched(const struct topology_cluster *c, const struct config_node *node, uint64_t now_us) {
    struct topology_node t = blank(node, now_us);
    for (uint32_t i = 0; i < c->node_count; i++)
        if (strcmp(c->nodes[i].name, t.name) == 0 && strcmp(c->nodes[i].address, t.address) == 0) return c->nodes[i];
    return t;
}

static void end_nodes(struct console_call *call) {
    uint64_t now_us = call->worker->loop->now_us;
    LIST_EACH(n, &console_config(call)->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        struct topology_cluster *c = topology_read(&call->control->hub.topology, cluster->name);
        LIST_EACH(i, &cluster->nodes) {
            const struct config_node *node = CONTAINER_OF(i, struct config_node, node);
            const struct topology_node t = c ? find_watched(c, node, now_us) : blank(node, now_us);
            put_node(call, cluster, node, &t, c != NULL);
        }
        topology_cluster_free(c);
    }
}

static uint32_t count_up(const struct topology_cluster *c) {
    uint32_t up = 0;
    for (uint32_t i = 0; i < c->node_count; i++) up += c->nodes[i].health == NODE_UP;
    return up;
}

static void put_cluster(struct console_call *call, const struct config_cluster *cluster, const struct topology_cluster *c) {
    const struct topology_node *primary = c && c->primary >= 0 ? &c->nodes[c->primary] : NULL;
    char text[TEXT_MAX];
    struct row r = console_row(call);
    row_text(&r, cluster->name);
    if (c) row_text(&r, primary ? primary->name : NULL);
    else row_text(&r, config_first_node(cluster)->name);
    row_fact(&r, c != NULL, c ? seconds_since(call, c->primary_since_us) : 0);
    row_fact(&r, c != NULL, c ? c->changes : 0);
    row_fact(&r, primary && primary->has_facts, primary ? primary->facts.timeline : 0);
    row_text(&r, primary && primary->has_facts ? number_text(primary->facts.system_id, text) : NULL);
    row_number(&r, c ? c->node_count : 1);
    row_fact(&r, c != NULL, c ? count_up(c) : 0);
    row_text(&r, c ? c->reason : "the cluster has one node, which nobody watches");
    row_end(&r);
}

static void end_clusters(struct console_call *call) {
    LIST_EACH(n, &console_config(call)->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        struct topology_cluster *c = topology_read(&call->control->hub.topology, cluster->name);
        put_cluster(call, cluster, c);
        topology_cluster_free(c);
    }
}

static const struct console_verb verbs[] = {
    {"SHOW NODES", NULL, CONSOLE_STATS, "the servers: role, health, lag, and what is wrong", .columns = NODE_COLUMNS, .end = end_nodes},
    {"SHOW CLUSTERS", NULL, CONSOLE_STATS, "who is the primary of each cluster, and why",
     .columns = "cluster primary #seconds #changes #timeline system_identifier #nodes #nodes_up reason", .end = end_clusters},
};

const struct console_table show_nodes_table = CONSOLE_TABLE(verbs);
