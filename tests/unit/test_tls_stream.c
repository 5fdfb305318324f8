/*
 * test_tls_stream.c - data behind the handshake: whole, in few system calls, with back-pressure, to its end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/net/tls_impl.h"
#include "tests/unit/check_main.h"
#include "tests/unit/pattern.h"
#include "tests/unit/tls_contexts.h"

/* ---- data ---- */

static void ck_both_ways(size_t len, size_t chunk, bool is_12) {
    if (is_12) contexts_pair_12();
    else contexts_pair();
    pair_shake();
    pair.from[CLIENT].chunk_max = pair.from[SERVER].chunk_max = chunk;
    struct bytes all = pattern(len);
    pair_say(CLIENT, all);
    pair_say(SERVER, all);
    pair_run();
    pair_ck_taken(SERVER, all);
    pair_ck_taken(CLIENT, all);
    ck_assert_uint_eq(stream_queued(pair.end[CLIENT].s), 0);
    pair_close();
}

START_TEST(any_length_arrives_whole_in_any_pieces) {
    static const size_t lens[] = {1, 2, 100, 2000, 16383, 16384, 16385, 65504, 65536, 70000, 1 << 20};
    pair_close();
    for (size_t i = 0; i < COUNT_OF(lens); i++)
        for (size_t k = 0; k < PAIR_CHUNKS; k++)
            if (lens[i] <= 2000 || pair_chunks[k] >= 1000) ck_both_ways(lens[i], pair_chunks[k], (i + k) % 2);
    contexts_pair();
}
END_TEST

START_TEST(a_slow_socket_gets_everything_and_bounds_what_is_encrypted_ahead) {
    pair_shake();
    struct bytes all = pattern(1 << 20);
    pair.from[SERVER].room = 0;
    for (size_t at = 0, n = 1; at < all.len; at += n, n = n * 3 % 70001 + 1) {
        if (n > all.len - at) n = all.len - at;
        stream_send(pair.end[SERVER].s, bytes_of(all.ptr + at, n));
    }
    loop_settle(&pair.loop);
    ck_assert(stream_is_congested(pair.end[SERVER].s));
    ck_assert_uint_ge(stream_queued(pair.end[SERVER].s), all.len);
    ck_assert_uint_le(stream_queued(pair.end[SERVER].s), all.len + 1024); /* what encryption adds to what is ahead */
    for (size_t room = 1; stream_queued(pair.end[SERVER].s) > 0; room = room * 2 % 50021 + 1) {
        pair.from[SERVER].room = room;
        pair_run();
    }
    pair.from[SERVER].room = SIZE_MAX;
    pair_run();
    pair_ck_taken(CLIENT, all);
    ck_assert_int_eq(pair.end[SERVER].drained, 1);
}
END_TEST

START_TEST(small_messages_leave_in_one_record_and_one_send) {
    pair_shake();
    size_t before = pair.from[SERVER].end;
    uint64_t sends = pair.loop.sends;
    struct buf *buf = buf_take(&pair.loop.bufs, BUF_LARGE);
    memset(buf->data, 'r', 3000);
    for (int i = 0; i < 5; i++) {
        stream_send(pair.end[SERVER].s, bytes_str("little message"));
        stream_send_ref(pair.end[SERVER].s, buf, bytes_of(buf->data, 1500));
    }
    loop_settle(&pair.loop);
    buf_unref(buf);
    ck_assert_uint_eq(pair.loop.sends, sends + 1);
    ck_assert_uint_eq(pair.from[SERVER].end - before, 5 * 1514 + 22);
    uint64_t recvs = pair.loop.recvs;
    int calls = pair.end[CLIENT].calls;
    pair_run();
    ck_assert_uint_eq(pair.loop.recvs, recvs + 1);
    ck_assert_int_eq(pair.end[CLIENT].calls, calls + 1);
}
END_TEST

/*
 * libpq gives OpenSSL room for 8 KiB at least. What is left of a longer record lies in OpenSSL, where no select() sees it: a driver
 * that waits by itself (psycopg and others) would wait for ever. PostgreSQL's own records have 8 KiB.
 */
