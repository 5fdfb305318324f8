/*
 * err.c - fills in a struct err, cutting what does not fit.
 *
 * Knows nothing of who will read it. Texts are built aside first, because an
 * argument is often the old message of the same struct.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Takes an incomplete UTF-8 sequence off the end, so that a cut never makes an invalid text. */
static size_t whole_characters(const char *text, size_t len) {
    size_t tail = 0;
    while (tail < 3 && tail < len && ((uint8_t)text[len - 1 - tail] & 0xc0) == 0x80) tail++;
    if (tail == len) return len;
    uint8_t lead = (uint8_t)text[len - 1 - tail];
    size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    return want > tail ? len - 1 - tail : len;
}

static void format_cut(char *out, size_t size, const char *fmt, va_list args) {
    char text[ERR_MESSAGE_MAX + 1];
    static_assert(ERR_DETAIL_MAX <= ERR_MESSAGE_MAX && ERR_HINT_MAX <= ERR_MESSAGE_MAX, "text[] holds the longest");
    int full = vsnprintf(text, size, fmt, args);
    size_t len = full < 0 ? 0 : (size_t)full;
    if (len >= size) len = whole_characters(text, size - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

bool err_set(struct err *e, const char *sqlstate, const char *fmt, ...) {
    INVARIANT(strlen(sqlstate) == sizeof(e->sqlstate) - 1);
    va_list args;
    va_start(args, fmt);
    format_cut(e->message, sizeof(e->message), fmt, args);
    va_end(args);
    if (sqlstate != e->sqlstate) memcpy(e->sqlstate, sqlstate, sizeof(e->sqlstate));
    e->detail[0] = '\0';
    e->hint[0] = '\0';
    e->routine = NULL;
    return false;
}

void err_detail(struct err *e, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    format_cut(e->detail, sizeof(e->detail), fmt, args);
    va_end(args);
}

void err_hint(struct err *e, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    format_cut(e->hint, sizeof(e->hint), fmt, args);
    va_end(args);
}

bool err_is_set(const struct err *e) {
    return e->sqlstate[0] != '\0';
}
