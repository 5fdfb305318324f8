/*
 * worker.h - one event loop and all that it owns: listeners, sessions, pools.
 *
 * Everything in a worker runs on its loop's thread. Other threads reach it by mail
 * (loop_post); the functions below are for its own thread, or for before that has
 * started and after it has ended. Who starts workers is the control thread (control.h).
 */
#ifndef GILMOK_PROXY_WORKER_H
#define GILMOK_PROXY_WORKER_H

#include "proxy/net/stream.h"
#include "proxy/pool/pool.h"
#include "proxy/session/session.h"
#include "proxy/snapshot.h"

enum { WORKER_LISTENERS_MAX = 16, WORKER_TICK_MS = 100 };

struct worker {
    uint32_t number;
    struct loop *loop; /* borrowed */
    struct snapshot *snapshot; /* one reference */
    struct pool_set pools;
    struct session_env sessions;
    struct listener listeners[WORKER_LISTENERS_MAX];
    int listener_count;
    struct tcp_options tcp;
    struct timer tick;
    struct timer balance;     /* set while somebody waits for a pool that others share */
    void (*on_drained)(struct worker *w); /* set by whoever drains; once, nobody is left on any worker */
    uint64_t started_us;
    uint64_t drain_by_us; /* 0: not draining */
    bool is_leaving;      /* ends when the last client has left */
    bool is_drained;
};

/* Number `number` of the hub; takes a reference of its own to the snapshot. The console may be NULL. */
MUST_USE bool worker_init(struct worker *w, uint32_t number, struct session_hub *hub, struct loop *loop, struct snapshot *snapshot,
                          const struct console_ops *console, struct err *err);
/* Its part of the configured addresses: TCP ports are opened by every worker, unix sockets by one. */
MUST_USE bool worker_listen(struct worker *w, struct err *err);
/* Closes all clients; then, when all workers have done so and no mail is left, the rest. */
void worker_close_sessions(struct worker *w);
void worker_release(struct worker *w);

/* Some cluster has another primary. */
void worker_follow(struct worker *w);
/* From now on by this snapshot. */
void worker_adopt(struct worker *w, struct snapshot *snapshot);
/* Accepts no more clients, and ends them as they become idle. */
void worker_drain(struct worker *w);
/* Accepts no more clients; on_drained follows when the last one has left. Those at the console do not count. */
void worker_leave(struct worker *w);

#endif
