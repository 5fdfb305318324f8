/*
 * worker.h - one event loop and all that it owns: listeners, sessions, pools.
 *
 * Everything in a worker runs on its loop's thread. Signals and console verbs reach
 * it through the functions here.
 */
#ifndef GILMOK_PROXY_WORKER_H
#define GILMOK_PROXY_WORKER_H

#include "proxy/config.h"
#include "proxy/net/stream.h"
#include "proxy/pool/pool.h"
#include "proxy/session/session.h"

enum { WORKER_LISTENERS_MAX = 16, WORKER_TICK_MS = 100 };

struct worker {
    struct loop *loop; /* borrowed */
    struct config *config; /* owned */
    struct pool_set pools;
    struct session_env sessions;
    struct listener listeners[WORKER_LISTENERS_MAX];
    int listener_count;
    struct tcp_options tcp;
    struct timer tick;
    void (*on_config)(const struct config *c);
    uint64_t started_us;
    uint64_t drain_by_us; /* 0: not draining */
};

/*
 * Takes over `config`. The console may be NULL. `on_config` (may be NULL) is called
 * with every configuration that comes into force, for what belongs to the process.
 */
MUST_USE bool worker_init(struct worker *w, struct loop *loop, struct config *config, const struct console_ops *console,
                          void (*on_config)(const struct config *c), struct err *err);
MUST_USE bool worker_listen(struct worker *w, struct err *err);
void worker_release(struct worker *w);

/* Accepts no more clients; the loop stops when the last one has left, or after drain_timeout. */
void worker_drain(struct worker *w);
/* Stops the loop now. */
void worker_stop(struct worker *w);
/* Reads the file again: all of it takes effect or nothing. False: err names the first thing wrong; the log has all. */
bool worker_reload(struct worker *w, struct err *err);

#endif
