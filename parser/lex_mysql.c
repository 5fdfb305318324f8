/*
 * lex_mysql.c - the tokens of MySQL and MariaDB.
 *
 * One table sorts bytes into classes, one switch goes by the class of the token's first byte; each lexeme that takes
 * more than a line has a function. These leave l->pos behind the token and return its kind; problems are noted by
 * trouble(). A byte >= 0x80 is part of a name, so invalid UTF-8 is read bytewise, and no quote is part of a character.
 *
 * What surprises here is what the servers do: a word is no keyword when a dot and a name follow it at once (`a.b`, and
 * so is `select.b`), nor directly behind such a dot; `.5` behind a word is a name; `1e5x` is a number and a name, but `1ex` a name;
 * MySQL reads <, >, = and ! in runs of two or three, and drops what follows a `!` when the run is no operator.
 *
 * Agrees with: MySQL Reference Manual and MariaDB Knowledge Base, "Language Structure", and where these are silent with
 * MariaDB 10.11 and MySQL 9.7 as asked (every rule is in tests/unit/test_lex_mysql.c).
 */
#include "parser/byte_scan.h"
#include "parser/lex.h"

enum byte_class {
    /* These may begin something that is no token. */
    SPACE,
    HASH,
    MINUS,
    SLASH,
    STAR,
    BLANK_LAST = STAR,
    BAD, /* control characters */
    LETTER,
    PREFIX, /* letters that may begin a literal: n x b */
    UNDERSCORE, /* may begin a character set introducer */
    DOLLAR,
    DIGIT,
    QUOTE,
    DOUBLE_QUOTE,
    BACKTICK,
    AT,
    DOT,
    SELF, /* ( ) [ ] { } , ; + % ^ ~ */
    LESS,
    COMPARE, /* > = ! */
    DOUBLED, /* & | may come in pairs */
    COLON,
    QUESTION,
    BACKSLASH,
};

static const uint8_t classes[256] = {
    ['\0' ... 8] = BAD, [14 ... 31] = BAD, [127] = BAD, ['\t' ... '\r'] = SPACE, [' '] = SPACE,
    ['#'] = HASH, ['-'] = MINUS, ['/'] = SLASH, ['*'] = STAR,
    ['a'] = LETTER, ['b'] = PREFIX, ['c' ... 'm'] = LETTER, ['n'] = PREFIX, ['o' ... 'w'] = LETTER, ['x'] = PREFIX,
    ['y' ... 'z'] = LETTER,
    ['A'] = LETTER, ['B'] = PREFIX, ['C' ... 'M'] = LETTER, ['N'] = PREFIX, ['O' ... 'W'] = LETTER, ['X'] = PREFIX,
    ['Y' ... 'Z'] = LETTER,
    [0x80 ... 0xff] = LETTER, ['_'] = UNDERSCORE, ['$'] = DOLLAR, ['0' ... '9'] = DIGIT,
    ['\''] = QUOTE, ['"'] = DOUBLE_QUOTE, ['`'] = BACKTICK, ['@'] = AT, ['.'] = DOT,
    ['('] = SELF, [')'] = SELF, ['['] = SELF, [']'] = SELF, ['{'] = SELF, ['}'] = SELF, [','] = SELF, [';'] = SELF,
    ['+'] = SELF, ['%'] = SELF, ['^'] = SELF, ['~'] = SELF,
    ['<'] = LESS, ['>'] = COMPARE, ['='] = COMPARE, ['!'] = COMPARE, ['&'] = DOUBLED, ['|'] = DOUBLED,
    [':'] = COLON, ['?'] = QUESTION, ['\\'] = BACKSLASH,
};

/* What a byte may be inside a token. */
enum {
    IN_NAME = 1,
    IN_UPPER = 2, /* a capital */
    IN_HIGH = 4,
    IN_DIGIT = 8,
    IN_HEX = 16,
    IN_BIT = 32,
    IN_VARIABLE = 64, /* part of a user variable's name without quotes, or of a host's */
};

