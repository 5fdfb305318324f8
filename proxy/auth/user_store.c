/*
 * user_store.c - the list of users; owns every secret in it and wipes each on release.
 *
 * Knows no files (the text is handed in) and no connections. Errors name lines and
 * users, never secrets.
 */
#include "proxy/auth/user_store.h"

#include "base/fault.h"
#include "proxy/auth/digest.h"
#include "proxy/auth/secret.h"

void user_store_init(struct user_store *s, const uint8_t mock_key[32]) {
    map_init(&s->users);
    s->scram_only = 0;
    memset(s->only, 0, sizeof(s->only));
    s->allows_md5 = false;
    memcpy(s->mock_key, mock_key, sizeof(s->mock_key));
    s->mock_sha2 = (struct sha_crypt){.rounds = SHA_CRYPT_ROUNDS_DEFAULT}; /* its digest is none: no password has it */
    memcpy(s->mock_sha2.salt, mock_key, sizeof(s->mock_sha2.salt));
    INVARIANT(ed25519_init() && ed25519_derive(bytes_of(s->mock_key, sizeof(s->mock_key)), &s->mock_ed25519));
}

static void secret_free(struct user_secret *secret) {
    if (secret->password) secret_wipe(secret->password, strlen(secret->password));
    mem_free(secret->password);
    secret_wipe(secret, sizeof(*secret));
    mem_free(secret);
}

void user_store_release(struct user_store *s) {
    struct bytes name;
    void *value;
    size_t at = 0;
    while (map_next(&s->users, &at, &name, &value)) secret_free(value);
    map_release(&s->users);
    secret_wipe(s->mock_key, sizeof(s->mock_key));
}

/* ---- the file ---- */

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct bytes *rest) {
    while (rest->len > 0 && is_blank(rest->ptr[0])) *rest = bytes_of(rest->ptr + 1, rest->len - 1);
}

static bool is_comment(struct bytes rest) {
    return rest.len > 0 && (rest.ptr[0] == ';' || rest.ptr[0] == '#');
}

/*
 *   quoted = '"' *(any byte but '"' and NUL | '""') '"'
 *
 * `out` gets the text with a NUL behind it; `what` names it in errors.
 */
static bool take_quoted(struct bytes *rest, char *out, size_t max, const char *what, struct err *err) {
    if (rest->len == 0 || rest->ptr[0] != '"') return err_set(err, ERR_CONFIG, "the %s must be in double quotes", what);
    size_t len = 0;
    for (size_t i = 1; i < rest->len; i++) {
        uint8_t c = rest->ptr[i];
        if (c == '"' && !(i + 1 < rest->len && rest->ptr[i + 1] == '"')) {
            out[len] = '\0';
            *rest = bytes_of(rest->ptr + i + 1, rest->len - i - 1);
            if (len == 0) return err_set(err, ERR_CONFIG, "the %s is empty", what);
            return true;
        }
        if (c == '"') i++; /* a doubled quote is one quote */
        if (c == '\0') return err_set(err, ERR_CONFIG, "the %s holds a NUL byte", what);
        if (len == max) return err_set(err, ERR_CONFIG, "the %s is longer than %zu bytes", what, max);
        out[len++] = (char)c;
    }
    return err_set(err, ERR_CONFIG, "the %s has no closing quote on its line", what);
}

#define ED25519_PREFIX "ed25519:" /* without it 43 characters may be a password */

static bool fill_ed25519(struct user_secret *out, struct bytes text, struct err *err) {
    size_t len = strlen(ED25519_PREFIX);
    out->has_ed25519 = ed25519_key_parse(bytes_of(text.ptr + len, text.len - len), &out->ed25519);
    if (out->has_ed25519) return true;
    err_set(err, ERR_CONFIG, "the key of ed25519 is not valid");
    err_hint(err, "The form is ed25519:KEY, with the %d characters that MariaDB shows of it (SHOW CREATE USER).",
             ED25519_STORED_LEN);
    return false;
}

static bool fill_sha2(struct user_secret *out, struct bytes text, struct err *err) {
    out->has_sha2 = sha_crypt_parse(text, &out->sha2);
    if (out->has_sha2) return true;
    err_set(err, ERR_CONFIG, "the hash of caching_sha2_password or sha256_password is not valid");
    err_hint(err, "The form is 0x and hex digits, as SHOW CREATE USER says with print_identified_with_as_hex; at most %d rounds.",
             SHA_CRYPT_ROUNDS_MAX);
    return false;
}

