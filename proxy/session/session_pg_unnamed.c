/*
 * The unnamed statement of a client that has no server connection of its own.
 *
 * On a connection it belongs to whoever parsed it last: naming it without having done so
 * on this very connection must never run another client's. So its source is kept, and on
 * another connection, or after a command of gilmok's own has destroyed it, it is prepared
 * like a named one (session_pg_prepared.c), under the empty name.
 *
 *      Parse     goes out as it is, and a copy of its source is pending; ParseComplete makes it the
 *                client's. An error in it ends the one before; one that the server skips changes nothing
 *      Close     likewise pending until it is answered
 *      Query     ends it, here as there; one that the server might skip waits until that is settled
 *      Describe  its answer is noted: after DDL the client must hear when it has changed
 *
 * WHOSE IT IS on a connection is noted there as far as it is answered, and which of the client's: it may have a newer one by
 * now, parsed elsewhere. While something is pending a Bind of the same group may follow at once, for it is skipped along; one
 * of a later group only when all that may be found is the client's (`is_sure`), else it waits.
 *
 * Not kept is a source of more than SESSION_PG_UNNAMED_MAX bytes. Then the server's own error 26000 is the answer, on any
 * connection but the one that has it; so such a statement keeps the connection until it is used, for one exchange.
 */
#include "base/fault.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg_ops.h"

enum {
    SOURCE_SMALL = 512, /* a copy this small is left in place for the next one */
    TAG_BIT = 0x8000,   /* in the ledger's tags: about the unnamed statement of this version */
    TAG_MASK = 0x7fff,
};

/* Before its source in unnamed_client.pending. */
struct unnamed_pending {
    uint64_t version;
    uint32_t len; /* of the source; 0: none, or too long */
    uint32_t effects;
    bool is_asked; /* the settings that it is parsed under were asked for before it */
};

static uint16_t tag_of(uint64_t version) {
    return (uint16_t)(TAG_BIT | (version & TAG_MASK));
}

bool session_pg_unnamed_is_tag(uint16_t tag) {
    return tag & TAG_BIT;
}

/* ---- buffers --------------------------------------------------------------------------------------------------------- */

static void let_go(uint8_t **ptr, uint32_t *len, uint32_t *cap) {
    if (*cap > SOURCE_SMALL) {
        mem_free(*ptr);
        *ptr = NULL;
        *cap = 0;
    }
    *len = 0;
}

/* What is there stays. */
static bool make_room(uint8_t **ptr, uint32_t len, uint32_t *cap, size_t wanted) {
    if (wanted <= *cap) return true;
    size_t bigger = wanted < SOURCE_SMALL ? SOURCE_SMALL : wanted;
    uint8_t *copy = mem_alloc_raw(bigger);
    if (!copy) return false;
    if (len) memcpy(copy, *ptr, len);
    mem_free(*ptr);
    *ptr = copy;
    *cap = (uint32_t)bigger;
    return true;
}

void session_pg_unnamed_release(struct session_pg *ps) {
    mem_free(ps->unnamed.source);
    mem_free(ps->unnamed.values);
    mem_free(ps->unnamed.pending);
}

/* ---- the one that is there ------------------------------------------------------------------------------------------- */

static bool is_here(const struct session *s, const struct backend *b) {
    const struct unnamed_client *u = &session_pg_of((struct session *)s)->unnamed;
    return u->is_there && b->unnamed_owner == s->id && b->unnamed_version == u->version;
}

static void forget(struct session_pg *ps) {
    struct unnamed_client *u = &ps->unnamed;
    if (u->len) session_pg_names_forget_unnamed(ps);
    let_go(&u->source, &u->len, &u->cap);
    u->is_there = u->is_described = u->is_used = false;
    u->effects = 0;
}

/* The values of the settings that it was parsed under. They seldom change: mostly they are those of the one before. */
static void keep_values(struct unnamed_client *u, const struct params_pg *params) {
    struct writer w;
    u->settings = params->analysis_digest;
    if (u->values && u->values_of == u->settings) return;
    writer_init(&w, PARAMS_PG_ANALYSIS_MAX);
    params_pg_put_analysis(params, &w);
    uint8_t *copy = w.failed ? NULL : mem_alloc_raw(w.len + 1);
    if (copy) {
        memcpy(copy, w.data, w.len);
        mem_free(u->values);
        u->values = copy;
        u->values_len = (uint32_t)w.len;
        u->values_of = u->settings;
    }
    writer_release(&w);
}

