/*
 * A transaction that the client has begun, and the server knows nothing of yet.
 *
 * BEGIN is answered by gilmok and held back, and SET TRANSACTION behind it: what comes next decides where all of it goes, and until
 * then the client needs no server connection. When that comes, a BEGIN with the same modes goes in front of it; it waits until that
 * is answered, because it must not run outside of the transaction.
 * Nothing can have gone wrong with what is answered here: a text that is not read to its last word goes to the server, and so
 * does what a standby would refuse.
 *
 * When no connection can be had for the first statement, the transaction has failed. What ends it is answered here, and so is all
 * of which a server would only say that it has failed. What else there is (ROLLBACK with something behind it, an empty text, a
 * portal ...) goes to a server, into a transaction that has failed there as well.
 */
#include <stdlib.h>
#include <strings.h>

#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg_ops.h"

const char *begun_name(enum begun phase) {
    static const char *const names[] = {"none", "begun", "sent", "failed"};
    return names[phase];
}

char session_pg_status(const struct session *s) {
    const struct backend *b = s->lessee.backend;
    enum begun phase = (enum begun)((const struct session_pg *)s)->begin.phase;
    enum txn_state txn = b ? b->ledger.txn : TXN_NONE;
    if (txn == TXN_FAILED || phase == BEGUN_FAILED) return PG_TXN_FAILED;
    return txn == TXN_OPEN || phase == BEGUN_HELD ? PG_TXN_OPEN : PG_TXN_IDLE;
}

/* ---- time ------------------------------------------------------------------------------------------------------------ */

/*   5000 | 5s | 1min */
static uint32_t to_ms(const char *value) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    unsigned long long n = strtoull(value, &end, 10);
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (strcmp(end, units[i].unit) == 0 && n * units[i].ms <= INT32_MAX) return (uint32_t)(n * units[i].ms);
    return 0;
}

/* What the client itself has asked for; 0: nothing. What else the server would go by, the server alone knows. */
static uint32_t idle_limit_of(const struct session_pg *ps) {
    static const char name[] = "idle_in_transaction_session_timeout";
    const char *value = ps->left.state.count ? state_pg_get(&ps->left.state, name) : NULL;
    if (!value && ps->startup && ps->startup->rest.count) value = state_pg_get(&ps->startup->rest, name);
    return value ? to_ms(value) : 0;
}

/* ---- the client ------------------------------------------------------------------------------------------------------ */

static void rest(struct session *s) {
    s->state_since_us = s->env->loop->now_us; /* it is idle in its transaction since then */
}

static void hold(struct session *s, const struct begin_modes *modes) {
    struct session_pg *ps = session_pg_of(s);
    ps->begin = (struct begin_client){.phase = BEGUN_HELD, .modes = *modes};
    if (s->has_begun) return;
    s->has_begun = true;
    s->transaction_since_us = s->env->loop->now_us;
    s->begun_limit_ms = idle_limit_of(ps);
}

static void end(struct session *s) {
    session_pg_of(s)->begin = (struct begin_client){.phase = BEGUN_NOT};
    s->has_begun = false;
    if (session_pg_of(s)->listen) session_pg_listen_on_rest(s);
    if (s->env->is_draining) session_resume_input(s);
}

/* As a server says it, until the client ends its transaction. */
static enum step refuse(struct session *s) {
    struct err err = {0};
    err_set(&err, "25P02", "current transaction is aborted, commands ignored until end of transaction block");
    session_pg_tell(s, &err, false);
    session_pg_of(s)->discard = DISCARD_REQUEST;
    rest(s);
    session_resume_input(s);
    return STEP_KEEP;
}

/* A standby refuses it when it hears of it, and not later. */
static bool may_be_refused(const struct session *s, const struct begin_modes *modes) {
    const struct params_pg *known = s->variant->baseline;
    const char *is_standby = known ? params_pg_get(known, "in_hot_standby") : NULL;
    if (modes->access != ACCESS_READ_WRITE && modes->isolation != ISOLATION_SERIALIZABLE) return false;
    return session_pool(s)->role != ROLE_PRIMARY || (is_standby && strcmp(is_standby, "on") == 0);
}

