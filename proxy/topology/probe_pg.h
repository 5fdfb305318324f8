/*
 * probe_pg.h - asks one PostgreSQL server what it is, over a connection that it keeps. Over libpq, without blocking.
 *
 * The monitor's thread owns probes: it starts one, and gets its answer in `on_done`, in time or not at all.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_PROBE_PG_H
#define GILMOK_PROXY_TOPOLOGY_PROBE_PG_H

#include "base/arena.h"
#include "proxy/config.h"
#include "proxy/net/addr.h"
#include "proxy/net/loop_event.h"
#include "proxy/topology/facts.h"


enum probe_result {
    PROBE_ANSWERED,
    PROBE_REFUSED, /* the server is there, but does not let the monitor in, or does not tell it */
    PROBE_FAILED,  /* it does not answer, or is about to begin or to end */
};

/* What it asks. */
enum probe_question { PROBE_FACTS, PROBE_POSITION, PROBE_ROW /* a query of the caller's, that has one row */ };

enum { PROBE_PARAMS_MAX = 7 };

struct probe_pg {
    enum probe_question question;
    struct loop *loop; /* borrowed */
    void *conn;        /* PGconn; NULL: none is open */
    struct loop_watch watch;
    struct timer deadline;
    bool is_under_way;
    bool has_row;
    bool is_reused; /* the connection was there before */
    const struct config_cluster *cluster; /* borrowed, like the next two, as long as the probe is under way */
    const struct config_node *node;
    const struct addr *addr;
    bool is_prepared;
    /* The next five are the caller's, borrowed likewise; the first three are the same as long as the connection is there. */
    const char *database; /* NULL: monitor_database */
    const char *options;  /* "" or more of " -c name=value", short; NULL: none */
    const char *query;    /* of PROBE_ROW, with its parameters */
    const char *params[PROBE_PARAMS_MAX];
    int param_count;
    /* Its row, before on_done; NULL for SQL's. False: it is no such row. */
    bool (*on_row)(struct probe_pg *p, const char *const row[], int columns);
    void (*on_done)(struct probe_pg *p);
    enum probe_result result;  /* in on_done */
    struct node_facts facts;   /* of PROBE_ANSWERED */
    struct node_position position; /* likewise, of PROBE_POSITION */
    struct err err;            /* of the others */
    uint64_t asked_us;         /* when the question was sent: what is told holds since then at least */
};

MUST_USE bool probe_pg_init(struct probe_pg *p, enum probe_question question, struct loop *loop,
                            void (*on_done)(struct probe_pg *p));
void probe_pg_release(struct probe_pg *p);

/* Nothing may be under way. `addr` is where `node` is. on_done follows, perhaps within the call. */
void probe_pg_start(struct probe_pg *p, const struct config_cluster *cluster, const struct config_node *node,
                    const struct addr *addr);
/* What it borrows is gone, and this says the same. `addr` NULL: nobody knows any more where `node` is. */
void probe_pg_follow(struct probe_pg *p, const struct config_cluster *cluster, const struct config_node *node,
                     const struct addr *addr);
/* Gives up what is under way, without a word, and closes the connection: the next one is made anew. */
void probe_pg_reset(struct probe_pg *p);

#endif
