/*
 * config_value.h - values of the configuration: from text, and back to text.
 *
 * Pure functions. On failure err.message goes behind the value ("is not a whole
 * number") and err.hint says what to write; neither repeats the value.
 */
#ifndef GILMOK_PROXY_CONFIG_VALUE_H
#define GILMOK_PROXY_CONFIG_VALUE_H

#include "base/arena.h"
#include "base/err.h"
#include "proxy/config.h"

/* on off yes no true false */
MUST_USE bool config_value_bool(const char *text, bool *out, struct err *err);
MUST_USE bool config_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *err);
/* `250ms`, `15s`, `2min`, `1h`, `1d`, or 0; in milliseconds. min and max too. */
MUST_USE bool config_value_duration(const char *text, uint64_t min, uint64_t max, uint64_t *ms, struct err *err);
/* `64kB`, `16MB`, `1GB` (powers of 1024), or 0; in bytes. */
MUST_USE bool config_value_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes, struct err *err);
/* `words` ends with NULL; *out is the index. */
MUST_USE bool config_value_word(const char *text, const char *const *words, int *out, struct err *err);
/* Comma-separated names, none of them empty; an empty list is right. */
MUST_USE bool config_value_names(const char *text, struct err *err);
/* Comma-separated addresses; struct config_listen are appended to `out`, in the arena. */
MUST_USE bool config_value_listens(const char *text, struct arena *arena, struct list *out, struct err *err);

/* Log levels (base/log_levels.h) of areas that are among `areas`, which ends with NULL. */
MUST_USE bool config_value_levels(const char *text, const char *const *areas, struct log_levels *out, struct err *err);

/* The largest unit that gives a whole number: 90000 is "90s". */
void config_value_duration_text(uint64_t ms, char *out, size_t size);
void config_value_size_text(uint64_t bytes, char *out, size_t size);
void config_value_listen_text(const struct config_listen *l, char *out, size_t size);
bool config_value_is_same_listen(const struct config_listen *a, const struct config_listen *b);

/* `localhost`, or an address that means this machine. */
bool config_value_is_loopback(const char *host);
/* True when only this machine can connect to it. */
bool config_listen_is_local(const struct config_listen *l);

#endif
