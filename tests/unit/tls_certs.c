#include "tests/unit/tls_certs.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MADE_MAX = 16, DAY_S = 86400 };

static char folder[] = "/tmp/gilmok-tls-XXXXXX";
static struct {
    const char *name;
    X509 *cert;
    EVP_PKEY *key;
} made[MADE_MAX];
static int made_count;

void certs_open(void) {
    INVARIANT(mkdtemp(folder));
}

const char *certs_path(const char *file) {
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % COUNT_OF(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, file);
    return path;
}

static FILE *create(const char *name, const char *ext, unsigned mode) {
    char file[64];
    snprintf(file, sizeof file, "%s%s", name, ext);
    FILE *f = fopen(certs_path(file), "w");
    INVARIANT(f && fchmod(fileno(f), mode) == 0);
    return f;
}

void certs_write(const char *file, struct bytes text, unsigned mode) {
    FILE *f = create(file, "", mode);
    INVARIANT(fwrite(text.ptr, 1, text.len, f) == text.len);
    fclose(f);
}

static void add_ext(X509 *cert, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    INVARIANT(ext && X509_add_ext(cert, ext, -1));
    X509_EXTENSION_free(ext);
}

static void set_subject(X509 *cert, const struct cert_plan *plan) {
    X509_NAME *name = X509_get_subject_name(cert);
    int len = plan->cn_len ? (int)plan->cn_len : -1;
    INVARIANT(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)"gilmok tests", -1, -1, 0));
    INVARIANT(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)plan->cn, len, -1, 0));
    if (plan->second_cn)
        INVARIANT(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)plan->second_cn, -1, -1, 0));
}

void certs_make(const struct cert_plan *plan) {
    INVARIANT(made_count < MADE_MAX);
    EVP_PKEY *key = plan->is_ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509 *issuer = cert;
    EVP_PKEY *signer = key;
    for (int i = 0; plan->issuer && i < made_count; i++) {
        if (strcmp(made[i].name, plan->issuer) != 0) continue;
        issuer = made[i].cert;
        signer = made[i].key;
    }
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), made_count + 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -2 * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), plan->is_expired ? -DAY_S : DAY_S);
    X509_set_pubkey(cert, key);
    set_subject(cert, plan);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    if (plan->is_ca) add_ext(cert, NID_basic_constraints, "critical,CA:TRUE");
    if (plan->san) add_ext(cert, NID_subject_alt_name, plan->san);
    INVARIANT(X509_sign(cert, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256()));
    FILE *f = create(plan->name, ".crt", 0644);
    INVARIANT(PEM_write_X509(f, cert));
    fclose(f);
    f = create(plan->name, ".key", 0600);
    INVARIANT(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    made[made_count].name = plan->name;
    made[made_count].cert = cert;
    made[made_count++].key = key;
}

void certs_close(void) {
    while (made_count > 0) {
        X509_free(made[--made_count].cert);
        EVP_PKEY_free(made[made_count].key);
    }
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') unlink(certs_path(e->d_name));
    if (d) closedir(d);
    rmdir(folder);
}
