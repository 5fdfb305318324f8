/*
 * secret.h - handling of bytes that must not leak: constant-time comparison, wiping.
 */
#ifndef GILMOK_PROXY_AUTH_SECRET_H
#define GILMOK_PROXY_AUTH_SECRET_H

#include "base/build.h"

/* True when all `len` bytes are equal; the time depends on `len` alone. */
MUST_USE bool secret_equal(const void *a, const void *b, size_t len);
void secret_wipe(void *ptr, size_t len);

#endif
