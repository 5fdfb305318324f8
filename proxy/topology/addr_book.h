/*
 * addr_book.h - where the nodes and peers of a configuration are.
 *
 * Resolved once per configuration that is loaded, by the thread that loads it: a name look-up blocks, and
 * must not do so while clients log in. Immutable afterwards; shared by all workers.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_ADDR_BOOK_H
#define GILMOK_PROXY_TOPOLOGY_ADDR_BOOK_H

#include "proxy/config.h"
#include "proxy/net/addr.h"

struct book_entry {
    struct list node; /* in addr_book.entries */
    const void *of;   /* struct config_node or config_peer; identity only */
    bool is_known;
    struct addr addr;
    struct err err; /* when not known */
};

struct addr_book {
    struct list entries; /* owned */
};

/* Blocks. What cannot be resolved is logged, and an error for who asks. */
void addr_book_init(struct addr_book *book, const struct config *c);
/*
 * The same for a configuration that differs from `before` in its nodes alone: what is known there, in `old`, is so here, and what
 * could not be resolved there is not asked for again, which might take many seconds each time: a reload does that.
 */
void addr_book_init_like(struct addr_book *book, const struct config *c, const struct addr_book *old, const struct config *before);
void addr_book_release(struct addr_book *book);
/* The address of a node or peer of that configuration; NULL: memory was out. */
const struct book_entry *addr_book_find(const struct addr_book *book, const void *of);

#endif
