/*
 * Owns the files, the comparison and the rewriting. Knows nothing of what a line means.
 */
#include "tests/golden/golden.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_LEN = 8192, OUT_MAX = 64 << 10, INPUT_COLUMN = 28 };

static const char arrow[] = " => ";

struct run {
    const struct golden_suite *suite;
    bool is_update;
    const char *path;
    int line;
    char title[256];
    bool has_case;
    bool is_case_bad;
    int cases;
    int bad_cases;
    struct writer rewritten;
};

void golden_quote(struct writer *w, struct bytes data) {
    writer_u8(w, '"');
    for (size_t i = 0; i < data.len; i++) {
        uint8_t c = data.ptr[i];
        if (c == '"' || c == '\\') writer_fmt(w, "\\%c", c);
        else if (c >= ' ' && c < 127) writer_u8(w, c);
        else writer_fmt(w, "\\x%02x", c);
    }
    writer_u8(w, '"');
}

static void count(struct run *r) {
    r->cases++;
    r->bad_cases += r->is_case_bad;
    r->is_case_bad = false;
}

static void end_case(struct run *r) {
    if (r->has_case && !r->suite->counts_lines) count(r);
    r->has_case = false;
}

static void begin_case(struct run *r, const char *title) {
    end_case(r);
    snprintf(r->title, sizeof r->title, "%.200s", title);
    r->has_case = true;
    r->is_case_bad = false;
    if (r->suite->begin_case) r->suite->begin_case();
}

static void complain(struct run *r, const char *what, const char *input, struct bytes actual, const char *expected) {
    r->is_case_bad = true;
    printf("FAILED: %s:%d: %s: %s: `%s`\n  expected: %s\n  actual:   %.*s\n", r->path, r->line, r->title, what, input,
           expected, (int)actual.len, (const char *)actual.ptr);
}

static void run_line(struct run *r, char *line) {
    char *at = strstr(line, arrow);
    const char *expected = at ? at + strlen(arrow) : "";
    if (at) *at = '\0';
    size_t len = strlen(line);
    while (len > 0 && line[len - 1] == ' ') line[--len] = '\0';
    char input[LINE_MAX_LEN];
    memcpy(input, line, len + 1);
    struct writer out;
    writer_init(&out, OUT_MAX);
    bool ok = r->suite->step(line, &out);
    struct bytes actual = writer_bytes(&out);
    if (!ok || out.failed) complain(r, "not a line of this suite", input, actual, expected);
    else if (r->is_update) expected = NULL;
    else if (!bytes_is(actual, expected)) complain(r, "differs", input, actual, expected);
    writer_fmt(&r->rewritten, "%-*s%s", INPUT_COLUMN, input, arrow);
    if (expected) writer_str(&r->rewritten, expected);
    else writer_put(&r->rewritten, actual);
    writer_u8(&r->rewritten, '\n');
    writer_release(&out);
    if (r->suite->counts_lines && (input[0] != '@' || r->is_case_bad)) count(r);
}

static bool rewrite(struct run *r) {
    FILE *f = fopen(r->path, "w");
    struct bytes text = writer_bytes(&r->rewritten);
    bool ok = f && !r->rewritten.failed && fwrite(text.ptr, 1, text.len, f) == text.len;
    if (f && fclose(f)) ok = false;
    return ok;
}

static bool run_file(struct run *r, const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) return false;
    r->path = path;
    r->line = 0;
    writer_init(&r->rewritten, 1 << 20);
    char line[LINE_MAX_LEN];
    while (fgets(line, sizeof line, f)) {
        r->line++;
        line[strcspn(line, "\n")] = '\0';
        bool is_input = line[0] != '\0' && line[0] != '#' && strncmp(line, "== ", 3) != 0;
        if (!is_input) writer_fmt(&r->rewritten, "%s\n", line);
        if (strncmp(line, "== ", 3) == 0) begin_case(r, line + 3);
        if (!is_input) continue;
        if (!r->has_case) begin_case(r, path);
        run_line(r, line);
    }
    end_case(r);
    bool ok = !ferror(f);
    fclose(f);
    if (ok && r->is_update) ok = rewrite(r);
    writer_release(&r->rewritten);
    return ok;
}

int golden_main(int argc, char **argv, const struct golden_suite *suite) {
    struct run r = {.suite = suite, .is_update = argc == 2 && strcmp(argv[1], "--update") == 0};
    if (argc > 1 && !r.is_update) {
        fprintf(stderr, "usage: golden_%s [--update]    from the tree's root\n", suite->name);
        return 2;
    }
    char pattern[128];
    snprintf(pattern, sizeof pattern, "tests/golden/%s/*.txt", suite->name);
    glob_t files;
    if (glob(pattern, 0, NULL, &files) != 0) {
        printf("FAILED: there is no %s; run this from the tree's root\n", pattern);
        return 1;
    }
    int errors = 0;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        if (run_file(&r, files.gl_pathv[i])) continue;
        printf("FAILED: %s: %s\n", files.gl_pathv[i], strerror(errno));
        errors++;
    }
    globfree(&files);
    int percent = r.cases ? 100 * (r.cases - r.bad_cases) / r.cases : 0;
    printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n", percent, r.cases + errors, r.bad_cases, errors);
    return r.bad_cases || errors || r.cases == 0;
}
