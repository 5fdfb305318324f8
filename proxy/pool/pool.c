/*
 * Who gets which server connection, when, and what happens when there is none.
 * Owns the order of waiting; knows no protocol and no configuration (pool_set.c).
 */
#include "proxy/pool/pool.h"

#include <stdatomic.h>

#include "base/log.h"

/* ---- waiting ---- */

static struct lessee *first_waiter(const struct variant *v) {
    struct list *n = list_first(&v->waiting);
    return n ? CONTAINER_OF(n, struct lessee, wait_node) : NULL;
}

static void leave_queue(struct lessee *l) {
    list_remove(&l->wait_node);
    l->variant->waiting_count--;
}

static void refuse(struct lessee *l, const struct err *err) {
    leave_queue(l);
    l->ops->on_refused(l, err);
}

static void refuse_all(struct variant *v, const struct err *err) {
    struct lessee *l;
    while ((l = first_waiter(v))) refuse(l, err);
}

bool pool_has_waiters(const struct variant *v) {
    return v->waiting_count > 0;
}

/* ---- connections ---- */

static struct backend *backend_at(struct list *n) {
    return n ? CONTAINER_OF(n, struct backend, node) : NULL;
}

static uint64_t now_us(const struct pool *p) {
    return p->set->loop->now_us;
}

static bool is_older_than(const struct pool *p, uint64_t since_us, uint32_t ms) {
    return ms && now_us(p) - since_us > (uint64_t)ms * 1000;
}

static bool is_backing_off(const struct pool *p) {
    return p->failed_us && now_us(p) - p->failed_us < (uint64_t)p->login_retry_ms * 1000;
}

void pool_publish(struct pool *p) {
    if (!p->group) return;
    uint32_t idle = 0, waiting = 0;
    LIST_EACH(n, &p->variants) {
        const struct variant *v = CONTAINER_OF(n, struct variant, node);
        idle += v->idle_count;
        waiting += v->waiting_count;
    }
    uint32_t unopened = p->size > p->total && !is_backing_off(p) && budget_has_room(&p->budgets) ? p->size - p->total : 0;
    atomic_store_explicit(&p->share->spare, p->is_paused ? 0 : idle + unopened, memory_order_relaxed);
    atomic_store_explicit(&p->share->waiting, waiting, memory_order_relaxed);
}

/* `since_us`: when the lessee began to wait, or now. */
static void lease(struct backend *b, struct lessee *l, uint64_t since_us) {
    struct share *sh = b->variant->pool->share;
    if (sh) atomic_store_explicit(&sh->newest_us, since_us, memory_order_relaxed);
    backend_set_state(b, BACKEND_LEASED);
    b->is_checked = false;
    b->lessee = l;
    l->backend = b;
    b->variant->pool->stats.assignments++;
    b->variant->last_used_us = now_us(b->variant->pool);
}

/* An idle connection that may be used as it is; one that was idle for long is sent to be checked instead. */
static struct backend *take_idle(struct variant *v) {
    struct backend *b;
    while ((b = backend_at(list_first(&v->idle)))) {
        uint64_t idle_us = now_us(v->pool) - b->state_since_us;
        if (b->is_checked && idle_us < CHECK_HOLDS_MS * 1000) return b;
        if (idle_us < (uint64_t)v->pool->server_check_delay_ms * 1000) return b;
        backend_set_state(b, BACKEND_CHECKING);
        b->proto->send_check(b);
    }
    return NULL;
}

static uint32_t count_in_state(const struct variant *v, enum backend_state state) {
    uint32_t count = 0;
    LIST_EACH(n, &v->busy) count += backend_at(n)->state == state;
    return count;
}

static void note_failure(struct pool *p, const struct err *err) {
    p->failed_us = now_us(p);
    p->failure = *err;
    p->has_just_failed = true;
}

/* ---- places (budget.h) ---- */

static uint64_t head_since_us(const struct pool *p) {
    uint64_t since = UINT64_MAX;
    LIST_EACH(n, &p->variants) {
        const struct lessee *l = first_waiter(CONTAINER_OF(n, struct variant, node));
        if (l && l->waiting_since_us < since) since = l->waiting_since_us;
    }
    return since;
}

static void give_place(struct pool *p, const struct budget_list *l) {
    if (p->set->budget_book) budget_give(p->set->budget_book, l);
}

static void on_granted(struct budget_claim *c);

