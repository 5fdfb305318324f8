/*
 * The line of a worker, and its timer. Knows neither logins nor passwords.
 */
#include "proxy/session/password_line.h"

enum { PAUSE_FACTOR = 3 };

void password_turn_init(struct password_turn *t, void (*on_turn)(struct password_turn *t)) {
    list_init(&t->node);
    t->on_turn = on_turn;
}

static void call_next(struct session_env *env) {
    uint64_t now = clock_now_us(env->loop->clock);
    if (env->password_timer.is_set || list_is_empty(&env->password_line)) return;
    timer_set(&env->password_timer, env->password_from_us > now ? (env->password_from_us - now + 999) / 1000 : 0);
}

static void on_timer(struct timer *t) {
    struct session_env *env = CONTAINER_OF(t, struct session_env, password_timer);
    struct list *n = list_first(&env->password_line);
    if (n) {
        struct password_turn *turn = CONTAINER_OF(n, struct password_turn, node);
        uint64_t from = clock_now_us(env->loop->clock);
        list_remove(&turn->node);
        turn->on_turn(turn);
        uint64_t to = clock_now_us(env->loop->clock);
        env->password_from_us = to + PAUSE_FACTOR * (to - from);
    }
    call_next(env);
}

bool password_line_join(struct session_env *env, struct password_turn *t) {
    if (!env->password_timer.impl && !timer_init(&env->password_timer, env->loop, on_timer)) return false;
    list_push_back(&env->password_line, &t->node);
    call_next(env);
    return true;
}

void password_line_leave(struct password_turn *t) {
    list_remove(&t->node);
}

void password_line_release(struct session_env *env) {
    if (env->password_timer.impl) timer_release(&env->password_timer);
}
