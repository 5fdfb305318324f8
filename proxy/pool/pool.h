/*
 * pool.h - which server connection serves whom.
 *
 *      pool_set (one per worker)
 *        '- pool: one (database, user) pair; its size is the limit for all variants together
 *             '- variant: connections with the same startup parameters
 *                  '- backends: opening, idle, busy; and the lessees that wait, in order
 *
 * Startup parameters that cannot be set later (startup_pg.h) are part of what makes two server
 * connections different, and so are all where a client keeps its connection: hence
 * variants. When a variant needs a connection and the pool is full, the
 * longest-idle connection of another variant is closed for it.
 *
 * WAITING. First come, first served within a variant. Between variants a waiter
 * that is older by VARIANT_PATIENCE_MS than the head of the others is served
 * first, by closing a connection of theirs.
 *
 * PAUSE. While a pool is paused nobody is leased a connection; who holds one keeps it to
 * the end of its lease. Waiting does not count against queue_timeout: that clock begins
 * anew when the pool goes on.
 *
 * FAILURE. When a connect or login fails and the pool has no connection left, all
 * its waiters are refused at once with that error, and so is everybody who asks
 * within login_retry. A parameter that the server refuses fails its variant only.
 */
#ifndef GILMOK_PROXY_POOL_POOL_H
#define GILMOK_PROXY_POOL_POOL_H

#include "base/map.h"
#include "proxy/auth/scram.h"
#include "proxy/config.h"
#include "proxy/topology/addr_book.h"
#include "proxy/pool/site.h"
#include "proxy/pool/backend.h"
#include "proxy/pool/gate.h"
#include "proxy/pool/pool_stats.h"
#include "proxy/pool/route_stats.h"
#include "proxy/pool/share.h"
#include "proxy/pool/startup_pg.h"
#include "proxy/pool/subscribers.h"
#include "proxy/pool/tls_book.h"

enum { CHECK_HOLDS_MS = 1000, VARIANT_PATIENCE_MS = 100, LEARNING_PATIENCE_MS = 50, VARIANT_KEY_MAX = 8192 };

/* A short errand of a protocol beside the pooled connections (a cancel request), so that it can be ended with the pools. */
struct pool_errand {
    struct list node; /* in pool_set.errands */
    void (*abandon)(struct pool_errand *e);
};

struct pool_set {
    struct loop *loop;
    const struct tls_book *tls;   /* likewise; NULL: everything in clear */
    const struct addr_book *book; /* of the configuration in force; borrowed */
    struct map pools; /* "database\0user" -> struct pool, owned */
    struct list all;
    uint64_t last_backend_id;
    uint64_t backend_id_step; /* so that no two workers give the same */
    struct gate_book *gates;  /* borrowed; NULL: nothing is ever paused */
    uint64_t period_us;       /* of statistics (stats_period) */
    uint64_t period_number;
    uint64_t period_began_us; /* 0: no whole one has begun */
    uint64_t last_period_us;  /* length of the last whole one; 0: there was none yet */
    struct tcp_options tcp;
    struct list errands; /* struct pool_errand */
    struct list departed; /* connections whose lessee has left too soon (departed.h), oldest first */
    struct budget_book *budget_book; /* caps over all workers; NULL: none. Borrowed */
    bool is_closing; /* nothing is opened any more */
    /* A pool waits for a place: somebody should close an idle connection. May be NULL. */
    void (*on_claim)(struct pool_set *set, const struct budget_list *wants);
    void (*on_waiting)(struct pool_set *set); /* somebody began to wait for a pool that other workers share; may be NULL */
    struct list subscribers; /* struct subscribers, owned */
    struct map catalogs;   /* struct catalog_entry, owned (catalog_book.h) */
    uint64_t last_catalog_version;
    struct topology *topology; /* borrowed; NULL: every cluster has one node */
    uint64_t random; /* of no importance to anybody's safety; 0: not begun */
    struct exported_book *exported; /* of the process (exported.h); borrowed; NULL: nobody remembers */
    struct catalog_changes *catalog_changes; /* of the process (catalog_change.h); borrowed; NULL: nothing ever changes them */
    struct map statements; /* texts of prepared statements, shared by clients and connections (statement_pg.h) */
    struct list dead;  /* closed backends, freed by `bury` once no caller can hold them */
    struct task bury;
};

