/*
 * loop_event.h - the loop over real sockets, with libevent.
 */
#ifndef GILMOK_PROXY_NET_LOOP_EVENT_H
#define GILMOK_PROXY_NET_LOOP_EVENT_H

#include "proxy/net/loop.h"

MUST_USE bool loop_event_init(struct loop *l, const struct clock_ops *clock, struct err *err);

/* Runs `on_signal` on the loop's thread when `signo` arrives. At most 4 signals. */
MUST_USE bool loop_event_signal(struct loop *l, int signo, void (*on_signal)(int signo, void *ctx), void *ctx);

#endif
