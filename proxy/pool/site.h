/*
 * site.h - one place that a pool's connections go to: a node, where it is, how connections to it are secured.
 *
 * A pool has one (its cluster's only node, or its primary), or all nodes of its cluster, of which some are usable. What a site is
 * never changes: a node that has moved is another site. Connections hold references, so that a cancel request goes where its
 * connection went, whatever the pool has become since. Of one worker.
 */
#ifndef GILMOK_PROXY_POOL_SITE_H
#define GILMOK_PROXY_POOL_SITE_H

#include "base/list.h"
#include "proxy/config.h"
#include "proxy/net/addr.h"
#include "proxy/net/tls.h"
#include "proxy/pool/budget.h"
#include "proxy/pool/choose.h"
#include "proxy/pool/silence.h"
#include "proxy/topology/addr_book.h"
#include "proxy/topology/topology.h"

/* What the topology says of the node, where a pool reads from several. */
enum site_fit {
    SITE_LOST,    /* down, or another cluster's: what is under way there is cut */
    SITE_UNFIT,   /* too far behind, promoted or drained: nothing new goes there */
    SITE_REPLICA,
    SITE_PRIMARY,
};

struct site {
    struct list node; /* in pool.sites, while it is in force */
    uint32_t refs;
    char node_name[64];
    char name[ADDR_TEXT_MAX + 64]; /* "a 127.0.0.1:5432", for errors and SHOW */
    struct addr addr;
    struct tls_context *tls; /* one reference; NULL: in clear */
    char *host;              /* owned; as configured, for who verifies certificates */
    struct topology_gauge *gauge; /* a reference; NULL: nobody watches, or memory was out */
    uint32_t weight;         /* its share of reads; 0: none while others are usable */
    struct choose_node choice; /* what the choice among several sites needs to know */

    bool is_drained;  /* nothing new is to go there for reads */
    bool is_wanted;   /* by the configuration that is being looked at */
    bool is_in_force; /* the pool has it in its list */
    enum site_fit fit;
    bool is_usable;   /* connections to it are leased and opened */
    uint64_t up_since_us; /* of the node, as the topology says */
    uint32_t total;   /* connections in any state but CLOSED */
    uint64_t heard_us;  /* when bytes last came over one of its connections */
    struct silence silence;
    bool owes;          /* an answer, as of the last look */
    bool is_doubted;    /* likewise: it does not answer (pool_silent.c) */
    uint64_t failed_us; /* last failed connect; 0: none since the last success */
    struct budget_list budgets; /* of the node, where the pool's own list has no place for it */
};

/* The same for the same node at the same address, while somebody looks at it; 0: nobody knows. */
static inline uint64_t site_gauge_id(const struct site *s) {
    return s->gauge ? s->gauge->id : 0;
}

/* When its replay was last asked for. Read before site_fresh_us(), which is then at least as new. */
static inline uint64_t site_told_us(const struct site *s) {
    return s->gauge ? atomic_load_explicit(&s->gauge->told_us, memory_order_acquire) : 0;
}

/* It shows all that its primary had acknowledged by then; 0: nobody knows. */
static inline uint64_t site_fresh_us(const struct site *s) {
    return s->gauge ? atomic_load_explicit(&s->gauge->fresh_us, memory_order_acquire) : 0;
}

/* When somebody was owed an answer for too long; when the monitor last heard of it. */
static inline uint64_t site_doubted_us(const struct site *s) {
    return s->gauge ? atomic_load_explicit(&s->gauge->doubted_us, memory_order_relaxed) : 0;
}
static inline uint64_t site_answered_us(const struct site *s) {
    return s->gauge ? atomic_load_explicit(&s->gauge->answered_us, memory_order_relaxed) : 0;
}
static inline bool site_is_doubted(const struct site *s) {
    return s->gauge && topology_is_doubted(s->gauge);
}

/* New reads may go there: an answer that has just come counts at once, and a new doubt with the next look. */
static inline bool site_is_open(const struct site *s) {
    return s->is_usable && !(UNLIKELY(s->is_doubted) && site_is_doubted(s));
}

/* What somebody was told of a place in the log. Up to there a site has everything, or as of when he was told it. */
struct site_place {
    struct log_place at;
    uint64_t since_us;
};

/* NULL: any has it. */
static inline bool site_has_place(const struct site *s, const struct site_place *p) {
    return LIKELY(!p) || site_fresh_us(s) >= p->since_us || (s->gauge && topology_has_place(s->gauge, &p->at));
}

/* ... and find there what was acknowledged by `needs_us` (0: whatever there is), and what `place` says (NULL: nothing more). */
static inline bool site_is_fit(const struct site *s, uint64_t needs_us, const struct site_place *place) {
    return site_is_open(s) && (!needs_us || site_fresh_us(s) >= needs_us) && site_has_place(s, place);
}

/* With one reference, in no list. NULL: memory is out, or the node has no address; err. */
struct site *site_new(const struct config_node *node, const struct book_entry *at, struct tls_context *tls, struct err *err);
struct site *site_ref(struct site *s);
void site_unref(struct site *s); /* NULL is fine */
/* It is the place that site_new() would make of these. */
bool site_is_still(const struct site *s, const struct config_node *node, const struct book_entry *at,
                   const struct tls_context *tls);
/* New connections use this context, made of the same configuration or a later one. */
void site_renew(struct site *s, struct tls_context *tls);

#endif
