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
    case FUNCTION_UNKNOWN: return EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES;
    case FUNCTION_CLEAN: return 0;
    case FUNCTION_SET_CONFIG:
    case FUNCTION_LEAVES: return EFFECT_LEAVES | EFFECT_MOVES;
    case FUNCTION_TAKES: return EFFECT_TAKES;
    case FUNCTION_STAYS: return EFFECT_STAYS;
    case FUNCTION_NEXTVAL: return EFFECT_NEXTVAL;
    case FUNCTION_CURRVAL: return EFFECT_CURRVAL;
    case FUNCTION_LISTS: return EFFECT_LISTS;
    }
    return EFFECT_UNKNOWN;
}

/* Those for large objects are what is called by number; the others whose effect no look would find. */
unsigned function_pg_effects_of_oid(uint32_t oid) {
    switch (oid) {
    case 715: case 764: case 765: case 767: case 952: case 953: case 954: case 955: case 956: case 957: case 958: case 964:
    case 1004: case 3170: case 3171: case 3172: case 3457: case 3458: case 3459: case 3460:
        return 0; /* lo_create to lo_truncate, lo_lseek64 to lo_put */
    case 1574: case 1576: case 1765: return EFFECT_NEXTVAL; /* nextval, setval */
    case 1575: case 2559: return EFFECT_CURRVAL; /* currval, lastval */
    case 1599: case 2078: return EFFECT_LEAVES | EFFECT_STAYS | EFFECT_MOVES; /* setseed, set_config */
    default: return EFFECT_LEAVES | EFFECT_MOVES;
    }
}

void function_pg_each_unclean(void (*each)(void *ctx, const char *name), void *ctx) {
    for (size_t i = 0; i < FUNCTION_SLOTS; i++) {
        const struct function_row *row = &function_rows[i];
        if (row->name && row->kind != FUNCTION_CLEAN && row->kind != FUNCTION_NEXTVAL) each(ctx, row->name);
    }
}
