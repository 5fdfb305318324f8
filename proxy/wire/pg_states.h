/*
 * pg_states.h - which message may come in which state, from clients and from servers: two tables, and nothing else decides it.
 *
 * A type that a state's row does not name is FATAL: the connection ends. What a message may hold is its decoder's to say, and how
 * long it may be pg_frontend_limit()'s. The rows stand in pg_states.c; tests/script/states.py walks both, 256 types in each state.
 *
 * CLIENTS. Messages behind a login's last one wait unread until it is over: they have no state of their own. The first packet of a
 * connection has no type; pg_first_read() knows four kinds of it, and session_pg_first.c which may follow which.
 *
 *      LOGIN ---> IDLE <---> BUSY            REFUSED: a request that gilmok has refused is skipped to its end
 *           '---> CONSOLE <---> CONSOLE_FAILED
 *
 * SERVERS. After the login the state is what the connection owes next (reply_pg.h); a server may say E, N, S and A whenever it
 * likes. A ReadyForQuery answers a Query, a FunctionCall or a Sync; the one exception, after a COPY that failed, is reply_pg.h's.
 */
#ifndef GILMOK_PROXY_WIRE_PG_STATES_H
#define GILMOK_PROXY_WIRE_PG_STATES_H

#include "base/build.h"

enum pg_client_state {
    PG_CLIENT_LOGIN,   /* a password or a SASL message is due */
    PG_CLIENT_IDLE,    /* no reply is owed */
    PG_CLIENT_BUSY,    /* a request is open: what means nothing in it is the server's to judge */
    PG_CLIENT_REFUSED,
    PG_CLIENT_CONSOLE,
    PG_CLIENT_CONSOLE_FAILED, /* an error: everything up to a Sync is skipped */
};
enum { PG_CLIENT_STATES = PG_CLIENT_CONSOLE_FAILED + 1 };

enum pg_server_state {
    PG_SERVER_LOGIN,    /* up to AuthenticationOk */
    PG_SERVER_GREETING, /* up to the first ReadyForQuery */
    PG_SERVER_REST,     /* nothing is owed */
    PG_SERVER_QUERY,
    PG_SERVER_FUNCTION,
    PG_SERVER_SYNC,
    PG_SERVER_PARSE,
    PG_SERVER_BIND,
    PG_SERVER_CLOSE,
    PG_SERVER_DESCRIBE_STATEMENT, /* its parameters are due */
    PG_SERVER_DESCRIBE_COLUMNS,   /* its columns are; or those of a portal */
    PG_SERVER_EXECUTE,
};
enum { PG_SERVER_STATES = PG_SERVER_EXECUTE + 1 };

enum pg_verdict {
    PG_FATAL,
    PG_IGNORED, /* from clients: dropped, as the server drops it */
    PG_TAKEN,
    PG_LAST, /* from servers: taken, and the reply is whole */
};

const char *pg_client_state_name(enum pg_client_state state);
const char *pg_server_state_name(enum pg_server_state state);

/* One bit for each type that there is: letters, and '1' to '3'. 0 for every other byte. */
static inline uint64_t pg_type_bit(uint8_t type) {
    if (type >= 'A' && type <= 'z') return UINT64_C(1) << (type - 'A');
    return type >= '1' && type <= '3' ? UINT64_C(1) << (type - '1' + 'z' - 'A' + 1) : 0;
}

struct pg_state_row {
    uint64_t taken, last, ignored;
};
extern const struct pg_state_row pg_client_rows[PG_CLIENT_STATES];
extern const struct pg_state_row pg_server_rows[PG_SERVER_STATES];

static inline enum pg_verdict pg_row_verdict(const struct pg_state_row *row, uint8_t type) {
    uint64_t bit = pg_type_bit(type);
    return row->taken & bit ? PG_TAKEN : row->last & bit ? PG_LAST : row->ignored & bit ? PG_IGNORED : PG_FATAL;
}

static inline enum pg_verdict pg_client_verdict(enum pg_client_state state, uint8_t type) {
    return pg_row_verdict(&pg_client_rows[state], type);
}

static inline enum pg_verdict pg_server_verdict(enum pg_server_state state, uint8_t type) {
    return pg_row_verdict(&pg_server_rows[state], type);
}

#endif
