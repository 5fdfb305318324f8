/*
 * cancel_conn.h - a short connection of its own that carries a CancelRequest: to a
 * server (cancel_pg.h), or to another gilmok whose client's key was brought here.
 *
 * Connect, ask whether the request is still meant, send it, wait for the peer's close:
 * that close says that the request has been dealt with.
 */
#ifndef GILMOK_PROXY_POOL_CANCEL_CONN_H
#define GILMOK_PROXY_POOL_CANCEL_CONN_H

#include "base/bytes.h"
#include "proxy/net/addr.h"

enum { CANCEL_REQUEST_MAX = 12 + 256 };

struct pool_set;

struct cancel_target {
    const struct addr *addr;
    struct tls_context *tls; /* NULL: in clear */
    const char *host; /* whom its certificate must name */
    const char *name; /* for the log */
};

/*
 * `request` (at most CANCEL_REQUEST_MAX bytes) is copied; it leaves as the policy of its
 * target says, never in clear where that asks for TLS. `is_meant` (may be NULL) is
 * asked when the connection stands. `on_end` is called once, never inside this call, at
 * the latest after timeout_ms or when the pools are released; `is_certain`: nothing is on
 * its way to the peer any more. False: no connection could be made; the log says why
 * under to->name, and on_end is not called.
 */
MUST_USE bool cancel_conn_open(struct pool_set *set, const struct cancel_target *to, uint32_t timeout_ms, struct bytes request,
                               bool (*is_meant)(void *ctx), void (*on_end)(void *ctx, bool is_certain), void *ctx);

#endif
