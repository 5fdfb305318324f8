/*
 * Contexts: from files and options to an SSL_CTX that is never changed again.
 *
 * Knows what we demand of certificates and versions; knows no stream beyond the
 * SSL that it arms.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "proxy/net/tls_impl.h"

/* TLS 1.2 with forward secrecy and AEAD only; every client of the last ten years has these. */
#define SERVER_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static bool is_given(const char *s) {
    return s && *s;
}

const char *tls_error_text(char *out, size_t size) {
    unsigned long e = ERR_get_error();
    const char *reason = ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);
    snprintf(out, size, "%s", !e ? "unknown reason" : reason ? reason : "unnamed error of OpenSSL");
    ERR_clear_error();
    return out;
}

/* ---- files ---- */

static bool file_error(struct err *err, const char *what, const char *path, const char *hint) {
    char text[128];
    err_set(err, ERR_CONFIG, "cannot load the %s \"%s\": %s", what, path, tls_error_text(text, sizeof text));
    err_hint(err, "%s", hint);
    return false;
}

/* The rule of PostgreSQL's server and of libpq: a key that others can read is not a secret. */
static bool is_key_private(const struct stat *st, const char *path, uid_t owner, struct err *err) {
    if (!S_ISREG(st->st_mode)) return err_set(err, ERR_CONFIG, "the private key file \"%s\" is not a plain file", path);
    if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != owner) {
        err_set(err, ERR_CONFIG, "the private key file \"%s\" belongs to another user", path);
        err_hint(err, "It must belong to the user that gilmok runs as, or to root.");
        return false;
    }
    mode_t forbidden = st->st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if (!(st->st_mode & forbidden)) return true;
    err_set(err, ERR_CONFIG, "the private key file \"%s\" can be read or changed by others", path);
    err_hint(err, "chmod 0600 when it belongs to gilmok's user; 0640 or less when it belongs to root.");
    return false;
}

/* A passphrase would have to be asked for at a terminal that is not there. */
static int refuse_passphrase(char *out, int size, int is_writing, void *ctx) {
    (void)out;
    (void)size;
    (void)is_writing;
    *(bool *)ctx = true;
    return -1;
}

/* What is checked is what is read: the file is opened once. */
static EVP_PKEY *read_key(const char *path, uid_t owner, struct err *err) {
    struct stat st;
    FILE *f = fopen(path, "re");
    if (!f || fstat(fileno(f), &st) < 0) {
        err_set(err, ERR_CONFIG, "cannot open the private key file \"%s\": %s", path, strerror(errno));
        if (f) fclose(f);
        return NULL;
    }
    EVP_PKEY *key = NULL;
    bool wants_passphrase = false;
    if (is_key_private(&st, path, owner, err)) {
        ERR_clear_error();
        key = PEM_read_PrivateKey(f, NULL, refuse_passphrase, &wants_passphrase);
        if (!key && wants_passphrase) {
            err_set(err, ERR_CONFIG, "the private key file \"%s\" is protected by a passphrase", path);
            err_hint(err, "Remove it: openssl pkey -in KEY -out NEWKEY; file permissions protect the key.");
        } else if (!key) {
            file_error(err, "private key file", path, "It must hold one private key in PEM form.");
        }
    }
    ERR_clear_error();
    fclose(f);
    return key;
}

static bool load_identity(SSL_CTX *ctx, const char *cert_file, const char *key_file, uid_t owner, struct err *err) {
    if (!is_given(cert_file) && !is_given(key_file)) return true;
    if (!is_given(cert_file) || !is_given(key_file)) {
        err_set(err, ERR_CONFIG, "a TLS certificate and its private key belong together: only the %s is given",
                is_given(cert_file) ? "certificate" : "key");
        return false;
    }
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return file_error(err, "certificate file", cert_file, "It must hold the certificate in PEM form, then its issuers'.");
    EVP_PKEY *key = read_key(key_file, owner, err);
    if (!key) return false;
    bool fits = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    if (fits) return true;
    return file_error(err, "private key file", key_file, "The key must be the one that the certificate was made for.");
}

static bool load_trust(SSL_CTX *ctx, const char *ca_file, struct err *err) {
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(ctx, ca_file) == 1) return true;
    return file_error(err, "CA file", ca_file, "It must hold the trusted certificates in PEM form.");
}

/* ---- what both roles have in common ---- */

