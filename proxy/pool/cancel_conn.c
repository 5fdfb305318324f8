/*
 * One errand of a pool set each. Knows neither backends nor sessions.
 */
#include "proxy/pool/cancel_conn.h"

#include "base/fault.h"
#include "base/log.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls.h"
#include "proxy/pool/pool.h"
#include "proxy/wire/pg_encode.h"

struct cancel_conn {
    struct pool_errand errand;
    struct stream *stream;
    struct timer deadline;
    struct tls_context *tls; /* one reference; NULL: in clear */
    char *host;              /* owned */
    bool awaits_tls_answer;
    bool was_sent;
    bool (*is_meant)(void *ctx);
    void (*on_end)(void *ctx, bool is_certain);
    void *ctx;
    size_t len;
    uint8_t request[CANCEL_REQUEST_MAX];
};

static void free_conn(struct cancel_conn *c) {
    tls_context_unref(c->tls);
    mem_free(c->host);
    mem_free(c);
}

static void finish(struct cancel_conn *c, bool is_certain) {
    list_remove(&c->errand.node);
    timer_release(&c->deadline);
    c->on_end(c->ctx, is_certain);
    free_conn(c);
}

static void end(struct cancel_conn *c) {
    stream_close(c->stream);
    finish(c, !c->was_sent);
}

static void send_request(void *owner) {
    struct cancel_conn *c = owner;
    if (c->is_meant && !c->is_meant(c->ctx)) {
        end(c);
        return;
    }
    stream_send(c->stream, bytes_of(c->request, c->len));
    c->was_sent = true;
}

static void on_connected(void *owner) {
    struct cancel_conn *c = owner;
    uint8_t storage[8];
    struct writer w;
    if (!c->tls) {
        send_request(c);
        return;
    }
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_ssl_request(&w);
    stream_send(c->stream, writer_bytes(&w));
    c->awaits_tls_answer = true;
}

/* A cancel is answered with nothing but a close; the request for TLS with one byte. */
static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    struct cancel_conn *c = owner;
    struct tls_start how = {.unused = data.len - 1, .host = c->host};
    struct err err = {0};
    (void)buf;
    if (!c->awaits_tls_answer) return data.len;
    c->awaits_tls_answer = false;
    if (data.ptr[0] == 'S' && stream_start_tls(c->stream, c->tls, &how, &err)) return 1;
    end(c);
    return data.len;
}

static void on_drained(void *owner) {
    (void)owner;
}

/* A close is the answer; a connection that breaks says nothing. */
static void on_closed(void *owner, const char *why) {
    struct cancel_conn *c = owner;
    (void)why;
    finish(c, !c->was_sent || !c->stream->error);
}

static const struct stream_handler handler = {
    .on_connected = on_connected,
    .on_secured = send_request,
    .on_received = on_received,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void abandon(struct pool_errand *e) {
    end(CONTAINER_OF(e, struct cancel_conn, errand));
}

static void on_deadline(struct timer *t) {
    end(CONTAINER_OF(t, struct cancel_conn, deadline));
}

static bool give_up(struct cancel_conn *c, const char *name, const char *why) {
    log_line(LOG_WARN, "pool", name, "cannot send a cancel request: %s", why);
    if (!c) return false;
    timer_release(&c->deadline);
    free_conn(c);
    return false;
}

bool cancel_conn_open(struct pool_set *set, const struct cancel_target *to, uint32_t timeout_ms, struct bytes request,
                      bool (*is_meant)(void *ctx), void (*on_end)(void *ctx, bool is_certain), void *ctx) {
    struct cancel_conn *c = request.len <= CANCEL_REQUEST_MAX ? mem_alloc(sizeof *c) : NULL;
    struct err err;
    if (!c || !timer_init(&c->deadline, set->loop, on_deadline)) return give_up(c, to->name, "out of memory");
    memcpy(c->request, request.ptr, request.len);
    c->len = request.len;
    c->is_meant = is_meant;
    c->on_end = on_end;
    c->ctx = ctx;
    c->tls = to->tls ? tls_context_ref(to->tls) : NULL;
    c->host = to->tls ? mem_strdup(to->host, strlen(to->host)) : NULL;
    if (c->tls && !c->host) return give_up(c, to->name, "out of memory");
    c->stream = stream_connect(set->loop, to->addr, &set->tcp, &handler, c, &err);
    if (!c->stream) return give_up(c, to->name, err.message);
    c->errand.abandon = abandon;
    list_init(&c->errand.node);
    list_push_back(&set->errands, &c->errand.node);
    timer_set(&c->deadline, timeout_ms);
    return true;
}
