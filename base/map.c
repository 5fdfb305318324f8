/*
 * map.c - open addressing with linear probing; owns the slots and the copied keys.
 *
 * Removal moves later entries of the same run back, so there are no tombstones
 * and a map that changes for ever does not slow down. The hash is SipHash-1-3
 * (Aumasson and Bernstein), keyed by the process's seed.
 */
#include "base/map.h"

#include <endian.h>

#include "base/fault.h"

enum { MAP_CAP_MIN = 16 };

struct map_slot {
    char *key; /* owned, NUL behind it */
    size_t len;
    uint64_t hash;
    void *value; /* borrowed; NULL marks a free slot */
};

static uint64_t seed_words[2] = {0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u};

/* Spreads one 64-bit number over the two words of the hash key. */
static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void map_seed(uint64_t seed) {
    seed_words[0] = mix(seed + 0x9e3779b97f4a7c15u);
    seed_words[1] = mix(seed + 2 * 0x9e3779b97f4a7c15u);
}

static uint64_t rotate(uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

/* The bytes behind `at`, fewer than eight of them: taken with what stands before them where there is enough. */
static uint64_t rest_of(struct bytes key, size_t at) {
    uint64_t word = 0;
    if (key.len >= 8 && at < key.len) {
        memcpy(&word, key.ptr + key.len - 8, 8);
        return le64toh(word) >> 8 * (8 - (key.len - at));
    }
    for (size_t i = 0; at + i < key.len; i++) word |= (uint64_t)key.ptr[at + i] << 8 * i;
    return word;
}

uint64_t map_hash(struct bytes key) {
    uint64_t v[4] = {
        seed_words[0] ^ 0x736f6d6570736575u,
        seed_words[1] ^ 0x646f72616e646f6du,
        seed_words[0] ^ 0x6c7967656e657261u,
        seed_words[1] ^ 0x7465646279746573u,
    };
    uint64_t word;
    size_t at = 0;
    for (; key.len - at >= 8; at += 8) {
        memcpy(&word, key.ptr + at, 8);
        sip_word(v, word);
    }
    word = (uint64_t)key.len << 56 | rest_of(key, at);
    sip_word(v, word);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m) {
    *m = (struct map){0};
}

void map_release(struct map *m) {
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].value) mem_free(m->slots[i].key);
    }
    mem_free(m->slots);
    map_init(m);
}

/* The slot that holds the key, or the free slot where it would go. There is always a free one: cap > count. */
static struct map_slot *probe(const struct map *m, uint64_t hash, struct bytes key) {
    size_t at = hash & (m->cap - 1);
    for (;; at = (at + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[at];
        if (!s->value || (s->hash == hash && bytes_equal(bytes_of(s->key, s->len), key))) return s;
    }
}

void *map_get(const struct map *m, struct bytes key) {
    return m->count == 0 ? NULL : probe(m, map_hash(key), key)->value;
}

void *map_get_again(struct map *m, struct bytes key) {
    if (m->count == 0) return NULL;
    const struct map_slot *latest = &m->slots[m->latest & (m->cap - 1)];
    if (LIKELY(latest->value && bytes_equal(bytes_of(latest->key, latest->len), key))) return latest->value;
    const struct map_slot *s = probe(m, map_hash(key), key);
    m->latest = (size_t)(s - m->slots);
    return s->value;
}

static bool grow(struct map *m) {
    size_t cap = m->cap ? 2 * m->cap : MAP_CAP_MIN;
    if (cap > SIZE_MAX / sizeof(struct map_slot)) return false;
    struct map bigger = {.slots = mem_alloc(cap * sizeof(struct map_slot)), .cap = cap, .count = m->count};
    if (!bigger.slots) return false;
    for (size_t i = 0; i < m->cap; i++) {
        const struct map_slot *s = &m->slots[i];
        if (s->value) *probe(&bigger, s->hash, bytes_of(s->key, s->len)) = *s;
    }
    mem_free(m->slots);
    *m = bigger;
    return true;
}

bool map_put(struct map *m, struct bytes key, void *value) {
    INVARIANT(value != NULL);
    uint64_t hash = map_hash(key);
    struct map_slot *s = m->count > 0 ? probe(m, hash, key) : NULL;
    if (s && s->value) {
        s->value = value;
        return true;
    }
    char *copy = mem_strdup((const char *)key.ptr, key.len);
    if (!copy) return false;
    if (m->count >= m->cap / 4 * 3) { /* at most three quarters full; also the first put */
        if (!grow(m)) {
            mem_free(copy);
            return false;
        }
    }
    s = probe(m, hash, key);
    *s = (struct map_slot){.key = copy, .len = key.len, .hash = hash, .value = value};
    m->count++;
    return true;
}

/* Closes the hole at `hole` with later entries that may stand there. */
static void close_hole(struct map *m, size_t hole) {
    size_t mask = m->cap - 1;
    for (size_t at = (hole + 1) & mask; m->slots[at].value; at = (at + 1) & mask) {
        size_t home = m->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole] = (struct map_slot){0};
}

void *map_take(struct map *m, struct bytes key) {
    if (m->count == 0) return NULL;
    struct map_slot *s = probe(m, map_hash(key), key);
    void *value = s->value;
    if (!value) return NULL;
    mem_free(s->key);
    close_hole(m, (size_t)(s - m->slots));
    m->count--;
    return value;
}

bool map_next(const struct map *m, size_t *at, struct bytes *key, void **value) {
    for (; *at < m->cap; (*at)++) {
        const struct map_slot *s = &m->slots[*at];
        if (!s->value) continue;
        *key = bytes_of(s->key, s->len);
        *value = s->value;
        (*at)++;
        return true;
    }
    return false;
}
