/*
 * test_tls.c - TLS streams: a client and a server of ours, joined in memory (tls_pair.h).
 */
#include <check.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "proxy/net/tls_impl.h"
#include "tests/unit/tls_certs.h"
#include "tests/unit/tls_pair.h"

enum { IDLE_MAX = 20000 }; /* heap bytes of an idle established stream, OpenSSL's included */

static struct tls_context *server_context, *server_12_context, *client_context, *client_12_context;

/* Bytes that are never equal to their neighbours, so that a lost or doubled piece shows. */
static struct bytes pattern(size_t len) {
    static uint8_t storage[2 << 20];
    ck_assert_uint_le(len, sizeof storage);
    for (size_t i = 0; i < len; i++) storage[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
    return bytes_of(storage, len);
}

static struct tls_server_options server_options(const char *name) {
    char crt[64], key[64];
    snprintf(crt, sizeof crt, "%s.crt", name);
    snprintf(key, sizeof key, "%s.key", name);
    return (struct tls_server_options){.cert_file = certs_path(crt), .key_file = certs_path(key), .alpn = "postgresql"};
}

static struct tls_client_options client_options(enum tls_verify verify) {
    return (struct tls_client_options){.verify = verify, .ca_file = certs_path("ca.crt"), .alpn = "postgresql"};
}

static struct tls_context *new_server(const struct tls_server_options *o) {
    struct err err = {0};
    struct tls_context *c = tls_context_new_server(o, &err);
    if (!c) fprintf(stderr, "%s\n", err.message);
    INVARIANT(c);
    return c;
}

static struct tls_context *new_client(const struct tls_client_options *o) {
    struct err err = {0};
    struct tls_context *c = tls_context_new_client(o, &err);
    if (!c) fprintf(stderr, "%s\n", err.message);
    INVARIANT(c);
    return c;
}

static void make_all(void) {
    certs_open();
    certs_make(&(struct cert_plan){.name = "ca", .cn = "the CA", .is_ca = true});
    certs_make(&(struct cert_plan){.name = "other-ca", .cn = "another CA", .is_ca = true});
    certs_make(&(struct cert_plan){.name = "server", .issuer = "ca", .cn = "server", .san = "DNS:db.example,IP:10.1.2.3"});
    certs_make(&(struct cert_plan){.name = "wild", .issuer = "ca", .cn = "wild", .san = "DNS:d*.some.example"});
    certs_make(&(struct cert_plan){.name = "self", .cn = "self", .san = "DNS:db.example"});
    certs_make(&(struct cert_plan){.name = "old", .issuer = "ca", .cn = "old", .san = "DNS:db.example", .is_expired = true});
    certs_make(&(struct cert_plan){.name = "ed", .issuer = "ca", .cn = "ed", .san = "DNS:db.example", .is_ed25519 = true});
    certs_make(&(struct cert_plan){.name = "alice", .issuer = "ca", .cn = "alice"});
    certs_make(&(struct cert_plan){.name = "nul", .issuer = "ca", .cn = "alice\0.evil", .cn_len = 11});
    certs_make(&(struct cert_plan){.name = "two", .issuer = "ca", .cn = "alice", .second_cn = "bob"});
    certs_make(&(struct cert_plan){.name = "mallory", .issuer = "other-ca", .cn = "alice"});
    struct tls_server_options so = server_options("server");
    struct tls_client_options co = client_options(TLS_VERIFY_FULL);
    server_context = new_server(&so);
    client_context = new_client(&co);
    so.max_version = "TLSv1.2";
    server_12_context = new_server(&so);
    client_12_context = new_client(&co);
}

static void release_all(void) {
    tls_context_unref(server_context);
    tls_context_unref(client_context);
    tls_context_unref(server_12_context);
    tls_context_unref(client_12_context);
    certs_close();
}

static void fresh(void) {
    pair_open(client_context, server_context);
    pair.host = "db.example";
}

static void fresh_12(void) {
    pair_open(client_12_context, server_12_context);
    pair.host = "db.example";
}

static struct tls_info info_of(int side) {
    struct tls_info info;
    ck_assert(stream_tls_info(pair.end[side].s, &info));
    return info;
}

static void ck_taken(int side, struct bytes expected) {
    struct bytes got = writer_bytes(&pair.end[side].taken);
    ck_assert_uint_eq(got.len, expected.len);
    ck_assert(bytes_equal(got, expected));
}

static void say(int side, struct bytes data) {
    stream_send(pair.end[side].s, data);
    loop_settle(&pair.loop);
}

static void ck_closed(int side, const char *why) {
    ck_assert_int_eq(pair.end[side].closed, 1);
    ck_assert_msg(strstr(pair.end[side].why, why) != NULL, "`%s` is not in `%s`", why, pair.end[side].why);
}

/* ---- the handshake ---- */

START_TEST(a_handshake_after_a_request) {
    pair_shake();
    struct tls_info c = info_of(CLIENT), s = info_of(SERVER);
    ck_assert_str_eq(s.version, "TLSv1.3");
    ck_assert_str_eq(c.cipher, s.cipher);
    ck_assert(c.is_secured && s.is_secured && c.has_alpn && s.has_alpn && !c.is_resumed && !s.is_resumed);
    ck_assert(c.has_peer_cert && c.peer_verified && !s.has_peer_cert && !s.peer_verified);
    ck_assert_str_eq(c.peer_cn, "server");
    ck_assert_str_eq(c.peer_subject, "CN=server,O=gilmok tests");
    ck_assert_str_eq(s.peer_cn, "");
    say(CLIENT, bytes_str("SELECT 1"));
    pair_run();
    ck_taken(SERVER, bytes_str("SELECT 1"));
}
END_TEST

START_TEST(a_direct_handshake) {
    pair.is_direct = true;
    pair_shake();
    say(SERVER, bytes_str("welcome"));
    pair_run();
    ck_taken(CLIENT, bytes_str("welcome"));
}
END_TEST

static const size_t chunk_sizes[] = {1, 2, 3, 5, 7, 100, 1000, 16384, 16406, 40000, SIZE_MAX};

static void shake_in_pieces(size_t chunk, bool is_direct, bool is_12) {
    if (is_12) fresh_12();
    else fresh();
    pair.is_direct = is_direct;
    pair.from[CLIENT].chunk_max = pair.from[SERVER].chunk_max = chunk;
    pair_shake();
    say(CLIENT, bytes_str("question"));
    say(SERVER, bytes_str("answer"));
    pair_run();
    ck_taken(SERVER, bytes_str("question"));
    ck_taken(CLIENT, bytes_str("answer"));
    pair_close();
}

START_TEST(a_handshake_in_pieces_of_any_size) {
    pair_close();
    for (size_t i = 0; i < COUNT_OF(chunk_sizes); i++) {
        for (int k = 0; k < 4; k++) shake_in_pieces(chunk_sizes[i], k & 1, k & 2);
    }
    fresh();
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
    ck_taken(SERVER, bytes_str("early from the client"));
    ck_taken(CLIENT, bytes_str("early from the server"));
    for (size_t at = 0; at + 5 < pair.from[CLIENT].end; at++) ck_assert_int_ne(memcmp(pair.from[CLIENT].data + at, "early", 5), 0);
    for (size_t at = 0; at + 5 < pair.from[SERVER].end; at++) ck_assert_int_ne(memcmp(pair.from[SERVER].data + at, "early", 5), 0);
}
END_TEST

START_TEST(first_words_travel_with_the_end_of_the_handshake) {
    pair.end[CLIENT].first_words = bytes_str("startup packet");
    pair.end[SERVER].first_words = bytes_str("welcome");
    pair_shake();
    ck_taken(SERVER, bytes_str("startup packet"));
    ck_taken(CLIENT, bytes_str("welcome"));
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
    ck_closed(CLIENT, "closed by peer");
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
    ck_closed(SERVER, "unencrypted data");
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
    ck_closed(SERVER, "TLS handshake failed");
    ck_assert_uint_eq(pair.end[SERVER].taken.len, 0);
}
END_TEST

START_TEST(tls_starts_once_and_not_over_kept_input) {
    struct tls_start how = {.host = "db.example"};
    struct err err = {0};
    pair_shake();
    ck_assert(!stream_start_tls(pair.end[SERVER].s, server_context, &how, &err));
    pair_close();
    pair_open(NULL, NULL); /* both in clear */
    pair.end[SERVER].use_max = 0;
    say(CLIENT, bytes_str("kept"));
    pair_run();
    ck_assert(stream_has_held(pair.end[SERVER].s));
    ck_assert(!stream_start_tls(pair.end[SERVER].s, server_context, &how, &err));
    ck_assert(strstr(err.message, "unencrypted data") != NULL);
}
END_TEST

/* ---- data ---- */

static void ck_both_ways(size_t len, size_t chunk, bool is_12) {
    if (is_12) fresh_12();
    else fresh();
    pair_shake();
    pair.from[CLIENT].chunk_max = pair.from[SERVER].chunk_max = chunk;
    struct bytes all = pattern(len);
    say(CLIENT, all);
    say(SERVER, all);
    pair_run();
    ck_taken(SERVER, all);
    ck_taken(CLIENT, all);
    ck_assert_uint_eq(stream_queued(pair.end[CLIENT].s), 0);
    pair_close();
}

START_TEST(any_length_arrives_whole_in_any_pieces) {
    static const size_t lens[] = {1, 2, 100, 2000, 16383, 16384, 16385, 65504, 65536, 70000, 1 << 20};
    pair_close();
    for (size_t i = 0; i < COUNT_OF(lens); i++)
        for (size_t k = 0; k < COUNT_OF(chunk_sizes); k++)
            if (lens[i] <= 2000 || chunk_sizes[k] >= 1000) ck_both_ways(lens[i], chunk_sizes[k], (i + k) % 2);
    fresh();
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
    ck_taken(CLIENT, all);
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

START_TEST(one_recv_and_one_send_a_hop) {
    pair_shake();
    pair.end[SERVER].echoes = true;
    uint64_t recvs = pair.loop.recvs, sends = pair.loop.sends;
    enum { TRIPS = 10 };
    for (int i = 0; i < TRIPS; i++) {
        say(CLIENT, bytes_str("question"));
        pair_run();
    }
    ck_assert_uint_eq(pair.loop.recvs - recvs, 2 * TRIPS);
    ck_assert_uint_eq(pair.loop.sends - sends, 2 * TRIPS);
    recvs = pair.loop.recvs;
    sends = pair.loop.sends;
    say(CLIENT, pattern(60000)); /* four records */
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
    say(CLIENT, bytes_str("abc"));
    pair_run();
    ck_taken(SERVER, bytes_str("a"));
    ck_assert(stream_has_held(pair.end[SERVER].s));
    pair.end[SERVER].use_max = 4;
    say(CLIENT, bytes_str("def"));
    pair_run();
    ck_taken(SERVER, bytes_str("abcde"));
    stream_reoffer(pair.end[SERVER].s);
    ck_taken(SERVER, bytes_str("abcdef"));
}
END_TEST

START_TEST(a_full_stream_stops_reading_and_comes_to_life_again) {
    pair_shake();
    struct pair_end *server = &pair.end[SERVER];
    struct bytes all = pattern(1 << 20);
    server->use_max = 0;
    say(CLIENT, all);
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
    ck_taken(SERVER, all);
}
END_TEST

START_TEST(a_pause_in_mid_data_stops_decryption_too) {
    pair_shake();
    struct pair_end *server = &pair.end[SERVER];
    struct bytes all = pattern(1 << 20);
    server->pauses = true;
    say(CLIENT, all);
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
    ck_taken(SERVER, all);
    ck_assert_int_eq(server->closed, 0);
}
END_TEST

/* Kept input in front leaves no room for all that one recv brought: the rest must come without another event. */
START_TEST(what_was_received_but_not_decrypted_comes_after_the_pause) {
    pair_shake();
    struct pair_end *server = &pair.end[SERVER];
    struct bytes all = pattern(100000);
    server->use_max = 0;
    say(CLIENT, bytes_of(all.ptr, 40000));
    pair_run();
    server->use_max = SIZE_MAX;
    server->pauses = true;
    say(CLIENT, bytes_of(all.ptr + 40000, 60000));
    int calls = server->calls;
    pair_run();
    ck_assert_int_eq(server->calls, calls + 1);
    ck_assert_uint_eq(server->taken.len, BUF_LARGE_SIZE);
    ck_assert_uint_eq(pair.from[CLIENT].at, pair.from[CLIENT].end); /* nothing is left in the network */
    stream_resume(server->s);
    loop_settle(&pair.loop);
    ck_taken(SERVER, all);
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
    ck_taken(SERVER, bytes_str("last words"));
    ck_assert_int_eq(server->closed, 0);
    stream_resume(server->s);
    pair_run();
    ck_closed(SERVER, "closed by peer");
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
    ck_taken(CLIENT, all);
    ck_assert_int_eq(pair.end[SERVER].shutdowns, 1);
    ck_closed(CLIENT, "closed by peer");
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
    fresh();
    ck_was_cut(true);
}
END_TEST

START_TEST(finish_in_the_middle_of_the_handshake) {
    pair_start();
    pair_turn();
    stream_send(pair.end[SERVER].s, bytes_str("never seen"));
    stream_finish(pair.end[SERVER].s);
    pair_run();
    ck_closed(CLIENT, "closed by peer");
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
    ck_closed(SERVER, "closed by peer during the TLS handshake");
}
END_TEST

START_TEST(finish_inside_on_secured) {
    pair.end[SERVER].first_words = bytes_str("too many clients");
    pair.end[SERVER].finishes_secured = true;
    pair_start();
    pair_run();
    ck_taken(CLIENT, bytes_str("too many clients"));
    ck_closed(CLIENT, "closed by peer");
}
END_TEST

static void cut_after(int side, size_t k, bool *is_whole) {
    fresh();
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
    fresh();
}
END_TEST

/* Whatever comes, the stream ends, and nothing of it goes up. */
START_TEST(random_bytes_instead_of_a_handshake) {
    pair_close();
    uint32_t dice = 1;
    for (int round = 0; round < 300; round++) {
        pair_open(NULL, server_context);
        say(CLIENT, bytes_str("R"));
        pair_run();
        uint8_t noise[700];
        for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)((dice = dice * 1103515245 + 12345) >> 16);
        if (round % 2) memcpy(noise, "\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03", 11); /* the head of a ClientHello */
        pair.end[CLIENT].use_max = SIZE_MAX;
        say(CLIENT, bytes_of(noise, sizeof noise));
        stream_finish(pair.end[CLIENT].s);
        pair_run();
        ck_assert_int_eq(pair.end[SERVER].closed, 1);
        ck_assert_int_eq(pair.end[SERVER].secured, 0);
        ck_assert_uint_eq(pair.end[SERVER].taken.len, 0);
        pair_close();
    }
    fresh();
}
END_TEST

START_TEST(a_flipped_bit_in_a_record_ends_the_stream) {
    pair_shake();
    say(CLIENT, bytes_str("good"));
    say(CLIENT, bytes_str("will be changed"));
    pair.from[CLIENT].data[pair.from[CLIENT].end - 3] ^= 1;
    pair_run();
    ck_taken(SERVER, bytes_str("good"));
    ck_closed(SERVER, "TLS failed");
    ck_closed(CLIENT, "bad record mac");
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
            say(side, bytes_str("under new keys;"));
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
    if (most > TLS_WIRE_MAX) ck_closed(SERVER, "does not read");
    if (getenv("GILMOK_TEST_PRINT")) printf("queued answers: %zu\n", most);
}
END_TEST

START_TEST(renegotiation_is_refused) {
    pair_close();
    fresh_12();
    pair_shake();
    SSL *client = ssl_of(CLIENT);
    pair.end[CLIENT].s->tls->s = pair.end[CLIENT].s;
    SSL_clear_options(client, SSL_OP_NO_RENEGOTIATION);
    ck_assert_int_eq(SSL_renegotiate(client), 1);
    (void)SSL_do_handshake(client);
    stream_want_flush(pair.end[CLIENT].s);
    pair_run();
    ck_closed(CLIENT, "no renegotiation");
}
END_TEST

/* ---- names, certificates, protocols ---- */

struct meeting {
    const char *server, *client_ca, *client_cert;
    enum tls_verify verify;
    enum tls_client_cert wants_cert;
    const char *host;
    const char *server_alpn, *client_alpn;
    const char *server_min, *server_max, *server_ciphers, *client_min;
    bool is_direct;
    const char *server_why, *client_why; /* NULL: it works */
};

static struct tls_context *met[2]; /* of the last meeting */

static void meet(const struct meeting *m) {
    char crt[64], key[64];
    struct tls_server_options so = server_options(m->server ? m->server : "server");
    so.alpn = m->server_alpn;
    so.min_version = m->server_min;
    so.max_version = m->server_max;
    so.ciphers = m->server_ciphers;
    so.client_cert = m->wants_cert;
    if (m->wants_cert) so.client_ca_file = certs_path("ca.crt");
    struct tls_client_options co = client_options(m->verify);
    co.alpn = m->client_alpn;
    co.min_version = m->client_min;
    if (m->client_ca) co.ca_file = certs_path(m->client_ca);
    if (m->client_cert) {
        snprintf(crt, sizeof crt, "%s.crt", m->client_cert);
        snprintf(key, sizeof key, "%s.key", m->client_cert);
        co.cert_file = certs_path(crt);
        co.key_file = certs_path(key);
    }
    struct tls_context *s = new_server(&so), *c = new_client(&co);
    pair_close();
    pair_open(c, s);
    tls_context_unref(met[SERVER]);
    tls_context_unref(met[CLIENT]);
    met[SERVER] = s;
    met[CLIENT] = c;
    pair.host = m->host ? m->host : "db.example";
    pair.is_direct = m->is_direct;
    if (!m->server_why && !m->client_why) {
        pair_shake();
        return;
    }
    pair_start();
    pair_run();
    if (m->server_why) ck_closed(SERVER, m->server_why);
    if (m->client_why) ck_closed(CLIENT, m->client_why);
    ck_assert_int_eq(pair.end[SERVER].secured, 0);
    ck_assert_uint_eq(pair.end[SERVER].taken.len, 0);
}

START_TEST(server_certificates_are_verified_as_the_mode_asks) {
    static const struct meeting meetings[] = {
        {.verify = TLS_VERIFY_FULL},
        {.verify = TLS_VERIFY_FULL, .host = "10.1.2.3"},
        {.verify = TLS_VERIFY_FULL, .host = "10.1.2.4", .client_why = "certificate verify failed (IP address mismatch)"},
        {.verify = TLS_VERIFY_FULL, .host = "elsewhere.example", .client_why = "certificate verify failed (hostname mismatch)",
         .server_why = "TLS handshake failed"},
        {.verify = TLS_VERIFY_FULL, .host = "db.some.example", .server = "wild", .client_why = "hostname mismatch"},
        {.verify = TLS_VERIFY_CA, .host = "elsewhere.example"},
        {.verify = TLS_VERIFY_CA, .host = "10.1.2.4"},
        {.verify = TLS_VERIFY_CA, .client_ca = "other-ca.crt", .client_why = "unable to get local issuer certificate",
         .server_why = "alert unknown ca"},
        {.verify = TLS_VERIFY_CA, .server = "self", .client_why = "certificate verify failed (self-signed certificate)"},
        {.verify = TLS_VERIFY_CA, .server = "old", .client_why = "certificate has expired", .server_why = "certificate expired"},
        {.verify = TLS_VERIFY_NONE, .server = "self"},
        {.verify = TLS_VERIFY_NONE, .server = "old", .host = "elsewhere.example"},
        {.verify = TLS_VERIFY_FULL, .server = "ed"},
    };
    for (size_t i = 0; i < COUNT_OF(meetings); i++) {
        meet(&meetings[i]);
        if (meetings[i].client_why) continue;
        ck_assert(info_of(CLIENT).peer_verified == (meetings[i].verify != TLS_VERIFY_NONE));
    }
}
END_TEST

START_TEST(verify_full_without_a_name_does_not_begin) {
    struct err err = {0};
    struct tls_start how = {.host = NULL};
    pair_close();
    pair_open(NULL, NULL);
    ck_assert(!stream_start_tls(pair.end[CLIENT].s, client_context, &how, &err));
    ck_assert(strstr(err.message, "verify-full") != NULL);
}
END_TEST

START_TEST(client_certificates_are_verified_as_the_mode_asks) {
    static const struct meeting meetings[] = {
        {.wants_cert = TLS_CLIENT_CERT_REQUIRED, .client_cert = "alice"},
        {.wants_cert = TLS_CLIENT_CERT_REQUIRED, .server_why = "peer did not return a certificate"},
        {.wants_cert = TLS_CLIENT_CERT_REQUIRED, .client_cert = "mallory", .server_why = "certificate verify failed (unable to get"},
        {.wants_cert = TLS_CLIENT_CERT_VERIFIED_IF_GIVEN, .client_cert = "alice"},
        {.wants_cert = TLS_CLIENT_CERT_VERIFIED_IF_GIVEN},
        {.wants_cert = TLS_CLIENT_CERT_VERIFIED_IF_GIVEN, .client_cert = "mallory", .server_why = "certificate verify failed"},
        {.wants_cert = TLS_CLIENT_CERT_IGNORED, .client_cert = "alice"},
    };
    for (size_t i = 0; i < COUNT_OF(meetings); i++) {
        const struct meeting *m = &meetings[i];
        meet(m);
        if (m->server_why) continue;
        struct tls_info info = info_of(SERVER);
        bool is_known = m->client_cert && m->wants_cert;
        ck_assert(info.has_peer_cert == is_known && info.peer_verified == is_known);
        ck_assert_str_eq(info.peer_cn, is_known ? "alice" : "");
    }
}
END_TEST

START_TEST(a_name_with_a_nul_or_two_names_is_no_name) {
    meet(&(struct meeting){.wants_cert = TLS_CLIENT_CERT_REQUIRED, .client_cert = "nul"});
    struct tls_info info = info_of(SERVER);
    ck_assert(info.peer_verified);
    ck_assert_str_eq(info.peer_cn, "");
    ck_assert_str_eq(info.peer_subject, "");
    meet(&(struct meeting){.wants_cert = TLS_CLIENT_CERT_REQUIRED, .client_cert = "two"});
    ck_assert_str_eq(info_of(SERVER).peer_cn, "");
    ck_assert_str_eq(info_of(SERVER).peer_subject, "CN=bob,CN=alice,O=gilmok tests");
}
END_TEST

START_TEST(protocol_names) {
    static const struct meeting meetings[] = {
        {.server_alpn = "postgresql", .client_alpn = "postgresql"},
        {.server_alpn = "postgresql", .client_alpn = NULL},
        {.server_alpn = NULL, .client_alpn = "postgresql"},
        {.server_alpn = "postgresql", .client_alpn = "http/1.1", .client_why = "alert no application protocol"},
        {.server_alpn = "postgresql", .client_alpn = "postgres", .client_why = "alert no application protocol"},
        {.server_alpn = "postgresql", .client_alpn = "postgresql", .is_direct = true},
        {.server_alpn = "postgresql", .client_alpn = NULL, .is_direct = true, .client_why = "alert no application protocol"},
        {.server_alpn = "postgresql", .client_alpn = "http/1.1", .is_direct = true, .client_why = "no application protocol"},
    };
    for (size_t i = 0; i < COUNT_OF(meetings); i++) meet(&meetings[i]);
    /* A server that ignores ALPN: whoever starts direct does not trust it. */
    meet(&(struct meeting){.server_alpn = NULL, .client_alpn = "postgresql", .is_direct = true, .client_why = "did not select"});
}
END_TEST

START_TEST(versions) {
    meet(&(struct meeting){.server_min = "TLSv1.3", .client_min = "TLSv1.3"});
    ck_assert_str_eq(info_of(SERVER).version, "TLSv1.3");
    meet(&(struct meeting){.server_max = "TLSv1.2", .client_min = "TLSv1.3", .server_why = "unsupported protocol",
                           .client_why = "alert protocol version"});
    struct tls_server_options o = server_options("server");
    struct err err = {0};
    o.min_version = "TLSv1.1";
    ck_assert_ptr_null(tls_context_new_server(&o, &err));
    ck_assert(strstr(err.message, "TLSv1.1") != NULL);
}
END_TEST

/* ---- resumption ---- */

static void ck_resumes(bool expected) { /* the ticket comes with the handshake */
    pair.end[SERVER].first_words = bytes_str("the ticket comes in front of this");
    pair_shake();
    ck_assert(info_of(CLIENT).is_resumed == expected);
    ck_assert(info_of(SERVER).is_resumed == expected);
    ck_assert(info_of(CLIENT).peer_verified);
    ck_assert_str_eq(info_of(CLIENT).peer_cn, "server");
}

START_TEST(a_second_connection_resumes) {
    ck_resumes(false);
    for (int i = 0; i < 3; i++) {
        pair_close();
        fresh();
        ck_resumes(true);
    }
    pair_close();
    fresh();
    pair.host = "10.1.2.3"; /* another name: it must be verified anew */
    ck_resumes(false);
}
END_TEST

START_TEST(a_second_connection_resumes_with_tls_1_2) {
    for (int i = 0; i < 3; i++) {
        pair_close();
        fresh_12();
        ck_resumes(i > 0);
        ck_assert_str_eq(info_of(SERVER).version, "TLSv1.2");
    }
}
END_TEST

START_TEST(a_resumed_session_remembers_the_client) {
    struct tls_server_options so = server_options("server");
    so.client_cert = TLS_CLIENT_CERT_REQUIRED;
    so.client_ca_file = certs_path("ca.crt");
    struct tls_client_options co = client_options(TLS_VERIFY_FULL);
    co.cert_file = certs_path("alice.crt");
    co.key_file = certs_path("alice.key");
    struct tls_context *s = new_server(&so), *c = new_client(&co);
    for (int i = 0; i < 2; i++) {
        pair_close();
        pair_open(c, s);
        pair.host = "db.example";
        ck_resumes(i == 1);
        ck_assert(info_of(SERVER).peer_verified);
        ck_assert_str_eq(info_of(SERVER).peer_cn, "alice");
    }
    tls_context_unref(s);
    tls_context_unref(c);
}
END_TEST

START_TEST(more_servers_than_the_cache_has_places) {
    struct tls_client_options co = client_options(TLS_VERIFY_CA);
    struct tls_context *c = new_client(&co);
    char host[32];
    for (int i = 0; i < 30; i++) {
        pair_close();
        pair_open(c, server_context);
        snprintf(host, sizeof host, "h%d.example", i % 10);
        pair.host = host;
        pair_shake();
    }
    tls_context_unref(c);
}
END_TEST

/* ---- channel binding ---- */

START_TEST(both_ends_know_the_hash_of_the_servers_certificate) {
    uint8_t mine[TLS_HASH_MAX], theirs[TLS_HASH_MAX];
    ck_assert_uint_eq(stream_tls_end_point_hash(pair.end[SERVER].s, mine), 0);
    pair_shake();
    ck_assert_uint_eq(stream_tls_end_point_hash(pair.end[SERVER].s, mine), 32);
    ck_assert_uint_eq(stream_tls_end_point_hash(pair.end[CLIENT].s, theirs), 32);
    ck_assert(bytes_equal(bytes_of(mine, 32), bytes_of(theirs, 32)));
    uint8_t der[2000], expected[32], *end = der;
    FILE *f = fopen(certs_path("server.crt"), "r");
    X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    int len = i2d_X509(cert, NULL);
    ck_assert(len > 0 && len < (int)sizeof der && i2d_X509(cert, &end) == len);
    X509_free(cert);
    ck_assert(EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)len, expected, NULL));
    ck_assert(bytes_equal(bytes_of(mine, 32), bytes_of(expected, 32)));
}
END_TEST

