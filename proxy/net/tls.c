/*
 * The record pump: between a stream's queues of clear bytes and its ciphertext.
 *
 * Owns the SSL object and the ciphertext of both directions. OpenSSL never sees the
 * socket, only memory, and of the input only whole records: so its own buffers are
 * empty after every pump and go back to the heap, and an incomplete record waits in
 * the smallest chunk that holds it. Knows no message, no certificate, no file.
 */
#include "proxy/net/tls.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "proxy/net/codec.h"
#include "proxy/net/tls_impl.h"

enum {
    RECORD_MAX = 8 << 10,    /* of clear bytes; for so much libpq always has room */
    RECORD_GROWTH_MAX = 256, /* what encryption may add */
};

/* Errors that others have left behind must not be taken for ours. Looking first is cheaper than clearing. */
static void clear_errors(void) {
    if (UNLIKELY(ERR_peek_error() != 0)) ERR_clear_error();
}

static struct tls *tls_of(struct stream *s) {
    s->tls->s = s;
    return s->tls;
}

/* ---- the end ---- */

/* Remembers why; finish_input tells it when what came before was taken. Alerts are in the wire queue already. */
static void fail(struct tls *t, int result) {
    char text[TLS_WHY_MAX / 2];
    const char *what = t->is_secured ? "TLS failed" : "TLS handshake failed";
    t->end = TLS_FAILED;
    if (t->wire_failed) {
        snprintf(t->why, sizeof t->why, "%s: %s", what,
                 t->wire.bytes > TLS_WIRE_MAX ? "the peer does not read the answers that it asks for" : "out of memory");
    } else {
        long verdict = t->is_secured ? X509_V_OK : SSL_get_verify_result(t->ssl);
        bool is_verdict = ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK;
        const char *reason = SSL_get_error(t->ssl, result) == SSL_ERROR_SSL ? tls_error_text(text, sizeof text) : "internal error";
        if (is_verdict) snprintf(t->why, sizeof t->why, "%s: %s (%s)", what, reason, X509_verify_cert_error_string(verdict));
        else snprintf(t->why, sizeof t->why, "%s: %s", what, reason);
    }
    ERR_clear_error();
}

static void finish_input(struct stream *s) {
    struct tls *t = s->tls;
    if (t->end == TLS_FAILED) stream_on_refused(s, t->why);
    else stream_on_broken(s, "closed by peer");
}

/* ---- input ---- */

/* True when a call to OpenSSL can bring something to light. */
static bool has_input(struct tls *t) {
    return t->end != TLS_GOES_ON || SSL_pending(t->ssl) > 0 || tls_has_record(t);
}

static size_t read_plain(struct tls *t, uint8_t *into, size_t cap) {
    size_t done = 0;
    while (done < cap && t->end == TLS_GOES_ON && has_input(t)) {
        size_t n = 0;
        clear_errors();
        int result = SSL_read_ex(t->ssl, into + done, cap - done, &n);
        done += n;
        if (result > 0) continue;
        int error = SSL_get_error(t->ssl, result);
        if (error == SSL_ERROR_WANT_READ) break;
        if (error == SSL_ERROR_ZERO_RETURN) t->end = TLS_ENDED;
        else fail(t, result);
    }
    return done;
}

/* The codec gets them; it is left with what it does not unpack for now. */
static size_t offer_packed(struct stream *s) {
    size_t room;
    uint8_t *into = codec_room(s, &room);
    if (!into) {
        stream_on_broken(s, "out of memory");
        return 0;
    }
    size_t n = read_plain(s->tls, into, room);
    codec_filled(s, n);
    return n;
}

static size_t offer_clear(struct stream *s) {
    struct loop *l = s->loop;
    struct buf *buf = buf_take(&l->bufs, BUF_LARGE);
    if (!buf) {
        stream_on_broken(s, "out of memory");
        return 0;
    }
    uint32_t kept = stream_lift_held(s, buf);
    size_t n = read_plain(s->tls, buf->data + kept, buf->cap - kept);
    if (n > 0) stream_offer(s, buf, buf->data, kept + n);
    else if (kept > 0) stream_put_back(s, buf, kept);
    buf_unref(buf);
    return n;
}

/* One chunk of clear bytes goes up. */
static void offer_some(struct stream *s) {
    struct tls *t = s->tls;
    size_t n = s->codec ? offer_packed(s) : offer_clear(s);
    if (n == 0) (void)SSL_free_buffers(t->ssl); /* a ticket: OpenSSL keeps its buffer until data comes */
    if (t->end != TLS_GOES_ON && stream_takes_input(s)) finish_input(s);
}

/* A direct start without the name of the protocol could be another protocol's bytes, sent here by somebody else. */
static bool is_protocol_agreed(struct tls *t) {
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(t->ssl, &name, &len);
    return !t->is_direct || len > 0;
}

