/*
 * What SHOW shows. Columns carry PgBouncer's names where they mean the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/reader.h"
#include "proxy/admin/console.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/wire/pg_encode.h"

enum { CELLS_MAX = 20, CELL_SIZE = 224, TOTAL_KEY_MAX = 512 };

/* One row under construction: cells of text in the order of the columns. */
struct row {
    char text[CELLS_MAX][CELL_SIZE];
    int count;
};

static void add_text(struct row *r, const char *text) {
    snprintf(r->text[r->count++], CELL_SIZE, "%s", text);
}

static void add_number(struct row *r, uint64_t value) {
    snprintf(r->text[r->count++], CELL_SIZE, "%llu", (unsigned long long)value);
}

static void put_row(struct console_call *call, const struct row *r) {
    struct bytes cells[CELLS_MAX];
    for (int i = 0; i < r->count; i++) cells[i] = bytes_str(r->text[i]);
    pg_put_text_row(call->out, cells, r->count);
}

/* The names that stand in a total's key, with NULs between them. */
static void add_key(struct row *r, struct bytes key, int names) {
    struct reader reader = reader_over(key);
    for (int i = 0; i < names; i++) {
        struct bytes name = i < names - 1 ? reader_cstr(&reader) : reader_take(&reader, reader_left(&reader));
        snprintf(r->text[r->count++], CELL_SIZE, "%.*s", (int)name.len, (const char *)name.ptr);
    }
}

struct total {
    struct bytes key;
    const void *value;
};

static int by_key(const void *a, const void *b) {
    const struct bytes *x = &((const struct total *)a)->key, *y = &((const struct total *)b)->key;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* What was added up, ordered by its names. */
static void put_sorted(struct console_call *call, void (*put)(struct console_call *call, struct bytes key, const void *total)) {
    size_t count = call->totals->count, at = 0, i = 0;
    struct total *all = count ? mem_alloc(count * sizeof *all) : NULL;
    void *value;
    if (!all) return;
    while (map_next(call->totals, &at, &all[i].key, &value)) all[i++].value = value;
    qsort(all, count, sizeof *all, by_key);
    for (i = 0; i < count; i++) put(call, all[i].key, all[i].value);
    mem_free(all);
}

static uint64_t age_us(const struct console_call *call, uint64_t since_us) {
    return call->worker->loop->now_us - since_us;
}

/* ---- SHOW POOLS ---- */

static uint32_t count_state(const struct variant *v, enum backend_state state) {
    uint32_t count = 0;
    LIST_EACH(n, &v->busy) count += CONTAINER_OF(n, struct backend, node)->state == state;
    return count;
}

/* "client_encoding=UTF8 DateStyle=ISO": what makes this variant different. */
static const char *variant_text(const struct variant *v, char out[CELL_SIZE]) {
    size_t len = 0;
    out[0] = '\0';
    bool is_name = true;
    for (size_t i = 0; i < v->key.len && len < CELL_SIZE - 1; i++) {
        char c = (char)v->key.ptr[i];
        if (c == '\0') {
            c = is_name ? '=' : ' ';
            is_name = !is_name;
        }
        out[len++] = c;
        out[len] = '\0';
    }
    if (len && out[len - 1] == ' ') out[len - 1] = '\0';
    return out;
}

/* One variant of a pool, over all workers. */
struct pool_total {
    const char *mode;
    uint64_t clients, waiting, leased, idle, other, opening, wait_us, size;
};

/* What was added up under this key so far; NULL: memory is out, and the line is left out. */
static void *total_of(struct console_call *call, struct bytes key, size_t size) {
    void *total = map_get(call->totals, key);
    if (total) return total;
    total = mem_alloc(size);
    if (total && map_put(call->totals, key, total)) return total;
    mem_free(total);
    return NULL;
}

/* "database\0user\0variant": in this order on the screen. */
static struct bytes variant_key(const struct pool *p, const struct variant *v, char out[TOTAL_KEY_MAX]) {
    char text[CELL_SIZE];
    int len = snprintf(out, TOTAL_KEY_MAX, "%s%c%s%c%s", p->database, 0, p->user, 0, v ? variant_text(v, text) : "");
    return bytes_of(out, (size_t)len < TOTAL_KEY_MAX ? (size_t)len : TOTAL_KEY_MAX - 1);
}

static void add_variant(struct console_call *call, const struct pool *p, const struct variant *v) {
    char key[TOTAL_KEY_MAX];
    struct pool_total *t = total_of(call, variant_key(p, v, key), sizeof *t);
    if (!t) return;
    struct list *first = list_first(&v->waiting);
    uint64_t wait_us = first ? age_us(call, CONTAINER_OF(first, struct lessee, wait_node)->waiting_since_us) : 0;
    uint32_t leased = count_state(v, BACKEND_LEASED);
    t->mode = pool_mode_name(p->mode);
    t->clients += v->sessions - (v->waiting_count < v->sessions ? v->waiting_count : v->sessions);
    t->waiting += v->waiting_count;
    t->leased += leased;
    t->idle += v->idle_count;
    t->other += v->busy_count - leased;
    t->opening += v->opening_count;
    if (wait_us > t->wait_us) t->wait_us = wait_us;
    t->size += p->size;
}

static void visit_pools(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        LIST_EACH(i, &p->variants) add_variant(call, p, CONTAINER_OF(i, struct variant, node));
    }
}

