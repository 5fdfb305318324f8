/*
 * fingerprint.c - one pass over the tokens, each put where the text ends; what turns out not to count is taken back
 * by moving that end: a sign when a constant follows, an element that has been there before, NULL when it was a list's.
 *
 * Lists are frames on a small stack. Long lists of constants are not read token by token (literal_list.h).
 */
#include "parser/fingerprint.h"

#include "parser/literal_list.h"
#include "parser/normal.h"
#include "parser/quick.h"

enum {
    LIST_FORMS = 4,  /* forms of elements that are remembered */
    LIST_DEPTH = 32, /* lists in lists; deeper ones are not collapsed */
};

#define NOWHERE SIZE_MAX

enum list_kind {
    LIST_ELEMENTS, /* (a, b) or [a, b]: elements up to the closing bracket */
    LIST_ROWS,     /* (a), (b): rows up to what is neither a comma nor a row */
};

enum row_state { ROW_OPEN, ROW_CLOSED, ROW_EXPECTED };

struct list {
    enum list_kind kind;
    enum row_state state; /* rows: inside one, behind one, behind a comma */
    uint32_t depth;       /* open brackets around its elements */
    unsigned count;       /* forms that were remembered so far */
    size_t comma_at;      /* where the comma before the current element stands */
    size_t element_at;
    struct {
        size_t at, len;
    } forms[LIST_FORMS];
};

struct maker {
    struct normal n;
    struct lexer lex;
    struct token tok;
    const uint8_t *text_end;
    bool is_mysql;
    bool is_glued;          /* nothing may stand between what was put last and what comes next */
    bool is_waiting;        /* the next token decides about something: settle() */
    bool has_semicolon;     /* one was read and not put yet */
    uint16_t prev;          /* kind of the token put last; 0 at the start */
    uint32_t word_at, word_len; /* prev is TOKEN_IDENT, but perhaps a keyword, which nobody has looked up: its span; else 0 */
    uint32_t depth;         /* open brackets */
    size_t sign_at;         /* where a row of signs begins that belongs to a constant if one follows; or NOWHERE */
    bool sign_is_glued;     /* is_glued and prev before it */
    uint16_t sign_prev;
    size_t null_at;         /* where NULL, TRUE or FALSE stands that is a constant if the element ends here; or NOWHERE */
    struct list *list;      /* the innermost, or NULL */
    struct list lists[LIST_DEPTH];
};

enum token_class {
    OTHER, /* as its kind says, or as written */
    NAME,
    QUOTED,
    CONSTANT,
    SIGN,
    OPEN,
    CLOSE,
    COMMA,
    GLUE,      /* as written, and without a space on either side */
    /* from here on nothing is put */
    SEMICOLON,
    NOTHING,
    STOP,
};

static const uint8_t token_classes[TOKEN_KIND_COUNT] = {
    [TOKEN_END] = STOP, [TOKEN_ERROR] = STOP,
    ['+'] = SIGN, ['-'] = SIGN, ['('] = OPEN, ['['] = OPEN, [')'] = CLOSE, [']'] = CLOSE,
    [','] = COMMA, [';'] = SEMICOLON, ['.'] = GLUE,
    [TOKEN_IDENT] = NAME, [TOKEN_QUOTED_IDENT] = QUOTED,
    [TOKEN_INTEGER ... TOKEN_BIT_NUMBER] = CONSTANT, [TOKEN_PARAM] = CONSTANT, [TOKEN_NULL_ESCAPE] = CONSTANT,
    [TOKEN_INTRODUCER] = NOTHING, [TOKEN_HINT] = NOTHING, [TOKEN_TYPECAST] = GLUE,
};

static inline bool is_operator(uint16_t kind) {
    switch (kind) {
    case '+': case '-': case '*': case '/': case '%': case '^': case '<': case '>': case '=': case '&': case '|': case '~': case '!':
        return true;
    default: return kind >= TOKEN_OPERATOR && kind < TOKEN_KIND_COUNT && kind != TOKEN_TYPECAST && kind != TOKEN_DOT_DOT;
    }
}

/* ---- lists ----------------------------------------------------------------------------------------------------------- */

static void list_push(struct maker *m, enum list_kind kind, uint32_t depth) {
    struct list *list = m->list ? m->list + 1 : m->lists;
    if (list == m->lists + LIST_DEPTH) return;
    *list = (struct list){.kind = kind, .depth = depth, .element_at = m->n.pos};
    m->list = list;
}

static void list_pop(struct maker *m) {
    m->list = m->list == m->lists ? NULL : m->list - 1;
}

