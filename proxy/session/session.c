/*
 * The life of a client, without its language: states, lease, timeouts, ends.
 */
#include "proxy/session/password_line.h"
#include "proxy/session/session.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/session/session_move.h"
#include "proxy/wire/my_compress.h"

const char *session_state_name(enum session_state state) {
    static const char *const names[] = {"login", "login-waiting", "idle", "waiting", "active", "held", "closed"};
    return names[state];
}

/* Rows: from; bits: to. */
static const uint8_t legal_moves[] = {
    [SESSION_LOGIN] = 1 << SESSION_LOGIN_WAITING | 1 << SESSION_IDLE | 1 << SESSION_CLOSED,
    [SESSION_LOGIN_WAITING] = 1 << SESSION_IDLE | 1 << SESSION_CLOSED,
    [SESSION_IDLE] = 1 << SESSION_WAITING | 1 << SESSION_ACTIVE | 1 << SESSION_HELD | 1 << SESSION_CLOSED,
    [SESSION_WAITING] = 1 << SESSION_ACTIVE | 1 << SESSION_IDLE | 1 << SESSION_CLOSED,
    [SESSION_ACTIVE] = 1 << SESSION_IDLE | 1 << SESSION_HELD | 1 << SESSION_CLOSED,
    [SESSION_HELD] = 1 << SESSION_ACTIVE | 1 << SESSION_IDLE | 1 << SESSION_CLOSED,
};

static bool is_login(enum session_state state) {
    return state == SESSION_LOGIN;
}

void session_set_state(struct session *s, enum session_state state) {
    INVARIANT(s->state != SESSION_CLOSED && (legal_moves[s->state] & 1 << state));
    struct session_env *env = s->env;
    if (is_login(s->state)) {
        env->login_count--;
        list_remove(&s->node);
        if (state != SESSION_CLOSED) {
            list_push_back(&env->sessions, &s->node);
            env->session_count++;
            atomic_fetch_add_explicit(&env->hub->session_count, 1, memory_order_relaxed);
        }
    } else if (state == SESSION_CLOSED) {
        env->session_count--;
        if (s->is_console) atomic_fetch_sub_explicit(&env->hub->console_count, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&env->hub->session_count, 1, memory_order_release);
        list_remove(&s->node);
    }
    s->state = state;
    s->state_since_us = env->loop->now_us;
}

/* ---- the lease ---- */

bool session_may_release(const struct session *s) {
    const struct backend *b = s->lessee.backend;
    return b && !s->pins && ledger_is_quiet(&b->ledger) && b->ledger.txn == TXN_NONE;
}

void session_hold(struct session *s) {
    s->transaction_since_us = s->env->loop->now_us;
    session_set_state(s, SESSION_HELD);
}

void session_hold_for(struct session *s, uint64_t us) {
    s->hold_until_us = s->env->loop->now_us + us;
    list_push_back(&s->env->holding, &s->hold_node);
}

void session_end_hold(struct session *s) {
    list_remove(&s->hold_node);
}

void session_env_want(struct session_env *env, const struct pool *p) {
    LIST_EACH(n, &env->holding) {
        struct session *s = CONTAINER_OF(n, struct session, hold_node);
        if (session_pool(s) != p || s->state != SESSION_HELD) continue;
        session_end_hold(s);
        s->proto->on_hold_over(s);
        return;
    }
}

void session_release_lease(struct session *s) {
    session_end_hold(s); /* also where the connection is lost */
    if (!s->lessee.backend) return;
    /* Nobody has kept count of what it has done there, or it leaves before it is known. */
    if (s->pins & (PIN_MODE | PIN_DESCRIBING | PIN_LENT)) s->lessee.backend->is_tainted = true;
    pool_release(&s->lessee);
    if (!s->stream) return;
    stream_resume(s->stream); /* it may have been paused for a slow server that is no longer its own */
    if (stream_has_held(s->stream)) session_resume_input(s);
}

/* ---- what can run again ---- */

