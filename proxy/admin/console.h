/*
 * console.h - the database `gilmok`: SHOW and a few verbs, over the clients' own wire.
 *
 * Every verb is one row of a table with the permission that it needs; a verb that is
 * not in the table does not exist, and a row without a permission cannot be written.
 * admin_users may use all; stats_users only SHOW.
 */
#ifndef GILMOK_PROXY_ADMIN_CONSOLE_H
#define GILMOK_PROXY_ADMIN_CONSOLE_H

#include "proxy/worker.h"

enum console_permission { CONSOLE_STATS = 1, CONSOLE_ADMIN };

struct console {
    struct worker *worker;
    struct console_ops ops;
};

void console_init(struct console *c, struct worker *w);

/* What a verb works with. */
struct console_call {
    struct worker *worker;
    struct session *session;
    struct writer *out; /* complete messages, without the last ReadyForQuery */
    bool ends_session;
};

struct console_verb {
    const char *text; /* upper case, words separated by one space */
    enum console_permission needs;
    const char *meaning; /* for SHOW HELP */
    void (*run)(struct console_call *call);
};

/* show.c */
extern const struct console_verb show_verbs[];
extern const size_t show_verb_count;

#endif
