/*
 * test_stream_codec.c - a stream whose bytes are packed on the link: unpacked as far as its owner takes them, packed when they leave.
 *
 * The toy's packing: `3a` is `aaa`, `K` is 100,000 times `k`; `|` waits until all before it is taken, `!` is garbled. What is sent
 * leaves in brackets.
 */
#include "base/fault.h"
#include "proxy/net/codec.h"
#include "tests/unit/check_main.h"
#include "tests/unit/stream_net.h"

enum { MANY = 100000 };

static struct toy {
    struct codec base;
    size_t left; /* copies of `letter` that are still to come */
    uint8_t letter;
    int drops, frees, packs;
} toy;

static enum codec_found find(struct bytes *in, bool is_taken, bool has_made) {
    uint8_t first = in->ptr[0];
    if (first == '!') return CODEC_GARBLED;
    if (first == '|' && (!is_taken || has_made)) return CODEC_WAITS;
    if (first >= '0' && first <= '9' && in->len < 2) return CODEC_MORE;
    return CODEC_GOES_ON;
}

static void take_one(struct bytes *in) {
    uint8_t first = in->ptr[0];
    bool is_counted = first >= '0' && first <= '9';
    toy.left = is_counted ? (size_t)(first - '0') : first == 'K' ? MANY : first == '|' ? 0 : 1;
    toy.letter = is_counted ? in->ptr[1] : first == 'K' ? 'k' : first;
    *in = bytes_of(in->ptr + 1 + is_counted, in->len - 1 - is_counted);
}

static enum codec_found unpack(struct codec *c, struct bytes *in, uint8_t *out, size_t cap, size_t *made, bool is_taken) {
    size_t had = *made;
    ck_assert_ptr_eq(c, &toy.base);
    for (;;) {
        for (; toy.left && *made < cap; toy.left--) out[(*made)++] = toy.letter;
        if (toy.left) return CODEC_GOES_ON;
        if (!in->len) return CODEC_MORE;
        enum codec_found found = find(in, is_taken, *made > had);
        if (found != CODEC_GOES_ON) return found;
        take_one(in);
    }
}

static size_t pack(struct codec *c, const struct iovec *pieces, int count, size_t *len, uint8_t *out, size_t cap) {
    size_t n = 0;
    ck_assert_ptr_eq(c, &toy.base);
    toy.packs++;
    out[n++] = '[';
    for (int i = 0; i < count; i++) {
        size_t some = pieces[i].iov_len < cap - 1 - n ? pieces[i].iov_len : cap - 1 - n;
        memcpy(out + n, pieces[i].iov_base, some);
        n += some;
    }
    *len = n - 1;
    out[n++] = ']';
    return n;
}

static bool is_idle(const struct codec *c) {
    (void)c;
    return !toy.left;
}

static void drop(struct codec *c) {
    (void)c;
    toy.drops++;
}

static void free_toy(struct codec *c) {
    (void)c;
    toy.frees++;
}

static const struct codec_ops toy_ops = {unpack, pack, is_idle, drop, free_toy};

static void begin(void) {
    memset(&toy, 0, sizeof toy);
    stream_set_codec(owner.stream, &toy.base, &toy_ops);
}

static void fresh(void) {
    net_fresh();
    begin();
}

static void release(void) {
    net_release();
    ck_assert_int_eq(toy.frees, 1);
    ck_assert_int_ge(toy.drops, 1);
}

static void ck_idle(void) {
    ck_assert(codec_is_idle(owner.stream));
    ck_assert_ptr_null(toy.base.in);
}

/* ---- input ---- */

START_TEST(what_arrives_is_unpacked) {
    net_deliver("3ab2c");
    net_ck_offered("aaabcc");
    ck_idle();
}
END_TEST

START_TEST(what_is_cut_waits_for_the_rest) {
    net_deliver("2a3");
    net_ck_offered("aa");
    ck_assert_uint_eq(toy.base.in_len, 1);
    ck_assert_uint_eq(toy.base.in->size_class, BUF_SMALL);
    net_deliver("b");
    net_ck_offered("bbb");
    ck_idle();
}
END_TEST

