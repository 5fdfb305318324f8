/*
 * backend_pg.h - a server connection that speaks PostgreSQL.
 *
 * Towards the server: login, and the few commands of gilmok's own (settings, check,
 * clean, look), whose replies are swallowed, but for the rows of a look. From the server: every message is
 * matched with the ledger; runs of bytes that belong to the lessee are handed up
 * unlooked-at, by reference. Read are only message types and, whole, ReadyForQuery,
 * CommandComplete and ParameterStatus.
 */
#ifndef GILMOK_PROXY_POOL_BACKEND_PG_H
#define GILMOK_PROXY_POOL_BACKEND_PG_H

#include "base/writer.h"
#include "proxy/auth/scram.h"
#include "proxy/pool/backend.h"
#include "proxy/pool/description_pg.h"
#include "proxy/pool/params_pg.h"
#include "proxy/pool/prepared_pg.h"
#include "proxy/pool/reply_pg.h"
#include "proxy/pool/startup_pg.h"
#include "proxy/pool/state_pg.h"
#include "proxy/wire/pg_decode.h"

enum { BACKEND_PG_KEY_MAX = 256, BACKEND_PG_APP_NAME_MAX = 64, BACKEND_PG_AMONG_MAX = 64 << 10 };

/* What only the login needs. */
struct backend_pg_login {
    bool awaits_tls_answer; /* SSLRequest is out: one byte comes back */
    struct scram_client scram;
    bool is_sasl_begun;
    bool is_password_sent; /* by md5 or in clear, as server_auth allows */
    bool is_server_proven; /* it showed that it knows the password's verifier */
    bool is_authenticated;
};

struct backend_pg {
    struct backend base; /* first */
    struct backend_pg_login *login; /* owned; NULL after the login */
    struct params_pg params; /* as reported */
    struct params_pg start;  /* as they were at the end of the login: what RESET goes back to */
    struct params_pg home;   /* what a reset goes back to for a client with the startup parameters `home_of` */
    struct startup_pg *home_of; /* a reference; NULL: `home` is empty */
    uint64_t home_start;     /* digest of the `start` that `home` was made from */
    uint64_t analysis_to_be; /* params.analysis_digest once the settings that were just sent are in force; 0: it is true as it is */
    uint8_t key[BACKEND_PG_KEY_MAX];
    uint16_t key_len;

    uint32_t body_left;           /* of a message that is being passed on or dropped */
    enum reply_fate body_fate;
    uint64_t due_us;              /* since when the server owes its next reply, or has something to say without a pause */
    bool own_is_missing;          /* the latest error of a message of our own said that there is no such statement */
    bool own_failed;              /* an ErrorResponse came back for a command of our own */
    bool has_rows;                /* of the statement whose reply is coming in: rows, or in a Query their description */
    bool is_described;            /* the unnamed portal returns rows, its own Describe said so */
    bool saw_reset;               /* RESET or DISCARD ALL passed since the lessee last asked */
    bool saw_app_name;            /* a value of application_name was passed on since the last group end */
    bool saw_discard;             /* a DISCARD ALL passed since the last look */
    bool saw_commit, saw_undo;    /* which came first since the lessee last asked: a COMMIT; a ROLLBACK (TO, perhaps) or an error */
    bool has_hidden;              /* something came in that the lessee did not see */
    bool is_flushed;              /* a Flush was sent, and no message since: the replies to all of them come by themselves */
    bool trusts_texts;            /* the lessee knows what its statements leave behind: tags taint nothing */
    bool saw_untold;              /* a tainting tag passed while trusts_texts was off, since the last look */
    uint64_t own_statements;      /* of the Query that is answered next: bit n for its statement n, counted from the next one on */
    struct buf *held;             /* replies that nobody has seen yet (backend_pg_hold.c); or NULL */
    uint64_t held_lease;          /* number of the lease that they are of */
    struct writer *reading;       /* where the row that is coming in goes: `look`, `asked`, or NULL */
    bool is_on_errand;            /* that row belongs to the errand */
    struct catalog_errand *errand; /* owned; NULL: none is under way (backend_pg_catalog.h) */
    struct writer look;           /* the rows of a look; its memory only while one is out */
    struct writer asked;          /* the rows of backend_pg_ask(); likewise */
    uint32_t asked_rows;          /* whole or begun in `asked` */
    uint64_t sequences_lease;     /* the last one in which sequences may have been moved; 0: none that still counts */
    bool has_old_sequences;       /* what currval() of earlier leases would tell is still there */
    struct state_pg state;        /* settings that SQL has set here, as of the last look or since they were made */
    struct prepared_set_pg prepared;
    struct writer lent;           /* names of statements that exist for the lessee's functions; with a NUL behind each */
    uint64_t lent_version;        /* as which the lessee counts these; 0: it may not be just these */
    bool lent_is_list;            /* they are all that the lessee has, to be read in the server's list */
    uint32_t void_count;          /* of names for statements of no contents that may be there (session_pg_sql_text.c) */
    bool lent_is_partial;         /* under other settings there might be more */
    struct description_pg description; /* of the latest collected Describe */
    uint16_t collecting_tag;      /* of the Describe whose description is coming in */
};

