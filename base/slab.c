/*
 * slab.c - free list over chunks of equal objects.
 *
 * Owns the chunks, knows nothing of the objects. A free object's first bytes hold
 * the link to the next one.
 */
#include "base/slab.h"

#include <stdalign.h>
#include <string.h>

#include "base/fault.h"

enum { SLAB_CHUNK = 16 * 1024 - 32 }; /* leaves room for the heap's own header */

struct slab_chunk {
    struct slab_chunk *next;
    alignas(max_align_t) uint8_t data[];
};

struct slab_free {
    struct slab_free *next;
};

void slab_init(struct slab *s, size_t object_size) {
    const size_t align = alignof(max_align_t);
    INVARIANT(object_size > 0 && object_size < SIZE_MAX / 4);
    *s = (struct slab){.size = (object_size + align - 1) & ~(align - 1)};
}

void slab_release(struct slab *s) {
    struct slab_chunk *c = s->chunks;
    while (c) {
        struct slab_chunk *next = c->next;
        mem_free(c);
        c = next;
    }
    *s = (struct slab){.size = s->size};
}

static bool add_chunk(struct slab *s) {
    size_t count = (SLAB_CHUNK - sizeof(struct slab_chunk)) / s->size;
    if (count == 0) count = 1;
    struct slab_chunk *c = mem_realloc(NULL, sizeof(*c) + count * s->size);
    if (!c) return false;
    c->next = s->chunks;
    s->chunks = c;
    s->made += count;
    for (size_t i = count; i-- > 0;) { /* backwards, so that objects come out in address order */
        struct slab_free *f = (struct slab_free *)(void *)(c->data + i * s->size);
        f->next = s->free;
        s->free = f;
    }
    return true;
}

void *slab_take(struct slab *s) {
    if (fault_hit(FAULT_ALLOC)) return NULL;
    if (!s->free && !add_chunk(s)) return NULL;
    struct slab_free *f = s->free;
    s->free = f->next;
    s->taken++;
    memset(f, 0, s->size);
    return f;
}

void slab_give(struct slab *s, void *object) {
    INVARIANT(s->taken > 0);
    struct slab_free *f = object;
    f->next = s->free;
    s->free = f;
    s->taken--;
}
