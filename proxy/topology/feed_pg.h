/*
 * feed_pg.h - is a subscriber of logical replication a copy of its primary, as far as some tables go: the two questions. Pure.
 *
 * The first one goes to the subscriber, the second one to the primary, each in the database that has the tables. A copy counts when
 *
 *  - the subscription is enabled, has a slot, and brings each table, whose first copying is over;
 *  - its publications bring all rows and columns of each table, and every kind of change;
 *  - each table is an ordinary one on both sides, without row security, partitions and children, with the same columns in the same
 *    order, all of the server's own types; and no other relation of the subscriber has its name;
 *  - both sides are alike in what decides how an expression is computed and shown: major version, locale, settings;
 *  - neither side has functions, operators, casts or types that an expression over the server's own types could mean instead.
 *
 * How far it is, the primary says: what the subscription's walsender has been told to be applied *and written to disk*. By default
 * a subscriber's commits are not waited for: what it has applied it may lose again when it crashes, and the walsender may not know.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_FEED_PG_H
#define GILMOK_PROXY_TOPOLOGY_FEED_PG_H

#include "base/writer.h"

enum { FEED_PG_QUERY_MAX = 16 << 10 };

/*
 * $1: the tables as an array of "schema.table"; $2: the subscription. One row: what is wrong (NULL: nothing), digests of all that
 * must be alike, the slot, the publications. The server has that version.
 */
enum { FEED_PG_COPY_COLUMNS = 4, FEED_PG_COPY_PARAMS = 2 };
void feed_pg_put_copy_query(struct writer *w, uint32_t version);

/*
 * $1 as above; $2: the digests, $3: the slot, $4: the publications, as the subscriber tells them. One row: what is wrong, and the
 * position as a number. The server has that version.
 */
enum { FEED_PG_SOURCE_COLUMNS = 2, FEED_PG_SOURCE_PARAMS = 4 };
void feed_pg_put_source_query(struct writer *w, uint32_t version);

#endif
