/*
 * Prepared statements by SQL: PREPARE, EXECUTE and DEALLOCATE share the client's names with the protocol's messages.
 *
 * A Query that names statements is edited on its way (session_pg_sql_text.c). Its answer tells what has become of it: after the
 * tag of each statement its part is done, and after an error nothing behind it is.
 *
 *      PREPARE     runs under a new name of gilmok's, so that its errors are the server's own. The client's name then stands for
 *                  what this connection has, and the client stays (PIN_DESCRIBING) until all is answered and its transaction
 *                  over: then it is described, and the name stands for the same as that of a Parse, anywhere
 *      EXECUTE     of what is not on this connection waits until it has been prepared there, like a Bind
 *      DEALLOCATE  only forgets: the server drops a void that was made for it
 *
 * Whether a PREPARE that ended with an error has prepared its statement (the error came from the commit behind it) is not
 * known: the description tells.
 */
#include "base/fault.h"
#include "proxy/session/session_pg_ops.h"
#include "proxy/wire/pg_encode.h"
#include "routing/name_use.h"

enum { ANYTHING = EFFECT_LEAVES | EFFECT_NEXTVAL | EFFECT_CURRVAL | EFFECT_MOVES | EFFECT_EXECUTES };

/* ---- what a text executes -------------------------------------------------------------------------------------------- */

/* A text that may be executed: that of a name, or one that the text at hand prepares itself. */
struct executed {
    struct statement_pg *statement; /* or NULL */
    struct bytes text;
};

/* It puts something back that is the client's own: nothing of gilmok's can follow inside of it. */
static void note_resets(struct session *s, struct bytes text, unsigned effects) {
    if (LIKELY(!(effects & EFFECT_RESETS)) || !session_pg_reset_matters(session_pg_of(s))) return;
    struct resets_pg resets = session_pg_reset_read(s, text);
    bool has_calls = resets.call_count && !session_pg_reset_calls_are_made(s, text, &resets);
    if (resets.is_inside || resets.count || has_calls) session_pg_of(s)->left.executes_reset = true;
}

static unsigned effects_of_executed(struct session *s, struct backend *b, const struct executed *e) {
    struct writer w;
    unsigned effects = ANYTHING;
    if (e->statement) {
        effects = session_pg_state_effects(s, b, e->statement->source, &e->statement->reading);
        note_resets(s, bytes_str((const char *)e->statement->source.ptr), effects);
        return effects;
    }
    writer_init(&w, e->text.len + 1);
    writer_cstr(&w, e->text);
    if (!w.failed) effects = session_pg_state_effects(s, b, writer_bytes(&w), NULL);
    note_resets(s, e->text, effects);
    writer_release(&w);
    return effects;
}

/* How many there are. What cannot be known is put into `*effects`. */
static size_t find_executed(struct session *s, struct bytes text, const struct name_uses *uses, struct executed *executed,
                            unsigned *effects) {
    bool has_executed = false;
    size_t count = 0;
    for (uint32_t i = 0; i < uses->count; i++) {
        const struct name_use *use = &uses->items[i];
        struct statement_pg *st = NULL;
        if (use->kind == NAME_PREPARED)
            executed[count++] = (struct executed){.text = bytes_of(text.ptr + use->inner, use->inner_end - use->inner)};
        if (use->kind != NAME_EXECUTED) continue;
        has_executed = true;
        st = session_pg_prepared_statement(session_pg_of(s), use->name);
        if (st) executed[count++] = (struct executed){.statement = st};
        else *effects |= ANYTHING & ~(unsigned)EFFECT_CURRVAL; /* prepared in the text itself, or by a function */
    }
    return has_executed ? count : 0;
}

unsigned session_pg_sql_effects(struct session *s, struct backend *b, struct bytes text) {
    struct name_uses uses;
    unsigned effects = 0, inner = 0;
    session_pg_of(s)->left.executes_reset = false;
    name_uses_find(&uses, text, session_pg_settings_options(s, b), &s->env->arena);
    struct executed *executed = mem_alloc((uses.count + 1) * sizeof *executed); /* not in the arena: reading them resets it */
    size_t count = executed ? find_executed(s, text, &uses, executed, &effects) : 0;
    if (uses.failed || !executed) effects |= ANYTHING;
    arena_reset(&s->env->arena);
    for (size_t i = 0; i < count; i++) inner |= effects_of_executed(s, b, &executed[i]);
    session_pg_of(s)->left.is_nested = inner & EFFECT_STATEMENTS || !executed;
    mem_free(executed);
    return effects | inner;
}

/* ---- a Query --------------------------------------------------------------------------------------------------------- */

