/*
 * Named prepared statements of a client that has no server connection of its own.
 *
 * A client's name stands for a statement (text and types) and a description (what it
 * takes and returns). On each connection the statement is prepared under a name of
 * gilmok's; Parse, Bind, Describe and Close are rewritten to it on the way.
 *
 *      Parse     always goes to the server, under a new name, and is described at once:
 *                its errors and its meaning are those of a direct connection
 *      Bind,     under the name of a preparation with the client's description. When this
 *      Describe  connection has none it is made first, and waited for: after DDL it may
 *                turn out different, and the client gets the error that it would get alone
 *      Close     only forgets: the preparation is everybody's. The server is sent a Close
 *                of nothing, whose reply stands in the right place
 *      Parse of  a taken name is sent twice, under one new name: the server says what is wrong
 *                with the text, or that there is such a statement already
 *
 * WHAT IS NOT ANSWERED YET stands in `ops`, each with a tag that its reply brings back.
 * A client may use a name before the reply to its Parse; after an error the server skips
 * the rest of the group, and what was noted for it is undone when the group ends.
 */
#include "base/fault.h"
#include "parser/ast.h"
#include "proxy/session/session_pg_ops.h"

enum {
    NAMED_MAX = 10000,      /* statements of one client */
    TAG_MAX = 0x7fff,       /* the upper half is the unnamed statement's (session_pg_unnamed.c) */
};

/* ---- what names mean ---- */

struct meaning session_pg_meaning(struct prepared_client *pc, struct bytes name) {
    for (struct list *n = pc->ops.prev; n != &pc->ops; n = n->prev) {
        struct prepared_op *op = op_at(n);
        if ((op->kind != OP_PARSE && op->kind != OP_CLOSE) || !bytes_equal(op_name(op), name)) continue;
        return (struct meaning){.made = op->kind == OP_PARSE ? op->made : NULL, .number = op->tag};
    }
    struct client_statement *known = session_pg_names_get(pc, name);
    if (!known) return (struct meaning){0};
    if (known->here) return (struct meaning){.made = known->here, .number = known->number};
    return (struct meaning){.known = known, .number = known->number};
}

/* True when what was sent about it, in a group before this one, is not answered: after an error it will have been skipped. */
static bool is_in_doubt(const struct prepared_client *pc, struct bytes name) {
    bool is_in_doubt = false;
    LIST_EACH(n, &pc->ops) {
        const struct prepared_op *op = op_at(n);
        bool says_what_it_means = op->kind == OP_CLOSE || op->kind == OP_PARSE;
        if (says_what_it_means && op->is_sent_whole && bytes_equal(op_name(op), name)) is_in_doubt = true;
    }
    return is_in_doubt;
}

/* True when what was sent about it last, in a group before this one, may be skipped, and then it means something else. */
static bool may_mean_another(const struct prepared_client *pc, struct bytes name) {
    const struct prepared_op *last = NULL;
    bool has_other = session_pg_names_get(pc, name) != NULL;
    LIST_EACH(n, &pc->ops) {
        const struct prepared_op *op = op_at(n);
        if ((op->kind != OP_PARSE && op->kind != OP_CLOSE) || !bytes_equal(op_name(op), name)) continue;
        has_other |= last != NULL;
        last = op;
    }
    return last && last->is_sent_whole && has_other;
}

bool session_pg_prepared_is_known(struct session_pg *ps, struct bytes name) {
    return meaning_is_named(session_pg_meaning(&ps->prepared, name));
}

struct statement_pg *session_pg_prepared_statement(struct session_pg *ps, struct bytes name) {
    struct meaning meaning = session_pg_meaning(&ps->prepared, name);
    if (meaning.made) return meaning.made->statement;
    return meaning.known ? meaning.known->statement : NULL;
}

/* ---- what is not answered yet ---- */

