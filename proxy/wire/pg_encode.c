/*
 * Encoders of single PostgreSQL messages. Each is its own byte table; see
 * pg_proto.h for the source.
 */
#include "proxy/wire/pg_encode.h"

size_t pg_begin(struct writer *w, uint8_t type) {
    if (type) writer_u8(w, type);
    size_t start = w->len;
    writer_be32(w, 0);
    return start;
}

void pg_end(struct writer *w, size_t start) {
    if (!w->failed) writer_patch_be32(w, start, (uint32_t)(w->len - start));
}

/* 'R': code (4), then what the method needs */
void pg_put_auth(struct writer *w, uint32_t code, struct bytes rest) {
    size_t at = pg_begin(w, PG_B_AUTH);
    writer_be32(w, code);
    writer_put(w, rest);
    pg_end(w, at);
}

/* 'R': 10, "mechanism\0", "\0" */
void pg_put_auth_sasl(struct writer *w, const char *mechanism, const char *other) {
    size_t at = pg_begin(w, PG_B_AUTH);
    writer_be32(w, PG_AUTH_SASL);
    writer_cstr(w, bytes_str(mechanism));
    if (other) writer_cstr(w, bytes_str(other));
    writer_u8(w, 0);
    pg_end(w, at);
}

/* 'S': "name\0", "value\0" */
void pg_put_parameter_status(struct writer *w, struct bytes name, struct bytes value) {
    size_t at = pg_begin(w, PG_B_PARAMETER_STATUS);
    writer_cstr(w, name);
    writer_cstr(w, value);
    pg_end(w, at);
}

/* 'K': process id (4), secret key */
void pg_put_key_data(struct writer *w, uint32_t pid, struct bytes key) {
    size_t at = pg_begin(w, PG_B_KEY_DATA);
    writer_be32(w, pid);
    writer_put(w, key);
    pg_end(w, at);
}

/* 'Z': status (1) */
void pg_put_ready(struct writer *w, char txn_status) {
    size_t at = pg_begin(w, PG_B_READY);
    writer_u8(w, (uint8_t)txn_status);
    pg_end(w, at);
}

/* 'v': newest version (4), count (4), "option\0" ... */
void pg_put_negotiate(struct writer *w, uint32_t version, const struct pg_first *f) {
    size_t at = pg_begin(w, PG_B_NEGOTIATE);
    writer_be32(w, version);
    uint32_t count = 0;
    for (int i = 0; i < f->param_count; i++) count += bytes_starts_with(f->params[i].name, "_pq_.");
    writer_be32(w, count);
    for (int i = 0; i < f->param_count; i++)
        if (bytes_starts_with(f->params[i].name, "_pq_.")) writer_cstr(w, f->params[i].name);
    pg_end(w, at);
}

static void put_field(struct writer *w, char code, const char *text) {
    if (!text[0]) return;
    writer_u8(w, (uint8_t)code);
    writer_cstr(w, bytes_str(text));
}

/* 'E' or 'N': (field code (1), "text\0") ..., "\0" */
static void put_report(struct writer *w, uint8_t type, const char *severity, const struct err *err) {
    size_t at = pg_begin(w, type);
    put_field(w, 'S', severity);
    put_field(w, 'V', severity);
    put_field(w, 'C', err->sqlstate[0] ? err->sqlstate : ERR_INTERNAL);
    put_field(w, 'M', err->message[0] ? err->message : "unknown error");
    put_field(w, 'D', err->detail);
    put_field(w, 'H', err->hint);
    if (err->routine) put_field(w, 'R', err->routine);
    writer_u8(w, 0);
    pg_end(w, at);
}

void pg_put_error(struct writer *w, const char *severity, const struct err *err) {
    put_report(w, PG_B_ERROR, severity, err);
}

void pg_put_notice(struct writer *w, const char *text) {
    struct err notice = {0};
    err_set(&notice, "00000", "%s", text);
    put_report(w, PG_B_NOTICE, "NOTICE", &notice);
}

/* "name\0", table (4), column (2), type (4), size (2), modifier (4), format (2) */
void pg_put_column(struct writer *w, struct bytes name, enum pg_type type) {
    writer_cstr(w, name);
    writer_be32(w, 0);
    writer_be16(w, 0);
    writer_be32(w, type);
    writer_be16(w, type == PG_TYPE_INT8 ? 8 : UINT16_MAX);
    writer_be32(w, UINT32_MAX);
    writer_be16(w, 0);
}

