/*
 * Encoders of MySQL packets; whole packets only. The byte table above each is its payload; see my_proto.h for the source.
 */
#include "proxy/wire/my_encode.h"

/* `len` bytes, the lowest first. */
static void put_le(struct writer *w, uint64_t value, int len) {
    for (int i = 0; i < len; i++) writer_u8(w, (uint8_t)(value >> (8 * i)));
}

void my_w16(struct writer *w, uint16_t value) {
    put_le(w, value, 2);
}

void my_w24(struct writer *w, uint32_t value) {
    put_le(w, value, 3);
}

void my_w32(struct writer *w, uint32_t value) {
    put_le(w, value, 4);
}

void my_w64(struct writer *w, uint64_t value) {
    put_le(w, value, 8);
}

void my_w_lenenc(struct writer *w, uint64_t value) {
    if (value < 0xfb) {
        writer_u8(w, (uint8_t)value);
    } else if (value <= 0xffff) {
        writer_u8(w, 0xfc);
        my_w16(w, (uint16_t)value);
    } else if (value <= 0xffffff) {
        writer_u8(w, 0xfd);
        my_w24(w, (uint32_t)value);
    } else {
        writer_u8(w, 0xfe);
        my_w64(w, value);
    }
}

void my_w_lenenc_str(struct writer *w, struct bytes data) {
    my_w_lenenc(w, data.len);
    writer_put(w, data);
}

static void put_zeros(struct writer *w, int count) {
    for (int i = 0; i < count; i++) writer_u8(w, 0);
}

size_t my_begin(struct writer *w, uint8_t seq) {
    size_t at = w->len;
    my_w24(w, 0);
    writer_u8(w, seq);
    return at;
}

void my_end(struct writer *w, size_t at) {
    if (w->failed) return;
    INVARIANT(at <= w->len && w->len - at >= MY_HEADER_LEN);
    size_t len = w->len - at - MY_HEADER_LEN;
    if (len >= MY_PACKET_MAX) {
        w->failed = true;
        return;
    }
    for (int i = 0; i < 3; i++) w->data[at + (size_t)i] = (uint8_t)(len >> (8 * i));
}

void my_put(struct writer *w, uint8_t seq, struct bytes payload) {
    size_t at = my_begin(w, seq);
    writer_put(w, payload);
    my_end(w, at);
}

/* ---- to clients ---- */

/* 10, "version\0", thread (4), nonce (8), 0, capabilities (2), collation (1), status (2), capabilities (2), nonce length (1),
 * 0 (6), MariaDB's capabilities (4), rest of the nonce (12), 0, "plugin\0" */
void my_put_greeting(struct writer *w, uint8_t seq, const struct my_greeting *g) {
    enum { HEAD = 8 };
    size_t at = my_begin(w, seq);
    writer_u8(w, 10);
    writer_cstr(w, g->version);
    my_w32(w, g->thread_id);
    writer_put(w, bytes_of(g->nonce, HEAD));
    writer_u8(w, 0);
    my_w16(w, (uint16_t)g->caps);
    writer_u8(w, g->collation);
    my_w16(w, g->status);
    my_w16(w, (uint16_t)(g->caps >> 16));
    writer_u8(w, g->caps & MY_CAP_PLUGIN_AUTH ? MY_NONCE_LEN + 1 : 0);
    put_zeros(w, 6);
    my_w32(w, g->caps & MY_CAP_LONG_PASSWORD ? 0 : g->mariadb_caps);
    writer_put(w, bytes_of(g->nonce + HEAD, MY_NONCE_LEN - HEAD));
    writer_u8(w, 0);
    if (g->caps & MY_CAP_PLUGIN_AUTH) writer_cstr(w, g->plugin);
    my_end(w, at);
}

/* 0xfe, "plugin\0", nonce; 0, where it is of MY_NONCE_LEN bytes */
void my_put_auth_switch(struct writer *w, uint8_t seq, const char *plugin, struct bytes nonce) {
    size_t at = my_begin(w, seq);
    writer_u8(w, MY_MARK_EOF);
    writer_cstr(w, bytes_str(plugin));
    writer_put(w, nonce);
    if (nonce.len == MY_NONCE_LEN) writer_u8(w, 0);
    my_end(w, at);
}

/* 0x01, data */
void my_put_more_auth(struct writer *w, uint8_t seq, struct bytes data) {
    size_t at = my_begin(w, seq);
    writer_u8(w, MY_MARK_MORE_AUTH);
    writer_put(w, data);
    my_end(w, at);
}

