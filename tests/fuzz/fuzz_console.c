/*
 * fuzz_console.c - a client at the console: whole messages, as session_pg.c hands them on.
 *
 * The input is any number of messages: type (1), length (2), body. Below is a console whose answer
 * to a statement depends on its first byte only, and a model of what a client must get for each message,
 * to the byte; of errors, that there is one.
 */
#include <stdio.h>

#include "base/reader.h"
#include "proxy/session/session_pg.h"
#include "tests/fuzz/fuzz.h"

enum { BODY_MAX = 16 << 10, NAMES_MAX = 1100, STATEMENTS_MAX = 1000, PORTALS_MAX = 64, COLUMNS = 3 };

static struct session_env env;
static struct session_pg client;
static struct writer sent, expected; /* for one message; an error is expected as one without a body */
static uint8_t sent_storage[64 << 10], expected_storage[64 << 10];
static bool is_violated;

/* ---- statements: the first byte is what a statement does, and how many rows it returns ---- */

enum kind { NOTHING, ROWS, UNKNOWN, BREAKS, EMPTY, ENDS };

static enum kind kind_of(struct bytes sql) {
    if (sql.len == 0) return EMPTY;
    return sql.ptr[0] == '!' ? ENDS : (enum kind)(sql.ptr[0] % 4);
}

static bool has_rows(struct bytes sql) {
    return kind_of(sql) == ROWS || kind_of(sql) == BREAKS;
}

static uint32_t rows_of(struct bytes sql) {
    return sql.ptr[0] >> 2 & 7;
}

static void put_description(struct writer *w, const bool is_binary[COLUMNS]) {
    size_t at = pg_begin(w, PG_B_ROW_DESCRIPTION);
    writer_be16(w, COLUMNS);
    for (int i = 0; i < COLUMNS; i++) {
        pg_put_column(w, bytes_str(i == 1 ? "text" : "number"), i == 1 ? PG_TYPE_TEXT : PG_TYPE_INT8);
        if (is_binary && is_binary[i] && !w->failed) w->data[w->len - 1] = 1;
    }
    pg_end(w, at);
}

static void put_number(struct writer *w, uint64_t value, bool is_binary) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    writer_be32(w, is_binary ? 8 : (uint32_t)strlen(text));
    if (is_binary) writer_be32(w, (uint32_t)(value >> 32));
    if (is_binary) writer_be32(w, (uint32_t)value);
    else writer_str(w, text);
}

/* A row of a large number, a text, and NULL or a small number. */
static void put_row(struct writer *w, uint32_t number, const bool is_binary[COLUMNS]) {
    size_t at = pg_begin(w, PG_B_DATA_ROW);
    writer_be16(w, COLUMNS);
    put_number(w, INT64_MAX - number, is_binary && is_binary[0]);
    writer_be32(w, number);
    writer_put(w, bytes_of("abcdefgh", number));
    if (number % 2) writer_be32(w, UINT32_MAX);
    else put_number(w, number, is_binary && is_binary[2]);
    pg_end(w, at);
}

static void put_end(struct writer *w, struct bytes sql) {
    if (kind_of(sql) == EMPTY) pg_put_empty_query(w);
    else pg_put_command_complete(w, "DONE");
}

static bool console_describe(void *ctx, struct session *s, struct bytes sql, struct writer *out, struct err *err) {
    PROMISE(ctx == &env && s == &client.base);
    if (kind_of(sql) == UNKNOWN) return err_set(err, ERR_SYNTAX, "no such command");
    if (has_rows(sql)) put_description(out, NULL);
    return true;
}

static struct writer reply; /* is given behind the message, or at once */
static bool is_asked;

static void console_answer(void) {
    bool ends = reply.data[0] == PG_B_NOTICE;
    is_asked = false;
    session_pg_console_reply(&client.base, &reply, ends);
    writer_release(&reply);
    if (ends) session_close(&client.base, "the statement ends sessions");
}

static void console_run(void *ctx, struct session *s, struct bytes sql) {
    struct err err;
    PROMISE(ctx == &env && s == &client.base && !is_asked);
    is_asked = true;
    writer_init(&reply, BODY_MAX);
    err_set(&err, ERR_SYNTAX, "it cannot be run");
    if (kind_of(sql) == ENDS) pg_put_notice(&reply, "this is the end");
    if (kind_of(sql) == UNKNOWN || kind_of(sql) == BREAKS) {
        pg_put_error(&reply, "ERROR", &err);
    } else {
        if (has_rows(sql)) put_description(&reply, NULL);
        for (uint32_t i = 0; has_rows(sql) && i < rows_of(sql); i++) put_row(&reply, i, NULL);
        put_end(&reply, sql);
    }
    if (sql.len % 2) console_answer();
}

