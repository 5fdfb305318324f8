/*
 * tls.h - TLS for a stream: who we are, whom we trust, and the moment it starts.
 *
 * A CONTEXT is built once from files, never changed, and shared by all workers:
 * the count of its references is atomic, OpenSSL's own state in it is locked. A
 * reload builds a new one; streams keep the one that they started with. Because
 * it is shared, a client's session ticket is good at every worker.
 *
 * START. stream_start_tls turns an open stream into a TLS one; the context says
 * whether we are the server or the client of the handshake. Output queued before
 * the call leaves in clear, in front of the first record; output queued after it
 * waits until the handshake is complete (on_secured), then leaves encrypted.
 * Nothing that arrived in clear can slip behind the handshake as if it had been
 * protected (CVE-2021-23222): bytes that the stream keeps, or that the caller
 * leaves over, make the call fail, and should the caller be wrong about what it
 * leaves over, the stream ends. A paused stream does not read, so its handshake
 * waits too.
 *
 * DATA. One recv and one send a hop, as in clear. One recv's ciphertext is
 * decrypted at once into one chunk, which goes through the same on_received, held
 * tails and pauses as clear input; what a paused or full stream does not take stays
 * ciphertext, never more than one chunk. Output is gathered into records of up to
 * 8 KiB, PostgreSQL's own (libpq would not hear of the rest of a longer one),
 * encrypted at most TLS_AHEAD_MAX bytes ahead of the socket.
 *
 * END. A handshake that fails: the alert leaves, on_closed names the reason. The
 * text passed to on_closed lives as long as the stream, that is until the end of the
 * turn. stream_finish says close_notify behind the last byte; when the handshake is
 * not complete, what was queued for it is dropped. The peer's close_notify and a
 * connection that ends without one are both "closed by peer"; tls_info tells them
 * apart.
 *
 * BETWEEN THREADS. When a stream is idle (nothing queued, nothing held, no
 * incomplete record), its TLS state holds no chunk, task or pointer into a loop
 * except `s`, which every entry sets anew. Then stream, socket and TLS state may
 * move to another loop.
 */
#ifndef GILMOK_PROXY_NET_TLS_H
#define GILMOK_PROXY_NET_TLS_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"

struct stream;
struct tls_context;

enum {
    TLS_AHEAD_MAX = 66 << 10, /* ciphertext that waits for the socket: eight full records */
    TLS_NAME_MAX = 256,
    TLS_HASH_MAX = 64,
};

enum tls_client_cert { TLS_CLIENT_CERT_IGNORED, TLS_CLIENT_CERT_VERIFIED_IF_GIVEN, TLS_CLIENT_CERT_REQUIRED };

/* All strings are borrowed for the call; NULL or "" is "not given". */
struct tls_server_options {
    const char *cert_file; /* PEM: ours, then intermediate ones */
    const char *key_file;  /* PEM, without passphrase; nobody else may read it: see tls_context_new_server */
    uid_t key_owner;       /* who may own it beside us and root, as while we are still root */
    const char *client_ca_file;
    enum tls_client_cert client_cert;
    const char *ciphers;     /* OpenSSL's list, for TLS 1.2 */
    const char *min_version; /* "TLSv1.2" (also when not given) or "TLSv1.3" */
    const char *max_version; /* not given: the newest */
    const char *alpn;        /* the protocol's name: a client that offers ALPN must offer this one */
};

enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_CA, TLS_VERIFY_FULL }; /* sslmode require, verify-ca, verify-full */

struct tls_client_options {
    enum tls_verify verify;
    const char *ca_file; /* not given: the system's store */
    const char *cert_file;
    const char *key_file;
    uid_t key_owner;
    const char *ciphers;
    const char *min_version, *max_version;
    const char *alpn; /* offered; a server may ignore it unless TLS starts direct */
};

/*
 * One reference, or NULL: err names the file, OpenSSL's reason and what to do. A key file must be a plain file that
 * belongs to us, to key_owner or to root; ours with mode 0600 or less, root's with 0640 or less (PostgreSQL's rule).
 */
struct tls_context *tls_context_new_server(const struct tls_server_options *o, struct err *err);
struct tls_context *tls_context_new_client(const struct tls_client_options *o, struct err *err);
struct tls_context *tls_context_ref(struct tls_context *c); /* any thread */
void tls_context_unref(struct tls_context *c);              /* any thread; NULL is allowed */

struct tls_start {
    /*
     * How many bytes the caller, inside on_received, leaves unused behind those that made it call. They must be the
     * ones that on_received then leaves over: the first bytes of the handshake. They must be 0 where the peer waits for
     * an answer to its request: neither is_direct nor follows_request.
     */
    size_t unused;
    bool follows_request; /* the handshake may come at once behind a request in clear, as in MySQL's protocol */
    bool is_direct;   /* TLS from the first byte, without a request in clear: then ALPN is mandatory */
    const char *host; /* client role: name or IP address to verify and to send (SNI, names only); borrowed for the call */
};

/*
 * False: err says why, the stream is as before, and the caller must end it. At success nothing has happened yet: the
 * handshake runs after the caller's callback has returned. The stream takes its own reference to the context.
 */
MUST_USE bool stream_start_tls(struct stream *s, struct tls_context *c, const struct tls_start *how, struct err *err);

struct tls_info {
    const char *version; /* "TLSv1.3"; static text */
    const char *cipher;  /* static text */
    bool is_secured;     /* the handshake is complete; else only was_cut says anything */
    bool has_alpn;
    bool is_resumed;
    bool has_peer_cert;
    bool peer_verified; /* the peer's certificate was checked as the context asks, and is good */
    bool was_cut;       /* the connection ended without the peer's close_notify */
    /*
     * Of the peer's certificate, in UTF-8. Both are empty when any part of the subject has a NUL or another control
     * character, or does not fit; the common name also when there are several.
     */
    char peer_cn[TLS_NAME_MAX];
    char peer_subject[TLS_NAME_MAX]; /* RFC 2253, as PostgreSQL's clientname=DN */
};

/* False: the stream has no TLS. Good until the end of on_closed. */
bool stream_tls_info(struct stream *s, struct tls_info *out);

/*
 * tls-server-end-point (RFC 5929): the hash of the server's certificate, ours in the server role, the peer's in the
 * client role. The count of bytes, or 0 when there is none (no TLS yet, or a signature without one hash, as Ed25519).
 */
size_t stream_tls_end_point_hash(struct stream *s, uint8_t out[TLS_HASH_MAX]);

#endif
