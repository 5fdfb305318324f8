/*
 * config_findings.h - adding to the list of what is wrong in the configuration.
 *
 * A finding is a sentence about the file and a sentence about what to do. Neither
 * may hold a secret: callers never pass the value of a key that is one. Control
 * bytes are shown as '?'. The list is capped; what is beyond the cap is counted only.
 */
#ifndef GILMOK_PROXY_CONFIG_FINDINGS_H
#define GILMOK_PROXY_CONFIG_FINDINGS_H

#include "proxy/config.h"

enum { CONFIG_FINDINGS_MAX = 200 };

/* `line` 0: the file as a whole. No full stop at the end of the sentence. */
void config_error(struct config_findings *f, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);
void config_warning(struct config_findings *f, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* What to do about the finding that was added last. */
void config_advice(struct config_findings *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* By file in the order of `files` (unknown ones last, by name), then by line; otherwise as they were found. */
void config_findings_sort(struct config_findings *f, const char *const *files, size_t count);

#endif
