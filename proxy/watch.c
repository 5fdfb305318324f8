/*
 * Owns the monitor's loop and thread; what is watched there is the monitor's business.
 */
#include "proxy/watch.h"

#include <signal.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/net/loop_event.h"
#include "routing/classify.h"

/* A snapshot on its way to the monitor. */
struct adoption {
    struct mail mail;
    struct watch *watch;
    struct snapshot *snapshot; /* one reference */
};

static void on_change(struct monitor *m) {
    struct watch *w = CONTAINER_OF(m, struct watch, monitor);
    w->on_change(w);
}

static void on_orders(struct monitor *m, const struct node_order *orders, uint32_t count) {
    struct watch *w = CONTAINER_OF(m, struct watch, monitor);
    w->on_orders(w, orders, count);
}

static void run_adoption(struct mail *m) {
    struct adoption *a = CONTAINER_OF(m, struct adoption, mail);
    struct watch *w = a->watch;
    monitor_adopt(&w->monitor, a->snapshot->config, &a->snapshot->book);
    snapshot_unref(w->snapshot);
    w->snapshot = a->snapshot;
    mem_free(a);
}

/* New suspicions may come while it looks: they count for the next look. */
static void run_hurry(struct mail *m) {
    struct watch *w = CONTAINER_OF(m, struct watch, hurry);
    atomic_store_explicit(&w->topology->has_suspects, false, memory_order_release);
    monitor_hurry(&w->monitor);
}

static void on_suspect(struct topology *t) {
    struct watch *w = t->watcher;
    loop_post(&w->loop, &w->hurry);
}

static void run_freshen(struct mail *m) {
    struct watch *w = CONTAINER_OF(m, struct watch, freshen);
    atomic_store_explicit(&w->topology->wants_freshness, false, memory_order_release);
    monitor_freshen(&w->monitor);
}

static void on_freshness(struct topology *t) {
    struct watch *w = t->watcher;
    loop_post(&w->loop, &w->freshen);
}

static void run_stop(struct mail *m) {
    loop_stop(&CONTAINER_OF(m, struct watch, stop)->loop);
}

static void *run_thread(void *arg) {
    struct watch *w = arg;
    loop_run(&w->loop);
    return NULL;
}

/* What the monitor knows of SQL. */
static bool list_copy_functions(struct watch *w, struct err *err) {
    struct writer list;
    writer_init_fixed(&list, w->copy_functions, sizeof w->copy_functions);
    classify_put_copy_functions(&list);
    writer_u8(&list, 0);
    w->monitor.copy_functions = w->copy_functions;
    return !list.failed || err_set(err, ERR_INTERNAL, "the list of functions for subscribers is too long");
}

/* Signals are the control thread's. */
static bool start(struct watch *w, struct err *err) {
    sigset_t all, before;
    if (!w->has_loop && !loop_event_init(&w->loop, &clock_real, err)) return false;
    if (!w->has_loop) monitor_init(&w->monitor, &w->loop, w->topology, on_change, on_orders);
    w->has_loop = true;
    if (!list_copy_functions(w, err)) return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w->is_started = pthread_create(&w->id, NULL, run_thread, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!w->is_started) return err_set(err, ERR_INTERNAL, "cannot start a thread that watches the nodes");
    (void)pthread_setname_np(w->id, "monitor");
    atomic_store_explicit(&w->topology->on_suspect, on_suspect, memory_order_release);
    atomic_store_explicit(&w->topology->on_freshness, on_freshness, memory_order_release);
    return true;
}

void watch_init(struct watch *w, struct topology *t, void (*changed)(struct watch *w),
                void (*ordered)(struct watch *w, const struct node_order *orders, uint32_t count)) {
    *w = (struct watch){.topology = t, .on_change = changed, .on_orders = ordered};
    w->hurry.run = run_hurry;
    w->freshen.run = run_freshen;
    w->stop.run = run_stop;
    t->watcher = w;
}

bool watch_adopt(struct watch *w, struct snapshot *s, struct err *err) {
    if (!w->is_started && !monitor_is_needed(s->config)) return true;
    if (!w->is_started && !start(w, err)) return false;
    struct adoption *a = mem_alloc(sizeof *a);
    if (!a) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    *a = (struct adoption){.watch = w, .snapshot = snapshot_ref(s)};
    a->mail.run = run_adoption;
    loop_post(&w->loop, &a->mail);
    return true;
}

void watch_stop(struct watch *w) {
    if (!w->is_started) return;
    atomic_store_explicit(&w->topology->on_suspect, NULL, memory_order_release);
    atomic_store_explicit(&w->topology->on_freshness, NULL, memory_order_release);
    loop_post(&w->loop, &w->stop);
    pthread_join(w->id, NULL);
    w->is_started = false;
}

void watch_release(struct watch *w) {
    if (!w->has_loop) return;
    while (loop_take_mail(&w->loop)) {}
    monitor_release(&w->monitor);
    snapshot_unref(w->snapshot);
    loop_release(&w->loop);
    w->has_loop = false;
}
