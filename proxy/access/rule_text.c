/*
 * Cuts rules into words. Knows no meaning of any.
 */
#include "proxy/access/rule_text.h"

#include <ctype.h>

void rule_text_init(struct rule_text *t, struct arena *a, struct bytes text) {
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf}; /* some editors put it in front of UTF-8 */
    if (text.len >= sizeof mark && memcmp(text.ptr, mark, sizeof mark) == 0) text = bytes_of(text.ptr + sizeof mark,
                                                                                             text.len - sizeof mark);
    *t = (struct rule_text){.arena = a, .rest = text, .line = 1};
}

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line while it is cut. */
struct cutting {
    struct rule_text *t;
    const char *wrong;
};

static void skip(struct rule_text *t, size_t count) {
    t->rest = bytes_of(t->rest.ptr + count, t->rest.len - count);
}

/* A backslash, perhaps a carriage return, and the end of the line: their length, else 0. */
static size_t continuation(const struct rule_text *t) {
    struct bytes r = t->rest;
    if (r.len < 2 || r.ptr[0] != '\\') return 0;
    if (r.ptr[1] == '\n') return 2;
    return r.len > 2 && r.ptr[1] == '\r' && r.ptr[2] == '\n' ? 3 : 0;
}

/* The next byte of the line, continued ones included; -1 at its end. */
static int peek(struct rule_text *t) {
    for (size_t n; (n = continuation(t)) != 0;) {
        skip(t, n);
        t->line++;
    }
    return t->rest.len == 0 || t->rest.ptr[0] == '\n' ? -1 : t->rest.ptr[0];
}

/* A comment that ends with a backslash goes on, as in PostgreSQL. */
static void skip_rest_of_line(struct rule_text *t) {
    while (peek(t) >= 0) skip(t, 1);
    if (t->rest.len) skip(t, 1);
    t->line++;
}

/* From a first byte that is neither blank nor comma nor the end. */
static struct rule_word *cut_word(struct cutting *c) {
    struct rule_text *t = c->t;
    uint8_t text[RULE_WORD_MAX];
    size_t len = 0;
    bool is_inside = false, is_quoted = t->rest.ptr[0] == '"';
    for (int b; (b = peek(t)) >= 0 && (is_inside || (!is_blank((uint8_t)b) && b != ',' && b != '#')); skip(t, 1)) {
        if (b == '"') {
            bool is_double = is_inside && t->rest.len > 1 && t->rest.ptr[1] == '"';
            if (!is_double) is_inside = !is_inside;
            if (!is_double) continue;
            skip(t, 1);
        }
        if ((b < 32 && b != '\t') || b == 127) c->wrong = "holds a control character";
        else if (len == sizeof text) c->wrong = "holds a word of more than 1024 bytes";
        else text[len++] = (uint8_t)b;
    }
    static_assert(RULE_WORD_MAX == 1024, "the sentence above");
    if (is_inside) c->wrong = "ends inside of quotes";
    struct rule_word *w = arena_alloc(t->arena, sizeof *w);
    if (!w) return NULL;
    w->text = arena_strdup(t->arena, bytes_of(text, len));
    w->is_quoted = is_quoted;
    return w->text ? w : NULL;
}

/* Blanks, and the commas that PostgreSQL skips in front of a word. */
static int skip_to_word(struct rule_text *t) {
    int b;
    while ((b = peek(t)) >= 0 && (is_blank((uint8_t)b) || b == ',')) skip(t, 1);
    return b == '#' ? -1 : b;
}

static struct rule_field *cut_field(struct cutting *c) {
    struct rule_field *f = arena_alloc(c->t->arena, sizeof *f);
    if (!f) return NULL;
    list_init(&f->node);
    list_init(&f->words);
    do {
        struct rule_word *w = cut_word(c);
        if (!w) return NULL;
        list_init(&w->node);
        list_push_back(&f->words, &w->node);
    } while (peek(c->t) == ',' && skip_to_word(c->t) >= 0);
    return f;
}

enum rule_text_result rule_text_next(struct rule_text *t, struct rule_line *out, const char **wrong) {
    while (t->rest.len) {
        struct cutting c = {.t = t};
        out->line = t->line;
        list_init(&out->fields);
        while (!t->arena->failed && skip_to_word(t) >= 0) {
            struct rule_field *f = cut_field(&c);
            if (f) list_push_back(&out->fields, &f->node);
        }
        skip_rest_of_line(t);
        *wrong = c.wrong;
        if (c.wrong) return RULE_TEXT_BAD;
        if (t->arena->failed) return RULE_TEXT_END;
        if (!list_is_empty(&out->fields)) return RULE_TEXT_LINE;
    }
    return RULE_TEXT_END;
}

bool rule_text_has_escape(const char *regex) {
    for (const char *c = regex; *c; c++) {
        if (*c != '\\') continue;
        c++;
        if (isalnum((unsigned char)*c)) return true;
        if (!*c) return false; /* regcomp() says so */
    }
    return false;
}
