/*
 * check.c - owns what `gilmok check` prints; the checks themselves are config_load() and tls_book_init().
 */
#include "proxy/tools/check.h"

#include <stdio.h>

#include "proxy/config.h"
#include "proxy/config_value.h"
#include "proxy/pool/tls_book.h"

static void print_finding(const struct config_finding *f) {
    printf("%s:", f->file);
    if (f->line > 0) printf("%d:", f->line);
    printf(" %s: %s.%s%s\n", f->is_error ? "error" : "warning", f->message, f->advice[0] ? " " : "", f->advice);
}

static const char *plural(int n) {
    return n == 1 ? "" : "s";
}

/* Certificates and keys are read as they will be when gilmok starts. */
static bool has_good_certificates(const struct config *c) {
    struct tls_book book;
    struct err err = {0};
    bool ok = tls_book_init(&book, c, &err);
    if (!ok) printf("%s: error: %s.%s%s\n", c->path, err.message, err.hint[0] ? " " : "", err.hint);
    tls_book_release(&book);
    return ok;
}

static void print_summary(const char *path, const struct config_findings *f, bool has_bad_certificates) {
    int errors = f->errors + has_bad_certificates;
    if (errors) printf("%s: %d error%s", path, errors, plural(errors));
    else printf("%s: right", path);
    if (f->warnings) printf(", %d warning%s", f->warnings, plural(f->warnings));
    printf("\n");
}

/* Not where TLS is asked for: a socket carries none, and what listens there may be the near end of a tunnel. */
static void print_advice(const struct config_cluster *cluster, const struct config_node *node) {
    if (cluster->protocol == PROTO_MYSQL || !config_value_is_loopback(node->host) || cluster->tls.mode > SERVER_TLS_DISABLE) return;
    printf("%s:%d: advice: node %s/%s is on this machine: a unix socket costs both less than TCP (about a sixth more "
           "small queries a second). If its server has one, write the socket's directory: host = /var/run/postgresql\n",
           node->file, node->line, cluster->name, node->name);
}

/* What is right, and could be better. */
static void print_advices(const struct config *c) {
    LIST_EACH(n, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        LIST_EACH(m, &cluster->nodes) print_advice(cluster, CONTAINER_OF(m, struct config_node, node));
    }
}

static void print_listens(const struct list *listens, const char *whose) {
    LIST_EACH(n, listens) {
        char text[160];
        config_value_listen_text(CONTAINER_OF(n, struct config_listen, node), text, sizeof(text));
        printf("  listen    %s%s\n", text, whose);
    }
}

static void print_overview(const struct config *c) {
    print_listens(&c->listens, "");
    print_listens(&c->listens_mysql, ", for MySQL's clients");
    LIST_EACH(n, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        LIST_EACH(m, &cluster->nodes) {
            const struct config_node *node = CONTAINER_OF(m, struct config_node, node);
            printf("  node      %s/%s at %s, port %u\n", cluster->name, node->name, node->host, (unsigned)node->port);
        }
    }
    LIST_EACH(n, &c->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        printf("  database  %s on cluster %s, %s pooling, pool_size %u\n", db->name, db->cluster->name,
               pool_mode_name(db->pool_mode), (unsigned)db->pool_size);
    }
    printf("  users     %zu\n", c->user_store->users.count);
    print_advices(c);
}

int check_run(const char *path) {
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *c = config_load(path, &findings);
    LIST_EACH(n, &findings.all) print_finding(CONTAINER_OF(n, struct config_finding, node));
    bool is_right = c && has_good_certificates(c);
    print_summary(path, &findings, c && !is_right);
    if (is_right) print_overview(c);
    config_findings_release(&findings);
    config_free(c);
    return is_right ? 0 : 1;
}
