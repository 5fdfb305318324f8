/*
 * test_stream.c - the byte queues of a stream over a network made of a few variables.
 *
 * The fake backend below gives input in the pieces that a test lays out, takes as
 * much output as the test allows, and remembers what it was asked to watch.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/writer.h"
#include "proxy/net/stream.h"

enum { OUT_MAX = 2 << 20 };

/* What the test itself remembers must not run out of memory. */
static uint8_t output_storage[OUT_MAX], offered_storage[OUT_MAX];

/* The other end. One stream is enough. */
static struct {
    struct bytes input; /* what the next recv gives */
    bool is_ended;      /* the peer has closed */
    int recv_error;
    size_t room; /* bytes that the socket still takes */
    int send_error;
    struct writer output;
    bool watches_read, watches_write;
    int shutdowns, closes;
    size_t output_at_shutdown;
    bool refuses_connect;
} net;

static struct loop loop;
static uint64_t clock_us;

static uint64_t fake_now_us(void *ctx) {
    (void)ctx;
    return clock_us;
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
};

/* ---- the owner ---- */

enum { USE_ALL = 1 << 30 };

static struct {
    struct stream *stream;
    size_t use; /* bytes that it consumes at its next call */
    struct writer offered; /* at the last call */
    int calls;
    bool keeps_ref; /* passes everything on by reference */
    bool closes, finishes, pauses; /* inside on_received */
    int connected, drained, closed;
    const char *why;
} owner;

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

static const struct stream_handler handler = {on_connected, on_received, on_drained, on_closed};

static void fresh(void) {
    memset(&net, 0, sizeof net);
    net.room = SIZE_MAX;
    writer_init_fixed(&net.output, output_storage, sizeof output_storage);
    memset(&owner, 0, sizeof owner);
    owner.use = USE_ALL;
    writer_init_fixed(&owner.offered, offered_storage, sizeof offered_storage);
    clock_us = 1000000;
    loop_init(&loop, &fake_ops, NULL, &fake_clock);
    owner.stream = stream_new(&loop);
    ck_assert_ptr_nonnull(owner.stream);
    stream_adopt(owner.stream, &handler, &owner);
}

/* Every chunk and every stream must have come home: loop_release() insists. */
static void release(void) {
    if (owner.stream) stream_close(owner.stream);
    loop_release(&loop);
    ck_assert(!net.output.failed && !owner.offered.failed);
}

/* What a backend does with an event. */
static void end_event(void) {
    loop_settle(&loop);
    if (owner.stream && owner.stream->state == STREAM_CLOSED) owner.stream = NULL;
    loop_bury(&loop);
}

static void readable(void) {
    ck_assert(net.watches_read);
    stream_on_readable(owner.stream);
    end_event();
}

static void deliver(const char *text) {
    net.input = bytes_str(text);
    readable();
}

static void writable(size_t room) {
    ck_assert(net.watches_write);
    net.room = room;
    stream_on_writable(owner.stream);
    end_event();
}

static void ck_offered(const char *expected) {
    struct bytes got = writer_bytes(&owner.offered);
    ck_assert_msg(bytes_is(got, expected), "`%.*s` was offered, not `%s`", (int)got.len, (const char *)got.ptr, expected);
}

static void ck_output(const char *expected) {
    struct bytes got = writer_bytes(&net.output);
    ck_assert_msg(bytes_is(got, expected), "`%.*s` was sent, not `%s`", (int)got.len, (const char *)got.ptr, expected);
}

static void say(const char *text) {
    stream_send(owner.stream, bytes_str(text));
}