/* An element ends here: it goes, with the comma before it, when one of its form has been there. */
static void list_end_element(struct maker *m, struct list *list) {
    const uint8_t *data = m->n.data;
    size_t len = m->n.pos - list->element_at;
    unsigned known = list->count < LIST_FORMS ? list->count : LIST_FORMS;
    for (unsigned i = 0; i < known; i++) {
        if (list->forms[i].len != len || memcmp(data + list->forms[i].at, data + list->element_at, len) != 0) continue;
        m->n.pos = list->comma_at;
        return;
    }
    list->forms[list->count % LIST_FORMS].at = list->element_at;
    list->forms[list->count % LIST_FORMS].len = len;
    list->count++;
}

/* How many constants a row is made of whose text begins at `at`: (?, ?, ?) is three; 0 when it is anything else. */
static uint32_t row_columns(const struct maker *m, size_t at) {
    const uint8_t *p = m->n.data + at, *end = m->n.data + m->n.pos;
    if (end - p < 3 || (end - p) % 3 != 0 || *p != '(') return 0;
    for (const uint8_t *c = p + 1; c < end; c += 3) {
        if (c[0] != '?' || (c + 2 == end ? c[1] != ')' : c[1] != ',')) return 0;
    }
    return (uint32_t)((end - p) / 3);
}

/* Behind a closing parenthesis: a row ends, or an element that looks like one; many more of its form may follow. */
static void list_end_row(struct maker *m) {
    struct list *list = m->list;
    uint32_t columns = row_columns(m, list->element_at);
    if (list->kind == LIST_ROWS) {
        list_end_element(m, list);
        list->state = ROW_CLOSED;
        m->is_waiting = true;
    }
    if (columns > 0) m->lex.pos = literal_list_skip(&m->lex, columns);
}

/* Between rows: only a comma, and behind it a row, goes on with them. */
static void list_between_rows(struct maker *m, uint16_t kind) {
    if (m->list->state == ROW_CLOSED) {
        if (kind == ',') return;
    } else if (kind == '(' || kind == KW_ROW) {
        m->list->state = ROW_OPEN;
        return;
    }
    list_pop(m);
}

/* ---- what is put ----------------------------------------------------------------------------------------------------- */

static inline void put_space(struct maker *m) {
    normal_byte_if(&m->n, ' ', !m->is_glued);
    m->is_glued = false;
}

static inline void put_span(struct maker *m, bool folds) {
    const uint8_t *p = m->lex.text + m->tok.start;
    size_t len = m->tok.end - m->tok.start;
    if (folds) normal_lower(&m->n, p, len, m->text_end);
    else normal_copy(&m->n, p, len, m->text_end);
}

/* May the name go without its quotes? Not when it is a word with a meaning of its own. */
static bool is_plain_name(const struct maker *m, const uint8_t *p, size_t len) {
    if (!(m->tok.flags & TOKEN_IS_PLAIN) || len == 0) return false;
    for (size_t i = 0; i < len; i++) {
        bool is_letter = (p[i] >= 'a' && p[i] <= 'z') || p[i] == '_' || (m->is_mysql && p[i] >= 'A' && p[i] <= 'Z');
        if (!is_letter && (i == 0 || p[i] < '0' || p[i] > '9')) return false;
    }
    uint16_t keyword = keyword_find(&m->lex.keywords, p, len, m->text_end);
    if (keyword == 0) return true;
    const uint8_t unreserved = KEYWORD_COLUMN | KEYWORD_FUNCTION;
    return !m->is_mysql && (m->lex.keywords.uses[keyword] & unreserved) == unreserved;
}

static void put_quoted(struct maker *m) {
    const uint8_t *p = m->lex.text + m->tok.start + 1;
    size_t len = m->tok.end - m->tok.start - 2;
    put_space(m);
    if (is_plain_name(m, p, len)) {
        normal_copy(&m->n, p, len, m->text_end);
    } else if (m->is_mysql && p[-1] == '"' && (m->tok.flags & TOKEN_IS_PLAIN) && !memchr(p, '`', len)) {
        normal_byte(&m->n, '`');
        normal_copy(&m->n, p, len, m->text_end);
        if (normal_room(&m->n, NORMAL_SLACK)) normal_byte(&m->n, '`');
    } else {
        put_span(m, false);
    }
}

