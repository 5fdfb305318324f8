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
 *
 * WHAT IS NOT ANSWERED YET stands in `ops`, each with a tag that its reply brings back.
 * A client may use a name before the reply to its Parse; after an error the server skips
 * the rest of the group, and what was noted for it is undone when the group ends.
 */
#include <ctype.h>

#include "base/fault.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"

enum {
    INSPECT_MAX = 32 << 10, /* a longer Parse is passed on under the client's own name, and pins */
    NAMED_MAX = 10000,      /* statements of one client */
    TAG_MAX = 0x7fff,       /* the upper half is the unnamed statement's (session_pg_unnamed.c) */
    QUERY_MAX = 256,        /* a Query that may be a DEALLOCATE is looked at whole */
};

enum op_kind { OP_PARSE, OP_PREPARE_HERE, OP_CLOSE };

struct prepared_op {
    struct list node;
    uint16_t tag;
    enum op_kind kind;
    bool is_parsed;
    struct prepared_pg *made; /* in the connection's set; NULL for OP_CLOSE */
    size_t name_len;
    uint8_t name[]; /* the client's */
};

struct client_statement {
    struct statement_pg *statement; /* one reference */
    uint64_t description;
    bool is_described;
};

static struct bytes op_name(const struct prepared_op *op) {
    return bytes_of(op->name, op->name_len);
}

static struct prepared_op *op_at(struct list *n) {
    return n ? CONTAINER_OF(n, struct prepared_op, node) : NULL;
}

/* What parse analysis reads is, on this connection, what the client has on all. */
static bool has_usual_settings(const struct session *s, struct backend *b) {
    return backend_pg_analysis(backend_pg_of(b)) == session_pg_settings_usual(s, b);
}

/* ---- the client's names ---- */

static void forget(struct prepared_client *pc, struct bytes name) {
    struct client_statement *known = map_take(&pc->named, name);
    if (!known) return;
    if (pc->changed == known->statement) pc->changed = NULL;
    statement_pg_unref(known->statement);
    mem_free(known);
}

static void forget_all(struct prepared_client *pc) {
    struct bytes name;
    void *value;
    size_t at = 0;
    while (map_next(&pc->named, &at, &name, &value)) {
        struct client_statement *known = value;
        statement_pg_unref(known->statement);
        mem_free(known);
    }
    map_release(&pc->named);
    map_init(&pc->named);
    pc->changed = NULL;
}

void session_pg_prepared_each(const struct session_pg *ps, void (*each)(void *ctx, const struct statement_pg *st), void *ctx) {
    struct bytes name;
    void *value;
    size_t at = 0;
    while (map_next(&ps->prepared.named, &at, &name, &value)) each(ctx, ((const struct client_statement *)value)->statement);
}

/* When memory is out the name is not known: using it is an error, never another statement. */
static void remember(struct prepared_client *pc, struct bytes name, struct statement_pg *st, const uint64_t *description) {
    struct client_statement *known = mem_alloc(sizeof *known);
    forget(pc, name);
    if (!known) return;
    known->statement = statement_pg_ref(st);
    known->is_described = description != NULL;
    known->description = description ? *description : 0;
    if (map_put(&pc->named, name, known)) return;
    statement_pg_unref(st);
    mem_free(known);
}

/*
 * False when no setting can change what the text means: DateStyle, TimeZone and the like
 * speak through string constants, encodings through bytes beyond ASCII. Most statements
 * that take parameters have neither.
 */
static bool depends_on_settings(struct bytes source) {
    for (size_t i = 0; i < source.len && source.ptr[i]; i++) {
        uint8_t c = source.ptr[i];
        if (c == '\'' || c > 127 || (c == '$' && !isdigit(source.ptr[i + 1]))) return true; /* the text ends with a NUL */
    }
    return false;
}

bool session_pg_prepared_know_unnamed(struct session *s, struct bytes source, uint64_t settings, const uint64_t *description) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct bytes name = bytes_of("", 0);
    if (map_get(&pc->named, name)) return true;
    struct map *home = &session_pool(s)->set->statements;
    struct statement_pg *st = statement_pg_intern(home, source, depends_on_settings(source) ? settings : 0);
    if (!st) return false;
    remember(pc, name, st, description);
    statement_pg_unref(st);
    return map_get(&pc->named, name) != NULL;
}

