/*
 * body_pg.c - PL/pgSQL, word by word.
 *
 * A statement begins behind `;`, behind a label, and behind the words that open a block (BEGIN, THEN, ELSE, LOOP, DECLARE).
 * Behind DECLARE stand declarations, whose first word is a name of its own.
 */
#include "routing/body_pg.h"

#include <strings.h>

#include "parser/lex.h"
#include "routing/function_pg.h"

enum { WORD_MAX = 64, SETTING_MAX = 256, ANYTHING = EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES };

struct scan {
    struct lexer lexer;
    struct token tok;
    struct bytes text;
    const struct effect_names *names;
    unsigned effects;
    bool is_start;         /* tok is the first word of a statement */
    bool is_declaring;     /* between DECLARE and its BEGIN */
    bool is_after_end;     /* the word before was END: LOOP and CASE behind it open nothing */
    unsigned cases;        /* CASE expressions that are open: their THEN and ELSE open no statement */
    char word[WORD_MAX];   /* tok as a name or keyword, folded; "": it is none, or too long */
    size_t word_len;
};

/* ---- words ----------------------------------------------------------------------------------------------------------- */

static bool is_any_word(uint16_t kind) {
    return kind == TOKEN_IDENT || kind >= KEYWORD_FIRST;
}

/* A quoted name counts with its quotes off; one with quotes or escapes inside could be anything. */
static void read_word(struct scan *s) {
    uint32_t start = s->tok.start, end = s->tok.end;
    bool is_quoted = s->tok.kind == TOKEN_QUOTED_IDENT;
    s->word_len = 0;
    if (s->tok.kind == TOKEN_UNICODE_IDENT || (is_quoted && !(s->tok.flags & TOKEN_IS_PLAIN) && end - start <= 2))
        s->effects |= ANYTHING;
    if (!is_quoted && !is_any_word(s->tok.kind)) return;
    if (is_quoted) start++, end--;
    if (end - start >= WORD_MAX || (is_quoted && memchr(s->text.ptr + start, '"', end - start))) {
        s->effects |= ANYTHING;
        return;
    }
    for (uint32_t i = start; i < end; i++) {
        uint8_t c = s->text.ptr[i];
        s->word[s->word_len++] = (char)(!is_quoted && c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
}

static struct bytes word_of(const struct scan *s) {
    return bytes_of((const uint8_t *)s->word, s->word_len);
}

static bool is_word(const struct scan *s, const char *word) {
    return s->tok.kind != TOKEN_QUOTED_IDENT && s->word_len && bytes_is(word_of(s), word);
}

static void advance(struct scan *s) {
    lex_next(&s->lexer, &s->tok);
    read_word(s);
}

static uint16_t next_kind(const struct scan *s) {
    struct lexer ahead = s->lexer;
    struct token t;
    lex_next(&ahead, &t);
    return t.kind;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

static bool is_among(const struct scan *s, const char *const *words) {
    for (; *words; words++)
        if (is_word(s, *words)) return true;
    return false;
}

/* Of PL/pgSQL and of SQL; what they call and touch is judged word by word. */
static bool is_harmless(const struct scan *s) {
    static const char *const words[] = {
        "analyze", "assert", "begin", "call", "case", "close", "commit", "continue", "declare", "delete", "else", "elseif", "elsif",
        "end", "exception", "exit", "fetch", "for", "foreach", "get", "if", "insert", "lock", "loop", "merge", "move",
        "notify", "null", "open", "perform", "raise", "return", "rollback", "select", "truncate", "update", "values", "when",
        "while", "with", NULL,
    };
    return is_among(s, words);
}

/* variable := ..., record.field = ..., array[1] := ... */
static bool is_assignment(const struct scan *s) {
    uint16_t next = next_kind(s);
    return next == TOKEN_ASSIGN || next == '=' || next == '.' || next == '[';
}

/* SET LOCAL ends with the transaction. The setting's name may have a dot: a, b, c of a.b.c, up to TO or =. */
static void note_set(struct scan *s) {
    char name[SETTING_MAX];
    size_t len = 0;
    bool has_dot = false;
    advance(s);
    s->effects |= EFFECT_MOVES;
    if (is_word(s, "local")) return;
    s->effects |= EFFECT_LEAVES;
    if (is_word(s, "session")) advance(s);
    while (s->word_len && len + s->word_len + 1 < sizeof name) {
        memcpy(name + len, s->word, s->word_len);
        len += s->word_len;
        if (next_kind(s) != '.') break;
        name[len++] = '.';
        has_dot = true;
        advance(s);
        advance(s);
    }
    if (has_dot) s->names->on_setting(s->names->ctx, bytes_of((const uint8_t *)name, len));
}

static void note_start(struct scan *s) {
    if (s->is_declaring && !is_word(s, "begin")) return;
    if (is_word(s, "set") && !is_assignment(s)) {
        note_set(s);
        return;
    }
    if (s->tok.kind == ';' || is_harmless(s) || is_assignment(s)) return;
    s->effects |= ANYTHING;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

/* set_config('name', value, true) ends with the transaction. tok is the name, an opening parenthesis follows. */
static void note_set_config(struct scan *s) {
    struct lexer ahead = s->lexer;
    struct token t, last = {0}, first = {0};
    unsigned depth = 1;
    lex_next(&ahead, &t);
    for (lex_next(&ahead, &t); depth && t.kind != TOKEN_END && t.kind != TOKEN_ERROR; lex_next(&ahead, &t)) {
        if (t.kind == '(') depth++;
        if (t.kind == ')' && --depth == 0) break;
        if (!first.end) first = t;
        last = t;
    }
    s->effects |= EFFECT_MOVES;
    if (last.kind == KW_TRUE) return;
    s->effects |= EFFECT_LEAVES;
    bool is_plain = first.kind == TOKEN_STRING && first.flags & TOKEN_IS_PLAIN && first.end - first.start > 2;
    if (!is_plain) {
        s->effects |= EFFECT_STAYS;
        return;
    }
    struct bytes name = bytes_of(s->text.ptr + first.start + 1, first.end - first.start - 2);
    if (memchr(name.ptr, '.', name.len)) s->names->on_setting(s->names->ctx, name);
}

/* A word before a parenthesis that is the name of nothing (a type's, or grammar) is none of ours. */
static void note_call(struct scan *s) {
    enum function_kind kind = function_pg_find(word_of(s));
    unsigned found = s->names->of_function(s->names->ctx, word_of(s));
    if (kind == FUNCTION_SET_CONFIG) note_set_config(s);
    else if (kind != FUNCTION_UNKNOWN) s->effects |= function_pg_effects(kind);
    s->effects |= found & ~(unsigned)EFFECT_NO_SUCH;
}

static void note_word(struct scan *s) {
    static const char *const writes[] = {"insert", "update", "delete", "merge", "copy", NULL};
    if (!s->word_len) return;
    if (is_word(s, "execute")) s->effects |= ANYTHING;
    if (is_among(s, writes)) s->effects |= EFFECT_NEXTVAL;
    if (bytes_is(word_of(s), "pg_settings") || bytes_is(word_of(s), "pg_temp")) s->effects |= EFFECT_LEAVES | EFFECT_MOVES;
    if (next_kind(s) == '(') {
        note_call(s);
        return;
    }
    s->effects |= s->names->of_relation(s->names->ctx, word_of(s), true);
    s->effects |= s->names->of_relation(s->names->ctx, word_of(s), false);
}

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

/* <<label>> */
static void skip_labels(struct scan *s) {
    while (s->is_start && s->tok.kind == TOKEN_OPERATOR) {
        advance(s);
        advance(s);
        advance(s);
    }
}

/* What the word opens or closes. */
static void follow(struct scan *s) {
    static const char *const openers[] = {"begin", "declare", "else", "loop", "then", NULL};
    bool was_start = s->is_start, was_after_end = s->is_after_end;
    bool is_end_loop = was_after_end && is_word(s, "loop");
    s->is_start = s->tok.kind == ';' || (!s->cases && !is_end_loop && is_among(s, openers));
    s->is_after_end = is_word(s, "end");
    if (s->tok.kind == ';') s->cases = 0; /* no expression goes beyond it */
    if (is_word(s, "declare")) s->is_declaring = true;
    if (is_word(s, "begin")) s->is_declaring = false;
    if (is_word(s, "case") && !was_start && !was_after_end) s->cases++;
    if (is_word(s, "end") && s->cases) s->cases--;
}

static unsigned effects_under(struct bytes body, const struct sql_options *options, const struct effect_names *names) {
    struct scan s = {.text = body, .names = names, .is_start = true};
    lex_init(&s.lexer, body, options);
    for (advance(&s); s.tok.kind != TOKEN_END && s.tok.kind != TOKEN_ERROR; advance(&s)) {
        skip_labels(&s);
        if (s.is_start) note_start(&s);
        note_word(&s);
        follow(&s);
    }
    if (s.tok.kind == TOKEN_ERROR) s.effects |= ANYTHING;
    return s.effects;
}

unsigned body_pg_effects(struct bytes body, const struct sql_options *options, const struct effect_names *names) {
    unsigned effects = effects_under(body, options, names);
    struct sql_options others = *options;
    if (!effect_depends_on_strings(body)) return effects;
    others.modes ^= SQL_STANDARD_STRINGS;
    return effects | effects_under(body, &others, names);
}

/* ---- SQL ------------------------------------------------------------------------------------------------------------- */

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
    return at;
}

static bool takes_words(struct bytes *text, const char *words) {
    size_t len = strlen(words);
    const uint8_t *at = skip_space(text->ptr, text->ptr + text->len), *end = text->ptr + text->len;
    if ((size_t)(end - at) < len || strncasecmp((const char *)at, words, len) != 0) return false;
    *text = bytes_of(at + len, (size_t)(end - at) - len);
    return true;
}

/* Prepared statements that a function names are nobody's that is known. */
static unsigned run(struct bytes text, const struct sql_options *options, struct arena *arena, const struct effect_names *names) {
    unsigned effects = effect_of(text, options, arena, names);
    if (!(effects & EFFECT_STATEMENTS)) return effects;
    return (effects & ~(unsigned)EFFECT_STATEMENTS) | EFFECT_LEAVES | EFFECT_NEXTVAL | EFFECT_MOVES;
}

/* `RETURN x` is SELECT x: six letters each. */
static unsigned effects_of_return(struct bytes expr, const struct sql_options *options, struct arena *arena,
                                  const struct effect_names *names) {
    static const char select[] = "SELECT ";
    struct arena text;
    arena_init(&text, expr.len + 256);
    uint8_t *copy = arena_alloc(&text, sizeof select + expr.len);
    unsigned effects = ANYTHING;
    if (copy) {
        memcpy(copy, select, sizeof select - 1);
        if (expr.len) memcpy(copy + sizeof select - 1, expr.ptr, expr.len);
        effects = run(bytes_of(copy, sizeof select - 1 + expr.len), options, arena, names);
    }
    arena_release(&text);
    return effects;
}

unsigned body_pg_sql_effects(struct bytes body, const struct sql_options *options, struct arena *arena,
                             const struct effect_names *names) {
    struct bytes rest = body;
    if (takes_words(&rest, "RETURN ")) return effects_of_return(rest, options, arena, names);
    if (!takes_words(&rest, "BEGIN ATOMIC")) return run(body, options, arena, names);
    while (rest.len && (rest.ptr[rest.len - 1] == '\n' || rest.ptr[rest.len - 1] == ' ')) rest.len--;
    if (rest.len < 3 || strncasecmp((const char *)rest.ptr + rest.len - 3, "END", 3) != 0) return ANYTHING;
    return run(bytes_of(rest.ptr, rest.len - 3), options, arena, names);
}
