/*
 * test_stream_output.c - what is sent on a stream: gathered, passed on by reference, held by a slow peer.
 */
#include <errno.h>

#include "tests/unit/check_main.h"
#include "tests/unit/pattern.h"
#include "tests/unit/stream_net.h"

START_TEST(output_leaves_at_the_end_of_the_event_in_one_send) {
    net_say("one ");
    net_say("two ");
    net_say("three");
    net_ck_output("");
    ck_assert_uint_eq(stream_queued(owner.stream), 13);
    net_end_event();
    net_ck_output("one two three");
    ck_assert_uint_eq(net.loop.sends, 1);
    ck_assert_uint_eq(stream_queued(owner.stream), 0);
    ck_assert(!net.watches_write);
    ck_assert_uint_eq(owner.stream->sent, 13);
}
END_TEST

START_TEST(a_slow_peer_gets_the_rest_when_it_can_take_it) {
    net.room = 3;
    net_say("abcdefgh");
    net_end_event();
    net_ck_output("abc");
    ck_assert(net.watches_write);
    uint64_t sends = net.loop.sends;
    net_say("ij");
    net_end_event();
    ck_assert_uint_eq(net.loop.sends, sends); /* it waits for the socket */
    net_ck_output("abc");
    net_writable(0); /* a false alarm */
    net_ck_output("abc");
    net_writable(1);
    net_ck_output("abcd");
    net_writable(SIZE_MAX);
    net_ck_output("abcdefghij");
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
    net_end_event();
    for (size_t room = 1; net.watches_write; room = room * 2 % 50021 + 1) net_writable(room);
    ck_assert(bytes_equal(writer_bytes(&net.output), all));
}
END_TEST

START_TEST(long_pieces_go_by_reference_and_short_ones_are_copied) {
    struct buf *buf = buf_take(&net.loop.bufs, BUF_LARGE);
    struct bytes text = pattern(STREAM_COPY_MAX + 1);
    memcpy(buf->data, text.ptr, text.len);
    net.room = 0;
    stream_send_ref(owner.stream, buf, bytes_of(buf->data, STREAM_COPY_MAX));
    ck_assert_uint_eq(buf->refs, 1);
    stream_send_ref(owner.stream, buf, bytes_of(buf->data, STREAM_COPY_MAX + 1));
    ck_assert_uint_eq(buf->refs, 2);
    net_end_event();
    net_writable(SIZE_MAX);
    ck_assert_uint_eq(buf->refs, 1);
    buf_unref(buf);
    ck_assert_uint_eq(net.output.len, 2 * STREAM_COPY_MAX + 1);
    ck_assert(bytes_equal(bytes_of(net.output.data + STREAM_COPY_MAX, text.len), text));
}
END_TEST

/* What is received and passed on by reference must survive the next recv into the same net.loop. */
START_TEST(a_piece_sent_by_reference_is_not_overwritten_by_new_input) {
    owner.keeps_ref = true;
    net.room = 0;
    struct bytes all = pattern(3 * 5000);
    for (int i = 0; i < 3; i++) {
        net.input = bytes_of(all.ptr + i * 5000, 5000);
        net_readable();
    }
    net_writable(SIZE_MAX);
    ck_assert(bytes_equal(writer_bytes(&net.output), all));
}
END_TEST

START_TEST(text_behind_a_referenced_piece_does_not_touch_it) {
    struct buf *buf = buf_take(&net.loop.bufs, BUF_LARGE);
    memset(buf->data, 'r', buf->cap);
    buf->len = STREAM_COPY_MAX + 1; /* room behind it, but others read this chunk */
    net.room = 0;
    stream_send_ref(owner.stream, buf, bytes_of(buf->data, buf->len));
    net_say("behind");
    ck_assert_uint_eq(buf->data[buf->len], 'r');
    net_end_event();
    net_writable(SIZE_MAX);
    ck_assert(bytes_is(bytes_of(net.output.data + buf->len, 6), "behind"));
    buf_unref(buf);
}
END_TEST

START_TEST(over_the_high_water_the_owner_hears_when_it_is_over) {
    net.room = 0;
    stream_send(owner.stream, pattern(STREAM_HIGH_WATER));
    ck_assert(!stream_is_congested(owner.stream));
    net_say("x");
    ck_assert(stream_is_congested(owner.stream));
    net_end_event();
    net_writable(STREAM_HIGH_WATER);
    ck_assert_int_eq(owner.drained, 0);
    ck_assert(stream_is_congested(owner.stream));
    net_writable(SIZE_MAX);
    ck_assert_int_eq(owner.drained, 1);
    ck_assert(!stream_is_congested(owner.stream));
}
END_TEST

START_TEST(a_send_that_breaks_closes_the_stream) {
    net.send_error = EPIPE;
    net.room = 0;
    net_say("abc");
    net_end_event();
    ck_assert_int_eq(owner.closed, 1);
    ck_assert_str_eq(owner.why, strerror(EPIPE));
    ck_assert_uint_eq(net.loop.streams.taken, 0);
    ck_assert_uint_eq(net.loop.out_slices.taken, 0);
}
END_TEST

static struct task task;
static int task_runs;

static void send_from_task(struct task *t) {
    if (++task_runs < 3) loop_defer(&net.loop, t);
    net_say("t");
}

START_TEST(tasks_run_before_the_flush) {
    task_runs = 0;
    task_init(&task, send_from_task);
    loop_defer(&net.loop, &task);
    loop_defer(&net.loop, &task); /* it waits already */
    net_say("s");
    net_end_event();
    net_ck_output("sttt");
    ck_assert_uint_eq(net.loop.sends, 1);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("stream output");
    tcase_add_checked_fixture(tc, net_fresh, net_release);
    tcase_add_test(tc, output_leaves_at_the_end_of_the_event_in_one_send);
    tcase_add_test(tc, a_slow_peer_gets_the_rest_when_it_can_take_it);
    tcase_add_test(tc, a_long_output_arrives_whole_whatever_the_pieces);
    tcase_add_test(tc, long_pieces_go_by_reference_and_short_ones_are_copied);
    tcase_add_test(tc, a_piece_sent_by_reference_is_not_overwritten_by_new_input);
    tcase_add_test(tc, text_behind_a_referenced_piece_does_not_touch_it);
    tcase_add_test(tc, over_the_high_water_the_owner_hears_when_it_is_over);
    tcase_add_test(tc, a_send_that_breaks_closes_the_stream);
    tcase_add_test(tc, tasks_run_before_the_flush);
    return check_main_of("stream output", tc);
}
