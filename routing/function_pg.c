/*
 * A name in a table that is made at build time.
 */
#include "routing/function_pg.h"

#include "routing/effect.h"
#include "routing/name_table.h"

#include "routing/function_table.h"

enum function_kind function_pg_find(struct bytes name) {
    return (enum function_kind)name_table_find(&functions, name);
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
    for (size_t i = 0; i < COUNT_OF(functions_rows); i++) {
        const struct name_row *row = &functions_rows[i];
        if (row->name && row->kind != FUNCTION_CLEAN && row->kind != FUNCTION_NEXTVAL) each(ctx, row->name);
    }
}
