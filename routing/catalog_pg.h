/*
 * catalog_pg.h - how a PostgreSQL database tells what its names stand for: the query, and what its rows mean. Pure.
 *
 * Functions in SQL and PL/pgSQL are judged by their bodies (body_pg.h), those in C by the library that they come from, all others
 * may leave anything. What relations run is read from the trees that the server keeps of views, rules, defaults, checks,
 * policies and index expressions, from triggers, and from foreign keys and partitions, which write other relations.
 *
 * Both queries are several statements of one transaction: what they see is of one moment, and nothing of what a client
 * has set decides what they find. Every row has CATALOG_PG_COLUMNS columns, the first of which says what it is.
 */
#ifndef GILMOK_ROUTING_CATALOG_PG_H
#define GILMOK_ROUTING_CATALOG_PG_H

#include "base/writer.h"
#include "routing/catalog.h"

enum { CATALOG_PG_COLUMNS = 4, CATALOG_PG_QUERY_MAX = 16 << 10, CATALOG_PG_ROW_MAX = 1 << 20, CATALOG_PG_DIGEST_MAX = 1024 };

/* One row: a text that is another one when anything has changed that matters here or to known_pg.h. */
void catalog_pg_put_check(struct writer *w);
/* That row, and everything else. The server has version 12 at least; `version` is 150000 for 15. */
void catalog_pg_put_query(struct writer *w, uint32_t version);

/* Takes a row into the catalog; its memory is borrowed. `arena` is used and left as it is. False: it is no row of these. */
MUST_USE bool catalog_pg_take(struct catalog *c, const struct bytes row[CATALOG_PG_COLUMNS], struct arena *arena);
/* True for the row with that text, which is the second column. */
bool catalog_pg_is_digest(const struct bytes row[CATALOG_PG_COLUMNS]);

#endif
