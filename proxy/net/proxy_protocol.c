/*
 * Both versions of the PROXY protocol's header. Knows no socket, and not who may send one.
 */
#include "proxy/net/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/reader.h"

static const uint8_t text_start[5] = {'P', 'R', 'O', 'X', 'Y'};
static const uint8_t binary_start[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum {
    BINARY_FIXED = 16, /* bytes of a version 2 header before the addresses */
    UNIX_PATH = 108,   /* bytes of a unix address */
    PORT_DIGITS = 5,
};
static_assert(UNIX_PATH == sizeof(((struct sockaddr_un *)0)->sun_path), "a header's path fits a socket address");

static enum proxy_header bad(struct proxy_source *out, const char *why) {
    *out = (struct proxy_source){.why = why};
    return PROXY_HEADER_BAD;
}

static void set_ip(struct addr *a, int family, const void *ip, uint16_t port) {
    *a = (struct addr){.len = 0};
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&a->sa;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, ip, sizeof in->sin_addr);
        a->len = sizeof *in;
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->sa;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, ip, sizeof in6->sin6_addr);
        a->len = sizeof *in6;
    }
}

/* ---- version 1 ---- */

/* What stands before the next space, or all the rest; *rest is behind the space, its ptr NULL when there was none. */
static struct bytes next_word(struct bytes *rest) {
    const uint8_t *space = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;
    struct bytes word = *rest;
    if (space) word.len = (size_t)(space - rest->ptr);
    *rest = space ? bytes_of(space + 1, rest->len - word.len - 1) : bytes_of(NULL, 0);
    return word;
}

static bool is_ip(struct bytes word, int family, void *ip) {
    char text[INET6_ADDRSTRLEN];
    if (word.len == 0 || word.len >= sizeof text || memchr(word.ptr, 0, word.len)) return false;
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    return inet_pton(family, text, ip) == 1;
}

