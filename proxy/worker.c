/*
 * Puts the parts together: accepted streams become sessions, ticks become timeouts.
 */
#include "proxy/worker.h"

#include <stdatomic.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/pool/balance.h"
#include "proxy/session/session_my.h"
#include "proxy/session/session_pg.h"

/* ---- time ---- */

/* Who leaves the console is uncounted there first: what is left is never too little. */
static bool is_empty(const struct worker *w) {
    const struct session_hub *hub = w->sessions.hub;
    uint32_t left = atomic_load_explicit(&hub->session_count, memory_order_acquire);
    uint32_t consoles = w->is_leaving && !w->drain_by_us ? atomic_load_explicit(&hub->console_count, memory_order_relaxed) : 0;
    return left <= consoles && w->sessions.login_count == 0;
}

static void check_drained(struct worker *w) {
    bool is_over = w->drain_by_us && w->loop->now_us > w->drain_by_us;
    if (w->is_drained || !(is_over || is_empty(w))) return;
    w->is_drained = true;
    if (is_over && !is_empty(w)) log_line(LOG_INFO, "worker", NULL, "drain_timeout: closing the rest");
    if (w->on_drained) w->on_drained(w);
}

static void on_tick(struct timer *t) {
    struct worker *w = CONTAINER_OF(t, struct worker, tick);
    pool_set_tick(&w->pools);
    vacate_tick(&w->sessions.hub->vacating, w->snapshot->config, &w->sessions.hub->shares, &w->pools);
    session_env_tick(&w->sessions);
    if (w->drain_by_us || w->is_leaving) check_drained(w);
    timer_set(t, WORKER_TICK_MS);
}

static uint32_t balance_ms(const struct worker *w) {
    return w->snapshot->config->rebalance_ms;
}

static void on_balance(struct timer *t) {
    struct worker *w = CONTAINER_OF(t, struct worker, balance);
    if (balance_pools(&w->pools, (uint64_t)balance_ms(w) * 1000)) timer_set(t, balance_ms(w));
}

static void on_waiting(struct pool_set *set) {
    struct worker *w = CONTAINER_OF(set, struct worker, pools);
    if (!w->balance.is_set) timer_set(&w->balance, balance_ms(w));
}

/* ---- places for connections ---- */

/* From worker to worker, closing idle connections until the claim is granted. A cap that was lowered may need several. */
struct evict_round {
    struct mail mail;
    struct session_hub *hub;
    struct budget_list wants;
    uint32_t at, left;
};

static void run_evict(struct mail *m) {
    struct evict_round *r = CONTAINER_OF(m, struct evict_round, mail);
    struct budget_book *book = &r->hub->budgets;
    while (budget_is_claimed(book, &r->wants) && pool_set_evict(r->hub->envs[r->at]->pools, &r->wants)) {
    }
    if (!budget_is_claimed(book, &r->wants) || --r->left == 0) {
        mem_free(r);
        return;
    }
    r->at = (r->at + 1) % r->hub->worker_count;
    loop_post(r->hub->envs[r->at]->loop, &r->mail);
}

/* Begins here, by mail too: the pool that claims is in the middle of something. */
static void on_claim(struct pool_set *set, const struct budget_list *wants) {
    struct worker *w = CONTAINER_OF(set, struct worker, pools);
    struct evict_round *r = mem_alloc(sizeof *r);
    if (!r) return; /* a release will serve the claim */
    *r = (struct evict_round){.hub = w->sessions.hub, .wants = *wants, .at = w->number, .left = w->sessions.hub->worker_count};
    r->mail.run = run_evict;
    loop_post(w->loop, &r->mail);
}

/* Pools that are to be open before their first client comes; their minimum is kept from then on. */
static void warm_up(struct worker *w, const struct config_database *db, struct bytes user) {
    const struct config *c = w->snapshot->config;
    struct bytes database = bytes_str(db->name);
    struct share_group *g = share_book_group(&w->sessions.hub->shares, c, db, database, user);
    uint32_t index = g ? share_index_of(g, w->number) : 0;
    if (!g || !atomic_load_explicit(&g->shares[index].size, memory_order_relaxed)) return;
    const struct user_secret *secret = user_store_find(c->user_store, user);
    struct err err = {0};
    const char *password = user_store_server_secret(secret);
    struct pool *p = pool_get(&w->pools, &backend_pg_proto, c, db, database, user, password, g, index, &err);
    if (!p || !variant_get(p, bytes_of(NULL, 0), &err))
        log_line(LOG_WARN, "pool", db->name, "cannot warm up: %s", err.message);
}

static void warm_all_up(struct worker *w) {
    LIST_EACH(n, &w->snapshot->config->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        const char *at = db->warm_up;
        struct bytes name;
        while (config_next_name(&at, &name)) warm_up(w, db, name);
    }
}

/* ---- the configuration ---- */

/* Some client's reads must find what any other has written: from then on all of them tell. */
static bool reads_globally(const struct config *c) {
    LIST_EACH(n, &c->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        if (db->read_write_split && db->read_consistency == CONSISTENCY_GLOBAL) return true;
    }
    return false;
}

