/*
 * classify_why.h - every reason why a part of a text may go to a replica or not, with the place that it asks for.
 */
#ifndef GILMOK_ROUTING_CLASSIFY_WHY_H
#define GILMOK_ROUTING_CLASSIFY_WHY_H

/* Where a text belongs; of several the greater one wins. */
enum classify_place {
    CLASSIFY_REPLICA, /* any server of the cluster may answer */
    CLASSIFY_PRIMARY,
    CLASSIFY_SESSION, /* it leaves something in its session, or needs what is there: the connection that the client has */
    CLASSIFY_REFUSED, /* gilmok itself does not pass it on; nothing yet */
};

/* What a reason is about. */
enum classify_about {
    CLASSIFY_STATEMENT,
    CLASSIFY_TABLE, /* any relation */
    CLASSIFY_FUNCTION,
    CLASSIFY_CLAUSE,
    CLASSIFY_OPERATOR,
    CLASSIFY_TYPE,
    CLASSIFY_THE_SETTING,
    CLASSIFY_HINT, /* a word of a comment (hint.h) */
};

/* X(CONSTANT, place, what an operator reads) */
#define CLASSIFY_WHYS(X)                                                                                                \
    X(NOTHING, REPLICA, "there is nothing to run")                                                                     \
    X(READS, REPLICA, "reads")                                                                                         \
    X(RUNS_ANOTHER, REPLICA, "runs what it explains")                                                                  \
    X(PLANS, REPLICA, "plans, and runs nothing")                                                                       \
    X(TABLE_ASSUMED, REPLICA, "taken for an ordinary table: no server was asked")                                      \
    X(TABLE_KNOWN, REPLICA, "an ordinary table")                                                                       \
    X(VIEW_KNOWN, REPLICA, "all that its definition reads and calls is safe")                                          \
    X(CATALOG, REPLICA, "the server's own catalog, the same on a replica")                                             \
    X(FUNCTION_OWN, REPLICA, "the server's own, immutable or stable")                                                  \
    X(FUNCTION_FRESH, REPLICA, "volatile, but the server's own, and writes nothing")                                   \
    X(FUNCTION_CAST, REPLICA, "a cast to one of the server's own types")                                               \
    X(FUNCTION_PROVEN, REPLICA, "reads, as the catalog says")                                                    \
    X(FUNCTION_LISTED, REPLICA, "one of read_functions")                                                               \
    X(SAMPLES, REPLICA, "samples rows, and writes nothing")                                                            \
    X(TYPE_ASSUMED, REPLICA, "taken for a type without code of its own: no server was asked")                          \
    X(SETTING_EVERYWHERE, REPLICA, "follows the client to any server")                                                 \
    X(HINT_TAKEN, REPLICA, "the text asks for it")                                                                     \
    X(HINT_UNKNOWN, REPLICA, "not known, and ignored")                                                                 \
    X(HINT_PRIMARY, PRIMARY, "the text asks for it")                                                                   \
    X(NOT_READ, PRIMARY, "cannot be read by gilmok, and the server is the judge of it")                                \
    X(OUT_OF_MEMORY, PRIMARY, "memory for reading it is out")                                                          \
    X(OTHER_DIALECT, PRIMARY, "no PostgreSQL: what reads there is not known yet")                                      \
    X(WRITES, PRIMARY, "writes")                                                                                       \
    X(CHANGES, PRIMARY, "changes what is in the database")                                                             \
    X(MAINTAINS, PRIMARY, "maintains what is on disk")                                                                 \
    X(RUNS_CODE, PRIMARY, "runs code that may write")                                                                  \
    X(NOTIFIES, PRIMARY, "a replica does not notify")                                                                  \
    X(LOCKS_TABLES, PRIMARY, "locks tables")                                                                           \
    X(LOCKS_ROWS, PRIMARY, "locks rows, which is a write")                                                             \
    X(MAKES_TABLE, PRIMARY, "makes a table")                                                                           \
    X(USES_FILES, PRIMARY, "a file or a program of the server's machine")                                              \
    X(BEGINS_TRANSACTION, PRIMARY, "begins a transaction: what is in it decides")                                      \
    X(OTHER_STATEMENT, PRIMARY, "not known to read")                                                                   \
    X(OTHER_CLAUSE, PRIMARY, "a part of the grammar that is not known to read")                                        \
    X(MANY_CTES, PRIMARY, "more names in WITH than gilmok looks through")                                              \
    X(TABLE_NODE, PRIMARY, "speaks of the server that it is read on")                                                  \
    X(TABLE_AHEAD, PRIMARY, "a sequence on a replica is ahead of the primary's")                                       \
    X(TABLE_OWN_UNKNOWN, PRIMARY, "the server's own by its name, and not known to gilmok")                             \
    X(TABLE_NONE, PRIMARY, "not in the catalog: temporary, or new, or missing")                                        \
    X(TABLE_UNKNOWN, PRIMARY, "not known")                                                                             \
    X(TABLE_FOREIGN, PRIMARY, "a foreign table: its rows come from outside of the cluster")                            \
    X(TABLE_UNLOGGED, PRIMARY, "unlogged: a replica does not have its rows")                                           \
    X(TABLE_UNSAFE, PRIMARY, "reading it runs what is not known to read")                                              \
    X(FUNCTION_NODE, PRIMARY, "speaks of the server or the connection that it runs on")                                \
    X(FUNCTION_AHEAD, PRIMARY, "a sequence on a replica is ahead of the primary's")                                    \
    X(FUNCTION_FILES, PRIMARY, "files of the server that it runs on")                                                  \
    X(FUNCTION_ACTS, PRIMARY, "does something to its server, or to something outside")                                 \
    X(FUNCTION_WRITES, PRIMARY, "writes")                                                                              \
    X(FUNCTION_LARGE, PRIMARY, "large objects are left to the primary")                                                \
    X(FUNCTION_RUNS, PRIMARY, "runs or reads what it is given as a text")                                              \
    X(FUNCTION_NO_SERVER, PRIMARY, "not the server's own, and no server was asked what it does")                       \
    X(FUNCTION_NOT_THERE, PRIMARY, "not in the catalog: new, or missing")                                              \
    X(FUNCTION_CALLS, PRIMARY, "calls or reads what is not known to read")                                             \
    X(FUNCTION_MAY_WRITE, PRIMARY, "volatile: it may write")                                                           \
    X(FUNCTION_COLUMN, PRIMARY, "no column perhaps, but a function of the row that may write")                         \
    X(FUNCTION_NAMESAKE, PRIMARY, "besides the server's own there is one of that name that may write")                 \
    X(FUNCTION_NOT_KNOWN, PRIMARY, "not known")                                                                        \
    X(FUNCTION_SAID_TO_WRITE, PRIMARY, "one of write_functions")                                                       \
    X(OPERATOR_UNKNOWN, PRIMARY, "not the server's own, and no server was asked what it does")                         \
    X(EVERYWHERE, PRIMARY, "operators, casts or types of this database run what is not known to read")          \
    X(SETTING_NODE, PRIMARY, "may be another value on another server")                                                 \
    X(SETTING_COMPUTED, PRIMARY, "a setting whose name is computed")                                                   \
    X(TABLE_SESSION, SESSION, "speaks of the session")                                                                 \
    X(TABLE_TEMPORARY, SESSION, "temporary")                                                                           \
    X(FUNCTION_SESSION, SESSION, "leaves something in the session, or reads what is there")                            \
    X(MAKES_TEMPORARY, SESSION, "makes something temporary")                                                           \
    X(STATEMENT_SESSION, SESSION, "is about the session that it runs in")                                              \
    X(IN_TRANSACTION, SESSION, "belongs to the transaction that it is in")                                             \
    X(CURSOR, SESSION, "a cursor is where it was declared")                                                            \
    X(DEALLOCATES, SESSION, "forgets prepared statements, which are the session's")                                   \
    X(PREPARED, SESSION, "prepared statements are where they were prepared")

enum classify_why {
#define CLASSIFY_ENUM(constant, place, text) CLASSIFY_##constant,
    CLASSIFY_WHYS(CLASSIFY_ENUM)
#undef CLASSIFY_ENUM
    CLASSIFY_WHY_COUNT,
};

enum classify_place classify_why_place(enum classify_why why);
/* What an operator reads. Static. */
const char *classify_why_text(enum classify_why why);
/* A word without spaces, for counters: "TABLE_FOREIGN". Static. */
const char *classify_why_word(enum classify_why why);
/* "table" */
const char *classify_about_name(enum classify_about about);

#endif
