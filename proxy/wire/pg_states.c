/*
 * The tables of pg_states.h.
 */
#include "proxy/wire/pg_states.h"

#include "proxy/wire/pg_proto.h"

static_assert('z' - 'A' + 3 < 64, "every type has its bit");

/* As pg_type_bit(), for constants. */
#define T(type) (UINT64_C(1) << ((type) >= 'A' ? (type) - 'A' : (type) - '1' + 'z' - 'A' + 1))

#define QUERIES (T(PG_F_QUERY) | T(PG_F_FUNCTION_CALL))
#define EXTENDED (T(PG_F_PARSE) | T(PG_F_BIND) | T(PG_F_DESCRIBE) | T(PG_F_EXECUTE) | T(PG_F_CLOSE))
#define COPYING (T(PG_F_COPY_DATA) | T(PG_F_COPY_DONE) | T(PG_F_COPY_FAIL))
#define SYNC_OR_BYE (T(PG_F_SYNC) | T(PG_F_TERMINATE))

/* clang-format off */
const struct pg_state_row pg_client_rows[PG_CLIENT_STATES] = {
    [PG_CLIENT_LOGIN]          = {.taken = T(PG_F_AUTH)},
    /* A COPY that has failed leaves data on its way, and a Flush has nothing to flush: the server ignores both. */
    [PG_CLIENT_IDLE]           = {.taken = QUERIES | EXTENDED | SYNC_OR_BYE, .ignored = COPYING | T(PG_F_FLUSH)},
    [PG_CLIENT_BUSY]           = {.taken = QUERIES | EXTENDED | SYNC_OR_BYE | COPYING | T(PG_F_FLUSH)},
    /* A Query or a FunctionCall is a request by itself; the others end with their Sync. */
    [PG_CLIENT_REFUSED]        = {.taken = QUERIES | SYNC_OR_BYE, .ignored = EXTENDED | COPYING | T(PG_F_FLUSH)},
    [PG_CLIENT_CONSOLE]        = {.taken = QUERIES | EXTENDED | SYNC_OR_BYE, .ignored = COPYING | T(PG_F_FLUSH)},
    [PG_CLIENT_CONSOLE_FAILED] = {.taken = SYNC_OR_BYE, .ignored = QUERIES | EXTENDED | COPYING | T(PG_F_FLUSH)},
};

#define ALWAYS (T(PG_B_ERROR) | T(PG_B_NOTICE) | T(PG_B_PARAMETER_STATUS) | T(PG_B_NOTIFICATION))
#define READY T(PG_B_READY)
#define COPIES (T(PG_B_COPY_IN) | T(PG_B_COPY_OUT) | T(PG_B_COPY_BOTH) | T(PG_B_COPY_DATA) | T(PG_B_COPY_DONE))
#define COMPLETE (T(PG_B_COMMAND_COMPLETE) | T(PG_B_EMPTY_QUERY))
#define COLUMNS (T(PG_B_ROW_DESCRIPTION) | T(PG_B_NO_DATA))

const struct pg_state_row pg_server_rows[PG_SERVER_STATES] = {
    [PG_SERVER_LOGIN]    = {.taken = T(PG_B_AUTH) | T(PG_B_ERROR) | T(PG_B_NOTICE)},
    [PG_SERVER_GREETING] = {.taken = T(PG_B_PARAMETER_STATUS) | T(PG_B_KEY_DATA) | T(PG_B_ERROR) | T(PG_B_NOTICE), .last = READY},
    [PG_SERVER_REST]     = {.taken = ALWAYS},
    [PG_SERVER_QUERY]    = {.taken = ALWAYS | T(PG_B_ROW_DESCRIPTION) | T(PG_B_DATA_ROW) | COPIES | COMPLETE, .last = READY},
    [PG_SERVER_FUNCTION] = {.taken = ALWAYS | T(PG_B_FUNCTION_RESPONSE), .last = READY},
    [PG_SERVER_SYNC]     = {.taken = ALWAYS, .last = READY},
    [PG_SERVER_PARSE]    = {.taken = ALWAYS, .last = T(PG_B_PARSE_COMPLETE)},
    [PG_SERVER_BIND]     = {.taken = ALWAYS, .last = T(PG_B_BIND_COMPLETE)},
    [PG_SERVER_CLOSE]    = {.taken = ALWAYS, .last = T(PG_B_CLOSE_COMPLETE)},
    [PG_SERVER_DESCRIBE_STATEMENT] = {.taken = ALWAYS | T(PG_B_PARAMETER_DESCRIPTION)},
    [PG_SERVER_DESCRIBE_COLUMNS]   = {.taken = ALWAYS, .last = COLUMNS},
    [PG_SERVER_EXECUTE]  = {.taken = ALWAYS | T(PG_B_DATA_ROW) | COPIES, .last = COMPLETE | T(PG_B_PORTAL_SUSPENDED)},
};
/* clang-format on */

const char *pg_client_state_name(enum pg_client_state state) {
    static const char *const names[PG_CLIENT_STATES] = {
        [PG_CLIENT_LOGIN] = "login",     [PG_CLIENT_IDLE] = "idle",       [PG_CLIENT_BUSY] = "busy",
        [PG_CLIENT_REFUSED] = "refused", [PG_CLIENT_CONSOLE] = "console", [PG_CLIENT_CONSOLE_FAILED] = "console failed",
    };
    return names[state];
}

const char *pg_server_state_name(enum pg_server_state state) {
    static const char *const names[PG_SERVER_STATES] = {
        [PG_SERVER_LOGIN] = "login",
        [PG_SERVER_GREETING] = "greeting",
        [PG_SERVER_REST] = "rest",
        [PG_SERVER_QUERY] = "Query",
        [PG_SERVER_FUNCTION] = "FunctionCall",
        [PG_SERVER_SYNC] = "Sync",
        [PG_SERVER_PARSE] = "Parse",
        [PG_SERVER_BIND] = "Bind",
        [PG_SERVER_CLOSE] = "Close",
        [PG_SERVER_DESCRIBE_STATEMENT] = "Describe",
        [PG_SERVER_DESCRIBE_COLUMNS] = "Describe columns",
        [PG_SERVER_EXECUTE] = "Execute",
    };
    return names[state];
}
