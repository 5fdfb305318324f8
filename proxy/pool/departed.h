/*
 * departed.h - connections whose lessee has left before all its answers were in.
 *
 * What was asked runs to its end on the server in any case. When that is soon, the connection need not be given up: it is leased to
 * nobody, who throws the answers away, and then released like any other, to be cleaned. So clients that leave in the middle, or
 * break the protocol, do not cost the others a login at the server each.
 *
 * Only what a server can end alone is waited for: no message half sent, no open group, no COPY from the client; for a moment, and
 * for a bounded number of bytes. Otherwise the connection is closed. Only changes of the database's code (DDL of functions) are
 * waited for as long as they take, since what is known of that code is out of date from the moment on when they are over.
 */
#ifndef GILMOK_PROXY_POOL_DEPARTED_H
#define GILMOK_PROXY_POOL_DEPARTED_H

#include "proxy/pool/pool.h"

enum {
    DEPARTED_MS = 100, /* by the pools' tick: up to twice as long */
    DEPARTED_BYTES_MAX = 256 << 10,
};

/* Takes over a connection that nobody leases any more. False: it is not to be waited for. */
MUST_USE bool departed_take(struct backend *b);

/* For pool_set_tick(): closes those that take too long. */
void departed_expire(struct pool_set *set);
void departed_close(struct pool_set *set); /* all of them, now */

#endif
