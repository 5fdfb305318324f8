/*
 * body_pg.c - PL/pgSQL, word by word.
 *
 * A statement begins behind `;`, behind a label, and behind the words that open a block (BEGIN, THEN, ELSE, LOOP, DECLARE).
 * Behind DECLARE stand declarations, whose first word is a name of its own.
 *
 * A PARAMETER may be assigned to, and hidden by a variable or a column of its name. So it counts as what the caller has said only
 * where the body mentions it nowhere but as the first argument of calls, and, by its name, where no column can be meant.
 */
#include "routing/body_pg.h"

#include <strings.h>

#include "parser/lex.h"
#include "routing/function_pg.h"
#include "routing/setting_pg.h"

enum { WORD_MAX = 64, SETTING_MAX = 256, ARGUMENT_MAX = 1000 /* tokens */ };
enum { ANYTHING = EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES };

struct scan {
    struct lexer lexer;
    struct token tok;
    struct bytes text;
    const struct effect_names *names;
    unsigned effects;
    bool is_start;         /* tok is the first word of a statement */
    bool is_declaring;     /* between DECLARE and its BEGIN */
    bool is_after_end;     /* the word before was END: LOOP and CASE behind it open nothing */
    bool is_led;           /* the name that tok ends begins an expression of its own, without FROM: PERFORM, SELECT, RETURN, := */
    bool has_parameter;    /* what the first parameter says is what the caller has said */
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

static bool is_among(const struct scan *s, const char *const *words) {
    for (; *words; words++)
        if (is_word(s, *words)) return true;
    return false;
}

static void advance(struct scan *s) {
    static const char *const leaders[] = {"perform", "return", "select", NULL};
    bool leads = s->tok.kind == TOKEN_ASSIGN || is_among(s, leaders), was_dot = s->tok.kind == '.';
    lex_next(&s->lexer, &s->tok);
    read_word(s);
    if (s->tok.kind != '.' && !was_dot) s->is_led = leads;
}

static uint16_t next_kind(const struct scan *s) {
    struct lexer ahead = s->lexer;
    struct token t;
    lex_next(&ahead, &t);
    return t.kind;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

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
        advance(s);
        advance(s);
    }
    if (setting_pg_is_unlisted(bytes_of(name, len))) s->names->on_setting(s->names->ctx, bytes_of(name, len));
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

/* The tokens of one argument, of which the first few are kept. */
struct argument {
    struct token tokens[3];
    unsigned count;
};

/*
 * Of a call; the lexer is behind the opening parenthesis, or a comma. False: it is the last one, and its parenthesis is read. At
 * most `max` tokens are read: calls stand in calls.
 */
static bool next_argument(struct lexer *lexer, struct argument *a, unsigned max) {
    struct token t;
    unsigned depth = 0;
    for (a->count = 0; a->count < max; a->count++) {
        lex_next(lexer, &t);
        if (t.kind == TOKEN_END || t.kind == TOKEN_ERROR) break;
        if (!depth && (t.kind == ',' || t.kind == ')')) return t.kind == ',';
        if (t.kind == '(' || t.kind == '[') depth++;
        if (depth && (t.kind == ')' || t.kind == ']')) depth--;
        if (a->count < COUNT_OF(a->tokens)) a->tokens[a->count] = t;
    }
    a->count = max;
    return false;
}

static struct bytes span_of(const struct scan *s, const struct token *t) {
    return bytes_of(s->text.ptr + t->start, t->end - t->start);
}

static bool folds_to(struct bytes word, struct bytes name) {
    return word.len == name.len && strncasecmp((const char *)word.ptr, (const char *)name.ptr, name.len) == 0;
}

static bool mentions_parameter(const struct scan *s, const struct token *t) {
    struct bytes span = span_of(s, t), name = s->names->parameter;
    if (t->kind == TOKEN_PARAM) return t->value == 1;
    if (t->kind == TOKEN_QUOTED_IDENT) return name.len && bytes_equal(bytes_of(span.ptr + 1, span.len - 2), name);
    return name.len && is_any_word(t->kind) && folds_to(span, name);
}

/* The bytes between the quotes of 'x' or E'x'; ptr NULL: what they say would have to be computed. */
static struct bytes plain_string(const struct scan *s, const struct token *t) {
    struct bytes span = span_of(s, t);
    bool is_string = (t->kind == TOKEN_STRING || t->kind == TOKEN_ESCAPE_STRING) && !(t->flags & TOKEN_IS_JOINED);
    size_t head = span.len && span.ptr[0] != '\'' ? 2 : 1;
    if (!is_string || span.len < head + 1) return bytes_of(NULL, 0);
    struct bytes text = bytes_of(span.ptr + head, span.len - head - 1);
    bool is_odd = text.len && (memchr(text.ptr, '\'', text.len) || memchr(text.ptr, '\\', text.len));
    return is_odd ? bytes_of(NULL, 0) : text;
}

/* x or x::text */
static bool is_single(const struct scan *s, const struct argument *a) {
    return a->count == 1 || (a->count == 3 && a->tokens[1].kind == TOKEN_TYPECAST && bytes_is(span_of(s, &a->tokens[2]), "text"));
}

/* Behind the opening parenthesis of the call of which tok is the name. */
static struct lexer inside_call(const struct scan *s) {
    struct lexer ahead = s->lexer;
    struct token t;
    lex_next(&ahead, &t);
    return ahead;
}

/* True when nothing stands behind the call: no FROM whose columns might be meant by a name in it. */
static bool is_alone(const struct scan *s) {
    struct lexer ahead = inside_call(s);
    struct argument a;
    struct token t;
    while (next_argument(&ahead, &a, ARGUMENT_MAX)) continue;
    lex_next(&ahead, &t);
    return s->is_led && a.count < ARGUMENT_MAX && t.kind == ';';
}

static struct effect_argument first_of_call(const struct scan *s) {
    struct effect_argument first = {0};
    struct lexer ahead = inside_call(s);
    struct argument a;
    next_argument(&ahead, &a, COUNT_OF(a.tokens) + 1);
    if (!is_single(s, &a)) return first;
    first.text = plain_string(s, &a.tokens[0]);
    bool is_it = s->has_parameter && mentions_parameter(s, &a.tokens[0]);
    first.is_parameter = is_it && (a.tokens[0].kind == TOKEN_PARAM || is_alone(s));
    return first;
}

/* True when its third argument says so: `true`, or is_local => true. */
static bool ends_with_transaction(const struct scan *s) {
    struct lexer ahead = inside_call(s);
    struct argument a;
    for (unsigned place = 0; place < 2; place++)
        if (!next_argument(&ahead, &a, ARGUMENT_MAX)) return false;
    next_argument(&ahead, &a, ARGUMENT_MAX);
    bool is_named = a.count == 3 && (a.tokens[1].kind == TOKEN_ARROW || a.tokens[1].kind == TOKEN_ASSIGN);
    return (a.count == 1 || is_named) && a.tokens[a.count - 1].kind == KW_TRUE;
}

static void note_set_config(struct scan *s, const struct effect_argument *first) {
    unsigned found = effect_of_named(s->names, EFFECT_NAMED, first);
    s->effects |= EFFECT_MOVES;
    if (!ends_with_transaction(s)) s->effects |= EFFECT_LEAVES | found;
}

/* A word before a parenthesis that is the name of nothing (a type's, or grammar) is none of ours. */
static void note_call(struct scan *s) {
    struct effect_argument first = first_of_call(s);
    enum function_kind kind = function_pg_find(word_of(s));
    unsigned found = effect_of_named(s->names, s->names->of_function(s->names->ctx, word_of(s), &first), &first);
    if (kind == FUNCTION_SET_CONFIG) note_set_config(s, &first);
    else if (kind != FUNCTION_UNKNOWN) s->effects |= function_pg_effects(kind);
    s->effects |= found & ~(unsigned)EFFECT_NO_SUCH;
}

static void note_word(struct scan *s) {
    static const char *const writes[] = {"insert", "update", "delete", "merge", "copy", NULL};
    if (!s->word_len) return;
    if (is_word(s, "execute")) s->effects |= ANYTHING;
    if (is_among(s, writes)) s->effects |= EFFECT_NEXTVAL;
    if (bytes_is(word_of(s), "pg_settings") || bytes_is(word_of(s), "pg_temp")) s->effects |= EFFECT_LEAVES | EFFECT_MOVES;
    if (bytes_is(word_of(s), "pg_prepared_statements")) s->effects |= EFFECT_LISTS;
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

/* True when the body mentions its first parameter nowhere but in f(parameter, ...), and calls no procedure that might set it. */
static bool parameter_is_intact(const struct scan *s) {
    struct scan ahead = *s;
    struct token before[2] = {0};
    bool is_first = false; /* the token before is a mention, and must be all of its argument */
    for (advance(&ahead); ahead.tok.kind != TOKEN_END && ahead.tok.kind != TOKEN_ERROR; advance(&ahead)) {
        uint16_t kind = ahead.tok.kind;
        if (is_word(&ahead, "call") || kind == TOKEN_UNICODE_IDENT) return false;
        if (is_first && kind != ',' && kind != ')' && kind != TOKEN_TYPECAST) return false;
        is_first = mentions_parameter(s, &ahead.tok);
        bool is_called = is_any_word(before[0].kind) || before[0].kind == TOKEN_QUOTED_IDENT;
        if (is_first && (!is_called || before[1].kind != '(')) return false;
        before[0] = before[1];
        before[1] = ahead.tok;
    }
    return !is_first;
}

static unsigned effects_under(struct bytes body, const struct sql_options *options, const struct effect_names *names) {
    struct scan s = {.text = body, .names = names, .is_start = true};
    lex_init(&s.lexer, body, options);
    s.has_parameter = names->has_parameter && parameter_is_intact(&s);
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
    return (effects & ~(unsigned)EFFECT_STATEMENTS) | EFFECT_LEAVES | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES;
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
