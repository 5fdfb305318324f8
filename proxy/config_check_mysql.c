/*
 * config_check_mysql.c - owns what holds for MySQL alone: its listeners, and what its clusters cannot have yet.
 *
 * What is not there yet is an error with the way around it, never a key that is not looked at.
 */
#include <ctype.h>
#include <string.h>

#include "proxy/config_check.h"
#include "proxy/config_findings.h"
#include "proxy/config_value.h"

/* ---- [gilmok] ---- */

enum { MYSQL_VERSION_MAX = 200 };

static bool has_mysql_cluster(const struct config *c) {
    LIST_EACH(n, &c->clusters) {
        if (CONTAINER_OF(n, struct config_cluster, node)->protocol == PROTO_MYSQL) return true;
    }
    return false;
}

/* Who connects there speaks the one protocol or the other; nothing tells which before the server has spoken. */
static void check_both_lists(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config_place at = config_place_of(&g->config, g->section, "listen_mysql");
    LIST_EACH(n, &g->config.listens_mysql) {
        const struct config_listen *l = CONTAINER_OF(n, struct config_listen, node);
        LIST_EACH(m, &g->config.listens) {
            if (!config_value_is_same_listen(l, CONTAINER_OF(m, struct config_listen, node))) continue;
            char text[160];
            config_value_listen_text(l, text, sizeof(text));
            config_error(f, at.file, at.line, "%s stands both in `listen` and in `listen_mysql`", text);
            config_advice(f, "Give MySQL's clients an address of their own, such as 127.0.0.1:6433");
        }
    }
}

static void check_listens(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    struct config_place at = config_place_of(c, g->section, "listen_mysql");
    check_both_lists(g, f);
    if (!list_is_empty(&c->listens_mysql) && !has_mysql_cluster(c)) {
        config_warning(f, at.file, at.line, "`listen_mysql` is of no use: no cluster speaks MySQL");
        config_advice(f, "Write protocol = mysql in [cluster NAME], or remove it");
    }
}

/* Drivers read a number at its beginning, and choose by it what they send. */
static void check_version(struct config_draft_gilmok *g, struct config_findings *f) {
    const char *version = g->config.mysql_server_version;
    struct config_place at = config_place_of(&g->config, g->section, "mysql_server_version");
    bool is_right = version && isdigit((unsigned char)*version) && strlen(version) <= MYSQL_VERSION_MAX;
    for (const char *c = version; is_right && *c; c++) is_right = isgraph((unsigned char)*c);
    if (is_right) return;
    config_error(f, at.file, at.line, "`mysql_server_version` is not a server's version");
    config_advice(f, "Write one such as 8.0.40, or 5.5.5-10.11.0-MariaDB: MariaDB's begins with 5.5.5-");
}

/* ---- clusters and nodes ---- */

static void refuse_keys(const struct config_section *s, const char *const *keys, size_t count, const char *advice,
                        struct config_findings *f) {
    for (size_t i = 0; i < count; i++) {
        const struct config_entry *e = config_section_entry(s, keys[i]);
        if (!e) continue;
        config_error(f, e->file, e->line, "`%s` is not there yet for servers that speak MySQL", keys[i]);
        config_advice(f, "%s", advice);
    }
}

/* Its sockets are files of any name, and not made from a folder and a port. */
static void check_node(const struct config *c, const struct config_draft_node *d, struct config_findings *f) {
    static const char *const keys[] = {"discover_addresses", "feed", "tables", "subscription", "heartbeat", "database"};
    refuse_keys(d->section, keys, COUNT_OF(keys), "Remove it", f);
    if (!d->node.host || d->node.host[0] != '/') return;
    struct config_place at = config_place_of(c, d->section, "host");
    config_error(f, at.file, at.line, "unix sockets of servers that speak MySQL are not there yet");
    config_advice(f, "Write host = 127.0.0.1, and port = N if it is not 3306");
}