struct prepared_op *session_pg_ops_add(struct prepared_client *pc, enum op_kind kind, struct bytes name, struct prepared_pg *made) {
    struct prepared_op *op = mem_alloc(sizeof *op + name.len);
    if (!op) return NULL;
    if (++pc->last_tag > TAG_MAX) pc->last_tag = 1;
    list_init(&op->node);
    list_push_back(&pc->ops, &op->node);
    op->tag = pc->last_tag;
    op->kind = kind;
    op->made = made;
    op->name_len = name.len;
    if (name.len) memcpy(op->name, name.ptr, name.len);
    return op;
}

struct prepared_op *session_pg_op_find(struct prepared_client *pc, uint16_t tag) {
    LIST_EACH(n, &pc->ops)
        if (op_at(n)->tag == tag) return op_at(n);
    return NULL;
}

void session_pg_op_end(struct prepared_op *op) {
    list_remove(&op->node);
    mem_free(op);
}

/* The server never came to it, or stopped between the parsing and the description. */
static void undo(struct session_pg *ps, struct backend *b, struct prepared_op *op) {
    struct prepared_client *pc = &ps->prepared;
    struct prepared_set_pg *set = &backend_pg_of(b)->prepared;
    if (op->kind == OP_SQL) {
        session_pg_sql_undo(ps, b, op);
        return;
    }
    if (op->kind == OP_DESCRIBE) {
        session_pg_op_end(op);
        return;
    }
    if (op->made && op->is_parsed) {
        if (op->kind == OP_PARSE) session_pg_names_remember(pc, op_name(op), op->tag, op->made->statement, NULL);
        prepared_pg_give_up(set, op->made);
    } else if (op->made) {
        if (op->kind == OP_PARSE) session_pg_names_lay_out(pc, op_name(op), op->tag, op->made->statement);
        prepared_pg_drop(set, op->made);
    }
    session_pg_op_end(op);
}

/* The op with this tag, after those before it were undone: replies come in order. */
static struct prepared_op *arrive_at(struct session_pg *ps, struct backend *b, uint16_t tag) {
    struct prepared_op *op;
    if (!session_pg_op_find(&ps->prepared, tag)) return NULL;
    while ((op = op_at(list_first(&ps->prepared.ops))) && op->tag != tag) undo(ps, b, op);
    return op;
}

enum step session_pg_prepared_out_of_memory(struct session *s) {
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for a prepared statement");
    session_end(s, &err);
    return STEP_STOP;
}

/* In place of what it was taken for when it was sent. NULL: memory is out. It must not be taken for that any longer. */
static bool take_statement(struct session *s, struct prepared_pg *p, struct statement_pg *st) {
    if (!st) {
        (void)session_pg_prepared_out_of_memory(s);
        return false;
    }
    statement_pg_unref(p->statement);
    p->statement = st;
    return true;
}

/*
 * Parsed just now: under the settings of now, which need not be those of when it was sent. What has changed in this very group is
 * reported at its end only: then they were asked for.
 */
static void settle_settings(struct session *s, struct backend *b, const struct prepared_op *op) {
    struct backend_pg *bp = backend_pg_of(b);
    struct statement_pg *st = op->made->statement;
    if (!st->settings.digest) return;
    if (op->is_asked) {
        struct params_pg asked = {0};
        bool ok = backend_pg_take_asked(bp, &asked);
        (void)take_statement(s, op->made, ok ? session_pg_names_intern_under(s, st->source, &asked) : NULL);
        params_pg_release(&asked);
    } else if (st->settings.digest != backend_pg_analysis(bp)) {
        (void)take_statement(s, op->made, session_pg_names_intern(s, b, st->source));
    }
}

/* From now on the statement is the one with the types that the server has found for its parameters. */
static bool settle_types(struct session *s, const struct backend_pg *bp, struct prepared_pg *p) {
    const struct writer *types = &bp->description.parameters;
    return take_statement(s, p, types->failed ? NULL : session_pg_names_intern_typed(s, p->statement, writer_bytes(types)));
}

