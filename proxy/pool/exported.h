/*
 * exported.h - snapshots that clients have exported (pg_export_snapshot), and at which node: there alone they can be imported.
 *
 * Of the whole process, behind a lock that only exports and imports take. Where a database is served by several nodes the answer to
 * an export is read as it goes by, and its name is kept until the transaction that made it has ended.
 */
#ifndef GILMOK_PROXY_POOL_EXPORTED_H
#define GILMOK_PROXY_POOL_EXPORTED_H

#include <pthread.h>

#include "proxy/pool/backend.h"

enum { EXPORTED_MAX = 256 /* beyond that the oldest is forgotten */ };
enum { EXPORTED_NAME_MAX = 32, EXPORTED_DATABASE_MAX = 64, EXPORTED_CLUSTER_MAX = 64 };

struct exported {
    char name[EXPORTED_NAME_MAX]; /* "00000003-0000001B-1"; "": free */
    char database[EXPORTED_DATABASE_MAX];
    char cluster[EXPORTED_CLUSTER_MAX];
    uint64_t node;       /* site_gauge_id() */
    uint64_t backend_id; /* of the connection whose transaction it is */
};

struct exported_book {
    pthread_mutex_t lock;
    struct exported all[EXPORTED_MAX];
    uint64_t count; /* that were ever noted: the next one's place, around and around */
};

void exported_init(struct exported_book *book);
void exported_release(struct exported_book *book);

/* A row that the lessee of `b` is about to see: what is in it is noted. `body`: of a whole DataRow. */
void exported_read(struct backend *b, struct bytes body);
/* Its transaction is over, or the connection. Where b->has_exported. */
void exported_forget(struct backend *b);

enum exported_where { EXPORTED_NOWHERE /* that anybody knows of */, EXPORTED_AT, EXPORTED_AT_SEVERAL };

struct pool;
/* Where an import for this pool must go. *node is set for EXPORTED_AT. */
enum exported_where exported_find(const struct pool *p, struct bytes name, uint64_t *node);

#endif
