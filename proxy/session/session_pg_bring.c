/*
 * What a client's name stands for is prepared on a connection that lacks it: before the group that uses it, or where it is used.
 *
 * It means what it meant when the client prepared it: under the settings of then, which are put in force for that moment. When it
 * turns out to take or return something else than the client was told, the message fails as it would on a connection of its own.
 */
#include "base/fault.h"
#include "proxy/session/session_pg_ops.h"

/* ---- before a group ---- */

static bool is_coming(const struct prepared_client *pc, struct bytes name) {
    LIST_EACH(n, &pc->ops)
        if (op_at(n)->kind == OP_PREPARE_HERE && bytes_equal(op_name(op_at(n)), name)) return true;
    return false;
}

bool session_pg_prepared_lacks(struct session *s, struct bytes name) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct prepared_set_pg *set = &backend_pg_of(s->lessee.backend)->prepared;
    const struct client_statement *known = session_pg_meaning(pc, name).known;
    if (!known || (known->is_described && prepared_pg_find(set, known->statement, known->description))) return false;
    return !is_coming(pc, name);
}

bool session_pg_prepared_bring(struct session *s, struct bytes name) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend *b = s->lessee.backend;
    struct statement_pg *st = session_pg_names_get(pc, name)->statement;
    const struct params_pg *in_force = session_pg_settings_in_force(s, b);
    struct writer there, back;
    writer_init(&there, BACKEND_PG_AMONG_MAX);
    writer_init(&back, BACKEND_PG_AMONG_MAX); /* not needed: they end with the group */
    bool means_the_same = !st->settings.digest || st->settings.digest == in_force->analysis_digest;
    bool ok = true;
    if (means_the_same || session_pg_settings_around(in_force, st->settings.values, &there, &back)) {
        struct prepared_pg *p = prepared_pg_new(&backend_pg_of(b)->prepared, st);
        struct prepared_op *op = p ? session_pg_ops_add(pc, OP_PREPARE_HERE, name, p) : NULL;
        session_pool(s)->stats.server_parses++;
        ok = op ? backend_pg_prepare_aside(b, p, writer_bytes(&there), op->tag)
                : session_pg_prepared_out_of_memory(s) == STEP_DONE;
    }
    writer_release(&there);
    writer_release(&back);
    return ok;
}

/* ---- where it is used ---- */

/* STEP_DONE: `asked` is what is in force at this point of the client's group; the caller releases it. */
static enum step ask(struct session *s, struct params_pg *asked) {
    struct backend *b = s->lessee.backend;
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    if (pc->has_asked && b->ledger.count) return session_pg_await_replies(s); /* on its way */
    if (pc->has_asked) {
        pc->has_asked = false;
        return backend_pg_take_asked(backend_pg_of(b), asked) ? STEP_DONE : session_pg_prepared_out_of_memory(s);
    }
    pc->has_asked = true;
    if (!backend_pg_ask(b)) return STEP_STOP;
    s->request.has_sent = true;
    return session_pg_await_replies(s);
}

/*
 * Statements that give the settings under which `st` means what it means, and put back the
 * present ones; mostly none. False: not now, or never; *step is what became of the message.
 */
static bool settings_around(struct session *s, const struct message *m, struct bytes client_name, const struct statement_pg *st,
                            struct writer *there, struct writer *back, enum step *step) {
    struct backend *b = s->lessee.backend;
    struct params_pg asked = {0};
    const struct params_pg *in_force = session_pg_settings_in_force(s, b);
    if (!st->settings.digest) return true;
    if (ledger_owes_forward(&b->ledger)) { /* what is under way may change them */
        *step = session_pg_await_replies(s);
        return false;
    }
    bool is_alone = m->h.type == PG_F_QUERY && !b->ledger.is_group_open;
    if (session_pg_of(s)->left.has_moved && !is_alone) { /* what is reported was true at the group's beginning */
        *step = ask(s, &asked);
        if (*step != STEP_DONE) return false;
        in_force = &asked;
    }
    bool is_same = st->settings.digest == in_force->analysis_digest;
    bool ok = is_same || session_pg_settings_around(in_force, st->settings.values, there, back);
    params_pg_release(&asked);
    if (!ok) *step = session_pg_fail_settings(s, m, client_name);
    return ok;
}

