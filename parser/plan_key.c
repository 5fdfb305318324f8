/*
 * plan_key.c - every token as it is, or the mark of its kind when it is a constant.
 *
 * What is written must give the tokens away: no two sequences of them may end up as the same text. So all that would
 * touch is kept apart by a space, except beside brackets, commas and dots, which are part of nothing else.
 */
#include "parser/plan_key.h"

#include "base/map.h"
#include "parser/normal.h"

struct maker {
    struct normal n;
    struct lexer lex;
    struct token tok;
    bool is_mysql;
    bool has_semicolon; /* one was read and not put yet */
    uint16_t prev;      /* kind of the token put last; 0 at the start */
    struct plan_literal *literals;
    uint32_t literal_max;
    uint32_t literal_count, param_max;
};

/* The marks of constants; NULL for all other tokens. */
static const char *const marks[TOKEN_KIND_COUNT] = {
    [TOKEN_INTEGER] = "?", [TOKEN_NUMBER] = "?.", [TOKEN_STRING] = "'?'", [TOKEN_ESCAPE_STRING] = "e'?'",
    [TOKEN_UNICODE_STRING] = "u&'?'", [TOKEN_DOLLAR_STRING] = "$?$", [TOKEN_NATIONAL_STRING] = "n'?'",
    [TOKEN_BIT_STRING] = "b'?'", [TOKEN_HEX_STRING] = "x'?'", [TOKEN_HEX_NUMBER] = "0x?", [TOKEN_BIT_NUMBER] = "0b?",
};

static inline bool is_word(uint16_t kind) {
    return kind == TOKEN_IDENT || kind >= KEYWORD_FIRST;
}

/* Is there to be a space between the two tokens? */
static bool wants_space(const struct maker *m) {
    uint16_t prev = m->prev, kind = m->tok.kind;
    bool was_apart = m->tok.flags & TOKEN_AFTER_SPACE;
    if (prev == 0 || kind == ',' || kind == ';' || kind == ')' || prev == '(') return false;
    if (prev == TOKEN_SYSTEM_VARIABLE) return false;
    if (prev == '.' || kind == '.') return m->is_mysql && was_apart;
    return kind != '(' || !m->is_mysql || !is_word(prev) || was_apart;
}

static bool put_literal(struct maker *m, const char *mark) {
    if (m->literal_count == m->literal_max) return false;
    m->literals[m->literal_count++] = (struct plan_literal){m->tok.start, m->tok.end, m->tok.kind};
    size_t len = strlen(mark);
    memcpy(m->n.data + m->n.pos, mark, len);
    m->n.pos += len;
    return true;
}

static void put_number(struct maker *m, uint32_t number) {
    uint8_t digits[10];
    size_t count = 0;
    do digits[count++] = (uint8_t)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0) normal_byte(&m->n, digits[--count]);
}

/* False: it is a constant too many. */
static bool put_token(struct maker *m) {
    const uint8_t *p = m->lex.text + m->tok.start, *end = m->lex.text + m->lex.len;
    size_t len = m->tok.end - m->tok.start;
    uint16_t kind = m->tok.kind;
    normal_byte_if(&m->n, ' ', wants_space(m));
    m->prev = kind;
    if (kind < TOKEN_KIND_COUNT && marks[kind]) return put_literal(m, marks[kind]);
    if (kind == TOKEN_PARAM) {
        normal_byte(&m->n, ':');
        put_number(m, m->tok.value);
        if (m->tok.value > m->param_max) m->param_max = m->tok.value;
    } else if (kind >= KEYWORD_FIRST || kind == TOKEN_INTRODUCER || (kind == TOKEN_IDENT && !m->is_mysql)) {
        normal_lower(&m->n, p, len, end);
    } else {
        normal_byte_if(&m->n, '\\', len == 1 && *p == '?'); /* PostgreSQL's operator is no mark */
        normal_copy(&m->n, p, len, end);
    }
    return true;
}

/* Semicolons at the ends do not count, those between statements do. */
static void put_semicolon(struct maker *m) {
    if (m->has_semicolon && m->prev != 0) {
        normal_byte(&m->n, ';');
        m->prev = ';';
    }
    m->has_semicolon = false;
}

/* All tokens. False with a reason: `problem`. */
static bool put_all(struct maker *m, struct sql_problem *problem) {
    while (!m->n.failed && normal_room(&m->n, NORMAL_SLACK)) {
        lex_next(&m->lex, &m->tok);
        switch (m->tok.kind) {
        case TOKEN_END: return true;
        case TOKEN_ERROR: *problem = (struct sql_problem){m->lex.problem_at, m->lex.problem}; return false;
        case ';': m->has_semicolon = true; continue;
        default: break;
        }
        put_semicolon(m);
        if (!put_token(m)) {
            *problem = (struct sql_problem){m->tok.start, "more constants than a plan key may have"};
            return false;
        }
    }
    return false;
}

bool plan_key_make(struct bytes text, const struct sql_options *options, struct writer *out, struct plan_literal *literals,
                   uint32_t literal_max, struct plan_key *key, struct sql_problem *problem) {
    struct maker m = {.is_mysql = options->dialect == SQL_MYSQL, .literals = literals, .literal_max = literal_max};
    lex_init(&m.lex, text, options);
    normal_begin(&m.n, out);
    *problem = (struct sql_problem){0, "the plan key is too long"};
    bool is_made = put_all(&m, problem);
    if (m.n.failed) out->failed = true;
    if (!is_made || m.n.failed) return false;
    *key = (struct plan_key){.text = normal_end(&m.n), .literal_count = m.literal_count, .param_count = m.param_max};
    key->hash = map_hash(key->text);
    return true;
}
