/*
 * session_pg_login.h - what the files of a PostgreSQL client's login share.
 *
 *      session_pg_first.c      encryption requests, startup packet    who it says it is
 *      session_pg_auth.c       the method's messages                  that it is who it says
 *      session_pg_lookup.c     its secret, where a server keeps it
 *      session_pg_password.c   the check of a password in clear
 *      session_pg_external.c   the same, by LDAP servers or PAM
 *      session_pg_login.c      pool, greeting                         what it may use
 *
 * Each hands over to the next; none goes back.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_PG_LOGIN_H
#define GILMOK_PROXY_SESSION_SESSION_PG_LOGIN_H

#include "proxy/extauth/desk.h"
#include "proxy/session/password_line.h"
#include "proxy/session/secret_book.h"
#include "proxy/session/session_pg.h"

enum login_step {
    LOGIN_FIRST,
    LOGIN_LOOKED_UP, /* a server is asked for the user's secret */
    LOGIN_SASL_INITIAL,
    LOGIN_SASL_RESPONSE,
    LOGIN_MD5,
    LOGIN_PASSWORD,
    LOGIN_IN_LINE, /* the password is here, and is checked in its turn */
    LOGIN_ASKING,  /* the password is here, and somebody else is asked about it */
    LOGIN_PROVEN,
};

struct session_pg_login {
    enum login_step step;
    bool saw_ssl;
    bool saw_gssenc;
    bool is_mock;        /* the user does not exist */
    bool is_replication; /* a connection of its own, for the replication protocol */
    bool is_physical;    /* ... of the whole server: it is connected to no database */
    bool has_long_key;   /* it speaks protocol 3.2 */
    struct cancel_wait *cancel; /* this connection brought a CancelRequest that is under way */
    struct scram_server scram;
    struct scram_keys keys; /* what its proof has told: a server with the same verifier takes it; secret */
    uint8_t salt[MD5_SALT_LEN];
    struct session *client;
    enum auth_method method;   /* that counts for it */
    struct secret_wait lookup;
    struct user_secret found;  /* what the server keeps; no password in clear; secret */
    bool is_looked_up, has_found;
    struct password_turn turn; /* of the password that came whole */
    char *password;            /* owned, secret; NULL: none is kept */
    struct extauth_question *question; /* for LDAP servers or PAM; owned, or the desk's when it is asked; NULL: none */
    bool is_asked;
    struct timer refusal;  /* of a wrong password, when PAM wants it to wait */
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

/* Its method is known, and the secret if it needs one. */
void session_pg_auth_ask(struct session *s);

/* session_pg_lookup.c */
void session_pg_lookup_on_known(struct session *s, enum lookup_result result, const struct lookup_answer *answer);
/* True when only a server can know the user's secret. */
bool session_pg_lookup_is_due(const struct session *s);
/* Goes on with session_pg_auth_ask(), now or later. */
void session_pg_lookup_begin(struct session *s);
/* The proof was wrong: the secret may be another one by now. */
void session_pg_lookup_doubt(struct session *s);
/* The user's secret, from the user file or from a server. NULL: it has none, or does not exist. */
const struct user_secret *session_pg_secret(const struct session *s);

/* session_pg_password.c: checks it, in its turn. */
void session_pg_password_take(struct session *s, struct bytes password);
void session_pg_password_check(struct password_turn *t);
void session_pg_password_release(struct session_pg_login *login);
void session_pg_refuse_password(struct session *s);

/* session_pg_external.c: the rule is about LDAP or PAM. False: it has ended. */
MUST_USE bool session_pg_external_prepare(struct session *s, const struct hba_rule *r);
void session_pg_external_take(struct session *s, struct bytes password);
void session_pg_external_release(struct session *s);

/* session_pg_login.c: why somebody cannot log in who might be right; a line a second. */
void session_pg_complain(struct session_env *env, const char *user, const char *what, const struct err *err);

/* session_pg_login.c: it wants the console. */
bool session_pg_is_console_name(const struct session *s);
/* session_pg_login.c: the client is who it says. */
void session_pg_login_proven(struct session *s);

#endif