void session_pg_settle_sql(struct session *s, struct backend *b, struct prepared_pg *p, bool is_known) {
    struct statement_pg *st = p->statement;
    if (!st->settings.digest) return;
    if (!is_known) { /* like no other, and its client stays where it is */
        struct settings_pg unknown = {.digest = b->id << 32 | (backend_pg_of(b)->prepared.next + 1)};
        s->pins |= PIN_PREPARED;
        (void)take_statement(s, p, statement_pg_intern(&session_pool(s)->set->statements, st->source, &unknown));
    } else if (st->settings.digest != backend_pg_analysis(backend_pg_of(b))) {
        (void)take_statement(s, p, session_pg_names_intern(s, b, st->source));
    }
}

/* The group of gilmok's own that it stands in has ended without its answer. */
static void on_skipped(struct session *s, struct backend *b, struct prepared_op *op) {
    if (op->kind == OP_DESCRIBE) {
        session_pg_sql_on_not_described(s, b, op);
    } else {
        session_pg_of(s)->prepared.has_failed |= op->is_for_query;
        undo(session_pg_of(s), b, op);
    }
}

static void on_described(struct session *s, struct backend *b, struct prepared_op *op) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend_pg *bp = backend_pg_of(b);
    uint64_t description = bp->description.digest;
    struct client_statement *known = op->kind == OP_PARSE ? NULL : session_pg_names_get(pc, op_name(op));
    bool is_for_known = known && known->statement == op->made->statement;
    if (!settle_types(s, bp, op->made)) return;
    if (op->kind == OP_DESCRIBE) {
        session_pg_sql_on_described(s, b, op);
        return;
    }
    /* What a FETCH returns depends on the cursors of the moment, and the server never asks again. */
    bool has_changed = is_for_known && known->is_described && known->description != description;
    if (has_changed && session_pg_verb_of(s, op->made->statement) == SQL_FETCH) description = known->description;
    prepared_pg_settle(&bp->prepared, op->made, description);
    if (is_for_known && known->is_described && known->description != description)
        pc->changed = known->statement;
    else if (op->kind == OP_PARSE || is_for_known)
        session_pg_names_remember(pc, op_name(op), op->tag, op->made->statement, &description);
    session_pg_op_end(op);
}

void session_pg_prepared_on_tagged(struct session *s, struct backend *b, uint8_t kind, uint16_t tag) {
    struct session_pg *ps = session_pg_of(s);
    struct prepared_client *pc = &ps->prepared;
    bool is_of_sql = kind == OWED_QUERY || kind == OWED_EXECUTE || kind == OWED_EXECUTE_UNNAMED;
    struct prepared_op *op = session_pg_op_find(pc, tag);
    if (!op || is_of_sql != (op->kind == OP_SQL)) return; /* a Query has the tag of what is open when it is sent */
    (void)arrive_at(ps, b, tag);
    if (is_of_sql) {
        session_pg_sql_on_complete(s, b, op, kind);
    } else if (kind == OWED_SYNC) {
        on_skipped(s, b, op);
    } else if (kind == OWED_PARSE || kind == OWED_PARSE_TRIED) {
        op->is_parsed = true;
        if (op->kind == OP_PARSE) settle_settings(s, b, op);
    } else if (kind == OWED_DESCRIBE_STATEMENT) {
        on_described(s, b, op);
    } else {
        session_pg_names_forget(pc, op_name(op));
        session_pg_op_end(op);
    }
}

void session_pg_prepared_on_group_end(struct session *s, struct backend *b, uint16_t tag) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend_pg *bp = backend_pg_of(b);
    bool is_all_answered = b->ledger.count == 0 && !b->ledger.is_group_open;
    backend_pg_forget_asked(bp);
    pc->has_asked = false;
    if (is_all_answered) pc->changed = NULL; /* whoever was to be told has been, or was skipped */
    struct prepared_op *op = tag ? arrive_at(session_pg_of(s), b, tag) : NULL;
    if (op) undo(session_pg_of(s), b, op);
    /* A group end that was in doubt (reply_pg.h) brings no tag; but when all is answered, nothing is under way. */
    if (!is_all_answered) return;
    while ((op = op_at(list_first(&pc->ops)))) undo(session_pg_of(s), b, op);
    session_pg_names_bury(pc);
    if (b->ledger.txn == TXN_NONE) session_pg_sql_end_portals(pc, &bp->prepared);
}

