/*
 * hint.h - what a text's comments ask of gilmok. Pure.
 *
 * A hint is a comment between slashes and asterisks that begins with "gilmok:", anywhere in the text: "gilmok: primary
 * consistency=strong". In strings and names in quotes there are no comments. Words are separated by blanks, commas or
 * semicolons. Of several hints, the primary, the stricter consistency and the first node count. PostgreSQL's alone.
 */
#ifndef GILMOK_ROUTING_HINT_H
#define GILMOK_ROUTING_HINT_H

#include "parser/parser.h"

enum hint_route {
    HINT_NO_ROUTE,
    HINT_REPLICA, /* what reads may go to one, whatever the session says */
    HINT_PRIMARY, /* it stays on the primary */
};

/* How fresh what it reads has to be; the greater one is the stricter. */
enum hint_consistency { HINT_NO_CONSISTENCY, HINT_EVENTUAL, HINT_SESSION, HINT_GLOBAL, HINT_STRONG };

struct hint {
    uint8_t route;       /* enum hint_route */
    uint8_t consistency; /* enum hint_consistency */
    bool has_node;
    struct bytes node;   /* the one that it is to be read at; borrowed from the text, and not kept by hint_pack() */
};

/* Each word as it comes, borrowed from the text; `is_known`: it is understood. */
typedef void hint_word_fn(void *ctx, struct bytes word, uint32_t position, bool is_known);

/* False, as for nearly all texts: it has none. */
static inline bool hint_may_be_in(struct bytes text) {
    return text.len && memmem(text.ptr, text.len, "gilmok:", 7);
}
/* `each` may be NULL. */
struct hint hint_read(struct bytes text, const struct sql_options *options, hint_word_fn *each, void *ctx);

const char *hint_route_name(enum hint_route route);                   /* "", "replica", "primary" */
const char *hint_consistency_name(enum hint_consistency consistency); /* "", "eventual" ... */

/* In a byte, for who keeps it. */
static inline uint8_t hint_pack(struct hint h) {
    return (uint8_t)(h.route | h.consistency << 2 | h.has_node << 5);
}
static inline struct hint hint_unpack(uint8_t packed) {
    return (struct hint){.route = packed & 3, .consistency = packed >> 2 & 7, .has_node = packed >> 5 & 1};
}

#endif