/* 'T': count (2), columns */
void pg_put_row_description(struct writer *w, const char *const *names, int count) {
    size_t at = pg_begin(w, PG_B_ROW_DESCRIPTION);
    writer_be16(w, (uint16_t)count);
    for (int i = 0; i < count; i++) pg_put_column(w, bytes_str(names[i]), PG_TYPE_TEXT);
    pg_end(w, at);
}

/* 'D': count (2), per column: length (4, -1 = NULL), bytes */
void pg_put_text_row(struct writer *w, const struct bytes *values, int count) {
    size_t at = pg_begin(w, PG_B_DATA_ROW);
    writer_be16(w, (uint16_t)count);
    for (int i = 0; i < count; i++) {
        writer_be32(w, values[i].ptr ? (uint32_t)values[i].len : UINT32_MAX);
        if (values[i].ptr) writer_put(w, values[i]);
    }
    pg_end(w, at);
}

/* 'C': "tag\0" */
void pg_put_command_complete(struct writer *w, const char *tag) {
    size_t at = pg_begin(w, PG_B_COMMAND_COMPLETE);
    writer_cstr(w, bytes_str(tag));
    pg_end(w, at);
}

void pg_put_empty_query(struct writer *w) {
    pg_end(w, pg_begin(w, PG_B_EMPTY_QUERY));
}

void pg_put_ssl_request(struct writer *w) {
    writer_be32(w, 8);
    writer_be32(w, PG_CODE_SSL);
}

/* length (4), version (4), ("name\0", "value\0") ..., "\0" */
void pg_put_startup_begin(struct writer *w, size_t *start) {
    *start = pg_begin(w, 0);
    writer_be32(w, PG_VERSION_3_0);
}

void pg_put_startup_param(struct writer *w, struct bytes name, struct bytes value) {
    writer_cstr(w, name);
    writer_cstr(w, value);
}

void pg_put_startup_end(struct writer *w, size_t start) {
    writer_u8(w, 0);
    pg_end(w, start);
}

/* 'p': "mechanism\0", length (4), response */
void pg_put_sasl_initial(struct writer *w, const char *mechanism, struct bytes response) {
    size_t at = pg_begin(w, PG_F_AUTH);
    writer_cstr(w, bytes_str(mechanism));
    writer_be32(w, (uint32_t)response.len);
    writer_put(w, response);
    pg_end(w, at);
}

void pg_put_sasl_response(struct writer *w, struct bytes response) {
    size_t at = pg_begin(w, PG_F_AUTH);
    writer_put(w, response);
    pg_end(w, at);
}

/* 'p': "password\0" */
void pg_put_password(struct writer *w, struct bytes password) {
    size_t at = pg_begin(w, PG_F_AUTH);
    writer_cstr(w, password);
    pg_end(w, at);
}

/* 'Q': "sql\0" */
void pg_put_query(struct writer *w, const char *sql) {
    size_t at = pg_begin(w, PG_F_QUERY);
    writer_cstr(w, bytes_str(sql));
    pg_end(w, at);
}

void pg_put_sync(struct writer *w) {
    pg_end(w, pg_begin(w, PG_F_SYNC));
}

void pg_put_terminate(struct writer *w) {
    pg_end(w, pg_begin(w, PG_F_TERMINATE));
}

/* length (4), code (4), process id (4), secret key */
void pg_put_cancel(struct writer *w, uint32_t pid, struct bytes key) {
    size_t at = pg_begin(w, 0);
    writer_be32(w, PG_CODE_CANCEL);
    writer_be32(w, pid);
    writer_put(w, key);
    pg_end(w, at);
}

void pg_put_identifier(struct writer *w, struct bytes name) {
    writer_u8(w, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"') writer_u8(w, '"');
        writer_u8(w, name.ptr[i]);
    }
    writer_u8(w, '"');
}

void pg_put_literal(struct writer *w, struct bytes value) {
    bool has_backslash = value.len && memchr(value.ptr, '\\', value.len);
    writer_str(w, has_backslash ? " E'" : "'");
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i] < 32 || value.ptr[i] > 126 ? '?' : value.ptr[i];
        if (c == '\'' || c == '\\') writer_u8(w, c);
        writer_u8(w, c);
    }
    writer_u8(w, '\'');
}
