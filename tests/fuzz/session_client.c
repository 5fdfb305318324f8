/*
 * A client that can log in, and that looks at what it gets: complete messages of types that a server may send, no mark of
 * another client, no more ReadyForQuery than it has asked for.
 */
#include <stdio.h>
#include <strings.h>

#include "base/reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session_peers.h"

/* ---- what must hold ---- */

static void ck_marks(const struct fuzz_client *c, struct bytes data) {
    peer_mark mark;
    while (peer_find_mark(data, mark)) {
        PROMISE(strcmp(mark, c->mark) == 0);
        peer_reached[REACH_ROW] = true;
        const uint8_t *at = memmem(data.ptr, data.len, mark, 3);
        data = bytes_of(at + 3, data.len - (size_t)(at + 3 - data.ptr));
    }
}

static void ck_type(const struct fuzz_client *c, uint8_t type) {
    PROMISE(type && strchr("RKSZENATDCI123tnsVGHWdcv", type));
    if (c->is_logged_in) PROMISE(type != PG_B_AUTH && type != PG_B_KEY_DATA && type != PG_B_NEGOTIATE);
    else PROMISE(strchr("RKSZENv", type));
}

/* ---- login ---- */

static void take_auth(struct fuzz_client *c, struct bytes body) {
    static const char *const passwords[] = {"secret-0", "secret-1"};
    uint8_t nonce[SCRAM_NONCE_RAW] = {3}, storage[SCRAM_MESSAGE_MAX], messages[SCRAM_MESSAGE_MAX + 64];
    struct writer text, out;
    struct err err = {0};
    uint32_t code;
    struct bytes rest;
    writer_init_fixed(&text, storage, sizeof storage);
    writer_init_fixed(&out, messages, sizeof messages);
    PROMISE(pg_auth_read(body, &code, &rest));
    if (code == PG_AUTH_SASL && scram_client_first(&c->scram, SCRAM_BINDING_CANNOT, NULL, nonce, &text))
        pg_put_sasl_initial(&out, SCRAM_MECHANISM, writer_bytes(&text));
    if (code == PG_AUTH_SASL_CONTINUE && c->is_plain) {
        PROMISE(scram_client_final(&c->scram, passwords[c->user], rest, &c->keys[c->user], &text, &err));
        pg_put_sasl_response(&out, writer_bytes(&text));
    }
    if (code == PG_AUTH_SASL_FINAL && c->is_plain) PROMISE(scram_client_verify(&c->scram, rest, &err));
    if (out.len) stream_send(c->stream, writer_bytes(&out));
}

static void take_message(struct fuzz_client *c, uint8_t type, struct bytes body) {
    struct bytes key;
    ck_type(c, type);
    if (type == PG_B_AUTH) take_auth(c, body);
    if (type == PG_B_KEY_DATA && pg_key_data_read(body, &c->pid, &key) && key.len <= sizeof c->key) {
        memcpy(c->key, key.ptr, key.len);
        c->key_len = key.len;
    }
    if (type != PG_B_READY) return;
    if (peer_reached[REACH_LOGIN] && !c->is_logged_in) peer_reached[REACH_TWO_LOGINS] = true;
    peer_reached[REACH_LOGIN] = true;
    if (c->is_logged_in) c->ready++;
    c->is_logged_in = true;
    PROMISE(!c->is_plain || c->ready <= c->asked);
}

/* ---- the stream ---- */

static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    struct fuzz_client *c = owner;
    size_t used = 0;
    (void)buf;
    ck_marks(c, data);
    if (!c->is_framed) return data.len;
    for (;;) {
        struct pg_header h;
        struct bytes rest = bytes_of(data.ptr + used, data.len - used);
        enum pg_frame frame = pg_header_read(rest, &h);
        PROMISE(frame != PG_FRAME_BAD);
        if (frame != PG_FRAME_OK || rest.len < h.total) return used;
        used += h.total;
        take_message(c, h.type, bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len));
    }
}

static void on_connected(void *owner) {
    struct fuzz_client *c = owner;
    if (c->first.len) stream_send(c->stream, writer_bytes(&c->first));
    writer_reset(&c->first);
}

static void on_drained(void *owner) {
    (void)owner;
}