static const struct console_ops console = {.describe = console_describe, .run = console_run, .ctx = &env};

/* ---- what the session is for it ---- */

void session_send(struct session *s, struct bytes data) {
    if (s->state != SESSION_CLOSED) writer_put(&sent, data);
}

void session_close(struct session *s, const char *why) {
    PROMISE(why[0]);
    s->state = SESSION_CLOSED;
}

void session_pg_violation(struct session *s, const char *what) {
    is_violated = true;
    session_close(s, what);
}

void session_pg_tell(struct session *s, const struct err *err, bool is_fatal) {
    uint8_t storage[1024];
    struct writer w;
    PROMISE(err_is_set(err) && strlen(err->sqlstate) == 5 && err->message[0] && !is_fatal);
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_error(&w, "ERROR", err);
    session_send(s, writer_bytes(&w));
}

/* ---- the model ---- */

struct thing {
    struct bytes name, text; /* in the input */
    bool is_binary[COLUMNS]; /* from here on: of a portal */
    uint32_t at;
    bool is_over;
};

static struct things {
    struct thing items[NAMES_MAX];
    size_t count;
} statements, portals;

static bool is_skipping, is_over;

static struct thing *find(struct things *all, struct bytes name) {
    for (size_t i = 0; i < all->count; i++)
        if (bytes_equal(all->items[i].name, name)) return &all->items[i];
    return NULL;
}

static void forget(struct things *all, struct bytes name) {
    struct thing *t = find(all, name);
    if (t) *t = all->items[--all->count];
}

static void expect(uint8_t type) {
    size_t at = pg_begin(&expected, type);
    if (type == PG_B_PARAMETER_DESCRIPTION) writer_be16(&expected, 0);
    pg_end(&expected, at);
}

static void expect_error(void) {
    expect(PG_B_ERROR);
    is_skipping = true;
}

static void expect_ready(void) {
    pg_put_ready(&expected, PG_TXN_IDLE);
}

static void model_query(struct bytes body, bool *is_bad) {
    struct reader r = reader_over(body);
    struct bytes sql = reader_cstr(&r);
    *is_bad = !reader_done(&r);
    if (*is_bad) return;
    if (kind_of(sql) == UNKNOWN || kind_of(sql) == BREAKS) {
        expect(PG_B_ERROR);
    } else {
        if (kind_of(sql) == ENDS) pg_put_notice(&expected, "this is the end");
        if (has_rows(sql)) put_description(&expected, NULL);
        for (uint32_t i = 0; has_rows(sql) && i < rows_of(sql); i++) put_row(&expected, i, NULL);
        put_end(&expected, sql);
    }
    if (kind_of(sql) == ENDS) is_over = true;
    else expect_ready();
}

static void model_parse(struct bytes body, bool *is_bad) {
    struct reader r = reader_over(body);
    struct thing st = {.name = reader_cstr(&r), .text = reader_cstr(&r)};
    uint16_t types = reader_be16(&r);
    (void)reader_take(&r, (size_t)types * 4);
    *is_bad = !reader_done(&r);
    if (*is_bad) return;
    if (types || memchr(st.text.ptr, '$', st.text.len) || (st.name.len && find(&statements, st.name)) ||
        kind_of(st.text) == UNKNOWN || statements.count >= STATEMENTS_MAX) {
        expect_error();
        return;
    }
    forget(&statements, st.name);
    statements.items[statements.count++] = st;
    expect(PG_B_PARSE_COMPLETE);
}

/* The formats of the results: none, one for all columns, or one each. */
static bool model_formats(struct reader *r, struct thing *p) {
    int columns = has_rows(p->text) ? COLUMNS : 0, count = reader_be16(r);
    if (count > 1 && count != columns) return false;
    for (int i = 0; i < count; i++) {
        uint16_t format = reader_be16(r);
        if (format > 1) return false;
        for (int k = i; k < COLUMNS && (count == 1 || k == i); k++) p->is_binary[k] = format;
    }
    return reader_done(r);
}

static void model_bind(struct bytes body) {
    struct reader r = reader_over(body);
    struct thing p = {.name = reader_cstr(&r)};
    struct bytes statement = reader_cstr(&r);
    (void)reader_take(&r, (size_t)reader_be16(&r) * 2);
    uint16_t values = reader_be16(&r);
    const struct thing *st = r.failed ? NULL : find(&statements, statement);
    if (!st || values || (p.name.len && find(&portals, p.name))) {
        expect_error();
        return;
    }
    forget(&portals, p.name);
    p.text = st->text;
    if (portals.count < PORTALS_MAX && model_formats(&r, &p)) {
        portals.items[portals.count++] = p;
        expect(PG_B_BIND_COMPLETE);
    } else {
        expect_error();
    }
}

