/*
 * console_format.h - the console's rows in the formats that a client asks for.
 *
 * The console speaks text; a Bind may ask for binary. A column is text, which is the
 * same in both, or int8, which is eight bytes in binary. What was chosen stands in the
 * RowDescription that the client is told. Pure.
 */
#ifndef GILMOK_PROXY_SESSION_CONSOLE_FORMAT_H
#define GILMOK_PROXY_SESSION_CONSOLE_FORMAT_H

#include "base/err.h"
#include "base/reader.h"
#include "base/writer.h"

enum { CONSOLE_COLUMNS_MAX = 128 };

/* A ceiling for a row's message, when it is so long in text. */
#define CONSOLE_ROW_MAX(len) ((len) + CONSOLE_COLUMNS_MAX * 8)

/* The end of a Bind: count (2), format (2) ...; puts them into `description`, which may be empty (no rows). */
MUST_USE bool console_format_choose(struct writer *description, struct reader *formats, struct err *err);
/* A DataRow in text as it is to be sent. */
void console_format_row(struct bytes description, struct bytes row, struct writer *out);

#endif
