/*
 * statements_my.h - which statements are prepared on a MySQL connection, by their text: whoever leases it uses them. Pure.
 *
 * At most `max` are kept; who was not used for the longest time gives way. Types of parameters are those of the latest EXECUTE:
 * a client that does not send its own relies on them.
 *
 * A statement stays where it is until it is removed, or until _add or _shed names its id as one to be closed.
 */
#ifndef GILMOK_PROXY_POOL_STATEMENTS_MY_H
#define GILMOK_PROXY_POOL_STATEMENTS_MY_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"

struct statement_my {
    struct list node;     /* in statements_my.used, the latest first */
    uint32_t id;          /* the server's */
    uint16_t parameters, columns;
    uint8_t *types;       /* owned; 2 bytes a parameter; NULL: never executed, or nothing to have a type */
    bool is_kept;         /* it never gives way: something is kept inside of it on the server */
    uint32_t text_len;
    uint8_t text[];       /* a copy */
};

struct statements_my {
    struct map by_text;
    struct list used;
    uint32_t count;
};

void statements_my_init(struct statements_my *s);
void statements_my_release(struct statements_my *s); /* forgets all, tells nobody; zeroes are fine */

/* NULL: it is not prepared there. Counts as used. */
struct statement_my *statements_my_find(struct statements_my *s, struct bytes text);
/*
 * It is prepared there now, under this id. *closes: the id of a statement that is to be closed instead (one with the same text, or
 * the one that was not used for the longest time where there are more than `max`), 0: none; ids of servers begin at 1. NULL: memory
 * is out, and nothing has changed. Never the new one itself: max counts as 1 at least.
 */
struct statement_my *statements_my_add(struct statements_my *s, struct bytes text, uint32_t id, uint16_t parameters,
                                       uint16_t columns, uint32_t max, uint32_t *closes);
/*
 * Forgets the one that was not used for the longest time where there are more than `max`, which counts as 1 at least; its id is to
 * be closed. 0: there are no more. For a `max` that has become smaller: _add alone makes room for the new one only.
 */
uint32_t statements_my_shed(struct statements_my *s, uint32_t max);
/* The same one under another text, under which there is none. NULL: memory is out, and nothing has changed. */
struct statement_my *statements_my_rename(struct statements_my *s, struct statement_my *statement, struct bytes text);
void statements_my_remove(struct statements_my *s, struct statement_my *statement);
/* The types that it was executed with, 2 bytes a parameter. False: memory is out, and none are known. */
MUST_USE bool statements_my_keep_types(struct statement_my *statement, const uint8_t *types);

#endif