static void put_pool(struct console_call *call, struct bytes key, const void *total) {
    const struct pool_total *t = total;
    struct row r = {0};
    add_key(&r, key, 3);
    const uint64_t numbers[] = {t->clients, t->waiting, t->leased,            t->idle,
                                t->other,   t->opening, t->wait_us / 1000000, t->wait_us % 1000000};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) add_number(&r, numbers[i]);
    add_text(&r, t->mode);
    add_number(&r, t->size);
    put_row(call, &r);
}

static void end_pools(struct console_call *call) {
    put_sorted(call, put_pool);
}

static const char *const pools_columns[] = {"database",  "user",     "startup_parameters", "cl_active", "cl_waiting",
                                            "sv_active", "sv_idle",  "sv_tested",          "sv_login",  "maxwait",
                                            "maxwait_us", "pool_mode", "pool_size"};

/* ---- SHOW CLIENTS ---- */

static const char *hold_reason(const struct session *s) {
    const struct backend *b = s->lessee.backend;
    if (!b) return "";
    if (s->pins & PIN_MODE) return "session pooling";
    if (b->ledger.txn != TXN_NONE) return "transaction";
    if (s->pins & PIN_PREPARED) return "prepared statement";
    if (s->pins & PIN_SETTINGS) return "settings";
    if (s->pins & PIN_UNNAMED) return "unnamed statement";
    return "request";
}

static void put_client(struct console_call *call, const struct session *s) {
    struct row r = {0};
    char peer[64];
    add_number(&r, s->id);
    add_text(&r, s->user ? s->user : "");
    add_text(&r, s->database ? s->database : "");
    add_text(&r, session_state_name(s->state));
    add_text(&r, session_peer_text(s, peer));
    add_text(&r, hold_reason(s));
    if (s->lessee.backend) add_number(&r, s->lessee.backend->id);
    else add_text(&r, "");
    add_number(&r, age_us(call, s->opened_us) / 1000000);
    add_number(&r, age_us(call, s->state_since_us) / 1000);
    add_number(&r, s->queries);
    add_number(&r, s->env->worker);
    put_row(call, &r);
}

static const char *const clients_columns[] = {"id",   "user", "database",        "state",         "addr",
                                              "held_by", "server_id", "connected_s", "in_state_ms", "queries", "worker"};

static void visit_clients(struct console_call *call) {
    struct session_env *env = &call->worker->sessions;
    LIST_EACH(n, &env->logins) put_client(call, CONTAINER_OF(n, struct session, node));
    LIST_EACH(n, &env->sessions) put_client(call, CONTAINER_OF(n, struct session, node));
}

/* ---- SHOW SERVERS ---- */

