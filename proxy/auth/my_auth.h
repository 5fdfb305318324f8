/*
 * my_auth.h - passwords of MySQL and MariaDB: what each authentication plugin says, as pure steps, for clients and servers.
 *
 *     mysql_native_password    SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password)))
 *     caching_sha2_password    SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce); a server that has not seen the
 *                              password lately asks for it whole: inside TLS, or by its RSA key (OAEP of password XOR nonce)
 *     client_ed25519           a signature of the nonce, of ED25519_NONCE bytes (ed25519.h)
 *     sha256_password          the whole password, inside TLS, or by its RSA key, also through a unix socket
 *
 * An empty password is answered with nothing at all, by all of them. The nonce of the others is MY_AUTH_NONCE bytes. Passwords are
 * C strings, never NULL. Secrets are wiped by who calls, and so is what a step has written, which may be a password. Sentences in
 * `err` tell of the other side as "it", to stand behind "login to server NAME failed: ".
 *
 * As in MySQL 9.7's and MariaDB 10.11's plugins.
 */
#ifndef GILMOK_PROXY_AUTH_MY_AUTH_H
#define GILMOK_PROXY_AUTH_MY_AUTH_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/writer.h"
#include "proxy/auth/ed25519.h"
#include "proxy/auth/sha_crypt.h"

enum my_auth_plugin { MY_AUTH_NATIVE, MY_AUTH_SHA2, MY_AUTH_ED25519, MY_AUTH_SHA256, MY_AUTH_OTHER };
enum {
    MY_AUTH_NONCE = 20,
    MY_AUTH_NONCE_MAX = ED25519_NONCE,
    MY_AUTH_NATIVE_LEN = 20,
    MY_AUTH_SHA2_LEN = 32,
    MY_AUTH_ANSWER_MAX = 4096,
    MY_AUTH_STORED_LEN = 41,
};

const char *my_auth_plugin_name(enum my_auth_plugin plugin); /* NULL of MY_AUTH_OTHER */
enum my_auth_plugin my_auth_plugin_of(struct bytes name);
size_t my_auth_nonce_len(enum my_auth_plugin plugin);

/*
 * 20 bytes of which none is 0 (clients take the nonce for a C string), '$', or above 127 (some take it for ASCII text); from 20
 * random ones.
 */
void my_auth_nonce(uint8_t nonce[MY_AUTH_NONCE], const uint8_t random[MY_AUTH_NONCE]);

/* ---- as a server: is it the user's password? ---- */

/*
 * `answer`: what the client has sent for this plugin (MY_AUTH_NATIVE or MY_AUTH_SHA2; signatures: ed25519.h) and nonce; for
 * MY_AUTH_SHA2 a lone NUL is an empty one, as MySQL's own clients send. Takes as long for a wrong answer as for a right one. False:
 * the crypto library fails.
 */
MUST_USE bool my_auth_check(enum my_auth_plugin plugin, const char *password, const uint8_t nonce[MY_AUTH_NONCE],
                            struct bytes answer, bool *is_right, struct err *err);

/* What servers store for mysql_native_password: "*" and 40 hex digits of SHA1(SHA1(password)). */
struct my_auth_stored {
    uint8_t hash[20];
};
MUST_USE bool my_auth_stored_parse(struct bytes text, struct my_auth_stored *out); /* false: it is none */
/* Of a password in clear text: to compare with one that was parsed. */
MUST_USE bool my_auth_stored_derive(const char *password, struct my_auth_stored *out, struct err *err);
/* What a client has told of its password, of which only a hash is stored: servers take it. Secret. */
struct my_auth_keys {
    bool is_set;
    char password[SHA_CRYPT_PASSWORD_MAX + 1]; /* ""; then it was the next */
    uint8_t native[20];                        /* SHA1(password), enough for mysql_native_password */
};
/* As my_auth_check(), of MY_AUTH_NATIVE, by that. Where it is right, `keys` (may be NULL) is what the answer tells. */
MUST_USE bool my_auth_check_stored(const struct my_auth_stored *stored, const uint8_t nonce[MY_AUTH_NONCE], struct bytes answer,
                                   bool *is_right, struct my_auth_keys *keys, struct err *err);

/* ---- as a client: what a login to a server says next ---- */

struct my_auth_client {
    enum my_auth_plugin plugin;
    uint8_t nonce[MY_AUTH_NONCE_MAX];
    bool has_answered;     /* the scramble was sent, and no step has failed; not of an empty password: that is nothing */
    bool awaits_key;       /* the server was asked for its RSA key */
    bool is_password_sent; /* whole: that was the last step */
    bool is_accepted;      /* caching_sha2_password: the server has said so; an OK packet follows */
};

/* What may be relied on of the way to the server. */
struct my_auth_way {
    bool is_private; /* TLS to a server that was verified, or a unix socket: the password may be sent as it is */
    bool takes_key;  /* there is no TLS, and an RSA key that the server names may be believed */
};

enum my_auth_step {
    MY_AUTH_SEND,    /* `out` holds the payload of the packet to send; may be empty: then an empty packet */
    MY_AUTH_NOTHING, /* go on reading */
    MY_AUTH_FAILED,  /* err says why; the login is over, and nothing more is answered */
};

/*
 * Begins with the plugin and the nonce of a greeting or of a request to change the plugin. SEND: the answer (for a login packet, or
 * a packet of its own). A plugin that gilmok does not know fails, with its name. `nonce`: as long as the plugin's is, perhaps with
 * a NUL behind it; other lengths fail. `out`: a writer with room for MY_AUTH_ANSWER_MAX. How often a server may change the plugin
 * is counted by who calls: once. `native_key`: SHA1(password), where that is all that is known (then `password` is empty); else
 * NULL.
 */
MUST_USE enum my_auth_step my_auth_client_begin(struct my_auth_client *c, struct bytes plugin, struct bytes nonce,
                                                const char *password, const uint8_t *native_key, const struct my_auth_way *way,
                                                struct writer *out, struct err *err);
/* The server has sent more (a packet that begins with 0x01): `data` is what stands behind that byte. */
MUST_USE enum my_auth_step my_auth_client_more(struct my_auth_client *c, struct bytes data, const char *password,
                                               const struct my_auth_way *way, struct writer *out, struct err *err);

#endif
