/*
 * config_check.c - owns the checks between keys; every check runs, whatever the others found.
 *
 * By now each value by itself is right. A draft's section tells the line that a
 * finding belongs to. Who can log in, and with what, is config_check_auth.c's.
 */
#include "proxy/config_check.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "proxy/auth/secret.h"
#include "proxy/config_findings.h"
#include "proxy/config_secret.h"
#include "proxy/config_value.h"

struct config_place config_place_of(const struct config *c, const struct config_section *s, const char *key) {
    const struct config_entry *e = config_section_entry(s, key);
    if (e) return (struct config_place){e->file, e->line};
    return s ? (struct config_place){s->file, s->line} : (struct config_place){c->path, 0};
}

struct config_secret_place config_secret_place_of(const struct config *c, const struct config_section *s, const char *key) {
    struct config_place at = config_place_of(c, s, key);
    return (struct config_secret_place){.key = key, .file = at.file, .line = at.line, .run_as = c->run_as};
}

static struct config_draft_database *database_at(struct list *n) {
    return (struct config_draft_database *)CONTAINER_OF(n, struct config_database, node);
}

/* ---- [gilmok] ---- */

static void check_run_as(struct config_draft_gilmok *g, struct config_findings *f) {
    const char *name = g->config.run_as;
    if (!name || getpwnam(name)) return;
    struct config_place at = config_place_of(&g->config, g->section, "user");
    config_error(f, at.file, at.line, "there is no system user `%s`", name);
    config_advice(f, "Run: useradd --system %s", name);
}

static void check_listens(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config_place at = config_place_of(&g->config, g->section, "listen");
    if (list_is_empty(&g->config.listens)) {
        config_error(f, at.file, at.line, "there is no address to listen on");
        config_advice(f, "Write at least one, such as listen = 127.0.0.1:6432");
    }
}

/* "10.0.0.2", "10.0.0.2:53", "::1", "[::1]:53". */
static bool is_name_server(const char *item, size_t len) {
    char host[64], *end;
    bool is_bracketed = len && item[0] == '[';
    const char *close = is_bracketed ? memchr(item, ']', len) : NULL;
    const char *colon = is_bracketed ? (close ? close + 1 : NULL) : memchr(item, ':', len);
    if (!is_bracketed && colon && memchr(colon + 1, ':', len - (size_t)(colon + 1 - item))) colon = NULL;
    bool has_port = colon && colon < item + len;
    size_t host_len = is_bracketed ? (close ? (size_t)(close - item) - 1 : 0) : has_port ? (size_t)(colon - item) : len;
    if (!host_len || host_len >= sizeof host) return false;
    snprintf(host, sizeof host, "%.*s", (int)host_len, item + is_bracketed);
    if (!config_check_is_ip(host)) return false;
    if (!has_port) return true;
    unsigned long port = strtoul(colon + 1, &end, 10);
    return colon[0] == ':' && colon[1] >= '0' && colon[1] <= '9' && end == item + len && port > 0 && port < 65536;
}

static void check_dns_servers(struct config_draft_gilmok *g, struct config_findings *f) {
    const char *names = g->config.dns_servers;
    struct bytes name;
    while (config_next_name(&names, &name)) {
        if (is_name_server((const char *)name.ptr, name.len)) continue;
        struct config_place at = config_place_of(&g->config, g->section, "dns_servers");
        config_error(f, at.file, at.line, "`dns_servers`: \"%.*s\" is no address", (int)name.len, (const char *)name.ptr);
        config_advice(f, "Write addresses such as 10.0.0.2, 10.0.0.3:5353, [fd00::2]:53, with commas between them");
        return;
    }
}

/* ---- passwords ---- */

/* The first line of a file that a key names: a password. NULL, reported, when it is none. */
static const char *read_password(struct config *c, const struct config_section *section, const char *key, const char *file,
                                 struct config_findings *f) {
    struct config_secret_place at = config_secret_place_of(c, section, key);
    const char *password = NULL, *path = config_secret_path(&at, file, &c->arena, f);
    if (!path) return NULL;
    struct writer text;
    writer_init(&text, CONFIG_PASSWORD_FILE_MAX);
    if (config_secret_read(&at, path, file[0] == '$', &text, f)) {
        struct bytes line = writer_bytes(&text);
        const uint8_t *end = line.len ? memchr(line.ptr, '\n', line.len) : NULL;
        if (end) line.len = (size_t)(end - line.ptr);
        if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
        if (line.len == 0 || line.len > USER_PASSWORD_MAX || memchr(line.ptr, 0, line.len)) {
            config_error(f, at.file, at.line, "`%s`: the first line of %s is not a password", key, path);
            config_advice(f, "It must hold 1 to %d bytes and no NUL", (int)USER_PASSWORD_MAX);
        } else {
            password = arena_strdup(&c->arena, line);
        }
    }
    if (text.data) secret_wipe(text.data, text.len);
    writer_release(&text);
    return password;
}

