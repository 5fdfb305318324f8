/*
 * fuzz_my_server_packets.c - what a server of MySQL's may send: frames, then every decoder on every payload. What is read can be
 * written, and what is written is read as the same.
 */
#include "proxy/wire/my_encode.h"
#include "tests/fuzz/fuzz.h"

static struct writer w;

/* The payload of the one packet that was written. */
static struct bytes written(uint8_t seq) {
    struct my_header h;
    PROMISE(!w.failed && my_header_read(writer_bytes(&w), &h));
    PROMISE(h.seq == seq && h.len == w.len - MY_HEADER_LEN);
    return bytes_of(w.data + MY_HEADER_LEN, h.len);
}

static void read_greeting(struct bytes in) {
    struct my_greeting g, again;
    if (!my_greeting_read(in, &g)) return;
    PROMISE(fuzz_is_inside(g.version, in) && fuzz_is_inside(g.plugin, in));
    PROMISE(g.mariadb_caps == 0 || !(g.caps & MY_CAP_LONG_PASSWORD));
    PROMISE(g.plugin.ptr == NULL || g.caps & MY_CAP_PLUGIN_AUTH);
    writer_reset(&w);
    my_put_greeting(&w, 0, &g);
    PROMISE(my_greeting_read(written(0), &again) && w.len == MY_HEADER_LEN + in.len);
    PROMISE(bytes_equal(g.version, again.version) && bytes_equal(g.plugin, again.plugin));
    PROMISE(g.thread_id == again.thread_id && g.caps == again.caps && g.mariadb_caps == again.mariadb_caps);
    PROMISE(g.collation == again.collation && g.status == again.status && memcmp(g.nonce, again.nonce, MY_NONCE_LEN) == 0);
}

static void read_auth_switch(struct bytes in) {
    struct bytes plugin, data, plugin_again, data_again;
    if (!my_auth_switch_read(in, &plugin, &data)) return;
    PROMISE(fuzz_is_inside(plugin, in) && fuzz_is_inside(data, in));
    PROMISE(plugin.len + 2 + data.len == in.len || (data.len == MY_NONCE_LEN && plugin.len + 3 + data.len == in.len));
    if (data.len == MY_NONCE_LEN + 1 && data.ptr[MY_NONCE_LEN] == 0) return; /* it had two */
    writer_reset(&w);
    my_put_auth_switch(&w, 2, (const char *)plugin.ptr, data);
    PROMISE(my_auth_switch_read(written(2), &plugin_again, &data_again));
    PROMISE(bytes_equal(plugin, plugin_again) && bytes_equal(data, data_again));
}

static void read_changes(struct bytes in) {
    struct reader r = reader_over(in), again;
    struct my_change change, change_again;
    size_t before = in.len;
    while (my_change_next(&r, &change)) {
        PROMISE(reader_left(&r) < before && fuzz_is_inside(change.data, in));
        before = reader_left(&r);
        writer_reset(&w);
        writer_u8(&w, change.type);
        my_w_lenenc_str(&w, change.data);
        again = reader_over(writer_bytes(&w));
        PROMISE(my_change_next(&again, &change_again) && reader_done(&again));
        PROMISE(change.type == change_again.type && bytes_equal(change.data, change_again.data));
    }
    PROMISE(r.failed || reader_left(&r) == 0);
    PROMISE(!my_change_next(&r, &change));
}

static void read_ok(struct bytes in, bool tracks_session) {
    struct my_ok ok, again;
    if (!my_ok_read(in, tracks_session, &ok)) return;
    PROMISE(fuzz_is_inside(ok.info, in) && fuzz_is_inside(ok.changes, in));
    PROMISE(ok.fixed_len >= 7 && ok.fixed_len <= 1 + 9 + 9 + 4 && ok.fixed_len + ok.info.len + ok.changes.len <= in.len);
    PROMISE(ok.changes.len == 0 || (tracks_session && ok.status & MY_STATUS_SESSION_CHANGED));
    writer_reset(&w);
    my_put_ok(&w, 1, in.ptr[0], &ok, tracks_session);
    PROMISE(my_ok_read(written(1), tracks_session, &again));
    PROMISE(ok.affected_rows == again.affected_rows && ok.last_insert_id == again.last_insert_id);
    PROMISE(ok.status == again.status && ok.warnings == again.warnings);
    PROMISE(bytes_equal(ok.info, again.info) && bytes_equal(ok.changes, again.changes));
    read_changes(ok.changes);
}

static void read_ends(struct bytes in) {
    struct my_eof eof;
    if (my_eof_read(in, &eof)) {
        writer_reset(&w);
        my_put_eof(&w, 3, &eof);
        PROMISE(bytes_equal(written(3), in) && in.len <= MY_EOF_MAX);
    }
    struct my_error err, again;
    if (my_err_read(in, &err)) {
        PROMISE(fuzz_is_inside(err.text, in) && strlen(err.sqlstate) == MY_SQLSTATE_LEN);
        writer_reset(&w);
        my_put_err(&w, 4, err.number, err.sqlstate, err.text);
        PROMISE(my_err_read(written(4), &again));
        PROMISE(err.number == again.number && strcmp(err.sqlstate, again.sqlstate) == 0);
        PROMISE(again.text.len <= MY_ERROR_TEXT_MAX && (again.text.len == err.text.len || again.text.len + 3 >= MY_ERROR_TEXT_MAX));
        PROMISE(bytes_equal(again.text, bytes_of(err.text.ptr, again.text.len)));
    }
}

static void read_prepared(struct bytes in) {
    struct my_prepared p;
    if (!my_prepared_read(in, &p)) return;
    writer_reset(&w);
    size_t at = my_begin(&w, 1);
    writer_u8(&w, MY_MARK_OK);
    my_w32(&w, p.statement);
    my_w16(&w, p.columns);
    my_w16(&w, p.parameters);
    writer_u8(&w, in.ptr[9]);
    my_w16(&w, p.warnings);
    my_end(&w, at);
    PROMISE(bytes_equal(written(1), in));
}

static void read_all(struct bytes in) {
    read_greeting(in);
    read_auth_switch(in);
    read_ok(in, true);
    read_ok(in, false);
    read_ends(in);
    read_prepared(in);
    read_changes(in);
    struct reader r = reader_over(in);
    struct bytes str = my_lenenc_str(&r);
    PROMISE(r.failed ? str.len == 0 : fuzz_is_inside(str, in) && str.len + 1 + reader_left(&r) <= in.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    writer_init(&w, 1 << 22);
    struct bytes in = bytes_of(data, size);
    read_all(in);
    struct my_header h;
    while (my_header_read(in, &h) && h.len <= in.len - MY_HEADER_LEN) {
        struct bytes payload = bytes_of(in.ptr + MY_HEADER_LEN, h.len);
        read_all(payload);
        writer_reset(&w);
        my_put(&w, h.seq, payload);
        PROMISE(bytes_equal(written(h.seq), payload));
        in = bytes_of(in.ptr + MY_HEADER_LEN + h.len, in.len - MY_HEADER_LEN - h.len);
    }
    writer_release(&w);
    return 0;
}
