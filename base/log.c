/*
 * log.c - builds one line in a bounded buffer and gives it to the ring or to write(2).
 *
 * Owns nothing but its settings, which are atomics because a reload changes them
 * while workers log. Knows nothing of files or rotation: who runs the process
 * points the descriptor somewhere. Which lines are wanted: log_levels.c. A text that does not fit is cut; the end of
 * the line is kept, so that a cut line is still one line and still valid JSON.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_ring.h"

enum {
    LOG_MESSAGE_MAX = 1024, /* before escaping */
    LOG_NAME_MAX = 512,     /* area and object, each, after escaping: the message always gets room */
    LOG_LINE_MAX = 4096,    /* with everything; at most PIPE_BUF, so that lines of several threads never mix */
    LOG_WAIT_MS = 1000,     /* what log_flush and log_stop may take */
    LOG_END_ROOM = 4,       /* kept free for the line's end */
};
static_assert((int)LOG_LINE_MAX <= (int)LOG_RING_LINE_MAX, "the ring takes every line");

static atomic_int log_fd = STDERR_FILENO;
static atomic_int log_form = LOG_TEXT;

struct line {
    char text[LOG_LINE_MAX];
    size_t len;
    bool is_json;
};

void log_setup_levels(int fd, const struct log_levels *levels, enum log_format format) {
    log_levels_apply(levels);
    atomic_store_explicit(&log_form, (int)format, memory_order_relaxed);
    atomic_store_explicit(&log_fd, fd, memory_order_relaxed);
    if (!log_ring_redirect(fd))
        log_line(LOG_ERROR, "log", NULL, "no descriptor is left for a new log file; the log stays where it is");
}

void log_setup(int fd, enum log_level lowest, enum log_format format) {
    struct log_levels levels = {.lowest = lowest};
    log_setup_levels(fd, &levels, format);
}

/* All of `len` bytes or nothing. */
static bool add(struct line *l, const char *text, size_t len) {
    if (len > sizeof(l->text) - LOG_END_ROOM - l->len) return false;
    memcpy(l->text + l->len, text, len);
    l->len += len;
    return true;
}

static void add_str(struct line *l, const char *str) {
    add(l, str, strlen(str));
}

/*
 * Length of the well-formed UTF-8 character at `p`, or 0. C1 controls (U+0080 to
 * U+009F) count as ill-formed: terminals obey some of them. The NUL behind the
 * string ends every sequence that is cut short.
 */
static size_t utf8_len(const uint8_t *p) {
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
    }
    if (p[0] == 0xc2 && p[1] < 0xa0) return 0;                                    /* C1 */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90)) return 0; /* too long a form */
    if ((p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0; /* surrogate, beyond U+10FFFF */
    return len;
}

/* At most about `max` bytes after escaping, cut between characters. */
static void add_escaped(struct line *l, const char *str, size_t max) {
    const uint8_t *p = (const uint8_t *)str;
    const size_t start = l->len;
    while (*p && l->len - start < max) {
        size_t len = utf8_len(p);
        bool is_fit;
        if (len == 0 || *p < 0x20 || *p == 0x7f) {
            char code[8];
            int code_len = snprintf(code, sizeof(code), l->is_json ? "\\u00%02x" : "\\x%02x", *p);
            is_fit = add(l, code, (size_t)code_len);
            len = 1;
        } else if (l->is_json && (*p == '"' || *p == '\\')) {
            is_fit = add(l, (char[]){'\\', (char)*p}, 2);
        } else {
            is_fit = add(l, (const char *)p, len);
        }
        if (!is_fit) return;
        p += len;
    }
}

static void add_time(struct line *l) {
    struct timespec now;
    struct tm utc;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || !gmtime_r(&now.tv_sec, &utc)) return;
    char text[80];
    int len = snprintf(text, sizeof(text), "%04d-%02d-%02d%c%02d:%02d:%02d.%03ld%s", utc.tm_year + 1900, utc.tm_mon + 1,
                       utc.tm_mday, l->is_json ? 'T' : ' ', utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000,
                       l->is_json ? "Z" : "");
    if (len > 0 && (size_t)len < sizeof(text)) add(l, text, (size_t)len);
}

static void build_text(struct line *l, enum log_level level, const char *area, const char *object,
                       const char *message) {
    add_time(l);
    char word[16];
    snprintf(word, sizeof(word), " %-5s ", log_level_name(level));
    add_str(l, word);
    add_escaped(l, area, LOG_NAME_MAX);
    if (object) {
        add_str(l, " ");
        add_escaped(l, object, LOG_NAME_MAX);
    }
    add_str(l, ": ");
    add_escaped(l, message, sizeof(l->text));
    l->text[l->len++] = '\n';
}

static void build_json(struct line *l, enum log_level level, const char *area, const char *object,
                       const char *message) {
    add_str(l, "{\"ts\":\"");
    add_time(l);
    add_str(l, "\",\"level\":\"");
    add_str(l, log_level_name(level));
    add_str(l, "\",\"area\":\"");
    add_escaped(l, area, LOG_NAME_MAX);
    if (object) {
        add_str(l, "\",\"object\":\"");
        add_escaped(l, object, LOG_NAME_MAX);
    }
    add_str(l, "\",\"message\":\"");
    add_escaped(l, message, sizeof(l->text));
    memcpy(l->text + l->len, "\"}\n", 3);
    l->len += 3;
}

static void build(struct line *l, enum log_level level, const char *area, const char *object, const char *message) {
    l->len = 0;
    l->is_json = atomic_load_explicit(&log_form, memory_order_relaxed) == LOG_JSON;
    if (l->is_json) build_json(l, level, area, object, message);
    else build_text(l, level, area, object, message);
}

void log_line(enum log_level level, const char *area, const char *object, const char *fmt, ...) {
    if (!log_is_on(level, area)) return;
    int saved_errno = errno; /* callers log in the middle of handling an error */
    char message[LOG_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(message, sizeof(message), fmt, args) < 0) message[0] = '\0';
    va_end(args);

    struct line l;
    build(&l, level, area, object, message);
    if (!log_ring_put(l.text, l.len)) {
        int fd = atomic_load_explicit(&log_fd, memory_order_relaxed);
        while (write(fd, l.text, l.len) < 0 && errno == EINTR) {
        }
    }
    errno = saved_errno; /* a log that cannot be written has nobody left to tell */
}

/* ---- the ring ---- */

/* Whatever the levels: who reads the log must know what is not in it. */
static size_t write_notice(char *out, size_t size, uint64_t dropped) {
    char message[100];
    struct line l;
    snprintf(message, sizeof message, "%" PRIu64 " line%s dropped: the log could not be written", dropped,
             dropped == 1 ? " was" : "s were");
    build(&l, LOG_WARN, "log", NULL, message);
    INVARIANT(l.len <= size);
    memcpy(out, l.text, l.len);
    return l.len;
}

bool log_start(void) {
    return log_ring_start(atomic_load_explicit(&log_fd, memory_order_relaxed), write_notice);
}

void log_flush(void) {
    (void)log_ring_flush(LOG_WAIT_MS);
}

void log_stop(void) {
    (void)log_ring_stop(LOG_WAIT_MS);
}

uint64_t log_dropped_count(void) {
    return log_ring_dropped();
}
