/*
 * Before a text that may change a client's channels: UNLISTEN, a function.
 *
 * The connection that the client has is made to listen to all of them ("laid"). Then the server does with them what the text
 * says, rollback included, and the look afterwards tells what is left. In a transaction that is rolled back all of it is undone;
 * so it must stand in front of the first savepoint. Meanwhile what the shared connection hears is held back: when UNLISTEN is
 * answered, nothing of that channel comes any more.
 */
#include "proxy/session/session_pg_listen.h"
#include "proxy/session/session_pg_ops.h"

enum { LISTEN_SQL_MAX = 128 << 10 /* LISTENs to all channels of one client */ };

bool session_pg_listen_is_due(const struct session_pg *ps) {
    return ps->listen->is_withheld;
}

/* One statement for each: among a client's messages a text is one statement. */
static bool lay_among(struct backend *b, struct bytes names) {
    struct bytes name;
    uint8_t storage[1024]; /* a name is below 64 bytes on the server, and three times that in any encoding */
    struct writer sql;
    writer_init_fixed(&sql, storage, sizeof storage);
    while (listen_next_name(&names, &name)) {
        writer_reset(&sql);
        writer_str(&sql, "LISTEN ");
        pg_put_identifier(&sql, name);
        if (!backend_pg_run_among(b, writer_bytes(&sql))) return false;
    }
    return true;
}

static bool lay_outside(struct backend *b, struct bytes names) {
    struct bytes name;
    struct writer sql;
    writer_init(&sql, LISTEN_SQL_MAX);
    while (listen_next_name(&names, &name)) {
        writer_str(&sql, "LISTEN ");
        pg_put_identifier(&sql, name);
        writer_u8(&sql, ';');
    }
    bool ok = backend_pg_run(b, sql.failed ? bytes_of(NULL, 0) : writer_bytes(&sql));
    writer_release(&sql);
    return ok;
}

/* A Query of gilmok's own would end an unnamed statement that the client is about to use. */
static bool names_unnamed(const struct message *m) {
    return m->h.type == PG_F_BIND && (!m->has_names || !m->statement.len);
}

static bool is_text(const struct message *m) {
    return m->h.type == PG_F_QUERY || m->h.type == PG_F_PARSE || m->h.type == PG_F_BIND || m->h.type == PG_F_FUNCTION_CALL;
}

/* What it may do to the channels. */
static unsigned effects_of(struct session *s, const struct listen_client *lc, const struct message *m) {
    const struct ledger *l = &s->lessee.backend->ledger;
    if (!is_text(m) || !lc->member.ear || l->txn == TXN_FAILED || l->is_skipping || l->is_client_turn) return 0;
    if (m->avail < m->h.total && m->h.type != PG_F_BIND) return EFFECT_CHANNELS; /* nobody reads it */
    return session_pg_state_message_effects(s, m) & (EFFECT_CHANNELS | EFFECT_UNKNOWN | EFFECT_SAVEPOINT | EFFECT_DISCARD);
}

static bool lay(struct listen_client *lc, struct backend *b, bool among) {
    struct writer names;
    lc->laid = !among && b->ledger.txn == TXN_NONE ? LAID_SURE : LAID_MAYBE;
    backend_pg_of(b)->saw_undo = backend_pg_of(b)->saw_commit = false;
    writer_init(&names, STATE_PG_ANSWER_MAX);
    ear_pg_put_names(&lc->member, &names);
    listen_note_marker(lc);
    writer_cstr(&names, bytes_str(lc->marker));
    if (names.failed) return backend_pg_run(b, bytes_of(NULL, 0));
    bool ok = among ? lay_among(b, writer_bytes(&names)) : lay_outside(b, writer_bytes(&names));
    writer_release(&names);
    return ok;
}

static enum step hold(struct session *s) {
    s->is_held_back = true;
    return STEP_KEEP;
}

enum step session_pg_listen_on_message(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct listen_client *lc = ps->listen;
    struct backend *b = s->lessee.backend;
    bool among = b->ledger.is_group_open || names_unnamed(m);
    bool is_known = ledger_owes_own_only(&b->ledger); /* whether a transaction is open */
    if (is_text(m) && lc->member.ear && session_pg_may_end_failed(s)) return session_pg_await_replies(s);
    unsigned effects = effects_of(s, lc, m);
    if (!effects) return STEP_RAW;
    if (effects != EFFECT_DISCARD) {
        if (lc->laid != LAID_SURE && !among && !is_known) return session_pg_await_replies(s);
        bool is_in_doubt = lc->is_discarded || (lc->is_withheld && lc->laid == LAID_NO);
        if (is_in_doubt && !among && s->pins & PIN_LOOKING) return hold(s); /* that tells what has become of it */
    }
    ps->left.effects |= EFFECT_LEAVES;
    b->is_tainted = true;
    lc->is_withheld = true;
    lc->is_discarded |= effects == EFFECT_DISCARD; /* in a transaction it fails: nothing needs to be laid for it */
    if (lc->laid != LAID_NO || lc->is_discarded) return STEP_RAW;
    return lay(lc, b, among) ? STEP_RAW : STEP_STOP;
}
