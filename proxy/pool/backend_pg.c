/*
 * The busy life of a PostgreSQL connection: messages from the server are matched
 * with the ledger and passed on in runs; gilmok's own commands are written and
 * their replies swallowed. Never looks into a row, but for the name of a snapshot where one may be exported.
 */
#include "proxy/pool/backend_pg.h"

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/backend_pg_catalog.h"
#include "proxy/pool/cancel_pg.h"
#include "proxy/pool/exported.h"
#include "proxy/pool/pool.h"
#include "proxy/pool/tag_pg.h"
#include "proxy/wire/pg_encode.h"

static void broken(struct backend *b, const char *what) {
    struct err err;
    err_set(&err, ERR_CONNECTION_FAILURE, "server %s broke the protocol: %s", b->site->name, what);
    backend_fail(b, &err);
}

/* What is sent now the server begins with at once, unless it has something else to do. */
static void note_due(struct backend *b) {
    if (!b->ledger.count) backend_pg_of(b)->due_us = b->stream->loop->now_us;
}

bool backend_pg_note_own(struct backend *b, uint8_t type, uint8_t target, enum reply_fate fate, uint16_t tag) {
    note_due(b);
    b->ledger.next_tag = tag;
    backend_pg_of(b)->is_flushed = false;
    if (reply_pg_sent(&b->ledger, type, target, fate)) return true;
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the replies of server %s", b->site->name);
    backend_fail(b, &err);
    return false;
}

bool backend_pg_note_sent(struct backend *b, uint8_t type, uint8_t target, uint16_t tag) {
    return backend_pg_note_own(b, type, target, REPLY_FORWARD, tag);
}

/* ---- commands of our own ---- */

static void send_own(struct backend *b, struct writer *w) {
    backend_pg_of(b)->own_failed = false;
    b->unnamed_owner = 0; /* a simple Query destroys the unnamed statement */
    note_due(b);
    if (w->failed || !reply_pg_sent(&b->ledger, PG_F_QUERY, 0, REPLY_SWALLOW)) {
        struct err err;
        err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
        backend_fail(b, &err);
    } else {
        stream_send(b->stream, writer_bytes(w));
    }
}

static void send_text(struct backend *b, struct bytes sql, uint16_t tag) {
    uint8_t storage[128];
    struct writer w;
    if (sql.len + 16 <= sizeof storage) writer_init_fixed(&w, storage, sizeof storage);
    else writer_init(&w, sql.len + 64);
    size_t at = pg_begin(&w, PG_F_QUERY);
    writer_cstr(&w, sql);
    pg_end(&w, at);
    b->ledger.next_tag = tag;
    send_own(b, &w);
    writer_release(&w);
}

enum { TAG_LOOK = 1, TAG_ERRAND /* of gilmok's own queries whose rows are wanted */, TAG_BEGIN };

bool backend_pg_look(struct backend *b, struct bytes sql) {
    struct backend_pg *bp = backend_pg_of(b);
    writer_release(&bp->look);
    writer_init(&bp->look, STATE_PG_ANSWER_MAX);
    send_text(b, sql, TAG_LOOK);
    return b->state != BACKEND_CLOSED;
}

bool backend_pg_run(struct backend *b, struct bytes sql) {
    if (sql.ptr) {
        send_text(b, sql, 0);
    } else {
        struct err err;
        err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
        backend_fail(b, &err);
    }
    return b->state != BACKEND_CLOSED;
}

bool backend_pg_run_begin(struct backend *b, struct bytes sql) {
    send_text(b, sql, TAG_BEGIN);
    return b->state != BACKEND_CLOSED;
}

void backend_pg_send_errand(struct backend *b, struct bytes sql) {
    send_text(b, sql, TAG_ERRAND);
}

bool backend_pg_change_state(struct backend *b, const struct state_pg *to) {
    struct backend_pg *bp = backend_pg_of(b);
    struct writer sql;
    writer_init(&sql, STATE_PG_ANSWER_MAX);
    state_pg_put_change(&sql, &bp->state, to);
    bool ok = !sql.failed && state_pg_copy(&bp->state, to);
    if (ok) {
        send_text(b, writer_bytes(&sql), 0);
    } else {
        struct err err;
        err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the settings of a session");
        backend_fail(b, &err);
    }
    writer_release(&sql);
    return b->state != BACKEND_CLOSED;
}

