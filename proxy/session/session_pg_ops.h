/*
 * session_pg_ops.h - what a client has asked about prepared statements and is not answered yet. For the files that place
 * its messages (session_pg_prepared.c, session_pg_bring.c, session_pg_sql*.c).
 *
 * Each op has a tag that travels through the ledger with the message that it belongs to; its reply brings it back. When the
 * group ends without, the server has skipped it, and it is undone.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_PG_OPS_H
#define GILMOK_PROXY_SESSION_SESSION_PG_OPS_H

#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg_names.h"

enum op_kind {
    OP_PARSE,
    OP_PREPARE_HERE, /* made by gilmok, for a message that waits */
    OP_CLOSE,
    OP_STAND_IN,     /* a Parse of nothing, in place of one that a failed transaction would not read */
    OP_DUPLICATE,    /* a Parse of a name that is taken: it will fail, one way or the other */
    OP_SQL,          /* a Query or an Execute whose text names statements */
    OP_DESCRIBE,     /* gilmok asks what was prepared by SQL */
};

struct sql_text;

struct prepared_op {
    struct list node;
    uint16_t tag;
    enum op_kind kind;
    bool is_parsed;
    bool is_sent_whole; /* its group has ended since: it may be skipped, and what follows not */
    bool is_asked;      /* OP_PARSE: the settings that it is parsed under were asked for before it */
    bool is_for_query;  /* OP_PREPARE_HERE: in a group of its own before a Query, which fails with it */
    bool is_for_describe; /* OP_PREPARE_HERE: for a Describe, which waits */
    struct prepared_pg *made; /* in the connection's set; NULL for OP_CLOSE and OP_SQL */
    struct sql_text *text;    /* OP_SQL, and a Parse of an edited text: one reference; or NULL */
    size_t name_len;
    uint8_t name[]; /* the client's */
};

static inline struct bytes op_name(const struct prepared_op *op) {
    return bytes_of(op->name, op->name_len);
}

static inline struct prepared_op *op_at(struct list *n) {
    return n ? CONTAINER_OF(n, struct prepared_op, node) : NULL;
}

/* What a name stands for at this point of the client's messages. */
struct meaning {
    struct prepared_pg *made;       /* on this very connection, not answered or not described yet */
    struct client_statement *known; /* else what it is */
    uint16_t number; /* of the name: the tag of the op that gave it */
};

static inline bool meaning_is_named(struct meaning m) {
    return m.made || m.known;
}

/* ---- session_pg_ops.c ---- */
struct meaning session_pg_meaning(struct prepared_client *pc, struct bytes name);
/* True when what was sent about it, in a group before this one, is not answered: after an error it will have been skipped. */
bool session_pg_is_in_doubt(const struct prepared_client *pc, struct bytes name);
/* True when what was sent about it last, in a group before this one, may be skipped, and then it means something else. */
bool session_pg_may_mean_another(struct prepared_client *pc, struct bytes name);
/* It has been sent, in this order. NULL: memory is out. */
struct prepared_op *session_pg_ops_add(struct prepared_client *pc, enum op_kind kind, struct bytes name, struct prepared_pg *made);
void session_pg_op_end(struct prepared_op *op);
struct prepared_op *session_pg_op_find(struct prepared_client *pc, uint16_t tag);
/* Ends the session. STEP_STOP. */
enum step session_pg_prepared_out_of_memory(struct session *s);
/* Of what was prepared by SQL just now: the settings that gave it its meaning; `is_known`: they are those that are in force. */
void session_pg_settle_sql(struct session *s, struct backend *b, struct prepared_pg *p, bool is_known);

/* ---- session_pg_bring.c ---- */
/*
 * Makes sure that it is on this connection. STEP_DONE: *name is its name there. Else what became of the message: it waits, or it
 * has failed.
 */
enum step session_pg_prepare_here(struct session *s, const struct message *m, struct bytes client_name,
                                  struct client_statement *known, const char **name);
/* The same in whatever state the transaction is in; of one that is known not to be here. */
enum step session_pg_bring_known(struct session *s, const struct message *m, struct bytes client_name,
                                 struct client_statement *known, const char **name);
/* NULL: this connection lacks it. */
const char *session_pg_name_of_known(struct session *s, const struct client_statement *known);

/* ---- session_pg_own_errors.c ---- */
/*
 * The message stays until something comes that is on its way by itself: the end of a group, or what was flushed and is not in yet.
 * Everything else is awaited with session_pg_await_replies().
 */
enum step session_pg_hold(struct session *s);
/*
 * The client's message fails with `err`, after the replies to all before it. The server is made to fail there, too, so that it
 * ends the transaction and skips what follows.
 */
enum step session_pg_fail_here(struct session *s, const struct message *m, const struct err *err);
enum step session_pg_fail_missing(struct session *s, const struct message *m, struct bytes name);
/* It takes or returns something else than it did. */
enum step session_pg_fail_changed(struct session *s, const struct message *m);
/* In a failed transaction, where nothing on this connection can be made to say so. */
enum step session_pg_fail_aborted(struct session *s, const struct message *m);
/* Its constants mean what they meant under settings that are not in force here, and cannot be for a moment. */
enum step session_pg_fail_settings(struct session *s, const struct message *m, struct bytes client_name);

/* ---- session_pg_prepared.c ---- */
/* A Bind, under another name. */
enum step session_pg_send_bind(struct session *s, const struct message *m, const char *name, uint16_t number);
/* Closes what is beyond `max` on the connection. False: it has failed. */
MUST_USE bool session_pg_close_surplus(struct session_pg *ps, struct backend *b, uint32_t max);

