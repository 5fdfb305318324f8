/*
 * Owns contexts; secures nothing itself.
 */
#include "proxy/pool/tls_book.h"

#include <pwd.h>
#include <strings.h>

#include "base/fault.h"
#include "proxy/config_value.h"

static const char alpn[] = "postgresql";

struct tls_policy {
    struct list node;
    const void *of;
    bool is_automatic; /* loopback and unix sockets in clear, everything else verified */
    struct tls_context *context; /* NULL: in clear, always */
};

static bool make_server_side(struct tls_book *book, const struct config *c, struct err *err) {
    if (c->client_tls == CLIENT_TLS_DISABLE) return true;
    const struct passwd *pw = c->run_as ? getpwnam(c->run_as) : NULL;
    struct tls_server_options o = {
        .cert_file = c->client_tls_cert_file,
        .key_file = c->client_tls_key_file,
        .key_owner = pw ? pw->pw_uid : 0,
        .client_ca_file = c->client_tls_ca_file,
        .client_cert = !c->client_tls_ca_file         ? TLS_CLIENT_CERT_IGNORED
                       : c->client_tls_cert_is_needed ? TLS_CLIENT_CERT_REQUIRED
                                                      : TLS_CLIENT_CERT_VERIFIED_IF_GIVEN,
        .ciphers = c->client_tls_ciphers,
        .min_version = c->client_tls_min_version == TLS_MIN_1_3 ? "TLSv1.3" : "TLSv1.2",
        .alpn = alpn,
    };
    book->clients = tls_context_new_server(&o, err);
    return book->clients != NULL;
}

/* Not so a name, whatever it is: it may come to mean another machine. */
static bool is_surely_here(const char *host) {
    return host[0] == '/' || (config_value_is_loopback(host) && strcasecmp(host, "localhost") != 0);
}

static bool are_surely_here(const struct config_cluster *cluster) {
    LIST_EACH(n, &cluster->nodes)
        if (!is_surely_here(CONTAINER_OF(n, struct config_node, node)->host)) return false;
    return true;
}

/*
 * Without need no context is made: reading the system's list of authorities takes longer than everything else at a start. `old`:
 * what it was before, or NULL.
 */
static bool add_policy(struct tls_book *book, const void *of, bool is_here, const struct config_server_tls *t,
                       const struct tls_policy *old, struct err *err) {
    struct tls_policy *p = mem_alloc(sizeof *p);
    if (!p) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    list_init(&p->node);
    list_push_back(&book->servers, &p->node);
    p->of = of;
    p->is_automatic = t->mode < 0;
    if (old && old->context) p->context = tls_context_ref(old->context);
    if (p->context || t->mode == SERVER_TLS_DISABLE || (p->is_automatic && is_here)) return true;
    struct tls_client_options o = {
        .verify = t->mode == SERVER_TLS_REQUIRE     ? TLS_VERIFY_NONE
                  : t->mode == SERVER_TLS_VERIFY_CA ? TLS_VERIFY_CA
                                                    : TLS_VERIFY_FULL,
        .ca_file = t->ca_file,
        .cert_file = t->cert_file,
        .key_file = t->key_file,
        .alpn = alpn,
    };
    p->context = tls_context_new_client(&o, err);
    return p->context != NULL;
}

/* Clusters and peers are the same in both, in the same order. */
static const struct tls_policy *next_of(const struct tls_book *old, const struct list **at) {
    if (!old) return NULL;
    *at = (*at)->next;
    INVARIANT(*at != &old->servers);
    return CONTAINER_OF(*at, struct tls_policy, node);
}

static bool add_policies(struct tls_book *book, const struct config *c, const struct tls_book *old, struct err *err) {
    const struct list *at = old ? &old->servers : NULL;
    LIST_EACH(n, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        if (!add_policy(book, cluster, are_surely_here(cluster), &cluster->tls, next_of(old, &at), err)) return false;
    }
    LIST_EACH(n, &c->peers) {
        const struct config_peer *peer = CONTAINER_OF(n, struct config_peer, node);
        if (!add_policy(book, peer, is_surely_here(peer->host), &peer->tls, next_of(old, &at), err)) return false;
    }
    return true;
}

bool tls_book_init(struct tls_book *book, const struct config *c, struct err *err) {
    *book = (struct tls_book){0};
    list_init(&book->servers);
    return make_server_side(book, c, err) && add_policies(book, c, NULL, err);
}

bool tls_book_init_like(struct tls_book *book, const struct config *c, const struct tls_book *old, struct err *err) {
    *book = (struct tls_book){0};
    list_init(&book->servers);
    if (old->clients) book->clients = tls_context_ref(old->clients);
    return add_policies(book, c, old, err);
}

void tls_book_release(struct tls_book *book) {
    struct list *n;
    tls_context_unref(book->clients);
    while ((n = list_take_first(&book->servers))) {
        struct tls_policy *p = CONTAINER_OF(n, struct tls_policy, node);
        tls_context_unref(p->context);
        mem_free(p);
    }
}

struct tls_context *tls_book_find(const struct tls_book *book, const void *of, const struct addr *at) {
    LIST_EACH(n, &book->servers) {
        const struct tls_policy *p = CONTAINER_OF(n, struct tls_policy, node);
        if (p->of != of) continue;
        bool is_clear = addr_is_unix(at) || (p->is_automatic && addr_is_loopback(at));
        INVARIANT(is_clear || p->context || !p->is_automatic);
        return is_clear ? NULL : p->context;
    }
    return NULL;
}
