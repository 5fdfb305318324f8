/*
 * function_my.h - MySQL's and MariaDB's own functions: what a call leaves behind in its session.
 *
 * functions_my.txt is the source. A server's own function comes before a stored one of the same name; a name that the server's
 * version does not have yet, or no longer, may be anybody's.
 */
#ifndef GILMOK_ROUTING_FUNCTION_MY_H
#define GILMOK_ROUTING_FUNCTION_MY_H

#include "parser/dialect.h"

enum function_my_kind {
    FUNCTION_MY_UNKNOWN, /* none of the server's own */
    FUNCTION_MY_PLAIN,
    FUNCTION_MY_ADJACENT, /* plain; one of the server's own only where the parenthesis follows at once, or under IGNORE_SPACE */
    FUNCTION_MY_LOCK,
    FUNCTION_MY_LAST_INSERT_ID,
    FUNCTION_MY_ROW_COUNT,
    FUNCTION_MY_FOUND_ROWS,
    FUNCTION_MY_LASTVAL,
};

/* Of a name without a schema, in any case. */
enum function_my_kind function_my_find(struct bytes name, const struct sql_options *options);

#endif
