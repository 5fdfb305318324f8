/*
 * golden_route_texts.c - every golden text of the parser, asked about as `gilmok route --offline` would, whole and cut off behind
 * each of its bytes: there is an answer, it is no replica's when a statement cannot be read, and nothing of a tree is passed
 * over.
 *
 * What is passed over shows in a walk that knows no kinds (ast_walk): where a statement runs, each write, lock and INTO keeps it
 * from replicas, and each name of a function or a table has its reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routing/classify.h"
#include "tests/golden/parser_cases.h"

struct run {
    int cases, failures;
    unsigned long cuts, replicas, functions, tables;
    struct arena arena;
    struct classify_result result;
    const char *wrong; /* what the text at hand is wrong in; NULL: nothing */
    struct bytes what;
};

static bool has_reason(const struct classify_result *result, struct bytes name, bool is_table) {
    for (const struct classify_reason *r = result->reasons; r; r = r->next)
        if ((r->about == CLASSIFY_TABLE) == is_table && bytes_equal(r->name, name)) return true;
    return result->left_out;
}

static struct bytes last_name(const struct ast *names) {
    while (names && names->next) names = names->next;
    return names && names->kind == AST_NAME ? AST_AS(name, NAME, names)->text : bytes_of(NULL, 0);
}

static void complain(struct run *r, const char *wrong, struct bytes what) {
    if (!r->wrong) r->what = what;
    if (!r->wrong) r->wrong = wrong;
}

/* current_setting() is a reason about the setting. */
static void check_call(struct run *r, const struct ast_func *call) {
    struct bytes name = last_name(call->names);
    if (call->node.op != CALL_PLAIN || bytes_is(name, "current_setting")) return;
    r->functions++;
    if (!has_reason(&r->result, name, false)) complain(r, "a function without a reason", name);
}

struct names {
    struct bytes names[64];
    int count;
};

static bool note_cte(struct ast *node, void *ctx) {
    struct names *n = ctx;
    if (node->kind == AST_CTE && n->count < (int)COUNT_OF(n->names)) n->names[n->count++] = last_name(AST_AS(cte, CTE, node)->name);
    return true;
}

static bool is_cte(const struct names *ctes, struct bytes name) {
    for (int i = 0; i < ctes->count; i++)
        if (bytes_equal(ctes->names[i], name)) return true;
    return false;
}

struct check {
    struct run *run;
    struct names ctes;
};

/* Tables behind FOR UPDATE OF are aliases; those of INTO are made. */
static bool check_node(struct ast *node, void *ctx) {
    struct check *c = ctx;
    bool is_write = node->kind == AST_INSERT || node->kind == AST_UPDATE || node->kind == AST_DELETE || node->kind == AST_MERGE;
    bool is_lock = node->kind == AST_LOCK || node->kind == AST_INTO;
    if ((is_write || is_lock) && c->run->result.place == CLASSIFY_REPLICA) complain(c->run, "a write", bytes_of(NULL, 0));
    if (is_lock) return false;
    if (node->kind == AST_FUNC) check_call(c->run, AST_AS(func, FUNC, node));
    if (node->kind != AST_TABLE) return true;
    struct bytes name = last_name(AST_AS(table, TABLE, node)->names);
    c->run->tables++;
    if (!is_cte(&c->ctes, name) && !has_reason(&c->run->result, name, true)) complain(c->run, "a table without a reason", name);
    const struct ast_table *table = AST_AS(table, TABLE, node);
    const struct ast_func *sample = table->sample && table->sample->kind == AST_FUNC ? AST_AS(func, FUNC, table->sample) : NULL;
    for (struct ast *a = sample ? sample->args : NULL; a; a = a->next) ast_walk(a, check_node, ctx);
    return false;
}

static bool is_judged(const struct ast *node) {
    switch ((enum ast_kind)node->kind) {
    case AST_SELECT: case AST_SETOP: case AST_VALUES: case AST_INSERT: case AST_UPDATE: case AST_DELETE: case AST_MERGE: case AST_COPY:
        return true;
    default: return false;
    }
}

/* The text as it is, without any other meaning of its backslashes. */
static void check_trees(struct run *r, struct bytes text, const struct classify_options *options) {
    struct classify c;
    struct sql_statement s;
    struct sql_reader *reader = sql_reader_new(text, options->sql, &r->arena);
    while (reader && sql_reader_next(reader, &s)) {
        struct check check = {.run = r};
        classify_begin(&c, text, options, &r->arena);
        classify_statement(&c, &s);
        r->result = c.result;
        if (s.outcome == SQL_UNKNOWN && r->result.place == CLASSIFY_REPLICA) complain(r, "not read", bytes_of(NULL, 0));
        if (s.outcome != SQL_PARSED || !is_judged(s.ast)) continue;
        ast_walk(s.ast, note_cte, &check.ctes);
        ast_walk(s.ast, check_node, &check);
    }
}

static bool has_answer(struct run *r, const struct parser_case *c, size_t len) {
    const struct classify_options options = {.sql = &c->options, .keeps_reasons = true};
    uint8_t *cut = malloc(len ? len : 1);
    struct writer line;
    INVARIANT(cut);
    if (len) memcpy(cut, c->text.ptr, len);
    writer_init(&line, 64 << 20);
    r->wrong = NULL;
    classify_text(bytes_of(cut, len), &options, &r->arena, &r->result);
    classify_put(&r->result, &line);
    r->replicas += r->result.place == CLASSIFY_REPLICA;
    r->cuts++;
    if (line.failed || line.len < 10 || memchr(line.data, '\n', line.len)) complain(r, "no line", bytes_of(NULL, 0));
    if (c->options.dialect != SQL_POSTGRES && r->result.place == CLASSIFY_REPLICA && r->result.decisive.why != CLASSIFY_NOTHING)
        complain(r, "another dialect", bytes_of(NULL, 0));
    if (c->options.dialect == SQL_POSTGRES) check_trees(r, bytes_of(cut, len), &options);
    if (r->wrong)
        printf("FAILED: %s:%d: %s: cut behind byte %zu: %s: %.*s\n", c->path, c->line, c->title, len, r->wrong, (int)r->what.len,
               (const char *)r->what.ptr);
    writer_release(&line);
    arena_reset(&r->arena);
    free(cut);
    return !r->wrong;
}

static void visit(const struct parser_case *c, struct bytes rest, void *ctx) {
    (void)rest;
    struct run *r = ctx;
    if (!c) return;
    r->cases++;
    for (size_t len = 0; len <= c->text.len; len++) {
        if (has_answer(r, c, len)) continue;
        r->failures++;
        return;
    }
}

int main(void) {
    struct run r = {.cases = 0};
    arena_init(&r.arena, 64 << 20);
    bool ok = parser_cases_each(visit, &r);
    arena_release(&r.arena);
    printf("%lu cuts, %lu of them a replica's; %lu functions, %lu tables\n", r.cuts, r.replicas, r.functions, r.tables);
    printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n", r.failures ? 0 : 100, r.cases, r.failures, !ok);
    return !ok || r.failures || r.cases == 0;
}
