/*
 * budget.h - caps on server connections that hold over pools and over workers.
 *
 * A connection counts in up to four budgets: its node's, its database's, its user's and
 * gilmok's own. A pool takes a place in all of them before it opens a connection and gives
 * them back when it is closed. Where one is full the pool files a claim: first come, first
 * served among claims that want the same budget; who comes later cannot take what an older
 * claim waits for.
 *
 *      budget_take: a place at once, or none
 *      budget_claim ... on_granted (by mail, on the pool's thread): a place is held for it
 *
 * A busy pool never has an idle connection to spare. So that it starves nobody, a pool
 * that gives a connection to its next waiter asks budget_has_claim_before(): when an older
 * claim needs the place, it closes the connection instead.
 *
 * Shared by all threads behind a lock that is held for a short list; a gilmok without
 * caps never takes it.
 */
#ifndef GILMOK_PROXY_POOL_BUDGET_H
#define GILMOK_PROXY_POOL_BUDGET_H

#include <pthread.h>

#include "base/map.h"
#include "proxy/config.h"
#include "proxy/net/loop.h"

enum { BUDGETS_OF_A_POOL = 4 };

struct budget;

/* The budgets that a pool's connections count in; those without a limit are left out. */
struct budget_list {
    struct budget *at[BUDGETS_OF_A_POOL];
    int count;
};

struct budget_claim {
    struct mail mail;
    struct list node;         /* in budget_book.claims */
    struct loop *loop;        /* where on_granted is called */
    void (*on_granted)(struct budget_claim *c);
    struct budget_list wants;
    uint64_t since_us;
    bool is_filed;   /* waits, or its grant is in the mail; the claimant's own */
    bool is_granted; /* under the book's lock */
};

struct budget_book {
    pthread_mutex_t lock;
    struct map budgets; /* kind and name -> struct budget, owned */
    struct list claims; /* oldest first */
    _Atomic uint32_t claim_count;
};

void budget_book_init(struct budget_book *b);
void budget_book_release(struct budget_book *b);

/*
 * The budgets of a (database, user) pair on a node (NULL: on several), with the limits that `c` gives them.
 * To be called again with every configuration. False: memory is out.
 */
MUST_USE bool budget_book_list(struct budget_book *b, const struct config *c, const struct config_database *db,
                               const struct config_node *node, struct bytes user, struct budget_list *out);

/* The node's alone. */
MUST_USE bool budget_book_node(struct budget_book *b, const struct config_cluster *cluster, const struct config_node *node,
                               struct budget_list *out);

/* A place in each. False: none was taken. */
MUST_USE bool budget_take(struct budget_book *b, const struct budget_list *l);
void budget_give(struct budget_book *b, const struct budget_list *l);

/* `c->loop`, on_granted, wants and since_us are set; it must not be filed. The grant holds a place in each budget. */
void budget_claim(struct budget_book *b, struct budget_claim *c);
/* No effect when it is not filed. True: a grant is in the mail and will still come; the claim must live until then. */
bool budget_withdraw(struct budget_book *b, struct budget_claim *c);
/* True when somebody, but not `own`, waits since before `since_us` for a place that one of these budgets could give. */
bool budget_has_claim_before(struct budget_book *b, const struct budget_list *l, const struct budget_claim *own, uint64_t since_us);
/* True while a claim for one of these budgets has not been granted. */
bool budget_is_claimed(struct budget_book *b, const struct budget_list *l);
/* Places taken, added up over all budgets. */
uint64_t budget_book_total(struct budget_book *b);
/* A look without the lock: what it says may be old. */
bool budget_has_room(const struct budget_list *l);
/* A connection that counted in `from` counts in `to` from now on, full or not: the limits have changed under it. */
void budget_recount(struct budget_book *b, const struct budget_list *from, const struct budget_list *to);
/* True when one of the budgets in `l` is full and counts a connection with `other`: closing it helps. */
bool budget_would_help(const struct budget_list *l, const struct budget_list *other);

#endif
