/*
 * test_tls_context.c - who is trusted: names, certificates, protocols, channel binding, and the files they come from.
 */
#include <openssl/pem.h>
#include <stdio.h>

#include "tests/unit/check_main.h"
#include "tests/unit/tls_contexts.h"

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
    struct tls_server_options so = contexts_server_options(m->server ? m->server : "server");
    so.alpn = m->server_alpn;
    so.min_version = m->server_min;
    so.max_version = m->server_max;
    so.ciphers = m->server_ciphers;
    so.client_cert = m->wants_cert;
    if (m->wants_cert) so.client_ca_file = certs_path("ca.crt");
    struct tls_client_options co = contexts_client_options(m->verify);
    co.alpn = m->client_alpn;
    co.min_version = m->client_min;
    if (m->client_ca) co.ca_file = certs_path(m->client_ca);
    if (m->client_cert) {
        snprintf(crt, sizeof crt, "%s.crt", m->client_cert);
        snprintf(key, sizeof key, "%s.key", m->client_cert);
        co.cert_file = certs_path(crt);
        co.key_file = certs_path(key);
    }
    struct tls_context *s = contexts_new_server(&so), *c = contexts_new_client(&co);
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
    if (m->server_why) pair_ck_closed(SERVER, m->server_why);
    if (m->client_why) pair_ck_closed(CLIENT, m->client_why);
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
        ck_assert(pair_info(CLIENT).peer_verified == (meetings[i].verify != TLS_VERIFY_NONE));
    }
}
END_TEST

START_TEST(verify_full_without_a_name_does_not_begin) {
    struct err err = {0};
    struct tls_start how = {.host = NULL};
    pair_close();
    pair_open(NULL, NULL);
    ck_assert(!stream_start_tls(pair.end[CLIENT].s, contexts.client, &how, &err));
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
        struct tls_info info = pair_info(SERVER);
        bool is_known = m->client_cert && m->wants_cert;
        ck_assert(info.has_peer_cert == is_known && info.peer_verified == is_known);
        ck_assert_str_eq(info.peer_cn, is_known ? "alice" : "");
    }
}
END_TEST

START_TEST(a_name_with_a_nul_or_two_names_is_no_name) {
    meet(&(struct meeting){.wants_cert = TLS_CLIENT_CERT_REQUIRED, .client_cert = "nul"});
    struct tls_info info = pair_info(SERVER);
    ck_assert(info.peer_verified);
    ck_assert_str_eq(info.peer_cn, "");
    ck_assert_str_eq(info.peer_subject, "");
    meet(&(struct meeting){.wants_cert = TLS_CLIENT_CERT_REQUIRED, .client_cert = "two"});
    ck_assert_str_eq(pair_info(SERVER).peer_cn, "");
    ck_assert_str_eq(pair_info(SERVER).peer_subject, "CN=bob,CN=alice,O=gilmok tests");
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
    ck_assert_str_eq(pair_info(SERVER).version, "TLSv1.3");
    meet(&(struct meeting){.server_max = "TLSv1.2", .client_min = "TLSv1.3", .server_why = "unsupported protocol",
                           .client_why = "alert protocol version"});
    struct tls_server_options o = contexts_server_options("server");
    struct err err = {0};
    o.min_version = "TLSv1.1";
    ck_assert_ptr_null(tls_context_new_server(&o, &err));
    ck_assert(strstr(err.message, "TLSv1.1") != NULL);
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
    struct tls_server_options o = contexts_server_options("server");
    o.cert_file = certs_path("absent.crt");
    ck_refused(&o, "absent.crt\": No such file");
    o = contexts_server_options("server");
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
    o = contexts_server_options("server");
    certs_write("bad.crt", bytes_str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0644);
    o.cert_file = certs_path("bad.crt");
    ck_refused(&o, "bad.crt");
    o = contexts_server_options("server");
    o.client_cert = TLS_CLIENT_CERT_REQUIRED;
    ck_refused(&o, "CA file");
    o.client_ca_file = certs_path("absent.crt");
    ck_refused(&o, "absent.crt");
    o = contexts_server_options("server");
    o.ciphers = "nonsense";
    ck_refused(&o, "nonsense");
    o = contexts_server_options("server");
    o.key_file = NULL;
    ck_refused(&o, "only the certificate");
}
END_TEST

int main(void) {
    contexts_open();
    TCase *t = tcase_create("tls context");
    tcase_add_checked_fixture(t, contexts_pair, pair_close);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, server_certificates_are_verified_as_the_mode_asks);
    tcase_add_test(t, verify_full_without_a_name_does_not_begin);
    tcase_add_test(t, client_certificates_are_verified_as_the_mode_asks);
    tcase_add_test(t, a_name_with_a_nul_or_two_names_is_no_name);
    tcase_add_test(t, protocol_names);
    tcase_add_test(t, versions);
    tcase_add_test(t, both_ends_know_the_hash_of_the_servers_certificate);
    tcase_add_test(t, a_certificate_without_one_hash_has_no_binding);
    tcase_add_test(t, files_that_cannot_be_used_are_named);
    int status = check_main_of("tls context", t);
    contexts_close();
    return status;
}
