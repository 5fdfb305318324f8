/*
 * Where a client is: the other end of its socket, or what the header of a listed proxy says.
 *
 * The header names a client in logs and SHOW, and gives it nothing: who comes through a
 * proxy is on no socket of this machine and not local, whatever the header claims.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/log.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/session/session.h"

static void set_peer(struct session *s, const struct addr *a) {
    s->peer.family = (uint8_t)a->sa.ss_family;
    if (a->sa.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
        memcpy(s->peer.ip, &in->sin_addr, 4);
        s->peer.port = ntohs(in->sin_port);
    } else if (a->sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;
        memcpy(s->peer.ip, &in6->sin6_addr, 16);
        s->peer.port = ntohs(in6->sin6_port);
    }
}

void session_peer_init(struct session *s, const struct addr *a) {
    bool is_proxy = addr_list_contains(&s->env->config->proxy_protocol_from, a);
    set_peer(s, a);
    s->awaits_header = is_proxy;
    s->is_on_socket = !is_proxy && addr_is_unix(a);
    s->is_local = !is_proxy && addr_is_loopback(a);
}

static void refuse(struct session *s, const char *why) {
    char label[192];
    log_line(LOG_INFO, "session", session_label(s, label), "closed: it is in proxy_protocol_from, and %s", why);
    session_close(s, why);
}

size_t session_peer_take_header(struct session *s, struct bytes data) {
    struct proxy_source source;
    size_t used;
    switch (proxy_protocol_read(data, &source, &used)) {
    case PROXY_HEADER_OK:
        s->awaits_header = false;
        if (source.is_given) set_peer(s, &source.peer);
        break;
    case PROXY_HEADER_NEED_MORE:
        break;
    case PROXY_HEADER_BAD:
        refuse(s, source.why);
        return data.len;
    case PROXY_HEADER_ABSENT:
        refuse(s, "it sent no PROXY header");
        return data.len;
    }
    return used;
}

const char *session_peer_ip_text(const struct session *s, char out[64]) {
    if (s->peer.family == AF_UNIX || !inet_ntop(s->peer.family, s->peer.ip, out, 64)) snprintf(out, 64, "?");
    return out;
}

const char *session_peer_text(const struct session *s, char out[64]) {
    char ip[INET6_ADDRSTRLEN];
    if (s->peer.family == AF_UNIX) snprintf(out, 64, "unix");
    else if (!inet_ntop(s->peer.family, s->peer.ip, ip, sizeof ip)) snprintf(out, 64, "?");
    else snprintf(out, 64, s->peer.family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip, s->peer.port);
    return out;
}