/* Parsed just now: under what is in force now, or was when it was asked for. */
static void settle_settings(struct session_pg *ps, struct backend_pg *bp, bool is_asked) {
    struct unnamed_client *u = &ps->unnamed;
    if (!is_asked) {
        keep_values(u, &bp->params);
        return;
    }
    struct params_pg asked = {0};
    if (backend_pg_take_asked(bp, &asked)) keep_values(u, &asked);
    else let_go(&u->source, &u->len, &u->cap); /* nobody knows what it means */
    params_pg_release(&asked);
}

/* ---- what is pending ------------------------------------------------------------------------------------------------- */

static size_t entry_size(const struct unnamed_pending *e) {
    return sizeof *e + e->len;
}

/* The entry at this place of the queue; false at its end. */
static bool entry_at(const struct unnamed_client *u, uint32_t at, struct unnamed_pending *e) {
    if (at >= u->pending_len) return false;
    memcpy(e, u->pending + at, sizeof *e);
    return true;
}

struct bytes session_pg_unnamed_latest(const struct session_pg *ps) {
    const struct unnamed_client *u = &ps->unnamed;
    struct bytes latest = bytes_of(u->source, u->len);
    struct unnamed_pending e;
    for (uint32_t at = 0; entry_at(u, at, &e); at += (uint32_t)entry_size(&e))
        latest = bytes_of(u->pending + at + sizeof e, e.len);
    return latest;
}

static void drop_pending(struct unnamed_client *u, uint32_t len) {
    memmove(u->pending, u->pending + len, u->pending_len - len);
    u->pending_len -= len;
    if (!u->pending_len) let_go(&u->pending, &u->pending_len, &u->pending_cap);
}

static bool add_pending(struct session *s, const struct unnamed_pending *e, const uint8_t *source) {
    struct unnamed_client *u = &session_pg_of(s)->unnamed;
    if (!make_room(&u->pending, u->pending_len, &u->pending_cap, u->pending_len + entry_size(e))) {
        struct err err;
        err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for a prepared statement");
        session_end(s, &err);
        return false;
    }
    memcpy(u->pending + u->pending_len, e, sizeof *e);
    if (e->len) memcpy(u->pending + u->pending_len + sizeof *e, source, e->len);
    u->pending_len += (uint32_t)entry_size(e);
    u->is_sent_whole = false;
    return true;
}

/* Nothing is pending any more, or less. */
static void on_answered(struct session_pg *ps) {
    struct unnamed_client *u = &ps->unnamed;
    if (u->pending_len) return;
    u->is_sure = true;
    ps->left.unnamed = u->effects;
}

/* The entry with this tag, with its place; what was sent before it is history. */
static bool find_pending(const struct unnamed_client *u, uint16_t tag, struct unnamed_pending *e, uint32_t *at) {
    for (*at = 0; entry_at(u, *at, e); *at += (uint32_t)entry_size(e))
        if (tag_of(e->version) == tag) return true;
    return false;
}

static void on_parsed(struct session *s, struct backend *b, uint16_t tag) {
    struct session_pg *ps = session_pg_of(s);
    struct unnamed_client *u = &ps->unnamed;
    struct unnamed_pending e;
    uint32_t at;
    if (!find_pending(u, tag, &e, &at)) return; /* a Query has ended it since */
    forget(ps);
    u->is_there = true;
    u->version = e.version;
    u->effects = e.effects;
    if (e.len && make_room(&u->source, 0, &u->cap, e.len)) {
        memcpy(u->source, u->pending + at + sizeof e, e.len);
        u->len = e.len;
    }
    if (u->len) settle_settings(ps, backend_pg_of(b), e.is_asked);
    drop_pending(u, at + (uint32_t)entry_size(&e));
    b->unnamed_owner = s->id;
    b->unnamed_version = u->version;
    on_answered(ps);
}

/* A Parse that failed, or a Close: there is none now. */
static void on_ended(struct session *s, struct backend *b, uint16_t tag) {
    struct session_pg *ps = session_pg_of(s);
    struct unnamed_pending e;
    uint32_t at;
    if (!find_pending(&ps->unnamed, tag, &e, &at)) return;
    forget(ps);
    drop_pending(&ps->unnamed, at + (uint32_t)entry_size(&e));
    b->unnamed_owner = 0;
    on_answered(ps);
}

