/*
 * name_use.c - one walk over each statement; what is prepared is not looked into.
 */
#include "routing/name_use.h"

#include "parser/lex.h"

struct walk {
    struct name_uses *out;
    struct arena *arena;
    struct bytes text;
    const struct sql_options *options;
    const struct sql_statement *statement;
    uint32_t number;
};

static void add(struct walk *w, const struct name_use *use) {
    struct name_uses *out = w->out;
    if (out->count == out->cap) {
        uint32_t cap = out->cap ? 2 * out->cap : 8;
        struct name_use *items = cap < (1u << 20) ? arena_alloc(w->arena, cap * sizeof *items) : NULL;
        if (!items) {
            out->failed = true;
            return;
        }
        if (out->count) memcpy(items, out->items, out->count * sizeof *items);
        out->items = items;
        out->cap = cap;
    }
    out->items[out->count++] = *use;
}

/* The first token behind AS; the parser may have left parentheses around a query out of its span. */
static uint32_t start_of_inner(const struct walk *w, uint32_t from) {
    struct lexer l;
    struct token t;
    lex_init(&l, bytes_of(w->text.ptr, w->statement->end), w->options);
    l.pos = from;
    do lex_next(&l, &t);
    while (t.kind != KW_AS && t.kind != TOKEN_END && t.kind != TOKEN_ERROR);
    lex_next(&l, &t);
    return t.start;
}

static void note(struct walk *w, enum name_use_kind kind, const struct ast_command *c) {
    struct name_use use = {.kind = kind, .number = w->number};
    if (kind != NAME_ALL_DEALLOCATED) {
        const struct ast_object *object = AST_AS(object, OBJECT, c->objects);
        const struct ast_name *name = AST_AS(name, NAME, object->names);
        use.start = name->node.start;
        use.end = name->node.end;
        use.name = name->text;
    }
    if (kind == NAME_PREPARED) {
        use.inner = start_of_inner(w, use.end);
        use.inner_end = w->statement->end;
    }
    add(w, &use);
}

static bool visit(struct ast *node, void *ctx) {
    struct walk *w = ctx;
    if (node->kind != AST_COMMAND) return false;
    const struct ast_command *c = AST_AS(command, COMMAND, node);
    switch ((enum sql_verb)node->op) {
    case SQL_PREPARE: note(w, NAME_PREPARED, c); return false;
    case SQL_EXECUTE: note(w, NAME_EXECUTED, c); return false;
    case SQL_DEALLOCATE: note(w, c->objects ? NAME_DEALLOCATED : NAME_ALL_DEALLOCATED, c); return false;
    case SQL_EXPLAIN:
    case SQL_CREATE: return true;
    default: return false;
    }
}

void name_uses_find(struct name_uses *out, struct bytes text, const struct sql_options *options, struct arena *arena) {
    struct sql_statement s;
    struct walk w = {.out = out, .arena = arena, .text = text, .options = options, .statement = &s};
    struct sql_reader *reader = sql_reader_new(text, options, arena);
    *out = (struct name_uses){.failed = !reader};
    while (reader && sql_reader_next(reader, &s)) {
        if (s.outcome == SQL_PARSED) ast_walk(s.ast, visit, &w);
        if (s.outcome != SQL_EMPTY) w.number++;
    }
    if (arena->failed) out->failed = true;
}
