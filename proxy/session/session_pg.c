/*
 * A logged-in PostgreSQL client: which of its messages goes where. Replies come
 * back through session.c untouched.
 */
#include "proxy/session/session_pg.h"

#include <stdio.h>

#include "base/fault.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/pool/catalog_change.h"
#include "proxy/wire/pg_states.h"

/* A name that no statement has: the server's own "does not exist" is the right answer, in the right order. */
#define MISSING_STATEMENT "(unnamed statement of an earlier transaction)"


void session_pg_violation(struct session *s, const char *what) {
    struct err err;
    err_set(&err, ERR_PROTOCOL_VIOLATION, "%s", what);
    session_end(s, &err);
}

/* ---- telling the client ---- */

void session_pg_tell(struct session *s, const struct err *err, bool is_fatal) {
    uint8_t storage[1024];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_error(&w, is_fatal ? "FATAL" : "ERROR", err);
    session_send(s, writer_bytes(&w));
}

void session_pg_send_ready(struct session *s, char status) {
    uint8_t storage[8];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_ready(&w, status);
    session_send(s, writer_bytes(&w));
}

static void refuse(struct session *s, const struct err *err) {
    session_pg_begin_fail(session_pg_of(s));
    session_pg_tell(s, err, false);
    bool has_sent_all = s->again.is_replayed && s->again.used == s->again.buf->len;
    if (has_sent_all) session_pg_send_ready(s, session_pg_status(s));
    else session_pg_of(s)->discard = DISCARD_REQUEST;
}

static void prepare(struct session *s, struct backend *b) {
    session_pg_begin_prepare(session_pg_of(s));
    session_pg_settings_prepare(s, b);
}

static void on_group_end(struct session *s, struct backend *b, uint16_t tag) {
    session_pg_prepared_on_group_end(s, b, tag);
    session_pg_unnamed_on_group_end(s, b);
    session_pg_settings_on_group_end(s, b);
    if (UNLIKELY(session_pg_of(s)->listen)) session_pg_listen_on_group_end(s, b);
    if (UNLIKELY(!list_is_empty(&s->env->interrupts))) session_pg_interrupt_on_answer(s);
}

static void settle(struct session *s, struct backend *b) {
    if (!ledger_is_quiet(&b->ledger)) return;
    if (b->ledger.txn != TXN_NONE) {
        catalog_change_rests(b);
        return;
    }
    if (UNLIKELY(s->pins & PIN_LENT) && !session_pg_lend_end_list(s, b)) return; /* in front of the look, which would see it */
    session_pg_state_settle(s, b);
    if (s->pins & PIN_DESCRIBING && s->state != SESSION_CLOSED) session_pg_sql_settle(s, b);
    if (UNLIKELY(s->pins & PIN_LENT) && s->state != SESSION_CLOSED) session_pg_lend_settle(s, b);
}

static void on_settled(struct session *s, struct backend *b) {
    session_pg_listen_on_settled(s, b);
    if (UNLIKELY(s->pins & PIN_LENT) && s->lessee.backend == b) session_pg_lend_on_settled(s, b);
}

static void on_tagged(struct session *s, struct backend *b, uint8_t kind, uint16_t tag) {
    if (session_pg_unnamed_is_tag(tag)) session_pg_unnamed_on_tagged(s, b, kind, tag);
    else session_pg_prepared_on_tagged(s, b, kind, tag);
}

static void on_failed(struct session *s, struct backend *b, uint8_t kind, uint16_t tag) {
    if (kind == OWED_PARSE && session_pg_unnamed_is_tag(tag)) session_pg_unnamed_on_failed(s, b, tag);
}

/* ---- from the client ---- */

/* A run of bytes that goes to the server as it came. */
struct run {
    struct buf *buf;
    const uint8_t *start;
    size_t len;
};

static void flush_run(struct session *s, struct run *run) {
    struct backend *b = s->lessee.backend;
    if (run->len && b) stream_send_ref(b->stream, run->buf, bytes_of(run->start, run->len));
    run->len = 0;
}

static void add_to_run(struct run *run, const uint8_t *ptr, size_t len) {
    if (run->len == 0) run->start = ptr;
    run->len += len;
}

