/*
 * What a cancel connection means to the server connection that it is about.
 */
#include "proxy/pool/cancel_pg.h"

#include "base/fault.h"
#include "proxy/pool/cancel_conn.h"
#include "proxy/pool/pool.h"
#include "proxy/wire/pg_encode.h"

static_assert(BACKEND_PG_KEY_MAX + 12 <= CANCEL_REQUEST_MAX, "every server's key fits");

struct cancel_pg {
    struct backend *backend; /* kept alive by its cancels_open */
    uint64_t lessee_id;      /* 0: whoever it is */
    uint64_t queries;        /* groups that the backend had answered when the request was made */
    bool was_sent;
    void (*on_done)(void *ctx, bool was_sent);
    void *ctx;
    uint32_t *counter; /* of the backend's, that it counts in; NULL: nobody but gilmok wants it */
};

static void count_in(struct cancel_pg *c, uint32_t *counter) {
    if (c->counter) --*c->counter;
    c->counter = counter;
    if (counter) ++*counter;
}

static bool is_meant(const struct cancel_pg *c) {
    struct backend *b = c->backend;
    if (!c->lessee_id) return true;
    if (b->state != BACKEND_LEASED || !b->lessee || b->lessee->id != c->lessee_id || b->queries != c->queries) return false;
    const struct ledger_entry *next = ledger_head(&b->ledger);
    return next && next->fate != REPLY_SWALLOW;
}

static bool on_connected(void *ctx) {
    struct cancel_pg *c = ctx;
    if (!is_meant(c)) return false;
    c->was_sent = true;
    if (c->counter) count_in(c, &c->backend->cancels_sent);
    return true;
}

/* A request that may still arrive must find its target closed. */
static void on_end(void *ctx, bool is_certain) {
    struct cancel_pg *c = ctx;
    if (!is_certain) c->backend->is_retired = true;
    count_in(c, NULL);
    pool_on_cancel_done(c->backend);
    if (c->on_done) c->on_done(c->ctx, c->was_sent);
    mem_free(c);
}

bool cancel_pg_send(struct backend *b, uint64_t lessee_id, void (*on_done)(void *ctx, bool was_sent), void *ctx) {
    struct pool *p = b->variant->pool;
    struct backend_pg *bp = backend_pg_of(b);
    struct cancel_pg *c = mem_alloc(sizeof *c);
    uint8_t storage[CANCEL_REQUEST_MAX];
    struct writer w;
    if (!c) return false;
    *c = (struct cancel_pg){.backend = b, .lessee_id = lessee_id, .queries = b->queries, .on_done = on_done, .ctx = ctx};
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_cancel(&w, b->server_id, bytes_of(bp->key, bp->key_len));
    struct cancel_target to = {.addr = &b->site->addr, .tls = b->site->tls, .host = b->site->host, .name = b->site->name};
    if (!cancel_conn_open(p->set, &to, p->limits.connect_timeout_ms, writer_bytes(&w), on_connected, on_end, c)) {
        mem_free(c);
        return false;
    }
    b->cancels_open++;
    if (lessee_id) count_in(c, &b->cancels_unsent);
    return true;
}
