/*
 * stream.h - a connection as a sequence of bytes each way.
 *
 * INPUT. The handler's on_received is given everything that has arrived and not
 * been consumed yet, as one contiguous piece, and returns how many bytes it used
 * up. The rest is kept by the stream and offered again, in front of whatever
 * comes next, or when the owner asks (stream_reoffer). The piece lives in `buf`;
 * whoever wants to pass bytes on without copying takes them by reference with
 * stream_send_ref. At most STREAM_HELD_MAX bytes are kept: beyond that the stream
 * stops reading until some are consumed, so a handler must never wait for a
 * longer contiguous piece.
 *
 * OUTPUT. stream_send queues; nothing is written inside the call. At the end of
 * the event (loop_settle) the whole queue leaves in one send. When the peer is
 * slow the rest waits for the socket; stream_queued tells how much, and
 * on_drained reports that it fell to zero after having been over the high water.
 *
 * BACK-PRESSURE. stream_pause stops on_received; unread bytes stay in the
 * kernel. It costs nothing unless bytes do arrive while paused.
 *
 * END. on_closed comes once, when the peer closed or the link broke; never after
 * stream_close or stream_finish by the owner. The object lives until the end of
 * the turn in which it was closed.
 */
#ifndef GILMOK_PROXY_NET_STREAM_H
#define GILMOK_PROXY_NET_STREAM_H

#include "base/bytes.h"
#include "proxy/net/loop.h"
#include "proxy/net/out_queue.h"

enum {
    STREAM_HELD_MAX = BUF_LARGE_SIZE,
    STREAM_HIGH_WATER = 256 << 10, /* queued output, bytes, at which producers should pause */
    STREAM_COPY_MAX = 1024,        /* shorter pieces are copied, longer ones sent by reference */
    STREAM_FINISH_MS = 2000,       /* stream_finish waits this long for output to leave and the peer to close */
};

struct codec;
struct tls;

enum stream_state { STREAM_CONNECTING, STREAM_OPEN, STREAM_FINISHING, STREAM_CLOSED };

struct stream_handler {
    void (*on_connected)(void *owner); /* outgoing streams only */
    size_t (*on_received)(void *owner, struct buf *buf, struct bytes data);
    void (*on_drained)(void *owner);
    /* `why` is text for logs ("closed by peer", "Connection reset by peer"), good until the end of the turn. */
    void (*on_closed)(void *owner, const char *why);
    void (*on_secured)(void *owner); /* the TLS handshake is complete (tls.h); may be NULL */
    void (*on_garbled)(void *owner); /* what has come cannot be unpacked (codec.h): the owner ends the stream; may be NULL */
};

struct stream {
    struct loop *loop;
    const struct stream_handler *on;
    void *owner; /* borrowed */
    enum stream_state state;
    int error; /* errno of the failure */

    bool is_paused;     /* the owner wants no input */
    bool wants_read;    /* what the backend was told */
    bool wants_write;
    bool is_above_high; /* on_drained is owed */
    bool is_receiving;  /* inside on_received */
    bool is_wrapped;    /* it has TLS or a codec: on the link are other bytes than its owner's */

    struct buf *held; /* unconsumed input */
    uint32_t held_at;
    uint32_t held_len;

    struct out_queue out;
    struct tls *tls; /* tls.h; owned; NULL: everything is in clear */
    struct codec *codec; /* codec.h, above TLS; owned; may be NULL */

    struct list flush_node;
    struct list end_node; /* in loop.finishing or loop.graveyard */
    uint64_t finish_by_us;
    uint64_t received; /* bytes, for SHOW */
    uint64_t sent;
};

/* A stream that connects to `to`; on_connected or on_closed follows later, never inside the call. NULL: err says why. */
struct stream *stream_connect(struct loop *l, const struct addr *to, const struct tcp_options *tcp,
                              const struct stream_handler *on, void *owner, struct err *err);
