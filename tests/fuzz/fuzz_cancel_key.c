/*
 * fuzz_cancel_key.c - the key of a CancelRequest.
 *
 * First the input as such a key; then what is in it as the fields of keys that gilmok gives.
 */
#include "base/reader.h"
#include "proxy/session/cancel_key.h"
#include "tests/fuzz/fuzz.h"

static struct bytes written(const struct cancel_key *k, uint8_t storage[CANCEL_KEY_LONG]) {
    size_t len = cancel_key_write(k, storage);
    PROMISE(len == (k->is_long ? CANCEL_KEY_LONG : CANCEL_KEY_SHORT));
    return bytes_of(storage, len);
}

/* What is read is what would be written; what is not read, no key is written as. */
static void ck_read(struct bytes in) {
    struct cancel_key k;
    uint8_t storage[CANCEL_KEY_LONG];
    if (cancel_key_read(in, &k)) PROMISE(bytes_equal(written(&k, storage), in));
    else PROMISE(in.len != CANCEL_KEY_SHORT && (in.len != CANCEL_KEY_LONG || (in.ptr[0] != 0x01 && in.ptr[0] != 0x81)));
}

static struct cancel_key made_from(struct reader *r) {
    uint8_t flags = reader_u8(r);
    struct cancel_key k = {.is_long = flags & 1, .is_passed_on = flags & 2, .worker = reader_u8(r), .instance = reader_be16(r)};
    k.session = (uint64_t)reader_be32(r) << 32;
    k.session |= reader_be32(r);
    struct bytes secret = reader_take(r, sizeof k.secret);
    if (!r->failed) memcpy(k.secret, secret.ptr, secret.len);
    return k;
}

/* A request finds its place and brings its proof; a short key knows no place. */
static void ck_comes_back(const struct cancel_key *k) {
    struct cancel_key back;
    uint8_t storage[CANCEL_KEY_LONG];
    PROMISE(cancel_key_read(written(k, storage), &back));
    PROMISE(back.is_long == k->is_long);
    PROMISE(cancel_key_matches(k, &back) && cancel_key_matches(&back, k));
    if (k->is_long) PROMISE(back.is_passed_on == k->is_passed_on && back.worker == k->worker);
    if (k->is_long) PROMISE(back.instance == k->instance && back.session == k->session);
    else PROMISE(!back.is_passed_on && !back.worker && !back.instance && !back.session);
}

/* Places and the hop bit prove nothing; the secret does, every byte of it. */
static void ck_match(const struct cancel_key *a, const struct cancel_key *b) {
    size_t len = a->is_long ? CANCEL_SECRET_LEN : CANCEL_KEY_SHORT;
    bool is_same = a->is_long == b->is_long && memcmp(a->secret, b->secret, len) == 0;
    PROMISE(cancel_key_matches(a, b) == is_same);
    for (size_t i = 0; i < len * 8; i++) {
        struct cancel_key other = *a;
        other.secret[i / 8] ^= (uint8_t)(1 << i % 8);
        PROMISE(!cancel_key_matches(a, &other));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ck_read(bytes_of(data, size));
    struct reader r = reader_over(bytes_of(data, size));
    struct cancel_key a = made_from(&r), b = made_from(&r);
    if (r.failed) b = a;
    ck_comes_back(&a);
    ck_comes_back(&b);
    ck_match(&a, &b);
    return 0;
}
