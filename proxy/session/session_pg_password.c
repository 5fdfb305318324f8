/*
 * Passwords that come in clear text, checked one at a time (password_line.h).
 */
#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/session/session_pg_login.h"

void session_pg_refuse_password(struct session *s) {
    session_pg_lookup_doubt(s);
    session_pg_fail(s, ERR_INVALID_PASSWORD, "password authentication failed for user \"%s\"", s->user);
}

void session_pg_password_release(struct session_pg_login *login) {
    password_line_leave(&login->turn);
    if (login->password) secret_wipe(login->password, strlen(login->password));
    mem_free(login->password);
    login->password = NULL;
}

static bool has_verifier_only(const struct user_secret *secret) {
    return secret->has_verifier && !secret->password;
}

void session_pg_password_check(struct password_turn *t) {
    struct session_pg_login *login = CONTAINER_OF(t, struct session_pg_login, turn);
    struct session *s = login->client;
    struct bytes user = bytes_str(s->user);
    if (s->state != SESSION_LOGIN) { /* it has left, and is not buried yet */
        session_pg_password_release(login);
        return;
    }
    const struct user_secret *secret = session_pg_secret(s);
    struct err err = {0};
    bool is_right;
    bool is_checked = user_store_check_password(s->env->users, user, secret, login->password, &is_right, &err);
    bool wants_keys = is_checked && is_right && has_verifier_only(secret);
    if (wants_keys && !scram_verifier_keys(&secret->verifier, login->password, &login->keys))
        is_checked = err_set(&err, ERR_INTERNAL, "the crypto library failed");
    session_pg_password_release(login);
    if (!is_checked) {
        log_line(LOG_ERROR, "session", NULL, "no password can be checked: %s", err.message);
        session_pg_fail(s, ERR_INTERNAL, "authentication is not available");
    } else if (!is_right) {
        session_pg_refuse_password(s);
    } else {
        session_pg_login_proven(s);
    }
}

void session_pg_password_take(struct session *s, struct bytes password) {
    struct session_pg_login *login = session_pg_of(s)->login;
    if (password.len == 0 || password.len > USER_PASSWORD_MAX) {
        session_pg_refuse_password(s); /* nobody has such a password */
        return;
    }
    login->password = mem_strdup((const char *)password.ptr, password.len);
    if (!login->password || !password_line_join(s->env, &login->turn)) {
        session_pg_fail(s, ERR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    login->step = LOGIN_IN_LINE;
    s->owes_nothing = true;
}
