/*
 * The grammar of answers. Keeps nothing of what it reads but where it stands.
 */
#include "proxy/pool/reply_my.h"

/* Marks of an entry: the number of its command's latest packet, and a flag. */
enum { TAG_SEQ = 0xff, TAG_CURSOR = 0x100 };

bool reply_my_is_unanswered(uint8_t command) {
    return command == MY_COM_QUIT || command == MY_COM_STMT_CLOSE || command == MY_COM_STMT_SEND_LONG_DATA;
}

static uint8_t first_phase(uint8_t command) {
    if (command == MY_COM_STMT_FETCH) return REPLY_MY_ROWS;
    return command == MY_COM_FIELD_LIST ? REPLY_MY_DEFINITIONS : REPLY_MY_FIRST;
}

/* Its answer may be a result with rows. */
static bool has_results(uint8_t command) {
    return command == MY_COM_QUERY || command == MY_COM_STMT_EXECUTE || command == MY_COM_STMT_BULK_EXECUTE ||
           command == MY_COM_PROCESS_INFO;
}

bool reply_my_sent(struct ledger *l, uint8_t command, enum reply_fate fate) {
    if (!l->count) l->phase = first_phase(command);
    l->next_tag = 0; /* the number of its latest packet */
    return ledger_push(l, command, fate, true);
}

void reply_my_sent_more(struct ledger *l, uint8_t seq) {
    if (!l->count) return;
    struct ledger_entry *latest = ledger_at(l, l->count - 1);
    latest->tag = (uint16_t)((latest->tag & ~TAG_SEQ) | seq);
}

void reply_my_sent_cursor(struct ledger *l) {
    if (l->count) ledger_at(l, l->count - 1)->tag |= TAG_CURSOR;
}

uint8_t reply_my_sent_file(struct reply_my *r, struct ledger *l, bool is_last) {
    l->is_client_turn = !is_last;
    return r->seq++;
}

static bool is_end_mark(const struct my_header *h, uint8_t first) {
    return first == MY_MARK_EOF && h->len < MY_PACKET_MAX;
}

/*
 * What an answer begins with, and what may be the end of it, or of its parameters: short, all of them. Behind such an end the
 * connection is free, or an EOF of gilmok's own follows: nothing of the packet may still be to come then.
 */
static bool is_wanted_whole(const struct reply_my *r, const struct ledger *l, const struct ledger_entry *head) {
    if (l->phase == REPLY_MY_FIRST) return true;
    return head->kind == MY_COM_STMT_PREPARE && r->left == 1;
}

size_t reply_my_needed(const struct reply_my *r, const struct ledger *l, const struct my_header *h, uint8_t first) {
    const struct ledger_entry *head = ledger_head((struct ledger *)l);
    if (r->is_continued || !h->len || !head) return 0;
    return first == MY_MARK_ERR || is_end_mark(h, first) || is_wanted_whole(r, l, head) ? h->len : 1;
}

static enum reply_my_verdict end(struct reply_my *r, struct ledger *l) {
    *r = (struct reply_my){.is_begun = false};
    ledger_pop(l);
    const struct ledger_entry *next = ledger_head(l);
    l->phase = next ? first_phase(next->kind) : REPLY_MY_FIRST;
    return REPLY_MY_END;
}

/* With an OK or the end of rows. */
static enum reply_my_verdict end_result(struct reply_my *r, struct ledger *l, const struct my_ok *ok) {
    l->txn = ok->status & MY_STATUS_IN_TRANSACTION ? TXN_OPEN : TXN_NONE;
    if (!(ok->status & MY_STATUS_MORE_RESULTS)) return end(r, l);
    l->phase = REPLY_MY_FIRST;
    return REPLY_MY_PART;
}

static enum reply_my_verdict take_ok(struct reply_my *r, struct ledger *l, struct bytes payload, struct reply_my_packet *out) {
    if (!my_ok_read(payload, true, &out->ok)) return REPLY_MY_BROKEN;
    out->kind = payload.ptr[0] == MY_MARK_OK ? REPLY_MY_OK : REPLY_MY_ROWS_END;
    return end_result(r, l, &out->ok);
}

/* Of statements without parameters and columns nothing follows. */
static enum reply_my_verdict take_prepared(struct reply_my *r, struct ledger *l, struct bytes payload) {
    struct my_prepared p;
    if (!my_prepared_read(payload, &p)) return REPLY_MY_BROKEN;
    r->left = p.parameters ? p.parameters : p.columns;
    r->left_behind = p.parameters ? p.columns : 0;
    r->warnings = p.warnings;
    if (!r->left) return end(r, l);
    l->phase = REPLY_MY_DEFINITIONS;
    return REPLY_MY_PART;
}

static enum reply_my_verdict take_count(struct reply_my *r, struct ledger *l, struct bytes payload) {
    struct reader in = reader_over(payload);
    uint64_t count = my_lenenc(&in);
    if (!reader_done(&in) || !count || count > REPLY_MY_COLUMNS_MAX) return REPLY_MY_BROKEN;
    r->left = (uint32_t)count;
    l->phase = REPLY_MY_DEFINITIONS;
    return REPLY_MY_PART;
}