void session_pg_prepared_on_dropped(struct session *s) {
    session_pg_names_forget_all(&session_pg_of(s)->prepared);
}

uint16_t session_pg_prepared_end_group(struct session_pg *ps) {
    LIST_EACH(n, &ps->prepared.ops) op_at(n)->is_sent_whole = true;
    return list_is_empty(&ps->prepared.ops) ? 0 : ps->prepared.last_tag;
}

void session_pg_prepared_init(struct session_pg *ps) {
    map_init(&ps->prepared.named);
    list_init(&ps->prepared.ops);
    list_init(&ps->prepared.gone);
    list_init(&ps->prepared.portals);
}

/* What the ops have made belongs to the connection, which ended with the session. */
void session_pg_prepared_release(struct session_pg *ps) {
    struct list *n;
    while ((n = list_first(&ps->prepared.ops))) {
        session_pg_sql_text_unref(op_at(n)->text, NULL);
        session_pg_op_end(op_at(n));
    }
    session_pg_sql_end_portals(&ps->prepared, NULL);
    session_pg_names_release(&ps->prepared);
}

/* ---- to the server ---- */

bool session_pg_close_surplus(struct session_pg *ps, struct backend *b, uint32_t max) {
    struct prepared_set_pg *set = &backend_pg_of(b)->prepared;
    struct prepared_pg *p;
    if (!list_is_empty(&ps->prepared.portals)) return true; /* one may be about to execute it */
    while ((p = prepared_pg_surplus(set, max))) {
        ps->prepared.is_flushed = false;
        if (!backend_pg_note_own(b, PG_F_CLOSE, 'S', REPLY_QUIET, 0)) return false;
        backend_pg_send_about(b, PG_F_CLOSE, p->name);
        prepared_pg_drop(set, p);
    }
    return true;
}

/* ---- errors of gilmok's own, in their place ---- */

static enum step hold(struct session *s) {
    s->is_held_back = true;
    return STEP_KEEP;
}

enum step session_pg_await_replies(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    if (!ps->prepared.is_flushed) backend_pg_send_flush(s->lessee.backend);
    ps->prepared.is_flushed = true;
    return hold(s);
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
    if (b->ledger.count > 0) return session_pg_await_replies(s);
    bool is_alone = m->h.type == PG_F_QUERY && !b->ledger.is_group_open;
    session_pg_tell(s, err, false);
    if (!backend_pg_note_own(b, PG_F_BIND, 0, REPLY_SWALLOW, 0)) return STEP_STOP;
    session_pg_send_missing(b, PG_F_BIND);
    session_pg_drop(ps, m);
    return is_alone ? end_alone(s, m) : STEP_DONE;
}

static enum step fail_missing(struct session *s, const struct message *m, struct bytes name) {
    struct err err = {0};
    err_set(&err, "26000", "prepared statement \"%.*s\" does not exist", (int)name.len, (const char *)name.ptr);
    return session_pg_fail_here(s, m, &err);
}

static enum step fail_changed(struct session *s, const struct message *m) {
    struct err err = {0};
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
    err.routine = "RevalidateCachedQuery"; /* by which asyncpg and pgjdbc know that they must prepare again */
    enum step step = session_pg_fail_here(s, m, &err);
    if (step == STEP_DONE) session_pg_of(s)->prepared.changed = NULL;
    return step;
}

/* Nothing on this connection can be made to say it. */
static enum step fail_aborted(struct session *s, const struct message *m) {
    struct err err = {0};
    err_set(&err, "25P02", "current transaction is aborted, commands ignored until end of transaction block");
    err.routine = "exec_describe_statement_message";
    return session_pg_fail_here(s, m, &err);
}

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

/* ---- the messages ---- */