/* Bytes that are never equal to their neighbours, so that a lost or doubled piece shows. */
static struct bytes pattern(size_t len) {
    static uint8_t storage[2 << 20];
    ck_assert_uint_le(len, sizeof storage);
    for (size_t i = 0; i < len; i++) storage[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
    return bytes_of(storage, len);
}

/* ---- input ---- */

START_TEST(what_arrives_is_offered) {
    deliver("hello");
    ck_offered("hello");
    ck_assert(!stream_has_held(owner.stream));
    ck_assert_uint_eq(owner.stream->received, 5);
}
END_TEST

START_TEST(what_is_left_comes_again_in_front_of_the_rest) {
    owner.use = 0;
    deliver("abc");
    ck_assert(stream_has_held(owner.stream));
    owner.use = 2;
    deliver("def");
    ck_offered("abcdef");
    owner.use = USE_ALL;
    deliver("gh");
    ck_offered("cdefgh");
    ck_assert(!stream_has_held(owner.stream));
}
END_TEST

START_TEST(kept_input_is_offered_again_on_request) {
    owner.use = 1;
    deliver("abc");
    stream_reoffer(owner.stream);
    ck_offered("bc");
    owner.use = 0;
    stream_reoffer(owner.stream);
    ck_offered("c");
    owner.use = USE_ALL;
    stream_reoffer(owner.stream);
    ck_offered("c");
    int calls = owner.calls;
    stream_reoffer(owner.stream);
    ck_assert_int_eq(owner.calls, calls);
}
END_TEST

START_TEST(a_false_alarm_loses_nothing) {
    owner.use = 0;
    deliver("abc");
    deliver("");
    ck_assert_int_eq(owner.calls, 1);
    owner.use = USE_ALL;
    deliver("d");
    ck_offered("abcd");
}
END_TEST

/* Byte by byte with an owner that waits for the whole: the piece grows and stays in one. */
START_TEST(a_message_in_single_bytes_becomes_one_piece) {
    static const char text[] = "a message that arrives one byte at a time";
    owner.use = 0;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        net.input = bytes_of(text + i, 1);
        readable();
    }
    ck_offered(text);
    ck_assert_int_eq(owner.calls, (int)sizeof text - 1);
}
END_TEST

START_TEST(an_idle_stream_holds_no_memory_and_a_waiting_one_little) {
    deliver("all of it is used");
    uint64_t idle = loop.bufs.out;
    ck_assert_uint_le(idle, 1); /* the loop's own chunk for the next recv */
    owner.use = 3;
    deliver("half a message");
    ck_assert_uint_eq(loop.bufs.out, idle + 1);
    ck_assert_int_eq(owner.stream->held->size_class, BUF_SMALL);
}
END_TEST

START_TEST(reading_stops_when_too_much_is_kept) {
    owner.use = 0;
    struct bytes all = pattern(STREAM_HELD_MAX + 100);
    net.input = all;
    while (net.watches_read) readable();
    ck_assert_uint_eq(writer_bytes(&owner.offered).len, STREAM_HELD_MAX);
    ck_assert_uint_eq(net.input.len, 100);
    stream_on_readable(owner.stream); /* an event that was under way already */
    ck_assert_uint_eq(net.input.len, 100);
    ck_assert_int_eq(owner.closed, 0);
    owner.use = 1;
    stream_reoffer(owner.stream);
    ck_assert(net.watches_read);
    owner.use = USE_ALL;
    readable();
    ck_assert(bytes_equal(writer_bytes(&owner.offered), bytes_of(all.ptr + 1, STREAM_HELD_MAX)));
    readable();
    ck_assert(bytes_equal(writer_bytes(&owner.offered), bytes_of(all.ptr + STREAM_HELD_MAX + 1, 99)));
}
END_TEST

START_TEST(a_paused_stream_offers_nothing) {
    stream_pause(owner.stream);
    deliver("abc");
    ck_assert_int_eq(owner.calls, 0);
    ck_assert(!net.watches_read); /* the kernel is told only when something did arrive */
    stream_resume(owner.stream);
    readable();
    ck_offered("abc");
}
END_TEST

START_TEST(a_paused_stream_is_not_offered_what_it_keeps) {
    owner.use = 0;
    owner.pauses = true;
    deliver("abc");
    stream_reoffer(owner.stream);
    ck_assert_int_eq(owner.calls, 1);
    owner.pauses = false;
    owner.use = USE_ALL;
    stream_resume(owner.stream);
    stream_reoffer(owner.stream);
    ck_assert_int_eq(owner.calls, 2);
    ck_offered("abc");
}
END_TEST

START_TEST(an_owner_may_close_inside_on_received) {
    owner.closes = true;
    owner.keeps_ref = true;
    deliver("abc");
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_uint_eq(loop.streams.taken, 0);
}
END_TEST

START_TEST(the_peer_closes) {
    owner.use = 0;
    deliver("abc");
    net.is_ended = true;
    deliver("");
    ck_assert_int_eq(owner.closed, 1);
    ck_assert_str_eq(owner.why, "closed by peer");
    ck_assert_uint_eq(loop.streams.taken, 0);
}
END_TEST

START_TEST(a_broken_link_says_why) {
    net.recv_error = ECONNRESET;
    readable();
    ck_assert_int_eq(owner.closed, 1);
    ck_assert_str_eq(owner.why, strerror(ECONNRESET));
    ck_assert_int_eq(net.closes, 1);
}
END_TEST

/* ---- output ---- */

