/*
 * The pump between packed and other bytes of a stream. Owns what is packed of both directions; knows nothing of how.
 */
#include "proxy/net/codec.h"

#include <errno.h>
#include <string.h>

#include "base/fault.h"
#include "proxy/net/tls_impl.h"

enum { PIECES_MAX = 64 /* of a unit */ };

static struct codec *codec_of(struct stream *s) {
    s->codec->s = s;
    return s->codec;
}

/* ---- input ---- */

static bool can_go(const struct stream *s) {
    const struct codec *c = s->codec;
    return c->found == CODEC_GOES_ON || (c->found == CODEC_WAITS && s->held_len == 0);
}

static void drop_input(struct stream *s) {
    struct codec *c = s->codec;
    buf_unref(c->in);
    c->in = NULL;
    c->in_at = c->in_len = 0;
}

static void garbled(struct stream *s) {
    if (s->state == STREAM_OPEN && s->on->on_garbled) s->on->on_garbled(s->owner);
    if (s->state == STREAM_OPEN) stream_on_broken(s, "received bytes that cannot be unpacked");
}

/* One chunk goes up. */
static void unpack_some(struct stream *s) {
    struct codec *c = s->codec;
    struct loop *l = s->loop;
    struct buf *buf = buf_take(&l->bufs, BUF_LARGE);
    if (!buf) {
        stream_on_broken(s, "out of memory");
        return;
    }
    uint32_t kept = stream_lift_held(s, buf);
    size_t made = kept;
    struct bytes in = bytes_of(c->in ? c->in->data + c->in_at : buf->data, c->in_len);
    c->found = c->ops->unpack(c, &in, buf->data, buf->cap, &made, kept == 0);
    c->in_at += c->in_len - (uint32_t)in.len;
    c->in_len = (uint32_t)in.len;
    if (made > kept) stream_offer(s, buf, buf->data, made);
    else if (kept > 0) stream_put_back(s, buf, kept);
    buf_unref(buf);
    if (c->found == CODEC_GARBLED) garbled(s);
}

/* Gives back the chunk that nobody needs any more, or of which a few bytes are needed. */
static void tidy(struct stream *s) {
    struct codec *c = s->codec;
    if (s->state != STREAM_OPEN || !c->in) return;
    struct buf *old = c->in;
    if (c->in_len > 0) {
        enum buf_class size = buf_class_for(c->in_len);
        if (size >= old->size_class) return;
        struct buf *small = buf_take(&s->loop->bufs, size);
        if (!small) {
            stream_on_broken(s, "out of memory");
            return;
        }
        memcpy(small->data, old->data + c->in_at, c->in_len);
        c->in = small;
    } else {
        c->in = NULL;
    }
    c->in_at = 0;
    stream_give_chunk(s->loop, old);
}

static void await_turn(struct stream *s);

static void pump(struct stream *s) {
    for (int n = 0; stream_takes_input(s) && can_go(s) && !s->codec->turn; n++) {
        if (n < CODEC_TURN_MAX) unpack_some(s);
        else await_turn(s);
    }
    tidy(s);
}

static void go_on(struct stream *s) {
    pump(s);
    if (s->state == STREAM_OPEN && s->tls && codec_has_room(s)) tls_on_room(s);
}

static void run_pump(struct task *task) {
    go_on(CONTAINER_OF(task, struct codec, pump)->s);
}

/* Mail cannot be taken back: one whose codec has gone finds NULL. */
struct codec_turn {
    struct mail mail;
    struct codec *codec;
};

static void run_turn(struct mail *mail) {
    struct codec_turn *turn = CONTAINER_OF(mail, struct codec_turn, mail);
    struct codec *c = turn->codec;
    mem_free(turn);
    if (!c) return;
    c->turn = NULL;
    go_on(c->s);
}

/* A few bytes may unpack to a thousand times as many: whoever else has something to do is not to wait for all of them. */
static void await_turn(struct stream *s) {
    struct codec *c = s->codec;
    c->turn = mem_alloc(sizeof *c->turn);
    if (!c->turn) {
        stream_on_broken(s, "out of memory");
        return;
    }
    *c->turn = (struct codec_turn){.mail.run = run_turn, .codec = c};
    loop_post(s->loop, &c->turn->mail);
}

static void forget_turn(struct codec *c) {
    if (c->turn) c->turn->codec = NULL;
    c->turn = NULL;
}

void codec_on_room(struct stream *s) {
    loop_defer(s->loop, &codec_of(s)->pump);
}