/* ---- clusters and nodes ---- */

/* Which of several nodes is the primary is found out by asking them. */
static void check_cluster(struct config *c, struct config_draft_cluster *d, struct config_findings *f) {
    struct config_cluster *cluster = &d->cluster;
    uint32_t count = 0;
    LIST_EACH(n, &cluster->nodes) count++;
    if (count == 0) {
        config_error(f, cluster->file, cluster->line, "the cluster `%s` has no node", cluster->name);
        config_advice(f, "Add a section [node %s/main] with the server's host and port", cluster->name);
    } else if (count > 1 && !cluster->monitor_user && cluster->protocol != PROTO_MYSQL) {
        const struct config_node *second = CONTAINER_OF(list_first(&cluster->nodes)->next, struct config_node, node);
        config_error(f, second->file, second->line,
                     "the cluster `%s` has several nodes, and nobody to ask them which is the primary",
                     cluster->name);
        config_advice(f, "Write monitor_user = NAME in [cluster %s], a user of the servers with pg_monitor", cluster->name);
    } else if (count > CONFIG_NODES_MAX) {
        config_error(f, cluster->file, cluster->line, "the cluster `%s` has %u nodes", cluster->name, count);
        config_advice(f, "Leave %d of them at most", (int)CONFIG_NODES_MAX);
    }
    cluster->is_elective = cluster->discover_standbys;
    LIST_EACH(n, &cluster->nodes) cluster->is_elective |= CONTAINER_OF(n, struct config_node, node)->discover_addresses;
    if (d->monitor_password_file && cluster->monitor_user && cluster->protocol != PROTO_MYSQL)
        cluster->monitor_password = read_password(c, d->section, "monitor_password_file", d->monitor_password_file, f);
}

/* Twice the same server would be two that can be written to. */
static void check_addresses(const struct config_cluster *cluster, struct config_findings *f) {
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        for (const struct list *m = cluster->nodes.next; m != n; m = m->next) {
            const struct config_node *other = CONTAINER_OF(m, struct config_node, node);
            if (other->port != node->port || strcmp(other->host, node->host) != 0) continue;
            config_error(f, node->file, node->line, "the nodes `%s` and `%s` are the same server", other->name, node->name);
            config_advice(f, "Give each its own host and port, or remove one");
        }
    }
}

/* A name that is looked up again and again, each of its addresses a node. */
static void check_names(struct config *c, const struct config_cluster *cluster, struct config_findings *f) {
    LIST_EACH(n, &cluster->nodes) {
        const struct config_draft_node *d = (struct config_draft_node *)CONTAINER_OF(n, struct config_node, node);
        struct config_place at = config_place_of(c, d->section, "discover_addresses");
        if (!d->node.discover_addresses || !d->node.host) continue;
        if (!cluster->monitor_user) {
            config_error(f, at.file, at.line, "`discover_addresses` needs somebody who asks the nodes what they are");
            config_advice(f, "Write monitor_user = NAME in [cluster %s], or remove it", cluster->name);
        } else if (d->node.host[0] == '/' || config_check_is_ip(d->node.host)) {
            config_error(f, at.file, at.line, "`discover_addresses` is of no use: `%s` is no name", d->node.host);
            config_advice(f, "Write host = NAME, or remove it");
        } else if (strlen(d->node.name) > CONFIG_FOUND_NAME_MAX) {
            config_error(f, at.file, at.line, "the name `%s` is too long to stand in front of addresses", d->node.name);
            config_advice(f, "Give the node a name of at most %d bytes", CONFIG_FOUND_NAME_MAX);
        }
    }
}

/* ---- subscribers ---- */

static struct config_place place_in(const struct config *c, const struct config_node *node, const char *key) {
    return config_place_of(c, ((const struct config_draft_node *)node)->section, key);
}

