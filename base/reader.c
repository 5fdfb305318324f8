/*
 * reader.c - the only place where a size from a peer meets the end of the data.
 *
 * Knows no message: fields, not formats.
 */
#include "base/reader.h"

/* The next `len` bytes, or NULL; the only comparison, written so that nothing can wrap. */
static const uint8_t *advance(struct reader *r, size_t len) {
    if (r->failed || len > (size_t)(r->end - r->pos)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->pos;
    if (len > 0) r->pos += len;
    return p;
}

uint8_t reader_u8(struct reader *r) {
    const uint8_t *p = advance(r, 1);
    return p ? p[0] : 0;
}

uint16_t reader_be16(struct reader *r) {
    const uint8_t *p = advance(r, 2);
    return p ? (uint16_t)((uint16_t)p[0] << 8 | p[1]) : 0;
}

uint32_t reader_be32(struct reader *r) {
    const uint8_t *p = advance(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

struct bytes reader_take(struct reader *r, size_t len) {
    const uint8_t *p = advance(r, len);
    return p ? bytes_of(p, len) : bytes_of(r->pos, 0);
}

struct bytes reader_cstr(struct reader *r) {
    size_t left = (size_t)(r->end - r->pos);
    const uint8_t *nul = !r->failed && left > 0 ? memchr(r->pos, 0, left) : NULL;
    if (!nul) {
        r->failed = true;
        return bytes_of(r->pos, 0);
    }
    struct bytes str = bytes_of(r->pos, (size_t)(nul - r->pos));
    r->pos = nul + 1;
    return str;
}