START_TEST(output_leaves_at_the_end_of_the_event_in_one_send) {
    say("one ");
    say("two ");
    say("three");
    ck_output("");
    ck_assert_uint_eq(stream_queued(owner.stream), 13);
    end_event();
    ck_output("one two three");
    ck_assert_uint_eq(loop.sends, 1);
    ck_assert_uint_eq(stream_queued(owner.stream), 0);
    ck_assert(!net.watches_write);
    ck_assert_uint_eq(owner.stream->sent, 13);
}
END_TEST

START_TEST(a_slow_peer_gets_the_rest_when_it_can_take_it) {
    net.room = 3;
    say("abcdefgh");
    end_event();
    ck_output("abc");
    ck_assert(net.watches_write);
    uint64_t sends = loop.sends;
    say("ij");
    end_event();
    ck_assert_uint_eq(loop.sends, sends); /* it waits for the socket */
    ck_output("abc");
    writable(0); /* a false alarm */
    ck_output("abc");
    writable(1);
    ck_output("abcd");
    writable(SIZE_MAX);
    ck_output("abcdefghij");
    ck_assert(!net.watches_write);
    ck_assert_int_eq(owner.drained, 0); /* it was never over the high water */
}
END_TEST

START_TEST(a_long_output_arrives_whole_whatever_the_pieces) {
    struct bytes all = pattern(1 << 20);
    net.room = 0;
    for (size_t at = 0, n = 1; at < all.len; at += n, n = n * 3 % 70001 + 1) {
        if (n > all.len - at) n = all.len - at;
        stream_send(owner.stream, bytes_of(all.ptr + at, n));
    }
    end_event();
    for (size_t room = 1; net.watches_write; room = room * 2 % 50021 + 1) writable(room);
    ck_assert(bytes_equal(writer_bytes(&net.output), all));
}
END_TEST

START_TEST(long_pieces_go_by_reference_and_short_ones_are_copied) {
    struct buf *buf = buf_take(&loop.bufs, BUF_LARGE);
    struct bytes text = pattern(STREAM_COPY_MAX + 1);
    memcpy(buf->data, text.ptr, text.len);
    net.room = 0;
    stream_send_ref(owner.stream, buf, bytes_of(buf->data, STREAM_COPY_MAX));
    ck_assert_uint_eq(buf->refs, 1);
    stream_send_ref(owner.stream, buf, bytes_of(buf->data, STREAM_COPY_MAX + 1));
    ck_assert_uint_eq(buf->refs, 2);
    end_event();
    writable(SIZE_MAX);
    ck_assert_uint_eq(buf->refs, 1);
    buf_unref(buf);
    ck_assert_uint_eq(net.output.len, 2 * STREAM_COPY_MAX + 1);
    ck_assert(bytes_equal(bytes_of(net.output.data + STREAM_COPY_MAX, text.len), text));
}
END_TEST

/* What is received and passed on by reference must survive the next recv into the same loop. */
START_TEST(a_piece_sent_by_reference_is_not_overwritten_by_new_input) {
    owner.keeps_ref = true;
    net.room = 0;
    struct bytes all = pattern(3 * 5000);
    for (int i = 0; i < 3; i++) {
        net.input = bytes_of(all.ptr + i * 5000, 5000);
        readable();
    }
    writable(SIZE_MAX);
    ck_assert(bytes_equal(writer_bytes(&net.output), all));
}
END_TEST

START_TEST(text_behind_a_referenced_piece_does_not_touch_it) {
    struct buf *buf = buf_take(&loop.bufs, BUF_LARGE);
    memset(buf->data, 'r', buf->cap);
    buf->len = STREAM_COPY_MAX + 1; /* room behind it, but others read this chunk */
    net.room = 0;
    stream_send_ref(owner.stream, buf, bytes_of(buf->data, buf->len));
    say("behind");
    ck_assert_uint_eq(buf->data[buf->len], 'r');
    end_event();
    writable(SIZE_MAX);
    ck_assert(bytes_is(bytes_of(net.output.data + buf->len, 6), "behind"));
    buf_unref(buf);
}
END_TEST

START_TEST(over_the_high_water_the_owner_hears_when_it_is_over) {
    net.room = 0;
    stream_send(owner.stream, pattern(STREAM_HIGH_WATER));
    ck_assert(!stream_is_congested(owner.stream));
    say("x");
    ck_assert(stream_is_congested(owner.stream));
    end_event();
    writable(STREAM_HIGH_WATER);
    ck_assert_int_eq(owner.drained, 0);
    ck_assert(stream_is_congested(owner.stream));
    writable(SIZE_MAX);
    ck_assert_int_eq(owner.drained, 1);
    ck_assert(!stream_is_congested(owner.stream));
}
END_TEST

