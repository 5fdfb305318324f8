/*
 * log.h - one line an event: time, level, area, object, sentence.
 *
 *   2026-11-21 12:00:00.123 info  session c12 shop/app@127.0.0.1:5123: logged in
 *   {"ts":"2026-11-21T12:00:00.123Z","level":"info","area":"session","object":"c12 ...","message":"logged in"}
 *
 * A line is built in a bounded buffer. Until log_start() it is written at once, with
 * one write(2); from then on it goes through a bounded ring to a thread that
 * writes (log_ring.h): no caller waits for a descriptor, and lines that find no
 * room are dropped, counted, and told of by a line. log_stop() goes back.
 *
 * The object prefix names what the line is about ("c12 shop/app@..."), in the words of
 * SHOW CLIENTS and SHOW SERVERS; it may be NULL. Bytes that came from a peer are
 * escaped, so that nobody can forge a line. Secrets must never be passed in.
 */
#ifndef GILMOK_BASE_LOG_H
#define GILMOK_BASE_LOG_H

#include "base/build.h"
#include "base/log_levels.h" /* levels, log_is_on */

enum log_format { LOG_TEXT, LOG_JSON };

/*
 * Default: standard error, info, text. Holds from the next line on, for every thread. Before log_start()
 * `fd` is borrowed; after it the writer has a copy, so the caller may close its own.
 */
void log_setup(int fd, enum log_level lowest, enum log_format format); /* one level for all areas */
void log_setup_levels(int fd, const struct log_levels *levels, enum log_format format);

void log_line(enum log_level level, const char *area, const char *object, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* False: lines are written at once as before. Signals are blocked in the writer. */
MUST_USE bool log_start(void);
/* Both wait for what was logged before, for at most a second; without a writer they do nothing. */
void log_flush(void);
void log_stop(void); /* what could not be written is lost, and later lines too (log_ring_stop) */
uint64_t log_dropped_count(void); /* lines lost since the process began */

#endif
