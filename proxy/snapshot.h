/*
 * snapshot.h - what the world looks like: a configuration, and what was made of it.
 *
 * Built by the control thread, never changed, shared by all workers: each holds one
 * reference to the snapshot in force. A reload builds a new one; the old one goes with
 * its last reference.
 */
#ifndef GILMOK_PROXY_SNAPSHOT_H
#define GILMOK_PROXY_SNAPSHOT_H

#include "proxy/config.h"
#include "proxy/topology/addr_book.h"
#include "proxy/pool/tls_book.h"

struct snapshot {
    _Atomic uint32_t refs;
    struct config *config; /* owned */
    struct addr_book book;
    struct tls_book tls;
};

/*
 * Takes over the configuration. Resolves names and derives the keys of users' passwords
 * (from `old`, which may be NULL, where they are the same): this may take a while. NULL:
 * memory is out, keys cannot be derived, or certificates cannot be used; the configuration
 * is still the caller's, to be freed. Of a configuration that differs from that of `old` in its nodes alone only what is new is
 * resolved, and nothing is derived.
 */
struct snapshot *snapshot_new(struct config *c, const struct snapshot *old, struct err *err);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is fine */

#endif
