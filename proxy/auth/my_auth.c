/*
 * my_auth.c - the arithmetic and the steps of mysql_native_password and caching_sha2_password, both sides; the steps of
 * client_ed25519 and sha256_password, as a client.
 *
 * Owns nothing beyond a call. Knows no packet headers, no sockets and no users. A server is taken to be hostile: it gets a proof of
 * the password, and the password itself only by the two plugins of SHA-256 and a way that the caller vouches for.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_*: as SHA256_* in digest.c, docs/decisions/0004 */
#include "proxy/auth/my_auth.h"

#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "proxy/auth/digest.h"
#include "proxy/auth/secret.h"

enum {
    SHA1_LEN = 20,
    KEY_BITS_MIN = 2048,
    KEY_BITS_MAX = 8192,
    KEY_TEXT_MAX = 4096,                   /* of 8192 bits in PEM: 1.5 kB */
    CIPHER_MAX = KEY_BITS_MAX / 8,         /* RSA: as long as the key */
    OAEP_OVERHEAD = 2 * SHA1_LEN + 2,      /* RFC 8017, 7.1.1 */
    NAME_SHOWN_MAX = 64,                   /* of a plugin that is not known, in a message */
};

static_assert(SHA1_LEN == SHA_DIGEST_LENGTH && SHA1_LEN == (int)MY_AUTH_NATIVE_LEN, "SHA-1");
static_assert(DIGEST_LEN == (int)MY_AUTH_SHA2_LEN, "SHA-256");
static_assert(ED25519_NONCE <= (int)MY_AUTH_NONCE_MAX && MY_AUTH_NONCE <= (int)MY_AUTH_NONCE_MAX, "every nonce fits");
static_assert(CIPHER_MAX <= (int)MY_AUTH_ANSWER_MAX, "an answer with the longest key fits");

static const char *const plugin_names[] = {
    [MY_AUTH_NATIVE] = "mysql_native_password",
    [MY_AUTH_SHA2] = "caching_sha2_password",
    [MY_AUTH_ED25519] = "client_ed25519",
    [MY_AUTH_SHA256] = "sha256_password",
};

const char *my_auth_plugin_name(enum my_auth_plugin plugin) {
    return plugin < MY_AUTH_OTHER ? plugin_names[plugin] : NULL;
}

enum my_auth_plugin my_auth_plugin_of(struct bytes name) {
    for (size_t i = 0; i < COUNT_OF(plugin_names); i++)
        if (bytes_is(name, plugin_names[i])) return (enum my_auth_plugin)i;
    return MY_AUTH_OTHER;
}

size_t my_auth_nonce_len(enum my_auth_plugin plugin) {
    return plugin == MY_AUTH_ED25519 ? ED25519_NONCE : MY_AUTH_NONCE;
}

void my_auth_nonce(uint8_t nonce[MY_AUTH_NONCE], const uint8_t random[MY_AUTH_NONCE]) {
    for (size_t i = 0; i < MY_AUTH_NONCE; i++) {
        uint8_t c = random[i] & 0x7f;
        nonce[i] = c == 0 || c == '$' ? c + 1 : c; /* two values of 126 come twice as often: nothing at this length */
    }
}

/* ---- arithmetic ---- */

static bool sha1(struct bytes data, uint8_t out[SHA1_LEN]) {
    SHA_CTX ctx;
    bool is_done = SHA1_Init(&ctx) && SHA1_Update(&ctx, data.ptr, data.len) && SHA1_Final(out, &ctx);
    secret_wipe(&ctx, sizeof ctx);
    return is_done;
}

static void xor_into(uint8_t *out, const uint8_t *with, size_t len) {
    for (size_t i = 0; i < len; i++) out[i] ^= with[i];
}

/* SHA1(nonce + SHA1(SHA1(password))), of the latter: what SHA1(password) is hidden by. */
static bool native_mask(const uint8_t nonce[MY_AUTH_NONCE], const uint8_t twice[SHA1_LEN], uint8_t out[SHA1_LEN]) {
    uint8_t text[MY_AUTH_NONCE + SHA1_LEN];
    memcpy(text, nonce, MY_AUTH_NONCE);
    memcpy(text + MY_AUTH_NONCE, twice, SHA1_LEN);
    bool is_done = sha1(bytes_of(text, sizeof text), out);
    secret_wipe(text, sizeof text);
    return is_done;
}

