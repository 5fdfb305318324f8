/*
 * A client puts settings back to what its session started with: RESET, SET TO DEFAULT, DISCARD ALL.
 *
 * Server connections start without their clients' own startup values, so that all clients can share them. What the server
 * goes back to is therefore not what the client would find on a connection of its own; its own values are set behind the
 * reset, in the same send and in the same group: both happen or neither does, and the server, which reports what has changed
 * when the group ends, tells the client only the values that it ends with.
 *
 *      Execute of RESET x           Execute, (SET x = own value)                 the client's Sync follows
 *      Execute of DISCARD ALL       Execute, (SET x = own value, COMMIT)
 *      Query RESET x                (Parse, Bind) Execute (Close, Close, SET x = own value) Sync
 *      Query RESET x; ...           Query RESET x (; SET x = own value) ; ...            session_pg_reset_text.c
 *      set_config('x', NULL, ...)   set_config('x', (coalesce() NULL (, own value)) , ...)        likewise
 *
 * What stands in parentheses is gilmok's own: its success is not shown. A simple query of one statement is carried out by the
 * extended protocol for that, since DISCARD ALL suffers no other statement beside it; the client gets the same messages.
 *
 * WHERE THAT CANNOT BE DONE, because the reset hides in an expression, the client gets connections that were started with its
 * parameters, from then on. A client that is bound to its connection when it sends such a text is refused: what stands behind
 * the reset would meet another value than the client's.
 */
#include <strings.h>

#include "base/fault.h"
#include "base/map.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"
#include "routing/reset_pg.h"

#define QUOTE_ALL "quote_all_identifiers"
#define APP_NAME "application_name"

/* ---- the client's own values ----------------------------------------------------------------------------------------- */

void session_pg_reset_each_own(struct session *s, session_pg_reset_each *each, void *ctx) {
    const struct session_pg *ps = session_pg_of(s);
    const struct startup_pg *st = ps->startup;
    const struct params_pg *start = &backend_pg_of(s->lessee.backend)->start;
    if (ps->login_app_name) each(ctx, APP_NAME, ps->login_app_name);
    for (int i = 0; st && i < st->reported.count; i++) {
        const char *name = st->reported.items[i].name, *value = st->reported.items[i].value, *there = params_pg_get(start, name);
        if (st->own >> i & 1 && (!there || strcmp(there, value) != 0)) each(ctx, name, value);
    }
    for (uint32_t i = 0; st && i < st->rest.count; i++) each(ctx, st->rest.items[i].name, st->rest.items[i].value);
}

struct own {
    const struct reset_pg *reset;
    unsigned how;
    struct writer *w;
};

static void put_own(void *ctx, const char *name, const char *value) {
    const struct own *o = ctx;
    if (o->reset->kind == RESET_PG_ONE && strcasecmp(o->reset->name, name) != 0) return;
    state_pg_put_setting(o->w, name, value, o->how);
    writer_u8(o->w, 0);
}

void session_pg_reset_put_own(struct session *s, const struct reset_pg *r, struct writer *w) {
    const struct session_pg *ps = session_pg_of(s);
    if (r->kind != RESET_PG_ONE && r->kind != RESET_PG_ALL) return;
    bool quotes_all = state_pg_get(&ps->left.state, QUOTE_ALL) || (ps->startup && state_pg_get(&ps->startup->rest, QUOTE_ALL));
    struct own o = {.reset = r, .how = (r->is_local ? STATE_PG_LOCAL : 0) | (quotes_all ? STATE_PG_QUOTES_ALL : 0), .w = w};
    session_pg_reset_each_own(s, put_own, &o);
}

bool session_pg_reset_matters(const struct session_pg *ps) {
    return ps->login_app_name || ps->startup;
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

static struct bytes body_of(const struct message *m) {
    return bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
}

/* Without the NUL and what stands behind it. */
static struct bytes text_in(struct bytes source) {
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    return bytes_of(source.ptr, end ? (size_t)(end - source.ptr) : 0);
}

struct own_names {
    const struct startup_pg *startup; /* NULL: the connection goes back to these by itself */
    bool has_app_name;
};

static bool is_own(void *ctx, struct bytes name) {
    const struct own_names *own = ctx;
    bool is_app_name = name.len == sizeof APP_NAME - 1 && strncasecmp((const char *)name.ptr, APP_NAME, name.len) == 0;
    return (is_app_name && own->has_app_name) || (own->startup && startup_pg_sets(own->startup, name));
}

/* Of a client that has nothing but its application_name: only what says so by name is followed. */
static void keep_calls_by_name(struct resets_pg *resets) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < resets->call_count; i++)
        if (resets->calls[i].setting[0]) resets->calls[kept++] = resets->calls[i];
    resets->call_count = kept;
    resets->is_inside = false;
}

