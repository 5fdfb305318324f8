/*
 * The only user of libpq. Owns a PGconn; knows nothing of what its answers are good for.
 */
#include "proxy/topology/probe_pg.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "proxy/topology/facts_pg.h"

static const char debian_authorities[] = "/etc/ssl/certs/ca-certificates.crt"; /* libpq 15 has no word for "the system's" */
static const char nowhere[] = "/dev/null/none"; /* "" would be libpq's own files, below the home directory */

static const char statement[] = "row"; /* of PROBE_ROW: to plan it may cost more than to run it */

static void on_ready(struct loop_watch *w);
static void on_deadline(struct timer *t);

bool probe_pg_init(struct probe_pg *p, enum probe_question question, struct loop *loop, void (*on_done)(struct probe_pg *p)) {
    *p = (struct probe_pg){.question = question, .loop = loop, .on_done = on_done};
    return timer_init(&p->deadline, loop, on_deadline);
}

static void close_conn(struct probe_pg *p) {
    loop_event_unwatch(&p->watch);
    if (p->conn) PQfinish(p->conn);
    p->conn = NULL;
    p->is_prepared = false;
}

void probe_pg_reset(struct probe_pg *p) {
    timer_stop(&p->deadline);
    p->is_under_way = false;
    close_conn(p);
}

void probe_pg_release(struct probe_pg *p) {
    close_conn(p);
    timer_release(&p->deadline);
}

/* ---- ends ---- */

static void done(struct probe_pg *p, enum probe_result result) {
    loop_event_unwatch(&p->watch);
    timer_stop(&p->deadline);
    p->is_under_way = false;
    p->result = result;
    if (result != PROBE_ANSWERED) close_conn(p);
    p->on_done(p);
}

static void connect_anew(struct probe_pg *p);
static void ask(struct probe_pg *p);

/*
 * libpq's words come in lines, and with the place in the server's sources; the first line says it. A connection that was there may
 * have been closed long ago: that is no answer.
 */
static void fail(struct probe_pg *p, const char *words) {
    char state[6];
    if (p->is_reused) {
        close_conn(p);
        connect_anew(p);
        return;
    }
    size_t len = strcspn(words, "\n");
    bool is_servers = facts_pg_sqlstate(words, state);
    err_set(&p->err, ERR_CANNOT_CONNECT, "%.*s", (int)len, words);
    done(p, is_servers && !facts_pg_is_away(state) ? PROBE_REFUSED : PROBE_FAILED);
}

static void on_deadline(struct timer *t) {
    struct probe_pg *p = CONTAINER_OF(t, struct probe_pg, deadline);
    err_set(&p->err, ERR_CANNOT_CONNECT, "no answer within probe_timeout (%u ms)", p->cluster->probe_timeout_ms);
    done(p, PROBE_FAILED);
}

/* ---- the question ---- */

static int count_columns(const struct probe_pg *p, const PGresult *r) {
    switch (p->question) {
    case PROBE_FACTS: return FACTS_PG_COLUMNS;
    case PROBE_POSITION: return FACTS_PG_POSITION_COLUMNS;
    case PROBE_ROW: break;
    }
    return PQnfields(r) < FACTS_PG_COLUMNS ? PQnfields(r) : FACTS_PG_COLUMNS;
}

static void take_row(struct probe_pg *p, const PGresult *r) {
    const char *row[FACTS_PG_COLUMNS];
    int columns = count_columns(p, r);
    bool is_whole = PQntuples(r) == 1 && PQnfields(r) == columns;
    for (int i = 0; is_whole && i < columns; i++) row[i] = PQgetisnull(r, 0, i) ? NULL : PQgetvalue(r, 0, i);
    if (p->question == PROBE_ROW) p->has_row = is_whole && p->on_row(p, row, columns);
    else if (p->question == PROBE_FACTS) p->has_row = is_whole && facts_pg_take(&p->facts, row);
    else p->has_row = is_whole && facts_pg_take_position(&p->position, row);
}

static void take_standbys(struct probe_pg *p, const PGresult *r) {
    for (int k = 0; PQnfields(r) == FACTS_PG_STANDBY_COLUMNS && k < PQntuples(r); k++) {
        const char *row[FACTS_PG_STANDBY_COLUMNS];
        for (int i = 0; i < FACTS_PG_STANDBY_COLUMNS; i++) row[i] = PQgetisnull(r, k, i) ? NULL : PQgetvalue(r, k, i);
        facts_pg_take_standby(&p->facts, row);
    }
}

static void watch(struct probe_pg *p, bool for_write) {
    bool ok = loop_event_watch(&p->watch, p->loop, PQsocket(p->conn), for_write, on_ready);
    if (!ok) fail(p, "out of memory");
}

static bool is_preparing(const struct probe_pg *p) {
    return p->question == PROBE_ROW && !p->is_prepared;
}

static void end_answer(struct probe_pg *p) {
    if (is_preparing(p)) {
        p->is_prepared = true;
        ask(p);
    } else if (p->has_row) {
        done(p, PROBE_ANSWERED);
    } else {
        fail(p, "the server's answer to the probe is none");
    }
}

/* True: all of it is in, or the probe has failed. */
static bool take_results(struct probe_pg *p) {
    PGresult *r;
    while (!PQisBusy(p->conn)) {
        r = PQgetResult(p->conn);
        if (!r) {
            end_answer(p);
            return true;
        }
        bool is_right = PQresultStatus(r) == (is_preparing(p) ? PGRES_COMMAND_OK : PGRES_TUPLES_OK);
        if (is_right && is_preparing(p)) {
            PQclear(r);
            continue;
        }
        if (is_right && !p->has_row) take_row(p, r);
        else if (is_right) take_standbys(p, r);
        else fail(p, PQresultErrorMessage(r)[0] ? PQresultErrorMessage(r) : "the server answers something else");
        PQclear(r);
        if (!is_right) return true;
    }
    return false;
}

