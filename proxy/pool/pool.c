/*
 * Who gets which server connection, when, and what happens when there is none.
 * Owns the order of waiting; opens nothing itself (pool_open.c), and knows no protocol.
 */
#include <stdatomic.h>

#include "proxy/pool/catalog_book.h"
#include "proxy/pool/catalog_change.h"
#include "proxy/pool/departed.h"
#include "proxy/pool/exported.h"
#include "proxy/pool/pool_impl.h"

/* Of those in line so many may be served before one whose home has nothing free, or whose read asks for a node that has not. */
enum { STICKY_WAITERS = 32, ASKING_WAITERS = 512, SHUNNING_PATIENCE_MS = 500 /* of who has lost a node, with another one */ };

/* ---- waiting ---- */

static void leave_queue(struct lessee *l) {
    list_remove(&l->wait_node);
    l->variant->waiting_count--;
}

void pool_refuse(struct lessee *l, const struct err *err) {
    leave_queue(l);
    l->ops->on_refused(l, err);
}

void pool_note_failure(struct pool *p, struct site *s, const struct err *err) {
    pool_suspect(p, err);
    if (pool_note_site_failure(p, s)) return;
    p->failed_us = pool_now_us(p);
    p->failure = *err;
    p->has_just_failed = true;
}

static void refuse_all(struct variant *v, const struct err *err) {
    struct lessee *l;
    while ((l = pool_first_waiter(v))) pool_refuse(l, err);
}

bool pool_has_waiters(const struct variant *v) {
    return v->waiting_count > 0;
}

/* ---- connections ---- */

void pool_publish(struct pool *p) {
    if (!p->group) return;
    uint32_t idle = 0, waiting = 0;
    LIST_EACH(n, &p->variants) {
        const struct variant *v = CONTAINER_OF(n, struct variant, node);
        idle += v->idle_count;
        waiting += v->waiting_count;
    }
    bool may_open = p->limits.size > p->total && !pool_is_backing_off(p) && budget_has_room(&p->places.budgets);
    uint32_t unopened = may_open ? p->limits.size - p->total : 0;
    atomic_store_explicit(&p->share->spare, pool_is_held(p) ? 0 : idle + unopened, memory_order_relaxed);
    atomic_store_explicit(&p->share->waiting, waiting, memory_order_relaxed);
}

/* `since_us`: when the lessee began to wait, or now. */
static void lease(struct backend *b, struct lessee *l, uint64_t since_us) {
    struct share *sh = b->variant->pool->share;
    if (sh) atomic_store_explicit(&sh->newest_us, since_us, memory_order_relaxed);
    backend_set_state(b, BACKEND_LEASED);
    b->leases++;
    b->is_checked = b->reads_notifications = b->holds_replies = b->exports = false;
    b->lessee = l;
    l->backend = b;
    l->last_backend_id = b->id;
    l->at = site_gauge_id(b->site);
    b->variant->pool->stats.assignments++;
    b->variant->last_used_us = pool_now_us(b->variant->pool);
}

/*
 * The idle connection to try first. Usually the one that was used last: its caches are warm, and those that nobody
 * needs grow old. Going round, the one that is idle for longest, but not the one that this lessee had last while there
 * is another: so every client changes its connection as often as it can.
 */
static struct backend *next_idle(const struct variant *v, const struct lessee *l) {
    if (UNLIKELY(v->pool->is_spread)) return pool_idle_for_reads(v, l);
    if (!v->pool->limits.is_round_robin) return pool_backend_at(list_first(&v->idle));
    struct backend *b = pool_backend_at(list_last(&v->idle));
    if (b && b->id == l->last_backend_id && v->idle_count > 1) b = pool_backend_at(b->node.prev);
    return b;
}

/* True while somebody reads what the names of the database stand for; before that was done once nobody is served. */
static bool must_learn(struct variant *v, const struct lessee *l) {
    if (!catalog_is_awaited(v->pool) || v->is_single_use) return false;
    struct backend *b = next_idle(v, l);
    if (b && b->proto->try_learn) (void)b->proto->try_learn(b);
    return v->pool->catalog->is_under_way;
}