START_TEST(a_send_that_breaks_closes_the_stream) {
    net.send_error = EPIPE;
    net.room = 0;
    say("abc");
    end_event();
    ck_assert_int_eq(owner.closed, 1);
    ck_assert_str_eq(owner.why, strerror(EPIPE));
    ck_assert_uint_eq(loop.streams.taken, 0);
    ck_assert_uint_eq(loop.out_slices.taken, 0);
}
END_TEST

static struct task task;
static int task_runs;

static void send_from_task(struct task *t) {
    if (++task_runs < 3) loop_defer(&loop, t);
    say("t");
}

START_TEST(tasks_run_before_the_flush) {
    task_runs = 0;
    task_init(&task, send_from_task);
    loop_defer(&loop, &task);
    loop_defer(&loop, &task); /* it waits already */
    say("s");
    end_event();
    ck_output("sttt");
    ck_assert_uint_eq(loop.sends, 1);
}
END_TEST

/* ---- the end ---- */

START_TEST(close_drops_what_is_queued) {
    net.room = 0;
    stream_send(owner.stream, pattern(100000));
    end_event();
    stream_close(owner.stream);
    say("into the void");
    stream_close(owner.stream);
    ck_assert_int_eq(net.closes, 1);
    end_event();
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_uint_eq(loop.out_slices.taken, 0);
}
END_TEST

START_TEST(finish_sends_everything_then_shuts_down_then_waits_for_the_peer) {
    net.room = 2;
    say("last words");
    stream_finish(owner.stream);
    say("too late");
    end_event();
    ck_assert_int_eq(net.shutdowns, 0);
    writable(3);
    ck_assert_int_eq(net.shutdowns, 0);
    writable(SIZE_MAX);
    ck_output("last words");
    ck_assert_int_eq(net.shutdowns, 1);
    ck_assert_uint_eq(net.output_at_shutdown, strlen("last words"));
    ck_assert_int_eq(net.closes, 0);
    deliver("what the client had sent meanwhile");
    ck_assert_int_eq(owner.calls, 0);
    net.is_ended = true;
    deliver("");
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_uint_eq(loop.streams.taken, 0);
}
END_TEST

START_TEST(finish_inside_on_received) {
    owner.use = 0;
    owner.finishes = true;
    owner.keeps_ref = true;
    deliver("abc");
    ck_output("abc");
    ck_assert_int_eq(net.shutdowns, 1);
    ck_assert(!stream_has_held(owner.stream));
}
END_TEST

START_TEST(finish_of_a_paused_stream_still_sees_the_peer_close) {
    stream_pause(owner.stream);
    deliver("abc");
    ck_assert(!net.watches_read);
    stream_finish(owner.stream);
    end_event();
    readable();
    net.is_ended = true;
    readable();
    ck_assert_int_eq(net.closes, 1);
}
END_TEST

START_TEST(finish_does_not_wait_for_ever) {
    net.room = 0;
    say("never read");
    stream_finish(owner.stream);
    end_event();
    loop.now_us += STREAM_FINISH_MS * 1000 - 1;
    loop_bury(&loop);
    ck_assert_int_eq(net.closes, 0);
    loop.now_us += 1;
    loop_bury(&loop);
    owner.stream = NULL;
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
}
END_TEST

START_TEST(a_send_that_breaks_while_finishing_is_nobodys_business) {
    say("abc");
    stream_finish(owner.stream);
    net.send_error = EPIPE;
    end_event();
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
}
END_TEST

/* ---- outgoing ---- */

static void connect_instead(void) {
    static const struct addr nowhere;
    struct err err = {0};
    stream_close(owner.stream);
    end_event();
    net.closes = 0;
    owner.stream = stream_connect(&loop, &nowhere, NULL, &handler, &owner, &err);
}

START_TEST(what_is_sent_before_the_connection_stands_is_sent_then) {
    connect_instead();
    ck_assert_ptr_nonnull(owner.stream);
    ck_assert(net.watches_write);
    say("early");
    end_event();
    stream_on_writable(owner.stream);
    ck_output("");
    stream_on_connected(owner.stream);
    ck_assert_int_eq(owner.connected, 1);
    end_event();
    ck_output("early");
    deliver("welcome");
    ck_offered("welcome");
}
END_TEST

START_TEST(a_refused_connection_is_an_error_at_once_or_a_close_later) {
    net.refuses_connect = true;
    connect_instead();
    ck_assert_ptr_null(owner.stream);
    ck_assert_uint_eq(loop.streams.taken, 0);
    net.refuses_connect = false;
    struct err err = {0};
    static const struct addr nowhere;
    owner.stream = stream_connect(&loop, &nowhere, NULL, &handler, &owner, &err);
    stream_on_broken(owner.stream, "Connection refused");
    end_event();
    ck_assert_int_eq(owner.connected, 0);
    ck_assert_int_eq(owner.closed, 1);
}
END_TEST