static bool is_port(struct bytes word, uint16_t *port) {
    uint32_t value = 0;
    if (word.len == 0 || word.len > PORT_DIGITS || (word.len > 1 && word.ptr[0] == '0')) return false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9') return false;
        value = value * 10 + (uint32_t)(word.ptr[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

/*
 *   line     = "PROXY " ( "UNKNOWN" [ " " ignored ] | "TCP4" ends | "TCP6" ends ) CRLF
 *   ends     = " " source " " destination " " source-port " " destination-port
 *
 * `rest` is what stands between "PROXY " and the CRLF.
 */
static enum proxy_header read_line(struct bytes rest, struct proxy_source *out) {
    struct bytes kind = next_word(&rest);
    if (bytes_is(kind, "UNKNOWN")) return PROXY_HEADER_OK;
    int family = bytes_is(kind, "TCP4") ? AF_INET : bytes_is(kind, "TCP6") ? AF_INET6 : AF_UNSPEC;
    if (family == AF_UNSPEC) return bad(out, "the protocol is none of TCP4, TCP6 and UNKNOWN");
    struct bytes source = next_word(&rest), destination = next_word(&rest);
    struct bytes source_port = next_word(&rest), destination_port = next_word(&rest);
    uint8_t from[16], to[16];
    uint16_t from_port, to_port;
    if (rest.ptr) return bad(out, "something stands behind the destination port");
    if (!is_ip(source, family, from)) return bad(out, "the source address is not right");
    if (!is_ip(destination, family, to)) return bad(out, "the destination address is not right");
    if (!is_port(source_port, &from_port)) return bad(out, "the source port is not right");
    if (!is_port(destination_port, &to_port)) return bad(out, "the destination port is not right");
    out->is_given = true;
    set_ip(&out->peer, family, from, from_port);
    set_ip(&out->local, family, to, to_port);
    return PROXY_HEADER_OK;
}

/* `data` begins with "PROXY". */
static enum proxy_header read_text(struct bytes data, struct proxy_source *out, size_t *used) {
    const size_t head = sizeof text_start + 1;
    size_t seen = data.len < PROXY_PROTOCOL_TEXT_MAX ? data.len : PROXY_PROTOCOL_TEXT_MAX;
    const uint8_t *lf = memchr(data.ptr, '\n', seen);
    if (seen >= head && data.ptr[head - 1] != ' ') return bad(out, "no space behind PROXY");
    if (!lf) return seen < PROXY_PROTOCOL_TEXT_MAX ? PROXY_HEADER_NEED_MORE : bad(out, "the line has no end within 107 bytes");
    size_t len = (size_t)(lf - data.ptr);
    if (len <= head || data.ptr[len - 1] != '\r') return bad(out, "the line does not end with CR and LF");
    enum proxy_header result = read_line(bytes_of(data.ptr + head, len - 1 - head), out);
    if (result == PROXY_HEADER_OK) *used = len + 1;
    return result;
}

/* ---- version 2 ---- */

/*
 * CRC32c (RFC 4960, appendix B) with the four bytes at `hole` taken as zeros. Bit by bit:
 * few proxies send one, and a header is short.
 */
static uint32_t crc32c_around(struct bytes data, size_t hole) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < data.len; i++) {
        crc ^= i >= hole && i - hole < 4 ? 0 : data.ptr[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

/*
 *   type 1 | length 2 | value          again and again, to the end of the header
 *
 * Only the checksum (3) means something here.
 */
static enum proxy_header read_extras(struct bytes header, struct reader *r, struct proxy_source *out) {
    enum { TYPE_CRC32C = 3 };
    bool has_checksum = false;
    while (reader_left(r) > 0) {
        uint8_t type = reader_u8(r);
        struct bytes value = reader_take(r, reader_be16(r));
        if (r->failed) return bad(out, "an extension is longer than the header");
        if (type != TYPE_CRC32C) continue;
        if (value.len != 4) return bad(out, "the checksum has not four bytes");
        if (has_checksum) return bad(out, "there are two checksums");
        has_checksum = true;
        struct reader sum = reader_over(value);
        if (reader_be32(&sum) != crc32c_around(header, (size_t)(value.ptr - header.ptr)))
            return bad(out, "the checksum does not fit");
    }
    return PROXY_HEADER_OK;
}

/* The path ends at its first NUL or fills its field; an address without a path is right (unnamed, or abstract). */
static void set_unix(struct addr *a, struct bytes path) {
    struct sockaddr_un *un = (struct sockaddr_un *)&a->sa;
    size_t len = path.len ? strnlen((const char *)path.ptr, path.len) : 0;
    *a = (struct addr){.len = 0};
    un->sun_family = AF_UNIX;
    if (len) memcpy(un->sun_path, path.ptr, len);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (len && len < UNIX_PATH ? len + 1 : len));
}

/*
 *   IPv4, IPv6   source 4 or 16 | destination the same | source port 2 | destination port 2
 *   unix         source 108 | destination 108
 */
static void read_ends(int family, struct reader *r, struct proxy_source *out) {
    size_t len = family == AF_INET ? 4 : family == AF_INET6 ? 16 : UNIX_PATH;
    struct bytes from = reader_take(r, len), to = reader_take(r, len);
    uint16_t from_port = family == AF_UNIX ? 0 : reader_be16(r);
    uint16_t to_port = family == AF_UNIX ? 0 : reader_be16(r);
    if (r->failed) return;
    out->is_given = true;
    if (family == AF_UNIX) {
        set_unix(&out->peer, from);
        set_unix(&out->local, to);
    } else {
        set_ip(&out->peer, family, from.ptr, from_port);
        set_ip(&out->local, family, to.ptr, to_port);
    }
}

/*
 *   signature 12 | version (2) and command: 4 bits each | family and transport: 4 bits each | length 2 | length bytes
 *
 * LOCAL (command 0) and what is unspecified carry a block of any form, which is skipped
 * whole: the protocol asks for that, and nothing says where extensions would begin in it.
 */
static enum proxy_header read_binary(struct bytes data, struct proxy_source *out, size_t *used) {
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
    if (data.len < BINARY_FIXED) return PROXY_HEADER_NEED_MORE;
    struct reader r = reader_over(data);
    (void)reader_take(&r, sizeof binary_start);
    uint8_t version_command = reader_u8(&r), family_transport = reader_u8(&r);
    const size_t len = reader_be16(&r), total = BINARY_FIXED + len;
    const uint8_t command = version_command & 15, family = family_transport >> 4, transport = family_transport & 15;
    if (version_command >> 4 != 2) return bad(out, "the version of the binary header is not 2");
    if (command > 1) return bad(out, "the command is neither LOCAL nor PROXY");
    if (total > PROXY_PROTOCOL_MAX) return bad(out, "the header is longer than 2048 bytes");
    if (command == 1 && (family >= COUNT_OF(families) || transport > 2)) return bad(out, "the address family is unknown");
    if (data.len < total) return PROXY_HEADER_NEED_MORE;
    if (command == 1 && family != 0 && transport != 0) {
        struct bytes header = bytes_of(data.ptr, total);
        r = reader_over(header);
        (void)reader_take(&r, BINARY_FIXED);
        read_ends(families[family], &r, out);
        if (r.failed) return bad(out, "the header is too short for its addresses");
        if (read_extras(header, &r, out) != PROXY_HEADER_OK) return PROXY_HEADER_BAD;
    }
    *used = total;
    return PROXY_HEADER_OK;
}

/* ---- both ---- */

/* Is `data`, as far as it goes, `start`? */
static bool begins(struct bytes data, const uint8_t *start, size_t len) {
    size_t seen = data.len < len ? data.len : len;
    return seen == 0 || memcmp(data.ptr, start, seen) == 0;
}

enum proxy_header proxy_protocol_read(struct bytes data, struct proxy_source *out, size_t *used) {
    *out = (struct proxy_source){.is_given = false};
    *used = 0;
    if (begins(data, binary_start, sizeof binary_start)) return read_binary(data, out, used);
    if (!begins(data, text_start, sizeof text_start)) return PROXY_HEADER_ABSENT;
    return data.len < sizeof text_start ? PROXY_HEADER_NEED_MORE : read_text(data, out, used);
}

const char *proxy_header_name(enum proxy_header header) {
    switch (header) {
    case PROXY_HEADER_OK: return "ok";
    case PROXY_HEADER_NEED_MORE: return "need more";
    case PROXY_HEADER_BAD: return "bad";
    case PROXY_HEADER_ABSENT: return "absent";
    }
    return "unknown";
}
