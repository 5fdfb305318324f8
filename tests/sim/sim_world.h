/*
 * sim_world.h - one seed: one to four workers, a fake server and fake clients on a simulated
 * network, from their start until nothing of them is left.
 */
#ifndef GILMOK_TESTS_SIM_SIM_WORLD_H
#define GILMOK_TESTS_SIM_SIM_WORLD_H

#include "proxy/worker.h"
#include "tests/sim/fake_client.h"
#include "tests/sim/fake_pg.h"

enum { WORLD_CLIENTS_MAX = 12, WORLD_WORKERS_MAX = 4 };

struct world {
    uint64_t seed;
    uint32_t clients_max; /* set by the caller */
    uint32_t steps_max;   /* of a client; set by the caller, or 0: 12 */
    void (*on_started)(struct world *w); /* set by the caller, may be NULL: the clients are about to begin */
    bool is_ruled;        /* set by the caller: rules decide; gilmok knows u0 by a verifier, and u1 only the server does */
    bool is_split;        /* set by the caller, without is_ruled: there is a second node, and reads are split from writes */
    bool has_tls;         /* set by the caller, with is_ruled: all is in TLS, and u0 needs a certificate that maps to it, too */
    bool expects_faults;  /* set by the caller: memory and connections may fail, the server makes no trouble of its own */
    struct loop loop;
    struct net_sim sim;
    struct session_hub hub;
    struct worker workers[WORLD_WORKERS_MAX]; /* all over one loop, as if their threads took turns */
    uint32_t worker_count;
    struct snapshot *snapshot;
    struct fake_pg pg;
    struct client_world clients;
    struct fake_client client[WORLD_CLIENTS_MAX];
    uint32_t client_count;
    struct timer gate; /* the server's listener opens and closes */
    char failure[640]; /* empty: all was right */
};

/* The configuration that all seeds share. False: it cannot be loaded. */
MUST_USE bool world_prepare(void);
void world_finish(void);
/* Runs `w->seed`; `w` is otherwise zero but for what the caller sets. */
void world_run(struct world *w);

#endif