static const uint8_t inner[256] = {
    ['0' ... '1'] = IN_NAME | IN_VARIABLE | IN_DIGIT | IN_HEX | IN_BIT, ['2' ... '9'] = IN_NAME | IN_VARIABLE | IN_DIGIT | IN_HEX,
    ['a' ... 'f'] = IN_NAME | IN_VARIABLE | IN_HEX, ['g' ... 'z'] = IN_NAME | IN_VARIABLE,
    ['A' ... 'F'] = IN_NAME | IN_VARIABLE | IN_HEX | IN_UPPER, ['G' ... 'Z'] = IN_NAME | IN_VARIABLE | IN_UPPER,
    ['_'] = IN_NAME | IN_VARIABLE, ['$'] = IN_NAME | IN_VARIABLE, ['.'] = IN_VARIABLE,
    [0x80 ... 0xff] = IN_NAME | IN_VARIABLE | IN_HIGH,
};

static uint16_t trouble(struct lexer *l, uint32_t at, const char *problem) {
    l->problem = problem;
    l->problem_at = at;
    return TOKEN_ERROR;
}

/* The byte at `pos`, or 0 behind the text. */
static inline uint8_t byte_at(const struct lexer *l, uint32_t pos) {
    return pos < l->len ? l->text[pos] : 0;
}

/* The first offset from `pos` on whose byte is not of these. */
static inline uint32_t skip_bytes(const struct lexer *l, uint32_t pos, uint8_t bits) {
    while (pos < l->len && (inner[l->text[pos]] & bits)) pos++;
    return pos;
}

static inline bool is_mariadb(const struct lexer *l) {
    return l->options->flavour == SQL_FLAVOUR_MARIADB;
}

/* ---- white space and comments ---------------------------------------------------------------------------------------- */

/*
 * At "--": a comment when white space, a control character or the text's end follows. What is white space among the
 * bytes >= 0x80 depends on the character set; '-' '-' is what UTF-8 makes of them.
 */
static bool at_dash_comment(const struct lexer *l) {
    if (byte_at(l, l->pos + 1) != '-') return false;
    uint8_t c = byte_at(l, l->pos + 2);
    return c <= ' ' || c == 127;
}

/* Up to the line's end: only '\n' is one. A NUL is read by nobody, and stays for the next token to stumble over. */
static void skip_line(struct lexer *l) {
    const uint8_t *from = l->text + l->pos;
    const uint8_t *end = memchr(from, '\n', l->len - l->pos);
    size_t len = end ? (size_t)(end - from) : l->len - l->pos;
    const uint8_t *nul = memchr(from, 0, len);
    l->pos += (uint32_t)(nul ? (size_t)(nul - from) : len);
}

/* A comment that began at `start` and goes on at `pos`; one level of others may stand inside if `nests`. */
static bool skip_comment(struct lexer *l, uint32_t start, uint32_t pos, bool nests) {
    bool is_nested = false;
    for (; pos + 1 < l->len; pos++) {
        uint8_t c = l->text[pos], next = l->text[pos + 1];
        if (c == '*' && next == '/') {
            pos++;
            if (!is_nested) {
                l->pos = pos + 1;
                return true;
            }
            is_nested = false;
        } else if (nests && !is_nested && c == '/' && next == '*') {
            is_nested = true;
            pos++;
        }
    }
    trouble(l, start, "unterminated comment");
    return false;
}

/*
 * The version number at `pos` of an executable comment and the count of its digits, 0 without one. Five digits, or
 * six: in MariaDB always when there are, in MySQL when white space follows. That rule came with MySQL 8.1 or shortly
 * before, so that for some versions nobody knows how the comment is read: -1.
 */
