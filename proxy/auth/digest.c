/*
 * Owns one digest and one HMAC context per thread. Knows no protocol.
 */
#include "proxy/auth/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

static _Thread_local struct {
    EVP_MD *sha256;
    EVP_MD_CTX *hash;
    EVP_MAC_CTX *hmac;
} made;

static bool make_hash(void) {
    if (!made.sha256) made.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!made.hash) made.hash = EVP_MD_CTX_new();
    return made.sha256 && made.hash;
}

static bool make_hmac(void) {
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context holds a reference */
    if (ctx && EVP_MAC_CTX_set_params(ctx, params)) {
        made.hmac = ctx;
        return true;
    }
    EVP_MAC_CTX_free(ctx);
    return false;
}

bool digest_sha256(struct bytes data, uint8_t out[DIGEST_LEN]) {
    return (made.hash || make_hash()) && EVP_DigestInit_ex2(made.hash, made.sha256, NULL) &&
           EVP_DigestUpdate(made.hash, data.ptr, data.len) && EVP_DigestFinal_ex(made.hash, out, NULL);
}

bool digest_hmac(struct bytes key, struct bytes data, uint8_t out[DIGEST_LEN]) {
    size_t len = 0;
    return (made.hmac || make_hmac()) && EVP_MAC_init(made.hmac, key.ptr, key.len, NULL) &&
           EVP_MAC_update(made.hmac, data.ptr, data.len) && EVP_MAC_final(made.hmac, out, &len, DIGEST_LEN) &&
           len == DIGEST_LEN;
}