/* Its constants mean what they meant under settings that are not in force here, and cannot be for a moment. */
static enum step fail_settings(struct session *s, const struct message *m, struct bytes client_name) {
    struct err err = {0};
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED,
            "prepared statement \"%.*s\" is not on this server connection yet, and its constants might mean something else "
            "under the present settings", (int)client_name.len, (const char *)client_name.ptr);
    err_hint(&err, "Change DateStyle, TimeZone and the like before preparing statements, or prepare them anew after it.");
    return session_pg_fail_here(s, m, &err);
}

/* STEP_DONE: `asked` is what is in force at this point of the client's group; the caller releases it. */
static enum step ask(struct session *s, struct params_pg *asked) {
    struct backend *b = s->lessee.backend;
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    if (pc->has_asked && b->ledger.count) return hold(s); /* on its way */
    if (pc->has_asked) {
        pc->has_asked = false;
        return backend_pg_take_asked(backend_pg_of(b), asked) ? STEP_DONE : session_pg_prepared_out_of_memory(s);
    }
    pc->has_asked = true;
    if (!backend_pg_ask(b)) return STEP_STOP;
    backend_pg_send_flush(b);
    s->request.has_sent = true;
    return hold(s);
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
    if (!ok) *step = fail_settings(s, m, client_name);
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
    session_pool(s)->stats.server_parses++;
    if (!backend_pg_run_among(b, there)) return STEP_STOP;
    if (!backend_pg_note_own(b, PG_F_PARSE, 0, REPLY_QUIET, op->tag)) return STEP_STOP;
    backend_pg_send_parse(b, p);
    if (!backend_pg_note_own(b, PG_F_DESCRIBE, TARGET_STATEMENT, REPLY_COLLECT, op->tag)) return STEP_STOP;
    backend_pg_send_about(b, PG_F_DESCRIBE, p->name);
    if (!backend_pg_run_among(b, back)) return STEP_STOP;
    if (!is_alone) {
        backend_pg_send_flush(b);
    } else {
        if (!backend_pg_note_own(b, PG_F_SYNC, 0, REPLY_SWALLOW, op->tag)) return STEP_STOP;
        backend_pg_send_sync(b);
    }
    s->request.has_sent = true;
    return hold(s);
}

/* Prepares it on this connection, which lacks it: the message waits, or fails. */
static enum step prepare_here(struct session *s, const struct message *m, struct bytes client_name,
                              struct client_statement *known) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct prepared_op *last = op_at(list_last(&pc->ops));
    if (last && last->kind == OP_PREPARE_HERE) return hold(s); /* on its way */
    if (pc->changed == known->statement) return fail_changed(s, m);
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

static const char *name_of_known(struct session *s, const struct client_statement *known) {
    struct prepared_set_pg *set = &backend_pg_of(s->lessee.backend)->prepared;
    const struct prepared_pg *p = known->is_described ? prepared_pg_find(set, known->statement, known->description) : NULL;
    return p ? p->name : NULL;
}

enum step session_pg_prepare_here(struct session *s, const struct message *m, struct bytes client_name,
                                  struct client_statement *known, const char **name) {
    *name = name_of_known(s, known);
    if (*name) return STEP_DONE;
    return s->lessee.backend->ledger.groups ? hold(s) : prepare_here(s, m, client_name, known);
}

/* It is not there. What earlier groups leave behind decides what is done. */
static enum step bring_known(struct session *s, const struct message *m, struct bytes client_name, struct client_statement *known,
                             const char **name) {
    bool is_exit = true;
    if (s->lessee.backend->ledger.groups) return hold(s);
    if (session_pg_is_failed(s) && !session_pg_stand_in(s, client_name, known, m->h.type, name, &is_exit))
        return session_pg_prepared_out_of_memory(s);
    if (*name) return STEP_DONE;
    return is_exit ? prepare_here(s, m, client_name, known) : fail_aborted(s, m);
}

/*
 * The name on this connection of a statement that the client calls `client_name`, and its number. STEP_RAW: it is the client's
 * own.
 */
