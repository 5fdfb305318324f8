/*
 * fuzz_ledger_server.c - right clients on a right server: the ledger must explain every reply and know when it is over.
 *
 * A small model of a PostgreSQL backend reads the messages that were sent, in its
 * own time, and answers as the real one does; replies arrive late. Every reply must
 * get the fate of the message that caused it; when the ledger is quiet, the server
 * must be at rest, and when all is read and delivered and the server is at rest, the
 * ledger must be quiet.
 *
 * Each byte is a step: 00xxxxxx a client begins unit x, 01 the server reads one
 * message (x: how it goes), 10 one reply arrives, 11 both.
 */
#include "proxy/pool/reply_pg.h"
#include "proxy/wire/pg_proto.h"
#include "tests/fuzz/fuzz.h"

enum { QUEUE_MAX = 4096 };

struct item {
    uint8_t type;
    uint8_t fate;
    uint8_t copies; /* how many COPY FROM STDIN this message may begin */
};

struct queue {
    struct item items[QUEUE_MAX];
    size_t first, end;
};

static struct ledger l;
static struct queue sent, replies;

/* The server. */
static struct {
    bool is_skipping;  /* after an error in the extended protocol, until Sync */
    bool is_open;      /* extended messages since the last Sync */
    bool is_query;     /* the COPY belongs to a Query */
    bool is_in_copy;
    uint8_t copies_left;
    uint8_t fate; /* of the message that it works on */
} server;

static bool is_empty(const struct queue *q) {
    return q->first == q->end;
}

static void put(struct queue *q, uint8_t type, uint8_t fate, uint8_t copies) {
    PROMISE(q->end < QUEUE_MAX);
    q->items[q->end++] = (struct item){type, fate, copies};
}

static void reply(uint8_t type) {
    put(&replies, type, server.fate, 0);
}

/* ---- the client ---- */

/* Whole exchanges as drivers send them; C marks the message before it as a COPY FROM STDIN, D a Describe of a portal. */
static const char *const units[] = {
    "Q", "S", "F", "PBES", "BES", "PBDES", "pS", "PSBES", "PBEBES", "PBEH", "BEH", "EQ",
    "QCdc", "QCddf", "QCCdcdc", "BECSddcS", "PBECSfS", "BECdcS", "PBECdfS", "QQ", "BESBESBES", "CLS", "PBECdSdcS", "BECSSdcS",
};

static void send_one(uint8_t type, uint8_t target, uint8_t fate, uint8_t copies) {
    PROMISE(reply_pg_sent(&l, type, target, (enum reply_fate)fate));
    put(&sent, target == 'S' && type == 'D' ? 's' : type, fate, copies);
}

static void send_unit(uint8_t x) {
    const char *u = units[x % COUNT_OF(units)];
    uint8_t fate = u[0] == 'Q' && !u[1] && x >= 44 ? REPLY_SWALLOW : REPLY_FORWARD;
    for (; *u; u++) {
        uint8_t copies = 0;
        if (*u == 'C' && u[1] == 'L') { /* Close */
            send_one(PG_F_CLOSE, 'S', fate, 0);
            u++;
            continue;
        }
        while (u[1] == 'C' && u[2] != 'L') {
            copies++;
            u++;
        }
        uint8_t type = (uint8_t)(copies ? u[-copies] : *u);
        if (type == 'p') send_one(PG_F_DESCRIBE, 'S', fate, 0);
        else send_one(type, 'P', fate, copies);
    }
}

/* ---- the server ---- */

static void fail_extended(void) {
    reply(PG_B_ERROR);
    server.is_skipping = true;
}

/* The statements of a Query from here on; a COPY interrupts it. */
static void go_on_with_query(uint8_t how) {
    if (how & 1) {
        reply(PG_B_ERROR);
    } else if (server.copies_left) {
        server.copies_left--;
        reply(PG_B_COPY_IN);
        if (how & 4) { /* a trigger raises before any data is read */
            reply(PG_B_ERROR);
        } else {
            server.is_in_copy = server.is_query = true;
            return;
        }
    } else {
        if (how & 2) reply(PG_B_ROW_DESCRIPTION);
        if (how & 2) reply(PG_B_DATA_ROW);
        reply(how & 4 ? PG_B_EMPTY_QUERY : PG_B_COMMAND_COMPLETE);
    }
    server.is_open = false;
    reply(PG_B_READY);
}

static void read_in_copy(const struct item *m, uint8_t how) {
    if (m->type == PG_F_SYNC || m->type == PG_F_FLUSH) return;
    bool fails = m->type == PG_F_COPY_FAIL || (m->type == PG_F_COPY_DATA && how & 1) ||
                 (m->type == PG_F_COPY_DONE && how & 8);
    PROMISE(m->type == PG_F_COPY_DATA || m->type == PG_F_COPY_DONE || m->type == PG_F_COPY_FAIL);
    if (m->type == PG_F_COPY_DATA && !fails) return;
    server.is_in_copy = false;
    if (!fails) reply(PG_B_COMMAND_COMPLETE);
    if (server.is_query && fails) {
        reply(PG_B_ERROR);
        reply(PG_B_READY);
        server.is_open = false;
    } else if (server.is_query) {
        go_on_with_query(how >> 1);
    } else if (fails) {
        fail_extended();
    }
}

