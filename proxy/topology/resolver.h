/*
 * resolver.h - all addresses of a name and how long they hold, over c-ares, without blocking. The only user of that library.
 *
 * Of one thread, on a loop of real sockets. Each look-up reads the system's list of name servers anew, unless it is given its own.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_RESOLVER_H
#define GILMOK_PROXY_TOPOLOGY_RESOLVER_H

#include "base/err.h"
#include "proxy/net/loop_event.h"

enum { RESOLVER_ADDRESSES_MAX = 64, RESOLVER_TEXT_MAX = 48, RESOLVER_SOCKETS_MAX = 16 };

struct resolver;

struct resolver_socket {
    struct resolver_watch {
        struct loop_watch watch;
        struct resolver *resolver;
    } w;
    int fd;
    bool is_used, for_read, for_write;
};

struct resolver {
    struct loop *loop; /* borrowed */
    void *channel;     /* ares_channel; NULL: nothing is under way */
    struct timer timeout;
    struct task finish; /* the library must not be ended within itself */
    struct resolver_socket sockets[RESOLVER_SOCKETS_MAX];
    void (*on_done)(struct resolver *r);
    /* In on_done: */
    bool has_answer; /* at least one address; else err */
    uint32_t count;  /* those beyond the ceiling are left out */
    char addresses[RESOLVER_ADDRESSES_MAX][RESOLVER_TEXT_MAX]; /* as text, each once */
    uint32_t ttl_s;  /* the shortest */
    struct err err;
};

MUST_USE bool resolver_init(struct resolver *r, struct loop *loop, void (*on_done)(struct resolver *r));
void resolver_release(struct resolver *r);

/* Nothing may be under way. `servers`: "10.0.0.2,10.0.0.3:5353", or NULL. on_done follows, never within the call. */
void resolver_start(struct resolver *r, const char *name, const char *servers);

#endif
