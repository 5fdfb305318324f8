/*
 * Subscribers: whether each is a copy of its tables still, and how far it is (feed_pg.h). It is asked itself behind each of its
 * probes, and then the primary is, about what it has told; while somebody wants to know how fresh it is the primary is asked more
 * often. Both over connections of their own, in the database that has the tables.
 *
 * Whatever cannot be had answered makes it none: reads that would go there have another way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/topology/feed_pg.h"
#include "proxy/topology/monitor_impl.h"

enum {
    TABLES_MAX = CONFIG_TABLES_MAX * (2 * CONFIG_TABLE_NAME_MAX + 4) + 3, /* {"a.b","c.d"} */
    DIGESTS_MAX = (CONFIG_TABLES_MAX + 2) * 40,
    PUBLICATIONS_MAX = 4 << 10,
    LOOKS_US = 20000, /* between two questions to the primary */
};

struct feed {
    struct watched_node *node;
    struct probe_pg copy;   /* to the subscriber */
    struct probe_pg source; /* to the primary */
    const struct addr *source_at; /* where that leads */
    bool has_probes;
    bool is_copy;   /* as the subscriber says */
    bool is_ready;  /* as the primary says, too */
    uint64_t applied, asked_us; /* what it has told, and when it was asked */
    char problem[ERR_MESSAGE_MAX]; /* of the answer that has just come; "": none */
    char tables[TABLES_MAX];
    char digests[DIGESTS_MAX], slot[FACTS_NAME_MAX], publications[PUBLICATIONS_MAX];
    char copy_query[FEED_PG_QUERY_MAX], source_query[FEED_PG_QUERY_MAX];
};

/* ---- what follows ---------------------------------------------------------------------------------------------------- */

static void tell(const struct feed *f, const char *problem) {
    struct topology_node *t = f->node->told;
    const char *cluster = f->node->cluster->picture.name;
    bool was_copy = t->is_copy, is_news = strcmp(t->feed_trouble, problem) != 0;
    t->is_copy = f->is_ready;
    snprintf(t->feed_trouble, sizeof t->feed_trouble, "%s", problem);
    if (problem[0] && is_news) log_line(LOG_WARN, "topology", cluster, "subscriber %s gets no reads: %s", t->name, problem);
    else if (f->is_ready && !was_copy) log_line(LOG_INFO, "topology", cluster, "subscriber %s has its tables", t->name);
}

static void fail(struct feed *f, const char *problem) {
    f->is_ready = false;
    tell(f, problem);
    monitor_fresh_tell(f->node->cluster);
}

bool monitor_feed_is_ready(const struct watched_node *n, uint64_t *applied) {
    if (!n->feed || !n->feed->is_ready) return false;
    *applied = n->feed->applied;
    return true;
}

uint64_t monitor_feed_asked_us(const struct watched_node *n) {
    return n->feed ? n->feed->asked_us : 0;
}

/* ---- the primary ----------------------------------------------------------------------------------------------------- */

static bool take_source(struct probe_pg *p, const char *const row[], int columns) {
    struct feed *f = CONTAINER_OF(p, struct feed, source);
    if (columns != FEED_PG_SOURCE_COLUMNS || (!row[0] && !row[1])) return false;
    snprintf(f->problem, sizeof f->problem, "%s", row[0] ? row[0] : "");
    f->applied = row[1] ? strtoull(row[1], NULL, 10) : 0;
    return true;
}

static void on_source(struct probe_pg *p) {
    struct feed *f = CONTAINER_OF(p, struct feed, source);
    bool is_answered = p->result == PROBE_ANSWERED;
    f->asked_us = p->asked_us;
    f->is_ready = is_answered && !f->problem[0] && f->is_copy;
    if (!is_answered) fail(f, p->err.message);
    else if (f->problem[0]) fail(f, f->problem);
    else tell(f, "");
    monitor_fresh_tell(f->node->cluster);
}

static void ask_source(struct feed *f) {
    const struct watched_cluster *c = f->node->cluster;
    const struct watched_node *primary = c->picture.primary >= 0 ? c->nodes[c->picture.primary] : NULL;
    struct writer w;
    if (f->source.is_under_way || !f->is_copy) return;
    if (!primary || !primary->at || !primary->at->is_known || primary->told->health != NODE_UP) {
        fail(f, "there is no primary that could be asked about it");
        return;
    }
    if (f->source_at != &primary->at->addr) probe_pg_reset(&f->source);
    f->source_at = &primary->at->addr;
    writer_init_fixed(&w, f->source_query, sizeof f->source_query);
    feed_pg_put_source_query(&w, primary->told->facts.version);
    writer_u8(&w, 0);
    f->source.param_count = FEED_PG_SOURCE_PARAMS;
    f->source.params[0] = f->tables;
    f->source.params[1] = f->digests;
    f->source.params[2] = f->slot;
    f->source.params[3] = f->publications;
    probe_pg_start(&f->source, c->config, primary->config, &primary->at->addr);
}