void session_keep_exchange(struct session *s, struct bytes exchange) {
    struct buf *buf = exchange.len <= BUF_LARGE_SIZE ? buf_take(&s->env->loop->bufs, buf_class_for(exchange.len)) : NULL;
    if (UNLIKELY(s->again.buf != NULL)) session_forget_exchange(s);
    if (!buf) return; /* then it runs once */
    s->again = (struct session_again){.buf = buf};
    memcpy(buf->data, exchange.ptr, exchange.len);
    buf->len = (uint32_t)exchange.len;
}

void session_forget_exchange(struct session *s) {
    buf_unref(s->again.buf);
    s->again = (struct session_again){.buf = NULL};
}

bool session_can_run_again(const struct session *s) {
    return s->again.buf && (!s->again.is_replayed || s->again.is_elsewhere) && s->request.stage == REQUEST_RELAY;
}

void session_take_back(struct session *s) {
    s->request.is_taken_back = true;
    s->is_held_back = true;
    session_resume_input(s); /* when nothing is owed even now */
}

/* Its connection was lost, for the first time: is there another replica that would do? */
static bool may_run_elsewhere(struct session *s) {
    struct lessee *l = &s->lessee;
    struct pool *p = s->target ? s->target->pool : NULL;
    if (s->again.is_elsewhere || !l->at || l->only || !p || p->copy_node) return false;
    pool_look_again(p);
    if (!pool_serves_reads(p)) return false;
    l->shuns = l->at;
    if (pool_is_fresh(p, l, l->needs_us)) return true;
    l->shuns = 0;
    return false;
}

/*
 * With the client none the wiser: at another replica, or on the primary. `b` NULL: its connection was lost. What a replica has
 * refused others would refuse; what it has cancelled for its replay has waited long enough for one that cannot be cancelled so.
 */
static void run_again(struct session *s, struct backend *b) {
    uint64_t started_us = s->request.started_us;
    bool is_elsewhere = !b && may_run_elsewhere(s);
    s->proto->on_taken_back(s, b, bytes_of(s->again.buf->data, s->again.buf->len));
    session_release_lease(s);
    session_set_state(s, SESSION_IDLE);
    s->request.stage = REQUEST_NONE;
    s->again.is_replayed = true;
    s->again.is_elsewhere = is_elsewhere;
    s->again.at = 0;
    s->route = ROUTE_RETRIED;
    (void)request_open(s, is_elsewhere);
    s->request.started_us = started_us;
    session_resume_input(s);
}

/* What runs again stands in front of what the client has sent since. */
static void offer_input(struct session *s) {
    if (UNLIKELY(s->again.is_replayed)) {
        struct buf *buf = buf_ref(s->again.buf);
        size_t left = s->again.used - s->again.at;
        bool was_elsewhere = s->again.is_elsewhere;
        size_t used = left ? s->proto->on_received(s, buf, bytes_of(buf->data + s->again.at, left)) : 0;
        buf_unref(buf);
        if (s->state == SESSION_CLOSED || !s->again.buf) return;
        if (was_elsewhere != s->again.is_elsewhere) return; /* lost once more: from its beginning, soon */
        s->again.at += (uint32_t)used;
        if (used < left) return;
        if (s->again.is_elsewhere) s->again.is_replayed = false; /* as for the first time */
        else session_forget_exchange(s);
    }
    if (UNLIKELY(session_has_whole(s)) && !session_offer_whole(s)) return;
    stream_reoffer(s->stream);
}

void session_check_answered(struct session *s) {
    if (UNLIKELY(s->request.is_taken_back)) {
        struct backend *b = s->lessee.backend;
        if (s->request.stage == REQUEST_RELAY && b && ledger_is_quiet(&b->ledger)) run_again(s, b);
        return;
    }
    if (s->request.stage != REQUEST_RELAY || !s->request.has_sent || !ledger_is_quiet(&s->lessee.backend->ledger)) return;
    s->request.is_answered = true;
    request_run(s);
}

static struct session *session_of(struct lessee *l) {
    return CONTAINER_OF(l, struct session, lessee);
}

void session_go_on(struct session *s) {
    request_run(s);
    if (s->state != SESSION_WAITING && s->state != SESSION_CLOSED) offer_input(s);
}

