/*
 * map.h - hash map from byte strings to pointers.
 *
 * Open addressing with a per-process random seed, so that peers who choose names
 * cannot choose collisions. Keys are copied into the map; values are borrowed
 * (the map never frees them). Not for the per-query path of a single target.
 */
#ifndef GILMOK_BASE_MAP_H
#define GILMOK_BASE_MAP_H

#include "base/bytes.h"

struct map_slot;

struct map {
    struct map_slot *slots; /* owned */
    size_t cap;             /* a power of two, or 0 */
    size_t count;
    size_t latest;          /* the slot where map_get_again() looks first; whatever is there now */
};

void map_init(struct map *m);
void map_release(struct map *m);

void *map_get(const struct map *m, struct bytes key); /* NULL when absent */
/* The same, for who mostly asks for the key that was asked for last. */
void *map_get_again(struct map *m, struct bytes key);
/* False when memory is out; the map is then unchanged. `value` must not be NULL. Replaces. */
MUST_USE bool map_put(struct map *m, struct bytes key, void *value);
void *map_take(struct map *m, struct bytes key); /* removes; NULL when absent */

/* Iterates in no useful order: start with *at = 0; false at the end. No changes meanwhile. */
bool map_next(const struct map *m, size_t *at, struct bytes *key, void **value);

/* 64-bit hash with the process's seed. */
uint64_t map_hash(struct bytes key);
/* Sets the seed; call once at start, before any map holds a key. Tests give a fixed one. */
void map_seed(uint64_t seed);

#endif
