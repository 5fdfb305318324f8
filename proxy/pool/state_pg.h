/*
 * state_pg.h - what SQL has left in a PostgreSQL session, as the session itself tells it. Pure.
 *
 * LOOKING. One query (state_pg_put_look) asks for everything that outlives a transaction: settings that were set, the role,
 * temporary objects, advisory locks, channels listened to, cursors WITH HOLD, statements prepared by SQL. Its rows
 * are read by state_pg_read. What the server reports by itself (ParameterStatus) is left out: params_pg.h.
 *
 * MOVING. Settings can be made again elsewhere (state_pg_put_change): first what belongs to the session before is undone, role
 * and authorization first, then the new ones are set, these last: under a role that may not do it, nothing could
 * be set. Everything else stays where it is.
 *
 * The query names nothing without its schema, operators included: the client's search_path must not decide what it finds.
 */
#ifndef GILMOK_PROXY_POOL_STATE_PG_H
#define GILMOK_PROXY_POOL_STATE_PG_H

#include "base/writer.h"
#include "proxy/pool/params_pg.h"

enum {
    STATE_PG_SETTINGS_MAX = 400, /* a server of version 18 has less than that */
    STATE_PG_LOOK_MAX = 16 << 10,
    STATE_PG_ANSWER_MAX = 64 << 10,
    STATE_PG_PREPARED_MAX = 500, /* names of prepared statements that are told */
    STATE_PG_CHANNELS_MAX = 500, /* that are told by name; with one more it is known that there are too many */
};

/* How the text of a statement begins that gilmok has prepared under a client's name, for its functions: those are not told. */
#define STATE_PG_LENT_MARK "PREPARE /* gilmok */ "

/* Settings by name; the role and the session authorization are two of them. Values are in the database's encoding. */
struct state_pg {
    struct {
        char *name;  /* owned */
        char *value; /* owned */
    } *items; /* owned */
    uint32_t count, cap;
    uint64_t digest; /* independent of order; 0: nothing is set */
};

/* What cannot be made again elsewhere. Bits. */
enum state_pg_rest {
    STATE_PG_TEMP = 1 << 0,     /* temporary tables, views, functions ... */
    STATE_PG_LOCKS = 1 << 1,    /* advisory locks of the session */
    STATE_PG_LISTENS = 1 << 2,
    STATE_PG_CURSORS = 1 << 3,  /* WITH HOLD */
    STATE_PG_PREPARED = 1 << 4, /* by SQL */
    STATE_PG_FIXED = 1 << 5,    /* settings that cannot be said again: by their name; temp_buffers; what the role may not see */
};

void state_pg_release(struct state_pg *st);
/* NULL: it is not among them. Names as they were set. */
const char *state_pg_get(const struct state_pg *st, const char *name);
MUST_USE bool state_pg_set(struct state_pg *st, struct bytes name, struct bytes value);
MUST_USE bool state_pg_copy(struct state_pg *to, const struct state_pg *from);
/* What `st` does not have of `from`. */
MUST_USE bool state_pg_add_missing(struct state_pg *st, const struct state_pg *from);
static inline bool state_pg_equal(const struct state_pg *a, const struct state_pg *b) {
    return a->digest == b->digest && a->count == b->count;
}

/*
 * The query. Settings with a dot in their name are shown by no list of the server's and asked for by name: words with a NUL behind
 * each. Of `names` an empty value counts; of `others`, which the client has never named itself, it means that nothing was
 * set. `with_channels`: the channels by name, up to STATE_PG_CHANNELS_MAX + 1. `known` is what was found before: it decides
 * nothing but the way to ask. False: one of the settings cannot be said.
 */
MUST_USE bool state_pg_put_look(struct writer *w, struct bytes names, struct bytes others, bool with_channels,
                                const struct state_pg *known);
/*
 * Its rows, as DataRow messages one behind the other. `st` is empty; `channels`, and `prepared` for statements prepared by SQL, get
 * names with a NUL behind each, and may be NULL; of the latter those in plain ASCII. `reported` is what the server tells by itself,
 * `start` the same at the login. False: the rows are not what was asked for, or memory is out.
 */
MUST_USE bool state_pg_read(struct state_pg *st, unsigned *rest, struct writer *channels, struct writer *prepared,
                            struct bytes rows, const struct params_pg *reported, const struct params_pg *start);

/* Of such messages the first one, which is taken off: two columns. False: it is something else. */
MUST_USE bool state_pg_next_row(struct bytes *rows, struct bytes *name, struct bytes *value, bool *is_null);
/* True for a name that state_pg_put_change can say. */
bool state_pg_is_sayable(struct bytes name);

/* An expression that says a value: its bytes are those of the database, whatever the client_encoding is by now. */
void state_pg_put_value(struct writer *w, const char *value);
enum state_pg_how {
    STATE_PG_LOCAL = 1 << 0,      /* to the end of the transaction; a warning outside of one */
    STATE_PG_QUOTES_ALL = 1 << 1, /* quote_all_identifiers may be on: SET would write the words of a list with quotes */
};
/* A statement that sets it: SET where that says just this, which takes no snapshot, else SELECT set_config(). */
void state_pg_put_setting(struct writer *w, const char *name, const char *value, unsigned how);
/* Statements, with semicolons between them, that make of a session with `from` one with `to`. Nothing when they are equal. */
void state_pg_put_change(struct writer *w, const struct state_pg *from, const struct state_pg *to);

#endif