/* mark (1), affected rows (lenenc), last insert id (lenenc), status (2), warnings (2), info (lenenc), changes (lenenc) */
void my_put_ok(struct writer *w, uint8_t seq, uint8_t mark, const struct my_ok *ok, bool tracks_session) {
    uint16_t status = ok->status;
    if (tracks_session && ok->changes.len) status |= MY_STATUS_SESSION_CHANGED;
    bool tells_changes = tracks_session && status & MY_STATUS_SESSION_CHANGED;
    size_t at = my_begin(w, seq);
    writer_u8(w, mark);
    my_w_lenenc(w, ok->affected_rows);
    my_w_lenenc(w, ok->last_insert_id);
    my_w16(w, status);
    my_w16(w, ok->warnings);
    if (ok->info.len || tells_changes) my_w_lenenc_str(w, ok->info);
    if (tells_changes) my_w_lenenc_str(w, ok->changes);
    my_end(w, at);
}

/* 0xfe, warnings (2), status (2) */
void my_put_eof(struct writer *w, uint8_t seq, const struct my_eof *eof) {
    size_t at = my_begin(w, seq);
    writer_u8(w, MY_MARK_EOF);
    my_w16(w, eof->warnings);
    my_w16(w, eof->status);
    my_end(w, at);
}

/* As much of a text as there is room for, without half a character of UTF-8 at its end. */
static struct bytes cut_text(struct bytes text) {
    enum { TAILS_MAX = 3 };
    if (text.len <= MY_ERROR_TEXT_MAX) return text;
    size_t len = MY_ERROR_TEXT_MAX;
    while (len > MY_ERROR_TEXT_MAX - TAILS_MAX && (text.ptr[len] & 0xc0) == 0x80) len--;
    return bytes_of(text.ptr, len);
}

/* 0xff, number (2), '#', SQLSTATE (5), text */
void my_put_err(struct writer *w, uint8_t seq, uint16_t number, const char *sqlstate, struct bytes text) {
    size_t at = my_begin(w, seq);
    writer_u8(w, MY_MARK_ERR);
    my_w16(w, number);
    if (sqlstate) {
        if (strlen(sqlstate) != MY_SQLSTATE_LEN) w->failed = true;
        writer_u8(w, '#');
        writer_str(w, sqlstate);
    }
    writer_put(w, cut_text(text));
    my_end(w, at);
}

/* ---- to servers ---- */

/* answer (lenenc), or length (1), answer, or "answer\0" */
static void put_answer(struct writer *w, const struct my_login *l, bool is_lenenc) {
    if (is_lenenc) {
        my_w_lenenc_str(w, l->answer);
    } else if (l->caps & MY_CAP_SECURE_CONNECTION) {
        if (l->answer.len > UINT8_MAX) w->failed = true;
        writer_u8(w, (uint8_t)l->answer.len);
        writer_put(w, l->answer);
    } else {
        writer_cstr(w, l->answer);
    }
}

/* capabilities (4), largest packet (4), collation (1), 0 (19), MariaDB's capabilities (4), and where it is no request for TLS
 * "user\0", answer, "schema\0", "plugin\0", attributes (lenenc) */
void my_put_login(struct writer *w, uint8_t seq, const struct my_login *l) {
    size_t at = my_begin(w, seq);
    uint32_t needed = MY_CAP_PROTOCOL_41 | (l->is_tls_request ? MY_CAP_SSL : 0);
    if ((l->caps & needed) != needed || l->collation > UINT8_MAX) w->failed = true;
    my_w32(w, l->caps);
    my_w32(w, l->packet_max);
    writer_u8(w, (uint8_t)l->collation);
    put_zeros(w, 19);
    my_w32(w, l->caps & MY_CAP_LONG_PASSWORD ? 0 : l->mariadb_caps);
    if (!l->is_tls_request) {
        writer_cstr(w, l->user);
        put_answer(w, l, l->caps & MY_CAP_PLUGIN_AUTH_LENENC);
        if (l->caps & MY_CAP_CONNECT_WITH_DB) writer_cstr(w, l->schema);
        if (l->caps & MY_CAP_PLUGIN_AUTH) writer_cstr(w, l->plugin);
        if (l->caps & MY_CAP_CONNECT_ATTRS) my_w_lenenc_str(w, l->attributes);
    }
    my_end(w, at);
}

/* 0x11, "user\0", answer, "schema\0", collation (2), "plugin\0", attributes (lenenc) */
void my_put_change_user(struct writer *w, const struct my_login *l) {
    size_t at = my_begin(w, 0);
    writer_u8(w, MY_COM_CHANGE_USER);
    writer_cstr(w, l->user);
    put_answer(w, l, false);
    writer_cstr(w, l->schema);
    my_w16(w, l->collation);
    if (l->caps & MY_CAP_PLUGIN_AUTH) writer_cstr(w, l->plugin);
    if (l->caps & MY_CAP_CONNECT_ATTRS) my_w_lenenc_str(w, l->attributes);
    my_end(w, at);
}

void my_put_command(struct writer *w, uint8_t command, struct bytes rest) {
    size_t at = my_begin(w, 0);
    writer_u8(w, command);
    writer_put(w, rest);
    my_end(w, at);
}