/* 0xfb | name, to the end. What comes behind the file is an answer of its own. */
static enum reply_my_verdict take_file(struct ledger *l, uint8_t command, struct bytes payload, struct reply_my_packet *out) {
    if (command != MY_COM_QUERY || payload.len < 2) return REPLY_MY_BROKEN;
    out->kind = REPLY_MY_FILE;
    out->file = bytes_of(payload.ptr + 1, payload.len - 1);
    l->is_client_turn = true;
    return REPLY_MY_PART;
}

static enum reply_my_verdict take_first(struct reply_my *r, struct ledger *l, uint8_t command, struct bytes payload,
                                        struct reply_my_packet *out) {
    uint8_t mark = payload.ptr[0];
    if (command == MY_COM_STATISTICS) return end(r, l);
    if (command == MY_COM_STMT_PREPARE) return mark == MY_MARK_OK ? take_prepared(r, l, payload) : REPLY_MY_BROKEN;
    if (mark == MY_MARK_OK || mark == MY_MARK_EOF) return take_ok(r, l, payload, out);
    if (mark == MY_MARK_LOCAL_INFILE) return take_file(l, command, payload, out);
    return has_results(command) ? take_count(r, l, payload) : REPLY_MY_BROKEN;
}

/* Behind the last one a client of old wants to hear that it was; of a result only when the next packet has shown what it is. */
static enum reply_my_verdict take_definition(struct reply_my *r, struct ledger *l, uint8_t command, struct reply_my_packet *out) {
    if (command == MY_COM_FIELD_LIST) return REPLY_MY_PART;
    if (--r->left) return REPLY_MY_PART;
    if (command != MY_COM_STMT_PREPARE) {
        l->phase = REPLY_MY_DEFINED;
        return REPLY_MY_PART;
    }
    out->eof_behind = true;
    out->eof_warnings = r->warnings;
    r->left = r->left_behind;
    r->left_behind = 0;
    return r->left ? REPLY_MY_PART : end(r, l);
}

/* Rows, or the end of them. What a statement without rows warns of is known, most of it, when its definitions are told. */
static enum reply_my_verdict take_row(struct reply_my *r, struct ledger *l, const struct my_header *h, struct bytes payload,
                                      struct reply_my_packet *out) {
    bool is_end = payload.len && is_end_mark(h, payload.ptr[0]), is_first = l->phase == REPLY_MY_DEFINED;
    if (is_first) r->rows = 0;
    if (!is_end) {
        out->eof_before = is_first;
        l->phase = REPLY_MY_ROWS;
        r->rows++;
        return REPLY_MY_PART;
    }
    out->rows = r->rows;
    enum reply_my_verdict verdict = take_ok(r, l, payload, out);
    out->eof_before = is_first && !(out->ok.status & MY_STATUS_CURSOR_EXISTS);
    out->eof_warnings = out->ok.warnings;
    return verdict;
}

/* The transaction, if there is one, goes on, or has ended: the next OK tells. (Anybody can SIGNAL the number of a deadlock.) */
static enum reply_my_verdict take_error(struct reply_my *r, struct ledger *l, struct bytes payload, struct reply_my_packet *out) {
    struct my_error e;
    out->kind = REPLY_MY_ERROR;
    out->eof_before = l->phase == REPLY_MY_DEFINED && !(ledger_head(l)->tag & TAG_CURSOR);
    if (!my_err_read(payload, &e)) return REPLY_MY_BROKEN;
    out->error = e.number;
    return end(r, l);
}

/* The next number; or that of an error about a command of several packets, of which the server has not read all. */
static bool is_in_order(struct reply_my *r, const struct my_header *h, struct bytes payload, bool begins) {
    bool is_early_error = begins && h->len && payload.ptr[0] == MY_MARK_ERR && h->seq && h->seq < r->seq;
    if (is_early_error) r->seq = h->seq;
    return h->seq == r->seq;
}

enum reply_my_verdict reply_my_received(struct reply_my *r, struct ledger *l, const struct my_header *h, struct bytes payload,
                                        struct reply_my_packet *out) {
    const struct ledger_entry *head = ledger_head(l);
    *out = (struct reply_my_packet){.kind = REPLY_MY_DATA};
    if (!head || l->is_client_turn) return REPLY_MY_BROKEN;
    bool begins = !r->is_begun;
    if (begins) *r = (struct reply_my){.is_begun = true, .seq = (uint8_t)((head->tag & TAG_SEQ) + 1)};
    if (!is_in_order(r, h, payload, begins)) return REPLY_MY_BROKEN;
    out->fate = head->fate;
    out->command = head->kind;
    r->seq++;
    bool is_rest = r->is_continued;
    r->is_continued = h->len == MY_PACKET_MAX;
    if (is_rest) return REPLY_MY_PART;
    bool is_empty = !h->len; /* a row of no columns there is not */
    if (is_empty && head->kind != MY_COM_STATISTICS) return REPLY_MY_BROKEN;
    if (!is_empty && payload.ptr[0] == MY_MARK_ERR) return take_error(r, l, payload, out);
    switch ((enum reply_my_phase)l->phase) {
    case REPLY_MY_FIRST: return is_empty ? end(r, l) : take_first(r, l, head->kind, payload, out);
    case REPLY_MY_DEFINITIONS:
        if (head->kind == MY_COM_FIELD_LIST && is_end_mark(h, payload.ptr[0])) return take_ok(r, l, payload, out);
        return take_definition(r, l, head->kind, out);
    case REPLY_MY_DEFINED:
    case REPLY_MY_ROWS: return take_row(r, l, h, payload, out);
    }
    return REPLY_MY_BROKEN;
}
