/*
 * test_stream_end.c - how a stream ends: closed, finished, never connected, without memory.
 */
#include <errno.h>

#include "base/fault.h"
#include "tests/unit/check_main.h"
#include "tests/unit/pattern.h"
#include "tests/unit/stream_net.h"

/* ---- the end ---- */

START_TEST(close_drops_what_is_queued) {
    net.room = 0;
    stream_send(owner.stream, pattern(100000));
    net_end_event();
    stream_close(owner.stream);
    net_say("into the void");
    stream_close(owner.stream);
    ck_assert_int_eq(net.closes, 1);
    net_end_event();
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_uint_eq(net.loop.out_slices.taken, 0);
}
END_TEST

START_TEST(finish_sends_everything_then_shuts_down_then_waits_for_the_peer) {
    net.room = 2;
    net_say("last words");
    stream_finish(owner.stream);
    net_say("too late");
    net_end_event();
    ck_assert_int_eq(net.shutdowns, 0);
    net_writable(3);
    ck_assert_int_eq(net.shutdowns, 0);
    net_writable(SIZE_MAX);
    net_ck_output("last words");
    ck_assert_int_eq(net.shutdowns, 1);
    ck_assert_uint_eq(net.output_at_shutdown, strlen("last words"));
    ck_assert_int_eq(net.closes, 0);
    net_deliver("what the client had sent meanwhile");
    ck_assert_int_eq(owner.calls, 0);
    net.is_ended = true;
    net_deliver("");
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_uint_eq(net.loop.streams.taken, 0);
}
END_TEST

START_TEST(finish_inside_on_received) {
    owner.use = 0;
    owner.finishes = true;
    owner.keeps_ref = true;
    net_deliver("abc");
    net_ck_output("abc");
    ck_assert_int_eq(net.shutdowns, 1);
    ck_assert(!stream_has_held(owner.stream));
}
END_TEST

START_TEST(finish_of_a_paused_stream_still_sees_the_peer_close) {
    stream_pause(owner.stream);
    net_deliver("abc");
    ck_assert(!net.watches_read);
    stream_finish(owner.stream);
    net_end_event();
    net_readable();
    net.is_ended = true;
    net_readable();
    ck_assert_int_eq(net.closes, 1);
}
END_TEST

START_TEST(finish_does_not_wait_for_ever) {
    net.room = 0;
    net_say("never read");
    stream_finish(owner.stream);
    net_end_event();
    net.loop.now_us += STREAM_FINISH_MS * 1000 - 1;
    loop_bury(&net.loop);
    ck_assert_int_eq(net.closes, 0);
    net.loop.now_us += 1;
    loop_bury(&net.loop);
    owner.stream = NULL;
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
}
END_TEST

START_TEST(a_send_that_breaks_while_finishing_is_nobodys_business) {
    net_say("abc");
    stream_finish(owner.stream);
    net.send_error = EPIPE;
    net_end_event();
    ck_assert_int_eq(net.closes, 1);
    ck_assert_int_eq(owner.closed, 0);
}
END_TEST

/* ---- outgoing ---- */

static void connect_instead(void) {
    static const struct addr nowhere;
    struct err err = {0};
    stream_close(owner.stream);
    net_end_event();
    net.closes = 0;
    owner.stream = stream_connect(&net.loop, &nowhere, NULL, &owner_handler, &owner, &err);
}

START_TEST(what_is_sent_before_the_connection_stands_is_sent_then) {
    connect_instead();
    ck_assert_ptr_nonnull(owner.stream);
    ck_assert(net.watches_write);
    net_say("early");
    net_end_event();
    stream_on_writable(owner.stream);
    net_ck_output("");
    stream_on_connected(owner.stream);
    ck_assert_int_eq(owner.connected, 1);
    net_end_event();
    net_ck_output("early");
    net_deliver("welcome");
    net_ck_offered("welcome");
}
END_TEST

START_TEST(a_refused_connection_is_an_error_at_once_or_a_close_later) {
    net.refuses_connect = true;
    connect_instead();
    ck_assert_ptr_null(owner.stream);
    ck_assert_uint_eq(net.loop.streams.taken, 0);
    net.refuses_connect = false;
    struct err err = {0};
    static const struct addr nowhere;
    owner.stream = stream_connect(&net.loop, &nowhere, NULL, &owner_handler, &owner, &err);
    stream_on_broken(owner.stream, "Connection refused");
    net_end_event();
    ck_assert_int_eq(owner.connected, 0);
    ck_assert_int_eq(owner.closed, 1);
}
END_TEST

START_TEST(finish_before_the_connection_stands_is_close) {
    connect_instead();
    net_say("early");
    stream_finish(owner.stream);
    net_end_event();
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
        if (owner.stream && net.watches_read) net_readable();
    }
    if (owner.stream && net.watches_write) net_writable(SIZE_MAX);
    owner.keeps_ref = false;
    owner.use = 3;
    if (owner.stream) net_deliver("kept");
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
        net_release();
        net_fresh();
        if (!fired) return;
    }
    ck_abort_msg("the scenario never passed without a fault");
}
END_TEST
#endif

int main(void) {
    TCase *tc = tcase_create("stream end");
    tcase_add_checked_fixture(tc, net_fresh, net_release);
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
    return check_main_of("stream end", tc);
}