static void on_leased(struct lessee *l, struct backend *b) {
    struct session *s = session_of(l);
    if (s->state == SESSION_LOGIN_WAITING) {
        s->proto->on_login_leased(s, b);
        return;
    }
    session_go_on(s);
}

enum route_reason session_why_no_replica(const struct session *s) {
    if (s->lessee.only) return ROUTE_NODE;
    return s->lessee.needs_us ? ROUTE_STALE : ROUTE_NO_REPLICA;
}

static void on_refused(struct lessee *l, const struct err *err) {
    struct session *s = session_of(l);
    if (s->state == SESSION_LOGIN_WAITING) {
        session_end(s, err);
        return;
    }
    bool has_another_way = s->request.wants_replica;
    session_stop_awaiting(s);
    s->lessee.insists = false;
    s->lessee.shuns = 0;
    s->request.stage = REQUEST_NONE;
    session_set_state(s, SESSION_IDLE);
    if (has_another_way && s->again.is_replayed) {
        s->again.is_elsewhere = false;
        s->route = ROUTE_RETRIED;
        (void)request_open(s, false);
        session_resume_input(s);
        return;
    }
    if (has_another_way) {
        session_forget_exchange(s);
        s->route = (uint8_t)session_why_no_replica(s);
        if (request_open(s, false)) stream_reoffer(s->stream);
        return;
    }
    s->proto->refuse(s, err);
    session_forget_exchange(s);
    session_resume_input(s);
}

static void on_reply(struct lessee *l, struct buf *buf, struct bytes data) {
    struct session *s = session_of(l);
    session_pool(s)->stats.sent += data.len;
    stream_send_ref(s->stream, buf, data);
    if (stream_is_congested(s->stream)) stream_pause(l->backend->stream);
    if (s->is_held_back) session_resume_input(s); /* replies came in: there may be room in the ledger */
}

/* Statement pooling: whoever opens a transaction block would keep others waiting, which they were promised not to. */
static void refuse_transaction(struct session *s) {
    struct err err;
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED, "transaction blocks are not allowed with pool_mode = statement");
    session_end(s, &err);
}

static void count_transaction(struct session *s) {
    struct pool_stats *stats = &session_pool(s)->stats;
    uint64_t now = s->env->loop->now_us;
    stats->transactions++;
    stats->transaction_us += now - s->transaction_since_us;
    s->transaction_since_us = now; /* of the next one, when it was sent along already */
}

/* By now it is acknowledged: who reads later must find it. In a transaction it will be, at its end. */
static void note_written(struct session *s, const struct backend *b, bool is_quiet) {
    uint64_t now_us = clock_now_us(s->env->loop->clock), before;
    s->written_us = now_us;
    if (is_quiet && b->ledger.txn == TXN_NONE) s->has_written = false;
    if (!atomic_load_explicit(&s->env->hub->reads_globally, memory_order_relaxed)) return;
    before = atomic_load_explicit(&s->env->hub->written_us, memory_order_relaxed);
    while (before < now_us && !atomic_compare_exchange_weak(&s->env->hub->written_us, &before, now_us)) {}
}

/* Where nobody knows what texts do, each may write. */
static bool may_have_written(const struct session *s) {
    bool is_read_about = session_pool(s)->limits.read_write_split && !(s->pins & PIN_MODE);
    return s->has_written || (!is_read_about && atomic_load_explicit(&s->env->hub->reads_globally, memory_order_relaxed));
}

/* The next one of the same request is judged by nobody. */
static void count_route(struct session *s, struct pool *p) {
    if (p->routes) p->routes->exchanges[session_is_at_replica(s) ? ROUTE_READS : s->route]++;
    s->route = s->lessee.backend->ledger.txn == TXN_NONE ? ROUTE_PIPELINED : ROUTE_TRANSACTION;
}

