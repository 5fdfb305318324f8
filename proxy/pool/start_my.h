/*
 * start_my.h - what a MySQL connection begins with, and how it is asked for it. Pure.
 *
 * Behind its login, and whenever its session has begun anew, a connection that goes from client to client is told to report what
 * statements change (START_MY_TRACK), and asked for what a client's own settings are measured against (START_MY_ASK).
 *
 * Source: tried on MariaDB 10.11; MySQL's and MariaDB's chapters on session tracking.
 */
#ifndef GILMOK_PROXY_POOL_START_MY_H
#define GILMOK_PROXY_POOL_START_MY_H

#include "base/bytes.h"

/*
 * The variables that servers report anyway, and sql_mode, whose value decides how texts are read. What else statements change is
 * told by "something has changed", without a name.
 */
#define START_MY_TRACK                                                                                                           \
    "SET SESSION session_track_schema=1, session_track_state_change=1, session_track_system_variables="                          \
    "'autocommit,character_set_client,character_set_connection,character_set_results,time_zone,sql_mode'"
#define START_MY_ASK                                                                                                             \
    "SELECT @@sql_mode, @@character_set_client, @@character_set_results, @@collation_connection, @@global.character_set_client, " \
    "@@global.character_set_results, @@global.collation_connection, @@version"

enum start_my_field {
    START_MY_SQL_MODE,
    START_MY_CLIENT, /* character_set_client */
    START_MY_RESULTS, /* character_set_results: may be NULL */
    START_MY_COLLATION, /* collation_connection */
    START_MY_GLOBAL_CLIENT,
    START_MY_GLOBAL_RESULTS,
    START_MY_GLOBAL_COLLATION,
    START_MY_VERSION,
    START_MY_FIELDS,
};

/* One allocation, immutable, shared by who has a reference. Of one thread at a time. */
struct start_my {
    uint32_t refs;
    struct bytes fields[START_MY_FIELDS]; /* behind it; ptr NULL: the server says NULL */
};

/* Of the row that answers START_MY_ASK. NULL: it is malformed, a name in it is not one, or memory is out. One reference. */
struct start_my *start_my_read(struct bytes row);
struct start_my *start_my_ref(struct start_my *s);
void start_my_unref(struct start_my *s); /* NULL is fine */
/* One that nobody else refers to; takes the caller's reference. NULL: memory is out, and the reference is gone. */
struct start_my *start_my_own(struct start_my *s);
/* True when a client finds the same on both: all but the version. */
bool start_my_is_same(const struct start_my *a, const struct start_my *b);

#endif