/* Bytes of the body that must be in hand before a message can be placed. */
static uint32_t needed_body(const struct pg_header *h) {
    switch (h->type) {
    case PG_F_PARSE:
    case PG_F_EXECUTE:
        return h->body_len < 1 ? h->body_len : 1;
    case PG_F_DESCRIBE:
        return h->body_len < 2 ? h->body_len : 2;
    case PG_F_CLOSE:
        return h->body_len < 2 ? h->body_len : 2;
    default:
        return 0;
    }
}

/* A stand-in for a message that names an unnamed statement which is not on this connection. */
void session_pg_send_missing(struct backend *b, uint8_t type) {
    uint8_t storage[128];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    size_t at = pg_begin(&w, type);
    writer_u8(&w, type == PG_F_BIND ? 0 : 'S');
    writer_cstr(&w, bytes_str(MISSING_STATEMENT));
    if (type == PG_F_BIND)
        for (int i = 0; i < 3; i++) writer_be16(&w, 0); /* no formats, no values, no result formats */
    pg_end(&w, at);
    stream_send(b->stream, writer_bytes(&w));
}

static struct bytes body_of(const struct message *m) {
    return bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
}

/* A Bind's names must be in hand to be judged; they are allowed to fill what a stream holds. */
static bool lacks_names(const struct pg_header *h, struct bytes body) {
    struct bytes portal, statement;
    return h->type == PG_F_BIND && body.len < h->body_len && body.len < STREAM_HELD_MAX - PG_HEADER_LEN &&
           pg_bind_names(body, &portal, &statement) == PG_FRAME_NEED_MORE;
}

/* Of a message of which a part is in hand: true when it cannot be judged yet. */
static bool needs_more(struct session *s, const struct message *m) {
    return session_pg_prepared_needs_more(s, m) || session_pg_state_needs_more(s, m) ||
           session_pg_reset_needs_more(session_pg_of(s), m) || lacks_names(&m->h, body_of(m));
}

/* True when nothing more may be sent before some replies are in or the server has read some. */
static bool must_hold_back(struct session *s, uint8_t type) {
    struct backend *b = s->lessee.backend;
    if (stream_is_congested(b->stream)) {
        stream_pause(s->stream);
        return true;
    }
    if (type == PG_F_COPY_DATA || type == PG_F_COPY_DONE || type == PG_F_COPY_FAIL) return false; /* a COPY may be waiting for it */
    if (ledger_is_full(&b->ledger)) return true;
    /* Others wait: give the connection up at the end of a group instead of keeping it by pipelining. */
    return s->request.has_sent && b->ledger.count && !b->ledger.is_group_open && !b->ledger.is_client_turn && !s->pins &&
           b->ledger.txn == TXN_NONE && pool_has_waiters(s->variant);
}

/* Messages that mean nothing while no reply is owed: answered or dropped here. True when it was one. */
static bool is_idle_noise(struct session *s, uint8_t type) {
    struct backend *b = s->lessee.backend;
    if (b && !ledger_is_quiet(&b->ledger)) return false;
    if (pg_client_verdict(PG_CLIENT_IDLE, type) == PG_IGNORED) return true;
    if (type != PG_F_SYNC || b) return false;
    session_pg_send_ready(s, session_pg_status(s));
    return true;
}

void session_pg_drop(struct session_pg *ps, const struct message *m) {
    ps->body_left = (uint32_t)(m->h.total - m->avail);
    ps->body_is_dropped = true;
}

/* Drops a refused request: one Query or FunctionCall, or everything up to a Sync; then the client may go on. */
static void discard_message(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    session_pg_unnamed_on_not_sent(s, m);
    session_pg_drop(ps, m);
    if (pg_client_verdict(PG_CLIENT_REFUSED, m->h.type) == PG_IGNORED) return;
    if (ps->discard == DISCARD_REQUEST) session_pg_send_ready(s, session_pg_status(s));
    ps->discard = DISCARD_NOTHING;
}

/* What the ledger must know of a Describe or an Execute. */
static uint8_t target_of(uint8_t type, struct bytes body) {
    if (type == PG_F_EXECUTE) return body.len && body.ptr[0] == 0 ? TARGET_UNNAMED_PORTAL : 0;
    if (type != PG_F_DESCRIBE || !body.len) return 0;
    return body.ptr[0] == 'P' && body.len > 1 && body.ptr[1] == 0 ? TARGET_UNNAMED_PORTAL : body.ptr[0];
}

