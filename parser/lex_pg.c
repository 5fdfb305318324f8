/*
 * lex_pg.c - PostgreSQL's tokens.
 *
 * One table sorts bytes into classes, one switch goes by the class of the token's first byte; each lexeme that takes
 * more than a line has a function. The functions read from l->pos (the token's first byte, or behind its prefix),
 * leave l->pos behind the token and return its kind; problems are noted by trouble().
 *
 * Agrees with: PostgreSQL's documentation 4.1 "Lexical Structure", and where that is silent with the server's behaviour
 * (checked against version 15 by tests/parser/oracle_pg, rule by rule in tests/unit/test_lex_pg.c).
 */
#include "parser/lex.h"

enum { NAME_MAX = 63 }; /* bytes of an identifier that count; NAMEDATALEN - 1 */

enum byte_class {
    BAD, /* control characters, backslash, braces: no token begins with them */
    SPACE,
    LETTER,
    PREFIX, /* letters that may begin a string: b e n u x */
    DIGIT,
    QUOTE,
    DOUBLE_QUOTE,
    DOLLAR,
    DOT,
    COLON,
    SELF, /* ( ) [ ] , ; */
    OPERATOR,
    MINUS, /* operator, or the start of a comment */
    SLASH,
};

static const uint8_t classes[256] = {
    ['\t'] = SPACE, ['\n'] = SPACE, ['\f'] = SPACE, ['\r'] = SPACE, [' '] = SPACE,
    ['a'] = LETTER, ['b'] = PREFIX, ['c' ... 'd'] = LETTER, ['e'] = PREFIX, ['f' ... 'm'] = LETTER, ['n'] = PREFIX,
    ['o' ... 't'] = LETTER, ['u'] = PREFIX, ['v' ... 'w'] = LETTER, ['x'] = PREFIX, ['y' ... 'z'] = LETTER,
    ['A'] = LETTER, ['B'] = PREFIX, ['C' ... 'D'] = LETTER, ['E'] = PREFIX, ['F' ... 'M'] = LETTER, ['N'] = PREFIX,
    ['O' ... 'T'] = LETTER, ['U'] = PREFIX, ['V' ... 'W'] = LETTER, ['X'] = PREFIX, ['Y' ... 'Z'] = LETTER,
    ['_'] = LETTER, [0x80 ... 0xff] = LETTER, ['0' ... '9'] = DIGIT,
    ['\''] = QUOTE, ['"'] = DOUBLE_QUOTE, ['$'] = DOLLAR, ['.'] = DOT, [':'] = COLON,
    ['('] = SELF, [')'] = SELF, ['['] = SELF, [']'] = SELF, [','] = SELF, [';'] = SELF,
    ['~'] = OPERATOR, ['!'] = OPERATOR, ['@'] = OPERATOR, ['#'] = OPERATOR, ['^'] = OPERATOR, ['&'] = OPERATOR,
    ['|'] = OPERATOR, ['`'] = OPERATOR, ['?'] = OPERATOR, ['+'] = OPERATOR, ['*'] = OPERATOR, ['%'] = OPERATOR,
    ['<'] = OPERATOR, ['>'] = OPERATOR, ['='] = OPERATOR, ['-'] = MINUS, ['/'] = SLASH,
};

/* What a byte may be inside a token. */
enum {
    IN_NAME = 1,
    IN_UPPER = 2,    /* a capital */
    IN_OPERATOR = 4,
    IN_SPECIAL = 8,  /* an operator with one of these may end with + or - */
    IN_HEX = 16,
    IN_SELF = 32,    /* an operator character that alone has a kind of its own */
    IN_TAG = 64,     /* part of a dollar quote's tag: a name without $ */
};

