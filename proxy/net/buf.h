/*
 * buf.h - chunks of memory that hold bytes in flight, shared by reference count.
 *
 * Three sizes: small ones hold a waiting client's half message or a queue of short
 * replies; medium ones what does not fit there; large ones receive from sockets
 * and carry long results. Free chunks wait on short lists of the pool, so the busy
 * path never reaches the heap, and an idle connection holds none at all. What is longer, and rare, has a chunk of its own size.
 *
 * A pool belongs to one loop and one thread: the counts are not atomic.
 */
#ifndef GILMOK_PROXY_NET_BUF_H
#define GILMOK_PROXY_NET_BUF_H

#include "base/build.h"

enum buf_class { BUF_SMALL, BUF_MEDIUM, BUF_LARGE, BUF_CLASSES, BUF_OWN_SIZE = BUF_CLASSES };

enum {
    BUF_OVERHEAD = 32, /* of the header below, so that a chunk is a round number of bytes */
    BUF_SMALL_SIZE = (2 << 10) - BUF_OVERHEAD,
    BUF_MEDIUM_SIZE = (12 << 10) - BUF_OVERHEAD,
    BUF_LARGE_SIZE = (64 << 10) - BUF_OVERHEAD,
};

struct buf_pool;

struct buf {
    struct buf_pool *pool;
    struct buf *next_free;
    uint32_t refs;
    uint16_t size_class;
    uint32_t cap;
    uint32_t len; /* bytes in use at the front; for chunks that are appended to */
    uint8_t data[];
};

struct buf_pool {
    struct buf *free[BUF_CLASSES];
    uint32_t kept[BUF_CLASSES];
    uint32_t made[BUF_CLASSES]; /* chunks that there are: kept, or in use */
    uint64_t out;               /* chunks in use */
};

void buf_pool_init(struct buf_pool *p);
void buf_pool_release(struct buf_pool *p); /* every chunk must be back */

/* One reference for the caller, or NULL when memory is out. */
struct buf *buf_take(struct buf_pool *p, enum buf_class size);
/* One with room for `cap` bytes, which is not kept behind its last reference. Likewise. */
struct buf *buf_make(struct buf_pool *p, uint32_t cap);
/* The smallest class that holds `len` bytes; BUF_LARGE for all that is longer. */
enum buf_class buf_class_for(size_t len);
static inline struct buf *buf_ref(struct buf *b) {
    b->refs++;
    return b;
}
void buf_unref(struct buf *b); /* NULL is allowed */

#endif
