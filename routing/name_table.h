/*
 * name_table.h - names in a hash table that is made at build time, each with a small number. The hash must agree with
 * name_table.py.
 */
#ifndef GILMOK_ROUTING_NAME_TABLE_H
#define GILMOK_ROUTING_NAME_TABLE_H

#include "base/bytes.h"

enum { NAME_TABLE_NAME_MAX = 63 };

struct name_row {
    const char *name; /* NULL: an empty slot */
    uint8_t len;
    uint8_t kind;     /* what the table says of the name; never 0 */
};

struct name_table {
    const struct name_row *rows;
    unsigned bits; /* the table has 1 << bits slots, of which some are empty */
};

static inline uint64_t name_table_part(const uint8_t *p, size_t len) {
    uint64_t part = 0;
    memcpy(&part, p, len);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    part = __builtin_bswap64(part);
/* The name in lower case, in `lower` (NAME_TABLE_NAME_MAX bytes). Of one that is too long, nothing. */
static inline struct bytes name_table_lower(struct bytes name, uint8_t *lower) {
    if (name.len > NAME_TABLE_NAME_MAX) return bytes_of(NULL, 0);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
    }
    return bytes_of(lower, name.len);
}

#endif
    return part;
}

static inline uint32_t name_table_slot(struct bytes name, unsigned bits) {
    uint64_t hash = name.len;
    for (size_t at = 0; at < name.len; at += 8) {
        size_t left = name.len - at;
        hash = (hash ^ name_table_part(name.ptr + at, left < 8 ? left : 8)) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash >> (64 - bits));
}

/* 0: the name is not in the table. */
static inline unsigned name_table_find(const struct name_table *t, struct bytes name) {
    if (name.len == 0 || name.len > NAME_TABLE_NAME_MAX) return 0;
    for (uint32_t at = name_table_slot(name, t->bits);; at = (at + 1) & ((1u << t->bits) - 1)) {
        const struct name_row *row = &t->rows[at];
        if (!row->name) return 0;
        if (row->len == name.len && memcmp(row->name, name.ptr, name.len) == 0) return row->kind;
    }
}

/* The name in lower case, in `lower` (NAME_TABLE_NAME_MAX bytes). Of one that is too long, nothing. */
static inline struct bytes name_table_lower(struct bytes name, uint8_t *lower) {
    if (name.len > NAME_TABLE_NAME_MAX) return bytes_of(NULL, 0);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
    }
    return bytes_of(lower, name.len);
}

#endif
