/*
 * begin_pg.h - texts that begin a transaction, say what it is to be like, or end it, and do nothing else. Pure.
 *
 * Nothing has happened in a transaction of which nothing else is known: whoever keeps its BEGIN back says it later, in words of his
 * own (begin_pg_text), and can answer its COMMIT himself. Source: PostgreSQL, BEGIN, START TRANSACTION, SET TRANSACTION, COMMIT,
 * ROLLBACK.
 */
#ifndef GILMOK_ROUTING_BEGIN_PG_H
#define GILMOK_ROUTING_BEGIN_PG_H

#include "parser/parser.h"

enum begin_isolation { ISOLATION_DEFAULT, ISOLATION_READ_UNCOMMITTED, ISOLATION_READ_COMMITTED, ISOLATION_REPEATABLE_READ,
                       ISOLATION_SERIALIZABLE };
enum begin_access { ACCESS_DEFAULT, ACCESS_READ_ONLY, ACCESS_READ_WRITE };
enum begin_deferrable { DEFERRABLE_DEFAULT, DEFERRABLE_YES, DEFERRABLE_NO };

/* What a transaction was asked to be like. All zero: as transactions are by default. */
struct begin_modes {
    uint8_t isolation;  /* enum begin_isolation */
    uint8_t access;     /* enum begin_access */
    uint8_t deferrable; /* enum begin_deferrable */
};

enum begin_verb {
    BEGIN_NO_VERB, /* it does something else, too, or in another way */
    BEGIN_BEGINS,  /* BEGIN */
    BEGIN_STARTS,  /* START TRANSACTION */
    BEGIN_SETS,    /* SET TRANSACTION, with modes */
    BEGIN_COMMITS,
    BEGIN_ROLLS_BACK,
};

/* By its first letter: false for nearly all that are none. `is_begun`: inside of a transaction. */
static inline bool begin_pg_may_be(struct bytes text, bool is_begun) {
    if (text.len < 2) return false;
    int first = text.ptr[0] | 0x20, second = text.ptr[1] | 0x20; /* in lower case */
    if (!is_begun) return (first == 'b' && second == 'e') || (first == 's' && second == 't');
    return ((first == 'b' || first == 's') && second == 'e') || first == 'c' || first == 'e' || first == 'r' || first == 'a';
}

/*
 * What the text does. The modes that it names are set in `*modes`; the others stay. One statement, perhaps with empty ones around
 * it. A text with a comment in it is none, unless it is an end: it may be for somebody (hint.h).
 */
enum begin_verb begin_pg_read(struct bytes text, const struct sql_options *options, struct begin_modes *modes);

static inline bool begin_pg_ends(enum begin_verb verb) {
    return verb == BEGIN_COMMITS || verb == BEGIN_ROLLS_BACK;
}

/*
 * What it imports: of a text that begins a transaction or stands in one, and says SET TRANSACTION SNAPSHOT with a plain string.
 * `*name` is borrowed.
 */
bool begin_pg_imports(struct bytes text, const struct sql_options *options, struct bytes *name);

/* By its first word. False: all that a failed transaction has to say of it is that it has failed. */
bool begin_pg_may_end(struct bytes text, const struct sql_options *options);

/* The command tag that a server answers it with; BEGIN_NO_VERB has none. */
const char *begin_pg_tag(enum begin_verb verb);

enum { BEGIN_PG_TEXT_MAX = 96 };

/* A BEGIN with these modes, and a NUL. Gives `out`. */
const char *begin_pg_text(const struct begin_modes *modes, char out[BEGIN_PG_TEXT_MAX]);

#endif
