/*
 * What SHOW shows. Columns carry PgBouncer's names where they mean the same.
 */
#include <stdio.h>
#include <string.h>

#include "proxy/admin/console.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/wire/pg_encode.h"

enum { CELLS_MAX = 20, CELL_SIZE = 224 };

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

#define PUT_COLUMNS(call, columns) pg_put_row_description((call)->out, columns, COUNT_OF(columns))

static void put_end(struct console_call *call) {
    pg_put_command_complete(call->out, "SHOW");
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

static void put_pool(struct console_call *call, const struct pool *p, const struct variant *v) {
    struct row r = {0};
    char text[CELL_SIZE];
    struct list *first = list_first(&v->waiting);
    uint64_t wait = first ? age_us(call, CONTAINER_OF(first, struct lessee, wait_node)->waiting_since_us) : 0;
    uint32_t leased = count_state(v, BACKEND_LEASED);
    add_text(&r, p->database);
    add_text(&r, p->user);
    add_text(&r, variant_text(v, text));
    add_number(&r, v->sessions - (v->waiting_count < v->sessions ? v->waiting_count : v->sessions));
    add_number(&r, v->waiting_count);
    add_number(&r, leased);
    add_number(&r, v->idle_count);
    add_number(&r, v->busy_count - leased);
    add_number(&r, v->opening_count);
    add_number(&r, wait / 1000000);
    add_number(&r, wait % 1000000);
    add_text(&r, pool_mode_name(p->mode));
    add_number(&r, p->size);
    put_row(call, &r);
}

static void show_pools(struct console_call *call) {
    static const char *const columns[] = {"database",  "user",     "startup_parameters", "cl_active", "cl_waiting",
                                          "sv_active", "sv_idle",  "sv_tested",          "sv_login",  "maxwait",
                                          "maxwait_us", "pool_mode", "pool_size"};
    PUT_COLUMNS(call, columns);
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        LIST_EACH(i, &p->variants) put_pool(call, p, CONTAINER_OF(i, struct variant, node));
    }
    put_end(call);
}

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
    put_row(call, &r);
}

static void show_clients(struct console_call *call) {
    static const char *const columns[] = {"id",   "user", "database",        "state",         "addr",
                                          "held_by", "server_id", "connected_s", "in_state_ms", "queries"};
    PUT_COLUMNS(call, columns);
    struct session_env *env = &call->worker->sessions;
    LIST_EACH(n, &env->logins) put_client(call, CONTAINER_OF(n, struct session, node));
    LIST_EACH(n, &env->sessions) put_client(call, CONTAINER_OF(n, struct session, node));
    put_end(call);
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
    put_row(call, &r);
}

static void show_servers(struct console_call *call) {
    static const char *const columns[] = {"id",      "user",      "database",   "server",      "state",       "transaction", "owes",
                                          "tainted", "client_id", "remote_pid", "connected_s", "in_state_ms", "queries"};
    PUT_COLUMNS(call, columns);
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        LIST_EACH(i, &p->variants) {
            const struct variant *v = CONTAINER_OF(i, struct variant, node);
            LIST_EACH(k, &v->busy) put_server(call, CONTAINER_OF(k, struct backend, node));
            LIST_EACH(k, &v->idle) put_server(call, CONTAINER_OF(k, struct backend, node));
            LIST_EACH(k, &v->opening) put_server(call, CONTAINER_OF(k, struct backend, node));
        }
    }
    put_end(call);
}

/* ---- SHOW STATS, SHOW VERSION ---- */

static void show_stats(struct console_call *call) {
    static const char *const columns[] = {"database",       "user",       "total_xact_count", "total_query_count",
                                          "total_received", "total_sent", "total_query_time", "total_wait_time"};
    PUT_COLUMNS(call, columns);
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        struct row r = {0};
        add_text(&r, p->database);
        add_text(&r, p->user);
        add_number(&r, p->stats.transactions);
        add_number(&r, p->stats.queries);
        add_number(&r, p->stats.received);
        add_number(&r, p->stats.sent);
        add_number(&r, p->stats.query_us);
        add_number(&r, p->stats.wait_us);
        put_row(call, &r);
    }
    put_end(call);
}

static void show_version(struct console_call *call) {
    static const char *const columns[] = {"version"};
    PUT_COLUMNS(call, columns);
    struct row r = {0};
    add_text(&r, "gilmok " GILMOK_VERSION);
    put_row(call, &r);
    put_end(call);
}

const struct console_verb show_verbs[] = {
    {"SHOW POOLS", CONSOLE_STATS, "pools: clients, server connections, waiting", show_pools},
    {"SHOW CLIENTS", CONSOLE_STATS, "every client, and why it holds a server connection", show_clients},
    {"SHOW SERVERS", CONSOLE_STATS, "every server connection, and what it owes", show_servers},
    {"SHOW STATS", CONSOLE_STATS, "totals of each pool; times in microseconds", show_stats},
    {"SHOW VERSION", CONSOLE_STATS, "the version of gilmok", show_version},
};
const size_t show_verb_count = COUNT_OF(show_verbs);
