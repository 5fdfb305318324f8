/*
 * The life of a server connection, without its language: states, lists, ends.
 */
#include "proxy/pool/backend.h"

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/catalog_change.h"
#include "proxy/pool/pool.h"

const char *backend_state_name(enum backend_state state) {
    static const char *const names[] = {"connecting", "login", "idle", "checking", "leased", "cleaning", "closed"};
    return names[state];
}

/* Rows: from; bits: to. */
static const uint8_t legal_moves[] = {
    [BACKEND_CONNECTING] = 1 << BACKEND_LOGIN | 1 << BACKEND_CLOSED,
    [BACKEND_LOGIN] = 1 << BACKEND_IDLE | 1 << BACKEND_CLOSED,
    [BACKEND_IDLE] = 1 << BACKEND_LEASED | 1 << BACKEND_CHECKING | 1 << BACKEND_CLOSED,
    [BACKEND_CHECKING] = 1 << BACKEND_IDLE | 1 << BACKEND_CLOSED,
    [BACKEND_LEASED] = 1 << BACKEND_IDLE | 1 << BACKEND_CLEANING | 1 << BACKEND_CLOSED,
    [BACKEND_CLEANING] = 1 << BACKEND_IDLE | 1 << BACKEND_CLOSED,
};

/* The list that holds connections in a state, and its count. */
static struct list *list_of(struct backend *b, enum backend_state state, uint32_t **count) {
    struct variant *v = b->variant;
    switch (state) {
    case BACKEND_CONNECTING:
    case BACKEND_LOGIN:
        *count = &v->opening_count;
        return &v->opening;
    case BACKEND_IDLE:
        *count = &v->idle_count;
        return &v->idle;
    case BACKEND_CHECKING:
    case BACKEND_LEASED:
    case BACKEND_CLEANING:
        *count = &v->busy_count;
        return &v->busy;
    case BACKEND_CLOSED:
        break;
    }
    *count = NULL;
    return &v->pool->set->dead;
}

void backend_set_state(struct backend *b, enum backend_state state) {
    INVARIANT(b->state != BACKEND_CLOSED && (legal_moves[b->state] & 1 << state));
    uint32_t *old_count, *new_count;
    struct list *old_list = list_of(b, b->state, &old_count);
    struct list *new_list = list_of(b, state, &new_count);
    if (b->state == BACKEND_LEASED) b->site->choice.outstanding--;
    if (state == BACKEND_LEASED) b->site->choice.outstanding++;
    b->state = state;
    b->state_since_us = b->variant->pool->set->loop->now_us;
    if (old_list == new_list) return;
    (*old_count)--;
    if (new_count) (*new_count)++;
    list_remove(&b->node);
    list_push_front(new_list, &b->node);
}

/* ---- what the stream reports ---- */

static void on_connected(void *owner) {
    struct backend *b = owner;
    backend_set_state(b, BACKEND_LOGIN);
    b->proto->on_connected(b);
}

static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    struct backend *b = owner;
    b->site->heard_us = b->stream->loop->now_us;
    return b->proto->on_received(b, buf, data);
}

static void on_drained(void *owner) {
    struct backend *b = owner;
    if (b->lessee) b->lessee->ops->on_room(b->lessee);
}

static void on_closed(void *owner, const char *why) {
    struct backend *b = owner;
    struct err err;
    const char *server = b->site->name;
    if (b->state == BACKEND_CONNECTING)
        err_set(&err, ERR_CANNOT_CONNECT, "cannot connect to server %s: %s", server, why);
    else if (b->state == BACKEND_LOGIN)
        err_set(&err, ERR_CANNOT_CONNECT, "server %s closed the connection during login: %s", server, why);
    else
        err_set(&err, ERR_CONNECTION_FAILURE, "server %s closed the connection: %s", server, why);
    backend_fail(b, &err);
}

static void on_secured(void *owner) {
    struct backend *b = owner;
    b->proto->on_secured(b);
}

static const struct stream_handler handler = {
    .on_connected = on_connected,
    .on_secured = on_secured,
    .on_received = on_received,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

struct backend *backend_open(struct variant *v, struct site *site, struct err *err) {
    struct pool *p = v->pool;
    struct backend *b = mem_alloc(p->proto->size);
    if (!b) {
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory for a server connection");
        return NULL;
    }
    list_init(&b->node);
    b->proto = p->proto;
    b->variant = v;
    ledger_init(&b->ledger);
    b->stream = stream_connect(p->set->loop, &site->addr, &p->set->tcp, &handler, b, err);
    if (!b->stream) {
        mem_free(b);
        return NULL;
    }
    b->id = p->set->last_backend_id += p->set->backend_id_step;
    b->opened_us = b->state_since_us = p->set->loop->now_us;
    b->state = BACKEND_CONNECTING;
    list_push_front(&v->opening, &b->node);
    v->opening_count++;
    p->total++;
    b->site = site_ref(site);
    site->total++;
    return b;
}

void backend_free(struct backend *b) {
    INVARIANT(b->state == BACKEND_CLOSED);
    b->proto->release(b);
    ledger_release(&b->ledger);
    site_unref(b->site);
    mem_free(b);
}

/* ---- ends ---- */

static void close_with(struct backend *b, const struct err *err, bool is_parameter_error, bool is_polite) {
    if (b->state == BACKEND_CLOSED) return;
    enum backend_state was = b->state;
    struct lessee *l = b->lessee;
    b->lessee = NULL;
    catalog_change_end(b);
    if (is_polite) {
        b->proto->send_goodbye(b);
        stream_finish(b->stream);
    } else {
        stream_close(b->stream);
    }
    b->stream = NULL;
    backend_set_state(b, BACKEND_CLOSED);
    pool_on_backend_gone(b, err, was == BACKEND_CONNECTING || was == BACKEND_LOGIN, is_parameter_error);
    if (l) {
        l->backend = NULL;
        l->ops->on_lost(l, b->is_client_told || b->is_reply_cut ? NULL : err);
    }
}

void backend_fail(struct backend *b, const struct err *err) {
    if (b->state != BACKEND_CLOSED)
        log_line(LOG_WARN, "pool", b->site->name, "s%llu %s: %s", (unsigned long long)b->id,
                 backend_state_name(b->state), err->message);
    close_with(b, err, false, false);
}

void backend_abort(struct backend *b, const struct err *err) {
    if (b->state == BACKEND_LEASED && !ledger_is_quiet(&b->ledger) && b->proto->send_abort) b->proto->send_abort(b);
    backend_fail(b, err);
}

void backend_fail_parameters(struct backend *b, const struct err *err) {
    close_with(b, err, true, false);
}

void backend_retire(struct backend *b) {
    INVARIANT(!b->lessee);
    close_with(b, NULL, false, b->state == BACKEND_IDLE);
}

void backend_on_ready(struct backend *b) {
    backend_set_state(b, BACKEND_IDLE);
    pool_on_backend_ready(b);
}

void backend_on_own_done(struct backend *b, bool is_ok) {
    if (b->state != BACKEND_CHECKING && b->state != BACKEND_CLEANING) return;
    if (!is_ok || b->is_retired) {
        backend_retire(b);
        return;
    }
    if (b->state == BACKEND_CHECKING) b->is_checked = true;
    else b->is_tainted = false;
    b->unnamed_owner = 0;
    backend_set_state(b, BACKEND_IDLE);
    pool_on_backend_clean(b);
}
