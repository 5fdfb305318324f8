/*
 * What a cancel request is about, and when it is carried out.
 *
 * It is about what the client has asked and has no answer to, at the moment when the request comes in. A client alone on a
 * connection has that on the server already; here it may be elsewhere:
 *
 *      in line for a connection                 it ends there, and the server never hears of either
 *      behind a statement of gilmok's own,      the request waits: the server would take it for that statement, or would
 *      sent or still to be sent                 forget it between the two
 *      in the client's socket                   the socket is read first
 *      on the server                            the request is sent
 *
 * A server forgets a request that comes before it has begun with the statement, and says nothing. So in the statement's first
 * second the request is sent again, after a pause, while that statement still has no answer. Afterwards it is sent once: a
 * statement may catch it and go on. Who asks is told when all that is over.
 */
#include "base/fault.h"
#include "proxy/pool/cancel_pg.h"
#include "proxy/session/session_pg.h"

enum {
    SOCKET_MS = 1,    /* until what came before the request has been read */
    LOOK_MAX_MS = 50, /* how often it is looked whether the statement is on the server by now: less and less */
    PAUSE_MS = 100,   /* before it is sent a second time; then twice as long each time */
    YOUNG_MS = 1000,
    SENDS_MAX = 4,
};

struct interrupt {
    struct list node;        /* in env.interrupts */
    struct session_env *env; /* NULL: released; only the cancel's own connection is still open */
    struct timer timer;
    uint64_t session;
    bool is_about;       /* it is known which of the client's exchanges is meant: these two */
    uint64_t request_us; /* when its request was opened */
    uint64_t queries;    /* how many of the client's groups were answered before */
    bool is_sending;
    bool is_once; /* this time was the last: the statement certainly runs, or another request for it is under way */
    uint8_t sends, looks;
    void (*on_done)(void *ctx);
    void *ctx;
};

static void free_interrupt(struct interrupt *i) {
    list_remove(&i->node);
    timer_release(&i->timer);
    mem_free(i);
}

static void end(struct interrupt *i) {
    i->on_done(i->ctx);
    free_interrupt(i);
}

/* ---- where is it? ---- */

enum place { PLACE_NOWHERE, PLACE_SOCKET, PLACE_LINE, PLACE_BEHIND, PLACE_SERVER };

static bool is_kept(const struct session *s) {
    return s->is_held_back && stream_has_held(s->stream);
}

/* What the server works at, or will work at next, decides; not what it owes in all. */
static enum place place_of_active(const struct session *s) {
    struct ledger *l = &s->lessee.backend->ledger;
    const struct ledger_entry *head = ledger_head(l);
    if (head && head->fate != REPLY_SWALLOW) return PLACE_SERVER;
    return ledger_owes_forward(l) || is_kept(s) ? PLACE_BEHIND : PLACE_SOCKET;
}

static enum place place_of(const struct session *s) {
    switch (s->state) {
    case SESSION_WAITING: return PLACE_LINE;
    case SESSION_ACTIVE: return place_of_active(s);
    case SESSION_IDLE:
    case SESSION_HELD: return is_kept(s) ? PLACE_BEHIND : PLACE_SOCKET;
    default: return PLACE_NOWHERE;
    }
}

static bool is_meant(const struct interrupt *i, const struct session *s) {
    return !i->is_about || (s->request.started_us == i->request_us && s->queries == i->queries);
}

/* The first exchange that something is found in is the one that it is about. */
static void note_about(struct interrupt *i, const struct session *s) {
    i->is_about = true;
    i->request_us = s->request.started_us;
    i->queries = s->queries;
}

/* ---- carrying it out ---- */

/* It never reached a server: the client's request ends here. */
static void cancel_waiting(struct session *s) {
    struct err err;
    err_set(&err, ERR_QUERY_CANCELED, "canceling statement due to user request");
    pool_cancel_wait(&s->lessee);
    s->request.wants_replica = false; /* nor anywhere else */
    s->lessee.ops->on_refused(&s->lessee, &err);
}

