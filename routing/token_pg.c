#include "routing/token_pg.h"

#include "parser/lex.h"

/* `lower` is in lower case. */
static bool is_same(const uint8_t *text, const char *lower, size_t len) {
    for (size_t i = 0; i < len; i++)
        if ((text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]) != lower[i]) return false;
    return true;
}

/* Up to `digits` of them, and then a slash or the end. */
static bool take_hex(struct bytes *text, size_t digits, uint64_t *n) {
    size_t at = 0;
    for (*n = 0; at < text->len && text->ptr[at] != '/'; at++) {
        uint8_t c = text->ptr[at], letter = c | 0x20;
        bool is_digit = c >= '0' && c <= '9', is_letter = letter >= 'a' && letter <= 'f';
        if (at == digits || (!is_digit && !is_letter)) return false;
        *n = *n << 4 | (uint64_t)(is_digit ? c - '0' : letter - 'a' + 10);
    }
    if (!at) return false;
    size_t used = at + (at < text->len);
    *text = bytes_of(text->ptr + used, text->len - used);
    return true;
}

/*   timeline / high / low / system identifier */
bool token_pg_read(struct bytes text, struct token_pg *t) {
    uint64_t timeline, high, low, system_id;
    bool is_it = take_hex(&text, 8, &timeline) && take_hex(&text, 8, &high) && take_hex(&text, 8, &low) && text.len &&
                 !memchr(text.ptr, '/', text.len) && take_hex(&text, 16, &system_id);
    if (!is_it || !timeline || !system_id || !(high | low)) return false;
    *t = (struct token_pg){.system_id = system_id, .timeline = (uint32_t)timeline, .lsn = high << 32 | low};
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
