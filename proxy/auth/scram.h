/*
 * scram.h - SCRAM-SHA-256 (RFC 5802, RFC 7677) as pure steps, both sides.
 *
 * No sockets, no clock: the caller passes nonces and moves the messages. Peers on
 * both sides are hostile: every field is bounded, iteration counts are capped, and
 * secrets are compared in constant time (auth/secret.h).
 *
 *   client                                   server
 *     | client-first   n,,n=NAME,r=CNONCE      |
 *     | -------------------------------------> |
 *     |      server-first  r=CNONCE+SNONCE,s=SALT,i=COUNT
 *     | <------------------------------------- |
 *     | client-final   c=biws,r=...,p=PROOF    |
 *     | -------------------------------------> |
 *     |                  server-final  v=SIG   |
 *     | <------------------------------------- |
 *
 * Rules of PostgreSQL that are kept: the name in client-first is ignored (the
 * startup packet's counts); gs2 header `n,,` or `y,,` is accepted, `p=` refused
 * (no channel binding on a plain connection); passwords go through SASLprep when
 * they are valid UTF-8 and are used as raw bytes otherwise; ASCII-only printable
 * passwords are their own SASLprep form.
 */
#ifndef GILMOK_PROXY_AUTH_SCRAM_H
#define GILMOK_PROXY_AUTH_SCRAM_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/writer.h"

enum {
    SCRAM_KEY_LEN = 32,
    SCRAM_SALT_MAX = 64,      /* bytes before base64; PostgreSQL uses 16 */
    SCRAM_SALT_DEFAULT = 16,
    SCRAM_NONCE_RAW = 18,     /* random bytes; 24 characters in base64 */
    SCRAM_NONCE_MAX = 256,    /* characters of a peer's nonce */
    SCRAM_MESSAGE_MAX = 2048, /* bytes of any SCRAM message */
    SCRAM_ITERATIONS_DEFAULT = 4096,
    SCRAM_ITERATIONS_MIN = 1,
    SCRAM_ITERATIONS_MAX = 100000, /* a server that asks for more is refused */
};

#define SCRAM_MECHANISM "SCRAM-SHA-256"

/* What a server stores about a password. */
struct scram_verifier {
    uint32_t iterations;
    uint8_t salt[SCRAM_SALT_MAX];
    uint8_t salt_len;
    uint8_t stored_key[SCRAM_KEY_LEN];
    uint8_t server_key[SCRAM_KEY_LEN];
};

/* "SCRAM-SHA-256$i:salt$stored:server" to a verifier; false when the text is not exactly one. */
MUST_USE bool scram_verifier_parse(struct bytes text, struct scram_verifier *out);
/* Runs PBKDF2 (about 1 ms at 4096): once per user, never per login. */
MUST_USE bool scram_verifier_derive(const char *password, const uint8_t *salt, size_t salt_len,
                                    uint32_t iterations, struct scram_verifier *out);

/* ---- server side: gilmok checks a client ---- */

struct scram_server {
    struct scram_verifier verifier;
    char client_first_bare[SCRAM_MESSAGE_MAX]; /* NUL-terminated */
    char server_first[SCRAM_MESSAGE_MAX];
    char nonce[2 * SCRAM_NONCE_MAX]; /* client's and ours together */
    char gs2_flag; /* 'n' or 'y', as the client sent it */
};

enum scram_result {
    SCRAM_OK,
    SCRAM_MALFORMED, /* not SCRAM as it should be: protocol violation; err says what */
    SCRAM_REFUSED,   /* well-formed, but the proof is wrong */
};

/* Need not be zeroed before, and only what is secret is wiped: a login touches a tenth of it. */
void scram_server_init(struct scram_server *s);
void scram_server_wipe(struct scram_server *s);

/* Reads client-first, writes server-first to `out`. `nonce` is SCRAM_NONCE_RAW random bytes. */
MUST_USE enum scram_result scram_server_first(struct scram_server *s, const struct scram_verifier *verifier,
                                              struct bytes client_first, const uint8_t *nonce, struct writer *out,
                                              struct err *err);
/* Reads client-final, writes server-final to `out` only on SCRAM_OK. The same work is done for right and wrong proofs. */
MUST_USE enum scram_result scram_server_final(struct scram_server *s, struct bytes client_final, struct writer *out,
                                              struct err *err);

/* ---- client side: gilmok logs in to a server ---- */

/* Keys for one (password, salt, iterations); kept by the pool so that PBKDF2 runs once. */
struct scram_keys {
    bool is_set;
    uint32_t iterations;
    uint8_t salt[SCRAM_SALT_MAX];
    uint8_t salt_len;
    uint8_t client_key[SCRAM_KEY_LEN];
    uint8_t server_key[SCRAM_KEY_LEN];
};

struct scram_client {
    char client_first_bare[SCRAM_NONCE_MAX + 16];
    char client_nonce[SCRAM_NONCE_MAX];
    uint8_t server_signature[SCRAM_KEY_LEN]; /* expected */
    bool is_final_sent;
};

MUST_USE bool scram_client_first(struct scram_client *c, const uint8_t *nonce, struct writer *out);
/* Reads server-first, writes client-final. `keys` is used when it fits the salt and count, else derived and filled. */
MUST_USE bool scram_client_final(struct scram_client *c, const char *password, struct bytes server_first,
                                 struct scram_keys *keys, struct writer *out, struct err *err);
/* True only when the server proved that it knows the password's verifier. */
MUST_USE bool scram_client_verify(struct scram_client *c, struct bytes server_final, struct err *err);

#endif