START_TEST(a_certificate_without_one_hash_has_no_binding) {
    uint8_t hash[TLS_HASH_MAX];
    certs_make(&(struct cert_plan){.name = "ed-ca", .cn = "ed", .is_ed25519 = true});
    meet(&(struct meeting){.verify = TLS_VERIFY_NONE, .server = "ed-ca"});
    ck_assert_uint_eq(stream_tls_end_point_hash(pair.end[SERVER].s, hash), 0);
}
END_TEST

/* ---- files ---- */

static void ck_refused(struct tls_server_options *o, const char *why) {
    struct err err = {0};
    ck_assert_ptr_null(tls_context_new_server(o, &err));
    ck_assert_msg(strstr(err.message, why) != NULL, "`%s` is not in `%s`", why, err.message);
}

START_TEST(files_that_cannot_be_used_are_named) {
    struct tls_server_options o = server_options("server");
    o.cert_file = certs_path("absent.crt");
    ck_refused(&o, "absent.crt\": No such file");
    o = server_options("server");
    o.key_file = certs_path("absent.key");
    ck_refused(&o, "absent.key\": No such file");
    o.key_file = certs_path("alice.key");
    ck_refused(&o, "key values mismatch");
    o.key_file = certs_path("server.crt");
    ck_refused(&o, "read or changed by others");
    certs_write("open.key", bytes_str("x"), 0660);
    o.key_file = certs_path("open.key");
    ck_refused(&o, "read or changed by others");
    certs_write("empty.key", bytes_str(""), 0600);
    o.key_file = certs_path("empty.key");
    ck_refused(&o, "empty.key");
    o = server_options("server");
    certs_write("bad.crt", bytes_str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0644);
    o.cert_file = certs_path("bad.crt");
    ck_refused(&o, "bad.crt");
    o = server_options("server");
    o.client_cert = TLS_CLIENT_CERT_REQUIRED;
    ck_refused(&o, "CA file");
    o.client_ca_file = certs_path("absent.crt");
    ck_refused(&o, "absent.crt");
    o = server_options("server");
    o.ciphers = "nonsense";
    ck_refused(&o, "nonsense");
    o = server_options("server");
    o.key_file = NULL;
    ck_refused(&o, "only the certificate");
}
END_TEST

