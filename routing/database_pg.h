/*
 * database_pg.h - which database a statement needs for itself alone, PostgreSQL. Pure.
 *
 *      DROP DATABASE d;  ALTER DATABASE d RENAME TO e;  ALTER DATABASE d SET TABLESPACE t;  CREATE DATABASE e TEMPLATE d
 *
 * The server carries these out when nobody else is connected to `d`; for 5 seconds it waits for who is about to leave, then it
 * refuses (55006). None of them runs together with other statements, or inside a function: a text that holds more than one is none
 * of them.
 */
#ifndef GILMOK_ROUTING_DATABASE_PG_H
#define GILMOK_ROUTING_DATABASE_PG_H

#include "parser/parser.h"

enum { DATABASE_PG_NAME_MAX = 64 }; /* longer names are cut by the server; NUL included */

/* For every text, by its first character; false of an empty one. */
static inline bool database_pg_may_start(struct bytes text) {
    switch (text.len ? text.ptr[0] : 0) {
    case 'a': case 'A': case 'c': case 'C': case 'd': case 'D': /* ALTER, CREATE, DROP */
    case ' ': case '\t': case '\n': case '\r': case '\f': case '\v': case '-': case '/': case ';': return true;
    default: return false;
    }
}
/* By its first two words: false for nearly all that need none. */
bool database_pg_starts(struct bytes text);
/* False: it needs none. The arena is used and left as it is. */
bool database_pg_needs(struct bytes text, const struct sql_options *options, struct arena *arena, char out[DATABASE_PG_NAME_MAX]);

#endif
