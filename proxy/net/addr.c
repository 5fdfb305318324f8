/*
 * Addresses as values: making, classifying and printing them.
 */
#include "proxy/net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

bool addr_resolve(struct addr *a, const char *host, uint16_t port, struct err *err) {
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (host && strcmp(host, "*") == 0) host = NULL;
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0)
        return err_set(err, ERR_CANNOT_CONNECT, "cannot resolve host name \"%s\": %s", host ? host : "*", gai_strerror(rc));
    memcpy(&a->sa, found->ai_addr, found->ai_addrlen);
    a->len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool addr_unix(struct addr *a, const char *path, struct err *err) {
    struct sockaddr_un *un = (struct sockaddr_un *)&a->sa;
    size_t len = strlen(path);
    if (len >= sizeof un->sun_path)
        return err_set(err, ERR_CONFIG, "unix socket path \"%s\" is longer than %zu bytes", path, sizeof un->sun_path - 1);
    memset(un, 0, sizeof *un);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return true;
}

bool addr_equal(const struct addr *a, const struct addr *b) {
    return a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

bool addr_is_unix(const struct addr *a) {
    return a->sa.ss_family == AF_UNIX;
}

bool addr_is_loopback(const struct addr *a) {
    switch (a->sa.ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return (ntohl(((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr) >> 24) == 127;
    case AF_INET6: {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&a->sa)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(in6)) return in6->s6_addr[12] == 127;
        return IN6_IS_ADDR_LOOPBACK(in6);
    }
    default:
        return false;
    }
}

const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT_MAX]) {
    out[0] = '\0';
    if (a->sa.ss_family == AF_INET) inet_ntop(AF_INET, &((const struct sockaddr_in *)&a->sa)->sin_addr, out, ADDR_TEXT_MAX);
    if (a->sa.ss_family == AF_INET6) inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&a->sa)->sin6_addr, out, ADDR_TEXT_MAX);
    return out;
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX]) {
    char ip[INET6_ADDRSTRLEN] = "?";
    switch (a->sa.ss_family) {
    case AF_INET: {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
        snprintf(out, ADDR_TEXT_MAX, "%s:%u", ip, ntohs(in->sin_port));
        break;
    }
    case AF_INET6: {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;
        inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
        snprintf(out, ADDR_TEXT_MAX, "[%s]:%u", ip, ntohs(in6->sin6_port));
        break;
    }
    case AF_UNIX: {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;
        bool has_path = a->len > offsetof(struct sockaddr_un, sun_path) && un->sun_path[0];
        snprintf(out, ADDR_TEXT_MAX, "unix:%.*s", (int)sizeof un->sun_path, has_path ? un->sun_path : "");
        break;
    }
    default:
        snprintf(out, ADDR_TEXT_MAX, "?");
    }
    return out;
}
