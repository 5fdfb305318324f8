/*
 * Logins that LDAP servers or PAM decide: the question is made while the rule is at hand, and goes to the desk with the password.
 */
#include "base/log.h"
#include "proxy/extauth/desk.h"
#include "proxy/session/session_pg_login.h"

enum { TELL_AFTER_MS = 1000 };

static struct extauth_desk *desk_of(const struct session *s, enum auth_method method) {
    return method == AUTH_LDAP ? s->env->hub->ldap_desk : s->env->hub->pam_desk;
}

bool session_pg_external_prepare(struct session *s, const struct hba_rule *r) {
    char host[64];
    struct extauth_question *q = extauth_question_new(r->method, r->ldap, r->pam, s->env->config->pam_directory, s->user,
                                                      s->is_on_socket ? "[local]" : session_peer_ip_text(s, host));
    session_pg_of(s)->login->question = q;
    if (!q) session_pg_fail(s, ERR_OUT_OF_MEMORY, "out of memory");
    return q != NULL;
}

static const char *name_of(enum auth_method method) {
    return method == AUTH_LDAP ? "LDAP" : "PAM";
}

/* It has left, or login_timeout has ended it: somebody should know whom it has waited for. */
static void abandon(const struct session *s) {
    struct err err;
    uint64_t waited_ms = (s->env->loop->now_us - s->opened_us) / 1000;
    if (waited_ms < TELL_AFTER_MS) return;
    err_set(&err, ERR_CANNOT_CONNECT, "%s has given no answer in %llu ms",
            name_of(session_pg_of((struct session *)s)->login->method), (unsigned long long)waited_ms);
    session_pg_complain(s->env, s->user, "cannot log in", &err);
}

void session_pg_external_release(struct session *s) {
    struct session_pg_login *login = session_pg_of(s)->login;
    if (login->is_asked) {
        abandon(s);
        extauth_desk_forget(desk_of(s, login->method), login->question);
    } else extauth_question_free(login->question);
    login->question = NULL;
    login->is_asked = false;
    if (login->refusal.impl) timer_release(&login->refusal);
}

/* ---- the answer ---- */

static void refuse(struct session *s) {
    session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "%s authentication failed for user \"%s\"",
                    name_of(session_pg_of(s)->login->method), s->user);
}

static void on_refusal(struct timer *t) {
    struct session *s = CONTAINER_OF(t, struct session_pg_login, refusal)->client;
    if (s->state == SESSION_LOGIN) refuse(s);
}

static void refuse_in_time(struct session *s, uint32_t delay_ms) {
    struct timer *t = &session_pg_of(s)->login->refusal;
    if (delay_ms && timer_init(t, s->env->loop, on_refusal)) timer_set(t, delay_ms);
    else refuse(s);
}

static void take_answer(struct session *s, enum extauth_result result, uint32_t delay_ms, const struct err *err) {
    enum auth_method method = session_pg_of(s)->login->method;
    char label[192];
    switch (result) {
    case EXTAUTH_RIGHT:
        session_pg_login_proven(s);
        break;
    case EXTAUTH_WRONG:
        log_line(LOG_INFO, "session", session_label(s, label), "%s says no: %s", name_of(method), err->message);
        refuse_in_time(s, delay_ms);
        break;
    case EXTAUTH_FAILED:
        session_pg_complain(s->env, s->user, "cannot log in, since nobody can be asked", err);
        session_pg_fail(s, ERR_CANNOT_CONNECT, "%s authentication is not available", name_of(method));
        break;
    }
}

static void on_answer(struct mail *m) {
    struct extauth_question *q = CONTAINER_OF(m, struct extauth_question, mail);
    struct session *s = q->asker;
    enum extauth_result result = q->result;
    uint32_t delay_ms = q->delay_ms;
    struct err err = q->err;
    extauth_question_free(q);
    if (!s) return;
    session_pg_of(s)->login->question = NULL;
    session_pg_of(s)->login->is_asked = false;
    if (s->state != SESSION_LOGIN) return; /* it has left, and is not buried yet */
    take_answer(s, result, delay_ms, &err);
    if (s->state != SESSION_CLOSED) session_resume_input(s);
}

/* ---- the question ---- */

void session_pg_external_take(struct session *s, struct bytes password) {
    struct session_pg_login *login = session_pg_of(s)->login;
    struct extauth_question *q = login->question;
    struct extauth_desk *desk = desk_of(s, login->method);
    struct err err = {0};
    if (password.len == 0) {
        refuse(s); /* nobody has such a password */
        return;
    }
    if (!extauth_question_set_password(q, password)) {
        session_pg_fail(s, ERR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    q->asker = s;
    q->answer_to = s->env->loop;
    q->mail.run = on_answer;
    q->until_us = s->opened_us + (uint64_t)s->env->config->login_timeout_ms * 1000;
    login->step = LOGIN_ASKING;
    s->owes_nothing = true;
    login->is_asked = desk && extauth_desk_ask(desk, q, s->env->config->auth_threads, &err);
    if (login->is_asked) return;
    if (!desk) err_set(&err, ERR_INTERNAL, "this gilmok has no threads for it");
    take_answer(s, EXTAUTH_FAILED, 0, &err);
}