/* Sorts out which kind of secret it is. */
static bool fill_secret(struct user_secret *out, struct bytes text, bool allows_md5, struct err *err) {
    if (md5_verifier_parse(text, &out->md5)) {
        out->has_md5 = true;
        if (allows_md5) return true;
        err_set(err, ERR_CONFIG, "md5 secrets are of no use with this client_auth");
        err_hint(err, "Store the password, or the user's SCRAM verifier from pg_authid.");
        return false;
    }
    if (bytes_starts_with(text, SCRAM_MECHANISM "$")) {
        if (!scram_verifier_parse(text, &out->verifier)) {
            err_set(err, ERR_CONFIG, "the SCRAM verifier is not valid");
            err_hint(err, "The form is SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, with at most %d iterations.",
                     SCRAM_ITERATIONS_MAX);
            return false;
        }
        out->has_verifier = true;
        return true;
    }
    out->has_native = my_auth_stored_parse(text, &out->native);
    if (out->has_native) return true;
    if (bytes_starts_with(text, ED25519_PREFIX)) return fill_ed25519(out, text, err);
    if (sha_crypt_is_meant(text)) return fill_sha2(out, text, err);
    out->password = mem_strdup((const char *)text.ptr, text.len);
    return out->password || err_set(err, ERR_OUT_OF_MEMORY, "out of memory while reading users");
}

static bool is_md5_able(const struct user_secret *secret) {
    return secret->has_md5 || secret->password;
}

enum my_auth_plugin user_secret_plugin(const struct user_secret *secret) {
    if (secret->has_sha2) return MY_AUTH_SHA2;
    return secret->has_ed25519 ? MY_AUTH_ED25519 : MY_AUTH_NATIVE;
}

static bool add_user(struct user_store *s, const char *name, const char *secret, struct err *err) {
    if (map_get(&s->users, bytes_str(name)))
        return err_set(err, ERR_CONFIG, "user \"%s\" is listed twice", name);
    struct user_secret *entry = mem_alloc(sizeof(*entry));
    if (!entry) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory while reading users");
    if (!fill_secret(entry, bytes_str(secret), s->allows_md5, err)) {
        secret_free(entry);
        return false;
    }
    if (!map_put(&s->users, bytes_str(name), entry)) {
        secret_free(entry);
        return err_set(err, ERR_OUT_OF_MEMORY, "out of memory while reading users");
    }
    if (!is_md5_able(entry)) s->scram_only++;
    if (user_secret_is_of_mysql(entry)) s->only[user_secret_plugin(entry)]++;
    return true;
}

/*   line = [ quoted-name 1*blank quoted-secret ] [ comment ] */
static bool parse_line(struct user_store *s, struct bytes rest, struct err *err) {
    char name[USER_NAME_MAX + 1], secret[USER_PASSWORD_MAX + 1];
    skip_blanks(&rest);
    if (rest.len == 0 || is_comment(rest)) return true;
    if (!take_quoted(&rest, name, USER_NAME_MAX, "user name", err)) return false;
    if (rest.len == 0 || !is_blank(rest.ptr[0]))
        return err_set(err, ERR_CONFIG, "a user name must be followed by a space and a secret");
    skip_blanks(&rest);
    bool is_good = take_quoted(&rest, secret, USER_PASSWORD_MAX, "secret", err);
    skip_blanks(&rest);
    if (is_good && rest.len > 0 && !is_comment(rest))
        is_good = err_set(err, ERR_CONFIG, "only a comment may follow the secret");
    is_good = is_good && add_user(s, name, secret, err);
    secret_wipe(secret, sizeof(secret));
    return is_good;
}

bool user_store_parse(struct user_store *s, struct bytes text, int *line, struct err *err) {
    *line = 1;
    if (text.len > USER_FILE_MAX)
        return err_set(err, ERR_CONFIG, "the user file is larger than %d bytes", USER_FILE_MAX);
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        if (!parse_line(s, bytes_of(text.ptr, len), err)) return false;
        if (!end) break;
        text = bytes_of(end + 1, text.len - len - 1);
        (*line)++;
    }
    return true;
}

/* ---- logins ---- */

const struct user_secret *user_store_find(const struct user_store *s, struct bytes name) {
    return map_get(&s->users, name);
}

const char *user_store_server_secret(const struct user_secret *secret) {
    if (!secret) return NULL;
    return secret->has_md5 ? secret->md5.text : secret->password;
}

/*
 * Also run for known users, whose derived verifiers take their salt from it: a
 * salt then looks the same whether the user exists or not. One HMAC(mock_key, name)
 * gives all parts: the salt shows half of it, which is no help, for nobody can name
 * a key that hashes to the stored key, and a mock is refused whatever the proof.
 */
