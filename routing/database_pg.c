/*
 * database_pg.c - the first two words decide whether a text is parsed at all.
 */
#include "routing/database_pg.h"

#include "parser/lex.h"

bool database_pg_starts(struct bytes text) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct lexer l;
    struct token t;
    lex_init(&l, text, &options);
    do lex_next(&l, &t);
    while (t.kind == ';');
    if (t.kind != KW_DROP && t.kind != KW_ALTER && t.kind != KW_CREATE) return false;
    lex_next(&l, &t);
    return t.kind == KW_DATABASE;
}

/* What the server cuts off of a name that is too long, it may cut inside a character: such a name is nobody's here. */
static bool put_name(struct bytes name, char out[DATABASE_PG_NAME_MAX]) {
    if (!name.len || name.len >= DATABASE_PG_NAME_MAX || memchr(name.ptr, 0, name.len)) return false;
    memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
    return true;
}

static struct bytes option_name(const struct ast *node) {
    const struct ast *name = node->kind == AST_OPTION ? AST_AS(option, OPTION, node)->name : NULL;
    return name && name->kind == AST_NAME ? AST_AS(name, NAME, name)->text : bytes_of(NULL, 0);
}

/* A name, or a string of plain characters. */
static struct bytes value_text(const struct ast *value, struct bytes text) {
    if (value && value->kind == AST_NAME) return AST_AS(name, NAME, value)->text;
    if (!value || value->kind != AST_LITERAL || value->end - value->start < 2 || text.ptr[value->start] != '\'')
        return bytes_of(NULL, 0);
    struct bytes inner = bytes_of(text.ptr + value->start + 1, value->end - value->start - 2);
    bool is_plain = !memchr(inner.ptr, '\'', inner.len) && !memchr(inner.ptr, '\\', inner.len);
    return is_plain ? inner : bytes_of(NULL, 0);
}

/* TEMPLATE DEFAULT is as if it were not there. */
static struct bytes template_of(const struct ast_command *c, struct bytes text) {
    for (const struct ast *o = c->options; o; o = o->next) {
        const struct ast *value = o->kind == AST_OPTION ? AST_AS(option, OPTION, o)->values : NULL;
        if (bytes_is(option_name(o), "template") && value && value->kind != AST_WORD) return value_text(value, text);
    }
    return bytes_str("template1");
}

static bool moves_it(const struct ast_command *c) {
    for (const struct ast *e = c->elements; e; e = e->next)
        if (bytes_is(option_name(e), "rename to") || bytes_is(option_name(e), "set tablespace")) return true;
    return false;
}

static struct bytes needed(const struct ast_command *c, struct bytes text) {
    const struct ast *object = c->objects;
    if (c->object != SQL_OBJECT_DATABASE || !object || object->kind != AST_OBJECT) return bytes_of(NULL, 0);
    struct bytes name = value_text(AST_AS(object, OBJECT, object)->names, text);
    switch ((enum sql_verb)c->node.op) {
    case SQL_DROP: return name;
    case SQL_ALTER: return moves_it(c) ? name : bytes_of(NULL, 0);
    case SQL_CREATE: return template_of(c, text);
    default: return bytes_of(NULL, 0);
    }
}

bool database_pg_needs(struct bytes text, const struct sql_options *options, struct arena *arena, char out[DATABASE_PG_NAME_MAX]) {
    struct sql_statement s;
    sql_parse_one(text, options, arena, &s);
    bool is_command = s.outcome == SQL_PARSED && s.ast->kind == AST_COMMAND;
    bool found = is_command && put_name(needed(AST_AS(command, COMMAND, s.ast), text), out);
    arena_reset(arena);
    return found;
}
