/*
 * pool_impl.h - what the parts of the pool know of each other, and nobody else.
 *
 *      pool.c       who waits, who is leased which connection, who gets it next
 *      pool_open.c  when a connection is opened, and which one makes room for it
 *      pool_time.c  what happens because time has passed
 *      pool_sites.c  where they go
 *      pool_sticky.c whose reads stay where they were
 *      pool_silent.c where they do not, because nothing comes back
 *      pool_set.c   pools and variants come, change with the configuration, and go
 */
#ifndef GILMOK_PROXY_POOL_POOL_IMPL_H
#define GILMOK_PROXY_POOL_POOL_IMPL_H

#include "proxy/pool/pool.h"

static inline struct lessee *pool_first_waiter(const struct variant *v) {
    struct list *n = list_first(&v->waiting);
    return n ? CONTAINER_OF(n, struct lessee, wait_node) : NULL;
}

static inline struct backend *pool_backend_at(struct list *n) {
    return n ? CONTAINER_OF(n, struct backend, node) : NULL;
}

static inline uint64_t pool_now_us(const struct pool *p) {
    return p->set->loop->now_us;
}

static inline bool pool_is_older_than(const struct pool *p, uint64_t since_us, uint32_t ms) {
    return ms && pool_now_us(p) - since_us > (uint64_t)ms * 1000;
}

/* Nobody is served now, whatever is idle. */
static inline bool pool_is_held(const struct pool *p) {
    return p->is_paused || p->is_leaderless;
}

/* It is for other tables than those that its subscriber is said to have now. */
static inline bool pool_is_outdated(const struct pool *p, const struct lessee *l) {
    return p->copy_node && l->copy_id != p->copy_id;
}

static inline bool pool_is_backing_off(const struct pool *p) {
    if (p->is_leaderless) return true;
    return p->failed_us && pool_now_us(p) - p->failed_us < (uint64_t)p->limits.login_retry_ms * 1000;
}

/* ---- pool.c ---- */

/* Takes it out of its line. */
void pool_refuse(struct lessee *l, const struct err *err);
/* It could not connect there. */
void pool_note_failure(struct pool *p, struct site *s, const struct err *err);

/* ---- pool_sites.c ---- */

/* The only site of a pool that is not spread; NULL before pool_place(). */
struct site *pool_site(const struct pool *p);
/* Where its connections are to go, from now on. False: nowhere, and it is as before; err. */
MUST_USE bool pool_place(struct pool *p, const struct config_database *db, struct err *err);
/* Connections to sites that cannot be used any more close as soon as nobody leases them. True: there are such. */
bool pool_retire_left(struct pool *p);
/* Of a pool that is spread: which nodes can be used now. */
void pool_look_at_nodes(struct pool *p);
/* Everything that can be used is fresh as of then, and will do for it. */
bool pool_is_fresh_everywhere(const struct pool *p, const struct lessee *l, uint64_t needs_us);
/* It may be read there, as far as the lessee asks for a node. */
static inline bool pool_is_shunned(const struct site *s, const struct lessee *l) {
    return UNLIKELY(l->shuns) && l->shuns == site_gauge_id(s);
}
static inline bool pool_is_allowed(const struct site *s, const struct lessee *l) {
    return (LIKELY(!l->only) || l->only == site_gauge_id(s)) && !pool_is_shunned(s, l);
}
/* A connection there may come of the wish for one. */
bool pool_may_open_at(const struct variant *v, const struct site *s);
/* An idle connection to one of the less busy nodes; NULL: there is none. */
struct backend *pool_idle_for_reads(const struct variant *v, const struct lessee *l);
/* A node is to have one more connection, although nobody waits: its share of the work is larger than that of its connections. */
bool pool_wishes_for_more(struct pool *p);
/* Where the next connection goes; NULL: nowhere now. */
struct site *pool_site_to_open(struct pool *p);
/* True: it is one of several, and the others can be connected to as far as is known. */
bool pool_note_site_failure(struct pool *p, struct site *s);
/* Something is wrong with its primary: the monitor should look. */
void pool_suspect(struct pool *p, const struct err *failure);
/* Who waits does so because there is no primary, or it cannot be reached: another one may be found. */
bool pool_awaits_primary(const struct pool *p);
/* Those who have waited for failover_wait are refused. */
void pool_expire_for_primary(struct variant *v);

/* ---- pool_silent.c ---- */

/* On every tick: nodes that owe answers and say nothing get no new reads. */
void pool_listen(struct pool *p);
/* Some node may get reads. */
bool pool_has_sound(const struct pool *p);

/* ---- pool_sticky.c ---- */

/* It holds a lease, and has all the answers that it gets by it. */
void pool_note_seen(struct lessee *l);
/* The site where its reads stay; NULL: there is none now. */
struct site *pool_home(const struct pool *p, const struct lessee *l);
/* As of when a site must be fresh for it, and over this connection: less may do at its home. */
uint64_t pool_needs_us(const struct pool *p, const struct lessee *l);
uint64_t pool_needs_at_us(const struct lessee *l, const struct backend *b);

/* ---- pool_set.c ---- */

/* Frees the variants that have shown not to be needed. From a task. */
void pool_drop_spent(struct pool *p);

/* ---- pool_open.c ---- */

/* False when the pool is full of this variant's own connections: the common case under load. */
bool pool_could_add_server(const struct variant *v);
/* As many as its waiters lack and limits allow; where a cap is in the way, a place is claimed. */
void pool_open_as_needed(struct variant *v);
/* The variant that waits longest gets a slot from a busier one once its head is older by the patience. */
void pool_relieve_starving(struct pool *p);
/* Opens up to min_pool_size. */
void pool_keep_minimum(struct pool *p);
/*
 * An older claim needs the place of a connection that is free. Only who waits for this very
 * variant could be served by it: without them even the pool's own claim goes first.
 */
bool pool_must_yield(const struct backend *b);
/* The place of a connection that is closed, or was not opened. */
void pool_give_place(struct pool *p, const struct budget_list *l);

#endif
