/*
 * Splits; knows no command.
 */
#include "proxy/admin/words.h"

#include <ctype.h>
#include <strings.h>

static bool is_blank(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Past blanks and comments to the end of a line. */
static size_t skip(struct bytes sql, size_t at) {
    while (at < sql.len) {
        if (is_blank(sql.ptr[at])) {
            at++;
        } else if (sql.len - at >= 2 && sql.ptr[at] == '-' && sql.ptr[at + 1] == '-') {
            while (at < sql.len && sql.ptr[at] != '\n') at++;
        } else {
            break;
        }
    }
    return at;
}

/* The word at `at`; returns where it ends. */
static size_t take(struct words *w, struct bytes sql, size_t at) {
    char *out = w->text[w->count];
    size_t len = 0;
    bool is_quoted = sql.ptr[at] == '"', is_open = is_quoted;
    for (at += is_quoted; at < sql.len; at++) {
        uint8_t c = sql.ptr[at];
        if (is_quoted && c == '"') {
            bool is_doubled = at + 1 < sql.len && sql.ptr[at + 1] == '"';
            at++;
            if (!is_doubled) {
                is_open = false;
                break;
            }
        } else if (!is_quoted && (is_blank(c) || c == ';' || c == '"')) {
            break;
        }
        if (len == WORD_SIZE - 1 || c == 0) w->is_cut = true;
        else out[len++] = (char)c;
    }
    out[len] = '\0';
    if (is_open) w->is_cut = true;
    w->is_quoted[w->count++] = is_quoted;
    return at;
}

void words_split(struct words *w, struct bytes sql) {
    *w = (struct words){0};
    size_t at = skip(sql, 0);
    while (at < sql.len && sql.ptr[at] != ';' && !w->is_cut) {
        if (w->count == WORDS_MAX) w->is_cut = true;
        else at = skip(sql, take(w, sql, at));
    }
    while (at < sql.len && sql.ptr[at] == ';') at = skip(sql, at + 1);
    if (at < sql.len) w->is_cut = true;
}

bool words_begin_with(const struct words *w, const char *phrase, int *used) {
    int i = 0;
    while (*phrase) {
        const char *end = strchr(phrase, ' ');
        size_t len = end ? (size_t)(end - phrase) : strlen(phrase);
        if (i == w->count || w->is_quoted[i]) return false;
        if (strlen(w->text[i]) != len || strncasecmp(w->text[i], phrase, len) != 0) return false;
        i++;
        phrase += end ? len + 1 : len;
    }
    *used = i;
    return true;
}
