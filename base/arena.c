/*
 * arena.c - blocks of memory that die together.
 *
 * Owns the chain of blocks. The newest block of the usual size is the one that small
 * allocations are cut from (between `pos` and `end`); an allocation that is too
 * large for a usual block gets a block of its own, linked behind the front.
 */
#include "base/arena.h"

#include <stdalign.h>

#include "base/fault.h"

enum { ARENA_BLOCK_DATA = 4000 }; /* with header and heap overhead just under 4 KiB */

struct arena_block {
    struct arena_block *next;
    size_t cap;
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *a, size_t max) {
    *a = (struct arena){.max = max, .keep = ARENA_BLOCK_DATA};
}

void arena_keep(struct arena *a, size_t bytes) {
    a->keep = bytes > ARENA_BLOCK_DATA ? bytes : ARENA_BLOCK_DATA;
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
    free_chain(a->spare);
    *a = (struct arena){.max = a->max, .keep = a->keep};
}

/* Moves blocks of the usual size from `chain` to the spare ones while they fit; frees the others. */
static struct arena_block *keep_blocks(struct arena_block *chain, struct arena_block *spare, size_t *room) {
    while (chain) {
        struct arena_block *next = chain->next;
        /* An oversized block is never kept: one large request must not fix the size of an idle owner. */
        if (chain->cap == ARENA_BLOCK_DATA && chain->cap <= *room) {
            *room -= chain->cap;
            chain->next = spare;
            spare = chain;
        } else {
            mem_free(chain);
        }
        chain = next;
    }
    return spare;
}

void arena_reset(struct arena *a) {
    size_t room = a->keep;
    struct arena_block *spare = keep_blocks(a->first, NULL, &room);
    spare = keep_blocks(a->spare, spare, &room);
    *a = (struct arena){.spare = spare, .max = a->max, .keep = a->keep};
}

/* A block whose data `size` fits in, in front of the chain if it is of the usual size. */
static struct arena_block *add_block(struct arena *a, size_t size) {
    struct arena_block *b;
    if (size > ARENA_BLOCK_DATA) {
        b = mem_realloc(NULL, sizeof(*b) + size); /* zeroed piece by piece, when handed out */
        if (!b) return NULL;
        b->cap = size;
        if (a->first) {
            b->next = a->first->next;
            a->first->next = b;
        } else {
            b->next = NULL;
            a->first = b;
            a->pos = a->end = b->data + size;
        }
        return b;
    }
    b = a->spare;
    if (b) {
        a->spare = b->next;
    } else {
        b = mem_realloc(NULL, sizeof(*b) + ARENA_BLOCK_DATA);
        if (!b) return NULL;
        b->cap = ARENA_BLOCK_DATA;
    }
    b->next = a->first;
    a->first = b;
    a->pos = b->data;
    /* Words are cut from the block without asking for the ceiling (arena_alloc_words): the block ends where it is reached. */
    size_t left = a->max - a->used;
    a->end = b->data + (left < ARENA_BLOCK_DATA ? left : ARENA_BLOCK_DATA);
    return b;
}

void *arena_alloc(struct arena *a, size_t size) {
    const size_t align = alignof(max_align_t);
    if (a->failed) return NULL;
    /* The bound on max keeps sizeof(block) + size far from wrapping as well. */
    if (size > a->max || size > SIZE_MAX / 2) goto fail;
    size = size ? (size + align - 1) & ~(align - 1) : align;
    if (a->used > a->max || size > a->max - a->used) goto fail;
    size_t pad = (size_t)(-(uintptr_t)a->pos & (align - 1)); /* words may have left it at a multiple of 8 */
    uint8_t *p;
    if (size > ARENA_BLOCK_DATA) {
        struct arena_block *b = add_block(a, size);
        if (!b) goto fail;
        p = b->data;
    } else {
        if (pad + size > (size_t)(a->end - a->pos)) {
            if (!add_block(a, size)) goto fail; /* has room for `size`: the ceiling does */
            pad = 0;
        }
        p = a->pos + pad;
        a->pos = p + size;
    }
    memset(p, 0, size);
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