void session_pg_prepared_forget_unnamed(struct session_pg *ps) {
    if (ps->prepared.named.count) forget(&ps->prepared, bytes_of("", 0));
}

/* What a name stands for at this point of the client's messages. */
struct meaning {
    struct prepared_pg *made;       /* parsed on this very connection, not answered yet */
    struct client_statement *known; /* else what it is */
};

static struct meaning meaning_of(struct prepared_client *pc, struct bytes name) {
    for (struct list *n = pc->ops.prev; n != &pc->ops; n = n->prev) {
        struct prepared_op *op = op_at(n);
        if (op->kind == OP_PREPARE_HERE || !bytes_equal(op_name(op), name)) continue;
        return (struct meaning){.made = op->kind == OP_PARSE ? op->made : NULL};
    }
    return (struct meaning){.known = map_get(&pc->named, name)};
}

static bool is_named(struct meaning m) {
    return m.made || m.known;
}

/* ---- what is not answered yet ---- */

static struct prepared_op *add_op(struct prepared_client *pc, enum op_kind kind, struct bytes name, struct prepared_pg *made) {
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

static void end_op(struct prepared_op *op) {
    list_remove(&op->node);
    mem_free(op);
}

/* The server never came to it, or stopped between the parsing and the description. */
static void undo(struct prepared_client *pc, struct backend *b, struct prepared_op *op) {
    struct prepared_set_pg *set = &backend_pg_of(b)->prepared;
    if (op->made && op->is_parsed) {
        if (op->kind == OP_PARSE) remember(pc, op_name(op), op->made->statement, NULL);
        prepared_pg_give_up(set, op->made);
    } else if (op->made) {
        prepared_pg_drop(set, op->made);
    }
    end_op(op);
}

/* The op with this tag, after those before it were undone: replies come in order. */
static struct prepared_op *arrive_at(struct prepared_client *pc, struct backend *b, uint16_t tag) {
    bool is_there = false;
    LIST_EACH(n, &pc->ops) is_there |= op_at(n)->tag == tag;
    if (!is_there) return NULL;
    struct prepared_op *op;
    while ((op = op_at(list_first(&pc->ops))) && op->tag != tag) undo(pc, b, op);
    return op;
}

static void on_described(struct prepared_client *pc, struct backend *b, struct prepared_op *op) {
    struct backend_pg *bp = backend_pg_of(b);
    uint64_t description = bp->description.digest;
    struct statement_pg *st = op->made->statement;
    prepared_pg_settle(&bp->prepared, op->made, description);
    if (op->kind == OP_PARSE) {
        remember(pc, op_name(op), st, &description);
    } else {
        struct client_statement *known = map_get(&pc->named, op_name(op));
        if (known && known->statement == st && !known->is_described) {
            known->is_described = true;
            known->description = description;
        } else if (known && known->statement == st && known->description != description) {
            pc->changed = st;
        }
    }
    end_op(op);
}

void session_pg_prepared_on_tagged(struct session *s, struct backend *b, uint8_t kind, uint16_t tag) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct prepared_op *op = arrive_at(pc, b, tag);
    if (!op) return;
    if (kind == OWED_PARSE) {
        op->is_parsed = true;
    } else if (kind == OWED_DESCRIBE_STATEMENT) {
        on_described(pc, b, op);
    } else {
        forget(pc, op_name(op));
        end_op(op);
    }
}

void session_pg_prepared_on_group_end(struct session *s, struct backend *b, uint16_t tag) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    /* A setting was changed in front of the Parse, in the same pipeline: what it means was not known when it was sent. */
    struct backend_pg *bp = backend_pg_of(b);
    bool is_all_answered = b->ledger.count == 0 && !b->ledger.is_group_open;
    if (pc->has_parsed && (bp->saw_taint || bp->params.analysis_digest != pc->parsed_settings)) s->pins |= PIN_PREPARED;
    bp->saw_taint = false;
    if (is_all_answered) {
        pc->has_parsed = false;
        pc->changed = NULL; /* whoever was to be told has been, or was skipped */
    }
    struct prepared_op *op = tag ? arrive_at(pc, b, tag) : NULL;
    if (op) undo(pc, b, op);
    /* A group end that was in doubt (reply_pg.h) brings no tag; but when all is answered, nothing is under way. */
    if (is_all_answered)
        while ((op = op_at(list_first(&pc->ops)))) undo(pc, b, op);
}

