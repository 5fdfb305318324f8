/*
 * By tokens alone: what is asked about need not be readable.
 */
#include "routing/explain_pg.h"

#include "parser/lex.h"

static bool is_word(const struct lexer *l, const struct token *t, const char *upper) {
    size_t len = strlen(upper);
    if (t->kind != TOKEN_IDENT && t->kind < KEYWORD_FIRST) return false;
    if (t->end - t->start != len) return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = l->text[t->start + i];
        if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != upper[i]) return false;
    }
    return true;
}

static uint16_t next(struct lexer *l, struct token *t) {
    lex_next(l, t);
    return t->kind;
}

/* EXPLAIN ( ROUTE ) */
static bool takes_head(struct lexer *l, struct token *t) {
    while (next(l, t) == ';') continue;
    if (!is_word(l, t, "EXPLAIN") || next(l, t) != '(') return false;
    lex_next(l, t);
    return is_word(l, t, "ROUTE") && next(l, t) == ')';
}

bool explain_pg_asks_route(struct bytes text, const struct sql_options *options, struct bytes *out) {
    struct lexer l;
    struct token t;
    bool has_ended = false;
    lex_init(&l, text, options);
    if (!takes_head(&l, &t)) return false;
    size_t start = t.end;
    while (start < text.len && memchr(" \t\n\r\f\v", text.ptr[start], 6)) start++;
    if (next(&l, &t) == TOKEN_END || t.kind == ';') return false;
    for (; t.kind != TOKEN_END && t.kind != TOKEN_ERROR; lex_next(&l, &t)) {
        if (t.kind == ';') has_ended = true;
        else if (has_ended) return false; /* another statement would not be run */
    }
    *out = bytes_of(text.ptr + start, text.len - start);
    return true;
}
