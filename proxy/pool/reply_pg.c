/*
 * Which reply belongs to which message (the table is wire/pg_states.h's), and the few rules that are not a table. Sees message
 * types only, never bodies.
 */
#include "proxy/pool/reply_pg.h"

#include "proxy/wire/pg_proto.h"
#include "proxy/wire/pg_states.h"

const char *reply_pg_kind_name(uint8_t kind) {
    static const char *const names[] = {
        [OWED_QUERY] = "Query",
        [OWED_FUNCTION] = "FunctionCall",
        [OWED_SYNC] = "Sync",
        [OWED_PARSE] = "Parse",
        [OWED_PARSE_TRIED] = "Parse T",
        [OWED_BIND] = "Bind",
        [OWED_DESCRIBE_STATEMENT] = "Describe S",
        [OWED_DESCRIBE_PORTAL] = "Describe P",
        [OWED_DESCRIBE_UNNAMED] = "Describe U",
        [OWED_EXECUTE] = "Execute",
        [OWED_EXECUTE_UNNAMED] = "Execute U",
        [OWED_CLOSE] = "Close",
        [OWED_COPY_END] = "CopyEnd",
    };
    return kind < COUNT_OF(names) && names[kind] ? names[kind] : "?";
}

static uint8_t describe_kind(uint8_t target) {
    switch (target) {
    case TARGET_STATEMENT:
        return OWED_DESCRIBE_STATEMENT;
    case TARGET_UNNAMED_PORTAL:
        return OWED_DESCRIBE_UNNAMED;
    default:
        return OWED_DESCRIBE_PORTAL;
    }
}

bool reply_pg_sent(struct ledger *l, uint8_t type, uint8_t target, enum reply_fate fate) {
    switch (type) {
    case PG_F_QUERY:
        return ledger_push(l, OWED_QUERY, fate, true);
    case PG_F_FUNCTION_CALL:
        return ledger_push(l, OWED_FUNCTION, fate, true);
    case PG_F_SYNC:
        return l->is_client_turn || ledger_push(l, OWED_SYNC, fate, true);
    case PG_F_PARSE:
        return ledger_push(l, target == TARGET_TRIED ? OWED_PARSE_TRIED : OWED_PARSE, fate, false);
    case PG_F_BIND:
        return ledger_push(l, OWED_BIND, fate, false);
    case PG_F_DESCRIBE:
        return ledger_push(l, describe_kind(target), fate, false);
    case PG_F_EXECUTE:
        return ledger_push(l, target == TARGET_UNNAMED_PORTAL ? OWED_EXECUTE_UNNAMED : OWED_EXECUTE, fate, false);
    case PG_F_CLOSE:
        return ledger_push(l, OWED_CLOSE, fate, false);
    case PG_F_COPY_DONE:
    case PG_F_COPY_FAIL:
        if (l->is_client_turn) {
            l->is_client_turn = false;
            return true;
        }
        if (l->count == 0) return true; /* nothing it could end: the server ignores it */
        bool was_open = l->is_group_open;
        bool ok = ledger_push(l, OWED_COPY_END, fate, false);
        l->is_group_open = was_open;
        return ok;
    default: /* Flush and CopyData owe nothing */
        return true;
    }
}

/* ledger.phase of an Execute or Query whose COPY IN has begun. */
enum { PHASE_COPY = 1 };

static void drop_copy_ends(struct ledger *l) {
    while (l->count && ledger_head(l)->kind == OWED_COPY_END) ledger_pop(l);
}

/* COPY IN begins: Syncs that were sent before the end of the data will not be answered. */
static void begin_copy_in(struct ledger *l) {
    l->is_client_turn = true;
    uint32_t i = 1;
    while (i < l->count) {
        uint8_t kind = ledger_at(l, i)->kind;
        if (kind == OWED_COPY_END) {
            ledger_remove(l, i);
            l->is_client_turn = false;
            break;
        }
        if (kind == OWED_SYNC) {
            ledger_remove(l, i);
            l->doubtful++;
        } else {
            i++;
        }
    }
    /* When the last Sync fell away, the one that ends the group is still to come. */
    uint32_t last = l->count - 1;
    while (last > 0 && ledger_at(l, last)->kind == OWED_COPY_END) last--;
    l->is_group_open = !ledger_at(l, last)->ends_group;
    l->phase = PHASE_COPY;
}

static enum reply_pg_verdict pop_part(struct ledger *l) {
    ledger_pop(l);
    drop_copy_ends(l);
    return REPLY_PG_PART;
}

static enum reply_pg_verdict take_error(struct ledger *l) {
    if (l->count == 0) return REPLY_PG_FATAL;
    l->is_client_turn = false;
    if (l->phase != PHASE_COPY) l->doubtful = 0;
    if (!ledger_head(l)->ends_group) ledger_void_until(l, OWED_SYNC);
    return REPLY_PG_PART;
}