uint8_t *codec_room(struct stream *s, size_t *room) {
    struct codec *c = codec_of(s);
    struct buf *old = c->in;
    if (!old || old->size_class != BUF_LARGE || old->refs > 1) {
        struct buf *buf = stream_take_chunk(s->loop);
        if (!buf) return NULL;
        if (c->in_len) memcpy(buf->data, old->data + c->in_at, c->in_len);
        buf_unref(old);
        c->in = buf;
    } else if (c->in_at) {
        memmove(old->data, old->data + c->in_at, c->in_len);
    }
    c->in_at = 0;
    *room = c->in->cap - c->in_len;
    return c->in->data + c->in_len;
}

void codec_filled(struct stream *s, size_t count) {
    struct codec *c = codec_of(s);
    c->in_len += (uint32_t)count;
    if (count > 0 && c->found == CODEC_MORE) c->found = CODEC_GOES_ON;
    pump(s);
}

/* One recv, behind what is left. */
void codec_on_readable(struct stream *s) {
    size_t room;
    uint8_t *into = codec_room(s, &room);
    if (!into) {
        stream_on_broken(s, "out of memory");
        return;
    }
    ssize_t n = stream_recv(s, into, room);
    if (n == 0 || n == IO_FAILED) {
        stream_on_broken(s, n == 0 ? "closed by peer" : strerror(s->error));
        return;
    }
    codec_filled(s, n > 0 ? (size_t)n : 0);
}

/* ---- output ---- */

/* The first bytes of the queue, as a unit. */
static int gather(const struct out_queue *q, struct iovec pieces[PIECES_MAX], size_t *len) {
    int count = 0;
    *len = 0;
    for (const struct out_slice *o = q->first; o && count < PIECES_MAX && *len < CODEC_UNIT_MAX; o = o->next) {
        size_t n = o->len < CODEC_UNIT_MAX - *len ? o->len : CODEC_UNIT_MAX - *len;
        pieces[count++] = (struct iovec){.iov_base = (void *)(uintptr_t)o->ptr, .iov_len = n};
        *len += n;
    }
    return count;
}

static bool pack_unit(struct stream *s) {
    struct codec *c = s->codec;
    struct iovec pieces[PIECES_MAX];
    size_t len;
    struct buf *scratch = stream_take_chunk(s->loop);
    if (!scratch) return false;
    int count = gather(&s->out, pieces, &len);
    size_t packed = c->ops->pack(c, pieces, count, &len, scratch->data, scratch->cap);
    bool ok = out_queue_put(&c->packed, s->loop, bytes_of(scratch->data, packed));
    stream_give_chunk(s->loop, scratch);
    if (ok) out_queue_consume(&s->out, s->loop, len);
    return ok;
}

struct out_queue *codec_seal(struct stream *s) {
    struct codec *c = codec_of(s);
    while (s->out.first && c->packed.bytes < CODEC_AHEAD_MAX) {
        if (pack_unit(s)) continue;
        s->error = ENOMEM;
        break;
    }
    return &c->packed;
}

void stream_pack(struct stream *s) {
    (void)codec_of(s);
    while (s->out.first) {
        if (pack_unit(s)) continue;
        stream_fail_output(s);
        return;
    }
}

/* ---- beginning and end ---- */

void stream_set_codec(struct stream *s, struct codec *c, const struct codec_ops *ops) {
    INVARIANT(!s->codec && s->state == STREAM_OPEN);
    *c = (struct codec){.ops = ops, .s = s, .found = s->held_len ? CODEC_GOES_ON : CODEC_MORE};
    task_init(&c->pump, run_pump);
    c->packed = s->out; /* what was said before */
    s->out = (struct out_queue){0};
    c->in = s->held;
    c->in_at = s->held_at;
    c->in_len = s->held_len;
    s->held = NULL;
    s->held_len = 0;
    s->codec = c;
    s->is_wrapped = true;
    if (c->in_len) loop_defer(s->loop, &c->pump);
}

void codec_on_finish(struct stream *s) {
    struct codec *c = codec_of(s);
    stream_pack(s);
    drop_input(s);
    task_cancel(&c->pump);
    forget_turn(c);
    c->ops->drop(c);
}

void codec_drop_queues(struct stream *s) {
    struct codec *c = codec_of(s);
    drop_input(s);
    task_cancel(&c->pump);
    forget_turn(c);
    c->ops->drop(c);
    out_queue_clear(&c->packed, s->loop);
}

bool codec_is_idle(const struct stream *s) {
    const struct codec *c = s->codec;
    return !c->in_len && !c->packed.bytes && !list_is_linked(&c->pump.node) && !c->turn && c->ops->is_idle(c);
}