static void on_group_end(struct lessee *l, uint16_t tag, bool is_quiet) {
    struct session *s = session_of(l);
    s->queries++;
    session_pool(s)->stats.queries++;
    if (UNLIKELY(session_pool(s)->limits.read_write_split)) count_route(s, session_pool(s));
    if (l->backend->ledger.txn == TXN_NONE) count_transaction(s);
    if (may_have_written(s)) note_written(s, l->backend, is_quiet);
    s->proto->on_group_end(s, l->backend, tag);
    if (s->state == SESSION_CLOSED) return;
    if (session_pool(s)->mode == POOL_STATEMENT && l->backend->ledger.txn != TXN_NONE) {
        refuse_transaction(s);
        return;
    }
    if (is_quiet) session_check_answered(s);
    if (s->is_held_back || (s->env->is_draining && s->state == SESSION_IDLE)) session_resume_input(s);
}

static void on_tagged(struct lessee *l, uint8_t kind, uint16_t tag) {
    struct session *s = session_of(l);
    if (s->proto->on_tagged) s->proto->on_tagged(s, l->backend, kind, tag);
}

static void on_failed(struct lessee *l, uint8_t kind, uint16_t tag) {
    struct session *s = session_of(l);
    if (s->proto->on_failed) s->proto->on_failed(s, l->backend, kind, tag);
}

static bool on_error(struct lessee *l, uint8_t kind, uint16_t tag, struct bytes message) {
    struct session *s = session_of(l);
    return s->proto->on_error && s->proto->on_error(s, l->backend, kind, tag, message);
}

static bool on_held_error(struct lessee *l, struct bytes message) {
    struct session *s = session_of(l);
    if (!session_can_run_again(s) || !s->proto->takes_back(s, message)) return false;
    session_take_back(s);
    return true;
}

static void on_hold_ended(struct lessee *l) {
    session_forget_exchange(session_of(l));
}

static void on_hidden(struct lessee *l) {
    struct session *s = session_of(l);
    if (s->is_held_back) session_resume_input(s);
}

static void on_statements_dropped(struct lessee *l) {
    struct session *s = session_of(l);
    s->pins &= (uint32_t)~PIN_PREPARED;
    if (s->proto->on_statements_dropped) s->proto->on_statements_dropped(s);
}

/* Something of gilmok's own has ended: nothing else may have kept the connection. */
void session_on_unpinned(struct session *s) {
    if (s->state == SESSION_HELD && session_may_release(s)) {
        session_release_lease(s);
        session_set_state(s, SESSION_IDLE);
    }
    if (s->state != SESSION_CLOSED && (s->is_held_back || s->env->is_draining)) session_resume_input(s);
}

void session_on_handed_over(struct session *s) {
    INVARIANT(s->state == SESSION_HELD && !s->lessee.backend);
    session_set_state(s, SESSION_IDLE);
    stream_resume(s->stream);
    session_resume_input(s);
}

/* Nothing but the look may have kept the connection. */
static void on_looked(struct lessee *l, struct bytes answer, bool ok) {
    struct session *s = session_of(l);
    s->proto->on_looked(s, l->backend, answer, ok);
    session_on_unpinned(s);
    if (s->state == SESSION_ACTIVE) session_check_answered(s);
}

static void on_settled(struct lessee *l) {
    struct session *s = session_of(l);
    session_on_unpinned(s);
    if (s->state == SESSION_ACTIVE) session_check_answered(s);
    if (s->state != SESSION_CLOSED && s->proto->on_settled && l->backend) s->proto->on_settled(s, l->backend);
}

static bool on_notification(struct lessee *l, struct buf *buf, struct bytes message) {
    struct session *s = session_of(l);
    (void)buf;
    return s->proto->on_notification(s, message);
}

static void on_room(struct lessee *l) {
    struct session *s = session_of(l);
    stream_resume(s->stream);
    session_resume_input(s);
}

static void on_lost(struct lessee *l, const struct err *err) {
    struct session *s = session_of(l);
    if (session_can_run_again(s)) run_again(s, NULL);
    else if (err) session_end(s, err);
    else session_leave(s, "its server connection ended");
}