struct resets_pg session_pg_reset_read(struct session *s, struct bytes text) {
    struct resets_pg resets;
    struct backend *b = s->lessee.backend;
    const struct session_pg *ps = session_pg_of(s);
    const struct startup_pg *st = ps->startup;
    bool differs = st && !startup_pg_is_there(st, &backend_pg_of(b)->start);
    struct own_names own = {.startup = differs ? st : NULL, .has_app_name = ps->login_app_name};
    reset_pg_watch *watch = differs || own.has_app_name ? is_own : NULL;
    resets_pg_find(&resets, text, session_pg_settings_options(s, b), &s->env->arena, watch, &own);
    if (!differs) keep_calls_by_name(&resets);
    return resets;
}

/* ---- where nothing can follow ---------------------------------------------------------------------------------------- */

/* Nothing of the open request has been sent. */
static enum step go_own(struct session *s) {
    struct err err = {0};
    session_pg_of(s)->left.effects = 0; /* of the message at hand, which is read again */
    request_drop(s);
    session_release_lease(s);
    session_set_state(s, SESSION_IDLE);
    if (!session_pg_startup_go_own(s, &err)) {
        session_end(s, &err);
        return STEP_STOP;
    }
    session_resume_input(s);
    return STEP_KEEP;
}

/* An error that the server itself raises, so that it ends what an error ends. */
#define REFUSAL                                                                                                        \
    "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '0A000', "                                                             \
    "MESSAGE = 'gilmok cannot carry out this reset here', "                                                              \
    "DETAIL = 'The client has startup parameters, and is bound to a server connection that was started without them.', " \
    "HINT = 'Send RESET or SET ... TO DEFAULT as a statement of its own.'; END $$"

/* STEP_RAW: the message follows behind an error, which makes the server skip it. */
static enum step refuse(struct session *s, const struct message *m) {
    struct backend *b = s->lessee.backend;
    if (m->h.type == PG_F_PARSE) return STEP_RAW; /* it does nothing; its Bind is refused */
    if (m->h.type == PG_F_BIND) return backend_pg_run_among(b, bytes_str(REFUSAL)) ? STEP_RAW : STEP_STOP;
    return session_pg_reset_text_behind(s, m, text_in(body_of(m)), REFUSAL, false);
}

/* A message whose reset nothing can follow. Where it is of no more than application_name, it goes as it is. */
static enum step take_inside(struct session *s, const struct message *m) {
    struct backend *b = s->lessee.backend;
    if (!session_pg_of(s)->startup) return STEP_RAW;
    bool is_open = b->ledger.is_group_open || b->ledger.is_skipping || b->ledger.is_client_turn;
    if (is_open) return refuse(s, m);
    if (!ledger_is_quiet(&b->ledger) || s->pins & PIN_LOOKING) { /* what is under way decides whether it is bound */
        s->is_held_back = true;
        return STEP_KEEP;
    }
    return s->pins || b->ledger.txn != TXN_NONE || s->request.has_sent ? refuse(s, m) : go_own(s);
}

static uint64_t mark_of(struct bytes portal) {
    return map_hash(portal) | 1;
}

/* A query of one statement, which resets, and what must stand behind it. */
static enum step follow_query(struct session *s, const struct message *m, struct bytes own) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    uint16_t unused, tag = session_pg_prepared_end_group(ps);
    session_pg_state_on_group_sent(ps);
    session_pg_unnamed_on_group_sent(ps);
    (void)session_pg_unnamed_track(s, b, m, &unused);
    session_pg_drop(ps, m);
    b->unnamed_owner = 0; /* where the query fails, it is what stays behind without a name */
    return backend_pg_run_query(b, text_in(body_of(m)), own, tag) ? STEP_DONE : STEP_STOP;
}

/* A query of one statement: where it begins a group, since it would end one early. In a failed transaction it resets nothing. */
static enum step take_alone(struct session *s, const struct message *m, const struct reset_pg *reset) {
    struct backend *b = s->lessee.backend;
    struct writer own;
    enum step step = STEP_RAW;
    if (b->ledger.doubtful || b->ledger.txn == TXN_FAILED) return STEP_RAW;
    writer_init(&own, SESSION_PG_OWN_VALUES_MAX);
    session_pg_reset_put_own(s, reset, &own);
    if (own.len && !own.failed) step = follow_query(s, m, writer_bytes(&own));
    writer_release(&own);
    return step;
}

