/*
 * loop_event.h - the loop over real sockets, with libevent.
 */
#ifndef GILMOK_PROXY_NET_LOOP_EVENT_H
#define GILMOK_PROXY_NET_LOOP_EVENT_H

#include "proxy/net/loop.h"

MUST_USE bool loop_event_init(struct loop *l, const struct clock_ops *clock, struct err *err);

/* Runs `on_signal` on the loop's thread when `signo` arrives. At most 4 signals. */
MUST_USE bool loop_event_signal(struct loop *l, int signo, void (*on_signal)(int signo, void *ctx), void *ctx);

/*
 * The descriptor of a library that does its own I/O (libpq): when it can be read, or written as well, `on_ready` runs once. Watched
 * anew for the next time; the descriptor may be another one then.
 */
struct loop_watch {
    struct loop *loop;
    void (*on_ready)(struct loop_watch *w);
    void *impl; /* NULL: nothing is watched */
};
MUST_USE bool loop_event_watch(struct loop_watch *w, struct loop *l, int fd, bool for_write,
                               void (*on_ready)(struct loop_watch *w));
void loop_event_unwatch(struct loop_watch *w); /* before the descriptor is closed; fine where nothing is watched */

#endif
