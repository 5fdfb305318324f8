/*
 * scram.c - the arithmetic and the messages of SCRAM-SHA-256, both sides.
 *
 * Owns no memory beyond a call (a prepared password, wiped before return). Knows
 * no sockets, no users and no PostgreSQL framing: SASL payloads in, payloads out.
 *
 * SASLprep without tables (RFC 4013, which PostgreSQL applies to valid UTF-8):
 * - pure ASCII is its own form, as in PostgreSQL;
 * - step 1, mapping (non-ASCII spaces, characters mapped to nothing), is done;
 * - step 2, normalisation to NFKC, is NOT done: a password that NFKC would change
 *   (ligatures, full-width letters, decomposed accents) gives other keys than in
 *   PostgreSQL. Store a verifier for such a user instead of the password;
 * - step 3, prohibited characters, is done: such a password is used as raw bytes;
 * - steps 4 and 5, bidirectional text and unassigned code points, are not checked.
 *   PostgreSQL falls back to raw bytes there, which is what an unmapped password
 *   is anyway; only a password that is mapped as well could differ.
 */
#include "proxy/auth/scram.h"

#include <limits.h>
#include <openssl/evp.h>

#include "base/fault.h"
#include "proxy/auth/digest.h"
#include "proxy/auth/secret.h"

enum {
    BASE64_KEY_LEN = 44,                               /* of SCRAM_KEY_LEN bytes */
    BASE64_SALT_MAX = (SCRAM_SALT_MAX + 2) / 3 * 4,    /* of the longest salt */
    BASE64_NONCE_LEN = SCRAM_NONCE_RAW / 3 * 4,        /* of our own nonce */
    BINDING_TEXT_MAX = (SCRAM_HEADER_MAX + SCRAM_BINDING_MAX + 2) / 3 * 4, /* of a gs2 header and a hash */
    AUTH_MESSAGE_MAX = 3 * SCRAM_MESSAGE_MAX + 2 + 1,  /* three messages and two commas */
};

#define GS2_CANNOT "n,,"
#define GS2_NOT_OFFERED "y,,"
#define GS2_USED "p=tls-server-end-point,,"
static_assert(sizeof GS2_USED <= SCRAM_HEADER_MAX, "the header fits");

static_assert(SCRAM_NONCE_RAW % 3 == 0, "our nonce has no padding");
static_assert(SCRAM_NONCE_MAX >= 2 * BASE64_NONCE_LEN, "two gilmoks can log in to each other");

/* ---- base64, strict: canonical padding, no spaces, unused bits zero ---- */

