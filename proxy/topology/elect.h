/*
 * elect.h - which node of a cluster is its primary. A pure step: what was known, what is seen now, what follows.
 *
 * gilmok promotes nobody here: it sees who can be written to, and whether that is who clients should write to.
 *
 *  - A node with another system identifier is of another cluster, whatever it says; but when all nodes are of one other cluster, it
 *    was made anew.
 *  - The first decision waits until every node has been probed once: an old primary might answer first. Later ones do not wait for
 *    a node that has just joined: it would hold up a failover.
 *  - Promotion begins a new timeline. So a node is no primary while a standby is on a higher timeline, nor in the place of a
 *    primary that is known when its timeline is not above that one's: it is an old primary, or a copy that was started.
 *  - A primary that is known stays it as long as it can be written to, unless a standby is on a higher timeline and none streams
 *    from it; or none streams from it and some do from another one.
 *  - A node that was promoted beside a primary with standbys is a stray, and does not become primary by that one's going away: a
 *    standby must stream from it.
 *  - Of several it is the one that standbys stream from; when the primary before it is away and none streams from any, the one with
 *    the highest timeline.
 *  - Else nobody is: a write to the wrong one would be lost. The reason names both.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_ELECT_H
#define GILMOK_PROXY_TOPOLOGY_ELECT_H

#include <stdbool.h>
#include <stdint.h>

enum { ELECT_NODES_MAX = 64, ELECT_REASON_MAX = 320 };
enum { ELECT_NOBODY = -1 };

/* What the other nodes' probes say of one. */
struct elect_node {
    const char *name;
    bool is_apart;    /* a server of its own that subscribes to tables: it has no part in this. Never `is_up` */
    bool was_probed;  /* has answered, or is down, since the cluster is watched */
    bool is_up;       /* it answers; else nothing of what follows counts */
    bool is_in_recovery;
    uint64_t system_id;
    uint32_t timeline;
    int upstream;     /* the node that it streams from; ELECT_NOBODY: none of these */
};

/* What is remembered. Zeroed, with `primary` ELECT_NOBODY: nothing was seen yet. */
struct election {
    uint64_t system_id; /* of the cluster; 0: not known */
    uint32_t timeline;  /* of the known one, when it last answered */
    int primary;        /* in force; ELECT_NOBODY: none is */
    int known;          /* the last one that was in force; ELECT_NOBODY: there was none yet */
    uint64_t strays;    /* a bit for each node */
    bool is_contested;  /* some node can be written to, whoever is primary */
    char reason[ELECT_REASON_MAX]; /* why, for people: of the latest step */
};

void election_init(struct election *e);
/* True: `primary` is another one than before. */
bool elect_step(struct election *e, const struct elect_node *nodes, int count);
/* Of another cluster than the one that is known. */
bool elect_is_foreign(const struct election *e, const struct elect_node *n);

/*
 * After the configuration has changed: `was[i]` is the number that node i had, or ELECT_NOBODY. What is remembered of nodes that
 * are gone is forgotten, and the cluster's identity with the last of them.
 */
void elect_renumber(struct election *e, const int *was, int count);

#endif
