/*
 * Under standard_conforming_strings = off each string is an escape string: one with a backslash in it is left alone.
 */
#include "routing/constant.h"

const struct ast *constant_without_cast(const struct ast *node) {
    if (!node || node->kind != AST_CAST) return node;
    const struct ast_cast *cast = AST_AS(cast, CAST, node);
    if (!cast->arg || !cast->type || cast->type->kind != AST_TYPE) return node;
    const struct ast_type *type = AST_AS(type, TYPE, cast->type);
    if (type->modifiers || type->options || type->bounds || type->node.flags || !type->names) return node;
    const struct ast *name = type->names;
    if (name->next && name->kind == AST_NAME && bytes_is(AST_AS(name, NAME, name)->text, "pg_catalog")) name = name->next;
    bool is_text = !name->next && name->kind == AST_NAME && bytes_is(AST_AS(name, NAME, name)->text, "text");
    return is_text ? cast->arg : node;
}

bool constant_text(struct bytes all, const struct ast *node, struct bytes *text) {
    if (!node || node->kind != AST_LITERAL || node->flags & AST_LITERAL_JOINED) return false;
    if (node->op != LITERAL_STRING && node->op != LITERAL_ESCAPE_STRING) return false;
    size_t start = node->start + (all.ptr[node->start] != '\'') + 1; /* 'x' or E'x' */
    if (start >= node->end) return false;
    *text = bytes_of(all.ptr + start, node->end - 1 - start);
    return node->op == LITERAL_STRING || !text->len || !memchr(text->ptr, '\\', text->len);
}
