#include "routing/values_my.h"

#include "parser/lex.h"
#include "parser/literal_list.h"

enum { PIECES_MAX = 64 /* a text of which more of them are left does not consist of constants */ };

/* Where the walk over a text stands. */
struct walk {
    struct lexer lex;
    uint32_t depth;   /* of brackets */
    uint32_t columns; /* of the row that it is in */
    bool in_values;   /* behind VALUES, outside of rows or in one */
    bool is_after_in, is_in_list; /* the last token was IN; IN ( */
    struct bytes pieces[PIECES_MAX]; /* that are kept */
    uint32_t count;
    uint32_t from; /* the next one begins here */
    size_t kept;
};

static void keep_until(struct walk *w, uint32_t end) {
    struct bytes piece = bytes_of(w->lex.text + w->from, end - w->from);
    if (w->count < PIECES_MAX) w->pieces[w->count] = piece;
    w->count++;
    w->kept += piece.len;
}

/* Behind an element: more of its kind are left out. */
static void skip_more(struct walk *w, uint32_t columns) {
    uint32_t end = literal_list_skip(&w->lex, columns);
    if (end <= w->lex.pos) return;
    keep_until(w, w->lex.pos);
    w->from = w->lex.pos = end;
}

static bool is_constant(uint16_t kind) {
    return kind == TOKEN_STRING || kind == TOKEN_INTEGER || kind == TOKEN_NUMBER || kind == TOKEN_PARAM;
}

static void take(struct walk *w, uint16_t kind) {
    bool was_after_in = w->is_after_in, was_in_list = w->is_in_list;
    w->is_after_in = kind == KW_IN;
    w->is_in_list = was_after_in && kind == '(';
    if (was_in_list && is_constant(kind)) skip_more(w, 0);
    if (kind == '(') {
        if (++w->depth == 1) w->columns = 1;
    } else if (kind == ')') {
        if (w->depth && --w->depth == 0 && w->in_values) skip_more(w, w->columns);
    } else if (kind == ',') {
        if (w->depth == 1) w->columns++;
    } else if (!w->depth) {
        w->in_values = kind == KW_VALUES || kind == KW_VALUE;
    }
}

/* False: the text cannot be read to its end, or not much would be left out. */
static bool walk(struct walk *w, struct bytes text, const struct sql_options *options) {
    struct token t;
    lex_init(&w->lex, text, options);
    do {
        lex_next(&w->lex, &t);
        take(w, t.kind);
    } while (t.kind != TOKEN_END && t.kind != TOKEN_ERROR && w->count < PIECES_MAX);
    keep_until(w, w->lex.len);
    return t.kind == TOKEN_END && w->count <= PIECES_MAX && w->kept * 2 < text.len;
}

struct bytes values_my_shorten(struct bytes text, const struct sql_options *options, struct arena *arena) {
    struct walk w = {.count = 0};
    if (text.len > LEX_TEXT_MAX || options->encoding == SQL_ENCODING_UNSAFE || !walk(&w, text, options)) return text;
    uint8_t *out = arena_alloc(arena, w.kept + 1);
    if (!out) {
        arena_reset(arena);
        return text;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < w.count; at += w.pieces[i++].len) memcpy(out + at, w.pieces[i].ptr, w.pieces[i].len);
    return bytes_of(out, at);
}
