/*
 * effect.h - what a text of SQL may leave behind in its session, PostgreSQL. Pure.
 *
 * A server connection goes from client to client, so whatever a statement leaves in it must be known before it goes: settings,
 * temporary objects, locks, prepared statements and so on. What exactly is there is not computed here: a look at the
 * session itself tells it (pool/state_pg.h), and takes a tenth of a millisecond. Here it is decided which
 * statements make that look necessary.
 *
 * The rule is the other way round from the tags' (pool/tag_pg.h): what is known to leave nothing leaves nothing, everything else
 * may leave anything. Known are the statements' own grammar and PostgreSQL's own functions.
 *
 * What a text names (functions, relations) may run code of somebody's own: who asks says what each name stands for, as far as he
 * knows (struct effect_names; a catalog, catalog.h).
 */
#ifndef GILMOK_ROUTING_EFFECT_H
#define GILMOK_ROUTING_EFFECT_H

#include "parser/parser.h"

enum effect {
    EFFECT_LEAVES = 1 << 0,  /* may leave something that a look finds; also of what is not analysable */
    EFFECT_TAKES = 1 << 1,   /* may take away what was left: a look is worth it when something is known to be there */
    EFFECT_STAYS = 1 << 2,   /* leaves something that no look finds and nothing undoes: LOAD, setseed */
    EFFECT_UNKNOWN = 1 << 3, /* runs code that is not PostgreSQL's own: functions, DO, CALL */
    EFFECT_NEXTVAL = 1 << 4, /* may move sequences: INSERT and the like too, for defaults and triggers */
    EFFECT_CURRVAL = 1 << 5, /* reads currval or lastval */
    EFFECT_RESETS = 1 << 6,  /* may put a setting back to what the session started with (reset_pg.h) */
    EFFECT_MOVES = 1 << 7,   /* may change which settings are in force, if only for a while: SET LOCAL, COMMIT, FETCH */
    EFFECT_CATALOG = 1 << 8, /* may change what names stand for: functions, triggers, views ... */
    EFFECT_CHANNELS = 1 << 9, /* may change which channels the session listens to; unknown code may, too, without this bit */
    EFFECT_SAVEPOINT = 1 << 10, /* sets a savepoint: what comes behind may be undone without the whole transaction */
    EFFECT_DISCARD = 1 << 11, /* DISCARD ALL: its tag tells that all channels are gone */
    EFFECT_STATEMENTS = 1 << 12, /* names prepared statements (name_use.h): what EXECUTE leaves is not told here */
    /*
     * Sets a setting that its first parameter names: of a text the first value of a Bind, of a function the first argument of a
     * call, as it is. Who knows it says the name to those who look; who does not must take it for EFFECT_STAYS.
     */
    EFFECT_NAMED = 1 << 13,
    EFFECT_EXECUTES = 1 << 14, /* runs SQL that nobody has read: that may execute the client's prepared statements by their names */
    EFFECT_LISTS = 1 << 15,    /* reads the list of the prepared statements */
    EFFECT_LISTED = 1 << 17,   /* set_config(name, ...) FROM pg_settings: some setting of those that a look finds */
};

/* The first argument of a call, as far as it can be seen. */
struct effect_argument {
    struct bytes text;  /* a string, and what it says; ptr NULL: it is something else */
    bool is_parameter;  /* the first parameter of the text, or of the function whose body the text is */
};

enum { EFFECT_NO_SUCH = 1 << 16 }; /* of_function: there is none of that name */

/* Called while a text is read; names are folded as the server does, and borrowed for the call. */
struct effect_names {
    /* What a call of a function of that name may leave, whatever its schema and its other arguments. */
    unsigned (*of_function)(void *ctx, struct bytes name, const struct effect_argument *first);
    /* What is left by the code that reading a relation runs (a view's functions, policies), or writing it (triggers, defaults). */
    unsigned (*of_relation)(void *ctx, struct bytes name, bool is_written);
    /*
     * A setting that is told by no list of the server's (setting_pg.h): whoever looks must ask for it by name. Called for each one
     * that the text names in SET, RESET and set_config, or in a call of a function with EFFECT_NAMED.
     */
    void (*on_setting)(void *ctx, struct bytes name);
    /* Each statement, as it is read; more than once where it can be read in more than one way. May be NULL. */
    void (*on_statement)(void *ctx, const struct sql_options *options, const struct sql_statement *s);
    bool has_parameter; /* $1 is text: of the statement, or of the function whose body is read */
    struct bytes parameter; /* what $1 is called in a function's body besides; empty: nothing */
    void *ctx;
};

/*
 * enum effect of all statements of the text together. Where a backslash in a string means one thing or another, it means both:
 * what standard_conforming_strings will be when the server reads the text is not known for sure. The arena is used and left as
 * it is; its ceiling may be small.
 */
unsigned effect_of(struct bytes text, const struct sql_options *options, struct arena *arena, const struct effect_names *names);

/* What effect_of() has said of a text, for who keeps the text. True of that text only, and only while effect_reading_holds(). */
struct effect_reading {
    uint64_t names_version; /* what functions and relations stood for, as the reader counts it */
    uint32_t version, modes;
    uint8_t encoding;
    bool is_known;
    bool is_placed;      /* classify.h was asked, too: */
    bool may_write;
    bool is_refused;     /* a replica has refused it for good, whatever the reading says */
    uint8_t place, within; /* enum classify_place */
    uint8_t transaction; /* enum classify_transaction */
    uint8_t why;         /* enum classify_why, the decisive one */
    uint8_t hint;        /* hint_pack() of its hint */
    uint8_t copies;      /* of struct classify_result */
    uint32_t effects;
};

/* No replica is to have it again, or none that has but copies of tables. */
static inline void effect_reading_refuse(struct effect_reading *r, bool of_copy) {
    if (of_copy) r->copies = 0;
    else r->is_refused = true;
}

static inline bool effect_reading_holds(const struct effect_reading *r, const struct sql_options *o, uint64_t names_version) {
    return r->is_known && r->names_version == names_version && r->version == o->version && r->modes == o->modes &&
           r->encoding == o->encoding;
}

/* True for a text of PostgreSQL's that standard_conforming_strings may turn into another one. */
static inline bool effect_depends_on_strings(struct bytes text) {
    return text.len && memchr(text.ptr, '\\', text.len);
}

/* What a call leaves of which EFFECT_NAMED may be known, now that its first argument is. */
unsigned effect_of_named(const struct effect_names *names, unsigned effects, const struct effect_argument *first);

/* For reset_pg.c. RESET, DISCARD ALL, SET TO DEFAULT in all its forms. */
bool effect_resets(const struct ast_command *c);
/* set_config() with a value that may be NULL, which resets. */
struct effect_reset_call {
    const struct ast *name, *value; /* the arguments; NULL where one is missing */
    struct bytes setting;           /* what the name says; empty when it is computed */
};
bool effect_resets_by_call(struct bytes text, const struct ast_func *call, struct effect_reset_call *out);
/* UPDATE pg_settings, which is set_config by another name, with a value that may be NULL. */
bool effect_resets_settings(const struct ast_update *update);

#endif
