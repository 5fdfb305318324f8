/*
 * held.c - tells isolationtester who waits for whom when a proxy stands before the server; preloaded into it.
 *
 * isolationtester asks the server whether the process that it was told at login waits for a lock. A proxy that shares
 * server connections tells numbers of its own there, and the process behind a client changes. So that question is asked
 * here, past the proxy, about the processes that the clients hold at that moment: the proxy's console says which (`link`
 * in SHOW CLIENTS, `remote_pid` in SHOW SERVERS), and clients are known by their application_name, which isolationtester
 * makes different. A client that holds none is not blocked, and blocks nobody.
 *
 * HELD_CONSOLE and HELD_SERVER are the conninfos of the console and of the server.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS_MAX = 32, PID_TEXT = 16 };

static PGconn *sessions[SESSIONS_MAX]; /* borrowed from isolationtester; the first is its control connection */
static int session_count;
static PGconn *console, *server; /* our own, until the program ends */

static void give_up(const char *what, PGconn *conn) {
    fprintf(stderr, "held.so: %s: %s", what, PQerrorMessage(conn));
    exit(1);
}

static PGconn *(*real_connect(void))(const char *) {
    return (PGconn * (*)(const char *)) dlsym(RTLD_NEXT, "PQconnectdb");
}

PGconn *PQconnectdb(const char *conninfo) {
    PGconn *conn = real_connect()(conninfo);
    if (session_count < SESSIONS_MAX) sessions[session_count++] = conn;
    return conn;
}

static PGconn *own_connection(const char *variable) {
    const char *conninfo = getenv(variable);
    PGconn *conn = real_connect()(conninfo ? conninfo : "");
    if (PQstatus(conn) != CONNECTION_OK) give_up(variable, conn);
    return conn;
}

static PGresult *show(const char *what) {
    PGresult *res = PQexec(console, what);
    if (PQresultStatus(res) != PGRES_TUPLES_OK) give_up(what, console);
    return res;
}

/* The value of column `wanted` in the row whose column `known` is `value`, or NULL. */
static const char *look_up(PGresult *table, const char *known, const char *value, const char *wanted) {
    int from = PQfnumber(table, known), to = PQfnumber(table, wanted);
    for (int i = 0; i < PQntuples(table); i++) {
        if (strcmp(PQgetvalue(table, i, from), value) == 0) return PQgetvalue(table, i, to);
    }
    return NULL;
}

/* The server process that each session holds, as text; empty for none. What a server connection's process is never changes, so
 * that only `clients` speaks of a moment. */
static void read_held(char held[SESSIONS_MAX][PID_TEXT]) {
    PGresult *clients = show("SHOW CLIENTS"), *servers = show("SHOW SERVERS");
    for (int i = 0; i < session_count; i++) {
        const char *name = PQparameterStatus(sessions[i], "application_name");
        const char *link = name ? look_up(clients, "application_name", name, "link") : NULL;
        const char *pid = link && *link ? look_up(servers, "ptr", link, "remote_pid") : NULL;
        snprintf(held[i], PID_TEXT, "%s", pid ? pid : "");
    }
    PQclear(clients);
    PQclear(servers);
}

/* The answer to isolationtester's question about the session that was told `told`. */
static PGresult *ask_who_waits(const char *told) {
    char held[SESSIONS_MAX][PID_TEXT], all[SESSIONS_MAX * PID_TEXT];
    const char *asked = "0";
    size_t len = 0;
    if (!console) console = own_connection("HELD_CONSOLE");
    if (!server) server = own_connection("HELD_SERVER");
    read_held(held);
    for (int i = 1; i < session_count; i++) {
        if (PQbackendPID(sessions[i]) == atoi(told) && *held[i]) asked = held[i];
        if (!*held[i]) continue;
        len += (size_t)snprintf(all + len, sizeof all - len, "%c%s", len ? ',' : '{', held[i]);
    }
    snprintf(all + len, sizeof all - len, len ? "}" : "{}");
    const char *values[] = {asked, all};
    return PQexecParams(server, "SELECT pg_catalog.pg_isolation_test_session_is_blocked($1, $2)", 2, NULL, values, NULL, NULL, 0);
}

PGresult *PQexecPrepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lengths,
                         const int *formats, int result_format) {
    PGresult *(*real)(PGconn *, const char *, int, const char *const *, const int *, const int *, int);
    if (strcmp(name, "isolationtester_waiting") == 0) return ask_who_waits(values[0]);
    *(void **)&real = dlsym(RTLD_NEXT, "PQexecPrepared");
    return real(conn, name, count, values, lengths, formats, result_format);
}
