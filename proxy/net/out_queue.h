/*
 * out_queue.h - bytes on their way out: pieces of chunks, in order.
 *
 * Short pieces are copied behind each other, long ones are held by reference.
 * A stream has one queue; with TLS a second one, of ciphertext. A queue is part
 * of its owner; chunks and slices come from the loop that is passed to each call,
 * always the same one while anything is queued. Empty = all zero.
 */
#ifndef GILMOK_PROXY_NET_OUT_QUEUE_H
#define GILMOK_PROXY_NET_OUT_QUEUE_H

#include <string.h>

#include "base/bytes.h"
#include "proxy/net/loop.h"

struct out_slice {
    struct out_slice *next;
    struct buf *buf; /* one reference */
    const uint8_t *ptr;
    uint32_t len;
};

struct out_queue {
    struct out_slice *first;
    struct out_slice *last;
    size_t bytes;
};

/* Takes over the caller's reference to `buf`; false (and the reference stays the caller's) when memory is out. */
MUST_USE static inline bool out_queue_push(struct out_queue *q, struct loop *l, struct buf *buf, const uint8_t *ptr, size_t len) {
    struct out_slice *o = slab_take(&l->out_slices);
    if (!o) return false;
    o->buf = buf;
    o->ptr = ptr;
    o->len = (uint32_t)len;
    if (q->last) q->last->next = o;
    else q->first = o;
    q->last = o;
    q->bytes += len;
    return true;
}

/* Room behind the last queued byte, when that byte stands at the end of a chunk that is ours alone. */
static inline size_t out_queue_append(struct out_queue *q, struct bytes data) {
    struct out_slice *o = q->last;
    if (!o || o->buf->refs != 1 || o->ptr + o->len != o->buf->data + o->buf->len) return 0;
    size_t room = o->buf->cap - o->buf->len;
    size_t n = data.len < room ? data.len : room;
    memcpy(o->buf->data + o->buf->len, data.ptr, n);
    o->buf->len += (uint32_t)n;
    o->len += (uint32_t)n;
    q->bytes += n;
    return n;
}

/* Copies. False when memory is out: then a part may be queued, and its owner must not send anything any more. */
MUST_USE static inline bool out_queue_put(struct out_queue *q, struct loop *l, struct bytes data) {
    size_t done = out_queue_append(q, data);
    while (done < data.len) {
        size_t left = data.len - done;
        struct buf *buf = buf_take(&l->bufs, buf_class_for(left));
        if (!buf) return false;
        size_t n = left < buf->cap ? left : buf->cap;
        memcpy(buf->data, data.ptr + done, n);
        buf->len = (uint32_t)n;
        if (!out_queue_push(q, l, buf, buf->data, n)) {
            buf_unref(buf);
            return false;
        }
        done += n;
    }
    return true;
}

static inline void out_queue_drop_first(struct out_queue *q, struct loop *l) {
    struct out_slice *o = q->first;
    q->first = o->next;
    if (!q->first) q->last = NULL;
    q->bytes -= o->len;
    buf_unref(o->buf);
    slab_give(&l->out_slices, o);
}

/* The first `n` bytes have gone. */
static inline void out_queue_consume(struct out_queue *q, struct loop *l, size_t n) {
    while (n > 0) {
        struct out_slice *o = q->first;
        if (n < o->len) {
            o->ptr += n;
            o->len -= (uint32_t)n;
            q->bytes -= n;
            return;
        }
        n -= o->len;
        out_queue_drop_first(q, l);
    }
}

static inline void out_queue_clear(struct out_queue *q, struct loop *l) {
    while (q->first) out_queue_drop_first(q, l);
}

#endif
