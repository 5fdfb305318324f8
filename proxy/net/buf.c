/*
 * Owns the chunks and their free lists. Knows nothing of sockets or messages.
 */
#include "proxy/net/buf.h"

#include "base/fault.h"

static const struct {
    uint32_t cap;
    uint32_t keep; /* free chunks kept, at most */
} classes[BUF_CLASSES] = {
    [BUF_SMALL] = {BUF_SMALL_SIZE, 256},
    [BUF_MEDIUM] = {BUF_MEDIUM_SIZE, 16},
    [BUF_LARGE] = {BUF_LARGE_SIZE, 32},
};

static_assert(sizeof(struct buf) <= BUF_OVERHEAD, "the sizes of chunks are meant to be round");

void buf_pool_init(struct buf_pool *p) {
    *p = (struct buf_pool){0};
}

void buf_pool_release(struct buf_pool *p) {
    INVARIANT(p->out == 0);
    for (int i = 0; i < BUF_CLASSES; i++) {
        while (p->free[i]) {
            struct buf *b = p->free[i];
            p->free[i] = b->next_free;
            mem_free(b);
        }
    }
    buf_pool_init(p);
}

enum buf_class buf_class_for(size_t len) {
    return len <= BUF_SMALL_SIZE ? BUF_SMALL : len <= BUF_MEDIUM_SIZE ? BUF_MEDIUM : BUF_LARGE;
}

struct buf *buf_take(struct buf_pool *p, enum buf_class size) {
    struct buf *b = p->free[size];
    if (b) {
        p->free[size] = b->next_free;
        p->kept[size]--;
    } else {
        b = mem_alloc_raw(sizeof *b + classes[size].cap);
        if (!b) return NULL;
        b->pool = p;
        b->size_class = (uint16_t)size;
        b->cap = classes[size].cap;
        p->made[size]++;
    }
    b->refs = 1;
    b->len = 0;
    p->out++;
    return b;
}

struct buf *buf_make(struct buf_pool *p, uint32_t cap) {
    struct buf *b = mem_alloc_raw(sizeof *b + cap);
    if (!b) return NULL;
    *b = (struct buf){.pool = p, .refs = 1, .size_class = BUF_OWN_SIZE, .cap = cap};
    p->out++;
    return b;
}

void buf_unref(struct buf *b) {
    if (!b || --b->refs > 0) return;
    struct buf_pool *p = b->pool;
    int size = b->size_class;
    p->out--;
    if (size == BUF_OWN_SIZE) {
        mem_free(b);
        return;
    }
    if (p->kept[size] >= classes[size].keep) {
        p->made[size]--;
        mem_free(b);
        return;
    }
    b->next_free = p->free[size];
    p->free[size] = b;
    p->kept[size]++;
}
