/*
 * golden_wire.c - bytes into the decoders and what they say; arguments into the encoders and the bytes that come out.
 *
 *     header BYTES | first BYTES | limit BYTES                  framing
 *     sasl_initial, auth, sasl_offers NAME, parameter_status, key_data, tag, error, bind_names, target BYTES
 *     put NAME ARGUMENT...                                      an encoder
 *
 * BYTES are pieces: 0x001f hex digits, "text" with \xNN, z"text" the same with a NUL
 * behind it, # the length of everything (four bytes), and N*PIECE for repetition.
 * An argument is one piece. Decoded slices are shown as quoted text, absent ones as -.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/wire/pg_encode.h"
#include "tests/golden/golden.h"

enum { PIECES_MAX = 16 };

static const char *const frames[] = {"ok", "need more", "BAD"};

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *put_hex(struct writer *w, const char *p) {
    while (hex_digit(p[0]) >= 0 && hex_digit(p[1]) >= 0) {
        writer_u8(w, (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1])));
        p += 2;
    }
    return p;
}

/* From behind the opening quote; NULL when there is no closing one. */
static const char *put_text(struct writer *w, const char *p) {
    while (*p && *p != '"') {
        if (p[0] == '\\' && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
            writer_u8(w, (uint8_t)(hex_digit(p[2]) << 4 | hex_digit(p[3])));
            p += 4;
            continue;
        }
        if (p[0] == '\\' && p[1]) p++;
        writer_u8(w, (uint8_t)*p++);
    }
    return *p ? p + 1 : NULL;
}

/* One piece; returns what follows it, NULL when it is none. */
static const char *put_piece(struct writer *w, const char *p) {
    char *end;
    unsigned long times = strtoul(p, &end, 10);
    if (end != p && *end == '*') {
        const char *next = NULL;
        for (unsigned long i = 0; i < times; i++) next = put_piece(w, end + 1);
        return next;
    }
    if (p[0] == '0' && p[1] == 'x') return put_hex(w, p + 2);
    if (p[0] == '"') return put_text(w, p + 1);
    if (p[0] != 'z' || p[1] != '"') return NULL;
    p = put_text(w, p + 2);
    writer_u8(w, 0);
    return p;
}

static const char *skip_spaces(const char *p) {
    while (*p == ' ') p++;
    return p;
}

static bool put_pieces(struct writer *w, const char *p) {
    size_t length_at = SIZE_MAX;
    for (p = skip_spaces(p); p && *p; p = p ? skip_spaces(p) : NULL) {
        if (*p == '#') {
            length_at = w->len;
            writer_be32(w, 0);
            p++;
        } else {
            p = put_piece(w, p);
        }
        if (p && *p && *p != ' ') return false;
    }
    if (length_at != SIZE_MAX) writer_patch_be32(w, length_at, (uint32_t)w->len);
    return p && !w->failed;
}

static void show(struct writer *out, const char *name, struct bytes value) {
    writer_fmt(out, " %s ", name);
    if (!value.ptr) writer_str(out, "-");
    else if (value.len > 40) writer_fmt(out, "(%zu bytes)", value.len);
    else golden_quote(out, value);
}

/* ---- decoders ---- */

static void decode_header(struct bytes in, struct writer *out) {
    struct pg_header h;
    enum pg_frame frame = pg_header_read(in, &h);
    writer_str(out, frames[frame]);
    if (frame != PG_FRAME_OK) return;
    show(out, "type", bytes_of(&h.type, 1));
    writer_fmt(out, " total %u body %u", h.total, h.body_len);
}

static void decode_first(struct bytes in, struct writer *out) {
    static const char *const kinds[] = {"startup", "SSL", "GSSENC", "cancel"};
    struct pg_first f;
    struct err err = {0};
    enum pg_frame frame = pg_first_read(in, &f, &err);
    writer_str(out, frames[frame]);
    if (frame == PG_FRAME_BAD) writer_fmt(out, " %s %s", err.sqlstate, err.message);
    if (frame != PG_FRAME_OK) return;
    writer_fmt(out, " %s total %u", kinds[f.kind], f.total);
    if (f.kind == PG_FIRST_CANCEL) {
        writer_fmt(out, " pid %u", f.cancel_pid);
        show(out, "key", f.cancel_key);
    }
    if (f.kind != PG_FIRST_STARTUP) return;
    writer_fmt(out, " version %u.%u", f.version >> 16, f.version & 0xffff);
    if (f.param_count > 4) writer_fmt(out, " %d parameters", f.param_count);
    for (int i = 0; i < f.param_count && f.param_count <= 4; i++) {
        writer_str(out, " ");
        golden_quote(out, f.params[i].name);
        writer_str(out, "=");
        if (f.params[i].value.len > 40) writer_fmt(out, "(%zu bytes)", f.params[i].value.len);
        else golden_quote(out, f.params[i].value);
    }
}

static void decode_limit(struct bytes in, struct writer *out) {
    writer_fmt(out, "%u", pg_frontend_limit(in.len ? in.ptr[0] : 0));
}