static void put_server(struct console_call *call, const struct backend *b) {
    struct row r = {0};
    const struct pool *p = b->variant->pool;
    add_number(&r, b->id);
    add_text(&r, p->server_user);
    add_text(&r, p->server_database);
    add_text(&r, p->server_name);
    add_text(&r, backend_state_name(b->state));
    add_text(&r, txn_state_name(b->ledger.txn));
    add_number(&r, b->ledger.count);
    add_text(&r, b->is_tainted ? "yes" : "no");
    if (b->lessee) add_number(&r, b->lessee->id);
    else add_text(&r, "");
    add_number(&r, b->proto == &backend_pg_proto ? backend_pg_of((struct backend *)b)->pid : 0);
    add_number(&r, age_us(call, b->opened_us) / 1000000);
    add_number(&r, age_us(call, b->state_since_us) / 1000);
    add_number(&r, b->queries);
    add_number(&r, call->worker->number);
    put_row(call, &r);
}

static const char *const servers_columns[] = {
    "id",        "user",       "database",    "server",      "state",   "transaction", "owes",
    "tainted",   "client_id",  "remote_pid",  "connected_s", "in_state_ms", "queries", "worker",
};

static void visit_servers(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        LIST_EACH(i, &p->variants) {
            const struct variant *v = CONTAINER_OF(i, struct variant, node);
            LIST_EACH(k, &v->busy) put_server(call, CONTAINER_OF(k, struct backend, node));
            LIST_EACH(k, &v->idle) put_server(call, CONTAINER_OF(k, struct backend, node));
            LIST_EACH(k, &v->opening) put_server(call, CONTAINER_OF(k, struct backend, node));
        }
    }
}

/* ---- SHOW STATS, SHOW VERSION ---- */

static const char *const stats_columns[] = {"database",       "user",       "total_xact_count", "total_query_count",
                                            "total_received", "total_sent", "total_query_time", "total_wait_time"};

static void visit_stats(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        char key[TOTAL_KEY_MAX];
        struct pool_stats *t = total_of(call, variant_key(p, NULL, key), sizeof *t);
        if (!t) continue;
        t->transactions += p->stats.transactions;
        t->queries += p->stats.queries;
        t->received += p->stats.received;
        t->sent += p->stats.sent;
        t->query_us += p->stats.query_us;
        t->wait_us += p->stats.wait_us;
    }
}

static void put_stats(struct console_call *call, struct bytes key, const void *total) {
    const struct pool_stats *t = total;
    struct row r = {0};
    add_key(&r, key, 2);
    const uint64_t numbers[] = {t->transactions, t->queries, t->received, t->sent, t->query_us, t->wait_us};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) add_number(&r, numbers[i]);
    put_row(call, &r);
}

static void end_stats(struct console_call *call) {
    put_sorted(call, put_stats);
}

static const char *const version_columns[] = {"version"};

static void end_version(struct console_call *call) {
    struct row r = {0};
    add_text(&r, "gilmok " GILMOK_VERSION);
    put_row(call, &r);
}

#define COLUMNS(list) list, COUNT_OF(list)

/* clang-format off */
const struct console_verb show_verbs[] = {
    {"SHOW POOLS", CONSOLE_STATS, "pools: clients, server connections, waiting",
     COLUMNS(pools_columns), visit_pools, end_pools},
    {"SHOW CLIENTS", CONSOLE_STATS, "every client, and why it holds a server connection",
     COLUMNS(clients_columns), visit_clients, NULL},
    {"SHOW SERVERS", CONSOLE_STATS, "every server connection, and what it owes",
     COLUMNS(servers_columns), visit_servers, NULL},
    {"SHOW STATS", CONSOLE_STATS, "totals of each pool; times in microseconds",
     COLUMNS(stats_columns), visit_stats, end_stats},
    {"SHOW VERSION", CONSOLE_STATS, "the version of gilmok", COLUMNS(version_columns), NULL, end_version},
};
/* clang-format on */
const size_t show_verb_count = COUNT_OF(show_verbs);
