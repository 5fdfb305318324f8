/*
 * A counter that any probe which agrees with the state sets back.
 */
#include "proxy/topology/health.h"

const char *node_health_name(enum node_health h) {
    switch (h) {
    case NODE_UNKNOWN: return "unknown";
    case NODE_UP: return "up";
    case NODE_DOWN: return "down";
    }
    return "?";
}

bool health_note(struct health *h, bool is_answered, uint32_t rise, uint32_t fall) {
    enum node_health wanted = is_answered ? NODE_UP : NODE_DOWN;
    if (h->state == wanted) {
        h->streak = 0;
        return false;
    }
    uint32_t needed = is_answered ? (h->state == NODE_UNKNOWN ? 1 : rise) : fall;
    if (++h->streak < needed) return false;
    *h = (struct health){.state = wanted};
    return true;
}