/* What the client has been told holds wherever the statement is parsed again, the types of its parameters first of all. */
static void on_described(struct session *s, uint16_t tag, const struct description_pg *d) {
    struct unnamed_client *u = &session_pg_of(s)->unnamed;
    struct bytes types = writer_bytes(&d->parameters);
    if (!u->is_there || tag != tag_of(u->version)) return;
    u->description = d->digest;
    u->is_described = true;
    if (!u->len) return;
    session_pg_names_forget_unnamed(session_pg_of(s));
    size_t text_len = strnlen((const char *)u->source, u->len) + 1;
    if (text_len > u->len || d->parameters.failed || !make_room(&u->source, u->len, &u->cap, text_len + types.len)) return;
    memcpy(u->source + text_len, types.ptr, types.len);
    u->len = (uint32_t)(text_len + types.len);
}

void session_pg_unnamed_on_tagged(struct session *s, struct backend *b, uint8_t kind, uint16_t tag) {
    if (kind == OWED_DESCRIBE_STATEMENT) on_described(s, tag, &backend_pg_of(b)->description);
    else if (kind == OWED_PARSE) on_parsed(s, b, tag);
    else if (kind == OWED_CLOSE) on_ended(s, b, tag);
}

/* The server drops the old one before it reads the new one. */
void session_pg_unnamed_on_failed(struct session *s, struct backend *b, uint16_t tag) {
    on_ended(s, b, tag);
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

bool session_pg_unnamed_is_certain(const struct backend *b) {
    struct ledger *l = &((struct backend *)b)->ledger;
    return !l->is_group_open && !l->is_skipping && !ledger_owes_forward(l);
}

/*   Parse = NUL source        the whole of it is in hand, or it is too long to be kept */
static size_t source_len(const struct message *m) {
    size_t len = m->h.body_len ? m->h.body_len - 1 : 0;
    return m->avail < m->h.total || len > SESSION_PG_UNNAMED_MAX ? 0 : len;
}

static bool is_unnamed_parse(const struct message *m) {
    return m->h.type == PG_F_PARSE && m->avail > PG_HEADER_LEN && !m->ptr[PG_HEADER_LEN];
}

bool session_pg_unnamed_must_ask(const struct session *s, const struct message *m) {
    const struct session_pg *ps = (const struct session_pg *)s;
    if (!ps->left.has_moved || !is_unnamed_parse(m) || s->pins & PIN_MODE) return false;
    const struct ledger *l = &s->lessee.backend->ledger;
    if (l->is_skipping || l->is_client_turn) return false;
    return session_pg_names_depends_on_settings(bytes_of(m->ptr + PG_HEADER_LEN + 1, source_len(m)));
}

static void begin_pending(struct session *s, struct backend *b, bool is_certain) {
    struct unnamed_client *u = &session_pg_of(s)->unnamed;
    if (!u->pending_len) u->is_sure = is_certain || is_here(s, b);
}

static void on_parse(struct session *s, struct backend *b, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct unnamed_client *u = &ps->unnamed;
    bool is_kept = !(s->pins & PIN_MODE) && source_len(m) > 0;
    begin_pending(s, b, session_pg_unnamed_is_certain(b));
    struct unnamed_pending e = {
        .version = ++u->last_version,
        .len = is_kept ? (uint32_t)source_len(m) : 0,
        .effects = ps->left.parsed,
        .is_asked = session_pg_unnamed_must_ask(s, m),
    };
    if (!is_kept) s->pins |= PIN_UNNAMED;
    (void)add_pending(s, &e, m->ptr + PG_HEADER_LEN + 1);
}

static void on_close(struct session *s, struct backend *b) {
    struct unnamed_client *u = &session_pg_of(s)->unnamed;
    struct unnamed_pending e = {.version = ++u->last_version};
    begin_pending(s, b, session_pg_unnamed_is_certain(b));
    (void)add_pending(s, &e, NULL);
}

/* The server will read it: nothing of the client's is left, on any connection, and on this one nobody's. */
static void on_query(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    struct unnamed_client *u = &ps->unnamed;
    if (u->is_there) forget(ps);
    if (u->pending_len) drop_pending(u, u->pending_len);
    b->unnamed_owner = 0;
    ps->left.unnamed = 0;
    s->pins &= (uint32_t)~PIN_UNNAMED;
}

/* True when what the server finds, if anything, is what the client means. */
static bool is_right(const struct session *s, const struct backend *b) {
    return session_pg_of((struct session *)s)->unnamed.pending_len || is_here(s, b);
}

bool session_pg_unnamed_track(struct session *s, struct backend *b, const struct message *m, uint16_t *tag) {
    struct unnamed_client *u = &session_pg_of(s)->unnamed;
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    bool is_target = body.len >= 2 && body.ptr[0] == 'S' && body.ptr[1] == 0;
    if (b->ledger.is_skipping) return true; /* the server will not read it */
    switch (m->h.type) {
    case PG_F_QUERY:
        on_query(s, b);
        return true;
    case PG_F_PARSE:
        if (body.len && body.ptr[0]) return true;
        on_parse(s, b, m);
        *tag = tag_of(u->last_version);
        return true;
    case PG_F_CLOSE:
        if (!is_target) return true;
        on_close(s, b);
        *tag = tag_of(u->last_version);
        return true;
    case PG_F_BIND:
        if (!m->has_names || m->statement.len) return true;
        u->is_used = true;
        s->pins &= (uint32_t)~PIN_UNNAMED;
        return is_right(s, b);
    case PG_F_DESCRIBE:
        if (!is_target) return true;
        *tag = tag_of(u->pending_len ? u->last_version : u->version);
        return is_right(s, b);
    default:
        return true;
    }
}

void session_pg_unnamed_on_not_sent(struct session *s, const struct message *m) {
    bool is_parse = m->h.type == PG_F_PARSE && (m->avail == PG_HEADER_LEN || !m->ptr[PG_HEADER_LEN]);
    if (is_parse || m->h.type == PG_F_QUERY) forget(session_pg_of(s));
}

void session_pg_unnamed_on_answered(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct unnamed_client *u = &ps->unnamed;
    uint32_t len = (uint32_t)source_len(m);
    forget(ps);
    if (session_pg_names_depends_on_settings(bytes_of(m->ptr + PG_HEADER_LEN + 1, len))) return; /* nobody has asked for them */
    if (!len || !make_room(&u->source, 0, &u->cap, len)) return;
    memcpy(u->source, m->ptr + PG_HEADER_LEN + 1, len);
    u->len = len;
    u->is_there = true;
    u->version = ++u->last_version;
    ps->left.unnamed_version = UINT64_MAX; /* no version of any catalog: it is read when it is bound */
    ps->left.unnamed_reads = false;
}

/* Nothing is owed: what is still pending was skipped, all of it, and the connection has what it had before. */
static void on_all_answered(struct session_pg *ps) {
    if (!ps->unnamed.pending_len) return;
    drop_pending(&ps->unnamed, ps->unnamed.pending_len);
    on_answered(ps);
}

void session_pg_unnamed_on_taken_back(struct session_pg *ps) {
    on_all_answered(ps);
}

bool session_pg_unnamed_must_wait_for(struct session *s, struct backend *b, uint8_t type) {
    const struct unnamed_client *u = &session_pg_of(s)->unnamed;
    const struct ledger *l = &b->ledger;
    if (l->count == 0) on_all_answered(session_pg_of(s));
    if (l->is_skipping || l->is_client_turn || l->count == 0) return false;
    if (type == PG_F_QUERY) return l->is_group_open && (u->is_there || u->pending_len);
    if (type != PG_F_BIND && type != PG_F_DESCRIBE) return false;
    return u->pending_len && !u->is_sure && u->is_sent_whole;
}

void session_pg_unnamed_on_group_end(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    struct unnamed_client *u = &ps->unnamed;
    if (b->ledger.count || b->ledger.is_group_open) return;
    on_all_answered(ps);
    bool is_only_here = u->is_there && !u->len && !u->is_used;
    if (s->pins & PIN_UNNAMED && !is_only_here) s->pins &= (uint32_t)~PIN_UNNAMED;
}

bool session_pg_unnamed_adopt(struct session *s, const struct backend *b) {
    const struct unnamed_client *u = &session_pg_of(s)->unnamed;
    struct settings_pg settings = {.digest = u->settings};
    if (u->pending_len || !u->len || is_here(s, b)) return false;
    if (u->values_of == u->settings) settings.values = bytes_of(u->values, u->values_len);
    return session_pg_names_know_unnamed(s, bytes_of(u->source, u->len), &settings, u->is_described ? &u->description : NULL);
}

/* What is pending of an earlier group may have been skipped; of the same group the Bind would be skipped along. */
enum step session_pg_unnamed_take_sql(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    const struct unnamed_client *u = &ps->unnamed;
    struct bytes source = session_pg_unnamed_latest(ps);
    if (!(ps->left.unnamed & EFFECT_STATEMENTS)) return STEP_RAW;
    if (u->pending_len && u->is_sent_whole && s->lessee.backend->ledger.count) return session_pg_await_replies(s);
    if (!source.len) return STEP_RAW;
    enum step step = session_pg_sql_take(s, m, source, 0);
    if (step == STEP_DONE && m->h.type == PG_F_BIND) s->pins &= (uint32_t)~PIN_UNNAMED;
    return step;
}
