/*
 * Owns a configuration for as long as anybody looks at it.
 */
#include "proxy/snapshot.h"

#include <stdatomic.h>

#include "base/fault.h"

struct snapshot *snapshot_new(struct config *c, const struct snapshot *old, struct err *err) {
    struct snapshot *s = mem_alloc(sizeof *s);
    if (!s) {
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    bool is_same_file = old && config_root(old->config) == config_root(c);
    bool has_tls = is_same_file ? tls_book_init_like(&s->tls, c, &old->tls, err) : tls_book_init(&s->tls, c, err);
    if (!has_tls || (!is_same_file && !user_store_warm(c->user_store, old ? old->config->user_store : NULL, err))) {
        tls_book_release(&s->tls);
        mem_free(s);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->config = c;
    if (is_same_file) addr_book_init_like(&s->book, c, &old->book, old->config);
    else addr_book_init(&s->book, c);
    return s;
}

struct snapshot *snapshot_ref(struct snapshot *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void snapshot_unref(struct snapshot *s) {
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1) return;
    addr_book_release(&s->book);
    tls_book_release(&s->tls);
    config_free(s->config);
    mem_free(s);
}
