/*
 * values_my.h - long texts of MySQL's without most of the constants in them. Pure.
 *
 * A bulk INSERT is a statement and thousands of rows of constants; what it leaves behind does not depend on them. They are moved
 * over as fast as bytes can be looked at, and what is left is read like any other text.
 */
#ifndef GILMOK_ROUTING_VALUES_MY_H
#define GILMOK_ROUTING_VALUES_MY_H

#include "base/arena.h"
#include "parser/parser.h"

enum { VALUES_MY_LONG = 8 << 10 /* texts of fewer bytes are read as they are sooner */ };

/*
 * The same statements with the first row behind VALUES, and the first constant behind IN (, of those that are followed by more of
 * the same plain kind. In the arena; `text` itself, where that would not make it much shorter, it cannot be read or memory is out.
 */
struct bytes values_my_shorten(struct bytes text, const struct sql_options *options, struct arena *arena);

#endif
