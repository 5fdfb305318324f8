/*
 * Comments are what stands between two tokens, and no white space.
 */
#include "routing/hint.h"

#include "parser/lex.h"

#define MARK "gilmok:"

static const char *const routes[] = {"", "replica", "primary"};
static const char *const consistencies[] = {"", "eventual", "session", "global", "strong"};

const char *hint_route_name(enum hint_route route) {
    return routes[route];
}

const char *hint_consistency_name(enum hint_consistency consistency) {
    return consistencies[consistency];
}

/* 0: it is none of them. */
static uint8_t number_of(struct bytes word, const char *const *words, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (bytes_is(word, words[i])) return (uint8_t)i;
    return 0;
}

/* Behind the equals sign; empty: it is another key. */
static struct bytes value_of(struct bytes word, const char *key) {
    size_t len = strlen(key);
    return bytes_starts_with(word, key) ? bytes_of(word.ptr + len, word.len - len) : bytes_of(NULL, 0);
}

static bool takes_word(struct hint *h, struct bytes word) {
    uint8_t route = number_of(word, routes, COUNT_OF(routes));
    uint8_t consistency = number_of(value_of(word, "consistency="), consistencies, COUNT_OF(consistencies));
    struct bytes node = value_of(word, "node=");
    if (route > h->route) h->route = route;
    if (consistency > h->consistency) h->consistency = consistency;
    if (node.len && !h->has_node) h->node = node;
    h->has_node |= node.len > 0;
    return route || consistency || node.len;
}

static bool is_between(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || c == ',' || c == ';';
}

struct hints {
    struct bytes text;
    hint_word_fn *each;
    void *ctx;
    struct hint found;
};

/* What is inside of a comment. */
static void take_comment(struct hints *h, size_t at, size_t end) {
    const uint8_t *text = h->text.ptr;
    while (at < end && is_between(text[at])) at++;
    if (!bytes_starts_with(bytes_of(text + at, end - at), MARK)) return;
    at += sizeof MARK - 1;
    for (;;) {
        while (at < end && is_between(text[at])) at++;
        if (at >= end) return;
        size_t start = at;
        while (at < end && !is_between(text[at])) at++;
        struct bytes word = bytes_of(text + start, at - start);
        bool is_known = takes_word(&h->found, word);
        if (h->each) h->each(h->ctx, word, (uint32_t)start, is_known);
    }
}

static bool is_at(const struct hints *h, size_t at, size_t end, const char *two) {
    return end - at >= 2 && h->text.ptr[at] == two[0] && h->text.ptr[at + 1] == two[1];
}

/* Comments of this kind are nested. Where this one ends; it may be behind `end` nowhere. */
static size_t end_of_comment(const struct hints *h, size_t at, size_t end) {
    for (size_t depth = 0; at < end; at++) {
        if (is_at(h, at, end, "/*")) {
            depth++;
            at++;
        } else if (is_at(h, at, end, "*/")) {
            at++;
            if (--depth == 0) return at + 1;
        }
    }
    return end;
}

/* What stands in front of a token, or of the end. */
static void take_gap(struct hints *h, size_t at, size_t end) {
    while (at < end) {
        if (is_at(h, at, end, "--")) {
            while (at < end && h->text.ptr[at] != '\n' && h->text.ptr[at] != '\r') at++;
        } else if (is_at(h, at, end, "/*")) {
            size_t behind = end_of_comment(h, at, end);
            take_comment(h, at + 2, behind - 2);
            at = behind;
        } else {
            at++;
        }
    }
}

struct hint hint_read(struct bytes text, const struct sql_options *options, hint_word_fn *each, void *ctx) {
    struct hints h = {.text = text, .each = each, .ctx = ctx};
    struct lexer l;
    struct token t = {0};
    size_t at = 0;
    if (options->dialect != SQL_POSTGRES || !hint_may_be_in(text)) return h.found;
    lex_init(&l, text, options);
    while (lex_next(&l, &t), t.kind != TOKEN_ERROR) {
        take_gap(&h, at, t.start);
        at = t.end;
        if (t.kind == TOKEN_END) break;
    }
    return h.found;
}
