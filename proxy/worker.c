/*
 * Puts the parts together: accepted streams become sessions, ticks become timeouts.
 */
#include "proxy/worker.h"

#include <string.h>

#include "base/log.h"
#include "proxy/session/session_pg.h"

static struct worker *worker_of(struct timer *t) {
    return CONTAINER_OF(t, struct worker, tick);
}

static void on_tick(struct timer *t) {
    struct worker *w = worker_of(t);
    pool_set_tick(&w->pools);
    session_env_tick(&w->sessions);
    if (w->drain_by_us) {
        bool is_empty = w->sessions.session_count == 0 && w->sessions.login_count == 0;
        if (is_empty || w->loop->now_us > w->drain_by_us) {
            log_line(LOG_INFO, "worker", NULL, is_empty ? "all clients have left" : "drain_timeout: closing the rest");
            worker_stop(w);
            return;
        }
    }
    timer_set(t, WORKER_TICK_MS);
}

static void on_accept(struct listener *li, struct stream *s, const struct addr *peer) {
    struct worker *w = li->owner;
    session_open(&w->sessions, &session_pg_proto, s, peer);
}

static void adopt_config(struct worker *w, struct config *c) {
    w->config = c;
    w->tcp = (struct tcp_options){
        .keepalive_idle_s = c->tcp_keepalive_idle_s,
        .keepalive_interval_s = c->tcp_keepalive_interval_s,
        .keepalive_count = c->tcp_keepalive_count,
        .user_timeout_ms = c->tcp_user_timeout_ms,
    };
    w->pools.tcp = w->tcp;
    for (int i = 0; i < w->listener_count; i++) listener_retune(&w->listeners[i]);
    pool_set_resolve(&w->pools, c);
    w->sessions.config = c;
    w->sessions.users = &c->user_store;
    if (w->on_config) w->on_config(c);
}

bool worker_init(struct worker *w, struct loop *loop, struct config *config, const struct console_ops *console,
                 void (*on_config)(const struct config *c), struct err *err) {
    *w = (struct worker){.loop = loop, .started_us = loop->now_us, .on_config = on_config};
    pool_set_init(&w->pools, loop);
    session_env_init(&w->sessions, loop, &w->pools);
    w->sessions.console = console;
    user_store_warm(&config->user_store, NULL);
    adopt_config(w, config);
    if (!timer_init(&w->tick, loop, on_tick)) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    timer_set(&w->tick, WORKER_TICK_MS);
    return true;
}

static bool listen_on(struct worker *w, const struct config_listen *at, struct err *err) {
    struct addr addr;
    char text[ADDR_TEXT_MAX];
    if (w->listener_count == WORKER_LISTENERS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d addresses to listen on", WORKER_LISTENERS_MAX);
    if (!(at->unix_path ? addr_unix(&addr, at->unix_path, err) : addr_resolve(&addr, at->host, at->port, err))) return false;
    struct listener *li = &w->listeners[w->listener_count];
    *li = (struct listener){.on_accept = on_accept, .owner = w, .client_speaks_first = true, .tcp = &w->tcp};
    if (!listener_open(li, w->loop, &addr, err)) return false;
    w->listener_count++;
    log_line(LOG_INFO, "worker", NULL, "listening on %s", addr_text(&addr, text));
    return true;
}

bool worker_listen(struct worker *w, struct err *err) {
    LIST_EACH(n, &w->config->listens)
        if (!listen_on(w, CONTAINER_OF(n, struct config_listen, node), err)) return false;
    return true;
}

static void stop_listening(struct worker *w) {
    for (int i = 0; i < w->listener_count; i++) listener_close(&w->listeners[i]);
    w->listener_count = 0;
}

void worker_release(struct worker *w) {
    stop_listening(w);
    timer_release(&w->tick);
    session_env_release(&w->sessions);
    pool_set_release(&w->pools);
    config_free(w->config);
}

void worker_drain(struct worker *w) {
    if (w->drain_by_us) return;
    log_line(LOG_INFO, "worker", NULL, "draining %u clients", w->sessions.session_count);
    stop_listening(w);
    w->drain_by_us = w->loop->now_us + (uint64_t)w->config->drain_timeout_ms * 1000;
    session_env_drain(&w->sessions);
}

void worker_stop(struct worker *w) {
    loop_stop(w->loop);
}

static void report(const struct config_findings *findings, struct err *err) {
    LIST_EACH(n, &findings->all) {
        struct config_finding *f = CONTAINER_OF(n, struct config_finding, node);
        log_line(f->is_error ? LOG_ERROR : LOG_WARN, "config", NULL, "%s:%d: %s. %s", f->file, f->line, f->message, f->advice);
        if (f->is_error && !err_is_set(err)) err_set(err, ERR_CONFIG, "%.120s:%d: %.120s", f->file, f->line, f->message);
    }
}

bool worker_reload(struct worker *w, struct err *err) {
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *fresh = config_load(w->config->path, &findings);
    report(&findings, err);
    config_findings_release(&findings);
    if (!fresh) {
        log_line(LOG_ERROR, "config", NULL, "reload refused: the configuration in force stays");
        return false;
    }
    struct config *old = w->config;
    user_store_warm(&fresh->user_store, &old->user_store);
    adopt_config(w, fresh);
    LIST_EACH(n, &w->pools.all) (void)pool_reconfigure(CONTAINER_OF(n, struct pool, node), fresh);
    config_free(old);
    log_line(LOG_INFO, "config", NULL, "reloaded %s", fresh->path);
    return true;
}