/* The owner of an accepted stream introduces itself; input flows from then on. */
void stream_adopt(struct stream *s, const struct stream_handler *on, void *owner);

void stream_send(struct stream *s, struct bytes data);                        /* copies */
void stream_send_ref(struct stream *s, struct buf *buf, struct bytes data);   /* data inside buf; copies when short */
/* Who has opened the other end of a unix socket. False: it is none, or the system does not say. */
MUST_USE bool stream_peer_process(struct stream *s, struct peer_process *out);
/* The address of this end; asks the system each time. False: the stream is closed, or the system does not say. */
MUST_USE bool stream_local_addr(struct stream *s, struct addr *out);
size_t stream_queued(const struct stream *s); /* bytes; with TLS those not yet encrypted, and ciphertext; likewise with a codec */
/* True when TLS was started: then every byte that on_received gets has come inside it. */
static inline bool stream_has_tls(const struct stream *s) {
    return s->tls != NULL;
}
/* True when output queues beyond the high water: pause who produces it; on_drained will come. */
static inline bool stream_is_congested(const struct stream *s) {
    return s->is_above_high;
}

void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
/* Offers kept input again; to be called from a task or timer, not from inside on_received of the same stream. */
void stream_reoffer(struct stream *s);
static inline bool stream_has_held(const struct stream *s) {
    return s->held_len > 0;
}

void stream_close(struct stream *s);  /* at once; queued output is dropped */
/*
 * Sends what is queued, then says goodbye: output is shut down and input is
 * discarded until the peer closes too, so that a last error message is not lost
 * to a reset. Bounded by STREAM_FINISH_MS.
 */
void stream_finish(struct stream *s);

/*
 * A stream between two loops. Both calls happen on the thread of the loop that they
 * name; in between it belongs to whoever carries it there.
 *
 * stream_detach is not for the stream's own handlers but for tasks. False, and
 * nothing has changed: not now (it is not open, output waits for the socket, TLS or the
 * codec is in the middle of something), or memory is out. True: `s` is gone.
 */
struct stream_parcel {
    union link link;
    struct tls *tls;     /* owned; NULL: in clear */
    struct codec *codec; /* owned; may be NULL; what is its owner's is the carrier's business */
    uint8_t *input;      /* owned; what nobody has consumed yet */
    uint32_t input_len;
    uint64_t received, sent;
};
MUST_USE bool stream_detach(struct stream *s, struct stream_parcel *out);
/* Open, with its input kept: stream_reoffer() when the owner is ready. NULL: memory is out, and the connection is closed. */
struct stream *stream_attach(struct loop *l, struct stream_parcel *p, const struct stream_handler *on, void *owner);
/* Closes the connection instead. */
void stream_parcel_release(struct loop *l, struct stream_parcel *p);

/* For backends. */
struct stream *stream_new(struct loop *l); /* state CONNECTING, no handler; NULL when memory is out */
void stream_on_readable(struct stream *s);
void stream_on_writable(struct stream *s);
void stream_on_connected(struct stream *s);
void stream_on_broken(struct stream *s, const char *why);
bool stream_flush(struct stream *s);
void stream_free(struct stream *s); /* loop_bury only */

/* A listening socket. on_accept must adopt or close the stream. */
struct listener {
    struct loop *loop;
    void (*on_accept)(struct listener *li, struct stream *s, const struct addr *peer);
    void *owner;
    bool client_speaks_first; /* PostgreSQL: a connection is worth a look only once bytes have come, and is read at once */
    const struct tcp_options *tcp; /* borrowed; accepted streams inherit it */
    bool port_is_shared; /* other loops of this process listen on the same TCP port, each with its own socket */
    bool is_first;       /* of those: nobody else may have the port yet */
    void *impl;
};

MUST_USE bool listener_open(struct listener *li, struct loop *l, const struct addr *at, struct err *err);
void listener_retune(struct listener *li); /* after *tcp has changed */
void listener_close(struct listener *li);

#endif
