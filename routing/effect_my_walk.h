/*
 * effect_my_walk.h - what the files of effect_my.c share. Not for others.
 */
#ifndef GILMOK_ROUTING_EFFECT_MY_WALK_H
#define GILMOK_ROUTING_EFFECT_MY_WALK_H

#include "routing/effect_my.h"

struct finding_my {
    unsigned effects;
    bool is_behind, is_behind_read; /* the statement at hand stands behind another of its text; behind one that may count rows */
    bool has_tables; /* the statement at hand reads from something */
    const struct effect_my_ears *ears;
    const struct sql_options *options;
    struct arena *arena;
    struct bytes text;
    const struct ast *outermost; /* the statement when it is a plain SELECT; or NULL */
    bool is_for_statement;       /* below SET STATEMENT: what is set there is put back behind it */
};

/* Expressions, queries and statements: all siblings, and what is below them. */
void effect_my_walk(struct finding_my *f, struct ast *list);

/* effect_my_call.c: a node alone, not what is below it */
void effect_my_note_call(struct finding_my *f, const struct ast_func *call);
void effect_my_note_variable(struct finding_my *f, const struct ast_variable *variable);
void effect_my_note_column(struct finding_my *f, const struct ast_column *column);

/* effect_my_set.c: SET and all that is in it */
void effect_my_note_set(struct finding_my *f, const struct ast_command *c);

/* Is this the node's text, in any case? */
bool effect_my_says(const struct finding_my *f, const struct ast *node, const char *word);

#endif
