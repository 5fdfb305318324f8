/*
 * test_log_ring.c - a log that never blocks who logs: order, drops and what is said of them, the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/log_ring.h"
#include "tests/unit/check_main.h"

enum { TEXT_MAX = 4 << 20, THREADS = 4, LINES_EACH = 3000 };

static int pipe_ends[2];
static char text[TEXT_MAX];
static size_t text_len;

static void open_pipe(void) {
    ck_assert_int_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
    log_setup(pipe_ends[1], LOG_INFO, LOG_TEXT);
    text_len = 0;
    text[0] = '\0';
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Appends what comes until nothing comes for `quiet_ms`, or the other end is closed. */
static void read_more(int fd, int quiet_ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, quiet_ms) > 0) {
        if (text_len == TEXT_MAX - 1) ck_abort_msg("more text than expected");
        ssize_t len = read(fd, text + text_len, TEXT_MAX - 1 - text_len);
        if (len <= 0) break;
        text_len += (size_t)len;
    }
    text[text_len] = '\0';
}

static void fill_pipe(int fd) {
    char page[4096];
    memset(page, '-', sizeof page);
    page[sizeof page - 1] = '\n';
    for (struct pollfd p = {.fd = fd, .events = POLLOUT}; poll(&p, 1, 0) > 0;) ck_assert_int_gt(write(fd, page, sizeof page), 0);
}

/* A check that holds costs nothing: Check remembers every ck_assert that it passes. */
#define HOLDS(cond, line) ((cond) ? (void)0 : ck_abort_msg("%s: %.200s", #cond, line))

/* The line at `line`, with its end cut off; *next is behind it. */
static char *cut_line(char *line, char **next) {
    char *end = memchr(line, '\n', text_len - (size_t)(line - text));
    ck_assert_msg(end, "half a line: %.200s", line);
    *end = '\0';
    *next = end + 1;
    return line;
}

/*
 * The numbers behind "test: line " run from 0 to count - 1, and where some are missing, a notice
 * stands that says how many. Returns the sum of the notices.
 */
static unsigned check_sequence(unsigned count) {
    unsigned next = 0, missing = 0, all = 0;
    for (char *line = text, *behind; *line; line = behind) {
        unsigned number;
        const char *at;
        cut_line(line, &behind);
        if ((at = strstr(line, "warn  log: ")) && sscanf(at, "warn  log: %u line", &number) == 1) {
            missing += number;
            all += number;
        } else if ((at = strstr(line, "test: line ")) && sscanf(at, "test: line %u", &number) == 1) {
            HOLDS(number == next + missing, line);
            next = number + 1;
            missing = 0;
        } else {
            HOLDS(strncmp(line, "---", 3) == 0, line);
        }
    }
    ck_assert_uint_eq(next + missing, count);
    return all;
}

START_TEST(before_and_after_the_writer_lines_are_written_at_once) {
    log_line(LOG_INFO, "test", NULL, "line 0");
    read_more(pipe_ends[0], 0);
    ck_assert_ptr_nonnull(strstr(text, "test: line 0\n"));
    ck_assert(log_start());
    log_line(LOG_INFO, "test", NULL, "line 1");
    log_line(LOG_DEBUG, "test", NULL, "not wanted");
    log_stop();
    log_line(LOG_INFO, "test", NULL, "line 2");
    log_flush(); /* nothing to wait for */
    read_more(pipe_ends[0], 0);
    ck_assert_uint_eq(check_sequence(3), 0);
    ck_assert_uint_eq(log_dropped_count(), 0);
    text_len = 0;
    ck_assert(log_start()); /* and once more */
    ck_assert(!log_start());
    log_line(LOG_INFO, "test", NULL, "line 0");
    log_stop();
    log_stop();
    read_more(pipe_ends[0], 0);
    ck_assert_uint_eq(check_sequence(1), 0);
}
END_TEST

START_TEST(callers_keep_their_errno) {
    ck_assert(log_start());
    errno = ENOTTY;
    log_line(LOG_INFO, "test", NULL, "line 0");
    ck_assert_int_eq(errno, ENOTTY);
    log_stop();
}
END_TEST