static bool make_mock(const struct user_store *s, struct bytes name, struct scram_verifier *out) {
    uint8_t made[SCRAM_KEY_LEN];
    if (!digest_hmac(bytes_of(s->mock_key, sizeof(s->mock_key)), name, made)) return false;
    *out = (struct scram_verifier){.iterations = SCRAM_ITERATIONS_DEFAULT, .salt_len = SCRAM_SALT_DEFAULT};
    memcpy(out->salt, made, SCRAM_SALT_DEFAULT);
    memcpy(out->stored_key, made, sizeof(made));
    memcpy(out->server_key, made, sizeof(made));
    return true;
}

bool user_store_verifier(const struct user_store *s, struct bytes name, const struct user_secret *secret,
                         struct scram_verifier *out, bool *is_mock) {
    struct scram_verifier mock;
    if (!make_mock(s, name, &mock)) return false;
    if (secret && (secret->has_md5 || user_secret_is_of_mysql(secret))) secret = NULL;
    INVARIANT(!secret || secret->has_verifier); /* derived here it would be by two threads at once */
    *is_mock = secret == NULL;
    *out = secret ? secret->verifier : mock;
    return true;
}

/* What there is only one plugin for with most users; MY_AUTH_OTHER: most may choose. */
static enum my_auth_plugin most_common(const struct user_store *s) {
    enum my_auth_plugin most = MY_AUTH_OTHER;
    size_t count = s->users.count;
    for (int i = 0; i < MY_AUTH_OTHER; i++) count -= s->only[i];
    for (int i = 0; i < MY_AUTH_OTHER; i++) {
        if (s->only[i] <= count) continue;
        most = (enum my_auth_plugin)i;
        count = s->only[i];
    }
    return most;
}

static enum my_auth_plugin only_plugin(const struct user_store *s, const struct user_secret *secret) {
    if (!secret) return most_common(s);
    return user_secret_is_of_mysql(secret) ? user_secret_plugin(secret) : MY_AUTH_OTHER;
}

bool user_store_wants_whole(const struct user_store *s, const struct user_secret *secret) {
    return only_plugin(s, secret) == MY_AUTH_SHA2;
}

enum my_auth_plugin user_store_asks_by(const struct user_store *s, const struct user_secret *secret, enum my_auth_plugin begun) {
    enum my_auth_plugin only = only_plugin(s, secret);
    if (only == MY_AUTH_SHA2 && begun == MY_AUTH_SHA256) return MY_AUTH_SHA256;
    if (only != MY_AUTH_OTHER) return only;
    return begun == MY_AUTH_OTHER ? MY_AUTH_NATIVE : begun;
}

/* By their digests, which are of one length. */
static bool is_same_password(struct bytes a, struct bytes b, bool *is_same) {
    uint8_t of_a[DIGEST_LEN], of_b[DIGEST_LEN];
    bool is_done = digest_sha256(a, of_a) && digest_sha256(b, of_b);
    *is_same = is_done && secret_equal(of_a, of_b, sizeof(of_a));
    secret_wipe(of_a, sizeof(of_a));
    secret_wipe(of_b, sizeof(of_b));
    return is_done;
}

bool user_store_check_whole(const struct user_store *s, const struct user_secret *secret, struct bytes password, bool by_hash,
                            bool *is_right) {
    if (by_hash) return sha_crypt_check(secret && secret->has_sha2 ? &secret->sha2 : &s->mock_sha2, password, is_right);
    bool has_password = secret && secret->password;
    struct bytes nobodys = bytes_of(s->mock_key, sizeof(s->mock_key));
    bool is_done = is_same_password(has_password ? bytes_str(secret->password) : nobodys, password, is_right);
    *is_right = *is_right && has_password;
    return is_done;
}

bool user_store_check_ed25519(const struct user_store *s, const struct user_secret *secret, const uint8_t nonce[ED25519_NONCE],
                              struct bytes signature) {
    bool has_key = secret && (secret->has_ed25519 || secret->password);
    return ed25519_check(has_key ? &secret->ed25519 : &s->mock_ed25519, nonce, signature) && has_key;
}

bool user_store_asks_md5(const struct user_store *s, const struct user_secret *secret) {
    return secret ? is_md5_able(secret) : s->scram_only < s->users.count - s->scram_only;
}

