/*
 * The unnamed statement of a client that has no server connection of its own.
 *
 * On a connection it belongs to whoever parsed it last: naming it without having done so
 * on this very connection must never run another client's. So its source is kept, and on
 * another connection, or after a command of gilmok's own has destroyed it, it is prepared
 * like a named one (session_pg_prepared.c), under the empty name.
 *
 *      Parse     goes out as it is; its source is copied, and counts once the server has
 *                parsed it
 *      Query     ends it, here as there; so does a Close of it
 *      Describe  its answer is noted: after DDL the client must hear when it has changed
 *
 * WHOSE IT IS on a connection is noted there, and which of the client's: it may have a newer
 * one by now, parsed elsewhere. After an error the server skips a Parse, and another client's
 * statement stays: until that is out of the question, a Bind of a later group waits.
 *
 * Not kept is a source of more than SOURCE_MAX bytes, and one that was parsed while the
 * connection may have carried settings that another one will not have. Then the server's
 * own error 26000 is the answer, on any connection but the one that has it; so such a
 * statement keeps the connection until it is used, for one exchange. What was kept, or
 * has failed, keeps nothing.
 */
#include "base/fault.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg_ops.h"

enum {
    SOURCE_MAX = 8 << 10,
    SOURCE_SMALL = 512, /* a copy this small is left in place for the next one */
    TAG_BIT = 0x8000,   /* in the ledger's tags: about the unnamed statement of this version */
    TAG_MASK = 0x7fff,
};

static uint16_t tag_of(const struct unnamed_client *u) {
    return (uint16_t)(TAG_BIT | (u->version & TAG_MASK));
}

/* True when the unnamed statement of this connection is the client's present one. */
static bool is_here(const struct session *s, const struct backend *b) {
    return b->unnamed_owner == s->id && b->unnamed_version == session_pg_of((struct session *)s)->unnamed.version;
}

static void drop_source(struct unnamed_client *u) {
    if (u->cap > SOURCE_SMALL) {
        mem_free(u->source);
        u->source = NULL;
        u->cap = 0;
    }
    u->len = 0;
    u->is_parsed = u->is_described = false;
}

void session_pg_unnamed_release(struct session_pg *ps) {
    mem_free(ps->unnamed.source);
}

/* Where it is to be parsed again. */
static void forget(struct session_pg *ps) {
    if (!ps->unnamed.len) return;
    drop_source(&ps->unnamed);
    session_pg_names_forget_unnamed(ps);
}

/* What is there stays. */
static bool make_room(struct unnamed_client *u, size_t len) {
    if (len <= u->cap) return true;
    size_t cap = len < SOURCE_SMALL ? SOURCE_SMALL : len;
    uint8_t *bigger = mem_alloc_raw(cap);
    if (!bigger) return false;
    if (u->len) memcpy(bigger, u->source, u->len);
    mem_free(u->source);
    u->source = bigger;
    u->cap = (uint32_t)cap;
    return true;
}

/*   Parse = NUL source        the whole of it is in hand, or it is too long to be kept */
static void keep(struct unnamed_client *u, const struct message *m) {
    size_t len = m->h.body_len - 1;
    if (m->avail < m->h.total || len > SOURCE_MAX || !make_room(u, len)) return;
    memcpy(u->source, m->ptr + PG_HEADER_LEN + 1, len);
    u->len = (uint32_t)len;
}

static void on_parse(struct session *s, struct backend *b, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    if (b->ledger.is_skipping) return; /* the server will not read it */
    bool has_own = ps->unnamed.is_sure && is_here(s, b); /* which is what stays when this Parse is skipped */
    forget(ps);
    ps->unnamed.is_parsed = ps->unnamed.is_described = ps->unnamed.is_sent_whole = false;
    ps->unnamed.is_sure = has_own || ledger_is_quiet(&b->ledger);
    ps->unnamed.version++;
    if (!(s->pins & PIN_MODE)) keep(&ps->unnamed, m);
    b->unnamed_owner = s->id;
    b->unnamed_version = ps->unnamed.version;
    s->pins |= PIN_UNNAMED;
}

/* On all connections; but on this one it may survive, when the server skips the message: it will know. */
static void on_destroyed(struct session *s, struct backend *b) {
    if (b->ledger.is_skipping) return;
    bool was_here = is_here(s, b);
    forget(session_pg_of(s));
    session_pg_of(s)->unnamed.version++;
    if (was_here) b->unnamed_version++;
    else b->unnamed_owner = 0; /* whosever it was: it is brought back */
    s->pins &= (uint16_t)~PIN_UNNAMED;
}

