/*
 * body_pg.h - what the body of a PostgreSQL function leaves behind in its session. Pure.
 *
 * The rule of effect.h: what is known to leave nothing leaves nothing. A body in SQL is a text like any other. One in PL/pgSQL is
 * not parsed but gone through word by word: every statement must begin with a word that is known to be harmless, every
 * call is judged by its name, every name of a relation counts as if it were written, and EXECUTE, whose text is made
 * while it runs, may leave anything.
 */
#ifndef GILMOK_ROUTING_BODY_PG_H
#define GILMOK_ROUTING_BODY_PG_H

#include "routing/effect.h"

/* Of a PL/pgSQL body, or of DO's. enum effect. */
unsigned body_pg_effects(struct bytes body, const struct sql_options *options, const struct effect_names *names);

/* Of an SQL function's: statements; or as the server prints one that it keeps parsed, RETURN ... or BEGIN ATOMIC ... END. */
unsigned body_pg_sql_effects(struct bytes body, const struct sql_options *options, struct arena *arena,
                             const struct effect_names *names);

#endif