/* Passes a message on as it is. */
static enum step relay_raw(struct session *s, struct run *run, struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    struct bytes body = body_of(m);
    uint8_t type = m->h.type;
    bool ends_group = type == PG_F_SYNC || type == PG_F_QUERY || type == PG_F_FUNCTION_CALL;
    uint16_t tag = ends_group ? session_pg_prepared_end_group(ps) : m->tag;
    if (ends_group && !b->ledger.is_client_turn) session_pg_state_on_group_sent(ps);
    if (ends_group) session_pg_unnamed_on_group_sent(ps);
    if (UNLIKELY(ps->left.has_moved) && session_pg_unnamed_must_ask(s, m)) {
        flush_run(s, run);
        if (!backend_pg_ask(b)) return STEP_STOP;
    }
    bool is_mine = type == PG_F_EXECUTE || type == PG_F_SYNC || session_pg_unnamed_track(s, b, m, &tag);
    if (type == PG_F_PARSE && body.len && body.ptr[0]) {
        s->pins |= PIN_PREPARED;
        b->is_tainted = true;
    }
    if (!backend_pg_note_sent(b, type, target_of(type, body), tag)) return STEP_STOP;
    if (!is_mine) {
        flush_run(s, run);
        session_pg_send_missing(b, type);
        session_pg_drop(ps, m);
        return STEP_DONE;
    }
    b->ledger.is_message_open = m->avail < m->h.total;
    ps->body_left = (uint32_t)(m->h.total - m->avail);
    ps->body_is_dropped = false;
    if (LIKELY(!m->edit)) {
        add_to_run(run, m->ptr, m->avail);
    } else {
        flush_run(s, run);
        stream_send(b->stream, bytes_of(m->ptr, m->avail));
        m->tag = tag;
    }
    return STEP_DONE;
}

static enum step relay_message(struct session *s, struct run *run, struct message *m) {
    enum step step = STEP_RAW;
    bool is_text = m->h.type == PG_F_QUERY || m->h.type == PG_F_PARSE;
    if (is_text) session_pg_vacate_on_text(s, m);
    if (session_pg_may_export(s, m->h.type)) session_pg_export_on_message(s, m);
    if (m->h.type == PG_F_BIND) m->has_names = pg_bind_names(body_of(m), &m->portal, &m->statement) == PG_FRAME_OK;
    if (UNLIKELY(session_pg_of(s)->vacating) && m->has_names) session_pg_vacate_on_bind(s, m->statement);
    if (session_pg_unnamed_must_wait(s, s->lessee.backend, m->h.type)) {
        flush_run(s, run);
        return session_pg_await_replies(s);
    }
    if (UNLIKELY(session_pg_of(s)->listen)) {
        flush_run(s, run);
        step = session_pg_listen_on_message(s, m);
        if (step != STEP_RAW) return step;
    }
    if (session_pg_must_look_ahead(session_pg_of(s))) {
        step = session_pg_look_ahead(s, m);
        if (step != STEP_DONE) {
            flush_run(s, run);
            return step;
        }
        step = STEP_RAW;
    }
    if (UNLIKELY(session_pg_state_on_message(s, m))) {
        struct backend *b = s->lessee.backend;
        bool among = m->h.type != PG_F_QUERY || b->ledger.is_group_open;
        flush_run(s, run);
        bool may_fail_yet = b->ledger.groups || (!among && ledger_owes_forward(&b->ledger)); /* the transaction */
        if (may_fail_yet) return session_pg_await_replies(s);
        if (!backend_pg_discard_sequences(b, among)) return STEP_STOP;
    }
    if (UNLIKELY(session_pg_lend_concerns(session_pg_of(s), m->h.type))) {
        flush_run(s, run);
        step = session_pg_lend_on_message(s, m);
        if (step != STEP_RAW) return step;
    }
    if (UNLIKELY(!list_is_empty(&session_pg_of(s)->prepared.portals))) {
        flush_run(s, run);
        step = session_pg_sql_track(s, m);
        if (step != STEP_RAW) return step;
    }
    bool may_reset = UNLIKELY(session_pg_reset_concerns(session_pg_of(s)));
    if (may_reset) {
        flush_run(s, run);
        step = session_pg_reset_take(s, m);
    }
    bool may_be_token = (is_text || UNLIKELY(session_pg_of(s)->asks_token)) && session_pool(s)->limits.read_write_split &&
                        UNLIKELY(session_pg_token_may_be(session_pg_of(s), m));
    if (step == STEP_RAW && may_be_token) {
        flush_run(s, run);
        step = session_pg_token_take(s, m);
    }
    if (step == STEP_RAW && session_pg_prepared_concerns(s, m)) {
        flush_run(s, run);
        step = session_pg_prepared_take(s, m);
    } else if (step == STEP_RAW && UNLIKELY(session_pg_of(s)->left.latest & EFFECT_STATEMENTS && m->h.type == PG_F_QUERY)) {
        flush_run(s, run);
        step = session_pg_sql_take_query(s, m);
    }
    if (step == STEP_RAW) step = relay_raw(s, run, m);
    if (may_reset && step == STEP_DONE && m->h.type == PG_F_EXECUTE) {
        flush_run(s, run);
        if (!session_pg_reset_follow(s, m)) return STEP_STOP;
    }
    if (step == STEP_DONE) {
        s->request.has_sent = true;
        session_pg_state_on_sent(session_pg_of(s), m->h.type);
    }
    if (UNLIKELY(m->edit)) session_pg_reset_text_end(s, m, step);
    return step;
}

