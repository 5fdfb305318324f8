/*
 * writer.c - the growable buffer; owns its memory unless it is fixed.
 *
 * Knows no message. len <= cap <= max at all times, so the differences below
 * cannot wrap.
 */
#include "base/writer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/fault.h"

enum {
    WRITER_CAP_MIN = 64,   /* the first allocation, unless the ceiling is lower */
    WRITER_FMT_STACK = 512 /* formatted texts up to this size need no second pass */
};

void writer_init(struct writer *w, size_t max) {
    *w = (struct writer){.max = max};
}

void writer_init_fixed(struct writer *w, void *storage, size_t size) {
    *w = (struct writer){.data = storage, .cap = size, .max = size, .is_fixed = true};
}

void writer_release(struct writer *w) {
    if (!w->is_fixed) mem_free(w->data);
    *w = (struct writer){0};
}

void writer_reset(struct writer *w) {
    w->len = 0;
    w->failed = false;
}

/* `need` is at most max. */
static bool grow(struct writer *w, size_t need) {
    size_t cap = w->cap > w->max / 2 ? w->max : 2 * w->cap;
    if (cap < WRITER_CAP_MIN) cap = WRITER_CAP_MIN;
    if (cap < need) cap = need;
    if (cap > w->max) cap = w->max;
    uint8_t *data = mem_realloc(w->data, cap);
    if (!data) return false;
    w->data = data;
    w->cap = cap;
    return true;
}

uint8_t *writer_reserve(struct writer *w, size_t len) {
    if (UNLIKELY(w->failed)) return NULL;
    if (UNLIKELY(len > w->max - w->len)) {
        w->failed = true;
        return NULL;
    }
    if (len > w->cap - w->len || !w->data) {
        if (w->is_fixed || !grow(w, w->len + len)) {
            w->failed = true;
            return NULL;
        }
    }
    return w->data + w->len;
}

void writer_u8(struct writer *w, uint8_t value) {
    uint8_t *p = writer_reserve(w, 1);
    if (!p) return;
    p[0] = value;
    w->len += 1;
}

void writer_be16(struct writer *w, uint16_t value) {
    uint8_t *p = writer_reserve(w, 2);
    if (!p) return;
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    w->len += 2;
}

static void store_be32(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

void writer_be32(struct writer *w, uint32_t value) {
    uint8_t *p = writer_reserve(w, 4);
    if (!p) return;
    store_be32(p, value);
    w->len += 4;
}

void writer_put(struct writer *w, struct bytes data) {
    if (data.len == 0) return;
    uint8_t *p = writer_reserve(w, data.len);
    if (!p) return;
    memcpy(p, data.ptr, data.len);
    w->len += data.len;
}

void writer_str(struct writer *w, const char *str) {
    writer_put(w, bytes_str(str));
}

void writer_cstr(struct writer *w, struct bytes data) {
    if (data.len > 0 && memchr(data.ptr, 0, data.len)) {
        w->failed = true;
        return;
    }
    writer_put(w, data);
    writer_u8(w, 0);
}

/* A text of exactly `len` bytes that has no room for its NUL in the buffer takes a detour over the heap. */
static void fmt_exact(struct writer *w, size_t len, const char *fmt, va_list args) {
    char *text = mem_alloc(len + 1);
    if (!text) {
        w->failed = true;
        return;
    }
    vsnprintf(text, len + 1, fmt, args);
    writer_put(w, bytes_of(text, len));
    mem_free(text);
}

static void fmt_long(struct writer *w, size_t len, const char *fmt, va_list args) {
    if (w->failed || len > w->max - w->len) {
        w->failed = true;
    } else if (len == w->max - w->len) {
        fmt_exact(w, len, fmt, args);
    } else {
        uint8_t *p = writer_reserve(w, len + 1);
        if (!p) return;
        vsnprintf((char *)p, len + 1, fmt, args);
        w->len += len;
    }
}

void writer_fmt(struct writer *w, const char *fmt, ...) {
    char text[WRITER_FMT_STACK];
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len < 0)
        w->failed = true;
    else if ((size_t)len < sizeof(text))
        writer_put(w, bytes_of(text, (size_t)len));
    else
        fmt_long(w, (size_t)len, fmt, again);
    va_end(again);
}

void writer_patch_be32(struct writer *w, size_t at, uint32_t value) {
    if (w->failed) return;
    INVARIANT(at <= w->len && w->len - at >= 4);
    store_be32(w->data + at, value);
}
