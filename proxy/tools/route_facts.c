/*
 * route_facts.c - owns the connection, as whom it is made, and its rows' way; what they mean is routing/known_pg.h's.
 */
#include "proxy/tools/route_facts.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "proxy/config_value.h"

enum { WORDS_MAX = 16, HOST_MAX = 260 };

/* Where the system has the certificates of the authorities that it trusts: this libpq does not find them by itself. */
static const char authorities[] = "/etc/ssl/certs/ca-certificates.crt";

/* Keywords and values for libpq; a value that is NULL is left to it. */
struct words {
    const char *keys[WORDS_MAX + 1], *values[WORDS_MAX + 1];
    int count;
    char hosts[CONFIG_NODES_MAX * HOST_MAX], ports[CONFIG_NODES_MAX * 8], timeout[16];
};

static void add(struct words *w, const char *key, const char *value) {
    if (!value || w->count == WORDS_MAX) return;
    w->keys[w->count] = key;
    w->values[w->count++] = value;
}

static void add_tls(struct words *w, const struct config_server_tls *tls, const char *host) {
    static const char *const modes[] = {"disable", "require", "verify-ca", "verify-full"};
    bool is_near = config_value_is_loopback(host) || host[0] == '/';
    int usual = is_near ? SERVER_TLS_DISABLE : SERVER_TLS_VERIFY_FULL;
    add(w, "sslmode", modes[tls->mode >= 0 ? tls->mode : usual]);
    add(w, "sslrootcert", tls->ca_file ? tls->ca_file : authorities);
    add(w, "sslcert", tls->cert_file);
    add(w, "sslkey", tls->key_file);
}

/* Without a user in the configuration it is libpq's: PGUSER, PGPASSWORD, ~/.pgpass. */
static void add_user(struct words *w, const struct route_facts_ask *ask) {
    const struct config_database *db = ask->database;
    if (ask->user) {
        add(w, "user", ask->user);
    } else if (db->server_user) {
        add(w, "user", db->server_user);
        add(w, "password", db->server_password);
    } else if (db->cluster->auth_user) {
        add(w, "user", db->cluster->auth_user);
        add(w, "password", db->cluster->auth_password);
    } else if (db->cluster->monitor_user) {
        add(w, "user", db->cluster->monitor_user);
        add(w, "password", db->cluster->monitor_password);
    }
}

/* All nodes, and of several the one that takes writes. */
static bool add_nodes(struct words *w, const struct list *nodes) {
    struct writer hosts, ports;
    int count = 0;
    writer_init_fixed(&hosts, w->hosts, sizeof w->hosts);
    writer_init_fixed(&ports, w->ports, sizeof w->ports);
    LIST_EACH(n, nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        if (config_node_subscribes(node)) continue; /* it takes writes, too, and is not the one that is meant */
        writer_fmt(&hosts, "%s%s", count ? "," : "", node->host);
        writer_fmt(&ports, "%s%u", count ? "," : "", (unsigned)node->port);
        count++;
    }
    writer_u8(&hosts, 0);
    writer_u8(&ports, 0);
    add(w, "host", w->hosts);
    add(w, "port", w->ports);
    add(w, "target_session_attrs", count > 1 ? "read-write" : "any");
    return !hosts.failed && !ports.failed;
}

/* NULL: memory is out. */
static PGconn *connect_to(const struct route_facts_ask *ask) {
    const struct config_cluster *cluster = ask->database->cluster;
    const struct config_node *first = config_first_node(cluster);
    struct words w = {.count = 0};
    if (!add_nodes(&w, &cluster->nodes)) return NULL;
    snprintf(w.timeout, sizeof w.timeout, "%u", (unsigned)(cluster->connect_timeout_ms + 999) / 1000);
    add(&w, "dbname", ask->database->server_database ? ask->database->server_database : ask->name);
    add(&w, "application_name", "gilmok route");
    add(&w, "client_encoding", "UTF8");
    add(&w, "connect_timeout", w.timeout);
    add_tls(&w, &cluster->tls, first->host);
    add_user(&w, ask);
    return PQconnectdbParams(w.keys, w.values, 0);
}

/* The server's message without its line break. */
static bool complain(struct err *err, const char *what, const char *message) {
    size_t len = strcspn(message, "\n");
    return err_set(err, ERR_CANNOT_CONNECT, "%s: %.*s", what, (int)len, message);
}

static bool take_rows(const PGresult *result, struct known_pg *facts, struct err *err) {
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR) return complain(err, "the server refuses to tell", PQresultErrorMessage(result));
    if (status != PGRES_TUPLES_OK || PQnfields(result) != KNOWN_PG_COLUMNS) return true;
    for (int i = 0; i < PQntuples(result); i++) {
        struct bytes row[KNOWN_PG_COLUMNS];
        for (int column = 0; column < KNOWN_PG_COLUMNS; column++)
            row[column] = bytes_of(PQgetvalue(result, i, column), (size_t)PQgetlength(result, i, column));
        if (!known_pg_take(facts, row)) return err_set(err, ERR_OUT_OF_MEMORY, "there is no room for all that the server tells");
    }
    return true;
}

static bool ask_all(PGconn *connection, struct known_pg *facts, uint32_t version, struct err *err) {
    struct writer query;
    writer_init(&query, KNOWN_PG_QUERY_MAX);
    known_pg_put_query(&query, version);
    writer_u8(&query, 0);
    bool ok = !query.failed && PQsendQuery(connection, (const char *)query.data);
    writer_release(&query);
    if (!ok) return complain(err, "the server cannot be asked", PQerrorMessage(connection));
    for (PGresult *result; (result = PQgetResult(connection));) {
        if (ok) ok = take_rows(result, facts, err);
        PQclear(result);
    }
    return ok;
}

uint32_t route_facts_load(const struct route_facts_ask *ask, struct known_pg *facts, struct err *err) {
    PGconn *connection = connect_to(ask);
    uint32_t version = connection ? (uint32_t)PQserverVersion(connection) : 0;
    bool ok = connection && PQstatus(connection) == CONNECTION_OK;
    if (!connection) err_set(err, ERR_OUT_OF_MEMORY, "memory is out");
    else if (!ok) complain(err, "the server cannot be asked (--offline does without)", PQerrorMessage(connection));
    else if (version < 120000) ok = err_set(err, ERR_FEATURE_NOT_SUPPORTED, "the server is older than version 12: say --offline");
    else ok = ask_all(connection, facts, version, err);
    PQfinish(connection);
    return ok ? version : 0;
}
