/*
 * log_ring.c - owns the ring, the writer thread and its copy of the descriptor. Knows lines, not what is in them.
 *
 * A mutex, not a lock-free ring: it is held for a comparison and one copy of
 * some hundred bytes, never across a system call, and building the line before costs
 * several times that. In exchange lines have any length, one order, and a drop has a place.
 *
 * Positions count bytes since the start; their place in the ring is the position
 * modulo its size. What lies between tail and head belongs to the writer, which
 * reads it without the lock; the rest belongs to whoever holds the lock.
 */
#include "base/log_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/*
 * Once a line was dropped, more are until a part of the ring is free again: many small gaps
 * would be worse to read than one, and so there are never more than a handful.
 */
enum {
    BATCH_FILE = 64 * 1024,           /* a file takes all at once */
    BATCH_OTHER = LOG_RING_LINE_MAX,  /* a pipe that is ready takes this much without blocking */
    BLOCKED_MS = 50,                  /* how often a writer that cannot write looks for a new descriptor or the end */
    ROOM_AGAIN = LOG_RING_SIZE / 4,
    GAPS_MAX = 8,
};
static_assert(LOG_RING_SIZE / (ROOM_AGAIN - LOG_RING_LINE_MAX) + 2 <= GAPS_MAX, "two gaps have nearly ROOM_AGAIN between them");
static_assert((LOG_RING_SIZE & (LOG_RING_SIZE - 1)) == 0, "positions wrap cleanly");

/* GIVEN_UP: time was over before everything was written; nothing is taken any more. */
enum ring_state { RING_OFF, RING_ON, RING_STOPPING, RING_GIVEN_UP };

static char ring_bytes[LOG_RING_SIZE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_work;     /* for the writer */
static pthread_cond_t has_progress; /* for flush and stop */
static atomic_int state = RING_OFF; /* written under the lock */
static atomic_uint_fast64_t dropped_total;
static log_ring_notice_fn *write_notice;
static pthread_t writer;

/* All under the lock. */
static struct {
    uint64_t head, tail;
    struct gap {
        uint64_t at, lines; /* so many are missing before this position */
    } gaps[GAPS_MAX];       /* oldest first */
    int gap_count;
    bool is_dropping;    /* until there is room again */
    bool is_asleep;      /* the writer waits for has_work */
    bool is_busy;        /* the writer has something in hand */
    bool is_done;        /* the writer takes nothing more */
    bool has_fd;         /* a descriptor that the writer has not taken yet */
    int fd;
    uint64_t stop_by_ms;
} ring;

/* The writer's own. */
struct sink {
    int fd;
    size_t batch;
    uint64_t missing;  /* lines that are lost and not told yet */
    bool is_mid_line;  /* the last byte written was not a line's end */
    bool is_torn;      /* ... and what was to follow is lost */
};

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static char *at(uint64_t pos) {
    return &ring_bytes[pos & (LOG_RING_SIZE - 1)];
}

/* ---- callers ---- */

static void copy_in(const char *line, size_t len) {
    size_t first = LOG_RING_SIZE - (size_t)(ring.head & (LOG_RING_SIZE - 1));
    if (first > len) first = len;
    memcpy(at(ring.head), line, first);
    memcpy(at(ring.head + first), line + first, len - first);
    ring.head += len;
}

/* Under the lock. */
static void drop(void) {
    atomic_fetch_add_explicit(&dropped_total, 1, memory_order_relaxed);
    if (!ring.is_dropping && ring.gap_count < GAPS_MAX) ring.gaps[ring.gap_count++] = (struct gap){.at = ring.head};
    ring.is_dropping = true;
    if (ring.gap_count > 0) ring.gaps[ring.gap_count - 1].lines++;
}

/* Under the lock. */
static bool is_room(size_t len) {
    size_t room = LOG_RING_SIZE - (size_t)(ring.head - ring.tail);
    if (room >= ROOM_AGAIN) ring.is_dropping = false;
    return !ring.is_dropping && len <= room;
}

bool log_ring_put(const char *line, size_t len) {
    INVARIANT(len <= LOG_RING_LINE_MAX);
    if (atomic_load_explicit(&state, memory_order_acquire) == RING_OFF) return false;
    pthread_mutex_lock(&lock);
    int now = atomic_load_explicit(&state, memory_order_relaxed);
    bool is_used = now == RING_ON || now == RING_GIVEN_UP || (now == RING_STOPPING && !ring.is_done);
    if (is_used && now != RING_GIVEN_UP && is_room(len)) copy_in(line, len);
    else if (is_used) drop();
    bool wakes = is_used && ring.is_asleep;
    if (wakes) ring.is_asleep = false;
    pthread_mutex_unlock(&lock);
    if (wakes) pthread_cond_signal(&has_work);
    return is_used;
}

uint64_t log_ring_dropped(void) {
    return atomic_load_explicit(&dropped_total, memory_order_relaxed);
}

/* ---- the writer's descriptor ---- */

/* Takes a new descriptor when there is one. False: time is over, whatever is left. */
static bool refresh(struct sink *s, bool *has_new) {
    int old = -1;
    pthread_mutex_lock(&lock);
    *has_new = ring.has_fd;
    if (ring.has_fd) {
        old = s->fd;
        s->fd = ring.fd;
        ring.has_fd = false;
    }
    int now = atomic_load_explicit(&state, memory_order_relaxed);
    if (now == RING_STOPPING && now_ms() >= ring.stop_by_ms) {
        now = RING_GIVEN_UP;
        atomic_store_explicit(&state, now, memory_order_relaxed);
    }
    pthread_mutex_unlock(&lock);
    if (*has_new) {
        struct stat st;
        s->batch = s->fd >= 0 && fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) ? BATCH_FILE : BATCH_OTHER;
        s->is_torn = false;
        if (old >= 0) close(old);
    }
    return now != RING_GIVEN_UP;
}