START_TEST(flush_waits_for_what_was_said) {
    ck_assert(log_start());
    for (unsigned i = 0; i < 200; i++) {
        log_line(LOG_INFO, "test", NULL, "line %u", i);
        if (i % 10 != 0) continue;
        char end[32];
        int len = snprintf(end, sizeof end, "test: line %u\n", i);
        log_flush();
        read_more(pipe_ends[0], 0);
        ck_assert_str_eq(text + text_len - len, end);
    }
    log_flush();
    read_more(pipe_ends[0], 0);
    ck_assert_uint_eq(check_sequence(200), 0);
    log_stop();
}
END_TEST

START_TEST(a_pipe_that_nobody_reads_blocks_nobody) {
    enum { LINES = 20000 };
    fill_pipe(pipe_ends[1]);
    ck_assert(log_start());
    double start = now_s();
    for (unsigned i = 0; i < LINES; i++) log_line(LOG_INFO, "test", NULL, "line %u", i);
    ck_assert_double_lt(now_s() - start, 10);
    uint64_t dropped = log_dropped_count();
    ck_assert_uint_gt(dropped, LINES - LOG_RING_SIZE / 40);
    ck_assert_uint_lt(dropped, LINES);
    read_more(pipe_ends[0], 500);
    for (unsigned i = LINES; i < LINES + 10; i++) log_line(LOG_INFO, "test", NULL, "line %u", i);
    log_stop();
    read_more(pipe_ends[0], 0);
    ck_assert_uint_eq(check_sequence(LINES + 10), dropped);
    ck_assert_uint_eq(log_dropped_count(), dropped);
}
END_TEST

/* Room comes and goes: every gap has its number. */
START_TEST(every_gap_is_told_of) {
    enum { LINES = 30000 };
    ck_assert(log_start());
    for (unsigned i = 0; i < LINES; i++) {
        log_line(LOG_INFO, "test", NULL, "line %u %.*s", i, (int)(i % 200), "........................................");
        if (i % 5000 == 4999) read_more(pipe_ends[0], 20);
    }
    read_more(pipe_ends[0], 500);
    log_stop();
    uint64_t dropped = log_dropped_count();
    ck_assert_uint_gt(dropped, 0);
    ck_assert_uint_eq(check_sequence(LINES), dropped);
}
END_TEST

START_TEST(the_end_is_bounded) {
    fill_pipe(pipe_ends[1]);
    ck_assert(log_start());
    for (unsigned i = 0; i < 100; i++) log_line(LOG_INFO, "test", NULL, "line %u", i);
    double start = now_s();
    log_stop();
    ck_assert_double_lt(now_s() - start, 5);
    ck_assert_uint_eq(log_dropped_count(), 100);
    log_line(LOG_INFO, "test", NULL, "too late"); /* and does not block either */
    ck_assert_uint_eq(log_dropped_count(), 101);
    ck_assert(!log_start());
}
END_TEST

START_TEST(a_flush_is_bounded) {
    fill_pipe(pipe_ends[1]);
    ck_assert(log_start());
    log_line(LOG_INFO, "test", NULL, "line 0");
    double start = now_s();
    ck_assert(!log_ring_flush(50));
    ck_assert_double_lt(now_s() - start, 5);
    read_more(pipe_ends[0], 200);
    ck_assert(log_ring_flush(10000));
    log_stop();
}
END_TEST

START_TEST(a_reload_holds_at_once) {
    int other[2];
    ck_assert_int_eq(pipe2(other, O_CLOEXEC), 0);
    ck_assert(log_start());
    log_line(LOG_INFO, "test", NULL, "to the first");
    log_flush();
    log_setup(other[1], LOG_WARN, LOG_JSON);
    close(pipe_ends[1]); /* the caller's own; the writer's copy goes with it */
    log_line(LOG_INFO, "test", NULL, "not wanted any more");
    log_line(LOG_WARN, "test", NULL, "to the second");
    log_flush();
    read_more(pipe_ends[0], -1); /* to its end: nobody holds the other end open */
    ck_assert_ptr_nonnull(strstr(text, "info  test: to the first\n"));
    ck_assert_ptr_null(strstr(text, "second"));
    text_len = 0;
    read_more(other[0], 0);
    ck_assert_ptr_nonnull(strstr(text, "\"level\":\"warn\",\"area\":\"test\",\"message\":\"to the second\"}\n"));
    ck_assert_ptr_null(strstr(text, "not wanted"));
    log_stop();
}
END_TEST

