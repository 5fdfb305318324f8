/*
 * config_check_auth.c - owns the checks of who can log in: methods, listeners, TLS and the user file together.
 *
 * The combinations are closed: a method that could not do what it says where it is asked for is
 * an error here, and is refused once more when somebody logs in.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "proxy/auth/secret.h"
#include "proxy/config_check.h"
#include "proxy/config_findings.h"
#include "proxy/config_value.h"

/* ---- methods ---- */

/* Its clients are on this machine: no proxy passes on to it who is somewhere else. */
static bool is_socket(const struct config *c, const struct config_listen *l) {
    return l->unix_path && !c->proxy_protocol_from.has_unix;
}

static enum config_auth method_at(const struct config *c, const struct config_listen *l) {
    return is_socket(c, l) ? c->client_auth_socket : c->client_auth;
}

/* True when somebody can be asked for it. */
static bool is_used(const struct config *c, enum config_auth method) {
    LIST_EACH(n, &c->listens) {
        if (method_at(c, CONTAINER_OF(n, struct config_listen, node)) == method) return true;
    }
    return false;
}

static bool compares_secrets(enum config_auth method) {
    return method == CLIENT_AUTH_SCRAM || method == CLIENT_AUTH_MD5 || method == CLIENT_AUTH_PASSWORD;
}

/* True when a user who is not in the user file can log in. */
static bool takes_strangers(const struct config *c) {
    return is_used(c, CLIENT_AUTH_CERT) || is_used(c, CLIENT_AUTH_PEER) || is_used(c, CLIENT_AUTH_TRUST);
}

/* True when a server may ask for md5. */
static bool has_md5_servers(const struct config *c) {
    LIST_EACH(n, &c->clusters) {
        if (CONTAINER_OF(n, struct config_cluster, node)->server_auth >= SERVER_AUTH_MD5) return true;
    }
    return false;
}

/* Where the method of the listener is said. */
static struct config_place method_place(const struct config_draft_gilmok *g, const struct config_listen *l) {
    bool is_own = is_socket(&g->config, l) && config_section_entry(g->section, "client_auth_socket");
    return config_place_of(&g->config, g->section, is_own ? "client_auth_socket" : "client_auth");
}

static void check_method_at(struct config_draft_gilmok *g, const struct config_listen *l, struct config_findings *f) {
    const struct config *c = &g->config;
    struct config_place at = method_place(g, l);
    char text[160];
    config_value_listen_text(l, text, sizeof(text));
    switch (method_at(c, l)) {
    case CLIENT_AUTH_TRUST:
        if (is_socket(c, l)) return;
        if (g->proxy_protocol_from) {
            config_error(f, at.file, at.line, "client_auth = trust lets everybody in whom a proxy passes on to %s", text);
            config_advice(f, "Use client_auth = scram-sha-256, or remove proxy_protocol_from");
            return;
        }
        if (config_listen_is_local(l)) return;
        config_error(f, at.file, at.line, "client_auth = trust lets everybody in who can reach %s", text);
        config_advice(f, "Use client_auth = scram-sha-256, or listen on 127.0.0.1, [::1] or unix: only");
        return;
    case CLIENT_AUTH_PEER:
        if (is_socket(c, l)) return;
        if (l->unix_path) {
            config_error(f, at.file, at.line, "peer asks who has opened a unix socket: at %s that is a proxy", text);
            config_advice(f, "Use client_auth = scram-sha-256, or remove unix from proxy_protocol_from");
            return;
        }
        config_error(f, at.file, at.line, "peer asks who has opened a unix socket: it cannot be used at %s", text);
        config_advice(f, "Write client_auth_socket = peer, and something else for client_auth");
        return;
    case CLIENT_AUTH_CERT:
        if (!is_socket(c, l)) return;
        config_error(f, at.file, at.line, "cert needs TLS, which a unix socket does not have: nobody could log in at %s", text);
        config_advice(f, "Write client_auth_socket = scram-sha-256 or client_auth_socket = peer");
        return;
    case CLIENT_AUTH_PASSWORD:
        if (is_socket(c, l) || c->client_tls != CLIENT_TLS_DISABLE) return;
        config_error(f, at.file, at.line, "client_auth = password needs TLS, and clients get none at %s", text);
        config_advice(f, "Write client_tls = require, or client_auth = scram-sha-256");
        return;
    case CLIENT_AUTH_SCRAM:
    case CLIENT_AUTH_MD5:
        return;
    }
}

