/*
 * fuzz_scram_server.c - a client that logs in to gilmok: its two messages, with a NUL between them.
 *
 * The first byte says which account it tries: an odd one has keys that no password
 * fits, so a login to it is a finding.
 */
#include "proxy/auth/scram.h"
#include "tests/fuzz/fuzz.h"

static struct scram_verifier known, impossible;

static void init(void) {
    static const uint8_t salt[SCRAM_SALT_DEFAULT] = "0123456789abcdef";
    if (known.iterations) return;
    PROMISE(scram_verifier_derive("pencil", salt, sizeof salt, 16, &known));
    impossible = known;
    memset(impossible.stored_key, 0xa5, sizeof impossible.stored_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t nonce[SCRAM_NONCE_RAW] = "aaaaaabbbbbbcccccc";
    static struct scram_server s;
    static uint8_t storage[SCRAM_MESSAGE_MAX];
    init();
    if (size == 0) return 0;
    bool is_known = data[0] % 2 == 0;
    struct bytes final;
    struct bytes first = fuzz_cut(bytes_of(data + 1, size - 1), &final);
    struct err err = {0};
    struct writer out;
    writer_init_fixed(&out, storage, sizeof storage);
    memset(&s, 0, sizeof s);
    scram_server_init(&s);
    if (data[0] & 2) scram_server_offer(&s, &(struct scram_binding){.hash = "hash", .len = 4});
    bool is_plus = scram_server_choose(&s, bytes_str(SCRAM_MECHANISM_PLUS));
    PROMISE(is_plus == ((data[0] & 2) != 0));
    if (!(data[0] & 4)) PROMISE(scram_server_choose(&s, bytes_str(SCRAM_MECHANISM)));
    enum scram_result result = scram_server_first(&s, is_known ? &known : &impossible, first, nonce, &out, &err);
    PROMISE(result != SCRAM_REFUSED);
    PROMISE((result == SCRAM_MALFORMED) == err_is_set(&err));
    if (result != SCRAM_OK) return 0;
    PROMISE(bytes_starts_with(writer_bytes(&out), "r="));
    writer_reset(&out);
    result = scram_server_final(&s, final, &out, &err);
    if (result == SCRAM_OK && data[0] & 4 && is_plus) PROMISE(bytes_starts_with(first, "p=tls-server-end-point,,"));
    if (result == SCRAM_OK) PROMISE(is_known && bytes_starts_with(writer_bytes(&out), "v="));
    else PROMISE(writer_bytes(&out).len == 0);
    if (result == SCRAM_MALFORMED) PROMISE(err_is_set(&err));
    return 0;
}
