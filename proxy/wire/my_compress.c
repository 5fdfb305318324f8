/*
 * Compressed packets, both ways. Owns the states of zlib and zstd; knows neither sockets nor what the plain bytes mean, but for
 * where commands begin.
 */
#include "proxy/wire/my_compress.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/fault.h"

struct my_compress_kit {
    z_stream *deflate;  /* made when it is first needed, as all of these */
    z_stream *inflate;  /* that nobody has */
    ZSTD_CCtx *zstd_in;
    ZSTD_DCtx *zstd_out; /* that nobody has */
    size_t windows;
};

const char *my_compression_name(enum my_compression how) {
    static const char *const names[] = {"", "zlib", "zstd"};
    return names[how];
}

/* ---- states ---- */

static void *zlib_alloc(void *opaque, unsigned count, unsigned size) {
    size_t total;
    (void)opaque;
    return __builtin_mul_overflow((size_t)count, (size_t)size, &total) ? NULL : mem_alloc_raw(total);
}

static void zlib_free(void *opaque, void *ptr) {
    (void)opaque;
    mem_free(ptr);
}

static z_stream *zlib_new(bool packs) {
    z_stream *z = mem_alloc(sizeof *z);
    if (!z) return NULL;
    z->zalloc = zlib_alloc;
    z->zfree = zlib_free;
    if ((packs ? deflateInit(z, MY_COMPRESS_ZLIB_LEVEL) : inflateInit(z)) == Z_OK) return z;
    mem_free(z);
    return NULL;
}

static void inflate_free(z_stream *z) {
    if (z) (void)inflateEnd(z);
    mem_free(z);
}

struct my_compress_kit *my_compress_kit_new(void) {
    return mem_alloc(sizeof(struct my_compress_kit));
}

void my_compress_kit_free(struct my_compress_kit *k) {
    if (!k) return;
    INVARIANT(k->windows == 0);
    if (k->deflate) (void)deflateEnd(k->deflate);
    mem_free(k->deflate);
    inflate_free(k->inflate);
    (void)ZSTD_freeCCtx(k->zstd_in);
    (void)ZSTD_freeDCtx(k->zstd_out);
    mem_free(k);
}

static ZSTD_DCtx *zstd_new(void) {
    ZSTD_DCtx *d = ZSTD_createDCtx();
    if (d && !ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, MY_COMPRESS_WINDOW_LOG_MAX))) return d;
    (void)ZSTD_freeDCtx(d);
    return NULL;
}

/* The kit's own, when nobody has it: that is nearly always, as nearly all packets come whole. */
static bool take_state(struct my_compress *c) {
    struct my_compress_kit *k = c->kit;
    if (c->how == MY_COMPRESSION_ZLIB) {
        c->state = k->inflate ? k->inflate : zlib_new(false);
        k->inflate = NULL;
    } else {
        c->state = k->zstd_out ? k->zstd_out : zstd_new();
        k->zstd_out = NULL;
    }
    return c->state != NULL;
}

static void give_inflate(struct my_compress_kit *k, z_stream *z) {
    if (!k->inflate && inflateReset(z) == Z_OK) k->inflate = z;
    else inflate_free(z);
}

/* A large window is not kept: it may never be needed again. */
static void give_zstd(struct my_compress_kit *k, ZSTD_DCtx *d) {
    bool is_small = ZSTD_sizeof_DCtx(d) <= MY_COMPRESS_WINDOW_FREE;
    if (!k->zstd_out && is_small && !ZSTD_isError(ZSTD_DCtx_reset(d, ZSTD_reset_session_only))) k->zstd_out = d;
    else (void)ZSTD_freeDCtx(d);
}

static void give_state(struct my_compress *c) {
    if (!c->state) return;
    if (c->how == MY_COMPRESSION_ZLIB) give_inflate(c->kit, c->state);
    else give_zstd(c->kit, c->state);
    c->kit->windows -= c->window;
    c->window = 0;
    c->state = NULL;
}

void my_compress_init(struct my_compress *c, struct my_compress_kit *kit, enum my_compression how, unsigned level) {
    *c = (struct my_compress){.kit = kit, .how = (uint8_t)how, .credit = MY_COMPRESS_CREDIT};
    if (how != MY_COMPRESSION_ZSTD) return;
    c->level = (uint8_t)(level < MY_COMPRESS_ZSTD_LEVEL_MAX ? level : MY_COMPRESS_ZSTD_LEVEL_MAX);
    if (!c->level) c->level = MY_COMPRESS_ZSTD_LEVEL;
}

void my_compress_drop(struct my_compress *c) {
    give_state(c);
    c->is_inside = false;
}

/* ---- from the client ---- */