void session_pg_prepared_on_dropped(struct session *s) {
    forget_all(&session_pg_of(s)->prepared);
}

uint16_t session_pg_prepared_tag(const struct session_pg *ps) {
    return list_is_empty(&ps->prepared.ops) ? 0 : ps->prepared.last_tag;
}

void session_pg_prepared_init(struct session_pg *ps) {
    map_init(&ps->prepared.named);
    list_init(&ps->prepared.ops);
}

/* What the ops have made belongs to the connection, which ended with the session. */
void session_pg_prepared_release(struct session_pg *ps) {
    struct list *n;
    while ((n = list_first(&ps->prepared.ops))) end_op(op_at(n));
    forget_all(&ps->prepared);
}

/* ---- from worker to worker ---- */

/* Every name's statement for another copy of it; a name that gets none is forgotten. */
static void exchange_all(struct session *s, struct statement_pg *(*exchange)(struct session *s, struct statement_pg *st)) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct map old = pc->named;
    struct bytes name;
    void *value;
    size_t at = 0;
    INVARIANT(list_is_empty(&pc->ops));
    if (!old.count) return;
    map_init(&pc->named);
    pc->changed = NULL;
    while (map_next(&old, &at, &name, &value)) {
        struct client_statement *known = value;
        struct statement_pg *st = exchange(s, known->statement);
        statement_pg_unref(known->statement);
        known->statement = st;
        if (st && map_put(&pc->named, name, known)) continue;
        statement_pg_unref(st);
        mem_free(known);
    }
    map_release(&old);
}

static struct statement_pg *copy_of(struct session *s, struct statement_pg *st) {
    (void)s;
    return statement_pg_copy(st);
}

static struct statement_pg *interned(struct session *s, struct statement_pg *st) {
    return statement_pg_intern(&s->env->pools->statements, st->source, st->settings);
}

void session_pg_prepared_pack(struct session *s) {
    exchange_all(s, copy_of);
}

void session_pg_prepared_unpack(struct session *s) {
    exchange_all(s, interned);
}

/* ---- to the server ---- */

static void send_parse(struct backend *b, const struct prepared_pg *p) {
    uint8_t storage[PG_HEADER_LEN + PREPARED_PG_NAME_MAX];
    struct bytes source = p->statement->source;
    size_t name_len = strlen(p->name) + 1;
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, PG_F_PARSE);
    writer_be32(&w, (uint32_t)(4 + name_len + source.len));
    writer_cstr(&w, bytes_str(p->name));
    stream_send(b->stream, writer_bytes(&w));
    stream_send(b->stream, source);
}

/* A Describe or Close of a statement. */
static void send_about(struct backend *b, uint8_t type, const char *name) {
    uint8_t storage[PG_HEADER_LEN + 1 + PREPARED_PG_NAME_MAX];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    size_t at = pg_begin(&w, type);
    writer_u8(&w, 'S');
    writer_cstr(&w, bytes_str(name));
    pg_end(&w, at);
    stream_send(b->stream, writer_bytes(&w));
}

static void send_flush(struct backend *b) {
    static const uint8_t flush[] = {PG_F_FLUSH, 0, 0, 0, 4};
    stream_send(b->stream, bytes_of(flush, sizeof flush));
}

static bool close_surplus(struct session_pg *ps, struct backend *b) {
    struct prepared_set_pg *set = &backend_pg_of(b)->prepared;
    struct prepared_pg *p;
    while ((p = prepared_pg_surplus(set, b->variant->pool->max_prepared_statements))) {
        ps->prepared.is_flushed = false;
        if (!backend_pg_note_own(b, PG_F_CLOSE, 'S', REPLY_QUIET, 0)) return false;
        send_about(b, PG_F_CLOSE, p->name);
        prepared_pg_drop(set, p);
    }
    return true;
}

static enum step out_of_memory(struct session *s) {
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for a prepared statement");
    session_end(s, &err);
    return STEP_STOP;
}

