/*
 * monitor.h - watches the nodes of all clusters that have a monitor_user: probes each of them, decides who is primary, tells the
 * topology.
 *
 * Runs on a loop and thread of its own, so that neither a reload, which reads files and resolves names, nor a busy worker makes a
 * node look slow.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_MONITOR_H
#define GILMOK_PROXY_TOPOLOGY_MONITOR_H

#include "proxy/net/loop.h"
#include "proxy/config_nodes.h"
#include "proxy/topology/addr_book.h"
#include "proxy/topology/topology.h"

enum { MONITOR_FUNCTIONS_MAX = 4 << 10 };

struct monitor {
    struct loop *loop;         /* borrowed */
    struct topology *topology; /* borrowed */
    struct list clusters;      /* struct watched_cluster, owned */
    struct list names;         /* struct watched_name, owned */
    const char *dns_servers;   /* of the configuration; NULL: the system's */
    void (*on_change)(struct monitor *m); /* some cluster has another primary, or none */
    /* Nodes were found, or lost: the next configuration has them, or not. Borrowed for the call. */
    void (*on_orders)(struct monitor *m, const struct node_order *orders, uint32_t count);
    const char *copy_functions; /* what a text may call at a subscriber, as an array of names in SQL's form (feed_pg.h); borrowed */
    char key[24];        /* of this monitor's beats among other gilmoks' (feed_pg.h) */
    uint64_t hurried_us; /* when it was last told to */
    struct timer look;   /* at positions */
    bool has_look, is_looking;
    uint64_t wanted_us;  /* when somebody last wanted to know how fresh replicas are */
    const struct config *file; /* of the configuration in force: config_root(); only compared */
    bool is_same_file;   /* as that of the configuration before: what was ordered about nodes is all that is new */
};

void monitor_init(struct monitor *m, struct loop *loop, struct topology *t, void (*on_change)(struct monitor *m),
                  void (*on_orders)(struct monitor *m, const struct node_order *orders, uint32_t count));
void monitor_release(struct monitor *m);

/*
 * From now on this configuration, which is borrowed until the next one. Nodes that are the same as before keep what is known of
 * them, and where no file was read their probes go on.
 */
void monitor_adopt(struct monitor *m, const struct config *c, const struct addr_book *book);
/* Somebody could not connect to a primary: every node is probed now. */
void monitor_hurry(struct monitor *m);

/* Somebody reads as soon as a replica is fresh enough: positions are asked for at short intervals, for a while. */
void monitor_freshen(struct monitor *m);

/* The configuration has a cluster to be watched. */
bool monitor_is_needed(const struct config *c);

#endif
