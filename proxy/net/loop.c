/*
 * The part of the loop that every backend shares: order of work within a turn.
 * Owns the chunk pool, the stream slab and the lists; knows no file descriptor.
 */
#include "proxy/net/loop.h"

#include <stdatomic.h>

#include "proxy/net/stream.h"

void loop_init(struct loop *l, const struct loop_ops *ops, void *impl, const struct clock_ops *clock) {
    *l = (struct loop){.ops = ops, .impl = impl, .clock = clock};
    l->now_us = clock_now_us(clock);
    buf_pool_init(&l->bufs);
    slab_init(&l->streams, ops->stream_size);
    slab_init(&l->out_slices, sizeof(struct out_slice));
    list_init(&l->to_flush);
    list_init(&l->deferred);
    list_init(&l->finishing);
    list_init(&l->graveyard);
}

void loop_release(struct loop *l) {
    while (!list_is_empty(&l->finishing)) stream_close(CONTAINER_OF(list_first(&l->finishing), struct stream, end_node));
    loop_bury(l);
    buf_unref(l->recv_buf);
    l->recv_buf = NULL;
    l->ops->release(l);
    slab_release(&l->out_slices);
    slab_release(&l->streams);
    buf_pool_release(&l->bufs);
}

void loop_run(struct loop *l) {
    while (!l->is_stopping && l->ops->turn(l)) {
    }
}

void loop_stop(struct loop *l) {
    l->is_stopping = true;
    l->ops->stop(l);
}

void loop_post(struct loop *l, struct mail *m) {
    struct mail *newest = atomic_load_explicit(&l->inbox, memory_order_relaxed);
    do m->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&l->inbox, &newest, m, memory_order_acq_rel, memory_order_relaxed));
    if (!newest) l->ops->wake(l); /* who found it empty wakes; the loop empties it whole */
}

bool loop_take_mail(struct loop *l) {
    struct mail *newest = atomic_exchange_explicit(&l->inbox, NULL, memory_order_acq_rel);
    struct mail *oldest = NULL;
    if (!newest) return false;
    while (newest) {
        struct mail *m = newest;
        newest = m->next;
        m->next = oldest;
        oldest = m;
    }
    while (oldest) {
        struct mail *m = oldest;
        oldest = m->next;
        m->run(m);
        loop_settle(l);
    }
    return true;
}

void loop_defer(struct loop *l, struct task *t) {
    if (!list_is_linked(&t->node)) list_push_back(&l->deferred, &t->node);
}

void loop_settle(struct loop *l) {
    do {
        struct list *n;
        while ((n = list_take_first(&l->deferred))) {
            struct task *t = CONTAINER_OF(n, struct task, node);
            t->run(t);
        }
        while ((n = list_take_first(&l->to_flush))) (void)stream_flush(CONTAINER_OF(n, struct stream, flush_node));
    } while (!list_is_empty(&l->deferred)); /* a broken send may have deferred something */
}

void loop_bury(struct loop *l) {
    LIST_EACH(n, &l->finishing) {
        struct stream *s = CONTAINER_OF(n, struct stream, end_node);
        if (s->finish_by_us > l->now_us) break;
        stream_close(s);
    }
    struct list *n;
    while ((n = list_take_first(&l->graveyard))) stream_free(CONTAINER_OF(n, struct stream, end_node));
}

bool timer_init(struct timer *t, struct loop *l, void (*on_fire)(struct timer *t)) {
    *t = (struct timer){.loop = l, .on_fire = on_fire};
    return l->ops->timer_init(t);
}

void timer_set(struct timer *t, uint64_t after_ms) {
    t->is_set = true;
    t->loop->ops->timer_set(t, after_ms);
}

void timer_stop(struct timer *t) {
    if (!t->is_set) return;
    t->is_set = false;
    t->loop->ops->timer_stop(t);
}

void timer_release(struct timer *t) {
    if (!t->loop) return;
    timer_stop(t);
    t->loop->ops->timer_release(t);
    t->loop = NULL;
}
