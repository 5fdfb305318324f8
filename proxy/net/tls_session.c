/*
 * The sessions that a client context remembers, so that a reconnect resumes: the
 * last one of each of a few servers, by the name that was verified.
 *
 * By name, because a resumed handshake does not look at the certificate again: a
 * session must never lead to a server of another name. Serialised, because an
 * SSL_SESSION is changed by whoever uses it, and the users are on several threads.
 */
#include <string.h>

#include "base/fault.h"
#include "proxy/net/tls_impl.h"

static struct tls_session *find(struct tls_context *c, const char *host) {
    for (unsigned i = 0; i < TLS_SESSIONS_MAX; i++)
        if (c->sessions[i].host && strcmp(c->sessions[i].host, host) == 0) return &c->sessions[i];
    return NULL;
}

SSL_SESSION *tls_session_find(struct tls_context *c, const char *host) {
    pthread_mutex_lock(&c->lock);
    const struct tls_session *e = find(c, host);
    const unsigned char *at = e ? e->der : NULL;
    SSL_SESSION *session = e ? d2i_SSL_SESSION(NULL, &at, (long)e->len) : NULL;
    pthread_mutex_unlock(&c->lock);
    return session;
}

static void drop(struct tls_session *e) {
    mem_free(e->host);
    mem_free(e->der);
}

static bool serialise(struct tls_session *e, const char *host, SSL_SESSION *session) {
    int len = i2d_SSL_SESSION(session, NULL);
    if (len <= 0) return false;
    e->host = mem_strdup(host, strlen(host));
    e->der = mem_alloc((size_t)len);
    e->len = (size_t)len;
    unsigned char *at = e->der;
    return e->host && e->der && i2d_SSL_SESSION(session, &at) == len;
}

/* 0: the reference stays OpenSSL's. Without memory the next connection makes a full handshake. */
int tls_session_on_new(SSL *ssl, SSL_SESSION *session) {
    struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct tls *t = SSL_get_app_data(ssl);
    struct tls_session fresh = {0};
    if (!serialise(&fresh, t->host, session)) {
        drop(&fresh);
        return 0;
    }
    pthread_mutex_lock(&c->lock);
    struct tls_session *e = find(c, t->host);
    if (!e) e = &c->sessions[c->next_session++ % TLS_SESSIONS_MAX];
    struct tls_session old = *e;
    *e = fresh;
    pthread_mutex_unlock(&c->lock);
    drop(&old);
    return 0;
}

void tls_session_clear(struct tls_context *c) {
    for (unsigned i = 0; i < TLS_SESSIONS_MAX; i++) drop(&c->sessions[i]);
}
