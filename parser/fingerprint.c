/*
 * fingerprint.c - tokens one after the other, each put by its rule (fingerprint_put.h); and a fast lane for the common
 * ones, which needs no rule, no token and mostly no keyword: runs of words, commas, dots, lone signs and integers.
 *
 * The fast lane knows what it can tell from a few bytes and leaves everything else to the lexer; the unit test compares
 * what it makes with what is made without it.
 */
#include "parser/fingerprint.h"

#include "parser/byte_scan.h"
#include "parser/fingerprint_put.h"

/* ---- the fast lane --------------------------------------------------------------------------------------------------- */

enum lane_class {
    LANE_NOT, /* somebody else's business */
    LANE_SPACE,
    LANE_WORD,
    LANE_DIGIT,
    LANE_COMMA,
    LANE_OPEN,
    LANE_CLOSE,
    LANE_DOT,
    LANE_SIGN, /* an operator, if nothing follows that could be part of it */
    LANE_COLON,
    LANE_QUOTE,
    LANE_SEMICOLON,
    LANE_CLASS = 0x0f,
    LANE_IN_NAME = 0x40,
    LANE_IN_SIGN = 0x80,
};

#define NAME LANE_IN_NAME
#define SIGN LANE_IN_SIGN
#define LONE (LANE_SIGN | LANE_IN_SIGN)

static const uint8_t pg_classes[256] = {
    [' '] = LANE_SPACE, ['\t'] = LANE_SPACE, ['\n'] = LANE_SPACE, ['\r'] = LANE_SPACE, ['\f'] = LANE_SPACE,
    ['a' ... 'z'] = LANE_WORD | NAME, ['A' ... 'Z'] = LANE_WORD | NAME, ['_'] = LANE_WORD | NAME,
    [0x80 ... 0xff] = LANE_WORD | NAME, ['0' ... '9'] = LANE_DIGIT | NAME, ['$'] = NAME,
    ['('] = LANE_OPEN, [')'] = LANE_CLOSE, [','] = LANE_COMMA, ['.'] = LANE_DOT, [':'] = LANE_COLON, ['\''] = LANE_QUOTE,
    [';'] = LANE_SEMICOLON,
    ['*'] = LONE, ['/'] = LONE, ['%'] = LONE, ['^'] = LONE, ['<'] = LONE, ['>'] = LONE, ['='] = LONE,
    ['+'] = SIGN, ['-'] = SIGN, ['~'] = SIGN, ['!'] = SIGN, ['@'] = SIGN, ['#'] = SIGN, ['&'] = SIGN, ['|'] = SIGN,
    ['`'] = SIGN, ['?'] = SIGN,
};

/* A name that does not begin with a letter may be an introducer, a dollar-quoted string or in doubt. */
static const uint8_t mysql_classes[256] = {
    [' '] = LANE_SPACE, ['\t' ... '\r'] = LANE_SPACE,
    ['a' ... 'z'] = LANE_WORD | NAME, ['A' ... 'Z'] = LANE_WORD | NAME, ['0' ... '9'] = LANE_DIGIT | NAME,
    ['_'] = NAME, ['$'] = NAME, [0x80 ... 0xff] = NAME,
    ['('] = LANE_OPEN, [')'] = LANE_CLOSE, [','] = LANE_COMMA, ['.'] = LANE_DOT, ['\''] = LANE_QUOTE, [';'] = LANE_SEMICOLON,
    ['*'] = LONE, ['/'] = LONE, ['%'] = LONE, ['^'] = LONE, ['<'] = LONE, ['>'] = LONE, ['='] = LONE,
    ['+'] = SIGN, ['-'] = SIGN, ['!'] = SIGN,
};

/* The maker's state while in the lane: small enough for registers. */
struct lane {
    const uint8_t *p, *end;
    uint8_t *out, *out_end; /* a token that begins before out_end has NORMAL_SLACK bytes */
    const uint8_t *word;    /* the token put last, if it is a word that nobody has looked up; else NULL */
    unsigned word_len;
    uint32_t depth;
    uint16_t prev; /* kind of the token put last, if `word` is NULL */
    bool is_glued;
    bool is_part; /* MySQL: the lexer's is_after_dot */
};