/* ---- memory ---- */

static size_t ssl_bytes; /* of OpenSSL, on the heap now */

static uint64_t allocs_left; /* the one that makes it 0 fails; 0: none does */

static bool must_fail(void) {
    return allocs_left > 0 && --allocs_left == 0;
}

static void *count_alloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    void *p = must_fail() ? NULL : malloc(size);
    if (p) ssl_bytes += malloc_usable_size(p) + sizeof(size_t);
    return p;
}

static void count_free(void *p, const char *file, int line) {
    (void)file;
    (void)line;
    if (p) ssl_bytes -= malloc_usable_size(p) + sizeof(size_t);
    free(p);
}

static void *count_realloc(void *p, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    if (must_fail()) return NULL;
    if (p) ssl_bytes -= malloc_usable_size(p) + sizeof(size_t);
    void *q = realloc(p, size);
    if (q || (p && size)) ssl_bytes += malloc_usable_size(q ? q : p) + sizeof(size_t);
    return q;
}

/*
 * A thousand clients that have logged in and fallen silent: only the server's ends are counted. Each comes under another
 * name, so that nothing is resumed: most drivers never do, and a full handshake leaves more behind.
 */
static size_t idle_cost(struct tls_context *server, int count, size_t *of_process) {
    static struct stream *idle[1000];
    struct tls_client_options co = client_options(TLS_VERIFY_CA);
    struct tls_context *client = new_client(&co);
    char host[32];
    pair_open(client, server);
    pair.host = host;
    size_t before = 0, before_all = 0;
    for (int i = -20; i < count; i++) { /* the first ones fill caches */
        snprintf(host, sizeof host, "h%d.example", i);
        if (i == 0) before = ssl_bytes;
        if (i == 0) before_all = mallinfo2().uordblks;
        pair_shake();
        ck_assert(!info_of(SERVER).is_resumed);
        pair.end[SERVER].echoes = true;
        say(CLIENT, pattern(3000));
        pair_run();
        ck_assert_uint_le(pair.loop.bufs.out, 1); /* the loop's own chunk for the next recv */
        if (i >= 0) idle[i] = pair.end[SERVER].s;
        else stream_close(pair.end[SERVER].s);
        stream_close(pair.end[CLIENT].s);
        pair_join();
    }
    size_t cost = (ssl_bytes - before) / (size_t)count + sizeof(struct tls) + sizeof(struct stream);
    *of_process = (mallinfo2().uordblks - before_all) / (size_t)count;
    for (int i = 0; i < count; i++) stream_close(idle[i]);
    pair_close();
    tls_context_unref(client);
    return cost;
}

