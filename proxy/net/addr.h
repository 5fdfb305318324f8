/*
 * addr.h - a socket address: TCP (v4, v6) or a unix socket path.
 */
#ifndef GILMOK_PROXY_NET_ADDR_H
#define GILMOK_PROXY_NET_ADDR_H

#include <sys/socket.h>

#include "base/err.h"

enum { ADDR_TEXT_MAX = 128 };

struct addr {
    struct sockaddr_storage sa;
    socklen_t len;
};

/* Resolves `host` (an address or a name; NULL or "*" = every address, for listening). Blocks on DNS: start-up and reload only. */
MUST_USE bool addr_resolve(struct addr *a, const char *host, uint16_t port, struct err *err);
/* `path` of at most 107 bytes. */
MUST_USE bool addr_unix(struct addr *a, const char *path, struct err *err);
bool addr_equal(const struct addr *a, const struct addr *b); /* the port, too */
bool addr_is_unix(const struct addr *a);
bool addr_is_loopback(const struct addr *a); /* unix sockets count */
/* "127.0.0.1", "::1"; of a unix socket "". Returns out. */
const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT_MAX]);
/* "127.0.0.1:5432", "[::1]:5432", "unix:/path". Returns out. */
const char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX]);

#endif
