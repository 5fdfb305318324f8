/*
 * console.h - the database `gilmok`: SHOW and a few verbs, over the clients' own wire.
 *
 * Every verb is one row of a table with the permission that it needs; a verb that is
 * not in the table does not exist, and a row without a permission cannot be written.
 * admin_users may use all; stats_users only SHOW.
 *
 * What SHOW shows lies on all workers, and only their own threads may look at it. So a
 * statement is a job that goes from worker to worker by mail, beginning and ending at
 * the client's, and takes down on each what there is to tell.
 */
#ifndef GILMOK_PROXY_ADMIN_CONSOLE_H
#define GILMOK_PROXY_ADMIN_CONSOLE_H

#include "proxy/control.h"

enum console_permission { CONSOLE_STATS = 1, CONSOLE_ADMIN };

struct console {
    struct control *control;
    struct console_ops ops;
};

void console_init(struct console *c, struct control *control);

/* What a verb works with, on one worker after the other. */
struct console_call {
    struct control *control;
    struct worker *worker;
    struct writer *out; /* complete messages, without the last ReadyForQuery */
    struct map *totals; /* what is added up over the workers: the verb's own, freed by mem_free */
};

struct console_verb {
    const char *text; /* upper case, words separated by one space */
    enum console_permission needs;
    const char *meaning; /* for SHOW HELP */
    const char *const *columns;
    int column_count;
    void (*visit)(struct console_call *call); /* on each worker; NULL: nothing to gather */
    void (*end)(struct console_call *call);   /* at home again; may be NULL */
};

/* show.c */
extern const struct console_verb show_verbs[];
extern const size_t show_verb_count;

#endif
