/*
 * catalog_change.h - changes of what a database's names stand for that clients of gilmok make, on any worker.
 *
 *      begin -> (rests, while its transaction is open -> goes on, with what may be its COMMIT) -> end
 *
 * At the server it is made at some moment between what was sent and its answer: only then, not when gilmok hears of it. So what
 * the catalog says of a statement holds if no change began, went on or ended between when the statement was read and when all of
 * it was answered, and none was under way then. Who runs a statement counts what it sees when it is read, and asks at the end.
 *
 * What takes longer than CATALOG_CHANGE_MS (an index is made, a lock is waited for) stops being under way, although its end
 * counts as ever: else all statements of everybody were doubted for as long. What remains open is code that is called in the
 * moment between such a change and the arrival of its answer.
 */
#ifndef GILMOK_PROXY_POOL_CATALOG_CHANGE_H
#define GILMOK_PROXY_POOL_CATALOG_CHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proxy/pool/backend.h"

enum { CATALOG_CHANGE_MS = 5000 };

/* Of the whole process. */
struct catalog_changes {
    _Atomic uint64_t count; /* of beginnings, goings on and ends */
    _Atomic uint32_t under_way;
};

struct pool_set;

/* Never 0. */
uint64_t catalog_changes_seen(const struct pool_set *set);
/* Something may have changed, for who has seen `seen`. */
bool catalog_has_changed_since(const struct pool_set *set, uint64_t seen);

/* The lessee sends something that changes names or code. */
void catalog_change_begin(struct backend *b);
/* It sends something that may end a transaction in which such a change was made. */
void catalog_change_goes_on(struct backend *b);
/* All is answered, but the transaction is open. */
void catalog_change_rests(struct backend *b);
/* It is made, or taken back, or nobody will ever know. Nothing, if none has begun. */
void catalog_change_end(struct backend *b);
/* Asked now and then while it is leased. */
void catalog_change_expire(struct backend *b);

#endif
