/*
 * golden_parser_cuts.c - every golden text of the parser, cut off behind each of its bytes: an answer, whatever it is.
 *
 * The cut text stands in memory of exactly its size: a byte read behind it is a finding of the address sanitizer. A text
 * is a case, with all its cuts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/golden/parser_cases.h"

struct run {
    int cases, failures;
    unsigned long cuts;
    struct writer answer, wrong;
};

/* Is what came of the first `len` bytes an answer? */
static bool has_answer(struct run *r, const struct parser_case *c, size_t len) {
    uint8_t *cut = malloc(len ? len : 1);
    INVARIANT(cut);
    if (len) memcpy(cut, c->text.ptr, len);
    writer_reset(&r->answer);
    writer_reset(&r->wrong);
    parser_answer(bytes_of(cut, len), &c->options, true, c->shows_nodes, &r->answer, &r->wrong);
    free(cut);
    r->cuts++;
    bool ok = r->wrong.len == 0 && !r->wrong.failed && r->answer.len > 0 && !r->answer.failed;
    if (!ok)
        printf("FAILED: %s:%d: %s\n  cut behind byte %zu: %.*s\n  %.*s\n", c->path, c->line, c->title, len, (int)len,
               (const char *)c->text.ptr, (int)r->wrong.len, (const char *)r->wrong.data);
    return ok;
}

static void visit(const struct parser_case *c, struct bytes rest, void *ctx) {
    (void)rest;
    struct run *r = ctx;
    if (!c) return;
    r->cases++;
    for (size_t len = 0; len <= c->text.len; len++) {
        if (has_answer(r, c, len)) continue;
        r->failures++;
        return;
    }
}

int main(void) {
    struct run r = {.cases = 0};
    writer_init(&r.answer, 64 << 20);
    writer_init(&r.wrong, 64 << 20);
    bool ok = parser_cases_each(visit, &r);
    writer_release(&r.answer);
    writer_release(&r.wrong);
    printf("%lu cuts\n%d%%: Checks: %d, Failures: %d, Errors: %d\n", r.cuts, r.failures ? 0 : 100, r.cases, r.failures, !ok);
    return !ok || r.failures || r.cases == 0;
}
