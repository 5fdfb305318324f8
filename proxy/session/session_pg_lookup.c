/*
 * A PostgreSQL client's secret, where a server keeps it (secret_book.h).
 */
#include "proxy/auth/secret.h"
#include "proxy/session/session_pg_login.h"

void session_pg_lookup_on_known(struct session *s, enum lookup_result result, const struct lookup_answer *answer) {
    struct session_pg_login *login = session_pg_of(s)->login;
    if (result == LOOKUP_FAILED) {
        session_pg_fail(s, ERR_CANNOT_CONNECT, "authentication is not available: the server cannot be asked");
        return;
    }
    login->is_looked_up = true;
    login->has_found = result == LOOKUP_FOUND;
    if (login->has_found) login->found = answer->secret;
    session_pg_auth_ask(s);
}

/* A cluster that speaks another protocol knows other users. */
static bool is_asked(const struct session *s) {
    const struct config_cluster *c = secret_book_cluster(s);
    return c && c->protocol == PROTO_POSTGRESQL;
}

bool session_pg_lookup_is_due(const struct session *s) {
    bool is_for_console = session_pg_is_console_name(s); /* who may stop gilmok is not a server's to say */
    return !is_for_console && !user_store_find(s->env->users, bytes_str(s->user)) && is_asked(s);
}

void session_pg_lookup_begin(struct session *s) {
    struct session_pg_login *login = session_pg_of(s)->login;
    login->step = LOGIN_LOOKED_UP;
    if (!secret_book_ask(s, &login->lookup)) session_pg_fail(s, ERR_OUT_OF_MEMORY, "out of memory");
}

void session_pg_lookup_doubt(struct session *s) {
    if (session_pg_of(s)->login->is_looked_up) secret_book_doubt(s);
}

const struct user_secret *session_pg_secret(const struct session *s) {
    const struct session_pg_login *login = session_pg_of((struct session *)s)->login;
    if (login && login->is_looked_up) return login->has_found ? &login->found : NULL;
    return user_store_find(s->env->users, bytes_str(s->user));
}
