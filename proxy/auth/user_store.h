/*
 * user_store.h - who may log in, and with which secret.
 *
 * Read from a user list in PgBouncer's format, one user a line:
 *
 *     "name" "secret"      ; comment
 *
 * where a doubled quote stands for one quote, and the secret is a plain password
 * or a SCRAM verifier "SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY"
 * (base64), or, where md5 is allowed, an md5 verifier ("md5" + 32 hex digits). An md5
 * verifier that is not allowed is an error, not a password that looks strange. Or it is
 * what MySQL or MariaDB store: the hash of mysql_native_password ("*" + 40 hex digits), that of caching_sha2_password or
 * sha256_password ("$A$005$...", "$5$...", or "0x" and that in hex digits), or the key of ed25519 ("ed25519:" + 43 characters of
 * base64).
 * Lines that are empty or begin with ; or # are skipped.
 *
 * For a plain password the keys of SCRAM and ed25519 are derived once (user_store_warm) and kept: no
 * login runs PBKDF2. After that nothing in the store changes: any thread may look.
 *
 * Secrets never leave through logs, errors or SHOW; they are wiped on release.
 */
#ifndef GILMOK_PROXY_AUTH_USER_STORE_H
#define GILMOK_PROXY_AUTH_USER_STORE_H

#include "base/err.h"
#include "base/map.h"
#include "proxy/auth/ed25519.h"
#include "proxy/auth/md5.h"
#include "proxy/auth/my_auth.h"
#include "proxy/auth/scram.h"

struct user_secret {
    char *password;            /* plain, NUL-terminated, owned; NULL when only a verifier is stored */
    struct scram_verifier verifier;
    bool has_verifier; /* given in the file, or derived from the password (user_store_warm) */
    struct md5_verifier md5;
    bool has_md5; /* given in the file: then neither password nor SCRAM verifier is known */
    struct my_auth_stored native;
    bool has_native; /* the same */
    struct ed25519_key ed25519; /* given in the file, or that of the password (user_store_warm) */
    bool has_ed25519; /* given in the file: the same */
    struct sha_crypt sha2;
    bool has_sha2; /* the same */
};

struct user_store {
    struct map users; /* name -> struct user_secret, owned */
    size_t scram_only; /* users who are asked for SCRAM: of whom neither a password nor an md5 verifier is known */
    size_t only[MY_AUTH_OTHER]; /* of whom nothing is known but what this plugin can prove */
    struct ed25519_key mock_ed25519; /* of unknown users: of nobody's password */
    struct sha_crypt mock_sha2;      /* the same */
    bool allows_md5; /* false after init; set it before parsing when a login method can use md5 verifiers */
    uint8_t mock_key[32]; /* random per process: makes the salt of unknown users stable and unguessable */
};

enum { USER_NAME_MAX = 63, USER_PASSWORD_MAX = 2048, USER_FILE_MAX = 16 << 20 };

/* Empty store; `mock_key` is 32 random bytes. The process ends where no key can be made of them. */
void user_store_init(struct user_store *s, const uint8_t mock_key[32]);
void user_store_release(struct user_store *s); /* wipes */

/*
 * Parses the text of a user file. On failure *line (1-based) is where, and the
 * store may hold some users (release it). Duplicate names are an error.
 */
MUST_USE bool user_store_parse(struct user_store *s, struct bytes text, int *line, struct err *err);

/*
 * Derives the keys of every plain password: after parsing and before the first login, so
 * that no login waits for PBKDF2 and first logins take no longer than those of unknown
 * users. Users whose password is the same in `old` (may be NULL) keep their keys. False:
 * memory is out or the crypto library fails; some have no keys, and the store must not be used.
 */
MUST_USE bool user_store_warm(struct user_store *s, const struct user_store *old, struct err *err);

/* NULL when unknown. Borrowed until the store is released. */
const struct user_secret *user_store_find(const struct user_store *s, struct bytes name);