static enum step name_here(struct session *s, const struct message *m, struct bytes client_name, const char **name,
                           uint16_t *number) {
    struct meaning meaning = session_pg_meaning(&session_pg_of(s)->prepared, client_name);
    *number = meaning.number;
    if (meaning.made) {
        *name = meaning.made->name;
        return may_mean_another(&session_pg_of(s)->prepared, client_name) ? session_pg_await_replies(s) : STEP_DONE;
    }
    if (meaning.known) {
        *name = name_of_known(s, meaning.known);
        return *name ? STEP_DONE : bring_known(s, m, client_name, meaning.known, name);
    }
    if (s->pins & PIN_PREPARED && !bytes_starts_with(client_name, STATEMENT_PG_PREFIX)) return STEP_RAW;
    return fail_missing(s, m, client_name);
}

/*
 * The name is taken; but the server looks at the text first. It gets it under a new name, and once more under the same: an empty
 * one, with which nothing else can be wrong. What the first one makes is nobody's.
 */
static enum step take_duplicate(struct session *s, struct bytes name, struct bytes source) {
    struct backend *b = s->lessee.backend;
    struct statement_pg *st = session_pg_names_intern(s, b, source);
    struct prepared_pg *p = st ? prepared_pg_new(&backend_pg_of(b)->prepared, st) : NULL;
    struct prepared_op *op = p ? session_pg_ops_add(&session_pg_of(s)->prepared, OP_DUPLICATE, name, p) : NULL;
    statement_pg_unref(st);
    if (!op) return session_pg_prepared_out_of_memory(s);
    if (!backend_pg_note_own(b, PG_F_PARSE, TARGET_TRIED, REPLY_QUIET, op->tag)) return STEP_STOP;
    backend_pg_send_parse(b, p);
    if (!backend_pg_note_sent(b, PG_F_PARSE, 0, op->tag)) return STEP_STOP;
    backend_pg_send_empty_parse(b, p->name);
    return STEP_DONE;
}

/*   Parse = name NUL source        source = text NUL count types */
static enum step take_parse(struct session *s, const struct message *m, struct bytes name, struct bytes source) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend *b = s->lessee.backend;
    if (is_in_doubt(pc, name)) return session_pg_await_replies(s);
    if (meaning_is_named(session_pg_meaning(pc, name))) /* what is under way may be a DEALLOCATE ALL */
        return b->ledger.count > 0 ? session_pg_await_replies(s) : take_duplicate(s, name, source);
    if (s->pins & PIN_PREPARED) return STEP_RAW; /* the connection is its own, and so are names that gilmok does not know */
    if (pc->named.count >= NAMED_MAX) {
        struct err err = {0};
        err_set(&err, ERR_LIMIT_EXCEEDED, "too many prepared statements: one client may have %d", NAMED_MAX);
        return session_pg_fail_here(s, m, &err);
    }
    struct statement_pg *st = session_pg_names_intern(s, b, source);
    struct prepared_pg *p = st ? prepared_pg_new(&backend_pg_of(b)->prepared, st) : NULL;
    struct prepared_op *op = p ? session_pg_ops_add(pc, OP_PARSE, name, p) : NULL;
    statement_pg_unref(st);
    if (!op) return session_pg_prepared_out_of_memory(s);
    op->is_asked = session_pg_of(s)->left.has_moved && p->statement->settings.digest;
    if (op->is_asked && !backend_pg_ask(b)) return STEP_STOP;
    if (!backend_pg_note_sent(b, PG_F_PARSE, 0, op->tag)) return STEP_STOP;
    session_pool(s)->stats.client_parses++;
    session_pool(s)->stats.server_parses++;
    backend_pg_send_parse(b, p);
    if (!backend_pg_note_own(b, PG_F_DESCRIBE, TARGET_STATEMENT, REPLY_COLLECT, op->tag)) return STEP_STOP;
    backend_pg_send_about(b, PG_F_DESCRIBE, p->name);
    return STEP_DONE;
}

