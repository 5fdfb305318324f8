/*
 * When a client hears what the shared connection hears for it, and how much may wait for that.
 *
 * It hears when it is in no transaction and no exchange is under way, and at the end of each exchange, behind its
 * ReadyForQuery; and never while its channels are going over or may have changed. What it does not read, and what waits, is
 * bounded: LISTEN_BACKLOG_MAX ends it.
 */
#include <string.h>

#include "base/fault.h"
#include "proxy/session/session_pg_listen.h"
#include "proxy/wire/pg_decode.h"

static const char *encoding_of(const struct session *s) {
    const struct session_pg *ps = (const struct session_pg *)s;
    const struct params_pg *params = ps->wanted ? ps->wanted : s->variant->baseline;
    return params ? params_pg_get(params, "client_encoding") : NULL;
}

/* The messages one by one. */
static bool next_message(struct bytes *rest, struct bytes *message) {
    struct pg_header h;
    if (!rest->len) return false;
    INVARIANT(pg_header_read(*rest, &h) == PG_FRAME_OK && h.total <= rest->len);
    *message = bytes_of(rest->ptr, h.total);
    *rest = bytes_of(rest->ptr + h.total, rest->len - h.total);
    return true;
}

/* What is plain ASCII is the same in all encodings. Else it must be the one that the server has written it in. */
static bool can_read(const struct listen_client *lc, struct bytes messages) {
    const char *encoding = encoding_of(lc->session);
    if (!lc->member.ear || (encoding && strcmp(encoding, ear_pg_encoding(lc->member.ear)) == 0)) return true;
    struct bytes message;
    while (next_message(&messages, &message))
        for (size_t i = PG_HEADER_LEN + 4; i < message.len; i++) /* behind the process id */
            if (message.ptr[i] > 126) return false;
    return true;
}

static void refuse_encoding(struct listen_client *lc) {
    struct err err;
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED, "a notification has come in the encoding %.40s, which the client has given up since "
            "its LISTEN", ear_pg_encoding(lc->member.ear));
    err_hint(&err, "Set client_encoding before LISTEN, or set listen = pin for the database.");
    session_end(lc->session, &err);
}

static bool may_hear(const struct session *s, const struct listen_client *lc) {
    const struct backend *b = s->lessee.backend;
    if (lc->is_withheld || lc->phase != LISTEN_RESTS || s->has_begun) return false;
    return !b || (s->state == SESSION_HELD && b->ledger.txn == TXN_NONE && !b->is_reply_cut);
}

void listen_forget_held(struct listen_client *lc) {
    struct bytes rest = writer_bytes(&lc->held), message;
    size_t kept = 0;
    while (next_message(&rest, &message)) {
        struct pg_notification note;
        struct bytes body = bytes_of(message.ptr + PG_HEADER_LEN, message.len - PG_HEADER_LEN);
        if (!pg_notification_read(body, &note) || ear_pg_seat(&lc->member, note.channel) == EAR_NO_SEAT) continue;
        memmove(lc->held.data + kept, message.ptr, message.len);
        kept += message.len;
    }
    lc->held.len = kept;
}

void listen_release_held(struct listen_client *lc) {
    struct session *s = lc->session;
    if (!lc->held.len) return;
    if (can_read(lc, writer_bytes(&lc->held))) session_send(s, writer_bytes(&lc->held));
    else refuse_encoding(lc);
    writer_release(&lc->held);
    writer_init(&lc->held, LISTEN_BACKLOG_MAX);
}

/* False: the session has ended. */
static bool may_wait(struct listen_client *lc, struct bytes message) {
    struct err err;
    if (stream_queued(lc->session->stream) <= LISTEN_BACKLOG_MAX && lc->held.len + message.len <= LISTEN_BACKLOG_MAX) return true;
    err_set(&err, ERR_LIMIT_EXCEEDED, "more than %d kB of notifications wait for the client", LISTEN_BACKLOG_MAX >> 10);
    err_hint(&err, "A client that listens must read, and not stay in a transaction for long.");
    session_end(lc->session, &err);
    return false;
}

static void hold(struct listen_client *lc, struct bytes message) {
    struct err err;
    if (!may_wait(lc, message)) return;
    writer_put(&lc->held, message);
    if (!lc->held.failed) return;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for notifications");
    session_end(lc->session, &err);
}

void listen_on_heard(struct listen_client *lc, struct buf *buf, struct bytes message) {
    struct session *s = lc->session;
    if (s->state == SESSION_CLOSED) return;
    if (!may_hear(s, lc)) {
        hold(lc, message);
    } else if (!can_read(lc, message)) {
        refuse_encoding(lc);
    } else if (may_wait(lc, message)) {
        session_pool(s)->stats.sent += message.len;
        stream_send_ref(s->stream, buf, message);
    }
}

void session_pg_listen_on_no_look(struct session *s) {
    struct listen_client *lc = session_pg_of(s)->listen;
    if (!lc || lc->phase != LISTEN_RESTS) return;
    lc->is_withheld = lc->is_discarded = false;
    listen_release_held(lc);
}

void session_pg_listen_on_rest(struct session *s) {
    struct listen_client *lc = session_pg_of(s)->listen;
    if (may_hear(s, lc)) listen_release_held(lc);
}

void session_pg_listen_on_group_end(struct session *s, struct backend *b) {
    struct listen_client *lc = session_pg_of(s)->listen;
    if (b->ledger.txn != TXN_NONE) return;
    if (lc->laid == LAID_MAYBE) lc->laid = backend_pg_of(b)->saw_undo ? LAID_NO : LAID_SURE;
    if (lc->held.len && !lc->is_withheld && lc->phase == LISTEN_RESTS) listen_release_held(lc);
}