static void shake(struct stream *s) {
    struct tls *t = s->tls;
    clear_errors();
    int result = SSL_do_handshake(t->ssl);
    if (result > 0 && is_protocol_agreed(t)) {
        t->is_secured = true;
        if (s->on->on_secured) s->on->on_secured(s->owner);
        if (s->state == STREAM_OPEN) stream_want_flush(s);
        return;
    }
    if (result > 0) {
        t->end = TLS_FAILED;
        snprintf(t->why, sizeof t->why, "TLS handshake failed: the peer did not select the protocol by ALPN");
    } else if (SSL_get_error(t->ssl, result) != SSL_ERROR_WANT_READ) {
        fail(t, result);
    }
    if (t->end != TLS_GOES_ON) finish_input(s);
}

/* Gives back the chunk that nobody needs any more, or of which a few bytes are needed. */
static void tidy(struct stream *s) {
    struct tls *t = s->tls;
    if (s->state != STREAM_OPEN) return;
    if (!t->in_buf) return;
    struct buf *old = t->in_buf;
    if (t->in_len > 0) {
        enum buf_class size = buf_class_for(t->in_len);
        if (size >= old->size_class) return;
        struct buf *small = buf_take(&s->loop->bufs, size);
        if (!small) {
            stream_on_broken(s, "out of memory");
            return;
        }
        memcpy(small->data, old->data + t->in_at, t->in_len);
        t->in_buf = small;
    } else {
        t->in_buf = NULL;
    }
    t->in_at = 0;
    stream_give_chunk(s->loop, old);
}

/* Works off the ciphertext that is there, as far as the owner takes it. */
static void pump(struct stream *s) {
    struct tls *t = tls_of(s);
    if (s->state == STREAM_OPEN && !t->is_secured) shake(s);
    while (t->is_secured && stream_takes_input(s) && codec_has_room(s) && has_input(t)) offer_some(s);
    if (s->state == STREAM_OPEN && t->wire.bytes > 0) stream_want_flush(s);
    tidy(s);
}

static void run_pump(struct task *task) {
    pump(CONTAINER_OF(task, struct tls, pump)->s);
}

void tls_on_room(struct stream *s) {
    struct tls *t = tls_of(s);
    if (t->is_secured && has_input(t)) loop_defer(s->loop, &t->pump);
}

static void on_link_end(struct stream *s, ssize_t n) {
    struct tls *t = s->tls;
    t->was_cut = true;
    if (n != 0) stream_on_broken(s, strerror(s->error));
    else stream_on_broken(s, t->is_secured ? "closed by peer" : "closed by peer during the TLS handshake");
}

/* One recv, behind the incomplete record. */
void tls_on_readable(struct stream *s) {
    struct tls *t = tls_of(s);
    if (t->is_secured && has_input(t)) { /* what came earlier goes first */
        pump(s);
        return;
    }
    struct buf *buf = stream_take_chunk(s->loop);
    if (!buf) {
        stream_on_broken(s, "out of memory");
        return;
    }
    if (t->in_len > 0) memcpy(buf->data, t->in_buf->data + t->in_at, t->in_len);
    buf_unref(t->in_buf);
    t->in_buf = buf;
    t->in_at = 0;
    ssize_t n = stream_recv(s, buf->data + t->in_len, buf->cap - t->in_len);
    if (n == 0 || n == IO_FAILED) {
        on_link_end(s, n);
        return;
    }
    if (n > 0) t->in_len += (uint32_t)n;
    if (n > 0) pump(s);
    else tidy(s);
}

/* ---- output ---- */

/* The next record's clear bytes in one piece: of the first slice alone when they suffice, else gathered in `*scratch`. */
static struct bytes next_piece(struct stream *s, const struct out_queue *q, struct buf **scratch) {
    const struct out_slice *o = q->first;
    if (o->len >= RECORD_MAX || !o->next) return bytes_of(o->ptr, o->len < RECORD_MAX ? o->len : RECORD_MAX);
    if (!*scratch) *scratch = buf_take(&s->loop->bufs, BUF_LARGE);
    if (!*scratch) return bytes_of(o->ptr, o->len); /* more records than need be, but all of it */
    size_t len = 0;
    for (; o && len < RECORD_MAX; o = o->next) {
        size_t n = o->len < RECORD_MAX - len ? o->len : RECORD_MAX - len;
        memcpy((*scratch)->data + len, o->ptr, n);
        len += n;
    }
    return bytes_of((*scratch)->data, len);
}

static bool has_room_for_record(const struct stream *s, const struct out_queue *q) {
    size_t clear = q->bytes < RECORD_MAX ? q->bytes : RECORD_MAX;
    return s->tls->wire.bytes + clear + RECORD_GROWTH_MAX <= TLS_AHEAD_MAX;
}

