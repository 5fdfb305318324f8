/*
 * bytes.h - a borrowed slice of memory: pointer and length, passed by value.
 *
 * A slice owns nothing. Who lends it says how long it lives. It is not
 * NUL-terminated and may hold any byte.
 */
#ifndef GILMOK_BASE_BYTES_H
#define GILMOK_BASE_BYTES_H

#include <string.h>

#include "base/build.h"

struct bytes {
    const uint8_t *ptr;
    size_t len;
};

static inline struct bytes bytes_of(const void *ptr, size_t len) {
    return (struct bytes){.ptr = ptr, .len = len};
}

/* The slice over a C string, without its NUL. */
static inline struct bytes bytes_str(const char *str) {
    return bytes_of(str, strlen(str));
}

/* Not for secrets: the time it takes tells where the difference is. See auth/secret.h. */
static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool bytes_is(struct bytes a, const char *str) {
    return bytes_equal(a, bytes_str(str));
}

static inline bool bytes_starts_with(struct bytes a, const char *prefix) {
    size_t len = strlen(prefix);
    return a.len >= len && memcmp(a.ptr, prefix, len) == 0;
}

#endif
