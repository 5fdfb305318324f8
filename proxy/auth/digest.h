/*
 * digest.h - SHA-256 and HMAC-SHA-256 (RFC 2104) at the price of their arithmetic.
 *
 * OpenSSL's EVP layer looks algorithms up, counts references and allocates around
 * each hash, which costs a login several times the hashing. These call the library's
 * SHA-256 itself: no state, no allocation, any thread.
 */
#ifndef GILMOK_PROXY_AUTH_DIGEST_H
#define GILMOK_PROXY_AUTH_DIGEST_H

#include "base/bytes.h"

enum { DIGEST_LEN = 32 };

/* False: the library failed, which it has no reason to. */
MUST_USE bool digest_sha256(struct bytes data, uint8_t out[DIGEST_LEN]);
/* Keys of at most 64 bytes; a longer one is a bug (RFC 2104 would hash it first). */
MUST_USE bool digest_hmac(struct bytes key, struct bytes data, uint8_t out[DIGEST_LEN]);

#endif
