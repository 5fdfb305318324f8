/*
 * HMAC over the crypto library's plain SHA-256. Knows no protocol; keeps nothing.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*: the decision is in docs/decisions/0004 */
#include "proxy/auth/digest.h"

#include <openssl/sha.h>

#include "proxy/auth/secret.h"

enum { BLOCK_LEN = 64 };

static_assert(DIGEST_LEN == SHA256_DIGEST_LENGTH && BLOCK_LEN == SHA256_CBLOCK, "SHA-256");

/* H(key xor `pad`, data) */
static bool keyed_pass(struct bytes key, uint8_t pad, struct bytes data, uint8_t out[DIGEST_LEN]) {
    uint8_t block[BLOCK_LEN];
    SHA256_CTX ctx;
    memset(block, pad, sizeof block);
    for (size_t i = 0; i < key.len; i++) block[i] ^= key.ptr[i];
    bool ok = SHA256_Init(&ctx) && SHA256_Update(&ctx, block, sizeof block) && SHA256_Update(&ctx, data.ptr, data.len) &&
              SHA256_Final(out, &ctx);
    secret_wipe(block, sizeof block);
    secret_wipe(&ctx, sizeof ctx);
    return ok;
}

bool digest_sha256(struct bytes data, uint8_t out[DIGEST_LEN]) {
    SHA256_CTX ctx;
    return SHA256_Init(&ctx) && SHA256_Update(&ctx, data.ptr, data.len) && SHA256_Final(out, &ctx);
}

bool digest_hmac(struct bytes key, struct bytes data, uint8_t out[DIGEST_LEN]) {
    uint8_t inner[DIGEST_LEN];
    INVARIANT(key.len <= BLOCK_LEN);
    return keyed_pass(key, 0x36, data, inner) && keyed_pass(key, 0x5c, bytes_of(inner, sizeof inner), out);
}