/* ---- errors of gilmok's own, in their place ---- */

static enum step hold(struct session *s) {
    s->is_held_back = true;
    return STEP_KEEP;
}

/*
 * The client's message fails with `err`, after the replies to all before it. The server
 * is made to fail there, too, so that it ends the transaction and skips what follows.
 */
static enum step fail_here(struct session *s, const struct message *m, const struct err *err) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    if (b->ledger.count > 0) {
        if (!ps->prepared.is_flushed) send_flush(b);
        ps->prepared.is_flushed = true;
        return hold(s);
    }
    session_pg_tell(s, err, false);
    if (!backend_pg_note_own(b, PG_F_BIND, 0, REPLY_SWALLOW, 0)) return STEP_STOP;
    session_pg_send_missing(b, PG_F_BIND);
    session_pg_drop(ps, m);
    return STEP_DONE;
}

static enum step fail_missing(struct session *s, const struct message *m, struct bytes name) {
    struct err err = {0};
    err_set(&err, "26000", "prepared statement \"%.*s\" does not exist", (int)name.len, (const char *)name.ptr);
    return fail_here(s, m, &err);
}

static enum step fail_changed(struct session *s, const struct message *m) {
    struct err err = {0};
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
    err.routine = "RevalidateCachedQuery"; /* by which asyncpg and pgjdbc know that they must prepare again */
    enum step step = fail_here(s, m, &err);
    if (step == STEP_DONE) session_pg_of(s)->prepared.changed = NULL;
    return step;
}

/* ---- the messages ---- */

/* Makes sure that the preparation is on this connection. STEP_DONE: *name is its name there. */
static enum step prepare_here(struct session *s, const struct message *m, struct bytes client_name,
                              struct client_statement *known, const char **name) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend *b = s->lessee.backend;
    struct prepared_set_pg *set = &backend_pg_of(b)->prepared;
    struct prepared_pg *p = known->is_described ? prepared_pg_find(set, known->statement, known->description) : NULL;
    if (p) {
        *name = p->name;
        return STEP_DONE;
    }
    struct prepared_op *last = op_at(list_last(&pc->ops));
    if (last && last->kind == OP_PREPARE_HERE) return hold(s); /* on its way */
    if (pc->changed == known->statement) return fail_changed(s, m);
    uint64_t settings = known->statement->settings;
    if (settings && settings != backend_pg_analysis(backend_pg_of(b))) {
        struct err err = {0};
        err_set(&err, ERR_FEATURE_NOT_SUPPORTED,
                "prepared statement \"%.*s\" is not on this server connection yet, and its constants might mean something else "
                "under the present settings", (int)client_name.len, (const char *)client_name.ptr);
        err_hint(&err, "Change DateStyle, TimeZone and the like before preparing statements, or prepare them anew after it.");
        return fail_here(s, m, &err);
    }
    p = prepared_pg_new(set, known->statement);
    struct prepared_op *op = p ? add_op(pc, OP_PREPARE_HERE, client_name, p) : NULL;
    if (!op) return out_of_memory(s);
    if (!backend_pg_note_own(b, PG_F_PARSE, 0, REPLY_QUIET, op->tag)) return STEP_STOP;
    session_pool(s)->stats.server_parses++;
    send_parse(b, p);
    if (!backend_pg_note_own(b, PG_F_DESCRIBE, TARGET_STATEMENT, REPLY_COLLECT, op->tag)) return STEP_STOP;
    send_about(b, PG_F_DESCRIBE, p->name);
    send_flush(b);
    s->request.has_sent = true;
    return hold(s);
}

/* The name on this connection of a statement that the client calls `client_name`. STEP_RAW: it is the client's own. */
static enum step name_here(struct session *s, const struct message *m, struct bytes client_name, const char **name) {
    struct meaning meaning = meaning_of(&session_pg_of(s)->prepared, client_name);
    if (meaning.made) {
        *name = meaning.made->name;
        return STEP_DONE;
    }
    if (meaning.known) return prepare_here(s, m, client_name, meaning.known, name);
    if (s->pins & PIN_PREPARED && !bytes_starts_with(client_name, STATEMENT_PG_PREFIX)) return STEP_RAW;
    return fail_missing(s, m, client_name);
}

