/*
 * normal.h - the back room of the two normalisations (fingerprint.h, plan_key.h): words into a buffer, quickly.
 *
 * A `struct normal` stands in a writer's free room. Before anything is put, normal_room makes sure of NORMAL_SLACK
 * bytes, which is enough for every fixed text and space of one token; normal_copy and normal_lower see for themselves when a
 * word is longer. Positions are offsets in the writer's data, which may move as it grows.
 */
#ifndef GILMOK_PARSER_NORMAL_H
#define GILMOK_PARSER_NORMAL_H

#include "base/writer.h"
#include "parser/lex.h"

enum { NORMAL_SLACK = 64 };

struct normal {
    uint8_t *data;      /* the writer's */
    struct writer *out; /* its len is the text's start until normal_end */
    size_t start;
    size_t pos;
    size_t cap;
    bool failed; /* the writer has no room left; nothing that was put since is of use */
};

/* Room for `len` more bytes behind pos, or failure. */
bool normal_grow(struct normal *n, size_t len);

static inline bool normal_room(struct normal *n, size_t len) {
    return LIKELY(n->cap - n->pos >= len) || normal_grow(n, len);
}

void normal_begin(struct normal *n, struct writer *out);

/* The text that was made. It belongs to the writer from now on. */
struct bytes normal_end(struct normal *n);

static inline void normal_byte(struct normal *n, uint8_t c) {
    n->data[n->pos++] = c;
}

/* A byte, if `is_there`, without a branch. */
static inline void normal_byte_if(struct normal *n, uint8_t c, bool is_there) {
    n->data[n->pos] = c;
    n->pos += is_there;
}

/* Capitals A to Z in eight bytes to lower case; other bytes stay. */
static inline uint64_t normal_lower8(uint64_t bytes) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = bytes & ones * 0x7f;
    uint64_t above_z = low + ones * (0x7f - 'Z'), from_a = low + ones * (0x80 - 'A');
    return bytes | ((from_a & ~above_z & ~bytes & ones * 0x80) >> 2);
}

void normal_copy_long(struct normal *n, const uint8_t *p, size_t len);
void normal_lower_long(struct normal *n, const uint8_t *p, size_t len);

/* The bytes as they are; `text_end` says up to where bytes behind them may be read. */
static inline void normal_copy(struct normal *n, const uint8_t *p, size_t len, const uint8_t *text_end) {
    if (LIKELY(len <= 16 && text_end - p >= 16)) {
        memcpy(n->data + n->pos, p, 16);
        n->pos += len;
    } else {
        normal_copy_long(n, p, len);
    }
}

/* The same, capitals A to Z in lower case. */
static inline void normal_lower(struct normal *n, const uint8_t *p, size_t len, const uint8_t *text_end) {
    if (LIKELY(len <= 16 && text_end - p >= 16)) {
        uint64_t words[2];
        memcpy(words, p, 16);
        words[0] = normal_lower8(words[0]);
        words[1] = normal_lower8(words[1]);
        memcpy(n->data + n->pos, words, 16);
        n->pos += len;
    } else {
        normal_lower_long(n, p, len);
    }
}

#endif