bool session_pg_sql_must_wait(const struct session *s) {
    const struct prepared_client *pc = &((const struct session_pg *)s)->prepared;
    if (!s->lessee.backend->ledger.count) return false; /* it has been answered: a portal that was suspended, say */
    LIST_EACH(n, &pc->ops)
        if (op_at(n)->kind == OP_SQL || op_at(n)->kind == OP_DESCRIBE) return true;
    return false;
}

/* Something that runs may drop all names; and what is of an earlier group may be skipped. In its own group it would be along. */
bool session_pg_sql_text_must_wait(const struct session *s) {
    struct ledger *l = &s->lessee.backend->ledger;
    for (uint32_t i = 0; i < l->count; i++) {
        const struct ledger_entry *e = ledger_at(l, i);
        bool runs = e->kind == OWED_EXECUTE || e->kind == OWED_EXECUTE_UNNAMED;
        if (e->fate == REPLY_FORWARD && (runs || e->ends_group)) return true;
    }
    return session_pg_sql_must_wait(s);
}

/* Something that it needs could not be prepared; the client has the error. */
static enum step end_failed(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    ps->prepared.has_failed = false;
    session_pg_unnamed_on_not_sent(s, m);
    session_pg_drop(ps, m);
    session_pg_send_ready(s, b->ledger.txn == TXN_NONE ? PG_TXN_IDLE : PG_TXN_FAILED);
    s->request.has_sent = true; /* all that there was to send */
    session_check_answered(s);
    return STEP_DONE;
}

static uint32_t kept_max(const struct backend *b, const struct sql_text *text) {
    const struct prepared_set_pg *set = &backend_pg_of((struct backend *)b)->prepared;
    uint32_t max = b->variant->pool->limits.max_prepared_statements, needed = text->count;
    LIST_EACH(n, &set->unsettled) needed++;
    return max > needed ? max : needed; /* what the text uses was used just now */
}

static enum step send_query(struct session *s, const struct message *m, struct sql_text *text, struct bytes query, uint64_t own) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    if (!session_pg_close_surplus(ps, b, kept_max(b, text)) || !session_pg_sql_text_send_voids(b, text)) return STEP_STOP;
    struct prepared_op *op = session_pg_ops_add(&ps->prepared, OP_SQL, bytes_of("", 0), NULL);
    if (!op) return session_pg_prepared_out_of_memory(s);
    op->text = text;
    text->refs++;
    uint16_t tag = session_pg_prepared_end_group(ps);
    session_pg_unnamed_on_group_sent(ps);
    (void)session_pg_unnamed_track(s, b, m, &tag);
    if (!backend_pg_note_sent(b, PG_F_QUERY, 0, tag)) return STEP_STOP;
    if (own) backend_pg_hide_statements(backend_pg_of(b), own);
    stream_send(b->stream, query);
    session_pg_drop(ps, m);
    return STEP_DONE;
}

/* Its text is made: names are those of the connection. Where it resets something, that is followed. */
static enum step finish_query(struct session *s, const struct message *m, struct sql_text *text, struct writer *w) {
    uint64_t own = 0;
    bool is_reset = session_pg_of(s)->left.is_reset_named && !w->failed;
    if (is_reset && !session_pg_reset_text_add(s, text, w, &own)) return session_pg_reset_text_fail(s, m);
    return w->failed ? session_pg_prepared_out_of_memory(s) : send_query(s, m, text, writer_bytes(w), own);
}

/* No name in it is another one on the connection. */
static enum step take_unnamed(struct session *s, const struct message *m, struct bytes source) {
    if (!session_pg_of(s)->left.is_reset_named) return STEP_RAW;
    struct resets_pg resets = session_pg_reset_read(s, source);
    return session_pg_reset_text_take(s, m, source, &resets);
}

/* What is gilmok's own among its statements is counted from the first reply on: nothing else may be owed. */
static bool must_wait(struct session *s) {
    struct backend *b = s->lessee.backend;
    bool must_be_alone = session_pg_of(s)->left.is_reset_named;
    return session_pg_sql_text_must_wait(s) || (must_be_alone && (ledger_owes_forward(&b->ledger) || b->ledger.doubtful));
}

enum step session_pg_sql_take_query(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    const uint8_t *end = body.len ? memchr(body.ptr, 0, body.len) : NULL;
    struct sql_text *text;
    struct writer w;
    if (ps->prepared.has_failed) return b->is_reply_cut ? session_pg_hold(s) : end_failed(s, m);
    if (!end || end + 1 != body.ptr + body.len || b->ledger.is_client_turn || b->ledger.is_skipping) return STEP_RAW;
    if (must_wait(s)) return session_pg_await_replies(s);
    writer_init(&w, 4 * m->h.total + 4096);
    size_t at = pg_begin(&w, PG_F_QUERY);
    enum step step = session_pg_sql_text_make(s, m, bytes_of(body.ptr, body.len - 1), &text, &w);
    writer_u8(&w, 0);
    pg_end(&w, at);
    if (step == STEP_RAW) step = take_unnamed(s, m, bytes_of(body.ptr, body.len - 1));
    if (step == STEP_DONE && text) {
        step = finish_query(s, m, text, &w);
        session_pg_sql_text_unref(text, s->lessee.backend ? &backend_pg_of(b)->prepared : NULL);
    }
    writer_release(&w);
    return step;
}