START_TEST(a_stream_behind_its_handshake_costs_little) {
    pair_shake(); /* the client has got a ticket last */
    for (int i = 0; i < 2; i++) {
        size_t before = ssl_bytes;
        stream_close(pair.end[i].s);
        pair.end[i].s = NULL;
        loop_bury(&pair.loop);
        ck_assert_uint_le(before - ssl_bytes, IDLE_MAX);
        if (getenv("GILMOK_TEST_PRINT")) printf("behind the handshake: %zu of OpenSSL\n", before - ssl_bytes);
    }
}
END_TEST

START_TEST(an_idle_stream_costs_little) {
    size_t of_process;
    pair_close();
    size_t cost = idle_cost(server_context, 1000, &of_process);
    if (getenv("GILMOK_TEST_PRINT")) printf("TLS 1.3: %zu a stream, %zu by mallinfo\n", cost, of_process);
    ck_assert_uint_le(cost, IDLE_MAX);
    ck_assert_uint_le(of_process, IDLE_MAX); /* 0 with sanitizers, whose heap is not this one */
    cost = idle_cost(server_12_context, 100, &of_process);
    if (getenv("GILMOK_TEST_PRINT")) printf("TLS 1.2: %zu a stream, %zu by mallinfo\n", cost, of_process);
    ck_assert_uint_le(cost, IDLE_MAX);
    ck_assert_uint_le(of_process, IDLE_MAX);
    fresh();
}
END_TEST

