/*
 * cancel_pg.h - a CancelRequest on its way to the server, on a connection of its own.
 *
 * A cancel that is late must never meet another client's query. So until the server
 * has closed the cancel connection (then its signal is delivered) the server
 * connection is not given to anybody else (backend.cancels_open), and the request is
 * sent only if the lessee it is meant for is still being served there. When that
 * close does not come, in time or at all, the server connection is closed instead.
 */
#ifndef GILMOK_PROXY_POOL_CANCEL_PG_H
#define GILMOK_PROXY_POOL_CANCEL_PG_H

#include "proxy/pool/backend_pg.h"

struct cancel_pg;

/*
 * Cancels what `b` is doing for lessee `lessee_id`; 0: whatever it is doing, for a
 * connection that is about to be closed and will serve nobody else. `on_done` (may be
 * NULL) is called once when it is over, at the latest after connect_timeout, and never
 * inside this call. NULL: no connection could be made; the log says why.
 */
struct cancel_pg *cancel_pg_send(struct backend *b, uint64_t lessee_id, void (*on_done)(void *ctx), void *ctx);

/* Who asked has left: on_done is not called. The request goes on, for the server may have it already. */
void cancel_pg_detach(struct cancel_pg *c);

#endif