static void send_own_query(struct backend *b, const char *sql) {
    uint8_t storage[64];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_query(&w, sql);
    send_own(b, &w);
}

bool backend_pg_discard_sequences(struct backend *b, bool among) {
    static const char sql[] = "DISCARD SEQUENCES";
    backend_pg_of(b)->has_old_sequences = false;
    if (among) return backend_pg_run_among(b, bytes_str(sql));
    send_own_query(b, sql);
    return b->state != BACKEND_CLOSED;
}

static void send_check(struct backend *b) {
    send_own_query(b, "");
}

static void forget_lent(struct backend_pg *bp) {
    writer_release(&bp->lent);
    bp->lent = (struct writer){0};
    bp->lent_version = 0;
}

static void send_clean(struct backend *b) {
    if (b->ledger.txn != TXN_NONE) send_own_query(b, "ROLLBACK");
    if (b->state != BACKEND_CLEANING || !b->is_tainted) return;
    send_own_query(b, "RESET ROLE"); /* which no other command takes back for sure */
    send_own_query(b, "DISCARD ALL");
    struct backend_pg *bp = backend_pg_of(b);
    state_pg_release(&bp->state);
    forget_lent(bp);
    bp->sequences_lease = 0;
    bp->has_old_sequences = bp->saw_untold = bp->saw_discard = false;
    bp->saw_app_name = bp->saw_reset = false; /* what was left unread by a lessee who has gone */
    backend_pg_forget_asked(bp);
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

static RARELY void send_app_name(struct backend *b, const char *app_name) {
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

void backend_pg_set_app_name(struct backend *b, const char *app_name) {
    const char *now = backend_pg_of(b)->params.app_name;
    if (UNLIKELY(!now || strcmp(now, app_name) != 0)) send_app_name(b, app_name);
}

static bool is_plain_name(const char *name) {
    return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == strlen(name);
}

/* search_path is a list of identifiers: SET would take the text for one. */
void backend_pg_set(struct backend *b, const char *name, const char *value) {
    struct writer w;
    if (!is_plain_name(name)) return;
    writer_init(&w, 4 * PG_STATUS_MAX);
    size_t at = pg_begin(&w, PG_F_QUERY);
    if (strcmp(name, "search_path") == 0) {
        writer_str(&w, "SELECT pg_catalog.set_config('search_path',");
        pg_put_literal(&w, bytes_str(value));
        writer_str(&w, ",false)");
    } else {
        writer_fmt(&w, "SET %s =", name);
        pg_put_literal(&w, bytes_str(value));
    }
    writer_u8(&w, 0);
    pg_end(&w, at);
    if (b->state != BACKEND_CLOSED) send_own(b, &w);
    writer_release(&w);
}

/* ---- from the server ---- */

/* A run of bytes that goes to the lessee as it came. */
struct run {
    struct buf *buf;
    const uint8_t *start;
    size_t len;
};

static void flush_run(struct backend *b, struct run *run) {
    bool is_held = UNLIKELY(b->holds_replies) && run->len && b->lessee && backend_pg_hold(b, bytes_of(run->start, run->len));
    if (run->len && b->lessee && !is_held) b->lessee->ops->on_reply(b->lessee, run->buf, bytes_of(run->start, run->len));
    run->len = 0;
}

static void pass(struct backend *b, struct run *run, enum reply_fate fate, const uint8_t *ptr, size_t len) {
    if (fate == REPLY_SWALLOW) {
        flush_run(b, run);
        backend_pg_of(b)->has_hidden = true;
        return;
    }
    if (run->len == 0) run->start = ptr;
    run->len += len;
}


/* What is so at that node alone, and nothing that a client has asked for. */
void backend_pg_hide_standby(const struct backend *b, struct pg_param *param) {
    const struct pool *p = b->variant->pool;
    bool may_be_either = p->main || (p->is_spread && p->role != ROLE_REPLICA);
    if (may_be_either && bytes_is(param->name, "in_hot_standby")) param->value = bytes_str("off");
    if (p->copy_node && bytes_is(param->name, "default_transaction_read_only")) param->value = bytes_str("off");
}

static void take_parameter(struct backend *b, struct bytes body, enum reply_fate fate) {
    struct pg_param param;
    struct backend_pg *bp = backend_pg_of(b);
    if (!pg_parameter_status_read(body, &param)) {
        broken(b, "malformed ParameterStatus");
        return;
    }
    backend_pg_hide_standby(b, &param);
    if (fate != REPLY_SWALLOW && bytes_is(param.name, "application_name")) bp->saw_app_name = true;
    uint64_t before = bp->params.digest;
    /* A default that changes while nobody uses the connection is what it starts with from now on. */
    bool is_default = b->state == BACKEND_IDLE;
    if (!params_pg_set(&bp->params, param.name, param.value) ||
        (is_default && !params_pg_set(&bp->start, param.name, param.value)))
        broken(b, "too many ParameterStatus messages");
    else if (b->state == BACKEND_LEASED && bp->params.digest != before && fate != REPLY_SWALLOW && !bp->trusts_texts)
        b->is_tainted = true;
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

/* The first outcome counts: what comes behind it is about another transaction. */
static void note_outcome(struct backend_pg *bp, bool is_commit) {
    if (!bp->saw_undo && !bp->saw_commit) *(is_commit ? &bp->saw_commit : &bp->saw_undo) = true;
}

/* A failed transaction listens to nothing else that has this tag: what comes behind it in the group is carried out. */
static void end_failed(struct ledger *l, struct bytes tag, uint8_t kind) {
    bool is_execute = kind == OWED_EXECUTE || kind == OWED_EXECUTE_UNNAMED;
    if (l->txn == TXN_FAILED && is_execute && bytes_is(tag, "ROLLBACK")) l->txn = TXN_OPEN;
}

static void take_tag(struct backend *b, struct bytes body, enum reply_fate fate, uint8_t kind) {
    struct bytes tag;
    if (!pg_command_tag_read(body, &tag)) {
        broken(b, "malformed CommandComplete");
        return;
    }
    struct backend_pg *bp = backend_pg_of(b);
    enum tag_pg_effect effect = tag_pg_effect(tag);
    if (effect & TAG_PG_DROPS_STATEMENTS) prepared_pg_clear(&bp->prepared);
    if (effect & TAG_PG_DROPS_STATEMENTS) forget_lent(bp);
    if (b->state == BACKEND_CLEANING && effect & TAG_PG_DROPS_STATEMENTS) prepared_pg_clear_unsettled(&bp->prepared);
    if (fate == REPLY_SWALLOW) return;
    end_failed(&b->ledger, tag, kind);
    bool returned_rows = bp->has_rows || (kind == OWED_EXECUTE_UNNAMED && bp->is_described);
    bp->has_rows = false;
    if (effect & TAG_PG_TAINTS || (effect & TAG_PG_IS_SELECT && !returned_rows)) {
        if (!bp->trusts_texts) b->is_tainted = bp->saw_untold = true;
    }
    if (effect & TAG_PG_RESETS) bp->saw_reset = true;
    if (effect & TAG_PG_RESETS && effect & TAG_PG_DROPS_STATEMENTS) bp->saw_discard = true;
    bool may_be_outcome = tag.len && (tag.ptr[0] == 'C' || tag.ptr[0] == 'R');
    if (may_be_outcome && (bytes_is(tag, "COMMIT") || bytes_is(tag, "ROLLBACK"))) note_outcome(bp, tag.len == sizeof "COMMIT" - 1);
    if (effect & TAG_PG_DROPS_STATEMENTS && b->lessee) b->lessee->ops->on_statements_dropped(b->lessee);
}

/* What would follow would run under other settings, or outside of its transaction. */
static void fail_own(struct backend *b, const struct pg_error_fields *f, uint16_t tag) {
    struct err err;
    int len = f->message.len > 200 ? 200 : (int)f->message.len;
    const char *said = f->message.ptr ? (const char *)f->message.ptr : "";
    err_set(&err, ERR_CONNECTION_FAILURE,
            tag == TAG_BEGIN ? "server %s refused the BEGIN of the transaction, of which nothing has run: %.*s"
                             : "server %s refused to set what the client had set before: %.*s", b->site->name, len, said);
    backend_fail(b, &err);
}

/*
 * An error of our own commands is remembered, or ends the connection when a lessee waits behind it; of the client's, whether it is
 * the server's goodbye, and whether the server misses a prepared statement of ours: a function may have dropped them all, unseen.
 * Then the connection is cleaned, and begins anew.
 */
static void take_error(struct backend *b, struct bytes body, enum reply_pg_verdict verdict, enum reply_fate fate, uint8_t kind,
                       uint16_t tag) {
    struct pg_error_fields f = {0};
    struct backend_pg *bp = backend_pg_of(b);
    bp->lent_version = 0; /* what was sent for it may have been skipped */
    if (fate == REPLY_SWALLOW) {
        bp->own_is_missing = pg_error_read(body, &f) && bytes_is(f.sqlstate, "26000");
        if (kind != OWED_QUERY) return; /* one that had to fail, or may */
        if (tag == TAG_LOOK) bp->look.failed = true;
        else if (b->state == BACKEND_LEASED && !bytes_is(f.severity, "FATAL")) fail_own(b, &f, tag);
        else bp->own_failed = true;
        return;
    }
    bool is_read = pg_error_read(body, &f);
    note_outcome(backend_pg_of(b), false);
    if (verdict == REPLY_PG_FATAL || (is_read && bytes_is(f.severity, "FATAL"))) b->is_client_told = true;
    if (is_read && bytes_is(f.sqlstate, "26000") && f.message.len &&
        memmem(f.message.ptr, f.message.len, STATEMENT_PG_PREFIX, sizeof STATEMENT_PG_PREFIX - 1))
        b->is_tainted = true;
}

/*
 * What gilmok put in front of the client's Query has failed (by a cancel request, say), and the server skips the Query, too: it
 * goes on behind a Sync, whose answer is the Query's.
 */
static void resume_behind_own(struct backend *b) {
    struct ledger *l = &b->ledger;
    struct err err;
    if (!l->has_voided_end) return;
    l->has_voided_end = false;
    if (l->is_skipping) {
        if (backend_pg_note_sent(b, PG_F_SYNC, 0, l->voided_tag)) backend_pg_send_sync(b);
        return;
    }
    err_set(&err, ERR_CONNECTION_FAILURE, "server %s has skipped a query behind a failed statement of gilmok's", b->site->name);
    backend_fail(b, &err); /* and what came behind it, up to the client's own Sync */
}

/* An error on a connection that nobody has: the server is about to close it, and must not be asked anything more before it does. */
static void take_goodbye(struct backend *b, struct bytes body) {
    struct pg_error_fields f = {0};
    struct err err;
    bool is_read = pg_error_read(body, &f) && f.message.ptr;
    int len = !is_read ? 0 : f.message.len > 200 ? 200 : (int)f.message.len;
    err_set(&err, ERR_CONNECTION_FAILURE, "server %s closes the connection: %.*s", b->site->name, len,
            is_read ? (const char *)f.message.ptr : "");
    backend_fail(b, &err);
}

/* When nothing is owed but a doubt remains (reply_pg.h), an empty query of ours comes back behind whatever is still to come. */
static void settle_doubt(struct backend *b) {
    const struct ledger *l = &b->ledger;
    if (l->doubtful && !l->count && !l->is_group_open && !l->is_message_open && !l->is_skipping && !l->is_client_turn)
        send_own_query(b, "");
}

static void end_look(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    struct writer rows = bp->look;
    bp->look = (struct writer){0};
    if (b->lessee) b->lessee->ops->on_looked(b->lessee, writer_bytes(&rows), !rows.failed);
    writer_release(&rows);
}

/* A group has ended. What was ours is reported to backend.c; what was the lessee's to the lessee. */
static void take_ready(struct backend *b, struct run *run, enum reply_fate fate, uint8_t kind, uint16_t tag) {
    bool is_quiet = ledger_is_quiet(&b->ledger);
    if (UNLIKELY(b->has_exported) && b->ledger.txn != TXN_OPEN) exported_forget(b);
    if (fate == REPLY_FORWARD) {
        b->queries++;
        flush_run(b, run);
        if (b->lessee) b->lessee->ops->on_group_end(b->lessee, tag, is_quiet);
        if (b->state == BACKEND_LEASED) settle_doubt(b);
    } else if (b->state == BACKEND_LEASED) {
        const struct ledger_entry *next = ledger_head(&b->ledger);
        if (!next || next->fate != REPLY_SWALLOW) backend_pg_of(b)->analysis_to_be = 0; /* all of it is in force */
        bool is_look = kind == OWED_QUERY && tag == TAG_LOOK;
        if (kind == OWED_SYNC && tag) b->lessee->ops->on_tagged(b->lessee, kind, tag);
        if (is_look) end_look(b);
        else if (is_quiet && b->lessee) b->lessee->ops->on_settled(b->lessee);
    } else if (is_quiet) {
        bool is_ok = !backend_pg_of(b)->own_failed && b->ledger.txn == TXN_NONE;
        if (tag == TAG_ERRAND && backend_pg_of(b)->errand && backend_pg_errand_goes_on(b, is_ok)) return;
        backend_on_own_done(b, is_ok);
    }
}

enum { ERROR_WHOLE_MAX = 16 << 10, EXPORT_WHOLE_MAX = 1 << 10 }; /* longer ones are passed on as they are */

/*
 * Bytes of the body that must be in hand before the message can be judged. What comes unasked must not be passed on in pieces:
 * behind the first one the connection may have another lessee.
 */
static uint32_t needed_body(const struct backend *b, const struct pg_header *h) {
    switch (h->type) {
    case PG_B_DATA_ROW:
        return UNLIKELY(b->exports) && h->body_len <= EXPORT_WHOLE_MAX ? h->body_len : 0;
    case PG_B_ERROR:
    case PG_B_NOTICE:
        return h->body_len <= ERROR_WHOLE_MAX ? h->body_len : 0;
    case PG_B_READY:
    case PG_B_COMMAND_COMPLETE:
    case PG_B_PARAMETER_STATUS:
    case PG_B_NOTIFICATION:
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
    case PG_B_NOTIFICATION:
        return h->body_len > PG_NOTIFICATION_MAX;
    default:
        return false;
    }
}

/* ---- descriptions ---- */

static void end_description(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    uint16_t tag = bp->collecting_tag;
    bp->collecting_tag = 0;
    description_pg_end(&bp->description);
    if (tag && b->lessee) b->lessee->ops->on_tagged(b->lessee, OWED_DESCRIBE_STATEMENT, tag);
}

/* The beginning of a message that answers a collected Describe; the rest follows through collect_more(). */
static void collect(struct backend *b, const struct pg_header *h, struct bytes body, uint16_t tag) {
    struct backend_pg *bp = backend_pg_of(b);
    if (h->type != PG_B_PARAMETER_DESCRIPTION && h->type != PG_B_ROW_DESCRIPTION && h->type != PG_B_NO_DATA) return;
    if (h->type == PG_B_PARAMETER_DESCRIPTION) description_pg_begin(&bp->description);
    description_pg_message(&bp->description, h->type);
    description_pg_feed(&bp->description, body);
    bp->collecting_tag = tag;
    if (h->type != PG_B_PARAMETER_DESCRIPTION && body.len == h->body_len) end_description(b);
}

static void collect_more(struct backend *b, struct bytes piece, bool is_last) {
    struct backend_pg *bp = backend_pg_of(b);
    description_pg_feed(&bp->description, piece);
    if (is_last && bp->description.type != PG_B_PARAMETER_DESCRIPTION) end_description(b);
}

/* What is put among the client's messages shows nothing but its errors; of the client's own text, also what else is said of it. */
static enum reply_fate shown(enum reply_fate fate, uint8_t type, uint8_t kind) {
    if (fate != REPLY_QUIET && fate != REPLY_COLLECT) return fate;
    bool is_shown = type == PG_B_ERROR || (type == PG_B_NOTICE && kind == OWED_PARSE_TRIED);
    return is_shown ? REPLY_FORWARD : REPLY_SWALLOW;
}

/* Some of the Query's statements are gilmok's (backend_pg_hide_statements): nothing is shown of them but an error. */
static enum reply_fate shown_of_query(struct backend_pg *bp, enum reply_fate fate, uint8_t type) {
    if (fate != REPLY_FORWARD) return fate;
    if (type == PG_B_READY) bp->own_statements = 0;
    bool is_ours = bp->own_statements & 1;
    if (type == PG_B_COMMAND_COMPLETE) bp->own_statements >>= 1;
    bool is_shown = type == PG_B_READY || type == PG_B_ERROR || type == PG_B_NOTIFICATION || type == PG_B_PARAMETER_STATUS;
    return is_ours && !is_shown ? REPLY_SWALLOW : fate;
}

/* Whatever it came among, it is not part of a reply of ours: the lessee's, who may want to see each. */
static enum reply_fate fate_of_notification(struct backend *b, struct buf *buf, struct bytes message) {
    if (!b->lessee) return REPLY_SWALLOW;
    if (!b->reads_notifications) return REPLY_FORWARD;
    return b->lessee->ops->on_notification(b->lessee, buf, message) ? REPLY_FORWARD : REPLY_SWALLOW;
}

/* Who wants a row that nobody sees. */
static struct writer *reader_of(struct backend_pg *bp, uint8_t kind, uint16_t tag, bool is_wanted) {
    if (kind == OWED_QUERY && tag == TAG_LOOK) return &bp->look;
    if (kind != OWED_EXECUTE || !is_wanted) return NULL;
    backend_pg_begin_asked(bp);
    return &bp->asked;
}

/* True when the lessee has passed an error or a notice on in words of its own: the server knows its statements by other names. */
static bool is_told(struct backend *b, struct run *run, enum reply_fate fate, uint8_t kind, uint16_t tag, struct bytes message) {
    if (fate != REPLY_FORWARD || b->state != BACKEND_LEASED) return false;
    flush_run(b, run);
    return b->lessee->ops->on_error(b->lessee, kind, tag, message);
}

/* Of a lessee that has seen nothing yet: true when it takes its exchange back for this error. */
static bool is_held_error(struct backend *b, struct run *run, const struct pg_header *h, const uint8_t *ptr, size_t avail) {
    bool is_whole = h->type == PG_B_ERROR && avail == h->total;
    if (is_whole && b->lessee && b->lessee->ops->on_held_error(b->lessee, bytes_of(ptr, avail))) {
        run->len = 0;
        (void)backend_pg_take_back(b);
        return true;
    }
    backend_pg_on_shown(b, h->type);
    return false;
}

/* What rows and their descriptions, and most of what stands before them, are: nobody but the lessee wants to know of them. */
static inline bool is_plain(uint8_t type) {
    switch (type) {
    case PG_B_DATA_ROW:
    case PG_B_ROW_DESCRIPTION:
    case PG_B_NO_DATA:
    case PG_B_BIND_COMPLETE:
    case PG_B_PARSE_COMPLETE:
        return true;
    default:
        return false;
    }
}

/* The rest of take_message() for these. */
static void take_plain(struct backend *b, struct run *run, uint8_t type, uint8_t kind, const uint8_t *ptr, size_t avail) {
    struct backend_pg *bp = backend_pg_of(b);
    if (UNLIKELY(b->holds_replies)) backend_pg_on_shown(b, type);
    bp->body_fate = b->lessee ? REPLY_FORWARD : REPLY_SWALLOW;
    note_rows(bp, type, kind);
    bp->reading = NULL;
    bp->is_on_errand = false;
    pass(b, run, REPLY_FORWARD, ptr, avail);
}

/* Judges one message whose needed part is in hand. `avail` of its bytes are here. False: stop, nothing is valid any more. */
static bool take_message(struct backend *b, struct run *run, const struct pg_header *h, const uint8_t *ptr, size_t avail) {
    struct bytes body = bytes_of(ptr + PG_HEADER_LEN, avail - PG_HEADER_LEN);
    enum reply_fate fate;
    const struct ledger_entry *head = ledger_head(&b->ledger);
    uint8_t kind = head ? head->kind : 0;
    uint16_t tag = head ? head->tag : 0;
    uint8_t status = h->type == PG_B_READY ? body.ptr[0] : 0;
    enum reply_pg_verdict verdict = reply_pg_received(&b->ledger, h->type, status, &fate);
    if (verdict == REPLY_PG_BROKEN) {
        flush_run(b, run);
        broken(b, "a reply that answers nothing that was asked");
        return false;
    }
    if (verdict == REPLY_PG_FATAL && b->state == BACKEND_IDLE) {
        take_goodbye(b, body);
        return false;
    }
    bool is_plain_one = is_plain(h->type) && fate == REPLY_FORWARD && !tag && verdict == REPLY_PG_PART;
    if (LIKELY(is_plain_one && !backend_pg_of(b)->own_statements && !b->exports)) {
        take_plain(b, run, h->type, kind, ptr, avail);
        return b->state != BACKEND_CLOSED;
    }
    bool is_wanted = fate == REPLY_COLLECT, is_among = is_wanted || fate == REPLY_QUIET;
    if (is_wanted || (tag && kind == OWED_DESCRIBE_STATEMENT)) collect(b, h, body, tag);
    fate = shown(fate, h->type, kind);
    struct backend_pg *bp = backend_pg_of(b);
    if (UNLIKELY(bp->own_statements)) fate = shown_of_query(bp, fate, h->type);
    bool is_taken_back = UNLIKELY(b->holds_replies) && fate == REPLY_FORWARD && is_held_error(b, run, h, ptr, avail);
    if (is_taken_back) fate = REPLY_SWALLOW;
    bp->body_fate = b->lessee ? fate : REPLY_SWALLOW; /* of the rest, too, when somebody leases the connection meanwhile */
    if (h->type == PG_B_ERROR && !is_taken_back) take_error(b, body, verdict, fate, kind, tag);
    note_rows(bp, h->type, kind);
    if (h->type == PG_B_NOTIFICATION) fate = bp->body_fate = fate_of_notification(b, run->buf, bytes_of(ptr, avail));
    if (h->type == PG_B_PARAMETER_STATUS) take_parameter(b, body, fate);
    if (h->type == PG_B_COMMAND_COMPLETE) take_tag(b, body, fate, kind);
    if (b->state == BACKEND_CLOSED) return false;
    if (UNLIKELY(b->exports) && h->type == PG_B_DATA_ROW && avail == h->total && fate == REPLY_FORWARD) exported_read(b, body);
    bp->reading = h->type == PG_B_DATA_ROW && fate == REPLY_SWALLOW ? reader_of(bp, kind, tag, is_wanted) : NULL;
    if (bp->reading) writer_put(bp->reading, bytes_of(ptr, avail));
    bp->is_on_errand = h->type == PG_B_DATA_ROW && kind == OWED_QUERY && tag == TAG_ERRAND && bp->errand;
    if (bp->is_on_errand) backend_pg_errand_piece(b, bytes_of(ptr, avail), avail == h->total);
    bool may_be_told = h->type == PG_B_ERROR || (h->type == PG_B_NOTICE && tag);
    bool is_told_already = may_be_told && avail == h->total && is_told(b, run, fate, kind, tag, bytes_of(ptr, avail));
    if (!is_told_already) pass(b, run, fate, ptr, avail);
    else bp->has_hidden = true; /* who waits for replies must hear of it */
    bool is_statement_done = h->type == PG_B_PARSE_COMPLETE || h->type == PG_B_CLOSE_COMPLETE ||
                             h->type == PG_B_COMMAND_COMPLETE;
    bool is_own = kind == OWED_QUERY && fate == REPLY_SWALLOW; /* with a tag of ours */
    if (is_statement_done && tag && !is_own && b->lessee) b->lessee->ops->on_tagged(b->lessee, kind, tag);
    bool has_failed = h->type == PG_B_ERROR && kind == OWED_PARSE && verdict == REPLY_PG_PART;
    if (has_failed && tag && b->lessee) b->lessee->ops->on_failed(b->lessee, kind, tag);
    if (UNLIKELY(is_among) && h->type == PG_B_ERROR && b->state == BACKEND_LEASED) resume_behind_own(b);
    if (verdict == REPLY_PG_READY) take_ready(b, run, fate, kind, tag);
    return b->state != BACKEND_CLOSED;
}

/* Before anybody hears of what has come: who says something of their own must know, and so must who gives the connection back. */
static void note_cut(struct backend *b) {
    const struct backend_pg *bp = backend_pg_of(b);
    b->is_reply_cut = bp->body_left && bp->body_fate == REPLY_FORWARD;
}

static size_t relay_received(struct backend *b, struct buf *buf, struct bytes data) {
    struct backend_pg *bp = backend_pg_of(b);
    struct run run = {.buf = buf};
    size_t at = 0;
    bp->due_us = b->stream->loop->now_us;
    while (at < data.len) {
        const uint8_t *ptr = data.ptr + at;
        size_t left = data.len - at;
        if (bp->body_left) {
            size_t n = left < bp->body_left ? left : bp->body_left;
            pass(b, &run, bp->body_fate, ptr, n);
            bp->body_left -= (uint32_t)n;
            note_cut(b);
            if (bp->reading) writer_put(bp->reading, bytes_of(ptr, n));
            if (bp->is_on_errand) backend_pg_errand_piece(b, bytes_of(ptr, n), bp->body_left == 0);
            if (bp->collecting_tag) collect_more(b, bytes_of(ptr, n), bp->body_left == 0);
            at += n;
            continue;
        }
        struct pg_header h;
        enum pg_frame frame = pg_header_read(bytes_of(ptr, left), &h);
        if (frame == PG_FRAME_NEED_MORE) break;
        bool has_limits = !is_plain(h.type); /* else it may be of any length, and is judged by its type alone */
        if (frame == PG_FRAME_BAD || (has_limits && is_too_long(&h))) {
            flush_run(b, &run);
            broken(b, "a message with an impossible length");
            return data.len;
        }
        bool needs_body = has_limits || UNLIKELY(b->exports);
        if (needs_body && left < PG_HEADER_LEN + (size_t)needed_body(b, &h)) break;
        size_t avail = left < h.total ? left : h.total;
        bp->body_left = (uint32_t)(h.total - avail);
        if (!take_message(b, &run, &h, ptr, avail)) return data.len;
        note_cut(b);
        at += avail;
    }
    flush_run(b, &run);
    if (bp->has_hidden && b->lessee) b->lessee->ops->on_hidden(b->lessee);
    bp->has_hidden = false;
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
    backend_pg_errand_lost(b);
    params_pg_release(&bp->params);
    params_pg_release(&bp->start);
    params_pg_release(&bp->home);
    startup_pg_unref(bp->home_of);
    backend_pg_drop_held(bp);
    prepared_pg_release(&bp->prepared);
    description_pg_release(&bp->description);
    writer_release(&bp->look);
    writer_release(&bp->asked);
    writer_release(&bp->lent);
    state_pg_release(&bp->state);
    mem_free(bp->login);
}

const struct backend_proto backend_pg_proto = {
    .name = "postgresql",
    .protocol = PROTO_POSTGRESQL,
    .size = sizeof(struct backend_pg),
    .on_connected = on_connected,
    .on_secured = backend_pg_login_secured,
    .on_received = on_received,
    .send_check = send_check,
    .send_clean = send_clean,
    .try_learn = backend_pg_try_learn,
    .send_goodbye = send_goodbye,
    .send_abort = send_abort,
    .release = release,
};
