/*
 * clock.h - time and randomness behind a table, so that a simulation can own both.
 *
 * now_us() is monotonic (CLOCK_MONOTONIC), never the wall clock: timeouts must
 * not jump. random() fills with bytes fit for keys and nonces (getrandom(2)), or
 * returns false. The ops table and ctx are borrowed for ever.
 */
#ifndef GILMOK_BASE_CLOCK_H
#define GILMOK_BASE_CLOCK_H

#include "base/build.h"

struct clock_ops {
    uint64_t (*now_us)(void *ctx);
    bool (*random)(void *ctx, void *out, size_t len);
    void *ctx;
};

extern const struct clock_ops clock_real;

static inline uint64_t clock_now_us(const struct clock_ops *c) {
    return c->now_us(c->ctx);
}

static inline MUST_USE bool clock_random(const struct clock_ops *c, void *out, size_t len) {
    return c->random(c->ctx, out, len);
}

#endif
