/*
 * fault.c - gilmok's door to the heap, and the counters that make it fail on request.
 *
 * The counters are for single-threaded test scenarios: they are plain integers.
 */
#include "base/fault.h"

#include <stdlib.h>
#include <string.h>

#ifdef GILMOK_FAULT
struct fault_point {
    uint64_t left; /* passes that still succeed */
    bool is_armed;
    bool has_fired;
};

static struct fault_point points[FAULT_KINDS];

bool fault_hit(enum fault_kind kind) {
    struct fault_point *p = &points[kind];
    if (!p->is_armed) return false;
    if (p->left > 0) {
        p->left--;
        return false;
    }
    p->is_armed = false;
    p->has_fired = true;
    return true;
}

void fault_arm(enum fault_kind kind, uint64_t n) {
    points[kind] = (struct fault_point){.left = n, .is_armed = true};
}

bool fault_fired(enum fault_kind kind) {
    return points[kind].has_fired;
}

uint64_t fault_left(enum fault_kind kind) {
    return points[kind].left;
}

void fault_disarm(void) {
    memset(points, 0, sizeof(points));
}
#endif

/* Size 0 asks for one byte: the C library may answer NULL to 0, which would read as failure. */
void *mem_alloc(size_t size) {
    if (fault_hit(FAULT_ALLOC)) return NULL;
    return calloc(1, size ? size : 1);
}

void *mem_alloc_raw(size_t size) {
    if (fault_hit(FAULT_ALLOC)) return NULL;
    return malloc(size ? size : 1);
}

void *mem_realloc(void *old, size_t size) {
    if (fault_hit(FAULT_ALLOC)) return NULL;
    return realloc(old, size ? size : 1);
}

void mem_free(void *ptr) {
    free(ptr);
}

char *mem_strdup(const char *str, size_t len) {
    if (len == SIZE_MAX) return NULL;
    char *copy = mem_alloc(len + 1);
    if (copy && len > 0) memcpy(copy, str, len);
    return copy;
}
