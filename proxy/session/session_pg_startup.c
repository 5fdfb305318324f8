/*
 * A client's startup parameters, on connections that were started without them.
 *
 *      first client with a set     a connection of its own variant; the server is asked; then as the next ones, or it stays there
 *      the next ones               greeted with what the first one's connection reported; they share the pool's usual variant
 *
 * What they set is then treated like what a client has set by SQL: `left.state` has what is not reported from the beginning,
 * session_pg_settings.c the rest. What a reset goes back to: session_pg_reset.c.
 */
#include "base/fault.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg_login.h"

bool session_pg_startup_add(const struct session_pg *ps, struct state_pg *left) {
    return !ps->startup || state_pg_add_missing(left, &ps->startup->rest);
}

void session_pg_startup_release(struct session_pg *ps) {
    startup_pg_unref(ps->startup);
    ps->startup = NULL;
}

/* ---- to the pool ----------------------------------------------------------------------------------------------------- */

static bool adopt(struct session *s, struct startup_pg *st) {
    struct session_pg *ps = session_pg_of(s);
    session_pg_startup_release(ps);
    ps->startup = startup_pg_ref(st);
    for (uint32_t i = 0; i < st->rest.count; i++)
        if (strchr(st->rest.items[i].name, '.')) session_pg_state_on_name(s, bytes_str(st->rest.items[i].name));
    bool ok = session_pg_startup_add(ps, &ps->left.state);
    session_pg_state_on_state(ps);
    return ok;
}

/* In session mode the client is alone on its connection, and always has been told the truth by it. */
static bool may_share(const struct session *s, const struct pool *p, struct bytes key) {
    const struct session_pg *ps = session_pg_of((struct session *)s);
    return key.len && p->mode != POOL_SESSION && ps->login && !ps->login->is_replication;
}

struct variant *session_pg_startup_variant(struct session *s, struct pool *p, struct bytes key, struct err *err) {
    if (!may_share(s, p, key)) return variant_get(p, key, err);
    struct startup_pg *st = startup_pg_find(&p->startups, key);
    if (st && st->is_shareable) {
        if (adopt(s, st)) return variant_get(p, bytes_of("", 0), err);
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory for the startup parameters");
        return NULL;
    }
    struct variant *v = variant_get(p, key, err);
    if (v) v->is_judging = !st;
    return v;
}

/* ---- the judgement --------------------------------------------------------------------------------------------------- */

/* True when it is remembered: those who come next need no connection of their own. */
static bool judge(struct pool *p, struct bytes key, const struct bytes *rows, const struct params_pg *reported) {
    struct startup_pg *st = startup_pg_new(key);
    if (!st) return false;
    if (rows && !startup_pg_read(st, *rows, reported)) {
        startup_pg_unref(st);
        return false;
    }
    startup_pg_remember(&p->startups, st);
    return st->is_shareable;
}

bool session_pg_startup_ask(struct session *s, struct backend *b) {
    struct variant *v = b->variant;
    struct writer sql;
    if (!v->is_judging) return false;
    writer_init(&sql, STATE_PG_LOOK_MAX);
    bool is_asked = startup_pg_put_question(&sql, v->key);
    if (!is_asked) {
        v->is_judging = false;
        (void)judge(v->pool, v->key, NULL, NULL);
    } else {
        b->reads_notifications = true; /* none is for a client that is still to be greeted */
        is_asked = backend_pg_look(b, writer_bytes(&sql));
    }
    writer_release(&sql);
    return is_asked || s->state == SESSION_CLOSED;
}

/* The others in the variant's line need not wait for a connection of it any more. */
static void redirect_waiters(struct variant *v) {
    LIST_EACH(n, &v->waiting) {
        struct session *s = CONTAINER_OF(CONTAINER_OF(n, struct lessee, wait_node), struct session, lessee);
        if (s->state != SESSION_LOGIN_WAITING) continue;
        pool_cancel_wait(&s->lessee);
        session_leave_variant(s);
        session_pg_begin_service(s);
    }
}

void session_pg_startup_on_looked(struct session *s, struct backend *b, struct bytes rows, bool ok) {
    struct variant *v = b->variant;
    bool is_shared = judge(v->pool, v->key, ok ? &rows : NULL, &backend_pg_of(b)->start);
    v->is_judging = false;
    if (!is_shared) {
        session_pg_greet_leased(s, b);
        pool_want_dispatch(v->pool);
        return;
    }
    v->is_spent = b->is_retired = true;
    session_release_lease(s);
    session_leave_variant(s);
    session_pg_begin_service(s);
    redirect_waiters(v);
}

/* ---- back to connections of its own ---------------------------------------------------------------------------------- */

bool session_pg_startup_go_own(struct session *s, struct err *err) {
    struct session_pg *ps = session_pg_of(s);
    struct variant *v = variant_get(session_pool(s), ps->startup->key, err);
    if (!v) return false;
    session_leave_variant(s);
    session_join(s, v);
    session_pg_startup_release(ps);
    return true;
}
