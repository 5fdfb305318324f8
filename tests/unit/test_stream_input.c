/*
 * test_stream_input.c - what arrives on a stream: offered, kept, offered again, held back.
 */
#include <errno.h>

#include "tests/unit/check_main.h"
#include "tests/unit/pattern.h"
#include "tests/unit/stream_net.h"

START_TEST(what_arrives_is_offered) {
    net_deliver("hello");
    net_ck_offered("hello");
    ck_assert(!stream_has_held(owner.stream));
    ck_assert_uint_eq(owner.stream->received, 5);
}
END_TEST

START_TEST(what_is_left_comes_again_in_front_of_the_rest) {
    owner.use = 0;
    net_deliver("abc");
    ck_assert(stream_has_held(owner.stream));
    owner.use = 2;
    net_deliver("def");
    net_ck_offered("abcdef");
    owner.use = USE_ALL;
    net_deliver("gh");
    net_ck_offered("cdefgh");
    ck_assert(!stream_has_held(owner.stream));
}
END_TEST

START_TEST(kept_input_is_offered_again_on_request) {
    owner.use = 1;
    net_deliver("abc");
    stream_reoffer(owner.stream);
    net_ck_offered("bc");
    owner.use = 0;
    stream_reoffer(owner.stream);
    net_ck_offered("c");
    owner.use = USE_ALL;
    stream_reoffer(owner.stream);
    net_ck_offered("c");
    int calls = owner.calls;
    stream_reoffer(owner.stream);
    ck_assert_int_eq(owner.calls, calls);
}
END_TEST

START_TEST(a_false_alarm_loses_nothing) {
    owner.use = 0;
    net_deliver("abc");
    net_deliver("");
    ck_assert_int_eq(owner.calls, 1);
    owner.use = USE_ALL;
    net_deliver("d");
    net_ck_offered("abcd");
}
END_TEST

/* Byte by byte with an owner that waits for the whole: the piece grows and stays in one. */
START_TEST(a_message_in_single_bytes_becomes_one_piece) {
    static const char text[] = "a message that arrives one byte at a time";
    owner.use = 0;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        net.input = bytes_of(text + i, 1);
        net_readable();
    }
    net_ck_offered(text);
    ck_assert_int_eq(owner.calls, (int)sizeof text - 1);
}
END_TEST

START_TEST(an_idle_stream_holds_no_memory_and_a_waiting_one_little) {
    net_deliver("all of it is used");
    uint64_t idle = net.loop.bufs.out;
    ck_assert_uint_le(idle, 1); /* the loop's own chunk for the next recv */
    owner.use = 3;
    net_deliver("half a message");
    ck_assert_uint_eq(net.loop.bufs.out, idle + 1);
    ck_assert_int_eq(owner.stream->held->size_class, BUF_SMALL);
}
END_TEST

START_TEST(reading_stops_when_too_much_is_kept) {
    owner.use = 0;
    struct bytes all = pattern(STREAM_HELD_MAX + 100);
    net.input = all;
    while (net.watches_read) net_readable();
    ck_assert_uint_eq(writer_bytes(&owner.offered).len, STREAM_HELD_MAX);
    ck_assert_uint_eq(net.input.len, 100);
    stream_on_readable(owner.stream); /* an event that was under way already */
    ck_assert_uint_eq(net.input.len, 100);
    ck_assert_int_eq(owner.closed, 0);
    owner.use = 1;
    stream_reoffer(owner.stream);
    ck_assert(net.watches_read);
    owner.use = USE_ALL;
    net_readable();
    ck_assert(bytes_equal(writer_bytes(&owner.offered), bytes_of(all.ptr + 1, STREAM_HELD_MAX)));
    net_readable();
    ck_assert(bytes_equal(writer_bytes(&owner.offered), bytes_of(all.ptr + STREAM_HELD_MAX + 1, 99)));
}
END_TEST

START_TEST(a_paused_stream_offers_nothing) {
    stream_pause(owner.stream);
    net_deliver("abc");
    ck_assert_int_eq(owner.calls, 0);
    ck_assert(!net.watches_read); /* the kernel is told only when something did arrive */
    stream_resume(owner.stream);
    net_readable();
    net_ck_offered("abc");
}
END_TEST

START_TEST(a_paused_stream_is_not_offered_what_it_keeps) {
    owner.use = 0;
    owner.pauses = true;
    net_deliver("abc");
    stream_reoffer(owner.stream);
    ck_assert_int_eq(owner.calls, 1);
    owner.pauses = false;
    owner.use = USE_ALL;
    stream_resume(owner.stream);
    stream_reoffer(owner.stream);
    ck_assert_int_eq(owner.calls, 2);
    net_ck_offered("abc");
}
END_TEST

START_TEST(an_owner_may_close_inside_on_received) {
    owner.closes = true;
    owner.keeps_ref = true;
    net_deliver("abc");
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_uint_eq(net.loop.streams.taken, 0);
}
END_TEST

START_TEST(the_peer_closes) {
    owner.use = 0;
    net_deliver("abc");
    net.is_ended = true;
    net_deliver("");
    ck_assert_int_eq(owner.closed, 1);
    ck_assert_str_eq(owner.why, "closed by peer");
    ck_assert_uint_eq(net.loop.streams.taken, 0);
}
END_TEST

START_TEST(a_broken_link_says_why) {
    net.recv_error = ECONNRESET;
    net_readable();
    ck_assert_int_eq(owner.closed, 1);
    ck_assert_str_eq(owner.why, strerror(ECONNRESET));
    ck_assert_int_eq(net.closes, 1);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("stream input");
    tcase_add_checked_fixture(tc, net_fresh, net_release);
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
    return check_main_of("stream input", tc);
}