static int version_digits(const struct lexer *l, uint32_t pos, uint32_t *version) {
    uint32_t count = skip_bytes(l, pos, IN_DIGIT) - pos;
    if (count < 5) return 0;
    *version = 0;
    for (uint32_t i = 0; i < 5; i++) *version = *version * 10 + (l->text[pos + i] - '0');
    if (count == 5) return 5;
    if (!is_mariadb(l)) {
        if (l->options->version < 80000 || pos + 6 >= l->len || classes[l->text[pos + 6]] != SPACE) return 5;
        if (l->options->version < 80100) return -1;
    }
    *version = *version * 10 + (l->text[pos + 5] - '0');
    return 6;
}

/*
 * At a comment's start. Behind the comment, or inside one that the server executes:
 *      "/" "*!" [ version ] | "/" "*M!" [ version ]      the second in MariaDB only
 * MariaDB leaves out what is meant for MySQL 5.7 and above.
 */
static bool enter_comment(struct lexer *l) {
    uint32_t start = l->pos, pos = start + 2, version = 0;
    bool is_for_mariadb = is_mariadb(l) && byte_at(l, pos) == 'M' && byte_at(l, pos + 1) == '!';
    if (!is_for_mariadb && byte_at(l, pos) != '!') return skip_comment(l, start, pos, false);
    pos += is_for_mariadb ? 2 : 1;
    int digits = version_digits(l, pos, &version);
    if (digits < 0) {
        trouble(l, start, "the comment's version is read differently by servers of this version");
        return false;
    }
    bool is_for_mysql = is_mariadb(l) && !is_for_mariadb && version >= 50700 && version <= 99999;
    if (digits > 0 && (version > l->options->version || is_for_mysql)) return skip_comment(l, start, pos, true);
    l->pos = pos + (uint32_t)digits;
    l->is_in_executable = true;
    l->comment_start = start;
    return true;
}

/* At a comment: is it a hint? These came with MySQL 5.7.7 and with MariaDB 12.0. */
static bool at_hint(const struct lexer *l) {
    return l->may_hint && byte_at(l, l->pos + 2) == '+' && l->options->version >= (is_mariadb(l) ? 120000 : 50707);
}

/* Moves over white space, comments, and the marks around executable ones. False when one has no end. */
static bool skip_blank(struct lexer *l) {
    for (; l->pos < l->len; l->may_hint = false) {
        while (l->pos < l->len && classes[l->text[l->pos]] == SPACE) l->pos++;
        uint8_t c = byte_at(l, l->pos), next = byte_at(l, l->pos + 1);
        if (c == '#' || (c == '-' && at_dash_comment(l))) {
            skip_line(l);
        } else if (c == '*' && next == '/' && l->is_in_executable) {
            l->pos += 2;
            l->is_in_executable = false;
        } else if (c != '/' || next != '*' || at_hint(l)) {
            return true;
        } else if (!enter_comment(l)) {
            return false;
        }
    }
    return true;
}

/* At the start of a hint, which ends at the first end of a comment, be it in quotes or not. */
static uint16_t lex_hint(struct lexer *l, struct token *t) {
    return skip_comment(l, t->start, t->start + 3, false) ? TOKEN_HINT : TOKEN_ERROR;
}

/* ---- strings --------------------------------------------------------------------------------------------------------- */

/* Behind an opening quote: behind the closing one. `escape` is the backslash, or the quote where that is a plain byte. */
static uint16_t lex_quoted(struct lexer *l, struct token *t, uint16_t kind, uint8_t quote, uint8_t escape) {
    const uint8_t *p = l->text + l->pos, *end = l->text + l->len;
    uint16_t plain = TOKEN_IS_PLAIN;
    for (;;) {
        p = scan_either(p, end, quote, escape);
        if (end - p < 2) break;
        if (*p == quote && p[1] != quote) {
            l->pos = (uint32_t)(p + 1 - l->text);
            t->flags |= plain;
            return kind;
        }
        plain = 0;
        p += 2;
    }
    if (p == end || *p != quote) return trouble(l, t->start, "unterminated quoted string or name");
    l->pos = l->len;
    t->flags |= plain;
    return kind;
}

