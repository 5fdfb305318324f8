/*
 * Nodes that owe answers and say nothing: a server that hangs leaves its connections open, and the monitor's probes take seconds
 * to call it down. So when something was asked of one among several nodes, and nothing has come from it for stall_timeout, neither
 * here nor to the monitor, it is *doubted*: it gets no new reads, and the monitor asks it at once. Any answer ends that. A node
 * that is busy with long statements answers the monitor, and stays.
 *
 * If it has not answered half a stall_timeout later, those who wait for it are let go, as far as they can be served elsewhere
 * without noticing. Whether it is down is still for the monitor to say.
 */
#include "base/log.h"
#include "proxy/pool/pool_impl.h"

static struct site *site_at(const struct list *n) {
    return CONTAINER_OF(n, struct site, node);
}

static bool owes(const struct backend *b) {
    return b->state != BACKEND_LEASED || !ledger_is_quiet(&b->ledger);
}

static void note_debts(struct pool *p) {
    LIST_EACH(n, &p->sites) site_at(n)->owes = false;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        struct list *lists[] = {&v->opening, &v->busy};
        for (size_t i = 0; i < COUNT_OF(lists); i++)
            LIST_EACH(k, lists[i]) pool_backend_at(k)->site->owes |= owes(pool_backend_at(k));
    }
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static void doubt(struct pool *p, struct site *s, uint64_t silent_us) {
    if (!topology_doubt(p->set->topology, s->gauge, pool_now_us(p))) return;
    log_line(LOG_INFO, "pool", s->name, "owes answers, and has said nothing for %llu ms: no new reads before it is heard of",
             (unsigned long long)silent_us / 1000);
}

/* Whether there is a better place for what goes there. */
static void listen_to(struct pool *p) {
    uint32_t sound = 0, doubted = 0;
    LIST_EACH(n, &p->sites) {
        struct site *s = site_at(n);
        if (!s->gauge || !s->is_usable) continue;
        uint64_t silent_us = silence_look(&s->silence, s->owes, later(s->heard_us, site_answered_us(s)), pool_now_us(p));
        if (silent_us >= (uint64_t)p->limits.stall_ms * 1000) doubt(p, s, silent_us);
        s->is_doubted = site_is_doubted(s);
        doubted += s->is_doubted;
        sound += !s->is_doubted;
    }
    p->has_doubts = doubted && (sound || p->main);
    if (doubted && !p->has_doubts)
        LIST_EACH(n, &p->sites) site_at(n)->is_doubted = false;
}

/* ---- who waits for it ---- */

static bool is_given_up(const struct pool *p, const struct site *s) {
    return s->is_doubted && pool_now_us(p) - site_doubted_us(s) >= (uint64_t)p->limits.stall_ms * 500;
}

static bool is_wanted_elsewhere(const struct variant *v, const struct backend *b) {
    return b->site->is_doubted && (v->waiting_count || is_given_up(v->pool, b->site));
}

/* A lessee that has seen nothing yet asks the primary, where the pool is for reads alone. */
static struct backend *first_to_take_back(const struct pool *p) {
    LIST_EACH(n, &p->variants) {
        LIST_EACH(i, &CONTAINER_OF(n, struct variant, node)->busy) {
            struct backend *b = pool_backend_at(i);
            if (b->state == BACKEND_LEASED && b->holds_replies && is_given_up(p, b->site)) return b;
        }
    }
    return NULL;
}

/* One after the other from the beginning: whose lessee is told may end others, too. */
static void take_back(struct pool *p) {
    struct backend *b;
    struct err err;
    while (p->main && (b = first_to_take_back(p))) {
        err_set(&err, ERR_CONNECTION_FAILURE, "node %.60s has said nothing for too long: the connection to it was closed",
                b->site->node_name);
        backend_abort(b, &err);
    }
}

/* Their places are for connections to other nodes. */
static void let_go(struct variant *v) {
    LIST_EACH(n, &v->idle)
        if (is_wanted_elsewhere(v, pool_backend_at(n))) backend_retire(pool_backend_at(n));
    LIST_EACH(n, &v->opening)
        if (is_given_up(v->pool, pool_backend_at(n)->site)) backend_retire(pool_backend_at(n));
    LIST_EACH(n, &v->busy) {
        struct backend *b = pool_backend_at(n);
        if (b->state != BACKEND_LEASED && !b->cancels_open && is_given_up(v->pool, b->site)) backend_retire(b);
    }
}

static void send_elsewhere(struct pool *p) {
    struct err err;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        struct lessee *l;
        let_go(v);
        if (pool_has_sound(p)) continue;
        err_set(&err, ERR_CANNOT_CONNECT_NOW, "no replica answers now");
        while ((l = pool_first_waiter(v))) pool_refuse(l, &err);
    }
}

bool pool_has_sound(const struct pool *p) {
    LIST_EACH(n, &((struct pool *)p)->sites)
        if (site_is_open(site_at(n))) return true;
    return false;
}

void pool_listen(struct pool *p) {
    p->has_doubts &= p->is_spread && p->limits.stall_ms;
    if (!p->is_spread || !p->limits.stall_ms) return;
    note_debts(p);
    listen_to(p);
    if (!p->has_doubts) return;
    take_back(p);
    send_elsewhere(p);
}
