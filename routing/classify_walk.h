/*
 * classify_walk.h - the parts of classify.h among themselves.
 */
#ifndef GILMOK_ROUTING_CLASSIFY_WALK_H
#define GILMOK_ROUTING_CLASSIFY_WALK_H

#include "routing/classify.h"
#include "routing/read_pg.h"

/* A finding. `subject` has what is known of schema, name, position and detail. */
struct classify_subject {
    enum classify_about about;
    struct bytes schema, name;
    uint32_t position;
    struct bytes detail;
};
void classify_note(struct classify *c, enum classify_why why, const struct classify_subject *subject);
/* The same, of a part of the grammar or a statement with that name. */
void classify_note_word(struct classify *c, enum classify_why why, enum classify_about about, const char *word, uint32_t position);

/* A node and what is below it: queries, expressions, and the statements that write. NULL is fine. */
void classify_walk(struct classify *c, const struct ast *node);
/* All nodes of a list. */
void classify_walk_list(struct classify *c, const struct ast *list);

/* What a function's name means; `own` is what read_pg.h says of it. `s` gets a detail, where there is one. */
enum classify_why classify_function_why(const struct classify_options *options, struct classify_subject *s, enum read_kind own);
/* It is nothing for subscribers. */
void classify_deny_copies(struct classify *c);
/* A table that these have. */
void classify_note_copies(struct classify *c, uint8_t copies);
/* A node by itself: is it something for them? */
void classify_copy_node(struct classify *c, const struct ast *node);
/* A query that has been walked. */
void classify_copy_statement(struct classify *c, const struct ast *statement);
/* A call, without its arguments. */
void classify_call(struct classify *c, const struct ast_func *call);
/* A setting that is read, by its name; the reason shows it as it is `written`. */
void classify_setting(struct classify *c, struct bytes name, struct bytes written, uint32_t position);

/*
 * [database.][schema.]name; without a schema it is empty. False: it has another form. `subject` gets its name, schema and position.
 */
bool classify_name_of(const struct ast *names, struct classify_subject *subject);
/* False: what the server reads in it depends on the encoding. */
bool classify_is_plain_name(const struct classify_options *options, const struct classify_subject *subject);

#endif
