/*
 * arena.h - memory for one lifetime: many small allocations, freed all at once.
 *
 * Blocks come from the heap; arena_reset() keeps the first block for reuse, more of them after arena_keep().
 * Failure is sticky (`failed`) and every allocation returns NULL from then on.
 * A ceiling must be given; reaching it fails like memory running out.
 */
#ifndef GILMOK_BASE_ARENA_H
#define GILMOK_BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
    uint8_t *pos, *end;        /* what is left of the block in front; both NULL without one */
    struct arena_block *first; /* owned chain, newest first; NULL until the first allocation */
    struct arena_block *spare; /* owned: blocks of earlier lifetimes, kept for reuse (arena_keep) */
    size_t used;               /* bytes handed out since the last reset */
    size_t max;
    size_t keep; /* bytes of blocks that a reset keeps; at least one usual block */
    bool failed;
};

void arena_init(struct arena *a, size_t max);
void arena_release(struct arena *a);
void arena_reset(struct arena *a);

/* From now on a reset keeps blocks of up to `bytes` in all, so that lifetimes like the last one allocate nothing. */
void arena_keep(struct arena *a, size_t bytes);

/* Zeroed memory aligned for any object, or NULL. */
void *arena_alloc(struct arena *a, size_t size);

/* The same for `size` bytes, a multiple of 8, aligned to 8: for pointers and integers. Fast: a few instructions. */
static inline void *arena_alloc_words(struct arena *a, size_t size) {
    if (UNLIKELY(size > (size_t)(a->end - a->pos))) return arena_alloc(a, size);
    uint8_t *p = a->pos;
    a->pos += size;
    a->used += size;
    memset(p, 0, size);
    return p;
}

/* A copy of `data` with a NUL behind it, or NULL. */
char *arena_strdup(struct arena *a, struct bytes data);

#endif