/* What a connection needs; owned copies, replaced on reload. */
struct pool_server {
    char *database;
    char *user;
    enum server_auth auth;
    enum channel_binding channel_binding;
    char *password; /* or an md5 verifier; secret; NULL: the server must ask for none */
    struct scram_keys scram_keys;
    struct my_auth_keys my_keys; /* likewise, of MySQL's clients */
    char cluster[64]; /* its name; a longer one is cut */
    char name[ADDR_TEXT_MAX + 64]; /* "a 127.0.0.1:5432", or "main/replica" where it goes to several; for the log */
};

/* From the configuration. */
struct pool_limits {
    uint32_t size;         /* of the part that is here */
    uint32_t reserve_size; /* more connections, for when the first in line has waited for reserve_timeout_ms */
    uint32_t min_size;     /* kept open once the pool is in use */
    uint32_t reserve_timeout_ms;
    uint32_t max_variants;
    uint32_t max_prepared_statements; /* on one connection */
    uint32_t connect_timeout_ms;
    uint32_t login_retry_ms;
    uint32_t failover_wait_ms; /* where it is elective */
    uint32_t stall_ms;         /* likewise */
    uint32_t queue_timeout_ms;
    uint32_t query_timeout_ms;
    uint32_t transaction_timeout_ms;
    uint32_t idle_transaction_timeout_ms;
    uint32_t server_idle_timeout_ms;
    uint32_t server_lifetime_ms;
    uint32_t server_check_delay_ms;
    bool app_name_add_host;
    uint32_t catalog_refresh_ms;
    enum unknown_effects unknown_effects;
    enum session_sequences session_sequences;
    enum listen_mode listen;
    enum read_consistency read_consistency;
    uint32_t consistency_timeout_ms;
    bool holds_begin;      /* a client's BEGIN waits for the statement behind it */
    enum read_balance balance;
    uint32_t slow_start_ms;
    uint32_t primary_share; /* per cent */
    bool is_sticky;         /* pool_sticky.c */
    bool read_write_split; /* false where the configuration says so, but it changes nothing */
    bool session_reuse;  /* session mode: false, and a connection is closed behind its client */
    bool is_round_robin; /* idle connections are handed out longest idle first */
};

/* A connection that a pool's clients use together, beside those that they lease (ear_pg.h). */
struct pool_ear {
    void (*on_tick)(struct pool_ear *e);
    void (*lose)(struct pool_ear *e, const struct err *err); /* ends it, and with it whoever uses it */
};

/* Places under caps that several pools share (budget.h). */
struct pool_places {
    struct budget_list budgets; /* that its connections count in */
    struct budget_claim claim;  /* for a place in them */
    uint32_t granted;           /* places that are held for connections about to be opened */
};

struct pool {
    struct list node; /* in pool_set.all */
    struct pool_set *set;
    char *database;   /* the client's name for it; owned */
    char *user;       /* owned */
    const struct backend_proto *proto;
    enum pool_mode mode;
    struct share_group *group; /* NULL: the pool is all here */
    struct share *share;       /* this worker's part of it */

    struct pool_server server;
    struct catalog_entry *catalog; /* of its database; NULL: not asked for yet. Borrowed from the set */
    struct pool_limits limits;
    char *read_functions, *write_functions; /* lists for routing/classify.h; owned copies, replaced on reload */
    struct pool_places places;

