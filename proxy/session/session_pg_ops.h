/*
 * session_pg_ops.h - what a client has asked about prepared statements and is not answered yet. For the files that place
 * its messages (session_pg_prepared.c, session_pg_sql*.c).
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
};

struct prepared_op {
    struct list node;
    uint16_t tag;
    enum op_kind kind;
    bool is_parsed;
    bool is_sent_whole; /* its group has ended since: it may be skipped, and what follows not */
    bool is_asked;      /* OP_PARSE: the settings that it is parsed under were asked for before it */
    struct prepared_pg *made; /* in the connection's set; NULL for OP_CLOSE */
    size_t name_len;
    uint8_t name[]; /* the client's */
};

static inline struct bytes op_name(const struct prepared_op *op) {
    return bytes_of(op->name, op->name_len);
}

static inline struct prepared_op *op_at(struct list *n) {
    return n ? CONTAINER_OF(n, struct prepared_op, node) : NULL;
}

/* session_pg_prepared.c: it has been sent, in this order. NULL: memory is out. */
struct prepared_op *session_pg_ops_add(struct prepared_client *pc, enum op_kind kind, struct bytes name, struct prepared_pg *made);
/* Its verb (parser/ast.h), when it is a command; else 0. Reads the text. session_pg_failed.c. */
unsigned session_pg_verb_of(struct session *s, const struct statement_pg *st);
/* In a transaction that has failed for sure, session_pg_failed.c. */
bool session_pg_is_failed(const struct session *s);
/*
 * What the server is to be sent instead of a statement that it lacks, so that a message of this type brings the answer that it
 * would bring if it were there. NULL in *name: gilmok must say it, or the statement can be parsed even now (`is_exit`).
 * False: memory is out.
 */
MUST_USE bool session_pg_stand_in(struct session *s, struct bytes client_name, const struct client_statement *known, uint8_t type,
                                  const char **name, bool *is_exit);

#endif
