/*
 * tls_book.h - the TLS contexts that a configuration asks for.
 *
 * One for our clients, one for each cluster and peer. Made with every configuration, so that
 * a reload brings renewed certificates into force; immutable afterwards; shared by all workers.
 *
 * One policy per cluster holds for every connection to its servers: pooled ones, cancel
 * requests, probes.
 */
#ifndef GILMOK_PROXY_POOL_TLS_BOOK_H
#define GILMOK_PROXY_POOL_TLS_BOOK_H

#include "proxy/config.h"
#include "proxy/net/addr.h"
#include "proxy/net/tls.h"

struct tls_book {
    struct tls_context *clients; /* NULL: clients get no TLS */
    struct list servers;         /* struct tls_policy, owned */
};

/* Reads certificates and keys. False: err says which file is wrong and how; the book is to be released all the same. */
MUST_USE bool tls_book_init(struct tls_book *book, const struct config *c, struct err *err);
/* The same for a configuration that differs in its nodes alone: no file is read again, unless it was not needed until now. */
MUST_USE bool tls_book_init_like(struct tls_book *book, const struct config *c, const struct tls_book *old, struct err *err);
void tls_book_release(struct tls_book *book);

/*
 * The context for connections to `at`, which belongs to `of` (struct config_cluster or
 * config_peer of that configuration; identity only). NULL: in clear. Borrowed.
 */
struct tls_context *tls_book_find(const struct tls_book *book, const void *of, const struct addr *at);

#endif