static const uint8_t inner[256] = {
    ['0' ... '9'] = IN_NAME | IN_HEX | IN_TAG, ['a' ... 'f'] = IN_NAME | IN_HEX | IN_TAG, ['g' ... 'z'] = IN_NAME | IN_TAG,
    ['A' ... 'F'] = IN_NAME | IN_UPPER | IN_HEX | IN_TAG, ['G' ... 'Z'] = IN_NAME | IN_UPPER | IN_TAG,
    ['_'] = IN_NAME | IN_TAG, ['$'] = IN_NAME, [0x80 ... 0xff] = IN_NAME | IN_TAG,
    ['~'] = IN_OPERATOR | IN_SPECIAL, ['!'] = IN_OPERATOR | IN_SPECIAL, ['@'] = IN_OPERATOR | IN_SPECIAL,
    ['#'] = IN_OPERATOR | IN_SPECIAL, ['&'] = IN_OPERATOR | IN_SPECIAL, ['|'] = IN_OPERATOR | IN_SPECIAL,
    ['`'] = IN_OPERATOR | IN_SPECIAL, ['?'] = IN_OPERATOR | IN_SPECIAL, ['^'] = IN_OPERATOR | IN_SPECIAL | IN_SELF,
    ['%'] = IN_OPERATOR | IN_SPECIAL | IN_SELF, ['+'] = IN_OPERATOR | IN_SELF, ['-'] = IN_OPERATOR | IN_SELF,
    ['*'] = IN_OPERATOR | IN_SELF, ['/'] = IN_OPERATOR | IN_SELF, ['<'] = IN_OPERATOR | IN_SELF,
    ['>'] = IN_OPERATOR | IN_SELF, ['='] = IN_OPERATOR | IN_SELF,
};

static uint16_t trouble(struct lexer *l, uint32_t at, const char *problem) {
    l->problem = problem;
    l->problem_at = at;
    return TOKEN_ERROR;
}

static inline uint8_t byte_at(const struct lexer *l, uint32_t pos) {
    return pos < l->len ? l->text[pos] : 0;
}

static bool is_space(const struct lexer *l, uint8_t c) {
    return classes[c] == SPACE || (c == '\v' && l->options->version >= 160000);
}

/* ---- white space and comments ---------------------------------------------------------------------------------------- */

/* Behind `--`: up to the end of the line. */
static void skip_line_comment(struct lexer *l) {
    while (l->pos < l->len && l->text[l->pos] != '\n' && l->text[l->pos] != '\r') l->pos++;
}

/* At the start of a block comment: behind its end. They nest. False when it has none. */
static bool skip_block_comment(struct lexer *l) {
    uint32_t start = l->pos, depth = 1;
    l->pos += 2;
    while (l->pos + 1 < l->len) {
        uint8_t c = l->text[l->pos], next = l->text[l->pos + 1];
        if (c == '/' && next == '*') {
            depth++;
            l->pos += 2;
        } else if (c == '*' && next == '/') {
            l->pos += 2;
            if (--depth == 0) return true;
        } else {
            l->pos++;
        }
    }
    trouble(l, start, "unterminated /* comment");
    return false;
}

/* ---- strings --------------------------------------------------------------------------------------------------------- */

/*
 * Behind a string's closing quote: when white space with a line's end in it and another quote follow, moves behind that
 * quote, and the string goes on. Line comments count as white space here, block comments do not.
 */
static bool string_continues(struct lexer *l) {
    uint32_t pos = l->pos;
    bool has_newline = false;
    for (;;) {
        uint8_t c = byte_at(l, pos);
        if (pos >= l->len) return false;
        if (c == '\n' || c == '\r') has_newline = true;
        else if (c == '-' && byte_at(l, pos + 1) == '-') {
            while (pos < l->len && l->text[pos] != '\n' && l->text[pos] != '\r') pos++;
            continue;
        } else if (c == '\'' && has_newline) {
            l->pos = pos + 1;
            return true;
        } else if (!is_space(l, c)) return false;
        pos++;
    }
}

/* Behind the opening quote of a string in which only a quote is special: behind its end. */
static uint16_t lex_string(struct lexer *l, struct token *t, uint16_t kind) {
    uint16_t plain = TOKEN_IS_PLAIN;
    for (;;) {
        const uint8_t *quote = memchr(l->text + l->pos, '\'', l->len - l->pos);
        if (!quote) return trouble(l, t->start, "unterminated quoted string");
        l->pos = (uint32_t)(quote - l->text) + 1;
        uint8_t next = byte_at(l, l->pos);
        if (next == '\'') {
            l->pos++;
            plain = 0;
        } else {
            /* Most strings are followed by a comma or a parenthesis: nothing to look for there. */
            if ((classes[next] != SPACE && next != '-' && next != '\v') || !string_continues(l)) break;
            plain = 0;
            t->flags |= TOKEN_IS_JOINED;
        }
    }
    if (l->text[t->start] == '\'') t->flags |= plain;
    return kind;
}