/*
 * Sends it, and waits. In the client's group, if one is open; before a Query in one of its own: the Query must not find a
 * transaction begun.
 */
static enum step send_preparation(struct session *s, const struct message *m, struct bytes client_name, struct statement_pg *st,
                                  struct bytes there, struct bytes back) {
    struct backend *b = s->lessee.backend;
    struct prepared_pg *p = prepared_pg_new(&backend_pg_of(b)->prepared, st);
    struct prepared_op *op = p ? session_pg_ops_add(&session_pg_of(s)->prepared, OP_PREPARE_HERE, client_name, p) : NULL;
    if (!op) return session_pg_prepared_out_of_memory(s);
    bool is_alone = m->h.type == PG_F_QUERY && !b->ledger.is_group_open;
    op->is_for_query = is_alone;
    op->is_for_describe = m->h.type == PG_F_DESCRIBE;
    session_pool(s)->stats.server_parses++;
    if (!backend_pg_run_among(b, there)) return STEP_STOP;
    if (!backend_pg_note_own(b, PG_F_PARSE, 0, REPLY_QUIET, op->tag)) return STEP_STOP;
    backend_pg_send_parse(b, p);
    if (!backend_pg_note_own(b, PG_F_DESCRIBE, TARGET_STATEMENT, REPLY_COLLECT, op->tag)) return STEP_STOP;
    backend_pg_send_about(b, PG_F_DESCRIBE, p->name);
    if (!backend_pg_run_among(b, back)) return STEP_STOP;
    if (!is_alone) {
        s->request.has_sent = true;
        return session_pg_await_replies(s);
    }
    /* Nothing of the client's is sent yet: its request goes on when this is answered, on this connection. */
    if (!backend_pg_note_own(b, PG_F_SYNC, 0, REPLY_SWALLOW, op->tag)) return STEP_STOP;
    backend_pg_send_sync(b);
    return session_pg_hold(s);
}

/* Prepares it on this connection, which lacks it: the message waits, or fails. */
static enum step prepare_here(struct session *s, const struct message *m, struct bytes client_name,
                              struct client_statement *known) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct prepared_op *last = op_at(list_last(&pc->ops));
    if (last && last->kind == OP_PREPARE_HERE) return session_pg_hold(s); /* on its way */
    if (pc->changed == known->statement) return session_pg_fail_changed(s, m);
    struct writer there, back;
    writer_init(&there, BACKEND_PG_AMONG_MAX);
    writer_init(&back, BACKEND_PG_AMONG_MAX);
    enum step step;
    if (settings_around(s, m, client_name, known->statement, &there, &back, &step))
        step = send_preparation(s, m, client_name, known->statement, writer_bytes(&there), writer_bytes(&back));
    writer_release(&there);
    writer_release(&back);
    return step;
}

const char *session_pg_name_of_known(struct session *s, const struct client_statement *known) {
    struct prepared_set_pg *set = &backend_pg_of(s->lessee.backend)->prepared;
    const struct prepared_pg *p = known->is_described ? prepared_pg_find(set, known->statement, known->description) : NULL;
    return p ? p->name : NULL;
}

enum step session_pg_prepare_here(struct session *s, const struct message *m, struct bytes client_name,
                                  struct client_statement *known, const char **name) {
    *name = session_pg_name_of_known(s, known);
    if (*name) return STEP_DONE;
    return s->lessee.backend->ledger.groups ? session_pg_hold(s) : prepare_here(s, m, client_name, known);
}

/* It is not there. What earlier groups leave behind decides what is done. */
enum step session_pg_bring_known(struct session *s, const struct message *m, struct bytes client_name,
                                 struct client_statement *known, const char **name) {
    bool is_exit = true;
    if (s->lessee.backend->ledger.groups) return session_pg_hold(s);
    if (session_pg_is_failed(s) && !session_pg_stand_in(s, client_name, known, m->h.type, name, &is_exit))
        return session_pg_prepared_out_of_memory(s);
    if (*name) return STEP_DONE;
    return is_exit ? prepare_here(s, m, client_name, known) : session_pg_fail_aborted(s, m);
}
