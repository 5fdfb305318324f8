/*
 * golden_parser_scarce.c - every golden text of the parser, read in memory that ends at each place in turn: a problem of the
 * statement, never anything worse.
 *
 * The arena's ceiling rises by the size of a small node from what the reader itself takes to what the text takes. A text is
 * a case, with all its ceilings.
 */
#include <stdio.h>

#include "tests/golden/parser_cases.h"

enum { STEP = 24, CEILING_MAX = 256 << 10, TEXT_MAX = 4096 /* longer ones take too many steps */ };

struct run {
    int cases, failures;
    unsigned long ceilings;
};

/* Reads the text; `is_enough`: the memory has not ended. False: something is wrong with the answers. */
static bool read_within(const struct parser_case *c, size_t ceiling, bool *is_enough) {
    struct arena arena;
    struct sql_statement s;
    size_t count = 0;
    bool ok = true;
    arena_init(&arena, ceiling);
    struct sql_reader *reader = sql_reader_new(c->text, &c->options, &arena);
    while (reader && ok && sql_reader_next(reader, &s)) {
        ok = count++ <= c->text.len && s.start <= s.end && s.end <= c->text.len;
        if (s.outcome == SQL_UNKNOWN) ok = ok && s.problem.reason && s.problem.position <= c->text.len;
        else ok = ok && (s.outcome == SQL_EMPTY || s.ast);
    }
    *is_enough = reader && !arena.failed;
    ok = ok && arena.used <= arena.max;
    arena_release(&arena);
    return ok;
}

static void visit(const struct parser_case *c, struct bytes rest, void *ctx) {
    (void)rest;
    struct run *r = ctx;
    if (!c || c->text.len > TEXT_MAX) return;
    r->cases++;
    bool is_enough = false;
    for (size_t ceiling = STEP; !is_enough; ceiling += STEP) {
        r->ceilings++;
        if (ceiling <= CEILING_MAX && read_within(c, ceiling, &is_enough)) continue;
        r->failures++;
        printf("FAILED: %s:%d: %s\n  with %zu bytes of memory: %.*s\n", c->path, c->line, c->title, ceiling, (int)c->text.len,
               (const char *)c->text.ptr);
        return;
    }
}

int main(void) {
    struct run r = {.cases = 0};
    bool ok = parser_cases_each(visit, &r);
    printf("%lu ceilings\n%d%%: Checks: %d, Failures: %d, Errors: %d\n", r.ceilings, r.failures ? 0 : 100, r.cases, r.failures, !ok);
    return !ok || r.failures || r.cases == 0;
}