/* A constant takes the signs before it along. */
static void put_constant(struct maker *m) {
    if (m->sign_at != NOWHERE) {
        m->n.pos = m->sign_at;
        m->is_glued = m->sign_is_glued;
        m->prev = m->sign_prev;
    } else if (m->is_mysql && m->tok.kind == TOKEN_STRING && (m->prev == TOKEN_STRING || m->prev == TOKEN_NATIONAL_STRING)) {
        return; /* another piece of the string */
    }
    put_space(m);
    normal_byte(&m->n, '?');
    struct list *list = m->list;
    if (list && list->kind == LIST_ELEMENTS && list->depth == m->depth && list->element_at + 1 == m->n.pos) {
        m->lex.pos = literal_list_skip(&m->lex, 0);
    }
}

/* The kind of the token put last, for sure. */
static uint16_t prev_kind(struct maker *m) {
    if (m->word_len > 0) {
        uint16_t keyword = keyword_find(&m->lex.keywords, m->lex.text + m->word_at, m->word_len, m->text_end);
        if (keyword) m->prev = keyword;
        m->word_len = 0;
    }
    return m->prev;
}

/* Does a sign behind this token stand between two operands? */
static bool ends_operand(const struct maker *m, uint16_t kind) {
    switch (kind) {
    case ')': case ']': case '}':
    case TOKEN_IDENT: case TOKEN_QUOTED_IDENT: case TOKEN_UNICODE_IDENT: case TOKEN_USER_VARIABLE:
    case KW_NULL: case KW_TRUE: case KW_FALSE: case KW_DEFAULT: case KW_END:
    case KW_CURRENT_DATE: case KW_CURRENT_TIME: case KW_CURRENT_TIMESTAMP: case KW_LOCALTIME: case KW_LOCALTIMESTAMP:
        return true;
    case KW_BY: case KW_RETURN: case KW_MINVALUE: case KW_MAXVALUE: case KW_OFFSET: return false;
    default: break;
    }
    if (kind >= KEYWORD_FIRST) return (m->lex.keywords.uses[kind] & KEYWORD_COLUMN) != 0;
    return token_classes[kind] == CONSTANT;
}

static void put_sign(struct maker *m) {
    if (m->sign_at == NOWHERE && !ends_operand(m, prev_kind(m))) {
        m->sign_at = m->n.pos;
        m->sign_is_glued = m->is_glued;
        m->sign_prev = m->prev;
    }
    put_space(m);
    normal_byte(&m->n, (uint8_t)m->tok.kind);
}

/* A parenthesis is put close to what may be a function or a table's name. */
static bool takes_parenthesis(struct maker *m) {
    uint16_t kind = prev_kind(m);
    if (kind == TOKEN_IDENT || kind == TOKEN_QUOTED_IDENT) return true;
    if (kind < KEYWORD_FIRST || kind == KW_VALUES) return false;
    uint8_t uses = m->lex.keywords.uses[kind];
    return m->is_mysql ? uses & KEYWORD_COLUMN : !(uses & KEYWORD_COLUMN) != !(uses & KEYWORD_FUNCTION);
}

static void put_open(struct maker *m) {
    uint8_t c = (uint8_t)m->tok.kind;
    normal_byte_if(&m->n, ' ', !m->is_glued && c == '(' && !takes_parenthesis(m));
    if (c == '(' && (m->prev == KW_VALUES || (m->is_mysql && m->prev == KW_VALUE))) list_push(m, LIST_ROWS, m->depth);
    normal_byte(&m->n, c);
    m->depth++;
    if (m->prev == (c == '(' ? KW_IN : KW_ARRAY)) list_push(m, LIST_ELEMENTS, m->depth);
    m->is_glued = true;
}

static void put_close(struct maker *m) {
    if (m->list && m->list->kind == LIST_ELEMENTS && m->list->depth == m->depth) {
        list_end_element(m, m->list);
        list_pop(m);
    }
    normal_byte(&m->n, (uint8_t)m->tok.kind);
    m->is_glued = false;
    if (m->depth > 0) m->depth--;
    while (m->list && m->list->depth > m->depth) list_pop(m);
    if (m->list && m->list->depth == m->depth && m->tok.kind == ')') list_end_row(m);
}

static void put_comma(struct maker *m) {
    struct list *list = m->list && m->list->depth == m->depth ? m->list : NULL;
    if (list && list->kind == LIST_ELEMENTS) list_end_element(m, list);
    if (list) list->comma_at = m->n.pos;
    normal_byte(&m->n, ',');
    m->is_glued = false;
    if (!list) return;
    list->element_at = m->n.pos + 1; /* behind the space that comes next */
    if (list->kind == LIST_ROWS) {
        list->state = ROW_EXPECTED;
        m->is_waiting = true;
    }
}

