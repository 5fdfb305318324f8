/*
 * lookup_pg.h - asks a PostgreSQL server for one user's secret: auth_query, on a connection of gilmok's own.
 *
 * The connection comes from a pool that no client can reach, with an empty search_path; it is leased for the one question. The
 * user's name is a parameter, never text. The answer is one row: name, secret, and perhaps whether the user may log in.
 *
 *      lookup_pg_start --> wait for a connection --> Parse Bind Execute Sync --> row --> on_done
 *                                  '--- timeout, refusal, error: on_done with LOOKUP_FAILED ---'
 */
#ifndef GILMOK_PROXY_SESSION_LOOKUP_PG_H
#define GILMOK_PROXY_SESSION_LOOKUP_PG_H

#include "proxy/auth/user_store.h"
#include "proxy/pool/pool.h"

enum {
    LOOKUP_REPLY_MAX = 16 << 10, /* bytes of a whole answer */
};

/* What is asked where no auth_query is given. */
#define LOOKUP_PG_QUERY                                                                                              \
    "SELECT rolname, rolpassword, "                                                                                  \
    "rolcanlogin AND (rolvaliduntil IS NULL OR rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.now()) " \
    "FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1"

enum lookup_result {
    LOOKUP_FOUND,  /* `secret` holds it; it may be that of a user without a password */
    LOOKUP_ABSENT, /* there is no such user, or it may not log in (now); err may tell the operator why */
    LOOKUP_FAILED, /* err says why */
};

struct lookup_pg {
    struct lessee lessee;
    struct timer timer;
    struct writer reply;
    char user[USER_NAME_MAX + 1];
    char *query;         /* owned while it is under way */
    bool is_under_way;
    /* Afterwards it may be started again, or released. `secret` is the callee's to wipe; valid for the call. */
    void (*on_done)(struct lookup_pg *l, enum lookup_result result, const struct user_secret *secret, const struct err *err);
};

/* False: memory is out. */
MUST_USE bool lookup_pg_init(struct lookup_pg *l, struct loop *loop, const char *user,
                             void (*on_done)(struct lookup_pg *l, enum lookup_result result, const struct user_secret *secret,
                                             const struct err *err));
void lookup_pg_release(struct lookup_pg *l); /* also while it is under way: on_done does not come */

/* on_done comes later, or before it returns. `cluster` has an auth_user. */
void lookup_pg_start(struct lookup_pg *l, struct pool_set *pools, const struct config *c, const struct config_cluster *cluster);

/* Reads the messages of an answer. Pure, for tests. */
enum lookup_result lookup_pg_read(struct bytes reply, const char *user, struct user_secret *secret, struct err *err);

#endif
