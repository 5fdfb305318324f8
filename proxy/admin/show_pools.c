/*
 * SHOW POOLS, DATABASES, USERS, LISTS: what there is, and how full it is. Columns carry
 * PgBouncer's names where they mean the same, with gilmok's own behind them; 0 or empty
 * stands where gilmok has no such thing.
 */
#include <stdio.h>

#include "proxy/admin/console.h"
#include "proxy/wire/pg_encode.h"

enum { VARIANT_TEXT_MAX = 224 };

/* ---- SHOW POOLS ---- */

/* One pool, or one variant of it, over all workers. */
struct pool_total {
    uint64_t clients, waiting, leased, canceled, idle, used, tested, opening, wait_us, size, variants;
    uint64_t cancels, cancels_unsent, cancels_sent; /* cancel requests under way; of them clients' */
    enum pool_mode mode;
};

static const struct backend *backend_at(const struct list *n) {
    return CONTAINER_OF(n, struct backend, node);
}

static void add_cancels(struct pool_total *t, const struct backend *b) {
    t->cancels += b->cancels_open;
    t->cancels_unsent += b->cancels_unsent;
    t->cancels_sent += b->cancels_sent;
}

static void add_busy(struct pool_total *t, const struct backend *b) {
    add_cancels(t, b);
    if (b->state == BACKEND_LEASED) t->leased++;
    else if (b->state == BACKEND_CLEANING && b->cancels_open) t->canceled++;
    else t->tested++;
}

/* Idle for so long that it is checked before its next use. */
static bool needs_check(const struct console_call *call, const struct backend *b) {
    uint64_t delay_us = (uint64_t)b->variant->pool->limits.server_check_delay_ms * 1000;
    return !b->is_checked && console_age_us(call, b->state_since_us) >= delay_us;
}

static void add_variant(struct console_call *call, struct pool_total *t, const struct variant *v) {
    const struct list *first = list_first(&v->waiting);
    uint64_t wait_us = first ? console_age_us(call, CONTAINER_OF(first, struct lessee, wait_node)->waiting_since_us) : 0;
    t->mode = v->pool->mode;
    t->variants++;
    t->clients += v->sessions - (v->waiting_count < v->sessions ? v->waiting_count : v->sessions);
    t->waiting += v->waiting_count;
    t->opening += v->opening_count;
    if (wait_us > t->wait_us) t->wait_us = wait_us;
    LIST_EACH(n, &v->busy) add_busy(t, backend_at(n));
    LIST_EACH(n, &v->pool->set->dead) { /* a cancel request may outlive its server connection */
        if (backend_at(n)->variant == v) add_cancels(t, backend_at(n));
    }
    LIST_EACH(n, &v->idle) *(needs_check(call, backend_at(n)) ? &t->used : &t->idle) += 1;
}

#define POOL_COLUMNS                                                                                             \
    "#cl_active #cl_waiting #cl_active_cancel_req #cl_waiting_cancel_req #sv_active #sv_active_cancel "          \
    "#sv_being_canceled #sv_idle #sv_used #sv_tested #sv_login #maxwait #maxwait_us pool_mode load_balance_hosts"

static void put_numbers(struct row *r, const struct pool_total *t) {
    const uint64_t numbers[] = {t->clients,  t->waiting, t->cancels_sent, t->cancels_unsent, t->leased,  t->cancels,
                                t->canceled, t->idle,    t->used,         t->tested,         t->opening, t->wait_us / 1000000,
                                t->wait_us % 1000000};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) row_number(r, numbers[i]);
    row_text(r, pool_mode_name(t->mode));
    row_text(r, NULL);
}

static void visit_pools(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        struct pool_total *t = rows_total(call->totals, p->database, p->user, sizeof *t);
        if (!t) continue;
        t->mode = p->mode;
        t->size += p->limits.size;
        LIST_EACH(i, &p->variants) add_variant(call, t, CONTAINER_OF(i, struct variant, node));
    }
}

/* The same variant on two workers is counted once for each: only the configuration knows the size of the whole. */
static void put_pool(void *ctx, const char *database, const char *user, void *total) {
    struct console_call *call = ctx;
    const struct pool_total *t = total;
    const struct config_database *db = config_pool_database(console_config(call), bytes_str(database));
    struct row r = console_row(call);
    row_text(&r, database);
    row_text(&r, user);
    put_numbers(&r, t);
    row_number(&r, db ? share_pool_part(console_config(call), db, bytes_str(user)).size : t->size);
    row_number(&r, gate_book_of(&call->control->hub.gates, bytes_str(database)) & GATE_PAUSED ? 1 : 0);
    row_end(&r);
}

