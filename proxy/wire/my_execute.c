/*
 * The head of an EXECUTE, alone or in bulk. Knows no statement: how many parameters there are, and of which types, it is told.
 */
#include "proxy/wire/my_execute.h"

#include "proxy/wire/my_encode.h"

enum {
    ID_AT = 1,
    FIXED_LEN = 10,     /* command, id, flags, iterations */
    BULK_FIXED_LEN = 7, /* command, id, flags */
};

static size_t bitmap_len(uint16_t n) {
    return ((size_t)n + 7) / 8;
}

static size_t types_len(uint16_t n) {
    return (size_t)MY_EXECUTE_TYPE_LEN * n;
}

/* As much as must be known next. READ: it is in hand. */
static enum my_execute_verdict reach(struct bytes payload, size_t total, size_t len, struct my_execute *out) {
    out->head_len = len;
    if (len > total) return MY_EXECUTE_BROKEN;
    return payload.len < len ? MY_EXECUTE_MORE : MY_EXECUTE_READ;
}

static bool has_values(const uint8_t *bitmap, uint16_t n) {
    for (unsigned i = 0; i < n; i++)
        if (!(bitmap[i / 8] >> i % 8 & 1)) return true;
    return false;
}

/* NULL bitmap ((n + 7) / 8), types follow? (1), types (2 * n) */
static enum my_execute_verdict read_types(struct bytes payload, size_t total, uint16_t n, struct my_execute *out) {
    size_t flag_at = FIXED_LEN + bitmap_len(n), types_at = flag_at + 1;
    enum my_execute_verdict v = reach(payload, total, types_at, out);
    if (v != MY_EXECUTE_READ) return v;
    uint8_t flag = payload.ptr[flag_at];
    if (flag > 1) return MY_EXECUTE_BROKEN;
    out->has_values = has_values(payload.ptr + FIXED_LEN, n);
    if (flag == 0) return MY_EXECUTE_READ;
    v = reach(payload, total, types_at + types_len(n), out);
    if (v != MY_EXECUTE_READ) return v;
    out->has_types = true;
    out->types = payload.ptr + types_at;
    return MY_EXECUTE_READ;
}

/* 0xfa, statement id (4), flags (2), types (2 * n) */
static enum my_execute_verdict read_bulk(struct bytes payload, size_t total, uint16_t n, struct my_execute *out) {
    enum my_execute_verdict v = reach(payload, total, BULK_FIXED_LEN, out);
    if (v != MY_EXECUTE_READ) return v;
    struct reader r = reader_over(payload);
    reader_u8(&r);
    out->statement = my_le32(&r);
    out->bulk_flags = my_le16(&r);
    out->is_bulk = true;
    out->has_values = n > 0;
    if (!(out->bulk_flags & MY_BULK_HAS_TYPES)) return MY_EXECUTE_READ;
    v = reach(payload, total, BULK_FIXED_LEN + types_len(n), out);
    if (v != MY_EXECUTE_READ) return v;
    out->has_types = true;
    out->types = payload.ptr + BULK_FIXED_LEN;
    return MY_EXECUTE_READ;
}

/* 0x17, statement id (4), flags (1), iterations (4) */
enum my_execute_verdict my_execute_read(struct bytes payload, size_t total, uint16_t n, struct my_execute *out) {
    *out = (struct my_execute){0};
    if (payload.len && payload.ptr[0] == MY_COM_STMT_BULK_EXECUTE) return read_bulk(payload, total, n, out);
    if (payload.len && payload.ptr[0] != MY_COM_STMT_EXECUTE) return MY_EXECUTE_BROKEN;
    enum my_execute_verdict v = reach(payload, total, FIXED_LEN, out);
    if (v != MY_EXECUTE_READ) return v;
    if (n > 0) v = read_types(payload, total, n, out);
    if (v != MY_EXECUTE_READ) return v;
    struct reader r = reader_over(payload);
    reader_u8(&r);
    out->statement = my_le32(&r);
    out->flags = reader_u8(&r);
    return MY_EXECUTE_READ;
}

void my_put_execute_head(struct writer *w, const struct my_execute *e, struct bytes payload, size_t total, uint16_t n,
                         uint32_t server_id, const uint8_t *types) {
    enum { BEHIND_ID = ID_AT + 4 };
    INVARIANT(e->head_len >= (e->is_bulk ? BULK_FIXED_LEN : FIXED_LEN) && e->head_len <= payload.len && e->head_len <= total);
    size_t added = types && !e->has_types ? types_len(n) : 0;
    if (total > MY_PACKET_MAX || (added && total + added >= MY_PACKET_MAX)) {
        w->failed = true;
        return;
    }
    my_w24(w, (uint32_t)(total + added));
    writer_u8(w, 0);
    writer_u8(w, payload.ptr[0]);
    my_w32(w, server_id);
    if (!added) {
        writer_put(w, bytes_of(payload.ptr + BEHIND_ID, e->head_len - BEHIND_ID));
        return;
    }
    if (e->is_bulk) {
        my_w16(w, e->bulk_flags | MY_BULK_HAS_TYPES);
    } else {
        writer_put(w, bytes_of(payload.ptr + BEHIND_ID, e->head_len - BEHIND_ID - 1));
        writer_u8(w, 1);
    }
    writer_put(w, bytes_of(types, added));
}
