/*
 * The busy life of a PostgreSQL connection: messages from the server are matched
 * with the ledger and passed on in runs; gilmok's own commands are written and
 * their replies swallowed. Never looks into a row.
 */
#include "proxy/pool/backend_pg.h"

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/cancel_pg.h"
#include "proxy/pool/pool.h"
#include "proxy/pool/tag_pg.h"
#include "proxy/wire/pg_encode.h"

static void broken(struct backend *b, const char *what) {
    struct err err;
    err_set(&err, ERR_CONNECTION_FAILURE, "server %s broke the protocol: %s", b->variant->pool->server_name, what);
    backend_fail(b, &err);
}

bool backend_pg_note_sent(struct backend *b, uint8_t type, uint8_t target) {
    if (reply_pg_sent(&b->ledger, type, target, REPLY_FORWARD)) return true;
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the replies of server %s", b->variant->pool->server_name);
    backend_fail(b, &err);
    return false;
}

/* ---- commands of our own ---- */

static void send_own(struct backend *b, struct writer *w) {
    backend_pg_of(b)->own_failed = false;
    b->unnamed_owner = 0; /* a simple Query destroys the unnamed statement */
    if (w->failed || !reply_pg_sent(&b->ledger, PG_F_QUERY, 0, REPLY_SWALLOW)) {
        struct err err;
        err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
        backend_fail(b, &err);
    } else {
        stream_send(b->stream, writer_bytes(w));
    }
}

static void send_own_query(struct backend *b, const char *sql) {
    uint8_t storage[64];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_query(&w, sql);
    send_own(b, &w);
}

static void send_check(struct backend *b) {
    send_own_query(b, "");
}

static void send_clean(struct backend *b) {
    if (b->ledger.txn != TXN_NONE) send_own_query(b, "ROLLBACK");
    if (b->state == BACKEND_CLEANING && b->is_tainted) send_own_query(b, "DISCARD ALL");
}

static void send_goodbye(struct backend *b) {
    uint8_t storage[8];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_terminate(&w);
    stream_send(b->stream, writer_bytes(&w));
}

static void send_abort(struct backend *b) {
    (void)cancel_pg_send(b, 0, NULL, NULL);
}

void backend_pg_set_app_name(struct backend *b, const char *app_name) {
    const char *now = backend_pg_of(b)->params.app_name;
    if (now && strcmp(now, app_name) == 0) return;
    uint8_t storage[2 * BACKEND_PG_APP_NAME_MAX + 64];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    size_t at = pg_begin(&w, PG_F_QUERY);
    writer_str(&w, "SET application_name =");
    pg_put_literal(&w, bytes_str(app_name));
    writer_u8(&w, 0);
    pg_end(&w, at);
    send_own(b, &w);
}

/* ---- from the server ---- */

/* A run of bytes that goes to the lessee as it came. */
struct run {
    struct buf *buf;
    const uint8_t *start;
    size_t len;
};

static void flush_run(struct backend *b, struct run *run) {
    if (run->len && b->lessee) b->lessee->ops->on_reply(b->lessee, run->buf, bytes_of(run->start, run->len));
    run->len = 0;
}

static void pass(struct backend *b, struct run *run, enum reply_fate fate, const uint8_t *ptr, size_t len) {
    if (fate == REPLY_SWALLOW) {
        flush_run(b, run);
        return;
    }
    if (run->len == 0) run->start = ptr;
    run->len += len;
}

static void take_parameter(struct backend *b, struct bytes body) {
    struct pg_param param;
    struct backend_pg *bp = backend_pg_of(b);
    if (!pg_parameter_status_read(body, &param)) {
        broken(b, "malformed ParameterStatus");
        return;
    }
    uint64_t before = bp->params.digest;
    if (!params_pg_set(&bp->params, param.name, param.value)) broken(b, "too many ParameterStatus messages");
    else if (b->state == BACKEND_LEASED && bp->params.digest != before) b->is_tainted = true;
}

/*
 * A SELECT tag without rows is CREATE TABLE AS or SELECT INTO, perhaps of a temporary
 * table; unless the rows that it did not find were announced. Only what is certainly
 * about the same statement counts: rows inside its own reply, a description inside the
 * same Query, or a Describe of the unnamed portal with no Bind since.
 */
