/*
 * The byte queues of a stream, above any backend: what is kept of the input, what
 * waits as output, when to read, when the end has come. Knows no message.
 */
#include "proxy/net/stream.h"

#include <errno.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/net/codec.h"
#include "proxy/net/tls_impl.h"

enum { IOV_MAX_SLICES = 16 };

struct stream *stream_new(struct loop *l) {
    struct stream *s = slab_take(&l->streams);
    if (!s) return NULL;
    s->loop = l;
    s->state = STREAM_CONNECTING;
    list_init(&s->flush_node);
    list_init(&s->end_node);
    return s;
}

void stream_free(struct stream *s) {
    INVARIANT(s->state == STREAM_CLOSED && !s->out.first && !s->held);
    if (s->tls) tls_free(s->tls);
    if (s->codec) s->codec->ops->free(s->codec);
    slab_give(&s->loop->streams, s);
}

static void update_watch(struct stream *s, bool read, bool write) {
    if (s->wants_read == read && s->wants_write == write) return;
    s->wants_read = read;
    s->wants_write = write;
    s->loop->ops->watch(s, read, write);
}

struct stream *stream_connect(struct loop *l, const struct addr *to, const struct tcp_options *tcp,
                              const struct stream_handler *on, void *owner, struct err *err) {
    struct stream *s = stream_new(l);
    if (!s) {
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory for a server connection");
        return NULL;
    }
    s->on = on;
    s->owner = owner;
    if (fault_hit(FAULT_CONNECT)) {
        err_set(err, ERR_CANNOT_CONNECT, "cannot connect: injected fault");
    } else if (l->ops->connect(s, to, tcp, err)) {
        update_watch(s, false, true);
        return s;
    }
    s->state = STREAM_CLOSED;
    slab_give(&l->streams, s);
    return NULL;
}

void stream_adopt(struct stream *s, const struct stream_handler *on, void *owner) {
    s->on = on;
    s->owner = owner;
    s->state = STREAM_OPEN;
    update_watch(s, true, false);
}

/* ---- input ---- */

static void drop_held(struct stream *s) {
    buf_unref(s->held);
    s->held = NULL;
    s->held_at = 0;
    s->held_len = 0;
}

/* Keeps the unconsumed tail of a piece; in a smaller chunk when it fits, so that a waiting client costs little. */
static bool keep_tail(struct stream *s, struct buf *from, const uint8_t *ptr, size_t len) {
    enum buf_class size = buf_class_for(len);
    if (size < from->size_class) {
        struct buf *small = buf_take(&s->loop->bufs, size);
        if (!small) return false;
        memcpy(small->data, ptr, len);
        s->held = small;
        s->held_at = 0;
    } else {
        s->held = buf_ref(from);
        s->held_at = (uint32_t)(ptr - from->data);
    }
    s->held_len = (uint32_t)len;
    return true;
}

/* Offers [ptr, ptr+len) of `buf` to the handler and keeps what it leaves. The stream holds nothing meanwhile. */
static inline void offer(struct stream *s, struct buf *buf, const uint8_t *ptr, size_t len) {
    bool was_clear = !s->tls;
    s->is_receiving = true;
    size_t used = s->on->on_received(s->owner, buf, bytes_of(ptr, len));
    s->is_receiving = false;
    if (s->state != STREAM_OPEN) return;
    INVARIANT(used <= len);
    if (UNLIKELY(s->tls && was_clear)) tls_begin(s, buf, bytes_of(ptr + used, len - used));
    else if (used < len && !keep_tail(s, buf, ptr + used, len - used)) stream_on_broken(s, "out of memory");
    else if (s->held_len >= STREAM_HELD_MAX) update_watch(s, false, s->wants_write);
}

void stream_offer(struct stream *s, struct buf *buf, const uint8_t *ptr, size_t len) {
    offer(s, buf, ptr, len);
}

/* The chunk that the last input came in, when nobody kept a reference: still warm in the cache. */
struct buf *stream_take_chunk(struct loop *l) {
    struct buf *buf = l->recv_buf;
    l->recv_buf = NULL;
    return buf ? buf : buf_take(&l->bufs, BUF_LARGE);
}