/* One verifier is derived for everybody: unknown users take no longer, and no less. */
bool user_store_md5(const struct user_store *s, struct bytes name, const struct user_secret *secret,
                    struct md5_verifier *out, bool *is_mock, struct err *err) {
    uint8_t made[DIGEST_LEN];
    if (!digest_hmac(bytes_of(s->mock_key, sizeof(s->mock_key)), name, made))
        return err_set(err, ERR_INTERNAL, "the crypto library failed");
    bool has_password = secret && !secret->has_md5 && secret->password;
    struct bytes password = has_password ? bytes_str(secret->password) : bytes_of(made, sizeof(made));
    if (!md5_verifier_derive(password, name, out, err)) return false;
    *is_mock = !secret || !is_md5_able(secret);
    if (secret && secret->has_md5) *out = secret->md5;
    return true;
}

static bool check_by_md5(struct bytes name, const struct user_secret *secret, const char *password, bool *is_right,
                         struct err *err) {
    struct md5_verifier md5;
    if (!md5_verifier_derive(bytes_str(password), name, &md5, err)) return false;
    *is_right = secret_equal(md5.text, secret->md5.text, MD5_TEXT_LEN);
    secret_wipe(&md5, sizeof(md5));
    return true;
}

static bool check_by_native(const struct user_secret *secret, const char *password, bool *is_right, struct err *err) {
    struct my_auth_stored sent;
    if (!my_auth_stored_derive(password, &sent, err)) return false;
    *is_right = secret_equal(sent.hash, secret->native.hash, sizeof(sent.hash));
    secret_wipe(&sent, sizeof(sent));
    return true;
}

static bool check_by_ed25519(const struct user_secret *secret, const char *password, bool *is_right, struct err *err) {
    struct ed25519_key sent;
    if (!ed25519_derive(bytes_str(password), &sent)) return err_set(err, ERR_INTERNAL, "the crypto library failed");
    *is_right = secret_equal(sent.bytes, secret->ed25519.bytes, sizeof(sent.bytes));
    return true;
}

bool user_store_check_password(const struct user_store *s, struct bytes name, const struct user_secret *secret,
                               const char *password, bool *is_right, struct err *err) {
    struct scram_verifier known, sent;
    bool is_mock;
    *is_right = false;
    if (!user_store_verifier(s, name, secret, &known, &is_mock) ||
        !scram_verifier_derive(password, known.salt, known.salt_len, known.iterations, &sent))
        return err_set(err, ERR_INTERNAL, "the crypto library failed");
    *is_right = secret_equal(sent.stored_key, known.stored_key, sizeof(sent.stored_key)) && !is_mock;
    secret_wipe(&known, sizeof(known));
    secret_wipe(&sent, sizeof(sent));
    if (secret && secret->has_md5) return check_by_md5(name, secret, password, is_right, err);
    if (secret && secret->has_ed25519) return check_by_ed25519(secret, password, is_right, err);
    if (secret && secret->has_sha2)
        return sha_crypt_check(&secret->sha2, bytes_str(password), is_right) ||
               err_set(err, ERR_INTERNAL, "the crypto library failed");
    return !secret || !secret->has_native || check_by_native(secret, password, is_right, err);
}

static bool has_same_password(const struct user_secret *a, const struct user_secret *b) {
    size_t len = strlen(a->password);
    return b && b->password && b->has_verifier && strlen(b->password) == len && secret_equal(a->password, b->password, len);
}

/* The salt is the mock's: it does not change when the name becomes known. */
static bool derive(const struct user_store *s, struct bytes name, struct user_secret *secret) {
    struct scram_verifier mock;
    if (!make_mock(s, name, &mock)) return false;
    secret->has_verifier =
        scram_verifier_derive(secret->password, mock.salt, mock.salt_len, mock.iterations, &secret->verifier);
    secret_wipe(&mock, sizeof mock);
    return secret->has_verifier && ed25519_derive(bytes_str(secret->password), &secret->ed25519);
}

bool user_store_warm(struct user_store *s, const struct user_store *old, struct err *err) {
    size_t at = 0;
    struct bytes name;
    void *value;
    while (map_next(&s->users, &at, &name, &value)) {
        struct user_secret *secret = value;
        if (secret->has_verifier || !secret->password) continue;
        const struct user_secret *before = old ? user_store_find(old, name) : NULL;
        if (has_same_password(secret, before)) {
            secret->verifier = before->verifier;
            secret->has_verifier = true;
            secret->ed25519 = before->ed25519;
        } else if (!derive(s, name, secret)) {
            err_set(err, ERR_INTERNAL, "the keys of user \"%.*s\" cannot be derived from the password: memory is out, or "
                                       "the crypto library fails", (int)name.len, (const char *)name.ptr);
            err_hint(err, "Try again; a user with a SCRAM verifier instead of a password needs no keys derived.");
            return false;
        }
    }
    return true;
}
