/*
 * effect_my.h - what a text of SQL leaves behind in its session, and what it asks of what was there before it. MySQL and MariaDB.
 * Pure.
 *
 * A server connection goes from client to client. What a statement leaves there is either told here in words that say it again
 * elsewhere (a setting, a user variable from a literal), or told by the server's answer (the current schema), or it keeps its
 * client on the connection, with a reason.
 *
 * What is known to leave nothing leaves nothing, everything else may leave anything: known are the statements' own grammar, the
 * servers' own functions (function_my.h) and the variables that any connection can be given (variable_my.h).
 */
#ifndef GILMOK_ROUTING_EFFECT_MY_H
#define GILMOK_ROUTING_EFFECT_MY_H

#include "parser/parser.h"

enum effect_my {
    /* It can be said again */
    EFFECT_MY_SETS = 1 << 0,   /* settings and user variables: effect_my_ears.on_setting has been told of each, in order */
    EFFECT_MY_SCHEMA = 1 << 1, /* may change the current schema: USE, DROP DATABASE. The answer says to what */
    /* It stays on the connection, for a reason */
    /*
     * Settings that cannot be said again: variables not known, values that are computed, SET ROLE, and whatever is set below SET
     * STATEMENT: it may be put back or not.
     */
    EFFECT_MY_FIXED = 1 << 2,
    EFFECT_MY_USER_VARS = 1 << 3, /* user variables with values that are computed: SET @a = @b + 1, @a := 1, INTO @a */
    EFFECT_MY_TEMP = 1 << 4,      /* temporary tables */
    EFFECT_MY_LOCKS = 1 << 5,     /* GET_LOCK, LOCK TABLES or INSTANCE, FLUSH TABLES WITH READ LOCK, FOR EXPORT, BACKUP ... */
    EFFECT_MY_HANDLER = 1 << 6,   /* HANDLER t OPEN; READ and CLOSE leave nothing new */
    EFFECT_MY_PREPARES = 1 << 7,  /* PREPARE, and with ROUTINE EXECUTE, whose text is not seen; DEALLOCATE leaves nothing new */
    EFFECT_MY_XA = 1 << 8,        /* XA START, BEGIN, END, PREPARE; XA RECOVER, and COMMIT and ROLLBACK of it, too */
    /*
     * Runs code that is not read here: CALL, functions not the server's own, BEGIN NOT ATOMIC, EXECUTE. It may do and ask
     * whatever is below, too, without its bits.
     */
    EFFECT_MY_ROUTINE = 1 << 9,
    EFFECT_MY_UNREAD = 1 << 10,   /* not analysable */
    EFFECT_MY_SEQUENCE = 1 << 11, /* LASTVAL(), PREVIOUS VALUE FOR, @@last_gtid: what this very connection has drawn or written */
    /* It is meant for what comes next */
    /*
     * For the next statement or transaction: SET TRANSACTION without a scope, SET @@tx_isolation (SET tx_isolation is the
     * session's), SET insert_id, rand_seed1, gtid_seq_no.
     */
    EFFECT_MY_NEXT = 1 << 12,
    /*
     * What becomes of FOUND_ROWS(): behind a plain SELECT it is the number of rows that are sent. CALC: something else, but of this
     * text: SQL_CALC_FOUND_ROWS, UNION, INSERT ... SELECT. ODD: of what returns rows and is no query, EXPLAIN or RETURNING or SHOW,
     * each has its own way. With neither, nothing is sent, and it stays as it was.
     */
    EFFECT_MY_CALC_ROWS = 1 << 13,
    EFFECT_MY_ODD_ROWS = 1 << 25,
    EFFECT_MY_READS = 1 << 26, /* a plain SELECT, alone */
    EFFECT_MY_FINDS_ROWS = 1 << 27, /* MySQL's UPDATE and DO, behind which it is the number of rows that were found */
    EFFECT_MY_INSERT_ID = 1 << 14, /* LAST_INSERT_ID(expr), SET last_insert_id or identity */
    /* It asks of what was before */
    EFFECT_MY_ASKS_INSERT_ID = 1 << 15,  /* LAST_INSERT_ID(), @@last_insert_id, @@identity, inside of an INSERT, too */
    EFFECT_MY_ASKS_ROW_COUNT = 1 << 16,  /* ROW_COUNT(): each is told to on_count */
    EFFECT_MY_ASKS_FOUND_ROWS = 1 << 17, /* FOUND_ROWS(): likewise */
    EFFECT_MY_ASKS_WARNINGS = 1 << 18,   /* SHOW WARNINGS or ERRORS, @@warning_count, @@error_count, GET DIAGNOSTICS */
    EFFECT_MY_SHOW_WARNINGS = 1 << 19,   /* besides: the whole text is SHOW WARNINGS without a LIMIT */
    /*
     * Every statement of the text leaves the warnings of what was before as they are, unless it has some itself: it asks for them,
     * or it is one of MariaDB's that read from nothing, such as SELECT 1, SET, COMMIT, DROP DATABASE. MySQL's do not.
     */
    EFFECT_MY_KEEPS_WARNINGS = 1 << 20,
    EFFECT_MY_KEEPS_COUNT = 1 << 28, /* GET DIAGNOSTICS: ROW_COUNT() stays as it was, or is -1 with a warning */
    /* Others */
    EFFECT_MY_UNLOCKS = 1 << 21, /* UNLOCK TABLES or INSTANCE, BACKUP UNLOCK, BACKUP STAGE END: not what GET_LOCK locked */
    /* More than one statement, or perhaps so where one cannot be read: of a text that fails it is not known how far it came. */
    EFFECT_MY_MANY = 1 << 22,
    EFFECT_MY_PUTS_BACK = 1 << 24, /* SET STATEMENT: with the answer to a later statement the server tells what it has put back */
    /* SET CHARACTER SET, LOAD, @@collation_database, @@character_set_database: the default database's, unless it was forgotten */
    EFFECT_MY_ASKS_COLLATION = 1 << 27,
    EFFECT_MY_CHAIN = 1 << 23,   /* COMMIT or ROLLBACK with RELEASE: the server ends the session behind it */
    EFFECT_MY_STAYS = EFFECT_MY_FIXED | EFFECT_MY_USER_VARS | EFFECT_MY_TEMP | EFFECT_MY_LOCKS | EFFECT_MY_HANDLER |
                      EFFECT_MY_PREPARES | EFFECT_MY_XA | EFFECT_MY_ROUTINE | EFFECT_MY_UNREAD,
};

