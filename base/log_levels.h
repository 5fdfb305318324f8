/*
 * log_levels.h - which lines are logged: a lowest level, and areas that have one of their own.
 *
 *     info, pool=debug, net=warn
 *
 * An area is the word that log_line() gets. What holds in the process may change at
 * any time and from any thread; the others see it with their next line.
 */
#ifndef GILMOK_BASE_LOG_LEVELS_H
#define GILMOK_BASE_LOG_LEVELS_H

#include <stdatomic.h>

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum {
    LOG_AREAS_MAX = 16,   /* areas in one list */
    LOG_AREA_MAX = 15,    /* bytes of an area's name */
    LOG_LEVELS_TEXT = 512 /* room for any list as text */
};

struct log_levels {
    enum log_level lowest; /* of every area that is not listed */
    int count;
    struct {
        char area[LOG_AREA_MAX + 1];
        enum log_level level;
    } areas[LOG_AREAS_MAX];
};

/*
 * A level, levels of areas, or both, with commas between them; info where no level stands
 * alone. On failure err.message goes behind the value ("holds an area twice: pool") and
 * err.hint says what to write. Which areas there are is not known here.
 */
MUST_USE bool log_levels_parse(const char *text, struct log_levels *out, struct err *err);
void log_levels_text(const struct log_levels *levels, char *out, size_t size);
const char *log_level_name(enum log_level level);

/* ---- what holds in this process; at first info ---- */

void log_levels_apply(const struct log_levels *levels);
/* One area's, on top of what holds. False: too many different areas were named since the start. */
MUST_USE bool log_set_area_level(const char *area, enum log_level level);

extern atomic_int log_levels_floor; /* the lowest level of all; for log_is_on() alone */
bool log_levels_admit(enum log_level level, const char *area);

/* One load when no area is that low. */
static inline bool log_is_on(enum log_level level, const char *area) {
    return (int)level >= atomic_load_explicit(&log_levels_floor, memory_order_relaxed) && log_levels_admit(level, area);
}

#endif
