/*
 * config_check_auth.c - owns the checks of how clients log in: rules, listeners, TLS and proxies together.
 *
 * The combinations are closed: a method that could not do what it says where it is asked for is
 * an error here, and is refused once more when somebody logs in. What is stored of users is config_check_users.c's.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "proxy/config_check.h"
#include "proxy/config_findings.h"
#include "proxy/config_value.h"

/* ---- rules ---- */

/* At a listener for clients from elsewhere. */
static void check_trust(const struct config_draft_gilmok *g, const struct hba_rule *r, const struct config_listen *l,
                        const char *text,
                        struct config_findings *f) {
    struct config_place at = config_rule_place(g, r);
    const char *name = r->line ? "trust" : "client_auth = trust";
    bool is_far = r->is_any_address || !addr_net_is_loopback(&r->net);
    if (g->proxy_protocol_from && is_far) {
        config_error(f, at.file, at.line, "%s lets everybody in whom a proxy passes on to %s", name, text);
        config_advice(f, r->line ? "Use scram-sha-256, or 127.0.0.1/32 as the address"
                                 : "Use client_auth = scram-sha-256, or remove proxy_protocol_from");
    } else if (is_far && !config_listen_is_local(l)) {
        config_error(f, at.file, at.line, "%s lets everybody in who can reach %s", name, text);
        config_advice(f, r->line ? "Use scram-sha-256, or 127.0.0.1/32 as the address"
                                 : "Use client_auth = scram-sha-256, or listen on 127.0.0.1, [::1] or unix: only");
    }
}

/* Lines of a file stand by their type where peer and cert can work; client_auth may not. */
static void check_place(const struct config_draft_gilmok *g, const struct hba_rule *r, const struct config_listen *l,
                        const char *text,
                        struct config_findings *f) {
    struct config_place at = config_rule_place(g, r);
    bool is_socket = config_is_socket(&g->config, l);
    if (r->method == AUTH_PEER && !is_socket && l->unix_path) {
        config_error(f, at.file, at.line, "peer asks who has opened a unix socket: at %s that is a proxy", text);
        config_advice(f, "Use client_auth = scram-sha-256, or remove unix from proxy_protocol_from");
    } else if (r->method == AUTH_PEER && !is_socket) {
        config_error(f, at.file, at.line, "peer asks who has opened a unix socket: it cannot be used at %s", text);
        config_advice(f, "Write client_auth_socket = peer, and something else for client_auth");
    } else if (r->method == AUTH_CERT && is_socket) {
        config_error(f, at.file, at.line, "cert needs TLS, which a unix socket does not have: nobody could log in at %s", text);
        config_advice(f, "Write client_auth_socket = scram-sha-256 or client_auth_socket = peer");
    } else if (auth_method_is_in_clear(r->method) && !is_socket && g->config.client_tls == CLIENT_TLS_DISABLE) {
        config_error(f, at.file, at.line, "%s needs TLS, and clients get none at %s", r->line ? auth_method_name(r->method)
                     : "client_auth = password", text);
        config_advice(f, r->line ? "Write client_tls = require, or another method here"
                                 : "Write client_tls = require, or client_auth = scram-sha-256");
    }
}

static void check_rule_at_listeners(const struct config_draft_gilmok *g, const struct hba_rule *r, const struct list *listens,
                                    struct config_findings *f) {
    char text[160];
    LIST_EACH(n, listens) {
        const struct config_listen *l = CONTAINER_OF(n, struct config_listen, node);
        if (!config_rule_is_for(&g->config, r, l)) continue;
        config_value_listen_text(l, text, sizeof(text));
        if (r->method == AUTH_TRUST && r->type != HBA_LOCAL) check_trust(g, r, l, text, f);
        else check_place(g, r, l, text, f);
    }
}

/* Of those, one finding is enough. */
static bool check_certificates(const struct config_draft_gilmok *g, const struct hba_rule *r, struct config_findings *f) {
    const struct config *c = &g->config;
    struct config_place at = config_place_of(c, g->section, "client_auth");
    const char *name = r->method != AUTH_CERT ? "clientcert" : r->line ? "cert" : "client_auth = cert";
    if (r->line) at = config_rule_place(g, r);
    if (r->clientcert == HBA_CERT_NOT_ASKED || !config_rule_is_used(c, r)) return true;
    if (c->client_tls == CLIENT_TLS_DISABLE) {
        config_error(f, at.file, at.line, "%s needs TLS, and clients get none", name);
        config_advice(f, "Write client_tls = require");
    } else if (!c->client_tls_ca_file) {
        config_error(f, at.file, at.line, "%s needs to know who issues the clients' certificates", name);
        config_advice(f, "Write client_tls_ca_file = FILE");
    }
    return c->client_tls != CLIENT_TLS_DISABLE && c->client_tls_ca_file;
}

/* A line that no connection can fit does no harm, but is not what somebody meant. */
static void check_transport(const struct config *c, const struct hba_rule *r, struct config_findings *f) {
    bool is_no_tls = r->type == HBA_HOSTSSL && c->client_tls == CLIENT_TLS_DISABLE && r->clientcert == HBA_CERT_NOT_ASKED;
    bool is_no_clear = r->type == HBA_HOSTNOSSL && c->client_tls == CLIENT_TLS_REQUIRE;
    if (!r->line || (!is_no_tls && !is_no_clear)) return;
    config_warning(f, r->file, r->line, "this line is for nobody: client_tls = %s", is_no_tls ? "disable" : "require");
    config_advice(f, is_no_tls ? "Write client_tls = allow or client_tls = require" : "Remove it");
}