static void file_claim(struct pool *p) {
    struct pool_set *set = p->set;
    if (p->claim.is_filed || set->is_closing) return;
    p->claim.loop = set->loop;
    p->claim.on_granted = on_granted;
    p->claim.wants = p->budgets;
    p->claim.since_us = head_since_us(p);
    budget_claim(set->budget_book, &p->claim);
    if (set->on_claim) set->on_claim(set, &p->claim.wants);
}

static bool take_place(struct pool *p) {
    if (!p->budgets.count) return true;
    if (p->granted) {
        p->granted--;
        return true;
    }
    return budget_take(p->set->budget_book, &p->budgets);
}

/*
 * An older claim needs the place of a connection that is free. Only who waits for this very
 * variant could be served by it: without them even the pool's own claim goes first.
 */
static bool must_yield(const struct backend *b) {
    const struct pool *p = b->variant->pool;
    if (!p->budgets.count) return false;
    const struct lessee *l = first_waiter(b->variant);
    uint64_t since_us = l ? l->waiting_since_us - VARIANT_PATIENCE_MS * 1000 : UINT64_MAX;
    return budget_has_claim_before(p->set->budget_book, &p->budgets, l ? &p->claim : NULL, since_us);
}

bool pool_set_evict(struct pool_set *set, const struct budget_list *wants) {
    struct backend *victim = NULL;
    LIST_EACH(n, &set->all) {
        LIST_EACH(i, &CONTAINER_OF(n, struct pool, node)->variants) {
            struct backend *b = backend_at(list_last(&CONTAINER_OF(i, struct variant, node)->idle));
            if (!b || !budget_would_help(wants, &b->budgets)) continue;
            if (!victim || b->state_since_us < victim->state_since_us) victim = b;
        }
    }
    if (victim) backend_retire(victim);
    return victim != NULL;
}

void pool_set_stop_claims(struct pool_set *set) {
    set->is_closing = true;
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (set->budget_book) (void)budget_withdraw(set->budget_book, &p->claim);
    }
}

/* ---- opening ---- */

/* A place was taken for it. */
static void open_one(struct variant *v) {
    struct err err;
    struct pool *p = v->pool;
    struct backend *b = backend_open(v, &err);
    if (b) {
        b->budgets = p->budgets;
        return;
    }
    give_place(p, &p->budgets);
    note_failure(p, &err);
    log_line(LOG_WARN, "pool", p->server_name, "%s", err.message);
}

/* Makes room for one more connection by closing the longest-idle one of another variant. */
static bool evict_for(struct variant *v, bool from_those_with_waiters) {
    struct backend *victim = NULL;
    LIST_EACH(n, &v->pool->variants) {
        struct variant *other = CONTAINER_OF(n, struct variant, node);
        if (other == v || (other->waiting_count && !from_those_with_waiters)) continue;
        struct backend *b = backend_at(list_last(&other->idle));
        if (b && (!victim || b->state_since_us < victim->state_since_us)) victim = b;
    }
    if (victim) backend_retire(victim);
    return victim != NULL;
}

static struct variant *longest_waiting(struct pool *p, uint64_t *runner_up_us) {
    struct variant *oldest = NULL;
    *runner_up_us = UINT64_MAX;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        struct lessee *l = first_waiter(v);
        if (!l) continue;
        uint64_t best = oldest ? first_waiter(oldest)->waiting_since_us : UINT64_MAX;
        if (l->waiting_since_us < best) {
            *runner_up_us = best;
            oldest = v;
        } else if (l->waiting_since_us < *runner_up_us) {
            *runner_up_us = l->waiting_since_us;
        }
    }
    return oldest;
}

/* Connections that it may have now: with the reserve when somebody has waited for long. */
static uint32_t pool_limit(const struct pool *p) {
    bool needs_reserve = p->reserve_size && p->total >= p->size && head_since_us(p) != UINT64_MAX &&
                         now_us(p) - head_since_us(p) >= (uint64_t)p->reserve_timeout_ms * 1000;
    return p->size + (needs_reserve ? p->reserve_size : 0);
}

/* False when the pool is full of this variant's own connections: the common case under load. */
static bool could_add_server(const struct variant *v) {
    return v->pool->total < pool_limit(v->pool) || v->pool->variant_count > 1;
}

