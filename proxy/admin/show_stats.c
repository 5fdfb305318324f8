/*
 * SHOW STATS, STATS_TOTALS, STATS_AVERAGES, TOTALS. Totals are since the start; averages
 * are over the last whole stats_period: counts a second, times for each one (per
 * transaction, per query, per wait). Zero before the first period has ended.
 */
#include <stdio.h>

#include "proxy/admin/console.h"

/* One database, or all of them. The period's length is the longest of all workers'. */
struct stats_total {
    struct pool_stats all, period;
    uint64_t period_us;
};

static void add(struct console_call *call, struct stats_total *t, const struct pool *p) {
    uint64_t period_us = call->worker->pools.last_period_us;
    pool_stats_add(&t->all, &p->stats);
    pool_stats_add(&t->period, &p->stats_of_period);
    if (period_us > t->period_us) t->period_us = period_us;
}

static void visit_databases(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        struct stats_total *t = rows_total(call->totals, p->database, "", sizeof *t);
        if (t) add(call, t, p);
    }
}

static void visit_all(struct console_call *call) {
    struct stats_total *t = rows_total(call->totals, "", "", sizeof *t);
    if (!t) return;
    LIST_EACH(n, &call->worker->pools.all) add(call, t, CONTAINER_OF(n, struct pool, node));
}

enum { NUMBERS = 12 };

/* In the order of the columns. */
static void totals_of(const struct stats_total *t, uint64_t out[NUMBERS]) {
    const struct pool_stats *s = &t->all;
    const uint64_t numbers[NUMBERS] = {s->assignments, s->transactions, s->queries,        s->received,
                                       s->sent,        s->transaction_us, s->query_us,     s->wait_us,
                                       s->client_parses, s->server_parses, s->binds,       s->logins};
    memcpy(out, numbers, sizeof numbers);
}

static uint64_t ratio(uint64_t sum, uint64_t count) {
    return count ? sum / count : 0;
}

static uint64_t per_second(uint64_t count, uint64_t period_us) {
    return period_us ? (uint64_t)((double)count * 1e6 / (double)period_us) : 0;
}

static void averages_of(const struct stats_total *t, uint64_t out[NUMBERS]) {
    const struct pool_stats *s = &t->period;
    const uint64_t counts[NUMBERS] = {s->assignments, s->transactions, s->queries,         s->received, s->sent, 0, 0, 0,
                                      s->client_parses, s->server_parses, s->binds,        s->logins};
    for (int i = 0; i < NUMBERS; i++) out[i] = per_second(counts[i], t->period_us);
    if (!t->period_us) return;
    out[5] = ratio(s->transaction_us, s->transactions);
    out[6] = ratio(s->query_us, s->queries);
    out[7] = ratio(s->wait_us, s->assignments);
}

static void put_cells(struct row *r, const uint64_t numbers[NUMBERS]) {
    for (int i = 0; i < NUMBERS; i++) row_number(r, numbers[i]);
}

static void put_stats(void *ctx, const char *database, const char *second, void *total) {
    uint64_t totals[NUMBERS], averages[NUMBERS];
    struct row r = console_row(ctx);
    (void)second;
    totals_of(total, totals);
    averages_of(total, averages);
    row_text(&r, database);
    put_cells(&r, totals);
    put_cells(&r, averages);
    row_number(&r, totals[2]);
    row_end(&r);
}

static void put_totals(void *ctx, const char *database, const char *second, void *total) {
    uint64_t numbers[NUMBERS];
    struct row r = console_row(ctx);
    (void)second;
    totals_of(total, numbers);
    row_text(&r, database);
    put_cells(&r, numbers);
    row_end(&r);
}

static void put_averages(void *ctx, const char *database, const char *second, void *total) {
    uint64_t numbers[NUMBERS];
    struct row r = console_row(ctx);
    (void)second;
    averages_of(total, numbers);
    row_text(&r, database);
    put_cells(&r, numbers);
    row_end(&r);
}

static void end_stats(struct console_call *call) {
    rows_each_total(call->totals, put_stats, call);
}

static void end_totals(struct console_call *call) {
    rows_each_total(call->totals, put_totals, call);
}

static void end_averages(struct console_call *call) {
    rows_each_total(call->totals, put_averages, call);
}

static void put_named(struct console_call *call, const char *prefix, const uint64_t numbers[NUMBERS]) {
    static const char *const names[NUMBERS] = {"server_assignment_count", "xact_count", "query_count", "client_bytes",
                                               "server_bytes", "xact_time", "query_time", "wait_time",
                                               "ps_client_parse_count", "ps_server_parse_count", "ps_bind_count",
                                               "client_login_count"};
    for (int i = 0; i < NUMBERS; i++) {
        char name[64];
        struct row r = console_row(call);
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        row_text(&r, name);
        row_number(&r, numbers[i]);
        row_end(&r);
    }
}

static void end_all(struct console_call *call) {
    const struct stats_total *t = rows_total(call->totals, "", "", sizeof *t);
    uint64_t numbers[NUMBERS];
    if (!t) return;
    totals_of(t, numbers);
    put_named(call, "total_", numbers);
    averages_of(t, numbers);
    put_named(call, "avg_", numbers);
}

/* Debian's exporter asks for total_requests, which is what total_query_count was called once. */
static const struct console_verb verbs[] = {
    {"SHOW STATS", NULL, CONSOLE_STATS, "totals and averages of each database; times in microseconds",
     .columns = "database #total_server_assignment_count #total_xact_count #total_query_count #total_received #total_sent "
                "#total_xact_time #total_query_time #total_wait_time #total_client_parse_count #total_server_parse_count "
                "#total_bind_count #total_client_login_count #avg_server_assignment_count #avg_xact_count #avg_query_count "
                "#avg_recv #avg_sent #avg_xact_time #avg_query_time #avg_wait_time #avg_client_parse_count "
                "#avg_server_parse_count #avg_bind_count #avg_client_login_count #total_requests",
     .visit = visit_databases, .end = end_stats},
    {"SHOW STATS_TOTALS", NULL, CONSOLE_STATS, "the totals alone",
     .columns = "database #server_assignment_count #xact_count #query_count #bytes_received #bytes_sent #xact_time #query_time "
                "#wait_time #client_parse_count #server_parse_count #bind_count #client_login_count",
     .visit = visit_databases, .end = end_totals},
    {"SHOW STATS_AVERAGES", NULL, CONSOLE_STATS, "the averages alone",
     .columns = "database #server_assignment_count #xact_count #query_count #bytes_received #bytes_sent #xact_time #query_time "
                "#wait_time #avg_client_parse_count #avg_server_parse_count #avg_bind_count #avg_client_login_count",
     .visit = visit_databases, .end = end_averages},
    {"SHOW TOTALS", NULL, CONSOLE_STATS, "totals and averages over all databases", .columns = "name #value", .visit = visit_all,
     .end = end_all},
};

const struct console_table show_stats_table = CONSOLE_TABLE(verbs);