/*   SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password))), of the first */
static bool native_scramble_of(const uint8_t once[SHA1_LEN], const uint8_t nonce[MY_AUTH_NONCE], uint8_t out[MY_AUTH_NATIVE_LEN]) {
    uint8_t twice[SHA1_LEN];
    bool is_done = sha1(bytes_of(once, SHA1_LEN), twice) && native_mask(nonce, twice, out);
    if (is_done) xor_into(out, once, SHA1_LEN);
    secret_wipe(twice, sizeof twice);
    return is_done;
}

static bool native_scramble(struct bytes password, const uint8_t nonce[MY_AUTH_NONCE], uint8_t out[MY_AUTH_NATIVE_LEN]) {
    uint8_t once[SHA1_LEN];
    bool is_done = sha1(password, once) && native_scramble_of(once, nonce, out);
    secret_wipe(once, sizeof once);
    return is_done;
}

/*   SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce)        here the nonce stands behind */
static bool sha2_scramble(struct bytes password, const uint8_t nonce[MY_AUTH_NONCE], uint8_t out[MY_AUTH_SHA2_LEN]) {
    uint8_t once[DIGEST_LEN], text[DIGEST_LEN + MY_AUTH_NONCE];
    memcpy(text + DIGEST_LEN, nonce, MY_AUTH_NONCE);
    bool is_done = digest_sha256(password, once) && digest_sha256(bytes_of(once, sizeof once), text) &&
                   digest_sha256(bytes_of(text, sizeof text), out);
    if (is_done) xor_into(out, once, sizeof once);
    secret_wipe(once, sizeof once);
    secret_wipe(text, sizeof text);
    return is_done;
}

static size_t scramble_len(enum my_auth_plugin plugin) {
    return plugin == MY_AUTH_SHA2 ? MY_AUTH_SHA2_LEN : MY_AUTH_NATIVE_LEN;
}

static bool scramble(enum my_auth_plugin plugin, const char *password, const uint8_t nonce[MY_AUTH_NONCE],
                     uint8_t out[MY_AUTH_SHA2_LEN], struct err *err) {
    bool is_done = plugin == MY_AUTH_SHA2 ? sha2_scramble(bytes_str(password), nonce, out)
                                          : native_scramble(bytes_str(password), nonce, out);
    return is_done || err_set(err, ERR_INTERNAL, "the crypto library failed");
}

/* ---- server side ---- */

static bool is_empty_answer(enum my_auth_plugin plugin, struct bytes answer) {
    return answer.len == 0 || (plugin == MY_AUTH_SHA2 && answer.len == 1 && answer.ptr[0] == '\0');
}