/* ---- faults ---- */

/* A whole connection with data both ways. True when everything went through; false when both ends know that it did not. */
static bool passes_all(void) {
    struct bytes all = pattern(90000);
    pair.from[SERVER].room = 50000;
    pair_start();
    pair_run();
    if (pair.end[CLIENT].s) stream_send(pair.end[CLIENT].s, all);
    if (pair.end[SERVER].s) stream_send(pair.end[SERVER].s, all);
    pair_run();
    pair.from[SERVER].room = SIZE_MAX;
    pair_run();
    for (int i = 0; i < 2; i++) { /* never a hole */
        struct bytes got = writer_bytes(&pair.end[i].taken);
        ck_assert(got.len <= all.len && bytes_equal(got, bytes_of(all.ptr, got.len)));
    }
    bool passed = pair.end[CLIENT].taken.len == all.len && pair.end[SERVER].taken.len == all.len;
    for (int i = 0; i < 2; i++)
        ck_assert(passed || pair.end[i].closed == 1 || err_is_set(&pair.end[i].err));
    return passed;
}

#ifdef GILMOK_FAULT
START_TEST(without_our_memory_the_stream_ends_but_never_skips_a_byte) {
    static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_RECV, FAULT_SEND};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        bool fired = true;
        for (uint64_t n = 0; fired; n++) {
            ck_assert_uint_lt(n, 1000);
            fault_arm(kinds[k], n);
            bool passed = passes_all();
            fired = fault_fired(kinds[k]);
            fault_disarm();
            ck_assert(passed || fired);
            pair_close();
            fresh();
        }
    }
}
END_TEST
#endif

