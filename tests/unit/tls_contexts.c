#include "tests/unit/tls_contexts.h"

#include <stdio.h>

struct contexts contexts;

struct tls_server_options contexts_server_options(const char *name) {
    char crt[64], key[64];
    snprintf(crt, sizeof crt, "%s.crt", name);
    snprintf(key, sizeof key, "%s.key", name);
    return (struct tls_server_options){.cert_file = certs_path(crt), .key_file = certs_path(key), .alpn = "postgresql"};
}

struct tls_client_options contexts_client_options(enum tls_verify verify) {
    return (struct tls_client_options){.verify = verify, .ca_file = certs_path("ca.crt"), .alpn = "postgresql"};
}

struct tls_context *contexts_new_server(const struct tls_server_options *o) {
    struct err err = {0};
    struct tls_context *c = tls_context_new_server(o, &err);
    if (!c) fprintf(stderr, "%s\n", err.message);
    INVARIANT(c);
    return c;
}

struct tls_context *contexts_new_client(const struct tls_client_options *o) {
    struct err err = {0};
    struct tls_context *c = tls_context_new_client(o, &err);
    if (!c) fprintf(stderr, "%s\n", err.message);
    INVARIANT(c);
    return c;
}

void contexts_open(void) {
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
    struct tls_server_options so = contexts_server_options("server");
    struct tls_client_options co = contexts_client_options(TLS_VERIFY_FULL);
    contexts.server = contexts_new_server(&so);
    contexts.client = contexts_new_client(&co);
    so.max_version = "TLSv1.2";
    contexts.server_12 = contexts_new_server(&so);
    contexts.client_12 = contexts_new_client(&co);
}

void contexts_close(void) {
    tls_context_unref(contexts.server);
    tls_context_unref(contexts.client);
    tls_context_unref(contexts.server_12);
    tls_context_unref(contexts.client_12);
    certs_close();
}

void contexts_pair(void) {
    pair_open(contexts.client, contexts.server);
    pair.host = "db.example";
}

void contexts_pair_12(void) {
    pair_open(contexts.client_12, contexts.server_12);
    pair.host = "db.example";
}
