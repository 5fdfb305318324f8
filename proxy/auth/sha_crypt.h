/*
 * sha_crypt.h - what MySQL stores for caching_sha2_password and sha256_password: a hash of the password, salted, of many rounds.
 *
 *     caching_sha2_password    "$A$" rounds in thousands, 3 hex digits "$" salt, 20 bytes | digest, 43 characters
 *     sha256_password          "$5$" salt, 20 bytes "$" digest, 43 characters             5000 rounds
 *
 * The salt is of any bytes but NUL and '$'; so both are also taken as "0x" and hex digits, which is how MySQL prints them with
 * print_identified_with_as_hex. It is the scheme that crypt(3) calls "5" (Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512"),
 * with a salt that is longer than crypt(3) takes.
 *
 * No proof that travels can be held against such a hash: the whole password must be there. Takes milliseconds. Pure.
 *
 * As in MySQL 9.7.
 */
#ifndef GILMOK_PROXY_AUTH_SHA_CRYPT_H
#define GILMOK_PROXY_AUTH_SHA_CRYPT_H

#include "base/bytes.h"

enum {
    SHA_CRYPT_SALT_LEN = 20,
    SHA_CRYPT_DIGEST_LEN = 43,
    SHA_CRYPT_ROUNDS_DEFAULT = 5000,
    SHA_CRYPT_ROUNDS_MAX = 100000,
    SHA_CRYPT_PASSWORD_MAX = 256, /* servers take no longer one */
};

struct sha_crypt {
    uint32_t rounds;
    uint8_t salt[SHA_CRYPT_SALT_LEN];
    char digest[SHA_CRYPT_DIGEST_LEN];
};

/* Does it begin as such a text? Then it is no password. */
bool sha_crypt_is_meant(struct bytes text);
/* False: it is none, or has more rounds than SHA_CRYPT_ROUNDS_MAX. */
MUST_USE bool sha_crypt_parse(struct bytes text, struct sha_crypt *out);

/* False: the crypto library fails. Takes as long for wrong passwords, of the same length, as for the right one. */
MUST_USE bool sha_crypt_check(const struct sha_crypt *stored, struct bytes password, bool *is_right);

#endif
