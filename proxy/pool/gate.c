/*
 * Owns the names that were ever paused or disabled; there are few, and they stay.
 */
#include "proxy/pool/gate.h"

#include "base/fault.h"

struct gate {
    unsigned flags;
};

void gate_book_init(struct gate_book *b) {
    *b = (struct gate_book){0};
    pthread_mutex_init(&b->lock, NULL);
    map_init(&b->gates);
}

void gate_book_release(struct gate_book *b) {
    struct bytes name;
    void *gate;
    size_t at = 0;
    while (map_next(&b->gates, &at, &name, &gate)) mem_free(gate);
    map_release(&b->gates);
    pthread_mutex_destroy(&b->lock);
}

/* NULL: nothing was said about it, or with `is_new`: memory is out. */
static unsigned *flags_of(struct gate_book *b, struct bytes database, bool is_new) {
    if (database.len == 0) return &b->all;
    struct gate *gate = map_get(&b->gates, database);
    if (!gate && is_new) {
        gate = mem_alloc(sizeof *gate);
        if (gate && !map_put(&b->gates, database, gate)) {
            mem_free(gate);
            gate = NULL;
        }
    }
    return gate ? &gate->flags : NULL;
}

bool gate_book_set(struct gate_book *b, struct bytes database, unsigned flags) {
    pthread_mutex_lock(&b->lock);
    unsigned *own = flags_of(b, database, true);
    if (own) *own |= flags;
    pthread_mutex_unlock(&b->lock);
    return own != NULL;
}

void gate_book_clear(struct gate_book *b, struct bytes database, unsigned flags) {
    pthread_mutex_lock(&b->lock);
    unsigned *own = flags_of(b, database, false);
    if (own) *own &= ~flags;
    pthread_mutex_unlock(&b->lock);
}

static unsigned look_up(struct gate_book *b, struct bytes database, bool with_all) {
    pthread_mutex_lock(&b->lock);
    const unsigned *own = flags_of(b, database, false);
    unsigned flags = (own ? *own : 0) | (with_all ? b->all : 0);
    pthread_mutex_unlock(&b->lock);
    return flags;
}

unsigned gate_book_own(struct gate_book *b, struct bytes database) {
    return look_up(b, database, false);
}

unsigned gate_book_of(struct gate_book *b, struct bytes database) {
    return look_up(b, database, true);
}
