/*
 * test_tls_memory.c - what a stream costs while it is idle, and what it does without memory.
 */
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "proxy/net/tls_impl.h"
#include "tests/unit/check_main.h"
#include "tests/unit/pattern.h"
#include "tests/unit/tls_contexts.h"

enum { IDLE_MAX = 20000 }; /* heap bytes of an idle established stream, OpenSSL's included */

/* ---- the cost ---- */

static size_t ssl_bytes; /* of OpenSSL, on the heap now */

static uint64_t allocs_left; /* the one that makes it 0 fails; 0: none does */

static bool must_fail(void) {
    return allocs_left > 0 && --allocs_left == 0;
}

static void *count_alloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    void *p = must_fail() ? NULL : malloc(size);
    if (p) ssl_bytes += malloc_usable_size(p) + sizeof(size_t);
    return p;
}

static void count_free(void *p, const char *file, int line) {
    (void)file;
    (void)line;
    if (p) ssl_bytes -= malloc_usable_size(p) + sizeof(size_t);
    free(p);
}

static void *count_realloc(void *p, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    if (must_fail()) return NULL;
    if (p) ssl_bytes -= malloc_usable_size(p) + sizeof(size_t);
    void *q = realloc(p, size);
    if (q || (p && size)) ssl_bytes += malloc_usable_size(q ? q : p) + sizeof(size_t);
    return q;
}

/*
 * A thousand clients that have logged in and fallen silent: only the server's ends are counted. Each comes under another
 * name, so that nothing is resumed: most drivers never do, and a full handshake leaves more behind.
 */
static size_t idle_cost(struct tls_context *server, int count, size_t *of_process) {
    static struct stream *idle[1000];
    struct tls_client_options co = contexts_client_options(TLS_VERIFY_CA);
    struct tls_context *client = contexts_new_client(&co);
    char host[32];
    pair_open(client, server);
    pair.host = host;
    size_t before = 0, before_all = 0;
    for (int i = -20; i < count; i++) { /* the first ones fill caches */
        snprintf(host, sizeof host, "h%d.example", i);
        if (i == 0) before = ssl_bytes;
        if (i == 0) before_all = mallinfo2().uordblks;
        pair_shake();
        ck_assert(!pair_info(SERVER).is_resumed);
        pair.end[SERVER].echoes = true;
        pair_say(CLIENT, pattern(3000));
        pair_run();
        ck_assert_uint_le(pair.loop.bufs.out, 1); /* the loop's own chunk for the next recv */
        if (i >= 0) idle[i] = pair.end[SERVER].s;
        else stream_close(pair.end[SERVER].s);
        stream_close(pair.end[CLIENT].s);
        pair_join();
    }
    size_t cost = (ssl_bytes - before) / (size_t)count + sizeof(struct tls) + sizeof(struct stream);
    *of_process = (mallinfo2().uordblks - before_all) / (size_t)count;
    for (int i = 0; i < count; i++) stream_close(idle[i]);
    pair_close();
    tls_context_unref(client);
    return cost;
}

START_TEST(a_stream_behind_its_handshake_costs_little) {
    pair_shake(); /* the client has got a ticket last */
    for (int i = 0; i < 2; i++) {
        size_t before = ssl_bytes;
        stream_close(pair.end[i].s);
        pair.end[i].s = NULL;
        loop_bury(&pair.loop);
        ck_assert_uint_le(before - ssl_bytes, IDLE_MAX);
        if (getenv("GILMOK_TEST_PRINT")) printf("behind the handshake: %zu of OpenSSL\n", before - ssl_bytes);
    }
}
END_TEST

START_TEST(an_idle_stream_costs_little) {
    size_t of_process;
    pair_close();
    size_t cost = idle_cost(contexts.server, 1000, &of_process);
    if (getenv("GILMOK_TEST_PRINT")) printf("TLS 1.3: %zu a stream, %zu by mallinfo\n", cost, of_process);
    ck_assert_uint_le(cost, IDLE_MAX);
    ck_assert_uint_le(of_process, IDLE_MAX); /* 0 with sanitizers, whose heap is not this one */
    cost = idle_cost(contexts.server_12, 100, &of_process);
    if (getenv("GILMOK_TEST_PRINT")) printf("TLS 1.2: %zu a stream, %zu by mallinfo\n", cost, of_process);
    ck_assert_uint_le(cost, IDLE_MAX);
    ck_assert_uint_le(of_process, IDLE_MAX);
    contexts_pair();
}
END_TEST

/* ---- faults ---- */

/* A whole connection with data both ways. True when everything went through; false when both ends know that it did not. */
static bool passes_all(void) {
    struct bytes all = pattern(90000);
    pair.from[SERVER].room = 50000;
    pair_start();
    pair_run();
    if (pair.end[CLIENT].s) stream_send(pair.end[CLIENT].s, all);
    if (pair.end[SERVER].s) stream_send(pair.end[SERVER].s, all);
    pair_run();
    pair.from[SERVER].room = SIZE_MAX;
    pair_run();
    for (int i = 0; i < 2; i++) { /* never a hole */
        struct bytes got = writer_bytes(&pair.end[i].taken);
        ck_assert(got.len <= all.len && bytes_equal(got, bytes_of(all.ptr, got.len)));
    }
    bool passed = pair.end[CLIENT].taken.len == all.len && pair.end[SERVER].taken.len == all.len;
    for (int i = 0; i < 2; i++)
        ck_assert(passed || pair.end[i].closed == 1 || err_is_set(&pair.end[i].err));
    return passed;
}

#ifdef GILMOK_FAULT
START_TEST(without_our_memory_the_stream_ends_but_never_skips_a_byte) {
    static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_RECV, FAULT_SEND};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        bool fired = true;
        for (uint64_t n = 0; fired; n++) {
            ck_assert_uint_lt(n, 1000);
            fault_arm(kinds[k], n);
            bool passed = passes_all();
            fired = fault_fired(kinds[k]);
            fault_disarm();
            ck_assert(passed || fired);
            pair_close();
            contexts_pair();
        }
    }
}
END_TEST
#endif

START_TEST(without_openssls_memory_the_stream_ends_but_never_skips_a_byte) {
    bool fired = true;
    uint64_t n;
    for (n = 1; fired; n += 1 + n / 10) {
        allocs_left = n;
        bool passed = passes_all();
        fired = allocs_left == 0;
        ck_assert(passed || fired);
        allocs_left = 0;
        pair_close();
        contexts_pair();
    }
    ck_assert_uint_gt(n, 100);
    if (getenv("GILMOK_TEST_PRINT")) printf("allocations of a connection: below %u\n", (unsigned)n);
}
END_TEST

int main(void) {
    if (!CRYPTO_set_mem_functions(count_alloc, count_realloc, count_free)) return EXIT_FAILURE;
    contexts_open();
    TCase *t = tcase_create("tls memory");
    tcase_add_checked_fixture(t, contexts_pair, pair_close);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_stream_behind_its_handshake_costs_little);
    tcase_add_test(t, an_idle_stream_costs_little);
#ifdef GILMOK_FAULT
    tcase_add_test(t, without_our_memory_the_stream_ends_but_never_skips_a_byte);
#endif
    tcase_add_test(t, without_openssls_memory_the_stream_ends_but_never_skips_a_byte);
    int status = check_main_of("tls memory", t);
    contexts_close();
    return status;
}