START_TEST(finish_before_the_connection_stands_is_close) {
    connect_instead();
    say("early");
    stream_finish(owner.stream);
    end_event();
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
}
END_TEST

#ifdef GILMOK_FAULT
/* Receives, keeps, passes on by reference and by copy. True when everything went through. */
static bool passes_all(void) {
    struct bytes all = pattern(40000);
    owner.keeps_ref = true;
    net.room = 10;
    for (size_t at = 0; at < all.len && owner.stream; at += 4000) {
        net.input = bytes_of(all.ptr + at, 4000);
        if (owner.stream && net.watches_read) readable();
    }
    if (owner.stream && net.watches_write) writable(SIZE_MAX);
    owner.keeps_ref = false;
    owner.use = 3;
    if (owner.stream) deliver("kept");
    struct bytes out = writer_bytes(&net.output);
    ck_assert(out.len <= all.len && bytes_equal(out, bytes_of(all.ptr, out.len))); /* never a hole */
    return owner.stream && out.len == all.len;
}

START_TEST(without_memory_the_stream_ends_but_never_skips_a_byte) {
    for (uint64_t n = 0; n < 1000; n++) {
        fault_arm(FAULT_ALLOC, n);
        bool passed = passes_all();
        bool fired = fault_fired(FAULT_ALLOC);
        fault_disarm();
        ck_assert(passed || fired);
        ck_assert_msg(passed || owner.closed == 1, "allocation %u: bytes are lost and nobody was told", (unsigned)n);
        release();
        fresh();
        if (!fired) return;
    }
    ck_abort_msg("the scenario never passed without a fault");
}
END_TEST
#endif

int main(void) {
    TCase *tc = tcase_create("stream");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, what_arrives_is_offered);
    tcase_add_test(tc, what_is_left_comes_again_in_front_of_the_rest);
    tcase_add_test(tc, kept_input_is_offered_again_on_request);
    tcase_add_test(tc, a_false_alarm_loses_nothing);
    tcase_add_test(tc, a_message_in_single_bytes_becomes_one_piece);
    tcase_add_test(tc, an_idle_stream_holds_no_memory_and_a_waiting_one_little);
    tcase_add_test(tc, reading_stops_when_too_much_is_kept);
    tcase_add_test(tc, a_paused_stream_offers_nothing);
    tcase_add_test(tc, a_paused_stream_is_not_offered_what_it_keeps);
    tcase_add_test(tc, an_owner_may_close_inside_on_received);
    tcase_add_test(tc, the_peer_closes);
    tcase_add_test(tc, a_broken_link_says_why);
    tcase_add_test(tc, output_leaves_at_the_end_of_the_event_in_one_send);
    tcase_add_test(tc, a_slow_peer_gets_the_rest_when_it_can_take_it);
    tcase_add_test(tc, a_long_output_arrives_whole_whatever_the_pieces);
    tcase_add_test(tc, long_pieces_go_by_reference_and_short_ones_are_copied);
    tcase_add_test(tc, a_piece_sent_by_reference_is_not_overwritten_by_new_input);
    tcase_add_test(tc, text_behind_a_referenced_piece_does_not_touch_it);
    tcase_add_test(tc, over_the_high_water_the_owner_hears_when_it_is_over);
    tcase_add_test(tc, a_send_that_breaks_closes_the_stream);
    tcase_add_test(tc, tasks_run_before_the_flush);
    tcase_add_test(tc, close_drops_what_is_queued);
    tcase_add_test(tc, finish_sends_everything_then_shuts_down_then_waits_for_the_peer);
    tcase_add_test(tc, finish_inside_on_received);
    tcase_add_test(tc, finish_of_a_paused_stream_still_sees_the_peer_close);
    tcase_add_test(tc, finish_does_not_wait_for_ever);
    tcase_add_test(tc, a_send_that_breaks_while_finishing_is_nobodys_business);
    tcase_add_test(tc, what_is_sent_before_the_connection_stands_is_sent_then);
    tcase_add_test(tc, a_refused_connection_is_an_error_at_once_or_a_close_later);
    tcase_add_test(tc, finish_before_the_connection_stands_is_close);
#ifdef GILMOK_FAULT
    tcase_add_test(tc, without_memory_the_stream_ends_but_never_skips_a_byte);
#endif
    Suite *suite = suite_create("stream");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