START_TEST(what_is_left_comes_again_in_front_of_the_rest) {
    owner.use = 1;
    net_deliver("3a");
    net_deliver("2b");
    net_ck_offered("aabb");
    owner.use = USE_ALL;
    stream_reoffer(owner.stream);
    net_ck_offered("abb");
}
END_TEST

START_TEST(a_beginning_waits_until_all_is_taken) {
    owner.use = 1;
    net_deliver("3a|2b|c");
    net_ck_offered("aaa");
    owner.use = USE_ALL;
    int calls = owner.calls;
    stream_reoffer(owner.stream);
    net_end_event();
    net_ck_offered("c");
    ck_assert_int_eq(owner.calls, calls + 3);
    ck_idle();
}
END_TEST

START_TEST(a_paused_stream_unpacks_nothing) {
    owner.pauses = true;
    net_deliver("3a|b");
    ck_assert_int_eq(owner.calls, 1);
    owner.pauses = false;
    stream_resume(owner.stream);
    net_end_event();
    net_ck_offered("b");
}
END_TEST

START_TEST(a_few_bytes_hold_no_more_than_a_chunk) {
    owner.use = 0;
    net_deliver("KKKKKKKKKK");
    ck_assert_uint_eq(owner.stream->held_len, STREAM_HELD_MAX);
    ck_assert_int_eq(owner.calls, 1);
    ck_assert_uint_le(net.loop.bufs.out, 3); /* the next recv's, too */
    ck_assert(!codec_is_idle(owner.stream));
}
END_TEST

START_TEST(others_have_their_turn) {
    net_deliver("KKKKKKKKKK");
    ck_assert_int_eq(owner.calls, CODEC_TURN_MAX);
    ck_assert(!codec_is_idle(owner.stream));
    size_t calls = CODEC_TURN_MAX;
    for (int i = 1; net.wakes == i; i++) {
        ck_assert(loop_take_mail(&net.loop));
        net_end_event();
        calls += CODEC_TURN_MAX;
    }
    ck_assert_uint_le((size_t)owner.calls, calls);
    ck_assert_uint_gt((size_t)owner.calls, (size_t)10 * MANY / BUF_LARGE_SIZE);
    ck_idle();
}
END_TEST

START_TEST(who_ends_while_others_have_their_turn) {
    net_deliver("KKKKKKKKKK");
    ck_assert_int_eq(net.wakes, 1);
    stream_close(owner.stream);
    net_end_event();
    ck_assert(loop_take_mail(&net.loop));
}
END_TEST

START_TEST(no_more_is_read_than_there_is_room_for) {
    static char many[BUF_LARGE_SIZE + 100];
    memset(many, '|', sizeof many - 1);
    memcpy(many, "a|", 2);
    owner.use = 0;
    net_deliver(many);
    ck_assert_uint_eq(net.input.len, sizeof many - 1 - BUF_LARGE_SIZE);
    stream_on_readable(owner.stream);
    ck_assert_uint_eq(toy.base.in_len, BUF_LARGE_SIZE);
    stream_on_readable(owner.stream);
    ck_assert(!net.watches_read);
    owner.use = USE_ALL;
    stream_reoffer(owner.stream);
    net_end_event();
    ck_assert(net.watches_read);
    ck_idle();
}
END_TEST

START_TEST(garbled_bytes_end_it_behind_what_came_before) {
    net_deliver("2a!b");
    net_ck_offered("aa");
    ck_assert_int_eq(owner.closed, 1);
    ck_assert_str_eq(owner.why, "received bytes that cannot be unpacked");
    ck_assert_ptr_null(owner.stream);
}
END_TEST

START_TEST(the_peers_end_comes_through) {
    net_deliver("a3");
    net.is_ended = true;
    net_deliver("");
    ck_assert_int_eq(owner.closed, 1);
    ck_assert_str_eq(owner.why, "closed by peer");
}
END_TEST

