/*
 * Reads messages that the console has made itself.
 */
#include "proxy/session/console_format.h"

#include "proxy/wire/pg_encode.h"

/* Where in a RowDescription the type of each column stands; its format follows 10 bytes later. Returns their number. */
static int find_types(struct bytes description, size_t types[CONSOLE_COLUMNS_MAX]) {
    struct reader r = reader_over(description);
    (void)reader_take(&r, PG_HEADER_LEN);
    int count = r.failed ? 0 : reader_be16(&r);
    if (count > CONSOLE_COLUMNS_MAX) return 0;
    for (int i = 0; i < count; i++) {
        (void)reader_cstr(&r);
        (void)reader_take(&r, 6);
        types[i] = (size_t)(r.pos - description.ptr);
        (void)reader_take(&r, 12);
    }
    return r.failed ? 0 : count;
}

static bool is_binary_number(const uint8_t *type) {
    struct reader r = reader_over(bytes_of(type, 12));
    uint32_t oid = reader_be32(&r);
    (void)reader_take(&r, 6);
    return oid == PG_TYPE_INT8 && reader_be16(&r) == 1;
}

static void put_binary_number(struct writer *w, struct bytes digits) {
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
    writer_be32(w, 8);
    writer_be32(w, (uint32_t)(value >> 32));
    writer_be32(w, (uint32_t)value);
}

void console_format_row(struct bytes description, struct bytes row, struct writer *out) {
    size_t types[CONSOLE_COLUMNS_MAX];
    int count = find_types(description, types);
    struct reader r = reader_over(row);
    size_t at = pg_begin(out, PG_B_DATA_ROW);
    (void)reader_take(&r, PG_HEADER_LEN);
    writer_be16(out, reader_be16(&r));
    for (int i = 0; i < count; i++) {
        uint32_t len = reader_be32(&r);
        struct bytes cell = len == UINT32_MAX ? bytes_of(NULL, 0) : reader_take(&r, len);
        if (len != UINT32_MAX && is_binary_number(description.ptr + types[i])) {
            put_binary_number(out, cell);
            continue;
        }
        writer_be32(out, len);
        writer_put(out, cell);
    }
    pg_end(out, at);
}

/* One format stands for all columns. */
bool console_format_choose(struct writer *description, struct reader *formats, struct err *err) {
    size_t types[CONSOLE_COLUMNS_MAX];
    int columns = find_types(writer_bytes(description), types), count = reader_be16(formats);
    if (count > 1 && count != columns)
        return err_set(err, ERR_PROTOCOL_VIOLATION, "bind message has %d result formats but query has %d columns", count, columns);
    uint16_t format = 0;
    for (int i = 0; i < (count > columns ? count : columns); i++) {
        if (i < count) format = reader_be16(formats);
        if (format > 1) return err_set(err, ERR_PROTOCOL_VIOLATION, "unsupported format code: %u", format);
        if (i < columns) description->data[types[i] + 11] = (uint8_t)format;
    }
    return reader_done(formats) || err_set(err, ERR_PROTOCOL_VIOLATION, "invalid message format");
}