static void open_as_needed(struct variant *v) {
    struct pool *p = v->pool;
    if (!could_add_server(v)) return;
    uint32_t supply = v->opening_count + count_in_state(v, BACKEND_CHECKING) + count_in_state(v, BACKEND_CLEANING);
    while (supply < v->waiting_count && !is_backing_off(p) && !v->is_failed) {
        if (p->total >= pool_limit(p) && !evict_for(v, false)) return;
        if (!take_place(p)) {
            file_claim(p);
            return;
        }
        uint32_t before = v->opening_count;
        open_one(v);
        if (v->opening_count == before) return;
        supply++;
    }
}

/* A place is held: for who waits longest in the pool. Nobody waits any more: it is given back. */
static void on_granted(struct budget_claim *c) {
    struct pool *p = CONTAINER_OF(c, struct pool, claim);
    uint64_t runner_up_us;
    struct variant *v = p->set->is_closing || p->is_paused ? NULL : longest_waiting(p, &runner_up_us);
    p->granted++;
    if (v) open_as_needed(v);
    if (!p->granted) return;
    p->granted--;
    budget_give(p->set->budget_book, &c->wants);
}

/* The variant that waits longest gets a slot from a busier one once its head is older by the patience. */
static void relieve_starving(struct pool *p) {
    uint64_t runner_up_us;
    struct variant *v = longest_waiting(p, &runner_up_us);
    if (!v || v->idle_count || v->opening_count || p->total < pool_limit(p)) return;
    uint64_t since = first_waiter(v)->waiting_since_us;
    if (since + VARIANT_PATIENCE_MS * 1000 < runner_up_us && evict_for(v, true))
        open_as_needed(v); /* at once: the others would take the slot */
}

static void serve(struct variant *v) {
    struct pool *p = v->pool;
    struct backend *b;
    while (v->waiting_count && (b = take_idle(v))) {
        struct lessee *l = first_waiter(v);
        leave_queue(l);
        p->stats.wait_us += now_us(p) - l->waiting_since_us;
        lease(b, l, l->waiting_since_us);
        l->ops->on_leased(l, b);
    }
}

static void refuse_hopeless(struct variant *v) {
    struct pool *p = v->pool;
    if (v->is_failed) {
        struct err err = v->failure;
        v->is_failed = false; /* who asks again later deserves another try */
        refuse_all(v, &err);
    } else if ((p->has_just_failed || is_backing_off(p)) && p->ready == 0 && v->opening_count == 0) {
        struct err err = p->failure;
        refuse_all(v, &err);
    }
}

void pool_dispatch(struct task *t) {
    struct pool *p = CONTAINER_OF(t, struct pool, dispatch);
    if (p->is_paused) {
        pool_publish(p);
        return;
    }
    relieve_starving(p);
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        serve(v);
        if (v->waiting_count) refuse_hopeless(v);
        if (v->waiting_count) open_as_needed(v);
        if (v->waiting_count) refuse_hopeless(v);
    }
    p->has_just_failed = false;
    pool_publish(p);
}

void pool_want_dispatch(struct pool *p) {
    loop_defer(p->set->loop, &p->dispatch);
}

/* At the end, or where it belongs by the time that it has waited on another worker. */
static void stand_in_line(struct variant *v, struct lessee *l) {
    struct pool *p = v->pool;
    struct list *before = v->waiting.prev;
    l->waiting_since_us = l->waited_elsewhere_since_us ? l->waited_elsewhere_since_us : now_us(p);
    l->waited_elsewhere_since_us = 0;
    while (before != &v->waiting && CONTAINER_OF(before, struct lessee, wait_node)->waiting_since_us > l->waiting_since_us)
        before = before->prev;
    list_insert_between(before, &l->wait_node, before->next);
    v->waiting_count++;
    if (!p->group) return;
    pool_publish(p);
    if (p->set->on_waiting) p->set->on_waiting(p->set);
}

struct backend *pool_acquire(struct variant *v, struct lessee *l) {
    INVARIANT(!l->backend && !list_is_linked(&l->wait_node));
    l->variant = v;
    struct backend *b = v->waiting_count || v->pool->is_paused ? NULL : take_idle(v);
    if (b) {
        lease(b, l, now_us(v->pool));
        pool_publish(v->pool);
        return b;
    }
    stand_in_line(v, l);
    if (could_add_server(v) || v->idle_count) pool_want_dispatch(v->pool); /* else a release will serve it */
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
    l->backend = NULL;
    b->lessee = NULL;
    stream_resume(b->stream); /* the lessee may have paused it for its own slowness */
    if (!ledger_is_quiet(&b->ledger) || b->is_retired || b->variant->is_single_use ||
        is_older_than(p, b->opened_us, p->server_lifetime_ms)) {
        backend_retire(b);
        return;
    }
    if (b->cancels_open) backend_set_state(b, BACKEND_CLEANING); /* pool_on_cancel_done goes on */
    else make_clean(b);
    pool_publish(p);
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
    p->failed_us = 0;
    if (must_yield(b)) backend_retire(b); /* whom it was opened for may have left */
    pool_want_dispatch(p);
}