static void check_methods(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    struct config_place at = config_place_of(c, g->section, "client_auth");
    c->client_auth_socket = g->client_auth_socket < 0 ? c->client_auth : (enum config_auth)g->client_auth_socket;
    if (c->proxy_protocol_from.has_unix && g->client_auth_socket >= 0) {
        struct config_place socket = config_place_of(c, g->section, "client_auth_socket");
        config_warning(f, socket.file, socket.line, "client_auth_socket is for nobody: unix is in proxy_protocol_from");
        config_advice(f, "Clients that a proxy passes on log in as client_auth says; remove one of the two");
    }
    LIST_EACH(n, &c->listens) check_method_at(g, CONTAINER_OF(n, struct config_listen, node), f);
    if (!is_used(c, CLIENT_AUTH_CERT)) return;
    if (c->client_tls == CLIENT_TLS_DISABLE) {
        config_error(f, at.file, at.line, "client_auth = cert needs TLS, and clients get none");
        config_advice(f, "Write client_tls = require");
    } else if (!c->client_tls_ca_file) {
        config_error(f, at.file, at.line, "client_auth = cert needs to know who issues the clients' certificates");
        config_advice(f, "Write client_tls_ca_file = FILE");
    }
}

/* ---- proxies ---- */

static bool is_ip(const char *host, struct addr *a) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a->sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->sa;
    *a = (struct addr){.len = 0};
    a->sa.ss_family = strchr(host, ':') ? AF_INET6 : AF_INET;
    return inet_pton(a->sa.ss_family, host, a->sa.ss_family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr) == 1;
}

/* Cancel requests come from other gilmoks without a header. */
static void check_proxies(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    struct err err = {0};
    if (!g->proxy_protocol_from || !addr_list_parse(&c->proxy_protocol_from, g->proxy_protocol_from, &err)) return;
    LIST_EACH(n, &c->peers) {
        const struct config_peer *p = CONTAINER_OF(n, struct config_peer, node);
        struct addr a;
        if (!is_ip(p->host, &a) || !addr_list_contains(&c->proxy_protocol_from, &a)) continue;
        struct config_place at = config_place_of(c, g->section, "proxy_protocol_from");
        config_warning(f, at.file, at.line, "the peer `%s` sends no PROXY header: its cancel requests will be refused", p->name);
        config_advice(f, "List the proxies only");
    }
}

/* ---- the user file ---- */

static void parse_users(struct config_draft_gilmok *g, const char *path, struct bytes text,
                        struct config_findings *f) {
    int line = 0;
    struct err err = {.message = ""};
    if (user_store_parse(&g->config.user_store, text, &line, &err)) return;
    config_error(f, path, line, "%s", err.message);
    if (err.hint[0]) config_advice(f, "%s", err.hint);
    else config_advice(f, "Write one user a line: \"name\" \"secret\"");
}

/* Nobody's secret is known: is anybody's needed? */
static void check_lack_of_users(struct config_draft_gilmok *g, struct config_secret_place at, struct config_findings *f) {
    LIST_EACH(n, &g->config.listens) {
        enum config_auth method = method_at(&g->config, CONTAINER_OF(n, struct config_listen, node));
        if (!compares_secrets(method)) continue;
        if (!config_section_entry(g->section, "client_auth")) at.line = g->section ? g->section->line : 0;
        config_error(f, at.file, at.line, "nobody could log in: client_auth is %s and there is no user_file",
                     config_auth_name(method));
        config_advice(f, "Write user_file = users.txt, with one \"name\" \"secret\" a line");
        return;
    }
}

static void read_users(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    struct config_secret_place at = config_secret_place_of(c, g->section, "user_file");
    if (!c->user_file) {
        check_lack_of_users(g, at, f);
        return;
    }
    c->user_store.allows_md5 = is_used(c, CLIENT_AUTH_MD5) || is_used(c, CLIENT_AUTH_PASSWORD) ||
                               (takes_strangers(c) && has_md5_servers(c));
    bool is_credential = c->user_file[0] == '$';
    c->user_file = config_secret_path(&at, c->user_file, &c->arena, f);
    if (!c->user_file) return;
    struct writer text;
    writer_init(&text, USER_FILE_MAX);
    if (config_secret_read(&at, c->user_file, is_credential, &text, f)) {
        parse_users(g, c->user_file, writer_bytes(&text), f);
    }
    if (text.data) secret_wipe(text.data, text.len);
    writer_release(&text);
}

static void check_names(struct config_draft_gilmok *g, const char *key, const char *names, struct config_findings *f) {
    struct config *c = &g->config;
    struct config_place at = config_place_of(c, g->section, key);
    if (!c->user_file || takes_strangers(c)) return;
    while (names && *names) {
        size_t len = strcspn(names, ",");
        size_t from = strspn(names, " \t");
        size_t to = len;
        while (to > from && (names[to - 1] == ' ' || names[to - 1] == '\t')) to--;
        if (to > from && !user_store_find(&c->user_store, bytes_of(names + from, to - from))) {
            config_warning(f, at.file, at.line, "`%s` names %.*s, who is not in the user file", key, (int)(to - from),
                           names + from);
            config_advice(f, "Add the user to %s, or remove the name", c->user_file);
        }
        names += len + (names[len] == ',');
    }
}

