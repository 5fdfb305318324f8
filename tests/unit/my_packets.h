/*
 * my_packets.h - what the tests of MySQL's packets share.
 */
#ifndef GILMOK_TESTS_UNIT_MY_PACKETS_H
#define GILMOK_TESTS_UNIT_MY_PACKETS_H

#include <check.h>
#include <stdlib.h>

#include "proxy/wire/my_encode.h"

/* The bytes of a string literal, without the NUL that C adds. */
#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)

/* The payload of the only packet written, after its header was found right. */
static inline struct bytes only_payload(const struct writer *w, uint8_t seq) {
    ck_assert(!w->failed);
    struct my_header h;
    ck_assert(my_header_read(writer_bytes(w), &h));
    ck_assert_uint_eq(h.seq, seq);
    ck_assert_uint_eq(h.len, w->len - MY_HEADER_LEN);
    return bytes_of(w->data + MY_HEADER_LEN, h.len);
}

static inline void ck_bytes(struct bytes actual, const char *expected) {
    ck_assert_msg(bytes_is(actual, expected), "`%.*s` is not `%s`", (int)actual.len, (const char *)actual.ptr, expected);
}

static inline void ck_equal(struct bytes a, struct bytes b) {
    ck_assert(bytes_equal(a, b));
}

/*
 * Calls `read` with each beginning of `whole`, in a block that ends where it ends: the sanitizer sees what is read beyond. `read`
 * tells whether it was accepted, which the whole must be.
 */
static inline void at_every_cut(struct bytes whole, bool (*read)(struct bytes cut, size_t whole_len)) {
    for (size_t len = 0; len <= whole.len; len++) {
        uint8_t *block = malloc(len ? len : 1);
        ck_assert_ptr_nonnull(block);
        if (len) memcpy(block, whole.ptr, len);
        bool ok = read(bytes_of(len ? block : NULL, len), whole.len);
        ck_assert_msg(ok || len < whole.len, "the whole packet is refused");
        free(block);
    }
}

#endif