static inline uint8_t lane_byte(const struct lane *a, size_t offset) {
    return offset < (size_t)(a->end - a->p) ? a->p[offset] : 0;
}

static inline void lane_put(struct lane *a, uint8_t c, uint16_t kind) {
    *a->out = ' ';
    a->out += !a->is_glued;
    *a->out++ = c;
    a->is_glued = false;
    a->word = NULL;
    a->prev = kind;
}

/* Without a space before it. */
static inline void lane_put_close(struct lane *a, uint8_t c) {
    *a->out++ = c;
    a->is_glued = false;
    a->word = NULL;
    a->prev = c;
    a->p++;
}

static inline uint16_t lane_prev(const struct maker *m, const struct lane *a) {
    if (!a->word) return a->prev;
    uint16_t keyword = keyword_find(&m->lex.keywords, a->word, a->word_len, m->text_end);
    return keyword ? keyword : TOKEN_IDENT;
}

/* Words of up to six bytes in one number, as scan_lower8 gives them. */
#define WORD(a, b, c, d, e, f) \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 | (uint64_t)(e) << 32 | (uint64_t)(f) << 40)

/* Is the word a keyword with a rule of its own? */
static inline bool is_notable(const struct maker *m, const struct name_scan *s) {
    static const uint64_t masks[SCAN_BYTES + 1] = {
        [1] = 0xff, [2] = 0xffff, [3] = 0xffffff, [4] = 0xffffffff, [5] = 0xffffffffff, [6] = 0xffffffffffff,
    };
    static const uint64_t slots[16] = {
        [0] = 1, /* no word's */
        [3] = WORD('r', 'o', 'w', 0, 0, 0),
        [4] = WORD('i', 'n', 0, 0, 0, 0),
        [6] = WORD('a', 'r', 'r', 'a', 'y', 0),
        [9] = WORD('n', 'u', 'l', 'l', 0, 0),
        [11] = WORD('v', 'a', 'l', 'u', 'e', 0),
        [12] = WORD('s', 'e', 'l', 'e', 'c', 't'),
        [13] = WORD('t', 'r', 'u', 'e', 0, 0),
        [14] = WORD('f', 'a', 'l', 's', 'e', 0),
        [15] = WORD('v', 'a', 'l', 'u', 'e', 's'),
    };
    uint64_t word = scan_lower8(s) & masks[s->len]; /* nothing is left of longer ones */
    if (LIKELY(slots[word * UINT64_C(0x7ce42c8218072e8d) >> 60] != word)) return false;
    return m->list || word != WORD('s', 'e', 'l', 'e', 'c', 't');
}

/* A word that is known to end within SCAN_BYTES bytes and cannot begin a string. */
static inline bool lane_word(struct maker *m, struct lane *a) {
    struct name_scan s = scan_name(a->p, a->end);
    uint8_t next = lane_byte(a, s.len);
    if (s.len == SCAN_BYTES || next == '\'' || next == '&') return false;
    bool is_part = false, is_as_written = false;
    if (m->is_mysql) {
        if (scan_has(&s, s.high)) return false;
        bool is_dotted = next == '.' && (mysql_classes[lane_byte(a, s.len + 1)] & LANE_IN_NAME);
        is_part = a->is_part || is_dotted;
        a->is_part = is_dotted;
        if (scan_has(&s, s.upper)) is_as_written = is_part || !keyword_find(&m->lex.keywords, a->p, s.len, m->text_end);
    }
    if (!is_part && is_notable(m, &s)) return false;
    *a->out = ' ';
    a->out += !a->is_glued;
    scan_put_lower(a->out, &s);
    if (is_as_written) memcpy(a->out, a->p, s.len);
    a->out += s.len;
    a->is_glued = false;
    a->word = is_part ? NULL : a->p;
    a->word_len = s.len;
    a->prev = TOKEN_IDENT;
    a->p += s.len;
    a->p += next == ' ';
    return true;
}

static inline bool lane_open(struct maker *m, struct lane *a) {
    uint16_t prev = lane_prev(m, a);
    if (prev == KW_IN || prev == KW_VALUES || prev == KW_VALUE) return false;
    a->is_glued |= fingerprint_takes_parenthesis(m, prev);
    lane_put(a, '(', '(');
    a->is_glued = true;
    a->depth++;
    a->p++;
    a->p += lane_byte(a, 0) == ' ';
    return true;
}

