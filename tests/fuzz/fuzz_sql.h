/*
 * fuzz_sql.h - what the targets of the SQL parser share: options from the input's first byte, and the promises.
 */
#ifndef GILMOK_TESTS_FUZZ_SQL_H
#define GILMOK_TESTS_FUZZ_SQL_H

#include "parser/parser.h"
#include "tests/fuzz/fuzz.h"

/* The options that this byte stands for. 0: the newest server in its default settings. */
struct sql_options fuzz_sql_options(enum sql_dialect dialect, uint8_t byte);

/* Reads all tokens of the text and all its statements, and checks what lex.h, parser.h and ast.h promise of them. */
void fuzz_sql_tokens(struct bytes text, const struct sql_options *options);
void fuzz_sql_statements(struct bytes text, const struct sql_options *options);

/* The first byte as options, the rest as text. False when there is no first byte. */
static inline bool fuzz_sql_input(const uint8_t *data, size_t size, enum sql_dialect dialect, struct sql_options *options,
                                  struct bytes *text) {
    if (size == 0) return false;
    *options = fuzz_sql_options(dialect, data[0]);
    *text = bytes_of(data + 1, size - 1);
    return true;
}

#endif