static bool stands_before(const char *list, const char *end, struct bytes schema, struct bytes table) {
    struct bytes s, t;
    while (config_next_table(&list, &s, &t) && (const char *)t.ptr < end)
        if ((const char *)t.ptr + t.len < end && bytes_equal(s, schema) && bytes_equal(t, table)) return true;
    return false;
}

static void check_tables(const struct config *c, const struct config_node *node, struct config_findings *f) {
    struct config_place where = place_in(c, node, "tables");
    const char *at = node->tables;
    struct bytes name, schema, table;
    uint32_t count = 0;
    for (const char *here = at; config_next_name(&at, &name); here = at, count++) {
        if (!config_next_table(&here, &schema, &table)) {
            config_error(f, where.file, where.line, "`tables`: \"%.*s\" is no name of a table with its schema", (int)name.len,
                         (const char *)name.ptr);
            config_advice(f, "Write tables = public.orders, public.items: letters, digits and _ as in the catalog");
            return;
        }
        if (stands_before(node->tables, (const char *)table.ptr, schema, table)) {
            config_error(f, where.file, where.line, "`tables` names %.*s twice", (int)name.len, (const char *)name.ptr);
            config_advice(f, "Remove one of the two");
            return;
        }
    }
    if (count > 0 && count <= CONFIG_TABLES_MAX) return;
    config_error(f, where.file, where.line, "`tables` names %u tables", count);
    config_advice(f, "Name one to %d of them", (int)CONFIG_TABLES_MAX);
}

/* What says how far the node is: its subscription, or this. */
static bool check_heartbeat(const struct config *c, const struct config_node *node, struct config_findings *f) {
    const char *at = node->heartbeat;
    struct config_place where = place_in(c, node, "heartbeat");
    struct bytes schema, table;
    if (!at) return true;
    if (node->subscription) {
        config_error(f, where.file, where.line, "`heartbeat` does not go with `subscription`");
        config_advice(f, "Write subscription where one of the server's own brings the tables, else heartbeat");
        return false;
    }
    if (config_next_table(&at, &schema, &table) && (!at || !*at)) return true;
    config_error(f, where.file, where.line, "`heartbeat`: \"%s\" is no name of a table with its schema", node->heartbeat);
    config_advice(f, "Write heartbeat = public.gilmok_heartbeat: letters, digits and _ as in the catalog");
    return false;
}

/* Keys that go together: all of them, or none. False: something is missing or too many. */
static bool check_feed_keys(const struct config *c, const struct config_node *node, struct config_findings *f) {
    const char *const keys[] = {"tables", "database", node->heartbeat && !node->subscription ? "heartbeat" : "subscription"};
    const char *const values[] = {node->tables, node->database, node->subscription ? node->subscription : node->heartbeat};
    bool is_right = !config_node_subscribes(node) || check_heartbeat(c, node, f);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (!values[i] != config_node_subscribes(node)) continue;
        struct config_place at = place_in(c, node, values[i] ? keys[i] : "feed");
        is_right = false;
        if (values[i]) {
            config_error(f, at.file, at.line, "`%s` is of no use without feed = logical", keys[i]);
            config_advice(f, "Write feed = logical, or remove it");
        } else {
            config_error(f, at.file, at.line, "`feed = logical` needs `%s` for the node `%s`", keys[i], node->name);
            config_advice(f, "Write tables = SCHEMA.TABLE, ..., database = NAME, and subscription or heartbeat");
        }
    }
    return is_right;
}

/* Servers of their own, with copies of some tables (docs/failover.md). */
static void check_feeds(const struct config *c, const struct config_cluster *cluster, struct config_findings *f) {
    const struct config_node *last = NULL;
    uint32_t count = 0;
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        bool has_keys = check_feed_keys(c, node, f);
        if (!config_node_subscribes(node)) continue;
        last = node;
        count++;
        if (has_keys) check_tables(c, node, f);
        if (!node->discover_addresses) continue;
        struct config_place at = place_in(c, node, "discover_addresses");
        config_error(f, at.file, at.line, "`discover_addresses` does not go with feed = logical");
        config_advice(f, "Give each subscriber a section of its own");
    }
    if (last && !config_first_node(cluster)) {
        config_error(f, cluster->file, cluster->line, "the cluster `%s` has subscribers, and no node that could be its primary",
                     cluster->name);
        config_advice(f, "Add a section [node %s/NAME] without feed = logical", cluster->name);
    } else if (count > CONFIG_SUBSCRIBERS_MAX) {
        config_error(f, last->file, last->line, "the cluster `%s` has %u subscribers", cluster->name, count);
        config_advice(f, "Leave %d of them at most", (int)CONFIG_SUBSCRIBERS_MAX);
    }
}

