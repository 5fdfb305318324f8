/*
 * fuzz_startup_params.c - a byte for the length of the startup parameters (in steps of 16), those as names and values with a NUL
 * behind each, and the rows that a server answers about them.
 */
#include <string.h>

#include "proxy/pool/startup_pg.h"
#include "tests/fuzz/fuzz.h"

static void ck_app_name(struct bytes options) {
    char name[STARTUP_PG_APP_NAME_MAX + 1];
    memset(name, 'x', sizeof name);
    if (startup_pg_app_name(options, name)) PROMISE(memchr(name, 0, sizeof name) != NULL);
    else for (size_t i = 0; i < sizeof name; i++) PROMISE(name[i] == 'x');
}

/* What is asked is one line of plain text, whatever the names and values are. */
static void ck_question(struct bytes key) {
    struct writer w;
    writer_init(&w, STATE_PG_LOOK_MAX);
    if (startup_pg_put_question(&w, key)) {
        struct bytes sql = writer_bytes(&w);
        size_t quotes = 0;
        PROMISE(bytes_starts_with(sql, "SELECT "));
        for (size_t i = 0; i < sql.len; i++) {
            PROMISE(sql.ptr[i] >= 32 && sql.ptr[i] < 127 && sql.ptr[i] != '\\' && sql.ptr[i] != ';');
            quotes += sql.ptr[i] == '\'';
        }
        PROMISE(quotes % 2 == 0);
    }
    writer_release(&w);
}

static void ck_answer(struct bytes key, struct bytes rows) {
    static const char *const names[] = {"client_encoding", "DateStyle", "TimeZone", "application_name"};
    struct params_pg reported = {.count = 0}, home = {.count = 0};
    struct startup_pg *st = startup_pg_new(key);
    PROMISE(st && bytes_equal(st->key, key) && !st->is_shareable);
    for (size_t i = 0; i < COUNT_OF(names); i++) PROMISE(params_pg_set(&reported, bytes_str(names[i]), bytes_str("UTC")));
    PROMISE(startup_pg_read(st, rows, &reported));
    for (uint32_t i = 0; i < st->rest.count; i++) {
        PROMISE(state_pg_is_sayable(bytes_str(st->rest.items[i].name)));
        PROMISE(startup_pg_sets(st, bytes_str(st->rest.items[i].name)));
    }
    PROMISE(!startup_pg_is_there(st, &reported) || st->rest.count == 0);
    PROMISE(startup_pg_put_on(st, &reported, &home) && home.count == reported.count);
    params_pg_release(&home);
    params_pg_release(&reported);
    startup_pg_unref(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    size_t len = (size_t)data[0] * 16;
    if (len > size - 1) len = size - 1;
    struct bytes key = bytes_of(data + 1, len), rows = bytes_of(data + 1 + len, size - 1 - len);
    ck_app_name(bytes_of(data + 1, size - 1));
    ck_app_name(key);
    ck_question(key);
    ck_answer(key, rows);
    return 0;
}