/*
 * What logs gilmok in to a server as this user: the plain password, or an md5 verifier as text (no server
 * takes such a text for a plain password); NULL when there is neither: who has only what MySQL stores can check
 * proofs, and make none. `secret` may be NULL. Borrowed.
 */
const char *user_store_server_secret(const struct user_secret *secret);
/* The plain password, for servers that take nothing else for it; NULL when it is not known. Likewise. */
static inline const char *user_store_password(const struct user_secret *secret) {
    return secret ? secret->password : NULL;
}

/*
 * The verifier to run a SCRAM login against, of a store that is warm. For an unknown user: a mock one with
 * the same iteration count, a salt that depends only on the name and mock_key, and
 * keys that no password fits (*is_mock = true), so that unknown user and wrong
 * password look the same on the wire and in time. `secret` may be NULL (unknown).
 * A user with an md5 verifier, or of whom only what MySQL stores is known, gets a mock too: SCRAM cannot prove that password.
 * False only when the crypto library fails.
 */
MUST_USE bool user_store_verifier(const struct user_store *s, struct bytes name, const struct user_secret *secret,
                                  struct scram_verifier *out, bool *is_mock);

/*
 * Which of the two exchanges proves this user's password: md5, else SCRAM. An unknown user is asked for what most
 * users of the file are asked for. `secret` may be NULL.
 */
bool user_store_asks_md5(const struct user_store *s, const struct user_secret *secret);
/*
 * The same of MySQL's clients: by the plugin that can prove what is stored; who has a password may choose (`begun`; natively
 * where gilmok does not know it). By MY_AUTH_SHA256 only those who begin with it. Likewise. Never MY_AUTH_OTHER.
 */
enum my_auth_plugin user_store_asks_by(const struct user_store *s, const struct user_secret *secret, enum my_auth_plugin begun);
/* Is it a signature by the user's key, of a store that is warm? Takes as long for unknown users. `secret` may be NULL. */
bool user_store_check_ed25519(const struct user_store *s, const struct user_secret *secret, const uint8_t nonce[ED25519_NONCE],
                              struct bytes signature);
/* A scramble cannot be checked: the whole password must come. Likewise. */
bool user_store_wants_whole(const struct user_store *s, const struct user_secret *secret);
/*
 * Is it the user's, of whom there is a password, or, with `by_hash`, a hash of SHA-256? That takes milliseconds, and as long where
 * there is none (`secret` may be NULL). False: the crypto library fails.
 */
MUST_USE bool user_store_check_whole(const struct user_store *s, const struct user_secret *secret, struct bytes password,
                                     bool by_hash, bool *is_right);
/* What proves it: of a secret that is MySQL's. */
enum my_auth_plugin user_secret_plugin(const struct user_secret *secret);
/* Of its password nothing but what MySQL or MariaDB store is known. */
static inline bool user_secret_is_of_mysql(const struct user_secret *secret) {
    return secret->has_native || secret->has_ed25519 || secret->has_sha2;
}

/*
 * The verifier to check an md5 response against; wipe it. Mock (*is_mock = true, refuse whatever
 * md5_check says) for an unknown user and for one with a SCRAM verifier, or what MySQL stores, only, who must be
 * asked for SCRAM.
 */
MUST_USE bool user_store_md5(const struct user_store *s, struct bytes name, const struct user_secret *secret,
                             struct md5_verifier *out, bool *is_mock, struct err *err);

/*
 * Is `password`, sent in the clear, the user's? Works for every kind of secret. Runs PBKDF2 (about 1 ms at
 * 4096 iterations) for everybody, known or not, so that the time tells nothing. False only when the crypto
 * library fails, or without MD5 for a user who needs it.
 */
MUST_USE bool user_store_check_password(const struct user_store *s, struct bytes name, const struct user_secret *secret,
                                        const char *password, bool *is_right, struct err *err);

#endif
