/*
 * arena.c - blocks of memory that die together.
 *
 * Owns the chain of blocks. The newest block of the usual size is in front and is
 * the one that small allocations are cut from; an allocation that is too large
 * for a usual block gets a block of its own, linked behind the front.
 */
#include "base/arena.h"

#include <stdalign.h>

#include "base/fault.h"

enum { ARENA_BLOCK_DATA = 4000 }; /* with header and heap overhead just under 4 KiB */

struct arena_block {
    struct arena_block *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *a, size_t max) {
    *a = (struct arena){.max = max};
}

static void free_chain(struct arena_block *b) {
    while (b) {
        struct arena_block *next = b->next;
        mem_free(b);
        b = next;
    }
}

void arena_release(struct arena *a) {
    free_chain(a->first);
    *a = (struct arena){.max = a->max};
}

void arena_reset(struct arena *a) {
    /* An oversized block is never kept: one large request must not fix the size of an idle owner. */
    struct arena_block *kept = a->first && a->first->cap == ARENA_BLOCK_DATA ? a->first : NULL;
    if (kept) {
        free_chain(kept->next);
        kept->next = NULL;
        kept->used = 0;
    } else {
        free_chain(a->first);
    }
    *a = (struct arena){.first = kept, .max = a->max};
}

static struct arena_block *add_block(struct arena *a, size_t size) {
    size_t cap = size > ARENA_BLOCK_DATA ? size : ARENA_BLOCK_DATA;
    struct arena_block *b = mem_realloc(NULL, sizeof(*b) + cap); /* zeroed piece by piece, when handed out */
    if (!b) return NULL;
    b->cap = cap;
    b->used = 0;
    if (cap > ARENA_BLOCK_DATA && a->first) {
        b->next = a->first->next;
        a->first->next = b;
    } else {
        b->next = a->first;
        a->first = b;
    }
    return b;
}

void *arena_alloc(struct arena *a, size_t size) {
    const size_t align = alignof(max_align_t);
    if (a->failed) return NULL;
    /* The bound on max keeps sizeof(block) + size far from wrapping as well. */
    if (size > a->max || size > SIZE_MAX / 2) goto fail;
    size = size ? (size + align - 1) & ~(align - 1) : align;
    if (size > a->max - a->used) goto fail;
    struct arena_block *b = a->first;
    if (!b || size > b->cap - b->used) {
        b = add_block(a, size);
        if (!b) goto fail;
    }
    void *p = b->data + b->used;
    memset(p, 0, size);
    b->used += size;
    a->used += size;
    return p;

fail:
    a->failed = true;
    return NULL;
}

char *arena_strdup(struct arena *a, struct bytes data) {
    if (data.len == SIZE_MAX) {
        a->failed = true;
        return NULL;
    }
    char *copy = arena_alloc(a, data.len + 1);
    if (copy && data.len > 0) memcpy(copy, data.ptr, data.len);
    return copy;
}
