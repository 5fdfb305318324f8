/*
 * monitor_impl.h - what the parts of the monitor know of each other, and nobody else.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_MONITOR_IMPL_H
#define GILMOK_PROXY_TOPOLOGY_MONITOR_IMPL_H

#include "proxy/topology/freshness.h"
#include "proxy/topology/lag.h"
#include "proxy/topology/monitor.h"
#include "proxy/topology/probe_pg.h"

struct feed; /* monitor_feed.c */

struct watched_node {
    struct watched_cluster *cluster;
    const struct config_node *config; /* borrowed */
    const struct book_entry *at;      /* borrowed; NULL: it has no address */
    struct probe_pg probe;
    struct timer next;
    struct probe_pg glance;  /* for its position alone, when somebody wants to know (monitor_fresh.c) */
    struct topology_gauge *gauge; /* a reference; NULL: memory was out */
    uint64_t replayed;       /* the latest position of a standby; 0: not known */
    uint64_t glance_failed_us; /* 0: the latest glance was answered */
    uint64_t replayed_us;    /* when it was asked for */
    bool has_timers;
    struct feed *feed;  /* owned; of one that subscribes */
    bool subscribes;    /* config_node_subscribes(), of when it was made */
    bool is_duplicate;  /* of another node of the cluster, by what both have told last */
    uint64_t listed_us; /* of one that was found: when its primary listed it last */
    struct health health;
    uint64_t failed_us; /* when a failure counted last */
    struct topology_node *told; /* of the cluster's picture */
};

struct watched_cluster {
    struct list node; /* in monitor.clusters */
    struct monitor *monitor;
    const struct config_cluster *config; /* borrowed */
    struct election election;
    struct lag_history history; /* of the primary's positions */
    struct freshness freshness; /* likewise */
    struct topology_cluster picture;
    uint64_t ordered_us; /* when nodes that were found or lost were told last; 0: not since this configuration is in force */
    bool owes_news; /* another primary, of which the topology was not told: memory was out */
    uint32_t count;
    struct watched_node **nodes; /* owned */
};

/* ---- monitor_fresh.c ---- */

/* False: memory is out. */
MUST_USE bool monitor_fresh_init(struct watched_node *n);
void monitor_fresh_release(struct watched_node *n);
/* After an answer of whichever kind: how fresh its standbys are. */
void monitor_fresh_tell(struct watched_cluster *c);
/* It has said something, be it that it does not want to. */
void monitor_heard(struct watched_node *n, enum probe_result result);
void monitor_fresh_end(struct monitor *m);
/* The facts of a node are new. */
void monitor_fresh_take(struct watched_node *n);

/* ---- monitor_feed.c ---- */

/* For a node that subscribes. False: memory is out. */
MUST_USE bool monitor_feed_init(struct watched_node *n);
void monitor_feed_release(struct watched_node *n); /* of any node */
/* It has answered a probe, or has not: is it a copy still? */
void monitor_feed_ask(struct watched_node *n);
/* Somebody would read there if it were known to be fresher. */
void monitor_feed_look(struct watched_node *n);
/* There is another primary: what was known is void. */
void monitor_feed_forget(struct watched_node *n);
/* It was watched before a reload as `old`: what its tables have missed counts still. */
void monitor_feed_inherit(struct watched_node *n, const struct watched_node *old);
/* Up to when it has everything; 0: it is no copy, or nobody knows. */
uint64_t monitor_feed_fresh_us(const struct watched_node *n);
/* How far it is behind. False: likewise. */
bool monitor_feed_lag(const struct watched_node *n, int64_t *ms, uint64_t *bytes);
/* When it was last asked about; 0: never. */
uint64_t monitor_feed_told_us(const struct watched_node *n);

/* ---- monitor.c ---- */

/* NULL: it is not watched. */
struct watched_cluster *monitor_find(struct monitor *m, const char *cluster);

/* ---- monitor_names.c ---- */

/* The names of this configuration are looked up, and no others. */
void monitor_names_adopt(struct monitor *m, const struct config *c);
void monitor_names_release(struct monitor *m);

/* ---- monitor_discover.c ---- */

/* A node has answered, and what follows is known. */
void monitor_discover(struct watched_node *n);

#endif
