/*
 * Decoders of single MySQL packets. Knows no connection state: which packet is legal when is the business of the sessions and of
 * the pool. The byte table of each packet stands in my_decode.h.
 */
#include "proxy/wire/my_decode.h"

/* ---- pieces ---- */

/* `len` bytes, at most 8, the lowest first. */
static uint64_t le(struct reader *r, size_t len) {
    struct bytes b = reader_take(r, len);
    uint64_t value = 0;
    for (size_t i = b.len; i > 0; i--) value = value << 8 | b.ptr[i - 1];
    return value;
}

uint16_t my_le16(struct reader *r) {
    return (uint16_t)le(r, 2);
}

uint32_t my_le24(struct reader *r) {
    return (uint32_t)le(r, 3);
}

uint32_t my_le32(struct reader *r) {
    return (uint32_t)le(r, 4);
}

uint64_t my_le64(struct reader *r) {
    return le(r, 8);
}

uint64_t my_lenenc(struct reader *r) {
    uint8_t first = reader_u8(r);
    switch (first) {
    case 0xfb:
    case 0xff:
        r->failed = true;
        return 0;
    case 0xfc:
        return le(r, 2);
    case 0xfd:
        return le(r, 3);
    case 0xfe:
        return le(r, 8);
    default:
        return first;
    }
}

struct bytes my_lenenc_str(struct reader *r) {
    uint64_t len = my_lenenc(r);
    /* Here, not in reader_take(): a size_t may be narrower than what a peer says. */
    if (len > reader_left(r)) r->failed = true;
    return reader_take(r, r->failed ? 0 : (size_t)len);
}

static struct bytes rest(struct reader *r) {
    return reader_take(r, reader_left(r));
}

/* ---- from servers ---- */

/* What stands of the nonce behind the reserved bytes has a NUL as its last one, and is so long even where no length is said. */
enum { NONCE_HEAD = 8, NONCE_TAIL = MY_NONCE_LEN - NONCE_HEAD };

bool my_greeting_read(struct bytes payload, struct my_greeting *out) {
    struct reader r = reader_over(payload);
    *out = (struct my_greeting){0};
    if (reader_u8(&r) != 10) return false;
    out->version = reader_cstr(&r);
    out->thread_id = my_le32(&r);
    struct bytes head = reader_take(&r, NONCE_HEAD);
    reader_u8(&r);
    out->caps = my_le16(&r);
    out->collation = reader_u8(&r);
    out->status = my_le16(&r);
    out->caps |= (uint32_t)my_le16(&r) << 16;
    uint8_t nonce_len = reader_u8(&r);
    reader_take(&r, 6);
    uint32_t mariadb_caps = my_le32(&r);
    if (!(out->caps & MY_CAP_LONG_PASSWORD)) out->mariadb_caps = mariadb_caps;
    struct bytes tail = reader_take(&r, NONCE_TAIL + 1);
    if (out->caps & MY_CAP_PLUGIN_AUTH) out->plugin = reader_cstr(&r);
    if (!reader_done(&r) || nonce_len > MY_NONCE_LEN + 1) return false;
    memcpy(out->nonce, head.ptr, NONCE_HEAD);
    memcpy(out->nonce + NONCE_HEAD, tail.ptr, NONCE_TAIL);
    return true;
}

bool my_auth_switch_read(struct bytes payload, struct bytes *plugin, struct bytes *data) {
    struct reader r = reader_over(payload);
    if (reader_u8(&r) != MY_MARK_EOF) return false;
    *plugin = reader_cstr(&r);
    *data = rest(&r);
    if (data->len == MY_NONCE_LEN + 1 && !data->ptr[MY_NONCE_LEN]) data->len--;
    return !r.failed;
}

bool my_ok_read(struct bytes payload, bool tracks_session, struct my_ok *out) {
    struct reader r = reader_over(payload);
    *out = (struct my_ok){0};
    uint8_t mark = reader_u8(&r);
    if (mark != MY_MARK_OK && mark != MY_MARK_EOF) return false;
    out->affected_rows = my_lenenc(&r);
    out->last_insert_id = my_lenenc(&r);
    out->status = my_le16(&r);
    out->warnings = my_le16(&r);
    out->fixed_len = payload.len - reader_left(&r);
    if (reader_left(&r) > 0) {
        out->info = my_lenenc_str(&r);
        if (tracks_session && out->status & MY_STATUS_SESSION_CHANGED) out->changes = my_lenenc_str(&r);
    }
    return reader_done(&r);
}

bool my_eof_read(struct bytes payload, struct my_eof *out) {
    struct reader r = reader_over(payload);
    if (reader_u8(&r) != MY_MARK_EOF) return false;
    out->warnings = my_le16(&r);
    out->status = my_le16(&r);
    return reader_done(&r);
}

static bool is_sqlstate(struct bytes state) {
    for (size_t i = 0; i < state.len; i++) {
        uint8_t c = state.ptr[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z')) return false;
    }
    return state.len == MY_SQLSTATE_LEN;
}

bool my_err_read(struct bytes payload, struct my_error *out) {
    struct reader r = reader_over(payload);
    if (reader_u8(&r) != MY_MARK_ERR) return false;
    *out = (struct my_error){.number = my_le16(&r), .sqlstate = "HY000"};
    if (reader_left(&r) > 0 && *r.pos == '#') {
        reader_u8(&r);
        struct bytes state = reader_take(&r, MY_SQLSTATE_LEN);
        if (!is_sqlstate(state)) return false;
        memcpy(out->sqlstate, state.ptr, MY_SQLSTATE_LEN);
    }
    out->text = rest(&r);
    return !r.failed;
}

bool my_change_next(struct reader *r, struct my_change *out) {
    if (r->failed || reader_left(r) == 0) return false;
    out->type = reader_u8(r);
    out->data = my_lenenc_str(r);
    return !r->failed;
}

bool my_prepared_read(struct bytes payload, struct my_prepared *out) {
    struct reader r = reader_over(payload);
    if (reader_u8(&r) != MY_MARK_OK) return false;
    out->statement = my_le32(&r);
    out->columns = my_le16(&r);
    out->parameters = my_le16(&r);
    reader_u8(&r);
    out->warnings = my_le16(&r);
    return reader_done(&r);
}
