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
 * WHAT IS NOT ANSWERED YET stands in `ops` (session_pg_ops.c), each with a tag that its reply brings back.
 * A client may use a name before the reply to its Parse; after an error the server skips
 * the rest of the group, and what was noted for it is undone when the group ends.
 */
#include "proxy/session/session_pg_ops.h"

enum { NAMED_MAX = 10000 /* statements of one client */ };

bool session_pg_close_surplus(struct session_pg *ps, struct backend *b, uint32_t max) {
    struct prepared_set_pg *set = &backend_pg_of(b)->prepared;
    struct prepared_pg *p;
    if (!list_is_empty(&ps->prepared.portals)) return true; /* one may be about to execute it */
    while ((p = prepared_pg_surplus(set, max))) {
        if (!backend_pg_note_own(b, PG_F_CLOSE, 'S', REPLY_QUIET, 0)) return false;
        backend_pg_send_about(b, PG_F_CLOSE, p->name);
        prepared_pg_drop(set, p);
    }
    return true;
}

/* It reads the list in which it stands itself: under the client's name, which it has there now, and no other. */
static bool is_in_list(const struct session *s, const struct message *m, struct bytes client_name) {
    const struct session_pg *ps = (const struct session_pg *)s;
    return ps->left.latest & EFFECT_LISTS && m->h.type == PG_F_BIND && session_pg_is_lent(s, client_name);
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
        return session_pg_may_mean_another(&session_pg_of(s)->prepared, client_name) ? session_pg_await_replies(s) : STEP_DONE;
    }
    if (meaning.known && UNLIKELY(is_in_list(s, m, client_name))) {
        *name = (const char *)client_name.ptr; /* with a NUL behind it */
        return STEP_DONE;
    }
    if (meaning.known) {
        *name = session_pg_name_of_known(s, meaning.known);
        return *name ? STEP_DONE : session_pg_bring_known(s, m, client_name, meaning.known, name);
    }
    bool is_gilmoks = bytes_starts_with(client_name, STATEMENT_PG_PREFIX) || session_pg_is_lent(s, client_name);
    if (s->pins & PIN_PREPARED && !is_gilmoks) return STEP_RAW;
    return session_pg_fail_missing(s, m, client_name);
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
    if (session_pg_is_in_doubt(pc, name)) return session_pg_await_replies(s);
    if (meaning_is_named(session_pg_meaning(pc, name))) /* what is under way may be a DEALLOCATE ALL */
        return b->ledger.count > 0 ? session_pg_await_replies(s) : take_duplicate(s, name, source);
    /* The connection is its own, and so are names that gilmok does not know; but a text with others is edited when it is bound. */
    if (s->pins & PIN_PREPARED && !(session_pg_state_effects(s, b, source, NULL) & EFFECT_STATEMENTS)) return STEP_RAW;
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
    enum { HEAD_MAX = 128 };
    uint8_t storage[HEAD_MAX];
    struct writer w;
    size_t old_head = portal.len + 1 + client_name.len + 1, name_len = strlen(name) + 1;
    size_t length = 4 + m->h.body_len - client_name.len - 1 + name_len;
    if (length > PG_LARGE_MAX) { /* under the name that it has there */
        session_pg_violation(s, "message is too long for the server");
        return STEP_STOP;
    }
    if (!backend_pg_note_sent(b, PG_F_BIND, 0, number)) return STEP_STOP; /* an error will bring the number back */
    session_pool(s)->stats.binds++;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, PG_F_BIND);
    writer_be32(&w, (uint32_t)length);
    if (LIKELY(PG_HEADER_LEN + portal.len + 1 + name_len <= HEAD_MAX)) {
        writer_put(&w, bytes_of(portal.ptr, portal.len + 1));
        writer_put(&w, bytes_of(name, name_len));
        stream_send(b->stream, writer_bytes(&w));
    } else {
        stream_send(b->stream, writer_bytes(&w));
        stream_send(b->stream, bytes_of(portal.ptr, portal.len + 1));
        stream_send(b->stream, bytes_of(name, name_len));
    }
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
