/*
 * SHOW ROUTES: where the exchanges of databases with read_write_split went, and why those on the primary are there.
 */
#include "proxy/admin/console.h"

static void visit_routes(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (!p->routes || !p->limits.read_write_split) continue;
        struct route_stats *t = rows_total(call->totals, p->database, "", sizeof *t);
        if (t) route_stats_add(t, p->routes);
    }
}

static void put_routes(void *ctx, const char *database, const char *second, void *total) {
    const struct route_stats *t = total;
    (void)second;
    for (size_t i = 0; i < ROUTE_REASON_COUNT; i++) {
        if (!t->exchanges[i] && i != ROUTE_READS) continue;
        struct row r = console_row(ctx);
        char word[ROUTE_WORD_MAX];
        row_text(&r, database);
        row_text(&r, i == ROUTE_READS ? "replica" : "primary");
        row_text(&r, route_reason_word((enum route_reason)i, word));
        row_number(&r, t->exchanges[i]);
        row_text(&r, route_reason_text((enum route_reason)i));
        row_end(&r);
    }
}

static void end_routes(struct console_call *call) {
    rows_each_total(call->totals, put_routes, call);
}

static const struct console_verb verbs[] = {
    {"SHOW ROUTES", NULL, CONSOLE_STATS, "reads on replicas, what stayed on the primary, and why",
     .columns = "database route reason #exchanges meaning", .visit = visit_routes, .end = end_routes},
};

const struct console_table show_routes_table = CONSOLE_TABLE(verbs);