/* It has its connection at a replica for a moment still, or what it has there keeps it from ever going anywhere else. */
static enum step stay_behind(struct session *s) {
    struct err err;
    bool is_cleared = !ledger_is_quiet(&s->lessee.backend->ledger); /* of what gilmok itself had there */
    if (is_cleared || s->pins & (PIN_LOOKING | PIN_DESCRIBING | PIN_LENT | PIN_HANDING)) {
        s->is_held_back = true;
        return STEP_KEEP;
    }
    err_set(&err, ERR_CONNECTION_FAILURE, "a statement that only read has left something at a replica: the session cannot go on");
    err_hint(&err, "Connect again. The functions that it called are not what the catalog said of them.");
    session_end(s, &err);
    return STEP_STOP;
}

/* As if the server had refused it. */
static enum step refuse_at_replica(struct session *s, struct run *run, const struct message *m) {
    flush_run(s, run);
    enum step step = session_pg_route_refuse(s, m);
    if (step == STEP_DONE) s->request.has_sent = true;
    return step;
}

/* Does it go where the one before it went? At a replica that is a question; what was judged with what is before it does. */
static enum route_follow follows(struct session *s, const struct message *m) {
    bool is_judged = s->again.buf && (s->again.is_replayed ? s->again.is_elsewhere : s->again.used < s->again.buf->len);
    return is_judged || LIKELY(!session_is_at_replica(s)) ? ROUTE_FOLLOWS : session_pg_route_follow(s, m);
}

