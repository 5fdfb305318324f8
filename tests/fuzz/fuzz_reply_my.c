/*
 * fuzz_reply_my.c - commands and whatever a MySQL server may say to them: no promise of reply_my.h breaks.
 *
 * An input is a list of steps. Its first byte says which: 00xxxxxx a command (the next byte; x & 3 its fate), 01 the latest command
 * goes on in a packet with the next byte as its number (where a file is wanted: a packet of it, the last one if x & 1), 1x a packet of x & 63 bytes follows, which are the next ones; of 63 it is
 * one that is as long as can be, and of 62 two more bytes say its length. 11 gives it the number that is expected, 10 the next byte.
 * Packets are cut where reply_my_needed() says: what is judged is never more than that, in a block that ends there.
 */
#include "proxy/pool/reply_my.h"
#include "tests/fuzz/fuzz.h"

enum { LONG = 62, LONGEST = 63 };

static struct ledger l;
static struct reply_my r;
static struct reader in;

static void send_command(uint8_t x) {
    uint8_t command = reader_u8(&in);
    if (reply_my_is_unanswered(command) || ledger_is_full(&l)) return;
    PROMISE(reply_my_sent(&l, command, x & 1 ? REPLY_SWALLOW : REPLY_FORWARD));
}

static struct my_header header_of(uint8_t x, bool is_in_order) {
    const struct ledger_entry *head = ledger_head(&l);
    struct my_header h = {.len = x};
    if (x == LONG) h.len = my_le16(&in);
    if (x == LONGEST) h.len = MY_PACKET_MAX;
    if (!is_in_order) h.seq = reader_u8(&in);
    else h.seq = r.is_begun ? r.seq : (uint8_t)(head ? head->tag + 1 : 0);
    return h;
}

/* What stands in the input, and zeroes behind it, in a block of its own. */
static struct bytes block_of(size_t len) {
    uint8_t *block = calloc(len ? len : 1, 1);
    PROMISE(block != NULL);
    struct bytes there = reader_take(&in, len < reader_left(&in) ? len : reader_left(&in));
    if (there.len) memcpy(block, there.ptr, there.len);
    return bytes_of(block, len);
}

static void ck_packet(const struct reply_my_packet *p, struct ledger_entry head, enum reply_my_verdict verdict, struct bytes payload,
                      const struct my_header *h) {
    bool is_ok = p->kind == REPLY_MY_OK || p->kind == REPLY_MY_ROWS_END;
    PROMISE(p->fate == (enum reply_fate)head.fate && p->command == head.kind);
    PROMISE(!is_ok || (fuzz_is_inside(p->ok.info, payload) && fuzz_is_inside(p->ok.changes, payload)));
    if (is_ok) PROMISE((verdict == REPLY_MY_END) == !(p->ok.status & MY_STATUS_MORE_RESULTS));
    if (p->kind == REPLY_MY_ERROR) PROMISE(verdict == REPLY_MY_END);
    if (p->kind == REPLY_MY_FILE) PROMISE(verdict == REPLY_MY_PART && l.is_client_turn && fuzz_is_inside(p->file, payload));
    /* What is put around a packet, or follows the end of an answer, is not put into it. */
    if (verdict == REPLY_MY_END || p->eof_behind) PROMISE(payload.len == h->len);
    PROMISE(!(p->eof_before && p->eof_behind));
}

/* False: it is broken, and nothing more may be said. */
static bool receive(uint8_t x, bool is_in_order) {
    struct my_header h = header_of(x, is_in_order);
    uint8_t first = h.len && reader_left(&in) ? *in.pos : 0;
    size_t needed = reply_my_needed(&r, &l, &h, first);
    PROMISE(needed <= h.len);
    if (needed > REPLY_MY_WHOLE_MAX) return false;
    struct bytes payload = block_of(needed || !h.len ? needed : 1);
    struct ledger_entry head = ledger_head(&l) ? *ledger_head(&l) : (struct ledger_entry){0};
    uint32_t before = l.count;
    struct reply_my_packet p;
    enum reply_my_verdict verdict = reply_my_received(&r, &l, &h, payload, &p);
    PROMISE(l.count == before - (verdict == REPLY_MY_END));
    PROMISE(verdict == REPLY_MY_BROKEN || before > 0);
    if (verdict != REPLY_MY_BROKEN) ck_packet(&p, head, verdict, payload, &h);
    if (verdict == REPLY_MY_END) PROMISE(!r.is_begun && !r.is_continued && !r.left && !r.left_behind);
    if (verdict == REPLY_MY_PART) PROMISE(r.is_begun && r.is_continued == (h.len == MY_PACKET_MAX));
    free((void *)(uintptr_t)payload.ptr);
    return verdict != REPLY_MY_BROKEN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bool is_whole = true;
    ledger_init(&l);
    r = (struct reply_my){.is_begun = false};
    in = reader_over(bytes_of(data, size));
    while (is_whole && !in.failed && reader_left(&in)) {
        uint8_t step = reader_u8(&in), x = step & 63;
        if (step & 128) is_whole = receive(x, step & 64);
        else if (!(step & 64)) send_command(x);
        else if (l.is_client_turn) (void)reply_my_sent_file(&r, &l, x & 1);
        else if (!r.is_begun) reply_my_sent_more(&l, reader_u8(&in));
        if (!l.count) PROMISE(ledger_is_quiet(&l) && !r.is_begun);
    }
    ledger_release(&l);
    return 0;
}