static void on_better_share(struct lessee *l, uint32_t index) {
    struct session *s = session_of(l);
    if (s->is_bound || s->again.is_replayed || s->whole) return; /* what it has taken in already would stay here */
    if (s->state == SESSION_WAITING || s->state == SESSION_LOGIN_WAITING) (void)session_move(s, index);
}

static const struct lessee_ops lessee_ops = {
    .on_leased = on_leased,
    .on_refused = on_refused,
    .on_reply = on_reply,
    .on_group_end = on_group_end,
    .on_tagged = on_tagged,
    .on_failed = on_failed,
    .on_error = on_error,
    .on_held_error = on_held_error,
    .on_hold_ended = on_hold_ended,
    .on_hidden = on_hidden,
    .on_statements_dropped = on_statements_dropped,
    .on_looked = on_looked,
    .on_settled = on_settled,
    .on_notification = on_notification,
    .on_room = on_room,
    .on_lost = on_lost,
    .on_better_share = on_better_share,
};

/* ---- the stream ---- */

static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    struct session *s = owner;
    size_t header = 0;
    if (UNLIKELY(s->again.is_replayed || session_has_whole(s))) return 0;
    if (UNLIKELY(s->awaits_header)) {
        header = session_peer_take_header(s, data);
        if (s->awaits_header || header == data.len) return header;
        data = bytes_of(data.ptr + header, data.len - header);
    }
    return header + s->proto->on_received(s, buf, data);
}

static void on_drained(void *owner) {
    struct session *s = owner;
    if (s->lessee.backend) stream_resume(s->lessee.backend->stream);
}

static void on_closed(void *owner, const char *why) {
    struct session *s = owner;
    s->stream = NULL;
    session_close(s, why);
}

static void on_garbled(void *owner) {
    struct session *s = owner;
    s->proto->on_garbled(s);
}

const struct stream_handler session_stream_handler = {
    .on_received = on_received,
    .on_drained = on_drained,
    .on_closed = on_closed,
    .on_garbled = on_garbled,
};

void session_send(struct session *s, struct bytes data) {
    if (s->stream) stream_send(s->stream, data);
}

static void drain_end(struct session *s) {
    struct err err;
    err_set(&err, ERR_ADMIN_SHUTDOWN, "terminating connection because gilmok is shutting down");
    session_end(s, &err);
}

static void on_resume(struct task *t) {
    struct session *s = CONTAINER_OF(t, struct session, resume);
    if (s->state == SESSION_CLOSED) return;
    if (s->moves_to) {
        (void)session_move(s, s->moves_to - 1); /* else the next tick tries again: the client has not read all of its login yet */
        return;
    }
    if (s->env->is_draining && s->state == SESSION_IDLE && !s->has_begun && !s->whole && !stream_has_held(s->stream)) {
        drain_end(s);
        return;
    }
    s->is_held_back = false;
    if (UNLIKELY(s->request.is_taken_back)) session_check_answered(s);
    else offer_input(s);
}

void session_join(struct session *s, struct variant *v) {
    s->variant = v;
    v->sessions++;
    v->pool->clients++;
    if (v->pool->mode == POOL_SESSION || v->is_single_use) s->pins |= PIN_MODE;
}

void session_leave_copies(struct session *s) {
    for (uint32_t i = 0; s->subscribers && i < s->subscribers->count; i++) {
        if (s->copies[i]) s->copies[i]->readers--;
        s->copies[i] = NULL;
    }
    s->subscribers = NULL;
}

void session_leave_variant(struct session *s) {
    if (!s->variant) return;
    if (s->reads) s->reads->readers--;
    s->reads = s->target = NULL;
    session_leave_copies(s);
    s->variant->sessions--;
    s->variant->pool->clients--;
    s->variant = NULL;
}

void session_console_done(struct session *s, struct writer *reply, bool ends) {
    s->console_job = NULL;
    s->proto->on_console_reply(s, reply, ends);
    if (s->state == SESSION_CLOSED) return;
    if (ends) {
        struct err err;
        err_set(&err, ERR_ADMIN_SHUTDOWN, "terminating connection due to administrator command");
        session_end(s, &err);
    } else {
        session_resume_input(s);
    }
}

