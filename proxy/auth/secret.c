/*
 * secret.c - the crypto library's answers to two things the C library gets wrong
 * for secrets: comparing (memcmp stops at the first difference) and clearing
 * (memset before free may be optimised away).
 */
#include "proxy/auth/secret.h"

#include <openssl/crypto.h>

bool secret_equal(const void *a, const void *b, size_t len) {
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}

void secret_wipe(void *ptr, size_t len) {
    if (ptr && len > 0) OPENSSL_cleanse(ptr, len);
}
