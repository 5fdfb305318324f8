/*
 * fuzz.h - what every target needs. A target aborts when a promise of a header does not hold.
 */
#ifndef GILMOK_TESTS_FUZZ_H
#define GILMOK_TESTS_FUZZ_H

#include <stdlib.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(cond) ((cond) ? (void)0 : fuzz_broken_promise(#cond, __FILE__, __LINE__))
void fuzz_broken_promise(const char *cond, const char *file, int line) __attribute__((noreturn));

/* True when `part` lies inside `whole` (an absent part does). */
static inline bool fuzz_is_inside(struct bytes part, struct bytes whole) {
    if (!part.ptr) return part.len == 0;
    return part.ptr >= whole.ptr && part.len <= whole.len && part.ptr + part.len <= whole.ptr + whole.len;
}

/* What stands before the first NUL; *rest is what stands behind it. */
static inline struct bytes fuzz_cut(struct bytes all, struct bytes *rest) {
    const uint8_t *nul = all.len ? memchr(all.ptr, 0, all.len) : NULL;
    *rest = nul ? bytes_of(nul + 1, all.len - (size_t)(nul + 1 - all.ptr)) : bytes_of(NULL, 0);
    return nul ? bytes_of(all.ptr, (size_t)(nul - all.ptr)) : all;
}

#endif