extern const struct backend_proto backend_pg_proto;

/* NULL: it speaks another protocol. */
static inline const struct backend_pg *backend_pg_try(const struct backend *b) {
    return b->proto == &backend_pg_proto ? (const struct backend_pg *)b : NULL;
}

static inline struct backend_pg *backend_pg_of(struct backend *b) {
    return (struct backend_pg *)b;
}

/*
 * Sets application_name on the connection unless it has that value already; goes out
 * together with what the caller sends next. Only outside a transaction.
 */
void backend_pg_set_app_name(struct backend *b, const char *app_name);

/* The same for another setting. When the server refuses it, the connection is closed. */
void backend_pg_set(struct backend *b, const char *name, const char *value);

/*
 * Looks at what is in the session (state_pg.h): on_looked brings the rows. `sql` is the query. Outside a transaction. False: the
 * connection has failed.
 */
MUST_USE bool backend_pg_look(struct backend *b, struct bytes sql);

/* Makes the settings of the session those of `to`; goes out together with what the caller sends next. When the server
   refuses, the connection is closed. False: it has failed already. */
MUST_USE bool backend_pg_change_state(struct backend *b, const struct state_pg *to);

/*
 * Runs statements of gilmok's own, outside of the client's groups; goes out with what the caller sends next. Their success is not
 * seen, their error ends the connection, and so does `sql` without a pointer: memory was out. False: the connection has failed.
 */
bool backend_pg_run(struct backend *b, struct bytes sql);
/* The same with a BEGIN that the client has been answered already. */
MUST_USE bool backend_pg_run_begin(struct backend *b, struct bytes sql);

/*
 * Discards what nextval() has left in the session; goes out with what the caller sends next. `among`: in the client's group.
 * False: the connection has failed.
 */
MUST_USE bool backend_pg_discard_sequences(struct backend *b, bool among);

/* What parse analysis will find on this connection. */
static inline uint64_t backend_pg_analysis(const struct backend_pg *bp) {
    return bp->analysis_to_be ? bp->analysis_to_be : bp->params.analysis_digest;
}

/*
 * Notes a message that the caller sends on b->stream; `target` as in reply_pg.h, `tag`
 * comes back with its reply. False: the connection has failed (and was closed).
 */
MUST_USE bool backend_pg_note_sent(struct backend *b, uint8_t type, uint8_t target, uint16_t tag);

/*
 * The same for a message of gilmok's own among the client's: no success is seen of it
 * (REPLY_QUIET, REPLY_COLLECT: then the description is in `description` when on_tagged
 * comes), or neither success nor error (REPLY_SWALLOW).
 */
MUST_USE bool backend_pg_note_own(struct backend *b, uint8_t type, uint8_t target, enum reply_fate fate, uint16_t tag);

