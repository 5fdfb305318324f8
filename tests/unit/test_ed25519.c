/*
 * test_ed25519.c - keys as a MariaDB 10.11 has stored them, signatures as PyMySQL has made them, and what is none.
 */
#include "proxy/auth/ed25519.h"

#include <stdio.h>

#include "tests/unit/check_main.h"

static char long_password[2049];

static const struct vector {
    const char *password, *key, *nonce, *signature;
} vectors[] = {
    {"secret", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY", "6162636465666768696a6b6c6d6e6f707172737475767778797a303132333435",
     "d0f66f7853ca6f44f7d6e3d4fe913f935f54818a7e3fe80462a2c39d199d0cdc05fa15934074edcaa964b4553938840317d0db36735d50d22e820fd05e3b0306"},
    {"secret", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY", "0000000000000000000000000000000000000000000000000000000000000000",
     "a1d70c7f7e3241e6635d2b369435980882a3c618da067ac6271a0c79078589a8afe3bd52ecf2e8626c4e182ff25316a0921cbb9aec4575ca02e05e61e070f705"},
    {"x", "Gv2JI8Env2fd5YGonZ082tX3UAW+yJYldOlj4R1bfK4", "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
     "fe995298886962dea354ae1d789e25e05a5658ed38153e2cf985b417b1cf973c6a517967a7d0d571e63eaa888484d5e06a7a0b75339ac13eab35afa3e737ea04"},
    {"p\xc3\xa4ssw\xc3\xb6rd", "3AcJUN7vR2AnAzs/McwNtGs2GDbHzL5YqZoIOPw62V0",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "929847651a66c68e9bfa0539e369eb703a67ebec3c7a6e8f2182d669d9ff0bf007bf66f94116b8e9c41320073168fc1d57619f63e3ec28e6cbae36ede8dd0c01"},
    {long_password, "kYs0NHudOdm4K6YwTMVSeyXt/yEG6QF+C9khghP6qxY",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "450f7372266365608565ab9e8f4b3ea1c9c91db15561b3386cb567ce53165d3a79a609e635aad7382a970f42eaf974b73c8f9f693683edaadf31032fa1c8f80d"},
    {"0123456789abcdef0123456789abcdef", "I7xUkSwebpLEqGglyGfif/3FVb/71CRPF6Jqv//ull0",
     "6162636465666768696a6b6c6d6e6f707172737475767778797a303132333435",
     "e7bcd37e57f01436630157eaac336b89c4ca3ae428db5005b6b0c7b121a5783b66f6f3020aebce35eaeb60c230ec7936ff34b7ec1f6e02e2824392a3f6c56e08"},
};

static struct bytes from_hex(const char *hex, uint8_t *into) {
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned value;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &value), 1);
        into[i] = (uint8_t)value;
    }
    return bytes_of(into, len);
}

START_TEST(vectors_of_others) {
    const struct vector *v = &vectors[_i];
    uint8_t nonce[ED25519_NONCE], expected[ED25519_SIGNATURE_LEN], signature[ED25519_SIGNATURE_LEN];
    struct ed25519_key stored, derived;
    memset(long_password, 'x', sizeof long_password - 1);
    from_hex(v->nonce, nonce);
    struct bytes right = from_hex(v->signature, expected);
    ck_assert(ed25519_key_parse(bytes_str(v->key), &stored));
    ck_assert(ed25519_derive(bytes_str(v->password), &derived));
    ck_assert_mem_eq(&stored, &derived, sizeof stored);
    ck_assert(ed25519_sign(bytes_str(v->password), nonce, signature));
    ck_assert_mem_eq(signature, expected, sizeof signature);
    ck_assert(ed25519_check(&stored, nonce, right));
}
END_TEST

START_TEST(wrong_signatures) {
    uint8_t nonce[ED25519_NONCE], bytes[ED25519_SIGNATURE_LEN + 1] = {0};
    struct ed25519_key key, other;
    from_hex(vectors[0].nonce, nonce);
    from_hex(vectors[0].signature, bytes);
    struct bytes right = bytes_of(bytes, ED25519_SIGNATURE_LEN);
    ck_assert(ed25519_key_parse(bytes_str(vectors[0].key), &key) && ed25519_key_parse(bytes_str(vectors[2].key), &other));
    ck_assert(ed25519_check(&key, nonce, right));
    ck_assert(!ed25519_check(&other, nonce, right));
    for (size_t len = 0; len < right.len; len++) ck_assert(!ed25519_check(&key, nonce, bytes_of(bytes, len)));
    ck_assert(!ed25519_check(&key, nonce, bytes_of(bytes, sizeof bytes)));
    ck_assert(!ed25519_check(&key, nonce, bytes_of(NULL, 0)));
    for (size_t bit = 0; bit < 8 * right.len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(!ed25519_check(&key, nonce, right), "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof nonce; bit++) {
        nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert(!ed25519_check(&key, nonce, right));
        nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(bytes, 0, sizeof bytes);
    ck_assert(!ed25519_check(&key, nonce, right));
    bytes[0] = 1; /* the neutral point, and nothing */
    ck_assert(!ed25519_check(&key, nonce, right));
}
END_TEST

/* Points of small order, and no points at all: to them signatures can be made without any password. */
START_TEST(keys_are_parsed_to_the_letter) {
    static const char *const wrong[] = {
        "", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJ", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY=",
        "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJZ", "ZIgUREUg5PVgQ6LskhXmO-eZLS0nC8be6HPjYWR4YJY",
        " IgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJ\n",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "7P///////////////////////////////////////38", "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "//////////////////////////////////////////8",
    };
    struct ed25519_key key;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) ck_assert_msg(!ed25519_key_parse(bytes_str(wrong[i]), &key), "%s", wrong[i]);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("ed25519");
    if (!ed25519_init()) return 1;
    tcase_add_loop_test(t, vectors_of_others, 0, COUNT_OF(vectors));
    tcase_add_test(t, wrong_signatures);
    tcase_add_test(t, keys_are_parsed_to_the_letter);
    return check_main_of("ed25519", t);
}
