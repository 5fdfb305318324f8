/*
 * topology.h - what gilmok knows of the nodes behind it, for all threads.
 *
 *      monitor thread --- probes, decides ---> topology <--- asks --- workers (whom do connections go to?)
 *                     <-- "could not connect" (suspect) ---      <--- asks --- console (SHOW NODES, SHOW CLUSTERS)
 *
 * It outlives configurations: clusters and nodes go by their names. Behind a lock, which is taken when a pool is made or told to
 * look again, and by the console; never for a query. `version` says without the lock whether some cluster has another primary
 * than before.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_TOPOLOGY_H
#define GILMOK_PROXY_TOPOLOGY_TOPOLOGY_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "proxy/topology/elect.h"
#include "proxy/topology/facts.h"
#include "proxy/topology/health.h"

enum { TOPOLOGY_WANTED_US = 5000 /* it is said no more often */ };
enum { TOPOLOGY_NAME_MAX = 64 /* longer than any section's name */, TOPOLOGY_ADDRESS_MAX = 288 };

enum node_role {
    NODE_ROLE_UNKNOWN,
    NODE_PRIMARY,
    NODE_REPLICA,
    NODE_STRAY,     /* can be written to, but is not the primary */
    NODE_FOREIGN,   /* of another cluster */
    NODE_DUPLICATE, /* the same server as another node */
    NODE_SUBSCRIBER, /* a server of its own, with copies of some tables */
};
const char *node_role_name(enum node_role role);

/* One node, as it was at its latest probe. */
struct topology_node {
    char name[TOPOLOGY_NAME_MAX];
    enum node_health health;
    char address[TOPOLOGY_ADDRESS_MAX]; /* host and port as configured */
    uint64_t health_since_us;
    enum node_role role;
    bool has_facts;
    struct node_facts facts; /* of the latest answer */
    uint64_t facts_us;       /* when it was asked for them */
    uint64_t lag_bytes;      /* of a replica */
    int64_t lag_ms;          /* -1: not known */
    char sync_state[16];     /* as its upstream says; "": not known */
    uint64_t probes, failures; /* since the node is watched */
    uint64_t copy_id;          /* of a subscriber: config_copy_id() of what the next two are about */
    bool is_copy;              /* it has all rows of its tables, as of some time (feed_pg.h) */
    char feed_trouble[ERR_MESSAGE_MAX]; /* why not; "" while it is, or nobody has asked yet */
    char trouble[ERR_MESSAGE_MAX]; /* what the latest probe that was not answered said; "" since one was */
};

struct topology_cluster {
    struct list node; /* in topology.clusters */
    char name[TOPOLOGY_NAME_MAX];
    int primary;        /* in `nodes`; ELECT_NOBODY: none is known */
    bool is_contested;  /* there is none, but some node can be written to */
    uint64_t primary_since_us; /* that this is so */
    uint64_t changes;   /* of the primary */
    char reason[ELECT_REASON_MAX];
    uint32_t node_count;
    struct topology_node *nodes; /* owned */
};

/*
 * What changes too often to be published: read by workers at each decision, written by the monitor. One for each node, by name and
 * address, for as long as somebody has a reference: names that are looked up may have new addresses for ever.
 */
struct topology_gauge {
    struct list node; /* in topology.gauges */
    struct topology *topology;
    uint32_t refs; /* under the lock */
    uint64_t id;   /* never 0, and never another one's: who only wants to know the node again keeps this */
    char cluster[TOPOLOGY_NAME_MAX], name[TOPOLOGY_NAME_MAX], address[TOPOLOGY_ADDRESS_MAX];
    _Atomic uint64_t told_us;  /* when it was last asked where its replay is; written behind fresh_us */
    _Atomic uint64_t answered_us; /* when the monitor last heard of it, whatever it said */
    _Atomic uint64_t doubted_us; /* when a worker was owed an answer by it for too long; once it has answered since, all is well */
    _Atomic uint64_t fresh_us; /* it shows all that the primary had acknowledged by then (freshness.h); 0: nobody knows */
    /* How far a standby on the primary's timeline has replayed, and whose history that is; by topology_set_place() alone. */
    _Atomic uint64_t replayed; /* 0: nobody knows */
    _Atomic uint64_t system_id;
    _Atomic uint32_t timeline;
};

