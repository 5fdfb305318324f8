/*
 * fuzz_scram_client.c - a server that gilmok logs in to: its two messages, with a NUL between them.
 */
#include "proxy/auth/scram.h"
#include "tests/fuzz/fuzz.h"

enum { SLOW_ITERATIONS = 500 }; /* legal up to SCRAM_ITERATIONS_MAX, but each input would take long */

static bool is_slow(struct bytes first) {
    char text[SCRAM_MESSAGE_MAX + 1];
    if (first.len > SCRAM_MESSAGE_MAX) return false;
    if (first.len) memcpy(text, first.ptr, first.len);
    text[first.len] = '\0';
    const char *at = strstr(text, ",i=");
    unsigned long count = at ? strtoul(at + 3, NULL, 10) : 0;
    return count > SLOW_ITERATIONS && count <= SCRAM_ITERATIONS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t nonce[SCRAM_NONCE_RAW] = "aaaaaabbbbbbcccccc";
    static struct scram_client c;
    static uint8_t storage[SCRAM_MESSAGE_MAX];
    struct bytes final;
    struct bytes first = fuzz_cut(bytes_of(data, size), &final);
    if (is_slow(first)) return 0;
    struct scram_keys keys = {0};
    struct err err = {0};
    struct writer out;
    writer_init_fixed(&out, storage, sizeof storage);
    memset(&c, 0, sizeof c);
    PROMISE(scram_client_first(&c, SCRAM_BINDING_CANNOT, NULL, nonce, &out));
    writer_reset(&out);
    bool ok = scram_client_final(&c, "pencil", first, &keys, &out, &err);
    PROMISE(ok != err_is_set(&err));
    if (!ok) return 0;
    PROMISE(keys.is_set && keys.salt_len <= SCRAM_SALT_MAX);
    PROMISE(keys.iterations >= SCRAM_ITERATIONS_MIN && keys.iterations <= SCRAM_ITERATIONS_MAX);
    PROMISE(bytes_starts_with(writer_bytes(&out), "c=biws,r="));
    ok = scram_client_verify(&c, final, &err);
    PROMISE(ok != err_is_set(&err));
    return 0;
}
