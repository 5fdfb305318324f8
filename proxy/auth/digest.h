/*
 * digest.h - SHA-256 and HMAC-SHA-256, with the library's objects looked up once.
 *
 * OpenSSL's one-call functions look the algorithm up by name every time, which costs
 * a login more than the hashing. Per thread: the first call may fail for lack of
 * memory, later ones reuse what it made.
 */
#ifndef GILMOK_PROXY_AUTH_DIGEST_H
#define GILMOK_PROXY_AUTH_DIGEST_H

#include "base/bytes.h"

enum { DIGEST_LEN = 32 };

MUST_USE bool digest_sha256(struct bytes data, uint8_t out[DIGEST_LEN]);
MUST_USE bool digest_hmac(struct bytes key, struct bytes data, uint8_t out[DIGEST_LEN]);

#endif