START_TEST(a_stream_may_end_inside_of_a_chunk) {
    if (_i) owner.closes = true;
    else owner.finishes = true;
    net_deliver("KKa|b");
    ck_assert_int_eq(owner.calls, 1);
    ck_assert_int_eq(owner.closed, 0);
}
END_TEST

/* ---- output ---- */

START_TEST(what_is_sent_is_packed_when_it_leaves) {
    net_say("ab");
    net_say("cd");
    ck_assert_uint_eq(stream_queued(owner.stream), 4);
    net_end_event();
    net_ck_output("[abcd]");
    ck_idle();
}
END_TEST

START_TEST(what_was_queued_before_leaves_as_it_is) {
    net_release();
    net_fresh();
    net_say("clear ");
    begin();
    net_say("packed");
    net_end_event();
    net_ck_output("clear [packed]");
}
END_TEST

START_TEST(what_was_kept_before_is_unpacked) {
    net_release();
    net_fresh();
    owner.use = 0;
    net_deliver("3a");
    owner.use = USE_ALL;
    begin();
    net_end_event();
    net_ck_offered("aaa");
}
END_TEST

START_TEST(what_is_packed_at_once_is_a_unit_of_its_own) {
    net_say("one");
    stream_pack(owner.stream);
    net_say("two");
    net_end_event();
    net_ck_output("[one][two]");
}
END_TEST

START_TEST(no_more_is_packed_than_the_link_takes) {
    static uint8_t much[1 << 20];
    net.room = 1000;
    stream_send(owner.stream, bytes_of(much, sizeof much));
    net_end_event();
    ck_assert_int_le(toy.packs, 2);
    ck_assert(stream_is_congested(owner.stream));
    net_writable(SIZE_MAX);
    ck_assert_uint_eq(net.output.len, sizeof much + 2 * (size_t)toy.packs);
    ck_assert_int_eq(owner.drained, 1);
}
END_TEST

START_TEST(what_is_queued_leaves_before_the_end) {
    net_say("last words");
    stream_finish(owner.stream);
    ck_assert_int_eq(toy.drops, 1); /* nothing of the loop's is needed any more */
    net_end_event();
    net_ck_output("[last words]");
    ck_assert_int_eq(net.shutdowns, 1);
}
END_TEST

int main(void) {
    TCase *c = tcase_create("codec");
    tcase_add_checked_fixture(c, fresh, release);
    tcase_add_test(c, what_arrives_is_unpacked);
    tcase_add_test(c, what_is_cut_waits_for_the_rest);
    tcase_add_test(c, what_is_left_comes_again_in_front_of_the_rest);
    tcase_add_test(c, a_beginning_waits_until_all_is_taken);
    tcase_add_test(c, a_paused_stream_unpacks_nothing);
    tcase_add_test(c, a_few_bytes_hold_no_more_than_a_chunk);
    tcase_add_test(c, others_have_their_turn);
    tcase_add_test(c, who_ends_while_others_have_their_turn);
    tcase_add_test(c, no_more_is_read_than_there_is_room_for);
    tcase_add_test(c, garbled_bytes_end_it_behind_what_came_before);
    tcase_add_test(c, the_peers_end_comes_through);
    tcase_add_loop_test(c, a_stream_may_end_inside_of_a_chunk, 0, 2);
    tcase_add_test(c, what_is_sent_is_packed_when_it_leaves);
    tcase_add_test(c, what_was_queued_before_leaves_as_it_is);
    tcase_add_test(c, what_was_kept_before_is_unpacked);
    tcase_add_test(c, what_is_packed_at_once_is_a_unit_of_its_own);
    tcase_add_test(c, no_more_is_packed_than_the_link_takes);
    tcase_add_test(c, what_is_queued_leaves_before_the_end);
    return check_main_of("stream_codec", c);
}