void session_resume_input(struct session *s) {
    if (s->state != SESSION_CLOSED) loop_defer(s->env->loop, &s->resume);
}

/* ---- beginning and end ---- */

static void on_bury(struct task *t) {
    struct session_env *env = CONTAINER_OF(t, struct session_env, bury);
    struct list *n;
    while ((n = list_take_first(&env->dead))) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        s->proto->release(s);
        mem_free(s->user);
        mem_free(s->database);
        mem_free(s);
    }
}

void session_hub_init(struct session_hub *hub, uint32_t worker_count) {
    *hub = (struct session_hub){.worker_count = worker_count};
    share_book_init(&hub->shares, worker_count);
    budget_book_init(&hub->budgets);
    gate_book_init(&hub->gates);
    vacate_book_init(&hub->vacating);
    topology_init(&hub->topology);
    exported_init(&hub->exported);
    my_key_book_init(&hub->my_keys);
}

void session_hub_read_globally(struct session_hub *hub, uint64_t now_us) {
    if (atomic_load_explicit(&hub->reads_globally, memory_order_acquire)) return;
    atomic_store(&hub->written_us, now_us);
    atomic_store(&hub->reads_globally, true);
}

void session_hub_release(struct session_hub *hub) {
    share_book_release(&hub->shares);
    budget_book_release(&hub->budgets);
    gate_book_release(&hub->gates);
    vacate_book_release(&hub->vacating);
    exported_release(&hub->exported);
    my_key_book_release(&hub->my_keys);
    topology_release(&hub->topology);
}

void session_env_init(struct session_env *env, struct session_hub *hub, uint32_t worker, struct loop *loop,
                      struct pool_set *pools) {
    *env = (struct session_env){.hub = hub, .worker = worker, .loop = loop, .pools = pools};
    hub->envs[worker] = env;
    pools->gates = &hub->gates;
    pools->catalog_changes = &hub->catalog_changes;
    pools->exported = &hub->exported;
    pools->topology = &hub->topology;
    pools->backend_id_step = hub->worker_count;
    pools->last_backend_id = (uint64_t)worker + 1 - hub->worker_count; /* the first one is worker + 1 */
    list_init(&env->logins);
    list_init(&env->await_fresh);
    list_init(&env->holding);
    list_init(&env->sessions);
    list_init(&env->dead);
    list_init(&env->interrupts);
    list_init(&env->password_line);
    secret_book_init(env);
    task_init(&env->bury, on_bury);
    arena_init(&env->arena, SESSION_ARENA_MAX);
}

void session_env_release(struct session_env *env) {
    struct list *n;
    while ((n = list_first(&env->logins)) || (n = list_first(&env->sessions)))
        session_close(CONTAINER_OF(n, struct session, node), "gilmok stops");
    session_pg_interrupts_release(env);
    task_cancel(&env->bury);
    on_bury(&env->bury);
    password_line_release(env);
    session_fresh_release(env);
    secret_book_release(env);
    my_compress_kit_free(env->compress_kit);
    env->compress_kit = NULL;
    effect_cache_free(env->effects);
    env->effects = NULL;
    arena_release(&env->arena);
}

/*
 * Too many half-open logins: the oldest that still owes us bytes makes room, so that slow ones cannot lock others out; where none
 * owes any, the oldest of all.
 */
static void make_room_for_login(struct session_env *env) {
    uint32_t workers = env->hub->worker_count;
    struct err err;
    if (env->login_count < (env->config->max_login_conn + workers - 1) / workers) return;
    LIST_EACH(n, &env->logins) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->owes_nothing) continue;
        session_close(s, "login given up: max_login_conn reached");
        return;
    }
    err_set(&err, ERR_TOO_MANY_CONNECTIONS, "too many clients are logging in (max_login_conn)");
    session_end(CONTAINER_OF(list_first(&env->logins), struct session, node), &err);
}

