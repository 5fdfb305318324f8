/*
 * Tables that are made at build time, and nothing else.
 */
#include "routing/read_pg.h"

#include "routing/name_table.h"
#include "routing/token_pg.h"

#include "routing/read_table.h"

enum read_kind read_pg_function(struct bytes name) {
    return (enum read_kind)name_table_find(&functions, name);
}

enum read_kind read_pg_relation(struct bytes name) {
    return (enum read_kind)name_table_find(&relations, name);
}

bool read_pg_is_setting_everywhere(struct bytes name) {
    uint8_t lower[NAME_TABLE_NAME_MAX];
    if (name.len == 0) return false;
    if (memchr(name.ptr, '.', name.len)) return !token_pg_is_setting(name); /* the client's own, which follows it */
    if (name.len > sizeof lower) return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
    }
    return name_table_find(&settings, bytes_of(lower, name.len));
}

bool read_pg_is_type(struct bytes name) {
    return name_table_find(&types, name);
}

bool read_pg_is_operator(struct bytes symbol) {
    return name_table_find(&operators, symbol);
}
