/*
 * function_pg.h - PostgreSQL's own functions: what a call leaves behind in its session.
 *
 * functions_pg.txt is the source. By name alone, whatever the arguments: of a name that several functions have, the
 * worst counts.
 */
#ifndef GILMOK_ROUTING_FUNCTION_PG_H
#define GILMOK_ROUTING_FUNCTION_PG_H

#include "base/bytes.h"

enum function_kind {
    FUNCTION_UNKNOWN, /* none of PostgreSQL's own */
    FUNCTION_CLEAN,
    FUNCTION_LEAVES,
    FUNCTION_TAKES,
    FUNCTION_STAYS,
    FUNCTION_NEXTVAL,
    FUNCTION_CURRVAL,
    FUNCTION_LISTS,
    FUNCTION_SET_CONFIG,
};

/* Of a name without a schema or in pg_catalog, folded as the server does. */
enum function_kind function_pg_find(struct bytes name);

enum { FUNCTION_PG_OID_END = 16384 }; /* numbers below this one are the server's own functions */

/* What a call of one leaves, whatever its arguments: enum effect. */
unsigned function_pg_effects(enum function_kind kind);
/* The same of one that is called by its number, below FUNCTION_PG_OID_END. */
unsigned function_pg_effects_of_oid(uint32_t oid);

/* Every name of which a call may leave something, but nextval: writing is taken to call it anyway. */
void function_pg_each_unclean(void (*each)(void *ctx, const char *name), void *ctx);

#endif
