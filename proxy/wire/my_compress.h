/*
 * my_compress.h - the compressed packets that a MySQL client and its server may agree on, from the first byte behind the login.
 *
 *  byte  0..2                     3         4..6                                     7 ..
 *       length of the payload    number    its length unpacked; 0: it is not packed  payload
 *
 * Unpacked payloads behind each other are the bytes of the plain protocol: one may hold several plain packets, or begin or end in
 * the middle of one. Each is packed by itself: a zlib stream, or one zstd frame. Numbers begin with 0 at each command and count the
 * compressed packets of both sides; those inside of the plain packets are not looked at by servers.
 *
 * UNPACKING goes in pieces, into whatever room there is: a few bytes cannot make anybody hold what they unpack to. A payload must
 * come to exactly the lengths that its header says. Against bombs: all that a client has packed may be MY_COMPRESS_RATIO times as
 * long as what it has sent, and MY_COMPRESS_CREDIT bytes beyond; and the windows that zstd needs in the middle of large packets are
 * counted over all clients of a kit. What breaks a rule is garbled, for ever.
 *
 * PACKING is done at once. What is shorter than MY_COMPRESS_LEAST, or does not get shorter, goes as it is.
 *
 * States of zlib and zstd are in a kit: one for each thread. A client has one only from the first to the last byte of a packed
 * payload of its own, so that an idle one costs nothing; outside of that it may go to another kit.
 *
 * Source: MySQL's documentation of the compressed packet; of the order of numbers, what its server and MariaDB's refuse.
 */
#ifndef GILMOK_PROXY_WIRE_MY_COMPRESS_H
#define GILMOK_PROXY_WIRE_MY_COMPRESS_H

#include <sys/uio.h>

#include "base/bytes.h"
#include "proxy/wire/my_proto.h"

enum {
    MY_COMPRESS_HEADER_LEN = 7,
    MY_COMPRESS_LEAST = 50,
    MY_COMPRESS_RATIO = 256,
    MY_COMPRESS_CREDIT = 64 << 20, /* what servers take in one go: all of it may be one and the same byte */
    MY_COMPRESS_WINDOWS_MAX = 64 << 20, /* bytes, of zstd states of more than MY_COMPRESS_WINDOW_FREE, in one kit */
    MY_COMPRESS_WINDOW_FREE = 512 << 10,
    MY_COMPRESS_WINDOW_LOG_MAX = 24, /* no packet is longer: so no window need be */
    /* How hard gilmok tries. Beyond these a tenth is gained for twice the time and more (decision 0024). */
    MY_COMPRESS_ZLIB_LEVEL = 3,
    MY_COMPRESS_ZSTD_LEVEL_MAX = 4,
    MY_COMPRESS_ZSTD_LEVEL = 3, /* of a client that names none */
};

enum my_compression { MY_COMPRESSION_NONE, MY_COMPRESSION_ZLIB, MY_COMPRESSION_ZSTD };
const char *my_compression_name(enum my_compression how); /* "" of NONE */

struct my_compress_kit;
struct my_compress_kit *my_compress_kit_new(void); /* NULL: memory is out */
void my_compress_kit_free(struct my_compress_kit *k); /* nobody is in the middle of a payload; NULL is allowed */

/* One end of a connection; the other one is called the client here, as that is what it is to gilmok. */
struct my_compress {
    struct my_compress_kit *kit; /* borrowed; another one may be put here while my_compress_is_idle() */
    uint8_t how;                 /* enum my_compression */
    uint8_t level;
    uint8_t in_number;  /* of the client's latest packet */
    uint8_t out_number; /* of ours that is next */
    bool converses;     /* the client's next packet answers ours, and its number follows */

    bool is_inside;      /* of a payload: */
    bool is_packed;
    uint32_t payload_left;
    uint32_t plain_left;
    void *state;         /* of the library, for this payload; owned; NULL: it has not been needed yet */
    size_t window;       /* that it is counted with */
    int64_t credit;

    /* Where the plain bytes so far end: in the header of a packet, in its payload, or behind one that another one follows. */
    uint8_t head[MY_HEADER_LEN];
    uint8_t head_len;
    bool goes_on;
    uint32_t body_left;

    const char *why; /* garbled; static text */
    bool is_out_of_order; /* ... for its number */
};

void my_compress_init(struct my_compress *c, struct my_compress_kit *kit, enum my_compression how, unsigned level);
/* Gives back what it has of the kit. What has come of the payload at hand is lost. */
void my_compress_drop(struct my_compress *c);
/* Not in the middle of a payload. */
static inline bool my_compress_is_idle(const struct my_compress *c) {
    return !c->is_inside;
}

enum my_compress_found {
    MY_COMPRESS_MORE,    /* all is used, but perhaps the beginning of a header */
    MY_COMPRESS_FULL,    /* there is no room left */
    MY_COMPRESS_WAITS,   /* a packet that begins a command comes next, and it may not begin yet */
    MY_COMPRESS_GARBLED, /* c->why says how */
};
/*
 * Unpacks from *in, which it shortens, behind the *made bytes in `out`, at most up to `cap`. A packet that begins a command is
 * begun only when `may_begin`, and then as the first thing of a call: so in_number is of the packet whose bytes were given last.
 */
enum my_compress_found my_compress_unpack(struct my_compress *c, struct bytes *in, uint8_t *out, size_t cap, size_t *made,
                                          bool may_begin);

/* What we say from now on answers what the client has said last. */
static inline void my_compress_answer(struct my_compress *c) {
    c->out_number = (uint8_t)(c->in_number + 1);
}

/*
 * One packet of *len bytes, at most MY_PACKET_MAX, in `count` pieces, into `cap` bytes; its length. Where it does not get short
 * enough for these *len becomes less: so many of the bytes are in it.
 */
size_t my_compress_pack(struct my_compress *c, const struct iovec *pieces, int count, size_t *len, uint8_t *out, size_t cap);

#endif
