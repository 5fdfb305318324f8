/*
 * health.h - whether a node counts as up: after `rise` probes in a row that were answered, down after `fall` that were not. Pure.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_HEALTH_H
#define GILMOK_PROXY_TOPOLOGY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum node_health { NODE_UNKNOWN, NODE_UP, NODE_DOWN };
const char *node_health_name(enum node_health h);

/* Zeroed: nothing is known. */
struct health {
    enum node_health state;
    uint32_t streak; /* probes in a row that speak against the state */
};

/* True: the state is another one now. The first answer of all makes a node up. */
bool health_note(struct health *h, bool is_answered, uint32_t rise, uint32_t fall);

#endif