static inline uint16_t lex_string(struct lexer *l, struct token *t, uint16_t kind, uint8_t quote) {
    return lex_quoted(l, t, kind, quote, l->options->modes & SQL_NO_BACKSLASH_ESCAPES ? quote : '\\');
}

/* x'1F' or b'01', at the letter. Digits come in pairs in the former. */
static uint16_t lex_digit_string(struct lexer *l, struct token *t, uint16_t kind, uint8_t bits) {
    uint32_t start = t->start + 2, end = skip_bytes(l, start, bits);
    if (byte_at(l, end) != '\'') return trouble(l, t->start, "a wrong digit, or no end of the literal");
    if (kind == TOKEN_HEX_STRING && (end - start) % 2 != 0) return trouble(l, t->start, "an odd number of hexadecimal digits");
    l->pos = end + 1;
    return kind;
}

/* $tag$...$tag$ of MySQL 8.4 and later, at the first dollar. 0 when it is a name instead. */
static uint16_t lex_dollar_string(struct lexer *l, struct token *t) {
    uint32_t tag_end = t->start + 1;
    while (tag_end < l->len && (inner[l->text[tag_end]] & IN_NAME) && l->text[tag_end] != '$') tag_end++;
    if (byte_at(l, tag_end) != '$') return 0;
    const uint8_t *tag = l->text + t->start, *end = l->text + l->len, *p = l->text + tag_end + 1;
    size_t len = tag_end + 1 - t->start;
    for (;; p++) {
        p = memchr(p, '$', (size_t)(end - p));
        if (!p || (size_t)(end - p) < len) return trouble(l, t->start, "unterminated dollar-quoted string");
        if (memcmp(p, tag, len) == 0) break;
    }
    l->pos = (uint32_t)(p - l->text) + (uint32_t)len;
    return TOKEN_DOLLAR_STRING;
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

/*
 * In some character sets of one byte a character 0xA0 or 0xFF is white space, in others it is a letter: such a name
 * cannot be read without knowing which.
 */
static const char doubtful_byte[] = "a name holds a byte that is white space in some character sets";

static bool has_doubtful_byte(const struct lexer *l, uint32_t start) {
    if (l->options->encoding != SQL_ENCODING_SINGLE_BYTE) return false;
    return scan_either(l->text + start, l->text + l->pos, 0xa0, 0xff) != l->text + l->pos;
}

/* A word at the token's start, whatever class its first byte is of. Its end, and whether a dot and a name follow it. */
static inline uint16_t lex_name(struct lexer *l, struct token *t) {
    const uint8_t *p = l->text + t->start, *end = l->text + l->len;
    struct name_scan s;
    bool has_upper = false, has_high = false;
    do {
        s = scan_name(p, end);
        has_upper |= scan_has(&s, s.upper);
        has_high |= scan_has(&s, s.high);
        p += s.len;
    } while (UNLIKELY(s.len == SCAN_BYTES));
    l->pos = (uint32_t)(p - l->text);
    t->flags |= TOKEN_IS_PLAIN;
    if (has_upper) t->flags |= TOKEN_HAS_UPPER;
    if (UNLIKELY(has_high) && has_doubtful_byte(l, t->start)) return trouble(l, t->start, doubtful_byte);
    l->is_after_dot = end - p >= 2 && *p == '.' && (inner[p[1]] & IN_NAME);
    return TOKEN_IDENT;
}

/* Behind these a hint may stand. */
static const bool hint_words[KEYWORD_END] = {
    [KW_SELECT] = true, [KW_INSERT] = true, [KW_REPLACE] = true, [KW_UPDATE] = true, [KW_DELETE] = true,
};

static inline uint16_t lex_word(struct lexer *l, struct token *t) {
    uint16_t kind = lex_name(l, t);
    if (kind == TOKEN_ERROR || l->is_after_dot) return kind;
    uint16_t keyword = keyword_find(&l->keywords, l->text + t->start, l->pos - t->start, l->text + l->len);
    if (!keyword) return TOKEN_IDENT;
    l->may_hint = hint_words[keyword];
    return keyword;
}

/* Behind "@@": a scope is a keyword, everything else a name, and something must be there. */
static uint16_t lex_system_variable_name(struct lexer *l, struct token *t) {
    uint8_t c = byte_at(l, t->start);
    l->is_after_at = false;
    if (c == '`') {
        l->pos++;
        return lex_quoted(l, t, TOKEN_QUOTED_IDENT, '`', '`');
    }
    if (!(inner[c] & IN_NAME)) return trouble(l, t->start, "a system variable without a name");
    uint16_t kind = lex_name(l, t);
    if (kind == TOKEN_ERROR) return kind;
    uint16_t keyword = keyword_find(&l->keywords, l->text + t->start, l->pos - t->start, l->text + l->len);
    switch (keyword) {
    case KW_GLOBAL:
    case KW_SESSION:
    case KW_LOCAL:
    case KW_PERSIST:
    case KW_PERSIST_ONLY: return keyword;
    default: return kind;
    }
}

/* @name, @'name', @"name", @`name`; the name of a host behind a user's looks the same. */
static uint16_t lex_at(struct lexer *l, struct token *t) {
    uint8_t next = byte_at(l, t->start + 1);
    l->pos = t->start + 2;
    switch (next) {
    case '@': l->is_after_at = true; return TOKEN_SYSTEM_VARIABLE;
    case '`': return lex_quoted(l, t, TOKEN_USER_VARIABLE, next, next);
    case '"':
        if (l->options->modes & SQL_ANSI_QUOTES) return lex_quoted(l, t, TOKEN_USER_VARIABLE, next, next);
        return lex_string(l, t, TOKEN_USER_VARIABLE, next);
    case '\'': return lex_string(l, t, TOKEN_USER_VARIABLE, next);
    default: break;
    }
    l->pos = skip_bytes(l, t->start + 1, IN_VARIABLE);
    if (l->pos == t->start + 1) return '@';
    if (has_doubtful_byte(l, t->start)) return trouble(l, t->start, doubtful_byte);
    t->flags |= TOKEN_IS_PLAIN;
    return TOKEN_USER_VARIABLE;
}

/* A letter that may begin a literal: b'', n'', x''. Only the single quote will do. */
static uint16_t lex_prefixed(struct lexer *l, struct token *t) {
    if (byte_at(l, t->start + 1) != '\'') return lex_word(l, t);
    switch (l->text[t->start] | 0x20) {
    case 'b': return lex_digit_string(l, t, TOKEN_BIT_STRING, IN_BIT);
    case 'x': return lex_digit_string(l, t, TOKEN_HEX_STRING, IN_HEX);
    default: l->pos = t->start + 2; return lex_string(l, t, TOKEN_NATIONAL_STRING, '\'');
    }
}

/* ---- numbers --------------------------------------------------------------------------------------------------------- */

/* 0x1F, 0b01 when nothing that could be part of a name follows; otherwise 0. The second letter must be small. */
static uint16_t lex_prefixed_number(struct lexer *l, struct token *t) {
    bool is_hex = byte_at(l, t->start + 1) == 'x';
    uint32_t end = skip_bytes(l, t->start + 2, is_hex ? IN_HEX : IN_BIT);
    if (end == t->start + 2 || (inner[byte_at(l, end)] & IN_NAME)) return 0;
    l->pos = end;
    return is_hex ? TOKEN_HEX_NUMBER : TOKEN_BIT_NUMBER;
}

/* Behind the digits of an exponent whose letter is at `pos`, or 0 when it has none. */
static uint32_t skip_exponent(const struct lexer *l, uint32_t pos) {
    uint8_t sign = byte_at(l, pos + 1);
    uint32_t start = pos + 1 + (sign == '+' || sign == '-');
    uint32_t end = skip_bytes(l, start, IN_DIGIT);
    return end > start ? end : 0;
}

/* At the point of a number: fraction and exponent. MySQL loses characters behind an exponent without digits. */
static uint16_t lex_fraction(struct lexer *l, struct token *t, uint32_t point) {
    uint32_t end = skip_bytes(l, point + 1, IN_DIGIT);
    if ((byte_at(l, end) | 0x20) == 'e') {
        end = skip_exponent(l, end);
        if (end == 0) return trouble(l, t->start, "an exponent without digits");
    }
    l->pos = end;
    return TOKEN_NUMBER;
}

/*
 * A digit begins a number or a name:
 *      digits | digits "." [ digits ] [ exponent ] | digits exponent | 0x.. | 0b.. | name
 * MariaDB leaves the two dots of 1..3 together.
 */
static uint16_t lex_number(struct lexer *l, struct token *t) {
    uint8_t second = byte_at(l, t->start + 1);
    if (l->text[t->start] == '0' && (second == 'x' || second == 'b')) {
        uint16_t kind = lex_prefixed_number(l, t);
        return kind ? kind : lex_name(l, t);
    }
    uint32_t end = skip_bytes(l, t->start + 1, IN_DIGIT);
    uint8_t c = byte_at(l, end);
    l->pos = end;
    if (!(inner[c] & IN_NAME)) {
        if (c != '.' || (is_mariadb(l) && byte_at(l, end + 1) == '.')) return TOKEN_INTEGER;
        return lex_fraction(l, t, end);
    }
    if ((c | 0x20) == 'e') {
        l->pos = skip_exponent(l, end);
        if (l->pos) return TOKEN_NUMBER;
    }
    return lex_name(l, t);
}

/* ---- introducers ----------------------------------------------------------------------------------------------------- */

static bool is_charset(const struct lexer *l, uint32_t start, uint32_t end) {
    static const char *const names[] = {
        "armscii8", "ascii", "big5", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "cp932",
        "dec8", "eucjpms", "euckr", "gb2312", "gbk", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u",
        "latin1", "latin2", "latin5", "latin7", "macce", "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16",
        "utf16le", "utf32", "utf8", "utf8mb3", "utf8mb4", "gb18030",
    };
    size_t count = COUNT_OF(names) - (is_mariadb(l) ? 1 : 0); /* the last one is MySQL's alone */
    char folded[9];
    size_t len = end - start;
    if (len >= sizeof folded) return false;
    for (size_t i = 0; i < len; i++) folded[i] = (char)(l->text[start + i] | 0x20);
    folded[len] = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], folded) == 0) return true;
    }
    return false;
}