void stream_give_chunk(struct loop *l, struct buf *buf) {
    if (buf->refs == 1 && !l->recv_buf) l->recv_buf = buf;
    else buf_unref(buf);
}

uint32_t stream_lift_held(struct stream *s, struct buf *buf) {
    uint32_t kept = s->held_len;
    if (kept > 0) {
        memcpy(buf->data, s->held->data + s->held_at, kept);
        drop_held(s);
    }
    return kept;
}

void stream_put_back(struct stream *s, struct buf *buf, uint32_t len) {
    if (!keep_tail(s, buf, buf->data, len)) stream_on_broken(s, "out of memory");
}

ssize_t stream_recv(struct stream *s, void *into, size_t cap) {
    ssize_t n = fault_hit(FAULT_RECV) ? (errno = s->error = ECONNRESET, IO_FAILED) : s->loop->ops->recv(s, into, cap);
    s->loop->recvs++;
    if (n > 0) s->received += (size_t)n;
    return n;
}

static void discard_input(struct stream *s) {
    uint8_t scrap[4096];
    ssize_t n = s->loop->ops->recv(s, scrap, sizeof scrap);
    if (n == 0 || n == IO_FAILED) stream_close(s);
}

void stream_on_readable(struct stream *s) {
    if (s->state == STREAM_FINISHING) {
        discard_input(s);
        return;
    }
    if (s->state != STREAM_OPEN) return;
    if (s->is_paused || s->held_len >= STREAM_HELD_MAX) { /* only now is it worth telling the kernel */
        update_watch(s, false, s->wants_write);
        return;
    }
    if (UNLIKELY(s->is_wrapped)) {
        if (!codec_has_room(s)) update_watch(s, false, s->wants_write);
        else if (s->tls) tls_on_readable(s);
        else codec_on_readable(s);
        return;
    }
    struct loop *l = s->loop;
    struct buf *buf = stream_take_chunk(l);
    if (!buf) {
        stream_on_broken(s, "out of memory");
        return;
    }
    uint32_t kept = stream_lift_held(s, buf);
    ssize_t n = stream_recv(s, buf->data + kept, buf->cap - kept);
    if (n > 0) {
        offer(s, buf, buf->data, kept + (size_t)n);
    } else if (n == IO_AGAIN) {
        if (kept > 0) stream_put_back(s, buf, kept);
    } else {
        stream_on_broken(s, n == 0 ? "closed by peer" : strerror(s->error));
    }
    stream_give_chunk(l, buf);
}

static void want_input(struct stream *s) {
    update_watch(s, true, s->wants_write);
    if (s->codec) codec_on_room(s);
    else if (s->tls) tls_on_room(s);
}

void stream_reoffer(struct stream *s) {
    if (s->state != STREAM_OPEN || s->held_len == 0 || s->is_paused) return;
    INVARIANT(!s->is_receiving);
    struct buf *buf = s->held; /* our reference moves to this function */
    const uint8_t *ptr = buf->data + s->held_at;
    size_t len = s->held_len;
    s->held = NULL;
    s->held_len = 0;
    offer(s, buf, ptr, len);
    buf_unref(buf);
    if (stream_takes_input(s)) want_input(s);
}

void stream_pause(struct stream *s) {
    s->is_paused = true;
}

void stream_resume(struct stream *s) {
    if (!s->is_paused) return;
    s->is_paused = false;
    if (stream_takes_input(s)) want_input(s);
}

/* ---- output ---- */

static size_t wrapped_bytes(const struct stream *s) {
    return (s->tls ? s->tls->wire.bytes : 0) + (s->codec ? s->codec->packed.bytes : 0);
}

size_t stream_queued(const struct stream *s) {
    return s->out.bytes + (UNLIKELY(s->is_wrapped) ? wrapped_bytes(s) : 0);
}

void stream_want_flush(struct stream *s) {
    if (!list_is_linked(&s->flush_node) && !s->wants_write) list_push_back(&s->loop->to_flush, &s->flush_node);
    if (stream_queued(s) > STREAM_HIGH_WATER) s->is_above_high = true;
}

void stream_fail_output(struct stream *s) {
    s->error = ENOMEM;
    if (!list_is_linked(&s->flush_node)) list_push_back(&s->loop->to_flush, &s->flush_node);
}