static bool set_txn(struct ledger *l, uint8_t status) {
    switch (status) {
    case PG_TXN_IDLE:
        l->txn = TXN_NONE;
        return true;
    case PG_TXN_OPEN:
        l->txn = TXN_OPEN;
        return true;
    case PG_TXN_FAILED:
        l->txn = TXN_FAILED;
        return true;
    default:
        return false;
    }
}

/* A doubtful Sync was answered after all. */
static enum reply_pg_verdict take_doubtful_ready(struct ledger *l, enum reply_fate *fate) {
    l->doubtful--;
    if (l->is_skipping) l->is_skipping = l->is_group_open = false;
    *fate = REPLY_FORWARD;
    return REPLY_PG_READY;
}

static enum reply_pg_verdict take_ready(struct ledger *l, uint8_t status, enum reply_fate *fate) {
    struct ledger_entry *head = ledger_head(l);
    if (!set_txn(l, status)) return REPLY_PG_BROKEN;
    if (l->doubtful && (!head || (head->kind != OWED_SYNC && l->phase != PHASE_COPY))) return take_doubtful_ready(l, fate);
    if (!head || !head->ends_group) return REPLY_PG_BROKEN;
    ledger_pop(l);
    l->is_client_turn = false;
    drop_copy_ends(l);
    return REPLY_PG_READY;
}

/* What is due from the server: a row of the table of messages. */
static enum pg_server_state state_of(const struct ledger *l, uint8_t kind) {
    static const uint8_t states[] = {
        [OWED_QUERY] = PG_SERVER_QUERY,
        [OWED_FUNCTION] = PG_SERVER_FUNCTION,
        [OWED_SYNC] = PG_SERVER_SYNC,
        [OWED_PARSE] = PG_SERVER_PARSE,
        [OWED_PARSE_TRIED] = PG_SERVER_PARSE,
        [OWED_BIND] = PG_SERVER_BIND,
        [OWED_DESCRIBE_STATEMENT] = PG_SERVER_DESCRIBE_STATEMENT,
        [OWED_DESCRIBE_PORTAL] = PG_SERVER_DESCRIBE_COLUMNS,
        [OWED_DESCRIBE_UNNAMED] = PG_SERVER_DESCRIBE_COLUMNS,
        [OWED_EXECUTE] = PG_SERVER_EXECUTE,
        [OWED_EXECUTE_UNNAMED] = PG_SERVER_EXECUTE,
        [OWED_CLOSE] = PG_SERVER_CLOSE,
        [OWED_COPY_END] = PG_SERVER_SYNC, /* never at the head for long: it owes nothing */
    };
    if (kind == OWED_DESCRIBE_STATEMENT && l->phase) return PG_SERVER_DESCRIBE_COLUMNS;
    return (enum pg_server_state)states[kind];
}

/* Neither an error nor a ReadyForQuery, nor what may come at any time. */
static enum reply_pg_verdict take_reply(struct ledger *l, uint8_t type) {
    switch (pg_server_verdict(state_of(l, ledger_head(l)->kind), type)) {
    case PG_TAKEN:
        break;
    case PG_LAST:
        l->is_client_turn = false;
        return pop_part(l);
    default:
        return REPLY_PG_BROKEN;
    }
    if (type == PG_B_COPY_IN || type == PG_B_COPY_BOTH) begin_copy_in(l);
    else if (type == PG_B_PARAMETER_DESCRIPTION) l->phase = 1;
    else if (type == PG_B_COMMAND_COMPLETE || type == PG_B_EMPTY_QUERY) l->is_client_turn = false;
    return REPLY_PG_PART;
}

enum reply_pg_verdict reply_pg_received(struct ledger *l, uint8_t type, uint8_t txn_status, enum reply_fate *fate) {
    struct ledger_entry *head = ledger_head(l);
    *fate = head ? (enum reply_fate)head->fate : REPLY_FORWARD;
    switch (type) {
    case PG_B_NOTICE:
    case PG_B_NOTIFICATION:
    case PG_B_PARAMETER_STATUS:
        return REPLY_PG_ASYNC;
    case PG_B_ERROR:
        return take_error(l);
    default:
        break;
    }
    if (type == PG_B_READY) return take_ready(l, txn_status, fate);
    if (!head) return REPLY_PG_BROKEN;
    bool is_copy = type == PG_B_COPY_IN || type == PG_B_COPY_BOTH;
    if (is_copy && *fate != REPLY_FORWARD) return REPLY_PG_BROKEN; /* gilmok itself begins none */
    if (type != PG_B_COPY_IN) l->doubtful = 0;
    return take_reply(l, type);
}