void session_open(struct session_env *env, const struct session_proto *proto, struct stream *stream, const struct addr *peer) {
    make_room_for_login(env);
    struct session *s = mem_alloc(proto->size);
    if (!s) {
        stream_close(stream);
        return;
    }
    s->env = env;
    s->proto = proto;
    s->stream = stream;
    s->id = s->lessee.id = atomic_fetch_add_explicit(&env->hub->last_id, 1, memory_order_relaxed) + 1;
    s->lessee.ops = &lessee_ops;
    s->opened_us = s->state_since_us = env->loop->now_us;
    list_init(&s->node);
    list_init(&s->fresh_node);
    list_init(&s->hold_node);
    list_init(&s->lessee.wait_node);
    task_init(&s->resume, on_resume);
    session_peer_init(s, peer);
    list_push_back(&env->logins, &s->node);
    env->login_count++;
    stream_adopt(stream, &session_stream_handler, s);
    proto->on_open(s);
}

static void leave_everything(struct session *s) {
    session_forget_exchange(s);
    session_forget_whole(s);
    request_drop(s);
    task_cancel(&s->resume);
    if (s->console_job) s->env->console->abandon(s->console_job);
    s->console_job = NULL;
    session_release_lease(s);
    session_leave_variant(s);
    if (s->group) share_book_leave(&s->env->hub->shares, s->group, s->share);
    s->group = NULL;
}

/* What remains to be done once the stream is dealt with. */
static void finish_close(struct session *s, const char *why) {
    char label[192];
    if (log_is_on(LOG_DEBUG, "session")) log_line(LOG_DEBUG, "session", session_label(s, label), "closed: %s", why);
    s->stream = NULL;
    session_set_state(s, SESSION_CLOSED);
    leave_everything(s);
    list_push_back(&s->env->dead, &s->node);
    loop_defer(s->env->loop, &s->env->bury);
}

void session_close(struct session *s, const char *why) {
    if (s->state == SESSION_CLOSED) return;
    if (s->stream) stream_close(s->stream);
    finish_close(s, why);
}

void session_leave(struct session *s, const char *why) {
    if (s->state == SESSION_CLOSED) return;
    if (s->stream) stream_finish(s->stream);
    finish_close(s, why);
}

void session_end(struct session *s, const struct err *err) {
    if (s->state == SESSION_CLOSED) return;
    char label[192];
    log_line(LOG_INFO, "session", session_label(s, label), "ended: %s", err->message);
    bool has_place = !s->lessee.backend || !s->lessee.backend->is_reply_cut; /* not inside of a message: it would become its rest */
    if (s->stream) {
        if (has_place) s->proto->tell(s, err, true);
        stream_finish(s->stream);
    }
    finish_close(s, err->message);
}

/* ---- time ---- */

static bool is_past(uint64_t now_us, uint64_t since_us, uint32_t limit_ms) {
    return limit_ms && now_us - since_us > (uint64_t)limit_ms * 1000;
}

static void fail_lease(struct session *s, const char *sqlstate, const char *what, uint32_t limit_ms) {
    struct err err;
    err_set(&err, sqlstate, "%s (%u ms)", what, limit_ms);
    session_forget_exchange(s); /* it has had its time */
    backend_abort(s->lessee.backend, &err); /* ends this session too, through on_lost */
}

/* Of one whose server knows nothing of its transaction yet. */
static void check_begun(struct session *s, uint64_t now) {
    struct err err;
    const struct pool_limits *l = &session_pool(s)->limits;
    if (s->begun_limit_ms && is_past(now, s->state_since_us, s->begun_limit_ms))
        err_set(&err, ERR_IDLE_IN_TRANSACTION, "terminating connection due to idle-in-transaction timeout");
    else if (is_past(now, s->state_since_us, l->idle_transaction_timeout_ms))
        err_set(&err, ERR_IDLE_IN_TRANSACTION, "terminating connection due to idle_transaction_timeout (%u ms)",
                l->idle_transaction_timeout_ms);
    else if (is_past(now, s->transaction_since_us, l->transaction_timeout_ms))
        err_set(&err, "25P04", "terminating connection due to transaction_timeout (%u ms)", l->transaction_timeout_ms);
    else return;
    session_end(s, &err);
}

