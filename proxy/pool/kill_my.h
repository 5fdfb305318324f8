/*
 * kill_my.h - KILL, for a MySQL connection that gilmok gives up while the server works for it.
 *
 * A server of MySQL's does not notice that a client has gone until it has something to send: a statement that took longer than
 * query_timeout would go on, with its locks. So gilmok logs in once more, as the same user, and ends the session there. When that
 * cannot be done, the statement runs to its end.
 */
#ifndef GILMOK_PROXY_POOL_KILL_MY_H
#define GILMOK_PROXY_POOL_KILL_MY_H

#include "proxy/pool/backend_my.h"

enum { KILL_MY_MAX = 32 /* at a time, of one worker; further ones are not sent */ };

/* Of the server's session behind `b`, which is logged in, and is about to be closed. */
void kill_my_send(struct backend *b);

#endif
