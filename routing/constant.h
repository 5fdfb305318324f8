/*
 * constant.h - the text of a string constant in a tree, PostgreSQL. Pure.
 */
#ifndef GILMOK_ROUTING_CONSTANT_H
#define GILMOK_ROUTING_CONSTANT_H

#include "parser/ast.h"

/* x of x::text, which is how drivers say a parameter's type, and the server writes down a function's constants. NULL stays NULL. */
const struct ast *constant_without_cast(const struct ast *node);
/* The text between the quotes of a string without escapes, in `all`, the text of the tree. False: it is something else. */
bool constant_text(struct bytes all, const struct ast *node, struct bytes *text);

#endif
