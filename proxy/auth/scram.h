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
 * startup packet's counts); passwords go through SASLprep when they are valid UTF-8 and
 * are used as raw bytes otherwise; ASCII-only printable passwords are their own
 * SASLprep form.
 *
 * Channel binding (RFC 5929, tls-server-end-point) ties the login to the TLS connection that it
 * runs in: both sides sign the hash of the server's certificate, so that nobody in between can
 * pass the messages on. It is offered as SCRAM-SHA-256-PLUS. client-first tells: `p=...` it is
 * used, `y` the client would have, but saw no offer, `n` it cannot. A `y` to a server that did
 * offer it means that somebody has taken the offer away, and ends the login.
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
    SCRAM_BINDING_MAX = 64,   /* bytes of a certificate's hash */
    SCRAM_HEADER_MAX = 32,    /* of the gs2 header in front of client-first, with a NUL */
    SCRAM_ITERATIONS_DEFAULT = 4096,
    SCRAM_ITERATIONS_MIN = 1,
    SCRAM_ITERATIONS_MAX = 100000, /* a server that asks for more is refused */
};

#define SCRAM_MECHANISM "SCRAM-SHA-256"
#define SCRAM_MECHANISM_PLUS "SCRAM-SHA-256-PLUS"

/* The hash of the certificate of the server in this TLS connection (stream_tls_end_point_hash). */
struct scram_binding {
    uint8_t hash[SCRAM_BINDING_MAX];
    uint8_t len; /* 0: no TLS, or a certificate without one hash: there is nothing to bind to */
};

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

/*
 * Keys for one (password, salt, iterations); kept by the pool so that PBKDF2 runs once. Not set, but with a salt: the server has
 * that one, and no keys for it are known.
 */
struct scram_keys {
    bool is_set;
    uint32_t iterations;
    uint8_t salt[SCRAM_SALT_MAX];
    uint8_t salt_len;
    uint8_t client_key[SCRAM_KEY_LEN];
    uint8_t server_key[SCRAM_KEY_LEN];
};

/* ---- server side: gilmok checks a client ---- */

struct scram_server {
    struct scram_verifier verifier;
    char client_first_bare[SCRAM_MESSAGE_MAX]; /* NUL-terminated */
    char server_first[SCRAM_MESSAGE_MAX];
    char nonce[2 * SCRAM_NONCE_MAX]; /* client's and ours together */
    char gs2_header[SCRAM_HEADER_MAX]; /* as the client sent it: "n,,", "y,," or "p=tls-server-end-point,," */
    struct scram_binding binding; /* what is offered */
    bool is_plus;                 /* the client has chosen the mechanism with channel binding */
    uint8_t client_key[SCRAM_KEY_LEN]; /* as the right proof has told it; secret */
    bool has_client_key;
};

enum scram_result {
    SCRAM_OK,
    SCRAM_MALFORMED, /* not SCRAM as it should be: protocol violation; err says what */
    SCRAM_REFUSED,   /* well-formed, but the proof is wrong */
};

/* Need not be zeroed before, and only what is secret is wiped: a login touches a tenth of it. */
void scram_server_init(struct scram_server *s);
/* Before the offer goes out: with a binding that is not empty, both mechanisms are in it. */
void scram_server_offer(struct scram_server *s, const struct scram_binding *binding);
/* The mechanism that the client has chosen; false when it was not offered. */
MUST_USE bool scram_server_choose(struct scram_server *s, struct bytes mechanism);
void scram_server_wipe(struct scram_server *s);

/* Reads client-first, writes server-first to `out`. `nonce` is SCRAM_NONCE_RAW random bytes. */
MUST_USE enum scram_result scram_server_first(struct scram_server *s, const struct scram_verifier *verifier,
                                              struct bytes client_first, const uint8_t *nonce, struct writer *out,
                                              struct err *err);
/* Reads client-final, writes server-final to `out` only on SCRAM_OK. The same work is done for right and wrong proofs. */
MUST_USE enum scram_result scram_server_final(struct scram_server *s, struct bytes client_final, struct writer *out,
                                              struct err *err);

/* ---- client side: gilmok logs in to a server ---- */

/*
 * After SCRAM_OK: what logs in to a server whose verifier is the same, salt and iterations included. As secret as the password.
 */
void scram_server_keys(const struct scram_server *s, struct scram_keys *out);
/* The same from a password that is known to be right. False: memory is out or the crypto library fails. */
/* Could `fresh` be what `known` lacks? Known keys are not given up for others before a server has refused them. */
bool scram_keys_are_wanted(const struct scram_keys *known, const struct scram_keys *fresh);
MUST_USE bool scram_verifier_keys(const struct scram_verifier *v, const char *password, struct scram_keys *out);

/* What client-first says of channel binding. */
enum scram_binding_use {
    SCRAM_BINDING_CANNOT,      /* n: there is nothing to bind to, or nobody wants it */
    SCRAM_BINDING_NOT_OFFERED, /* y: the server did not offer it */
    SCRAM_BINDING_USED,        /* p: it did; the mechanism is SCRAM_MECHANISM_PLUS */
};

struct scram_client {
    enum scram_binding_use use;
    struct scram_binding binding;
    char client_first_bare[SCRAM_NONCE_MAX + 16];
    char client_nonce[SCRAM_NONCE_MAX];
    uint8_t server_signature[SCRAM_KEY_LEN]; /* expected */
    bool is_final_sent;
};

/* `binding` must not be empty for SCRAM_BINDING_USED; NULL for the other two. */
MUST_USE bool scram_client_first(struct scram_client *c, enum scram_binding_use use, const struct scram_binding *binding,
                                 const uint8_t *nonce, struct writer *out);
/*
 * Reads server-first, writes client-final. `keys` is used when it fits the salt and count, else derived and filled; without a
 * password (NULL) it must fit, and is otherwise wiped but for the server's salt and count.
 */
MUST_USE bool scram_client_final(struct scram_client *c, const char *password, struct bytes server_first,
                                 struct scram_keys *keys, struct writer *out, struct err *err);
/* True only when the server proved that it knows the password's verifier. */
MUST_USE bool scram_client_verify(struct scram_client *c, struct bytes server_final, struct err *err);

#endif
