/*
 * invariant.c - the last sentence of a process whose own state is wrong.
 *
 * Knows nothing of what was violated beyond its text; never returns.
 */
#include <stdlib.h>

#include "base/build.h"
#include "base/log.h"

void invariant_failed(const char *cond, const char *file, int line) {
    log_line(LOG_ERROR, "invariant", NULL, "%s does not hold at %s:%d; stopping", cond, file, line);
    log_flush();
    abort();
}
