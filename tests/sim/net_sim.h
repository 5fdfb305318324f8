/*
 * net_sim.h - the second backend of the loop's seam: a network in memory, with its
 * own time and its own dice. No file descriptor anywhere.
 *
 * Everything that takes part (gilmok, fake clients, fake servers) uses streams of
 * one loop. What happens next is drawn from the seed: which of the possible events
 * comes first, how long bytes travel, how many arrive at once, how much of a send
 * fits. The same seed gives the same run. Time stands still while something can
 * happen and then jumps to the next thing that will.
 *
 * Kept from real networks: data keeps its order; an end that closes with unread
 * input resets the connection; a send to a peer that has gone succeeds once and
 * brings a reset; a full pipe makes the sender wait; data and a reset that follows
 * it may arrive as the reset alone.
 */
#ifndef GILMOK_TESTS_SIM_NET_SIM_H
#define GILMOK_TESTS_SIM_NET_SIM_H

#include "proxy/net/stream.h"

struct net_sim_options {
    uint32_t latency_max_us; /* each piece travels 0 to this long */
    uint32_t pipe_min;       /* bytes that one direction of a connection holds: drawn between these */
    uint32_t pipe_max;
    uint32_t chunk_max; /* the most bytes in one recv; 0: drawn for each connection, down to one */
};

struct net_sim {
    struct loop *loop;
    struct net_sim_options options;
    struct clock_ops clock; /* virtual time and seeded bytes */
    uint64_t now_us;
    uint64_t dice;
    uint64_t mail_us; /* when mail will be taken */
    struct list conns;
    struct list listeners;
    struct list timers;
    uint16_t next_port;
    uint64_t events;
};

/* Sets up `l` over `sim`, which must live until loop_release(l). */
void net_sim_init(struct net_sim *sim, struct loop *l, uint64_t seed, const struct net_sim_options *options);

uint64_t net_sim_random(struct net_sim *sim);
uint32_t net_sim_below(struct net_sim *sim, uint32_t n); /* 0 .. n-1; 0 for n = 0 */
static inline bool net_sim_one_in(struct net_sim *sim, uint32_t n) {
    return n && net_sim_below(sim, n) == 0;
}

/* How a listener treats those who connect from now on. */
enum net_sim_gate { GATE_OPEN, GATE_REFUSES, GATE_SILENT };
void net_sim_set_gate(struct listener *li, enum net_sim_gate gate);

/* Both ends will see "connection reset". */
void net_sim_reset(struct stream *s);
/* The same once `s` has sent that many more bytes. */
void net_sim_reset_after(struct stream *s, uint64_t bytes);
/* From now on nothing arrives at either end, not even an end. */
void net_sim_silence(struct stream *s);
/* What arrives at `s` it gets at once, whatever chunk_max says: for a peer whose way of reading is not what is looked at. */
void net_sim_take_all(struct stream *s);
/* All connections, to standard output: for whoever has to find out what hangs. */
void net_sim_print(const struct net_sim *sim);

/* Turns the loop until `is_done(ctx)` or until `limit_ms` of virtual time have passed. True: it is done. */
bool net_sim_run(struct net_sim *sim, bool (*is_done)(void *ctx), void *ctx, uint64_t limit_ms);
/* Turns the loop while anything can happen without time passing, at most `turns_max` times. True: nothing can any more. */
MUST_USE bool net_sim_settle(struct net_sim *sim, uint32_t turns_max);

#endif
