/*
 * tls_contexts.h - certificates for every case, the contexts that most tests use, and pairs on them.
 *
 * Certificates (tls_certs.h): `ca` issued `server` (db.example, 10.1.2.3), `wild` (d*.some.example), `old` (expired),
 * `ed` (Ed25519), and the clients' `alice`, `nul` (a NUL in its name) and `two` (two names). `self` issued itself;
 * `mallory`, of `other-ca`, says that she is alice.
 */
#ifndef GILMOK_TESTS_UNIT_TLS_CONTEXTS_H
#define GILMOK_TESTS_UNIT_TLS_CONTEXTS_H

#include "tests/unit/tls_certs.h"
#include "tests/unit/tls_pair.h"

/* TLS 1.2 to 1.3, and not above 1.2; the server has the certificate `server`, the client verifies it in full. */
extern struct contexts {
    struct tls_context *server, *server_12, *client, *client_12;
} contexts;

void contexts_open(void);
void contexts_close(void);

/* A pair (tls_pair.h) whose client looks for db.example. */
void contexts_pair(void);
void contexts_pair_12(void);

/* Options to change before a context is made; `name` is the certificate's. */
struct tls_server_options contexts_server_options(const char *name);
struct tls_client_options contexts_client_options(enum tls_verify verify);
/* Owned by the caller. It must succeed. */
struct tls_context *contexts_new_server(const struct tls_server_options *o);
struct tls_context *contexts_new_client(const struct tls_client_options *o);

#endif