/*
 * Bytes written; 0: the descriptor is another one now, look again; -1: lost. A descriptor may be
 * shared with other processes, so it is not made non-blocking: poll() says when a batch will not block.
 */
static ssize_t write_some(struct sink *s, const struct iovec *iov, int count) {
    bool has_new;
    while (refresh(s, &has_new)) {
        struct pollfd p = {.fd = s->fd, .events = POLLOUT};
        if (has_new) return 0;
        if (s->fd < 0) return -1;
        int ready = poll(&p, 1, BLOCKED_MS);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        ssize_t written = ready < 0 ? -1 : writev(s->fd, iov, count);
        if (written > 0) return written;
        if (written == 0 || (errno != EINTR && errno != EAGAIN)) return -1;
        (void)poll(NULL, 0, 1); /* poll and write disagree: do not spin */
    }
    return -1;
}

/* ---- what the writer writes ---- */

static uint64_t count_lines(uint64_t from, uint64_t to) {
    uint64_t lines = 0;
    for (; from < to; from++) lines += *at(from) == '\n';
    return lines;
}

/* The line about missing lines; it stays owed when it cannot be written. */
static void tell_missing(struct sink *s) {
    char line[1 + LOG_RING_LINE_MAX] = "\n";
    size_t len = 1 + write_notice(line + 1, LOG_RING_LINE_MAX, s->missing);
    size_t begin = s->is_torn ? 0 : 1; /* half a line stands there */
    while (begin < len) {
        struct iovec iov = {line + begin, len - begin};
        ssize_t written = write_some(s, &iov, 1);
        if (written < 0) {
            if (begin > 0) s->is_torn = begin > 1;
            return;
        }
        begin = written ? begin + (size_t)written : 1;
    }
    s->missing = 0;
    s->is_torn = false;
}

/* Where a batch from `from` ends: behind the last line that fits. `to` is behind a line. */
static uint64_t batch_end(const struct sink *s, uint64_t from, uint64_t to) {
    if (to - from <= s->batch) return to;
    uint64_t end = from + s->batch;
    while (end > from && *at(end - 1) != '\n') end--;
    return end > from ? end : from + s->batch;
}

static void lose(struct sink *s, uint64_t from, uint64_t to) {
    uint64_t lines = count_lines(from, to);
    s->missing += lines;
    s->is_mid_line = false;
    atomic_fetch_add_explicit(&dropped_total, lines, memory_order_relaxed);
}

/* Returns the position up to which lines are written or lost. */
static uint64_t write_lines(struct sink *s, uint64_t from, uint64_t to) {
    uint64_t end = batch_end(s, from, to);
    size_t len = (size_t)(end - from), first = LOG_RING_SIZE - (size_t)(from & (LOG_RING_SIZE - 1));
    if (first > len) first = len;
    struct iovec iov[2] = {{at(from), first}, {at(from + first), len - first}};
    ssize_t written = write_some(s, iov, first < len ? 2 : 1);
    if (written > 0) {
        s->is_mid_line = *at(from + (uint64_t)written - 1) != '\n';
        return from + (uint64_t)written;
    }
    if (written < 0) {
        s->is_torn = s->is_torn || s->is_mid_line;
    } else if (!s->is_mid_line) {
        return from;
    } else { /* the beginning of this line went elsewhere */
        for (end = from; *at(end) != '\n'; end++) continue;
        end++;
    }
    lose(s, from, end);
    return end;
}

/* ---- the writer ---- */

/* Under the lock: what there is to do, or that nothing ever will be. */
static void take_work(struct sink *s, uint64_t *from, uint64_t *to) {
    int now = atomic_load_explicit(&state, memory_order_relaxed);
    *from = ring.tail;
    *to = ring.gap_count ? ring.gaps[0].at : ring.head;
    bool is_gap = ring.gap_count && ring.gaps[0].at == ring.tail;
    if (is_gap) {
        s->missing += ring.gaps[0].lines;
        memmove(ring.gaps, ring.gaps + 1, (size_t)--ring.gap_count * sizeof ring.gaps[0]);
        ring.is_dropping = ring.is_dropping && ring.gap_count > 0;
    }
    ring.is_done = now != RING_ON && ring.head == ring.tail && (now == RING_GIVEN_UP || !is_gap);
    ring.is_busy = !ring.is_done;
}

