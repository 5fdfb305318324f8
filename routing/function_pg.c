/*
 * A name in a table that is made at build time. The hash must agree with functions_pg.py.
 */
#include "routing/function_pg.h"

#include "routing/effect.h"

struct function_row {
    const char *name;
    uint8_t len;
    uint8_t kind; /* enum function_kind */
};

#include "routing/function_table.h"

static inline uint64_t part_of(const uint8_t *p, size_t len) {
    uint64_t part = 0;
    memcpy(&part, p, len);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    part = __builtin_bswap64(part);
#endif
    return part;
}

static uint32_t slot_of(struct bytes name) {
    uint64_t hash = name.len;
    for (size_t at = 0; at < name.len; at += 8) {
        size_t left = name.len - at;
        hash = (hash ^ part_of(name.ptr + at, left < 8 ? left : 8)) * FUNCTION_MULTIPLIER;
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash >> 51);
}

enum function_kind function_pg_find(struct bytes name) {
    if (name.len == 0 || name.len > FUNCTION_NAME_MAX) return FUNCTION_UNKNOWN;
    for (uint32_t at = slot_of(name);; at = (at + 1) % FUNCTION_SLOTS) {
        const struct function_row *row = &function_rows[at];
        if (!row->name) return FUNCTION_UNKNOWN;
        if (row->len == name.len && memcmp(row->name, name.ptr, name.len) == 0) return (enum function_kind)row->kind;
    }
}

unsigned function_pg_effects(enum function_kind kind) {
    switch (kind) {
    case FUNCTION_UNKNOWN: return EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES;
    case FUNCTION_CLEAN: return 0;
    case FUNCTION_SET_CONFIG:
    case FUNCTION_LEAVES: return EFFECT_LEAVES | EFFECT_MOVES;
    case FUNCTION_TAKES: return EFFECT_TAKES;
    case FUNCTION_STAYS: return EFFECT_STAYS;
    case FUNCTION_NEXTVAL: return EFFECT_NEXTVAL;
    case FUNCTION_CURRVAL: return EFFECT_CURRVAL;
    }
    return EFFECT_UNKNOWN;
}

void function_pg_each_unclean(void (*each)(void *ctx, const char *name), void *ctx) {
    for (size_t i = 0; i < FUNCTION_SLOTS; i++) {
        const struct function_row *row = &function_rows[i];
        if (row->name && row->kind != FUNCTION_CLEAN && row->kind != FUNCTION_NEXTVAL) each(ctx, row->name);
    }
}
