/*
 * The two hashes of an md5 login. Knows no messages and no users; keeps nothing.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* MD5_*: as SHA256_* in digest.c, docs/decisions/0004 */
#include "proxy/auth/md5.h"

#include <openssl/evp.h>
#include <openssl/md5.h>

#include "proxy/auth/secret.h"

enum { PREFIX_LEN = 3, HEX_LEN = MD5_TEXT_LEN - PREFIX_LEN };
static_assert(HEX_LEN == 2 * MD5_DIGEST_LENGTH, "two digits a byte");

bool md5_verifier_parse(struct bytes text, struct md5_verifier *out) {
    if (text.len != MD5_TEXT_LEN || !bytes_starts_with(text, "md5")) return false;
    memcpy(out->text, "md5", PREFIX_LEN);
    for (size_t i = PREFIX_LEN; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c >= 'A' && c <= 'F') c = (uint8_t)(c - 'A' + 'a');
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
        out->text[i] = (char)c;
    }
    out->text[MD5_TEXT_LEN] = '\0';
    return true;
}

/* "md5" and the digits of MD5(a b). The plain functions would work under FIPS rules too, which forbid it. */
static bool hash_text(struct bytes a, struct bytes b, char out[MD5_TEXT_LEN + 1], struct err *err) {
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[MD5_DIGEST_LENGTH];
    MD5_CTX ctx;
    bool is_hashed = !EVP_default_properties_is_fips_enabled(NULL) && MD5_Init(&ctx) && MD5_Update(&ctx, a.ptr, a.len) &&
                     MD5_Update(&ctx, b.ptr, b.len) && MD5_Final(hash, &ctx);
    if (is_hashed) {
        memcpy(out, "md5", PREFIX_LEN);
        for (size_t i = 0; i < sizeof hash; i++) {
            out[PREFIX_LEN + 2 * i] = digits[hash[i] >> 4];
            out[PREFIX_LEN + 2 * i + 1] = digits[hash[i] & 15];
        }
        out[MD5_TEXT_LEN] = '\0';
    }
    secret_wipe(hash, sizeof hash);
    secret_wipe(&ctx, sizeof ctx);
    return is_hashed || err_set(err, ERR_FEATURE_NOT_SUPPORTED, "md5 passwords are not available: the crypto library has no MD5");
}

bool md5_verifier_derive(struct bytes password, struct bytes user, struct md5_verifier *out, struct err *err) {
    return hash_text(password, user, out->text, err);
}

bool md5_respond(const struct md5_verifier *v, const uint8_t salt[MD5_SALT_LEN], char out[MD5_TEXT_LEN + 1], struct err *err) {
    return hash_text(bytes_of(v->text + PREFIX_LEN, HEX_LEN), bytes_of(salt, MD5_SALT_LEN), out, err);
}

bool md5_check(const struct md5_verifier *v, const uint8_t salt[MD5_SALT_LEN], struct bytes response, bool *is_right,
               struct err *err) {
    char expected[MD5_TEXT_LEN + 1];
    *is_right = false;
    if (!md5_respond(v, salt, expected, err)) return false;
    *is_right = response.len == MD5_TEXT_LEN && secret_equal(response.ptr, expected, MD5_TEXT_LEN);
    secret_wipe(expected, sizeof expected);
    return true;
}