static void model_describe(uint8_t kind, struct bytes name) {
    const struct thing *t = find(kind == 'S' ? &statements : &portals, name);
    if (!t) {
        expect_error();
        return;
    }
    if (kind == 'S') expect(PG_B_PARAMETER_DESCRIPTION);
    if (has_rows(t->text)) put_description(&expected, kind == 'S' ? NULL : t->is_binary);
    else expect(PG_B_NO_DATA);
}

static void model_target(uint8_t type, struct bytes body, bool *is_bad) {
    uint8_t kind;
    struct bytes name;
    *is_bad = !pg_target_read(body, &kind, &name) || (kind != 'S' && kind != 'P');
    if (*is_bad) return;
    if (type == PG_F_DESCRIBE) {
        model_describe(kind, name);
    } else {
        forget(kind == 'S' ? &statements : &portals, name);
        expect(PG_B_CLOSE_COMPLETE);
    }
}

static void model_execute(struct bytes body, bool *is_bad) {
    struct reader r = reader_over(body);
    struct bytes name = reader_cstr(&r);
    uint32_t most = reader_be32(&r);
    *is_bad = !reader_done(&r);
    if (*is_bad) return;
    struct thing *p = find(&portals, name);
    if (!p || p->is_over || kind_of(p->text) == BREAKS) {
        if (p) p->is_over = true;
        expect_error();
        return;
    }
    uint32_t total = has_rows(p->text) ? rows_of(p->text) : 0, sent_now = 0;
    if (kind_of(p->text) == ENDS) {
        pg_put_notice(&expected, "this is the end");
        is_over = true;
    }
    while (p->at < total && (!most || sent_now < most)) {
        put_row(&expected, p->at++, p->is_binary);
        sent_now++;
    }
    p->is_over = p->at == total;
    if (p->is_over) put_end(&expected, p->text);
    else expect(PG_B_PORTAL_SUSPENDED);
}

static void model_sync(void) {
    portals.count = 0;
    is_skipping = false;
    expect_ready();
}

static void model_take(uint8_t type, struct bytes body, bool *is_bad) {
    if (type == PG_F_TERMINATE) is_over = true;
    else if (type == PG_F_SYNC) model_sync();
    else if (is_skipping) return;
    else if (type == PG_F_QUERY) model_query(body, is_bad);
    else if (type == PG_F_PARSE) model_parse(body, is_bad);
    else if (type == PG_F_BIND) model_bind(body);
    else if (type == PG_F_DESCRIBE || type == PG_F_CLOSE) model_target(type, body, is_bad);
    else if (type == PG_F_EXECUTE) model_execute(body, is_bad);
    else if (type == PG_F_FUNCTION_CALL) {
        expect(PG_B_ERROR);
        model_sync();
    }
}

/* ---- both ---- */

static void ck_sent(void) {
    struct bytes got = writer_bytes(&sent), want = writer_bytes(&expected);
    struct pg_header g, w;
    PROMISE(!sent.failed && !expected.failed);
    while (want.len) {
        PROMISE(pg_header_read(want, &w) == PG_FRAME_OK && pg_header_read(got, &g) == PG_FRAME_OK);
        PROMISE(g.type == w.type && g.total <= got.len);
        if (w.type != PG_B_ERROR) PROMISE(bytes_equal(bytes_of(got.ptr, g.total), bytes_of(want.ptr, w.total)));
        got = bytes_of(got.ptr + g.total, got.len - g.total);
        want = bytes_of(want.ptr + w.total, want.len - w.total);
    }
    PROMISE(got.len == 0);
}

static void take(uint8_t type, struct bytes body) {
    bool is_bad = false;
    writer_init_fixed(&sent, sent_storage, sizeof sent_storage);
    writer_init_fixed(&expected, expected_storage, sizeof expected_storage);
    model_take(type, body, &is_bad);
    session_pg_console_take(&client.base, type, body);
    if (is_asked) console_answer();
    PROMISE(is_violated == is_bad);
    PROMISE((client.base.state == SESSION_CLOSED) == (is_bad || is_over));
    ck_sent();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    env.console = &console;
    client = (struct session_pg){.base = {.env = &env, .state = SESSION_IDLE, .is_console = true}};
    statements.count = portals.count = 0;
    is_skipping = is_over = is_violated = false;
    struct reader r = reader_over(bytes_of(data, size));
    while (client.base.state != SESSION_CLOSED) {
        uint8_t type = reader_u8(&r);
        struct bytes body = reader_take(&r, reader_be16(&r));
        if (r.failed) break;
        if (pg_frontend_limit(type) && body.len <= BODY_MAX) take(type, body);
    }
    session_pg_console_release(&client);
    PROMISE(!client.console && !is_asked);
    return 0;
}