static void check_session(struct session *s, uint64_t now) {
    const struct pool *p = session_pool(s);
    const struct config *c = s->env->config;
    if (s->moves_to || UNLIKELY(s->is_proving)) {
        if (is_past(now, s->state_since_us, c->login_timeout_ms)) session_close(s, "login_timeout");
        else if (s->moves_to) session_resume_input(s);
        return;
    }
    if (p && s->variant->is_single_use) return; /* replication runs for as long as it likes */
    if (s->has_begun && s->state == SESSION_IDLE) {
        check_begun(s, now);
        return;
    }
    bool is_in_transaction = s->lessee.backend && s->lessee.backend->ledger.txn != TXN_NONE;
    bool is_idle = s->state == SESSION_IDLE || (s->state == SESSION_HELD && !is_in_transaction);
    if (is_idle && is_past(now, s->state_since_us, c->client_idle_timeout_ms)) {
        struct err err;
        err_set(&err, ERR_IDLE_SESSION_TIMEOUT, "terminating connection due to client_idle_timeout (%u ms)",
                c->client_idle_timeout_ms);
        session_end(s, &err);
        return;
    }
    if (!s->lessee.backend) return;
    bool awaits_us = s->state == SESSION_HELD && s->is_held_back && !is_in_transaction; /* what gilmok asks behind a statement */
    if (s->state == SESSION_LOGIN_WAITING && is_past(now, s->lessee.backend->state_since_us, p->limits.connect_timeout_ms))
        fail_lease(s, ERR_CANNOT_CONNECT, "the server gave no answer about the startup parameters within connect_timeout",
                   p->limits.connect_timeout_ms);
    else if (s->state == SESSION_ACTIVE && is_past(now, s->request.started_us, p->limits.query_timeout_ms))
        fail_lease(s, ERR_QUERY_CANCELED, "terminating connection due to query_timeout", p->limits.query_timeout_ms);
    else if (awaits_us && is_past(now, s->state_since_us, p->limits.query_timeout_ms))
        fail_lease(s, ERR_QUERY_CANCELED, "terminating connection due to query_timeout", p->limits.query_timeout_ms);
    else if ((is_in_transaction || s->state == SESSION_ACTIVE) &&
             is_past(now, s->transaction_since_us, p->limits.transaction_timeout_ms))
        fail_lease(s, "25P04", "terminating connection due to transaction_timeout", p->limits.transaction_timeout_ms);
    else if (s->state == SESSION_HELD && is_in_transaction &&
             is_past(now, s->state_since_us, p->limits.idle_transaction_timeout_ms))
        fail_lease(s, ERR_IDLE_IN_TRANSACTION, "terminating connection due to idle_transaction_timeout",
                   p->limits.idle_transaction_timeout_ms);
}

static void end_holds(struct session_env *env, uint64_t now) {
    struct list *n;
    while ((n = list_first(&env->holding))) {
        struct session *s = CONTAINER_OF(n, struct session, hold_node);
        if (s->hold_until_us > now) break; /* the oldest are in front */
        session_end_hold(s);
        s->proto->on_hold_over(s);
    }
}

void session_env_tick(struct session_env *env) {
    uint64_t now = env->loop->now_us;
    LIST_EACH(n, &env->logins) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (!is_past(now, s->opened_us, env->config->login_timeout_ms)) break;
        session_close(s, "login_timeout");
    }
    LIST_EACH(n, &env->sessions) check_session(CONTAINER_OF(n, struct session, node), now);
    end_holds(env, now);
}

void session_env_drain(struct session_env *env) {
    env->is_draining = true;
    LIST_EACH(n, &env->logins) session_close(CONTAINER_OF(n, struct session, node), "gilmok is shutting down");
    LIST_EACH(n, &env->sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->state == SESSION_IDLE) session_resume_input(s);
    }
}

/* ---- names ---- */

const char *session_label(const struct session *s, char out[192]) {
    char peer[64];
    snprintf(out, 192, "c%llu %.60s/%.60s@%s", (unsigned long long)s->id, s->database ? s->database : "-",
             s->user ? s->user : "-", session_peer_text(s, peer));
    return out;
}
