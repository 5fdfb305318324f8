/*
 * quick.h - the commonest tokens, without asking the lexer.
 *
 * For passes over text that care little what words mean. What quick_next reads is what lex_next would read next, but
 * words are not looked up, and an optimizer hint is a comment. It knows what can be told from a few bytes: short words,
 * white space, brackets, commas, operators that stand alone, integers, plain strings; for all else it says so, and the
 * lexer must be asked, which stands where it would. tests/unit/test_fingerprint.c compares the two.
 */
#ifndef GILMOK_PARSER_QUICK_H
#define GILMOK_PARSER_QUICK_H

#include "parser/byte_scan.h"
#include "parser/lex.h"

enum quick_class {
    QUICK_NOT, /* the lexer's business */
    QUICK_SPACE,
    QUICK_WORD,
    QUICK_DIGIT,
    QUICK_DOT,
    QUICK_SELF, /* a token whatever follows */
    QUICK_SIGN, /* a token unless what follows could be part of it */
    QUICK_COLON,
    QUICK_QUOTE,
    QUICK_CLASS = 0x0f,
    QUICK_IN_NAME = 0x40,
    QUICK_IN_SIGN = 0x80,
};

struct quick {
    const uint8_t *classes; /* by byte: a class, and QUICK_IN_ bits */
    bool is_mysql;
    bool has_strings; /* '...' is a TOKEN_STRING */
    uint8_t escape;   /* a byte in it that is special: backslash, or the quote where that is none */
};

/* What is known of a word. */
struct quick_word {
    struct name_scan scan;
    uint8_t lower[SCAN_BYTES]; /* its capitals A to Z in lower case; and bytes behind it */
};

struct quick quick_of(const struct sql_options *options);

static inline uint8_t quick_byte(const struct lexer *l, uint32_t pos) {
    return pos < l->len ? l->text[pos] : 0;
}

/* A word that cannot be the start of a literal, and is known to end here. */
static inline bool quick_word(const struct quick *q, struct lexer *l, struct token *t, struct quick_word *word) {
    word->scan = scan_name_end(l->text + t->start, l->text + l->len, word->lower);
    uint32_t end = t->start + word->scan.len;
    uint8_t next = quick_byte(l, end);
    if (word->scan.len == SCAN_BYTES || next == '\'' || next == '&') return false;
    if (q->is_mysql) {
        if (scan_has(&word->scan, word->scan.high)) return false;
        l->is_after_dot = next == '.' && (q->classes[quick_byte(l, end + 1)] & QUICK_IN_NAME);
    }
    t->kind = TOKEN_IDENT;
    t->end = end;
    return true;
}

static inline bool quick_integer(struct lexer *l, struct token *t) {
    uint8_t lower[SCAN_BYTES];
    if (l->is_after_dot) return false;
    struct name_scan scan = scan_name_end(l->text + t->start, l->text + l->len, lower);
    t->kind = TOKEN_INTEGER;
    t->end = t->start + scan.len;
    return scan.len == scan.digits && scan.len < SCAN_BYTES && quick_byte(l, t->end) != '.';
}

/* A dot between names, or before a star. */
static inline bool quick_dot(const struct quick *q, struct lexer *l, const struct token *t) {
    uint8_t next = q->classes[quick_byte(l, t->start + 1)];
    if (l->is_after_dot) return true;
    if ((next & QUICK_CLASS) == QUICK_DIGIT || (next & QUICK_CLASS) == QUICK_DOT) return false;
    l->is_after_dot = q->is_mysql && (next & QUICK_IN_NAME);
    return true;
}

/* A string without quotes inside, behind which no further piece of it can come. */
static inline bool quick_string(const struct quick *q, const struct lexer *l, struct token *t) {
    const uint8_t *end = l->text + l->len;
    const uint8_t *quote = scan_either(l->text + t->start + 1, end, '\'', q->escape);
    if (!q->has_strings || end - quote < 3 || *quote != '\'') return false;
    uint8_t next = quote[1] == ' ' ? quote[2] : quote[1];
    if (next <= ' ' || next == '\'' || next == '-') return false;
    t->kind = TOKEN_STRING;
    t->end = (uint32_t)(quote + 1 - l->text);
    return true;
}

/* All that is neither a word nor a token whatever follows. */
static inline bool quick_other(const struct quick *q, struct lexer *l, struct token *t, uint8_t class) {
    switch (class & QUICK_CLASS) {
    case QUICK_DIGIT: return quick_integer(l, t);
    case QUICK_DOT: return quick_dot(q, l, t);
    case QUICK_SIGN: return !(q->classes[quick_byte(l, t->end)] & QUICK_IN_SIGN);
    case QUICK_QUOTE: return quick_string(q, l, t);
    case QUICK_COLON:
        t->kind = TOKEN_TYPECAST;
        return quick_byte(l, t->end++) == ':';
    default: return false;
    }
}

/*
 * True: `t` is the next token (its flags are not set), TOKEN_IDENT for any word, of which `word` tells more; the lexer
 * stands behind it. False: the lexer must be asked. The lexer must not have met a problem yet.
 */
static inline bool quick_next(const struct quick *q, struct lexer *l, struct token *t, struct quick_word *word) {
    const uint8_t *classes = q->classes;
    uint32_t pos = l->pos, len = l->len;
    if (UNLIKELY(pos >= len || l->is_after_at)) return false;
    pos += classes[l->text[pos]] == QUICK_SPACE; /* mostly there is one or none, which nobody can guess */
    if (UNLIKELY(pos >= len)) return false;
    uint8_t class = classes[l->text[pos]];
    while (UNLIKELY(class == QUICK_SPACE)) {
        if (++pos == len) return false;
        class = classes[l->text[pos]];
    }
    t->start = pos;
    t->end = pos + 1;
    t->kind = l->text[pos];
    if ((class & QUICK_CLASS) == QUICK_WORD) {
        if (!quick_word(q, l, t, word)) return false;
    } else if (class != QUICK_SELF && !quick_other(q, l, t, class)) {
        return false;
    }
    l->pos = t->end;
    l->may_hint = false;
    return true;
}

#endif
