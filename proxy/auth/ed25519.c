/*
 * ed25519.c - MariaDB's way to sign, of the library's arithmetic: what signs by itself takes 32 secret bytes, and no password.
 *
 * Owns nothing. The curve's arithmetic is libsodium's, in constant time (docs/decisions/0004).
 */
#include "proxy/auth/ed25519.h"

#include <sodium.h>

static_assert(ED25519_KEY_LEN == crypto_sign_ed25519_PUBLICKEYBYTES, "a point");
static_assert(ED25519_SIGNATURE_LEN == crypto_sign_ed25519_BYTES, "a point and a scalar");

enum { SCALAR_LEN = crypto_core_ed25519_SCALARBYTES, HASH_LEN = crypto_hash_sha512_BYTES, HALF = HASH_LEN / 2 };

bool ed25519_init(void) {
    return sodium_init() >= 0;
}

/* What the password is hashed to: the scalar, with the bits that RFC 8032 sets, and what makes each signature's own secret. */
static void expand(struct bytes password, uint8_t secret[HASH_LEN]) {
    crypto_hash_sha512(secret, password.ptr, password.len);
    secret[0] &= 0xf8;
    secret[HALF - 1] &= 0x7f;
    secret[HALF - 1] |= 0x40;
}

static void hash_to_scalar(struct bytes a, struct bytes b, struct bytes c, uint8_t scalar[SCALAR_LEN]) {
    crypto_hash_sha512_state state;
    uint8_t hash[HASH_LEN];
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, a.ptr, a.len);
    crypto_hash_sha512_update(&state, b.ptr, b.len);
    crypto_hash_sha512_update(&state, c.ptr, c.len);
    crypto_hash_sha512_final(&state, hash);
    crypto_core_ed25519_scalar_reduce(scalar, hash);
    sodium_memzero(hash, sizeof hash);
    sodium_memzero(&state, sizeof state);
}

/*   A = aB;  r = H(prefix, nonce), R = rB;  S = r + H(R, A, nonce) a        signature = R S */
bool ed25519_sign(struct bytes password, const uint8_t nonce[ED25519_NONCE], uint8_t signature[ED25519_SIGNATURE_LEN]) {
    uint8_t secret[HASH_LEN], a[HASH_LEN] = {0}, r[SCALAR_LEN], h[SCALAR_LEN], key[ED25519_KEY_LEN];
    struct bytes none = bytes_of(NULL, 0), message = bytes_of(nonce, ED25519_NONCE);
    expand(password, secret);
    memcpy(a, secret, HALF);
    hash_to_scalar(bytes_of(secret + HALF, HALF), message, none, r);
    bool is_done = crypto_scalarmult_ed25519_base_noclamp(key, secret) == 0 &&
                   crypto_scalarmult_ed25519_base_noclamp(signature, r) == 0;
    hash_to_scalar(bytes_of(signature, ED25519_KEY_LEN), bytes_of(key, sizeof key), message, h);
    crypto_core_ed25519_scalar_reduce(a, a);
    crypto_core_ed25519_scalar_mul(h, h, a);
    crypto_core_ed25519_scalar_add(signature + ED25519_KEY_LEN, r, h);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(a, sizeof a);
    sodium_memzero(r, sizeof r);
    sodium_memzero(h, sizeof h);
    return is_done;
}

bool ed25519_derive(struct bytes password, struct ed25519_key *key) {
    uint8_t secret[HASH_LEN];
    expand(password, secret);
    bool is_done = crypto_scalarmult_ed25519_base_noclamp(key->bytes, secret) == 0;
    sodium_memzero(secret, sizeof secret);
    return is_done;
}

bool ed25519_check(const struct ed25519_key *key, const uint8_t nonce[ED25519_NONCE], struct bytes signature) {
    return signature.len == ED25519_SIGNATURE_LEN &&
           crypto_sign_ed25519_verify_detached(signature.ptr, nonce, ED25519_NONCE, key->bytes) == 0;
}

bool ed25519_key_parse(struct bytes text, struct ed25519_key *key) {
    size_t len;
    return text.len == ED25519_STORED_LEN &&
           sodium_base642bin(key->bytes, sizeof key->bytes, (const char *)text.ptr, text.len, NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
           len == sizeof key->bytes && crypto_core_ed25519_is_valid_point(key->bytes);
}