/* ---- the subscriber -------------------------------------------------------------------------------------------------- */

static bool keep(char *out, size_t size, const char *value) {
    int len = snprintf(out, size, "%s", value ? value : "");
    return len >= 0 && (size_t)len < size;
}

static bool take_copy(struct probe_pg *p, const char *const row[], int columns) {
    struct feed *f = CONTAINER_OF(p, struct feed, copy);
    if (columns != FEED_PG_COPY_COLUMNS) return false;
    snprintf(f->problem, sizeof f->problem, "%s", row[0] ? row[0] : "");
    bool is_whole = keep(f->digests, sizeof f->digests, row[1]) && keep(f->slot, sizeof f->slot, row[2]) &&
                    keep(f->publications, sizeof f->publications, row[3]);
    if (!is_whole) snprintf(f->problem, sizeof f->problem, "its subscription has too many publications");
    return true;
}

static void on_copy(struct probe_pg *p) {
    struct feed *f = CONTAINER_OF(p, struct feed, copy);
    bool is_answered = p->result == PROBE_ANSWERED;
    f->is_copy = is_answered && !f->problem[0];
    if (f->is_copy) ask_source(f);
    else fail(f, is_answered ? f->problem : p->err.message);
}

void monitor_feed_ask(struct watched_node *n) {
    struct feed *f = n->feed;
    if (!f || f->copy.is_under_way || f->source.is_under_way || !n->at || !n->at->is_known || n->told->health != NODE_UP) return;
    struct writer w;
    writer_init_fixed(&w, f->copy_query, sizeof f->copy_query);
    feed_pg_put_copy_query(&w, n->told->facts.version);
    writer_u8(&w, 0);
    f->copy.param_count = FEED_PG_COPY_PARAMS;
    f->copy.params[0] = f->tables;
    f->copy.params[1] = n->config->subscription;
    probe_pg_start(&f->copy, n->cluster->config, n->config, &n->at->addr);
}

void monitor_feed_look(struct watched_node *n) {
    struct feed *f = n->feed;
    bool is_due = n->cluster->monitor->loop->now_us - f->asked_us >= LOOKS_US;
    if (f->is_ready && is_due && !f->copy.is_under_way) ask_source(f);
}

void monitor_feed_forget(struct watched_node *n) {
    struct feed *f = n->feed;
    if (!f) return;
    probe_pg_reset(&f->source);
    f->source_at = NULL;
    f->is_ready = n->told->is_copy = false;
    f->applied = 0;
}

/* ---- beginning and end ----------------------------------------------------------------------------------------------- */

static void put_tables(struct writer *w, const char *list) {
    struct bytes schema, table;
    const char *before = "{";
    while (config_next_table(&list, &schema, &table)) {
        writer_str(w, before);
        writer_u8(w, '"');
        writer_put(w, schema);
        writer_u8(w, '.');
        writer_put(w, table);
        writer_u8(w, '"');
        before = ",";
    }
    writer_str(w, "}");
    writer_u8(w, 0);
}

bool monitor_feed_init(struct watched_node *n) {
    struct loop *loop = n->cluster->monitor->loop;
    struct feed *f = mem_alloc(sizeof *f);
    struct writer tables;
    if (!f) return false;
    n->feed = f;
    f->node = n;
    bool has_copy = probe_pg_init(&f->copy, PROBE_ROW, loop, on_copy);
    f->has_probes = has_copy && probe_pg_init(&f->source, PROBE_ROW, loop, on_source);
    if (!f->has_probes) {
        if (has_copy) probe_pg_release(&f->copy);
        return false;
    }
    f->copy.database = f->source.database = n->config->database;
    f->copy.query = f->copy_query;
    f->source.query = f->source_query;
    f->copy.on_row = take_copy;
    f->source.on_row = take_source;
    writer_init_fixed(&tables, f->tables, sizeof f->tables);
    put_tables(&tables, n->config->tables);
    return !tables.failed;
}

void monitor_feed_release(struct watched_node *n) {
    if (!n->feed) return;
    if (n->feed->has_probes) {
        probe_pg_release(&n->feed->copy);
        probe_pg_release(&n->feed->source);
    }
    mem_free(n->feed);
    n->feed = NULL;
}
