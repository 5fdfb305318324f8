/*
 * config_diff.h - what is different between two configurations, in words for people.
 *
 * One line a difference, without secrets:
 *
 *      changed: [database shop] pool_size 8 -> 3
 *      added: [database new]
 *      removed: [user old]
 *      changed: users: 1 added, 0 removed, 2 with another secret
 *      needs a restart: [gilmok] workers 1 -> 2
 *
 * A key that a reload cannot change is compared with what gilmok was started with, for as
 * long as it runs.
 */
#ifndef GILMOK_PROXY_CONFIG_DIFF_H
#define GILMOK_PROXY_CONFIG_DIFF_H

#include "base/writer.h"
#include "proxy/config.h"

/* Notes the values that hold until a restart: "[gilmok] workers" -> text, owned by the map. False: memory is out. */
MUST_USE bool config_diff_note_start(struct map *start, const struct config *c);
void config_diff_release_start(struct map *start);

/* Lines, each with its newline, into `out`, up to its ceiling; the last one then says that there are more. */
void config_diff(const struct config *old, const struct config *fresh, const struct map *start, struct writer *out);

#endif
