/*
 * startup_pg.h - what a set of startup parameters comes to, as a server connection that was started with them tells it.
 *
 * Clients with different startup parameters can share connections when all that these do is to set settings that any session
 * may set: the connections then start without them, and the settings are made like those that a client has set itself. Only
 * the server knows which settings these are and what a value means ("iso" is "ISO, MDY"; "4096" may be "4MB"). So the first
 * client with a set of parameters gets a connection that was started with exactly these: the server judges them as it would any
 * client's, and is asked what has come of them. The answer is kept for the clients that follow.
 *
 * NOT SHARED is a set with anything else in it: settings that only administrators may change or that are fixed once a session
 * has begun; what SET cannot say (values that are not plain ASCII); and a few settings whose value a SET would judge otherwise than
 * a startup packet. Such a set makes a variant of the pool (pool.h).
 *
 * Immutable once it is read; counted references, from any thread.
 */
#ifndef GILMOK_PROXY_POOL_STARTUP_PG_H
#define GILMOK_PROXY_POOL_STARTUP_PG_H

#include <stdatomic.h>

#include "base/list.h"
#include "proxy/pool/params_pg.h"
#include "proxy/pool/state_pg.h"

enum { STARTUP_PG_KEPT = 64 /* sets that a pool remembers */, STARTUP_PG_APP_NAME_MAX = 63 };

struct startup_pg {
    struct list node; /* in the list of who remembers it */
    _Atomic uint32_t refs;
    bool is_shareable;
    struct bytes key;          /* "name\0value\0"...; owned */
    struct params_pg reported; /* by a connection that was started with them, at its start */
    uint64_t own;              /* bit i: item i of `reported` was set by them */
    struct state_pg rest;      /* what they set that is not reported */
};

/* Not shareable, before it is read. NULL: memory is out. */
struct startup_pg *startup_pg_new(struct bytes key);
static inline struct startup_pg *startup_pg_ref(struct startup_pg *st) {
    atomic_fetch_add_explicit(&st->refs, 1, memory_order_relaxed);
    return st;
}
void startup_pg_unref(struct startup_pg *st); /* NULL is fine */

/* The query to ask such a connection. False: there is nothing to ask, the set cannot be shared. */
MUST_USE bool startup_pg_put_question(struct writer *w, struct bytes key);
/* Its rows, as DataRow messages one behind the other, and what the connection has reported. False: memory is out. */
MUST_USE bool startup_pg_read(struct startup_pg *st, struct bytes rows, const struct params_pg *reported);

/* The application_name in the startup parameter `options`; false: there is none. */
MUST_USE bool startup_pg_app_name(struct bytes options, char out[STARTUP_PG_APP_NAME_MAX + 1]);

/* True when they set it. */
bool startup_pg_sets(const struct startup_pg *st, struct bytes name);
/* True when a connection that started with `start` has all that they set already. */
bool startup_pg_is_there(const struct startup_pg *st, const struct params_pg *start);
/* What is reported where they are in force on a connection that started with `start`. */
MUST_USE bool startup_pg_put_on(const struct startup_pg *st, const struct params_pg *start, struct params_pg *home);

/* Who remembers sets: the latest first, at most STARTUP_PG_KEPT. Takes over the caller's reference; find gives none. */
void startup_pg_remember(struct list *known, struct startup_pg *st);
struct startup_pg *startup_pg_find(const struct list *known, struct bytes key);
void startup_pg_forget_all(struct list *known);

#endif