/*   Parse = name NUL source        source = text NUL count types */
static enum step take_parse(struct session *s, const struct message *m, struct bytes name, struct bytes source) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend *b = s->lessee.backend;
    if (is_named(meaning_of(pc, name))) {
        struct err err = {0};
        err_set(&err, "42P05", "prepared statement \"%.*s\" already exists", (int)name.len, (const char *)name.ptr);
        return fail_here(s, m, &err);
    }
    if (pc->named.count >= NAMED_MAX) {
        struct err err = {0};
        err_set(&err, ERR_LIMIT_EXCEEDED, "too many prepared statements: one client may have %d", NAMED_MAX);
        return fail_here(s, m, &err);
    }
    bool is_dependent = depends_on_settings(source);
    uint64_t settings = is_dependent ? backend_pg_analysis(backend_pg_of(b)) : 0;
    struct statement_pg *st = statement_pg_intern(&b->variant->pool->set->statements, source, settings);
    struct prepared_pg *p = st ? prepared_pg_new(&backend_pg_of(b)->prepared, st) : NULL;
    struct prepared_op *op = p ? add_op(pc, OP_PARSE, name, p) : NULL;
    statement_pg_unref(st);
    if (!op) return out_of_memory(s);
    if (!backend_pg_note_sent(b, PG_F_PARSE, 0, op->tag)) return STEP_STOP;
    session_pool(s)->stats.client_parses++;
    session_pool(s)->stats.server_parses++;
    send_parse(b, p);
    if (!backend_pg_note_own(b, PG_F_DESCRIBE, TARGET_STATEMENT, REPLY_COLLECT, op->tag)) return STEP_STOP;
    send_about(b, PG_F_DESCRIBE, p->name);
    if (!is_dependent) return STEP_DONE;
    pc->has_parsed = true;
    pc->parsed_settings = settings;
    /* What it means depends on settings that the next connection will not have. */
    if (!has_usual_settings(s, b)) s->pins |= PIN_PREPARED;
    return STEP_DONE;
}

/*   Bind = portal NUL statement NUL ...        only the head is rewritten */
static enum step take_bind(struct session *s, const struct message *m, struct bytes portal, struct bytes client_name) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    const char *name = NULL;
    enum step step = name_here(s, m, client_name, &name);
    if (step != STEP_DONE || !name) return step;
    uint8_t storage[PG_HEADER_LEN + PREPARED_PG_NAME_MAX];
    struct writer w;
    size_t old_head = portal.len + 1 + client_name.len + 1, name_len = strlen(name) + 1;
    if (!backend_pg_note_sent(b, PG_F_BIND, 0, 0)) return STEP_STOP;
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
    enum step step = name_here(s, m, client_name, &name);
    if (step != STEP_DONE || !name) return step;
    if (!backend_pg_note_sent(b, PG_F_DESCRIBE, TARGET_STATEMENT, 0)) return STEP_STOP;
    send_about(b, PG_F_DESCRIBE, name);
    return STEP_DONE;
}

static enum step take_close(struct session *s, struct bytes client_name) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend *b = s->lessee.backend;
    if (!is_named(meaning_of(pc, client_name)) && s->pins & PIN_PREPARED) return STEP_RAW;
    struct prepared_op *op = add_op(pc, OP_CLOSE, client_name, NULL);
    if (!op) return out_of_memory(s);
    if (!backend_pg_note_sent(b, PG_F_CLOSE, 0, op->tag)) return STEP_STOP;
    send_about(b, PG_F_CLOSE, STATEMENT_PG_PREFIX);
    return STEP_DONE;
}

/* The unnamed statement, when it must be brought to this connection. */
static bool is_unnamed_elsewhere(struct session *s) {
    return !(s->pins & PIN_MODE) && session_pg_unnamed_adopt(s, s->lessee.backend);
}

