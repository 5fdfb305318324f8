/*
 * The stage table and the loop that walks it.
 */
#include "proxy/session/request.h"

#include "proxy/session/session.h"

const char *request_stage_name(enum request_stage stage) {
    static const char *const names[] = {"none", "pool", "backend", "relay", "finish"};
    return stage < COUNT_OF(names) ? names[stage] : "?";
}

/* NULL: it waits in line. */
static struct backend *acquire(struct session *s) {
    bool waits = false;
    if (s->request.wants_replica) {
        struct backend *b = pool_acquire_fresh(s->target, &s->lessee, &waits);
        bool is_again = s->again.is_replayed;
        if (b || waits || (!is_again && session_await_fresh(s))) return b;
        s->request.wants_replica = s->again.is_elsewhere = false;
        s->route = (uint8_t)(is_again ? ROUTE_RETRIED : session_why_no_replica(s));
        if (!is_again) session_forget_exchange(s);
    }
    s->lessee.shuns = 0;
    s->lessee.needs_us = 0; /* the primary has everything */
    s->lessee.place = NULL;
    if (LIKELY(!s->lessee.insists)) s->lessee.only = 0;
    return pool_acquire(s->variant, &s->lessee);
}

static enum stage_result stage_pool(struct session *s) {
    if (s->lessee.backend || acquire(s)) return STAGE_NEXT;
    if (s->state != SESSION_WAITING) session_set_state(s, SESSION_WAITING);
    if (UNLIKELY(!list_is_empty(&s->env->holding))) session_env_want(s->env, session_pool(s));
    return STAGE_WAIT;
}

static enum stage_result stage_backend(struct session *s) {
    if (s->lessee.backend->ledger.txn == TXN_NONE && !s->has_begun) s->transaction_since_us = s->env->loop->now_us;
    session_set_state(s, SESSION_ACTIVE);
    s->lessee.insists = false;
    s->lessee.shuns = 0;
    s->proto->prepare(s, s->lessee.backend);
    bool may_run_again = s->again.buf && (!s->again.is_replayed || s->again.is_elsewhere);
    if (UNLIKELY(may_run_again) && s->lessee.backend) s->lessee.backend->holds_replies = true;
    return s->state == SESSION_ACTIVE ? STAGE_NEXT : STAGE_FAIL; /* the connection may have broken under it */
}

static enum stage_result stage_relay(struct session *s) {
    return s->request.is_answered ? STAGE_NEXT : STAGE_WAIT;
}

static enum stage_result stage_finish(struct session *s) {
    struct pool *p = session_pool(s);
    p->stats.query_us += s->env->loop->now_us - s->request.started_us;
    pool_note_answer(s->lessee.backend, s->request.started_us);
    if (s->proto->settle) s->proto->settle(s, s->lessee.backend);
    if (s->state == SESSION_CLOSED) return STAGE_FAIL;
    if (session_may_release(s)) {
        session_release_lease(s);
        session_set_state(s, SESSION_IDLE);
    } else {
        session_set_state(s, SESSION_HELD);
    }
    return STAGE_NEXT;
}

static enum stage_result (*const stages[REQUEST_STAGES])(struct session *s) = {
    [REQUEST_POOL] = stage_pool,
    [REQUEST_BACKEND] = stage_backend,
    [REQUEST_RELAY] = stage_relay,
    [REQUEST_FINISH] = stage_finish,
};

void request_run(struct session *s) {
    struct request *r = &s->request;
    while (r->stage != REQUEST_NONE) {
        switch (stages[r->stage](s)) {
        case STAGE_NEXT:
            r->stage = r->stage == REQUEST_FINISH ? REQUEST_NONE : r->stage + 1;
            break;
        case STAGE_WAIT:
            return;
        case STAGE_FAIL:
            r->stage = REQUEST_NONE;
            return;
        }
    }
}

bool request_open(struct session *s, bool wants_replica) {
    INVARIANT(!request_is_open(&s->request) && s->variant && (!wants_replica || s->target));
    s->request = (struct request){
        .stage = REQUEST_POOL, .started_us = s->env->loop->now_us, .wants_replica = wants_replica};
    request_run(s);
    return s->request.stage == REQUEST_RELAY;
}

void request_drop(struct session *s) {
    s->request.stage = REQUEST_NONE;
    pool_cancel_wait(&s->lessee);
    s->lessee.insists = false;
    s->lessee.shuns = 0;
    session_stop_awaiting(s);
    session_forget_exchange(s);
}