/* The unnamed statement, when it must be brought to this connection. */
static bool is_unnamed_elsewhere(struct session *s) {
    return !(s->pins & PIN_MODE) && session_pg_unnamed_adopt(s, s->lessee.backend);
}

/* Or edited. */
static bool is_unnamed_special(struct session *s) {
    return is_unnamed_elsewhere(s) || (!(s->pins & PIN_MODE) && session_pg_of(s)->left.unnamed & EFFECT_STATEMENTS);
}

/* A statement whose text names others is like any other when it names none that is known. STEP_RAW: it does not. */
static enum step take_sql(struct session *s, const struct message *m, struct bytes client_name) {
    struct session_pg *ps = session_pg_of(s);
    struct meaning meaning = session_pg_meaning(&ps->prepared, client_name);
    struct statement_pg *st = meaning.made ? meaning.made->statement : meaning.known ? meaning.known->statement : NULL;
    if (!client_name.len) return session_pg_unnamed_take_sql(s, m);
    if (!st || !(session_pg_state_effects(s, s->lessee.backend, st->source, &st->reading) & EFFECT_STATEMENTS)) return STEP_RAW;
    return session_pg_sql_take(s, m, st->source, meaning.number);
}

static enum step take_bind(struct session *s, const struct message *m, struct bytes client_name) {
    const char *name = NULL;
    uint16_t number;
    enum step step = session_pg_of(s)->left.latest & EFFECT_STATEMENTS ? take_sql(s, m, client_name) : STEP_RAW;
    if (step != STEP_RAW) return step;
    if (!client_name.len && !is_unnamed_elsewhere(s)) return STEP_RAW;
    step = name_here(s, m, client_name, &name, &number);
    return step != STEP_DONE || !name ? step : session_pg_send_bind(s, m, name, number);
}

/*   Bind = portal NUL statement NUL ...        only the head is rewritten */
enum step session_pg_send_bind(struct session *s, const struct message *m, const char *name, uint16_t number) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    struct bytes portal = m->portal, client_name = m->statement;
    uint8_t storage[PG_HEADER_LEN + PREPARED_PG_NAME_MAX];
    struct writer w;
    size_t old_head = portal.len + 1 + client_name.len + 1, name_len = strlen(name) + 1;
    if (!backend_pg_note_sent(b, PG_F_BIND, 0, number)) return STEP_STOP; /* an error will bring the number back */
    session_pool(s)->stats.binds++;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, PG_F_BIND);
    writer_be32(&w, (uint32_t)(4 + m->h.body_len - client_name.len - 1 + name_len));
    stream_send(b->stream, writer_bytes(&w));
    stream_send(b->stream, bytes_of(portal.ptr, portal.len + 1));
    stream_send(b->stream, bytes_of(name, name_len));
    size_t done = PG_HEADER_LEN + old_head;
    stream_send_ref(b->stream, m->buf, bytes_of(m->ptr + done, m->avail - done));
    b->ledger.is_message_open = m->avail < m->h.total;
    ps->body_left = (uint32_t)(m->h.total - m->avail);
    ps->body_is_dropped = false;
    return STEP_DONE;
}

static enum step take_describe(struct session *s, const struct message *m, struct bytes client_name) {
    struct backend *b = s->lessee.backend;
    const char *name = NULL;
    uint16_t number;
    enum step step = take_sql(s, m, client_name);
    if (step != STEP_RAW) return step;
    if (!client_name.len && !is_unnamed_elsewhere(s)) return STEP_RAW;
    step = name_here(s, m, client_name, &name, &number);
    if (step != STEP_DONE || !name) return step;
    if (!backend_pg_note_sent(b, PG_F_DESCRIBE, TARGET_STATEMENT, 0)) return STEP_STOP;
    backend_pg_send_about(b, PG_F_DESCRIBE, name);
    return STEP_DONE;
}