/* A dot between names, or before a star. */
static inline bool lane_dot(struct maker *m, struct lane *a, const uint8_t *classes) {
    uint8_t next = lane_byte(a, 1), class = classes[next];
    if ((class & LANE_CLASS) != LANE_WORD && next != '*' && next != '"') return false;
    lane_put_close(a, '.');
    a->is_glued = true;
    a->is_part = m->is_mysql && (class & LANE_IN_NAME);
    return true;
}

/* The end of a string in which nothing is special, and behind which no further piece of it can come; NULL: ask the lexer. */
static inline const uint8_t *lane_string_end(const struct maker *m, const struct lane *a) {
    uint32_t modes = m->lex.options->modes;
    if (m->is_mysql ? a->prev == TOKEN_STRING || a->prev == TOKEN_NATIONAL_STRING : !(modes & SQL_STANDARD_STRINGS)) return NULL;
    uint8_t escape = m->is_mysql && !(modes & SQL_NO_BACKSLASH_ESCAPES) ? '\\' : '\'';
    const uint8_t *quote = scan_either(a->p + 1, a->end, '\'', escape);
    if (a->end - quote < 3 || *quote != '\'') return NULL;
    uint8_t next = quote[1] == ' ' ? quote[2] : quote[1];
    return next <= ' ' || next == '\'' || next == '-' ? NULL : quote + 1;
}

/* A string, or digits alone. In a list they may begin a run of constants. */
static inline bool lane_constant(struct maker *m, struct lane *a, bool is_string) {
    if (a->is_part || (m->list && m->list->depth == a->depth)) return false;
    if (is_string) {
        const uint8_t *end = lane_string_end(m, a);
        if (!end) return false;
        a->p = end;
    } else {
        struct name_scan s = scan_name(a->p, a->end);
        if (s.len != s.digits || s.len == SCAN_BYTES || lane_byte(a, s.len) == '.') return false;
        a->p += s.len;
    }
    lane_put(a, '?', is_string ? TOKEN_STRING : TOKEN_INTEGER);
    return true;
}

static inline bool lane_comma(struct maker *m, struct lane *a) {
    if (m->list && m->list->depth == a->depth) return false;
    lane_put_close(a, ',');
    a->p += lane_byte(a, 0) == ' ';
    return true;
}

static inline bool lane_close(struct maker *m, struct lane *a) {
    if (m->list) return false;
    a->depth -= a->depth > 0;
    lane_put_close(a, ')');
    a->p += lane_byte(a, 0) == ' ';
    return true;
}

static inline bool lane_sign(struct lane *a, const uint8_t *classes) {
    uint8_t next = lane_byte(a, 1);
    if (classes[next] & LANE_IN_SIGN) return false;
    lane_put(a, *a->p, *a->p);
    a->p += 1 + (next == ' ');
    return true;
}

static inline bool lane_typecast(struct lane *a) {
    if (lane_byte(a, 1) != ':') return false;
    lane_put_close(a, ':');
    lane_put_close(a, ':');
    a->is_glued = true;
    a->prev = TOKEN_TYPECAST;
    return true;
}

/* The common tokens from a->p on. */
static inline void lane_tokens(struct maker *m, struct lane *a, const uint8_t *classes) {
    while (a->p < a->end && a->out <= a->out_end) {
        bool is_done = false;
        switch ((enum lane_class)(classes[*a->p] & LANE_CLASS)) {
        case LANE_WORD: is_done = lane_word(m, a); break;
        case LANE_SPACE:
            a->p++;
            is_done = true;
            break;
        case LANE_COMMA: is_done = lane_comma(m, a); break;
        case LANE_OPEN: is_done = lane_open(m, a); break;
        case LANE_CLOSE: is_done = lane_close(m, a); break;
        case LANE_DOT: is_done = lane_dot(m, a, classes); break;
        case LANE_SIGN: is_done = lane_sign(a, classes); break;
        case LANE_COLON: is_done = lane_typecast(a); break;
        case LANE_SEMICOLON: /* counts only before another statement */
            is_done = a->end - a->p == 1;
            a->p += is_done;
            break;
        case LANE_DIGIT: is_done = lane_constant(m, a, false); break;
        case LANE_QUOTE: is_done = lane_constant(m, a, true); break;
        default: break;
        }
        if (!is_done) return;
    }
}

