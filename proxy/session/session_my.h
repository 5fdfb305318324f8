/*
 * session_my.h - a MySQL client.
 *
 * It is greeted before it has said who it is, and logs in to gilmok by the user file. From then on it has a server connection of
 * its own until it leaves (pool_mode = session is all there is). One command is under way at a time: a client that sends more
 * before it has its answer waits for it.
 *
 * Source: the protocol chapters of MySQL's and MariaDB's server documentation.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_MY_H
#define GILMOK_PROXY_SESSION_SESSION_MY_H

#include "proxy/auth/my_auth.h"
#include "proxy/session/session.h"
#include "proxy/wire/my_encode.h"

enum {
    /* What gilmok offers to clients; TLS where there is any. */
    SESSION_MY_CAPS = MY_CAP_LONG_PASSWORD | MY_CAP_FOUND_ROWS | MY_CAP_LONG_FLAG | MY_CAP_CONNECT_WITH_DB | MY_CAP_NO_SCHEMA |
                      MY_CAP_ODBC | MY_CAP_IGNORE_SPACE | MY_CAP_PROTOCOL_41 | MY_CAP_INTERACTIVE | MY_CAP_IGNORE_SIGPIPE |
                      MY_CAP_TRANSACTIONS | MY_CAP_RESERVED | MY_CAP_SECURE_CONNECTION | MY_CAP_MULTI_STATEMENTS |
                      MY_CAP_MULTI_RESULTS | MY_CAP_PS_MULTI_RESULTS | MY_CAP_PLUGIN_AUTH | MY_CAP_CONNECT_ATTRS |
                      MY_CAP_PLUGIN_AUTH_LENENC | MY_CAP_SESSION_TRACK | MY_CAP_DEPRECATE_EOF,
    SESSION_MY_DROPS_MAX = 32 << 10, /* a command that is refused may be so long; a longer one ends the session */
};

enum session_my_step {
    MY_LOGIN_FIRST,  /* the client's login, or its request for TLS, comes next */
    MY_LOGIN_ANSWER, /* its answer to another plugin */
    MY_LOGIN_PROVEN,
};

/* Until it is greeted. */
struct session_my_login {
    enum session_my_step step;
    enum my_auth_plugin plugin; /* that it was asked for */
    uint8_t collation;
    bool has_schema;
    uint8_t next_seq; /* of the packet that the client sends next */
};

struct session_my {
    struct session base;
    struct session_my_login *login; /* owned; NULL behind it */
    uint8_t nonce[MY_NONCE_LEN]; /* of the greeting and of all proofs: libraries in C answer COM_CHANGE_USER's question with it */
    uint32_t caps;        /* as agreed */
    uint8_t command_seq;  /* of the latest packet of the command that is coming in */
    bool goes_on;         /* ... which goes on in a further packet */
    bool is_dropped;      /* ... and goes nowhere */
    bool drops_next;      /* the command that stands first in what is kept was refused */
    uint32_t packet_left; /* bytes of a packet whose head is dealt with */
    struct kill_question *kill; /* answered; owned; NULL: none is */
    bool asks_kill;       /* one is under way (session_my_kill.h) */
};

extern const struct session_proto session_my_proto;

static inline struct session_my *session_my_of(struct session *s) {
    return (struct session_my *)s;
}

/* session_my_say.c: in the client's language, as the packet that it expects next */
void session_my_tell(struct session *s, const struct err *err, bool is_fatal);
void session_my_error(struct session *s, uint16_t number, const char *sqlstate, const char *text);
/* Tells, and ends the session. */
void session_my_fail(struct session *s, uint16_t number, const char *sqlstate, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* session_my_login.c */
void session_my_open(struct session *s);
size_t session_my_login_received(struct session *s, struct bytes data);
/* COM_CHANGE_USER, behind its first byte. Nothing of the client's is under way. */
void session_my_change_user(struct session *s, struct bytes body);
void session_my_login_leased(struct session *s, struct backend *b);
void session_my_on_arrived(struct session *s, struct bytes key);
void session_my_login_release(struct session *s);

#endif
