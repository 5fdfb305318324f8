/*
 * settle.c - lets psql wait, before a statement that may read, until gilmok knows the catalog again; preloaded into it.
 *
 * While gilmok reads the catalog, which it does after each CREATE, ALTER and DROP, everything stays on the primary: of the
 * regression suite, which hardly does anything else, next to nothing would be read at a standby. EXPLAIN (ROUTE), which gilmok
 * answers itself, says whether it is so. It is asked outside of transactions only, for at most SETTLE_MS; then the statement goes
 * its way. What psql sends and gets is not changed.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { SETTLE_MS = 3000, STEP_MS = 2 };

/* The reason in front of all others. */
static const char unknown[] = "primary\tit is not known yet, or not any more, what the names of the database stand for";
static bool is_asking; /* libpq may call itself by way of us */

static bool may_read(const char *query) {
    static const char *const words[] = {"select", "values", "table", "with", "explain", "copy", "begin", "start"};
    while (isspace((unsigned char)*query) || *query == '(') query++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncasecmp(query, words[i], strlen(words[i])) == 0) return true;
    return false;
}

static bool is_settled(PGconn *conn) {
    PGresult *(*exec)(PGconn *, const char *);
    *(void **)&exec = dlsym(RTLD_NEXT, "PQexec");
    PGresult *res = exec(conn, "EXPLAIN (ROUTE) SELECT 1");
    bool is_waited_for = PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1 &&
                         strncmp(PQgetvalue(res, 0, 0), unknown, sizeof unknown - 1) == 0;
    PQclear(res);
    return !is_waited_for;
}

static void settle(PGconn *conn, const char *query) {
    if (is_asking || PQtransactionStatus(conn) != PQTRANS_IDLE || PQpipelineStatus(conn) != PQ_PIPELINE_OFF || !may_read(query)) return;
    is_asking = true;
    for (int ms = 0; ms < SETTLE_MS && !is_settled(conn); ms += STEP_MS) usleep(STEP_MS * 1000);
    is_asking = false;
}

int PQsendQuery(PGconn *conn, const char *query) {
    int (*real)(PGconn *, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "PQsendQuery");
    settle(conn, query);
    return real(conn, query);
}

PGresult *PQexec(PGconn *conn, const char *query) {
    PGresult *(*real)(PGconn *, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "PQexec");
    settle(conn, query);
    return real(conn, query);
}