bool session_pg_unnamed_track(struct session *s, struct backend *b, const struct message *m, uint16_t *tag) {
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    bool is_unnamed = body.len >= 2 && body.ptr[0] == 'S' && body.ptr[1] == 0;
    struct bytes portal, statement;
    switch (m->h.type) {
    case PG_F_QUERY:
        on_destroyed(s, b);
        return true;
    case PG_F_PARSE:
        if (body.len && body.ptr[0]) return true;
        on_parse(s, b, m);
        *tag = tag_of(&session_pg_of(s)->unnamed);
        return true;
    case PG_F_CLOSE:
        if (is_unnamed) on_destroyed(s, b);
        return true;
    case PG_F_BIND:
        is_unnamed = body.len >= 2 && !body.ptr[0] && !body.ptr[1];
        if (!is_unnamed && (pg_bind_names(body, &portal, &statement) != PG_FRAME_OK || statement.len)) return true;
        s->pins &= (uint16_t)~PIN_UNNAMED;
        return is_here(s, b);
    case PG_F_DESCRIBE:
        if (!is_unnamed) return true;
        *tag = tag_of(&session_pg_of(s)->unnamed);
        return is_here(s, b);
    default:
        return true;
    }
}

void session_pg_unnamed_on_not_sent(struct session *s, const struct message *m) {
    bool is_parse = m->h.type == PG_F_PARSE && (m->avail == PG_HEADER_LEN || !m->ptr[PG_HEADER_LEN]);
    if (!is_parse && m->h.type != PG_F_QUERY) return;
    forget(session_pg_of(s));
    session_pg_of(s)->unnamed.version++;
}

bool session_pg_unnamed_is_tag(uint16_t tag) {
    return tag & TAG_BIT;
}

/* What the client has been told holds wherever the statement is parsed again, the types of its parameters first of all. */
static void on_described(struct session *s, const struct description_pg *d) {
    struct unnamed_client *u = &session_pg_of(s)->unnamed;
    struct bytes types = writer_bytes(&d->parameters);
    u->description = d->digest;
    u->is_described = true;
    if (!u->len) return;
    session_pg_names_forget_unnamed(session_pg_of(s));
    size_t text_len = strnlen((const char *)u->source, u->len) + 1;
    if (text_len > u->len || d->parameters.failed || !make_room(u, text_len + types.len)) return;
    memcpy(u->source + text_len, types.ptr, types.len);
    u->len = (uint32_t)(text_len + types.len);
}

void session_pg_unnamed_on_tagged(struct session *s, struct backend *b, uint8_t kind, uint16_t tag) {
    struct unnamed_client *u = &session_pg_of(s)->unnamed;
    if (tag != tag_of(u)) return; /* there is a newer one */
    if (kind == OWED_DESCRIBE_STATEMENT) {
        on_described(s, &backend_pg_of(b)->description);
    } else {
        const struct backend_pg *bp = backend_pg_of(b);
        bool is_untold = b->is_tainted && !bp->trusts_texts;
        bool is_in_doubt = is_untold || bp->saw_taint || bp->saw_end; /* what was set there may be part of it */
        if (is_in_doubt && session_pg_names_depends_on_settings(bytes_of(u->source, u->len))) forget(session_pg_of(s));
        u->settings = backend_pg_analysis(backend_pg_of(b));
        u->is_parsed = u->is_sure = true;
    }
}

/* All is answered, but the server never said that it has parsed the statement: whose it has, nobody knows. */
static void on_skipped(struct session *s, struct backend *b) {
    if (is_here(s, b)) b->unnamed_owner = 0;
    session_pg_of(s)->unnamed.is_sure = true;
}

bool session_pg_unnamed_must_wait(struct session *s, struct backend *b, const struct message *m) {
    const struct unnamed_client *u = &session_pg_of(s)->unnamed;
    if (u->is_sure || !u->is_sent_whole || b->ledger.is_skipping) return false;
    if (m->h.type != PG_F_BIND && m->h.type != PG_F_DESCRIBE) return false;
    if (b->ledger.count > 0) return true;
    on_skipped(s, b);
    return false;
}

void session_pg_unnamed_on_group_end(struct session *s, struct backend *b) {
    const struct unnamed_client *u = &session_pg_of(s)->unnamed;
    bool is_all_answered = b->ledger.count == 0 && !b->ledger.is_group_open;
    if (is_all_answered && !u->is_sure) on_skipped(s, b);
    bool is_only_here = u->is_parsed && !u->len;
    if (s->pins & PIN_UNNAMED && is_all_answered && !is_only_here) s->pins &= (uint16_t)~PIN_UNNAMED;
}

bool session_pg_unnamed_adopt(struct session *s, const struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    const struct unnamed_client *u = &ps->unnamed;
    if (is_here(s, b) || !u->len || !u->is_parsed) return false;
    return session_pg_names_know_unnamed(s, b, bytes_of(u->source, u->len), u->settings, u->is_described ? &u->description : NULL);
}

/* The server's answer to its Parse decides; in the same group it will not come to the message when that has failed. */
enum step session_pg_unnamed_take_sql(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    const struct unnamed_client *u = &ps->unnamed;
    if (!(ps->left.unnamed & EFFECT_STATEMENTS) || !u->len) return STEP_RAW;
    if (!u->is_parsed && u->is_sent_whole) return s->lessee.backend->ledger.count ? session_pg_await_replies(s) : STEP_RAW;
    enum step step = session_pg_sql_take(s, m, bytes_of(u->source, u->len), 0);
    if (step == STEP_DONE && m->h.type == PG_F_BIND) s->pins &= (uint16_t)~PIN_UNNAMED;
    return step;
}
