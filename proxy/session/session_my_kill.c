/*
 * A question goes by mail from worker to worker until one of them has the client that is meant, and back. Whoever has it holds the
 * connection for the asker (backend.cancels_open), and is told when it is needed no more.
 */
#include "proxy/session/session_my_kill.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fault.h"
#include "parser/parser.h"
#include "proxy/pool/backend_my.h"

enum { SERVER_USER_MAX = 1024 /* a longer name kills nobody */ };

struct kill_question {
    struct mail mail;
    struct session_hub *hub;
    uint64_t asker; /* its session's id, at worker */
    uint32_t home;
    uint32_t at, left; /* the worker that looks now, and how many are to look still */
    uint32_t thread;   /* as the client says */
    char user[USER_NAME_MAX + 1], server_user[SERVER_USER_MAX + 1]; /* the asker's */
    struct addr server; /* likewise: ids are those of one server */
    struct backend *target; /* that it is about; held, by the worker `at`; NULL: there is none */
    uint32_t server_id;     /* by which the server knows it */
    bool is_foreign;
};

uint32_t session_my_thread_id(const struct session *s) {
    return SESSION_MY_THREAD_BASE | ((uint32_t)s->id & ~SESSION_MY_THREAD_BASE);
}

/* ---- the text -------------------------------------------------------------------------------------------------------- */

bool session_my_kill_may_be(const struct my_header *h, struct bytes first) {
    if (h->len > SESSION_MY_KILL_MAX) return false; /* before all: it could not be kept until all of it is there */
    if (first.ptr[0] != MY_COM_QUERY) return first.ptr[0] == MY_COM_PROCESS_KILL;
    for (size_t i = 1; i < first.len; i++) {
        uint8_t c = first.ptr[i];
        if (c == ' ' || (c >= '\t' && c <= '\r')) continue;
        return c == 'k' || c == 'K' || c == '/' || c == '-' || c == '#';
    }
    return first.len < h->len; /* more of it must be seen */
}

/* Where the number of a KILL stands in its text. */
struct number {
    uint32_t thread;
    uint32_t start, end;
};

static bool is_query_id(const struct ast_command *c, struct bytes text) {
    for (const struct ast *o = c->options; o; o = o->next)
        if (o->end - o->start == 2 && strncasecmp((const char *)text.ptr + o->start, "id", 2) == 0) return true;
    return false;
}

/* Drivers that take the greeting's id for a signed number, as MariaDB Connector/J does, say 2^32 less. */
static bool read_number(const struct ast *arg, struct bytes text, struct number *out) {
    uint64_t value = 0;
    if (!arg || arg->next || arg->end <= arg->start) return false;
    bool is_negative = text.ptr[arg->start] == '-';
    uint32_t digits = arg->start + is_negative;
    if (arg->end - digits > 10) return false;
    for (uint32_t i = digits; i < arg->end; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        value = value * 10 + (text.ptr[i] - '0');
    }
    if (is_negative) value = (UINT64_C(1) << 32) - value; /* too large: no id either */
    *out = (struct number){(uint32_t)value, arg->start, arg->end};
    return value >= SESSION_MY_THREAD_BASE && value <= UINT32_MAX;
}

static bool read_text(struct session *s, struct bytes text, struct number *out) {
    struct sql_options options = sql_options_default(SQL_MYSQL);
    struct sql_statement statement;
    options.flavour = SQL_FLAVOUR_MARIADB;
    arena_reset(&s->env->arena);
    sql_parse_one(text, &options, &s->env->arena, &statement);
    if (statement.outcome != SQL_PARSED || statement.ast->kind != AST_COMMAND || statement.ast->op != SQL_KILL) return false;
    const struct ast_command *c = (const struct ast_command *)statement.ast;
    return !is_query_id(c, text) && read_number(c->args, text, out);
}

/* False: it is about no client of gilmok's. */
static bool read_command(struct session *s, struct bytes payload, struct number *out) {
    struct reader r = reader_over(bytes_of(payload.ptr + 1, payload.len - 1));
    if (payload.ptr[0] == MY_COM_QUERY) return read_text(s, bytes_of(payload.ptr + 1, payload.len - 1), out);
    *out = (struct number){.thread = my_le32(&r)};
    return reader_done(&r) && out->thread >= SESSION_MY_THREAD_BASE;
}