static void read_extended(const struct item *m, uint8_t how) {
    server.is_open = true;
    if (how & 1) {
        fail_extended();
        return;
    }
    switch (m->type) {
    case PG_F_PARSE:
        reply(PG_B_PARSE_COMPLETE);
        break;
    case PG_F_BIND:
        reply(PG_B_BIND_COMPLETE);
        break;
    case PG_F_CLOSE:
        reply(PG_B_CLOSE_COMPLETE);
        break;
    case 's':
        reply(PG_B_PARAMETER_DESCRIPTION);
        reply(how & 2 ? PG_B_NO_DATA : PG_B_ROW_DESCRIPTION);
        break;
    case PG_F_DESCRIBE:
        reply(how & 2 ? PG_B_NO_DATA : PG_B_ROW_DESCRIPTION);
        break;
    default: /* Execute */
        if (m->copies && !(how & 16)) {
            server.is_query = false;
            reply(PG_B_COPY_IN);
            if (how & 4) fail_extended();
            else server.is_in_copy = true;
            break;
        }
        if (how & 2) reply(PG_B_DATA_ROW);
        if (how & 2 && how & 4) fail_extended();
        else reply(how & 8 ? PG_B_PORTAL_SUSPENDED : PG_B_COMMAND_COMPLETE);
    }
}

static void read_one(uint8_t how) {
    if (is_empty(&sent)) return;
    const struct item *m = &sent.items[sent.first++];
    bool is_copy_message = m->type == PG_F_COPY_DATA || m->type == PG_F_COPY_DONE || m->type == PG_F_COPY_FAIL;
    if (server.is_in_copy) {
        read_in_copy(m, how);
        return;
    }
    if (server.is_skipping && m->type != PG_F_SYNC) return;
    if (is_copy_message || m->type == PG_F_FLUSH) return;
    server.fate = m->fate;
    if (how & 32) put(&replies, PG_B_NOTICE, 0, 0);
    switch (m->type) {
    case PG_F_SYNC:
        if (how & 1 && server.is_open && !server.is_skipping) reply(PG_B_ERROR); /* the commit fails */
        server.is_skipping = server.is_open = false;
        reply(PG_B_READY);
        break;
    case PG_F_QUERY:
        server.copies_left = how & 16 ? 0 : m->copies;
        go_on_with_query(how);
        break;
    case PG_F_FUNCTION_CALL:
        reply(how & 1 ? PG_B_ERROR : PG_B_FUNCTION_RESPONSE);
        server.is_open = false;
        reply(PG_B_READY);
        break;
    default:
        read_extended(m, how);
    }
}

static bool is_at_rest(void) {
    return is_empty(&sent) && is_empty(&replies) && !server.is_skipping && !server.is_open && !server.is_in_copy;
}

/* As backend_pg.c does: an empty query of our own ends the doubt. */
static void settle_doubt(void) {
    if (l.doubtful && !l.count && !l.is_group_open && !l.is_skipping && !l.is_client_turn)
        send_one(PG_F_QUERY, 'P', REPLY_SWALLOW, 0);
}

static void deliver_one(void) {
    if (is_empty(&replies)) return;
    const struct item *r = &replies.items[replies.first++];
    enum reply_fate fate;
    enum reply_pg_verdict verdict = reply_pg_received(&l, r->type, PG_TXN_IDLE, &fate);
    PROMISE(verdict != REPLY_PG_BROKEN && verdict != REPLY_PG_FATAL);
    PROMISE((verdict == REPLY_PG_READY) == (r->type == PG_B_READY));
    if (verdict != REPLY_PG_ASYNC) PROMISE(fate == (enum reply_fate)r->fate);
    if (ledger_is_quiet(&l)) PROMISE(server.is_open == false && !server.is_skipping && !server.is_in_copy);
    if (verdict == REPLY_PG_READY && fate == REPLY_FORWARD) settle_doubt();
}

/* Only CopyData and the like, which a quiet connection ignores, may still be unread. */
static bool only_strays_are_unread(void) {
    for (size_t i = sent.first; i < sent.end; i++)
        if (!memchr("dcfH", sent.items[i].type, 4)) return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ledger_init(&l);
    memset(&server, 0, sizeof server);
    sent.first = sent.end = replies.first = replies.end = 0;
    for (size_t i = 0; i < size && sent.end < QUEUE_MAX - 16 && replies.end < QUEUE_MAX - 16; i++) {
        uint8_t x = data[i] & 63;
        if (data[i] >> 6 == 0 && !ledger_is_full(&l)) send_unit(x);
        if (data[i] >> 6 & 1) read_one(x);
        if (data[i] >> 6 & 2) deliver_one();
        if (ledger_is_quiet(&l)) PROMISE(is_empty(&replies) && only_strays_are_unread());
    }
    while ((!is_empty(&sent) || !is_empty(&replies)) && replies.end < QUEUE_MAX - 16 && sent.end < QUEUE_MAX - 16) {
        read_one(0);
        deliver_one();
    }
    if (is_at_rest()) PROMISE(ledger_is_quiet(&l));
    ledger_release(&l);
    return 0;
}
