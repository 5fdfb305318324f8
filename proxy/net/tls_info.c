/*
 * What is known of an established TLS stream: for logs, SHOW, certificate logins
 * and channel binding. Reads, never changes anything.
 */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "proxy/net/tls_impl.h"

/* Length 0 is fine: an empty value. A NUL in the middle has made "admin\0.example" pass for "admin" elsewhere. */
static bool is_plain(const uint8_t *text, int len) {
    for (int i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] == 0x7f) return false;
    return true;
}

static bool is_subject_plain(const X509_NAME *name) {
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        unsigned char *text = NULL;
        int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
        bool is_good = len >= 0 && is_plain(text, len);
        OPENSSL_free(text);
        if (!is_good) return false;
    }
    return true;
}

static void copy_cn(const X509_NAME *name, char out[TLS_NAME_MAX]) {
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return;
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (len > 0 && len < TLS_NAME_MAX) {
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    OPENSSL_free(text);
}

static void copy_subject(const X509_NAME *name, char out[TLS_NAME_MAX]) {
    BIO *b = BIO_new(BIO_s_mem());
    if (!b) return;
    char *text;
    if (X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(b, &text);
        if (len > 0 && len < TLS_NAME_MAX) {
            memcpy(out, text, (size_t)len);
            out[len] = '\0';
        }
    }
    BIO_free(b);
}

bool stream_tls_info(struct stream *s, struct tls_info *out) {
    const struct tls *t = s->tls;
    *out = (struct tls_info){.version = "", .cipher = ""};
    if (!t) return false;
    out->was_cut = t->was_cut;
    out->is_secured = t->is_secured;
    if (!t->is_secured) return true;
    const unsigned char *alpn;
    unsigned alpn_len;
    SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
    out->has_alpn = alpn_len > 0;
    out->version = SSL_get_version(t->ssl);
    out->cipher = SSL_get_cipher_name(t->ssl);
    out->is_resumed = SSL_session_reused(t->ssl);
    X509 *peer = SSL_get0_peer_certificate(t->ssl);
    if (!peer) return true;
    out->has_peer_cert = true;
    out->peer_verified = SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(t->ssl) == X509_V_OK;
    const X509_NAME *name = X509_get_subject_name(peer);
    if (!is_subject_plain(name)) return true;
    copy_cn(name, out->peer_cn);
    copy_subject(name, out->peer_subject);
    return true;
}

size_t stream_tls_end_point_hash(struct stream *s, uint8_t out[TLS_HASH_MAX]) {
    const struct tls *t = s->tls;
    if (!t || !t->is_secured) return 0;
    X509 *cert = t->context->is_server ? SSL_get_certificate(t->ssl) : SSL_get0_peer_certificate(t->ssl);
    int digest = NID_undef;
    unsigned len = 0;
    if (!cert || !X509_get_signature_info(cert, &digest, NULL, NULL, NULL)) return 0;
    if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256; /* RFC 5929, section 4.1 */
    const EVP_MD *md = digest != NID_undef ? EVP_get_digestbynid(digest) : NULL;
    return md && EVP_MD_get_size(md) <= TLS_HASH_MAX && X509_digest(cert, md, out, &len) ? len : 0;
}
