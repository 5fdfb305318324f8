/*
 * golden_parser_spaces.c - every golden text of the parser with other white space and comments between its tokens: the same trees.
 *
 * Each gap between two tokens gets each filling in turn, then all gaps get it at once. A filling goes in front of the token
 * behind the gap; where none was before, only between tokens that mean the same with and without (not in names with dots, before
 * parentheses, in variables). Wherever the changed text does not have the same tokens any more (two strings
 * that a line break joins), it is not the same statement and is left out. A text is a case, with all its changes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parser/lex.h"
#include "tests/golden/parser_cases.h"

enum { TOKENS_MAX = 4096 };

static const char *const fillings[] = {" ", "\n", "\t\r\n", " /* ' \" ` ; ( */ ", " -- ' \" ` ; )\n"};

struct run {
    int cases, failures;
    unsigned long changes;
    struct writer changed, first, second, wrong;
};

struct tokens {
    struct token at[TOKENS_MAX];
    int count;
};

static bool read_tokens(struct bytes text, const struct sql_options *options, struct tokens *out) {
    struct lexer lex;
    lex_init(&lex, text, options);
    out->count = 0;
    for (;;) {
        struct token *t = &out->at[out->count];
        lex_next(&lex, t);
        if (t->kind == TOKEN_ERROR) return false;
        if (t->kind == TOKEN_END) return true;
        if (++out->count == TOKENS_MAX) return false;
    }
}

static bool has_same_tokens(struct bytes a, const struct tokens *ta, struct bytes b, const struct tokens *tb) {
    if (ta->count != tb->count) return false;
    for (int i = 0; i < ta->count; i++) {
        const struct token *x = &ta->at[i], *y = &tb->at[i];
        struct bytes left = bytes_of(a.ptr + x->start, x->end - x->start), right = bytes_of(b.ptr + y->start, y->end - y->start);
        if (x->kind != y->kind || x->value != y->value || !bytes_equal(left, right)) return false;
    }
    return true;
}

/* May white space stand in front of this token although none does? */
static bool may_part(const struct tokens *t, int i) {
    uint16_t before = t->at[i - 1].kind, kind = t->at[i].kind;
    if (kind == '(' || kind == '.' || before == '.' || kind == '@' || before == '@') return false;
    return before != TOKEN_SYSTEM_VARIABLE && kind != TOKEN_USER_VARIABLE && before != TOKEN_INTRODUCER;
}

static bool takes_filling(const struct tokens *t, int i) {
    /* A comment that is a statement's only content is a statement to MySQL's servers. */
    if (t->at[i].kind == ';' && (i == 0 || t->at[i - 1].kind == ';')) return false;
    return i == 0 || (t->at[i].flags & TOKEN_AFTER_SPACE) || may_part(t, i);
}

/* The text with the filling in front of token `only`, or of every token when that is -1. */
static void fill(struct run *r, struct bytes text, const struct tokens *t, int only, const char *filling) {
    size_t done = 0;
    writer_reset(&r->changed);
    for (int i = 0; i < t->count; i++) {
        writer_put(&r->changed, bytes_of(text.ptr + done, t->at[i].start - done));
        done = t->at[i].start;
        if ((only == -1 || only == i) && takes_filling(t, i)) writer_str(&r->changed, filling);
    }
    writer_put(&r->changed, bytes_of(text.ptr + done, text.len - done));
}

/* Positions move with the white space: only the reason of a problem stays. */
static void without_positions(struct writer *answer) {
    static const char mark[] = "=> (unknown ";
    for (size_t i = 0; i + sizeof mark < answer->len; i++) {
        if (memcmp(answer->data + i, mark, sizeof mark - 1) != 0) continue;
        size_t digits = 0;
        i += sizeof mark - 1;
        while (i + digits < answer->len && answer->data[i + digits] >= '0' && answer->data[i + digits] <= '9') digits++;
        memmove(answer->data + i, answer->data + i + digits, answer->len - i - digits);
        answer->len -= digits;
    }
}

static void answer(struct run *r, struct bytes text, const struct sql_options *options, struct writer *out) {
    writer_reset(out);
    parser_answer(text, options, false, false, out, &r->wrong);
    without_positions(out);
}

static bool is_same_answer(struct run *r, const struct parser_case *c, const struct tokens *t, int only, const char *filling) {
    static struct tokens changed_tokens;
    fill(r, c->text, t, only, filling);
    struct bytes changed = writer_bytes(&r->changed);
    if (!read_tokens(changed, &c->options, &changed_tokens)) return true;
    if (!has_same_tokens(c->text, t, changed, &changed_tokens)) return true;
    r->changes++;
    answer(r, changed, &c->options, &r->second);
    bool is_equal = bytes_equal(writer_bytes(&r->first), writer_bytes(&r->second));
    if (is_equal && r->wrong.len == 0) return true;
    printf("FAILED: %s:%d: %s\n%.*s\n  became\n%.*s\n%.*s  instead of\n%.*s  %.*s\n", c->path, c->line, c->title, (int)c->text.len,
           (const char *)c->text.ptr, (int)changed.len, (const char *)changed.ptr, (int)r->second.len,
           (const char *)r->second.data, (int)r->first.len, (const char *)r->first.data, (int)r->wrong.len,
           (const char *)r->wrong.data);
    return false;
}

static void visit(const struct parser_case *c, struct bytes rest, void *ctx) {
    (void)rest;
    static struct tokens tokens;
    struct run *r = ctx;
    if (!c || !read_tokens(c->text, &c->options, &tokens)) return;
    r->cases++;
    writer_reset(&r->wrong);
    answer(r, c->text, &c->options, &r->first);
    for (size_t f = 0; f < COUNT_OF(fillings); f++) {
        for (int i = -1; i < tokens.count; i++) {
            if (is_same_answer(r, c, &tokens, i, fillings[f])) continue;
            r->failures++;
            return;
        }
    }
}

int main(void) {
    struct run r = {.cases = 0};
    struct writer *writers[] = {&r.changed, &r.first, &r.second, &r.wrong};
    for (size_t i = 0; i < COUNT_OF(writers); i++) writer_init(writers[i], 64 << 20);
    bool ok = parser_cases_each(visit, &r);
    for (size_t i = 0; i < COUNT_OF(writers); i++) writer_release(writers[i]);
    printf("%lu changed texts\n%d%%: Checks: %d, Failures: %d, Errors: %d\n", r.changes, r.failures ? 0 : 100, r.cases, r.failures, !ok);
    return !ok || r.failures || r.changes == 0;
}
