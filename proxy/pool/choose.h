/*
 * choose.h - which of several nodes gets the next read. Pure: what is known of the nodes and a random number go in, one comes out.
 *
 * A node's *share* is its weight, less while it has only just come back (slow start). Where some node is near (in gilmok's own
 * zone) and has room, only near ones are looked at.
 *
 *  - Least outstanding: of two that chance picks by their shares the first, when it has nothing to do; else the one that would have
 *    less to do for its share with one more. Nearly as good as the least busy of all, and no herd follows.
 *  - Round robin: in turns, as often as the shares say, and evenly spread.
 *  - Latency: of two the one where the answer is likely there first: how long answers take there, times what is ahead. What is
 *    known of a node fades while it gets nothing, so that it is tried again.
 */
#ifndef GILMOK_PROXY_POOL_CHOOSE_H
#define GILMOK_PROXY_POOL_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "proxy/config.h"

enum {
    CHOOSE_SHARE_ONE = 1000,  /* of a weight of one */
    CHOOSE_WEIGHT_MAX = 100000000,
    CHOOSE_FIRST_PERCENT = 10, /* of its share that a node gets when it is back */
    CHOOSE_FADES_MS = 5000,   /* a latency that nobody confirms counts half after that */
    CHOOSE_LATENCY_MAX_US = 1 << 24, /* longer is as bad */
};

struct choose_node {
    uint32_t weight;      /* in thousandths, up to CHOOSE_WEIGHT_MAX; 0 counts as one: nobody has any then */
    uint32_t outstanding; /* leases */
    uint64_t back_us;     /* when it came up, later than others; 0: it did not */
    uint32_t latency_us;  /* of its answers, smoothed; 0: none was seen */
    uint64_t latency_at_us; /* when the last was seen */
    int64_t turn;         /* round robin's own */
    bool is_near;
    bool has_room;        /* set by the caller where `is_near` */
    uint64_t share;       /* choose_node()'s own: in the choice at hand; 0: it is not looked at */
};

struct choose_rules {
    enum read_balance balance;
    uint32_t slow_start_ms;
    uint64_t now_us;
};

/* In thousandths. */
uint64_t choose_share(const struct choose_node *n, const struct choose_rules *r);
/* The weight of one more among others, which weigh so much together, so that it gets `percent` (less than 100) of all. */
uint32_t choose_weight_for(uint32_t percent, uint64_t others);
/* So many for its share are less than so many for the other's. */
static inline bool choose_is_less(uint64_t of_a, uint64_t share_a, uint64_t of_b, uint64_t share_b) {
    return of_a * share_b < of_b * share_a;
}

/* The number of the node that gets the next one; there is one at least. `random`: any 64 bits. */
int choose_node(struct choose_node *const nodes[], int count, const struct choose_rules *r, uint64_t random);
/* An answer has taken so long. */
void choose_note_latency(struct choose_node *n, uint64_t took_us, uint64_t now_us);

#endif
