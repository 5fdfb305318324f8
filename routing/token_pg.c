#include "routing/token_pg.h"

#include "parser/lex.h"

/* `lower` is in lower case. */
static bool is_same(const uint8_t *text, const char *lower, size_t len) {
    for (size_t i = 0; i < len; i++)
        if ((text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]) != lower[i]) return false;
    return true;
}

bool token_pg_is_setting(struct bytes name) {
    return name.len == strlen(TOKEN_PG_SETTING) && is_same(name.ptr, TOKEN_PG_SETTING, name.len);
}

static bool is_word(const struct lexer *l, const struct token *t, const char *lower) {
    size_t len = strlen(lower), quote = t->kind == TOKEN_QUOTED_IDENT;
    bool is_name = t->kind == TOKEN_IDENT || t->kind == TOKEN_QUOTED_IDENT || t->kind >= KEYWORD_FIRST;
    return is_name && t->end - t->start == len + 2 * quote && is_same(l->text + t->start + quote, lower, len);
}

bool token_pg_is_asked(struct bytes text, const struct sql_options *options) {
    struct lexer l;
    struct token t;
    lex_init(&l, text, options);
    do lex_next(&l, &t);
    while (t.kind == ';');
    if (t.kind != KW_SHOW) return false;
    lex_next(&l, &t);
    if (!is_word(&l, &t, "gilmok")) return false;
    lex_next(&l, &t);
    if (t.kind != '.') return false;
    lex_next(&l, &t);
    if (!is_word(&l, &t, "consistency_token")) return false;
    lex_next(&l, &t);
    return t.kind == ';' || t.kind == TOKEN_END;
}
