/*
 * pattern.h - bytes that are never equal to their neighbours, so that a lost or doubled piece shows.
 */
#ifndef GILMOK_TESTS_UNIT_PATTERN_H
#define GILMOK_TESTS_UNIT_PATTERN_H

#include <check.h>

#include "base/bytes.h"

/* The first `len` of them; the same storage at each call. */
static inline struct bytes pattern(size_t len) {
    static uint8_t storage[2 << 20];
    ck_assert_uint_le(len, sizeof storage);
    for (size_t i = 0; i < len; i++) storage[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
    return bytes_of(storage, len);
}

#endif
