/*
 * session_pg_login.h - what the files of a PostgreSQL client's login share.
 *
 *      session_pg_first.c   encryption requests, startup packet    who it says it is
 *      session_pg_auth.c    the method's messages                  that it is who it says
 *      session_pg_login.c   pool, greeting                         what it may use
 *
 * Each hands over to the next; none goes back.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_PG_LOGIN_H
#define GILMOK_PROXY_SESSION_SESSION_PG_LOGIN_H

#include "proxy/session/session_pg.h"

enum login_step { LOGIN_FIRST, LOGIN_SASL_INITIAL, LOGIN_SASL_RESPONSE, LOGIN_PROVEN };

struct session_pg_login {
    enum login_step step;
    bool saw_ssl;
    bool saw_gssenc;
    bool is_mock;        /* the user does not exist */
    bool is_replication; /* a connection of its own, for the replication protocol */
    bool has_long_key;   /* it speaks protocol 3.2 */
    struct cancel_wait *cancel; /* this connection brought a CancelRequest that is under way */
    struct scram_server scram;
    struct writer params; /* "name\0value\0"..., sorted: the variant's key */
};

/* Ends the session with a FATAL error. */
PRINTF_LIKE(3, 4) void session_pg_fail(struct session *s, const char *sqlstate, const char *fmt, ...);

static inline bool session_pg_is_in_clear(const struct session *s) {
    return !stream_has_tls(s->stream);
}

/* session_pg_first.c: of `data` what was used; in step LOGIN_FIRST. */
size_t session_pg_first_received(struct session *s, struct bytes data);

/* session_pg_auth.c: the startup packet is read; it asks for the proof, or needs none. */
void session_pg_auth_begin(struct session *s);
size_t session_pg_auth_received(struct session *s, struct bytes data);

/* session_pg_login.c: the client is who it says. */
void session_pg_login_proven(struct session *s);

#endif
