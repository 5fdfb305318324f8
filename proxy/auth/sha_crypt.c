/*
 * sha_crypt.c - the rounds, over SHA-256 of the crypto library.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*: as in digest.c, docs/decisions/0004 */
#include "proxy/auth/sha_crypt.h"

#include <openssl/sha.h>

#include "proxy/auth/digest.h"
#include "proxy/auth/secret.h"

enum {
    ROUNDS_UNIT = 1000,
    ROUNDS_DIGITS = 3,
    FAST_LEN = 4 + ROUNDS_DIGITS + SHA_CRYPT_SALT_LEN + SHA_CRYPT_DIGEST_LEN,
    OLD_LEN = 3 + SHA_CRYPT_SALT_LEN + 1 + SHA_CRYPT_DIGEST_LEN,
    REPEATS_OF_SALT = 16, /* and as many as the first byte of a digest says */
};

#define FAST_PREFIX "$A$"
#define OLD_PREFIX "$5$"

/* ---- what is stored ---- */

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Of "0x..." the bytes; other texts as they are. Empty: it is too long, or no hex. */
static struct bytes unhex(struct bytes text, uint8_t into[FAST_LEN]) {
    if (!bytes_starts_with(text, "0x")) return text;
    size_t len = (text.len - 2) / 2;
    if (text.len % 2 || len > FAST_LEN) return bytes_of(NULL, 0);
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text.ptr[2 + 2 * i]), low = hex_value(text.ptr[3 + 2 * i]);
        if (high < 0 || low < 0) return bytes_of(NULL, 0);
        into[i] = (uint8_t)(high << 4 | low);
    }
    return bytes_of(into, len);
}

bool sha_crypt_is_meant(struct bytes text) {
    return bytes_starts_with(text, FAST_PREFIX "0") || bytes_starts_with(text, OLD_PREFIX) ||
           bytes_starts_with(text, "0x244124") || bytes_starts_with(text, "0x243524");
}

static bool take_rounds(const uint8_t digits[ROUNDS_DIGITS], uint32_t *rounds) {
    *rounds = 0;
    for (size_t i = 0; i < ROUNDS_DIGITS; i++) {
        int value = hex_value(digits[i]);
        if (value < 0) return false;
        *rounds = *rounds * 16 + (uint32_t)value * ROUNDS_UNIT;
    }
    return *rounds >= SHA_CRYPT_ROUNDS_DEFAULT && *rounds <= SHA_CRYPT_ROUNDS_MAX;
}

static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_text_of_digest(const uint8_t *text) {
    for (size_t i = 0; i < SHA_CRYPT_DIGEST_LEN; i++)
        if (!text[i] || !strchr(alphabet, text[i])) return false;
    return true;
}

bool sha_crypt_parse(struct bytes text, struct sha_crypt *out) {
    uint8_t storage[FAST_LEN];
    struct bytes b = unhex(text, storage);
    bool is_fast = b.len == FAST_LEN && bytes_starts_with(b, FAST_PREFIX) && b.ptr[3 + ROUNDS_DIGITS] == '$';
    bool is_old = b.len == OLD_LEN && bytes_starts_with(b, OLD_PREFIX) && b.ptr[3 + SHA_CRYPT_SALT_LEN] == '$';
    if (!is_fast && !is_old) return false;
    const uint8_t *salt = b.ptr + (is_fast ? 4 + ROUNDS_DIGITS : 3), *digest = b.ptr + b.len - SHA_CRYPT_DIGEST_LEN;
    out->rounds = SHA_CRYPT_ROUNDS_DEFAULT;
    if (is_fast && !take_rounds(b.ptr + 3, &out->rounds)) return false;
    memcpy(out->salt, salt, sizeof out->salt);
    memcpy(out->digest, digest, sizeof out->digest);
    return is_text_of_digest(digest);
}

/* ---- the rounds ---- */

static bool add(SHA256_CTX *ctx, struct bytes data) {
    return SHA256_Update(ctx, data.ptr, data.len);
}

/* `data` as often as is said. */
static bool hash_repeated(struct bytes data, size_t times, uint8_t out[DIGEST_LEN]) {
    SHA256_CTX ctx;
    bool is_done = SHA256_Init(&ctx);
    for (size_t i = 0; i < times; i++) is_done = is_done && add(&ctx, data);
    is_done = is_done && SHA256_Final(out, &ctx);
    secret_wipe(&ctx, sizeof ctx);
    return is_done;
}