/* Places one message. */
static enum step take_message(struct session *s, struct run *run, struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    uint8_t type = m->h.type;
    if (type == PG_F_TERMINATE) {
        flush_run(s, run);
        session_close(s, "client said goodbye");
        return STEP_STOP;
    }
    if (UNLIKELY(s->pins & PIN_HANDING)) {
        s->is_held_back = true;
        return STEP_KEEP;
    }
    if (UNLIKELY(ps->discard == DISCARD_TO_SYNC) && type == PG_F_SYNC) ps->discard = DISCARD_NOTHING;
    if (ps->discard) {
        flush_run(s, run); /* a run is one piece: what is dropped must not stand inside it */
        discard_message(s, m);
        return STEP_DONE;
    }
    if (is_idle_noise(s, type)) {
        flush_run(s, run);
        session_pg_drop(ps, m);
        return STEP_DONE;
    }
    if (m->avail < m->h.total && needs_more(s, m)) return STEP_KEEP;
    if (UNLIKELY(session_pg_explain_may_be(ps, m))) {
        flush_run(s, run);
        enum step step = session_pg_explain_take(s, m);
        if (step != STEP_RAW) return step;
    }
    if (!request_is_open(&s->request)) {
        flush_run(s, run);
        if (UNLIKELY(session_pg_begin_may_be(ps, m))) {
            enum step step = session_pg_begin_take(s, m);
            if (step != STEP_RAW) return step;
        }
        if (UNLIKELY(s->pins & PIN_LOOKING) && session_pg_startup_awaits_look(ps)) {
            s->is_held_back = true;
            return STEP_KEEP;
        }
        if (UNLIKELY(session_is_at_replica(s)) && session_pg_route_follow(s, m) == ROUTE_WAITS) return stay_behind(s);
        if (!request_open(s, session_pg_route_to_replica(s, m))) return s->state == SESSION_CLOSED ? STEP_STOP : STEP_KEEP;
    } else if (s->request.stage != REQUEST_RELAY) {
        return STEP_KEEP;
    }
    if (UNLIKELY(ps->begin.phase != BEGUN_NOT) && !s->request.has_sent) {
        flush_run(s, run);
        enum step step = session_pg_begin_go_first(s, m);
        if (step != STEP_DONE) return step;
    }
    enum route_follow follow = follows(s, m);
    if (s->request.is_taken_back || must_hold_back(s, type) || follow == ROUTE_WAITS) {
        s->is_held_back = true;
        return STEP_KEEP;
    }
    enum step step = LIKELY(follow == ROUTE_FOLLOWS) ? relay_message(s, run, m) : refuse_at_replica(s, run, m);
    if (step != STEP_KEEP) ps->prepared.has_lent = false;
    return step;
}

/* Takes the rest of a message whose head is gone already. Returns the bytes used. */
static size_t take_body(struct session *s, struct run *run, const uint8_t *ptr, size_t left) {
    struct session_pg *ps = session_pg_of(s);
    size_t n = left < ps->body_left ? left : ps->body_left;
    if (!ps->body_is_dropped) {
        struct backend *b = s->lessee.backend;
        if (stream_is_congested(b->stream)) {
            stream_pause(s->stream);
            s->is_held_back = true;
            return 0;
        }
        add_to_run(run, ptr, n);
        b->ledger.is_message_open = n < ps->body_left;
    }
    ps->body_left -= (uint32_t)n;
    if (!ps->body_left && !ps->body_is_dropped && ledger_is_quiet(&s->lessee.backend->ledger)) {
        /* The answer overtook the rest of the message: a COPY that failed while its data was on the way. */
        flush_run(s, run);
        session_check_answered(s);
    }
    return n;
}

/* NULL: nothing is wrong with it. */
static inline const char *why_illegal(const struct pg_header *h, enum pg_frame frame) {
    uint32_t limit = pg_frontend_limit(h->type);
    if (!limit) return "type";
    return frame == PG_FRAME_BAD || h->total - 1 > limit ? "length" : NULL;
}

static void tell_why(struct session *s, const struct pg_header *h, enum pg_frame frame) {
    char what[64];
    if (*why_illegal(h, frame) == 't') snprintf(what, sizeof what, "invalid frontend message type %u", h->type);
    else snprintf(what, sizeof what, "invalid message length");
    session_pg_violation(s, what);
}

