/*
 * classify.h - is a text of SQL a read that any server of a cluster answers alike, PostgreSQL. Pure.
 *
 *      struct classify c;
 *      classify_begin(&c, text, &options, &arena);
 *      while (sql_reader_next(reader, &s)) classify_statement(&c, &s);     of a text that is parsed anyway
 *      ... c.result
 *
 * The rule is the other way round from a list of what writes: a text may go to a replica only when each part of it is known to
 * read, and to mean no server in particular. Whatever is not known stays on the primary: a part of the grammar, a function,
 * a relation. Each finding is a reason; the worst one decides.
 *
 * What is not in the text comes from struct classify_facts: what functions and relations are, and whether user code hides
 * behind operators and casts. Without facts (no server was asked) names of relations and types are taken for ordinary ones,
 * names of functions for the server's own, and the reasons say so.
 *
 * What is decided of the text alone holds for a session that has nothing of its own on the primary: temporary relations,
 * cursors and the like keep a client there before anybody asks here.
 */
#ifndef GILMOK_ROUTING_CLASSIFY_H
#define GILMOK_ROUTING_CLASSIFY_H

#include "base/writer.h"
#include "parser/parser.h"
#include "routing/classify_why.h"
#include "routing/hint.h"

/* ---- facts ----------------------------------------------------------------------------------------------------------- */

/* All functions together that a name may mean, but for those of PostgreSQL's own that read_pg.h knows. */
enum classify_function_kind {
    CLASSIFY_FUNCTION_NONE,     /* there is none */
    CLASSIFY_FUNCTION_STEADY,   /* each is immutable or stable; of aggregates and windows, so is each part */
    CLASSIFY_FUNCTION_UNSAFE,   /* each is, but one at least calls or reads what is not safe: `because` */
    CLASSIFY_FUNCTION_VOLATILE, /* one at least is not */
    CLASSIFY_FUNCTION_UNKNOWN,
};

struct classify_function {
    enum classify_function_kind kind;
    struct bytes because; /* lives as long as the facts; may be empty */
};

/* All relations together that a name may mean, but for those of PostgreSQL's own that read_pg.h knows: the worst of them. */
enum classify_relation_kind {
    CLASSIFY_RELATION_NONE,
    CLASSIFY_RELATION_TABLE, /* permanent, materialised views included; whatever reading it runs reads */
    CLASSIFY_RELATION_VIEW,  /* all it reads and calls is safe */
    CLASSIFY_RELATION_UNSAFE, /* its definition, or a policy on it, is no read: `because` */
    CLASSIFY_RELATION_SEQUENCE,
    CLASSIFY_RELATION_FOREIGN,
    CLASSIFY_RELATION_UNLOGGED,
    CLASSIFY_RELATION_TEMPORARY,
    CLASSIFY_RELATION_UNKNOWN,
};

struct classify_relation {
    enum classify_relation_kind kind;
    struct bytes because; /* lives as long as the facts; may be empty */
    uint8_t copies;       /* a bit for each subscriber that has a copy of whatever table is meant */
};

/*
 * Called while a text is read. Names are folded as the server does and borrowed for the call. An empty schema: the name stands
 * alone, and means any of that name. A name that an encoding other than UTF-8 may write with other bytes is not asked for.
 */
struct classify_facts {
    struct classify_function (*of_function)(void *ctx, struct bytes schema, struct bytes name);
    struct classify_relation (*of_relation)(void *ctx, struct bytes schema, struct bytes name);
    /* A function of one row that is not safe has that name: row.name calls it, where the row has no such column. NULL: none. */
    bool (*is_unsafe_column)(void *ctx, struct bytes name);
    bool is_everything_safe; /* no operator, cast or type runs code that is no read */
    struct bytes everywhere; /* what does; may be empty */
    void *ctx;
};

struct classify_options {
    const struct sql_options *sql;
    const struct classify_facts *facts; /* NULL: no server was asked */
    /*
     * Names between commas, as they are written: f, or schema.f. What is said to write does so under any schema that a name
     * without one may mean; what is said to read does so as it is written here. A read of PostgreSQL's own that
     * writes, keeps state or acts on its server stays one.
     */
    struct bytes read_functions, write_functions;
    bool is_sure_of_strings; /* `sql` has what standard_conforming_strings will be where the text runs */
    bool takes_hints;   /* of the client: not where the text is the body of a function */
    bool keeps_reasons; /* all of them, for who explains; otherwise nothing is allocated */
};