static int base64_value(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool base64_decode(struct bytes text, uint8_t *out, size_t max, size_t *len) {
    if (text.len == 0 || text.len % 4 != 0) return false;
    size_t pad = text.ptr[text.len - 1] != '=' ? 0 : text.ptr[text.len - 2] != '=' ? 1 : 2;
    if (text.len / 4 * 3 - pad > max) return false;
    uint32_t bits = 0;
    int count = 0;
    size_t at = 0;
    for (size_t i = 0; i < text.len - pad; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[at++] = (uint8_t)(bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    *len = at;
    return bits == 0;
}

static bool base64_key(struct bytes text, uint8_t out[SCRAM_KEY_LEN]) {
    size_t len;
    return text.len == BASE64_KEY_LEN && base64_decode(text, out, SCRAM_KEY_LEN, &len) && len == SCRAM_KEY_LEN;
}

/* `out` has room for the text and a NUL. */
static void base64_encode(const uint8_t *data, size_t len, char *out) {
    EVP_EncodeBlock((unsigned char *)out, data, (int)len);
}

/* ---- SASLprep: what can be done right without tables ---- */

enum prep { PREP_KEEP, PREP_SPACE, PREP_DROP, PREP_PROHIBITED };

static const struct {
    uint32_t first, last;
    enum prep what;
} prep_ranges[] = {
    {0x0000, 0x001f, PREP_PROHIBITED}, /* C.2.1 controls */
    {0x007f, 0x009f, PREP_PROHIBITED}, /* C.2.1, C.2.2 */
    {0x00a0, 0x00a0, PREP_SPACE},      /* C.1.2 */
    {0x00ad, 0x00ad, PREP_DROP},       /* B.1 */
    {0x034f, 0x034f, PREP_DROP},
    {0x06dd, 0x06dd, PREP_PROHIBITED},
    {0x070f, 0x070f, PREP_PROHIBITED},
    {0x1680, 0x1680, PREP_SPACE},
    {0x1806, 0x1806, PREP_DROP},
    {0x180b, 0x180d, PREP_DROP},
    {0x180e, 0x180e, PREP_PROHIBITED},
    {0x2000, 0x200b, PREP_SPACE}, /* U+200B is in B.1 too; PostgreSQL takes it as a space */
    {0x200c, 0x200d, PREP_DROP},
    {0x200e, 0x200f, PREP_PROHIBITED}, /* C.8 */
    {0x2028, 0x202e, PREP_PROHIBITED},
    {0x202f, 0x202f, PREP_SPACE},
    {0x205f, 0x205f, PREP_SPACE},
    {0x2060, 0x2060, PREP_DROP},
    {0x2061, 0x2063, PREP_PROHIBITED},
    {0x206a, 0x206f, PREP_PROHIBITED},
    {0x2ff0, 0x2ffb, PREP_PROHIBITED}, /* C.7 */
    {0x3000, 0x3000, PREP_SPACE},
    {0xe000, 0xf8ff, PREP_PROHIBITED}, /* C.3 private use */
    {0xfdd0, 0xfdef, PREP_PROHIBITED}, /* C.4 */
    {0xfe00, 0xfe0f, PREP_DROP},
    {0xfeff, 0xfeff, PREP_DROP},
    {0xfff9, 0xfffd, PREP_PROHIBITED}, /* C.6 */
    {0x1d173, 0x1d17a, PREP_PROHIBITED},
    {0xe0001, 0xe0001, PREP_PROHIBITED}, /* C.9 */
    {0xe0020, 0xe007f, PREP_PROHIBITED},
    {0xf0000, 0x10ffff, PREP_PROHIBITED},
};

static enum prep prep_of(uint32_t c) {
    if ((c & 0xfffe) == 0xfffe) return PREP_PROHIBITED; /* C.4: the last two of each plane */
    for (size_t i = 0; i < COUNT_OF(prep_ranges); i++) {
        if (c >= prep_ranges[i].first && c <= prep_ranges[i].last) return prep_ranges[i].what;
    }
    return PREP_KEEP;
}

/* Decodes one character of a NUL-terminated text; 0 when it is not well-formed UTF-8. */
static size_t utf8_next(const uint8_t *p, uint32_t *c) {
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    *c = p[0];
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    *c = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        *c = *c << 6 | (p[i] & 0x3fu);
    }
    bool is_surrogate = *c >= 0xd800 && *c <= 0xdfff;
    return *c < lowest[len] || *c > 0x10ffff || is_surrogate ? 0 : len;
}

/* Writes the mapped form, never longer than the password. 0 when raw bytes are to be used. */
static size_t map_password(const char *password, uint8_t *out) {
    size_t len = 0;
    bool is_ascii = true;
    for (const uint8_t *p = (const uint8_t *)password; *p;) {
        uint32_t c;
        size_t step = utf8_next(p, &c);
        if (step == 0) return 0;
        if (step > 1) is_ascii = false;
        enum prep what = prep_of(c);
        if (what == PREP_PROHIBITED) return 0;
        if (what == PREP_SPACE) {
            out[len++] = ' ';
        } else if (what == PREP_KEEP) {
            memcpy(out + len, p, step);
            len += step;
        }
        p += step;
    }
    return is_ascii ? 0 : len;
}

/* ---- keys ---- */

static bool hmac(const uint8_t key[SCRAM_KEY_LEN], struct bytes data, uint8_t out[SCRAM_KEY_LEN]) {
    return digest_hmac(bytes_of(key, SCRAM_KEY_LEN), data, out);
}

static bool sha256(const uint8_t key[SCRAM_KEY_LEN], uint8_t out[SCRAM_KEY_LEN]) {
    return digest_sha256(bytes_of(key, SCRAM_KEY_LEN), out);
}

static bool derive_keys(const char *password, const uint8_t *salt, size_t salt_len, uint32_t iterations,
                        uint8_t client_key[SCRAM_KEY_LEN], uint8_t server_key[SCRAM_KEY_LEN]) {
    size_t raw_len = strlen(password);
    if (raw_len > INT_MAX - 1) return false;
    uint8_t *prepared = mem_alloc(raw_len + 1);
    if (!prepared) return false;
    size_t len = map_password(password, prepared);
    const char *used = len > 0 ? (const char *)prepared : password;
    if (len == 0) len = raw_len;

    uint8_t salted[SCRAM_KEY_LEN];
    bool is_done = PKCS5_PBKDF2_HMAC(used, (int)len, salt, (int)salt_len, (int)iterations, EVP_sha256(), SCRAM_KEY_LEN,
                                     salted) == 1 &&
                   hmac(salted, bytes_str("Client Key"), client_key) &&
                   hmac(salted, bytes_str("Server Key"), server_key);
    secret_wipe(salted, sizeof(salted));
    secret_wipe(prepared, raw_len + 1);
    mem_free(prepared);
    return is_done;
}

static bool is_salt_len(size_t len) {
    return len >= 1 && len <= SCRAM_SALT_MAX;
}

static bool is_iterations(uint64_t count) {
    return count >= SCRAM_ITERATIONS_MIN && count <= SCRAM_ITERATIONS_MAX;
}

/* Plain decimal without sign, spaces or leading zeros, within the limits. */
static bool parse_iterations(struct bytes text, uint32_t *out) {
    uint64_t count = 0;
    if (text.len == 0 || text.len > 9 || text.ptr[0] == '0') return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        count = count * 10 + (text.ptr[i] - '0');
    }
    *out = (uint32_t)count;
    return is_iterations(count);
}

/* ---- stored verifiers ---- */

/* Cuts the part before the next `end` off the text. */
static bool take_part(struct bytes *text, char end, struct bytes *part) {
    const uint8_t *at = text->len > 0 ? memchr(text->ptr, end, text->len) : NULL;
    if (!at) return false;
    *part = bytes_of(text->ptr, (size_t)(at - text->ptr));
    *text = bytes_of(at + 1, text->len - part->len - 1);
    return true;
}

bool scram_verifier_parse(struct bytes text, struct scram_verifier *out) {
    struct bytes method, iterations, salt, stored;
    size_t salt_len;
    *out = (struct scram_verifier){0};
    if (!take_part(&text, '$', &method) || !take_part(&text, ':', &iterations) || !take_part(&text, '$', &salt) ||
        !take_part(&text, ':', &stored))
        return false;
    if (!bytes_is(method, SCRAM_MECHANISM) || !parse_iterations(iterations, &out->iterations) ||
        !base64_decode(salt, out->salt, sizeof(out->salt), &salt_len) || !base64_key(stored, out->stored_key) ||
        !base64_key(text, out->server_key))
        return false;
    out->salt_len = (uint8_t)salt_len;
    return true;
}

bool scram_verifier_derive(const char *password, const uint8_t *salt, size_t salt_len, uint32_t iterations,
                           struct scram_verifier *out) {
    uint8_t client_key[SCRAM_KEY_LEN];
    if (!is_salt_len(salt_len) || !is_iterations(iterations)) return false;
    *out = (struct scram_verifier){.iterations = iterations, .salt_len = (uint8_t)salt_len};
    memcpy(out->salt, salt, salt_len);
    bool is_done = derive_keys(password, salt, salt_len, iterations, client_key, out->server_key) &&
                   sha256(client_key, out->stored_key);
    secret_wipe(client_key, sizeof(client_key));
    return is_done;
}

/* ---- message parts ---- */

/*
 * Reads "X=value" up to a comma or the end, and the comma with it:
 *
 *   attr-val = ALPHA "=" value      value = any bytes but comma (and NUL, see is_message)
 *
 * A comma with nothing behind it is an error, as is a message used up too early.
 */
static bool take_attr(struct bytes *rest, char *name, struct bytes *value) {
    if (rest->len < 2 || rest->ptr[1] != '=') return false;
    *name = (char)rest->ptr[0];
    if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z'))) return false;
    struct bytes tail = bytes_of(rest->ptr + 2, rest->len - 2);
    const uint8_t *comma = tail.len > 0 ? memchr(tail.ptr, ',', tail.len) : NULL;
    if (!comma) {
        *value = tail;
        *rest = bytes_of(tail.ptr + tail.len, 0);
        return true;
    }
    *value = bytes_of(tail.ptr, (size_t)(comma - tail.ptr));
    *rest = bytes_of(comma + 1, tail.len - value->len - 1);
    return rest->len > 0;
}

static bool take_named(struct bytes *rest, char name, struct bytes *value) {
    char found;
    return take_attr(rest, &found, value) && found == name;
}

static bool is_message(struct bytes message) {
    return message.len > 0 && message.len < SCRAM_MESSAGE_MAX && !memchr(message.ptr, 0, message.len);
}

static bool is_nonce(struct bytes nonce) {
    if (nonce.len == 0 || nonce.len > SCRAM_NONCE_MAX) return false;
    for (size_t i = 0; i < nonce.len; i++) {
        if (nonce.ptr[i] < 0x21 || nonce.ptr[i] > 0x7e || nonce.ptr[i] == ',') return false;
    }
    return true;
}

static bool is_same(struct bytes a, struct bytes b) {
    return a.len == b.len && secret_equal(a.ptr, b.ptr, a.len);
}

static void copy_str(char *out, size_t size, struct bytes text) {
    INVARIANT(text.len < size);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static enum scram_result malformed(struct err *err, const char *detail) {
    err_set(err, ERR_PROTOCOL_VIOLATION, "malformed SCRAM message");
    err_detail(err, "%s", detail);
    return SCRAM_MALFORMED;
}

/* What both sides sign: "client-first-bare,server-first,client-final-without-proof". */
struct auth_text {
    uint8_t data[AUTH_MESSAGE_MAX];
    struct bytes text;
};

static void auth_text_build(struct auth_text *a, const char *client_first_bare, struct bytes server_first,
                            struct bytes final_bare) {
    struct writer w;
    writer_init_fixed(&w, a->data, sizeof(a->data));
    writer_str(&w, client_first_bare);
    writer_u8(&w, ',');
    writer_put(&w, server_first);
    writer_u8(&w, ',');
    writer_put(&w, final_bare);
    INVARIANT(!w.failed); /* each part is below SCRAM_MESSAGE_MAX */
    a->text = writer_bytes(&w);
}

/* What stands behind c=: the gs2 header, and the hash where it says that one is bound to. `out` has BINDING_TEXT_MAX + 1 bytes. */
static void put_binding(const char *gs2_header, const struct scram_binding *binding, char *out) {
    uint8_t data[SCRAM_HEADER_MAX + SCRAM_BINDING_MAX];
    struct writer w;
    writer_init_fixed(&w, data, sizeof data);
    writer_str(&w, gs2_header);
    if (gs2_header[0] == 'p') writer_put(&w, bytes_of(binding->hash, binding->len));
    INVARIANT(!w.failed);
    base64_encode(data, w.len, out);
}

static void set_keys(struct scram_keys *out, const struct scram_verifier *v, const uint8_t client_key[SCRAM_KEY_LEN]) {
    *out = (struct scram_keys){.is_set = true, .iterations = v->iterations, .salt_len = v->salt_len};
    memcpy(out->salt, v->salt, v->salt_len);
    memcpy(out->client_key, client_key, SCRAM_KEY_LEN);
    memcpy(out->server_key, v->server_key, SCRAM_KEY_LEN);
}

bool scram_keys_are_wanted(const struct scram_keys *known, const struct scram_keys *fresh) {
    if (known->is_set || !fresh->is_set) return false;
    return known->salt_len == 0 || (known->iterations == fresh->iterations && is_same(bytes_of(known->salt, known->salt_len),
                                                                                      bytes_of(fresh->salt, fresh->salt_len)));
}

bool scram_verifier_keys(const struct scram_verifier *v, const char *password, struct scram_keys *out) {
    uint8_t client_key[SCRAM_KEY_LEN], server_key[SCRAM_KEY_LEN];
    bool is_done = derive_keys(password, v->salt, v->salt_len, v->iterations, client_key, server_key);
    if (is_done) set_keys(out, v, client_key);
    secret_wipe(client_key, sizeof client_key);
    secret_wipe(server_key, sizeof server_key);
    return is_done;
}

/* ---- server side ---- */

static bool refuse_binding(struct err *err, const char *detail) {
    err_set(err, ERR_INVALID_AUTHORIZATION, "SCRAM channel binding negotiation error");
    err_detail(err, "%s", detail);
    return false;
}

/*
 *   gs2-header = ("n" | "y" | "p=" type) "," [ "a=" name ] ","
 *
 * What the client says about channel binding, and on whose behalf it acts. Its length in the message, or 0.
 */
static size_t read_gs2_header(struct scram_server *s, struct bytes message, struct err *err) {
    static const char *const known[] = {GS2_CANNOT, GS2_NOT_OFFERED, GS2_USED};
    const char *header = NULL;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (bytes_starts_with(message, known[i])) header = known[i];
    if (message.len > 3 && message.ptr[0] != 'p' && message.ptr[1] == ',' && message.ptr[2] == 'a')
        return err_set(err, ERR_FEATURE_NOT_SUPPORTED, "logging in on behalf of another user is not supported");
    if (!header && message.ptr[0] == 'p' && s->is_plus)
        return err_set(err, ERR_FEATURE_NOT_SUPPORTED, "the type of channel binding is not supported: tls-server-end-point is");
    if (!header || s->is_plus != (header[0] == 'p')) {
        malformed(err, "client-first does not begin with the channel binding flag of its mechanism");
        return 0;
    }
    if (header[0] == 'y' && s->binding.len)
        return refuse_binding(err, "The client saw no offer of channel binding, but there was one: somebody may be in between.");
    copy_str(s->gs2_header, sizeof s->gs2_header, bytes_str(header));
    return strlen(header);
}

/*
 *   client-first-bare = "n=" name ",r=" nonce *("," extension)
 *
 * The name is not looked at. Extensions are optional by their nature and skipped;
 * the mandatory one ("m=") comes first and so fails as a missing name.
 */
static bool read_client_first(struct bytes bare, struct bytes *nonce, struct err *err) {
    struct bytes rest = bare, value;
    char name;
    bool is_good = take_named(&rest, 'n', &value) && take_named(&rest, 'r', nonce) && is_nonce(*nonce);
    while (is_good && rest.len > 0) is_good = take_attr(&rest, &name, &value) && name != 'm';
    if (!is_good) malformed(err, "client-first is not n=NAME,r=NONCE");
    return is_good;
}

void scram_server_init(struct scram_server *s) {
    s->server_first[0] = '\0';
    s->binding.len = 0;
    s->is_plus = s->has_client_key = false;
}

void scram_server_offer(struct scram_server *s, const struct scram_binding *binding) {
    s->binding = *binding;
}

bool scram_server_choose(struct scram_server *s, struct bytes mechanism) {
    s->is_plus = s->binding.len && bytes_is(mechanism, SCRAM_MECHANISM_PLUS);
    return s->is_plus || bytes_is(mechanism, SCRAM_MECHANISM);
}

void scram_server_wipe(struct scram_server *s) {
    secret_wipe(&s->verifier, sizeof s->verifier);
    secret_wipe(s->client_key, sizeof s->client_key);
    s->has_client_key = false;
}

void scram_server_keys(const struct scram_server *s, struct scram_keys *out) {
    INVARIANT(s->has_client_key);
    set_keys(out, &s->verifier, s->client_key);
}

enum scram_result scram_server_first(struct scram_server *s, const struct scram_verifier *verifier,
                                     struct bytes client_first, const uint8_t *nonce, struct writer *out,
                                     struct err *err) {
    struct bytes client_nonce;
    s->server_first[0] = '\0'; /* no client-final is accepted unless this call succeeds */
    s->has_client_key = false;
    INVARIANT(is_salt_len(verifier->salt_len) && is_iterations(verifier->iterations));
    if (!is_message(client_first)) return malformed(err, "client-first is empty, too long or holds a NUL");
    size_t header_len = read_gs2_header(s, client_first, err);
    if (!header_len) return SCRAM_MALFORMED;
    struct bytes bare = bytes_of(client_first.ptr + header_len, client_first.len - header_len);
    if (!read_client_first(bare, &client_nonce, err)) return SCRAM_MALFORMED;

    s->verifier = *verifier;
    copy_str(s->client_first_bare, sizeof(s->client_first_bare), bare);
    copy_str(s->nonce, sizeof(s->nonce), client_nonce);
    base64_encode(nonce, SCRAM_NONCE_RAW, s->nonce + client_nonce.len);
    char salt[BASE64_SALT_MAX + 1];
    base64_encode(verifier->salt, verifier->salt_len, salt);

    struct writer w;
    writer_init_fixed(&w, s->server_first, sizeof(s->server_first));
    writer_str(&w, "r=");
    writer_str(&w, s->nonce);
    writer_str(&w, ",s=");
    writer_str(&w, salt);
    writer_fmt(&w, ",i=%u", verifier->iterations);
    writer_put(out, writer_bytes(&w));
    writer_u8(&w, 0);
    INVARIANT(!w.failed);
    return SCRAM_OK;
}

/*
 *   client-final = "c=" base64(gs2 header, hash if bound) ",r=" nonce *("," extension) ",p=" base64(proof)
 *
 * `bare` is what stands before ",p=".
 */
static const char binding_differs[] = "the channel binding data does not match client-first";

static const char *read_client_final(const struct scram_server *s, struct bytes message, uint8_t proof[SCRAM_KEY_LEN],
                                     struct bytes *bare) {
    char binding[BINDING_TEXT_MAX + 1];
    put_binding(s->gs2_header, &s->binding, binding);
    struct bytes rest = message, value;
    char name;
    if (!take_named(&rest, 'c', &value)) return "client-final does not begin with c=";
    if (!bytes_is(value, binding)) return binding_differs;
    if (!take_named(&rest, 'r', &value)) return "client-final holds no nonce";
    if (!is_same(value, bytes_str(s->nonce))) return "the nonce is not the one of this login";
    do {
        if (!take_attr(&rest, &name, &value) || name == 'm') return "client-final holds no proof";
    } while (name != 'p');
    if (rest.len > 0) return "the proof is not the last part of client-final";
    if (!base64_key(value, proof)) return "the proof is not base64 of 32 bytes";
    *bare = bytes_of(message.ptr, (size_t)(value.ptr - message.ptr) - strlen(",p="));
    return NULL;
}

/* Whether the proof's client key, which is kept if so, hashes to the stored one. False return: the crypto library failed. */
static bool check_proof(struct scram_server *s, struct bytes auth, const uint8_t proof[SCRAM_KEY_LEN], bool *is_right) {
    const struct scram_verifier *v = &s->verifier;
    uint8_t hashed[SCRAM_KEY_LEN];
    if (!hmac(v->stored_key, auth, s->client_key)) return false;
    for (size_t i = 0; i < SCRAM_KEY_LEN; i++) s->client_key[i] ^= proof[i];
    bool is_done = sha256(s->client_key, hashed);
    *is_right = is_done && secret_equal(hashed, v->stored_key, sizeof(hashed));
    return is_done;
}

enum scram_result scram_server_final(struct scram_server *s, struct bytes client_final, struct writer *out,
                                     struct err *err) {
    uint8_t proof[SCRAM_KEY_LEN], signature[SCRAM_KEY_LEN];
    struct bytes bare;
    bool is_right = false;
    if (s->server_first[0] == '\0') return malformed(err, "client-final came without client-first");
    if (!is_message(client_final)) return malformed(err, "client-final is empty, too long or holds a NUL");
    const char *wrong = read_client_final(s, client_final, proof, &bare);
    if (wrong == binding_differs && s->is_plus) {
        err_set(err, ERR_INVALID_AUTHORIZATION, "SCRAM channel binding check failed");
        return SCRAM_MALFORMED;
    }
    if (wrong) return malformed(err, wrong);

    struct auth_text auth;
    auth_text_build(&auth, s->client_first_bare, bytes_str(s->server_first), bare);
    s->server_first[0] = '\0'; /* one try for each nonce */
    /* Both are computed for right and wrong proofs alike, so that time tells nothing. */
    bool is_done = check_proof(s, auth.text, proof, &is_right);
    if (!hmac(s->verifier.server_key, auth.text, signature) || !is_done) {
        err_set(err, ERR_INTERNAL, "the crypto library failed while checking a password");
        return SCRAM_MALFORMED;
    }
    if (!is_right) {
        err_set(err, ERR_INVALID_PASSWORD, "password authentication failed");
        return SCRAM_REFUSED;
    }
    s->has_client_key = true;
    char text[BASE64_KEY_LEN + 1];
    base64_encode(signature, sizeof(signature), text);
    writer_str(out, "v=");
    writer_str(out, text);
    return SCRAM_OK;
}

/* ---- client side ---- */

static const char *gs2_header_of(enum scram_binding_use use) {
    return use == SCRAM_BINDING_USED ? GS2_USED : use == SCRAM_BINDING_NOT_OFFERED ? GS2_NOT_OFFERED : GS2_CANNOT;
}

bool scram_client_first(struct scram_client *c, enum scram_binding_use use, const struct scram_binding *binding,
                        const uint8_t *nonce, struct writer *out) {
    *c = (struct scram_client){.use = use};
    INVARIANT((use == SCRAM_BINDING_USED) == (binding && binding->len));
    if (binding) c->binding = *binding;
    base64_encode(nonce, SCRAM_NONCE_RAW, c->client_nonce);
    struct writer w;
    writer_init_fixed(&w, c->client_first_bare, sizeof(c->client_first_bare));
    writer_str(&w, "n=,r=");
    writer_cstr(&w, bytes_str(c->client_nonce));
    INVARIANT(!w.failed);
    writer_fmt(out, "%s%s", gs2_header_of(use), c->client_first_bare);
    return !out->failed;
}

struct server_first {
    struct bytes nonce;
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_len;
    uint32_t iterations;
};

/*   server-first = "r=" nonce ",s=" base64(salt) ",i=" count        (extensions are refused, as in libpq) */
static const char *read_server_first(const struct scram_client *c, struct bytes message, struct server_first *out) {
    struct bytes rest = message, salt, iterations;
    if (!is_message(message)) return "server-first is empty, too long or holds a NUL";
    if (!take_named(&rest, 'r', &out->nonce) || !is_nonce(out->nonce)) return "server-first holds no valid nonce";
    size_t own_len = strlen(c->client_nonce);
    if (own_len == 0 || out->nonce.len <= own_len || !secret_equal(out->nonce.ptr, c->client_nonce, own_len))
        return "the server's nonce does not extend ours";
    if (!take_named(&rest, 's', &salt) || !base64_decode(salt, out->salt, sizeof(out->salt), &out->salt_len))
        return "server-first holds no valid salt";
    if (!take_named(&rest, 'i', &iterations) || rest.len > 0) return "server-first does not end with a count";
    if (!parse_iterations(iterations, &out->iterations)) return "the iteration count is not between 1 and 100000";
    static_assert(SCRAM_ITERATIONS_MIN == 1 && SCRAM_ITERATIONS_MAX == 100000, "the sentence above");
    return NULL;
}

/* Keys that fit the server's salt and count: the ones at hand, or new ones (PBKDF2). */
static bool ensure_keys(struct scram_keys *keys, const char *password, const struct server_first *first) {
    if (keys->is_set && keys->iterations == first->iterations &&
        is_same(bytes_of(keys->salt, keys->salt_len), bytes_of(first->salt, first->salt_len)))
        return true;
    secret_wipe(keys, sizeof(*keys)); /* they are of no use here any more */
    keys->iterations = first->iterations;
    keys->salt_len = (uint8_t)first->salt_len;
    memcpy(keys->salt, first->salt, first->salt_len);
    if (!password) return false;
    keys->is_set =
        derive_keys(password, first->salt, first->salt_len, first->iterations, keys->client_key, keys->server_key);
    return keys->is_set;
}

/* The proof for the server, and the signature that the server must answer with. */
static bool prove(struct scram_client *c, const struct scram_keys *keys, struct bytes auth,
                  uint8_t proof[SCRAM_KEY_LEN]) {
    uint8_t stored_key[SCRAM_KEY_LEN];
    bool is_done = sha256(keys->client_key, stored_key) && hmac(stored_key, auth, proof) &&
                   hmac(keys->server_key, auth, c->server_signature);
    for (size_t i = 0; is_done && i < SCRAM_KEY_LEN; i++) proof[i] ^= keys->client_key[i];
    secret_wipe(stored_key, sizeof(stored_key));
    return is_done;
}

bool scram_client_final(struct scram_client *c, const char *password, struct bytes server_first,
                        struct scram_keys *keys, struct writer *out, struct err *err) {
    struct server_first first;
    c->is_final_sent = false;
    const char *wrong = read_server_first(c, server_first, &first);
    if (wrong) {
        malformed(err, wrong);
        return false;
    }
    char bare[SCRAM_NONCE_MAX + BINDING_TEXT_MAX + 16], binding[BINDING_TEXT_MAX + 1];
    struct writer w;
    put_binding(gs2_header_of(c->use), &c->binding, binding);
    writer_init_fixed(&w, bare, sizeof(bare));
    writer_fmt(&w, "c=%s,r=", binding);
    writer_put(&w, first.nonce);
    INVARIANT(!w.failed);

    struct auth_text auth;
    uint8_t proof[SCRAM_KEY_LEN];
    auth_text_build(&auth, c->client_first_bare, server_first, writer_bytes(&w));
    bool has_keys = ensure_keys(keys, password, &first);
    if (!has_keys && !password)
        return err_set(err, ERR_CANNOT_CONNECT,
                       "its SCRAM verifier of the user has another salt or count of iterations than gilmok's (store the "
                                                "server's own verifier in user_file, or use server_user)");
    if (!has_keys || !prove(c, keys, auth.text, proof)) return err_set(err, ERR_INTERNAL, "cannot derive the keys of a password");
    char text[BASE64_KEY_LEN + 1];
    base64_encode(proof, sizeof(proof), text);
    writer_put(out, writer_bytes(&w));
    writer_fmt(out, ",p=%s", text);
    if (out->failed) return err_set(err, ERR_OUT_OF_MEMORY, "no room for a SCRAM message");
    c->client_nonce[0] = '\0'; /* a second server-first is refused */
    c->is_final_sent = true;
    return true;
}

/*   server-final = "v=" base64(signature) | "e=" reason */
bool scram_client_verify(struct scram_client *c, struct bytes server_final, struct err *err) {
    uint8_t signature[SCRAM_KEY_LEN];
    struct bytes rest = server_final, value;
    char name;
    bool is_expected = c->is_final_sent;
    c->is_final_sent = false; /* one answer for each login */
    if (!is_expected || !is_message(server_final) || !take_attr(&rest, &name, &value) || rest.len > 0) {
        malformed(err, is_expected ? "server-final is not v=SIGNATURE" : "server-final came out of turn");
        return false;
    }
    /* The reason's text is the server's; what matters is in the ErrorResponse that follows. */
    if (name == 'e') return err_set(err, ERR_INVALID_PASSWORD, "the server refused the SCRAM login");
    if (name != 'v' || !base64_key(value, signature)) {
        malformed(err, "server-final is not v=SIGNATURE");
        return false;
    }
    if (!secret_equal(signature, c->server_signature, sizeof(signature)))
        return err_set(err, ERR_INVALID_AUTHORIZATION, "the server did not prove that it knows the password");
    return true;
}