/* Of what gilmok answers in the phase that the session is in. */
static bool is_answered(const struct session *s, enum begin_verb verb, const struct begin_modes *modes) {
    enum begun phase = (enum begun)((const struct session_pg *)s)->begin.phase;
    if (!begin_pg_ends(verb) && may_be_refused(s, modes)) return false;
    switch (phase) {
    case BEGUN_HELD: return verb == BEGIN_SETS || begin_pg_ends(verb); /* a BEGIN in there is the server's to warn of */
    case BEGUN_FAILED: return begin_pg_ends(verb);
    default: return verb == BEGIN_BEGINS || verb == BEGIN_STARTS;
    }
}

static enum step answer(struct session *s, const struct message *m, enum begin_verb verb, const struct begin_modes *modes) {
    struct own_exchange x;
    enum step step = session_pg_answer_read(m, &x);
    if (step != STEP_DONE || !x.is_plain) return step == STEP_DONE ? STEP_RAW : step;
    bool has_failed = session_pg_of(s)->begin.phase == BEGUN_FAILED;
    const struct own_answer a = {.tag = begin_pg_tag(has_failed ? BEGIN_ROLLS_BACK : verb), .leaves_statement = true};
    if (!begin_pg_ends(verb)) hold(s, modes);
    else session_pg_of(s)->begin.phase = BEGUN_NOT;
    step = session_pg_answer(s, m, &x, &a);
    if (step == STEP_DONE && begin_pg_ends(verb)) end(s);
    rest(s);
    return step;
}

/* Nothing is there that would have to be where its connection is. What is looked for will soon be known. */
static enum step wait_for_rest(struct session *s) {
    const uint32_t soon = PIN_LOOKING | PIN_DESCRIBING | PIN_LENT;
    if (!s->lessee.backend && !s->pins) return STEP_DONE;
    if (s->pins & (uint32_t)~soon || !(s->pins & soon) || s->lessee.backend->ledger.txn != TXN_NONE) return STEP_RAW;
    s->is_held_back = true;
    return STEP_KEEP;
}

static struct bytes up_to_nul(struct bytes source) {
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    return end ? bytes_of(source.ptr, (size_t)(end - source.ptr)) : bytes_of(NULL, 0);
}

/* Of a Query, a Parse, or the statement that is bound. ptr NULL: there is none, or it is not known. */
static struct bytes text_of(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN), portal, name;
    if (m->h.type == PG_F_QUERY) return up_to_nul(body);
    if (m->h.type == PG_F_PARSE) {
        const uint8_t *end = body.len ? memchr(body.ptr, 0, body.len) : NULL;
        return end ? up_to_nul(bytes_of(end + 1, (size_t)(body.ptr + body.len - end - 1))) : bytes_of(NULL, 0);
    }
    if (m->h.type != PG_F_BIND || pg_bind_names(body, &portal, &name) != PG_FRAME_OK) return bytes_of(NULL, 0);
    const struct statement_pg *st = name.len ? session_pg_prepared_statement(ps, name) : NULL;
    return up_to_nul(st ? st->source : name.len ? bytes_of(NULL, 0) : session_pg_unnamed_latest(ps));
}

/* A Query, or the first message of an exchange with the unnamed statement, or in a failed transaction with any. */
static bool may_answer(const struct session_pg *ps, const struct message *m) {
    struct bytes text;
    if (m->h.type == PG_F_BIND) return ps->begin.phase == BEGUN_FAILED;
    if (m->h.type == PG_F_PARSE && (m->avail <= PG_HEADER_LEN || m->ptr[PG_HEADER_LEN])) return false;
    return (m->h.type == PG_F_QUERY || m->h.type == PG_F_PARSE) && session_pg_answer_text(m, &text);
}

/* In a failed transaction: a server has nothing else to say of it. */
static bool is_refused(const struct message *m, struct bytes text, const struct sql_options *options) {
    bool is_of_text = m->h.type == PG_F_QUERY || m->h.type == PG_F_PARSE || m->h.type == PG_F_BIND;
    if (m->h.type == PG_F_FUNCTION_CALL || (m->h.type != PG_F_BIND && m->avail < m->h.total)) return true;
    return is_of_text && text.ptr && !begin_pg_may_end(text, options);
}

static enum step refuse_import(struct session *s) {
    struct err err = {0};
    err_set(&err, "55000", "snapshots of this name were exported at several nodes");
    err_hint(&err, "Export again, in another transaction: its snapshot has another name.");
    session_pg_begin_fail(session_pg_of(s));
    session_pg_tell(s, &err, false);
    session_pg_of(s)->discard = DISCARD_REQUEST;
    rest(s);
    session_resume_input(s);
    return STEP_KEEP;
}

