/*
 * reader.h - a checked cursor over bytes that a peer sent.
 *
 * Every size that comes from a peer is checked here and nowhere else, always as
 * `len > end - pos`, so that no sum can wrap. Failure is sticky: after the first
 * read that does not fit, every further read gives zero or an empty slice and
 * `failed` stays true. Decoders read on and check once at the end, with
 * reader_done() when the message must be used up exactly.
 *
 *      start            pos                 end
 *        | already read  |  still to be read  |
 *
 * The reader borrows the bytes; slices that it returns point into them.
 */
#ifndef GILMOK_BASE_READER_H
#define GILMOK_BASE_READER_H

#include "base/bytes.h"

struct reader {
    const uint8_t *pos;
    const uint8_t *end;
    bool failed;
};

/* Absent bytes (ptr NULL) are read as empty ones: NULL + 0 is not defined in C, and compilers make nothing of the question. */
static inline struct reader reader_over(struct bytes data) {
    return (struct reader){.pos = data.ptr, .end = data.len ? data.ptr + data.len : data.ptr};
}

static inline size_t reader_left(const struct reader *r) {
    return (size_t)(r->end - r->pos);
}

/* True when nothing failed and every byte was read. */
static inline MUST_USE bool reader_done(const struct reader *r) {
    return !r->failed && r->pos == r->end;
}

/* Big-endian (network order) integers, as PostgreSQL sends them. 0 on failure. */
uint8_t reader_u8(struct reader *r);
uint16_t reader_be16(struct reader *r);
uint32_t reader_be32(struct reader *r);

/* The next `len` bytes; an empty slice on failure. */
struct bytes reader_take(struct reader *r, size_t len);

/* The bytes up to the next NUL, which is read but not returned. Fails when there is none. */
struct bytes reader_cstr(struct reader *r);

#endif