static size_t relay_received(struct session *s, struct buf *buf, struct bytes data) {
    struct session_pg *ps = session_pg_of(s);
    struct run run = {.buf = buf};
    size_t at = 0;
    while (at < data.len && s->state != SESSION_CLOSED) {
        const uint8_t *ptr = data.ptr + at;
        size_t left = data.len - at;
        if (ps->body_left) {
            size_t n = take_body(s, &run, ptr, left);
            if (n == 0) break;
            at += n;
            continue;
        }
        struct pg_header h;
        enum pg_frame frame = pg_header_read(bytes_of(ptr, left), &h);
        if (frame == PG_FRAME_NEED_MORE) {
            if (pg_frontend_limit(ptr[0]) > 0) break;
            flush_run(s, &run);
            tell_why(s, &(struct pg_header){.type = ptr[0]}, PG_FRAME_BAD);
            break;
        }
        if (UNLIKELY(why_illegal(&h, frame) != NULL)) {
            flush_run(s, &run); /* what is noted as sent has to be sent: it will be answered */
            tell_why(s, &h, frame);
            return data.len;
        }
        if (left < PG_HEADER_LEN + (size_t)needed_body(&h)) break;
        struct message m = {.buf = buf, .h = h, .ptr = ptr, .avail = left < h.total ? left : h.total, .in_hand = left};
        if (UNLIKELY(s->again.is_replayed)) m.in_hand = (size_t)(s->again.buf->data + s->again.buf->len - ptr); /* all of it */
        size_t avail = m.avail; /* it may become another one */
        enum step step = take_message(s, &run, &m);
        ps->left.judged = NULL;
        if (step == STEP_KEEP) break;
        if (step == STEP_STOP && s->state == SESSION_CLOSED) return data.len;
        if (step == STEP_STOP) return at; /* its connection is lost, and it goes on elsewhere */
        at += avail;
        if (UNLIKELY(s->again.buf != NULL) && !s->again.is_replayed) s->again.used += (uint32_t)avail;
    }
    flush_run(s, &run);
    struct pool *p = session_pool(s);
    if (p) p->stats.received += at;
    return at;
}

/* ---- the console ---- */

enum { CONSOLE_MESSAGE_MAX = 16 << 10 };

static size_t console_received(struct session *s, struct bytes data) {
    size_t at = 0;
    while (at < data.len && s->state != SESSION_CLOSED && !s->console_job) {
        struct pg_header h;
        struct bytes rest = bytes_of(data.ptr + at, data.len - at);
        enum pg_frame frame = pg_header_read(rest, &h);
        if (frame == PG_FRAME_NEED_MORE) break;
        if (why_illegal(&h, frame)) {
            tell_why(s, &h, frame);
            return data.len;
        }
        if (h.total > CONSOLE_MESSAGE_MAX) {
            session_pg_violation(s, "statement is too long for the console");
            return data.len;
        }
        if (rest.len < h.total) break;
        at += h.total;
        session_pg_console_take(s, h.type, bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len));
    }
    return s->state == SESSION_CLOSED ? data.len : at;
}

/* ---- the table ---- */

static size_t on_received(struct session *s, struct buf *buf, struct bytes data) {
    size_t used = 0;
    if (s->state == SESSION_LOGIN) used = session_pg_login_received(s, data);
    if (s->state == SESSION_LOGIN || s->state == SESSION_LOGIN_WAITING || s->state == SESSION_CLOSED) return used;
    struct bytes rest = bytes_of(data.ptr + used, data.len - used);
    if (rest.len == 0) return used;
    return used + (s->is_console ? console_received(s, rest) : relay_received(s, buf, rest));
}

static void release(struct session *s) {
    session_pg_login_release(s);
    session_pg_prepared_release(session_pg_of(s));
    session_pg_settings_release(session_pg_of(s));
    session_pg_unnamed_release(session_pg_of(s));
    session_pg_state_release(session_pg_of(s));
    session_pg_startup_release(session_pg_of(s));
    session_pg_listen_release(session_pg_of(s));
    session_pg_console_release(session_pg_of(s));
    session_pg_vacate_release(session_pg_of(s));
    mem_free(session_pg_of(s)->app_name);
    mem_free(session_pg_of(s)->login_app_name);
}

const struct session_proto session_pg_proto = {
    .name = "postgresql",
    .size = sizeof(struct session_pg),
    .on_open = session_pg_login_begin,
    .on_received = on_received,
    .on_login_leased = session_pg_login_leased,
    .prepare = prepare,
    .on_group_end = on_group_end,
    .on_tagged = on_tagged,
    .on_failed = on_failed,
    .on_error = session_pg_on_error,
    .settle = settle,
    .on_looked = session_pg_state_on_looked,
    .on_settled = on_settled,
    .on_notification = session_pg_listen_on_notification,
    .on_statements_dropped = session_pg_prepared_on_dropped,
    .tell = session_pg_tell,
    .refuse = refuse,
    .on_taken_back = session_pg_route_on_taken_back,
    .takes_back = session_pg_route_takes_back,
    .on_console_reply = session_pg_console_reply,
    .release = release,
    .pack = session_pg_names_pack,
    .on_arrived = session_pg_on_arrived,
};
