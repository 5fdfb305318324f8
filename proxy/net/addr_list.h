/*
 * addr_list.h - a list of addresses and networks, and whether an address is in it.
 *
 *     10.0.0.0/8, 192.168.1.7, ::1, fd00::/8, unix
 *
 * `unix` stands for every unix socket. Names are not looked up. An IPv4 address
 * that is written or arrives as IPv6 (::ffff:10.0.0.1) is that IPv4 address; no
 * IPv6 network contains it, not even ::/0. A value: no heap, no pointers in it.
 */
#ifndef GILMOK_PROXY_NET_ADDR_LIST_H
#define GILMOK_PROXY_NET_ADDR_LIST_H

#include "base/bytes.h"
#include "proxy/net/addr.h"

enum { ADDR_LIST_MAX = 64 };

struct addr_net {
    uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t bits;   /* 0-128: how many of them must be the same */
    bool is_v4;
};

/* One address or network, in the spelling of a list; errors as of addr_list_parse(). */
MUST_USE bool addr_net_parse(struct addr_net *out, struct bytes text, struct err *err);
/* `ip`: 4 or 16 bytes; false for any other family than AF_INET and AF_INET6. */
bool addr_net_contains(const struct addr_net *net, int family, const uint8_t *ip);
/* True when all of it is on this machine: 127.0.0.0/8, ::1, or a part of them. */
bool addr_net_is_loopback(const struct addr_net *net);

struct addr_list {
    struct addr_net nets[ADDR_LIST_MAX];
    uint16_t count;
    bool has_unix;
};

/*
 * An empty text is the empty list. On failure the list is void; err.message goes behind
 * the value ("holds an empty address") and err.hint says what to write.
 */
MUST_USE bool addr_list_parse(struct addr_list *out, const char *text, struct err *err);
/* Ports do not count. */
bool addr_list_contains(const struct addr_list *list, const struct addr *a);

#endif