    struct list sites; /* struct site; one, but where it is spread */
    struct list variants;
    uint32_t variant_count;
    struct list startups; /* struct startup_pg: sets of startup parameters that were judged */
    uint32_t total;  /* backends in any state but CLOSED */
    uint32_t ready;  /* of them logged in */
    uint32_t clients; /* sessions of this pair, logged in */
    uint64_t failed_us; /* last failed connect, 0 = none since the last success */
    bool has_just_failed; /* who waits now is refused, whatever login_retry says */
    struct err failure;
    struct pool_ear *ear; /* NULL: there is none */
    bool is_paused;   /* nobody is leased a connection (gate.h) */
    bool is_elective;   /* where it goes depends on the state of several nodes (pool_sites.c) */
    bool is_spread;     /* ... and it goes to more than one */
    bool is_leaderless; /* there is nowhere to go now: nobody is leased a connection, and none is opened */
    bool has_doubts;    /* some of its nodes owe answers and say nothing (pool_silent.c) */
    bool is_contested;  /* ... because several nodes could be it: leases of it are cut */
    uint64_t lonely_since_us; /* nowhere to go, or no connection to be had there; 0: there is */
    struct err nowhere; /* why */
    enum pool_role role;
    uint64_t looked_us; /* when it last looked at its nodes, where it is spread */
    uint32_t max_replica_lag_ms;
    uint64_t split_since_us; /* what was written before that nobody has noted; 0: there is no split */
    struct pool *reads; /* the pool for texts that only read, where the database has a split; NULL: not asked for yet */
    struct pool *main;  /* of such a pool: the one that it is a part of; else NULL */
    char *copy_node;    /* of such a pool: it goes to this subscriber alone; owned; NULL: to replicas */
    uint64_t copy_id;   /* ... whose tables are these (config_copy_id()); 0: it is none now */
    const struct subscribers *subscribers; /* of a pool that splits: whom its reads may go to besides; borrowed; NULL: nobody */
    bool is_off;        /* of such a pool: the configuration has no split any more, or there is no replica by it */
    struct site *opens_at; /* it is to have a connection; NULL: none is in want of one. In `sites` */
    bool uses_currval; /* somebody has read currval() or lastval() */
    uint32_t sequence_doubts; /* how often it was thought that somebody might */
    bool is_emptying; /* no connection stays open that nobody leases */
    uint64_t vacant_until_us; /* until then none is opened to have a minimum of them (vacate.h) */
    struct pool_stats stats;
    struct pool_stats stats_at_mark; /* when the period under way began */
    struct pool_stats stats_of_period; /* the last whole one */
    struct route_stats *routes; /* owned; NULL: it has never had a read_write_split, or memory is out, and nothing is counted */
    struct task dispatch; /* serves waiters outside of callbacks */
};

struct variant {
    struct list node; /* in pool.variants */
    struct pool *pool;
    struct bytes key; /* startup parameters "name\0value\0"..., sorted; owned */
    struct list idle; /* most recently used first */
    struct list busy; /* leased, checking, cleaning */
    struct list opening;
    struct list waiting; /* struct lessee, oldest first */
    uint32_t idle_count, busy_count, opening_count, waiting_count;
    uint32_t sessions; /* clients that use it */
    uint32_t readers;  /* of a pool for reads: clients that may use it, besides their own variant */
    uint64_t last_used_us;
    bool is_single_use; /* its connections serve one client each and are closed after it (replication) */
    bool is_judging;  /* its first connection is to tell whether clients need it at all (startup_pg.h): one is enough */
    bool is_spent;    /* they do not, or the server refuses it: it goes when nobody uses it */
    bool is_failed;   /* the server refused its parameters: `failure` */
    struct err failure;
    void *baseline;   /* the protocol's picture of a fresh connection (struct params_pg), owned; NULL until the first login */
    void (*release_baseline)(void *baseline);
};

void pool_set_init(struct pool_set *set, struct loop *loop);
/* Closes everything. Sessions must be gone. */
void pool_set_release(struct pool_set *set);

/*
 * Found or made from the configuration; `index` is this worker's share in `group`, which
 * may be NULL: then the whole pool is here. NULL: err says why. `user_password` may be NULL.
 */
struct pool *pool_get(struct pool_set *set, const struct backend_proto *proto, const struct config *c,
                      const struct config_database *db, struct bytes database, struct bytes user,
                      const char *user_password, struct share_group *group, uint32_t index, struct err *err);
/*
 * The part of a pool that goes to replicas alone, found or made: for texts that only read (`read_write_split`). It has the
 * same users, as many connections again, and no clients of its own. Whoever may not be served by it now asks the pool itself.
 */
struct pool *pool_reads_get(struct pool *main, const struct config *c, const struct config_database *db, const char *user_password,
                            struct err *err);
/* The same, of a pool that goes to the subscriber of that number in main->subscribers. */
struct pool *pool_copies_get(struct pool *main, uint32_t number, const struct config *c, const struct config_database *db,
                             const char *user_password, struct err *err);
