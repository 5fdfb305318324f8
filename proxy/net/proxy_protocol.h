/*
 * proxy_protocol.h - the PROXY protocol's header, versions 1 and 2: who the client of a proxy in front of us is.
 *
 * A pure function of the first bytes of a connection; haproxy's doc/proxy-protocol.txt
 * says what they mean. Whoever may send a header can claim any address, so:
 *
 *  - Only connections from listed sources (addr_list.h) are read here, and those
 *    must begin with a header: ABSENT ends them. Nothing is guessed from bytes.
 *  - What a header says names a client in logs and SHOW. It proves nothing: a
 *    rule that trusts loopback or unix sockets looks at the socket's own peer.
 *
 * The sender is taken to be hostile all the same: sizes are bounded, and what is not
 * exactly a header is BAD as early as it can be seen.
 */
#ifndef GILMOK_PROXY_NET_PROXY_PROTOCOL_H
#define GILMOK_PROXY_NET_PROXY_PROTOCOL_H

#include "base/bytes.h"
#include "proxy/net/addr.h"

enum {
    PROXY_PROTOCOL_TEXT_MAX = 107, /* a version 1 line with its CRLF */
    PROXY_PROTOCOL_MAX = 2048,     /* a version 2 header with all that it carries; the format would allow 64 KiB */
};

enum proxy_header {
    PROXY_HEADER_OK,
    PROXY_HEADER_NEED_MORE, /* so far the beginning of a header; never with PROXY_PROTOCOL_MAX bytes in hand */
    PROXY_HEADER_BAD,       /* begins like a header and is none: close */
    PROXY_HEADER_ABSENT,    /* does not begin like a header */
};

struct proxy_source {
    bool is_given;     /* false: the socket's own addresses stand (UNKNOWN, LOCAL, unspecified family) */
    struct addr peer;  /* the client, as the proxy saw it */
    struct addr local; /* the address that the client connected to */
    const char *why;   /* BAD: what is wrong, for the log; static. Else NULL */
};

/*
 * Reads the header that `data` begins with. `out` is always set. *used is the header's
 * length with OK, else 0: what stands behind it is the client's first message.
 */
MUST_USE enum proxy_header proxy_protocol_read(struct bytes data, struct proxy_source *out, size_t *used);
const char *proxy_header_name(enum proxy_header header);

#endif