/* A snapshot is where it was exported. Of one that gilmok knows nothing of a server will say what it thinks. */
static enum step go_to_exporter(struct session *s, struct bytes text, const struct sql_options *options) {
    const struct pool *p = session_pool(s);
    struct bytes name;
    if (!p->is_spread || s->lessee.backend || !begin_pg_imports(text, options, &name)) return STEP_RAW;
    switch (exported_find(p, name, &s->lessee.only)) {
    case EXPORTED_NOWHERE: return STEP_RAW;
    case EXPORTED_AT_SEVERAL: return refuse_import(s);
    case EXPORTED_AT: break;
    }
    s->lessee.insists = true;
    return STEP_RAW;
}

/* The server's answer to that has a name in it which the others will ask for. */
void session_pg_export_on_message(struct session *s, const struct message *m) {
    static const char function[] = "pg_export_snapshot";
    struct bytes text = text_of(s, m);
    for (size_t i = 0; i + sizeof function - 1 <= text.len; i++) {
        if ((text.ptr[i] | 0x20) != 'p' || strncasecmp((const char *)text.ptr + i, function, sizeof function - 1) != 0) continue;
        s->lessee.backend->exports = true;
        return;
    }
}

enum step session_pg_begin_take(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    const struct sql_options *known = session_pg_settings_options(s, s->lessee.backend);
    const struct sql_options fallback = sql_options_default(SQL_POSTGRES), *options = known ? known : &fallback;
    bool has_failed = ps->begin.phase == BEGUN_FAILED;
    struct begin_modes modes = {0};
    struct bytes text = text_of(s, m);
    if (ps->begin.phase == BEGUN_HELD) modes = ps->begin.modes;
    enum begin_verb verb = text.ptr && may_answer(ps, m) ? begin_pg_read(text, options, &modes) : BEGIN_NO_VERB;
    enum step step = STEP_RAW;
    if (is_answered(s, verb, &modes)) step = wait_for_rest(s);
    if (step == STEP_DONE) step = answer(s, m, verb, &modes);
    if (step == STEP_RAW && !has_failed && verb == BEGIN_NO_VERB && text.ptr) step = go_to_exporter(s, text, options);
    return step == STEP_RAW && has_failed && is_refused(m, text, options) ? refuse(s) : step;
}

/* ---- the server ------------------------------------------------------------------------------------------------------ */

/* As the client's transaction has failed. False: the connection has. */
static bool send_failure(struct backend *b) {
    if (!backend_pg_note_own(b, PG_F_BIND, 0, REPLY_SWALLOW, 0)) return false;
    session_pg_send_missing(b, PG_F_BIND);
    return backend_pg_end_own_group(b);
}

/* STEP_STOP: its connection is lost. */
static enum step send_begin(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    char text[BEGIN_PG_TEXT_MAX];
    bool has_failed = ps->begin.phase == BEGUN_FAILED;
    if (!backend_pg_run_begin(b, bytes_str(begin_pg_text(&ps->begin.modes, text)))) return STEP_STOP;
    if (has_failed && !send_failure(b)) return STEP_STOP;
    ps->begin.phase = BEGUN_SENT;
    s->has_begun = false;
    return session_pg_hold(s);
}

/* What is sent before the server has carried it out might run outside of the transaction. */
enum step session_pg_begin_go_first(struct session *s, struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    if (ps->begin.phase == BEGUN_SENT) return s->lessee.backend->ledger.count ? session_pg_hold(s) : STEP_DONE;
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    if (m->h.type == PG_F_BIND) m->has_names = pg_bind_names(body, &m->portal, &m->statement) == PG_FRAME_OK;
    enum step step = session_pg_lend_first(s, m); /* inside of it they would be a query in front of the client's */
    return step == STEP_RAW ? send_begin(s) : step;
}

void session_pg_begin_on_taken_back(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    if (ps->begin.phase != BEGUN_SENT) return;
    ps->begin.phase = BEGUN_HELD;
    s->has_begun = true;
}

void session_pg_begin_fail(struct session_pg *ps) {
    if (ps->begin.phase == BEGUN_HELD) ps->begin.phase = BEGUN_FAILED;
}
