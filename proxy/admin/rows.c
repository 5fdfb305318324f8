/*
 * Text in, DataRow messages out.
 */
#include "proxy/admin/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fault.h"
#include "proxy/wire/pg_encode.h"

enum { KEY_MAX = 256 };

static int count_columns(const char *columns) {
    int count = 1;
    for (; *columns; columns++) count += *columns == ' ';
    return count;
}

void rows_describe(struct writer *out, const char *columns) {
    size_t at = pg_begin(out, PG_B_ROW_DESCRIPTION);
    writer_be16(out, (uint16_t)count_columns(columns));
    while (*columns) {
        size_t len = strcspn(columns, " ");
        bool is_number = columns[0] == '#';
        pg_put_column(out, bytes_of(columns + is_number, len - is_number), is_number ? PG_TYPE_INT8 : PG_TYPE_TEXT);
        columns += len + (columns[len] == ' ');
    }
    pg_end(out, at);
}

void row_begin(struct row *r, struct writer *out, const char *columns) {
    *r = (struct row){.out = out, .left = count_columns(columns)};
    r->start = pg_begin(out, PG_B_DATA_ROW);
    writer_be16(out, (uint16_t)r->left);
}

void row_bytes(struct row *r, struct bytes text) {
    r->left--;
    writer_be32(r->out, text.ptr ? (uint32_t)text.len : UINT32_MAX);
    if (text.ptr) writer_put(r->out, text);
}

void row_text(struct row *r, const char *text) {
    row_bytes(r, text ? bytes_str(text) : bytes_of(NULL, 0));
}

void row_number(struct row *r, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    row_text(r, text);
}

void row_address(struct row *r, const char *text) {
    const char *colon = strrchr(text, ':');
    bool is_unix = strncmp(text, "unix", 4) == 0 || !colon, is_v6 = text[0] == '[';
    if (is_unix) row_text(r, "unix");
    else row_bytes(r, bytes_of(text + is_v6, (size_t)(colon - text) - 2 * is_v6));
    row_number(r, is_unix ? 0 : strtoul(colon + 1, NULL, 10));
}

void row_time(struct row *r, uint64_t age_us) {
    char text[40];
    struct tm tm;
    time_t at = time(NULL) - (time_t)(age_us / 1000000);
    gmtime_r(&at, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm);
    row_text(r, text);
}

void row_end(struct row *r) {
    INVARIANT(r->left == 0);
    pg_end(r->out, r->start);
}

/* ---- totals ---- */

void *rows_total(struct map *totals, const char *name, const char *second, size_t size) {
    char key[KEY_MAX];
    int len = snprintf(key, sizeof key, "%s%c%s", name, 0, second);
    if (len < 0 || (size_t)len >= sizeof key) return NULL;
    void *total = map_get(totals, bytes_of(key, (size_t)len + 1));
    if (total) return total;
    total = mem_alloc(size);
    if (total && map_put(totals, bytes_of(key, (size_t)len + 1), total)) return total;
    mem_free(total);
    return NULL;
}

struct named {
    const char *name;
    void *total;
};

static const char *second_of(const char *name) {
    return name + strlen(name) + 1;
}

static int by_name(const void *a, const void *b) {
    const char *x = ((const struct named *)a)->name, *y = ((const struct named *)b)->name;
    int order = strcmp(x, y);
    return order ? order : strcmp(second_of(x), second_of(y));
}

void rows_each_total(const struct map *totals, rows_each_fn *each, void *ctx) {
    size_t count = totals->count, at = 0, i = 0;
    struct named *all = count ? mem_alloc(count * sizeof *all) : NULL;
    struct bytes key;
    void *total;
    if (!all) return;
    while (map_next(totals, &at, &key, &total)) all[i++] = (struct named){(const char *)key.ptr, total};
    qsort(all, count, sizeof *all, by_name);
    for (i = 0; i < count; i++) each(ctx, all[i].name, second_of(all[i].name), all[i].total);
    mem_free(all);
}
