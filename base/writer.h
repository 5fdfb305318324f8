/*
 * writer.h - a growable buffer with a ceiling that must be given.
 *
 * Failure is sticky, for both causes: the ceiling is reached or memory is out.
 * Callers write a whole message and check `failed` once. After a failure the
 * contents are void and the writer may only be reset or released.
 *
 * Two kinds: on the heap (writer_init), growing by doubling up to `max`; or over
 * the caller's storage (writer_init_fixed), which never allocates.
 */
#ifndef GILMOK_BASE_WRITER_H
#define GILMOK_BASE_WRITER_H

#include "base/bytes.h"

struct writer {
    uint8_t *data; /* owned when on the heap, NULL until the first byte; borrowed when fixed */
    size_t len;
    size_t cap;
    size_t max; /* bytes; never exceeded */
    bool failed;
    bool is_fixed;
};

void writer_init(struct writer *w, size_t max);
void writer_init_fixed(struct writer *w, void *storage, size_t size);
void writer_release(struct writer *w); /* frees what it owns; the struct may be initialised again */
void writer_reset(struct writer *w);   /* empty again, keeps its memory */

/* Room for `len` more bytes at data + len, or NULL (and failed). Does not change len. */
uint8_t *writer_reserve(struct writer *w, size_t len);

void writer_u8(struct writer *w, uint8_t value);
void writer_be16(struct writer *w, uint16_t value);
void writer_be32(struct writer *w, uint32_t value);
void writer_put(struct writer *w, struct bytes data);
void writer_str(struct writer *w, const char *str);    /* without its NUL */
void writer_cstr(struct writer *w, struct bytes data); /* data, then a NUL; fails when data holds a NUL */
void writer_fmt(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Overwrites four bytes that were written before at offset `at`. */
void writer_patch_be32(struct writer *w, size_t at, uint32_t value);

static inline struct bytes writer_bytes(const struct writer *w) {
    return bytes_of(w->data, w->failed ? 0 : w->len);
}

#endif