/* ---- users and servers ---- */

static int compare_names(const void *a, const void *b) {
    const struct bytes *x = a, *y = b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Names that have a verifier only, sorted; NULL when there are none. */
static struct bytes *verifier_only(struct config *c, size_t *count) {
    *count = 0;
    if (c->user_store.users.count == 0) return NULL;
    struct bytes *names = arena_alloc(&c->arena, c->user_store.users.count * sizeof(*names));
    size_t at = 0;
    struct bytes name;
    void *value;
    while (names && map_next(&c->user_store.users, &at, &name, &value)) {
        const struct user_secret *secret = value;
        if (!secret->password) names[(*count)++] = name;
    }
    if (*count > 1) qsort(names, *count, sizeof(*names), compare_names);
    return names;
}

/* A verifier proves a client's password to us; it cannot prove ours to a server. */
static void check_verifiers(struct config *c, struct config_findings *f) {
    size_t count;
    size_t shown = 0, hidden = 0;
    const struct bytes *names = verifier_only(c, &count);
    struct config_database *last = NULL;
    LIST_EACH(n, &c->databases) {
        struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        for (size_t i = 0; i < count && !db->server_user; i++) {
            bool has_md5 = user_store_find(&c->user_store, names[i])->has_md5;
            if (has_md5 && db->cluster && db->cluster->server_auth >= SERVER_AUTH_MD5) continue;
            last = db;
            if (shown == CONFIG_SCRAM_USERS_SHOWN) {
                hidden++;
                continue;
            }
            shown++;
            config_error(f, db->file, db->line, "the user %.*s could log in to gilmok but not to the server of the "
                         "database `%s`: the user file holds %s verifier only", (int)names[i].len,
                         (const char *)names[i].ptr, db->name,
                         has_md5 ? "an md5" : "a SCRAM");
            config_advice(f, "Give the plain password in %s, or server_user and server_password_file here",
                          c->user_file);
        }
    }
    if (hidden == 0) return;
    config_error(f, last->file, last->line, "the same holds for %zu more pairs of user and database", hidden);
    config_advice(f, "See the findings above");
}

static void check_user_sections(struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->users) {
        const struct config_user *u = CONTAINER_OF(n, struct config_user, node);
        if (!c->user_file || takes_strangers(c) || user_store_find(&c->user_store, bytes_str(u->name))) continue;
        config_warning(f, u->file, u->line, "the user `%s` is not in the user file and cannot log in", u->name);
        config_advice(f, "Add the user to %s, or remove this section", c->user_file);
    }
}

/* Who logs in without a password has none that could be shown to a server. */
static void check_lack_of_passwords(struct config *c, struct config_findings *f) {
    enum config_auth method = is_used(c, CLIENT_AUTH_CERT) ? CLIENT_AUTH_CERT : CLIENT_AUTH_PEER;
    if (c->user_file || !is_used(c, method)) return;
    LIST_EACH(n, &c->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        if (db->server_user) continue;
        config_error(f, db->file, db->line, "who logs in to gilmok by %s could not log in to the server of the database `%s`: no "
                     "password is known", config_auth_name(method), db->name);
        config_advice(f, "Give server_user and server_password_file here, or user_file with the users' plain passwords");
    }
}

static bool is_on_this_machine(const struct config_node *node) {
    struct config_listen as_listener = {.host = node->host};
    return node->host[0] == '/' || config_listen_is_local(&as_listener);
}

/* A server that does ask is refused then; others are fine. */
static void check_server_auth(const struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->clusters) {
        const struct config_draft_cluster *d = (struct config_draft_cluster *)CONTAINER_OF(n, struct config_cluster, node);
        const struct config_cluster *cluster = &d->cluster;
        bool is_verified = cluster->tls.mode != SERVER_TLS_DISABLE && cluster->tls.mode != SERVER_TLS_REQUIRE;
        if (cluster->server_auth != SERVER_AUTH_PASSWORD || is_verified || list_is_empty(&cluster->nodes)) continue;
        const struct config_node *node = CONTAINER_OF(list_first(&cluster->nodes), struct config_node, node);
        if (is_on_this_machine(node)) continue;
        struct config_place at = config_place_of(c, d->section, "server_auth");
        config_warning(f, at.file, at.line, "no password leaves in clear text for %s: server_tls verifies nobody", node->host);
        config_advice(f, "Use server_tls = verify-full, or server_auth = scram-sha-256");
    }
}

void config_check_logins(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    check_proxies(g, f);
    check_methods(g, f);
    check_lack_of_passwords(c, f);
    check_server_auth(c, f);
    int errors = f->errors;
    read_users(g, f);
    if (f->errors > errors) return; /* who is in the file is not known */
    check_names(g, "admin_users", c->admin_users, f);
    check_names(g, "stats_users", c->stats_users, f);
    check_user_sections(c, f);
    check_verifiers(c, f);
}
