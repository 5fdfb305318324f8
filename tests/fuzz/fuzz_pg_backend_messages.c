/*
 * fuzz_pg_backend_messages.c - what a server (or a client after its first packet) may send: frames, then every body decoder.
 */
#include "proxy/wire/pg_encode.h"
#include "tests/fuzz/fuzz.h"

static struct writer w;

static void ck_same(struct bytes body) {
    PROMISE(!w.failed && w.len >= PG_HEADER_LEN);
    PROMISE(bytes_equal(bytes_of(w.data + PG_HEADER_LEN, w.len - PG_HEADER_LEN), body));
    writer_reset(&w);
}

static void read_login_bodies(struct bytes body) {
    uint32_t code, pid;
    struct bytes a, b;
    struct pg_param p;
    if (pg_auth_read(body, &code, &a)) {
        pg_put_auth(&w, code, a);
        ck_same(body);
        (void)pg_sasl_offers(a, "SCRAM-SHA-256");
    }
    if (pg_key_data_read(body, &pid, &a)) {
        PROMISE(a.len >= 4 && a.len <= 256);
        pg_put_key_data(&w, pid, a);
        ck_same(body);
    }
    if (pg_parameter_status_read(body, &p)) {
        pg_put_parameter_status(&w, p.name, p.value);
        ck_same(body);
    }
    if (pg_sasl_initial_read(body, &a, &b)) {
        PROMISE(fuzz_is_inside(a, body) && fuzz_is_inside(b, body));
        PROMISE(a.len + 1 + 4 + b.len == body.len);
    }
}

static void read_later_bodies(struct bytes body) {
    struct bytes a, b;
    uint8_t kind;
    struct pg_error_fields f;
    if (pg_command_tag_read(body, &a)) PROMISE(fuzz_is_inside(a, body) && a.len + 1 == body.len);
    if (pg_error_read(body, &f)) {
        PROMISE(fuzz_is_inside(f.severity, body) && fuzz_is_inside(f.sqlstate, body) && fuzz_is_inside(f.message, body));
        PROMISE(fuzz_is_inside(f.detail, body) && fuzz_is_inside(f.hint, body));
    }
    if (pg_target_read(body, &kind, &a)) PROMISE((kind == 'S' || kind == 'P') && a.len + 2 == body.len);
    enum pg_frame frame = pg_bind_names(body, &a, &b);
    PROMISE(frame != PG_FRAME_BAD);
    if (frame == PG_FRAME_OK) PROMISE(fuzz_is_inside(a, body) && fuzz_is_inside(b, body) && a.len + b.len + 2 <= body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    writer_init(&w, 1 << 22);
    struct bytes in = bytes_of(data, size);
    struct pg_header h;
    while (pg_header_read(in, &h) == PG_FRAME_OK) {
        PROMISE(h.total >= PG_HEADER_LEN && h.total - PG_HEADER_LEN == h.body_len);
        if (h.total > in.len) break;
        struct bytes body = bytes_of(in.ptr + PG_HEADER_LEN, h.body_len);
        read_login_bodies(body);
        read_later_bodies(body);
        in = bytes_of(in.ptr + h.total, in.len - h.total);
    }
    read_login_bodies(in);
    read_later_bodies(in);
    writer_release(&w);
    return 0;
}