START_TEST(a_blocked_descriptor_can_be_replaced) {
    int other[2];
    ck_assert_int_eq(pipe2(other, O_CLOEXEC), 0);
    fill_pipe(pipe_ends[1]);
    ck_assert(log_start());
    for (unsigned i = 0; i < 100; i++) log_line(LOG_INFO, "test", NULL, "line %u", i);
    for (int i = 0; i < 5; i++) log_setup(other[1], LOG_INFO, LOG_TEXT); /* the last one counts, none is lost */
    log_flush();
    read_more(other[0], 0);
    ck_assert_uint_eq(check_sequence(100), 0);
    log_stop();
}
END_TEST

START_TEST(what_a_broken_descriptor_lost_is_told_later) {
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), broken[2];
    ck_assert_int_ge(full, 0);
    ck_assert_int_eq(pipe(broken), 0);
    close(broken[0]);
    ck_assert(log_start());
    const int fds[] = {full, broken[1], -1}; /* no room, no reader, nothing at all */
    for (unsigned i = 0; i < 30; i++) {
        if (i % 10 == 0) log_setup(fds[i / 10], LOG_INFO, LOG_TEXT);
        log_line(LOG_INFO, "test", NULL, "line %u", i);
        log_flush();
    }
    ck_assert_uint_eq(log_dropped_count(), 30);
    log_setup(pipe_ends[1], LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "test", NULL, "line 30");
    log_stop();
    read_more(pipe_ends[0], 0);
    ck_assert_ptr_nonnull(strstr(text, "warn  log: 30 lines were dropped: "));
    ck_assert_uint_eq(check_sequence(31), 30);
}
END_TEST

/* A file that may not grow takes half a line; what comes later begins on a line of its own. */
START_TEST(a_torn_line_is_closed) {
    char path[] = "/tmp/gilmok-log-XXXXXX";
    int fd = mkstemp(path);
    struct rlimit limit;
    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    log_setup(fd, LOG_INFO, LOG_TEXT);
    ck_assert(log_start());
    limit.rlim_cur = 50;
    bool is_limited = setrlimit(RLIMIT_FSIZE, &limit) == 0; /* no ck_assert from here: Check writes a file */
    log_line(LOG_INFO, "test", NULL, "line 0, which is longer than what there is room for");
    log_line(LOG_INFO, "test", NULL, "line 1");
    log_flush();
    limit.rlim_cur = before;
    is_limited = is_limited && setrlimit(RLIMIT_FSIZE, &limit) == 0;
    ck_assert(is_limited);
    log_line(LOG_INFO, "test", NULL, "line 2");
    log_stop();
    ssize_t len = pread(fd, text, TEXT_MAX - 1, 0);
    ck_assert_int_gt(len, 50);
    text[text_len = (size_t)len] = '\0';
    ck_assert_int_eq(text[50], '\n');
    memset(text, '-', 50); /* half of line 0 counts as lost */
    ck_assert_uint_eq(check_sequence(3), 2);
    close(fd);
}
END_TEST

/* ---- threads ---- */

static void *log_many(void *ctx) {
    for (unsigned i = 0; i < LINES_EACH; i++)
        log_line(LOG_INFO, "test", "c1 \"a\\b\"/x@[::1]:5", "thread %d line %u \x01\xff\xc3\xa4%s", *(int *)ctx, i, i % 7 ? "\n" : "");
    return NULL;
}

static void *read_all(void *ctx) {
    read_more(*(int *)ctx, -1);
    return NULL;
}

/* Behind the JSON string that begins at `p`, or NULL. */
static const char *skip_string(const char *p) {
    if (*p++ != '"') return NULL;
    for (; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return NULL;
        if (*p != '\\') continue;
        p++;
        if (*p == 'u' ? strspn(p + 1, "0123456789abcdef") < 4 : *p != '"' && *p != '\\') return NULL;
    }
    return p + 1;
}

