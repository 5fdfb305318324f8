/*
 * pg_decode.h - PostgreSQL messages out of bytes, for both directions.
 *
 * Pure: no sockets, no allocation; results are slices of the input. Every function
 * says NEED_MORE, BAD or OK, and consumes nothing: the caller advances.
 */
#ifndef GILMOK_PROXY_WIRE_PG_DECODE_H
#define GILMOK_PROXY_WIRE_PG_DECODE_H

#include "base/bytes.h"
#include "base/err.h"
#include "proxy/wire/pg_proto.h"

enum pg_frame { PG_FRAME_OK, PG_FRAME_NEED_MORE, PG_FRAME_BAD };

/*
 *  byte  0      1..4              5 ..
 *       type   length (>= 4)     body (length - 4 bytes)
 */
struct pg_header {
    uint8_t type;
    uint32_t total;    /* bytes of the whole message, type byte and length word included */
    uint32_t body_len; /* total - PG_HEADER_LEN */
};

/* Reads a header; BAD when the length is below 4 or above PG_LARGE_MAX. Inline: it runs for every row. */
static inline enum pg_frame pg_header_read(struct bytes in, struct pg_header *h) {
    if (in.len < PG_HEADER_LEN) return PG_FRAME_NEED_MORE;
    uint32_t len = (uint32_t)in.ptr[1] << 24 | (uint32_t)in.ptr[2] << 16 | (uint32_t)in.ptr[3] << 8 | in.ptr[4];
    h->type = in.ptr[0];
    h->total = len + 1;
    h->body_len = len - 4;
    return len < 4 || len > PG_LARGE_MAX ? PG_FRAME_BAD : PG_FRAME_OK;
}

/* Where the name ends with which the body of a Parse begins, most often at once; NULL: not inside of it. */
static inline const uint8_t *pg_parse_name_end(struct bytes body) {
    if (!body.len) return NULL;
    return LIKELY(!body.ptr[0]) ? body.ptr : memchr(body.ptr, 0, body.len);
}

/* The longest declared length a client may send for a type after login; 0 when the type is not a client's. */
uint32_t pg_frontend_limit(uint8_t type);

/* ---- first packet ---- */

enum pg_first_kind { PG_FIRST_STARTUP, PG_FIRST_SSL, PG_FIRST_GSSENC, PG_FIRST_CANCEL };

struct pg_param {
    struct bytes name;
    struct bytes value;
};

struct pg_first {
    enum pg_first_kind kind;
    uint32_t total;   /* bytes of the packet */
    uint32_t version; /* startup: protocol version as sent */
    struct pg_param params[PG_PARAM_MAX];
    int param_count;
    uint32_t cancel_pid; /* cancel */
    struct bytes cancel_key;
};

/*
 *  byte  0..3      4..7            8 ..
 *       length    version/code    "name\0value\0" ... "\0"     (startup)
 *                                 pid (4), key                 (cancel)
 */
enum pg_frame pg_first_read(struct bytes in, struct pg_first *out, struct err *err);
/* The value of a startup parameter, or an empty slice with ptr NULL. */
struct bytes pg_first_param(const struct pg_first *f, const char *name);

/* ---- bodies; all take the body without its header and return false when it is malformed ---- */

/* 'p' as SASLInitialResponse: mechanism, response (absent = ptr NULL). */
MUST_USE bool pg_sasl_initial_read(struct bytes body, struct bytes *mechanism, struct bytes *response);
/* 'R': the code and what follows it. */
MUST_USE bool pg_auth_read(struct bytes body, uint32_t *code, struct bytes *rest);
/* True when an AuthenticationSASL mechanism list (`rest` of 'R' 10) names `mechanism`. */
bool pg_sasl_offers(struct bytes list, const char *mechanism);
/* 'A': int32 process id, channel, payload. */
struct pg_notification {
    uint32_t pid;
    struct bytes channel, payload;
};
MUST_USE bool pg_notification_read(struct bytes body, struct pg_notification *out);
MUST_USE bool pg_parameter_status_read(struct bytes body, struct pg_param *out);
MUST_USE bool pg_key_data_read(struct bytes body, uint32_t *pid, struct bytes *key);
/* 'C': the tag without its NUL. */
MUST_USE bool pg_command_tag_read(struct bytes body, struct bytes *tag);

/* 'E' and 'N'. Absent fields are empty slices: a server may leave out any of them. */
struct pg_error_fields {
    struct bytes severity; /* 'V' if present, else 'S' */
    struct bytes sqlstate;
    struct bytes message;
    struct bytes detail;
    struct bytes hint;
};
MUST_USE bool pg_error_read(struct bytes body, struct pg_error_fields *out);

/*
 * The start of a Bind body: portal and statement name. `body` may be a prefix of
 * the whole; NEED_MORE when the names do not end inside it.
 */
enum pg_frame pg_bind_long_names(struct bytes body, struct bytes *portal, struct bytes *statement);
/* Mostly the portal has none, and the statement a short one, if any. */
static inline enum pg_frame pg_bind_names(struct bytes body, struct bytes *portal, struct bytes *statement) {
    enum { SHORT = 16 };
    if (UNLIKELY(body.len < 2 || body.ptr[0])) return pg_bind_long_names(body, portal, statement);
    for (size_t len = 0; len < SHORT && len + 1 < body.len; len++) {
        if (body.ptr[1 + len]) continue;
        *portal = bytes_of(body.ptr, 0);
        *statement = bytes_of(body.ptr + 1, len);
        return PG_FRAME_OK;
    }
    return pg_bind_long_names(body, portal, statement);
}
/* The first value of a Bind; empty when there is none, or it is NULL. False: it does not end inside `body`. */
MUST_USE bool pg_bind_first(struct bytes body, struct bytes *value);
/* Describe and Close: 'S' or 'P', and the name. */
MUST_USE bool pg_long_target_read(struct bytes body, uint8_t *kind, struct bytes *name);
static inline MUST_USE bool pg_target_read(struct bytes body, uint8_t *kind, struct bytes *name) {
    bool has_no_name = body.len == 2 && !body.ptr[1];
    if (UNLIKELY(!has_no_name)) return pg_long_target_read(body, kind, name);
    *kind = body.ptr[0];
    *name = bytes_of(body.ptr + 1, 0);
    return *kind == 'S' || *kind == 'P';
}

#endif
