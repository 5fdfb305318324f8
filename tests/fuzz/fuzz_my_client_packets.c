/*
 * fuzz_my_client_packets.c - what anybody may say who connects as a client of MySQL's: logins, and COM_CHANGE_USER under any
 * capabilities. What is read can be written, and what is written is read as the same.
 */
#include "proxy/wire/my_encode.h"
#include "tests/fuzz/fuzz.h"

static struct writer w;

static void ck_fields(const struct my_login *l, struct bytes in) {
    PROMISE(fuzz_is_inside(l->user, in) && fuzz_is_inside(l->answer, in) && fuzz_is_inside(l->schema, in));
    PROMISE(fuzz_is_inside(l->plugin, in) && fuzz_is_inside(l->attributes, in));
    PROMISE(l->user.len <= MY_NAME_MAX && l->schema.len <= MY_NAME_MAX && l->plugin.len <= MY_NAME_MAX);
    PROMISE(l->answer.len <= MY_AUTH_MAX && l->attributes.len <= MY_ATTRS_MAX);
    PROMISE((l->schema.ptr != NULL) == (l->schema.len != 0) && (l->plugin.ptr != NULL) == (l->plugin.len != 0));
    PROMISE(l->mariadb_caps == 0 || !(l->caps & MY_CAP_LONG_PASSWORD));
}

static void ck_same(const struct my_login *a, const struct my_login *b) {
    PROMISE(a->caps == b->caps && a->mariadb_caps == b->mariadb_caps && a->packet_max == b->packet_max);
    PROMISE(a->collation == b->collation && a->is_tls_request == b->is_tls_request);
    PROMISE(bytes_equal(a->user, b->user) && bytes_equal(a->answer, b->answer) && bytes_equal(a->schema, b->schema));
    PROMISE(bytes_equal(a->plugin, b->plugin) && bytes_equal(a->attributes, b->attributes));
}

/* The payload of the one packet that was written. */
static struct bytes written(uint8_t seq) {
    struct my_header h;
    PROMISE(!w.failed && my_header_read(writer_bytes(&w), &h));
    PROMISE(h.seq == seq && h.len == w.len - MY_HEADER_LEN);
    return bytes_of(w.data + MY_HEADER_LEN, h.len);
}

static void read_login(struct bytes in, uint8_t seq) {
    struct my_login l, again;
    if (!my_login_read(in, &l)) return;
    PROMISE(l.caps & MY_CAP_PROTOCOL_41);
    PROMISE(!l.is_tls_request || (in.len == 32 && l.caps & MY_CAP_SSL && !l.user.ptr));
    ck_fields(&l, in);
    writer_reset(&w);
    my_put_login(&w, seq, &l);
    PROMISE(my_login_read(written(seq), &again));
    ck_same(&l, &again);
}

static void read_change_user(struct bytes in, uint32_t caps) {
    struct my_login l, again;
    if (!my_change_user_read(in, caps, &l)) return;
    PROMISE(l.caps == caps && !l.is_tls_request && l.packet_max == 0 && l.mariadb_caps == 0);
    ck_fields(&l, in);
    writer_reset(&w);
    my_put_change_user(&w, &l);
    struct bytes command = written(0);
    PROMISE(command.len > 0 && command.ptr[0] == MY_COM_CHANGE_USER);
    PROMISE(my_change_user_read(bytes_of(command.ptr + 1, command.len - 1), caps, &again));
    ck_same(&l, &again);
}

/* Both begin with capabilities: those of a login are its own, the others come in front of what a command says. */
static void read_both(struct bytes in, uint8_t seq) {
    read_login(in, seq);
    struct reader r = reader_over(in);
    uint32_t caps = my_le32(&r);
    if (!r.failed) read_change_user(reader_take(&r, reader_left(&r)), caps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    writer_init(&w, 1 << 22);
    struct bytes in = bytes_of(data, size);
    read_both(in, 0);
    struct my_header h;
    while (my_header_read(in, &h) && h.len <= in.len - MY_HEADER_LEN) {
        read_both(bytes_of(in.ptr + MY_HEADER_LEN, h.len), h.seq);
        in = bytes_of(in.ptr + MY_HEADER_LEN + h.len, in.len - MY_HEADER_LEN - h.len);
    }
    for (size_t i = 0; i < size && i < 300; i++) PROMISE(my_command_name(data[i])[0]);
    writer_release(&w);
    return 0;
}