static int hex_value(uint8_t c) {
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* `count` hexadecimal digits at `pos` as a number, or -1. */
static int32_t hex_digits(const struct lexer *l, uint32_t pos, int count) {
    int32_t value = 0;
    for (int i = 0; i < count; i++) {
        uint8_t c = byte_at(l, pos + (uint32_t)i);
        if (!(inner[c] & IN_HEX) || value > 0x0fffffff) return -1;
        value = value * 16 + hex_value(c);
        if (value > 0x10ffff) return -1;
    }
    return value;
}

/*
 * A code point of a Unicode escape, where `*high` holds the first half of a surrogate pair or 0: the second half must
 * follow the first at once, and nothing else may.
 */
static bool accept_code_point(int32_t code, int32_t *high) {
    if (code <= 0) return false;
    bool is_high = code >= 0xd800 && code <= 0xdbff, is_low = code >= 0xdc00 && code <= 0xdfff;
    if (is_low != (*high != 0)) return false;
    *high = is_high ? code : 0;
    return true;
}

/*
 * At a backslash in E'...': moves behind the escape. `*high` as above. False when the escape is wrong.
 * \uXXXX and \UXXXXXXXX must be code points; \o \oo \ooo and \xh \xhh are bytes, which may not be zero.
 */
static bool skip_escape(struct lexer *l, int32_t *high) {
    uint8_t c = byte_at(l, l->pos + 1);
    if (c == 'u' || c == 'U') {
        int count = c == 'u' ? 4 : 8;
        if (!accept_code_point(hex_digits(l, l->pos + 2, count), high)) return false;
        l->pos += 2 + (uint32_t)count;
        return true;
    }
    if (*high) return false;
    l->pos += 2;
    if (c >= '0' && c <= '7') {
        unsigned value = c - '0';
        for (int i = 0; i < 2 && byte_at(l, l->pos) >= '0' && byte_at(l, l->pos) <= '7'; i++) {
            value = value * 8 + (l->text[l->pos++] - '0');
        }
        return (value & 0xff) != 0;
    }
    if (c == 'x' && (inner[byte_at(l, l->pos)] & IN_HEX)) {
        int value = hex_value(l->text[l->pos++]);
        if (inner[byte_at(l, l->pos)] & IN_HEX) value = value * 16 + hex_value(l->text[l->pos++]);
        return value != 0;
    }
    return true;
}

/* Behind the opening quote of a string with backslash escapes: behind its end. */
static uint16_t lex_escape_string(struct lexer *l, struct token *t, uint16_t kind) {
    uint16_t plain = TOKEN_IS_PLAIN;
    int32_t high = 0;
    while (l->pos < l->len) {
        uint8_t c = l->text[l->pos];
        if (c == '\\') {
            uint32_t at = l->pos;
            plain = 0;
            if (at + 1 >= l->len) break;
            if (!skip_escape(l, &high)) return trouble(l, at, "invalid escape sequence");
            continue;
        }
        if (high) return trouble(l, l->pos, "invalid Unicode surrogate pair");
        l->pos++;
        if (c != '\'') continue;
        if (byte_at(l, l->pos) == '\'') {
            l->pos++;
            plain = 0;
        } else if (string_continues(l)) {
            plain = 0;
            t->flags |= TOKEN_IS_JOINED;
        } else {
            if (l->text[t->start] == '\'') t->flags |= plain;
            return kind;
        }
    }
    return trouble(l, t->start, "unterminated quoted string");
}

/* Are the Unicode escapes between `start` and `end` in order? `quote` stands doubled for itself. */
static bool check_unicode_escapes(struct lexer *l, uint32_t start, uint32_t end, uint8_t escape) {
    int32_t high = 0;
    for (uint32_t pos = start; pos < end;) {
        if (l->text[pos] != escape) {
            if (high) return false;
            pos++;
        } else if (byte_at(l, pos + 1) == escape) {
            if (high) return false;
            pos += 2;
        } else {
            bool is_long = byte_at(l, pos + 1) == '+';
            uint32_t digits = is_long ? 6 : 4, at = pos + 1 + is_long;
            if (at + digits > end || !accept_code_point(hex_digits(l, at, (int)digits), &high)) return false;
            pos = at + digits;
        }
    }
    return high == 0;
}

/* Behind U&'...' or U&"...": takes UESCAPE 'c' in, if it follows, and checks the escapes. */
static uint16_t lex_uescape(struct lexer *l, struct token *t, uint16_t kind) {
    uint32_t body = t->start + 3, body_end = l->pos - 1;
    uint8_t escape = '\\';
    struct lexer mark = *l;
    struct token word, quoted;
    lex_pg_next(l, &word);
    if (word.kind == KW_UESCAPE) {
        lex_pg_next(l, &quoted);
        if (quoted.kind == TOKEN_ERROR) return TOKEN_ERROR;
        if (quoted.kind != TOKEN_STRING) return trouble(l, quoted.start, "UESCAPE must be followed by a simple string literal");
        escape = byte_at(l, quoted.start + 1);
        if (quoted.end - quoted.start != 3 || (inner[escape] & IN_HEX) || escape == '+' || escape == '\'' || escape == '"' ||
            is_space(l, escape)) {
            return trouble(l, quoted.start, "invalid Unicode escape character");
        }
    } else {
        *l = mark;
    }
    if (!check_unicode_escapes(l, body, body_end, escape)) return trouble(l, t->start, "invalid Unicode escape");
    return kind;
}

/* Behind the opening quote of "...": behind its end. */
static uint16_t lex_quoted_ident(struct lexer *l, struct token *t, uint16_t kind) {
    uint32_t start = l->pos;
    uint16_t plain = TOKEN_IS_PLAIN;
    for (;;) {
        const uint8_t *quote = memchr(l->text + l->pos, '"', l->len - l->pos);
        if (!quote) return trouble(l, t->start, "unterminated quoted identifier");
        l->pos = (uint32_t)(quote - l->text) + 1;
        if (byte_at(l, l->pos) != '"') break;
        l->pos++;
        plain = 0;
    }
    if (l->pos - 1 == start) return trouble(l, t->start, "zero-length delimited identifier");
    if (l->pos - 1 - start <= NAME_MAX && kind == TOKEN_QUOTED_IDENT) t->flags |= plain;
    return kind;
}

/* At `$`: a parameter or a dollar-quoted string. */
static uint16_t lex_dollar(struct lexer *l, struct token *t) {
    uint32_t pos = t->start + 1;
    uint8_t c = byte_at(l, pos);
    if (classes[c] == DIGIT) {
        uint64_t value = 0;
        for (; classes[byte_at(l, pos)] == DIGIT; pos++) {
            value = value * 10 + (l->text[pos] - '0');
            if (value > INT32_MAX) {
                /* Before version 17 the number wraps: which parameter that is, nobody should rely on. */
                return trouble(l, t->start, "parameter number too large");
            }
        }
        l->pos = pos;
        t->value = (uint32_t)value;
        c = byte_at(l, pos);
        if (l->options->version >= 150000 && (classes[c] == LETTER || classes[c] == PREFIX)) {
            return trouble(l, t->start, "trailing junk after parameter");
        }
        return TOKEN_PARAM;
    }
    while (inner[byte_at(l, pos)] & IN_TAG) pos++;
    if (byte_at(l, pos) != '$') return trouble(l, t->start, "syntax error at $");
    uint32_t tag_len = pos + 1 - t->start; /* with both dollars */
    const uint8_t *tag = l->text + t->start;
    for (pos++;;) {
        const uint8_t *dollar = memchr(l->text + pos, '$', l->len - pos);
        if (!dollar || (uint32_t)(l->text + l->len - dollar) < tag_len) {
            return trouble(l, t->start, "unterminated dollar-quoted string");
        }
        pos = (uint32_t)(dollar - l->text);
        if (memcmp(dollar, tag, tag_len) == 0) break;
        pos++;
    }
    l->pos = pos + tag_len;
    return TOKEN_DOLLAR_STRING;
}

/* ---- names and numbers ----------------------------------------------------------------------------------------------- */

static inline uint16_t lex_name(struct lexer *l, struct token *t) {
    const uint8_t *p = l->text + t->start, *end = l->text + l->len;
    const uint8_t *start = p;
    uint8_t seen = 0;
    for (; p < end; p++) {
        uint8_t bits = inner[*p];
        if (!(bits & IN_NAME)) break;
        seen |= bits;
    }
    size_t len = (size_t)(p - start);
    l->pos = t->start + (uint32_t)len;
    uint16_t kind = keyword_find(&l->keywords, start, len, end);
    if (seen & IN_UPPER) t->flags |= TOKEN_HAS_UPPER;
    else if (len <= NAME_MAX) t->flags |= TOKEN_IS_PLAIN;
    return kind ? kind : TOKEN_IDENT;
}

/* A letter that may begin a string: B'', E'', N'', X'', U&'', U&"". */
static uint16_t lex_prefixed(struct lexer *l, struct token *t) {
    uint8_t next = byte_at(l, t->start + 1);
    uint8_t letter = l->text[t->start] | 0x20;
    if (letter == 'u' && next == '&') {
        uint8_t quote = byte_at(l, t->start + 2);
        if (quote != '\'' && quote != '"') return lex_name(l, t);
        if (quote == '\'' && !(l->options->modes & SQL_STANDARD_STRINGS)) {
            return trouble(l, t->start, "Unicode strings need standard_conforming_strings");
        }
        l->pos = t->start + 3;
        uint16_t kind = quote == '"' ? lex_quoted_ident(l, t, TOKEN_UNICODE_IDENT) : lex_string(l, t, TOKEN_UNICODE_STRING);
        return kind == TOKEN_ERROR ? kind : lex_uescape(l, t, kind);
    }
    if (next != '\'' || letter == 'u') return lex_name(l, t);
    l->pos = t->start + 2;
    switch (letter) {
    case 'b': return lex_string(l, t, TOKEN_BIT_STRING);
    case 'x': return lex_string(l, t, TOKEN_HEX_STRING);
    case 'e': return lex_escape_string(l, t, TOKEN_ESCAPE_STRING);
    default: /* N'...': the rest is an ordinary string */
        return l->options->modes & SQL_STANDARD_STRINGS ? lex_string(l, t, TOKEN_NATIONAL_STRING)
                                                        : lex_escape_string(l, t, TOKEN_NATIONAL_STRING);
    }
}

/* Digits from `pos` on; single underscores between them from version 16 on. Behind them. */
static uint32_t skip_digits(const struct lexer *l, uint32_t pos) {
    for (;;) {
        while (classes[byte_at(l, pos)] == DIGIT) pos++;
        if (l->options->version < 160000 || byte_at(l, pos) != '_' || classes[byte_at(l, pos + 1)] != DIGIT) return pos;
        pos++;
    }
}

/* 0x1F, 0o17, 0b101 from version 16 on; `pos` behind the prefix. `base` is 16, 8 or 2. */
static uint32_t skip_based_digits(const struct lexer *l, uint32_t pos, int base) {
    uint32_t start = pos;
    for (;;) {
        uint32_t at = pos + (byte_at(l, pos) == '_');
        uint8_t c = byte_at(l, at);
        if (!(inner[c] & IN_HEX) || hex_value(c) >= base) break;
        pos = at + 1;
    }
    return pos == start ? 0 : pos;
}

/* At a digit, or at a point with a digit behind it. */
static uint16_t lex_number(struct lexer *l, struct token *t) {
    uint32_t pos = t->start;
    uint16_t kind = TOKEN_INTEGER;
    uint8_t c = byte_at(l, pos + 1) | 0x20;
    if (l->text[pos] == '0' && l->options->version >= 160000 && (c == 'x' || c == 'o' || c == 'b')) {
        uint32_t end = skip_based_digits(l, pos + 2, c == 'x' ? 16 : c == 'o' ? 8 : 2);
        if (end == 0) return trouble(l, pos, "invalid integer");
        pos = end;
    } else {
        if (l->text[pos] != '.') pos = skip_digits(l, pos);
        if (byte_at(l, pos) == '.' && byte_at(l, pos + 1) != '.') {
            kind = TOKEN_NUMBER;
            pos++;
            if (classes[byte_at(l, pos)] == DIGIT) pos = skip_digits(l, pos);
        }
        if ((byte_at(l, pos) | 0x20) == 'e') {
            uint32_t at = pos + 1;
            if (byte_at(l, at) == '+' || byte_at(l, at) == '-') at++;
            if (classes[byte_at(l, at)] == DIGIT) {
                kind = TOKEN_NUMBER;
                pos = skip_digits(l, at);
            }
        }
    }
    l->pos = pos;
    c = byte_at(l, pos);
    if (l->options->version >= 150000 && pos < l->len && (classes[c] == LETTER || classes[c] == PREFIX)) {
        return trouble(l, t->start, "trailing junk after numeric literal");
    }
    return kind;
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

/*
 * Where the operator at `start` ends: the longest run of operator characters, up to a comment; a trailing + or - is left to
 * the next token unless the run holds a character that no SQL operator has. So a run may be many tokens: what was found
 * out about it is kept, or a text of nothing but +-+-+- would be read as often as it is long.
 */
static uint32_t operator_end(struct lexer *l, uint32_t start) {
    if (start < l->run_start || start >= l->run_end) {
        uint32_t pos = start;
        uint8_t seen = 0;
        while (pos < l->len && (inner[l->text[pos]] & IN_OPERATOR)) {
            uint8_t next = byte_at(l, pos + 1);
            if ((l->text[pos] == '-' && next == '-') || (l->text[pos] == '/' && next == '*')) break;
            seen |= inner[l->text[pos++]];
        }
        if (seen & IN_SPECIAL) return pos;
        l->run_start = start;
        l->run_end = pos;
        while (pos > start && (l->text[pos - 1] == '+' || l->text[pos - 1] == '-')) pos--;
        l->run_last = pos;
    }
    return l->run_last > start ? l->run_last : start + 1;
}

static uint16_t lex_operator(struct lexer *l, struct token *t) {
    uint32_t pos = operator_end(l, t->start);
    const uint8_t *s = l->text + t->start;
    uint32_t len = pos - t->start;
    l->pos = pos;
    if (len == 1 && (inner[s[0]] & IN_SELF)) return s[0];
    if (len == 2) {
        if (s[1] == '=') {
            if (s[0] == '<') return TOKEN_LESS_EQUAL;
            if (s[0] == '>') return TOKEN_GREATER_EQUAL;
            if (s[0] == '!') return TOKEN_NOT_EQUAL;
        } else if (s[1] == '>') {
            if (s[0] == '<') return TOKEN_NOT_EQUAL;
            if (s[0] == '=') return TOKEN_ARROW;
        }
    }
    return len > NAME_MAX ? trouble(l, t->start, "operator too long") : TOKEN_OPERATOR;
}

/* ---- the token ------------------------------------------------------------------------------------------------------- */

void lex_pg_next(struct lexer *l, struct token *t) {
    uint16_t kind;
    t->flags = 0;
    if (UNLIKELY(l->problem)) {
        *t = (struct token){.kind = TOKEN_ERROR, .start = l->problem_at, .end = l->problem_at};
        return;
    }
again:
    t->start = l->pos;
    if (UNLIKELY(l->pos >= l->len)) {
        t->kind = TOKEN_END;
        t->end = l->pos;
        return;
    }
    uint8_t c = l->text[l->pos];
    switch (classes[c]) {
    case SPACE:
        do l->pos++;
        while (l->pos < l->len && classes[l->text[l->pos]] == SPACE);
        t->flags = TOKEN_AFTER_SPACE;
        goto again;
    case LETTER: kind = lex_name(l, t); break;
    case PREFIX: kind = lex_prefixed(l, t); break;
    case DIGIT: kind = lex_number(l, t); break;
    case SELF:
        l->pos++;
        kind = c;
        break;
    case QUOTE:
        l->pos++;
        kind = l->options->modes & SQL_STANDARD_STRINGS ? lex_string(l, t, TOKEN_STRING)
                                                        : lex_escape_string(l, t, TOKEN_ESCAPE_STRING);
        break;
    case DOUBLE_QUOTE:
        l->pos++;
        kind = lex_quoted_ident(l, t, TOKEN_QUOTED_IDENT);
        break;
    case DOLLAR: kind = lex_dollar(l, t); break;
    case DOT:
        if (classes[byte_at(l, l->pos + 1)] == DIGIT) {
            kind = lex_number(l, t);
        } else {
            kind = byte_at(l, l->pos + 1) == '.' ? TOKEN_DOT_DOT : '.';
            l->pos += kind == '.' ? 1 : 2;
        }
        break;
    case COLON: {
        uint8_t next = byte_at(l, l->pos + 1);
        kind = next == ':' ? TOKEN_TYPECAST : next == '=' ? TOKEN_ASSIGN : ':';
        l->pos += kind == ':' ? 1 : 2;
        break;
    }
    case MINUS:
        if (byte_at(l, l->pos + 1) == '-') {
            skip_line_comment(l);
            t->flags = TOKEN_AFTER_SPACE;
            goto again;
        }
        kind = lex_operator(l, t);
        break;
    case SLASH:
        if (byte_at(l, l->pos + 1) == '*') {
            if (!skip_block_comment(l)) {
                kind = TOKEN_ERROR;
                break;
            }
            t->flags = TOKEN_AFTER_SPACE;
            goto again;
        }
        kind = lex_operator(l, t);
        break;
    case OPERATOR: kind = lex_operator(l, t); break;
    default:
        if (is_space(l, c)) {
            l->pos++;
            t->flags = TOKEN_AFTER_SPACE;
            goto again;
        }
        kind = trouble(l, l->pos, c == 0 ? "a NUL byte in the text" : "a character that begins no token");
        break;
    }
    t->kind = kind;
    t->end = l->pos;
}