static uint32_t le24(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static enum my_compress_found garbled(struct my_compress *c, const char *why) {
    my_compress_drop(c);
    c->why = why;
    return MY_COMPRESS_GARBLED;
}

/* The plain bytes so far are whole commands. */
static bool is_between_commands(const struct my_compress *c) {
    return !c->head_len && !c->body_left && !c->goes_on;
}

static void note_plain(struct my_compress *c, const uint8_t *ptr, size_t len) {
    while (len > 0) {
        if (c->body_left) {
            size_t n = len < c->body_left ? len : c->body_left;
            c->body_left -= (uint32_t)n;
            ptr += n;
            len -= n;
            continue;
        }
        c->head[c->head_len++] = *ptr++;
        len--;
        if (c->head_len < MY_HEADER_LEN) continue;
        c->head_len = 0;
        c->body_left = le24(c->head);
        c->goes_on = c->body_left == MY_PACKET_MAX;
    }
}

static bool is_in_order(const struct my_compress *c, uint8_t number) {
    if (!is_between_commands(c)) return number == (uint8_t)(c->in_number + 1);
    return number == (c->converses ? c->out_number : 0);
}

/* What comes unpacked is as long as it is. */
static bool is_affordable(struct my_compress *c) {
    c->credit += (int64_t)c->payload_left * MY_COMPRESS_RATIO;
    if (c->credit > MY_COMPRESS_CREDIT) c->credit = MY_COMPRESS_CREDIT;
    c->credit -= c->plain_left;
    return c->credit >= 0;
}

static enum my_compress_found begin(struct my_compress *c, const uint8_t *header) {
    c->payload_left = le24(header);
    c->plain_left = le24(header + 4);
    c->is_packed = c->plain_left > 0;
    c->is_out_of_order = !is_in_order(c, header[3]);
    if (c->is_out_of_order) return garbled(c, "compressed packets out of order");
    if (!c->payload_left) return garbled(c, "a compressed packet without a payload");
    if (!c->is_packed) c->plain_left = c->payload_left;
    if (!is_affordable(c)) return garbled(c, "compressed packets that unpack to too much");
    c->in_number = header[3];
    c->is_inside = true;
    return MY_COMPRESS_MORE;
}

/* What a call to a library has come to. */
struct step {
    size_t used, made;
    bool has_ended, has_failed;
};

static struct step step_plain(struct bytes in, uint8_t *out, size_t room) {
    size_t n = in.len < room ? in.len : room;
    memcpy(out, in.ptr, n);
    return (struct step){.used = n, .made = n};
}

static struct step step_zlib(z_stream *z, struct bytes in, uint8_t *out, size_t room) {
    z->next_in = (Bytef *)(uintptr_t)in.ptr;
    z->avail_in = (uInt)in.len;
    z->next_out = out;
    z->avail_out = (uInt)room;
    int result = inflate(z, Z_NO_FLUSH);
    return (struct step){.used = in.len - z->avail_in, .made = room - z->avail_out, .has_ended = result == Z_STREAM_END,
                         .has_failed = result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END};
}

/* The window is there, but untouched, when it is counted: what is not granted has cost an address only. */
static bool is_granted(struct my_compress *c) {
    size_t size = ZSTD_sizeof_DCtx(c->state);
    size_t window = size > MY_COMPRESS_WINDOW_FREE ? size : 0;
    c->kit->windows += window - c->window;
    c->window = window;
    return !window || c->kit->windows <= MY_COMPRESS_WINDOWS_MAX;
}

static struct step step_zstd(ZSTD_DCtx *d, struct bytes in, uint8_t *out, size_t room) {
    ZSTD_inBuffer from = {in.ptr, in.len, 0};
    ZSTD_outBuffer to = {out, room, 0};
    size_t result = ZSTD_decompressStream(d, &to, &from);
    return (struct step){.used = from.pos, .made = to.pos, .has_ended = result == 0, .has_failed = ZSTD_isError(result)};
}

static struct step step(struct my_compress *c, struct bytes in, uint8_t *out, size_t room) {
    if (!c->is_packed) return step_plain(in, out, room);
    if (c->how == MY_COMPRESSION_ZLIB) return step_zlib(c->state, in, out, room);
    return step_zstd(c->state, in, out, room);
}

static enum my_compress_found end_payload(struct my_compress *c) {
    if (c->payload_left || c->plain_left) return garbled(c, "a compressed packet that is not as long as it says");
    my_compress_drop(c);
    return MY_COMPRESS_MORE;
}

/* As much of the payload as there is and has room. MORE: it is used up, or the payload has ended. */
static enum my_compress_found unpack_payload(struct my_compress *c, struct bytes *in, uint8_t *out, size_t cap, size_t *made) {
    while (c->is_inside) {
        if (!in->len && c->payload_left && (*made < cap || !c->plain_left)) return MY_COMPRESS_MORE;
        if (*made == cap && c->plain_left) return MY_COMPRESS_FULL;
        if (c->is_packed && !c->state && !take_state(c)) return garbled(c, "no memory for what is compressed");
        size_t room = cap - *made < c->plain_left ? cap - *made : c->plain_left;
        struct bytes some = bytes_of(in->ptr, in->len < c->payload_left ? in->len : c->payload_left);
        struct step s = step(c, some, out + *made, room);
        if (s.has_failed) return garbled(c, "a compressed packet that cannot be unpacked");
        note_plain(c, out + *made, s.made);
        *made += s.made;
        *in = bytes_of(in->ptr + s.used, in->len - s.used);
        c->payload_left -= (uint32_t)s.used;
        c->plain_left -= (uint32_t)s.made;
        if (s.has_ended || (!c->is_packed && !c->payload_left)) return end_payload(c);
        if (c->is_packed && c->how == MY_COMPRESSION_ZSTD && !is_granted(c))
            return garbled(c, "too many large packets by zstd at the same time");
        /* It has all of its bytes, or all of its room, and wants more. */
        if (!s.used && !s.made && (in->len || !c->payload_left))
            return garbled(c, "a compressed packet that is not as long as it says");
    }
    return MY_COMPRESS_MORE;
}

enum my_compress_found my_compress_unpack(struct my_compress *c, struct bytes *in, uint8_t *out, size_t cap, size_t *made,
                                          bool may_begin) {
    size_t had = *made;
    if (c->why) return MY_COMPRESS_GARBLED;
    for (;;) {
        enum my_compress_found found = unpack_payload(c, in, out, cap, made);
        if (found != MY_COMPRESS_MORE || c->is_inside || in->len < MY_COMPRESS_HEADER_LEN) return found;
        if (is_between_commands(c) && (!may_begin || *made > had)) return MY_COMPRESS_WAITS;
        if (begin(c, in->ptr) == MY_COMPRESS_GARBLED) return MY_COMPRESS_GARBLED;
        *in = bytes_of(in->ptr + MY_COMPRESS_HEADER_LEN, in->len - MY_COMPRESS_HEADER_LEN);
    }
}

/* ---- to the client ---- */

/* The length of what was packed into `room` bytes; 0: it does not fit, or memory is out. */
static size_t pack_zlib(struct my_compress_kit *k, const struct iovec *pieces, int count, uint8_t *out, size_t room) {
    if (!k->deflate) k->deflate = zlib_new(true);
    z_stream *z = k->deflate;
    if (!z || deflateReset(z) != Z_OK) return 0;
    z->next_out = out;
    z->avail_out = (uInt)room;
    for (int i = 0; i < count; i++) {
        z->next_in = pieces[i].iov_base;
        z->avail_in = (uInt)pieces[i].iov_len;
        int result = deflate(z, i + 1 < count ? Z_NO_FLUSH : Z_FINISH);
        if (result == Z_STREAM_END) return room - z->avail_out;
        if (result != Z_OK || z->avail_in > 0) return 0;
    }
    return 0;
}

static bool start_zstd(struct my_compress *c, size_t len) {
    struct my_compress_kit *k = c->kit;
    if (!k->zstd_in) k->zstd_in = ZSTD_createCCtx();
    return k->zstd_in && !ZSTD_isError(ZSTD_CCtx_reset(k->zstd_in, ZSTD_reset_session_only)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(k->zstd_in, ZSTD_c_compressionLevel, c->level)) &&
           !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(k->zstd_in, len));
}

