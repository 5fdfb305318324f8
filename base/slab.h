/*
 * slab.h - objects of one size, taken and given back without the heap in between.
 *
 * Grows by chunks of about 16 KiB; chunks are returned to the heap only by
 * slab_release(). Taken objects are zeroed. With -Dfault=true builds, slab_take
 * can fail on purpose.
 */
#ifndef GILMOK_BASE_SLAB_H
#define GILMOK_BASE_SLAB_H

#include "base/build.h"

struct slab {
    size_t size;   /* of one object, bytes, rounded up for alignment */
    void *free;    /* single-linked free objects */
    void *chunks;  /* owned */
    size_t taken;  /* objects out now */
    size_t made;   /* those and the free ones */
};

void slab_init(struct slab *s, size_t object_size);
void slab_release(struct slab *s); /* all objects must have been given back, or are dead with it */
void *slab_take(struct slab *s);   /* NULL when memory is out */
void slab_give(struct slab *s, void *object);

#endif
