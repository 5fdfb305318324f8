/*
 * cancel_key.h - what a client must bring to cancel its own query: gilmok's keys. Pure.
 *
 * The server's own key never leaves gilmok. A client of protocol 3.0 or 3.1 gets 4 bytes,
 * all random; one of 3.2 gets 32, which also say where the session lives, so that the
 * request finds it from any worker and from any gilmok of a group:
 *
 *  byte  0            1        2..3       4..11     12..31
 *       format, hop  worker   instance   session   secret
 *
 * Places are hints; the secret is the proof, and is compared in constant time. The hop
 * bit is set by a gilmok that passes a request on to another, which then passes it no
 * further.
 */
#ifndef GILMOK_PROXY_SESSION_CANCEL_KEY_H
#define GILMOK_PROXY_SESSION_CANCEL_KEY_H

#include "base/bytes.h"

enum { CANCEL_KEY_SHORT = 4, CANCEL_KEY_LONG = 32, CANCEL_SECRET_LEN = 20 };

struct cancel_key {
    bool is_long;
    bool is_passed_on;
    uint8_t worker;
    uint16_t instance; /* 0: of no group */
    uint64_t session;
    uint8_t secret[CANCEL_SECRET_LEN]; /* of a short key only the first 4 bytes */
};

/* Writes the key as the client gets it. Returns its length. */
size_t cancel_key_write(const struct cancel_key *k, uint8_t out[CANCEL_KEY_LONG]);
/* False when it is no key of ours. */
MUST_USE bool cancel_key_read(struct bytes in, struct cancel_key *out);
/* True when both are of the same length and carry the same secret. */
bool cancel_key_matches(const struct cancel_key *ours, const struct cancel_key *brought);

#endif
