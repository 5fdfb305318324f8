/*
 * name_use.h - where a text of SQL names prepared statements, PostgreSQL. Pure.
 *
 * PREPARE, EXECUTE (also inside EXPLAIN and CREATE TABLE AS) and DEALLOCATE are the only statements that do. Whoever gives
 * statements other names on the way edits these spans and no others.
 */
#ifndef GILMOK_ROUTING_NAME_USE_H
#define GILMOK_ROUTING_NAME_USE_H

#include "parser/parser.h"

enum name_use_kind { NAME_PREPARED, NAME_EXECUTED, NAME_DEALLOCATED, NAME_ALL_DEALLOCATED };

struct name_use {
    enum name_use_kind kind;
    uint32_t number;     /* of the statement in the text, 0-based: the server answers each with a tag of its own */
    uint32_t start, end; /* of the name, as it is written */
    struct bytes name;   /* as the server reads it; in the arena or in the text */
    uint32_t inner, inner_end; /* NAME_PREPARED: the statement behind AS */
};

struct name_uses {
    struct name_use *items; /* in the arena, in order */
    uint32_t count, cap;
    bool failed; /* memory is out: some are missing */
};

/* The arena is not reset: it holds the result. */
void name_uses_find(struct name_uses *out, struct bytes text, const struct sql_options *options, struct arena *arena);

#endif
