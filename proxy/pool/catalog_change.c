/*
 * Counts changes. The counters are the process's, so that every worker sees them; which connection makes one is its worker's.
 */
#include "proxy/pool/catalog_change.h"

#include "proxy/pool/pool.h"

static struct catalog_changes *changes_of(const struct backend *b) {
    return b->variant->pool->set->catalog_changes;
}

uint64_t catalog_changes_seen(const struct pool_set *set) {
    return 1 + (set->catalog_changes ? atomic_load_explicit(&set->catalog_changes->count, memory_order_acquire) : 0);
}

bool catalog_has_changed_since(const struct pool_set *set, uint64_t seen) {
    if (!set->catalog_changes) return false;
    return atomic_load_explicit(&set->catalog_changes->under_way, memory_order_acquire) || catalog_changes_seen(set) != seen;
}

/* Under way before it is counted, and counted before it is not under way any more: who looks in between is warned by one. */
static void go_on(struct backend *b) {
    struct catalog_changes *changes = changes_of(b);
    if (!changes) return;
    if (!b->changing_since_us) atomic_fetch_add_explicit(&changes->under_way, 1, memory_order_acq_rel);
    b->changing_since_us = b->variant->pool->set->loop->now_us | 1;
    atomic_fetch_add_explicit(&changes->count, 1, memory_order_acq_rel);
}

void catalog_change_begin(struct backend *b) {
    b->changes_catalog = true;
    go_on(b);
}

void catalog_change_goes_on(struct backend *b) {
    if (b->changes_catalog) go_on(b);
}

void catalog_change_rests(struct backend *b) {
    if (!b->changing_since_us) return;
    b->changing_since_us = 0;
    atomic_fetch_sub_explicit(&changes_of(b)->under_way, 1, memory_order_acq_rel);
}

void catalog_change_end(struct backend *b) {
    if (!b->changes_catalog) return;
    if (changes_of(b)) atomic_fetch_add_explicit(&changes_of(b)->count, 1, memory_order_acq_rel);
    b->changes_catalog = false;
    catalog_change_rests(b);
}

void catalog_change_expire(struct backend *b) {
    uint64_t now_us = b->variant->pool->set->loop->now_us;
    if (b->changing_since_us && now_us - b->changing_since_us > (uint64_t)CATALOG_CHANGE_MS * 1000) catalog_change_rests(b);
}