/* Does a literal that an introducer may stand before come next? The lexer is the caller's copy. */
static bool at_literal(struct lexer *l) {
    if (!skip_blank(l)) return false;
    struct token t = {.start = l->pos};
    uint8_t c = byte_at(l, l->pos), next = byte_at(l, l->pos + 1);
    switch (c) {
    case '\'': return true;
    case '"': return !(l->options->modes & SQL_ANSI_QUOTES);
    case 'b': case 'B': case 'x': case 'X': return next == '\'';
    case '0': return (next == 'x' || next == 'b') && lex_prefixed_number(l, &t) != 0;
    default: return false;
    }
}

static uint16_t lex_underscore(struct lexer *l, struct token *t) {
    uint16_t kind = lex_word(l, t);
    if (kind != TOKEN_IDENT || l->is_after_dot || !is_charset(l, t->start + 1, l->pos)) return kind;
    struct lexer ahead = *l;
    return at_literal(&ahead) ? TOKEN_INTRODUCER : kind;
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

static inline uint16_t take(struct lexer *l, uint32_t len, uint16_t kind) {
    l->pos += len;
    return kind;
}

/*
 * < <= <> << <=> > >= >> = ! !=. MariaDB takes the longest operator. MySQL takes a run of < > = ! first: all that
 * follows up to two bytes, or three behind <, of which the last may not be <; it must then be an operator.
 */
static uint16_t lex_compare(struct lexer *l, struct token *t) {
    uint8_t c = l->text[l->pos], next = byte_at(l, l->pos + 1), third = byte_at(l, l->pos + 2);
    uint16_t pair = 0;
    if (next == '=') pair = c == '<' ? TOKEN_LESS_EQUAL : c == '>' ? TOKEN_GREATER_EQUAL : c == '!' ? TOKEN_NOT_EQUAL : 0;
    else if (next == '>') pair = c == '<' ? TOKEN_NOT_EQUAL : c == '>' ? TOKEN_SHIFT_RIGHT : 0;
    else if (next == '<') pair = c == '<' ? TOKEN_SHIFT_LEFT : 0;
    if (pair == TOKEN_LESS_EQUAL && third == '>') return take(l, 3, TOKEN_NULL_SAFE_EQUAL);
    if (is_mariadb(l)) return pair ? take(l, 2, pair) : take(l, 1, c);
    bool is_run = next == '!' || next == '<' || next == '=' || next == '>';
    if (!is_run) return take(l, 1, c);
    if (c == '!' && !pair) return take(l, 2, '!');
    if (!pair || (c == '<' && (third == '!' || third == '=' || third == '>'))) {
        return trouble(l, t->start, "a run of comparison signs that is no operator");
    }
    return take(l, 2, pair);
}

/* A dot begins a number, or separates names: always so between a word and a name that touch it. */
static uint16_t lex_dot(struct lexer *l, struct token *t) {
    uint8_t bits = inner[byte_at(l, t->start + 1)];
    if (l->is_after_dot) return take(l, 1, '.');
    if (bits & IN_DIGIT) return lex_fraction(l, t, t->start);
    if (is_mariadb(l) && byte_at(l, t->start + 1) == '.') return take(l, 2, TOKEN_DOT_DOT);
    l->is_after_dot = bits & IN_NAME;
    return take(l, 1, '.');
}

/* -, and in MySQL -> and ->>. */
static uint16_t lex_minus(struct lexer *l, struct token *t) {
    if (!is_mariadb(l) && byte_at(l, t->start + 1) == '>') {
        return byte_at(l, t->start + 2) == '>' ? take(l, 3, TOKEN_JSON_UNQUOTE) : take(l, 2, TOKEN_JSON_EXTRACT);
    }
    if (l->options->encoding == SQL_ENCODING_SINGLE_BYTE && byte_at(l, t->start + 1) == '-' && byte_at(l, t->start + 2) >= 0x80) {
        return trouble(l, t->start, "-- before a byte that is white space in some character sets");
    }
    return take(l, 1, '-');
}

static uint16_t lex_question(struct lexer *l, struct token *t) {
    if (inner[byte_at(l, t->start + 1)] & IN_NAME) return trouble(l, t->start, "a parameter that runs into a name");
    t->value = ++l->param_count;
    return take(l, 1, TOKEN_PARAM);
}

/* \N, which MySQL 8.0 gave up. */
static uint16_t lex_backslash(struct lexer *l, struct token *t) {
    bool is_known = is_mariadb(l) || l->options->version < 80000;
    if (is_known && byte_at(l, t->start + 1) == 'N') return take(l, 2, TOKEN_NULL_ESCAPE);
    return trouble(l, t->start, "unexpected backslash");
}

/* ---- all together ---------------------------------------------------------------------------------------------------- */

static uint16_t lex_double_quote(struct lexer *l, struct token *t) {
    l->pos++;
    if (l->options->modes & SQL_ANSI_QUOTES) return lex_quoted(l, t, TOKEN_QUOTED_IDENT, '"', '"');
    return lex_string(l, t, TOKEN_STRING, '"');
}

static uint16_t lex_dollar(struct lexer *l, struct token *t) {
    uint16_t kind = is_mariadb(l) || l->options->version < 80100 ? 0 : lex_dollar_string(l, t);
    return kind ? kind : lex_word(l, t);
}

/* The token at l->pos, where one begins. */
static uint16_t lex_token(struct lexer *l, struct token *t) {
    uint8_t c = l->text[l->pos];
    switch ((enum byte_class)classes[c]) {
    case LETTER: return lex_word(l, t);
    case PREFIX: return lex_prefixed(l, t);
    case UNDERSCORE: return lex_underscore(l, t);
    case DOLLAR: return lex_dollar(l, t);
    case DIGIT: return lex_number(l, t);
    case QUOTE: l->pos++; return lex_string(l, t, TOKEN_STRING, '\'');
    case DOUBLE_QUOTE: return lex_double_quote(l, t);
    case BACKTICK: l->pos++; return lex_quoted(l, t, TOKEN_QUOTED_IDENT, '`', '`');
    case AT: return lex_at(l, t);
    case DOT: return lex_dot(l, t);
    case STAR:
    case SELF: l->pos++; return c;
    case SLASH: return byte_at(l, l->pos + 1) == '*' ? lex_hint(l, t) : take(l, 1, c);
    case LESS:
    case COMPARE: return lex_compare(l, t);
    case DOUBLED: return byte_at(l, l->pos + 1) == c ? take(l, 2, c == '&' ? TOKEN_AND_AND : TOKEN_OR_OR) : take(l, 1, c);
    case MINUS: return lex_minus(l, t);
    case COLON: return byte_at(l, l->pos + 1) == '=' ? take(l, 2, TOKEN_ASSIGN) : take(l, 1, c);
    case QUESTION: return lex_question(l, t);
    case BACKSLASH: return lex_backslash(l, t);
    case SPACE:
    case HASH:
    case BAD: break;
    }
    return trouble(l, t->start, c ? "unexpected control character" : "a NUL byte outside of quotes");
}

/* Behind "@@" or beside a dot, where words are names. */
static uint16_t lex_name_part(struct lexer *l, struct token *t) {
    if (l->is_after_at) return lex_system_variable_name(l, t);
    return byte_at(l, l->pos) == '.' ? lex_dot(l, t) : lex_name(l, t);
}

static uint16_t lex_end(struct lexer *l) {
    return l->is_in_executable ? trouble(l, l->comment_start, "unterminated comment") : TOKEN_END;
}

static uint16_t next_kind(struct lexer *l, struct token *t) {
    if (UNLIKELY(l->problem != NULL)) return TOKEN_ERROR;
    if (UNLIKELY(l->is_after_dot | l->is_after_at)) return lex_name_part(l, t);
    l->pos += byte_at(l, l->pos) == ' '; /* mostly there is one space or none */
    if (l->pos < l->len && UNLIKELY(classes[l->text[l->pos]] <= BLANK_LAST) && !skip_blank(l)) return TOKEN_ERROR;
    if (l->pos != t->start) t->flags = TOKEN_AFTER_SPACE;
    t->start = l->pos;
    if (UNLIKELY(l->pos >= l->len)) return lex_end(l);
    l->may_hint = false;
    return lex_token(l, t);
}

void lex_mysql_next(struct lexer *l, struct token *t) {
    *t = (struct token){.start = l->pos};
    t->kind = next_kind(l, t);
    t->end = l->pos;
    if (UNLIKELY(t->kind == TOKEN_ERROR)) *t = (struct token){.kind = TOKEN_ERROR, .start = l->problem_at, .end = l->problem_at};
}