void stream_send(struct stream *s, struct bytes data) {
    if (s->state == STREAM_CLOSED || s->state == STREAM_FINISHING || s->error) return;
    if (out_queue_put(&s->out, s->loop, data)) stream_want_flush(s);
    else stream_fail_output(s);
}

void stream_send_ref(struct stream *s, struct buf *buf, struct bytes data) {
    if (data.len <= STREAM_COPY_MAX) {
        stream_send(s, data);
        return;
    }
    if (s->state == STREAM_CLOSED || s->state == STREAM_FINISHING || s->error) return;
    if (out_queue_push(&s->out, s->loop, buf_ref(buf), data.ptr, data.len)) {
        stream_want_flush(s);
    } else {
        buf_unref(buf);
        stream_fail_output(s);
    }
}

static void after_flush(struct stream *s) {
    if (stream_queued(s) > 0) return;
    if (s->state == STREAM_FINISHING) s->loop->ops->shutdown(s);
    if (!s->is_above_high) return;
    s->is_above_high = false;
    if (s->state == STREAM_OPEN) s->on->on_drained(s->owner);
}

/* The queue whose bytes the socket gets. */
static inline struct out_queue *outermost_queue(struct stream *s) {
    if (LIKELY(!s->is_wrapped)) return &s->out;
    return s->tls ? tls_seal(s) : codec_seal(s);
}

/* Sends what is queued, as much as the socket takes. False when the stream broke. */
bool stream_flush(struct stream *s) {
    list_remove(&s->flush_node);
    if (s->state != STREAM_OPEN && s->state != STREAM_FINISHING) return true;
    bool is_blocked = false;
    struct out_queue *q = outermost_queue(s);
    if (s->error) {
        stream_on_broken(s, strerror(s->error));
        return false;
    }
    while (q->first && !is_blocked) {
        struct iovec iov[IOV_MAX_SLICES];
        int count = 0;
        size_t total = 0;
        for (struct out_slice *o = q->first; o && count < IOV_MAX_SLICES; o = o->next) {
            iov[count++] = (struct iovec){.iov_base = (void *)o->ptr, .iov_len = o->len};
            total += o->len;
        }
        ssize_t n = fault_hit(FAULT_SEND) ? (s->error = EPIPE, IO_FAILED) : s->loop->ops->send(s, iov, count);
        s->loop->sends++;
        if (n > 0) {
            s->sent += (size_t)n;
            out_queue_consume(q, s->loop, (size_t)n);
        }
        is_blocked = n == IO_AGAIN || (n > 0 && (size_t)n < total);
        if (!is_blocked && n > 0) q = outermost_queue(s); /* with TLS there may be more now, or it failed */
        if (n == IO_FAILED || s->error) {
            stream_on_broken(s, strerror(s->error));
            return false;
        }
    }
    update_watch(s, s->wants_read, q->first != NULL);
    after_flush(s);
    return true;
}

void stream_on_writable(struct stream *s) {
    if (s->state == STREAM_CONNECTING || s->state == STREAM_CLOSED) return;
    (void)stream_flush(s);
}

bool stream_peer_process(struct stream *s, struct peer_process *out) {
    return s->state == STREAM_OPEN && s->loop->ops->peer_process && s->loop->ops->peer_process(s, out);
}

bool stream_local_addr(struct stream *s, struct addr *out) {
    return s->state != STREAM_CLOSED && s->loop->ops->local_addr && s->loop->ops->local_addr(s, out);
}

/* ---- beginning and end ---- */

void stream_on_connected(struct stream *s) {
    s->state = STREAM_OPEN;
    update_watch(s, true, false);
    s->on->on_connected(s->owner);
    if (s->out.first && !list_is_linked(&s->flush_node)) list_push_back(&s->loop->to_flush, &s->flush_node);
}

static void release_queues(struct stream *s) {
    list_remove(&s->flush_node);
    out_queue_clear(&s->out, s->loop);
    if (s->tls) tls_drop_queues(s);
    if (s->codec) codec_drop_queues(s);
    drop_held(s);
}

void stream_close(struct stream *s) {
    if (s->state == STREAM_CLOSED) return;
    list_remove(&s->end_node);
    release_queues(s);
    s->loop->ops->close(s);
    s->state = STREAM_CLOSED;
    list_push_back(&s->loop->graveyard, &s->end_node);
}