static struct session *find_session(struct session_env *env, uint64_t id) {
    LIST_EACH(n, &env->sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->id == id) return s;
    }
    return NULL;
}

static bool may_go_on(struct interrupt *i) {
    struct session *s = i->env ? find_session(i->env, i->session) : NULL;
    return s && s->state == SESSION_ACTIVE && is_meant(i, s) && i->sends < SENDS_MAX;
}

static void on_sent(void *ctx, bool was_sent) {
    struct interrupt *i = ctx;
    i->is_sending = false;
    if ((was_sent && i->is_once) || !may_go_on(i)) end(i);
    else timer_set(&i->timer, (uint64_t)PAUSE_MS << (i->sends - 1));
}

void session_pg_interrupt_on_answer(struct session *s) {
    struct list *first = &s->env->interrupts;
    for (struct list *n = first->next, *next; n != first; n = next) {
        struct interrupt *i = CONTAINER_OF(n, struct interrupt, node);
        next = n->next;
        if (i->session == s->id && !i->is_sending && !is_meant(i, s)) end(i);
    }
}

/* However many requests come for a statement, only one is sent again: more of them are no more work for the server. */
static bool has_forerunner(const struct interrupt *i) {
    LIST_EACH(n, &i->env->interrupts) {
        const struct interrupt *other = CONTAINER_OF(n, struct interrupt, node);
        if (other == i) return false;
        bool is_same = other->session == i->session && other->request_us == i->request_us && other->queries == i->queries;
        if (is_same && other->is_about) return true;
    }
    return false;
}

static bool send_it(struct interrupt *i, struct session *s) {
    struct backend *b = s->lessee.backend;
    bool is_young = i->env->loop->now_us - backend_pg_of(b)->due_us < YOUNG_MS * 1000;
    i->is_once = !is_young || has_forerunner(i);
    i->sends++;
    i->is_sending = cancel_pg_send(b, s->id, on_sent, i);
    return i->is_sending;
}

/* True while there is something left to be done. `is_first`: it has only just come in. */
static bool step(struct interrupt *i, struct session *s, bool is_first) {
    enum place place = place_of(s);
    if (!is_meant(i, s)) return false;
    if (place != PLACE_SOCKET && s->state == SESSION_ACTIVE) note_about(i, s);
    switch (place) {
    case PLACE_SOCKET:
        if (is_first) timer_set(&i->timer, SOCKET_MS);
        return is_first;
    case PLACE_LINE: cancel_waiting(s); return false;
    case PLACE_BEHIND: timer_set(&i->timer, i->looks < LOOK_MAX_MS ? ++i->looks : LOOK_MAX_MS); return true;
    case PLACE_SERVER: return send_it(i, s);
    default: return false;
    }
}

static void on_timer(struct timer *t) {
    struct interrupt *i = CONTAINER_OF(t, struct interrupt, timer);
    struct session *s = find_session(i->env, i->session);
    if (!s || !step(i, s, false)) end(i);
}

bool session_pg_interrupt(struct session *s, void (*on_done)(void *ctx), void *ctx) {
    struct session_env *env = s->env;
    struct interrupt *i = mem_alloc(sizeof *i);
    if (!i) return false;
    *i = (struct interrupt){.env = env, .session = s->id, .on_done = on_done, .ctx = ctx};
    list_init(&i->node);
    if (timer_init(&i->timer, env->loop, on_timer) && step(i, s, true)) {
        list_push_back(&env->interrupts, &i->node);
        return true;
    }
    free_interrupt(i);
    return false;
}

void session_pg_interrupts_release(struct session_env *env) {
    struct list *n;
    while ((n = list_take_first(&env->interrupts))) {
        struct interrupt *i = CONTAINER_OF(n, struct interrupt, node);
        i->env = NULL;
        timer_stop(&i->timer);
        if (!i->is_sending) end(i);
    }
}