/* ---- session_pg_sql_text.c: texts that name statements, as they are sent ---- */

/* One place where a text names a statement. */
struct sql_use {
    enum sql_use_kind {
        SQL_USES,         /* one that is there; or none, of a name that must not reach the server */
        SQL_PREPARES,     /* a new one, `made` */
        SQL_TAKEN,        /* prepares one of a name that is taken */
        SQL_DEALLOCATES,
        SQL_INSERTED,     /* no use at all: statements of gilmok's stand here (session_pg_reset_text.c) */
    } kind;
    uint32_t number;      /* of the statement in the text */
    uint32_t at, len;     /* of the name in the client's text, in characters */
    uint32_t server_len;  /* of what stands there instead */
    struct prepared_pg *made; /* in the connection's set; NULL once it is settled what became of it */
    char server[PREPARED_PG_NAME_MAX];
    struct bytes name;    /* the client's; in the text's own memory */
};

struct sql_text {
    uint32_t refs;
    uint32_t done;  /* statements of it that the server has completed */
    uint32_t count;
    bool may_move;  /* it, or what stands before it in its group, may change the settings in force */
    bool is_portal; /* of one statement, by Bind and Execute */
    bool has_run;   /* is_portal: an Execute of it was sent, and its names were looked up */
    struct bytes original; /* the client's, when it is one PREPARE and nothing else: with a NUL behind it; else empty */
    struct sql_text *over;  /* owned; what was inserted into the text behind that; or NULL */
    uint32_t voids; /* names that must stand for something while it runs: SQL_TAKEN and SQL_DEALLOCATES */
    struct sql_use uses[];
};

/* A statement of no contents that is there for the server to find: for a name that is taken, or to be deallocated. */
#define SQL_TEXT_VOID STATEMENT_PG_PREFIX "void_"
/* The name of an edited text that was bound last. */
#define SQL_TEXT_OWN STATEMENT_PG_PREFIX "text"

/*
 * What the client's text will say on this connection, after what that needs has been made there. STEP_RAW: just what it says.
 * STEP_DONE: *out is it, with its text in `w`; NULL: the message has failed. Else what became of the message.
 */
enum step session_pg_sql_text_make(struct session *s, const struct message *m, struct bytes text, struct sql_text **out,
                                   struct writer *w);
/* The last reference drops what has not come to be. `set` NULL: the connection is gone. */
void session_pg_sql_text_unref(struct sql_text *text, struct prepared_set_pg *set);
/* Sends what its voids need. False: the connection has failed. */
MUST_USE bool session_pg_sql_text_send_voids(struct backend *b, const struct sql_text *text);
/* In characters, as the server counts positions. */
uint32_t session_pg_count_characters(struct bytes text, const struct sql_options *o);
/* A position in what was sent as one in the client's text; both count characters from 1. */
uint32_t session_pg_sql_text_position(const struct sql_text *text, uint32_t position);
/* True when what was sent, at the beginning of `at`, has a name of the server's in it; *use is which. */
bool session_pg_sql_text_find(const struct sql_text *text, struct bytes at, const struct sql_use **use);

/* ---- session_pg_sql_portal.c ---- */
/* A Bind or Describe of a statement whose text names statements. STEP_RAW: none of them is known, it is like any other. */
enum step session_pg_sql_take(struct session *s, const struct message *m, struct bytes source, uint16_t number);
/* The connection is gone (`set` NULL), or nothing is under way there any more. */
void session_pg_sql_end_portals(struct prepared_client *pc, struct prepared_set_pg *set);

/* ---- session_pg_sql.c ---- */
/* True when names may come to mean something else by texts that name statements, which are sent and not answered. */
bool session_pg_sql_must_wait(const struct session *s);
/*
 * The same for such a text: by anything that is under way. (A message that names a statement is looked up by the server when its
 * turn comes; a name in a text is looked up now.)
 */
bool session_pg_sql_text_must_wait(const struct session *s);
/* A statement of the text has been completed. */
void session_pg_sql_on_complete(struct session *s, struct backend *b, struct prepared_op *op, uint8_t kind);
/* The text's answer is over. */
void session_pg_sql_undo(struct session_pg *ps, struct backend *b, struct prepared_op *op);
/* OP_DESCRIBE: described; or it cannot be. */
void session_pg_sql_on_described(struct session *s, struct backend *b, struct prepared_op *op);
void session_pg_sql_on_not_described(struct session *s, struct backend *b, struct prepared_op *op);

/* ---- session_pg_failed.c ---- */
/* Its verb (parser/ast.h), when it is a command; else 0. Reads the text. */
unsigned session_pg_verb_of(struct session *s, const struct statement_pg *st);
/* In a transaction that has failed for sure. */
bool session_pg_is_failed(const struct session *s);
/* In one that what is under way in its group may have ended: its answer tells (ledger.txn). */
bool session_pg_may_end_failed(const struct session *s);
/*
 * What the server is to be sent instead of a statement that it lacks, so that a message of this type brings the answer that it
 * would bring if it were there. NULL in *name: gilmok must say it, or the statement can be parsed even now (`is_exit`).
 * False: memory is out.
 */
MUST_USE bool session_pg_stand_in(struct session *s, struct bytes client_name, const struct client_statement *known, uint8_t type,
                                  const char **name, bool *is_exit);

#endif
