/*
 * What a client has asked about prepared statements and is not answered yet: what names mean with it, and what becomes of them by
 * the answers. Sends nothing.
 */
#include "base/fault.h"
#include "proxy/session/session_pg_ops.h"

enum { TAG_MAX = 0x7fff /* the upper half is the unnamed statement's (session_pg_unnamed.c) */ };

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
bool session_pg_is_in_doubt(const struct prepared_client *pc, struct bytes name) {
    bool is_in_doubt = false;
    LIST_EACH(n, &pc->ops) {
        const struct prepared_op *op = op_at(n);
        bool says_what_it_means = op->kind == OP_CLOSE || op->kind == OP_PARSE;
        if (says_what_it_means && op->is_sent_whole && bytes_equal(op_name(op), name)) is_in_doubt = true;
    }
    return is_in_doubt;
}

/* True when what was sent about it last, in a group before this one, may be skipped, and then it means something else. */
bool session_pg_may_mean_another(struct prepared_client *pc, struct bytes name) {
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

bool session_pg_prepared_is_none(struct session_pg *ps, struct bytes name) {
    if (session_pg_prepared_is_known(ps, name) || session_pg_is_in_doubt(&ps->prepared, name)) return false;
    LIST_EACH(n, &ps->prepared.ops)
        if (op_at(n)->kind == OP_SQL) return false; /* it may be what that prepares */
    return true;
}

struct statement_pg *session_pg_prepared_statement(struct session_pg *ps, struct bytes name) {
    if (LIKELY(list_is_empty(&ps->prepared.ops))) { /* as below */
        const struct client_statement *known = session_pg_names_get(&ps->prepared, name);
        if (!known) return NULL;
        return UNLIKELY(known->here != NULL) ? known->here->statement : known->statement;
    }
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
    session_pg_sql_text_unref(op->text, NULL);
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

void session_pg_prepared_on_lost(struct session *s) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct list *n;
    while ((n = list_first(&pc->ops))) session_pg_op_end(op_at(n));
    session_pg_names_bury(pc);
    session_pg_sql_end_portals(pc, NULL);
    pc->changed = NULL;
    pc->has_asked = false;
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
    while ((n = list_first(&ps->prepared.ops))) session_pg_op_end(op_at(n));
    session_pg_sql_text_unref(ps->left.edit, NULL);
    session_pg_sql_end_portals(&ps->prepared, NULL);
    session_pg_names_release(&ps->prepared);
}