/* `otherwise` when nothing is given; -1 when it is no version that we speak. */
static int version_of(const char *name, int otherwise) {
    if (!is_given(name)) return otherwise;
    return strcmp(name, "TLSv1.2") == 0 ? TLS1_2_VERSION : strcmp(name, "TLSv1.3") == 0 ? TLS1_3_VERSION : -1;
}

static bool set_versions(SSL_CTX *ctx, const char *min_name, const char *max_name, struct err *err) {
    int lowest = version_of(min_name, TLS1_2_VERSION), highest = version_of(max_name, 0);
    if (lowest < 0 || highest < 0) {
        err_set(err, ERR_CONFIG, "unknown or forbidden TLS version \"%s\"", lowest < 0 ? min_name : max_name);
        err_hint(err, "TLSv1.2 and TLSv1.3 are possible; older versions are not safe.");
        return false;
    }
    if (highest && highest < lowest) return err_set(err, ERR_CONFIG, "the lowest TLS version is above the highest one");
    return SSL_CTX_set_min_proto_version(ctx, lowest) == 1 && SSL_CTX_set_max_proto_version(ctx, highest) == 1;
}

static bool set_ciphers(SSL_CTX *ctx, const char *list, struct err *err) {
    char text[128];
    ERR_clear_error();
    if (!is_given(list) || SSL_CTX_set_cipher_list(ctx, list) == 1) return true;
    err_set(err, ERR_CONFIG, "cannot use the TLS ciphers \"%s\": %s", list, tls_error_text(text, sizeof text));
    err_hint(err, "`openssl ciphers -v LIST` shows what a list means.");
    return false;
}

static bool set_alpn(struct tls_context *c, const char *name, struct err *err) {
    size_t len = name ? strlen(name) : 0;
    if (len >= sizeof c->alpn) return err_set(err, ERR_CONFIG, "the ALPN name is too long");
    c->alpn[0] = (uint8_t)len;
    if (len > 0) memcpy(c->alpn + 1, name, len);
    return true;
}

static struct tls_context *context_new(bool is_server, struct err *err) {
    struct tls_context *c = mem_alloc(sizeof *c);
    SSL_CTX *ctx = c ? SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method()) : NULL;
    if (!ctx) {
        mem_free(c);
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory for a TLS context");
        return NULL;
    }
    c->ctx = ctx;
    c->is_server = is_server;
    atomic_init(&c->refs, 1);
    pthread_mutex_init(&c->lock, NULL);
    SSL_CTX_set_app_data(ctx, c);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* what that costs: decision 0006 */
    return c;
}