static void seal_queue(struct stream *s, struct out_queue *q) {
    struct tls *t = s->tls;
    struct buf *scratch = NULL;
    while (q->first && has_room_for_record(s, q)) {
        struct bytes piece = next_piece(s, q, &scratch);
        size_t n = 0;
        clear_errors();
        if (!SSL_write_ex(t->ssl, piece.ptr, piece.len, &n) || n != piece.len) {
            s->error = t->wire_failed ? ENOMEM : EPROTO;
            break;
        }
        out_queue_consume(q, s->loop, n);
    }
    buf_unref(scratch);
}

struct out_queue *tls_seal(struct stream *s) {
    struct tls *t = tls_of(s);
    if (!t->is_secured || t->end == TLS_FAILED) return &t->wire;
    struct out_queue *q = s->codec ? codec_seal(s) : &s->out;
    if (q->first) seal_queue(s, q);
    if (s->state == STREAM_FINISHING && !q->first && !s->out.first && !t->has_said_goodbye) {
        t->has_said_goodbye = true;
        clear_errors();
        (void)SSL_shutdown(t->ssl); /* our close_notify; the peer's is not waited for */
    }
    return &t->wire;
}

/* ---- beginning and end ---- */

static bool is_start_clean(const struct stream *s, const struct tls_start *how, struct err *err) {
    if (s->state != STREAM_OPEN || s->tls)
        return err_set(err, ERR_PROTOCOL_VIOLATION, s->tls ? "TLS has started already" : "the connection is not open");
    if (s->held_len == 0 && (how->is_direct || how->follows_request || how->unused == 0)) return true;
    err_set(err, ERR_PROTOCOL_VIOLATION, "received unencrypted data after the request for TLS");
    err_hint(err, "This could be a client or server that does not wait for the answer, or somebody in between.");
    return false;
}

void tls_free(struct tls *t) {
    /* Without these flags OpenSSL takes a missing goodbye for an attack and, under the context's lock, drops the session. */
    if (t->ssl && t->end != TLS_FAILED) SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    tls_context_unref(t->context);
    mem_free(t->host);
    mem_free(t);
}

static struct tls *tls_new(struct stream *s, struct tls_context *c, const struct tls_start *how) {
    struct tls *t = mem_alloc(sizeof *t);
    if (!t) return NULL;
    *t = (struct tls){.s = s, .context = tls_context_ref(c), .is_direct = how->is_direct, .unused = how->unused};
    task_init(&t->pump, run_pump);
    t->ssl = SSL_new(c->ctx);
    BIO *bio = t->ssl ? tls_bio_new(t) : NULL;
    if (bio) SSL_set_bio(t->ssl, bio, bio);
    t->host = mem_strdup(how->host ? how->host : "", how->host ? strlen(how->host) : 0);
    if (bio && t->host && SSL_set_app_data(t->ssl, t)) return t;
    tls_free(t);
    return NULL;
}

bool stream_start_tls(struct stream *s, struct tls_context *c, const struct tls_start *how, struct err *err) {
    if (!is_start_clean(s, how, err)) return false;
    INVARIANT(how->unused == 0 || s->is_receiving);
    struct tls *t = tls_new(s, c, how);
    if (!t) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory for TLS");
    if (!tls_context_arm(c, t->ssl, t->host, err)) {
        tls_free(t);
        return false;
    }
    t->wire = s->out; /* what was said in clear stands in front of the first record */
    s->out = (struct out_queue){0};
    s->tls = t;
    s->is_wrapped = true;
    loop_defer(s->loop, &t->pump);
    return true;
}

void tls_begin(struct stream *s, struct buf *buf, struct bytes rest) {
    struct tls *t = tls_of(s);
    if (rest.len != t->unused) {
        stream_on_broken(s, "unencrypted data after the request for TLS");
        return;
    }
    t->unused = 0;
    if (rest.len == 0) return;
    t->in_buf = buf_ref(buf);
    t->in_at = (uint32_t)(rest.ptr - buf->data);
    t->in_len = (uint32_t)rest.len;
    tidy(s);
}

void tls_on_finish(struct stream *s) {
    struct tls *t = tls_of(s);
    if (!t->is_secured || t->end == TLS_FAILED) out_queue_clear(&s->out, s->loop);
    task_cancel(&t->pump);
    buf_unref(t->in_buf);
    t->in_buf = NULL;
    t->in_len = t->in_visible = 0;
}

bool tls_is_idle(const struct stream *s) {
    const struct tls *t = s->tls;
    return t->is_secured && t->end == TLS_GOES_ON && !t->in_len && !t->wire.bytes && !list_is_linked(&t->pump.node) &&
           SSL_pending(t->ssl) == 0;
}

void tls_drop_queues(struct stream *s) {
    tls_on_finish(s);
    out_queue_clear(&s->tls->wire, s->loop);
}