static void put_command(struct writer *w, struct bytes payload, const struct number *n, uint32_t server_id) {
    size_t at = my_begin(w, 0);
    writer_u8(w, payload.ptr[0]);
    if (payload.ptr[0] == MY_COM_QUERY) {
        struct bytes text = bytes_of(payload.ptr + 1, payload.len - 1);
        writer_put(w, bytes_of(text.ptr, n->start));
        writer_fmt(w, "%u", server_id);
        writer_put(w, bytes_of(text.ptr + n->end, text.len - n->end));
    } else {
        my_w32(w, server_id);
    }
    my_end(w, at);
}

/* ---- the question ---------------------------------------------------------------------------------------------------- */

static void run_release(struct mail *m) {
    struct kill_question *k = CONTAINER_OF(m, struct kill_question, mail);
    pool_on_cancel_done(k->target);
    mem_free(k);
}

static void let_go(struct kill_question *k) {
    if (!k->target) {
        mem_free(k);
        return;
    }
    k->mail.run = run_release;
    loop_post(k->hub->envs[k->at]->loop, &k->mail);
}

static void run_answer(struct mail *m) {
    struct kill_question *k = CONTAINER_OF(m, struct kill_question, mail);
    LIST_EACH(n, &k->hub->envs[k->home]->sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->id != k->asker || !session_my_of(s)->asks_kill) continue;
        session_my_of(s)->asks_kill = false;
        session_my_of(s)->kill = k;
        session_resume_input(s);
        return;
    }
    let_go(k); /* it has left */
}

/* Under the same name the server would let anybody end everybody. */
static bool is_others(const struct kill_question *k, const struct session *s) {
    return strcmp(k->user, s->user) != 0 && strcmp(k->server_user, session_pool(s)->server.user) == 0;
}

static void look_among(struct kill_question *k, const struct session_env *env) {
    LIST_EACH(n, &env->sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->proto != &session_my_proto || session_my_thread_id(s) != k->thread || !s->lessee.backend) continue;
        if (!addr_equal(&s->lessee.backend->site->addr, &k->server)) return;
        k->is_foreign = is_others(k, s);
        k->target = s->lessee.backend;
        k->target->cancels_open++;
        k->server_id = k->target->server_id;
        return;
    }
}

static void run_look(struct mail *m) {
    struct kill_question *k = CONTAINER_OF(m, struct kill_question, mail);
    look_among(k, k->hub->envs[k->at]);
    bool is_over = k->target || --k->left == 0;
    if (!is_over) k->at = (k->at + 1) % k->hub->worker_count;
    else k->mail.run = run_answer;
    loop_post(k->hub->envs[is_over ? k->home : k->at]->loop, &k->mail);
}

/* It has its connection: the command goes there. */
static enum session_my_kill_result ask(struct session *s, uint32_t thread) {
    const char *server_user = session_pool(s)->server.user;
    struct kill_question *k = strlen(server_user) <= SERVER_USER_MAX ? mem_alloc(sizeof *k) : NULL;
    if (!k) return KILL_UNKNOWN;
    *k = (struct kill_question){.hub = s->env->hub, .asker = s->id, .home = s->env->worker, .at = s->env->worker,
                                .left = s->env->hub->worker_count, .thread = thread};
    snprintf(k->user, sizeof k->user, "%s", s->user);
    snprintf(k->server_user, sizeof k->server_user, "%s", server_user);
    k->server = s->lessee.backend->site->addr;
    k->mail.run = run_look;
    session_my_of(s)->asks_kill = true;
    loop_post(s->env->loop, &k->mail);
    return KILL_WAITS;
}

enum session_my_kill_result session_my_kill_take(struct session *s, struct bytes payload, struct writer *out, uint32_t *thread) {
    struct session_my *sm = session_my_of(s);
    struct number n;
    if (sm->asks_kill) return KILL_WAITS;
    if (!read_command(s, payload, &n)) return KILL_NONE;
    *thread = n.thread;
    if (sm->kill && sm->kill->thread != n.thread) session_my_kill_end(s); /* of a command that came to nothing */
    if (!sm->kill) return ask(s, n.thread);
    enum session_my_kill_result result = !sm->kill->target ? KILL_UNKNOWN : sm->kill->is_foreign ? KILL_FOREIGN : KILL_SENDS;
    if (result == KILL_SENDS) put_command(out, payload, &n, sm->kill->server_id);
    else session_my_kill_end(s);
    return result;
}

void session_my_kill_end(struct session *s) {
    struct session_my *sm = session_my_of(s);
    if (sm->kill) let_go(sm->kill);
    sm->kill = NULL;
}