/* ---- its answer ------------------------------------------------------------------------------------------------------ */

static void apply(struct session *s, struct backend *b, struct prepared_op *op, struct sql_use *use) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct prepared_pg *p = use->made;
    if (use->kind == SQL_DEALLOCATES) session_pg_names_forget(pc, use->name);
    if (use->kind != SQL_PREPARES || !p) return;
    use->made = NULL;
    session_pg_settle_sql(s, b, p, !op->text->may_move);
    if (s->state == SESSION_CLOSED) return; /* out of memory */
    session_pg_names_remember_here(pc, use->name, op->tag, &backend_pg_of(b)->prepared, p, op->text->original);
}

void session_pg_sql_on_complete(struct session *s, struct backend *b, struct prepared_op *op, uint8_t kind) {
    struct sql_text *text = op->text;
    uint32_t number = kind == OWED_QUERY ? text->done++ : 0;
    for (uint32_t i = 0; i < text->count && s->state != SESSION_CLOSED; i++)
        if (text->uses[i].number == number) apply(s, b, op, &text->uses[i]);
}

/* Nothing behind `done` has run. That one has failed; but if it is over as a whole, perhaps only in the end. */
static void keep_doubtful(struct prepared_client *pc, struct backend *b, struct prepared_op *op) {
    for (uint32_t i = 0; i < op->text->count; i++) {
        struct sql_use *use = &op->text->uses[i];
        if (!use->made || op->text->is_portal || use->number != op->text->done || b->ledger.txn != TXN_NONE) continue;
        session_pg_names_remember_here(pc, use->name, op->tag, &backend_pg_of(b)->prepared, use->made, op->text->original);
        use->made = NULL;
    }
}

void session_pg_sql_undo(struct session_pg *ps, struct backend *b, struct prepared_op *op) {
    keep_doubtful(&ps->prepared, b, op);
    session_pg_sql_text_unref(op->text, &backend_pg_of(b)->prepared);
    op->text = NULL;
    session_pg_op_end(op);
}

/* ---- what was prepared is described ---------------------------------------------------------------------------------- */

/* In a group of its own: after an error the server listens again. */
static bool describe(struct session *s, struct backend *b, struct bytes name, struct prepared_pg *here) {
    struct prepared_op *op = session_pg_ops_add(&session_pg_of(s)->prepared, OP_DESCRIBE, name, here);
    if (!op) {
        (void)session_pg_prepared_out_of_memory(s);
        return false;
    }
    if (!backend_pg_note_own(b, PG_F_DESCRIBE, TARGET_STATEMENT, REPLY_SWALLOW, op->tag)) return false;
    backend_pg_send_about(b, PG_F_DESCRIBE, here->name);
    if (!backend_pg_note_own(b, PG_F_SYNC, 0, REPLY_SWALLOW, op->tag)) return false;
    backend_pg_send_sync(b);
    return true;
}

static void unpin_when_known(struct session *s) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    if (!pc->here_count) s->pins &= (uint32_t)~PIN_DESCRIBING;
}

void session_pg_sql_settle(struct session *s, struct backend *b) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct bytes name;
    void *value;
    size_t at = 0;
    unpin_when_known(s);
    while (pc->here_count && map_next(&pc->named, &at, &name, &value)) {
        const struct client_statement *known = value;
        if (known->here && !describe(s, b, name, known->here)) return;
    }
}

void session_pg_sql_on_described(struct session *s, struct backend *b, struct prepared_op *op) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct client_statement *known = session_pg_names_get(pc, op_name(op));
    uint64_t description = backend_pg_of(b)->description.digest;
    if (known && known->here == op->made) {
        prepared_pg_settle(&backend_pg_of(b)->prepared, op->made, description);
        session_pg_names_on_described(pc, known, description);
    }
    session_pg_op_end(op);
    unpin_when_known(s);
}

/* There is no such statement, as was feared; or it cannot be planned any more: then it stays where it is. */
void session_pg_sql_on_not_described(struct session *s, struct backend *b, struct prepared_op *op) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct client_statement *known = session_pg_names_get(pc, op_name(op));
    bool is_there = known && known->here == op->made;
    if (is_there && backend_pg_of(b)->own_is_missing) session_pg_names_forget(pc, op_name(op));
    else if (is_there) s->pins |= PIN_PREPARED;
    session_pg_op_end(op);
    unpin_when_known(s);
}
