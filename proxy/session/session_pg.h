/*
 * session_pg.h - a client that speaks PostgreSQL.
 *
 * After login its messages go to the leased connection in runs, as they came. Read
 * are: every header; the statement name of Parse, Bind and Describe (to know which
 * statements live where); nothing else.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_PG_H
#define GILMOK_PROXY_SESSION_SESSION_PG_H

#include "proxy/session/session.h"
#include "proxy/wire/pg_encode.h"

enum { SESSION_PG_APP_NAME_MAX = 63 };

struct session_pg_login;

/* What happens to the client's messages when they are not relayed. */
enum discard { DISCARD_NOTHING, DISCARD_REQUEST /* the refused request, then ReadyForQuery */ };

struct session_pg {
    struct session base;            /* first */
    struct session_pg_login *login; /* owned; NULL after the login */
    char *app_name;                 /* owned; NULL = empty */
    uint64_t params_digest;         /* of the server parameters that the client believes in */
    uint32_t body_left;             /* of a message whose head was relayed or dropped */
    bool body_is_dropped;
    bool app_name_was_reset;        /* the client was told the value that a RESET left; it will be told its own again */
    enum discard discard;
    uint8_t cancel_key[4]; /* with session_pg_pid, what a CancelRequest must bring */
};

extern const struct session_proto session_pg_proto;

static inline struct session_pg *session_pg_of(struct session *s) {
    return (struct session_pg *)s;
}

/* The process id that the client is told. */
static inline uint32_t session_pg_pid(const struct session *s) {
    return (uint32_t)s->id & 0x7fffffff;
}

/* Ends the session with a protocol violation. */
void session_pg_violation(struct session *s, const char *what);

/* session_pg_login.c */
void session_pg_login_begin(struct session *s);
size_t session_pg_login_received(struct session *s, struct bytes data);
void session_pg_login_leased(struct session *s, struct backend *b);
void session_pg_login_release(struct session *s);

#endif
