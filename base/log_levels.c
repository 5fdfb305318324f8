/*
 * log_levels.c - the spelling of levels, and the levels that hold.
 *
 * Every logging thread reads the latter without a lock, so a name is never taken
 * away again: areas once named keep their place in the table, with or without a level.
 */
#include "base/log_levels.h"

#include <pthread.h>
#include <stdio.h>

#include "base/bytes.h"

enum { PLACES = 4 * LOG_AREAS_MAX, NO_LEVEL = -1, SHOWN_MAX = 60 };

static const char *const names[] = {"debug", "info", "warn", "error"};

const char *log_level_name(enum log_level level) {
    return level <= LOG_ERROR ? names[level] : "unknown";
}

/* ---- spelling ---- */

static bool level_of(struct bytes word, enum log_level *out) {
    for (int i = 0; i <= LOG_ERROR; i++) {
        if (!bytes_is(word, names[i])) continue;
        *out = (enum log_level)i;
        return true;
    }
    return false;
}

static bool refuse(struct err *err, const char *why, struct bytes part, const char *advice) {
    err_set(err, ERR_CONFIG, "holds %s: %.*s", why, (int)(part.len < SHOWN_MAX ? part.len : SHOWN_MAX), (const char *)part.ptr);
    err_hint(err, "%s", advice);
    return false;
}

static struct bytes trimmed(const char *from, const char *to) {
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
    return bytes_of(from, (size_t)(to - from));
}

/* "area=level" with blanks anywhere; `equals` is where the sign stands. */
static bool take_area(struct log_levels *out, struct bytes part, const char *equals, struct err *err) {
    const char *from = (const char *)part.ptr;
    struct bytes area = trimmed(from, equals), word = trimmed(equals + 1, from + part.len);
    enum log_level level;
    if (area.len == 0 || area.len > LOG_AREA_MAX)
        return refuse(err, "what is not an area", part, "Write area=level, such as pool=debug");
    if (!level_of(word, &level)) return refuse(err, "an unknown level", part, "Write one of: debug, info, warn, error");
    for (int i = 0; i < out->count; i++)
        if (bytes_is(area, out->areas[i].area)) return refuse(err, "an area twice", area, "Remove one of the two");
    if (out->count == LOG_AREAS_MAX) return refuse(err, "more than 16 areas", part, "Name fewer areas");
    memcpy(out->areas[out->count].area, area.ptr, area.len);
    out->areas[out->count++].level = level;
    return true;
}

static bool take_part(struct log_levels *out, struct bytes part, bool *has_lowest, struct err *err) {
    const char *equals = memchr(part.ptr, '=', part.len);
    if (part.len == 0) return refuse(err, "an empty level", part, "Write the levels with one comma between them");
    if (equals) return take_area(out, part, equals, err);
    if (!level_of(part, &out->lowest)) return refuse(err, "an unknown level", part, "Write one of: debug, info, warn, error");
    if (*has_lowest) return refuse(err, "two levels for all areas", part, "Write one level, and area=level for the others");
    *has_lowest = true;
    return true;
}

bool log_levels_parse(const char *text, struct log_levels *out, struct err *err) {
    bool has_lowest = false;
    *out = (struct log_levels){.lowest = LOG_INFO};
    for (const char *at = text; at;) {
        const char *end = at + strcspn(at, ",");
        if (!take_part(out, trimmed(at, end), &has_lowest, err)) return false;
        at = *end ? end + 1 : NULL;
    }
    return true;
}

void log_levels_text(const struct log_levels *levels, char *out, size_t size) {
    int len = snprintf(out, size, "%s", log_level_name(levels->lowest));
    for (int i = 0; i < levels->count && len > 0 && (size_t)len < size; i++)
        len += snprintf(out + len, size - (size_t)len, ", %s=%s", levels->areas[i].area, log_level_name(levels->areas[i].level));
}

/* ---- what holds ---- */

atomic_int log_levels_floor = LOG_INFO;

static struct {
    char area[LOG_AREA_MAX + 1]; /* never changes once it counts */
    atomic_int level;            /* NO_LEVEL: `lowest` */
} places[PLACES];
static atomic_int place_count;
static atomic_int lowest = LOG_INFO;
static pthread_mutex_t setting = PTHREAD_MUTEX_INITIALIZER; /* among those who change something */

bool log_levels_admit(enum log_level level, const char *area) {
    int least = atomic_load_explicit(&lowest, memory_order_relaxed);
    int count = atomic_load_explicit(&place_count, memory_order_acquire);
    for (int i = 0; i < count; i++) {
        if (strcmp(places[i].area, area) != 0) continue;
        int own = atomic_load_explicit(&places[i].level, memory_order_relaxed);
        if (own != NO_LEVEL) least = own;
        break;
    }
    return (int)level >= least;
}

static void find_floor(void) {
    int least = atomic_load_explicit(&lowest, memory_order_relaxed);
    for (int i = 0; i < atomic_load_explicit(&place_count, memory_order_relaxed); i++) {
        int own = atomic_load_explicit(&places[i].level, memory_order_relaxed);
        if (own != NO_LEVEL && own < least) least = own;
    }
    atomic_store_explicit(&log_levels_floor, least, memory_order_relaxed);
}

static bool set_area(const char *area, enum log_level level) {
    int count = atomic_load_explicit(&place_count, memory_order_relaxed);
    int at = 0;
    size_t len = strlen(area);
    while (at < count && strcmp(places[at].area, area) != 0) at++;
    if (at == PLACES || len > LOG_AREA_MAX) return false;
    if (at == count) memcpy(places[at].area, area, len + 1);
    atomic_store_explicit(&places[at].level, (int)level, memory_order_relaxed);
    if (at == count) atomic_store_explicit(&place_count, count + 1, memory_order_release);
    return true;
}

bool log_set_area_level(const char *area, enum log_level level) {
    pthread_mutex_lock(&setting);
    bool is_set = set_area(area, level);
    find_floor();
    pthread_mutex_unlock(&setting);
    return is_set;
}

void log_levels_apply(const struct log_levels *levels) {
    pthread_mutex_lock(&setting);
    for (int i = 0; i < atomic_load_explicit(&place_count, memory_order_relaxed); i++)
        atomic_store_explicit(&places[i].level, NO_LEVEL, memory_order_relaxed);
    atomic_store_explicit(&lowest, (int)levels->lowest, memory_order_relaxed);
    for (int i = 0; i < levels->count; i++)
        (void)set_area(levels->areas[i].area, levels->areas[i].level); /* an area beyond the table has the level of all */
    find_floor();
    pthread_mutex_unlock(&setting);
}
