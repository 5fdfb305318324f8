/*
 * fuzz_known_row.c - rows of the answer to known_pg_put_query(): columns with a NUL behind each, any number of rows. They are judged,
 * and asked about by their names.
 */
#include "routing/known_pg.h"
#include "tests/fuzz/fuzz.h"

static void ask(const struct classify_facts *facts, struct bytes schema, struct bytes name) {
    PROMISE(facts->of_function(facts->ctx, schema, name).kind <= CLASSIFY_FUNCTION_UNKNOWN);
    PROMISE(facts->of_relation(facts->ctx, schema, name).kind <= CLASSIFY_RELATION_UNKNOWN);
    (void)facts->is_unsafe_column(facts->ctx, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sql_options sql = sql_options_default(SQL_POSTGRES);
    const struct classify_options options = {.sql = &sql, .read_functions = bytes_str("f, app.g"), .write_functions = bytes_str("h")};
    struct known_pg *f = known_pg_new();
    struct bytes rest = bytes_of(data, size), row[KNOWN_PG_COLUMNS];
    if (!f) return 0;
    while (rest.len) {
        for (int i = 0; i < KNOWN_PG_COLUMNS; i++) row[i] = fuzz_cut(rest, &rest);
        (void)known_pg_take(f, row);
    }
    (void)known_pg_judge(f, &options);
    for (rest = bytes_of(data, size); rest.len;) {
        struct bytes schema = fuzz_cut(rest, &rest), name = fuzz_cut(rest, &rest);
        ask(known_pg_facts(f), schema, name);
        ask(known_pg_facts(f), bytes_of(NULL, 0), name);
    }
    known_pg_free(f);
    return 0;
}