enum effect_my_setting_kind {
    SETTING_MY_VARIABLE, /* a system variable, of the session */
    SETTING_MY_USER,     /* a user variable */
    SETTING_MY_NAMES,    /* SET NAMES: `name` is empty, `value` what stands behind it: 'utf8mb4' COLLATE 'utf8mb4_bin', DEFAULT */
};

/*
 * One setting of a SET. `value` is SQL that says the same whatever the session's sql_mode and character set are, with nothing in
 * it but ASCII; of a user variable's string it may be in the client's character set. All borrowed for the call.
 */
struct effect_my_setting {
    enum effect_my_setting_kind kind;
    /*
     * In lower case, of letters, digits, _ $ and dots; of user variables, too, without the @ and any quotes. Of the isolation
     * level and READ ONLY the one of their two names that this server knows.
     */
    struct bytes name;
    /*
     * 'ANSI', 5, -1.5, 'ON', TRUE, DEFAULT, NULL: a word has become a string. ptr NULL: computed, and the server's answer tells it
     * (sql_mode alone).
     */
    struct bytes value;
    bool is_string; /* it was written as a string: a user variable's has the character set of its time */
};

/* Called while a text is read, on_setting in the order of the settings, on_count in any. Either may be NULL. */
struct effect_my_ears {
    void (*on_setting)(void *ctx, const struct effect_my_setting *setting);
    /*
     * ROW_COUNT() or FOUND_ROWS() stands at [start, end) of the text. `is_item`: it is the whole of an item of the outermost
     * SELECT list, in a statement that is no UNION, and has no name there: the column would be called as it is written. `end` is 0
     * behind another statement of the text: what it asks about may be that one's.
     */
    void (*on_count)(void *ctx, enum effect_my which, uint32_t start, uint32_t end, bool is_item);
    void *ctx;
};

/*
 * enum effect_my of all statements of the text together. Definitions of stored programs, views, events and triggers run nothing:
 * their bodies leave nothing. EXPLAIN counts as if it ran: both servers compute what is constant first, := and LAST_INSERT_ID(1)
 * among it. The arena is used, and reset.
 */
unsigned effect_my_of(struct bytes text, const struct sql_options *options, struct arena *arena,
                      const struct effect_my_ears *ears);

#endif