static void decode_sasl_initial(struct bytes in, struct writer *out) {
    struct bytes mechanism, response;
    bool ok = pg_sasl_initial_read(in, &mechanism, &response);
    writer_str(out, ok ? "ok" : "BAD");
    if (!ok) return;
    show(out, "mechanism", mechanism);
    show(out, "response", response);
}

static void decode_auth(struct bytes in, struct writer *out) {
    uint32_t code;
    struct bytes rest;
    bool ok = pg_auth_read(in, &code, &rest);
    writer_str(out, ok ? "ok" : "BAD");
    if (!ok) return;
    writer_fmt(out, " code %u", code);
    show(out, "rest", rest);
}

static void decode_sasl_offers(struct bytes in, struct writer *out) {
    writer_str(out, pg_sasl_offers(in, "SCRAM-SHA-256") ? "yes" : "no");
}

static void decode_parameter_status(struct bytes in, struct writer *out) {
    struct pg_param p;
    bool ok = pg_parameter_status_read(in, &p);
    writer_str(out, ok ? "ok" : "BAD");
    if (!ok) return;
    show(out, "name", p.name);
    show(out, "value", p.value);
}

static void decode_key_data(struct bytes in, struct writer *out) {
    uint32_t pid;
    struct bytes key;
    bool ok = pg_key_data_read(in, &pid, &key);
    writer_str(out, ok ? "ok" : "BAD");
    if (!ok) return;
    writer_fmt(out, " pid %u", pid);
    show(out, "key", key);
}

static void decode_tag(struct bytes in, struct writer *out) {
    struct bytes tag;
    bool ok = pg_command_tag_read(in, &tag);
    writer_str(out, ok ? "ok" : "BAD");
    if (ok) show(out, "tag", tag);
}

static void decode_error(struct bytes in, struct writer *out) {
    struct pg_error_fields f;
    bool ok = pg_error_read(in, &f);
    writer_str(out, ok ? "ok" : "BAD");
    if (!ok) return;
    show(out, "severity", f.severity);
    show(out, "code", f.sqlstate);
    show(out, "message", f.message);
    show(out, "detail", f.detail);
    show(out, "hint", f.hint);
}

static void decode_bind_names(struct bytes in, struct writer *out) {
    struct bytes portal, statement;
    enum pg_frame frame = pg_bind_names(in, &portal, &statement);
    writer_str(out, frames[frame]);
    if (frame != PG_FRAME_OK) return;
    show(out, "portal", portal);
    show(out, "statement", statement);
}

static void decode_target(struct bytes in, struct writer *out) {
    uint8_t kind;
    struct bytes name;
    bool ok = pg_target_read(in, &kind, &name);
    writer_str(out, ok ? "ok" : "BAD");
    if (!ok) return;
    show(out, "kind", bytes_of(&kind, 1));
    show(out, "name", name);
}

static const struct {
    const char *name;
    void (*run)(struct bytes in, struct writer *out);
} decoders[] = {
    {"header", decode_header},
    {"first", decode_first},
    {"limit", decode_limit},
    {"sasl_initial", decode_sasl_initial},
    {"auth", decode_auth},
    {"sasl_offers", decode_sasl_offers},
    {"parameter_status", decode_parameter_status},
    {"key_data", decode_key_data},
    {"tag", decode_tag},
    {"error", decode_error},
    {"bind_names", decode_bind_names},
    {"target", decode_target},
};

/* ---- encoders ---- */

struct args {
    char texts[PIECES_MAX][1024]; /* NUL-terminated as well */
    struct bytes at[PIECES_MAX];  /* ptr NULL: the argument was `-` */
    int count;
};

static const char *text(const struct args *a, int i) {
    return i < a->count && a->at[i].ptr ? a->texts[i] : "";
}

static uint32_t number(const struct args *a, int i) {
    return (uint32_t)strtoul(text(a, i), NULL, 10);
}

static void put_auth(struct writer *w, const struct args *a) {
    pg_put_auth(w, number(a, 0), a->at[1]);
}

static void put_auth_sasl(struct writer *w, const struct args *a) {
    pg_put_auth_sasl(w, text(a, 0), NULL);
}

static void put_parameter_status(struct writer *w, const struct args *a) {
    pg_put_parameter_status(w, a->at[0], a->at[1]);
}

static void put_key_data(struct writer *w, const struct args *a) {
    pg_put_key_data(w, number(a, 0), a->at[1]);
}

static void put_ready(struct writer *w, const struct args *a) {
    pg_put_ready(w, text(a, 0)[0]);
}

static void put_negotiate(struct writer *w, const struct args *a) {
    struct pg_first f = {.param_count = a->count};
    for (int i = 0; i < a->count; i++) f.params[i].name = a->at[i];
    pg_put_negotiate(w, PG_VERSION_3_0, &f);
}

static void put_error(struct writer *w, const struct args *a) {
    struct err err = {0};
    snprintf(err.sqlstate, sizeof err.sqlstate, "%.5s", text(a, 1));
    snprintf(err.message, sizeof err.message, "%.250s", text(a, 2));
    err_detail(&err, "%s", text(a, 3));
    err_hint(&err, "%s", text(a, 4));
    pg_put_error(w, text(a, 0), &err);
}

