/*
 * fuzz_parse_mysql.c - a text as the statements of MySQL and MariaDB.
 */
#include "tests/fuzz/fuzz_sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sql_options options;
    struct bytes text;
    if (fuzz_sql_input(data, size, SQL_MYSQL, &options, &text)) fuzz_sql_statements(text, &options);
    return 0;
}
