/*
 * golden_ledger.c - conversations with a server, and after each message what the connection still owes.
 *
 *     > MESSAGE [swallow]      sent to the server
 *     < MESSAGE [STATUS]       came from it; STATUS is ReadyForQuery's byte, `0xNN` any type byte
 *
 * What comes out: the verdict and fate of a received message, then `quiet` or what
 * is owed and every flag that keeps the connection busy, then the transaction
 * state when there is one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/pool/reply_pg.h"
#include "proxy/wire/pg_proto.h"
#include "tests/golden/golden.h"

struct message {
    const char *name;
    uint8_t type;
    uint8_t target;
};

static const struct message to_server[] = {
    {"Query", PG_F_QUERY, 0},          {"FunctionCall", PG_F_FUNCTION_CALL, 0},
    {"Parse", PG_F_PARSE, 0},          {"Bind", PG_F_BIND, 0},
    {"DescribeS", PG_F_DESCRIBE, 'S'}, {"DescribeP", PG_F_DESCRIBE, 'P'},
    {"Execute", PG_F_EXECUTE, 0},      {"Close", PG_F_CLOSE, 0},
    {"Sync", PG_F_SYNC, 0},            {"Flush", PG_F_FLUSH, 0},
    {"CopyData", PG_F_COPY_DATA, 0},   {"CopyDone", PG_F_COPY_DONE, 0},
    {"CopyFail", PG_F_COPY_FAIL, 0},
};

static const struct message from_server[] = {
    {"Auth", PG_B_AUTH, 0},
    {"KeyData", PG_B_KEY_DATA, 0},
    {"Negotiate", PG_B_NEGOTIATE, 0},
    {"ParameterStatus", PG_B_PARAMETER_STATUS, 0},
    {"Notice", PG_B_NOTICE, 0},
    {"Notification", PG_B_NOTIFICATION, 0},
    {"Ready", PG_B_READY, 0},
    {"Error", PG_B_ERROR, 0},
    {"RowDescription", PG_B_ROW_DESCRIPTION, 0},
    {"DataRow", PG_B_DATA_ROW, 0},
    {"CommandComplete", PG_B_COMMAND_COMPLETE, 0},
    {"EmptyQuery", PG_B_EMPTY_QUERY, 0},
    {"ParseComplete", PG_B_PARSE_COMPLETE, 0},
    {"BindComplete", PG_B_BIND_COMPLETE, 0},
    {"CloseComplete", PG_B_CLOSE_COMPLETE, 0},
    {"ParameterDescription", PG_B_PARAMETER_DESCRIPTION, 0},
    {"NoData", PG_B_NO_DATA, 0},
    {"PortalSuspended", PG_B_PORTAL_SUSPENDED, 0},
    {"FunctionResponse", PG_B_FUNCTION_RESPONSE, 0},
    {"CopyIn", PG_B_COPY_IN, 0},
    {"CopyOut", PG_B_COPY_OUT, 0},
    {"CopyBoth", PG_B_COPY_BOTH, 0},
    {"CopyData", PG_B_COPY_DATA, 0},
    {"CopyDone", PG_B_COPY_DONE, 0},
};

static struct ledger ledger;

static void begin_case(void) {
    ledger_release(&ledger);
}

static const struct message *find(const struct message *table, size_t count, const char *name) {
    static struct message by_number;
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    if (strncmp(name, "0x", 2) != 0) return NULL;
    by_number = (struct message){.name = name, .type = (uint8_t)strtoul(name, NULL, 16)};
    return &by_number;
}

static void show_ledger(struct writer *out) {
    if (ledger.count) writer_str(out, "owes");
    for (uint32_t i = 0; i < ledger.count; i++) {
        const struct ledger_entry *e = ledger_at(&ledger, i);
        writer_fmt(out, " %s%s", reply_pg_kind_name(e->kind), e->fate == REPLY_SWALLOW ? "(swallow)" : "");
    }
    if (ledger.count) writer_str(out, "; ");
    if (ledger_is_quiet(&ledger)) writer_str(out, "quiet; ");
    if (ledger.is_group_open) writer_str(out, "group-open; ");
    if (ledger.is_skipping) writer_str(out, "skipping; ");
    if (ledger.is_client_turn) writer_str(out, "client-turn; ");
    if (ledger.doubtful) writer_fmt(out, "doubtful %d; ", (int)ledger.doubtful);
    writer_fmt(out, "txn %s", txn_state_name(ledger.txn));
}

static bool send_message(const char *name, const char *option, struct writer *out) {
    const struct message *m = find(to_server, COUNT_OF(to_server), name);
    if (!m || (option && strcmp(option, "swallow") != 0)) {
        writer_str(out, "no such message to a server");
        return false;
    }
    enum reply_fate fate = option ? REPLY_SWALLOW : REPLY_FORWARD;
    if (!reply_pg_sent(&ledger, m->type, m->target, fate)) writer_str(out, "out of memory; ");
    show_ledger(out);
    return true;
}

static bool receive_message(const char *name, const char *status, struct writer *out) {
    static const char *const verdicts[] = {"part", "ready", "async", "FATAL", "BROKEN"};
    const struct message *m = find(from_server, COUNT_OF(from_server), name);
    if (!m) {
        writer_str(out, "no such message from a server");
        return false;
    }
    enum reply_fate fate;
    enum reply_pg_verdict verdict = reply_pg_received(&ledger, m->type, status ? (uint8_t)status[0] : 0, &fate);
    writer_str(out, verdicts[verdict]);
    if (verdict == REPLY_PG_BROKEN) return true; /* the connection is closed: nothing else counts */
    writer_fmt(out, " %s; ", fate == REPLY_SWALLOW ? "swallow" : "forward");
    show_ledger(out);
    return true;
}

static bool step(char *input, struct writer *out) {
    char direction[2], name[32], option[16];
    int count = sscanf(input, "%1s %31s %15s", direction, name, option);
    const char *last = count == 3 ? option : NULL;
    if (count >= 2 && direction[0] == '>') return send_message(name, last, out);
    if (count >= 2 && direction[0] == '<') return receive_message(name, last, out);
    writer_str(out, "a line begins with > or <");
    return false;
}

int main(int argc, char **argv) {
    static const struct golden_suite suite = {.name = "ledger", .begin_case = begin_case, .step = step};
    ledger_init(&ledger);
    int status = golden_main(argc, argv, &suite);
    ledger_release(&ledger);
    return status;
}