static void put_row_description(struct writer *w, const struct args *a) {
    const char *names[PIECES_MAX];
    for (int i = 0; i < a->count; i++) names[i] = a->texts[i];
    pg_put_row_description(w, names, a->count);
}

static void put_text_row(struct writer *w, const struct args *a) {
    pg_put_text_row(w, a->at, a->count);
}

static void put_command_complete(struct writer *w, const struct args *a) {
    pg_put_command_complete(w, text(a, 0));
}

static void put_empty_query(struct writer *w, const struct args *a) {
    (void)a;
    pg_put_empty_query(w);
}

static void put_startup(struct writer *w, const struct args *a) {
    size_t start;
    pg_put_startup_begin(w, &start);
    for (int i = 0; i + 1 < a->count; i += 2) pg_put_startup_param(w, a->at[i], a->at[i + 1]);
    pg_put_startup_end(w, start);
}

static void put_sasl_initial(struct writer *w, const struct args *a) {
    pg_put_sasl_initial(w, text(a, 0), a->at[1]);
}

static void put_sasl_response(struct writer *w, const struct args *a) {
    pg_put_sasl_response(w, a->at[0]);
}

static void put_query(struct writer *w, const struct args *a) {
    pg_put_query(w, text(a, 0));
}

static void put_sync(struct writer *w, const struct args *a) {
    (void)a;
    pg_put_sync(w);
}

static void put_terminate(struct writer *w, const struct args *a) {
    (void)a;
    pg_put_terminate(w);
}

static void put_cancel(struct writer *w, const struct args *a) {
    pg_put_cancel(w, number(a, 0), a->at[1]);
}

static void put_literal(struct writer *w, const struct args *a) {
    pg_put_literal(w, a->at[0]);
}

static const struct {
    const char *name;
    void (*run)(struct writer *w, const struct args *a);
} encoders[] = {
    {"auth", put_auth},
    {"auth_sasl", put_auth_sasl},
    {"parameter_status", put_parameter_status},
    {"key_data", put_key_data},
    {"ready", put_ready},
    {"negotiate", put_negotiate},
    {"error", put_error},
    {"row_description", put_row_description},
    {"text_row", put_text_row},
    {"command_complete", put_command_complete},
    {"empty_query", put_empty_query},
    {"startup", put_startup},
    {"sasl_initial", put_sasl_initial},
    {"sasl_response", put_sasl_response},
    {"query", put_query},
    {"sync", put_sync},
    {"terminate", put_terminate},
    {"cancel", put_cancel},
    {"literal", put_literal},
};

static bool read_args(struct args *a, const char *p) {
    *a = (struct args){0};
    for (p = skip_spaces(p); *p; p = skip_spaces(p)) {
        if (a->count == PIECES_MAX) return false;
        int i = a->count++;
        if (*p == '-') {
            p++;
            continue;
        }
        struct writer w;
        writer_init_fixed(&w, a->texts[i], sizeof a->texts[i] - 1);
        p = put_piece(&w, p);
        if (!p || w.failed) return false;
        a->at[i] = bytes_of(a->texts[i], w.len);
    }
    return true;
}

static bool encode(const char *name, const char *rest, struct writer *out) {
    static struct args args;
    for (size_t i = 0; i < COUNT_OF(encoders); i++) {
        if (strcmp(encoders[i].name, name) != 0) continue;
        if (!read_args(&args, rest)) break;
        struct writer w;
        writer_init(&w, 1 << 16);
        encoders[i].run(&w, &args);
        if (w.failed) writer_str(out, "failed");
        else golden_quote(out, writer_bytes(&w));
        writer_release(&w);
        return true;
    }
    writer_str(out, "no such encoder, or wrong arguments");
    return false;
}

static bool decode(const char *name, const char *rest, struct writer *out) {
    for (size_t i = 0; i < COUNT_OF(decoders); i++) {
        if (strcmp(decoders[i].name, name) != 0) continue;
        struct writer in;
        writer_init(&in, 1 << 16);
        bool ok = put_pieces(&in, rest);
        /* A copy of exactly this size, so that a sanitizer sees the first byte too many. */
        uint8_t *exact = malloc(in.len + !in.len);
        if (!ok || !exact) writer_str(out, "these are no pieces");
        else if (in.len) memcpy(exact, in.data, in.len);
        if (ok && exact) decoders[i].run(bytes_of(exact, in.len), out);
        free(exact);
        writer_release(&in);
        return ok && exact;
    }
    writer_str(out, "no such decoder");
    return false;
}

static bool step(char *input, struct writer *out) {
    char name[32];
    int used = 0;
    if (sscanf(input, "put %31s%n", name, &used) == 1 && used) return encode(name, input + used, out);
    if (sscanf(input, "%31s%n", name, &used) == 1) return decode(name, input + used, out);
    writer_str(out, "an empty line");
    return false;
}

int main(int argc, char **argv) {
    static const struct golden_suite suite = {.name = "wire", .step = step};
    return golden_main(argc, argv, &suite);
}
