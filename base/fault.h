/*
 * fault.h - allocation, and the points where a test can make it fail.
 *
 * All of gilmok's own allocations go through mem_alloc() and mem_realloc(). In
 * builds with -Dfault=true a test can ask that failure point number n of a kind
 * fails (fault_arm), runs a scenario, and repeats with n+1 until the scenario
 * passes without the fault having fired. In other builds the check compiles away.
 */
#ifndef GILMOK_BASE_FAULT_H
#define GILMOK_BASE_FAULT_H

#include "base/build.h"

enum fault_kind { FAULT_ALLOC, FAULT_RECV, FAULT_SEND, FAULT_CONNECT, FAULT_ACCEPT, FAULT_KINDS };

#ifdef GILMOK_FAULT
bool fault_hit(enum fault_kind kind); /* counts a pass through a point; true when this one must fail */
void fault_arm(enum fault_kind kind, uint64_t n); /* fail the n-th pass from now, once; 0 = the next */
bool fault_fired(enum fault_kind kind);
uint64_t fault_left(enum fault_kind kind); /* of the n: how many passes have not come, or not yet */
void fault_disarm(void);
#else
static inline bool fault_hit(enum fault_kind kind) {
    (void)kind;
    return false;
}
#endif

/* Zeroed memory or NULL. Free with mem_free(). */
void *mem_alloc(size_t size);
void *mem_alloc_raw(size_t size);                /* not zeroed: for buffers that are filled at once */
void *mem_realloc(void *old, size_t size); /* new bytes are not zeroed; `old` survives failure */
void mem_free(void *ptr);
/* A copy with a NUL behind it, or NULL. */
char *mem_strdup(const char *str, size_t len);

#endif