static size_t pack_zstd(struct my_compress *c, const struct iovec *pieces, int count, size_t len, uint8_t *out, size_t room) {
    ZSTD_outBuffer to = {out, room, 0};
    if (!start_zstd(c, len)) return 0;
    for (int i = 0; i < count; i++) {
        ZSTD_inBuffer from = {pieces[i].iov_base, pieces[i].iov_len, 0};
        size_t left = ZSTD_compressStream2(c->kit->zstd_in, &to, &from, i + 1 < count ? ZSTD_e_continue : ZSTD_e_end);
        if (ZSTD_isError(left) || from.pos < from.size) return 0;
        if (i + 1 == count && left == 0) return to.pos;
    }
    return 0;
}

static void gather(const struct iovec *pieces, size_t len, uint8_t *out) {
    for (size_t n; len > 0; len -= n, out += n, pieces++) {
        n = pieces->iov_len < len ? pieces->iov_len : len;
        memcpy(out, pieces->iov_base, n);
    }
}

static void put_le24(uint8_t *p, size_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
}

size_t my_compress_pack(struct my_compress *c, const struct iovec *pieces, int count, size_t *len, uint8_t *out, size_t cap) {
    uint8_t *payload = out + MY_COMPRESS_HEADER_LEN;
    size_t room = cap - MY_COMPRESS_HEADER_LEN, shorter = *len - 1 < room ? *len - 1 : room, packed = 0;
    INVARIANT(*len > 0 && *len <= MY_PACKET_MAX && cap > MY_COMPRESS_HEADER_LEN);
    if (*len >= MY_COMPRESS_LEAST)
        packed = c->how == MY_COMPRESSION_ZLIB ? pack_zlib(c->kit, pieces, count, payload, shorter)
                                               : pack_zstd(c, pieces, count, *len, payload, shorter);
    if (!packed && *len > room) *len = room;
    if (!packed) gather(pieces, *len, payload);
    put_le24(out, packed ? packed : *len);
    out[3] = c->out_number++;
    put_le24(out + 4, packed ? *len : 0);
    return MY_COMPRESS_HEADER_LEN + (packed ? packed : *len);
}