/* An idle connection that may be used as it is; one that was idle for long is sent to be checked instead. */
static struct backend *take_idle(struct variant *v, const struct lessee *l) {
    struct backend *b;
    if (must_learn(v, l)) return NULL;
    while ((b = next_idle(v, l))) {
        uint64_t idle_us = pool_now_us(v->pool) - b->state_since_us;
        if (b->is_checked && idle_us < CHECK_HOLDS_MS * 1000) return b;
        if (idle_us < (uint64_t)v->pool->limits.server_check_delay_ms * 1000) return b;
        backend_set_state(b, BACKEND_CHECKING);
        b->proto->send_check(b);
    }
    return NULL;
}

/* A connection to its home will be free sooner or later. */
static bool may_hope(const struct variant *v, const struct lessee *l, uint64_t since_us) {
    const struct site *home = pool_home(v->pool, l);
    bool is_to_come = home && (home->total || (l->only && pool_may_open_at(v, home)));
    if (UNLIKELY(l->insists)) return is_to_come;
    return is_to_come && ((!v->idle_count && !l->only) || !pool_is_older_than(v->pool, since_us, VARIANT_PATIENCE_MS));
}

/* One to a node that has just failed it is as good as gone. */
static bool has_idle(const struct variant *v, const struct lessee *l) {
    if (LIKELY(!l->shuns)) return v->idle_count;
    LIST_EACH(n, &v->idle)
        if (!pool_is_shunned(pool_backend_at((struct list *)n)->site, l)) return true;
    return false;
}

static bool is_stale_for(const struct variant *v, const struct lessee *l) {
    uint64_t needs_us = pool_needs_us(v->pool, l);
    if (UNLIKELY(pool_is_outdated(v->pool, l))) return true;
    if ((!needs_us && !l->only) || may_hope(v, l, l->waiting_since_us)) return false;
    if (UNLIKELY(l->shuns) && !pool_is_older_than(v->pool, l->waiting_since_us, SHUNNING_PATIENCE_MS) &&
        pool_is_fresh(v->pool, l, needs_us)) return false; /* what is opened for it is proven soon */
    return has_idle(v, l) || !pool_is_fresh_everywhere(v->pool, l, needs_us);
}

/* Connections are idle, but none will do for who is first: there is another way for him, and others stand behind him. */
static bool refuse_stale(struct variant *v) {
    struct lessee *l = pool_first_waiter(v);
    struct err err;
    if (!l || !is_stale_for(v, l)) return false;
    if (l->insists) err_set(&err, ERR_CANNOT_CONNECT_NOW, "the node of that snapshot cannot be used now");
    else err_set(&err, ERR_CANNOT_CONNECT_NOW, "no replica is fresh enough");
    pool_refuse(l, &err);
    return true;
}

/* The first that can be served; one of the first few where they have homes, or the first asks for a node. NULL: nobody. */
static struct lessee *first_served(struct variant *v, struct backend **b) {
    const struct lessee *first = pool_first_waiter(v);
    bool is_asking = first && (first->only || first->shuns);
    uint32_t left = is_asking ? ASKING_WAITERS : v->pool->limits.is_sticky && v->pool->main ? STICKY_WAITERS : 1;
    LIST_EACH(n, &v->waiting) {
        struct lessee *l = CONTAINER_OF(n, struct lessee, wait_node);
        if ((*b = take_idle(v, l))) return l;
        if (!--left || !v->idle_count) return NULL;
    }
    return NULL;
}

static void serve(struct variant *v) {
    struct pool *p = v->pool;
    struct backend *b;
    struct lessee *l;
    do {
        while ((l = first_served(v, &b))) {
            leave_queue(l);
            p->stats.wait_us += pool_now_us(p) - l->waiting_since_us;
            lease(b, l, l->waiting_since_us);
            l->ops->on_leased(l, b);
        }
    } while (refuse_stale(v));
}

