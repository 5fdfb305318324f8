/*
 * infile_my.h - the client's own files that a MySQL text names: LOAD { DATA | XML } ... LOCAL INFILE 'name'. Pure.
 *
 * A server may answer anything with "send me that file". It gets none but those that the text named which it answers.
 */
#ifndef GILMOK_ROUTING_INFILE_MY_H
#define GILMOK_ROUTING_INFILE_MY_H

#include "base/writer.h"
#include "parser/parser.h"

/* Cheap: false where the text names none. */
bool infile_my_may_name(struct bytes text);
/* The names, as the server will say them, each with a NUL behind it. `text` may be cut at its end. */
void infile_my_put_names(struct bytes text, const struct sql_options *options, struct writer *names);

#endif
