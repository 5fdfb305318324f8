/*
 * explain_pg.h - EXPLAIN (ROUTE) statement: a question to gilmok, not to the server. Pure.
 */
#ifndef GILMOK_ROUTING_EXPLAIN_PG_H
#define GILMOK_ROUTING_EXPLAIN_PG_H

#include "parser/parser.h"

/* By its first byte: false for nearly all that are none. */
static inline bool explain_pg_may_start(struct bytes text) {
    switch (text.len ? text.ptr[0] : 0) {
    case 'e': case 'E': case ' ': case '\t': case '\n': case '\r': case '\f': case '\v': case '-': case '/': case ';': return true;
    default: return false;
    }
}

/*
 * True for a text that asks so and does nothing else: one statement, with ROUTE as the only option. `*out` is what it asks about,
 * to the text's end. What is written otherwise is the server's to refuse: it knows no such option.
 */
bool explain_pg_asks_route(struct bytes text, const struct sql_options *options, struct bytes *out);

#endif
