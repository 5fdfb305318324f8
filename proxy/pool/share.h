/*
 * share.h - which workers hold a pool, and how its clients are spread over them.
 *
 *      share_book (one per process)
 *        '- share_group: one (database, user) pair; its size is the pool's
 *             '- share: one worker's part: so many connections, so many clients
 *
 * A pool lives in min(workers, size / SHARE_SIZE_MIN) shares, at least one, on the
 * workers that hold least. Server connections never change worker; clients do: after
 * login to the share with fewest clients, and later when one share waits while another
 * could serve. The book counts clients; the shares' atomics tell the other workers
 * how a share is doing.
 *
 * The book is shared by all threads behind a lock that is held for a look-up. Groups
 * live as long as the book.
 */
#ifndef GILMOK_PROXY_POOL_SHARE_H
#define GILMOK_PROXY_POOL_SHARE_H

#include <pthread.h>

#include "base/map.h"
#include "proxy/config.h"

enum { WORKERS_MAX = 64, SHARE_SIZE_MIN = 4 };

struct share {
    uint32_t worker;
    uint32_t clients;           /* placed here, those on their way included; under the book's lock */
    _Atomic uint32_t size;      /* server connections; 0: not in use */
    _Atomic uint32_t reserve, min; /* its parts of reserve_pool_size and min_pool_size */
    /* Written by the share's worker, read by the others: */
    _Atomic uint32_t spare;     /* connections that are idle or could still be opened */
    _Atomic uint32_t waiting;
    _Atomic uint64_t newest_us; /* when the client that was served last had begun to wait */
};

struct user_count;

struct share_group {
    struct list node; /* in share_book.groups */
    char *database, *user; /* owned */
    struct user_count *of_user;
    struct scram_keys keys;    /* what the user's own logins have proved; under the book's lock; secret */
    char keys_cluster[64];     /* ... to the servers of this cluster; a longer name is cut */
    uint32_t clients;          /* in all shares */
    _Atomic uint32_t active;   /* shares in use, the first ones */
    uint32_t count;            /* of all, one per worker */
    struct share shares[];
};

struct share_book {
    pthread_mutex_t lock;
    struct map groups_by_name; /* "database\0user" */
    struct map users;          /* name -> struct user_count, owned */
    struct list groups;        /* owned */
    uint32_t workers;
    uint32_t load[WORKERS_MAX]; /* connections that each worker's shares may have */
};

void share_book_init(struct share_book *b, uint32_t workers);
void share_book_release(struct share_book *b);
/* The pools' sizes have changed. */
void share_book_resize(struct share_book *b, const struct config *c);

/*
 * A client of this pair comes in at worker `here`. False: the user has too many, or
 * memory is out. Else it is counted in share number *index of *group, which may be
 * another worker's; share_book_leave() takes it out again.
 */
MUST_USE bool share_book_enter(struct share_book *b, const struct config *c, const struct config_database *db,
                               struct bytes database, struct bytes user, uint32_t here, struct share_group **group,
                               uint32_t *index, struct err *err);
void share_book_leave(struct share_book *b, struct share_group *g, uint32_t index);
void share_book_move(struct share_book *b, struct share_group *g, uint32_t from, uint32_t to);

/*
 * What logs in to a server of that cluster as the group's user where neither password nor md5 verifier is known: told by the latest
 * client that has logged in, and kept until a reload makes it useless. share_book_keys() leaves *out as it is when there is
 * nothing for it (scram_keys_are_wanted).
 */
void share_book_learn(struct share_book *b, struct share_group *g, const char *cluster, const struct scram_keys *keys);
void share_book_keys(struct share_book *b, struct share_group *g, const char *cluster, struct scram_keys *out);

/* The number of the share that a worker holds in a group: a group has one for each worker, some with size 0. */
uint32_t share_index_of(const struct share_group *g, uint32_t worker);

/* How many there are, on all workers and on their way, of the databases (by the clients' names) for which `is_of` says so. */
uint32_t share_book_clients(struct share_book *b, bool (*is_of)(void *ctx, const char *database), void *ctx);

/* The numbers of the whole pool. */
struct share_part {
    uint32_t size, reserve, min;
};
struct share_part share_pool_part(const struct config *c, const struct config_database *db, struct bytes user);

/* The pair's group, without a client of it; for warming up. NULL: memory is out. */
struct share_group *share_book_group(struct share_book *b, const struct config *c, const struct config_database *db,
                                     struct bytes database, struct bytes user);

#endif
