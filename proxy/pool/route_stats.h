/*
 * route_stats.h - where the exchanges of a database with read_write_split went, and why those on the primary are there.
 *
 * Counted by the worker that holds the share, when an exchange is answered: one number goes up, without a lock. A reason is one of
 * the session's, or the decisive one of its texts (routing/classify_why.h).
 */
#ifndef GILMOK_PROXY_POOL_ROUTE_STATS_H
#define GILMOK_PROXY_POOL_ROUTE_STATS_H

#include "base/build.h"
#include "routing/classify_why.h"

/* X(CONSTANT, word for counters, what an operator reads). The first one is at a replica, all others on the primary. */
#define ROUTE_REASONS(X)                                                                                                \
    X(READS, "reads", "it reads, and a replica has answered")                                                          \
    X(TRANSACTION, "transaction", "a transaction is open, and all of it runs where it began")                          \
    X(SESSION_POOLING, "session_pooling", "the client has its connection for as long as it stays")                     \
    X(PREPARED, "prepared_statement", "the client has a prepared statement that no other connection can be given")     \
    X(SETTINGS, "settings", "the client has settings that cannot be made elsewhere, or are not known")                 \
    X(UNNAMED, "unnamed_statement", "the client has an unnamed statement that only its connection has")                \
    X(TEMP, "temporary_objects", "the client has temporary objects")                                                   \
    X(LOCKS, "advisory_locks", "the client has advisory locks")                                                        \
    X(LISTEN, "listen", "the client listens on its connection")                                                        \
    X(CURSOR, "cursor_with_hold", "the client has a cursor WITH HOLD")                                                           \
    X(SQL_PREPARED, "sql_prepare", "the client has statements that functions of its own have prepared")                \
    X(STAYS, "session_state", "the client has left something that nothing undoes: LOAD, setseed")                      \
    X(PROBE, "probe", "gilmok looks at what the statement before it has left behind")                                  \
    X(HELD, "held", "the client holds its connection")                                                                 \
    X(PIPELINED, "pipelined", "it came before the answer to the one in front of it")                                   \
    X(RETRIED, "retried", "a replica would not run it")                                                                \
    X(UNFIT, "refused_before", "a replica has refused such a text since the database's code last changed")                  \
    X(CATALOG, "catalog_unknown", "it is not known yet, or not any more, what the names of the database stand for")    \
    X(NO_REPLICA, "no_replica", "no replica can be used now")                                                          \
    X(STALE, "stale", "no replica is known to have all that it must find (read_consistency)")                          \
    X(NODE, "node_hint", "the node that it asks for (node=NAME) cannot serve it now")                                   \
    X(SHARE, "primary_share", "the primary has a part in the reads (primary_share)")                                   \
    X(NOT_IN_HAND, "not_in_hand", "not all of it had come in, or it is longer than inspect_limit")                     \
    X(STATEMENT, "unknown_statement", "it runs a prepared statement of which gilmok does not have the text")           \
    X(OTHER_MESSAGE, "other_message", "other messages are among it: Flush, a function call, an earlier portal")        \
    X(SETTING, "gilmok_route", "gilmok.route keeps the session's reads there")                                         \
    X(LEAVES, "leaves_something", "it may leave something in its session")

enum route_reason {
#define ROUTE_ENUM(constant, word, text) ROUTE_##constant,
    ROUTE_REASONS(ROUTE_ENUM)
#undef ROUTE_ENUM
    ROUTE_TEXT, /* and those of texts behind it */
    ROUTE_REASON_COUNT = ROUTE_TEXT + CLASSIFY_WHY_COUNT,
};

static_assert(ROUTE_REASON_COUNT <= 256, "a session keeps it in a byte");

struct route_stats {
    uint64_t exchanges[ROUTE_REASON_COUNT];
};

static inline enum route_reason route_reason_of_text(enum classify_why why) {
    return (enum route_reason)(ROUTE_TEXT + why);
}

/* A word without spaces: "advisory_locks", "locks_rows". */
enum { ROUTE_WORD_MAX = 32 };
const char *route_reason_word(enum route_reason reason, char out[ROUTE_WORD_MAX]);
/* "the client has advisory locks". Static. */
const char *route_reason_text(enum route_reason reason);
void route_stats_add(struct route_stats *sum, const struct route_stats *more);

#endif
