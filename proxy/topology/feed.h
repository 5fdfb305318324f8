/*
 * feed.h - what the answers about a subscriber (feed_pg.h) come to, one behind the other: has each of its tables been brought ever
 * since it was copied, and is the stream that the primary tells of its own? Pure.
 *
 * A table that was not brought for a while is no copy any more, whatever the next answer says: until its subscription has copied
 * it anew, which gives it another position. So it is when the table was written anew with other columns at the primary, when
 * another one has its name, and for all tables when either side is on another timeline or the subscriber has come from a backup.
 * What is compared is what was seen of the same copy: a new one begins anew.
 *
 * The primary knows a subscription by the name of its slot alone; the subscriber, by no number of the primary's. So both are asked
 * for positions: what has been received lies between what was said to be written, earlier, and what is sent, later.
 *
 * Nothing is known before the first answers: what happened while nobody looked is not noticed.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_FEED_H
#define GILMOK_PROXY_TOPOLOGY_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/config.h"

enum { FEED_TABLE_NAME_SIZE = 2 * CONFIG_TABLE_NAME_MAX + 2 /* "schema.table" */ };

/* As the primary has it; zeroed: not known. */
struct feed_origin {
    uint64_t relation, file; /* its number, and that of its file: another one when all of it was written anew */
    uint64_t changes;        /* a digest of all that was ever done to its columns */
    uint64_t brought_by;     /* which entry of a publication; 0: none */
    uint64_t numbers;        /* of columns that were ever given */
    uint64_t columns, newest; /* how many there are, and the highest number among theirs */
    uint64_t is_alike;       /* the subscriber has the same columns now */
    uint64_t is_filled_alike; /* ... and the same in rows from before one of them was added, as far as it is known */
    uint64_t has_more;       /* the subscriber has a column that it lacks, and fills something into rows that come */
};
enum { FEED_ORIGIN_NUMBERS = 10 };

/* Of one table; all but the name and `lost` is about the latest copy. */
struct feed_table {
    char name[FEED_TABLE_NAME_SIZE];
    uint64_t lost;   /* the latest copy that is none any more, as `copied`; 0: there is none */
    const char *why; /* of `lost` */
    uint64_t copied; /* the position at which its subscription had copied it; 0: not known */
    uint32_t timeline, origin_timeline; /* of the subscriber, and of the primary; 0: not known */
    uint64_t written; /* the subscriber's own log, on disk */
    uint64_t numbers, columns; /* as in its origin, when columns were last alike; 0: they never were */
    struct feed_origin origin;
};

struct feed_record {
    struct feed_table tables[CONFIG_TABLES_MAX];
    uint32_t count;
    uint64_t received; /* as the subscriber has told last */
    uint64_t flushed;  /* as `sender` has told at most */
    uint64_t sender;   /* the walsender's process; 0: not known */
    unsigned doubts;   /* answers in a row with less sent than was received */
    bool is_proven;    /* it is the subscriber's own */
};

/* What a subscriber shows of the beats that were written at its primary. */
struct feed_beats {
    uint64_t safe;      /* up to this one it would have everything even after a crash; 0: none */
    uint64_t seen, end; /* a later one, and the end of its own log then; 0: there is none */
};

/* It has that beat; it has inserted that much of its own log, and written that much to disk. */
void feed_take_beat(struct feed_beats *b, uint64_t beat, uint64_t inserted, uint64_t written);

/* A table more, without anything known of it. False: there are too many, or the name is too long. */
MUST_USE bool feed_add_table(struct feed_record *r, struct bytes schema, struct bytes table);
/* What is known of tables of these names, and of all the rest. */
void feed_inherit(struct feed_record *r, const struct feed_record *old);

/* The subscriber's answer: a number for each table, with a space between; 0: it was not copied. False: it has another form. */
MUST_USE bool feed_take_copied(struct feed_record *r, const char *numbers);
/* Of the same. NULL: nothing is wrong; else what is. */
const char *feed_take_subscriber(struct feed_record *r, uint32_t timeline, uint64_t written, uint64_t received);

/* All tables have missed something, for that reason; it lasts. */
void feed_lose_all(struct feed_record *r, const char *why);

/* The primary's: the numbers of struct feed_origin for each table, in that order; a relation of 0: there is no such table. */
MUST_USE bool feed_take_tables(struct feed_record *r, uint32_t timeline, const char *numbers);
/* Of the same. NULL: nothing is wrong. It is its own once is_proven; until then the subscriber must be asked once more. */
const char *feed_take_sender(struct feed_record *r, uint64_t sender, uint64_t sent, uint64_t flushed);
/* Another primary. */
void feed_forget_sender(struct feed_record *r);

/* A table that must be copied anew; NULL: there is none. */
const struct feed_table *feed_lost(const struct feed_record *r);

#endif