static void ck_records(size_t begin) {
    enum { HEADER = 5, GROWTH = 64, LIBPQ_ROOM = 8192 };
    const struct pair_pipe *p = &pair.from[SERVER];
    size_t longest = 0;
    for (size_t at = begin; at < p->end;) {
        ck_assert_uint_le(at + HEADER, p->end);
        size_t len = (size_t)p->data[at + 3] << 8 | p->data[at + 4];
        if (len > longest) longest = len;
        at += HEADER + len;
    }
    ck_assert_uint_le(longest, LIBPQ_ROOM + GROWTH);
    ck_assert_uint_ge(longest, LIBPQ_ROOM);
}

START_TEST(no_record_is_longer_than_libpq_has_room_for) {
    for (int is_12 = 0; is_12 < 2; is_12++) {
        pair_close();
        if (is_12) contexts_pair_12();
        else contexts_pair();
        pair_shake();
        size_t begin = pair.from[SERVER].end;
        pair_say(SERVER, pattern(100000));
        for (int i = 0; i < 200; i++) pair_say(SERVER, pattern(1000 + (size_t)i)); /* gathered from small ones */
        pair_run();
        ck_records(begin);
    }
    pair_close();
    contexts_pair();
}
END_TEST

START_TEST(one_recv_and_one_send_a_hop) {
    pair_shake();
    pair.end[SERVER].echoes = true;
    uint64_t recvs = pair.loop.recvs, sends = pair.loop.sends;
    enum { TRIPS = 10 };
    for (int i = 0; i < TRIPS; i++) {
        pair_say(CLIENT, bytes_str("question"));
        pair_run();
    }
    ck_assert_uint_eq(pair.loop.recvs - recvs, 2 * TRIPS);
    ck_assert_uint_eq(pair.loop.sends - sends, 2 * TRIPS);
    recvs = pair.loop.recvs;
    sends = pair.loop.sends;
    pair_say(CLIENT, pattern(60000)); /* eight records */
    ck_assert_uint_eq(pair.loop.sends - sends, 1);
    pair_run();
    ck_assert_uint_eq(pair.loop.sends - sends, 2);
    ck_assert_uint_eq(pair.loop.recvs - recvs, 2);
    ck_assert_int_eq(pair.end[SERVER].calls, TRIPS + 2); /* the request in clear, and 60000 bytes in one piece */
}
END_TEST

/* ---- back-pressure ---- */

START_TEST(what_is_left_comes_again_in_front_of_the_rest) {
    pair_shake();
    pair.end[SERVER].use_max = 1;
    pair_say(CLIENT, bytes_str("abc"));
    pair_run();
    pair_ck_taken(SERVER, bytes_str("a"));
    ck_assert(stream_has_held(pair.end[SERVER].s));
    pair.end[SERVER].use_max = 4;
    pair_say(CLIENT, bytes_str("def"));
    pair_run();
    pair_ck_taken(SERVER, bytes_str("abcde"));
    stream_reoffer(pair.end[SERVER].s);
    pair_ck_taken(SERVER, bytes_str("abcdef"));
}
END_TEST

START_TEST(a_full_stream_stops_reading_and_comes_to_life_again) {
    pair_shake();
    struct pair_end *server = &pair.end[SERVER];
    struct bytes all = pattern(1 << 20);
    server->use_max = 0;
    pair_say(CLIENT, all);
    pair_run();
    ck_assert_uint_eq(server->s->held_len, STREAM_HELD_MAX);
    ck_assert(!server->watches_read);
    ck_assert_uint_le(pair.loop.bufs.out, 4); /* the kept piece, ciphertext of one recv, the loop's own chunk */
    for (size_t use = 1; server->taken.len < all.len; use = use * 3 % 90001 + 1) {
        server->use_max = use;
        stream_reoffer(server->s);
        loop_settle(&pair.loop);
        server->use_max = 0;
        pair_run();
    }
    pair_ck_taken(SERVER, all);
}
END_TEST

