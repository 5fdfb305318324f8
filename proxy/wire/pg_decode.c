/*
 * Decoders of single PostgreSQL messages. Knows no connection state: which message
 * is legal when is the business of session_pg.c and backend_pg.c.
 */
#include "proxy/wire/pg_decode.h"

#include "base/reader.h"

uint32_t pg_frontend_limit(uint8_t type) {
    switch (type) {
    case PG_F_QUERY:
    case PG_F_PARSE:
    case PG_F_BIND:
    case PG_F_FUNCTION_CALL:
    case PG_F_COPY_DATA:
        return PG_LARGE_MAX;
    case PG_F_CLOSE:
    case PG_F_DESCRIBE:
    case PG_F_EXECUTE:
    case PG_F_FLUSH:
    case PG_F_SYNC:
    case PG_F_TERMINATE:
    case PG_F_COPY_DONE:
    case PG_F_COPY_FAIL:
        return PG_SMALL_MAX;
    default:
        return 0;
    }
}

static bool read_params(struct reader *r, struct pg_first *out, struct err *err) {
    for (;;) {
        struct bytes name = reader_cstr(r);
        if (r->failed)
            return err_set(err, ERR_PROTOCOL_VIOLATION, "invalid startup packet layout: expected terminator as last byte");
        if (name.len == 0) break;
        struct bytes value = reader_cstr(r);
        if (r->failed) return err_set(err, ERR_PROTOCOL_VIOLATION, "invalid startup packet layout: parameter without a value");
        if (out->param_count == PG_PARAM_MAX)
            return err_set(err, ERR_PROTOCOL_VIOLATION, "startup packet holds more than %d parameters", PG_PARAM_MAX);
        out->params[out->param_count++] = (struct pg_param){.name = name, .value = value};
    }
    if (!reader_done(r))
        return err_set(err, ERR_PROTOCOL_VIOLATION, "invalid startup packet layout: bytes after the terminator");
    return true;
}

static bool read_cancel(struct reader *r, struct pg_first *out, struct err *err) {
    out->kind = PG_FIRST_CANCEL;
    out->cancel_pid = reader_be32(r);
    out->cancel_key = reader_take(r, reader_left(r));
    if (r->failed || out->cancel_key.len < 4 || out->cancel_key.len > 256)
        return err_set(err, ERR_PROTOCOL_VIOLATION, "invalid length of cancel request");
    return true;
}

enum pg_frame pg_first_read(struct bytes in, struct pg_first *out, struct err *err) {
    if (in.len < 4) return PG_FRAME_NEED_MORE;
    struct reader whole = reader_over(in);
    uint32_t total = reader_be32(&whole);
    if (total < 8 || total > PG_STARTUP_MAX) {
        err_set(err, ERR_PROTOCOL_VIOLATION, "invalid length of startup packet");
        return PG_FRAME_BAD;
    }
    if (in.len < total) return PG_FRAME_NEED_MORE;
    struct reader r = reader_over(bytes_of(in.ptr + 4, total - 4));
    uint32_t code = reader_be32(&r);
    out->total = total;
    out->version = code;
    out->param_count = 0;
    bool ok = true;
    if (code == PG_CODE_SSL || code == PG_CODE_GSSENC) {
        out->kind = code == PG_CODE_SSL ? PG_FIRST_SSL : PG_FIRST_GSSENC;
        if (total != 8) ok = err_set(err, ERR_PROTOCOL_VIOLATION, "invalid length of encryption request");
    } else if (code == PG_CODE_CANCEL) {
        ok = read_cancel(&r, out, err);
    } else if (code >> 16 != 3) {
        ok = err_set(err, ERR_FEATURE_NOT_SUPPORTED, "unsupported frontend protocol %u.%u: gilmok supports 3.0 to 3.2", code >> 16,
                     code & 0xffff);
    } else {
        out->kind = PG_FIRST_STARTUP;
        ok = read_params(&r, out, err);
    }
    return ok ? PG_FRAME_OK : PG_FRAME_BAD;
}

struct bytes pg_first_param(const struct pg_first *f, const char *name) {
    for (int i = 0; i < f->param_count; i++)
        if (bytes_is(f->params[i].name, name)) return f->params[i].value;
    return bytes_of(NULL, 0);
}

