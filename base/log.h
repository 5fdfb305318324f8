/*
 * log.h - one line an event: time, level, area, object, sentence.
 *
 *   2026-11-21 12:00:00.123 info  session c12 shop/app@127.0.0.1:5123: logged in
 *   {"ts":"2026-11-21T12:00:00.123Z","level":"info","area":"session","object":"c12 ...","message":"logged in"}
 *
 * A line is built in a bounded buffer and written with one write(2). The object
 * prefix names what the line is about ("c12 shop/app@..."), in the words of
 * SHOW CLIENTS and SHOW SERVERS; it may be NULL. Bytes that came from a peer are
 * escaped, so that nobody can forge a line. Secrets must never be passed in.
 */
#ifndef GILMOK_BASE_LOG_H
#define GILMOK_BASE_LOG_H

#include "base/build.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* `fd` is borrowed. Default: standard error, info, text. */
void log_setup(int fd, enum log_level lowest, enum log_format format);
bool log_is_on(enum log_level level);
void log_line(enum log_level level, const char *area, const char *object, const char *fmt, ...) PRINTF_LIKE(4, 5);
const char *log_level_name(enum log_level level);

#endif
