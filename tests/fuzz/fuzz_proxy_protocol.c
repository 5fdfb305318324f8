/*
 * fuzz_proxy_protocol.c - the first bytes of a connection from a proxy.
 */
#include "proxy/net/proxy_protocol.h"
#include "tests/fuzz/fuzz.h"

static enum proxy_header read_first(const uint8_t *data, size_t len) {
    struct proxy_source source;
    size_t used;
    return proxy_protocol_read(bytes_of(data, len), &source, &used);
}

static void ck_addr(const struct addr *a) {
    char text[ADDR_TEXT_MAX];
    PROMISE(a->len >= sizeof(sa_family_t) && a->len <= sizeof a->sa);
    PROMISE(strcmp(addr_text(a, text), "?") != 0 && strlen(text) < sizeof text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct proxy_source source;
    size_t used = SIZE_MAX;
    enum proxy_header result = proxy_protocol_read(bytes_of(data, size), &source, &used);
    PROMISE((result == PROXY_HEADER_BAD) == (source.why != NULL));
    PROMISE((result == PROXY_HEADER_OK) == (used != 0));
    if (result != PROXY_HEADER_OK) PROMISE(!source.is_given);
    if (result == PROXY_HEADER_NEED_MORE) PROMISE(size < PROXY_PROTOCOL_MAX);
    if (source.is_given) {
        ck_addr(&source.peer);
        ck_addr(&source.local);
        PROMISE(source.peer.sa.ss_family == source.local.sa.ss_family);
    }
    /* Whether it came in one piece makes no difference. */
    size_t end = result == PROXY_HEADER_OK ? used : size < PROXY_PROTOCOL_MAX ? size : PROXY_PROTOCOL_MAX;
    PROMISE(end <= size && end <= PROXY_PROTOCOL_MAX);
    PROMISE(read_first(data, end) == result);
    for (size_t len = 0; len < end; len++) {
        enum proxy_header before = read_first(data, len);
        PROMISE(before == PROXY_HEADER_NEED_MORE || (result != PROXY_HEADER_OK && before == result));
    }
    return 0;
}
