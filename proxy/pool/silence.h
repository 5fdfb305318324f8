/*
 * silence.h - how long a node has owed answers without saying anything. Pure.
 *
 * Looked at now and then: it is silent since the first look that found it in debt, or since it was last heard of by then.
 */
#ifndef GILMOK_PROXY_POOL_SILENCE_H
#define GILMOK_PROXY_POOL_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: it owes nothing. */
struct silence {
    uint64_t since_us;
};

/* `heard_us`: when it last said anything, to whomever. Returns how long it is silent; 0: it is not. */
static inline uint64_t silence_look(struct silence *s, bool owes, uint64_t heard_us, uint64_t now_us) {
    if (!owes) s->since_us = 0;
    else if (!s->since_us || heard_us >= s->since_us) s->since_us = now_us;
    return owes && now_us > s->since_us ? now_us - s->since_us : 0;
}

#endif
