/*
 * literal_list.c - the plain forms of constants, told by their bytes:
 *      constant = [ "-" | "+" ] digits [ "." digits ] | "'" ... "'" | NULL | TRUE | FALSE | parameter
 * Each, and each row, must be followed by a comma or a closing bracket, with nothing but white space between: so nothing
 * that would change what they are (an exponent, a cast, another piece of the string, a comment) can hide behind them.
 */
#include "parser/literal_list.h"

#include "parser/byte_scan.h"

struct scan {
    const uint8_t *end;
    bool is_mysql;
    uint8_t escape;       /* what else is special inside a string: backslash, or the quote itself */
    uint8_t double_quote; /* the quote when it quotes a string, else the single one */
    bool has_strings;     /* '...' is read here at all */
};

static inline bool is_space(uint8_t c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline const uint8_t *skip_space(const struct scan *s, const uint8_t *p) {
    while (p < s->end && is_space(*p)) p++;
    return p;
}

static inline bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* The first byte that is neither a digit nor a point. */
static inline const uint8_t *skip_number(const struct scan *s, const uint8_t *p) {
#if defined(__SSE2__)
    for (; s->end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i points = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('.'));
        int others = ~_mm_movemask_epi8(_mm_or_si128(scan_range(bytes, '0', 10), points)) & 0xffff;
        if (others) return p + __builtin_ctz((unsigned)others);
    }
#endif
    while (p < s->end && (is_digit(*p) || *p == '.')) p++;
    return p;
}

/* Behind a number, NULL when it is none of the plain ones. At a digit. */
static inline const uint8_t *skip_plain_number(const struct scan *s, const uint8_t *p) {
    const uint8_t *end = skip_number(s, p);
    const uint8_t *point = end - p > 1 ? memchr(p, '.', (size_t)(end - p)) : NULL;
    if (!point || (end - point > 1 && !memchr(point + 1, '.', (size_t)(end - point - 1)))) return end;
    return NULL;
}

/* Behind a string, NULL when it has no end. `p` behind its opening quote. */
static inline const uint8_t *skip_string(const struct scan *s, const uint8_t *p, uint8_t quote, uint8_t escape) {
    for (;;) {
        p = scan_either(p, s->end, quote, escape);
        if (s->end - p < 2) return NULL;
        if (*p == quote && p[1] != quote) return p + 1;
        p += 2;
    }
}

/* Behind NULL, TRUE or FALSE, in any case; NULL when it is another word. */
static const uint8_t *skip_word(const struct scan *s, const uint8_t *p) {
    if (s->end - p < 6) return NULL;
    uint32_t word, fold = 0x20202020;
    memcpy(&word, p, 4);
    word |= fold;
    if (memcmp(&word, "null", 4) == 0 || memcmp(&word, "true", 4) == 0) return p + 4;
    return memcmp(&word, "fals", 4) == 0 && (p[4] | 0x20) == 'e' ? p + 5 : NULL;
}

/* Behind $1, whose number no lexer refuses. */
static const uint8_t *skip_parameter(const struct scan *s, const uint8_t *p) {
    const uint8_t *start = ++p;
    while (p < s->end && is_digit(*p)) p++;
    return p - start <= 9 ? p : NULL;
}

/* Behind a constant and the white space behind it; NULL when there is none, or no comma or closing bracket follows. */
static inline const uint8_t *skip_constant(const struct scan *s, const uint8_t *p) {
    if (s->end - p < 2) return NULL;
    uint8_t c = *p;
    if (c == '\'') p = s->has_strings ? skip_string(s, p + 1, c, s->escape) : NULL;
    else if (is_digit(c)) p = skip_plain_number(s, p);
    else if ((c == '-' || c == '+') && is_digit(p[1])) p = skip_plain_number(s, p + 1);
    else if (c == '"' && s->double_quote == '"') p = skip_string(s, p + 1, c, s->escape == '\\' ? '\\' : c);
    else if (c == '?' && s->is_mysql) p++;
    else if (c == '$' && !s->is_mysql && is_digit(p[1])) p = skip_parameter(s, p);
    else p = skip_word(s, p);
    if (!p || p >= s->end) return NULL;
    if (*p != ',' && *p != ')') {
        if (!is_space(*p)) return NULL;
        p = skip_space(s, p);
        if (p >= s->end) return NULL;
    }
    return *p == ',' || *p == ')' || *p == ']' ? p : NULL;
}

/* "(" constant { "," constant } ")" of so many, and the white space behind it, where the list goes on or is closed. */
static inline const uint8_t *skip_row(const struct scan *s, const uint8_t *p, uint32_t columns) {
    if (p >= s->end || *p != '(') return NULL;
    for (uint32_t i = 0; i < columns; i++) {
        p = skip_space(s, p + 1);
        p = skip_constant(s, p);
        if (!p || *p != (i + 1 < columns ? ',' : ')')) return NULL;
    }
    p = skip_space(s, p + 1);
    return p < s->end && (*p == ',' || *p == ')') ? p : NULL;
}

uint32_t literal_list_skip(const struct lexer *l, uint32_t columns) {
    uint32_t modes = l->options->modes;
    struct scan s = {.end = l->text + l->len, .is_mysql = l->options->dialect == SQL_MYSQL, .double_quote = '\'', .escape = '\''};
    s.has_strings = s.is_mysql || (modes & SQL_STANDARD_STRINGS);
    if (s.is_mysql && !(modes & SQL_NO_BACKSLASH_ESCAPES)) s.escape = '\\';
    if (s.is_mysql && !(modes & SQL_ANSI_QUOTES)) s.double_quote = '"';
    const uint8_t *p = l->text + l->pos;
    for (;;) {
        const uint8_t *next = skip_space(&s, p);
        if (next >= s.end || *next != ',') break;
        next = skip_space(&s, next + 1);
        next = columns ? skip_row(&s, next, columns) : skip_constant(&s, next);
        if (!next) break;
        p = next;
    }
    return (uint32_t)(p - l->text);
}