static void end_pools(struct console_call *call) {
    rows_each_total(call->totals, put_pool, call);
}

/* "client_encoding=UTF8 DateStyle=ISO": what makes this variant different. */
static const char *variant_text(const struct variant *v, char out[VARIANT_TEXT_MAX]) {
    size_t len = 0;
    bool is_name = true;
    for (size_t i = 0; i + 1 < v->key.len && len < VARIANT_TEXT_MAX - 1; i++) {
        char c = (char)v->key.ptr[i];
        out[len++] = c ? c : is_name ? '=' : ' ';
        if (!c) is_name = !is_name;
    }
    out[len] = '\0';
    return out;
}

static void visit_pool_parts(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        LIST_EACH(i, &p->variants) {
            const struct variant *v = CONTAINER_OF(i, struct variant, node);
            struct pool_total t = {0};
            char text[VARIANT_TEXT_MAX];
            struct row r = console_row(call);
            add_variant(call, &t, v);
            row_text(&r, p->database);
            row_text(&r, p->user);
            put_numbers(&r, &t);
            row_number(&r, p->limits.size);
            row_number(&r, call->worker->number);
            row_text(&r, variant_text(v, text));
            row_end(&r);
        }
    }
}

/* ---- SHOW DATABASES, SHOW USERS ---- */

struct use {
    uint64_t servers, clients;
};

static void visit_databases(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        struct use *u = rows_total(call->totals, p->database, "", sizeof *u);
        if (!u) continue;
        u->servers += p->total;
        u->clients += p->clients;
    }
}

/* Where connections go; where there is no primary now, the first one. */
static const struct config_node *node_of(struct console_call *call, const struct config_cluster *cluster) {
    struct topology_place primary;
    struct err why;
    bool is_contested;
    bool is_known = config_is_elective(cluster) &&
                    topology_primary(&call->control->hub.topology, cluster->name, &primary, &is_contested, &why);
    const struct config_node *node = is_known ? config_find_node(cluster, primary.name) : NULL;
    return node ? node : config_first_node(cluster);
}

static void put_database(void *ctx, const char *name, const char *second, void *total) {
    struct console_call *call = ctx;
    const struct use *u = total;
    const struct config_database *db = config_pool_database(console_config(call), bytes_str(name));
    unsigned gates = gate_book_of(&call->control->hub.gates, bytes_str(name));
    (void)second;
    if (!db) return; /* a reload has taken it away; its last connections are closing */
    const struct config_node *node = node_of(call, db->cluster);
    struct row r = console_row(call);
    row_text(&r, name);
    row_text(&r, node->host);
    row_number(&r, node->port);
    row_text(&r, db->server_database ? db->server_database : name);
    row_text(&r, db->server_user);
    const uint64_t sizes[] = {db->pool_size, db->min_pool_size, db->reserve_pool_size, db->server_lifetime_ms / 1000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) row_number(&r, sizes[i]);
    row_text(&r, pool_mode_name(db->pool_mode));
    row_text(&r, NULL);
    const uint64_t counts[] = {db->max_server_conn, u->servers, 0, u->clients, gates & GATE_PAUSED ? 1 : 0,
                               gates & GATE_DISABLED ? 1 : 0, db->reserve_pool_size};
    for (size_t i = 0; i < COUNT_OF(counts); i++) row_number(&r, counts[i]);
    row_text(&r, db->cluster->name);
    row_end(&r);
}

static void end_databases(struct console_call *call) {
    LIST_EACH(n, &console_config(call)->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        if (!db->is_wildcard) (void)rows_total(call->totals, db->name, "", sizeof(struct use));
    }
    rows_each_total(call->totals, put_database, call);
}

static void visit_users(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        struct use *u = rows_total(call->totals, p->user, "", sizeof *u);
        if (!u) continue;
        u->servers += p->total;
        u->clients += p->clients;
    }
}

