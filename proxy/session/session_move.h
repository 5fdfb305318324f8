/*
 * session_move.h - a client goes to another worker.
 *
 * After login to the share of its pool that has fewest clients; later, while it waits for
 * a server connection, to one that would serve it sooner (pool/balance.h). Its socket, its
 * unread input and everything it is known by go along; a lease never does. A client that
 * holds a server connection or whose output waits for the socket stays.
 *
 *      here: leave the line and the variant, pack, detach the stream   --mail-->
 *      there: attach the stream, unpack, join the variant, go on where it was
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_MOVE_H
#define GILMOK_PROXY_SESSION_SESSION_MOVE_H

#include "proxy/session/session.h"

/*
 * To share number `index` of its group. Not inside a handler of its stream. False: it
 * stays as it is; or, when its stream broke meanwhile, it is closed.
 */
bool session_move(struct session *s, uint32_t index);
/* The same at the end of the event, or as soon as it can, within login_timeout of its latest state. */
void session_move_soon(struct session *s, uint32_t index);

#endif