static void check_monitor_keys(struct config *c, const struct config_draft_cluster *d, struct config_findings *f) {
    static const char *const needs_user[] = {"monitor_password_file", "monitor_database", "probe_interval", "probe_timeout",
                                             "probe_rise", "probe_fall", "failover_wait", "stall_timeout", "discover_standbys",
                                             "discover_port", "discover_keep"};
    if (d->cluster.monitor_user) return;
    for (size_t i = 0; i < COUNT_OF(needs_user); i++) {
        if (!config_section_entry(d->section, needs_user[i])) continue;
        struct config_place at = config_place_of(c, d->section, needs_user[i]);
        config_error(f, at.file, at.line, "`%s` is of no use without monitor_user", needs_user[i]);
        config_advice(f, "Write monitor_user = NAME, or remove it");
        return;
    }
}

/* Reads prefer nodes that are where gilmok is. */
static void check_zones(struct config *c, struct config_findings *f) {
    const struct config_node *first = NULL;
    LIST_EACH(n, &c->clusters) {
        LIST_EACH(k, &CONTAINER_OF(n, struct config_cluster, node)->nodes) {
            struct config_node *node = CONTAINER_OF(k, struct config_node, node);
            if (node->zone && !first) first = node;
            node->is_near = c->zone && node->zone && strcmp(c->zone, node->zone) == 0;
        }
    }
    if (first && !c->zone) {
        config_warning(f, first->file, first->line, "the `zone` of nodes is not looked at: gilmok has none");
        config_advice(f, "Write zone = NAME in [gilmok], or remove it");
    }
}

static void check_clusters(struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->clusters) {
        struct config_draft_cluster *d = (struct config_draft_cluster *)CONTAINER_OF(n, struct config_cluster, node);
        check_cluster(c, d, f);
        check_addresses(&d->cluster, f);
        if (d->cluster.protocol == PROTO_MYSQL) continue; /* its keys are config_check_mysql()'s */
        check_monitor_keys(c, d, f);
        check_names(c, &d->cluster, f);
        check_feeds(c, &d->cluster, f);
    }
    check_zones(c, f);
}

static struct config_cluster *find_cluster(const struct config *c, const char *name) {
    LIST_EACH(n, &c->clusters) {
        struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        if (strcmp(cluster->name, name) == 0) return cluster;
    }
    return NULL;
}

static void resolve_cluster(struct config *c, struct config_draft_database *d, struct config_findings *f) {
    struct config_place at = config_place_of(c, d->section, "cluster");
    const struct list *first = list_first(&c->clusters);
    if (d->cluster) {
        d->database.cluster = find_cluster(c, d->cluster);
        if (d->database.cluster) return;
        config_error(f, at.file, at.line, "there is no cluster `%s`", d->cluster);
        config_advice(f, "Add a section [cluster %s], or name one that exists", d->cluster);
    } else if (!first || first->next != &c->clusters) {
        config_error(f, at.file, at.line, "`cluster` is missing for the database `%s`, and there is %s",
                     d->database.name, first ? "more than one to choose from" : "no [cluster NAME] at all");
        config_advice(f, first ? "Write cluster = NAME in this section"
                               : "Add the sections [cluster main] and [node main/a]");
    } else {
        d->database.cluster = CONTAINER_OF(first, struct config_cluster, node);
    }
}

/* ---- databases ---- */

