/*
 * fuzz_ledger.c - any messages in any order: a hostile client and a hostile server on one connection.
 *
 * Pairs of bytes: direction and option, message type.
 */
#include "proxy/pool/reply_pg.h"
#include "proxy/wire/pg_proto.h"
#include "tests/fuzz/fuzz.h"

static struct ledger l;

static void ck_ledger(void) {
    uint32_t groups = 0;
    PROMISE(l.count <= l.cap && l.head < l.cap);
    for (uint32_t i = 0; i < l.count; i++) {
        const struct ledger_entry *e = ledger_at(&l, i);
        PROMISE(e->kind >= OWED_QUERY && e->kind <= OWED_COPY_END);
        groups += e->ends_group;
    }
    PROMISE(groups == l.groups);
    if (ledger_is_quiet(&l)) PROMISE(l.count == 0 && l.groups == 0);
    if (l.is_skipping) PROMISE(l.count == 0 && l.is_group_open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t statuses[] = {PG_TXN_IDLE, PG_TXN_OPEN, PG_TXN_FAILED, 'X'};
    ledger_init(&l);
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint8_t option = data[i], type = data[i + 1];
        uint32_t before = l.count;
        uint16_t doubts = l.doubtful;
        if (option & 1) {
            enum reply_fate fate;
            enum reply_pg_verdict verdict = reply_pg_received(&l, type, statuses[option >> 1 & 3], &fate);
            PROMISE(l.count <= before);
            ck_ledger();
            if (verdict == REPLY_PG_BROKEN || verdict == REPLY_PG_FATAL) break;
            /* It answers what was owed, or a Sync of which that was in doubt. */
            if (verdict == REPLY_PG_READY) PROMISE(l.count < before || l.doubtful < doubts);
            if (l.count) PROMISE(ledger_head(&l)->kind != OWED_COPY_END);
        } else {
            PROMISE(reply_pg_sent(&l, type, option & 2 ? 'S' : 'P', option & 4 ? REPLY_SWALLOW : REPLY_FORWARD));
            PROMISE(l.count >= before && l.count <= before + 1);
            ck_ledger();
        }
        if (ledger_is_full(&l)) break; /* the client would not be read */
    }
    ledger_release(&l);
    return 0;
}