static void check_map(const struct config *c, const struct hba_rule *r, struct config_findings *f) {
    if (!r->map || name_maps_has(c->name_maps, r->map)) return;
    config_error(f, r->file, r->line, "there is no map `%s`%s", r->map, c->ident_file ? " in ident_file" : ", and no ident_file");
    config_advice(f, "%s: %s SYSTEM-USERNAME DATABASE-USERNAME", c->ident_file ? "Add a line"
                  : "Write ident_file = FILE, with lines", r->map);
}

/* What a user types travels on. */
static void check_ldap(const struct hba_rule *r, struct config_findings *f) {
    if (!r->ldap || !r->ldap->is_in_clear) return;
    config_warning(f, r->file, r->line, "passwords go to %.120s without TLS", r->ldap->uris);
    config_advice(f, "Write ldaptls=1, or ldapscheme=ldaps");
}

/* Without its own file a service is what `other` says in the system's folder, and nothing at all in another one. */
static void check_pam(struct config *c, const struct hba_rule *r, struct config_findings *f) {
    static const char *const system[] = {"/etc/pam.d", "/usr/lib/pam.d"};
    char path[512];
    if (!r->pam) return;
    for (size_t i = 0; i < (c->pam_directory ? 1 : COUNT_OF(system)); i++) {
        snprintf(path, sizeof path, "%s/%s", c->pam_directory ? c->pam_directory : system[i], r->pam->service);
        if (access(path, R_OK) == 0) return;
    }
    if (c->pam_directory) config_error(f, r->file, r->line, "nobody could log in: there is no PAM service %.200s", path);
    else config_warning(f, r->file, r->line, "there is no file %s/%s: PAM takes the service `other` for it", system[0],
                        r->pam->service);
    config_advice(f, "Write the file, with an auth and an account line at least");
}

static void check_rules(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    bool is_right = true;
    if (c->proxy_protocol_from.has_unix && g->client_auth_socket >= 0) {
        struct config_place socket = config_place_of(c, g->section, "client_auth_socket");
        config_warning(f, socket.file, socket.line, "client_auth_socket is for nobody: unix is in proxy_protocol_from");
        config_advice(f, "Clients that a proxy passes on log in as client_auth says; remove one of the two");
    }
    LIST_EACH(n, &c->hba->rules) {
        const struct hba_rule *r = CONTAINER_OF(n, struct hba_rule, node);
        check_rule_at_listeners(g, r, &c->listens, f);
        check_rule_at_listeners(g, r, &c->listens_mysql, f);
        check_transport(c, r, f);
        check_map(c, r, f);
        check_ldap(r, f);
        check_pam(c, r, f);
        is_right = is_right && check_certificates(g, r, f);
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

bool config_check_is_ip(const char *host) {
    struct addr a;
    return is_ip(host, &a);
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

/* ---- servers ---- */

/* Without a host its line is wrong, which has been told. */
static bool is_on_this_machine(const struct config_node *node) {
    if (!node->host) return true;
    struct config_listen as_listener = {.host = node->host};
    return node->host[0] == '/' || config_listen_is_local(&as_listener);
}

/* The first that is on this machine, or is not; NULL: none. */
static const struct config_node *find_node(const struct config_cluster *cluster, bool is_here) {
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        if (is_on_this_machine(node) == is_here) return node;
    }
    return NULL;
}

/* A server that does ask is refused then; others are fine. */
static void check_server_auth(const struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->clusters) {
        const struct config_draft_cluster *d = (struct config_draft_cluster *)CONTAINER_OF(n, struct config_cluster, node);
        const struct config_cluster *cluster = &d->cluster;
        bool is_verified = cluster->tls.mode != SERVER_TLS_DISABLE && cluster->tls.mode != SERVER_TLS_REQUIRE;
        const struct config_node *node = find_node(cluster, false);
        if (cluster->server_auth != SERVER_AUTH_PASSWORD || is_verified || !node) continue;
        struct config_place at = config_place_of(c, d->section, "server_auth");
        config_warning(f, at.file, at.line, "no password leaves in clear text for %s: server_tls verifies nobody", node->host);
        config_advice(f, "Use server_tls = verify-full, or server_auth = scram-sha-256");
    }
}

/* Without TLS there is nothing to bind to: every login would fail. */
static void check_channel_binding(const struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->clusters) {
        const struct config_draft_cluster *d = (struct config_draft_cluster *)CONTAINER_OF(n, struct config_cluster, node);
        const struct config_cluster *cluster = &d->cluster;
        if (cluster->channel_binding != CHANNEL_BINDING_REQUIRE || list_is_empty(&cluster->nodes)) continue;
        bool is_here = find_node(cluster, true) != NULL;
        if (cluster->tls.mode != SERVER_TLS_DISABLE && (cluster->tls.mode >= 0 || !is_here)) continue;
        struct config_place at = config_place_of(c, d->section, "server_channel_binding");
        config_error(f, at.file, at.line, "server_channel_binding = require needs TLS, and server_tls is disable%s",
                     cluster->tls.mode < 0 ? " for servers on this machine" : "");
        config_advice(f, "Write server_tls = verify-full, or server_channel_binding = prefer");
    }
}

void config_check_logins(struct config_draft_gilmok *g, struct config_findings *f) {
    check_proxies(g, f);
    int errors = f->errors;
    config_hba_read(g, f);
    if (f->errors == errors) check_rules(g, f);
    check_server_auth(&g->config, f);
    check_channel_binding(&g->config, f);
    config_check_users(g, f);
}
