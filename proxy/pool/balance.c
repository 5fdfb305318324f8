/*
 * Compares shares by what they publish. Moves nobody itself: the lessee does.
 */
#include "proxy/pool/balance.h"

#include <stdatomic.h>

/* What the others have to offer, as seen once; what is given away is taken off. */
struct offers {
    uint32_t spare[WORKERS_MAX];
    uint64_t newest_us[WORKERS_MAX];
};

static void look_around(const struct pool *p, struct offers *o) {
    for (uint32_t i = 0; i < p->group->count; i++) {
        const struct share *sh = &p->group->shares[i];
        bool is_other = sh != p->share && atomic_load_explicit(&sh->size, memory_order_relaxed) > 0;
        bool is_free = is_other && atomic_load_explicit(&sh->waiting, memory_order_relaxed) == 0;
        o->spare[i] = is_free ? atomic_load_explicit(&sh->spare, memory_order_relaxed) : 0;
        o->newest_us[i] = is_other ? atomic_load_explicit(&sh->newest_us, memory_order_relaxed) : 0;
    }
}

/* The share that this waiter should go to; -1: none is better. */
static int better_share(const struct pool *p, const struct lessee *l, struct offers *o, uint64_t patience_us) {
    int best = -1;
    for (uint32_t i = 0; i < p->group->count; i++) {
        if (!o->spare[i]) continue;
        o->spare[i]--;
        return (int)i;
    }
    for (uint32_t i = 0; i < p->group->count; i++) {
        bool is_unfair = o->newest_us[i] > l->waiting_since_us + patience_us;
        if (is_unfair && (best < 0 || o->newest_us[i] > o->newest_us[best])) best = (int)i;
    }
    return best;
}

static bool balance_variant(struct pool *p, struct variant *v, struct offers *o, uint64_t patience_us) {
    uint64_t now = p->set->loop->now_us;
    if (p->is_paused || p->is_leaderless) return v->waiting_count > 0; /* nobody would be served elsewhere either */
    LIST_EACH(n, &v->waiting) {
        struct lessee *l = CONTAINER_OF(n, struct lessee, wait_node);
        if (now - l->waiting_since_us < patience_us) break; /* they stand in order */
        int to = better_share(p, l, o, patience_us);
        if (to < 0) break;
        if (l->ops->on_better_share) l->ops->on_better_share(l, (uint32_t)to);
    }
    return v->waiting_count > 0;
}

bool balance_pools(struct pool_set *set, uint64_t patience_us) {
    bool is_waiting = false;
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        struct offers o;
        if (!p->group) continue;
        look_around(p, &o);
        LIST_EACH(i, &p->variants) is_waiting |= balance_variant(p, CONTAINER_OF(i, struct variant, node), &o, patience_us);
        pool_publish(p);
    }
    return is_waiting;
}