bool pg_sasl_initial_read(struct bytes body, struct bytes *mechanism, struct bytes *response) {
    struct reader r = reader_over(body);
    *mechanism = reader_cstr(&r);
    uint32_t len = reader_be32(&r);
    *response = bytes_of(NULL, 0);
    if (len != UINT32_MAX) *response = reader_take(&r, len);
    return reader_done(&r);
}

bool pg_auth_read(struct bytes body, uint32_t *code, struct bytes *rest) {
    struct reader r = reader_over(body);
    *code = reader_be32(&r);
    *rest = reader_take(&r, reader_left(&r));
    return !r.failed;
}

bool pg_sasl_offers(struct bytes list, const char *mechanism) {
    struct reader r = reader_over(list);
    for (;;) {
        struct bytes name = reader_cstr(&r);
        if (r.failed || name.len == 0) return false;
        if (bytes_is(name, mechanism)) return true;
    }
}

bool pg_parameter_status_read(struct bytes body, struct pg_param *out) {
    struct reader r = reader_over(body);
    out->name = reader_cstr(&r);
    out->value = reader_cstr(&r);
    return reader_done(&r);
}

bool pg_notification_read(struct bytes body, struct pg_notification *out) {
    struct reader r = reader_over(body);
    out->pid = reader_be32(&r);
    out->channel = reader_cstr(&r);
    out->payload = reader_cstr(&r);
    return reader_done(&r);
}

bool pg_key_data_read(struct bytes body, uint32_t *pid, struct bytes *key) {
    struct reader r = reader_over(body);
    *pid = reader_be32(&r);
    *key = reader_take(&r, reader_left(&r));
    return !r.failed && key->len >= 4 && key->len <= 256;
}

bool pg_command_tag_read(struct bytes body, struct bytes *tag) {
    struct reader r = reader_over(body);
    *tag = reader_cstr(&r);
    return reader_done(&r);
}

bool pg_error_read(struct bytes body, struct pg_error_fields *out) {
    struct reader r = reader_over(body);
    *out = (struct pg_error_fields){0};
    for (;;) {
        uint8_t code = reader_u8(&r);
        if (r.failed) return false;
        if (code == 0) return reader_done(&r);
        struct bytes value = reader_cstr(&r);
        if (r.failed) return false;
        switch (code) {
        case 'S':
            if (!out->severity.ptr) out->severity = value;
            break;
        case 'V':
            out->severity = value;
            break;
        case 'C':
            out->sqlstate = value;
            break;
        case 'M':
            out->message = value;
            break;
        case 'D':
            out->detail = value;
            break;
        case 'H':
            out->hint = value;
            break;
        default:
            break; /* fields that come later in the protocol's life are ignored, as it demands */
        }
    }
}

enum pg_frame pg_bind_long_names(struct bytes body, struct bytes *portal, struct bytes *statement) {
    struct reader r = reader_over(body);
    if (body.len && !body.ptr[0]) *portal = reader_take(&r, 1), portal->len = 0; /* mostly it has no name */
    else *portal = reader_cstr(&r);
    *statement = reader_cstr(&r);
    return r.failed ? PG_FRAME_NEED_MORE : PG_FRAME_OK;
}

/*   Bind = portal NUL statement NUL, int16 count, int16 formats, int16 count, then int32 length (-1: NULL) and value of each */
bool pg_bind_first(struct bytes body, struct bytes *value) {
    struct reader r = reader_over(body);
    reader_cstr(&r);
    reader_cstr(&r);
    reader_take(&r, (size_t)reader_be16(&r) * 2);
    uint16_t count = reader_be16(&r);
    uint32_t len = count ? reader_be32(&r) : UINT32_MAX;
    *value = len == UINT32_MAX ? bytes_of("", 0) : reader_take(&r, len);
    return !r.failed;
}

bool pg_long_target_read(struct bytes body, uint8_t *kind, struct bytes *name) {
    struct reader r = reader_over(body);
    *kind = reader_u8(&r);
    *name = reader_cstr(&r);
    return reader_done(&r) && (*kind == 'S' || *kind == 'P');
}