static void check_cluster(const struct config *c, const struct config_draft_cluster *d, struct config_findings *f) {
    static const char *const monitor[] = {"monitor_user", "monitor_password_file", "monitor_database", "probe_interval",
                                          "probe_timeout", "probe_rise", "probe_fall", "stall_timeout", "failover_wait",
                                          "discover_standbys", "discover_port", "discover_keep"};
    static const char *const auth[] = {"auth_database"};
    const struct list *first = list_first(&d->cluster.nodes);
    refuse_keys(d->section, monitor, COUNT_OF(monitor), "Remove it: nobody has to ask a single node what it is", f);
    refuse_keys(d->section, auth, COUNT_OF(auth), "Remove it: auth_query names its schemas itself", f);
    if (first && first->next != &d->cluster.nodes) {
        const struct config_node *second = CONTAINER_OF(first->next, struct config_node, node);
        config_error(f, second->file, second->line,
                     "the cluster `%s` speaks MySQL and has more than one node, which is not there yet", d->cluster.name);
        config_advice(f, "Leave the primary, or give each node a cluster of its own");
    }
    LIST_EACH(n, &d->cluster.nodes) {
        check_node(c, (const struct config_draft_node *)CONTAINER_OF(n, struct config_node, node), f);
    }
}

/* ---- databases and users ---- */

static void check_database(const struct config *c, const struct config_draft_database *d, struct config_findings *f) {
    const struct config_database *db = &d->database;
    struct config_place at = config_place_of(c, d->section, "pool_mode");
    if (db->pool_mode == POOL_STATEMENT) {
        config_error(f, at.file, at.line, "the database `%s` would have statement pooling, which is not there yet for MySQL",
                     db->name);
        config_advice(f, "Write pool_mode = transaction, or pool_mode = session");
    }
    if (db->read_write_split) {
        at = config_place_of(c, d->section, "read_write_split");
        config_error(f, at.file, at.line, "`read_write_split` is not there yet for servers that speak MySQL");
        config_advice(f, "Remove it");
    }
    if (db->role != ROLE_PRIMARY) {
        at = config_place_of(c, d->section, "role");
        config_error(f, at.file, at.line, "`role = %s` is not there yet for servers that speak MySQL", pool_role_name(db->role));
        config_advice(f, "Remove it, and give the replica a cluster and a database of its own");
    }
    if (db->listen == LISTEN_SHARED) {
        at = config_place_of(c, d->section, "listen");
        config_error(f, at.file, at.line, "`listen = shared` is PostgreSQL's: MySQL has no channels to listen to");
        config_advice(f, "Remove it");
    }
    if (db->warm_up && *db->warm_up) {
        at = config_place_of(c, d->section, "warm_up");
        config_error(f, at.file, at.line, "`warm_up` is not there yet for servers that speak MySQL");
        config_advice(f, "Remove it");
    }
}

/* A user's own pool_mode holds in every database. */
static void check_user_modes(const struct config *c, const struct config_database *db, struct config_findings *f) {
    LIST_EACH(n, &c->users) {
        const struct config_draft_user *u = (struct config_draft_user *)CONTAINER_OF(n, struct config_user, node);
        if (u->user.pool_mode != POOL_STATEMENT) continue;
        struct config_place at = config_place_of(c, u->section, "pool_mode");
        config_error(f, at.file, at.line, "the user `%s` would have statement pooling in the database `%s`, which is not there yet "
                     "for MySQL", u->user.name, db->name);
        config_advice(f, "Write pool_mode = transaction or session, or remove it and say it in each database");
    }
}

void config_check_mysql(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    const struct config_database *one = NULL;
    check_listens(g, f);
    check_version(g, f);
    LIST_EACH(n, &c->clusters) {
        const struct config_draft_cluster *d = (struct config_draft_cluster *)CONTAINER_OF(n, struct config_cluster, node);
        if (d->cluster.protocol == PROTO_MYSQL) check_cluster(c, d, f);
    }
    LIST_EACH(n, &c->databases) {
        const struct config_draft_database *d = (struct config_draft_database *)CONTAINER_OF(n, struct config_database, node);
        if (!d->database.cluster || d->database.cluster->protocol != PROTO_MYSQL) continue;
        check_database(c, d, f);
        one = &d->database;
    }
    if (one) check_user_modes(c, one, f);
}
