/*
 * config_findings.c - owns the list of findings; knows nothing about keys or files.
 */
#include "proxy/config_findings.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fault.h"

void config_findings_init(struct config_findings *f) {
    list_init(&f->all);
    f->errors = 0;
    f->warnings = 0;
}

void config_findings_release(struct config_findings *f) {
    for (struct list *n = list_take_first(&f->all); n; n = list_take_first(&f->all)) {
        mem_free(CONTAINER_OF(n, struct config_finding, node));
    }
    f->errors = 0;
    f->warnings = 0;
}

/* Names out of files end up in an operator's terminal: nothing that moves the cursor may pass. */
static void make_printable(char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f) *text = '?';
    }
}

PRINTF_LIKE(5, 0)
static void add(struct config_findings *f, bool is_error, const char *file, int line, const char *fmt, va_list args) {
    if (is_error) f->errors++;
    else f->warnings++;
    if (f->errors + f->warnings > CONFIG_FINDINGS_MAX) return;
    struct config_finding *one = mem_alloc(sizeof(*one));
    if (!one) return; /* counted all the same: an error stays an error */
    list_init(&one->node);
    one->is_error = is_error;
    one->line = line;
    snprintf(one->file, sizeof(one->file), "%s", file);
    make_printable(one->file);
    vsnprintf(one->message, sizeof(one->message), fmt, args);
    make_printable(one->message);
    list_push_back(&f->all, &one->node);
}

void config_error(struct config_findings *f, const char *file, int line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    add(f, true, file, line, fmt, args);
    va_end(args);
}

void config_warning(struct config_findings *f, const char *file, int line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    add(f, false, file, line, fmt, args);
    va_end(args);
}

void config_advice(struct config_findings *f, const char *fmt, ...) {
    struct list *last = list_last(&f->all);
    if (!last) return;
    struct config_finding *one = CONTAINER_OF(last, struct config_finding, node);
    if (one->advice[0]) return; /* the finding that this belongs to was not kept */
    va_list args;
    va_start(args, fmt);
    vsnprintf(one->advice, sizeof(one->advice), fmt, args);
    va_end(args);
    make_printable(one->advice);
}

static size_t file_rank(const char *file, const char *const *files, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(file, files[i]) == 0) return i;
    }
    return count;
}

static bool is_before(const struct config_finding *a, const struct config_finding *b, const char *const *files,
                      size_t count) {
    size_t rank_a = file_rank(a->file, files, count);
    size_t rank_b = file_rank(b->file, files, count);
    if (rank_a != rank_b) return rank_a < rank_b;
    int names = strcmp(a->file, b->file); /* of files that are not listed */
    if (names != 0) return names < 0;
    /* What concerns the file as a whole is read last, after the lines that may be its cause. */
    int line_a = a->line ? a->line : INT_MAX;
    int line_b = b->line ? b->line : INT_MAX;
    return line_a < line_b;
}

void config_findings_sort(struct config_findings *f, const char *const *files, size_t count) {
    struct list sorted;
    list_init(&sorted);
    for (struct list *n = list_take_first(&f->all); n; n = list_take_first(&f->all)) {
        const struct config_finding *one = CONTAINER_OF(n, struct config_finding, node);
        struct list *at = sorted.prev;
        while (at != &sorted && is_before(one, CONTAINER_OF(at, struct config_finding, node), files, count)) {
            at = at->prev;
        }
        list_insert_between(at, n, at->next);
    }
    for (struct list *n = list_take_first(&sorted); n; n = list_take_first(&sorted)) list_push_back(&f->all, n);
}
