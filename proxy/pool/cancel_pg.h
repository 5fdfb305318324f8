/*
 * cancel_pg.h - a CancelRequest on its way to the server.
 *
 * A cancel that is late must never meet another client's query. So until the server
 * has closed the cancel connection (then its signal is delivered) the server
 * connection is not given to anybody else (backend.cancels_open), and the request is
 * sent only if the lessee it is meant for is still being served there: by the group that
 * was the next to be answered when the request was made, and with no statement of
 * gilmok's own before it. When that close does not come, in time or at all, the server
 * connection is closed instead.
 */
#ifndef GILMOK_PROXY_POOL_CANCEL_PG_H
#define GILMOK_PROXY_POOL_CANCEL_PG_H

#include "proxy/pool/backend_pg.h"

/*
 * Cancels what `b` is doing for lessee `lessee_id`; 0: whatever it is doing, for a
 * connection that is about to be closed and will serve nobody else. `on_done` (may be
 * NULL) is called once when it is over, at the latest after connect_timeout, and never
 * inside this call; `was_sent`: the server may have got it. False: no connection could be
 * made, and on_done is not called.
 */
bool cancel_pg_send(struct backend *b, uint64_t lessee_id, void (*on_done)(void *ctx, bool was_sent), void *ctx);

#endif