/* The whole query is in hand. What the server will skip, or take for data, resets nothing. */
static enum step take_query(struct session *s, const struct message *m) {
    struct backend *b = s->lessee.backend;
    struct resets_pg resets = session_pg_reset_read(s, text_in(body_of(m)));
    struct left_client *left = &session_pg_of(s)->left;
    if (resets.is_inside || (left->latest & EFFECT_STATEMENTS && left->executes_reset)) return take_inside(s, m);
    if (!(resets.count || resets.call_count) || b->ledger.is_skipping || b->ledger.is_client_turn) return STEP_RAW;
    left->is_reset_named = left->latest & EFFECT_STATEMENTS;
    if (left->is_reset_named) return STEP_RAW;
    if (resets.statements == 1 && resets.count && !b->ledger.is_group_open) return take_alone(s, m, &resets.items[0]);
    if (resets.count && resets.items[0].is_discard) return STEP_RAW; /* in a group that is open it is an error */
    return session_pg_reset_text_take(s, m, text_in(body_of(m)), &resets);
}

static enum step take_parse(struct session *s, struct message *m) {
    struct bytes body = body_of(m);
    const uint8_t *end = body.len ? memchr(body.ptr, 0, body.len) : NULL;
    struct bytes source = end ? bytes_of(end + 1, body.len - (size_t)(end + 1 - body.ptr)) : bytes_of(NULL, 0);
    struct resets_pg resets = session_pg_reset_read(s, text_in(source));
    if (!resets.is_inside && !resets.call_count) return STEP_RAW;
    bool names_statements = session_pg_state_effects(s, s->lessee.backend, source, NULL) & EFFECT_STATEMENTS;
    return resets.is_inside || names_statements ? take_inside(s, m) : session_pg_reset_text_parse(s, m, text_in(source), &resets);
}

/* The portal's Execute will reset something. */
static enum step take_bind(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct bytes portal = m->portal, name = m->statement;
    if (!m->has_names) return STEP_RAW;
    if (ps->left.reset_portal == mark_of(portal)) ps->left.reset_portal = 0;
    if (!ps->left.is_reset_here) return STEP_RAW;
    if (ps->left.latest & EFFECT_STATEMENTS && ps->left.executes_reset) return take_inside(s, m);
    const struct statement_pg *st = name.len ? session_pg_prepared_statement(ps, name) : NULL;
    struct bytes source = st ? st->source : name.len ? bytes_of(NULL, 0) : session_pg_unnamed_latest(ps);
    struct resets_pg resets = session_pg_reset_read(s, text_in(source));
    bool is_made = !resets.call_count || session_pg_reset_calls_are_made(s, text_in(source), &resets);
    if (resets.is_inside || !is_made) return take_inside(s, m);
    if (!resets.count) return STEP_RAW;
    ps->left.reset = resets.items[0];
    ps->left.reset_portal = mark_of(portal);
    return STEP_RAW;
}

enum step session_pg_reset_take(struct session *s, struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    enum step step = STEP_RAW;
    if (m->h.type == PG_F_QUERY && ps->left.is_reset_here && m->avail == m->h.total) step = take_query(s, m);
    if (m->h.type == PG_F_PARSE && ps->left.is_reset_here) step = take_parse(s, m);
    if (m->h.type == PG_F_BIND) step = take_bind(s, m);
    ps->left.is_reset_here = false;
    return step;
}

bool session_pg_reset_needs_more(const struct session_pg *ps, const struct message *m) {
    return ps->left.reset_portal && m->h.type == PG_F_EXECUTE;
}

/*
 * A DISCARD ALL in a pipeline is committed at once, and so is what follows it: an error behind it takes neither back, and what
 * stands there is in a transaction that begins as the client's session would let it begin.
 */
bool session_pg_reset_follow(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    if (ps->left.reset_portal != mark_of(text_in(body_of(m)))) return true;
    struct writer own;
    writer_init(&own, SESSION_PG_OWN_VALUES_MAX);
    session_pg_reset_put_own(s, &ps->left.reset, &own);
    if (own.len && ps->left.reset.is_discard) writer_cstr(&own, bytes_str("COMMIT"));
    ps->left.reset_portal = 0;
    bool ok = backend_pg_run_each(s->lessee.backend, own.failed ? bytes_of(NULL, 0) : writer_bytes(&own));
    writer_release(&own);
    return ok;
}
