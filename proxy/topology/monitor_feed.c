/*
 * Subscribers: whether each is a copy of its tables still, and how far it is (feed_pg.h, feed.h). It is asked itself behind each of
 * its probes, and then the primary is, about what it has told; while somebody wants to know how fresh it is the primary is asked
 * more often. Both over connections of their own, in the database that has the tables. Where something else than a subscription
 * brings the tables, beats that are written at the primary and come with them tell how far it is.
 *
 * Whatever cannot be had answered makes it none: reads that would go there have another way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/topology/feed.h"
#include "proxy/topology/feed_pg.h"
#include "proxy/topology/monitor_impl.h"

enum {
    TABLES_MAX = CONFIG_TABLES_MAX * (2 * CONFIG_TABLE_NAME_MAX + 4) + 3, /* {"a.b","c.d"} */
    DIGESTS_MAX = (CONFIG_TABLES_MAX + 3) * 40,
    MISSING_MAX = 32 << 10,
    PUBLICATIONS_MAX = 4 << 10,
    LOOKS_US = 20000, /* between two questions to the primary; of a heartbeat, to either side */
    NUMBER_SIZE = 24,
};

struct feed {
    struct watched_node *node;
    struct probe_pg copy;   /* to the subscriber */
    struct probe_pg source; /* to the primary */
    const struct addr *source_at; /* where that leads */
    struct feed_record record;
    struct feed_pg_heartbeat heartbeat;
    struct feed_beats beats;
    char beat[NUMBER_SIZE]; /* of the latest question to the primary */
    uint64_t beat_us;       /* the same */
    uint64_t looked_us;     /* when the subscriber was last asked which it has */
    bool is_look;           /* it is asked for that alone */
    bool has_heartbeat;
    bool has_probes;
    bool wants_copy; /* it is to be asked as soon as nothing is under way */
    bool is_copy;   /* as the subscriber says */
    bool is_ready;  /* as the primary says, too */
    uint64_t applied, asked_us; /* what it has told, and when it was asked */
    uint64_t told_us; /* when the subscriber itself was asked, which said that it is one */
    char problem[ERR_MESSAGE_MAX]; /* of the answer that has just come; "": none */
    char tables[TABLES_MAX];
    char digests[DIGESTS_MAX], missing[MISSING_MAX], filled[MISSING_MAX], slot[FACTS_NAME_MAX], publications[PUBLICATIONS_MAX];
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

/* Its tables were those of the primary at that time, and no sooner is anything of it known. */
uint64_t monitor_feed_fresh_us(const struct watched_node *n) {
    const struct feed *f = n->feed;
    if (!f || !f->is_ready) return 0;
    uint64_t us = f->has_heartbeat ? f->beats.safe : freshness_at(&n->cluster->freshness, f->applied);
    return us < f->asked_us ? us : f->asked_us;
}

bool monitor_feed_lag(const struct watched_node *n, int64_t *ms, uint64_t *bytes) {
    const struct feed *f = n->feed;
    uint64_t now_us = n->cluster->monitor->loop->now_us;
    if (!f || !f->is_ready || (f->has_heartbeat && !f->beats.safe)) return false;
    *bytes = f->has_heartbeat ? 0 : lag_bytes(&n->cluster->history, f->applied);
    if (!f->has_heartbeat) *ms = lag_ms(&n->cluster->history, f->applied, now_us);
    else *ms = (int64_t)((now_us - f->beats.safe) / 1000);
    return true;
}

uint64_t monitor_feed_told_us(const struct watched_node *n) {
    return n->feed ? n->feed->told_us : 0;
}

static uint64_t number_of(const char *value) {
    return value ? strtoull(value, NULL, 10) : 0;
}

static void note_problem(struct feed *f, const char *problem) {
    if (problem && !f->problem[0]) snprintf(f->problem, sizeof f->problem, "%s", problem);
}

static void note_lost(struct feed *f) {
    char text[ERR_MESSAGE_MAX];
    const struct feed_table *t = feed_lost(&f->record);
    if (!t) return;
    snprintf(text, sizeof text, "%s must be copied anew: %s", t->name, t->why);
    note_problem(f, text);
}

/* To plan these questions costs ten times as much as to answer them. */
static const char *options_for(uint32_t version) {
    return version >= 120000 ? " -c plan_cache_mode=force_generic_plan" : "";
}

/* ---- the primary ----------------------------------------------------------------------------------------------------- */

static const struct watched_node *primary_of(const struct feed *f) {
    const struct watched_cluster *c = f->node->cluster;
    const struct watched_node *primary = c->picture.primary >= 0 ? c->nodes[c->picture.primary] : NULL;
    return primary && primary->at && primary->at->is_known && primary->told->health == NODE_UP ? primary : NULL;
}

/* What was not brought is noted even where something else is wrong. */
static bool take_source(struct probe_pg *p, const char *const row[], int columns) {
    struct feed *f = CONTAINER_OF(p, struct feed, source);
    const struct watched_node *primary = primary_of(f);
    bool is_whole = columns == FEED_PG_SOURCE_COLUMNS && (row[FEED_SOURCE_TABLES] || f->has_heartbeat);
    if (!is_whole || !primary) return false;
    f->problem[0] = '\0';
    if (!f->has_heartbeat && !feed_take_tables(&f->record, primary->told->facts.timeline, row[FEED_SOURCE_TABLES])) return false;
    note_problem(f, row[FEED_SOURCE_TROUBLE]);
    note_lost(f);
    const char *has_slot = row[FEED_SOURCE_HAS_SLOT];
    if (has_slot && has_slot[0] != 't') feed_lose_all(&f->record, "the primary has no slot for it");
    f->applied = number_of(row[FEED_SOURCE_FLUSHED]);
    if (!row[FEED_SOURCE_SENDER]) return true;
    uint64_t sender = number_of(row[FEED_SOURCE_SENDER]), sent = number_of(row[FEED_SOURCE_SENT]);
    note_problem(f, feed_take_sender(&f->record, sender, sent, f->applied));
    return true;
}

static void ask_copy(struct feed *f);

/* The subscriber comes first: looks at the primary may go on without end. */
static void on_source(struct probe_pg *p) {
    struct feed *f = CONTAINER_OF(p, struct feed, source);
    bool is_answered = p->result == PROBE_ANSWERED, is_right = is_answered && !f->problem[0] && f->is_copy;
    f->asked_us = p->asked_us;
    f->is_ready = is_right && (f->record.is_proven || f->has_heartbeat);
    if (!is_answered) feed_forget_sender(&f->record);
    if (!f->is_copy) f->is_ready = false; /* and why has been told */
    else if (!is_answered) fail(f, p->err.message);
    else if (f->problem[0]) fail(f, f->problem);
    else if (f->is_ready) tell(f, "");
    monitor_fresh_tell(f->node->cluster);
    if (f->wants_copy || (is_right && !f->is_ready)) ask_copy(f);
}

static void ask_source(struct feed *f) {
    const struct watched_cluster *c = f->node->cluster;
    const struct watched_node *primary = primary_of(f);
    struct writer w;
    if (f->source.is_under_way) return;
    if (!primary) {
        if (f->is_copy) fail(f, "there is no primary that could be asked about it");
        return;
    }
    if (f->source_at != &primary->at->addr) probe_pg_reset(&f->source);
    f->source_at = &primary->at->addr;
    writer_init_fixed(&w, f->source_query, sizeof f->source_query);
    if (f->has_heartbeat) feed_pg_put_source_beat_query(&w, primary->told->facts.version, &f->heartbeat);
    else feed_pg_put_source_query(&w, primary->told->facts.version);
    writer_u8(&w, 0);
    f->beat_us = c->monitor->loop->now_us;
    snprintf(f->beat, sizeof f->beat, "%" PRIu64, f->beat_us);
    const char *third = f->has_heartbeat ? c->monitor->key : f->slot, *fourth = f->has_heartbeat ? f->beat : f->publications;
    const char *params[FEED_PG_SOURCE_PARAMS] = {f->tables, c->monitor->copy_functions, third, fourth, f->digests, f->missing,
                                                 f->filled};
    f->source.options = options_for(primary->told->facts.version);
    f->source.param_count = f->has_heartbeat ? FEED_PG_SOURCE_BEAT_PARAMS : FEED_PG_SOURCE_PARAMS;
    memcpy(f->source.params, params, sizeof params);
    probe_pg_start(&f->source, c->config, primary->config, &primary->at->addr);
}

/* ---- the subscriber -------------------------------------------------------------------------------------------------- */

static bool keep(char *out, size_t size, const char *value) {
    int len = snprintf(out, size, "%s", value ? value : "");
    return len >= 0 && (size_t)len < size;
}

/* "NAME leaves out ..." while it lasts, and then that it did so. */
static void note_gap(struct feed *f, const char *why) {
    if (!why) return;
    note_problem(f, why);
    feed_lose_all(&f->record, "its subscription left something out for a while");
}

static void take_beat(struct feed *f, const char *const row[]) {
    uint64_t inserted = number_of(row[FEED_COPY_INSERTED]), written = number_of(row[FEED_COPY_WRITTEN]);
    if (row[FEED_COPY_BEAT]) feed_take_beat(&f->beats, number_of(row[FEED_COPY_BEAT]), inserted, written);
    else f->beats = (struct feed_beats){.safe = 0};
}

static bool take_copy(struct probe_pg *p, const char *const row[], int columns) {
    struct feed *f = CONTAINER_OF(p, struct feed, copy);
    if (columns != FEED_PG_COPY_COLUMNS || (!row[FEED_COPY_COPIED] && !f->has_heartbeat)) return false;
    f->problem[0] = '\0';
    if (!f->has_heartbeat && !feed_take_copied(&f->record, row[FEED_COPY_COPIED])) return false;
    note_problem(f, row[FEED_COPY_TROUBLE]);
    bool is_whole = keep(f->digests, sizeof f->digests, row[FEED_COPY_DIGESTS]) &&
                    keep(f->missing, sizeof f->missing, row[FEED_COPY_MISSING]) &&
                    keep(f->filled, sizeof f->filled, row[FEED_COPY_FILLED]) &&
                    keep(f->slot, sizeof f->slot, row[FEED_COPY_SLOT]) &&
                    keep(f->publications, sizeof f->publications, row[FEED_COPY_PUBLICATIONS]);
    if (!is_whole) note_problem(f, "its subscription has too many publications, or its tables too many columns");
    if (row[FEED_COPY_RECEIVED] && row[FEED_COPY_WRITTEN])
        note_problem(f, feed_take_subscriber(&f->record, f->node->told->facts.timeline, number_of(row[FEED_COPY_WRITTEN]),
                                             number_of(row[FEED_COPY_RECEIVED])));
    if (f->has_heartbeat) take_beat(f, row);
    note_gap(f, row[FEED_COPY_GAP]);
    note_lost(f);
    return true;
}

static void on_copy(struct probe_pg *p) {
    struct feed *f = CONTAINER_OF(p, struct feed, copy);
    bool is_answered = p->result == PROBE_ANSWERED;
    bool is_look = f->is_look;
    f->is_look = false;
    f->is_copy = is_answered && !f->problem[0];
    if (f->is_copy) f->told_us = p->asked_us;
    else fail(f, is_answered ? f->problem : p->err.message);
    bool is_known = is_answered && (f->slot[0] || f->has_heartbeat);
    if (f->is_copy && is_look) monitor_fresh_tell(f->node->cluster);
    else if (is_known) ask_source(f); /* what it misses meanwhile is noted though it is no copy now */
}

static void ask_copy(struct feed *f) {
    struct watched_node *n = f->node;
    struct writer w;
    f->wants_copy = false;
    f->looked_us = n->cluster->monitor->loop->now_us;
    if (!n->at || !n->at->is_known || n->told->health != NODE_UP) return;
    writer_init_fixed(&w, f->copy_query, sizeof f->copy_query);
    if (f->has_heartbeat) feed_pg_put_copy_beat_query(&w, n->told->facts.version, &f->heartbeat);
    else feed_pg_put_copy_query(&w, n->told->facts.version);
    writer_u8(&w, 0);
    f->copy.options = options_for(n->told->facts.version);
    f->copy.param_count = FEED_PG_COPY_PARAMS;
    f->copy.params[0] = f->tables;
    f->copy.params[1] = n->cluster->monitor->copy_functions;
    f->copy.params[2] = f->has_heartbeat ? n->cluster->monitor->key : n->config->subscription;
    probe_pg_start(&f->copy, n->cluster->config, n->config, &n->at->addr);
}

void monitor_feed_ask(struct watched_node *n) {
    struct feed *f = n->feed;
    if (!f) return;
    f->is_look = false; /* what is under way goes on to the primary */
    if (n->told->health != NODE_UP) monitor_feed_forget(n);
    else if (f->source.is_under_way) f->wants_copy = true;
    else if (!f->copy.is_under_way) ask_copy(f);
}

void monitor_feed_look(struct watched_node *n) {
    struct feed *f = n->feed;
    uint64_t now_us = n->cluster->monitor->loop->now_us;
    bool is_coming = f->has_heartbeat && f->beats.safe < f->beat_us; /* a beat more would not tell more */
    if (!f->is_ready || f->copy.is_under_way || f->source.is_under_way) return;
    if (now_us - f->asked_us < LOOKS_US || (is_coming && now_us - f->looked_us < LOOKS_US)) return;
    f->is_look = is_coming;
    if (is_coming) ask_copy(f);
    else ask_source(f);
}

void monitor_feed_forget(struct watched_node *n) {
    struct feed *f = n->feed;
    if (!f) return;
    probe_pg_reset(&f->source);
    f->source_at = NULL;
    f->is_ready = n->told->is_copy = false;
    f->applied = 0;
    f->beats = (struct feed_beats){.safe = 0};
    feed_forget_sender(&f->record);
}

void monitor_feed_inherit(struct watched_node *n, const struct watched_node *old) {
    if (n->feed && old->feed) feed_inherit(&n->feed->record, &old->feed->record);
}

/* ---- beginning and end ----------------------------------------------------------------------------------------------- */

static bool take_tables(struct feed *f, const char *list) {
    struct bytes schema, table;
    while (config_next_table(&list, &schema, &table))
        if (!feed_add_table(&f->record, schema, table)) return false;
    return true;
}

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
    const char *at = n->config->heartbeat;
    f->has_heartbeat = at != NULL;
    if (at && !config_next_table(&at, &f->heartbeat.schema, &f->heartbeat.table)) return false;
    return take_tables(f, n->config->tables) && !tables.failed;
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