static void refuse_hopeless(struct variant *v) {
    struct pool *p = v->pool;
    if (v->is_failed) {
        struct err err = v->failure;
        v->is_failed = false; /* who asks again later deserves another try */
        refuse_all(v, &err);
    } else if (pool_awaits_primary(p)) {
        return; /* pool_expire_for_primary() */
    } else if ((p->has_just_failed || pool_is_backing_off(p)) && p->ready == 0 && v->opening_count == 0) {
        struct err err = p->failure;
        refuse_all(v, &err);
    }
}

void pool_dispatch(struct task *t) {
    struct pool *p = CONTAINER_OF(t, struct pool, dispatch);
    if (pool_is_held(p)) {
        pool_publish(p);
        return;
    }
    pool_relieve_starving(p);
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        serve(v);
        if (v->waiting_count) refuse_hopeless(v);
        if (v->waiting_count || UNLIKELY(p->opens_at != NULL)) pool_open_as_needed(v);
        if (v->waiting_count) refuse_hopeless(v);
    }
    p->has_just_failed = false;
    pool_drop_spent(p);
    pool_publish(p);
}

void pool_want_dispatch(struct pool *p) {
    loop_defer(p->set->loop, &p->dispatch);
}

/* At the end, or where it belongs by the time that it has waited on another worker. */
static void stand_in_line(struct variant *v, struct lessee *l) {
    struct pool *p = v->pool;
    struct list *before = v->waiting.prev;
    l->waiting_since_us = l->waited_elsewhere_since_us ? l->waited_elsewhere_since_us : pool_now_us(p);
    l->waited_elsewhere_since_us = 0;
    while (before != &v->waiting && CONTAINER_OF(before, struct lessee, wait_node)->waiting_since_us > l->waiting_since_us)
        before = before->prev;
    list_insert_between(before, &l->wait_node, before->next);
    v->waiting_count++;
    if (!p->group) return;
    pool_publish(p);
    if (p->set->on_waiting) p->set->on_waiting(p->set);
}

/* Without waiting. */
static struct backend *acquire_at_once(struct variant *v, struct lessee *l) {
    INVARIANT(!l->backend && !list_is_linked(&l->wait_node));
    l->variant = v;
    struct backend *b = v->waiting_count || pool_is_held(v->pool) ? NULL : take_idle(v, l);
    if (!b) return NULL;
    lease(b, l, pool_now_us(v->pool));
    pool_publish(v->pool);
    return b;
}

static void wait_in_line(struct variant *v, struct lessee *l) {
    stand_in_line(v, l);
    if (pool_could_add_server(v) || v->idle_count || l->insists) pool_want_dispatch(v->pool); /* else a release will serve it */
}

struct backend *pool_acquire_fresh(struct variant *v, struct lessee *l, bool *waits) {
    *waits = false;
    if (UNLIKELY(pool_is_outdated(v->pool, l))) return NULL;
    struct backend *b = acquire_at_once(v, l);
    if (LIKELY(b != NULL)) return b;
    uint64_t needs_us = pool_needs_us(v->pool, l);
    bool has_hope = may_hope(v, l, pool_now_us(v->pool));
    *waits = (!needs_us && !l->only) || has_hope || pool_is_fresh_everywhere(v->pool, l, needs_us);
    if (*waits) wait_in_line(v, l);
    return NULL;
}

struct backend *pool_acquire(struct variant *v, struct lessee *l) {
    struct backend *b = acquire_at_once(v, l);
    if (LIKELY(b != NULL)) return b;
    wait_in_line(v, l);
    return NULL;
}

void pool_cancel_wait(struct lessee *l) {
    if (!list_is_linked(&l->wait_node)) return;
    leave_queue(l);
    pool_publish(l->variant->pool);
}

/* A quiet connection that nobody leases: to idle, by way of a reset where one is due. */
static void make_clean(struct backend *b) {
    if (b->is_tainted || b->ledger.txn != TXN_NONE) {
        if (b->state != BACKEND_CLEANING) backend_set_state(b, BACKEND_CLEANING);
        b->proto->send_clean(b);
        return;
    }
    backend_set_state(b, BACKEND_IDLE);
    pool_on_backend_clean(b);
}

