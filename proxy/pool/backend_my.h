/*
 * backend_my.h - a connection to a MySQL or MariaDB server.
 *
 * Always with the same capabilities (BACKEND_MY_CAPS and those of its variant's key): what a client's own capabilities want
 * otherwise is made of that on the way to it: EOF packets, and OK packets without what has changed in the session.
 *
 * Source: the connection phase chapters of MySQL's and MariaDB's protocol documentation.
 */
#ifndef GILMOK_PROXY_POOL_BACKEND_MY_H
#define GILMOK_PROXY_POOL_BACKEND_MY_H

#include "proxy/auth/my_auth.h"
#include "proxy/pool/backend.h"
#include "proxy/pool/reply_my.h"
#include "proxy/pool/startup_my.h"

enum {
    /* What a status says of the session, and not of a result. */
    BACKEND_MY_LASTING = MY_STATUS_IN_TRANSACTION | MY_STATUS_AUTOCOMMIT | MY_STATUS_NO_BACKSLASH_ESCAPES | MY_STATUS_IN_READ_ONLY |
                         MY_STATUS_ANSI_QUOTES,
    BACKEND_MY_NEEDS = MY_CAP_PROTOCOL_41 | MY_CAP_SECURE_CONNECTION | MY_CAP_PLUGIN_AUTH | MY_CAP_DEPRECATE_EOF |
                       MY_CAP_SESSION_TRACK,
    BACKEND_MY_CAPS = BACKEND_MY_NEEDS | MY_CAP_LONG_PASSWORD | MY_CAP_LONG_FLAG | MY_CAP_TRANSACTIONS | MY_CAP_PLUGIN_AUTH_LENENC,
};

/* A proof that is under way: at the beginning, or when the session is begun anew. */
struct backend_my_login {
    bool has_greeting; /* and knows whom it speaks to */
    bool is_wanting_tls; /* TLS is being started; the login follows */
    bool has_switched; /* the server has asked for another plugin, which it may once */
    struct my_auth_client auth;
};

struct backend_my {
    struct backend base;
    struct backend_my_login *login; /* owned; NULL: nothing is to be proved */
    struct reply_my reply;
    uint8_t nonce[MY_NONCE_LEN]; /* of its greeting */
    char plugin[32];             /* likewise; "" where it is longer: the server will say so again */
    uint16_t status;             /* that it told last */
    uint32_t packet_left;        /* bytes of a packet whose head has been dealt with ... */
    bool rest_is_shown;          /* ... and goes to the lessee like it */
    uint32_t client_caps;        /* the lessee's */
};

extern const struct backend_proto backend_my_proto;

static inline struct backend_my *backend_my_of(struct backend *b) {
    return (struct backend_my *)b;
}

/* Whom its answers are for: a client with these capabilities. */
void backend_my_serve(struct backend *b, uint32_t client_caps);
/*
 * Notes a command whose first packet the caller sends on b->stream. False: the connection has failed (and was closed). A command of
 * several packets goes on with backend_my_note_more().
 */
MUST_USE bool backend_my_note_sent(struct backend *b, uint8_t command);
void backend_my_note_more(struct backend *b, uint8_t seq);

/* backend_my_login.c */
void backend_my_login_begin(struct backend *b);
void backend_my_login_secured(struct backend *b);
/* Takes what comes while `login` is there; returns the bytes used. */
size_t backend_my_login_received(struct backend *b, struct bytes data);
/* The session begins anew, as if it had just logged in. */
void backend_my_begin_anew(struct backend *b);

#endif