/* Waits for lines from *from to *to, or for missing ones to tell. False: the end. */
static bool next_work(struct sink *s, uint64_t *from, uint64_t *to) {
    pthread_mutex_lock(&lock);
    ring.is_busy = false;
    pthread_cond_broadcast(&has_progress);
    while (ring.head == ring.tail && ring.gap_count == 0 && !ring.has_fd && atomic_load(&state) == RING_ON) {
        ring.is_asleep = true;
        pthread_cond_wait(&has_work, &lock);
    }
    ring.is_asleep = false;
    take_work(s, from, to);
    bool is_done = ring.is_done;
    if (is_done) pthread_cond_broadcast(&has_progress);
    pthread_mutex_unlock(&lock);
    return !is_done;
}

static void *run_writer(void *unused) {
    struct sink s = {.fd = -1, .batch = BATCH_OTHER};
    uint64_t from, to;
    bool has_new;
    (void)unused;
    while (next_work(&s, &from, &to)) {
        if (s.missing && !s.is_mid_line) tell_missing(&s);
        if (from == to) {
            (void)refresh(&s, &has_new); /* perhaps that is what there was to do */
            continue;
        }
        uint64_t end = write_lines(&s, from, to);
        pthread_mutex_lock(&lock);
        ring.tail = end;
        pthread_mutex_unlock(&lock);
    }
    if (s.fd >= 0) close(s.fd);
    return NULL;
}

/* Signals go to the threads that wait for them; SIGPIPE would end the process. */
static bool start_thread(void) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&writer, NULL, run_writer, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (is_started) (void)pthread_setname_np(writer, "gilmok-log");
    return is_started;
}

/* ---- the owner ---- */

/* A descriptor that is none is right too: its lines are lost. */
static bool copy_fd(int fd, int *out) {
    *out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *out >= 0 || errno == EBADF;
}

static void init_conditions(void) {
    static bool is_done;
    pthread_condattr_t attr;
    if (is_done) return;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&has_work, &attr);
    pthread_cond_init(&has_progress, &attr);
    pthread_condattr_destroy(&attr);
    is_done = true;
}

bool log_ring_start(int fd, log_ring_notice_fn *notice) {
    int copy;
    if (atomic_load(&state) != RING_OFF || !copy_fd(fd, &copy)) return false;
    init_conditions();
    pthread_mutex_lock(&lock);
    memset(&ring, 0, sizeof ring);
    ring.fd = copy;
    ring.has_fd = true;
    write_notice = notice;
    atomic_store(&state, RING_ON);
    pthread_mutex_unlock(&lock);
    if (start_thread()) return true;
    pthread_mutex_lock(&lock);
    atomic_store(&state, RING_OFF);
    pthread_mutex_unlock(&lock);
    if (copy >= 0) close(copy);
    return false;
}

bool log_ring_redirect(int fd) {
    int copy;
    if (atomic_load(&state) != RING_ON) return true;
    if (!copy_fd(fd, &copy)) return false;
    pthread_mutex_lock(&lock);
    int unused = ring.has_fd ? ring.fd : -1;
    ring.fd = copy;
    ring.has_fd = true;
    ring.is_asleep = false;
    pthread_mutex_unlock(&lock);
    pthread_cond_signal(&has_work);
    if (unused >= 0) close(unused);
    return true;
}

static struct timespec time_of(uint64_t ms) {
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

bool log_ring_flush(unsigned timeout_ms) {
    if (atomic_load(&state) == RING_OFF) return true;
    struct timespec by = time_of(now_ms() + timeout_ms);
    pthread_mutex_lock(&lock);
    uint64_t upto = ring.head;
    bool is_in_time = true;
    while (!ring.is_done && (ring.tail < upto || (ring.tail == upto && (ring.gap_count || ring.is_busy))) && is_in_time)
        is_in_time = pthread_cond_timedwait(&has_progress, &lock, &by) == 0;
    pthread_mutex_unlock(&lock);
    return is_in_time;
}

bool log_ring_stop(unsigned timeout_ms) {
    enum { GRACE_MS = 200 }; /* for a writer that sees the end to get there */
    if (atomic_load(&state) != RING_ON) return atomic_load(&state) == RING_OFF;
    pthread_mutex_lock(&lock);
    ring.stop_by_ms = now_ms() + timeout_ms;
    struct timespec by = time_of(ring.stop_by_ms + GRACE_MS);
    atomic_store(&state, RING_STOPPING);
    ring.is_asleep = false;
    pthread_cond_signal(&has_work);
    int rc = 0;
    while (!ring.is_done && rc == 0) rc = pthread_cond_timedwait(&has_progress, &lock, &by);
    bool is_done = ring.is_done, is_whole = is_done && atomic_load(&state) == RING_STOPPING;
    atomic_store(&state, is_whole ? RING_OFF : RING_GIVEN_UP);
    pthread_mutex_unlock(&lock);
    if (is_done) pthread_join(writer, NULL);
    else pthread_detach(writer);
    return is_whole;
}
