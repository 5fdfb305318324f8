/*
 * rows.h - rows of a SHOW under construction, and sums that are kept by name meanwhile.
 *
 * Columns are given as one string, names with blanks between them; one with a # in front
 * is an int8, the others are text. A row is filled in their order, and must be.
 */
#ifndef GILMOK_PROXY_ADMIN_ROWS_H
#define GILMOK_PROXY_ADMIN_ROWS_H

#include "base/map.h"
#include "base/writer.h"
#include "proxy/net/addr.h"

struct row {
    struct writer *out;
    size_t start;
    int left; /* cells to come */
};

void rows_describe(struct writer *out, const char *columns);

void row_begin(struct row *r, struct writer *out, const char *columns);
void row_text(struct row *r, const char *text); /* NULL: SQL NULL */
void row_bytes(struct row *r, struct bytes text);
void row_number(struct row *r, uint64_t value);
/* Two cells: "10.0.0.1" and 5432, or "unix" and 0; from "10.0.0.1:5432", "[::1]:5432", "unix...". */
void row_address(struct row *r, const char *text);
/* "2026-11-21 19:00:00 UTC": `age_us` ago. */
void row_time(struct row *r, uint64_t age_us);
void row_end(struct row *r);

/*
 * What was added up under these names so far, zero at first; a second name may be "".
 * NULL: memory is out, and the line is left out. The map's values are the caller's to free.
 */
void *rows_total(struct map *totals, const char *name, const char *second, size_t size);
/* Calls with each, ordered by its names. */
typedef void rows_each_fn(void *ctx, const char *name, const char *second, void *total);
void rows_each_total(const struct map *totals, rows_each_fn *each, void *ctx);

#endif
