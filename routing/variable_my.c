/*
 * A name in a table that is made at build time.
 */
#include "routing/variable_my.h"

#include "routing/name_table.h"

#include "routing/variable_my_table.h"

enum variable_my_kind variable_my_find(struct bytes name) {
    return (enum variable_my_kind)name_table_find(&variables_my, name);
}

bool variable_my_has_odd_default(struct bytes name) {
    return bytes_is(name, "foreign_key_checks") || bytes_is(name, "unique_checks");
}

/* transaction_isolation came with MySQL 5.7.20, which lost tx_isolation in 8.0.3, and with MariaDB 11.1, which has both. */
struct bytes variable_my_isolation_name(bool is_read_only, const struct sql_options *options) {
    bool is_new = options->version >= (options->flavour == SQL_FLAVOUR_MARIADB ? 110100 : 50720);
    if (is_read_only) return is_new ? bytes_str("transaction_read_only") : bytes_str("tx_read_only");
    return is_new ? bytes_str("transaction_isolation") : bytes_str("tx_isolation");
}
