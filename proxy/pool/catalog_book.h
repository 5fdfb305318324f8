/*
 * catalog_book.h - what each database's names stand for (routing/catalog.h), as far as this worker knows, and for how long.
 *
 *      nothing known -> wanted -> being read, over a connection that has just become free -> known -> old -> checked or read again
 *
 * It is read when some text wants to know; from then on it is checked before it is `refresh` old, and whenever a
 * client of gilmok has changed what names stand for, on any worker. Before it was read for the first time nobody is leased a
 * connection: code may set what no look could ask for. While it may be out of date, or could not be read, every text is taken to
 * leave something, and looked after.
 *
 * Where pools split reads from writes, what routing wants to know of the database (routing/known_pg.h) is read behind it, over the
 * same connection: as one errand, checked by one digest. Nobody waits for that; without it everything stays on the primary. Servers
 * older than version 12 are not asked.
 */
#ifndef GILMOK_PROXY_POOL_CATALOG_BOOK_H
#define GILMOK_PROXY_POOL_CATALOG_BOOK_H

#include <stdatomic.h>

#include "proxy/pool/pool.h"
#include "routing/catalog_pg.h"
#include "routing/known_pg.h"

enum {
    CATALOG_RETRY_MS = 30000,  /* after it could not be read */
    CATALOG_ANSWER_MS = 65000, /* the server itself ends a query of it after a minute */
    CATALOG_FACTS_VERSION_MIN = 120000,
};

/*
 * One for each database of each server, as its pools want it judged: those that split reads from writes have one by each two lists
 * of functions, beside the one of those that do not.
 */
struct catalog_entry {
    struct catalog *now;    /* owned; NULL: none was read yet */
    struct known_pg *known; /* owned; NULL: not wanted, or not known */
    uint64_t version;       /* of both; no two of a worker have the same, and none has 0 */
    char digest[CATALOG_PG_DIGEST_MAX]; /* of `now` */
    uint64_t checked_us;    /* when it was last known to be true */
    uint64_t changes;       /* that were seen (catalog_change.h) before it was last read or checked */
    uint64_t failed_us;     /* 0, or when the last attempt failed */
    bool is_wanted;
    bool is_under_way;
    bool wants_facts;
    const struct subscribers *subscribers; /* whose tables are marked in `known`; borrowed; NULL: nobody's */
    char *read_functions, *write_functions; /* to judge by, with facts; owned */
    uint64_t facts_failed_us; /* as failed_us, of the facts alone */
};

/* One reading or check. Lives as long as it is under way. */
struct catalog_reading {
    struct catalog_entry *entry;
    struct catalog *coming; /* owned; NULL: a check, or facts */
    struct known_pg *facts; /* owned; NULL: not their turn */
    char digest[CATALOG_PG_DIGEST_MAX];
    bool has_digest;
    bool has_failed; /* a row was not what it should be, or memory is out */
    uint64_t changes;
    struct arena arena;
};

/* The entry of a pool's database. NULL: memory is out. */
struct catalog_entry *catalog_book_entry(struct pool *p);
/* A pool has it no more. */
void catalog_book_leave(struct pool_set *set, struct catalog_entry *e);
void catalog_book_release(struct pool_set *set);

/* What is known and holds; NULL: nothing. */
const struct catalog *catalog_entry_current(const struct catalog_entry *e, const struct pool *p);
/*
 * What functions and relations of the pool's database are, where the pool wants to know and that is known and holds; else NULL, and
 * who asks makes it be read. To be used before this worker does anything else.
 */
const struct classify_facts *catalog_entry_facts(const struct catalog_entry *e, const struct pool *p);
/* It may stand for something else by now: it is checked before it is used again. */
void catalog_entry_doubt(struct catalog_entry *e);

/* Nothing is known yet of a pool's database, and should be before anybody uses a connection. */
bool catalog_is_hoped_for(struct pool *p);
static inline bool catalog_is_awaited(struct pool *p) {
    return !(p->catalog && p->catalog->now) && catalog_is_hoped_for(p);
}

/* Asked each time that a connection becomes free. */
bool catalog_reading_is_due(const struct pool *p);
/* The reading that is due, with its query in `w`; NULL: memory is out. */
struct catalog_reading *catalog_reading_begin(struct pool *p, struct writer *w, uint32_t version);
/* One row's columns. */
void catalog_reading_row(struct catalog_reading *r, const struct bytes row[CATALOG_PG_COLUMNS]);
/* It comes to nothing: the connection is lost, or memory is out. Frees it. */
void catalog_reading_fail(struct catalog_reading *r, const struct pool *p);
/* All rows are in, or `is_ok` is false. True: more is to be read, by the query in `w`; false: it is over, and `r` freed. */
MUST_USE bool catalog_reading_end(struct catalog_reading *r, struct pool *p, bool is_ok, struct writer *w, uint32_t version);

#endif
