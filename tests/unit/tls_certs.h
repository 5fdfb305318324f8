/*
 * tls_certs.h - certificates made on the spot, in a folder of their own that goes with the test program.
 */
#ifndef GILMOK_TESTS_UNIT_TLS_CERTS_H
#define GILMOK_TESTS_UNIT_TLS_CERTS_H

#include "base/bytes.h"

struct cert_plan {
    const char *name;   /* files NAME.crt and NAME.key */
    const char *issuer; /* name of one made before; NULL: self-signed */
    const char *cn;
    size_t cn_len;          /* 0: up to the NUL */
    const char *second_cn;  /* NULL: none */
    const char *san;        /* "DNS:name,IP:address"; NULL: none */
    bool is_ca;
    bool is_expired;
    bool is_ed25519;
};

void certs_open(void); /* makes the folder */
void certs_make(const struct cert_plan *plan);
/* NAME.crt and the like, in the folder: one of a few static buffers, good for a handful of calls. */
const char *certs_path(const char *file);
void certs_write(const char *file, struct bytes text, unsigned mode);
void certs_close(void); /* removes everything */

#endif
