/*
 * known_pg_own.h - the parts of known_pg.h among themselves: what is kept of a database.
 */
#ifndef GILMOK_ROUTING_KNOWN_PG_OWN_H
#define GILMOK_ROUTING_KNOWN_PG_OWN_H

#include "base/arena.h"
#include "base/map.h"
#include "routing/known_pg.h"

/* A text that runs when a function is called or a relation is read. */
struct known_pg_code {
    struct known_pg_code *next;
    bool is_plpgsql;
    struct bytes text; /* ptr NULL: too long to be looked at */
};

/* Who has asked for a thing while it was judged. In the judge's memory. */
struct known_pg_use {
    struct known_pg_use *next;
    struct known_pg_thing *by;
};

/* All functions with one name in one schema, or one relation. Everything lives in the arena. */
struct known_pg_thing {
    struct known_pg_thing *same_name; /* in other schemas */
    struct known_pg_thing *next;      /* all of them, in the order of their rows */
    struct bytes schema, name;
    bool is_function;
    bool is_unsafe; /* by its code; `because` says why */
    uint8_t copies; /* of a relation: known_pg_note_copy() */
    uint8_t kind;   /* enum classify_function_kind, classify_relation_kind: as its rows have it */
    struct known_pg_code *codes;
    struct bytes because;
    /* While things are judged: */
    struct known_pg_use *uses; /* the latest first */
    struct known_pg_thing *next_queued;
    bool is_queued;
};

struct known_pg {
    struct arena arena;
    struct map by_name; /* 'f' or 'r' and the name -> the first thing of that name */
    struct map of_rows; /* names of functions of one row */
    struct known_pg_thing *first, **end;
    struct known_pg_thing everywhere; /* what any expression may run; not among the others */
    struct classify_facts facts;
};

/* The first of that name. */
struct known_pg_thing *known_pg_find(const struct known_pg *f, bool is_function, struct bytes name);

#endif
