/*
 * gate.h - what an administrator has said about databases: paused, disabled.
 *
 * One book for the process, because it outlives pools: a pool that is made later, on
 * whichever worker, obeys as well. Databases go by the name that clients use; the empty
 * name stands for all of them, those with words of their own included. Behind a lock:
 * asked at logins, when a pool is made and by the console, never for a query (a pool
 * keeps its own is_paused).
 */
#ifndef GILMOK_PROXY_POOL_GATE_H
#define GILMOK_PROXY_POOL_GATE_H

#include <pthread.h>

#include "base/map.h"

enum gate_flag {
    GATE_PAUSED = 1,   /* nobody is leased a connection; clients wait */
    GATE_DISABLED = 2, /* no new clients */
    GATE_SUSPENDED = 4, /* of all databases only: nothing is read from clients and servers */
};

struct gate_book {
    pthread_mutex_t lock;
    struct map gates; /* name -> struct gate, owned */
    unsigned all;     /* of the empty name */
};

void gate_book_init(struct gate_book *b);
void gate_book_release(struct gate_book *b);
/* False: memory is out. */
MUST_USE bool gate_book_set(struct gate_book *b, struct bytes database, unsigned flags);
void gate_book_clear(struct gate_book *b, struct bytes database, unsigned flags);
/* What was said about this name alone. */
unsigned gate_book_own(struct gate_book *b, struct bytes database);
/* What holds for it. */
unsigned gate_book_of(struct gate_book *b, struct bytes database);

#endif
