/*
 * pg_encode.h - PostgreSQL messages into a writer.
 *
 * All lengths are computed from what was written and patched in, so a message is
 * exactly as long as it declares. Check writer.failed once at the end.
 */
#ifndef GILMOK_PROXY_WIRE_PG_ENCODE_H
#define GILMOK_PROXY_WIRE_PG_ENCODE_H

#include "base/err.h"
#include "base/writer.h"
#include "proxy/wire/pg_decode.h"

/* A message by hand: begin, write the body, end with what begin returned. type 0 = a first packet. */
size_t pg_begin(struct writer *w, uint8_t type);
void pg_end(struct writer *w, size_t start);

/* ---- to clients ---- */
void pg_put_auth(struct writer *w, uint32_t code, struct bytes rest);
void pg_put_auth_sasl(struct writer *w, const char *mechanism, const char *other); /* NULL: only one */
void pg_put_parameter_status(struct writer *w, struct bytes name, struct bytes value);
void pg_put_key_data(struct writer *w, uint32_t pid, struct bytes key);
void pg_put_ready(struct writer *w, char txn_status);
void pg_put_negotiate(struct writer *w, uint32_t version, const struct pg_first *f); /* 'v', lists the _pq_. options */
/* ErrorResponse; severity is "ERROR" or "FATAL". */
void pg_put_error(struct writer *w, const char *severity, const struct err *err);
void pg_put_notice(struct writer *w, const char *text);
/* Rows for the console, in text format. A description by hand: the message, the count (2), the columns. */
void pg_put_column(struct writer *w, struct bytes name, enum pg_type type);
void pg_put_row_description(struct writer *w, const char *const *names, int count); /* every column is text */
void pg_put_text_row(struct writer *w, const struct bytes *values, int count); /* ptr NULL = SQL NULL */
void pg_put_command_complete(struct writer *w, const char *tag);
void pg_put_empty_query(struct writer *w);

/* ---- to servers ---- */
void pg_put_ssl_request(struct writer *w);
void pg_put_startup_begin(struct writer *w, size_t *start);
void pg_put_startup_param(struct writer *w, struct bytes name, struct bytes value);
void pg_put_startup_end(struct writer *w, size_t start);
void pg_put_sasl_initial(struct writer *w, const char *mechanism, struct bytes response);
void pg_put_sasl_response(struct writer *w, struct bytes response);
void pg_put_password(struct writer *w, struct bytes password); /* in clear, or an md5 response */
void pg_put_query(struct writer *w, const char *sql);
void pg_put_sync(struct writer *w);
void pg_put_terminate(struct writer *w);
void pg_put_cancel(struct writer *w, uint32_t pid, struct bytes key);

/*
 * `name` in double quotes, byte for byte: in no client encoding is a quote the second byte of a character. For names that
 * the server has told in the encoding that is in force.
 */
void pg_put_identifier(struct writer *w, struct bytes name);

/*
 * `value` as a SQL string literal: quotes doubled, E'' when it holds a backslash. Bytes
 * outside printable ASCII become question marks, because in some client encodings the
 * second byte of a character looks like a quote or a backslash.
 */
void pg_put_literal(struct writer *w, struct bytes value);

#endif
