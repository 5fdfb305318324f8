/*
 * What happens because time has passed: who has waited too long, what took too long, what
 * was idle or open for too long.
 */
#include "proxy/pool/catalog_book.h"
#include "proxy/pool/catalog_change.h"
#include "proxy/pool/departed.h"
#include "proxy/pool/pool_impl.h"

static void expire_waiters(struct variant *v) {
    struct pool *p = v->pool;
    struct lessee *l;
    while ((l = pool_first_waiter(v)) && pool_is_older_than(p, l->waiting_since_us, p->limits.queue_timeout_ms)) {
        struct err err;
        err_set(&err, ERR_TOO_MANY_CONNECTIONS, "no server connection became free within queue_timeout (%u ms)",
                p->limits.queue_timeout_ms);
        err_detail(&err, "Pool %s/%s: %u of %u server connections open, %u clients waiting.", p->database, p->user, p->total,
                   p->limits.size, v->waiting_count);
        if (p->is_leaderless) err = p->nowhere;
        else if (p->failed_us) err_hint(&err, "The last attempt to connect failed: %.150s", p->failure.message);
        pool_refuse(l, &err);
    }
}

/* For the answer to something of gilmok's own. */
static uint32_t answer_limit_ms(const struct backend *b) {
    return b->is_learning ? CATALOG_ANSWER_MS : b->variant->pool->limits.connect_timeout_ms;
}

static void expire_servers(struct variant *v) {
    struct pool *p = v->pool;
    LIST_EACH(n, &v->opening) {
        struct backend *b = pool_backend_at(n);
        if (!pool_is_older_than(p, b->opened_us, p->limits.connect_timeout_ms)) continue;
        struct err err;
        err_set(&err, ERR_CANNOT_CONNECT, "server %s did not answer within connect_timeout (%u ms)", b->site->name,
                p->limits.connect_timeout_ms);
        backend_fail(b, &err);
    }
    LIST_EACH(n, &v->busy) {
        struct backend *b = pool_backend_at(n);
        catalog_change_expire(b);
        if (b->state == BACKEND_LEASED || !pool_is_older_than(p, b->state_since_us, answer_limit_ms(b))) continue;
        struct err err;
        err_set(&err, ERR_CONNECTION_FAILURE, "server %s did not answer a %s in time", b->site->name,
                b->state == BACKEND_CHECKING ? "check" : "reset");
        backend_fail(b, &err);
    }
    LIST_EACH(n, &v->idle) {
        struct backend *b = pool_backend_at(n);
        bool is_spare = p->total > p->limits.min_size && pool_is_older_than(p, b->state_since_us, p->limits.server_idle_timeout_ms);
        bool is_wanted_away = p->is_emptying || p->total > p->limits.size || pool_must_yield(b);
        if (is_wanted_away || is_spare || pool_is_older_than(p, b->opened_us, p->limits.server_lifetime_ms))
            backend_retire(b);
    }
}

static void look_at_nodes(struct pool_set *set) {
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (p->is_spread) pool_look_at_nodes(p);
        pool_listen(p);
    }
}

void pool_set_tick(struct pool_set *set) {
    pool_set_end_period(set);
    departed_expire(set);
    look_at_nodes(set);
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        bool is_waited_for = false;
        if (p->ear) p->ear->on_tick(p->ear);
        LIST_EACH(i, &p->variants) {
            struct variant *v = CONTAINER_OF(i, struct variant, node);
            expire_servers(v);
            if (!p->is_paused) pool_expire_for_primary(v);
            if (!p->is_paused) expire_waiters(v);
            is_waited_for |= v->waiting_count > 0;
        }
        pool_keep_minimum(p);
        if (is_waited_for) pool_want_dispatch(p);
        else pool_publish(p); /* a pause after a failure may be over, a cap may have room again */
    }
}
