/*
 * elect.h - which node of a cluster is its primary. A pure step: what was known, what is seen now, what follows.
 *
 * gilmok promotes nobody here: it sees who can be written to, and whether that is who clients should write to.
 *
 *  - A node with another system identifier is of another cluster, whatever it says.
 *  - Nothing is decided before every node has been probed once: an old primary might answer first.
 *  - One writable node is the primary, if it was so before; or if the primary before it answers no more, or as a standby, and the
 *    new one's timeline is higher (promotion begins a new timeline; a copy that was started as a server of its own does not).
 *  - Of several, it is the one that the standbys stream from. A primary that is known loses that only when no standby streams from
 *    it and some stream from another one with a higher timeline: neither a reporting replica that was promoted by mistake nor an
 *    old primary that comes back to its standbys takes the writes away.
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
    uint32_t timeline;  /* the highest that a primary has had */
    int primary;        /* in force; ELECT_NOBODY: none is */
    int known;          /* the last one that was in force; ELECT_NOBODY: there was none yet */
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
