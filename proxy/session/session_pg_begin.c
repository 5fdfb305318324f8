/*
 * A transaction that the client has begun, and the server knows nothing of yet.
 *
 * BEGIN is answered by gilmok and held back, and SET TRANSACTION behind it: what comes next decides where all of it goes, and until
 * then the client needs no server connection. When that comes, a BEGIN with the same modes goes in front of it; it waits until that
 * is answered, because it must not run outside of the transaction.
 * Nothing can have gone wrong with what is answered here: a text that is not read to its last word goes to the server, and so
 * does what a standby would refuse.
 *
 * When no connection can be had for the first statement, the transaction has failed: the client is told so as by a server, until
 * it ends it.
 */
#include <stdlib.h>

#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"

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

static bool ends(enum begin_verb verb) {
    return verb == BEGIN_COMMITS || verb == BEGIN_ROLLS_BACK;
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
    if (!ends(verb) && may_be_refused(s, modes)) return false;
    switch (phase) {
    case BEGUN_HELD: return verb == BEGIN_SETS || ends(verb); /* a BEGIN in there is the server's to warn of */
    case BEGUN_FAILED: return ends(verb);
    default: return verb == BEGIN_BEGINS || verb == BEGIN_STARTS;
    }
}

static enum step answer(struct session *s, const struct message *m, enum begin_verb verb, const struct begin_modes *modes) {
    struct own_exchange x;
    enum step step = session_pg_answer_read(m, &x);
    if (step != STEP_DONE || !x.is_plain) return step == STEP_DONE ? STEP_RAW : step;
    bool has_failed = session_pg_of(s)->begin.phase == BEGUN_FAILED;
    const struct own_answer a = {.tag = begin_pg_tag(has_failed ? BEGIN_ROLLS_BACK : verb)};
    if (!ends(verb)) hold(s, modes);
    else session_pg_of(s)->begin.phase = BEGUN_NOT;
    step = session_pg_answer(s, m, &x, &a);
    if (step == STEP_DONE && ends(verb)) end(s);
    rest(s);
    return step;
}

/* Nothing is there that would have to be where its connection is. What is looked for will soon be known. */
static enum step wait_for_rest(struct session *s) {
    const uint16_t soon = PIN_LOOKING | PIN_DESCRIBING | PIN_LENT;
    if (!s->lessee.backend && !s->pins) return STEP_DONE;
    if (s->pins & (uint16_t)~soon || !(s->pins & soon) || s->lessee.backend->ledger.txn != TXN_NONE) return STEP_RAW;
    s->is_held_back = true;
    return STEP_KEEP;
}

enum step session_pg_begin_take(struct session *s, const struct message *m) {
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    const struct sql_options fallback = sql_options_default(SQL_POSTGRES);
    enum begun phase = (enum begun)session_pg_of(s)->begin.phase;
    struct begin_modes modes = {0};
    struct bytes text;
    bool is_one = (m->h.type == PG_F_QUERY || m->h.type == PG_F_PARSE) && session_pg_answer_text(m, &text);
    if (phase == BEGUN_HELD) modes = session_pg_of(s)->begin.modes;
    enum begin_verb verb = is_one ? begin_pg_read(text, options ? options : &fallback, &modes) : BEGIN_NO_VERB;
    enum step step = STEP_RAW;
    if (is_answered(s, verb, &modes)) step = wait_for_rest(s);
    if (step == STEP_DONE) step = answer(s, m, verb, &modes);
    return step == STEP_RAW && phase == BEGUN_FAILED ? refuse(s) : step;
}

/* ---- the server ------------------------------------------------------------------------------------------------------ */

void session_pg_begin_send(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    char text[BEGIN_PG_TEXT_MAX];
    if (LIKELY(ps->begin.phase != BEGUN_HELD)) {
        ps->begin.phase = BEGUN_NOT;
        return;
    }
    if (!backend_pg_run_begin(b, bytes_str(begin_pg_text(&ps->begin.modes, text)))) return;
    ps->begin.phase = BEGUN_SENT;
    s->has_begun = false;
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
