/*
 * read_pg.h - PostgreSQL's own functions, relations, settings, types and operators: what a read may use that is to give the same
 * answer on any server of a cluster.
 *
 * reads_pg.txt is the source, and says what each kind means. By name alone: of several functions with one name the worst counts.
 * Names are those without a schema or in pg_catalog, folded as the server does.
 */
#ifndef GILMOK_ROUTING_READ_PG_H
#define GILMOK_ROUTING_READ_PG_H

#include "base/bytes.h"

enum read_kind {
    READ_UNKNOWN, /* none of PostgreSQL's own, or of a version that is not known */
    READ_STEADY,  /* immutable or stable, and the same everywhere */
    READ_FRESH,
    READ_NODE,
    READ_AHEAD,
    READ_FILES,
    READ_ACTS,
    READ_WRITES,
    READ_LARGE,
    READ_SESSION,
    READ_RUNS,
    READ_SETTING,
    READ_UNCALLABLE,
};

enum read_kind read_pg_function(struct bytes name);
/* STEADY, NODE, AHEAD or SESSION. */
enum read_kind read_pg_relation(struct bytes name);
/* Of a setting that decides how answers look, or that has a dot in its name, which makes it the application's. Any case. */
bool read_pg_is_setting_everywhere(struct bytes name);
bool read_pg_is_type(struct bytes name);
bool read_pg_is_operator(struct bytes symbol);

#endif