static void put_user(void *ctx, const char *name, const char *second, void *total) {
    struct console_call *call = ctx;
    const struct use *use = total;
    const struct config_user *u = config_find_user(console_config(call), bytes_str(name));
    struct row r = console_row(call);
    (void)second;
    row_text(&r, name);
    if (u && u->pool_size) row_number(&r, u->pool_size);
    else row_text(&r, NULL);
    row_text(&r, NULL);
    row_text(&r, u && u->pool_mode >= 0 ? pool_mode_name((enum pool_mode)u->pool_mode) : NULL);
    const uint64_t counts[] = {u ? u->max_server_conn : 0, use->servers, u ? u->max_client_conn : 0, use->clients};
    for (size_t i = 0; i < COUNT_OF(counts); i++) row_number(&r, counts[i]);
    row_end(&r);
}

static void end_users(struct console_call *call) {
    const struct config *c = console_config(call);
    struct bytes name;
    void *secret;
    size_t at = 0;
    while (map_next(&c->user_store->users, &at, &name, &secret)) {
        char text[USER_NAME_MAX + 1];
        snprintf(text, sizeof text, "%.*s", (int)name.len, (const char *)name.ptr);
        (void)rows_total(call->totals, text, "", sizeof(struct use));
    }
    LIST_EACH(n, &c->users) (void)rows_total(call->totals, CONTAINER_OF(n, struct config_user, node)->name, "", sizeof(struct use));
    rows_each_total(call->totals, put_user, call);
}

/* ---- SHOW LISTS ---- */

struct lists {
    uint64_t clients, logins, servers;
};

/* Pools over all workers, as SHOW POOLS counts them; the sums stand under a name that no pool has. */
static void visit_lists(struct console_call *call) {
    struct lists *all = rows_total(call->totals, "", "", sizeof *all);
    if (!all) return;
    all->clients += call->worker->sessions.session_count;
    all->logins += call->worker->sessions.login_count;
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        all->servers += p->total;
        (void)rows_total(call->totals, p->database, p->user, 1);
    }
}

static uint64_t length(const struct list *head) {
    uint64_t count = 0;
    LIST_EACH(n, head) count++;
    return count;
}

static void end_lists(struct console_call *call) {
    const struct config *c = console_config(call);
    const struct lists *all = rows_total(call->totals, "", "", sizeof *all);
    if (!all) return;
    const struct {
        const char *name;
        uint64_t count;
    } items[] = {
        {"databases", length(&c->databases)}, {"users", c->user_store->users.count}, {"peers", length(&c->peers)},
        {"pools", call->totals->count - 1}, {"peer_pools", 0}, {"free_clients", 0}, {"used_clients", all->clients},
        {"login_clients", all->logins}, {"free_servers", 0}, {"used_servers", all->servers}, {"dns_names", 0},
        {"dns_zones", 0}, {"dns_queries", 0}, {"dns_pending", 0},
    };
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        struct row r = console_row(call);
        row_text(&r, items[i].name);
        row_number(&r, items[i].count);
        row_end(&r);
    }
}

/* ---- the table ---- */

/* Debian's exporter asks for reserve_pool, which is what reserve_pool_size was called once. */
static const struct console_verb verbs[] = {
    {"SHOW POOLS", NULL, CONSOLE_STATS, "pools: clients, server connections, who waits",
     .columns = "database user " POOL_COLUMNS " #pool_size #paused", .visit = visit_pools, .end = end_pools},
    {"SHOW POOLS VERBOSE", NULL, CONSOLE_STATS, "the same for each worker and each set of startup parameters",
     .columns = "database user " POOL_COLUMNS " #pool_size #worker startup_parameters", .visit = visit_pool_parts},
    {"SHOW DATABASES", NULL, CONSOLE_STATS, "databases: where they are, limits, paused or disabled",
     .columns = "name host #port database force_user #pool_size #min_pool_size #reserve_pool_size #server_lifetime pool_mode "
                "load_balance_hosts #max_connections #current_connections #max_client_connections #current_client_connections "
                "#paused #disabled #reserve_pool cluster",
     .visit = visit_databases, .end = end_databases},
    {"SHOW USERS", NULL, CONSOLE_STATS, "users: limits of their own, connections",
     .columns = "name #pool_size #reserve_pool_size pool_mode #max_user_connections #current_connections "
                "#max_user_client_connections #current_client_connections",
     .visit = visit_users, .end = end_users},
    {"SHOW LISTS", NULL, CONSOLE_STATS, "how many there are of everything", .columns = "list #items", .visit = visit_lists,
     .end = end_lists},
};

const struct console_table show_pools_table = CONSOLE_TABLE(verbs);
