/*
 * lookup.h - asks a server for one user's secret: auth_query, on a connection of gilmok's own.
 *
 * The connection comes from a pool that no client can reach; it is leased for the one question. What is asked, and what the answer
 * says, is the protocol's: lookup_pg.h, lookup_my.h.
 *
 *      lookup_start --> wait for a connection --> question --> answer --> on_done
 *                                '--- timeout, refusal, error: on_done with LOOKUP_FAILED ---'
 */
#ifndef GILMOK_PROXY_SESSION_LOOKUP_H
#define GILMOK_PROXY_SESSION_LOOKUP_H

#include "proxy/auth/accounts_my.h"
#include "proxy/pool/pool.h"

enum {
    LOOKUP_REPLY_MAX = 16 << 10, /* bytes of a whole answer */
};

enum lookup_result {
    LOOKUP_FOUND,  /* the secret is there; it may be that of a user without a password */
    LOOKUP_ABSENT, /* there is no such user, or it may not log in (now); err may tell the operator why */
    LOOKUP_FAILED, /* err says why */
};

/* What there is of LOOKUP_FOUND. Secret. */
struct lookup_answer {
    struct user_secret secret;    /* PostgreSQL's; no password in clear */
    struct accounts_my *accounts; /* MySQL's; owned; NULL: none */
};
void lookup_answer_release(struct lookup_answer *a); /* wipes */

struct lookup;

struct lookup_proto {
    const struct backend_proto *backend;
    struct bytes (*key)(struct writer *w); /* of the variant */
    const char *usual;                     /* what is asked where no auth_query is given; NULL: `ask` knows */
    /* Sends the question, and notes it. `query`: NULL, or as it is configured. False: memory is out, and nothing was sent. */
    bool (*ask)(struct backend *b, const char *query, const char *user);
    enum lookup_result (*read)(struct bytes reply, const char *user, struct lookup_answer *answer, struct err *err);
};

struct lookup {
    struct lessee lessee;
    struct timer timer;
    struct writer reply;
    const struct lookup_proto *proto;
    char user[USER_NAME_MAX + 1];
    char *query;         /* owned while it is under way */
    bool is_under_way;
    /* Afterwards it may be started again, or released. What is in `answer` may be taken; the rest is wiped behind it. */
    void (*on_done)(struct lookup *l, enum lookup_result result, struct lookup_answer *answer, const struct err *err);
};

/* False: memory is out. */
MUST_USE bool lookup_init(struct lookup *l, struct loop *loop, const struct lookup_proto *proto, const char *user,
                          void (*on_done)(struct lookup *l, enum lookup_result result, struct lookup_answer *answer,
                                          const struct err *err));
void lookup_release(struct lookup *l); /* also while it is under way: on_done does not come */

/* on_done comes later, or before it returns. `cluster` has an auth_user, and speaks the protocol. */
void lookup_start(struct lookup *l, struct pool_set *pools, const struct config *c, const struct config_cluster *cluster);

#endif