static void ask_on(struct probe_pg *p) {
    int unsent = PQflush(p->conn);
    if (unsent < 0 || !PQconsumeInput(p->conn)) {
        fail(p, PQerrorMessage(p->conn));
        return;
    }
    if (!take_results(p)) watch(p, unsent > 0);
}

static bool send_question(struct probe_pg *p) {
    if (is_preparing(p)) return PQsendPrepare(p->conn, statement, p->query, 0, NULL);
    if (p->question == PROBE_ROW) return PQsendQueryPrepared(p->conn, statement, p->param_count, p->params, NULL, NULL, 0);
    return PQsendQuery(p->conn, p->question == PROBE_FACTS ? facts_pg_query() : facts_pg_position_query());
}

static void ask(struct probe_pg *p) {
    p->has_row = false;
    p->asked_us = p->loop->now_us;
    if (send_question(p)) ask_on(p);
    else fail(p, PQerrorMessage(p->conn));
}

/* ---- the connection ---- */

static void connect_on(struct probe_pg *p) {
    switch (PQconnectPoll(p->conn)) {
    case PGRES_POLLING_OK:
        (void)PQsetnonblocking(p->conn, 1);
        ask(p);
        return;
    case PGRES_POLLING_FAILED: fail(p, PQerrorMessage(p->conn)); return;
    case PGRES_POLLING_WRITING: watch(p, true); return;
    default: watch(p, false);
    }
}

static void on_ready(struct loop_watch *w) {
    struct probe_pg *p = CONTAINER_OF(w, struct probe_pg, watch);
    if (PQstatus(p->conn) == CONNECTION_OK) ask_on(p);
    else connect_on(p);
}

/* With authorities libpq verifies whatever the mode says, and `require` asks nobody. */
static const char *authorities(const struct config_server_tls *tls) {
    if (tls->mode == SERVER_TLS_REQUIRE) return nowhere;
    return tls->ca_file ? tls->ca_file : debian_authorities;
}

static const char *ssl_mode(const struct config_server_tls *tls, const struct addr *addr) {
    static const char *const words[] = {"disable", "require", "verify-ca", "verify-full"};
    if (tls->mode < 0) return addr_is_loopback(addr) || addr_is_unix(addr) ? "disable" : "verify-full";
    return words[tls->mode];
}

/* Neither the environment nor files of the home directory say anything: see serve.c, which forgets the former. */
static PGconn *begin(const struct probe_pg *p) {
    const struct config_cluster *c = p->cluster;
    const struct config_node *node = p->node;
    const struct addr *addr = p->addr;
    char port[16], options[192], address[ADDR_TEXT_MAX];
    bool is_socket = addr_is_unix(addr);
    snprintf(port, sizeof port, "%u", (unsigned)node->port);
    snprintf(options, sizeof options, "-c search_path=pg_catalog -c statement_timeout=%u%s", c->probe_timeout_ms,
             p->options ? p->options : "");
    const char *const keywords[] = {"host", "hostaddr", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert",
                                    "sslkey", "sslcrl", "channel_binding", "application_name", "options", "passfile", "gssencmode",
                                    "target_session_attrs", "client_encoding", NULL};
    static const char *const binding[] = {"disable", "prefer", "require"};
    const char *const values[] = {
        node->host, is_socket ? "" : addr_host_text(addr, address), port, c->monitor_user,
        c->monitor_password ? c->monitor_password : "", p->database ? p->database : c->monitor_database, ssl_mode(&c->tls, addr),
        authorities(&c->tls), c->tls.cert_file ? c->tls.cert_file : nowhere, c->tls.key_file ? c->tls.key_file : nowhere, nowhere,
            binding[c->channel_binding], "gilmok monitor", options, nowhere, "disable",
            "any",
        "UTF8", NULL};
    return PQconnectStartParams(keywords, values, 0);
}

/* "terminating connection ...": the failure that follows says it. */
static void ignore_notice(void *ctx, const char *message) {
    (void)ctx;
    (void)message;
}

static void connect_anew(struct probe_pg *p) {
    p->is_reused = false;
    p->conn = begin(p);
    if (!p->conn) {
        fail(p, "out of memory");
        return;
    }
    (void)PQsetNoticeProcessor(p->conn, ignore_notice, NULL);
    (void)PQsetErrorVerbosity(p->conn, PQERRORS_VERBOSE);
    if (PQstatus(p->conn) == CONNECTION_BAD) fail(p, PQerrorMessage(p->conn));
    else watch(p, true);
}

void probe_pg_follow(struct probe_pg *p, const struct config_cluster *cluster, const struct config_node *node,
                     const struct addr *addr) {
    if (!addr) probe_pg_reset(p);
    p->cluster = cluster;
    p->node = node;
    p->addr = addr;
}

void probe_pg_start(struct probe_pg *p, const struct config_cluster *cluster, const struct config_node *node,
                    const struct addr *addr) {
    p->cluster = cluster;
    p->node = node;
    p->addr = addr;
    p->is_under_way = true;
    p->is_reused = p->conn != NULL;
    timer_set(&p->deadline, cluster->probe_timeout_ms);
    if (p->conn) ask(p);
    else connect_anew(p);
}