START_TEST(a_pause_in_mid_data_stops_decryption_too) {
    pair_shake();
    struct pair_end *server = &pair.end[SERVER];
    struct bytes all = pattern(1 << 20);
    server->pauses = true;
    pair_say(CLIENT, all);
    for (int pauses = 0; server->taken.len < all.len; pauses++) {
        int calls = server->calls;
        size_t taken = server->taken.len;
        pair_run();
        ck_assert_int_le(server->calls, calls + 1);
        ck_assert_uint_le(server->taken.len - taken, BUF_LARGE_SIZE);
        ck_assert_int_lt(pauses, 1000);
        stream_resume(server->s);
        loop_settle(&pair.loop);
    }
    pair_ck_taken(SERVER, all);
    ck_assert_int_eq(server->closed, 0);
}
END_TEST

/* Kept input in front leaves no room for all that one recv brought: the rest must come without another event. */
START_TEST(what_was_received_but_not_decrypted_comes_after_the_pause) {
    pair_shake();
    struct pair_end *server = &pair.end[SERVER];
    struct bytes all = pattern(100000);
    server->use_max = 0;
    pair_say(CLIENT, bytes_of(all.ptr, 40000));
    pair_run();
    server->use_max = SIZE_MAX;
    server->pauses = true;
    pair_say(CLIENT, bytes_of(all.ptr + 40000, 60000));
    int calls = server->calls;
    pair_run();
    ck_assert_int_eq(server->calls, calls + 1);
    ck_assert_uint_eq(server->taken.len, BUF_LARGE_SIZE);
    ck_assert_uint_eq(pair.from[CLIENT].at, pair.from[CLIENT].end); /* nothing is left in the network */
    stream_resume(server->s);
    loop_settle(&pair.loop);
    pair_ck_taken(SERVER, all);
    ck_assert_uint_le(pair.loop.bufs.out, 1);
}
END_TEST

START_TEST(a_paused_stream_hears_of_the_end_when_it_resumes) {
    pair_shake();
    struct pair_end *server = &pair.end[SERVER];
    server->pauses = true;
    stream_send(pair.end[CLIENT].s, bytes_str("last words"));
    stream_finish(pair.end[CLIENT].s);
    pair_run();
    pair_ck_taken(SERVER, bytes_str("last words"));
    ck_assert_int_eq(server->closed, 0);
    stream_resume(server->s);
    pair_run();
    pair_ck_closed(SERVER, "closed by peer");
}
END_TEST

/* ---- the end ---- */

START_TEST(finish_delivers_everything_then_says_goodbye) {
    pair_shake();
    struct bytes all = pattern(300000);
    pair.from[SERVER].room = 1000;
    stream_send(pair.end[SERVER].s, all);
    stream_finish(pair.end[SERVER].s);
    pair_run();
    ck_assert_int_eq(pair.end[SERVER].shutdowns, 0);
    pair.from[SERVER].room = SIZE_MAX;
    pair_run();
    pair_ck_taken(CLIENT, all);
    ck_assert_int_eq(pair.end[SERVER].shutdowns, 1);
    pair_ck_closed(CLIENT, "closed by peer");
    ck_assert_int_eq(pair.end[SERVER].closed, 0);
    ck_assert_ptr_null(pair.end[SERVER].s); /* the client's end has been seen */
}
END_TEST

static struct tls_info info_at_close;

static void keep_info(void *ctx, const char *why) {
    struct pair_end *e = ctx;
    (void)why;
    e->closed++;
    ck_assert(stream_tls_info(e->s, &info_at_close));
}

static void ck_was_cut(bool finishes) {
    struct stream_handler handler = *pair.end[CLIENT].s->on;
    handler.on_closed = keep_info;
    pair_shake();
    pair.end[CLIENT].s->on = &handler;
    if (finishes) stream_finish(pair.end[SERVER].s);
    else stream_close(pair.end[SERVER].s);
    pair_run();
    ck_assert_int_eq(pair.end[CLIENT].closed, 1);
    ck_assert(info_at_close.was_cut == !finishes);
}

START_TEST(an_end_without_goodbye_is_known) {
    ck_was_cut(false);
    pair_close();
    contexts_pair();
    ck_was_cut(true);
}
END_TEST

START_TEST(a_flipped_bit_in_a_record_ends_the_stream) {
    pair_shake();
    pair_say(CLIENT, bytes_str("good"));
    pair_say(CLIENT, bytes_str("will be changed"));
    pair.from[CLIENT].data[pair.from[CLIENT].end - 3] ^= 1;
    pair_run();
    pair_ck_taken(SERVER, bytes_str("good"));
    pair_ck_closed(SERVER, "TLS failed");
    pair_ck_closed(CLIENT, "bad record mac");
}
END_TEST

