/*
 * arena.h - memory for one lifetime: many small allocations, freed all at once.
 *
 * Blocks come from the heap; arena_reset() keeps the first block for reuse.
 * Failure is sticky (`failed`) and every allocation returns NULL from then on.
 * A ceiling must be given; reaching it fails like memory running out.
 */
#ifndef GILMOK_BASE_ARENA_H
#define GILMOK_BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *first; /* owned chain, newest first; NULL until the first allocation */
    size_t used;               /* bytes handed out since the last reset */
    size_t max;
    bool failed;
};

void arena_init(struct arena *a, size_t max);
void arena_release(struct arena *a);
void arena_reset(struct arena *a);

/* Zeroed memory aligned for any object, or NULL. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy of `data` with a NUL behind it, or NULL. */
char *arena_strdup(struct arena *a, struct bytes data);

#endif