/* Before a keyword is put: a query is no list, and rows may be written ROW(...). */
static inline void note_keyword(struct maker *m, uint16_t kind) {
    struct list *list = m->list;
    if (list && list->depth == m->depth && list->kind == LIST_ELEMENTS && kind == KW_SELECT) list_pop(m);
    if (kind == KW_ROW && m->prev == KW_VALUES) list_push(m, LIST_ROWS, m->depth);
    if (kind != KW_NULL && kind != KW_TRUE && kind != KW_FALSE) return;
    if (m->prev != '(' && m->prev != ',' && m->prev != '[') return;
    m->null_at = m->n.pos;
    m->is_waiting = true;
}

/* Is it a constant for sure? */
static inline bool is_constant_word(const struct maker *m, uint16_t kind) {
    return (kind == KW_NULL || kind == KW_TRUE || kind == KW_FALSE) && is_operator(m->prev);
}

static void put_keyword(struct maker *m) {
    put_space(m);
    if (is_constant_word(m, m->tok.kind)) {
        normal_byte(&m->n, '?');
        m->tok.kind = TOKEN_INTEGER;
        return;
    }
    note_keyword(m, m->tok.kind);
    put_span(m, true);
}

/* ---- words that the lexer has not seen ------------------------------------------------------------------------------- */

#define WORD(a, b, c, d, e, f) \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 | (uint64_t)(e) << 32 | (uint64_t)(f) << 40)