/* {"key":"value",...} with these keys and nothing behind it; the object may be left out. */
static bool is_json_line(const char *p) {
    static const char *const keys[] = {"\"ts\"", "\"level\"", "\"area\"", "\"object\"", "\"message\""};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (i == 3 && strncmp(p, ",\"message\"", 10) == 0) continue;
        if (*p++ != (i ? ',' : '{') || strncmp(p, keys[i], strlen(keys[i])) != 0) return false;
        p = skip_string(p);
        if (!p || *p++ != ':' || !(p = skip_string(p))) return false;
    }
    return strcmp(p, "}") == 0;
}

/* Every line is whole and valid, each thread's in its order, and what is missing was counted. */
static void check_threads(void) {
    unsigned next[THREADS] = {0}, seen = 0, told = 0;
    for (char *line = text, *behind; *line; line = behind) {
        unsigned number;
        int thread;
        const char *at = strstr(cut_line(line, &behind), "\"message\":\"");
        HOLDS(at && is_json_line(line), line);
        if (sscanf(at + 11, "thread %d line %u", &thread, &number) == 2) {
            HOLDS(thread >= 0 && thread < THREADS && number >= next[thread], line);
            next[thread] = number + 1;
            seen++;
        } else {
            HOLDS(sscanf(at + 11, "%u line", &number) == 1, line);
            told += number;
        }
    }
    ck_assert_uint_eq(seen + told, THREADS * LINES_EACH);
    ck_assert_uint_eq(told, log_dropped_count());
}

static void run_threads(bool is_read_at_once) {
    pthread_t threads[THREADS], reader;
    int ids[THREADS];
    log_setup(pipe_ends[1], LOG_INFO, LOG_JSON);
    ck_assert(log_start());
    if (is_read_at_once) ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &pipe_ends[0]), 0);
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many, &ids[i]), 0);
    }
    /* Levels change under the threads' feet, without hiding a line. */
    for (int i = 0; i < 200; i++) ck_assert(log_set_area_level(i % 2 ? "test" : "other", i % 3 ? LOG_INFO : LOG_DEBUG));
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    if (!is_read_at_once) ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &pipe_ends[0]), 0);
    ck_assert(log_ring_stop(20000));
    close(pipe_ends[1]);
    pthread_join(reader, NULL);
    check_threads();
}

START_TEST(threads_with_a_reader) {
    run_threads(true);
}
END_TEST

START_TEST(threads_without_a_reader) {
    run_threads(false); /* until all is said: many lines find no room */
}
END_TEST

/* ---- the process ---- */

START_TEST(signals_go_elsewhere) {
    sigset_t usr1;
    int signo = 0;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    ck_assert(log_start());
    pthread_sigmask(SIG_BLOCK, &usr1, NULL); /* the writer was there before: with its own mask it would take it and die */
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(sigwait(&usr1, &signo), 0);
    ck_assert_int_eq(signo, SIGUSR1);
    log_stop();
}
END_TEST

/* The last words of a process whose own state is wrong come out. */
START_TEST(a_broken_invariant_is_still_read) {
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!log_start()) _exit(1);
        log_line(LOG_INFO, "test", NULL, "line 0");
        INVARIANT(1 + 1 == 3);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    read_more(pipe_ends[0], 0);
    ck_assert_ptr_nonnull(strstr(text, "test: line 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "error invariant: 1 + 1 == 3 does not hold"));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("log ring");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, open_pipe, NULL);
    tcase_add_test(t, before_and_after_the_writer_lines_are_written_at_once);
    tcase_add_test(t, callers_keep_their_errno);
    tcase_add_test(t, flush_waits_for_what_was_said);
    tcase_add_test(t, a_pipe_that_nobody_reads_blocks_nobody);
    tcase_add_test(t, every_gap_is_told_of);
    tcase_add_test(t, the_end_is_bounded);
    tcase_add_test(t, a_flush_is_bounded);
    tcase_add_test(t, a_reload_holds_at_once);
    tcase_add_test(t, a_blocked_descriptor_can_be_replaced);
    tcase_add_test(t, what_a_broken_descriptor_lost_is_told_later);
    tcase_add_test(t, a_torn_line_is_closed);
    tcase_add_test(t, threads_with_a_reader);
    tcase_add_test(t, threads_without_a_reader);
    tcase_add_test(t, signals_go_elsewhere);
    tcase_add_test(t, a_broken_invariant_is_still_read);
    return check_main_of("log ring", t);
}
