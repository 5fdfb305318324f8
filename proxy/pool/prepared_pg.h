/*
 * prepared_pg.h - the prepared statements that gilmok keeps on one server connection.
 *
 * An entry is one preparation of a statement: a source, parsed at some time, and what
 * the server then said it takes and returns (description_pg.h). After DDL the same
 * source may be there twice, with different descriptions: each client keeps meeting
 * the one it prepared, or learns that it is gone.
 *
 *      new --(ParseComplete, description)--> settled, found by (statement, description)
 *       |                                      |
 *       '-- error: dropped                     '-- surplus: least recently used, or a
 *                                                  second one of the same description
 *
 * Names end with a number that this connection has not used before: a preparation
 * never has the name of another.
 */
#ifndef GILMOK_PROXY_POOL_PREPARED_PG_H
#define GILMOK_PROXY_POOL_PREPARED_PG_H

#include "base/list.h"
#include "proxy/pool/statement_pg.h"

enum { PREPARED_PG_NAME_MAX = STATEMENT_PG_NAME_LEN + 1 + 8 + 1 };

struct prepared_pg {
    struct list node; /* in prepared_set_pg.recent once settled, before in .unsettled */
    struct statement_pg *statement; /* one reference */
    uint64_t description;
    bool is_settled; /* described; only then may it be surplus */
    bool is_spare;   /* another one has the same description */
    char name[PREPARED_PG_NAME_MAX];
};

struct prepared_set_pg {
    struct map known;   /* (statement, description) -> struct prepared_pg */
    struct list recent; /* settled ones, most recently used first; spare ones last */
    struct list unsettled;
    uint32_t count;     /* settled and not */
    uint32_t spares;
    uint32_t next;      /* number of the next name */
};

void prepared_pg_init(struct prepared_set_pg *set);
void prepared_pg_release(struct prepared_set_pg *set);

/* The preparation with this description, now the most recently used; or NULL. */
struct prepared_pg *prepared_pg_find(struct prepared_set_pg *set, const struct statement_pg *st, uint64_t description);
/* The one of this name, settled or not; or NULL. */
const struct prepared_pg *prepared_pg_named(const struct prepared_set_pg *set, struct bytes name);
/* Some settled one that returns rows; or NULL. */
const struct prepared_pg *prepared_pg_with_rows(const struct prepared_set_pg *set);
/* A new one, to be parsed under its name. NULL: memory is out. */
struct prepared_pg *prepared_pg_new(struct prepared_set_pg *set, struct statement_pg *st);
/* It has been parsed and described. */
void prepared_pg_settle(struct prepared_set_pg *set, struct prepared_pg *p, uint64_t description);
/* It has been parsed, but what it returns was not learned: nobody will find it, and it is surplus. */
void prepared_pg_give_up(struct prepared_set_pg *set, struct prepared_pg *p);
/* It does not exist (any more) on the server. */
void prepared_pg_drop(struct prepared_set_pg *set, struct prepared_pg *p);
/* All settled ones are gone from the server. */
void prepared_pg_clear(struct prepared_set_pg *set);
/* The others too: nobody is about to settle them any more. */
void prepared_pg_clear_unsettled(struct prepared_set_pg *set);
/* One that should be closed: a spare one, or beyond `max` the least recently used one, unless no other is settled. NULL: none. */
struct prepared_pg *prepared_pg_surplus(struct prepared_set_pg *set, uint32_t max);

#endif
