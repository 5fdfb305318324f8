/*
 * fingerprint_put.c - what each token adds to a fingerprint; what turns out not to count is taken back by moving
 * the text's end: a sign when a constant follows, an element that has been there before, NULL when it was a list's.
 *
 * Lists are frames on a small stack. Long lists of constants are not read token by token (literal_list.h).
 */
#include "parser/fingerprint_put.h"

#include "parser/literal_list.h"

#define NOWHERE FINGERPRINT_NOWHERE

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
    case '+': case '-': case '*': case '/': case '%': case '^': case '<': case '>': case '=':
    case '&': case '|': case '~': case '!':
        return true;
    default: return kind >= TOKEN_OPERATOR && kind < TOKEN_KIND_COUNT && kind != TOKEN_TYPECAST && kind != TOKEN_DOT_DOT;
    }
}

/* ---- lists ----------------------------------------------------------------------------------------------------------- */

static void list_push(struct maker *m, enum list_kind kind, uint32_t depth) {
    struct listing *list = m->list ? m->list + 1 : m->lists;
    if (list == m->lists + FINGERPRINT_LISTS) return;
    *list = (struct listing){.kind = kind, .depth = depth, .element_at = m->n.pos};
    m->list = list;
}

static void list_pop(struct maker *m) {
    m->list = m->list == m->lists ? NULL : m->list - 1;
}

/* An element ends here: it goes, with the comma before it, when one of its form has been there. */
static void list_end_element(struct maker *m, struct listing *list) {
    if (m->n.pos < list->element_at) return; /* nothing, not even a space, stands behind the comma */
    const uint8_t *data = m->n.data;
    size_t len = m->n.pos - list->element_at;
    unsigned known = list->count < FINGERPRINT_FORMS ? list->count : FINGERPRINT_FORMS;
    for (unsigned i = 0; i < known; i++) {
        if (list->forms[i].len != len || memcmp(data + list->forms[i].at, data + list->element_at, len) != 0) continue;
        m->n.pos = list->comma_at;
        return;
    }
    list->forms[list->count % FINGERPRINT_FORMS].at = list->element_at;
    list->forms[list->count % FINGERPRINT_FORMS].len = len;
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
    struct listing *list = m->list;
    uint32_t columns = row_columns(m, list->element_at);
    if (list->kind == LIST_ROWS) {
        list_end_element(m, list);
        list->state = ROW_CLOSED;
        m->is_waiting = true;
    }
    if (columns > 0 && m->has_shortcuts) m->lex.pos = literal_list_skip(&m->lex, columns);
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
    struct listing *list = m->list;
    if (list && list->kind == LIST_ELEMENTS && list->depth == m->depth && list->element_at + 1 == m->n.pos && m->has_shortcuts) {
        m->lex.pos = literal_list_skip(&m->lex, 0);
    }
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
    if (m->sign_at == NOWHERE && !ends_operand(m, m->prev)) {
        m->sign_at = m->n.pos;
        m->sign_is_glued = m->is_glued;
        m->sign_prev = m->prev;
    }
    put_space(m);
    normal_byte(&m->n, (uint8_t)m->tok.kind);
}

bool fingerprint_takes_parenthesis(const struct maker *m, uint16_t prev) {
    if (prev == TOKEN_IDENT || prev == TOKEN_QUOTED_IDENT) return true;
    if (prev < KEYWORD_FIRST || prev == KW_VALUES) return false;
    uint8_t uses = m->lex.keywords.uses[prev];
    return m->is_mysql ? uses & KEYWORD_COLUMN : !(uses & KEYWORD_COLUMN) != !(uses & KEYWORD_FUNCTION);
}

static void put_open(struct maker *m) {
    uint8_t c = (uint8_t)m->tok.kind;
    bool is_apart = c == '(' ? !fingerprint_takes_parenthesis(m, m->prev) : m->prev == ',';
    normal_byte_if(&m->n, ' ', is_apart && !m->is_glued);
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
    struct listing *list = m->list && m->list->depth == m->depth ? m->list : NULL;
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
    struct listing *list = m->list;
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
static void settle(struct maker *m) {
    uint16_t kind = m->tok.kind;
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

bool fingerprint_put(struct maker *m) {
    uint16_t kind = m->tok.kind;
    if (kind >= KEYWORD_FIRST) {
        if (UNLIKELY(m->is_waiting)) settle(m);
        put_keyword(m);
        m->sign_at = NOWHERE;
        m->prev = m->tok.kind;
        return true;
    }
    enum token_class class = token_classes[kind];
    switch (class) {
    case STOP: return false;
    case NOTHING: return true;
    case SEMICOLON: read_semicolon(m); return true;
    default: break;
    }
    if (UNLIKELY(m->is_waiting)) settle(m);
    put_token(m, class);
    m->prev = kind;
    return true;
}
