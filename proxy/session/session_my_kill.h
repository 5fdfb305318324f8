/*
 * session_my_kill.h - KILL with the thread id that a client was greeted with.
 *
 * That id is gilmok's own; the server knows the client by another one, which may be at any worker. So the client that kills waits
 * while the worker is found where the other client is, and what it has sent goes to the server with the server's id in it. The
 * server judges whether it may. Until it has answered, the connection that is meant cannot come to another client.
 *
 *      KILL [HARD | SOFT] [CONNECTION | QUERY] id    as a command of its own, in a Query of one statement
 *      COM_PROCESS_KILL id
 *
 * Ids below 2^31 are the server's, and go there as they are.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_MY_KILL_H
#define GILMOK_PROXY_SESSION_SESSION_MY_KILL_H

#include "proxy/session/session_my.h"

enum {
    SESSION_MY_THREAD_BASE = 1u << 31, /* gilmok's own thread ids begin here: servers' are smaller */
    SESSION_MY_KILL_MAX = 512,         /* a longer command is taken for no KILL */
};

/* The id that a client is greeted with. */
uint32_t session_my_thread_id(const struct session *s);

enum session_my_kill_result {
    KILL_NONE,    /* it is no such command: it goes as it is */
    KILL_WAITS,   /* keep it; the session goes on by itself */
    KILL_UNKNOWN, /* nobody has that id */
    KILL_FOREIGN, /* it is another user's of gilmok, whom the server takes for the same one */
    KILL_SENDS,   /* `out` is the packet to send in its place */
};

/* True where the command could be one: the caller has all of it in hand then, or waits for it. `first`: what is in hand of it. */
bool session_my_kill_may_be(const struct my_header *h, struct bytes first);
/* The client has a connection. */
enum session_my_kill_result session_my_kill_take(struct session *s, struct bytes payload, struct writer *out, uint32_t *thread);
/* The server has answered it, or the client has left. */
void session_my_kill_end(struct session *s);

#endif
