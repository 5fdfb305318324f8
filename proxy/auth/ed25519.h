/*
 * ed25519.h - MariaDB's plugin ed25519 (of clients: client_ed25519): a signature of the server's nonce, by a key that is made of
 * the password.
 *
 *     key pair    that of Ed25519 (RFC 8032), with the password, of any length, in place of the 32 secret bytes
 *     answer      the signature of the nonce, ED25519_SIGNATURE_LEN bytes
 *     stored      the public key, in base64 without padding: who reads it cannot log in by it
 *
 * Signatures are those of the RFC, and checked as such. Secrets are wiped here; what is written is none. Pure.
 *
 * As in MariaDB 10.11's plugin.
 */
#ifndef GILMOK_PROXY_AUTH_ED25519_H
#define GILMOK_PROXY_AUTH_ED25519_H

#include "base/bytes.h"

enum { ED25519_NONCE = 32, ED25519_KEY_LEN = 32, ED25519_SIGNATURE_LEN = 64, ED25519_STORED_LEN = 43 };

struct ed25519_key {
    uint8_t bytes[ED25519_KEY_LEN];
};

/* Once, before the others. False: the crypto library cannot be used. */
MUST_USE bool ed25519_init(void);

/* False: the password is one in 2^252, for which there is no signature. */
MUST_USE bool ed25519_sign(struct bytes password, const uint8_t nonce[ED25519_NONCE], uint8_t signature[ED25519_SIGNATURE_LEN]);
MUST_USE bool ed25519_derive(struct bytes password, struct ed25519_key *key);
/* `signature`: of any length, from anybody. */
bool ed25519_check(const struct ed25519_key *key, const uint8_t nonce[ED25519_NONCE], struct bytes signature);

/* The text that MariaDB stores. False: it is none, or names no point of the curve that a password could lead to. */
MUST_USE bool ed25519_key_parse(struct bytes text, struct ed25519_key *key);

#endif
