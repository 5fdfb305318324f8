/*
 * What an administrator has said about a database, carried out on the pools of a worker;
 * and the periods of their statistics.
 */
#include "proxy/pool/pool.h"

/* While all waiters wait for the same thing, the order in line stays as it is. */
static void go_on(struct pool *p) {
    LIST_EACH(n, &p->variants) {
        LIST_EACH(i, &CONTAINER_OF(n, struct variant, node)->waiting)
            CONTAINER_OF(i, struct lessee, wait_node)->waiting_since_us = p->set->loop->now_us;
    }
    pool_want_dispatch(p);
}

void pool_obey_gates(struct pool *p) {
    unsigned gates = p->set->gates ? gate_book_of(p->set->gates, bytes_str(p->database)) : 0;
    bool was_paused = p->is_paused;
    p->is_paused = gates & (GATE_PAUSED | GATE_SUSPENDED);
    p->is_emptying = gates & GATE_PAUSED;
    if (p->is_paused && p->set->budget_book) (void)budget_withdraw(p->set->budget_book, &p->places.claim); /* others may go first */
    if (p->is_emptying) pool_retire(p);
    if (was_paused && !p->is_paused) go_on(p);
    if (was_paused != p->is_paused) pool_publish(p);
}

void pool_set_obey_gates(struct pool_set *set) {
    LIST_EACH(n, &set->all) pool_obey_gates(CONTAINER_OF(n, struct pool, node));
}

/* By the clock, so that it ends at the same time on all workers. The one that gilmok was started in is no whole one. */
void pool_set_end_period(struct pool_set *set) {
    if (!set->period_us) return;
    uint64_t now = set->loop->now_us, number = now / set->period_us, before = set->period_number;
    if (number == before) return;
    set->period_number = number;
    if (!before) return;
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        pool_stats_mark(&p->stats, &p->stats_at_mark, &p->stats_of_period);
    }
    if (set->period_began_us) set->last_period_us = now - set->period_began_us;
    set->period_began_us = now;
}