/* A place in the log of one history. */
struct log_place {
    uint64_t system_id;
    uint64_t lsn;
    uint32_t timeline;
};

struct topology {
    pthread_mutex_t lock;
    struct list gauges; /* owned; those that somebody looks at */
    uint64_t last_gauge_id;
    _Atomic uint64_t wanted_us;   /* when that was last said */
    _Atomic bool wants_freshness; /* somebody would read if he knew of a fresher replica: the monitor should ask for positions */
    _Atomic(void (*)(struct topology *t)) on_freshness; /* likewise */
    struct list clusters; /* owned */
    _Atomic uint64_t version;
    _Atomic bool has_suspects; /* somebody could not connect to a primary: the monitor should look at once */
    _Atomic(void (*)(struct topology *t)) on_suspect; /* on the worker's thread; NULL: nobody watches */
    void *watcher; /* whose that is */
};

/* "10.0.0.1:5432", "[::1]:5432". Returns out. */
const char *topology_address(char out[TOPOLOGY_ADDRESS_MAX], const char *host, uint16_t port);

void topology_init(struct topology *t);
void topology_release(struct topology *t);

/* A copy of what it is like now, for topology_cluster_free(). NULL: there is none of this name, or memory is out. */
struct topology_cluster *topology_read(struct topology *t, const char *cluster);
void topology_cluster_free(struct topology_cluster *c); /* NULL is fine */
/* The monitor's: a copy takes the place of what was there. `is_new_primary` raises the version. False: memory is out. */
MUST_USE bool topology_publish(struct topology *t, const struct topology_cluster *c, bool is_new_primary);
void topology_remove(struct topology *t, const char *cluster);

/* A node as the monitor knows it: of this name, and at this place. A configuration may have another place for the name. */
struct topology_place {
    char name[TOPOLOGY_NAME_MAX], address[TOPOLOGY_ADDRESS_MAX];
};

/* The primary of a watched cluster. False: there is none now, and `why` says it (57P03). *is_contested: see above. */
MUST_USE bool topology_primary(struct topology *t, const char *cluster, struct topology_place *primary, bool *is_contested,
                               struct err *why);
/* Calls with each node of a watched cluster, under the lock: briefly. */
void topology_each_node(struct topology *t, const char *cluster, void (*each)(void *ctx, const struct topology_node *n), void *ctx);
/* From a worker: its primary could not be connected to. */
void topology_suspect(struct topology *t);

/* From a worker: that node owes answers and says nothing. The monitor asks it. True: it was not in doubt before. */
bool topology_doubt(struct topology *t, struct topology_gauge *g, uint64_t now_us);

/* It has said nothing since somebody doubted it. */
static inline bool topology_is_doubted(const struct topology_gauge *g) {
    return atomic_load_explicit(&g->doubted_us, memory_order_relaxed) > atomic_load_explicit(&g->answered_us, memory_order_relaxed);
}
/* The monitor's; lsn 0: nobody knows. */
void topology_set_place(struct topology_gauge *g, const struct log_place *at);
/* It has replayed that, on the same history. */
bool topology_has_place(const struct topology_gauge *g, const struct log_place *p);
/* With one more reference. NULL: memory is out. */
struct topology_gauge *topology_gauge(struct topology *t, const char *cluster, const char *node, const char *address);
/* From any thread, before topology_release(). */
void topology_gauge_unref(struct topology_gauge *g); /* NULL is fine */
/* From a worker: no replica is known to be fresh enough for somebody. */
void topology_want_freshness(struct topology *t, uint64_t now_us);

static inline uint64_t topology_version(struct topology *t) {
    return atomic_load_explicit(&t->version, memory_order_acquire);
}

#endif