/* Who asks the servers for users' secrets, and over which connections. */
static void check_auth_user(struct config *c, struct config_draft_cluster *d, struct config_findings *f) {
    static const char *const needs_user[] = {"auth_password_file", "auth_query", "auth_database"};
    struct config_cluster *cluster = &d->cluster;
    struct config_database *db = cluster->auth;
    for (size_t i = 0; !cluster->auth_user && i < COUNT_OF(needs_user); i++) {
        const struct config_entry *e = config_section_entry(d->section, needs_user[i]);
        if (!e) continue;
        config_error(f, e->file, e->line, "`%s` is of no use without auth_user", needs_user[i]);
        config_advice(f, "Write auth_user = NAME, or remove it");
        return;
    }
    if (!cluster->auth_user || !db) return;
    if (d->auth_password_file) cluster->auth_password = read_password(c, d->section, "auth_password_file", d->auth_password_file,
                                                                      f);
    if (cluster->auth_query && !strstr(cluster->auth_query, "$1")) {
        struct config_place at = config_place_of(c, d->section, "auth_query");
        config_error(f, at.file, at.line, "auth_query does not ask for the user: it has no $1");
        config_advice(f, cluster->protocol == PROTO_MYSQL ? "Write one such as: SELECT * FROM gilmok.accounts WHERE User = $1"
                                                          : "Write one such as: SELECT * FROM gilmok.get_auth($1)");
    }
    char *name = arena_alloc(&c->arena, sizeof CONFIG_AUTH_DATABASE + strlen(cluster->name));
    if (!name) return;
    memcpy(name, CONFIG_AUTH_DATABASE, sizeof CONFIG_AUTH_DATABASE);
    memcpy(name + strlen(name), cluster->name, strlen(cluster->name) + 1);
    db->name = name;
    db->cluster = cluster;
    db->server_database = cluster->auth_database;
    db->server_user = cluster->auth_user;
    db->server_password = cluster->auth_password;
    db->pool_mode = POOL_TRANSACTION;
    db->pool_size = CONFIG_AUTH_POOL_SIZE;
    db->unknown_effects = UNKNOWN_EFFECTS_TRUST;
    db->queue_timeout_ms = cluster->connect_timeout_ms;
    db->file = cluster->file;
    db->line = cluster->line;
    list_push_back(&c->auth_databases, &db->node);
}

static void check_password(struct config *c, struct config_draft_database *d, struct config_findings *f) {
    struct config_database *db = &d->database;
    bool has_password = db->server_password || d->server_password_file;
    if (db->server_password && d->server_password_file) {
        struct config_place at = config_place_of(c, d->section, "server_password_file");
        config_error(f, at.file, at.line, "the database `%s` has both server_password and server_password_file",
                     db->name);
        config_advice(f, "Remove server_password");
    } else if (d->server_password_file) {
        db->server_password = read_password(c, d->section, "server_password_file", d->server_password_file, f);
    }
    if (db->server_user && !has_password) {
        struct config_place at = config_place_of(c, d->section, "server_user");
        config_error(f, at.file, at.line, "the database `%s` has a server_user but no password for it", db->name);
        config_advice(f, "Add server_password_file = PATH");
    }
    if (!db->server_user && has_password) {
        struct config_place at = config_place_of(c, d->section, db->server_password ? "server_password" : "server_password_file");
        config_error(f, at.file, at.line, "the database `%s` has a server password but no server_user", db->name);
        config_advice(f, "Add server_user = NAME, or remove the password");
    }
}

/* A password in the configuration itself is as secret as one in a file, but the operator chose it: a warning. */
static void warn_open_password(const struct config *c, struct config_draft_database *d, struct config_findings *f) {
    const struct config_entry *e = config_section_entry(d->section, "server_password");
    struct stat st;
    if (!e || stat(e->file, &st) != 0 || !(st.st_mode & S_IRWXO)) return;
    struct config_place at = config_place_of(c, d->section, "server_password");
    config_warning(f, at.file, at.line, "server_password stands in a file that everybody can read");
    config_advice(f, "Use server_password_file, or run: chmod o-rwx %s", e->file);
}

/* Reads on replicas need several nodes. */
static void check_role(struct config *c, struct config_draft_database *d, struct config_findings *f) {
    const struct config_database *db = &d->database;
    if (!db->cluster) return;
    if (db->role != ROLE_PRIMARY && !config_is_elective(db->cluster)) {
        struct config_place at = config_place_of(c, d->section, "role");
        config_warning(f, at.file, at.line, "`role = %s` changes nothing: the cluster `%s` has one node", pool_role_name(db->role),
                       db->cluster->name);
        config_advice(f, "Add its replicas as [node %s/NAME], or remove it", db->cluster->name);
    }
    static const char *const of_reads[] = {"max_replica_lag", "balance", "slow_start", "primary_share"};
    bool is_read_elsewhere = db->role != ROLE_PRIMARY || db->read_write_split;
    for (size_t i = 0; i < COUNT_OF(of_reads) && !is_read_elsewhere; i++) {
        if (!config_section_entry(d->section, of_reads[i])) continue;
        struct config_place at = config_place_of(c, d->section, of_reads[i]);
        config_warning(f, at.file, at.line, "`%s` is not looked at: the database is served by the primary", of_reads[i]);
        config_advice(f, "Write read_write_split = on, or role = replica, prefer-replica or any, or remove it");
    }
}

