/*
 * When a server connection is opened, and which one makes room for it: the pool's own
 * size, its reserve and minimum, and the caps that it shares with other pools. Leases
 * nothing to anybody.
 */
#include "base/log.h"
#include "proxy/pool/catalog_book.h"
#include "proxy/pool/pool_impl.h"

/* ---- places (budget.h) ---- */

static uint64_t head_since_us(const struct pool *p) {
    uint64_t since = UINT64_MAX;
    LIST_EACH(n, &p->variants) {
        const struct lessee *l = pool_first_waiter(CONTAINER_OF(n, struct variant, node));
        if (l && l->waiting_since_us < since) since = l->waiting_since_us;
    }
    return since;
}

void pool_give_place(struct pool *p, const struct budget_list *l) {
    if (p->set->budget_book) budget_give(p->set->budget_book, l);
}

static bool take_place(struct pool *p) {
    if (!p->places.budgets.count) return true;
    if (p->places.granted) {
        p->places.granted--;
        return true;
    }
    return budget_take(p->set->budget_book, &p->places.budgets);
}

/* In the node's own budget, where the pool's list has none for it. `all` becomes both. */
static bool take_place_at(struct pool *p, struct site *s, struct budget_list *all) {
    if (!s->budgets.count) return true;
    if (all->count + s->budgets.count > BUDGETS_OF_A_POOL || !budget_take(p->set->budget_book, &s->budgets)) return false;
    for (int i = 0; i < s->budgets.count; i++) all->at[all->count++] = s->budgets.at[i];
    return true;
}

bool pool_must_yield(const struct backend *b) {
    const struct pool *p = b->variant->pool;
    if (!p->places.budgets.count) return false;
    const struct lessee *l = pool_first_waiter(b->variant);
    uint64_t since_us = l ? l->waiting_since_us - VARIANT_PATIENCE_MS * 1000 : UINT64_MAX;
    return budget_has_claim_before(p->set->budget_book, &p->places.budgets, l ? &p->places.claim : NULL, since_us);
}

bool pool_set_evict(struct pool_set *set, const struct budget_list *wants) {
    struct backend *victim = NULL;
    LIST_EACH(n, &set->all) {
        LIST_EACH(i, &CONTAINER_OF(n, struct pool, node)->variants) {
            struct backend *b = pool_backend_at(list_last(&CONTAINER_OF(i, struct variant, node)->idle));
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
        if (set->budget_book) (void)budget_withdraw(set->budget_book, &p->places.claim);
    }
}

/* ---- opening ---- */

/* Who reads what the database's names stand for does so for longer than that, and nobody need wait for it any more. */
static bool is_at_length(const struct backend *b) {
    struct pool *p = b->variant->pool;
    return b->is_learning && pool_is_older_than(p, b->state_since_us, LEARNING_PATIENCE_MS) && !catalog_is_awaited(p);
}

static uint32_t count_soon_free(const struct variant *v) {
    uint32_t count = 0;
    LIST_EACH(n, &v->busy) {
        const struct backend *b = pool_backend_at(n);
        if (b->site->is_doubted) continue;
        count += (b->state == BACKEND_CHECKING && !is_at_length(b)) || b->state == BACKEND_CLEANING;
    }
    return count;
}

/* Nobody counts on those to a node that does not answer. */
static uint32_t count_opening(const struct variant *v) {
    uint32_t count = v->opening_count;
    if (LIKELY(!v->pool->has_doubts)) return count;
    LIST_EACH(n, &v->opening) count -= pool_backend_at(n)->site->is_doubted;
    return count;
}

/* A place was taken for it. */
static void open_one(struct variant *v) {
    struct err err;
    struct pool *p = v->pool;
    struct site *site = pool_site_to_open(p);
    struct budget_list budgets = p->places.budgets;
    if (!site || !take_place_at(p, site, &budgets)) {
        pool_give_place(p, &p->places.budgets);
        return;
    }
    if (site == p->opens_at) p->opens_at = NULL;
    struct backend *b = backend_open(v, site, &err);
    if (b) {
        b->budgets = budgets;
        return;
    }
    pool_give_place(p, &budgets);
    pool_note_failure(p, site, &err);
    log_line(LOG_WARN, "pool", site->name, "%s", err.message);
}

/* One that is wanted although nobody waits (pool_sites.c): in a full pool an idle one to another node makes room for it. */
static uint32_t count_wished(const struct variant *v) {
    bool is_in_use = v->idle_count || v->busy_count || v->readers;
    return pool_wishes_for_more(v->pool) && is_in_use && !v->opening_count;
}

/* Makes room for one more connection by closing the longest-idle one of another variant. */
static bool evict_for(struct variant *v, bool from_those_with_waiters) {
    struct backend *victim = NULL;
    LIST_EACH(n, &v->pool->variants) {
        struct variant *other = CONTAINER_OF(n, struct variant, node);
        if (other == v || (other->waiting_count && !from_those_with_waiters)) continue;
        struct backend *b = pool_backend_at(list_last(&other->idle));
        if (b && (!victim || b->state_since_us < victim->state_since_us)) victim = b;
    }
    if (victim) backend_retire(victim);
    return victim != NULL;
}

/* Connections that it may have now: with the reserve when somebody has waited for long. */
static uint32_t pool_limit(const struct pool *p) {
    bool needs_reserve = p->limits.reserve_size && p->total >= p->limits.size && head_since_us(p) != UINT64_MAX &&
                         pool_now_us(p) - head_since_us(p) >= (uint64_t)p->limits.reserve_timeout_ms * 1000;
    return p->limits.size + (needs_reserve ? p->limits.reserve_size : 0);
}

bool pool_could_add_server(const struct variant *v) {
    return v->pool->total < pool_limit(v->pool) || v->pool->variant_count > 1;
}

/*
 * Nobody is served before the catalog has been read, whatever is idle meanwhile. To take a place from others would be of no use,
 * and who has it would be closed for the next one that waits.
 */
static bool awaits_catalog(const struct variant *v) {
    return !v->is_single_use && catalog_is_awaited(v->pool) && v->pool->catalog->is_under_way;
}

/* Connections that it is to get beside those that will be free by themselves. */
static uint32_t count_lacking(const struct variant *v) {
    if (pool_is_backing_off(v->pool) || v->is_failed) return 0;
    if (v->is_judging) return v->opening_count + v->busy_count + v->idle_count ? 0 : 1;
    uint32_t supply = count_opening(v) + count_soon_free(v);
    return v->waiting_count > supply ? v->waiting_count - supply : 0;
}

/* Whoever was given a place without a use for it would have its connection closed for the next claim. */
static bool could_use_place(const struct variant *v) {
    return count_lacking(v) && !awaits_catalog(v);
}

/* `counts`: who is looked at; NULL: all. */
static struct variant *longest_waiting(struct pool *p, bool (*counts)(const struct variant *v), uint64_t *runner_up_us) {
    struct variant *oldest = NULL;
    *runner_up_us = UINT64_MAX;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        struct lessee *l = pool_first_waiter(v);
        if (!l || (counts && !counts(v))) continue;
        uint64_t best = oldest ? pool_first_waiter(oldest)->waiting_since_us : UINT64_MAX;
        if (l->waiting_since_us < best) {
            *runner_up_us = best;
            oldest = v;
        } else if (l->waiting_since_us < *runner_up_us) {
            *runner_up_us = l->waiting_since_us;
        }
    }
    return oldest;
}

