/*
 * The line, and the threads behind it.
 */
#include "proxy/extauth/desk.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/fault.h"

enum { CLOSE_WAIT_S = 1 };

struct extauth_desk {
    pthread_mutex_t lock; /* of everything here, and of is_taken of all questions */
    pthread_cond_t work, gone;
    struct list line; /* struct extauth_question */
    uint32_t waiting; /* in the line */
    uint32_t threads, idle, threads_max;
    pthread_t last_out; /* the thread that left last, while anybody has: it joins the one before, and whoever comes next joins it */
    bool has_last_out;
    bool is_closed;
    bool is_left; /* the owner has let go: the last thread frees it */
};

struct extauth_desk *extauth_desk_new(void) {
    struct extauth_desk *d = mem_alloc(sizeof *d);
    if (!d) return NULL;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, NULL);
    pthread_cond_init(&d->gone, NULL);
    list_init(&d->line);
    return d;
}

static void free_desk(struct extauth_desk *d) {
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->gone);
    pthread_mutex_destroy(&d->lock);
    mem_free(d);
}

/* ---- the threads ---- */

static struct extauth_question *take_first(struct extauth_desk *d) {
    struct list *n = list_take_first(&d->line);
    if (!n) return NULL;
    struct extauth_question *q = CONTAINER_OF(n, struct extauth_question, node);
    q->is_taken = true;
    d->waiting--;
    return q;
}

static void work_on(struct extauth_question *q) {
    if (clock_now_us(&clock_real) >= q->until_us) {
        q->result = EXTAUTH_FAILED;
        err_set(&q->err, ERR_CANNOT_CONNECT, "nobody was free to ask in time");
    } else if (q->method == AUTH_LDAP) {
        extauth_ask_ldap(q);
    } else {
        extauth_ask_pam(q);
    }
}

static void serve(struct extauth_desk *d, struct extauth_question *q) {
    pthread_mutex_unlock(&d->lock);
    work_on(q);
    pthread_mutex_lock(&d->lock);
    if (d->is_closed) extauth_question_free(q);
    else loop_post(q->answer_to, &q->mail); /* under the lock: the loop is there as long as the desk is open */
}

static void *run_thread(void *arg) {
    struct extauth_desk *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->is_closed) {
        struct extauth_question *q = take_first(d); /* before it leaves: it may be the one that was woken for it */
        if (q) {
            serve(d, q);
            continue;
        }
        if (d->threads > d->threads_max) break;
        d->idle++;
        pthread_cond_wait(&d->work, &d->lock);
        d->idle--;
    }
    pthread_t before = d->last_out;
    bool is_first_out = !d->has_last_out;
    d->last_out = pthread_self();
    d->has_last_out = true;
    bool is_last = --d->threads == 0 && d->is_left;
    pthread_cond_broadcast(&d->gone);
    pthread_mutex_unlock(&d->lock);
    if (!is_first_out) pthread_join(before, NULL);
    if (is_last) {
        pthread_detach(pthread_self());
        free_desk(d);
    }
    return NULL;
}

/* Signals are the control thread's. */
static bool start_thread(struct extauth_desk *d) {
    sigset_t all, before;
    pthread_t id;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&id, NULL, run_thread, d) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!ok) return false;
    (void)pthread_setname_np(id, "login");
    d->threads++;
    return true;
}

/* ---- who asks ---- */

bool extauth_desk_ask(struct extauth_desk *d, struct extauth_question *q, uint32_t threads_max, struct err *err) {
    pthread_mutex_lock(&d->lock);
    d->threads_max = threads_max;
    if (d->idle <= d->waiting && d->threads < threads_max) (void)start_thread(d); /* those that are there will do */
    bool ok = d->threads > 0;
    if (ok) {
        list_push_back(&d->line, &q->node);
        d->waiting++;
        pthread_cond_signal(&d->work);
    }
    pthread_mutex_unlock(&d->lock);
    return ok || err_set(err, ERR_INTERNAL, "no thread can be started");
}

void extauth_desk_forget(struct extauth_desk *d, struct extauth_question *q) {
    pthread_mutex_lock(&d->lock);
    bool is_mine = !q->is_taken;
    if (is_mine) {
        list_remove(&q->node);
        d->waiting--;
    }
    pthread_mutex_unlock(&d->lock);
    if (is_mine) extauth_question_free(q);
    else q->asker = NULL;
}

bool extauth_desk_close(struct extauth_desk *d) {
    struct extauth_question *q;
    struct timespec until;
    if (!d) return true;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_WAIT_S;
    pthread_mutex_lock(&d->lock);
    d->is_closed = true;
    while ((q = take_first(d))) extauth_question_free(q);
    pthread_cond_broadcast(&d->work);
    while (d->threads && pthread_cond_timedwait(&d->gone, &d->lock, &until) == 0) {}
    d->is_left = true;
    bool is_last = d->threads == 0;
    pthread_mutex_unlock(&d->lock);
    if (!is_last) return false;
    if (d->has_last_out) pthread_join(d->last_out, NULL); /* what the libraries keep for a thread is gone only now */
    free_desk(d);
    return true;
}
