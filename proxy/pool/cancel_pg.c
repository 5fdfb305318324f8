/*
 * One short connection per cancel: connect, send, wait for the close.
 */
#include "proxy/pool/cancel_pg.h"

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/pool.h"
#include "proxy/wire/pg_encode.h"

struct cancel_pg {
    struct pool_errand errand;
    struct stream *stream;
    struct timer deadline;
    struct backend *backend; /* kept alive by its cancels_open */
    uint64_t lessee_id;      /* 0: whoever it is */
    bool was_sent;
    void (*on_done)(void *ctx);
    void *ctx;
};

/* `is_certain`: no request is on its way to the server any more. One that may still arrive must find its target closed. */
static void finish(struct cancel_pg *c, bool is_certain) {
    void (*on_done)(void *) = c->on_done;
    void *ctx = c->ctx;
    if (!is_certain) c->backend->is_retired = true;
    list_remove(&c->errand.node);
    timer_release(&c->deadline);
    pool_on_cancel_done(c->backend);
    mem_free(c);
    if (on_done) on_done(ctx);
}

static void end(struct cancel_pg *c) {
    stream_close(c->stream);
    finish(c, !c->was_sent);
}

static bool is_still_meant(const struct cancel_pg *c) {
    const struct backend *b = c->backend;
    if (!c->lessee_id) return true;
    return b->state == BACKEND_LEASED && b->lessee && b->lessee->id == c->lessee_id && !ledger_is_quiet(&b->ledger);
}

static void on_connected(void *owner) {
    struct cancel_pg *c = owner;
    struct backend_pg *bp = backend_pg_of(c->backend);
    uint8_t storage[BACKEND_PG_KEY_MAX + 16];
    struct writer w;
    if (!is_still_meant(c)) {
        end(c); /* the exchange is over: nothing to cancel any more */
        return;
    }
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_cancel(&w, bp->pid, bytes_of(bp->key, bp->key_len));
    stream_send(c->stream, writer_bytes(&w));
    c->was_sent = true;
}

static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    (void)owner;
    (void)buf;
    return data.len; /* a server answers a cancel with nothing but a close */
}

static void on_drained(void *owner) {
    (void)owner;
}

/* The server closes when it has delivered its signal; a connection that breaks says nothing. */
static void on_closed(void *owner, const char *why) {
    struct cancel_pg *c = owner;
    (void)why;
    finish(c, !c->was_sent || !c->stream->error);
}

static const struct stream_handler handler = {
    .on_connected = on_connected,
    .on_received = on_received,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void abandon_errand(struct pool_errand *e) {
    struct cancel_pg *c = CONTAINER_OF(e, struct cancel_pg, errand);
    c->on_done = NULL;
    end(c);
}

static void on_deadline(struct timer *t) {
    end(CONTAINER_OF(t, struct cancel_pg, deadline));
}

static struct cancel_pg *give_up(struct cancel_pg *c, const struct pool *p, const char *why) {
    log_line(LOG_WARN, "pool", p->server_name, "cannot send a cancel request: %s", why);
    if (c) timer_release(&c->deadline);
    mem_free(c);
    return NULL;
}

struct cancel_pg *cancel_pg_send(struct backend *b, uint64_t lessee_id, void (*on_done)(void *ctx), void *ctx) {
    struct pool *p = b->variant->pool;
    struct cancel_pg *c = mem_alloc(sizeof *c);
    struct err err;
    if (!c || !timer_init(&c->deadline, p->set->loop, on_deadline)) return give_up(c, p, "out of memory");
    c->stream = stream_connect(p->set->loop, &p->server_addr, &p->set->tcp, &handler, c, &err);
    if (!c->stream) return give_up(c, p, err.message);
    c->errand.abandon = abandon_errand;
    list_init(&c->errand.node);
    list_push_back(&p->set->errands, &c->errand.node);
    c->backend = b;
    c->lessee_id = lessee_id;
    c->on_done = on_done;
    c->ctx = ctx;
    b->cancels_open++;
    timer_set(&c->deadline, p->connect_timeout_ms);
    return c;
}

void cancel_pg_detach(struct cancel_pg *c) {
    c->on_done = NULL;
}
