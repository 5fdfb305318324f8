/*
 * variable_my.h - system variables of MySQL's and MariaDB's sessions: what setting one leaves behind.
 *
 * variables_my.txt is the source. Servers of either kind and any version have one table: of a variable that a server does not
 * have it refuses the SET.
 */
#ifndef GILMOK_ROUTING_VARIABLE_MY_H
#define GILMOK_ROUTING_VARIABLE_MY_H

#include "parser/dialect.h"

enum variable_my_kind {
    VARIABLE_MY_UNKNOWN,   /* setting it may do anything to its connection */
    VARIABLE_MY_PLAIN,     /* can be set again on any connection; DEFAULT puts it back */
    VARIABLE_MY_ISOLATION, /* likewise; @@ in front without a scope is about the next transaction alone */
    VARIABLE_MY_NEXT,      /* is about what comes next */
    VARIABLE_MY_INSERT_ID, /* is what LAST_INSERT_ID() gives */
};

/* Of a name in lower case. */
enum variable_my_kind variable_my_find(struct bytes name);

/* What the server calls a variable of VARIABLE_MY_ISOLATION that has two names. Static. */
struct bytes variable_my_isolation_name(bool is_read_only, const struct sql_options *options);

/*
 * MySQL keeps these as their opposites, and DEFAULT turns them off, whatever their global values are (tried on 9.7.4). What a
 * session begins with is @@GLOBAL.name of them, on either server.
 */
bool variable_my_has_odd_default(struct bytes name);

#endif