/* One digest behind the other, as long as is wanted. */
static void stretch(const uint8_t digest[DIGEST_LEN], uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) out[i] = digest[i % DIGEST_LEN];
}

/*
 *   B = H(password salt password)
 *   A = H(password salt, B as long as the password, for each bit of its length from the lowest: 1 ? B : password)
 */
static bool begin(struct bytes password, struct bytes salt, uint8_t a[DIGEST_LEN]) {
    SHA256_CTX ctx;
    uint8_t b[DIGEST_LEN], as_long[SHA_CRYPT_PASSWORD_MAX];
    bool is_done = SHA256_Init(&ctx) && add(&ctx, password) && add(&ctx, salt) && add(&ctx, password) && SHA256_Final(b, &ctx);
    stretch(b, as_long, password.len);
    is_done = is_done && SHA256_Init(&ctx) && add(&ctx, password) && add(&ctx, salt) && add(&ctx, bytes_of(as_long, password.len));
    for (size_t bits = password.len; bits > 0; bits >>= 1)
        is_done = is_done && add(&ctx, bits & 1 ? bytes_of(b, sizeof b) : password);
    is_done = is_done && SHA256_Final(a, &ctx);
    secret_wipe(&ctx, sizeof ctx);
    secret_wipe(b, sizeof b);
    secret_wipe(as_long, sizeof as_long);
    return is_done;
}

static bool do_round(uint32_t i, struct bytes p, struct bytes s, uint8_t a[DIGEST_LEN]) {
    SHA256_CTX ctx;
    struct bytes digest = bytes_of(a, DIGEST_LEN);
    bool is_done = SHA256_Init(&ctx) && add(&ctx, i % 2 ? p : digest);
    if (i % 3) is_done = is_done && add(&ctx, s);
    if (i % 7) is_done = is_done && add(&ctx, p);
    is_done = is_done && add(&ctx, i % 2 ? digest : p) && SHA256_Final(a, &ctx);
    return is_done; /* ctx is overwritten by the next */
}

/* Three bytes in four characters, the last one lowest; which three is the scheme's own order. */
static void put_text(const uint8_t a[DIGEST_LEN], char out[SHA_CRYPT_DIGEST_LEN]) {
    char *to = out;
    for (size_t i = 0; i < 10; i++) {
        size_t first = i * 21 % 30; /* 0 10 20, 21 1 11, 12 22 2, ... */
        uint32_t value = (uint32_t)a[first] << 16 | (uint32_t)a[(first + 10) % 30] << 8 | a[(first + 20) % 30];
        for (size_t k = 0; k < 4; k++, value >>= 6) *to++ = alphabet[value & 63];
    }
    uint32_t value = (uint32_t)a[31] << 8 | a[30];
    for (size_t k = 0; k < 3; k++, value >>= 6) *to++ = alphabet[value & 63];
}

static bool hash(const struct sha_crypt *how, struct bytes password, char out[SHA_CRYPT_DIGEST_LEN]) {
    uint8_t a[DIGEST_LEN], made[DIGEST_LEN], p[SHA_CRYPT_PASSWORD_MAX], s[SHA_CRYPT_SALT_LEN];
    struct bytes salt = bytes_of(how->salt, sizeof how->salt);
    bool is_done = begin(password, salt, a) && hash_repeated(password, password.len, made);
    stretch(made, p, password.len);
    is_done = is_done && hash_repeated(salt, (size_t)REPEATS_OF_SALT + a[0], made);
    stretch(made, s, sizeof s);
    for (uint32_t i = 0; i < how->rounds; i++)
        is_done = is_done && do_round(i, bytes_of(p, password.len), bytes_of(s, sizeof s), a);
    put_text(a, out);
    secret_wipe(p, sizeof p);
    secret_wipe(made, sizeof made);
    secret_wipe(a, sizeof a);
    return is_done;
}

bool sha_crypt_check(const struct sha_crypt *stored, struct bytes password, bool *is_right) {
    char made[SHA_CRYPT_DIGEST_LEN];
    *is_right = false;
    if (password.len > SHA_CRYPT_PASSWORD_MAX) return true;
    if (!hash(stored, password, made)) return false;
    *is_right = secret_equal(made, stored->digest, sizeof made);
    return true;
}