void stream_on_broken(struct stream *s, const char *why) {
    if (s->state == STREAM_CLOSED) return;
    bool owner_cares = s->state != STREAM_FINISHING;
    stream_close(s);
    if (owner_cares) s->on->on_closed(s->owner, why);
}

void stream_finish(struct stream *s) {
    if (s->state != STREAM_OPEN) {
        if (s->state == STREAM_CONNECTING) stream_close(s);
        return;
    }
    drop_held(s);
    if (s->tls) tls_on_finish(s);
    if (s->codec) codec_on_finish(s);
    s->state = STREAM_FINISHING;
    s->is_paused = false;
    s->finish_by_us = s->loop->now_us + STREAM_FINISH_MS * 1000;
    list_push_back(&s->loop->finishing, &s->end_node);
    update_watch(s, true, s->wants_write);
    if (!list_is_linked(&s->flush_node)) list_push_back(&s->loop->to_flush, &s->flush_node);
}

void stream_on_refused(struct stream *s, const char *why) {
    if (s->state != STREAM_OPEN) return;
    stream_finish(s);
    (void)stream_flush(s); /* if the link breaks here, nobody is told twice: the stream is finishing */
    s->on->on_closed(s->owner, why);
}

/* ---- from one loop to another ---- */

static bool is_movable(struct stream *s) {
    return s->state == STREAM_OPEN && !s->error && !s->is_receiving && stream_flush(s) && s->state == STREAM_OPEN &&
           stream_queued(s) == 0 && (!s->tls || tls_is_idle(s)) && (!s->codec || codec_is_idle(s));
}

bool stream_detach(struct stream *s, struct stream_parcel *out) {
    if (!is_movable(s)) return false;
    *out = (struct stream_parcel){.input_len = s->held_len, .received = s->received, .sent = s->sent};
    if (s->held_len) {
        out->input = mem_alloc_raw(s->held_len);
        if (!out->input) return false;
        memcpy(out->input, s->held->data + s->held_at, s->held_len);
    }
    out->tls = s->tls;
    out->codec = s->codec;
    s->tls = NULL;
    s->codec = NULL;
    s->is_wrapped = false;
    release_queues(s);
    out->link = s->loop->ops->detach(s);
    s->state = STREAM_CLOSED;
    list_push_back(&s->loop->graveyard, &s->end_node);
    return true;
}

static bool take_input(struct stream *s, const struct stream_parcel *p) {
    if (!p->input_len) return true;
    s->held = buf_take(&s->loop->bufs, buf_class_for(p->input_len));
    if (!s->held) return false;
    memcpy(s->held->data, p->input, p->input_len);
    s->held_at = 0;
    s->held_len = p->input_len;
    return true;
}

void stream_parcel_release(struct loop *l, struct stream_parcel *p) {
    if (p->tls) tls_free(p->tls);
    if (p->codec) p->codec->ops->free(p->codec);
    mem_free(p->input);
    l->ops->discard(l, p->link);
}

struct stream *stream_attach(struct loop *l, struct stream_parcel *p, const struct stream_handler *on, void *owner) {
    struct stream *s = stream_new(l);
    if (!s) {
        stream_parcel_release(l, p);
        return NULL;
    }
    s->tls = p->tls;
    s->codec = p->codec;
    s->is_wrapped = s->tls || s->codec;
    s->received = p->received;
    s->sent = p->sent;
    l->ops->attach(s, p->link);
    bool is_whole = take_input(s, p);
    mem_free(p->input);
    if (!is_whole) {
        stream_close(s);
        return NULL;
    }
    s->on = on;
    s->owner = owner;
    s->state = STREAM_OPEN;
    update_watch(s, s->held_len < STREAM_HELD_MAX, false);
    return s;
}

bool listener_open(struct listener *li, struct loop *l, const struct addr *at, struct err *err) {
    li->loop = l;
    return l->ops->listen(l, li, at, err);
}

void listener_retune(struct listener *li) {
    if (li->loop->ops->retune) li->loop->ops->retune(li);
}

void listener_close(struct listener *li) {
    if (li->loop) li->loop->ops->unlisten(li);
    li->loop = NULL;
}
