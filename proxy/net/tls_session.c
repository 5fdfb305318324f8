/*
 * The sessions that a client context remembers, so that a reconnect resumes: the
 * last one of each of a few servers, by the name that was verified.
 *
 * By name, because a resumed handshake does not look at the certificate again: a
 * session must never lead to a server of another name.
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
    struct tls_session *e = find(c, host);
    SSL_SESSION *session = e ? e->session : NULL;
    if (session) SSL_SESSION_up_ref(session);
    pthread_mutex_unlock(&c->lock);
    return session;
}

/* Takes over the session's reference when it returns 1. */
int tls_session_on_new(SSL *ssl, SSL_SESSION *session) {
    struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct tls *t = SSL_get_app_data(ssl);
    char *host = mem_strdup(t->host, strlen(t->host));
    if (!host) return 0;
    pthread_mutex_lock(&c->lock);
    struct tls_session *e = find(c, host);
    if (!e) e = &c->sessions[c->next_session++ % TLS_SESSIONS_MAX];
    struct tls_session old = *e;
    *e = (struct tls_session){.host = host, .session = session};
    pthread_mutex_unlock(&c->lock);
    mem_free(old.host);
    SSL_SESSION_free(old.session);
    return 1;
}

void tls_session_clear(struct tls_context *c) {
    for (unsigned i = 0; i < TLS_SESSIONS_MAX; i++) {
        mem_free(c->sessions[i].host);
        SSL_SESSION_free(c->sessions[i].session);
    }
}
