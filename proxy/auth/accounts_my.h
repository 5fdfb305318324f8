/*
 * accounts_my.h - the accounts that a MySQL server has of one user name: one for each pattern of hosts, each with its own secret.
 *
 *     host       "%" and "" anywhere; patterns with % and _ ("\" before one that means itself); ADDRESS/MASK and ADDRESS/BITS
 *     plugin     mysql_native_password, caching_sha2_password, sha256_password, ed25519
 *
 * As servers do, the account is found by where the client comes from, before anything is proved: of those that fit, the one that
 * says most exactly where. Names of hosts fit nobody, but for "localhost": loopback and unix sockets. A secret that is empty, or
 * of another plugin, is none: nobody can prove it here.
 *
 * Source: "Access Control, Stage 1" of MySQL's manual.
 */
#ifndef GILMOK_PROXY_AUTH_ACCOUNTS_MY_H
#define GILMOK_PROXY_AUTH_ACCOUNTS_MY_H

#include "base/err.h"
#include "proxy/auth/user_store.h"

enum { ACCOUNT_MY_HOST_MAX = 255, ACCOUNTS_MY_MAX = 32 };

struct account_my {
    char host[ACCOUNT_MY_HOST_MAX + 1];
    struct user_secret secret; /* no password in clear */
    bool has_secret;
    bool is_locked;  /* the server lets nobody in */
    bool is_expired; /* the server lets its user in to change the password, and for nothing else */
};

/* Of one allocation, with room for as many as its maker has made. */
struct accounts_my {
    size_t count;
    struct account_my at[];
};

static inline size_t accounts_my_size(size_t count) {
    return sizeof(struct accounts_my) + count * sizeof(struct account_my);
}

/* Where a client comes from. */
struct account_my_from {
    const char *ip; /* "192.0.2.7", "2001:db8::7"; NULL: a unix socket */
    bool is_near;   /* loopback, or a unix socket */
};

/* A row of the server's. NULs in `host`, and one that is too long, fit nobody: false, and it is left out. */
MUST_USE bool account_my_fill(struct account_my *a, struct bytes host, struct bytes plugin, struct bytes secret);
/* NULL: there is none. Borrowed. */
const struct account_my *accounts_my_find(const struct accounts_my *all, const struct account_my_from *from);

#endif