/* Puts tokens for as long as they are common ones. Nothing must be waiting for the next one. */
static void lane_run(struct maker *m) {
    struct lane a = {
        .p = m->lex.text + m->lex.pos, .end = m->text_end, .depth = m->depth, .prev = m->prev, .is_glued = m->is_glued,
        .out = m->n.data + m->n.pos, .out_end = m->n.data + m->n.cap - NORMAL_SLACK, .is_part = m->lex.is_after_dot,
    };
    lane_tokens(m, &a, m->is_mysql ? mysql_classes : pg_classes);
    m->lex.pos = (uint32_t)(a.p - m->lex.text);
    m->lex.is_after_dot = a.is_part;
    m->lex.may_hint = false;
    m->n.pos = (size_t)(a.out - m->n.data);
    m->depth = a.depth;
    m->is_glued = a.is_glued;
    m->prev = lane_prev(m, &a);
}

/* ---- the hash -------------------------------------------------------------------------------------------------------- */

/*
 * Multiplications and shifts over eight bytes at a time, little-endian, the last ones with zeros behind them. The
 * constants are odd numbers with bits all over (digits of pi and e); changing them changes every stored fingerprint.
 */
#define HASH_A UINT64_C(0x243f6a8885a308d3)
#define HASH_B UINT64_C(0xb7e151628aed2a6b)

static inline uint64_t load_word(const uint8_t *p, size_t len) {
    uint64_t word = 0;
    memcpy(&word, p, len);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint64_t hash_word(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * HASH_B;
    return hash ^ hash >> 32;
}

uint64_t fingerprint_hash(struct bytes text) {
    uint64_t hash = (text.len + 1) * HASH_A;
    size_t at = 0;
    for (; text.len - at >= 8; at += 8) hash = hash_word(hash, load_word(text.ptr + at, 8));
    if (at < text.len) hash = hash_word(hash, load_word(text.ptr + at, text.len - at));
    hash *= HASH_A;
    return hash ^ hash >> 32;
}

/* ---- all together ---------------------------------------------------------------------------------------------------- */

static inline bool may_take_lane(const struct maker *m) {
    return m->has_shortcuts && !m->is_waiting && m->sign_at == FINGERPRINT_NOWHERE && !m->lex.is_after_at;
}

static void begin(struct maker *m, struct bytes text, const struct sql_options *options, struct writer *out) {
    lex_init(&m->lex, text, options);
    normal_begin(&m->n, out);
    m->text_end = text.ptr + text.len;
    m->is_mysql = options->dialect == SQL_MYSQL;
    m->is_glued = true;
    m->is_waiting = m->has_semicolon = false;
    m->prev = 0;
    m->depth = 0;
    m->sign_at = m->null_at = FINGERPRINT_NOWHERE;
    m->list = NULL;
}

bool fingerprint_run(struct maker *m, struct bytes text, const struct sql_options *options, struct writer *out) {
    begin(m, text, options, out);
    while (!m->lex.problem && !m->n.failed && normal_room(&m->n, NORMAL_SLACK)) {
        if (may_take_lane(m)) {
            lane_run(m);
            if (m->lex.pos == m->lex.len && !m->lex.is_in_executable) return true;
            if (!normal_room(&m->n, NORMAL_SLACK)) break;
        }
        lex_next(&m->lex, &m->tok);
        if (!fingerprint_put(m)) break;
    }
    return !m->lex.problem && !m->n.failed;
}

bool fingerprint_make(struct bytes text, const struct sql_options *options, struct writer *out, struct fingerprint *fingerprint,
                      struct sql_problem *problem) {
    struct maker m;
    m.has_shortcuts = true;
    if (fingerprint_run(&m, text, options, out)) {
        fingerprint->text = normal_end(&m.n);
        fingerprint->hash = fingerprint_hash(fingerprint->text);
        return true;
    }
    *problem = (struct sql_problem){m.lex.problem_at, m.lex.problem};
    if (m.lex.problem) return false;
    *problem = (struct sql_problem){0, "the fingerprint is too long"};
    out->failed = true;
    return false;
}
