/*
 * test_digest.c - SHA-256 and HMAC against the RFCs' vectors and against the crypto library's own HMAC.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "proxy/auth/digest.h"
#include "tests/unit/check_main.h"

static void check_is(const uint8_t out[DIGEST_LEN], const char *hex) {
    for (int i = 0; i < DIGEST_LEN; i++) {
        unsigned byte = 0;
        for (int k = 0; k < 2; k++) byte = byte << 4 | (unsigned)(hex[2 * i + k] <= '9' ? hex[2 * i + k] - '0' : hex[2 * i + k] - 'a' + 10);
        ck_assert_uint_eq(out[i], byte);
    }
}

START_TEST(sha256_of_abc_and_of_nothing) {
    uint8_t out[DIGEST_LEN];
    ck_assert(digest_sha256(bytes_str("abc"), out));
    check_is(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ck_assert(digest_sha256(bytes_str(""), out));
    check_is(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(hmac_of_rfc_4231) {
    uint8_t key[20], data[50], out[DIGEST_LEN];
    memset(key, 0x0b, sizeof key);
    ck_assert(digest_hmac(bytes_of(key, sizeof key), bytes_str("Hi There"), out));
    check_is(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    ck_assert(digest_hmac(bytes_str("Jefe"), bytes_str("what do ya want for nothing?"), out));
    check_is(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    ck_assert(digest_hmac(bytes_of(key, sizeof key), bytes_of(data, sizeof data), out));
    check_is(out, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
}
END_TEST

/* Keys up to the block, data around it. */
START_TEST(hmac_of_all_lengths) {
    uint8_t key[64], data[200], ours[DIGEST_LEN], theirs[DIGEST_LEN];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 13 + 5);
    for (size_t k = 1; k <= sizeof key; k++)
        for (size_t d = 0; d <= sizeof data; d++) {
            unsigned len = 0;
            ck_assert(digest_hmac(bytes_of(key, k), bytes_of(data, d), ours));
            ck_assert_ptr_nonnull(HMAC(EVP_sha256(), key, (int)k, data, d, theirs, &len));
            ck_assert_mem_eq(ours, theirs, DIGEST_LEN);
        }
}
END_TEST

int main(void) {
    TCase *t = tcase_create("digest");
    tcase_add_test(t, sha256_of_abc_and_of_nothing);
    tcase_add_test(t, hmac_of_rfc_4231);
    tcase_add_test(t, hmac_of_all_lengths);
    return check_main_of("digest", t);
}