static void check_stickiness(struct config *c, struct config_draft_database *d, struct config_findings *f) {
    if (d->database.read_write_split || d->database.read_stickiness == STICKY_STATEMENT) return;
    struct config_place at = config_place_of(c, d->section, "read_stickiness");
    config_warning(f, at.file, at.line, "`read_stickiness` is not looked at without read_write_split");
    config_advice(f, "Write read_write_split = on, or pool_mode = session, where a client keeps its connection, or remove it");
}

static void check_share(struct config *c, struct config_draft_database *d, struct config_findings *f) {
    if (d->database.role != ROLE_REPLICA || !d->database.primary_share) return;
    struct config_place at = config_place_of(c, d->section, "primary_share");
    config_warning(f, at.file, at.line, "`primary_share` is not looked at: with role = replica the primary serves nothing");
    config_advice(f, "Write role = prefer-replica or any, or remove it");
}

/* Statements are looked at between transactions, where there is a choice of nodes. */
static void check_split(struct config *c, struct config_draft_database *d, struct config_findings *f) {
    const struct config_database *db = &d->database;
    struct config_place at = config_place_of(c, d->section, "read_write_split");
    if (!db->cluster || !db->read_write_split) return;
    if (db->role != ROLE_PRIMARY) {
        config_error(f, at.file, at.line, "`read_write_split` and `role = %s` exclude each other", pool_role_name(db->role));
        config_advice(f, "Remove `role`: writes go to the primary then, and reads to its replicas");
    } else if (!config_is_elective(db->cluster)) {
        config_warning(f, at.file, at.line, "`read_write_split` changes nothing: the cluster `%s` has one node", db->cluster->name);
        config_advice(f, "Add its replicas as [node %s/NAME], or remove it", db->cluster->name);
    } else if (db->pool_mode == POOL_SESSION) {
        config_warning(f, at.file, at.line, "`read_write_split` changes nothing: in session mode a client keeps one connection");
        config_advice(f, "Write pool_mode = transaction, or remove it");
    }
}

/* Where servers speak MySQL, config_check_mysql() refuses what these would advise. */
static void check_reads(struct config *c, struct config_draft_database *d, struct config_findings *f) {
    if (d->database.cluster && d->database.cluster->protocol == PROTO_MYSQL) return;
    check_role(c, d, f);
    check_share(c, d, f);
    check_stickiness(c, d, f);
    check_split(c, d, f);
}

static void check_databases(struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->databases) {
        struct config_draft_database *d = database_at(n);
        if (strcmp(d->database.name, "gilmok") == 0) {
            config_error(f, d->database.file, d->database.line, "the name `gilmok` is reserved for the console");
            config_advice(f, "Choose another name; server_database = gilmok gives the name on the server");
        }
        resolve_cluster(c, d, f);
        check_reads(c, d, f);
        check_password(c, d, f);
        warn_open_password(c, d, f);
    }
    if (list_is_empty(&c->databases) && f->errors == 0) {
        config_warning(f, c->path, 0, "there is no [database NAME]: only the console can be used");
        config_advice(f, "Add [database *] to pass every database on");
    }
}

/* Only a database with a name of its own can be opened before anybody asks for it. */
static void check_warm_up(struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->databases) {
        const struct config_draft_database *d = database_at(n);
        const struct config_database *db = &d->database;
        struct config_place at = config_place_of(c, d->section, "warm_up");
        const char *names = db->warm_up;
        struct bytes name;
        if (db->is_wildcard && names && *names) {
            config_error(f, at.file, at.line, "the database `*` has no name to warm up");
            config_advice(f, "Give the database a section of its own");
        }
        while (config_next_name(&names, &name)) {
            if (!c->user_file || user_store_find(c->user_store, name)) continue;
            config_warning(f, at.file, at.line, "`warm_up` names %.*s, who is not in the user file", (int)name.len,
                           (const char *)name.ptr);
            config_advice(f, "Add the user to %s, or remove the name", c->user_file);
        }
        if (!db->warm_up || *db->warm_up == '\0' || db->min_pool_size) continue;
        config_warning(f, at.file, at.line, "warm_up opens nothing while min_pool_size is 0");
        config_advice(f, "Write min_pool_size = N, with the connections that are to be open");
    }
}

