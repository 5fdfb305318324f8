/*
 * Counts how far the inputs of fuzz_session.c come: a target whose inputs end at the login finds nothing behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/session_peers.h"

bool peer_reached[REACH_COUNT];

static const char *const names[REACH_COUNT] = {
    [REACH_LOGIN] = "a login", [REACH_TWO_LOGINS] = "a second login", [REACH_ROW] = "a row for a client",
    [REACH_EXECUTE] = "an Execute at a server", [REACH_COPY] = "a COPY in", [REACH_COPY_END] = "its end",
    [REACH_TXN] = "a transaction", [REACH_LENT] = "a connection lent to two clients",
    [REACH_LENT_AFTER_TXN] = "and a transaction before", [REACH_CANCEL] = "a cancel at a server",
    [REACH_RAW_CLIENT] = "raw bytes of a client", [REACH_LIAR] = "a server that lies",
};

static uint64_t counts[REACH_COUNT], executions, events;

static void print_counts(void) {
    fprintf(stderr, "%llu executions, %llu events in each\n", (unsigned long long)executions,
            (unsigned long long)(executions ? events / executions : 0));
    for (int i = 0; i < REACH_COUNT; i++)
        fprintf(stderr, "%6.1f %%  %s\n", executions ? 100.0 * (double)counts[i] / (double)executions : 0.0, names[i]);
}

void peer_reach_begin(void) {
    if (executions == 0 && getenv("SESSION_REACH")) atexit(print_counts);
    memset(peer_reached, 0, sizeof peer_reached);
}

void peer_reach_end(uint64_t in_this_one) {
    executions++;
    events += in_this_one;
    for (int i = 0; i < REACH_COUNT; i++) counts[i] += peer_reached[i];
}

/* ---- what libFuzzer is not told (meson.build) ---- */

#define UNTOLD(size, type) \
    void __wrap___sanitizer_cov_trace_cmp##size(type a, type b); \
    void __wrap___sanitizer_cov_trace_const_cmp##size(type a, type b); \
    void __wrap___sanitizer_cov_trace_cmp##size(type a, type b) { (void)a, (void)b; } \
    void __wrap___sanitizer_cov_trace_const_cmp##size(type a, type b) { (void)a, (void)b; }

UNTOLD(1, uint8_t)
UNTOLD(2, uint16_t)
UNTOLD(4, uint32_t)
UNTOLD(8, uint64_t)
