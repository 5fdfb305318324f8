/*
 * fuzz_catalog_row.c - rows of the answer to catalog_pg_put_query(): columns with a NUL behind each, any number of rows.
 */
#include "routing/catalog_pg.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena arena;
    struct catalog *c = catalog_new();
    struct bytes rest = bytes_of(data, size), row[CATALOG_PG_COLUMNS];
    if (!arena.max) arena_init(&arena, 16 << 20);
    while (c && rest.len) {
        for (int i = 0; i < CATALOG_PG_COLUMNS; i++) row[i] = fuzz_cut(rest, &rest);
        if (!catalog_pg_is_digest(row)) (void)catalog_pg_take(c, row, &arena);
    }
    if (c) {
        (void)catalog_is_whole(c);
        (void)catalog_settings(c);
        (void)catalog_everywhere(c);
        for (rest = bytes_of(data, size); rest.len;) {
            struct bytes name = fuzz_cut(rest, &rest);
            unsigned effects = catalog_effects(c, catalog_find(c, CATALOG_FUNCTION, name));
            PROMISE(!(effects & EFFECT_NO_SUCH));
            (void)catalog_of_function(c, name);
            PROMISE((catalog_of_relation(c, name, true) | catalog_of_relation(c, name, false)) <= 0xffff);
        }
    }
    catalog_free(c);
    return 0;
}
