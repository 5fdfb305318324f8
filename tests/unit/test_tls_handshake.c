/*
 * test_tls_handshake.c - how a stream becomes a TLS stream, and what may not: nothing in clear slips in, and none is half open.
 */
#include "tests/unit/check_main.h"
#include "tests/unit/pattern.h"
#include "tests/unit/tls_contexts.h"

/* ---- the handshake ---- */

START_TEST(a_handshake_after_a_request) {
    pair_shake();
    struct tls_info c = pair_info(CLIENT), s = pair_info(SERVER);
    ck_assert_str_eq(s.version, "TLSv1.3");
    ck_assert_str_eq(c.cipher, s.cipher);
    ck_assert(c.is_secured && s.is_secured && c.has_alpn && s.has_alpn && !c.is_resumed && !s.is_resumed);
    ck_assert(c.has_peer_cert && c.peer_verified && !s.has_peer_cert && !s.peer_verified);
    ck_assert_str_eq(c.peer_cn, "server");
    ck_assert_str_eq(c.peer_subject, "CN=server,O=gilmok tests");
    ck_assert_str_eq(s.peer_cn, "");
    pair_say(CLIENT, bytes_str("SELECT 1"));
    pair_run();
    pair_ck_taken(SERVER, bytes_str("SELECT 1"));
}
END_TEST

START_TEST(a_direct_handshake) {
    pair.is_direct = true;
    pair_shake();
    pair_say(SERVER, bytes_str("welcome"));
    pair_run();
    pair_ck_taken(CLIENT, bytes_str("welcome"));
}
END_TEST

static void shake_in_pieces(size_t chunk, bool is_direct, bool is_12) {
    if (is_12) contexts_pair_12();
    else contexts_pair();
    pair.is_direct = is_direct;
    pair.from[CLIENT].chunk_max = pair.from[SERVER].chunk_max = chunk;
    pair_shake();
    pair_say(CLIENT, bytes_str("question"));
    pair_say(SERVER, bytes_str("answer"));
    pair_run();
    pair_ck_taken(SERVER, bytes_str("question"));
    pair_ck_taken(CLIENT, bytes_str("answer"));
    pair_close();
}

START_TEST(a_handshake_in_pieces_of_any_size) {
    pair_close();
    for (size_t i = 0; i < PAIR_CHUNKS; i++) {
        for (int k = 0; k < 4; k++) shake_in_pieces(pair_chunks[i], k & 1, k & 2);
    }
    contexts_pair();
}
END_TEST

START_TEST(what_is_sent_before_the_handshake_is_complete_waits_for_it) {
    pair_start();
    pair_turn(); /* the server has answered S, TLS has started there */
    stream_send(pair.end[SERVER].s, bytes_str("early from the server"));
    pair_turn();
    stream_send(pair.end[CLIENT].s, bytes_str("early from the client"));
    ck_assert_uint_ge(stream_queued(pair.end[CLIENT].s), 21);
    pair_run();
    pair_ck_taken(SERVER, bytes_str("early from the client"));
    pair_ck_taken(CLIENT, bytes_str("early from the server"));
    for (size_t at = 0; at + 5 < pair.from[CLIENT].end; at++) ck_assert_int_ne(memcmp(pair.from[CLIENT].data + at, "early", 5), 0);
    for (size_t at = 0; at + 5 < pair.from[SERVER].end; at++) ck_assert_int_ne(memcmp(pair.from[SERVER].data + at, "early", 5), 0);
}
END_TEST

START_TEST(first_words_travel_with_the_end_of_the_handshake) {
    pair.end[CLIENT].first_words = bytes_str("startup packet");
    pair.end[SERVER].first_words = bytes_str("welcome");
    pair_shake();
    pair_ck_taken(SERVER, bytes_str("startup packet"));
    pair_ck_taken(CLIENT, bytes_str("welcome"));
}
END_TEST

/* ---- nothing in clear slips in ---- */

START_TEST(bytes_stuffed_behind_the_request_are_refused) {
    pair.end[CLIENT].sends_stuff = true;
    pair_start();
    pair_run();
    ck_assert(strstr(pair.end[SERVER].err.message, "unencrypted data") != NULL);
    ck_assert_ptr_null(pair.end[SERVER].s);
    ck_assert_uint_eq(pair.from[SERVER].end, 0); /* not even the S */
    pair_ck_closed(CLIENT, "closed by peer");
}
END_TEST

START_TEST(bytes_stuffed_behind_the_answer_are_refused) {
    pair.end[SERVER].sends_stuff = true;
    pair_start();
    pair_run();
    ck_assert(strstr(pair.end[CLIENT].err.message, "unencrypted data") != NULL);
    ck_assert_ptr_null(pair.end[CLIENT].s);
}
END_TEST

START_TEST(a_caller_that_is_wrong_about_what_it_leaves_ends_the_stream) {
    pair.end[CLIENT].sends_stuff = true;
    pair.end[SERVER].lies = true;
    pair_start();
    pair_run();
    pair_ck_closed(SERVER, "unencrypted data");
    ck_assert_int_eq(pair.end[SERVER].secured, 0);
    ck_assert_uint_eq(pair.end[SERVER].taken.len, 0);
}
END_TEST