/* ---- peers ---- */

/* Peers are told apart by their numbers, in the keys that clients bring. */
static void check_peers(struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->peers) {
        const struct config_peer *p = CONTAINER_OF(n, struct config_peer, node);
        if (c->instance == 0) {
            config_error(f, p->file, p->line, "there is a peer `%s`, but this gilmok has no number of its own", p->name);
            config_advice(f, "Write instance = N in [gilmok], with a number that no peer has");
            return;
        }
        if (p->instance == 0) {
            config_error(f, p->file, p->line, "the peer `%s` has no number", p->name);
            config_advice(f, "Write instance = N, with the number that the peer has in its own [gilmok]");
        } else if (p->instance == c->instance) {
            config_error(f, p->file, p->line, "the peer `%s` has the number of this gilmok itself", p->name);
            config_advice(f, "Give each gilmok of the group its own instance = N, and leave itself out of its peers");
        } else if (config_find_peer(c, p->instance) != p) {
            config_error(f, p->file, p->line, "the peer `%s` has the number of another peer", p->name);
            config_advice(f, "Give each gilmok of the group its own instance = N");
        }
    }
}

/* ---- TLS ---- */

/* Both or neither: the certificate's key says that the certificate is ours. */
static void check_pair(const struct config *c, const struct config_section *s, const char *cert_key, const char *cert,
                       const char *key_key, const char *key, struct config_findings *f) {
    if (!cert == !key) return;
    struct config_place at = config_place_of(c, s, cert ? cert_key : key_key);
    config_error(f, at.file, at.line, "%s stands without %s", cert ? cert_key : key_key, cert ? key_key : cert_key);
    config_advice(f, "Name both files");
}

static void check_client_tls(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    c->client_tls_cert_is_needed = g->client_tls_cert == 1;
    check_pair(c, g->section, "client_tls_cert_file", c->client_tls_cert_file, "client_tls_key_file", c->client_tls_key_file, f);
    struct config_place at = config_place_of(c, g->section, "client_tls");
    if (c->client_tls != CLIENT_TLS_DISABLE && !c->client_tls_cert_file) {
        config_error(f, at.file, at.line, "clients cannot get TLS without a certificate");
        config_advice(f, "Write client_tls_cert_file = FILE and client_tls_key_file = FILE");
    }
    if (c->client_tls_cert_is_needed && !c->client_tls_ca_file) {
        at = config_place_of(c, g->section, "client_tls_cert");
        config_error(f, at.file, at.line, "nobody is said to issue the certificates that clients need");
        config_advice(f, "Write client_tls_ca_file = FILE");
    }
}

static void check_server_tls(struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->clusters) {
        const struct config_draft_cluster *d = (struct config_draft_cluster *)CONTAINER_OF(n, struct config_cluster, node);
        const struct config_server_tls *t = &d->cluster.tls;
        check_pair(c, d->section, "server_tls_cert_file", t->cert_file, "server_tls_key_file", t->key_file, f);
        bool is_unused = t->mode == SERVER_TLS_DISABLE || t->mode == SERVER_TLS_REQUIRE;
        if (!is_unused || !t->ca_file) continue;
        struct config_place at = config_place_of(c, d->section, "server_tls_ca_file");
        config_warning(f, at.file, at.line, "server_tls_ca_file is not looked at with this server_tls");
        config_advice(f, "Use server_tls = verify-full, which leaves nobody in between");
    }
}

void config_check(struct config_draft_gilmok *g, struct config_findings *findings) {
    struct config *c = &g->config;
    check_run_as(g, findings);
    check_listens(g, findings);
    check_dns_servers(g, findings);
    check_clusters(c, findings);
    LIST_EACH(n, &c->clusters) {
        struct config_draft_cluster *d = (struct config_draft_cluster *)CONTAINER_OF(n, struct config_cluster, node);
        check_auth_user(c, d, findings);
    }
    check_databases(c, findings);
    config_check_mysql(g, findings);
    check_peers(c, findings);
    check_client_tls(g, findings);
    check_server_tls(c, findings);
    int errors = findings->errors;
    config_check_logins(g, findings);
    if (findings->errors == errors) check_warm_up(c, findings); /* else who is in the user file may not be known */
}
