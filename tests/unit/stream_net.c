#include "tests/unit/stream_net.h"

#include <check.h>

enum { OUT_MAX = 2 << 20 };

struct net net;
struct owner owner;

/* What the test itself remembers must not run out of memory. */
static uint8_t output_storage[OUT_MAX], offered_storage[OUT_MAX];

static uint64_t fake_now_us(void *ctx) {
    (void)ctx;
    return net.now_us;
}

static const struct clock_ops fake_clock = {.now_us = fake_now_us};

static ssize_t fake_recv(struct stream *s, void *into, size_t cap) {
    if (net.recv_error) {
        s->error = net.recv_error;
        return IO_FAILED;
    }
    if (net.input.len == 0) return net.is_ended ? 0 : IO_AGAIN;
    size_t n = net.input.len < cap ? net.input.len : cap;
    memcpy(into, net.input.ptr, n);
    net.input = bytes_of(net.input.ptr + n, net.input.len - n);
    return (ssize_t)n;
}

static ssize_t fake_send(struct stream *s, const struct iovec *iov, int iov_count) {
    if (net.send_error) {
        s->error = net.send_error;
        return IO_FAILED;
    }
    size_t taken = 0;
    for (int i = 0; i < iov_count; i++) {
        size_t n = iov[i].iov_len < net.room ? iov[i].iov_len : net.room;
        writer_put(&net.output, bytes_of(iov[i].iov_base, n));
        net.room -= n;
        taken += n;
    }
    return taken ? (ssize_t)taken : IO_AGAIN;
}

static void fake_watch(struct stream *s, bool read, bool write) {
    (void)s;
    net.watches_read = read;
    net.watches_write = write;
}

static bool fake_connect(struct stream *s, const struct addr *to, const struct tcp_options *tcp, struct err *err) {
    (void)s;
    (void)to;
    (void)tcp;
    return !net.refuses_connect || err_set(err, ERR_CANNOT_CONNECT, "refused");
}

static void fake_shutdown(struct stream *s) {
    (void)s;
    net.shutdowns++;
    net.output_at_shutdown = net.output.len;
}

static void fake_close(struct stream *s) {
    (void)s;
    net.closes++;
}

static void fake_wake(struct loop *l) {
    (void)l;
    net.wakes++;
}

static void fake_release(struct loop *l) {
    (void)l;
}

static const struct loop_ops fake_ops = {
    .name = "fake",
    .stream_size = sizeof(struct stream),
    .release = fake_release,
    .recv = fake_recv,
    .send = fake_send,
    .watch = fake_watch,
    .connect = fake_connect,
    .shutdown = fake_shutdown,
    .close = fake_close,
    .wake = fake_wake,
};

/* ---- the owner ---- */

static size_t on_received(void *ctx, struct buf *buf, struct bytes data) {
    ck_assert_ptr_eq(ctx, &owner);
    ck_assert(data.ptr >= buf->data && data.ptr + data.len <= buf->data + buf->cap);
    owner.calls++;
    writer_reset(&owner.offered);
    writer_put(&owner.offered, data);
    if (owner.keeps_ref) stream_send_ref(owner.stream, buf, data);
    if (owner.pauses) stream_pause(owner.stream);
    if (owner.closes) stream_close(owner.stream);
    if (owner.finishes) stream_finish(owner.stream);
    return owner.use < data.len ? owner.use : data.len;
}

static void on_connected(void *ctx) {
    ck_assert_ptr_eq(ctx, &owner);
    owner.connected++;
}

static void on_drained(void *ctx) {
    ck_assert_ptr_eq(ctx, &owner);
    ck_assert_uint_eq(stream_queued(owner.stream), 0);
    owner.drained++;
}

static void on_closed(void *ctx, const char *why) {
    ck_assert_ptr_eq(ctx, &owner);
    owner.closed++;
    owner.why = why;
}

const struct stream_handler owner_handler = {on_connected, on_received, on_drained, on_closed};

void net_fresh(void) {
    memset(&net, 0, sizeof net);
    net.room = SIZE_MAX;
    writer_init_fixed(&net.output, output_storage, sizeof output_storage);
    memset(&owner, 0, sizeof owner);
    owner.use = USE_ALL;
    writer_init_fixed(&owner.offered, offered_storage, sizeof offered_storage);
    net.now_us = 1000000;
    loop_init(&net.loop, &fake_ops, NULL, &fake_clock);
    owner.stream = stream_new(&net.loop);
    ck_assert_ptr_nonnull(owner.stream);
    stream_adopt(owner.stream, &owner_handler, &owner);
}

/* loop_release() insists that everything has come home. */
void net_release(void) {
    if (owner.stream) stream_close(owner.stream);
    loop_release(&net.loop);
    ck_assert(!net.output.failed && !owner.offered.failed);
}

/* ---- events ---- */

void net_end_event(void) {
    loop_settle(&net.loop);
    if (owner.stream && owner.stream->state == STREAM_CLOSED) owner.stream = NULL;
    loop_bury(&net.loop);
}

void net_readable(void) {
    ck_assert(net.watches_read);
    stream_on_readable(owner.stream);
    net_end_event();
}

void net_deliver(const char *text) {
    net.input = bytes_str(text);
    net_readable();
}

void net_writable(size_t room) {
    ck_assert(net.watches_write);
    net.room = room;
    stream_on_writable(owner.stream);
    net_end_event();
}

void net_ck_offered(const char *expected) {
    struct bytes got = writer_bytes(&owner.offered);
    ck_assert_msg(bytes_is(got, expected), "`%.*s` was offered, not `%s`", (int)got.len, (const char *)got.ptr, expected);
}

void net_ck_output(const char *expected) {
    struct bytes got = writer_bytes(&net.output);
    ck_assert_msg(bytes_is(got, expected), "`%.*s` was sent, not `%s`", (int)got.len, (const char *)got.ptr, expected);
}

void net_say(const char *text) {
    stream_send(owner.stream, bytes_str(text));
}