/* What its nodes weigh that can be used. */
uint32_t pool_reads_weight(const struct pool *reads);
/* Less than `below`, by chance. */
uint32_t pool_draw(struct pool *p, uint32_t below);
/* The keys that clients have proved are good for all of it. */
void pool_share_keys(const struct pool *main);
/* Such a pool, or NULL: whoever asks for a connection now will get one, sooner or later, as far as is known. */
bool pool_serves_reads(const struct pool *reads);
/*
 * Of a pool for reads: some replica that will do for `l` shows all that was acknowledged by `needs_us`. If not, somebody will look
 * whether that is still so, soon.
 */
bool pool_is_fresh(const struct pool *reads, const struct lessee *l, uint64_t needs_us);
/* Which of its nodes can be used, as of now, and not as of the last tick: for who has just lost one. */
void pool_look_again(struct pool *reads);
/* Of a pool for reads: the node of this name, for lessee.only. 0: it is none of its nodes, or gets no reads now. */
uint64_t pool_find_open(const struct pool *reads, struct bytes name);
/* A read that could go to a replica is one of those that the primary is to serve (primary_share). */
bool pool_draws_primary(struct pool *main, const struct lessee *l);
/*
 * Of a pool for reads: as of when a replica must be fresh for `l`, whose read must find what was written by `needs_us` (0: none of
 * it in particular), and show no less than its client has seen, where reads are sticky. Sets l->needs_us.
 */
uint64_t pool_wants_us(const struct pool *reads, struct lessee *l, uint64_t needs_us);
/* After a reload: new limits and credentials; connections to another server or user are retired. False: the database is gone. */
bool pool_reconfigure(struct pool *p, const struct config *c);

/* The variant with these startup parameters. NULL: too many; err. */
struct variant *variant_get(struct pool *p, struct bytes key, struct err *err);

/*
 * A connection for `l`: at once (returned, state LEASED), or NULL; then either
 * on_leased or on_refused follows from a task, never inside the call.
 */
struct backend *pool_acquire(struct variant *v, struct lessee *l);
/*
 * The same of a pool for reads, for who needs a fresh replica: he stands in line only where all that can be used are fresh. NULL,
 * and !*waits: there is none for him now.
 */
struct backend *pool_acquire_fresh(struct variant *v, struct lessee *l, bool *waits);
void pool_cancel_wait(struct lessee *l);
/*
 * The lease is over. A connection that owes its lessee nothing is cleaned when tainted
 * and reused; one that owes it little is waited for (departed.h); any other is closed.
 */
void pool_release(struct lessee *l);
/* The lease goes on for `to`, who has none. Nothing is owed, no transaction is open, no cancel request is under way. */
void pool_hand_over(struct lessee *from, struct lessee *to);
/* A cancel request for `b` (which may be closed by now) has ended. */
void pool_on_cancel_done(struct backend *b);
bool pool_has_waiters(const struct variant *v);
/* Closes the connection on this worker that is idle for longest of those that would make room. False: there is none. */
bool pool_set_evict(struct pool_set *set, const struct budget_list *wants);
/* What was asked of it at `since_us`, or when it was leased later, is answered: where a pool has several nodes, that says how fast
 * this one is. */
void pool_note_answer(struct backend *b, uint64_t since_us);
/* From now on nothing is opened, and no claim is open. */
void pool_set_stop_claims(struct pool_set *set);
/* A pool learns what is in set->gates: when it is paused its connections close as they become free. */
void pool_obey_gates(struct pool *p);
void pool_set_obey_gates(struct pool_set *set);
/* On every tick: when a period of statistics is over the next one begins. */
void pool_set_end_period(struct pool_set *set);
/* After topology_version() has risen: pools whose primary is another node go there, and leases of the old one end. */
void pool_set_follow(struct pool_set *set, const struct config *c);
/* Every connection closes as soon as nobody leases it; new ones can be made at once. */
void pool_retire(struct pool *p);
/* Tells the other workers how this share is doing. */
void pool_publish(struct pool *p);

/* Called about ten times a second: timeouts, idle and lifetime limits, retries. */
void pool_set_tick(struct pool_set *set);

/* For pool_set.c: serves waiters; soon, from a task. */
void pool_dispatch(struct task *t);
void pool_want_dispatch(struct pool *p);

/* For backend.c. */
void pool_on_backend_ready(struct backend *b);
void pool_on_backend_clean(struct backend *b);
/* `is_parameter_error`: the server refused the startup parameters, which is the variant's fault alone. */
void pool_on_backend_gone(struct backend *b, const struct err *err, bool was_opening, bool is_parameter_error);

#endif