START_TEST(stuff_that_arrives_later_is_not_tls) {
    pair_start();
    ck_assert(pair_turn());
    memcpy(pair.from[CLIENT].data + pair.from[CLIENT].end, "stuffed", 7); /* by somebody in between */
    pair.from[CLIENT].end += 7;
    pair_run();
    pair_ck_closed(SERVER, "TLS handshake failed");
    ck_assert_uint_eq(pair.end[SERVER].taken.len, 0);
}
END_TEST

START_TEST(tls_starts_once_and_not_over_kept_input) {
    struct tls_start how = {.host = "db.example"};
    struct err err = {0};
    pair_shake();
    ck_assert(!stream_start_tls(pair.end[SERVER].s, contexts.server, &how, &err));
    pair_close();
    pair_open(NULL, NULL); /* both in clear */
    pair.end[SERVER].use_max = 0;
    pair_say(CLIENT, bytes_str("kept"));
    pair_run();
    ck_assert(stream_has_held(pair.end[SERVER].s));
    ck_assert(!stream_start_tls(pair.end[SERVER].s, contexts.server, &how, &err));
    ck_assert(strstr(err.message, "unencrypted data") != NULL);
}
END_TEST

/* ---- broken off ---- */

START_TEST(finish_in_the_middle_of_the_handshake) {
    pair_start();
    pair_turn();
    stream_send(pair.end[SERVER].s, bytes_str("never seen"));
    stream_finish(pair.end[SERVER].s);
    pair_run();
    pair_ck_closed(CLIENT, "closed by peer");
    ck_assert_uint_eq(pair.end[CLIENT].taken.len, 0);
}
END_TEST

START_TEST(close_in_the_middle_of_the_handshake_with_queued_output) {
    pair_start();
    pair_turn();
    pair_turn();
    stream_send(pair.end[CLIENT].s, pattern(100000));
    stream_close(pair.end[CLIENT].s);
    pair_run();
    pair_ck_closed(SERVER, "closed by peer during the TLS handshake");
}
END_TEST

START_TEST(finish_inside_on_secured) {
    pair.end[SERVER].first_words = bytes_str("too many clients");
    pair.end[SERVER].finishes_secured = true;
    pair_start();
    pair_run();
    pair_ck_taken(CLIENT, bytes_str("too many clients"));
    pair_ck_closed(CLIENT, "closed by peer");
}
END_TEST

static void cut_after(int side, size_t k, bool *is_whole) {
    contexts_pair();
    pair.from[side].cut_after = k;
    pair_start();
    pair_run();
    *is_whole = pair.end[1 - side].secured == 1;
    ck_assert_msg(*is_whole || pair.end[1 - side].closed == 1, "after %zu bytes the end is not noticed", k);
    pair_close();
}

START_TEST(a_handshake_cut_after_any_byte_ends_the_stream) {
    pair_close();
    for (int side = 0; side < 2; side++) {
        bool is_whole = false;
        for (size_t k = 0; !is_whole; k += 1 + (k > 8) * 3) cut_after(side, k, &is_whole);
    }
    contexts_pair();
}
END_TEST

/* Whatever comes, the stream ends, and nothing of it goes up. */
START_TEST(random_bytes_instead_of_a_handshake) {
    pair_close();
    uint32_t dice = 1;
    for (int round = 0; round < 300; round++) {
        pair_open(NULL, contexts.server);
        pair_say(CLIENT, bytes_str("R"));
        pair_run();
        uint8_t noise[700];
        for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)((dice = dice * 1103515245 + 12345) >> 16);
        if (round % 2) memcpy(noise, "\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03", 11); /* the head of a ClientHello */
        pair.end[CLIENT].use_max = SIZE_MAX;
        pair_say(CLIENT, bytes_of(noise, sizeof noise));
        stream_finish(pair.end[CLIENT].s);
        pair_run();
        ck_assert_int_eq(pair.end[SERVER].closed, 1);
        ck_assert_int_eq(pair.end[SERVER].secured, 0);
        ck_assert_uint_eq(pair.end[SERVER].taken.len, 0);
        pair_close();
    }
    contexts_pair();
}
END_TEST

int main(void) {
    contexts_open();
    TCase *t = tcase_create("tls handshake");
    tcase_add_checked_fixture(t, contexts_pair, pair_close);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_handshake_after_a_request);
    tcase_add_test(t, a_direct_handshake);
    tcase_add_test(t, a_handshake_in_pieces_of_any_size);
    tcase_add_test(t, what_is_sent_before_the_handshake_is_complete_waits_for_it);
    tcase_add_test(t, first_words_travel_with_the_end_of_the_handshake);
    tcase_add_test(t, bytes_stuffed_behind_the_request_are_refused);
    tcase_add_test(t, bytes_stuffed_behind_the_answer_are_refused);
    tcase_add_test(t, a_caller_that_is_wrong_about_what_it_leaves_ends_the_stream);
    tcase_add_test(t, stuff_that_arrives_later_is_not_tls);
    tcase_add_test(t, tls_starts_once_and_not_over_kept_input);
    tcase_add_test(t, finish_in_the_middle_of_the_handshake);
    tcase_add_test(t, close_in_the_middle_of_the_handshake_with_queued_output);
    tcase_add_test(t, finish_inside_on_secured);
    tcase_add_test(t, a_handshake_cut_after_any_byte_ends_the_stream);
    tcase_add_test(t, random_bytes_instead_of_a_handshake);
    int status = check_main_of("tls handshake", t);
    contexts_close();
    return status;
}