START_TEST(without_openssls_memory_the_stream_ends_but_never_skips_a_byte) {
    bool fired = true;
    uint64_t n;
    for (n = 1; fired; n += 1 + n / 10) {
        allocs_left = n;
        bool passed = passes_all();
        fired = allocs_left == 0;
        ck_assert(passed || fired);
        allocs_left = 0;
        pair_close();
        fresh();
    }
    ck_assert_uint_gt(n, 100);
    if (getenv("GILMOK_TEST_PRINT")) printf("allocations of a connection: below %u\n", (unsigned)n);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("tls");
    TCase *t = tcase_create("tls");
    tcase_add_checked_fixture(t, fresh, pair_close);
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
    tcase_add_test(t, any_length_arrives_whole_in_any_pieces);
    tcase_add_test(t, a_slow_socket_gets_everything_and_bounds_what_is_encrypted_ahead);
    tcase_add_test(t, small_messages_leave_in_one_record_and_one_send);
    tcase_add_test(t, one_recv_and_one_send_a_hop);
    tcase_add_test(t, what_is_left_comes_again_in_front_of_the_rest);
    tcase_add_test(t, a_full_stream_stops_reading_and_comes_to_life_again);
    tcase_add_test(t, a_pause_in_mid_data_stops_decryption_too);
    tcase_add_test(t, what_was_received_but_not_decrypted_comes_after_the_pause);
    tcase_add_test(t, a_paused_stream_hears_of_the_end_when_it_resumes);
    tcase_add_test(t, finish_delivers_everything_then_says_goodbye);
    tcase_add_test(t, an_end_without_goodbye_is_known);
    tcase_add_test(t, finish_in_the_middle_of_the_handshake);
    tcase_add_test(t, close_in_the_middle_of_the_handshake_with_queued_output);
    tcase_add_test(t, finish_inside_on_secured);
    tcase_add_test(t, a_handshake_cut_after_any_byte_ends_the_stream);
    tcase_add_test(t, random_bytes_instead_of_a_handshake);
    tcase_add_test(t, a_flipped_bit_in_a_record_ends_the_stream);
    tcase_add_test(t, new_keys_in_mid_stream);
    tcase_add_test(t, a_peer_that_has_us_answer_and_does_not_read);
    tcase_add_test(t, renegotiation_is_refused);
    tcase_add_test(t, server_certificates_are_verified_as_the_mode_asks);
    tcase_add_test(t, verify_full_without_a_name_does_not_begin);
    tcase_add_test(t, client_certificates_are_verified_as_the_mode_asks);
    tcase_add_test(t, a_name_with_a_nul_or_two_names_is_no_name);
    tcase_add_test(t, protocol_names);
    tcase_add_test(t, versions);
    tcase_add_test(t, a_second_connection_resumes);
    tcase_add_test(t, a_second_connection_resumes_with_tls_1_2);
    tcase_add_test(t, a_resumed_session_remembers_the_client);
    tcase_add_test(t, more_servers_than_the_cache_has_places);
    tcase_add_test(t, both_ends_know_the_hash_of_the_servers_certificate);
    tcase_add_test(t, a_certificate_without_one_hash_has_no_binding);
    tcase_add_test(t, files_that_cannot_be_used_are_named);
    tcase_add_test(t, a_stream_behind_its_handshake_costs_little);
    tcase_add_test(t, an_idle_stream_costs_little);
#ifdef GILMOK_FAULT
    tcase_add_test(t, without_our_memory_the_stream_ends_but_never_skips_a_byte);
#endif
    tcase_add_test(t, without_openssls_memory_the_stream_ends_but_never_skips_a_byte);
    suite_add_tcase(s, t);
    return s;
}

int main(void) {
    if (!CRYPTO_set_mem_functions(count_alloc, count_realloc, count_free)) return EXIT_FAILURE;
    make_all();
    SRunner *sr = srunner_create(suite());
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    release_all();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