static void on_closed(void *owner, const char *why) {
    struct fuzz_client *c = owner;
    (void)why;
    c->stream = NULL;
}

static const struct stream_handler handler = {
    .on_connected = on_connected,
    .on_received = on_received,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

void fuzz_client_connect(struct fuzz_client *c, unsigned number) {
    struct err err;
    if (c->stream) fuzz_client_end(c, END_CLOSE);
    writer_release(&c->first);
    writer_init(&c->first, PEER_OUT_MAX);
    snprintf(c->mark, sizeof c->mark, "~%c%c", 'A' + (int)(number >> 4 & 15), 'A' + (int)(number & 15));
    c->is_framed = c->is_plain = c->is_logged_in = c->is_group_open = c->is_muddled = false;
    c->asked = c->ready = c->pid = 0;
    c->key_len = 0;
    c->stream = stream_connect(c->sim->loop, c->proxy, NULL, &handler, c, &err);
    PROMISE(c->stream);
    net_sim_take_all(c->stream);
}

void fuzz_client_login(struct fuzz_client *c, unsigned number, unsigned how) {
    static const char *const params[][2] = {{"application_name", "a"}, {"TimeZone", "Europe/Riga"}, {"options", "-c search_path=b"},
                                            {"search_path", "shop"}};
    size_t start;
    fuzz_client_connect(c, number);
    c->user = how & 1;
    pg_put_startup_begin(&c->first, &start);
    pg_put_startup_param(&c->first, bytes_str("user"), bytes_str(c->user ? "u1" : "u0"));
    pg_put_startup_param(&c->first, bytes_str("database"), bytes_str(how & 2 ? "other" : "shop"));
    for (size_t i = 0; i < COUNT_OF(params); i++)
        if (how & (4u << i)) pg_put_startup_param(&c->first, bytes_str(params[i][0]), bytes_str(params[i][1]));
    if (how & 64) pg_put_startup_param(&c->first, bytes_str("replication"), bytes_str("database"));
    pg_put_startup_end(&c->first, start);
    c->is_framed = c->is_plain = true;
}

static void send_out(struct fuzz_client *c, struct bytes data) {
    if (!c->stream) return;
    if (c->stream->state == STREAM_CONNECTING) writer_put(&c->first, data);
    else stream_send(c->stream, data);
}

static bool speaks_of_copy(struct bytes text) {
    for (size_t i = 0; i + 4 <= text.len; i++)
        if (strncasecmp((const char *)text.ptr + i, "copy", 4) == 0) return true;
    return false;
}

static void note_order(struct fuzz_client *c, uint8_t type, struct bytes body) {
    if (type == PG_F_SYNC) c->is_group_open = false;
    else if (strchr("PBDEC", type)) c->is_group_open = true;
    else if (strchr("dcf", type) || (strchr("QF", type) && c->is_group_open)) c->is_muddled = true;
    if (strchr("PQ", type) && speaks_of_copy(body)) c->is_muddled = true;
}

bool fuzz_client_is_served(const struct fuzz_client *c) {
    if (!c->stream || !c->is_framed || !c->is_plain || c->is_muddled) return true;
    return c->is_logged_in && c->ready == c->asked;
}

void fuzz_client_say(struct fuzz_client *c, struct bytes messages) {
    struct pg_header h;
    struct bytes rest = messages;
    while (pg_header_read(rest, &h) == PG_FRAME_OK && h.total <= rest.len) {
        note_order(c, h.type, bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len));
        c->asked += h.type == PG_F_QUERY || h.type == PG_F_SYNC || h.type == PG_F_FUNCTION_CALL;
        rest = bytes_of(rest.ptr + h.total, rest.len - h.total);
    }
    send_out(c, messages);
}

void fuzz_client_say_raw(struct fuzz_client *c, struct bytes raw) {
    if (!raw.len) return;
    c->is_plain = false;
    peer_reached[REACH_RAW_CLIENT] = true;
    send_out(c, raw);
}

void fuzz_client_end(struct fuzz_client *c, enum peer_end how) {
    if (!c->stream) return;
    if (how == END_RESET) net_sim_reset(c->stream);
    if (how == END_FINISH) stream_finish(c->stream);
    else stream_close(c->stream);
    c->stream = NULL;
}
