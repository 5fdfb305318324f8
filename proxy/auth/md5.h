/*
 * md5.h - PostgreSQL's md5 passwords as pure steps, both sides.
 *
 *     verifier = "md5" hex( MD5( password user ) )                  what pg_authid keeps
 *     response = "md5" hex( MD5( hex part of the verifier, salt ) ) what a client sends for a salt of 4 bytes
 *
 * As in PostgreSQL's auth.c and crypt.c. The verifier is as good as the password: who
 * has it can log in with it. It is wiped like one, and never shown. Hex digits are lower
 * case on the wire. The method is old and weak; it is here for servers and applications
 * that know nothing else.
 *
 * False with `err` set: the crypto library has no MD5 (it may run in FIPS mode).
 */
#ifndef GILMOK_PROXY_AUTH_MD5_H
#define GILMOK_PROXY_AUTH_MD5_H

#include "base/bytes.h"
#include "base/err.h"

enum {
    MD5_SALT_LEN = 4,
    MD5_TEXT_LEN = 35, /* of a verifier and of a response */
};

/* Secret: wipe with secret_wipe(). */
struct md5_verifier {
    char text[MD5_TEXT_LEN + 1];
};

/* "md5" and 32 hex digits, of either case; false when the text is not exactly that. */
MUST_USE bool md5_verifier_parse(struct bytes text, struct md5_verifier *out);
MUST_USE bool md5_verifier_derive(struct bytes password, struct bytes user, struct md5_verifier *out, struct err *err);

/* Client side: the body of the password message, without its NUL behind the 35 bytes. */
MUST_USE bool md5_respond(const struct md5_verifier *v, const uint8_t salt[MD5_SALT_LEN], char out[MD5_TEXT_LEN + 1],
                          struct err *err);

/* Server side: `response` is what the client sent, without a NUL. The time does not tell where it differs. */
MUST_USE bool md5_check(const struct md5_verifier *v, const uint8_t salt[MD5_SALT_LEN], struct bytes response, bool *is_right,
                        struct err *err);

#endif