/* backend_pg_among.c: messages of gilmok's own among the client's; noted by the caller, but for the last. */
void backend_pg_send_parse(struct backend *b, const struct prepared_pg *p);
void backend_pg_send_parse_as(struct backend *b, struct bytes name, struct bytes source);
void backend_pg_send_empty_parse(struct backend *b, const char *name); /* of a text without a statement */
/* An empty text with the parameters of this one, of which it has so many. */
void backend_pg_send_stand_in(struct backend *b, const struct prepared_pg *p, uint16_t parameters);
void backend_pg_send_about(struct backend *b, uint8_t type, const char *name); /* Describe or Close of a statement */
void backend_pg_send_flush(struct backend *b);
void backend_pg_send_sync(struct backend *b);
/*
 * Runs a statement without parameters whose result nobody wants; its error is the client's. `sql` may be empty, then
 * nothing happens. False: the connection has failed.
 */
MUST_USE bool backend_pg_run_among(struct backend *b, struct bytes sql);
/* The same with REPLY_SWALLOW: nor is its error seen. */
MUST_USE bool backend_pg_run_as(struct backend *b, struct bytes sql, enum reply_fate fate);
/* Closes the statements of these names, with a NUL behind each. */
MUST_USE bool backend_pg_close_each(struct backend *b, struct bytes names, enum reply_fate fate);
/* What was sent since the client's last group was a group of gilmok's own. */
MUST_USE bool backend_pg_end_own_group(struct backend *b);
/* As backend_pg_run_among, for several statements with a NUL behind each. */
MUST_USE bool backend_pg_run_each(struct backend *b, struct bytes statements);
/*
 * Prepares and describes a statement in a group of gilmok's own, outside of transactions: nobody sees anything of it, not even an
 * error. `settings`: a statement that puts some in force for the group; may be empty. `tag` comes back with each part that went
 * well, and with the group's end. False as above.
 */
MUST_USE bool backend_pg_prepare_aside(struct backend *b, const struct prepared_pg *p, struct bytes settings, uint16_t tag);
/*
 * Asks which of the settings that parse analysis reads are in force at this point of the client's group: SHOW for each. It takes no
 * snapshot. False: the connection has failed.
 */
MUST_USE bool backend_pg_ask(struct backend *b);
/*
 * The answer to the latest question that has one, once: what is reported, with the settings that it is about as they were then.
 * False: there is none, or memory is out. The caller releases `out`.
 */
MUST_USE bool backend_pg_take_asked(struct backend_pg *bp, struct params_pg *out);
void backend_pg_forget_asked(struct backend_pg *bp);
/* A row of an answer begins. */
void backend_pg_begin_asked(struct backend_pg *bp);
/*
 * A simple query of one statement, carried out by the extended protocol with the statements of `behind` (a NUL behind each) in the
 * same group, of which only errors are seen; the client gets what it would get for the query. `tag` comes back with its
 * ReadyForQuery. False as above.
 */
MUST_USE bool backend_pg_run_query(struct backend *b, struct bytes sql, struct bytes behind, uint16_t tag);
/*
 * Some statements of a Query that is sent now are gilmok's: bit n for statement n, from 0. Nothing is seen of them but an error.
 * When nothing of the client's is owed.
 */
static inline void backend_pg_hide_statements(struct backend_pg *bp, uint64_t statements) {
    bp->own_statements = statements;
}

/* A simple query of gilmok's in the place of one of the client's, who gets the reply. `tag` and False as above. */
MUST_USE bool backend_pg_query(struct backend *b, const char *sql, uint16_t tag);

/* backend_pg_hold.c: replies of which the lessee sees nothing until there is a result */
/* False: they must be passed on now. */
MUST_USE bool backend_pg_hold(struct backend *b, struct bytes replies);
/* A message is about to be passed on: it may wait with those that are held, or none of them waits any longer. */
void backend_pg_on_shown(struct backend *b, uint8_t type);
void backend_pg_show_held(struct backend *b); /* what is held, and all that comes from now on */
void backend_pg_drop_held(struct backend_pg *bp);
/* Nothing is seen of what is still owed, nor of what was held. False: the connection has failed. */
bool backend_pg_take_back(struct backend *b);

/* What a node says of itself alone is not passed on where the client may be on any. */
void backend_pg_hide_standby(const struct backend *b, struct pg_param *param);

/* backend_pg_login.c */
void backend_pg_login_begin(struct backend *b);
void backend_pg_login_secured(struct backend *b);
size_t backend_pg_login_received(struct backend *b, struct bytes data);

#endif