struct tls_context *tls_context_ref(struct tls_context *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void tls_context_unref(struct tls_context *c) {
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) return;
    tls_session_clear(c);
    SSL_CTX_free(c->ctx);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

/* ---- the server's side ---- */

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
                       void *arg) {
    struct tls_context *c = arg;
    (void)ssl;
    for (unsigned at = 0; at < in_len && in[at] < in_len - at; at += 1u + in[at]) {
        if (in[at] != c->alpn[0] || memcmp(in + at + 1, c->alpn + 1, in[at]) != 0) continue;
        *out = in + at + 1;
        *out_len = in[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A direct start must name the protocol; it is refused before anything of ours was said. */
static int on_client_hello(SSL *ssl, int *alert, void *arg) {
    const struct tls *t = SSL_get_app_data(ssl);
    const unsigned char *ext;
    size_t len;
    (void)arg;
    if (!t->is_direct || SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &ext, &len))
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static bool set_client_cert(struct tls_context *c, const struct tls_server_options *o, struct err *err) {
    static const int modes[] = {
        [TLS_CLIENT_CERT_IGNORED] = SSL_VERIFY_NONE,
        [TLS_CLIENT_CERT_VERIFIED_IF_GIVEN] = SSL_VERIFY_PEER,
        [TLS_CLIENT_CERT_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };
    if (o->client_cert == TLS_CLIENT_CERT_IGNORED) return true;
    if (!is_given(o->client_ca_file)) return err_set(err, ERR_CONFIG, "client certificates need a CA file to be verified with");
    if (!load_trust(c->ctx, o->client_ca_file, err)) return false;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(o->client_ca_file);
    if (!names) return file_error(err, "CA file", o->client_ca_file, "It must hold the trusted certificates in PEM form.");
    SSL_CTX_set_client_CA_list(c->ctx, names);
    SSL_CTX_set_verify(c->ctx, modes[o->client_cert], NULL);
    return true;
}

static bool set_server_up(struct tls_context *c, const struct tls_server_options *o, struct err *err) {
    SSL_CTX *ctx = c->ctx;
    if (!is_given(o->cert_file)) return err_set(err, ERR_CONFIG, "TLS for clients needs a certificate file and a key file");
    if (!set_versions(ctx, o->min_version, o->max_version, err) || !set_alpn(c, o->alpn, err)) return false;
    if (!set_ciphers(ctx, is_given(o->ciphers) ? o->ciphers : SERVER_CIPHERS, err)) return false;
    if (!load_identity(ctx, o->cert_file, o->key_file, o->key_owner, err) || !set_client_cert(c, o, err)) return false;
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    if (c->alpn[0]) SSL_CTX_set_alpn_select_cb(ctx, select_alpn, c);
    /* Tickets, sealed with keys that live and die with this context: nothing is kept here, every worker can resume. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    static const unsigned char id[] = "gilmok";
    return SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) == 1;
}

struct tls_context *tls_context_new_server(const struct tls_server_options *o, struct err *err) {
    struct tls_context *c = context_new(true, err);
    if (!c) return NULL;
    struct err why = {0};
    if (set_server_up(c, o, &why)) return c;
    tls_context_unref(c);
    if (!err_is_set(&why)) err_set(&why, ERR_CONFIG, "cannot set up TLS for clients");
    *err = why;
    return NULL;
}

/* ---- the client's side ---- */

static bool set_client_up(struct tls_context *c, const struct tls_client_options *o, struct err *err) {
    SSL_CTX *ctx = c->ctx;
    c->verify = o->verify;
    if (!set_versions(ctx, o->min_version, o->max_version, err) || !set_alpn(c, o->alpn, err)) return false;
    if (!set_ciphers(ctx, o->ciphers, err)) return false;
    if (!load_identity(ctx, o->cert_file, o->key_file, o->key_owner, err)) return false;
    if (c->alpn[0] && SSL_CTX_set_alpn_protos(ctx, c->alpn, 1u + c->alpn[0]) != 0) return false;
    if (o->verify != TLS_VERIFY_NONE) {
        if (is_given(o->ca_file) ? !load_trust(ctx, o->ca_file, err) : SSL_CTX_set_default_verify_paths(ctx) != 1) return false;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, tls_session_on_new);
    return true;
}

struct tls_context *tls_context_new_client(const struct tls_client_options *o, struct err *err) {
    struct tls_context *c = context_new(false, err);
    if (!c) return NULL;
    struct err why = {0};
    if (set_client_up(c, o, &why)) return c;
    tls_context_unref(c);
    if (!err_is_set(&why)) err_set(&why, ERR_CONFIG, "cannot set up TLS towards servers");
    *err = why;
    return NULL;
}

/* The server's name or address goes into the SSL's parameters: OpenSSL checks it together with the chain. */
static bool set_expected_host(const struct tls_context *c, SSL *ssl, const char *host, struct err *err) {
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    bool is_address = *host && X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    ERR_clear_error();
    if (is_address && c->verify != TLS_VERIFY_FULL) X509_VERIFY_PARAM_set1_ip(param, NULL, 0);
    if (*host && !is_address && SSL_set_tlsext_host_name(ssl, host) != 1)
        return err_set(err, ERR_CONFIG, "\"%s\" cannot be sent as a server's name", host);
    if (c->verify != TLS_VERIFY_FULL || is_address) return true;
    if (!*host) {
        err_set(err, ERR_CONFIG, "verify-full needs the server's name or address, and none is given");
        return false;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 || err_set(err, ERR_OUT_OF_MEMORY, "out of memory for TLS");
}

bool tls_context_arm(struct tls_context *c, SSL *ssl, const char *host, struct err *err) {
    if (c->is_server) {
        SSL_set_accept_state(ssl);
        return true;
    }
    SSL_set_connect_state(ssl);
    if (!set_expected_host(c, ssl, host, err)) return false;
    SSL_SESSION *session = tls_session_find(c, host);
    if (session) (void)SSL_set_session(ssl, session); /* otherwise a full handshake */
    SSL_SESSION_free(session);
    return true;
}
