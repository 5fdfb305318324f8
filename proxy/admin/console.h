/*
 * console.h - the database `gilmok`: SHOW and other commands, over the clients' own wire.
 *
 * Every command is one row of a table with the permission that it needs; a command that
 * is in no table does not exist, and a row without a permission cannot be written.
 * admin_users may use all; stats_users only SHOW.
 *
 * What a command shows or changes lies on all workers, and only their own threads may
 * touch it. So a statement is a job that goes from worker to worker by mail, beginning and
 * ending at the client's:
 *
 *      begin (home) - visit (home) - visit (next) - ... - home: end
 *                          ^                                |
 *                          '---- is_pending: again, soon ---'
 *
 * What takes its time (PAUSE waits for transactions to end) is pending on some worker and
 * makes its round again, until it is so on none, or nobody waits for the answer any more.
 */
#ifndef GILMOK_PROXY_ADMIN_CONSOLE_H
#define GILMOK_PROXY_ADMIN_CONSOLE_H

#include "proxy/admin/rows.h"
#include "proxy/control.h"

enum { CONSOLE_ROUND_MS = 50 }; /* between two rounds of a job that is pending */

enum console_permission { CONSOLE_NOBODY, CONSOLE_STATS, CONSOLE_ADMIN };

struct console {
    struct control *control;
    struct console_ops ops;
};

void console_init(struct console *c, struct control *control);

struct console_verb;

/* What a command works with, on one worker after the other. */
struct console_call {
    struct control *control;
    struct worker *worker;
    const struct console_verb *verb;
    const char *argument; /* "" when none was given */
    uint64_t asker;       /* id of the session */
    uint64_t newest;      /* id of the newest session when it was asked */
    uint32_t round;       /* from 0 */
    struct writer *out;   /* complete messages: rows and notices */
    struct map *totals;   /* rows_total(): what is added up over the workers */
    struct err *err;      /* set: the command ends with this error */
    bool is_pending;      /* set by a visit: another round */
};

struct console_verb {
    const char *text;     /* upper case, words separated by one space */
    const char *argument; /* "db", "[db]", ...; in brackets: may be left out; "...": whatever follows; NULL: takes none */
    enum console_permission needs;
    const char *meaning;  /* for SHOW HELP; NULL: not listed there */
    const char *columns;  /* rows.h; NULL: only a tag comes back, the command's first word */
    const char *value;    /* the single row of a command with one column that always says the same */
    void (*begin)(struct console_call *call); /* at home */
    void (*visit)(struct console_call *call); /* on each worker, home first */
    void (*end)(struct console_call *call);   /* at home again */
    enum control_verb control; /* carried out by the control thread instead */
    bool is_node_order;        /* ... with all words behind the command's own as an order of node_verb */
    enum node_verb node_verb;
    bool ends_session;
};

struct console_table {
    const struct console_verb *verbs;
    size_t count;
};

#define CONSOLE_TABLE(list) {list, COUNT_OF(list)}

/* A row for call->verb's columns. */
static inline struct row console_row(struct console_call *call) {
    struct row r;
    row_begin(&r, call->out, call->verb->columns);
    return r;
}

static inline const struct config *console_config(const struct console_call *call) {
    return call->worker->snapshot->config;
}

static inline uint64_t console_age_us(const struct console_call *call, uint64_t since_us) {
    return call->worker->loop->now_us - since_us;
}

/* One for each file of commands. */
extern const struct console_table show_pools_table, show_clients_table, show_stats_table, show_config_table, show_hba_table,
    show_memory_table, show_nodes_table, show_routes_table, verbs_table, prelude_table, node_verbs_table;

#endif
