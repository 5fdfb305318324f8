/*
 * tls_impl.h - what the files of TLS, codec.c and stream.c share; nobody else includes it.
 */
#ifndef GILMOK_PROXY_NET_TLS_IMPL_H
#define GILMOK_PROXY_NET_TLS_IMPL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "proxy/net/stream.h"
#include "proxy/net/tls.h"

enum {
    TLS_WHY_MAX = 192,
    TLS_SESSIONS_MAX = 8, /* servers that a client context remembers a session of */
    TLS_ALPN_MAX = 32,
    /* Ciphertext beyond what a handshake or sealing makes: the peer asks for answers and does not read them. */
    TLS_WIRE_MAX = 256 << 10,
};

struct tls_session {
    char *host;   /* owned */
    uint8_t *der; /* the session, serialised; owned */
    size_t len;
};

struct tls_context {
    SSL_CTX *ctx;
    atomic_uint refs;
    bool is_server;
    enum tls_verify verify; /* client role */
    uint8_t alpn[TLS_ALPN_MAX]; /* a length byte and the name; empty: no ALPN */
    pthread_mutex_t lock; /* of what follows; never held across a callback */
    struct tls_session sessions[TLS_SESSIONS_MAX];
    unsigned next_session; /* the one to be replaced next */
};

enum tls_end { TLS_GOES_ON, TLS_ENDED, TLS_FAILED };

struct tls {
    SSL *ssl;
    struct tls_context *context; /* one reference */
    struct stream *s;            /* set at every entry */
    bool is_secured;
    bool is_direct;
    bool has_said_goodbye; /* close_notify is sent or queued */
    bool was_cut;
    bool wire_failed; /* ciphertext could not be queued */
    enum tls_end end; /* of the input: known, and perhaps not told yet */
    char *host;       /* client role: key of the session cache; owned */
    size_t unused;    /* of the piece inside whose on_received TLS was started */

    /* Ciphertext: an incomplete record, or what a paused or full stream did not take. */
    struct buf *in_buf; /* one reference */
    uint32_t in_at, in_len;
    uint32_t in_visible; /* of in_len: bytes that OpenSSL may have now, whole records only */

    struct out_queue wire;
    struct task pump;
    char why[TLS_WHY_MAX];
};

/* ---- tls.c, for stream.c; s->tls is set ---- */

void tls_on_readable(struct stream *s);
/* on_received, inside which TLS was started, has returned; `rest` is what it left over. */
void tls_begin(struct stream *s, struct buf *buf, struct bytes rest);
/* There may be room again for input that waits as ciphertext. */
void tls_on_room(struct stream *s);
/* Encrypts queued output as far as it may run ahead; the queue of ciphertext. s->error when it failed. */
struct out_queue *tls_seal(struct stream *s);
void tls_on_finish(struct stream *s);
void tls_drop_queues(struct stream *s);
/* Nothing is under way in either direction: stream and TLS state may move to another loop. */
bool tls_is_idle(const struct stream *s);
void tls_free(struct tls *t);

/* ---- stream.c, for tls.c and codec.c ---- */

struct buf *stream_take_chunk(struct loop *l); /* a large one, preferably still warm; NULL when memory is out */
void stream_give_chunk(struct loop *l, struct buf *buf);
ssize_t stream_recv(struct stream *s, void *into, size_t cap);
/* Moves kept input to the front of `buf`; its length. */
uint32_t stream_lift_held(struct stream *s, struct buf *buf);
/* Offers bytes of `buf` to the owner and keeps what it leaves. */
void stream_offer(struct stream *s, struct buf *buf, const uint8_t *ptr, size_t len);
void stream_want_flush(struct stream *s);
/* Memory ran out while queueing: the peer must not see a message with a hole, so the stream ends. */
void stream_fail_output(struct stream *s);
/* True while the owner wants input and there is room to keep it. */
static inline bool stream_takes_input(const struct stream *s) {
    return s->state == STREAM_OPEN && !s->is_paused && s->held_len < STREAM_HELD_MAX;
}
/* Like stream_on_broken, but what is queued still leaves: an alert. */
void stream_on_refused(struct stream *s, const char *why);

/* A chunk with nothing new behind what stream_lift_held brought: kept again. */
void stream_put_back(struct stream *s, struct buf *buf, uint32_t len);

/* ---- tls_bio.c ---- */

BIO *tls_bio_new(struct tls *t); /* NULL when memory is out; `t` is borrowed for its life */
/* A record has arrived whole, or something that cannot be one. */
bool tls_has_record(struct tls *t);

/* ---- tls_context.c, tls_session.c ---- */

/* Gives a new SSL its role, and in the client role the name to check and the session to resume. */
MUST_USE bool tls_context_arm(struct tls_context *c, SSL *ssl, const char *host, struct err *err);
/* OpenSSL's oldest error in words; empties its queue. Returns `out`. */
const char *tls_error_text(char *out, size_t size);
/* The last session with `host`, the caller's own, or NULL. */
SSL_SESSION *tls_session_find(struct tls_context *c, const char *host);
int tls_session_on_new(SSL *ssl, SSL_SESSION *session); /* OpenSSL's callback */
void tls_session_clear(struct tls_context *c);

#endif
