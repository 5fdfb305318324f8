/*
 * fuzz_pg_frontend_messages.c - what a client sends after its login: the heads of Bind, whole and cut anywhere, and Describe and Close,
 * beside a second reading.
 */
#include "base/reader.h"
#include "proxy/wire/pg_decode.h"
#include "tests/fuzz/fuzz.h"

/* Where the names of a Bind end; 0: not inside `body`. */
static size_t names_end(struct bytes body, size_t *portal_len) {
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        size_t begin = at;
        while (at < body.len && body.ptr[at]) at++;
        if (at == body.len) return 0;
        if (i == 0) *portal_len = at - begin;
        at++;
    }
    return at;
}

static void ck_names(struct bytes body) {
    struct bytes portal, statement;
    size_t portal_len = 0, end = names_end(body, &portal_len);
    enum pg_frame frame = pg_bind_names(body, &portal, &statement);
    PROMISE(frame == (end ? PG_FRAME_OK : PG_FRAME_NEED_MORE));
    if (frame != PG_FRAME_OK) return;
    PROMISE(fuzz_is_inside(portal, body) && fuzz_is_inside(statement, body));
    PROMISE(portal.len == portal_len && portal.len + statement.len + 2 == end);
}

static uint32_t number(struct bytes body, size_t at, int bytes) {
    uint32_t n = 0;
    for (int i = 0; i < bytes; i++) n = n << 8 | body.ptr[at + (size_t)i];
    return n;
}

/* formats (2), a format (2) ..., values (2), length (4), the first value */
static void ck_first_value(struct bytes body) {
    struct bytes value = bytes_of(NULL, 0);
    size_t portal_len, at = names_end(body, &portal_len), len = 0;
    bool ends = false;
    if (at && at + 2 <= body.len) {
        at += 2 + 2 * (size_t)number(body, at, 2);
        if (at + 2 <= body.len) {
            uint32_t count = number(body, at, 2);
            at += 2;
            ends = count == 0;
            if (count && at + 4 <= body.len) {
                uint32_t n = number(body, at, 4);
                at += 4;
                len = n == UINT32_MAX ? 0 : n;
                ends = len <= body.len - at;
            }
        }
    }
    bool ok = pg_bind_first(body, &value);
    PROMISE(ok == ends);
    if (!ok) return;
    PROMISE(value.len == len);
    if (len) PROMISE(value.ptr == body.ptr + at);
}

static void ck_target(struct bytes body) {
    uint8_t kind;
    struct bytes name;
    bool is_right = body.len >= 2 && (body.ptr[0] == 'S' || body.ptr[0] == 'P') && !body.ptr[body.len - 1] &&
                    !memchr(body.ptr + 1, 0, body.len - 2);
    PROMISE(pg_target_read(body, &kind, &name) == is_right);
    if (is_right) PROMISE(kind == body.ptr[0] && name.len == body.len - 2 && fuzz_is_inside(name, body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = bytes_of(data, size);
    struct pg_header h;
    while (pg_header_read(in, &h) == PG_FRAME_OK && h.total <= in.len) {
        struct bytes body = bytes_of(in.ptr + PG_HEADER_LEN, h.body_len);
        uint32_t limit = pg_frontend_limit(h.type);
        PROMISE((limit != 0) == (h.type && strchr("BCDEFHPQSXdcf", h.type)) && limit <= PG_LARGE_MAX);
        ck_target(body);
        ck_first_value(body);
        for (size_t cut = 0; cut <= body.len && cut < 200; cut++) ck_names(bytes_of(body.ptr, cut));
        in = bytes_of(in.ptr + h.total, in.len - h.total);
    }
    ck_names(in);
    ck_first_value(in);
    ck_target(in);
    return 0;
}