static void adopt(struct worker *w, struct snapshot *snapshot) {
    const struct config *c = snapshot->config;
    w->snapshot = snapshot_ref(snapshot);
    w->tcp = (struct tcp_options){
        .keepalive_idle_s = c->tcp_keepalive_idle_s,
        .keepalive_interval_s = c->tcp_keepalive_interval_s,
        .keepalive_count = c->tcp_keepalive_count,
        .user_timeout_ms = c->tcp_user_timeout_ms,
    };
    w->pools.tcp = w->tcp;
    w->pools.book = &snapshot->book;
    w->pools.tls = &snapshot->tls;
    w->pools.period_us = (uint64_t)c->stats_period_ms * 1000;
    w->sessions.config = c;
    if (reads_globally(c)) session_hub_read_globally(w->sessions.hub, clock_now_us(w->loop->clock));
    w->sessions.users = snapshot->config->user_store;
    secret_book_forget(&w->sessions);
    w->sessions.tls = snapshot->tls.clients;
    for (int i = 0; i < w->listener_count; i++) listener_retune(&w->listeners[i]);
}

void worker_adopt(struct worker *w, struct snapshot *snapshot) {
    struct snapshot *old = w->snapshot;
    adopt(w, snapshot);
    LIST_EACH(n, &w->pools.all) (void)pool_reconfigure(CONTAINER_OF(n, struct pool, node), snapshot->config);
    if (w->balance.is_set) timer_set(&w->balance, balance_ms(w)); /* as it is now */
    snapshot_unref(old);
    warm_all_up(w);
}

void worker_follow(struct worker *w) {
    pool_set_follow(&w->pools, w->snapshot->config);
}

/* ---- beginning ---- */

bool worker_init(struct worker *w, uint32_t number, struct session_hub *hub, struct loop *loop, struct snapshot *snapshot,
                 const struct console_ops *console, struct err *err) {
    *w = (struct worker){.number = number, .loop = loop, .started_us = loop->now_us};
    pool_set_init(&w->pools, loop);
    session_env_init(&w->sessions, hub, number, loop, &w->pools);
    w->sessions.console = console;
    w->pools.on_waiting = on_waiting;
    w->pools.on_claim = on_claim;
    w->pools.budget_book = &hub->budgets;
    adopt(w, snapshot);
    if (!timer_init(&w->tick, loop, on_tick) || !timer_init(&w->balance, loop, on_balance))
        return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    timer_set(&w->tick, WORKER_TICK_MS);
    warm_all_up(w);
    return true;
}

static void on_accept(struct listener *li, struct stream *s, const struct addr *peer) {
    struct worker *w = li->owner;
    session_open(&w->sessions, &session_pg_proto, s, peer);
}

static void on_accept_mysql(struct listener *li, struct stream *s, const struct addr *peer) {
    struct worker *w = li->owner;
    session_open(&w->sessions, &session_my_proto, s, peer);
}

static bool listen_on(struct worker *w, const struct addr *at, bool is_mysql, struct err *err) {
    char text[ADDR_TEXT_MAX];
    if (w->listener_count == WORKER_LISTENERS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d addresses to listen on", WORKER_LISTENERS_MAX);
    struct listener *li = &w->listeners[w->listener_count];
    *li = (struct listener){.on_accept = is_mysql ? on_accept_mysql : on_accept, .owner = w, .client_speaks_first = !is_mysql,
                            .tcp = &w->tcp};
    li->port_is_shared = w->sessions.hub->worker_count > 1;
    li->is_first = w->number == 0;
    if (!listener_open(li, w->loop, at, err)) return false;
    w->listener_count++;
    if (w->number == 0 || addr_is_unix(at)) log_line(LOG_INFO, "worker", NULL, "listening on %s%s",
                                                   addr_text(at, text), is_mysql ? " for MySQL clients" : "");
    return true;
}

static bool listen_on_all(struct worker *w, const struct list *listens, bool is_mysql, struct err *err) {
    uint32_t sockets = 0;
    LIST_EACH(n, listens) {
        const struct config_listen *at = CONTAINER_OF(n, struct config_listen, node);
        struct addr addr;
        if (at->unix_path && sockets++ % w->sessions.hub->worker_count != w->number) continue;
        if (!(at->unix_path ? addr_unix(&addr, at->unix_path, err) : addr_resolve(&addr, at->host, at->port, err))) return false;
        if (!listen_on(w, &addr, is_mysql, err)) return false;
    }
    return true;
}

bool worker_listen(struct worker *w, struct err *err) {
    const struct config *c = w->snapshot->config;
    return listen_on_all(w, &c->listens, false, err) && listen_on_all(w, &c->listens_mysql, true, err);
}

/* ---- end ---- */

static void stop_listening(struct worker *w) {
    for (int i = 0; i < w->listener_count; i++) listener_close(&w->listeners[i]);
    w->listener_count = 0;
}

void worker_close_sessions(struct worker *w) {
    stop_listening(w);
    w->pools.on_waiting = NULL;
    timer_release(&w->tick);
    timer_release(&w->balance);
    session_env_release(&w->sessions);
    pool_set_stop_claims(&w->pools);
}

void worker_release(struct worker *w) {
    pool_set_release(&w->pools);
    snapshot_unref(w->snapshot);
}

void worker_drain(struct worker *w) {
    if (w->drain_by_us) return;
    stop_listening(w);
    w->drain_by_us = w->loop->now_us + (uint64_t)w->snapshot->config->drain_timeout_ms * 1000;
    session_env_drain(&w->sessions);
}

void worker_leave(struct worker *w) {
    stop_listening(w);
    w->is_leaving = true;
}
