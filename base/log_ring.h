/*
 * log_ring.h - finished lines on their way to a descriptor that may be slow.
 *
 *    any thread                              the writer, a thread of its own
 *    log_ring_put --> | ... line line line | --> writev, whole lines, many at once
 *
 * A caller copies its line into the ring and goes on; it never waits for the
 * descriptor. When the ring is full the line is dropped and counted, and the
 * writer says so, in the place where the lines are missing, as soon as it can
 * write again. Lines keep the order in which they were put.
 *
 * There is one ring in a process. start, stop and redirect belong to one thread.
 */
#ifndef GILMOK_BASE_LOG_RING_H
#define GILMOK_BASE_LOG_RING_H

#include "base/build.h"

enum {
    LOG_RING_SIZE = 256 * 1024,
    LOG_RING_LINE_MAX = 4096, /* with its '\n'; PIPE_BUF, so that lines of several processes do not mix either */
};

/* Writes the line that says how many are missing; at most `size` bytes, the last a '\n'. Called by the writer. */
typedef size_t log_ring_notice_fn(char *out, size_t size, uint64_t dropped);

/*
 * `fd` is copied (dup) here and by redirect, so the caller may close its own at once.
 * False: no thread or no descriptor could be had, and nothing changed.
 */
MUST_USE bool log_ring_start(int fd, log_ring_notice_fn *notice);
MUST_USE bool log_ring_redirect(int fd);

/* `line` is one line with its '\n' at the end. False: the ring is not in use, write it yourself. */
bool log_ring_put(const char *line, size_t len);

/* Waits until what was put before is written or given up; false when that took longer. */
bool log_ring_flush(unsigned timeout_ms);
/*
 * The same, and the end of the writer: from now on lines are the caller's again. False: not everything
 * could be written in time. It is dropped and counted then, and so is every later line, for a
 * descriptor that blocks must not block the end of the process.
 */
bool log_ring_stop(unsigned timeout_ms);

/* Lines that were lost since the process began: no room, or a descriptor that failed. */
uint64_t log_ring_dropped(void);

#endif