bool my_auth_check(enum my_auth_plugin plugin, const char *password, const uint8_t nonce[MY_AUTH_NONCE], struct bytes answer,
                   bool *is_right, struct err *err) {
    uint8_t expected[MY_AUTH_SHA2_LEN];
    size_t len = scramble_len(plugin);
    INVARIANT(plugin == MY_AUTH_NATIVE || plugin == MY_AUTH_SHA2);
    *is_right = false;
    if (!scramble(plugin, password, nonce, expected, err)) return false;
    if (*password == '\0') *is_right = is_empty_answer(plugin, answer);
    else *is_right = answer.len == len && secret_equal(answer.ptr, expected, len);
    secret_wipe(expected, sizeof expected);
    return true;
}

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*   stored = "*" 40 hex digits */
bool my_auth_stored_parse(struct bytes text, struct my_auth_stored *out) {
    if (text.len != MY_AUTH_STORED_LEN || text.ptr[0] != '*') return false;
    static_assert(MY_AUTH_STORED_LEN == 1 + 2 * sizeof out->hash, "two digits a byte");
    for (size_t i = 0; i < sizeof out->hash; i++) {
        int high = hex_value(text.ptr[1 + 2 * i]), low = hex_value(text.ptr[2 + 2 * i]);
        if (high < 0 || low < 0) return false;
        out->hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool my_auth_stored_derive(const char *password, struct my_auth_stored *out, struct err *err) {
    uint8_t once[SHA1_LEN];
    bool is_done = sha1(bytes_str(password), once) && sha1(bytes_of(once, sizeof once), out->hash);
    secret_wipe(once, sizeof once);
    return is_done || err_set(err, ERR_INTERNAL, "the crypto library failed");
}

/* The answer XOR the mask is SHA1(password), if it is right: its hash is the stored one. */
bool my_auth_check_stored(const struct my_auth_stored *stored, const uint8_t nonce[MY_AUTH_NONCE], struct bytes answer,
                          bool *is_right, struct my_auth_keys *keys, struct err *err) {
    uint8_t once[SHA1_LEN], twice[SHA1_LEN];
    bool has_length = answer.len == sizeof once;
    *is_right = false;
    bool is_done = native_mask(nonce, stored->hash, once);
    if (is_done && has_length) xor_into(once, answer.ptr, sizeof once);
    is_done = is_done && sha1(bytes_of(once, sizeof once), twice);
    if (is_done) *is_right = secret_equal(twice, stored->hash, sizeof twice) && has_length;
    if (*is_right && keys) {
        *keys = (struct my_auth_keys){.is_set = true};
        memcpy(keys->native, once, sizeof once);
    }
    secret_wipe(once, sizeof once);
    secret_wipe(twice, sizeof twice);
    return is_done || err_set(err, ERR_INTERNAL, "the crypto library failed");
}

/* ---- client side ---- */

static enum my_auth_step fail(struct err *err, const char *sqlstate, const char *what) {
    err_set(err, sqlstate, "%s", what);
    return MY_AUTH_FAILED;
}

static enum my_auth_step malformed(struct err *err, const char *what) {
    return fail(err, ERR_PROTOCOL_VIOLATION, what);
}

static enum my_auth_step written(const struct writer *out, struct err *err) {
    return out->failed ? fail(err, ERR_OUT_OF_MEMORY, "no room for an answer to its authentication plugin") : MY_AUTH_SEND;
}

/* A server's bytes in a message that people read: what is not printable is shown as a question mark. */
static enum my_auth_step unknown_plugin(struct bytes name, struct err *err) {
    char shown[NAME_SHOWN_MAX + 1];
    size_t len = name.len < NAME_SHOWN_MAX ? name.len : NAME_SHOWN_MAX;
    for (size_t i = 0; i < len; i++) shown[i] = name.ptr[i] > ' ' && name.ptr[i] < 0x7f ? (char)name.ptr[i] : '?';
    shown[len] = '\0';
    err_set(err, ERR_CANNOT_CONNECT, "it asks for the authentication plugin \"%s\", which gilmok does not answer "
                                     "(let the user have %s, %s or ed25519)",
            shown, plugin_names[MY_AUTH_SHA2], plugin_names[MY_AUTH_NATIVE]);
    return MY_AUTH_FAILED;
}

static bool is_blank(struct bytes text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != ' ' && !(text.ptr[i] >= '\t' && text.ptr[i] <= '\r')) return false;
    return true;
}

static EVP_PKEY *rsa_key_of_der(const unsigned char *der, size_t len) {
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *decoder =
        OSSL_DECODER_CTX_new_for_pkey(&key, "DER", "SubjectPublicKeyInfo", "RSA", EVP_PKEY_PUBLIC_KEY, NULL, NULL);
    bool is_read = decoder && OSSL_DECODER_from_data(decoder, &der, &len) && len == 0;
    OSSL_DECODER_CTX_free(decoder);
    if (is_read) return key;
    EVP_PKEY_free(key);
    return NULL;
}

/*
 *   key = "-----BEGIN PUBLIC KEY-----" base64 "-----END PUBLIC KEY-----" white space        of SubjectPublicKeyInfo with RSA
 *
 * Taken apart in two steps: the library's one for both would ask a terminal for the passphrase of a key that says it has one, skip
 * what stands before it, and read keys of every kind.
 */
static EVP_PKEY *read_key(struct bytes text) {
    EVP_PKEY *key = NULL;
    char *name = NULL, *header = NULL, *rest;
    unsigned char *der = NULL;
    long der_len = 0;
    if (text.len > KEY_TEXT_MAX || !bytes_starts_with(text, "-----BEGIN PUBLIC KEY-----")) return NULL;
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    if (bio && PEM_read_bio(bio, &name, &header, &der, &der_len) == 1) {
        long rest_len = BIO_get_mem_data(bio, &rest);
        if (*header == '\0' && is_blank(bytes_of(rest, (size_t)rest_len))) key = rsa_key_of_der(der, (size_t)der_len);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    return key;
}

/* OAEP as servers undo it: SHA-1, and MGF1 with it. Room for as many bytes as the key has is at `out`. */
static bool encrypt(EVP_PKEY *key, struct bytes text, uint8_t *out, size_t *len) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool is_done = ctx && EVP_PKEY_encrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha1()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha1()) == 1 &&
                   EVP_PKEY_encrypt(ctx, out, len, text.ptr, text.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return is_done;
}

/* The password with its NUL, XOR the nonce as often as it takes, by the key. */
static enum my_auth_step send_encrypted(struct my_auth_client *c, EVP_PKEY *key, const char *password, struct writer *out,
                                        struct err *err) {
    uint8_t masked[CIPHER_MAX];
    size_t len = strlen(password) + 1, cipher_len = (size_t)EVP_PKEY_get_size(key);
    if (len + OAEP_OVERHEAD > cipher_len) return fail(err, ERR_CANNOT_CONNECT, "the password is too long for its RSA key");
    uint8_t *cipher = writer_reserve(out, cipher_len);
    if (!cipher) return written(out, err);
    for (size_t i = 0; i < len; i++) masked[i] = (uint8_t)password[i] ^ c->nonce[i % MY_AUTH_NONCE];
    bool is_done = encrypt(key, bytes_of(masked, len), cipher, &cipher_len);
    secret_wipe(masked, sizeof masked);
    if (!is_done) return fail(err, ERR_CANNOT_CONNECT, "the password cannot be encrypted by its RSA key");
    out->len += cipher_len;
    c->is_password_sent = true;
    return MY_AUTH_SEND;
}

static enum my_auth_step take_key(struct my_auth_client *c, struct bytes text, const char *password, struct writer *out,
                                  struct err *err) {
    enum my_auth_step step;
    ERR_clear_error();
    EVP_PKEY *key = read_key(text);
    if (!key) step = malformed(err, "what it sends for its RSA key is no such key");
    else if (EVP_PKEY_get_bits(key) < KEY_BITS_MIN || EVP_PKEY_get_bits(key) > KEY_BITS_MAX)
        step = fail(err, ERR_CANNOT_CONNECT, "its RSA key is not of 2048 to 8192 bits");
    else step = send_encrypted(c, key, password, out, err);
    static_assert(KEY_BITS_MIN == 2048 && KEY_BITS_MAX == 8192, "the sentence above");
    EVP_PKEY_free(key);
    ERR_clear_error(); /* what is left there would be taken for an error of TLS */
    return step;
}

static enum my_auth_step send_whole(struct my_auth_client *c, const char *password, const struct my_auth_way *way,
                                    struct writer *out, struct err *err) {
    bool takes_it_open = way->is_private && !(c->plugin == MY_AUTH_SHA256 && way->takes_key); /* of no unix socket without TLS */
    if (takes_it_open) {
        writer_cstr(out, bytes_str(password));
        c->is_password_sent = true;
    } else if (way->takes_key) {
        writer_u8(out, c->plugin == MY_AUTH_SHA256 ? 1 : 2);
        c->awaits_key = true;
    } else {
        return fail(err, ERR_CANNOT_CONNECT, "it asks for the whole password, and on this way others could read it (set server_tls "
                                             "= verify-ca or verify-full, or reach it by a loopback address or a unix socket)");
    }
    return written(out, err);
}

enum { ANSWER_LEN_MAX = ED25519_SIGNATURE_LEN };
static_assert(ANSWER_LEN_MAX >= (int)MY_AUTH_SHA2_LEN, "every first answer fits");

static size_t answer_len(enum my_auth_plugin plugin) {
    return plugin == MY_AUTH_ED25519 ? ED25519_SIGNATURE_LEN : scramble_len(plugin);
}

/* By the key alone, which is of no use for another plugin. */
static bool answer_by_key(const struct my_auth_client *c, const uint8_t *native_key, uint8_t answer[ANSWER_LEN_MAX],
                          struct err *err) {
    if (c->plugin != MY_AUTH_NATIVE)
        return err_set(err, ERR_CANNOT_CONNECT, "it asks for %s, and all that is known of the password is what a login by %s shows",
                       plugin_names[c->plugin], plugin_names[MY_AUTH_NATIVE]);
    return native_scramble_of(native_key, c->nonce, answer) || err_set(err, ERR_INTERNAL, "the crypto library failed");
}

static bool answer_of(const struct my_auth_client *c, const char *password, uint8_t answer[ANSWER_LEN_MAX], struct err *err) {
    if (c->plugin != MY_AUTH_ED25519) return scramble(c->plugin, password, c->nonce, answer, err);
    return ed25519_sign(bytes_str(password), c->nonce, answer) || err_set(err, ERR_INTERNAL, "the crypto library failed");
}

static enum my_auth_step take_first(struct my_auth_client *c, struct bytes plugin, struct bytes nonce, const char *password,
                                    const uint8_t *native_key, const struct my_auth_way *way, struct writer *out, struct err *err) {
    uint8_t answer[ANSWER_LEN_MAX];
    *c = (struct my_auth_client){.plugin = my_auth_plugin_of(plugin)};
    if (c->plugin == MY_AUTH_OTHER) return unknown_plugin(plugin, err);
    size_t nonce_len = my_auth_nonce_len(c->plugin);
    bool has_nul = nonce.len == nonce_len + 1 && nonce.ptr[nonce_len] == '\0';
    if (nonce.len != nonce_len && !has_nul) return malformed(err, "its nonce is not as long as its authentication plugin has it");
    memcpy(c->nonce, nonce.ptr, nonce_len);
    if (*password == '\0' && !native_key) return MY_AUTH_SEND;
    c->has_answered = true;
    if (c->plugin == MY_AUTH_SHA256 && !native_key) return send_whole(c, password, way, out, err);
    if (native_key ? !answer_by_key(c, native_key, answer, err) : !answer_of(c, password, answer, err)) return MY_AUTH_FAILED;
    writer_put(out, bytes_of(answer, answer_len(c->plugin)));
    secret_wipe(answer, sizeof answer);
    return written(out, err);
}

enum my_auth_step my_auth_client_begin(struct my_auth_client *c, struct bytes plugin, struct bytes nonce, const char *password,
                                       const uint8_t *native_key, const struct my_auth_way *way, struct writer *out,
                                       struct err *err) {
    enum my_auth_step step = take_first(c, plugin, nonce, password, native_key, way, out, err);
    if (step == MY_AUTH_FAILED) c->has_answered = false;
    return step;
}

/*
 * What stands behind the 0x01, of caching_sha2_password:
 *
 *     1   int    3   the scramble was right, an OK packet follows
 *                4   the whole password is wanted
 * or, when it was asked for, of both plugins:
 *     n   text   the RSA key, in PEM
 */
static enum my_auth_step take_more(struct my_auth_client *c, struct bytes data, const char *password, const struct my_auth_way *way,
                                   struct writer *out, struct err *err) {
    if (c->plugin != MY_AUTH_SHA2 && c->plugin != MY_AUTH_SHA256)
        return malformed(err, "it asks for more than its authentication plugin has to say");
    if (!c->has_answered || c->is_accepted || c->is_password_sent || (c->plugin == MY_AUTH_SHA256 && !c->awaits_key))
        return malformed(err, "messages of its authentication plugin in the wrong order");
    if (c->awaits_key) return take_key(c, data, password, out, err);
    if (data.len != 1) return malformed(err, "malformed message of caching_sha2_password");
    if (data.ptr[0] == 4) return send_whole(c, password, way, out, err);
    if (data.ptr[0] != 3) return malformed(err, "unknown message of caching_sha2_password");
    c->is_accepted = true;
    return MY_AUTH_NOTHING;
}

enum my_auth_step my_auth_client_more(struct my_auth_client *c, struct bytes data, const char *password,
                                      const struct my_auth_way *way, struct writer *out, struct err *err) {
    enum my_auth_step step = take_more(c, data, password, way, out, err);
    if (step == MY_AUTH_FAILED) c->has_answered = false;
    return step;
}
