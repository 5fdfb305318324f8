/*
 * lex.c - what both lexers share: the start of a text, and the names of tokens.
 *
 * A text is looked at once as a whole before its first token: its length, and whether its bytes can be trusted to be
 * what they look like. PostgreSQL refuses text that is not valid in the client's encoding before it reads any SQL, so
 * invalid UTF-8 has no tokens there. MySQL reads such bytes one by one, and so do we: no quote hides among them.
 */
#include "parser/lex.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The offset of the first byte >= 0x80, or `len`. */
static size_t first_high(const uint8_t *s, size_t len) {
    size_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= len; i += 16) {
        int mask = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(s + i)));
        if (mask) return i + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    while (i < len && s[i] < 0x80) i++;
    return i;
}

static inline bool is_trail(uint8_t c) {
    return (c & 0xc0) == 0x80;
}

/*
 * The length of the valid UTF-8 character at `s`, or 0 (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF).
 *      C2..DF tt | E0 A0..BF tt | E1..EF tt tt (ED: 80..9F) | F0 90..BF tt tt | F1..F3 tt tt tt | F4 80..8F tt tt
 */
static size_t utf8_len(const uint8_t *s, size_t len) {
    uint8_t c = s[0];
    if (c < 0x80) return 1;
    if (c < 0xc2) return 0;
    if (c < 0xe0) return len >= 2 && is_trail(s[1]) ? 2 : 0;
    if (c < 0xf0) {
        if (len < 3 || !is_trail(s[1]) || !is_trail(s[2])) return 0;
        if (c == 0xe0 && s[1] < 0xa0) return 0;
        return c == 0xed && s[1] > 0x9f ? 0 : 3;
    }
    if (c > 0xf4 || len < 4 || !is_trail(s[1]) || !is_trail(s[2]) || !is_trail(s[3])) return 0;
    if (c == 0xf0 && s[1] < 0x90) return 0;
    return c == 0xf4 && s[1] > 0x8f ? 0 : 4;
}

static void refuse(struct lexer *l, size_t at, const char *problem) {
    l->problem = problem;
    l->problem_at = (uint32_t)at;
}

/* Notes what makes the whole text unreadable, if anything does. */
static void check_bytes(struct lexer *l, const struct sql_options *options) {
    size_t at = first_high(l->text, l->len);
    if (at == l->len) return;
    if (options->encoding == SQL_ENCODING_UNSAFE) {
        refuse(l, at, "the text is not plain ASCII, and in the client's encoding a character may hold bytes that look like quotes");
        return;
    }
    if (options->encoding != SQL_ENCODING_UTF8 || options->dialect == SQL_MYSQL) return;
    while (at < l->len) {
        size_t n = utf8_len(l->text + at, l->len - at);
        if (n == 0) {
            refuse(l, at, "invalid byte sequence for encoding UTF8");
            return;
        }
        at += n;
        if (n == 1) at += first_high(l->text + at, l->len - at);
    }
}

void lex_init(struct lexer *l, struct bytes text, const struct sql_options *options) {
    *l = (struct lexer){.text = text.ptr, .options = options, .keywords = keyword_set_of(options)};
    if (text.len > LEX_TEXT_MAX) {
        refuse(l, 0, "the text is too long to be read");
        return;
    }
    l->len = (uint32_t)text.len;
    check_bytes(l, options);
}

const char *token_kind_name(uint16_t kind) {
    static const char *const names[TOKEN_KIND_COUNT] = {
        [TOKEN_END] = "the end of the text",
        [TOKEN_ERROR] = "an unreadable part",
        [TOKEN_IDENT] = "a name",
        [TOKEN_QUOTED_IDENT] = "a quoted name",
        [TOKEN_UNICODE_IDENT] = "a quoted name",
        [TOKEN_INTEGER] = "an integer",
        [TOKEN_NUMBER] = "a number",
        [TOKEN_STRING] = "a string",
        [TOKEN_ESCAPE_STRING] = "a string",
        [TOKEN_UNICODE_STRING] = "a string",
        [TOKEN_DOLLAR_STRING] = "a string",
        [TOKEN_NATIONAL_STRING] = "a string",
        [TOKEN_BIT_STRING] = "a bit string",
        [TOKEN_HEX_STRING] = "a hexadecimal string",
        [TOKEN_HEX_NUMBER] = "a hexadecimal number",
        [TOKEN_BIT_NUMBER] = "a binary number",
        [TOKEN_INTRODUCER] = "a character set",
        [TOKEN_PARAM] = "a parameter",
        [TOKEN_USER_VARIABLE] = "a user variable",
        [TOKEN_SYSTEM_VARIABLE] = "a system variable",
        [TOKEN_NULL_ESCAPE] = "\\N",
        [TOKEN_HINT] = "an optimizer hint",
        [TOKEN_OPERATOR] = "an operator",
        [TOKEN_TYPECAST] = "::",
        [TOKEN_ASSIGN] = ":=",
        [TOKEN_DOT_DOT] = "..",
        [TOKEN_ARROW] = "=>",
        [TOKEN_LESS_EQUAL] = "<=",
        [TOKEN_GREATER_EQUAL] = ">=",
        [TOKEN_NOT_EQUAL] = "<>",
        [TOKEN_NULL_SAFE_EQUAL] = "<=>",
        [TOKEN_SHIFT_LEFT] = "<<",
        [TOKEN_SHIFT_RIGHT] = ">>",
        [TOKEN_AND_AND] = "&&",
        [TOKEN_OR_OR] = "||",
        [TOKEN_JSON_EXTRACT] = "->",
        [TOKEN_JSON_UNQUOTE] = "->>",
        [TOKEN_RIGHT_ARROW] = "->",
        ['('] = "(", [')'] = ")", ['['] = "[", [']'] = "]", ['{'] = "{", ['}'] = "}", [','] = ",", [';'] = ";", [':'] = ":",
        ['.'] = ".", ['+'] = "+", ['-'] = "-", ['*'] = "*", ['/'] = "/", ['%'] = "%", ['^'] = "^", ['<'] = "<", ['>'] = ">",
        ['='] = "=", ['&'] = "&", ['|'] = "|", ['~'] = "~", ['!'] = "!", ['@'] = "@",
    };
    if (kind >= KEYWORD_FIRST && kind < KEYWORD_END) return keyword_name(kind);
    return kind < TOKEN_KIND_COUNT && names[kind] ? names[kind] : "a character";
}
