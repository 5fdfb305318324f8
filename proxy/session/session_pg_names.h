/*
 * session_pg_names.h - what a client's names of prepared statements stand for.
 *
 * A name is a statement (text, types, settings) and a description (what it takes and
 * returns). The types are those that the server found: a parameter that the client
 * left open keeps, on every connection, the type that it got on the first one.
 * Texts are kept once per worker; a session that moves takes copies along.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_PG_NAMES_H
#define GILMOK_PROXY_SESSION_SESSION_PG_NAMES_H

#include "proxy/pool/statement_pg.h"
#include "proxy/session/session_pg.h"

struct client_statement {
    struct statement_pg *statement; /* one reference */
    uint64_t description;
    /*
     * Prepared by SQL on the connection that the client has, and not described yet: until it is, the client keeps that
     * connection (PIN_DESCRIBING). In the connection's set, `here_set`; NULL otherwise.
     */
    struct prepared_pg *here;
    struct prepared_set_pg *here_set;
    uint16_t number; /* the tag of the op that gave the name; 0: none. After a very long time another name may have it, too */
    bool is_described;
    uint64_t age; /* the greater, the later the client has prepared it */
    bool is_sql; /* prepared by SQL, wherever */
    char *original; /* owned; the client's text that did it, when that was no other statement; or NULL */
};

/* A name that was forgotten while replies were still owed: an error among them may be about it. */
struct gone_statement {
    struct list node; /* in prepared_client.gone */
    uint16_t number;
    struct statement_pg *statement; /* one reference */
    size_t name_len;
    uint8_t name[];
};

static inline struct client_statement *session_pg_names_get(struct prepared_client *pc, struct bytes name) {
    return map_get_again(&pc->named, name); /* each message of an exchange names the same */
}
/* In place of what had this name. When memory is out the name is not known: using it is an error, never another statement. */
void session_pg_names_remember(struct prepared_client *pc, struct bytes name, uint16_t number, struct statement_pg *st,
                               const uint64_t *description);
/* The same for one that was prepared by SQL just now. `original` is a text that did that alone, with a NUL behind it; or empty. */
void session_pg_names_remember_here(struct prepared_client *pc, struct bytes name, uint16_t number, struct prepared_set_pg *set,
                                    struct prepared_pg *here, struct bytes original);
/* It has been described: it can be made elsewhere, too. `known->here` is settled. */
void session_pg_names_on_described(struct prepared_client *pc, struct client_statement *known, uint64_t description);
void session_pg_names_forget(struct prepared_client *pc, struct bytes name);
void session_pg_names_forget_all(struct prepared_client *pc);
/* The session is over, and has no connection any more. */
void session_pg_names_release(struct prepared_client *pc);
/* The name is not known, but an error may be about it. */
void session_pg_names_lay_out(struct prepared_client *pc, struct bytes name, uint16_t number, struct statement_pg *st);
/* Nothing is owed any more: what is gone need not be known. */
void session_pg_names_bury(struct prepared_client *pc);

/* May a setting change what the text means? `source` as in statement_pg.h. */
bool session_pg_names_depends_on_settings(struct bytes source);
/*
 * The statement of a Parse that is sent on `b` now: text and types, and the settings that
 * are in force there when they may change what it means. One reference. NULL: memory is out.
 */
struct statement_pg *session_pg_names_intern(struct session *s, struct backend *b, struct bytes source);
/* The same under these settings. */
struct statement_pg *session_pg_names_intern_under(struct session *s, struct bytes source, const struct params_pg *params);
/* The same statement with the parameter types of a ParameterDescription's body. One reference. NULL: memory is out. */
struct statement_pg *session_pg_names_intern_typed(struct session *s, const struct statement_pg *st, struct bytes types);

/*
 * The client's unnamed statement, as a statement of the empty name; `settings`: those that were in force when it was parsed. False:
 * memory is out.
 */
bool session_pg_names_know_unnamed(struct session *s, struct bytes source, const struct settings_pg *settings,
                                   const uint64_t *description);
void session_pg_names_forget_unnamed(struct session_pg *ps);

#endif
