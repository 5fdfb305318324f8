/*
 * golden_parser.c - SQL texts and the trees that are made of them: the .txt files of tests/golden/parser (parser_cases.h).
 *
 * `--update` rewrites the expectations instead; what they say now is then to be read by a person. An answer that cannot be
 * right, such as a node outside its parent, has a line that says so, which no file should expect.
 */
#include <stdio.h>
#include <string.h>

#include "tests/golden/parser_cases.h"

enum { FILE_SIZE_MAX = 64 << 20 };

struct run {
    bool is_update;
    const char *path; /* of the file being visited */
    struct writer rewritten;
    int cases, failures, errors;
};

static void print_lines(const char *what, struct bytes lines) {
    printf("  %s:\n%.*s", what, (int)lines.len, (const char *)lines.ptr);
}

static void compare(struct run *r, const struct parser_case *c, struct bytes actual) {
    if (bytes_equal(actual, c->expected)) return;
    r->failures++;
    printf("FAILED: %s:%d: %s\n%.*s\n", c->path, c->line, c->title, (int)c->text.len, (const char *)c->text.ptr);
    print_lines("expected", c->expected);
    print_lines("actual", actual);
}

static void rewrite(struct run *r, struct bytes rest) {
    writer_put(&r->rewritten, rest);
    struct bytes text = writer_bytes(&r->rewritten);
    FILE *f = r->path ? fopen(r->path, "w") : NULL;
    bool ok = f && !r->rewritten.failed && fwrite(text.ptr, 1, text.len, f) == text.len;
    if (f && fclose(f)) ok = false;
    if (!ok) {
        printf("FAILED: %s cannot be rewritten\n", r->path ? r->path : "a file without a case");
        r->errors++;
    }
}

static void visit(const struct parser_case *c, struct bytes rest, void *ctx) {
    struct run *r = ctx;
    if (!c) {
        if (r->is_update) rewrite(r, rest);
        writer_reset(&r->rewritten);
        r->path = NULL;
        return;
    }
    r->path = c->path;
    r->cases++;
    struct writer actual;
    writer_init(&actual, FILE_SIZE_MAX);
    parser_case_answer(c, &actual);
    if (!r->is_update) compare(r, c, writer_bytes(&actual));
    writer_put(&r->rewritten, c->before);
    writer_put(&r->rewritten, writer_bytes(&actual));
    writer_release(&actual);
}

int main(int argc, char **argv) {
    struct run r = {.is_update = argc == 2 && strcmp(argv[1], "--update") == 0};
    if (argc > 1 && !r.is_update) {
        fprintf(stderr, "usage: golden_parser [--update]    from the tree's root\n");
        return 2;
    }
    writer_init(&r.rewritten, FILE_SIZE_MAX);
    if (!parser_cases_each(visit, &r)) r.errors++;
    writer_release(&r.rewritten);
    int percent = r.cases ? 100 * (r.cases - r.failures) / r.cases : 0;
    printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n", percent, r.cases + r.errors, r.failures, r.errors);
    return r.failures || r.errors || r.cases == 0;
}
