/*
 * description_pg.h - what a prepared statement takes and returns, as one number.
 *
 * The server answers Describe with ParameterDescription ('t') and RowDescription ('T')
 * or NoData ('n'). Two preparations of one source are interchangeable for a client when
 * parameter types, and names, types, sizes and modifiers of the columns agree: what the
 * server compares, too, before it says "cached plan must not change result type". The
 * numbers of tables and their columns do not count: a table made anew has others.
 *
 * Fed with bodies in pieces of any size. Keeps the parameter types: a statement that is
 * prepared again must not have them chosen anew.
 */
#ifndef GILMOK_PROXY_POOL_DESCRIPTION_PG_H
#define GILMOK_PROXY_POOL_DESCRIPTION_PG_H

#include "base/writer.h"

struct description_pg {
    uint64_t digest;
    uint8_t type;   /* of the message that is being fed */
    uint32_t at;    /* bytes of its column count, or of a column's fixed part, that have been seen */
    bool is_in_name;
    struct writer parameters; /* the body of ParameterDescription: count and types, just as a Parse ends with them */
};

void description_pg_init(struct description_pg *d);
void description_pg_release(struct description_pg *d);
/* Another description begins. */
void description_pg_begin(struct description_pg *d);
/* A message of type 't', 'T' or 'n' begins. */
void description_pg_message(struct description_pg *d, uint8_t type);
void description_pg_feed(struct description_pg *d, struct bytes piece);
/* All of it has been fed: the digest is complete. */
void description_pg_end(struct description_pg *d);
/* Of a complete one: does the statement return rows? */
static inline bool description_pg_has_columns(uint64_t digest) {
    return digest & 1;
}

#endif
