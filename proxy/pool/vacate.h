/*
 * vacate.h - databases that a client is about to drop, rename or copy: gilmok's idle connections to them would be in its way.
 *
 * The server refuses such a statement (55006) while anybody else is connected, and waits VACATE_MS for who is leaving. For that
 * long each worker closes, tick after tick, what is idle in the pools of the database, unless clients of gilmok are logged in to
 * it: these would be in the way on a direct connection, too.
 *
 * One book for the process, behind a lock; a worker that has nothing to vacate takes one look at an atomic.
 */
#ifndef GILMOK_PROXY_POOL_VACATE_H
#define GILMOK_PROXY_POOL_VACATE_H

#include "proxy/pool/pool.h"

enum { VACATE_MS = 5000 /* CountOtherDBBackends() of the server */, VACATE_MAX = 32 /* at a time; more are not helped */ };

/* On which server, and under which name there. */
struct vacate_place {
    char host[256];
    uint16_t port;
    char database[64];
};

struct vacate {
    struct vacate_place place;
    uint32_t spared; /* so many clients of it are no hindrance: the one that asks */
    uint64_t until_us;
};

struct vacate_book {
    pthread_mutex_t lock;
    _Atomic uint64_t until_us; /* of the last one of all */
    struct vacate items[VACATE_MAX];
};

void vacate_book_init(struct vacate_book *b);
void vacate_book_release(struct vacate_book *b);

/* A client of `asker` needs the server's database of that name for itself alone. */
void vacate_ask(struct vacate_book *b, const struct config *c, const struct pool *asker, const char *database);
/* Closes what is idle of all that is asked for, on this worker. */
void vacate_run(struct vacate_book *b, const struct config *c, struct share_book *clients, struct pool_set *set);
/* On every tick. */
static inline void vacate_tick(struct vacate_book *b, const struct config *c, struct share_book *clients, struct pool_set *set) {
    if (atomic_load_explicit(&b->until_us, memory_order_relaxed) > set->loop->now_us) vacate_run(b, c, clients, set);
}

#endif
