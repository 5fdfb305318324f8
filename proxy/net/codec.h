/*
 * codec.h - packed bytes on the link, others above it.
 *
 * A codec stands between a stream's queues and its link, above TLS where there is any: what arrives is unpacked before on_received
 * sees it, what is sent is packed before it leaves. What packing means its ops know.
 *
 * DATA. As with TLS: one recv, as many bytes as the owner takes are unpacked, chunk by chunk, through the same on_received, kept
 * tails and pauses; what it does not take stays packed, never more than one chunk. Output is packed when the stream is flushed, in
 * units of at most CODEC_UNIT_MAX bytes, CODEC_AHEAD_MAX packed bytes ahead of what is below.
 *
 * GARBLED input: on_garbled comes once, behind what came before it; the owner ends the stream, and may say why first.
 *
 * An idle codec has no chunk and no task, and may move to another loop with its stream.
 */
#ifndef GILMOK_PROXY_NET_CODEC_H
#define GILMOK_PROXY_NET_CODEC_H

#include "proxy/net/stream.h"

enum {
    CODEC_UNIT_MAX = BUF_LARGE_SIZE,
    CODEC_AHEAD_MAX = 32 << 10,
    CODEC_TURN_MAX = 4, /* chunks unpacked in one event: others have their turn before the next ones */
};

struct codec;

enum codec_found {
    CODEC_GOES_ON, /* there may be more to come from what it has */
    CODEC_MORE,    /* all is used, but what cannot be without more behind it */
    CODEC_WAITS,   /* until the owner has consumed everything before */
    CODEC_GARBLED,
};

struct codec_ops {
    /*
     * Unpacks from *in, which it shortens, behind the *made bytes in `out`, up to `cap`. `is_taken`: the owner has consumed all
     * that came before. Each call that returns CODEC_GOES_ON has made or used something, or found `out` full.
     */
    enum codec_found (*unpack)(struct codec *c, struct bytes *in, uint8_t *out, size_t cap, size_t *made, bool is_taken);
    /* Packs *len bytes, in `count` pieces, or as many of them as `cap` has room for: then *len becomes less. Their new length. */
    size_t (*pack)(struct codec *c, const struct iovec *pieces, int count, size_t *len, uint8_t *out, size_t cap);
    bool (*is_idle)(const struct codec *c); /* not in the middle of something that was not unpacked to its end */
    void (*drop)(struct codec *c);          /* no call but free() follows: what it has of this loop's is given back */
    void (*free)(struct codec *c);
};

/* The first part of whatever the ops need. */
struct codec {
    const struct codec_ops *ops;
    struct stream *s; /* set at every entry */
    enum codec_found found;
    struct buf *in; /* one reference; packed input that is not used yet */
    uint32_t in_at, in_len;
    struct out_queue packed;
    struct task pump;
    struct codec_turn *turn; /* in the mail; it goes on then; NULL: it does not wait for that */
};

/* What is queued leaves as it is, what is kept of the input is taken for packed; from now on both ways are. Owned by the stream. */
void stream_set_codec(struct stream *s, struct codec *c, const struct codec_ops *ops);
/* Packs all that is queued by now: for who is about to change how the next bytes are packed. */
void stream_pack(struct stream *s);

/* ---- for stream.c and tls.c; s->codec is set, but where it says otherwise ---- */

/* There is room for packed input. Also true without a codec. */
static inline bool codec_has_room(const struct stream *s) {
    return !s->codec || s->codec->in_len < BUF_LARGE_SIZE;
}
/* Where packed input goes: `*room` bytes, at least one. NULL: memory is out. codec_filled() must follow. */
uint8_t *codec_room(struct stream *s, size_t *room);
/* So many have come there. */
void codec_filled(struct stream *s, size_t count);
void codec_on_readable(struct stream *s);
/* The owner may take what could not be unpacked before. */
void codec_on_room(struct stream *s);
/* Packs queued output as far as it may run ahead; the queue of it. s->error when it failed. */
struct out_queue *codec_seal(struct stream *s);
void codec_on_finish(struct stream *s);
void codec_drop_queues(struct stream *s);
bool codec_is_idle(const struct stream *s);

#endif