void pool_on_backend_clean(struct backend *b) {
    struct pool *p = b->variant->pool;
    if (must_yield(b)) {
        backend_retire(b);
        return;
    }
    LIST_EACH(n, &p->variants) {
        if (!CONTAINER_OF(n, struct variant, node)->waiting_count) continue;
        pool_want_dispatch(p);
        return;
    }
}

void pool_on_backend_gone(struct backend *b, const struct err *err, bool was_opening, bool is_parameter_error) {
    struct variant *v = b->variant;
    struct pool *p = v->pool;
    p->total--;
    give_place(p, &b->budgets);
    if (!was_opening) p->ready--;
    if (is_parameter_error) {
        v->is_failed = true;
        v->failure = *err;
    } else if (was_opening && err) {
        note_failure(p, err);
    }
    pool_want_dispatch(p);
    loop_defer(p->set->loop, &p->set->bury);
}

/* ---- time ---- */

static void expire_waiters(struct variant *v) {
    struct pool *p = v->pool;
    struct lessee *l;
    while ((l = first_waiter(v)) && is_older_than(p, l->waiting_since_us, p->queue_timeout_ms)) {
        struct err err;
        err_set(&err, ERR_TOO_MANY_CONNECTIONS, "no server connection became free within queue_timeout (%u ms)",
                p->queue_timeout_ms);
        err_detail(&err, "Pool %s/%s: %u of %u server connections open, %u clients waiting.", p->database, p->user, p->total,
                   p->size, v->waiting_count);
        if (p->failed_us) err_hint(&err, "The last attempt to connect failed: %.150s", p->failure.message);
        refuse(l, &err);
    }
}

static void expire_servers(struct variant *v) {
    struct pool *p = v->pool;
    LIST_EACH(n, &v->opening) {
        struct backend *b = backend_at(n);
        if (!is_older_than(p, b->opened_us, p->connect_timeout_ms)) continue;
        struct err err;
        err_set(&err, ERR_CANNOT_CONNECT, "server %s did not answer within connect_timeout (%u ms)", p->server_name,
                p->connect_timeout_ms);
        backend_fail(b, &err);
    }
    LIST_EACH(n, &v->busy) {
        struct backend *b = backend_at(n);
        if (b->state == BACKEND_LEASED || !is_older_than(p, b->state_since_us, p->connect_timeout_ms)) continue;
        struct err err;
        err_set(&err, ERR_CONNECTION_FAILURE, "server %s did not answer a %s in time", p->server_name,
                b->state == BACKEND_CHECKING ? "check" : "reset");
        backend_fail(b, &err);
    }
    LIST_EACH(n, &v->idle) {
        struct backend *b = backend_at(n);
        bool is_spare = p->total > p->min_size && is_older_than(p, b->state_since_us, p->server_idle_timeout_ms);
        bool is_wanted_away = p->is_emptying || p->total > p->size || must_yield(b);
        if (is_wanted_away || is_spare || is_older_than(p, b->opened_us, p->server_lifetime_ms))
            backend_retire(b);
    }
}

/* The variant that was used last is the one that the next client most likely wants. */
static void keep_minimum(struct pool *p) {
    struct variant *latest = NULL;
    if (p->total >= p->min_size || p->set->is_closing || p->is_paused || p->is_emptying || is_backing_off(p)) return;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        if (!v->is_single_use && !v->is_failed && (!latest || v->last_used_us > latest->last_used_us)) latest = v;
    }
    while (latest && p->total < p->min_size && !is_backing_off(p) && take_place(p)) open_one(latest);
}

void pool_set_tick(struct pool_set *set) {
    pool_set_end_period(set);
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        bool is_waited_for = false;
        LIST_EACH(i, &p->variants) {
            struct variant *v = CONTAINER_OF(i, struct variant, node);
            expire_servers(v);
            if (!p->is_paused) expire_waiters(v);
            is_waited_for |= v->waiting_count > 0;
        }
        keep_minimum(p);
        if (is_waited_for) pool_want_dispatch(p);
    }
}
