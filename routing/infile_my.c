#include "routing/infile_my.h"

#include <strings.h>

#include "parser/lex.h"

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* LOAD may be its first word, or that of a later statement. */
static bool may_load(struct bytes text) {
    size_t at = 0;
    while (at < text.len && is_space(text.ptr[at])) at++;
    if (at == text.len) return false;
    uint8_t c = text.ptr[at];
    return c == 'l' || c == 'L' || c == '/' || c == '-' || c == '#' || memchr(text.ptr, ';', text.len);
}

bool infile_my_may_name(struct bytes text) {
    static const char word[] = "infile";
    if (LIKELY(!may_load(text))) return false;
    for (size_t at = 0; at + sizeof word - 1 <= text.len; at++)
        if ((text.ptr[at] | 0x20) == word[0] && strncasecmp((const char *)text.ptr + at, word, sizeof word - 1) == 0) return true;
    return false;
}

/* \% and \_ are two characters each: they are for patterns. */
static void put_escaped(struct writer *w, uint8_t c) {
    switch (c) {
    case 'n': writer_u8(w, '\n'); break;
    case 't': writer_u8(w, '\t'); break;
    case 'r': writer_u8(w, '\r'); break;
    case 'b': writer_u8(w, '\b'); break;
    case 'Z': writer_u8(w, 26); break;
    case '%':
    case '_': writer_u8(w, '\\'); writer_u8(w, c); break;
    default: writer_u8(w, c);
    }
}

/* A name with a NUL in it cannot be one. */
static bool has_nul(struct bytes inside, bool has_escapes) {
    if (memchr(inside.ptr, 0, inside.len)) return true;
    for (size_t i = 0; has_escapes && i + 1 < inside.len; i++)
        if (inside.ptr[i] == '\\' && inside.ptr[++i] == '0') return true;
    return false;
}

/* `literal` with its quotes, which stand twice inside of it where they are meant. */
static void put_value(struct writer *w, struct bytes literal, bool has_escapes) {
    uint8_t quote = literal.ptr[0];
    struct bytes inside = bytes_of(literal.ptr + 1, literal.len - 2);
    if (!inside.len || has_nul(inside, has_escapes)) return;
    for (size_t i = 0; i < inside.len; i++) {
        uint8_t c = inside.ptr[i];
        if (c == '\\' && has_escapes && i + 1 < inside.len) {
            put_escaped(w, inside.ptr[++i]);
            continue;
        }
        if (c == quote) i++;
        writer_u8(w, c);
    }
    writer_u8(w, 0);
}

void infile_my_put_names(struct bytes text, const struct sql_options *options, struct writer *names) {
    bool has_escapes = !(options->modes & SQL_NO_BACKSLASH_ESCAPES);
    uint16_t before = TOKEN_END, last = TOKEN_END;
    struct lexer l;
    struct token t;
    lex_init(&l, text, options);
    for (lex_next(&l, &t); t.kind != TOKEN_END && t.kind != TOKEN_ERROR; lex_next(&l, &t)) {
        if (t.kind == TOKEN_STRING && last == KW_INFILE && before == KW_LOCAL)
            put_value(names, bytes_of(text.ptr + t.start, t.end - t.start), has_escapes);
        before = last;
        last = t.kind;
    }
}