static void on_granted(struct budget_claim *c);

/* As old as who can use the place; one in the same pool who waits for something else has no part in it. */
static void file_claim(struct pool *p) {
    struct pool_set *set = p->set;
    uint64_t runner_up_us;
    const struct variant *v = longest_waiting(p, could_use_place, &runner_up_us);
    if (p->places.claim.is_filed || set->is_closing) return;
    p->places.claim.loop = set->loop;
    p->places.claim.on_granted = on_granted;
    p->places.claim.wants = p->places.budgets;
    p->places.claim.since_us = v ? pool_first_waiter(v)->waiting_since_us : pool_now_us(p);
    budget_claim(set->budget_book, &p->places.claim);
    if (set->on_claim) set->on_claim(set, &p->places.claim.wants);
}

static bool make_room_for_wish(struct variant *v) {
    struct pool *p = v->pool;
    struct backend *oldest = pool_backend_at(list_last(&v->idle));
    if (p->total < pool_limit(p)) return true;
    if (!oldest || oldest->site == p->opens_at) {
        p->opens_at = NULL;
        return false;
    }
    backend_retire(oldest);
    return true;
}

void pool_open_as_needed(struct variant *v) {
    struct pool *p = v->pool;
    uint32_t wished = UNLIKELY(p->opens_at != NULL) ? count_wished(v) : 0;
    if (wished && !make_room_for_wish(v)) wished = 0;
    if (!wished && !pool_could_add_server(v)) return;
    for (uint32_t lacking = count_lacking(v) + wished; lacking && !pool_is_backing_off(p); lacking--) {
        if (p->total >= pool_limit(p) && !evict_for(v, false)) return;
        if (!take_place(p)) {
            if (!awaits_catalog(v)) file_claim(p);
            return;
        }
        uint32_t before = v->opening_count;
        open_one(v);
        if (v->opening_count == before) return;
    }
}

/* A place is held: for who waits longest in the pool and can use it. There is nobody any more: it is given back. */
static void on_granted(struct budget_claim *c) {
    struct pool *p = CONTAINER_OF(c, struct pool, places.claim);
    uint64_t runner_up_us;
    struct variant *v = p->set->is_closing || pool_is_held(p) ? NULL : longest_waiting(p, could_use_place, &runner_up_us);
    p->places.granted++;
    if (v) pool_open_as_needed(v);
    if (!p->places.granted) return;
    p->places.granted--;
    budget_give(p->set->budget_book, &c->wants);
}

void pool_relieve_starving(struct pool *p) {
    uint64_t runner_up_us;
    struct variant *v = longest_waiting(p, NULL, &runner_up_us);
    if (!v || awaits_catalog(v) || v->idle_count || v->opening_count || p->total < pool_limit(p)) return;
    if (!count_lacking(v)) return; /* it would not use the place */
    uint64_t since = pool_first_waiter(v)->waiting_since_us;
    if (since + VARIANT_PATIENCE_MS * 1000 < runner_up_us && evict_for(v, true))
        pool_open_as_needed(v); /* at once: the others would take the slot */
}

/* The variant that was used last is the one that the next client most likely wants. */
void pool_keep_minimum(struct pool *p) {
    struct variant *latest = NULL;
    if (p->total >= p->limits.min_size || p->set->is_closing || pool_is_held(p) || p->is_emptying || pool_is_backing_off(p)) return;
    if (p->vacant_until_us > pool_now_us(p)) return;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        bool is_lasting = !v->is_single_use && !v->is_failed && !v->is_judging && !v->is_spent;
        if (is_lasting && (!latest || v->last_used_us > latest->last_used_us)) latest = v;
    }
    while (latest && p->total < p->limits.min_size && !pool_is_backing_off(p) && take_place(p)) open_one(latest);
}