/* The keyword, of those that matter here, that a word of up to eight bytes is; 0 for any other. */
static inline uint16_t notable_keyword(const uint8_t *lower, unsigned len) {
    static const struct {
        uint64_t word;
        uint16_t kind;
    } slots[16] = {
        [3] = {WORD('r', 'o', 'w', 0, 0, 0), KW_ROW},
        [4] = {WORD('i', 'n', 0, 0, 0, 0), KW_IN},
        [6] = {WORD('a', 'r', 'r', 'a', 'y', 0), KW_ARRAY},
        [9] = {WORD('n', 'u', 'l', 'l', 0, 0), KW_NULL},
        [11] = {WORD('v', 'a', 'l', 'u', 'e', 0), KW_VALUE},
        [12] = {WORD('s', 'e', 'l', 'e', 'c', 't'), KW_SELECT},
        [13] = {WORD('t', 'r', 'u', 'e', 0, 0), KW_TRUE},
        [14] = {WORD('f', 'a', 'l', 's', 'e', 0), KW_FALSE},
        [15] = {WORD('v', 'a', 'l', 'u', 'e', 's'), KW_VALUES},
    };
    static const uint64_t masks[SCAN_BYTES] = {[1] = 0xff, [2] = 0xffff, [3] = 0xffffff, [4] = 0xffffffff, [5] = 0xffffffffff, [6] = 0xffffffffffff};
    uint64_t word;
    memcpy(&word, lower, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    word &= masks[len]; /* nothing is left of longer ones */
    unsigned slot = (unsigned)(word * UINT64_C(0x7ce42c8218072e8d) >> 60);
    return slots[slot].word == word ? slots[slot].kind : 0;
}

/* A word from quick_next, which is a part of a longer name if `is_part`: no keyword then. */
static inline void put_word(struct maker *m, struct quick_word *word, bool is_part) {
    const uint8_t *p = m->lex.text + m->tok.start;
    unsigned len = word->scan.len;
    uint16_t kind = is_part ? 0 : notable_keyword(word->lower, len);
    put_space(m);
    if (UNLIKELY(kind != 0)) {
        if (is_constant_word(m, kind)) {
            normal_byte(&m->n, '?');
            m->prev = TOKEN_INTEGER;
            return;
        }
        note_keyword(m, kind);
    } else if (m->is_mysql && scan_has(&word->scan, word->scan.upper)) {
        if (is_part || !keyword_find(&m->lex.keywords, p, len, m->text_end)) memcpy(word->lower, p, len); /* as written */
    }
    memcpy(m->n.data + m->n.pos, word->lower, SCAN_BYTES);
    m->n.pos += len;
    m->word_at = m->tok.start;
    m->word_len = kind || is_part ? 0 : len;
    m->prev = kind ? kind : TOKEN_IDENT;
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

static void put_other(struct maker *m) {
    put_space(m);
    if (m->tok.kind < TOKEN_ERROR) {
        normal_byte(&m->n, (uint8_t)m->tok.kind);
        return;
    }
    if (m->tok.kind == TOKEN_NOT_EQUAL) {
        memcpy(m->n.data + m->n.pos, "<>", 2);
        m->n.pos += 2;
        return;
    }
    /* PostgreSQL's operator `?` is no constant. */
    normal_byte_if(&m->n, '\\', m->tok.end - m->tok.start == 1 && m->lex.text[m->tok.start] == '?');
    put_span(m, false);
    m->is_glued = m->tok.kind == TOKEN_SYSTEM_VARIABLE;
}

static void put_token(struct maker *m, enum token_class class) {
    switch (class) {
    case NAME:
        put_space(m);
        put_span(m, !m->is_mysql);
        break;
    case QUOTED: put_quoted(m); break;
    case CONSTANT: put_constant(m); break;
    case SIGN: put_sign(m); return;
    case OPEN: put_open(m); break;
    case CLOSE: put_close(m); break;
    case COMMA: put_comma(m); break;
    case GLUE:
        put_span(m, false);
        m->is_glued = true;
        break;
    default: put_other(m); break;
    }
    m->sign_at = NOWHERE;
}

/* What has been waiting for this token to be known. */
static void settle(struct maker *m, uint16_t kind) {
    m->is_waiting = false;
    if (m->null_at != NOWHERE) {
        if (kind == ',' || kind == ')' || kind == ']' || kind == TOKEN_TYPECAST) {
            m->n.pos = m->null_at;
            normal_byte(&m->n, '?');
            m->prev = TOKEN_INTEGER;
        }
        m->null_at = NOWHERE;
    }
    if (m->list && m->list->kind == LIST_ROWS && m->list->state != ROW_OPEN) list_between_rows(m, kind);
    if (m->has_semicolon) {
        m->has_semicolon = false;
        m->is_glued = m->n.pos == m->n.start;
        if (!m->is_glued) normal_byte(&m->n, ';');
        m->prev = ';';
    }
}

static void read_semicolon(struct maker *m) {
    m->has_semicolon = m->is_waiting = true;
    m->list = NULL;
    m->depth = 0;
    m->sign_at = m->null_at = NOWHERE;
}

static inline void put_any(struct maker *m) {
    uint16_t kind = m->tok.kind;
    if (kind >= KEYWORD_FIRST) {
        put_keyword(m);
        m->sign_at = NOWHERE;
    } else {
        put_token(m, token_classes[kind]);
    }
    m->prev = m->tok.kind;
    m->word_len = 0;
}

/* All tokens; false when the writer has no room left. */
static bool put_all(struct maker *m) {
    struct quick quick = quick_of(m->lex.options);
    struct quick_word word;
    while (normal_room(&m->n, NORMAL_SLACK)) {
        bool is_part = m->lex.is_after_dot;
        if (LIKELY(quick_next(&quick, &m->lex, &m->tok, &word))) {
            if (m->tok.kind == TOKEN_IDENT) {
                if (UNLIKELY(m->is_waiting)) settle(m, TOKEN_IDENT);
                put_word(m, &word, is_part || m->lex.is_after_dot);
                m->sign_at = NOWHERE;
                continue;
            }
        } else {
            lex_next(&m->lex, &m->tok);
        }
        if (UNLIKELY(m->tok.kind < KEYWORD_FIRST && token_classes[m->tok.kind] >= SEMICOLON)) {
            if (token_classes[m->tok.kind] == STOP) return true;
            if (token_classes[m->tok.kind] == SEMICOLON) read_semicolon(m);
            continue;
        }
        if (UNLIKELY(m->is_waiting)) settle(m, m->tok.kind);
        put_any(m);
    }
    return false;
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

bool fingerprint_make(struct bytes text, const struct sql_options *options, struct writer *out, struct fingerprint *fingerprint,
                      struct sql_problem *problem) {
    struct maker m;
    m.is_mysql = options->dialect == SQL_MYSQL;
    m.text_end = text.ptr + text.len;
    m.is_glued = true;
    m.is_waiting = m.has_semicolon = false;
    m.word_len = 0;
    m.prev = 0;
    m.depth = 0;
    m.sign_at = m.null_at = NOWHERE;
    m.list = NULL;
    lex_init(&m.lex, text, options);
    normal_begin(&m.n, out);
    if (m.lex.problem) lex_next(&m.lex, &m.tok);
    else if (!put_all(&m) || m.n.failed) {
        out->failed = true;
        *problem = (struct sql_problem){0, "the fingerprint is too long"};
        return false;
    }
    if (m.tok.kind == TOKEN_ERROR) {
        *problem = (struct sql_problem){m.lex.problem_at, m.lex.problem};
        return false;
    }
    fingerprint->text = normal_end(&m.n);
    fingerprint->hash = fingerprint_hash(fingerprint->text);
    return true;
}
