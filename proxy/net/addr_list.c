/*
 * Lists of networks: their spelling, and the comparison. Knows neither files nor sockets.
 */
#include "proxy/net/addr_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { V4_OFFSET = 96, SHOWN_MAX = 60 };

static const uint8_t v4_start[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool refuse(struct err *err, struct bytes part, const char *why, const char *advice) {
    err_set(err, ERR_CONFIG, "holds %s: %.*s", why, (int)(part.len < SHOWN_MAX ? part.len : SHOWN_MAX), (const char *)part.ptr);
    err_hint(err, "%s", advice);
    return false;
}

/* The next part of the list, trimmed; *at moves behind its comma, to NULL at the end. */
static struct bytes next_part(const char **at) {
    const char *from = *at, *to = from + strcspn(from, ",");
    *at = *to ? to + 1 : NULL;
    from += strspn(from, " \t");
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
    return bytes_of(from, to > from ? (size_t)(to - from) : 0);
}

/* True when every bit behind the first `bits` is 0; `cleared` gets the address with those bits 0. */
static bool is_network(const uint8_t ip[16], unsigned bits, uint8_t cleared[16]) {
    bool is_clear = true;
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;
        cleared[i] = ip[i] & (uint8_t)(0xff00 >> kept);
        is_clear = is_clear && cleared[i] == ip[i];
    }
    return is_clear;
}

static bool take_ip(struct bytes text, struct addr_net *net) {
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;
    if (text.len == 0 || text.len >= sizeof copy) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        memcpy(net->ip, v4_start, sizeof v4_start);
        memcpy(net->ip + sizeof v4_start, &v4, sizeof v4);
    } else if (inet_pton(AF_INET6, copy, net->ip) != 1) {
        return false;
    }
    net->is_v4 = memcmp(net->ip, v4_start, sizeof v4_start) == 0;
    return true;
}

/* A number from 0 to `max` in its one spelling. */
static bool take_bits(struct bytes text, unsigned max, unsigned *out) {
    unsigned value = 0;
    if (text.len == 0 || text.len > 3 || (text.len > 1 && text.ptr[0] == '0')) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *out = value;
    return value <= max;
}

static bool refuse_bits_behind(struct err *err, struct bytes part, const struct addr_net *net, const uint8_t cleared[16],
                               bool is_dotted) {
    char ip[INET6_ADDRSTRLEN], advice[120];
    inet_ntop(is_dotted ? AF_INET : AF_INET6, is_dotted ? cleared + sizeof v4_start : cleared, ip, sizeof ip);
    snprintf(advice, sizeof advice, "Write %s/%d, or the address alone without a prefix length", ip,
             is_dotted ? net->bits - V4_OFFSET : net->bits);
    return refuse(err, part, "an address with bits behind its prefix length", advice);
}

/* address [ "/" prefix-length ] */
bool addr_net_parse(struct addr_net *net, struct bytes part, struct err *err) {
    const uint8_t *slash = memchr(part.ptr, '/', part.len);
    struct bytes ip = bytes_of(part.ptr, slash ? (size_t)(slash - part.ptr) : part.len);
    bool is_dotted = !memchr(ip.ptr, ':', ip.len);
    unsigned max = is_dotted ? 32 : 128, bits = max;
    uint8_t cleared[16];
    if (!take_ip(ip, net))
        return refuse(err, part, "what is not an IP address",
                      "Write addresses such as 192.168.1.7 or ::1, networks such as 10.0.0.0/8, or unix; names are not looked up");
    if (slash && !take_bits(bytes_of(slash + 1, part.len - ip.len - 1), max, &bits))
        return refuse(err, part, "a prefix length that is not right",
                      is_dotted ? "Write a number from 0 to 32 behind the slash" : "Write a number from 0 to 128 behind the slash");
    net->bits = (uint8_t)(is_dotted ? bits + V4_OFFSET : bits);
    if (!is_network(net->ip, net->bits, cleared)) return refuse_bits_behind(err, part, net, cleared, is_dotted);
    return true;
}

static bool is_same_net(const struct addr_net *a, const struct addr_net *b) {
    return a->bits == b->bits && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static bool add(struct addr_list *l, struct bytes part, struct err *err) {
    static const char twice[] = "an address twice";
    struct addr_net net;
    if (part.len == 0) return refuse(err, part, "an empty address", "Write the addresses with one comma between them");
    if (bytes_is(part, "unix")) {
        if (l->has_unix) return refuse(err, part, twice, "Remove one of the two");
        l->has_unix = true;
        return true;
    }
    if (!addr_net_parse(&net, part, err)) return false;
    for (unsigned i = 0; i < l->count; i++)
        if (is_same_net(&l->nets[i], &net)) return refuse(err, part, twice, "Remove one of the two");
    if (l->count == ADDR_LIST_MAX) return refuse(err, part, "more than 64 addresses", "Write networks instead of single addresses");
    l->nets[l->count++] = net;
    return true;
}

bool addr_list_parse(struct addr_list *out, const char *text, struct err *err) {
    *out = (struct addr_list){.count = 0};
    for (const char *at = *text ? text : NULL; at;)
        if (!add(out, next_part(&at), err)) return false;
    return true;
}

static bool is_in_net(const struct addr_net *net, const uint8_t ip[16], bool is_v4) {
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    if (net->is_v4 != is_v4 || memcmp(net->ip, ip, whole) != 0) return false;
    return rest == 0 || (net->ip[whole] ^ ip[whole]) >> (8 - rest) == 0;
}

/* An address in the form of addr_net.ip. */
static bool as_v6(int family, const uint8_t *ip, uint8_t out[16]) {
    if (family != AF_INET && family != AF_INET6) return false;
    if (family == AF_INET) memcpy(out, v4_start, sizeof v4_start);
    memcpy(out + (family == AF_INET ? sizeof v4_start : 0), ip, family == AF_INET ? 4 : 16);
    return true;
}

static bool is_v4_in_v6(const uint8_t ip[16]) {
    return memcmp(ip, v4_start, sizeof v4_start) == 0;
}

bool addr_net_contains(const struct addr_net *net, int family, const uint8_t *ip) {
    uint8_t full[16];
    return as_v6(family, ip, full) && is_in_net(net, full, is_v4_in_v6(full));
}

bool addr_net_is_loopback(const struct addr_net *net) {
    static const struct addr_net v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}, V4_OFFSET + 8, true};
    static const struct addr_net v6 = {{[15] = 1}, 128, false};
    const struct addr_net *whole = net->is_v4 ? &v4 : &v6;
    return net->bits >= whole->bits && is_in_net(whole, net->ip, net->is_v4);
}

bool addr_list_contains(const struct addr_list *l, const struct addr *a) {
    uint8_t ip[16];
    int family = a->sa.ss_family;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;
    if (family == AF_UNIX) return l->has_unix;
    if (!as_v6(family, family == AF_INET ? (const uint8_t *)&in->sin_addr : (const uint8_t *)&in6->sin6_addr, ip)) return false;
    for (unsigned i = 0; i < l->count; i++)
        if (is_in_net(&l->nets[i], ip, is_v4_in_v6(ip))) return true;
    return false;
}
