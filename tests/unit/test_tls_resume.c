/*
 * test_tls_resume.c - sessions that are taken up again, and those that must not be.
 */
#include <stdio.h>

#include "tests/unit/check_main.h"
#include "tests/unit/tls_contexts.h"

static void ck_resumes(bool expected) { /* the ticket comes with the handshake */
    pair.end[SERVER].first_words = bytes_str("the ticket comes in front of this");
    pair_shake();
    ck_assert(pair_info(CLIENT).is_resumed == expected);
    ck_assert(pair_info(SERVER).is_resumed == expected);
    ck_assert(pair_info(CLIENT).peer_verified);
    ck_assert_str_eq(pair_info(CLIENT).peer_cn, "server");
}

START_TEST(a_second_connection_resumes) {
    ck_resumes(false);
    for (int i = 0; i < 3; i++) {
        pair_close();
        contexts_pair();
        ck_resumes(true);
    }
    pair_close();
    contexts_pair();
    pair.host = "10.1.2.3"; /* another name: it must be verified anew */
    ck_resumes(false);
}
END_TEST

START_TEST(a_second_connection_resumes_with_tls_1_2) {
    for (int i = 0; i < 3; i++) {
        pair_close();
        contexts_pair_12();
        ck_resumes(i > 0);
        ck_assert_str_eq(pair_info(SERVER).version, "TLSv1.2");
    }
}
END_TEST

START_TEST(a_resumed_session_remembers_the_client) {
    struct tls_server_options so = contexts_server_options("server");
    so.client_cert = TLS_CLIENT_CERT_REQUIRED;
    so.client_ca_file = certs_path("ca.crt");
    struct tls_client_options co = contexts_client_options(TLS_VERIFY_FULL);
    co.cert_file = certs_path("alice.crt");
    co.key_file = certs_path("alice.key");
    struct tls_context *s = contexts_new_server(&so), *c = contexts_new_client(&co);
    for (int i = 0; i < 2; i++) {
        pair_close();
        pair_open(c, s);
        pair.host = "db.example";
        ck_resumes(i == 1);
        ck_assert(pair_info(SERVER).peer_verified);
        ck_assert_str_eq(pair_info(SERVER).peer_cn, "alice");
    }
    tls_context_unref(s);
    tls_context_unref(c);
}
END_TEST

START_TEST(more_servers_than_the_cache_has_places) {
    struct tls_client_options co = contexts_client_options(TLS_VERIFY_CA);
    struct tls_context *c = contexts_new_client(&co);
    char host[32];
    for (int i = 0; i < 30; i++) {
        pair_close();
        pair_open(c, contexts.server);
        snprintf(host, sizeof host, "h%d.example", i % 10);
        pair.host = host;
        pair_shake();
    }
    tls_context_unref(c);
}
END_TEST

int main(void) {
    contexts_open();
    TCase *t = tcase_create("tls resumption");
    tcase_add_checked_fixture(t, contexts_pair, pair_close);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_second_connection_resumes);
    tcase_add_test(t, a_second_connection_resumes_with_tls_1_2);
    tcase_add_test(t, a_resumed_session_remembers_the_client);
    tcase_add_test(t, more_servers_than_the_cache_has_places);
    int status = check_main_of("tls resumption", t);
    contexts_close();
    return status;
}