void pool_release(struct lessee *l) {
    struct backend *b = l->backend;
    struct pool *p = b->variant->pool;
    if (UNLIKELY(p->limits.is_sticky)) pool_note_seen(l);
    l->backend = NULL;
    b->lessee = NULL;
    stream_resume(b->stream); /* the lessee may have paused it for its own slowness */
    /* Cleaning may stand behind what gilmok has asked on its own. */
    bool may_stay = ledger_is_quiet(&b->ledger) || (b->is_tainted && !b->cancels_open && ledger_owes_own_only(&b->ledger));
    bool is_for_one = b->variant->is_single_use || (p->mode == POOL_SESSION && !p->limits.session_reuse);
    bool is_over = b->is_retired || is_for_one || pool_is_older_than(p, b->opened_us, p->limits.server_lifetime_ms);
    if (!is_over && !may_stay && departed_take(b)) return;
    catalog_change_end(b);
    if (!may_stay || b->is_reply_cut || is_over) {
        backend_retire(b);
        return;
    }
    if (b->cancels_open) backend_set_state(b, BACKEND_CLEANING); /* pool_on_cancel_done goes on */
    else make_clean(b);
}

void pool_hand_over(struct lessee *from, struct lessee *to) {
    struct backend *b = from->backend;
    INVARIANT(b && !to->backend && ledger_is_quiet(&b->ledger) && b->ledger.txn == TXN_NONE && !b->cancels_open);
    if (UNLIKELY(b->variant->pool->limits.is_sticky)) pool_note_seen(from);
    from->backend = NULL;
    to->backend = b;
    to->variant = b->variant;
    to->last_backend_id = b->id;
    b->lessee = to;
    stream_resume(b->stream);
}

void pool_on_cancel_done(struct backend *b) {
    INVARIANT(b->cancels_open > 0);
    b->cancels_open--;
    if (b->cancels_open) return;
    if (b->state == BACKEND_CLEANING && b->is_retired) backend_retire(b);
    else if (b->state == BACKEND_CLEANING && ledger_is_quiet(&b->ledger)) make_clean(b);
    else if (b->state == BACKEND_CLOSED) loop_defer(b->variant->pool->set->loop, &b->variant->pool->set->bury);
}

void pool_on_backend_ready(struct backend *b) {
    struct pool *p = b->variant->pool;
    p->ready++;
    p->failed_us = p->lonely_since_us = b->site->failed_us = 0;
    if (pool_must_yield(b)) backend_retire(b); /* whom it was opened for may have left */
    pool_want_dispatch(p);
}

void pool_on_backend_clean(struct backend *b) {
    struct pool *p = b->variant->pool;
    if (pool_must_yield(b)) {
        backend_retire(b);
        return;
    }
    if (b->proto->try_learn && b->proto->try_learn(b)) return;
    LIST_EACH(n, &p->variants) {
        if (!CONTAINER_OF(n, struct variant, node)->waiting_count) continue;
        pool_want_dispatch(p);
        return;
    }
    pool_publish(p); /* who waits at another worker may come */
}

void pool_on_backend_gone(struct backend *b, const struct err *err, bool was_opening, bool is_parameter_error) {
    struct variant *v = b->variant;
    struct pool *p = v->pool;
    if (UNLIKELY(b->has_exported)) exported_forget(b);
    p->total--;
    b->site->total--;
    pool_give_place(p, &b->budgets);
    if (!was_opening) p->ready--;
    if (is_parameter_error) {
        v->is_failed = true;
        v->is_spent |= v->is_judging;
        v->failure = *err;
    } else if (was_opening && err) {
        pool_note_failure(p, b->site, err);
    } else if (err) {
        pool_suspect(p, err);
    }
    pool_want_dispatch(p);
    loop_defer(p->set->loop, &p->set->bury);
}
