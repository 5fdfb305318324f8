/*
 * reply_pg.h - what each PostgreSQL message does to the ledger, both ways. Pure.
 *
 * The rules were found on a real server; each has a case in tests/golden/ledger:
 *  - an ErrorResponse voids all entries up to its group's Sync; after it the server
 *    answers nothing until a Sync that was or will be sent;
 *  - a CopyInResponse voids every Sync already sent behind it, up to a CopyDone or
 *    CopyFail: during COPY IN the server ignores Sync and Flush;
 *  - unless that COPY fails (a trigger, a bad row) before the server has read them:
 *    then it answers them after all. From here both look the same, so the voided
 *    Syncs stay *doubtful*: a ReadyForQuery that nothing else explains is passed on
 *    as one of them, and the connection is not free. Any reply to something sent
 *    later ends the doubt, because replies come in order; backend_pg.c sends an
 *    empty query of its own to get one;
 *  - a COPY that fails before its CopyInResponse voids nothing;
 *  - CopyData, CopyDone and CopyFail outside a COPY are ignored by the server;
 *  - ReadyForQuery answers exactly one Sync, Query or FunctionCall.
 */
#ifndef GILMOK_PROXY_POOL_REPLY_PG_H
#define GILMOK_PROXY_POOL_REPLY_PG_H

#include "proxy/pool/ledger.h"

enum reply_pg_kind {
    OWED_QUERY = 1,
    OWED_FUNCTION,
    OWED_SYNC,
    OWED_PARSE,
    OWED_BIND,
    OWED_DESCRIBE_STATEMENT,
    OWED_DESCRIBE_PORTAL,
    OWED_DESCRIBE_UNNAMED, /* the unnamed portal: what it will return is then known for OWED_EXECUTE_UNNAMED */
    OWED_EXECUTE,
    OWED_EXECUTE_UNNAMED,
    OWED_CLOSE,
    OWED_PARSE_TRIED, /* a Parse of gilmok's own with the client's text */
    OWED_COPY_END, /* a CopyDone or CopyFail was sent: no reply, but it bounds the Syncs that a COPY voids */
};
const char *reply_pg_kind_name(uint8_t kind);

/*
 * What a Describe or Execute is about; 0 for other messages, and for an Execute of a named portal. Of a Parse: whether it is tried
 * for the client, who is to see the server's notices about it.
 */
enum reply_pg_target { TARGET_STATEMENT = 'S', TARGET_PORTAL = 'P', TARGET_UNNAMED_PORTAL = 'U', TARGET_TRIED = 'T' };

/* Notes a message that was sent to the server, by its type. False: memory is out. */
MUST_USE bool reply_pg_sent(struct ledger *l, uint8_t type, uint8_t target, enum reply_fate fate);

enum reply_pg_verdict {
    REPLY_PG_PART,    /* part of the head's reply: treat by *fate */
    REPLY_PG_READY,   /* ReadyForQuery that ended a group: treat by *fate; ledger.txn is up to date */
    REPLY_PG_ASYNC,   /* Notice, Notification, ParameterStatus: not a reply; *fate is the head's, or forward */
    REPLY_PG_FATAL,   /* an ErrorResponse that nobody asked for: the server is about to close */
    REPLY_PG_BROKEN,  /* cannot be explained: the connection must be closed, nothing more may be forwarded */
};

/* Takes a message from the server; `txn_status` is the byte of a ReadyForQuery, else ignored. */
enum reply_pg_verdict reply_pg_received(struct ledger *l, uint8_t type, uint8_t txn_status, enum reply_fate *fate);

#endif
