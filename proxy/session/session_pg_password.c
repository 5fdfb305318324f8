/*
 * Passwords that come in clear text, checked one at a time.
 *
 * Each check runs PBKDF2: about a millisecond, and as many more as a verifier has iterations
 * above the usual 4096. It is the one piece of a login that is long enough for a flood of wrong
 * passwords to hold up everybody whom the worker serves. So there is a line, and between two checks the
 * worker serves others for three times as long as the last one took. The line is as long as max_login_conn
 * allows, and login_timeout ends the wait.
 */
#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/session/session_pg_login.h"

enum { PAUSE_FACTOR = 3 };

void session_pg_refuse_password(struct session *s) {
    session_pg_lookup_doubt(s);
    session_pg_fail(s, ERR_INVALID_PASSWORD, "password authentication failed for user \"%s\"", s->user);
}

void session_pg_password_release(struct session_pg_login *login) {
    list_remove(&login->line_node);
    if (login->password) secret_wipe(login->password, strlen(login->password));
    mem_free(login->password);
    login->password = NULL;
}

static bool has_verifier_only(const struct user_secret *secret) {
    return secret->has_verifier && !secret->password;
}

static void check(struct session *s) {
    struct session_pg_login *login = session_pg_of(s)->login;
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

static void call_next(struct session_env *env) {
    uint64_t now = clock_now_us(env->loop->clock);
    if (env->password_timer.is_set || list_is_empty(&env->password_line)) return;
    timer_set(&env->password_timer, env->password_from_us > now ? (env->password_from_us - now + 999) / 1000 : 0);
}

static void on_timer(struct timer *t) {
    struct session_env *env = CONTAINER_OF(t, struct session_env, password_timer);
    struct list *n = list_first(&env->password_line);
    if (n) {
        uint64_t from = clock_now_us(env->loop->clock);
        check(CONTAINER_OF(n, struct session_pg_login, line_node)->client);
        uint64_t to = clock_now_us(env->loop->clock);
        env->password_from_us = to + PAUSE_FACTOR * (to - from);
    }
    call_next(env);
}

void session_pg_password_take(struct session *s, struct bytes password) {
    struct session_env *env = s->env;
    struct session_pg_login *login = session_pg_of(s)->login;
    if (password.len == 0 || password.len > USER_PASSWORD_MAX) {
        session_pg_refuse_password(s); /* nobody has such a password */
        return;
    }
    bool has_timer = env->password_timer.impl || timer_init(&env->password_timer, env->loop, on_timer);
    login->password = has_timer ? mem_strdup((const char *)password.ptr, password.len) : NULL;
    if (!login->password) {
        session_pg_fail(s, ERR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    login->step = LOGIN_IN_LINE;
    s->owes_nothing = true;
    list_push_back(&env->password_line, &login->line_node);
    call_next(env);
}
