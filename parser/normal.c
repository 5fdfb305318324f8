/*
 * normal.c - the rarer half of normal.h: growing, and words of more than sixteen bytes.
 */
#include "parser/normal.h"

bool normal_grow(struct normal *n, size_t len) {
    if (n->failed) return false;
    size_t before = n->out->len;
    n->out->len = n->pos;
    n->failed = writer_reserve(n->out, len) == NULL;
    n->out->len = before;
    n->data = n->out->data;
    n->cap = n->out->cap;
    return !n->failed;
}

void normal_begin(struct normal *n, struct writer *out) {
    *n = (struct normal){.data = out->data, .out = out, .start = out->len, .pos = out->len, .cap = out->cap, .failed = out->failed};
}

struct bytes normal_end(struct normal *n) {
    if (n->failed) {
        n->out->failed = true;
        return bytes_of("", 0);
    }
    n->out->len = n->pos;
    return bytes_of(n->data + n->start, n->pos - n->start);
}

void normal_copy_long(struct normal *n, const uint8_t *p, size_t len) {
    if (!normal_room(n, len + NORMAL_SLACK)) return;
    memcpy(n->data + n->pos, p, len);
    n->pos += len;
}

void normal_lower_long(struct normal *n, const uint8_t *p, size_t len) {
    if (!normal_room(n, len + NORMAL_SLACK)) return;
    uint8_t *to = n->data + n->pos;
    for (size_t i = 0; i < len; i++) to[i] = p[i] >= 'A' && p[i] <= 'Z' ? p[i] + ('a' - 'A') : p[i];
    n->pos += len;
}
