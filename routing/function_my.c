/*
 * A name in a table that is made at build time, with the versions that have such a function.
 */
#include "routing/function_my.h"

#include "routing/name_table.h"

/* What the names below one head of functions_my.txt have in common. */
struct function_section {
    uint8_t kind;      /* enum function_my_kind */
    uint32_t since[2], until[2]; /* by enum sql_flavour; since UINT32_MAX: never */
};

#include "routing/function_my_table.h"

enum function_my_kind function_my_find(struct bytes name, const struct sql_options *options) {
    uint8_t lower[NAME_TABLE_NAME_MAX];
    const struct function_section *section = &function_my_sections[name_table_find(&functions_my, name_table_lower(name, lower))];
    bool is_there = options->version >= section->since[options->flavour] && options->version < section->until[options->flavour];
    return is_there ? (enum function_my_kind)section->kind : FUNCTION_MY_UNKNOWN;
}
