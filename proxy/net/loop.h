/*
 * loop.h - one event loop: what a worker's world turns on.
 *
 * This is the seam. Above it nobody sees a file descriptor, EAGAIN or libevent:
 * sessions and server connections are streams (stream.h) that report bytes that
 * have arrived and take bytes to send. Below it stands a `struct loop_ops`: the
 * libevent one (loop_event.h) or a simulated network (tests/sim). A backend that
 * completes operations by itself (io_uring) fits under the same table.
 *
 * A turn of the loop, and the order that the rest of gilmok relies on:
 *
 *      wait for events
 *      for each event:  the handler of its stream, listener or timer
 *                       then loop_settle(): deferred tasks, until there are none
 *                                           then every stream with new output is
 *                                           flushed: one send per hop
 *      end of turn:     what was closed is freed (nothing dies under a caller's feet)
 *
 * Everything runs on the loop's thread. Handlers may call anything here. Threads
 * speak to each other by mail alone: loop_post().
 */
#ifndef GILMOK_PROXY_NET_LOOP_H
#define GILMOK_PROXY_NET_LOOP_H

#include <sys/uio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/slab.h"
#include "proxy/net/addr.h"
#include "proxy/net/buf.h"

struct loop;
struct stream;
struct listener;

/* Work that must not run inside somebody else's callback; runs in loop_settle(). */
struct task {
    struct list node;
    void (*run)(struct task *t);
};

/* Work for the thread of a loop, posted by any thread; the order of one poster's mails is kept. */
struct mail {
    struct mail *next;
    void (*run)(struct mail *m); /* on the loop's thread, as an event of its own; `m` is the runner's again */
};

/* A connection without its loop: what a backend needs to go on with it on another. */
union link {
    int fd;
    void *ptr;
};

/* The process that has opened the other end of a unix socket, as it was then. */
struct peer_process {
    uint32_t uid; /* the system user */
    uint32_t pid; /* 0: it is not of this system's view */
};

struct timer {
    struct loop *loop;
    void (*on_fire)(struct timer *t);
    void *impl; /* owned by the backend */
    bool is_set;
};

/* The result of moving bytes: a count, or one of these. */
enum { IO_AGAIN = -1, IO_FAILED = -2 };

/* TCP behaviour of new streams. Zero values leave the system's default. */
struct tcp_options {
    uint32_t keepalive_idle_s;
    uint32_t keepalive_interval_s;
    uint32_t keepalive_count;
    uint32_t user_timeout_ms;
};

/* What a backend must do. `stream_size` bytes are taken from a slab for each stream; struct stream stands first in them. */
struct loop_ops {
    const char *name;
    size_t stream_size;
    bool (*turn)(struct loop *l); /* one wait-and-dispatch; false when nothing can ever happen again */
    void (*stop)(struct loop *l); /* makes turn return soon */
    void (*release)(struct loop *l);

    /* > 0 bytes moved, 0 = the peer has closed (recv), or IO_AGAIN, IO_FAILED with s->error set. */
    ssize_t (*recv)(struct stream *s, void *into, size_t cap);
    ssize_t (*send)(struct stream *s, const struct iovec *iov, int iov_count);
    /* Declares interest; called only when it changes. */
    void (*watch)(struct stream *s, bool want_read, bool want_write);
    bool (*connect)(struct stream *s, const struct addr *to, const struct tcp_options *tcp, struct err *err);
    void (*shutdown)(struct stream *s); /* no more output; input goes on */
    void (*close)(struct stream *s);
    /* The stream lets go of its connection, and another one, perhaps of another loop, goes on with it. */
    union link (*detach)(struct stream *s);
    void (*attach)(struct stream *s, union link link);
    bool (*peer_process)(struct stream *s, struct peer_process *out); /* of a unix socket; may be NULL: there are none */
    bool (*local_addr)(struct stream *s, struct addr *out); /* this end's; may be NULL: there are none */
    void (*discard)(struct loop *l, union link link); /* closes a connection that no stream has */

    bool (*listen)(struct loop *l, struct listener *li, const struct addr *at, struct err *err);
    void (*retune)(struct listener *li); /* li->tcp has changed: for connections accepted from now on */
    void (*unlisten)(struct listener *li);

    bool (*timer_init)(struct timer *t);
    void (*timer_set)(struct timer *t, uint64_t after_ms);
    void (*timer_stop)(struct timer *t);
    void (*timer_release)(struct timer *t);

    void (*wake)(struct loop *l); /* any thread: makes the loop call loop_take_mail() soon */
};

struct loop {
    const struct loop_ops *ops;
    const struct clock_ops *clock;
    void *impl;
    uint64_t now_us; /* monotonic; read once a turn */
    bool is_stopping;

    struct buf_pool bufs;
    struct buf *recv_buf;   /* the chunk that the next recv fills, when nobody kept a reference to it */
    struct slab streams;
    struct slab out_slices;
    struct list to_flush;   /* streams with output that was not tried yet */
    struct list deferred;   /* struct task */
    _Atomic(struct mail *) inbox; /* newest first */
    struct list finishing;  /* streams whose last output is leaving, oldest first */
    struct list graveyard;  /* closed streams, freed at the end of the turn */

    uint64_t turns, recvs, sends; /* counters for SHOW and the bench */
};

/* For backends: sets up the common part around ops and impl. */
void loop_init(struct loop *l, const struct loop_ops *ops, void *impl, const struct clock_ops *clock);
/* Frees the backend and all memory; every stream, listener and timer must have been closed. */
void loop_release(struct loop *l);

/* Turns until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* The one function here that any thread may call. */
void loop_post(struct loop *l, struct mail *m);
/* For backends, after wake(); and for whoever ends a loop, until it returns false. */
bool loop_take_mail(struct loop *l);

void loop_defer(struct loop *l, struct task *t); /* no effect when it already waits */
/* For backends: after every dispatched event. */
void loop_settle(struct loop *l);
/* For backends: at the end of a turn. */
void loop_bury(struct loop *l);

static inline void task_init(struct task *t, void (*run)(struct task *)) {
    list_init(&t->node);
    t->run = run;
}
static inline void task_cancel(struct task *t) {
    list_remove(&t->node);
}

/* A timer fires once per timer_set; setting it again moves it. */
MUST_USE bool timer_init(struct timer *t, struct loop *l, void (*on_fire)(struct timer *t));
void timer_set(struct timer *t, uint64_t after_ms);
void timer_stop(struct timer *t);
void timer_release(struct timer *t);

#endif
