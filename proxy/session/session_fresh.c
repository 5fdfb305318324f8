/*
 * Reads that wait for a replica to be fresh enough (consistency_timeout), instead of asking the primary. They are in no pool's
 * line: whoever needs less goes first. All of a worker's are looked at together, a few times in a hundredth of a second, while
 * there are any.
 */
#include "proxy/session/session.h"

enum { LOOK_MS = 2 };

static struct session *first_of(struct list *waiting) {
    struct list *n = list_first(waiting);
    return n ? CONTAINER_OF(n, struct session, fresh_node) : NULL;
}

static bool is_over(const struct session *s) {
    return s->env->loop->now_us >= s->fresh_by_us || pool_is_fresh(s->target->pool, &s->lessee, s->lessee.needs_us);
}

/* Each once: who has to wait on joins the line again, behind the others. */
static void on_look(struct timer *t) {
    struct session_env *env = CONTAINER_OF(t, struct session_env, fresh_timer);
    struct list looked_at;
    struct session *s;
    list_init(&looked_at);
    while ((s = first_of(&env->await_fresh))) {
        list_remove(&s->fresh_node);
        list_push_back(&looked_at, &s->fresh_node);
    }
    while ((s = first_of(&looked_at))) {
        list_remove(&s->fresh_node);
        if (is_over(s)) session_go_on(s);
        else list_push_back(&env->await_fresh, &s->fresh_node);
    }
    if (!list_is_empty(&env->await_fresh)) timer_set(&env->fresh_timer, LOOK_MS);
}

bool session_await_fresh(struct session *s) {
    struct session_env *env = s->env;
    uint32_t timeout_ms = session_pool(s)->limits.consistency_timeout_ms;
    bool is_first = s->state != SESSION_WAITING;
    if (!timeout_ms || !s->lessee.needs_us || s->lessee.needs_us == s->given_up_us) return false;
    if (!env->fresh_timer.impl && !timer_init(&env->fresh_timer, env->loop, on_look)) return false;
    if (is_first) s->fresh_by_us = env->loop->now_us + (uint64_t)timeout_ms * 1000;
    if (env->loop->now_us >= s->fresh_by_us) {
        s->given_up_us = s->lessee.needs_us;
        return false;
    }
    if (is_first) s->lessee.waiting_since_us = env->loop->now_us;
    if (list_is_empty(&env->await_fresh)) timer_set(&env->fresh_timer, LOOK_MS);
    list_push_back(&env->await_fresh, &s->fresh_node);
    return true;
}

void session_stop_awaiting(struct session *s) {
    if (list_is_linked(&s->fresh_node)) list_remove(&s->fresh_node);
}

void session_fresh_release(struct session_env *env) {
    if (env->fresh_timer.impl) timer_release(&env->fresh_timer);
}