/* ---- the answer ------------------------------------------------------------------------------------------------------ */

/* What a text says of transactions: of all its statements together. */
enum classify_transaction {
    CLASSIFY_BEGINS = 1 << 0,
    CLASSIFY_ENDS = 1 << 1, /* COMMIT, ROLLBACK, PREPARE TRANSACTION */
    CLASSIFY_SETS = 1 << 2, /* SET TRANSACTION, SET SESSION CHARACTERISTICS */
    CLASSIFY_READ_ONLY = 1 << 3,
    CLASSIFY_READ_WRITE = 1 << 4,
    CLASSIFY_SERIALIZABLE = 1 << 5, /* which a replica refuses */
    CLASSIFY_SNAPSHOT = 1 << 6,     /* SET TRANSACTION SNAPSHOT: of the server that exported it */
    CLASSIFY_SAVEPOINT = 1 << 7,    /* SAVEPOINT, RELEASE, ROLLBACK TO */
};

struct classify_reason {
    enum classify_why why;
    enum classify_about about;
    uint32_t position;         /* of what it is about, in bytes from the text's start */
    struct bytes schema, name; /* of what it is about; schema may be empty. Borrowed from text, trees or arena */
    struct bytes detail;       /* what stands behind the why; may be empty. Borrowed from the facts, or static */
    struct classify_reason *next;
};

enum { CLASSIFY_REASONS_MAX = 200, CLASSIFY_CTES_MAX = 256 };

struct classify_result {
    enum classify_place place;
    struct classify_reason decisive; /* the first of that place; CLASSIFY_NOTHING for a text without statements */
    struct classify_reason *reasons; /* in the order of the text, each once; NULL unless they are kept. In the arena. */
    unsigned left_out;    /* more reasons than CLASSIFY_REASONS_MAX */
    unsigned transaction; /* enum classify_transaction */
    enum classify_place within; /* the same in a transaction at a replica, where COMMIT, SAVEPOINT, cursors and their kin belong */
    bool may_write;       /* something of it is not known to write nothing, wherever it belongs */
    struct hint hint;     /* where they are taken; nothing that it says makes a read of what is none */
    uint8_t copies;       /* a bit for each subscriber that could answer it as well: it has all its tables, and no more is asked */
    bool is_fresh;        /* a volatile function is called that writes nothing: two servers answer alike, but not the same */
};

/* ---- asking ---------------------------------------------------------------------------------------------------------- */

struct classify_scope;

struct classify {
    struct classify_result result;
    struct bytes text;
    const struct classify_options *options;
    struct arena *arena; /* for reasons; may be NULL when they are not kept */
    struct classify_reason **end;
    unsigned kept;
    const struct classify_scope *scope; /* the names of WITH that can be seen here */
    bool is_planned;                    /* inside EXPLAIN: nothing runs */
    uint8_t common;                     /* subscribers that have all so far (classify_copy.c) */
};

/* `text`, `options`, what they point to, and the arena are borrowed for as long as the result is used. */
void classify_begin(struct classify *c, struct bytes text, const struct classify_options *options, struct arena *arena);
/* One statement of the text; where it cannot be read, that is the finding. */
void classify_statement(struct classify *c, const struct sql_statement *s);
/* When all statements are in: what the text's comments ask for, if that counts. */
void classify_hints(struct classify *c);

/*
 * The whole text, parsed here. Where a backslash in a string means one thing or another, and nobody is sure which, it means
 * both: the worse answer counts. The arena holds trees and reasons, and is not reset. When its memory is out, the answer is
 * no CLASSIFY_REPLICA.
 */
void classify_text(struct bytes text, const struct classify_options *options, struct arena *arena, struct classify_result *out);

/* The names of functions that a text may call at a subscriber, as an array in SQL's text form. */
void classify_put_copy_functions(struct writer *w);

/* The first word of an answer: replica, primary, session, refused. */
const char *classify_place_name(enum classify_place place);
/* "table t at 14: taken for an ordinary table" */
void classify_put_reason(const struct classify_reason *reason, struct writer *w);
/* The first word, a tab, the reasons between "; ", those that decide in front. One line, without its end. */
void classify_put(const struct classify_result *result, struct writer *w);

#endif
