/*
 * request.h - the spine: one exchange of a client, walked through named stages.
 *
 *      NONE -> POOL -> BACKEND -> RELAY -> FINISH -> NONE
 *
 *      POOL     the session has, gets or waits for a server connection
 *      BACKEND  connection and client are brought in line (settings), nothing is sent yet
 *      RELAY    messages go to the server, replies come back through the ledger
 *      FINISH   counted; the connection goes back unless something holds it
 *
 * Stages that later work adds (parse, route, merge) take their place in the same
 * table. A stage answers NEXT, WAIT (something will call request_run again) or
 * FAIL (the request was refused and is over). Nothing but request_run advances one.
 */
#ifndef GILMOK_PROXY_SESSION_REQUEST_H
#define GILMOK_PROXY_SESSION_REQUEST_H

#include "base/build.h"

enum request_stage { REQUEST_NONE, REQUEST_POOL, REQUEST_BACKEND, REQUEST_RELAY, REQUEST_FINISH, REQUEST_STAGES };
const char *request_stage_name(enum request_stage stage);

enum stage_result { STAGE_NEXT, STAGE_WAIT, STAGE_FAIL };

struct request {
    enum request_stage stage;
    uint64_t started_us;
    bool wants_replica; /* it only reads: any replica may serve it (session_pg_route.c) */
    bool has_sent;    /* a message of the client's is on its way */
    bool is_taken_back; /* its replies are not wanted: it will run again elsewhere */
    bool is_answered; /* RELAY may end: the connection is quiet */
};

struct session;

static inline bool request_is_open(const struct request *r) {
    return r->stage != REQUEST_NONE;
}

/* Opens a request and walks it as far as it goes. True when it is in RELAY: messages may be sent now. */
bool request_open(struct session *s, bool wants_replica);
void request_run(struct session *s);
/* Ends it wherever it is, without counting it. */
void request_drop(struct session *s);

#endif
