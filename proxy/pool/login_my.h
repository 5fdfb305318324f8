/*
 * login_my.h - the login to a MySQL or MariaDB server, as a conversation. Pure.
 *
 *      greeting -> (TLS) -> login -> (other plugin | more)* -> OK
 *                    COM_CHANGE_USER -> (other plugin | more)* -> OK
 *
 * Servers are hostile input too: plugins that would have the password told are not known, and the password leaves as it is only to
 * who cannot be somebody else (my_auth.h). Whoever moves the packets sees to it that none is longer than MY_LOGIN_MAX, and that
 * nothing comes behind one but what belongs to it. Sentences in `err` tell of the server as "it".
 *
 * Source: the connection phase chapters of MySQL's and MariaDB's protocol documentation.
 */
#ifndef GILMOK_PROXY_POOL_LOGIN_MY_H
#define GILMOK_PROXY_POOL_LOGIN_MY_H

#include "proxy/auth/my_auth.h"
#include "proxy/wire/my_decode.h"

enum {
    /* A server without them is too old. */
    LOGIN_MY_NEEDS = MY_CAP_PROTOCOL_41 | MY_CAP_SECURE_CONNECTION | MY_CAP_PLUGIN_AUTH | MY_CAP_DEPRECATE_EOF |
                     MY_CAP_SESSION_TRACK,
    LOGIN_MY_CAPS = LOGIN_MY_NEEDS | MY_CAP_LONG_PASSWORD | MY_CAP_LONG_FLAG | MY_CAP_TRANSACTIONS | MY_CAP_PLUGIN_AUTH_LENENC,
    LOGIN_MY_SAYS_MAX = MY_LOGIN_MAX, /* bytes that `out` must have room for */
};

/* Who logs in, and how. Borrowed for the call. */
struct login_my_who {
    const char *user;
    const char *password; /* may be empty, not NULL */
    const uint8_t *native_key; /* SHA1(password), where that is all that is known; else NULL */
    const char *schema;   /* NULL: none */
    uint32_t caps;        /* wanted besides LOGIN_MY_CAPS */
    uint32_t mariadb_caps; /* wanted of MariaDB; a server without them is refused, with ERR_INVALID_PARAMETER */
    uint8_t collation;
    bool wants_tls;
    struct my_auth_way way; /* as it is now */
};

/* What is known of the server since its greeting. */
struct login_my_server {
    uint32_t thread_id; /* of this connection there */
    uint8_t nonce[MY_NONCE_LEN];
    char plugin[32]; /* "" where it is longer: the server will say so again */
};

/* All zero: nothing was said yet. Secret; wiped by who calls. */
struct login_my {
    bool has_greeting;   /* and knows whom it speaks to */
    bool is_wanting_tls; /* TLS is being started; the login follows */
    bool has_switched;   /* the server has asked for another plugin, which it may once */
    struct my_auth_client auth;
};

enum login_my_step {
    LOGIN_MY_READ,    /* nothing to say */
    LOGIN_MY_SEND,    /* `out` */
    LOGIN_MY_SECURE,  /* `out`, then TLS; when that stands: login_my_secured() */
    LOGIN_MY_DONE,    /* the packet was the OK */
    LOGIN_MY_REFUSED, /* the packet is an ERR */
    LOGIN_MY_FAILED,  /* err says why; nothing more is said */
};

/* A packet of the server's. `out`: a writer for LOGIN_MY_SAYS_MAX bytes; what stands in it may be secret. */
MUST_USE enum login_my_step login_my_take(struct login_my *l, struct login_my_server *server, const struct login_my_who *who,
                                          uint8_t seq, struct bytes payload, struct writer *out, struct err *err);
MUST_USE enum login_my_step login_my_secured(struct login_my *l, const struct login_my_server *server,
                                             const struct login_my_who *who, struct writer *out, struct err *err);
/* COM_CHANGE_USER on a connection that has been logged in before: `l` is new. */
MUST_USE enum login_my_step login_my_again(struct login_my *l, const struct login_my_server *server, const struct login_my_who *who,
                                           struct writer *out, struct err *err);
/* "More" comes in front of what it announces, without an answer between them. */
static inline bool login_my_goes_on(struct bytes payload) {
    return payload.len && payload.ptr[0] == MY_MARK_MORE_AUTH;
}

#endif