static enum step take_close(struct session *s, struct bytes client_name) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend *b = s->lessee.backend;
    if (!meaning_is_named(session_pg_meaning(pc, client_name)) && s->pins & PIN_PREPARED) return STEP_RAW;
    struct prepared_op *op = session_pg_ops_add(pc, OP_CLOSE, client_name, NULL);
    if (!op) return session_pg_prepared_out_of_memory(s);
    if (!backend_pg_note_sent(b, PG_F_CLOSE, 0, op->tag)) return STEP_STOP;
    backend_pg_send_about(b, PG_F_CLOSE, STATEMENT_PG_PREFIX);
    return STEP_DONE;
}

/* Such a Parse is passed on under the client's own name, and pins. */
static bool is_too_long(const struct session *s, const struct message *m) {
    return m->h.total > s->env->config->inspect_limit;
}

/* Most messages name no statement: that is seen in their first bytes. */
bool session_pg_prepared_concerns(struct session *s, struct message *m) {
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    const uint8_t *end;
    uint8_t kind;
    switch (m->h.type) {
    case PG_F_PARSE:
        if (!body.len || !body.ptr[0] || m->avail < m->h.total || is_too_long(s, m)) return false;
        end = memchr(body.ptr, 0, body.len);
        if (!end) return false;
        m->statement = bytes_of(body.ptr, (size_t)(end - body.ptr));
        break;
    case PG_F_BIND:
        if (body.len >= 2 && !body.ptr[0] && !body.ptr[1] && !is_unnamed_special(s)) return false;
        if (!m->has_names) return false;
        if (!m->statement.len && !is_unnamed_special(s)) return false;
        break;
    case PG_F_DESCRIBE:
    case PG_F_CLOSE:
        if (body.len < 2 || body.ptr[0] != 'S' || m->avail < m->h.total) return false;
        if (!pg_target_read(body, &kind, &m->statement)) return false;
        if (!m->statement.len && (m->h.type == PG_F_CLOSE || !is_unnamed_special(s))) return false;
        break;
    default:
        return false;
    }
    return !(s->pins & PIN_MODE) && !s->lessee.backend->ledger.is_client_turn;
}

bool session_pg_prepared_needs_more(const struct session *s, const struct message *m) {
    if (s->pins & PIN_MODE) return false;
    const uint8_t *body = m->ptr + PG_HEADER_LEN;
    bool has_body = m->avail > PG_HEADER_LEN;
    switch (m->h.type) {
    case PG_F_PARSE:
        return has_body && !is_too_long(s, m);
    case PG_F_DESCRIBE:
    case PG_F_CLOSE:
        return has_body && body[0] == 'S';
    case PG_F_EXECUTE:
        return !list_is_empty(&((const struct session_pg *)s)->prepared.portals);
    default: /* a Bind's names are waited for anyway */
        return false;
    }
}

/* A Parse that the server would read to its end: then it is of one name, one text and its types. */
static bool is_sound(struct bytes source) {
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    if (!end) return false;
    size_t left = source.len - (size_t)(end - source.ptr) - 1;
    return left >= 2 && left == 2 + 4 * ((size_t)end[1] << 8 | end[2]);
}

static enum step place(struct session *s, const struct message *m) {
    struct bytes name = m->statement;
    switch (m->h.type) {
    case PG_F_PARSE: {
        size_t head = PG_HEADER_LEN + name.len + 1;
        struct bytes source = bytes_of(m->ptr + head, m->h.total - head);
        return is_sound(source) ? take_parse(s, m, name, source) : STEP_RAW;
    }
    case PG_F_BIND:
        return take_bind(s, m, name);
    case PG_F_DESCRIBE:
        return take_describe(s, m, name);
    default:
        return take_close(s, name);
    }
}

enum step session_pg_prepared_take(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    enum step step = STEP_DONE;
    if (b->ledger.is_skipping) session_pg_drop(ps, m); /* the server would not answer it */
    else if (session_pg_sql_must_wait(s)) step = session_pg_await_replies(s);
    else step = session_pg_close_surplus(ps, b, session_pool(s)->limits.max_prepared_statements) ? place(s, m) : STEP_STOP;
    return step;
}
