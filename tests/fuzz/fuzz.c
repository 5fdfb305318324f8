/*
 * Tells which promise was broken, then aborts, so that libFuzzer keeps the input.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

void fuzz_broken_promise(const char *cond, const char *file, int line) {
    fprintf(stderr, "broken promise: %s (%s:%d)\n", cond, file, line);
    abort();
}
