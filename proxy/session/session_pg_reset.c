/*
 * A client puts settings back to what its session started with: RESET, SET TO DEFAULT, DISCARD ALL.
 *
 * Server connections start without their clients' own startup values, so that all clients can share them. What the server
 * goes back to is therefore not what the client would find on a connection of its own; its own values are set behind the
 * reset, in the same send and in the same group: both happen or neither does, and the server, which reports what has changed
 * when the group ends, tells the client only the values that it ends with.
 *
 *      Execute of RESET x           Execute, (set_config(x, own value))          the client's Sync follows
 *      Query RESET x                (Parse, Bind) Execute (Close, Close, set_config(x, own value)) Sync
 *
 * What stands in parentheses is gilmok's own: its success is not shown. A simple query is carried out by the extended
 * protocol for that; the client gets the same messages for it.
 */
#include <strings.h>

#include "base/fault.h"
#include "base/map.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"
#include "proxy/wire/pg_decode.h"
#include "routing/reset_pg.h"

enum { OWN_VALUES_MAX = 64 << 10 };

/* ---- the client's own values ----------------------------------------------------------------------------------------- */

static void put_own(struct writer *w, const struct reset_pg *r, const char *name, const char *value) {
    if (r->kind == RESET_PG_ONE && strcasecmp(r->name, name) != 0) return;
    writer_str(w, w->len ? ",pg_catalog.set_config(" : "SELECT pg_catalog.set_config(");
    pg_put_literal(w, bytes_str(name));
    writer_u8(w, ',');
    pg_put_literal(w, bytes_str(value));
    writer_str(w, r->is_local ? ",true)" : ",false)");
}

/* What must stand behind a reset; nothing when what the server goes back to is right. */
static void put_own_values(const struct session_pg *ps, const struct reset_pg *r, struct writer *w) {
    if (r->kind != RESET_PG_ONE && r->kind != RESET_PG_ALL) return;
    if (ps->login_app_name) put_own(w, r, "application_name", ps->login_app_name);
}

bool session_pg_reset_matters(const struct session_pg *ps) {
    return ps->login_app_name;
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

static struct reset_pg read_reset(struct session *s, struct bytes text) {
    return reset_pg_of(text, session_pg_state_options(s, s->lessee.backend), &s->env->arena, NULL, NULL);
}

static uint64_t mark_of(struct bytes portal) {
    return map_hash(portal) | 1;
}

/* The whole query is in hand. Inside an open group it would end it early, in a failed transaction it resets nothing: it passes. */
static enum step take_query(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    struct bytes text = text_in(body_of(m));
    struct reset_pg reset = read_reset(s, text);
    struct writer own;
    enum step step = STEP_RAW;
    writer_init(&own, OWN_VALUES_MAX);
    put_own_values(ps, &reset, &own);
    if (own.len && !own.failed && !b->ledger.is_group_open && b->ledger.txn != TXN_FAILED) {
        uint16_t unused, tag = session_pg_prepared_end_group(ps);
        session_pg_state_on_group_sent(ps);
        session_pg_unnamed_on_group_sent(ps);
        (void)session_pg_unnamed_track(s, b, m, &unused);
        b->unnamed_owner = 0; /* where the query fails, it is what stays behind without a name */
        session_pg_drop(ps, m);
        step = backend_pg_run_query(b, text, writer_bytes(&own), tag) ? STEP_DONE : STEP_STOP;
    }
    writer_release(&own);
    return step;
}

/* The portal's Execute will reset something. */
static void take_bind(struct session *s, struct bytes body) {
    struct session_pg *ps = session_pg_of(s);
    struct bytes portal, name;
    if (pg_bind_names(body, &portal, &name) != PG_FRAME_OK) return;
    if (ps->left.reset_portal == mark_of(portal)) ps->left.reset_portal = 0;
    if (!ps->left.is_reset_here) return;
    const struct statement_pg *st = name.len ? session_pg_prepared_statement(ps, name) : NULL;
    struct bytes source = st ? st->source : name.len ? bytes_of(NULL, 0) : session_pg_unnamed_latest(ps);
    ps->left.reset = read_reset(s, text_in(source));
    ps->left.reset_portal = mark_of(portal);
}

enum step session_pg_reset_take(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    enum step step = STEP_RAW;
    if (m->h.type == PG_F_QUERY && ps->left.is_reset_here && m->avail == m->h.total) step = take_query(s, m);
    if (m->h.type == PG_F_BIND) take_bind(s, body_of(m));
    ps->left.is_reset_here = false;
    return step;
}

bool session_pg_reset_needs_more(const struct session_pg *ps, const struct message *m) {
    return ps->left.reset_portal && m->h.type == PG_F_EXECUTE;
}

bool session_pg_reset_follow(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    if (ps->left.reset_portal != mark_of(text_in(body_of(m)))) return true;
    struct writer own;
    writer_init(&own, OWN_VALUES_MAX);
    put_own_values(ps, &ps->left.reset, &own);
    ps->left.reset_portal = 0;
    bool ok = backend_pg_run_among(s->lessee.backend, own.failed ? bytes_of(NULL, 0) : writer_bytes(&own));
    writer_release(&own);
    return ok;
}