static void note_rows(struct backend_pg *bp, uint8_t type, uint8_t kind) {
    switch (type) {
    case PG_B_DATA_ROW:
        bp->has_rows = true;
        break;
    case PG_B_ROW_DESCRIPTION:
        if (kind == OWED_QUERY) bp->has_rows = true;
        if (kind == OWED_DESCRIBE_UNNAMED) bp->is_described = true;
        break;
    case PG_B_PORTAL_SUSPENDED:
        bp->has_rows = false;
        break;
    case PG_B_BIND_COMPLETE:
    case PG_B_ERROR:
    case PG_B_READY:
        bp->has_rows = bp->is_described = false;
        break;
    default:
        break;
    }
}

static void take_tag(struct backend *b, struct bytes body, enum reply_fate fate, uint8_t kind) {
    struct bytes tag;
    if (!pg_command_tag_read(body, &tag)) {
        broken(b, "malformed CommandComplete");
        return;
    }
    if (fate == REPLY_SWALLOW) return;
    struct backend_pg *bp = backend_pg_of(b);
    enum tag_pg_effect effect = tag_pg_effect(tag);
    bool returned_rows = bp->has_rows || (kind == OWED_EXECUTE_UNNAMED && bp->is_described);
    bp->has_rows = false;
    if (effect & TAG_PG_TAINTS || (effect & TAG_PG_IS_SELECT && !returned_rows)) b->is_tainted = true;
    if (effect & TAG_PG_RESETS) bp->saw_reset = true;
    if (effect & TAG_PG_DROPS_STATEMENTS) bp->saw_statements_dropped = true;
}

/* An error of our own commands is remembered; of the client's only whether it is the server's goodbye. */
static void take_error(struct backend *b, struct bytes body, enum reply_pg_verdict verdict, enum reply_fate fate) {
    struct pg_error_fields f;
    if (fate == REPLY_SWALLOW) backend_pg_of(b)->own_failed = true;
    else if (verdict == REPLY_PG_FATAL || (pg_error_read(body, &f) && bytes_is(f.severity, "FATAL"))) b->is_client_told = true;
}

/* When nothing is owed but a doubt remains (reply_pg.h), an empty query of ours comes back behind whatever is still to come. */
static void settle_doubt(struct backend *b) {
    const struct ledger *l = &b->ledger;
    if (l->doubtful && !l->count && !l->is_group_open && !l->is_message_open && !l->is_skipping && !l->is_client_turn)
        send_own_query(b, "");
}

/* A group has ended. What was ours is reported to backend.c; what was the lessee's to the lessee. */
static void take_ready(struct backend *b, struct run *run, enum reply_fate fate) {
    bool is_quiet = ledger_is_quiet(&b->ledger);
    if (fate == REPLY_FORWARD) {
        b->queries++;
        flush_run(b, run);
        if (b->lessee) b->lessee->ops->on_group_end(b->lessee, is_quiet);
        if (b->state == BACKEND_LEASED) settle_doubt(b);
    } else if (b->state == BACKEND_LEASED) {
        if (backend_pg_of(b)->own_failed) b->is_retired = true; /* our SET failed: do not trust the rest of it */
        if (is_quiet) b->lessee->ops->on_settled(b->lessee);
    } else if (is_quiet) {
        backend_on_own_done(b, !backend_pg_of(b)->own_failed && b->ledger.txn == TXN_NONE);
    }
}

/* Bytes of the body that must be in hand before the message can be judged. */
static uint32_t needed_body(const struct pg_header *h) {
    switch (h->type) {
    case PG_B_READY:
    case PG_B_COMMAND_COMPLETE:
    case PG_B_PARAMETER_STATUS:
        return h->body_len;
    default:
        return 0;
    }
}

static bool is_too_long(const struct pg_header *h) {
    switch (h->type) {
    case PG_B_READY:
        return h->body_len != 1;
    case PG_B_COMMAND_COMPLETE:
        return h->body_len > PG_TAG_MAX;
    case PG_B_PARAMETER_STATUS:
        return h->body_len > PG_STATUS_MAX;
    default:
        return false;
    }
}

