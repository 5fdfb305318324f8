/*
 * read_stickiness = session: a client's reads stay at one replica, its *home*, as long as that can be used, and never show less
 * than the client has seen before.
 *
 * Each node only ever goes forward. So it is enough to ask more of every other one: that it is fresh as of the time when the
 * client's latest answer was in (freshness.h), whoever gave that. The home itself is asked no more over connections that were there
 * by then: a server that was restarted may begin further back, and has none.
 *
 * A read that asks for a node (a hint) has that one for a home, this once.
 */
#include "base/clock.h"
#include "proxy/pool/pool_impl.h"

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* The primary has everything. */
static bool is_sticky(const struct pool *p) {
    return p->limits.is_sticky && p->main;
}

void pool_note_seen(struct lessee *l) {
    const struct pool *p = l->backend->variant->pool;
    l->home = p->main ? site_gauge_id(l->backend->site) : 0;
    l->seen_us = clock_now_us(p->set->loop->clock);
}

struct site *pool_home(const struct pool *p, const struct lessee *l) {
    uint64_t home = UNLIKELY(l->only) ? l->only : UNLIKELY(is_sticky(p)) ? l->home : 0;
    if (LIKELY(!home) || UNLIKELY(home == l->shuns)) return NULL;
    LIST_EACH(n, &((struct pool *)p)->sites) {
        struct site *s = CONTAINER_OF(n, struct site, node);
        if (site_gauge_id(s) != home) continue;
        return site_is_fit(s, home == l->home ? l->needs_us : pool_needs_us(p, l), l->place) ? s : NULL;
    }
    return NULL;
}

uint64_t pool_needs_us(const struct pool *p, const struct lessee *l) {
    return UNLIKELY(is_sticky(p)) ? later(l->needs_us, l->seen_us) : l->needs_us;
}

uint64_t pool_needs_at_us(const struct lessee *l, const struct backend *b) {
    const struct pool *p = b->variant->pool;
    bool is_home = UNLIKELY(is_sticky(p)) && l->home && site_gauge_id(b->site) == l->home && b->opened_us < l->seen_us;
    return is_home ? l->needs_us : pool_needs_us(p, l);
}

uint64_t pool_wants_us(const struct pool *reads, struct lessee *l, uint64_t needs_us) {
    l->needs_us = needs_us;
    const struct site *home = pool_home(reads, l);
    return home && site_gauge_id(home) == l->home ? needs_us : pool_needs_us(reads, l);
}
