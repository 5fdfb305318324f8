/*
 * clock.c - the operating system's monotonic clock and random bytes.
 *
 * Knows nothing of the wall clock: only log.c prints dates.
 */
#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static uint64_t real_now_us(void *ctx) {
    (void)ctx;
    struct timespec ts;
    int rc = clock_gettime(CLOCK_MONOTONIC, &ts);
    INVARIANT(rc == 0);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static bool fill(uint8_t *out, size_t len) {
    while (len > 0) {
        ssize_t got = getrandom(out, len, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        out += got;
        len -= (size_t)got;
    }
    return true;
}

/* A login needs two short draws: they come out of one larger one, and are wiped there. */
static _Thread_local struct {
    uint8_t bytes[256];
    size_t left; /* unused ones, at the end */
} stock;

static bool real_random(void *ctx, void *out, size_t len) {
    (void)ctx;
    if (len > sizeof stock.bytes) return fill(out, len);
    if (len > stock.left) {
        stock.left = 0;
        if (!fill(stock.bytes, sizeof stock.bytes)) return false;
        stock.left = sizeof stock.bytes;
    }
    uint8_t *from = stock.bytes + sizeof stock.bytes - stock.left;
    memcpy(out, from, len);
    explicit_bzero(from, len);
    stock.left -= len;
    return true;
}

const struct clock_ops clock_real = {.now_us = real_now_us, .random = real_random, .ctx = NULL};