/* Most messages name no statement: that is seen in their first bytes. */
bool session_pg_prepared_concerns(struct session *s, struct message *m) {
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    const uint8_t *end;
    uint8_t kind;
    switch (m->h.type) {
    case PG_F_PARSE:
        if (!body.len || !body.ptr[0] || m->avail < m->h.total) return false;
        end = memchr(body.ptr, 0, body.len);
        if (!end) return false;
        m->statement = bytes_of(body.ptr, (size_t)(end - body.ptr));
        break;
    case PG_F_BIND:
        if (body.len >= 2 && !body.ptr[0] && !body.ptr[1] && !is_unnamed_elsewhere(s)) return false;
        if (pg_bind_names(body, &m->portal, &m->statement) != PG_FRAME_OK) return false;
        if (!m->statement.len && !is_unnamed_elsewhere(s)) return false;
        break;
    case PG_F_DESCRIBE:
    case PG_F_CLOSE:
        if (body.len < 2 || body.ptr[0] != 'S' || m->avail < m->h.total) return false;
        if (!pg_target_read(body, &kind, &m->statement)) return false;
        if (!m->statement.len && (m->h.type == PG_F_CLOSE || !is_unnamed_elsewhere(s))) return false;
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
        return has_body && m->h.total <= INSPECT_MAX;
    case PG_F_DESCRIBE:
    case PG_F_CLOSE:
        return has_body && body[0] == 'S';
    case PG_F_QUERY:
        return session_pg_has_prepared((const struct session_pg *)s) && m->h.total <= QUERY_MAX;
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
        return take_bind(s, m, m->portal, name);
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
    else step = close_surplus(ps, b) ? place(s, m) : STEP_STOP;
    if (step != STEP_KEEP) ps->prepared.is_flushed = false;
    return step;
}

/* ---- DEALLOCATE by SQL, which drivers send for statements that they prepared by the protocol ---- */

static void skip_spaces(struct bytes *sql) {
    while (sql->len && isspace(sql->ptr[0])) *sql = bytes_of(sql->ptr + 1, sql->len - 1);
}

static bool is_word_char(uint8_t c) {
    return isalnum(c) || c == '_' || c == '$' || c > 127;
}

static bool take_word(struct bytes *sql, const char *word) {
    size_t len = strlen(word);
    if (sql->len < len) return false;
    for (size_t i = 0; i < len; i++)
        if (toupper(sql->ptr[i]) != word[i]) return false;
    if (sql->len > len && is_word_char(sql->ptr[len])) return false;
    *sql = bytes_of(sql->ptr + len, sql->len - len);
    skip_spaces(sql);
    return true;
}

/* An identifier as the server reads it: quoted, or folded to lower case. Only ASCII when not quoted. */
static bool take_identifier(struct bytes *sql, struct writer *out) {
    size_t i = 0;
    if (sql->len && sql->ptr[0] == '"') {
        for (i = 1; i < sql->len; i++) {
            bool is_doubled = i + 1 < sql->len && sql->ptr[i + 1] == '"';
            if (sql->ptr[i] == '"' && !is_doubled) break;
            if (sql->ptr[i] == '"') i++;
            writer_u8(out, sql->ptr[i]);
        }
        if (i++ >= sql->len) return false; /* no closing quote */
    } else {
        for (; i < sql->len && is_word_char(sql->ptr[i]); i++) {
            if (sql->ptr[i] > 127) return false;
            writer_u8(out, (uint8_t)tolower(sql->ptr[i]));
        }
    }
    *sql = bytes_of(sql->ptr + i, sql->len - i);
    skip_spaces(sql);
    return !out->failed && out->len > 0;
}

/*   DEALLOCATE [ PREPARE ] name [ ; ]        and nothing else in the query */
bool session_pg_prepared_deallocate(struct session_pg *ps, struct bytes sql, bool really) {
    uint8_t storage[64];
    struct writer name;
    writer_init_fixed(&name, storage, sizeof storage);
    skip_spaces(&sql);
    if (!take_word(&sql, "DEALLOCATE")) return false;
    struct bytes rest = sql;
    if (take_word(&rest, "PREPARE") && rest.len && rest.ptr[0] != ';') sql = rest;
    if (!take_identifier(&sql, &name)) return false;
    if (sql.len && sql.ptr[0] == ';') {
        sql = bytes_of(sql.ptr + 1, sql.len - 1);
        skip_spaces(&sql);
    }
    if (sql.len || !is_named(meaning_of(&ps->prepared, writer_bytes(&name)))) return false;
    if (really) forget(&ps->prepared, writer_bytes(&name));
    return true;
}