/* ---- messages behind the handshake ---- */

static SSL *ssl_of(int side) {
    return pair.end[side].s->tls->ssl;
}

START_TEST(new_keys_in_mid_stream) {
    pair_shake();
    for (int i = 0; i < 5; i++) {
        for (int side = 0; side < 2; side++) {
            pair.end[side].s->tls->s = pair.end[side].s;
            ck_assert_int_eq(SSL_key_update(ssl_of(side), SSL_KEY_UPDATE_REQUESTED), 1);
            pair_say(side, bytes_str("under new keys;"));
            pair_run();
        }
    }
    ck_assert_uint_eq(pair.end[CLIENT].taken.len, 5 * 15);
    ck_assert_uint_eq(pair.end[SERVER].taken.len, 5 * 15);
    ck_assert_uint_le(pair.loop.bufs.out, 1);
}
END_TEST

/* Each request for new keys makes us answer. Who never reads the answers must not fill our memory. */
START_TEST(a_peer_that_has_us_answer_and_does_not_read) {
    pair_shake();
    pair.from[SERVER].room = 0;
    struct tls *client = pair.end[CLIENT].s->tls;
    size_t most = 0;
    for (int i = 0; i < 20000 && !pair.end[SERVER].closed; i++) {
        client->s = pair.end[CLIENT].s;
        ck_assert_int_eq(SSL_key_update(client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(client->ssl), 1); /* says it at once */
        stream_want_flush(pair.end[CLIENT].s);
        pair_run();
        if (pair.end[SERVER].s) most = stream_queued(pair.end[SERVER].s) > most ? stream_queued(pair.end[SERVER].s) : most;
    }
    ck_assert_uint_le(most, TLS_WIRE_MAX + 1024);
    if (most > TLS_WIRE_MAX) pair_ck_closed(SERVER, "does not read");
    if (getenv("GILMOK_TEST_PRINT")) printf("queued answers: %zu\n", most);
}
END_TEST

START_TEST(renegotiation_is_refused) {
    pair_close();
    contexts_pair_12();
    pair_shake();
    SSL *client = ssl_of(CLIENT);
    pair.end[CLIENT].s->tls->s = pair.end[CLIENT].s;
    SSL_clear_options(client, SSL_OP_NO_RENEGOTIATION);
    ck_assert_int_eq(SSL_renegotiate(client), 1);
    (void)SSL_do_handshake(client);
    stream_want_flush(pair.end[CLIENT].s);
    pair_run();
    pair_ck_closed(CLIENT, "no renegotiation");
}
END_TEST

int main(void) {
    contexts_open();
    TCase *t = tcase_create("tls stream");
    tcase_add_checked_fixture(t, contexts_pair, pair_close);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, any_length_arrives_whole_in_any_pieces);
    tcase_add_test(t, a_slow_socket_gets_everything_and_bounds_what_is_encrypted_ahead);
    tcase_add_test(t, small_messages_leave_in_one_record_and_one_send);
    tcase_add_test(t, no_record_is_longer_than_libpq_has_room_for);
    tcase_add_test(t, one_recv_and_one_send_a_hop);
    tcase_add_test(t, what_is_left_comes_again_in_front_of_the_rest);
    tcase_add_test(t, a_full_stream_stops_reading_and_comes_to_life_again);
    tcase_add_test(t, a_pause_in_mid_data_stops_decryption_too);
    tcase_add_test(t, what_was_received_but_not_decrypted_comes_after_the_pause);
    tcase_add_test(t, a_paused_stream_hears_of_the_end_when_it_resumes);
    tcase_add_test(t, finish_delivers_everything_then_says_goodbye);
    tcase_add_test(t, an_end_without_goodbye_is_known);
    tcase_add_test(t, a_flipped_bit_in_a_record_ends_the_stream);
    tcase_add_test(t, new_keys_in_mid_stream);
    tcase_add_test(t, a_peer_that_has_us_answer_and_does_not_read);
    tcase_add_test(t, renegotiation_is_refused);
    int status = check_main_of("tls stream", t);
    contexts_close();
    return status;
}
