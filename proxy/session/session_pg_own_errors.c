/*
 * Errors of gilmok's own about prepared statements, in their place: they wait for the replies to all that was sent before, the
 * last message's last byte included.
 */
#include "proxy/session/session_pg_ops.h"

enum step session_pg_hold(struct session *s) {
    s->is_held_back = true;
    return STEP_KEEP;
}

enum step session_pg_await_replies(struct session *s) {
    struct backend *b = s->lessee.backend;
    if (!backend_pg_of(b)->is_flushed) backend_pg_send_flush(b);
    return session_pg_hold(s);
}

/* A failed Query, and no group open: it ends here. */
static enum step end_alone(struct session *s, const struct message *m) {
    struct backend *b = s->lessee.backend;
    session_pg_unnamed_on_not_sent(s, m);
    if (!backend_pg_note_own(b, PG_F_SYNC, 0, REPLY_SWALLOW, 0)) return STEP_STOP;
    backend_pg_send_sync(b);
    session_pg_send_ready(s, b->ledger.txn == TXN_NONE ? PG_TXN_IDLE : PG_TXN_FAILED);
    return STEP_DONE;
}

enum step session_pg_fail_here(struct session *s, const struct message *m, const struct err *err) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    if (session_can_run_again(s)) { /* the primary may know better */
        session_take_back(s);
        return backend_pg_take_back(b) ? session_pg_hold(s) : STEP_STOP;
    }
    if (b->ledger.count > 0 || b->is_reply_cut) return session_pg_await_replies(s);
    bool is_alone = m->h.type == PG_F_QUERY && !b->ledger.is_group_open;
    session_pg_tell(s, err, false);
    if (!backend_pg_note_own(b, PG_F_BIND, 0, REPLY_SWALLOW, 0)) return STEP_STOP;
    session_pg_send_missing(b, PG_F_BIND);
    session_pg_drop(ps, m);
    return is_alone ? end_alone(s, m) : STEP_DONE;
}

enum step session_pg_fail_missing(struct session *s, const struct message *m, struct bytes name) {
    struct err err = {0};
    err_set(&err, "26000", "prepared statement \"%.*s\" does not exist", (int)name.len, (const char *)name.ptr);
    return session_pg_fail_here(s, m, &err);
}

enum step session_pg_fail_changed(struct session *s, const struct message *m) {
    struct err err = {0};
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
    err.routine = "RevalidateCachedQuery"; /* by which asyncpg and pgjdbc know that they must prepare again */
    enum step step = session_pg_fail_here(s, m, &err);
    if (step == STEP_DONE) session_pg_of(s)->prepared.changed = NULL;
    return step;
}

enum step session_pg_fail_aborted(struct session *s, const struct message *m) {
    struct err err = {0};
    err_set(&err, "25P02", "current transaction is aborted, commands ignored until end of transaction block");
    err.routine = "exec_describe_statement_message";
    return session_pg_fail_here(s, m, &err);
}

enum step session_pg_fail_settings(struct session *s, const struct message *m, struct bytes client_name) {
    struct err err = {0};
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED,
            "prepared statement \"%.*s\" is not on this server connection yet, and its constants might mean something else "
            "under the present settings", (int)client_name.len, (const char *)client_name.ptr);
    err_hint(&err, "Change DateStyle, TimeZone and the like before preparing statements, or prepare them anew after it.");
    return session_pg_fail_here(s, m, &err);
}
