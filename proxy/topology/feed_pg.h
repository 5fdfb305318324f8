/*
 * feed_pg.h - is a subscriber of logical replication a copy of its primary, as far as some tables go: the two questions. Pure.
 *
 * The first one goes to the subscriber, the second one to the primary, each in the database that has the tables. A copy counts when
 *
 *  - the subscription is enabled, has a slot, receives, and brings each table, whose first copying is over;
 *  - its publications bring all rows and columns of each table, and every kind of change;
 *  - each table is an ordinary one on both sides, without row security, partitions and children, with the same columns in the same
 *    order, all of the server's own types; and no other relation of the subscriber has its name, no trigger there meddles;
 *  - both sides are alike in what decides how an expression is computed and shown: major version, locale, settings;
 *  - neither side has functions, operators, casts or types that an expression over the server's own types could mean instead, and
 *    those about types of the database's own are the same on both.
 *
 * How far it is, the primary says: what the subscription's walsender has been told to be applied *and written to disk*. By default
 * a subscriber's commits are not waited for: what it has applied it may lose again when it crashes, and the walsender may not know.
 *
 * What follows from one answer and the ones before it: feed.h.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_FEED_PG_H
#define GILMOK_PROXY_TOPOLOGY_FEED_PG_H

#include "base/writer.h"

enum { FEED_PG_QUERY_MAX = 16 << 10 };

/* What the columns of an answer are. Positions are numbers; NULL where there is none. */
enum feed_pg_copy_column {
    FEED_COPY_TROUBLE, /* NULL: none */
    FEED_COPY_DIGESTS, /* of all that must be alike */
    FEED_COPY_MISSING, /* what rows from before a column was added have in it */
    FEED_COPY_FILLED,  /* which columns have a default */
    FEED_COPY_SLOT,
    FEED_COPY_PUBLICATIONS,
    FEED_COPY_COPIED,  /* feed_take_copied() */
    FEED_COPY_GAP,     /* why something was left out; NULL: nothing */
    FEED_COPY_RECEIVED, /* what has come, of the primary's log */
    FEED_COPY_WRITTEN,  /* its own log on disk */
    FEED_COPY_INSERTED, /* ... and what is on its way there, as of behind the next */
    FEED_COPY_BEAT,     /* the last one that it has; NULL: none */
    FEED_PG_COPY_COLUMNS
};

/*
 * $1: the tables as an array of "schema.table"; $2: an array of the functions that a text for a subscriber may call, by their names
 * alone; $3: the subscription. One row. The server has that version.
 */
enum { FEED_PG_COPY_PARAMS = 3 };
void feed_pg_put_copy_query(struct writer *w, uint32_t version);

enum feed_pg_source_column {
    FEED_SOURCE_TROUBLE, /* NULL: none */
    FEED_SOURCE_TABLES,  /* feed_take_tables() */
    FEED_SOURCE_HAS_SLOT,
    FEED_SOURCE_SENDER,  /* the walsender's process; NULL, like the next two: there is none */
    FEED_SOURCE_SENT,
    FEED_SOURCE_FLUSHED,
    FEED_PG_SOURCE_COLUMNS
};

/*
 * $1 and $2 as above; $3: the slot, $4: the publications, $5: the digests, $6: what is missing, $7: what is filled in, as the
 * subscriber tells them. One row. The server has that version.
 */
enum { FEED_PG_SOURCE_PARAMS = 7, FEED_PG_SOURCE_BEAT_PARAMS = 6 };
void feed_pg_put_source_query(struct writer *w, uint32_t version);

/*
 * The same, where something else than a subscription brings the tables, in the order of the primary's commits. The question to the
 * primary writes a beat into a table of this form, which is brought like the others; the subscriber is asked which it has:
 *
 *      (gilmok bigint PRIMARY KEY, beat bigint NOT NULL, at timestamptz NOT NULL)
 *
 * Copy: $3 is gilmok's own key. Source: $3 the key, $4 the beat, $5 and $6 as above; there are no tables and no walsender in its
 * answer, and no slot, publications, copies and received position in the other. `heartbeat`: schema and table.
 */
struct feed_pg_heartbeat {
    struct bytes schema, table;
};
void feed_pg_put_copy_beat_query(struct writer *w, uint32_t version, const struct feed_pg_heartbeat *heartbeat);
void feed_pg_put_source_beat_query(struct writer *w, uint32_t version, const struct feed_pg_heartbeat *heartbeat);

#endif