/* Judges one message whose needed part is in hand. `avail` of its bytes are here. False: stop, nothing is valid any more. */
static bool take_message(struct backend *b, struct run *run, const struct pg_header *h, const uint8_t *ptr, size_t avail) {
    struct bytes body = bytes_of(ptr + PG_HEADER_LEN, avail - PG_HEADER_LEN);
    enum reply_fate fate;
    const struct ledger_entry *head = ledger_head(&b->ledger);
    uint8_t kind = head ? head->kind : 0;
    uint8_t status = h->type == PG_B_READY ? body.ptr[0] : 0;
    enum reply_pg_verdict verdict = reply_pg_received(&b->ledger, h->type, status, &fate);
    if (verdict == REPLY_PG_BROKEN) {
        flush_run(b, run);
        broken(b, "a reply that answers nothing that was asked");
        return false;
    }
    if (h->type == PG_B_ERROR) take_error(b, body, verdict, fate);
    note_rows(backend_pg_of(b), h->type, kind);
    if (h->type == PG_B_NOTIFICATION) fate = backend_pg_of(b)->body_fate = REPLY_FORWARD; /* not part of a reply of ours */
    if (h->type == PG_B_PARAMETER_STATUS) take_parameter(b, body);
    if (h->type == PG_B_COMMAND_COMPLETE) take_tag(b, body, fate, kind);
    if (b->state == BACKEND_CLOSED) return false;
    pass(b, run, fate, ptr, avail);
    if (verdict == REPLY_PG_READY) take_ready(b, run, fate);
    return b->state != BACKEND_CLOSED;
}

static size_t relay_received(struct backend *b, struct buf *buf, struct bytes data) {
    struct backend_pg *bp = backend_pg_of(b);
    struct run run = {.buf = buf};
    size_t at = 0;
    while (at < data.len) {
        const uint8_t *ptr = data.ptr + at;
        size_t left = data.len - at;
        if (bp->body_left) {
            size_t n = left < bp->body_left ? left : bp->body_left;
            pass(b, &run, bp->body_fate, ptr, n);
            bp->body_left -= (uint32_t)n;
            at += n;
            continue;
        }
        struct pg_header h;
        enum pg_frame frame = pg_header_read(bytes_of(ptr, left), &h);
        if (frame == PG_FRAME_NEED_MORE) break;
        if (frame == PG_FRAME_BAD || is_too_long(&h)) {
            flush_run(b, &run);
            broken(b, "a message with an impossible length");
            return data.len;
        }
        if (left < PG_HEADER_LEN + (size_t)needed_body(&h)) break;
        size_t avail = left < h.total ? left : h.total;
        struct ledger_entry *head = ledger_head(&b->ledger);
        bp->body_fate = head ? (enum reply_fate)head->fate : REPLY_FORWARD;
        bp->body_left = (uint32_t)(h.total - avail);
        if (!take_message(b, &run, &h, ptr, avail)) return data.len;
        at += avail;
    }
    flush_run(b, &run);
    b->is_reply_cut = bp->body_left && bp->body_fate == REPLY_FORWARD;
    return at;
}

static void on_connected(struct backend *b) {
    backend_pg_login_begin(b);
}

static size_t on_received(struct backend *b, struct buf *buf, struct bytes data) {
    size_t used = 0;
    if (b->state == BACKEND_LOGIN) used = backend_pg_login_received(b, data);
    if (b->state == BACKEND_LOGIN || b->state == BACKEND_CLOSED || used == data.len) return used;
    return used + relay_received(b, buf, bytes_of(data.ptr + used, data.len - used));
}

static void release(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    params_pg_release(&bp->params);
    mem_free(bp->login);
}

const struct backend_proto backend_pg_proto = {
    .name = "postgresql",
    .size = sizeof(struct backend_pg),
    .on_connected = on_connected,
    .on_received = on_received,
    .send_check = send_check,
    .send_clean = send_clean,
    .send_goodbye = send_goodbye,
    .send_abort = send_abort,
    .release = release,
};
